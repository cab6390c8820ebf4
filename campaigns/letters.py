"""A frozen row to the bytes of its mail: used alike by planning, preview, review and sending, so they cannot differ."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from campaigns.mime import message_bytes
from engine.render.compose import Card, Composer, Content, Mail, Recipient


@dataclass(frozen=True)
class Row:
    """The frozen part of a Message that its bytes are made from. picks as in Message.picks."""

    address: str
    given_name: str
    language: str
    picks: str
    message_id: str
    token: str


@dataclass(frozen=True)
class Letter:
    """A finished mail: its words, its bytes, and where its unsubscribe link leads."""

    mail: Mail
    message: bytes
    unsubscribe_url: str


class Writer:
    """Writes the letters of one run. date: the run's planned_at; every mail of the run carries it."""

    def __init__(self, content: Content, cards: Mapping[int, Card], *, date: datetime) -> None:
        self.content = content
        self._composer = Composer(content, cards)
        self._date = date
        self.sender_domain = content.sender.address.rpartition("@")[2]

    def write(self, row: Row) -> Letter:
        """The letter of one row. The same row gives the same bytes, in every process. Raises TemplateBroken."""
        unsubscribe_url = f"{self.content.public_url}/u/{row.token}"
        picks: list[list[Any]] = json.loads(row.picks)
        mail = self._composer.compose(
            Recipient(row.given_name, row.language, unsubscribe_url, [(pick[0], pick[3]) for pick in picks])
        )
        message = message_bytes(
            mail,
            self.content.sender,
            to=row.address,
            message_id=row.message_id,
            date=self._date,
            unsubscribe_url=unsubscribe_url,
        )
        return Letter(mail, message, unsubscribe_url)


def row_of(message: Mapping[str, Any]) -> Row:
    """The part of a message row that its letter is made from."""
    return Row(**{name: message[name] for name in Row.__dataclass_fields__})
