"""The first page: what waits for a decision, what is being sent, what is due, and what to do in an empty workspace."""

from dataclasses import dataclass

from fastapi import APIRouter
from sqlalchemy import exists, select
from sqlmodel import Session, col
from starlette.responses import Response

from campaigns import approval, beats
from campaigns.execute import World
from campaigns.models import Campaign, CampaignState, MessageState, Run, RunState
from engine.catalog import Product
from engine.errors import ModelMissing
from engine.recommend import registry
from studio.figures import Figure, Figures
from studio.pages.campaigns import cron_words_of
from studio.pages.counts import totals_of
from studio.pages.parameters import Part
from studio.pages.shell import page, see_other
from studio.visit import Viewer
from subscribers.database import reading
from subscribers.models import Subscriber

DUE_SHOWN, RUNS_SHOWN, DECISIONS_SHOWN = 6, 10, 10
APPROVALS_LOOKED_AT = 20  # campaigns; each look reads its template's files, in 1 ms
_OPEN = (MessageState.PLANNED, MessageState.CLAIMED, MessageState.HANDING_OVER, MessageState.DEFERRED)


@dataclass(frozen=True)
class Step:
    """One of the first steps in a new workspace."""

    done: bool
    says: str
    path: str
    command: str = ""


@dataclass(frozen=True)
class Decision:
    """Something that waits for a person. why: in a sentence."""

    path: str
    title: str
    why: str
    state: str


@dataclass(frozen=True)
class Progress:
    """A run that is being planned or sent. all: mails, once they are counted; done: those with an outcome."""

    run: Run
    campaign: str
    done: int
    all: int


def home_pages(world: World, figures: Figures) -> APIRouter:
    """/, and the part of it that follows what is being sent."""
    pages = APIRouter()

    @pages.get("/")
    def home(visit: Viewer) -> Response:
        now = world.clock()
        with reading(world.database) as session:
            runs = _running(session)
            due = _due(session)
            return page(
                "home/home.html",
                visit,
                workspace=world.settings.workspace,
                decisions=[*_runs_that_wait(session), *_not_approved(session, world)][:DECISIONS_SHOWN],
                running=_progress(runs, totals_of(figures, [run for run, _ in runs])),
                due=[(campaign, cron_words_of(campaign)) for campaign in due],
                alive=beats.is_alive(session, beats.SCHEDULER, now=now),
                last_beat=beats.last_beat(session, beats.SCHEDULER),
                steps=_first_steps(session, world),
            )

    @pages.get("/home/running")
    def running(visit: Viewer, part: Part = "") -> Response:
        if not part:
            return see_other("/")
        with reading(world.database) as session:
            runs = _running(session)
        return page("home/running.html", visit, running=_progress(runs, totals_of(figures, [run for run, _ in runs])))

    return pages


def _running(session: Session) -> list[tuple[Run, str]]:
    """(run, name of its campaign) of what is planned or sent at this moment, the newest first."""
    rows = session.execute(
        select(Run, col(Campaign.name))
        .join_from(Run, Campaign, col(Campaign.id) == col(Run.campaign_id))
        .where(col(Run.state).in_((RunState.PLANNING, RunState.SENDING)))
        .order_by(col(Run.id).desc())
        .limit(RUNS_SHOWN)
    )
    return [(run, name) for run, name in rows]


def _progress(runs: list[tuple[Run, str]], totals: Figure) -> list[Progress]:
    found = []
    for run, name in runs:
        states = ((totals.value or {}).get(str(run.id)) or {"states": {}})["states"]
        waiting = sum(states.get(state, 0) for state in _OPEN)
        found.append(Progress(run, name, sum(states.values()) - waiting, sum(states.values())))
    return found


def _due(session: Session) -> list[Campaign]:
    waiting = select(Campaign).where(
        col(Campaign.state) == CampaignState.SCHEDULED, col(Campaign.next_due).is_not(None)
    )
    return list(session.scalars(waiting.order_by(col(Campaign.next_due), col(Campaign.id)).limit(DUE_SHOWN)))


def _runs_that_wait(session: Session) -> list[Decision]:
    """Those that ask, paused themselves, or were planned and must not be sent as they are."""
    rows = session.execute(
        select(Run, col(Campaign.name))
        .join_from(Run, Campaign, col(Campaign.id) == col(Run.campaign_id))
        .where(
            col(Run.state).in_((RunState.ASKING, RunState.PAUSED))
            | ((col(Run.state) == RunState.PLANNED) & (col(Run.errors) > 0))
        )
        .order_by(col(Run.id).desc())
        .limit(DECISIONS_SHOWN)
    )
    return [Decision(f"/runs/{run.id}", f"Run {run.id} of {name}", _why(run), run.state) for run, name in rows]


def _why(run: Run) -> str:
    if run.state == RunState.PLANNED:
        mistakes = "1 mistake" if run.errors == 1 else f"{run.errors:,} mistakes"
        return f"{mistakes} in its mails keep it from being sent: {run.worst}"
    return run.stopped_because or "somebody paused it; nothing of it goes out until it is resumed"


def _not_approved(session: Session, world: World) -> list[Decision]:
    """Scheduled campaigns that nobody has approved as they stand, those that are due first."""
    if not world.settings.require_approval:
        return []
    waiting = select(Campaign).where(col(Campaign.state) == CampaignState.SCHEDULED)
    campaigns = session.scalars(waiting.order_by(col(Campaign.next_due)).limit(APPROVALS_LOOKED_AT))
    found = ((campaign, approval.missing(session, campaign, world.settings)) for campaign in campaigns)
    return [
        Decision(f"/campaigns/{campaign.name}", f"Campaign {campaign.name}", why.partition("; ")[0], "waiting")
        for campaign, why in found
        if why
    ]


def _first_steps(session: Session, world: World) -> list[Step]:
    """What a new workspace needs, in order; empty when all of it is there."""
    said = world.settings

    def any_of(column: object) -> bool:
        return bool(session.execute(select(exists(select(column).limit(1)))).scalar())  # type: ignore[call-overload]

    steps = [
        Step(
            bool(said.sender_name and said.sender_address and said.postal_address),
            "Say who the mails come from: sender_name, sender_address and postal_address in handpicked.toml",
            "/settings",
        ),
        Step(any_of(col(Product.sku_id)), "Bring in your products", "/products", "handpicked import products FILE"),
        Step(
            any_of(col(Subscriber.id)),
            "Bring in your subscribers",
            "/subscribers",
            "handpicked import subscribers FILE",
        ),
        Step(_has_model(world), "Train the model that picks products for each person", "/model", "handpicked train"),
        Step(any_of(col(Campaign.id)), "Make your first campaign", "/campaigns/new", "handpicked campaign new NAME"),
    ]
    return [] if all(step.done for step in steps) else steps


def _has_model(world: World) -> bool:
    try:
        return bool(registry.current(world.settings.models))
    except ModelMissing:
        return False
