"""Where the letters of a run are written: in a worker process with limits on its time and memory.

Compiling and filling a template run what a marketer wrote. In a process of its own a template that never ends, or that
fills the memory, costs that process; and the caller goes on with its own work while it writes.
"""

import hashlib
import json
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from typing import Any, Self

from campaigns.letters import Letter, Row, Writer
from campaigns.review.findings import Review
from engine.errors import EngineError
from engine.render.bounded import Bounded, next_piece_of_work, shared
from engine.render.content import Card, Content
from engine.render.inspection import Finding


@dataclass(frozen=True)
class Judged:
    """What is found out about a batch of letters: their hashes, in order, and all findings."""

    sha256: list[str]
    review: Review


class Press:
    """Writes the letters of one run. cards: of every product that a row may name, by sku_id.

    Used as a context manager it has a worker to itself, else it shares the one of this process. When one Press is done,
    its worker waits for the next of the same run: what it has made for the plan is there for sending, 100 µs a mail.
    """

    def __init__(self, content: Content, cards: Mapping[int, Card], *, date: datetime) -> None:
        self.content = content
        self._cards, self._date = cards, date
        said = json.dumps([content.as_plain(), date.isoformat()], sort_keys=True)
        self._name = hashlib.sha256(said.encode()).hexdigest()
        self._told: set[int] = set()
        self._worker: Bounded | None = None
        self._under_way: tuple[Any, ...] = ()

    def __enter__(self) -> Self:
        self._worker = _take(self._name)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        worker, self._worker = self._worker, None
        self._told.clear()
        if worker and kind:
            worker.close()
        elif worker:
            _park(self._name, worker)

    def done(self) -> None:
        """No more will be written for this run: its worker need not wait."""
        worker, self._worker = self._worker, None
        if worker:
            worker.close()

    def letters(self, rows: Sequence[Row]) -> list[Letter]:
        """The letters of these rows, in order. Raises TemplateBroken, CampaignInvalid."""
        self.begin(_letters, rows)
        found: list[Letter] = self.finish()
        return found

    def begin_messages(self, rows: Sequence[Row]) -> None:
        """Begin to write the bytes of these rows' letters; `finish` gives them, in order."""
        self.begin(_messages, rows)

    def begin_judging(self, rows: Sequence[Row], who: Sequence[int], shas: Sequence[str] = ()) -> None:
        """Begin to write these rows' letters and check each; `finish` gives what was Judged.

        who: a number for each row that the report may name. shas: the hashes that their plan holds, where there is
        one: then a letter that differs, or cannot be written, is a finding.
        """
        self.begin(_judged, rows, list(who), list(shas))

    def begin(self, task: Any, rows: Sequence[Row], *more: Any) -> None:
        """Begin a task of the worker. One at a time."""
        worker = self._worker or shared()
        news = {sku_id: self._cards[sku_id] for sku_id in _named(rows) if sku_id not in self._told}
        self._under_way = (worker, task, rows, more)
        worker.begin(_work, task, self._name, None, news, list(rows), more, what=self.content.template)
        self._told.update(news)

    def finish(self) -> Any:
        """What the task gives. Raises TemplateBroken, CampaignInvalid."""
        worker, task, rows, more = self._under_way
        found = worker.finish()
        if found is None:  # a new worker, which knows nothing of this run yet
            known = {sku_id: self._cards[sku_id] for sku_id in _named(rows)}
            about = (self.content, self._date)
            found = worker.call(_work, task, self._name, about, known, list(rows), more, what=self.content.template)
            self._told = set(known)
        return found


_parked: dict[str, Bounded] = {}  # at most one: the worker of the last run, by the name of what it writes
_parking = Lock()


def _take(name: str) -> Bounded:
    with _parking:
        worker = _parked.pop(name, None)
    return worker or Bounded()


def _park(name: str, worker: Bounded) -> None:
    with _parking:
        others = [_parked.pop(other) for other in list(_parked)]
        _parked[name] = worker
    for other in others:
        other.close()


def _named(rows: Iterable[Row]) -> set[int]:
    return {sku_id for row in rows for sku_id, _ in row.picks}


# what follows runs in the worker

_WRITERS = 3  # kept at a time: a run, and previews of two campaigns beside it
_writers: OrderedDict[str, Writer] = OrderedDict()


def _work(  # noqa: PLR0917 - what crosses to the worker is a plain list
    task: Any,
    name: str,
    about: tuple[Content, datetime] | None,
    cards: dict[int, Card],
    rows: list[Row],
    more: tuple[Any, ...],
) -> Any:
    """Do a task with the writer of this name; None when there is none and nothing to make it from."""
    writer = _writers.get(name)
    if writer is None:
        if about is None:
            return None
        writer = _writers[name] = Writer(about[0], {}, date=about[1])
        if len(_writers) > _WRITERS:
            _writers.popitem(last=False)
    writer.learn(cards)
    return task(writer, rows, *more)


def _letters(writer: Writer, rows: list[Row]) -> list[Letter]:
    return [_written(writer, row) for row in rows]


def _messages(writer: Writer, rows: list[Row]) -> list[bytes]:
    return [_written(writer, row).message for row in rows]


def _judged(writer: Writer, rows: list[Row], who: list[int], shas: list[str]) -> Judged:
    review, found = Review(0), list[str]()
    for number, row in enumerate(rows):
        try:
            letter = _written(writer, row)
        except EngineError as error:
            if not shas:
                raise
            review.mails += 1
            review.note(Finding("error", "template", str(error)), who[number])
            found.append("")
            continue
        found.append(hashlib.sha256(letter.message).hexdigest())
        review.look(letter, writer.content.sender, row.picks[0][0], who=who[number], known_hosts=writer.known_hosts)
        for finding in writer.once_a_run(letter):
            review.note(finding, who[number])
        if shas and shas[number] != found[-1]:
            review.note(Finding("error", "bytes", "differ from the plan"), who[number])
    return Judged(found, review)


def _written(writer: Writer, row: Row) -> Letter:
    next_piece_of_work()
    return writer.write(row)
