"""Whom a campaign is for: its segments decide who has a row in a run, in the plan and in the preview alike."""

import pytest

from campaigns import segments
from campaigns.edit import Definition, definition_from_file, find_campaign, move, save_campaign
from campaigns.errors import CampaignInvalid, WrongState
from campaigns.preview import Previewer
from campaigns.segments import Reach, Segments
from subscribers.database import reading, writing
from subscribers.segment_rules import SegmentRules
from subscribers.segments import SegmentUnknown, list_segments, save_segment

RULES = {
    "german": SegmentRules(languages=("de",)),
    "english": SegmentRules(languages=("en",)),
    "buyers": SegmentRules(purchases=1),
    "nobody": SegmentRules(languages=("tlh",)),
}


@pytest.fixture
def segmented(shop):
    with writing(shop.world.database) as session:
        for name, rules in RULES.items():
            save_segment(session, name, rules, now=shop.now)
    return shop


def save(shop, include=(), exclude=(), name="weekly"):
    with writing(shop.world.database) as session:
        definition = Definition(name, segments=Segments(tuple(include), tuple(exclude)))
        save_campaign(session, definition, shop.world.settings, now=shop.now)


def ids(shop, where="TRUE"):
    return {row[0] for row in shop.query(f"SELECT id FROM subscriber WHERE {where}")}


GERMAN, ENGLISH = "lower(language) LIKE 'de%'", "lower(language) LIKE 'en%'"
BUYERS = "id IN (SELECT subscriber_id FROM signal WHERE kind = 4 AND quantity > settled)"


@pytest.mark.parametrize(("include", "exclude", "where"), [
    ([], [], "TRUE"),
    (["german"], [], GERMAN),
    (["german", "english"], [], f"{GERMAN} OR {ENGLISH}"),
    ([], ["buyers"], f"NOT ({BUYERS})"),
    (["english"], ["buyers"], f"{ENGLISH} AND NOT ({BUYERS})"),
    (["german", "english"], ["buyers", "nobody"], f"({GERMAN} OR {ENGLISH}) AND NOT ({BUYERS})"),
    (["nobody"], [], "FALSE"),
])  # fmt: skip
def test_a_run_has_a_row_for_exactly_those_the_campaign_is_for(segmented, include, exclude, where):
    save(segmented, include, exclude)
    expected = ids(segmented, where)
    run = segmented.plan()
    assert {
        row[0] for row in segmented.query("SELECT subscriber_id FROM message WHERE run_id = :run", run=run)
    } == expected
    with reading(segmented.world.database) as session:
        aim = segments.segments_of(find_campaign(session, "weekly"))
        mailable = len(expected & ids(segmented, "may_mail"))
        assert segments.reach(session, aim, segmented.now) == Reach(len(expected), mailable)
        everybody = sorted(ids(segmented))
        assert {n for n in everybody if segments.is_for(session, aim, segmented.now, n)} == expected


def test_a_preview_shows_anybody_and_says_who_is_outside(segmented):
    save(segmented, ["german"])
    run = segmented.plan()
    planned = dict(segmented.query("SELECT address, sha256 FROM message WHERE run_id = :run AND sha256 <> ''", run=run))
    outside = segmented.query(f"SELECT address FROM subscriber WHERE may_mail AND NOT ({GERMAN}) LIMIT 3")
    world = segmented.world
    with reading(world.database) as session:
        look = Previewer(session, find_campaign(session, "weekly"), world.settings, world.secrets, segmented.now)
        for address in list(planned)[:5]:
            assert look.of(address).outside is False
        for (address,) in outside:
            shown = look.of(address)
            assert (shown.outside, shown.skip) == (True, "")
            assert shown.letter is not None
        rows = segmented.query("SELECT address, hero_sku_id FROM message WHERE run_id = :run AND sha256 <> ''", run=run)
        assert {look.of(address).picks[0][0] == hero for address, hero in rows} == {True}


def test_a_campaign_names_only_segments_that_are_there(segmented):
    with pytest.raises(
        CampaignInvalid, match=r"there is no segment 'gernan'; there are: buyers, english, german, nobody"
    ):
        save(segmented, ["gernan"])
    with pytest.raises(CampaignInvalid, match="segment german is included and excluded at once"):
        Segments.from_plain({"include": ["german"], "exclude": ["german"]})


@pytest.mark.parametrize(("plain", "words"), [
    ({"includes": []}, "unknown field 'includes'; fields are: include, exclude"),
    ({"include": "german"}, "include must be a list of names"),
    ({"exclude": [1]}, "exclude must be a list of names"),
])  # fmt: skip
def test_a_table_that_cannot_be_read_is_refused(plain, words):
    with pytest.raises(CampaignInvalid, match=words):
        Segments.from_plain(plain)


def test_segments_from_a_file(tmp_path):
    path = tmp_path / "spring.toml"
    path.write_text('name = "spring"\n[segments]\ninclude = ["german"]\nexclude = ["buyers"]\n')
    assert definition_from_file(path)[0].segments == Segments(("german",), ("buyers",))
    path.write_text('name = "spring"\nsegments = ["german"]\n')
    with pytest.raises(CampaignInvalid, match=r"segments must be a table \[segments\]"):
        definition_from_file(path)


def test_a_segment_that_a_campaign_uses_is_not_deleted(segmented):
    save(segmented, ["german"])
    save(segmented, ["english"], ["german"], name="other")
    with writing(segmented.world.database) as session:
        with pytest.raises(WrongState, match="segment german is used by other, weekly; take it out of there first"):
            segments.delete_segment(session, "german")
        with pytest.raises(SegmentUnknown):
            segments.delete_segment(session, "nothing")
        segments.delete_segment(session, "buyers")
        move(session, "other", "cancel", now=segmented.now)  # nothing of it is sent any more
        segments.delete_segment(session, "english")
        assert [segment.name for segment in list_segments(session)] == ["german", "nobody"]


def test_segments_as_a_campaign_keeps_them():
    assert Segments().as_json() == "{}"
    assert Segments(("a",)).as_json() == '{"include": ["a"]}'
    assert not Segments()
    assert Segments((), ("b",))
