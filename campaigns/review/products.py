"""Which product stands where in one person's mails, and which changes are the doing of those products.

What stands in a product's place is what is nearest to its links and pictures, and to nobody else's. There, words,
pictures and links that differ are the product's doing when it is another product, or says something else; a colour
never is.
"""

from typing import Any

from campaigns.review.causes import Causes
from campaigns.review.dom import ADDED, ATTRIBUTE, LINK, MOVED, REMOVED, WORDS, Change
from campaigns.review.tree import COMMENT, MANY, TEXT, Node

TEXT_PART = "text part"
_SAID_BY_PRODUCTS = ("alt", "title", "width", "height", "aria-label")
_CUT_AT_LEAST = 10  # characters of a title that are left before an ellipsis


class ProductsOf:
    """The products of one person, before and after. reworded: the same ones, with other sentences."""

    def __init__(self, causes: Causes, before: list[str], after: list[str], reworded: bool) -> None:
        self._causes, self._reworded = causes, reworded
        self._before, self._after = before, after
        self._other = before != after
        self._codes = _codes_by_address(causes.first, before), _codes_by_address(causes.second, after)
        self._fields = {code: causes.changed_fields(code) for code in before if code in after}
        self._moves = self._other or any(self._fields.values())
        self._said = list[str](), list[str]()

    @property
    def differ(self) -> bool:
        """Whether anything about these products is not as it was."""
        return self._moves or self._reworded

    def read(self, before: Node, after: Node) -> None:
        """Learn what the products of each mail say, such as why they were picked: preheaders say it again."""
        if not self.differ:
            return
        one, other = (
            {
                (owner, node.text.strip())
                for node in tree.walk()
                if node.tag == TEXT and (owner := self._owner(node, side))
            }
            for side, tree in enumerate((before, after))
        )
        by_length = {"key": len, "reverse": True}
        self._said = (
            sorted((text for _, text in (one if self._other else one - other) if len(text) > 1), **by_length),  # type: ignore[call-overload]
            sorted((text for _, text in (other if self._other else other - one) if len(text) > 1), **by_length),  # type: ignore[call-overload]
        )

    def explains(self, change: Change) -> tuple[tuple[str, ...], str] | None:
        """(what its products say now, which products) where the change is their doing; None where it is not."""
        if not self.differ:
            return None
        one = self._owner(change.before, 0) if change.before else None
        other = self._owner(change.after, 1) if change.after else None
        pair = f"{one} {other}"
        if change.kind in (ADDED, REMOVED, MOVED):
            return self._explains_structure(change, one or other, pair)
        if one and other and self._said_by_a_product(change, one, other):
            if one != other:
                return (), pair
            if self._fields.get(one):
                return self._fields[one], pair
            if self._reworded and change.kind == WORDS:
                return (), pair
        if change.kind in (WORDS, ATTRIBUTE) and self._same_but_for_titles(change):
            fields = next(
                (self._fields[code] for code in self._before if not self._other and self._fields.get(code)), ()
            )
            return fields, f"{self._before[:1]} {self._after[:1]}"
        return None

    def _explains_structure(self, change: Change, code: str | None, pair: str) -> tuple[tuple[str, ...], str] | None:
        node = change.before or change.after
        if node is None:  # a paragraph of the text part
            told = change.old or change.new
            side = 0 if change.old else 1
            mine = [code for address, code in self._codes[side].items() if address in told]
            return ((), pair) if self._other and mine else None
        side = 0 if change.before else 1
        several = _addresses_in(node)
        own = bool(several) and all(self._code_of(address, side) for address in several)
        if self._other and (
            own or (code and code not in (set(self._before) & set(self._after))) or self._swapped(code)
        ):
            return (), pair
        if self._other and node.tag in (TEXT, COMMENT) and change.kind == MOVED:
            return (), pair  # what stood between two products
        if self._other and node.tag in (TEXT, COMMENT) and len(self._before) != len(self._after):
            return (), pair
        if not self._other and code and self._fields.get(code) and change.kind != MOVED:
            return self._fields[code], pair
        if self._reworded and code and change.kind != MOVED and node.words and len(list(node.walk())) <= 3:
            return (), pair
        return None

    def _swapped(self, code: str | None) -> bool:
        """Whether this product stands elsewhere in the list now."""
        return bool(code and code in self._before and code in self._after) and self._before.index(
            str(code)
        ) != self._after.index(str(code))

    def _said_by_a_product(self, change: Change, one: str, other: str) -> bool:
        if change.kind == WORDS:
            return change.what != "Outlook"
        if change.kind == ATTRIBUTE:
            return change.what in _SAID_BY_PRODUCTS
        if change.kind != LINK or not (change.before and change.after):
            return False
        name = change.what.partition(" ")[0]
        first = _rest(change.before.attributes.get(name, ""), self._causes.first.get(one, {}))
        second = _rest(change.after.attributes.get(name, ""), self._causes.second.get(other, {}))
        return first == second or not change.what.partition(" ")[2].startswith(("?", "#"))

    def _same_but_for_titles(self, change: Change) -> bool:
        first = _without(change.old, _titles(self._causes.first, self._before) + self._said[0])
        second = _without(change.new, _titles(self._causes.second, self._after) + self._said[1])
        if first == second:
            return True
        # a paragraph of the text part stands for the product whose link is in it
        return (
            change.before is None
            and change.place == TEXT_PART
            and bool(mine := _named(change.old, self._codes[0]))
            and bool(theirs := _named(change.new, self._codes[1]))
            and (mine != theirs or bool(self._fields.get(mine)))
        )

    def _owner(self, node: Node, side: int) -> str | None:
        """The product in whose place a node stands: all the nearest links and pictures are this one's."""
        at: Node | None = node
        while at is not None and not at.addresses:
            at = at.parent
        if at is None or at.addresses is MANY:
            return None
        codes = {self._code_of(address, side) for address in at.addresses}
        return codes.pop() if len(codes) == 1 else None

    def _code_of(self, address: str, side: int) -> str | None:
        codes = self._codes[side]
        found = codes.get(address)
        if found is None and ("?" in address or "#" in address):
            longer = [(known + "?", known + "&", known + "#") for known in codes]
            return next((codes[ends[0][:-1]] for ends in longer if address.startswith(ends)), None)
        return found


def _codes_by_address(products: Any, codes: list[str]) -> dict[str, str]:
    found = dict[str, str]()
    shared = set[str]()
    for code in codes:
        for name in ("link", "image"):
            address = str(products.get(code, {}).get(name, ""))
            if address and found.setdefault(address, code) != code:
                shared.add(address)  # a picture that two products have says nothing
    return {address: code for address, code in found.items() if address not in shared}


def _addresses_in(node: Node) -> set[str]:
    names = ("href", "src", "background")
    return {part.attributes[name] for part in node.walk() for name in names if part.attributes.get(name)}


def _named(text: str, codes: dict[str, str]) -> str:
    return next((code for address, code in codes.items() if address in text), "")


def _rest(address: str, card: Any) -> str:
    for name in ("link", "image"):
        known = str(card.get(name, ""))
        if known and address.startswith(known):
            return address[len(known) :].lstrip("?&")
    return address


def _titles(products: Any, codes: list[str]) -> list[str]:
    titles = [str(products.get(code, {}).get("title", "")) for code in codes]
    return sorted(filter(None, titles), key=len, reverse=True)


def _without(text: str, said: list[str]) -> str:
    """A text with a mark where products say something, also what is cut short with an ellipsis."""
    for words in said:
        text = text.replace(words, "\0")
    head, ellipsis, tail = text.partition("…")
    if ellipsis:
        for words in said:
            ends = (words[:length].rstrip() for length in range(len(words), _CUT_AT_LEAST, -1))
            if end := next((end for end in ends if head.endswith(end)), ""):
                return f"{head[: -len(end)]}\0{tail}"
    return text
