from __future__ import annotations

import csv
import io
import json
import re
from datetime import timedelta
from html import unescape

import pytest
from sqlalchemy import func, select, update
from sqlmodel import col

from campaigns.execute import start_run
from campaigns.models import Attempt, Bounce, Message, MessageState, Run, RunState
from campaigns.plan import plan_run
from campaigns.runs import find_run
from studio.models import AuditLine, Job
from studio.pages.run_people import slice_of_run
from studio.roles import Role
from subscribers.database import reading, writing

pytestmark = pytest.mark.slow


def changed(shop, statement):
    with writing(shop.world.database) as session:
        session.execute(statement)
        session.commit()


def planned(shop):
    """The number of a run that waits to be sent."""
    run = start_run(shop.world, "weekly", shop.now + timedelta(hours=1))
    plan_run(shop.world.database, run.id, shop.world.settings, shop.world.secrets)
    return run.id


def run_of(shop, run_id):
    with reading(shop.world.database) as session:
        return find_run(session, run_id)


def states_of(shop, run_id):
    with reading(shop.world.database) as session:
        rows = session.execute(select(Message.address, Message.state).where(Message.run_id == run_id))
        return {address.partition("@")[0]: state for address, state in rows if address}


def notes(shop):
    with reading(shop.world.database) as session:
        return [(line.action, line.subject) for line in session.scalars(select(AuditLine).order_by(AuditLine.id))]


def in_doubt(shop, name="ana", run_id=1):
    where = (col(Message.run_id) == run_id, col(Message.address) == f"{name}@example.com")
    changed(shop, update(Message).where(*where).values(state=MessageState.IN_DOUBT, reason="the sender died"))


def test_the_newest_runs_of_all_campaigns(shop):
    run_id = planned(shop)
    words = shop.studio.get("/runs").text
    assert words.index(f"/runs/{run_id}") < words.index('/runs/1"')
    assert shop.studio.get("/runs?at=nonsense").status_code == 400


def test_each_reason_leads_to_its_people(shop):
    words = shop.studio.get("/runs/1").text
    link = unescape(re.search(r'href="([^"]+)">opted out', words)[1])
    assert link == "/runs/1?state=skipped&reason=opted%20out#people"
    people = shop.studio.get(link.partition("#")[0]).text.partition('id="people"')[2]
    assert "gina@example.com" in people
    assert "hugo@example.com" not in people


def test_somebody_is_found_by_address_or_by_how_it_begins(shop):
    for wanted in ("ANA@example.com", "an"):
        people = shop.studio.get("/runs/1", params={"who": wanted}).text.partition('id="people"')[2]
        assert "ana@example.com" in people
        assert "ben@example.com" not in people
    assert "Nobody in this run" in shop.studio.get("/runs/1", params={"who": "zzz"}).text


@pytest.mark.parametrize("address", ["/runs/1?at=x", "/runs/1?state=lost", "/runs/1?state=skipped&reason=%00"])
def test_what_no_link_of_ours_says_is_refused(shop, address):
    assert shop.studio.get(address).status_code == 422


@pytest.mark.parametrize("state", [None, MessageState.ACCEPTED, MessageState.SKIPPED])
def test_slices_show_everybody_once_there_and_back(shop, state):
    changed(shop, update(Message).where(col(Message.address).like("b%")).values(due_at=shop.now + timedelta(days=1)))
    changed(shop, update(Message).where(col(Message.address) == "").values(state=MessageState.SKIPPED))
    changed(
        shop,
        update(Message).where(col(Message.address).like("d%")).values(state=MessageState.SKIPPED, reason="cancelled"),
    )  # has a time, which others who are skipped have not
    with reading(shop.world.database) as session:
        all_of_them = select(Message.subscriber_id).where(Message.run_id == 1)
        wanted = set(session.scalars(all_of_them.where(Message.state == state) if state else all_of_them))
        found, at, ends = [], "", []
        while True:
            part = slice_of_run(session, 1, state, at=at, rows=2)
            found += [person.subscriber_id for person in part.rows]
            ends.append(part)
            if not part.later:
                break
            at = part.later
        assert sorted(found) == sorted(wanted)
        back = ends[-1]
        for before in reversed(ends[:-1]):
            back = slice_of_run(session, 1, state, at=back.earlier, rows=2)
            assert back.rows == before.rows
        assert back.earlier == ""


def test_those_with_one_reason_are_looked_for_a_part_at_a_time(shop, monkeypatch):
    monkeypatch.setattr("studio.pages.run_people.LOOKED_THROUGH", 1)
    with reading(shop.world.database) as session:
        first = slice_of_run(session, 1, MessageState.SKIPPED, "no consent to mail")
        assert first.rows == []
        second = slice_of_run(session, 1, MessageState.SKIPPED, "no consent to mail", at=first.later)
        assert [person.address for person in second.rows] == ["hugo@example.com"]
    assert "further on" in shop.studio.get("/runs/1?state=skipped&reason=no+consent+to+mail").text


def test_a_run_that_is_sent_tells_how_far_it_is(shop):
    run_id = planned(shop)
    changed(shop, update(Run).where(col(Run.id) == run_id).values(state=RunState.SENDING))
    with writing(shop.world.database) as session:
        ana = session.scalars(
            select(Message).where(Message.run_id == run_id, Message.address == "ana@example.com")
        ).one()
        ana.state = MessageState.ACCEPTED
        session.add(Attempt(message_id=ana.id, at=shop.now - timedelta(seconds=2), outcome="accepted", reply="250"))
        session.commit()
    words = shop.studio.get(f"/runs/{run_id}").text
    assert f'data-poll="/runs/{run_id}/progress"' in words
    assert '<noscript><meta http-equiv="refresh"' in words
    part = shop.studio.get(f"/runs/{run_id}/progress").text
    assert "<html" not in part
    assert "<b>1</b> of 6 mails" in part
    assert "0.5 mails a second over the last minute, less than a minute left" in part
    assert "data-ended" not in part
    assert "data-ended" in shop.studio.get("/runs/1/progress").text


def test_pause_resume_and_cancel(shop):
    run_id, client = planned(shop), shop.studio_of(Role.MARKETER)
    assert client.post(f"/runs/{run_id}/pause").headers["location"] == f"/runs/{run_id}?done=paused"
    assert run_of(shop, run_id).state == RunState.PAUSED
    words = client.get(f"/runs/{run_id}?done=paused").text
    assert "By marketer, 2026-06-01 12:00 UTC" in words
    assert "Resume" in words
    client.post(f"/runs/{run_id}/resume")
    assert run_of(shop, run_id).state == RunState.SENDING
    assert f'action="/runs/{run_id}/cancel"' in client.get(f"/runs/{run_id}/cancel").text
    client.post(f"/runs/{run_id}/cancel")
    assert run_of(shop, run_id).state == RunState.CANCELLED
    assert [action for action, _ in notes(shop)] == ["run.pause", "run.resume", "run.cancel"]
    assert notes(shop)[0][1] == f"run {run_id}"


@pytest.mark.parametrize("action", ["pause", "resume", "cancel", "decide/send", "resend"])
def test_what_is_refused_changes_nothing_and_leaves_no_audit_line(shop, action):
    client = shop.studio
    before = shop.everything()
    answer = client.post(f"/runs/1/{action}")
    assert answer.status_code == 409
    assert shop.everything() == before
    assert client.post(f"/runs/99/{action}").status_code == 404


@pytest.mark.parametrize(
    ("role", "action", "status"),
    [
        (Role.VIEWER, "pause", 403),
        (Role.VIEWER, "resume", 403),
        (Role.VIEWER, "cancel", 403),
        (Role.MARKETER, "decide/skip", 403),
        (Role.MARKETER, "resend", 403),
    ],
)
def test_who_may_not_is_refused(shop, role, action, status):
    assert shop.studio_of(role).post(f"/runs/1/{action}").status_code == status


def test_a_run_that_asks_is_decided_on_by_an_approver(shop):
    run_id = planned(shop)
    asking = {"state": RunState.ASKING, "stopped_because": "its time was missed by 3 h; decide"}
    changed(shop, update(Run).where(col(Run.id) == run_id).values(**asking))
    assert "/decide/send" not in shop.studio_of(Role.MARKETER).get(f"/runs/{run_id}").text
    client = shop.studio_of(Role.APPROVER)
    assert "/decide/send" in client.get(f"/runs/{run_id}").text
    client.post(f"/runs/{run_id}/decide/skip")
    assert run_of(shop, run_id).state == RunState.CANCELLED
    changed(shop, update(Run).where(col(Run.id) == run_id).values(**asking))
    client.post(f"/runs/{run_id}/decide/send")
    assert run_of(shop, run_id).state == RunState.PLANNING
    assert [action for action, _ in notes(shop)] == ["run.decide", "run.decide"]


def test_those_in_doubt_are_shown_and_sent_again_by_a_job(shop):
    in_doubt(shop)
    client = shop.studio_of(Role.APPROVER)
    with reading(shop.world.database) as session:
        message_id = session.scalar(select(Message.message_id).where(Message.address == "ana@example.com"))
    assert message_id in client.get("/runs/1").text
    assert 'action="/runs/1/resend"' in client.get("/runs/1/resend").text
    answer = client.post("/runs/1/resend")
    assert answer.headers["location"] == "/jobs/1?done=started"
    assert states_of(shop, 1)["ana"] == MessageState.PLANNED
    assert client.app.state.jobs.work_off() == 1
    assert states_of(shop, 1)["ana"] == MessageState.ACCEPTED
    assert "were sent once more" in client.get("/jobs/1").text
    assert ("run.resend", "run 1") in notes(shop)


def test_a_job_that_sends_again_sends_nothing_twice_when_it_is_begun_twice(shop):
    in_doubt(shop)
    client = shop.studio
    client.post("/runs/1/resend")
    client.app.state.jobs.work_off()
    with reading(shop.world.database) as session:
        before = session.scalar(select(func.count()).select_from(Attempt))
    in_doubt(shop, "ben")  # as if the studio had died in the middle
    changed(shop, update(Job).values(state="waiting"))
    client.app.state.jobs.work_off()
    assert states_of(shop, 1)["ben"] == MessageState.IN_DOUBT
    with reading(shop.world.database) as session:
        assert session.scalar(select(func.count()).select_from(Attempt)) == before


def test_what_servers_said_is_grouped_without_addresses(shop):
    said = "550 5.1.1 <{}@example.com>: no such user ({})"
    for name, token in (("ana", "q8XK2j1"), ("ben", "p7ZZ9k3")):
        where = (col(Message.run_id) == 1, col(Message.address) == f"{name}@example.com")
        failed = {"state": MessageState.FAILED, "reason": said.format(name, token)}
        changed(shop, update(Message).where(*where).values(**failed))
    words = unescape(shop.studio.get("/runs/1").text)
    assert re.search(r"550 5\.1\.1 … no such user \(…\)</th><td class=\"count\">2<", words)


def test_what_came_back_is_listed(shop):
    with writing(shop.world.database) as session:
        ana = session.scalar(select(Message.id).where(Message.address == "ana@example.com"))
        session.add(
            Bounce(sha256="x", message_id=ana, at=shop.now, kind="hard", status="5.1.1", detail="mailbox unknown")
        )
        session.commit()
    words = shop.studio.get("/runs/1").text
    assert "mailbox unknown" in words
    assert "1 hard" in words


def test_the_csv_file_holds_everybody_and_no_formula(shop):
    where = (col(Message.run_id) == 1, col(Message.address) == "ana@example.com")
    changed(shop, update(Message).where(*where).values(address="=cmd@example.com", reason="@SUM(1)", message_id="-1"))
    answer = shop.studio_of(Role.MARKETER).get("/runs/1/people.csv")
    assert answer.headers["content-disposition"] == 'attachment; filename="run-1.csv"'
    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert len(rows) == 8
    cells = [cell for row in rows for cell in row.values()]
    assert {"'=cmd@example.com", "'@SUM(1)", "'-1"} <= set(cells)
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]
    one = shop.studio.get("/runs/1/people.csv?state=skipped").text
    assert "gina@example.com" in one
    assert "ben@example.com" not in one
    assert shop.studio_of(Role.VIEWER).get("/runs/1/people.csv").status_code == 403


def test_the_rules_say_in_words_what_they_did(shop):
    counts = {"out of stock": {"products": 3}, "hero cap": {"people": 2}}
    changed(shop, update(Run).values(rule_counts=json.dumps(counts)))
    words = shop.studio.get("/runs/1").text
    assert "Products taken off the shelf" in words
    assert "Lists changed by" in words
