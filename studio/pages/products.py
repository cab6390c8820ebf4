"""The products: what the feed says of each, its picture, and how often it was picked."""

import json
from collections import Counter
from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from sqlalchemy import func, or_, select
from sqlmodel import Session, col
from starlette.responses import Response

from campaigns.execute import World
from campaigns.models import Message, Run, RunState
from engine.catalog import AVAILABILITIES, IN_STOCK, WITHDRAWN, Product
from engine.render.cards import money
from studio.figures import Figure, Figures
from studio.pages.parameters import NO_NUL, Cursor
from studio.pages.pictures import DRAWN, picture
from studio.pages.shell import page
from studio.pages.slices import slice_of
from studio.visit import Viewer
from subscribers.database import reading

STATES = (*AVAILABILITIES, WITHDRAWN)
RUNS_LOOKED_AT, MAILS_LOOKED_AT = 3, 300_000
PART = 5_000
COUNTED_EVERY, PICKED_EVERY = timedelta(minutes=1), timedelta(minutes=10)
ProductNumber = Annotated[int, Path(ge=1, le=2**31 - 1)]
Sought = Annotated[str, Query(max_length=150, pattern=NO_NUL)]
State = Annotated[str, Query(max_length=16, pattern=NO_NUL)]


def product_pages(world: World, figures: Figures) -> APIRouter:
    """/products and /products/{sku_id}."""
    pages = APIRouter()

    def picked() -> Figure:
        return figures("picked", _picked, fresh_for=PICKED_EVERY)

    @pages.get("/products")
    def everything(visit: Viewer, q: Sought = "", state: State = "", at: Cursor = "") -> Response:
        code: Any = col(Product.code)
        with reading(world.database) as session:
            found = slice_of(session, _meant(q.strip(), state), [code], at=at)
        return page(
            "products/list.html",
            visit,
            slice=found,
            q=q.strip(),
            state=state if state in STATES else "",
            states=STATES,
            counts=figures("products", _counts, fresh_for=COUNTED_EVERY),
            picked=picked(),
            picture=picture,
            money=money,
        )

    @pages.get("/products/{sku_id}")
    def one(sku_id: ProductNumber, visit: Viewer) -> Response:
        with reading(world.database) as session:
            product = session.get(Product, sku_id)
        if product is None:
            sentence = f"there is no product {sku_id}; look for it in the list of products"
            return page("error.html", visit, status=404, heading="There is nothing here", sentence=sentence)
        drawn = product.image_link.startswith(DRAWN)
        about: dict[str, Any] = {
            "product": product,
            "drawn": drawn,
            "picked": picked(),
            "picture": picture,
            "money": money,
        }
        return page("products/one.html", visit, **about)

    return pages


def _meant(typed: str, state: str) -> Any:
    """The products that were asked for, by their code last. A shop has thousands, so that reading all is quick."""
    columns: list[Any] = [
        *(col(Product.sku_id), col(Product.title), col(Product.image_link), col(Product.price_minor)),
        *(col(Product.currency), col(Product.availability), col(Product.stock), col(Product.added_at)),
        col(Product.code),
    ]
    query = select(*columns)
    if state in STATES:
        query = query.where(col(Product.availability) == state)
    if typed:
        names = (col(Product.title), col(Product.code))
        query = query.where(or_(*(func.lower(name).startswith(typed.lower(), autoescape=True) for name in names)))
    return query


def _counts(session: Session) -> dict[str, int]:
    for_sale = (col(Product.availability) == IN_STOCK) & or_(col(Product.stock).is_(None), col(Product.stock) != 0)
    drawn = col(Product.image_link).startswith(DRAWN)
    counted = select(func.count(), func.count().filter(for_sale), func.count().filter(drawn)).select_from(Product)
    products, in_stock, pictures = session.execute(counted).one()
    return {"products": products, "for_sale": in_stock, "drawn": pictures}


def _picked(session: Session) -> dict[str, Any]:
    """How many mails of the newest runs show each product large, or at all; by its number as text."""
    over = select(col(Run.id)).where(col(Run.state).in_([RunState.FINISHED, RunState.SENDING, RunState.PLANNED]))
    runs = list(session.scalars(over.order_by(col(Run.id).desc()).limit(RUNS_LOOKED_AT)))
    hero, any_place, mails = Counter[int](), Counter[int](), 0
    rows = select(col(Message.hero_sku_id), col(Message.picks)).where(
        col(Message.run_id).in_(runs), col(Message.hero_sku_id).is_not(None)
    )
    for number, picks in session.execute(rows.limit(MAILS_LOOKED_AT)).yield_per(PART):
        hero[number] += 1
        any_place.update(pick[0] for pick in json.loads(picks))
        mails += 1
    return {"runs": len(runs), "mails": mails, "hero": dict(hero), "any": dict(any_place)}
