"""What people saw in their last mails: only what was handed over, and only so far back."""

import json
from datetime import timedelta

import pytest

from campaigns.models import MessageState
from campaigns.shown import shown_lately
from subscribers.database import reading


def picks(shop, run):
    rows = shop.query("SELECT subscriber_id, picks FROM message WHERE run_id = :run AND sha256 != ''", run=run)
    return {person: {pick[0] for pick in json.loads(str(listed))} for person, listed in rows}


def seen(shop, mails=3):
    with reading(shop.world.database) as session:
        shown = shown_lately(session, mails, now=shop.now)
    found = {}
    for person, sku in zip(shown.subscriber.tolist(), shown.sku.tolist(), strict=True):
        found.setdefault(person, set()).add(sku)
    return found


def mail(shop):
    run = shop.plan()
    shop.send(run)
    shop.now += timedelta(days=7)
    return run


def test_the_next_mail_shows_nothing_of_the_last_one(shop):
    first, second = mail(shop), mail(shop)
    before, after = picks(shop, first), picks(shop, second)
    assert before.keys() == after.keys()
    for person, listed in after.items():
        assert not listed & before[person]


def test_after_as_many_mails_as_the_setting_says_a_product_may_come_back(shop):
    first, second = mail(shop), mail(shop)
    newest = picks(shop, second)
    assert seen(shop, mails=1) == newest
    assert seen(shop, mails=2) == {person: listed | newest[person] for person, listed in picks(shop, first).items()}
    assert seen(shop, mails=0) == {}


def test_new_interest_brings_a_shown_product_back(shop):
    first = mail(shop)
    person, listed = next(
        (person, listed)
        for person, listed in picks(shop, first).items()
        if shop.query("SELECT may_personalise FROM subscriber WHERE id = :id", id=person) == [(1,)]
    )
    hero = json.loads(str(shop.query("SELECT picks FROM message WHERE subscriber_id = :id", id=person)[0][0]))[0][0]
    assert hero in listed
    for n in range(6):
        at = int((shop.now - timedelta(days=1, hours=n)).timestamp())
        shop.execute(
            "INSERT INTO signal (fingerprint, subscriber_id, sku_id, kind, at, quantity, settled) "
            "VALUES (:f, :id, :sku, 3, :at, 1, 0)",
            f=10_000_000 + n,
            id=person,
            sku=hero,
            at=at,
        )
    second = mail(shop)
    assert hero in picks(shop, second)[person]


@pytest.mark.parametrize("state", [state for state in MessageState if state != MessageState.ACCEPTED])
def test_only_what_was_handed_over_or_may_have_been_was_seen(shop, state):
    run = shop.plan()
    shop.execute("UPDATE message SET state = :state WHERE run_id = :run AND sha256 != ''", state=state, run=run)
    shop.now += timedelta(days=1)
    wanted = picks(shop, run) if state in (MessageState.IN_DOUBT, MessageState.HANDING_OVER) else {}
    assert seen(shop) == wanted


def test_a_plan_does_not_see_what_comes_after_it(shop):
    mail(shop)
    shop.now -= timedelta(days=7)  # the moment of that very run
    assert seen(shop) == {}
