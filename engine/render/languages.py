"""In which languages a campaign can be written, and its words in one of them.

A mail is in one language. Where a marketer has changed a text and not said it in another language, or a template says
what the catalogue does not have, that language is not offered: better a mail that is English throughout than a German
greeting over an English headline.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from engine.render.locale import SOURCE_LANGUAGE, Words, negotiate, spoken, translated

if TYPE_CHECKING:
    from engine.render.content import Content

NO_WORDS = ("_code", "_link", "_url")
"""How the names of variables end that are the same in every language."""


def languages_of(content: "Content") -> tuple[str, ...]:
    """The languages its mails are written in, the campaign's own first."""
    others = sorted({SOURCE_LANGUAGE, *content.catalogues} - {content.language})
    return (content.language, *(tag for tag in others if not lacking(content, tag)))


def lacking(content: "Content", language: str) -> list[str]:
    """What keeps a campaign from being written in a language: its texts that nobody has said in it."""
    changed = changed_words(content)
    unsaid = [name for name in changed if not content.variables.get(f"{name}.{language}", "").strip()]
    known = {tag: translated(po) for tag, po in content.catalogues.items()}
    if (
        language == SOURCE_LANGUAGE
    ):  # English, unless a template's own words are in another: then nobody translates them
        known[language] = frozenset().union(*known.values())
        if not content.catalogues:
            return unsaid
    return [*unsaid, *(message for message in messages_in_use(content) if message not in known.get(language, ()))]


def messages_in_use(content: "Content") -> list[str]:
    """The template's own texts, and the defaults that the marketer did not change."""
    used = [
        default
        for name, default in content.defaults.items()
        if name not in LINES and not name.endswith(NO_WORDS) and content.variables.get(name, default) == default
    ]
    return [message for message in dict.fromkeys([*content.messages, *used]) if message.strip()]


def locale_of(content: "Content", wanted: str, offered: tuple[str, ...]) -> str:
    """The locale somebody is written to in, such as "de-AT". wanted: what is known of their language."""
    return negotiate(wanted, offered, content.language)


def changed_words(content: "Content") -> list[str]:
    """The texts that say something else than the template does, and therefore are in one language only."""
    return sorted(
        name
        for name, value in {**content.variables, **_lines(content)}.items()
        if "." not in name and value.strip() and value != content.defaults.get(name) and not name.endswith(NO_WORDS)
    )


def words_for(content: "Content", locale: str) -> Words:
    """Gettext, money and dates for a locale."""
    return Words(locale, content.catalogues.get(spoken(locale, content.catalogues), ""))


def variables_in(content: "Content", words: Words) -> dict[str, str]:
    """The campaign's variables in one language: what the marketer wrote for it, or the template's own words in it."""
    names = [name for name in {**content.defaults, **content.variables} if "." not in name]
    return {name: _said(content, name, words, content.variables) for name in names if name not in LINES}


def line_in(content: "Content", name: str, words: Words) -> str:
    """The subject or preheader in one language: a Jinja line, which translates what it says by itself."""
    said = content.variables.get(f"{name}.{words.language}") or content.variables.get(f"{name}.{_short(words)}")
    return said or _lines(content)[name]


LINES = ("subject", "preheader")
"""Jinja lines beside the template, not plain text as variables are."""


def _lines(content: "Content") -> dict[str, str]:
    return {"subject": content.subject, "preheader": content.preheader}


def _said(content: "Content", name: str, words: Words, variables: Mapping[str, str]) -> str:
    for tag in (words.language, _short(words)):
        if f"{name}.{tag}" in variables:
            return variables[f"{name}.{tag}"]
    default = content.defaults.get(name, "")
    own = variables.get(name, default)
    return words.gettext(default) if own == default and default else own


def _short(words: Words) -> str:
    return words.language.partition("-")[0]
