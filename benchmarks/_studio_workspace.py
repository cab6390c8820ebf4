"""A workspace as large as a big shop's, for the studio's benchmark: made once, kept in a folder, found again there."""

import json
import sqlite3
from datetime import timedelta
from pathlib import Path

import numpy as np
from _harness import note
from _shop import CAMPAIGN, make_shop
from _studio_rows import put, put_messages, put_people, put_signals
from sqlalchemy import func, select, text
from sqlmodel import Session

from campaigns.definition import Definition
from campaigns.edit import move, save_campaign, schedule
from campaigns.execute import World, carry_on, start_run
from campaigns.models import Run, RunState
from studio.jobs import JobState
from studio.models import AuditLine, Job
from subscribers.database import insert_rows, writing
from subscribers.models import Subscriber
from subscribers.segment_rules import SegmentRules
from subscribers.segments import save_segment

BEGINNING = 2_000  # people of the sample shop that everything else is put into
PRODUCTS = 2_000
AUDIT_LINES = 20_000
_DONE = "benchmark.json"
_SEGMENTS = {
    "german": SegmentRules(languages=("de",)),
    "new-people": SegmentRules(joined_within_days=90),
    "buyers": SegmentRules(purchases=2),
    "quiet": SegmentRules(did_not={"any": 90}),
}


def make_workspace(folder: Path, people: int, signals: int, messages: int) -> None:
    """The workspace in this folder; nothing to do when it is there, as large as that. It takes some minutes."""
    sizes = {"people": people, "signals": signals, "messages": messages}
    if (folder / _DONE).is_file():
        found = json.loads((folder / _DONE).read_text())
        if found != sizes:
            raise SystemExit(f"{folder} has {found}, not {sizes}; name another --workspace, or delete it")
        return
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise SystemExit(f"{folder} is not empty, and holds no finished workspace; delete it first")
    note("a sample shop, and a model")
    world = make_shop(folder, min(BEGINNING, people // 2), signals_each=15, epochs=2)
    run = start_run(world, CAMPAIGN)
    assert run is not None
    assert run.id is not None
    carry_on(world, run.id)
    with writing(world.database) as session:
        session.connection().execute(text("UPDATE run SET planned_at = planned_at"))  # the log is empty afterwards
        there = session.scalar(select(func.count()).select_from(Subscriber)) or 0
        session.commit()
    world.close()
    _many(world, run.id, there, sizes)
    note("campaigns, segments, audit lines, jobs")
    with writing(world.database) as session:
        _the_rest(session, world)
    world.close()
    (folder / _DONE).write_text(json.dumps(sizes))


def _many(world: World, run: int, there: int, sizes: dict[str, int]) -> None:
    people = sizes["people"]
    file = sqlite3.connect(world.settings.workspace / "handpicked.db", isolation_level=None)
    for setting in ("journal_mode=OFF", "synchronous=OFF", "cache_size=-1000000", "foreign_keys=OFF"):
        file.execute(f"PRAGMA {setting}")
    _more_products(file)
    note("people")
    put_people(file, there + 1, people, world.secrets)
    note("signals")
    sku = np.array([row[0] for row in file.execute("SELECT sku_id FROM product ORDER BY sku_id")])
    (known,) = file.execute("SELECT count(*) FROM signal").fetchone()
    put_signals(file, sizes["signals"] - known, people, sku)
    note("messages")
    put_messages(file, run, there + 1, min(people, sizes["messages"]))
    file.execute("PRAGMA journal_mode=WAL")
    file.close()


def _more_products(file: sqlite3.Connection) -> None:
    """As many as a big shop has: those that are there again and again, under other names."""
    file.row_factory = sqlite3.Row
    like = [dict(row) for row in file.execute("SELECT * FROM product ORDER BY sku_id")]
    file.row_factory = None
    (last,) = file.execute("SELECT max(id) FROM sku").fetchone()
    more = [
        like[number % len(like)]
        | {"sku_id": last + 1 + number, "code": f"M-{number:05}"}
        | {"title": f"{like[number % len(like)]['title']} no. {number // len(like) + 2}"[:150]}
        for number in range(PRODUCTS - len(like))
    ]
    put(file, "sku", ["id", "code"], ((row["sku_id"], row["code"]) for row in more))
    put(file, "product", list(like[0]), (tuple(row.values()) for row in more))


def _the_rest(session: Session, world: World) -> None:
    now = world.clock()
    for name, rules in _SEGMENTS.items():
        save_segment(session, name, rules, now=now)
    for number in range(12):
        name = f"letter-{number}"
        save_campaign(session, Definition(name), world.settings, now=now)
        if number % 3:
            schedule(session, name, now=now, cron=f"0 {number} * * 1", time_zone="Europe/Berlin")
        if number % 3 == 2:
            move(session, name, "pause", now=now)
    waiting = Run(campaign_id=2, occurrence=now - timedelta(hours=1), planned_at=now, alive_at=now)
    waiting.state, waiting.stopped_because = RunState.ASKING, "its time was missed"
    session.add(waiting)
    session.add(Job(kind="import", state=JobState.FAILED, asked_by="big", asked_at=now, alive_at=now, problem="gone"))
    lines = [
        {"at": now - timedelta(minutes=number), "actor": "big", "via": "studio", "action": "campaign.save"}
        | {"subject": f"campaign letter-{number % 12}", "detail": ""}
        for number in range(AUDIT_LINES, 0, -1)
    ]
    insert_rows(session, AuditLine, lines)
    session.commit()
