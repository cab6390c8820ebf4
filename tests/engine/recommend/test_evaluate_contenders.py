"""Every model in the comparison, one by one, where what it must say can be worked out by hand."""

import numpy as np
import pytest

from engine.recommend.evaluate.contenders import (
    ALL_TIME,
    KNN,
    OURS_FREE,
    OWN,
    PLAIN,
    RECENT,
    AllTime,
    ItemKnn,
    Ours,
    OwnHistory,
    PlainLightFM,
    Recent,
    baselines,
    popularity,
)
from engine.recommend.evaluate.evaluation import recommender
from engine.recommend.evaluate.split import Split, split
from engine.recommend.filters import parse_filter
from engine.recommend.model import learn
from engine.recommend.rank import NEVER
from engine.recommend.recipe import Recipe
from engine.recommend.rules import Rules
from subscribers.models import Kind
from subscribers.signals import NOBODY
from tests.engine.shops import DAY, NOW, QUICK, Row, busy_shop, catalog, ids, signals

BOUGHT = Kind.PURCHASE
AT = NOW - 30 * DAY
ROWS: list[Row] = [
    *[(1, 10, BOUGHT, 200), (2, 10, BOUGHT, 190), (3, 10, BOUGHT, 180)],
    *[(1, 20, BOUGHT, 32), (2, 20, BOUGHT, 51), (2, 30, Kind.VIEW, 40), (3, 30, BOUGHT, 300)],
    *[(NOBODY, 40, BOUGHT, 31), (4, 40, BOUGHT, 31), (4, 40, Kind.CART, 31)],
    *[(1, 30, BOUGHT, 5), (1, 40, BOUGHT, 5)],
]


def asked() -> Split:
    return split(signals(ROWS), catalog(6), at=AT, days=30)


def test_all_time_counts_every_purchase_of_everybody_alike() -> None:
    assert popularity(asked()).tolist() == [3, 2, 1, 2]
    assert AllTime(asked()).scores(ids([1, 999])).tolist() == [[3, 2, 1, 2]] * 2


def test_recent_halves_a_purchase_every_three_weeks() -> None:
    found = Recent(asked()).scores(ids([1]))[0]
    wanted = [
        sum(0.5 ** (days / 21) for days in (170, 160, 150)),
        0.5 ** (2 / 21) + 0.5 ** (21 / 21),
        0.5 ** (270 / 21),
        1.1 * 0.5 ** (1 / 21),  # a purchase without a name is a tenth of one
    ]
    assert found.tolist() == pytest.approx(wanted, rel=1e-4)


def test_own_history_knows_only_what_the_person_showed_interest_in() -> None:
    found = OwnHistory(asked()).scores(ids([2, 999]))
    assert found[0].tolist() == pytest.approx([0.5 ** (160 / 90), 0.5 ** (21 / 90), 0.2 * 0.5 ** (10 / 90), NEVER])
    assert (found[1] == NEVER).all()


def test_item_knn_finds_what_the_same_people_bought() -> None:
    rows: list[Row] = [(person, sku, BOUGHT, 31) for person in range(1, 5) for sku in (10, 20)]
    rows += [(person, sku, BOUGHT, 31) for person in range(5, 9) for sku in (30, 40)]
    rows += [(9, 10, BOUGHT, 31), (1, 30, BOUGHT, 3)]
    knn = ItemKnn(split(signals(rows), catalog(4), at=AT, days=30))
    loud = 0.5 ** (1 / 90)
    found = knn.scores(ids([9, 999]))
    # four people have both of 10 and 20; 10 has five: the cosine is 4 / √(5 × 4)
    assert found[0].tolist() == pytest.approx([0, loud * 4 / 20**0.5, 0, 0], rel=1e-4)
    assert not found[1].any()


def test_plain_lightfm_knows_identities_and_nothing_else() -> None:
    shop, known = busy_shop(people=60, products=40, each=12)
    cut = split(known, shop, at=AT, days=30)
    plain = PlainLightFM(cut, QUICK)
    found = plain.scores(ids([1, 2, 999, 998]))
    assert found.shape == (4, len(cut.catalog))
    assert not np.array_equal(found[0], found[1])
    assert np.array_equal(found[2], found[3])  # of strangers it knows what sells
    assert plain._factors.names == ()


def test_ours_are_the_scores_of_a_plan_and_nothing_for_what_is_off_the_shelf() -> None:
    shop, known = busy_shop(people=60, products=40, each=12)
    cut = split(known, shop, at=AT, days=30)
    rules = Rules(hero_share=1, diversity=0, exploration=0, exclude=(parse_filter(f"code:{shop.code[3]}"),))
    view = recommender(cut, learn(cut.history, cut.catalog, QUICK), rules)
    people = ids([1, 2, 999])
    found = Ours(cut, view.moment).scores(people)
    gone = cut.catalog.sku == 40
    assert (found[:, gone] == NEVER).all()
    assert np.isfinite(found[:, ~gone]).all()
    for row, picked in zip(found, view.picks_for(people, np.ones(3, dtype=np.bool_), 3), strict=True):
        best = cut.catalog.positions(ids(pick.sku_id for pick in picked.picks))
        assert (np.diff(row[best]) <= 1e-4).all()


def test_the_baselines_are_five_or_as_many_as_are_asked_for() -> None:
    shop, known = busy_shop(people=30, products=20)
    cut = split(known, shop, at=AT, days=30)
    assert [each.name for each in baselines(cut, QUICK)] == [ALL_TIME, RECENT, OWN, KNN, PLAIN]
    assert [each.name for each in baselines(cut, QUICK, (KNN, RECENT))] == [RECENT, KNN]
    assert [each.name for each in baselines(cut, QUICK, ("no such model",))] == []
    assert OURS_FREE == "ours, no rules"


def test_a_model_that_has_nothing_to_learn_from_is_left_out() -> None:
    cut = split(signals([(1, 10, BOUGHT, 90), (1, 10, BOUGHT, 5)]), catalog(1), at=AT, days=30)
    assert [each.name for each in baselines(cut, Recipe(components=4, epochs=1))] == [ALL_TIME, RECENT, OWN, KNN]
