"""Yes and no: every answer kept, the newest one in force, and a no that nothing undoes by accident."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlmodel import col

from subscribers import consent
from subscribers.database import reading, writing
from subscribers.models import Consent, Purpose, Subscriber, Suppression
from subscribers.roster import NewSubscriber, add_many, find

ANA = "ana@example.com"
YES = dict.fromkeys(Purpose, True)


@pytest.fixture
def add(database, secrets, now):
    def add(address=ANA, answers=YES) -> str:
        person = NewSubscriber(address, secrets.key_of(address), answers=answers)
        with writing(database) as session:
            add_many(session, [person], now=now)
        return person.key

    return add


def state(session, key):
    person = session.scalars(select(Subscriber).where(col(Subscriber.key) == key)).one()
    columns = {
        Purpose.MAIL: person.may_mail,
        Purpose.PERSONALISE: person.may_personalise,
        Purpose.TRACK: person.may_track,
    }
    entries = [entry.model_dump() for entry in consent.history(session, person.id)]
    return columns, entries


answers = st.dictionaries(st.sampled_from(list(Purpose)), st.booleans())
steps = st.lists(st.one_of(answers, st.just("opt out")), max_size=12)


@settings(max_examples=40)
@given(first=answers, steps=steps)
def test_the_ledger_only_grows_and_the_columns_always_repeat_its_newest_entries(
    new_database, secrets, now, first, steps
):
    key = secrets.key_of(ANA)
    with new_database() as database, writing(database) as session:
        add_many(session, [NewSubscriber(ANA, key, answers=first)], now=now)
        before = []
        for number, step in enumerate([{}, *steps]):
            at = now + timedelta(minutes=number)
            if step == "opt out":
                consent.opt_out(session, key, at=at, how="link")
            else:
                person = find(session, ANA, secrets)
                consent.record(session, person.id, step, at=at, how="page")
                session.commit()
            session.expire_all()
            columns, entries = state(session, key)
            assert entries[: len(before)] == before
            newest = {entry["purpose"]: entry["granted"] for entry in entries}
            assert columns == {purpose: newest.get(purpose, False) for purpose in Purpose}
            assert consent.may_mail(session, key) == (columns[Purpose.MAIL] and "opt out" not in steps[:number])
            before = entries


def test_an_answer_is_kept_with_its_time_way_and_wording(database, add, now):
    key = add(answers={})
    with writing(database) as session:
        person = session.scalars(select(Subscriber)).one()
        consent.record(
            session, person.id, {Purpose.TRACK: True}, at=now, how="preference page", wording="Count clicks."
        )
        session.commit()
        columns, entries = state(session, key)
    assert columns == {Purpose.MAIL: False, Purpose.PERSONALISE: False, Purpose.TRACK: True}
    del entries[0]["id"], entries[0]["subscriber_id"]
    assert entries == [
        {"purpose": "track", "granted": True, "at": now, "how": "preference page", "wording": "Count clicks."}
    ]


def test_an_answer_that_was_not_committed_is_none(database, add, now):
    key = add(answers={})
    with writing(database) as session:
        person = session.scalars(select(Subscriber)).one()
        consent.record(session, person.id, YES, at=now, how="page")
    with reading(database) as session:
        assert state(session, key) == (dict.fromkeys(Purpose, False), [])


def test_opting_out_is_in_force_at_once_and_writes_once(database, add, now):
    key = add()
    with writing(database) as session:
        assert consent.may_mail(session, key)
        assert consent.opt_out(session, key, at=now, how="link") is True
    with writing(database) as session:
        assert not consent.may_mail(session, key)
        assert consent.is_suppressed(session, key)
        assert consent.opt_out(session, key, at=now + timedelta(days=1), how="link again") is False
    with reading(database) as session:
        columns, entries = state(session, key)
        assert columns == {Purpose.MAIL: False, Purpose.PERSONALISE: True, Purpose.TRACK: True}
        assert [(entry["purpose"], entry["granted"], entry["how"]) for entry in entries[3:]] == [
            ("mail", False, "link")
        ]
        assert [(row.key, row.reason, row.at) for row in session.scalars(select(Suppression))] == [(key, "link", now)]


def test_opting_out_leaves_everybody_else_alone(database, add, now):
    add()
    bob = add("bob@example.com")
    with writing(database) as session:
        consent.opt_out(session, add(), at=now, how="link")
        assert consent.may_mail(session, bob)


def test_a_refusal_of_somebody_unknown_is_remembered(database, add, secrets, now):
    key = secrets.key_of(ANA)
    with writing(database) as session:
        assert consent.opt_out(session, key, at=now, how="phone") is True
        assert not consent.may_mail(session, key)
    add()
    with reading(database) as session:
        assert not consent.may_mail(session, key)
        columns, entries = state(session, key)
    assert columns == {Purpose.MAIL: False, Purpose.PERSONALISE: True, Purpose.TRACK: True}
    assert {entry["purpose"]: entry["granted"] for entry in entries} == {
        "mail": False,
        "personalise": True,
        "track": True,
    }


@pytest.mark.parametrize("spelled", ["ana@example.com", "ANA@Example.com", " ana@EXAMPLE.COM"])
def test_a_suppressed_address_that_is_imported_again_stays_out(desk, secrets, now, spelled):
    with writing(desk.database) as session:
        consent.opt_out(session, secrets.key_of(ANA), at=now, how="link")
    assert desk.people(f"address,mail\n{spelled},yes\n", presumed=Purpose) == {"added": 1}
    with reading(desk.database) as session:
        assert not consent.may_mail(session, secrets.key_of(ANA))
        assert not find(session, ANA, secrets).may_mail


def test_a_suppression_wins_over_a_later_yes(database, add, now):
    """The column says what the person answered; whether they are mailed is both."""
    key = add()
    with writing(database) as session:
        consent.suppress(session, key, at=now, reason="hard bounce")
        consent.suppress(session, key, at=now, reason="complaint")
        session.commit()
        assert not consent.may_mail(session, key)
        assert [row.reason for row in session.scalars(select(Suppression))] == ["hard bounce"]


def test_somebody_unknown_may_not_be_mailed(database, secrets):
    with reading(database) as session:
        assert not consent.may_mail(session, secrets.key_of(ANA))
        assert not consent.is_suppressed(session, secrets.key_of(ANA))


def test_no_answers_are_no_entries(database, add, now):
    key = add(answers=None)
    with writing(database) as session:
        consent.record(session, 1, {}, at=now, how="page")
        session.commit()
        assert state(session, key) == (dict.fromkeys(Purpose, False), [])
        assert session.scalars(select(Consent)).all() == []
