"""Benchmarks are scripts: their modules are found only from their folder, and only while a test needs them."""

import importlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"

Run = Callable[..., dict[str, Any]]
Load = Callable[[str], ModuleType]


@pytest.fixture
def run() -> Run:
    """Runs a benchmark with these arguments in a process of its own, and gives what it prints as JSON."""

    def run(name: str, *arguments: str) -> dict[str, Any]:
        command = [sys.executable, str(FOLDER / f"{name}.py"), "--json", *arguments]
        found: dict[str, Any] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
        assert set(found) == {"benchmark", "machine", "rows", "ratios"}
        assert all(set(row) == {"name", "value", "unit"} for row in found["rows"])
        return found

    return run


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Load:
    """Imports a module of the benchmarks."""
    monkeypatch.syspath_prepend(str(FOLDER))
    return importlib.import_module
