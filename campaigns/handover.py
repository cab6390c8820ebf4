"""The two commits that each mail costs while it is sent, on a connection of their own.

Through a session each of them costs 250 µs, most of it in SQLAlchemy; as prepared text on one open connection 60 µs.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from types import TracebackType
from typing import Any, NamedTuple, Self

from sqlalchemy import Engine, text

from campaigns.models import MessageState
from subscribers import consent
from subscribers.models import UtcDateTime

_BEGIN = (
    "UPDATE message SET state = 'handing_over', reason = '' "
    f"WHERE id = :id AND state = 'claimed' AND {consent.ALLOWS_MAIL}"
)
_SUPPRESS = (
    "UPDATE message SET state = 'suppressed', reason = 'opted out after planning' "
    f"WHERE id = :id AND state = 'claimed' AND NOT ({consent.ALLOWS_MAIL})"
)
SETTLE = (
    "UPDATE message SET state = :state, reason = :reason, claimed_by = '' "
    "WHERE id = :id AND state IN ('claimed', 'handing_over')"
)
ATTEMPT = "INSERT INTO attempt (message_id, at, outcome, reply) VALUES (:id, :at, :outcome, :reply)"


class Settled(NamedTuple):
    """How one message ended. at: aware time."""

    message_id: int
    state: MessageState
    reply: str
    at: datetime


class Handovers:
    """Moves the messages of one sender. Each call is one committed transaction."""

    def __init__(self, database: Engine) -> None:
        self._database = database
        self._at: Callable[[Any], Any] = UtcDateTime().bind_processor(database.dialect) or (lambda value: value)
        names = ("_begin", "_suppress", "_settle", "_attempt")
        self._statements = {
            name: _Statement(source, database)
            for name, source in zip(names, (_BEGIN, _SUPPRESS, SETTLE, ATTEMPT), strict=True)
        }
        self._put_off: Settled | None = None
        self._opens = "BEGIN IMMEDIATE" if database.dialect.name == "sqlite" else ""

    def __enter__(self) -> Self:
        self._connection = self._database.raw_connection()
        self._cursor = self._connection.cursor()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._connection.rollback()
            self._flush()
        finally:
            self._connection.close()

    def begin(self, message_id: int, key: str) -> bool:
        """claimed → handing_over, unless the person has said no: then claimed → suppressed.

        The last moment at which a refusal can win: after this commit the data may be on the wire, and a crash leaves
        the message in doubt (RFC 5321 section 4.2.5, RFC 1047). Returns False when it must not be sent: suppressed, or
        somebody else's by now. How the message before this one ended is written in the same transaction, where that
        was put off.
        """
        given = {"id": message_id, "key": key}
        self._start()
        if self._put_off:
            self._write(self._put_off)
        allowed = self._run("_begin", given) == 1
        if not allowed:
            self._run("_suppress", given)
        self._commit()
        self._put_off = None
        return allowed

    def settle(self, settled: "Settled", *, at_once: bool = True) -> None:
        """handing_over or claimed → accepted, deferred or failed, with the other side's words.

        at_once: in a transaction of its own. Else in that of the next `begin`, or on leaving: for a transport that
        knows after a crash what arrived. With any other each moment in between is one in which nobody would know.
        """
        self._flush()
        self._put_off = settled
        if at_once:
            self._flush()

    def _flush(self) -> None:
        if self._put_off:
            self._start()
            self._write(self._put_off)
            self._commit()
            self._put_off = None

    def _write(self, settled: "Settled") -> None:
        message_id, state, reply, at = settled
        reason = "" if state is MessageState.ACCEPTED else reply[:200]
        self._run("_settle", {"id": message_id, "state": str(state), "reason": reason})
        tried = {"id": message_id, "at": self._at(at), "outcome": str(state), "reply": reply[:1000]}
        self._run("_attempt", tried)

    def _start(self) -> None:
        if self._opens:  # psycopg begins by itself
            self._cursor.execute(self._opens)

    def _run(self, name: str, given: Mapping[str, Any]) -> int:
        statement = self._statements[name]
        self._cursor.execute(statement.text, statement.values(given))
        rows: int = self._cursor.rowcount
        return rows

    def _commit(self) -> None:
        if self._opens:
            self._cursor.execute("COMMIT")
        else:
            self._connection.commit()


class _Statement:
    """SQL in the words of the database's driver: `?` in order for sqlite3, names for psycopg."""

    def __init__(self, source: str, database: Engine) -> None:
        compiled = text(source).compile(dialect=database.dialect)
        self.text = str(compiled)
        self._order: list[str] | None = getattr(compiled, "positiontup", None)

    def values(self, given: Mapping[str, Any]) -> Any:
        """The values as the driver takes them."""
        return given if self._order is None else [given[name] for name in self._order]
