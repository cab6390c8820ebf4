"""What is no change is never found; everything that can be seen or used differently always is."""

import random
import re
from html import escape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.review.dom import address_parts, changes_between, narrowed, text_changes
from campaigns.review.errors import SnapshotUnreadable
from campaigns.review.tree import ignored, tree_of

MAIL = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Hello &amp; welcome</title>
<style>@media (max-width: 600px) { .wide { width: 100% } }</style></head>
<body style="margin: 0; color: #111111">
<!-- made by a program -->
<!--[if mso]><table width="600"><tr><td><![endif]-->
<table role="presentation" width="600" cellpadding="0"><tr>
<td class="words" style="padding: 4px; color: #23211d"><p>Good day, <b>Ana</b> and friends</p>
<p><a class="go" href="https://shop.example/p/1?utm=a&amp;x=2#top">Serum &amp; Oil</a></p></td>
<td><img src="https://shop.example/1.png" alt="A serum" width="100" height="80"></td>
</tr><tr><td><pre>  kept   as it is</pre><div>one</div> <div>two</div><ul><li>first</li><li>second</li></ul></td></tr>
</table>
<!--[if mso]></td></tr></table><![endif]-->
<p>Caf\u00e9 &euro;5 &lt;now&gt;&nbsp;only<br>Bye</p>
</body></html>"""

_TAG = re.compile(r"<([a-z][a-z0-9]*)((?:\s+[a-z-]+=\"[^\"]*\")*)\s*>")
_ATTRIBUTE = re.compile(r'[a-z-]+="[^"]*"')
_BETWEEN_BLOCKS = re.compile(
    r"(?<=</td>)|(?<=<tr>)|(?<=</tr>)|(?<=</p>)|(?<=<body style=\"margin: 0; color: #111111\">)"
)


def found(before: str, after: str, *rules: str) -> list[tuple[str, str, str, str]]:
    passed_over = ignored(rules) if rules else None
    changes = changes_between(tree_of(before, passed_over), tree_of(after, passed_over))
    return [(change.kind, change.what, change.old, change.new) for change in changes]


def shuffled_attributes(mail: str, chance: random.Random) -> str:
    def shuffled(tag: re.Match[str]) -> str:
        attributes = _ATTRIBUTE.findall(tag[2])
        chance.shuffle(attributes)
        return f"<{tag[1]}{''.join(f'{chance.choice([chr(32), chr(10), chr(32) * 3])}{one}' for one in attributes)}>"

    return _TAG.sub(shuffled, mail)


def spaced_blocks(mail: str, chance: random.Random) -> str:
    return _BETWEEN_BLOCKS.sub(lambda _: chance.choice(["", " ", "\n", "\n\t  "]), mail)


def other_entities(mail: str, chance: random.Random) -> str:
    spellings = {
        "&amp;": ["&amp;", "&#38;", "&#x26;"],
        "\u00e9": ["\u00e9", "&eacute;", "&#233;", "&#xE9;"],
        "&euro;": ["&euro;", "\u20ac", "&#8364;"],
        "&nbsp;": ["&nbsp;", "\u00a0", "&#160;"],
        "&lt;": ["&lt;", "&#60;"],
    }
    for written, others in spellings.items():
        mail = re.sub(re.escape(written), lambda _, others=others: chance.choice(others), mail)  # type: ignore[misc]
    return mail


def wrapped_words(mail: str, chance: random.Random) -> str:
    return mail.replace(
        "Good day, ", f"Good{chance.choice([' ', chr(10), '  ', chr(10) + '   '])}day,{chance.choice([' ', chr(10)])}"
    )


SAME = [shuffled_attributes, spaced_blocks, other_entities, wrapped_words]


def swap(one: str, other: str, mail: str) -> str:
    return mail.replace(one, "\0").replace(other, one).replace("\0", other)


WORD = st.text("abcdefghijklmnopqrstuvwxyz\u00e9\u0130", min_size=1, max_size=8)
SEEN = {
    "words": lambda word: MAIL.replace("Good day", f"{word}, good day"),
    "inline space": lambda word: MAIL.replace("<b>Ana</b> and", f"<b>Ana</b>and{word}"),
    "only the space": lambda word: MAIL.replace("<b>Ana</b> and", "<b>Ana</b>and"),
    "preformatted": lambda word: MAIL.replace("kept   as", "kept  as"),
    "no-break space": lambda word: MAIL.replace("&nbsp;only", " only"),
    "colour": lambda word: MAIL.replace("#23211d", f"#{abs(hash(word)) % 1000 + 1:06d}"),
    "style rule": lambda word: MAIL.replace("width: 100%", f"width: {len(word)}%"),
    "style gone": lambda word: MAIL.replace(' style="margin: 0; color: #111111"', ""),
    "order of styles": lambda word: MAIL.replace("padding: 4px; color: #23211d", "color: #23211d; padding: 4px"),
    "alt": lambda word: MAIL.replace('alt="A serum"', f'alt="{word}"'),
    "no alt": lambda word: MAIL.replace(' alt="A serum"', ""),
    "empty alt": lambda word: MAIL.replace('alt="A serum"', 'alt=""'),
    "src": lambda word: MAIL.replace("1.png", f"{word}.png"),
    "parameter": lambda word: MAIL.replace("utm=a", f"utm={word}1"),
    "parameter gone": lambda word: MAIL.replace("&amp;x=2", ""),
    "fragment": lambda word: MAIL.replace("#top", f"#{word}1"),
    "host": lambda word: MAIL.replace("https://shop.example/p", f"https://{'x' * len(word)}.example/p"),
    "tag": lambda word: MAIL.replace("<b>Ana</b>", "<i>Ana</i>"),
    "class": lambda word: MAIL.replace('class="go"', f'class="go {word}"'),
    "new attribute": lambda word: MAIL.replace("<b>", f'<b title="{word}">'),
    "element gone": lambda word: MAIL.replace("<b>Ana</b>", "Ana"),
    "block gone": lambda word: MAIL.replace("<li>first</li>", ""),
    "block came": lambda word: MAIL.replace("</ul>", f"<li>{word}</li></ul>"),
    "swapped": lambda word: swap("<li>first</li>", "<li>second</li>", MAIL),
    "another parent": lambda word: MAIL.replace("<b>Ana</b> and friends", "<b>Ana and friends</b>"),
    "Outlook": lambda word: MAIL.replace('<table width="600">', f'<table width="{len(word)}">'),
    "Outlook gone": lambda word: MAIL.replace('<!--[if mso]><table width="600"><tr><td><![endif]-->', ""),
    "doctype": lambda word: MAIL.replace("<!doctype html>\n", ""),
    "title": lambda word: MAIL.replace("Hello &amp;", f"Hello{word} &amp;"),
    "language": lambda word: MAIL.replace('lang="en"', 'lang="de"'),
    "size": lambda word: MAIL.replace('height="80"', 'height="81"'),
    "letter case": lambda word: MAIL.replace("friends", "Friends"),
    "line break": lambda word: MAIL.replace("only<br>Bye", "only Bye"),
}  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(SAME), min_size=1, max_size=4), st.integers(0, 2**32))
def test_what_nobody_can_see_is_never_a_change(ways: list[object], seed: int) -> None:
    after, chance = MAIL, random.Random(seed)
    for way in ways:
        after = way(after, chance)  # type: ignore[operator]
    assert found(MAIL, after) == []
    assert found(after, MAIL) == []


@settings(max_examples=250, deadline=None)
@given(st.sampled_from(sorted(SEEN)), WORD, st.lists(st.sampled_from(SAME), max_size=3), st.integers(0, 2**32))
def test_what_can_be_seen_or_used_is_always_found(name: str, word: str, ways: list[object], seed: int) -> None:
    after, chance = SEEN[name](word), random.Random(seed)
    assert after != MAIL
    for way in ways:
        after = way(after, chance)  # type: ignore[operator]
    assert found(MAIL, after), name
    assert found(after, MAIL), name


@settings(max_examples=100, deadline=None)
@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=20))
def test_any_other_word_is_found_as_it_is(words: str) -> None:
    after = MAIL.replace("<b>Ana</b>", f"<b>{escape(words)}</b>")
    shown = re.sub(r"[ \t\n\r\f]+", " ", words)
    changes = found(MAIL, after)
    assert (not changes) is (shown == "Ana")


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ('<p style="color: #111; top: 0">a</p>', '<p style="color:#222;top:0;">a</p>',
         [("style", "color", "#111", "#222")]),
        ('<img alt="a" src="b">', '<img src="b" alt="c">', [("attribute", "alt", "a", "c")]),
        ('<a href="https://x.example/?a=1&amp;b=2">x</a>', '<a href="https://x.example/?a=1&amp;b=3">x</a>',
         [("link", "href ?b", "2", "3")]),
        ("<p>one</p><div>two</div>", "<div>two</div><p>one</p>", [("moved", "div", "two", "two")]),
        ("<p>one</p>", "<p>one</p><p>two</p>", [("added", "p", "", "two")]),
        ("<p>one two</p>", "<p>one three</p>", [("words", "", "one two", "one three")]),
        ("<b>a</b> <b>b</b>", "<b>a</b><b>b</b>", [("removed", "#text", " ", "")]),
        ('<div style="display:inline-block">a</div> <div style="display:inline-block">b</div>',
         '<div style="display:inline-block">a</div><div style="display:inline-block">b</div>',
         [("removed", "#text", " ", "")]),
    ],
)  # fmt: skip
def test_a_change_says_what_it_is(before: str, after: str, expected: list[tuple[str, str, str, str]]) -> None:
    assert found(before, after) == expected


@pytest.mark.parametrize(
    ("rule", "before", "after", "same"),
    [
        (".foot", '<p>a</p><p class="foot">1</p>', '<p>a</p><p class="foot">2</p>', True),
        (".foot", '<p>a</p><p class="foot">1</p>', '<p>b</p><p class="foot">2</p>', False),
        (".foot", 'a<i class="foot">1</i>b', 'a<i class="foot">2</i>c', False),
        ("a@href", '<a href="1">x</a>', '<a href="2">x</a>', True),
        ("a@href", '<a href="1">x</a>', '<a href="2">y</a>', False),
    ],
)
def test_a_rule_passes_over_what_it_names_and_nothing_else(rule: str, before: str, after: str, same: bool) -> None:
    assert found(before, after)
    assert (found(before, after, rule) == []) is same


def test_a_rule_that_is_no_selector_is_refused() -> None:
    with pytest.raises(SnapshotUnreadable, match="no CSS selector"):
        ignored(["p..x"])


def test_texts_are_compared_by_paragraph() -> None:
    (change,) = text_changes("Hello\n\nBuy this\nnow\n\nBye\n", "Hello\n\nBuy that\nnow\n\nBye\n", "text part")
    assert (change.old, change.new) == ("Buy this\nnow", "Buy that\nnow")
    assert text_changes("a\n\nb", "a\n\nb", "text part") == []
    assert text_changes("a\n\nb", "a\n\n\nb", "text part")


@given(st.text(max_size=30), st.text(max_size=30))
def test_what_is_narrowed_is_still_different(old: str, new: str) -> None:
    assert (narrowed(old, new) == ("", "")) is (old == new)


@given(st.text(max_size=30), st.text(max_size=30))
def test_addresses_that_differ_have_a_part_that_does(old: str, new: str) -> None:
    if old != new:
        assert address_parts(f"https://a.example/{old}", f"https://a.example/{new}")
