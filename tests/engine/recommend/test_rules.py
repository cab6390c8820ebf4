"""The rules of a plan: their limits, and the tally of what they did."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import RuleInvalid
from engine.recommend.rules import Rules, Tally, count


@pytest.mark.parametrize(
    ("rule", "wrong"),
    [
        *[("diversity", -0.01), ("diversity", 1.01), ("diversity", float("nan"))],
        *[("hero_share", 0), ("hero_share", 1.1), ("exploration", 0.51), ("exploration", -1)],
        *[("repeat_mails", -1), ("repeat_mails", 101), ("view_delay", -1), ("view_delay", 31_536_001)],
        *[("label_people", 0), ("label_people", 1_000_001)],
    ],
)
def test_a_rule_beyond_its_limits_is_refused_by_name(rule: str, wrong: float) -> None:
    with pytest.raises(RuleInvalid, match=f"rule {rule} must be .* to .*, not {wrong}"):
        Rules(**{rule: wrong})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "right",
    [
        {"diversity": 0, "hero_share": 0.001, "exploration": 0, "repeat_mails": 0, "view_delay": 0, "label_people": 1},
        {"diversity": 1, "hero_share": 1, "exploration": 0.5, "repeat_mails": 100, "view_delay": 31_536_000},
        {"lowest_price": 500, "highest_price": 500},
        {"lowest_price": 0},
        {"highest_price": 0},
    ],
)
def test_what_is_within_the_limits_is_taken(right: dict[str, Any]) -> None:
    assert {name: getattr(Rules(**right), name) for name in right} == right


def test_a_lowest_price_above_the_highest_is_refused() -> None:
    with pytest.raises(RuleInvalid, match=r"the lowest price \(20\.01\) is above the highest \(20\.00\)"):
        Rules(lowest_price=2001, highest_price=2000)


counts = st.dictionaries(st.sampled_from(["stock", "hero cap", "no image"]), st.integers(0, 5))


@given(counts, counts, counts)
def test_a_tally_says_what_was_counted_and_nothing_of_noughts(
    products: dict[str, int], pairs: dict[str, int], people: dict[str, int]
) -> None:
    tally = Tally()
    for counted, wanted in ((tally.products, products), (tally.pairs, pairs), (tally.people, people)):
        for rule, number in wanted.items():
            count(counted, rule, number)
            count(counted, rule, number)
    found = tally.summary()
    for unit, wanted in (("products", products), ("pairs", pairs), ("people", people)):
        assert {rule: units[unit] for rule, units in found.items() if unit in units} == {
            rule: 2 * number for rule, number in wanted.items() if number
        }
    assert all(units for units in found.values())
