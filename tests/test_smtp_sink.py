"""The sink itself: what every other test with a mail server takes for granted."""

import hashlib
import json
import random
import signal
import smtplib
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests import smtp_sink
from tests.smtp_certificate import self_signed
from tests.smtp_conversation import EXTENSIONS
from tests.smtp_sink import Options, Rule, Sink, SinkProcess

pytestmark = pytest.mark.slow  # quick one by one, but there are many


MESSAGE = b"From: a@example.com\r\nMessage-ID: <1@example.com>\r\n\r\n.one\r\n..two\r\n.\r\r\n\r\n.\n.\r\nlast\r\n"
STUFFED = MESSAGE.replace(b"\r\n.", b"\r\n..") + b".\r\n"


@pytest.fixture
def options(tmp_path: Path) -> Options:
    return Options(record=tmp_path / "record.jsonl")


def talk(port: int) -> socket.socket:
    """A connection that has said EHLO."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=10)
    assert say(connection, b"").startswith(b"220")
    assert say(connection, b"EHLO me\r\n").startswith(b"250")
    return connection


def say(connection: socket.socket, words: bytes, replies: int = 1) -> bytes:
    """Send words, and wait for so many replies; what they are."""
    connection.sendall(words)
    heard = b""
    while len([line for line in heard.splitlines() if line[3:4] == b" "]) < replies or not heard.endswith(b"\r\n"):
        chunk = connection.recv(4_096)
        if not chunk:
            break
        heard += chunk
    return heard


def mail(number: int = 1) -> bytes:
    return f"MAIL FROM:<a@example.com>\r\nRCPT TO:<b{number}@example.com>\r\nDATA\r\n".encode()


@pytest.mark.parametrize("seed", range(20))
def test_a_message_in_pieces_of_any_size_is_the_message_that_was_sent(options, seed):
    chance = random.Random(seed)
    with Sink(options) as sink, talk(sink.port) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        assert say(client, mail(), 3).endswith(b"354 go on\r\n")
        cuts = sorted(chance.sample(range(1, len(STUFFED)), chance.randint(1, 12)))
        for start, end in zip([0, *cuts], [*cuts, len(STUFFED)], strict=True):
            client.sendall(STUFFED[start:end])
            time.sleep(0.001)
        assert say(client, b"").startswith(b"250")
        assert say(client, b"NOOP\r\n").startswith(b"250")
        (accepted,) = sink.accepted()
        assert accepted["sha256"] == hashlib.sha256(MESSAGE).hexdigest()
        assert (accepted["message_id"], accepted["to"]) == ("1@example.com", "b1@example.com")


def test_an_empty_message_ends_at_its_dot(options):
    with Sink(options) as sink, talk(sink.port) as client:
        say(client, mail(), 3)
        assert say(client, b".\r\n").startswith(b"250")
        assert sink.accepted()[0]["size"] == 0


def test_it_is_in_the_record_before_the_reply_and_a_killed_sink_forgets_nothing(options):
    options.delay = 0.2
    with SinkProcess(options) as sink, talk(sink.port) as client:
        say(client, mail(), 3)
        client.sendall(STUFFED)
        until = time.monotonic() + 10
        while not sink.accepted():
            assert time.monotonic() < until
        client.settimeout(0.001)
        with pytest.raises(TimeoutError):
            client.recv(100)
        sink.process.send_signal(signal.SIGKILL)
        sink.process.wait()
        assert len(sink.accepted()) == 1


def test_the_next_mail_may_be_offered_behind_the_dot(options):
    with Sink(options) as sink, talk(sink.port) as client:
        say(client, mail(1), 3)
        assert say(client, STUFFED + mail(2), 4).count(b"\r\n") == 4
        assert say(client, STUFFED).startswith(b"250")
        assert [mail["to"] for mail in sink.accepted()] == ["b1@example.com", "b2@example.com"]
        assert sink.violations() == []


@pytest.mark.parametrize(("words", "without"), [
    (mail() + STUFFED, ""),
    (b"NOOP\r\nNOOP\r\n", "PIPELINING"),
])  # fmt: skip
def test_who_does_not_wait_where_one_must_is_found_out(options, words, without):
    options.extensions = tuple(name for name in EXTENSIONS if name != without)
    with Sink(options) as sink, talk(sink.port) as client:
        say(client, words, 2)
        assert len(sink.violations()) == 1


def test_replies_by_recipient_and_by_count(options):
    options.rules = [
        Rule("rcpt", "550 5.1.1 nobody", recipient="b1@", times=0),
        Rule("rcpt", "451 4.7.1 later", recipient="b2@", times=2),
        Rule("mail", "421 4.3.2 too many mails", skip=5, counted="connection"),
    ]
    with Sink(options) as sink:
        with talk(sink.port) as client:
            heard = []
            for number in (1, 2, 2, 2, 3):
                heard.append(say(client, mail(number)[:-6], 2).splitlines()[1][:3])
                say(client, b"RSET\r\n")
            assert heard == [b"550", b"451", b"451", b"250", b"250"]
            assert say(client, b"MAIL FROM:<a@example.com>\r\n").startswith(b"421")
            assert client.recv(10) == b""
        with talk(sink.port) as client:
            assert say(client, b"MAIL FROM:<a@example.com>\r\n").startswith(b"250")


@pytest.mark.parametrize("tls", ["starttls", "tls"])
@pytest.mark.parametrize("delay", [0.0, 0.01])
@pytest.mark.parametrize("way", ["PLAIN", "LOGIN"])
def test_tls_and_login(options, tmp_path, tls, delay, way):
    options.tls, options.certificate, options.login, options.delay = tls, self_signed(tmp_path), "me:secret", delay
    trusting = ssl.create_default_context(cafile=options.certificate)
    with Sink(options) as sink:
        kind = smtplib.SMTP_SSL if tls == "tls" else smtplib.SMTP
        more = {"context": trusting} if tls == "tls" else {}
        with kind("127.0.0.1", sink.port, timeout=10, **more) as client:
            if tls == "starttls":
                client.starttls(context=trusting)
            client.ehlo()
            assert client.mail("a@example.com")[0] == 530
            client.user, client.password = "me", "wrong"
            with pytest.raises(smtplib.SMTPAuthenticationError):
                client.auth(way, getattr(client, f"auth_{way.lower()}"))
            client.password = "secret"
            client.auth(way, getattr(client, f"auth_{way.lower()}"))
            client.sendmail("a@example.com", ["b@example.com"], MESSAGE)
        assert len(sink.accepted()) == 1


def test_a_delay_is_as_long_as_it_is_said_to_be(options):
    options.delay = 0.02
    with Sink(options) as sink, talk(sink.port) as client:
        began = time.monotonic()
        for _ in range(20):
            say(client, b"NOOP\r\n")
        assert 0.0195 < (time.monotonic() - began) / 20 < 0.04  # 0.0206 on a machine with nothing else to do


def test_a_sink_that_died_comes_back_on_its_port(options):
    options.rules = [Rule("rcpt", "die")]
    with Sink(options) as sink:
        with talk(sink.port) as client:
            assert say(client, mail(), 3).startswith(b"250")
            assert client.recv(10) == b""
        with pytest.raises(ConnectionRefusedError):
            talk(sink.port)
        sink.revive()
        with talk(sink.port) as client:
            assert say(client, mail(), 3).endswith(b"354 go on\r\n")


def test_from_the_command_line(options):
    rule = json.dumps({"at": "mail", "then": "452 4.3.1 full"})
    given = ["--record", str(options.record), "--rule", rule, "--without", "SIZE"]
    with subprocess.Popen([sys.executable, smtp_sink.__file__, *given], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        with talk(int(process.stdout.readline())) as client:
            assert b"SIZE" not in say(client, b"EHLO me\r\n")
            assert say(client, b"MAIL FROM:<a@example.com>\r\n").startswith(b"452")
        process.terminate()
        assert json.loads(process.stdout.readline())["accepted"] == 0
