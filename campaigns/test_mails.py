"""A mail for a colleague to look at: somebody's mail to another address, with nobody's unsubscribe link."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime

from campaigns.errors import CampaignsError
from campaigns.letters import Row
from campaigns.manner import manner_of
from campaigns.mime import Envelope, Letterhead
from campaigns.press import Press
from campaigns.settings import Settings
from campaigns.smtp.pool import Smtp
from campaigns.transports import Outgoing, make_transport, one_by_one
from subscribers.secrets import Secrets

MARK = "[Test] "
NOBODYS = (
    "this-was-a-test"  # a token has a dot in it: this opens nothing, and its page says that the link does not work
)


class TestMailRefused(CampaignsError):
    """The mail server did not take a test mail."""

    __test__ = False  # pytest looks at everything called Test…


def as_test(press: Press, row: Row, to: str, *, message_id: str, now: datetime) -> Outgoing:
    """The mail of this row as a test: for another address, marked in the subject, and with no link that opts anybody
    out. Raises TemplateBroken, CampaignInvalid."""
    (letter,) = press.letters([row._replace(address=to, token=NOBODYS, message_id=message_id)])
    mail = replace(letter.mail, subject=f"{MARK}{letter.mail.subject}")
    sender = press.content.sender
    message = Letterhead(sender, date=now).message(
        mail, to=to, message_id=message_id, unsubscribe_url=letter.unsubscribe_url
    )
    return Outgoing(0, message_id, Envelope(sender.address, to), message, 0)


def send_test(outgoing: Outgoing, transport: str, settings: Settings, secrets: Secrets, *, now: datetime) -> str:
    """Hand a test over, signed like the campaign's mails; returns what the other side said. It is in no ledger.

    Raises TestMailRefused, TransportUnavailable, SettingsInvalid.
    """
    chosen = make_transport(transport, settings)
    manner = manner_of(transport, settings, secrets)
    if manner.sign:
        outgoing = outgoing._replace(message=manner.sign(outgoing.message, at=now))
    book = _Book(outgoing)
    with chosen as entered:
        if isinstance(entered, Smtp):
            entered.send(book, book)
        else:
            one_by_one(entered, book, book)
    if book.problem:
        raise TestMailRefused(f"the test mail was not taken: {book.problem}")
    return book.reply


class _Book:
    """The feed and the gate of one message: given once, and what became of it."""

    def __init__(self, outgoing: Outgoing) -> None:
        self._waiting: Outgoing | None = outgoing
        self.reply = self.problem = ""
        self.unwritten = 0

    def take(self) -> Outgoing | None:
        taken, self._waiting = self._waiting, None
        return taken

    def wait(self) -> float | None:
        return 0.0 if self._waiting else None

    def once_more(self) -> bool:
        return False

    def tend(self) -> None:
        return

    def begin(self, group: Sequence[Outgoing]) -> Collection[int]:
        return [outgoing.id for outgoing in group]

    def accepted(self, outgoing: Outgoing, reply: str) -> None:
        self.reply = reply

    def refused(
        self, outgoing: Outgoing, reply: str, *, permanent: bool | None = None, of_sender: bool = False
    ) -> None:
        self.problem = f"the mail server said {reply!r}" + (" to the sender's address" if of_sender else "")

    def dropped(self, outgoing: Outgoing, reason: str) -> None:
        self.problem = reason

    def lost(self, outgoing: Outgoing, reason: str) -> None:
        self.problem = f"{reason}; it may have arrived all the same"

    def flush(self) -> None:
        return
