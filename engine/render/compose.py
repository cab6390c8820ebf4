"""From frozen inputs to the finished words of a mail: subject, HTML and text. The same inputs give the same text."""

from collections.abc import Mapping
from functools import cached_property

from engine.render.content import Card, Content, Mail, Recipient
from engine.render.edition import Edition
from engine.render.flatten import unbundle
from engine.render.languages import LINES, languages_of, locale_of
from engine.render.leftovers import leftovers

EDITIONS = 12  # kept at a time, at up to 60 MB each when full; a campaign is read in a handful of locales


class Composer:
    """Writes the mails of one run. cards: by sku_id, every product that any recipient may get; may grow."""

    def __init__(self, content: Content, cards: Mapping[int, Card]) -> None:
        self._content, self._cards = content, cards
        self._languages = languages_of(content)
        self._editions: dict[str, Edition] = {}

    def compose(self, recipient: Recipient) -> Mail:
        """The mail of one person. Raises TemplateBroken."""
        return Mail(*self._edition(recipient.language).compose(recipient), self._leftovers)

    def _edition(self, language: str) -> Edition:
        locale = locale_of(self._content, language, self._languages)
        edition = self._editions.get(locale)
        if edition is None:
            if len(self._editions) >= EDITIONS:
                self._editions.clear()
            edition = self._editions[locale] = Edition(self._content, locale, self._cards)
        return edition

    @cached_property
    def _leftovers(self) -> tuple[str, ...]:
        bundled = unbundle(self._content.source)
        sources = [*bundled[1].values()] if bundled else [self._content.source]
        lines = [self._content.plain, self._content.subject, self._content.preheader]
        said = {**self._content.defaults, **self._content.variables}
        return leftovers([*sources, *lines], {name: said[name] for name in sorted(said) if name not in LINES})
