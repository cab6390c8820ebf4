"""`handpicked template`: which there are, what is to be known about one, a live look at it, and a copy of your own."""

from typing import Annotated

import typer

from studio.cli.options import DEFAULT_WORKSPACE, AsJson, Workspace
from studio.cli.output import complain, say, say_json, table

app = typer.Typer(help="List, check and show email templates, and copy one to make it your own.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(metavar="NAME", help="The name of a template, as `template list` prints it.")]


@app.command(name="list")
def list_all(workspace: Workspace = DEFAULT_WORKSPACE, as_json: AsJson = False) -> None:
    """The templates there are: yours in the workspace, then those that ship."""
    from campaigns.settings import load_settings

    folders = load_settings(workspace).templates
    sheets = [folders.sheet(name) for name in folders.names()]
    if as_json:
        say_json([{"name": sheet.name, "title": sheet.title, "variables": sheet.defaults()} for sheet in sheets])
        return
    table(("template", "for"), [(sheet.name, sheet.description) for sheet in sheets])


@app.command()
def check(
    name: Name,
    clients: Annotated[
        bool, typer.Option("--clients", help="Also say which mail clients lack what the template uses.")
    ] = False,
    workspace: Workspace = DEFAULT_WORKSPACE,
    as_json: AsJson = False,
) -> None:
    """How the CSS of a template is inlined and why, what a mail costs, and what is wrong in its mails.

    Exit code 1 when it is inlined mail by mail or something was found, 2 when the template is broken.
    """
    from campaigns.sample_mails import open_shop
    from campaigns.settings import load_settings
    from campaigns.template_check import check_template
    from engine.render.clients import ClientSupport, template_files
    from scheduler import utc_now
    from studio.cli.template_report import check_lines, client_lines

    settings, now = load_settings(workspace), utc_now()
    support = ClientSupport() if clients else None
    with open_shop(settings, now) as shop:
        found, mails = check_template(settings, name, shop, now=now)
    lacks = support.lacks(mails, template_files(settings.templates.source, f"{name}.html")) if support else []
    if as_json:
        known = {"date": support.date, "lacks": [lack.summary() for lack in lacks]} if support else None
        say_json(found.summary() | ({"clients": known} if known else {}))
    else:
        for line in [*check_lines(found), *(client_lines(lacks, support) if support else ())]:
            say(line)
    if not found.good:
        raise typer.Exit(1)


@app.command()
def serve(
    name: Name,
    host: Annotated[str, typer.Option(help="The address to listen on; this machine only.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port to listen on; 0 takes any free one.")] = 0,
    workspace: Workspace = DEFAULT_WORKSPACE,
) -> None:
    """Show a template in the browser while you work at it: every save is seen at once. Ends with Ctrl-C."""
    from campaigns.sample_mails import open_shop
    from campaigns.settings import load_settings
    from scheduler import utc_now
    from studio.author.app import serve as serve_template

    settings = load_settings(workspace)
    settings.templates.sheet(name)
    with open_shop(settings, utc_now()) as shop:
        serve_template(settings, name, shop, host=host, port=port, announce=say)
    complain("stopped")


@app.command()
def new(
    name: Name,
    like: Annotated[
        str, typer.Option("--from", metavar="TEMPLATE", help="The template to start from.")
    ] = "picked-for-you",
    workspace: Workspace = DEFAULT_WORKSPACE,
) -> None:
    """Copy a template and its sheet into the workspace, to be changed; layouts and blocks stay shared."""
    from campaigns.own_templates import copy_template
    from campaigns.settings import load_settings

    made = copy_template(load_settings(workspace), like, name)
    say(f"made {', '.join(str(path) for path in made)}")
    say(f"next: handpicked template check {name}, then handpicked campaign new CAMPAIGN --template {name}")
