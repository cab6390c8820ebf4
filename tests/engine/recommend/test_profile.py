"""Profiles: which few labels a person keeps coming back to, and which of them enough people share."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.recommend import profile as module
from engine.recommend.features import describe
from engine.recommend.profile import LABELS_A_PERSON, LEAST_SHARE, profiles, shared_labels
from subscribers.models import Kind
from tests.engine.odd_shops import OddShop, odd_shops
from tests.engine.shops import Row, busy_shop, catalog, history, signals


def test_a_profile_has_six_labels_at_most_each_a_share_of_all_interest() -> None:
    shop, known = busy_shop(people=60, products=50, each=25)
    names = describe(shop).names
    profile = profiles(history(shop, known).interest, describe(shop))
    assert np.diff(profile.indptr).max() == LABELS_A_PERSON
    assert profile.data.min() >= LEAST_SHARE
    assert profile.data.max() <= 1 + 1e-6
    assert not any(names[column].startswith("word:") for column in profile.indices)


def test_the_shares_of_a_profile_are_those_of_the_interest() -> None:
    shop = catalog(4, labels=["dry skin", "dry skin", "oily skin", ""], brand=[""] * 4, product_type=[""] * 4)
    rows: list[Row] = [(1, sku, Kind.PURCHASE, 0) for sku in (10, 20, 30, 40)]
    described = describe(shop)
    profile = profiles(history(shop, signals(rows)).interest, described)
    labels = {described.names[c]: v for c, v in zip(profile.indices.tolist(), profile.data.tolist(), strict=True)}
    assert {name: share for name, share in labels.items() if name.startswith("label")} == pytest.approx(
        {"label:dry skin": 0.5, "label:oily skin": 0.25}
    )


@pytest.mark.parametrize(("least", "shared"), [(1, True), (3, True), (4, False)])
def test_a_label_is_shared_when_enough_people_have_it(least: int, shared: bool) -> None:
    shop = catalog(4, labels=["rare", "", "", ""])
    rows: list[Row] = [(person, 10, Kind.PURCHASE, 1.0) for person in (1, 2, 3)]
    rows += [(person, 20, Kind.PURCHASE, 1.0) for person in range(4, 9)]
    described = describe(shop)
    found = shared_labels(history(shop, signals(rows)).interest, described, least)
    assert found[described.names.index("label:rare")] == shared
    assert not any(found[column] for column, name in enumerate(described.names) if name.startswith("word:"))


@settings(max_examples=60)
@given(odd_shops(), st.integers(1, 5))
def test_no_profile_has_a_label_that_too_few_people_share(shop: OddShop, least: int) -> None:
    known = signals(shop.rows)
    described, interest = describe(shop.catalog), history(shop.catalog, known).interest
    shared = shared_labels(interest, described, least)
    profile = profiles(interest, described, shared)
    having = {described.names[column]: 0 for column in profile.indices}
    present = described.matrix.toarray() > 0
    for row in interest.toarray():
        share = row @ present / max(row.sum(), 1e-9)
        for name in having:
            having[name] += bool(share[described.names.index(name)] >= LEAST_SHARE * (1 - 1e-5))
    assert all(count >= least for count in having.values())


def test_people_are_counted_alike_in_batches_of_any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    shop, known = busy_shop()
    interest, described = history(shop, known).interest, describe(shop)
    at_once = shared_labels(interest, described, 8)
    assert at_once.any()
    monkeypatch.setattr(module, "PEOPLE_A_BATCH", 7)
    np.testing.assert_array_equal(shared_labels(interest, described, 8), at_once)


def test_without_people_or_products_there_are_no_profiles() -> None:
    assert profiles(sp.csr_matrix((0, 3), dtype=np.float32), describe(catalog(3))).shape[0] == 0
    assert profiles(sp.csr_matrix((2, 0), dtype=np.float32), describe(catalog(0))).shape == (2, 0)
    assert shared_labels(sp.csr_matrix((0, 3), dtype=np.float32), describe(catalog(3)), 1).any() == np.False_
