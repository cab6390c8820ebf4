"""People to look at a template with: those who show where it breaks, and the workspace's own subscribers.

A made-up reader is there in every workspace, also in one without products or people: the one with the longest name,
the one with a single product, the one who reads from right to left. The workspace's own people get the picks a plan
would give them now. Nothing is written, and nothing is sent.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from itertools import islice

from campaigns.audience import Person, audience
from campaigns.edit import Definition
from campaigns.execute import World, open_world
from campaigns.freeze import make_cards, make_content
from campaigns.letters import Row, row_of
from campaigns.models import Campaign, Run
from campaigns.pick_rules import shop_rules
from campaigns.plan import Drafts, picks_of
from campaigns.settings import Settings
from campaigns.view import heroes_of, recommender
from engine.catalog import Product
from engine.errors import ModelDamaged, ModelMissing
from engine.recommend import registry
from engine.render.cards import card
from engine.render.content import Card, Content
from engine.render.images import image_name
from engine.render.languages import languages_of, locale_of, words_for
from subscribers import roster
from subscribers.database import reading

MADE_UP_SENDER = {
    "sender_name": "The Sample Shop",
    "sender_address": "post@shop.example",
    "postal_address": "14 Orchard Lane, Galway H91 X2P3",
}
FAMILY = "Sample goods"  # of every made-up product; with the title it decides on the picture
PICKS = Definition.picks
_WORDS = "A calm and simple thing that does what it says. It lasts for months."
_PRODUCTS = (
    # title, price in hundredths, brand, description, why: a phrase of a plan, which the catalogues translate, its value
    ("Rosehip Face Oil, 30 ml", 2450, "Maren", _WORDS, "A good choice for %(value)s", "dry skin"),
    ("Oat Balm", 900, "Maren", "", "A favourite of the last weeks", ""),
    ("Soap", 420, "", "", "Chosen to suit you", ""),
    ("Green Clay Mask with Peppermint & Witch Hazel",
     112_400, "Holm & Sons Apothecary of Västra Götaland", _WORDS * 3, "New ideas from %(value)s", "Holm & Sons"),
    ("Tea for <b>two</b> & “friends”", 1200, "Ode", _WORDS, "New in our shop", ""),
    ("Crème à l’Églantine", 3100, "Églantine", _WORDS, "Good to have at hand", ""),
    ("زيت ثمر الورد", 1800, "ليان", "", "Chosen to suit you", ""),
    *((f"Everyday Thing no. {number}", number * 100, "Maren", _WORDS, "Chosen to suit you", "")
      for number in range(8, 14)),
    ("Travel Set for Combination Skin, with Rose Water, Witch Hazel and a Linen Pouch, in a Box, 4 × 25 ml",
     4900, "Maren", _WORDS * 3, "Made with %(value)s in mind", "combination skin"),
)  # fmt: skip
_LONG = (3, 13)  # places of the products with long words
MadeUp = tuple[str, str, str, str, tuple[int, ...]]
"""A key, what is special about this reader, given name, language, numbers of products."""
_READERS: tuple[MadeUp, ...] = (
    ("usual", "Somebody like most", "Ana", "en", (1, 2, 5, 6, 3)),
    ("no-name", "Name not known", "", "en", (2, 1, 5, 6, 8)),
    ("longest-name", "Longest name", "Wilhelmina-Aleksandrovna Featherstonehaugh", "en", (1, 2, 5, 6, 3)),
    ("one-product", "A single product", "Ben", "en", (3,)),
    ("two-products", "Two products", "Cleo", "en", (2, 1)),
    ("longest-words", "Longest product names", "Dan", "en", (4, 14, 5, 14, 6)),
    ("most-products", "Twelve products", "Eva", "en", (1, 2, 5, 6, 3, 8, 9, 10, 11, 12, 13, 7)),
    ("german", "Reads German", "Jörg", "de", (6, 2, 5, 1, 3)),
    ("french", "Reads French", "Zoë", "fr", (6, 2, 5, 1, 3)),
    ("right-to-left", "Reads from right to left", "ليلى", "ar", (7, 2, 5, 6, 1)),
)


@dataclass(frozen=True)
class Reader:
    """Somebody a template can be looked at with. key: of a made-up reader a word, of a subscriber the address.

    row: None for a person who gets nothing; skip says why.
    """

    key: str
    title: str
    row: Row | None
    skip: str = ""


class SampleShop:
    """Made-up products and readers."""

    def __init__(self, public_url: str) -> None:
        self.cards: Mapping[int, Card] = dict(_made_up_cards(public_url))

    @property
    def world(self) -> World | None:
        """The workspace whose people are here too; None when all is made up."""
        return None

    def readers(self, content: Content) -> list[Reader]:
        """The made-up readers, the most ordinary one first."""
        return [self._made_up(content, made_up) for made_up in _READERS]

    def reader(self, content: Content, key: str) -> Reader:
        """The reader with this key, or for a subscriber's address that person. Raises SubscriberUnknown."""
        found = next((reader for reader in _READERS if reader[0] == key), _READERS[0])
        return self._made_up(content, found)

    def crowd(self, content: Content, count: int) -> list[Row]:
        """So many rows as different as the mails of a run are, to measure with."""
        every, rows = len(_PRODUCTS), []
        for number in range(count):
            products = [1 + (number * 5 + place * 3) % every for place in range(PICKS)]
            name = f"Reader{number}" if number % 7 else ""
            reader = self._made_up(content, (f"reader-{number}", "", name, content.language, tuple(products)))
            rows += [reader.row] if reader.row else []
        return rows

    def _made_up(self, content: Content, made_up: MadeUp) -> Reader:
        key, title, given_name, language, products = made_up
        words = words_for(content, locale_of(content, language, languages_of(content)))
        picks = []
        for number in products:
            *_, phrase, value = _PRODUCTS[number - 1]
            said = words.gettext(phrase, value=value) if value else words.gettext(phrase)
            picks.append((self._sku_ids[(number - 1) % len(self._sku_ids)], said))
        address = f"{key}@shop.example"
        return Reader(key, title, Row(address, given_name, language, "", tuple(picks), address, f"sample-{key}"))

    @cached_property
    def _sku_ids(self) -> Sequence[int]:
        return list(self.cards)


class WorkspaceShop(SampleShop):
    """The products and people of a workspace, and the made-up readers with its products in their mails."""

    def __init__(self, world: World, cards: Mapping[int, Card], now: datetime) -> None:
        super().__init__(world.settings.public_url)
        self.cards, self._world, self._now = cards, world, now
        self._run = Run(campaign_id=0, occurrence=now, planned_at=now, alive_at=now)
        with reading(world.database) as session:
            self._view, _ = recommender(session, world.settings.models, shop_rules(world.settings), now=now)
            self._heroes = heroes_of(session, self._view, PICKS)

    @property
    def world(self) -> World:
        return self._world

    def reader(self, content: Content, key: str) -> Reader:
        if "@" not in key:
            return super().reader(content, key)
        with reading(self._world.database) as session:
            subscriber = roster.find(session, key, self._world.secrets)
            person = next(audience(session, only=subscriber.id))
        return next(self._readers_of(content, [person]))

    def crowd(self, content: Content, count: int) -> list[Row]:
        with reading(self._world.database) as session:
            people = list(islice((person for person in audience(session) if not person.skip), count))
        rows = [reader.row for reader in self._readers_of(content, people) if reader.row]
        return rows or super().crowd(content, count)

    def _readers_of(self, content: Content, people: list[Person]) -> Iterator[Reader]:
        drafts = Drafts(self._run, content, self._world.secrets)
        for person, picks in zip(people, picks_of(people, self._view, PICKS, self._heroes), strict=True):
            row = drafts.row(person, picks)
            yield Reader(person.address, person.given_name, None if row["reason"] else row_of(row), row["reason"])

    @cached_property
    def _sku_ids(self) -> Sequence[int]:
        """Products spread over the catalogue; where the made-up ones are long, the one with the longest title."""
        every = list(self.cards)
        chosen = every[:: max(len(every) // len(_PRODUCTS), 1)][: len(_PRODUCTS)]
        longest = max(every, key=lambda sku_id: len(str(self.cards[sku_id]["title"])))
        for place in _LONG:
            chosen[min(place, len(chosen) - 1)] = longest
        return chosen


def made_up_readers() -> list[tuple[str, str]]:
    """(key, what is special about them) of each made-up reader."""
    return [(key, title) for key, title, *_ in _READERS]


@contextmanager
def open_shop(settings: Settings, now: datetime) -> Iterator[SampleShop]:
    """The workspace's own products and people when there is a model to pick by, else made-up ones.

    A workspace that is not there yet is not made.
    """
    try:
        registry.load(settings.models)
    except (ModelMissing, ModelDamaged):  # a template can be worked at all the same
        yield SampleShop(settings.public_url)
        return
    with closing(open_world(settings.workspace, lambda: now)) as world:
        with reading(world.database) as session:
            cards = make_cards(session, settings.public_url)
        yield WorkspaceShop(world, cards, now) if cards else SampleShop(settings.public_url)


def sample_content(settings: Settings, template: str, now: datetime) -> Content:
    """What all mails have in common, as for a campaign that says nothing of its own. Raises TemplateBroken.

    Where the workspace does not say yet who mails come from, the sender is made up.
    """
    missing = {name: value for name, value in MADE_UP_SENDER.items() if not getattr(settings, name)}
    campaign = Campaign(name="sample", template=template, subject="", created_at=now)
    return make_content(campaign, settings.model_copy(update=missing))


def made_up_pictures() -> Mapping[str, tuple[str, str]]:
    """(title, family) of each made-up product by the file name of its picture, for those who show the mails."""
    return {image_name(title, FAMILY): (title, FAMILY) for title, *_ in _PRODUCTS}


def _made_up_cards(public_url: str) -> Iterator[tuple[int, Card]]:
    for number, (title, price_minor, brand, description, *_) in enumerate(_PRODUCTS, start=1):
        product = Product(
            sku_id=number,
            code=f"sample-{number}",
            title=title,
            product_type=FAMILY,
            description=description,
            link=f"https://shop.example/p/{number}",
            image_link=f"media/{image_name(title, FAMILY)}",
            price_minor=price_minor,
            currency="EUR",
            brand=brand,
        )
        yield number, card(product, public_url=public_url)
