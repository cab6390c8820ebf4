"""Trained models as frozen files, named by the hash of their bytes, with what was measured of them beside.

models/<hash>.npz holds the arrays, models/<hash>.json the metrics, models/current the hashes that were in use, one a
line, the one in use now last. Each file is
written under another name first and then renamed, so that a killed training never leaves half a model.
"""

import hashlib
import io
import json
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import scipy.sparse as sp

from engine.errors import ModelDamaged, ModelMissing
from engine.recommend.factors import Factors
from engine.recommend.model import Model
from engine.recommend.recipe import Recipe

HASH_DIGITS = 20
MOST_REMEMBERED = 50  # promotions to roll back through


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
    folder: Path, model: Model, metrics: Mapping[str, float], *, cutoff: datetime, now: datetime, make_current: bool
) -> ModelCard:
    """Write the model down and, if wanted, make it the one in use. The same model is the same file."""
    folder.mkdir(parents=True, exist_ok=True)
    body = to_bytes(model)
    name = hashlib.sha256(body).hexdigest()[:HASH_DIGITS]
    people, products = len(model.factors.people), len(model.factors.sku)
    card = ModelCard(name, now, cutoff, people, products, metrics, model.recipe.fields())
    _replace(folder / f"{name}.npz", body)
    _replace(folder / f"{name}.json", json.dumps(card.summary(), indent=1, sort_keys=True).encode())
    if make_current:
        promote(folder, name)
    return card


def promote(folder: Path, name: str) -> None:
    """Use this model from now on. Raises ModelMissing."""
    _check_name(folder, name)
    used = _used(folder)
    if used[-1:] != [name]:
        _replace(folder / "current", "".join(f"{line}\n" for line in [*used, name][-MOST_REMEMBERED:]).encode())


def roll_back(folder: Path) -> str:
    """Use the model again that was in use before this one; returns its name. Raises ModelMissing.

    Once more goes one further back.
    """
    used = _used(folder)[:-1]
    if not used:
        raise ModelMissing("no other model was in use before; `handpicked model list` shows what there is")
    _check_name(folder, used[-1])
    _replace(folder / "current", "".join(f"{line}\n" for line in used).encode())
    return used[-1]


def current(folder: Path) -> str:
    """The name of the model in use. Raises ModelMissing."""
    used = _used(folder)
    if not used:
        raise ModelMissing("no model is trained yet; run `handpicked train`")
    return used[-1]


def cards(folder: Path) -> list[ModelCard]:
    """What is known about every model, the newest first; damaged ones are left out."""
    found = []
    for path in sorted(folder.glob("*.json")):
        with suppress(ModelDamaged):
            found.append(card(folder, path.stem))
    return sorted(found, key=lambda each: (each.trained_at, each.name), reverse=True)


def _used(folder: Path) -> list[str]:
    """The names of the models that were in use, the one in use now last."""
    try:
        return (folder / "current").read_text().split()
    except FileNotFoundError:
        return []


def _check_name(folder: Path, name: str) -> None:
    if not re.fullmatch(f"[0-9a-f]{{{HASH_DIGITS}}}", name) or not (folder / f"{name}.npz").exists():
        raise ModelMissing(f"there is no model {name[:40]!r}; `handpicked model list` shows what there is")


def load(folder: Path, name: str | None = None) -> Model:
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


def to_bytes(model: Model) -> bytes:
    """The model as a NumPy archive. The same arrays give the same bytes: numpy dates every entry 1980-01-01."""
    stream = io.BytesIO()
    factors, near = model.factors, model.neighbours
    np.savez(
        stream,
        people=factors.people,
        sku=factors.sku,
        names=np.array(json.dumps(factors.names)),
        user_vectors=factors.user_vectors,
        item_vectors=factors.item_vectors,
        item_bias=factors.item_bias,
        neighbours=near.data,
        neighbour_columns=near.indices.astype(np.int32),
        neighbour_ends=near.indptr.astype(np.int64),
        limits=model.limits,
        recipe=np.array(json.dumps(model.recipe.fields(), sort_keys=True)),
    )
    return stream.getvalue()


def from_bytes(body: bytes) -> Model:
    """The model in a NumPy archive; nothing in it is executed (allow_pickle is off). Raises ModelDamaged."""
    try:
        with np.load(io.BytesIO(body), allow_pickle=False) as arrays:
            factors = Factors(
                people=arrays["people"],
                sku=arrays["sku"],
                names=tuple(json.loads(str(arrays["names"]))),
                user_vectors=arrays["user_vectors"],
                item_vectors=arrays["item_vectors"],
                item_bias=arrays["item_bias"],
            )
            near = (arrays["neighbours"], arrays["neighbour_columns"], arrays["neighbour_ends"])
            neighbours = sp.csr_matrix(near, shape=(len(factors.sku), len(factors.sku)))
            return Model(factors, neighbours, arrays["limits"], Recipe(**json.loads(str(arrays["recipe"]))))
    except (KeyError, TypeError, ValueError, OSError, EOFError, BadZipFile):
        raise ModelDamaged("the model was made by another version of Handpicked; run `handpicked train`") from None


def _replace(path: Path, body: bytes) -> None:
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    with fresh.open("wb") as stream:
        stream.write(body)
        stream.flush()
        os.fsync(stream.fileno())
    fresh.replace(path)
