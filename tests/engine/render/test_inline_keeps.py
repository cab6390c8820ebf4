"""What premailer must keep, and what it must never read."""

import functools
import http.server
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.errors import TemplateBroken
from engine.render.environment import SHIPPED, TemplateFolders
from engine.render.inline import inline_html, inline_template
from tests.engine.mails import Files, card, composer, elements, fast, recipient

STYLE = "<style>p { color: red } .a { margin: 0 } p b { margin: 1px }</style>"
CONTEXT = {"name": "Ana & Bo"}


def mail(body: str, css: str = STYLE) -> str:
    return f"<!doctype html>\n<html><head>{css}</head>\n<body>\n{body}\n</body></html>"


def test_the_doctype_stays_in_front() -> None:
    for doctype in ("<!doctype html>", "<!DOCTYPE html>", '<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 4.01//EN" "x">'):
        source = f"{doctype}\n<html><head>{STYLE}</head><body><p>{{{{ name }}}}</p></body></html>"
        files = Files(source)
        for html in (fast(files.prepared().source, CONTEXT), files.slow(CONTEXT)):
            assert html.startswith(f"{doctype}\n<html>")
            assert html.lower().count("<!doctype") == 1


def test_a_comment_or_a_statement_in_front_does_not_cost_the_doctype() -> None:
    assert inline_html("<!-- made by hand -->\n<!doctype html><html><body>x</body></html>").startswith(
        "<!doctype html>"
    )
    files = Files("{% set x = 1 %}\n<!doctype html><html><body><p>x</p></body></html>")
    assert fast(files.prepared().source, {}).lstrip().startswith("<!doctype html>") or not files.prepared().once
    assert files.slow({}).startswith("<!doctype html>")


def test_important_rules_for_phones_and_dark_mode_stay() -> None:
    css = "<style>@media (max-width: 600px) { .a { width: 100% !important } }\np { color: red !important }</style>"
    html = inline_html(mail("<p class=a>x</p>", css))
    assert re.search(r"@media \(max-width: 600px\)\s*{\s*\.a\s*{\s*width: 100% !important", html)
    assert elements(html, "p")[0].get("style") == "color:red !important"


@pytest.mark.parametrize(
    "rule", ["@font-face { font-family: x; src: url(x.woff2) }", "@keyframes f { from { opacity: 0 } }"]
)
def test_rules_that_cannot_be_inlined_stay_in_the_style_sheet(rule: str) -> None:
    for css in (f"<style>{rule} p {{ color: red }}</style>", f"<style>{rule}</style>"):
        html = inline_html(mail("<p>x</p>", css))
        assert "".join(rule.split()) in "".join(elements(html, "style")[0].text.split())


def test_hover_rules_stay_in_the_style_sheet() -> None:
    html = inline_html(mail("<a href='x'>x</a>", "<style>a:hover { color: blue }</style>"))
    assert "a:hover" in elements(html, "style")[0].text


def test_an_image_keeps_the_height_it_was_given() -> None:
    html = inline_html(
        mail("<img height='240' width='600' alt='x' src='x'>", "<style>img { height: auto; width: 100% }</style>")
    )
    (image,) = elements(html, "img")
    assert (image.get("height"), image.get("width")) == ("240", "600")


@pytest.mark.parametrize("style", ["p", ".a", "{", "color", ";;", "}", "", "p b"])
def test_a_style_attribute_that_is_no_css_does_no_harm(style: str) -> None:
    css = "<style>p { color: red } .a { margin: 0 } p b { margin: 1px } a:hover { color: blue }</style>"
    assert elements(inline_html(mail(f"<p style='{style}'>x</p>", css)), "p")[0].get("style") == "color:red"


@pytest.mark.parametrize("html", ["", " ", "<!-- x -->", "<style>p { color: red }"])
def test_a_document_premailer_cannot_read_is_broken_and_no_crash(html: str) -> None:
    try:
        assert inline_html(html, "weekly")
    except TemplateBroken as error:
        assert "template weekly" in str(error)  # noqa: PT017


OUTSIDE = [
    "<style>@import url('{0}');</style>",
    '<style>@IMPORT "{0}";</style>',
    "<style>p {{ color: red }} @import '{0}' screen;</style>",
    "<link rel=stylesheet href='{0}'>",
    "<link rel='stylesheet' href='{0}'>",
    '<LINK HREF="{0}" REL="StyleSheet">',
    '<link rel="alternate stylesheet" href="{0}">',
    "<link\nrel = stylesheet href={0}>",
]


@pytest.mark.parametrize("css", OUTSIDE)
@pytest.mark.parametrize("where", ["main", "included", "extended", "beside raw"])
def test_style_sheets_from_elsewhere_are_refused_wherever_they_stand(css: str, where: str) -> None:
    outside = css.format("https://elsewhere.example/x.css")
    files = {
        "main": Files(mail("<p>x</p>", outside)),
        "included": Files("<p>x</p>{% include 'part.html' %}", part=outside),
        "extended": Files("{% extends 'part.html' %}", part=outside),
        "beside raw": Files("{% raw %}x{% endraw %}" + outside),
    }[where]
    with pytest.raises(
        TemplateBroken, match=r"template (main|part)\.html: (@import|<link rel=stylesheet>) is not allowed"
    ):
        files.prepared()


@pytest.mark.parametrize("css", OUTSIDE)
def test_a_file_that_must_not_be_sent_is_not_there_for_a_dynamic_include(css: str) -> None:
    files = Files("{% set part = 'part.html' %}{% include part %}", part=css.format("https://elsewhere.example/x.css"))
    with pytest.raises(TemplateBroken, match=r"there is no file 'part\.html' to extend or include"):
        composer(files.prepared().source, inlined=False).compose(recipient())


@pytest.fixture
def listening() -> Iterator[tuple[str, list[str]]]:
    """An address, and who asked for it."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(404)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=functools.partial(server.serve_forever, poll_interval=0.01), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/x.css", asked
        server.shutdown()


@pytest.mark.parametrize(
    "css",
    [
        *OUTSIDE,
        "<style>@\\69mport '{0}';</style>",
        "<link rel='style&#115;heet' href='{0}'>",
        "<p style='background: url({0})'>x",
        "<link title='>' rel='stylesheet' href='{0}'>",
        "<style>p {{ background: url({0}) }}</style>",
    ],
)
def test_inlining_never_reads_an_address_or_a_file(css: str, listening: tuple[str, list[str]], tmp_path: Path) -> None:
    address, asked = listening
    secret = tmp_path / "secret.css"
    secret.write_text("p { color: #123456 }")
    for place in (address, f"file://{secret}", str(secret)):
        try:
            html = inline_html(mail("<p>x</p>", css.format(place)))
        except TemplateBroken:
            continue
        assert "#123456" not in html
    assert asked == []


def test_an_address_in_a_style_attribute_is_no_style_sheet() -> None:
    assert Files(mail("<td style='background: url(https://shop.example/x.png)'>x</td>")).prepared().once


def test_the_words_import_and_stylesheet_in_a_mail_are_just_words() -> None:
    html = composer("<p>{{ hero.title }}</p>", inlined=False, cards={1: card(1, title="@import <link rel=stylesheet>")})
    assert "@import" in html.compose(recipient()).html


@pytest.mark.parametrize("name", TemplateFolders((SHIPPED,)).names())
def test_the_shipped_templates_are_inlined_once(name: str) -> None:
    folders = TemplateFolders((SHIPPED,))
    prepared = inline_template(folders.sandbox(), folders.source, f"{name}.html")
    assert (prepared.once, prepared.reason) == (True, "")
    assert "hpMARK" not in prepared.source
