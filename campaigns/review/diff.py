"""Two snapshots compared: from the manifests alone who has another mail, then what is different, in groups by cause.

The manifests are read side by side, line by line: 100,000 people take about a second where nothing differs. Then only
the mails of those who differ are looked at, where they were kept.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from campaigns.review.archive import Shelf
from campaigns.review.causes import AUDIENCE, Causes
from campaigns.review.cluster import Group, Groups, approve
from campaigns.review.errors import SnapshotUnreadable
from campaigns.review.explain import SUBJECT, Explained, Kind, Looker
from campaigns.review.manifest import Manifest, merged, person
from campaigns.review.products import TEXT_PART
from campaigns.review.tree import ignored

HASHES = ("subject", "html", "text")
_STEP = 1_000

Progress = Callable[[int, int], None]
"""Called with (people compared, people in all as far as is known)."""


@dataclass
class Difference:
    """What became of everybody's mail from one snapshot to another.

    same: whose mail is the same; unseen: how many of those have other bytes in which nothing is different that anybody
    can see, or that is not ignored. added, removed: people who have a mail in one of the two only. looked: how many of
    those who changed had their mails compared; of the others the manifest says which part and whose products.
    """

    first: str
    second: str
    same: int = 0
    unseen: int = 0
    changed: int = 0
    added: int = 0
    removed: int = 0
    looked: int = 0
    groups: list[Group] = field(default_factory=list)

    @property
    def open(self) -> list[Group]:
        """The groups that nobody has approved."""
        return [group for group in self.groups if not group.approved]

    def summary(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "same": self.same,
            "changed": self.changed,
            "added": self.added,
            "removed": self.removed,
            "unseen": self.unseen,
            "looked_at": self.looked,
            "causes": [group.summary() for group in self.groups],
        }


def compare(
    before: Path,
    after: Path,
    *,
    ignore: Iterable[str] = (),
    approved: frozenset[str] = frozenset(),
    progress: Progress | None = None,
) -> Difference:
    """Compare two snapshots. ignore: CSS selectors, `SELECTOR@ATTRIBUTE`, "subject" or "text part".

    Raises SnapshotUnreadable when one is damaged or incomplete, or when the two have nobody in common.
    """
    first, second = Manifest(before), Manifest(after)
    rules = list(ignore)
    passed_over = [rule for rule in rules if rule in (SUBJECT, TEXT_PART)]
    selectors = [rule for rule in rules if rule not in passed_over]
    found = Difference(str(before), str(after))
    causes = Causes(first.head, second.head, first.products(), second.products())
    looker = Looker(causes, ignored(selectors) if selectors else None, passed_over)
    one, other, groups = Shelf(before), Shelf(after), Groups()
    both = people = 0
    for raw, line, line_now in merged(first, second):
        both += line is not None and line_now is not None
        people += 1
        if progress and people % _STEP == 0:
            progress(people, 0)
        if line is not None and line == line_now:
            found.same += b'"reason"' not in line[:60]
            continue
        _one_person(found, groups, looker, (one, other), raw.decode(), line, line_now)
    if people and not both and found.added and found.removed:
        raise SnapshotUnreadable(
            f"{before} and {after} have nobody in common: keys differ from workspace to workspace; make both in one"
        )
    found.groups = groups.found()
    approve(found.groups, approved)
    return found


def _one_person(  # noqa: PLR0917 - one step of the loop above
    found: Difference,
    groups: Groups,
    looker: Looker,
    shelves: tuple[Shelf, Shelf],
    key: str,
    line: bytes | None,
    line_now: bytes | None,
) -> None:
    nobody = {"reason": "not in this snapshot"}
    was, now = (person(line) if line else nobody), (person(line_now) if line_now else nobody)
    if "html" not in was or "html" not in now:
        _came_or_went(found, groups, key, was, now)
        return
    if all(was[name] == now[name] for name in HASHES):
        found.same += 1  # other picks that no mail shows
        return
    mails = shelves[0].take(key), shelves[1].take(key)
    seen = looker.look(was, now, mails)
    found.looked += all(mails)
    if seen.kinds:
        found.changed += 1
        groups.add(key, seen)
    else:
        found.same += 1
        found.unseen += 1


def _came_or_went(found: Difference, groups: Groups, key: str, was: dict[str, Any], now: dict[str, Any]) -> None:
    if "html" in now:
        found.added += 1
        title = f"a mail now, and none before ({was['reason']})"
    elif "html" in was:
        found.removed += 1
        title = f"no mail any more ({now['reason']})"
    else:
        return
    seen = Explained()
    seen.add(Kind(AUDIENCE, title))
    groups.add(key, seen)


def approvals_in(path: Path) -> frozenset[str]:
    """The ids of the groups that a file of approvals names. Raises SnapshotUnreadable."""
    try:
        plain = orjson.loads(path.read_bytes())
        return frozenset(str(name) for name in plain["approved"])
    except (OSError, orjson.JSONDecodeError, KeyError, TypeError):
        raise SnapshotUnreadable(
            f'{path} holds no approvals; it is JSON: {{"approved": ["the id of a group", …]}}'
        ) from None
