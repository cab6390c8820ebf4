"""What every finished mail must have. Errors stop a send; warnings are counted."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from html import escape, unescape

from engine.render.compose import Mail, Sender

GMAIL_CLIPS_AT = 102 * 1024  # bytes of HTML; what follows, unsubscribe link included, is hidden behind a link
LONGEST_SUBJECT = 200
_IMAGE = re.compile(r"""<[iI][mM][gG]\b(?:[^>"']|"[^"]*"|'[^']*')*>""")  # twice as fast as IGNORECASE
_ATTRIBUTE = re.compile(r"""(?<![\w-])(alt|width|height|src)\s*=\s*("[^"]*"|'[^']*')""", re.IGNORECASE)


@dataclass(frozen=True)
class Finding:
    """Something wrong with a mail. severity: "error" stops the send, "warning" does not."""

    severity: str
    check: str
    detail: str


def check(mail: Mail, sender: Sender, unsubscribe_url: str) -> list[Finding]:
    """Everything wrong with this mail, errors first."""
    found = [*_errors(mail, sender, unsubscribe_url), *_warnings(mail)]
    return sorted(found, key=lambda finding: finding.severity)


def _errors(mail: Mail, sender: Sender, unsubscribe_url: str) -> Iterator[Finding]:
    if not _shown(unsubscribe_url, mail.html):
        yield Finding("error", "unsubscribe link", "is missing from the HTML")
    if unsubscribe_url not in mail.text:
        yield Finding("error", "unsubscribe link", "is missing from the text part")
    if not sender.postal_address.strip() or not _shown(sender.postal_address, mail.html):
        yield Finding("error", "postal address", "is missing from the HTML")
    if not mail.subject:
        yield Finding("error", "subject", "is empty")
    elif len(mail.subject) > LONGEST_SUBJECT:
        yield Finding(
            "error", "subject", f"has {len(mail.subject)} characters; at most {LONGEST_SUBJECT} are shown anywhere"
        )
    for leftover in mail.leftovers:
        if leftover in unescape(mail.html) or leftover in mail.text or leftover in mail.subject:
            yield Finding("error", "unresolved variable", f"{leftover[:80]!r} would be read as it is")
    for image in _IMAGE.findall(mail.html):
        if problem := _image_problem(image):
            yield Finding("error", "image", problem)


def _shown(text: str, html: str) -> bool:
    """Whether the HTML has this text in it: as Jinja escapes it, or as premailer does."""
    return escape(text, quote=False) in html.replace("&#39;", "'").replace("&#34;", '"')


@lru_cache(maxsize=8_192)  # the tag of a product is the same in every mail it is in
def _image_problem(image: str) -> str:
    """What an <img> lacks; empty when nothing."""
    attributes = {name.lower(): value[1:-1] for name, value in _ATTRIBUTE.findall(image)}
    missing = [name for name in ("src", "alt", "width", "height") if not attributes.get(name, "").strip()]
    return f"has no {', '.join(missing)}: {attributes.get('src', image)[:80]}" if missing else ""


def _warnings(mail: Mail) -> Iterator[Finding]:
    size = len(mail.html.encode())
    if size > GMAIL_CLIPS_AT:
        yield Finding("warning", "size", f"{size // 1024} KB of HTML; Gmail hides what comes after 102 KB")
    if not mail.preheader:
        yield Finding("warning", "preheader", "is empty: inboxes show the first words of the mail instead")
