"""How a message leaves the house: into a Maildir (the outbox, the default), to a mail server, or into memory.

A new transport is a class with the five methods of `Transport`; CONTRIBUTING.md walks through one.
"""

import hashlib
import os
import re
from collections.abc import Collection, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple, Protocol, Self

from campaigns import milestones
from campaigns.errors import SettingsInvalid, TransportUnavailable
from campaigns.mime import Envelope
from campaigns.settings import Settings

if TYPE_CHECKING:
    from campaigns.smtp.pool import Smtp

TRANSPORTS = ("outbox", "smtp")


class Outgoing(NamedTuple):
    """A message that may leave now. id: of its row in the ledger."""

    id: int
    message_id: str
    envelope: Envelope
    message: bytes
    attempts: int


class Refused(Exception):
    """The other side said no to this message. permanent: trying again will not help (5xx)."""

    def __init__(self, reply: str, *, permanent: bool) -> None:
        super().__init__(reply)
        self.reply, self.permanent = reply, permanent


class InDoubt(Exception):
    """The connection broke after the last byte and before the reply: nobody can know whether it arrived."""


class Transport(Protocol):
    """Hands messages over, one after the other. Enter it to connect, leave it to disconnect.

    remembers: whether `arrived` knows of every message, also after a crash.
    """

    remembers: bool

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def offer(self, envelope: Envelope) -> None:
        """Ask whether the recipient is taken; nothing of the message leaves. Raises Refused, TransportUnavailable."""

    def withdraw(self) -> None:
        """Take an offer back."""

    def hand_over(self, message: bytes, message_id: str) -> str:
        """Give the message offered, and return the reply. Raises Refused, InDoubt, TransportUnavailable."""

    def arrived(self, message_id: str) -> bool | None:
        """Whether a message handed over before a crash arrived; None when this transport cannot know."""


class Feed(Protocol):
    """Where messages come from."""

    def take(self) -> Outgoing | None:
        """The next message that may leave now, or None."""

    def wait(self) -> float | None:
        """Seconds until `take` may give something, 0.0 when it does now; None when it will not any more."""

    def once_more(self) -> bool:
        """Whether there is something again after it had ended: what lost its connection may be due at once."""

    def tend(self) -> None:
        """Called often: tells others that we are alive, and sees whether the run was paused or cancelled."""


class Gate(Protocol):
    """Where it is decided and written down what becomes of them. Nothing leaves before `begin` allowed it."""

    @property
    def unwritten(self) -> int:
        """How many results wait for the next commit."""

    def begin(self, group: Sequence[Outgoing]) -> Collection[int]:
        """Commit that these are handed over now; returns the ids of those that may be."""

    def accepted(self, outgoing: Outgoing, reply: str) -> None:
        """The other side has it."""

    def refused(
        self, outgoing: Outgoing, reply: str, *, permanent: bool | None = None, of_sender: bool = False
    ) -> None:
        """The other side said no. permanent: by the reply's first digit where it is not said. of_sender: to us, not
        to the recipient."""

    def dropped(self, outgoing: Outgoing, reason: str) -> None:
        """The connection broke before the end of the message: it certainly did not arrive."""

    def lost(self, outgoing: Outgoing, reason: str) -> None:
        """The connection broke behind the end of the message: nobody can know."""

    def flush(self) -> None:
        """Commit what is unwritten."""


def one_by_one(transport: Transport, feed: Feed, gate: Gate, *, together: int = 1) -> None:
    """Send what the feed gives through a transport that takes one message at a time.

    together: how many share a commit; more than one only where the transport remembers what arrived.
    """
    while True:
        group = list[Outgoing]()
        while len(group) < together and (outgoing := feed.take()) is not None:
            try:
                transport.offer(outgoing.envelope)
            except Refused as refusal:
                gate.refused(outgoing, refusal.reply, permanent=refusal.permanent)
            else:
                milestones.reached("offered")
                group.append(outgoing)
        if not group and feed.wait() is None:
            gate.flush()
            if not feed.once_more():
                return
        allowed = gate.begin(group) if group else ()
        for outgoing in group:
            if outgoing.id in allowed:
                _hand_over(transport, outgoing, gate)
            else:
                transport.withdraw()
        if not transport.remembers:
            gate.flush()  # each moment in between is one in which nobody would know
        feed.tend()


def _hand_over(transport: Transport, outgoing: Outgoing, gate: Gate) -> None:
    try:
        reply = transport.hand_over(outgoing.message, outgoing.message_id)
    except Refused as refusal:
        gate.refused(outgoing, refusal.reply, permanent=refusal.permanent)
    except InDoubt as doubt:
        gate.lost(outgoing, str(doubt))
    except TransportUnavailable as error:
        gate.dropped(outgoing, str(error))
        raise
    else:
        milestones.reached("replied")
        gate.accepted(outgoing, reply)


class Outbox:
    """A Maildir: each message is a file in `new/`, complete or not there at all, named by its Message-ID.

    Handing the same message over twice leaves one file, and after a crash the folder tells what arrived.
    """

    remembers = True

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> Self:
        try:
            for part in ("cur", "new", "tmp"):
                (self._folder / part).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise TransportUnavailable(f"cannot write to the outbox {self._folder}: {error.strerror}") from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return

    def offer(self, envelope: Envelope) -> None:
        return

    def withdraw(self) -> None:
        return

    def hand_over(self, message: bytes, message_id: str) -> str:
        name = self.file_name(message_id)
        fresh = f"{self._folder}/tmp/{name}.{os.getpid()}"
        try:
            with open(fresh, "wb", buffering=0) as file:  # one write, without pathlib's 40 µs
                file.write(message)
            os.replace(fresh, f"{self._folder}/new/{name}")
        except OSError as error:
            Path(fresh).unlink(missing_ok=True)
            raise TransportUnavailable(f"cannot write to the outbox {self._folder}: {error.strerror}") from error
        return f"saved as new/{name}"

    def arrived(self, message_id: str) -> bool | None:
        name = self.file_name(message_id)
        return (self._folder / "new" / name).exists() or any((self._folder / "cur").glob(f"{name}*"))

    @staticmethod
    def file_name(message_id: str) -> str:
        """The file a message is kept in. Ends in .eml, so that a double click opens it."""
        plain = re.sub(r"[^A-Za-z0-9]", "", message_id.partition("@")[0])[:40]
        return f"{plain}-{hashlib.sha256(message_id.encode()).hexdigest()[:8]}.eml"


class Memory:
    """Keeps what it was given, for tests and benchmarks."""

    remembers = True

    def __init__(self) -> None:
        self.messages: list[tuple[Envelope, bytes]] = []
        self._ids: set[str] = set()
        self._offered: Envelope | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return

    @property
    def recipients(self) -> list[str]:
        """Everybody who got something, in order."""
        return [envelope.recipient for envelope, _ in self.messages]

    def offer(self, envelope: Envelope) -> None:
        self._offered = envelope

    def withdraw(self) -> None:
        self._offered = None

    def hand_over(self, message: bytes, message_id: str) -> str:
        assert self._offered is not None, "hand_over without offer"
        self.messages.append((self._offered, message))
        self._ids.add(message_id)
        return "kept"

    def arrived(self, message_id: str) -> bool | None:
        return message_id in self._ids


def make_transport(name: str, settings: Settings) -> "Transport | Smtp":
    """The transport of this name. Raises SettingsInvalid."""
    from campaigns.smtp.pool import Smtp

    if name == "outbox":
        return Outbox(settings.outbox)
    if name == "smtp":
        return Smtp(settings)
    raise SettingsInvalid(f"there is no transport {name!r}; there are: {', '.join(TRANSPORTS)}")
