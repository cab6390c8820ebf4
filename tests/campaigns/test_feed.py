"""What is given out, and when: a clock that stands still shows each moment."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from campaigns import ledger
from campaigns.feed import CLAIM, RunFeed
from campaigns.freeze import frozen_press
from campaigns.manner import Manner
from campaigns.pace import STEADY, Pace
from campaigns.patience import Patience
from campaigns.runs import find_run
from subscribers.database import reading

Feeds = Callable[..., Any]


@pytest.fixture
def feed_of(shop: Any) -> Feeds:
    @contextmanager
    def make(run: int, pace: Pace, owner: str = "me") -> Iterator[RunFeed]:
        with reading(shop.world.database) as session:
            found = find_run(session, run)
            press = frozen_press(session, found)
        shop.execute("UPDATE run SET state = 'sending'")
        with press:
            yield RunFeed(
                *(shop.world.database, run, owner, press, Manner(pace=pace), Patience(lambda seconds: None)),
                date=found.planned_at,
                clock=lambda: shop.now,
            )
            press.done()

    return make


def all_there_is(feed: RunFeed) -> list[str]:
    """Recipients of what may leave at this moment."""
    taken = list[str]()
    while (outgoing := feed.take()) is not None:
        taken.append(outgoing.envelope.recipient)
    return taken


def domain(address: str) -> str:
    return address.rpartition("@")[2]


def test_each_mail_has_its_moment(shop, feed_of):
    with feed_of(shop.plan(), Pace(10 / STEADY, {})) as feed:
        for _ in range(20):
            assert len(all_there_is(feed)) == 1
            assert feed.wait() == pytest.approx(0.1, abs=1e-3)
            shop.now += timedelta(seconds=0.1)


def test_who_misses_its_moment_gets_another_so_that_nothing_leaves_in_a_rush(shop, feed_of):
    with feed_of(shop.plan(), Pace(10 / STEADY, {})) as feed:
        assert len(all_there_is(feed)) == 1
        shop.pass_time(seconds=1)  # the machine stood still; ten moments have passed
        taken = list[int]()
        for _ in range(100):
            taken.append(len(all_there_is(feed)))
            shop.now += timedelta(seconds=0.01)
        assert max(taken) == 1
        assert 10 <= sum(taken) <= 11


def test_of_those_that_missed_theirs_only_they_get_another(shop, feed_of):
    with feed_of(shop.plan(), Pace(10 / STEADY, {})) as feed:
        all_there_is(feed)
        shop.now += timedelta(seconds=0.35)  # three moments are past, the last by more than it may
        for _ in range(40):
            shop.now += timedelta(seconds=0.05)
            all_there_is(feed)
        assert feed.done >= 0.9 * 20


def test_a_slow_domain_holds_up_nobody_else(shop, feed_of):
    run = shop.plan()
    people = Counter(domain(address) for address in shop.mailable())
    slow, count = people.most_common(1)[0]
    with feed_of(run, Pace(0, {slow: 1 / STEADY})) as feed:
        at_once = all_there_is(feed)
        assert Counter(map(domain, at_once)) == people - Counter({slow: count - 1})
        for _ in range(count - 1):
            assert all_there_is(feed) == []
            shop.pass_time(seconds=1)
            assert [domain(address) for address in all_there_is(feed)] == [slow]
        assert feed.wait() is None


def test_when_only_a_busy_domain_is_left_its_turn_is_waited_for(shop, feed_of):
    """Somebody else has taken its moments of the next seconds: that is no reason to end."""
    run = shop.plan()
    slow = domain(shop.mailable()[0])
    shop.execute("UPDATE message SET state = 'skipped' WHERE domain <> :slow", slow=slow)
    busy_until = int((shop.now + timedelta(seconds=5)).timestamp() * 1e6)
    shop.execute("INSERT INTO pace (name, next_at) VALUES (:slow, :at)", slow=slow, at=busy_until)
    with feed_of(run, Pace(0, {slow: 2 / STEADY})) as feed:
        assert feed.take() is None
        assert feed.wait() == pytest.approx(5, abs=0.01)
        shop.pass_time(seconds=5)
        assert feed.take() is not None


def test_a_claim_whose_answer_was_lost_is_found_and_no_other_is_made(shop, feed_of, monkeypatch):
    run, claim, lost = shop.plan(), ledger.claim, [True]

    def commit_and_lose(session: Any, *words: Any, **options: Any) -> Any:
        rows = claim(session, *words, **options)
        if lost:
            lost.clear()
            session.commit()
            raise OperationalError("COMMIT", {}, Exception("server closed the connection"))
        return rows

    monkeypatch.setattr(ledger, "claim", commit_and_lose)
    shop.execute("UPDATE message SET state = 'skipped' WHERE id > 30")
    with feed_of(run, Pace(0, {})) as feed:
        taken = all_there_is(feed)
    assert len(taken) == len(set(taken)) == shop.query("SELECT count(*) FROM message WHERE state = 'claimed'")[0][0]
    assert 0 < len(taken) <= CLAIM


def test_what_is_not_due_stays_where_it_is(shop, feed_of):
    run = shop.plan()
    shop.execute("UPDATE message SET due_at = :later WHERE id > 20", later="2026-06-01 13:00:00.000000")
    with feed_of(run, Pace(0, {})) as feed:
        all_there_is(feed)
    ids = shop.query("SELECT max(id) FROM message WHERE state = 'claimed'")
    assert ids[0][0] <= 20


@pytest.mark.parametrize("state", ["paused", "cancelled"])
def test_a_second_after_its_run_was_stopped_nothing_is_given_out(shop, feed_of, state):
    """Not only is nothing handed over: nobody is asked about either, and nothing more is claimed."""
    with feed_of(shop.plan(), Pace(0, {})) as feed:
        assert feed.take() is not None
        shop.execute("UPDATE run SET state = :state", state=state)
        shop.pass_time(seconds=1)
        feed.tend()
        assert feed.take() is None
        assert feed.wait() is None
        assert not feed.once_more()
