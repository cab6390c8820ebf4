"""Models as files: what is loaded is what was saved, whole and unchanged, or it is not loaded."""

import io
import os
import subprocess
import sys
import textwrap
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from engine.errors import ModelDamaged, ModelMissing
from engine.recommend import registry
from engine.recommend.model import Model
from engine.recommend.registry import ModelCard, from_bytes, to_bytes
from tests.engine.shops import QUICK, busy_shop, trained

ROOT = Path(__file__).parents[3]
THEN, LATER = datetime(2026, 5, 1, tzinfo=UTC), datetime(2026, 6, 1, 12, 30, tzinfo=UTC)
MODEL = trained(*busy_shop(people=5, products=6, each=3))
OTHER = trained(*busy_shop(people=6, products=6, each=3))


def save(folder: Path, model: Model = MODEL, *, make_current: bool = True) -> ModelCard:
    return registry.save(folder, model, {"ndcg@10 ours": 0.1}, cutoff=THEN, now=LATER, make_current=make_current)


def same(one: Model, other: Model) -> bool:
    arrays = ("people", "sku", "user_vectors", "item_vectors", "item_bias")
    parts = [(getattr(one.factors, name), getattr(other.factors, name)) for name in arrays]
    parts += [(one.limits, other.limits), (one.neighbours.data, other.neighbours.data)]
    parts += [(one.neighbours.indices, other.neighbours.indices), (one.neighbours.indptr, other.neighbours.indptr)]
    return (one.factors.names, one.recipe) == (other.factors.names, other.recipe) and all(
        np.array_equal(mine, theirs) and mine.dtype == theirs.dtype for mine, theirs in parts
    )


def test_a_model_comes_back_as_it_was(tmp_path: Path) -> None:
    card = save(tmp_path / "models")
    assert same(registry.load(tmp_path / "models"), MODEL)
    assert same(registry.load(tmp_path / "models", card.name), MODEL)
    assert registry.card(tmp_path / "models") == card
    assert to_bytes(from_bytes(to_bytes(MODEL))) == to_bytes(MODEL)


def test_the_same_model_is_the_same_file_and_another_one_another(tmp_path: Path) -> None:
    assert save(tmp_path).name == save(tmp_path).name != save(tmp_path, OTHER).name
    assert len(list(tmp_path.glob("*.npz"))) == 2


def test_the_current_model_changes_only_when_it_is_told_to(tmp_path: Path) -> None:
    first = save(tmp_path).name
    second = save(tmp_path, OTHER, make_current=False).name
    assert registry.current(tmp_path) == first
    registry.promote(tmp_path, second)
    assert registry.current(tmp_path) == second
    assert same(registry.load(tmp_path), OTHER)


def test_going_back_uses_the_model_before_and_once_more_the_one_before_that(tmp_path: Path) -> None:
    first, second = save(tmp_path).name, save(tmp_path, OTHER).name
    save(tmp_path, OTHER)  # in use already: nothing to remember
    third = save(tmp_path, trained(*busy_shop(people=7, products=6, each=3))).name
    assert registry.current(tmp_path) == third
    assert [registry.roll_back(tmp_path), registry.roll_back(tmp_path)] == [second, first]
    assert registry.current(tmp_path) == first
    with pytest.raises(ModelMissing, match="no other model was in use before"):
        registry.roll_back(tmp_path)
    assert registry.current(tmp_path) == first


def test_there_is_no_going_back_to_a_model_that_is_gone(tmp_path: Path) -> None:
    first, second = save(tmp_path).name, save(tmp_path, OTHER).name
    (tmp_path / f"{first}.npz").unlink()
    with pytest.raises(ModelMissing, match=f"there is no model '{first}'"):
        registry.roll_back(tmp_path)
    assert registry.current(tmp_path) == second


def test_only_a_name_of_ours_is_promoted_not_a_way_to_another_folder(tmp_path: Path) -> None:
    card = save(tmp_path / "models")
    (tmp_path / "elsewhere.npz").write_bytes((tmp_path / "models" / f"{card.name}.npz").read_bytes())
    with pytest.raises(ModelMissing, match="there is no model"):
        registry.promote(tmp_path / "models", "../elsewhere")
    assert registry.current(tmp_path / "models") == card.name


def test_fifty_promotions_are_remembered(tmp_path: Path) -> None:
    names = [save(tmp_path).name, save(tmp_path, OTHER).name]
    for turn in range(60):
        registry.promote(tmp_path, names[turn % 2])
    for _ in range(49):
        registry.roll_back(tmp_path)
    with pytest.raises(ModelMissing, match="no other model was in use before"):
        registry.roll_back(tmp_path)


def test_the_cards_of_all_models_are_listed_newest_first_without_damaged_ones(tmp_path: Path) -> None:
    assert registry.cards(tmp_path) == registry.cards(tmp_path / "none") == []
    first = save(tmp_path)
    second = registry.save(tmp_path, OTHER, {}, cutoff=THEN, now=LATER + timedelta(days=1), make_current=False)
    (tmp_path / "broken.json").write_text("{")
    assert registry.cards(tmp_path) == [second, first]
    assert second.summary()["trained_at"] == "2026-06-02T12:30:00+00:00"
    assert (first.people, first.products, first.recipe["components"]) == (5, 6, QUICK.components)


@pytest.mark.parametrize("body", [b"", b"PK", b"no archive at all"])
def test_what_is_no_model_is_damaged(body: bytes) -> None:
    with pytest.raises(ModelDamaged, match="made by another version"):
        from_bytes(body)


def test_a_model_of_an_older_shape_is_damaged() -> None:
    stream = io.BytesIO()
    with np.load(io.BytesIO(to_bytes(MODEL))) as arrays:
        np.savez(stream, **{name: arrays[name] for name in arrays.files if name != "neighbours"})
    with pytest.raises(ModelDamaged, match="made by another version"):
        from_bytes(stream.getvalue())


@pytest.mark.parametrize("place", [0, 200, -1])
def test_a_model_changed_after_training_is_not_loaded(tmp_path: Path, place: int) -> None:
    path = tmp_path / f"{save(tmp_path).name}.npz"
    body = bytearray(path.read_bytes())
    body[place] ^= 1
    path.write_bytes(bytes(body))
    with pytest.raises(ModelDamaged, match="was changed after training"):
        registry.load(tmp_path)


@pytest.mark.parametrize("rest", [0, 1, 500])
def test_half_a_model_is_not_loaded(tmp_path: Path, rest: int) -> None:
    path = tmp_path / f"{save(tmp_path).name}.npz"
    path.write_bytes(path.read_bytes()[:rest])
    with pytest.raises(ModelDamaged):
        registry.load(tmp_path)


def test_where_there_is_no_model_its_name_is_missed(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(ModelMissing, match="no model is trained yet"):
            registry.load(folder)
        with pytest.raises(ModelMissing, match="no model is trained yet"):
            registry.card(folder)
        with pytest.raises(ModelMissing, match="there is no model 'abc'"):
            registry.promote(folder, "abc")
        with pytest.raises(ModelMissing, match="model abc"):
            registry.load(folder, "abc")
        with pytest.raises(ModelMissing, match="model abc"):
            registry.card(folder, "abc")
    assert not (tmp_path / "current").exists()


@pytest.mark.parametrize("text", ["", "{", "{}", "[]", '{"model": "x"}', "\xff"])
def test_a_card_that_cannot_be_read_is_damaged(tmp_path: Path, text: str) -> None:
    name = save(tmp_path).name
    (tmp_path / f"{name}.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(ModelDamaged, match=name):
        registry.card(tmp_path)


def test_nothing_in_a_model_file_is_executed(tmp_path: Path) -> None:
    path = tmp_path / "evil.npz"
    np.savez(path, people=np.array([print], dtype=object))
    with pytest.raises(ModelDamaged, match="made by another version"):
        from_bytes(path.read_bytes())


@pytest.mark.parametrize("stage", ["write", "fsync", "replace"])
def test_a_killed_training_leaves_no_half_model(tmp_path: Path, stage: str) -> None:
    first = save(tmp_path).name
    program = f"""
        import os, sys
        from datetime import UTC, datetime
        from pathlib import Path
        from engine.recommend import registry
        from engine.recommend.registry import from_bytes

        model = from_bytes(Path({str(tmp_path / "other")!r}).read_bytes())

        def die(*_):
            os.kill(os.getpid(), 9)

        if {stage!r} == "write":
            registry.to_bytes = lambda model, whole=registry.to_bytes: whole(model)
            os.fsync = lambda number: (os.truncate(number, 100), die())
        elif {stage!r} == "fsync":
            os.fsync = die
        else:
            Path.replace = die
        moment = datetime(2026, 6, 1, tzinfo=UTC)
        registry.save(Path({str(tmp_path)!r}), model, {{}}, cutoff=moment, now=moment, make_current=True)
    """
    (tmp_path / "other").write_bytes(to_bytes(OTHER))
    ended = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], cwd=ROOT, check=False)
    assert ended.returncode == -9
    assert {path.name for path in tmp_path.glob("*.npz")} == {f"{first}.npz"}
    assert registry.current(tmp_path) == first
    assert same(registry.load(tmp_path), MODEL)
    save(tmp_path, OTHER)
    assert same(registry.load(tmp_path), OTHER)


def test_a_model_may_be_read_while_another_is_saved(tmp_path: Path) -> None:
    save(tmp_path)
    with (tmp_path / f"{registry.current(tmp_path)}.npz").open("rb") as stream:
        save(tmp_path)
        assert same(from_bytes(stream.read()), MODEL)
    assert not [name for name in os.listdir(tmp_path) if name.startswith(".")]
