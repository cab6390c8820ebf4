"""Send somebody's mail to a colleague, as a test."""

from secrets import token_hex

from sqlalchemy import select
from sqlmodel import Session, col

from campaigns.edit import find_campaign
from campaigns.errors import WrongState
from campaigns.execute import World
from campaigns.freeze import frozen_press
from campaigns.press import Press
from campaigns.preview import Preview
from campaigns.runs import find_run
from campaigns.test_mails import as_test, send_test
from studio.audit import note
from studio.errors import FieldInvalid
from studio.visit import Visit
from subscribers.addresses import usable
from subscribers.database import reading, writing
from subscribers.errors import AddressInvalid
from subscribers.models import Suppression

FIELD = "to"


def send_test_mail(
    world: World, visit: Visit, name: str, preview: Preview, *, to: str, person: int, made_with: Press | int
) -> str:
    """The mail of this person by this campaign to the address `to`; returns what the other side said.

    made_with: the press that wrote the preview, or the number of the run that has frozen it. The line of who did it is
    committed before anything leaves: better a line about a test that was refused than one that left without a line.
    Raises FieldInvalid, WrongState, TestMailRefused, TransportUnavailable.
    """
    if preview.row is None:
        raise WrongState(f"there is no mail for this person: {preview.skip}")
    try:
        address = usable(to)
    except AddressInvalid as error:
        raise FieldInvalid(FIELD, f"this is no address a mail can go to: {error.reason}") from None
    now = world.clock()
    with reading(world.database) as session:
        campaign = find_campaign(session, name)
        _refuse_who_said_no(session, world, address)
        run = made_with if isinstance(made_with, int) else 0
        press = frozen_press(session, find_run(session, made_with)) if isinstance(made_with, int) else made_with
    identity = f"test-{token_hex(12)}@{press.content.sender.address.rpartition('@')[2]}"
    outgoing = as_test(press, preview.row, address, message_id=identity, now=now)
    detail = f"the mail of subscriber {person}" + (f" in run {run}" if run else "")
    with writing(world.database) as session:
        note(session, visit, "campaign.test", f"campaign {name}", now=now, detail=detail)
        session.commit()
    return send_test(outgoing, campaign.transport, world.settings, world.secrets, now=now)


def _refuse_who_said_no(session: Session, world: World, address: str) -> None:
    """Whoever opted out gets no mail of ours, a test neither."""
    key = world.secrets.key_of(address)
    if session.execute(select(col(Suppression.id)).where(col(Suppression.key) == key)).first():
        raise FieldInvalid(FIELD, "this address has opted out of mails from us; take another one")
