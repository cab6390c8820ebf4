"""Templates that cannot be inlined once: the same document as premailer makes of each mail, by far fewer runs of it."""

from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from engine.errors import TemplateBroken
from engine.render import shapes
from engine.render.inline import InlinePath, inline_html
from engine.render.sandbox import Sandbox
from engine.render.shapes import ShapedTemplate
from tests.engine.mails import Files, dom
from tests.engine.render.random_templates import CSS, POSITIONAL, contexts, shells, slow_bodies

STYLE = "<style>p { color: red } .a { margin: 1px } p:nth-child(2) { color: blue } p:empty { height: 0 }</style>"


class Counted:
    """A shaped template that counts how often premailer runs."""

    def __init__(self, source: str, **others: str) -> None:
        self.files, self.runs = Files(source, **others), 0
        self.template = ShapedTemplate(
            self.files.files, lambda sandbox: sandbox.get_template("main.html"), self._inline
        )

    def _inline(self, html: str) -> str:
        self.runs += 1
        return inline_html(html)

    def mail(self, **context: Any) -> str:
        html = self.template.render(lambda template: template.render(context))
        assert html is not None
        assert dom(html) == dom(self.files.slow(context))
        return html


def test_mails_that_differ_in_values_only_share_one_run_of_premailer() -> None:
    mails = Counted(STYLE + "{% macro m(x) %}<p>{{ x }}</p>{% endmacro %}{{ m(name) }}<p title='{{ note }}'>x</p>")
    for number in range(20):
        html = mails.mail(name=f"Ana {number} <b>", note=f"'{number}\" &amp;")
        assert "color:blue" in html
    assert mails.runs == 1


def test_another_branch_another_count_and_an_empty_value_are_other_shapes() -> None:
    mails = Counted(STYLE + "{% for x in names %}<p>{{ x }}</p>{% endfor %}{% if yes %}<p>y</p>{% endif %}")
    for names, yes in ((["a"], True), (["b"], True), (["a", "b"], True), ([""], True), ([" "], True), (["a"], False)):
        mails.mail(names=names, yes=yes)
    assert mails.runs == 5


@pytest.mark.parametrize("place", ["class='{{ x }}'", "id='{{ x }}'", "style='color: {{ x }}'", "title={{ x }}"])
def test_what_the_css_may_depend_on_belongs_to_the_shape(place: str) -> None:
    mails = Counted(
        f"<style>.a {{ color: red }} #a {{ margin: 0 }} p {{ width: 1px }}</style><p {place}>{{{{ y }}}}</p>"
    )
    for x in ("a", "b", "a"):
        for y in ("1", "2"):
            mails.mail(x=x, y=y)
    assert mails.runs == 2


def test_an_attribute_that_a_selector_asks_for_belongs_to_the_shape() -> None:
    mails = Counted("<style>[title=a] { color: red }</style><p title='{{ x }}'>y</p>")
    assert 'style="color:red"' in mails.mail(x="a")
    assert "style=" not in mails.mail(x="b").partition("</style>")[2]


def test_markup_that_was_called_safe_stays_markup_and_its_own_shape() -> None:
    mails = Counted("<style>b { color: red }</style><p>{{ x|safe }}</p>")
    assert 'style="color:red"' in mails.mail(x="<b>1</b>")
    assert mails.mail(x="<i>1</i>").count("<i>1</i>") == 1
    assert mails.runs == 2


def test_a_value_that_looks_like_a_mark_is_a_value() -> None:
    mails = Counted("<style>p { color: red }</style><p>{{ x }}</p><p>{{ y }}</p>")
    html = mails.mail(x="hpSLOT00001hp", y="hpSLOT00000hp")
    assert html.index("hpSLOT00001hp") < html.index("hpSLOT00000hp")


def test_a_mark_in_the_template_itself_gives_no_wrong_mail() -> None:
    files = Files("<p>hpSLOT00000hp {{ x }}</p>")
    assert dom(files.by_shapes()({"x": "Ana"})) == dom(files.slow({"x": "Ana"}))


def test_what_is_undefined_is_said() -> None:
    with pytest.raises(Exception, match="nobody"):
        Counted("<p>{{ nobody }}</p>").mail()


def test_only_so_many_shapes_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shapes, "SHAPES", 3)
    mails = Counted("<style>p { color: red }</style>{% for x in names %}<p>{{ x }}</p>{% endfor %}")
    for count in (1, 2, 3, 4, 1):
        mails.mail(names=["a"] * count)
    assert mails.runs == 5
    assert len(mails.template._layouts) == len(mails.template._inlined) == 3


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("{% set x %}<p>{{ name }}</p>{% endset %}{{ x }}", "set … endset"),
        ("{% filter upper %}{{ name }}{% endfilter %}", "filter"),
        ("{% autoescape false %}{{ name }}{% endautoescape %}", "autoescape"),
        ("{% macro m() %}{{ name }}{% endmacro %}{{ m()|upper }}", "m is used in an expression"),
        ("{% macro m() %}{{ name }}{% endmacro %}{% if m() %}x{% endif %}", "m is used in an expression"),
        ("{% macro m() %}{{ name }}{% endmacro %}{% set x = m %}{{ x() }}", "m is used in an expression"),
        ("{% macro m(x) %}{{ x }}{% endmacro %}{{ m(m(name)) }}", "m is used in an expression"),
        ("{% import 'other.html' as o %}{{ o.m()|length }}", "o is used in an expression"),
        ("{% from 'other.html' import m as k %}{{ k() ~ 'x' }}", "k is used in an expression"),
    ],
)
def test_what_works_on_printed_text_is_inlined_mail_by_mail_and_says_why(body: str, why: str) -> None:
    files = Files(STYLE + body, other="{% macro m() %}{{ 1 }}{% endmacro %}")
    prepared = files.prepared()
    assert prepared.path is InlinePath.EACH
    assert why in prepared.reason


@pytest.mark.parametrize(
    "body",
    [
        "{% macro m(x) %}<p>{{ x }}</p>{% endmacro %}{{ m(name) }}",
        "{% macro w() %}<p>{{ caller() }}</p>{% endmacro %}{% call w() %}{{ name }}{% endcall %}",
        "{% import 'other.html' as o %}{{ o.m(name) }}",
        "{% from 'other.html' import m %}{{ m(name) }}",
        "<p>{{ name|safe }}</p>",
        "{% include 'other.html' %}{% set x = 1 %}<p>{{ x }}</p>",
        "<p class='{{ name }}'>x</p>",
    ],
)
def test_other_refusals_go_by_shapes(body: str) -> None:
    files = Files(STYLE + body, other="{% macro m(x) %}<p>{{ x }}</p>{% endmacro %}")
    prepared = files.prepared()
    assert prepared.path is InlinePath.SHAPES
    assert prepared.reason
    for name in ("Ana", "", "<b>"):
        assert dom(files.by_shapes()({"name": name})) == dom(files.slow({"name": name}))


def _renders(files: Files, context: dict[str, Any]) -> str | None:
    try:
        return files.slow(context)
    except (TemplateBroken, RecursionError):
        return None


@pytest.mark.slow
@settings(max_examples=150, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
@given(shell=shells, body=slow_bodies, positional=st.booleans(), mails=st.lists(contexts, min_size=2, max_size=4))
def test_a_mail_by_shapes_is_the_document_that_premailer_gives(
    shell: str, body: str, positional: bool, mails: list[dict[str, Any]]
) -> None:
    files = Files(shell.format(css=CSS + POSITIONAL * positional, body=body))
    assume(files.prepared().path is InlinePath.SHAPES)
    by_shapes = files.by_shapes()
    for context in [*mails, *mails]:
        wanted = _renders(files, context)
        if wanted is not None:
            assert dom(by_shapes(context)) == dom(wanted)


def test_a_sandbox_marks_nothing_by_itself() -> None:
    assert Sandbox().from_string("{{ 'a' }}{{ x }}").render(x=1) == "a1"
