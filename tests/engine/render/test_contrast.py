"""Whether the words of a mail can be read: each pair of colours, in light and in dark."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.render.compose import Composer
from engine.render.contrast import colour_of, contrast_findings, ratio
from tests.engine.mails import FOLDERS, card, recipient, shipped_content

DARK = "<style>@media (prefers-color-scheme: dark) {{ {} }}</style>"
channels = st.tuples(*[st.integers(0, 255)] * 3)


def found(html: str) -> list[tuple[str, str]]:
    """(severity, light or dark) of each finding."""
    return [(finding.severity, finding.detail.split(" in ")[1].split(",")[0]) for finding in contrast_findings(html)]


@pytest.mark.parametrize("picks", [1, 2, 3, 6, 12])
@pytest.mark.parametrize("name", FOLDERS.names())
def test_a_shipped_mail_can_be_read_in_light_and_in_dark(name, picks):
    content = shipped_content(name, variables={"offer_code": "SPRING10"})
    mail = Composer(content, {number: card(number) for number in range(1, 13)}).compose(recipient(*range(1, picks + 1)))
    assert contrast_findings(mail.html) == ()


def test_a_shipped_mail_that_turns_grey_is_found_out():
    mail = Composer(shipped_content("announcement"), {1: card(1)}).compose(recipient(1))
    assert ("error", "light") in found(mail.html.replace("color:#23211d", "color:#e0e0e0"))
    assert ("warning", "dark") in found(mail.html.replace("#cfc8bb", "#666666"))


@pytest.mark.parametrize(
    ("style", "finds"),
    [
        ("color:#767676", []),  # 4.54:1
        ("color:#777777", [("warning", "light")]),  # 4.48:1
        ("color:#777777; font-size:24px", []),
        ("color:#777777; font-size:18pt", []),
        ("color:#777777; font-size:23px", [("warning", "light")]),
        ("color:#777777; font-size:19px; font-weight:bold", []),
        ("color:#777777; font-size:18px; font-weight:700", [("warning", "light")]),
        ("color:#959595; font-size:24px", [("warning", "light")]),
        ("color:#bbbbbb", [("error", "light")]),
        ("color:white", [("error", "light")]),
        ("color:white; background-color:#000", []),
        ("color:white; background:#000 url(x.png) no-repeat", []),
        ("color:white; background:rgba(0, 0, 0, .9)", []),
        ("color:white; background:rgba(0, 0, 0, .1)", [("error", "light")]),
        ("color:rgba(0,0,0,.2)", [("error", "light")]),
        ("color:white; background-image:url(x.png)", [("warning", "light")]),
        ("color:white; background-image:linear-gradient(#000, #111)", [("warning", "light")]),
        ("color:white; display:none", []),
        ("color:white; visibility:hidden", []),
        ("color:white; opacity:0", []),
        ("color:white; max-height:0", []),
        ("color:white; font-size:1px", []),
        ("color:inherit", []),
        ("color:white !important; color:black", [("error", "light")]),
        ("COLOR: WHITE", [("error", "light")]),
    ],
)
def test_a_style(style, finds):
    assert found(f"<body><div><p style='{style}'>words</p></div></body>") == finds


@pytest.mark.parametrize(
    ("html", "finds"),
    [
        ("<table bgcolor='#000000'><tr><td><font color='#ffffff'>words</font></td></tr></table>", []),
        ("<table bgcolor='#000000'><tr><td>words</td></tr></table>", [("error", "light")]),
        ("<div style='color:#fff'><p>words</p></div>", [("error", "light")]),
        ("<div style='color:#fff'><p style='color:#000'>words</p></div>", []),
        ("<div style='display:none'><p style='color:#fff;display:block'>words</p></div>", []),
        ("<div style='color:#fff'>·<b> — </b>|</div>", []),
        ("<div style='color:#fff'><p style='color:#000'>a</p>words</div>", [("error", "light")]),
        ("<div style='color:#fff'><!-- words --><img alt='words'></div>", []),
        ("<h1 style='color:#777'>words</h1>", []),
        ("<table background='x.png'><tr><td style='color:#fff'>words</td></tr></table>", [("warning", "light")]),
        ("<style>p { color: #fff }</style><p>words</p>", [("error", "light")]),
        ("<style>p { color: #fff }</style><p style='color:#000'>words</p>", []),
        ("<style>p { color: #fff !important }</style><p style='color:#000'>words</p>", [("error", "light")]),
        ("<style>[data-ogsc] p { color: #fff !important }</style><p>words</p>", []),
        ("<style>@media (max-width: 600px) { p { color: #fff !important } }</style><p>words</p>", []),
        ("<style>p:hover { color: #fff }</style><p>words</p>", []),
        ("", []),
        ("<!-- -->", []),
    ],
)
def test_a_mail(html, finds):
    assert found(html) == finds


@pytest.mark.parametrize(
    ("rules", "body", "finds"),
    [
        ("p { color: #fff }", "<p style='color:#000'>words</p>", []),  # the style attribute wins
        ("p { color: #fff !important }", "<p style='color:#000'>words</p>", [("error", "dark")]),
        (".a { background: #000 !important }", "<div class='a'>words</div>", [("error", "dark")]),
        (".a { background: #000 !important; color: #fff !important }", "<p class='a'>words</p>", []),
        ("body { background: #000 !important } p { color: #eee !important }", "<p>words</p>", []),
        ("body { background: #111 !important }", "<p>words</p>", [("error", "dark")]),
        ("p.a { color: #fff !important } .a { color: #000 !important }", "<p class='a'>words</p>", [("error", "dark")]),
        (".b { color: #fff !important } .a { color: #000 !important }", "<p class='a b'>words</p>", []),
        (".x, .a { color: #fff !important }", "<p class='a'>words</p>", [("error", "dark")]),
        ("p { color: #fff !important }", "<p style='color:#000 !important'>words</p>", []),
        ("/* p { color: #fff !important } */", "<p>words</p>", []),
        ("/* a { */ p { color: #fff !important }", "<p>words</p>", [("error", "dark")]),
        ("p { color: #fff !important", "<p>words</p>", [("error", "dark")]),
    ],
)
def test_the_dark(rules, body, finds):
    assert found(f"{DARK.format(rules)}<body>{body}</body>") == finds


def test_a_mail_for_the_dark_stands_on_a_dark_canvas():
    head = "<meta name='color-scheme' content='light dark'>" + DARK.format(".b { color: #000 !important }")
    assert found(f"<html><head>{head}</head><body><p>words</p></body></html>") == []
    assert found(f"<html><head>{head}</head><body><p class='b'>words</p></body></html>") == [("error", "dark")]


def test_each_pair_once_the_worst_first_with_words_and_colours():
    html = "".join(f"<p style='color:{colour}'>words {colour}</p>" for colour in ("#777", "#fff", "#888", "#777"))
    details = [(finding.severity, finding.detail) for finding in contrast_findings(html)]
    assert details[0] == ("error", "1.0:1 in light, at least 4.5:1 is readable: #ffffff on #ffffff, 'words #fff'")
    assert [severity for severity, _ in details] == ["error", "warning", "warning"]
    assert [finding.weight for finding in contrast_findings(html)] == [4.5, 1.269, 1.005]


def test_the_contrasts_that_wcag_names():
    assert ratio((0, 0, 0), (255, 255, 255)) == pytest.approx(21)
    assert ratio((255, 0, 0), (255, 255, 255)) == pytest.approx(3.998, abs=0.001)


@given(channels, channels)
def test_contrast_has_no_direction_and_stays_in_its_bounds(one, other):
    assert ratio(one, other) == ratio(other, one)
    assert 1 <= ratio(one, other) <= 21
    assert ratio(one, one) == 1


@given(channels)
def test_a_colour_is_the_same_however_it_is_written(colour):
    red, green, blue = colour
    written = [f"#{red:02x}{green:02X}{blue:02x}", f"rgb({red},{green}, {blue})", f"rgba({red} {green} {blue} / 1)"]
    assert {colour_of(text) for text in written} == {(*colour, 1.0)}


@given(st.text("<>{}@media p:;!important#(),.0rgba% \"'/*\\", max_size=80))
def test_any_css_is_read_to_its_end(css):
    contrast_findings(f"<style>{css}</style><p style='{css}'>words</p>")
