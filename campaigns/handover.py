"""The commits that mails cost while they are sent, on a connection of their own, for as many messages as are ready.

Through a session each move costs 250 µs, most of it in SQLAlchemy; as prepared text for one message 60 µs, and 15 where
eight go together.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from types import TracebackType
from typing import Any, NamedTuple, Self

from sqlalchemy import Engine, func, select, text
from sqlmodel import col

from campaigns import milestones
from campaigns.models import Attempt, MessageState
from campaigns.patience import Patience
from subscribers import consent
from subscribers.database import reading
from subscribers.models import UtcDateTime

_MINE = "claimed_by = :owner AND state IN ({states})"
_FRESH, _AGAIN = "'claimed'", "'claimed', 'handing_over'"
_ALLOWED = consent.ALLOWS_MAIL.format(key="message.key")
_BEGIN = (
    "UPDATE message SET state = 'handing_over', reason = '' "
    f"WHERE id IN ({{ids}}) AND {_MINE} AND {_ALLOWED} "
    "AND EXISTS (SELECT 1 FROM run WHERE run.id = message.run_id AND run.state = 'sending') RETURNING id"
)
# On PostgreSQL a refusal may commit between this statement's look at consent and our commit. Whoever refuses changes
# or locks the person's row, so we hold it while we look. SQLite has one writer at a time.
_HOLD = "SELECT 1 FROM subscriber WHERE key IN (SELECT key FROM message WHERE id IN ({ids})) ORDER BY id FOR SHARE"
_SUPPRESS = (
    "UPDATE message SET state = 'suppressed', reason = 'opted out after planning', claimed_by = '' "
    f"WHERE id IN ({{ids}}) AND {_MINE} AND NOT ({_ALLOWED})"
)
# A message that others took for lost is in doubt until its sender, who still lives, says what became of it.
_OPEN = "claimed_by = :owner AND state IN ('claimed', 'handing_over', 'in_doubt')"
_TRIED = (
    "INSERT INTO attempt (message_id, at, outcome, reply) "
    f"SELECT id, :at, :state, :reply FROM message WHERE id = :id AND {_OPEN}"
)
_SETTLE = (
    "UPDATE message SET state = :state, reason = :reason, due_at = :due_at, attempts = attempts + 1, claimed_by = '' "
    f"WHERE id = :id AND {_OPEN}"
)
_REFUSE = (
    "INSERT INTO suppression (key, reason, at) SELECT key, :suppress, :at FROM message WHERE id = :id"
    " ON CONFLICT DO NOTHING"
)


class Settled(NamedTuple):
    """How one try ended. at, due_at: aware times; due_at: when a deferred message is tried again. suppress: why this
    address must never be mailed again, or nothing."""

    message_id: int
    state: MessageState
    reply: str
    at: datetime
    due_at: datetime | None = None
    suppress: str = ""


class Handovers:
    """Moves the messages that one sender has claimed. `begin` and `flush` are one committed transaction each.

    careful: a commit is on the disk before it counts, so that not even a power cut forgets a mail that left the house.
    """

    def __init__(self, database: Engine, owner: str, patience: Patience, *, careful: bool = True) -> None:
        self._database, self._owner, self._patience, self._careful = database, owner, patience, careful
        kind = UtcDateTime().dialect_impl(database.dialect)  # as the tables are written, down to the last character
        self._at: Callable[[Any], Any] = kind.bind_processor(database.dialect) or (lambda value: value)
        self._sqlite = database.dialect.name == "sqlite"
        self._tried, self._settle, self._refuse = (
            _Statement(source, database) for source in (_TRIED, _SETTLE, _REFUSE)
        )
        self._groups: dict[tuple[int, str], tuple[_Statement, ...]] = {}
        self.settled: list[Settled] = []
        """What ended and is not written yet: the next commit takes it along."""

    def __enter__(self) -> Self:
        self._connect()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None or issubclass(kind, Exception | KeyboardInterrupt):
                self.flush()
        finally:
            self._close()

    def begin(self, ids: Sequence[int]) -> set[int]:
        """claimed → handing_over for those who have not said no, whose run is still being sent, and who are still ours.

        The last moment at which a refusal can win: after this commit the data may be on the wire, and a crash leaves
        the message in doubt (RFC 5321 section 4.2.5, RFC 1047). Returns the ids that may be sent; of the others, who
        refused is suppressed. What `settle` was told is written in the same transaction.
        """
        states = [_FRESH]

        def again() -> None:
            states[0] = _AGAIN  # the commit whose answer was lost may have been made, and it was ours
            self._reconnect()

        return self._patience(lambda: self._begin(ids, states[0]), again=again)

    def settle(self, settled: Settled) -> None:
        """handing_over or claimed → accepted, deferred or failed, with the next commit."""
        self.settled.append(settled)

    def first_try(self, message_id: int) -> datetime | None:
        """When this message was tried for the first time, as far as it is written."""
        return self._patience(lambda: self._first_try(message_id), again=self._reconnect)

    def flush(self) -> None:
        """Commit what was settled."""
        if self.settled:
            self._patience(self._flush, again=self._reconnect)

    def _begin(self, ids: Sequence[int], states: str) -> set[int]:
        begin, refuse, hold = self._group(len(ids), states)
        given = {f"id{place}": number for place, number in enumerate(ids)} | {"owner": self._owner}
        self._start()
        self._write()
        if not self._sqlite:
            self._cursor.execute(hold.text, hold.values(given))
        self._cursor.execute(begin.text, begin.values(given))
        allowed = {row[0] for row in self._cursor.fetchall()}
        if len(allowed) < len(ids):
            self._cursor.execute(refuse.text, refuse.values(given))
        milestones.reached("before handing over")
        self._commit()
        milestones.reached("handing over")
        return allowed

    def _first_try(self, message_id: int) -> datetime | None:
        with reading(self._database) as session:
            return session.scalar(select(func.min(col(Attempt.at))).where(col(Attempt.message_id) == message_id))

    def _flush(self) -> None:
        self._start()
        self._write()
        milestones.reached("before settling")
        self._commit()
        milestones.reached("settled")

    def _write(self) -> None:
        if not self.settled:
            return
        rows = [
            {
                "id": number,
                "owner": self._owner,
                "state": str(state),
                "reply": reply[:1000],
                "reason": "" if state is MessageState.ACCEPTED else reply[:200],
                "at": self._at(at),
                "due_at": due_at and self._at(due_at),
                "suppress": suppress[:200],
            }
            for number, state, reply, at, due_at, suppress in self.settled
        ]
        self._cursor.executemany(self._tried.text, [self._tried.values(row) for row in rows])
        self._cursor.executemany(self._settle.text, [self._settle.values(row) for row in rows])
        if refused := [row for row in rows if row["suppress"]]:
            self._cursor.executemany(self._refuse.text, [self._refuse.values(row) for row in refused])

    def _group(self, count: int, states: str) -> "tuple[_Statement, ...]":
        name = count, states
        if name not in self._groups:
            ids = ", ".join(f":id{place}" for place in range(count))
            self._groups[name] = tuple(
                _Statement(source.format(ids=ids, states=states), self._database)
                for source in (_BEGIN, _SUPPRESS, _HOLD)
            )
        return self._groups[name]

    def _start(self) -> None:
        if self._sqlite:  # psycopg begins by itself
            self._cursor.execute("BEGIN IMMEDIATE")

    def _commit(self) -> None:
        if self._sqlite:
            self._cursor.execute("COMMIT")
        else:
            self._connection.commit()
        self.settled.clear()

    def _connect(self) -> None:
        self._connection = self._database.raw_connection()
        self._cursor = self._connection.cursor()
        if self._sqlite and self._careful:
            self._cursor.execute("PRAGMA synchronous=FULL")

    def _reconnect(self) -> None:
        self._close()
        self._connect()

    def _close(self) -> None:
        with suppress(Exception):  # a connection that is gone has nothing to give back
            self._connection.rollback()
            if self._sqlite and self._careful:
                self._cursor.execute("PRAGMA synchronous=NORMAL")  # as the pool's others
        self._connection.close()


class _Statement:
    """SQL in the words of the database's driver: `?` in order for sqlite3, names for psycopg."""

    def __init__(self, source: str, database: Engine) -> None:
        compiled = text(source).compile(dialect=database.dialect)
        self.text = str(compiled)
        self._order: list[str] | None = getattr(compiled, "positiontup", None)

    def values(self, given: Mapping[str, Any]) -> Any:
        """The values as the driver takes them."""
        return given if self._order is None else [given[name] for name in self._order]
