"""The dialogue on one connection: replies however they come in, and messages that arrive as they are."""

import itertools
import smtplib
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.mime import Envelope
from campaigns.smtp.line import LONGEST_REPLY, Dropped, Event, Line
from campaigns.smtp.opening import Opened
from campaigns.transports import Outgoing


class Wire:
    """A line and the server's end of it."""

    def __init__(self):
        ours, self.server = socket.socketpair()
        ours.setblocking(False)
        self.server.settimeout(5)
        self.ours = ours
        self.line = Line(Opened(smtplib.SMTP(), ours, frozenset({"pipelining"})), now=0.0)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.ours.close()
        self.server.close()

    def hear(self, *parts: bytes):
        """What the line makes of a reply that comes in such parts."""
        heard = []
        for part in parts:
            self.server.sendall(part)
            heard += self.line.read(now=1.0)
        return heard

    def arrives(self, message: bytes) -> bytes:
        """What the server gets between its reply to DATA and the end."""
        self.line.offer(outgoing(message))
        self.hear(b"250 yes\r\n250 yes\r\n")
        self.line.data()
        (go,) = self.hear(b"354 go on\r\n")
        assert go.event is Event.GO
        while b"DATA\r\n" not in self.server.recv(65_536):
            pass
        self.line.message(None)
        received = b""
        while self.line.has_more or not received.endswith(b"\r\n.\r\n"):
            received += self.server.recv(65_536)
            self.line.write()
        return received


def outgoing(message: bytes = b"Subject: Hello\r\n\r\nHello\r\n") -> Outgoing:
    return Outgoing(1, "1@example.com", Envelope("shop@example.com", "ana@example.com"), message, 0)


@given(st.lists(st.sampled_from([b".", b"..", b"a", b"\r\n", b"\n", b"\r", b"\r\n.", b"\n.\n", b" "]), max_size=20))
def test_dots_arrive_as_they_were_and_none_ends_the_message(parts):
    message = b"a" + b"".join(parts)
    with Wire() as wire:
        received = wire.arrives(message)
    body = received.removesuffix(b".\r\n")
    lines = body.split(b"\n")
    assert not any(line in (b".", b".\r") for line in lines)  # also for servers that take a bare line feed as an end
    plain = b"\n".join(line[1:] if line.startswith(b".") else line for line in lines)
    assert plain == (message if message.endswith(b"\r\n") else message + b"\r\n")


def test_a_dot_that_begins_the_message_is_doubled():
    with Wire() as wire:
        assert wire.arrives(b".Hello\r\n") == b"..Hello\r\n.\r\n"


SAID = b"250-2.1.0 yes,\r\n250 by all means\r\n550-5.1.1 nobody\r\n550-5.1.1 is called\r\n550 5.1.1 that\r\n"


@given(st.sets(st.integers(1, len(SAID) - 1)))
def test_replies_of_several_lines_are_understood_wherever_they_are_cut(cuts):
    places = [0, *sorted(cuts), len(SAID)]
    parts = [SAID[start:end] for start, end in itertools.pairwise(places)]
    with Wire() as wire:
        wire.line.offer(outgoing())
        ((event, about, reply),) = wire.hear(*parts)
    assert (event, about.id) == (Event.REFUSED, 1)
    assert reply == "550 5.1.1 nobody 5.1.1 is called 5.1.1 that"


@pytest.mark.parametrize("nonsense", [b"hello\r\n", b"\r\n", b"2x0 yes\r\n", b"25\r\n", "٢٥٠ yes\r\n".encode()])
def test_what_is_no_reply_ends_the_connection(nonsense):
    with Wire() as wire:
        wire.line.offer(outgoing())
        with pytest.raises(Dropped, match="no SMTP reply"):
            wire.hear(nonsense)


@pytest.mark.parametrize("part", [b"250 " + b"a" * 5_000, b"250-" + b"a" * 996 + b"\r\n"])
def test_a_reply_without_end_ends_the_connection(part):
    with Wire() as wire:
        wire.line.offer(outgoing())
        with pytest.raises(Dropped, match="without end"):
            wire.hear(*[part] * (LONGEST_REPLY // len(part) + 2))


def test_replies_behind_one_another_are_heard_in_one_go():
    with Wire() as wire:
        wire.line.offer(outgoing())
        heard = wire.hear(b"250 yes\r\n250 yes\r\n421 closing\r\n")
        assert [each.event for each in heard] == [Event.OFFERED]
        assert wire.line.leaving == "421 closing"
