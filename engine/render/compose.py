"""From frozen inputs to the finished words of a mail: subject, HTML and text. The same inputs give the same text."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from jinja2 import Template

from engine.render.environment import Sandbox, compiled, render_line, rendered, text_sandbox
from engine.render.flatten import unbundle
from engine.render.inline import inline_html
from engine.render.leftovers import leftovers

RIGHT_TO_LEFT = {"ar", "he", "fa", "ur", "yi", "ps", "sd", "dv", "ug"}

Card = Mapping[str, Any]
"""A product as a template sees it: title, description, link, image, image_width, image_height, alt, price, brand."""


@dataclass(frozen=True)
class Sender:
    """Who the mail is from. postal_address: required by law in most places (CAN-SPAM, PECR)."""

    name: str
    address: str
    postal_address: str
    website: str


@dataclass(frozen=True)
class Content:
    """What all mails of a run have in common. Plain data: frozen with the run as JSON.

    source: the template with its CSS inlined (inlined is True), or flattened, to be inlined mail by mail.
    plain: the source of the text part. subject and preheader are Jinja lines; variables are plain text.
    public_url: where links for subscribers lead, without a slash at the end.
    """

    template: str
    source: str
    inlined: bool
    plain: str
    subject: str
    preheader: str
    variables: Mapping[str, str]
    sender: Sender
    public_url: str

    def as_plain(self) -> dict[str, Any]:
        """As plain data, for freezing."""
        return asdict(self)

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> "Content":
        return cls(**{**plain, "sender": Sender(**plain["sender"])})


@dataclass(frozen=True)
class Recipient:
    """What differs from mail to mail. picks: (sku_id, sentence) in order, the hero first, at least one."""

    given_name: str
    language: str
    unsubscribe_url: str
    picks: Sequence[tuple[int, str]]


@dataclass(frozen=True)
class Mail:
    """The words of one mail.

    pieces: the HTML, cut between elements and never inside a tag, a comment, a style sheet or any other place where <
    is no text. What does not differ from mail to mail is the same object in each, so that what is found out about a
    piece (its checks, its encoding) can be kept by its text. text_pieces: the text part, cut at line ends.
    leftovers: template source that would be read as it is, see `engine.render.leftovers`.
    """

    subject: str
    preheader: str
    pieces: tuple[str, ...]
    text_pieces: tuple[str, ...]
    leftovers: tuple[str, ...] = ()

    @cached_property
    def html(self) -> str:
        """The HTML in one piece."""
        return "".join(self.pieces)

    @cached_property
    def text(self) -> str:
        """The text part in one piece."""
        return "".join(self.text_pieces)


class Composer:
    """Writes the mails of one run. cards: by sku_id, every product that any recipient may get."""

    def __init__(self, content: Content, cards: Mapping[int, Card]) -> None:
        self._content, self._cards = content, cards
        self._fixed = {
            "campaign": dict(content.variables),
            "sender": {
                "name": content.sender.name,
                "postal_address": content.sender.postal_address,
                "website": content.sender.website,
            },
        }

    @cached_property
    def _html(self) -> Template:
        source, bundled = self._content.source, unbundle(self._content.source)
        if not bundled:
            return compiled(Sandbox(), source, self._content.template)
        name, files = bundled
        return compiled(Sandbox(files=files), files[name], self._content.template)

    @cached_property
    def _text(self) -> Template:
        return compiled(text_sandbox(), self._content.plain, self._content.template)

    @cached_property
    def _leftovers(self) -> tuple[str, ...]:
        bundled = unbundle(self._content.source)
        sources = [*bundled[1].values()] if bundled else [self._content.source]
        lines = [self._content.plain, self._content.subject, self._content.preheader]
        return leftovers([*sources, *lines], self._content.variables)

    def compose(self, recipient: Recipient) -> Mail:
        """The mail of one person. Raises TemplateBroken."""
        context = self._context(recipient)
        name = self._content.template
        subject = render_line(self._content.subject, context, name=f"{name}, subject")
        preheader = render_line(self._content.preheader, context, name=f"{name}, preheader")
        context["subject"], context["preheader"] = subject, preheader
        html, text = rendered(self._html, context, name), rendered(self._text, context, f"{name}, text part")
        html = html if self._content.inlined else inline_html(html, name)
        return Mail(subject, preheader, (html,), (text.strip() + "\n",), self._leftovers)

    def _context(self, recipient: Recipient) -> dict[str, Any]:
        cards = [{**self._cards[sku_id], "reason": sentence} for sku_id, sentence in recipient.picks]
        language = recipient.language
        return {
            **self._fixed,
            "language": language,
            "direction": "rtl" if language.partition("-")[0].lower() in RIGHT_TO_LEFT else "ltr",
            "subscriber": {"given_name": recipient.given_name},
            "hero": cards[0],
            "picks": cards[1:],
            "links": {"unsubscribe": recipient.unsubscribe_url, "home": self._content.sender.website},
        }
