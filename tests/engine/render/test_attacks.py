"""Two hundred attacks by a template: none reads a secret, opens a file or a socket, or stops more than its worker."""

import ctypes
import os
import socket
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from engine.errors import EngineError
from engine.render.bounded import Bounded
from tests.engine.render.attacks import ATTACKS, ESCAPES, SECRET, SECRET_FILE, UNTIL_STOPPED, attempt

pytestmark = pytest.mark.slow  # each is quick, but there are many

IN_OPEN = 0x20


class Watched:
    """A file with a secret and a server: both say whether somebody came."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "secret.txt"
        self.file.write_text(SECRET)
        self.server = socket.create_server(("127.0.0.1", 0))
        self.server.setblocking(False)
        self.address = f"127.0.0.1:{self.server.getsockname()[1]}"
        libc = ctypes.CDLL(None)  # inotify: sees what C code opens too
        self._seen = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        assert libc.inotify_add_watch(self._seen, os.fsencode(self.file), IN_OPEN) > 0

    def visits(self) -> int:
        """How often the file was opened or the server called since the last time."""
        count = 0
        while True:
            try:
                events = os.read(self._seen, 4_096)
            except BlockingIOError:
                break
            count += len(events) // struct.calcsize("iIII")
        while True:
            try:
                self.server.accept()[0].close()
            except BlockingIOError:
                return count
            count += 1

    def close(self) -> None:
        self.server.close()
        os.close(self._seen)


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    watched = Watched(tmp_path_factory.mktemp("house"))
    yield watched
    watched.close()


def attacked(source: str, part: str, watched: Watched, caplog: pytest.LogCaptureFixture) -> str:
    """Try a template, and what must hold whatever it is. Gives the sentence it was refused with, or nothing."""
    source = source.replace(SECRET_FILE, str(watched.file)).replace("SERVER", watched.address)
    watched.visits()
    said = ""
    with Bounded() as bounded:
        try:
            mail = bounded.call(attempt, source, part, what="weekly")
            assert SECRET not in "".join(mail)
            assert "object at 0x" not in "".join(mail)
        except EngineError as error:
            said = str(error)
        bounded.close()
        assert bounded.usage["cpu"] <= 2.0
        assert bounded.usage["memory"] <= 256 * 2**20
        assert "Product 0" in bounded.call(attempt, "<p>{{ hero.title }}</p>", "html", what="weekly")[2]
    assert watched.visits() == 0
    assert caplog.records == []  # a worker that had to refuse something says so
    assert SECRET not in said
    return said


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name in UNTIL_STOPPED else ()) for name in ATTACKS]
)
def test_an_attack_costs_its_own_worker_at_most(name: str, watched: Watched, caplog: pytest.LogCaptureFixture) -> None:
    said = attacked(ATTACKS[name], "html", watched, caplog)
    assert not said or said.startswith(("template ", "there is no template "))
    assert "\n" not in said
    assert len(said) < 400


@pytest.mark.parametrize("part", ["plain", "subject"])
def test_no_way_out_from_a_text_either(part: str, watched: Watched, caplog: pytest.LogCaptureFixture) -> None:
    with Bounded() as bounded:
        for source in ESCAPES.values():
            with suppress(EngineError):
                mail = bounded.call(attempt, source.replace(SECRET_FILE, str(watched.file)), part, what="weekly")
                assert SECRET not in "".join(mail)
    assert watched.visits() == 0
    assert caplog.records == []


def test_there_are_enough_of_them() -> None:
    assert len(ATTACKS) >= 200


def test_who_opens_the_secret_or_calls_the_server_is_seen(watched: Watched) -> None:
    watched.visits()
    watched.file.read_text()
    socket.create_connection(watched.server.getsockname()).close()
    assert watched.visits() == 2
