"""Who gets into the studio, and who does not."""

from datetime import timedelta

import pytest

from studio.app import serve
from studio.auth import Doorkeeper, make_token, refuse_unless_loopback
from studio.errors import StudioError

PAGES = [
    "/",
    "/campaigns/weekly",
    "/runs/1",
    "/campaigns/weekly/preview",
    "/campaigns/weekly/mail?address=ana@example.com",
]


@pytest.mark.parametrize("path", [*PAGES, "/nothing", "/docs", "/openapi.json", "/campaigns/none"])
def test_without_a_session_every_page_leads_to_the_entrance(shop, path):
    answer = shop.stranger.get(path)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/enter"
    assert not answer.content


@pytest.mark.parametrize("path", ["/api/runs", "/runs/1"])
def test_a_program_without_a_session_is_told_so(shop, path):
    answer = shop.stranger.get(path, headers={"Accept": "application/json"})
    assert answer.status_code == 401
    assert answer.json()["error"]


def test_the_token_opens_once(shop):
    first = shop.stranger
    answer = shop.enter(first)
    assert answer.status_code == 303
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert first.get("/").status_code == 200
    first.cookies.clear()
    assert shop.enter(first).status_code == 403
    assert first.get("/").status_code == 303


def test_looking_at_the_entrance_uses_nothing_up(shop):
    client = shop.stranger
    for _ in range(3):
        answer = client.get("/enter", params={"token": shop.one_time_token})
        assert answer.status_code == 200
        assert shop.one_time_token in answer.text
        assert "set-cookie" not in answer.headers
    assert shop.enter(client).status_code == 303


@pytest.mark.parametrize("token", ["wrong", "the-one-time-toke", "the-one-time-tokens", "the-one-time-tökén", "\x00"])
def test_a_wrong_token_opens_nothing_and_spoils_nothing(shop, token):
    client = shop.stranger
    assert shop.enter(client, token).status_code == 403
    assert client.get("/").status_code == 303
    assert shop.enter(client).status_code == 303


def test_a_made_up_session_opens_nothing(shop):
    client = shop.stranger
    shop.enter(client)
    client.cookies.clear()
    for guess in ("", "x", shop.one_time_token):
        assert client.get("/", headers={"Cookie": f"handpicked_8025={guess}"}).status_code == 303


def test_a_session_ends_after_12_hours(shop):
    client = shop.studio
    shop.now += timedelta(hours=11, minutes=59)
    assert client.get("/").status_code == 200
    shop.now += timedelta(minutes=1)
    assert client.get("/").status_code == 303


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
def test_another_name_for_this_machine_is_refused(shop, host):
    client = shop.studio
    for path in ("/", "/enter"):
        answer = client.get(path, headers={"Host": host})
        assert answer.status_code == 421
        assert "weekly" not in answer.text


@pytest.mark.parametrize("host", ["127.0.0.1:8025", "localhost:8025", "LOCALHOST:8025", "[::1]:8025"])
def test_our_own_names_are_answered(shop, host):
    assert shop.stranger.get("/enter", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:3000"},
        {"Origin": "https://127.0.0.1:8025"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "http://127.0.0.1:8025", "Sec-Fetch-Site": "cross-site"},
        {"Origin": "https://evil.example", "Sec-Fetch-Site": "same-origin"},
    ],
)
def test_a_form_from_elsewhere_is_refused(shop, headers):
    client = shop.stranger
    assert client.post("/enter", data={"token": shop.one_time_token}, headers=headers).status_code == 403
    assert shop.enter(client).status_code == 303


def test_a_form_from_our_own_page_passes_by_either_header(shop):
    answer = shop.stranger.post(
        "/enter", data={"token": shop.one_time_token}, headers={"Sec-Fetch-Site": "same-origin"}
    )
    assert answer.status_code == 303


def test_a_form_larger_than_any_of_ours_is_refused(shop):
    answer = shop.stranger.post("/enter", content=b"token=" + b"x" * 70_000, headers={"Origin": shop.base})
    assert answer.status_code == 413


def test_the_public_pages_need_no_session_and_no_name(shop):
    client = shop.stranger
    assert client.get("/healthz", headers={"Host": "mail.example"}).status_code == 200
    assert client.post(f"/u/{shop.token('ana')}", headers={"Origin": "https://evil.example"}).status_code == 200
    assert client.get("/media/../").status_code in (303, 404)


def test_a_token_printed_into_the_page_cannot_break_out(shop):
    answer = shop.stranger.get("/enter", params={"token": '"><script>alert(1)</script>'})
    assert "<script" not in answer.text


@pytest.mark.parametrize("host", ["0.0.0.0", "", "::", "192.168.1.5", "example.com", "127.0.0.1.example.com", "[::]"])
def test_the_studio_does_not_listen_where_others_could_reach_it(shop, host):
    with pytest.raises(StudioError, match="must stay on this machine"):
        serve(shop.world, host=host, port=0, announce=pytest.fail)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "[::1]", "127.1.2.3"])
def test_this_machine_itself_is_fine(host):
    refuse_unless_loopback(host)


def test_a_port_that_is_taken_is_one_sentence(shop, live):
    port = int(live.rpartition(":")[2])
    with pytest.raises(StudioError, match=f"port {port}"):
        serve(shop.world, port=port, announce=pytest.fail)


def test_tokens_are_long_and_differ():
    assert len({make_token() for _ in range(100)}) == 100
    assert len(make_token()) == 32


def test_the_doorkeeper_keeps_no_secret_in_the_clear(shop):
    doorkeeper = Doorkeeper("a-token", shop.world.clock, new_session=lambda: "a-session")
    assert doorkeeper.admit("a-token") == "a-session"
    assert doorkeeper.knows("a-session")
    assert "a-session" not in str(vars(doorkeeper))
    assert "a-token" not in str(vars(doorkeeper))
