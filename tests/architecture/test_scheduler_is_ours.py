"""PyPI has another project called `scheduler`: installed beside ours, it would win."""

import importlib.util
from pathlib import Path

import scheduler

ROOT = Path(__file__).parents[2]


def test_the_scheduler_that_is_imported_is_this_one() -> None:
    assert Path(scheduler.__file__).resolve() == ROOT / "scheduler.py"


def test_the_other_one_is_not_installed_beside_it() -> None:
    from importlib import metadata

    assert "scheduler" not in {(project.metadata["Name"] or "").lower() for project in metadata.distributions()}


def test_every_room_is_this_checkouts_own() -> None:
    for room in ("subscribers", "engine", "campaigns", "studio"):
        spec = importlib.util.find_spec(room)
        assert spec is not None
        assert Path(spec.origin or "").resolve().is_relative_to(ROOT)
