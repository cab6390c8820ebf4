"""One's own account, the accounts of others, and the audit that all of it leaves."""

import ast
import inspect
import pkgutil
import re
from importlib import import_module

import pytest
from sqlalchemy import select

import studio.actions
from studio.accounts import list_accounts, make_account
from studio.logins import begin_login
from studio.models import AuditLine
from studio.pages.audit import audit_lines
from studio.roles import Role
from subscribers.database import reading, writing

pytestmark = pytest.mark.slow

OLD, NEW = "correct horse battery staple", "another four words here"


@pytest.fixture
def ana(shop):
    """Somebody with a password, logged in."""
    with writing(shop.world.database) as session:
        account = make_account(session, "ana", OLD, Role.MARKETER, now=shop.now)
        cookie = begin_login(session, account, browser="Firefox", now=shop.now)
        session.commit()
    client = shop.stranger
    client.cookies.set("handpicked_8025", cookie)
    return client


def another(shop, name):
    """One more session of this account."""
    with writing(shop.world.database) as session:
        account = next(each for each in list_accounts(session) if each.name == name)
        cookie = begin_login(session, account, browser="Safari", now=shop.now)
        session.commit()
    client = shop.stranger
    client.cookies.set("handpicked_8025", cookie)
    return client


def number_of(shop, name):
    with reading(shop.world.database) as session:
        return next(each.id for each in list_accounts(session) if each.name == name)


def actions(shop):
    with reading(shop.world.database) as session:
        return list(session.scalars(select(AuditLine.action).order_by(AuditLine.id)))


def test_a_new_password_ends_all_other_sessions(shop, ana):
    other = another(shop, "ana")
    answer = ana.post("/account/password", data={"old": OLD, "new": NEW, "again": NEW})
    assert answer.headers["location"] == "/account?done=password"
    assert ana.get("/account").status_code == 200
    assert other.get("/account").status_code == 303
    door = shop.stranger
    assert door.post("/login", data={"name": "ana", "password": OLD}).status_code == 403
    assert door.post("/login", data={"name": "ana", "password": NEW}).status_code == 303


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"old": "wrong wrong wrong", "new": NEW, "again": NEW}, "old"),
        ({"old": OLD, "new": "short", "again": "short"}, "new"),
        ({"old": OLD, "new": NEW, "again": "something else"}, "again"),
    ],
)
def test_what_is_wrong_with_a_password_is_said_beside_its_field(shop, ana, said, field):
    answer = ana.post("/account/password", data=said)
    assert answer.status_code == 422
    assert f'id="{field}-problem"' in answer.text
    assert not any(secret in answer.text for secret in said.values())
    assert actions(shop) == []


def test_the_password_cannot_be_guessed_from_a_session(shop, ana):
    said = {"old": "wrong wrong wrong", "new": NEW, "again": NEW}
    assert [ana.post("/account/password", data=said).status_code for _ in range(11)] == [422] * 10 + [429]
    assert ana.post("/account/password", data=said | {"old": OLD}).status_code == 429


def test_sessions_are_listed_and_ended_one_by_one_or_all_others(shop, ana):
    second, third = another(shop, "ana"), another(shop, "ana")
    words = ana.get("/account").text
    assert words.count("Safari") == 2
    numbers = re.findall(r"/account/sessions/(\d+)/end", words)
    assert len(numbers) == 2
    assert ana.post(f"/account/sessions/{numbers[0]}/end").status_code == 303
    assert [second.get("/account").status_code, third.get("/account").status_code] == [200, 303]
    ana.post("/account/sessions/end-others")
    assert second.get("/account").status_code == 303
    assert ana.get("/account").status_code == 200


def test_nobody_ends_the_session_or_token_of_somebody_else(shop, ana):
    admin = shop.studio
    admin.post("/account/tokens", data={"token_name": "x", "token_role": "viewer"})
    page = admin.get("/account").text
    token = re.search(r"/account/tokens/(\d+)/revoke", page)[1]
    assert ana.post(f"/account/tokens/{token}/revoke").status_code == 400
    for session in range(1, 5):
        if f"sessions/{session}/" not in ana.get("/account").text:
            assert ana.post(f"/account/sessions/{session + 50}/end").status_code == 400
    assert admin.get("/account").status_code == 200
    assert f"/account/tokens/{token}/revoke" in admin.get("/account").text


def test_a_token_is_shown_once_opens_the_api_and_is_revoked(shop, ana):
    made = ana.post("/account/tokens", data={"token_name": "report", "token_role": "viewer"}).text
    token = re.search(r"hpk_[\w-]+", made)[0]
    assert token not in ana.get("/account").text
    program = shop.stranger
    bearer = {"Authorization": f"Bearer {token}"}
    assert program.get("/api/v1/campaigns", headers=bearer).status_code == 200
    number = re.search(r"/account/tokens/(\d+)/revoke", ana.get("/account").text)[1]
    ana.post(f"/account/tokens/{number}/revoke")
    assert program.get("/api/v1/campaigns", headers=bearer).status_code == 401


@pytest.mark.parametrize("said", [{"token_role": "admin"}, {"token_role": "king"}, {"token_name": ""}])
def test_a_token_may_no_more_than_its_owner(shop, ana, said):
    answer = ana.post("/account/tokens", data={"token_name": "x", "token_role": "viewer", **said})
    assert answer.status_code == 422
    assert "hpk_" not in answer.text


def test_an_admin_makes_changes_and_disables_accounts(shop):
    admin = shop.studio
    made = {"name": "Ben", "role": "viewer", "password": OLD, "time_zone": "Europe/Berlin"}
    assert admin.post("/people", data=made).headers["location"] == "/people?done=made"
    assert admin.post("/people", data=made).status_code == 422
    ben, number = another(shop, "ben"), number_of(shop, "ben")
    assert ben.get("/people").status_code == 403
    admin.post(f"/people/{number}", data={"role": "admin", "time_zone": "UTC"})
    assert ben.get("/people").status_code == 200
    admin.post(f"/people/{number}/end-sessions")
    assert ben.get("/account").status_code == 303
    ben = another(shop, "ben")
    admin.post(f"/people/{number}/password", data={"password": NEW})
    assert ben.get("/account").status_code == 303
    ben = another(shop, "ben")
    admin.post(f"/people/{number}/disable")
    assert ben.get("/account").status_code == 303
    assert shop.stranger.post("/login", data={"name": "ben", "password": NEW}).status_code == 403
    admin.post(f"/people/{number}/enable")
    assert shop.stranger.post("/login", data={"name": "ben", "password": NEW}).status_code == 303
    assert admin.get("/people/9999").status_code == 404
    assert admin.get("/people/99999999999999").status_code == 422


def test_the_last_admin_stays(shop):
    admin = shop.studio
    number = number_of(shop, "admin")
    assert admin.post(f"/people/{number}/disable").status_code == 422
    answer = admin.post(f"/people/{number}", data={"role": "viewer", "time_zone": "UTC"})
    assert answer.status_code == 422
    assert "only admin" in answer.text
    assert admin.get("/people").status_code == 200
    assert actions(shop) == []


def test_the_audit_is_walked_newest_first_and_filtered(shop):
    with writing(shop.world.database) as session:
        for count in range(120):
            line = AuditLine(
                at=shop.now, actor=("ana", "ben")[count % 2], via="studio", action="x", subject=f"run {count}"
            )
            session.add(line)
        session.commit()
        seen, at = [], ""
        while True:
            found = audit_lines(session, at=at)
            seen += [row.subject for row in found.rows]
            back = audit_lines(session, at=found.earlier) if found.earlier else None
            assert back is None or back.rows[-1].id == found.rows[0].id + 1
            at = found.later
            if not at:
                break
    assert seen == [f"run {count}" for count in reversed(range(120))]
    words = shop.studio.get("/audit", params={"actor": "ben"}).text
    assert "run 119" in words
    assert "run 118" not in words
    assert "run 7<" in shop.studio.get("/audit", params={"subject": "run 7"}).text
    assert "Nothing fits" in shop.studio.get("/audit", params={"actor": "<b>"}).text
    assert shop.studio.get("/audit", params={"at": "nonsense"}).status_code == 400


# What each form or call is sent so that it acts, and the audit line that must come of it.
ACTS = {
    ("/account/tokens", "token.make"): {"token_name": "x", "token_role": "viewer"},
    ("/account/time-zone", "account.time_zone"): {"time_zone": "Europe/Berlin"},
    ("/account/sessions/end-others", "session.end"): {},
    ("/people", "account.make"): {"name": "ben", "role": "viewer", "password": OLD, "time_zone": "UTC"},
    ("/logout", "logout"): {},
}


@pytest.mark.parametrize(("path", "action"), ACTS, ids=str)
def test_what_is_done_here_leaves_one_line(shop, path, action):
    assert shop.studio.post(path, data=ACTS[path, action]).status_code in (200, 303)
    assert actions(shop) == [action]


def test_every_action_that_writes_notes_it():
    """Read from the source: a function of studio/actions that opens `writing` also calls `note`."""
    silent = []
    for module in pkgutil.iter_modules(studio.actions.__path__):
        source = inspect.getsource(import_module(f"studio.actions.{module.name}"))
        for function in ast.parse(source).body:
            if isinstance(function, ast.FunctionDef) and not function.name.startswith("_"):
                calls = [each.func for each in ast.walk(function) if isinstance(each, ast.Call)]
                called = {each.id for each in calls if isinstance(each, ast.Name)}
                if "writing" in called and "note" not in called:
                    silent.append(f"{module.name}.{function.name}")
    assert silent == []
