"""One consistent look at everything a plan needs: catalogue, newest signals, what was shown, and the model in use."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sqlmodel import Session, col, select

from campaigns.audience import as_arrays, audience
from campaigns.pick_rules import shop_rules
from campaigns.settings import Settings
from campaigns.shown import shown_lately
from engine.assortment import read_catalog
from engine.catalog import Product
from engine.recommend import registry
from engine.recommend.recommender import Heroes, Pick, Recommender
from engine.recommend.rules import Rules
from engine.recommend.why import FullAccount, account
from engine.render.cards import money
from subscribers import roster
from subscribers.secrets import Secrets
from subscribers.signals import read_signals

AUDIENCE_LOOKED_AT = 20_000  # people; for one person's picks the hero cap is worked out over no more than these: 2 s


@dataclass(frozen=True)
class ShownPick:
    """A pick with what a person wants to read about it."""

    code: str
    title: str
    price: str
    score: float
    reason: str
    sentence: str
    propensity: float

    def summary(self) -> dict[str, object]:
        """As plain data."""
        return asdict(self)


def recommender(session: Session, models: Path, rules: Rules, *, now: datetime) -> tuple[Recommender, str]:
    """(a recommender for the moment `now`, the name of its model). Raises ModelMissing, ModelDamaged.

    What it leaves to chance hangs on the model and the newest signal: the same until something new is known.
    """
    name = registry.current(models)
    model = registry.load(models, name)
    catalog, signals = read_catalog(session), read_signals(session, until=now)
    shown = shown_lately(session, rules.repeat_mails, now=now)
    seed = seed_of(name, signals.at)
    return Recommender(catalog, signals, model, int(now.timestamp()), rules, shown, seed), name


def seed_of(name: str, at: NDArray[np.int64]) -> str:
    """What a recommender with this model and signals of these times leaves chance to."""
    return f"{name} {int(at[-1]) if len(at) else 0}"


def heroes_of(session: Session, view: Recommender, picks: int) -> Heroes | None:
    """Who gets which hero when the whole roster is mailed; None when it is too large to work out for a look at one
    person, who is then shown what they would get but for the hero cap."""
    people = [person for person in audience(session) if not person.skip]
    return view.heroes(*as_arrays(people), picks) if len(people) <= AUDIENCE_LOOKED_AT else None


def account_of_one(
    session: Session, settings: Settings, secrets: Secrets, address: str, count: int, *, now: datetime
) -> FullAccount:
    """The picks of one person by the shop's own rules, exactly as a plan without further rules would make them now,
    and all there is to say about them. Raises SubscriberUnknown, ModelMissing."""
    person = roster.find(session, address, secrets)
    view, _ = recommender(session, settings.models, shop_rules(settings), now=now)
    heroes = heroes_of(session, view, count)
    (found,) = view.picks_for(np.array([person.id]), np.array([person.may_personalise]), count, heroes=heroes)
    return account(view, found, personalised=person.may_personalise)


def shown_picks(session: Session, picks: tuple[Pick, ...]) -> list[ShownPick]:
    """Picks with the names and prices of their products."""
    by_id = products_by_id(session, [pick.sku_id for pick in picks])
    return [
        ShownPick(
            code=by_id[pick.sku_id].code,
            title=by_id[pick.sku_id].title,
            price=money(by_id[pick.sku_id].price_minor, by_id[pick.sku_id].currency),
            score=pick.score,
            reason=pick.why.reason,
            sentence=pick.why.sentence,
            propensity=pick.propensity,
        )
        for pick in picks
    ]


def products_by_id(session: Session, sku_ids: list[int]) -> Mapping[int, Product]:
    """The products of these sku ids."""
    products = session.exec(select(Product).where(col(Product.sku_id).in_(sku_ids)))
    return {product.sku_id: product for product in products}
