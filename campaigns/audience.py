"""Who a plan is about: everybody on the roster, each with the one reason why they must not be mailed, if any."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Select, exists, select
from sqlmodel import Session, col

from campaigns.frequency import Enough
from subscribers.models import Subscriber, Suppression

OPTED_OUT, NO_CONSENT = "opted out", "no consent to mail"


class Person(NamedTuple):
    """A subscriber as planning sees them."""

    id: int
    key: str
    address: str
    given_name: str
    language: str
    time_zone: str
    may_personalise: bool
    skip: str


def audience(
    session: Session, *, only: int | None = None, enough: Enough | None = None, among: Select[Any] | None = None
) -> Iterator[Person]:
    """Everybody on the roster (or one subscriber id), by id, with the reason why they must not be mailed, if any.

    enough: who has had as many mails lately as they may. among: a SELECT of the ids of those it is about.
    """
    enough = enough or Enough()
    suppressed = exists().where(col(Suppression.key) == col(Subscriber.key))
    names = ("id", "key", "address", "given_name", "language", "time_zone", "may_mail", "may_personalise")
    query = select(*(getattr(Subscriber, name) for name in names), suppressed.label("suppressed"))
    query = query.where(col(Subscriber.address) != "").order_by(col(Subscriber.id))  # without one: erased, a number
    if only is not None:
        query = query.where(col(Subscriber.id) == only)
    if among is not None:
        query = query.where(col(Subscriber.id).in_(among))
    for identity, key, address, given_name, language, zone, may_mail, may_personalise, refused in session.execute(
        query
    ):
        skip = OPTED_OUT if refused else "" if may_mail else NO_CONSENT
        if not skip and identity in enough.people:
            skip = enough.reason
        yield Person(identity, key, address, given_name, language, zone, may_personalise, skip)


def as_arrays(people: list[Person]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """(ids, whether each allows personalisation), as a Recommender wants them."""
    return (
        np.array([person.id for person in people], dtype=np.int64),
        np.array([person.may_personalise for person in people], dtype=np.bool_),
    )
