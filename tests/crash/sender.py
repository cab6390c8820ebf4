"""The process that is killed: it takes a run to its end, again and again from wherever the one before it died.

`python tests/crash/sender.py` reads one life a line from standard input, as JSON: {"workspace", "run", "kill_at",
"resend"}. It has everything imported and forks for each (a fresh start of Python would be 0.8 s of a life's 1.2), says
{"pid"}, then {"ready"} once the workspace is open, and {"status"} when that life is over. It ends with its input.
"""

import json
import os
import signal
import sys
import time
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from campaigns import execute, milestones
from campaigns.deliver import send_run
from campaigns.models import RunState

CALLS = 50  # of carry_on in one life: nothing is put off here, so one is enough, and two after a lost connection


def main() -> None:
    """One life after the other."""
    for line in sys.stdin:
        plan = json.loads(line)
        pid = os.fork()
        if not pid:
            try:
                os.setsid()  # a group of its own, to be killed with its workers or without them
                live(plan)
            except BaseException:
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        _say(pid=pid)
        _say(status=os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))


def live(plan: dict[str, Any]) -> None:
    """Send until the run is finished. Raises RuntimeError when that does not come."""
    if plan["kill_at"]:
        label, _, number = plan["kill_at"].rpartition(":")
        die_at(label, int(number))
    world = execute.open_world(Path(plan["workspace"]), lambda: datetime.now(UTC))
    _say(ready=True)
    if plan["resend"]:
        transport = execute.transport_of(world, plan["run"])
        send_run(world.database, plan["run"], transport, clock=world.clock, resend_in_doubt=True)
    for _ in range(CALLS):
        run = execute.carry_on(world, plan["run"])
        if run.state == RunState.FINISHED:
            world.close()
            return
        time.sleep(0.1)
    raise RuntimeError(f"run {run.id} is still {run.state} after {CALLS} calls: {run.stopped_because}")


def die_at(label: str, number: int) -> None:
    """Be killed when this point is passed for the n-th time."""
    assert label in milestones.LABELS, label
    left = number

    def watch(passed: str) -> None:
        nonlocal left
        left -= passed == label
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)

    milestones.watcher = watch


def _say(**words: Any) -> None:
    os.write(1, json.dumps(words).encode() + b"\n")


if __name__ == "__main__":
    main()
