"""Trained models as frozen files, named by the hash of their bytes, with what was measured of them beside.

models/<hash>.npz holds the arrays, models/<hash>.json the metrics, models/current the hash in use. Each file is
written under another name first and then renamed, so that a killed training never leaves half a model.
"""

import hashlib
import io
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from engine.errors import ModelDamaged, ModelMissing
from engine.recommend.factors import Factors, Recipe, recipe_fields

HASH_DIGITS = 20


@dataclass(frozen=True)
class ModelCard:
    """What is known about a trained model. cutoff: the newest signal it learnt from."""

    name: str
    trained_at: datetime
    cutoff: datetime
    people: int
    products: int
    metrics: Mapping[str, float]
    recipe: Mapping[str, Any]

    def summary(self) -> dict[str, Any]:
        """The card as plain data."""
        return {
            "model": self.name,
            "trained_at": self.trained_at.isoformat(),
            "cutoff": self.cutoff.isoformat(),
            "people": self.people,
            "products": self.products,
            "metrics": dict(self.metrics),
            "recipe": dict(self.recipe),
        }


def save(
    folder: Path, factors: Factors, metrics: Mapping[str, float], *, cutoff: datetime, now: datetime, make_current: bool
) -> ModelCard:
    """Write the model down and, if wanted, make it the one in use. The same model is the same file."""
    folder.mkdir(parents=True, exist_ok=True)
    body = to_bytes(factors)
    name = hashlib.sha256(body).hexdigest()[:HASH_DIGITS]
    people, products = len(factors.people), len(factors.sku)
    card = ModelCard(name, now, cutoff, people, products, metrics, recipe_fields(factors.recipe))
    _replace(folder / f"{name}.npz", body)
    _replace(folder / f"{name}.json", json.dumps(card.summary(), indent=1, sort_keys=True).encode())
    if make_current:
        promote(folder, name)
    return card


def promote(folder: Path, name: str) -> None:
    """Use this model from now on. Raises ModelMissing."""
    if not (folder / f"{name}.npz").exists():
        raise ModelMissing(f"there is no model {name}; `handpicked train` makes one")
    _replace(folder / "current", name.encode())


def current(folder: Path) -> str:
    """The name of the model in use. Raises ModelMissing."""
    try:
        return (folder / "current").read_text().strip()
    except FileNotFoundError:
        raise ModelMissing("no model is trained yet; run `handpicked train`") from None


def load(folder: Path, name: str | None = None) -> Factors:
    """The model of this name, or the one in use. Raises ModelMissing, ModelDamaged."""
    name = name or current(folder)
    try:
        body = (folder / f"{name}.npz").read_bytes()
    except FileNotFoundError:
        raise ModelMissing(f"the file of model {name} is gone; run `handpicked train`") from None
    if hashlib.sha256(body).hexdigest()[:HASH_DIGITS] != name:
        raise ModelDamaged(f"the file of model {name} was changed after training; run `handpicked train`")
    return from_bytes(body)


def card(folder: Path, name: str | None = None) -> ModelCard:
    """What is known about a model. Raises ModelMissing, ModelDamaged."""
    name = name or current(folder)
    try:
        plain = json.loads((folder / f"{name}.json").read_text())
        return ModelCard(
            name=plain["model"],
            trained_at=datetime.fromisoformat(plain["trained_at"]),
            cutoff=datetime.fromisoformat(plain["cutoff"]),
            people=plain["people"],
            products=plain["products"],
            metrics=plain["metrics"],
            recipe=plain["recipe"],
        )
    except FileNotFoundError:
        raise ModelMissing(f"nothing is known about a model {name}; run `handpicked train`") from None
    except (ValueError, KeyError, TypeError):
        raise ModelDamaged(f"what is known about model {name} cannot be read; run `handpicked train`") from None


def to_bytes(factors: Factors) -> bytes:
    """The model as a NumPy archive. The same arrays give the same bytes: numpy dates every entry 1980-01-01."""
    stream = io.BytesIO()
    np.savez(
        stream,
        people=factors.people,
        sku=factors.sku,
        names=np.array(json.dumps(factors.names)),
        user_vectors=factors.user_vectors,
        item_vectors=factors.item_vectors,
        item_bias=factors.item_bias,
        recipe=np.array(json.dumps(recipe_fields(factors.recipe), sort_keys=True)),
    )
    return stream.getvalue()


def from_bytes(body: bytes) -> Factors:
    """The model in a NumPy archive; nothing in it is executed (allow_pickle is off)."""
    with np.load(io.BytesIO(body), allow_pickle=False) as arrays:
        return Factors(
            people=arrays["people"],
            sku=arrays["sku"],
            names=tuple(json.loads(str(arrays["names"]))),
            user_vectors=arrays["user_vectors"],
            item_vectors=arrays["item_vectors"],
            item_bias=arrays["item_bias"],
            recipe=Recipe(**json.loads(str(arrays["recipe"]))),
        )


def _replace(path: Path, body: bytes) -> None:
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    with fresh.open("wb") as stream:
        stream.write(body)
        stream.flush()
        os.fsync(stream.fileno())
    fresh.replace(path)
