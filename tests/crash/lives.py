"""Starts senders and kills them."""

import json
import os
import random
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from tests.crash.workspaces import Case

SENDER = Path(__file__).with_name("sender.py")
LONGEST_LIFE = 900.0  # seconds; 10,000 mails take about 10
NEVER = float("inf")


@dataclass
class Life:
    """One life of a sender. lasted: seconds from the open workspace to its end. status: as of subprocess."""

    status: int
    lasted: float

    @property
    def killed(self) -> bool:
        """Whether it was killed, by us or by itself at a label."""
        return self.status == -signal.SIGKILL


@dataclass
class Nursery:
    """A process that has everything imported and forks senders, one at a time."""

    lives: list[Life] = field(default_factory=list)
    _living: int = 0

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, str(SENDER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
        )
        return self

    def __exit__(self, *_: object) -> None:
        if self._living:  # the test failed while it was at it
            os.killpg(self._living, signal.SIGKILL)
        self._process.communicate(timeout=30)

    @property
    def kills(self) -> int:
        """How many of the lives ended by SIGKILL."""
        return sum(life.killed for life in self.lives)

    def live(
        self,
        case: Case,
        *,
        kill_at: str = "",
        resend: bool = False,
        time_to_die: Callable[[float], bool] = lambda since: False,
        alone: bool = False,
    ) -> Life:
        """Let a sender live until it is done, or dies at a label, or it is time.

        time_to_die: is given the seconds since its workspace was open. alone: kill the sender and not its workers, who
        must notice by themselves. A sender that ends in any other way than these fails the test.
        """
        plan = {"workspace": str(case.folder), "run": case.run, "kill_at": kill_at, "resend": resend}
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(plan).encode() + b"\n")
        pid = self._living = self._hear()["pid"]
        heard = self._hear()
        began = time.monotonic()
        while "status" not in heard:
            waited = time.monotonic() - began
            assert waited < LONGEST_LIFE, "the sender hangs"
            if time_to_die(waited):
                (os.kill if alone else os.killpg)(pid, signal.SIGKILL)
                heard = self._hear()
            elif self._has_spoken(0.001):
                heard = self._hear()
        self._living = 0
        life = Life(heard["status"], time.monotonic() - began)
        assert life.status in (0, -signal.SIGKILL), f"a sender ended with {life.status}; what it said is above"
        self.lives.append(life)
        return life

    def _has_spoken(self, seconds: float) -> bool:
        assert self._process.stdout is not None
        return bool(select.select([self._process.stdout], [], [], seconds)[0])

    def _hear(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        assert self._has_spoken(LONGEST_LIFE), "the senders' nursery hangs"
        line = b""
        while not line.endswith(b"\n"):  # byte by byte: a buffer of ours would hide from select what is there
            octet = self._process.stdout.read(1)
            assert octet, "the senders' nursery is gone"
            line += octet
        heard: dict[str, Any] = json.loads(line)
        return heard


@dataclass(frozen=True)
class Undisturbed:
    """How long a run takes that nobody disturbs. until_first: seconds to its first mail. sending: from there on."""

    until_first: float
    sending: float


def random_time(
    chance: random.Random, usual: Undisturbed, lives: float, accepted_yet: Callable[[], bool]
) -> Callable[[float], bool]:
    """When to kill one of about `lives` senders of a run: at any moment from its beginning, each as likely.

    For half of them time runs from the open workspace, for half from the first mail of this life: on a busy machine
    the way to the first mail may take any time, and the moments behind it are the ones that matter most.
    """
    share = usual.sending * 2 / lives
    if chance.random() < 0.5:
        moment = chance.uniform(0, usual.until_first + share)
        return lambda since: since >= moment
    wait, first = chance.uniform(0, share), NEVER

    def behind_the_first(since: float) -> bool:
        nonlocal first
        if first == NEVER and accepted_yet():
            first = since
        return since >= first + wait

    return behind_the_first
