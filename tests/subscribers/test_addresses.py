"""Addresses: what can be mailed, and which spellings are one person's."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from subscribers.addresses import canonical, usable
from subscribers.errors import AddressInvalid


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ("ana@example.com", "ana@example.com"),
        (" Ana.Smith+shop@Example.COM\t", "Ana.Smith+shop@example.com"),
        ("o'brien@example.co.uk", "o'brien@example.co.uk"),
        ("jose\u0301@example.com", "josé@example.com"),
        ("ana@MÜNCHEN.de", "ana@münchen.de"),
        ("ana@example。com", "ana@example.com"),
        ("a" * 64 + "@example.com", "a" * 64 + "@example.com"),
    ],
)
def test_a_usable_address_is_stored_tidily(written, stored):
    assert usable(written) == stored


@pytest.mark.parametrize(
    "address",
    [
        *[
            "",
            "@",
            "ana",
            "ana@",
            "@example.com",
            "ana@example",
            "ana@@example.com",
            "ana@exam ple.com",
            "ana @example.com",
        ],
        *[
            "ana@localhost",
            "ana@shop.test",
            "ana@shop.invalid",
            "ana@printer.local",
            "ana@-example.com",
            "a..b@example.com",
        ],
        *[".ana@example.com", "ana.@example.com", "ana@example.com.", "ana@[127.0.0.1]", '"a b"@example.com'],
        *[
            "ana@example.com\r\nBcc: all@example.com",
            "ana\x00@example.com",
            "ana\u200b@example.com",
            "ana@exam\udcffple.com",
        ],
        *[
            "a" * 65 + "@example.com",
            "a@" + "b" * 64 + ".com",
            "a@" + "b." * 126 + "com",
            "x" * 50_000 + "@example.com",
        ],
        *["Ana <ana@example.com>", "ana@example.com, bob@example.com", "ana\u202e@example.com"],
    ],
)
def test_an_address_nobody_could_deliver_to_is_refused_in_a_line(address):
    with pytest.raises(AddressInvalid) as invalid:
        usable(address)
    assert str(invalid.value).isprintable()
    assert len(str(invalid.value)) < 300


@given(st.one_of(st.text(), st.emails(), st.text(alphabet="aA.@-+é\u0301ß 。x\x00\udcff", max_size=20)))
def test_any_text_is_usable_or_invalid(text):
    try:
        address = usable(text)
    except AddressInvalid:
        return
    assert usable(address) == address
    assert canonical(address) == canonical(text)


everything = st.text(st.characters(), max_size=20)  # unassigned characters and lone surrogates included


@given(everything)
@example("´@example.com")  # NFKC makes a space of the accent, in front
@example("\u0345\u0391")
@example("a@xn--XN--MNCHEN-3YA.de")
def test_the_canonical_form_of_a_canonical_form_is_itself(text):
    assert canonical(canonical(text)) == canonical(text)


@given(everything)
@example("ı@example.com")  # its capital is I, whose small letter is i
@example("ŉ@straße.de")
def test_case_variants_share_one_key(text):
    assert canonical(text.upper()) == canonical(text)
    assert canonical(text.lower()) == canonical(text)
    assert canonical(text.swapcase()) == canonical(text)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ana@Example.com", " ana@example.COM "),
        ("josé@example.com", "JOSE\u0301@example.com"),
        ("ana@example.com", "ａｎａ@example.com"),
        ("ana@münchen.de", "ana@xn--mnchen-3ya.de"),
        ("ana@münchen.de", "ana@XN--MNCHEN-3YA.DE"),
        ("Straße@example.com", "STRASSE@example.com"),
        ("ana@ﬁsh.de", "ana@fish.de"),
    ],
)
def test_two_spellings_of_one_address_have_one_key(secrets, one, other):
    assert canonical(one) == canonical(other)
    assert secrets.key_of(one) == secrets.key_of(other)


def test_two_addresses_have_two_keys(secrets):
    addresses = ["ana@example.com", "bob@example.com", "ana@example.org", "ana+shop@example.com", "a.na@example.com"]
    keys = {secrets.key_of(address) for address in addresses}
    assert len(keys) == len(addresses)
    assert all(len(key) == 32 and int(key, 16) >= 0 for key in keys)


def test_a_key_cannot_be_made_without_the_secret(secrets):
    other = type(secrets)(b"another secret", secrets.signing)
    assert other.key_of("ana@example.com") != secrets.key_of("ana@example.com")


def test_the_key_of_an_address_never_changes(secrets):
    """It is what remembers a refusal: another key for the same address would forget all of them."""
    assert secrets.key_of("Ana@example.com") == "244bf29a9e538fb33ee2669c306d6097"


def test_secrets_do_not_show_in_a_log(secrets):
    assert "tests" not in repr(secrets)
    assert "newest" not in f"{secrets}"


def test_broken_text_from_a_shell_has_a_key_too(secrets):
    assert len(secrets.key_of("ana\udcff@example.com")) == 32
