"""Every reason why a template is not inlined once has its advice."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.render import advice
from engine.render.advice import advice_for, is_known
from tests.engine.mails import Files
from tests.engine.render.test_inline_refusals import FILES, REFUSED, mail

RENDER = Path(advice.__file__).parent
REFUSALS = ("CannotInlineOnce", "CannotFlatten")


def _raised() -> Iterator[tuple[str, str]]:
    """(file and line, the sentence) of each refusal in the source, with a word for what is filled in."""
    for path in sorted(RENDER.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            raised = node.exc if isinstance(node, ast.Raise) else None
            if isinstance(raised, ast.Call) and raised.args and ast.unparse(raised.func) in REFUSALS:
                parts = getattr(raised.args[0], "values", [raised.args[0]])
                words = [part.value if isinstance(part, ast.Constant) else "WORD" for part in parts]
                yield f"{path.name}:{raised.lineno}", "".join(words)


@pytest.mark.parametrize(("place", "reason"), list(_raised()))
def test_each_refusal_in_the_source_has_an_advice(place: str, reason: str) -> None:
    assert is_known(reason), f"{place} says {reason!r}; add how to get round it to engine/render/advice.py"


def test_the_refusals_are_found() -> None:
    assert len(list(_raised())) >= 20


CASES = [(mail(body), {}) for body, _ in REFUSED] + [(main, others) for main, others, _ in FILES]


@pytest.mark.parametrize(("main", "others"), CASES)
def test_what_real_templates_are_told_has_an_advice(main: str, others: dict[str, str]) -> None:
    reason = Files(main, **others).prepared().reason
    assert is_known(reason), reason


@pytest.mark.parametrize(
    "words", ["{% set … endset %} works on what was printed", "m is used in an expression, not printed"]
)
def test_what_keeps_a_template_from_shapes_has_an_advice_of_its_own(words: str) -> None:
    assert is_known(f"a.html, line 3: {words}")
    both = advice_for(f"a.html, line 2: Jinja inside <style>: the CSS differs; and a.html, line 3: {words}")
    assert both.startswith("write a class for each look")
    assert "; or for speed alone: print" in both


@pytest.mark.parametrize(
    ("reason", "word"),
    [
        ("a.html, line 2: {% macro %} may print markup of its own", "included"),
        ("a.html, line 2: {{ x|safe }} may print markup of its own (|safe)", "plain text"),
        ("a.html, line 2: the CSS selector `p + p` depends on neighbours or attributes", "class"),
        ("a.html, line 2: Jinja in the attribute style: the CSS depends on it", "two elements"),
        ("a.html, line 2: {% include part %} is only known when the mail is rendered", "in quotes"),
        ("a.html, line 2: {{ super() }} is only known when the mail is rendered", "super()"),
    ],
)
def test_the_advice_fits_the_reason(reason: str, word: str) -> None:
    assert word in advice_for(reason)
