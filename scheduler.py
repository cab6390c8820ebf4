"""The timer: asks our own tables what is due, trains the model at night.

APScheduler only ticks. What is due, and who has taken it, is decided by an atomic claim in the database: however many
schedulers run, each occurrence of a campaign becomes one run, and a run whose scheduler was killed is carried on by
the next.
"""

import logging
import signal
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any

from campaigns import calendar, execute, runs
from campaigns.errors import CampaignsError
from campaigns.execute import World, open_world
from campaigns.training import train_model
from engine.errors import EngineError
from subscribers.database import reading, writing
from subscribers.errors import SubscribersError

TICK_SECONDS = 5
logger = logging.getLogger("handpicked.scheduler")
EXPECTED = (CampaignsError, EngineError, SubscribersError)


def utc_now() -> datetime:
    """The wall clock, read in one place."""
    return datetime.now(UTC)


def tick(workspace: str) -> None:
    """The job APScheduler calls: it takes text only, and everything else from the workspace."""
    world = open_world(Path(workspace), utc_now)
    try:
        work(world)
    finally:
        world.close()


def work(world: World) -> list[int]:
    """Carry on what was left unfinished, then start what is due. Returns the runs worked on."""
    with reading(world.database) as session:
        left = runs.unfinished(session, now=world.clock())
    return [run_id for run_id in [*left, *claim_due(world)] if _carry_on(world, run_id)]


def claim_due(world: World) -> list[int]:
    """Turn each due occurrence into a run, unless another scheduler just did. Returns the runs we got.

    First the claim, then the campaign moves on: killed in between, the next tick finds the claim taken and only
    moves on; the run itself is found as unfinished.
    """
    now, claimed = world.clock(), list[int]()
    with reading(world.database) as session:
        waiting = calendar.due(session, now=now)
    for campaign in waiting:
        run = execute.start_run(world, campaign.name, campaign.next_due)
        with writing(world.database) as session:
            calendar.advance(session, campaign, now=now)
        if run is not None and run.id is not None:
            claimed.append(run.id)
            logger.info("campaign %s is due: run %s", campaign.name, run.id)
    return claimed


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
    timer.add_job("scheduler:train", _cron_trigger(world.settings.train_at), **options)

    def stop(number: int, frame: FrameType | None) -> None:
        timer.shutdown(wait=False)

    signal.signal(signal.SIGTERM, stop)
    announce(f"scheduler for {workspace}: looks for due campaigns every {TICK_SECONDS} s; Ctrl-C ends it")
    try:
        timer.start()
    except KeyboardInterrupt:
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
        run = execute.carry_on(world, run_id)
    except EXPECTED as error:
        logger.error("run %s: %s", run_id, error)
        return False
    logger.info("run %s is %s", run_id, run.state)
    return True
