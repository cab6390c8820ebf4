"""What may be done to accounts: one's own, and those of others. One transaction each, with its audit line."""

from dataclasses import dataclass

from sqlmodel import Session

from campaigns.execute import World
from studio import accounts, logins
from studio.audit import note
from studio.errors import AccountInvalid, FieldInvalid, StudioError
from studio.models import Account
from studio.roles import Role, may
from studio.visit import Visit
from subscribers.database import reading, take_turns, writing


@dataclass(frozen=True)
class NewAccount:
    """An account to be made."""

    name: str
    password: str
    role: str
    time_zone: str = "UTC"


def change_password(world: World, visit: Visit, old: str, new: str) -> None:
    """One's own; every other session of one's own ends. Raises AccountInvalid: for a wrong old one too."""
    with reading(world.database) as session:
        known = accounts.account_of(session, visit.account_id).password
    if not accounts.fits(known, old):
        raise AccountInvalid("old", "this is not your password")
    digest = accounts.digest_of(new)  # before the lock: it takes 50 ms
    now = world.clock()
    with writing(world.database) as session:
        account = accounts.account_of(session, visit.account_id, to_change=True)
        if account.password != known:
            raise AccountInvalid("old", "it was changed a moment ago; log in again")
        note(session, visit, "account.password", f"account {account.name}", now=now)
        account.password = digest
        logins.revoke_all(session, visit.account_id, now=now, but=visit.login_id)
        session.add(account)
        session.commit()


def change_time_zone(world: World, visit: Visit, time_zone: str) -> None:
    """One's own. Raises AccountInvalid."""
    with writing(world.database) as session:
        account = accounts.account_of(session, visit.account_id, to_change=True)
        note(session, visit, "account.time_zone", f"account {account.name}", now=world.clock(), detail=time_zone[:64])
        accounts.change(session, account, role=account.role, time_zone=time_zone)
        session.commit()


def end_session(world: World, visit: Visit, login_id: int) -> None:
    """End one session of one's own. Raises StudioError when there is none such."""
    now = world.clock()
    with writing(world.database) as session:
        note(session, visit, "session.end", f"account {visit.name}", now=now, detail=f"session {login_id}")
        if not logins.revoke_login(session, visit.account_id, login_id, now=now):
            raise StudioError("that session has ended already, or is not yours")
        session.commit()


def end_other_sessions(world: World, visit: Visit) -> None:
    """End all sessions of one's own but this one."""
    now = world.clock()
    with writing(world.database) as session:
        note(session, visit, "session.end", f"account {visit.name}", now=now, detail="all others")
        logins.revoke_all(session, visit.account_id, now=now, but=visit.login_id)
        session.commit()


def make_token(world: World, visit: Visit, name: str, role: str) -> str:
    """A new access token of one's own, which is shown this once. Raises FieldInvalid."""
    now = world.clock()
    if not name or len(name) > 64 or not name.isprintable():
        raise FieldInvalid("token_name", "say what it is for, in at most 64 characters")
    if role not in list(Role) or not may(visit.role, role):
        raise FieldInvalid("token_role", "choose a role that is not above your own")
    with writing(world.database) as session:
        account = accounts.account_of(session, visit.account_id)
        note(session, visit, "token.make", f"account {visit.name}", now=now, detail=f"{name}, {role}")
        token = logins.make_token(session, account, name, role, now=now)
        session.commit()
    return token


def revoke_token(world: World, visit: Visit, token_id: int) -> None:
    """Let a token of one's own open nothing any more. Raises StudioError when there is none such."""
    now = world.clock()
    with writing(world.database) as session:
        note(session, visit, "token.revoke", f"account {visit.name}", now=now, detail=f"token {token_id}")
        if not logins.revoke_token(session, visit.account_id, token_id, now=now):
            raise StudioError("that token was revoked already, or is not yours")
        session.commit()


def make(world: World, visit: Visit, wanted: NewAccount) -> Account:
    """An account for somebody. Raises AccountInvalid."""
    now = world.clock()
    with writing(world.database) as session:
        take_turns(session, Account)
        account = accounts.make_account(
            session, wanted.name, wanted.password, wanted.role, now=now, time_zone=wanted.time_zone
        )
        note(session, visit, "account.make", f"account {account.name}", now=now, detail=account.role)
        session.commit()
        return account


def change(world: World, visit: Visit, account_id: int, *, role: str, time_zone: str) -> Account:
    """Another role or zone for somebody. Raises AccountUnknown, and AccountInvalid for the last admin too."""
    with writing(world.database) as session:
        account = _held(session, account_id)
        accounts.change(session, account, role=role, time_zone=time_zone)
        subject, detail = f"account {account.name}", f"{account.role}, {account.time_zone}"
        note(session, visit, "account.change", subject, now=world.clock(), detail=detail)
        session.commit()
        return account


def set_password(world: World, visit: Visit, account_id: int, password: str) -> Account:
    """A new password for somebody; all their sessions end. Raises AccountUnknown, AccountInvalid."""
    digest, now = accounts.digest_of(password), world.clock()
    with writing(world.database) as session:
        account = _held(session, account_id)
        note(session, visit, "account.password", f"account {account.name}", now=now)
        account.password = digest
        logins.revoke_all(session, account_id, now=now)
        session.add(account)
        session.commit()
        return account


def disable(world: World, visit: Visit, account_id: int) -> Account:
    """Let somebody in no more, by session or token. Raises AccountUnknown, and AccountInvalid for the last admin."""
    now = world.clock()
    with writing(world.database) as session:
        account = _held(session, account_id)
        note(session, visit, "account.disable", f"account {account.name}", now=now)
        accounts.disable(session, account, now=now)
        logins.revoke_all(session, account_id, now=now)
        session.commit()
        return account


def enable(world: World, visit: Visit, account_id: int) -> Account:
    """Let somebody in again. Raises AccountUnknown."""
    with writing(world.database) as session:
        account = _held(session, account_id)
        note(session, visit, "account.enable", f"account {account.name}", now=world.clock())
        accounts.enable(session, account)
        session.commit()
        return account


def end_sessions_of(world: World, visit: Visit, account_id: int) -> Account:
    """Log somebody out everywhere. Raises AccountUnknown."""
    now = world.clock()
    with writing(world.database) as session:
        account = _held(session, account_id)
        note(session, visit, "session.end", f"account {account.name}", now=now, detail="all")
        logins.revoke_all(session, account_id, now=now)
        session.commit()
        return account


def _held(session: Session, account_id: int) -> Account:
    """Of two admins who take each other's role at the same moment, the second sees what the first did."""
    take_turns(session, Account)
    return accounts.account_of(session, account_id, to_change=True)
