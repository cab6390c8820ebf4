"""`handpicked snapshot` and `diff`: what everybody's mail is, and what has changed since, for people and for CI."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from studio.cli.options import DEFAULT_WORKSPACE, AsJson, Workspace, open_workspace
from studio.cli.output import progress, say, say_json

if TYPE_CHECKING:
    from campaigns.review.cluster import Group
    from campaigns.review.diff import Difference

LISTED = 40  # groups shown to a person; --json has them all


def snapshot(
    what: Annotated[str, typer.Argument(metavar="CAMPAIGN|RUN", help="The name of a campaign, or a run's number.")],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where to write; an older snapshot there is replaced.")],
    sample: Annotated[int, typer.Option(metavar="N", min=0, help="Keep the mails of so many people as files.")] = 50,
    every: Annotated[
        bool, typer.Option("--all", help="Keep everybody's mail, in one compressed file: some 1 KB each.")
    ] = False,
    at: Annotated[
        str,
        typer.Option(
            metavar="TIME", help="A campaign as of this moment, such as 2026-06-01T09:00Z; without it, of now."
        ),
    ] = "",
    workspace: Workspace = DEFAULT_WORKSPACE,
    as_json: AsJson = False,
) -> None:
    """Write down what everybody's mail is: hashes of each, and the mails of some. Nothing is planned or sent."""
    from campaigns.errors import CampaignInvalid
    from campaigns.review.snapshot import Depth, snapshot_campaign, snapshot_run

    world, depth = open_workspace(workspace), Depth(sample, every)
    with progress("looking at everybody") as show:
        if what.isdecimal():
            if at:
                raise CampaignInvalid("--at is for campaigns; a run has its moment, for which it was planned")
            taken = snapshot_run(world.database, int(what), folder, depth=depth, progress=show)
        else:
            now = moment(at) if at else world.clock()
            taken = snapshot_campaign(
                world.database, what, folder, world.settings, world.secrets, at=now, depth=depth, progress=show
            )
    if as_json:
        say_json({"folder": str(taken.folder), "people": taken.people, "mails": taken.mails, "files": taken.files})
    else:
        say(f"{folder}: {taken.people:,} people, {taken.mails:,} mails, {taken.files:,} of them kept")


def diff(
    before: Annotated[Path, typer.Argument(metavar="DIR_A", help="A snapshot: how it was.")],
    after: Annotated[Path, typer.Argument(metavar="DIR_B", help="A snapshot: how it is now.")],
    ignore: Annotated[
        list[str] | None,
        typer.Option(
            metavar="RULE",
            help="Pass over elements (a CSS selector), an attribute (SELECTOR@ATTRIBUTE), the subject (subject) or the "
            "text part ('text part'). May be repeated.",
        ),
    ] = None,
    approvals: Annotated[
        Path | None, typer.Option(metavar="FILE", help="JSON with the ids of groups that somebody has agreed to.")
    ] = None,
    junit: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the groups as JUnit XML, for CI.")] = None,
    as_json: AsJson = False,
) -> None:
    """Compare two snapshots: who has another mail, what is different, and why. Exit code 0 same, 1 different, 2 could
    not compare."""
    from campaigns.review.diff import approvals_in, compare

    approved = approvals_in(approvals) if approvals else frozenset[str]()
    with progress("comparing") as show:
        found = compare(before, after, ignore=ignore or (), approved=approved, progress=show)
    if junit:
        from campaigns.review.junit import junit as as_junit

        junit.write_bytes(as_junit(found))
    if as_json:
        say_json(found.summary())
    else:
        for line in diff_lines(found):
            say(line)
    if found.open:
        raise typer.Exit(1)


def moment(text: str) -> datetime:
    """A moment as somebody writes it, UTC unless it says otherwise. Raises CampaignInvalid."""
    from campaigns.errors import CampaignInvalid

    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise CampaignInvalid(f"--at {text!r} is no moment; write it as 2026-06-01T09:00Z") from None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def diff_lines(found: "Difference") -> list[str]:
    """A comparison in lines for a person."""
    counts = {"changed": found.changed, "added": found.added, "removed": found.removed}
    words = ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)
    lines = [f"{found.same:,} mails are the same" + (f"; {words}" if words else "")]
    if found.unseen:
        lines.append(f"  {found.unseen:,} of those have other bytes, and nothing in them that counts as a change")
    lines += [_group_line(group) for group in found.groups[:LISTED]]
    if len(found.groups) > LISTED:
        lines.append(f"  and {len(found.groups) - LISTED:,} smaller groups; --json lists them all")
    if found.looked < found.changed:
        rest = found.changed - found.looked
        lines.append(f"  {rest:,} were compared by their hashes only: `snapshot --all` keeps everybody's mail")
    return lines


def _group_line(group: "Group") -> str:
    approved = ", approved" if group.approved else ""
    worst = f", worst {group.worst}" if group.worst not in ("", group.example) else ""
    return (
        f"  {group.messages:,}: {group.title} (cause: {group.cause}; example {group.example}{worst}; "
        f"group {group.id}{approved})"
    )
