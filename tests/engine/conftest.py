"""Product feeds to import: rows given as differences from one oil."""

import pytest
from sqlalchemy import select

from engine.catalog import PRODUCT_COLUMNS, Product, import_products
from subscribers.csv_files import CsvFile
from subscribers.database import reading, writing
from subscribers.import_report import ImportReport

OIL = {
    "id": "OIL",
    "title": "Rosehip Face Oil",
    "link": "https://shop.example/oil",
    "price": "24.50 EUR",
    "availability": "in stock",
    "description": "For dry skin.",
    "image_link": "",
    "product_type": "Skin care > Oils > Face oils",
    "brand": "Oat & Amber",
    "labels": "dry skin, vegan",
    "color": "",
    "stock": "",
}


@pytest.fixture
def feed(database, write_csv, tmp_path, now):
    """Imports products given as differences from the oil; answers (counts, first reason)."""

    def feed(*products, at=now, complete=False):
        lines = ["\t".join(OIL)]
        lines += ["\t".join((OIL | product).values()) for product in products]
        source = CsvFile(write_csv("\n".join(lines)), PRODUCT_COLUMNS)
        with writing(database) as session, ImportReport(source, tmp_path / "rejects.csv") as report:
            withdrawn = import_products(session, source, report, now=at, complete=complete)
        counts = dict(report.counts) | ({"withdrawn": withdrawn} if withdrawn else {})
        return counts, report.examples[0] if report.examples else ""

    return feed


@pytest.fixture
def product(database):
    def product(code="OIL") -> Product | None:
        with reading(database) as session:
            return session.scalars(select(Product).where(Product.code == code)).first()

    return product
