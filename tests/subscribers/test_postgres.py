"""What only PostgreSQL has: a server that others configure and restart, and processes that meet in it."""

import subprocess
import sys
import threading

import pytest
from sqlalchemy import text

from subscribers import consent
from subscribers.database import insert_new, open_database, reading, writing
from subscribers.models import Purpose, Sku
from subscribers.roster import NewSubscriber, add_many

pytestmark = pytest.mark.postgres

OPENER = """
import sys
import alembic.command, alembic.config, alembic.util
from subscribers.database import open_database
print("ready", flush=True)
for url in sys.stdin:
    open_database(url.strip()).dispose()
    print("open", flush=True)
"""


def test_two_processes_that_open_a_new_database_at_once_both_succeed(store):
    openers = [
        subprocess.Popen([sys.executable, "-c", OPENER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    try:
        assert [opener.stdout.readline() for opener in openers] == ["ready\n"] * 2
        for _ in range(3):
            with store.empty() as url:
                for opener in openers:
                    opener.stdin.write(f"{url}\n")
                    opener.stdin.flush()
                assert [opener.stdout.readline() for opener in openers] == ["open\n"] * 2
    finally:
        for opener in openers:
            opener.communicate()


def test_a_server_set_to_stricter_transactions_makes_no_writer_fail(store):
    """At SERIALIZABLE, or REPEATABLE READ, whoever waited for another one's row fails instead of going on."""
    with store.new() as url:
        with store.connected() as connection:
            name = url.partition("@/")[2].partition("?")[0]
            connection.execute(f"ALTER DATABASE {name} SET default_transaction_isolation = 'serializable'")
        database = open_database(url)
        with reading(database) as session:
            assert session.execute(text("SHOW transaction_isolation")).scalar_one() == "read committed"
        database.dispose()


def test_an_open_database_can_be_used_after_the_server_was_restarted(store, database):
    with writing(database) as session:
        insert_new(session, Sku, [{"code": "OIL"}])
        session.commit()
    store.restart()
    with reading(database) as session:
        assert session.execute(text("SELECT code FROM sku")).scalar_one() == "OIL"


def test_an_opt_out_waits_for_a_hand_over_that_holds_the_person(database, secrets, now):
    """So whoever is told "done" gets no mail that is committed afterwards."""
    key = secrets.key_of("ana@example.com")
    with writing(database) as session:
        add_many(session, [NewSubscriber("ana@example.com", key, answers={Purpose.MAIL: True})], now=now)
    done = threading.Event()

    def opt_out() -> None:
        with writing(database) as session:
            consent.opt_out(session, key, at=now, how="link")
        done.set()

    with writing(database) as session:
        session.execute(text("SELECT 1 FROM subscriber WHERE key = :key FOR SHARE"), {"key": key})
        thread = threading.Thread(target=opt_out)
        thread.start()
        assert not done.wait(0.3)
        session.commit()
    assert done.wait(10)
    thread.join()
