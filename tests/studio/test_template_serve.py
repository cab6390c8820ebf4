"""`handpicked template serve`: closed to others, and in a real browser new after each save."""

import socket
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from campaigns.sample_mails import open_shop
from campaigns.settings import load_settings
from studio.author.app import make_app, make_server
from studio.author.frames import in_scheme
from studio.author.watch import Watch

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
TOKEN = "the-token-of-this-start"
BASE = f"http://127.0.0.1:8025/{TOKEN}"
SHEET = 'title = "T"\nsubject = "{{ hero.title }} for {{ subscriber.given_name or \'you\' }}"\npreheader = "For you"\n'
PAGE = """<html lang="{{ language }}" dir="{{ direction }}"><head><meta name="color-scheme" content="light dark">
<style data-premailer="ignore">@media (prefers-color-scheme: dark) { #words { color: rgb(1, 2, 3) !important; } }
</style></head><body><div style="height: 2000px"></div><h1 id="words">WORDS</h1>
<img src="{{ hero.image }}" alt="{{ hero.alt }}" width="60" height="60">
<script>document.getElementById("words").textContent = "changed"</script>
<a href="{{ links.unsubscribe }}">No more</a> {{ sender.postal_address }}</body></html>
"""


class Author:
    """Somebody at work on the template `own`. visit: a client at this machine that knows the token."""

    def __init__(self, workspace: Path) -> None:
        self.file = workspace / "templates" / "own.html"
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self.file.with_suffix(".toml").write_text(SHEET)
        self.save("first words")
        self.settings = load_settings(workspace)

    def save(self, words: str) -> None:
        self.file.write_text(PAGE.replace("WORDS", words))


@pytest.fixture
def author(tmp_path):
    return Author(tmp_path / "workspace")


@pytest.fixture
def client(author):
    with open_shop(author.settings, NOW) as shop:
        yield TestClient(make_app(author.settings, "own", shop, token=TOKEN), base_url=BASE, follow_redirects=False)


@pytest.fixture
def live(author):
    """The page on a real port; gives its address."""
    watch = Watch(author.settings.templates.folders)
    with open_shop(author.settings, NOW) as shop, socket.create_server(("127.0.0.1", 0)) as listening:
        server = make_server(make_app(author.settings, "own", shop, token=TOKEN, watch=watch), watch)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/{TOKEN}/"
        server.should_exit = True
        thread.join(timeout=20)
        assert not thread.is_alive()


PATHS = ("/", "/frame/desktop?who=usual", "/people", "/changes", "/media/x.png", "/static/studio.css")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("token", ["", "/another-token", f"/{TOKEN}x", f"/x/{TOKEN}", f"/{TOKEN[:-1]}", "//"])
def test_without_the_token_there_is_nothing(client, path, token):
    answer = client.get(f"http://127.0.0.1:8025{token}{path}")
    assert answer.status_code == 404
    assert TOKEN not in answer.text


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "127.0.0.1:8026", "localhost.evil.example:8025", ""])
def test_another_host_is_refused_with_the_right_token_too(client, host):
    assert client.get("/", headers={"Host": host}).status_code == 421


def test_the_page_and_its_frames_are_closed(client):
    page, frame = client.get(f"{BASE}/"), client.get(f"{BASE}/frame/desktop?who=usual")
    assert (page.status_code, frame.status_code) == (200, 200)
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
    policy = frame.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert "sandbox allow-same-origin;" in policy
    for answer in (page, frame):
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Cache-Control"] == "no-store"
    assert page.text.count('sandbox="allow-same-origin"') == 3


def test_a_made_up_reader_is_chosen_by_word(client):
    assert "Wilhelmina" in client.get(f"{BASE}/?who=longest-name").text
    assert 'dir="rtl"' in client.get(f"{BASE}/frame/phone?who=right-to-left").text
    assert [each["key"] for each in client.get(f"{BASE}/people?starting=LONGEST").json()] == [
        "longest-name", "longest-words"
    ]  # fmt: skip
    assert "Nobody to show" in client.get(f"{BASE}/?who=zzz").text
    assert client.get(f"{BASE}/?surprise=7").text == client.get(f"{BASE}/?surprise=7").text


def test_pictures_come_from_this_machine_and_the_source_stays_as_it_is_sent(client, author):
    frame = client.get(f"{BASE}/frame/desktop?who=usual").text
    picture = frame.split('<img src="')[1].split('"')[0]
    assert picture.startswith(f"/{TOKEN}/media/")
    assert client.get(f"http://127.0.0.1:8025{picture}").content.startswith(b"\x89PNG")
    assert TOKEN not in client.get(f"{BASE}/").text.split('id="panel-source"')[1].split('id="panel-checks"')[0]
    assert client.get(f"{BASE}/media/..%2fhandpicked.toml").status_code == 404
    assert client.get(f"{BASE}/media/secrets.json").status_code == 404


def test_a_broken_save_is_one_sentence_and_the_last_good_mail_stays(client, author):
    assert "first words" in client.get(f"{BASE}/frame/desktop?who=usual").text
    author.save("{{ hero.title }")
    page = client.get(f"{BASE}/").text
    assert "This save cannot be rendered" in page
    assert "own.html, line 3" in page
    assert "first words" in client.get(f"{BASE}/frame/desktop?who=usual").text
    author.save("{{ hero.titel }}")
    assert "titel" in client.get(f"{BASE}/").text
    author.file.with_suffix(".toml").write_text("title =")
    assert "is not TOML" in client.get(f"{BASE}/").text
    author.file.unlink()
    assert client.get(f"{BASE}/").status_code == 200
    author.file.with_suffix(".toml").write_text(SHEET)
    author.save("second words")
    page = client.get(f"{BASE}/").text
    assert "cannot be rendered" not in page
    assert "second words" in client.get(f"{BASE}/frame/desktop?who=usual").text


def test_a_template_that_is_broken_from_the_start_is_shown_as_that(author):
    author.save("{{ hero.title }")
    with open_shop(author.settings, NOW) as shop:
        client = TestClient(make_app(author.settings, "own", shop, token=TOKEN), base_url=BASE)
        assert "This save cannot be rendered" in client.get(f"{BASE}/").text
        assert client.get(f"{BASE}/frame/desktop?who=usual").status_code == 404


def test_anybody_of_the_workspace_can_be_looked_at(shop):
    author = Author(shop.world.settings.workspace)
    with open_shop(author.settings, NOW) as sample:
        client = TestClient(make_app(author.settings, "own", sample, token=TOKEN), base_url=BASE)
        assert "for Ana" in client.get(f"{BASE}/?who=ANA@example.com").text
        assert "for Ana" in client.get(f"{BASE}/?who=ana").text
        assert "opted out" in client.get(f"{BASE}/?who=gina@example.com").text
        assert "no consent to mail" in client.get(f"{BASE}/?who=hugo@example.com").text
        assert [each["key"] for each in client.get(f"{BASE}/people?starting=an").json()][:1] == ["ana@example.com"]
        page = client.get(f"{BASE}/?who=ben@example.com").text
        assert "?who=ana%40example.com" in page
        assert "?who=cleo%40example.com" in page
        assert "<script>alert" not in client.get(f"{BASE}/?who=finn@example.com").text


@pytest.mark.parametrize(
    ("html", "light", "dark"),
    [
        ("<style>@media (prefers-color-scheme: dark) {}</style>", "(max-width: 0px)", "(min-width: 0px)"),
        ("<style>@media ( Prefers-Color-Scheme:light ) {}</style>", "(min-width: 0px)", "(max-width: 0px)"),
        ("<source media='screen and (prefers-color-scheme: dark)'>", "(max-width: 0px)", "(min-width: 0px)"),
        ('<meta name="color-scheme" content="light dark">', 'content="light"', 'content="dark"'),
        ("<style>:root { color-scheme: light dark; }</style>", "color-scheme: light;", "color-scheme: dark;"),
    ],
)
def test_a_frame_answers_what_the_mail_asks_about_colours(html, light, dark):
    assert light in in_scheme(html, "light")
    assert dark in in_scheme(html, "dark")


def test_words_about_colours_stay_as_they_are():
    html = "<p>@media (prefers-color-scheme: dark) and color-scheme: dark</p>"
    assert in_scheme(html, "dark") == html


def words_in(page, kind="desktop"):
    return page.frame_locator(f".frame.{kind} iframe:not(.coming)").locator("#words")


@pytest.mark.browser
@pytest.mark.slow
def test_a_save_is_seen_without_a_reload_and_the_place_is_kept(browser_page, live, author):
    page = browser_page
    page.goto(live)
    words_in(page).wait_for()
    page.get_by_text("Watching for saves").wait_for()
    page.evaluate("window.sameDocument = true")
    page.get_by_text("HTML source").click()
    page.evaluate("document.querySelector('.desktop iframe').contentWindow.scrollTo(0, 700)")
    begun = time.monotonic()
    author.save("second words")
    words_in(page).get_by_text("second words").wait_for()
    assert time.monotonic() - begun < 5  # half a second, on a machine that does nothing else
    assert page.evaluate("document.querySelector('.desktop iframe').contentWindow.scrollY") == 700
    assert page.evaluate("window.sameDocument")
    assert page.locator("#panel-source").get_by_text("second words").is_visible()
    author.save("{{ hero.title }")
    page.locator(".broken").wait_for()
    assert "own.html, line 3" in page.locator(".broken").inner_text()
    assert words_in(page).inner_text() == "second words"
    author.save("third words")
    words_in(page, "phone").get_by_text("third words").wait_for()
    page.locator(".broken").wait_for(state="detached")


@pytest.mark.browser
@pytest.mark.slow
def test_the_dark_frame_is_dark_the_others_are_not_and_no_script_runs(browser_page, live):
    page = browser_page
    page.goto(live)
    colours = {
        kind: words_in(page, kind).evaluate("node => getComputedStyle(node).color")
        for kind in ("desktop", "phone", "dark")
    }
    assert colours == {"desktop": "rgb(0, 0, 0)", "phone": "rgb(0, 0, 0)", "dark": "rgb(1, 2, 3)"}
    widths = {kind: words_in(page, kind).evaluate("() => innerWidth") for kind in ("desktop", "phone", "dark")}
    assert widths == {"desktop": 700, "phone": 390, "dark": 390}
    assert words_in(page).inner_text() == "first words"


@pytest.mark.browser
@pytest.mark.slow
def test_somebody_is_found_while_typing_and_on_a_phone_nothing_sticks_out(browser_page, live):
    page = browser_page
    page.goto(live)
    page.get_by_label("Whose mail?").fill("right")
    page.locator("#suggestions a").first.click()
    page.wait_for_url("**who=right-to-left")
    assert "Reads from right to left" in page.locator("#inbox").inner_text()
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
