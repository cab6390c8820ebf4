"""What a piece of HTML says by itself: its tags, links and pictures, found out once for all mails it stands in."""

import re
from dataclasses import dataclass
from functools import lru_cache
from html import unescape
from typing import NamedTuple, TypeVar
from urllib.parse import unquote

from engine.render.kept import Piece
from engine.render.wellformed import SPACE, Tag, parted, shape_of, tag_of

T = TypeVar("T")
MOST_KNOWN = 16_000_000  # characters of pieces that are kept: the cards of 10,000 products and more

NOTHING = frozenset[str]()
TOKEN = "hpTOKENhp"  # stands for what differs in each unsubscribe link, so that its piece is known too
_WEB = re.compile(
    r"(https?)://(\[[0-9a-f:.]+\]|[^\s/?#@:\\\[\]<>\"'`]+)(?::[0-9]{1,5})?(?:[/?#][^\s\\]*)?", re.IGNORECASE
)
_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
_ADDRESSES = ("href", "src", "background", "action", "formaction", "poster", "data", "xlink:href")
_CSS_ADDRESS = re.compile(r"url\(\s*(\"[^\"]*\"|'[^']*'|[^)\"']*)", re.IGNORECASE)
_MEASURE = re.compile(r"\s*[0-9]+(?:\.[0-9]+)?\s*(?:%|px)?\s*")
_ACTIVE = frozenset(["script", "iframe", "object", "embed", "applet", "base", "frame", "frameset"])
_INSIDE = re.compile(r"<!--\[if [^\]]*\]>(.*)<!\[endif\]-->", re.DOTALL)  # what Outlook reads of a comment


@dataclass(frozen=True)
class Finding:
    """Something wrong with a mail. severity: "error" stops the send, "warning" does not. weight: how bad it is beside
    others of its kind, such as a size in bytes."""

    severity: str
    check: str
    detail: str
    weight: float = 0


class Inspection(NamedTuple):
    """What a piece of HTML says by itself. size: bytes. leads_to: where its <a> lead. hosts: of all its addresses."""

    size: int
    shape: str
    findings: tuple[Finding, ...]
    hosts: frozenset[str]
    ids: tuple[str, ...]
    leads_to: frozenset[str]


def host_of(address: str) -> str:
    """The host a web address leads to, in small letters and without percent signs; empty for none.

    >>> host_of("https://Shop.example:8443/oil"), host_of("mailto:ana@shop.example")
    ('shop.example', '')
    """
    found = _WEB.fullmatch(address.strip(SPACE))
    return unquote(found[2]).lower() if found else ""


class _Known(dict[str, Inspection]):
    """Inspections by piece, forgotten all at once when they are too many: a slow mail is one piece of 30 KB."""

    room = MOST_KNOWN

    def keep(self, piece: str, inspection: Inspection) -> None:
        self.room -= len(piece) + 400  # what the rest of an entry takes
        if self.room < 0:
            self.clear()
            self.room = MOST_KNOWN - len(piece) - 400
        self[piece] = inspection


_KNOWN = _Known()


def inspected(markup: str, written: str, general_link: str) -> Inspection:
    """The inspection of a piece that is not known. written: this mail's unsubscribe link as it stands in HTML;
    general_link: what is put in its place, or each mail's piece with it would be a new one with a new tag."""
    known = _KNOWN.get(markup)
    if known is not None:
        return known
    piece = str(markup)  # Jinja's Markup escapes what it is asked to replace
    if "<" not in piece:
        return Inspection(bytes_in(piece), "#" if piece.strip(SPACE) else "", (), NOTHING, (), NOTHING)
    general = piece.replace(written, general_link) if written else piece
    inspection = _KNOWN.get(general)
    if inspection is None:
        parts = parted(general)
        # of the words between the tags only whether there are any: a greeting is as well nested with every name
        inspection = _of_markup(tuple(parts[1::2]), tuple([not text.strip(SPACE) for text in parts[::2]]))
        inspection = Inspection(bytes_in(general), *inspection[1:])
        if type(markup) is Piece and general == markup:
            markup.inspected = inspection
        else:
            _KNOWN.keep(general, inspection)
    return inspection if general is piece else Inspection(bytes_in(piece), *inspection[1:])


def bytes_in(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


@lru_cache(maxsize=4_096)
def _of_markup(markups: tuple[str, ...], blank: tuple[bool, ...]) -> Inspection:
    """The inspection of a piece of these markups, with words between them where not blank; its size is 0."""
    words = [" " if empty else "x" for empty in blank]
    shape = shape_of([part for pair in zip(words, (*markups, ""), strict=True) for part in pair][:-1])
    said = [_of_tag(markup) for markup in markups]
    return Inspection(
        size=0,
        shape=_same(shape),
        findings=tuple(finding for one in said for finding in one.findings),
        hosts=_same(frozenset(host for one in said for host in one.hosts)),
        ids=tuple(name for one in said for name in one.ids),
        leads_to=frozenset(address for one in said for address in one.leads_to),
    )


@lru_cache(maxsize=16_384)  # the tag of a product is the same in every mail it is in
def _of_tag(markup: str) -> Inspection:
    """What one tag, or a comment or style sheet as a whole, says by itself."""
    if inside := _INSIDE.fullmatch(markup):
        read = [_of_tag(inner) for inner in parted(inside[1])[1::2]]
        findings = tuple(finding for one in read for finding in one.findings)
        return Inspection(0, "", findings, frozenset(host for one in read for host in one.hosts), (), NOTHING)
    tag = tag_of(markup)
    if tag is None or tag.closes:
        return Inspection(0, "", (), NOTHING, (), NOTHING)
    css = markup if tag.name == "style" else tag.attributes.get("style", "")
    addresses = [(name, unescape(tag.attributes[name])) for name in _ADDRESSES if name in tag.attributes]
    addresses += [("url()", unescape(found).strip("\"' ")) for found in _CSS_ADDRESS.findall(unescape(css))]
    found = [finding for name, address in addresses if (finding := _link_finding(tag.name, name, address))]
    if tag.name == "img" and (problem := _image_problem(tag)):
        found.append(Finding("error", "image", problem))
    if tag.name in _ACTIVE or any(name.startswith("on") for name in tag.attributes):
        found.append(Finding("error", "active content", f"{markup[:60]!r} can run, and mail programs take it out"))
    if tag.name == "meta" and tag.attributes.get("http-equiv", "").strip().lower() == "refresh":
        found.append(Finding("error", "active content", "<meta http-equiv=refresh> leads away by itself"))
    name = unescape(tag.attributes.get("id", ""))
    href = unescape(tag.attributes.get("href", "")).strip(SPACE)
    return Inspection(
        size=0,
        shape="",
        findings=tuple(found),
        hosts=frozenset(host for _, address in addresses if (host := host_of(address))),
        ids=(name,) if name else (),
        leads_to=frozenset((href,)) if tag.name == "a" and href else NOTHING,
    )


def _link_finding(element: str, attribute: str, written: str) -> Finding | None:
    """What is wrong with an address: https is right, http only on this machine, mailto and tel for what is clicked.

    All else is refused by name or not: what browsers read as javascript: can be written in a hundred ways.
    """
    address = written.strip(SPACE)
    if not address and (element, attribute) == ("img", "src"):
        return None  # an image without src is said once
    if address in ("", "#"):
        return Finding("error", "link", f"<{element} {attribute}> leads nowhere")
    if attribute == "href" and re.match(r"(?:mailto|tel):[^\s<>\"]+\Z", address, re.IGNORECASE):
        return None
    web = _WEB.fullmatch(address)
    if not web or not address.isprintable():
        return Finding("error", "link", f"<{element} {attribute}> is no https address: {address[:80]!r}")
    if web[1].lower() == "http" and web[2].lower() not in _LOOPBACK:
        return Finding("warning", "link", f"<{element} {attribute}> is not encrypted: {address[:80]}")
    return None


def _image_problem(tag: Tag) -> str:
    """What an <img> lacks; empty when nothing. alt="" is right for a picture that says it is decoration alone, with
    role="presentation", role="none" or aria-hidden="true"; a product's picture has words."""
    said = {name: unescape(value).strip() for name, value in tag.attributes.items()}
    decoration = said.get("role") in ("presentation", "none") or said.get("aria-hidden") == "true"
    missing = [name for name in ("src", "alt") if not said.get(name) and not (name == "alt" in said and decoration)]
    missing += [name for name in ("width", "height") if not _MEASURE.fullmatch(said.get(name, ""))]
    return f"has no {', '.join(missing)}: {said.get('src', '')[:80]}" if missing else ""


@lru_cache(maxsize=4_096)
def _same(value: T) -> T:
    """The first of equal values: cards are built alike, and what they have in common is better one object in a thousand
    mails than one each (15 µs a mail, all of it waiting for memory)."""
    return value
