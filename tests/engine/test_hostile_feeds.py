"""Product feeds by people who mean harm: harmless text in the mail, or refused by line and column; the rest gets in."""

import csv
import time
import unicodedata
from collections import Counter

import pytest
from lxml import html as lxml_html
from sqlalchemy import select

from engine.catalog import PRODUCT_COLUMNS, Product, clean_text, import_products
from engine.render import cards
from engine.render.checks import check
from engine.render.compose import Composer
from engine.render.inspection import host_of
from subscribers.csv_files import CsvFile
from subscribers.database import reading, writing
from subscribers.import_report import ImportReport
from tests.engine.mails import SENDER, UNSUBSCRIBE, recipient, shipped_content

pytestmark = pytest.mark.slow  # quick one by one, but there are many


GOOD = {
    "id": "OIL",
    "title": "Rosehip Face Oil",
    "link": "https://shop.example/oil",
    "price": "24.50 EUR",
    "availability": "in stock",
    "description": "For dry skin.",
    "image_link": "https://shop.example/oil.png",
    "product_type": "Oils",
    "brand": "Oat",
    "labels": "vegan",
}
TEXTS = ("title", "description", "brand", "product_type", "labels")
HOSTS = frozenset({"shop.example"})

MARKUP = [
    *[
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "</td></tr></table><h1>x",
        "</title><script>x</script>",
    ],
    *[
        '"><svg/onload=alert(1)>',
        "' onmouseover='alert(1)",
        "<!-- x",
        "--><b>x",
        "<style>*{display:none}</style>",
        "<![CDATA[",
    ],
    *[
        "&lt;b&gt;x&lt;/b&gt;",
        "&#60;script&#62;",
        "{{ 7 * 7 }}",
        "{% include 'x' %}",
        "<base href=//evil.example>",
        "]]>",
    ],
    *[
        "<a href='javascript:alert(1)'>x</a>",
        "<meta http-equiv=refresh content=0>",
        "<iframe srcdoc=x>",
        "<![endif]-->",
    ],
    *[
        "<plaintext>",
        "<math><mtext></p>",
        "\\u003cscript>",
        "+ADw-script+AD4-",
        "<form action=x><input>",
        "%3Cscript%3E",
    ],
]
UNSEEN = [
    *[
        "Oil \u202ecod.exe",
        "\u2066Oil\u2069",
        "O\u200bi\u200dl",
        "\u200fOil\u061c",
        "Oil\ufeff",
        "\u2028Oil\u2029",
        "\x1b[2JOil",
    ],
    *["Oil\x07\x08", "\U000e0041Oil\U000e007f", "Oil\x85", "\ufff9Oil\ufffb", "Oil\x9b31m", "\u2063Oil\u206f"],
]
ZALGO = "O" + "\u0301\u0327\u0489" * 40 + "il"
LINKS = [
    *[
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "java\tscript:alert(1)",
        "\x01javascript:alert(1)",
        "\x0bjavascript:x",
    ],
    *[
        "&#106;avascript:alert(1)",
        "javascript&colon;alert(1)",
        "javascript://shop.example/%0aalert(1)",
        "data:text/html,x",
    ],
    *[
        "DATA:text/html;base64,eA==",
        "vbscript:msgbox(1)",
        "file:///etc/passwd",
        "blob:https://shop.example/x",
        "about:blank",
    ],
    *[
        "https:\\\\evil.example",
        "https:/\\evil.example",
        "https:evil.example",
        "https:///evil.example",
        "//evil.example",
    ],
    *["https://shop@evil.example/", "https://shop.example:x@evil.example/", "https://shop.example\\@evil.example/"],
    *[
        "https://shop.example\uff0f@evil.example/",
        "https://shop.example\uff03.evil.example/",
        "https://evil\u2100.example/",
    ],
    *[
        "https://shop.example\u202e/",
        "https://\u202eelpmaxe.pohs/",
        "https://shop\u200b.example/",
        "https://shop.example/\x00",
    ],
    *[
        "https://sh\u043ep.example/",
        "https://\u0430pple.example/x",
        "https://p\u03b1y.example/",
        "https://shop.example/\ud800",
    ],
    *[
        "https://shop.example%2eevil.example/",
        "https://shop.example%0d%0a.evil.example/",
        "https:// shop.example/",
        "https://-/",
    ],
    *[
        'https://shop.example/"onmouseover=x',
        "https://shop.example/'x",
        "https://shop.example/<x>",
        "https://shop.example:999999/",
    ],
    *[
        "https://shop.example/" + "x" * 2_000,
        "https://shop.example/a b",
        "https://.example/",
        "https://shop..example/",
        "https://shop.example/\u202egpj.exe",
    ],
]
HARMLESS = [
    *["https://shop.example/%0d%0aBcc:x", "https://shop.example/?next=javascript:alert(1)"],
    *[
        "https://shop.example/%22onload=x",
        "https://shop.example/{{7*7}}",
        "https://shop.example/?a=1&lt=2&amp;b=&#106;",
    ],
    *[
        "https://shop.example/ö?q=ü",
        "https://shop.example/%",
        "https://shop.example/;a=(b)*c|d^e",
        "https://shop.example./",
    ],
]


@pytest.fixture
def bring(database, write_csv, tmp_path, now):
    """Imports rows, given as differences from a good one; answers the report. Cells may hold anything."""

    def bring(*rows):
        path = write_csv("")
        with path.open("w", encoding="utf-8", newline="", errors="surrogatepass") as stream:
            lines = csv.writer(stream)
            lines.writerow(GOOD)
            lines.writerows((GOOD | {"id": f"P{number}"} | row).values() for number, row in enumerate(rows))
        source = CsvFile(path, PRODUCT_COLUMNS)
        with writing(database) as session, ImportReport(source, tmp_path / "rejects.csv") as report:
            import_products(session, source, report, now=now)
        return report

    return bring


@pytest.fixture
def products(database):
    def products() -> list[Product]:
        with reading(database) as session:
            return sorted(session.scalars(select(Product)), key=lambda product: (len(product.code), product.code))

    return products


def mails_of(products, name="picked-for-you"):
    """A mail with each product, as hero and as a pick."""
    made = {product.sku_id: cards.card(product, public_url="https://shop.example") for product in products}
    composer = Composer(shipped_content(name), made)
    return [composer.compose(recipient(number, number)) for number in made]


def skeleton(html):
    """All elements with their attributes' names: what a template alone may decide."""
    return Counter(
        (str(node.tag), *sorted(node.attrib))
        for node in lxml_html.document_fromstring(html).iter()
        if isinstance(node.tag, str)
    )


def schemes(html):
    """What links and pictures lead to, as a browser reads it."""
    tree = lxml_html.document_fromstring(html)
    found = [
        value for node in tree.iter() for name, value in node.attrib.items() if name in ("href", "src", "background")
    ]
    return {"".join(value.split()).partition(":")[0].lower() for value in found}


@pytest.fixture
def sound(bring, products):
    bring({"description": "Words"})
    return skeleton(mails_of(products())[0].html)


@pytest.mark.parametrize("column", TEXTS)
def test_hostile_text_is_text_in_the_mail(bring, products, sound, column):
    hostile = [*MARKUP, *UNSEEN, ZALGO]
    report = bring(*({"id": f"H{number}", column: text} for number, text in enumerate(hostile)))
    assert report.rejected == 0
    made = [product for product in products() if product.code.startswith("H")]
    assert len(made) == len(hostile)
    for product, mail, text in zip(made, mails_of(made), hostile, strict=True):
        assert skeleton(mail.html) == sound, text
        assert schemes(mail.html) == {"https"}, text
        assert check(mail, SENDER, UNSUBSCRIBE, HOSTS) == [], text
        assert str(getattr(product, column)).isprintable()
        shown = " ".join(lxml_html.document_fromstring(mail.html).text_content().split())
        assert column in ("product_type", "labels") or getattr(product, column) in shown


def test_markup_is_kept_as_it_was_written(bring, products):
    bring(*({"title": text} for text in MARKUP))
    assert [product.title for product in products()] == MARKUP


@pytest.mark.parametrize("column", ["link", "image_link"])
def test_a_hostile_link_is_refused_with_line_and_column(bring, products, column):
    report = bring(*({column: link} for link in LINKS), {"id": "LAST"})
    assert (report.rejected, report.counts["added"]) == (len(LINKS), 1)
    assert [product.code for product in products()] == ["LAST"]
    assert all(example.startswith(f"line {2 + number}: {column} ") for number, example in enumerate(report.examples))


@pytest.mark.parametrize("column", ["link", "image_link"])
@pytest.mark.parametrize("link", LINKS)
def test_each_hostile_link_by_itself_with_a_reason(bring, products, column, link):
    report = bring({column: link}, {"id": "LAST"})
    (said,) = report.examples
    assert said.startswith(f"line 2: {column} ")
    assert said.isprintable()
    assert len(said) < 300
    assert [product.code for product in products()] == ["LAST"]


def test_odd_links_that_do_no_harm_are_kept_and_lead_where_they_say(bring, products, sound):
    report = bring(*({"id": f"H{number}", "link": link, "image_link": link} for number, link in enumerate(HARMLESS)))
    assert not report.rejected
    made = [product for product in products() if product.code.startswith("H")]
    assert [product.link for product in made] == HARMLESS
    for mail in mails_of(made):
        assert skeleton(mail.html) == sound
        tree = lxml_html.document_fromstring(mail.html)
        assert {host_of(node.get("href")).rstrip(".") for node in tree.iter("a")} == {"shop.example"}
        assert check(mail, SENDER, UNSUBSCRIBE, HOSTS | {"shop.example."}) == []


def test_hosts_in_letters_of_one_script_are_kept(bring):
    links = ["https://магазин.example/", "https://κατάστημα.example/", "https://bücher.example/", "https://店.example/"]
    assert not bring(*({"link": link} for link in links)).rejected


@pytest.mark.parametrize("column", [*TEXTS, "link", "image_link", "price", "availability", "id"])
@pytest.mark.parametrize(
    "text", ["x" * 1_000_000, "<b>" * 333_333, "é\u0301" * 500_000, "{{" * 500_000, "\u202e" * 333_333]
)
def test_a_megabyte_in_a_cell_is_refused_in_a_moment(bring, products, column, text):
    begun = time.process_time()
    report = bring({column: text}, {"id": "LAST"})
    assert time.process_time() - begun < 1
    assert report.rejected == 1
    assert report.examples[0].startswith(f"line 2: {column} ")
    assert len(report.examples[0]) < 300
    assert [product.code for product in products()] == ["LAST"]


@pytest.mark.parametrize("column", [*TEXTS, "link"])
@pytest.mark.parametrize(("text", "reason"), [("Oil\x00", "has a NUL byte"), ("Oil\ud800", "is not UTF-8")])
def test_what_is_no_text_is_refused(bring, products, column, text, reason):
    report = bring({column: text}, {"id": "LAST"})
    assert report.examples[0].startswith(f"line 2: {column} ")
    assert reason in report.examples[0]
    assert [product.code for product in products()] == ["LAST"]


@pytest.mark.parametrize(
    "text", ["\u0301" * 49_000, "a\u0301" * 24_000, "\u2026" * 49_000, "\u200b" * 49_000, "—\u0301" * 24_000]
)
def test_the_longest_cell_there_may_be_is_cleaned_in_a_moment(text):
    begun = time.process_time()
    clean_text(text)
    assert time.process_time() - begun < 0.5


def test_marks_do_not_pile_up_and_real_words_are_left_alone():
    assert clean_text(ZALGO) == "O\u0301\u0327\u0489\u0301il"
    assert clean_text("ส" + "\u0e47" * 30) == "ส" + "\u0e47" * 4
    for words in [
        "crème brûlée",
        "Việt Nam " + unicodedata.normalize("NFD", "Thiết bị"),
        "שָׁלוֹם",
        "हिन्दी",
        "ภาษาไทย",
        "…—“”„",
    ]:
        assert clean_text(words) == words


@pytest.mark.parametrize("text", ["\ud800", "Oil\udfff", "\udbff\udc00"])
def test_half_a_character_never_gets_through(text):
    clean_text(text).encode()
