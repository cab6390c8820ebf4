"""A mail in pieces is the mail that Jinja prints, and what does not differ is the same piece in the next mail."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from jinja2.runtime import Context

from engine.render import dependencies
from engine.render.kept import Kept, Piece
from engine.render.markup import MarkupReader, Place
from engine.render.pieces import PieceSandbox, cut
from engine.render.sandbox import Sandbox
from tests.engine.mails import Files
from tests.engine.render.random_templates import CSS, bodies, contexts, shells


class Printer:
    """Prints one template in pieces, for contexts whose dicts are shared as a composer shares cards."""

    def __init__(self, source: str, *, text: bool = False, largest: int = 10**9) -> None:
        self.kept = Kept(largest)
        self.sandbox = PieceSandbox(self.kept, autoescape=not text)
        self.plain = Sandbox(autoescape=not text).from_string(source)
        cut.cache_clear()
        program = cut(source, text=text)
        assert program is not None
        self.template = self.sandbox.in_pieces(program)

    def pieces(self, **context: Any) -> list[str]:
        told = {**self.sandbox.globals, **self._shared(context)}
        pieces = list(self.template.root_render_func(Context(self.sandbox, told, None, {})))
        assert "".join(pieces) == self.plain.render(context)
        return pieces

    def _shared(self, value: Any) -> Any:
        if type(value) is list:
            return [self._shared(inner) for inner in value]
        if type(value) is dict and set(value) <= {"title", "note", "yes"}:
            name = repr(sorted(value.items()))
            return self.kept.shared.get(name) or self.kept.share(name, value)
        return {name: self._shared(inner) for name, inner in value.items()} if type(value) is dict else value


def card(title: str) -> dict[str, Any]:
    return {"title": title, "note": "n", "yes": True}


def same(first: list[str], second: list[str]) -> list[str]:
    """What both mails have in common, as the same object."""
    known = {id(piece) for piece in first if isinstance(piece, Piece)}
    return [str(piece) for piece in second if id(piece) in known]


def test_what_depends_on_the_campaign_alone_is_made_once() -> None:
    printer = Printer("<h1>{{ campaign.title }}</h1><p>{{ subscriber.name }}</p><p>{{ campaign.title|upper }}</p>")
    campaign = {"title": "News" * 20}
    first = printer.pieces(campaign=campaign, subscriber={"name": "Ana"})
    second = printer.pieces(campaign=campaign, subscriber={"name": "Bo"})
    assert "".join(same(first, second)).count("News" * 20) == 1
    assert [piece for piece in second if "Bo" in piece] == ["Bo</p><p>"]  # a few signs are not worth a piece


def test_a_card_is_made_once_wherever_it_stands() -> None:
    printer = Printer("{% for card in picks %}<td title='{{ card.title }}'><b>{{ card.note }}</b></td>{% endfor %}")
    first = printer.pieces(picks=[card("a"), card("b"), card("c")])
    second = printer.pieces(picks=[card("c"), card("d"), card("a")])
    assert same(first, second) == ["<td title='c'><b>n</b></td>", "<td title='a'><b>n</b></td>"]


def test_pairs_of_cards_are_taken_apart() -> None:
    cells = "{% for card in pair %}<td>{{ card.title }}</td>{% endfor %}"
    source = f"{{% for pair in picks|batch(2) %}}<tr>{cells}</tr>{{% endfor %}}"
    printer = Printer(source)
    first = printer.pieces(picks=[card("a"), card("b"), card("c")])
    second = printer.pieces(picks=[card("b"), card("c"), card("a")])
    assert {"<td>a</td>", "<td>b</td>", "<td>c</td>"} <= set(same(first, second))


@pytest.mark.parametrize(
    "source",
    [
        "{% for card in picks %}<p>{{ loop.index }} {{ card.title }}</p>{% endfor %}",
        "{% for card in picks %}<p>{{ subscriber.name }} {{ card.title }}</p>{% endfor %}",
        "{% for campaign in picks %}<p>{{ campaign.title }} {{ subscriber.name }}</p>{% endfor %}",
        "{% for card in picks %}{% for other in picks %}<p>{{ card.title }}{{ other }}</p>{% endfor %}{% endfor %}",
        "{% for hero in picks %}<p>{{ hero.title }}</p>{% else %}<p>{{ subscriber.name }}</p>{% endfor %}",
        "<p>{{ hero.title }}</p>{% for hero in picks %}<p>{{ hero.title }}</p>{% endfor %}",
        "{% if subscriber.name %}<p>{{ hero.title }}</p>{% elif picks %}<i>x</i>{% else %}{{ hero.note }}{% endif %}",
        "{% if hero %}<p>{{ hero.title }}</p>{% endif %}",
        "{% with hero = picks[0] %}<p>{{ hero.title }}</p>{% endwith %}<p>{{ hero.title }}</p>",
        "{% for name, value in subscriber.items() %}<p>{{ name }}{{ value }}</p>{% endfor %}",
        "<a {% if subscriber.name %}title='{{ subscriber.name }}'{% endif %} href='{{ hero.title }}'>x</a>",
        "<!--[if mso]>{{ hero.title }}<![endif]--><p>{{ subscriber.name }}</p><style>{{ hero.note }}</style>",
        "{% for word in subscriber.name.split() %}<p>{{ word }}</p>{% endfor %}",
        "{% for number in [1, 1.0, True, '1'] %}<p>{{ number }}</p>{% endfor %}{{ subscriber.name }}",
        "{% for thing in [[1], [2]] %}{{ thing[0] }}{% endfor %}{{ subscriber.name }}",
        "{{ [hero.title, campaign.title]|join(',') }} {{ [campaign.title]|map('upper')|join }} {{ subscriber.name }}",
    ],
)
def test_pieces_are_what_jinja_prints(source: str) -> None:
    printer = Printer(source)
    for name, cards in (("Ana", "ab"), ("", "b"), ("Bo <b>", ""), ("Ana Bo", "cab"), ("Ana", "ab")):
        picks = [card(title) for title in cards]
        hero = card(name[:1] + "h")
        if "picks[0]" in source and not picks:
            continue
        printer.pieces(campaign={"title": "t"}, subscriber={"name": name}, hero=hero, picks=picks)


@pytest.mark.parametrize(
    "source", ["{% set x = 1 %}{{ x }}", "{% macro m() %}x{% endmacro %}{{ m() }}", "{% set x %}y{% endset %}{{ x }}"]
)
def test_what_reaches_beyond_its_place_is_not_cut(source: str) -> None:
    assert cut(source, text=False) is None


def test_text_is_cut_at_line_ends_only() -> None:
    source = (
        "Hello {{ subscriber.name }},\n\n"
        "{% for card in picks %}* {{ card.title }}\n  {{ card.note }}\n{% endfor %}--\n\n"
    )
    printer = Printer(source, text=True)
    for name, cards in (("Ana", "ab"), ("Bo", ""), ("", "ba")):
        pieces = printer.pieces(subscriber={"name": name}, picks=[card(title) for title in cards])
        assert all(piece.endswith("\n") for piece in pieces)


def test_full_memory_is_emptied_and_changes_nothing() -> None:
    printer = Printer("{% for card in picks %}<p>{{ card.title }}{{ card.title }}</p>{% endfor %}", largest=4_000)
    sizes = []
    for number in range(60):
        printer.pieces(picks=[card(str(number + other)) for other in range(5)])
        sizes.append(sum(len(table) for table in printer.kept.tables))
    assert max(sizes) < 20
    assert any(after < before for before, after in pairwise(sizes))


def test_a_missing_value_is_missed_in_the_second_mail_too() -> None:
    printer = Printer("<p>{{ hero.title }}</p>")
    printer.pieces(hero=card("a"))
    for _ in range(2):
        with pytest.raises(Exception, match="hero"):
            printer.pieces()


@pytest.mark.slow
@settings(max_examples=150, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
@given(shell=shells, body=bodies, mails=st.lists(contexts, min_size=2, max_size=4))
def test_a_mail_in_pieces_is_the_mail_and_no_piece_ends_within_a_tag(
    shell: str, body: str, mails: list[dict[str, Any]]
) -> None:
    prepared = Files(shell.format(css=CSS, body=body)).prepared()
    assume(prepared.once and "{% set" not in prepared.source)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dependencies, "COMMON", {"number", "no", "range"})
        patch.setattr(dependencies, "SHARED", {"item"})
        printer = Printer(prepared.source)
        for context in [*mails, *mails]:
            reader = MarkupReader()
            for piece in printer.pieces(**{**context, "number": 7}):
                reader.read(piece)
                assert reader.place == Place.TEXT
