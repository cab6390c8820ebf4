"""/audit: who did what, newest first."""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query
from sqlalchemy import Select, select
from sqlmodel import Session, col
from starlette.responses import Response

from campaigns.execute import World
from studio.models import AuditLine
from studio.pages.parameters import NO_NUL, Cursor
from studio.pages.shell import page
from studio.pages.slices import ROWS, Slice, slice_of
from studio.visit import Admin
from subscribers.database import reading

Actor = Annotated[str, Query(max_length=64, pattern=NO_NUL)]
Subject = Annotated[str, Query(max_length=200, pattern=NO_NUL)]


def audit_pages(world: World) -> APIRouter:
    """/audit, with ?actor= and ?subject=."""
    pages = APIRouter()

    @pages.get("/audit")
    def lines(visit: Admin, actor: Actor = "", subject: Subject = "", at: Cursor = "") -> Response:
        with reading(world.database) as session:
            found = audit_lines(session, actor=actor.strip(), subject=subject.strip(), at=at)
        asked = urlencode({name: text for name, text in (("actor", actor), ("subject", subject)) if text})
        here = f"/audit?{asked}" if asked else "/audit"
        return page("audit.html", visit, slice=found, actor=actor, subject=subject, here=here, filtered=bool(asked))

    return pages


def audit_lines(session: Session, *, actor: str = "", subject: str = "", at: str = "", rows: int = ROWS) -> Slice:
    """Newest first: (at, actor, via, action, subject, detail, id). Raises StudioError for a wrong place."""
    query: Select[*tuple[object, ...]] = select(
        *(col(AuditLine.at), col(AuditLine.actor), col(AuditLine.via), col(AuditLine.action)),
        *(col(AuditLine.subject), col(AuditLine.detail), col(AuditLine.id)),
    )
    if actor:
        query = query.where(col(AuditLine.actor) == actor)
    if subject:
        query = query.where(col(AuditLine.subject) == subject)
    return slice_of(session, query, [col(AuditLine.id)], at=at, rows=rows, newest_first=True)
