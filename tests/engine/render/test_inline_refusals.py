"""What is inlined once and what is not: each refusal with its line, and each refused mail as it should be."""

import re

import pytest

from engine.errors import TemplateBroken
from tests.engine.mails import Files, composer, dom, elements, fast, recipient

STYLE = "<style>p { color: red } .a { margin: 0 } p b { margin: 1px }</style>"
CONTEXT = {
    "a": False,
    "b": "blue",
    "items": ["one", "two"],
    "name": "Ana & Bo",
    "html": "<b>bold</b>",
    "part": "part.html",
}


def mail(body: str, css: str = STYLE) -> str:
    return f"<!doctype html>\n<html><head>{css}</head>\n<body>\n{body}\n</body></html>"


REFUSED = [
    ('<p class="{{ b }}">x</p>', "attribute class"),
    ('<p CLASS="x {{ b }}">x</p>', "attribute class"),
    ('<p id="{{ b }}">x</p>', "attribute id"),
    ('<p style="color: {{ b }}">x</p>', "attribute style"),
    ('<p style="{% if a %}color: blue{% endif %}">x</p>', "attribute style"),
    ("<style>p { color: {{ b }} }</style><p>x</p>", "inside <style>"),
    ("<style>{% if a %}p { color: blue }{% endif %}</style><p>x</p>", "inside <style>"),
    ('<style media="{{ b }}">p { color: blue }</style><p>x</p>', "attribute media"),
    ("{% if a %}<style>p { margin: 9px }</style>{% endif %}<p>x</p>", "around <style>"),
    ("{% for item in items %}<div><style>p { margin: 9px }</style></div>{% endfor %}<p>x</p>", "around <style>"),
    ('<p {{ "hidden" }}>x</p>', "among the attributes"),
    ('<p {% if a %}class="a"{% endif %}>x</p>', "among the attributes"),
    ("<{{ b }}>x", "among the attributes"),
    ("<p title={{ b }}>x</p>", "without quotes"),
    ("<p title=x{{ b }}>x</p>", "without quotes"),
    ("<p title= {{ b }}>x</p>", "without quotes"),
    ("{{ html|safe }}", "markup of its own (|safe)"),
    ("{{ [html]|map('safe')|join }}", "markup of its own (|map)"),
    ("{{ [html]|map(a or 'upper')|join }}", "markup of its own (|map)"),
    ("{% set html = html|safe %}{{ html }}", "markup of its own (|safe)"),
    ("{% for item in [html|safe] %}{{ item }}{% endfor %}", "markup of its own (|safe)"),
    ("{% with x = html|safe %}{{ x }}{% endwith %}", "markup of its own (|safe)"),
    ("{% if a %}x{% elif html|safe %}y{% endif %}", "markup of its own (|safe)"),
    ("{{ html|e|truncate(2, true, '') }}", "before the last step"),
    ("{{ name|urlize }}", "markup of its own (|urlize)"),
    ("{{ items|tojson }}", "markup of its own (|tojson)"),
    ("<p{{ {'title': b}|xmlattr }}>x</p>", "markup of its own (|xmlattr)"),
    ("{% macro m() %}<p>x</p>{% endmacro %}{{ m() }}", "{% macro %} may print"),
    ("{% macro m() %}{{ caller() }}{% endmacro %}{% call m() %}<p>x</p>{% endcall %}", "{% macro %} may print"),
    ("{% filter upper %}<p class='a'>x</p>{% endfilter %}", "{% filter %} may print"),
    ("{% set x %}<p>x</p>{% endset %}{{ x }}", "takes a block of markup"),
    ("{% autoescape false %}{{ html }}{% endautoescape %}", "{% autoescape %} may print"),
    ("{% for item in [['a'], ['b']] recursive %}<p>{{ loop(item) if a }}</p>{% endfor %}", "(recursive)"),
    ("<div>{% if a %}</div><div>{% endif %}x</div>", "ends in another element"),
    ("{% if a %}<b>{% endif %}x{% if a %}</b>{% endif %}", "ends in another element"),
    ("<ul>{% for item in items %}<li>{{ item }}{% endfor %}</ul>", "ends in another element"),
    ("<p>{% if a %}<div>x</div>{% endif %}</p>", "ends in another element"),
    ('<a title="{% if a %}" style="margin: 9px" href="{% endif %}x">x</a>', "ends in another element"),
    ("<!-- {% if a %} --><p>x</p><!-- {% endif %} -->", "ends in another element"),
    ('<a title="x" title="{{ name }}">x</a>', "does not keep its place"),
    ("&{{ name }};", "decides how it is read"),
    ("&am{% if a %}p{% endif %};", "decides how it is read"),
    ("<a title='&#{{ name }}'>x</a>", "decides how it is read"),
    ("<!-- x -{{ name }}->", "decides how it is read"),
    ("<!-- x {{ name }}->x-->", "ends the comment"),
    ("<!-- x {{ name }}>x-->", "ends the comment"),
    ("<title>x</{{ b }}title>", "decides how it is read"),
    ("<p>&#123;&#123; name }}</p>", "braces written as character references"),
    ("<p>&#123;# name #}</p>", "braces written as character references"),
    ("<p>hpMARK00000hp</p>", "one of our own marks"),
    ("<!-- never closed {{ name }}", "does not end"),
]


@pytest.mark.parametrize(("body", "reason"), REFUSED, ids=[body for body, _ in REFUSED])
def test_what_cannot_be_inlined_once_is_refused_with_its_line_and_still_comes_out_right(body: str, reason: str) -> None:
    files = Files(mail(body))
    refusal = files.refusal()
    assert reason in refusal
    assert "line 4" in refusal or any(
        words in refusal for words in ("marks", "references", "moves text", "does not end")
    )
    assert dom(files.sent(CONTEXT)) == dom(files.slow(CONTEXT))


def test_an_expression_where_html_allows_no_text_is_refused() -> None:
    files = Files(f"<html><head>{STYLE}{{{{ name }}}}</head><body class='a'><p>x</p></body></html>")
    assert "where HTML moves text" in files.refusal()


@pytest.mark.parametrize(
    "selector",
    [
        "p:first-child",
        "p:LAST-child",
        "li:nth-child(2)",
        "p:only-child",
        "p + p",
        "p ~ p",
        "[href]",
        'a[title="x"]',
        "p:not(.a)",
        "p:empty",
        "div:has(p)",
        "p.a+p",
    ],
)
def test_a_rule_that_looks_at_neighbours_or_attributes_is_refused(selector: str) -> None:
    files = Files(mail("<p>x</p>", f"<style>\n/* a + b */ p {{ color: red }}\n{selector} {{ margin: 9px }}\n</style>"))
    assert files.refusal() == f"main.html, line 4: the CSS selector `{selector}` depends on neighbours or attributes"


@pytest.mark.parametrize(
    "css",
    [
        "<style data-premailer='ignore'>p + p { color: red }</style>",
        "<style>@media screen { p + p { color: red } }</style>",
        "<style>/* p + p { } */ p > b { color: red }</style>",
    ],
)
def test_rules_that_are_not_inlined_may_look_at_anything(css: str) -> None:
    assert Files(mail("<p>x</p>", css)).prepared().once


FILES: list[tuple[str, dict[str, str], str]] = [
    ("{% include part %}", {"part": "<p>x</p>"}, "only known when"),
    ("{% include ['none.html', 'part.html'] %}", {"part": "<p>x</p>"}, "only known when"),
    ("{% include 'none.html' ignore missing %}<p>x</p>", {}, "only known when"),
    ("{% include 'part.html' without context %}", {"part": "<p>x</p>"}, "only known when"),
    ("{% import 'part.html' as m %}{{ m.p() }}", {"part": "{% macro p() %}<p>x</p>{% endmacro %}"}, "brings macros"),
    ("{% from 'part.html' import p %}{{ p() }}", {"part": "{% macro p() %}<p>x</p>{% endmacro %}"}, "brings macros"),
    ("{% raw %}<p>{{ x }}</p>{% endraw %}", {}, "prints braces"),
    ("{% include 'part.html' %}", {"part": "{% raw %}{{ x }}{% endraw %}"}, "part.html, line 1"),
    ("{% extends part %}", {"part": "<p>x</p>"}, "only known when"),
    ("{% if a %}{% extends 'part.html' %}{% endif %}<p>x</p>", {"part": "<p>y</p>"}, "is printed first"),
    ("<p>first</p>{% extends 'part.html' %}", {"part": "<p>y</p>"}, "is printed first"),
    (
        "{% extends 'part.html' %}{% block c %}{{ super() }}{% endblock %}",
        {"part": "{% block c %}<p>x</p>{% endblock %}"},
        "super()",
    ),
    (
        "{% extends 'part.html' %}{% block c %}{% if super() %}x{% endif %}{% endblock %}",
        {"part": "{% block c %}y{% endblock %}"},
        "super",
    ),
    ("{% block c %}<p>x</p>{% endblock %}{{ self.c() }}", {}, "self.c()"),
    ("{% block c scoped %}<p>x</p>{% endblock %}", {}, "no plain block"),
    (
        "{% for item in items %}{% block c %}<p>{{ name }}</p>{% endblock %}{% endfor %}",
        {},
        "does not see the variables",
    ),
    ("{% block c %}{% set name = 'set' %}{% endblock %}<p>{{ name }}</p>", {}, "counts in that block only"),
    ("{% include 'part.html' %}<p>{{ name }}</p>", {"part": "{% set name = 'set' %}"}, "counts in that file only"),
    (
        "{% extends 'part.html' %}{% set name = 'set' %}",
        {"part": "{% block c %}<p>{{ name }}</p>{% endblock %}"},
        "outside the blocks",
    ),
    ("<p>{% include 'part.html' %}{{ name }}</p>", {"part": "{"}, "a brace beside"),
]


@pytest.mark.parametrize(("main", "others", "reason"), FILES, ids=[main for main, _, _ in FILES])
def test_files_that_only_jinja_can_put_together_are_refused_and_still_come_out_right(
    main: str, others: dict[str, str], reason: str
) -> None:
    files = Files(main if "extends" in main else mail(main), **others)
    assert reason in files.refusal()
    assert re.match(r"(main|part)\.html(, line [14])?: ", files.refusal())
    assert dom(files.sent(CONTEXT)) == dom(files.slow(CONTEXT))


def test_a_template_that_jinja_must_put_together_is_sent_from_what_was_frozen() -> None:
    files = Files(
        "{% extends 'part.html' %}{% from 'macros.html' import price %}"
        "{% block c %}{{ super() }}{{ price(hero.price) }}{% endblock %}",
        part=STYLE + "<div>{% block c %}<p>{{ hero.title }}</p>{% endblock %}</div>",
        macros="{% macro price(x) %}<p class='a'>{{ x }}</p>{% endmacro %}",
    )
    html = composer(files.prepared().source, inlined=False).compose(recipient()).html
    assert [p.text for p in elements(html, "p")] == ["Product 1", "€24.50"]
    assert [p.get("style") for p in elements(html, "p")] == ["color:red", "color:red; margin:0"]


def test_a_mistake_in_a_bundled_file_is_named_with_that_file() -> None:
    files = Files("{% set part = 'part.html' %}{% include part %}", part="<p>\n{{ hero.brnad }}</p>")
    with pytest.raises(TemplateBroken, match=r"template part\.html, line 2: .*brnad"):
        composer(files.prepared().source, inlined=False).compose(recipient())


FLATTENED: list[tuple[str, dict[str, str]]] = [
    ("{% extends 'part.html' %}", {"part": "<p>{% block c %}base{% endblock %}</p>"}),
    ("{% extends 'part.html' %}{% block c %}child{% endblock %}", {"part": "<p>{% block c %}base{% endblock c %}</p>"}),
    (
        "{% extends 'b.html' %}{% block inner %}main{% endblock %}",
        {
            "b": "{% extends 'c.html' %}{% block c %}<b>{% block inner %}b{% endblock %}</b>{% endblock %}",
            "c": "<p>{% block c %}c{% endblock %}</p>{% block d %}<p>d</p>{% endblock %}",
        },
    ),
    (
        "{% extends 'b.html' %}{% block c %}1{% block inner %}2{% endblock %}3{% endblock %}",
        {"b": "<p>{% block inner %}b{% endblock %}</p><p>{% block c %}c{% endblock %}</p>"},
    ),
    (
        "<div>{% include 'b.html' %}</div>",
        {"b": "{% extends 'c.html' %}{% block c %}b{% endblock %}", "c": "<p>{% block c %}{% endblock %}</p>"},
    ),
    (
        "{% extends 'b.html' %}{% block c %}main{% endblock %}",
        {"b": "{% include 'c.html' %}", "c": "<p>{% block c %}own{% endblock %}</p>"},
    ),
    ("{% for item in items %}{% include 'b.html' %}{% endfor %}", {"b": "<p>{{ item }}</p>"}),
    (
        "{% for item in items %}{% include 'b.html' %}{% endfor %}",
        {"b": "<p>{% if item == 'one' %}{{ item }}{% endif %}</p>"},
    ),
    ("<p>a {% include 'b.html' %} c</p>", {"b": "{%- if a %}x{% endif -%} b\n"}),
    ("<p>a {% include 'b.html' %} c</p>\n\n", {"b": "{{- name -}}\n\n"}),
    ("<p>a {#- gone -#} {% include 'b.html' %}</p>", {"b": "{# {% include 'none.html' %} #}b"}),
    ("<p>{% include 'b.html' %}</p>", {"b": "{{ '}}' }} {{ '{% x %}' }} {{ {'a': {'b': 1}}['a']['b'] }}"}),
    ("<p title='{{ \"}}\" }}{% if a %}x{% else %}y{% endif %}'>{{- name }} {%+ if a %}{% endif %}</p>", {}),
    (
        "\n{% extends 'b.html' %} text {% block c %}c{% endblock %} text {{ nothing.here }}",
        {"b": "<p>{% block c %}{% endblock %}</p>"},
    ),
]


@pytest.mark.parametrize(("main", "others"), FLATTENED, ids=[main for main, _ in FLATTENED])
def test_files_put_together_beforehand_give_what_jinja_makes_of_them(main: str, others: dict[str, str]) -> None:
    files = Files(main if "extends" in main else mail(main), **others)
    prepared = files.prepared()
    assert prepared.once, prepared.reason
    for context in (CONTEXT, CONTEXT | {"a": True}):
        assert dom(fast(prepared.source, context)) == dom(files.slow(context))


def test_a_template_that_includes_itself_is_broken() -> None:
    with pytest.raises(TemplateBroken, match="includes itself"):
        Files("{% include 'part.html' %}", part="{% include 'main.html' %}").prepared()


@pytest.mark.parametrize(
    "body", ["{% if a %}x", "{{ a", "{% endif %}", "{{ a|no_such_filter }}", "{% frobnicate %}", "{{ 1 + }}"]
)
def test_a_mistake_in_jinja_is_named_with_its_own_file_and_line(body: str) -> None:
    with pytest.raises(TemplateBroken, match=r"template part\.html, line 3"):
        Files("<p>x</p>{% include 'part.html' %}", part=f"<p>x</p>\n\n{body}").prepared()
