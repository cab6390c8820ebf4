"""The dialogue on one connection: MAIL and RCPT, a pause for the commit, DATA, the message, the final dot.

Where the server takes commands in groups (PIPELINING, RFC 2920), the next mail is offered behind the dot of the one
before it: two round trips a mail instead of four. The dot leaves only when the kernel has sent everything before it:
a connection that is lost earlier leaves nothing in doubt (RFC 1047).
"""

import fcntl
import re
import ssl
import struct
import sys
from collections import deque
from contextlib import suppress
from enum import Enum, auto
from typing import NamedTuple

from campaigns import milestones
from campaigns.smtp.opening import Opened
from campaigns.transports import Outgoing

COMMAND_SECONDS, DATA_SECONDS = 300, 600  # RFC 5321 section 4.5.3.2: the server may still be accepting
LONGEST_REPLY = 65_536  # octets; RFC 5321 allows 512 a line, and nobody needs a hundred lines
_SIOCOUTQNSD = 0x894B  # Linux: how much of what was written has not been sent
_UNFIT = re.compile(r"[\s<>\x00-\x1f\x7f]")
_DOT_FIRST = re.compile(rb"\n\.")


class Event(Enum):
    """What the other side's words mean for a message."""

    OFFERED = auto()  # the recipient is taken
    GO = auto()  # the message may follow
    ACCEPTED = auto()
    REFUSED = auto()
    SENDER_REFUSED = auto()  # at MAIL: it says nothing about the recipient


class Heard(NamedTuple):
    """An event, the message it is about, and the reply."""

    event: Event
    outgoing: Outgoing
    reply: str


class Dropped(Exception):
    """The connection is gone, or must be given up."""


class Line:
    """One connection. `offered` waits for an answer or for the commit; `current` is being handed over.

    dotted: whether the end of `current` has left, so that from now on only the reply can tell.
    """

    def __init__(self, opened: Opened, *, now: float) -> None:
        self._opened, self._sock = opened, opened.sock
        self._pipelining = "pipelining" in opened.extensions
        self._sized, self._utf8 = "size" in opened.extensions, "smtputf8" in opened.extensions
        self._inbox, self._outbox = b"", bytearray()
        self._begun = b""  # a reply of several lines, as far as it has come
        self._commands: deque[tuple[str, bytes]] = deque()
        self._expects: deque[str] = deque()
        self._unclean = False  # a transaction is open at the server that must be reset before the next
        self._mail_refused = ""
        self._end: bytes | None = None  # the dot, and what goes with it, while it is held back
        self._end_expects: list[str] = []
        self.leaving = ""
        """What the server said before it hangs up (421)."""
        self.offered: Outgoing | None = None
        self.current: Outgoing | None = None
        self.dotted = False
        self.since = now
        self.number = self._sock.fileno()
        """The socket's, for the selector."""
        self.watched = False
        """Whether the selector is asked to say when the kernel takes more."""

    @property
    def idle(self) -> bool:
        """Whether it can be offered a message."""
        return not (self.offered or self.current or self._expects)

    @property
    def waits(self) -> bool:
        """Whether the other side owes a reply."""
        return bool(self._expects)

    @property
    def has_more(self) -> bool:
        """Whether something could not be written yet."""
        return bool(self._outbox)

    @property
    def holds_back(self) -> bool:
        """Whether the final dot waits for what was written before it to be sent."""
        return self._end is not None

    def overdue(self, now: float) -> bool:
        """Whether the other side has taken longer for a reply than a server may."""
        return bool(self._expects) and now - self.since > (DATA_SECONDS if self.dotted else COMMAND_SECONDS)

    def unfit(self, outgoing: Outgoing) -> str:
        """Why this message cannot be offered to this server, in the words of a reply; or nothing."""
        addresses = outgoing.envelope.sender + outgoing.envelope.recipient
        if _UNFIT.search(addresses):
            return "501 5.1.3 the address cannot be said in SMTP"
        if not addresses.isascii() and not self._utf8:
            return "553 5.6.7 the mail server takes no addresses outside ASCII (SMTPUTF8)"
        return ""

    def offer(self, outgoing: Outgoing) -> None:
        """MAIL and RCPT, for a message that is not unfit. Raises Dropped."""
        self.offered, self._mail_refused = outgoing, ""
        self._commands.extend(self._offer_commands(outgoing))
        self._say()

    def withdraw(self) -> None:
        """Take back what was offered: the commit did not allow it."""
        self.offered, self._unclean = None, True

    def data(self) -> None:
        """DATA: what was offered is handed over from now on."""
        self.current, self.offered, self.dotted = self.offered, None, False
        self._commands.append(("DATA", b"DATA\r\n"))
        self._say()

    def message(self, following: Outgoing | None) -> None:
        """The message itself, after the reply to DATA; and with its end the offer of the next one, if there is one."""
        assert self.current is not None
        # RFC 5321 section 4.5.2: 9 µs where bytes.replace takes 36, and a pattern with ^ 80
        body = _DOT_FIRST.sub(b"\n..", self.current.message)
        if body.startswith(b"."):
            self._outbox += b"."
        self._outbox += body
        if not body.endswith(b"\r\n"):
            self._outbox += b"\r\n"
        self._end, self._end_expects = b".\r\n", ["END"]
        if following is not None:
            self.offered, self._mail_refused = following, ""
            for name, command in self._offer_commands(following):
                self._end += command
                self._end_expects.append(name)
        self.write()

    @property
    def takes_next_early(self) -> bool:
        """Whether the next message may be offered behind the end of this one."""
        return self._pipelining

    def write(self) -> None:
        """Write as much as the kernel takes. Raises Dropped."""
        try:
            while self._outbox:
                del self._outbox[: self._sock.send(self._outbox)]
            self._close_message_if_sent()
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return
        except OSError as error:
            raise Dropped(str(error)) from error

    def read(self, *, now: float) -> list[Heard]:
        """What has come in. Raises Dropped."""
        received = b""
        try:
            while chunk := self._sock.recv(65_536):
                received = chunk
                self._inbox += chunk
                if len(chunk) < 65_536 and not getattr(self._sock, "pending", lambda: 0)():
                    break
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return self._hear(now) if received else []
        except OSError as error:
            raise Dropped(str(error)) from error
        if not received:
            raise Dropped("the connection was closed")
        return self._hear(now)

    def close(self) -> None:
        """Hang up, politely where nothing is under way."""
        if self.idle:
            with suppress(OSError):  # it is gone already
                self._sock.send(b"QUIT\r\n")
        self._opened.close()

    def _hear(self, now: float) -> list[Heard]:
        heard = list[Heard]()
        for code, text in self._replies():
            self.since = now
            if not self._expects:
                self.leaving = text  # 421, said unasked, or nonsense
                return heard
            if (event := self._understand(self._expects.popleft(), code, text)) is not None:
                heard.append(event)
            if code == 421:  # whatever it answers: the server hangs up
                self.leaving = text
                return heard
        self._say()
        return heard

    def _replies(self) -> list[tuple[int, str]]:
        """(code, text) of each reply that is complete, of however many lines. Raises Dropped."""
        replies = list[tuple[int, str]]()
        *lines, self._inbox = self._inbox.split(b"\n")
        for line in lines:
            if line[3:4] == b"-":
                self._begun += line + b"\n"
                continue
            text = line.decode("utf-8", "replace").strip()
            if not line[:3].isdigit():
                raise Dropped(f"this is no SMTP reply: {text[:100]!r}")
            if self._begun:
                first = self._begun.decode("utf-8", "replace")
                text = " ".join([first[:3], *(part[4:].strip() for part in (*first.splitlines(), text))])
                self._begun = b""
            replies.append((int(line[:3]), text))
        if len(self._begun) + len(self._inbox) > LONGEST_REPLY:
            raise Dropped("a reply without end")
        return replies

    def _understand(self, to: str, code: int, text: str) -> Heard | None:
        if to == "MAIL":
            self._mail_refused = "" if code == 250 else text
            if code == 421 and self.offered is not None:  # the reply to RCPT will not come any more
                outgoing, self.offered = self.offered, None
                return Heard(Event.SENDER_REFUSED, outgoing, text)
        elif to == "RCPT" and self.offered is not None:
            if self._mail_refused or code not in (250, 251):
                outgoing, self.offered = self.offered, None
                self._unclean = not self._mail_refused
                if self._mail_refused:
                    return Heard(Event.SENDER_REFUSED, outgoing, self._mail_refused)
                return Heard(Event.REFUSED, outgoing, text)
            return Heard(Event.OFFERED, self.offered, text)
        elif to == "DATA" and self.current is not None:
            if code == 354:
                return Heard(Event.GO, self.current, text)
            outgoing, self.current, self._unclean = self.current, None, True
            return Heard(Event.REFUSED, outgoing, text)
        elif to == "END" and self.current is not None:
            outgoing, self.current, self.dotted = self.current, None, False
            return Heard(Event.ACCEPTED if code == 250 else Event.REFUSED, outgoing, text)
        return None

    def _offer_commands(self, outgoing: Outgoing) -> list[tuple[str, bytes]]:
        sender, recipient = outgoing.envelope.sender, outgoing.envelope.recipient
        options = f" SIZE={len(outgoing.message)}" if self._sized else ""
        if not (sender + recipient).isascii():
            options += " SMTPUTF8"
        commands = [
            ("MAIL", f"MAIL FROM:<{sender}>{options}\r\n".encode()),
            ("RCPT", f"RCPT TO:<{recipient}>\r\n".encode()),
        ]
        if self._unclean:
            self._unclean = False
            commands.insert(0, ("RSET", b"RSET\r\n"))
        return commands

    def _say(self) -> None:
        """Say what is to be said: all at once where the server pipelines, else one after the other's reply."""
        while self._commands and (self._pipelining or not self._expects):
            name, command = self._commands.popleft()
            self._expects.append(name)
            self._outbox += command
        if self._outbox:
            self.write()

    def _close_message_if_sent(self) -> None:
        """Let the end go when everything before it has left this machine."""
        if self._end is None or self._outbox or _unsent(self.number):
            return
        milestones.reached("half sent")
        sent = self._sock.send(self._end)  # when this raises, the end has not left
        self.dotted = True
        self._outbox += self._end[sent:]
        self._end = None
        self._expects.extend(self._end_expects)
        milestones.reached("sent")


def _unsent(number: int) -> int:
    """How many bytes written to the socket have not been sent; 0 where the kernel does not tell."""
    if sys.platform != "linux":
        return 0
    try:
        return int(struct.unpack("i", fcntl.ioctl(number, _SIOCOUTQNSD, b"\0\0\0\0"))[0])
    except OSError:
        return 0
