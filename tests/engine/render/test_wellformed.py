"""Is HTML well nested? As an HTML parser reads it, wherever the mail is cut."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import html as lxml_html

from engine.render.wellformed import Nesting, nesting, parted, shape_of, tag_of


def nested(*pieces: str) -> Nesting:
    return nesting(tuple(shape_of(parted(piece)) for piece in pieces))


@pytest.mark.parametrize(
    "html",
    [
        *[
            "",
            "words",
            "a < b & c > d",
            "<p>a<br>b<img src=x></p><hr>",
            "<P CLASS='a'>b</p >",
            "<p title='a > b'>c</p>",
        ],
        *[
            "<!doctype html><html><head><title>x</title></head><body></body></html>",
            "<!-- <p> --><!--><!---><!-- a --!>",
        ],
        *["<table><tr><td>x</td><th></th></tr></table>", "<table><tbody><tr><td>x</td></tr></tbody></table>"],
        *["<table> <!-- --> <caption>x</caption> <tr> <td>x</td> </tr> </table>", "<ul> <li>x</li> </ul>"],
        *["<style>p > b { content: '<p>' }</style>", "<script>if (a <b) '</p>'</script>", "<td-x>y</td-x>"],
        *["<a href=x><table><tr><td><p>x</p></td></tr></table></a>", "<!--[if mso]><table><tr><td><![endif]-->x"],
        *[
            "<!--[if !mso]><!--><p>x</p><!--<![endif]-->",
            "<o:p>x</o:p>",
            "<p><button><div>x</div></button></p>",
            "</ x><?xml x>",
            "<a name=x></a>",
        ],
    ],
)
def test_what_is_well_nested(html):
    assert nested(html) == Nesting("", ())


@pytest.mark.parametrize(
    ("html", "fault"),
    [
        ("<p>", "<p> is not closed"),
        ("<p><b>", "<b> is not closed"),
        ("<p/>x", "<p> is not closed"),
        ("</p>", "</p> closes nothing"),
        ("<br></br>", "</br> closes nothing"),
        ("<b><i>x</b></i>", "</b> where </i> should be"),
        ("<table>x</table>", "text stands directly in <table>"),
        ("<table><td>x</td></table>", "<td> stands directly in <table>"),
        ("<table><div>x</div></table>", "<div> stands directly in <table>"),
        ("<table><tr>x</tr></table>", "text stands directly in <tr>"),
        ("<div><tr><td>x</td></tr></div>", "<tr> stands directly in <div>"),
        ("<td>x</td>", "<td> stands by itself"),
        ("<ul><p>x</p></ul>", "<p> stands directly in <ul>"),
        ("<li>x</li>", "<li> stands by itself"),
        ("<a href=x>y<a href=z>z</a></a>", "<a> inside <a>, which it ends"),
        ("<a href=x><b><i><a href=z>z</a></i></b></a>", "<a> inside <a>, which it ends"),
        ("<p>a<div>b</div></p>", "<div> inside <p>, which it ends"),
        ("<p><span>a<table></table></span></p>", "<table> inside <p>, which it ends"),
        ("<a b='1' b='2'>x</a>", "<a> has b twice"),
        ("<a b='1'c='2'>x</a>", "<a> has a quotation mark that does not close, or no space before 'c'"),
        ('<p a="b><i c="d">', "<p> has a quotation mark that does not close, or no space before 'd\"'"),
        ("<p>x</p", "'</p' has no end"),
        ("<!-- x", "'<!-- x' has no end"),
        ("<style>p {}", "'<style>p {}' has no end"),
        ("x <!doctype", "'<!doctype' has no end"),
    ],
)
def test_what_is_not(html, fault):
    assert nested(html).fault == fault


@pytest.mark.parametrize(
    ("html", "empty"),
    [
        ("<h1></h1>", ("h1",)),
        ("<p class='price big'> \n</p>", ("p price big",)),
        ("<h2><b></b></h2>", ("b", "h2")),
        ("<p>&nbsp;</p><p>\xa0</p><td-x></td-x><div></div><span></span>", ()),
        ("<p><img src=x></p>", ()),
        ("<a href=x><img src=x></a>", ("a",)),
        ("<a href=x><img src=x alt=' '></a>", ("a",)),
        ("<a href=x><img src=x alt=Jar></a>", ()),
        ("<a href=x><table><tr><td>x</td></tr></table></a>", ()),
        ("<p><!-- x --><br></p>", ("p",)),
    ],
)
def test_what_holds_nothing(html, empty):
    assert nested(html) == Nesting("", empty)


@pytest.mark.parametrize(
    "pieces",
    [
        ("<h1>", "</h1>"),
        ("<table><tr>", "<td>x</td>", "</tr></table>"),
        ("<p>", "<span>", "<div>x</div>", "</span></p>"),
        ("<a href=x>", "<b>", "<a href=y>", "</a></b></a>"),
        ("<table>", "<tr><td>", "x", "</td></tr>", "y", "</table>"),
        ("<p><b>", "</b>", "<i>", "</p></i>"),
        ("</p>", "<h1></h1>"),
        ("<table><tr>", "<td>x</td></tr><td>y</td>", "</table>"),
        ("<div>", "<td>", "x</td></div>"),
    ],
)
def test_what_is_cut_is_read_as_the_whole(pieces):
    assert nested(*pieces) == nested("".join(pieces))


tokens = st.sampled_from(
    [
        *["<p>", "</p>", "<b>", "</b>", "<a href=x>", "</a>", "<table>", "</table>", "<tr>", "</tr>", "<td>", "</td>"],
        *[
            "<div class='c'>",
            "</div>",
            "x",
            " ",
            "<img alt=x>",
            "<img>",
            "<!-- -->",
            "<h1>",
            "</h1>",
            "<i a=1 a=2>",
            "<ul>",
        ],
        *["<li>", "</li>", "</ul>", "<style><p></style>"],
    ]
)


@given(st.lists(st.lists(tokens, max_size=6), max_size=6))
def test_wherever_a_mail_is_cut(pieces):
    whole = "".join(token for piece in pieces for token in piece)
    assert nested(*("".join(piece) for piece in pieces)) == nested(whole)


@given(st.lists(tokens, max_size=20))
def test_a_parser_leaves_what_is_well_nested_as_it_is(parts):
    """What we call well nested, libxml2 does not repair."""
    html = "".join(parts)
    if nested(html).fault or "<td" in html or "<i a" in html:
        return
    tree = lxml_html.fragment_fromstring(f"<div>{html}</div>")
    written = lxml_html.tostring(tree, encoding="unicode").removeprefix("<div>").removesuffix("</div>")
    assert [_name(markup) for markup in parted(written)[1::2]] == [_name(markup) for markup in parted(html)[1::2]]


def _name(markup: str) -> tuple[str, bool] | None:
    tag = tag_of(markup)
    return tag and (tag.name, tag.closes)


@given(st.text("<>/!-='\" apbtd\n", max_size=60))
def test_nothing_is_lost_whatever_is_read(html):
    assert "".join(parted(html)) == html
    nested(html)


@pytest.mark.slow
@pytest.mark.parametrize(
    "part",
    [
        *[
            "<a b",
            "<",
            "<!--",
            "<style>",
            '<a href="',
            "</",
            "<style></style ",
            "<p>",
            "<p></p>",
            "<!",
            "<a b=c d",
            "='",
        ],
        *[
            "<table><tr><td>",
            "<div>",
            "<b>",
            "<div class=c>x",
            "<p id=a>x</p>",
            "<a a=",
            "&",
            "-->",
            "<p a='>",
            "</style",
        ],
    ],
)
def test_a_megabyte_is_read_in_a_moment(part):
    html = part * (1_000_000 // len(part))
    begun = time.process_time()
    nested(html)
    nested("<a " + html)
    assert time.process_time() - begun < 5  # 0.4 s at most here; from each "<" to the end it would be hours
