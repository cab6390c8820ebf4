"""Who may do what. Each role may do everything that the one before it may."""

from enum import StrEnum


class Role(StrEnum):
    """viewer: looks. marketer: makes campaigns, schedules and sends. approver: says yes to them, and to what a rule has
    stopped. admin: accounts, erasing people, the model."""

    VIEWER = "viewer"
    MARKETER = "marketer"
    APPROVER = "approver"
    ADMIN = "admin"


_ORDER = list(Role)


def may(role: str, needed: str) -> bool:
    """Whether somebody of this role may do what needs that one.

    >>> may("approver", "marketer"), may("viewer", "marketer")
    (True, False)
    """
    return _ORDER.index(Role(role)) >= _ORDER.index(Role(needed))


def lower_of(first: str, second: str) -> Role:
    """The one of two roles that may less.

    >>> lower_of("admin", "viewer")
    <Role.VIEWER: 'viewer'>
    """
    return min(Role(first), Role(second), key=_ORDER.index)
