from __future__ import annotations

import re
import time
from html import unescape

import pytest

from campaigns.sample_mails import made_up_readers

pytestmark = pytest.mark.slow


def own_template(shop, name, page, sheet='title = "Mine"\ndescription = "For a test"\n'):
    folder = shop.world.settings.workspace / "templates"
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.html").write_text(page)
    (folder / f"{name}.toml").write_text(sheet)


def checked(client, name):
    """The page's line about the check, once it is there."""
    for _ in range(300):
        part = client.get(f"/templates/{name}/check").text
        if "data-ended" in part:
            return part
        time.sleep(0.1)
    raise AssertionError(part)


def test_the_gallery_shows_each_template_in_a_closed_frame(shop):
    words = shop.studio.get("/templates").text
    frames = re.findall("<iframe[^>]*>", words)
    assert len(frames) == 5
    assert all('sandbox=""' in frame and 'loading="lazy"' in frame for frame in frames)
    assert '/templates/announcement"' in words


def test_the_mail_of_a_frame_is_closed_and_has_the_shop_s_products(shop):
    answer = shop.studio.get("/templates/picked-for-you/mail")
    closed = answer.headers["content-security-policy"].split("; ")
    assert {"default-src 'none'", "sandbox", "frame-ancestors 'self'"} <= set(closed)
    assert "Rosehip Face Oil" in answer.text or "Oat Balm" in answer.text
    assert '="/media/' in answer.text
    assert "http://127.0.0.1:8025/media/" not in answer.text


def test_a_template_says_what_is_filled_in_and_who_uses_it(shop):
    words = unescape(shop.studio.get("/templates/picked-for-you").text)
    assert "Line above the headline" in words
    assert "Picked with you in mind" in words
    assert '<a href="/campaigns/weekly">' in words
    for key, title in made_up_readers():
        assert f'value="{key}"' in words
        assert title in words
    assert 'class="stage phone"' in shop.studio.get("/templates/picked-for-you?width=phone").text


def test_the_reader_and_the_colours_are_chosen(shop):
    mail = "/templates/picked-for-you/mail"
    client = shop.studio
    assert "Hello Ana" in client.get(mail).text
    assert "Wilhelmina-Aleksandrovna" in client.get(f"{mail}?reader=longest-name").text
    assert "Hello Ana" in client.get(f"{mail}?reader=nobody").text
    assert "prefers-color-scheme" not in client.get(f"{mail}?scheme=dark").text


def test_what_the_check_found_is_said_in_words_and_kept(shop):
    client = shop.studio
    own_template(shop, "mine", '<html lang="en"><body><p>{{ hero.title }}</p></body></html>')
    assert "to look at" in checked(client, "mine")
    assert "sample mails, first in" in client.get("/templates/mine").text
    own_template(shop, "mine", "<html><body><p>{{ hero.titel }}</p></body></html>  ")
    assert "broken" in checked(client, "mine")
    assert "titel" in client.get("/templates/mine").text


def test_a_broken_sheet_does_not_take_the_gallery_away(shop):
    own_template(shop, "mine", "<p>x</p>", sheet="title = ")
    words = shop.studio.get("/templates").text
    assert "is not TOML" in words
    assert "/templates/announcement" in words
    assert shop.studio.get("/templates/mine").status_code == 422


def test_names_and_words_of_templates_are_printed_as_they_are(shop):
    own_template(shop, "mine", "<p>x</p>", sheet='title = "<img src=x>"\ndescription = "<script>alert(1)</script>"\n')
    for address in ("/templates", "/templates/mine"):
        words = shop.studio.get(address).text
        assert "<img src=x" not in words
        assert "<script>alert" not in words
        assert "&lt;img src=x&gt;" in words


@pytest.mark.parametrize(
    ("name", "status"), [("nothing", 404), ("..%2Fsecrets", 404), (".hidden", 422), ("x" * 101, 422), ("a%00", 422)]
)
def test_a_template_that_is_not_there(shop, name, status):
    for more in ("", "/mail", "/check"):
        assert shop.studio.get(f"/templates/{name}{more}").status_code == status


def test_a_shop_without_products_shows_made_up_ones(empty_world):
    from studio.pages.template_desk import TemplateDesk

    html = TemplateDesk(empty_world).html("picked-for-you", "usual")
    pictures = re.findall(r'"/media/([^"]+\.png)"', html)
    assert pictures
    assert all((empty_world.settings.media / name).is_file() for name in pictures)
