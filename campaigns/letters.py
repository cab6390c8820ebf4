"""A frozen row to the bytes of its mail: used alike by planning, preview, review and sending, so they cannot differ.

Runs in the worker of a `campaigns.press.Press`, where a template that never ends costs nobody else anything.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from operator import attrgetter, itemgetter
from typing import Any, NamedTuple
from urllib.parse import unquote

import orjson

from campaigns.mime import Letterhead
from engine.render.compose import Composer
from engine.render.content import Card, Content, Mail, Recipient
from engine.render.contrast import contrast_findings
from engine.render.inspection import Finding, host_of

_HOST = re.compile(r"https?://([\w.%-]+)")


_MADE_FROM = ("address", "given_name", "language", "banner", "picks", "message_id", "token")
_in_mapping, _in_row = itemgetter(*_MADE_FROM), attrgetter(*_MADE_FROM)


class Row(NamedTuple):
    """The frozen part of a Message that its bytes are made from. picks: (sku_id, sentence), the hero first."""

    address: str
    given_name: str
    language: str
    banner: str
    picks: tuple[tuple[int, str], ...]
    message_id: str
    token: str


@dataclass(frozen=True)
class Letter:
    """A finished mail: its words, its bytes in parts, and where its unsubscribe link leads."""

    mail: Mail
    parts: tuple[bytes, ...]
    unsubscribe_url: str

    @cached_property
    def message(self) -> bytes:
        """The bytes in one."""
        return b"".join(self.parts)


class Writer:
    """Writes the letters of one run. cards: of products that rows may name; `learn` takes in more.

    date: the run's planned_at; every mail of the run carries it.
    """

    def __init__(self, content: Content, cards: Mapping[int, Card], *, date: datetime) -> None:
        self.content = content
        self._cards: dict[int, Card] = {}
        self._looked_at = False
        self._composer = Composer(content, self._cards)
        self.letterhead = Letterhead(content.sender, date=date)
        written = (content.source, content.sender.website, content.public_url, *content.variables.values())
        self.known_hosts = frozenset(unquote(host).lower() for text in written for host in _HOST.findall(text))
        self.learn(cards)

    def learn(self, cards: Mapping[int, Card]) -> None:
        """Take in products that rows may name."""
        if cards:
            self._cards.update(cards)
            self.known_hosts |= _hosts(address for card in cards.values() for address in (card["link"], card["image"]))

    def write(self, row: Row) -> Letter:
        """The letter of one row. The same row gives the same bytes, in every process. Raises TemplateBroken."""
        unsubscribe_url, mail = self._words(row)
        parts = self.letterhead.parts(mail, to=row.address, message_id=row.message_id, unsubscribe_url=unsubscribe_url)
        return Letter(mail, parts, unsubscribe_url)

    def words(self, row: Row) -> Letter:
        """The letter of one row without its bytes. Raises TemplateBroken."""
        unsubscribe_url, mail = self._words(row)
        return Letter(mail, (), unsubscribe_url)

    def _words(self, row: Row) -> tuple[str, Mail]:
        unsubscribe_url = f"{self.content.public_url}/u/{row.token}"
        recipient = Recipient(row.given_name, row.language, unsubscribe_url, row.picks, row.banner)
        return unsubscribe_url, self._composer.compose(recipient)

    def once_a_run(self, letter: Letter) -> tuple[Finding, ...]:
        """What is wrong with all letters alike, said of the first one: colours too faint to read, in light or dark."""
        if self._looked_at:
            return ()
        self._looked_at = True
        return contrast_findings(letter.mail.html)


def row_of(message: Mapping[Any, Any]) -> Row:
    """The part of a message row that its letter is made from."""
    picks = tuple((pick[0], pick[3]) for pick in orjson.loads(message["picks"]))
    return Row(
        *(message["address"], message["given_name"], message["language"], message["banner"]),
        *(picks, message["message_id"], message["token"]),
    )


def seal_of(message: Any) -> int:
    """One number for all that `row_of` reads of a message row: another one as soon as anything in it differs.

    message: a mapping, or a row of the database. Of 64 bits, and good within one process only.
    """
    return hash(_in_mapping(message) if isinstance(message, dict) else _in_row(message))


def _hosts(addresses: Iterable[str]) -> frozenset[str]:
    return frozenset(filter(None, map(host_of, addresses)))
