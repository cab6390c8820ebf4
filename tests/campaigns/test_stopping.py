"""Pause, resume, cancel, at any moment of a run."""

import pytest

from campaigns import stopping
from campaigns.errors import WrongState
from campaigns.manner import Manner
from campaigns.smtp.pool import Smtp
from campaigns.transports import Memory
from subscribers.database import writing


class Stopping(Memory):
    """Does something after so many mails; two seconds pass with each."""

    def __init__(self, shop, after, act):
        super().__init__()
        self.shop, self.after, self.act = shop, after, act

    def hand_over(self, message, message_id):
        self.shop.pass_time(seconds=2)
        reply = super().hand_over(message, message_id)
        if len(self.messages) == self.after:
            self.act()
        return reply


def move(shop, run, step, **options):
    with writing(shop.world.database) as session:
        return getattr(stopping, step)(session, run, **options)


def states(shop, run):
    return dict(shop.query("SELECT state, count(*) FROM message WHERE run_id = :run GROUP BY state", run=run))


def test_a_paused_run_sends_no_further_mail_and_a_resumed_one_goes_on(shop):
    run = shop.plan()
    sink = Stopping(shop, 5, lambda: move(shop, run, "pause", why="by hand"))
    totals = shop.send(run, sink)
    assert totals["accepted"] == 5
    assert totals["planned"] == len(shop.mailable()) - 5
    assert shop.query("SELECT state, stopped_because, owner FROM run") == [("paused", "by hand", "")]
    with pytest.raises(WrongState, match=f"is paused: by hand; `handpicked resume {run}`"):
        shop.send(run, sink)
    move(shop, run, "resume", now=shop.now)
    assert shop.send(run, sink)["accepted"] == len(shop.mailable())
    assert sorted(sink.recipients) == sorted(shop.mailable())
    assert shop.query("SELECT state, stopped_because FROM run") == [("finished", "")]


def test_who_refuses_during_a_pause_gets_nothing_after_it(shop):
    run = shop.plan()
    shop.send(run, Stopping(shop, 5, lambda: move(shop, run, "pause", why="by hand")))
    refusing = shop.mailable()[20]
    shop.opt_out(refusing)
    move(shop, run, "resume", now=shop.now)
    shop.send(run)
    assert refusing not in shop.sink.recipients


def test_a_cancelled_run_gives_everybody_an_end_and_a_reason(shop):
    run = shop.plan()
    totals = shop.send(run, Stopping(shop, 5, lambda: move(shop, run, "cancel", why="by hand")))
    assert totals == {"accepted": 5, "skipped": 55}
    assert shop.query("SELECT count(*) FROM message WHERE reason = 'the run was cancelled'") == [
        (len(shop.mailable()) - 5,)
    ]
    for step, options in (("resume", {"now": shop.now}), ("pause", {"why": "x"}), ("cancel", {"why": "x"})):
        with pytest.raises(WrongState, match="is cancelled and cannot be"):
            move(shop, run, step, **options)


def test_a_finished_run_cannot_be_stopped(shop):
    run = shop.plan()
    shop.send(run)
    with pytest.raises(WrongState, match="is finished and cannot be paused"):
        move(shop, run, "pause", why="x")


def test_a_run_pauses_itself_when_too_many_mails_are_refused(shop, server, smtp_settings):
    run = shop.plan()
    server.replies["RCPT"] = ["550 5.7.1 we do not know you"] * 100

    class Slow(Smtp):
        """Two seconds pass with each look at the clock, so that the run looks around after each mail."""

        def _look_around(self):
            shop.pass_time(seconds=2)
            self._looked = -1e9
            super()._look_around()

    totals = shop.send(run, Slow(smtp_settings()), manner=Manner(pause_after=10, pause_at_failures=0.5))
    assert 10 <= totals["failed"] <= 13
    ((state, why),) = shop.query("SELECT state, stopped_because FROM run")
    assert state == "paused"
    assert "mails were refused (100%)" in why


def test_a_run_pauses_itself_when_too_many_mails_come_back(shop):
    run = shop.plan()

    def come_back():
        shop.execute(
            "INSERT INTO bounce (sha256, message_id, at, kind, status, detail) "
            "SELECT 'x' || id, id, :now, 'hard', '5.1.1', '' FROM message WHERE state = 'accepted'",
            now=shop.now.strftime("%Y-%m-%d %H:%M:%S.%f"),
        )

    totals = shop.send(run, Stopping(shop, 12, come_back), manner=Manner(pause_after=10, pause_at_bounces=0.5))
    assert totals["accepted"] < 16
    assert "mails came back" in str(shop.query("SELECT stopped_because FROM run")[0][0])
