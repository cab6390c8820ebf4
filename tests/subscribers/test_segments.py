"""Segments: whatever the rules say, the SELECT finds exactly those of whom it is true, for everybody and one by one."""

from contextlib import suppress
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete

from subscribers.database import insert_rows, reading, writing
from subscribers.models import Kind, Signal, Sku, Subscriber
from subscribers.segment_rules import KINDS, SegmentInvalid, SegmentRules
from subscribers.segments import (
    BY_TIME,
    SegmentUnknown,
    count,
    delete_segment,
    find_segment,
    list_segments,
    people_in,
    save_segment,
)

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
DAYS = (1, 30, BY_TIME, BY_TIME + 1, 365)
CODES = ("OIL", "BALM")
LANGUAGES = ("en", "de", "de-AT", "DE-ch", "den", "%")
COUNTRIES = ("DE", "Österreich", "united kingdom", "")
ZONES = ("UTC", "Europe/Berlin")


def ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


PEOPLE = st.fixed_dictionaries({
    "language": st.sampled_from(LANGUAGES),
    "country": st.sampled_from(COUNTRIES),
    "time_zone": st.sampled_from(ZONES),
    "joined_at": st.sampled_from([ago(days) for days in (0.5, 29, 30, 31, 400)]),
    "may_personalise": st.booleans(),
    "may_track": st.booleans(),
    "address": st.sampled_from(["x@example.com", "x@example.com", "x@example.com", ""]),
})  # fmt: skip
SIGNALS = st.fixed_dictionaries({
    "subscriber_id": st.sampled_from([1, 2, 3, None]),
    "sku_id": st.sampled_from([1, 2]),
    "kind": st.sampled_from(list(Kind)),
    "at": st.sampled_from([int(ago(days).timestamp()) for days in (-1, 0, 0.5, 45.001, 46.001, *DAYS)]),
    "quantity": st.just(2),
    "settled": st.sampled_from([0, 1, 2]),
})  # fmt: skip
DONE = st.dictionaries(st.sampled_from(list(KINDS)), st.sampled_from(DAYS), max_size=2)
FIELDS = {
    "languages": st.lists(st.sampled_from(["de", "DE-AT", "en"]), max_size=2, unique=True).map(tuple),
    "countries": st.lists(st.sampled_from(["de", "Österreich", "UNITED KINGDOM"]), max_size=2, unique=True).map(tuple),
    "time_zones": st.lists(st.sampled_from(ZONES), max_size=1).map(tuple),
    "joined_after": st.just(ago(30).date()),
    "joined_before": st.just(ago(29).date()),
    "joined_within_days": st.just(30),
    "joined_longer_ago_days": st.just(30),
    "personalise": st.booleans(),
    "track": st.booleans(),
    "did": DONE,
    "did_not": DONE,
    "purchases": st.integers(1, 3),
    "bought": st.lists(st.sampled_from(CODES), max_size=2, unique=True).map(tuple),
}
SOME = st.lists(st.sampled_from(sorted(FIELDS)), max_size=3, unique=True)
RULES = SOME.flatmap(lambda names: st.builds(SegmentRules, **{name: FIELDS[name] for name in names}))


def is_in(person, signals, rules) -> bool:
    """The oracle: the rules read one by one."""
    bought = [each for each in signals if each["kind"] == Kind.PURCHASE and each["settled"] < each["quantity"]]

    def did(kind, days):
        known = {"any": signals, "purchase": bought}.get(kind)
        if known is None:
            known = [each for each in signals if each["kind"] == KINDS[kind]]
        return any(each["at"] >= NOW.timestamp() - days * 86_400 for each in known)

    language, joined = person["language"].lower(), person["joined_at"]
    return all((
        person["address"],
        not rules.languages or any(f"{language}-".startswith(f"{each.lower()}-") for each in rules.languages),
        not rules.countries or person["country"].lower() in [each.lower() for each in rules.countries],
        not rules.time_zones or person["time_zone"] in rules.time_zones,
        not rules.joined_after or joined.date() >= rules.joined_after,
        not rules.joined_before or joined.date() < rules.joined_before,
        not rules.joined_within_days or joined >= ago(rules.joined_within_days),
        not rules.joined_longer_ago_days or joined < ago(rules.joined_longer_ago_days),
        rules.personalise in (None, person["may_personalise"]),
        rules.track in (None, person["may_track"]),
        all(did(kind, days) for kind, days in rules.did.items()),
        not any(did(kind, days) for kind, days in rules.did_not.items()),
        len(bought) >= (rules.purchases or 0),
        {CODES.index(code) + 1 for code in rules.bought} <= {each["sku_id"] for each in bought},
    ))  # fmt: skip


def fill(session, people, signals) -> None:
    session.execute(delete(Signal))
    session.execute(delete(Subscriber))
    insert_rows(
        session, Subscriber, [{**each, "id": number, "key": f"{number}"} for number, each in enumerate(people, 1)]
    )
    insert_rows(
        session, Signal, [{**each, "id": number, "fingerprint": number} for number, each in enumerate(signals, 1)]
    )


@pytest.fixture
def products(database):
    with writing(database) as session:
        insert_rows(session, Sku, [{"id": number, "code": code} for number, code in enumerate(CODES, 1)])
        session.commit()
    return database


@settings(max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(people=st.lists(PEOPLE, min_size=3, max_size=3), signals=st.lists(SIGNALS, max_size=8), rules=RULES)
def test_a_segment_is_always_exactly_those_of_whom_its_rules_are_true(products, people, signals, rules):
    theirs = {n: [s for s in signals if s["subscriber_id"] == n and s["at"] <= NOW.timestamp()] for n in (1, 2, 3)}
    expected = {number for number, person in enumerate(people, 1) if is_in(person, theirs[number], rules)}
    with writing(products) as session:
        fill(session, people, signals)
        assert set(session.scalars(people_in(rules, NOW))) == expected
        assert count(session, rules, NOW) == len(expected)
        assert {n for n in (1, 2, 3) if session.scalar(people_in(rules, NOW, only=n)) == n} == expected
        assert set(session.scalars(people_in(rules, NOW, only=[1, 3]))) == expected - {2}


EVERY_RULE = [
    *(SegmentRules(**{name: {kind: days}}) for name in ("did", "did_not") for kind in KINDS for days in DAYS),
    *(SegmentRules(purchases=number) for number in (1, 2, 3)),
    *(SegmentRules(bought=codes) for codes in (("OIL",), ("BALM",), CODES)),
    *(SegmentRules(**{name: answer}) for name in ("personalise", "track") for answer in (True, False)),
    *(SegmentRules(languages=(language,)) for language in ("de", "DE-at", "en", "%", "d_")),
    *(SegmentRules(countries=(country,)) for country in ("Österreich", "De", "UNITED kingdom")),
    *(SegmentRules(joined_within_days=days) for days in (1, 30)),
    *(SegmentRules(joined_longer_ago_days=days) for days in (1, 30)),
    SegmentRules(joined_after=ago(30).date()),
    SegmentRules(joined_before=ago(30).date()),
    SegmentRules(time_zones=ZONES[1:]),
]


def test_each_rule_alone_finds_whom_it_should_in_a_crowd_of_every_kind(products):
    """Everybody with one signal of one kind at one time, cancelled or not; and signals of nobody."""
    times = [int(ago(days).timestamp()) for days in (-1, 0, 45.5, 46, 47, *DAYS)]
    one_each = [(kind, at, settled) for kind in Kind for at in times for settled in (0, 2)]
    joined = [ago(days) for days in (0.5, 29, 30, 31, 400)]
    people = [
        {
            "language": LANGUAGES[number % 6], "country": COUNTRIES[number % 4], "time_zone": ZONES[number % 2],
            "joined_at": joined[number % 5], "may_personalise": number % 3 == 0, "may_track": number % 7 == 0,
            "address": "" if number % 11 == 5 else f"{number}@example.com",
        }
        for number in range(1, len(one_each) + 6)
    ]  # fmt: skip
    owners = [*enumerate(one_each, 1), *((len(one_each) + n, (Kind.PURCHASE, times[1], 0)) for n in (1, 1, 2, 2, 2))]
    signals = [
        {"subscriber_id": owner, "sku_id": 1 + number % 2, "kind": kind, "at": at, "quantity": 2, "settled": settled}
        for number, (owner, (kind, at, settled)) in enumerate(owners)
    ]
    signals += [signal | {"subscriber_id": None} for signal in signals]
    seen = [signal for signal in signals if signal["at"] <= NOW.timestamp()]
    theirs = {n: [each for each in seen if each["subscriber_id"] == n] for n in range(1, len(people) + 1)}
    with writing(products) as session:
        fill(session, people, signals)
        for rules in EVERY_RULE:
            expected = {n for n, person in enumerate(people, 1) if is_in(person, theirs[n], rules)}
            assert set(session.scalars(people_in(rules, NOW))) == expected, rules
            found = {n for n in range(1, len(people) + 1) if session.scalar(people_in(rules, NOW, only=n)) == n}
            assert found == expected, rules


@given(rules=RULES)
def test_rules_come_back_as_they_were_kept(rules):
    with suppress(SegmentInvalid):  # a first day after the last: nobody could have kept these
        assert SegmentRules.from_plain(rules.as_plain()) == rules
        assert SegmentRules.from_json(rules.as_json()).as_json() == rules.as_json()
    assert len(rules.in_words()) >= len(rules.as_plain())


@pytest.mark.parametrize(("plain", "words"), [
    ([], "the rules of a segment are fields and values"),
    ({"language": ["de"]}, "no field 'language'; fields are: languages, countries"),
    ({"languages": "de"}, "languages: must be a list of texts, not 'de'"),
    ({"languages": [""]}, "languages: '' is no text"),
    ({"countries": ["x" * 81]}, "is longer than 80 characters"),
    ({"countries": ["\x00"]}, "countries: '�' is no text"),
    ({"bought": [f"{n}" for n in range(201)]}, "bought: has 201 values; at most 200"),
    ({"time_zones": ["Europe/Berln"]}, "time_zones: 'Europe/Berln' is no IANA time zone"),
    ({"time_zones": ["Europe"]}, "time_zones: 'Europe' is no IANA time zone"),
    ({"time_zones": ["../../etc/passwd"]}, "is no IANA time zone"),
    ({"joined_after": "yesterday"}, "joined_after: 'yesterday' is no day such as 2026-03-31"),
    ({"joined_before": 3}, "joined_before: '3' is no day"),
    ({"joined_after": "2026-03-02", "joined_before": "2026-03-02"}, "joined_before: must be a later day"),
    ({"joined_within_days": 0}, "joined_within_days: must be a whole number from 1 to 3,650, not 0"),
    ({"joined_within_days": True}, "must be a whole number"),
    ({"purchases": 2.5}, "purchases: must be a whole number from 1 to 1,000, not 2.5"),
    ({"personalise": "yes"}, "personalise: must be true or false, not 'yes'"),
    ({"did": ["click"]}, "did: must say for each kind within how many days, such as click = 30"),
    ({"did": {"sneeze": 3}}, "did: there is no kind 'sneeze'; there are: any, view, click, cart, purchase"),
    ({"did_not": {"click": "3"}}, "did_not.click: must be a whole number from 1 to 3,650"),
])  # fmt: skip
def test_what_cannot_be_is_refused_and_the_field_is_named(plain, words):
    with pytest.raises(SegmentInvalid) as refused:
        SegmentRules.from_plain(plain)
    assert words in str(refused.value)


def test_json_that_is_none_is_refused():
    with pytest.raises(SegmentInvalid, match="are JSON, not 'languages'"):
        SegmentRules.from_json("languages")


def test_days_may_be_texts_or_days_and_none_is_nothing_said():
    rules = SegmentRules.from_plain({"joined_after": date(2026, 3, 1), "joined_before": NOW, "purchases": None})
    assert rules.as_plain() == {"joined_after": "2026-03-01", "joined_before": "2026-06-01"}


def test_a_segment_is_made_changed_found_listed_and_deleted(products):
    later = NOW + timedelta(hours=1)
    with writing(products) as session:
        made = save_segment(session, "german", SegmentRules(languages=("de",)), now=NOW)
        save_segment(session, "buyers", SegmentRules(bought=("OIL",)), now=NOW)
        same = save_segment(session, "german", SegmentRules(languages=("de",)), now=later)
        assert (same.id, same.changed_at) == (made.id, NOW)
        changed = save_segment(session, "german", SegmentRules(languages=("de", "nl")), now=later)
        assert (changed.id, changed.created_at, changed.changed_at) == (made.id, NOW, later)
    with writing(products) as session:
        assert [segment.name for segment in list_segments(session)] == ["buyers", "german"]
        assert SegmentRules.from_json(find_segment(session, "german").rules).languages == ("de", "nl")
        delete_segment(session, "german")
        session.commit()
        with pytest.raises(SegmentUnknown, match="there is no segment 'german'; there are: buyers"):
            find_segment(session, "german")
        with pytest.raises(SegmentUnknown):
            delete_segment(session, "german")


@pytest.mark.parametrize("name", ["", "Über", "a b", "-a", "a" * 64, "x\n"])
def test_a_name_that_cannot_be_is_refused(products, name):
    with writing(products) as session:
        with pytest.raises(SegmentInvalid, match="small letters, digits and hyphens"):
            save_segment(session, name, SegmentRules(), now=NOW)
        assert list_segments(session) == []


def test_a_product_that_nobody_knows_is_a_slip_of_the_pen(products):
    with writing(products) as session, pytest.raises(SegmentInvalid, match="bought: no product has the code 'OYL'"):
        save_segment(session, "oil", SegmentRules(bought=("OIL", "OYL")), now=NOW)


def plan_of(session, query) -> str:
    compiled = query.compile(session.get_bind(), compile_kwargs={"literal_binds": True})
    return "; ".join(row[3] for row in session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}"))


@pytest.mark.sqlite
@pytest.mark.parametrize(("rules", "everybody", "one"), [
    (SegmentRules(did={"click": 30}), "LIST SUBQUERY", "SEARCH signal USING INDEX ix_signal_history (subscriber_id=?"),
    (SegmentRules(did_not={"purchase": 365}), "LIST SUBQUERY", "SEARCH signal USING INDEX ix_signal_history"),
    (SegmentRules(purchases=3), "SCAN signal; USE TEMP B-TREE", "SEARCH signal USING INDEX ix_signal_history"),
    (SegmentRules(did_not={"any": 90}), "SEARCH signal USING COVERING INDEX ix_signal_history", "SEARCH signal"),
])  # fmt: skip
def test_everybody_is_found_by_sets_and_one_person_by_the_index(database, rules, everybody, one):
    with reading(database) as session:
        assert everybody in plan_of(session, people_in(rules, NOW))
        assert "SCAN" not in (of_one := plan_of(session, people_in(rules, NOW, only=1)))
        assert one in of_one
