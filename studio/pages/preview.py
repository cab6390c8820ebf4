"""Anybody's mail in the browser: the mail in a closed frame, its text, source and headers, and why these picks."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, Literal
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse
from sqlmodel import Session
from starlette.responses import Response

from campaigns.edit import find_campaign
from campaigns.errors import RunUnknown, WrongState
from campaigns.execute import World
from campaigns.letters import Letter
from campaigns.models import Campaign, Run
from campaigns.preview import Preview, Previewer, hosts_of_run
from campaigns.runs import find_run
from engine.render.inspection import Finding
from studio.actions.test_mail import FIELD, send_test_mail
from studio.errors import FieldInvalid
from studio.figures import Figures
from studio.pages import people
from studio.pages.faults import studio_notice
from studio.pages.parameters import Name, Typed
from studio.pages.people import Person
from studio.pages.preview_extremes import extremes_of
from studio.pages.preview_looks import (
    DARK,
    NO_IMAGES,
    findings_of,
    has_dark_rules,
    headers_of,
    in_the_dark,
    weight_of,
    without_images,
)
from studio.pages.preview_words import Story, story_of
from studio.pages.previewers import BeingMade, PreviewDesk
from studio.pages.shell import as_sentence, mail_headers, page, see_other
from studio.roles import Role
from studio.visit import Marketer, Viewer, Visit
from subscribers.database import reading
from subscribers.errors import SubscriberUnknown

LONGEST_ADDRESS = 320  # as the roster's column
OLD = timedelta(minutes=2)  # from when on a page says how old what everybody does is
PARTS = {"mail": "Mail", "text": "Text", "source": "Source", "headers": "Headers", "checks": "Checks"}
WIDTHS = {"desktop": "Desktop", "phone": "Phone"}
LOOKS = {"": "As sent", DARK: "Dark", NO_IMAGES: "Images off"}

Address = Annotated[str, Query(max_length=LONGEST_ADDRESS)]
RunNumber = Annotated[int | None, Query(ge=1, le=2**31 - 1)]
Seed = Annotated[int | None, Query(ge=0, le=2**31 - 1)]
Part = Literal["mail", "text", "source", "headers", "checks"]
Width = Literal["desktop", "phone"]
Look = Literal["", "dark", "no-images"]


@dataclass(frozen=True)
class View:
    """What the query string says, but for the person."""

    name: str
    run: int | None = None
    width: str = "desktop"
    part: str = "mail"
    look: str = ""

    def link(self, path: str = "preview", **changes: object) -> str:
        """The address of this view with some of it changed; what is None or the default is left out."""
        said = {"run": self.run, "width": self.width, "part": self.part, "look": self.look} | changes
        shown = {
            key: value for key, value in said.items() if value is not None and (key, value) not in _DEFAULTS.items()
        }
        return f"/campaigns/{quote(self.name)}/{path}?{urlencode(shown)}"


_DEFAULTS: dict[str, object] = {"width": "desktop", "part": "mail", "look": ""}


@dataclass(frozen=True)
class Shown:
    """What there is to see of one person. problem: why the run cannot say."""

    preview: Preview | None
    story: Story | None = None
    previewer: Previewer | None = None
    problem: str = ""

    @property
    def letter(self) -> Letter | None:
        return self.preview.letter if self.preview else None


class PreviewScreen:
    """The page of one workspace: finds the person, looks at their mail, and says why."""

    def __init__(self, world: World, figures: Figures) -> None:
        self.world, self.desk, self._figures = world, PreviewDesk(world), figures

    def show(
        self, view: View, visit: Visit, wanted: str, seed: int | None, *, to: str = "", problem: str = ""
    ) -> Response:
        """The page of this person. problem: with the address that was typed for a test."""
        with reading(self.world.database) as session:
            campaign = find_campaign(session, view.name)
            run = run_of(session, campaign, view.run)
            person = _person(session, wanted, seed, view.run, self.world)
            context: dict[str, Any] = {"campaign": campaign, "run": run, "view": view, "wanted": wanted}
            if person is None:
                found = people.starting_with(session, wanted) if wanted else []
                suggestions = [(other, view.link(address=other.address)) for other in found]
                return page("find.html", visit, suggestions=suggestions, **context)
            steps = _steps(session, person, seed, view)
        try:
            shown = self.look(view, person.address, explain=True)
        except BeingMade:
            return page("preview_wait.html", visit, person=person, **context)
        letter = shown.letter
        return page(
            "preview.html",
            visit,
            person=person,
            shown=shown,
            steps=steps,
            seed=seed,
            extremes=extremes_of(self._figures, view.name, run, shown.previewer, now=self.world.clock()),
            letter=letter,
            parts_of_mail=self._parts(view, shown, letter, run),
            frame=view.link("mail", address=person.address, width=None, part=None),
            tabs=_tabs(view, person, "part", PARTS),
            widths=_tabs(view, person, "width", WIDTHS),
            looks=_tabs(view, person, "look", LOOKS),
            asks=visit.may(Role.MARKETER) and letter is not None,
            problems={FIELD: problem} if problem else {},
            to=to,
            age=self._age(shown),
            **context,
        )

    def look(self, view: View, address: str, *, explain: bool = False) -> Shown:
        """What this person gets, or why the run cannot say."""
        if view.run is None:
            preview, previewer = self.desk.now(view.name, address, explain=explain)
        else:
            try:
                preview, previewer = self.desk.planned(view.run, address), None
            except WrongState as error:
                return Shown(None, problem=str(error))
        story = None
        if explain and preview.picks:
            with reading(self.world.database) as session:
                story = story_of(session, preview)
        return Shown(preview, story, previewer)

    def _parts(self, view: View, shown: Shown, letter: Letter | None, run: Run | None) -> dict[str, Any]:
        """What the chosen part of the mail needs."""
        if letter is None:
            return {}
        found: dict[str, Any] = {"weight": weight_of(letter), "dark_rules": has_dark_rules(letter.mail.html)}
        if view.part == "headers":
            found["headers"] = headers_of(letter)
        if view.part == "source":
            found["lines"] = letter.mail.html.split("\n")
        if view.part == "checks":
            found["findings"] = self._findings(letter, shown, run)
        return found

    def _findings(self, letter: Letter, shown: Shown, run: Run | None) -> list[Finding]:
        if shown.previewer is not None:
            return findings_of(letter, shown.previewer.press.content.sender, shown.previewer.known_hosts())
        assert run is not None  # without a previewer it is a run's mail
        with reading(self.world.database) as session:
            content, hosts = hosts_of_run(session, run)
        return findings_of(letter, content.sender, hosts)

    def _age(self, shown: Shown) -> timedelta | None:
        """How old what everybody does is, where that is worth saying."""
        if shown.previewer is None:
            return None
        age = self.world.clock() - shown.previewer.background.made_at
        return age if age >= OLD else None


def preview_pages(world: World, figures: Figures) -> APIRouter:
    """/campaigns/{name}/preview, and /campaigns/{name}/mail, which is what its frame shows."""
    pages = APIRouter()
    screen = PreviewScreen(world, figures)
    mail_is_closed = mail_headers(world.settings.public_url)

    @pages.get("/campaigns/{name}/preview")
    def preview(
        name: Name,
        visit: Viewer,
        *,
        address: Address = "",
        run: RunNumber = None,
        width: Width = "desktop",
        part: Part = "mail",
        look: Look = "",
        surprise: Seed = None,
    ) -> Response:
        return screen.show(View(name, run, width, part, look), visit, printable(address), surprise)

    @pages.get("/campaigns/{name}/preview/found")
    def found(
        name: Name, visit: Viewer, *, address: Address = "", run: RunNumber = None, width: Width = "desktop"
    ) -> Response:
        view, wanted = View(name, run, width), printable(address)
        with reading(world.database) as session:
            find_campaign(session, name)
            rows = people.starting_with(session, wanted) if wanted else []
        links = [(person, view.link(address=person.address)) for person in rows]
        return page("preview_found.html", visit, found=links, wanted=wanted)

    @pages.get("/campaigns/{name}/mail")
    def mail(name: Name, address: Address, visit: Viewer, run: RunNumber = None, look: Look = "") -> Response:
        with reading(world.database) as session:
            run_of(session, find_campaign(session, name), run)
        try:
            preview = screen.desk.planned(run, address) if run else screen.desk.now(name, address)[0]
        except BeingMade as error:
            return studio_notice(503, as_sentence(str(error)))
        if preview.letter is None:
            raise WrongState(f"there is no mail for this person: {preview.skip}")
        html = preview.letter.mail.html
        return HTMLResponse(
            in_the_dark(html) if look == DARK else html,
            headers=without_images(mail_is_closed) if look == NO_IMAGES else mail_is_closed,
        )

    @pages.post("/campaigns/{name}/preview/test")
    def test(name: Name, visit: Marketer, fields: Typed) -> Response:
        view, number = View(name, _number_in(fields.one("run"))), fields.one("person")
        with reading(world.database) as session:
            run_of(session, find_campaign(session, name), view.run)
            person = people.with_address(session, number, world.secrets) if _number_in(number) else None
        if person is None:
            raise SubscriberUnknown(number[:20])
        shown = screen.look(view, person.address)
        if shown.preview is None:
            raise WrongState(shown.problem)
        made_with = shown.previewer.press if shown.previewer else view.run or 0
        try:
            to = fields.one(FIELD)
            send_test_mail(world, visit, name, shown.preview, to=to, person=person.id, made_with=made_with)
        except FieldInvalid as error:
            answer = screen.show(view, visit, number, None, to=fields.one(FIELD), problem=error.sentence)
            answer.status_code = 422
            return answer
        return see_other(view.link(address=person.address), "test-sent")

    return pages


def printable(text: str) -> str:
    """What somebody typed, without what no address has: PostgreSQL refuses NUL in a text."""
    return "".join(character for character in text if character.isprintable()).strip()


def run_of(session: Session, campaign: Campaign, run_id: int | None) -> Run | None:
    """The run asked for. Raises RunUnknown, also for a run of another campaign."""
    if run_id is None:
        return None
    run = find_run(session, run_id)
    if run.campaign_id != campaign.id:
        raise RunUnknown(f"run {run_id} is not one of campaign {campaign.name}")
    return run


def _number_in(text: str) -> int | None:
    known = text.isdecimal() and text.isascii() and 1 <= len(text) <= 9 and int(text) > 0
    return int(text) if known else None


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


def _tabs(view: View, person: Person, name: str, titles: dict[str, str]) -> list[tuple[str, str, bool]]:
    """(title, address, whether it is chosen) of each."""
    chosen = getattr(view, name)
    return [(title, view.link(address=person.address, **{name: key}), key == chosen) for key, title in titles.items()]
