"""A return path leads back to one row, survives mail servers, and cannot be made up."""

import base64
import string
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.errors import SettingsInvalid
from campaigns.return_path import ReturnPath, ReturnPathInvalid
from campaigns.settings import Settings
from subscribers.secrets import Secrets

SETTINGS = Settings(bounce_address="Bounces@example.com")
rows = st.integers(0, 2**40 - 1)


@pytest.fixture(scope="module")
def paths(secrets: Secrets) -> ReturnPath:
    return ReturnPath(SETTINGS, secrets)


def reason_of(paths: ReturnPath, address: str) -> str:
    with pytest.raises(ReturnPathInvalid) as refused:
        paths.opened(address)
    return refused.value.reason


@given(row=rows)
def test_a_return_path_opens_to_its_row_also_after_mail_servers_had_it(paths: ReturnPath, row: int) -> None:
    address = paths.of(row)
    for spelled in (address, address.lower(), address.upper(), f"<{address}>", f" {address}\r\n"):
        assert paths.opened(spelled) == row
    assert paths.of(row) == address


@given(row=rows)
def test_it_is_short_plain_and_holds_nobody(paths: ReturnPath, row: int) -> None:
    local, _, domain = paths.of(row).partition("@")
    assert domain == "example.com"
    assert local.startswith("Bounces+")
    assert len(local) <= 64
    token = local.removeprefix("Bounces+")
    assert set(token) <= set(string.ascii_lowercase + "234567")


def test_the_number_of_mails_cannot_be_read_from_it(paths: ReturnPath) -> None:
    first = [base64.b32decode(paths.of(row).partition("+")[2].partition("@")[0].upper())[:5] for row in range(1, 200)]
    numbers = [int.from_bytes(octets, "big") for octets in first]
    assert len({octets[0] for octets in first}) > 50  # the highest octet is not always 0
    assert numbers != sorted(numbers)


def test_every_change_of_a_single_character_closes_it(paths: ReturnPath) -> None:
    address = paths.of(7)
    start, end = address.index("+") + 1, address.index("@")
    for position in range(start, end):
        for other in string.ascii_lowercase + string.digits + "=+-.":
            changed = address[:position] + other + address[position + 1 :]
            if changed != address:
                reason_of(paths, changed)
    for position in range(start, end + 1):
        reason_of(paths, address[:position] + address[position + 1 :])
        reason_of(paths, address[:position] + "a" + address[position:])


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("bounces@example.com", "not signed"),
        ("bounces+@example.com", "the signature is not ours"),
        ("bounces+ana@example.com", "the signature is not ours"),
        (f"bounces+{'a' * 32}@example.com", "the signature is not ours"),
        (f"bounces+{'a' * 31}é@example.com", "the signature is not ours"),
        (f"bounces+{'a' * 99}@example.com", "not ours"),
        ("ana@example.com", "not ours"),
        ("ana+bounces@example.com", "not ours"),
        ("bounces@example.org", "not ours"),
        ("", "not ours"),
        ("@", "not ours"),
        ("<>", "not ours"),
    ],
)
def test_what_is_wrong_with_it_is_told_in_a_few_words(paths: ReturnPath, address: str, reason: str) -> None:
    assert reason_of(paths, address) == reason


@given(st.text(max_size=200))
def test_any_other_text_is_no_return_path(paths: ReturnPath, text: str) -> None:
    for address in (text, f"bounces+{text}@example.com", f"{text}@example.com"):
        reason_of(paths, address)


def test_a_token_of_another_domain_or_mailbox_is_not_ours(paths: ReturnPath, secrets: Secrets) -> None:
    for other in ("bounces@example.org", "returns@example.com"):
        assert reason_of(paths, ReturnPath(Settings(bounce_address=other), secrets).of(7)) == "not ours"


def test_somebody_elses_signature_does_not_open_it(paths: ReturnPath, secrets: Secrets) -> None:
    stranger = ReturnPath(SETTINGS, replace(secrets, signing=("guessed",)))
    assert reason_of(paths, stranger.of(7)) == "the signature is not ours"


def test_it_opens_after_two_rotations_as_long_as_its_key_is_kept(secrets: Secrets) -> None:
    old = ReturnPath(SETTINGS, replace(secrets, signing=("first",))).of(7)
    kept = ReturnPath(SETTINGS, replace(secrets, signing=("third", "second", "first")))
    assert kept.opened(old) == 7
    assert kept.of(7) == ReturnPath(SETTINGS, replace(secrets, signing=("third",))).of(7)
    assert reason_of(ReturnPath(SETTINGS, replace(secrets, signing=("third", "second"))), old)


def test_a_mailbox_with_a_sub_address_of_its_own_may_be_used(secrets: Secrets) -> None:
    paths = ReturnPath(Settings(bounce_address="shop+bounces@example.com"), secrets)
    assert paths.of(7).startswith("shop+bounces+")
    assert paths.opened(paths.of(7)) == 7


@pytest.mark.parametrize(
    ("address", "complaint"),
    [
        ("", "set bounce_address in "),
        ("bounces", "is no usable email address"),
        ("bounces@", "is no usable email address"),
        ("rückläufer@example.com", "must be in ASCII"),
        ("bounces@münchen.example.org", "must be in ASCII"),
        ("b" * 32 + "@example.com", "at most 31 characters before the @"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused(secrets: Secrets, address: str, complaint: str) -> None:
    with pytest.raises(SettingsInvalid, match=complaint):
        ReturnPath(Settings(bounce_address=address), secrets)


def test_the_longest_one_still_fits(secrets: Secrets) -> None:
    paths = ReturnPath(Settings(bounce_address="b" * 31 + "@example.com"), secrets)
    assert len(paths.of(2**40 - 1).partition("@")[0]) == 64
    assert paths.opened(paths.of(2**40 - 1)) == 2**40 - 1
