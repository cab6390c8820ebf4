"""Anybody's mail in the browser: the mail in a closed frame, its text, source and headers, and why these picks."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse
from sqlmodel import Session
from starlette.responses import Response

from campaigns.edit import find_campaign
from campaigns.errors import RunUnknown, WrongState
from campaigns.execute import World
from campaigns.models import Campaign, Run
from campaigns.runs import find_run
from studio.pages import people
from studio.pages.people import Person
from studio.pages.previewers import PreviewDesk, Shown
from studio.pages.shell import mail_headers, page
from studio.visit import Viewer
from subscribers.database import reading

LONGEST_ADDRESS = 320  # as the roster's column
PARTS = {"mail": "Mail", "text": "Text part", "source": "Source", "headers": "Headers"}
WIDTHS = {"desktop": "Desktop", "phone": "Phone"}

Address = Annotated[str, Query(max_length=LONGEST_ADDRESS)]
RunNumber = Annotated[int | None, Query(ge=1, le=2**31 - 1)]
Seed = Annotated[int | None, Query(ge=0, le=2**31 - 1)]


@dataclass(frozen=True)
class View:
    """What the query string says, but for the person."""

    name: str
    run: int | None
    width: str
    part: str

    def link(self, path: str = "preview", **changes: object) -> str:
        """The address of this view with some of it changed; what is None or the default is left out."""
        said = {"run": self.run, "width": self.width, "part": self.part} | changes
        shown = {
            key: value for key, value in said.items() if value is not None and (key, value) not in _DEFAULTS.items()
        }
        return f"/campaigns/{quote(self.name)}/{path}?{urlencode(shown)}"


_DEFAULTS: dict[str, object] = {"width": "desktop", "part": "mail"}


def preview_pages(world: World) -> APIRouter:
    """/campaigns/{name}/preview, and /campaigns/{name}/mail, which is what its frame shows."""
    pages = APIRouter()
    desk = PreviewDesk(world)
    mail_is_closed = mail_headers(world.settings.public_url)

    @pages.get("/campaigns/{name}/preview")
    def preview(
        name: str,
        visit: Viewer,
        *,
        address: Address = "",
        run: RunNumber = None,
        width: Literal["desktop", "phone"] = "desktop",
        part: Literal["mail", "text", "source", "headers"] = "mail",
        surprise: Seed = None,
    ) -> Response:
        view, wanted = View(name, run, width, part), printable(address)
        with reading(world.database) as session:
            campaign = find_campaign(session, name)
            frozen = _run_of(session, campaign, run)
            person = _person(session, wanted, surprise, run, world)
            context: dict[str, Any] = {"campaign": campaign, "run": frozen, "view": view, "wanted": wanted}
            if person is None:
                found = people.starting_with(session, wanted) if wanted else []
                suggestions = [(other, view.link(address=other.address)) for other in found]
                return page("find.html", visit, suggestions=suggestions, **context)
            steps = _steps(session, person, surprise, view)
        shown, problem = _look(desk, view, person.address)
        return page(
            "preview.html",
            visit,
            person=person,
            shown=shown,
            problem=problem,
            steps=steps,
            headers=headers_of(shown),
            frame=view.link("mail", address=person.address, width=None, part=None),
            tabs=[(title, view.link(address=person.address, part=key), key == part) for key, title in PARTS.items()],
            widths=[
                (title, view.link(address=person.address, width=key), key == width) for key, title in WIDTHS.items()
            ],
            **context,
        )

    @pages.get("/campaigns/{name}/mail")
    def mail(name: str, address: Address, visit: Viewer, run: RunNumber = None) -> Response:
        with reading(world.database) as session:
            _run_of(session, find_campaign(session, name), run)
        shown = desk.planned(run, address) if run else desk.now(name, address)
        if shown.letter is None:
            raise WrongState(f"there is no mail for this person: {shown.skip}")
        return HTMLResponse(shown.letter.mail.html, headers=mail_is_closed)

    return pages


def printable(text: str) -> str:
    """What somebody typed, without what no address has: PostgreSQL refuses NUL in a text."""
    return "".join(character for character in text if character.isprintable()).strip()


def headers_of(shown: Shown | None) -> str:
    """The headers of the message as they go over the wire."""
    if shown is None or shown.letter is None:
        return ""
    return shown.letter.message.partition(b"\r\n\r\n")[0].decode("utf-8", "replace").replace("\r\n", "\n")


def _run_of(session: Session, campaign: Campaign, run_id: int | None) -> Run | None:
    """The run asked for. Raises RunUnknown, also for a run of another campaign."""
    if run_id is None:
        return None
    run = find_run(session, run_id)
    if run.campaign_id != campaign.id:
        raise RunUnknown(f"run {run_id} is not one of campaign {campaign.name}")
    return run


def _person(session: Session, wanted: str, seed: int | None, run_id: int | None, world: World) -> Person | None:
    if seed is not None:
        return people.surprise(session, seed, run_id)
    return people.with_address(session, wanted, world.secrets) if wanted else people.first(session, run_id)


def _steps(session: Session, person: Person, seed: int | None, view: View) -> dict[str, str]:
    """Links to other people. The next surprise is told by its seed: the same link shows the same person."""
    earlier, later = (step(session, person.id, view.run) for step in (people.before, people.after))
    following = (person.id if seed is None else seed) + 1
    return {
        "previous": view.link(address=earlier.address) if earlier else "",
        "next": view.link(address=later.address) if later else "",
        "surprise": view.link(surprise=following % 2**31),
    }


def _look(desk: PreviewDesk, view: View, address: str) -> tuple[Shown | None, str]:
    """(what this person gets, "") or (None, why the run cannot say)."""
    if view.run is None:
        return desk.now(view.name, address), ""
    try:
        return desk.planned(view.run, address), ""
    except WrongState as error:
        return None, str(error)
