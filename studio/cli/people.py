"""`handpicked optout` and `subscriber`: one person, what we hold about them, and their no."""

from pathlib import Path
from typing import Any

import typer

from studio.cli.options import DEFAULT_WORKSPACE, Address, AsJson, Workspace, open_workspace
from studio.cli.output import listed, say, say_json

app = typer.Typer(help="Show, export or erase what we hold about one person.", no_args_is_help=True)


def optout(address: Address, workspace: Workspace = DEFAULT_WORKSPACE) -> None:
    """Never mail this address again, also if it is imported (again) later."""
    from subscribers import consent
    from subscribers.addresses import usable
    from subscribers.database import writing

    world = open_workspace(workspace)
    key = world.secrets.key_of(usable(address))
    with writing(world.database) as session:
        fresh = consent.opt_out(session, key, at=world.clock(), how="handpicked optout")
    say("opted out: this address gets no mail any more" if fresh else "was opted out before; nothing changed")


@app.command()
def show(address: Address, workspace: Workspace = DEFAULT_WORKSPACE, as_json: AsJson = False) -> None:
    """One person at a glance: consents, and how many signals of each kind."""
    held = _held(address, workspace)
    kinds: dict[str, int] = {}
    for signal in held["signals"]:
        kinds[signal["kind"]] = kinds.get(signal["kind"], 0) + 1
    person = held["subscriber"]
    if as_json:
        say_json({**person, "suppressed": held["suppressed"], "signals": kinds, "consent": held["consent"]})
        return
    name = f" ({person['given_name']})" if person["given_name"] else ""
    say(f"{person['address']}{name}, since {person['joined_at'][:10]}")
    for purpose in ("mail", "personalise", "track"):
        say(f"  {purpose}: {'yes' if person[f'may_{purpose}'] else 'no'}")
    if held["suppressed"]:
        say("  opted out: gets no mail, whatever else is true")
    say(f"  signals: {listed(kinds)}")


@app.command()
def export(address: Address, workspace: Workspace = DEFAULT_WORKSPACE) -> None:
    """Everything we hold about one person, as JSON."""
    say_json(_held(address, workspace))


@app.command()
def erase(address: Address, workspace: Workspace = DEFAULT_WORKSPACE) -> None:
    """Erase a person from the database, for good, and never mail the address again. Export first if you must."""
    from campaigns.erasure import erase
    from subscribers.addresses import usable
    from subscribers.database import writing

    world = open_workspace(workspace)
    with writing(world.database) as session:
        gone = erase(session, usable(address), world.secrets, now=world.clock())
    if gone.known:
        counts = {"signals": gone.signals, "answers about consent": gone.answers, "rows in runs": gone.mails}
        say(f"erased: {listed(counts)}")
    else:
        say("nobody on the roster has this address")
    say("this address gets no mail any more, also if it is imported again")


def _held(address: str, workspace: Path) -> dict[str, Any]:
    from campaigns.status import mails_of
    from subscribers import roster
    from subscribers.database import reading

    world = open_workspace(workspace)
    with reading(world.database) as session:
        person = roster.find(session, address, world.secrets)
        return {**roster.export(session, person), "mails": mails_of(session, person)}
