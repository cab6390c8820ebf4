"""The private keys of DKIM: read from PEM files, made anew, and shown as the DNS record that others check against."""

import base64
import os
import re
import secrets as random_secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from campaigns.errors import SettingsInvalid
from campaigns.settings import SETTINGS_FILE, Settings

SMALLEST_RSA = 1024  # bits; verifiers ignore what is smaller (RFC 8301 section 3.2)
NEW_RSA = 2048  # bits a signer should use (the same)
FOLDER = "keys"  # in the workspace, where new keys are put
_LABEL = r"[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?"
_SELECTOR = re.compile(rf"{_LABEL}(?:\.{_LABEL})*", re.IGNORECASE | re.ASCII)
_DOMAIN = re.compile(rf"(?:{_LABEL}\.)+{_LABEL}", re.IGNORECASE | re.ASCII)
_OTHERS = 0o026  # group may write, others may read or write


@dataclass(frozen=True, repr=False)
class PrivateKey:
    """A key that signs. algorithm: its `a=`. record: the TXT record that belongs into the DNS. Has no repr."""

    algorithm: str
    record: str
    sign: Callable[[bytes], bytes]


def load_key(selector: str, path: Path) -> PrivateKey:
    """The key in a PEM file. Raises SettingsInvalid: no such file, readable by everybody, or of a kind we cannot use.

    A file that others can read is refused: whoever has the key sends mail in the shop's name, and nobody notices. The
    group may read it, as services are often set up.
    """
    where = f"the DKIM key {path} (selector {selector})"
    if not _SELECTOR.fullmatch(selector):
        raise SettingsInvalid(f"dkim_keys: {selector!r} is no selector; it is part of a host name, such as ed2026")
    try:
        mode = path.stat().st_mode
        pem = path.read_bytes()
    except OSError as error:
        raise SettingsInvalid(
            f"{where} cannot be read: {error.strerror}; `handpicked dkim key {selector}` makes one"
        ) from error
    if mode & _OTHERS:
        raise SettingsInvalid(f"{where} is open to others on this machine; run: chmod 600 {path}")
    return _usable(_decoded(pem, where), where)


def make_key(selector: str, path: Path, *, rsa: bool) -> None:
    """A new key in a file only its owner can read (mode 0600). Raises SettingsInvalid, FileExistsError: it never
    overwrites, because mails signed with the old key are still on their way."""
    if not _SELECTOR.fullmatch(selector) or len(selector) > 63:
        raise SettingsInvalid(f"{selector!r} is no selector; take letters, digits and hyphens, such as ed2026")
    serialization, ed25519, rsa_keys = _cryptography()
    fresh = rsa_keys.generate_private_key(65537, NEW_RSA) if rsa else ed25519.Ed25519PrivateKey.generate()
    pem = fresh.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # written aside and linked into place: a killed process leaves no half a key under the name that signs
    aside = path.parent / f".{path.name}.{random_secrets.token_hex(8)}"
    try:
        with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
            stream.write(pem)
        path.hardlink_to(aside)
    finally:
        aside.unlink(missing_ok=True)


def signing_domain(settings: Settings) -> str:
    """The domain that signs (`d=`), in letters the DNS has. Raises SettingsInvalid."""
    domain = settings.dkim_domain or settings.sender_address.rpartition("@")[2]
    if not domain:
        where = settings.workspace / SETTINGS_FILE
        raise SettingsInvalid(f"set dkim_domain or sender_address in {where}: a signature names its domain")
    plain = domain.lower().rstrip(".") if domain.isascii() else _punycode(domain)
    if not _DOMAIN.fullmatch(plain) or len(plain) > 253:  # RFC 1035 section 2.3.4
        raise SettingsInvalid(f"dkim_domain: {domain!r} is no domain name; it is written like example.com")
    return plain


def zone_line(selector: str, domain: str, record: str) -> str:
    """The record as it stands in a zone file, in strings of at most 255 octets (RFC 1035 section 3.3.14).

    >>> zone_line("ed2026", "example.com", "v=DKIM1; k=ed25519; p=abc=")
    'ed2026._domainkey.example.com. IN TXT "v=DKIM1; k=ed25519; p=abc="'
    """
    strings = [record[start : start + 255] for start in range(0, len(record), 255)]
    quoted = " ".join(f'"{each}"' for each in strings)
    return f"{selector}._domainkey.{domain}. IN TXT {quoted if len(strings) == 1 else f'({quoted})'}"


def _decoded(pem: bytes, where: str) -> Any:
    serialization, _, _ = _cryptography()
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        return serialization.load_pem_private_key(pem, password=None)
    except TypeError:
        raise SettingsInvalid(
            f"{where} is protected by a password; save it without one, readable by you only"
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise SettingsInvalid(f"{where} holds no private key in PEM form that can be used") from None


def _usable(key: Any, where: str) -> PrivateKey:
    serialization, ed25519, rsa = _cryptography()
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return _ed25519(key)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise SettingsInvalid(f"{where} is neither RSA nor Ed25519; DKIM knows no other kind")
    if key.key_size < SMALLEST_RSA:
        raise SettingsInvalid(
            f"{where} has {key.key_size} bits; less than {SMALLEST_RSA} counts for nothing, take {NEW_RSA}"
        )
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.hashes import SHA256

    padding, sha256 = PKCS1v15(), SHA256()
    public = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    record = f"v=DKIM1; k=rsa; p={base64.b64encode(public).decode()}"
    return PrivateKey("rsa-sha256", record, lambda headers: key.sign(headers, padding, sha256))


def _ed25519(key: Any) -> PrivateKey:
    import hashlib

    # not the key in its ASN.1 wrapping but its 32 octets, and what is signed is the hash (RFC 8463 sections 3 and 4)
    record = f"v=DKIM1; k=ed25519; p={base64.b64encode(key.public_key().public_bytes_raw()).decode()}"
    return PrivateKey("ed25519-sha256", record, lambda headers: key.sign(hashlib.sha256(headers).digest()))


def _cryptography() -> tuple[Any, Any, Any]:
    try:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
    except ImportError as error:
        raise SettingsInvalid(
            "DKIM needs the package cryptography; install handpicked[dkim], or take dkim_keys out of the settings"
        ) from error
    return serialization, ed25519, rsa


def _punycode(domain: str) -> str:
    import idna  # comes with email-validator

    try:
        return idna.encode(domain, uts46=True).decode()
    except idna.IDNAError:
        return ""  # is no domain name, as the caller says
