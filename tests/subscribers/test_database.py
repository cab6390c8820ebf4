"""The database: tables as the models say, one writer at a time, and a sentence when it cannot be opened."""

import sqlite3
import subprocess
import sys
import threading
from contextlib import suppress

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlmodel import SQLModel

import campaigns.models
import engine.catalog
import studio.models
from subscribers.database import HEAD, MIGRATIONS, insert_new, open_database, reading, use_write_ahead_log, writing
from subscribers.errors import DatabaseUnreachable
from subscribers.models import Signal, Sku

ALL_TABLES = (campaigns.models, engine.catalog, studio.models)  # imported so that every model is in the metadata


def codes(session):
    return list(session.scalars(select(Sku.code)))


def pragma(connection, name):
    return connection.exec_driver_sql(f"PRAGMA {name}").scalar()


# SQLAlchemy cannot read an index by lower(…) back from SQLite; from PostgreSQL it can, and compares it
@pytest.mark.filterwarnings("ignore:.*expression-based index")
def test_the_migrations_make_exactly_what_the_models_say(database):
    with database.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, SQLModel.metadata) == []


def test_head_is_the_newest_migration():
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_current_head() == HEAD


def test_opening_twice_keeps_what_is_there(tmp_path):
    url = f"sqlite:///{tmp_path / 'shop.db'}"
    for _ in range(2):
        database = open_database(url)
        with writing(database) as session:
            insert_new(session, Sku, [{"code": "OIL"}])
            session.commit()
            assert codes(session) == ["OIL"]
        database.dispose()


OPENER = """
import sys
import alembic.command, alembic.config, alembic.util
from subscribers.database import open_database
print("ready", flush=True)
for url in sys.stdin:
    database = open_database(url.strip())
    with database.connect() as connection:
        tables = connection.exec_driver_sql("SELECT count(*) FROM sqlite_master WHERE type = 'table'").scalar()
    print(tables, flush=True)
"""


def test_two_processes_that_open_a_new_database_at_once_both_succeed(tmp_path):
    openers = [
        subprocess.Popen([sys.executable, "-c", OPENER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    try:
        assert [opener.stdout.readline() for opener in openers] == ["ready\n"] * 2
        for attempt in range(8):
            for opener in openers:
                opener.stdin.write(f"sqlite:///{tmp_path / f'{attempt}.db'}\n")
                opener.stdin.flush()
            first, second = [opener.stdout.readline() for opener in openers]
            assert first == second != ""
            assert int(first) == len(SQLModel.metadata.tables) + 1  # and Alembic's own
    finally:
        for opener in openers:
            opener.communicate()


class NewFile:
    """A connection to a file that others are opening too: it answers with these errors, one a try, then does it."""

    def __init__(self, *codes: int) -> None:
        self.codes, self.done = list(codes), []

    def execute(self, statement: str) -> None:
        if self.codes:
            error = sqlite3.OperationalError("cannot do that now")
            error.sqlite_errorcode = self.codes.pop(0)
            raise error
        self.done.append(statement)


def test_a_new_file_that_somebody_else_is_opening_is_waited_for():
    """SQLite itself does not always wait when it switches to the write-ahead log."""
    file = NewFile(sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_BUSY)
    use_write_ahead_log(file)
    assert file.done == ["PRAGMA journal_mode=WAL"]


def test_a_file_that_may_not_be_written_is_not_waited_for():
    file = NewFile(sqlite3.SQLITE_READONLY)
    with pytest.raises(sqlite3.OperationalError):
        use_write_ahead_log(file)
    assert file.done == []


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("sqlite:////nowhere/at/all/shop.db", "cannot open the database sqlite:////nowhere/at/all/shop.db: unable to"),
        ("sqlite:////proc", "cannot open the database sqlite:////proc: unable to open database file"),
        ("shop.db", "'shop.db' begins no database address we know; one begins with sqlite:/// or postgresql"),
        ("mongodb://localhost/shop", "'mongodb' begins no database address we know"),
        ("mysql://localhost/shop", "the driver for this database is missing"),
        (
            "postgresql+psycopg://ana:secret@127.0.0.1:1/shop",
            r"cannot open the database postgresql\+psycopg://ana:\*\*\*@",
        ),
    ],
)
def test_a_database_that_cannot_be_opened_says_why_in_a_sentence(url, sentence):
    with pytest.raises(DatabaseUnreachable, match=sentence) as unreachable:
        open_database(url)
    assert "secret" not in str(unreachable.value)


def test_a_file_of_something_else_is_no_database(tmp_path):
    path = tmp_path / "shop.db"
    path.write_bytes(b"This is a letter, not a database. " * 100)
    with pytest.raises(DatabaseUnreachable, match=r"cannot open the database .*: file is not a database"):
        open_database(f"sqlite:///{path}")
    assert path.read_bytes().startswith(b"This is a letter")


def test_a_database_made_by_a_newer_version_is_refused(database):
    with writing(database) as session:
        session.connection().exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
        session.commit()
    with pytest.raises(DatabaseUnreachable, match=r"this database was made by a newer Handpicked .*; update this one"):
        open_database(str(database.url))


@pytest.mark.sqlite
def test_every_connection_has_the_write_ahead_log_and_foreign_keys(database):
    for scope in (reading, writing):
        with scope(database) as session:
            connection = session.connection()
            assert pragma(connection, "journal_mode") == "wal"
            assert pragma(connection, "foreign_keys") == 1
            assert pragma(connection, "busy_timeout") == 60_000
            assert pragma(connection, "synchronous") == 1


def test_a_row_that_points_nowhere_is_refused(database):
    row = {"fingerprint": 1, "subscriber_id": None, "sku_id": 77, "kind": 1, "at": 0, "quantity": 1, "settled": 0}
    with writing(database) as session, pytest.raises(IntegrityError):
        insert_new(session, Signal, [row])


class Interrupted(Exception):
    pass


def test_what_was_not_committed_is_rolled_back_when_something_goes_wrong(database):
    with pytest.raises(Interrupted), writing(database) as session:  # noqa: PT012
        insert_new(session, Sku, [{"code": "kept"}])
        session.commit()
        insert_new(session, Sku, [{"code": "lost"}])
        raise Interrupted
    with reading(database) as session:
        assert codes(session) == ["kept"]


def test_what_was_not_committed_is_rolled_back_at_the_end_too(database):
    with writing(database) as session:
        insert_new(session, Sku, [{"code": "lost"}])
    with reading(database) as session:
        assert codes(session) == []


def test_insert_new_counts_only_what_was_not_there(database):
    with writing(database) as session:
        assert insert_new(session, Sku, []) == 0
        assert insert_new(session, Sku, [{"code": "a"}, {"code": "b"}, {"code": "a"}]) == 2
        assert insert_new(session, Sku, [{"code": "b"}, {"code": "c"}]) == 1
        assert insert_new(session, Sku, [{"code": "b"}]) == 0


def test_a_reader_does_not_wait_for_a_writer(database):
    with writing(database) as writer, reading(database) as reader:
        insert_new(writer, Sku, [{"code": "OIL"}])
        assert codes(reader) == []
        writer.commit()


def test_two_writers_that_read_before_they_write_both_succeed(database):
    """Without BEGIN IMMEDIATE the second to write fails at once: "database is locked"."""
    both_have_begun = threading.Barrier(2, timeout=0.3)
    failures: list[Exception] = []

    def count_and_add(code: str) -> None:
        try:
            with writing(database) as session:
                codes(session)
                with suppress(threading.BrokenBarrierError):
                    both_have_begun.wait()  # only reached by both when the first does not hold the lock
                insert_new(session, Sku, [{"code": code}])
                session.commit()
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=count_and_add, args=(code,)) for code in ("OIL", "SOAP")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with reading(database) as session:
        assert sorted(codes(session)) == ["OIL", "SOAP"]
