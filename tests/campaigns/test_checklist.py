"""The checklist before a campaign goes out: what must block blocks, and each line says how to mend it."""

from datetime import timedelta

import pytest

from campaigns import approval, beats
from campaigns.checklist import Verdict, blocks, checklist
from campaigns.edit import Definition, find_campaign, move, save_campaign, schedule
from campaigns.segments import Segments
from subscribers.database import reading, writing
from subscribers.segment_rules import SegmentRules
from subscribers.segments import save_segment

GOOD = {"smtp_host": "127.0.0.1", "smtp_security": "none", "public_url": "http://127.0.0.1:8025"}


class Desk:
    """A campaign with which nothing is wrong: by SMTP, scheduled, with a scheduler that looks."""

    def __init__(self, shop):
        self.shop = shop
        self.settings = shop.world.settings.model_copy(update=GOOD)
        self.definition = {"transport": "smtp"}
        self.save()
        with writing(shop.world.database) as session:
            schedule(session, "weekly", now=shop.now, at="2026-06-02 09:00")
            beats.beat(session, beats.SCHEDULER, now=shop.now)

    def save(self, **fields):
        self.definition |= fields
        with writing(self.shop.world.database) as session:
            save_campaign(session, Definition("weekly", **self.definition), self.settings, now=self.shop.now)

    def set(self, **settings):
        self.settings = self.settings.model_copy(update=settings)

    def items(self):
        with reading(self.shop.world.database) as session:
            return checklist(session, find_campaign(session, "weekly"), self.settings, now=self.shop.now)

    def move(self, action):
        with writing(self.shop.world.database) as session:
            move(session, "weekly", action, now=self.shop.now)

    def template(self, text):
        folder = self.settings.workspace / "templates"
        folder.mkdir(exist_ok=True)
        (folder / "picked-for-you.html").write_text(text)

    def only_for(self, **rules):
        with writing(self.shop.world.database) as session:
            save_segment(session, "few", SegmentRules(**rules), now=self.shop.now)
        self.save(segments=Segments(("few",)))


@pytest.fixture
def desk(shop):
    return Desk(shop)


def without_a_picture_text(desk):
    shipped = desk.settings.templates.source("picked-for-you.html")
    row = "{% block content %}<tr><td><img src='https://shop.example/x'></td></tr>"
    desk.template(shipped.replace("{% block content %}", row))


BLOCKS = {
    "state": (lambda desk: desk.move("cancel"), "The campaign is cancelled."),
    "template": (lambda desk: desk.template("{{ hero.titel }}"), "The mail cannot be made: "),
    "template, a check": (without_a_picture_text, "A sample mail must not be sent: image has no alt"),
    "template, a line": (lambda desk: desk.save(subject="{{ nothing.here }}"), "The mail cannot be made: "),
    "sender": (lambda desk: desk.set(sender_address=""), "It is not said who mails come from: set sender_address"),
    "sender, postal": (lambda desk: desk.set(postal_address=""), "It is not said who mails come from: set postal"),
    "smtp": (lambda desk: desk.set(smtp_host=""), "Nothing can be sent by SMTP: set smtp_host"),
    "smtp, https": (
        lambda desk: desk.set(smtp_host="mail.example.com", smtp_security="tls"),
        "Nothing can be sent by SMTP: set public_url to an https:// address",
    ),
    "model": (lambda desk: (desk.settings.models / "current").unlink(), "No model is trained yet."),
    "products": (lambda desk: desk.shop.execute("DELETE FROM product"), "There are no products."),
    "audience": (lambda desk: desk.only_for(languages=("tlh",)), "Nobody in its segments may be mailed."),
    "audience, consent": (
        lambda desk: desk.shop.execute("UPDATE subscriber SET may_mail = FALSE"),
        "Nobody on the roster may be mailed.",
    ),
    "approval": (lambda desk: desk.set(require_approval=True), "Campaign weekly is not approved."),
    "schedule": (lambda desk: desk.shop.pass_time(days=2), "Its time, 2026-06-02 09:00 UTC, is past."),
}
WARNINGS = {
    "subject": (lambda desk: desk.save(subject="x" * 61), "The subject has 61 characters;"),
    "preheader": (lambda desk: desk.save(preheader=" "), "The preheader is empty"),
    "schedule": (lambda desk: desk.shop.execute("UPDATE campaign SET state = 'draft'"), "It is not scheduled."),
    "schedule, paused": (lambda desk: desk.move("pause"), "It is paused"),
    "scheduler": (
        lambda desk: desk.shop.pass_time(seconds=31),
        "No scheduler has been seen since 2026-06-01 12:00 UTC",
    ),
    "scheduler, never": (lambda desk: desk.shop.execute("DELETE FROM beat"), "No scheduler has been seen yet"),
    "transport": (lambda desk: desk.save(transport="outbox"), "Mails stay on this machine, in outbox."),
}


def test_a_campaign_that_is_ready_has_nothing_to_be_seen_to(desk):
    items = desk.items()
    assert [item for item in items if item.state is not Verdict.OK] == []
    assert all(item.says.endswith(".") and not item.mend for item in items)
    assert len({item.key for item in items}) == len(items)
    assert items[0].summary() == {"key": "state", "says": "The campaign is scheduled.", "state": "ok", "mend": ""}


@pytest.mark.parametrize("name", BLOCKS)
def test_what_must_block_blocks(desk, name):
    spoil, says = BLOCKS[name]
    spoil(desk)
    found = {item.key: item for item in blocks(desk.items())}[name.partition(",")[0]]
    assert found.says.startswith(says)
    assert found.mend


@pytest.mark.parametrize("name", WARNINGS)
def test_what_somebody_should_know_is_a_warning_and_blocks_nothing(desk, name):
    spoil, says = WARNINGS[name]
    spoil(desk)
    items = desk.items()
    assert blocks(items) == []
    (found,) = [item for item in items if item.state is Verdict.WARN and item.key == name.partition(",")[0]]
    assert found.says.startswith(says)
    assert found.mend


def test_an_approval_is_named_and_a_suppressed_person_is_nobody(desk):
    desk.set(require_approval=True)
    with writing(desk.shop.world.database) as session:
        approval.approve(session, "weekly", "ana", desk.settings, now=desk.shop.now)
    assert "ana has approved it as it stands." in {item.says for item in desk.items()}
    assert blocks(desk.items()) == []
    for address in desk.shop.mailable():
        desk.shop.opt_out(address)
    # whatever their rows say, the refusal counts
    desk.shop.execute("UPDATE subscriber SET may_mail = TRUE WHERE key IN (SELECT key FROM suppression)")
    assert [item.key for item in blocks(desk.items())] == ["audience"]


@pytest.mark.parametrize("looked_at", [1, 250])
def test_somebody_in_the_segments_is_found_wherever_they_stand(desk, monkeypatch, looked_at):
    monkeypatch.setattr("campaigns.checklist.LOOKED_AT", looked_at)
    rows = desk.shop.query("SELECT id FROM subscriber WHERE may_mail ORDER BY id")
    desk.shop.execute("UPDATE subscriber SET country = 'Tuvalu' WHERE id = :middle", middle=rows[len(rows) // 2][0])
    desk.only_for(countries=("tuvalu",))
    assert blocks(desk.items()) == []


def test_one_that_is_due_again_and_again_is_not_late(desk):
    with writing(desk.shop.world.database) as session:
        schedule(session, "weekly", now=desk.shop.now, cron="0 9 * * *")
    desk.shop.now += timedelta(days=3)
    assert "schedule" not in {item.key for item in blocks(desk.items())}
