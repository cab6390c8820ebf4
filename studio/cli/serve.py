"""`handpicked scheduler` and `studio`: the two that run until they are stopped."""

import logging
from typing import Annotated

import typer

from studio.cli.options import DEFAULT_WORKSPACE, Workspace, open_workspace
from studio.cli.output import complain, say


def scheduler(workspace: Workspace = DEFAULT_WORKSPACE) -> None:
    """Run campaigns when they are due, and train the model at night. Any number may run at once."""
    import scheduler as timer

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    logging.getLogger("apscheduler").setLevel(logging.WARNING)
    timer.run_forever(workspace, announce=say)


def studio(
    host: Annotated[
        str, typer.Option(help="The address to listen on. One that others can reach needs an account and studio_url.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="The port to listen on.")] = 8025,
    workspace: Workspace = DEFAULT_WORKSPACE,
) -> None:
    """Campaigns, previews and people in the browser. As long as nobody has an account, it prints an address that makes
    the first one."""
    from studio.app import serve

    world = open_workspace(workspace)
    serve(world, host=host, port=port, announce=say)
    complain("studio stopped")
