"""Nothing imports upward: studio → scheduler → campaigns → engine → subscribers. And a few other rules of the house."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("subscribers", "engine", "campaigns", "scheduler", "studio")  # each may import those before it
OUTSIDE = ("tests", "benchmarks")
LONGEST_FILE = 400  # lines; the rule of the house is 80 to 300
NAMES_FOR_ANYTHING = re.compile(r"(^|_)(utils?|helpers?|managers?)(_|$)|(Utils?|Helpers?|Managers?)$")


def files_of(root: Path, room: str) -> list[Path]:
    single = root / f"{room}.py"
    return [single] if single.exists() else sorted((root / room).rglob("*.py"))


def imported_by(source: str, package: tuple[str, ...]) -> Iterator[tuple[int, str]]:
    """(line, whole name) of every import in a source, also within functions and as text. package: where it stands."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*start, *filter(None, [node.module])])
            yield node.lineno, module
            yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            called = ast.unparse(node.func)
            if called in ("__import__", "import_module", "importlib.import_module"):
                yield node.lineno, str(node.args[0].value)


def violations(root: Path) -> list[str]:
    """Every import that no room may have, as "file:line imports name"."""
    found = []
    for place, room in enumerate(ROOMS):
        above = {*ROOMS[place + 1 :], *OUTSIDE}
        for path in files_of(root, room):
            package = path.relative_to(root).parent.parts
            for line, name in imported_by(path.read_text("utf-8"), package):
                if name.split(".")[0] in above:
                    found.append(f"{path.relative_to(root)}:{line} imports {name}")
    return sorted(set(found))


def test_nothing_imports_upward_and_nothing_imports_tests_or_benchmarks() -> None:
    assert violations(ROOT) == []


def test_every_room_is_looked_at() -> None:
    assert all(len(files_of(ROOT, room)) >= 1 for room in ROOMS)
    assert sum(len(files_of(ROOT, room)) for room in ROOMS) > 60
    rooms = {path.parent.name for path in ROOT.glob("*/__init__.py")} | {path.stem for path in ROOT.glob("*.py")}
    assert rooms <= set(ROOMS)


@pytest.mark.parametrize("path", [path for room in ROOMS for path in files_of(ROOT, room)], ids=str)
def test_a_file_fits_into_a_head(path: Path) -> None:
    assert len(path.read_text("utf-8").splitlines()) <= LONGEST_FILE


def names_in(path: Path) -> Iterator[str]:
    yield from path.relative_to(ROOT).with_suffix("").parts
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.name


@pytest.mark.parametrize("room", ROOMS)
def test_nothing_is_called_utils_helpers_or_manager(room: str) -> None:
    assert [
        (str(path), name) for path in files_of(ROOT, room) for name in names_in(path) if NAMES_FOR_ANYTHING.search(name)
    ] == []


PLANTED = [
    ("subscribers/models.py", "import engine"),
    ("subscribers/deep/inside/file.py", "from engine.catalog import Product"),
    ("engine/render/inline.py", "from campaigns import plan"),
    ("engine/render/inline.py", "def late():\n    if True:\n        import campaigns.plan as plan"),
    ("engine/render/inline.py", "import os, studio.app"),
    ("engine/render/inline.py", "from ...campaigns import plan"),
    ("engine/render/inline.py", "import importlib\nimportlib.import_module('studio.app')"),
    ("engine/render/inline.py", "__import__('scheduler')"),
    ("campaigns/plan.py", "import scheduler"),
    ("campaigns/plan.py", "from studio.app import app"),
    ("scheduler.py", "from studio import app"),
    ("studio/app.py", "from tests.engine.shops import catalog"),
    ("studio/app.py", "from benchmarks import pipeline"),
    ("engine/catalog.py", "try:\n    import tests\nexcept ImportError:\n    pass"),
]


@pytest.mark.parametrize(("file", "source"), PLANTED)
def test_a_planted_violation_is_caught(tmp_path: Path, file: str, source: str) -> None:
    path = tmp_path / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(source)
    (found,) = {line.split(" imports ")[0].split(":")[0] for line in violations(tmp_path)}
    assert found == file


@pytest.mark.parametrize(
    ("file", "source"),
    [
        (
            "studio/app.py",
            "import scheduler, campaigns.plan\nfrom engine.catalog import Product\nfrom subscribers import roster",
        ),
        ("scheduler.py", "from campaigns.plan import plan_run"),
        (
            "engine/render/inline.py",
            "from . import flatten\nfrom ..catalog import Product\nimport engineering, tests_of_time",
        ),
        ("engine/catalog.py", '"""import studio"""\n# import studio\nname = "studio"'),
    ],
)
def test_what_is_allowed_is_not_caught(tmp_path: Path, file: str, source: str) -> None:
    path = tmp_path / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(source)
    assert violations(tmp_path) == []


@pytest.mark.parametrize("name", ["utils", "string_utils", "helpers", "CacheManager", "manager", "test_helper_x"])
def test_a_planted_name_for_anything_is_caught(name: str) -> None:
    assert NAMES_FOR_ANYTHING.search(name)


@pytest.mark.parametrize("name", ["contextmanager_of", "utility_bill", "manage", "helped"])
def test_an_ordinary_name_is_not_caught(name: str) -> None:
    assert not NAMES_FOR_ANYTHING.search(name)
