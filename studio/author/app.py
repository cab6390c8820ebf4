"""`handpicked template serve` as a web application, for one author at this machine.

There is no login: the address holds a random token, and everything else is answered with 404. Only loopback is listened
on, and only to loopback names (a page elsewhere may point its own name at 127.0.0.1). Nothing here changes anything.
"""

import hmac
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import FastAPI, Request
from starlette.responses import PlainTextResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from campaigns.sample_mails import SampleShop
from campaigns.settings import Settings
from scheduler import utc_now
from studio.app import listen
from studio.auth import check_host, make_token, refuse_unless_loopback
from studio.author.desk import AuthorDesk
from studio.author.pages import author_pages
from studio.author.watch import Watch
from studio.errors import HostRefused
from studio.pages.faults import DiscreetFaults
from studio.pages.shell import STATIC, DefaultHeaders, mail_headers, studio_headers

if TYPE_CHECKING:
    import uvicorn

OWN = Path(__file__).parent / "static"


def make_app(settings: Settings, template: str, shop: SampleShop, *, token: str, watch: Watch | None = None) -> FastAPI:
    """The pages of one template, below /{token}/."""
    watch = watch or Watch(settings.templates.folders)
    desk = AuthorDesk(settings, template, shop, now=utc_now(), version=watch.version)
    app = FastAPI(title="Handpicked template", docs_url=None, redoc_url=None, openapi_url=None)
    app.include_router(author_pages(desk, watch, f"/{token}", frame_headers(settings.public_url)))
    app.mount(f"/{token}/static/author", StaticFiles(directory=OWN))
    app.mount(f"/{token}/static", StaticFiles(directory=STATIC))
    app.add_middleware(DiscreetFaults, notice=_plain_notice)
    app.add_middleware(TokenInPath, token=token)
    app.add_middleware(DefaultHeaders, headers=page_headers(settings.public_url))
    return app


class TokenInPath:
    """Answers only to this machine's own names, and only below the token's path."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app, self._token = app, token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self._refusal(Request(scope)) if scope["type"] == "http" else None
        await (refusal or self._app)(scope, receive, send)

    def _refusal(self, request: Request) -> Response | None:
        try:
            check_host(request)
        except HostRefused:
            return _plain_notice(421, "this page answers to 127.0.0.1 and localhost only")
        given = request.scope["path"].split("/")[1].encode("utf-8", "replace")
        if not hmac.compare_digest(given, self._token):
            return _plain_notice(404, "open the whole address that `handpicked template serve` printed")
        return None


def page_headers(public_url: str) -> dict[str, str]:
    """The headers of the page: the studio's, and one script of our own. The token must not leave in a Referer."""
    headers = studio_headers(public_url)
    policy = headers["Content-Security-Policy"] + "; script-src 'self'; connect-src 'self'"
    return headers | {
        "Content-Security-Policy": policy,
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
    }


def frame_headers(public_url: str) -> dict[str, str]:
    """The headers of a mail in its frame: nothing runs in it. Same-origin without scripts, so that our page can keep
    the place an author has scrolled to."""
    headers = mail_headers(public_url)
    policy = headers["Content-Security-Policy"].replace("sandbox;", "sandbox allow-same-origin;")
    return headers | {"Content-Security-Policy": policy}


def make_server(app: FastAPI, watch: Watch) -> "uvicorn.Server":
    """A server for the app, which ends its streams when it is told to stop."""
    import uvicorn

    class Server(uvicorn.Server):
        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            watch.ended = True
            await super().shutdown(sockets)

    return Server(
        uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,  # the token stands in every address
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=3,
        )
    )


def serve(
    settings: Settings, template: str, shop: SampleShop, *, host: str, port: int, announce: Callable[[str], None]
) -> None:
    """Show the template until Ctrl-C, after announcing the address. Port 0 takes any free one.

    Raises StudioError for an address that is not this machine's own, or a port that is taken.
    """
    refuse_unless_loopback(host)
    token, watch = make_token(), Watch(settings.templates.folders)
    app = make_app(settings, template, shop, token=token, watch=watch)
    listening = listen(host, port)
    name = f"[{host.strip('[]')}]" if ":" in host else host
    announce(f"template {template}: http://{name}:{listening.getsockname()[1]}/{token}/")
    announce("every save is seen at once; Ctrl-C ends it")
    with listening, suppress(KeyboardInterrupt):
        make_server(app, watch).run(sockets=[listening])


def _plain_notice(status: int, sentence: str) -> Response:
    return PlainTextResponse(f"{sentence}\n", status)
