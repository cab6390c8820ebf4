"""What stops a send: each finding where its cause is planted, and no finding where it is not."""

from dataclasses import replace
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.render import inspection
from engine.render.checks import check
from engine.render.compose import Composer
from engine.render.content import Mail, Sender
from engine.render.inline import InlinePath
from engine.render.inspection import Finding, host_of
from engine.render.markup import MarkupReader, Place
from engine.render.wellformed import nesting
from tests.engine.mails import FOLDERS, SENDER, UNSUBSCRIBE, card, composer, recipient, shipped_content

SOURCE = (
    "<p>{{ hero.title }}</p><img src='{{ hero.image }}' alt='{{ hero.alt }}' width='600' height='450'>"
    "<a href='{{ links.unsubscribe }}'>no</a><p>{{ sender.postal_address }}</p>"
)
PLAIN = "{{ hero.title }}, picked for your skin\n{{ links.unsubscribe }}\n{{ sender.postal_address }}"
HOSTS = frozenset({"shop.example"})


UNSUBSCRIBES, POSTAL, EMPTY = ("error", "unsubscribe link"), ("error", "postal address"), ("warning", "empty element")
ELSEWHERE = "<link rel='help' href='{{ links.unsubscribe }}'>"
COMMENTED = "<!--[if mso]><a href='{{ links.unsubscribe }}'>no</a><![endif]-->"
DECORATION = "<img src='https://shop.example/x.png' alt='' role='presentation' width='1' height='1'>"


def mail(source: str = SOURCE, *, title: str = "Rose Cream", sender: Sender = SENDER, **changes: Any) -> Mail:
    cards = {1: card(1, title=title, alt=title, **changes.pop("card", {}))}
    return composer(source, **{"plain": PLAIN, "sender": sender, "cards": cards} | changes).compose(recipient())


def found(mail: Mail, sender: Sender = SENDER) -> set[tuple[str, str]]:
    return {(finding.severity, finding.check) for finding in check(mail, sender, UNSUBSCRIBE)}


def shipped_mail(name: str, *, inlined: bool = True, **changes: Any) -> Mail:
    given = {key: changes.pop(key) for key in ("variables", "sender") if key in changes}
    path = {} if inlined else {"path": InlinePath.EACH, "places": ()}
    cards = {number: card(number, **changes) for number in range(1, 13)}
    return Composer(shipped_content(name, **given, **path), cards).compose(recipient(*cards))


@pytest.mark.parametrize("name", FOLDERS.names())
def test_a_shipped_mail_has_nothing_wrong_with_it(name: str) -> None:
    assert check(shipped_mail(name), SENDER, UNSUBSCRIBE, HOSTS) == []


def test_the_sound_mail_of_these_tests_has_nothing_wrong_with_it() -> None:
    assert found(mail()) == set()


@pytest.mark.parametrize(
    ("planted", "finding"),
    [
        ({"source": SOURCE.replace("{{ links.unsubscribe }}", "{{ links.home }}")}, ("error", "unsubscribe link")),
        (
            {"source": SOURCE.replace("<a href='{{ links.unsubscribe }}'>no</a>", "{{ links.unsubscribe }}")},
            UNSUBSCRIBES,
        ),
        ({"source": SOURCE.replace("<a href='{{ links.unsubscribe }}'>no</a>", ELSEWHERE)}, UNSUBSCRIBES),
        ({"source": SOURCE.replace("<a href='{{ links.unsubscribe }}'>no</a>", COMMENTED)}, UNSUBSCRIBES),
        ({"plain": PLAIN.replace("{{ links.unsubscribe }}", "")}, UNSUBSCRIBES),
        ({"plain": PLAIN.replace("{{ sender.postal_address }}", "")}, ("error", "postal address")),
        ({"plain": "Hi {{ links.unsubscribe }} {{ sender.postal_address }}"}, ("error", "text part")),
        ({"plain": PLAIN + "\n" + "ä" * 500}, ("warning", "text part")),
        ({"preheader": "x" * 141}, ("warning", "preheader")),
        ({"preheader": "{{ subject|upper }}!"}, ("warning", "preheader")),
        ({"source": SOURCE + "<!-- {{ sender.postal_address }} --><td>x</td>"}, ("error", "html")),
        (
            {"source": SOURCE.replace("<p>{{ sender.postal_address }}</p>", "<!-- {{ sender.postal_address }} -->")},
            POSTAL,
        ),
        ({"source": SOURCE.replace("{{ sender.postal_address }}", "<!-- {{ sender.postal_address }} -->x")}, POSTAL),
        ({"source": SOURCE + "<a href='#'>x</a>"}, ("error", "link")),
        ({"source": SOURCE + "<a href=''>x</a>"}, ("error", "link")),
        ({"source": SOURCE + "<a href='{{ links.home }}'> </a>"}, ("error", "link")),
        ({"source": SOURCE + "<a href='{{ links.home }}'>" + DECORATION + "</a>"}, ("error", "link")),
        ({"source": SOURCE + "<table background='http://shop.example/x'></table>"}, ("warning", "link")),
        ({"source": SOURCE + "<div style='background: url(javascript:x)'>x</div>"}, ("error", "link")),
        ({"source": SOURCE + "<style>p { background: url(//x.example/x) }</style>"}, ("error", "link")),
        ({"source": SOURCE + "<!--[if mso]><v:rect href='javascript:x'></v:rect><![endif]-->"}, ("error", "link")),
        (
            {"source": SOURCE + "<h2>{{ campaign.empty }}</h2>", "variables": {"empty": " "}},
            ("warning", "empty element"),
        ),
        ({"source": SOURCE + "<p class='price'>{{ campaign.empty }}</p>", "variables": {"empty": ""}}, EMPTY),
        ({"source": SOURCE + "<i id='a'>x</i><i id='a'>x</i>"}, ("warning", "html")),
        ({"source": SOURCE + "<p onclick='x'>x</p>"}, ("error", "active content")),
        ({"source": SOURCE + "<script>x</script>"}, ("error", "active content")),
        ({"source": SOURCE + "<meta http-equiv='Refresh' content='0'>"}, ("error", "active content")),
        ({"source": SOURCE.replace("width='600'", "width='wide'")}, ("error", "image")),
        ({"source": SOURCE.replace("alt='{{ hero.alt }}'", "role='presentation'")}, ("error", "image")),
        ({"source": SOURCE.replace("{{ sender.postal_address }}", "here")}, ("error", "postal address")),
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
    ("subject", "finds"),
    [
        ("x" * 70, set()),
        ("x" * 71, {("warning", "subject")}),
        ("x" * 200, {("warning", "subject")}),
        ("x" * 201, {("error", "subject")}),
        ("", {("error", "subject")}),
    ],
)
def test_a_subject_has_one_to_two_hundred_characters_and_better_seventy(
    subject: str, finds: set[tuple[str, str]]
) -> None:
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
    gone = mail(SOURCE.replace("{{ sender.postal_address }}", "here"), sender=sender)
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
    findings = check(mail(subject="", preheader="", plain="x" * 99), SENDER, UNSUBSCRIBE)
    assert [finding.severity for finding in findings] == ["error", "error", "error", "warning"]


def test_the_worst_mail_of_a_kind_weighs_most() -> None:
    sizes = [check(mail(SOURCE + "x" * size), SENDER, UNSUBSCRIBE)[0].weight for size in (110_000, 150_000)]
    subjects = [check(mail(subject="x" * size), SENDER, UNSUBSCRIBE)[0].weight for size in (80, 150)]
    assert 110_000 < sizes[0] < 150_000 < sizes[1]
    assert subjects == [80, 150]


def test_a_picture_that_is_decoration_and_says_so_needs_no_words() -> None:
    assert found(mail(SOURCE + DECORATION)) == set()


@pytest.mark.parametrize(
    "address",
    [
        *[
            "https://shop.example",
            "HTTPS://SHOP.example:8443/a?b=c#d",
            "http://127.0.0.1:8025/u/x",
            "http://localhost/",
        ],
        *["mailto:post@shop.example", "tel:+35391123456", "http://[::1]:8025/", "https://shöp.example/é"],
        "https://xn--shp-sna.example/?a=1&amp;b=%0A",
    ],
)
def test_an_address_that_a_mail_may_have(address: str) -> None:
    assert found(mail(SOURCE + f"<a href='{address}'>x</a>")) == set()


@pytest.mark.parametrize(
    "address",
    [
        *["javascript:alert(1)", "JavaScript:alert(1)", "java\tscript:alert(1)", "java&#10;script:alert(1)"],
        *[
            "\x01javascript:alert(1)",
            "&#106;avascript:alert(1)",
            "vbscript:x",
            "data:text/html,x",
            "file:///etc/passwd",
        ],
        *["//shop.example/", "/oil", "oil", "#top", "?a", "https:shop.example", "https:/shop.example", "https://"],
        *["https:\\\\evil.example", "https://shop.example\\@evil.example/", "https://shop@evil.example/"],
        *["https://shop.example:@evil.example/", "https://shop.example/a b", "https://shop.example/\u202e", "blob:x"],
        *[
            "cid:logo",
            "urn:x",
            "ftp://shop.example/",
            "ws://shop.example/",
            "intent://x",
            "about:blank",
            "view-source:x",
        ],
    ],
)
@pytest.mark.parametrize("place", ["a href", "img src", "td background"])
def test_an_address_that_no_mail_may_have(address: str, place: str) -> None:
    source = {
        "a href": f"<a href='{address}'>x</a>",
        "img src": f"<img src='{address}' alt='x' width='1' height='1'>",
        "td background": f"<table><tr><td background='{address}'>x</td></tr></table>",
    }[place]
    assert found(mail(SOURCE + source)) == {("error", "link")}


def test_http_is_a_warning_unless_on_this_machine() -> None:
    assert found(mail(SOURCE + "<a href='http://shop.example/'>x</a>")) == {("warning", "link")}
    assert found(mail(SOURCE + "<a href='http://localhost.shop.example/'>x</a>")) == {("warning", "link")}


def test_hosts_are_known_or_not() -> None:
    sound = mail(SOURCE + "<a href='https://evil.example/x'>x</a>")
    assert found(sound) == set()
    (finding,) = check(sound, SENDER, UNSUBSCRIBE, HOSTS)
    assert (finding.severity, finding.check) == ("warning", "unknown link")
    assert "evil.example" in finding.detail
    assert check(sound, SENDER, UNSUBSCRIBE, HOSTS | {"evil.example"}) == []
    assert host_of("https://sh%C3%B6p.example/") == host_of("https://SHÖP.example")


def test_another_persons_unsubscribe_link_is_not_ones_own() -> None:
    own = mail()
    assert check(own, SENDER, UNSUBSCRIBE) == []
    others = [*(check(own, SENDER, f"{UNSUBSCRIBE}{number}") for number in range(3)), check(own, SENDER, UNSUBSCRIBE)]
    assert [len(findings) for findings in others] == [2, 2, 2, 0]  # in the HTML and in the text part


def test_the_unsubscribe_link_may_have_any_signs_an_address_has() -> None:
    link = "https://shop.example/u?a=1&b='2'"
    made = composer(SOURCE.replace("'{{ links.unsubscribe }}'", '"{{ links.unsubscribe }}"'), plain=PLAIN)
    assert check(made.compose(recipient(unsubscribe_url=link)), SENDER, link) == []


def _cuts(html: str) -> list[int]:
    """Where a mail may be cut: in text, not between tags of raw text."""
    reader, places = MarkupReader(), []
    for position, character in enumerate(html):
        if reader.place is Place.TEXT:
            places.append(position)
        reader.read(character)
    return places


WRONG = [
    SOURCE,
    SOURCE + "<table><tr><td>a<td>b</table>",
    SOURCE + "<p>a<div>b</div></p>",
    SOURCE + "<a href='https://shop.example/'><b><a href='#'>x</a></b></a>",
    SOURCE + "<h1> <b> </b></h1><a href='https://shop.example/'><i></i></a><p></p><div><h2></h2></b>",
    SOURCE + "<ul>x<li id='a'>y</li></ul><p id='a'>&amp; <br></p>",
    SOURCE + "<!-- <p> --><style>p > a {}</style><!--[if mso]><img><![endif]--> a < b",
    SOURCE + "<a b='1' b='2'>x</a><h3></h3>",
    SOURCE + "</div><h3></h3>",
    SOURCE + '<p><a href="x>',
]


@pytest.mark.parametrize("source", [*WRONG, *FOLDERS.names()])
@settings(max_examples=25)
@given(data=st.data())
def test_a_mail_in_pieces_is_the_mail_in_one(source: str, data: st.DataObject) -> None:
    made = mail(source) if "<" in source else shipped_mail(source)
    html, text = made.html, made.text
    cuts = sorted(data.draw(st.sets(st.sampled_from(_places(html)), max_size=12)))
    pieces = tuple(html[start:end] for start, end in zip([0, *cuts], [*cuts, len(html)], strict=True))
    assert "".join(pieces) == html
    whole = check(replace(made, pieces=(html,), text_pieces=(text,)), SENDER, UNSUBSCRIBE, HOSTS)
    assert (
        check(replace(made, pieces=pieces, text_pieces=tuple(text.splitlines(True))), SENDER, UNSUBSCRIBE, HOSTS)
        == whole
    )


@cache
def _places(html: str) -> list[int]:
    return _cuts(html)


def test_what_is_known_of_a_piece_is_not_found_out_again(monkeypatch: pytest.MonkeyPatch) -> None:
    composer = Composer(shipped_content("picked-for-you"), {number: card(number) for number in range(1, 13)})
    mails = [
        (link, composer.compose(recipient(1, 2, 3, given_name=f"Ana {number}", unsubscribe_url=link)))
        for number, link in enumerate(["https://shop.example/u/one", "https://shop.example/u/two"])
    ]
    assert check(mails[0][1], SENDER, mails[0][0]) == []
    monkeypatch.setattr(inspection, "shape_of", None)
    before = nesting.cache_info().misses
    assert check(mails[1][1], SENDER, mails[1][0]) == []
    assert nesting.cache_info().misses == before


def test_what_is_known_does_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    known = inspection._Known()
    monkeypatch.setattr(inspection, "_KNOWN", known)
    monkeypatch.setattr(inspection, "MOST_KNOWN", 100_000)
    known.room = 100_000
    for number in range(100):
        check(mail(SOURCE + f"<p>{number}</p>" + "x" * 30_000), SENDER, UNSUBSCRIBE)
        assert sum(map(len, known)) <= 100_000
