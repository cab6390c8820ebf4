"""With `require_approval` nothing leaves by hand either: neither by `run`, nor a plan by `send`."""

import pytest

from campaigns import execute
from campaigns.approval import approve
from campaigns.edit import Definition, save_campaign
from campaigns.errors import NotApproved
from studio.cli import runs
from subscribers.database import writing


@pytest.fixture
def strict(shop, monkeypatch):
    folder = shop.world.settings.workspace
    with (folder / "handpicked.toml").open("a") as file:
        file.write("\nrequire_approval = true\n")
    made = execute.open_world(folder, lambda: shop.now)
    monkeypatch.setattr(runs, "open_workspace", lambda folder: made)
    yield made
    made.close()


def test_run_refuses_what_nobody_approved_and_leaves_no_run(strict, shop):
    with pytest.raises(NotApproved, match="campaign weekly is not approved"):
        runs.run("weekly", strict.settings.workspace)
    assert shop.query("SELECT count(*) FROM run") == [(0,)]
    with writing(strict.database) as session:
        approve(session, "weekly", "ana", strict.settings, now=shop.now)
    runs.run("weekly", strict.settings.workspace)
    assert shop.query("SELECT state FROM run") == [("finished",)]


def test_a_plan_is_made_and_sent_only_once_it_is_approved(strict, shop):
    run = runs.planned(strict, "weekly").run
    with pytest.raises(NotApproved, match="run 1 was planned from what nobody has approved"):
        runs.send(run, workspace=strict.settings.workspace)
    assert shop.query("SELECT DISTINCT state FROM message WHERE reason = ''") == [("planned",)]
    with writing(strict.database) as session:
        approve(session, "weekly", "ana", strict.settings, now=shop.now)
    runs.send(run, workspace=strict.settings.workspace)
    assert shop.query("SELECT state FROM run") == [("finished",)]


def test_a_plan_of_something_else_is_not_sent(strict, shop):
    run = runs.planned(strict, "weekly").run
    with writing(strict.database) as session:
        save_campaign(session, Definition("weekly", picks=3), strict.settings, now=shop.now)
        approve(session, "weekly", "ana", strict.settings, now=shop.now)
    with pytest.raises(NotApproved, match="plan it anew"):
        runs.send(run, workspace=strict.settings.workspace)
