"""Why a product was picked, in words that never speak of watching."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.recommend.explain import TREND, Reason, sentence, why

WATCHING = re.compile(
    r"\byou(?:['’]ve| have)?(?: \w+)? (?:look|view|brows|click|visit|search|abandon|left|bought|saw|see)"
    r"|because you|since you"
    r"|we (?:saw|notic|know|watch|track)|your (?:brows|histor|purchas|order|visit|activit|basket|cart|profile|behavio)"
    r"|\b(?:tracked|watched|viewed|browsed|clicked|visited|looked at)\b",
    re.IGNORECASE,
)
kinds = st.sampled_from(["label", "type", "brand", "price", "word", "", "colour"])
words = st.sampled_from(
    [
        "dry skin",
        "you viewed",
        "Because you looked",
        "your browsing history",
        "we saw",
        "viewed",
        "{value}",
        "{0}",
        "vegan",
        "%s",
        "",
    ]
)
names = st.builds("{}:{}".format, kinds, st.text(max_size=20) | words | st.lists(words, max_size=3).map(" ".join))


@given(names)
def test_a_sentence_never_speaks_of_watching(name: str) -> None:
    assert not WATCHING.search(sentence(name))


@given(names)
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
        ("type:creams", "One of our creams picks"),
        ("type:{value}", "One of our {value} picks"),
        ("brand:maren", "New ideas from Maren"),
        ("price:budget", "Chosen to suit you"),
    ],
)
def test_a_sentence_speaks_of_the_product(name: str, words: str) -> None:
    assert sentence(name) == words


NAMES = ("brand:maren", "label:dry skin", "price:low", "type:creams")
profiles = st.dictionaries(st.integers(0, 3), st.floats(0.1, 1), max_size=4)


@given(profile=profiles, attributes=profiles, trend_share=st.floats(0, 1))
def test_a_reason_is_always_true_of_the_person_and_the_product(
    profile: dict[int, float], attributes: dict[int, float], trend_share: float
) -> None:
    reason = why(profile, attributes, NAMES, trend_share)
    shared = {NAMES[column] for column in profile if column in attributes} - {"price:low"}
    assert (reason.reason == Reason.PROFILE) == bool(shared and trend_share <= 0.5)
    if reason.reason == Reason.PROFILE:
        assert reason.label in shared
        assert max(profile[NAMES.index(name)] for name in shared) == profile[NAMES.index(reason.label)]
    if trend_share > 0.5 or not profile:
        assert reason == TREND
    assert not WATCHING.search(reason.sentence)


def test_of_two_equal_labels_the_first_in_the_alphabet_is_the_reason() -> None:
    assert why({1: 0.5, 0: 0.5}, {1: 0.3, 0: 0.3}, NAMES, 0).label == "brand:maren"
