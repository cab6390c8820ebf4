"""Mails that came back: each report is counted once, and an address that nobody can be reached at is suppressed.

The proof is the address the report was sent to: the signed return path of one mail (`campaigns.return_path`). What
stands in the report decides only how bad it is. Whom it names does not matter: a mail may have been forwarded.
"""

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import Engine, func, select
from sqlmodel import Session, col

from campaigns.bounce_folders import waiting_in
from campaigns.bounce_reports import COMPLAINT, Report, ReportIgnored, read_report
from campaigns.models import Bounce, Message
from campaigns.return_path import ReturnPath, ReturnPathInvalid
from campaigns.status_codes import Kind
from subscribers import consent
from subscribers.database import insert_new, writing

CAME_BACK = (Kind.HARD, Kind.SOFT, Kind.POLICY)


class Outcome(NamedTuple):
    """What became of a report. what: hard, soft, policy, complaint, counted before, or ignored and then the reason."""

    what: str
    reason: str = ""


@dataclass
class Summary:
    """What a mailbox held: messages by what became of them, and why some were ignored."""

    counts: Counter[str] = field(default_factory=Counter)
    ignored: Counter[str] = field(default_factory=Counter)

    def add(self, outcome: Outcome) -> None:
        """Count one more message."""
        self.counts[outcome.what] += 1
        if outcome.reason:
            self.ignored[outcome.reason] += 1

    def summary(self) -> dict[str, Any]:
        """As plain data: {read, hard, soft, policy, complaint, "counted before", ignored: {reason: n}}."""
        kinds = (*CAME_BACK, COMPLAINT, BEFORE)
        return {
            "read": self.counts.total(),
            **{str(kind): self.counts[kind] for kind in kinds},
            "ignored": dict(self.ignored),
        }


BEFORE, IGNORED = "counted before", "ignored"


def read_mailbox(database: Engine, place: Path, return_path: ReturnPath, *, clock: Callable[[], datetime]) -> Summary:
    """Deal with every message that waits there. Raises MailboxUnknown.

    Each is committed before it is marked as read. Killed in between it is read again, and counted before.
    """
    summary = Summary()
    for message, done in waiting_in(place):
        summary.add(take_message(database, message, return_path, at=clock()))
        done()
    return summary


def take_message(
    database: Engine, message: bytes, return_path: ReturnPath, *, at: datetime, recipient: str = ""
) -> Outcome:
    """Deal with one message, whatever it is; one transaction, and none for what is ignored.

    recipient: the address it was delivered to, where the mail server says so apart from the message.
    """
    try:
        report = read_report(message, recipient=recipient)
        row = _opened(return_path, report.addresses)
    except ReportIgnored as error:
        return Outcome(IGNORED, error.reason)
    with writing(database) as session:
        return _record(session, row, report, at=at)


def bounced(session: Session, run_id: int, *, since: datetime | None = None) -> int:
    """How many mails of the run came back, for whatever reason; each counts once. Complaints are none.

    since: only those whose report was read at this time or later.
    """
    counted = (
        select(func.count(func.distinct(col(Bounce.message_id))))
        .join(Message, col(Message.id) == col(Bounce.message_id))
        .where(col(Message.run_id) == run_id, col(Bounce.kind).in_(CAME_BACK))
    )
    if since:
        counted = counted.where(col(Bounce.at) >= since)
    return session.scalar(counted) or 0


def _opened(return_path: ReturnPath, addresses: tuple[str, ...]) -> int:
    """The row of the mail whose return path is among the addresses. Raises ReportIgnored."""
    reasons = list[str]()
    for address in addresses:
        try:
            return return_path.opened(address)
        except ReturnPathInvalid as error:
            reasons.append(error.reason)
    if "the signature is not ours" in reasons:
        raise ReportIgnored("forged: the signature is not ours")
    raise ReportIgnored("not signed: sent to no return path of ours")


def _record(session: Session, row: int, report: Report, *, at: datetime) -> Outcome:
    """Count the report and, when nobody can be reached at the address, suppress it. Commits both together."""
    key = session.execute(select(col(Message.key)).where(col(Message.id) == row)).scalar()
    if key is None:
        return Outcome(IGNORED, "about a mail that we do not have any more")
    found = {"message_id": row, "at": at, "kind": report.kind, "status": report.status, "detail": report.detail}
    sha256 = hashlib.sha256(b"%d\n%b" % (row, report.evidence)).hexdigest()
    if not insert_new(session, Bounce, [{"sha256": sha256, **found}]):
        return Outcome(BEFORE)
    if report.kind in (Kind.HARD, COMPLAINT):
        reason = COMPLAINT if report.kind == COMPLAINT else f"hard bounce {report.status}"
        consent.suppress(session, key, at=at, reason=reason)
    session.commit()
    return Outcome(str(report.kind))
