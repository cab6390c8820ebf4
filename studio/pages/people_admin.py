"""/people: the accounts of the studio, for admins."""

from typing import Annotated

from fastapi import APIRouter, Path
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from campaigns.execute import World
from studio import accounts
from studio.actions import accounts as actions
from studio.errors import FieldInvalid
from studio.pages.door import secret_in
from studio.pages.forms import Fields, read_fields
from studio.pages.shell import page, see_other
from studio.roles import Role
from studio.visit import Admin, Visit
from subscribers.database import reading

ROLES = [(role, role) for role in Role]
Number = Annotated[int, Path(ge=1, le=2**31 - 1)]


def account_admin_pages(world: World) -> APIRouter:
    """/people, and /people/{id} for each."""
    pages = APIRouter()

    @pages.get("/people")
    def everybody(visit: Admin) -> Response:
        return _list(world, visit)

    @pages.post("/people")
    async def make(request: Request, visit: Admin) -> Response:
        typed = await read_fields(request)
        wanted = actions.NewAccount(
            typed.one("name"), secret_in(typed, "password"), typed.one("role"), typed.one("time_zone") or "UTC"
        )
        try:
            await run_in_threadpool(actions.make, world, visit, wanted)
        except FieldInvalid as problem:
            typed.problems[problem.field] = problem.sentence
            return _list(world, visit, typed, status=422)
        return see_other("/people", "made")

    @pages.get("/people/{account_id}")
    def one(account_id: Number, visit: Admin) -> Response:
        return _one(world, visit, account_id)

    @pages.post("/people/{account_id}")
    async def change(account_id: Number, request: Request, visit: Admin) -> Response:
        typed = await read_fields(request)
        said = {"role": typed.one("role"), "time_zone": typed.one("time_zone")}
        try:
            await run_in_threadpool(lambda: actions.change(world, visit, account_id, **said))
        except FieldInvalid as problem:
            typed.problems[problem.field] = problem.sentence
            return _one(world, visit, account_id, typed, status=422)
        return see_other(f"/people/{account_id}", "saved")

    @pages.post("/people/{account_id}/password")
    async def set_password(account_id: Number, request: Request, visit: Admin) -> Response:
        typed = await read_fields(request)
        try:
            await run_in_threadpool(actions.set_password, world, visit, account_id, secret_in(typed, "password"))
        except FieldInvalid as problem:
            typed.problems[problem.field] = problem.sentence
            return _one(world, visit, account_id, typed, status=422)
        return see_other(f"/people/{account_id}", "password-set")

    @pages.post("/people/{account_id}/disable")
    def disable(account_id: Number, visit: Admin) -> Response:
        try:
            actions.disable(world, visit, account_id)
        except FieldInvalid as problem:
            return _one(world, visit, account_id, Fields(problems={"disable": problem.sentence}), status=422)
        return see_other(f"/people/{account_id}", "disabled")

    @pages.post("/people/{account_id}/enable")
    def enable(account_id: Number, visit: Admin) -> Response:
        actions.enable(world, visit, account_id)
        return see_other(f"/people/{account_id}", "enabled")

    @pages.post("/people/{account_id}/end-sessions")
    def end_sessions(account_id: Number, visit: Admin) -> Response:
        actions.end_sessions_of(world, visit, account_id)
        return see_other(f"/people/{account_id}", "all-ended")

    return pages


def _list(world: World, visit: Visit, typed: Fields | None = None, *, status: int = 200) -> Response:
    typed = typed or Fields()
    with reading(world.database) as session:
        people = accounts.list_accounts(session)
    return page(
        "people/people.html",
        visit,
        status=status,
        people=people,
        typed=typed,
        problems=typed.problems,
        role_choices=ROLES,
    )


def _one(world: World, visit: Visit, account_id: int, typed: Fields | None = None, *, status: int = 200) -> Response:
    with reading(world.database) as session:
        account = accounts.account_of(session, account_id)
    return page(
        "people/person.html",
        visit,
        status=status,
        account=account,
        problems=typed.problems if typed else {},
        role=typed.one("role", account.role) if typed else account.role,
        time_zone=typed.one("time_zone", account.time_zone) if typed else account.time_zone,
        role_choices=ROLES,
    )
