"""Begin a demo with an empty workspace, without losing anything: what was there is moved aside, refusals stay."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from sqlalchemy import Engine, select
from sqlmodel import Session, col

from campaigns.errors import WrongState
from campaigns.settings import load_settings
from subscribers.database import insert_new, open_database, reading, writing
from subscribers.models import Subscriber, Suppression

MARK = "demo.json"
_DATABASE = ("handpicked.db", "handpicked.db-wal", "handpicked.db-shm")
_SHOP = (*_DATABASE, "handpicked.toml", "models", "media", "sample", MARK)


def start_over(workspace: Path, shop: str, *, now: datetime) -> datetime:
    """Make the workspace ready for a demo of `shop`. Returns when its first demo began: the sample shop ends then.

    The outbox of an earlier demo is moved to `earlier/`, so that each demo ends with one mail a person. Another
    shop's database, models and pictures are moved there too; who opted out stays opted out. Raises WrongState for a
    workspace that is somebody's own and no demo.
    """
    workspace.mkdir(parents=True, exist_ok=True)
    mark = workspace / MARK
    before = json.loads(mark.read_text()) if mark.exists() else {}
    earlier, began = before.get("shop"), str(before.get("began", now.isoformat()))
    refusals = list[dict[str, object]]()
    settings = load_settings(workspace)
    if settings.database_url:
        raise WrongState("database_url is set, and a demo makes a database of its own; unset HANDPICKED_DATABASE_URL")
    database = settings.database
    if (workspace / "handpicked.db").exists():
        with _opened(database) as found, reading(found) as session:
            if earlier is None and session.execute(select(col(Subscriber.id)).limit(1)).first():
                raise WrongState(f"{workspace} holds a shop of your own; give the demo another folder: --workspace DIR")
            refusals = _refusals(session)
    aside = workspace / "earlier" / now.strftime("%Y%m%d-%H%M%S-%f")
    moved = ["outbox", *(_SHOP if earlier not in (None, shop) else ())]
    for name in moved:
        if (workspace / name).exists():
            aside.mkdir(parents=True, exist_ok=True)
            (workspace / name).rename(aside / name)
    if refusals and earlier not in (None, shop):
        with _opened(database) as fresh, writing(fresh) as session:
            insert_new(session, Suppression, refusals)
            session.commit()
    began = began if earlier == shop else now.isoformat()
    mark.write_text(json.dumps({"shop": shop, "began": began}))
    return datetime.fromisoformat(began)


@contextmanager
def _opened(url: str) -> Iterator[Engine]:
    """A database that is closed again: its file is about to be moved."""
    database = open_database(url)
    try:
        yield database
    finally:
        database.dispose()


def _refusals(session: Session) -> list[dict[str, object]]:
    rows = session.execute(select(col(Suppression.key), col(Suppression.reason), col(Suppression.at)))
    return [{"key": row.key, "reason": row.reason, "at": row.at} for row in rows]
