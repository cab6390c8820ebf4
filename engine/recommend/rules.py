"""What a shop expects of picks: limits and wishes, from the settings and from each campaign."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from engine.errors import RuleInvalid
from engine.recommend.filters import Boost, Filter
from engine.recommend.trend import SECONDS_A_DAY


@dataclass(frozen=True)
class Rules:
    """The rules of one plan.

    lowest_price, highest_price: in cents, inclusive. include: only products that match one of these (all when empty);
    exclude: none of these. boost: see `filters.Boost`. diversity: 0 (best scores first) to 1 (as many types as there
    are). hero_share: no product is hero for a larger share of the people; 1 for no cap. exploration: share of the
    people whose last pick is a new product drawn by chance. repeat_mails: a product shown in a person's last N mails is
    not shown again, unless they showed new interest in it. view_delay: seconds a look must be old before a pick may
    follow from it. label_people: how many people must share a label before it is used. sensitive: product types that
    are never picked, and from which nothing is inferred. replenish: days until a product of a type is used up.
    """

    lowest_price: int | None = None
    highest_price: int | None = None
    include: tuple[Filter, ...] = ()
    exclude: tuple[Filter, ...] = ()
    boost: tuple[Boost, ...] = ()
    diversity: float = 0.05
    hero_share: float = 0.04
    exploration: float = 0.02
    repeat_mails: int = 3
    view_delay: int = 3_600
    label_people: int = 5
    sensitive: tuple[str, ...] = ()
    replenish: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        """Raises RuleInvalid."""
        for name, low, high in _LIMITS:
            value = getattr(self, name)
            if not low <= value <= high:  # also true of nan
                raise RuleInvalid(f"rule {name} must be {low} to {high}, not {value}")
        lowest, highest = self.lowest_price, self.highest_price
        if lowest is not None and highest is not None and lowest > highest:
            raise RuleInvalid(f"the lowest price ({lowest / 100:.2f}) is above the highest ({highest / 100:.2f})")


_LIMITS = (
    ("diversity", 0, 1),
    ("hero_share", 0.001, 1),
    ("exploration", 0, 0.5),
    ("repeat_mails", 0, 100),
    ("view_delay", 0, 365 * SECONDS_A_DAY),
    ("label_people", 1, 1_000_000),
)


class Tally:
    """How often each rule removed or moved something, in the order of their first use.

    products: taken off the shelf for everybody. pairs: a product taken from one person's choice. people: whose picks
    were changed.
    """

    def __init__(self) -> None:
        self.products: dict[str, int] = {}
        self.pairs: dict[str, int] = {}
        self.people: dict[str, int] = {}

    def summary(self) -> dict[str, dict[str, int]]:
        """The counts as plain data, without zeros: {rule: {"products" | "pairs" | "people": n}}."""
        found: dict[str, dict[str, int]] = {}
        for unit, counts in (("products", self.products), ("pairs", self.pairs), ("people", self.people)):
            for rule, count in counts.items():
                if count:
                    found.setdefault(rule, {})[unit] = count
        return found


def count(counts: dict[str, int], rule: str, number: int) -> None:
    """Add to one of a tally's counts."""
    counts[rule] = counts.get(rule, 0) + number
