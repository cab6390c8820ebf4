"""Who may use the studio: whoever sits at this machine and can read the token it printed.

Four walls, in this order: it listens on loopback only; it answers to loopback names only (a page elsewhere may point
its own name at 127.0.0.1, "DNS rebinding"); forms must come from its own pages; and everything needs a session, which
one token opens once. Sessions are kept in memory: they end with the process.
"""

import hashlib
import hmac
import ipaddress
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Lock
from urllib.parse import urlsplit

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, RedirectResponse
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from studio.errors import HostRefused, OriginRefused, StudioError, answer_to
from studio.pages.faults import studio_notice
from studio.pages.forms import read_form
from studio.pages.shell import page

SESSION_LASTS = timedelta(hours=12)  # a working day
LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


def make_token() -> str:
    """A secret of 192 bits that fits in an address."""
    return secrets.token_urlsafe(24)


def refuse_unless_loopback(host: str) -> None:
    """Raises StudioError for an address that other machines could reach."""
    try:
        loopback = host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise StudioError(
            f"the studio does not listen on {host!r}: it shows everybody's mail and must stay on this machine; "
            "use 127.0.0.1 and an SSH tunnel"
        )


class Doorkeeper:
    """Knows the one-time token and the sessions. Of both it keeps digests only."""

    def __init__(
        self, token: str, clock: Callable[[], datetime], *, new_session: Callable[[], str] = make_token
    ) -> None:
        self._token: bytes | None = _digest(token)
        self._clock, self._new_session = clock, new_session
        self._sessions: dict[bytes, datetime] = {}
        self._lock = Lock()  # two clicks at once are still one entry

    def admit(self, token: str) -> str | None:
        """A new session for the one-time token; None when it is wrong or was used before."""
        with self._lock:
            if self._token is None or not hmac.compare_digest(self._token, _digest(token)):
                return None
            self._token = None
            session = self._new_session()
            self._sessions[_digest(session)] = self._clock()
            return session

    def knows(self, session: str) -> bool:
        """Whether this session was opened here within the last 12 hours."""
        name = _digest(session)
        begun = self._sessions.get(name)
        if begun is None:
            return False
        if self._clock() - begun >= SESSION_LASTS:
            self._sessions.pop(name, None)
            return False
        return True


class Wall:
    """Stands before every page of the studio, and lets through who may pass."""

    def __init__(self, app: ASGIApp, doorkeeper: Doorkeeper) -> None:
        self._app, self._doorkeeper = app, doorkeeper

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self._refusal(Request(scope)) if scope["type"] == "http" else None
        await (refusal or self._app)(scope, receive, send)

    def _refusal(self, request: Request) -> Response | None:
        try:
            check_host(request)
            check_origin(request)
        except StudioError as error:
            answer = answer_to(error)
            return studio_notice(answer.status if answer else 400, str(error))
        if request.scope["path"] == "/enter" or self._doorkeeper.knows(request.cookies.get(cookie_name(request), "")):
            return None
        if _wants_json(request):
            return JSONResponse({"error": "open the studio with its one-time address first"}, 401)
        return RedirectResponse("/enter", 303)


def cookie_name(request: Request) -> str:
    """Cookies know no ports: without it in the name, a second studio on this machine would lock out the first."""
    return f"handpicked_{_port(request)}"


def check_host(request: Request) -> None:
    """Raises HostRefused unless the request names this machine, and our own port."""
    port = _port(request)
    ends = {f":{port}"} | ({""} if port == 80 else set())
    if request.headers.get("host", "").lower() not in {name + end for name in LOOPBACK_NAMES for end in ends}:
        raise HostRefused("the studio answers to 127.0.0.1 and localhost, and its own port, only")


def check_origin(request: Request) -> None:
    """Raises OriginRefused for a form that another site's page, or no page at all, has sent.

    Browsers set both headers themselves; no page can change them. Each that is there must be right, and one must be.
    """
    if request.method in SAFE_METHODS:
        return
    origin, site = request.headers.get("origin"), request.headers.get("sec-fetch-site")
    same_origin = origin is None or urlsplit(origin)[:2] == ("http", request.headers.get("host", ""))
    if not (same_origin and site in (None, "same-origin") and (origin or site)):
        raise OriginRefused("this form was not sent from the studio's own page; open the studio and try there")


def enter_pages(doorkeeper: Doorkeeper) -> APIRouter:
    """/enter. Looking at it, as link previews do, uses nothing up; only the button does."""
    pages = APIRouter()

    @pages.get("/enter")
    def ask(token: str = "") -> Response:
        return page("enter.html", token=token, refused=False)

    @pages.post("/enter")
    async def enter(request: Request) -> Response:
        session = doorkeeper.admit((await read_form(request)).get("token", "").strip())
        if session is None:
            return page("enter.html", status=403, token="", refused=True)
        response = RedirectResponse("/", 303)
        lasts = int(SESSION_LASTS.total_seconds())
        response.set_cookie(cookie_name(request), session, max_age=lasts, httponly=True, samesite="strict")
        return response

    return pages


def _port(request: Request) -> int | None:
    """The port this came in at; None for a socket without one."""
    server: tuple[str, int | None] | None = request.scope.get("server")
    return server[1] if server else None


def _wants_json(request: Request) -> bool:
    accepted = request.headers.get("accept", "")
    return request.scope["path"].startswith("/api/") or ("application/json" in accepted and "text/html" not in accepted)


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "replace")).digest()
