"""Previews for the pages. Making a previewer reads every signal, so one is kept for a minute."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from threading import Lock

from sqlalchemy import select
from sqlmodel import Session, col

from campaigns.edit import find_campaign
from campaigns.execute import World
from campaigns.letters import Letter
from campaigns.models import Campaign
from campaigns.preview import Preview, Previewer, planned_letter
from engine.catalog import Product
from engine.recommend import registry
from subscribers.database import reading

KEPT_FOR = timedelta(seconds=60)
KEPT = 3  # previewers; each holds everybody's signals as arrays, 15 MB for half a million

Key = tuple[str, ...]


@dataclass(frozen=True)
class ShownPick:
    """A pick as the page shows it. reason: what spoke most for it; sentence: what the mail says."""

    title: str
    picture: str
    score: float
    reason: str
    sentence: str


@dataclass(frozen=True)
class Shown:
    """One person's mail and why it is as it is; or why there is none (skip)."""

    skip: str
    letter: Letter | None
    picks: tuple[ShownPick, ...]


class PreviewDesk:
    """Shows anybody's mail: as it would be now, or as a run has frozen it. One at a time."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._kept: dict[Key, tuple[datetime, Session, Previewer]] = {}
        self._lock = Lock()

    def now(self, campaign_name: str, address: str) -> Shown:
        """The mail this person would get now. Raises SubscriberUnknown, TemplateBroken, ModelMissing."""
        with self._lock:
            session, previewer = self._previewer(campaign_name)
            with session:  # given back after each look, so that the next one sees today's consent
                return _shown(session, previewer.of(address))

    def planned(self, run_id: int, address: str) -> Shown:
        """The mail the run holds for this person. Raises RunUnknown, WrongState."""
        with reading(self._world.database) as session:
            return _shown(session, planned_letter(session, run_id, address, self._world.secrets))

    def _previewer(self, campaign_name: str) -> tuple[Session, Previewer]:
        """The kept one, unless a minute is over, or the campaign, a template or the model has changed since."""
        world, now = self._world, self._world.clock()
        with reading(world.database) as session:
            campaign = find_campaign(session, campaign_name)
            key = _key(campaign, world)
            for old in [old for old, (made_at, *_) in self._kept.items() if now - made_at >= KEPT_FOR]:
                del self._kept[old]
            if key not in self._kept:
                while len(self._kept) >= KEPT:
                    del self._kept[next(iter(self._kept))]
                made = Previewer(session, campaign, world.settings, world.secrets, now)
                self._kept[key] = (now, session, made)
        return self._kept[key][1:]


def _key(campaign: Campaign, world: World) -> Key:
    """What a previewer is made from, as far as it can be told without making it."""
    definition = campaign.model_dump_json(
        include={"name", "template", "subject", "preheader", "variables", "picks", "rules"}
    )
    return (definition, registry.current(world.settings.models), _newest_change(world.settings.templates.folders))


def _newest_change(folders: tuple[Path, ...]) -> str:
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    return f"{len(files)} {max((path.stat().st_mtime_ns for path in files), default=0)}"


def _shown(session: Session, preview: Preview) -> Shown:
    query = select(col(Product.sku_id), col(Product.title), col(Product.image_link))
    products = {
        row.sku_id: row
        for row in session.execute(query.where(col(Product.sku_id).in_([pick[0] for pick in preview.picks])))
    }
    shown = []
    for sku_id, score, reason, sentence, _ in preview.picks:
        product = products.get(sku_id)
        picture = product.image_link if product else ""
        address = f"/{picture}" if picture.startswith("media/") else picture
        shown.append(
            ShownPick(product.title if product else "no longer in the catalogue", address, score, reason, sentence)
        )
    return Shown(preview.skip, preview.letter, tuple(shown))
