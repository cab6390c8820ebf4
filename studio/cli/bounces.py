"""`handpicked bounces`: mails that came back, read from a mailbox or as the mail server hands them over."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from studio.cli.options import DEFAULT_WORKSPACE, AsJson, Workspace, open_workspace
from studio.cli.output import complain, listed, say, say_json

if TYPE_CHECKING:
    from campaigns.bounces import Summary

app = typer.Typer(help="Read reports of mails that came back.", no_args_is_help=True)
TRY_LATER = os.EX_TEMPFAIL  # 75, sysexits.h: the mail server keeps the report and calls again
FOLDER = "bounces"  # in the workspace


@app.command()
def read(
    folder: Annotated[
        Path | None,
        typer.Argument(
            metavar="FOLDER", help="A Maildir, or a file in mbox form; without one bounces/ in the workspace."
        ),
    ] = None,
    workspace: Workspace = DEFAULT_WORKSPACE,
    as_json: AsJson = False,
) -> None:
    """Read a mailbox: count the bounces in it, and suppress addresses that nobody can be reached at."""
    from campaigns.bounces import read_mailbox
    from campaigns.return_path import ReturnPath

    world = open_workspace(workspace)
    return_path = ReturnPath(world.settings, world.secrets)
    found = read_mailbox(world.database, folder or workspace / FOLDER, return_path, clock=world.clock)
    if as_json:
        say_json(found.summary())
        return
    for line in summary_lines(found):
        say(line)


@app.command()
def pipe(
    recipient: Annotated[
        str,
        typer.Option("--recipient", metavar="ADDRESS", help="Whom it was delivered to, if no header says so."),
    ] = "",
    workspace: Workspace = DEFAULT_WORKSPACE,
) -> None:
    """Take one message from a mail server, on stdin. Exit code 0, or 75 when it must be handed over again."""
    from campaigns.bounce_reports import READ_BYTES
    from studio.errors import exit_code_of, sentence_of

    message = sys.stdin.buffer.read(READ_BYTES)
    while sys.stdin.buffer.read(READ_BYTES):  # to its end: a mail server may take a closed pipe for a failure
        pass
    try:
        say(_taken(message, recipient, workspace))
    except Exception as error:
        # with any other code a mail server would return the report to nobody, and it would be lost
        known = exit_code_of(error) is not None
        complain(f"handpicked: {sentence_of(error) if known else f'a bug: {type(error).__name__}'}; kept for later")
        raise typer.Exit(TRY_LATER) from None


def summary_lines(found: "Summary") -> list[str]:
    """What a mailbox held, in lines for a person."""
    messages = found.counts.total()
    lines = [f"{messages:,} {'message' if messages == 1 else 'messages'}: {listed(dict(found.counts))}"]
    if found.ignored:
        lines.append(f"  ignored: {listed(dict(found.ignored))}")
    return lines


def _taken(message: bytes, recipient: str, workspace: Path) -> str:
    from campaigns.bounces import take_message
    from campaigns.return_path import ReturnPath

    world = open_workspace(workspace)
    return_path = ReturnPath(world.settings, world.secrets)
    outcome = take_message(world.database, message, return_path, at=world.clock(), recipient=recipient)
    return f"{outcome.what}: {outcome.reason}" if outcome.reason else outcome.what
