"""What every finished mail must have. Errors stop a send; warnings are counted.

A piece that stands in many mails is looked at once and known from then on; of a new piece only the tags are looked at
that are not known either. What remains in each mail is adding up: 17 µs for a shipped mail of 29 pieces, 3 of
them new, and 900 µs for one in a single piece that nobody has seen.

A word such as "None" is no finding, for a product may be called so; an element or link that a template left empty is.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from html import escape, unescape
from typing import NamedTuple, TypeVar
from urllib.parse import unquote

from engine.render.content import Mail, Sender
from engine.render.kept import Piece
from engine.render.wellformed import SPACE, Tag, nesting, parted, shape_of, tag_of

T = TypeVar("T")
GMAIL_CLIPS_AT = 102 * 1024  # bytes of HTML; what follows, unsubscribe link included, is hidden behind a link
LONGEST_SUBJECT = 200
SHOWN_SUBJECT = 70  # characters; what the widest inboxes show, phones show some 40
SHOWN_PREHEADER = 140
LONGEST_LINE = 998  # octets: RFC 5322 section 2.1.1
FEWEST_WORDS = 10  # characters of a text part besides unsubscribe link and postal address: a word or two
MOST_KNOWN = 16_000_000  # characters of pieces that are kept: the cards of 10,000 products and more

_NOTHING = frozenset[str]()
_TOKEN = "hpTOKENhp"  # stands for what differs in each unsubscribe link, so that its piece is known too
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


def check(mail: Mail, sender: Sender, unsubscribe_url: str, known_hosts: frozenset[str] | None = None) -> list[Finding]:
    """Everything wrong with this mail, errors first, each once. known_hosts: where links may lead, see `host_of`."""
    found = [
        *_in_html(mail, sender, unsubscribe_url, known_hosts),
        *_in_text(mail, sender, unsubscribe_url),
        *_in_lines(mail.subject, mail.preheader),
    ]
    if mail.leftovers:
        found += _unresolved(mail)
    return sorted(set(found), key=lambda finding: (finding.severity, finding.check, finding.detail)) if found else []


def host_of(address: str) -> str:
    """The host a web address leads to, in small letters and without percent signs; empty for none.

    >>> host_of("https://Shop.example:8443/oil"), host_of("mailto:ana@shop.example")
    ('shop.example', '')
    """
    found = _WEB.fullmatch(address.strip(SPACE))
    return unquote(found[2]).lower() if found else ""


def _in_html(mail: Mail, sender: Sender, unsubscribe_url: str, known: frozenset[str] | None) -> list[Finding]:
    start = unsubscribe_url[: unsubscribe_url.rfind("/") + 1]
    written, general = _escaped(unsubscribe_url, start)
    found = list[Finding]()
    inspections = [
        (type(piece) is Piece and piece.inspected) or _inspected(piece, written, general) for piece in mail.pieces
    ]
    sizes, shapes, findings, hosts, ids, leads_to = zip(*inspections, strict=True) if inspections else ((),) * 6
    total, (fault, empty) = sum(sizes), nesting(shapes)
    general_url = start + _TOKEN
    linked = any(general_url in targets or unsubscribe_url in targets for targets in reversed(leads_to))  # at the foot
    if any(findings):
        found += [finding for several in findings for finding in several]
    if any(ids):
        found += _repeated([name for several in ids for name in several])
    if known is not None and not known.issuperset(_NOTHING.union(*{*hosts})):  # the same few sets again and again
        found += [
            Finding("warning", "unknown link", f"leads to {host}, which is neither yours nor a product's")
            for host in _NOTHING.union(*hosts) - known
        ]
    if not linked:
        found.append(Finding("error", "unsubscribe link", "is missing from the HTML"))
    if not _shown(mail, sender.postal_address):
        found.append(Finding("error", "postal address", "is missing from the HTML"))
    if total > GMAIL_CLIPS_AT:
        words = f"{total // 1024} KB of HTML; Gmail hides what comes after 102 KB"
        found.append(Finding("warning", "size", words, total))
    if fault:
        found.append(Finding("error", "html", fault))
    if empty:
        found += map(_of_empty, empty)
    return found


def _repeated(ids: list[str]) -> Iterator[Finding]:
    for name, times in Counter(ids).items():
        if times > 1:
            yield Finding("warning", "html", f"id {name[:60]!r} stands in it more than once")


def _of_empty(element: str) -> Finding:
    name, _, kind = element.partition(" ")
    words = f'<{name} class="{kind}">' if kind else f"<{name}>"
    if name == "a":
        return Finding("error", "link", f"{words} has no words and no picture with an alt text to click on")
    return Finding("warning", "empty element", f"{words} has nothing in it")


def _in_text(mail: Mail, sender: Sender, unsubscribe_url: str) -> list[Finding]:
    found, address = list[Finding](), sender.postal_address.strip()
    lines = [_lines_of(piece) for piece in mail.text_pieces]
    signs, longest = sum([seen for seen, _ in lines]), max([width for _, width in lines], default=0)
    linked = any(unsubscribe_url in piece for piece in reversed(mail.text_pieces)) or unsubscribe_url in mail.text
    if not linked:
        found.append(Finding("error", "unsubscribe link", "is missing from the text part"))
    at_the_foot = any(address in piece for piece in reversed(mail.text_pieces))
    addressed = bool(address) and (at_the_foot or address in mail.text or _plain(address) in _plain(mail.text))
    if not addressed:
        found.append(Finding("error", "postal address", "is missing from the text part"))
    if signs - len(unsubscribe_url) * linked - len(address) * addressed < FEWEST_WORDS:
        found.append(Finding("error", "text part", "says next to nothing; some people read no other"))
    if longest > LONGEST_LINE:
        # no error: quoted-printable carries it, and the long link of one product must not stop a run
        words = f"has a line of {longest} bytes; some programs cut it after {LONGEST_LINE}"
        found.append(Finding("warning", "text part", words, longest))
    return found


def _in_lines(subject: str, preheader: str) -> Iterator[Finding]:
    length = len(subject)
    if not subject:
        yield Finding("error", "subject", "is empty")
    elif length > LONGEST_SUBJECT:
        words = f"has {length} characters; at most {LONGEST_SUBJECT} are shown anywhere"
        yield Finding("error", "subject", words, length)
    elif length > SHOWN_SUBJECT:
        yield Finding("warning", "subject", f"has {length} characters; inboxes show some {SHOWN_SUBJECT}", length)
    if not preheader:
        yield Finding("warning", "preheader", "is empty: inboxes show the first words of the mail instead")
    elif len(preheader) > SHOWN_PREHEADER:
        words = f"has {len(preheader)} characters; inboxes show at most {SHOWN_PREHEADER}"
        yield Finding("warning", "preheader", words, len(preheader))
    elif subject and preheader.casefold().startswith(subject.casefold()):
        yield Finding("warning", "preheader", "says the subject again: the inbox shows one beside the other")


def _unresolved(mail: Mail) -> Iterator[Finding]:
    html = unescape(mail.html)
    for leftover in mail.leftovers:
        if leftover in html or leftover in mail.text or leftover in mail.subject:
            yield Finding("error", "unresolved variable", f"{leftover[:80]!r} would be read as it is")


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


def _inspected(markup: str, written: str, general_link: str) -> Inspection:
    """The inspection of a piece that is not known. written: this mail's unsubscribe link as it stands in HTML;
    general_link: what is put in its place, or each mail's piece with it would be a new one with a new tag."""
    known = _KNOWN.get(markup)
    if known is not None:
        return known
    piece = str(markup)  # Jinja's Markup escapes what it is asked to replace
    if "<" not in piece:
        return Inspection(_bytes(piece), "#" if piece.strip(SPACE) else "", (), _NOTHING, (), _NOTHING)
    general = piece.replace(written, general_link) if written else piece
    inspection = _KNOWN.get(general)
    if inspection is None:
        parts = parted(general)
        # of the words between the tags only whether there are any: a greeting is as well nested with every name
        inspection = _of_markup(tuple(parts[1::2]), tuple([not text.strip(SPACE) for text in parts[::2]]))
        inspection = Inspection(_bytes(general), *inspection[1:])
        if type(markup) is Piece and general == markup:
            markup.inspected = inspection
        else:
            _KNOWN.keep(general, inspection)
    return inspection if general is piece else Inspection(_bytes(piece), *inspection[1:])


def _bytes(text: str) -> int:
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
        return Inspection(0, "", findings, frozenset(host for one in read for host in one.hosts), (), _NOTHING)
    tag = tag_of(markup)
    if tag is None or tag.closes:
        return Inspection(0, "", (), _NOTHING, (), _NOTHING)
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
        leads_to=frozenset((href,)) if tag.name == "a" and href else _NOTHING,
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


@lru_cache(maxsize=64)
def _escaped(url: str, start: str) -> tuple[str, str]:
    return escape(url, quote=False), escape(start, quote=False) + _TOKEN


def _shown(mail: Mail, postal_address: str) -> bool:
    """Whether the HTML has this text in it, to be read: not in a comment, a tag or a style sheet."""
    words = _plain(postal_address)
    if not words:
        return False
    # it stands at the foot; and only where no piece has it, it may be cut in two
    return any(_shows(piece, words) for piece in reversed(mail.pieces)) or _shows(mail.html, words)


@lru_cache(maxsize=4_096)
def _shows(piece: str, words: str) -> bool:
    return words in _plain(unescape(" ".join(parted(piece)[::2])))


def _plain(text: str) -> str:
    """Text as a reader sees it: white space is one space."""
    return " ".join(text.split())


@lru_cache(maxsize=4_096)
def _same(value: T) -> T:
    """The first of equal values: cards are built alike, and what they have in common is better one object in a thousand
    mails than one each (15 µs a mail, all of it waiting for memory)."""
    return value


def _lines_of(piece: str) -> tuple[int, int]:
    """How many signs a piece of the text part has, and how many bytes its longest line."""
    known: tuple[int, int] = (type(piece) is Piece and piece.inspected) or _counted(piece)
    if type(piece) is Piece:
        piece.inspected = known
    return known


def _counted(piece: str) -> tuple[int, int]:
    return len("".join(piece.split())), max(map(_bytes, piece.split("\n")))
