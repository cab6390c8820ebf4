"""Runs under `require_approval`: a plan remembers what it was made from, and waits where nobody approved that."""

import hashlib
import json
import zlib

from sqlalchemy import CursorResult, delete, select, update
from sqlmodel import Session, col

from campaigns import approval
from campaigns.errors import NotApproved
from campaigns.models import Campaign, Frozen, Message, Run, RunState
from campaigns.runs import campaign_of, find_run
from campaigns.settings import Settings
from subscribers.database import insert_new

_BEFORE_SENDING = (RunState.PLANNING, RunState.PLANNED)


def note(session: Session, run: Run, fingerprint: str) -> None:
    """Remember which campaign, by its fingerprint, the run was planned from; the caller commits."""
    body = _noted(run, fingerprint)
    name = hashlib.sha256(body).hexdigest()
    insert_new(session, Frozen, [{"sha256": name, "kind": "planned from", "body": zlib.compress(body)}])


def missing(session: Session, run_id: int, settings: Settings) -> str:
    """Why the run must not go on for want of an approval, in a sentence; empty when it may.

    Before it is planned the campaign must be approved as it stands; once it is planned, the approval must be of what it
    was planned from. A run that is being sent was asked before. Raises RunUnknown.
    """
    run = find_run(session, run_id)
    if not settings.require_approval or run.state not in _BEFORE_SENDING:
        return ""
    campaign = campaign_of(session, run)
    if run.state == RunState.PLANNING:
        return approval.missing(session, campaign, settings)
    if campaign.approved_sha256 and _is_noted(session, run, campaign):
        return ""
    return (
        f"run {run_id} was planned from what nobody has approved; `handpicked campaign approve {campaign.name}`, "
        "and if the campaign has changed since, plan it anew"
    )


def demand(session: Session, run_id: int, settings: Settings) -> None:
    """Raises NotApproved when the run must not be sent for want of an approval."""
    if why := missing(session, run_id, settings):
        raise NotApproved(why)


def hold(session: Session, run_id: int, why: str) -> bool:
    """planning or planned → asking, for whoever decides; commits. What was planned goes: it is planned anew then.

    Returns whether it was so.
    """
    waits = update(Run).where(col(Run.id) == run_id, col(Run.state).in_(_BEFORE_SENDING))
    held = session.execute(waits.values(state=RunState.ASKING, stopped_because=why[:300], owner=""))
    done = isinstance(held, CursorResult) and held.rowcount == 1
    if done:
        session.execute(delete(Message).where(col(Message.run_id) == run_id))
    session.commit()
    return done


def _is_noted(session: Session, run: Run, campaign: Campaign) -> bool:
    name = hashlib.sha256(_noted(run, campaign.approved_sha256)).hexdigest()
    return session.execute(select(col(Frozen.kind)).where(col(Frozen.sha256) == name)).first() is not None


def _noted(run: Run, fingerprint: str) -> bytes:
    """The time too: what asks is planned anew, for another one."""
    plain = {"run": run.id, "planned_at": run.planned_at.isoformat(), "campaign": fingerprint}
    return json.dumps(plain, sort_keys=True).encode()
