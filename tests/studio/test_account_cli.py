"""Accounts from the console of the machine."""

import json

import pytest

pytestmark = pytest.mark.slow
PASSWORD = "correct horse battery staple\n"


@pytest.fixture
def handpicked(command, monkeypatch, tmp_path):
    """Run `handpicked account …` with this on its stdin; gives (exit code, stdout, stderr)."""
    monkeypatch.setenv("HANDPICKED_WORKSPACE", str(tmp_path / "workspace"))
    return lambda *words, stdin="": command("account", *words, stdin=stdin.encode())


def test_the_life_of_an_account(handpicked):
    assert "no accounts yet" in handpicked("list")[1]
    assert handpicked("add", "ana", "--role", "admin", "--time-zone", "Europe/Berlin", stdin=PASSWORD)[0] == 0
    assert handpicked("add", "ben", stdin=PASSWORD)[0] == 0
    (ana, ben) = json.loads(handpicked("list", "--json")[1])
    assert (ana["role"], ben["role"]) == ("admin", "viewer")
    assert "password" not in ana
    assert handpicked("disable", "ben")[0] == 0
    assert "disabled" in handpicked("list")[1]
    assert handpicked("enable", "ben")[0] == 0
    assert handpicked("password", "ben", stdin="another four words here\n")[0] == 0


@pytest.mark.parametrize(
    ("words", "stdin", "sentence"),
    [
        (("add", "eve"), "short\n", "use 12 to 200 characters"),
        (("add", "eve"), "", "use 12 to 200 characters"),
        (("add", "eve", "--role", "king"), PASSWORD, "choose one of viewer"),
        (("add", "É"), PASSWORD, "use letters"),
        (("password", "nobody"), PASSWORD, "there is no account 'nobody'"),
        (("disable", "ana"), "", "the only admin"),
    ],
)
def test_what_cannot_be_is_one_sentence(handpicked, words, stdin, sentence):
    handpicked("add", "ana", "--role", "admin", stdin=PASSWORD)
    code, out, err = handpicked(*words, stdin=stdin)
    assert code == 2
    assert sentence in err
    assert not out
