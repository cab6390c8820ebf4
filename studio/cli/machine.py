"""`handpicked demo`, `doctor` and `bench`: a first look, and this machine."""

import runpy
import sys
from pathlib import Path
from typing import Annotated

import typer

from studio.cli.options import DEFAULT_WORKSPACE, AsJson, Workspace
from studio.cli.output import complain, on_terminal, say, say_json

BENCHMARKS = Path(__file__).parent.parent.parent / "benchmarks"


def demo(
    data: Annotated[
        Path | None, typer.Option("--data", metavar="FILE", help="An order file; without one, a sample shop is made.")
    ] = None,
    no_studio: Annotated[bool, typer.Option("--no-studio", help="Do not serve the studio afterwards.")] = False,
    workspace: Workspace = DEFAULT_WORKSPACE,
) -> None:
    """The whole job once: import, train, plan, review, send to the outbox. On a terminal it then serves the studio."""
    from studio.demo import run_demo

    world = run_demo(workspace, data)
    if on_terminal() and not no_studio:
        from studio.app import serve

        serve(world, announce=say)


def doctor(as_json: AsJson = False) -> None:
    """What is missing on this machine, and how to get it. Exit code 1 when something needed is."""
    from studio.doctor import examine

    found = examine()
    if as_json:
        say_json([item.summary() for item in found])
    else:
        for item in found:
            say(f"{'ok     ' if item.there else 'missing'}  {item.name}: {item.detail}")
    if any(not item.there and item.needed for item in found):
        raise typer.Exit(1)


def bench(
    name: Annotated[str, typer.Argument(help="Which benchmark; without a name they are listed.")] = "",
    rest: Annotated[
        list[str] | None, typer.Argument(metavar="…", help="What it takes itself, behind --: -- --people 1000.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Measure on this machine (in a checkout: benchmarks are not installed)."""
    there = sorted(path.stem for path in BENCHMARKS.glob("*.py") if not path.stem.startswith("_"))
    if not there:
        complain("benchmarks are only in a checkout of the project; clone it and run this there")
        raise typer.Exit(2)
    if not name:
        say(f"benchmarks: {', '.join(there)}")
        return
    if name not in there:
        complain(f"there is no benchmark {name!r}; there are: {', '.join(there)}")
        raise typer.Exit(2)
    sys.argv = [name, *(["--json"] if as_json else []), *(rest or [])]
    sys.path.insert(0, str(BENCHMARKS))  # what they share stands beside them
    runpy.run_path(str(BENCHMARKS / f"{name}.py"), run_name="__main__")
