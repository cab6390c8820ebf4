"""What this machine has of what Handpicked needs, and how to get the rest."""

import shutil
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib import import_module, metadata
from pathlib import Path
from sysconfig import get_paths

OLDEST, NEWEST = (3, 11), (3, 13)


@dataclass(frozen=True)
class Item:
    """One thing looked for. needed: without it the main job does not run; else it says what it is for."""

    name: str
    there: bool
    needed: bool
    detail: str

    def summary(self) -> dict[str, object]:
        """As plain data."""
        return asdict(self)


def examine(which: Callable[[str], str | None] = shutil.which) -> list[Item]:
    """Look at everything, needed or not. which: finds a program, as `shutil.which` does."""
    return [
        _python(),
        _compiler(which),
        *(_package(name) for name in ("lightfm", "premailer", "sqlmodel", "apscheduler", "fastapi")),
        _optional("cryptography", "for DKIM signatures: pip install 'handpicked[dkim]'"),
        _imports_ours(),
        _program(which, "PostgreSQL server", ("postgres", "pg_ctl"), "for its tests: apt-get install postgresql"),
        _program(
            which, "Chromium", ("chromium", "chromium-browser"), "for the browser tests: apt-get install chromium"
        ),
    ]


def _python() -> Item:
    version = sys.version_info[:2]
    there = OLDEST <= version <= NEWEST
    detail = f"{version[0]}.{version[1]}" + ("" if there else "; install Python 3.11, 3.12 or 3.13")
    return Item("Python", there, True, detail)


def _compiler(which: Callable[[str], str | None]) -> Item:
    compiler = which("gcc") or which("cc")
    headers = (Path(get_paths()["include"]) / "Python.h").exists()
    if compiler and headers:
        return Item("C compiler", True, False, compiler)
    missing = "gcc (apt-get install gcc)" if not compiler else "Python.h (apt-get install python3-dev)"
    return Item("C compiler", False, False, f"needed once, to build LightFM: {missing}")


def _package(name: str) -> Item:
    distribution = {"lightfm": "rectools-lightfm"}.get(name, name)
    try:
        import_module(name)
        return Item(name, True, True, metadata.version(distribution))
    except (ImportError, metadata.PackageNotFoundError) as error:
        return Item(name, False, True, f"{error}; run `make setup`")


def _optional(name: str, advice: str) -> Item:
    try:
        import_module(name)
        return Item(name, True, False, metadata.version(name))
    except (ImportError, metadata.PackageNotFoundError):
        return Item(name, False, False, advice)


def _imports_ours() -> Item:
    """Another package called `scheduler` is on PyPI; installed beside ours it would win."""
    import scheduler

    ours = Path(scheduler.__file__ or "").parent == Path(__file__).parent.parent
    detail = "ours" if ours else f"{scheduler.__file__} is another project's; install Handpicked in its own environment"
    return Item("scheduler", ours, True, detail)


def _program(which: Callable[[str], str | None], name: str, programs: tuple[str, ...], advice: str) -> Item:
    found = next((path for program in programs if (path := which(program))), None)
    if found is None and "postgres" in programs:
        servers = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
        found = str(servers[-1]) if servers else None
    return Item(name, found is not None, False, found or advice)
