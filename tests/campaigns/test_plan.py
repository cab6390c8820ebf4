"""Planning: everybody has one row, the rows never change, and the same plan is the same bytes anywhere."""

import hashlib
import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from campaigns.edit import find_campaign
from campaigns.errors import RunUnknown, WrongState
from campaigns.freeze import frozen_press
from campaigns.letters import row_of
from campaigns.plan import plan_run
from campaigns.preview import Previewer, planned_letter
from campaigns.reasons import told
from campaigns.runs import find_run
from campaigns.training import train_model
from campaigns.view import account_of_one, shown_picks
from engine.recommend.recipe import Recipe
from subscribers.database import reading, writing
from subscribers.errors import SubscriberUnknown

ROOT = Path(__file__).parents[2]
REWRITE = """
import hashlib, sys
from datetime import UTC, datetime
from pathlib import Path
from sqlalchemy import text
from campaigns.execute import open_world
from campaigns.freeze import frozen_press
from campaigns.letters import row_of
from campaigns.runs import find_run
from subscribers.database import reading
world = open_world(Path(sys.argv[1]), lambda: datetime.now(UTC))
with reading(world.database) as session:
    press = frozen_press(session, find_run(session, int(sys.argv[2])))
    rows = session.execute(text("SELECT * FROM message WHERE sha256 != '' ORDER BY id")).mappings().all()
print(*(hashlib.sha256(letter.message).hexdigest() for letter in press.letters([row_of(row) for row in rows])))
"""


def messages(shop, run):
    with reading(shop.world.database) as session:
        from sqlalchemy import text

        found = session.execute(text("SELECT * FROM message WHERE run_id = :run ORDER BY id"), {"run": run})
        return [dict(row) for row in found.mappings()]


def test_everybody_has_exactly_one_row_with_picks_or_one_reason(shop):
    rows = messages(shop, shop.plan())
    everybody = [row[0] for row in shop.query("SELECT id FROM subscriber ORDER BY id")]
    assert [row["subscriber_id"] for row in rows] == everybody
    for row in rows:
        assert bool(row["reason"]) != bool(json.loads(row["picks"]))
        assert (row["state"] == "skipped") == bool(row["reason"])


def test_who_said_no_gets_no_mail_and_leaves_no_address_in_the_row(shop):
    chosen = shop.mailable()[:3]
    for address in chosen:
        shop.opt_out(address.upper())
    rows = messages(shop, shop.plan())
    assert not {row["address"] for row in rows} & set(chosen)
    assert [row["reason"] for row in rows].count("opted out") == len(chosen)
    assert all(row["address"] == "" for row in rows if row["reason"])


def test_the_same_rows_give_the_same_bytes_twice_and_in_another_process(shop):
    run = shop.plan()
    expected = [row["sha256"] for row in messages(shop, run) if row["sha256"]]
    assert len(set(expected)) == len(expected) > 40
    for seed in ("1", "2"):
        environment = dict(os.environ, PYTHONHASHSEED=seed)
        command = [sys.executable, "-c", REWRITE, str(shop.world.settings.workspace), str(run)]
        printed = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
        assert printed.stdout.split() == expected


def test_a_plan_for_the_same_moment_has_the_same_manifest(shop):
    first = shop.plan()
    manifest = shop.query("SELECT manifest_sha256 FROM run WHERE id = :run", run=first)
    shop.execute("UPDATE run SET state = 'planning', content_sha256 = '' WHERE id = :run", run=first)
    plan_run(shop.world.database, first, shop.world.settings, shop.world.secrets)
    assert shop.query("SELECT manifest_sha256 FROM run WHERE id = :run", run=first) == manifest
    assert len(messages(shop, first)) == 60


def test_a_plan_never_changes_after_it_is_made(shop):
    run = shop.plan()
    before = messages(shop, run)
    with pytest.raises(WrongState, match="never changes"):
        plan_run(shop.world.database, run, shop.world.settings, shop.world.secrets)
    assert messages(shop, run) == before


def test_neither_a_new_price_nor_a_new_template_changes_a_planned_mail(shop):
    run = shop.plan()
    folder = shop.world.settings.workspace / "templates"
    folder.mkdir()
    (folder / "picked-for-you.html").write_text("<p>changed</p>")
    shop.execute("UPDATE product SET price_minor = 1, title = 'changed'")
    with reading(shop.world.database) as session:
        press = frozen_press(session, find_run(session, run))
    for row in messages(shop, run):
        if row["sha256"]:
            (letter,) = press.letters([row_of(row)])
            assert hashlib.sha256(letter.message).hexdigest() == row["sha256"]


def test_a_row_as_older_plans_spelled_it_is_the_same_mail_and_the_same_reasons(shop):
    run = shop.plan()
    row = next(row for row in messages(shop, run) if row["sha256"])

    def reasons():
        with reading(shop.world.database) as session:
            return told(session, run, row["address"], shop.world.secrets)

    before, spelled = reasons(), {name: json.dumps(json.loads(row[name])) for name in ("picks", "why")}
    assert spelled["picks"] != row["picks"]
    shop.execute("UPDATE message SET picks = :picks, why = :why WHERE id = :id", id=row["id"], **spelled)
    assert reasons() == before
    with reading(shop.world.database) as session:
        (letter,) = frozen_press(session, find_run(session, run)).letters([row_of(row | spelled)])
    assert hashlib.sha256(letter.message).hexdigest() == row["sha256"]


def test_the_hero_is_the_first_pick_that_recommend_shows(shop):
    rows = [row for row in messages(shop, shop.plan()) if row["sha256"]]
    codes = dict(shop.query("SELECT sku_id, code FROM product"))
    with reading(shop.world.database) as session:
        for row in rows:
            account = account_of_one(session, shop.world.settings, shop.world.secrets, row["address"], 5, now=shop.now)
            shown = shown_picks(session, account.picks.picks)
            assert shown[0].code == codes[row["hero_sku_id"]]
            assert [pick.sku_id for pick in account.picks.picks] == [pick[0] for pick in json.loads(row["picks"])]


def test_deleting_all_signals_of_people_who_do_not_personalise_changes_no_byte_of_any_mail(shop, another_shop):
    plain = [row[0] for row in shop.query("SELECT id FROM subscriber WHERE NOT may_personalise")]
    assert len(plain) > 1
    another_shop.execute(
        "DELETE FROM signal WHERE subscriber_id IN (SELECT id FROM subscriber WHERE NOT may_personalise)"
    )
    assert shop.query("SELECT count(*) FROM signal") > another_shop.query("SELECT count(*) FROM signal")
    models = [train(each) for each in (shop, another_shop)]
    assert models[0] == models[1]
    plans = [messages(each, each.plan()) for each in (shop, another_shop)]
    assert plans[0] == plans[1]
    assert sum(bool(row["sha256"]) for row in plans[0]) > 40


def train(shop):
    with reading(shop.world.database) as session:
        recipe = Recipe(components=8, epochs=3)
        return train_model(session, shop.world.settings, now=shop.now, recipe=recipe, even_if_worse=True).name


def test_message_ids_differ_from_person_to_person_and_from_run_to_run_and_say_nothing(shop):
    rows = messages(shop, shop.plan()) + messages(shop, shop.plan())
    identities = [row["message_id"] for row in rows if row["sha256"]]
    assert len(set(identities)) == len(identities)
    assert all(row["address"].partition("@")[0] not in row["message_id"] for row in rows if row["address"])


def test_a_preview_is_the_mail_that_is_planned(shop):
    run = shop.plan()
    address = shop.mailable()[5]
    with reading(shop.world.database) as session:
        frozen = planned_letter(session, run, address, shop.world.secrets).letter
        campaign = find_campaign(session, "weekly")
        shown = Previewer(session, campaign, shop.world.settings, shop.world.secrets, shop.now).of(address).letter
    assert frozen is not None
    assert shown is not None
    assert shown.mail == frozen.mail


def test_a_preview_knows_the_hero_cap_though_it_is_about_everybody(shop):
    moved = [row for row in messages(shop, shop.plan()) if "moved_from" in json.loads(row["why"])]
    assert moved
    with reading(shop.world.database) as session:
        campaign = find_campaign(session, "weekly")
        previewer = Previewer(session, campaign, shop.world.settings, shop.world.secrets, shop.now)
        for row in moved:
            shown = [list(pick) for pick in previewer.of(row["address"]).picks]
            assert shown == json.loads(row["picks"])
            assert shown[0][0] != json.loads(row["why"])["moved_from"]


def test_a_preview_of_somebody_who_said_no_gives_the_reason(shop):
    address = shop.mailable()[0]
    shop.opt_out(address)
    with reading(shop.world.database) as session:
        previewer = Previewer(
            session, find_campaign(session, "weekly"), shop.world.settings, shop.world.secrets, shop.now
        )
        assert previewer.of(address).skip == "opted out"
        with pytest.raises(SubscriberUnknown):
            previewer.of("nobody@example.com")


def test_a_run_that_is_not_there_is_said_so(shop):
    with reading(shop.world.database) as session, pytest.raises(RunUnknown, match="no run 99"):
        find_run(session, 99)


def test_signals_after_the_planned_moment_are_not_read(shop):
    before = messages(shop, shop.plan())
    future = int((shop.now + timedelta(days=1)).timestamp())
    with writing(shop.world.database) as session:
        from sqlalchemy import text

        session.execute(
            text(
                "INSERT INTO signal (fingerprint, subscriber_id, sku_id, kind, at, quantity, settled) "
                "SELECT -id, id, 1, 4, :at, 1, 0 FROM subscriber"
            ),
            {"at": future},
        )
        session.commit()
    after = messages(shop, shop.plan())
    assert [row["picks"] for row in after] == [row["picks"] for row in before]
