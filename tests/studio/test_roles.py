"""Who may what: every route of pages and API, asked by everybody, made from the routes themselves."""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from fastapi.routing import APIRoute
from sqlalchemy import func, select
from starlette.routing import Mount
from starlette.testclient import TestClient

from studio.accounts import list_accounts
from studio.app import make_app
from studio.logins import make_token
from studio.models import AuditLine
from studio.roles import Role, may
from studio.visit import Needs
from subscribers.database import reading, writing

pytestmark = pytest.mark.slow

OPEN = {"/login", "/setup"}  # where one becomes somebody; all else that needs nobody is in studio/public.py
SAMPLES = {
    "name": "weekly", "run_id": "1", "account_id": "1", "login_id": "9999", "token_id": "9999", "subscriber_id": "1",
    "job_id": "1", "code": "oil", "kind": "subscribers", "template": "picked-for-you", "token": "0" * 32,
}  # fmt: skip


class Way(NamedTuple):
    """A method and path, and the role that its `visit` says it needs; None when it says nothing."""

    method: str
    template: str
    needs: Role | None

    @property
    def path(self) -> str:
        return re.sub(r"\{(\w+)(?::\w+)?\}", lambda found: SAMPLES.get(found[1], "1"), self.template)


def ways_of(app: Any, prefix: str = "") -> Iterator[Way]:
    for route in app.router.routes:
        yield from _ways(route, prefix)


def _ways(route: Any, prefix: str) -> Iterator[Way]:
    if isinstance(route, Mount):
        yield from ways_of(route.app, prefix + route.path)
    elif isinstance(route, APIRoute):
        for method in sorted(route.methods or ()):
            yield Way(method, prefix + route.path, need_of(route.dependant))
    elif hasattr(route, "original_router"):  # a router that was included, in FastAPI since 0.13x
        for inner in route.original_router.routes:
            yield from _ways(inner, prefix)


def need_of(dependant: Any) -> Role | None:
    found = [each.call.role for each in dependant.dependencies if isinstance(each.call, Needs)]
    return found[0] if found else None


@pytest.fixture
def everybody(shop):
    """A client of each role, for pages by cookie and for the API by token; None is nobody."""
    app = make_app(shop.world, setup=shop.one_time_token)
    clients: dict[Role | None, tuple[TestClient, TestClient]] = {}
    for role in (None, *Role):
        pages = TestClient(app, base_url=shop.base, follow_redirects=False, headers={"Origin": shop.base})
        programs = TestClient(app, base_url=shop.base, follow_redirects=False)
        if role:
            pages.cookies.set("handpicked_8025", shop.cookie_of(role))
            with writing(shop.world.database) as session:
                account = next(each for each in list_accounts(session) if each.name == role)
                token = make_token(session, account, "a test", role, now=shop.now)
                session.commit()
            programs.headers["Authorization"] = f"Bearer {token}"
        clients[role] = (pages, programs)
    return app, clients


def test_there_are_many_routes(everybody):
    ways = list(ways_of(everybody[0]))
    assert sum(way.template.startswith("/api/v1/") for way in ways) > 30
    assert sum(way.method == "POST" and not way.template.startswith("/api/") for way in ways) > 15


def test_every_route_says_whom_it_is_for(everybody):
    silent = {way.template for way in ways_of(everybody[0]) if way.needs is None}
    assert silent == OPEN


def test_nobody_gets_further_than_their_role(shop, everybody):
    """One that may not is refused before anything is done; one that may is let in, whatever comes of it."""
    app, clients = everybody
    wrong = []
    for way in ways_of(app):
        if way.needs is None:
            continue
        for role in (None, *Role):
            if role is not None and may(role, way.needs):
                continue
            client = clients[role][way.template.startswith(("/api/", "/metrics"))]
            before = audit_lines(shop)
            answer = client.request(way.method, way.path, json={} if "/api/" in way.template else None)
            led_away = role is None and answer.status_code == 303 and answer.headers["location"].startswith("/login")
            if not (answer.status_code in (401, 403) or led_away) or audit_lines(shop) != before:
                wrong.append((way, role, answer.status_code))
    assert not wrong


def test_who_has_the_role_is_let_in(everybody):
    app, clients = everybody
    wrong = []
    for way in ways_of(app):
        if way.needs is None or way.method not in ("GET", "HEAD"):
            continue
        client = clients[way.needs][way.template.startswith(("/api/", "/metrics"))]
        answer = client.request(way.method, way.path)
        led_away = answer.headers.get("location", "").startswith("/login")
        if answer.status_code in (401, 403) or answer.status_code >= 500 or led_away:
            wrong.append((way, answer.status_code, answer.text[:300]))
    assert not wrong


def test_a_cookie_opens_no_api_and_a_token_no_page(everybody):
    pages, programs = everybody[1][Role.ADMIN]
    assert pages.get("/api/v1/campaigns").status_code == 401
    assert pages.get("/metrics").status_code == 401
    assert programs.get("/campaigns").status_code == 303
    assert programs.get("/api/v1/campaigns").status_code == 200


def audit_lines(shop) -> int:
    with reading(shop.world.database) as session:
        return session.execute(select(func.count()).select_from(AuditLine)).scalar_one()
