"""An approval is of what would be sent, and of nothing else: every change of that ends it, no other does."""

import pytest

from campaigns import approval, approved_runs
from campaigns.edit import Definition, duplicate, find_campaign, move, save_campaign, schedule
from campaigns.errors import EditedMeanwhile, NotApproved, WrongState
from campaigns.models import RunState
from campaigns.own_templates import copy_template
from campaigns.pick_rules import PickRules
from campaigns.plan import plan_run
from campaigns.runs import decide, find_run
from campaigns.segments import Segments
from subscribers.database import reading, writing
from subscribers.segment_rules import SegmentRules
from subscribers.segments import save_segment


class Desk:
    """The shop with `require_approval`, a campaign with a template of its own and a segment, approved by Ana."""

    def __init__(self, shop):
        self.shop = shop
        self.settings = shop.world.settings.model_copy(update={"require_approval": True})
        copy_template(self.settings, "picked-for-you", "own")
        self.folder = self.settings.workspace / "templates"
        self.segment(languages=("de", "en"))
        self.definition = {"template": "own", "segments": Segments(("readers",))}
        self.save()
        self.approve()

    def segment(self, name="readers", **rules):
        with writing(self.shop.world.database) as session:
            save_segment(session, name, SegmentRules(**rules), now=self.shop.now)

    def save(self, **fields):
        self.definition |= fields
        with writing(self.shop.world.database) as session:
            save_campaign(session, Definition("weekly", **self.definition), self.settings, now=self.shop.now)

    def approve(self, **options):
        with writing(self.shop.world.database) as session:
            return approval.approve(session, "weekly", "ana", self.settings, now=self.shop.now, **options)

    def missing(self, **settings):
        settings = self.settings.model_copy(update=settings)
        with reading(self.shop.world.database) as session:
            return approval.missing(session, find_campaign(session, "weekly"), settings)

    def campaign(self):
        with reading(self.shop.world.database) as session:
            return find_campaign(session, "weekly")

    def run_missing(self, run):
        with reading(self.shop.world.database) as session:
            return approved_runs.missing(session, run, self.settings)

    def plan(self):
        run = self.shop.begin()
        plan_run(self.shop.world.database, run, self.settings, self.shop.world.secrets)
        return run

    def edit_file(self, name, text):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


@pytest.fixture
def desk(shop):
    return Desk(shop)


CHANGES = {
    "subject": lambda desk: desk.save(subject="Another"),
    "preheader": lambda desk: desk.save(preheader="Another"),
    "variables": lambda desk: desk.save(variables={"headline": "Another"}),
    "picks": lambda desk: desk.save(picks=4),
    "rules": lambda desk: desk.save(rules=PickRules(price_to="20")),
    "transport": lambda desk: desk.save(transport="smtp"),
    "template": lambda desk: desk.save(template="picked-for-you"),
    "segments": lambda desk: desk.save(segments=Segments()),
    "excluded": lambda desk: desk.save(segments=Segments((), ("readers",))),
    "a segment's rules": lambda desk: desk.segment(languages=("de",)),
    "the page": lambda desk: desk.edit_file("own.html", (desk.folder / "own.html").read_text() + "<!-- x -->"),
    "the sheet": lambda desk: desk.edit_file("own.toml", (desk.folder / "own.toml").read_text() + "\n# x"),
    "an included block": lambda desk: desk.edit_file("blocks/text.html", "Nothing at all"),
    "the layout": lambda desk: desk.edit_file("layouts/base.html", "<html>{% block content %}{% endblock %}</html>"),
    "the text part": lambda desk: desk.edit_file("layouts/plain.txt", "Hello"),
    "a text part of its own": lambda desk: desk.edit_file("own.txt", "Hello"),
    "a page that is gone": lambda desk: (desk.folder / "own.html").unlink(),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_whatever_changes_what_is_sent_to_whom_ends_the_approval(desk, change):
    assert desk.missing() == ""
    change(desk)
    assert "not approved" in desk.missing() or "is not what it was when ana approved it" in desk.missing()
    assert desk.missing(require_approval=False) == ""


@pytest.mark.parametrize("setting", [
    {"sender_name": "Another"}, {"sender_address": "x@example.com"}, {"postal_address": "x"},
    {"public_url": "https://x.example"}, {"website": "https://x.example"}, {"language": "de"},
    {"sensitive_types": ["Creams"]}, {"repeat_mails": 9},
])  # fmt: skip
def test_so_does_a_setting_that_is_in_every_mail_or_picks_for_it(desk, setting):
    assert "is not what it was when ana approved it" in desk.missing(**setting)


def test_a_template_whose_parts_are_known_only_as_it_runs_hangs_on_every_file(desk):
    desk.edit_file("own.html", '{% set part = "blocks/" ~ "mine.html" %}{% include part %}')
    desk.edit_file("blocks/mine.html", "Hello")
    desk.approve()
    assert desk.missing() == ""
    desk.edit_file("blocks/mine.html", "Goodbye")
    assert desk.missing()


def test_the_rules_of_a_segment_that_is_left_out_count_too(desk):
    desk.segment("others", languages=("fr",))
    desk.save(segments=Segments(("readers",), ("others",)))
    desk.approve()
    assert desk.missing() == ""
    desk.segment("others", languages=("nl",))
    assert desk.missing()


def test_when_it_is_sent_and_what_nothing_hangs_on_leaves_it_approved(desk):
    with writing(desk.shop.world.database) as session:
        schedule(session, "weekly", now=desk.shop.now, cron="0 9 * * 1")
        move(session, "weekly", "pause", now=desk.shop.now)
        move(session, "weekly", "resume", now=desk.shop.now)
    desk.save()
    desk.segment("others", languages=("fr",))
    desk.edit_file("other.html", "Hello")
    assert desk.missing(quiet_hours="21-8", frequency_cap=2) == ""
    assert (desk.campaign().approved_by, desk.campaign().approved_at) == ("ana", desk.shop.now)


def test_what_is_changed_and_changed_back_by_somebody_must_be_approved_anew(desk):
    desk.save(picks=4)
    assert (desk.campaign().approved_sha256, desk.campaign().approved_by) == ("", "")
    desk.save(picks=5)
    assert "is not approved; `handpicked campaign approve weekly`" in desk.missing()
    with writing(desk.shop.world.database) as session:
        assert duplicate(session, "weekly", "copy", now=desk.shop.now).approved_sha256 == ""


def test_who_approves_what_was_changed_meanwhile_is_told(desk):
    seen = desk.campaign().version
    desk.save(picks=4)
    with pytest.raises(EditedMeanwhile):
        desk.approve(version=seen)
    assert desk.missing()
    before = desk.campaign().version
    assert desk.approve(version=before).version == before  # who has it open in an editor goes on
    assert desk.missing() == ""


def test_what_is_cancelled_is_not_approved(desk):
    with writing(desk.shop.world.database) as session:
        move(session, "weekly", "cancel", now=desk.shop.now)
    with pytest.raises(WrongState, match="is cancelled"):
        desk.approve()


def test_a_plan_is_sent_when_what_it_was_made_from_is_approved(desk):
    desk.save(picks=4)
    run = desk.plan()
    assert "was planned from what nobody has approved" in desk.run_missing(run)
    with reading(desk.shop.world.database) as session, pytest.raises(NotApproved):
        approved_runs.demand(session, run, desk.settings)
    desk.approve()
    assert desk.run_missing(run) == ""
    desk.save(picks=3)
    desk.approve()  # of something else
    assert "plan it anew" in desk.run_missing(run)
    assert desk.run_missing(desk.plan()) == ""


def test_a_plan_stays_good_when_a_file_changes_after_it(desk):
    run = desk.plan()
    desk.edit_file("own.html", "Another")
    assert desk.run_missing(run) == ""  # its letters are frozen
    assert desk.missing()


def test_a_run_that_is_held_asks_and_is_planned_anew_by_who_says_go(desk):
    run = desk.plan()
    with writing(desk.shop.world.database) as session:
        assert approved_runs.hold(session, run, "not approved; why")
        assert not approved_runs.hold(session, run, "again")
        found = find_run(session, run)
        assert (found.state, found.stopped_because, found.owner) == (RunState.ASKING, "not approved; why", "")
    assert desk.shop.query("SELECT count(*) FROM message") == [(0,)]
    desk.save(picks=4)
    with writing(desk.shop.world.database) as session:
        with pytest.raises(NotApproved, match="campaign weekly is not approved"):
            decide(session, run, True, settings=desk.settings, now=desk.shop.now)
        assert find_run(session, run).state == RunState.ASKING
    desk.approve()
    with writing(desk.shop.world.database) as session:
        assert decide(session, run, True, settings=desk.settings, now=desk.shop.now).state == RunState.PLANNING
    desk.shop.execute("UPDATE campaign SET approved_sha256 = 'x'")
    assert "is not what it was when ana approved it" in desk.run_missing(run)


def test_a_run_that_is_being_sent_is_not_asked_again(desk):
    run = desk.plan()
    desk.save(picks=4)
    assert desk.run_missing(run)
    desk.shop.execute("UPDATE run SET state = 'sending'")
    assert desk.run_missing(run) == ""
    with writing(desk.shop.world.database) as session:
        assert not approved_runs.hold(session, run, "no")
