"""A model as a whole: the same history gives the same bytes, and words keep their meaning until the next training."""

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from engine.recommend.features import describe
from engine.recommend.model import learn
from engine.recommend.registry import to_bytes
from subscribers.models import Kind
from tests.engine.shops import QUICK, Row, busy_shop, catalog, history, signals, trained

ROOT = Path(__file__).parents[3]


def test_training_twice_gives_the_same_bytes() -> None:
    shop, known = busy_shop()
    assert to_bytes(trained(shop, known)) == to_bytes(trained(shop, known))


@pytest.mark.slow
def test_training_in_another_process_gives_the_same_bytes() -> None:
    program = (
        "import hashlib; from engine.recommend.registry import to_bytes;"
        "from tests.engine.shops import busy_shop, trained;"
        "print(hashlib.sha256(to_bytes(trained(*busy_shop()))).hexdigest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-W", "error", "-c", program],
            cwd=ROOT,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()
        for seed in ("1", "2")
    }
    assert digests == {hashlib.sha256(to_bytes(trained(*busy_shop()))).hexdigest()}


def test_another_history_gives_another_model() -> None:
    shop, known = busy_shop()
    assert to_bytes(trained(shop, known)) != to_bytes(trained(shop, known.where(np.arange(len(known)) > 0)))


def test_budget_means_the_same_tomorrow() -> None:
    shop, known = busy_shop()
    model = trained(shop, known)
    dearer = catalog(30, price_minor=shop.price_minor + 100_000)
    assert not any(name in model.describe(dearer).names for name in ("price:budget", "price:high"))
    assert "price:budget" in describe(dearer).names


def test_a_score_says_how_much_more_than_the_average_product_somebody_likes_one() -> None:
    shop, known = busy_shop()
    model = trained(shop, known)
    vectors, bias = model.products(shop, model.describe(shop))
    assert (vectors.dtype.name, bias.dtype.name) == ("float32", "float32")
    np.testing.assert_allclose(vectors.mean(axis=0), 0, atol=1e-6)
    assert abs(float(bias.mean())) < 1e-6


def test_what_an_empty_catalogue_has_is_nothing() -> None:
    model = trained(*busy_shop())
    vectors, bias = model.products(catalog(0), model.describe(catalog(0)))
    assert (vectors.shape, bias.shape) == ((0, QUICK.components), (0,))
    assert model.neighbours_in(catalog(0), model.describe(catalog(0))).shape == (0, 0)


def test_a_label_that_too_few_share_is_learnt_of_nobody() -> None:
    shop = catalog(6, labels=["secret", "vegan", "vegan", "vegan", "vegan", "vegan"])
    rows: list[Row] = [(1, 10, Kind.PURCHASE, 0), (1, 20, Kind.PURCHASE, 0)]
    rows += [(person, sku, Kind.PURCHASE, 0) for person in range(2, 9) for sku in (20, 30, 40, 50, 60)]
    past = history(shop, signals(rows))

    def learnt(least: int) -> list[float]:
        """The vector of the label for people."""
        rare = learn(past, shop, QUICK, least_people=least).factors
        column = rare.names.index("label:secret")
        return [float(value) for value in rare.user_vectors[len(rare.people) + column]]

    assert learnt(1) != learnt(2) == learnt(7)  # only one has it; the others' labels seven people share
