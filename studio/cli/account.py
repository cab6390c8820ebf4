"""`handpicked account`: who may use the studio, from the console of the machine itself."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from studio.cli.options import DEFAULT_WORKSPACE, AsJson, Workspace, open_workspace
from studio.cli.output import on_terminal, say, say_json, table

if TYPE_CHECKING:
    from campaigns.execute import World
    from studio.visit import Visit

app = typer.Typer(help="List, add, disable and enable accounts of the studio, and set passwords.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The name somebody logs in with.")]


@app.command(name="list")
def list_all(workspace: Workspace = DEFAULT_WORKSPACE, as_json: AsJson = False) -> None:
    """Everybody who may use the studio."""
    from studio.accounts import list_accounts
    from subscribers.database import reading

    with reading(open_workspace(workspace).database) as session:
        found = list_accounts(session)
    if as_json:
        say_json([account.model_dump(mode="json", exclude={"id", "password"}) for account in found])
    elif found:
        rows = [(each.name, each.role, each.time_zone, "disabled" if each.disabled_at else "") for each in found]
        table(("name", "role", "time zone", ""), rows)
    else:
        say("no accounts yet; whoever opens the studio first makes one: handpicked studio")


@app.command()
def add(
    name: Name,
    role: Annotated[str, typer.Option(help="What they may do: viewer, marketer, approver or admin.")] = "viewer",
    time_zone: Annotated[str, typer.Option(metavar="ZONE", help="The zone they are shown times in.")] = "UTC",
    workspace: Workspace = DEFAULT_WORKSPACE,
) -> None:
    """Make an account. The password is asked for, or read from the first line of stdin."""
    from studio.actions.accounts import NewAccount, make

    world = open_workspace(workspace)
    account = make(world, _at_the_console(world), NewAccount(name, _new_password(), role, time_zone))
    say(f"account {account.name} is made: {account.role}, {account.time_zone}")


@app.command()
def password(name: Name, workspace: Workspace = DEFAULT_WORKSPACE) -> None:
    """Set a new password for somebody, who is logged out everywhere. It is asked for, or read from stdin."""
    from studio.actions.accounts import set_password

    world = open_workspace(workspace)
    set_password(world, _at_the_console(world), _number(world, name), _new_password())
    say(f"account {name}: the new password counts from now on, and every session has ended")


@app.command()
def disable(name: Name, workspace: Workspace = DEFAULT_WORKSPACE) -> None:
    """Let somebody in no more, neither by password nor by access token. What they did stays in the audit."""
    from studio.actions.accounts import disable as let_out

    world = open_workspace(workspace)
    let_out(world, _at_the_console(world), _number(world, name))
    say(f"account {name} is disabled, and every session has ended")


@app.command()
def enable(name: Name, workspace: Workspace = DEFAULT_WORKSPACE) -> None:
    """Let somebody in again who was disabled."""
    from studio.actions.accounts import enable as let_in

    world = open_workspace(workspace)
    let_in(world, _at_the_console(world), _number(world, name))
    say(f"account {name} may log in again")


def _number(world: "World", name: str) -> int:
    """Raises AccountUnknown."""
    from studio.accounts import find_account
    from subscribers.database import reading

    with reading(world.database) as session:
        return find_account(session, name).id or 0


def _at_the_console(world: "World") -> "Visit":
    """Whoever can run this reads the database anyway, so they may do everything."""
    from getpass import getuser

    from studio.roles import Role
    from studio.visit import Visit

    return Visit(0, getuser()[:64], Role.ADMIN, "UTC", via="console")


def _new_password() -> str:
    """Never from the command line, which other users of the machine can read. Raises AccountInvalid."""
    from getpass import getpass

    from studio.errors import AccountInvalid

    if not (on_terminal() and sys.stdin.isatty()):
        return sys.stdin.readline().rstrip("\r\n")
    said = getpass("New password: ")
    if getpass("Once more: ") != said:
        raise AccountInvalid("password", "the two are not the same; nothing was changed")
    return said
