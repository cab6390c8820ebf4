"""The page of a template, its frames, and the stream that tells of saves. All below the token's path."""

from dataclasses import asdict
from functools import cache
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, StreamingResponse
from starlette.exceptions import HTTPException
from starlette.responses import Response

from campaigns.sample_mails import made_up_pictures
from campaigns.template_check import PATHS
from engine.render.images import draw_product_image
from studio.author.desk import AuthorDesk, Look
from studio.author.frames import Scheme, in_scheme, with_our_pictures
from studio.author.readers import Readers
from studio.author.watch import Watch
from studio.pages.preview import printable
from studio.pages.shell import page
from subscribers.errors import SubscriberUnknown

BRIEFLY = {"once": "inlined once", "shapes": "inlined once for each shape", "each": "inlined mail by mail"}
FRAMES: dict[str, tuple[str, int, Scheme]] = {
    "desktop": ("Desktop", 700, "light"),
    "phone": ("Phone", 390, "light"),
    "dark": ("Dark", 390, "dark"),
}
KEPT_A_WHILE = {"Cache-Control": "private, max-age=3600, immutable"}  # another picture has another name

Who = Annotated[str, Query(max_length=320)]
Seed = Annotated[int | None, Query(ge=0, le=2**31 - 1)]


def author_pages(desk: AuthorDesk, watch: Watch, base: str, mail_headers: dict[str, str]) -> APIRouter:
    """/, /frame/…, /people, /changes and /media/…, below `base`, which is "/" and the token."""
    pages = APIRouter(prefix=base)
    readers, drawn = Readers(desk.shop), made_up_pictures()

    @pages.get("/")
    def show(who: Who = "", surprise: Seed = None) -> Response:
        version = watch.version()  # before the look: a save in between is told again
        key = readers.named(printable(who)) if surprise is None else readers.surprise(surprise)
        look, missing = _looked(desk, key)
        before, later = readers.around(look.reader.key) if look else ("", "")
        return page(
            "author/template.html",
            base=base,
            name=desk.template,
            version=version,
            look=look,
            wanted=who,
            missing=missing or ("" if look else f"nobody's name or address begins with “{who}”; choose somebody below"),
            found=[] if look else readers.starting_with(printable(who)),
            made_up=readers.made_up,
            before=before,
            later=later,
            surprise=((surprise or 0) + 1) % 2**31,
            folders=[str(folder) for folder in desk.settings.templates.folders],
            frames=FRAMES,
            paths=PATHS,
            briefly=BRIEFLY,
            sender=desk.sender_name,
        )

    @pages.get("/frame/{kind}")
    def frame(kind: Literal["desktop", "phone", "dark"], who: Who) -> Response:
        letter = desk.letter(who)
        if letter is None:
            raise HTTPException(404)
        html = with_our_pictures(letter.mail.html, desk.settings.public_url, base)
        return HTMLResponse(in_scheme(html, FRAMES[kind][2]), headers=mail_headers)

    @pages.get("/people")
    def people_starting(starting: Who = "") -> Response:
        choices = readers.starting_with(printable(starting))
        return JSONResponse([asdict(choice) | {"link": choice.link} for choice in choices])

    @pages.get("/changes")
    async def changes(since: str = "") -> Response:
        return StreamingResponse(watch.changes(since), media_type="text/event-stream")

    @pages.get("/media/{name}")
    def picture(name: str) -> Response:
        path = desk.settings.media / name
        if "/" not in name and not name.startswith(".") and name.endswith(".png") and path.is_file():
            return FileResponse(path, media_type="image/png", headers=KEPT_A_WHILE)
        if name not in drawn:
            raise HTTPException(404)
        return Response(_drawn(*drawn[name]), media_type="image/png", headers=KEPT_A_WHILE)

    return pages


@cache
def _drawn(title: str, family: str) -> bytes:
    return draw_product_image(title, family)


def _looked(desk: AuthorDesk, key: str | None) -> tuple[Look | None, str]:
    """(what there is to see of this reader, "") or (None, why there is nobody to look at)."""
    if key is None:
        return None, ""
    try:
        return desk.look(key), ""
    except SubscriberUnknown as error:
        return None, str(error)
