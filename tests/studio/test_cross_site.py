"""A page of another site cannot act through the browser of somebody who is logged in."""

import pytest

from tests.studio.test_roles import audit_lines, ways_of

pytestmark = pytest.mark.slow
ELSEWHERE = [
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://127.0.0.1:3000"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "none"},
    {"Origin": "http://127.0.0.1:8025", "Sec-Fetch-Site": "cross-site"},
    {},
]


@pytest.mark.parametrize("headers", ELSEWHERE, ids=str)
def test_every_form_of_the_studio_is_refused_from_elsewhere(shop, headers):
    client = shop.studio
    client.headers.pop("Origin")
    ways = [
        way for way in ways_of(client.app) if way.method not in ("GET", "HEAD") and not way.template.startswith("/api/")
    ]
    before = audit_lines(shop)
    answers = {way: client.request(way.method, way.path, headers=headers).status_code for way in ways}
    assert {way: status for way, status in answers.items() if status != 403} == {}
    assert len(ways) > 15
    assert audit_lines(shop) == before
