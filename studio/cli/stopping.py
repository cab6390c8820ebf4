"""`handpicked pause`, `resume` and `cancel`: stop a run at any moment, for a while or for good."""

from studio.cli.options import DEFAULT_WORKSPACE, RunNumber, Workspace, open_workspace
from studio.cli.output import say

BY_HAND = "by hand"


def pause(run: RunNumber, workspace: Workspace = DEFAULT_WORKSPACE) -> None:
    """Stop sending a run; what is on the wire is finished. `handpicked resume` goes on."""
    from campaigns.stopping import pause as stop
    from subscribers.database import writing

    world = open_workspace(workspace)
    with writing(world.database) as session:
        stop(session, run, why=f"{BY_HAND}, {world.clock():%Y-%m-%d %H:%M} UTC")
    say(f"run {run} is paused; handpicked resume {run} goes on with it")


def resume(run: RunNumber, workspace: Workspace = DEFAULT_WORKSPACE) -> None:
    """Let a paused run go on: the scheduler takes it up, or `handpicked send` does."""
    from campaigns.stopping import resume as go_on
    from subscribers.database import writing

    world = open_workspace(workspace)
    with writing(world.database) as session:
        unattended = go_on(session, run, now=world.clock()).unattended
    say(f"run {run} goes on: " + ("the scheduler takes it up" if unattended else f"handpicked send {run}"))


def cancel(run: RunNumber, workspace: Workspace = DEFAULT_WORKSPACE) -> None:
    """End a run for good: who has not got the mail by now gets none."""
    from campaigns import execute, ledger
    from campaigns.models import MessageState
    from campaigns.stopping import cancel as end
    from subscribers.database import writing

    world = open_workspace(workspace)
    with writing(world.database) as session:
        end(session, run, why=f"{BY_HAND}, {world.clock():%Y-%m-%d %H:%M} UTC")
        session.commit()
        execute.wind_up(world, run)
        accepted = ledger.totals(session, run).get(MessageState.ACCEPTED, 0)
    say(f"run {run} is cancelled; {accepted:,} mails had been handed over")
