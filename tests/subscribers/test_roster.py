"""The roster: who gets on it, with which consents, and what an import never changes."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import event

from subscribers import consent
from subscribers.database import reading, writing
from subscribers.errors import SubscriberUnknown
from subscribers.models import Purpose
from subscribers.roster import BATCH, NewSubscriber, add_many, export, find

FULL = (
    "Email,First Name,locale,timezone,country,mail,personalise,track,consented_at,how,wording\n"
    "Ana@Example.com, Ana  Maria ,de-AT,Europe/Vienna,Austria,yes,1,no,2025-03-01T10:00:00+01:00,checkout,I agree.\n"
)


def test_a_row_becomes_a_person_with_everything_it_says(desk, secrets):
    assert desk.people(FULL) == {"added": 1}
    person = desk.roster()["Ana@example.com"]
    assert person.model_dump(exclude={"id"}) == {
        "address": "Ana@example.com",
        "key": secrets.key_of("ana@example.com"),
        "given_name": "Ana Maria",
        "language": "de-AT",
        "time_zone": "Europe/Vienna",
        "country": "Austria",
        "joined_at": datetime(2025, 3, 1, 9, tzinfo=UTC),
        "may_mail": True,
        "may_personalise": True,
        "may_track": False,
    }
    with reading(desk.database) as session:
        entries = consent.history(session, person.id)
    assert {entry.purpose: entry.granted for entry in entries} == {"mail": True, "personalise": True, "track": False}
    assert {(entry.at, entry.how, entry.wording) for entry in entries} == {(person.joined_at, "checkout", "I agree.")}


def test_an_address_alone_is_enough_and_agrees_to_nothing(desk, now):
    desk.people("address\nana@example.com\n")
    person = desk.roster()["ana@example.com"]
    assert (person.may_mail, person.may_personalise, person.may_track) == (False, False, False)
    assert (person.language, person.time_zone, person.given_name, person.joined_at) == ("en", "UTC", "", now)


@pytest.mark.parametrize("presumed", [{Purpose.MAIL}, {Purpose.MAIL, Purpose.TRACK}, set(Purpose)])
def test_what_the_importing_person_vouches_for_is_a_yes(desk, presumed):
    desk.people("address\nana@example.com\n", presumed=presumed)
    person = desk.roster()["ana@example.com"]
    allowed = {purpose for purpose in Purpose if getattr(person, f"may_{purpose}")}
    assert allowed == presumed


def test_an_answer_in_the_file_wins_over_what_is_presumed(desk):
    desk.people("address,mail\nana@example.com,no\nbob@example.com,\n", presumed={Purpose.MAIL})
    assert {address: person.may_mail for address, person in desk.roster().items()} == {
        "ana@example.com": False,
        "bob@example.com": True,
    }


def test_importing_twice_changes_nothing(desk):
    desk.people(FULL)
    with reading(desk.database) as session:
        before = list(session.connection().exec_driver_sql("SELECT * FROM subscriber, consent"))
    assert desk.people(FULL) == {"already there": 1}
    with reading(desk.database) as session:
        assert list(session.connection().exec_driver_sql("SELECT * FROM subscriber, consent")) == before


def test_somebody_already_there_is_left_exactly_as_they_are(desk, secrets, now):
    desk.people("address,given_name,mail\nana@example.com,Ana,yes\n")
    before = desk.roster()["ana@example.com"]
    with writing(desk.database) as session:
        consent.record(session, before.id, {Purpose.MAIL: False}, at=now, how="page")
        session.commit()
    assert desk.people("address,given_name,mail\nANA@example.com,Hannah,yes\n") == {"already there": 1}
    after = desk.roster()["ana@example.com"]
    assert after.model_dump() == before.model_dump() | {"may_mail": False}
    with reading(desk.database) as session:
        assert len(consent.history(session, before.id)) == 4


def test_a_person_twice_in_one_file_is_rejected_the_second_time(desk):
    counts = desk.people("address,given_name\nana@example.com,Ana\nANA@EXAMPLE.com,Anna\n")
    assert counts == {"added": 1, "rejected": 1}
    assert desk.rejects[0]["line"] == "3"
    assert desk.rejects[0]["reason"] == "address stands in this file twice; the first row counts"
    assert desk.roster()["ana@example.com"].given_name == "Ana"


def test_a_rejected_row_does_not_stand_in_the_way_of_a_good_one(desk):
    assert desk.people("address,mail\nana@example.com,perhaps\nana@example.com,yes\n") == {"added": 1, "rejected": 1}
    assert desk.roster()["ana@example.com"].may_mail


@pytest.mark.parametrize(
    ("columns", "row", "reason"),
    [
        ("address", "nobody", "address is no usable address: An email address must have an @-sign"),
        ("address,time_zone", "ana@example.com,Mars/Olympus", "time_zone is no IANA time zone such as Europe/Berlin"),
        ("address,given_name", "ana@example.com," + "A" * 201, "given_name is longer than 200 characters"),
        ("address,track", "ana@example.com,later", "track is neither yes nor no"),
        ("address,consented_at", "ana@example.com,2026-06-02", "consented_at lies in the future"),
        ("address,consented_at", "ana@example.com,1900-01-01", "consented_at lies before 1995; is it a spreadsheet's"),
    ],
)
def test_a_row_that_cannot_be_a_person_says_why(desk, columns, row, reason):
    assert desk.people(f"{columns}\n{row}\nbob@example.com{',' * columns.count(',')}\n") == {"added": 1, "rejected": 1}
    assert desk.rejects[0]["reason"].startswith(reason)


def test_a_name_has_no_control_or_bidirectional_characters(desk):
    desk.people('address,given_name\nana@example.com,"\x1b[31mAna\u202e\r\nBcc: x"\n')
    assert desk.roster()["ana@example.com"].given_name == "[31mAna Bcc: x"


def test_long_cells_fit_the_columns_they_go_to(desk):
    long = "x" * 5_000
    desk.people(f"address,language,country,how,wording\nana@example.com,{long},{long},{long},{long}\n")
    person = desk.roster()["ana@example.com"]
    assert (len(person.language), len(person.country)) == (35, 80)
    with reading(desk.database) as session:
        assert {(len(e.how), len(e.wording)) for e in consent.history(session, person.id)} == {(200, 2_000)}


def test_a_batch_is_one_transaction_and_all_of_a_file_gets_in(desk):
    commits = []
    event.listen(desk.database, "commit", commits.append)
    rows = "".join(f"p{number}@example.com\n" for number in range(BATCH + 1))
    assert desk.people(f"address\n{rows}") == {"added": BATCH + 1}
    assert len(commits) == 2


def test_people_are_found_in_whatever_case_they_are_spelled(desk, secrets):
    desk.people("address\nana@münchen.de\n")
    with reading(desk.database) as session:
        for spelling in ("ana@münchen.de", "ANA@MÜNCHEN.DE", " ana@xn--mnchen-3ya.de"):
            assert find(session, spelling, secrets).address == "ana@münchen.de"
        with pytest.raises(SubscriberUnknown, match=r"nobody with the address 'bob@example\.com' is subscribed"):
            find(session, "bob@example.com", secrets)


def test_the_export_holds_all_we_know_about_a_person(desk, secrets, now):
    desk.people(FULL + "bob@example.com,Bob,,,,yes,yes,yes,,,\n")
    desk.signals(
        "address,product,kind,at,quantity,price\n"
        "ana@example.com,OIL,purchase,2026-05-02,3,24.50\n"
        "ana@example.com,SOAP,view,2026-05-01,,\n"
        "bob@example.com,SOAP,view,2026-05-03,,\n"
    )
    with writing(desk.database) as session:
        consent.opt_out(session, secrets.key_of("ana@example.com"), at=now, how="link")
        session.connection().exec_driver_sql("UPDATE signal SET settled = 1 WHERE quantity = 3")
        session.commit()
        everything = export(session, find(session, "ana@example.com", secrets))
    given_at = "2025-03-01T09:00:00Z"
    entry = {"at": given_at, "how": "checkout", "wording": "I agree."}
    assert [{**e, "subscriber_id": None} for e in everything.pop("consent")] == [
        {"subscriber_id": None, "purpose": "mail", "granted": True, **entry},
        {"subscriber_id": None, "purpose": "personalise", "granted": True, **entry},
        {"subscriber_id": None, "purpose": "track", "granted": False, **entry},
        {"subscriber_id": None, "purpose": "mail", "granted": False, "at": "2026-06-01T12:00:00Z"}
        | {"how": "link", "wording": ""},
    ]
    assert everything == {
        "subscriber": {
            "address": "Ana@example.com",
            "key": secrets.key_of("ana@example.com"),
            "given_name": "Ana Maria",
            "language": "de-AT",
            "time_zone": "Europe/Vienna",
            "country": "Austria",
            "joined_at": given_at,
            "may_mail": False,
            "may_personalise": True,
            "may_track": False,
        },
        "suppressed": True,
        "signals": [
            {"kind": "view", "product": "SOAP", "at": "2026-05-01T00:00:00+00:00", "quantity": 1}
            | {"price_minor": None, "cancelled": 0},
            {"kind": "purchase", "product": "OIL", "at": "2026-05-02T00:00:00+00:00", "quantity": 3}
            | {"price_minor": 2450, "cancelled": 1},
        ],
    }


people = st.lists(st.tuples(st.sampled_from(["ana", "Ana", "bob", "CLEO", "cleo"]), st.booleans()), max_size=8)


@settings(max_examples=40)
@given(batches=st.lists(people, max_size=4))
def test_the_first_row_of_a_person_always_counts_however_the_rows_are_cut_into_batches(
    new_database, secrets, now, batches
):
    expected: dict[str, bool] = {}
    with new_database() as database, writing(database) as session:
        for batch in batches:
            rows = [
                NewSubscriber(f"{name}@example.com", secrets.key_of(f"{name}@example.com"), answers={Purpose.MAIL: yes})
                for name, yes in batch
            ]
            added = add_many(session, rows, now=now + timedelta(days=1))
            fresh = {secrets.key_of(f"{name}@example.com") for name, _ in batch} - set(expected)
            assert set(added) == fresh
            assert len(added) == len(fresh)
            for row in rows:
                expected.setdefault(row.key, row.answers[Purpose.MAIL])
        assert {key: consent.may_mail(session, key) for key in expected} == expected
