"""More than 500 naughty strings in every field that is merged into a mail: the mail stays the one that was meant."""

import email
import email.policy
import os
import re
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from email.header import decode_header, make_header
from email.utils import parseaddr
from functools import cache
from pathlib import Path

import pytest
from lxml import html as lxml_html
from sqlalchemy import select

from campaigns.errors import CampaignInvalid
from campaigns.letters import Letter, Row, Writer
from campaigns.mime import LONGEST_HEADER
from engine.catalog import PRODUCT_COLUMNS, Product, clean_text, import_products
from engine.render import cards
from engine.render.checks import check
from subscribers import roster
from subscribers.addresses import usable
from subscribers.csv_files import CsvFile
from subscribers.database import reading, writing
from subscribers.errors import AddressInvalid
from subscribers.import_report import ImportReport
from subscribers.models import Subscriber
from tests.campaigns.naughty import FAMILIES, ORIGIN, strings
from tests.engine.mails import SENDER, card, content, shipped_content

pytestmark = pytest.mark.slow  # each is quick, but there are many

DATE = datetime(2026, 6, 1, 12, tzinfo=UTC)
HEADERS = [
    *("From", "To", "Subject", "Date", "Message-ID", "List-Unsubscribe", "List-Unsubscribe-Post"),
    *("MIME-Version", "Content-Type"),
]
LINK = f"https://shop.example/u/{'t' * 60}"
CHROMIUM = Path("/usr/bin/chromium")
SMALL = (
    '<p class="w">{{ campaign.words }}</p><img src="https://shop.example/x.png" alt="{{ campaign.words }}" width="1" '
    'height="1"><a href="{{ links.unsubscribe }}" title="{{ campaign.words }}">no</a><p>{{ sender.name }}</p>'
    "<p>{{ sender.postal_address }}</p>"
)
NOT_FOR_HEADERS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\u2028\u2029\ud800-\udfff]")  # \t and \n are white space


def row(
    text: str = "Ana", *, address: str = "ana@example.com", picks: tuple[tuple[int, str], ...] = ((1, "Good"),)
) -> Row:
    return Row(address, text, "en", "", picks, "number@shop.example", "t" * 60)


def one_line(text: str) -> str:
    return " ".join(text.split())


def same_lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def fits(line: str) -> bool:
    """Whether a text can be a subject or a name: everything but control characters and half characters."""
    return not NOT_FOR_HEADERS.search(line) and not (line.isascii() and "=?" not in line and len(line) > 900)


def judge(letter: Letter, *, subject: str, sender: str = SENDER.name, to: str = "ana@example.com") -> None:
    """Everything a mail must be, once parsed, whatever was merged into it."""
    head = letter.message.partition(b"\r\n\r\n")[0]
    assert [line.partition(b":")[0].decode() for line in head.split(b"\r\n") if line[:1] not in b" \t"] == HEADERS
    assert max(map(len, head.split(b"\r\n"))) <= LONGEST_HEADER
    assert f"\r\nList-Unsubscribe: <{LINK}>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n".encode() in head
    message = email.message_from_bytes(letter.message, policy=email.policy.default)
    assert message.keys() == HEADERS
    assert not message.defects
    (recipient,) = message["To"].addresses
    assert recipient.addr_spec.encode("utf-8", "surrogateescape").decode() == to  # RFC 6532: UTF-8 as it is
    (origin,) = message["From"].addresses
    # without spaces: Python 3.11 puts some between the encoded words of a name, which RFC 2047 section 6.2 forbids
    assert (origin.addr_spec, "".join(origin.display_name.split())) == (SENDER.address, "".join(sender.split()))
    assert str(message["Subject"]) == subject
    parts = [part.get_payload(decode=True).decode() for part in message.iter_parts()]
    assert [same_lines(part) for part in parts] == [same_lines(letter.mail.text), same_lines(letter.mail.html)]
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]
    old = email.message_from_bytes(letter.message)
    assert old.keys() == HEADERS
    assert str(make_header(decode_header(old["Subject"]))) == subject
    name, address = parseaddr(str(old["From"]).replace("\r\n", ""))
    assert (one_line(str(make_header(decode_header(name)))), address) == (one_line(sender), SENDER.address)
    assert old["List-Unsubscribe"] == f"<{LINK}>"
    assert len(old.get_payload()) == 2
    assert re.sub(rb"\r\n", b"", letter.message).count(b"\n") == re.sub(rb"\r\n", b"", letter.message).count(b"\r") == 0


def skeleton(html: str) -> Counter[tuple[str, ...]]:
    """Elements with their attributes' names."""
    nodes = (node for node in lxml_html.document_fromstring(html).iter() if isinstance(node.tag, str))
    return Counter((str(node.tag), *map(str, sorted(node.attrib))) for node in nodes)


def products(text: str) -> dict[str, str]:
    return dict.fromkeys(("title", "brand", "description", "alt"), text)


@cache
def shipped_writer() -> Writer:
    """Product n is made of string n; the subject is its title."""
    made = {number: card(number, **products(text)) for number, text in enumerate(strings(), start=1)} | {0: card(0)}
    line = {"subject": "{{ hero.title }}", "preheader": "{{ hero.reason }} {{ subscriber.given_name }}"}
    return Writer(shipped_content("picked-for-you", **line, defaults=_defaults() | line), made, date=DATE)


@cache
def _defaults() -> dict[str, str]:
    return dict(shipped_content("picked-for-you").defaults)


@cache
def sound() -> Counter[tuple[str, ...]]:
    """The elements of a mail in which all the words are words."""
    return skeleton(shipped_writer().write(row(picks=((0, "Good"), (0, "Good")))).mail.html)


def test_there_are_more_than_five_hundred_and_each_family_adds_some():
    assert len(strings()) > 500
    assert len(set(strings())) == len(strings())
    for number, family in enumerate(FAMILIES):
        others = {text for other in FAMILIES[:number] for text in other()}
        assert len(set(family()) - others) >= 8, family


@pytest.mark.slow
def test_in_a_name_a_product_and_a_reason():
    """Raw, as if nothing had been cleaned at import: the mail is as meant, or it is refused."""
    refused = 0
    for number, text in enumerate(strings(), start=1):
        line = one_line(text)
        if not fits(line) or _halved(text):
            with pytest.raises(CampaignInvalid):
                shipped_writer().write(row(text, picks=((number, text), (number, text))))
            refused += 1
            continue
        letter = shipped_writer().write(row(text, picks=((number, text), (number, text))))
        judge(letter, subject=line)
        assert not skeleton(letter.mail.html) - sound(), text
        _reads_as_meant(letter, text)
    assert refused < 120


def _halved(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)


def _reads_as_meant(letter: Letter, text: str) -> None:
    """The words stand in the mail as they were, in HTML and in text."""
    if "\x00" in text or _halved(text) or any(character < " " and character not in "\t\n\r\f" for character in text):
        return  # parsers replace them, each by something else
    tree = lxml_html.document_fromstring(letter.mail.html)
    pictures = [one_line(node.get("alt") or "") for node in tree.iter("img")]
    assert one_line(text) in pictures
    assert one_line(text) in one_line(tree.text_content())
    assert one_line(text) in one_line(letter.mail.text)


@pytest.mark.slow
def test_in_a_variable_the_subject_and_the_senders_name():
    for text in strings():
        line = one_line(text)
        sender = replace(SENDER, name=text)
        lines = {"subject": "{{ campaign.words }}", "preheader": "{{ campaign.words }}"}
        given = {"plain": "{{ campaign.words }}\n{{ links.unsubscribe }}", "variables": {"words": text}, **lines}
        if fits(line) and not _halved(text):
            letter = Writer(content(SMALL, **given), {1: card(1)}, date=DATE).write(row())
            judge(letter, subject=line)
            assert skeleton(letter.mail.html) == skeleton(SMALL)
        else:
            with pytest.raises(CampaignInvalid):
                Writer(content(SMALL, **given), {1: card(1)}, date=DATE).write(row())
        given |= {"variables": {"words": "x"}, "sender": sender}
        if fits(text) and not re.search(r"[\r\n]", text):
            letter = Writer(content(SMALL, **given), {1: card(1)}, date=DATE).write(row())
            judge(letter, subject="x", sender=text)
            assert skeleton(letter.mail.html) == skeleton(SMALL)
        else:
            with pytest.raises(CampaignInvalid):
                Writer(content(SMALL, **given), {1: card(1)}, date=DATE).write(row())


@pytest.fixture
def imported(database, write_csv, tmp_path, now, secrets):
    """(names, products) as they get in by import: all strings as given names and as titles, brands and descriptions."""

    def bring(header, rows, columns, load):
        lines = [header, *rows]
        cells = [",".join('"' + cell.replace('"', '""') + '"' for cell in line) for line in lines]
        path = write_csv("\r\n".join(cells).encode("utf-8", "surrogatepass"))
        source = CsvFile(path, columns)
        with writing(database) as session, ImportReport(source, tmp_path / "rejects.csv") as report:
            load(session, source, report)
        return report

    people = [(f"p{number}@example.com", text, "yes") for number, text in enumerate(strings())]
    goods = [
        (f"P{number}", text, "https://shop.example/p", "1 EUR", "in stock", text, text)
        for number, text in enumerate(strings())
    ]
    reports = [
        bring(
            ("address", "given_name", "mail"),
            people,
            roster.SUBSCRIBER_COLUMNS,
            lambda session, source, report: roster.import_subscribers(session, source, report, secrets, now=now),
        ),
        bring(
            ("id", "title", "link", "price", "availability", "description", "brand"),
            goods,
            PRODUCT_COLUMNS,
            lambda session, source, report: import_products(session, source, report, now=now),
        ),
    ]
    with reading(database) as session:
        names = session.scalars(select(Subscriber.given_name).order_by(Subscriber.id)).all()
        return names, session.scalars(select(Product)).all(), reports


@pytest.mark.slow
def test_what_an_import_lets_in_never_stops_a_run(imported):
    """The promise that counts: of what is in the database every mail can be made, and has nothing wrong with it."""
    names, goods, reports = imported
    assert [report.counts["added"] for report in reports] == [len(names), len(goods)]
    assert len(names) > 600
    assert len(goods) > 450  # titles may have 150 characters
    made = {product.sku_id: cards.card(product, public_url="https://shop.example") for product in goods}
    line = {"subject": "{{ subscriber.given_name }}: {{ hero.title }}"}
    writer = Writer(shipped_content("picked-for-you", **line, defaults=_defaults() | line), made, date=DATE)
    for number, name in enumerate(names):
        product = goods[number % len(goods)]
        letter = writer.write(row(name, picks=((product.sku_id, product.title), (product.sku_id, product.brand))))
        judge(letter, subject=one_line(f"{name}: {product.title}"))
        found = check(letter.mail, SENDER, letter.unsubscribe_url, writer.known_hosts)
        assert [finding for finding in found if finding.check not in ("subject", "preheader")] == [], (
            name,
            product.title,
        )


def test_clean_text_leaves_nothing_that_a_header_refuses():
    assert not [text for text in strings() if NOT_FOR_HEADERS.search(clean_text(text))]


@pytest.mark.parametrize("text", ["a\r\nBcc: x@evil.example", "\x00", "a\x1b", "\ud800", "a\u2028b", "\x7f"])
@pytest.mark.parametrize("place", ["name", "address"])
def test_what_cannot_be_put_in_a_header_is_refused_and_not_altered(text, place):
    with pytest.raises(CampaignInvalid):
        Writer(
            content(SMALL, variables={"words": "x"}, sender=replace(SENDER, **{place: text})), {1: card(1)}, date=DATE
        ).write(row())


def test_to_whom_a_mail_goes():
    """Each string as an address, alone and as a part of one: no address, or the one recipient."""
    writer = Writer(
        content(SMALL, plain="x {{ links.unsubscribe }}", variables={"words": "x"}), {1: card(1)}, date=DATE
    )
    taken = 0
    for text in strings():
        for address in (text, f"{text}@example.com", f"ana@{text}", f"ana@example.com{text}", f"{text}ana@example.com"):
            try:
                good = usable(address)
            except AddressInvalid:
                continue
            if "=?" in good:
                continue  # below
            taken += 1
            judge(writer.write(row(address=good)), subject="Product 1", to=good)
    assert taken > 100


@pytest.mark.parametrize("local", ["=?utf-8?q?x=40evil.example=2C?=", "a=?utf-8?q?b?="])
def test_an_encoded_word_is_no_address(local):
    with pytest.raises(AddressInvalid):
        usable(f"{local}@example.com")


@pytest.mark.slow
@pytest.mark.browser
def test_in_a_browser_nothing_runs_and_nothing_else_is_asked_for():
    """Every mail in Chromium, with all that it asks for written down: the pictures it names, and nothing besides."""
    if not CHROMIUM.exists():
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("there is no Chromium")
    from playwright.sync_api import sync_playwright

    writer, letters = shipped_writer(), {}
    for number, text in enumerate(strings(), start=1):
        try:
            letter = writer.write(row(text, picks=((number, text), (number, text))))
        except (CampaignInvalid, UnicodeError):
            continue
        letters[f"https://mail.example/{number}"] = letter.mail.html
    named = {f"https://shop.example/i/{number}.png" for number in range(1, len(strings()) + 1)}
    asked, wrong = list[str](), list[str]()

    def answer(route):
        url = route.request.url
        if url in letters:
            route.fulfill(body=letters[url], content_type="text/html; charset=utf-8")
            return
        asked.append(url)
        route.fulfill(body="", content_type="image/png")

    with sync_playwright() as playwright:
        quiet = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=quiet)
        page = browser.new_page()
        page.route("**/*", answer)
        page.on("dialog", lambda dialog: (wrong.append(f"dialog {dialog.message}"), dialog.dismiss()))
        page.on("console", lambda message: message.type == "error" and wrong.append(message.text))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("popup", lambda popup: wrong.append(f"popup {popup.url}"))
        for url in letters:
            page.goto(url, wait_until="load")
            assert page.url == url
            state = page.evaluate(_STATE)
            assert state == {"pwned": False, "active": 0, "handlers": 0, "odd": []}, url
        # the guard itself: what the test would say if something got through
        letters["https://mail.example/bad"] = f"<img src='{ORIGIN}/x' onerror='window.__pwned=1'>"
        before, strange = wrong[:], [url for url in asked if url not in named]
        page.goto("https://mail.example/bad", wait_until="load")
        assert f"{ORIGIN}/x" in asked
        assert page.evaluate(_STATE)["pwned"]
        browser.close()
    assert [entry for entry in before if "favicon" not in entry] == []
    assert [url for url in strange if not url.endswith("/favicon.ico")] == []
    assert len(letters) > 500
    assert set(asked) & named


_STATE = """() => {
  const all = [...document.querySelectorAll('*')];
  return {
    pwned: window.__pwned !== undefined,
    active: document.querySelectorAll('script, iframe, object, embed, base, form, svg, math, input, video').length,
    handlers: all.filter(node => [...node.attributes].some(attribute => attribute.name.startsWith('on'))).length,
    odd: all.flatMap(node => ['href', 'src'].map(name => node.getAttribute(name))).filter(
      address => address && !address.startsWith('https://shop.example')),
  };
}"""
