"""Every example in README, CONTRIBUTING and docs/ is run, page by page, each page in a folder of its own.

A page is read from top to bottom, as somebody would follow it. The folder holds the files of `tests/docs/shop/`; with
`<!-- examples: shop -->` on the page also a workspace in which they are imported and the model is trained.

- ```console: a line that begins with `$ ` is run by bash, and must end with 0, or with what a comment behind it says:
  `# exit 1`. The lines that follow must be its output; `…` stands for anything, on a line of its own for any lines.
  Of `make …` only the target is looked up; of commands that never end, and of the demo, only `--help` is run.
- ```toml, ```html and ```python: a first line `# path` (or `{# path #}`) puts the block into that file, for the
  examples that follow. Python blocks are then run, with warnings as errors. TOML is read by the code that will read it.
- A date behind `--at` is moved to next year, so that it stays in the future. Blocks of other languages are only read.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from campaigns.edit import definition_from_file
from campaigns.settings import Settings
from engine.render.environment import TemplateFolders

ROOT = Path(__file__).parents[2]
FILES = Path(__file__).parent / "shop"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
SETTINGS = """\
sender_name = "Oat & Amber"
sender_address = "hello@example.com"
postal_address = "1 Mill Lane, Ambleford AM1 1AA"
website = "https://shop.example"
currency = "EUR"
"""
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"(?:#|\{#|<!--) ([\w./-]+\.\w+)(?: #\}| -->)?\n")
_EXIT = re.compile(r"#\s*exit (\d)\s*$")
_ENDLESS = re.compile(r"^(?:\w+=\S+ )*handpicked (studio|scheduler|demo)\b")
_DATE = re.compile(r"(--at ['\"])\d{4}(-)")


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    where: str
    language: str
    text: str


@dataclass
class Command:
    """A command of a console block, the exit code it must have, and the output it must show, if the page shows any."""

    line: str
    exit_code: int
    output: list[str]


def blocks_of(page: Path) -> list[Block]:
    source = page.read_text(encoding="utf-8")
    return [
        Block(f"{page.name}, line {source.count(chr(10), 0, found.start()) + 1}", found[1], found[2])
        for found in _FENCE.finditer(source)
    ]


def commands_in(block: Block) -> Iterator[Command]:
    command: Command | None = None
    for line in block.text.replace("\\\n", "").splitlines():
        if line.startswith("$ "):
            if command:
                yield command
            exit_code = _EXIT.search(line)
            command = Command(line[2:], int(exit_code[1]) if exit_code else 0, [])
        else:
            assert command, f"{block.where}: output without a command before it: {line}"
            command.output.append(line)
    if command:
        yield command


def is_run(page: Path) -> bool:
    return any(block.language in ("console", "python") for block in blocks_of(page))


@pytest.fixture(scope="session")
def made_shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files and a workspace in which they are imported, and the model is trained."""
    folder = tmp_path_factory.mktemp("shop")
    shutil.copytree(FILES, folder, dirs_exist_ok=True)
    (folder / "workspace").mkdir()
    (folder / "workspace" / "handpicked.toml").write_text(SETTINGS, encoding="utf-8")
    for step in (
        "import subscribers subscribers.csv",
        "import products products.csv",
        "import signals signals.csv",
        "train",
        "campaign new weekly",
    ):
        code, shown = in_bash(f"handpicked {step}", folder)
        assert code == 0, shown
    return folder


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, id=page.name, marks=[pytest.mark.slow, pytest.mark.timeout(900)])
        for page in PAGES
        if is_run(page)
    ],
)
def test_the_examples_of_a_page_work(page: Path, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    ready = "<!-- examples: shop -->" in page.read_text(encoding="utf-8")
    start = request.getfixturevalue("made_shop") if ready else FILES
    shutil.copytree(start, tmp_path, dirs_exist_ok=True)
    for block in blocks_of(page):
        follow(block, tmp_path)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_toml_on_a_page_is_read_by_what_will_read_it(page: Path, tmp_path: Path) -> None:
    for block in blocks_of(page):
        if block.language == "toml":
            read_toml(block, tmp_path)


def follow(block: Block, folder: Path) -> None:
    """Do what the block says."""
    file = _FILE.match(block.text)
    if file:
        path = folder / file[1]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.text, encoding="utf-8")
    if block.language == "console":
        for command in commands_in(block):
            run(command, block, folder)
    elif block.language == "python":
        ended = subprocess.run(
            [sys.executable, "-W", "error", "-c", block.text],
            cwd=folder,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert ended.returncode == 0, f"{block.where}:\n{ended.stderr}"


def run(command: Command, block: Block, folder: Path) -> None:
    if command.line.startswith("make"):
        for target in command.line.split("#")[0].split()[1:]:
            assert "=" in target or is_target(target), f"{block.where}: make knows no {target}"
        return
    endless = _ENDLESS.match(command.line)
    if endless:
        code, shown = in_bash(f"handpicked {endless[1]} --help", folder)
        assert code == 0, shown
        options = set(re.findall(r"--[a-z-]+", command.line))
        assert options <= set(re.findall(r"--[a-z-]+", shown)), f"{block.where}: {command.line}"
        return
    next_year = datetime.now(UTC).year + 1
    code, shown = in_bash(_DATE.sub(rf"\g<1>{next_year}\2", command.line), folder)
    assert code == command.exit_code, f"{block.where}: $ {command.line}\nended with {code}:\n{shown}"
    if "".join(command.output).strip():
        assert fits(shown, command.output), f"{block.where}: $ {command.line}\nprinted\n{shown}\nand not\n" + "\n".join(
            command.output
        )


def in_bash(line: str, folder: Path) -> tuple[int, str]:
    """Run a line of a page; (exit code, what a terminal would show)."""
    ended = subprocess.run(
        ["bash", "-c", line],
        cwd=folder,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    return ended.returncode, ended.stdout


def environment() -> dict[str, str]:
    """Ours, with this Python's programs first and without settings of the person who runs the tests."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("HANDPICKED_")}
    return ours | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", "LC_ALL": "C.UTF-8"}


def fits(shown: str, expected: list[str]) -> bool:
    """Whether the output is the expected one, `…` standing for anything."""
    lines = "\n".join(expected).strip("\n").split("\n")
    pattern = ""
    for line in lines:
        if line.strip() == "…":
            pattern += r"(?:[^\n]*\n)*"
        else:
            pattern += r"[^\n]*".join(re.escape(part) for part in line.rstrip().split("…")) + r"[^\S\n]*\n"
    return re.fullmatch(pattern, shown.strip("\n") + "\n") is not None


def read_toml(block: Block, folder: Path) -> None:
    """Let the part of Handpicked that the block is for read it."""
    plain = tomllib.loads(block.text)
    if set(plain) <= set(Settings.model_fields):
        Settings.model_validate(plain)
    elif "name" in plain:
        file = folder / "campaign.toml"
        file.write_text(block.text, encoding="utf-8")
        definition_from_file(file)
    else:
        (folder / "sheet.toml").write_text(block.text, encoding="utf-8")
        sheet = TemplateFolders((folder,)).sheet("sheet")
        assert sheet.title, f"{block.where}: neither settings, nor a campaign, nor the sheet of a template"
        assert sheet.description


def is_target(target: str) -> bool:
    return re.search(rf"^{re.escape(target)}:", (ROOT / "Makefile").read_text(), re.MULTILINE) is not None


@pytest.mark.parametrize(
    ("shown", "expected", "same"),
    [
        ("a\nb\n", ["a", "b"], True),
        ("a  \nb\n", ["a", "b", ""], True),
        ("a 17 c\n", ["a … c"], True),
        ("a\nx\ny\nb\n", ["a", "…", "b"], True),
        ("a\nb\nc\n", ["a", "b"], False),
        ("a\n", ["b"], False),
    ],
)
def test_output_is_compared_with_room_where_the_page_leaves_room(shown: str, expected: list[str], same: bool) -> None:
    assert fits(shown, expected) is same
