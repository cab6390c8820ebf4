"""Which features a mail uses, and which clients lack them: on a handful of features made up for it, and on all of
caniemail's where they were fetched."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from engine.render.clients import DATA, ClientDataMissing, ClientSupport, by_client, places_in, template_files
from engine.render.features import Detector
from engine.render.style_rules import AtRule, Declaration, Selector, parts_of

TITLES = {
    "css-border-radius": "border-radius",
    "css-padding": "padding",
    "css-gap": "gap, column-gap, row-gap",
    "css-display": "display",
    "css-display-flex": "display:flex",
    "css-unit-rem": "rem unit",
    "css-unit-percent": "% unit",
    "css-unit-calc": "CSS calc() function",
    "css-linear-gradient": "linear-gradient()",
    "css-variables": "CSS Variables (Custom Properties)",
    "css-sytem-ui": "system-ui, ui-serif",
    "css-important": "!important keyword",
    "css-at-media": "@media",
    "css-at-media-prefers-color-scheme": "@media (prefers-color-scheme)",
    "css-pseudo-class-hover": ":hover",
    "css-pseudo-element-before": "::before",
    "css-selector-child": "Child combinator",
    "css-selector-attribute": "Attribute selector",
    "html-video": "<video> element",
    "html-h1-h6": "<h1> to <h6> elements",
    "html-lists": "<ul>, <ol> and <dl>",
    "html-aria-hidden": "aria-hidden attribute",
    "html-srcset": "srcset and sizes attributes",
    "html-input-text": '<input type="text"> element',
    "html-mailto-links": "mailto: links",
    "html-doctype": "HTML5 doctype",
    "html-semantics": "HTML5 semantics",
    "image-webp": "webP image format",
    "image-base64": "Base 64 image format",
}
DESCRIPTIONS = {"html-semantics": "This includes `<article>` and `<nav>`."}


def page(body: str = "", css: str = "") -> str:
    return f"<!doctype html>\n<html><head><style>{css}</style></head><body>{body}</body></html>"


def used(html: str) -> dict[str, set[str]]:
    """Where each feature is used."""
    detector = Detector({slug: (title, DESCRIPTIONS.get(slug, "")) for slug, title in TITLES.items()})
    found: dict[str, set[str]] = {}
    for use in detector.uses(html):
        found.setdefault(use.feature, set()).add(use.where)
    return found


@pytest.mark.parametrize(
    ("html", "feature", "where"),
    [
        (page('<p style="border-radius: 3px">x</p>'), "css-border-radius", "inline"),
        (page('<p style="border-top-left-radius: 3px">x</p>'), "css-border-radius", "inline"),
        (page('<p style="padding-left: 3px">x</p>'), "css-padding", "inline"),
        (page('<p style="COLUMN-GAP: 3px">x</p>'), "css-gap", "inline"),
        (page('<p style="display: flex">x</p>'), "css-display-flex", "inline"),
        (page(css="p { display: flex }"), "css-display-flex", "<style>"),
        (page(css="@media screen and (max-width: 3px) { p { display: flex } }"), "css-display-flex",
         "@media screen and (max-width: 3px)"),
        (page('<p style="margin: 1.5rem">x</p>'), "css-unit-rem", "inline"),
        (page('<p style="width: 50%">x</p>'), "css-unit-percent", "inline"),
        (page('<p style="width: calc(50% - 1px)">x</p>'), "css-unit-calc", "inline"),
        (page('<p style="background: linear-gradient(red, blue)">x</p>'), "css-linear-gradient", "inline"),
        (page('<p style="color: var(--a)">x</p>'), "css-variables", "inline"),
        (page(css=":root { --a: red }"), "css-variables", "<style>"),
        (page('<p style="font-family: system-ui, Arial">x</p>'), "css-sytem-ui", "inline"),
        (page(css="p { color: red !important }"), "css-important", "<style>"),
        (page(css="@media print { p { color: red } }"), "css-at-media", "<style>"),
        (page(css="@media (prefers-color-scheme: dark) { p { color: red } }"), "css-at-media-prefers-color-scheme",
         "<style>"),
        (page(css="a:hover { color: red }"), "css-pseudo-class-hover", "<style>"),
        (page(css="a:before { color: red }"), "css-pseudo-element-before", "<style>"),
        (page(css="td > p { color: red }"), "css-selector-child", "<style>"),
        (page(css="[data-ogsc] p { color: red }"), "css-selector-attribute", "<style>"),
        (page("<video src='a.mp4'></video>"), "html-video", "HTML"),
        (page("<h3>x</h3>"), "html-h1-h6", "HTML"),
        (page("<ol><li>x</li></ol>"), "html-lists", "HTML"),
        (page("<p aria-hidden='true'>x</p>"), "html-aria-hidden", "HTML"),
        (page("<img src='a.png' sizes='100vw'>"), "html-srcset", "HTML"),
        (page("<input type='text'>"), "html-input-text", "HTML"),
        (page("<a href='mailto:a@example.com'>x</a>"), "html-mailto-links", "HTML"),
        (page("<nav>x</nav>"), "html-semantics", "HTML"),
        (page("<img src='https://a.example/b.webp?w=600'>"), "image-webp", "HTML"),
        (page('<p style="background: url(data:image/png;base64,AAAA)">x</p>'), "image-base64", "inline"),
        (page(), "html-doctype", "HTML"),
    ],
)  # fmt: skip
def test_a_feature_is_found_where_it_is_used(html: str, feature: str, where: str) -> None:
    assert where in used(html).get(feature, set())


@pytest.mark.parametrize(
    ("html", "feature"),
    [
        (page('<p style="display: block">x</p>'), "css-display-flex"),
        (page("<p style=\"font-family: 'system-ui'\">x</p>"), "css-sytem-ui"),
        (page('<p style="color: #1rem0">x</p>'), "css-unit-rem"),
        (page(css="/* display: flex; a:hover > p */ p { color: red }"), "css-display-flex"),
        (page(css="[title='a > b'] { color: red }"), "css-selector-child"),
        (page("<p>border-radius: 3px; aria-hidden='true'</p>"), "css-border-radius"),
        (page("<input type='hidden'>"), "html-input-text"),
        (page('<p style="background: url(a.png?x=50%)">x</p>'), "css-unit-percent"),
    ],
)
def test_what_only_looks_like_a_feature_is_not_found(html: str, feature: str) -> None:
    assert feature not in used(html)


def test_a_style_sheet_is_taken_apart() -> None:
    css = (
        '@import "a;b.css"; @media x { td.a, p > b { color: "}"; margin: 0 !important } } @font-face { src: url(a;b) }'
    )
    media = ("@media x",)
    assert list(parts_of(css)) == [
        AtRule("import", '"a;b.css"'),
        AtRule("media", "x"),
        Selector("td.a", media),
        Selector("p > b", media),
        Declaration("color", '"}"', False, media),
        Declaration("margin", "0", True, media),
        AtRule("font-face", ""),
        Declaration("src", "url(a;b)", False, ("@font-face",)),
    ]


@pytest.mark.parametrize("css", ["p {", "p { color: red", "} p", "@media {{{", "/* p", 'p { content: "', "(((", "@"])
def test_css_that_is_cut_short_ends_nothing(css: str) -> None:
    list(parts_of(css))


def support(path: Path, *features: dict[str, Any]) -> ClientSupport:
    plain = {
        "last_update_date": "2026-05-13 14:45:41 +0000",
        "nicenames": {"family": {"gmail": "Gmail", "outlook": "Outlook"}, "platform": {"ios": "iOS"}},
        "data": [
            {"url": "https://example.com/", "description": None, "notes_by_num": None} | each for each in features
        ],
    }
    path.write_text(json.dumps(plain))
    return ClientSupport(path)


FLEX = {
    "slug": "css-display-flex",
    "title": "display:flex",
    "stats": {
        "gmail": {"ios": {"2019": "n", "2024": "a #1"}},
        "outlook": {"windows": {"2019": "n"}, "ios": {"1": "y"}},
    },
    "notes_by_num": {"1": "Not in rows."},
}
RADIUS = {"slug": "css-border-radius", "title": "border-radius", "stats": {"gmail": {"ios": {"1": "a"}}}}
NOTHING = {"slug": "css-color", "title": "color", "stats": {"gmail": {"ios": {"1": "y"}}}}


def test_who_lacks_what_most_clients_first_with_the_place_in_the_template(tmp_path: Path) -> None:
    known = support(tmp_path / "data.json", RADIUS, NOTHING, FLEX)
    files = {"a.html": "<p>\n<p class='x'>", "b.html": "<style>\n.x { display: flex; border-radius: 2px }</style>"}
    mail = page('<p style="display: flex; border-radius: 2px; color: red">x</p>')
    first, second = known.lacks([mail, mail], files)
    assert (known.date, known.clients) == ("2026-05-13", ["Gmail iOS", "Outlook iOS", "Outlook windows"])
    assert first.summary() == {
        "feature": "css-display-flex",
        "title": "display:flex",
        "url": "https://example.com/",
        "where": ["inline"],
        "lines": ["b.html, line 2"],
        "not_supported": ["Outlook windows"],
        "partly_supported": [{"client": "Gmail iOS", "note": "Not in rows."}],
    }
    assert (first.clients, second.clients, second.feature) == (1.5, 0.5, "css-border-radius")
    assert by_client([first, second]) == [("Outlook windows", 1, 0), ("Gmail iOS", 0, 2)]


def test_what_stands_under_media_only_adds(tmp_path: Path) -> None:
    known = support(tmp_path / "data.json", FLEX)
    (lack,) = known.lacks([page(css="@media print { p { display: flex } }")], {})
    assert lack.only_adds
    (lack,) = known.lacks([page('<p style="display: flex">', "@media print { p { display: flex } }")], {})
    assert lack.where == ("inline", "@media print")
    assert not lack.only_adds


def test_data_that_are_missing_or_damaged_are_said_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ClientDataMissing, match="make caniemail"):
        ClientSupport(tmp_path / "none.json")
    for body in ("{", "[]", "{}", '{"last_update_date": "x", "nicenames": {}, "data": [1]}'):
        (tmp_path / "odd.json").write_text(body)
        with pytest.raises(ClientDataMissing, match="delete it"):
            ClientSupport(tmp_path / "odd.json")


def test_the_files_of_a_template_are_found() -> None:
    sources = {
        "a.html": "{% extends 'b.html' %}",
        "b.html": '{%- include "c.html" -%}{% include other %}',
        "c.html": "x",
    }
    assert list(template_files(sources.__getitem__, "a.html")) == ["a.html", "b.html", "c.html"]
    assert list(places_in({"a.html": "x\nxy\n"}, r"\by")) == []


@pytest.mark.skipif(not DATA.exists(), reason="the caniemail data were not fetched: make caniemail")
def test_every_feature_of_the_real_data_can_be_found() -> None:
    detector = ClientSupport().detector
    maps = (
        *(detector.properties, detector.pairs, detector.in_values, detector.at_rules, detector.selectors),
        *(detector.elements, detector.attributes, detector.typed, detector.images),
    )
    learnt = {slug for each in maps for slug in each.values()}
    features = ClientSupport()._features
    source = (Path(__file__).parents[3] / "engine" / "render" / "features.py").read_text()
    asked_for = set(re.findall(r'_known\("([\w-]+)"', source))
    assert set(features) - learnt - asked_for == {"bimi", "css-selector-grouping"}
