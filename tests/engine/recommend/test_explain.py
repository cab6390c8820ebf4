"""Why a product was picked, in words that never speak of watching."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from engine.recommend.explain import NEW, Evidence, Parts, Reason, Why, sentence, why

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


NAMES = ("brand:maren", "label:dry skin", "label:you viewed", "price:low", "type:creams")
cells = st.dictionaries(st.integers(0, 4), st.floats(0.1, 1), max_size=5)
amounts = st.sampled_from([-1.0, 0.0, 0.5, 2.0]) | st.floats(-5, 5)
parts = st.builds(Parts, amounts, amounts, amounts, amounts)
proofs = st.lists(st.builds(Evidence, st.integers(1, 9), st.booleans(), st.floats(0, 1)), max_size=3).map(tuple)


@given(parts, cells, cells, proofs, st.booleans(), st.booleans())
def test_a_reason_is_always_true_of_the_person_and_the_product_and_never_speaks_of_watching(
    made_of: Parts,
    profile: dict[int, float],
    attributes: dict[int, float],
    evidence: tuple[Evidence, ...],
    buyer: bool,
    due: bool,
) -> None:
    found = why(made_of, profile, attributes, NAMES, evidence, buyer=buyer, due=due)
    shared = {NAMES[column] for column in profile if column in attributes} - {"price:low"}
    assert not WATCHING.search(found.sentence)
    assert found.sentence
    assert found.label in {"", *shared}
    if found.label:
        assert max(profile[NAMES.index(name)] for name in shared) == profile[NAMES.index(found.label)]
    if due:
        assert (found.reason, found.label) == (Reason.BOUGHT, "")
    elif found.reason == Reason.PROFILE:
        assert found.label
    elif found.reason == Reason.TREND:
        assert made_of.trend == max(made_of) or max(made_of) <= 0
    elif found.reason == Reason.RULE:
        assert made_of.boost == max(made_of) > 0
    else:
        assert max(made_of.factors, made_of.neighbours) > 0


@pytest.mark.parametrize(
    ("made_of", "reason"),
    [
        (Parts(trend=2, boost=1, factors=1, neighbours=1), Reason.TREND),
        (Parts(trend=1, boost=2, factors=1, neighbours=1), Reason.RULE),
        (Parts(trend=1, boost=1, factors=2, neighbours=1), Reason.PROFILE),
        (Parts(trend=1, boost=1, factors=1, neighbours=2), Reason.LOOKED_AT),
        (Parts(trend=-3, boost=-1, factors=-1, neighbours=-2), Reason.TREND),
    ],
)
def test_the_largest_part_of_the_score_is_the_reason(made_of: Parts, reason: Reason) -> None:
    found = why(made_of, {1: 0.5}, {1: 0.3}, NAMES, (), buyer=False, due=False)
    assert found.reason == reason
    assert found.label == ("" if reason == Reason.TREND else "label:dry skin")


@pytest.mark.parametrize(("first_bought", "buyer", "reason"), [(True, False, "bought"), (False, True, "looked at")])
def test_whether_bought_or_looked_at_is_said_by_the_strongest_evidence(
    first_bought: bool, buyer: bool, reason: str
) -> None:
    proof = (Evidence(1, first_bought, 0.5), Evidence(2, not first_bought, 0.4))
    found = why(Parts(0, 0, 0, 1), {}, {4: 0.3}, NAMES, proof, buyer=buyer, due=False)
    assert found == Why(Reason(reason), "", "One of our %(value)s picks", proof, "cream")


@pytest.mark.parametrize(("buyer", "reason"), [(True, Reason.BOUGHT), (False, Reason.LOOKED_AT)])
def test_an_identity_was_learnt_from_what_was_bought_or_else_looked_at(buyer: bool, reason: Reason) -> None:
    found = why(Parts(0, 0, 1, 0), {}, {}, NAMES, (), buyer=buyer, due=False)
    assert found == Why(reason, "", "Chosen to suit you")


def test_of_two_equal_labels_the_first_in_the_alphabet_is_the_reason() -> None:
    found = why(Parts(0, 0, 1, 0), {1: 0.5, 0: 0.5}, {1: 0.3, 0: 0.3}, NAMES, (), buyer=True, due=False)
    assert found.label == "brand:maren"


def test_what_chance_drew_is_called_new() -> None:
    assert Why(Reason.NEW, "", "New in our shop") == NEW
