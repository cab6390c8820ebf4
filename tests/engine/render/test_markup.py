"""The markup reader: where in HTML a piece of Jinja stands, wherever the text is cut."""

import itertools

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from engine.render.markup import MarkupReader, Place

FRAGMENTS = [
    *("<", "</", ">", "/>", "<!", "<!-", "<!--", "-", "--", "-->", "--!>", "<!-->", "<!--->", "<!DOCTYPE html>"),
    *(
        "<p",
        "<div ",
        "<style",
        "</style",
        "</style>",
        "<TITLE>",
        "</title x>",
        "<textarea>",
        "</textarea\n>",
        "<script>",
    ),
    *(
        " ",
        "\n",
        "/",
        "=",
        '"',
        "'",
        "a",
        "class",
        "href=",
        "title='",
        'alt="x"',
        "&",
        "&am",
        "&#1",
        ";",
        "x y",
        "é",
        "<3",
    ),
    *("<!--[if mso]>", "<![endif]-->", "<?php ?>", "</>", "<![CDATA[", "<P CLASS=x>", "<a href=http://x/y>"),
]
sources = st.lists(st.sampled_from(FRAGMENTS) | st.text(max_size=3), max_size=12).map("".join)


def after(*pieces: str) -> MarkupReader:
    reader = MarkupReader()
    for piece in pieces:
        reader.read(piece)
    return reader


@given(source=sources, cuts=st.lists(st.integers(0, 60), max_size=6))
@example(source="<!-- a --><p>", cuts=[1, 2, 3, 7, 8, 9])
@example(source='<p class = "a">', cuts=[2, 9, 10, 11])
@example(source="<style>p{}</style >x", cuts=[8, 11, 12, 15])
def test_it_never_matters_where_a_text_is_cut(source: str, cuts: list[int]) -> None:
    borders = sorted({0, *(min(cut, len(source)) for cut in cuts), len(source)})
    pieces = [source[start:end] for start, end in itertools.pairwise(borders)]
    assert after(*pieces) == after(source)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("", Place.TEXT),
        ("a < b", Place.TEXT),
        ("<", Place.TAG),
        ("</", Place.TAG),
        ("<p", Place.TAG),
        ("<p ", Place.TAG),
        ("<p title", Place.TAG),
        ("<p title=", Place.ATTRIBUTE),
        ("<p title = '", Place.ATTRIBUTE),
        ("<p title='>", Place.ATTRIBUTE),
        ("<p title=''", Place.TAG),
        ("<p title=x>", Place.TEXT),
        ("<p/>", Place.TEXT),
        ("<!-- <p>", Place.COMMENT),
        ("<!-- <p> -->", Place.TEXT),
        ("<!-->", Place.TEXT),
        ("<!--->", Place.TEXT),
        ("<!-- --!>", Place.TEXT),
        ("<!-- -- >", Place.COMMENT),
        ("<!doctype", Place.TAG),
        ("<!doctype html>", Place.TEXT),
        ("<style>p > a", Place.STYLE),
        ("<STYLE media=print>", Place.STYLE),
        ("<style></styles>", Place.STYLE),
        ("<style></STYLE >", Place.TEXT),
        ("<title>a <b> c", Place.RAW),
        ("<title></title>", Place.TEXT),
        ("<textarea></textarea x>", Place.TEXT),
        ("<!--[if mso]><td>", Place.COMMENT),
    ],
)
def test_it_knows_where_it_stands(text: str, place: Place) -> None:
    assert after(text).place == place


def test_it_names_the_attribute_in_lower_case_and_the_quote_that_closes_it() -> None:
    reader = after("<A HREF = '")
    assert (reader.element, reader.attribute, reader.quote) == ("a", "href", "'")
    assert after("<a href=x").quote == ""


@pytest.mark.parametrize(
    ("text", "undecided"),
    [
        ("a &", "&"),
        ("<a href='?a=1&cop", "&cop"),
        ("a &amp; b", ""),
        ("a &b= ", ""),
        ("<a href='?a=1&b=", ""),
        ("<!-- a -", " a -"[-3:]),
        ("<!-- a ", ""),
        ("<title>a </ti", "</ti"),
        ("<title>a <b", ""),
    ],
)
def test_it_knows_what_takes_its_meaning_from_what_follows(text: str, undecided: str) -> None:
    assert after(text).undecided == undecided


def test_two_values_are_never_the_same_stretch() -> None:
    reader = MarkupReader()
    seen = []
    for piece in ("<a title='", "x' href='", "'><!--", "--><title>", "</title><style>"):
        reader.read(piece)
        seen.append(reader.stretch)
    assert seen == sorted(set(seen))
