"""The whole life of a run, in order: plan, which checks every letter, and send."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError

from campaigns import leases
from campaigns.deliver import send_run
from campaigns.edit import find_campaign
from campaigns.errors import WrongState
from campaigns.models import CampaignState, Run, RunState
from campaigns.plan import plan_run
from campaigns.runs import begin_run, campaign_of, find_run
from campaigns.settings import Settings, load_secrets, load_settings
from campaigns.transports import Transport, make_transport
from engine.memory import keep_freed_memory
from subscribers.database import open_database, reading, writing
from subscribers.secrets import Secrets


@dataclass(frozen=True)
class World:
    """What every job needs and nothing may reach for: the database, the settings, the secrets, the clock."""

    database: Engine
    settings: Settings
    secrets: Secrets
    clock: Callable[[], datetime]

    def close(self) -> None:
        """Give the database's connections back."""
        self.database.dispose()


def open_world(workspace: Path, clock: Callable[[], datetime]) -> World:
    """Everything of a workspace; made when it is not there yet. Raises SettingsInvalid, DatabaseUnreachable."""
    keep_freed_memory()
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
    somebody living is at it, or planning found what must not be sent.
    """
    with writing(world.database) as session:
        run = find_run(session, run_id)
        state = run.state
        if state == RunState.PLANNING and not leases.take(session, run, RunState.PLANNING, now=world.clock()):
            raise WrongState(f"run {run_id} is being planned by {run.owner}")
    if state == RunState.PLANNING:
        try:
            plan_run(world.database, run_id, world.settings, world.secrets)
        except Exception:
            with writing(world.database) as session:
                leases.give_back(session, run_id, now=world.clock())
            raise
    if state in (RunState.PLANNING, RunState.PLANNED, RunState.SENDING):
        send_run(world.database, run_id, transport_of(world, run_id), clock=world.clock)
    with reading(world.database) as session:
        return find_run(session, run_id)


def transport_of(world: World, run_id: int) -> Transport:
    """The transport of the run's campaign. Raises RunUnknown, SettingsInvalid."""
    with reading(world.database) as session:
        return make_transport(campaign_of(session, find_run(session, run_id)).transport, world.settings)
