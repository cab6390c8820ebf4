"""The connection is lost, or the whole server, at each step: only behind the final dot nobody can know what became."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from campaigns.edit import Definition, save_campaign
from campaigns.errors import TransportUnavailable
from campaigns.smtp.pool import RECONNECT_FOR, Smtp
from subscribers.database import writing
from tests.smtp_certificate import self_signed
from tests.smtp_sink import Options, Rule, Sink

LOGIN = "shop:a password"
OPENING = ("connect", "ehlo", "starttls", "auth")
MAILING = ("mail", "rcpt", "data", "middle")
NARROW = {"receive_buffer": 16_384, "segment": 1_460}  # octets, both: most of a long mail is still on our side then
pytestmark = pytest.mark.slow

NewSink = Callable[..., Any]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return self_signed(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
def new_sink(certificate: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> NewSink:
    """Makes a mail server that wants STARTTLS and a login, and whose certificate is trusted."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))

    @contextmanager
    def new(*rules: Rule, tls: str = "starttls", **options: Any) -> Iterator[Sink]:
        given: dict[str, Any] = {"login": LOGIN, "certificate": certificate, "record": tmp_path / "record.jsonl"}
        with Sink(Options(**{**given, "tls": tls, "rules": list(rules), **options})) as sink:
            yield sink

    return new


def send(shop: Any, run: int, sink: Sink, *, connections: int, pauses: list[float] | None = None) -> dict[str, int]:
    """Send once. While the sender waits to connect anew the server comes back, unless the pauses are wanted."""
    username, _, password = LOGIN.partition(":")
    settings = type(shop.world.settings)(
        workspace=shop.world.settings.workspace,
        smtp_host="127.0.0.1",
        smtp_port=sink.port,
        smtp_security=sink.options.tls or "none",
        smtp_username=username,
        smtp_password=password,
        smtp_connections=connections,
    )

    def sleep(seconds: float) -> None:
        shop.pass_time(seconds=seconds)
        if pauses is None:
            sink.revive()
        else:
            pauses.append(seconds)

    totals: dict[str, int] = shop.send(run, Smtp(settings, sleep=sleep))
    return totals


def send_to_the_end(shop: Any, run: int, sink: Sink, *, connections: int, tries: int = 4) -> dict[str, int]:
    """Send as often as a scheduler would, until the run is finished."""
    for _ in range(tries):
        with suppress(TransportUnavailable):
            totals = send(shop, run, sink, connections=connections)
            if shop.query("SELECT state FROM run WHERE id = :run", run=run) == [("finished",)]:
                return totals
        sink.revive()
        shop.pass_time(hours=5)  # what was put off is due
    raise AssertionError(f"the run is not finished: {shop.query('SELECT state, reason FROM message')}")


def arrived(shop: Any, sink: Sink) -> Counter[str]:
    """How often each Message-ID was accepted; each with the bytes of its plan, to its own address."""
    planned = {row[0]: row[1:] for row in shop.query("SELECT message_id, address, sha256 FROM message")}
    for mail in sink.accepted():
        assert (mail["to"], mail["sha256"]) == planned[mail["message_id"]]
    assert sink.violations() == []
    return Counter(mail["message_id"] for mail in sink.accepted())


def write_at_length(shop: Any) -> None:
    """Make the campaign's mails 130,000 octets long: TLS reads 16,000 ahead, beside what the kernel does."""
    with writing(shop.world.database) as session:
        weekly = Definition("weekly", variables={"message": "A long story without a moral. " * 1_500})
        save_campaign(session, weekly, shop.world.settings, now=shop.now)


def faults(sink: Sink) -> int:
    return len([event for event in sink.events() if event["event"] in ("fault", "cut", "not accepted")])


@pytest.mark.parametrize("then", ["drop", "reset", "die"])
@pytest.mark.parametrize(
    ("at", "tls"), [*((at, "starttls") for at in (*OPENING, *MAILING)), *((at, "") for at in MAILING)]
)
def test_lost_before_the_final_dot_everybody_gets_one_mail(shop, new_sink, at, then, tls):
    if at == "middle":
        write_at_length(shop)
    run = shop.plan()
    # a server that dies takes other connections with it, and those may be behind their dot
    connections, skip = (1, 0) if then == "die" else (3, 1)
    narrow = NARROW if at == "middle" else {}
    with new_sink(Rule(at, then, skip=0 if at in OPENING else 2 + skip), tls=tls, **narrow) as sink:
        totals = send_to_the_end(shop, run, sink, connections=connections)
        assert faults(sink) == 1
        assert totals.keys() == {"accepted", "skipped"}
        assert totals["accepted"] == len(shop.mailable())
        assert set(arrived(shop, sink).values()) == {1}
        assert len(sink.accepted()) == totals["accepted"]


@pytest.mark.parametrize("at", OPENING)
def test_another_connection_that_cannot_be_opened_does_not_disturb_the_first(shop, new_sink, at):
    run = shop.plan()
    with new_sink(Rule(at, "drop", skip=2 if at == "ehlo" else 1), delay=0.005) as sink:  # EHLO is said twice
        totals = send(shop, run, sink, connections=3)
        assert faults(sink) == 1
        assert totals.keys() == {"accepted", "skipped"}
        assert len(sink.accepted()) == totals["accepted"] == len(shop.mailable())


@pytest.mark.parametrize("then", ["drop", "reset", "die"])
@pytest.mark.parametrize("accepts", [False, True])
def test_lost_behind_the_final_dot_one_is_in_doubt_and_is_sent_again_only_when_told_to(shop, new_sink, then, accepts):
    run = shop.plan()
    with new_sink(Rule("dot", f"accept, {then}" if accepts else then, skip=5)) as sink:
        totals = send_to_the_end(shop, run, sink, connections=1 if then == "die" else 3)
        assert totals["in_doubt"] == 1
        assert totals["accepted"] == len(shop.mailable()) - 1
        assert set(arrived(shop, sink).values()) == {1}
        assert len(sink.accepted()) == totals["accepted"] + accepts
        (doubtful,) = shop.query("SELECT message_id, reason FROM message WHERE state = 'in_doubt'")
        assert "before the final reply" in str(doubtful[1])

        shop.pass_time(hours=5)
        send(shop, run, sink, connections=3)
        assert len(sink.accepted()) == totals["accepted"] + accepts  # nobody told it to
        assert (doubtful[0] in arrived(shop, sink)) == accepts


def test_lost_amid_a_message_that_was_sent_whole_it_is_in_doubt_at_most(shop, new_sink):
    """With wide buffers the dot has left before we can learn that nobody reads it."""
    run = shop.plan()
    with new_sink(Rule("middle", "drop", skip=5)) as sink:
        totals = send_to_the_end(shop, run, sink, connections=3)
        assert faults(sink) == 1
        assert totals["accepted"] + totals.get("in_doubt", 0) == len(shop.mailable())
        assert totals.get("in_doubt", 0) <= 1
        assert set(arrived(shop, sink).values()) == {1}
        assert len(sink.accepted()) == totals["accepted"]


def test_a_message_that_always_loses_its_connection_is_put_off_and_the_others_arrive(shop, new_sink):
    run = shop.plan()
    unlucky = shop.mailable()[3]
    with new_sink(Rule("data", "drop", recipient=unlucky, times=5)) as sink:
        for _ in range(3):  # it waits for the next call where nothing else was left to send
            totals = send(shop, run, sink, connections=3)
        assert totals["deferred"] == 1
        assert totals["accepted"] == len(shop.mailable()) - 1
        totals = send_to_the_end(shop, run, sink, connections=3)
        assert totals["accepted"] == len(shop.mailable())
        assert set(arrived(shop, sink).values()) == {1}


def test_a_server_that_stays_away_is_called_at_growing_intervals_and_then_left_alone(shop, new_sink):
    run = shop.plan()
    pauses: list[float] = []
    with new_sink(Rule("rcpt", "die", skip=5)) as sink:
        with pytest.raises(TransportUnavailable, match="cannot be used now"):
            send(shop, run, sink, connections=1, pauses=pauses)
        assert pauses[0] >= 1
        assert all(before <= after for before, after in pairwise(pauses))
        assert RECONNECT_FOR <= sum(pauses) <= 2 * RECONNECT_FOR
        assert shop.query("SELECT count(*) FROM message WHERE state IN ('claimed', 'handing_over', 'in_doubt')") == [
            (0,)
        ]
        sink.revive()
        totals = send_to_the_end(shop, run, sink, connections=1)
        assert totals["accepted"] == len(shop.mailable()) == len(sink.accepted())
        assert set(arrived(shop, sink).values()) == {1}
