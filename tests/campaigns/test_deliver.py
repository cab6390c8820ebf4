"""Sending: everyone once, nobody who said no, whatever breaks."""

import email
import email.policy
import socket
from contextlib import suppress

import pytest

from campaigns import deliver, ledger
from campaigns.errors import BytesChanged, SettingsInvalid, TransportUnavailable, WrongState
from campaigns.handover import Handovers, Settled
from campaigns.mime import Envelope
from campaigns.models import MessageState
from campaigns.patience import Patience
from campaigns.smtp.pool import Smtp
from campaigns.transports import InDoubt, Memory, Outbox, Refused
from subscribers.database import writing


class Killed(BaseException):
    """Stands for SIGKILL: nothing of ours may catch it."""


class DyingTransport(Memory):
    """Dies at a given step of the n-th message, once."""

    def __init__(self, step: str, number: int) -> None:
        super().__init__()
        self.step, self.left = step, number

    def _maybe_die(self, step: str) -> None:
        if step == self.step:
            self.left -= 1
            if self.left == 0:
                raise Killed

    def offer(self, envelope: Envelope) -> None:
        self._maybe_die("offer")
        super().offer(envelope)

    def hand_over(self, message: bytes, message_id: str) -> str:
        self._maybe_die("before data")
        reply = super().hand_over(message, message_id)
        self._maybe_die("after data")
        return reply


def kill(shop, run, sink, monkeypatch):
    """Send until the transport dies; a killed process cleans up nothing."""
    monkeypatch.setattr(deliver, "_end", lambda *_, **__: None)
    monkeypatch.setattr(deliver, "_give_back", lambda *_: None)
    with pytest.raises(Killed):
        shop.send(run, sink)
    monkeypatch.undo()


def states(shop, run):
    return dict(shop.query("SELECT state, count(*) FROM message WHERE run_id = :run GROUP BY state", run=run))


def test_everyone_who_may_be_mailed_gets_one_mail(shop):
    run = shop.plan()
    totals = shop.send(run)
    assert sorted(shop.sink.recipients) == sorted(shop.mailable())
    assert totals == {"accepted": len(shop.mailable()), "skipped": 60 - len(shop.mailable())}
    assert shop.query("SELECT state, owner FROM run WHERE id = :run", run=run) == [("finished", "")]


def test_sending_a_finished_run_again_sends_nothing(shop):
    run = shop.plan()
    shop.send(run)
    shop.send(run)
    assert len(shop.sink.recipients) == len(shop.mailable())


@pytest.mark.parametrize("when", ["before plan", "after plan", "while sending"])
def test_a_refusal_wins_until_the_handover_is_committed(shop, when):
    refusing = shop.mailable()[7]

    class Watching(Memory):
        def offer(self, envelope):
            if when == "while sending" and envelope.recipient == refusing:
                shop.opt_out(refusing)
            super().offer(envelope)

    if when == "before plan":
        shop.opt_out(refusing)
    run = shop.plan()
    if when == "after plan":
        shop.opt_out(refusing)
    sink = Watching()
    totals = shop.send(run, sink)
    assert refusing not in sink.recipients
    assert sum(totals.values()) == 60
    expected = "opted out" if when == "before plan" else "opted out after planning"
    key = shop.world.secrets.key_of(refusing)
    assert shop.query("SELECT reason FROM message WHERE key = :key", key=key) == [(expected,)]


@pytest.mark.parametrize("step", ["offer", "before data", "after data"])
@pytest.mark.parametrize("number", [1, 20])
def test_a_sender_that_is_killed_loses_nobody_and_mails_nobody_twice(shop, monkeypatch, step, number):
    run = shop.plan()
    sink = DyingTransport(step, number)
    kill(shop, run, sink, monkeypatch)
    assert states(shop, run)["claimed"] > 0
    shop.execute("UPDATE run SET owner = :owner", owner=f"{socket.gethostname()}/0/0")
    shop.send(run, sink)
    assert sorted(sink.recipients) == sorted(shop.mailable())
    assert states(shop, run)["accepted"] == len(shop.mailable())


def test_what_was_on_the_wire_is_in_doubt_when_the_transport_cannot_know(shop, monkeypatch):
    class Forgetful(DyingTransport):
        def arrived(self, message_id):
            return None

    run = shop.plan()
    sink = Forgetful("before data", 3)
    kill(shop, run, sink, monkeypatch)
    totals = shop.send(run, sink)
    assert totals["in_doubt"] == 1
    assert totals["accepted"] == len(shop.mailable()) - 1
    assert len(set(sink.recipients)) == len(sink.recipients)


def test_a_run_that_somebody_living_sends_is_left_alone(shop):
    run = shop.plan()
    shop.execute("UPDATE run SET owner = 'elsewhere/1/1', alive_at = :now WHERE id = :run", run=run, now=str(shop.now))
    with pytest.raises(WrongState, match="is being sent by elsewhere"):
        shop.send(run)
    assert shop.sink.recipients == []
    shop.pass_time(minutes=3)
    shop.send(run)
    assert len(shop.sink.recipients) == len(shop.mailable())


def test_a_run_in_planning_is_not_sent(shop):
    with pytest.raises(WrongState, match="only a planned run"):
        shop.send(shop.begin())


def test_a_row_that_was_tampered_with_is_not_sent(shop):
    run = shop.plan()
    first = shop.query("SELECT min(id) FROM message WHERE state = 'planned'")[0][0]
    shop.execute("UPDATE message SET given_name = 'Mallory' WHERE id = :id", id=first)
    with pytest.raises(BytesChanged, match="other bytes than its plan"):
        shop.send(run)
    assert shop.sink.recipients == []


def test_the_outbox_holds_complete_files_named_by_message_id(shop):
    run = shop.plan()
    outbox = Outbox(shop.world.settings.outbox)
    shop.send(run, outbox)
    files = sorted((shop.world.settings.outbox / "new").iterdir())
    assert len(files) == len(shop.mailable())
    assert not list((shop.world.settings.outbox / "tmp").iterdir())
    for file in files:
        message = email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
        assert file.name == Outbox.file_name(message["Message-ID"].strip("<>"))
        assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]


def test_a_mail_server_gets_every_mail_on_one_connection(shop, server, smtp_settings):
    run = shop.plan()
    totals = shop.send(run, Smtp(smtp_settings()))
    assert totals["accepted"] == len(shop.mailable()) == len(server.received)
    assert sum(command.upper().startswith(("EHLO", "HELO")) for command in server.commands) == 1
    recipients = [email.message_from_bytes(message)["To"] for message in server.received]
    assert sorted(recipients) == sorted(shop.mailable())


@pytest.mark.parametrize(("word", "reply", "state"), [
    ("RCPT", "550 5.1.1 no such user", "failed"),
    ("RCPT", "450 4.2.1 try later", "deferred"),
    ("MAIL", "452 4.3.1 out of space", "deferred"),
    ("DATA", "554 5.7.1 no", "failed"),
    ("DATA", "451 4.3.0 later", "deferred"),
    (".", "552 5.3.4 too big", "failed"),
    (".", "451 4.7.1 greylisted", "deferred"),
])  # fmt: skip
def test_a_refused_mail_ends_in_its_state_and_the_others_go_on(shop, server, smtp_settings, word, reply, state):
    run = shop.plan()
    server.replies[word] = [reply]
    totals = shop.send(run, Smtp(smtp_settings()))
    assert totals[state] == 1
    assert totals["accepted"] == len(shop.mailable()) - 1
    assert shop.query("SELECT reason FROM message WHERE state = :state", state=state) == [(reply,)]
    assert shop.send(run, Smtp(smtp_settings())) == totals  # not due yet
    shop.pass_time(minutes=20)
    again = shop.send(run, Smtp(smtp_settings()))
    assert again["accepted"] == len(shop.mailable()) - (state == "failed")


@pytest.mark.parametrize("word", ["EHLO", "MAIL", "RCPT", "DATA"])
def test_a_connection_lost_before_the_last_byte_leaves_nothing_in_doubt(shop, server, smtp_settings, word):
    run = shop.plan()
    server.replies[word] = ["drop"] * 3
    totals = {}
    for _ in range(4):
        with suppress(TransportUnavailable):
            totals = shop.send(run, Smtp(smtp_settings()))
    assert totals["accepted"] == len(shop.mailable()) == len(server.received)
    assert "in_doubt" not in totals


def test_a_connection_lost_after_the_last_byte_leaves_one_in_doubt(shop, server, smtp_settings):
    run = shop.plan()
    server.replies["."] = ["drop"]
    totals = shop.send(run, Smtp(smtp_settings()))
    assert totals["in_doubt"] == 1
    assert totals["accepted"] == len(shop.mailable()) - 1 == len(server.received)


def test_a_connection_lost_amid_the_data_accounts_for_everybody_and_mails_nobody_twice(shop, server, smtp_settings):
    """What fits into the kernel's buffers is sent before we can learn that nobody reads it: that may be in doubt."""
    run = shop.plan()
    server.replies["MIDDLE"] = ["drop"]
    totals = {}
    for _ in range(2):
        with suppress(TransportUnavailable):
            totals = shop.send(run, Smtp(smtp_settings()))
    assert totals["accepted"] + totals.get("in_doubt", 0) == len(shop.mailable())
    assert len(server.received) == totals["accepted"]
    assert len({email.message_from_bytes(message)["Message-ID"] for message in server.received}) == totals["accepted"]


def test_a_server_that_is_not_there_leaves_everything_planned(shop):
    run = shop.plan()
    settings = shop.world.settings.model_copy(
        update={"smtp_host": "127.0.0.1", "smtp_port": 1, "smtp_security": "none"}
    )
    with pytest.raises(TransportUnavailable, match=r"127\.0\.0\.1:1 cannot be used now"):
        shop.send(run, Smtp(settings))
    assert states(shop, run)["planned"] == len(shop.mailable())
    assert shop.query("SELECT owner FROM run WHERE id = :run", run=run) == [("",)]


def test_smtp_wants_tls_and_https_outside_this_machine(shop):
    settings = shop.world.settings.model_copy(update={"smtp_host": "mail.example.com", "smtp_security": "none"})
    with pytest.raises(SettingsInvalid, match="only for a server on this machine"):
        Smtp(settings)
    with pytest.raises(SettingsInvalid, match="https"):
        Smtp(settings.model_copy(update={"smtp_security": "tls"}))


def claimed(shop, run, owner="me", count=1):
    with writing(shop.world.database) as session:
        rows = ledger.claim(session, run, owner, count, now=shop.now)
        session.commit()
    return [row.id for row in rows]


def handovers(shop, owner="me"):
    return Handovers(shop.world.database, owner, Patience(lambda seconds: None))


def state_of(shop, number):
    return shop.query("SELECT state FROM message WHERE id = :id", id=number)[0][0]


def test_a_message_moves_only_from_the_states_it_may(shop):
    run = shop.plan()
    shop.execute("UPDATE run SET state = 'sending'")
    (number,) = claimed(shop, run)
    with handovers(shop) as moves:
        assert moves.begin([number]) == {number}
        assert moves.begin([number]) == set()  # somebody is at it already
        assert state_of(shop, number) == "handing_over"
        moves.settle(Settled(number, MessageState.ACCEPTED, "250", shop.now))
        moves.flush()
        assert moves.begin([number]) == set()
        moves.settle(Settled(number, MessageState.FAILED, "550", shop.now))
    with writing(shop.world.database) as session:
        ledger.release(session, run, "me")
        ledger.recover(session, number, None, at=shop.now)
    assert state_of(shop, number) == "accepted"
    assert shop.query("SELECT outcome FROM attempt WHERE message_id = :id", id=number) == [("accepted",)]


def test_only_who_claimed_a_message_may_hand_it_over(shop):
    run = shop.plan()
    shop.execute("UPDATE run SET state = 'sending'")
    (number,) = claimed(shop, run, "another")
    with handovers(shop) as moves:
        assert moves.begin([number]) == set()
    assert state_of(shop, number) == "claimed"


@pytest.mark.parametrize("stopped", ["paused", "cancelled"])
def test_nothing_is_handed_over_once_its_run_is_stopped(shop, stopped):
    run = shop.plan()
    shop.execute("UPDATE run SET state = 'sending'")
    numbers = claimed(shop, run, count=3)
    with handovers(shop) as moves:
        assert moves.begin(numbers[:1]) == {numbers[0]}
        shop.execute("UPDATE run SET state = :stopped", stopped=stopped)
        assert moves.begin(numbers[1:]) == set()
    assert {state_of(shop, number) for number in numbers[1:]} == {"claimed"}


def test_a_sender_taken_for_dead_says_what_became_of_its_message(shop):
    run = shop.plan()
    shop.execute("UPDATE run SET state = 'sending'")
    (number,) = claimed(shop, run)
    with handovers(shop) as moves:
        moves.begin([number])
        with writing(shop.world.database) as session:
            ledger.recover(session, number, None, at=shop.now)
        assert state_of(shop, number) == "in_doubt"
        moves.settle(Settled(number, MessageState.ACCEPTED, "250", shop.now))
    assert state_of(shop, number) == "accepted"


def test_what_is_in_doubt_goes_out_again_only_when_asked(shop, server, smtp_settings):
    run = shop.plan()
    server.replies["."] = ["drop"]
    shop.send(run, Smtp(smtp_settings()))
    doubted = shop.query("SELECT message_id FROM message WHERE state = 'in_doubt'")[0][0]
    assert shop.send(run, Smtp(smtp_settings()))["in_doubt"] == 1
    before = len(server.received)
    totals = shop.send(run, Smtp(smtp_settings()), resend_in_doubt=True)
    assert totals["accepted"] == len(shop.mailable())
    assert "in_doubt" not in totals
    again = server.received[before:]
    assert [email.message_from_bytes(message)["Message-ID"].strip("<>") for message in again] == [doubted]
    assert shop.query("SELECT state FROM run WHERE id = :run", run=run) == [("finished",)]


def test_every_try_is_written_down(shop, server, smtp_settings):
    run = shop.plan()
    server.replies["RCPT"] = ["450 later"]
    shop.send(run, Smtp(smtp_settings()))
    outcomes = dict(shop.query("SELECT outcome, count(*) FROM attempt GROUP BY outcome"))
    assert outcomes == {"deferred": 1, "accepted": len(shop.mailable()) - 1}


def test_the_two_kinds_of_refusal_and_doubt_are_told_apart():
    assert Refused("550 no", permanent=True).permanent
    assert not issubclass(InDoubt, Refused)
