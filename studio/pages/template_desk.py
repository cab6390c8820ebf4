"""Mails of templates to look at before any campaign uses them, and what the check of a template found."""

import hashlib
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from threading import Lock
from typing import Any

from sqlalchemy import select
from sqlmodel import Session, col

from campaigns.execute import World
from campaigns.letters import Letter
from campaigns.pictures import draw_to
from campaigns.press import Press
from campaigns.sample_mails import SampleShop, made_up_pictures, sample_content
from campaigns.template_check import check_template
from engine.catalog import Product
from engine.errors import EngineError
from engine.render.cards import card
from engine.render.environment import TemplateFolders
from studio.author.frames import with_our_pictures
from studio.figures import Figure, Figures
from subscribers.database import reading

CARDS = 14  # products in the sample mails, as many as the made-up ones
KEPT = 60  # finished mails
FOR_GOOD = timedelta(days=3_650)  # a check is of these files, whatever the time
KEY = 16


class TemplateDesk:
    """Writes and checks sample mails, one at a time. Checks have a thread of their own: one takes seconds."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._checks = Figures(world)
        self._kept: dict[tuple[str, str], str] = {}
        self._shop: SampleShop | None = None
        self._lock = Lock()

    @property
    def folders(self) -> TemplateFolders:
        return self._world.settings.templates

    def check_of(self, name: str) -> Figure:
        """What `handpicked template check` finds, kept by the hash of the template's files; {"problem"} when broken."""
        return self._checks(f"template {name} {self._hash()}", lambda _: self._check(name), fresh_for=FOR_GOOD)

    def html(self, name: str, reader: str) -> str:
        """The mail to this made-up reader as a frame shows it. Raises TemplateMissing, TemplateBroken."""
        self.folders.sheet(name)
        key = (f"{name} {self._hash()}", reader)
        with self._lock:
            if key not in self._kept:
                self._kept[key] = self._write(name, reader).mail.html
                while len(self._kept) > KEPT:
                    del self._kept[next(iter(self._kept))]
            return with_our_pictures(self._kept[key], self._world.settings.public_url, "")

    def is_own(self, name: str) -> bool:
        """Whether the template is the workspace's own."""
        return (self.folders.folders[0] / f"{name}.toml").is_file()

    def _write(self, name: str, reader: str) -> Letter:
        now = self._world.clock()
        content = sample_content(self._world.settings, name, now)
        shop = self._sample_shop()
        row = shop.reader(content, reader).row
        assert row is not None  # made-up readers always get a mail
        with Press(content, shop.cards, date=now) as press:
            return press.letters([row])[0]

    def _sample_shop(self) -> SampleShop:
        """Some of the shop's own products, or made-up ones while it has none. Read once: a look needs no news."""
        if self._shop is None:
            settings = self._world.settings
            shop = SampleShop(settings.public_url)
            with reading(self._world.database) as session:
                own = {product.sku_id: card(product, public_url=settings.public_url) for product in _some(session)}
            if own:
                shop.cards = own
            else:
                _draw_made_up(settings.media)
            self._shop = shop if own else None
            return shop
        return self._shop

    def _check(self, name: str) -> dict[str, Any]:
        try:
            settings, now = self._world.settings, self._world.clock()
            found, _ = check_template(settings, name, SampleShop(settings.public_url), now=now)
        except EngineError as error:
            return {"problem": str(error)}
        return found.summary() | {"findings": [asdict(concern) for concern in found.concerns], "good": found.good}

    def _hash(self) -> str:
        """Of every template file: blocks and layouts are shared. 60 files take 2 ms."""
        digest = hashlib.sha256()
        for folder in self.folders.folders:
            for path in sorted(folder.rglob("*")):
                if path.is_file():
                    stat = path.stat()
                    digest.update(f"{path.relative_to(folder)} {stat.st_size} {stat.st_mtime_ns}\n".encode())
        return digest.hexdigest()[:KEY]


def _some(session: Session) -> list[Product]:
    """A few products that are in stock and have a picture, spread over the catalogue as their numbers are."""
    pictured = select(Product).where(col(Product.image_link) != "", col(Product.availability) == "in_stock")
    return list(session.scalars(pictured.order_by(col(Product.sku_id)).limit(CARDS)))


def _draw_made_up(media: Path) -> None:
    """The pictures of the made-up products, beside the shop's own: 14 files of 5 ms each, once."""
    media.mkdir(parents=True, exist_ok=True)
    for name, (title, family) in made_up_pictures().items():
        draw_to((title, family, str(media / name)))
