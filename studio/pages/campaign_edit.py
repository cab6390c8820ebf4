"""Make and edit a campaign. Of two who edit at once the second sees both versions, and loses nothing they typed."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from fastapi import APIRouter
from sqlalchemy import select
from sqlmodel import col
from starlette.responses import Response

from campaigns.definition import Definition
from campaigns.errors import CampaignInvalid, CampaignsError, EditedMeanwhile, WrongState
from campaigns.execute import World
from campaigns.finding import find_campaign
from campaigns.models import Campaign
from campaigns.transports import TRANSPORTS
from engine.errors import EngineError
from engine.render.environment import TemplateFolders, TemplateSheet
from studio.actions import campaigns as actions
from studio.errors import FieldInvalid, sentence_of
from studio.figures import Figures
from studio.models import AuditLine
from studio.pages import campaign_form
from studio.pages.counts import reach_of
from studio.pages.forms import Fields
from studio.pages.parameters import Chosen, Name, Typed
from studio.pages.shell import page, see_other
from studio.visit import Marketer, Visit
from subscribers.database import reading
from subscribers.errors import SubscribersError
from subscribers.models import Segment

MOST_SEGMENTS = 200  # in the form; of more, the first by name
LOOKED_BACK = 50  # audit lines
KEPT_BACK = ("version", "do", "shown_template")  # of the form: what is no field of the campaign


class Difference(NamedTuple):
    """A field of which there are two versions."""

    label: str
    mine: str
    theirs: str


def campaign_edit_pages(world: World, figures: Figures) -> APIRouter:
    """/campaigns/new, /campaigns/{name}/edit, and how many people that is, while it is chosen."""
    pages, desk = APIRouter(), Desk(world, figures)

    @pages.get("/campaigns/new")
    def new(visit: Marketer, template: Chosen = "") -> Response:
        if not template:
            return page("campaigns/new.html", visit, sheets=list(_sheets(world.settings.templates)))
        sheet = _sheet(world, template)
        return desk.form(visit, campaign_form.shown(Definition("", template=template), sheet), sheet)

    @pages.post("/campaigns/new")
    def make(visit: Marketer, fields: Typed) -> Response:
        return desk.take(visit, fields, "")

    @pages.get("/campaigns/{name}/edit")
    def edit(visit: Marketer, name: Name) -> Response:
        with reading(world.database) as session:
            campaign = find_campaign(session, name)
        definition = actions.definition_of(campaign)
        sheet, problems = desk.sheet_or_first(definition.template)
        fields = campaign_form.shown(definition, sheet)
        fields.values["template"] = [sheet.name]
        fields.problems = problems
        return desk.form(visit, fields, sheet, campaign, version=campaign.version)

    @pages.post("/campaigns/{name}/edit")
    def change(visit: Marketer, name: Name, fields: Typed) -> Response:
        with reading(world.database) as session:
            find_campaign(session, name)
        return desk.take(visit, fields, name)

    @pages.post("/campaigns/audience")
    def audience(visit: Marketer, fields: Typed) -> Response:
        return page("campaigns/audience.html", visit, **desk.audience(fields))

    return pages


class Desk:
    """Where campaigns are edited."""

    def __init__(self, world: World, figures: Figures) -> None:
        self._world, self._figures = world, figures

    def take(self, visit: Visit, fields: Fields, name: str) -> Response:
        """What was sent: to be saved, or to be shown again with another template."""
        sheet = _sheet(self._world, fields.one("template"))
        version = fields.number("version", 0, least=0, most=2**31 - 1)
        campaign = self._there(name) if name else None
        if fields.one("do") != "save":
            return self.form(visit, self._with_template(fields, sheet), sheet, campaign, version=version)
        definition = campaign_form.read(fields, sheet, self._world.settings, name)
        try:
            if not fields.problems:
                saved = actions.save(self._world, visit, definition, version=version)
                return see_other(f"/campaigns/{saved.name}", "saved" if name else "made")
        except FieldInvalid as problem:
            fields.problems[problem.field] = problem.sentence
        except EditedMeanwhile as meanwhile:
            return self._conflict(visit, fields, sheet, definition, meanwhile)
        except WrongState as problem:
            fields.problems["" if name else "name"] = sentence_of(problem)
        except (CampaignInvalid, SubscribersError) as problem:
            fields.problems["include" if "[segments]" in str(problem) else ""] = sentence_of(problem)
        return self.form(visit, fields, sheet, campaign, version=version, status=422)

    def form(
        self,
        visit: Visit,
        fields: Fields,
        sheet: TemplateSheet,
        campaign: Campaign | None = None,
        *,
        version: int = 0,
        status: int = 200,
    ) -> Response:
        """The form with these fields."""
        with reading(self._world.database) as session:
            names = list(session.scalars(select(col(Segment.name)).order_by(col(Segment.name)).limit(MOST_SEGMENTS)))
        return page(
            "campaigns/form.html",
            visit,
            status=status,
            campaign=campaign,
            fields=fields,
            sheet=sheet,
            sheets=list(_sheets(self._world.settings.templates)),
            segments=sorted({*names, *fields.all("include"), *fields.all("exclude")}),
            translations=campaign_form.translations(fields, sheet),
            usual=campaign_form.usual(),
            transports=TRANSPORTS,
            currency=self._world.settings.currency,
            version=version,
            **self.audience(fields),
        )

    def audience(self, fields: Fields) -> dict[str, Any]:
        """How many people are ticked, or why that cannot be said."""
        try:
            segments = campaign_form.segments_typed(fields)
            return {"reach": reach_of(self._world, self._figures, segments), "audience_problem": ""}
        except (CampaignsError, SubscribersError) as error:
            return {"reach": None, "audience_problem": sentence_of(error)}

    def sheet_or_first(self, name: str) -> tuple[TemplateSheet, dict[str, str]]:
        """The template's sheet; where it is gone or broken, that of another one, and what is wrong."""
        try:
            return _sheet(self._world, name), {}
        except EngineError as error:
            return next(_sheets(self._world.settings.templates)), {"template": sentence_of(error)}

    def _there(self, name: str) -> Campaign:
        with reading(self._world.database) as session:
            return find_campaign(session, name)

    def _with_template(self, fields: Fields, sheet: TemplateSheet) -> Fields:
        old = fields.one("shown_template")
        try:
            before = _sheet(self._world, old) if old else None
        except EngineError:
            before = None
        return campaign_form.with_template(fields, before, sheet)

    def _conflict(
        self, visit: Visit, fields: Fields, sheet: TemplateSheet, mine: Definition, meanwhile: EditedMeanwhile
    ) -> Response:
        """Both versions of each field that differs, and who changed what since, as far as the audit lines say."""
        with reading(self._world.database) as session:
            campaign = find_campaign(session, mine.name)
            lines = session.scalars(
                select(AuditLine)
                .where(col(AuditLine.subject) == f"campaign {mine.name}")
                .order_by(col(AuditLine.id).desc())
                .limit(LOOKED_BACK)
            )
            changes = [line for line in lines if _version_in(line.detail) > meanwhile.seen]
        theirs = actions.definition_of(campaign)
        return page(
            "campaigns/conflict.html",
            visit,
            status=409,
            campaign=campaign,
            changes=changes,
            differences=list(_differences(mine, theirs, sheet)),
            kept=[(name, text) for name, texts in fields.values.items() if name not in KEPT_BACK for text in texts],
        )


def _differences(mine: Definition, theirs: Definition, sheet: TemplateSheet) -> Iterator[Difference]:
    ours = campaign_form.shown(mine, sheet)
    other = campaign_form.shown(theirs, sheet)
    labels = {f"{campaign_form.VARIABLE}{variable.name}": variable.label for variable in sheet.variables}
    for name in dict.fromkeys([*ours.values, *other.values]):
        two = tuple("\n".join(fields.values.get(name, [])) for fields in (ours, other))
        if two[0] != two[1]:
            label = labels.get(name) or name.removeprefix(campaign_form.VARIABLE).replace("_", " ")
            yield Difference(_LABELS.get(name, label), *two)


_LABELS = {
    "include": "Send to",
    "exclude": "Leave out",
    "only": "Pick only",
    "never": "Never pick",
    "boost": "More or less often",
    "picks": "Products in each mail",
}


def _version_in(detail: str) -> int:
    """The version that a change led to, as its audit line says; 0 when it says none.

    >>> _version_in("version 4: subject, picks"), _version_in("of weekly")
    (4, 0)
    """
    word, _, rest = detail.partition(" ")
    number = rest.partition(":")[0]
    return int(number) if word == "version" and number.isdecimal() else 0


def _sheet(world: World, name: str) -> TemplateSheet:
    """Raises TemplateMissing, TemplateBroken."""
    return world.settings.templates.sheet(name)


def _sheets(folders: TemplateFolders) -> Iterator[TemplateSheet]:
    """Of every template that can be read."""
    for name in folders.names():
        try:
            yield folders.sheet(name)
        except EngineError:
            continue  # the page of templates says what is wrong with it
