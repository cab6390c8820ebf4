"""The other ways to bring finished messages to a mail server, and our own pool without ledger and rendering.

All of them are given the same messages, written beforehand, in turn: `Post` has them as bytes and as EmailMessage.
"""

import asyncio
import itertools
import smtplib
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from email import message_from_bytes, policy
from email.message import Message

import aiosmtplib

from campaigns.settings import Settings
from campaigns.smtp.pool import Smtp
from campaigns.transports import Outgoing

HOST = "127.0.0.1"
PARSED = 200  # messages there are as EmailMessage


class Post:
    """Finished messages without end: those of a run, again and again."""

    def __init__(self, messages: Sequence[Outgoing]) -> None:
        self.messages = messages
        kind = policy.SMTP.clone(max_line_length=998)  # with the default it breaks our links into encoded words
        self._parsed = [message_from_bytes(outgoing.message, policy=kind) for outgoing in messages[:PARSED]]

    def take(self, count: int) -> Iterator[Outgoing]:
        """So many of them."""
        return itertools.islice(itertools.cycle(self.messages), count)

    def parsed(self, count: int) -> Iterator[Message]:
        """So many of them, as the standard library holds a message."""
        return itertools.islice(itertools.cycle(self._parsed), count)


class ReadyFeed:
    """A feed that has everything ready."""

    def __init__(self, messages: Iterator[Outgoing]) -> None:
        self._messages = messages
        self._next = next(messages, None)

    def take(self) -> Outgoing | None:
        """The next one."""
        given, self._next = self._next, next(self._messages, None)
        return given

    def wait(self) -> float | None:
        """Never."""
        return None if self._next is None else 0.0

    def once_more(self) -> bool:
        """What is lost stays lost."""
        return False

    def tend(self) -> None:
        """Nobody asks."""


class OpenGate:
    """A gate that lets everything through and writes nothing down. accepted_count: how much the other side has."""

    unwritten = 0

    def __init__(self) -> None:
        self.accepted_count = 0

    def begin(self, group: Sequence[Outgoing]) -> Collection[int]:
        """All of them."""
        return {outgoing.id for outgoing in group}

    def accepted(self, outgoing: Outgoing, reply: str) -> None:
        """Count it."""
        self.accepted_count += 1

    def refused(self, outgoing: Outgoing, reply: str, *, permanent: bool | None = None) -> None:
        """The sink takes everything. Raises AssertionError."""
        raise AssertionError(reply)

    def dropped(self, outgoing: Outgoing, reason: str) -> None:
        """And keeps its connections. Raises AssertionError."""
        raise AssertionError(reason)

    lost = dropped

    def flush(self) -> None:
        """Nothing is unwritten."""


def pool_alone(post: Post, settings: Settings, count: int) -> None:
    """Our pool of connections with ready bytes: no ledger, no consent, no rendering."""
    gate = OpenGate()
    with Smtp(settings) as transport:
        transport.send(ReadyFeed(post.take(count)), gate)
    assert gate.accepted_count == count


def sendmail(post: Post, port: int, connections: int, count: int) -> None:
    """`smtplib.sendmail` with bytes, on one reused connection for each thread."""
    with ThreadPoolExecutor(connections) as threads:
        shares = [count // connections + (place < count % connections) for place in range(connections)]
        list(threads.map(lambda share: _sendmail_on_one(post, port, share), shares))


def _sendmail_on_one(post: Post, port: int, count: int) -> None:
    with smtplib.SMTP(HOST, port) as connection:
        for outgoing in post.take(count):
            connection.sendmail(outgoing.envelope.sender, [outgoing.envelope.recipient], outgoing.message)


def send_message(post: Post, port: int, count: int) -> None:
    """`smtplib.send_message` on one reused connection."""
    with smtplib.SMTP(HOST, port) as connection:
        for message in post.parsed(count):
            connection.send_message(message)


def connection_each(post: Post, port: int, count: int) -> None:
    """The same with a connection for every mail."""
    for message in post.parsed(count):
        with smtplib.SMTP(HOST, port) as connection:
            connection.send_message(message)


def aiosmtplib_sendmail(post: Post, port: int, connections: int, count: int) -> None:
    """`aiosmtplib` with bytes, on so many reused connections side by side."""

    async def one(messages: Iterator[Outgoing]) -> None:
        async with aiosmtplib.SMTP(hostname=HOST, port=port, use_tls=False, start_tls=False) as connection:
            for outgoing in messages:  # one iterator for all: who is done first takes the next
                await connection.sendmail(outgoing.envelope.sender, [outgoing.envelope.recipient], outgoing.message)

    async def everything() -> None:
        messages = post.take(count)
        await asyncio.gather(*[one(messages) for _ in range(connections)])

    asyncio.run(everything())
