"""`handpicked preview`, `plan`, `review`, `send`, `run` and `status`: decide, freeze, look, then send."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from studio.cli.options import DEFAULT_WORKSPACE, Address, AsJson, CampaignName, RunNumber, Workspace, open_workspace
from studio.cli.output import complain, listed, progress, say, say_json

if TYPE_CHECKING:
    from campaigns.execute import World
    from campaigns.review.findings import Review
    from campaigns.status import Status


def preview(
    campaign: CampaignName,
    address: Address,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="Write the HTML there; .eml: the whole message."),
    ] = None,
    workspace: Workspace = DEFAULT_WORKSPACE,
) -> None:
    """The mail one person would get if the campaign went out now."""
    from campaigns.edit import find_campaign
    from campaigns.preview import Previewer
    from subscribers.database import reading

    world = open_workspace(workspace)
    with reading(world.database) as session:
        found = find_campaign(session, campaign)
        shown = Previewer(session, found, world.settings, world.secrets, world.clock()).of(address)
    if shown.letter is None:
        complain(f"{shown.address} gets nothing: {shown.skip}")
        raise typer.Exit(1)
    if shown.outside:
        complain(f"{shown.address} is in none of the campaign's segments: this is what they would get")
    if output is None:
        say(f"Subject: {shown.letter.mail.subject}\n\n{shown.letter.mail.text}")
        return
    whole = output.suffix == ".eml"
    output.write_bytes(shown.letter.message if whole else shown.letter.mail.html.encode())
    say(f"{output}: {shown.letter.mail.subject}")


def plan(campaign: CampaignName, workspace: Workspace = DEFAULT_WORKSPACE, as_json: AsJson = False) -> None:
    """Decide who gets what and freeze it as a run; nothing is sent. Prints the run's number."""
    world = open_workspace(workspace)
    status = planned(world, campaign)
    if as_json:
        say_json(status.summary())
        return
    for line in _plan_lines(status):
        say(line)
    say(f"next: handpicked review {status.run}, then handpicked send {status.run}")


def review(run: RunNumber, workspace: Workspace = DEFAULT_WORKSPACE, as_json: AsJson = False) -> None:
    """Render and check every mail of a planned run. Exit code 1 when something must be looked at."""
    world = open_workspace(workspace)
    found = reviewed(world, run)
    if as_json:
        say_json(found.summary())
    else:
        for line in _review_lines(found):
            say(line)
    if found.errors or found.warnings:
        raise typer.Exit(1)


def send(
    run: RunNumber,
    resend_in_doubt: Annotated[
        bool,
        typer.Option(
            "--resend-in-doubt",
            help="Send those again of which nobody can know whether they arrived: same Message-ID, same bytes.",
        ),
    ] = False,
    workspace: Workspace = DEFAULT_WORKSPACE,
    as_json: AsJson = False,
) -> None:
    """Send a planned run, or go on with one that was interrupted. Nobody gets it twice."""
    world = open_workspace(workspace)
    before = _status(world, run)
    found = sent(world, run, resend_in_doubt=resend_in_doubt)
    if as_json:
        say_json(found.summary())
    else:
        for line in sent_lines(world, found, before=before):
            say(line)
    _exit_by(found)


def run(campaign: CampaignName, workspace: Workspace = DEFAULT_WORKSPACE, as_json: AsJson = False) -> None:
    """Plan and send at once. Every mail is checked as it is planned; when one must not be sent, none is."""
    from campaigns.approval import demand
    from campaigns.edit import find_campaign
    from campaigns.transports import make_transport
    from subscribers.database import reading

    world = open_workspace(workspace)
    with reading(world.database) as session:
        chosen = find_campaign(session, campaign)
        make_transport(chosen.transport, world.settings)  # says now what would be missing then
        demand(session, chosen, world.settings)
    planned_status = planned(world, campaign)
    found = sent(world, planned_status.run)
    if as_json:
        say_json(found.summary())
    else:
        for line in [*_plan_lines(found), *sent_lines(world, found, before=planned_status)]:
            say(line)
    _exit_by(found)


def status(
    run: RunNumber,
    in_doubt: Annotated[
        bool,
        typer.Option("--in-doubt", help="List those of whom nobody can know whether they got it, with Message-IDs."),
    ] = False,
    workspace: Workspace = DEFAULT_WORKSPACE,
    as_json: AsJson = False,
) -> None:
    """What became of a run, in numbers."""
    world = open_workspace(workspace)
    found = _status(world, run)
    if in_doubt:
        _say_in_doubt(world, run, as_json=as_json)
        return
    if as_json:
        say_json(found.summary())
        return
    first, *rest = _plan_lines(found)
    say(f"campaign {found.campaign}, {first} ({found.state})")
    for line in rest:
        say(line)
    say(f"  mails: {listed({state.replace('_', ' '): count for state, count in found.messages.items() if count})}")
    for line in _open_lines(found):
        say(line)


def _say_in_doubt(world: "World", run: int, *, as_json: bool) -> None:
    from campaigns import ledger
    from subscribers.database import reading

    with reading(world.database) as session:
        doubted = ledger.in_doubt(session, run)
    if as_json:
        say_json([{"address": address, "message_id": message_id} for address, message_id in doubted])
        return
    for address, message_id in doubted:
        say(f"{address} <{message_id}>")
    if not doubted:
        say(f"nobody in run {run} is in doubt")


def planned(world: "World", campaign: str) -> "Status":
    """Plan the campaign for this moment, with a progress bar."""
    from campaigns.errors import WrongState
    from campaigns.execute import start_run
    from campaigns.plan import plan_run
    from campaigns.runs import abandon
    from subscribers.database import writing

    run = start_run(world, campaign)
    if run is None or run.id is None:
        raise WrongState("another run of this campaign began at this very moment; try again")
    try:
        with progress("planning") as show:
            plan_run(world.database, run.id, world.settings, world.secrets, progress=show)
    except Exception:
        with writing(world.database) as session:
            abandon(session, run.id)  # nobody would go on with it
        raise
    return _status(world, run.id)


def reviewed(world: "World", run: int) -> "Review":
    """Review the run, with a progress bar."""
    from campaigns.review.rereading import review_run

    with progress("reviewing") as show:
        return review_run(world.database, run, progress=show)


def sent(world: "World", run: int, *, resend_in_doubt: bool = False) -> "Status":
    """Send the run through its campaign's transport, with a progress bar.

    The first Ctrl-C, or SIGTERM, lets what is on the wire finish: nobody is left in doubt by it.
    """
    from dataclasses import replace

    from campaigns.execute import send, stop_signals

    with progress("sending") as show, stop_signals() as asked:
        send(replace(world, stopping=lambda: bool(asked)), run, progress=show, resend_in_doubt=resend_in_doubt)
    return _status(world, run)


def _status(world: "World", run: int) -> "Status":
    from campaigns.status import status_of
    from subscribers.database import reading

    with reading(world.database) as session:
        return status_of(session, run)


def _plan_lines(status: "Status") -> list[str]:
    lines = [f"run {status.run}: {status.audience:,} people, {status.mails:,} mails"]
    if status.skipped:
        lines.append(f"  left out: {listed(status.skipped)}")
    if status.heroes:
        title, count = status.heroes[0]
        share = count / max(status.mails, 1)
        lines.append(f"  {status.different_heroes:,} different hero products; the commonest, {title}, in {share:.1%}")
    lines += rule_lines(status.rules)
    if status.worst:
        lines.append(f"  it will not be sent: {status.worst}")
    return lines


def rule_lines(rules: dict[str, dict[str, int]]) -> list[str]:
    """What the rules for picks did, a line for each kind of doing.

    >>> rule_lines({"out of stock": {"products": 3}, "excluded": {"products": 1}, "hero cap": {"people": 4}})
    ['  off the shelf: 3 out of stock, 1 excluded', '  lists changed by: 4 hero cap']
    """
    words = {"products": "off the shelf", "pairs": "kept out of lists", "people": "lists changed by"}
    lines = []
    for unit, said in words.items():
        counts = {rule: counted[unit] for rule, counted in rules.items() if unit in counted}
        if counts:
            lines.append(f"  {said}: {listed(counts)}")
    return lines


def _review_lines(review: "Review") -> list[str]:
    lines = [
        f"run {review.run_id}: {review.mails:,} mails checked, {len(review.heroes):,} different hero products, "
        f"the largest {review.largest / 1024:.0f} KB"
    ]
    for (severity, name), count in sorted(review.counts.items()):
        _, who, detail = review.worst_of[severity, name]
        worst = (
            f"; the worst is that of subscriber {who}" if who and count > 1 else f"; subscriber {who}" if who else ""
        )
        mails = "1 mail" if count == 1 else f"{count:,} mails"
        lines.append(f"  {severity}: {name} {detail} ({mails}{worst})")
    return lines if review.counts else [*lines, "  nothing to complain about"]


def sent_lines(world: "World", status: "Status", *, before: "Status") -> list[str]:
    """What became of the mails since `before`, in lines for a person."""
    handed = status.messages["accepted"] - before.messages["accepted"]
    lines = [f"  {handed:,} mails handed over, by {_transport_words(world, status)}"]
    if not handed and before.messages["accepted"]:
        lines = [f"  nothing was left to send: all {before.messages['accepted']:,} mails were handed over before"]
    others = {state.replace("_", " "): n for state, n in status.messages.items() if n and state != "accepted"}
    if others:
        lines.append(f"  not handed over: {listed(others)}")
    return [*lines, *_open_lines(status)]


def _open_lines(status: "Status") -> list[str]:
    """Why a run is not at its end, and what to do."""
    lines = []
    if status.stopped_because:
        lines.append(f"  {status.state}: {status.stopped_because}")
    if status.next_try:
        lines.append(f"  the next try of those put off: {status.next_try:%Y-%m-%d %H:%M} UTC")
    if doubted := status.messages["in_doubt"]:
        lines.append(
            f"  {doubted:,} may have arrived or not: `handpicked status {status.run} --in-doubt` lists their "
            f"Message-IDs to look for at the mail server, `handpicked send {status.run} --resend-in-doubt` sends again"
        )
    return lines


def _transport_words(world: "World", status: "Status") -> str:
    from campaigns.edit import find_campaign
    from subscribers.database import reading

    with reading(world.database) as session:
        transport = find_campaign(session, status.campaign).transport
    return f"outbox: see {world.settings.outbox / 'new'}" if transport == "outbox" else transport


def _exit_by(status: "Status") -> None:
    """Exit code 1 when somebody's mail is not where it should be."""
    if any(status.messages[state] for state in ("failed", "deferred", "in_doubt", "planned", "handing_over")):
        raise typer.Exit(1)
