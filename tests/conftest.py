"""What tests of every room share: a clock that stands still, secrets, a database of their own, files to import."""

import os
import shutil
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


@pytest.fixture(scope="session")
def new_database(tmp_path_factory: pytest.TempPathFactory) -> NewDatabase:
    """Makes an empty database with all tables: for tests that need several, such as Hypothesis's examples.

    The migrations run once (100 ms); every database is a copy of that file (2 ms).
    """
    folder = tmp_path_factory.mktemp("databases")
    first = folder / "first.db"
    open_database(f"sqlite:///{first}").dispose()
    numbers = count()

    @contextmanager
    def new() -> Iterator[Engine]:
        path = folder / f"{next(numbers)}.db"
        shutil.copyfile(first, path)
        database = open_database(f"sqlite:///{path}")
        try:
            yield database
        finally:
            database.dispose()
            for leftover in folder.glob(f"{path.name}*"):
                leftover.unlink()

    return new


@pytest.fixture
def database(new_database: NewDatabase) -> Iterator[Engine]:
    """An empty database with all tables, on a file of its own."""
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
