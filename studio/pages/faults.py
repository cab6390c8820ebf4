"""Errors as pages: what we expect is one clear sentence, what we do not is logged without anybody's address."""

import logging
import traceback
from collections.abc import Callable
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from studio.errors import ANSWERS, LoginNeeded, answer_to, sentence_of
from studio.pages.shell import page

logger = logging.getLogger("handpicked.studio")

Notice = Callable[[int, str], Response]
"""Makes the page for (status, sentence)."""

_HEADINGS = {
    400: "That did not work",
    403: "Not from here",
    404: "There is nothing here",
    405: "Not that way",
    409: "Not now",
    413: "Too large",
    421: "Wrong address",
    422: "That cannot be used",
    503: "Out of reach",
}


def studio_notice(status: int, sentence: str) -> Response:
    """An error page of the studio."""
    return page("error.html", status=status, heading=_HEADINGS.get(status, "Something broke"), sentence=sentence)


def add_error_pages(app: FastAPI, notice: Notice) -> None:
    """Answer every error of the table, and every request that fits no page, with a notice."""

    def expected(request: Request, error: Exception) -> Response:
        if isinstance(error, LoginNeeded):
            return RedirectResponse("/login", 303)
        answer = answer_to(error)
        return notice(answer.status if answer else 500, sentence_of(error))

    def no_such_page(request: Request, error: Any) -> Response:
        response = notice(error.status_code, "Nothing lives at this address; start again from the first page.")
        response.headers.update(error.headers or {})
        return response

    def unusable(request: Request, error: Any) -> Response:
        first = error.errors()[0]
        return notice(422, f"“{first['loc'][-1]}” in this address cannot be used: {first['msg'].lower()}.")

    for kind in ANSWERS:
        app.add_exception_handler(kind, expected)
    app.add_exception_handler(HTTPException, no_such_page)
    app.add_exception_handler(RequestValidationError, unusable)


def log_discreetly(error: BaseException) -> None:
    """Log the kind of an error and where it happened."""
    places = "".join(traceback.format_list(traceback.extract_tb(error.__traceback__)))
    logger.error("%s; its message is kept out of the log\n%s", type(error).__name__, places)


class DiscreetFaults:
    """The last net: a bug becomes a page, and its place in the code a log entry.

    Only the kind of error and the places are logged, never its message: that may hold an address (SQLAlchemy prints
    a statement's parameters).
    """

    def __init__(self, app: ASGIApp, notice: Notice) -> None:
        self._app, self._notice = app, notice

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def watch(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, watch)
        except Exception as error:
            log_discreetly(error)
            if begun or scope["type"] != "http":
                return
            response = self._notice(
                500, "This is our mistake, not yours; the log of the studio says where it happened."
            )
            await response(scope, receive, send)
