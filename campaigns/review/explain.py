"""What became of one person's mail: changes that are alike for many people, without what is that person's own.

Another product brings other words, links and pictures with it: those are one change, not twelve. What differs in the
place of a product that is another one, or says something else, is its doing, unless it is something no product says,
such as a colour.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from campaigns.review import dom
from campaigns.review.archive import Kept
from campaigns.review.causes import Causes
from campaigns.review.dom import ADDED, ATTRIBUTE, LINK, MOVED, REMOVED, WORDS, Change
from campaigns.review.tree import COMMENT, MANY, TEXT, Ignored, Node, tree_of

HERO, OTHERS, ORDER, FEWER, REWORDED = (
    "another hero product",
    "other products below the hero",
    "the same products in another order",
    "another number of products",
    "other words about a product",
)
SUBJECT, TEXT_PART = "subject", "text part"
UNSEEN_PART = "not looked at: its mail is in neither snapshot"
_SAID_BY_PRODUCTS = ("alt", "title", "width", "height", "aria-label")
_SHORT = 60
_CUT_AT_LEAST = 10  # characters of a title that are left before an ellipsis


@dataclass(frozen=True)
class Kind:
    """A change as many people have it. family: all such changes at this place, whatever they say. exact: all of what a
    title shortens."""

    cause: str
    title: str
    family: str = field(default="", compare=False)
    exact: str = ""


@dataclass
class Explained:
    """What was found in one mail. by_products: words that a product brought, for a second look at all of them.

    places: where it was seen first, by kind.
    """

    kinds: list[Kind] = field(default_factory=list)
    by_products: list[tuple[Kind, str, str]] = field(default_factory=list)
    places: dict[Kind, tuple[str, str, str]] = field(default_factory=dict)

    def add(self, kind: Kind, place: str = "", old: str = "", new: str = "") -> None:
        """Note a kind of change, once."""
        if kind not in self.places:
            self.kinds.append(kind)
            self.places[kind] = place, old, new


class Looker:
    """Looks at the mails of people whose hashes differ. passed_over: subject, text part; see `ignored` for elements."""

    def __init__(self, causes: Causes, rules: Ignored | None, passed_over: Iterable[str] = ()) -> None:
        self._causes, self._rules, self._passed_over = causes, rules, frozenset(passed_over)

    def look(self, before: dict[str, Any], after: dict[str, Any], mails: tuple[Kept | None, Kept | None]) -> Explained:
        """What differs for one person, from their lines in the manifests and, where they were kept, their mails."""
        found, first, second = Explained(), mails[0], mails[1]
        one, other = before["products"], after["products"]
        reworded = one == other and before["picks"] != after["picks"]
        if one != other:
            found.add(Kind(self._causes.of_person_picks(one, other), _picks_words(one, other)))
        elif reworded:
            found.add(Kind(self._causes.of_sentences, REWORDED))
        if first is None or second is None:
            self._by_hashes(found, before, after)
            return found
        person = _Person(self._causes, one, other, reworded)
        self._seen(found, person, first, second, before, after)
        return found

    def _by_hashes(self, found: Explained, before: dict[str, Any], after: dict[str, Any]) -> None:
        for code in dict.fromkeys(code for code in before["products"] if code in after["products"]):
            for words in self._causes.changed_fields(code):
                found.add(Kind("catalogue", f"{words} of a product"))
        parts = [name for name in ("subject", "html", "text") if before[name] != after[name]]
        if not found.kinds or self._causes.words_may_differ:
            found.add(Kind(self._causes.of_words, f"{', '.join(parts)} {UNSEEN_PART}"))

    def _seen(  # noqa: PLR0917 - both sides, three times
        self,
        found: Explained,
        person: "_Person",
        first: Kept,
        second: Kept,
        before: dict[str, Any],
        after: dict[str, Any],
    ) -> None:
        if before["subject"] != after["subject"] and SUBJECT not in self._passed_over:
            change = Change(WORDS, SUBJECT, SUBJECT, first.subject, second.subject)
            self._note(found, person, change)
        said = set[tuple[str, str]]()
        if before["html"] != after["html"]:
            trees = tree_of(first.html, self._rules), tree_of(second.html, self._rules)
            person.read(*trees)
            for change in dom.changes_between(*trees):
                said |= {(old, new) for _, old, new in signatures(change)}
                self._note(found, person, change)
        if before["text"] != after["text"] and TEXT_PART not in self._passed_over:
            for change in dom.text_changes(first.text, second.text, TEXT_PART):
                # what the HTML says as well is one change
                if not all((old, new) in said for _, old, new in signatures(change)):
                    self._note(found, person, change)

    def _note(self, found: Explained, person: "_Person", change: Change) -> None:
        kinds = list(_kinds(self._causes.of_words, change))
        why = person.explains(change)
        if why is None:
            for kind in kinds:
                found.add(kind, change.place, change.old, change.new)
            return
        fields, pair = why
        for words in fields:
            found.add(Kind("catalogue", f"{words} of a product"), change.place, change.old, change.new)
        if change.kind == WORDS and change.before is not None:
            found.by_products += [(kind, change.place, pair) for kind in kinds]


class _Person:
    """Which product stands where in one person's mails."""

    def __init__(self, causes: Causes, before: list[str], after: list[str], reworded: bool) -> None:
        self._causes, self._reworded = causes, reworded
        self._before, self._after = before, after
        self._other = before != after
        self._codes = _codes_by_address(causes.first, before), _codes_by_address(causes.second, after)
        self._fields = {code: causes.changed_fields(code) for code in before if code in after}
        self._moves = self._other or any(self._fields.values())
        self._said = list[str](), list[str]()

    def read(self, before: Node, after: Node) -> None:
        """Learn what the products of each mail say, such as why they were picked: preheaders say it again."""
        if not (self._moves or self._reworded):
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
        if not (self._moves or self._reworded):
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
            return tuple(
                words for words in fields if words in ("title", "link", "price")
            ), f"{self._before[:1]} {self._after[:1]}"
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


def signatures(change: Change) -> Iterator[tuple[str, str, str]]:
    """(what, before, after) of a change, without what stands unchanged beside it."""
    if change.kind in (WORDS, ATTRIBUTE):
        old, new = dom.narrowed(change.old, change.new)
        links = dom.as_link(old, new)
        for what, before, after in links:
            yield f"href {what}", before, after
        if not links:
            yield change.what, old, new
    else:
        yield change.what, change.old, change.new


def _kinds(cause: str, change: Change) -> Iterator[Kind]:
    node = change.before or change.after
    if change.kind in (ADDED, REMOVED, MOVED):
        where = TEXT_PART if node is None else node.parent.place if node.parent else ""
        shape = "" if node is None else " ".join(part.name for part in node.walk() if not part.tag.startswith("#"))
        detail = "paragraph" if node is None else node.name
        if node is not None and node.tag == COMMENT:
            detail = f"what only Outlook reads ({short(node.text)})"
        elif node is not None and not shape:
            detail = f"words {short(node.text)!r}"
        yield Kind(cause, f"{change.kind} in {where}: {detail}", f"{change.kind} {where} {shape}")
        return
    for what, old, new in signatures(change):
        where = f"{TEXT_PART}, " if change.place == TEXT_PART else ""
        name = {WORDS: what or "words", "style": f"style {what}", "element": "element", LINK: f"link {what}"}.get(
            change.kind, what
        )
        if what.startswith("href ") and change.kind == WORDS:
            name = f"link {what}"
        place = change.place if change.kind == WORDS else ""
        yield Kind(
            cause,
            f"{where}{name}: {short(old)!r} → {short(new)!r}",
            f"{where}{name} in {place}" if place not in ("", name, TEXT_PART) else f"{where}{name}",
            f"{old}\n{new}",
        )


def short(text: str) -> str:
    """A text that fits in a line of a report."""
    text = " ".join(text.split(" ")).replace("\n", " ")
    return text if len(text) <= _SHORT else f"{text[: _SHORT - 16]}…{text[-15:]}"


def _picks_words(before: list[str], after: list[str]) -> str:
    if before[:1] != after[:1]:
        return HERO
    if len(before) != len(after):
        return FEWER
    return ORDER if set(before) == set(after) else OTHERS


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
