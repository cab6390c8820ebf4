"""The mail as a frame shows it: as it would be in light or in dark, and with the pictures this machine has.

Browsers take dark mode from the system they run on, and a page cannot say otherwise for a frame. So here, and nowhere
else, the mail's conditions are rewritten: what asks for dark is always or never true. The mail that goes out, and the
source that is shown beside the frames, stay as they are.
"""

import re
from typing import Literal

Scheme = Literal["light", "dark"]

ALWAYS, NEVER = "(min-width: 0px)", "(max-width: 0px)"  # true and false also behind `not` and between `and`s
_ASKS = re.compile(r"\(\s*prefers-color-scheme\s*:\s*(dark|light)\s*\)", re.IGNORECASE)
_STYLES = re.compile(r"<style\b[^>]*>.*?</style\s*>|\smedia\s*=\s*(?:\"[^\"]*\"|'[^']*')", re.IGNORECASE | re.DOTALL)
_META = re.compile(r"<meta\b[^>]*\bname\s*=\s*[\"']?(?:supported-)?color-schemes?\b[^>]*>", re.IGNORECASE)
_PROPERTY = re.compile(r"(?<![\w-])color-scheme\s*:\s*[^;}]+", re.IGNORECASE)


def in_scheme(html: str, scheme: Scheme) -> str:
    """The mail with every question for the reader's colours answered.

    >>> in_scheme("<style>@media (prefers-color-scheme: dark) { p { color: white } }</style>", "dark")
    '<style>@media (min-width: 0px) { p { color: white } }</style>'
    """

    def answered(found: re.Match[str]) -> str:
        return ALWAYS if found[1].lower() == scheme else NEVER

    def styles(found: re.Match[str]) -> str:
        return _PROPERTY.sub(f"color-scheme: {scheme}", _ASKS.sub(answered, found[0]))

    if _META.search(html) or _PROPERTY.search(html):
        html = _META.sub(f'<meta name="color-scheme" content="{scheme}">', html)
    return _STYLES.sub(styles, html)


def with_our_pictures(html: str, public_url: str, ours: str) -> str:
    """The mail with the pictures of the workspace from this machine, wherever `public_url` says they are.

    >>> with_our_pictures('<img src="https://mail.example/media/1.png">', "https://mail.example", "/token")
    '<img src="/token/media/1.png">'
    """
    return html.replace(f"{public_url.rstrip('/')}/media/", f"{ours}/media/")
