"""/products, /model, /jobs and /audit."""

import json
from typing import Annotated

from fastapi import APIRouter, HTTPException, Path
from sqlalchemy import select
from sqlmodel import col

from campaigns.execute import World
from engine.catalog import Product
from engine.errors import ModelMissing
from engine.recommend import registry
from studio.actions import model as actions
from studio.api.answers import At, AuditAnswer, Done, JobAnswer, ModelAnswer, Number, Page, ProductAnswer, Rows, Text
from studio.jobs import Jobs, find_job
from studio.models import Job
from studio.pages.audit import Actor, Subject, audit_lines
from studio.pages.slices import ROWS, slice_of
from studio.visit import Admin, Viewer
from subscribers.database import reading

Code = Annotated[Text, Path(max_length=100)]
ModelName = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]


def shop_routes(world: World, jobs: Jobs) -> APIRouter:
    """All of it."""
    routes = APIRouter()
    _add_products(routes, world)
    _add_model(routes, world, jobs)

    @routes.get("/jobs", tags=["jobs"])
    def newest_jobs(visit: Viewer, at: At = "", rows: Rows = ROWS) -> Page[JobAnswer]:
        with reading(world.database) as session:
            found = slice_of(session, select(Job, col(Job.id)), [col(Job.id)], at=at, rows=rows, newest_first=True)
        return Page(items=[job_answer(row[0]) for row in found.rows], next=found.later)

    @routes.get("/jobs/{job_id}", tags=["jobs"])
    def job(job_id: Number, visit: Viewer) -> JobAnswer:
        with reading(world.database) as session:
            return job_answer(find_job(session, job_id))

    @routes.get("/audit", tags=["audit"])
    def audit(
        visit: Admin, actor: Actor = "", subject: Subject = "", at: At = "", rows: Rows = ROWS
    ) -> Page[AuditAnswer]:
        with reading(world.database) as session:
            found = audit_lines(session, actor=actor, subject=subject, at=at, rows=rows)
        names = ("at", "actor", "via", "action", "subject", "detail")
        items = [AuditAnswer.model_validate(dict(zip(names, row[:6], strict=True))) for row in found.rows]
        return Page(items=items, next=found.later)

    return routes


def _add_products(routes: APIRouter, world: World) -> None:
    @routes.get("/products", tags=["products"])
    def products(visit: Viewer, at: At = "", rows: Rows = ROWS) -> Page[ProductAnswer]:
        with reading(world.database) as session:
            query = select(Product, col(Product.code))
            found = slice_of(session, query, [col(Product.code)], at=at, rows=rows)
        items = [ProductAnswer.model_validate(row[0], from_attributes=True) for row in found.rows]
        return Page(items=items, next=found.later)

    @routes.get("/products/{code}", tags=["products"])
    def product(code: Code, visit: Viewer) -> ProductAnswer:
        with reading(world.database) as session:
            found = session.scalars(select(Product).where(col(Product.code) == code)).first()
        if found is None:
            raise HTTPException(404, f"there is no product {code!r}")
        return ProductAnswer.model_validate(found, from_attributes=True)


def _add_model(routes: APIRouter, world: World, jobs: Jobs) -> None:
    @routes.get("/models", tags=["model"])
    def models(visit: Viewer) -> list[ModelAnswer]:
        folder = world.settings.models
        try:
            used = registry.current(folder)
        except ModelMissing:
            used = ""
        return [_model(card, used) for card in registry.cards(folder)]

    @routes.get("/models/current", tags=["model"])
    def current(visit: Viewer) -> ModelAnswer:
        used = registry.current(world.settings.models)
        return _model(registry.card(world.settings.models, used), used)

    @routes.post("/models/train", tags=["model"], status_code=202)
    def train(visit: Admin) -> JobAnswer:
        job = actions.train(world, visit)
        jobs.wake()
        return job_answer(job)

    @routes.post("/models/{name}/use", tags=["model"])
    def use(name: ModelName, visit: Admin) -> Done:
        actions.use(world, visit, name)
        return Done()


def _model(card: registry.ModelCard, used: str) -> ModelAnswer:
    return ModelAnswer(
        name=card.name,
        trained_at=card.trained_at,
        people=card.people,
        products=card.products,
        metrics=dict(card.metrics),
        current=card.name == used,
    )


def job_answer(job: Job) -> JobAnswer:
    """A job as the API shows it."""
    return JobAnswer.model_validate(job.model_dump() | {"result": json.loads(job.result)})
