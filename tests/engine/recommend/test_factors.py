"""The factors: they speak of people and products they have never seen, and refuse to learn from nothing."""

import numpy as np
import pytest

from engine.errors import NothingToTrainOn
from engine.recommend.features import describe
from engine.recommend.profile import profiles
from engine.recommend.recipe import Recipe
from subscribers.models import Kind
from tests.engine.shops import QUICK, Row, busy_shop, catalog, history, ids, signals, trained


def test_an_unknown_person_is_the_sum_of_their_profile() -> None:
    shop, known = busy_shop()
    factors = trained(shop, known).factors
    profile = profiles(history(shop, known).interest[[0]], describe(shop))
    wanted = profile.toarray() @ factors.user_vectors[len(factors.people) :]
    np.testing.assert_allclose(factors.users(ids([999]), profile), wanted, rtol=1e-5, atol=1e-6)
    with_identity = factors.users(factors.people[:1], profile)
    np.testing.assert_allclose(with_identity, wanted + factors.user_vectors[:1], rtol=1e-5, atol=1e-6)


def test_an_unknown_person_without_a_profile_is_nothing() -> None:
    shop, known = busy_shop()
    factors = trained(shop, known).factors
    nobody = profiles(history(shop, known).interest[[0]] * 0, describe(shop))
    assert not factors.users(ids([999]), nobody).any()
    assert not factors.users(ids([-1]), nobody).any()


def test_a_new_product_is_the_sum_of_its_attributes() -> None:
    shop, known = busy_shop(products=30)
    model = trained(shop, known)
    factors, larger = model.factors, catalog(31)
    attributes = model.describe(larger)
    vectors, bias = factors.items(larger.sku, attributes)
    described = attributes.aligned_to(factors.names).toarray()
    np.testing.assert_allclose(vectors[30], described[30] @ factors.item_vectors[30:], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(bias[30], described[30] @ factors.item_bias[30:], rtol=1e-5, atol=1e-6)
    assert vectors[30].any()
    np.testing.assert_allclose(
        vectors[0], described[0] @ factors.item_vectors[30:] + factors.item_vectors[0], rtol=1e-4, atol=1e-6
    )


def test_without_signals_there_is_nothing_to_learn_from() -> None:
    with pytest.raises(NothingToTrainOn, match="no signals"):
        trained(catalog(5), signals([]))
    with pytest.raises(NothingToTrainOn, match="no signals"):
        trained(catalog(5), signals([(1, 999, Kind.PURCHASE, 0), (-1, 10, Kind.PURCHASE, 0)]))


def test_one_product_leaves_nothing_to_choose_from() -> None:
    with pytest.raises(NothingToTrainOn, match="one product"):
        trained(catalog(1), signals([(1, 10, Kind.PURCHASE, 0)]))


def test_two_products_and_one_person_are_enough() -> None:
    model = trained(catalog(2), signals([(1, 10, Kind.PURCHASE, 0)]))
    assert np.isfinite(model.factors.item_vectors).all()
    assert (len(model.factors.people), len(model.factors.sku), model.recipe) == (1, 2, QUICK)


def test_a_new_model_likes_what_people_like() -> None:
    shop = catalog(20)
    rows: list[Row] = [
        (person, 10 * product, Kind.PURCHASE, 1.0)
        for person in range(1, 41)
        for product in ((1, 2, 3) if person % 2 else (18, 19, 20))
    ]
    factors = trained(shop, signals(rows), Recipe(components=8, epochs=30)).factors
    vectors, bias = factors.items(shop.sku, describe(shop))
    profile = profiles(history(shop, signals(rows)).interest[[0]], describe(shop))
    scores = (factors.users(factors.people[:1], profile) @ vectors.T + bias).ravel()
    assert set(np.argsort(-scores)[:3].tolist()) == {0, 1, 2}
