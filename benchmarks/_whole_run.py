"""A planned run that is sent again and again, whole, and how much memory that takes in a process of its own."""

import json
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

sys.path.insert(0, str(Path(__file__).parent.parent))
sys.path.insert(0, str(Path(__file__).parent))

from _shop import settings_for
from sqlalchemy import delete, select, text, update
from sqlmodel import col

from campaigns import ledger
from campaigns.deliver import send_run
from campaigns.execute import World, open_world, start_run
from campaigns.freeze import frozen_press
from campaigns.letters import row_of
from campaigns.mime import Envelope
from campaigns.models import Attempt, Message, MessageState, Run, RunState
from campaigns.plan import plan_run
from campaigns.runs import find_run
from campaigns.settings import Settings
from campaigns.smtp.pool import Smtp
from campaigns.transports import Outgoing
from subscribers.database import reading, writing

LOOKS_EVERY = 0.05  # seconds between looks at the memory of the worker, which ends with the run


class WholeRun:
    """A run of a campaign in a world, planned once. mails: how many people it mails."""

    def __init__(self, world: World, campaign: str) -> None:
        self._world = world
        run = start_run(world, campaign)
        assert run is not None
        assert run.id is not None
        self.number = run.id
        plan_run(world.database, run.id, world.settings, world.secrets)
        with reading(world.database) as session:
            self.mails = ledger.totals(session, run.id)[MessageState.PLANNED]

    def put_back(self, mails: int) -> None:
        """As it was before it was sent, with only so many mails in it; the others are skipped."""
        mailed = col(Message.run_id) == self.number, col(Message.message_id) != ""
        with writing(self._world.database) as session:
            run = find_run(session, self.number)
            ids = select(col(Message.id)).where(*mailed).order_by(col(Message.id))
            last = session.scalars(ids.offset(mails - 1).limit(1)).one()
            fresh = {"reason": "", "attempts": 0, "claimed_by": "", "due_at": run.planned_at}
            session.execute(delete(Attempt))
            session.execute(update(Message).where(*mailed).values(state=MessageState.SKIPPED, **fresh))
            first = *mailed, col(Message.id) <= last
            session.execute(update(Message).where(*first).values(state=MessageState.PLANNED))
            again = {"state": RunState.PLANNED, "finished_at": None}
            session.execute(update(Run).where(col(Run.id) == self.number).values(**again))
            session.commit()
        with self._world.database.connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT").execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))

    def send(self, settings: Settings, mails: int) -> None:
        """Send it through our whole sender. mails: as it was put back."""
        counts = send_run(self._world.database, self.number, Smtp(settings), clock=self._world.clock)
        assert counts[MessageState.ACCEPTED] == mails, counts

    def messages(self, count: int) -> list[Outgoing]:
        """Some of its mails, finished."""
        with reading(self._world.database) as session:
            press = frozen_press(session, find_run(session, self.number))
            columns: Any = Message.metadata.tables["message"]  # and no objects
            mailed = col(Message.run_id) == self.number, col(Message.message_id) != ""
            rows = session.execute(select(columns).where(*mailed).limit(count)).all()
        with press:
            letters = press.letters([row_of(row._mapping) for row in rows])
        sender = press.content.sender.address
        return [
            Outgoing(row.id, row.message_id, Envelope(sender, row.address), letter.message, 0)
            for row, letter in zip(rows, letters, strict=True)
        ]


def peak_memory(world: World, run: WholeRun, port: int, connections: int, mails: int) -> tuple[float, float]:
    """MB at most, of a fresh process that sends so many mails, and of its worker."""
    run.put_back(mails)
    where = str(world.settings.workspace)
    command = [sys.executable, __file__, where, str(run.number), str(port), str(connections)]
    told = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    assert told["accepted"] == mails, told
    return told["sender"], told["worker"]


def main() -> None:
    """Send a run and tell how much memory that took at its most."""
    workspace, number, port, connections = sys.argv[1:]
    world = open_world(Path(workspace), lambda: datetime.now(UTC))
    settings = settings_for(world.settings, int(port), int(connections))
    with _Workers() as workers:
        counts = send_run(world.database, int(number), Smtp(settings), clock=world.clock)
    print(json.dumps({"accepted": counts["accepted"], "sender": _peak("self"), "worker": workers.peak}))


class _Workers:
    """Looks again and again at the processes that the nursery, our child, has made. peak: MB of the largest."""

    def __init__(self) -> None:
        self.peak, self._over = 0.0, threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(LOOKS_EVERY):
            for nursery in _children("self"):
                self.peak = max([self.peak, *map(_peak, _children(nursery))])


def _children(process: str) -> list[str]:
    threads = Path(f"/proc/{process}/task")
    return [child for path in threads.glob("*/children") for child in _text(path).split()]


def _peak(process: str) -> float:
    """VmHWM in MB: proc(5)."""
    lines = [line.split() for line in _text(Path(f"/proc/{process}/status")).splitlines()]
    return next((int(line[1]) / 1024 for line in lines if line[0] == "VmHWM:"), 0.0)


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:  # it has ended
        return ""


if __name__ == "__main__":
    main()
