"""The whole life of a run, in order: plan, which checks every letter, and send, by one process or many.

Shards run through any executor of `concurrent.futures`. That each mail leaves once is the ledger's doing, where every
sender claims its rows, and never the executor's: a shard that runs twice, or dies, changes nothing.
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from multiprocessing import get_context
from multiprocessing.synchronize import Event
from pathlib import Path
from types import FrameType
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError

from campaigns import approved_runs, deliver, leases, ledger
from campaigns.deliver import Progress
from campaigns.edit import find_campaign
from campaigns.errors import WrongState
from campaigns.manner import Manner, manner_of
from campaigns.models import CampaignState, Run, RunState
from campaigns.patience import Patience
from campaigns.plan import plan_run
from campaigns.runs import begin_run, campaign_of, find_run
from campaigns.settings import Settings, load_secrets, load_settings
from campaigns.smtp.pool import Smtp
from campaigns.transports import Transport, make_transport
from engine.memory import keep_freed_memory
from subscribers.database import open_database, reading, writing
from subscribers.secrets import Secrets

ALONE = 2_000  # messages that one process sends before two would have started: a second or so
ROUNDS = 5  # times that shards are begun anew after one of them died


@dataclass(frozen=True)
class World:
    """What every job needs and nothing may reach for: the database, the settings, the secrets, the clock.

    stopping: asked often by long work whether the process is to end.
    """

    database: Engine
    settings: Settings
    secrets: Secrets
    clock: Callable[[], datetime]
    stopping: Callable[[], bool] = lambda: False

    def close(self) -> None:
        """Give the database's connections back."""
        self.database.dispose()


def open_world(workspace: Path, clock: Callable[[], datetime], stopping: Callable[[], bool] = lambda: False) -> World:
    """Everything of a workspace; made when it is not there yet. Raises SettingsInvalid, DatabaseUnreachable."""
    keep_freed_memory()
    settings = load_settings(workspace)
    workspace.mkdir(parents=True, exist_ok=True)
    return World(open_database(settings.database), settings, load_secrets(workspace), clock, stopping)


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


def carry_on(world: World, run_id: int, *, resend_in_doubt: bool = False) -> Run:
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
    if state in (RunState.PLANNING, RunState.PLANNED, RunState.SENDING) or resend_in_doubt:
        send(world, run_id, resend_in_doubt=resend_in_doubt)
    elif state == RunState.CANCELLED:
        wind_up(world, run_id)
    with reading(world.database) as session:
        return find_run(session, run_id)


def wind_up(world: World, run_id: int) -> None:
    """Give everybody in a cancelled run an end, also those whom a sender held that died."""
    with reading(world.database) as session:
        run = find_run(session, run_id)
        left = run.owner or ledger.owners(session, run_id)
        if not left or not leases.is_gone(run.owner, run.alive_at, now=world.clock()):
            return
    deliver.wind_up(world.database, run_id, transport_of(world, run_id), now=world.clock())


def transport_of(world: World, run_id: int) -> Transport | Smtp:
    """The transport of the run's campaign. Raises RunUnknown, SettingsInvalid."""
    return make_transport(_transport_name(world, run_id), world.settings)


def _manner_of_run(world: World, run_id: int) -> Manner:
    return manner_of(_transport_name(world, run_id), world.settings, world.secrets)


def _transport_name(world: World, run_id: int) -> str:
    with reading(world.database) as session:
        return campaign_of(session, find_run(session, run_id)).transport


def send(
    world: World,
    run_id: int,
    *,
    executor: Executor | None = None,
    senders: int = 0,
    progress: Progress | None = None,
    resend_in_doubt: bool = False,
) -> dict[str, int]:
    """Send a planned run as its campaign and the settings say. Returns the totals by state.

    executor: where shards run; without one a run by SMTP goes through a process for each core, or `senders`, and
    whatever is small or stays on this machine through this process. Raises NotApproved, what `deliver.send_run` does.
    """
    transport = transport_of(world, run_id)
    with reading(world.database) as session:
        approved_runs.demand(session, run_id, world.settings)
        counts = ledger.totals(session, run_id)
    count = senders or world.settings.senders or os.cpu_count() or 1
    waiting = sum(counts.get(state, 0) for state in ledger.OPEN)
    manner = _manner_of_run(world, run_id)
    if executor is None and (count == 1 or waiting <= ALONE or not isinstance(transport, Smtp)):
        return deliver.send_run(
            world.database,
            run_id,
            transport,
            clock=world.clock,
            manner=manner,
            progress=progress,
            resend_in_doubt=resend_in_doubt,
            stopping=world.stopping,
        )
    patience = Patience(time.sleep)
    deliver.begin(world.database, run_id, now=world.clock(), resend_in_doubt=resend_in_doubt)
    try:
        died, before = False, -1
        for _ in range(ROUNDS):
            # what a dead shard had claimed
            patience(lambda: deliver.recover(world.database, run_id, transport, now=world.clock()))
            waiting = patience(lambda: _due(world, run_id))
            # those in whose night it is wait on
            if not waiting or (waiting == before and not died) or world.stopping():
                break
            died, before = _one_round(world, run_id, executor, count, progress=progress, patience=patience), waiting
    finally:
        deliver.end(world.database, run_id, patience, now=world.clock(), stopped=world.stopping())
    with reading(world.database) as session:
        return ledger.totals(session, run_id)


def send_shard(workspace: str, run_id: int, clock: Callable[[], datetime]) -> str:
    """Send until nothing is due, beside others who do the same: what an executor calls. Returns who it was."""
    with stop_signals() as asked:
        world = open_world(
            Path(workspace), clock, lambda: bool(asked) or any(event.is_set() for event in _told_to_stop)
        )
        try:
            manner = _manner_of_run(world, run_id)
            with transport_of(world, run_id) as transport:
                deliver.send_share(
                    world.database,
                    run_id,
                    transport,
                    clock=clock,
                    manner=manner,
                    patience=Patience(time.sleep),
                    stopping=world.stopping,
                )
        finally:
            world.close()
    if signal.SIGTERM in asked:  # a pool ends those who are left when one of them was killed, and waits for them
        signal.raise_signal(signal.SIGTERM)
    return leases.this_process()


_told_to_stop: list[Event] = []


def _listen_to(stop: Event) -> None:
    """In a process of ours: stop when the parent says so."""
    _told_to_stop.append(stop)


@contextmanager
def stop_signals() -> Iterator[list[int]]:
    """While it lasts, SIGTERM and the first Ctrl-C ask this process to stop; the list holds those that came.

    What is on the wire is finished then, within seconds. The second Ctrl-C stops at once.
    """
    asked = list[int]()

    def note(number: int, frame: FrameType | None) -> None:
        if asked and number == signal.SIGINT:
            raise KeyboardInterrupt
        asked.append(number)

    before: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():  # nobody else may; Dask's workers have their own
        before = {number: signal.signal(number, note) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _one_round(
    world: World, run_id: int, executor: Executor | None, count: int, *, progress: Progress | None, patience: Patience
) -> bool:
    """Run shards until all have ended. Returns whether one of them died, so that another round may be needed."""
    own, stop = None, get_context("spawn").Event()
    if executor is None:
        executor = own = ProcessPoolExecutor(count, get_context("spawn"), _listen_to, (stop,))
    try:
        shards = [
            executor.submit(send_shard, str(world.settings.workspace.resolve()), run_id, world.clock)
            for _ in range(count)
        ]
        waiting: Sequence[Future[str]] = shards
        while waiting:
            waiting = list(wait(waiting, timeout=1).not_done)
            if world.stopping():
                stop.set()
            patience(lambda: _say_that_we_live(world, run_id, progress))
    except BrokenExecutor:
        return True
    finally:
        if own is not None:
            own.shutdown(wait=True, cancel_futures=True)
    died = False
    for shard in shards:
        error = shard.exception()
        if isinstance(error, BrokenExecutor) or type(error).__name__ == "KilledWorker":  # the latter is Dask's
            died = True
        elif error is not None:
            raise error
    return died


def _say_that_we_live(world: World, run_id: int, progress: Progress | None) -> None:
    with writing(world.database) as session:
        leases.renew(session, run_id, now=world.clock())
        if progress:
            progress(*deliver.done_of(session, run_id))


def _due(world: World, run_id: int) -> int:
    with reading(world.database) as session:
        return ledger.due(session, run_id, now=world.clock())
