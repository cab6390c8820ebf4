"""Links, anchors, pictures and file names on the pages lead somewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted((ROOT / "docs").glob("*.md")),
]
LARGEST_PICTURE = 300 * 1024  # bytes: somebody reads this on a train
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_CODE = re.compile(r"^```.*?^```$|`[^`\n]*`", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#{1,6} +(.+?) *$", re.MULTILINE)
_FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_ROOMS = "subscribers|engine|campaigns|studio|templates|tests|tools|benchmarks|docs"
_PATH = re.compile(rf"`((?:{_ROOMS})/[\w./-]*|scheduler\.py|Makefile|pyproject\.toml)`")


def links_of(page: Path) -> list[str]:
    return _LINK.findall(_CODE.sub("", page.read_text(encoding="utf-8")))


def anchors_of(page: Path) -> set[str]:
    """The anchors GitHub makes of headings: small letters, hyphens for spaces, a number for the second of a name."""
    seen: dict[str, int] = {}
    anchors = set()
    for heading in _HEADING.findall(_FENCE.sub("", page.read_text(encoding="utf-8"))):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        name = re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")
        anchors.add(f"{name}-{seen[name]}" if name in seen else name)
        seen[name] = seen.get(name, 0) + 1
    return anchors


def broken_links() -> Iterator[str]:
    for page in PAGES:
        for link in links_of(page):
            if re.match(r"[a-z]+:", link):
                continue
            file, _, anchor = link.partition("#")
            target = (page.parent / file).resolve() if file else page
            if not target.exists():
                yield f"{page.name}: {link} does not exist"
            elif anchor and anchor not in anchors_of(target):
                yield f"{page.name}: {link}: {target.name} has no such heading"


def test_every_link_leads_somewhere() -> None:
    assert list(broken_links()) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_that_are_named_exist(page: Path) -> None:
    named = _PATH.findall(_FENCE.sub("", page.read_text(encoding="utf-8")))
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_pictures_are_shown_somewhere_and_small() -> None:
    shown = {(page.parent / link).resolve() for page in PAGES for link in links_of(page) if link.endswith(".png")}
    there = {path.resolve() for path in (ROOT / "docs" / "pictures").glob("*.png")}
    assert shown == there
    assert there, "a page without a picture"
    assert {path.name: path.stat().st_size for path in there if path.stat().st_size > LARGEST_PICTURE} == {}
    assert all(path.read_bytes().startswith(b"\x89PNG\r\n") for path in there)


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached, waiting = set[Path](), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in reached:
            continue
        reached.add(page)
        targets = [(page.parent / link.partition("#")[0]).resolve() for link in links_of(page) if ":" not in link]
        waiting += [target for target in targets if target.suffix == ".md" and target.exists()]
    assert set(PAGES) <= reached


@pytest.mark.parametrize("heading", ["## Exit codes", "### What is kept, and where?", "## `plan`", "## [Links](x.md)"])
def test_anchors_are_those_of_github(tmp_path: Path, heading: str) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"# Title\n\n{heading}\n")
    expected = {"## Exit codes": "exit-codes", "## `plan`": "plan", "## [Links](x.md)": "links"}
    assert expected.get(heading, "what-is-kept-and-where") in anchors_of(page)
