"""Training: what is used afterwards, and what is refused."""

import numpy as np
import pytest

from campaigns import training
from campaigns.training import train_model
from engine.errors import ModelRefused
from engine.recommend import registry
from engine.recommend.recipe import Recipe
from subscribers.database import reading

QUICK = Recipe(components=4, epochs=1)
# a model that stands on its head: what sells and what goes together is pushed away
UPSIDE_DOWN = Recipe(components=4, epochs=1, trend_weight=-5.0, neighbour_weight=0.0)


def train(shop, recipe, **options):
    with reading(shop.world.database) as session:
        return train_model(session, shop.world.settings, now=shop.now, recipe=recipe, **options)


def test_a_model_that_loses_to_bestsellers_is_kept_but_not_used(shop, monkeypatch):
    monkeypatch.setattr(training, "ENOUGH_PEOPLE", 1)
    folder = shop.world.settings.models
    before = registry.current(folder)
    with pytest.raises(ModelRefused, match=r"is not used: on the last 30 days its NDCG@10 is 0\.\d+ and") as refused:
        train(shop, UPSIDE_DOWN)
    name = str(refused.value).split()[1]
    assert registry.current(folder) == before
    assert registry.load(folder, name).recipe == UPSIDE_DOWN
    registry.promote(folder, name)
    assert registry.current(folder) == name


def test_it_is_used_when_somebody_says_so(shop, monkeypatch):
    monkeypatch.setattr(training, "ENOUGH_PEOPLE", 1)
    card = train(shop, UPSIDE_DOWN, even_if_worse=True)
    assert registry.current(shop.world.settings.models) == card.name


def test_with_too_few_people_to_tell_no_model_is_refused(shop, monkeypatch):
    monkeypatch.setattr(training, "ENOUGH_PEOPLE", 10_000)
    card = train(shop, UPSIDE_DOWN)
    assert registry.current(shop.world.settings.models) == card.name


def test_rolling_back_goes_through_the_models_that_were_in_use(shop):
    folder = shop.world.settings.models
    first = registry.current(folder)
    second = train(shop, QUICK, even_if_worse=True).name
    third = train(shop, Recipe(components=4, epochs=2), even_if_worse=True).name
    assert len({first, second, third}) == 3
    assert [card.name for card in registry.cards(folder)] != []
    assert registry.roll_back(folder) == second
    assert registry.roll_back(folder) == first
    assert registry.current(folder) == first


def test_nobody_who_said_no_to_personalising_is_in_the_model(shop):
    card = train(shop, QUICK, even_if_worse=True)
    model = registry.load(shop.world.settings.models, card.name)
    refused = [row[0] for row in shop.query("SELECT id FROM subscriber WHERE NOT may_personalise")]
    assert refused
    assert not np.isin(model.factors.people, refused).any()


def test_a_label_that_too_few_share_is_not_learnt_from(shop):
    settings = shop.world.settings.model_copy(update={"label_people": 1_000})
    with reading(shop.world.database) as session:
        without = train_model(session, settings, now=shop.now, recipe=QUICK, even_if_worse=True)
    with_labels = train(shop, QUICK, even_if_worse=True)
    assert without.name != with_labels.name


def test_signals_on_sensitive_products_are_not_learnt_from(shop):
    kinds = shop.query("SELECT product_type FROM product GROUP BY 1 ORDER BY count(*) DESC")
    kind = str(kinds[0][0]).split(">")[-1].strip()
    settings = shop.world.settings.model_copy(update={"sensitive_types": [kind]})
    with reading(shop.world.database) as session:
        with_them = train_model(session, settings, now=shop.now, recipe=QUICK, even_if_worse=True)
    shop.execute(
        "DELETE FROM signal WHERE sku_id IN (SELECT sku_id FROM product WHERE product_type LIKE :kind)", kind=f"%{kind}"
    )
    with reading(shop.world.database) as session:
        without = train_model(session, settings, now=shop.now, recipe=QUICK, even_if_worse=True)
    assert with_them.name == without.name
