"""What may be done to one person's data: kept from mails, handed out, erased. One transaction each, with its line."""

from typing import Any

from sqlmodel import Session

from campaigns.erasure import Erased
from campaigns.erasure import erase as erase_everything
from campaigns.execute import World
from campaigns.status import mails_of
from studio.audit import note
from studio.errors import StudioError
from studio.visit import Visit
from subscribers import consent, roster
from subscribers.database import writing
from subscribers.errors import SubscriberUnknown
from subscribers.models import Subscriber


def opt_out(world: World, visit: Visit, subscriber_id: int) -> bool:
    """Never mail this person again. False when they were out before. Raises SubscriberUnknown, StudioError."""
    now = world.clock()
    with writing(world.database) as session:
        person = _still_there(session, subscriber_id)
        note(session, visit, "subscriber.opt_out", f"subscriber {subscriber_id}", now=now)
        return consent.opt_out(session, person.key, at=now, how=f"told us; entered by {visit.name} in the {visit.via}")


def erase(world: World, visit: Visit, subscriber_id: int) -> Erased:
    """Erase this person, for good. Raises SubscriberUnknown, StudioError for somebody who is erased already."""
    now = world.clock()
    with writing(world.database) as session:
        person = _still_there(session, subscriber_id)
        note(session, visit, "subscriber.erase", f"subscriber {subscriber_id}", now=now)
        session.flush()
        return erase_everything(session, person.address, world.secrets, now=now)


def export(world: World, visit: Visit, subscriber_id: int) -> dict[str, Any]:
    """Everything we hold about this person, as plain data. Raises SubscriberUnknown, StudioError."""
    with writing(world.database) as session:
        person = _still_there(session, subscriber_id)
        held = {**roster.export(session, person), "mails": mails_of(session, person)}
        note(session, visit, "subscriber.export", f"subscriber {subscriber_id}", now=world.clock())
        session.commit()
    return held


def _still_there(session: Session, subscriber_id: int) -> Subscriber:
    person = session.get(Subscriber, subscriber_id)
    if person is None:
        raise SubscriberUnknown(str(subscriber_id))
    if not person.address:
        raise StudioError(f"subscriber {subscriber_id} was erased; nothing is held about them any more")
    return person
