"""Sessions of people and access tokens of programs. The database holds digests only, so reading it opens nothing."""

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import CursorResult, Result, select, update
from sqlmodel import Session, col

from studio.models import AccessToken, Account, Login
from studio.roles import Role, lower_of
from studio.visit import API, Visit

SEEN_EVERY = timedelta(minutes=5)
TOKEN_BEGINS = "hpk_"  # so that a token that got into a repository is found by its look


def make_secret() -> str:
    """A secret of 192 bits that fits in an address or a cookie."""
    return secrets.token_urlsafe(24)


def begin_login(session: Session, account: Account, *, browser: str, now: datetime) -> str:
    """A new session for somebody who has shown who they are; returns what their cookie is to hold. The caller commits.

    browser: what it calls itself, so that people recognise their sessions in a list.
    """
    assert account.id is not None  # it came from the database
    secret = make_secret()
    session.add(Login(digest=_digest(secret), account_id=account.id, browser=browser[:200], begun_at=now, seen_at=now))
    return secret


def visit_by_cookie(session: Session, secret: str, *, now: datetime, lasts: timedelta) -> tuple[Visit, bool] | None:
    """(who this session belongs to, whether it is time to note that they were seen); None when it is over."""
    found = session.execute(
        select(Login, Account)
        .join(Account, col(Account.id) == col(Login.account_id))
        .where(col(Login.digest) == _digest(secret), col(Login.revoked_at).is_(None))
    ).first()
    if found is None:
        return None
    login, account = found
    if now - login.begun_at >= lasts or account.disabled_at is not None:
        return None
    visit = Visit(account.id or 0, account.name, Role(account.role), account.time_zone, login_id=login.id)
    return visit, now - login.seen_at >= SEEN_EVERY


class Opened(NamedTuple):
    """Who a token speaks for. note_token: its number, when it is time to note that it was used."""

    visit: Visit
    note_token: int | None


def visit_by_token(session: Session, token: str, *, now: datetime) -> Opened | None:
    """Who this access token speaks for, with the lower of its own role and theirs; None when it opens nothing."""
    found = session.execute(
        select(AccessToken, Account)
        .join(Account, col(Account.id) == col(AccessToken.account_id))
        .where(col(AccessToken.digest) == _digest(token), col(AccessToken.revoked_at).is_(None))
    ).first()
    if found is None or found[1].disabled_at is not None:
        return None
    access, account = found
    visit = Visit(account.id or 0, account.name, lower_of(access.role, account.role), account.time_zone, via=API)
    return Opened(visit, access.id if access.used_at is None or now - access.used_at >= SEEN_EVERY else None)


def note_used(session: Session, token_id: int, *, now: datetime) -> None:
    """Remember that this access token was used; commits."""
    session.execute(update(AccessToken).where(col(AccessToken.id) == token_id).values(used_at=now))
    session.commit()


def note_seen(session: Session, login_id: int, *, now: datetime) -> None:
    """Remember that this session was used; commits."""
    session.execute(update(Login).where(col(Login.id) == login_id).values(seen_at=now))
    session.commit()


def logins_of(session: Session, account_id: int, *, now: datetime, lasts: timedelta) -> list[Login]:
    """The sessions of an account that are still good, the newest first."""
    query = select(Login).where(
        col(Login.account_id) == account_id, col(Login.revoked_at).is_(None), col(Login.begun_at) > now - lasts
    )
    return list(session.scalars(query.order_by(col(Login.id).desc())))


def revoke_login(session: Session, account_id: int, login_id: int, *, now: datetime) -> bool:
    """End a session of this account; False when there is none such. The caller commits."""
    mine = update(Login).where(col(Login.id) == login_id, col(Login.account_id) == account_id)
    return _any(session.execute(mine.where(col(Login.revoked_at).is_(None)).values(revoked_at=now)))


def revoke_all(session: Session, account_id: int, *, now: datetime, but: int | None = None) -> None:
    """End all sessions of an account, but for one. The caller commits."""
    mine = update(Login).where(col(Login.account_id) == account_id, col(Login.revoked_at).is_(None))
    if but is not None:
        mine = mine.where(col(Login.id) != but)
    session.execute(mine.values(revoked_at=now))


def make_token(session: Session, account: Account, name: str, role: str, *, now: datetime) -> str:
    """A new access token, shown this once. The caller commits."""
    assert account.id is not None  # it came from the database
    token = TOKEN_BEGINS + make_secret()
    session.add(
        AccessToken(
            digest=_digest(token),
            account_id=account.id,
            name=name[:64],
            role=lower_of(role, account.role),
            created_at=now,
        )
    )
    return token


def tokens_of(session: Session, account_id: int) -> list[AccessToken]:
    """The access tokens of an account that still open something, by name."""
    query = select(AccessToken).where(col(AccessToken.account_id) == account_id, col(AccessToken.revoked_at).is_(None))
    return list(session.scalars(query.order_by(col(AccessToken.name), col(AccessToken.id))))


def revoke_token(session: Session, account_id: int, token_id: int, *, now: datetime) -> bool:
    """Make a token of this account open nothing; False when there is none such. The caller commits."""
    mine = update(AccessToken).where(col(AccessToken.id) == token_id, col(AccessToken.account_id) == account_id)
    return _any(session.execute(mine.where(col(AccessToken.revoked_at).is_(None)).values(revoked_at=now)))


def _any(changed: Result[Any]) -> bool:
    return isinstance(changed, CursorResult) and changed.rowcount > 0


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()
