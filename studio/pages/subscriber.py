"""One person: who they are, what they allowed, what they did and got, and what may be done about it."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path
from sqlalchemy import select
from sqlmodel import Session, col
from starlette.responses import Response

from campaigns.execute import World
from campaigns.models import Campaign, Message, Run
from engine.catalog import Product
from engine.recommend.portrait import Portrait, Rhythm
from engine.render.cards import money
from studio.actions import subscribers as actions
from studio.figures import Figures
from studio.pages.parameters import Cursor, Typed
from studio.pages.shell import page, see_other
from studio.pages.slices import slice_of
from studio.portraits import Portraits
from studio.visit import Admin, Marketer, Viewer
from subscribers import consent
from subscribers.database import reading
from subscribers.errors import SubscriberUnknown
from subscribers.models import Consent, Kind, Signal, Sku, Subscriber

SIGNALS, ANSWERS, MAILS = 25, 50, 20
SubscriberNumber = Annotated[int, Path(ge=1, le=2**31 - 1)]
RHYTHMS = {
    Rhythm.NEW: "New: first seen in the last 30 days.",
    Rhythm.ACTIVE: "Active: comes by regularly.",
    Rhythm.LAPSED: "Lapsed: has not come by for much longer than usual.",
    Rhythm.GIFT_BUYER: "Buys gifts: in bursts, with quiet months between.",
    Rhythm.UNKNOWN: "Nothing is known yet.",
}
DONE = {
    Kind.VIEW: "looked at",
    Kind.CLICK: "clicked",
    Kind.CART: "put in the cart",
    Kind.PURCHASE: "bought",
    Kind.CANCELLATION: "cancelled",
}


@dataclass(frozen=True)
class SignalLine:
    """Something a person did, in words. at: UTC. price: "" where it is not known."""

    what: str
    title: str
    product: int
    at: datetime
    quantity: int
    price: str
    cancelled: int


def subscriber_page(world: World, figures: Figures) -> APIRouter:
    """/subscribers/{id}: to look, to opt out, to hand out everything, to erase."""
    pages, portraits = APIRouter(), Portraits(world, figures)

    @pages.get("/subscribers/{subscriber_id}")
    def one(subscriber_id: SubscriberNumber, visit: Viewer, at: Cursor = "") -> Response:
        with reading(world.database) as session:
            person = _find(session, subscriber_id)
            if not person.address:
                return page("subscribers/erased.html", visit, person=person)
            found, labels = portraits.of(session, person)
            return page(
                "subscribers/one.html",
                visit,
                person=person,
                suppressed=consent.is_suppressed(session, person.key),
                answers=_answers(session, subscriber_id),
                slice=(history := _history(session, subscriber_id, at)),
                signals=[_line(row, world.settings.currency) for row in history.rows],
                mails=_mails(session, subscriber_id),
                portrait=found,
                labels=_labels(session, found),
                labels_kept=labels,
                rhythm=RHYTHMS[found.rhythm] if found else "",
                campaign=session.scalar(select(col(Campaign.name)).order_by(col(Campaign.id)).limit(1)),
            )

    @pages.post("/subscribers/{subscriber_id}/opt-out")
    def opt_out(subscriber_id: SubscriberNumber, visit: Marketer) -> Response:
        actions.opt_out(world, visit, subscriber_id)
        return see_other(f"/subscribers/{subscriber_id}", "opted-out")

    @pages.post("/subscribers/{subscriber_id}/export")
    def export(subscriber_id: SubscriberNumber, visit: Admin) -> Response:
        held = json.dumps(actions.export(world, visit, subscriber_id), ensure_ascii=False, indent=1)
        name = f'attachment; filename="subscriber-{subscriber_id}.json"'
        return Response(held, media_type="application/json", headers={"Content-Disposition": name})

    @pages.get("/subscribers/{subscriber_id}/erase")
    def confirm(subscriber_id: SubscriberNumber, visit: Admin) -> Response:
        with reading(world.database) as session:
            person = _find(session, subscriber_id)
        shown = "subscribers/erase.html" if person.address else "subscribers/erased.html"
        return page(shown, visit, person=person, problem="")

    @pages.post("/subscribers/{subscriber_id}/erase")
    def erase(subscriber_id: SubscriberNumber, visit: Admin, typed: Typed) -> Response:
        if typed.one("number") != str(subscriber_id):
            with reading(world.database) as session:
                person = _find(session, subscriber_id)
            problem = f"type {subscriber_id}, the number of this person; nothing was erased"
            return page("subscribers/erase.html", visit, status=422, person=person, problem=problem)
        actions.erase(world, visit, subscriber_id)
        return see_other(f"/subscribers/{subscriber_id}", "erased")

    return pages


def _find(session: Session, subscriber_id: int) -> Subscriber:
    person = session.get(Subscriber, subscriber_id)
    if person is None:
        raise SubscriberUnknown(str(subscriber_id))
    return person


def _answers(session: Session, subscriber_id: int) -> list[Consent]:
    """What this person said, newest first."""
    said = select(Consent).where(col(Consent.subscriber_id) == subscriber_id)
    return list(session.scalars(said.order_by(col(Consent.id).desc()).limit(ANSWERS)))


def _history(session: Session, subscriber_id: int, at: str) -> Any:
    """A slice of what they did, newest first, by the index over histories."""
    when: Any = col(Signal.at)
    number: Any = col(Signal.id)
    columns: list[Any] = [
        *(col(Signal.kind), col(Signal.sku_id), col(Signal.quantity), col(Signal.price_minor), col(Signal.settled)),
        *(col(Sku.code), col(Product.title), col(Product.currency), when, number),
    ]
    query = (
        select(*columns)
        .join_from(Signal, Sku, col(Sku.id) == col(Signal.sku_id))
        .join(Product, col(Product.sku_id) == col(Signal.sku_id), isouter=True)
        .where(col(Signal.subscriber_id) == subscriber_id)
    )
    return slice_of(session, query, [when, number], at=at, rows=SIGNALS, newest_first=True)


def _line(row: Any, currency: str) -> SignalLine:
    price = money(row.price_minor, row.currency or currency) if row.price_minor is not None else ""
    at, product = datetime.fromtimestamp(row.at, UTC), row.sku_id if row.title else 0
    return SignalLine(DONE[Kind(row.kind)], row.title or row.code, product, at, row.quantity, price, row.settled)


def _mails(session: Session, subscriber_id: int) -> list[Any]:
    """The newest mails they were to get: (run id, campaign, when, state, reason, title of the hero)."""
    newest = (
        select(
            *(col(Message.run_id), col(Campaign.name), col(Run.occurrence), col(Message.state), col(Message.reason)),
            col(Product.title),
        )
        .join_from(Message, Run, col(Run.id) == col(Message.run_id))
        .join(Campaign, col(Campaign.id) == col(Run.campaign_id))
        .join(Product, col(Product.sku_id) == col(Message.hero_sku_id), isouter=True)
        .where(col(Message.subscriber_id) == subscriber_id)
        .order_by(col(Message.id).desc())
        .limit(MAILS)
    )
    return list(session.execute(newest).all())


def _labels(session: Session, portrait: Portrait | None) -> list[dict[str, Any]]:
    """The labels of a profile in words, each with what speaks for it."""
    if portrait is None:
        return []
    ids = {proof.sku_id for label in portrait.labels for proof in label.evidence}
    known = select(col(Product.sku_id), col(Product.title)).where(col(Product.sku_id).in_(ids))
    titles = {row.sku_id: row.title for row in session.execute(known)}
    return [
        {
            "kind": label.name.partition(":")[0],
            "name": label.name.partition(":")[2] or label.name,
            "share": round(label.share * 100),
            "age_days": label.age_days,
            "evidence": [
                {
                    "what": DONE[proof.kind],
                    "title": titles.get(proof.sku_id, "a product that is gone"),
                    "at": datetime.fromtimestamp(proof.at, UTC),
                }
                for proof in label.evidence[:3]
            ],
        }
        for label in portrait.labels
    ]
