"""The picture of a comparison: well-formed, with every model in it and inside its frame."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from engine.recommend.evaluate.evaluation import Evaluation, Result
from engine.recommend.evaluate.measures import NOTHING, Measures
from engine.recommend.evaluate.plot import HEIGHT, WIDTH, plot
from tests.engine.shops import NOW

SVG = "{http://www.w3.org/2000/svg}"
shares = st.floats(0, 1)


def result(name: str, ndcg: float, coverage: float) -> Result:
    return Result(name, Measures(ndcg, 0.1, 0.1, coverage, 9.0, 1.0, 0.1), 0.0, 0.0, 0.0, 0.0)


def evaluation(*results: Result, trade_off: tuple[tuple[float, float, float], ...] = ()) -> Evaluation:
    return Evaluation(NOW, 30, 1_242, 900, 30, 20, 3_000, results, trade_off)


def texts(picture: str) -> list[str]:
    return [element.text or "" for element in etree.fromstring(picture.encode()).iter(f"{SVG}text")]


@given(
    st.lists(
        st.builds(result, st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=20), shares, shares),
        min_size=1,
        max_size=6,
    ),
    st.lists(st.tuples(st.floats(0, 3), shares, shares), max_size=5).map(tuple),
)
def test_any_comparison_is_a_well_formed_picture_with_everything_in_its_frame(
    results: list[Result], trade_off: tuple[tuple[float, float, float], ...]
) -> None:
    picture = plot(evaluation(*results, trade_off=trade_off))
    root = etree.fromstring(picture.encode())
    circles = list(root.iter(f"{SVG}circle"))
    assert len(circles) == len(results) + (len(trade_off) if len(trade_off) > 1 else 0)
    for circle in circles:
        assert 0 <= float(circle.get("cx", "nan")) <= WIDTH
        assert 0 <= float(circle.get("cy", "nan")) <= HEIGHT
    assert not re.search(r"\b(?:nan|inf)\b", picture.replace("&", " ")) or any(
        "nan" in each.name or "inf" in each.name for each in results
    )


def test_every_model_stands_in_the_picture_by_name_even_a_hostile_one() -> None:
    names = ["ours", "ours, no rules", "recent popular", '<script>alert("&")</script>']
    picture = plot(evaluation(*(result(name, 0.1, 0.2) for name in names)))
    assert set(names) <= set(texts(picture))
    assert "<script" not in picture


def test_better_stands_higher_and_wider_stands_further_right() -> None:
    root = etree.fromstring(plot(evaluation(result("ours", 0.11, 0.3), result("recent", 0.07, 0.1))).encode())
    ours, recent = root.iter(f"{SVG}circle")
    assert float(ours.get("cy", "")) < float(recent.get("cy", ""))
    assert float(ours.get("cx", "")) > float(recent.get("cx", ""))


@pytest.mark.parametrize(("points", "lines"), [(0, 0), (1, 0), (2, 1), (5, 1)])
def test_a_line_joins_two_or_more_points_of_the_trade_off(points: int, lines: int) -> None:
    trade_off = tuple((share / 2, 0.3 - share / 50, 0.08 + share / 100) for share in range(points))
    root = etree.fromstring(plot(evaluation(result("ours", 0.1, 0.2), trade_off=trade_off)).encode())
    assert len(list(root.iter(f"{SVG}polyline"))) == lines


def test_who_was_measured_and_when_stands_above() -> None:
    assert "1,242 people, 30 days from 2026-05-28" in texts(plot(evaluation(result("ours", 0.1, 0.2))))


def test_where_nothing_was_reached_there_is_a_picture_all_the_same() -> None:
    nothing = Result("ours", NOTHING, 0.0, 0.0, 0.0, 0.0)
    assert etree.fromstring(plot(evaluation(nothing)).encode()).tag == f"{SVG}svg"
