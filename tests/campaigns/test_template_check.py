"""What `template check` finds out: path, cost, what is wrong in the mails; with made-up people and with real ones."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from campaigns.sample_mails import made_up_pictures, made_up_readers, open_shop, sample_content
from campaigns.settings import Settings, load_settings
from campaigns.template_check import TemplateCheck, check_template
from engine.errors import TemplateBroken, TemplateMissing
from subscribers import consent
from subscribers.database import writing
from subscribers.errors import SubscriberUnknown

pytestmark = pytest.mark.slow  # quick one by one, but there are many


NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
SHEET = 'title = "T"\nsubject = "{{ hero.title }}"\npreheader = "For you"\n[variables.mood]\ndefault = "word"\n'
FOOT = '<a href="{{ links.unsubscribe }}">No more</a> {{ sender.postal_address }}'
WHOLE = (
    f"<html><head><style>.word {{ color: black }}</style></head><body><p>{{{{ hero.title }}}}</p>{FOOT}</body></html>"
)


def settings_with(workspace: Path, page: str, sheet: str = SHEET) -> Settings:
    """A workspace that holds nothing but the template `own`."""
    (workspace / "templates").mkdir(parents=True)
    (workspace / "templates" / "own.html").write_text(page, encoding="utf-8")
    (workspace / "templates" / "own.toml").write_text(sheet, encoding="utf-8")
    return load_settings(workspace)


def checked(settings: Settings, name: str = "own") -> TemplateCheck:
    with open_shop(settings, NOW) as shop:
        return check_template(settings, name, shop, now=NOW)[0]


def test_a_good_template_is_fast_and_there_is_nothing_to_look_at(tmp_path: Path) -> None:
    settings = settings_with(tmp_path, WHOLE)
    found = checked(settings)
    assert (found.inlining.path, found.inlining.reason, found.inlining.advice) == ("once", "", "")
    assert found.concerns == ()
    assert found.good
    assert found.cost.mails == 60
    assert 0 < found.cost.microseconds < 20_000
    assert found.cost.mails_per_second == int(1e6 / found.cost.microseconds)
    assert 0 < found.smallest < found.largest
    assert (found.variables, found.sample) == ({"mood": "word"}, "made-up people and products")
    assert [path.name for path in tmp_path.iterdir()] == ["templates"]  # nothing was made


def test_what_it_says_has_keys_that_stay(tmp_path: Path) -> None:
    summary = checked(settings_with(tmp_path, WHOLE)).summary()
    assert list(summary) == [
        *("template", "path", "inlined_once", "reason", "advice", "cost", "findings", "html_bytes"),
        *("languages", "unsaid", "variables", "sample", "mails"),
    ]
    assert list(summary["cost"]) == [
        *("microseconds_per_mail", "microseconds_of_a_first_mail", "mails_per_second", "mails_measured")
    ]


@pytest.mark.parametrize(
    ("jinja", "place", "advice"),
    [
        ('<p class="{{ campaign.mood }}">x</p>', "own.html, line 1: Jinja in the attribute class", "two elements"),
        ("{% macro m() %}<b>x</b>{% endmacro %}{{ m() }}", "{% macro %}", "included where it was"),
        ("{{ campaign.mood|safe }}", "own.html, line 1", "print plain text"),
    ],
)
def test_a_slower_path_is_named_with_its_place_and_the_way_out(
    tmp_path: Path, jinja: str, place: str, advice: str
) -> None:
    found = checked(settings_with(tmp_path, WHOLE.replace("<p>{{ hero.title }}</p>", jinja)))
    assert found.inlining.path in ("shapes", "each")
    assert place in found.inlining.reason
    assert advice in found.inlining.advice


def test_what_is_wrong_in_the_mails_is_told_once_for_each_kind(tmp_path: Path) -> None:
    found = checked(settings_with(tmp_path, "<html><body><img src='{{ hero.image }}'>{{ hero.title }}</body></html>"))
    kinds = [(concern.severity, concern.check) for concern in found.concerns]
    assert kinds == sorted(set(kinds))
    assert {("error", "image"), ("error", "postal address"), ("error", "unsubscribe link")} <= set(kinds)
    assert all(concern.mails == found.mails for concern in found.concerns if concern.check == "postal address")
    assert not found.good


def test_words_that_cannot_be_read_on_their_ground_are_found(tmp_path: Path) -> None:
    found = checked(settings_with(tmp_path, WHOLE.replace("<p>", '<p style="color: #dddddd">')))
    assert [concern.check for concern in found.concerns] == ["contrast"]
    assert not found.good


@pytest.mark.parametrize(
    ("page", "sentence"),
    [
        ("<p>{{ hero.title }</p>", "line 1"),
        ("<p>{{ hero.titel }}</p>", "titel"),
        ("{% if picks[1] %}{{ picks[5].title }}{% endif %}", "template own"),
        ("<p>{% include 'none.html' %}</p>", "none.html"),
    ],
)
def test_a_broken_template_is_one_sentence(tmp_path: Path, page: str, sentence: str) -> None:
    with pytest.raises((TemplateBroken, TemplateMissing), match=sentence) as raised:
        checked(settings_with(tmp_path, page))
    assert "\n" not in str(raised.value)


def test_a_template_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(TemplateMissing, match="there is no template 'nothing'"):
        checked(load_settings(tmp_path), "nothing")


@pytest.mark.parametrize("name", ["picked-for-you", "announcement"])
def test_every_made_up_reader_gets_a_mail_of_a_shipped_template(tmp_path: Path, name: str) -> None:
    found = checked(load_settings(tmp_path), name)
    assert found.mails == len(made_up_readers()) + 10
    assert [concern for concern in found.concerns if concern.severity == "error"] == []


def test_made_up_readers_show_what_breaks_templates(tmp_path: Path) -> None:
    settings = load_settings(tmp_path)
    content = sample_content(settings, "picked-for-you", NOW)
    with open_shop(settings, NOW) as shop:
        readers = {reader.key: reader.row for reader in shop.readers(content)}
        images = {str(card["image"]).rpartition("/")[2] for card in shop.cards.values()}
    assert all(row for row in readers.values())
    assert {len(row.picks) for row in readers.values() if row} >= {1, 2, 5, 12}
    assert any(row.given_name == "" for row in readers.values() if row)
    assert any(row.language == "ar" for row in readers.values() if row)
    assert images == set(made_up_pictures())


def test_the_workspaces_own_people_get_the_picks_of_a_plan(shop, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    from campaigns.edit import find_campaign
    from campaigns.letters import Row
    from campaigns.preview import Previewer
    from subscribers.database import reading

    world, now = shop.world, shop.now
    with reading(world.database) as session:
        previewer = Previewer(session, find_campaign(session, "weekly"), world.settings, world.secrets, now)
        address = next(iter(session.connection().exec_driver_sql("select address from subscriber where may_mail")))[0]
        wanted = previewer.of(address)
    content = sample_content(world.settings, "picked-for-you", now)
    with open_shop(world.settings, now) as sample:
        assert sample.world
        row = sample.reader(content, address.upper()).row
        assert isinstance(row, Row)
        assert [sku_id for sku_id, _ in row.picks] == [pick[0] for pick in wanted.picks]
        assert len(sample.crowd(content, 7)) == 7
        with pytest.raises(SubscriberUnknown):
            sample.reader(content, "nobody@example.com")
        with writing(world.database) as session:
            consent.opt_out(session, world.secrets.key_of(address), at=now, how="said so")
        reader = sample.reader(content, address)
        assert (reader.row, reader.skip) == (None, "opted out")
    assert "workspace" in checked(world.settings, "picked-for-you").sample
