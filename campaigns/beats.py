"""Signs of life of what runs all the time, such as the scheduler: it says that it looks, and others ask when it did."""

from datetime import datetime, timedelta

from sqlalchemy import CursorResult, update
from sqlmodel import Session, col

from campaigns.models import Beat
from subscribers.database import insert_new

SCHEDULER = "scheduler"
SILENT_AFTER = timedelta(seconds=30)  # a scheduler looks every 5 s, and may wait for somebody's write


def beat(session: Session, name: str, *, now: datetime) -> None:
    """Say that this is alive; commits. Of several of one name the newest counts."""
    renewed = session.execute(update(Beat).where(col(Beat.name) == name).values(at=now))
    if not (isinstance(renewed, CursorResult) and renewed.rowcount):
        insert_new(session, Beat, [{"name": name, "at": now}])
    session.commit()


def last_beat(session: Session, name: str) -> datetime | None:
    """When it last said so, None when it never did."""
    found = session.get(Beat, name, populate_existing=True)
    return found.at if found else None


def is_alive(session: Session, name: str, *, now: datetime) -> bool:
    """Whether it said so within the last 30 seconds."""
    last = last_beat(session, name)
    return last is not None and now - last <= SILENT_AFTER
