"""Groups of people with the same change, each with its cause, an example and the worst case."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from campaigns.review.explain import Explained, Kind

MOST_ALIKE = 20  # different values at one place, from which on they are one group: what differs is each person's own


@dataclass
class Group:
    """People with the same change. only: how many of them have no other. example, worst: keys of people.

    changes: how many kinds of change the worst mail has. place, old, new: what was seen in the example.
    """

    cause: str
    title: str
    messages: int = 0
    only: int = 0
    example: str = ""
    worst: str = ""
    changes: int = 0
    place: str = ""
    old: str = ""
    new: str = ""
    exact: str = ""
    approved: bool = False

    @property
    def id(self) -> str:
        """The same for the same change in every comparison: what an approval names.

        >>> Group("template", "style color: '#111' → '#222'").id
        'e8f4e72a6d49'
        """
        exact = f"\n{self.exact}" if self.exact else ""
        return hashlib.sha256(f"{self.cause}\n{self.title}{exact}".encode()).hexdigest()[:12]

    def summary(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "id": self.id,
            "cause": self.cause,
            "change": self.title,
            "messages": self.messages,
            "only": self.only,
            "example": self.example,
            "worst": self.worst,
            "place": self.place,
            "old": self.old,
            "new": self.new,
            "approved": self.approved,
        }

    def take_in(self, key: str, found: Explained, kind: Kind, seen: tuple[str, str, str]) -> None:
        """Count one more person."""
        self.messages += 1
        self.only += len(found.kinds) == 1
        if not self.example:
            self.example, (self.place, self.old, self.new) = key, seen
        if len(found.kinds) > self.changes:
            self.worst, self.changes = key, len(found.kinds)


@dataclass
class _ByProducts:
    """Words that products brought, alike for several. pairs: which products stood there, up to two."""

    people: int = 0
    last: str = ""
    example: str = ""
    place: str = ""
    kinds: set[Kind] = field(default_factory=set)
    pairs: set[str] = field(default_factory=set)


class Groups:
    """Takes in what was found in each mail, in any number; holds a few numbers for each group."""

    def __init__(self) -> None:
        self._groups: dict[Kind, Group] = {}
        self._families: dict[tuple[str, str], Group] = {}
        self._values: dict[tuple[str, str], set[Kind]] = {}
        self._brought: dict[str, _ByProducts] = {}
        self._brought_people: dict[Kind, int] = {}

    def add(self, key: str, found: Explained) -> None:
        """One person's mail."""
        families = set[tuple[str, str]]()
        for kind in found.kinds:
            group = self._groups.setdefault(kind, Group(kind.cause, kind.title, exact=kind.exact))
            group.take_in(key, found, kind, found.places[kind])
            if not kind.family:
                continue
            family = kind.cause, kind.family
            self._values.setdefault(family, set()).add(kind)
            if family not in families:
                families.add(family)
                whole = self._families.setdefault(family, Group(kind.cause, f"{kind.family}: different for each"))
                whole.take_in(key, found, kind, found.places[kind])
        for kind in {kind for kind, _, _ in found.by_products} - set(found.kinds):
            self._brought_people[kind] = self._brought_people.get(kind, 0) + 1
        for kind, place, pair in found.by_products:
            self._note_brought(key, kind, place, pair)

    def _note_brought(self, key: str, kind: Kind, place: str, pair: str) -> None:
        brought = self._brought.setdefault(place, _ByProducts(example=key, place=place))
        if brought.last != key:
            brought.last, brought.people = key, brought.people + 1
        for held, one in ((brought.kinds, kind), (brought.pairs, pair)):
            if len(held) < 2:
                held.add(one)  # type: ignore[arg-type]

    def found(self) -> list[Group]:
        """The groups, the largest first."""
        many = {family for family, kinds in self._values.items() if len(kinds) > MOST_ALIKE}
        kept = [group for kind, group in self._groups.items() if (kind.cause, kind.family) not in many]
        for kind, group in self._groups.items():  # a label that changed, also beside products that are others now
            group.messages += self._brought_people.get(kind, 0)
        for family in many:  # an approval of such a group is one of these very values
            self._families[family].exact = "\n".join(sorted(kind.exact for kind in self._values[family]))
            kept.append(self._families[family])
        kept += self._labels()
        return sorted(kept, key=lambda group: (-group.messages, group.cause, group.title))

    def _labels(self) -> Iterator[Group]:
        """What reads alike beside different products, before and after, is no product's word: the template's."""
        for brought in self._brought.values():
            if len(brought.kinds) == 1 and len(brought.pairs) > 1 and brought.people > 1:
                (kind,) = brought.kinds
                if kind not in self._groups:
                    yield Group(
                        kind.cause,
                        kind.title,
                        messages=brought.people,
                        example=brought.example,
                        worst=brought.example,
                        place=brought.place,
                        exact=kind.exact,
                    )


def approve(groups: Iterable[Group], approved: frozenset[str]) -> None:
    """Mark the groups that somebody has looked at and agreed to."""
    for group in groups:
        group.approved = group.id in approved
