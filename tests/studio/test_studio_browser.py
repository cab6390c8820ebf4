"""The studio in a real browser, as a marketer uses it."""

import pytest

pytestmark = pytest.mark.browser


@pytest.fixture
def page(browser_page, live, shop):
    """A browser in which somebody has made the first account, through the page and its button."""
    browser_page.goto(f"{live}/setup?token={shop.one_time_token}")
    browser_page.get_by_label("Name").fill("ana")
    browser_page.get_by_label("Password").fill("four words make one")
    browser_page.get_by_label("The same once more").fill("four words make one")
    browser_page.get_by_role("button", name="Make the account").click()
    browser_page.wait_for_url(f"{live}/")
    return browser_page


def subject_of(page):
    return page.locator("article h1").inner_text()


def overflow_of(page):
    """By how many pixels the page is wider than its window."""
    return page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")


def test_two_people_get_different_heroes(page, live):
    page.get_by_role("link", name="weekly").click()
    page.get_by_role("link", name="Preview anybody’s mail").click()
    subjects, heroes = [], []
    for address in ("ana@example.com", "ben@example.com"):
        page.get_by_label("Whose mail?").fill(address)
        page.get_by_role("button", name="Show").click()
        page.wait_for_url(f"**address={address.replace('@', '%40')}*")
        subjects.append(subject_of(page))
        frame = page.frame_locator("iframe")
        heroes.append(frame.locator("h2").first.inner_text())
        assert heroes[-1] in subjects[-1]
    assert len(set(subjects)) == len(set(heroes)) == 2


def test_the_pictures_of_the_mail_are_seen(page, shop, live):
    pictures = []
    page.on("response", lambda answer: pictures.append((answer.url, answer.status)))
    with page.expect_response("**/mail?**"):
        page.goto(f"{live}/campaigns/weekly/preview?address=ana@example.com")
    page.wait_for_load_state("networkidle")
    own = [(url, status) for url, status in pictures if "/media/" in url and url.startswith(live)]
    assert own
    assert {status for _, status in own} == {200}


def test_at_a_phones_width(page, live):
    page.goto(f"{live}/campaigns/weekly/preview?address=ana@example.com")
    page.get_by_role("link", name="Phone").click()
    page.wait_for_url("**width=phone*")
    assert page.locator("iframe").bounding_box()["width"] == 390
    page.set_viewport_size({"width": 390, "height": 844})
    for path in (
        "/",
        "/campaigns/weekly",
        "/runs/1",
        "/campaigns/weekly/preview",
        "/campaigns/weekly/preview?part=source",
    ):
        page.goto(f"{live}{path}")
        assert overflow_of(page) <= 0, path
    assert page.get_by_label("Whose mail?").is_visible()


def test_nothing_in_a_mail_can_run_or_leave(page, live, shop):
    own = shop.world.settings.workspace / "templates"
    own.mkdir()
    (own / "picked-for-you.html").write_text(
        "<html><body><p id='words'>as sent {{ sender.postal_address }}</p>"
        "<script>document.getElementById('words').textContent = 'changed'</script>"
        f"<form action='{live}/login' method='post'><button>post</button></form>"
        "<a id='out' target='_top' href='https://oat-amber.example/'>out</a></body></html>"
    )
    page.goto(f"{live}/campaigns/weekly/preview?address=ana@example.com")
    frame = page.frame_locator("iframe")
    assert frame.locator("#words").inner_text().startswith("as sent")
    frame.locator("button").click()
    frame.locator("#out").click()
    page.wait_for_timeout(300)
    assert page.url.startswith(f"{live}/campaigns/weekly/preview")


def test_unsubscribing_takes_one_press(browser_page, live, shop):
    browser_page.goto(f"{live}/u/{shop.token('ana')}")
    browser_page.get_by_role("button", name="Unsubscribe").click()
    browser_page.get_by_role("heading", name="You are unsubscribed").wait_for()
    assert not browser_page.context.cookies()
    browser_page.reload()
    assert browser_page.get_by_role("heading", name="You are unsubscribed").is_visible()


def test_everything_can_be_reached_from_the_keyboard(page, live):
    page.goto(f"{live}/campaigns/weekly")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the page"
    everything = set(page.locator("a[href]:visible, button:visible, summary:visible").all_inner_texts())
    reached = set()
    for _ in range(80):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.innerText"))
    assert {"Handpicked", "Log out", "Edit", "Run 1"} <= everything
    assert everything <= reached
