"""Who comes in and goes: the first account, logging in, logging out."""

from campaigns.execute import World
from studio import accounts, logins
from studio.audit import note
from studio.errors import AccountInvalid
from studio.models import Account
from studio.roles import Role
from studio.visit import Visit
from subscribers.database import reading, take_turns, writing


def first_account(world: World, name: str, password: str, *, time_zone: str, browser: str) -> str:
    """Make the admin and log them in; returns what their cookie is to hold.

    Raises AccountInvalid, also when somebody was made meanwhile.
    """
    now = world.clock()
    with writing(world.database) as session:
        take_turns(session, Account)
        if accounts.any_accounts(session):
            raise AccountInvalid("name", "there is an account by now; log in with it")
        account = accounts.make_account(session, name, password, Role.ADMIN, now=now, time_zone=time_zone)
        visit = _visit(account)
        note(session, visit, "account.make", f"account {account.name}", now=now, detail="the first, by one-time token")
        secret = logins.begin_login(session, account, browser=browser, now=now)
        session.commit()
        return secret


def log_in(world: World, name: str, password: str, browser: str) -> str | None:
    """What the cookie of this person is to hold; None when name and password do not belong together."""
    with reading(world.database) as session:
        found = accounts.check_password(session, name, password)
    if found is None:
        return None
    now = world.clock()
    with writing(world.database) as session:
        account = session.get(Account, found.id, with_for_update=True)
        if account is None or account.password != found.password or account.disabled_at is not None:
            return None  # changed in the moment between
        note(session, _visit(account), "login", f"account {account.name}", now=now)
        secret = logins.begin_login(session, account, browser=browser, now=now)
        session.commit()
        return secret


def log_out(world: World, visit: Visit) -> None:
    """End this session."""
    now = world.clock()
    with writing(world.database) as session:
        note(session, visit, "logout", f"account {visit.name}", now=now)
        logins.revoke_login(session, visit.account_id, visit.login_id or 0, now=now)
        session.commit()


def _visit(account: Account) -> Visit:
    return Visit(account.id or 0, account.name, Role(account.role), account.time_zone)
