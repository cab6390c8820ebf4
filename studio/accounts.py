"""The people of the studio: made, checked at the door, changed. No function here commits; whoever calls does.

Passwords are kept as argon2id digests with the library's own cost (RFC 9106, the low-memory profile: 64 MB, 3 passes).
"""

import re
from datetime import datetime
from functools import cache
from threading import BoundedSemaphore
from zoneinfo import available_timezones

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError
from sqlalchemy import func, select
from sqlmodel import Session, col

from studio.errors import AccountInvalid, AccountUnknown
from studio.models import Account
from studio.roles import Role

SHORTEST, LONGEST = 12, 200  # characters; NIST SP 800-63B-4 section 3.1.1.2 asks for 15, or 8 with a second factor
_HASHING = BoundedSemaphore(2)  # each takes 64 MB for 50 ms: 40 people at the door at once must not take 2.5 GB
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


def any_accounts(session: Session) -> bool:
    """Whether anybody can log in at all."""
    return session.scalars(select(col(Account.id)).limit(1)).first() is not None


def list_accounts(session: Session) -> list[Account]:
    """Everybody, by name."""
    return list(session.scalars(select(Account).order_by(col(Account.name))))


def find_account(session: Session, name: str) -> Account:
    """The account of this name. Raises AccountUnknown."""
    account = session.scalars(select(Account).where(col(Account.name) == name.strip().lower())).first()
    if account is None:
        raise AccountUnknown(f"there is no account {name[:64]!r}")
    return account


def account_of(session: Session, account_id: int, *, to_change: bool = False) -> Account:
    """The account of this number; to_change: others that change it wait. Raises AccountUnknown."""
    account = session.get(Account, account_id, with_for_update=to_change)
    if account is None:
        raise AccountUnknown(f"there is no account number {account_id}")
    return account


def make_account(
    session: Session, name: str, password: str, role: str, *, now: datetime, time_zone: str = "UTC"
) -> Account:
    """A new account. Raises AccountInvalid, which says which field is wrong."""
    name = name.strip().lower()
    if not _NAME.fullmatch(name):
        raise AccountInvalid("name", "use letters, digits, dots and hyphens, at most 64")
    if session.scalars(select(col(Account.id)).where(col(Account.name) == name)).first() is not None:
        raise AccountInvalid("name", f"there is an account {name!r} already")
    account = Account(name=name, role=_role(role), password=digest_of(password), created_at=now)
    account.time_zone = _zone(time_zone)
    session.add(account)
    session.flush()
    return account


def check_password(session: Session, name: str, password: str) -> Account | None:
    """The account that this name and password open; None when one is wrong. Takes as long for a name nobody has."""
    account = session.scalars(select(Account).where(col(Account.name) == name.strip().lower())).first()
    known = account is not None and account.disabled_at is None
    return account if fits(account.password if account and known else _nobodys_digest(), password) and known else None


def fits(digest: str, password: str) -> bool:
    """Whether the digest is of this password."""
    try:
        with _HASHING:
            return _hasher().verify(digest, password[:LONGEST].encode("utf-8", "replace"))
    except (VerifyMismatchError, InvalidHashError):
        return False


def set_password(account: Account, password: str) -> None:
    """Raises AccountInvalid when it is too short."""
    account.password = digest_of(password)


def change(session: Session, account: Account, *, role: str, time_zone: str) -> None:
    """Another role or zone. Raises AccountInvalid, also when nobody would be admin any more."""
    if role != Role.ADMIN:
        _keep_an_admin(session, account)
    account.role, account.time_zone = _role(role), _zone(time_zone)
    session.add(account)


def disable(session: Session, account: Account, *, now: datetime) -> None:
    """Lets them in no more. Raises AccountInvalid for the last admin."""
    _keep_an_admin(session, account)
    account.disabled_at = now
    session.add(account)


def enable(session: Session, account: Account) -> None:
    """Lets them in again."""
    account.disabled_at = None
    session.add(account)


def digest_of(password: str) -> str:
    """The argon2id digest of a password. Raises AccountInvalid when it is too short or too long."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise AccountInvalid("password", f"use {SHORTEST} to {LONGEST} characters; four words make a good one")
    with _HASHING:
        return _hasher().hash(password.encode("utf-8", "replace"))


def _keep_an_admin(session: Session, leaving: Account) -> None:
    others = select(func.count()).where(
        col(Account.role) == Role.ADMIN, col(Account.disabled_at).is_(None), col(Account.id) != leaving.id
    )
    if leaving.role == Role.ADMIN and not session.execute(others).scalar_one():
        raise AccountInvalid("role", f"{leaving.name} is the only admin; make another one first")


def _role(role: str) -> Role:
    try:
        return Role(role)
    except ValueError:
        raise AccountInvalid("role", f"choose one of {', '.join(Role)}") from None


def _zone(time_zone: str) -> str:
    if time_zone not in available_timezones():
        raise AccountInvalid("time_zone", "choose a time zone such as Europe/Berlin")
    return time_zone


@cache
def _hasher() -> PasswordHasher:
    return PasswordHasher()


@cache
def _nobodys_digest() -> str:
    return _hasher().hash("a password that opens nothing")
