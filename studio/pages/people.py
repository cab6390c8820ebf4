"""Find somebody to look at: by the start of an address or name, the next one, or one at random by a visible seed."""

from random import Random
from typing import Any

from sqlalchemy import Row, Select, func, or_, select
from sqlmodel import Session, col

from campaigns.models import Message
from subscribers.models import Subscriber
from subscribers.secrets import Secrets

SUGGESTIONS = 20

Person = Row[*tuple[Any, ...]]
"""id, key, address, given_name of a subscriber."""


def with_address(session: Session, address: str, secrets: Secrets) -> Person | None:
    """Exactly this person, in whatever case the address is spelled; also when they are in no run."""
    return session.execute(_people(None).where(col(Subscriber.key) == secrets.key_of(address))).first()


def starting_with(session: Session, text: str) -> list[Person]:
    """Up to 20 people whose address or given name starts with the text, by address."""
    start = text.lower()
    matches = or_(
        *(
            func.lower(column).startswith(start, autoescape=True)
            for column in (Subscriber.address, Subscriber.given_name)
        )
    )
    return list(session.execute(_people(None).where(matches).order_by(col(Subscriber.address)).limit(SUGGESTIONS)))


def after(session: Session, person_id: int, run_id: int | None) -> Person | None:
    """The next person, of the run if there is one."""
    later = _people(run_id).where(col(Subscriber.id) > person_id)
    return session.execute(later.order_by(col(Subscriber.id)).limit(1)).first()


def before(session: Session, person_id: int, run_id: int | None) -> Person | None:
    """The previous person, of the run if there is one."""
    earlier = _people(run_id).where(col(Subscriber.id) < person_id)
    return session.execute(earlier.order_by(col(Subscriber.id).desc()).limit(1)).first()


def first(session: Session, run_id: int | None) -> Person | None:
    """Whom to show when nobody is asked for: the first who may be mailed, else the first at all."""
    order = (col(Subscriber.may_mail).desc(), col(Subscriber.id))
    return session.execute(_people(run_id).order_by(*order).limit(1)).first()


def surprise(session: Session, seed: int, run_id: int | None) -> Person | None:
    """Somebody at random, the same for the same seed as long as the roster stays as it is."""
    everybody = _people(run_id).order_by(None)
    count = session.execute(select(func.count()).select_from(everybody.subquery())).scalar_one()
    if not count:
        return None
    place = Random(seed).randrange(count)
    return session.execute(_people(run_id).order_by(col(Subscriber.id)).offset(place).limit(1)).first()


def _people(run_id: int | None) -> Select[*tuple[Any, ...]]:
    """Everybody on the roster, or everybody who has a row in the run."""
    query: Select[*tuple[Any, ...]] = select(
        col(Subscriber.id), col(Subscriber.key), col(Subscriber.address), col(Subscriber.given_name)
    )
    if run_id is None:
        return query
    return query.join(Message, col(Message.subscriber_id) == col(Subscriber.id)).where(col(Message.run_id) == run_id)
