"""Mails to test with: templates from a dict, contexts of every shape, and documents compared as a parser sees them."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any
from urllib.parse import quote

from jinja2 import Template
from lxml import etree, html

from engine.errors import TemplateMissing
from engine.render.compose import Composer
from engine.render.content import Content, Recipient, Sender
from engine.render.environment import SHIPPED, TemplateFolders, printed
from engine.render.flatten import unbundle
from engine.render.inline import InlinedTemplate, InlinePath, inline_html, inline_template
from engine.render.locale import catalogues
from engine.render.sandbox import Sandbox
from engine.render.shapes import ShapedTemplate

UNSUBSCRIBE = "https://shop.example/u/token-of-ana"
SENDER = Sender("Linden & Vale", "post@shop.example", "14 Orchard Lane, Galway H91 X2P3", "https://shop.example")
FOLDERS = TemplateFolders((SHIPPED,))
ADDRESSES = {"href", "src", "action"}


def card(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "title": f"Product {number}",
        "description": "Calms within minutes.",
        "link": f"https://shop.example/p/{number}",
        "image": f"https://shop.example/i/{number}.png",
        "image_width": 600,
        "image_height": 450,
        "alt": f"A jar, number {number}",
        "price_minor": 2450,
        "currency": "EUR",
        "brand": "Maren",
    } | changes


def content(source: str = "<p>{{ hero.title }}</p>", **changes: Any) -> Content:
    if "inlined" in changes:
        changes["path"] = InlinePath.ONCE if changes.pop("inlined") else InlinePath.EACH
    lines = {"subject": "{{ hero.title }}", "preheader": "For {{ subscriber.given_name }}"}
    return Content(
        **{
            "template": "weekly",
            "source": source,
            "path": InlinePath.ONCE,
            "places": (),
            "plain": "{{ hero.title }}: {{ links.unsubscribe }}",
            **lines,
            "variables": {},
            "defaults": lines | {name: line for name, line in changes.items() if name in lines},
            "messages": (),
            "catalogues": {},
            "language": "en",
            "sender": SENDER,
            "public_url": "https://shop.example",
        }
        | changes
    )


@cache
def prepared(name: str) -> InlinedTemplate:
    """A shipped template, inlined once."""
    return inline_template(FOLDERS.sandbox(), FOLDERS.source, f"{name}.html")


def shipped_content(name: str, **changes: Any) -> Content:
    """What all mails of a shipped template have in common, with its own words, subject and catalogues."""
    sheet, made = FOLDERS.sheet(name), prepared(name)
    given = {
        "template": name,
        "source": made.source,
        "path": made.path,
        "places": made.places,
        "plain": FOLDERS.source("layouts/plain.txt"),
        "subject": sheet.subject,
        "preheader": sheet.preheader,
        "defaults": {**sheet.defaults(), "subject": sheet.subject, "preheader": sheet.preheader},
        "catalogues": catalogues(FOLDERS.folders),
    }
    return content(**given | changes)


def recipient(*picks: int, **changes: Any) -> Recipient:
    return Recipient(
        **{
            "given_name": "Ana",
            "language": "en",
            "unsubscribe_url": UNSUBSCRIBE,
            "picks": [(number, "A good choice for dry skin") for number in picks or (1,)],
        }
        | changes
    )


def composer(
    source: str = "<p>{{ hero.title }}</p>", *, cards: Mapping[int, Any] | None = None, **changes: Any
) -> Composer:
    return Composer(content(source, **changes), cards or {number: card(number) for number in range(1, 13)})


class Files:
    """Template files in memory, prepared and rendered as the real ones are."""

    def __init__(self, main: str, **others: str) -> None:
        self.files = {"main.html": main} | {name + ".html": text for name, text in others.items()}

    def source_of(self, name: str) -> str:
        if name not in self.files:
            raise TemplateMissing(name)
        return self.files[name]

    @property
    def sandbox(self) -> Sandbox:
        return Sandbox(files=self.files)

    def prepared(self) -> InlinedTemplate:
        return inline_template(self.sandbox, self.source_of, "main.html")

    def slow(self, context: Mapping[str, Any]) -> str:
        """What is right by definition: Jinja over the files, then premailer over the finished mail."""
        return inline_html(self.sandbox.get_template("main.html").render(context))

    def sent(self, context: Mapping[str, Any]) -> str:
        """A mail from the prepared template alone, as it is frozen."""
        prepared = self.prepared()
        name, files = unbundle(prepared.source) or ("", {"": prepared.source})
        html = Sandbox(files=files).from_string(files[name]).render(context)
        return html if prepared.once else inline_html(html)

    def by_shapes(self) -> Callable[[Mapping[str, Any]], str]:
        """Renders mails of this template by their shapes; by itself where marks get lost."""
        compiled = Sandbox.get_template
        shaped = ShapedTemplate(self.files, lambda sandbox: compiled(sandbox, "main.html"), inline_html)
        return lambda context: shaped.render(lambda template: template.render(context)) or self.slow(context)

    def refusal(self) -> str:
        """Why this template is not inlined once."""
        prepared = self.prepared()
        assert not prepared.once, prepared.source
        return prepared.reason


def rendered(template: Template, context: Mapping[str, Any], name: str = "weekly") -> str:
    """All that a template prints."""
    return "".join(printed(template, template.new_context(dict(context)), name))


def fast(source: str, context: Mapping[str, Any]) -> str:
    """A template inlined once, rendered."""
    return Sandbox().from_string(source).render(context)


def dom(mail: str) -> tuple[object, ...]:
    """A document as plain data: elements, attributes, texts, comments. Addresses as premailer writes them, in ASCII."""
    return _plain(html.document_fromstring(mail))


def _plain(node: etree._Element) -> tuple[object, ...]:
    if not isinstance(node.tag, str):
        return ("comment", node.text)
    attributes = {name: _address(value) if name in ADDRESSES else value for name, value in node.attrib.items()}
    children: list[object] = []
    text = node.text or ""
    for child in node:
        children += [text, _plain(child)]
        text = child.tail or ""
    return (node.tag, tuple(sorted(attributes.items())), (*children, text))


def _address(value: str) -> str:
    """As libxml2 writes an address; Jinja prints it as it is, and `engine.render.cards` sees to it beforehand."""
    return quote(value.lstrip(" \t\n\r"), safe="\"#$%&+,/:;<=>?@[\\]^`{|}!*'()")


def elements(mail: str, tag: str) -> Sequence[etree._Element]:
    return list(html.document_fromstring(mail).iter(tag))
