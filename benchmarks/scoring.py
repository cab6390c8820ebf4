"""Shortlists for 100,000 people out of 10,000 products, exclusions and rules on, against what they cannot do without.

Ours: ten products a person, exactly, with the neighbours of their history, trend, and nothing they bought or were
shown. Against the bare matrix product of people and all products, which picks nothing and excludes nothing, in its
best batch size; and against LightFM's `predict`, one person at a time, with a partition for the best ten. One thread
each, in interleaved rounds of one run. Ours are also compared with `predict` plus the same additions, list by list.

--stream: 1,000,000 people × 50,000 products, a batch at a time in a process of its own, heroes shared out over all of
them: how long that takes, and how much memory. --people and --products make either smaller.
"""

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
sys.path.insert(0, str(Path(__file__).parent))  # `handpicked bench` does not start here
os.environ.update(OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1", OMP_NUM_THREADS="1")  # numpy reads them once

import numpy as np
from _crowd import Crowd, crowd
from _harness import Timing, interleaved, median, note, once, report
from _naive_scoring import Predictor, bare_product, lists_that_differ
from _stream import measured_apart

from engine.recommend.features import FloatArray
from engine.recommend.scoring import Readers, Shortlists, shortlists

PICKS = 10
PEOPLE_A_BATCH = 1_000  # as `engine.recommend.recommender` asks for them
PREDICTED, COMPARED = 300, 1_000  # people: what one at a time can do in a second
SIZES = (64, 128, 256, 512)
ROUNDING = 1e-4  # a tenth of what scoring allows for: the scores reach 20, of which 32 bits tell 2e-6 apart

Row = tuple[str, float, str]


def compare(people: int, products: int, rounds: int) -> tuple[list[Row], dict[str, float]]:
    """(rows, ratios) of ours, the bare product and `predict`."""
    note("making the crowd")
    shop = crowd(people, products)
    batches = [slice(start, min(start + PEOPLE_A_BATCH, people)) for start in range(0, people, PEOPLE_A_BATCH)]
    readers = [_readers(shop, some) for some in batches]
    shelf = shop.moment.shelf
    hybrid, alone = Predictor(shop), Predictor(shop, hybrid=False)
    few = range(min(PREDICTED, people))
    contenders: dict[str, Callable[[], object]] = {
        "bare": _best_bare_product(shop, np.concatenate([each.vectors for each in readers])),
        "ours": lambda: [shortlists(each, shelf, PICKS) for each in readers],
        "with readers": lambda: [shortlists(_readers(shop, some), shelf, PICKS) for some in batches],
        "predict": lambda: [hybrid.best_predicted(row, PICKS) for row in few],
        "identities": lambda: [alone.best_predicted(row, PICKS) for row in few],
    }
    found = interleaved(rounds, contenders)
    asked = {"bare": people, "ours": people, "with readers": people, "predict": len(few), "identities": len(few)}
    timings = {name: _each(median(found[name]), asked[name]) for name in found}
    lists = Shortlists.joined([shortlists(each, shelf, PICKS) for each in readers[:1]], PICKS)
    compared = shop.moment.on_shelf[lists.places[:COMPARED]]
    other, worse = lists_that_differ(hybrid, compared, ROUNDING)
    rows = [
        *_rows(timings),
        ("products on the shelf", float(shelf.size), "products"),
        ("products a history", _mean(readers, "interest"), "products"),
        ("products forbidden a person", _mean(readers, "forbidden"), "products"),
        ("lists compared with predict", float(len(compared)), "people"),
        ("lists that differ", float(other), "people"),
        ("lists that differ by more than rounding", float(worse), "people"),
    ]
    ours = timings["ours"].cpu
    ratios = {
        "of_gemm": timings["bare"].cpu / ours,
        "vs_predict": timings["predict"].cpu / ours,
        "vs_predict_of_identities": timings["identities"].cpu / ours,
    }
    return rows, ratios


def _readers(shop: Crowd, people: slice) -> Readers:
    return shop.moment.readers(shop.people[people], shop.everyone[people])


def _best_bare_product(shop: Crowd, users: FloatArray) -> Callable[[], None]:
    """The product of everybody with all products, in the batch size that is fastest here."""
    items, _ = shop.moment.model.products(shop.moment.catalog, shop.moment.attributes)
    room = np.empty((max(SIZES), len(items)), dtype=np.float32)

    def in_batches_of(size: int, people: int) -> Callable[[], None]:
        return lambda: bare_product(users[:people], items, size, room)

    tries = {size: min(once(in_batches_of(size, 8 * max(SIZES))).cpu for _ in range(5)) for size in SIZES}
    best = min(tries, key=lambda size: tries[size])
    note(f"the bare product is fastest with {best} people at a time")
    return in_batches_of(best, len(users))


def _each(whole: Timing, people: int) -> Timing:
    """Microseconds a person."""
    return Timing(whole.cpu / people * 1e6, whole.wall / people * 1e6)


def _rows(timings: Mapping[str, Timing]) -> list[Row]:
    names = {
        "bare": "the bare product",
        "ours": "ours",
        "with readers": "ours, histories and profiles looked up",
        "predict": "predict, with features as our model has them",
        "identities": "predict, identities alone",
    }
    rows = [(text, timings[name].cpu, "µs/person") for name, text in names.items()]
    return rows + [(f"{text}, wall", timings[name].wall, "µs/person") for name, text in names.items()]


def _mean(readers: Sequence[Readers], name: str) -> float:
    return float(np.mean([getattr(each, name).nnz / len(each) for each in readers]))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--stream", action="store_true", help="as many people as a big shop has, and their memory")
    parser.add_argument("--people", type=int)
    parser.add_argument("--products", type=int)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    if options.stream:
        rows, ratios = measured_apart(options.people or 1_000_000, options.products or 50_000)
        report("scoring, streamed", rows, ratios, as_json=options.json)
    else:
        rows, ratios = compare(options.people or 100_000, options.products or 10_000, options.rounds)
        report("scoring", rows, ratios, as_json=options.json)


if __name__ == "__main__":
    main()
