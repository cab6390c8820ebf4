"""Tokens in links: only ours, only whole, only for their purpose, and for ever."""

import base64
import string
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from itsdangerous import URLSafeSerializer

from subscribers.errors import TokenInvalid
from subscribers.links import UNSUBSCRIBE, LinkSigner

ALPHABET = string.ascii_letters + string.digits + "-_.=+/%~ \n"


@pytest.fixture(scope="module")
def key(secrets):
    return secrets.key_of("ana@example.com")


@pytest.fixture(scope="module")
def signer(secrets):
    return LinkSigner(secrets, UNSUBSCRIBE)


@pytest.fixture(scope="module")
def token(signer, key):
    return signer.sign(key)


def opens(signer, token):
    try:
        signer.open(token)
    except TokenInvalid:
        return False
    return True


def test_a_token_opens_to_the_key_it_was_made_of(signer, token, key):
    assert signer.open(token) == key


def test_every_change_of_a_single_character_closes_it(signer, token):
    for position in range(len(token)):
        for other in ALPHABET:
            changed = token[:position] + other + token[position + 1 :]
            assert changed == token or not opens(signer, changed), changed


def test_every_added_or_missing_character_closes_it(signer, token):
    for position in range(len(token) + 1):
        assert position == len(token) or not opens(signer, token[:position])
        assert not opens(signer, token[:position] + token[position + 1 :]) or position == len(token)
        for more in ("A", "!", "=", "é", "\udcff", "\x00", "\n", "."):
            assert not opens(signer, token[:position] + more + token[position:]), (position, more)


@given(st.text(max_size=200))
def test_any_other_text_is_just_not_valid(signer, text):
    with pytest.raises(TokenInvalid, match=r"^this link is not valid; please use the newest mail you got from us$"):
        signer.open(text)


def test_a_token_for_one_purpose_does_not_open_another(secrets, token):
    assert not opens(LinkSigner(secrets, "preferences"), token)


def test_somebody_elses_signature_does_not_open_it(secrets, key):
    stranger = LinkSigner(replace(secrets, signing=("guessed",)), UNSUBSCRIBE)
    assert not opens(LinkSigner(secrets, UNSUBSCRIBE), stranger.sign(key))


def test_a_token_opens_after_two_rotations_as_long_as_its_key_is_kept(secrets, key):
    old = LinkSigner(replace(secrets, signing=("first",)), UNSUBSCRIBE).sign(key)
    assert LinkSigner(replace(secrets, signing=("third", "second", "first")), UNSUBSCRIBE).open(old) == key
    assert not opens(LinkSigner(replace(secrets, signing=("third", "second")), UNSUBSCRIBE), old)


def test_the_newest_key_signs(secrets, key):
    rotated = LinkSigner(replace(secrets, signing=("second", "first")), UNSUBSCRIBE).sign(key)
    assert LinkSigner(replace(secrets, signing=("second",)), UNSUBSCRIBE).open(rotated) == key


def test_a_token_holds_no_address_and_needs_no_escaping_in_a_link(secrets):
    token = LinkSigner(secrets, UNSUBSCRIBE).sign(secrets.key_of("ana@example.com"))
    assert set(token) <= set(string.ascii_letters + string.digits + "-_.")
    payload = token.split(".")[0]
    shown = base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)).decode()
    assert shown == f'"{secrets.key_of("ana@example.com")}"'
    assert len(token) <= 200  # the column of Message


def test_the_same_person_gets_the_same_token_and_two_people_two(secrets):
    first, again = LinkSigner(secrets, UNSUBSCRIBE), LinkSigner(replace(secrets), UNSUBSCRIBE)
    assert first.sign(secrets.key_of("ana@example.com")) == again.sign(secrets.key_of("ANA@example.com"))
    assert first.sign(secrets.key_of("ana@example.com")) != first.sign(secrets.key_of("bob@example.com"))


@pytest.mark.parametrize("content", [7, None, ["a"], {"key": "a"}])
def test_something_else_than_a_key_is_not_valid_though_we_signed_it(secrets, signer, content):
    token = URLSafeSerializer(secrets.signing[0], salt="handpicked unsubscribe").dumps(content)
    assert not opens(signer, token)


@given(address=st.text(st.characters(exclude_categories=["Cs"]), max_size=80))
def test_the_token_of_a_key_is_what_the_library_itself_would_write(secrets, signer, address):
    key = secrets.key_of(address)
    assert signer.sign(key) == signer._serializer.dumps(key)


@given(text=st.text(st.characters(exclude_categories=["Cs"]), max_size=80) | st.just("a" * 80))
def test_a_token_opens_whether_we_wrote_it_or_the_library_which_makes_some_texts_shorter(signer, text):
    assert signer.open(signer.sign(text)) == text
    assert signer.open(signer._serializer.dumps(text)) == text
