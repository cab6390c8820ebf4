"""Which mail clients do not support what a template uses, by the data of caniemail.com.

The data are fetched when the environment is set up (tools/caniemail.py) and are no part of this repository. What a
feature of theirs is about is read from its own name and title ("css-border-radius", "<video> element", "display:flex"),
by `engine.render.features`; a newer file brings its new features along.
"""

import json
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from engine.errors import EngineError, TemplateMissing
from engine.render.features import Detector, Use

DATA = Path(sys.prefix) / "share" / "handpicked" / "caniemail.json"
NO, PARTLY = "n", "a"
_FILES = re.compile(r"""{%-?\s*(?:extends|include)\s+["']([^"']+)["']""")
_NOTE = re.compile(r"#(\d+)")


class ClientDataMissing(EngineError):
    """The caniemail data were not fetched, or cannot be read."""


@dataclass(frozen=True)
class Verdict:
    """What one client makes of a feature. partly: it supports some of it; note: what, in caniemail's words."""

    family: str
    platform: str
    partly: bool
    note: str

    @property
    def client(self) -> str:
        """Its whole name: "Gmail iOS"."""
        return self.platform if self.platform.startswith(self.family) else f"{self.family} {self.platform}"


@dataclass(frozen=True)
class Lack:
    """A feature the template uses, and the clients that lack it.

    where: of "inline", "<style>", "HTML", "@media …": what stands under an at-rule only adds to a mail that is fine
    without it. lines: the places in the template's files, those that were found. clients: how many lack it, a client
    with part of it counting half.
    """

    feature: str
    title: str
    url: str
    where: tuple[str, ...]
    lines: tuple[str, ...]
    verdicts: tuple[Verdict, ...]

    @property
    def clients(self) -> float:
        return sum(0.5 if verdict.partly else 1 for verdict in self.verdicts)

    @property
    def only_adds(self) -> bool:
        """Whether it is used under at-rules alone, as dark mode and phone layouts are."""
        return all(place.startswith("@") for place in self.where)

    def summary(self) -> dict[str, Any]:
        """As plain data."""
        split = {partly: [each for each in self.verdicts if each.partly == partly] for partly in (False, True)}
        return {
            "feature": self.feature,
            "title": self.title,
            "url": self.url,
            "where": list(self.where),
            "lines": list(self.lines),
            "not_supported": [verdict.client for verdict in split[False]],
            "partly_supported": [{"client": verdict.client, "note": verdict.note} for verdict in split[True]],
        }


class ClientSupport:
    """The caniemail data. Raises ClientDataMissing when they are not there."""

    def __init__(self, path: Path = DATA) -> None:
        try:
            plain = json.loads(path.read_text(encoding="utf-8"))
            self.date = str(plain["last_update_date"])[:10]
            self._names = plain["nicenames"]
            self._features: dict[str, Mapping[str, Any]] = {each["slug"]: each for each in plain["data"]}
        except FileNotFoundError:
            raise ClientDataMissing(
                f"there are no caniemail data at {path}; fetch them with `make caniemail`, which needs npm"
            ) from None
        except (ValueError, KeyError, TypeError) as error:
            raise ClientDataMissing(f"{path} cannot be read ({error!r}); delete it and run `make caniemail`") from None

    @cached_property
    def detector(self) -> Detector:
        """Finds the features of these data in a mail."""
        return Detector({slug: (str(each["title"]), str(each["description"])) for slug, each in self._features.items()})

    @cached_property
    def clients(self) -> list[str]:
        """Every client there are data for, by name."""
        return sorted({Verdict(*names, False, "").client for names in self._every})

    @cached_property
    def platforms(self) -> Mapping[str, int]:
        """How many clients each family has data for: Gmail has four."""
        return Counter(family for family, _ in self._every)

    def lacks(self, mails: Iterable[str], files: Mapping[str, str]) -> list[Lack]:
        """What these mails use and some client lacks, the most clients first. files: the template's, by name."""
        used: dict[str, list[Use]] = {}
        for html in mails:
            for use in self.detector.uses(html):
                known = used.setdefault(use.feature, [])
                if use not in known:
                    known.append(use)
        found = (self._lack(slug, uses, files) for slug, uses in used.items())
        return sorted((lack for lack in found if lack.verdicts), key=lambda lack: (-lack.clients, lack.title))

    def _lack(self, slug: str, uses: list[Use], files: Mapping[str, str]) -> Lack:
        feature = self._features[slug]
        notes = feature["notes_by_num"] or {}
        verdicts = [
            Verdict(*names, state[0] == PARTLY, " ".join(notes.get(number, "") for number in _NOTE.findall(state)))
            for names, state in self._tested(feature)
            if state[0] in (NO, PARTLY)
        ]
        where = tuple(sorted({use.where for use in uses}, key=lambda place: (place.startswith("@"), place)))
        lines = tuple(dict.fromkeys(line for use in uses for line in places_in(files, use.sign)))
        return Lack(slug, str(feature["title"]).strip(), str(feature["url"]), where, lines, tuple(verdicts))

    @cached_property
    def _every(self) -> set[tuple[str, str]]:
        return {names for each in self._features.values() for names, _ in self._tested(each)}

    def _tested(self, feature: Mapping[str, Any]) -> Iterator[tuple[tuple[str, str], str]]:
        """((family, platform), what its newest tested version does): y, n, a for partly or u for unknown, and the
        numbers of notes."""
        families, known = self._names["family"], self._names["platform"]
        for family, platforms in feature["stats"].items():
            for platform, versions in platforms.items():
                if versions:
                    names = (families.get(family, family), known.get(platform, platform))
                    yield names, str(list(versions.values())[-1])


def template_files(source_of: Callable[[str], str], name: str) -> dict[str, str]:
    """The sources of a template and of what it extends and includes by name, in that order."""
    files: dict[str, str] = {}
    waiting = [name]
    while waiting:
        file = waiting.pop(0)
        if file in files:
            continue
        try:
            files[file] = source_of(file)
        except TemplateMissing:
            continue
        waiting += _FILES.findall(files[file])
    return files


def places_in(files: Mapping[str, str], sign: str) -> Iterator[str]:
    """The lines of the files in which a sign, a regular expression, stands: "blocks/hero.html, line 3"."""
    pattern = re.compile(sign, re.IGNORECASE)
    for file, source in files.items():
        for number, line in enumerate(source.splitlines(), start=1):
            if pattern.search(line):
                yield f"{file}, line {number}"


def by_client(lacks: Iterable[Lack]) -> list[tuple[str, int, int]]:
    """(client, features it lacks, features it has partly), those with most to lose first."""
    counts: dict[str, list[int]] = {}
    for lack in lacks:
        for verdict in lack.verdicts:
            counts.setdefault(verdict.client, [0, 0])[verdict.partly] += 1
    ordered = sorted(counts.items(), key=lambda each: (-each[1][0], -each[1][1], each[0]))
    return [(client, lacking, partly) for client, (lacking, partly) in ordered]
