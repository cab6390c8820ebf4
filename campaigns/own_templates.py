"""A template of the user's own, begun as a copy of another."""

import re
from pathlib import Path

from campaigns.errors import CampaignInvalid
from campaigns.settings import Settings

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


def copy_template(settings: Settings, like: str, name: str) -> list[Path]:
    """Copy the page and the sheet of a template; layouts and blocks stay shared. Raises CampaignInvalid.

    Nothing is overwritten. To change a block or layout, copy its file to the same place under `templates/` of the
    workspace: it is found before the shipped one.
    """
    if not _NAME.fullmatch(name):
        raise CampaignInvalid(f"name {name[:70]!r}: use small letters, digits and hyphens, at most 63")
    folders = settings.templates
    sources = {suffix: folders.source(f"{like}{suffix}") for suffix in (".html", ".toml")}
    folder = settings.workspace / "templates"
    paths = {suffix: folder / f"{name}{suffix}" for suffix in sources}
    taken = [path for path in paths.values() if path.exists()]
    if taken:
        raise CampaignInvalid(f"{taken[0]} is there already; choose another name or delete it")
    folder.mkdir(parents=True, exist_ok=True)
    for suffix, source in sources.items():
        paths[suffix].write_text(source, encoding="utf-8")
    return list(paths.values())
