"""A template inlined once gives the document that premailer makes of the finished mail, or it is refused."""

from typing import Any

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from engine.render.compose import Composer
from engine.render.content import Mail, Recipient
from engine.render.flatten import bundle, reachable
from engine.render.inline import InlinePath
from tests.engine.mails import FOLDERS, UNSUBSCRIBE, Files, card, dom, fast, prepared, shipped_content
from tests.engine.render.random_templates import CSS, HOSTILE, POSITIONAL, bodies, contexts, odd_bodies, shells

pytestmark = pytest.mark.slow  # quick one by one, but there are many


def mail_both_ways(name: str, *, picks: int, **changes: Any) -> tuple[Mail, Mail]:
    """(the mail from the template inlined once, the mail inlined by itself)."""
    assert prepared(name).once, prepared(name).reason
    variables = changes.pop("variables", {})
    cards = {number: card(number) | changes.get("card", {}) for number in range(picks + 1)}
    recipient = Recipient(
        changes.get("given_name", "Ana"),
        changes.get("language", "en"),
        UNSUBSCRIBE,
        [(number, changes.get("reason", "A good choice for dry skin")) for number in range(picks + 1)],
    )
    once = shipped_content(name, variables=variables)
    each = shipped_content(name, variables=variables, source=files_in_one(name), path=InlinePath.EACH)
    return Composer(once, cards).compose(recipient), Composer(each, cards).compose(recipient)


def files_in_one(name: str) -> str:
    """The template as Jinja itself puts it together, without the flattening that is tested here."""
    return bundle(f"{name}.html", reachable(FOLDERS.sandbox(), FOLDERS.source, f"{name}.html"))


@pytest.mark.parametrize("language", ["en", "ar"])
@pytest.mark.parametrize("picks", [0, 1, 2, 5, 11])
@pytest.mark.parametrize("name", FOLDERS.names())
def test_a_shipped_template_gives_the_same_document_for_every_reader(name: str, picks: int, language: str) -> None:
    once, each = mail_both_ways(name, picks=picks, language=language, given_name="Ana" if picks % 2 else "")
    assert dom(once.html) == dom(each.html)
    assert (once.subject, once.text) == (each.subject, each.text)


@pytest.mark.parametrize(
    "changes",
    [
        {"reason": ""},
        {"card": {"brand": "", "description": ""}},
        {"variables": {"offer_code": "SLOW10"}},
        {"variables": {"message": "", "headline": "", "eyebrow": "", "greeting": "", "button_label": ""}},
        {"variables": {"message": "One.\n\nTwo.\nThree & <four>."}},
        *(
            {"given_name": text, "card": {"title": text, "alt": text, "brand": text}, "reason": text}
            for text in HOSTILE
        ),
        *({"variables": dict.fromkeys(("headline", "message", "greeting", "footer_note"), text)} for text in HOSTILE),
    ],
)
@pytest.mark.parametrize("name", FOLDERS.names())
def test_a_shipped_template_gives_the_same_document_for_every_text(name: str, changes: dict[str, Any]) -> None:
    for picks in (0, 2, 3):
        once, each = mail_both_ways(name, picks=picks, **changes)
        assert dom(once.html) == dom(each.html)


def check_exactness(source: str, mails: list[dict[str, Any]]) -> None:
    files = Files(source)
    prepared = files.prepared()
    assume(prepared.once)
    for context in mails:
        assert dom(fast(prepared.source, context)) == dom(files.slow(context)), prepared.source


@pytest.mark.slow
@settings(max_examples=100, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
@given(shell=shells, body=bodies, mails=st.lists(contexts, min_size=2, max_size=4))
@example(
    shell="<style>{css}</style>{body}",
    body="{% for item in items %}<p class=a>{{ item.title }}</p>{% endfor %}",
    mails=[{"items": []}, {"items": [{"title": "<b>"}]}],
)
def test_an_accepted_template_gives_the_document_that_premailer_gives(
    shell: str, body: str, mails: list[dict[str, Any]]
) -> None:
    check_exactness(shell.format(css=CSS, body=body), mails)


@pytest.mark.slow
@settings(max_examples=100, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
@given(shell=shells, body=odd_bodies, positional=st.booleans(), mails=st.lists(contexts, min_size=2, max_size=4))
def test_a_carelessly_nested_template_is_exact_or_refused(
    shell: str, body: str, positional: bool, mails: list[dict[str, Any]]
) -> None:
    check_exactness(shell.format(css=CSS + POSITIONAL * positional, body=body), mails)
