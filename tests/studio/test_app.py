"""The pages of the studio: they show what is there, as it is, and nothing in them is alive."""

import json
import logging
import re
from email import message_from_bytes, policy
from html import unescape

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from campaigns.edit import Definition, save_campaign
from campaigns.errors import BytesChanged, TransportUnavailable, WrongState
from campaigns.execute import start_run
from studio.errors import ANSWERS, StudioError, answer_to, exit_code_of, sentence_of
from studio.pages.faults import DiscreetFaults, studio_notice
from subscribers import consent
from subscribers.database import reading, writing
from subscribers.errors import DatabaseUnreachable, SubscriberUnknown

from .conftest import Shop

pytestmark = pytest.mark.slow  # quick one by one, but there are many


PREVIEW = "/campaigns/weekly/preview"
MAIL = "/campaigns/weekly/mail"
OUR_SCRIPT = '<script src="/static/studio.js" defer>'


def html_sent(shop, name):
    """The HTML part of the mail in the outbox, as the plan had it: with line feeds only."""
    message = message_from_bytes(shop.mail_of(name), policy=policy.default)
    return message.get_body(("html",)).get_payload(decode=True).replace(b"\r\n", b"\n")


def change(shop, **columns):
    """Save the campaign anew with something changed."""
    with writing(shop.world.database) as session:
        definition = Definition(**{"name": "weekly", "picks": 3, **columns})
        save_campaign(session, definition, shop.world.settings, now=shop.now)


def links_in(words):
    return [unescape(link) for link in re.findall(r'href="([^"]+)"', words)]


def test_the_first_page_tells_how_campaigns_stand(shop, monkeypatch):
    monkeypatch.setattr("studio.figures.PATIENCE", 30)  # however busy this machine is
    words = shop.studio.get("/").text
    assert "weekly" in words
    assert 'title="2026-06-08 07:00 UTC">Mon 8 Jun 2026, 07:00<' in words
    words = shop.studio.get("/campaigns").text
    assert "every Monday at 09:00 Europe/Berlin" in words
    assert "<b>6</b> accepted" in words
    assert "<b>2</b> left out" in words


def test_the_first_page_of_an_empty_workspace_says_what_to_do(empty_world):
    assert "handpicked campaign new" in Shop(empty_world).studio.get("/").text


def test_a_campaign_shows_its_definition_and_its_runs(shop, monkeypatch):
    monkeypatch.setattr("studio.figures.PATIENCE", 30)  # however busy this machine is
    words = shop.studio.get("/campaigns/weekly").text
    assert "{{ subscriber.given_name }}: {{ hero.title }}" in words
    assert "0 9 * * 1" in words
    assert "/runs/1" in links_in(words)
    assert "1 no consent to mail" in words
    assert "1 opted out" in words


def test_a_run_shows_its_people_and_why_some_get_nothing(shop):
    client = shop.studio
    words = client.get("/runs/1").text
    assert f"{PREVIEW}?run=1&address=ana%40example.com" in links_in(words)
    assert "opted out" in words
    skipped = client.get("/runs/1?state=skipped").text
    assert "gina@example.com" in skipped
    assert "ana@example.com" not in skipped


@pytest.mark.parametrize("name", ["ana", "ben", "cleo", "dan", "eva", "finn"])
def test_the_preview_is_the_mail(shop, name):
    client, address = shop.studio, f"{name}@example.com"
    assert client.get(MAIL, params={"address": address, "run": 1}).content == html_sent(shop, name)
    assert client.get(MAIL, params={"address": address}).content == html_sent(shop, name)


def test_a_run_keeps_its_mail_when_the_campaign_changes(shop):
    client = shop.studio
    before = client.get(PREVIEW, params={"address": "ana@example.com"}).text
    change(shop, subject="Something else", variables={"headline": "Quite another headline"})
    frozen = client.get(MAIL, params={"address": "ana@example.com", "run": 1}).content
    assert frozen == html_sent(shop, "ana")
    now = client.get(PREVIEW, params={"address": "ana@example.com"}).text
    assert "Something else" in now
    assert "Something else" not in before
    assert "Quite another headline" in client.get(MAIL, params={"address": "ana@example.com"}).text


def test_a_changed_template_shows_at_once(shop):
    client = shop.studio
    client.get(PREVIEW)
    own = shop.world.settings.workspace / "templates"
    own.mkdir()
    (own / "picked-for-you.html").write_text("<html><body><p>{{ sender.postal_address }} mine</p></body></html>")
    assert "mine" in client.get(MAIL, params={"address": "ana@example.com"}).text


def test_a_no_shows_at_once(shop):
    client = shop.studio
    assert "<iframe" in client.get(PREVIEW, params={"address": "ana@example.com"}).text
    with writing(shop.world.database) as session:
        consent.opt_out(session, shop.key("ana"), at=shop.now, how="test")
    words = client.get(PREVIEW, params={"address": "ana@example.com"}).text
    assert "<iframe" not in words
    assert "opted out" in words


def test_looking_writes_nothing(shop):
    client, before = shop.studio, shop.everything()
    for path in ("/", "/campaigns/weekly", "/runs/1", PREVIEW, f"{PREVIEW}?run=1&part=source", f"{PREVIEW}?surprise=3"):
        assert client.get(path).status_code == 200
    assert [line for line in shop.everything() if 'INTO "kept_figure"' not in line] == before


def test_the_mail_is_shown_in_a_closed_frame(shop):
    client = shop.studio
    words = client.get(PREVIEW, params={"address": "ana@example.com"}).text
    (frame,) = re.findall(r"<iframe[^>]*>", words)
    assert 'sandbox=""' in frame
    assert 'referrerpolicy="no-referrer"' in frame
    assert unescape(re.search(r'src="([^"]+)"', frame)[1]) == f"{MAIL}?address=ana%40example.com"
    headers = client.get(MAIL, params={"address": "ana@example.com"}).headers
    closed = headers["content-security-policy"].split("; ")
    assert {"default-src 'none'", "sandbox", "frame-ancestors 'self'", "style-src 'unsafe-inline'"} <= set(closed)
    assert not any(rule.startswith(("script-src", "connect-src", "frame-src", "form-action")) for rule in closed)
    assert headers["referrer-policy"] == "no-referrer"


def test_pages_run_nothing_and_load_nothing_from_elsewhere(shop):
    client = shop.studio
    for path in ("/", "/campaigns/weekly", "/runs/1", PREVIEW, "/runs/99"):
        answer = client.get(path)
        rules = answer.headers["content-security-policy"]
        assert "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' " in rules
        assert "frame-ancestors 'none'" in rules
        assert "unsafe" not in rules
        assert re.findall("<script[^>]*>", answer.text) == [OUR_SCRIPT]
        assert answer.headers["cache-control"] == "no-store"
        assert not [link for link in links_in(answer.text) if not link.startswith(("/", "#"))]


def test_names_subjects_and_titles_are_printed_as_they_are(shop):
    client = shop.studio
    script = "<script>alert(1)</script>"
    change(shop, subject="<img src=x onerror=alert(1)> {{ subscriber.given_name }}", preheader=script)
    for path in (PREVIEW, f"{PREVIEW}?part=text", f"{PREVIEW}?part=source", f"{PREVIEW}?part=headers"):
        words = client.get(path, params={"address": "finn@example.com", **_query(path)}).text
        assert script not in words
        assert "<img src=x" not in words
        assert "&lt;script&gt;" in words or "headers" in path
    for words in (
        client.get("/campaigns/weekly").text,
        client.get("/runs/1").text,
        client.get(PREVIEW, params={"address": script}).text,
        client.get(PREVIEW, params={"address": "fin"}).text,
        client.get(f"/campaigns/{script}").text,
    ):
        assert "<script" not in words.replace(OUR_SCRIPT, "")
        assert "<img src=x" not in words
        assert "<b>&</b>" not in words


def _query(path):
    return {"part": path.partition("part=")[2]} if "part=" in path else {}


def test_the_parts_of_a_mail(shop):
    client, ana = shop.studio, {"address": "ana@example.com", "run": 1}
    assert "Unsubscribe from these emails" in client.get(PREVIEW, params=ana | {"part": "text"}).text
    assert "&lt;!doctype html&gt;" in client.get(PREVIEW, params=ana | {"part": "source"}).text
    headers = unescape(client.get(PREVIEW, params=ana | {"part": "headers"}).text)
    sent = shop.mail_of("ana").partition(b"\r\n\r\n")[0].decode().replace("\r\n", "\n")
    assert sent in headers


def test_each_pick_has_its_reason(shop):
    client = shop.studio
    with reading(shop.world.database) as session:
        columns = "select picks from message where address = 'ana@example.com'"
        picks = json.loads(session.connection().exec_driver_sql(columns).scalar_one())
    for params in ({"address": "ana@example.com"}, {"address": "ana@example.com", "run": 1}):
        words = client.get(PREVIEW, params=params).text
        for _, score, reason, sentence, _ in picks:
            assert f"reason: {reason} · score {score:.3f}" in words
            assert sentence in words
        assert words.count('src="/media/') == len(picks)


@pytest.mark.parametrize(("name", "reason"), [("gina", "opted out"), ("hugo", "no consent to mail")])
def test_who_gets_nothing_is_told_why(shop, name, reason):
    client = shop.studio
    for run in ({}, {"run": 1}):
        params = {"address": f"{name}@example.com", **run}
        words = client.get(PREVIEW, params=params).text
        assert reason in words
        assert "<iframe" not in words
        assert client.get(MAIL, params=params).status_code == 409


def test_an_address_need_only_be_begun(shop):
    client = shop.studio
    words = client.get(PREVIEW, params={"address": "AN"}).text
    assert f"{PREVIEW}?address=ana%40example.com" in links_in(words)
    assert "ben@example.com" not in words
    assert "ana@example.com" in client.get(PREVIEW, params={"address": "ANA@Example.com"}).text
    for nobody in ("zzz", "%", "_", "a%"):
        assert "@example.com" not in client.get(PREVIEW, params={"address": nobody}).text


def test_walking_through_everybody(shop):
    client, seen = shop.studio, []
    words = client.get(f"{PREVIEW}?run=1").text
    while True:
        seen.append(re.search(r"(\w+)@example\.com · Handpicked", words)[1])
        following = re.search(r'href="([^"]+)">Next', words)
        if not following:
            break
        words = client.get(unescape(following[1])).text
        assert re.search(r'href="[^"]*run=1[^"]*">← Previous', words)
    assert seen == ["ana", "ben", "cleo", "dan", "eva", "finn", "gina", "hugo"]


def test_a_surprise_is_the_same_for_the_same_seed(shop):
    def whom(seed):
        return re.search(r"(\w+)@example\.com · Handpicked", client.get(f"{PREVIEW}?surprise={seed}").text)[1]

    client = shop.studio
    assert [whom(seed) for seed in range(10)] == [whom(seed) for seed in range(10)]
    assert len({whom(seed) for seed in range(30)}) > 4
    assert f"{PREVIEW}?surprise=8" in links_in(client.get(f"{PREVIEW}?surprise=7").text)


@pytest.mark.parametrize(
    ("path", "status", "sentence"),
    [
        ("/campaigns/none", 404, "There is no campaign"),
        ("/runs/99", 404, "There is no run 99"),
        ("/runs/0", 422, "run_id"),
        ("/runs/x", 422, "run_id"),
        ("/runs/99999999999999999999", 422, "run_id"),
        (f"{PREVIEW}?run=99", 404, "There is no run 99"),
        (f"{PREVIEW}?width=huge", 422, "width"),
        (f"{PREVIEW}?address={'a' * 400}", 422, "address"),
        (f"{MAIL}?address=nobody@example.com", 404, "check the spelling"),
        ("/nothing/here", 404, "Nothing lives at this address"),
    ],
)
def test_what_goes_wrong_is_one_clear_sentence(shop, path, status, sentence):
    answer = shop.studio.get(path)
    assert answer.status_code == status
    assert sentence in answer.text
    assert "Traceback" not in answer.text


def test_a_run_of_another_campaign_is_not_shown(shop):
    with writing(shop.world.database) as session:
        save_campaign(session, Definition("other"), shop.world.settings, now=shop.now)
    assert shop.studio.get("/campaigns/other/preview?run=1").status_code == 404
    assert shop.studio.get("/campaigns/other/mail?run=1&address=ana@example.com").status_code == 404


def test_a_run_that_is_not_planned_yet_says_so(shop):
    run = start_run(shop.world, "weekly", shop.now.replace(hour=13))
    client = shop.studio
    assert client.get(f"/runs/{run.id}").status_code == 200
    answer = client.get(f"{PREVIEW}?run={run.id}&address=ana@example.com")
    assert answer.status_code == 200
    assert "Not in this run" in answer.text


def test_without_a_model_the_preview_says_what_to_do(shop):
    (shop.world.settings.models / "current").unlink()
    answer = shop.studio.get(PREVIEW)
    assert answer.status_code == 409
    assert "handpicked train" in answer.text


def test_a_broken_template_is_named_with_its_line(shop):
    own = shop.world.settings.workspace / "templates"
    own.mkdir()
    (own / "picked-for-you.html").write_text("<html>\n<body>{{ hero.titel }}</body></html>")
    answer = shop.studio.get(PREVIEW)
    assert answer.status_code == 422
    assert "titel" in answer.text


def test_a_bug_is_a_page_and_its_log_has_no_address(caplog):
    app = FastAPI()

    @app.get("/")
    def broken() -> None:
        address = "@".join(("ana", "example.com"))  # the log shows this line, and must not show its outcome
        raise ValueError(address)

    app.add_middleware(DiscreetFaults, notice=studio_notice)
    with caplog.at_level(logging.DEBUG):
        answer = TestClient(app).get("/")
    assert answer.status_code == 500
    assert "our mistake" in answer.text
    assert "ana@example.com" not in answer.text
    assert "ValueError" in caplog.text
    assert "test_app.py" in caplog.text
    assert "ana@example.com" not in caplog.text


def test_every_error_of_ours_has_its_place_in_the_table():
    def all_of(kind):
        return [kind, *(further for child in kind.__subclasses__() for further in all_of(child))]

    bases = [kind for kind in ANSWERS if kind.__module__.endswith(".errors") and kind.__base__ is Exception]
    assert len(bases) == 4
    assert all(answer_to(kind.__new__(kind)) for base in bases for kind in all_of(base))
    assert answer_to(ValueError("a bug")) is None
    assert exit_code_of(ValueError("a bug")) is None


@pytest.mark.parametrize(
    ("error", "exit_code", "status"),
    [
        (SubscriberUnknown("x"), 2, 404),
        (WrongState("x"), 2, 409),
        (BytesChanged("x"), 1, 409),
        (DatabaseUnreachable("x"), 3, 503),
        (TransportUnavailable("x"), 3, 503),
        (StudioError("x"), 2, 400),
    ],
)
def test_the_table(error, exit_code, status):
    assert answer_to(error) == (exit_code, status)
    assert sentence_of(error)
