"""Two who edit at once: the second is told, and nothing is lost. Copies of campaigns."""

import threading

import pytest

from campaigns import calendar
from campaigns.edit import Definition, duplicate, find_campaign, list_campaigns, move, save_campaign, schedule
from campaigns.errors import CampaignInvalid, CampaignUnknown, EditedMeanwhile, WrongState
from campaigns.pick_rules import PickRules
from subscribers.database import reading, writing


def save(shop, version=None, name="weekly", **fields):
    with writing(shop.world.database) as session:
        definition = Definition(name, **fields)
        return save_campaign(session, definition, shop.world.settings, now=shop.now, version=version).version


def current(shop, name="weekly"):
    with reading(shop.world.database) as session:
        return find_campaign(session, name)


def test_every_change_counts_and_saving_the_same_is_none(shop):
    assert current(shop).version == 1
    assert save(shop, picks=4) == 2
    assert save(shop, picks=4) == 2
    assert save(shop, 2, picks=3) == 3
    with writing(shop.world.database) as session:
        assert schedule(session, "weekly", now=shop.now, cron="0 9 * * 1", version=3).version == 4
        assert move(session, "weekly", "pause", now=shop.now, version=4).version == 5


def test_the_second_of_two_editors_is_told_and_nothing_of_theirs_is_saved(shop):
    save(shop, 1, subject="Ana's")
    with pytest.raises(EditedMeanwhile, match=r"campaign weekly was changed meanwhile \(version 1 is now 2\)") as told:
        save(shop, 1, subject="Ben's")
    assert (told.value.campaign, told.value.seen, told.value.now) == ("weekly", 1, 2)
    assert (current(shop).subject, current(shop).version) == ("Ana's", 2)
    with writing(shop.world.database) as session:
        with pytest.raises(EditedMeanwhile):
            schedule(session, "weekly", now=shop.now, cron="0 9 * * 1", version=1)
        session.rollback()
        with pytest.raises(EditedMeanwhile):
            move(session, "weekly", "cancel", now=shop.now, version=1)
    assert (current(shop).state, current(shop).cron) == ("draft", "")


def test_of_many_who_save_the_same_version_at_once_one_gets_through(shop):
    told = []

    def edit(number):
        try:
            save(shop, 1, subject=f"Number {number}")
        except EditedMeanwhile as error:
            told.append(error)

    editors = [threading.Thread(target=edit, args=(number,)) for number in range(5)]
    for editor in editors:
        editor.start()
    for editor in editors:
        editor.join()
    assert len(told) == 4
    assert current(shop).version == 2


def test_version_0_is_for_one_that_is_to_be_new(shop):
    with pytest.raises(WrongState, match="there is a campaign weekly already; choose another name"):
        save(shop, 0)
    assert save(shop, 0, "fresh") == 1
    with pytest.raises(CampaignUnknown):
        save(shop, 3, "nothing")


def test_a_copy_says_the_same_and_is_a_draft(shop):
    rules = PickRules(price_to="20")
    save(shop, subject="Hello", preheader="there", variables={"headline": "Hi"}, picks=3, transport="smtp", rules=rules)
    with writing(shop.world.database) as session:
        schedule(session, "weekly", now=shop.now, cron="0 9 * * 1")
        copy = duplicate(session, "weekly", "monthly", now=shop.now)
    like, same = (
        current(shop),
        ("subject", "preheader", "variables", "picks", "transport", "rules", "segments", "template"),
    )
    assert [getattr(copy, name) for name in same] == [getattr(like, name) for name in same]
    assert (copy.state, copy.cron, copy.next_due, copy.approved_sha256, copy.version) == ("draft", "", None, "", 1)
    with writing(shop.world.database) as session:
        for name, error, words in (
            ("weekly", WrongState, "there is a campaign weekly already"),
            ("Über", CampaignInvalid, "small letters"),
        ):
            with pytest.raises(error, match=words):
                duplicate(session, "weekly", name, now=shop.now)
        with pytest.raises(CampaignUnknown):
            duplicate(session, "nothing", "else", now=shop.now)
        assert [campaign.name for campaign in list_campaigns(session)] == ["monthly", "weekly"]


def test_the_next_times_of_a_campaign(shop):
    def times(**options):
        with writing(shop.world.database) as session:
            return [
                f"{at:%m-%d %H:%M}"
                for at in calendar.next_times(find_campaign(session, "weekly"), now=shop.now, **options)
            ]

    assert times() == []
    with writing(shop.world.database) as session:
        schedule(session, "weekly", now=shop.now, cron="0 9 * * 1", time_zone="Europe/Berlin")
    assert times(count=3) == ["06-08 07:00", "06-15 07:00", "06-22 07:00"]
    with writing(shop.world.database) as session:
        move(session, "weekly", "pause", now=shop.now)
    assert len(times()) == 5
    with writing(shop.world.database) as session:
        schedule(session, "weekly", now=shop.now, at="2026-06-02 09:00")
    assert times() == ["06-02 09:00"]
    shop.pass_time(days=1)
    assert times() == []
