"""The model: which one is in use, how good it is beside simple rules, and going back to another."""

import json
from datetime import UTC, datetime
from pathlib import Path

from fastapi import APIRouter
from starlette.responses import Response

from campaigns.execute import World
from engine.errors import ModelDamaged, ModelMissing
from engine.recommend import registry
from engine.recommend.evaluate.contenders import ALL_TIME, KNN, OURS, OURS_FREE, OWN, PLAIN, RECENT
from engine.recommend.registry import ModelCard
from studio.actions import model as actions
from studio.actions.model import EVALUATE, TRAIN
from studio.jobs import Jobs, JobState, jobs_of
from studio.models import Job
from studio.pages.forms import Fields
from studio.pages.model_plot import drawing_of
from studio.pages.parameters import Typed
from studio.pages.shell import page, see_other
from studio.visit import Admin, Viewer
from subscribers.database import reading

MODELS_SHOWN = 50
UNDER_WAY = (JobState.WAITING, JobState.RUNNING)
WHAT = {
    ALL_TIME: "what sold best ever",
    RECENT: "what sells best now",
    OWN: "what they looked at before",
    KNN: "bought together with theirs",
    PLAIN: "factors alone",
    OURS: "what your campaigns send",
    OURS_FREE: "by score alone",
}
"""What each contender is, in words; those that are not here have none."""


def model_pages(world: World, jobs: Jobs) -> APIRouter:
    """/model, and what an admin may do: train, evaluate, use another model, go back."""
    pages = APIRouter()

    @pages.get("/model")
    def model(visit: Viewer) -> Response:
        folder = world.settings.models
        used = in_use(folder)
        with reading(world.database) as session:
            evaluated, trained = jobs_of(session, EVALUATE), jobs_of(session, TRAIN)
        newest = next((job for job in evaluated if job.state == JobState.DONE), None)
        found = json.loads(newest.result) if newest else None
        return page(
            "model/model.html",
            visit,
            card=_card(folder, used),
            used=used,
            since=_since(folder),
            cards=registry.cards(folder)[:MODELS_SHOWN],
            against=against_bestsellers,
            under_way=[job for job in (*trained, *evaluated) if job.state in UNDER_WAY],
            stuck=_stuck(trained, evaluated),
            evaluation=found,
            evaluated=newest,
            drawing=drawing_of(found) if found and found["customers"] else None,
            what=WHAT,
        )

    @pages.post("/model/train")
    def train(visit: Admin) -> Response:
        return _follow(actions.train(world, visit))

    @pages.post("/model/evaluate")
    def evaluate(visit: Admin) -> Response:
        return _follow(actions.evaluate(world, visit))

    @pages.post("/model/use")
    def use(visit: Admin, fields: Typed) -> Response:
        actions.use(world, visit, _name_in(fields))
        return see_other("/model", "in-use")

    @pages.post("/model/roll-back")
    def roll_back(visit: Admin) -> Response:
        actions.roll_back(world, visit)
        return see_other("/model", "in-use")

    def _follow(job: Job) -> Response:
        jobs.wake()
        return see_other(f"/jobs/{job.id}", "started")

    return pages


def in_use(folder: Path) -> str:
    """The name of the model in use, or ""."""
    try:
        return registry.current(folder)
    except ModelMissing:
        return ""


def against_bestsellers(card: ModelCard) -> dict[str, float] | None:
    """What the model reached on the 30 days before it was trained, beside bestsellers; None when too few bought."""
    ours, theirs = card.metrics.get(f"ndcg@10 {OURS}"), card.metrics.get(f"ndcg@10 {RECENT}")
    if ours is None or theirs is None:
        return None
    return {"ours": ours, "bestsellers": theirs, "people": card.metrics.get("customers", 0.0)}


def _card(folder: Path, used: str) -> ModelCard | None:
    try:
        return registry.card(folder, used) if used else None
    except (ModelMissing, ModelDamaged):
        return None


def _since(folder: Path) -> datetime | None:
    """When the model in use was chosen: when the file that names it was written."""
    try:
        return datetime.fromtimestamp((folder / "current").stat().st_mtime, UTC)
    except FileNotFoundError:
        return None


def _stuck(*kinds: list[Job]) -> list[Job]:
    """The newest job of each kind, where it came to no good end."""
    newest = [jobs[0] for jobs in kinds if jobs]
    return [job for job in newest if job.state in (JobState.FAILED, JobState.INTERRUPTED)]


def _name_in(fields: Fields) -> str:
    return fields.one("name")[:64]
