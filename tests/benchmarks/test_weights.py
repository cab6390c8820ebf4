"""The search of the weights: it finds what is best, keeps what is shipped when nothing is better, and asks the ALS."""

import csv
import subprocess
import sys
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from engine.recommend.recipe import Recipe

COLUMNS = ("InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country")


@dataclass(frozen=True)
class Hill:
    """A window in which one recipe is best, for people with a history, and another for those without."""

    trend_weight: float = 1.6
    ridge: float = 120.0
    newcomers: float = 14.0

    def ndcg(self, recipe):
        new = 0.2 - abs(recipe.trend_weight - self.trend_weight) - abs(recipe.ridge / self.ridge - 1)
        return new, 0.1 - abs(recipe.newcomers_half_life - self.newcomers) / 100


@pytest.fixture
def weights(load):
    return load("weights")


def test_the_best_value_of_each_weight_is_found(weights):
    found = weights.search([Hill(trend_weight=1.9, ridge=250.0, newcomers=21.0)], Recipe())
    assert found.chosen == replace(Recipe(), trend_weight=1.9, ridge=250.0, newcomers_half_life=21.0)


def test_what_is_shipped_stays_where_nothing_is_better(weights):
    found = weights.search([Hill()], Recipe())
    assert found.chosen == Recipe()


def test_windows_count_alike(weights):
    found = weights.search([Hill(ridge=60.0), Hill(ridge=60.0), Hill(ridge=500.0)], Recipe())
    assert found.chosen.ridge == 60.0


def test_every_value_is_told_and_the_shipped_one_marked(weights):
    rows, ratios = weights.searched([Hill(trend_weight=1.4)], Recipe())
    names = [name for name, _, _ in rows]
    assert "trend_weight 1.6 (shipped)" in names
    assert "trend_weight 1.4" in names
    assert ("best trend_weight", 1.4, "shipped: 1.6") in rows
    assert {name: unit for name, _, unit in rows}["the best of every weight"].endswith("MORE THAN NOISE")
    assert ratios["shipped_vs_best_on_validation"] < 1


def test_every_weight_is_one_of_the_recipes_and_what_is_shipped_lies_within(weights):
    for name, values in weights.VALUES.items():
        assert min(values) <= getattr(Recipe(), name) <= max(values), name


def test_validation_ends_before_every_test(weights):
    last = max(map(datetime.fromisoformat, weights.VALIDATION)) + timedelta(days=weights.DAYS)
    assert last <= min(map(datetime.fromisoformat, weights.TEST))


def test_without_a_file_it_says_what_it_needs(weights):
    found = subprocess.run([sys.executable, weights.__file__], check=True, capture_output=True, text=True)
    assert found.stdout == ""
    assert "give the order file" in found.stderr


@pytest.fixture
def orders(tmp_path):
    """An order file: thirty customers who buy from twenty products, one a day, and ten products that only some like."""
    random = np.random.default_rng(3)
    path = tmp_path / "orders.csv"
    with path.open("w", newline="") as file:
        write = csv.writer(file)
        write.writerow(COLUMNS)
        for number in range(600):
            day = datetime(2011, 5, 1, 9, tzinfo=UTC) + timedelta(days=number // 6, minutes=number % 6)
            product = 10_000 + int(random.integers(30))
            customer = 100 + int(random.integers(30))
            write.writerow(
                [number, product, f"MUG {product}", 1, f"{day:%Y-%m-%d %H:%M:%S}", "2.50", customer, "France"]
            )
    return path


@pytest.mark.slow
def test_a_window_of_real_orders_is_measured_without_training_again(load, orders, tmp_path):
    windows, als = load("_windows"), load("_als_contender")
    signals, catalog = windows.read_orders(orders)
    assert len(signals) == 600
    small = Recipe(components=4, epochs=2)
    window = windows.Window(signals, catalog, "2011-07-01", small)
    plain = window.ndcg(small)
    assert 0 < plain[0] < 1
    assert window.ndcg(small) == plain
    assert window.ndcg(replace(small, neighbour_weight=5.0))[0] != plain[0]
    assert window.ndcg(replace(small, neighbour_weight=0.0))[0] > 0

    python = (
        tmp_path / "python"
    )  # answers with the candidates in the order of the catalogue, whatever the configuration
    python.write_text(
        f"#!{sys.executable}\nimport sys, numpy as np\nasked = np.load(sys.argv[2])\n"
        "assert {'values_60', 'columns_90', 'ends_90'} <= set(asked)\n"
        "found = np.tile(np.arange(10), (len(asked['configurations']), len(asked['rows']), 1))\n"
        "found[0] = -1\nnp.save(sys.argv[3], found)\n"
    )
    python.chmod(0o755)
    grid = als.grid(factors=(8,), regularisation=(5,), alpha=(1,), half_life=(60, 90))
    nothing, something = als.ndcgs(window.asked, grid, python)
    assert nothing == 0 < something
    assert als.tuned([window.asked], grid, python)[0] == grid[1]
