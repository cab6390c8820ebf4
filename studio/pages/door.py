"""The door: the first account, logging in, logging out."""

from functools import partial
from urllib.parse import urlsplit

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from campaigns.execute import World
from studio import accounts
from studio.actions.door import first_account, log_in, log_out
from studio.auth import Setup, give_cookie, take_cookie
from studio.errors import AccountInvalid
from studio.pages.forms import Fields, read_fields
from studio.pages.shell import page
from studio.throttle import Throttle
from studio.visit import Viewer
from subscribers.database import reading


def door_pages(world: World, setup: Setup) -> APIRouter:
    """/setup, /login and /logout. Looking at /setup, as link previews do, uses nothing up; only the form does."""
    pages, throttle = APIRouter(), Throttle()

    @pages.get("/setup")
    def ask_for_the_first_account(token: str = "") -> Response:
        with reading(world.database) as session:
            if accounts.any_accounts(session):
                return RedirectResponse("/login", 303)
        return page("setup.html", token=token, refused=bool(token) and not setup.opens(token), typed={}, problem=None)

    @pages.post("/setup")
    async def make_the_first_account(request: Request) -> Response:
        typed = await read_fields(request)
        token = typed.one("token")
        if not setup.use(token):
            return page("setup.html", status=403, token="", refused=True, typed={}, problem=None)
        try:
            secret = await run_in_threadpool(_first_account, world, typed, browser_of(request))
        except AccountInvalid as problem:
            setup.restore(token)
            said = {"name": typed.one("name"), "time_zone": typed.one("time_zone")}
            return page("setup.html", status=422, token=token, refused=False, typed=said, problem=problem)
        except BaseException:  # the database is away, or whatever else: nothing was made
            setup.restore(token)
            raise
        return _entered(request, "/", secret, world)

    @pages.get("/login")
    def ask(request: Request, then: str = "") -> Response:
        if request.scope["state"]["visit"] is not None:
            return RedirectResponse(own_path(then), 303)
        with reading(world.database) as session:
            if not accounts.any_accounts(session):
                return RedirectResponse("/setup", 303)
        return page("login.html", then=own_path(then), name="", problem="")

    @pages.post("/login")
    async def enter(request: Request) -> Response:
        typed = await read_fields(request)
        name, go_on = typed.one("name").lower()[:64], own_path(typed.one("then"))
        key = f"{name} {request.client.host if request.client else ''}"
        again = partial(page, "login.html", then=go_on, name=name)
        if not throttle.admits(key, now=world.clock()):
            return again(status=429, problem="That was tried too often. Wait a quarter of an hour, then try again.")
        secret = await run_in_threadpool(log_in, world, name, secret_in(typed, "password"), browser_of(request))
        if secret is None:
            return again(status=403, problem="This name and password do not belong together. Try again.")
        throttle.succeeded(key)
        return _entered(request, go_on, secret, world)

    @pages.post("/logout")
    def leave(request: Request, visit: Viewer) -> Response:
        log_out(world, visit)
        response = RedirectResponse("/login", 303)
        take_cookie(request, response, world)
        return response

    return pages


def _first_account(world: World, typed: Fields, browser: str) -> str:
    """Raises AccountInvalid."""
    password = secret_in(typed, "password")
    if password != secret_in(typed, "again"):
        raise AccountInvalid("again", "this is not the same password")
    zone = typed.one("time_zone") or "UTC"
    return first_account(world, typed.one("name"), password, time_zone=zone, browser=browser)


def secret_in(typed: Fields, name: str) -> str:
    """A password as it was typed, blanks included."""
    return typed.values.get(name, [""])[0]


def _entered(request: Request, path: str, secret: str, world: World) -> Response:
    response = RedirectResponse(path, 303)
    give_cookie(request, response, secret, world)
    return response


def own_path(wanted: str) -> str:
    """Where to go after logging in: a path of ours, and nothing that a browser could take for another site.

    >>> own_path("/runs/3?state=failed"), own_path("//evil.example/"), own_path("/\\\\evil.example")
    ('/runs/3?state=failed', '/', '/')
    """
    parts = urlsplit(wanted)
    ours = wanted.startswith("/") and not wanted.startswith("//") and not parts.netloc and not parts.scheme
    return wanted if ours and wanted.isprintable() and "\\" not in wanted else "/"


def browser_of(request: Request) -> str:
    """What the browser calls itself."""
    return "".join(character for character in request.headers.get("user-agent", "") if character.isprintable())
