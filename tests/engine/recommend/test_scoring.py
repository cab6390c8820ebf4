"""Scores and shortlists: exactly the best of a full sort, the same for a person alone as in any crowd."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from engine.recommend import scoring
from engine.recommend.features import FloatArray
from engine.recommend.scoring import LEAST_SIZE, Readers, Shelf, Shortlists, all_scores, parts_of, shortlists

WEIGHT = 0.5


@dataclass(frozen=True)
class Offer:
    """What a shelf is made of: s products, m in the catalogue. usual: (s,), as in `Shelf.of`."""

    vectors: FloatArray
    bias: FloatArray
    base: tuple[FloatArray, FloatArray]
    near: FloatArray
    usual: FloatArray

    @property
    def shelf(self) -> Shelf:
        near = sp.csr_matrix(self.near)
        return Shelf.of(self.vectors, self.bias, self.base, near, WEIGHT, usual=self.usual)


def offer_of(size: int, *, seed: int = 0, steps: bool = False) -> Offer:
    """Random numbers; steps: of a few values only, so that many products score alike."""
    random = np.random.default_rng(seed)
    products = size + 3

    def numbers(*shape: int) -> FloatArray:
        drawn = random.integers(-2, 3, shape) if steps else random.normal(size=shape)
        return drawn.astype(np.float32)

    near = (numbers(products, size) * (random.random((products, size)) < 0.2)).astype(np.float32)
    return Offer(
        numbers(size, 4), numbers(size), (numbers(size), numbers(size)), near, (numbers(size) / 20).astype(np.float32)
    )


def readers_of(offer: Offer, people: int, *, seed: int = 1, unknown: bool = True) -> Readers:
    """Random people; every fourth is one of whom nothing is known, where `unknown` says so."""
    random = np.random.default_rng(seed)
    products, size = offer.near.shape
    vectors = random.normal(size=(people, 4)).astype(np.float32)
    interest = random.random((people, products)) * (random.random((people, products)) < 0.2)
    if unknown:
        vectors[::4], interest[::4] = 0, 0
    barred = (random.random((people, size)) < 0.15) * random.integers(1, 4, (people, size))
    attention = random.choice([1.0, 1.5, 2.0], people).astype(np.float32)
    cells = sp.csr_matrix(interest.astype(np.float32)), sp.csr_matrix(barred.astype(np.int8))
    return Readers(vectors, *cells, attention)


def naive(readers: Readers, offer: Offer) -> NDArray[np.float64]:
    """Every score by the formula, in float64: vector · product + near at one loudness + what stands for all."""
    interest = readers.interest.toarray().astype(np.float64)
    near = interest @ offer.near.astype(np.float64)
    loud = np.sqrt((near**2).sum(axis=1, keepdims=True))
    attention = 1 if readers.attention is None else readers.attention[:, None]
    wanted = attention * WEIGHT * max(len(offer.bias), LEAST_SIZE) ** 0.5
    scale = np.divide(wanted, loud, out=np.ones_like(loud), where=loud > 0)
    near = scale * (near - interest.sum(axis=1, keepdims=True) * offer.usual)
    known = readers.vectors.any(axis=1, keepdims=True)
    said = readers.vectors.astype(np.float64) @ offer.vectors.T + known * offer.bias
    return np.asarray(said + near + np.where(known, offer.base[0], offer.base[1]))


@pytest.mark.parametrize("size", [1, 2, 30, 511, 513, 700])
@pytest.mark.parametrize("count", [1, 6, 40])
def test_a_shortlist_is_the_best_of_a_full_sort(size: int, count: int) -> None:
    offer = offer_of(size)
    shelf = offer.shelf
    readers = readers_of(offer, 25)
    scores = naive(readers, offer)
    scores[readers.forbidden.toarray() > 0] = -np.inf
    found = shortlists(readers, shelf, count)
    order = np.argsort(-scores, axis=1, kind="stable")[:, : min(count, size)]
    values = np.take_along_axis(scores, order, axis=1)
    np.testing.assert_array_equal(found.places, np.where(np.isfinite(values), order, -1))
    np.testing.assert_allclose(found.scores, values, rtol=1e-4, atol=1e-4)


def test_every_score_can_be_looked_at_and_is_the_sum_of_its_parts() -> None:
    offer = offer_of(40)
    shelf = offer.shelf
    readers = readers_of(offer, 9)
    scores = all_scores(readers, shelf)
    np.testing.assert_allclose(scores, naive(readers, offer), rtol=1e-4, atol=1e-4)
    parts = parts_of(readers, shelf, np.tile(np.arange(40), (9, 1)))
    np.testing.assert_allclose(parts.factors + parts.neighbours + parts.everybody, scores, rtol=1e-4, atol=1e-4)
    assert parts.known.tolist() == [person % 4 > 0 for person in range(9)]


@settings(max_examples=60)
@given(st.integers(1, 40), st.integers(1, 12), st.integers(0, 10**6), st.booleans())
def test_alone_or_in_any_crowd_a_person_gets_the_same_list_and_the_same_scores(
    size: int, count: int, seed: int, steps: bool
) -> None:
    offer = offer_of(size, seed=seed, steps=steps)
    shelf = offer.shelf
    readers = readers_of(offer, 9, seed=seed)
    whole = shortlists(readers, shelf, count)
    for row in range(9):
        rows = slice(row, row + 1)
        assert readers.attention is not None
        mine = readers.vectors[rows], readers.interest[rows], readers.forbidden[rows], readers.attention[rows]
        alone = Readers(*mine)
        found = shortlists(alone, shelf, count)
        np.testing.assert_array_equal(found.places, whole.places[rows])
        np.testing.assert_array_equal(found.scores, whole.scores[rows])
        np.testing.assert_array_equal(found.barred, whole.part(rows).barred)


def test_products_a_hair_apart_come_in_the_same_order_alone_and_in_a_crowd() -> None:
    """Their scores differ by less than two matrix products of different sizes do."""
    random = np.random.default_rng(5)
    size, people = 700, 64
    one = random.normal(size=(1, 61)).astype(np.float32)
    vectors = np.repeat(one, size, axis=0) + (random.normal(size=(size, 61)) * 2e-7).astype(np.float32)
    flat, nothing = np.zeros(size, dtype=np.float32), np.zeros((size, size), dtype=np.float32)
    offer = Offer(vectors, flat, (flat, flat), nothing, flat)
    crowd = random.normal(size=(people, 61)).astype(np.float32)
    empty = sp.csr_matrix((people, size), dtype=np.float32), sp.csr_matrix((people, size), dtype=np.int8)
    readers = Readers(crowd, *empty)
    whole = shortlists(readers, offer.shelf, 5)
    for row in range(people):
        alone = shortlists(Readers(crowd[[row]], empty[0][[row]], empty[1][[row]]), offer.shelf, 5)
        np.testing.assert_array_equal(alone.places[0], whole.places[row])


@pytest.mark.parametrize("cells", [1, 600, 2_500])
def test_batches_of_any_size_give_the_same(monkeypatch: pytest.MonkeyPatch, cells: int) -> None:
    offer = offer_of(600, steps=True)
    shelf = offer.shelf
    readers = readers_of(offer, 40)
    whole = shortlists(readers, shelf, 7)
    monkeypatch.setattr(scoring, "CELLS_A_BATCH", cells)
    monkeypatch.setattr(scoring, "PEOPLE_A_BATCH", 3)
    monkeypatch.setattr(scoring, "CELLS_A_LOOK", 50)
    found = shortlists(readers, shelf, 7)
    for name in ("places", "scores", "barred"):
        np.testing.assert_array_equal(getattr(found, name), getattr(whole, name))


@pytest.mark.parametrize("size", [60, 1_100])
def test_of_products_that_score_alike_the_first_come_first(size: int) -> None:
    flat = np.zeros(size, dtype=np.float32)
    offer = Offer(np.zeros((size, 4), dtype=np.float32), flat, (flat, flat), np.zeros((size, size), np.float32), flat)
    readers = readers_of(offer, 5)
    for places, barred in zip(shortlists(readers, offer.shelf, 6).places, readers.forbidden.toarray(), strict=True):
        assert places.tolist() == np.flatnonzero(barred == 0)[:6].tolist()


def test_barred_is_what_would_stand_in_the_list_but_for_a_rule() -> None:
    offer = offer_of(30)
    shelf = offer.shelf
    readers = readers_of(offer, 12)
    found = shortlists(readers, shelf, 5)
    scores, codes = naive(readers, offer), readers.forbidden.toarray()
    wanted = [
        [row, place, int(codes[row, place])]
        for row in range(12)
        for place in range(30)
        if codes[row, place] and scores[row, place] >= found.scores[row, 4]
    ]
    assert wanted
    assert found.barred.tolist() == wanted


def test_where_everything_is_forbidden_the_list_is_empty_and_says_why() -> None:
    offer = offer_of(4)
    shelf = offer.shelf
    all_barred = replace(readers_of(offer, 2), forbidden=sp.csr_matrix(np.full((2, 4), 2, dtype=np.int8)))
    found = shortlists(all_barred, shelf, 3)
    assert found.places.tolist() == [[-1, -1, -1]] * 2
    assert len(found.barred) == 8


def test_people_of_whom_nothing_is_known_get_what_stands_for_everybody() -> None:
    offer = offer_of(20)
    shelf = offer.shelf
    readers = readers_of(offer, 1)
    np.testing.assert_array_equal(all_scores(readers, shelf)[0], offer.base[1])


@pytest.mark.parametrize("times", [0.001, 1.0, 50.0])
def test_a_long_history_is_no_louder_than_a_short_one(times: float) -> None:
    """What the neighbours add has one mean square for everybody who has any, less what they add for the average."""
    size = LEAST_SIZE + 200
    offer = replace(offer_of(size), usual=np.zeros(size, dtype=np.float32))
    readers = replace(readers_of(offer, 8, unknown=False), attention=None)
    louder = replace(readers, interest=readers.interest * np.float32(times))
    near = parts_of(louder, offer.shelf, np.tile(np.arange(size), (8, 1))).neighbours
    np.testing.assert_allclose(np.sqrt((near.astype(np.float64) ** 2).mean(axis=1)), WEIGHT, rtol=1e-4)


def test_attention_makes_a_history_louder_and_nothing_else() -> None:
    offer = offer_of(50)
    readers = readers_of(offer, 8, unknown=False)
    places = np.tile(np.arange(50), (8, 1))
    once = parts_of(replace(readers, attention=np.ones(8, dtype=np.float32)), offer.shelf, places)
    twice = parts_of(replace(readers, attention=np.full(8, 2, dtype=np.float32)), offer.shelf, places)
    np.testing.assert_allclose(twice.neighbours, 2 * once.neighbours, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(twice.factors, once.factors, rtol=1e-3, atol=1e-4)


def test_a_history_like_the_average_one_tells_nothing() -> None:
    near = np.array([[0, 2, 1], [3, 0, 0], [0, 1, 0]], dtype=np.float32)
    nothing, usual = np.zeros(3, dtype=np.float32), np.array([0.5, 0.25, 0.25], dtype=np.float32) @ near
    offer = Offer(np.zeros((3, 2), dtype=np.float32), nothing, (nothing, nothing), near, usual)
    interest = sp.csr_matrix(np.array([[1.0, 0.5, 0.5], [1, 0, 0]], dtype=np.float32))
    readers = Readers(np.zeros((2, 2), dtype=np.float32), interest, sp.csr_matrix((2, 3), dtype=np.int8))
    scores = all_scores(readers, offer.shelf)
    np.testing.assert_allclose(scores[0], 0, atol=1e-4)
    assert scores[1].argmax() == 1


def test_without_weight_neighbours_say_nothing() -> None:
    offer = offer_of(20)
    silent = Shelf.of(offer.vectors, offer.bias, offer.base, sp.csr_matrix(offer.near), 0.0, usual=offer.usual)
    found = parts_of(readers_of(offer, 3), silent, np.tile(np.arange(20), (3, 1)))
    assert not found.neighbours.any()


def test_lists_can_be_joined_taken_apart_and_made_small() -> None:
    offer = offer_of(30)
    shelf = offer.shelf
    first, second = (shortlists(readers_of(offer, 6, seed=seed), shelf, 5) for seed in (1, 2))
    joined = Shortlists.joined([first, second], 5)
    for part, whole in ((joined.part(slice(0, 6)), first), (joined.part(slice(6, 12)), second)):
        for name in ("places", "scores", "barred"):
            np.testing.assert_array_equal(getattr(part, name), getattr(whole, name))
    small = joined.small()
    assert (small.places.dtype.name, small.scores.dtype.name) == ("int32", "float32")
    np.testing.assert_array_equal(small.places, joined.places)
    nobody = Shortlists.joined([], 5)
    assert (nobody.places.shape, nobody.barred.shape) == ((0, 5), (0, 3))
    turned = joined.of(np.arange(12)[::-1])
    np.testing.assert_array_equal(turned.places, joined.places[::-1])
