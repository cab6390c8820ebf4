"""Who asks for a page or calls the API. Each route says which role it needs by the type of its `visit` parameter:

    @pages.get("/campaigns")
    def campaigns(visit: Viewer) -> Response: ...

A test reads the needs of every route: one that says nothing is answered to nobody, and fails the test.
"""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends
from starlette.requests import Request

from studio.errors import LoginNeeded, RoleTooLow
from studio.roles import Role, may

STUDIO, API = "studio", "api"


@dataclass(frozen=True)
class Visit:
    """One request, by somebody who is known. login_id: their session; None for a program with an access token.

    time_zone: the IANA zone in which they are shown times. done: what they have just done, as a word of
    `studio.pages.notices`. path: of the page, as the menu wants it.
    """

    account_id: int
    name: str
    role: Role
    time_zone: str
    via: str = STUDIO
    login_id: int | None = None
    path: str = "/"
    done: str = ""

    def may(self, needed: str) -> bool:
        """Whether this person may do what needs that role."""
        return may(self.role, needed)


class Needs:
    """A dependency that gives the visit. Raises LoginNeeded for a stranger, RoleTooLow for who may not."""

    def __init__(self, role: Role) -> None:
        self.role = role

    def __call__(self, request: Request) -> Visit:
        visit: Visit | None = request.scope.get("state", {}).get("visit")
        if visit is None:
            raise LoginNeeded
        if not visit.may(self.role):
            raise RoleTooLow(visit.role, self.role)
        return visit


Viewer = Annotated[Visit, Depends(Needs(Role.VIEWER))]
Marketer = Annotated[Visit, Depends(Needs(Role.MARKETER))]
Approver = Annotated[Visit, Depends(Needs(Role.APPROVER))]
Admin = Annotated[Visit, Depends(Needs(Role.ADMIN))]
