"""The reader's language: texts from gettext catalogues, and money, numbers and dates as they are written there.

English is the source: a text without a translation is shown as it stands in the template. What is written depends on
the locale and the catalogue alone, never on the machine's locale or time zone: the same rows give the same bytes.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from datetime import date
from decimal import Decimal
from functools import lru_cache
from gettext import GNUTranslations, NullTranslations
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import TemplateBroken

if TYPE_CHECKING:
    from babel import Locale
    from babel.messages.catalog import Catalog

SOURCE_LANGUAGE = "en"
DATE_STYLES = ("short", "medium", "long", "full")
_TAG = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{1,8}){0,3}")
_PLACEHOLDER = re.compile(r"%\((\w+)\)s")


class Words:
    """What a mail says by itself, in one language. The same inputs give the same text.

    locale: a BCP 47 tag such as "de" or "en-GB". po: the text of a gettext catalogue, empty for the source language.
    language and direction: what goes into lang="" and dir="". Raises ValueError for a locale that is not known, and
    TemplateBroken for a catalogue that cannot be read.
    """

    def __init__(self, locale: str, po: str = "") -> None:
        known = _known(locale)
        if known is None:
            raise ValueError(f"{locale!r} is no locale we can write in")
        self._locale = known
        self._translations = _translations(po, locale) if po.strip() else NullTranslations()
        self.language = _tag(known)
        self.direction = str(known.text_direction)

    def gettext(self, message: str, **values: object) -> str:
        """The message in the reader's language, with values put in for %(name)s. Any other % stays as it is.

        >>> Words("en").gettext("Picked for %(name)s, 10% off", name="Ana")
        'Picked for Ana, 10% off'
        """
        return _filled(self._translations.gettext(message), message, values)

    def ngettext(self, singular: str, plural: str, number: int, **values: object) -> str:
        """The message in the form that the number takes; %(num)s is the number as it is written in the language.

        >>> Words("en").ngettext("one more pick", "%(num)s more picks", 1200)
        '1,200 more picks'
        """
        source = singular if number == 1 else plural
        translated = self._translations.ngettext(singular, plural, number)
        return _filled(translated, source, {"num": self.number(number), **values})

    def money(self, minor: int, currency: str) -> str:
        """An amount of hundredths, whatever the currency: 245000 of JPY are 2,450 yen, which has no smaller coin.

        Right-to-left languages get the direction marks that CLDR puts around an amount (U+200F): they keep it in one
        piece behind a product's Latin name, also in a subject or a text part, where there is no markup to do so.

        >>> Words("en").money(2450, "EUR"), Words("en").money(245000, "JPY")
        ('€24.50', '¥2,450')
        """
        from babel.numbers import format_currency, get_currency_symbol

        amount = str(format_currency(Decimal(minor) / 100, currency, locale=self._locale))
        symbol = str(get_currency_symbol(currency, self._locale))
        if symbol[-1:].isalpha():  # CLDR keeps letters off digits, Babel does not: CHF 9.99
            amount = re.sub(f"({re.escape(symbol)})(?=[0-9])", "\\1\u00a0", amount)
        if self.direction == "rtl" and re.search("[A-Za-z]", symbol):
            amount = amount.replace(symbol, f"{symbol}\u200e")  # else UK£ and US$ are read as £UK and $US
        return amount

    def number(self, value: float | Decimal) -> str:
        """A number with the separators of the language, in the digits 0 to 9.

        >>> Words("de").number(1234.5)
        '1.234,5'
        """
        return _decimal(value, self._locale)

    def date(self, value: date | str, style: str = "long") -> str:
        """A day, given as such or as in "2026-06-01". style: short, medium, long or full. Raises ValueError.

        >>> Words("en-GB").date("2026-06-01"), Words("de").date("2026-06-01", "short")
        ('1 June 2026', '01.06.26')
        """
        from babel.dates import format_date

        if style not in DATE_STYLES:
            raise ValueError(f"a date is written {', '.join(DATE_STYLES)}, not {style!r}")
        day = date.fromisoformat(value) if isinstance(value, str) else value
        return str(format_date(day, style, locale=self._locale))


def catalogues(folders: Sequence[Path]) -> dict[str, str]:
    """The text of the catalogues in locale/ of these template folders, by language.

    Of a message that several folders have, the first folder's words count; the rest of a shipped catalogue stays. Each
    is read once as a whole, so that what is wrong with it is said before a mail is written. Raises TemplateBroken.
    """
    found: dict[str, str] = {}
    for folder in folders:
        for path in sorted((folder / "locale").glob("*.po")):
            known = _known(path.stem)
            if known is None:
                raise TemplateBroken(f"{path}: {path.stem!r} is no language we know; call it de.po or pt-BR.po")
            try:
                text = path.read_text("utf-8-sig")
            except (OSError, UnicodeDecodeError) as error:
                reason = error.reason if isinstance(error, UnicodeDecodeError) else error.strerror
                raise TemplateBroken(f"{path}: cannot be read as UTF-8 text ({reason})") from None
            _translations(text, str(path))
            tag = _tag(known)
            found[tag] = _merged(found[tag], text) if tag in found else text
    return found


@lru_cache(maxsize=64)
def translated(po: str) -> frozenset[str]:
    """The messages that a catalogue has words for; of one with a plural, its singular."""
    return frozenset(
        message.id if isinstance(message.id, str) else message.id[0]
        for message in _messages(po)
        if message.id and (message.string if isinstance(message.string, str) else all(message.string or [""]))
    )


@lru_cache(maxsize=16)
def _merged(first: str, second: str) -> str:
    """The first catalogue, and of the second one what the first has no words for."""
    from babel.messages.pofile import write_po

    both, has = _messages(second), translated(first)
    for message in _messages(first):
        if message.id and (message.id if isinstance(message.id, str) else message.id[0]) in has:
            both.delete(message.id)
            both.add(message.id, message.string)
    written = BytesIO()
    write_po(written, both, sort_output=True)
    return written.getvalue().decode()


def _messages(po: str) -> Catalog:
    from babel.messages.pofile import read_po

    return read_po(BytesIO(po.encode()), charset="utf-8")


def negotiate(wanted: str, offered: Collection[str], default: str) -> str:
    """The locale to write in, for somebody who asks for `wanted`. offered: the languages there are words in.

    A region keeps its way to write prices and dates, also where the words are those of the language at large. What is
    not offered, not known or no tag at all (imports let anything in) gives `default`.

    >>> negotiate("de-AT", ["en", "de"], "en"), negotiate("de-XX", ["en", "de"], "en"), negotiate("fr", ["de"], "en")
    ('de-AT', 'de', 'en')
    """
    return _negotiated(wanted, frozenset(offered), default)


def is_language(tag: str) -> bool:
    """Whether a tag such as "de" or "pt-BR" names a language we can write money and dates in."""
    return _known(tag) is not None


def spoken(locale: str, offered: Collection[str]) -> str:
    """Which of the offered catalogues has the words for a locale: "de" for "de-AT". Empty when there is none.

    >>> spoken("de-AT", ["ar", "de"]), spoken("en-GB", ["ar", "de"])
    ('de', '')
    """
    known = _known(locale)
    if known is None:
        return ""
    by_tag = {_tag(other): tag for tag in offered if (other := _known(tag)) is not None}
    parts = _tag(known).split("-")
    return next((by_tag[tag] for end in range(len(parts), 0, -1) if (tag := "-".join(parts[:end])) in by_tag), "")


@lru_cache(maxsize=1_024)  # a subject counts its picks: 5 µs each time
def _decimal(value: float | Decimal, locale: Locale) -> str:
    from babel.numbers import format_decimal

    return str(format_decimal(value, locale=locale))


@lru_cache(maxsize=4_096)  # some hundred kinds of tag in a roster of 100,000; a hostile import may bring many more
def _negotiated(wanted: str, offered: frozenset[str], default: str) -> str:
    parts = wanted.strip().replace("_", "-").split("-")
    for end in range(len(parts), 0, -1):
        if known := _known("-".join(parts[:end])):
            return _tag(known) if spoken(_tag(known), offered) else default
    return default


@lru_cache(maxsize=1_024)
def _known(tag: str) -> Locale | None:
    """What Babel knows of a locale; None for no locale. It wants "de_AT", and takes no "de-at"."""
    from babel import Locale, UnknownLocaleError

    if not _TAG.fullmatch(tag) or tag[:3].lower() == "und":  # "undetermined", which Babel takes for American English
        return None
    language, *others = re.split("[-_]", tag)
    parts = [language.lower()]
    parts += [other.title() if len(other) == 4 and other.isalpha() else other.upper() for other in others]
    try:
        return Locale.parse("_".join(parts))
    except (UnknownLocaleError, ValueError):
        return None


def _tag(locale: Locale) -> str:
    """The BCP 47 tag: language, script where it was needed to tell, region."""
    return "-".join(part for part in (locale.language, locale.script, locale.territory) if part)


@lru_cache(maxsize=64)  # a campaign's previews ask for the same few catalogues again and again; parsing takes 15 ms
def _translations(po: str, name: str) -> GNUTranslations:
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import PoFileError, read_po

    compiled = BytesIO()
    try:
        write_mo(compiled, read_po(BytesIO(po.encode()), charset="utf-8", abort_invalid=True))
        compiled.seek(0)
        return GNUTranslations(compiled)
    except (PoFileError, ValueError, LookupError, TypeError, AttributeError, OSError) as error:  # of three parsers
        raise TemplateBroken(f"{name}: is no gettext catalogue ({error})") from None


def _filled(translated: str, source: str, values: dict[str, object]) -> str:
    """The translation with its values; the source text where the translation asks for others than there are."""
    if not values:
        return _form(translated, source, ())[0]
    filled = list(_form(translated, source, tuple(values)))
    for place in range(1, len(filled), 2):
        filled[place] = _plain(filled[place], values[filled[place]])
    return "".join(filled)


@lru_cache(maxsize=4_096)
def _form(translated: str, source: str, names: tuple[str, ...]) -> tuple[str, ...]:
    """Text and names of placeholders in turn, for the values there are. Raises ValueError when the source lacks one."""
    pieces, plain = _pieces(translated), _pieces(source)
    if not set(names) >= set(pieces[1::2]) or _text(pieces).count("%(") > _text(plain).count("%("):
        pieces = plain
    missing = [name for name in pieces[1::2] if name not in names]
    if missing:
        raise ValueError(f"the text {source!r} needs a value: {missing[0]}=…")
    return pieces


def _text(pieces: Sequence[str]) -> str:
    """The text between the placeholders; a %( in it is a placeholder that went wrong."""
    return "".join(pieces[::2])


@lru_cache(maxsize=1_024)
def _pieces(message: str) -> tuple[str, ...]:
    """Text and names of placeholders in turn."""
    return tuple(_PLACEHOLDER.split(str(message)))


def _plain(name: str, value: object) -> str:
    """A value as text and nothing but text: escaped it is later, once. What is undefined raises when it is asked."""
    text = str(value)
    if not isinstance(value, (str, int, float, Decimal)):
        raise TypeError(f"{name} is a {type(value).__name__} and cannot be put into a text")
    return text
