"""`handpicked dkim`: keys that sign mails, and the DNS records that others check the signatures against."""

from pathlib import Path
from typing import Annotated

import typer

from studio.cli.options import DEFAULT_WORKSPACE, AsJson, Workspace
from studio.cli.output import say, say_json

app = typer.Typer(help="Keys that sign mails.", no_args_is_help=True)


@app.command()
def key(
    selector: Annotated[
        str,
        typer.Argument(
            metavar="SELECTOR", help="The key's name in the DNS, such as ed2026. Take a new one for each key."
        ),
    ],
    rsa: Annotated[
        bool, typer.Option("--rsa", help="RSA with 2,048 bits, which everybody can check, instead of Ed25519.")
    ] = False,
    workspace: Workspace = DEFAULT_WORKSPACE,
    as_json: AsJson = False,
) -> None:
    """Make a key that signs mails, and print the DNS record for it. Of a key that is there it prints the record."""
    from campaigns.dkim_keys import FOLDER, load_key, make_key, signing_domain, zone_line
    from campaigns.errors import SettingsInvalid
    from campaigns.settings import SETTINGS_FILE, load_settings

    settings = load_settings(workspace)
    domain = signing_domain(settings)
    relative = settings.dkim_keys.get(selector, Path(FOLDER) / f"{selector}.pem")
    path = workspace / relative
    fresh = not path.exists()
    if fresh:
        make_key(selector, path, rsa=rsa)
    made = load_key(selector, path)
    if rsa and made.algorithm != "rsa-sha256":
        raise SettingsInvalid(f"{path} is no RSA key; take another selector")
    if as_json:
        name = f"{selector}._domainkey.{domain}"
        say_json({"selector": selector, "file": str(path), "made": fresh, "name": name, "value": made.record})
        return
    say(f"{path}: {'made' if fresh else 'was there before'}; keep it secret, and in your backup")
    say(f"publish this record:\n  {zone_line(selector, domain, made.record)}")
    if selector not in settings.dkim_keys:
        where = workspace / SETTINGS_FILE
        say(f'when it can be looked up, sign with it: add to dkim_keys in {where}\n  {selector} = "{relative}"')
