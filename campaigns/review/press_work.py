"""What a snapshot asks of the worker that writes letters: everybody's hashes, and the words of those that are kept."""

import hashlib
from dataclasses import dataclass

from campaigns.letters import Row, Writer
from campaigns.review.archive import Cut
from engine.render.bounded import next_piece_of_work
from engine.render.kept import Piece


@dataclass(frozen=True)
class Words:
    """A letter that is kept. message: its bytes, where those are kept as well."""

    subject: str
    html: Cut
    text: Cut
    message: bytes


def fingerprints(
    writer: Writer, rows: list[Row], whole: int, every: bool
) -> tuple[list[tuple[str, str, str]], list[Words]]:
    """(SHA-256 of subject, HTML and text of each row, the words of those to be kept).

    whole: how many of the first rows are kept with their bytes; every: the words of the others too.
    """
    hashes, kept = list[tuple[str, str, str]](), list[Words]()
    for number, row in enumerate(rows):
        next_piece_of_work()
        letter = writer.write(row) if number < whole else writer.words(row)
        mail = letter.mail
        hashes.append((_sha(mail.subject), _sha(mail.html), _sha(mail.text)))
        if every or number < whole:
            message = letter.message if number < whole else b""
            kept.append(Words(mail.subject, _cut(mail.pieces), _cut(mail.text_pieces), message))
    return hashes, kept


def _sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _cut(pieces: tuple[str, ...]) -> Cut:
    return [(piece,) if type(piece) is Piece else piece for piece in pieces]
