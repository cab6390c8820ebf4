"""What all pages have in common: the Jinja environment, the headers, and how times and numbers are written."""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

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
    """The headers of the studio's pages. Nothing runs: there is no script-src at all.

    Referrer-Policy is same-origin, not no-referrer: under that Chromium sends `Origin: null` with our own forms.
    """
    return PUBLIC_HEADERS | {
        "Content-Security-Policy": f"default-src 'none'; style-src 'self'; img-src {_pictures(public_url)}; "
        "frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
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


def page(template: str, *, status: int = 200, **context: Any) -> HTMLResponse:
    """A finished page. Everything printed in it is escaped."""
    return HTMLResponse(_environment().get_template(template).render(context), status)


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
        "number": lambda count: f"{count:,}",
    }
    return environment


def _pictures(public_url: str) -> str:
    """Where pictures of a mail may come from: the web, this machine, and wherever our own pictures are said to be."""
    parts = urlsplit(public_url)
    ours = f"{parts.scheme}://{parts.netloc}"
    plain = not any(character in ours for character in " ;,'\"")
    return "'self' https: http://127.0.0.1:*" + (f" {ours}" if plain and parts.scheme == "http" else "")
