"""The door: the first account, logging in, logging out."""

from functools import partial
from urllib.parse import urlsplit

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from campaigns.execute import World
from studio import accounts, logins
from studio.audit import note
from studio.auth import Setup, cookie_name, give_cookie
from studio.errors import AccountInvalid
from studio.models import Account
from studio.pages.forms import read_form
from studio.pages.shell import page
from studio.roles import Role
from studio.throttle import Throttle
from studio.visit import Viewer, Visit
from subscribers.database import reading, take_turns, writing


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
        typed = await read_form(request)
        if not setup.use(typed.get("token", "").strip()):
            return page("setup.html", status=403, token="", refused=True, typed={}, problem=None)
        try:
            secret = await run_in_threadpool(_first_account, world, typed, _browser(request))
        except AccountInvalid as problem:
            setup.restore(typed["token"].strip())
            return page(
                "setup.html", status=422, token=typed["token"].strip(), refused=False, typed=typed, problem=problem
            )
        return _entered(request, "/", secret, world)

    @pages.get("/login")
    def ask(request: Request, then: str = "") -> Response:
        if request.scope["state"]["visit"] is not None:
            return RedirectResponse(_own_path(then), 303)
        with reading(world.database) as session:
            if not accounts.any_accounts(session):
                return RedirectResponse("/setup", 303)
        return page("login.html", then=_own_path(then), name="", problem="")

    @pages.post("/login")
    async def enter(request: Request) -> Response:
        typed = await read_form(request)
        name, go_on = typed.get("name", "").strip().lower()[:64], _own_path(typed.get("then", ""))
        key = f"{name} {request.client.host if request.client else ''}"
        again = partial(page, "login.html", then=go_on, name=name)
        if throttle.refuses(key, now=world.clock()):
            return again(status=429, problem="That was tried too often. Wait a quarter of an hour, then try again.")
        secret = await run_in_threadpool(_enter, world, name, typed.get("password", ""), _browser(request))
        if secret is None:
            throttle.failed(key, now=world.clock())
            return again(status=403, problem="This name and password do not belong together. Try again.")
        throttle.succeeded(key)
        return _entered(request, go_on, secret, world)

    @pages.post("/logout")
    def leave(request: Request, visit: Viewer) -> Response:
        with writing(world.database) as session:
            logins.revoke_login(session, visit.account_id, visit.login_id or 0, now=world.clock())
            session.commit()
        response = RedirectResponse("/login", 303)
        response.delete_cookie(cookie_name(request, world.settings.studio_url))
        return response

    return pages


def _first_account(world: World, typed: dict[str, str], browser: str) -> str:
    """Make the admin and log them in. Raises AccountInvalid, also when somebody was made meanwhile."""
    if typed.get("password", "") != typed.get("again", ""):
        raise AccountInvalid("again", "this is not the same password")
    now = world.clock()
    with writing(world.database) as session:
        take_turns(session, Account)
        if accounts.any_accounts(session):
            raise AccountInvalid("name", "there is an account by now; log in with it")
        account = accounts.make_account(
            session,
            typed.get("name", ""),
            typed.get("password", ""),
            Role.ADMIN,
            now=now,
            time_zone=typed.get("time_zone") or "UTC",
        )
        visit = Visit(account.id or 0, account.name, Role.ADMIN, account.time_zone)
        note(session, visit, "account.make", f"account {account.name}", now=now, detail="the first, by one-time token")
        secret = logins.begin_login(session, account, browser=browser, now=now)
        session.commit()
        return secret


def _enter(world: World, name: str, password: str, browser: str) -> str | None:
    with reading(world.database) as session:
        account = accounts.check_password(session, name, password)
    if account is None:
        return None
    with writing(world.database) as session:
        visit = Visit(account.id or 0, account.name, Role(account.role), account.time_zone)
        note(session, visit, "login", f"account {account.name}", now=world.clock())
        secret = logins.begin_login(session, account, browser=browser, now=world.clock())
        session.commit()
        return secret


def _entered(request: Request, path: str, secret: str, world: World) -> Response:
    response = RedirectResponse(path, 303)
    give_cookie(request, response, secret, world)
    return response


def _own_path(wanted: str) -> str:
    """Where to go after logging in: a path of ours, and nothing that a browser could take for another site.

    >>> _own_path("/runs/3?state=failed"), _own_path("//evil.example/"), _own_path("/\\\\evil.example")
    ('/runs/3?state=failed', '/', '/')
    """
    parts = urlsplit(wanted)
    ours = wanted.startswith("/") and not wanted.startswith("//") and not parts.netloc and not parts.scheme
    return wanted if ours and wanted.isprintable() and "\\" not in wanted else "/"


def _browser(request: Request) -> str:
    return "".join(character for character in request.headers.get("user-agent", "") if character.isprintable())
