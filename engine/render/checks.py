"""What every finished mail must have. Errors stop a send; warnings are counted.

A piece that stands in many mails is looked at once and known from then on; of a new piece only the tags are looked at
that are not known either. What remains in each mail is adding up: 17 µs for a shipped mail of 29 pieces, 3 of
them new, and 900 µs for one in a single piece that nobody has seen.

A word such as "None" is no finding, for a product may be called so; an element or link that a template left empty is.
"""

from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from html import escape, unescape

from engine.render.content import Mail, Sender
from engine.render.inspection import NOTHING, TOKEN, Finding, bytes_in, inspected
from engine.render.kept import Piece
from engine.render.wellformed import nesting, parted

GMAIL_CLIPS_AT = 102 * 1024  # bytes of HTML; what follows, unsubscribe link included, is hidden behind a link
LONGEST_SUBJECT = 200
SHOWN_SUBJECT = 70  # characters; what the widest inboxes show, phones show some 40
SHOWN_PREHEADER = 140
LONGEST_LINE = 998  # octets: RFC 5322 section 2.1.1
WORDS = 200  # characters; a shorter piece of one mail, such as a greeting, is likely in another one too
FEWEST_WORDS = 10  # characters of a text part besides unsubscribe link and postal address: a word or two


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


def _in_html(mail: Mail, sender: Sender, unsubscribe_url: str, known: frozenset[str] | None) -> list[Finding]:
    start = unsubscribe_url[: unsubscribe_url.rfind("/") + 1]
    written, general = _escaped(unsubscribe_url, start)
    found = list[Finding]()
    inspections = [
        (type(piece) is Piece and piece.inspected) or inspected(piece, written, general) for piece in mail.pieces
    ]
    sizes, shapes, findings, hosts, ids, leads_to = zip(*inspections, strict=True) if inspections else ((),) * 6
    total, (fault, empty) = sum(sizes), nesting(shapes)
    general_url = start + TOKEN
    linked = any(general_url in targets or unsubscribe_url in targets for targets in reversed(leads_to))  # at the foot
    if any(findings):
        found += [finding for several in findings for finding in several]
    if any(ids):
        found += _repeated([name for several in ids for name in several])
    if known is not None and not known.issuperset(NOTHING.union(*{*hosts})):  # the same few sets again and again
        found += [
            Finding("warning", "unknown link", f"leads to {host}, which is neither yours nor a product's")
            for host in NOTHING.union(*hosts) - known
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
    lines = [(type(piece) is Piece and piece.inspected) or _lines_of(piece) for piece in mail.text_pieces]
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


@lru_cache(maxsize=64)
def _escaped(url: str, start: str) -> tuple[str, str]:
    return escape(url, quote=False), escape(start, quote=False) + TOKEN


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


def _lines_of(piece: str) -> tuple[int, int]:
    """How many signs a piece of the text part has, and how many bytes its longest line."""
    if type(piece) is not Piece:
        return _counted_words(piece) if len(piece) < WORDS else _counted(piece)
    piece.inspected = known = _counted(piece)
    return known


def _counted(piece: str) -> tuple[int, int]:
    return len("".join(piece.split())), max(map(bytes_in, piece.split("\n")))


_counted_words = lru_cache(maxsize=8_192)(_counted)
