"""Whom to look at: somebody by address or number, the one before and after, or one at random by a visible seed."""

from random import Random
from typing import Any

from sqlalchemy import Row, Select, func, select
from sqlmodel import Session, col

from campaigns.models import Message
from studio import search
from subscribers.models import Subscriber
from subscribers.secrets import Secrets

Person = Row[*tuple[Any, ...]]
"""id, key, address, given_name of a subscriber."""
_COLUMNS = (col(Subscriber.id), col(Subscriber.key), col(Subscriber.address), col(Subscriber.given_name))


def with_address(session: Session, typed: str, secrets: Secrets) -> Person | None:
    """Exactly this person, in whatever case the address is spelled, or by number; also when they are in no run."""
    number = search.number_in(typed)
    who = col(Subscriber.id) == number if number else col(Subscriber.key) == secrets.key_of(typed)
    return session.execute(_everybody().where(who)).first()


def starting_with(session: Session, text: str) -> list[Any]:
    """A few people whose address or given name starts with the text, in the columns of a Person and more."""
    return [person for person in search.few(session, text) if person.address]


def after(session: Session, person_id: int, run_id: int | None) -> Person | None:
    """The next person, of the run if there is one."""
    people, number = _people(run_id)
    return session.execute(people.where(number > person_id).order_by(number).limit(1)).first()


def before(session: Session, person_id: int, run_id: int | None) -> Person | None:
    """The previous person, of the run if there is one."""
    people, number = _people(run_id)
    return session.execute(people.where(number < person_id).order_by(number.desc()).limit(1)).first()


def first(session: Session, run_id: int | None) -> Person | None:
    """Whom to show when nobody is asked for: the first who may be mailed, else the first at all."""
    people, number = _people(run_id)
    mailed = people.where(col(Subscriber.may_mail)).order_by(number).limit(1)
    return session.execute(mailed).first() or session.execute(people.order_by(number).limit(1)).first()


def surprise(session: Session, seed: int, run_id: int | None) -> Person | None:
    """Somebody at random, the same for the same seed as long as the roster stays as it is: a number between the first
    person's and the last one's, and whoever has it or comes next. Quick for a million people, where an OFFSET is not.
    """
    people, number = _people(run_id)
    ends = [session.execute(people.order_by(way).limit(1)).first() for way in (number, number.desc())]
    if ends[0] is None or ends[1] is None:
        return None
    place = Random(seed).randint(ends[0].id, ends[1].id)
    return session.execute(people.where(number >= place).order_by(number).limit(1)).first()


def _everybody() -> Select[*tuple[Any, ...]]:
    query: Select[*tuple[Any, ...]] = select(*_COLUMNS)
    return query.where(func.length(col(Subscriber.address)) > 0)  # by length: no index over addresses is meant


def _people(run_id: int | None) -> tuple[Select[*tuple[Any, ...]], Any]:
    """(everybody on the roster, or everybody who has a row in the run; the column they are counted through by)."""
    if run_id is None:
        return _everybody(), col(Subscriber.id)
    joined = _everybody().join_from(Message, Subscriber, col(Message.subscriber_id) == col(Subscriber.id))
    return joined.where(col(Message.run_id) == run_id), col(Message.subscriber_id)
