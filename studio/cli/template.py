"""`handpicked template`: which there are, how one is rendered, and a copy to make your own."""

from typing import Annotated

import typer

from studio.cli.options import DEFAULT_WORKSPACE, AsJson, Workspace
from studio.cli.output import say, say_json, table

app = typer.Typer(help="List and check email templates, and copy one to make it your own.", no_args_is_help=True)
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
def check(name: Name, workspace: Workspace = DEFAULT_WORKSPACE, as_json: AsJson = False) -> None:
    """Whether the CSS of a template is inlined once, or mail by mail, and why. Exit code 1 for mail by mail."""
    from campaigns.settings import load_settings
    from engine.render.inline import inline_template

    folders = load_settings(workspace).templates
    folders.sheet(name)
    template = inline_template(folders.sandbox(), folders.source, f"{name}.html")
    if as_json:
        say_json({"template": name, "inlined_once": template.once, "reason": template.reason})
    elif template.once:
        say(f"{name}: its CSS is inlined once; each mail costs what Jinja costs")
    else:
        say(f"{name}: its CSS is inlined mail by mail (about 35 ms each), because of {template.reason}")
    if not template.once:
        raise typer.Exit(1)


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
