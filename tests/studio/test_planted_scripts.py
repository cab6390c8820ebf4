"""Scripts planted in every text the database holds: on no screen does one run, ask for anything, or meet the CSP."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from sqlalchemy import String, TypeDecorator, cast, literal
from sqlalchemy.types import TypeEngine
from sqlmodel import SQLModel

from studio.app import make_app

from .furnish import furnish
from .screens import OPEN, screens_of
from .test_screens import DESK, entered

if TYPE_CHECKING:
    from .conftest import Shop

pytestmark = [pytest.mark.browser, pytest.mark.slow]

ABROAD = "abroad.example"
BREAKING_OUT = (
    f'"><script src="https://{ABROAD}/1"></script>',
    "'><img src=x onerror=alert(2)>",
    "</title></textarea></option></select></script><svg onload=alert(3)>",
    '" autofocus onfocus=alert(4) x="',
    "' onmouseover='alert(5)",
    f"--><iframe src='https://{ABROAD}/6'></iframe>",
    "<a href='javascript:alert(7)'>seven</a><details open ontoggle=alert(8)>",
    f"<style>@import 'https://{ABROAD}/9';</style><link rel=stylesheet href='https://{ABROAD}/10'>",
    f"<meta http-equiv=refresh content='0;url=https://{ABROAD}/11'><base href='https://{ABROAD}/12'>",
    "{{ 7 * 7 }}{% raw %}${alert(13)}#{alert(14)}<%= 15 %>",
    "<form action=//abroad.example><button>16</button></form>&#60;script&#62;alert(17)&#60;/script&#62;",
    "<math><mtext></form><form><mglyph><style></math><img src onerror=alert(18)>\u2028alert(19)",
)
PLANTED = {"breaking out": " ".join(BREAKING_OUT), "as an address": "javascript:alert(20)//"}

STRUCTURE = {
    "alembic_version": {"version_num"},
    "access_token": {"digest", "role"},
    "account": {"name", "role", "password", "time_zone"},
    "beat": {"name"},
    "campaign": {
        *("name", "template", "subject", "preheader", "variables", "rules", "transport", "state", "cron", "time_zone"),
        *("missed", "segments", "approved_sha256"),
    },
    "consent": {"purpose"},
    "job": {"kind", "state", "asked", "result", "owner"},
    "kept_answer": {"key", "request_sha256", "body"},
    "kept_figure": {"name", "value"},
    "login": {"digest"},
    "message": {
        *("state", "key", "language", "picks", "why", "message_id", "token", "sha256", "claimed_by", "time_zone"),
        *("domain",),
    },
    "pace": {"name"},
    "product": {"image_link"},  # a mail shows whatever picture the feed names; its import lets in http(s) only
    "run": {"state", "model", "rules", "rule_counts", "owner"},
    "segment": {"name", "rules"},
    "sender": {"owner"},
    "sku": {"code"},
    "subscriber": {"key", "language", "time_zone"},
    "suppression": {"key"},
    "bounce": {"sha256", "kind", "status"},
    "attempt": {"outcome"},
    "frozen": {"sha256", "kind"},
}
"""Columns that hold states, keys, JSON or what is validated. Every other text is planted, also in tables to come."""


def holds_text(kind: TypeEngine[object]) -> bool:
    return isinstance(kind.impl_instance if isinstance(kind, TypeDecorator) else kind, String)


def plant(shop: Shop, text: str) -> int:
    """Put the text into every column that may hold one. Returns how many columns that are."""
    planted = 0
    with shop.world.database.begin() as connection:
        for table in SQLModel.metadata.sorted_tables:
            for column in table.columns:
                free = column.name not in STRUCTURE.get(table.name, set()) and not column.name.endswith("_sha256")
                if free and holds_text(column.type):
                    row = cast(next(iter(table.primary_key)), String)  # some must be unique
                    end = "@example.com" if column.name == "address" else ""
                    connection.execute(
                        table.update().values({column.name: literal(f"{text} {column.name} ") + row + end})
                    )
                    planted += 1
    return planted


@pytest.mark.parametrize("kind", PLANTED)
def test_no_planted_script_runs_or_asks_for_anything(browser, shop, live, kind):
    known = furnish(shop)
    assert plant(shop, PLANTED[kind]) > 20
    context = entered(browser, shop, live, viewport=DESK)
    page, happened, seen = context.new_page(), list[str](), 0
    page.on("dialog", lambda dialog: (happened.append(f"{page.url}: {dialog.message}"), dialog.dismiss()))
    page.on("request", lambda asked: happened.append(asked.url) if urlsplit(asked.url).hostname == ABROAD else None)
    page.on("console", lambda said: happened.append(said.text) if "Content Security Policy" in said.text else None)
    for screen in screens_of(make_app(shop.world), known):
        answer = context.request.get(live + screen.address)
        assert answer.status < 500, (screen.address, answer.status)
        if screen.route in OPEN or "text/html" not in answer.headers["content-type"]:
            continue
        page.goto(live + screen.address)
        seen += 1
        if page.locator("main#main").count() == 0:  # a mail: its links are the feed's, and nothing in its frame runs
            continue
        for link in page.locator("a[href], form[action]").all():
            target = link.get_attribute("href") or link.get_attribute("action") or ""
            if target.strip().lower().startswith(("javascript:", "data:", "vbscript:")):
                happened.append(f"{screen.route}: a link to {target[:40]}")
    context.close()
    assert seen > 3
    assert happened == []
