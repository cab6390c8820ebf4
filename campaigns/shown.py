"""What people saw in their last mails, so that the next one shows something else."""

from collections.abc import Sequence
from datetime import datetime
from itertools import repeat
from typing import Any

import numpy as np
import orjson
from sqlalchemy import func, select
from sqlmodel import Session, col

from campaigns.models import Message, MessageState, Run
from engine.recommend.guardrails import NOTHING_SHOWN, Shown

SEEN = (MessageState.ACCEPTED, MessageState.IN_DOUBT, MessageState.HANDING_OVER)


def shown_lately(session: Session, mails: int, *, now: datetime, only: Sequence[int] | None = None) -> Shown:
    """The products of each person's last `mails` mails before `now`, whichever campaign they were of.

    A mail that was planned but never handed over was not seen; one in doubt may have been. only: these subscribers.
    """
    if mails < 1:
        return NOTHING_SHOWN
    place = func.row_number().over(
        partition_by=col(Message.subscriber_id), order_by=(col(Run.planned_at).desc(), col(Message.id).desc())
    )
    seen = (
        select(col(Message.subscriber_id), col(Message.run_id), col(Message.picks), place.label("place"))
        .join_from(Message, Run, col(Run.id) == col(Message.run_id))
        .where(col(Message.state).in_(SEEN), col(Run.planned_at) < now)
    )
    if only is not None:
        seen = seen.where(col(Message.subscriber_id).in_(only))
    found = seen.subquery()
    latest = select(found.c.subscriber_id, found.c.run_id, found.c.picks).where(found.c.place <= mails)
    moments = _moments(session, before=now)
    cursor: Any = session.connection().execute(latest).cursor  # the driver's own: plain tuples
    people, sku, at = list[int](), list[int](), list[int]()
    for subscriber_id, run_id, picks in cursor:
        listed = [pick[0] for pick in orjson.loads(picks)]
        sku += listed
        people += repeat(subscriber_id, len(listed))
        at += repeat(moments[run_id], len(listed))
    return Shown(np.array(people, dtype=np.int64), np.array(sku, dtype=np.int64), np.array(at, dtype=np.int64))


def _moments(session: Session, *, before: datetime) -> dict[int, int]:
    """When each run was planned, in seconds since 1970."""
    runs = session.execute(select(col(Run.id), col(Run.planned_at)).where(col(Run.planned_at) < before))
    return {run_id: int(planned_at.timestamp()) for run_id, planned_at in runs}
