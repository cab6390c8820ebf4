"""Everything a plan knows at its moment, as arrays: the shelf with today's trend, and anybody as a reader of it."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from engine.assortment import CatalogColumns
from engine.recommend.arrange import new_places
from engine.recommend.features import Attributes, FloatArray
from engine.recommend.guardrails import (
    Admitted,
    Shown,
    admit,
    replenish_after,
    shelf_places,
    shown_lately,
)
from engine.recommend.history import Histories, histories, select_rows, strength
from engine.recommend.model import Model
from engine.recommend.profile import profiles, shared_labels
from engine.recommend.rules import Rules, Tally
from engine.recommend.scoring import Readers, Shelf
from engine.recommend.sparse import pair_keys, rows_of
from engine.recommend.trend import SECONDS_A_DAY, first_seen, newcomers_trend, trend
from subscribers.signals import Signals

BOUGHT_CODE, SHOWN_CODE, FRESH_CODE = 1, 2, 3


@dataclass
class Moment:
    """One moment of one shop, by the rules of one plan. now: seconds since 1970.

    Trends and recency are measured from the newest signal, not from the clock: a shop that imports its orders once a
    week, or a file from 2011, must not look as if everybody had left. What is due, and how old a look is, goes by the
    clock.
    """

    catalog: CatalogColumns
    signals: Signals
    model: Model
    now: int
    rules: Rules
    shown: Shown
    tally: Tally

    @cached_property
    def admitted(self) -> Admitted:
        return admit(self.signals, self.catalog, self.rules, now=self.now)

    @cached_property
    def newest(self) -> int:
        """When the newest signal happened that may be used; the clock where there is none."""
        at = self.admitted.signals.at
        return int(at[-1]) if len(at) else self.now

    @cached_property
    def attributes(self) -> Attributes:
        return self.model.describe(self.catalog)

    @cached_property
    def histories(self) -> Histories:
        admitted = self.admitted
        return histories(admitted.signals, admitted.positions, len(self.catalog), now=self.newest)

    @cached_property
    def shared(self) -> NDArray[np.bool_]:
        """(a,) which labels enough people share."""
        return shared_labels(self.histories.interest, self.attributes, self.rules.label_people)

    @cached_property
    def trend(self) -> FloatArray:
        """(m,) what is in demand, as much as it weighs."""
        admitted, recipe = self.admitted, self.model.recipe
        return trend(
            admitted.signals,
            admitted.positions,
            len(self.catalog),
            now=self.newest,
            short=(recipe.trend_weight, recipe.trend_half_life),
            long=(recipe.settled_weight, recipe.settled_half_life),
            most=recipe.trend_most,
        )

    @cached_property
    def newcomers_trend(self) -> FloatArray:
        """(m,) what is offered to those of whom nothing is known, weighed like the trend."""
        admitted, recipe = self.admitted, self.model.recipe
        found = newcomers_trend(
            admitted.signals,
            admitted.positions,
            len(self.catalog),
            now=self.newest,
            half_life_days=recipe.newcomers_half_life,
        )
        return np.asarray(np.float32(recipe.trend_weight) * found)

    @cached_property
    def boosts(self) -> FloatArray:
        """(m,) what the campaign's wishes add."""
        total = np.zeros(len(self.catalog), dtype=np.float32)
        for wish in self.rules.boost:
            total += np.float32(wish.weight) * wish.filter.matches(self.catalog)
        return total

    @cached_property
    def on_shelf(self) -> NDArray[np.int64]:
        """(s,) positions in the catalogue of what may be picked at all, ascending."""
        return shelf_places(self.catalog, self.rules, self.tally)

    @cached_property
    def shelf(self) -> Shelf:
        return self.shelf_of(self.on_shelf)

    @cached_property
    def whole_shelf(self) -> Shelf:
        """The whole catalogue, also what nobody may get: to tell what a rule kept away."""
        return self.shelf_of(np.arange(len(self.catalog)))

    def shelf_of(self, places: NDArray[np.int64]) -> Shelf:
        """A shelf with these products of the catalogue on it."""
        vectors, bias = self.model.products(self.catalog, self.attributes)
        neighbours, weight = self.neighbours[:, places].tocsr(), self.model.recipe.neighbour_weight
        base, cold = (self.trend + self.boosts)[places], (self.newcomers_trend + self.boosts)[places]
        return Shelf.of(vectors[places], bias[places], (base, cold), neighbours, weight, usual=self.usual[places])

    @cached_property
    def neighbours(self) -> sp.csr_matrix:
        return self.model.neighbours_in(self.catalog, self.attributes)

    @cached_property
    def usual(self) -> FloatArray:
        """(m,) float32: how near each product is to the average history, for 1 of interest.

        Taken off what the neighbours say of a person: that somebody's history goes well with what everybody buys tells
        nothing about them (NDCG@10 of the validation months 0.1407 with it, 0.1430 without).
        """
        interest = self.histories.interest
        if not interest.shape[0]:
            return np.zeros(len(self.catalog), dtype=np.float32)
        heard = np.maximum(np.asarray(interest.sum(axis=1)).ravel(), 1e-9)
        average = interest.T @ (1.0 / heard) / len(heard)
        return np.asarray(self.neighbours.T @ average, dtype=np.float32)

    @cached_property
    def attention(self) -> FloatArray:
        """(p,) float32, by row of the histories: 1, up to twice as loud for those who did much lately, and softer for
        those of whom little is known: one look of half a year ago must not drown what everybody buys."""
        recipe, admitted = self.model.recipe, self.admitted
        lately = admitted.signals.at > self.newest - recipe.attention_days * SECONDS_A_DAY
        lately &= (admitted.signals.subscriber >= 0) & (admitted.positions >= 0)
        rows = np.searchsorted(self.histories.people, admitted.signals.subscriber[lately])
        said = strength(admitted.signals.kind[lately], admitted.signals.at[lately], now=self.newest)
        heard = np.bincount(rows, said, minlength=len(self.histories.people))
        known = np.asarray(self.histories.interest.sum(axis=1)).ravel()
        trust = np.minimum(known / recipe.trusted_from, 1)
        return np.asarray(trust + recipe.attention * np.minimum(heard / recipe.attention_full, 1), dtype=np.float32)

    @cached_property
    def shelf_sku(self) -> NDArray[np.int64]:
        return self.catalog.sku[self.on_shelf]

    @cached_property
    def stock(self) -> NDArray[np.int64]:
        """(s,) units of each product on the shelf, −1 for unknown."""
        return self.catalog.stock[self.on_shelf]

    @cached_property
    def kinds(self) -> NDArray[np.int64]:
        """(s,) the number of each shelf product's type."""
        _, kinds = np.unique(np.array([*self.catalog.product_type, ""]), return_inverse=True)
        return kinds[:-1][self.on_shelf]

    @cached_property
    def new_on_shelf(self) -> NDArray[np.int64]:
        """Places of the new products on the shelf."""
        first = first_seen(self.admitted.signals, self.admitted.positions, len(self.catalog))
        return np.flatnonzero(new_places(first, self.newest)[self.on_shelf])

    @cached_property
    def _shelf_place(self) -> NDArray[np.int64]:
        """(m,) where each product of the catalogue stands on the shelf, −1 for not at all."""
        place = np.full(len(self.catalog), -1, dtype=np.int64)
        place[self.on_shelf] = np.arange(len(self.on_shelf))
        return place

    @cached_property
    def replenish(self) -> NDArray[np.int64]:
        return replenish_after(self.catalog, self.rules)

    def rows_of(self, people: NDArray[np.int64], personalised: NDArray[np.bool_]) -> NDArray[np.int64]:
        """The rows of these people in the histories; −1 for those of whom nothing may be known."""
        return np.where(personalised, self.histories.rows_of(people), -1)

    def profiles(self, rows: NDArray[np.int64]) -> sp.csr_matrix:
        """(n, a) the profiles of people by row; empty rows for −1."""
        return profiles(select_rows(self.histories.interest, rows), self.attributes, self.shared)

    def readers(self, people: NDArray[np.int64], personalised: NDArray[np.bool_]) -> Readers:
        """These people, ready to be scored: with their newest signals, whatever the model was trained on."""
        rows = self.rows_of(people, personalised)
        interest = select_rows(self.histories.interest, rows)
        return self.readers_with(people, personalised, interest)

    def readers_with(
        self, people: NDArray[np.int64], personalised: NDArray[np.bool_], interest: sp.csr_matrix
    ) -> Readers:
        """These people as if their interest were this one."""
        profile = profiles(interest, self.attributes, self.shared)
        return self._readers(people, personalised, interest, profile, self.forbidden(people, personalised))

    def readers_once_more(
        self, people: NDArray[np.int64], personalised: NDArray[np.bool_]
    ) -> tuple[Readers, sp.csr_matrix]:
        """(these people, ready to be asked for the scores of what was picked already: nothing is forbidden; (n, a)
        their profiles)."""
        rows = self.rows_of(people, personalised)
        interest, profile = select_rows(self.histories.interest, rows), self.profiles(rows)
        nothing = sp.csr_matrix((len(people), len(self.on_shelf)), dtype=np.int8)
        return self._readers(people, personalised, interest, profile, nothing), profile

    def _readers(
        self,
        people: NDArray[np.int64],
        personalised: NDArray[np.bool_],
        interest: sp.csr_matrix,
        profile: sp.csr_matrix,
        forbidden: sp.csr_matrix,
    ) -> Readers:
        told = Attributes(self.attributes.names, profile).aligned_to(self.model.factors.names)
        vectors = self.model.factors.users(np.where(personalised, people, -1), told)
        rows = self.rows_of(people, personalised)
        attention = np.where(rows >= 0, self.attention[rows], 1.0) if len(self.attention) else np.ones(len(rows))
        return Readers(vectors, interest, forbidden, attention.astype(np.float32))

    def forbidden(self, people: NDArray[np.int64], personalised: NDArray[np.bool_]) -> sp.csr_matrix:
        """(n, s) int8 CSR: what each person must not get, and by which rule: bought, shown, looked at just now.

        What was shown counts for everybody; the rest, and new interest in it, is known only of those who allow it.
        """
        rows = self.rows_of(people, personalised)
        bought = select_rows(self.histories.bought, rows)
        who = rows_of(bought.indptr)
        used_up = self.replenish[bought.indices]
        due = (used_up >= 0) & (self.now - bought.data >= used_up)
        cells = [(who[~due], bought.indices[~due], BOUGHT_CODE)]
        for (others, places), code, whom in (
            (self._shown, SHOWN_CODE, personalised),
            (self._shown_at_all, SHOWN_CODE, ~personalised),
            (self._fresh, FRESH_CODE, personalised),
        ):
            found, which = _members(people, others)
            allowed = whom[found]
            cells.append((found[allowed], places[which][allowed], code))
        return _first_rule([(r, self._shelf_place[c], code) for r, c, code in cells], (len(people), len(self.on_shelf)))

    @cached_property
    def _shown(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(people, places) of what was shown lately and not come back to since, people ascending."""
        people, places = shown_lately(self.shown, self.catalog, self.admitted.signals)
        return _sorted(people, places)

    @cached_property
    def _shown_at_all(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        places = self.catalog.positions(self.shown.sku)
        return _sorted(self.shown.subscriber[places >= 0], places[places >= 0])

    @cached_property
    def _fresh(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        return _sorted(self.admitted.fresh_people, self.admitted.fresh_places)


def _sorted(people: NDArray[np.int64], places: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    order = np.lexsort((places, people))
    return people[order], places[order]


def _members(people: NDArray[np.int64], others: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(row among `people`, index into `others`) of every one of `others`, ascending, who is among `people`."""
    start, end = np.searchsorted(others, people, side="left"), np.searchsorted(others, people, side="right")
    lengths = end - start
    rows = np.repeat(np.arange(len(people)), lengths)
    within = np.arange(len(rows)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return rows, np.repeat(start, lengths) + within


def _first_rule(cells: list[tuple[NDArray[np.int64], NDArray[np.int64], int]], shape: tuple[int, int]) -> sp.csr_matrix:
    """The cells as one pattern; where two rules say the same, the first one counts. Columns of −1 are left out."""
    rows = np.concatenate([rows for rows, _, _ in cells])
    columns = np.concatenate([columns for _, columns, _ in cells])
    codes = np.concatenate([np.full(len(rows), code, dtype=np.int8) for rows, _, code in cells])
    there = columns >= 0
    _, first = np.unique(pair_keys(rows[there], columns[there], shape[1]), return_index=True)
    found = np.flatnonzero(there)[first]
    lengths = np.bincount(rows[found], minlength=shape[0])
    indptr = np.concatenate([[0], np.cumsum(lengths)])
    return sp.csr_matrix((codes[found], columns[found], indptr), shape=shape)
