"""Texts that break programs, made by families: more than 500, none of them taken from a list.

Every family is a generator of a few building blocks against each other, so that what one of them is for can be read.
"""

import random
import string
import unicodedata
from collections.abc import Callable, Iterator
from functools import cache

ORIGIN = "https://evil.example"
PWNED = "window.__pwned=1"
BREAKS = ["\r\n", "\n", "\r", "\n\r", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029", "\0"]
ENCODED_BREAKS = [
    "%0d%0a",
    "%0A",
    "%E5%98%8A%E5%98%8D",
    "=0D=0A",
    "&#13;&#10;",
    "\\r\\n",
    "\u560a\u560d",
    "\\u000a",
    "&NewLine;",
]
HEADERS = [
    "Bcc: victim@evil.example",
    "Subject: other",
    "List-Unsubscribe: <mailto:x@evil.example>",
    "Content-Type: text/html",
]


def header_injections() -> Iterator[str]:
    """A line break and a header, with white space on either side."""
    for number, line_break in enumerate([*BREAKS, *ENCODED_BREAKS]):
        for header in (HEADERS[number % 4], HEADERS[(number + 1) % 4]):
            yield f"Ana{line_break}{header}"
        yield f"Ana{line_break} folded{line_break}{line_break}<b>body</b>"
        yield f"{line_break}Ana{line_break}"


def encoded_words() -> Iterator[str]:
    """What a mail program decodes, and what it nearly decodes."""
    for charset in ("utf-8", "us-ascii", "utf-7", "unknown"):
        yield f"=?{charset}?q?Bank=20of=20Ana?="
        yield f"=?{charset}?B?QmNjOiB4QGV2aWwuZXhhbXBsZQ==?="
    yield from (
        "=?utf-8?q?=0D=0ABcc:_x@evil.example?=",
        "=?",
        "?=",
        "=?utf-8?q?",
        "a=?utf-8?q?b?=c",
        "=?utf-8?q?a?= =?utf-8?q?b?=",
    )
    yield from (
        "=?utf-8*en?q?x?=",
        "=?utf-8?x?y?=",
        "é=?utf-8?q?x?=",
        "=?utf-8?q?é?=",
        "=?utf-8?b?====?=",
        '"=?utf-8?q?x?="',
    )


def white_space() -> Iterator[str]:
    """Nothing at all, and nothing to see."""
    yield ""
    for space in " \t\u00a0\u1680\u2000\u2003\u2009\u202f\u205f\u3000\u200b\u2060\ufeff\u00ad\u180e\u2800\u3164":
        yield space
        yield f"a{space}{space}b"
        yield f"{space}a{space}"


def lengths() -> Iterator[str]:
    """As long as a line may be, and longer; in one word, in many, and in characters of four octets."""
    for length in (70, 75, 76, 77, 78, 200, 250, 900, 1_000):
        yield "x" * length
        yield "word " * (length // 5)
        yield "é" * length
        yield "\U0001f600" * (length // 2)


def planes() -> Iterator[str]:
    """Characters of every plane of Unicode, the last of each among them, which are no characters."""
    for plane in range(17):
        yield "".join(chr((plane << 16) + offset) for offset in (0x41, 0x1F5, 0x3B1, 0x4E2D, 0xFFEE))
        yield f"a{chr((plane << 16) + 0xFFFE)}b{chr((plane << 16) + 0xFFFF)}"
    for start in (0xE000, 0xFDD0, 0xFE00, 0xFFF0):
        yield "".join(chr(start + offset) for offset in range(8))


def directions() -> Iterator[str]:
    """What turns text around, or hides in it."""
    for control in "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u206a\u206f":
        yield f"Ana{control}gpj.exe"
    yield from ("שלום Ana", "مرحبا (Ana) 123", "Ana שלום <b>x</b>", "\u202e" * 100, "א\u202d<\u202ea\u202d>")


def marks() -> Iterator[str]:
    """Letters under heaps of marks, and marks under nothing."""
    for mark in "\u0300\u0327\u0489\u0e47\u20dd\u0610\u0951\ufe0f\ufe20":
        yield f"A{mark * 40}na"
        yield mark + "Ana"
    for form in ("NFC", "NFD", "NFKC", "NFKD"):
        yield unicodedata.normalize(form, "Ångström ﬁ Ⅷ ℌ ½ Việt")


def emoji() -> Iterator[str]:
    """Characters made of several: whoever cuts between them breaks them."""
    people, skins = "\U0001f468\U0001f469\U0001f466", "\U0001f3fb\U0001f3ff"
    yield "\u200d".join(people)
    yield "\u200d".join("\U0001f469" + skin for skin in skins)
    yield from (
        "\U0001f1e9\U0001f1ea",
        "\U0001f1e9",
        "1\ufe0f\u20e3",
        "\U0001f3f4\U000e0067\U000e0062\U000e007f",
        "\u2764\ufe0f",
    )
    for count in (11, 12, 13, 14, 15):  # around the end of an encoded word
        yield "x" * count + "\U0001f468\u200d" * 8


def halves() -> Iterator[str]:
    """What looks like, or is, half a character."""
    yield from ("\ud800", "a\udc00b", "\udfff\ud800", "\udbff\udc00", "\udcff")
    yield from ("\\ud800", "&#xD800;", "\ufffd", "Ã©", "\u00c3\u00a9", "%ED%A0%80", "\\xed\\xa0\\x80", "&#xDC00;&#0;")


def controls() -> Iterator[str]:
    """Each control character by itself."""
    for number in [*range(32), *range(127, 160)]:
        yield f"A{chr(number)}na"


def markup() -> Iterator[str]:
    """What would run, load or lead away if one < or quotation mark got through."""
    run = f"{PWNED};alert(1)"
    for opening in ("", '">', "'>", "</td></tr></table>", "</title>", "</style>", "-->", "<![endif]-->", "]]>", "&gt;"):
        yield f"{opening}<script>{run}</script>"
        yield f"{opening}<img src={ORIGIN}/x onerror={run}>"
    events = {
        "svg": "onload",
        "body": "onload",
        "input autofocus": "onfocus",
        "details open": "ontoggle",
        "video": "onerror",
    }
    events |= {
        "marquee": "onstart",
        "style": "onload",
        "iframe": "onload",
        "object": "onerror",
        "audio src=x": "onerror",
    }
    for element, event in events.items():
        yield f"<{element} {event}={run}>"
        yield f"<{element}/{event}='{run}'//"
    for attribute in (
        "onmouseover",
        "onfocus autofocus tabindex=1 onfocus",
        "style",
        "srcset",
        "background",
        "href",
        "formaction",
    ):
        for quote in ('"', "'", "`", " "):
            yield f"Ana{quote} {attribute}={quote}{run}"
    loading = [
        "<link rel=stylesheet href={}>",
        "<iframe src={}>",
        "<embed src={}>",
        "<object data={}>",
        "<base href={}>",
    ]
    loading += [
        "<img src={}>",
        "<img srcset={}>",
        "<video poster={}>",
        "<audio src={} autoplay>",
        "<table background={}>",
    ]
    loading += [
        "<meta http-equiv=refresh content='0;url={}'>",
        "<svg><image href={} /></svg>",
        "<input type=image src={}>",
    ]
    loading += [
        "<style>@import '{}'</style>",
        "<style>*{{background:url({})}}</style>",
        "<p style='background:url({})'>",
    ]
    loading += [
        "<form action={}><button>x</button></form>",
        "<script src={}></script>",
        "<portal src={}>",
        "<a ping={}>",
    ]
    yield from (form.format(f"{ORIGIN}/{number}") for number, form in enumerate(loading))
    yield from (
        "<",
        ">",
        "<>",
        "&",
        "&&",
        "&lt",
        "&amp;lt;",
        "&#60;",
        "&#x3c;b&#x3e;",
        "<!--",
        "<!-->",
        "<!doctype html>",
        "<?php",
    )
    yield from (
        "<![CDATA[x]]>",
        "<plaintext>",
        "<xmp>",
        "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    )
    yield from (
        "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
        "<template><s",
        "<a href=x",
        "<b",
        "</",
        "<!",
    )
    yield from (
        "\uff1cscript\uff1ealert(1)",
        "\u02c2script\u02c3",
        "%3Cscript%3E",
        "\\x3cscript\\x3e",
        "\\u003cscript\\u003e",
    )
    yield from (
        "+ADw-script+AD4-",
        "\xbcscript\xbe",
        "<scr\0ipt>alert(1)</script>",
        "<ſcript>",
        "<SCRİPT>",
        "<a\u2028b>",
    )


def addresses() -> Iterator[str]:
    """Links that run, and links that lead elsewhere than they seem to."""
    for scheme in (
        "javascript",
        "JaVaScRiPt",
        "java\tscript",
        " javascript",
        "\x01javascript",
        "vbscript",
        "data",
        "jar:javascript",
    ):
        yield f"{scheme}:{PWNED}"
    yield from (
        "javascript&colon;alert(1)",
        "&#106;avascript:alert(1)",
        "javascript://%0aalert(1)",
        "data:text/html,<script>x",
    )
    yield from (
        "//evil.example",
        "https:\\\\evil.example",
        "https://shop@evil.example",
        "file:///etc/passwd",
        "mailto:x?bcc=y",
    )


def styles() -> Iterator[str]:
    """What a style sheet or a style attribute would take as its own."""
    yield from ("expression(alert(1))", "}*{display:none", "*/ body{display:none} /*", "url(https://evil.example/css)")
    yield from (
        "; background:url(//evil.example)",
        "-moz-binding:url(x)",
        "\\65xpression(1)",
        "@import 'x';",
        "</style",
        "behavior:url(x)",
    )


def templates() -> Iterator[str]:
    """What some template engine or formatter would compute."""
    for opening, closing in (
        ("{{", "}}"),
        ("{%", "%}"),
        ("${", "}"),
        ("#{", "}"),
        ("<%=", "%>"),
        ("{", "}"),
        ("[[", "]]"),
        ("{#", "#}"),
    ):
        yield f"{opening} 7 * 7 {closing}"
        yield f"{opening}{closing}"
        yield opening
    yield from (
        "{{ ''.__class__.__mro__ }}",
        "{% include '/etc/passwd' %}",
        "{{ campaign.headline }}",
        "{0.__class__}",
        "%(name)s",
    )
    yield from (
        "%s%s%n%x",
        "%d",
        "{!r}",
        "$HOME",
        "`id`",
        "{{{{",
        "}}",
        "hpMARK00000hp",
        "hpTOKENhp",
        "#set($x=1)",
        "*|FNAME|*",
    )


def commands() -> Iterator[str]:
    """What a database, a shell, a path or a spreadsheet would do."""
    yield from (
        "'; DROP TABLE subscriber; --",
        "1 OR 1=1",
        "' UNION SELECT NULL--",
        '" OR ""="',
        "\\'; --",
        "Robert'); --",
        "1;1",
    )
    yield from (
        "; rm -rf /",
        "$(touch /tmp/x)",
        "`touch /tmp/x`",
        "| cat /etc/passwd",
        "&& id",
        "> /tmp/x",
        "-rf",
        "--help",
        "~root",
    )
    yield from (
        "../../etc/passwd",
        "..\\..\\x",
        "/dev/null",
        "C:\\con",
        "file\0.txt",
        "%2e%2e%2f",
        "CON",
        ".",
        "..",
        "//",
        "\\\\host\\x",
    )
    yield from (
        "=1+1",
        "=cmd|'/c calc'!A1",
        "+1",
        "-1",
        "@SUM(1)",
        '=HYPERLINK("https://evil.example")',
        "\t=1",
        'a,"b";c',
        "a|b",
        '"',
    )
    yield from (
        "*)(uid=*",
        "<?xml version='1.0'?><!DOCTYPE x [<!ENTITY y SYSTEM 'file:///etc/passwd'>]>",
        '{"$gt": ""}',
        "${jndi:ldap://x}",
    )


def words() -> Iterator[str]:
    """What some program takes for a value of its own."""
    yield from (
        "None",
        "null",
        "NULL",
        "undefined",
        "nan",
        "NaN",
        "Infinity",
        "true",
        "false",
        "0",
        "-0",
        "1e309",
        "0x0",
        "[]",
        "{}",
        "()",
    )
    yield from (
        "٣٤",
        "1/0",
        "1,000.00",
        "1E+02",
        "2147483648",
        "TRUE",
        "__proto__",
        "constructor",
        "__class__",
        "self",
        "Name",
        "Ana",
    )


def mime_parts() -> Iterator[str]:
    """What ends a part, a line or a message, or looks like it."""
    for dashes in ("--", "----"):
        for boundary in ("=_", "=_numberexamplecom", "boundary"):
            yield f"\n{dashes}{boundary}{dashes}\n"
            yield f"{dashes}{boundary}"
    yield from (
        "=",
        "==",
        "=0A",
        "=0D=0A.",
        "=3D",
        "=\n",
        "a=",
        "= ",
        "=20",
        "x" * 74 + "=",
        "x" * 75 + "\t",
        "x" * 73 + "é",
    )
    yield from (
        ".",
        "..",
        "\n.\n",
        "\r\n.\r\nMAIL FROM:<x@evil.example>\r\n",
        "\n..\n",
        "From ana",
        "\nFrom ana@example.com Mon",
        ">From ",
    )
    yield from (
        "trailing ",
        "trailing\t",
        "trailing \nnext",
        "\tindented",
        "Content-Type: text/html\n\n<b>x</b>",
        "begin 644 x",
        "--",
        "-- ",
    )
    yield from (
        "Content-Transfer-Encoding: base64\n\nPGI+",
        "multipart/mixed; boundary=x",
        "\n\n\n",
        "_=_",
        "=5F",
        "=?=",
        "\x1a",
        "\x04",
        "\n~.\n",
    )


def mailboxes() -> Iterator[str]:
    """Names that would be addresses, groups or comments."""
    yield from (
        "Ana, Ben",
        "Ana <ana@evil.example>",
        "Ana <ana@evil.example>, Ben",
        '"Ana" <x@evil.example>',
        "<x@evil.example>",
        "x@evil.example",
    )
    yield from (
        "Ana (Shop)",
        "(",
        ")",
        "Ana (",
        "Team: ana@evil.example;",
        "Ana; Ben",
        "Ana: Ben",
        "@",
        "Ana @ Shop",
        "[Ana]",
        "Ana\\",
        '\\"',
        '"',
    )
    yield from (
        'Ana "Bob" Cy',
        '"Ana',
        'Ana"',
        '""',
        "O'Neil",
        "Dr. Ana",
        "Ana.",
        ".Ana",
        "Ana\\, Ben",
        "Ana\\\\",
        "a@b@c",
        "undisclosed-recipients:;",
        "=,<>",
    )


def unsubscribing() -> Iterator[str]:
    """What would be another way out, or none."""
    yield from (
        "List-Unsubscribe: <https://evil.example>",
        "<https://evil.example>, <mailto:x@evil.example>",
        "List-Unsubscribe=One-Click",
    )
    yield from (
        "List-Unsubscribe-Post: no",
        "<>",
        ">, <https://evil.example",
        "https://shop.example/u/",
        "Unsubscribe",
        "?subject=unsubscribe",
    )


def noise() -> Iterator[str]:
    """By chance, the same each time: what nobody thought of."""
    chance = random.Random(20_261_123)
    signs = string.punctuation + "\n\t\x00\x7f\u2028 aé中\U0001f600\u0301\u202e"
    for length in (3, 5, 8, 13, 21, 34, 55, 89, 144, 233) * 3:
        yield "".join(chance.choices(signs, k=length))


FAMILIES: tuple[Callable[[], Iterator[str]], ...] = (
    *(
        header_injections,
        encoded_words,
        white_space,
        lengths,
        planes,
        directions,
        marks,
        emoji,
        halves,
        controls,
        markup,
    ),
    *(addresses, styles, templates, commands, words, mime_parts, mailboxes, unsubscribing, noise),
)


@cache
def strings() -> tuple[str, ...]:
    """All of them, each once."""
    return tuple(dict.fromkeys(text for family in FAMILIES for text in family()))
