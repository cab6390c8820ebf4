"""The ledger of yes and no, per purpose, and the addresses that must never be mailed."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import select, text, update
from sqlmodel import Session, col

from subscribers.database import insert_new, insert_rows
from subscribers.models import Consent, Purpose, Subscriber, Suppression

_COLUMNS = {Purpose.MAIL: "may_mail", Purpose.PERSONALISE: "may_personalise", Purpose.TRACK: "may_track"}

# Asked once a mail, so as text: building it from columns takes longer than running it.
ALLOWS_MAIL = (
    "EXISTS (SELECT 1 FROM subscriber WHERE subscriber.key = {key} AND subscriber.may_mail) "
    "AND NOT EXISTS (SELECT 1 FROM suppression WHERE suppression.key = {key})"
)
"""The rule itself as SQL, for a statement that must not be true a moment later: on the roster, consent given, not
suppressed. {key} is the column or parameter with the person's key."""
_MAY_MAIL = text(f"SELECT 1 WHERE {ALLOWS_MAIL.format(key=':key')}")


def record(
    session: Session,
    subscriber_id: int,
    answers: Mapping[Purpose, bool],
    *,
    at: datetime,
    how: str,
    wording: str = "",
) -> None:
    """Append one entry per answer and bring the person's `may_…` columns in line. The caller commits.

    The columns first: whoever answers at the same moment waits for that row, so entries and columns end up the same.
    """
    entries = [
        {
            "subscriber_id": subscriber_id,
            "purpose": purpose,
            "granted": granted,
            "at": at,
            "how": how,
            "wording": wording,
        }
        for purpose, granted in answers.items()
    ]
    if not entries:
        return
    columns = {_COLUMNS[purpose]: granted for purpose, granted in answers.items()}
    session.execute(update(Subscriber).where(col(Subscriber.id) == subscriber_id).values(**columns))
    insert_rows(session, Consent, entries)


def suppress(session: Session, key: str, *, at: datetime, reason: str) -> bool:
    """Never mail this address again, whatever is imported later. Twice is once: False the second time. The caller
    commits."""
    return bool(insert_new(session, Suppression, [{"key": key, "reason": reason[:200], "at": at}]))


def opt_out(session: Session, key: str, *, at: datetime, how: str) -> bool:
    """The person says no to mail: a ledger entry and a suppression, in one transaction, committed here.

    Works for a key that is on no roster too: a refusal is kept even of somebody we do not know (any more).
    Returns False when the person had said no before; then nothing is written twice.
    """
    first = suppress(session, key, at=at, reason=how)  # of two at once the second waits here for the first
    person = select(col(Subscriber.id), col(Subscriber.may_mail)).where(col(Subscriber.key) == key)
    # locked: what was said a moment ago is seen, and a hand-over that holds the row ends before we say "done"
    row = session.execute(person.with_for_update(key_share=True)).first()
    if row is not None and row.may_mail:
        record(session, row.id, {Purpose.MAIL: False}, at=at, how=how[:200])
    session.commit()
    return first


def is_suppressed(session: Session, key: str) -> bool:
    """Whether the address behind this key must not be mailed."""
    return session.execute(select(col(Suppression.id)).where(col(Suppression.key) == key)).first() is not None


def may_mail(session: Session, key: str) -> bool:
    """Whether the person may be mailed now: on the roster, consent given, not suppressed. One indexed look."""
    return session.connection().execute(_MAY_MAIL, {"key": key}).first() is not None


def history(session: Session, subscriber_id: int) -> list[Consent]:
    """Everything this person said, oldest first."""
    entries = select(Consent).where(col(Consent.subscriber_id) == subscriber_id).order_by(col(Consent.id))
    return list(session.scalars(entries))
