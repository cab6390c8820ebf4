"""The catalogue as columns: what the recommender works with."""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select
from sqlmodel import Session, col

from engine.catalog import Product


@dataclass(frozen=True)
class CatalogColumns:
    """The products the engine works with, as parallel columns of length m, in the order of sku.

    sku: int64, ascending. price_minor: int64. availability: as in the feed. stock: int64 units, −1 for unknown.
    pictured: bool, whether there is an image.
    """

    sku: NDArray[np.int64]
    code: list[str]
    title: list[str]
    product_type: list[str]
    labels: list[str]
    brand: list[str]
    price_minor: NDArray[np.int64]
    availability: list[str]
    stock: NDArray[np.int64]
    pictured: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.sku)

    def positions(self, sku: NDArray[np.int64]) -> NDArray[np.int64]:
        """Where each sku stands, −1 for those not in the catalogue."""
        return positions_in(self.sku, sku)

    def where(self, chosen: NDArray[np.int64]) -> "CatalogColumns":
        """Only the products at these positions, which must ascend."""
        columns: dict[str, Any] = {field.name: getattr(self, field.name) for field in fields(self)}
        for name, column in columns.items():
            columns[name] = [column[place] for place in chosen] if isinstance(column, list) else column[chosen]
        return CatalogColumns(**columns)


def positions_in(known: NDArray[np.int64], wanted: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where each of `wanted` stands among `known`, which ascends; −1 for those not there."""
    if not len(known):
        return np.full(len(wanted), -1, dtype=np.int64)
    place = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
    return np.where(known[place] == wanted, place, -1)


def read_catalog(session: Session) -> CatalogColumns:
    """Every product of the catalogue, also those that are not for sale now: histories are made of them."""
    columns = "sku_id code title product_type labels brand price_minor image_link availability stock"
    rows = session.execute(
        select(*(getattr(Product, name) for name in columns.split())).order_by(col(Product.sku_id))
    ).all()
    return CatalogColumns(
        sku=np.array([row.sku_id for row in rows], dtype=np.int64),
        code=[row.code for row in rows],
        title=[row.title for row in rows],
        product_type=[row.product_type for row in rows],
        labels=[row.labels for row in rows],
        brand=[row.brand for row in rows],
        price_minor=np.array([row.price_minor for row in rows], dtype=np.int64),
        availability=[row.availability for row in rows],
        stock=np.array([-1 if row.stock is None else row.stock for row in rows], dtype=np.int64),
        pictured=np.array([bool(row.image_link) for row in rows], dtype=np.bool_),
    )
