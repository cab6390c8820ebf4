"""The recipe's weights, searched again: on windows of the real orders that end before every window we report.

Each weight in turn, from the recipe that is shipped, by mean NDCG@10 over 30 days from 2011-05-01, 06-01 and 07-01; the
best value is kept for the next weight. Then the test: what the shipped recipe reaches in the 30 days from 2011-08-01,
09-01, 10-01 and 11-01, by its default rules, against bestsellers of the last weeks and an ALS that was tuned on the
same validation windows. `implicit`, which has the ALS, gets an environment of its own in `.bench-als/`.

--full also tries half-lives of the histories, for which everything is trained again, and more of the ALS.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
sys.path.insert(0, str(Path(__file__).parent))  # `handpicked bench` does not start here

import _als_contender as als
from _harness import note, report
from _windows import DAYS, Window, mean_ndcg, read_orders, seconds

from engine.assortment import CatalogColumns
from engine.recommend.evaluate.contenders import OURS, OURS_FREE, RECENT
from engine.recommend.evaluate.evaluation import evaluate
from engine.recommend.evaluate.split import split
from engine.recommend.recipe import Recipe
from subscribers.signals import Signals

VALIDATION = ("2011-05-01", "2011-06-01", "2011-07-01")
TEST = ("2011-08-01", "2011-09-01", "2011-10-01", "2011-11-01")
NOISE = 0.001  # of a mean over the three windows: what another seed changes

VALUES: Mapping[str, Sequence[float]] = {
    "neighbour_weight": (0.2, 0.3, 0.4, 0.5, 0.7),
    "attention": (0.0, 0.5, 1.0, 1.5),
    "attention_days": (14.0, 30.0, 60.0),
    "ridge": (30.0, 60.0, 120.0, 250.0, 500.0),
    "by_behaviour": (10, 20, 40),
    "content_weight": (0.0, 0.02, 0.05, 0.1),
    "trend_weight": (1.0, 1.2, 1.4, 1.6, 1.9),
    "trend_most": (2.5, 3.0, 3.5, 4.5),
    "trend_half_life": (3.0, 5.0, 7.0, 10.0),
    "settled_weight": (0.0, 0.1, 0.2, 0.3, 0.5),
    "settled_half_life": (30.0, 60.0, 90.0, 120.0),
    "newcomers_half_life": (7.0, 14.0, 21.0, 30.0),
}
FOR_NEWCOMERS = "newcomers_half_life"  # measured on people without a history: nobody else's picks depend on it
HISTORY_HALF_LIVES = (60.0, 120.0, 180.0)

Row = tuple[str, float, str]


@dataclass(frozen=True)
class Search:
    """What was tried, (weight, value, mean NDCG@10), and the recipe with the best value of each weight."""

    tried: tuple[tuple[str, float, float], ...]
    chosen: Recipe


def search(windows: Sequence[Window], shipped: Recipe, values: Mapping[str, Sequence[float]] = VALUES) -> Search:
    """Each weight in turn, the others at the best found so far. Of equal values the shipped one stays."""
    chosen, tried = shipped, []
    for name, candidates in values.items():
        measure = int(name == FOR_NEWCOMERS)
        start = getattr(shipped, name)
        means = dict.fromkeys((start, *candidates), 0.0)  # the shipped one first
        for value in means:
            note(f"{name} {value:g}")
            means[value] = mean_ndcg(windows, replace(chosen, **{name: value}))[measure]
        tried += [(name, value, means[value]) for value in sorted(means)]
        chosen = replace(chosen, **{name: max(means, key=lambda value: means[value])})
    return Search(tuple(tried), chosen)


def searched(windows: Sequence[Window], shipped: Recipe) -> tuple[list[Row], dict[str, float]]:
    """(rows, ratios) of the search. The ratios say how much of the best mean the shipped recipe reaches."""
    found = search(windows, shipped)
    rows = [
        (f"{name} {value:g}{' (shipped)' if value == getattr(shipped, name) else ''}", mean, "NDCG@10, validation")
        for name, value, mean in found.tried
    ]
    rows += [
        (f"best {name}", float(getattr(found.chosen, name)), f"shipped: {getattr(shipped, name):g}") for name in VALUES
    ]
    ours, best = mean_ndcg(windows, shipped), mean_ndcg(windows, found.chosen)
    verdict = "within noise" if best[0] - ours[0] <= NOISE else "MORE THAN NOISE"
    rows += [
        ("the shipped recipe", ours[0], "NDCG@10, validation"),
        ("the best of every weight", best[0], f"NDCG@10, validation; {verdict}"),
        ("the shipped recipe, newcomers", ours[1], "NDCG@10, validation"),
        ("the best of every weight, newcomers", best[1], "NDCG@10, validation"),
    ]
    return rows, {"shipped_vs_best_on_validation": ours[0] / best[0]}


def half_lives(signals: Signals, catalog: CatalogColumns, shipped: Recipe) -> list[Row]:
    """Other half-lives of the histories, everything trained again."""
    rows = []
    for half_life in HISTORY_HALF_LIVES:
        mean, _ = mean_ndcg([Window(signals, catalog, day, shipped, half_life) for day in VALIDATION], shipped)
        rows.append((f"half-life of histories {half_life:g} days", mean, "NDCG@10, validation"))
    return rows


def tested(
    signals: Signals, catalog: CatalogColumns, shipped: Recipe, chosen: als.Configuration, python: Path
) -> tuple[list[Row], dict[str, float]]:
    """(rows, ratios) of the windows that nothing was chosen by."""
    rows: list[Row] = []
    ratios: dict[str, float] = {}
    for day in TEST:
        note(f"testing on the {DAYS} days from {day}")
        found = evaluate(signals, catalog, shipped, split_at=seconds(day), days=DAYS, only=(RECENT,))
        (other,) = als.ndcgs(split(signals, catalog, at=seconds(day), days=DAYS), [chosen], python)
        recent, ours, free = (found.of(name).measures.ndcg for name in (RECENT, OURS, OURS_FREE))
        rows += [
            (f"{day}: {RECENT}", recent, "NDCG@10"),
            (f"{day}: tuned ALS", float(other), "NDCG@10"),
            (f"{day}: {OURS}", ours, "NDCG@10"),
            (f"{day}: {OURS_FREE}", free, "NDCG@10"),
        ]
        ratios[f"beats_both_{day}"] = float(ours > max(recent, other))
        ratios |= {"ours_vs_recent": ours / recent, "ours_vs_als": ours / other}  # the last split's are kept
    return rows, ratios


def main() -> None:
    """Search, test, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="?", type=Path, metavar="DATA", help="the UCI Online Retail orders, .csv or .gz")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--full", action="store_true", help="half-lives of the histories too, and more of the ALS")
    options = parser.parse_args()
    if options.data is None:
        print("weights: give the order file to search on: benchmarks/weights.py DATA", file=sys.stderr)
        return  # not an error: `make bench` runs all benchmarks, and this one needs a file we do not ship
    python, shipped = als.ready(), Recipe()
    note("importing the orders")
    signals, catalog = read_orders(options.data)
    windows = [Window(signals, catalog, day, shipped) for day in VALIDATION]
    rows, ratios = searched(windows, shipped)
    if options.full:
        rows += half_lives(signals, catalog, shipped)
    configurations = als.grid(regularisation=(5, 20, 50, 100), half_life=(60, 90, 120)) if options.full else als.grid()
    best, mean = als.tuned([window.asked for window in windows], configurations, python)
    rows.append((f"ALS, {best}", mean, "NDCG@10, validation"))
    more_rows, more_ratios = tested(signals, catalog, shipped, best, python)
    report("weights", [*rows, *more_rows], ratios | more_ratios, as_json=options.json)


if __name__ == "__main__":
    main()
