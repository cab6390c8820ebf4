"""Every page of the studio, found from its routes, with an address that shows something on the sample shop.

A route that is new and has no example fails the tests: nobody can forget to look at a screen.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fastapi.routing import iter_route_contexts

PARAMETERS = {
    "/campaigns/{name}": "weekly",
    "/segments/{name}": "lookers",
    "/templates/{name}": "picked-for-you",
    "{run_id}": "1",
    "{subscriber_id}": "1",
    "{sku_id}": "1",
    "{product_id}": "1",
    "{job_id}": "1",
    "{account_id}": "1",
}
"""What stands for a parameter: by the beginning of the route where a name means different things, else by itself."""
QUERIES = {
    "/campaigns/{name}/mail": "?address=ana@example.com",
    "/campaigns/{name}/preview": "?address=ana@example.com",
}
"""What a route needs beside its path."""
OPEN = ("/login", "/setup")


@dataclass(frozen=True)
class Screen:
    """A route that is looked at, and the address that shows it."""

    route: str
    address: str

    @property
    def name(self) -> str:
        """Fit for a file's name.

        >>> Screen("/runs/{run_id}", "/runs/1").name, Screen("/", "/").name
        ('runs-run_id', 'home')
        """
        return re.sub(r"[^a-z0-9_]+", "-", self.route.lower()).strip("-") or "home"


def screens_of(app: Any, known: dict[str, str]) -> list[Screen]:
    """Every route of the pages that is read with GET, by its path. known: more parameters, as `furnish` gives them."""
    return sorted(_screens(app, PARAMETERS | known), key=lambda screen: screen.route)


def _screens(app: Any, parameters: dict[str, str]) -> Iterator[Screen]:
    for context in iter_route_contexts(app.routes):
        route = context.path or ""
        if "GET" in (context.methods or ()) and not route.startswith(("/api/", "/metrics")):
            yield Screen(route, _filled(route, parameters) + QUERIES.get(route, ""))


def _filled(route: str, parameters: dict[str, str]) -> str:
    address = route
    for place, value in parameters.items():
        beginning, _, name = place.rpartition("{")
        if route.startswith(beginning):
            address = address.replace("{" + name, value)
    assert "{" not in address, f"{route} needs an example in tests/studio/screens.py"
    return address
