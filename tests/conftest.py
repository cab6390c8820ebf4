"""What tests of every room share: a clock that stands still, secrets, a database of their own, files to import."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import hypothesis
import pytest
from sqlalchemy import Engine

from subscribers.database import open_database
from subscribers.secrets import Secrets
from tests.stores import Files, Server, Store, stores_of

# no deadline: a busy machine is no bug. The same examples each time where nobody is there to read a new one
hypothesis.settings.register_profile("handpicked", deadline=None, derandomize="CI" in os.environ)
hypothesis.settings.load_profile("handpicked")

ROOT = Path(__file__).parents[1]

WriteCsv = Callable[..., Path]
NewDatabase = Callable[[], AbstractContextManager[Engine]]


@pytest.fixture(scope="session")
def now() -> datetime:
    """The moment all tests happen at."""
    return datetime(2026, 6, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="session")
def secrets() -> Secrets:
    return Secrets(suppression=b"a key for tests, not for people!", signing=("newest", "older"))


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "sqlite: runs on SQLite only, unlike the other tests of its module")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if places := stores_of(metafunc, ROOT):
        metafunc.parametrize("store", places, indirect=True, scope="session")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    """A PostgreSQL server of this process's own, started when the first test needs it (1 s)."""
    with Server() as server:
        yield server


@pytest.fixture(scope="session")
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Where the databases of a test are kept: in SQLite files, or where its parameter says."""
    if getattr(request, "param", "sqlite") == "postgres":
        server: Server = request.getfixturevalue("postgres_server")
        return server
    return Files(tmp_path_factory.mktemp("databases"))


@pytest.fixture(scope="session")
def new_database(store: Store) -> NewDatabase:
    """Makes an empty database with all tables: for tests that need several, such as Hypothesis's examples."""

    @contextmanager
    def new() -> Iterator[Engine]:
        with store.new() as url, closing_database(open_database(url)) as database:
            yield database

    return new


@contextmanager
def closing_database(database: Engine) -> Iterator[Engine]:
    try:
        yield database
    finally:
        database.dispose()


@pytest.fixture
def database(new_database: NewDatabase) -> Iterator[Engine]:
    """An empty database with all tables, for this test alone."""
    with new_database() as database:
        yield database


@pytest.fixture
def write_csv(tmp_path: Path) -> WriteCsv:
    """Writes a file to import, and gives its path: from text, bytes, or rows of cells, unquoted."""
    numbers = count()

    def write(content: str | bytes | Iterable[Sequence[object]], *, name: str = "", encoding: str = "utf-8") -> Path:
        if not isinstance(content, str | bytes):
            content = "".join(",".join(map(str, row)) + "\n" for row in content)
        path = tmp_path / (name or f"file-{next(numbers)}.csv")
        path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
        return path

    return write
