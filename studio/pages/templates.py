"""The templates: what each looks like and is for, what its check found, and which campaigns use it."""

from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from fastapi.responses import HTMLResponse
from sqlalchemy import select
from sqlmodel import Session, col
from starlette.responses import Response

from campaigns.execute import World
from campaigns.models import Campaign
from campaigns.sample_mails import made_up_readers
from campaigns.template_check import PATHS
from engine.errors import TemplateBroken
from engine.render.environment import TemplateSheet
from studio.author.frames import in_scheme
from studio.figures import Figure
from studio.pages.shell import mail_headers, page
from studio.pages.template_desk import TemplateDesk
from studio.visit import Viewer
from subscribers.database import reading

TemplateName = Annotated[str, Path(max_length=100, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
Reader = Annotated[str, Query(max_length=40)]
CAMPAIGNS_SHOWN = 50
WIDTHS = {"desktop": "Desktop", "phone": "Phone"}


@dataclass(frozen=True)
class Card:
    """A template in the gallery. problem: why its sheet cannot be read; own: it is the workspace's."""

    name: str
    sheet: TemplateSheet | None
    problem: str
    own: bool
    check: Figure | None


def template_pages(world: World) -> APIRouter:
    """/templates, /templates/{name}, and /templates/{name}/mail, which is what their frames show."""
    pages = APIRouter()
    desk = TemplateDesk(world)
    closed = mail_headers(world.settings.public_url)

    @pages.get("/templates")
    def gallery(visit: Viewer) -> Response:
        cards = [_card(desk, name) for name in desk.folders.names()]
        return page("templates/gallery.html", visit, cards=cards)

    @pages.get("/templates/{name}")
    def one(
        name: TemplateName,
        visit: Viewer,
        *,
        reader: Reader = "usual",
        width: Literal["desktop", "phone"] = "desktop",
        scheme: Literal["light", "dark"] = "light",
    ) -> Response:
        readers = dict(made_up_readers())
        with reading(world.database) as session:
            used_by = _campaigns_of(session, name)
        return page(
            "templates/template.html",
            visit,
            sheet=desk.folders.sheet(name),
            own=desk.is_own(name),
            check=desk.check_of(name),
            paths=PATHS,
            used_by=used_by,
            readers=readers,
            reader=reader if reader in readers else "usual",
            width=width,
            widths=WIDTHS,
            scheme=scheme,
        )

    @pages.get("/templates/{name}/check")
    def check(name: TemplateName, visit: Viewer) -> Response:
        desk.folders.sheet(name)
        return page("templates/check_state.html", visit, check=desk.check_of(name))

    @pages.get("/templates/{name}/mail")
    def mail(
        name: TemplateName, visit: Viewer, reader: Reader = "usual", scheme: Literal["light", "dark"] = "light"
    ) -> Response:
        known = reader if reader in dict(made_up_readers()) else "usual"
        return HTMLResponse(in_scheme(desk.html(name, known), scheme), headers=closed)

    return pages


def _card(desk: TemplateDesk, name: str) -> Card:
    try:
        return Card(name, desk.folders.sheet(name), "", desk.is_own(name), desk.check_of(name))
    except TemplateBroken as error:
        return Card(name, None, str(error), desk.is_own(name), None)


def _campaigns_of(session: Session, name: str) -> list[str]:
    """Names of campaigns that use the template, at most 50."""
    using = select(col(Campaign.name)).where(col(Campaign.template) == name).order_by(col(Campaign.name))
    return list(session.scalars(using.limit(CAMPAIGNS_SHOWN)))
