"""/account: one's own password, time zone, sessions and access tokens."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Path
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from campaigns.execute import World
from studio import logins
from studio.actions import accounts as actions
from studio.errors import FieldInvalid
from studio.pages.door import secret_in
from studio.pages.forms import Fields, read_fields
from studio.pages.shell import page, see_other
from studio.roles import Role
from studio.throttle import Throttle
from studio.visit import Viewer, Visit
from subscribers.database import reading

Number = Annotated[int, Path(ge=1, le=2**31 - 1)]


def account_pages(world: World) -> APIRouter:
    """/account, and what its forms do."""
    pages, throttle = APIRouter(), Throttle()

    @pages.get("/account")
    def account(visit: Viewer) -> Response:
        return _page(world, visit)

    @pages.post("/account/password")
    async def change_password(request: Request, visit: Viewer) -> Response:
        typed = await read_fields(request)
        if not throttle.admits(visit.name, now=world.clock()):
            typed.problems["old"] = "that was tried too often; wait a quarter of an hour"
            return _page(world, visit, typed, status=429)
        if secret_in(typed, "new") != secret_in(typed, "again"):
            typed.problems["again"] = "this is not the same password"
            return _page(world, visit, typed, status=422)
        old, new = secret_in(typed, "old"), secret_in(typed, "new")
        try:
            await run_in_threadpool(actions.change_password, world, visit, old, new)
        except FieldInvalid as problem:
            typed.problems["new" if problem.field == "password" else problem.field] = problem.sentence
            return _page(world, visit, typed, status=422)
        throttle.succeeded(visit.name)
        return see_other("/account", "password")

    @pages.post("/account/time-zone")
    async def change_time_zone(request: Request, visit: Viewer) -> Response:
        typed = await read_fields(request)
        try:
            await run_in_threadpool(actions.change_time_zone, world, visit, typed.one("time_zone"))
        except FieldInvalid as problem:
            typed.problems[problem.field] = problem.sentence
            return _page(world, visit, typed, status=422)
        return see_other("/account", "saved")

    @pages.post("/account/sessions/{login_id}/end")
    def end(login_id: Number, visit: Viewer) -> Response:
        actions.end_session(world, visit, login_id)
        return see_other("/account", "ended")

    @pages.post("/account/sessions/end-others")
    def end_others(visit: Viewer) -> Response:
        actions.end_other_sessions(world, visit)
        return see_other("/account", "all-ended")

    @pages.post("/account/tokens")
    async def make_token(request: Request, visit: Viewer) -> Response:
        typed = await read_fields(request)
        name, role = typed.one("token_name"), typed.one("token_role")
        try:
            token = await run_in_threadpool(actions.make_token, world, visit, name, role)
        except FieldInvalid as problem:
            typed.problems[problem.field] = problem.sentence
            return _page(world, visit, typed, status=422)
        return page("account/token.html", visit, token=token, name=name, role=role)  # no redirect: shown this once

    @pages.post("/account/tokens/{token_id}/revoke")
    def revoke_token(token_id: Number, visit: Viewer) -> Response:
        actions.revoke_token(world, visit, token_id)
        return see_other("/account", "revoked")

    return pages


def _page(world: World, visit: Visit, typed: Fields | None = None, *, status: int = 200) -> Response:
    lasts = timedelta(hours=world.settings.studio_hours)
    with reading(world.database) as session:
        return page(
            "account/account.html",
            visit,
            status=status,
            typed=typed or Fields(),
            problems=typed.problems if typed else {},
            sessions=logins.logins_of(session, visit.account_id, now=world.clock(), lasts=lasts),
            tokens=logins.tokens_of(session, visit.account_id),
            role_choices=[(role, role) for role in Role if visit.may(role)],
            hours=world.settings.studio_hours,
        )
