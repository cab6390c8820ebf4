"""Content to RFC 5322 bytes. What is the same in every mail is encoded once, the rest with the C codecs of `binascii`.

`EmailMessage` takes 3,430 µs for a mail of 31 KB. Here each piece of a mail is encoded by itself and kept, as nine in
ten stand in many mails of a run: 15 µs, for the same message once parsed.
"""

import binascii
import re
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from functools import lru_cache

from campaigns.errors import CampaignInvalid
from engine.render.content import Mail, Sender
from engine.render.kept import Piece

WORDS = 200  # characters; a shorter piece of one mail ("Hello Ana", a subject) is likely in another one too
MOST_NUMBERED = 16 * 2**20  # bytes of pieces, of 5,000 products and more
LONGEST_HEADER = 998  # octets of a line: RFC 5322 section 2.1.1
_BREAKS = re.compile(r"[\r\n\x00-\x08\x0b-\x1f\x7f\u2028\u2029\ud800-\udfff]")  # the last are halves of characters
_SPECIALS = re.compile(r'[()<>@,:;".\[\]\\]')
_NEITHER = re.compile(r"[^A-Za-z0-9]")
_WORD = 39  # octets an encoded word holds: 52 in base64 and 12 around them, behind "Subject: " within the 76 allowed


@dataclass(frozen=True)
class Envelope:
    """Who it goes to and who it is from, on the wire. Both plain addresses."""

    sender: str
    recipient: str


class Letterhead:
    """The headers that all mails of a run have in common. Raises CampaignInvalid."""

    def __init__(self, sender: Sender, *, date: datetime) -> None:
        self._from = f"From: {mailbox(sender.name, sender.address)}\r\nTo: "
        self._date = f"\r\nDate: {format_datetime(date)}\r\nMessage-ID: <"
        self.pieces: dict[bytes, int] = {}
        """The encoded pieces that stand in many mails, numbered as they came, up to `MOST_NUMBERED`."""
        self._room = MOST_NUMBERED

    def message(self, mail: Mail, *, to: str, message_id: str, unsubscribe_url: str) -> bytes:
        """The whole message in one."""
        return b"".join(self.parts(mail, to=to, message_id=message_id, unsubscribe_url=unsubscribe_url))

    def parts(self, mail: Mail, *, to: str, message_id: str, unsubscribe_url: str) -> tuple[bytes, ...]:
        """The message, CRLF line ends, multipart/alternative with text first (RFC 2046 section 5.1.4).

        The boundary comes from the Message-ID: the same row gives the same bytes. Unsubscribe headers as RFC 8058
        wants them. Raises CampaignInvalid for a line break in a header, whatever it was meant for (CVE-2024-6923).
        """
        boundary = "=_" + _NEITHER.sub("", message_id)[:60]
        subject = encoded(_one_line("Subject", mail.subject))
        head = (
            f"{self._from}{_one_line('To', to)}\r\nSubject: {subject}"
            f"{self._date}{_one_line('Message-ID', message_id)}>\r\n"
            f"List-Unsubscribe: <{_one_line('List-Unsubscribe', unsubscribe_url)}>\r\n"
            "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\nMIME-Version: 1.0\r\n"
            f'Content-Type: multipart/alternative; boundary="{boundary}"'
        ).encode("utf-8", "strict")
        if len(head) > LONGEST_HEADER and max(map(len, head.split(b"\r\n"))) > LONGEST_HEADER:
            raise CampaignInvalid("a header line is longer than 998 octets; shorten public_url or the sender's name")
        mark = boundary.encode()
        return (
            b"".join((head, b"\r\n\r\n--", mark, _TEXT)),
            *self._encoded(mail.text_pieces),
            b"".join((b"\r\n--", mark, _HTML)),
            *(self._encoded(mail.pieces) if len(mail.pieces) > 1 else map(_quoted, mail.pieces)),
            b"".join((b"\r\n--", mark, b"--\r\n")),
        )

    def _encoded(self, pieces: tuple[str, ...]) -> list[bytes]:
        """Pieces in quoted-printable; those of many mails are encoded once."""
        return [
            (type(piece) is Piece and piece.quoted) or self._quoted_once(piece)  # 60 a mail: no call for the known
            for piece in pieces
        ]

    def _quoted_once(self, piece: str) -> bytes:
        if type(piece) is not Piece:
            return _quoted_words(piece) if len(piece) < WORDS else _quoted_piece(piece)
        quoted = _quoted_piece(piece)
        piece.quoted = quoted
        if quoted not in self.pieces and self._room >= len(quoted):
            self._room -= len(quoted)
            self.pieces[quoted] = len(self.pieces)
        return quoted


_PART = "\r\nContent-Type: text/{}; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
_TEXT, _HTML = _PART.format("plain").encode(), _PART.format("html").encode()


def mailbox(name: str, address: str) -> str:
    """A display name and an address as a header value.

    >>> mailbox("Oat & Amber", "hello@example.com")
    'Oat & Amber <hello@example.com>'
    """
    name, address = _one_line("From", name), _one_line("From", address)
    if not name:
        return address
    if not name.isascii() or "=?" in name:
        return f"{encoded(name)} <{address}>"
    if _SPECIALS.search(name):
        name = '"' + re.sub(r'(["\\])', r"\\\1", name) + '"'
    return f"{name} <{address}>"


@lru_cache(maxsize=1_024)
def encoded(text: str) -> str:
    """A header value: as it is when ASCII, else in encoded words (RFC 2047), folded, none of them half a character."""
    if text.isascii() and "=?" not in text:
        return text
    words, word = list[bytes](), b""
    for character in text:
        octets = character.encode()
        if len(word) + len(octets) > _WORD:
            words.append(word)
            word = b""
        word += octets
    words.append(word)
    return "\r\n ".join(f"=?utf-8?b?{binascii.b2a_base64(word, newline=False).decode()}?=" for word in words)


def _one_line(header: str, value: str) -> str:
    if _BREAKS.search(value):
        raise CampaignInvalid(f"the {header} header would contain a line break or control character; take it out")
    return value


def _quoted(text: str) -> bytes:
    """Whole lines as quoted-printable with CRLF line ends (RFC 2045 section 6.7), line by line: see there."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return b"\r\n".join([_quoted_line(line) for line in text.split("\n")])


@lru_cache(maxsize=8_192)  # lines of a mail are at most a few KB: some 10 MB when full
def _quoted_line(line: str) -> bytes:
    """Each line is encoded by itself, and nine in ten stand in every mail of a run: 158 µs a mail without, 25 with."""
    # with its line end, from which the codec takes the line end of its soft breaks
    return binascii.b2a_qp(line.encode("utf-8") + b"\r\n", istext=True)[:-2]


def _quoted_piece(piece: str) -> bytes:
    """A piece of a mail as quoted-printable that can stand behind and before any other.

    It begins at the start of a line, and ends with one: with a soft line break, which means nothing, where the text
    does not. So every piece is encoded once, whatever comes before it.
    """
    text = piece.replace("\r\n", "\n").replace("\r", "\n") if "\r" in piece else piece
    quoted = binascii.b2a_qp(text.replace("\n", "\r\n").encode(), istext=True)
    if not text.endswith("\n"):
        # a last line without its end is broken at 75 columns, which leaves one for the "="
        quoted += b"=\r\n"
        if "\n" not in text:  # the codec takes the end of its soft breaks from the text
            quoted = quoted.replace(b"=\n", b"=\r\n")
    return quoted


_quoted_words = lru_cache(maxsize=8_192)(_quoted_piece)
