"""The same code on PostgreSQL: what differs from SQLite is tried on a real server."""

import os
import shutil
import subprocess
import sys
import tempfile
from itertools import count
from pathlib import Path

import pytest

from subscribers.database import insert_new, open_database, writing
from subscribers.models import Sku


def program(name: str) -> str:
    """Where one of PostgreSQL's programs is: on the path, or where Debian keeps them, which is on no path."""
    kept = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: int(path.parts[4]))
    return shutil.which(name) or (str(kept[-1]) if kept else "")


pytestmark = [
    pytest.mark.postgres,
    pytest.mark.slow,
    pytest.mark.skipif(
        os.environ.get("CI") != "true" and not program("initdb"), reason="PostgreSQL's programs are not there"
    ),
]

OPENER = """
import sys
import alembic.command, alembic.config, alembic.util
from subscribers.database import open_database
print("ready", flush=True)
for url in sys.stdin:
    open_database(url.strip()).dispose()
    print("open", flush=True)
"""


@pytest.fixture(scope="module")
def server():
    """The folder of a running server that listens on a socket in it and nowhere else."""
    user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []  # it refuses to run as root
    folder = Path(
        tempfile.mkdtemp(prefix="pg-")
    )  # not in tmp_path: another user must get in, and a socket's path is short
    if user:
        shutil.chown(folder, "postgres")
    subprocess.run(
        [*user, program("initdb"), "-D", folder / "data", "-A", "trust", "-U", "shop", "--no-sync"],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    options = f"-k {folder} -c listen_addresses='' -c fsync=off"
    control = [*user, program("pg_ctl"), "-D", folder / "data", "-w", "-l", folder / "log"]
    subprocess.run([*control, "-o", options, "start"], check=True, stdout=subprocess.DEVNULL)
    try:
        yield folder
    finally:
        subprocess.run([*control, "-m", "immediate", "stop"], check=True, stdout=subprocess.DEVNULL)
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def new_url(server):
    """Makes an empty database, and gives its address."""
    import psycopg

    numbers = count()

    def new() -> str:
        name = f"shop{next(numbers)}"
        with psycopg.connect(f"host={server} user=shop dbname=postgres", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return f"postgresql+psycopg://shop@/{name}?host={server}"

    return new


@pytest.fixture
def database(new_url):
    database = open_database(new_url())
    yield database
    database.dispose()


def test_two_processes_that_open_a_new_database_at_once_both_succeed(new_url):
    openers = [
        subprocess.Popen([sys.executable, "-c", OPENER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    try:
        assert [opener.stdout.readline() for opener in openers] == ["ready\n"] * 2
        for _ in range(3):
            url = new_url()
            for opener in openers:
                opener.stdin.write(f"{url}\n")
                opener.stdin.flush()
            assert [opener.stdout.readline() for opener in openers] == ["open\n"] * 2
    finally:
        for opener in openers:
            opener.communicate()


def test_insert_new_counts_only_what_was_not_there(database):
    with writing(database) as session:
        assert insert_new(session, Sku, [{"code": "a"}, {"code": "b"}, {"code": "a"}]) == 2
        assert insert_new(session, Sku, [{"code": "b"}, {"code": "c"}]) == 1
        assert insert_new(session, Sku, [{"code": "b"}]) == 0


def test_files_come_in_once_and_cancellations_are_settled(desk, now):
    people, signals = "address\nana@example.com\n", "address,product,kind,at\nana@example.com,OIL,view,2026-05-01\n"
    columns = ("RED MUG", "2.50", "7", "France")
    bought = ("1", "10001", columns[0], 5, "2026-05-01", *columns[1:])
    back = ("C2", "10001", columns[0], -3, "2026-05-02", *columns[1:])
    assert [desk.people(people), desk.signals(signals)] == [{"added": 1}, {"added": 1}]
    assert desk.orders([bought, back]) == {"purchases": 1, "cancellations": 1}
    assert sorted(row[5] for row in desk.signal_rows()) == [0, 3, 3]
    assert [desk.people(people), desk.signals(signals)] == [{"already there": 1}, {"already there": 1}]
    assert desk.orders([bought, back]) == {"already there": 2}
