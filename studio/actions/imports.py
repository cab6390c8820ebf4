"""Ask for a file to be taken in: the work itself is a job."""

from collections.abc import Mapping
from pathlib import Path

from campaigns.execute import World
from campaigns.imports import FileKind
from studio.audit import note
from studio.jobs import ask
from studio.models import Job
from studio.visit import Visit
from subscribers.database import writing
from subscribers.models import Purpose

IMPORT = "import"


def start_import(
    world: World,
    visit: Visit,
    kind: FileKind,
    file_name: str,
    path: Path,
    *,
    fields: Mapping[str, str] | None = None,
    presumed: frozenset[Purpose] = frozenset(),
    complete: bool = False,
) -> Job:
    """Ask for this file to be taken in. It is deleted when that went well.

    path: in the folder for uploads. file_name: as its sender calls it. fields: for each of our fields that the file
    has, the column of the file; None: columns are known by their names. presumed: purposes that everybody in it has
    agreed to. complete: products that it does not name are withdrawn.
    """
    now = world.clock()
    asked = {
        "kind": str(kind),
        "file_name": file_name,
        "path": str(path),
        "fields": None if fields is None else dict(fields),
        "presumed": sorted(presumed),
        "complete": complete,
    }
    with writing(world.database) as session:
        note(session, visit, "import.start", f"import of {kind}", now=now)
        job = ask(session, IMPORT, asked, by=visit.name, now=now)
        session.commit()
        return job
