"""Where the letters of a run are written: in a worker process with limits on its time and memory.

Compiling and filling a template run what a marketer wrote. In a process of its own a template that never ends, or that
fills the memory, costs that process; and the caller goes on with its own work while it writes.
"""

import hashlib
import json
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from threading import Lock, Timer
from typing import Any, Self

import orjson

from campaigns.kept_letters import KeptLetters, Parts
from campaigns.letters import Letter, Row, Writer
from campaigns.review.findings import Review
from engine.errors import EngineError
from engine.render.bounded import Bounded, next_piece_of_work, shared
from engine.render.content import Card, Content
from engine.render.inspection import Finding


@dataclass(frozen=True)
class Judged:
    """What is found out about a batch of letters: their hashes, in order, and all findings.

    letters, pieces: for `campaigns.kept_letters`, where they are kept.
    """

    sha256: list[str]
    review: Review
    letters: list[Parts] = field(default_factory=list)
    pieces: list[bytes] = field(default_factory=list)


class Press:
    """Writes the letters of one run. cards: of every product that a row may name, by sku_id.

    Used as a context manager it has a worker to itself, else it shares the one of this process. When one Press is done,
    its worker waits for the next of the same run: what it has made for the plan is there for sending, 100 µs a mail.
    keeps: the letters that are judged are given as well, to `keep` and `recall` them.
    """

    def __init__(self, content: Content, cards: Mapping[int, Card], *, date: datetime, keeps: bool = False) -> None:
        self.content = content
        self._cards, self._date, self._keeps = cards, date, keeps
        self._kept = KeptLetters()
        said = json.dumps([content.as_plain(), date.isoformat()], sort_keys=True).encode()
        # The products too: two shops may say the same words at the same moment, and the worker must not mix them up.
        # 10 ms for 10,000 products, once a run.
        shelf = orjson.dumps(dict(cards), default=str, option=orjson.OPT_NON_STR_KEYS | orjson.OPT_SORT_KEYS)
        self._name = hashlib.sha256(said + shelf).hexdigest()
        self._told: set[int] = set()
        self._worker: Bounded | None = None
        self._under_way: tuple[Any, ...] = ()

    def __enter__(self) -> Self:
        self._worker, self._kept = _take(self._name)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind:
            self.done()
        worker, self._worker = self._worker, None
        self._told.clear()
        if worker:
            _park(self._name, worker, self._kept)

    def done(self) -> None:
        """No more will be written for this run: its worker need not wait, and no letter is kept any more."""
        worker, self._worker = self._worker, None
        self._kept.forget()
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

    def keep(self, seals: Iterable[int], judged: Judged) -> None:
        """Keep the letters that were judged last, by the seals of their rows."""
        self._kept.take_in(seals, judged.letters, judged.pieces)

    def recall(self, seal: int) -> bytes | None:
        """The letter of the row with this seal as it was judged, once, if it was kept. Not compared with any hash."""
        return self._kept.take_out(seal)

    def begin_judging(self, rows: Sequence[Row], who: Sequence[int], shas: Sequence[str] = ()) -> None:
        """Begin to write these rows' letters and check each; `finish` gives what was Judged.

        who: a number for each row that the report may name. shas: the hashes that their plan holds, where there is
        one: then a letter that differs, or cannot be written, is a finding.
        """
        self.begin(_judged, rows, list(who), list(shas), self._kept.pieces if self._keeps else -1)

    def begin(self, task: Any, rows: Sequence[Row], *more: Any) -> None:
        """Begin a task of the worker. One at a time."""
        worker = self._worker or shared()
        news = {sku_id: self._cards[sku_id] for sku_id in _named(rows) if sku_id not in self._told}
        plain = list(map(tuple, rows))  # a Row by itself is no plain value: 2 µs more to write it down and to read it
        self._under_way = (worker, task, rows, more)
        worker.begin(_work, task, self._name, None, news, plain, more, what=self.content.template)
        self._told.update(news)

    def finish(self) -> Any:
        """What the task gives. Raises TemplateBroken, CampaignInvalid."""
        worker, task, rows, more = self._under_way
        found = worker.finish()
        if found is None:  # a new worker, which knows nothing of this run yet
            if task is _judged and more[-1] > 0:
                self._kept.forget_pieces()
                more = (*more[:-1], 0)
            known = {sku_id: self._cards[sku_id] for sku_id in _named(rows)}
            about = (self.content, self._date)
            found = worker.call(
                _work, task, self._name, about, known, list(map(tuple, rows)), more, what=self.content.template
            )
            self._told = set(known)
        return found


KEPT_SECONDS = 600  # for which letters wait for their sending: nobody's address stays in a studio that runs for weeks
_Parked = tuple[Bounded, KeptLetters, Timer]
_parked: dict[str, _Parked] = {}  # at most one: what there is of the last run, by the name of what it writes
_parking = Lock()


def _take(name: str) -> tuple[Bounded, KeptLetters]:
    with _parking:
        parked = _parked.pop(name, None)
    if parked is None:
        return Bounded(), KeptLetters()
    worker, letters, timer = parked
    timer.cancel()
    return worker, letters


def _park(name: str, worker: Bounded, letters: KeptLetters) -> None:
    timer = Timer(KEPT_SECONDS, letters.forget)
    timer.daemon = True
    with _parking:
        others = [_parked.pop(other) for other in list(_parked)]
        _parked[name] = worker, letters, timer
    if len(letters):
        timer.start()
    for other, old, running in others:
        running.cancel()
        old.forget()
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
    rows: list[tuple[Any, ...]],
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
    return task(writer, list(map(Row._make, rows)), *more)


def _letters(writer: Writer, rows: list[Row]) -> list[Letter]:
    return [_written(writer, row) for row in rows]


def _messages(writer: Writer, rows: list[Row]) -> list[bytes]:
    return [_written(writer, row).message for row in rows]


def _judged(writer: Writer, rows: list[Row], who: list[int], shas: list[str], pieces: int = -1) -> Judged:
    """pieces: how many numbered pieces the other side knows; −1 where it keeps no letters."""
    review, found, letters = Review(0), list[str](), list[Parts]()
    number_of = writer.letterhead.pieces.get
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
        if pieces >= 0:
            letters.append(tuple(map(number_of, letter.parts, letter.parts)))
        review.look(letter, writer.content.sender, row.picks[0][0], who=who[number], known_hosts=writer.known_hosts)
        for finding in writer.once_a_run(letter):
            review.note(finding, who[number])
        if shas and shas[number] != found[-1]:
            review.note(Finding("error", "bytes", "differ from the plan"), who[number])
    new = list(islice(writer.letterhead.pieces, pieces, None)) if pieces >= 0 else []
    return Judged(found, review, letters, new)


def _written(writer: Writer, row: Row) -> Letter:
    next_piece_of_work()
    return writer.write(row)
