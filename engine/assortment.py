"""The catalogue as columns: what the recommender works with."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select
from sqlmodel import Session, col

from engine.catalog import OUT_OF_STOCK, Product


@dataclass(frozen=True)
class CatalogColumns:
    """The products the engine works with, as parallel columns of length m, in the order of sku.

    sku: int64, ascending. price_minor: int64. sellable: bool, whether it may be picked at all.
    """

    sku: NDArray[np.int64]
    title: list[str]
    product_type: list[str]
    labels: list[str]
    brand: list[str]
    price_minor: NDArray[np.int64]
    sellable: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.sku)

    def positions(self, sku: NDArray[np.int64]) -> NDArray[np.int64]:
        """Where each sku stands, −1 for those not in the catalogue."""
        if not len(self.sku):
            return np.full(len(sku), -1, dtype=np.int64)
        place = np.minimum(np.searchsorted(self.sku, sku), len(self.sku) - 1)
        return np.where(self.sku[place] == sku, place, -1)


def read_catalog(session: Session) -> CatalogColumns:
    """Every product of the catalogue. Sellable is what has a picture and is not out of stock."""
    columns = ("sku_id", "title", "product_type", "labels", "brand", "price_minor", "image_link", "availability")
    rows = session.execute(select(*(getattr(Product, name) for name in columns)).order_by(col(Product.sku_id))).all()
    return CatalogColumns(
        sku=np.array([row.sku_id for row in rows], dtype=np.int64),
        title=[row.title for row in rows],
        product_type=[row.product_type for row in rows],
        labels=[row.labels for row in rows],
        brand=[row.brand for row in rows],
        price_minor=np.array([row.price_minor for row in rows], dtype=np.int64),
        sellable=np.array([bool(row.image_link) and row.availability != OUT_OF_STOCK for row in rows], dtype=np.bool_),
    )
