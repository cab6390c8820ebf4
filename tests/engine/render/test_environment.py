"""The sandbox: what a template may do, where templates are found, and what is said about a mistake."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.errors import TemplateBroken, TemplateMissing
from engine.render.environment import SHIPPED, TemplateFolders, render_line
from tests.engine.mails import composer, recipient


@pytest.fixture
def folder(tmp_path: Path) -> Callable[..., TemplateFolders]:
    """Makes a folder of templates, found before the shipped ones."""

    def make(**files: str | bytes) -> TemplateFolders:
        for name, text in files.items():
            path = tmp_path / "own" / name.replace("__", ".")
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return TemplateFolders((tmp_path / "own", SHIPPED))

    return make


ESCAPES = [
    "{{ ''.__class__ }}",
    "{{ ''['__class__'] }}",
    "{{ ''|attr('__class__') }}",
    "{{ [hero]|map(attribute='title.__class__')|list }}",
    "{{ [hero.title]|map('attr', '__class__')|list }}",
    "{{ '{0.__class__}'.format(hero) }}",
    "{{ '{x.__class__.__init__}'.format_map({'x': hero}) }}",
    "{{ ('{0.__cl' ~ 'ass__}').format('') }}",
    "{{ cycler.__init__.__globals__ }}",
    "{{ cycler('a').next.__func__ }}",
    "{{ joiner.__init__.__globals__['os'].popen('id').read() }}",
    "{{ namespace.__mro__ }}",
    "{{ lipsum.__globals__ }}",
    "{{ lipsum(5) }}",
    "{{ [1, 2, 3]|random }}",
    "{{ self.__init__ }}",
    "{{ self._TemplateReference__context }}",
    "{{ range(10**9)|list }}",
    "{{ range(99999999) }}",
    "{{ 'x' * 10**10 }}",
    "{{ [0] * 10**10 }}",
    "{{ 10 ** 10 ** 10 }}",
    "{{ picks.append(1) }}",
    "{{ hero.update(title='x') }}",
    "{{ hero.items }}",
    "{{ range }}",
    "{{ [hero]|map(attribute='title') }}",
    "{{ (1).real.__class__ }}",
    "{{ none.__class__ }}",
    "{% include '../../pyproject.toml' %}",
    "{% include '/etc/passwd' %}",
    "{% extends '/etc/passwd' %}",
    "{% import '/etc/passwd' as x %}",
    "{{ 1 / 0 }}",
    "{{ [][5] }}",
    "{{ 'x' + 1 }}",
    "{{ hero.title() }}",
]


@pytest.mark.parametrize("source", ESCAPES)
@pytest.mark.parametrize("part", ["html", "text", "subject"])
def test_there_is_no_way_out_of_the_sandbox(source: str, part: str) -> None:
    written = {"source": "x", "plain": "x", "subject": "x"} | {
        {"html": "source", "text": "plain"}.get(part, part): source
    }
    with pytest.raises(TemplateBroken, match=r"template weekly"):
        composer(written.pop("source"), **written).compose(recipient())


@pytest.mark.parametrize(
    "name",
    ["../../pyproject.toml", "/etc/passwd", "..", "", ".", "a/../../x", "\0", "x" * 5_000, "layouts", "none.html"],
)
def test_no_file_outside_the_folders_is_a_template(name: str) -> None:
    folders = TemplateFolders((SHIPPED,))
    with pytest.raises(TemplateMissing, match=r"there are: announcement, picked-for-you"):
        folders.source(name)


def test_a_template_may_do_what_templates_need() -> None:
    source = "{{ 'ab' * 3 }} {{ 2 ** 8 }} {{ range(3)|list }} {{ 600 * 248 // 600 }} {{ '%s!'|format(hero.title) }}"
    assert composer(source).compose(recipient()).html == "ababab 256 [0, 1, 2] 248 Product 1!"


def test_a_variable_may_have_the_name_of_a_method() -> None:
    variables = {name: f"my {name}" for name in ("copy", "items", "values", "update", "get")}
    source = "{{ campaign.copy }}, {{ campaign.items }}, {{ campaign.get }}, {{ campaign['update'] }}"
    html = composer(source, variables=variables).compose(recipient()).html
    assert html == "my copy, my items, my get, my update"


@pytest.mark.parametrize(
    ("source", "line", "variable"),
    [
        ("{{ heading }}", 1, "heading"),
        ("\n\n{{ hero.brnad }}", 3, "brnad"),
        ("{% for c in\npicks %}\n{{ c.nme }}{% endfor %}", 3, "nme"),
    ],
)
def test_an_unknown_variable_is_named_with_template_and_line(source: str, line: int, variable: str) -> None:
    with pytest.raises(TemplateBroken, match=rf"template weekly, line {line}: .*'{variable}'.*check the spelling"):
        composer(source).compose(recipient(1, 2))


def test_an_unknown_variable_is_named_in_the_text_part_and_the_subject_too() -> None:
    with pytest.raises(TemplateBroken, match=r"template weekly, text part, line 2: 'nobody' is undefined"):
        composer(plain="x\n{{ nobody }}").compose(recipient())
    with pytest.raises(TemplateBroken, match=r"template weekly, subject, line 1: 'nobody' is undefined"):
        composer(subject="{{ nobody }}").compose(recipient())


@pytest.mark.parametrize(
    "use", ["{{ nobody }}", "{{ nobody|upper }}", "{% if nobody %}x{% endif %}", "{% for x in nobody %}{% endfor %}"]
)
def test_an_unknown_variable_is_never_just_empty(use: str) -> None:
    with pytest.raises(TemplateBroken, match="'nobody' is undefined"):
        composer(use).compose(recipient())


@pytest.mark.parametrize(
    "source",
    [
        "{{",
        "{% if %}",
        "{{ x|nofilter }}",
        "{% for %}",
        "{% endif %}",
        "(" * 3 + "{{ " + "(" * 900 + "1" + ")" * 900 + " }}",
    ],
)
def test_a_source_that_cannot_be_compiled_is_broken_and_no_crash(source: str) -> None:
    with pytest.raises(TemplateBroken, match="template weekly"):
        composer(source).compose(recipient())


def test_twenty_five_loops_within_each_other_are_broken_and_no_crash() -> None:
    source = "".join(f"{{% for a{n} in picks %}}" for n in range(25)) + "x" + "{% endfor %}" * 25
    with pytest.raises(TemplateBroken, match="nested too deeply"):
        composer(source).compose(recipient())


def test_a_line_is_one_line_whatever_is_in_it() -> None:
    assert render_line("  {{ a }}\n\t{{ b }} ", {"a": "x\r\ny", "b": "z\u2028\x0bz"}, name="x") == "x y z z"


def test_the_users_own_template_wins_over_the_shipped_one(folder: Callable[..., TemplateFolders]) -> None:
    folders = folder(announcement__html="<p>mine</p>", announcement__toml='title = "Mine"')
    assert folders.source("announcement.html") == "<p>mine</p>"
    assert folders.sheet("announcement").title == "Mine"
    assert folders.source("picked-for-you.html") == TemplateFolders((SHIPPED,)).source("picked-for-you.html")
    assert folders.names() == ["announcement", "picked-for-you"]


def test_a_users_own_block_is_used_by_a_shipped_template(tmp_path: Path) -> None:
    block = tmp_path / "blocks" / "footer.html"
    block.parent.mkdir()
    block.write_text("my footer")
    html = TemplateFolders((tmp_path, SHIPPED)).sandbox().from_string("{% include 'blocks/footer.html' %}").render()
    assert html == "my footer"


@pytest.mark.parametrize(
    ("sheet", "words"),
    [
        ("title = ", "is not TOML"),
        ("title = 'x'\ntitle = 'y'", "is not TOML"),
        (b"title = '\xff'", "is not UTF-8"),
        ("variables = 3", "needs a table"),
        ("variables = ['a']", "needs a table"),
        ("[variables]\nheadline = 'x'", "needs a table"),
    ],
)
def test_a_broken_sheet_is_said_to_be_broken(folder: Callable[..., TemplateFolders], sheet: Any, words: str) -> None:
    with pytest.raises(TemplateBroken, match=f"template (weekly|weekly.toml): .*{words}"):
        folder(weekly__toml=sheet, weekly__html="x").sheet("weekly")


def test_a_sheet_may_be_nearly_empty(folder: Callable[..., TemplateFolders]) -> None:
    sheet = folder(weekly__toml="[variables.headline]\n[variables.count]\ndefault = 3", weekly__html="x").sheet(
        "weekly"
    )
    assert sheet.defaults() == {"headline": "", "count": "3"}
    assert [variable.label for variable in sheet.variables] == ["headline", "count"]
    assert (sheet.title, sheet.subject) == ("", "")


def test_a_sheet_that_is_not_there_is_missed_by_the_name_of_its_template() -> None:
    with pytest.raises(TemplateMissing, match="there is no template 'weekly'; there are: announcement, picked-for-you"):
        TemplateFolders((SHIPPED,)).sheet("weekly")


def test_a_template_that_is_not_utf8_is_said_to_be(folder: Callable[..., TemplateFolders]) -> None:
    with pytest.raises(TemplateBroken, match=r"template weekly.html: is not UTF-8"):
        folder(weekly__html=b"caf\xe9", weekly__toml="").source("weekly.html")


def test_a_byte_order_mark_is_no_part_of_a_template(folder: Callable[..., TemplateFolders]) -> None:
    folders = folder(weekly__html="\ufeff<!doctype html>", weekly__toml="\ufefftitle = 'x'")
    assert folders.source("weekly.html") == "<!doctype html>"
    assert folders.sheet("weekly").title == "x"


def test_a_method_without_its_brackets_is_not_printed_as_an_address_in_memory() -> None:
    with pytest.raises(TemplateBroken, match=r"line 1: .* cannot be printed; a call needs \(\)"):
        composer("{{ hero.keys }}").compose(recipient())
