"""The preview of one person: found quickly, shown as inboxes show it, explained, and sent as a test."""

import re
from datetime import timedelta
from email import message_from_bytes, policy
from html import unescape

import pytest
from sqlalchemy import event

from campaigns.edit import Definition, save_campaign
from campaigns.test_mails import NOBODYS
from engine.catalog import save_products
from studio.pages.preview_looks import in_the_dark
from studio.pages.previewers import PreviewDesk
from studio.roles import Role
from subscribers import consent, signals
from subscribers.database import writing
from subscribers.errors import TokenInvalid
from subscribers.links import unsubscribe_signer
from subscribers.models import Kind
from tests.smtp_sink import Options, Rule, Sink

from .conftest import PEOPLE, _product

pytestmark = pytest.mark.slow

PREVIEW, MAIL, TEST = "/campaigns/weekly/preview", "/campaigns/weekly/mail", "/campaigns/weekly/preview/test"
ANA = {"address": "ana@example.com"}


def plain(words):
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", words)))


def did(shop, name, code, kind, ago):
    """Somebody does something."""
    with writing(shop.world.database) as session:
        (who,) = signals.ids_by_key(session, [shop.key(name)]).values()
        signals.record(session, [signals.NewSignal(who, code, kind, shop.now - ago, f"{name} {code} {kind} {ago}")])


def outbox(shop):
    return set(shop.world.settings.outbox.rglob("*.eml"))


def statements_of(shop, work):
    seen = []
    event.listen(shop.world.database, "before_cursor_execute", lambda *given: seen.append((given[2].lower(), given[3])))
    work()
    return seen  # (statement, parameters)


def test_people_are_found_while_one_types(shop):
    client = shop.studio
    found = client.get(f"{PREVIEW}/found", params={"address": "AN"}).text
    assert 'class="found"' in found
    assert "ana@example.com" in found
    assert "ben@example.com" not in found
    assert "<html" not in found
    assert "Nobody" in client.get(f"{PREVIEW}/found", params={"address": "zzz"}).text
    assert client.get(f"{PREVIEW}/found", params={"address": "a" * 400}).status_code == 422
    field = re.search(r"<input[^>]*data-suggest[^>]*>", client.get(PREVIEW).text)[0]
    assert 'data-into="found"' in field


def test_a_person_is_found_by_number_too(shop):
    assert "ben@example.com · Handpicked" in shop.studio.get(PREVIEW, params={"address": "2"}).text


def test_no_step_counts_or_skips_through_the_roster(shop):
    client = shop.studio
    client.get(PREVIEW)
    paths = ("", "?surprise=3", "?surprise=3&run=1", "?address=ben@example.com", "?address=b", "?run=1")
    seen = statements_of(shop, lambda: [client.get(PREVIEW + path) for path in paths])
    about_people = [(words, given) for words, given in seen if "from subscriber" in words or "from message" in words]
    assert about_people
    assert not [words for words, _ in about_people if "count(" in words]
    assert not [words for words, given in about_people if words.endswith("offset ?") and given[-1]]


def test_the_arrow_keys_have_links(shop):
    words = shop.studio.get(PREVIEW, params={"address": "ben@example.com"}).text
    assert re.search(r'data-key="ArrowLeft" href="[^"]*ana%40example.com', words)
    assert re.search(r'data-key="ArrowRight" href="[^"]*cleo%40example.com', words)


def test_a_surprise_says_its_seed(shop):
    assert "Surprise number 7" in shop.studio.get(f"{PREVIEW}?surprise=7").text


@pytest.mark.parametrize("run", [{}, {"run": 1}])
def test_the_extremes_are_offered(shop, run):
    client = shop.studio
    words = client.get(PREVIEW, params=run).text
    if "Worth a look" not in words:  # they were being looked for
        words = client.get(PREVIEW, params=run).text
    assert "Longest subject" in words
    assert "Biggest mail" in words
    assert "Of all 6 mails" in words
    link = unescape(re.search(r'href="([^"]+)">Longest subject', words)[1])
    assert client.get(link).status_code == 200
    assert "finn@example.com · Handpicked" in client.get(link).text  # a name with a script in it is the longest


def test_in_the_dark_the_mails_own_rules_hold(shop):
    client = shop.studio
    sent, dark = client.get(MAIL, params=ANA).text, client.get(MAIL, params=ANA | {"look": "dark"}).text
    assert "(prefers-color-scheme: dark)" in sent
    assert "prefers-color-scheme" not in dark
    assert dark == in_the_dark(sent) != sent
    assert (
        client.get(MAIL, params=ANA | {"look": "dark"})
        .headers["content-security-policy"]
        .endswith("sandbox; frame-ancestors 'self'")
    )
    frame = re.search(r"<iframe[^>]*>", client.get(PREVIEW, params=ANA | {"look": "dark"}).text)[0]
    assert "look=dark" in frame
    assert 'sandbox=""' in frame


def test_with_images_off_none_is_loaded(shop):
    client = shop.studio
    answer = client.get(MAIL, params=ANA | {"look": "no-images"})
    assert "img-src 'none'" in answer.headers["content-security-policy"]
    assert answer.text == client.get(MAIL, params=ANA).text
    assert "img-src 'none'" not in client.get(MAIL, params=ANA).headers["content-security-policy"]
    assert client.get(MAIL, params=ANA | {"look": "upside-down"}).status_code == 422


@pytest.mark.parametrize("run", [{}, {"run": 1}])
def test_the_checks_are_of_this_very_mail(shop, run):
    words = plain(shop.studio.get(PREVIEW, params=ANA | run | {"part": "checks"}).text)
    assert "Gmail hides what comes after 102 KB" in words
    html = len(shop.studio.get(MAIL, params=ANA | run).content)
    assert f"{round(html / 1024, 1)} KB of HTML" in words


def test_a_finding_is_shown(shop):
    with writing(shop.world.database) as session:
        definition = Definition("weekly", picks=3, subject="long " * 30)
        save_campaign(session, definition, shop.world.settings, now=shop.now)
    assert "inboxes show some 70" in shop.studio.get(PREVIEW, params=ANA | {"part": "checks"}).text


def test_the_source_has_line_numbers(shop):
    client = shop.studio
    words = client.get(PREVIEW, params=ANA | {"part": "source"}).text
    assert words.count("<li><code>") == client.get(MAIL, params=ANA).text.count("\n") + 1


def test_why_is_told_in_plain_words(shop):
    words = plain(shop.studio.get(PREVIEW, params=ANA).text)
    assert "Why these" in words
    assert "bought Rosehip Face Oil" in words or "Many people are buying it" in words
    assert "What else was considered" in words
    assert "they have it already" in words  # the oil and the soap
    then = plain(shop.studio.get(PREVIEW, params=ANA | {"run": 1}).text)
    assert "Why these" in then


def test_who_does_not_allow_it_gets_no_story_of_what_they_did(shop):
    with writing(shop.world.database) as session:
        (who,) = signals.ids_by_key(session, [shop.key("ana")]).values()
        session.connection().exec_driver_sql(f"UPDATE subscriber SET may_personalise = 0 WHERE id = {who}")
        session.commit()
    words = plain(shop.studio.get(PREVIEW, params=ANA).text)
    assert "does not allow personal picks" in words
    assert "bought Rosehip" not in words
    assert "What they like" not in words


def test_what_somebody_just_did_shows_at_once(shop):
    client = shop.studio
    before = plain(client.get(PREVIEW, params=ANA).text)
    did(shop, "ana", "brush", Kind.PURCHASE, timedelta(minutes=1))
    after = plain(client.get(PREVIEW, params=ANA).text)  # within the minute, by the same previewer
    assert "bought Dry Brush" not in before
    assert "Dry Brush left out: they have it already" not in before
    assert before != after
    assert "Dry Brush left out: they have it already" in after


def test_a_previewer_is_kept_for_a_minute_only(shop, monkeypatch):
    monkeypatch.setattr("studio.pages.previewers.IMPATIENCE", 60.0)
    desk = PreviewDesk(shop.world)
    first = desk.previewer("weekly")
    assert desk.previewer("weekly") is first
    shop.now += timedelta(seconds=60)
    second = desk.previewer("weekly")
    assert second is not first
    assert second.background is first.background  # nothing is new


def test_everybodys_signals_are_read_anew_when_there_are_new_ones(shop, monkeypatch):
    for patience in ("IMPATIENCE", "QUICK"):
        monkeypatch.setattr(f"studio.pages.previewers.{patience}", 60.0)
    desk = PreviewDesk(shop.world)
    first = desk.previewer("weekly")
    did(shop, "ben", "brush", Kind.PURCHASE, timedelta(hours=2))
    shop.now += timedelta(seconds=60)
    assert desk.previewer("weekly").background is not first.background


def test_a_product_that_came_in_since_does_not_wait_for_a_new_background(shop, monkeypatch):
    monkeypatch.setattr("studio.pages.previewers.IMPATIENCE", 60.0)
    desk = PreviewDesk(shop.world)
    first = desk.previewer("weekly")
    with writing(shop.world.database) as session:
        save_products(session, {"aaa": _product("Brand New Thing", "Body > Soaps", "vegan")}, now=shop.now)
        session.commit()
    shop.now += timedelta(seconds=60)
    second = desk.previewer("weekly")
    assert second.background is first.background
    preview, _ = desk.now("weekly", "ana@example.com", explain=True)
    assert preview.letter is not None
    assert preview.picks


def test_a_slow_background_is_refreshed_aside_and_its_age_is_said(shop, monkeypatch):
    client = shop.studio
    client.get(PREVIEW)
    monkeypatch.setattr("studio.pages.previewers.QUICK", -1.0)
    monkeypatch.setattr("studio.pages.previewers.REST", 1e9)
    did(shop, "ben", "brush", Kind.PURCHASE, timedelta(hours=2))
    shop.now += timedelta(minutes=30)
    assert "was last looked at 30 min ago" in plain(client.get(PREVIEW).text)


def test_while_the_first_one_is_made_the_page_says_so(shop, monkeypatch):
    monkeypatch.setattr("studio.pages.previewers.PATIENCE", 0.0)
    client = shop.studio
    words = client.get(PREVIEW).text
    assert "Getting ready" in words
    assert 'http-equiv="refresh"' in words


def test_being_made_is_a_sentence_for_the_frame(shop, monkeypatch):
    monkeypatch.setattr("studio.pages.previewers.PATIENCE", 0.0)
    answer = shop.studio.get(MAIL, params=ANA)
    assert answer.status_code == 503
    assert "try again in a moment" in answer.text


def test_a_test_is_a_marked_copy_that_opts_nobody_out(shop):
    client, before = shop.studio_of(Role.MARKETER), outbox(shop)
    answer = client.post(TEST, data={"person": "1", "to": "colleague@shop.example"})
    assert answer.status_code == 303
    assert "handed over" in client.get(answer.headers["location"]).text
    (path,) = outbox(shop) - before
    message = message_from_bytes(path.read_bytes(), policy=policy.default)
    assert message["To"] == "colleague@shop.example"
    assert message["Subject"].startswith("[Test] Ana:")
    assert f"/u/{NOBODYS}>" in message["List-Unsubscribe"]
    whole = path.read_bytes().replace(b"=\r\n", b"")
    assert shop.token("ana").encode() not in whole
    with pytest.raises(TokenInvalid):
        unsubscribe_signer(shop.world.secrets).open(NOBODYS)
    state = shop.everything()
    assert shop.public.post(f"/u/{NOBODYS}", data={"List-Unsubscribe": "One-Click"}).status_code == 404
    assert shop.everything() == state
    (line,) = [row for row in state if "campaign.test" in row and "INSERT" in row]
    assert "subscriber 1" in line
    assert "@" not in line


def test_a_test_of_a_run_is_what_the_run_has_frozen(shop):
    with writing(shop.world.database) as session:
        save_campaign(session, Definition("weekly", picks=3, subject="Else"), shop.world.settings, now=shop.now)
    before = outbox(shop)
    shop.studio.post(TEST, data={"person": "1", "run": "1", "to": "colleague@shop.example"})
    (path,) = outbox(shop) - before
    assert message_from_bytes(path.read_bytes(), policy=policy.default)["Subject"].startswith("[Test] Ana:")


@pytest.mark.parametrize(
    ("data", "status", "sentence"),
    [
        ({"person": "1", "to": "no address"}, 422, "no address a mail can go to"),
        ({"person": "1", "to": "gina@example.com"}, 422, "opted out"),
        ({"person": "7", "to": "colleague@shop.example"}, 409, "opted out"),
        ({"person": "99999", "to": "colleague@shop.example"}, 404, ""),
        ({"person": "x", "to": "colleague@shop.example"}, 404, ""),
        ({"person": "1", "run": "99", "to": "colleague@shop.example"}, 404, "no run 99"),
        ({}, 404, ""),
    ],
)
def test_a_test_that_cannot_be_sent_says_why(shop, data, status, sentence):
    before = outbox(shop)
    answer = shop.studio.post(TEST, data=data)
    assert answer.status_code == status
    assert sentence in answer.text
    assert outbox(shop) == before


def test_a_viewer_sends_no_test(shop):
    client = shop.studio_of(Role.VIEWER)
    assert "Send a test" not in client.get(PREVIEW, params=ANA).text
    assert client.post(TEST, data={"person": "1", "to": "colleague@shop.example"}).status_code == 403


def by_smtp(shop, port):
    own = shop.world.settings.workspace / "handpicked.toml"
    own.write_text(own.read_text() + f'smtp_host = "127.0.0.1"\nsmtp_port = {port}\nsmtp_security = "none"\n')
    from campaigns.settings import load_settings

    object.__setattr__(shop.world, "settings", load_settings(shop.world.settings.workspace))
    with writing(shop.world.database) as session:
        session.connection().exec_driver_sql("UPDATE campaign SET transport = 'smtp'")
        session.commit()


def test_a_test_leaves_by_the_campaigns_transport(shop, tmp_path):
    with Sink(Options(record=tmp_path / "record", bodies=tmp_path / "bodies")) as sink:
        by_smtp(shop, sink.port)
        answer = shop.studio.post(TEST, data={"person": "1", "to": "colleague@shop.example"})
        assert answer.status_code == 303, plain(answer.text)
        (taken,) = sink.accepted()
    assert taken["to"] in ("colleague@shop.example", ["colleague@shop.example"])


def test_what_the_mail_server_says_is_a_sentence(shop, tmp_path):
    rule = Rule(at="rcpt", then="550 5.1.1 no such user")
    with Sink(Options(record=tmp_path / "record", rules=[rule])) as sink:
        by_smtp(shop, sink.port)
        answer = shop.studio.post(TEST, data={"person": "1", "to": "colleague@shop.example"})
    assert answer.status_code == 422
    assert "550 5.1.1 no such user" in unescape(answer.text)


def test_the_preview_of_everybody_is_what_smtp_delivers(shop, tmp_path):
    from campaigns.execute import carry_on, start_run

    with writing(shop.world.database) as session:
        session.connection().exec_driver_sql("UPDATE message SET state = 'failed'")  # nobody has seen anything
        session.commit()
    with Sink(Options(record=tmp_path / "record", bodies=tmp_path / "bodies")) as sink:
        by_smtp(shop, sink.port)
        client = shop.studio
        shown = {}
        for name in PEOPLE:
            answer = client.get(MAIL, params={"address": f"{name}@example.com"})
            if answer.status_code == 200:
                shown[f"{name}@example.com"] = answer.content
        run = start_run(shop.world, "weekly", shop.now + timedelta(minutes=1))
        assert carry_on(shop.world, run.id).state == "finished"
    sent = {}
    for path in (tmp_path / "bodies").iterdir():
        message = message_from_bytes(path.read_bytes(), policy=policy.default)
        html = message.get_body(("html",)).get_payload(decode=True).replace(b"\r\n", b"\n")
        address = message["To"]
        sent[address] = html
    assert len(shown) == 6
    assert sent == shown


def test_a_no_shows_at_once_in_a_kept_previewer(shop):
    client = shop.studio
    assert client.get(MAIL, params=ANA).status_code == 200
    with writing(shop.world.database) as session:
        consent.opt_out(session, shop.key("ana"), at=shop.now, how="test")
    assert client.get(MAIL, params=ANA).status_code == 409
