"""Segments in the browser: made, counted while they are typed, used, and deleted only when nothing uses them."""

import re
from html import unescape

import pytest
from lxml.html import fromstring
from sqlalchemy import select
from sqlmodel import col

from campaigns.edit import Definition, move, save_campaign
from campaigns.segments import Segments
from studio.actions import segments as actions
from studio.models import AuditLine
from studio.pages import segment_form
from studio.pages.forms import Fields
from studio.roles import Role
from studio.visit import Visit
from subscribers.consent import opt_out
from subscribers.database import reading, writing
from subscribers.segment_rules import SegmentRules
from subscribers.segments import SegmentUnknown, find_segment, save_segment

pytestmark = pytest.mark.slow

EVERYTHING = SegmentRules.from_plain(
    {
        "languages": ["de", "fr"],
        "countries": ["Österreich"],
        "time_zones": ["Europe/Berlin"],
        "joined_after": "2026-01-01",
        "joined_before": "2026-05-01",
        "joined_within_days": 300,
        "joined_longer_ago_days": 3,
        "personalise": True,
        "track": False,
        "did": {"purchase": 30, "any": 5},
        "did_not": {"click": 7},
        "purchases": 2,
        "bought": ["oil", "soap"],
    }
)


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """Pages wait until a figure is counted, however busy this machine is."""
    monkeypatch.setattr("studio.figures.PATIENCE", 30)


def rules(shop, name):
    with reading(shop.world.database) as session:
        return SegmentRules.from_json(find_segment(session, name).rules)


def keep(shop, name, found):
    with writing(shop.world.database) as session:
        save_segment(session, name, found, now=shop.now)


def test_the_form_shows_every_rule_and_gives_it_back(shop):
    keep(shop, "all", EVERYTHING)
    (form,) = (form for form in fromstring(shop.studio.get("/segments/all/edit").text).forms if form.get("class"))
    sent = dict(form.form_values())
    assert shop.studio.post("/segments/all/edit", data=sent).headers["location"] == "/segments/all?done=saved"
    assert rules(shop, "all") == EVERYTHING
    assert segment_form.read(segment_form.shown("all", EVERYTHING)) == EVERYTHING
    assert segment_form.read(Fields()) == SegmentRules()


def test_a_segment_is_made_and_noted(shop):
    client = shop.studio_of(Role.MARKETER)
    answer = client.post("/segments/new", data={"name": "Oil buyers", "bought": "oil", "did.purchase": "30"})
    assert answer.headers["location"] == "/segments/oil-buyers?done=made"
    words = client.get("/segments/oil-buyers").text
    assert "<b>3</b> people, 3 of them may be mailed" in words
    assert [name for name in ("ana", "ben", "cleo", "eva") if f"{name}@example.com" in words] == ["ana", "cleo", "eva"]
    with reading(shop.world.database) as session:
        (line,) = session.scalars(select(AuditLine).order_by(col(AuditLine.id)))
    assert (line.action, line.subject, line.detail) == (
        "segment.save", "segment oil-buyers", "a purchase in the last 30 days; bought oil")  # fmt: skip


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("name", "Ö", "small letters"),
        ("name", "new", "a page called new"),
        ("name", "count", "a page called count"),
        ("name", "there", "is a segment there already"),
        ("did.click", "soon", "whole number"),
        ("did_not.any", "99999", "from 1 to 3,650"),
        ("purchases", "0", "from 1 to 1,000"),
        ("joined_after", "yesterday", "no day such as"),
        ("joined_before", "2020-01-01", "later day"),
        ("time_zones", "Mars", "no IANA time zone"),
        ("languages", "x" * 40, "longer than"),
        ("bought", "nothing", "no product has the code"),
    ],
)
def test_a_problem_stands_beside_its_field_and_nothing_is_saved(shop, field, value, sentence):
    keep(shop, "there", SegmentRules())
    said = {"name": "fresh", "joined_after": "2021-01-01", "countries": "Typed"} | {field: value}
    answer = shop.studio.post("/segments/new", data=said)
    assert answer.status_code == 422
    assert sentence in unescape(answer.text)
    assert f'id="{field}-problem"' in answer.text
    assert 'value="Typed"' in answer.text
    with pytest.raises(SegmentUnknown):
        rules(shop, "fresh")


def test_it_is_counted_while_it_is_typed(shop):
    client = shop.studio
    assert "<b>8</b> people, 6 of them may be mailed" in client.post("/segments/count", data={}).text
    assert "<b>3</b> people" in client.post("/segments/count", data={"bought": "oil"}).text
    assert "Nobody is in it" in client.post("/segments/count", data={"countries": "Atlantis"}).text
    words = client.post("/segments/count", data={"purchases": "many"}).text
    assert "as soon as what is typed can be used" in words


def test_who_said_no_is_not_counted_as_mailed(shop):
    with writing(shop.world.database) as session:
        opt_out(session, shop.key("ana"), at=shop.now, how="test")
        session.commit()
    assert "<b>8</b> people, 5 of them may be mailed" in shop.studio.post("/segments/count", data={}).text


def test_a_segment_in_use_is_not_deleted(shop):
    client = shop.studio
    keep(shop, "buyers", SegmentRules(purchases=1))
    with writing(shop.world.database) as session:
        definition = Definition("weekly", segments=Segments(("buyers",)))
        save_campaign(session, definition, shop.world.settings, now=shop.now)
    assert 'href="/campaigns/weekly/edit"' in client.get("/segments/buyers/delete").text
    assert 'action="/segments/buyers/delete"' not in client.get("/segments/buyers/delete").text
    answer = client.post("/segments/buyers/delete")
    assert answer.status_code == 409
    assert "used by weekly" in answer.text
    with writing(shop.world.database) as session:
        move(session, "weekly", "cancel", now=shop.now)
    assert client.post("/segments/buyers/delete").headers["location"] == "/segments?done=deleted"
    assert client.get("/segments/buyers").status_code == 404


def test_the_list_says_what_to_do_and_has_counts(shop):
    client = shop.studio
    assert "No segment yet" in client.get("/segments").text
    for number in range(30):
        keep(shop, f"s{number:02}", SegmentRules(purchases=1 + number % 3))
    words = client.get("/segments").text
    assert "at least 2 purchases" in words
    assert ">6<" in words
    following = unescape(re.search(r'rel="next" href="([^"]+)"', words)[1])
    assert "s29" in client.get(following).text
    assert client.get("/segments?at=nonsense").status_code == 400


def test_a_viewer_looks_and_changes_nothing(shop):
    keep(shop, "buyers", SegmentRules(purchases=1))
    client = shop.studio_of(Role.VIEWER)
    words = client.get("/segments").text + client.get("/segments/buyers").text
    assert "/segments/new" not in words
    assert "/edit" not in words
    for path in ("new", "count", "buyers/edit", "buyers/delete"):
        assert client.post(f"/segments/{path}", data={"name": "x"}).status_code == 403
    assert rules(shop, "buyers") == SegmentRules(purchases=1)


def test_a_refused_action_leaves_no_line(shop):
    visit = Visit(1, "ana", Role.ADMIN, "UTC")
    with pytest.raises(SegmentUnknown):
        actions.delete(shop.world, visit, "nobody")
    with reading(shop.world.database) as session:
        assert not list(session.scalars(select(AuditLine)))


@pytest.mark.parametrize("name", ["none", "x" * 65, "%00"])
@pytest.mark.parametrize("end", ["", "/edit", "/delete"])
def test_what_is_no_segment_is_a_sentence(shop, name, end):
    assert shop.studio.get(f"/segments/{name}{end}").status_code in (404, 422)
