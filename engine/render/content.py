"""What a mail is made from, and what it is: plain data, frozen with a run."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from engine.errors import ContentOutdated
from engine.render.inline import InlinePath

Card = Mapping[str, Any]
"""A product as it is frozen: title, description, link, image, image_width, image_height, alt, brand, and its price as
price_minor (hundredths) and currency. A template sees `price`, written as the reader's language does, and `reason`."""


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

    source: the template as `inline_template` prepared it; path: how its CSS gets inlined; places: where each piece of
    Jinja in it comes from ("blocks/hero.html, line 7"). plain: the source of the text part. subject and preheader are
    Jinja lines. variables are plain text: what the marketer wrote, "headline.de" in German; defaults: what the template
    says where they did not; messages: all that it says by itself. catalogues: PO texts by language. language: the one
    the campaign is written in. public_url: where links for subscribers lead, without a slash at the end.
    """

    template: str
    source: str
    path: InlinePath
    places: tuple[str, ...]
    plain: str
    subject: str
    preheader: str
    variables: Mapping[str, str]
    defaults: Mapping[str, str]
    messages: tuple[str, ...]
    catalogues: Mapping[str, str]
    language: str
    sender: Sender
    public_url: str

    def as_plain(self) -> dict[str, Any]:
        """As plain data, for freezing."""
        return asdict(self)

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> "Content":
        """From frozen data. Raises ContentOutdated for what an older version froze."""
        if set(plain) != set(cls.__dataclass_fields__):
            raise ContentOutdated("planned by another version of Handpicked; plan the campaign anew")
        changed = {
            "sender": Sender(**plain["sender"]),
            "path": InlinePath(plain["path"]),
            "places": tuple(plain["places"]),
            "messages": tuple(plain["messages"]),
        }
        return cls(**{**plain, **changed})


@dataclass(frozen=True)
class Recipient:
    """What differs from mail to mail. picks: (sku_id, sentence) in order, the hero first, at least one. banner: the
    label of the banner that suits them."""

    given_name: str
    language: str
    unsubscribe_url: str
    picks: Sequence[tuple[int, str]]
    banner: str = ""


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
