"""The public pages: looking changes nothing, pressing acts, and a bad link tells nobody anything."""

import sqlite3

import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from studio.pages.forms import LARGEST_BODY
from subscribers import consent
from subscribers.database import reading
from subscribers.links import LinkSigner
from subscribers.secrets import Secrets

pytestmark = pytest.mark.slow  # quick one by one, but there are many


ONE_CLICK = {"List-Unsubscribe": "One-Click"}


def ledger_of(shop, name):
    """What this person said about mail, newest last, as (granted, how)."""
    with shop.world.database.connect() as connection:
        rows = connection.exec_driver_sql(
            "select granted, how from consent join subscriber on subscriber.id = subscriber_id"
            " where purpose = 'mail' and key = ? order by consent.id",
            (shop.key(name),),
        )
        return [(bool(granted), how) for granted, how in rows]


def may_mail(shop, name):
    with reading(shop.world.database) as session:
        return consent.may_mail(session, shop.key(name))


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH"])
def test_only_post_acts(shop, method):
    before = shop.everything()
    answer = shop.public.request(method, f"/u/{shop.token('ana')}")
    assert answer.status_code == (200 if method in ("GET", "HEAD") else 405)
    assert shop.everything() == before
    assert may_mail(shop, "ana")


def test_the_page_has_a_button_and_does_not_say_whose_it_is(shop):
    words = shop.public.get(f"/u/{shop.token('ana')}").text
    assert '<form method="post">' in words
    assert "Oat &amp; Amber" in words
    assert "ana" not in words.lower().replace("oat &amp; amber", "")


@pytest.mark.parametrize(
    ("body", "how"),
    [
        ({"data": ONE_CLICK}, "one-click (RFC 8058)"),
        ({"files": {"List-Unsubscribe": (None, "One-Click")}}, "one-click (RFC 8058)"),
        ({"data": {"List-Unsubscribe": "By-Button"}}, "unsubscribe link"),
        ({}, "unsubscribe link"),
        ({"content": b"\xff\x00 no form at all"}, "unsubscribe link"),
        ({"content": b"--x", "headers": {"Content-Type": "multipart/form-data"}}, "unsubscribe link"),
    ],
)
def test_post_acts_whatever_the_body(shop, body, how):
    answer = shop.public.post(f"/u/{shop.token('ana')}", **body)
    assert answer.status_code == 200
    assert "You are unsubscribed" in answer.text
    assert not may_mail(shop, "ana")
    assert ledger_of(shop, "ana")[-1] == (False, how)
    assert may_mail(shop, "ben")


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "https://mail.google.com"])
def test_any_origin_may_post_and_no_cookie_is_asked_for_or_set(shop, origin):
    answer = shop.public.post(f"/u/{shop.token('ana')}", headers={"Origin": origin, "Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 200
    assert "set-cookie" not in answer.headers
    assert not may_mail(shop, "ana")


def test_twice_is_once(shop):
    first, second = (shop.public.post(f"/u/{shop.token('ana')}", data=ONE_CLICK) for _ in range(2))
    assert first.status_code == second.status_code == 200
    assert first.content == second.content
    assert [granted for granted, _ in ledger_of(shop, "ana")] == [True, False]


def test_somebody_no_longer_on_the_roster_is_remembered_all_the_same(shop):
    token = LinkSigner(shop.world.secrets, "unsubscribe").sign("f" * 32)
    assert shop.public.post(f"/u/{token}").status_code == 200
    with reading(shop.world.database) as session:
        assert consent.is_suppressed(session, "f" * 32)


def bad_tokens(shop):
    good = shop.token("ana")
    strange = Secrets(shop.world.secrets.suppression, ("another key",))
    return {
        "empty": "",
        "nonsense": "nonsense",
        "cut short": good[:-1],
        "cut in the middle": good.split(".")[0],
        "longer": good + "x",
        "another key": LinkSigner(strange, "unsubscribe").sign(shop.key("ana")),
        "another purpose": LinkSigner(shop.world.secrets, "preferences").sign(shop.key("ana")),
        "no text inside": LinkSigner(shop.world.secrets, "unsubscribe")._serializer.dumps(7),
        "very long": good + "x" * 50_000,
        "good, then a path": good + "/x",
        "no ASCII": "%C3%A4%00%FF.x",
        "a compressed bomb": ".eJwr.x",
    }


def test_every_bad_token_gets_the_same_page(shop):
    answers = {}
    for name, token in bad_tokens(shop).items():
        for method in ("GET", "POST"):
            answer = shop.public.request(method, f"/u/{token}")
            answers[name, method] = (answer.status_code, answer.content, sorted(answer.headers.items()))
    assert {status for status, *_ in answers.values()} == {404}
    assert len({str(answer) for answer in answers.values()}) == 1
    assert may_mail(shop, "ana")


def test_a_rotated_key_still_opens_old_links(shop):
    token = shop.token("ana")
    rotated = Secrets(shop.world.secrets.suppression, ("newer", *shop.world.secrets.signing))
    object.__setattr__(shop.world, "secrets", rotated)
    assert shop.public.post(f"/u/{token}").status_code == 200
    assert not may_mail(shop, "ana")


@pytest.mark.parametrize("path", ["/u/{token}", "/u/bad", "/nothing", "/media/none.png"])
def test_every_page_keeps_to_itself(shop, path):
    headers = shop.public.get(path.format(token=shop.token("ana"))).headers
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-robots-tag"] == "noindex"
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]


@pytest.mark.parametrize("path", ["/u/{token}", "/u/bad"])
def test_no_page_has_a_script_or_a_style_of_its_own(shop, path):
    words = shop.public.get(path.format(token=shop.token("ana"))).text
    assert "<script" not in words
    assert "<style" not in words
    assert "style=" not in words
    assert "http" not in words


def test_a_body_that_is_too_large_is_refused_and_changes_nothing(shop):
    before = shop.everything()
    for body in (b"x" * (LARGEST_BODY + 1), iter([b"x" * LARGEST_BODY, b"x"])):
        assert shop.public.post(f"/u/{shop.token('ana')}", content=body).status_code == 413
    assert shop.everything() == before
    assert shop.public.post(f"/u/{shop.token('ana')}", content=b"x" * LARGEST_BODY).status_code == 200


def test_when_it_could_not_be_saved_the_page_says_so(shop, caplog):
    @event.listens_for(shop.world.database, "before_cursor_execute")
    def fail(*arguments):
        raise OperationalError("update subscriber …", ("ana@example.com",), sqlite3.OperationalError("disk I/O error"))

    answer = shop.public.post(f"/u/{shop.token('ana')}", data=ONE_CLICK)
    event.remove(shop.world.database, "before_cursor_execute", fail)
    assert answer.status_code == 503
    assert "not saved" in answer.text
    assert "disk" not in answer.text
    assert "example.com" not in caplog.text
    assert may_mail(shop, "ana")


def test_pictures_are_served_and_kept_for_long(shop):
    name = next(shop.world.settings.media.glob("*.png")).name
    answer = shop.public.get(f"/media/{name}")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/png"
    assert "max-age=31536000" in answer.headers["cache-control"]
    assert answer.content == (shop.world.settings.media / name).read_bytes()
    assert shop.public.head(f"/media/{name}").status_code == 200


@pytest.mark.parametrize(
    "name",
    [
        "../secrets.json",
        "..%2Fsecrets.json",
        "%2e%2e%2fsecrets.json",
        "....//secrets.json",
        "..%5Csecrets.json",
        "secrets.json",
        "0123456789abcdef0123.png",
        "0123456789ABCDEF0123.png",
        "0123456789abcdef0123.png%0A",
        "0123456789abcdef0123.png%00",
        "",
        ".",
    ],
)
def test_nothing_but_pictures_is_served(shop, name):
    shop.world.settings.media.joinpath("secrets.json").write_text("secret")
    answer = shop.public.get(f"/media/{name}")
    assert answer.status_code == 404
    assert "secret" not in answer.text


def test_it_stands_alone_without_a_page_of_the_studio(shop):
    assert shop.public.get("/healthz").text == "ok\n"
    assert shop.public.get("/static/studio.css").status_code == 200
    for path in ("/", "/login", "/campaigns/weekly", "/runs/1", "/docs", "/openapi.json", "/static/../app.py"):
        assert shop.public.get(path).status_code == 404
