"""Settings and secrets: where each value comes from, and one sentence when it cannot be used."""

import json
import stat
from concurrent.futures import ThreadPoolExecutor

import pytest

from campaigns.errors import SettingsInvalid
from campaigns.settings import load_secrets, load_settings


def test_the_environment_comes_before_the_file_and_the_file_before_the_default(tmp_path, monkeypatch):
    assert load_settings(tmp_path).sender_name == ""
    (tmp_path / "handpicked.toml").write_text('sender_name = "From the file"\ncurrency = "EUR"\n')
    assert load_settings(tmp_path).sender_name == "From the file"
    monkeypatch.setenv("HANDPICKED_SENDER_NAME", "From outside")
    assert load_settings(tmp_path).sender_name == "From outside"
    assert load_settings(tmp_path).currency == "EUR"


@pytest.mark.parametrize(("line", "words"), [
    ('sendername = "x"', "setting sendername"),
    ('smtp_port = "many"', "setting smtp_port"),
    ('sender_address = "nobody"', "setting sender_address"),
    ('public_url = "ftp://x"', "must start with https://"),
    ("smtp_port 25", "is not TOML"),
])  # fmt: skip
def test_a_setting_that_cannot_be_used_is_named(tmp_path, line, words):
    (tmp_path / "handpicked.toml").write_text(line)
    with pytest.raises(SettingsInvalid, match=words):
        load_settings(tmp_path)


def test_what_every_mail_needs_must_be_set(tmp_path):
    with pytest.raises(SettingsInvalid, match="sender_name, sender_address, postal_address"):
        load_settings(tmp_path).sender()


def test_secrets_are_made_once_and_only_their_owner_can_read_them(tmp_path):
    first = load_secrets(tmp_path)
    assert load_secrets(tmp_path) == first
    assert stat.S_IMODE((tmp_path / "secrets.json").stat().st_mode) == 0o600
    assert "suppression" not in repr(first) or first.suppression.hex() not in repr(first)


def test_processes_that_start_at_once_get_the_same_secrets(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: load_secrets(tmp_path).suppression, range(8)))
    assert len(found) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["secrets.json"]


def test_damaged_secrets_are_never_made_anew(tmp_path):
    load_secrets(tmp_path)
    for damage in ("", "{}", "[]", json.dumps({"suppression": "zz", "signing": []})):
        (tmp_path / "secrets.json").write_text(damage)
        with pytest.raises(SettingsInvalid, match="put back its backup"):
            load_secrets(tmp_path)


def test_passwords_are_not_shown(tmp_path):
    (tmp_path / "handpicked.toml").write_text('smtp_password = "hunter2"')
    assert "hunter2" not in repr(load_settings(tmp_path))
