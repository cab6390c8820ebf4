"""The two places where tests keep their databases: SQLite files, and a PostgreSQL server that they start themselves.

Tests in the modules of `ON_BOTH` run on both, whenever what they use comes from the fixture `store`. Those on
PostgreSQL are marked `postgres` and `slow`. A test marked `sqlite` or `postgres` runs there only.
"""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import count
from pathlib import Path
from typing import Any, Protocol, Self

import pytest

from subscribers.database import open_database

ON_BOTH = (
    "tests/campaigns/test_approval.py",
    "tests/campaigns/test_beats.py",
    "tests/campaigns/test_bounces.py",
    "tests/campaigns/test_calendar.py",
    "tests/campaigns/test_checklist.py",
    "tests/campaigns/test_claimed_once.py",
    "tests/campaigns/test_deliver.py",
    "tests/campaigns/test_edit.py",
    "tests/campaigns/test_execute.py",
    "tests/campaigns/test_frequency.py",
    "tests/campaigns/test_missed.py",
    "tests/campaigns/test_pace.py",
    "tests/campaigns/test_pick_rules.py",
    "tests/campaigns/test_plan.py",
    "tests/campaigns/test_segments.py",
    "tests/campaigns/test_shown.py",
    "tests/campaigns/test_stopping.py",
    "tests/campaigns/test_training.py",
    "tests/campaigns/test_waves.py",
    "tests/subscribers/",
    "tests/test_scheduler.py",
)
ROOM = 1 << 30  # bytes free in memory from which databases are kept there: one is made in 10 ms, on a disk in 120
DATABASE_URL = re.compile(r'^database_url = "(.*)"$', re.MULTILINE)


class Store(Protocol):
    """Where databases come from. Each is gone when its scope ends."""

    name: str

    def new(self) -> AbstractContextManager[str]:
        """The address of an empty database with all tables."""
        ...

    def workspace(self) -> AbstractContextManager[str]:
        """What stands in the `handpicked.toml` of a new workspace, so that it keeps an empty database here."""
        ...

    def copied_workspace(self, made: Path, folder: Path) -> AbstractContextManager[None]:
        """A copy of a workspace and of its database. Nobody may have that open."""
        ...


class Files:
    """SQLite files. The migrations run once (100 ms); every database is a copy of that file (2 ms)."""

    name = "sqlite"

    def __init__(self, folder: Path) -> None:
        self._folder, self._numbers = folder, count()
        self._first = folder / "first.db"
        open_database(f"sqlite:///{self._first}").dispose()

    @contextmanager
    def new(self) -> Iterator[str]:
        path = self._folder / f"{next(self._numbers)}.db"
        shutil.copyfile(self._first, path)
        try:
            yield f"sqlite:///{path}"
        finally:
            for leftover in self._folder.glob(f"{path.name}*"):
                leftover.unlink()

    @contextmanager
    def workspace(self) -> Iterator[str]:
        yield ""

    @contextmanager
    def copied_workspace(self, made: Path, folder: Path) -> Iterator[None]:
        shutil.copytree(made, folder)
        yield


class Server:
    """A PostgreSQL server that listens on a socket in its folder and nowhere else; its databases are copies of one.

    It ends with the process that started it, however that one ends: a shell waits for the other end of a pipe.
    """

    name = "postgres"

    def __init__(self) -> None:
        memory = Path("/dev/shm")  # in most containers it has 64 MB, and a server takes 50
        roomy = memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > ROOM
        # not in tmp_path: another user must get in, and the path of a socket may have 107 bytes
        self.folder = Path(tempfile.mkdtemp(prefix="pg-", dir=memory if roomy else None))
        self._user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []  # it refuses to run as root
        if self._user:
            shutil.chown(self.folder, "postgres")
        self._numbers = count()

    def __enter__(self) -> Self:
        folder = self.folder
        init = [program("initdb"), "-D", folder / "data", "-A", "trust", "-U", "shop", "-E", "UTF8", "--locale=C"]
        subprocess.run([*self._user, *init, "--no-sync"], check=True, stdout=subprocess.DEVNULL)
        options = {"listen_addresses": "''", "autovacuum": "off", "timezone": "UTC"}
        options |= {"fsync": "off", "full_page_writes": "off"}  # what is committed survives a crash of the server's own
        self._control = f"{program('pg_ctl')} -w -D {folder}/data -l {folder}/log"
        said = " ".join(f"-c {name}={value}" for name, value in options.items())
        script = f"""
            {self._control} -o "-k {folder} {said}" start >/dev/null && echo ready
            read -r end
            {self._control} -m immediate stop >/dev/null
            rm -rf {folder}
        """
        self._keeper = subprocess.Popen(
            [*self._user, "sh", "-c", script],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
            cwd="/",
        )
        assert self._keeper.stdout is not None
        if self._keeper.stdout.readline() != b"ready\n":
            raise RuntimeError(f"PostgreSQL does not start: {(folder / 'log').read_text()[-2000:]}")
        self._sql("CREATE DATABASE first")
        open_database(self.url("first")).dispose()
        return self

    def __exit__(self, *problem: object) -> None:
        self._keeper.communicate()

    def restart(self) -> None:
        """As after a crash: nobody is told, and who is connected is thrown out."""
        subprocess.run([*self._user, *self._control.split(), "-m", "immediate", "restart"], check=True, cwd="/",
                       stdout=subprocess.DEVNULL)  # fmt: skip

    def url(self, database: str) -> str:
        return f"postgresql+psycopg://shop@/{database}?host={self.folder}"

    @contextmanager
    def empty(self, template: str = "template1") -> Iterator[str]:
        """The address of a database like another one; without any table unless that one has some."""
        name = f"shop{next(self._numbers)}"
        self._sql(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")  # half the time of WAL_LOG
        try:
            yield self.url(name)
        finally:
            self._sql(f"DROP DATABASE {name} WITH (FORCE)")

    def new(self) -> AbstractContextManager[str]:
        return self.empty("first")

    @contextmanager
    def workspace(self) -> Iterator[str]:
        with self.new() as url:
            yield f'database_url = "{url}"\n'

    @contextmanager
    def copied_workspace(self, made: Path, folder: Path) -> Iterator[None]:
        shutil.copytree(made, folder)
        settings = folder / "handpicked.toml"
        found = DATABASE_URL.search(settings.read_text())
        assert found is not None, f"{settings} names no database"
        with self.empty(found[1].partition("@/")[2].partition("?")[0]) as url:
            settings.write_text(DATABASE_URL.sub(f'database_url = "{url}"', settings.read_text()))
            yield

    @contextmanager
    def connected(self) -> Iterator[Any]:
        """psycopg's own connection, to a database that nobody uses; every statement is committed at once."""
        import psycopg

        with psycopg.connect(f"host={self.folder} user=shop dbname=postgres", autocommit=True) as connection:
            yield connection

    def _sql(self, statement: str) -> None:
        with self.connected() as connection:
            connection.execute(statement)


def program(name: str) -> str:
    """Where one of PostgreSQL's programs is: on the path, or where Debian keeps them, which is on no path."""
    kept = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: int(path.parts[4]))
    return shutil.which(name) or (str(kept[-1]) if kept else "")


NEEDS_POSTGRESQL: tuple[Any, ...] = (
    pytest.mark.postgres,
    pytest.mark.slow,
    pytest.mark.skipif(
        os.environ.get("CI") != "true" and not program("initdb"), reason="PostgreSQL's programs are not there"
    ),
)


def stores_of(metafunc: pytest.Metafunc, root: Path) -> list[Any]:
    """The stores a test runs on, as parameters of the fixture `store`; none where SQLite is understood."""
    module = metafunc.definition.path.relative_to(root).as_posix()
    if "store" not in metafunc.fixturenames or metafunc.definition.get_closest_marker("sqlite"):
        return []
    if metafunc.definition.get_closest_marker("postgres"):
        return [pytest.param("postgres", marks=NEEDS_POSTGRESQL)]
    if not module.startswith(ON_BOTH):
        return []
    return ["sqlite", pytest.param("postgres", marks=NEEDS_POSTGRESQL)]


NewDatabase = Callable[[], AbstractContextManager[Any]]
