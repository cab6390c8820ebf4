from __future__ import annotations

import json
import re
from datetime import timedelta
from html import unescape

import pytest
from sqlalchemy import select

from campaigns.training import train_model
from engine.errors import ModelRefused, NothingToTrainOn
from engine.recommend import registry
from engine.recommend.recipe import Recipe
from studio import model_work
from studio.models import AuditLine, Job
from studio.pages.model_plot import HEIGHT, WIDTH, drawing_of
from studio.roles import Role
from subscribers import signals
from subscribers.database import reading, writing
from subscribers.models import Kind

from .conftest import BOUGHT

pytestmark = pytest.mark.slow

FOUND = {
    "split_at": "2026-05-01", "days": 30, "customers": 1234, "candidates": 812,
    "models": [
        {"name": name, "ndcg@10": ndcg, "recall@10": 0.1, "hit_rate@10": 0.3, "coverage": coverage, "novelty": 9.0,
         "full_lists": 1.0, "top_hero": 0.05, "repeat_ndcg@10": 0.2, "cold_ndcg@10": 0.03}
        for name, ndcg, coverage in (("recent popular", 0.034, 0.11), ("<i>ours</i>", 0.06, 0.66))
    ],
    "trade_off": [{"trend": trend, "coverage": 0.6 - trend / 10, "ndcg@10": 0.05} for trend in (0.0, 1.0)],
}  # fmt: skip


def keep(shop, kind="evaluate", **values):
    with writing(shop.world.database) as session:
        job = Job(kind=kind, asked_by="admin", asked_at=shop.now, alive_at=shop.now, **values)
        session.add(job)
        session.commit()
        return job.id


def another_model(shop):
    """A second model, which is in use then. Returns both names, the older first."""
    older = registry.current(shop.world.settings.models)
    with reading(shop.world.database) as session:
        now = shop.now + timedelta(days=1)
        card = train_model(session, shop.world.settings, now=now, recipe=Recipe(components=5, epochs=1))
    return older, card.name


def notes(shop):
    with reading(shop.world.database) as session:
        return [(line.action, line.subject) for line in session.scalars(select(AuditLine).order_by(AuditLine.id))]


def test_the_page_says_which_model_is_in_use(shop):
    older, newer = another_model(shop)
    words = shop.studio.get("/model").text
    assert words.index(newer) < words.index(older)
    assert re.search(rf'name="name" value="{older}"', words)
    assert "Use this one" not in shop.studio_of(Role.VIEWER).get("/model").text


def test_another_model_is_used_and_the_one_before_again(shop):
    older, newer = another_model(shop)
    folder, client = shop.world.settings.models, shop.studio
    assert client.post("/model/use", data={"name": older}).headers["location"] == "/model?done=in-use"
    assert registry.current(folder) == older
    client.post("/model/roll-back")
    assert registry.current(folder) == newer
    assert notes(shop) == [("model.use", f"model {older}"), ("model.roll_back", "model in use")]


@pytest.mark.parametrize("name", ["", "../../secrets", "0" * 20, "x" * 1_000])
def test_a_model_that_is_not_there_is_not_used(shop, name):
    client, before = shop.studio, registry.current(shop.world.settings.models)
    client.get("/model")
    assert client.post("/model/use", data={"name": name}).status_code == 409
    assert registry.current(shop.world.settings.models) == before
    assert notes(shop) == []


@pytest.mark.parametrize("action", ["train", "evaluate", "use", "roll-back"])
def test_only_an_admin_changes_the_model(shop, action):
    assert shop.studio_of(Role.APPROVER).post(f"/model/{action}", data={"name": "x"}).status_code == 403
    assert notes(shop) == []


def test_to_train_is_a_job_whose_page_tells_of_it(shop, monkeypatch):
    client = shop.studio
    where = client.post("/model/train").headers["location"]
    assert where == "/jobs/1?done=started"
    assert "data-poll" in client.get(where).text
    assert "Follow it" in client.get("/model").text
    assert client.app.state.jobs.work_off() == 1
    words = client.get("/jobs/1").text
    assert "in use from the next plan on" in words
    assert "data-poll" not in words
    assert "data-ended" in client.get("/jobs/1/progress").text


def test_a_model_that_is_refused_is_told_of_and_is_no_failure(shop, monkeypatch):
    def refuse(*_, **__):
        raise ModelRefused("model x is not used: bestsellers did better")

    monkeypatch.setattr(model_work, "train_model", refuse)
    client = shop.studio
    client.post("/model/train")
    client.app.state.jobs.work_off()
    assert "bestsellers did better" in client.get("/jobs/1").text


def test_a_comparison_is_kept_with_its_job_and_shown(shop):
    with reading(shop.world.database) as session:
        ids = signals.ids_by_key(session, [shop.key(name) for name in BOUGHT])
    earlier = [
        signals.NewSignal(
            ids[shop.key(name)], code, Kind.PURCHASE, shop.now - timedelta(days=50), f"then {name} {code}"
        )
        for name in BOUGHT
        for code in ("brush", "clay")
    ]
    with writing(shop.world.database) as session:
        signals.record(session, earlier)
    client = shop.studio
    client.post("/model/evaluate")
    client.app.state.jobs.work_off()
    with reading(shop.world.database) as session:
        job = session.get(Job, 1)
    assert job.state == "done", job.problem
    assert {each["name"] for each in json.loads(job.result)["models"]} >= {"ours", "recent popular"}
    assert client.get("/model").status_code == 200


def test_the_comparison_is_drawn_and_told_in_numbers(shop):
    keep(shop, state="done", finished_at=shop.now, result=json.dumps(FOUND))
    words = shop.studio.get("/model").text
    assert 'role="img" aria-labelledby="plot-title plot-words"' in words
    assert "recent popular: accuracy 0.034, coverage 11%." in words
    assert '<td class="count">0.0600</td>' in words
    assert "<i>ours" not in words


def test_every_mark_stands_in_the_drawing():
    drawn = drawing_of(FOUND)
    assert len(drawn.marks) == 2
    assert all(0 < mark.x < WIDTH and 0 < mark.y < HEIGHT for mark in drawn.marks)
    low, high = sorted(drawn.marks, key=lambda mark: mark.x)
    assert high.y < low.y


def test_a_failed_job_is_started_again_by_who_may(shop):
    job_id = keep(shop, kind="train", state="failed", problem="there are no signals yet")
    words = shop.studio.get(f"/jobs/{job_id}").text
    assert "There are no signals yet." in words
    assert f'action="/jobs/{job_id}/again"' in words
    assert "/again" not in shop.studio_of(Role.MARKETER).get(f"/jobs/{job_id}").text
    assert shop.studio_of(Role.MARKETER).post(f"/jobs/{job_id}/again").status_code == 403
    assert shop.studio.post(f"/jobs/{job_id}/again").status_code == 303
    assert notes(shop) == [("job.again", f"job {job_id}")]


def test_a_job_of_a_kind_without_a_page_of_its_own_shows_what_came_of_it(shop):
    job_id = keep(shop, kind="other", state="done", finished_at=shop.now, result=json.dumps({"rows": 12, "more": [1]}))
    words = unescape(shop.studio.get(f"/jobs/{job_id}").text)
    assert "<dt>rows</dt><dd>12</dd>" in words


@pytest.mark.parametrize(("address", "status"), [("/jobs/99", 404), ("/jobs/0", 422), ("/jobs/99999999999", 422)])
def test_a_job_that_is_not_there(shop, address, status):
    assert shop.studio.get(address).status_code == status


def test_without_signals_the_comparison_says_so(empty_world):
    with pytest.raises(NothingToTrainOn):
        model_work.evaluate_now(empty_world, {}, lambda done: None)
