"""What the plan wrote need not be written again; and nothing that was kept is sent unless it is what was planned."""

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns import press as presses
from campaigns.erasure import erase
from campaigns.freeze import frozen_press
from campaigns.kept_letters import KeptLetters
from campaigns.letters import row_of, seal_of
from campaigns.press import Press
from campaigns.runs import find_run
from subscribers.database import reading, writing


def planned(shop: Any, run: int) -> list[dict[str, Any]]:
    names = ("id", "address", "given_name", "language", "banner", "picks", "message_id", "token", "sha256")
    rows = shop.query(f"SELECT {', '.join(names)} FROM message WHERE run_id = :run AND sha256 <> ''", run=run)
    return [dict(zip(names, row, strict=True)) for row in rows]


def press_of(shop: Any, run: int) -> Press:
    with reading(shop.world.database) as session:
        return frozen_press(session, find_run(session, run))


@contextmanager
def kept(shop: Any, run: int) -> Iterator[KeptLetters]:
    """The letters that wait for the sending of this run."""
    with press_of(shop, run) as press:
        yield press._kept


def sent(shop: Any) -> dict[str, str]:
    """The hash of each mail that left, by its recipient."""
    return {envelope.recipient: hashlib.sha256(message).hexdigest() for envelope, message in shop.sink.messages}


def test_every_letter_of_a_plan_is_kept_as_it_was_frozen(shop):
    run = shop.plan()
    with press_of(shop, run) as press:
        letters = {row["address"]: press.recall(seal_of(row)) for row in planned(shop, run)}
    assert {address: hashlib.sha256(letter or b"").hexdigest() for address, letter in letters.items()} == {
        row["address"]: row["sha256"] for row in planned(shop, run)
    }


def test_what_was_kept_is_sent_without_being_written_again(shop):
    run = shop.plan()
    worker = next(iter(presses._parked.values()))[0]
    worker.close()  # a new one would begin with the first letter that is written
    shop.send(run)
    assert worker._worker is None
    assert sorted(shop.sink.recipients) == sorted(shop.mailable())


def test_when_a_run_is_sent_nothing_of_it_is_kept_nor_of_who_was_erased_meanwhile(shop):
    run = shop.plan()
    first = planned(shop, run)[0]["address"]
    with kept(shop, run) as letters:
        assert len(letters) == len(shop.mailable())
    with writing(shop.world.database) as session:
        erase(session, first, shop.world.secrets, now=shop.now)
    shop.send(run)
    assert first not in shop.sink.recipients
    assert len(letters) == 0
    assert not presses._parked


def test_a_letter_that_is_not_kept_any_more_is_written_again(shop):
    run = shop.plan()
    with kept(shop, run) as letters:
        for row in planned(shop, run)[::2]:
            letters.take_out(seal_of(row))
    shop.send(run)
    assert sent(shop) == {row["address"]: row["sha256"] for row in planned(shop, run)}


def test_a_kept_letter_that_is_not_what_was_planned_is_written_again(shop):
    run = shop.plan()
    with kept(shop, run) as letters:
        for seal, parts in list(letters._letters.items())[::2]:
            letters._letters[seal] = (*parts, b"more\r\n")
        for seal in list(letters._letters)[1::4]:
            letters._letters[seal] = (b"no number ", 1_000_000)
    shop.send(run)
    assert sent(shop) == {row["address"]: row["sha256"] for row in planned(shop, run)}


def test_a_letter_of_another_row_is_never_found(shop):
    """All that a letter is made from is in the seal: also the address, to which it would go."""
    run = shop.plan()
    row = planned(shop, run)[0]
    with press_of(shop, run) as press:
        for name in ("address", "given_name", "language", "banner", "picks", "message_id", "token"):
            assert press.recall(seal_of(row | {name: row[name] + "x"})) is None
        assert press.recall(seal_of(row)) is not None


def test_a_worker_that_ended_half_way_takes_its_numbers_with_it(shop):
    run = shop.plan()
    rows = planned(shop, run)
    found = press_of(shop, run)
    with Press(found.content, found._cards, date=found._date, keeps=True) as press:
        press._kept.forget()
        for part in (rows[:10], rows[10:20], rows[20:]):
            press.begin_judging([row_of(row) for row in part], [0] * len(part))
            press.keep(map(seal_of, part), press.finish())
            press._worker.close()
        for row in rows:
            assert hashlib.sha256(press.recall(seal_of(row)) or b"").hexdigest() == row["sha256"]


def test_letters_wait_ten_minutes_and_no_longer(shop, monkeypatch):
    assert presses.KEPT_SECONDS == 600
    monkeypatch.setattr(presses, "KEPT_SECONDS", 0.05)
    run = shop.plan()
    with press_of(shop, run) as press:
        letters = press._kept
    for _ in range(200):
        if not len(letters):
            break
        time.sleep(0.02)
    assert len(letters) == 0
    shop.send(run)
    assert sorted(shop.sink.recipients) == sorted(shop.mailable())


def test_the_letters_of_one_run_go_when_another_is_planned(shop):
    first = shop.plan()
    with kept(shop, first) as letters:
        pass
    shop.plan()
    assert len(letters) == 0


@pytest.mark.parametrize("largest", [0, 3_000])
def test_there_is_a_limit_to_what_is_kept(largest):
    letters = KeptLetters(largest)
    while letters.pieces >= 0:
        letters.take_in([len(letters)], [(0, b"x" * 500)], [b"y" * 1_000])
    assert letters._size <= largest + 600 + 1_500


_TEXTS = st.binary(max_size=20)


@given(
    st.lists(_TEXTS, min_size=1, max_size=20, unique=True),
    st.lists(st.lists(st.integers(0, 30) | _TEXTS, max_size=8), max_size=8),
)
def test_a_letter_is_always_its_parts_one_after_the_other_or_not_there(pieces, letters):
    found = KeptLetters()
    found.take_in(range(len(letters)), [tuple(parts) for parts in letters], pieces)
    for seal, parts in enumerate(letters):
        sound = all(type(part) is bytes or part < len(pieces) for part in parts)
        whole = b"".join(pieces[part] if type(part) is int else part for part in parts) if sound else None
        assert found.take_out(seal) == whole
        assert found.take_out(seal) is None
