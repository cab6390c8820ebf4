"""The long work of an import: the file is read, what was rejected is kept, and the file is deleted."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from campaigns.execute import World
from campaigns.imports import Asked, FileKind, columns_of, draw_pictures, import_file
from studio.errors import StudioError
from studio.jobs import Progress
from studio.uploads import forget
from subscribers.csv_files import Columns
from subscribers.models import Purpose

PICTURED = (FileKind.PRODUCTS, FileKind.ORDERS)


def uploads_of(world: World) -> Path:
    """The folder where files wait to be taken in."""
    return world.settings.workspace / "imports"


def rejects_of(world: World, token: str) -> Path:
    """Where the rejected rows of an upload are kept."""
    return world.settings.rejects / f"{token}.csv"


def import_now(world: World, asked: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Take a file in, and say what became of its rows. Raises FileRejected, StudioError when the file is gone."""
    kind, path = FileKind(asked["kind"]), Path(asked["path"])
    if not path.is_file():
        raise StudioError("the file is not here any more; import it once more")
    columns, renames = _columns(kind, asked["fields"])
    rejects = rejects_of(world, path.stem)
    presumed = frozenset(Purpose(purpose) for purpose in asked["presumed"])
    how = Asked(kind, path, rejects, renames, presumed=presumed, complete=asked["complete"], columns=columns)
    report, facts = import_file(world, how, lambda done, whole: progress(100 * done // max(whole, 1)))
    if kind in PICTURED:
        facts["pictures_drawn"] = draw_pictures(world)
    forget(path.parent, path.stem)
    counts = dict(report.counts)
    rejected = counts.pop("rejected", 0)
    return {
        "rows": sum(counts.values()) + rejected,
        "counts": counts | ({"rejected": rejected} if rejected else {}),
        "rejected": rejected,
        "first": report.first,
        "unused_columns": report.unused_columns[:40],
        "facts": facts,
        "rejects": path.stem if rejected else "",
    }


def _columns(kind: FileKind, fields: Mapping[str, str] | None) -> tuple[Columns | None, dict[str, str]]:
    """(the fields that were chosen, and no other; the columns by their names in the file)."""
    if fields is None:
        return None, {}
    known = columns_of(kind)
    optional = tuple(name for name in known.optional if name in fields)
    return Columns(known.required, optional), {theirs: ours for ours, theirs in fields.items()}
