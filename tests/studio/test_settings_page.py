from __future__ import annotations

import pytest

from campaigns.execute import World
from campaigns.setting_sources import DEFAULT, ENVIRONMENT, FILE, setting_lines, shown
from campaigns.settings import Settings, load_settings
from studio.roles import Role

from .conftest import Shop

pytestmark = pytest.mark.slow
PLANTED = "hunter2-planted"


def with_settings(shop: Shop, settings: Settings) -> Shop:
    world = shop.world
    return Shop(World(world.database, settings, world.secrets, world.clock))


def test_each_setting_is_there_with_where_it_comes_from(shop, monkeypatch):
    monkeypatch.setenv("HANDPICKED_SMTP_HOST", "mail.example")
    settings = load_settings(shop.world.settings.workspace)
    lines = {line.name: line for line in setting_lines(settings)}
    assert set(lines) == set(Settings.model_fields)
    assert (lines["smtp_host"].value, lines["smtp_host"].source) == ("mail.example", ENVIRONMENT)
    assert (lines["sender_name"].value, lines["sender_name"].source) == ("Oat & Amber", FILE)
    assert lines["currency"].source == DEFAULT
    assert not any(line.waiting for line in lines.values())
    words = with_settings(shop, settings).studio_of(Role.VIEWER).get("/settings").text
    assert "HANDPICKED_SMTP_HOST" in words
    assert "Oat &amp; Amber" in words
    assert all(line.description for line in lines.values())


@pytest.mark.parametrize("source", ["environment", "file"])
def test_no_secret_is_ever_in_the_page(shop, monkeypatch, source):
    secret = {
        "smtp_password": PLANTED,
        "database_url": f"postgresql+psycopg://shop:{PLANTED}@db.example/shop?sslpassword={PLANTED}",
        "website": f"https://me:{PLANTED}@shop.example",
    }
    workspace = shop.world.settings.workspace
    if source == "environment":
        for name, value in secret.items():
            monkeypatch.setenv(f"HANDPICKED_{name.upper()}", value)
    else:
        lines = [line for line in (workspace / "handpicked.toml").read_text().splitlines() if "website" not in line]
        lines += [f'{name} = "{value}"' for name, value in secret.items()]
        (workspace / "handpicked.toml").write_text("\n".join(lines))
    settings = load_settings(workspace)
    assert settings.smtp_password.get_secret_value() == PLANTED
    words = with_settings(shop, settings).studio.get("/settings").text
    assert PLANTED not in words
    assert "db.example" in words


def test_what_changed_since_the_start_is_marked(shop):
    client = shop.studio
    assert "restart it" not in client.get("/settings").text
    file = shop.world.settings.workspace / "handpicked.toml"
    file.write_text(file.read_text() + "\nfrequency_cap = 3\n")
    assert "changed, restart" in client.get("/settings").text
    file.write_text("this is no TOML")
    assert client.get("/settings").status_code == 200


@pytest.mark.parametrize("address", ["nonsense", "sqlite:///x?password=a", f"mysql://{PLANTED}@db"])
def test_an_address_of_a_database_without_what_is_secret(address):
    assert "password" not in shown("database_url", address)
    assert shown("database_url", "") == ""
