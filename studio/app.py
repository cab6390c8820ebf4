"""The studio as a web application: the public pages, and behind the wall everything else."""

import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from campaigns.execute import World
from studio.accounts import any_accounts
from studio.api.app import PREFIX, make_api
from studio.auth import Setup, Wall, is_loopback, make_token, refuse_unless_safe
from studio.errors import StudioError
from studio.figures import Figures
from studio.jobs import Jobs
from studio.metrics import CountRequests, metric_pages
from studio.pages.account import account_pages
from studio.pages.audit import audit_pages
from studio.pages.campaigns import campaign_pages
from studio.pages.door import door_pages
from studio.pages.faults import DiscreetFaults, add_error_pages, studio_notice
from studio.pages.home import home_pages
from studio.pages.imports import import_pages
from studio.pages.jobs import job_pages
from studio.pages.model import model_pages
from studio.pages.people_admin import account_admin_pages
from studio.pages.preview import preview_pages
from studio.pages.products import product_pages
from studio.pages.runs import run_pages
from studio.pages.segments import segment_pages
from studio.pages.settings import settings_pages
from studio.pages.shell import DefaultHeaders, studio_headers
from studio.pages.subscribers import subscriber_pages
from studio.pages.templates import template_pages
from studio.public import is_public, make_public
from studio.work import KINDS
from subscribers.database import reading


def make_app(world: World, *, setup: str = "") -> FastAPI:
    """The whole studio. `setup` is the one-time token that makes the first account; the public pages need no login.

    Middleware reads from the outermost, which is added last, to the innermost. Jobs are worked on while it serves.
    """
    jobs, figures = Jobs(world, KINDS), Figures(world)

    @asynccontextmanager
    async def while_serving(app: FastAPI) -> AsyncIterator[None]:
        jobs.start()
        yield
        jobs.stop()

    app = FastAPI(title="Handpicked studio", docs_url=None, redoc_url=None, openapi_url=None, lifespan=while_serving)
    app.state.jobs, app.state.figures = jobs, figures
    for pages in (
        door_pages(world, Setup(setup)),
        home_pages(world, figures),
        campaign_pages(world, figures),
        segment_pages(world, figures),
        subscriber_pages(world, figures),
        product_pages(world, figures),
        import_pages(world, jobs),
        run_pages(world, jobs, figures),
        model_pages(world, jobs),
        template_pages(world),
        settings_pages(world),
        job_pages(world, jobs),
        account_pages(world),
        account_admin_pages(world),
        audit_pages(world),
        preview_pages(world, figures),
    ):
        app.include_router(pages)
    app.include_router(metric_pages(world, figures))
    app.mount(PREFIX, make_api(world, jobs))
    add_error_pages(app, studio_notice)
    app.add_middleware(Wall, world=world)
    app.add_middleware(CountRequests)
    app.add_middleware(DiscreetFaults, notice=studio_notice)
    app.add_middleware(DefaultHeaders, headers=studio_headers(world.settings.public_url))
    app.add_middleware(PublicFirst, public=make_public(world))
    return app


class PublicFirst:
    """Hands public addresses to the public application whole: they never meet the wall, nor any page behind it."""

    def __init__(self, app: ASGIApp, public: ASGIApp) -> None:
        self._app, self._public = app, public

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self._public if scope["type"] == "http" and is_public(scope["path"]) else self._app
        await app(scope, receive, send)


def serve(world: World, *, host: str = "127.0.0.1", port: int = 8025, announce: Callable[[str], None]) -> None:
    """Run the studio until Ctrl-C, after announcing the address that opens it. Port 0 takes any free one.

    Raises StudioError for an address that other machines can reach while that is not safe, or a port that is taken.
    """
    import uvicorn

    with reading(world.database) as session:
        ready = any_accounts(session)
    refuse_unless_safe(host, studio_url=world.settings.studio_url, any_accounts=ready)
    token = "" if ready else make_token()
    listening = listen(host, port)
    own = f"http://{f'[{host}]' if ':' in host else host}:{listening.getsockname()[1]}"
    name = own if is_loopback(host) else world.settings.studio_url
    announce(f"studio for {world.settings.workspace}: {name}/{f'setup?token={token}' if token else ''}")
    announce(f"{'that address makes the first account, once; ' if token else ''}Ctrl-C ends the studio")
    if _elsewhere(world.settings.public_url, own):
        announce(f"pictures and unsubscribe links in mails point to {world.settings.public_url}, not to this port")
    config = uvicorn.Config(
        make_app(world, setup=token),
        log_level="warning",
        access_log=False,  # addresses and tokens stand in the addresses of pages
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=3,
    )
    with listening, suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[listening])


def listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns Nagle's delay off only where IPPROTO_TCP is said: without it each answer waits 40 ms for an ACK
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a restart need not wait for old connections
    try:
        listening.bind((host.strip("[]"), port))
        listening.listen()
        return listening
    except OSError as error:
        listening.close()
        raise StudioError(f"cannot listen on {host}, port {port}: {error.strerror}; choose another --port") from None


def _elsewhere(public_url: str, own: str) -> bool:
    """Whether mails point to this machine, but to a port where nothing of ours listens."""
    return (
        urlsplit(public_url).hostname in ("127.0.0.1", "localhost") and urlsplit(public_url).port != urlsplit(own).port
    )
