"""What the mail server answers, and what becomes of the mail: every try, at its time, until everybody has an end."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from campaigns.ledger import next_due
from campaigns.manner import Manner, manner_of
from campaigns.retries import next_try
from campaigns.smtp.pool import Smtp
from subscribers.database import reading
from tests.smtp_sink import Options, Rule, Sink
from tests.stores import NEEDS_POSTGRESQL

pytestmark = [
    pytest.mark.slow,
    pytest.mark.parametrize(
        "store", ["sqlite", pytest.param("postgres", marks=NEEDS_POSTGRESQL)], indirect=True, scope="session"
    ),
]

DOCUMENTED = [15, 30, 60, 120, 240]  # minutes between tries, each up to a fifth more or less; then 240 again and again
ACCEPTED = "250 2.0.0 accepted"


@dataclass(frozen=True)
class Try:
    """A row of the table of attempts. minutes: after the run was planned, to the microsecond."""

    at: datetime
    outcome: str
    reply: str


class Round:
    """A run of the shop to a server that answers by rule, driven from due time to due time as a scheduler would."""

    def __init__(self, shop: Any, stack: ExitStack, folder: Path) -> None:
        self.shop, self._stack, self._folder = shop, stack, folder
        self.sink: Any = None
        self.run = 0

    def begin(self, *rules: Rule, only: str = "", **options: Any) -> None:
        """Plan the run, for one person only or for everybody, and start the server."""
        if only:
            self.shop.execute("UPDATE subscriber SET may_mail = false WHERE address <> :only", only=only)
        self.run = self.shop.plan()
        self.planned_at = self.shop.now
        given = Options(record=self._folder / "record.jsonl", rules=list(rules), **options)
        self.sink = self._stack.enter_context(Sink(given))
        settings = self.shop.world.settings
        self.settings = settings.model_copy(
            update={
                "smtp_host": "127.0.0.1",
                "smtp_port": self.sink.port,
                "smtp_security": "none",
                "smtp_connections": 1,
            }
        )

    def send(self, **changes: Any) -> dict[str, int]:
        manner = manner_of("smtp", self.settings.model_copy(update=changes), self.shop.world.secrets)
        totals: dict[str, int] = self.shop.send(self.run, Smtp(self.settings), manner=manner)
        return totals

    def drive(self, **changes: Any) -> list[datetime]:
        """Send again and again, each time when the next mail is due. Returns when that was."""
        times = [self.shop.now]
        self.send(**changes)
        while (due := self._next_due()) is not None:
            assert due > self.shop.now, "something is due, and was left behind"
            self.shop.now = due - timedelta(microseconds=1)
            before = self.tries_in_all()
            self.send(**changes)
            assert self.tries_in_all() == before, "tried before its time"
            self.shop.now = due
            times.append(due)
            self.send(**changes)
            assert len(times) < 1_000, "this never ends"
        return times

    def tries(self, address: str) -> list[Try]:
        rows = self.shop.query(
            "SELECT attempt.at, outcome, reply FROM attempt JOIN message ON message.id = attempt.message_id "
            "WHERE address = :address AND run_id = :run ORDER BY attempt.id",
            address=address,
            run=self.run,
        )
        return [Try(_aware(at), str(outcome), str(reply)) for at, outcome, reply in rows]

    def tries_in_all(self) -> int:
        return int(self.shop.query("SELECT count(*) FROM attempt")[0][0])

    def end_of(self, address: str) -> tuple[object, ...]:
        """(state, reason, attempts)"""
        found = self.shop.query(
            "SELECT state, reason, attempts FROM message WHERE address = :address AND run_id = :run",
            address=address,
            run=self.run,
        )
        end: tuple[object, ...] = found[0]
        return end

    def suppressed(self) -> dict[str, str]:
        """Why, by key."""
        return dict(self.shop.query("SELECT key, reason FROM suppression"))

    def expected_tries(self, address: str, outcomes: list[tuple[str, str]]) -> list[Try]:
        """These outcomes at the documented times."""
        message_id = str(self.shop.query("SELECT message_id FROM message WHERE address = :a", a=address)[0][0])
        at, tries = self.planned_at, list[Try]()
        for number, (outcome, reply) in enumerate(outcomes, 1):
            tries.append(Try(at, outcome, reply))
            due = next_try(number, message_id, now=at, first=self.planned_at, days=14)
            assert due is not None
            assert (due - at) / timedelta(minutes=1) == pytest.approx(DOCUMENTED[min(number, 5) - 1], rel=0.2)
            at = due
        return tries

    def check_everybody_has_an_end(self) -> None:
        ends = {"accepted", "failed", "suppressed", "skipped", "in_doubt"}
        states = dict(
            self.shop.query("SELECT state, count(*) FROM message WHERE run_id = :r GROUP BY state", r=self.run)
        )
        assert states.keys() <= ends
        assert sum(states.values()) == self.shop.query("SELECT count(*) FROM subscriber")[0][0]
        assert self.shop.query("SELECT state, owner FROM run WHERE id = :run", run=self.run) == [("finished", "")]
        assert self.shop.query("SELECT count(*) FROM message WHERE claimed_by <> ''") == [(0,)]
        assert len(self.sink.accepted()) == states.get("accepted", 0)
        assert self.sink.violations() == []

    def _next_due(self) -> datetime | None:
        with reading(self.shop.world.database) as session:
            return next_due(session, self.run)


def _aware(at: Any) -> datetime:
    moment = datetime.fromisoformat(at) if isinstance(at, str) else at
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


@pytest.fixture
def round_of(shop: Any, tmp_path: Path) -> Iterator[Round]:
    with ExitStack() as stack:
        yield Round(shop, stack, tmp_path)


LATER = ["450 4.2.1 busy", "451 4.7.1 greylisted", "452 4.3.1 out of space", "454 4.7.0 not now", "421 4.3.2 closing"]


NEVER = {
    "550 5.1.1 no such user": "hard bounce 5.1.1",
    "550 5.2.1 mailbox closed": "hard bounce 5.2.1",
    "552 5.2.2 mailbox full": "",
    "552 too much mail": "",
    "554 5.7.1 your mail looks like spam": "",
    "550 5.7.26 not authenticated": "",
    "571 5.7.0 policy": "",
    "550 no": "",
}
"""Replies that are final, and why the address is never mailed again, if so."""


@pytest.mark.slow
@pytest.mark.parametrize("at", ["rcpt", "data", "dot"])
def test_each_gets_what_was_said_to_it_and_the_others_arrive_at_once(round_of, at):
    """4xx twice: tried again after 15 and 30 minutes. 5xx: failed at once, and only a hard bounce suppresses."""
    shop, people = round_of.shop, round_of.shop.mailable()
    unlucky = dict(zip(people[::2], [*LATER, *NEVER], strict=False))
    assert len(unlucky) == len(LATER) + len(NEVER)
    round_of.begin(
        *(Rule(at, reply, recipient=person, times=2 if reply in LATER else 0) for person, reply in unlucky.items())
    )
    times = round_of.drive()
    tried = set[datetime]()
    for person in people:
        reply = unlucky.get(person, ACCEPTED)
        if reply in LATER:
            outcomes = [("deferred", reply), ("deferred", reply), ("accepted", ACCEPTED)]
        else:
            outcomes = [("accepted" if reply == ACCEPTED else "failed", reply)]
        dropped = [one for one in round_of.tries(person) if "broke before the end" in one.reply]
        assert len(dropped) <= (at == "dot" and reply == ACCEPTED)  # it was offered behind the dot that got a 421
        assert {one.at for one in dropped} <= {round_of.planned_at}
        assert round_of.tries(person)[len(dropped) :] == round_of.expected_tries(person, outcomes)
        ended = outcomes[-1][0], reply if reply in NEVER else "", len(dropped) + len(outcomes)
        assert round_of.end_of(person) == ended
        tried |= {one.at for one in round_of.tries(person)}
    assert sorted(tried) == times
    hard = {shop.world.secrets.key_of(person): NEVER[r] for person, r in unlucky.items() if NEVER.get(r)}
    assert len(hard) == 2
    assert round_of.suppressed() == hard
    round_of.check_everybody_has_an_end()

    again = shop.plan()
    left_out = shop.query("SELECT key FROM message WHERE run_id = :r AND reason = 'opted out'", r=again)
    assert {str(row[0]) for row in left_out} == set(hard)


@pytest.mark.parametrize("reply", ["451 4.7.1 greylisted", "421 4.3.2 closing"])
def test_put_off_at_mail_it_is_tried_again_as_well(round_of, reply):
    ana = round_of.shop.mailable()[3]
    round_of.begin(Rule("mail", reply, times=2), only=ana)
    times = round_of.drive()
    expected = [("deferred", reply), ("deferred", reply), ("accepted", ACCEPTED)]
    assert round_of.tries(ana) == round_of.expected_tries(ana, expected)
    assert times == [one.at for one in round_of.tries(ana)]
    round_of.check_everybody_has_an_end()


@pytest.mark.parametrize("reply", ["550 5.1.1 no such user", "550 user unknown", "552 5.2.2 full", "550 5.7.1 no"])
def test_what_is_said_to_mail_is_about_the_sender_and_suppresses_nobody(round_of, reply):
    """A server that looks up the sender says "no such user" of us, to every mail of the run."""
    ana = round_of.shop.mailable()[3]
    round_of.begin(Rule("mail", reply, times=0), only=ana)
    round_of.drive()
    assert round_of.tries(ana) == [Try(round_of.planned_at, "failed", reply)]
    assert round_of.suppressed() == {}
    round_of.check_everybody_has_an_end()


@pytest.mark.slow
@pytest.mark.parametrize(("reply", "days"), [("450 4.2.1 busy", 2), ("452 4.2.2 mailbox full", 0.5)])
def test_put_off_for_longer_than_retry_days_it_is_given_up(round_of, reply, days):
    ana = round_of.shop.mailable()[3]
    round_of.begin(Rule("rcpt", reply, times=0), only=ana)
    round_of.drive(retry_days=days)
    tries = round_of.tries(ana)
    most = 4 + (days * 24 * 60 - sum(DOCUMENTED[:4])) / (240 * 0.8) + 2
    least = 4 + (days * 24 * 60 - sum(DOCUMENTED[:4])) / (240 * 1.2) - 1
    assert least <= len(tries) <= most
    given_up = f"given up after {len(tries)} tries: {reply}"
    outcomes = [("deferred", reply)] * (len(tries) - 1) + [("failed", given_up)]
    assert tries == round_of.expected_tries(ana, outcomes)
    last = timedelta(days=days) - (tries[-1].at - round_of.planned_at)
    assert timedelta(0) <= last <= timedelta(hours=4) * 1.2
    assert round_of.end_of(ana) == ("failed", given_up, len(tries))
    assert round_of.suppressed() == {}
    round_of.check_everybody_has_an_end()


def test_the_days_of_retrying_begin_with_the_first_try_and_not_with_the_plan(round_of):
    """A run may lie paused for days, and a wave leaves a day after its plan: greylisting must not fail all of it."""
    ana = round_of.shop.mailable()[3]
    round_of.begin(Rule("rcpt", "451 4.7.1 greylisted", times=3), only=ana)
    round_of.shop.pass_time(days=3)
    round_of.planned_at = round_of.shop.now
    round_of.drive(retry_days=2)
    greylisted = ("deferred", "451 4.7.1 greylisted")
    assert round_of.tries(ana) == round_of.expected_tries(ana, [greylisted] * 3 + [("accepted", ACCEPTED)])
    round_of.check_everybody_has_an_end()


def test_without_a_judge_nobody_is_suppressed(round_of):
    """As with a transport of one's own, whose words may mean anything."""
    ana = round_of.shop.mailable()[3]
    round_of.begin(Rule("rcpt", "550 5.1.1 no such user", times=0), only=ana)
    round_of.shop.send(round_of.run, Smtp(round_of.settings), manner=Manner())
    assert round_of.end_of(ana) == ("failed", "550 5.1.1 no such user", 1)
    assert round_of.suppressed() == {}
