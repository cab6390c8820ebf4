"""Campaigns in the browser: made, edited by two at once, scheduled, approved, sent; what may not be done is refused."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html import unescape

import pytest
from lxml.html import fromstring
from sqlalchemy import func, select
from sqlmodel import col

from campaigns import edit
from campaigns.execute import carry_on
from campaigns.finding import find_campaign
from campaigns.models import Campaign, Run, RunState
from campaigns.runs import unfinished
from studio.actions import campaigns as actions
from studio.models import AuditLine
from studio.pages.campaign_schedule import plain_choices, read
from studio.pages.forms import Fields
from studio.roles import Role
from subscribers.database import reading, writing
from subscribers.segment_rules import SegmentRules
from subscribers.segments import save_segment

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """Pages wait until a figure is counted, however busy this machine is."""
    monkeypatch.setattr("studio.figures.PATIENCE", 30)


def typed(client, path):
    """What a browser would send of the form on this page."""
    (form,) = (form for form in fromstring(client.get(path).text).forms if "sheet-form" in form.get("class", ""))
    pairs = form.form_values()
    return {name: [value for other, value in pairs if other == name] for name, _ in pairs}


def campaign(shop, name="weekly"):
    with reading(shop.world.database) as session:
        return find_campaign(session, name)


def audit(shop):
    with reading(shop.world.database) as session:
        return list(session.scalars(select(AuditLine).order_by(col(AuditLine.id))))


def settings(shop, **changes):
    shop.world = replace(shop.world, settings=shop.world.settings.model_copy(update=changes))


def save(client, form, path="/campaigns/weekly/edit", **changes):
    return client.post(path, data=form | {"do": "save"} | changes)


def test_a_campaign_is_made_from_a_template(shop):
    client = shop.studio_of(Role.MARKETER)
    assert "New arrivals" in client.get("/campaigns/new").text
    form = typed(client, "/campaigns/new?template=new-arrivals")
    assert form["variable.headline"] == ["New on our shelves"]
    answer = save(client, form, "/campaigns/new", name="Summer news", subject="Sun & sand", price_to="19,90",
                  only="label:vegan\r\ntype:soaps", hero_share="10")  # fmt: skip
    assert answer.headers["location"] == "/campaigns/summer-news?done=made"
    made = campaign(shop, "summer-news")
    assert (made.template, made.subject, made.variables) == ("new-arrivals", "Sun & sand", "{}")
    assert made.rules == '{"hero_share": 0.1, "include": ["label:vegan", "type:soaps"], "price_to": "19.90"}'
    line = audit(shop)[-1]
    assert (line.actor, line.action, line.subject, line.detail) == (
        "marketer", "campaign.save", "campaign summer-news", "version 1: made")  # fmt: skip
    assert "Sun &amp; sand" in client.get("/campaigns/summer-news").text


def test_a_form_sent_back_as_it_is_changes_nothing(shop):
    before = campaign(shop)
    assert save(shop.studio, typed(shop.studio, "/campaigns/weekly/edit")).status_code == 303
    assert campaign(shop) == before


def test_another_template_keeps_what_was_typed(shop):
    client = shop.studio
    form = typed(client, "/campaigns/weekly/edit") | {"template": "new-arrivals", "variable.greeting": "Dear"}
    words = client.post("/campaigns/weekly/edit", data=form).text
    assert 'value="Dear"' in words
    assert 'value="New on our shelves"' in words  # its own headline, since the old one was the old template's own
    assert "Heading of the grid" in words
    assert campaign(shop).template == "picked-for-you"


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("picks", "13", "whole number from 1 to 12"),
        ("picks", "", "whole number from 1 to 12"),
        ("picks", "many", "whole number from 1 to 12"),
        ("price_from", "cheap", "is no price"),
        ("price_to", "5", "above the highest"),
        ("only", "vegan", "is no filter"),
        ("boost", "label:vegan=99", "is no boost"),
        ("hero_share", "0", "from 0.1 to 100"),
        ("diversity", "nan", "from 0 to 100"),
        ("subject", "x" * 501, "at most 500"),
        ("include", "nobody", "no segment"),
        ("transport", "pigeon", "no transport"),
        ("variable.headline", "x" * 5_001, "at most 5,000"),
    ],
)
def test_a_problem_stands_beside_its_field_and_nothing_is_saved(shop, field, value, sentence):
    client, before = shop.studio, campaign(shop)
    form = typed(client, "/campaigns/weekly/edit") | {"price_from": "10", field: value}
    answer = save(client, form, **{"variable.greeting": "What I typed"})
    assert answer.status_code == 422
    assert sentence in unescape(answer.text)
    assert "What I typed" in answer.text
    assert campaign(shop) == before
    if field != "transport":
        assert f'id="{field}-problem"' in answer.text or 'id="include"' in answer.text


@pytest.mark.parametrize("name", ["new", "calendar", "audience", "Große", "-x", "", "weekly"])
def test_a_name_that_cannot_be(shop, name):
    form = typed(shop.studio, "/campaigns/new?template=new-arrivals")
    answer = save(shop.studio, form, "/campaigns/new", name=name)
    assert answer.status_code == 422
    assert 'id="name-problem"' in answer.text


def test_of_two_who_edit_at_once_the_second_is_told_and_loses_nothing(shop):
    first, second = shop.studio_of(Role.MARKETER), shop.studio_of(Role.APPROVER)
    theirs, mine = typed(first, "/campaigns/weekly/edit"), typed(second, "/campaigns/weekly/edit")
    assert save(first, theirs, subject="Their subject", picks="4").status_code == 303
    answer = save(second, mine, subject="My <b>subject</b>", **{"variable.greeting": "My greeting"})
    words = answer.text
    assert answer.status_code == 409
    assert campaign(shop).subject == "Their subject"
    assert "<b>marketer</b> saved it" in words
    assert "version 3: subject, picks" in words
    assert '<td class="lined">My &lt;b&gt;subject&lt;/b&gt;</td><td class="lined">Their subject</td>' in words
    kept = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', words))
    kept = {name: unescape(value) for name, value in kept.items()}
    again = second.post("/campaigns/weekly/edit", data=kept | {"do": "edit"}).text
    assert "My greeting" in again
    assert "My &lt;b&gt;subject&lt;/b&gt;" in again
    assert campaign(shop).subject == "Their subject"
    assert second.post("/campaigns/weekly/edit", data=kept | {"do": "save"}).status_code == 303
    assert (campaign(shop).subject, campaign(shop).picks) == ("My <b>subject</b>", 3)


def test_who_schedules_what_was_changed_meanwhile_is_told(shop):
    client = shop.studio
    form = typed(client, "/campaigns/weekly/schedule")
    actions.move(shop.world, visit_of(shop), "weekly", "pause")
    answer = client.post("/campaigns/weekly/schedule", data=form | {"time": "10:00"})
    assert answer.status_code == 409
    assert 'value="10:00"' in answer.text
    assert campaign(shop).state == "paused"


def visit_of(shop):
    from studio.visit import Visit

    return Visit(1, "ana", Role.ADMIN, "UTC")


def test_a_schedule_by_plain_choices(shop):
    client = shop.studio
    form = typed(client, "/campaigns/weekly/schedule")
    assert (form["every"], form["weekday"], form["time"]) == (["week"], ["1"], ["09:00"])
    form |= {"weekday": ["1", "4"], "time": "07:30", "missed": "ask"}
    words = client.post("/campaigns/weekly/times", data=form).text
    assert "Every Monday and Thursday at 07:30" in words
    assert words.count("<time ") == 5
    answer = client.post("/campaigns/weekly/schedule", data=form)
    assert answer.headers["location"] == "/campaigns/weekly?done=scheduled"
    assert (campaign(shop).cron, campaign(shop).missed) == ("30 7 * * 1,4", "ask")
    assert "every Monday and Thursday at 07:30" in audit(shop)[-1].detail


@pytest.mark.parametrize(
    ("change", "field", "sentence"),
    [
        ({"when": "once", "date": "2026-05-01"}, "date", "in the past"),
        ({"when": "once", "date": "soon"}, "date", "say on which day"),
        ({"when": "once", "date": "2026-12-01", "time": "9"}, "time", "at what time"),
        ({"when": "cron", "cron": "every day"}, "cron", "5 parts"),
        ({"when": "cron", "cron": "1," * 100}, "cron", "five parts"),
        ({"time_zone": "Mars/Base"}, "time_zone", "no IANA time zone"),
        ({"weekday": []}, "weekday", "at least one day"),
        ({"late_hours": "0"}, "late_hours", "1 to 720"),
    ],
)
def test_a_schedule_that_cannot_be(shop, change, field, sentence):
    before = campaign(shop)
    form = typed(shop.studio, "/campaigns/weekly/schedule") | change
    answer = shop.studio.post("/campaigns/weekly/schedule", data=form)
    assert answer.status_code == 422
    assert sentence in unescape(answer.text)
    assert f'id="{field}' in answer.text
    assert campaign(shop) == before
    assert shop.studio.post("/campaigns/weekly/times", data=form).status_code == 200


@pytest.mark.parametrize("cron", ["30 8 * * *", "0 9 * * 1-5", "5 0 * * 0,3", "59 23 31 * *", "0 6 L * *"])
def test_plain_choices_say_what_the_expression_says(cron):
    said = {name: value.split(",") if name == "weekday" else [value] for name, value in plain_choices(cron).items()}
    assert read(Fields(said))["cron"] == cron


def test_a_single_date_is_shown_again_as_it_was_typed(shop):
    form = typed(shop.studio, "/campaigns/weekly/schedule")
    for own in ("", "yes"):
        said = form | {"when": "once", "date": "2026-12-24", "time": "18:00", "own_time": own}
        assert shop.studio.post("/campaigns/weekly/schedule", data=said).status_code == 303
        form = typed(shop.studio, "/campaigns/weekly/schedule")
        assert (form["when"], form["date"], form["time"]) == (["once"], ["2026-12-24"], ["18:00"])


def test_pause_resume_cancel_and_duplicate(shop):
    client = shop.studio
    for action, state in (("pause", "paused"), ("resume", "scheduled"), ("cancel", "cancelled")):
        assert client.post(f"/campaigns/weekly/{action}").status_code == 303
        assert campaign(shop).state == state
    assert client.post("/campaigns/weekly/resume").status_code == 409
    assert client.get("/campaigns/weekly/schedule").status_code == 409
    assert client.post("/campaigns/weekly/duplicate", data={"name": "weekly"}).status_code == 422
    assert client.post("/campaigns/weekly/duplicate", data={"name": "new"}).status_code == 422
    assert client.post("/campaigns/weekly/duplicate", data={"name": "a copy"}).status_code == 303
    assert (campaign(shop, "a-copy").state, campaign(shop, "a-copy").picks) == ("draft", 3)
    said = [line.action for line in audit(shop)]
    assert said == ["campaign.pause", "campaign.resume", "campaign.cancel", "campaign.duplicate"]


def test_an_approval_is_of_what_was_looked_at_and_is_lost_by_a_change(shop):
    settings(shop, require_approval=True)
    client = shop.studio_of(Role.APPROVER)
    words = client.get("/campaigns/weekly").text
    assert "Nobody has approved it" in words
    assert "Campaign weekly is not approved" in client.get("/").text
    version = {"version": re.search(r'name="version" value="(\d+)"', words)[1]}
    save(client, typed(client, "/campaigns/weekly/edit"), subject="Another")
    assert client.post("/campaigns/weekly/approve", data=version).status_code == 409
    assert client.post("/campaigns/weekly/approve", data={"version": "3"}).status_code == 303
    assert "approver approved it" in client.get("/campaigns/weekly").text
    assert "Campaign weekly is not approved" not in client.get("/").text
    own = shop.world.settings.workspace / "templates"
    own.mkdir()
    (own / "picked-for-you.html").write_text("<html>{{ sender.postal_address }}</html>")
    assert "it is not what it was then" in client.get("/campaigns/weekly").text


def asked_at(client, name="weekly"):
    words = client.get(f"/campaigns/{name}/send").text
    return {"asked_at": unescape(re.search(r'name="asked_at" value="([^"]+)"', words)[1])}


def runs(shop):
    with reading(shop.world.database) as session:
        return session.execute(select(func.count()).select_from(Run)).scalar_one()


def test_sent_now_it_is_taken_up_by_the_scheduler_and_a_second_press_sends_nothing_more(shop):
    shop.now += timedelta(days=1)
    client = shop.studio_of(Role.MARKETER)
    form = asked_at(client)
    first, again = (client.post("/campaigns/weekly/send", data=form) for _ in range(2))
    assert first.headers["location"] == again.headers["location"] == "/runs/2?done=planned"
    assert runs(shop) == 2
    with reading(shop.world.database) as session:
        assert unfinished(session, now=shop.now) == [2]
    shop.now += timedelta(seconds=5)
    other = client.post("/campaigns/weekly/send", data=asked_at(client))
    assert other.status_code == 409
    assert "Run 2 of campaign weekly is under way" in other.text
    assert carry_on(shop.world, 2).state == RunState.FINISHED
    (shop.world.settings.models / "current").unlink()
    assert client.post("/campaigns/weekly/send", data=form).headers["location"] == "/runs/2?done=planned"
    assert [line.action for line in audit(shop)] == ["campaign.send"]


def test_what_blocks_is_said_and_nothing_is_sent(shop):
    shop.now += timedelta(days=1)
    client = shop.studio
    form = asked_at(client)
    (shop.world.settings.models / "current").unlink()
    page = client.get("/campaigns/weekly/send").text
    assert "cannot be sent yet" in page
    assert "No model is trained yet" in page
    assert "asked_at" not in page
    assert "/campaigns/weekly/send" not in client.get("/campaigns/weekly").text
    assert client.post("/campaigns/weekly/send", data=form).status_code == 409
    assert runs(shop) == 1


@pytest.mark.parametrize(
    "moment", ["", "soon", "2026-06-01T12:00:00", "2026-05-01T12:00:00+00:00", "2027-01-01T00:00Z"]
)
def test_an_old_or_made_up_page_sends_nothing(shop, moment):
    assert shop.studio.post("/campaigns/weekly/send", data={"asked_at": moment}).status_code in (400, 409)
    assert runs(shop) == 1


def test_a_paused_campaign_is_not_sent(shop):
    form = {"asked_at": (shop.now - timedelta(minutes=1)).isoformat()}
    shop.studio.post("/campaigns/weekly/pause")
    assert shop.studio.post("/campaigns/weekly/send", data=form).status_code == 409
    assert "It is paused" in shop.studio.get("/campaigns/weekly/send").text
    assert runs(shop) == 1


def test_what_a_role_may_not_do_is_neither_offered_nor_done(shop):
    viewer, marketer = shop.studio_of(Role.VIEWER), shop.studio_of(Role.MARKETER)
    before = shop.everything()
    words = viewer.get("/campaigns/weekly").text
    for action in ("edit", "schedule", "pause", "cancel", "duplicate", "send", "approve"):
        assert f"/campaigns/weekly/{action}" not in words
        assert viewer.post(f"/campaigns/weekly/{action}").status_code == 403
    assert viewer.get("/campaigns/weekly/edit").status_code == 403
    assert "/campaigns/new" not in viewer.get("/campaigns").text + viewer.get("/").text
    assert "/campaigns/weekly/approve" not in marketer.get("/campaigns/weekly").text
    assert marketer.post("/campaigns/weekly/approve").status_code == 403
    assert [line for line in shop.everything() if "kept_figure" not in line] == [
        line for line in before if "kept_figure" not in line
    ]


def test_the_list_by_state_and_in_slices(shop):
    with writing(shop.world.database) as session:
        for number in range(60):
            edit.save_campaign(session, edit.Definition(f"c{number:02}"), shop.world.settings, now=shop.now)
    client = shop.studio
    words = client.get("/campaigns?state=draft").text
    assert "weekly" not in words
    following = unescape(re.search(r'rel="next" href="([^"]+)"', words)[1])
    assert "state=draft" in following
    later = client.get(following).text
    assert "c59" in later
    assert "c00" not in later
    assert "No campaign is paused" in client.get("/campaigns?state=paused").text
    assert client.get("/campaigns?state=lost").status_code == 422
    assert client.get("/campaigns?at=nonsense").status_code == 400


def test_the_calendar_has_what_is_due_and_what_went_out(shop):
    client = shop.studio
    words = client.get("/campaigns/calendar?month=2026-06").text
    assert words.count('href="/campaigns/weekly"') == 4  # the Mondays after the first
    assert 'href="/runs/1"' in words
    assert client.get("/campaigns/calendar?month=2026-07").text.count('href="/campaigns/weekly"') == 4
    assert 'href="/campaigns/weekly"' not in client.get("/campaigns/calendar?month=2026-05").text
    for month in ("2026-13", "1999-01", "x", "2026-06-01"):
        assert client.get(f"/campaigns/calendar?month={month}").status_code == 422
    for month in ("2000-01", "2099-12"):
        assert client.get(f"/campaigns/calendar?month={month}").status_code == 200


def test_a_calendar_day_is_that_of_whoever_looks(shop):
    with writing(shop.world.database) as session:
        edit.schedule(session, "weekly", now=shop.now, at="2026-06-30 23:30", time_zone="UTC")
        session.connection().exec_driver_sql("update account set time_zone = 'Asia/Tokyo'")
        session.commit()
    client = shop.studio_of(Role.VIEWER)
    with writing(shop.world.database) as session:
        session.connection().exec_driver_sql("update account set time_zone = 'Asia/Tokyo'")
        session.commit()
    assert 'href="/campaigns/weekly"' not in client.get("/campaigns/calendar?month=2026-06").text
    july = client.get("/campaigns/calendar?month=2026-07").text
    assert "08:30</span> weekly" in july


def test_how_many_people_that_is_is_told_while_it_is_chosen(shop):
    with writing(shop.world.database) as session:
        save_segment(session, "buyers", SegmentRules(did={"purchase": 30}), now=shop.now)
        save_segment(session, "oil", SegmentRules(bought=("oil",)), now=shop.now)
    client = shop.studio
    assert "<b>6</b> may be mailed, of 8 people" in client.post("/campaigns/audience", data={}).text
    form = {"include": "buyers", "exclude": "oil"}
    assert "<b>3</b> may be mailed, of 3 people" in client.post("/campaigns/audience", data=form).text
    both = client.post("/campaigns/audience", data={"include": "oil", "exclude": "oil"})
    assert "included and excluded at once" in both.text
    assert "no segment" in client.post("/campaigns/audience", data={"include": "lost"}).text
    save(client, typed(client, "/campaigns/weekly/edit"), **form)
    assert campaign(shop).segments == '{"exclude": ["oil"], "include": ["buyers"]}'
    words = client.get("/campaigns/weekly").text
    assert 'href="/segments/buyers"' in words


def test_a_translation_survives_the_form(shop):
    with writing(shop.world.database) as session:
        definition = edit.Definition("weekly", picks=3, variables={"headline.de": "Für dich", "subject.de": "Neu"})
        edit.save_campaign(session, definition, shop.world.settings, now=shop.now)
    before = campaign(shop)
    form = typed(shop.studio, "/campaigns/weekly/edit")
    save(shop.studio, form)
    assert campaign(shop).variables == before.variables
    save(shop.studio, typed(shop.studio, "/campaigns/weekly/edit"), **{"variable.subject.de": ""})
    assert campaign(shop).variables == '{"headline.de": "Für dich"}'


@pytest.mark.parametrize("template", ["lost", "../../secrets", "%00", "x" * 101, "a/../b"])
def test_what_is_no_template_is_a_sentence(shop, template):
    assert shop.studio.get(f"/campaigns/new?template={template}").status_code in (404, 422)
    answer = shop.studio.post("/campaigns/new", data={"template": template, "do": "save"})
    assert answer.status_code in (404, 422)


def test_a_campaign_whose_template_is_gone_can_still_be_edited(shop):
    with writing(shop.world.database) as session:
        session.connection().exec_driver_sql("update campaign set template = 'lost'")
        session.commit()
    client = shop.studio
    assert client.get("/campaigns/weekly").status_code == 200
    assert "There is no template" in client.get("/campaigns/weekly/edit").text


@pytest.mark.parametrize("name", ["none", "x" * 65, "%00", "a%20b", "..%2f.."])
@pytest.mark.parametrize("end", ["", "/edit", "/schedule", "/cancel", "/duplicate", "/send", "/checks"])
def test_what_is_no_campaign_is_a_sentence(shop, name, end):
    assert shop.studio.get(f"/campaigns/{name}{end}").status_code in (404, 422)


def test_what_came_at_once_is_one_transaction(shop):
    """A refused action leaves no audit line."""
    with pytest.raises(edit.WrongState):
        actions.move(shop.world, visit_of(shop), "weekly", "resume")
    with pytest.raises(edit.CampaignInvalid):
        actions.schedule(shop.world, visit_of(shop), "weekly", at="2020-01-01 09:00")
    with pytest.raises(edit.EditedMeanwhile):
        actions.save(shop.world, visit_of(shop), edit.Definition("weekly"), version=1)
    assert audit(shop) == []
    assert isinstance(campaign(shop), Campaign)
    assert datetime(2026, 6, 1, 12, tzinfo=UTC) == shop.now
