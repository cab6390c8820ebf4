"""Bring files in: choose one, say which column is which, and follow the import on the page of its job."""

import csv
import io
import json
from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from campaigns.execute import World
from campaigns.imports import FileKind, columns_of
from studio.actions.imports import IMPORT, start_import
from studio.errors import JobUnknown
from studio.import_work import rejects_of, uploads_of
from studio.jobs import Jobs, find_job, jobs_of
from studio.pages.forms import Fields
from studio.pages.parameters import Typed
from studio.pages.run_csv import harmless
from studio.pages.shell import page, see_other
from studio.uploads import TOKEN_DIGITS, Upload, find_upload, forget, receive
from studio.visit import Marketer, Viewer, Visit
from subscribers.csv_files import Columns, CsvFile, Row
from subscribers.database import reading
from subscribers.errors import FileRejected, shorten
from subscribers.models import Purpose

LISTED, SAMPLED, MOST_COLUMNS = 50, 3, 200
PART = 500  # rejected rows that are sent at once
Token = Annotated[str, Path(pattern=f"^[0-9a-f]{{{TOKEN_DIGITS}}}$")]
JobNumber = Annotated[int, Path(ge=1, le=2**31 - 1)]
Kind = Annotated[FileKind, Query()]
ANYTHING = Columns(())


def import_pages(world: World, jobs: Jobs) -> APIRouter:
    """/imports and all below it."""
    pages, folder = APIRouter(), uploads_of(world)

    @pages.get("/imports")
    def earlier(visit: Viewer) -> Response:
        with reading(world.database) as session:
            found = jobs_of(session, IMPORT, LISTED)
        lines = [(job, {"file_name": "", "kind": ""} | json.loads(job.asked), json.loads(job.result)) for job in found]
        return page("imports/list.html", visit, lines=lines)

    @pages.get("/imports/new")
    def choose(visit: Marketer, kind: Kind = FileKind.SUBSCRIBERS) -> Response:
        return page("imports/new.html", visit, kind=kind, problem="")

    @pages.post("/imports/new")
    async def take(request: Request, visit: Marketer) -> Response:
        upload = await receive(request, folder)
        return await run_in_threadpool(_look_at_it, world, visit, upload)

    @pages.get("/imports/new/{token}")
    def columns(token: Token, visit: Marketer) -> Response:
        return _columns_page(visit, find_upload(folder, token), world, None)

    @pages.post("/imports/new/{token}")
    def begin(token: Token, visit: Marketer, typed: Typed) -> Response:
        upload = find_upload(folder, token)
        kind = FileKind(upload.kind)
        fields = _fields_in(typed, columns_of(kind), _header_of(upload, world))
        presumed = frozenset(purpose for purpose in Purpose if purpose in typed.all("consent"))
        if typed.problems:
            return _columns_page(visit, upload, world, typed)
        where, complete = upload.path(folder), bool(typed.one("complete"))
        job = start_import(
            world, visit, kind, upload.file_name, where, fields=fields, presumed=presumed, complete=complete
        )
        jobs.wake()
        return see_other(f"/jobs/{job.id}", "imported")

    @pages.get("/imports/{job_id}/rejects.csv")
    def rejects(job_id: JobNumber, visit: Marketer) -> Response:
        with reading(world.database) as session:
            job = find_job(session, job_id)
        kept = json.loads(job.result).get("rejects", "") if job.kind == IMPORT else ""
        if not kept or not (path := rejects_of(world, kept)).is_file():
            raise JobUnknown(f"no rejected rows of an import {job_id} are kept")
        name = f'attachment; filename="rejected-{job_id}.csv"'
        return StreamingResponse(_harmless_lines(path), media_type="text/csv", headers={"Content-Disposition": name})

    return pages


def _look_at_it(world: World, visit: Visit, upload: Upload) -> Response:
    """On to its columns, or back to the form with what is wrong."""
    folder, problem = uploads_of(world), ""
    kind = upload.kind if upload.kind in list(FileKind) else ""
    if not kind:
        problem = "say what is in the file, and choose it once more"
    elif not upload.file_name:
        problem = "choose a file first"
    else:
        try:
            header = _header_of(upload, world)
            if len(header) > MOST_COLUMNS:
                problem = f"this file has {len(header):,} columns; at most {MOST_COLUMNS} can be used"
        except FileRejected as error:
            problem = str(error).replace(upload.path(folder).name, upload.file_name)
    if problem:
        forget(folder, upload.token)
        return page("imports/new.html", visit, status=422, kind=kind or FileKind.SUBSCRIBERS, problem=problem)
    return see_other(f"/imports/new/{upload.token}")


def _header_of(upload: Upload, world: World) -> list[str]:
    """The columns of the file, once each. Raises FileRejected."""
    source = CsvFile(upload.path(uploads_of(world)), ANYTHING)
    next(iter(source), None)  # closes the file
    return list(dict.fromkeys(name for name in source.header if name))


def _sample_of(upload: Upload, world: World) -> tuple[list[str], list[list[str]]]:
    """(the header, a few rows), short enough to be shown."""
    source = CsvFile(upload.path(uploads_of(world)), ANYTHING)
    rows: list[list[str]] = []
    for row in source:
        if isinstance(row, Row):
            rows.append([shorten(cell) for cell in row.raw])
        if len(rows) >= SAMPLED:
            break
    return [shorten(name) for name in source.header], rows


def _columns_page(visit: Visit, upload: Upload, world: World, typed: Fields | None) -> Response:
    known, header = columns_of(FileKind(upload.kind)), _header_of(upload, world)
    guessed = _guessed(known, header)
    chosen = {name: guessed.get(name, "") if typed is None else typed.one(f"field-{name}") for name in _names(known)}
    shown, sample = _sample_of(upload, world)
    return page(
        "imports/columns.html",
        visit,
        status=422 if typed else 200,
        upload=upload,
        header=shown,
        sample=sample,
        columns=[(name, shorten(name)) for name in header],
        fields=[(name, name in known.required, column) for name, column in chosen.items()],
        problems=typed.problems if typed else {},
        consent=typed.all("consent") if typed else [],
        complete=bool(typed and typed.one("complete")),
    )


def _guessed(columns: Columns, header: list[str]) -> dict[str, str]:
    """For each of our fields the column of the file that has its name, or another spelling of it."""
    known = {name.lower(): name for name in _names(columns)} | {
        also.lower(): ours for also, ours in columns.also.items()
    }
    found: dict[str, str] = {}
    for name in header:
        ours = known.get(name.lower())
        if ours is not None and (ours not in found or name.lower() == ours.lower()):
            found[ours] = name
    return found


def _fields_in(typed: Fields, columns: Columns, header: list[str]) -> dict[str, str]:
    """For each of our fields the column that was chosen. What is wrong is noted as a problem of its field."""
    said = {name: typed.one(f"field-{name}") for name in _names(columns)}
    chosen = {name: column for name, column in said.items() if column}
    for name in columns.required:
        if name not in chosen:
            typed.problems[f"field-{name}"] = "choose the column that holds it"
    for name, column in chosen.items():
        if column not in header:
            typed.problems[f"field-{name}"] = "choose one of the file's columns"
        elif list(chosen.values()).count(column) > 1:
            typed.problems[f"field-{name}"] = "this column is chosen twice; choose another one"
    return chosen


def _names(columns: Columns) -> tuple[str, ...]:
    return (*columns.required, *columns.optional)


def _harmless_lines(path: Any) -> Iterator[bytes]:
    """The file again, so many rows at a time, with no cell that a spreadsheet takes for a formula."""
    with path.open(encoding="utf-8", newline="") as stream:
        part = io.StringIO()
        for number, row in enumerate(csv.reader(stream), start=1):
            csv.writer(part).writerow([harmless(cell) for cell in row])
            if number % PART == 0:
                yield part.getvalue().encode()
                part = io.StringIO()
        yield part.getvalue().encode()
