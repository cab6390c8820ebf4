"""The API as programs use it: keys that act once, places in lists, errors in one sentence, metrics without names."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import func, select
from starlette.testclient import TestClient

from studio.accounts import list_accounts
from studio.app import make_app
from studio.logins import make_token
from studio.models import AuditLine, KeptAnswer
from studio.roles import Role
from subscribers.database import reading, writing

pytestmark = pytest.mark.slow


@pytest.fixture
def api(shop):
    return client_of(shop, Role.ADMIN)


def client_of(shop, role):
    shop.cookie_of(role)
    with writing(shop.world.database) as session:
        account = next(each for each in list_accounts(session) if each.name == role)
        token = make_token(session, account, "a test", role, now=shop.now)
        session.commit()
    headers = {"Authorization": f"Bearer {token}"}
    return TestClient(make_app(shop.world), base_url=f"{shop.base}/api/v1", headers=headers)


def count(shop, table):
    with reading(shop.world.database) as session:
        return session.execute(select(func.count()).select_from(table)).scalar_one()


def test_a_campaign_from_nothing_to_approved(api):
    made = api.put("/campaigns/summer", json={"picks": 3, "version": 0})
    assert made.status_code == 200, made.text
    assert api.put("/campaigns/summer", json={"version": 0}).status_code == 409
    assert api.put("/campaigns/summer", json={"pics": 3}).status_code == 422
    timed = api.post("/campaigns/summer/schedule", json={"cron": "0 9 * * 1", "time_zone": "Europe/Berlin"}).json()
    assert timed["state"] == "scheduled"
    assert api.post("/campaigns/summer/pause").json()["state"] == "paused"
    assert api.post("/campaigns/summer/resume").json()["state"] == "scheduled"
    assert api.post("/campaigns/summer/approve").json()["approved_by"] == "admin"
    assert api.post("/campaigns/summer/duplicate", json={"name": "autumn"}).status_code == 201
    assert [each["name"] for each in api.get("/campaigns").json()["items"]] == ["autumn", "summer", "weekly"]
    assert {each["state"] for each in api.get("/campaigns/weekly/checklist").json()} <= {"ok", "warn", "block"}
    assert api.post("/campaigns/summer/cancel").json()["state"] == "cancelled"
    assert api.post("/campaigns/summer/resume").status_code == 409


def test_runs_and_their_people_slice_by_slice(api):
    assert api.get("/runs").json()["items"][0]["campaign"] == "weekly"
    assert api.get("/runs/1/status").json()["audience"] == 8
    seen, at = [], ""
    while True:
        answer = api.get("/runs/1/people", params={"rows": 3, "at": at}).json()
        seen += [each["subscriber"] for each in answer["items"]]
        at = answer["next"]
        if not at:
            break
    assert len(seen) == len(set(seen)) == 8
    assert len(api.get("/runs/1/people", params={"state": "skipped"}).json()["items"]) == 2
    assert api.post("/runs/1/pause").status_code == 409


def test_people_are_found_added_opted_out_and_erased(shop, api):
    assert [each["given_name"] for each in api.get("/subscribers", params={"starts": "AN"}).json()["items"]] == ["Ana"]
    first = api.get("/subscribers", params={"rows": 5}).json()
    second = api.get("/subscribers", params={"rows": 5, "at": first["next"]}).json()
    assert len(first["items"]) + len(second["items"]) == 8
    made = api.post("/subscribers", json={"address": "Zoe@Example.com", "mail": True, "how": "form"}).json()
    assert made["added"]
    assert not api.post("/subscribers", json={"address": "zoe@example.com"}).json()["added"]
    person = f"/subscribers/{made['id']}"
    assert api.get(person).json()["may_mail"]
    assert api.post(f"{person}/opt-out").status_code == 200
    assert [each["granted"] for each in api.get(f"{person}/consent").json() if each["purpose"] == "mail"] == [
        True,
        False,
    ]
    assert api.get(f"{person}/export").json()["subscriber"]["address"] == "Zoe@example.com"
    assert api.post(f"{person}/erase").status_code == 200
    assert api.get(person).status_code == 404
    assert (
        "zoe"
        not in "\n".join(line for line in shop.everything() if "audit_line" in line or "kept_answer" in line).lower()
    )
    assert api.post("/subscribers", json={"address": "no address"}).status_code == 422


def test_a_preview_says_subject_picks_and_why(api):
    answer = api.get("/campaigns/weekly/preview", params={"address": "ana@example.com"})
    assert answer.json()["picks"][0]["sentence"]
    assert answer.json()["picks"][0]["title"] in answer.json()["subject"]
    html = api.get("/campaigns/weekly/preview.html", params={"address": "ana@example.com"})
    assert "sandbox" in html.headers["content-security-policy"]
    assert api.get("/campaigns/weekly/preview", params={"address": "gina@example.com"}).json()["skip"] == "opted out"


def test_segments_products_models_jobs_and_audit(api):
    assert api.put("/segments/german", json={"languages": ["de"]}).json()["words"] == ["language: de"]
    assert api.put("/segments/german", json={"langages": ["de"]}).status_code == 422
    assert api.delete("/segments/german").status_code == 200
    assert api.get("/segments/german").status_code == 404
    assert len(api.get("/products").json()["items"]) == 6
    assert api.get("/products/oil").json()["title"] == "Rosehip Face Oil"
    assert "no product" in api.get("/products/nothing").json()["error"]
    current = api.get("/models/current").json()["name"]
    assert api.post(f"/models/{current}/use").status_code == 200
    job = api.post("/models/train")
    assert job.status_code == 202
    assert api.get(f"/jobs/{job.json()['id']}").json()["kind"] == "train"
    assert api.get("/audit").json()["items"][0]["action"] == "model.train"
    assert api.get("/audit", params={"subject": "segment german"}).json()["items"][-1]["action"] == "segment.save"


def test_a_file_is_the_body_of_an_import(shop, api):
    people = b"address,given_name,mail\nnina@example.com,Nina,yes\n"
    asked = api.post("/imports/subscribers", params={"file_name": "n.csv"}, content=people)
    assert asked.status_code == 202
    assert api.app.state.jobs.work_off() == 1
    assert api.get(f"/jobs/{asked.json()['id']}").json()["state"] == "done"
    assert api.get("/subscribers", params={"starts": "nina@"}).json()["items"]
    assert api.post("/imports/subscribers").status_code == 400
    assert api.post("/imports/people", content=people).status_code == 422


class TestIdempotencyKeys:
    def test_the_same_again_acts_once_and_answers_the_same(self, shop, api):
        key = {"Idempotency-Key": "k1"}
        first = api.post("/campaigns/weekly/pause", headers=key)
        again = api.post("/campaigns/weekly/pause", headers=key)
        assert first.status_code == again.status_code == 200
        assert first.content == again.content
        assert again.headers["idempotent-replayed"] == "true"
        assert count(shop, AuditLine) == 1
        assert api.post("/campaigns/weekly/pause").status_code == 409

    def test_another_request_with_it_is_refused(self, api):
        key = {"Idempotency-Key": "k1"}
        assert api.post("/campaigns/weekly/duplicate", json={"name": "a"}, headers=key).status_code == 201
        assert api.post("/campaigns/weekly/duplicate", json={"name": "b"}, headers=key).status_code == 422
        assert api.post("/campaigns/weekly/pause", headers=key).status_code == 422

    def test_of_many_at_once_one_acts(self, shop, api):
        key = {"Idempotency-Key": "k1"}
        with ThreadPoolExecutor(6) as threads:
            answers = list(threads.map(lambda _: api.post("/models/train", headers=key).status_code, range(6)))
        assert set(answers) <= {202, 409}
        assert 202 in answers
        assert count(shop, AuditLine) == 1

    def test_one_whose_first_request_still_runs_is_told_so(self, shop, api):
        assert api.post("/models/train", headers={"Idempotency-Key": "k1"}).status_code == 202
        with writing(shop.world.database) as session:
            session.scalars(select(KeptAnswer)).one().status = 0
            session.commit()
        assert api.post("/models/train", headers={"Idempotency-Key": "k1"}).status_code == 409

    def test_it_is_each_accounts_own_and_kept_for_a_day(self, shop, api):
        key = {"Idempotency-Key": "k1"}
        assert api.post("/campaigns/weekly/pause", headers=key).status_code == 200
        assert client_of(shop, Role.MARKETER).post("/campaigns/weekly/pause", headers=key).status_code == 409
        shop.now += timedelta(hours=24, seconds=1)
        assert api.post("/campaigns/weekly/pause", headers=key).status_code == 409
        assert count(shop, KeptAnswer) == 0

    def test_a_refused_request_leaves_its_key_free(self, shop, api):
        key = {"Idempotency-Key": "k1"}
        assert api.post("/campaigns/weekly/resume", headers=key).status_code == 409
        assert count(shop, KeptAnswer) == 0
        api.post("/campaigns/weekly/pause")
        assert api.post("/campaigns/weekly/resume", headers=key).status_code == 200

    @pytest.mark.parametrize("key", ["", "x" * 201, "a\tb"])
    def test_it_is_a_short_text(self, api, key):
        assert api.post("/models/train", headers={"Idempotency-Key": key}).status_code == 422


def test_a_token_may_no_more_than_its_own_role_and_its_accounts(shop):
    viewer = client_of(shop, Role.VIEWER)
    assert viewer.get("/campaigns").status_code == 200
    refused = viewer.post("/campaigns/weekly/pause")
    assert refused.status_code == 403
    assert "marketer" in refused.json()["error"]
    shop.cookie_of(Role.ADMIN)
    with writing(shop.world.database) as session:
        account = next(each for each in list_accounts(session) if each.name == "admin")
        token = make_token(session, account, "small", Role.VIEWER, now=shop.now)
        account.disabled_at = None
        session.commit()
    small = TestClient(viewer.app, base_url=f"{shop.base}/api/v1", headers={"Authorization": f"Bearer {token}"})
    assert small.post("/campaigns/weekly/pause").status_code == 403
    with writing(shop.world.database) as session:
        next(each for each in list_accounts(session) if each.name == "admin").disabled_at = shop.now
        session.commit()
    assert small.get("/campaigns").status_code == 401


def test_its_openapi_is_complete_and_needs_a_token(shop, api):
    plain = api.get("/openapi.json").json()
    assert plain["servers"] == [{"url": "/api/v1"}]
    assert len(plain["paths"]) > 25
    assert api.get("/openapi.json", headers={"Authorization": ""}).status_code == 401


def test_metrics_are_for_prometheus_and_name_nobody(shop, api):
    api.get("/campaigns/weekly")
    said = api.get(f"{shop.base}/metrics").text
    assert 'handpicked_runs{state="finished"} 1.0' in said
    assert 'route="/api/v1/campaigns/{name}"' in said
    assert "handpicked_scheduler_beat_age_seconds" in said
    assert "@" not in said
    assert "weekly" not in said


def test_health_says_when_the_database_is_away(shop):
    client = shop.stranger
    assert client.get("/healthz").status_code == 200
    shop.world.database.dispose()
    path = shop.world.settings.workspace / "handpicked.db"
    for file in path.parent.glob("handpicked.db*"):
        file.unlink()
    path.mkdir()
    assert client.get("/healthz").status_code == 503
