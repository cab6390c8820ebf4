"""Many rows at once: every value comes back as it went in, and what is there already neither counts nor costs an id."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError, IntegrityError

from campaigns.models import Frozen
from engine.catalog import Product
from subscribers.bulk import FEW
from subscribers.database import insert_new, insert_rows, reading, writing
from subscribers.models import Consent, Purpose, Signal, Sku, Subscriber

EAST = timezone(timedelta(hours=5, minutes=45))
AT = datetime(2026, 6, 1, 17, 45, 0, 123456, EAST)


def person(number: int = 1, **given: object) -> dict[str, object]:
    usual = {
        "address": f"person{number}@example.com",
        "key": f"{number:032x}",
        "given_name": "Ana",
        "language": "en",
        "time_zone": "UTC",
        "country": "",
        "joined_at": AT,
        "may_mail": True,
        "may_personalise": False,
        "may_track": False,
    }
    return usual | given


def signal(number: int) -> dict[str, object]:
    return {"fingerprint": number, "subscriber_id": None, "sku_id": 1, "kind": 4, "at": number, "quantity": 1}


def codes(count: int, start: int = 0) -> list[dict[str, str]]:
    return [{"code": f"p{number}"} for number in range(start, start + count)]


# all but NUL, which no importer lets in, and half characters, which no file holds
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=50)
awkward = st.sampled_from(["\t", "\n", "\r\n", "\\", "\\N", "\\.", "NULL", "", "'", '"', "{}", "%s", ":key", "💌"])


@settings(max_examples=20)
@given(names=st.lists(st.one_of(texts, awkward), min_size=1, max_size=5))
@pytest.mark.parametrize("many", [insert_rows, insert_new])
@pytest.mark.parametrize("rows", [1, FEW])
def test_any_text_comes_back_as_it_went_in(new_database, many, rows, names):
    people = [person(number, given_name=names[number % len(names)]) for number in range(max(rows, len(names)))]
    with new_database() as database, writing(database) as session:
        many(session, Subscriber, people)
        session.commit()
        found = session.scalars(select(Subscriber.given_name).order_by(Subscriber.id)).all()
    assert found == [row["given_name"] for row in people]


def test_times_truth_values_nothing_words_and_bytes_come_back_as_they_went_in(database):
    with writing(database) as session:
        insert_rows(session, Subscriber, [person(may_track=True)])
        yes = {"subscriber_id": 1, "purpose": Purpose.TRACK, "granted": True, "at": AT, "how": "page"}
        insert_rows(session, Consent, [yes, yes | {"purpose": Purpose.MAIL, "granted": False}])
        insert_new(session, Sku, codes(1))
        insert_rows(session, Signal, [signal(-(2**63)) | {"price_minor": None}])
        insert_rows(session, Frozen, [{"sha256": "a", "kind": "content", "body": bytes(range(256))}])
        session.commit()
    with reading(database) as session:
        ana = session.scalars(select(Subscriber)).one()
        assert (ana.joined_at, ana.may_mail, ana.may_track) == (AT.astimezone(UTC), True, True)
        entries = session.scalars(select(Consent).order_by(Consent.id)).all()
        said = [(entry.purpose, entry.granted, entry.at, entry.wording) for entry in entries]
        assert said == [("track", True, AT.astimezone(UTC), ""), ("mail", False, AT.astimezone(UTC), "")]
        found = session.scalars(select(Signal)).one()
        assert (found.fingerprint, found.price_minor, found.settled) == (-(2**63), None, 0)
        assert session.scalars(select(Frozen.body)).one() == bytes(range(256))


def test_no_rows_are_nothing_to_do(database):
    with writing(database) as session:
        insert_rows(session, Sku, [])
        assert insert_new(session, Sku, []) == 0


@pytest.mark.parametrize("count", [2, FEW])
def test_what_is_there_is_refused_in_words_that_callers_know_and_nothing_of_it_stays(database, count):
    with writing(database) as session:
        insert_rows(session, Sku, codes(1))
        session.commit()
        with pytest.raises(IntegrityError):
            insert_rows(session, Sku, codes(count, start=-1))
        session.rollback()
        assert session.scalars(select(Sku.code)).all() == ["p0"]


def test_a_time_without_a_zone_is_refused(database):
    with writing(database) as session, pytest.raises(ValueError, match="no time zone"):
        insert_rows(session, Subscriber, [person(joined_at=datetime(2026, 6, 1))])  # noqa: DTZ001


@pytest.mark.parametrize("count", [FEW - 1, FEW, 3 * FEW])
def test_only_what_was_not_there_counts_whether_it_stands_in_the_table_or_twice_in_the_rows(database, count):
    with writing(database) as session:
        assert insert_new(session, Sku, codes(count)) == count
        assert insert_new(session, Sku, codes(count)) == 0
        session.commit()
        assert insert_new(session, Sku, codes(count, start=count // 2) * 2) == count // 2
        assert insert_new(session, Sku, codes(count)) == 0
        session.commit()
        assert len(session.scalars(select(Sku.code)).all()) == count + count // 2


def test_ids_are_given_in_the_order_of_the_rows_and_none_is_used_up_by_what_is_there(database):
    with writing(database) as session:
        insert_new(session, Sku, codes(FEW)[::-1])
        for _ in range(3):
            insert_new(session, Sku, codes(FEW))
        insert_new(session, Sku, codes(FEW + 1))
        session.commit()
        found = {sku.id: sku.code for sku in session.scalars(select(Sku))}
    assert found == {number + 1: f"p{FEW - 1 - number}" for number in range(FEW)} | {FEW + 1: f"p{FEW}"}


@pytest.mark.parametrize("clash", ["sku_id", "code"])
def test_a_row_that_clashes_in_any_of_its_keys_is_left_out(database, now, clash):
    rows = [
        {"sku_id": number, "code": f"p{number}", "title": "Oil", "price_minor": 100, "added_at": now}
        for number in range(1, FEW + 2)
    ]
    other = dict(rows[0]) | ({"code": "other"} if clash == "sku_id" else {"sku_id": FEW + 2})
    with writing(database) as session:
        insert_new(session, Sku, codes(FEW + 2))
        insert_rows(session, Product, rows[:1])
        assert insert_new(session, Product, [other, *rows[1:]]) == FEW
        session.commit()
        first = session.get(Product, 1)
        assert (first.code, first.currency, first.stock) == ("p1", "EUR", None)


def test_a_row_that_points_nowhere_is_refused_among_many(database):
    with writing(database) as session, pytest.raises(IntegrityError):
        insert_new(session, Signal, [signal(number) | {"sku_id": 77} for number in range(FEW)])


@pytest.mark.postgres  # SQLite keeps NUL in a text
def test_what_postgresql_cannot_keep_is_an_error_of_the_database_and_the_connection_stays_usable(database):
    with writing(database) as session:
        with pytest.raises(DBAPIError, match="NUL"):
            insert_rows(session, Sku, [{"code": "a\x00b"}])
        session.rollback()
        insert_rows(session, Sku, [{"code": "ab"}])
        session.commit()
        assert session.scalars(select(Sku.code)).all() == ["ab"]
