"""`handpicked bounces` and `handpicked dkim` as people and mail servers use them."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from campaigns.dkim import make_signer
from campaigns.return_path import ReturnPath
from campaigns.settings import load_secrets, load_settings

from .conftest import Shop

Handpicked = Callable[..., tuple[int, str, str]]


@pytest.fixture
def handpicked(command: Handpicked, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Handpicked:
    """Run a command in this process on the shop's workspace; gives (exit code, stdout, stderr)."""
    monkeypatch.setenv("HANDPICKED_WORKSPACE", str(tmp_path / "shop"))
    return command


@pytest.fixture
def workspace(shop: Shop, tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    with (folder / "handpicked.toml").open("a") as file:
        file.write('bounce_address = "bounces@oat-amber.example"\n')
    return folder


def report(workspace: Path, row: int, status: str = "5.1.1", to: str = "") -> bytes:
    to = to or ReturnPath(load_settings(workspace), load_secrets(workspace)).of(row)
    return f"""To: {to}
Content-Type: multipart/report; report-type=delivery-status; boundary=b1

--b1
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.net

Final-Recipient: rfc822; somebody@example.com
Action: failed
Status: {status}

--b1--
""".encode()


def row_of(shop: Shop, name: str) -> int:
    with shop.world.database.connect() as connection:
        found = connection.exec_driver_sql("SELECT id FROM message WHERE address = ?", (f"{name}@example.com",))
        return int(found.scalar_one())


def suppressed(shop: Shop, name: str) -> bool:
    with shop.world.database.connect() as connection:
        found = connection.exec_driver_sql("SELECT reason FROM suppression WHERE key = ?", (shop.key(name),))
        return found.scalar() is not None


def test_a_folder_is_read_and_summed_up(handpicked: Handpicked, shop: Shop, workspace: Path) -> None:
    code, _, err = handpicked("bounces", "read")
    assert code == 2
    assert f"{workspace / 'bounces'} does not exist; name the folder that your mail server puts bounces into" in err
    for part in ("new", "cur", "tmp"):
        (workspace / "bounces" / part).mkdir(parents=True)
    assert handpicked("bounces", "read") == (0, "0 messages: none\n", "")
    new = workspace / "bounces" / "new"
    (new / "1").write_bytes(report(workspace, row_of(shop, "ana")))
    (new / "2").write_bytes(report(workspace, row_of(shop, "ben"), "5.2.2"))
    (new / "3").write_bytes(b"Subject: Hello\n\nHello")
    code, out, _ = handpicked("bounces", "read")
    assert (code, out) == (0, "3 messages: 1 hard, 1 ignored, 1 soft\n  ignored: 1 no report\n")
    assert (suppressed(shop, "ana"), suppressed(shop, "ben")) == (True, False)
    (new / "4").write_bytes(report(workspace, row_of(shop, "ana")))
    code, out, _ = handpicked("bounces", "read", str(workspace / "bounces"), "--json")
    kinds = {"hard": 0, "soft": 0, "policy": 0, "complaint": 0}
    assert json.loads(out) == {"read": 1, **kinds, "counted before": 1, "ignored": {}}


def test_a_mail_server_hands_one_over(handpicked: Handpicked, shop: Shop, workspace: Path) -> None:
    message = report(workspace, row_of(shop, "ana"))
    assert handpicked("bounces", "pipe", stdin=message) == (0, "hard\n", "")
    assert suppressed(shop, "ana")
    assert handpicked("bounces", "pipe", stdin=message) == (0, "counted before\n", "")
    unsigned = "ignored: not signed: sent to no return path of ours\n"
    message = report(workspace, 0, to="root@mx.example")
    assert handpicked("bounces", "pipe", stdin=message) == (0, unsigned, "")
    path = ReturnPath(load_settings(workspace), load_secrets(workspace)).of(row_of(shop, "ben"))
    assert handpicked("bounces", "pipe", "--recipient", path, stdin=message) == (0, "hard\n", "")
    assert handpicked("bounces", "pipe", stdin=b"\xff" * 3_000_000) == (0, "ignored: no report\n", "")


def test_what_cannot_be_dealt_with_now_is_handed_over_again(
    handpicked: Handpicked, shop: Shop, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = report(workspace, row_of(shop, "ana"))
    monkeypatch.setenv("HANDPICKED_DATABASE_URL", "sqlite:////nowhere/handpicked.db")
    code, out, err = handpicked("bounces", "pipe", stdin=message)
    assert (code, out) == (75, "")
    assert "cannot open the database" in err
    assert err.endswith("kept for later\n")
    monkeypatch.delenv("HANDPICKED_DATABASE_URL")
    monkeypatch.setenv("HANDPICKED_BOUNCE_ADDRESS", "")
    code, _, err = handpicked("bounces", "pipe", stdin=message)
    assert code == 75
    assert "set bounce_address in" in err
    assert handpicked("bounces", "read")[0] == 2


def test_a_key_is_made_once_and_its_record_shown_again(handpicked: Handpicked, workspace: Path) -> None:
    code, out, _ = handpicked("dkim", "key", "ed2026")
    path = workspace / "keys" / "ed2026.pem"
    assert code == 0
    assert out.startswith(f"{path}: made; keep it secret, and in your backup\npublish this record:\n")
    assert 'ed2026._domainkey.oat-amber.example. IN TXT "v=DKIM1; k=ed25519; p=' in out
    assert 'ed2026 = "keys/ed2026.pem"' in out
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    kept = path.read_bytes()
    code, again, _ = handpicked("dkim", "key", "ed2026")
    assert (code, again) == (0, out.replace(": made;", ": was there before;"))
    assert path.read_bytes() == kept
    code, _, err = handpicked("dkim", "key", "ed2026", "--rsa")
    assert (code, "is no RSA key; take another selector" in err) == (2, True)
    code, out, _ = handpicked("dkim", "key", "rsa2026", "--rsa", "--json")
    made = json.loads(out)
    assert code == 0
    assert made["name"] == "rsa2026._domainkey.oat-amber.example"
    assert made["value"].startswith("v=DKIM1; k=rsa; p=")


def test_what_it_says_to_add_to_the_settings_signs(handpicked: Handpicked, workspace: Path) -> None:
    _, out, _ = handpicked("dkim", "key", "ed2026")
    with (workspace / "handpicked.toml").open("a") as file:
        file.write("[dkim_keys]\n" + out.rstrip().splitlines()[-1].strip() + "\n")
    assert make_signer(load_settings(workspace)) is not None
    _, out, _ = handpicked("dkim", "key", "ed2026")
    assert "dkim_keys" not in out


def test_a_key_needs_a_domain_and_a_name(handpicked: Handpicked, workspace: Path) -> None:
    assert handpicked("dkim", "key", "../ed2026")[0] == 2
    (workspace / "handpicked.toml").write_text("")
    code, _, err = handpicked("dkim", "key", "ed2026")
    assert (code, "set dkim_domain or sender_address" in err) == (2, True)
    assert not (workspace / "keys").exists()
