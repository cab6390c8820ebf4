"""For each shipped template a thousand people who between them take every branch: the way mails are sent, in pieces and
from a template inlined once, gives the document that premailer makes of each finished mail."""

import random
from collections.abc import Iterator
from typing import Any

import pytest
from jinja2 import nodes

from engine.render.compose import Composer
from engine.render.content import Content, Recipient
from engine.render.flatten import bundle, reachable
from engine.render.inline import InlinePath
from engine.render.sandbox import Sandbox
from tests.engine.mails import FOLDERS, card, dom, prepared, shipped_content
from tests.engine.render.random_templates import HOSTILE

PEOPLE = 1_000
NAMES = ("Ana", "", "Jürgen", "ليلى", "<b>Bo</b>", "O'Neil & Söhne", *HOSTILE)
SENTENCES = ("A good choice for dry skin", "", "Chosen to suit you", "x" * 90, *HOSTILE)
BANNERS = "dry skin: Richer creams & more | https://shop.example/winter\neveryone: For all of us"


def variables_of(name: str, chance: random.Random) -> dict[str, str]:
    """Some of a template's variables changed, some emptied, with the other languages said too."""
    changed: dict[str, str] = {}
    for variable in FOLDERS.sheet(name).defaults():
        given = chance.choice([None, None, "", "Words & <more>\n\nof several lines", chance.choice(HOSTILE)])
        if given is not None:
            changed |= {variable: given, f"{variable}.de": given, f"{variable}.ar": given}
    if chance.random() < 0.5 and "banners" in FOLDERS.sheet(name).defaults():
        changed |= {"banners": BANNERS, "banners.de": BANNERS, "banners.ar": BANNERS}
    if chance.random() < 0.5:
        changed |= {"offer_code": "SLOW10"}
    return {variable: value for variable, value in changed.items() if not value.startswith("hpMARK")}


def people(chance: random.Random, count: int) -> Iterator[Recipient]:
    for number in range(count):
        picks = chance.choice([1, 2, 3, 4, 6, 12])
        yield Recipient(
            chance.choice(NAMES),
            chance.choice(["en", "de", "ar", "de-AT", "xx"]),
            f"https://shop.example/u/{number}",
            [(chance.randrange(30), chance.choice(SENTENCES)) for _ in range(picks)],
            chance.choice(["", "dry skin", "everyone"]),
        )


def cards(chance: random.Random) -> dict[int, dict[str, Any]]:
    """Products with and without what a feed may leave out."""
    return {
        number: card(
            number,
            title=chance.choice([f"Product {number}", "A very long title " * 8, chance.choice(HOSTILE)]),
            brand=chance.choice(["Maren", ""]),
            description=chance.choice(["Calms within minutes.", ""]),
            image_width=chance.choice([120, 600, 1_200]),
        )
        for number in range(30)
    }


class Branches:
    """Which branches of a template's conditions and loops were taken. Each says so by a comment of its own."""

    def __init__(self, name: str) -> None:
        self._seen: set[int] = set()
        self._all: set[int] = set()
        source = prepared(name).source
        sandbox = Sandbox()
        sandbox.globals["taken"] = self._take
        self._sandbox, self._tree = sandbox, sandbox.parse(source)
        for node in list(self._tree.find_all((nodes.If, nodes.For))):
            node.body.insert(0, self._mark())
            if isinstance(node, nodes.If):  # a loop over the picks always has one: there is no mail without a hero
                node.else_ = [self._mark(), *node.else_]
        self._template = sandbox.template_class.from_code(
            sandbox, sandbox.compile(self._tree), sandbox.make_globals(None), None
        )

    def look(self, composer: Composer, recipient: Recipient) -> None:
        edition = composer._edition(recipient.language)
        told = {**edition.context(recipient), "taken": self._take, "subject": "s", "preheader": "p"}
        list(self._template.root_render_func(self._template.new_context(told, shared=True)))

    def missing(self) -> set[int]:
        return self._all - self._seen

    def _mark(self) -> nodes.Output:
        number = len(self._all)
        self._all.add(number)
        call = nodes.Call(nodes.Name("taken", "load"), [nodes.Const(number)], [], None, None)
        return nodes.Output([call]).set_environment(self._sandbox)

    def _take(self, number: int) -> str:
        self._seen.add(number)
        return ""


def both(name: str, variables: dict[str, str], products: dict[int, dict[str, Any]]) -> tuple[Composer, Composer]:
    """(as mails are sent, each finished mail by premailer)."""
    each: Content = shipped_content(
        name,
        variables=variables,
        source=bundle(f"{name}.html", reachable(FOLDERS.sandbox(), FOLDERS.source, f"{name}.html")),
        path=InlinePath.EACH,
    )
    return Composer(shipped_content(name, variables=variables), products), Composer(each, products)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("part", range(4))
@pytest.mark.parametrize("name", FOLDERS.names())
def test_a_thousand_people_get_the_document_that_premailer_gives(name: str, part: int) -> None:
    chance = random.Random(f"{name} {part}")
    products, done = cards(chance), 0
    while done < PEOPLE // 4:
        once, each = both(name, variables_of(name, chance), products)
        for recipient in people(chance, 10):
            sent, wanted = once.compose(recipient), each.compose(recipient)
            assert dom(sent.html) == dom(wanted.html)
            assert (sent.subject, sent.text) == (wanted.subject, wanted.text)
            done += 1


@pytest.mark.parametrize("name", FOLDERS.names())
def test_these_people_take_every_branch(name: str) -> None:
    branches, chance = Branches(name), random.Random(f"{name} 0")
    products = cards(chance)
    for _ in range(25):
        once, _ = both(name, variables_of(name, chance), products)
        for recipient in people(chance, 10):
            branches.look(once, recipient)
    assert branches._all
    assert branches.missing() == set()
