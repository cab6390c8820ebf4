"""The two forms of the crash tests, and planned runs on both stores to copy."""

import os
from collections.abc import Iterator

import pytest

from tests.crash.lives import Nursery
from tests.crash.workspaces import Original, make_original
from tests.stores import Store

WHOLE = os.environ.get("CRASH_TESTS") == "whole"  # set by `make crash`
PEOPLE = 10_000 if WHOLE else 300
KILLS = 200 if WHOLE else 10
SECONDS = 3_600 if WHOLE else 300  # for one test


@pytest.fixture(scope="session")
def original(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Original]:
    """A planned run on the store."""
    with make_original(tmp_path_factory.mktemp("crash") / "original", PEOPLE, store) as made:
        yield made


@pytest.fixture
def nursery() -> Iterator[Nursery]:
    with Nursery() as made:
        yield made
