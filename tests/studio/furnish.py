"""Something on every screen of the sample shop: a segment, jobs, a run that asks, one in doubt, tokens, audit lines."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from campaigns.models import Beat, Run, RunState
from studio.jobs import JobState
from studio.models import AuditLine, Job
from subscribers.database import writing
from subscribers.models import Segment

if TYPE_CHECKING:
    from .conftest import Shop


def furnish(shop: Shop) -> None:
    """Give every screen something to show."""
    now = shop.now
    with writing(shop.world.database) as session:
        session.add(Segment(name="lookers", rules="{}", created_at=now, changed_at=now))
        session.add(Beat(name="scheduler", at=now))
        session.add(
            Job(
                kind="train",
                state=JobState.DONE,
                asked_by="admin",
                asked_at=now,
                alive_at=now,
                finished_at=now,
                result=json.dumps({}),
            )
        )
        session.add(AuditLine(at=now, actor="admin", via="studio", action="login", subject="account admin"))
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
