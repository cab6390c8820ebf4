"""All that the mails of a run in one language have in common, ready to be filled for one person after the other."""

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

from jinja2 import Template
from jinja2.runtime import Context

from engine.render.banners import banners_in, chosen
from engine.render.content import Card, Content, Recipient
from engine.render.environment import compiled, compiling, keep_wrapped, printed
from engine.render.flatten import place_of, unbundle
from engine.render.inline import InlinePath, inline_html, speak
from engine.render.kept import Kept
from engine.render.languages import line_in, variables_in, words_for
from engine.render.pieces import PieceSandbox, Program, cut
from engine.render.sandbox import Sandbox
from engine.render.shapes import ShapedTemplate


def cut_or_broken(source: str, name: str, *, text: bool, first: int = 0) -> Program | None:
    """`cut`, with what is wrong with the source in a sentence. Raises TemplateBroken."""
    with compiling(name):
        return cut(source, text=text, first=first)


class Edition:
    """Fills one language's templates. cards: by sku_id; may grow, and a product's card never changes."""

    def __init__(self, content: Content, locale: str, cards: Mapping[int, Card]) -> None:
        self._content, self._cards = content, cards
        self._words = words_for(content, locale)
        self._kept = Kept()
        self._prices: dict[int, str] = {}
        campaign = variables_in(content, self._words)
        sender = content.sender
        self._banners = banners_in(campaign.get("banners", ""), home=sender.website)
        self._html_sandbox = self._speaking(PieceSandbox(self._kept))
        self._text_sandbox = self._speaking(PieceSandbox(self._kept, autoescape=False))
        keep_wrapped(self._text_sandbox)
        self._common = {
            **self._html_sandbox.globals,
            "campaign": campaign,
            "sender": {"name": sender.name, "postal_address": sender.postal_address, "website": sender.website},
            "language": self._words.language,
            "direction": self._words.direction,
        }

    def compose(self, recipient: Recipient) -> tuple[str, str, tuple[str, ...], tuple[str, ...]]:
        """(subject, preheader, pieces of the HTML, pieces of the text) for one person. Raises TemplateBroken."""
        told = self.context(recipient)
        # one context for all that is text, one for the HTML: Jinja's own way to make one takes 6 µs a template
        lines = Context(self._text_sandbox, told, None, {})
        told["subject"] = subject = self._line(self._subject, lines, "subject")
        told["preheader"] = preheader = self._line(self._preheader, lines, "preheader")
        return subject, preheader, self._html(Context(self._html_sandbox, told, None, {})), self._text(lines)

    def context(self, recipient: Recipient) -> dict[str, Any]:
        """What the templates see, all but subject and preheader."""
        known = self._kept.shared.get
        cards = [known(pick) or self._worded(pick) for pick in recipient.picks]
        return {
            **self._common,
            "subscriber": {"given_name": recipient.given_name},
            "hero": cards[0],
            "picks": cards[1:],
            "banner": self._banner(recipient.banner),
            "links": {"unsubscribe": recipient.unsubscribe_url, "home": self._content.sender.website},
        }

    def _html(self, context: Context) -> tuple[str, ...]:
        if self._in_pieces:
            return tuple(printed(self._in_pieces, context, self._content.template, self._place))
        return (self._uncut(context),)

    def _text(self, context: Context) -> tuple[str, ...]:
        """Pieces that are whole lines, without blank lines around."""
        template, cuttable = self._plain
        pieces = printed(template, context, f"{self._content.template}, text part")
        if not cuttable:
            pieces = ["".join(pieces)]
        while pieces and not pieces[0].strip():
            del pieces[0]
        while pieces and not pieces[-1].strip():
            del pieces[-1]
        if pieces:
            pieces[0] = pieces[0].lstrip() if pieces[0][0].isspace() else pieces[0]
            pieces[-1] = pieces[-1].rstrip() + "\n"
        return tuple(pieces)

    @cached_property
    def _program(self) -> Program | None:
        if self._content.path is not InlinePath.ONCE:
            return None
        return cut_or_broken(self._content.source, self._content.template, text=False)

    @cached_property
    def _in_pieces(self) -> Template | None:
        return self._html_sandbox.in_pieces(self._program) if self._program else None

    @cached_property
    def _plain(self) -> tuple[Template, bool]:
        name, source = f"{self._content.template}, text part", self._content.plain
        program = cut_or_broken(source, name, text=True, first=self._program.pieces if self._program else 0)
        if program is None:
            return compiled(self._text_sandbox, source, name), False
        return self._text_sandbox.in_pieces(program), True

    @cached_property
    def _subject(self) -> Template:
        return self._compiled_line("subject")

    @cached_property
    def _preheader(self) -> Template:
        return self._compiled_line("preheader")

    @cached_property
    def _uncut(self) -> Callable[[Context], str]:
        """Renders the HTML in one go, by whichever way the template needs."""
        content, bundled = self._content, unbundle(self._content.source)
        name, files = bundled or ("", {"": content.source})
        if content.path is InlinePath.ONCE:
            template = compiled(self._html_sandbox, content.source, content.template)
            return lambda context: "".join(printed(template, context, content.template, self._place))
        sandbox = self._speaking(Sandbox(files=files))
        plain = compiled(sandbox, files[name], content.template)

        def filled(template: Template, context: Context) -> str:
            return "".join(printed(template, template.new_context(context.parent, shared=True), content.template))

        def by_itself(context: Context) -> str:
            return inline_html(filled(plain, context), content.template)

        if content.path is InlinePath.EACH:
            return by_itself
        shaped = ShapedTemplate(
            files,
            lambda marking: compiled(self._speaking(marking), files[name], content.template),
            lambda html: inline_html(html, content.template),
        )
        return lambda context: shaped.render(lambda template: filled(template, context)) or by_itself(context)

    def _compiled_line(self, name: str) -> Template:
        source = line_in(self._content, name, self._words)
        return compiled(self._text_sandbox, source, f"{self._content.template}, {name}")

    def _line(self, template: Template, context: Context, name: str) -> str:
        return " ".join("".join(printed(template, context, f"{self._content.template}, {name}")).split())

    def _place(self, line: int, said: str) -> str:
        """Where that which stands in a line of the inlined source comes from; "" when it is not known."""
        return place_of(self._html_sandbox, self._content.source, self._content.places, line, said)

    def _speaking(self, sandbox: Any) -> Any:
        speak(sandbox, self._words)
        return sandbox

    def _worded(self, pick: tuple[int, str]) -> dict[str, Any]:
        sku_id, sentence = pick
        card = self._cards[sku_id]
        price = self._prices.get(sku_id)
        if price is None:
            price = self._prices[sku_id] = self._words.money(card["price_minor"], card["currency"])
        return self._kept.share(pick, {**card, "price": price, "reason": sentence})

    def _banner(self, label: str) -> dict[str, Any]:
        name = ("banner", label)
        return self._kept.shared.get(name) or self._kept.share(name, chosen(self._banners, label).as_plain())
