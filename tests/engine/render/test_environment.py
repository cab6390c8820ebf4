"""The sandbox: what a template may do, where templates are found, and what is said about a mistake."""

import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jinja2.sandbox import ImmutableSandboxedEnvironment

from engine.errors import TemplateBroken, TemplateMissing
from engine.render.environment import READ, SHIPPED, TemplateFolders, compiled
from engine.render.sandbox import LARGEST, Sandbox
from tests.engine.mails import composer, recipient, rendered


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
    with pytest.raises(TemplateMissing, match=f"there are: {', '.join(folders.names())}"):
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


def test_the_users_own_template_wins_over_the_shipped_one(folder: Callable[..., TemplateFolders]) -> None:
    folders = folder(announcement__html="<p>mine</p>", announcement__toml='title = "Mine"')
    assert folders.source("announcement.html") == "<p>mine</p>"
    assert folders.sheet("announcement").title == "Mine"
    assert folders.source("picked-for-you.html") == TemplateFolders((SHIPPED,)).source("picked-for-you.html")
    assert folders.names() == TemplateFolders((SHIPPED,)).names()


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
    with pytest.raises(TemplateMissing, match="there is no template 'weekly'; there are: announcement, "):
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


BOUNDS = [
    ("{{ 'x' * 1000001 }}", "a text of 1,000,001 characters is too long"),
    ("{{ [0] * 1000001 }}", "a text of 1,000,001 characters is too long"),
    ("{{ 'x' * 600000 + 'x' * 600000 }}", "a text of 1,200,000 characters"),
    ("{{ 10 ** 65 }}", r"10 \*\* 65 is too large a number"),
    ("{{ 10 ** -65 }}", r"10 \*\* -65 is too large a number"),
    ("{{ 1000001 ** 2 }}", r"1,000,001 \*\* 2 is too large a number"),
    ("{{ 10 ** 64 ** 2 }}", "too large a number"),
    (
        "{% set n = namespace(x=999999 ** 64) %}{% for _ in range(9) %}{% set n.x = n.x * n.x %}{% endfor %}",
        r"10\^\d+ is too large",
    ),
    ("{{ '%1000001d' % 1 }}", "a text of 1,000,010 characters"),
    ("{{ '%.1000000f' % 1 }}", "a text of 1,000,010 characters"),
    ("{{ '%*d' % (1000001, 1) }}", "a text of 1,000,005 characters"),
    ("{{ '%s%s' % ('x' * 600000, 'x') }}", "a text of 1,200,004 characters"),
    ("{{ '%(a)s%(a)s' % {'a': 'x' * 600000} }}", "a text of 1,200,010 characters"),
    ("{{ '%1000001s'|format('x') }}", "too long for a mail"),
    ("{{ '{:1000001}'.format(1) }}", "a text of 1,000,001 characters"),
    ("{{ '{:{}}'.format(1, 1000001) }}", "a text of 1,000,001 characters"),
    ("{{ '{0}{0}'.format('x' * 600000) }}", "a text of 1,200,000 characters"),
    ("{{ '{a:1000001}'.format_map({'a': 1}) }}", "a text of 1,000,001 characters"),
    ("{{ ('{:1000001}'|safe).format(1) }}", "a text of 1,000,001 characters"),
    ("{{ 'x'|center(1000001) }}", "a text of 1,000,001 characters"),
    ("{{ 'x'.center(1000001) }}", "a text of 1,000,001 characters"),
    ("{{ 'x'.ljust(1000001, 'y') }}", "a text of 1,000,001 characters"),
    ("{{ ('x'|attr('rjust'))(1000001) }}", "a text of 1,000,001 characters"),
    ("{{ 'x'['zfill'](1000001) }}", "a text of 1,000,001 characters"),
    ("{{ '\t'.expandtabs(1000001) }}", "a text of 1,000,002 characters"),
    ("{{ 'xx'.replace('x', 'y' * 600000) }}", "a text of 1,200,002 characters"),
    ("{{ 'xx'|replace('x', 'y' * 600000) }}", "a text of 1,200,002 characters"),
    ("{{ 'xx'.translate({120: 'y' * 600000}) }}", "a text of 1,200,000 characters"),
    ("{{ ('y' * 600000).join('abc') }}", "a text of 1,800,003 characters"),
    ("{{ 'abc'|join('y' * 600000) }}", "a text of 1,800,003 characters"),
    ("{{ 'a\\nb'|indent(600000) }}", "a text of 1,800,003 characters"),
    ("{{ 'a\\nb'|indent('y' * 600000) }}", "a text of 1,800,003 characters"),
    ("{{ 'a b'|wordwrap(1, wrapstring='y' * 600000) }}", "too long for a mail"),
    ("{{ 'a'|batch(100001, 'b')|list }}", r"\|batch takes 100,000 at most, not 100,001"),
    ("{{ 'a'|slice(100001)|list }}", r"\|slice takes 100,000 at most, not 100,001"),
    ("{{ 1.5|round(65, 'ceil') }}", r"\|round takes 64 at most, not 65"),
    ("{{ [1]|tojson(65) }}", r"\|tojson takes 64 at most, not 65"),
    ("{{ range(100001) }}", "MAX_RANGE"),
    ("{{ 'x'.encode() }}", r"\.encode\(\) makes bytes, and a mail is made of text"),
    ("{{ (1).to_bytes(9, 'big') }}", r"\.to_bytes\(\) makes bytes"),
    ("{{ [range(99999)|list, range(99999)|list] }}", "a list of more than 100,000 values"),
    ("{{ [range(99999)|list, range(99999)|list]|pprint }}", "a list of more than 100,000 values"),
    ("{{ [range(99999)|list, range(99999)|list]|string }}", "a list of more than 100,000 values"),
    ("{{ [range(99999)|list, range(99999)|list]|tojson }}", "a list of more than 100,000 values"),
    (
        "{% set a %}{% for _ in range(11) %}{{ 'x' * 100000 }}{% endfor %}{% endset %}",
        "a text of 1,100,000 characters",
    ),
    ("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "calls or includes itself without end"),
]


@pytest.mark.parametrize(("source", "words"), BOUNDS, ids=[source for source, _ in BOUNDS])
@pytest.mark.parametrize("autoescape", [True, False])
def test_what_grows_is_refused_with_template_line_and_size(source: str, words: str, autoescape: bool) -> None:
    template = compiled(Sandbox(autoescape=autoescape), f"\n{source}", "weekly")
    with pytest.raises(TemplateBroken, match=rf"^template weekly, line 2: .*{words}"):
        rendered(template, {}, "weekly")


WITHIN_BOUNDS = [
    ("{{ '%5.2f|%-4s|%%|%(a)s' % {'a': 1} if false else '%5.2f|%-4s|%%' % (1.5, 'x') }}", " 1.50|x   |%"),
    ("{{ '%(a)s!' % {'a': 'x'} }}{{ '%s!' % 'y' }}{{ 7 % 4 }}", "x!y!3"),
    ("{{ '{:>4}{a}'.format('x', a=1) }}{{ '{a}'.format_map({'a': 2}) }}", "   x12"),
    ("{{ ('<{}>'|safe).format('<') }}", "<&lt;>"),
    ("{{ 'x'.center(3, '-') }}{{ 'x'|center(width=3) }}{{ '5'.zfill(3) }}{{ 'a\tb'.expandtabs(tabsize=2) }}", None),
    (
        "{{ 'a-b'.replace('-', '+', 1) }}{{ 'a-b'|replace('-', '+', count=1) }}{{ 'ab'.translate({97: 'c'}) }}",
        "a+ba+bcb",
    ),
    ("{{ ', '.join(['a', 'b']) }}{{ [{'n': 1}, {'n': 2}]|join('/', attribute='n') }}{{ range(3)|join }}", "a, b1/2012"),
    ("{{ '-'.join([1, 2]|map('string')) }}", "1-2"),
    ("{{ 'a\nb'|indent(2, first=true) }}", "  a\n  b"),
    ("{{ [1, 2, 3]|batch(2, 0)|list }}{{ [1, 2, 3]|slice(2)|list }}", "[[1, 2], [3, 0]][[1, 2], [3]]"),
    ("{{ 2.345|round(1) }}{{ 2.5|round(method='floor') }}{{ -7 * 6 }}{{ 2 ** 10 }}{{ 2.5 * 2 }}", "2.32.0-4210245.0"),
    ("{{ 'a' + 'b' }}{{ [1] + [2] }}{{ 1 + 1.5 }}{{ 3 * 'x' }}{{ 'x' * 3 }}", "ab[1, 2]2.5xxxxxx"),
    ("{{ [1, {'a': none}]|tojson }}{{ {'b': (1, 2)}|pprint }}{{ 5|string }}", None),
    ("{{ 'a b c'|wordwrap(3, wrapstring='/') }}", "a b/c"),
    ("{% for i in range(1000) %}{{ '' }}{% endfor %}{% for i in range(300) %}x{% endfor %}", "x" * 300),
    ("{% macro m() %}<b>{{ '<' }}</b>{% endmacro %}{{ m() }}", "<b>&lt;</b>"),
]


@pytest.mark.parametrize(("source", "text"), WITHIN_BOUNDS, ids=[source for source, _ in WITHIN_BOUNDS])
def test_within_the_bounds_everything_is_as_jinja_has_it(source: str, text: str | None) -> None:
    plain = ImmutableSandboxedEnvironment(autoescape=True).from_string(source).render()
    assert Sandbox().from_string(source).render() == plain
    assert text is None or plain == text


def test_a_mail_is_a_million_characters_at_most() -> None:
    whole = "{% for _ in range(10) %}{{ 'x' * 100000 }}{% endfor %}"
    sandbox = Sandbox()
    assert len(rendered(compiled(sandbox, whole, "weekly"), {}, "weekly")) == LARGEST
    with pytest.raises(TemplateBroken, match="more than 1,000,000 characters is too long"):
        rendered(compiled(sandbox, f"{whole}x", "weekly"), {}, "weekly")


def test_a_long_mail_is_stopped_in_the_middle() -> None:
    endless = "{% for _ in range(100000) %}{% for _ in range(100000) %}{{ 'x' * 9999 }}{% endfor %}{% endfor %}"
    in_small_pieces = "{% for _ in range(2000) %}{{ 'x' * 999 }}{% endfor %}"
    for source in (endless, in_small_pieces):
        with pytest.raises(TemplateBroken, match="characters is too long"):
            rendered(compiled(Sandbox(), source, "weekly"), {}, "weekly")


def test_nothing_large_is_computed_when_compiling() -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for source, _ in BOUNDS:
        Sandbox().from_string(source.replace("1000001", "999999999"))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 * 1024  # KB


def test_all_template_files_with_their_texts(tmp_path: Path) -> None:
    for name, text in {
        "own/weekly.html": "mine",
        "own/blocks/hero.html": "my hero",
        "own/locale/de.po": 'msgid ""',
        "own/weekly.toml": "\ufefftitle = 'x'",
        "own/picture.png": "no text",
        "own/notes": "neither",
        "shipped/blocks/hero.html": "theirs",
        "shipped/plain.txt": "text",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert TemplateFolders((tmp_path / "own", tmp_path / "shipped")).files() == {
        "weekly.html": "mine",
        "blocks/hero.html": "my hero",
        "locale/de.po": 'msgid ""',
        "weekly.toml": "title = 'x'",
        "plain.txt": "text",
    }
    assert TemplateFolders((tmp_path / "none",)).files() == {}


def test_files_are_what_the_sandbox_finds() -> None:
    folders = TemplateFolders((SHIPPED,))
    files = folders.files()
    assert set(files) == {name for name in folders.sandbox().list_templates() if name.endswith(tuple(READ))}
    assert all(text == folders.source(name) for name, text in files.items())


def test_a_file_that_is_too_large_or_no_text_is_said_to_be(tmp_path: Path) -> None:
    (tmp_path / "weekly.html").write_text("x" * 1_000_001)
    with pytest.raises(TemplateBroken, match=r"template weekly\.html: is larger than 1 MB"):
        TemplateFolders((tmp_path,)).files()
    (tmp_path / "weekly.html").write_bytes(b"\xff")
    with pytest.raises(TemplateBroken, match=r"template weekly\.html: is not UTF-8"):
        TemplateFolders((tmp_path,)).files()


@pytest.mark.parametrize("through", ["file", "folder"])
def test_a_link_out_of_the_folder_is_refused(tmp_path: Path, through: str) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "key.html").write_text("secret")
    (tmp_path / "own").mkdir()
    if through == "file":
        (tmp_path / "own" / "key.html").symlink_to(tmp_path / "secrets" / "key.html")
    else:
        (tmp_path / "own" / "inner").symlink_to(tmp_path / "secrets")
    folders = TemplateFolders((tmp_path / "own",))
    name = "key.html" if through == "file" else "inner/key.html"
    with pytest.raises(TemplateBroken, match=r"template (key.html|inner): is a link to a place outside .*own"):
        folders.files()
    with pytest.raises(TemplateBroken, match=rf"template {name}: is a link to a place outside .*own"):
        folders.source(name)


def test_a_link_within_the_folder_is_fine(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text("a")
    (tmp_path / "b.html").symlink_to("a.html")
    assert TemplateFolders((tmp_path,)).files() == {"a.html": "a", "b.html": "a"}
