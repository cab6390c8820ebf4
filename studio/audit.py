"""An audit line for each action. It is added before the action, so that one commit carries both, or neither."""

from datetime import datetime

from sqlmodel import Session

from studio.models import AuditLine
from studio.visit import Visit


def note(session: Session, visit: Visit, action: str, subject: str, *, now: datetime, detail: str = "") -> None:
    """Add a line: who did what to what. The commit of the action itself keeps it; a refused action leaves none.

    action: such as "campaign.schedule". subject: such as "campaign weekly" or "subscriber 41", never an address.
    """
    session.add(
        AuditLine(at=now, actor=visit.name, via=visit.via, action=action, subject=subject[:200], detail=detail[:1000])
    )
