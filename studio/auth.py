"""The walls before every page of the studio, and who may pass them.

In this order: it answers only to its own names (a page elsewhere may point its own name at 127.0.0.1, "DNS
rebinding"); forms must come from its own pages; and everything needs a session, or, under /api/ and for /metrics, an
access token. Before the first account exists it listens on loopback only, and the first account is made by whoever can
read the one-time token it printed: nobody can be there first.
"""

import hashlib
import hmac
import ipaddress
import secrets
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from threading import Lock
from urllib.parse import quote, urlsplit

from fastapi.responses import JSONResponse, RedirectResponse
from sqlalchemy.exc import DBAPIError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from campaigns.execute import World
from studio import logins
from studio.errors import HostRefused, LoginNeeded, OriginRefused, StudioError, answer_to
from studio.pages.faults import studio_notice
from studio.visit import Visit
from subscribers.database import reading, writing

LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
OPEN_PATHS = ("/login", "/setup")
PROGRAMS = ("/api/", "/metrics")  # these know no cookies, so no other site's page can act through a browser


def make_token() -> str:
    """A secret of 192 bits that fits in an address."""
    return secrets.token_urlsafe(24)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach what listens on this address."""
    try:
        return host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def refuse_unless_safe(host: str, *, studio_url: str, any_accounts: bool) -> None:
    """Raises StudioError for an address that other machines can reach, as long as that is not safe."""
    if is_loopback(host):
        return
    if not any_accounts:
        raise StudioError(
            f"the studio does not listen on {host!r} before it has an account: whoever came first could make it; "
            "start it without --host, open the address it prints, and make yours"
        )
    if not studio_url:
        raise StudioError(
            f"the studio listens on {host!r} only when studio_url says under which name people reach it, "
            "such as https://studio.example.com (put a proxy with TLS in front of it)"
        )


def refuse_unless_loopback(host: str) -> None:
    """Raises StudioError for an address that other machines could reach."""
    if not is_loopback(host):
        raise StudioError(
            f"this does not listen on {host!r}: it shows mails without a login and must stay on this machine; "
            "use 127.0.0.1 and an SSH tunnel"
        )


class Setup:
    """The one-time token that makes the first account. Kept as a digest, and forgotten once it was used."""

    def __init__(self, token: str) -> None:
        self._token: bytes | None = _digest(token) if token else None
        self._lock = Lock()

    def opens(self, token: str) -> bool:
        """Whether this is the token, and it was not used yet."""
        return self._token is not None and hmac.compare_digest(self._token, _digest(token))

    def use(self, token: str) -> bool:
        """The same, and it opens nothing from now on: two clicks at once are still one."""
        with self._lock:
            opens = self.opens(token)
            if opens:
                self._token = None
            return opens

    def restore(self, token: str) -> None:
        """Let it open again: what it was used for was not done."""
        self._token = _digest(token)


class Wall:
    """Stands before every page of the studio, and says in `scope["state"]["visit"]` who it let through."""

    def __init__(self, app: ASGIApp, world: World) -> None:
        self._app, self._world = app, world
        self._aside = ThreadPoolExecutor(1, "seen")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        scope.setdefault("state", {})["visit"] = None
        try:
            check_host(request, self._world.settings.studio_url)
            if not _by_program(request):
                check_origin(request)
            visit = await run_in_threadpool(self._visit, request)
        except (StudioError, DBAPIError) as error:
            answer = answer_to(error)
            refusal = _refuse(request, answer.status if answer else 400, str(error))
            await refusal(scope, receive, send)
            return
        scope["state"]["visit"] = visit
        stranger = visit is None and request.scope["path"] not in OPEN_PATHS
        await (_to_the_door(request) if stranger else self._app)(scope, receive, send)

    def _visit(self, request: Request) -> Visit | None:
        world = self._world
        if _by_program(request):
            scheme, _, token = request.headers.get("authorization", "").partition(" ")
            if scheme.lower() != "bearer" or not token:
                return None
            with reading(world.database) as session:
                opened = logins.visit_by_token(session, token.strip(), now=world.clock())
            if opened is None:
                return None
            if opened.note_token is not None:
                self._aside.submit(_note_used, world, opened.note_token, world.clock())
            return replace(opened.visit, path=request.scope["path"])
        cookie = request.cookies.get(cookie_name(request, world.settings.studio_url), "")
        if not cookie:
            return None
        lasts = timedelta(hours=world.settings.studio_hours)
        with reading(world.database) as session:
            found = logins.visit_by_cookie(session, cookie, now=world.clock(), lasts=lasts)
        if found is None:
            return None
        visit, note = found
        if note and visit.login_id is not None:
            self._aside.submit(_note_seen, world, visit.login_id, world.clock())  # a page waits for no writer
        return replace(visit, path=request.scope["path"], done=request.query_params.get("done", "")[:32])


def give_cookie(request: Request, response: Response, secret: str, world: World) -> None:
    """Let this browser stay logged in. Lax, so that a link in a chat opens the page; forms are checked by origin."""
    studio_url = world.settings.studio_url
    response.set_cookie(
        cookie_name(request, studio_url),
        secret,
        max_age=world.settings.studio_hours * 3600,
        httponly=True,
        samesite="lax",
        secure=_secure(request, studio_url),
    )


def take_cookie(request: Request, response: Response, world: World) -> None:
    """Let this browser forget it. With the same attributes: without Secure it would not let go of a __Host- cookie."""
    studio_url = world.settings.studio_url
    response.delete_cookie(
        cookie_name(request, studio_url), httponly=True, samesite="lax", secure=_secure(request, studio_url)
    )


def cookie_name(request: Request, studio_url: str = "") -> str:
    """Cookies know no ports: without it in the name, a second studio on this machine would lock out the first.

    Under https the name begins with __Host-: browsers then take it from no other place (RFC 6265bis section 4.1.3.2).
    """
    return f"__Host-handpicked_{_port(request)}" if _secure(request, studio_url) else f"handpicked_{_port(request)}"


def check_host(request: Request, studio_url: str = "") -> None:
    """Raises HostRefused unless the request names this machine and our own port, or the studio's own name."""
    port, said = _port(request), request.headers.get("host", "").lower()
    ends = {f":{port}"} | ({""} if port == 80 else set())
    names = {name + end for name in LOOPBACK_NAMES for end in ends}
    if said not in names | ({urlsplit(studio_url).netloc.lower()} if studio_url else set()):
        raise HostRefused("the studio answers to 127.0.0.1, localhost and its studio_url, with its own port, only")


def check_origin(request: Request) -> None:
    """Raises OriginRefused for a form that another site's page, or no page at all, has sent.

    Browsers set both headers themselves; no page can change them. Each that is there must be right, and one must be.
    """
    if request.method in SAFE_METHODS:
        return
    origin, site = request.headers.get("origin"), request.headers.get("sec-fetch-site")
    same_origin = origin is None or (
        urlsplit(origin).scheme in ("http", "https") and urlsplit(origin).netloc == request.headers.get("host", "")
    )
    if not (same_origin and site in (None, "same-origin") and (origin or site)):
        raise OriginRefused("this form was not sent from the studio's own page; open the studio and try there")


def _to_the_door(request: Request) -> Response:
    """What a stranger gets: the page to log in at, and from there to where they wanted to go."""
    if _wants_json(request):
        return JSONResponse({"error": str(LoginNeeded())}, 401, {"WWW-Authenticate": "Bearer"})
    wanted = request.scope["path"]
    if request.url.query:
        wanted += f"?{request.url.query}"
    go_on = f"?then={quote(wanted, safe='')}" if request.method == "GET" and wanted != "/" else ""
    return RedirectResponse(f"/login{go_on}", 303)


def _refuse(request: Request, status: int, sentence: str) -> Response:
    return JSONResponse({"error": sentence}, status) if _wants_json(request) else studio_notice(status, sentence)


def _note_seen(world: World, login_id: int, now: datetime) -> None:
    with writing(world.database) as session:
        logins.note_seen(session, login_id, now=now)


def _note_used(world: World, token_id: int, now: datetime) -> None:
    with writing(world.database) as session:
        logins.note_used(session, token_id, now=now)


def _secure(request: Request, studio_url: str) -> bool:
    """Whether the browser speaks https with us: it does when it calls us by a studio_url that begins so."""
    parts = urlsplit(studio_url)
    return parts.scheme == "https" and request.headers.get("host", "").lower() == parts.netloc.lower()


def _port(request: Request) -> int | None:
    """The port this came in at; None for a socket without one."""
    server: tuple[str, int | None] | None = request.scope.get("server")
    return server[1] if server else None


def _by_program(request: Request) -> bool:
    return bool(request.scope["path"].startswith(PROGRAMS))


def _wants_json(request: Request) -> bool:
    accepted = request.headers.get("accept", "")
    return _by_program(request) or ("application/json" in accepted and "text/html" not in accepted)


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "replace")).digest()
