"""Signatures that another library finds good, and finds bad as soon as one byte that matters is another."""

import os
import re
import stat
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given
from hypothesis import strategies as st

from campaigns.dkim import SIGNED, Signer, make_signer
from campaigns.dkim_keys import load_key, make_key, signing_domain, zone_line
from campaigns.errors import SettingsInvalid
from campaigns.mime import Letterhead
from campaigns.settings import Settings
from engine.render.content import Mail, Sender

AT = datetime(2025, 6, 1, 12, tzinfo=UTC)  # dkimpy looks at the wall clock and refuses signatures of tomorrow
HEAD = (
    b"From: Oat & Amber <hello@example.com>\r\nTo: ana@example.com\r\nSubject: Hello\r\n"
    b"Date: Sun, 01 Jun 2025 12:00:00 +0000\r\nMessage-ID: <1@example.com>\r\n"
    b"List-Unsubscribe: <https://mail.example.com/u/abc>\r\n"
    b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\nMIME-Version: 1.0\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\n"
)
BODIES = {
    "plain": b"Hello Ana\r\n",
    "empty": b"",
    "one empty line": b"\r\n",
    "only white space": b" \t \r\n\r\n",
    "no end of line": b"Hello",
    "dots": b".\r\n..\r\n.Hello\r\n. \r\n",
    "empty lines at the end": b"Hello\r\n\r\n\r\n\r\n",
    "white lines at the end": b"Hello\r\n \r\n\t\r\n",
    "spaces at line ends": b"Hello   \r\nAna\t\r\n \r\nBye \t \r\n",
    "spaces and tabs inside": b"  Hello  \t Ana\r\n\t\tBye   Ana\r\n",
    "not ASCII": "Grüße, 日本語\r\n".encode(),
    "no text at all": bytes(range(14, 256)) + b"\r\n",
    "quoted-printable": b"Gr=C3=BC=C3=9Fe=20\r\n=\r\nAna=09\r\n",
    "long": b"x" * 5_000 + b"\r\n" + b"y" * 5_000,
}
Verifies = Callable[[bytes], list[bool]]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dkim")
    make_key("ed2026", folder / "keys" / "ed2026.pem", rsa=False)
    make_key("rsa2026", folder / "keys" / "rsa2026.pem", rsa=True)
    return folder


@pytest.fixture(scope="module")
def settings(workspace: Path) -> Settings:
    keys = {"rsa2026": Path("keys/rsa2026.pem"), "ed2026": Path("keys/ed2026.pem")}
    return Settings(workspace=workspace, sender_address="hello@example.com", dkim_keys=keys)


@pytest.fixture(scope="module")
def signer(settings: Settings) -> Signer:
    made = make_signer(settings)
    assert made is not None
    return made


@pytest.fixture(scope="module")
def verifies(settings: Settings) -> Verifies:
    """What dkimpy says of each signature, the DNS holding our records."""
    records = {
        f"{selector}._domainkey.example.com.": load_key(selector, settings.workspace / path).record.encode()
        for selector, path in settings.dkim_keys.items()
    }

    def each(message: bytes) -> list[bool]:
        checker = dkim.DKIM(message)
        count = sum(name.lower() == b"dkim-signature" for name, _ in checker.headers)
        return [good(checker, number) for number in range(count)]

    def good(checker: dkim.DKIM, number: int) -> bool:
        try:
            return bool(checker.verify(number, dnsfunc=lambda name, timeout=5: records.get(name.decode())))
        except dkim.DKIMException:
            return False

    return each


def whole(body: bytes, head: bytes = HEAD) -> bytes:
    """A message as it is on the wire, where each one ends with a line end."""
    return head + b"\r\n" + body + (b"" if body.endswith(b"\r\n") or not body else b"\r\n")


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_both_signatures_are_good(signer: Signer, verifies: Verifies, body: bytes) -> None:
    signed = signer.sign(whole(body), at=AT)
    assert verifies(signed) == [True, True]
    assert signed.endswith(whole(body))


def test_the_signature_is_that_of_the_wire_whoever_adds_the_last_line_end(signer: Signer) -> None:
    signed, on_the_wire = (signer.sign(HEAD + b"\r\nHello" + end, at=AT) for end in (b"", b"\r\n"))
    assert signed + b"\r\n" == on_the_wire


def test_a_mail_of_ours_is_signed_in_all_that_must_be(signer: Signer, verifies: Verifies) -> None:
    letterhead = Letterhead(Sender("Öl & Bernstein", "hello@example.com", "1 Mill Lane", ""), date=AT)
    mail = Mail("Grüße aus dem Süden, und vieles mehr, das zwei Zeilen braucht", "", "Hi Ana\n", ("<p>Hi  Ana</p>\n",))
    message = letterhead.message(
        mail, to="ana@example.com", message_id="1@example.com", unsubscribe_url="https://x.example/u/1"
    )
    signed = signer.sign(message, at=AT)
    assert verifies(signed) == [True, True]
    first = signed[: signed.index(b"From: ")].decode()
    for tags in re.sub(r"\s+", "", first).split("DKIM-Signature:")[1:]:
        named = re.search(r"h=([^;]*)", tags)
        assert named is not None
        assert named[1].split(":") == [name for each in SIGNED for name in (each, each)]
        assert f"t={int(AT.timestamp())};" in tags
        assert "c=relaxed/relaxed;d=example.com;" in tags
    assert re.findall(r"a=([a-z0-9-]+)", first) == ["rsa-sha256", "ed25519-sha256"]
    assert max(map(len, first.split("\r\n"))) <= 78


def test_the_same_message_gets_the_same_bytes(signer: Signer, settings: Settings) -> None:
    again = make_signer(settings)
    assert again is not None
    assert signer.sign(whole(b"Hello"), at=AT) == again.sign(whole(b"Hello"), at=AT)


@pytest.mark.parametrize("header", SIGNED)
def test_a_changed_an_added_and_a_missing_header_break_it(signer: Signer, verifies: Verifies, header: str) -> None:
    name = header.encode()
    signed = signer.sign(whole(b"Hello"), at=AT)
    line = next(line for line in HEAD.split(b"\r\n") if line.startswith(name + b":"))
    assert verifies(signed.replace(line, line[:-1] + b"~")) == [False, False]
    assert verifies(signed.replace(line + b"\r\n", b"")) == [False, False]
    assert verifies(name + b": more\r\n" + signed) == [False, False]
    assert verifies(signed.replace(b"\r\n\r\n", b"\r\n" + line + b"\r\n\r\n")) == [False, False]


def test_what_must_be_signed_is_named() -> None:
    """RFC 8058 section 4 for the unsubscribe headers; the others are those RFC 6376 section 5.4.1 recommends."""
    must = "From To Subject Date Message-ID List-Unsubscribe List-Unsubscribe-Post MIME-Version Content-Type"
    assert list(SIGNED) == must.split()


def test_headers_that_occur_twice_are_signed_in_their_order(signer: Signer, verifies: Verifies) -> None:
    signed = signer.sign(b"Subject: First\r\n" + whole(b"Hello"), at=AT)
    assert verifies(signed) == [True, True]
    assert verifies(signed.replace(b"Subject: First", b"Subject: Third")) == [False, False]


def test_a_header_that_was_not_there_cannot_be_added(signer: Signer, verifies: Verifies) -> None:
    signed = signer.sign(whole(b"Hello", HEAD.replace(b"Subject: Hello\r\n", b"")), at=AT)
    assert verifies(signed) == [True, True]
    assert verifies(b"Subject: Win\r\n" + signed) == [False, False]


def test_a_changed_byte_anywhere_in_the_body_breaks_it(signer: Signer, verifies: Verifies) -> None:
    body = b"Hello Ana,\r\n\r\nhow are you?\r\n"
    signed = signer.sign(whole(body), at=AT)
    start = len(signed) - len(body)
    for position in range(start, len(signed)):
        changed = signed[:position] + b"~" + signed[position + 1 :]
        assert verifies(changed) == [False, False], changed[start:]


def test_what_a_relay_may_do_does_no_harm(signer: Signer, verifies: Verifies) -> None:
    signed = signer.sign(whole(b"Hello  Ana \r\n"), at=AT)
    relayed = b"Received: from a by b\r\n" + signed.replace(b"Subject: Hello", b"SUBJECT:\r\n   Hello ") + b"\r\n\r\n"
    assert verifies(relayed) == [True, True]


white = st.text(" \t", max_size=3)
lines = st.lists(
    st.builds(
        b"".join,
        st.lists(
            st.sampled_from([b" ", b"  ", b"\t", b".", b"=20", b"\xff", "ü".encode()]) | st.binary(max_size=8),
            max_size=8,
        ),
    ).map(lambda line: line.replace(b"\r", b"").replace(b"\n", b"")),
    max_size=8,
).map(b"\r\n".join)
printable = st.characters(min_codepoint=32, exclude_characters="\x7f\x85\u2028\u2029", exclude_categories=["Cs"])
values = st.lists(st.text(printable, min_size=1), min_size=1, max_size=4).map(
    lambda parts: "\r\n \t".join(part.strip() or "x" for part in parts).encode()
)


@given(body=lines, subject=values, spaces=white, last=st.sampled_from([b"", b"\r\n", b"\r\n\r\n", b" \r\n"]))
def test_every_message_verifies(
    signer: Signer, verifies: Verifies, body: bytes, subject: bytes, spaces: str, last: bytes
) -> None:
    head = HEAD.replace(b"Subject: Hello", b"Subject:" + spaces.encode() + subject + spaces.encode())
    assert verifies(signer.sign(whole(body + last, head), at=AT)) == [True, True]


def test_without_keys_nothing_signs(tmp_path: Path) -> None:
    assert make_signer(Settings(workspace=tmp_path)) is None


def test_a_domain_of_its_own_signs_where_one_is_set(settings: Settings) -> None:
    assert signing_domain(settings) == "example.com"
    for given_domain, expected in (
        ("News.Example.org", "news.example.org"),
        ("münchen.example", "xn--mnchen-3ya.example"),
    ):
        assert signing_domain(settings.model_copy(update={"dkim_domain": given_domain})) == expected


@pytest.mark.parametrize(
    "domain", ["localhost", "a b.com", "exa;mple.com", "-x.com", "a..com", "x" * 64 + ".com", "\r\n.com"]
)
def test_a_domain_that_is_none_is_refused(settings: Settings, domain: str) -> None:
    with pytest.raises(SettingsInvalid, match="is no domain name"):
        make_signer(settings.model_copy(update={"dkim_domain": domain}))


def test_a_signature_needs_a_domain(settings: Settings) -> None:
    with pytest.raises(SettingsInvalid, match="set dkim_domain or sender_address in "):
        make_signer(settings.model_copy(update={"sender_address": ""}))


def in_pem(key: object, *, password: bytes = b"") -> bytes:
    assert isinstance(key, ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey)
    sealed: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if password:
        sealed = serialization.BestAvailableEncryption(password)
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, sealed)


# 512 bits, made with openssl genrsa: the library makes none that small
TOO_SMALL = b"""-----BEGIN PRIVATE KEY-----
MIIBVwIBADANBgkqhkiG9w0BAQEFAASCAUEwggE9AgEAAkEA112Z7DHR5okb5dBH
v0W+uRZhKrDdKI8kTgvkdkBSLywUPNrYHV98ewRU4WWokLnv8CFLChCyJgQshN6G
Emx2twIDAQABAkEAprG2P9FX7B5Xz4tk3TF4q/4ce1Sl+YzBxv8BeF3UvtjswYrM
xocUpWDzty7mAdD0OrGngueAKsUWY1Fcn9wV0QIhAP3YDYkITXNV3acKwVgvoRp3
IK/Yzl/WQ17NqqMx7KU9AiEA2THh/7X7GPWQAjqibjtp0Dc77KIzGF+xx1g5gjIf
EwMCIQDU1mCS8zktaWON+cCfVmA4NoZbqudvB9I5HSzj5KpM6QIhAKILlZIzNCRr
EgaXuJiFu2ydyRfD7FtDCmCwcjexLX4BAiEAgejILC+k9UYN08/voyKCJ6XqIsiL
2pLHMF6/ltdZxnU=
-----END PRIVATE KEY-----
"""


def unusable() -> Iterator[tuple[bytes, str]]:
    curve = in_pem(ec.generate_private_key(ec.SECP256R1()))
    public = ed25519.Ed25519PrivateKey.generate().public_key()
    published = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    yield b"", "holds no private key in PEM form"
    yield b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "holds no private key in PEM form"
    yield published, "holds no private key in PEM form"
    yield curve, "is neither RSA nor Ed25519"
    yield in_pem(ed25519.Ed25519PrivateKey.generate(), password=b"secret"), "is protected by a password"
    yield TOO_SMALL, "has 512 bits; less than 1024 counts for nothing"


@pytest.mark.parametrize(("pem", "complaint"), list(unusable()), ids=[words for _, words in unusable()])
def test_a_key_that_cannot_be_used_is_named(settings: Settings, tmp_path: Path, pem: bytes, complaint: str) -> None:
    path = tmp_path / "odd.pem"
    path.write_bytes(pem)
    path.chmod(0o600)
    with pytest.raises(SettingsInvalid, match=complaint) as refused:
        make_signer(settings.model_copy(update={"dkim_keys": {"odd": path}}))
    assert str(path) in str(refused.value)
    assert "(selector odd)" in str(refused.value)


def test_a_missing_key_says_how_to_make_one(settings: Settings) -> None:
    with pytest.raises(SettingsInvalid, match="No such file or directory; `handpicked dkim key nil` makes one"):
        make_signer(settings.model_copy(update={"dkim_keys": {"nil": Path("nil.pem")}}))


@pytest.mark.parametrize(
    ("mode", "refused"), [(0o600, False), (0o400, False), (0o640, False), (0o644, True), (0o660, True), (0o602, True)]
)
def test_a_key_that_others_can_read_is_refused(tmp_path: Path, mode: int, refused: bool) -> None:
    path = tmp_path / "key.pem"
    make_key("a", path, rsa=False)
    path.chmod(mode)
    if refused:
        with pytest.raises(SettingsInvalid, match=f"is open to others on this machine; run: chmod 600 {path}"):
            load_key("a", path)
    else:
        assert load_key("a", path).algorithm == "ed25519-sha256"


@pytest.mark.parametrize("selector", ["", "a b", "a;b", "ä", "-a", "a/../b", "a\n", "x" * 64])
def test_a_selector_that_is_no_part_of_a_host_name_is_refused(
    settings: Settings, tmp_path: Path, selector: str
) -> None:
    with pytest.raises(SettingsInvalid, match="is no selector"):
        make_key(selector, tmp_path / "key.pem", rsa=False)
    with pytest.raises(SettingsInvalid, match="is no selector"):
        make_signer(settings.model_copy(update={"dkim_keys": {selector: tmp_path / "key.pem"}}))
    assert list(tmp_path.iterdir()) == []


def test_a_new_key_is_readable_by_its_owner_only_and_never_replaces_one(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "a.pem"
    before = os.umask(0)
    try:
        make_key("a", path, rsa=False)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    kept = path.read_bytes()
    with pytest.raises(FileExistsError):
        make_key("a", path, rsa=False)
    assert path.read_bytes() == kept
    assert [each.name for each in path.parent.iterdir()] == ["a.pem"]


def test_a_key_has_no_repr_that_a_log_could_show(workspace: Path) -> None:
    key = load_key("ed2026", workspace / "keys" / "ed2026.pem")
    assert "p=" not in repr(key)
    assert "PRIVATE" not in repr(key)


def test_without_the_package_the_sentence_says_what_to_install(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "cryptography.hazmat.primitives.asymmetric", None)
    with pytest.raises(SettingsInvalid, match=r"needs the package cryptography; install handpicked\[dkim\]"):
        make_signer(settings)


def test_a_long_record_is_split_into_strings_a_zone_file_can_hold(workspace: Path) -> None:
    record = load_key("rsa2026", workspace / "keys" / "rsa2026.pem").record
    line = zone_line("rsa2026", "example.com", record)
    strings = re.findall(r'"([^"]*)"', line)
    assert "".join(strings) == record
    assert line.startswith('rsa2026._domainkey.example.com. IN TXT ("v=DKIM1; k=rsa; p=')
    assert max(map(len, strings)) <= 255
