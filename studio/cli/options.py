"""Options and arguments that commands share, and the world they work in."""

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from campaigns.execute import World

Workspace = Annotated[
    Path,
    typer.Option("--workspace", envvar="HANDPICKED_WORKSPACE", help="The folder everything is kept in.", metavar="DIR"),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts instead of text for people.")]
RunNumber = Annotated[int, typer.Argument(metavar="RUN", help="The number of a run, as `plan` prints it.")]
CampaignName = Annotated[str, typer.Argument(metavar="CAMPAIGN", help="The name of a campaign.")]
Late = Annotated[
    str,
    typer.Option(
        "--missed", metavar="WHAT", help="A time found too late: late (send late), skip, or ask (wait for you)."
    ),
]
LateHours = Annotated[int, typer.Option(metavar="N", help="With --missed late: not more than N hours late, 1 to 720.")]
OwnTime = Annotated[
    bool, typer.Option("--own-time", help="In each person's own time zone; --time-zone: of those without a known one.")
]
Address = Annotated[str, typer.Argument(metavar="ADDRESS", help="An email address, in whatever case.")]
DEFAULT_WORKSPACE = Path("workspace")
_at_the_end = ExitStack()


def open_workspace(workspace: Path) -> "World":
    """The database, settings and secrets of a workspace, with the wall clock."""
    from campaigns.execute import open_world
    from scheduler import utc_now

    world = open_world(workspace, utc_now)
    _at_the_end.callback(world.close)
    return world


def close_workspaces() -> None:
    """Give back what commands of this process have opened."""
    _at_the_end.close()
