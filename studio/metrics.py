"""/metrics for Prometheus: how the shop's runs and the studio itself are doing. No address stands in any label.

What is in the database is read when it is asked for, by bounded queries; what takes long comes from the kept figures.
Requests are counted in this process, by the template of their route: /runs/{run_id} is one, however many there are.
"""

import time
from collections.abc import Iterable

from fastapi import APIRouter
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector
from sqlalchemy import func, select
from sqlmodel import Session, col
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from campaigns import beats, ledger
from campaigns.execute import World
from campaigns.models import Run, RunState
from studio.figures import Figures
from studio.models import Job
from studio.visit import Viewer
from subscribers.database import reading
from subscribers.models import Subscriber

UNFINISHED = (RunState.ASKING, RunState.PLANNING, RunState.PLANNED, RunState.SENDING, RunState.PAUSED)
MOST_RUNS = 20  # unfinished ones of which each is told apart; a shop has one or two
REQUESTS = CollectorRegistry()
_COUNT = Counter("handpicked_requests", "Requests to the studio.", ("method", "route", "status"), registry=REQUESTS)
_SECONDS = Histogram(
    "handpicked_request_seconds", "How long they took.", ("route",), registry=REQUESTS,
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1, 2.5, 5, 10),
)  # fmt: skip
_METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE")


class CountRequests:
    """Counts each request and its time, by the template of its route."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, began = 500, time.perf_counter()

        async def listen(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, listen)
        finally:
            route = getattr(scope.get("route"), "path", "")
            route = scope.get("root_path", "") + route if route else "other"
            method = scope["method"] if scope["method"] in _METHODS else "other"
            _COUNT.labels(method, route, str(status)).inc()
            _SECONDS.labels(route).observe(time.perf_counter() - began)


def metric_pages(world: World, figures: Figures) -> APIRouter:
    """/metrics; the wall asks for an access token before it."""
    pages = APIRouter()

    @pages.get("/metrics")
    def metrics(visit: Viewer) -> Response:
        now_and_here = CollectorRegistry()
        now_and_here.register(_FromDatabase(world, figures))
        return Response(
            generate_latest(now_and_here) + generate_latest(REQUESTS), headers={"Content-Type": CONTENT_TYPE_LATEST}
        )

    return pages


class _FromDatabase(Collector):
    """What the database says now."""

    def __init__(self, world: World, figures: Figures) -> None:
        self._world, self._figures = world, figures

    def describe(self) -> Iterable[Metric]:
        """Nothing beforehand: registering asks no database."""
        return []

    def collect(self) -> Iterable[Metric]:
        """One gauge after the other."""
        with reading(self._world.database) as session:
            yield from _runs(session)
            yield _by("handpicked_jobs", "Jobs of the studio.", session, Job)
            beat = beats.last_beat(session, beats.SCHEDULER)
        age = (self._world.clock() - beat).total_seconds() if beat else float("nan")
        yield _one("handpicked_scheduler_beat_age_seconds", "Since the scheduler last said that it looks.", age)
        people = self._figures("metrics subscribers", _count_people)
        if people.value is not None:
            yield _one("handpicked_subscribers", "People on the roster, as counted last.", people.value)
            yield _one("handpicked_subscribers_age_seconds", "Since they were counted.", people.age.total_seconds())


def _runs(session: Session) -> Iterable[Metric]:
    yield _by("handpicked_runs", "Runs by state.", session, Run)
    messages = GaugeMetricFamily(
        "handpicked_messages", "Messages of runs that are not finished, by state.", labels=("run", "state")
    )
    unfinished = select(col(Run.id)).where(col(Run.state).in_(UNFINISHED)).order_by(col(Run.id).desc()).limit(MOST_RUNS)
    for run_id in session.scalars(unfinished).all():
        for state, count in ledger.totals(session, run_id or 0).items():
            messages.add_metric((str(run_id), str(state)), count)
    yield messages


def _by(name: str, words: str, session: Session, table: type[Run] | type[Job]) -> Metric:
    gauge = GaugeMetricFamily(name, words, labels=("state",))
    for state, count in session.execute(select(col(table.state), func.count()).group_by(col(table.state))):
        gauge.add_metric((str(state),), count)
    return gauge


def _one(name: str, words: str, value: float) -> Metric:
    return GaugeMetricFamily(name, words, value=value)


def _count_people(session: Session) -> int:
    return int(session.execute(select(func.count()).where(col(Subscriber.address) != "")).scalar_one())
