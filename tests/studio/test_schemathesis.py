"""Whatever is asked, in whatever shape: neither the API nor any page breaks."""

import pytest
import schemathesis
from fastapi.openapi.utils import get_openapi
from hypothesis import HealthCheck, Phase, given, seed, settings

from studio.roles import Role
from tests.studio.test_api import client_of
from tests.studio.test_roles import ways_of

pytestmark = pytest.mark.slow
EXAMPLES = 6  # of each operation
BOUNDED = settings(
    max_examples=EXAMPLES,
    deadline=None,
    phases=[Phase.generate],
    database=None,
    suppress_health_check=list(HealthCheck),
)


def ask_everything(schema, client, prefix=""):
    """(operation, status) of each answer that was our mistake."""
    broken, asked = [], 0
    for result in schema.get_all_operations():
        operation = result.ok()

        @seed(7)
        @BOUNDED
        @given(case=operation.as_strategy())
        def one(case):
            nonlocal asked
            asked += 1
            plain = case.as_transport_kwargs(base_url=f"http://127.0.0.1:8025{prefix}")
            plain.pop("cookies", None)
            if isinstance(plain.get("data"), bytes | str):
                plain["content"] = plain.pop("data")
            headers = {
                name: value
                for name, value in (plain.pop("headers", None) or {}).items()
                if name.lower() not in ("authorization", "origin")
            }
            answer = client.request(**plain, headers=headers)
            if answer.status_code >= 500:
                broken.append((case.method, answer.request.url, plain.get("json"), answer.status_code))

        one()
    assert asked
    return broken


def test_the_api_never_breaks(shop):
    api = client_of(shop, Role.ADMIN)
    schema = schemathesis.openapi.from_dict(api.get("/openapi.json").json())
    assert ask_everything(schema, api, "/api/v1") == []


def test_no_page_ever_breaks(shop):
    pages = shop.studio
    routes = [route for route in pages.app.routes if not getattr(route, "path", "").startswith(("/api", "/logout"))]
    plain = get_openapi(title="pages", version="1", routes=routes)
    plain["paths"].pop("/logout", None)
    assert len(plain["paths"]) > 30
    assert len(list(ways_of(pages.app))) > len(plain["paths"])
    assert ask_everything(schemathesis.openapi.from_dict(plain), pages) == []
