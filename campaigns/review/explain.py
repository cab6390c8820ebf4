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
from campaigns.review.products import TEXT_PART, ProductsOf
from campaigns.review.tree import COMMENT, Ignored, tree_of

HERO, OTHERS, ORDER, FEWER, REWORDED = (
    "another hero product",
    "other products below the hero",
    "the same products in another order",
    "another number of products",
    "other words about a product",
)
SUBJECT = "subject"
UNSEEN_PART = "not looked at: its mail is in neither snapshot"
_SHORT = 60
_REMEMBERED = 100  # edits that are known by their lines; each holds two trees, of some 500 KB together
Lines = tuple[tuple[str, str], ...]


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
        self._known: dict[Lines, list[Change]] = {}

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
        person = ProductsOf(self._causes, one, other, reworded)
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
        person: ProductsOf,
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
            changes = self._in_html(person, first.html, second.html)
            for change in changes:
                said |= {(old, new) for _, old, new in signatures(change)}
                self._note(found, person, change)
        if before["text"] != after["text"] and TEXT_PART not in self._passed_over:
            for change in dom.text_changes(first.text, second.text, TEXT_PART):
                # what the HTML says as well is one change
                if not all((old, new) in said for _, old, new in signatures(change)):
                    self._note(found, person, change)

    def _in_html(self, person: ProductsOf, before: str, after: str) -> list[Change]:
        """What differs, from memory where the same lines became the same other lines in somebody else's mail.

        Not where products are others, or say something else: there it counts in whose place a line stands.
        """
        lines = None if person.differ else _other_lines(before, after)
        known = self._known.get(lines) if lines else None
        if known is not None:
            return known
        trees = tree_of(before, self._rules), tree_of(after, self._rules)
        person.read(*trees)
        changes = dom.changes_between(*trees)
        if lines and changes and len(self._known) < _REMEMBERED:
            self._known[lines] = changes
        return changes

    def _note(self, found: Explained, person: ProductsOf, change: Change) -> None:
        kinds = list(kinds_of(self._causes.of_words, change))
        why = person.explains(change)
        if why is None or not (why[0] or found.kinds):  # an explanation without any kind would hide the change
            for kind in kinds:
                found.add(kind, change.place, change.old, change.new)
            return
        fields, pair = why
        for words in fields:
            found.add(Kind("catalogue", f"{words} of a product"), change.place, change.old, change.new)
        if change.kind == WORDS and change.before is not None:
            found.by_products += [(kind, change.place, pair) for kind in kinds]


def _other_lines(before: str, after: str) -> Lines | None:
    """The lines that differ, in pairs; None where lines came or went."""
    first, second = before.split("\n"), after.split("\n")
    if len(first) != len(second):
        return None
    return tuple([(one, other) for one, other in zip(first, second, strict=True) if one != other])


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


def kinds_of(cause: str, change: Change) -> Iterator[Kind]:
    """A change as others may have it too: without names, and without what stands unchanged beside it."""
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
