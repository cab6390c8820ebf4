"""What somebody does to a segment, by a page or by the API: one transaction each, with its audit line."""

from campaigns import segments
from campaigns.execute import World
from studio.audit import note
from studio.errors import FieldInvalid
from studio.visit import Visit
from subscribers.database import writing
from subscribers.models import Segment
from subscribers.segment_rules import SegmentRules
from subscribers.segments import save_segment

TAKEN = ("new", "count")  # addresses of the studio's own, beside /segments/{name}


def save(world: World, visit: Visit, name: str, rules: SegmentRules) -> Segment:
    """Make a segment, or change the one of this name. Raises SegmentInvalid, FieldInvalid."""
    if name in TAKEN:
        raise FieldInvalid("name", f"the studio has a page called {name}; choose another name")
    now, words = world.clock(), "; ".join(rules.in_words()) or "everybody"
    with writing(world.database) as session:
        note(session, visit, "segment.save", f"segment {name}", now=now, detail=words)
        return save_segment(session, name, rules, now=now)


def delete(world: World, visit: Visit, name: str) -> None:
    """Delete a segment that no campaign uses; the people in it stay. Raises SegmentUnknown, WrongState."""
    with writing(world.database) as session:
        note(session, visit, "segment.delete", f"segment {name}", now=world.clock())
        segments.delete_segment(session, name)
