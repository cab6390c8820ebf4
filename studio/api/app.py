"""The API as an application of its own, mounted at /api/v1: its errors are JSON, and its OpenAPI is its own."""

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Security
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.security import HTTPBearer
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from campaigns.execute import World
from studio.api.answers import Problem
from studio.api.campaigns import campaign_routes
from studio.api.imports import import_routes
from studio.api.people import people_routes
from studio.api.repeats import Repeats
from studio.api.runs import run_routes
from studio.api.segments import segment_routes
from studio.api.shop import shop_routes
from studio.errors import ANSWERS, answer_to, sentence_of
from studio.jobs import Jobs
from studio.pages.faults import DiscreetFaults
from studio.visit import Viewer

PREFIX = "/api/v1"
REFUSALS: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "description": words}
    for status, words in {
        400: "something in the request cannot be read",
        401: "no access token, or one that opens nothing",
        403: "the token's role is too low",
        404: "there is no such thing",
        409: "not in the state it is in now",
        413: "too large",
        422: "a value cannot be used",
        503: "the database does not answer",
    }.items()
}


def make_api(world: World, jobs: Jobs) -> FastAPI:
    """All of it. The wall before it lets in access tokens only; each route says which role it needs."""
    api = FastAPI(
        title="Handpicked",
        version="1",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        servers=[{"url": PREFIX}],
        responses=REFUSALS,
        dependencies=[Security(HTTPBearer(auto_error=False, description="an access token, made on /account"))],
    )
    for routes in (
        campaign_routes(world),
        run_routes(world),
        segment_routes(world),
        people_routes(world),
        shop_routes(world, jobs),
        import_routes(world, jobs),
    ):
        api.include_router(routes)

    @api.get("/openapi.json", include_in_schema=False)
    def openapi(visit: Viewer) -> dict[str, Any]:
        return api.openapi()

    _add_refusals(api)
    api.add_middleware(Repeats, world=world)
    api.add_middleware(DiscreetFaults, notice=refusal)
    return api


def refusal(status: int, sentence: str) -> Response:
    """{"error": sentence}."""
    return JSONResponse({"error": sentence}, status)


def _add_refusals(api: FastAPI) -> None:
    def expected(request: Request, error: Exception) -> Response:
        answer = answer_to(error)
        return refusal(answer.status if answer else 500, sentence_of(error))

    def no_such_route(request: Request, error: Any) -> Response:
        words = {404: "there is nothing at this address", 405: "this address does not know that method"}
        plain = words.get(error.status_code, "")
        said = plain if error.detail == HTTPStatus(error.status_code).phrase else str(error.detail)
        response = refusal(error.status_code, said or "that did not work")
        response.headers.update(error.headers or {})
        return response

    def unusable(request: Request, error: Any) -> Response:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"][1:]) or str(first["loc"][0])
        return refusal(422, f"{where}: {first['msg'][:1].lower()}{first['msg'][1:]}")

    for kind in ANSWERS:
        api.add_exception_handler(kind, expected)
    api.add_exception_handler(HTTPException, no_such_route)
    api.add_exception_handler(RequestValidationError, unusable)
