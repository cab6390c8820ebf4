"""What all pages have in common: the Jinja environment, the headers, and how times and numbers are written."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from studio.pages.notices import NOTICES
from studio.visit import Visit

HERE = Path(__file__).parent.parent
STATIC = HERE / "static"

PUBLIC_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",  # the token stands in the address
    "X-Robots-Tag": "noindex",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


def studio_headers(public_url: str) -> dict[str, str]:
    """The headers of the studio's pages. Only our own script file runs, and nothing that stands in a page.

    Referrer-Policy is same-origin, not no-referrer: under that Chromium sends `Origin: null` with our own forms.
    """
    return PUBLIC_HEADERS | {
        "Content-Security-Policy": f"default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
        f"img-src {_pictures(public_url)}; frame-src 'self'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'",
        "Referrer-Policy": "same-origin",
    }


def mail_headers(public_url: str) -> dict[str, str]:
    """The headers of a mail shown in a frame: its own styles and pictures, and nothing else, whoever wrote it."""
    return {
        "Content-Security-Policy": f"default-src 'none'; img-src {_pictures(public_url)}; style-src 'unsafe-inline'; "
        "sandbox; frame-ancestors 'self'",
        "Referrer-Policy": "no-referrer",
    }


class DefaultHeaders:
    """Adds headers to every response that does not say otherwise itself, errors and redirects included."""

    def __init__(self, app: ASGIApp, headers: Mapping[str, str]) -> None:
        self._app, self._headers = app, headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                there = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    there.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_with_headers)


def page(template: str, visit: Visit | None = None, *, status: int = 200, **context: Any) -> HTMLResponse:
    """A finished page, or a part of one for the script. Everything printed in it is escaped.

    visit: who looks at it; without one there is no menu, and times need a zone.
    """
    notice = NOTICES.get(visit.done, "") if visit else ""
    text = _environment().get_template(template).render({"visit": visit, "notice": notice} | context)
    return HTMLResponse(text, status)


def see_other(path: str, done: str = "") -> RedirectResponse:
    """After a form: look at this page of ours instead. done: a word of `studio.pages.notices`, for it to say."""
    assert not done or done in NOTICES
    joint = "&" if "?" in path else "?"
    return RedirectResponse(f"{path}{joint}done={done}" if done else path, 303)


def local_time(at: datetime, time_zone: str) -> str:
    """A moment as people of that zone write it.

    >>> local_time(datetime(2026, 6, 1, 7, tzinfo=UTC), "Europe/Berlin")
    'Mon 1 Jun 2026, 09:00'
    """
    there = at.astimezone(ZoneInfo(time_zone))
    return f"{there:%a} {there.day} {there:%b %Y, %H:%M}"


def utc_time(at: datetime) -> str:
    """A moment in UTC, to the minute.

    >>> utc_time(datetime(2026, 6, 1, 7, tzinfo=UTC))
    '2026-06-01 07:00 UTC'
    """
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def ago(age: timedelta) -> str:
    """How long ago something was, in words for beside a figure; nothing for what is as good as now.

    >>> ago(timedelta(seconds=3)), ago(timedelta(minutes=5)), ago(timedelta(days=2))
    ('', '5 min ago', '2 days ago')
    """
    seconds = int(age.total_seconds())
    for size, words in ((86_400, "days"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size or (seconds >= size and words != "days"):
            return f"{seconds // size} {words} ago"
    return f"{seconds} s ago" if seconds >= 10 else ""


def as_sentence(text: str) -> str:
    """An error of ours as a page says it: they begin small and end without a full stop, to fit after a command's name.

    >>> as_sentence("there is no run 9; look at the list")
    'There is no run 9; look at the list.'
    """
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?", "…")) else ".")


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "local_time": local_time,
        "utc_time": utc_time,
        "as_sentence": as_sentence,
        "words": lambda name: str(name).replace("_", " "),
        "ago": ago,
        "number": lambda count: f"{count:,}",
    }
    return environment


def _pictures(public_url: str) -> str:
    """Where pictures of a mail may come from: the web, this machine, and wherever our own pictures are said to be."""
    parts = urlsplit(public_url)
    ours = f"{parts.scheme}://{parts.netloc}"
    plain = not any(character in ours for character in " ;,'\"")
    return "'self' https: http://127.0.0.1:*" + (f" {ours}" if plain and parts.scheme == "http" else "")
