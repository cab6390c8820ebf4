"""What a run is made from, kept by the hash of its text, so that the same bytes can be made again at any time."""

import hashlib
import json
import zlib
from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlmodel import Session, col

from campaigns.errors import RunUnknown, WrongState
from campaigns.models import Campaign, Frozen, Run
from campaigns.press import Press
from campaigns.settings import Settings
from engine.catalog import Product
from engine.errors import TemplateMissing
from engine.recommend.explain import PHRASES
from engine.render.bounded import shared
from engine.render.cards import card
from engine.render.content import Card, Content
from engine.render.inline import prepare
from engine.render.locale import catalogues
from subscribers.database import insert_new


def freeze(session: Session, kind: str, plain: Mapping[str, Any]) -> str:
    """Keep plain data under the SHA-256 of its JSON; twice is once. The caller commits."""
    body = json.dumps(plain, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()
    name = hashlib.sha256(body).hexdigest()
    insert_new(session, Frozen, [{"sha256": name, "kind": kind, "body": zlib.compress(body)}])
    return name


def thaw(session: Session, name: str) -> dict[str, Any]:
    """What was frozen under this hash. Raises RunUnknown when it is gone or damaged."""
    body = session.execute(select(col(Frozen.body)).where(col(Frozen.sha256) == name)).scalar()
    text = zlib.decompress(body) if body is not None else b""
    if hashlib.sha256(text).hexdigest() != name:
        raise RunUnknown(f"what this run was made from ({name[:12]}…) is gone; plan the campaign anew")
    plain: dict[str, Any] = json.loads(text)
    return plain


def make_content(campaign: Campaign, settings: Settings) -> Content:
    """What all mails of the campaign have in common, from the template as it is now. Raises TemplateBroken."""
    folders = settings.templates
    sheet = folders.sheet(campaign.template)
    template = shared().call(prepare, folders.files(), f"{campaign.template}.html", what=campaign.template)
    try:
        plain = folders.source(f"{campaign.template}.txt")
    except TemplateMissing:
        plain = folders.source("layouts/plain.txt")
    return Content(
        template=campaign.template,
        source=template.source,
        path=template.path,
        places=template.places,
        plain=plain,
        subject=campaign.subject or sheet.subject,
        preheader=campaign.preheader or sheet.preheader,
        variables=json.loads(campaign.variables),
        defaults=sheet.defaults() | {"subject": sheet.subject, "preheader": sheet.preheader},
        messages=(*template.messages, *PHRASES),
        catalogues=catalogues(folders.folders),
        language=settings.language,
        sender=settings.sender(),
        public_url=settings.public_url,
    )


def make_cards(session: Session, public_url: str) -> dict[int, Card]:
    """The card of every product, by sku_id."""
    products = session.scalars(select(Product).order_by(col(Product.sku_id)))
    return {product.sku_id: card(product, public_url=public_url) for product in products}


def frozen_press(session: Session, run: Run) -> Press:
    """The press of a planned run, from what was frozen: neither today's template nor today's prices matter."""
    if not run.content_sha256:
        raise WrongState(f"run {run.id} is not planned yet; `handpicked plan` does it")
    cards = {int(sku_id): card for sku_id, card in thaw(session, run.cards_sha256).items()}
    return Press(Content.from_plain(thaw(session, run.content_sha256)), cards, date=run.planned_at)
