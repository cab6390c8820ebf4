"""`handpicked segment`: named parts of the roster, which campaigns are for or leave out."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from studio.cli.options import DEFAULT_WORKSPACE, AsJson, Workspace, open_workspace
from studio.cli.output import say, say_json, table

if TYPE_CHECKING:
    from subscribers.models import Segment
    from subscribers.segment_rules import SegmentRules

app = typer.Typer(help="Save, list, show, count and delete segments: named parts of the roster.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="SEGMENT", help="The name of a segment.")]
Texts = list[str] | None
Done = Annotated[
    Texts, typer.Option(metavar="KIND=DAYS", help="Did it within so many days: click=30; view, cart, purchase, any.")
]
NotDone = Annotated[Texts, typer.Option("--not", metavar="KIND=DAYS", help="Did not within so many days: any=90.")]


@app.command()
def save(
    segment: Name,
    language: Annotated[Texts, typer.Option(metavar="TAG", help="Reads one of these: de stands for de-AT too.")] = None,
    country: Annotated[Texts, typer.Option(metavar="NAME", help="In one of these countries.")] = None,
    time_zone: Annotated[Texts, typer.Option(metavar="ZONE", help="In one of these IANA time zones.")] = None,
    joined_after: Annotated[str, typer.Option(metavar="DAY", help="Joined on that day (UTC) or later.")] = "",
    joined_before: Annotated[str, typer.Option(metavar="DAY", help="Joined before that day (UTC).")] = "",
    joined_within: Annotated[int | None, typer.Option(metavar="DAYS", help="Joined within so many days.")] = None,
    joined_longer_ago: Annotated[int | None, typer.Option(metavar="DAYS", help="Joined more days ago.")] = None,
    personalise: Annotated[
        bool | None, typer.Option("--personalise/--no-personalise", help="Agreed to be personalised, or did not.")
    ] = None,
    track: Annotated[bool | None, typer.Option("--track/--no-track", help="Agreed to be tracked, or did not.")] = None,
    did: Done = None,
    did_not: NotDone = None,
    purchases: Annotated[int | None, typer.Option(metavar="N", help="Bought at least so many times.")] = None,
    bought: Annotated[Texts, typer.Option(metavar="CODE", help="Bought this product; each that is named.")] = None,
    file: Annotated[
        Path | None, typer.Option("--file", metavar="FILE", help="Read the rules from a JSON file instead.")
    ] = None,
    workspace: Workspace = DEFAULT_WORKSPACE,
) -> None:
    """Make a segment, or change the one of this name: everybody of whom all that is said here is true."""
    from subscribers.database import writing
    from subscribers.segment_rules import SegmentRules
    from subscribers.segments import count, save_segment

    said = {
        "languages": language or None,
        "countries": country or None,
        "time_zones": time_zone or None,
        "joined_after": joined_after or None,
        "joined_before": joined_before or None,
        "joined_within_days": joined_within,
        "joined_longer_ago_days": joined_longer_ago,
        "personalise": personalise,
        "track": track,
        "did": _done("did", did),
        "did_not": _done("not", did_not),
        "purchases": purchases,
        "bought": bought or None,
    }
    rules = SegmentRules.from_json(file.read_text(encoding="utf-8")) if file else SegmentRules.from_plain(said)
    world = open_workspace(workspace)
    with writing(world.database) as session:
        save_segment(session, segment, rules, now=world.clock())
        people = count(session, rules, world.clock())
    say(f"segment {segment} is saved: {_people(people)} in it now")


@app.command(name="list")
def list_all(workspace: Workspace = DEFAULT_WORKSPACE, as_json: AsJson = False) -> None:
    """All segments, and who is in each, in words."""
    from subscribers.database import reading
    from subscribers.segments import list_segments

    with reading(open_workspace(workspace).database) as session:
        segments = list_segments(session)
    if as_json:
        say_json([_plain(segment) for segment in segments])
    elif segments:
        table(("segment", "who is in it"), [(each.name, _words(_rules(each))) for each in segments])
    else:
        say("no segments yet; make one: handpicked segment save lapsed --not any=90")


@app.command()
def show(segment: Name, workspace: Workspace = DEFAULT_WORKSPACE, as_json: AsJson = False) -> None:
    """One segment: its rules, and the campaigns that name it."""
    from campaigns.segments import used_by
    from subscribers.database import reading
    from subscribers.segments import find_segment

    with reading(open_workspace(workspace).database) as session:
        found = find_segment(session, segment)
        users = used_by(session, segment)
    if as_json:
        say_json(_plain(found) | {"campaigns": users})
        return
    for words in _rules(found).in_words() or ["everybody"]:
        say(words)
    say(f"campaigns: {', '.join(users) or 'none'}")


@app.command()
def count(segment: Name, workspace: Workspace = DEFAULT_WORKSPACE, as_json: AsJson = False) -> None:
    """How many people are in it now, and how many of them may be mailed."""
    from campaigns.segments import Segments, reach
    from subscribers.database import reading

    world = open_workspace(workspace)
    with reading(world.database) as session:
        found = reach(session, Segments(include=(segment,)), world.clock())
    if as_json:
        say_json({"segment": segment, **found._asdict()})
    else:
        say(f"segment {segment}: {_people(found.people)}, {found.may_mail:,} of them may be mailed")


@app.command()
def delete(segment: Name, workspace: Workspace = DEFAULT_WORKSPACE) -> None:
    """Delete a segment that no campaign uses. The people in it stay."""
    from campaigns.segments import delete_segment
    from subscribers.database import writing

    with writing(open_workspace(workspace).database) as session:
        delete_segment(session, segment)
    say(f"segment {segment} is deleted")


def _done(name: str, pairs: list[str] | None) -> dict[str, int] | None:
    """{"click": 30} of "click=30". Raises SegmentInvalid."""
    from subscribers.segment_rules import SegmentInvalid

    said: dict[str, int] = {}
    for pair in pairs or []:
        kind, _, days = pair.partition("=")
        if not (days.isdecimal() and days.isascii()):
            raise SegmentInvalid(f"--{name} {pair}: write it as KIND=DAYS, such as click=30")
        said[kind] = int(days)
    return said or None


def _rules(segment: "Segment") -> "SegmentRules":
    from subscribers.segment_rules import SegmentRules

    return SegmentRules.from_json(segment.rules)


def _words(rules: "SegmentRules") -> str:
    return "; ".join(rules.in_words()) or "everybody"


def _people(number: int) -> str:
    return "1 person" if number == 1 else f"{number:,} people"


def _plain(segment: "Segment") -> dict[str, Any]:
    fields = segment.model_dump(mode="json", exclude={"id"})
    return fields | {"rules": json.loads(segment.rules)}
