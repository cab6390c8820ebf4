"""What a review says of a run: each kind counted once a mail, and the worst mail named by its number."""

import json
import pickle
from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.letters import Letter
from campaigns.review.findings import Review
from engine.render import answers
from engine.render.content import Mail
from engine.render.inspection import Finding
from tests.engine.mails import SENDER, UNSUBSCRIBE

SOUND = (
    f"<a href='{UNSUBSCRIBE}'>no</a><p>{SENDER.postal_address}</p>"
    "<img src='https://shop.example/i/1.png' alt='A jar' width='600' height='450'>"
)
TEXT = f"Rose Cream for your skin\n{UNSUBSCRIBE}\n{SENDER.postal_address}\n"


def letter(html: str = SOUND, *, subject: str = "Hello", message: bytes = b"x" * 100) -> Letter:
    return Letter(Mail(subject, "Picked for Ana", (html,), (TEXT,)), (message,), UNSUBSCRIBE)


def large(size: int) -> Letter:
    return letter(SOUND + "x" * size)


def findings_of(review: Review) -> list[dict[str, object]]:
    found = review.summary()["findings"]
    assert isinstance(found, list)
    return found


def test_a_run_of_sound_mails_has_nothing_wrong_with_it():
    review = Review(1)
    review.look(letter(), SENDER, 7, who=1)
    review.look(letter(), SENDER, 8, who=2)
    assert review.summary() == {
        "run": 1,
        "mails": 2,
        "different_heroes": 2,
        "largest_bytes": 100,
        "largest_of": 1,
        "errors": 0,
        "warnings": 0,
        "findings": [],
    }


@pytest.mark.parametrize("order", list(permutations([(105_000, 3), (140_000, 5), (120_000, 9)])))
def test_the_worst_recipient_is_named_and_not_the_first(order):
    review = Review(1)
    for size, who in order:
        review.look(large(size), SENDER, 1, who=who)
    (finding,) = findings_of(review)
    assert finding == {
        "severity": "warning",
        "check": "size",
        "mails": 3,
        "worst": 5,
        "example": f"{(140_000 + len(SOUND)) // 1024} KB of HTML; Gmail hides what comes after 102 KB",
    }


@pytest.mark.parametrize("order", list(permutations([(75, 3), (120, 5), (90, 9)])))
def test_the_longest_subject_is_the_worst(order):
    review = Review(1)
    for length, who in order:
        review.look(letter(subject="x" * length), SENDER, 1, who=who)
    assert [(finding["check"], finding["worst"]) for finding in findings_of(review)] == [("subject", 5)]


def test_of_equally_bad_mails_the_one_with_the_smallest_number_is_named():
    review = Review(1)
    for who in (10, 9, 11):
        review.look(letter(subject=""), SENDER, 1, who=who)
    assert findings_of(review)[0]["worst"] == 9


def test_a_mail_counts_once_for_each_kind_however_often_it_has_it():
    review = Review(1)
    review.look(letter(SOUND + "<img><img src='https://shop.example/2.png'>"), SENDER, 1, who=4)
    assert review.counts == {("error", "image"): 1}
    assert (review.errors, review.warnings) == (1, 0)
    assert review.worst == "image has no alt, width, height: https://shop.example/2.png in 1 mails"


def test_hosts_that_nobody_knows_are_counted():
    review = Review(1)
    strange = SOUND + "<a href='https://evil.example/'>x</a>"
    review.look(letter(strange), SENDER, 1, who=4, known_hosts=frozenset({"shop.example"}))
    assert [finding["check"] for finding in findings_of(review)] == ["unknown link"]


def test_neither_address_nor_name_is_in_the_report():
    review = Review(1)
    review.look(letter(subject="", html="<p>ana@example.com"), SENDER, 1, who=4)
    assert "ana@example.com" not in json.dumps(review.summary())


notes = st.tuples(
    st.sampled_from(["error", "warning"]),
    st.sampled_from(["size", "link"]),
    st.text("ab", max_size=2),
    st.integers(0, 3),
    st.integers(1, 5),
)


@given(st.lists(st.lists(notes, max_size=5), max_size=5), st.randoms(use_true_random=False))
def test_parts_merged_in_any_order_are_the_whole(parts, random):
    whole, reviews = Review(1), []
    for part in parts:
        reviews.append(Review(0))
        for severity, name, detail, weight, who in part:
            for review in (whole, reviews[-1]):
                review.note(Finding(severity, name, detail, weight), who)
                review.mails += 1
                review.heroes[who] = review.heroes.get(who, 0) + 1
    random.shuffle(reviews)
    merged = Review(1)
    for review in reviews:
        merged.merge(answers.read(answers.write(review)))
    assert merged.summary() == whole.summary()
    assert pickle.loads(pickle.dumps(merged)) == merged


def test_the_largest_mail_is_named_after_a_merge():
    first, second = Review(1), Review(0)
    first.look(letter(message=b"x" * 10), SENDER, 1, who=1)
    second.look(replace(letter(), parts=(b"x" * 20,)), SENDER, 1, who=2)
    first.merge(second)
    assert (first.largest, first.largest_of) == (20, 2)
