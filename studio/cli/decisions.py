"""`handpicked campaign check`, `approve` and `decide`: what somebody looks at, and says yes or no to."""

from typing import Annotated

import typer

from studio.cli.options import DEFAULT_WORKSPACE, AsJson, CampaignName, RunNumber, Workspace, open_workspace
from studio.cli.output import say, say_json


def decide(
    run: RunNumber,
    send: Annotated[
        bool | None, typer.Option("--send/--skip", help="Send it now after all, or not at all; one of the two.")
    ] = None,
    workspace: Workspace = DEFAULT_WORKSPACE,
) -> None:
    """Say what becomes of a run that asks: its time was missed, or its campaign was not approved. The scheduler then
    sends it within seconds."""
    from campaigns.errors import WrongState
    from campaigns.runs import decide as decide_on
    from subscribers.database import writing

    if send is None:
        raise WrongState(f"say what becomes of run {run}: --send or --skip")
    world = open_workspace(workspace)
    with writing(world.database) as session:
        found = decide_on(session, run, send, settings=world.settings, now=world.clock())
    say(f"run {run}: {'the scheduler sends it now' if send else found.stopped_because}")


def approve(
    campaign: CampaignName,
    by: Annotated[
        str, typer.Option(metavar="WHO", help="Who has looked at it; empty: whoever is logged in here.")
    ] = "",
    workspace: Workspace = DEFAULT_WORKSPACE,
) -> None:
    """Approve it as it stands. With require_approval in the settings nothing is sent without; a change ends it."""
    from getpass import getuser

    from campaigns.approval import approve as approve_it
    from subscribers.database import writing

    world = open_workspace(workspace)
    with writing(world.database) as session:
        found = approve_it(session, campaign, by or getuser(), world.settings, now=world.clock())
    say(f"campaign {found.name} is approved as it stands, by {found.approved_by}")


def check(campaign: CampaignName, workspace: Workspace = DEFAULT_WORKSPACE, as_json: AsJson = False) -> None:
    """What is to be seen to before it goes out. Exit code 1 when something keeps it from being sent."""
    from campaigns.checklist import blocks, checklist
    from campaigns.edit import find_campaign
    from subscribers.database import reading

    world = open_workspace(workspace)
    with reading(world.database) as session:
        items = checklist(session, find_campaign(session, campaign), world.settings, now=world.clock())
    if as_json:
        say_json([item.summary() for item in items])
    else:
        for item in items:
            say(f"{item.state:5}  {item.says}{f' {item.mend}' if item.mend else ''}")
    if blocks(items):
        raise typer.Exit(1)
