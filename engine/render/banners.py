"""A banner for each group of readers: which words and link go with which label of the profile."""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass

EVERYONE = "everyone"


@dataclass(frozen=True)
class Banner:
    """label: whom it is for, in small letters; words: what it says; link: where it leads."""

    label: str
    words: str
    link: str

    def as_plain(self) -> dict[str, str]:
        """As a template sees it."""
        return asdict(self)


NO_BANNER = Banner("", "", "")


def banners_in(lines: str, *, home: str) -> tuple[Banner, ...]:
    """The banners a marketer wrote, one a line: `label: words | link`; without a link it leads home.

    >>> banners_in("Dry skin: Creams for cold days | https://shop.example/winter", home="https://shop.example")
    (Banner(label='dry skin', words='Creams for cold days', link='https://shop.example/winter'),)
    """
    found = []
    for line in lines.splitlines():
        label, colon, rest = line.partition(":")
        words, _, link = rest.rpartition(" | ") if " | " in rest else (rest, "", "")
        if colon and words.strip():
            found.append(Banner(_plain(label), " ".join(words.split()), link.strip() or home))
    return tuple(found)


def label_for(lines: str, labels: Sequence[str]) -> str:
    """Which banner suits somebody with these labels: the first in the marketer's order; "" when none does.

    labels: of the profile, such as "label:dry skin" or "type:creams".

    >>> label_for("oily skin: A\\ndry skin: B\\neveryone: C", ["type:creams", "label:dry skin"])
    'dry skin'
    """
    has = {_plain(label.partition(":")[2]) for label in labels} | {EVERYONE}
    return next((banner.label for banner in banners_in(lines, home="") if banner.label in has), "")


def chosen(banners: Collection[Banner], label: str) -> Banner:
    """The banner of this label, in whatever language; one without words when there is none."""
    return next((banner for banner in banners if banner.label == label), NO_BANNER) if label else NO_BANNER


def _plain(label: str) -> str:
    return " ".join(label.casefold().split())
