"""Who gets into the studio, and who does not."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from studio.accounts import check_password, disable, list_accounts, make_account
from studio.app import make_app, serve
from studio.auth import Setup, make_token, refuse_unless_loopback, refuse_unless_safe
from studio.errors import AccountInvalid, StudioError
from studio.models import Account, AuditLine, Login
from studio.pages.door import own_path
from studio.roles import Role
from studio.throttle import Throttle
from subscribers.database import reading, writing

pytestmark = pytest.mark.slow  # a password takes 50 ms, as it should

PASSWORD = "correct horse battery staple"
FIRST = {"name": "Ana", "password": PASSWORD, "again": PASSWORD, "time_zone": "Europe/Berlin"}
PAGES = [
    "/",
    "/campaigns/weekly",
    "/runs/1",
    "/campaigns/weekly/preview",
    "/campaigns/weekly/mail?address=ana@x.example",
]


def set_up(shop, client, **changed):
    return client.post("/setup", data={"token": shop.one_time_token, **FIRST, **changed})


def log_in(client, name="ana", password=PASSWORD, **further):
    return client.post("/login", data={"name": name, "password": password, **further})


@pytest.fixture
def ana(shop):
    """An account with a password."""
    with writing(shop.world.database) as session:
        make_account(session, "ana", PASSWORD, "admin", now=shop.now, time_zone="Europe/Berlin")
        session.commit()


@pytest.mark.parametrize("path", [*PAGES, "/nothing", "/docs", "/openapi.json", "/account", "/people", "/audit"])
def test_without_a_session_every_page_leads_to_the_door(shop, path):
    answer = shop.stranger.get(path)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/login")
    assert not answer.content


@pytest.mark.parametrize("path", ["/api/v1/runs", "/metrics", "/runs/1"])
def test_a_program_without_a_token_is_told_so(shop, path):
    answer = shop.stranger.get(path, headers={"Accept": "application/json"})
    assert answer.status_code == 401
    assert "log in" in answer.json()["error"]


class TestTheFirstAccount:
    def test_is_made_by_the_token_once_and_is_admin(self, shop):
        client = shop.stranger
        assert client.get("/login").headers["location"] == "/setup"
        answer = set_up(shop, client)
        assert answer.status_code == 303
        cookie = answer.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=lax" in cookie
        assert client.get("/").status_code == 200
        assert client.get("/people").status_code == 200
        assert set_up(shop, shop.stranger, name="eve").status_code in (303, 403, 422)
        assert names(shop) == ["ana"]

    def test_looking_uses_nothing_up(self, shop):
        client = shop.stranger
        for _ in range(3):
            answer = client.get("/setup", params={"token": shop.one_time_token})
            assert shop.one_time_token in answer.text
            assert "set-cookie" not in answer.headers
        assert set_up(shop, client).status_code == 303

    @pytest.mark.parametrize("token", ["", "wrong", "the-one-time-toke", "the-one-time-tokens", "tökén", "\x00"])
    def test_a_wrong_token_makes_nothing_and_spoils_nothing(self, shop, token):
        client = shop.stranger
        assert set_up(shop, client, token=token).status_code == 403
        assert names(shop) == []
        assert set_up(shop, client).status_code == 303

    def test_what_cannot_be_is_said_and_the_token_still_opens(self, shop):
        client = shop.stranger
        for changed in (
            {"password": "short", "again": "short"},
            {"again": "another"},
            {"time_zone": "Mars"},
            {"name": "é"},
        ):
            answer = set_up(shop, client, **changed)
            assert answer.status_code == 422
            assert 'class="problem"' in answer.text
            assert PASSWORD not in answer.text
        assert set_up(shop, client).status_code == 303

    def test_of_two_at_once_one_makes_it(self, shop):
        app = make_app(shop.world, setup=shop.one_time_token)
        clients = [
            TestClient(app, base_url=shop.base, follow_redirects=False, headers={"Origin": shop.base}) for _ in range(6)
        ]
        with ThreadPoolExecutor(6) as threads:
            tried = threads.map(lambda pair: set_up(shop, pair[1], name=f"p{pair[0]}").status_code, enumerate(clients))
            assert sorted(tried) == [303, *[403] * 5]
        assert len(names(shop)) == 1

    def test_somebody_who_was_made_meanwhile_is_not_overtaken(self, shop, ana):
        assert set_up(shop, shop.stranger, name="eve").status_code == 422
        assert names(shop) == ["ana"]

    def test_a_studio_without_a_token_makes_none(self, shop):
        assert not Setup("").opens("")
        client = TestClient(make_app(shop.world), base_url=shop.base, headers={"Origin": shop.base})
        assert client.post("/setup", data={"token": "", **FIRST}).status_code == 403

    def test_a_token_printed_into_the_page_cannot_break_out(self, shop):
        answer = shop.stranger.get("/setup", params={"token": '"><img src=x onerror=alert(1)>'})
        assert "<img src=x" not in answer.text


class TestLoggingIn:
    def test_opens_the_pages_and_leads_where_one_wanted(self, shop, ana):
        client = shop.stranger
        led = client.get("/runs/1?state=failed").headers["location"]
        assert led == "/login?then=%2Fruns%2F1%3Fstate%3Dfailed"
        answer = log_in(client, then="/runs/1?state=failed")
        assert answer.headers["location"] == "/runs/1?state=failed"
        assert client.get("/").status_code == 200

    @pytest.mark.parametrize(
        ("name", "password"), [("ana", "wrong wrong wrong"), ("bob", PASSWORD), ("", ""), ("ana\x00", PASSWORD[:-1])]
    )
    def test_a_wrong_pair_opens_nothing_and_does_not_say_which_is_wrong(self, shop, ana, name, password):
        client = shop.stranger
        answer = log_in(client, name, password)
        assert answer.status_code == 403
        assert "do not belong together" in answer.text
        assert "set-cookie" not in answer.headers
        assert client.get("/").status_code == 303

    def test_ten_failures_close_the_door_for_a_quarter_of_an_hour(self, shop, ana):
        client = shop.stranger
        assert [log_in(client, password="wrong").status_code for _ in range(10)] == [403] * 10
        assert log_in(client).status_code == 429
        shop.now += timedelta(minutes=15)
        assert log_in(client).status_code == 303

    def test_a_disabled_account_is_let_in_no_more_nor_is_its_session(self, shop, ana):
        client = shop.stranger
        log_in(client)
        with writing(shop.world.database) as session:
            make_account(session, "bob", PASSWORD, "admin", now=shop.now)
            disable(session, next(each for each in list_accounts(session) if each.name == "ana"), now=shop.now)
            session.commit()
        assert client.get("/").status_code == 303
        assert log_in(shop.stranger).status_code == 403

    @pytest.mark.parametrize(
        "then",
        [
            "//evil.example",
            "https://evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "javascript:alert(1)",
            "/\t/evil.example",
            "evil",
        ],
    )
    def test_leads_to_no_other_site(self, shop, ana, then):
        assert own_path(then) == "/"
        assert log_in(shop.stranger, then=then).headers["location"] == "/"


class TestSessions:
    def test_end_after_their_hours(self, shop):
        client = shop.studio
        shop.now += timedelta(hours=11, minutes=59)
        assert client.get("/campaigns").status_code == 200
        shop.now += timedelta(minutes=1)
        assert client.get("/campaigns").status_code == 303

    def test_end_by_logging_out_also_for_who_has_kept_the_cookie(self, shop):
        client = shop.studio
        cookie = client.cookies["handpicked_8025"]
        assert client.post("/logout").headers["location"] == "/login"
        again = shop.stranger
        again.cookies.set("handpicked_8025", cookie)
        assert again.get("/campaigns").status_code == 303

    def test_made_up_ones_open_nothing(self, shop):
        shop.cookie_of(Role.ADMIN)
        with reading(shop.world.database) as session:
            digest = session.scalars(select(Login.digest)).first()
        for guess in ("", "x", shop.one_time_token, digest):
            assert shop.stranger.get("/", headers={"Cookie": f"handpicked_8025={guess}"}).status_code == 303

    def test_the_database_holds_digests_only(self, shop, ana):
        client = shop.stranger
        log_in(client)
        token = client.post("/account/tokens", data={"token_name": "n", "token_role": "viewer"}).text
        token = token.partition("hpk_")[2].partition("<")[0]
        everything = "\n".join(shop.everything())
        assert len(token) == 32
        for secret in (PASSWORD, client.cookies["handpicked_8025"], token, shop.one_time_token):
            assert secret not in everything
        assert "$argon2id$" in everything


class TestTheWall:
    @pytest.mark.parametrize(
        "host",
        [
            "evil.example",
            "evil.example:8025",
            "127.0.0.1",
            "127.0.0.1:80",
            "127.0.0.1.evil.example:8025",
            "localhost:9999",
            "",
        ],
    )
    def test_another_name_for_this_machine_is_refused(self, shop, host):
        for path in ("/campaigns", "/login", "/api/v1/campaigns", "/metrics"):
            answer = shop.studio.get(path, headers={"Host": host})
            assert answer.status_code == 421
            assert "weekly" not in answer.text

    @pytest.mark.parametrize("host", ["127.0.0.1:8025", "localhost:8025", "LOCALHOST:8025", "[::1]:8025"])
    def test_our_own_names_are_answered(self, shop, host):
        assert shop.stranger.get("/setup", headers={"Host": host}).status_code == 200

    def test_under_https_the_cookie_is_bound_to_our_name(self, shop, ana):
        shop.world.settings.studio_url = "https://studio.example"
        origin = {"Origin": "https://studio.example", "Host": "studio.example"}
        cookie = shop.stranger.post("/login", data={"name": "ana", "password": PASSWORD}, headers=origin).headers[
            "set-cookie"
        ]
        assert cookie.startswith("__Host-handpicked_8025=")
        assert "; Secure" in cookie
        assert "Path=/" in cookie
        assert "Domain" not in cookie
        assert shop.stranger.get("/setup", headers={"Host": "other.example"}).status_code == 421

    def test_a_form_from_our_own_page_passes_by_either_header(self, shop, ana):
        client = shop.stranger
        client.headers.pop("Origin")
        said = {"name": "ana", "password": PASSWORD}
        assert client.post("/login", data=said, headers={"Sec-Fetch-Site": "same-origin"}).status_code == 303
        assert client.post("/login", data=said, headers={"Origin": shop.base}).status_code == 303
        assert client.post("/login", data=said).status_code == 403

    def test_a_form_larger_than_any_of_ours_is_refused(self, shop):
        assert shop.stranger.post("/login", content=b"name=" + b"x" * 70_000).status_code == 413

    def test_the_public_pages_need_no_session_and_no_name(self, shop):
        client = shop.stranger
        assert client.get("/healthz", headers={"Host": "mail.example"}).text == "ok\n"
        assert client.post(f"/u/{shop.token('ana')}", headers={"Origin": "https://evil.example"}).status_code == 200


class TestWhereItListens:
    @pytest.mark.parametrize("host", ["0.0.0.0", "", "::", "192.168.1.5", "example.com", "127.0.0.1.example.com"])
    def test_where_others_could_come_first_only_with_an_account_and_a_name(self, shop, host):
        with pytest.raises(StudioError, match="before it has an account"):
            serve(shop.world, host=host, port=0, announce=pytest.fail)
        with pytest.raises(StudioError, match="studio_url"):
            refuse_unless_safe(host, studio_url="", any_accounts=True)
        refuse_unless_safe(host, studio_url="https://studio.example", any_accounts=True)
        with pytest.raises(StudioError, match="must stay on this machine"):
            refuse_unless_loopback(host)

    @pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.9.9.9", "[::1]"])
    def test_on_this_machine_always(self, host):
        refuse_unless_loopback(host)
        refuse_unless_safe(host, studio_url="", any_accounts=False)

    def test_a_taken_port_is_said_in_a_sentence(self, shop, live):
        with pytest.raises(StudioError, match="choose another --port"):
            serve(shop.world, port=int(live.rpartition(":")[2]), announce=pytest.fail)


def test_tokens_are_long_and_all_different():
    assert len({make_token() for _ in range(100)}) == 100
    assert min(len(make_token()) for _ in range(100)) >= 32


def test_a_password_may_have_any_characters_and_is_neither_short_nor_endless(shop):
    with writing(shop.world.database) as session:
        strange = "pässwörd \U0001f511 \ud800 blank "
        make_account(session, "odd", strange, "viewer", now=shop.now)
        assert check_password(session, "odd", strange)
        assert not check_password(session, "odd", strange.strip())
        for wrong in ("x" * 11, "x" * 201):
            with pytest.raises(AccountInvalid):
                make_account(session, "other", wrong, "viewer", now=shop.now)


def test_the_throttle_counts_each_key_alone_and_forgets(shop):
    throttle = Throttle(most=2)
    assert [throttle.admits("a", now=shop.now) for _ in range(3)] == [True, True, False]
    assert throttle.admits("b", now=shop.now)
    throttle.succeeded("a")
    assert throttle.admits("a", now=shop.now)


def test_coming_and_going_are_in_the_audit(shop, ana):
    client = shop.stranger
    log_in(client)
    client.post("/logout")
    with reading(shop.world.database) as session:
        assert list(session.scalars(select(AuditLine.action).order_by(AuditLine.id))) == ["login", "logout"]


def names(shop):
    with reading(shop.world.database) as session:
        return list(session.scalars(select(Account.name)))
