"""The reference pages are those the code makes, and nothing in the code is missing from the pages."""

from __future__ import annotations

import importlib.util
import re
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from campaigns.settings import Settings
from engine.catalog import Product
from engine.render.cards import card
from engine.render.content import Recipient
from engine.render.edition import Edition
from engine.render.sandbox import Sandbox
from tests.engine.mails import content

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
MADE = ("commands.md", "settings.md")
ADVICE = "run .venv/bin/python docs/generate.py"


def load_generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_generate", DOCS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


generate = load_generator()
COMMANDS: dict[str, Any] = dict(generate.all_commands())


def how_to() -> str:
    """All pages written by hand, in one text."""
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(p for p in DOCS.glob("*.md") if p.name not in MADE)]
    return "\n".join(page.read_text(encoding="utf-8") for page in pages)


@pytest.mark.parametrize(
    ("name", "make"), [("commands.md", generate.commands_page), ("settings.md", generate.settings_page)]
)
def test_a_reference_page_is_what_the_code_says(name: str, make: Any) -> None:
    assert (DOCS / name).read_text(encoding="utf-8") == make(), f"docs/{name} is not up to date: {ADVICE}"
    assert make() == make()


@pytest.mark.parametrize("path", COMMANDS)
def test_every_command_says_what_it_does(path: str) -> None:
    assert len(COMMANDS[path].help or "") > 10
    assert f"## handpicked {path}\n" in (DOCS / "commands.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", COMMANDS)
def test_every_argument_and_option_is_explained(path: str) -> None:
    bare = [param.name for param in COMMANDS[path].params if not param.help]
    assert bare == [], f"give these a help text: {bare}"


@pytest.mark.parametrize("name", sorted({path.split()[0] for path in COMMANDS}))
def test_every_command_is_used_on_a_page_for_people(name: str) -> None:
    assert re.search(rf"handpicked {name}\b", how_to()), f"no page shows how to use `handpicked {name}`"


@pytest.mark.parametrize("name", [name for name, field in Settings.model_fields.items() if not field.exclude])
def test_every_setting_is_described_and_used_on_a_page_for_people(name: str) -> None:
    assert len(Settings.model_fields[name].description or "") > 3
    assert f"`{name}`" in (DOCS / "settings.md").read_text(encoding="utf-8")
    assert re.search(rf"\b{name}\b", how_to()), f"no page says when to use {name}"


def test_every_preset_transport_and_shipped_template_is_named() -> None:
    from engine.render.environment import SHIPPED
    from subscribers.orders import PRESETS

    templates = [sheet.stem for sheet in SHIPPED.glob("*.toml")]
    assert [name for name in (*PRESETS, "outbox", "smtp", *templates) if name not in how_to()] == []


def test_the_table_of_template_variables_is_complete() -> None:
    product = Product(sku_id=1, code="A", title="Soap", price_minor=950, added_at=datetime(2026, 6, 1, tzinfo=UTC))
    cards = {1: card(product, public_url="https://shop.example")}
    edition = Edition(content(variables={"headline": "Hello"}), "en", cards)
    seen = edition.context(Recipient("Ana", "en", "https://shop.example/u/x", [(1, "why"), (1, "why")]))
    seen = {name: value for name, value in seen.items() if name not in Sandbox().globals}
    seen |= {"subject": "s", "preheader": "p"}
    table = (DOCS / "template-author.md").read_text(encoding="utf-8")
    assert [name for name in names_in(seen) if f"`{name}`" not in table] == []


def names_in(context: dict[str, Any]) -> list[str]:
    """The names a template author can write: "subscriber.given_name". Of `campaign` each template has its own."""
    names = []
    for name, value in context.items():
        if name == "campaign":
            names.append(name)
        elif isinstance(value, dict):
            names += [f"{name}.{part}" for part in value]
        else:
            names.append(name)
    return names
