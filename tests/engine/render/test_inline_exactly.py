"""A template inlined once gives the document that premailer makes of the finished mail, or it is refused."""

from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from engine.render.compose import Composer, Content, Mail, Recipient
from engine.render.environment import SHIPPED, TemplateFolders
from engine.render.flatten import bundle
from engine.render.inline import InlinedTemplate, inline_template
from tests.engine.mails import SENDER, UNSUBSCRIBE, Files, card, dom, fast

FOLDERS = TemplateFolders((SHIPPED,))
HOSTILE = (
    """"><script>alert('x')</script>{{ 7 * 7 }}<img src=x onerror="alert(1)">&amp;""",
    "-->]]></style></td></table><!--",
    "&lt;b&gt; &#60; &copy <3 ' \" ` {% raw %} {# #} hpMARK00000hp",
    "\u202e\u0645\u0631\u062d\u0628\u0627 é € 🙂\u00a0\u2028 \ufeff",
    "a\nb\tc   d",
)


def mail_both_ways(name: str, *, picks: int, **changes: Any) -> tuple[Mail, Mail]:
    """(the mail from the template inlined once, the mail inlined by itself)."""
    sheet = FOLDERS.sheet(name)
    prepared = prepared_once(name)
    assert prepared.once, prepared.reason
    variables = sheet.defaults() | changes.pop("variables", {})
    cards = {number: card(number) | changes.get("card", {}) for number in range(picks + 1)}
    recipient = Recipient(
        changes.get("given_name", "Ana"),
        changes.get("language", "en"),
        UNSUBSCRIBE,
        [(number, changes.get("reason", "A good choice for dry skin")) for number in range(picks + 1)],
    )
    made = []
    for source, inlined in ((prepared.source, True), (files_in_one(name), False)):
        content = Content(
            name,
            source,
            inlined,
            "{{ hero.title }}",
            sheet.subject,
            sheet.preheader,
            variables,
            SENDER,
            "https://shop.example",
        )
        made.append(Composer(content, cards).compose(recipient))
    return made[0], made[1]


@cache
def prepared_once(name: str) -> InlinedTemplate:
    return inline_template(FOLDERS.sandbox(), FOLDERS.source, f"{name}.html")


def files_in_one(name: str) -> str:
    """The template as Jinja itself puts it together, without the flattening that is tested here."""
    return bundle(FOLDERS.sandbox(), FOLDERS.source, f"{name}.html")


@pytest.mark.parametrize("language", ["en", "ar"])
@pytest.mark.parametrize("picks", [0, 1, 2, 5, 11])
@pytest.mark.parametrize("name", FOLDERS.names())
def test_a_shipped_template_gives_the_same_document_for_every_reader(name: str, picks: int, language: str) -> None:
    once, each = mail_both_ways(name, picks=picks, language=language, given_name="Ana" if picks % 2 else "")
    assert dom(once.html) == dom(each.html)
    assert (once.subject, once.text) == (each.subject, each.text)


@pytest.mark.parametrize(
    "changes",
    [
        {"reason": ""},
        {"card": {"brand": "", "description": ""}},
        {"variables": {"offer_code": "SLOW10"}},
        {"variables": {"message": "", "headline": "", "eyebrow": "", "greeting": "", "button_label": ""}},
        {"variables": {"message": "One.\n\nTwo.\nThree & <four>."}},
        *(
            {"given_name": text, "card": {"title": text, "alt": text, "brand": text}, "reason": text}
            for text in HOSTILE
        ),
        *({"variables": dict.fromkeys(("headline", "message", "greeting", "footer_note"), text)} for text in HOSTILE),
    ],
)
@pytest.mark.parametrize("name", FOLDERS.names())
def test_a_shipped_template_gives_the_same_document_for_every_text(name: str, changes: dict[str, Any]) -> None:
    for picks in (0, 2, 3):
        once, each = mail_both_ways(name, picks=picks, **changes)
        assert dom(once.html) == dom(each.html)


CSS = """
p { color: #111111; margin: 0 }   td { padding: 0 }   .a { color: red; width: 10px }   .b { background-color: #abc }
div .a { margin: 1px }   .a .b { text-align: center }   table .c, ul .c { font-size: 12px !important }
td > p { vertical-align: top }   #i { height: 3px }   li { color: green }   p.b { float: left }
a:hover { color: blue }
span { text-transform: uppercase }   h2 b { color: #123456 }   .a > .a { margin: 2px }   img { display: block }
@media screen { .a { color: black !important } }   @font-face { font-family: x; src: url(x.woff) }
"""
POSITIONAL = "p:first-child { margin: 9px } li + li { color: navy } [title] { color: teal }"

texts = st.sampled_from(
    ["x", " ", "\n", "a &amp; b", "&nbsp;", "é", "a & b ", "1 < 2 ", "--> ", "} ", "&copy;", "", "", "]]>"]
)
values = st.sampled_from(
    [
        "name",
        "note",
        "number",
        "item.title",
        "item.note",
        "name|upper",
        "name|e",
        "note or 'none'",
        "items|length",
        "'}}'",
    ]
)
prints = values.map(lambda value: f"{{{{ {value} }}}}")
conditions = st.sampled_from(["yes", "no", "note", "items", "item.yes", "items|length > 1", "not yes"])
classes = st.sampled_from(
    ["", "", ' class="a"', ' class="b c"', " class=c", ' id="i"', ' style="color:blue"', ' style="p"']
)
words = st.lists(texts | prints, min_size=0, max_size=3).map("".join)
quoted = st.lists(
    st.sampled_from(["https://x.example/", "?a=1&amp;b=", "x", "é ", "'"])
    | prints.filter(lambda value: '"' not in value)
    | st.builds("{{% if {} %}}y{{% else %}}{{{{ {} }}}}{{% endif %}}".format, conditions, values),
    max_size=3,
).map("".join)
attributes = st.builds(
    '{}{}="{}"'.format, st.just(" "), st.sampled_from(["href", "src", "alt", "title", "width", "align"]), quoted
)
tag_attributes = st.builds("{}{}".format, classes, st.just("") | attributes)
comments = st.sampled_from(
    ["<!-- c -->", "<!--[if mso]><table><tr><td><![endif]-->", "<!--[if mso]></td></tr></table><![endif]-->"]
)
comments |= st.builds("<!--[if mso]>{}<![endif]-->".format, words)
odd = st.sampled_from(
    [
        "<p>",
        "</p>",
        "</div>",
        "<li>",
        "<b>",
        "</b>",
        "<br>",
        "<td>",
        "</td>",
        "<tr>",
        "</table>",
        "<table>",
        "<hr>",
        "<",
    ]
)


def around(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Elements and statements around what is inside."""
    element = st.builds(
        "<{0}{1}>{2}</{0}>".format,
        st.sampled_from(["p", "div", "span", "b", "h2", "a", "center"]),
        tag_attributes,
        inner,
    )
    cells = st.builds("<td{}>{}</td>".format, tag_attributes, inner)
    cells |= st.builds("{{% for item in items %}}{}{{% endfor %}}".format, cells)
    rows = st.builds("<tr{}>{}</tr>".format, classes, cells)
    rows |= st.builds("{{% if {} %}}{}{{% endif %}}".format, conditions, rows)
    rows |= st.builds("{{% for item in items %}}{}{{% endfor %}}".format, rows)
    points = st.builds("<li{}>{}</li>".format, classes, inner) | st.builds("<li{}>{}".format, classes, inner)
    points |= st.builds("{{% for item in items %}}{}{{% endfor %}}".format, points)
    return st.one_of(
        element,
        st.builds("<table{}>{}{}</table>".format, classes, rows, rows),
        st.builds("<ul>{}{}</ul>".format, points, points),
        st.builds("{}{}".format, inner, inner),
        st.builds("{{% if {} %}}{}{{% endif %}}".format, conditions, inner),
        st.builds(
            "{{% if {} %}}{}{{% elif {} %}}{}{{% else %}}{}{{% endif %}}".format,
            conditions,
            inner,
            conditions,
            inner,
            inner,
        ),
        st.builds("{{% for item in items %}}{}{{% else %}}{}{{% endfor %}}".format, inner, inner),
        st.builds("{{% for item in items -%}} {} {{%- endfor %}}".format, inner),
        st.builds("{{% with item = (items or [item])[0] %}}{}{{% endwith %}}".format, inner),
        st.builds("{{% set name = 'set' %}}{}".format, inner),
    )


leaves = st.one_of(words, prints, st.builds("<img{}>".format, tag_attributes), comments)
bodies = st.recursive(leaves, around, max_leaves=6)
odd_bodies = st.recursive(leaves | odd, around, max_leaves=6)
shells = st.sampled_from(
    [
        "<!doctype html>\n<html><head><title>{{{{ name }}}}</title><style>{css}</style></head>"
        "<body>{body}</body></html>",
        "<html><head><style>{css}</style></head><body class='a'>{body}</body></html>",
        "<style>{css}</style>{body}",
        "{body}<style>{css}</style>",
        "<body>{body}<div>{body}</div><style data-premailer='ignore'>{css}</style></body>",
    ]
)
plain_texts = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs")), max_size=8)
printed = (
    st.sampled_from(["", " ", "Ana", "a & b", "&lt;", "lt;", "x-", "-->", "<b>", '"', "é ü", *HOSTILE]) | plain_texts
)
items = st.fixed_dictionaries({"title": printed, "note": printed, "yes": st.booleans()})
contexts = st.fixed_dictionaries(
    {
        "name": printed,
        "note": printed,
        "number": st.integers(-5, 1000),
        "yes": st.booleans(),
        "no": st.just(False),
        "items": st.lists(items, max_size=3),
        "item": items,
    }
)


def check_exactness(source: str, mails: list[dict[str, Any]]) -> None:
    files = Files(source)
    prepared = files.prepared()
    assume(prepared.once)
    for context in mails:
        assert dom(fast(prepared.source, context)) == dom(files.slow(context)), prepared.source


@pytest.mark.slow
@settings(max_examples=100, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
@given(shell=shells, body=bodies, mails=st.lists(contexts, min_size=2, max_size=4))
@example(
    shell="<style>{css}</style>{body}",
    body="{% for item in items %}<p class=a>{{ item.title }}</p>{% endfor %}",
    mails=[{"items": []}, {"items": [{"title": "<b>"}]}],
)
def test_an_accepted_template_gives_the_document_that_premailer_gives(
    shell: str, body: str, mails: list[dict[str, Any]]
) -> None:
    check_exactness(shell.format(css=CSS, body=body), mails)


@pytest.mark.slow
@settings(max_examples=100, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
@given(shell=shells, body=odd_bodies, positional=st.booleans(), mails=st.lists(contexts, min_size=2, max_size=4))
def test_a_carelessly_nested_template_is_exact_or_refused(
    shell: str, body: str, positional: bool, mails: list[dict[str, Any]]
) -> None:
    check_exactness(shell.format(css=CSS + POSITIONAL * positional, body=body), mails)
