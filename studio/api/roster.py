"""The roster as the API reads and adds to it."""

from functools import cache
from zoneinfo import available_timezones

from sqlalchemy import func, select
from sqlmodel import Session, col

from campaigns.execute import World
from studio.api.answers import SubscriberBody
from studio.audit import note
from studio.errors import FieldInvalid
from studio.pages.slices import slice_of
from studio.visit import Visit
from subscribers import roster
from subscribers.addresses import usable
from subscribers.database import writing
from subscribers.models import Purpose, Subscriber


def matching(session: Session, starts: str, *, at: str, rows: int) -> tuple[list[Subscriber], str]:
    """(people by number, or those whose address begins so, by address; where to go on). Erased ones are not shown."""
    if not starts:
        query = select(Subscriber, col(Subscriber.id)).where(col(Subscriber.address) != "")
        found = slice_of(session, query, [col(Subscriber.id)], at=at, rows=rows)
        return [row[0] for row in found.rows], found.later
    begin, low = starts.lower(), func.lower(col(Subscriber.address))
    end = begin + "\U0010ffff"
    query = select(Subscriber, low.label("low"), col(Subscriber.id)).where(low >= begin, low < end)
    found = slice_of(session, query, [low, col(Subscriber.id)], at=at, rows=rows)
    return [row[0] for row in found.rows], found.later


def add(world: World, visit: Visit, body: SubscriberBody) -> tuple[int, bool]:
    """(number, whether they are new). Who is there stays as they are. Raises AddressInvalid, FieldInvalid."""
    address, now = usable(body.address), world.clock()
    if body.time_zone not in _time_zones():
        raise FieldInvalid("time_zone", "is no IANA time zone such as Europe/Berlin")
    if not body.given_name.isprintable():
        raise FieldInvalid("given_name", "has a character that nobody can see")
    key = world.secrets.key_of(address)
    said = body.model_dump(include={"given_name", "language", "time_zone", "country", "how", "wording"})
    answers = {Purpose.MAIL: body.mail, Purpose.PERSONALISE: body.personalise, Purpose.TRACK: body.track}
    person = roster.NewSubscriber(address, key, answers=answers, **said)
    with writing(world.database) as session:
        note(session, visit, "subscriber.add", "subscriber", now=now, detail=body.how)
        added = bool(roster.add_many(session, [person], now=now))
        return roster.ids_by_key(session, [key])[key], added


@cache
def _time_zones() -> frozenset[str]:
    return frozenset(available_timezones())
