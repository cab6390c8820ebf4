"""Why a product was picked, in words that never speak of watching."""

import re

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from engine.recommend.explain import NEW, Part, Reason, Why, sentence, strongest, why
from tests.engine.recommend.one_by_one import Parts

WATCHING = re.compile(
    r"\byou(?:['’]ve| have)?(?: \w+)? (?:look|view|brows|click|visit|search|abandon|left|bought|saw|see)"
    r"|because you|since you"
    r"|we (?:saw|notic|know|watch|track)|your (?:brows|histor|purchas|order|visit|activit|basket|cart|profile|behavio)"
    r"|\b(?:tracked|watched|viewed|browsed|clicked|visited|looked at)\b",
    re.IGNORECASE,
)
HOSTILE = [
    *("dry skin", "you viewed", "Because you looked", "your browsing history", "we saw", "viewed", "{value}", "{0}"),
    *("vegan", "%s", "", "Recently viewed by you", "left in your basket", "you’ve seen", "WE NOTICED", "a\nb", "a:b"),
]
kinds = st.sampled_from(["label", "type", "brand", "price", "word", "", "colour"])
words = st.sampled_from(HOSTILE)
names = st.builds("{}:{}".format, kinds, st.text(max_size=20) | words | st.lists(words, max_size=3).map(" ".join))


@given(names)
def test_a_sentence_never_speaks_of_watching(name: str) -> None:
    assert not WATCHING.search(sentence(name))


@given(names)
@example("type:s")
@example("type:,")
@example("type:Oils.")
def test_a_sentence_is_one_line_with_something_in_it(name: str) -> None:
    words = sentence(name)
    assert words.strip() == words != ""
    assert "  " not in words
    assert len(words.splitlines()) == 1


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("label:dry skin", "A good choice for dry skin"),
        ("label:fragrance free", "Fragrance free"),
        ("label:blemish-prone", "A good choice for blemish-prone skin"),
        ("label:redness", "Made with redness in mind"),
        ("label:{value}", "{value}"),
        ("label:viewed by you", "Chosen to suit you"),
        ("label:", "Chosen to suit you"),
        ("label:  ", "Chosen to suit you"),
        ("type:creams", "One of our cream picks"),
        ("type:{value}", "One of our {value} picks"),
        ("brand:maren", "New ideas from Maren"),
        ("price:budget", "Chosen to suit you"),
        ("", "Chosen to suit you"),
    ],
)
def test_a_sentence_speaks_of_the_product(name: str, words: str) -> None:
    assert sentence(name) == words


amounts = st.sampled_from([-1.0, 0.0, 0.5, 2.0]) | st.floats(-5, 5)
LABELS = ("", "brand:maren", "label:dry skin", "label:you viewed", "type:creams")


@given(st.lists(st.builds(Parts, amounts, amounts, amounts, amounts), max_size=8))
def test_the_strongest_part_is_the_first_of_the_largest_and_the_trend_where_none_is_above_nothing(
    made_of: list[Parts],
) -> None:
    columns = np.array([(each.trend, each.neighbours, each.factors, each.boost) for each in made_of]).reshape(-1, 4).T
    assert strongest(columns).tolist() == [each.strongest() for each in made_of]


def test_asking_for_the_strongest_part_changes_none() -> None:
    made_of = np.full((4, 1), -1.0)
    assert strongest(made_of).tolist() == [Part.TREND]
    assert (made_of == -1).all()


@given(st.sampled_from(Part), st.sampled_from(LABELS), st.sampled_from(["", "type:creams"]), st.booleans())
def test_a_reason_is_what_spoke_most_and_never_speaks_of_watching(
    part: Part, shared: str, own_type: str, bought: bool
) -> None:
    found = why(part, shared, own_type, bought=bought, due=False)
    assert found.sentence
    assert not WATCHING.search(found.sentence)
    assert found.label == ("" if part == Part.TREND else shared)
    how = Reason.BOUGHT if bought else Reason.LOOKED_AT
    of_an_identity = Reason.PROFILE if shared else how  # what one buys is learnt too
    assert found.reason == {
        Part.TREND: Reason.TREND,
        Part.BOOST: Reason.RULE,
        Part.FACTORS: of_an_identity,
        Part.NEIGHBOURS: how,
    }.get(part)
    due = why(part, shared, own_type, bought=bought, due=True)
    assert (due.reason, due.label, due.sentence) == (Reason.BOUGHT, "", "Good to have at hand")


def test_where_nothing_is_shared_the_type_of_the_product_is_spoken_of() -> None:
    found = why(Part.NEIGHBOURS, "", "type:creams", bought=True, due=False)
    assert found == Why(Reason.BOUGHT, "", "One of our %(value)s picks", (), "cream")
    assert why(Part.FACTORS, "", "", bought=False, due=False) == Why(Reason.LOOKED_AT, "", "Chosen to suit you")


def test_what_chance_drew_is_called_new() -> None:
    assert Why(Reason.NEW, "", "New in our shop") == NEW
