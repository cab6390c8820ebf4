"""DKIM: signs a finished message so that its domain answers for it (RFC 6376), with RSA and with Ed25519 (RFC 8463).

Both at once is the way to use the newer one: whoever cannot read an Ed25519 signature yet reads the other.
"""

import base64
import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from campaigns.dkim_keys import load_key, signing_domain
from campaigns.settings import Settings

SIGNED = (
    *("From", "To", "Subject", "Date", "Message-ID", "List-Unsubscribe", "List-Unsubscribe-Post", "MIME-Version"),
    "Content-Type",
)
"""What is signed. One-click unsubscribe wants both List-Unsubscribe headers in it (RFC 8058 section 4)."""
_SIGNED = {name.lower().encode(): name for name in SIGNED}
_SPACES = re.compile(b"  +")  # begins with what it looks for: 21 µs a mail, [ \t]+ takes 174
_WHITE = re.compile(rb"[ \t]+")
_COLUMNS = 72  # of the signature in its folded header, well within the 78 of RFC 5322 section 2.1.1


@dataclass(frozen=True)
class Key:
    """One of the keys that sign: its name in the DNS, its algorithm (`a=`), and what signs with it.

    sign: takes the canonical headers as bytes, gives the signature. Has no key material in its repr.
    """

    selector: str
    algorithm: str
    sign: Callable[[bytes], bytes]


class Signer:
    """Signs messages of one domain with each of its keys. Made once, then called for every mail.

    A mail of 31 KB costs 40 µs for its body and the rest for the keys: 230 µs with RSA of 2,048 bits, 20 with Ed25519.
    """

    def __init__(self, domain: str, keys: Sequence[Key]) -> None:
        self._domain = domain
        self._keys = tuple(keys)

    def sign(self, message: bytes, *, at: datetime) -> bytes:
        """The message with a DKIM-Signature in front of it for each key; nothing else in it changes.

        message: CRLF line ends. at: the signing time in `t=`, in whole seconds: that of the run and not of this
        moment, because the same message must stay the same bytes when it is sent again.
        """
        head, _, body = message.partition(b"\r\n\r\n")
        names, headers = _signed_headers(head)
        digest = base64.b64encode(hashlib.sha256(_relaxed_body(body)).digest()).decode()  # once for all keys
        rest = f"t={int(at.timestamp())};\r\n h={names};\r\n bh={digest};\r\n b="
        signatures = [self._signature(key, rest, headers) for key in self._keys]
        return b"".join((*signatures, message))

    def _signature(self, key: Key, rest: str, headers: bytes) -> bytes:
        field = (
            f"v=1; a={key.algorithm}; c=relaxed/relaxed; d={self._domain};\r\n s={key.selector}; {rest}".encode()
        )  # fmt: skip
        # the header signs itself, its b= empty, and without the line end (RFC 6376 section 3.7)
        signature = base64.b64encode(key.sign(headers + b"dkim-signature:" + _relaxed_value(field))).decode()
        folded = "\r\n ".join(signature[start : start + _COLUMNS] for start in range(0, len(signature), _COLUMNS))
        return b"DKIM-Signature: %b%b\r\n" % (field, folded.encode())


def make_signer(settings: Settings) -> Signer | None:
    """The signer of these settings; None when `dkim_keys` is empty.

    Raises SettingsInvalid for a key that cannot be used, or a domain or selector that cannot stand in the DNS.
    """
    if not settings.dkim_keys:
        return None
    domain = signing_domain(settings)
    keys = [_key(selector, settings.workspace / path) for selector, path in settings.dkim_keys.items()]
    return Signer(domain, keys)


def _key(selector: str, path: Path) -> Key:
    private = load_key(selector, path)
    return Key(selector, private.algorithm, private.sign)


def _signed_headers(head: bytes) -> tuple[str, bytes]:
    """What `h=` names, and those headers in relaxed form (RFC 6376 section 3.4.2), one line each.

    Each is named once more than it occurs, which signs that there is no further one: nobody can add a second From,
    Subject or List-Unsubscribe in front of ours (section 5.4.2 and 8.15).
    """
    found = dict[bytes, list[bytes]]()
    # a line that begins with white space goes on with the one before
    for field in re.split(rb"\r\n(?![ \t])", head):
        name, _, value = field.partition(b":")
        found.setdefault(name.rstrip().lower(), []).append(value)
    names, lines = list[str](), list[bytes]()
    for name, spelled in _SIGNED.items():
        values = found.get(name, [])
        names += [spelled] * (len(values) + 1)
        # of several the last comes first (section 5.4.2)
        lines += [b"%b:%b\r\n" % (name, _relaxed_value(value)) for value in reversed(values)]
    return _folded(names), b"".join(lines)


def _folded(names: Sequence[str]) -> str:
    """Names behind `h=`, four on a line: white space may stand around a colon (RFC 6376 section 3.5).

    >>> _folded(["From", "From", "To", "To", "Date"])
    'From:From:To:To:\\r\\n Date'
    """
    return ":\r\n ".join(":".join(names[start : start + 4]) for start in range(0, len(names), 4))


def _relaxed_value(value: bytes) -> bytes:
    """Unfolded, white space as one space, none around it (RFC 6376 section 3.4.2)."""
    return _WHITE.sub(b" ", value.replace(b"\r\n", b"")).strip(b" ")


def _relaxed_body(body: bytes) -> bytes:
    """White space as one space, none before a line end, no empty lines at the end (RFC 6376 section 3.4.4).

    Bodies of ours are quoted-printable, where tabs and white space at line ends are encoded. So what is done for them
    is only looked for, and only repeated spaces cost a pass.
    """
    if body and not body.endswith(b"\r\n"):
        body += b"\r\n"  # as on the wire: no message ends within a line
    if b"\t" in body:
        body = body.replace(b"\t", b" ")
    body = _SPACES.sub(b" ", body)
    if b" \r\n" in body:
        body = body.replace(b" \r\n", b"\r\n")
    if not body.endswith(b"\r\n\r\n") and body != b"\r\n":
        return body
    end = len(body)
    while body.endswith(b"\r\n", 0, end):
        end -= 2
    return body[:end] + b"\r\n" if end else b""
