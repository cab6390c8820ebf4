"""/subscribers: found, looked at, added, opted out, exported and erased."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from sqlalchemy import select
from sqlmodel import col

from campaigns.execute import World
from studio.actions import subscribers as actions
from studio.api.answers import (
    At,
    ConsentAnswer,
    Done,
    Number,
    Page,
    Rows,
    SubscriberAnswer,
    SubscriberBody,
    SubscriberMade,
    Text,
)
from studio.api.roster import add, matching
from studio.pages.slices import ROWS
from studio.visit import Admin, Marketer, Viewer
from subscribers import consent
from subscribers.database import reading
from subscribers.errors import SubscriberUnknown
from subscribers.models import Subscriber

Sought = Annotated[Text, Query(max_length=320, description="how an address or a given name begins")]


def people_routes(world: World) -> APIRouter:
    """All of it."""
    routes = APIRouter(prefix="/subscribers", tags=["subscribers"])

    @routes.get("")
    def search(visit: Viewer, starts: Sought = "", at: At = "", rows: Rows = ROWS) -> Page[SubscriberAnswer]:
        with reading(world.database) as session:
            found, following = matching(session, starts, at=at, rows=rows)
        return Page(items=[_answer(person) for person in found], next=following)

    @routes.post("", status_code=201)
    def put_on_the_roster(body: SubscriberBody, visit: Marketer) -> SubscriberMade:
        identity, added = add(world, visit, body)
        return SubscriberMade(id=identity, added=added)

    @routes.get("/{subscriber_id}")
    def one(subscriber_id: Number, visit: Viewer) -> SubscriberAnswer:
        return _answer(_found(world, subscriber_id))

    @routes.get("/{subscriber_id}/consent")
    def history(subscriber_id: Number, visit: Viewer) -> list[ConsentAnswer]:
        _found(world, subscriber_id)
        with reading(world.database) as session:
            entries = consent.history(session, subscriber_id)
        return [ConsentAnswer.model_validate(entry, from_attributes=True) for entry in entries]

    @routes.get("/{subscriber_id}/export")
    def export(subscriber_id: Number, visit: Marketer) -> dict[str, Any]:
        return dict(actions.export(world, visit, subscriber_id))

    @routes.post("/{subscriber_id}/opt-out")
    def opt_out(subscriber_id: Number, visit: Marketer) -> Done:
        actions.opt_out(world, visit, subscriber_id)
        return Done()

    @routes.post("/{subscriber_id}/erase")
    def erase(subscriber_id: Number, visit: Admin) -> Done:
        actions.erase(world, visit, subscriber_id)
        return Done()

    return routes


def _found(world: World, subscriber_id: int) -> Subscriber:
    """Raises SubscriberUnknown, also for somebody who was erased."""
    with reading(world.database) as session:
        person = session.scalars(select(Subscriber).where(col(Subscriber.id) == subscriber_id)).first()
    if person is None or not person.address:
        raise SubscriberUnknown(str(subscriber_id))
    return person


def _answer(person: Subscriber) -> SubscriberAnswer:
    return SubscriberAnswer.model_validate(person, from_attributes=True)
