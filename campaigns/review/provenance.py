"""What the mails of a snapshot were made from, as hashes that tell two snapshots apart by cause."""

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from sqlmodel import Session

from engine.catalog import OUT_OF_STOCK, WITHDRAWN, Product
from engine.render.content import Card, Content
from subscribers.signals import read_signals

_ROOT = Path(__file__).parents[2]
_ROOMS = ("subscribers", "engine", "campaigns")
_LIBRARIES = ("jinja2", "premailer", "babel", "lxml", "cssselect", "html2text", "numpy", "scipy", "lightfm")
_TEMPLATE = ("template", "source", "path", "plain", "defaults", "messages", "catalogues")


def hash_of(plain: object) -> str:
    """The SHA-256 of plain data."""
    return hashlib.sha256(json.dumps(plain, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def hashes_of(content: Content, products: Mapping[str, Mapping[str, Any]], rules: Mapping[str, Any]) -> dict[str, Any]:
    """The hashes of template, settings and catalogue. rules: those that picks are made by."""
    plain = content.as_plain()
    template = {name: plain.pop(name) for name in _TEMPLATE}
    plain.pop("places")
    return {
        "template": {"name": content.template, "sha256": hash_of(template)},
        "catalogue": {"products": len(products), "sha256": hash_of(products)},
        "settings": {"sha256": hash_of(plain), "rules_sha256": hash_of(rules)},
    }


def history_of(session: Session, until: datetime) -> dict[str, Any]:
    """What was known of everybody at this moment: how many signals, and their hash."""
    signals = read_signals(session, until=until)
    found = hashlib.sha256()
    for column in signals.columns():
        found.update(column.tobytes())
    return {"until": until.isoformat(), "signals": len(signals), "sha256": found.hexdigest()}


@cache
def code() -> str:
    """The SHA-256 of the code that makes mails, and of the versions of the libraries it is made with."""
    found = hashlib.sha256()
    for room in _ROOMS:
        for path in sorted((_ROOT / room).rglob("*.py")):
            if "review" not in path.parts and "migrations" not in path.parts:
                found.update(f"{path.relative_to(_ROOT)}\n".encode() + path.read_bytes())
    for library in _LIBRARIES:
        try:
            found.update(f"{library} {version(library)}\n".encode())
        except PackageNotFoundError:
            continue
    return found.hexdigest()


def product_lines(
    cards: Mapping[int, Card], products: Mapping[int, Product], *, now: bool
) -> dict[str, dict[str, Any]]:
    """What each product says in a mail, by its code. now: also whether it can be had, which a run does not freeze."""
    lines = dict[str, dict[str, Any]]()
    for sku_id, card in cards.items():
        product = products.get(sku_id)
        line = dict(card)
        if now and product:
            line["buyable"] = product.availability not in (OUT_OF_STOCK, WITHDRAWN) and product.stock != 0
        lines[product.code if product else f"sku {sku_id}"] = line
    return lines
