"""Renders the template for any reader, anew after each save, and keeps the last mail that came out well."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from threading import Lock

from campaigns.errors import CampaignInvalid
from campaigns.letters import Letter
from campaigns.press import Press
from campaigns.sample_mails import MADE_UP_SENDER, Reader, SampleShop, sample_content
from campaigns.settings import Settings
from campaigns.template_check import (
    Concern,
    Cost,
    Inlining,
    concerns_in,
    files_of,
    hosts_in,
    inlining_of,
    located,
    measured,
)
from engine.errors import EngineError
from engine.render.content import Content

KEPT = 50  # mails that came out well, of as many readers
MEASURED = 40  # rows; a look must not wait long for a measurement
LONGEST = 0.05  # seconds for each of the measurement's two rounds


@dataclass(frozen=True)
class Prepared:
    """The template as it was saved last. Made once for all readers."""

    content: Content
    press: Press
    inlining: Inlining
    cost: Cost
    known_hosts: frozenset[str]


@dataclass(frozen=True)
class Look:
    """What there is to see of one reader's mail.

    letter: None for somebody who gets nothing, and while no save came out well yet. problem: why the template as it is
    now cannot be rendered, in a sentence with file and line; the letter is an earlier one then. version: of the save
    the letter was made from.
    """

    reader: Reader
    letter: Letter | None
    version: str
    problem: str
    concerns: tuple[Concern, ...]
    prepared: Prepared | None


class AuthorDesk:
    """One template, one shop of sample readers. version: says which save is the newest."""

    def __init__(
        self, settings: Settings, template: str, shop: SampleShop, *, now: datetime, version: Callable[[], str]
    ) -> None:
        self.settings, self.template, self.shop = settings, template, shop
        self._now, self._version = now, version
        self._lock = Lock()
        self._made_from = ""
        self._prepared: Prepared | None = None
        self._problem = ""
        self._good: dict[str, tuple[str, Letter]] = {}

    def look(self, key: str) -> Look:
        """This reader's mail from the newest save. Raises SubscriberUnknown; a broken template is told in the look."""
        with self._lock:
            reader, problem = self._write(key)
            prepared = self._prepared
            version, letter = self._good.get(reader.key, ("", None)) if not reader.skip else ("", None)
            concerns: tuple[Concern, ...] = ()
            if prepared and letter:
                concerns = concerns_in([(reader, letter)], prepared.content, prepared.known_hosts)
            return Look(reader, letter, version, problem, concerns, prepared)

    def letter(self, key: str) -> Letter | None:
        """The mail a frame shows: the last of this reader that came out well. Raises SubscriberUnknown."""
        with self._lock:
            reader, _ = self._write(key)
            return self._good.get(reader.key, ("", None))[1]

    @property
    def sender_name(self) -> str:
        """The name the mails come from."""
        return self.settings.sender_name or MADE_UP_SENDER["sender_name"]

    def _write(self, key: str) -> tuple[Reader, str]:
        """(the reader, "") with their mail kept from the newest save; or why it could not be written."""
        self._prepare()
        prepared = self._prepared
        if not prepared:
            return Reader(key, "", None), self._problem
        reader = self.shop.reader(prepared.content, key)
        if not reader.row or self._good.get(reader.key, ("",))[0] == self._made_from:
            return reader, ""
        try:
            (letter,) = prepared.press.letters([reader.row])
        except (EngineError, CampaignInvalid) as error:
            return reader, self._located(error)
        self._keep(reader.key, letter)
        return reader, ""

    def _prepare(self) -> None:
        version = self._version()
        if version == self._made_from:
            return
        self._made_from, self._prepared, self._problem = version, None, ""
        try:
            content = sample_content(self.settings, self.template, self._now)
            inlining = inlining_of(self.settings.templates, self.template, content)
            press = Press(content, self.shop.cards, date=self._now)
            cost = measured(press, self.shop.crowd(content, MEASURED), longest=LONGEST)
            self._prepared = Prepared(content, press, inlining, cost, hosts_in(content, self.shop, self._now))
        except (EngineError, CampaignInvalid) as error:
            self._problem = self._located(error)

    def _located(self, error: Exception) -> str:
        try:
            return located(str(error), files_of(self.settings.templates, self.template))
        except EngineError:  # a file that is gone, or not UTF-8: the sentence says which
            return str(error)

    def _keep(self, key: str, letter: Letter) -> None:
        self._good.pop(key, None)
        while len(self._good) >= KEPT:
            del self._good[next(iter(self._good))]
        self._good[key] = (self._made_from, letter)
