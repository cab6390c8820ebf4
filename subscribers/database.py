"""Open the database, and one scope each for reading and for writing. SQLite by default; the same code on PostgreSQL."""

import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlmodel import Session, SQLModel

from subscribers import bulk
from subscribers.errors import DatabaseUnreachable, shorten

MIGRATIONS = Path(__file__).parent / "migrations"
BUSY_SECONDS = 60  # one plan of 100,000 rows holds the write lock for about a second; a minute is never normal
MIGRATING, TURNS = 7_201_311, 7_201_312  # any numbers, as long as nobody else locks by them
_TURN = text("SELECT pg_advisory_xact_lock(:kind, CAST(CAST(:table AS regclass) AS oid)::integer)")
# READ COMMITTED: whoever waited for another transaction then sees what that one wrote, instead of failing
_POSTGRESQL = {"isolation_level": "READ COMMITTED", "pool_pre_ping": True}
HEAD = "0005"  # the newest file in migrations/versions; a test compares the two


def open_database(url: str) -> Engine:
    """The database at `url`, with its tables up to date.

    Raises DatabaseUnreachable when it cannot be opened, or was made by a newer Handpicked.
    """
    try:
        options = _POSTGRESQL if make_url(url).get_backend_name() == "postgresql" else {}
        database = create_engine(url, hide_parameters=True, **options)
    except ArgumentError as error:
        kind = shorten(url.partition("://")[0])
        raise DatabaseUnreachable(
            f"{kind!r} begins no database address we know; one begins with sqlite:/// or postgresql+psycopg://"
        ) from error
    except ImportError as error:
        raise DatabaseUnreachable(
            f"the driver for this database is missing ({error}); install handpicked[postgres]"
        ) from error
    if database.dialect.name == "sqlite":
        _tune_sqlite(database)
    try:
        _migrate(database)
    except DBAPIError as error:  # not only OperationalError: a file of something else is a DatabaseError
        database.dispose()
        where = database.url.render_as_string(hide_password=True)
        raise DatabaseUnreachable(f"cannot open the database {where}: {error.orig}") from error
    except DatabaseUnreachable:
        database.dispose()
        raise
    return database


@contextmanager
def reading(database: Engine) -> Iterator[Session]:
    """A session that only looks. Never waits for a writer (SQLite in WAL mode, PostgreSQL)."""
    with Session(database, expire_on_commit=False) as session:
        yield session


@contextmanager
def writing(database: Engine) -> Iterator[Session]:
    """A session that may commit, several times if need be; what was not committed is rolled back.

    On SQLite each transaction takes the write lock when it begins (BEGIN IMMEDIATE): a transaction that reads first
    and then writes would otherwise fail at once, without waiting, when somebody else wrote in between.
    """
    with Session(database.execution_options(begin="IMMEDIATE"), expire_on_commit=False) as session:
        yield session


def insert_rows(session: Session, table: type[SQLModel], rows: Sequence[Mapping[str, object]]) -> None:
    """Insert the rows, by COPY on PostgreSQL. All have the columns of the first; the others get their defaults.

    Raises sqlalchemy's IntegrityError where one is in conflict with what is there. The caller commits.
    """
    if rows:
        bulk.insert(session.connection(), table.metadata.tables[_name_of(table)], rows)


def insert_new(session: Session, table: type[SQLModel], rows: Sequence[Mapping[str, object]]) -> int:
    """Insert the rows that are not there yet, and say how many that were: what makes every import safe to repeat.

    Of several rows the table is held with `take_turns`. The caller commits.
    """
    if not rows:
        return 0
    if len(rows) > 1:  # two that insert the same rows in another order would each wait for the other
        take_turns(session, table)
    return bulk.insert_new(session.connection(), table.metadata.tables[_name_of(table)], rows)


def take_turns(session: Session, table: type[SQLModel]) -> None:
    """Wait until no other transaction has its turn with this table; ours ends with our transaction.

    For those who read a table and then write what follows from it. Nobody else is kept waiting: neither readers nor an
    opt-out. On SQLite there is nothing to do, because `writing` lets in one at a time.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.connection().execute(_TURN, {"kind": TURNS, "table": _name_of(table)})


def _name_of(table: type[SQLModel]) -> str:
    return str(table.__tablename__)


def _tune_sqlite(database: Engine) -> None:
    @event.listens_for(database, "connect")
    def on_connect(connection: Any, record: Any) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves, below
        connection.execute(f"PRAGMA busy_timeout={BUSY_SECONDS * 1000}")
        use_write_ahead_log(connection)
        connection.execute("PRAGMA synchronous=NORMAL")  # survives a killed process; 40 µs a commit against 4 ms
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("PRAGMA cache_size=-65536")  # 64 MB

    @event.listens_for(database, "begin")
    def on_begin(connection: Connection) -> None:
        connection.exec_driver_sql(f"BEGIN {connection.get_execution_options().get('begin', 'DEFERRED')}")


def use_write_ahead_log(connection: Any) -> None:
    """Switch to WAL. SQLite does not wait here, whatever busy_timeout says: of three processes that opened one new
    file at once, one in a hundred was told "database is locked". So the waiting is ours."""
    for last in (*[False] * 200, True):
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if last or error.sqlite_errorcode not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise
            time.sleep(0.01)


def _migrate(database: Engine) -> None:
    """Bring the tables to HEAD. Costs one look when there is nothing to do: alembic is imported only otherwise."""
    if _revision(database) == HEAD:
        return
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with database.execution_options(begin="IMMEDIATE").connect() as connection:
        # Two that open a new database at once: one waits, then finds it done. The transaction begins here, on SQLite
        # with the write lock: Alembic by itself commits after each migration there, and two took the next one together.
        waits = f"SELECT pg_advisory_xact_lock({MIGRATING})" if database.dialect.name == "postgresql" else "SELECT 1"
        connection.execute(text(waits))
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            raise DatabaseUnreachable(
                f"this database was made by a newer Handpicked ({error}); update this one"
            ) from error
        connection.commit()


def _revision(database: Engine) -> str | None:
    with database.connect() as connection:
        if not database.dialect.has_table(connection, "alembic_version"):
            return None
        return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
