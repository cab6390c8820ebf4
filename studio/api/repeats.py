"""Idempotency keys (draft-ietf-httpapi-idempotency-key-header): a POST that is sent again acts once.

The first request with a key takes it, in the database, before it acts; whoever comes with the same key meanwhile is
told so (409). What was done is kept for 24 hours, and given again to the same request; another request with that key
is refused (422). A request that was itself refused has done nothing: its key is free again. The answers of POSTs hold
no address, so that nothing of a person who is erased stays here.
"""

import hashlib
import tempfile
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import IO

from sqlalchemy import delete, select, update
from sqlmodel import col
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from campaigns.execute import World
from studio.models import KeptAnswer
from subscribers.database import insert_new, writing

KEPT_FOR = timedelta(hours=24)
HEADER = "idempotency-key"
LONGEST_KEY = 200
IN_MEMORY = 1024 * 1024  # bytes of a body; the rest of it waits in a file
LARGEST, LARGEST_FILE = 1024 * 1024, 2 * 1024**3  # bytes: of what is asked, and of a file to be imported
CHUNK = 64 * 1024


class Repeats:
    """Reads a request whole, within its limit, and lets through what was not done yet."""

    def __init__(self, app: ASGIApp, world: World) -> None:
        self._app, self._world = app, world

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] not in ("POST", "PUT", "PATCH", "DELETE"):
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        key = request.headers.get(HEADER)
        if key is not None and not (0 < len(key) <= LONGEST_KEY and key.isprintable()):
            await _refuse(422, f"Idempotency-Key: use 1 to {LONGEST_KEY} characters that can be seen")(
                scope, receive, send
            )
            return
        with tempfile.SpooledTemporaryFile(IN_MEMORY) as body:
            digest = await _read(request, body)
            if digest is None:
                refused = _refuse(413, "this is more than this address takes")
                await refused(scope, receive, send)
                return
            visit = scope["state"]["visit"]
            if key is None or scope["method"] != "POST" or visit is None:
                await self._app(scope, _again(body, receive), send)
                return
            await self._once((visit.account_id, key, digest), scope, _again(body, receive), send)

    async def _once(self, asked: tuple[int, str, str], scope: Scope, receive: Receive, send: Send) -> None:
        account, key, digest = asked
        known = await run_in_threadpool(self._take, account, key, digest)
        if known is not None:
            await known(scope, receive, send)
            return
        status, answer = 500, bytearray()

        async def listen(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            else:
                answer.extend(message.get("body", b""))
                if not message.get("more_body"):  # kept before it is given: who has it may rely on that
                    await run_in_threadpool(self._keep, account, key, status, bytes(answer))
            await send(message)

        try:
            await self._app(scope, receive, listen)
        except BaseException:
            await run_in_threadpool(self._keep, account, key, 500, b"")
            raise

    def _take(self, account: int, key: str, digest: str) -> Response | None:
        """None when the key is ours now; else what to answer."""
        now = self._world.clock()
        row = {"account_id": account, "key": key, "request_sha256": digest, "status": 0, "body": "", "at": now}
        with writing(self._world.database) as session:
            session.execute(delete(KeptAnswer).where(col(KeptAnswer.at) < now - KEPT_FOR))
            taken = insert_new(session, KeptAnswer, [row])
            session.commit()
            if taken:
                return None
            mine = select(KeptAnswer).where(col(KeptAnswer.account_id) == account, col(KeptAnswer.key) == key)
            kept = session.scalars(mine).first()
        if kept is not None and kept.request_sha256 != digest:
            return _refuse(422, "Idempotency-Key: it was used for another request; take a new one for each")
        if kept is None or not kept.status:
            return _refuse(409, "the first request with this Idempotency-Key has not ended; look what became of it")
        return Response(kept.body, kept.status, {"Idempotent-Replayed": "true"}, media_type="application/json")

    def _keep(self, account: int, key: str, status: int, body: bytes) -> None:
        mine = (col(KeptAnswer.account_id) == account, col(KeptAnswer.key) == key, col(KeptAnswer.status) == 0)
        with writing(self._world.database) as session:
            if status < 400:
                session.execute(update(KeptAnswer).where(*mine).values(status=status, body=body.decode()))
            else:
                session.execute(delete(KeptAnswer).where(*mine))
            session.commit()


async def _read(request: Request, body: IO[bytes]) -> str | None:
    """The digest of the request, its body read into the file; None when it is too large."""
    path = request.scope["path"]
    limit = LARGEST_FILE if "/imports/" in path else LARGEST
    query = request.scope.get("query_string", b"").decode("latin-1")
    digest, size = hashlib.sha256(f"{request.method} {path}?{query}\n".encode()), 0
    try:
        async for chunk in request.stream():
            size += len(chunk)
            if size > limit:
                return None
            digest.update(chunk)
            await run_in_threadpool(body.write, chunk) if size > IN_MEMORY else body.write(chunk)
    except ClientDisconnect:
        return None
    body.seek(0)
    return digest.hexdigest()


def _again(body: IO[bytes], receive: Receive) -> Callable[[], Awaitable[Message]]:
    """Gives the body that was read, then what the connection says."""
    ended = False

    async def read() -> Message:
        nonlocal ended
        if ended:
            return await receive()
        chunk = body.read(CHUNK)
        ended = len(chunk) < CHUNK
        return {"type": "http.request", "body": chunk, "more_body": not ended}

    return read


def _refuse(status: int, sentence: str) -> Response:
    return JSONResponse({"error": sentence}, status)
