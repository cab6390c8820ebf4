"""How many people a campaign or a segment is for, and how runs stand: figures that are kept and counted aside."""

import hashlib
import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import and_, exists, func, select
from sqlmodel import Session, col

from campaigns import ledger
from campaigns.execute import World
from campaigns.models import MessageState, Run, RunState
from campaigns.segments import Segments, reach, rules_by_name
from studio.figures import Figure, Figures
from subscribers.database import reading
from subscribers.models import Segment, Subscriber, Suppression
from subscribers.segment_rules import SegmentRules
from subscribers.segments import people_in

EXAMPLES = 5  # people of a segment that are shown
PEOPLE_FRESH_FOR, LIST_FRESH_FOR, OVER_FRESH_FOR = timedelta(seconds=30), timedelta(minutes=10), timedelta(hours=1)
_OVER = (RunState.FINISHED, RunState.CANCELLED)


def reach_of(world: World, figures: Figures, segments: Segments) -> Figure:
    """{"people", "may_mail"} of everybody these segments stand for. Raises SegmentUnknown."""
    with reading(world.database) as session:
        rules = {name: rule.as_plain() for name, rule in rules_by_name(session, segments).items()}
    name = f"reach {_digest(segments.as_json(), rules)}"
    return figures(name, lambda session: reach(session, segments, world.clock())._asdict(), fresh_for=PEOPLE_FRESH_FOR)


def people_of(world: World, figures: Figures, rules: SegmentRules) -> Figure:
    """{"people", "may_mail", "examples"} of everybody of whom all of the rules hold; examples: subscriber ids."""
    name = f"segment {_digest(rules.as_json())}"
    return figures(name, lambda session: _people(session, world, rules), fresh_for=PEOPLE_FRESH_FOR)


def sizes_of(world: World, figures: Figures, segments: Sequence[Segment]) -> Figure:
    """{name: {"people", "may_mail"}} of each of these segments, counted together."""
    if not segments:
        return Figure({}, world.clock())
    name = f"segments {_digest([[each.name, each.rules] for each in segments])}"
    names = [each.name for each in segments]

    def count(session: Session) -> dict[str, Any]:
        return {one: reach(session, Segments((one,)), world.clock())._asdict() for one in names}

    return figures(name, count, fresh_for=LIST_FRESH_FOR)


def totals_of(figures: Figures, runs: Sequence[Run], *, reasons: bool = False) -> Figure:
    """{run id as text: {"states": messages by state without the skipped, "left_out": count, "reasons": …}}."""
    if not runs:
        return Figure({}, None)
    name = f"runs {_digest([[run.id, run.state] for run in runs], reasons)}"
    ids = [run.id for run in runs if run.id is not None]
    over = all(run.state in _OVER for run in runs)
    options = {"fresh_for": OVER_FRESH_FOR} if over else {}
    return figures(name, lambda session: {str(one): _totals(session, one, reasons) for one in ids}, **options)


def _totals(session: Session, run_id: int, reasons: bool) -> dict[str, Any]:
    states = ledger.totals(session, run_id)
    left_out = states.pop(MessageState.SKIPPED, 0)
    why = ledger.reasons(session, run_id, MessageState.SKIPPED) if reasons and left_out else {}
    return {"states": states, "left_out": left_out, "reasons": why}


def _people(session: Session, world: World, rules: SegmentRules) -> dict[str, Any]:
    may_mail = and_(col(Subscriber.may_mail), ~exists().where(col(Suppression.key) == col(Subscriber.key)))
    among = col(Subscriber.id).in_(people_in(rules, world.clock()))
    counted = select(func.count(), func.count().filter(may_mail)).where(among)
    people, mailed = session.execute(counted).one()
    examples = select(col(Subscriber.id)).where(among).order_by(col(Subscriber.id)).limit(EXAMPLES)
    return {"people": people, "may_mail": mailed, "examples": list(session.scalars(examples))}


def _digest(*said: Any) -> str:
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
