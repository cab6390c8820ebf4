"""A snapshot: what everybody's mail is at one moment, as hashes, and the mails themselves of some people or of all.

The same data, template, model and moment give the same files, byte for byte. What differs from send to send is fixed:
the mails of a campaign's snapshot carry one date and Message-IDs by person; those of a run are as they are sent.
"""

import json
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Engine, select
from sqlmodel import Session, col

from campaigns import segments
from campaigns.audience import audience
from campaigns.finding import find_campaign
from campaigns.freeze import frozen_press, make_cards, make_content, thaw
from campaigns.frequency import had_enough
from campaigns.letters import row_of
from campaigns.models import Message, Run
from campaigns.pick_rules import as_plain, rules_in
from campaigns.plan import Drafts, picks_of
from campaigns.press import Press
from campaigns.review import manifest, provenance
from campaigns.review.archive import MAILS, PEOPLE, Archive, Kept, write_files
from campaigns.review.errors import SnapshotUnreadable
from campaigns.review.press_work import Words, fingerprints
from campaigns.runs import campaign_of, find_run
from campaigns.settings import Settings
from campaigns.view import recommender
from engine.catalog import Product
from engine.memory import looking_for_garbage_seldom
from subscribers.database import reading
from subscribers.secrets import Secrets

BATCH = 500
SAMPLE = 50
DATE = datetime(2000, 1, 1, tzinfo=UTC)  # of the mails of a campaign, which has none yet
NEVER = "an empty folder, or one that holds a snapshot, is written to; {} is neither: choose another"
_OURS = {manifest.MANIFEST, manifest.PRODUCTS, PEOPLE, MAILS}
_COLUMNS = ("key", "reason", "sha256", "address", "given_name", "language", "banner", "picks", "message_id", "token")

Progress = Callable[[int, int], None]
"""Called with (people done, people in all)."""
Draft = dict[str, Any]
"""One person's row, as `campaigns.plan.Drafts` makes it or the ledger holds it."""


class Depth(NamedTuple):
    """What is kept besides hashes: the files of so many people; with `every` all mails in one small file."""

    sample: int = SAMPLE
    every: bool = False


@dataclass(frozen=True)
class _Source:
    """What a snapshot is of. drafts: everybody's row, in order of keys. codes: of products, by sku_id."""

    head: dict[str, Any]
    products: dict[str, dict[str, Any]]
    codes: dict[int, str]
    press: Press
    drafts: Iterator[Draft]
    people: int


@dataclass(frozen=True)
class Taken:
    """A snapshot that was made. files: of how many people the mail itself is there."""

    folder: Path
    people: int
    mails: int
    files: int


def snapshot_campaign(
    database: Engine,
    name: str,
    folder: Path,
    settings: Settings,
    secrets: Secrets,
    *,
    at: datetime,
    depth: Depth | None = None,
    progress: Progress | None = None,
) -> Taken:
    """What everybody would get if the campaign went out at this moment. Writes nothing to the database.

    Raises CampaignUnknown, ModelMissing, TemplateBroken, SnapshotUnreadable for a folder with something else in it.
    """
    _check(folder)
    with reading(database) as session:
        source = _of_campaign(session, name, settings, secrets, at)
    return _write(source, folder, depth or Depth(), progress)


def snapshot_run(
    database: Engine, run_id: int, folder: Path, *, depth: Depth | None = None, progress: Progress | None = None
) -> Taken:
    """What everybody gets from a planned run, from its frozen rows. Raises RunUnknown, WrongState, TemplateBroken."""
    _check(folder)
    with reading(database) as session:
        source = _of_run(session, database, run_id)
    return _write(source, folder, depth or Depth(), progress)


def _of_campaign(session: Session, name: str, settings: Settings, secrets: Secrets, at: datetime) -> _Source:
    campaign = find_campaign(session, name)
    rules = rules_in(campaign.rules, settings)
    view, model = recommender(session, settings.models, rules, now=at)
    content = make_content(campaign, settings)
    cards = make_cards(session, content.public_url)
    among = segments.people_of(session, segments.segments_of(campaign), at)
    people = sorted(
        audience(session, enough=had_enough(session, settings, now=at), among=among), key=lambda person: person.key
    )
    known = _all_products(session)
    products = provenance.product_lines(cards, known, now=True)
    drafts = Drafts(Run(campaign_id=campaign.id or 0, occurrence=DATE, planned_at=at, alive_at=at), content, secrets)
    picks = picks_of(people, view, campaign.picks)
    head = {
        "campaign": name,
        "run": None,
        "picks": campaign.picks,
        "at": at.isoformat(),
        **provenance.hashes_of(content, products, as_plain(rules)),
        "model": model,
        "history": provenance.history_of(session, at),
        "audience": provenance.hash_of([person.key for person in people if not person.skip]),
        "code": provenance.code(),
    }
    rows = (drafts.row(person, found) for person, found in zip(people, picks, strict=True))
    return _Source(head, products, _codes(known), Press(content, cards, date=DATE), rows, len(people))


def _of_run(session: Session, database: Engine, run_id: int) -> _Source:
    run = find_run(session, run_id)
    press, campaign = frozen_press(session, run), campaign_of(session, run)
    known = _all_products(session)
    cards = {int(sku_id): card for sku_id, card in thaw(session, run.cards_sha256).items()}
    products = provenance.product_lines(cards, known, now=False)
    head: dict[str, Any] = {
        "campaign": campaign.name,
        "run": run_id,
        "at": run.planned_at.isoformat(),
        **provenance.hashes_of(press.content, products, json.loads(run.rules)),
        "model": run.model,
        "history": {"until": run.planned_at.isoformat()},
        "code": provenance.code(),
    }
    found = select(col(Message.key), col(Message.id), col(Message.sha256) != "").where(col(Message.run_id) == run_id)
    rows = sorted(tuple(row) for row in session.execute(found))
    head["audience"] = provenance.hash_of([key for key, _, mailed in rows if mailed])
    ids = [number for _, number, _ in rows]
    return _Source(head, products, _codes(known), press, _frozen_rows(database, ids), len(ids))


def _frozen_rows(database: Engine, ids: list[int]) -> Iterator[Draft]:
    """The rows of a run, some at a time: memory stays flat."""
    columns = [getattr(Message, name) for name in _COLUMNS]
    for part in _batches(iter(ids)):
        with reading(database) as session:
            found = session.execute(select(*columns).where(col(Message.id).in_(part))).mappings().all()
        for row in sorted(found, key=lambda row: str(row["key"])):
            # what became of a mail since is the ledger's: in the plan a person has a mail, or a reason for none
            yield dict(row) | {"reason": "" if row["sha256"] else row["reason"]}


def _write(source: _Source, folder: Path, depth: Depth, progress: Progress | None) -> Taken:
    """Write beside the folder and change places at the end: a snapshot is whole or not there."""
    shown, folder = folder, folder.resolve()
    fresh = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    manifest.write_products(fresh, source.products)
    done = mails = 0
    with (fresh / manifest.MANIFEST).open("wb") as file, source.press, looking_for_garbage_seldom():
        file.write(manifest.first_line(source.head))

        def lines() -> Iterator[bytes]:
            nonlocal done, mails
            for rows, hashes in _pressed(source, fresh, depth):
                for row in rows:
                    yield _line(row, None if row["reason"] else next(hashes), source.codes)
                    mails += not row["reason"]
                done += len(rows)
                if progress:
                    progress(done, source.people)

        file.writelines(manifest.joined(lines()))
        file.write(manifest.LAST_LINE)
    _change_places(fresh, folder)
    return Taken(shown, source.people, mails, mails if depth.every else min(mails, depth.sample))


def _pressed(
    source: _Source, folder: Path, depth: Depth
) -> Iterator[tuple[list[Draft], Iterator[tuple[str, str, str]]]]:
    """Batches with the hashes of their letters, which are written while the next batch is drafted."""
    archive = Archive(folder) if depth.every else None
    left, under_way, keys = depth.sample, list[Draft](), list[str]()

    def finished() -> tuple[list[Draft], Iterator[tuple[str, str, str]]]:
        hashes, words = source.press.finish()
        for key, kept in zip(keys, words, strict=False):
            _keep(folder, archive, key, kept)
        return under_way, iter(hashes)

    try:
        for rows in _batches(source.drafts):
            if under_way:
                yield finished()
            mailed = [row for row in rows if not row["reason"]]
            source.press.begin(fingerprints, [row_of(row) for row in mailed], left, depth.every)
            left, under_way, keys = max(left - len(mailed), 0), rows, [row["key"] for row in mailed]
        if under_way:
            yield finished()
    finally:
        if archive:
            archive.close()


def _keep(folder: Path, archive: Archive | None, key: str, words: Words) -> None:
    if words.message:
        html, text = (
            "".join([part if isinstance(part, str) else part[0] for part in cut]) for cut in (words.html, words.text)
        )
        write_files(folder, key, Kept(words.subject, html, text), words.message)
    if archive:
        archive.add(key, words.subject, words.html, words.text)


def _line(row: Draft, hashes: tuple[str, str, str] | None, codes: dict[int, str]) -> bytes:
    """One person: by key, as git and colleagues may see it. Of the picks what can be read: products and sentences."""
    if hashes is None:
        return orjson.dumps({"key": row["key"], "reason": row["reason"]})
    picks = [[codes.get(pick[0], f"sku {pick[0]}"), pick[3]] for pick in orjson.loads(row["picks"])]
    subject, html, text = hashes
    line = {"key": row["key"], "subject": subject, "html": html, "text": text, "picks": provenance.hash_of(picks)}
    return orjson.dumps({**line, "products": [code for code, _ in picks]})


def _all_products(session: Session) -> dict[int, Product]:
    return {product.sku_id: product for product in session.scalars(select(Product))}


def _codes(products: dict[int, Product]) -> dict[int, str]:
    return {sku_id: product.code for sku_id, product in products.items()}


def _batches(rows: Iterable[Any]) -> Iterator[list[Any]]:
    several = iter(rows)
    while batch := list(islice(several, BATCH)):
        yield batch


def _check(folder: Path) -> None:
    """Refuse to write over something that is none of ours."""
    if folder.is_file() or (folder.is_dir() and {path.name for path in folder.iterdir()} - _OURS):
        raise SnapshotUnreadable(NEVER.format(folder))


def _change_places(fresh: Path, folder: Path) -> None:
    old = folder.with_name(f".{folder.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.replace(old)
    fresh.replace(folder)
    shutil.rmtree(old, ignore_errors=True)
