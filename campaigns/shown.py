"""What people saw in their last mails, so that the next one shows something else."""

import json
from datetime import datetime

import numpy as np
from sqlalchemy import func, select
from sqlmodel import Session, col

from campaigns.models import Message, MessageState, Run
from engine.recommend.guardrails import NOTHING_SHOWN, Shown

SEEN = (MessageState.ACCEPTED, MessageState.IN_DOUBT, MessageState.HANDING_OVER)


def shown_lately(session: Session, mails: int, *, now: datetime) -> Shown:
    """The products of each person's last `mails` mails before `now`, whichever campaign they were of.

    A mail that was planned but never handed over was not seen; one in doubt may have been.
    """
    if mails < 1:
        return NOTHING_SHOWN
    place = func.row_number().over(
        partition_by=col(Message.subscriber_id), order_by=(col(Run.planned_at).desc(), col(Message.id).desc())
    )
    seen = (
        select(col(Message.subscriber_id), col(Run.planned_at), col(Message.picks), place.label("place"))
        .join_from(Message, Run, col(Run.id) == col(Message.run_id))
        .where(col(Message.state).in_(SEEN), col(Run.planned_at) < now)
        .subquery()
    )
    rows = session.execute(select(seen.c.subscriber_id, seen.c.planned_at, seen.c.picks).where(seen.c.place <= mails))
    people, sku, at = list[int](), list[int](), list[int]()
    for subscriber_id, planned_at, picks in rows:
        listed = [pick[0] for pick in json.loads(picks)]
        people += [subscriber_id] * len(listed)
        sku += listed
        at += [int(planned_at.timestamp())] * len(listed)
    return Shown(np.array(people, dtype=np.int64), np.array(sku, dtype=np.int64), np.array(at, dtype=np.int64))
