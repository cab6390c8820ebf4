"""The timer: asks our own tables what is due, trains the model at night.

APScheduler only ticks. What is due, and who has taken it, is decided by an atomic claim in the database: however many
schedulers run, each occurrence of a campaign becomes one run, and a run whose scheduler was killed is carried on by
the next.
"""

import logging
import signal
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import FrameType
from typing import Any

from sqlalchemy.exc import DBAPIError

from campaigns import approval, approved_runs, beats, calendar, execute, missed, runs
from campaigns.errors import CampaignsError, NotApproved
from campaigns.execute import World, open_world
from campaigns.models import Campaign, RunState
from campaigns.training import train_model
from engine.errors import EngineError
from subscribers.database import reading, writing
from subscribers.errors import SubscribersError

TICK_SECONDS = 5
logger = logging.getLogger("handpicked.scheduler")
EXPECTED = (CampaignsError, EngineError, SubscribersError)
_stopping = threading.Event()  # asked by jobs at work: what is on the wire is finished, the rest waits


def utc_now() -> datetime:
    """The wall clock, read in one place."""
    return datetime.now(UTC)


def tick(workspace: str) -> None:
    """The job APScheduler calls: it takes text only, and everything else from the workspace."""
    world = open_world(Path(workspace), utc_now, _stopping.is_set)
    try:
        work(world)
    finally:
        world.close()


def work(world: World) -> list[int]:
    """Start what is due, then carry on all that nobody works on. Returns the runs worked on."""
    claim_due(world)
    with reading(world.database) as session:
        left = runs.unfinished(session, now=world.clock(), idle=True)
    return [run_id for run_id in left if not world.stopping() and _carry_on(world, run_id)]


def claim(workspace: str) -> None:
    """The other job APScheduler calls: claims what is due while `tick` is busy sending for hours, so that nothing is
    found too late because of that. The run is taken up by the next scheduler that has time."""
    world = open_world(Path(workspace), utc_now)
    try:
        claim_due(world)
    finally:
        world.close()


def claim_due(world: World) -> list[int]:
    """Turn the newest due occurrence of each campaign into a run, unless another scheduler just did. Returns the runs
    to be planned that we made.

    What was missed follows the campaign's policy (`campaigns.missed`), and each occurrence that is not sent is logged.
    Whoever wants to know whether a scheduler is alive sees by its beat that one has looked.
    """
    claimed = list[int]()
    with writing(world.database) as session:
        beats.beat(session, beats.SCHEDULER, now=world.clock())
    with reading(world.database) as session:
        waiting = calendar.due(session, now=world.clock())
    for campaign in waiting:
        try:
            claimed += _claim(world, campaign)
        except EXPECTED as error:
            logger.error("campaign %s: %s", campaign.name, error)
    return claimed


def _claim(world: World, campaign: Campaign) -> list[int]:
    now = world.clock()
    passed = calendar.passed(campaign, now=now)
    with reading(world.database) as session:
        came = missed.came_at(session, campaign, passed.newest)
        unapproved = approval.missing(session, campaign, world.settings)
    with writing(world.database) as session:
        settled = missed.settle(session, campaign, passed, came=came, now=now, unapproved=unapproved)
    return _told(campaign.name, settled) if settled else []


def _told(name: str, settled: missed.Settled) -> list[int]:
    """Log what became of a campaign's occurrences. Returns the run to be planned, if any."""
    if settled.skipped:
        logger.warning("campaign %s: %s not sent, the newest: %s", name, len(settled.skipped), settled.skipped[-1])
    run = settled.run
    if run is None or run.id is None:
        return []
    if run.state == RunState.ASKING:
        logger.warning("campaign %s: run %s waits for a decision: %s", name, run.id, run.stopped_because)
        return []
    if settled.late:
        minutes = settled.late // timedelta(minutes=1)
        logger.warning("campaign %s is sent %s h %s min late", name, *divmod(minutes, 60))
    logger.info("campaign %s is due: run %s", name, run.id)
    return [run.id]


def train(workspace: str) -> None:
    """The nightly job: train on everything known by now and use the new model."""
    world = open_world(Path(workspace), utc_now)
    try:
        with reading(world.database) as session:
            card = train_model(session, world.settings, now=world.clock())
        logger.info("trained model %s", card.name)
    except EXPECTED as error:
        logger.error("training: %s", error)
    finally:
        world.close()


def run_forever(workspace: Path, *, announce: Callable[[str], None]) -> None:
    """Tick until SIGTERM or Ctrl-C; the job at work is finished first."""
    from apscheduler.schedulers.blocking import BlockingScheduler

    world = open_world(workspace, utc_now)
    world.close()  # only its settings are needed here; each job opens the database for itself
    timer: Any = BlockingScheduler(timezone=UTC)
    # coalesce and no grace limit: a tick that comes late is one tick, never none (the default drops it after 1 s)
    options = {"coalesce": True, "max_instances": 1, "misfire_grace_time": None, "args": [str(workspace)]}
    timer.add_job("scheduler:tick", "interval", seconds=TICK_SECONDS, next_run_time=utc_now(), **options)
    timer.add_job("scheduler:claim", "interval", seconds=TICK_SECONDS, **options)
    timer.add_job("scheduler:train", _cron_trigger(world.settings.train_at), **options)

    def stop(number: int, frame: FrameType | None) -> None:
        _stopping.set()
        timer.shutdown(wait=False)

    signal.signal(signal.SIGTERM, stop)
    announce(f"scheduler for {workspace}: looks for due campaigns every {TICK_SECONDS} s; Ctrl-C ends it")
    try:
        timer.start()
    except KeyboardInterrupt:
        _stopping.set()
        timer.shutdown()


def _cron_trigger(cron: str) -> Any:
    """A trigger that counts weekdays as cron does: APScheduler's own fires '0 9 * * 1' on a Tuesday."""
    from apscheduler.triggers.base import BaseTrigger

    class CronTrigger(BaseTrigger):  # type: ignore[misc]
        def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime:
            return calendar.next_due(cron, "UTC", after=now)

    calendar.next_due(cron, "UTC", after=utc_now())  # says so now when it is no cron expression
    return CronTrigger()


def _carry_on(world: World, run_id: int) -> bool:
    """Take a run as far as it goes. What goes wrong is logged and does not stop the other runs."""
    try:
        with reading(world.database) as session:
            if not runs.may_go_on(session, runs.find_run(session, run_id), now=world.clock(), idle=True):
                return False  # another scheduler was quicker
            approved_runs.demand(session, run_id, world.settings)  # it may have changed since it was claimed
        run = execute.carry_on(world, run_id)
    except DBAPIError as error:  # it may still be in our name: the next tick finds it there and goes on
        logger.error("run %s: the database failed, tried again in %s s: %s", run_id, TICK_SECONDS, error.orig)
        return False
    except NotApproved as error:
        with writing(world.database) as session:
            if approved_runs.hold(session, run_id, str(error)):
                logger.warning("run %s waits for a decision: %s", run_id, error)
        return False
    except Exception as error:
        if isinstance(error, EXPECTED):
            logger.error("run %s: %s", run_id, error)
        else:
            logger.exception("run %s", run_id)
        with writing(world.database) as session:
            runs.let_go(session, run_id, now=world.clock())
        return False
    logger.info("run %s is %s", run_id, run.state)
    return True
