"""Accuracy against coverage, as places in a drawing that the page makes in its own colours."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.recommend.evaluate.contenders import OURS_FREE
from engine.recommend.evaluate.measures import CUT

WIDTH, HEIGHT, LEFT, EDGE, FOOT = 720, 400, 64, 40, 56
STEPS = 4


@dataclass(frozen=True)
class Mark:
    """A point with its name. anchor: start or end, so that no name runs out of the drawing; y_name: where it stands."""

    x: float
    y: float
    name: str
    ours: bool
    anchor: str
    x_name: float
    y_name: float


@dataclass(frozen=True)
class Drawing:
    """Everything the picture holds. line: ours with less and more of the trend, as the points of a polyline."""

    width: int
    height: int
    marks: list[Mark]
    line: str
    columns: list[tuple[float, str]]
    rows: list[tuple[float, str]]
    left: int
    right: int
    top: int
    bottom: int


def drawing_of(found: Mapping[str, Any]) -> Drawing:
    """The drawing of an evaluation that was kept as plain data."""
    accuracy = f"ndcg@{CUT}"
    points = [(each["coverage"], each[accuracy], each["name"]) for each in found["models"]]
    line = [(each["coverage"], each[accuracy]) for each in found["trade_off"]]
    most_x = _round_up(max(x for x, *_ in [*points, *line]))
    most_y = _round_up(max(y for _, y, *_ in [*points, *line]))
    right, bottom = WIDTH - EDGE, HEIGHT - FOOT

    def at(coverage: float, ndcg: float) -> tuple[float, float]:
        across, up = coverage / most_x * (right - LEFT), ndcg / most_y * (bottom - EDGE)
        return round(LEFT + across, 1), round(bottom - up, 1)

    return Drawing(
        WIDTH,
        HEIGHT,
        marks=_apart([_mark(*at(x, y), name) for x, y, name in points]),
        line=" ".join(f"{x},{y}" for x, y in (at(*point) for point in line)) if len(line) > 1 else "",
        columns=[(at(most_x * step / STEPS, 0)[0], f"{most_x * step / STEPS:.0%}") for step in range(STEPS + 1)],
        rows=[(at(0, most_y * step / STEPS)[1], f"{most_y * step / STEPS:.2f}") for step in range(STEPS + 1)],
        left=LEFT,
        right=right,
        top=EDGE,
        bottom=bottom,
    )


def _mark(x: float, y: float, name: str) -> Mark:
    free = name == OURS_FREE  # stands close to ours: its name goes to the other side
    end = free or x > WIDTH * 0.8
    shift = -10 if end else 10
    return Mark(x, y, name, name.startswith("ours"), "end" if end else "start", x + shift, y + 4 - 10 * free)


def _apart(marks: list[Mark]) -> list[Mark]:
    """Names that would stand on one another, moved down one line each."""
    placed: list[Mark] = []
    for mark in sorted(marks, key=lambda each: each.y_name):
        y = mark.y_name
        for other in placed:
            if abs(other.x_name - mark.x_name) < 150 and other.anchor == mark.anchor and y < other.y_name + 15:
                y = other.y_name + 15
        placed.append(Mark(mark.x, mark.y, mark.name, mark.ours, mark.anchor, mark.x_name, y))
    return placed


def _round_up(value: float) -> float:
    """The next fifth above, or of small values the next twenty-fifth, so that the axes have round ends."""
    step = 0.2 if value > 0.2 else 0.04
    return max(step, -(-value // step) * step)
