"""Erase a person: what we hold about them goes, that they must not be mailed stays.

What is left is a number, so that counts of old runs stay right, and the keyed hash of the address in the list of
refusals: it says nothing to anybody who does not have the address already, and keeps an old list that is imported
again from mailing them.
"""

import secrets as random_secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Update, case, delete, select, update
from sqlmodel import Session, col

from campaigns import ledger
from campaigns.models import Attempt, Bounce, Message, MessageState
from subscribers import consent
from subscribers.models import Consent, Signal, Subscriber
from subscribers.secrets import Secrets

ERASED = "erased"
_NOBODY: dict[str, Any] = {"address": "", "given_name": "", "language": "en", "time_zone": "UTC", "country": ""}
_MAY_NOTHING: dict[str, Any] = {"may_mail": False, "may_personalise": False, "may_track": False}
_BLANK: dict[str, Any] = {
    **dict.fromkeys(("address", "given_name", "domain", "banner", "token", "time_zone", "sha256"), ""),
    "language": "en",
    "picks": "[]",
    "why": "{}",
    "hero_sku_id": None,
}
_WAITING = (*ledger.CLAIMABLE, MessageState.CLAIMED)
_OWN_WORDS = (MessageState.SKIPPED, MessageState.SUPPRESSED)
"""States whose reason is ours: in those of the others the mail server's words stand, and it likes to repeat
addresses."""


@dataclass(frozen=True)
class Erased:
    """What was erased: whether they were on the roster, and how many rows of each kind."""

    known: bool
    signals: int = 0
    answers: int = 0
    mails: int = 0


def erase(session: Session, address: str, secrets: Secrets, *, now: datetime) -> Erased:
    """Erase the person with this address, in whatever case it is spelled, and never mail them again; commits, once.

    A mail that is on the wire at this moment is not called back, and its row says what became of it. Mails that wait
    are suppressed. Somebody who is on no roster is refused all the same, so that the second time changes nothing.
    Mails in the outbox folder, files of rejected rows and the trained model are not touched.
    """
    key = secrets.key_of(address)
    # First their row: whoever writes a message or a signal for them at this moment waits for us, or we for them.
    person = session.scalar(select(col(Subscriber.id)).where(col(Subscriber.key) == key).with_for_update())
    consent.suppress(session, key, at=now, reason=ERASED)
    if person is None:
        session.commit()
        return Erased(known=False)
    nobody = f"-{random_secrets.token_hex(15)}"  # no hash begins with a hyphen: no address will ever have this key
    row = update(Subscriber).where(col(Subscriber.id) == person)
    session.execute(row.values(key=nobody, joined_at=now, **_NOBODY, **_MAY_NOTHING))
    signals = _count(session, delete(Signal).where(col(Signal.subscriber_id) == person))
    answers = _count(session, delete(Consent).where(col(Consent.subscriber_id) == person))
    mails = _count(session, _blanked(key=nobody).where(col(Message.subscriber_id) == person))
    theirs = select(col(Message.id)).where(col(Message.subscriber_id) == person)
    session.execute(update(Attempt).where(col(Attempt.message_id).in_(theirs)).values(reply=""))
    session.execute(update(Bounce).where(col(Bounce.message_id).in_(theirs)).values(detail=""))
    session.commit()
    return Erased(True, signals, answers, mails)


def erase_from_plan(session: Session, run_id: int) -> None:
    """Erase those from a plan who were erased while it was made. The caller commits.

    A plan reads the roster once, at its beginning, and writes its rows for a minute.
    """
    key = select(col(Subscriber.key)).where(col(Subscriber.id) == col(Message.subscriber_id)).scalar_subquery()
    gone = select(col(Subscriber.id)).where(col(Subscriber.address) == "")
    here = _blanked(key=key).where(col(Message.run_id) == run_id, col(Message.subscriber_id).in_(gone))
    session.execute(here, execution_options={"synchronize_session": False})


def _blanked(*, key: Any) -> Update:
    """Messages without the person; those that wait for something end here."""
    state, waits = col(Message.state), col(Message.state).in_(_WAITING)
    return update(Message).values(
        key=key,
        state=case((waits, MessageState.SUPPRESSED), else_=state),
        claimed_by=case((waits, ""), else_=col(Message.claimed_by)),
        due_at=case((waits, None), else_=col(Message.due_at)),
        reason=case((state == MessageState.ACCEPTED, ""), (state.in_(_OWN_WORDS), col(Message.reason)), else_=ERASED),
        **_BLANK,
    )


def _count(session: Session, statement: Any) -> int:
    return int(session.execute(statement).rowcount)  # type: ignore[attr-defined]
