"""Decide and freeze: one row per person, with their picks or the one reason why they get nothing."""

import hashlib
import hmac
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import orjson
from sqlalchemy import Engine, delete, update
from sqlmodel import Session, col

from campaigns import approval, approved_runs, ledger, reasons, segments
from campaigns.audience import Person, as_arrays, audience
from campaigns.erasure import erase_from_plan
from campaigns.errors import WrongState
from campaigns.freeze import freeze, make_cards, make_content
from campaigns.frequency import had_enough
from campaigns.letters import row_of, seal_of
from campaigns.models import Message, MessageState, Run, RunState
from campaigns.pick_rules import as_plain, rules_in
from campaigns.press import Judged, Press
from campaigns.review.findings import Review
from campaigns.runs import campaign_of, find_run
from campaigns.settings import Settings
from campaigns.view import recommender
from campaigns.waves import Waves, waves_of_run
from engine.memory import looking_for_garbage_seldom
from engine.recommend.explain import Why
from engine.recommend.recommender import Heroes, PersonPicks, Recommender
from engine.render.banners import label_for
from engine.render.content import Content
from engine.render.languages import languages_of, locale_of, words_for
from engine.render.locale import Words
from subscribers.database import insert_rows, reading, writing
from subscribers.links import unsubscribe_signer
from subscribers.secrets import Secrets

PEOPLE_A_BATCH = 1_000
NO_PICKS = "nothing left to recommend"

Progress = Callable[[int, int], None]
"""Called with (people done, people in all)."""


def plan_run(
    database: Engine, run_id: int, settings: Settings, secrets: Secrets, *, progress: Progress | None = None
) -> Run:
    """Fill a run in state `planning`: rows for everybody, what they are made from, and the manifest over it all.

    Rows are written in batches and count only once the run is `planned`; a run that died half-way is planned from
    the start, for the same moment. Every letter is checked as it is written; what must not be sent is noted on the
    run. Raises WrongState when the run is planned already.
    """
    with reading(database) as session:
        run = find_run(session, run_id)
        campaign = campaign_of(session, run)
        rules = rules_in(campaign.rules, settings)
        view, model = recommender(session, settings.models, rules, now=run.planned_at)
        content = make_content(campaign, settings)
        cards = make_cards(session, content.public_url)
        enough = had_enough(session, settings, now=run.planned_at, run_id=run_id)
        among = segments.people_of(session, segments.segments_of(campaign), run.planned_at)
        people = list(audience(session, enough=enough, among=among))
        made_from = approval.fingerprint(session, campaign, settings)
    _clear(database, run_id)
    drafts = Drafts(run, content, secrets, waves_of_run(campaign, run))
    manifest, review, done = hashlib.sha256(), Review(run_id), 0
    picks = picks_of(people, view, campaign.picks)
    with Press(content, cards, date=run.planned_at, keeps=True) as press, looking_for_garbage_seldom():
        for rows in _judged(press, (drafts.rows(batch, picks) for batch in _batches(people)), review):
            lines = [f"{row['subscriber_id']} {row['state']} {row['reason']} {row['sha256']}\n" for row in rows]
            manifest.update("".join(lines).encode())
            with writing(database) as session:
                insert_rows(session, Message, rows)
                session.commit()
            done += len(rows)
            if progress:
                progress(done, len(people))
    with writing(database) as session:
        frozen = {
            "content_sha256": freeze(session, "content", content.as_plain()),
            "cards_sha256": freeze(session, "cards", {str(sku_id): dict(card) for sku_id, card in cards.items()}),
            "rules": json.dumps(as_plain(rules), sort_keys=True, ensure_ascii=False),
            "rule_counts": json.dumps(view.tally.summary(), ensure_ascii=False),
            "template_sha256": hashlib.sha256(content.source.encode()).hexdigest(),
        }
        found: dict[str, str | int] = {
            "errors": review.errors,
            "worst": review.worst[:300],
            "manifest_sha256": manifest.hexdigest(),
        }
        approved_runs.note(session, run, made_from)
        _finish(session, run, {"model": model, **found, **frozen})
        return find_run(session, run_id)


def picks_of(
    people: list[Person], view: Recommender, count: int, heroes: Heroes | None = None
) -> Iterator[PersonPicks | None]:
    """The picks of each person, None for those who are skipped. heroes: see `Recommender.picks_for`."""
    found = view.picks_for(*as_arrays([person for person in people if not person.skip]), count, heroes=heroes)
    return (None if person.skip else next(found) for person in people)


class Drafts:
    """Rows of people as columns, all but the hash of their letters."""

    def __init__(self, run: Run, content: Content, secrets: Secrets, waves: Waves | None = None) -> None:
        self._run, self._content, self._secrets, self._waves = run, content, secrets, waves
        self._occasion = f"message {run.id} {run.occurrence}"
        self._domain = content.sender.address.rpartition("@")[2]
        self._signer = unsubscribe_signer(secrets)
        self._languages = languages_of(content)
        self._banners = content.variables.get("banners") or content.defaults.get("banners", "")
        self._words: dict[str, Words] = {}
        self._sentences: dict[tuple[str, str, str], str] = {}

    def rows(self, people: list[Person], picks: Iterator[PersonPicks | None]) -> list[dict[str, Any]]:
        """The rows of a batch; takes as many picks as there are people."""
        return [self.row(person, found) for person, found in zip(people, picks, strict=False)]

    def row(self, person: Person, picks: PersonPicks | None) -> dict[str, Any]:
        """The row of one person."""
        skip = person.skip or ("" if picks and picks.picks else NO_PICKS)
        row: dict[str, Any] = {
            "run_id": self._run.id,
            "subscriber_id": person.id,
            "state": MessageState.SKIPPED if skip else MessageState.PLANNED,
            "reason": skip,
            "key": person.key,
            **_NOTHING,
            "language": person.language,
            "time_zone": person.time_zone,
        }
        if skip or picks is None:
            return row
        words = self._words_of(person.language)
        listed = [
            [sku_id, score, why.reason, self._sentence(why, words), propensity]
            for sku_id, score, why, propensity in picks.picks
        ]
        row |= {
            "address": person.address,
            "domain": person.address.rpartition("@")[2].lower(),
            "due_at": self._waves.due_at(person.time_zone) if self._waves else self._run.planned_at,
            "given_name": person.given_name,
            "banner": label_for(self._banners, picks.labels) if self._banners else "",
            "picks": _compact(listed),
            "why": _compact(reasons.frozen(picks)),
            "hero_sku_id": picks.picks[0].sku_id,
            "message_id": f"{self._message_number(person.key)}@{self._domain}",
            "token": self._signer.sign(person.key),
        }
        return row

    def _message_number(self, key: str) -> str:
        """The left side of the Message-ID: fixed for this run and person, and telling nothing about either."""
        return hmac.digest(self._secrets.suppression, f"{self._occasion} {key}".encode(), "sha256").hex()[:32]

    def _sentence(self, why: Why, words: Words) -> str:
        """What the mail says of a pick, in its language: a few hundred sentences in all."""
        name = (words.language, why.phrase, why.value)
        said = self._sentences.get(name)
        if said is None:
            given = {"value": why.value} if why.value else {}
            said = self._sentences[name] = words.gettext(why.phrase, **given)
        return said

    def _words_of(self, language: str) -> Words:
        words = self._words.get(language)
        if words is None:
            locale = locale_of(self._content, language, self._languages)
            words = self._words[language] = words_for(self._content, locale)
        return words


_NOTHING: dict[str, Any] = {
    **dict.fromkeys(("address", "given_name", "banner", "message_id", "token", "sha256", "claimed_by", "domain"), ""),
    "picks": "[]",
    "why": "{}",
    "hero_sku_id": None,
    "due_at": None,
}


def _judged(press: Press, batches: Iterator[list[dict[str, Any]]], review: Review) -> Iterator[list[dict[str, Any]]]:
    """Batches with the hashes of their letters, which are written and checked while the next batch is drafted."""
    under_way: list[dict[str, Any]] = []

    def finished() -> list[dict[str, Any]]:
        judged: Judged = press.finish()
        mailed = [row for row in under_way if not row["reason"]]
        for row, sha256 in zip(mailed, judged.sha256, strict=True):
            row["sha256"] = sha256
        press.keep(map(seal_of, mailed), judged)
        review.merge(judged.review)
        return under_way

    for rows in batches:
        if under_way:
            yield finished()
        mailed = [row for row in rows if not row["reason"]]
        press.begin_judging([row_of(row) for row in mailed], [row["subscriber_id"] for row in mailed])
        under_way = rows
    if under_way:
        yield finished()


def _compact(plain: object) -> str:
    return orjson.dumps(plain).decode()


def _clear(database: Engine, run_id: int) -> None:
    with writing(database) as session:
        run = find_run(session, run_id)
        if run.state != RunState.PLANNING:
            raise WrongState(f"run {run_id} is {run.state}; a plan never changes after it is made")
        session.execute(delete(Message).where(col(Message.run_id) == run_id))
        session.commit()


def _finish(session: Session, run: Run, frozen: Mapping[str, str | int]) -> None:
    """planning → planned, with everything that was frozen; commits. The scheduler keeps its lease: it sends next."""
    assert run.id is not None  # it came from the database
    erase_from_plan(session, run.id)
    session.execute(
        update(Run)
        .where(col(Run.id) == run.id, col(Run.state) == RunState.PLANNING)
        .values(state=RunState.PLANNED, owner=run.owner if run.unattended else "", **frozen)
    )
    session.commit()


def _batches(people: list[Person]) -> Iterator[list[Person]]:
    for start in range(0, len(people), PEOPLE_A_BATCH):
        yield people[start : start + PEOPLE_A_BATCH]


def skipped(session: Session, run_id: int) -> dict[str, int]:
    """How many people get nothing, for each reason."""
    return ledger.reasons(session, run_id, MessageState.SKIPPED)
