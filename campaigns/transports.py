"""How a message leaves the house: into a Maildir (the outbox, the default), to a mail server, or into memory.

A new transport is a class with these five methods; CONTRIBUTING.md walks through one.
"""

import hashlib
import os
import re
import smtplib
import socket
import ssl
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from campaigns.errors import SettingsInvalid, TransportUnavailable
from campaigns.mime import Envelope
from campaigns.settings import Settings

REPLY_SECONDS = 600  # RFC 5321 section 4.5.3.2.6: the server may still be accepting
TRANSPORTS = ("outbox", "smtp")
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


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


class Smtp:
    """One connection to a mail server, reused for every message."""

    remembers = False

    def __init__(self, settings: Settings) -> None:
        if not settings.smtp_host:
            raise SettingsInvalid("set smtp_host in handpicked.toml to send by SMTP")
        on_this_machine = settings.smtp_host in _LOOPBACK
        if settings.smtp_security == "none" and not on_this_machine:
            raise SettingsInvalid("smtp_security = none is only for a server on this machine; use starttls or tls")
        if not settings.public_url.startswith("https://") and not on_this_machine:
            raise SettingsInvalid("set public_url to an https:// address: unsubscribe links must work (RFC 8058)")
        self._settings = settings
        self._connection: smtplib.SMTP | None = None

    def __enter__(self) -> Self:
        self._connection = self._connect()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def offer(self, envelope: Envelope) -> None:
        """MAIL and RCPT, on a fresh connection if the old one was dropped meanwhile."""
        try:
            self._offer(envelope)
        except (smtplib.SMTPServerDisconnected, ConnectionError):
            self._close()
            self._connection = self._connect()
            try:
                self._offer(envelope)
            except (smtplib.SMTPException, OSError) as error:
                raise self._unavailable(error) from error
        except (smtplib.SMTPException, OSError) as error:
            raise self._unavailable(error) from error

    def withdraw(self) -> None:
        try:
            self._open().rset()
        except (smtplib.SMTPException, OSError):
            self._close()  # the offer went with the connection; the next one connects anew

    def hand_over(self, message: bytes, message_id: str) -> str:
        """DATA. Until the final dot is out nothing can have been accepted; after it only the reply tells."""
        connection = self._open()
        try:
            code, reply = connection.docmd("DATA")
            if code == 354:
                body = re.sub(rb"(?m)^\.", b"..", message)
                connection.send(body if body.endswith(b"\r\n") else body + b"\r\n")
        except (smtplib.SMTPException, OSError) as error:
            self._close()
            raise self._unavailable(error) from error
        if code != 354:
            raise self._refused(code, reply)
        try:
            connection.send(b".\r\n")
            code, reply = connection.getreply()
        except (smtplib.SMTPException, OSError) as error:
            self._close()
            raise InDoubt(f"the connection broke before the final reply: {error}") from error
        if code != 250:
            raise self._refused(code, reply)
        return f"{code} {reply.decode('utf-8', 'replace')}"

    def arrived(self, message_id: str) -> bool | None:
        return None

    def _offer(self, envelope: Envelope) -> None:
        connection = self._open()
        options = [] if (envelope.sender + envelope.recipient).isascii() else ["SMTPUTF8"]
        for code, reply in (connection.mail(envelope.sender, options), connection.rcpt(envelope.recipient)):
            if code == 421:
                raise smtplib.SMTPServerDisconnected(reply.decode("utf-8", "replace"))
            if code not in (250, 251):
                connection.rset()
                raise self._refused(code, reply)

    def _open(self) -> smtplib.SMTP:
        if self._connection is None:
            self._connection = self._connect()
        return self._connection

    def _connect(self) -> smtplib.SMTP:
        settings = self._settings
        context = ssl.create_default_context()
        try:
            if settings.smtp_security == "tls":
                connection: smtplib.SMTP = smtplib.SMTP_SSL(
                    settings.smtp_host, settings.smtp_port, timeout=REPLY_SECONDS, context=context
                )
            else:
                connection = smtplib.SMTP(settings.smtp_host, settings.smtp_port, timeout=REPLY_SECONDS)
                if settings.smtp_security == "starttls":
                    connection.starttls(context=context)
            connection.ehlo_or_helo_if_needed()
            if settings.smtp_username:
                connection.login(settings.smtp_username, settings.smtp_password.get_secret_value())
        except (smtplib.SMTPException, OSError) as error:
            raise self._unavailable(error) from error
        assert connection.sock is not None  # connected
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def _unavailable(self, error: Exception) -> TransportUnavailable:
        self._close()
        where = f"{self._settings.smtp_host}:{self._settings.smtp_port}"
        if isinstance(error, smtplib.SMTPResponseException):
            reply = f"{error.smtp_code} {error.smtp_error!r}"
        else:
            reply = str(error) or type(error).__name__
        return TransportUnavailable(f"the mail server {where} cannot be used now: {reply}; what is left stays planned")

    @staticmethod
    def _refused(code: int, reply: bytes) -> Refused:
        return Refused(f"{code} {reply.decode('utf-8', 'replace')}", permanent=code >= 500)


def make_transport(name: str, settings: Settings) -> Transport:
    """The transport of this name. Raises SettingsInvalid."""
    if name == "outbox":
        return Outbox(settings.outbox)
    if name == "smtp":
        return Smtp(settings)
    raise SettingsInvalid(f"there is no transport {name!r}; there are: {', '.join(TRANSPORTS)}")
