"""What stops a send: each finding where its cause is planted, and no finding where it is not."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.render.checks import Finding, check
from engine.render.compose import Mail, Sender
from engine.render.environment import SHIPPED, TemplateFolders
from engine.render.inline import inline_template
from tests.engine.mails import SENDER, UNSUBSCRIBE, card, composer, recipient

FOLDERS = TemplateFolders((SHIPPED,))
SOURCE = (
    "<p>{{ hero.title }}</p><img src='{{ hero.image }}' alt='{{ hero.alt }}' width='600' height='450'>"
    "<a href='{{ links.unsubscribe }}'>no</a><p>{{ sender.postal_address }}</p>"
)
PLAIN = "{{ hero.title }} {{ links.unsubscribe }}"


def mail(source: str = SOURCE, *, title: str = "Rose Cream", sender: Sender = SENDER, **changes: Any) -> Mail:
    cards = {1: card(1, title=title, alt=title, **changes.pop("card", {}))}
    return composer(source, **{"plain": PLAIN, "sender": sender, "cards": cards} | changes).compose(recipient())


def found(mail: Mail, sender: Sender = SENDER) -> set[tuple[str, str]]:
    return {(finding.severity, finding.check) for finding in check(mail, sender, UNSUBSCRIBE)}


def shipped_mail(name: str, *, inlined: bool = True, sender: Sender = SENDER, **changes: Any) -> Mail:
    sheet = FOLDERS.sheet(name)
    source = inline_template(FOLDERS.sandbox(), FOLDERS.source, f"{name}.html").source
    variables = sheet.defaults() | changes.pop("variables", {})
    cards = {number: card(number, **changes) for number in range(1, 13)}
    return composer(
        source,
        inlined=inlined,
        template=name,
        plain=FOLDERS.source("layouts/plain.txt"),
        subject=sheet.subject,
        preheader=sheet.preheader,
        variables=variables,
        sender=sender,
        cards=cards,
    ).compose(recipient(*cards))


@pytest.mark.parametrize("name", FOLDERS.names())
def test_a_shipped_mail_has_nothing_wrong_with_it(name: str) -> None:
    assert check(shipped_mail(name), SENDER, UNSUBSCRIBE) == []


def test_the_sound_mail_of_these_tests_has_nothing_wrong_with_it() -> None:
    assert found(mail()) == set()


@pytest.mark.parametrize(
    ("planted", "finding"),
    [
        ({"source": SOURCE.replace("{{ links.unsubscribe }}", "#")}, ("error", "unsubscribe link")),
        ({"plain": "{{ hero.title }}"}, ("error", "unsubscribe link")),
        ({"source": SOURCE.replace("{{ sender.postal_address }}", "")}, ("error", "postal address")),
        ({"source": SOURCE.replace(" alt='{{ hero.alt }}'", "")}, ("error", "image")),
        ({"source": SOURCE.replace("alt='{{ hero.alt }}'", "alt=''")}, ("error", "image")),
        ({"source": SOURCE.replace("alt='{{ hero.alt }}'", "alt=' '")}, ("error", "image")),
        ({"source": SOURCE.replace("alt='{{ hero.alt }}'", "data-alt='x'")}, ("error", "image")),
        ({"source": SOURCE.replace("width='600'", "")}, ("error", "image")),
        ({"source": SOURCE.replace("<img", "<IMG").replace("height=", "data-height=")}, ("error", "image")),
        ({"source": SOURCE.replace("{{ hero.image }}", "")}, ("error", "image")),
        ({"subject": ""}, ("error", "subject")),
        ({"subject": " {{ ' ' }} "}, ("error", "subject")),
        ({"subject": "x" * 300}, ("error", "subject")),
        ({"preheader": ""}, ("warning", "preheader")),
        ({"source": SOURCE + "é" * 52_224}, ("warning", "size")),
        ({"source": SOURCE + "{% raw %}{{ name }}{% endraw %}"}, ("error", "unresolved variable")),
        ({"plain": PLAIN + "{% raw %}{% if x %}{% endraw %}"}, ("error", "unresolved variable")),
    ],
)
def test_a_planted_fault_is_found_and_nothing_else(planted: dict[str, Any], finding: tuple[str, str]) -> None:
    assert found(mail(**planted)) == {finding}


def test_an_image_without_alt_is_named_by_its_address() -> None:
    (finding,) = check(mail(SOURCE.replace(" alt='{{ hero.alt }}'", "")), SENDER, UNSUBSCRIBE)
    assert finding == Finding("error", "image", "has no alt: https://shop.example/i/1.png")


def test_a_sign_in_an_alt_text_does_not_hide_what_follows_it() -> None:
    source = SOURCE.replace("alt='{{ hero.alt }}'", "alt='a > b'")
    assert found(mail(source)) == set()
    assert found(mail(source.replace("height='450'", ""))) == {("error", "image")}


@pytest.mark.parametrize(
    ("subject", "finds"), [("x" * 200, set()), ("x" * 201, {("error", "subject")}), ("", {("error", "subject")})]
)
def test_a_subject_has_one_to_two_hundred_characters(subject: str, finds: set[tuple[str, str]]) -> None:
    assert found(replace(mail(), subject=subject)) == finds


def test_size_is_counted_in_bytes_and_102_kb_are_not_too_many() -> None:
    sound = mail()
    space = 102 * 1024 - len(sound.html.encode())
    assert found(replace(sound, pieces=(sound.html + "x" * space,))) == set()
    assert found(replace(sound, pieces=(sound.html + "x" * (space + 1),))) == {("warning", "size")}


ADDRESSES = [
    "Linden & Vale, 14 O'Connell St, Galway",
    'The "Old" Mill, Łódź <2>',
    "Königstraße 1, 10115 Berlin, Ünited & Çő.",
    "1 Rue de l’Été, 75001 Paris",
    "東京都千代田区1-1",
    "&amp; Sons, 1 Main St",
]


@pytest.mark.parametrize("inlined", [True, False])
@pytest.mark.parametrize("address", ADDRESSES)
def test_a_postal_address_is_found_whatever_signs_are_in_it(address: str, inlined: bool) -> None:
    sender = replace(SENDER, postal_address=address)
    assert found(mail(sender=sender, inlined=inlined), sender) == set()
    assert found(shipped_mail("announcement", sender=sender, inlined=inlined), sender) == set()


@given(address=st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S")), min_size=1, max_size=20))
def test_any_postal_address_is_found_when_it_is_there_and_missed_when_it_is_not(address: str) -> None:
    sender = replace(SENDER, postal_address=f"1 {address}")
    assert found(mail(sender=sender), sender) == set()
    gone = mail(SOURCE.replace("{{ sender.postal_address }}", ""), sender=sender)
    assert found(gone, sender) == {("error", "postal address")}


@pytest.mark.parametrize("address", ["", "  "])
def test_a_sender_without_a_postal_address_may_not_send(address: str) -> None:
    sender = replace(SENDER, postal_address=address)
    assert ("error", "postal address") in found(mail(sender=sender), sender)


@pytest.mark.parametrize(
    "title",
    [
        "{{ Curly }} Shampoo",
        "{% off %} Soap",
        "undefined",
        "Cream {{",
        "{#1} Balm",
        "hpMARK00000hp",
        "{{ hero.title }}",
        "%}",
    ],
)
def test_a_product_may_be_called_anything(title: str) -> None:
    assert found(mail(title=title)) == set()
    assert found(shipped_mail("picked-for-you", title=title, alt=title, brand=title, description=title)) == set()


@pytest.mark.parametrize(
    "words", ["Hello {{ subscriber.given_name }}", "{{ hero.title", "{% if picks %}More{% endif %}"]
)
def test_braces_in_what_a_marketer_wrote_would_be_read_as_they_are(words: str) -> None:
    assert ("error", "unresolved variable") in found(shipped_mail("announcement", variables={"message": words}))
    assert ("error", "unresolved variable") in found(shipped_mail("announcement", variables={"headline": words}))


def test_braces_in_words_that_are_not_shown_stop_nothing() -> None:
    assert found(mail(variables={"not_used": "{{ nothing }}"})) == set()
    assert found(mail(SOURCE + "{{ campaign.used }}", variables={"used": "{{ nothing }}"})) == {
        ("error", "unresolved variable")
    }


def test_errors_come_before_warnings() -> None:
    findings = check(mail(subject="", preheader="", plain="x"), SENDER, UNSUBSCRIBE)
    assert [finding.severity for finding in findings] == ["error", "error", "warning"]
