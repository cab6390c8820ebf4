"""The reader's language: words, money, numbers and dates, whatever catalogues and imports bring."""

import os
import subprocess
import sys
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import StrictUndefined, UndefinedError
from markupsafe import Markup

from engine.errors import TemplateBroken
from engine.render.environment import SHIPPED, Sandbox
from engine.render.locale import Words, catalogues, negotiate, spoken

OFFERED = ("en", "de", "ar", "pt-BR", "zh-Hant")
HEADER = 'msgid ""\nmsgstr "Language: de\\nPlural-Forms: nplurals=2; plural=(n != 1);\\n"\n\n'


def german(*entries: tuple[str, str]) -> Words:
    """A German catalogue with these entries."""
    return Words("de", HEADER + "\n".join(f'msgid "{source}"\nmsgstr "{said}"\n' for source, said in entries))


def test_a_text_is_said_in_the_readers_language_and_else_as_it_stands() -> None:
    words = german(("Hello", "Hallo"), ("For %(name)s", "Für %(name)s"), ("Later", ""))
    assert words.gettext("Hello") == "Hallo"
    assert words.gettext("For %(name)s", name="Ana") == "Für Ana"
    assert words.gettext("Later") == "Later"
    assert words.gettext("Never heard") == "Never heard"
    assert Words("en").gettext("Hello") == "Hello"


@pytest.mark.parametrize("said", ["%(nme)s", "%(name)d", "%(name", "100%(", "%(name)s %(sender)s", "%()s"])
def test_a_wrong_placeholder_gives_the_source_and_no_crash(said: str) -> None:
    assert german(("For %(name)s", said)).gettext("For %(name)s", name="Ana") == "For Ana"


@pytest.mark.parametrize("text", ["10% off", "100 %", "%", "%s %d %%", "5%(five)", "50% for you"])
def test_a_percent_sign_stays_as_it_is(text: str) -> None:
    assert Words("en").gettext(text) == text
    assert german((text, text + "!")).gettext(text) == text + "!"
    assert Words("en").gettext(text + " %(name)s", name="Ana") == text + " Ana"


def test_what_is_put_in_is_not_read_again() -> None:
    assert Words("en").gettext("%(a)s %(b)s", a="%(b)s", b="%(a)s") == "%(b)s %(a)s"


def test_a_value_that_is_missing_undefined_or_no_text_is_named() -> None:
    with pytest.raises(ValueError, match="needs a value: name="):
        Words("en").gettext("For %(name)s")
    with pytest.raises(UndefinedError, match="given_nme"):
        Words("en").gettext("For %(name)s", name=StrictUndefined(name="given_nme"))
    with pytest.raises(TypeError, match="name is a dict"):
        Words("en").gettext("For %(name)s", name={})


@pytest.mark.parametrize("text", [Markup("<b>%(name)s</b>"), "<b>%(name)s</b>"])
def test_what_is_said_is_plain_text_and_escaped_once(text: str) -> None:
    words = Words("en")
    assert type(words.gettext(text, name=Markup("<i>"))) is str
    environment = Sandbox()
    environment.globals["_"] = words.gettext
    template = environment.from_string('{{ _("a & b, %(name)s", name=name) }}')
    assert template.render(name="<i>") == template.render(name=Markup("<i>")) == "a &amp; b, &lt;i&gt;"


@pytest.mark.parametrize(
    ("number", "english", "arabic"),
    [
        (0, "0 more", "وصل حديثًا: X"),
        (1, "one more", "وصل حديثًا: X ومنتج آخر"),
        (2, "2 more", "وصل حديثًا: X ومنتجان آخران"),
        (7, "7 more", "وصل حديثًا: X و7 منتجات أخرى"),
        (11, "11 more", "وصل حديثًا: X و11 منتجًا آخر"),
        (100, "100 more", "وصل حديثًا: X و100 منتج آخر"),
        (1200, "1,200 more", "وصل حديثًا: X و1,200 منتج آخر"),
    ],
)
def test_a_number_takes_the_form_of_its_language(number: int, english: str, arabic: str) -> None:
    forms = ("Just in: %(title)s and one more", "Just in: %(title)s and %(num)s more")
    assert Words("en").ngettext(*forms, number, title="X") == f"Just in: X and {english}"
    assert Words("ar", catalogues((SHIPPED,))["ar"]).ngettext(*forms, number, title="X") == arabic


@pytest.mark.parametrize(
    ("locale", "minor", "currency", "said"),
    [
        ("en", 2450, "EUR", "€24.50"),
        ("en", 245000, "JPY", "¥2,450"),
        ("en", 999, "CHF", "CHF 9.99"),
        ("de", 123450, "EUR", "1.234,50 €"),
        ("de-AT", 123450, "EUR", "€ 1.234,50"),
        ("de-CH", 123450, "CHF", "CHF 1’234.50"),
        ("en-GB", 5, "GBP", "£0.05"),
        ("en", 123450, "KWD", "KWD 1,234.500"),
        ("ar", 2450, "EUR", "\u200f24.50 €"),
        ("ar", 2450, "GBP", "\u200f24.50 UK£\u200e"),
        ("ar", 2450, "SAR", "\u200f24.50 ر.س.\u200f"),
        ("he", 2450, "ILS", "\u200f24.50 \u200f₪"),
    ],
)
def test_money_is_written_as_readers_write_it(locale: str, minor: int, currency: str, said: str) -> None:
    assert Words(locale).money(minor, currency).replace("\u00a0", " ") == said


def test_numbers_and_dates() -> None:
    assert Words("de").number(1234567) == "1.234.567"
    assert Words("en").number(Decimal("0.5")) == "0.5"
    assert Words("de").date(date(2026, 3, 1)) == Words("de").date("2026-03-01") == "1. März 2026"
    assert Words("ar").date("2026-06-01") == "1 يونيو 2026"
    assert Words("en").date("2026-06-01", "full") == "Monday, June 1, 2026"
    for wrong in ("1 June", "2026-13-01", ""):
        with pytest.raises(ValueError, match=r"isoformat|month"):
            Words("en").date(wrong)
    with pytest.raises(ValueError, match="'huge'"):
        Words("en").date("2026-06-01", "huge")


@pytest.mark.parametrize(
    ("locale", "language", "direction"),
    [
        ("en", "en", "ltr"),
        ("de_at", "de-AT", "ltr"),
        ("AR", "ar", "rtl"),
        ("he-IL", "he-IL", "rtl"),
        ("fa", "fa", "rtl"),
    ],
)
def test_language_and_direction(locale: str, language: str, direction: str) -> None:
    words = Words(locale)
    assert (words.language, words.direction) == (language, direction)


@pytest.mark.parametrize("locale", ["", "tlh", "../de", "de\n", "x" * 100])
def test_an_unknown_locale_is_refused(locale: str) -> None:
    with pytest.raises(ValueError, match="no locale"):
        Words(locale)


@pytest.mark.parametrize(
    ("wanted", "locale", "catalogue"),
    [
        ("de", "de", "de"),
        ("de-AT", "de-AT", "de"),
        ("de_at", "de-AT", "de"),
        (" DE-at ", "de-AT", "de"),
        ("de-XX", "de", "de"),
        ("de-DE-1996", "de-DE", "de"),
        ("en-GB", "en-GB", "en"),
        ("pt-BR", "pt-BR", "pt-BR"),
        ("pt-PT", "en", "en"),
        ("zh-TW", "zh-Hant-TW", "zh-Hant"),
        ("fr", "en", "en"),
        *(
            (hostile, "en", "en")
            for hostile in ("", "\0", "und", "tlh", "../../de", "de;rm", "d", "de" * 500, "مرحبا", "-")
        ),
    ],
)
def test_negotiation(wanted: str, locale: str, catalogue: str) -> None:
    assert negotiate(wanted, OFFERED, "en") == locale
    assert spoken(locale, OFFERED) == catalogue


@given(st.text(max_size=40) | st.from_regex(r"[a-zA-Z]{2,3}([-_][a-zA-Z0-9]{1,8}){0,3}", fullmatch=True))
def test_whatever_is_asked_for_the_answer_can_be_written_in(wanted: str) -> None:
    locale = negotiate(wanted, OFFERED, "en")
    assert Words(locale).money(100, "EUR")
    assert spoken(locale, OFFERED)


def catalogue_file(folder: Path, name: str, text: str | bytes) -> Path:
    (folder / "locale").mkdir(parents=True, exist_ok=True)
    path = folder / "locale" / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


def test_catalogues_of_the_workspace_come_first(tmp_path: Path) -> None:
    own = catalogue_file(tmp_path, "de.po", "\ufeff" + HEADER + 'msgid "Hello"\nmsgstr "Grüß Gott"\n')
    catalogue_file(tmp_path, "pt_BR.po", 'msgid "Hello"\nmsgstr "Oi"\n')
    found = catalogues((own, SHIPPED, tmp_path / "nowhere"))
    assert sorted(found) == ["ar", "de", "pt-BR"]
    assert Words("de-AT", found["de"]).gettext("Hello") == "Grüß Gott"
    assert Words("pt-BR", found["pt-BR"]).gettext("Hello") == "Oi"


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("de.po", b"msgid \xff", "UTF-8"),
        ("de.po", "these are no entries", "gettext catalogue"),
        ("klingon.po", "", "no language we know"),
    ],
)
def test_a_catalogue_that_cannot_be_read_is_named(tmp_path: Path, name: str, text: str | bytes, problem: str) -> None:
    with pytest.raises(TemplateBroken, match=problem) as error:
        catalogues((catalogue_file(tmp_path, name, text),))
    assert name in str(error.value)


def test_the_machine_has_no_say() -> None:
    """Another locale and time zone, and importing costs nothing: Babel is read when the first word is said."""
    program = (
        "import sys; from engine.render.locale import Words; assert 'babel' not in sys.modules;"
        "w = Words('de'); print(ascii([w.money(123450, 'EUR'), w.date('2026-03-01'), w.number(1.5), w.direction]))"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program], env={**os.environ, **machine}, capture_output=True, check=True, text=True
        ).stdout
        for machine in (
            {"LANG": "C", "TZ": "UTC"},
            {"LANG": "ar_EG.UTF-8", "LC_ALL": "fr_FR.UTF-8", "TZ": "Asia/Tokyo"},
        )
    }
    assert len(outputs) == 1
