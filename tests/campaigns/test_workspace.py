"""What is done to a workspace: campaigns edited, pictures drawn, templates copied, a demo begun anew."""

import json

import pytest

from campaigns.edit import Definition, definition_from_file, find_campaign, list_campaigns, save_campaign
from campaigns.errors import CampaignInvalid, CampaignUnknown, RunUnknown, WrongState
from campaigns.execute import World
from campaigns.execute import open_world as open_one
from campaigns.freeze import freeze, thaw
from campaigns.fresh_start import start_over
from campaigns.own_templates import copy_template
from campaigns.pictures import draw_missing
from campaigns.review.rereading import review_run
from campaigns.status import status_of
from engine.errors import TemplateMissing
from subscribers import consent
from subscribers.database import reading, writing


@pytest.fixture
def open_world():
    """Open worlds, and close them at the end of the test."""
    opened: list[World] = []

    def open_and_keep(*arguments):
        opened.append(open_one(*arguments))
        return opened[-1]

    yield open_and_keep
    for world in opened:
        world.close()


@pytest.mark.parametrize(("definition", "words"), [
    (Definition("Über"), "small letters"),
    (Definition("x", template="nothing"), "no template 'nothing'; there are: announcement, come-back, new-"),
    (Definition("x", variables={"headlne": "typo"}), "no variable 'headlne'; it has: eyebrow, headline"),
    (Definition("x", picks=0), "picks must be 1 to 12"),
    (Definition("x", transport="pigeon"), "no transport 'pigeon'"),
])  # fmt: skip
def test_a_campaign_that_cannot_be_is_refused_with_the_way_out(shop, definition, words):
    with writing(shop.world.database) as session:
        with pytest.raises(CampaignInvalid, match=words):
            save_campaign(session, definition, shop.world.settings, now=shop.now)
        assert [campaign.name for campaign in list_campaigns(session)] == ["weekly"]


def test_a_campaign_from_a_file(shop, tmp_path):
    path = tmp_path / "spring.toml"
    path.write_text('name = "spring"\npicks = 3\n[variables]\nheadline = "Spring"\n[schedule]\ncron = "0 9 * * 1"\n')
    definition, schedule = definition_from_file(path)
    assert definition == Definition("spring", variables={"headline": "Spring"}, picks=3)
    assert schedule == {"cron": "0 9 * * 1"}
    for text, words in (
        ("name = 1 2", "is not TOML"),
        ('nme = "x"', "unknown field 'nme'"),
        ("picks = 2", "has no name"),
        ("name = 1", "name must be a text in quotes"),
        ('name = "x"\npicks = "three"', "picks must be a whole number"),
        ('name = "x"\n[schedule]\nwhen = "now"', "unknown field 'when'"),
        ('name = "x"\nschedule = 1', "holds texts in quotes"),
    ):
        path.write_text(text)
        with pytest.raises(CampaignInvalid, match=words):
            definition_from_file(path)


def test_a_campaign_that_is_not_there_is_answered_with_those_that_are(shop):
    with reading(shop.world.database) as session, pytest.raises(CampaignUnknown, match="there are: weekly"):
        find_campaign(session, "weakly")


def test_pictures_are_drawn_once_and_again_when_they_are_lost(shop):
    media = shop.world.settings.media
    with writing(shop.world.database) as session:
        assert draw_missing(session, media) == 0
        lost = next(media.iterdir())
        lost.unlink()
        assert draw_missing(session, media) == 1
    assert lost.exists()
    assert shop.query("SELECT count(*) FROM product WHERE image_link NOT LIKE 'media/%'") == [(0,)]


def test_a_picture_of_the_shops_own_is_left_alone(shop):
    shop.execute("UPDATE product SET image_link = 'https://shop.example/a.jpg' WHERE sku_id = 1")
    with writing(shop.world.database) as session:
        draw_missing(session, shop.world.settings.media)
    assert shop.query("SELECT image_link FROM product WHERE sku_id = 1") == [("https://shop.example/a.jpg",)]


def test_a_review_finds_nothing_in_a_good_run_and_the_worst_in_a_bad_one(shop):
    good = review_run(shop.world.database, shop.plan())
    assert (good.mails, good.errors, good.warnings) == (len(shop.mailable()), 0, 0), good.summary()["findings"]
    folder = shop.world.settings.workspace / "templates"
    folder.mkdir()
    shipped = shop.world.settings.templates.source("picked-for-you.html")
    broken = shipped.replace(
        "{% block content %}", "{% block content %}<tr><td><img src='https://shop.example/x'></td></tr>"
    )
    (folder / "picked-for-you.html").write_text(broken)
    run = shop.plan()
    bad = review_run(shop.world.database, run)
    assert bad.errors >= len(shop.mailable())
    assert "has no alt" in bad.worst
    with pytest.raises(WrongState, match=r"is not sent: image has no alt"):
        shop.send(run)
    assert shop.sink.recipients == []


def test_a_status_adds_up(shop):
    run = shop.plan()
    with reading(shop.world.database) as session:
        status = status_of(session, run)
    assert status.audience == 60 == status.mails + sum(status.skipped.values())
    assert status.messages["planned"] == status.mails
    assert set(status.summary()) >= {"run", "campaign", "state", "audience", "messages", "skipped"}
    assert sum(count for _, count in status.heroes) <= status.mails


def test_what_is_frozen_comes_back_and_damage_is_found(shop):
    with writing(shop.world.database) as session:
        name = freeze(session, "test", {"ä": [1, 2], "b": "x" * 1000})
        assert freeze(session, "test", {"b": "x" * 1000, "ä": [1, 2]}) == name
        session.commit()
        assert thaw(session, name) == {"ä": [1, 2], "b": "x" * 1000}
        with pytest.raises(RunUnknown, match="is gone"):
            thaw(session, "0" * 64)


def test_a_template_is_copied_once_and_never_over_another(shop):
    settings = shop.world.settings
    made = copy_template(settings, "picked-for-you", "mine")
    assert [path.name for path in made] == ["mine.html", "mine.toml"]
    assert "mine" in settings.templates.names()
    with pytest.raises(CampaignInvalid, match="is there already"):
        copy_template(settings, "announcement", "mine")
    with pytest.raises(CampaignInvalid, match="small letters"):
        copy_template(settings, "announcement", "../mine")
    with pytest.raises(TemplateMissing):
        copy_template(settings, "nothing", "other")


def test_a_demo_of_another_shop_moves_the_first_aside_and_keeps_every_refusal(tmp_path, now, open_world):
    workspace = tmp_path / "workspace"
    start_over(workspace, "first", now=now)
    world = open_world(workspace, lambda: now)
    with writing(world.database) as session:
        consent.opt_out(session, world.secrets.key_of("ana@example.com"), at=now, how="test")
    (workspace / "outbox" / "new").mkdir(parents=True)
    (workspace / "outbox" / "new" / "a.eml").write_text("mail")
    start_over(workspace, "second", now=now)
    again = open_world(workspace, lambda: now)
    with reading(again.database) as session:
        assert consent.is_suppressed(session, again.secrets.key_of("ana@example.com"))
    assert not (workspace / "outbox").exists()
    assert list((workspace / "earlier").rglob("a.eml"))
    assert list((workspace / "earlier").rglob("handpicked.db"))


def test_a_demo_twice_is_the_same_shop_with_an_empty_outbox(tmp_path, now, open_world):
    workspace = tmp_path / "workspace"
    first = start_over(workspace, "first", now=now)
    open_world(workspace, lambda: now)
    (workspace / "outbox").mkdir()
    later = now.replace(month=now.month + 1)
    assert start_over(workspace, "first", now=later) == first
    assert (workspace / "handpicked.db").exists()
    assert not (workspace / "outbox").exists()


def test_a_demo_wants_a_database_of_its_own(tmp_path, now, monkeypatch):
    monkeypatch.setenv("HANDPICKED_DATABASE_URL", "sqlite:////tmp/somebodys.db")
    with pytest.raises(WrongState, match="unset HANDPICKED_DATABASE_URL"):
        start_over(tmp_path, "demo", now=now)


def test_a_demo_keeps_its_hands_off_a_shop_of_your_own(shop):
    with pytest.raises(WrongState, match="--workspace DIR"):
        start_over(shop.world.settings.workspace, "demo", now=shop.now)


def test_an_opt_out_made_before_the_demo_is_kept(tmp_path, now, open_world):
    workspace = tmp_path / "workspace"
    world = open_world(workspace, lambda: now)
    with writing(world.database) as session:
        consent.opt_out(session, world.secrets.key_of("ana@example.com"), at=now, how="test")
    start_over(workspace, "demo", now=now)
    with reading(open_world(workspace, lambda: now).database) as session:
        assert consent.is_suppressed(session, world.secrets.key_of("ana@example.com"))
    assert json.loads((workspace / "demo.json").read_text())["shop"] == "demo"
