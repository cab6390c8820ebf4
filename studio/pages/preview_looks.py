"""A mail as different inboxes show it, and what is to be said of it: its headers, its size, its checks."""

import re
from dataclasses import dataclass

from campaigns.letters import Letter
from engine.render.checks import GMAIL_CLIPS_AT, check
from engine.render.content import Sender
from engine.render.contrast import contrast_findings
from engine.render.inspection import Finding

DARK, NO_IMAGES = "dark", "no-images"
_ASKS_FOR = re.compile(r"\(\s*prefers-color-scheme\s*:\s*(dark|light)\s*\)", re.IGNORECASE)
_SCHEME = re.compile(r"(color-scheme\"?\s*(?:content=\"|:)\s*)light\s+dark", re.IGNORECASE)
_IMAGES = re.compile(r"img-src [^;]*")


@dataclass(frozen=True)
class Weight:
    """Bytes of the HTML, and of the whole message as it leaves. clipped: Gmail hides the end of it."""

    html: int
    message: int
    limit: int = GMAIL_CLIPS_AT

    @property
    def clipped(self) -> bool:
        return self.html > self.limit


def in_the_dark(html: str) -> str:
    """The mail as a client in dark mode shows it: its own rules for the dark hold, those for the light do not.

    For looking only: the frame has no script, and cannot be told to prefer the dark.

    >>> in_the_dark("@media screen and (prefers-color-scheme: dark) {}")
    '@media screen and (min-width: 0) {}'
    """
    held = _ASKS_FOR.sub(lambda found: "(min-width: 0)" if found[1].lower() == DARK else "(max-width: 0)", html)
    return _SCHEME.sub(r"\1dark", held)


def has_dark_rules(html: str) -> bool:
    """Whether the mail says itself how it looks in the dark."""
    return any(found[1].lower() == DARK for found in _ASKS_FOR.finditer(html))


def without_images(headers: dict[str, str]) -> dict[str, str]:
    """The headers of a mail whose pictures are not loaded, so that their alternative texts show."""
    policy = "Content-Security-Policy"
    return headers | {policy: _IMAGES.sub("img-src 'none'", headers[policy])}


def headers_of(letter: Letter) -> str:
    """The headers of the message as they go over the wire."""
    return letter.message.partition(b"\r\n\r\n")[0].decode("utf-8", "replace").replace("\r\n", "\n")


def weight_of(letter: Letter) -> Weight:
    """How large this mail is."""
    return Weight(len(letter.mail.html.encode()), len(letter.message))


def findings_of(letter: Letter, sender: Sender, known_hosts: frozenset[str]) -> list[Finding]:
    """What the checks of a plan say of this very mail, errors first. known_hosts: where its links may lead."""
    found = check(letter.mail, sender, letter.unsubscribe_url, known_hosts)
    return [*found, *contrast_findings(letter.mail.html)]
