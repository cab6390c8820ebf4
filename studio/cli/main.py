"""`handpicked`: reads the command line, runs one command, and turns errors into one sentence and an exit code.

0: done. 1: done, and there is something to look at. 2: wrong usage or input. 3: a service could not be reached.
"""

import sys
from typing import Annotated

import typer

from studio.cli import (
    account,
    bounces,
    campaign,
    decisions,
    dkim,
    imports,
    machine,
    model,
    people,
    recommend,
    review,
    runs,
    segments,
    serve,
    stopping,
    template,
)
from studio.cli.options import close_workspaces
from studio.cli.output import complain, say

app = typer.Typer(
    name="handpicked",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode=None,
)
app.command()(machine.demo)
app.command()(machine.doctor)
app.add_typer(imports.app, name="import")
app.command()(model.train)
app.command()(model.evaluate)
app.command()(recommend.recommend)
app.add_typer(model.app, name="model")
app.add_typer(template.app, name="template")
app.add_typer(segments.app, name="segment")
app.add_typer(campaign.app, name="campaign")
campaign.app.command()(decisions.check)
campaign.app.command()(decisions.approve)
campaign.app.command()(decisions.decide)
app.command()(runs.preview)
app.command()(runs.plan)
app.command()(runs.review)
app.command()(runs.send)
app.command()(runs.run)
app.command()(runs.status)
app.command()(review.snapshot)
app.command()(review.diff)
app.command()(stopping.pause)
app.command()(stopping.resume)
app.command()(stopping.cancel)
app.command()(people.optout)
app.add_typer(people.app, name="subscriber")
app.add_typer(account.app, name="account")
app.add_typer(bounces.app, name="bounces")
app.add_typer(dkim.app, name="dkim")
app.command()(serve.scheduler)
app.command()(serve.studio)
app.command()(machine.bench)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        say(f"handpicked {version('handpicked')}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Personalised email campaigns: picks for each subscriber, and no mail for anyone who said no."""


def main() -> None:
    """The entry point. An expected error is one sentence on stderr; only a bug shows a traceback."""
    try:
        app()
    except KeyboardInterrupt:
        complain("stopped; what was committed stays, and the same command goes on from there")
        sys.exit(130)
    except BrokenPipeError:  # `handpicked … | head`: the reader has seen enough
        sys.stderr.close()
        sys.exit(0)
    except Exception as error:
        from studio.errors import exit_code_of, sentence_of

        code = exit_code_of(error)
        if code is None:
            raise
        complain(f"handpicked: {sentence_of(error)}")
        sys.exit(code)
    finally:
        close_workspaces()
