"""The part that may stand on the open internet: unsubscribe pages and product pictures. No login, no cookie, no script.

GET changes nothing, ever: mail scanners and link previews open every link they find. POST acts, for people who press
the button and for mail providers that send one click (RFC 8058), and it acts again as often as it is asked to.
"""

import re
from functools import partial

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import FileResponse, PlainTextResponse
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

from campaigns.execute import World
from studio.pages.faults import DiscreetFaults, add_error_pages
from studio.pages.forms import read_body
from studio.pages.shell import PUBLIC_HEADERS, STATIC, DefaultHeaders, page
from subscribers import consent
from subscribers.database import reading, writing
from subscribers.errors import TokenInvalid
from subscribers.links import UNSUBSCRIBE, LinkSigner

PREFIXES = ("/u/", "/media/", "/static/")
HEALTH = "/healthz"
LONGEST_TOKEN = 200  # characters, as Message.token
_PICTURE = re.compile(r"[0-9a-f]{20}\.png")
_FOR_A_YEAR = {"Cache-Control": "public, max-age=31536000, immutable"}  # another picture has another name
# It decides one word in the ledger and nothing else, so it need not be a parser of forms.
_ONE_CLICK = re.compile(rb'(?:\A|&)List-Unsubscribe=One-Click(?:&|\s*\Z)|name="?List-Unsubscribe"?\s+One-Click\b')

_WORDS = {
    404: (
        "This link does not work",
        "It may have been cut short on the way. Please use the unsubscribe link in the newest mail you got from us.",
    ),
    405: ("Not that way", "This address is for reading, and for the button on its page."),
    413: ("Too much", "This is more than the page asks for. Please use the link in the mail once more."),
    503: (
        "That was not saved",
        "Something on our side is not answering, and you are NOT unsubscribed yet. Please try again in a few minutes.",
    ),
}
_ELSE = ("That was not saved", "Something went wrong on our side. Please try again in a few minutes.")


def make_public(world: World) -> FastAPI:
    """The public pages as an application of their own."""
    app = FastAPI(title="Handpicked, public pages", docs_url=None, redoc_url=None, openapi_url=None)
    app.include_router(unsubscribe_pages(world))
    app.include_router(picture_pages(world))
    app.mount("/static", StaticFiles(directory=STATIC))
    add_error_pages(app, notice)
    app.add_middleware(DiscreetFaults, notice=notice)
    app.add_middleware(DefaultHeaders, headers=PUBLIC_HEADERS)
    return app


def is_public(path: str) -> bool:
    """Whether this path belongs to the public pages."""
    return path.startswith(PREFIXES) or path == HEALTH


def notice(status: int, sentence: str) -> Response:
    """A page for whatever went wrong: the same bytes for the same status, and nothing of our own affairs."""
    heading, words = _WORDS.get(status, _ELSE)
    return page("public/notice.html", status=status, heading=heading, words=words)


def unsubscribe_pages(world: World) -> APIRouter:
    """/u/{token}. Neither page says whose token it is: a forwarded mail must not tell who got it first."""
    pages = APIRouter()
    signer = LinkSigner(world.secrets, UNSUBSCRIBE)
    shop = world.settings.sender_name or "this sender"

    @pages.api_route("/u/{token:path}", methods=["GET", "HEAD"])
    def ask(token: str) -> Response:
        _open(signer, token)
        return page("public/unsubscribe.html", shop=shop)

    @pages.post("/u/{token:path}")
    async def act(token: str, request: Request) -> Response:
        key = _open(signer, token)
        how = "one-click (RFC 8058)" if _ONE_CLICK.search(await read_body(request)) else "unsubscribe link"
        await run_in_threadpool(partial(_opt_out, world, key, how))
        return page("public/unsubscribed.html", shop=shop)

    return pages


def picture_pages(world: World) -> APIRouter:
    """/media/{name}: the pictures we drew, and /healthz."""
    pages = APIRouter()

    @pages.api_route("/media/{name}", methods=["GET", "HEAD"])
    def picture(name: str) -> Response:
        path = world.settings.media / name
        if not _PICTURE.fullmatch(name) or not path.is_file():
            raise HTTPException(404)
        return FileResponse(path, media_type="image/png", headers=_FOR_A_YEAR)

    @pages.api_route(HEALTH, methods=["GET", "HEAD"])
    def healthy() -> Response:
        try:
            with reading(world.database) as session:
                session.execute(text("SELECT 1"))
        except DBAPIError:
            return PlainTextResponse("the database does not answer\n", 503)
        return PlainTextResponse("ok\n")

    return pages


def _open(signer: LinkSigner, token: str) -> str:
    """The key in the token. Raises TokenInvalid, after the same work for every token that is not ours."""
    if len(token) > LONGEST_TOKEN:
        token = token[:LONGEST_TOKEN]  # the signature is at the end: what was cut does not verify
    try:
        return signer.open(token)
    except UnicodeError:
        raise TokenInvalid from None


def _opt_out(world: World, key: str, how: str) -> None:
    with writing(world.database) as session:
        consent.opt_out(session, key, at=world.clock(), how=how)
