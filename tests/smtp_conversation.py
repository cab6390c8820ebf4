"""One connection of the sink in tests/smtp_sink.py: SMTP (RFC 5321) as a server speaks it, a state at a time."""

import asyncio
import base64
import hashlib
import re
import socket
import struct
import time
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from tests.smtp_sink import Server

EXTENSIONS = ("PIPELINING", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", "SIZE")
_END = b"\r\n.\r\n"
_MESSAGE_ID = re.compile(rb"\r\nmessage-id:[ \t]*(?:\r\n[ \t]+)?<?([^>\r\n]*)", re.IGNORECASE)
_ADDRESS = re.compile(rb"(?:FROM|TO):\s*<([^>]*)>\s*(.*)", re.IGNORECASE)
_ABORT = struct.pack("ii", 1, 0)  # SO_LINGER for 0 s: close() sends an RST


class Conversation(asyncio.BufferedProtocol):
    """What one client says, and what it is told. Several commands in one packet are answered in one."""

    transport: Any = None

    def __init__(self, server: "Server") -> None:
        self.server = server
        server.connections += 1
        self.number = server.connections
        self._input = bytearray()
        self._searched = 0  # of the input, for the end of the message
        self._replies: list[bytes] = []
        self._lines: list[bytes] = []
        self._then = ""  # after the replies: close, tls
        self._deaf = False  # nothing more is read
        self._unsent = 0  # batches of replies that are still on their way
        self._in_message = False
        self._cut = ""
        self._answer_wanted = ""  # of AUTH
        self._login: list[str] = []
        self._sender: str | None = None
        self._said_ehlo = self._secure = self._known = False
        self._begin_again()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self._secure = transport.get_extra_info("ssl_object") is not None
        self.server.open.add(self)
        self._note("connect")
        too_many = 0 < self.server.options.connections < len(self.server.open)
        self._say("connect", "421 4.7.0 too many connections" if too_many else "220 sink ESMTP")
        self._send()

    def connection_lost(self, error: Exception | None) -> None:
        self.server.open.discard(self)
        self._deaf = True
        self._note("lost")
        self._write_down()

    def get_buffer(self, sizehint: int) -> memoryview:
        return self.server.view

    def buffer_updated(self, nbytes: int) -> None:
        if self._deaf:
            return
        if self._unsent and self._in_message:
            self._note("violation", what="a message before the reply to DATA")
        elif self._unsent and "PIPELINING" not in self.server.options.extensions:
            self._note("violation", what="a command before the reply to the one before it")
        self._input += self.server.view[:nbytes]
        while not self._deaf and (self._take_message() if self._in_message else self._take_command()):
            pass
        self._send()

    def deliver(self, words: bytes, then: str) -> None:
        """Let replies leave, and do what follows them."""
        self._unsent -= 1
        if self.transport.is_closing():
            return
        self.transport.write(words)
        if then == "close":
            self.transport.close()
        elif then == "tls":
            self.server.loop.create_task(self._secure_it())

    def drop(self, *, reset: bool = False) -> None:
        """End the connection without a word."""
        self._deaf = True
        if reset:
            self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
        self.transport.abort()

    def _take_command(self) -> bool:
        end = self._input.find(b"\r\n")
        if end < 0:
            return False
        line = bytes(self._input[:end])
        del self._input[: end + 2]
        if self._answer_wanted:
            self._take_login(line)
            return True
        verb, _, rest = line.partition(b" ")
        command = getattr(self, f"_on_{verb.decode('ascii', 'replace').lower()}", None)
        if command is None:
            self._reply("502 5.5.1 what?")
        else:
            command(rest)
        if self._input and not self._in_message and "PIPELINING" not in self.server.options.extensions:
            self._note("violation", what="commands together, without PIPELINING")
        return True

    def _on_ehlo(self, rest: bytes) -> None:
        self._begin_again()
        options = self.server.options
        offered = [f"SIZE {options.size}" if name == "SIZE" else name for name in options.extensions]
        if options.tls == "starttls" and not self._secure:
            offered.append("STARTTLS")
        if options.login:
            offered.append("AUTH PLAIN LOGIN")
        names = ["sink", *offered]
        usual = "\r\n".join(f"250-{name}" for name in names[:-1])
        self._said_ehlo = True
        self._note("ehlo")
        self._say("ehlo", f"{usual}\r\n250 {names[-1]}".lstrip())

    def _on_helo(self, rest: bytes) -> None:
        self._begin_again()
        self._said_ehlo = True
        self._say("ehlo", "250 sink")

    def _on_starttls(self, rest: bytes) -> None:
        self._note("starttls")
        if self.server.options.tls != "starttls" or self._secure:
            self._reply("454 4.7.0 not now")
        elif self._say("starttls", "220 2.0.0 go on"):
            if self._input:
                self._note("violation", what="words between STARTTLS and its reply")
                self._input.clear()  # RFC 3207 section 6: nothing said in the clear counts
            self._then, self._deaf = "tls", True

    async def _secure_it(self) -> None:
        assert self.server.certificate is not None
        self._deaf = self._said_ehlo = False
        try:
            self.transport = await self.server.loop.start_tls(
                self.transport, self, self.server.certificate, server_side=True
            )
        except OSError:  # the client does not trust us, or is gone
            self.transport.abort()
        self._secure = True

    def _on_auth(self, rest: bytes) -> None:
        self._note("auth")
        way, _, first = rest.partition(b" ")
        if way.upper() == b"PLAIN":
            self._answer_wanted, self._login = "plain", []
            if first:
                self._take_login(first)
            else:
                self._reply("334 ")
        elif way.upper() == b"LOGIN":
            self._answer_wanted, self._login = "login", []
            if first:
                self._take_login(first)
            else:
                self._reply("334 VXNlcm5hbWU6")  # "Username:"
        else:
            self._reply("504 5.5.4 PLAIN or LOGIN")

    def _take_login(self, line: bytes) -> None:
        self._login.append(base64.b64decode(line).decode())
        if self._answer_wanted == "login" and len(self._login) == 1:
            self._reply("334 UGFzc3dvcmQ6")  # "Password:"
            return
        given = self._login if self._answer_wanted == "login" else self._login[0].split("\0")[1:]
        self._answer_wanted = ""
        right = ":".join(given) == self.server.options.login
        if self._say("auth", "235 2.7.0 welcome" if right else "535 5.7.8 wrong user name or password"):
            self._known = right

    def _on_mail(self, rest: bytes) -> None:
        found = _ADDRESS.match(rest)
        options = self.server.options
        if not self._said_ehlo:
            self._reply("503 5.5.1 EHLO first")
        elif options.login and not self._known:
            self._reply("530 5.7.0 log in first")
        elif self._sender is not None:
            self._reply("503 5.5.1 there is a sender already")
        elif found is None:
            self._reply("501 5.5.4 from whom?")
        else:
            sender = found[1].decode()
            unknown = self._unknown(found[2].decode().upper().split(), sender)
            self._note("mail", sender=sender)
            if unknown:
                self._reply(f"555 5.5.4 {unknown} is not offered")
            elif self._say("mail", "250 2.1.0 yes", sender):
                self._sender = sender

    def _unknown(self, parameters: list[str], sender: str) -> str:
        """The first parameter of MAIL that belongs to no extension we offered, or is missing."""
        offered = self.server.options.extensions
        if not sender.isascii() and "SMTPUTF8" not in parameters:
            return "an address beyond ASCII without SMTPUTF8"
        for parameter in parameters:
            name = "8BITMIME" if parameter.startswith("BODY=") else parameter.partition("=")[0]
            if name not in offered:
                return parameter
        return ""

    def _on_rcpt(self, rest: bytes) -> None:
        found = _ADDRESS.match(rest)
        if self._sender is None:
            self._reply("503 5.5.1 MAIL first")
            return
        if found is None:
            self._reply("501 5.5.4 to whom?")
            return
        recipient = found[1].decode()
        self._note("rcpt", to=recipient)
        self._offered = recipient
        if self._say("rcpt", "250 2.1.5 yes", recipient):
            self._recipients.append(recipient)

    def _on_data(self, rest: bytes) -> None:
        if not self._recipients:
            self._reply("503 5.5.1 RCPT first")
            return
        self._note("data", to=self._recipients[-1])
        if self._say("data", "354 go on", self._recipients[-1]):
            if self._input:
                self._note("violation", what="DATA was not the last of its group (RFC 2920 section 3.1)")
            self._in_message, self._searched = True, 0
            self._cut = self.server.rule("middle", self._recipients[-1], self.number)

    def _take_message(self) -> bool:
        if self._cut and self._input:
            self._note("cut", to=self._recipients[-1], arrived=len(self._input))
            self._deaf = True
            self.transport.pause_reading()
            if self._secure:  # what TLS reads ahead, 512 KB, would be a whole message
                self.transport.set_read_buffer_limits(high=1)
            self.server.loop.call_later(self.server.options.hold, self._end_cut)
            return False
        if self._input.startswith(b".\r\n"):
            end, message = 1, b""
        else:
            end = self._input.find(_END, self._searched)
            if end < 0:
                self._searched = max(0, len(self._input) - len(_END) + 1)
                return False
            message = bytes(memoryview(self._input)[: end + 2])
            end += 3
        del self._input[: end + 2]
        self._in_message = False
        self._judge(message)
        return True

    def _end_cut(self) -> None:
        self._do(self._cut)
        self._send()

    def _judge(self, message: bytes) -> None:
        """Accept a complete message or not. What is accepted is in the record before anybody hears of it."""
        recipient, options = self._recipients[-1], self.server.options
        if b"\r\n.." in message or message.startswith(b".."):
            message = (b"\r\n" + message).replace(b"\r\n..", b"\r\n.")[2:]
        if "8BITMIME" not in options.extensions and not message.isascii():
            self._note("violation", what="8-bit octets without 8BITMIME")
        then = self.server.rule("dot", recipient, self.number)
        accepted = not then or then.startswith("accept")
        found = {"sender": self._sender, "to": recipient, "recipients": self._recipients, "size": len(message)}
        if options.record_of != "nothing":
            found["message_id"] = _message_id(message)
            found["sha256"] = hashlib.sha256(message).hexdigest() if options.hashes else ""
            if options.bodies and accepted:
                (options.bodies / f"{found['sha256']}.eml").write_bytes(message)
        self._note("accepted" if accepted else "not accepted", **found, reply=then or "250")
        if accepted:
            self.server.accepted += 1
        self._begin_again()
        if not then:
            self._reply("250 2.0.0 accepted")
        else:
            self._do(then.removeprefix("accept, "))

    def _on_rset(self, rest: bytes) -> None:
        self._begin_again()
        self._reply("250 2.0.0 yes")

    def _on_noop(self, rest: bytes) -> None:
        self._reply("250 2.0.0 yes")

    def _on_vrfy(self, rest: bytes) -> None:
        self._reply("252 2.5.0 try it")

    def _on_quit(self, rest: bytes) -> None:
        self._note("quit")
        self._reply("221 2.0.0 bye")
        self._then, self._deaf = "close", True

    def _begin_again(self) -> None:
        self._sender = None
        self._recipients: list[str] = []
        self._offered = ""

    def _say(self, at: str, usual: str, recipient: str = "") -> bool:
        """The usual reply, unless a rule has something else in mind; whether it was the usual, and a good one."""
        then = self.server.rule(at, recipient, self.number) if self.server.options.rules else ""
        if then:
            self._note("fault", at=at, then=then, to=recipient)
            self._do(then)
            return False
        self._reply(usual)
        return usual[0] in "23"

    def _do(self, then: str) -> None:
        if then == "silence":
            self._deaf = True
        elif then in ("drop", "reset", "die"):
            self._send()  # the replies to what came before: they had been on their way already
            self.server.die() if then == "die" else self.drop(reset=then == "reset")
        else:
            self._reply(then)

    def _reply(self, words: str) -> None:
        if "ENHANCEDSTATUSCODES" not in self.server.options.extensions:
            words = re.sub(r"^(\d{3}[ -])\d\.\d+\.\d+ ", r"\1", words)
        self._replies.append(words.encode() + b"\r\n")
        if words.startswith("421"):
            self._then, self._deaf = "close", True

    def _note(self, event: str, **more: Any) -> None:
        wanted = self.server.options.record_of
        if wanted == "all" or (wanted == "accepted" and event in ("accepted", "violation")):
            line = {"at": time.time(), "connection": self.number, "event": event, **more}
            self._lines.append(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))

    def _write_down(self) -> None:
        if self._lines:
            self.server.record(b"".join(self._lines))
            self._lines.clear()

    def _send(self) -> None:
        """First the record, then the replies."""
        self._write_down()
        if self._replies and not self.transport.is_closing():
            words = b"".join(self._replies)
            self._replies.clear()
            self._unsent += 1
            then, self._then = self._then, ""
            self.server.reply(self, words, then)


def _message_id(message: bytes) -> str:
    """What stands in angle brackets behind Message-ID."""
    head = b"\r\n" + message[: message.find(b"\r\n\r\n") + 2]
    found = _MESSAGE_ID.search(head)
    return found[1].decode("utf-8", "replace") if found else ""
