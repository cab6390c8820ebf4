"""/imports: a file is the body of the request, and what becomes of it is a job."""

import secrets
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from campaigns.execute import World
from campaigns.imports import FileKind
from studio.actions.imports import start_import
from studio.api.answers import JobAnswer, Text
from studio.api.shop import job_answer
from studio.errors import StudioError
from studio.import_work import uploads_of
from studio.jobs import Jobs
from studio.uploads import TOKEN_DIGITS, sweep
from studio.visit import Marketer
from subscribers.models import Purpose

FileName = Annotated[Text, Query(max_length=100, description="how the file is called, to be shown")]
Presumed = Annotated[list[Purpose] | None, Query(description="purposes that everybody in it has agreed to")]
Complete = Annotated[bool, Query(description="of products: those that it does not name are withdrawn")]
CSV = {"requestBody": {"required": True, "content": {"text/csv": {"schema": {"type": "string"}}}}}


def import_routes(world: World, jobs: Jobs) -> APIRouter:
    """POST /imports/{kind}; GET /jobs/{id} tells how it goes."""
    routes = APIRouter(prefix="/imports", tags=["imports"])

    @routes.post("/{kind}", status_code=202, openapi_extra=CSV)
    async def begin(  # noqa: PLR0917 the parameters of a route are named, not placed
        kind: FileKind,
        request: Request,
        visit: Marketer,
        file_name: FileName = "upload.csv",
        presumed: Presumed = None,
        complete: Complete = False,
    ) -> JobAnswer:
        folder = uploads_of(world)
        await run_in_threadpool(sweep, folder)
        path = folder / f"{secrets.token_hex(TOKEN_DIGITS // 2)}.csv"
        try:
            await _write(request, path)
            job = await run_in_threadpool(
                lambda: start_import(
                    world, visit, kind, file_name, path, presumed=frozenset(presumed or ()), complete=complete
                )
            )
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        jobs.wake()
        return job_answer(job)

    return routes


async def _write(request: Request, path: Path) -> None:
    """Raises StudioError for an empty body."""
    size = 0
    with path.open("wb") as stream:
        async for chunk in request.stream():
            size += len(chunk)
            await run_in_threadpool(stream.write, chunk)
    if not size:
        raise StudioError("there is no file in this request; send it as the body: curl --data-binary @people.csv")
