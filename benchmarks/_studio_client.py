"""The studio on a socket, somebody who is logged in, and every page that there is to ask for."""

import http.client
import json
import re
import secrets
import socket
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import uvicorn
from _shop import CAMPAIGN
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from sqlalchemy import func, select
from sqlmodel import col

from campaigns.execute import World, open_world
from campaigns.models import Message
from engine.recommend import registry
from studio.accounts import list_accounts
from studio.app import make_app
from studio.import_work import rejects_of, uploads_of
from studio.jobs import JobState
from studio.logins import begin_login
from studio.models import Account, Job
from studio.roles import Role
from subscribers.database import reading, writing

PATIENCE = 240  # seconds for one page
NOT_YET = 503
NO_PAGES = ("/api/", "/metrics")  # for programs, with a token of theirs
NAME = "benchmark"
TOKEN = "0" * 32
SEARCHES = {
    "/subscribers": ("", "q=an", "q=zz", "q=an&by=name", "q=%40example.org", "q=%40nowhere.example", "q=77777"),
    "/subscribers/found": ("q=a", "q=andafi", "q=%40example.org", "q=zz"),
    "/products": ("", "q=oat", "state=in_stock"),
    "/runs/{run_id}": ("", "state=failed"),
}
"""What is asked of a route beside nothing at all."""
WHOSE = ("/campaigns/{name}/mail", "/campaigns/{name}/preview")
"""Pages about one person, by their address."""


@dataclass(frozen=True)
class Wanted:
    """A page to ask for."""

    name: str
    address: str


@dataclass
class Taken:
    """How long a page took, in ms: the first time, and then."""

    first: float
    again: list[float] = field(default_factory=list)

    @property
    def p95(self) -> float:
        """The 95th percentile."""
        return statistics.quantiles(self.again, n=20)[-1] if len(self.again) > 1 else self.again[0]


class Client:
    """A browser that keeps its connection, and its cookie."""

    def __init__(self, port: int, cookie: str) -> None:
        self._port, self._headers = port, {"Cookie": f"handpicked_{port}={cookie}", "X-Part": "1"}
        self._line = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        self._said = ""

    def ask(self, page: Wanted) -> float:
        """How many ms it takes: to its end, or of a download to its first byte. Ends the benchmark on an error."""
        begin = time.perf_counter()
        while (status := self._answer(page)) == NOT_YET and time.perf_counter() - begin < PATIENCE:
            time.sleep(0.2)  # everybody's signals are being read for the first preview: it says to ask again
        if status >= 400:
            raise SystemExit(f"{page.name} ({page.address}) answers {status}: {self._said}")
        return (time.perf_counter() - begin) * 1000

    def _answer(self, page: Wanted) -> int:
        self._line.request("GET", page.address, headers=self._headers)
        answer = self._line.getresponse()
        download = not answer.getheader("content-type", "").startswith("text/html")
        body = answer.read(1) if download else answer.read()
        self._said = _words(body)
        if download:  # the rest of it is not waited for
            self._line.close()
        return answer.status


@contextmanager
def served(workspace: Path) -> Iterator[tuple[Client, FastAPI]]:
    """The real studio of this workspace on a free port, and somebody who may see everything."""
    world = open_world(workspace, lambda: datetime.now(UTC))
    cookie = _furnished(world)
    app = make_app(world)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False, timeout_keep_alive=PATIENCE))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield Client(listening.getsockname()[1], cookie), app
        finally:
            server.should_exit = True
            thread.join()
            world.close()


def pages_wanted(app: Any, workspace: Path) -> list[Wanted]:
    """Every page that is looked at with GET. Ends the benchmark where a route has no example."""
    found: dict[str, Wanted] = {}
    values, address = _values(workspace)
    searches = SEARCHES | dict.fromkeys(WHOSE, (f"address={quote(address)}", f"address={quote(address)}&run=1"))
    for context in iter_route_contexts(app.routes):
        route = context.path or ""
        if "GET" not in (context.methods or ()) or route.startswith(NO_PAGES):
            continue
        for query in searches.get(route, ("",)):
            name = f"{route}?{query}" if query else route
            found[name] = Wanted(name, f"{_filled(route, values)}{'?' if query else ''}{query}")
    return sorted(found.values(), key=lambda page: page.name)


def _filled(route: str, values: dict[str, str]) -> str:
    address = route
    for place, value in values.items():
        beginning, _, name = place.rpartition("{")
        if route.startswith(beginning):
            address = address.replace(f"{{{name}", value)
    if "{" in address:
        raise SystemExit(f"the page {route} has no example here; write one into benchmarks/_studio_client.py")
    return address


def _values(workspace: Path) -> tuple[dict[str, str], str]:
    """(what stands for the parameters of routes, by how the route begins and the parameter's name; the address of
    somebody who is in the run as it was planned)."""
    world = open_world(workspace, lambda: datetime.now(UTC))
    with reading(world.database) as session:
        account = next(each.id for each in list_accounts(session) if each.name == NAME)
        job = session.scalar(select(func.max(Job.id)).where(col(Job.kind) == "import"))
        mailed = col(Message.run_id) == 1, col(Message.picks) != "[]"
        planned = select(col(Message.address), col(Message.subscriber_id)).where(*mailed).order_by(col(Message.id))
        address, person = session.execute(planned.limit(1)).one()
    world.close()
    values = {
        "{run_id}": "1",
        "{subscriber_id}": str(person),
        "{person_id}": str(person),
        "{sku_id}": "7",
        "{job_id}": str(job),
        "{account_id}": str(account),
        "{token}": TOKEN,
        "/segments/{name}": "german",
        "/templates/{name}": "picked-for-you",
        "/model/{name}": registry.current(world.settings.models),
        "{template}": "picked-for-you",
        "{name}": CAMPAIGN,
    }
    return values, address


def _furnished(world: World) -> str:
    """What pages need beside the workspace: a session, a file whose columns are to be chosen, an import that rejected
    a row. Returns what the cookie holds."""
    now = world.clock()
    folder = uploads_of(world)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{TOKEN}.csv").write_text("email,first_name\nana@example.com,Ana\n")
    (folder / f"{TOKEN}.json").write_text(
        json.dumps({"token": TOKEN, "kind": "subscribers", "file_name": "people.csv"})
    )
    kept = secrets.token_hex(16)
    rejects = rejects_of(world, kept)
    rejects.parent.mkdir(parents=True, exist_ok=True)
    rejects.write_text("line,reason,email\n2,address is no usable address,nobody\n")
    row = {"line": 2, "column": "address", "value": "nobody", "reason": "is no usable address"}
    result = {"rows": 1, "counts": {"rejected": 1}, "rejected": 1, "first": [row], "unused_columns": [], "facts": {}}
    asked = {"kind": "subscribers", "file_name": "people.csv", "path": "", "fields": {}, "presumed": []}
    with writing(world.database) as session:
        known = [account for account in list_accounts(session) if account.name == NAME]
        account = known[0] if known else Account(name=NAME, role=Role.ADMIN, password="*", created_at=now)
        session.add(account)
        job = Job(kind="import", state=JobState.DONE, asked_by=NAME, asked_at=now, alive_at=now, finished_at=now)
        job.asked, job.result = json.dumps(asked | {"complete": False}), json.dumps(result | {"rejects": kept})
        session.add(job)
        session.flush()
        cookie = begin_login(session, account, browser=NAME, now=now)
        session.commit()
    return cookie


def _words(body: bytes) -> str:
    return " ".join(re.sub(rb"<[^>]*>", b" ", body).decode("utf-8", "replace").split())[:200]
