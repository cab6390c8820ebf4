"""Something on every screen of the sample shop: a segment, imports, a run that asks, one that failed, audit lines."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from campaigns.models import Beat, Run, RunState
from studio.jobs import JobState
from studio.models import Job
from subscribers.database import writing
from subscribers.models import Segment

if TYPE_CHECKING:
    from .conftest import Shop

ROSTER = "email,given_name,mail\nivy@example.com,Ivy,yes\nno-address,=1+1,yes\n"


def furnish(shop: Shop) -> dict[str, str]:
    """Give every screen something to show. Returns what stands for the parameters of routes that only we know."""
    now = shop.now
    with writing(shop.world.database) as session:
        session.add(Segment(name="lookers", rules="{}", created_at=now, changed_at=now))
        session.add(Beat(name="scheduler", at=now))
        session.add(
            Run(
                campaign_id=1,
                occurrence=now.replace(hour=10),
                state=RunState.ASKING,
                planned_at=now,
                alive_at=now,
                stopped_because="its time was missed by 3 h",
            )
        )
        session.commit()
    uploads = _import_a_file(shop)
    with writing(shop.world.database) as session:
        for state in JobState:
            session.add(_training(shop, state))
        session.commit()
    return uploads


def _import_a_file(shop: Shop) -> dict[str, str]:
    """Job 1: two rows, of which one is rejected. And a file that still waits to be looked at."""
    client = shop.studio
    places = [
        client.post("/imports/new", data={"kind": "subscribers"}, files={"file": ("people.csv", ROSTER, "text/csv")})
        for _ in range(2)
    ]
    first, waits = (place.headers["location"] for place in places)
    fields = {"field-address": "email", "field-given_name": "given_name", "field-mail": "mail"}
    assert client.post(first, data=fields).headers["location"].startswith("/jobs/1")
    client.app.state.jobs.work_off()  # type: ignore[attr-defined]
    return {"/imports/new/{token}": waits.rsplit("/", 1)[1]}


def _training(shop: Shop, state: JobState) -> Job:
    over = state in (JobState.DONE, JobState.FAILED)
    return Job(
        kind="train",
        state=state,
        asked_by="admin",
        asked_at=shop.now,
        alive_at=shop.now,
        finished_at=shop.now if over else None,
        problem="there is nothing to train on" if state == JobState.FAILED else "",
        result=json.dumps({}),
    )
