"""The whole life of a run, in order: plan, review, send."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import Engine, select
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col

from campaigns import leases
from campaigns.deliver import send_run
from campaigns.edit import find_campaign
from campaigns.errors import WrongState
from campaigns.models import Campaign, CampaignState, Run, RunState
from campaigns.plan import begin_run, find_run, plan_run
from campaigns.review.findings import review_run
from campaigns.settings import Settings, load_secrets, load_settings
from campaigns.transports import Transport, make_transport
from subscribers.database import open_database, reading, writing
from subscribers.secrets import Secrets

RETRY_AFTER = timedelta(minutes=15)


@dataclass(frozen=True)
class World:
    """What every job needs and nothing may reach for: the database, the settings, the secrets, the clock."""

    database: Engine
    settings: Settings
    secrets: Secrets
    clock: Callable[[], datetime]


def open_world(workspace: Path, clock: Callable[[], datetime]) -> World:
    """Everything of a workspace; made when it is not there yet. Raises SettingsInvalid, DatabaseUnreachable."""
    settings = load_settings(workspace)
    workspace.mkdir(parents=True, exist_ok=True)
    return World(open_database(settings.database), settings, load_secrets(workspace), clock)


def start_run(world: World, campaign_name: str, occurrence: datetime | None = None) -> Run | None:
    """Claim an occurrence and begin to plan it; None when somebody else has it already.

    Without an occurrence it is one for this very moment, begun by hand; with one the scheduler takes it to its end.
    """

    now = world.clock()
    with writing(world.database) as session:
        campaign = find_campaign(session, campaign_name)
        if campaign.state == CampaignState.CANCELLED:
            raise WrongState(f"campaign {campaign.name} is cancelled; make a new one")
        try:
            return begin_run(session, campaign, occurrence or now, now=now, unattended=occurrence is not None)
        except IntegrityError:
            session.rollback()
            return None


def carry_on(world: World, run_id: int) -> Run:
    """Take a run from wherever it stands to its end, or to where it must wait for a person.

    Called with a run somebody died on it continues; nothing is planned or sent twice. Raises WrongState when
    somebody living is at it, or the review found what must not be sent.
    """
    with writing(world.database) as session:
        run = find_run(session, run_id)
        state = run.state
        if state == RunState.PLANNING and not leases.take(session, run, RunState.PLANNING, now=world.clock()):
            raise WrongState(f"run {run_id} is being planned by {run.owner}")
    if state == RunState.PLANNING:
        plan_run(world.database, run_id, world.settings, world.secrets)
    if state in (RunState.PLANNING, RunState.PLANNED):
        review = review_run(world.database, run_id)
        if review.errors:
            raise WrongState(f"run {run_id} is not sent: {review.worst}; see `handpicked review {run_id}`")
    if state in (RunState.PLANNING, RunState.PLANNED, RunState.SENDING):
        send_run(world.database, run_id, transport_of(world, run_id), clock=world.clock)
    with reading(world.database) as session:
        return find_run(session, run_id)


def transport_of(world: World, run_id: int) -> Transport:
    """The transport of the run's campaign. Raises RunUnknown, SettingsInvalid."""
    with reading(world.database) as session:
        campaign = session.get(Campaign, find_run(session, run_id).campaign_id)
    assert campaign is not None  # a foreign key
    return make_transport(campaign.transport, world.settings)


def unfinished(session: Session, *, now: datetime) -> list[int]:
    """Unattended runs to go on with: not finished, and nobody living works on them.

    A run that stopped by itself (the mail server was away, some mails were deferred) waits 15 minutes.
    """
    states = [RunState.PLANNING, RunState.PLANNED, RunState.SENDING]
    waiting = select(Run).where(col(Run.state).in_(states), col(Run.unattended)).order_by(col(Run.id))
    return [run.id for run in session.scalars(waiting) if run.id is not None and _may_go_on(run, now)]


def _may_go_on(run: Run, now: datetime) -> bool:
    if run.state == RunState.SENDING and not run.owner:
        return now - run.alive_at >= RETRY_AFTER
    return leases.is_gone(run.owner, run.alive_at, now=now)
