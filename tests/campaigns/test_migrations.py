"""A database that is in use is brought up to date with everything in it."""

import sqlite3

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, text

from subscribers.database import HEAD, MIGRATIONS, open_database

ROWS = """
INSERT INTO subscriber (id, address, key, given_name, language, time_zone, country, joined_at,
    may_mail, may_personalise, may_track)
VALUES (1, 'ana@example.com', 'k', '', 'en', 'UTC', '', '2026-01-01', 1, 1, 1);
INSERT INTO campaign (id, name, template, subject, preheader, variables, picks, transport, state, cron, time_zone,
    created_at)
VALUES (1, 'weekly', 'picked-for-you', 'My own words', '', '{}', 5, 'smtp', 'draft', '', 'UTC', '2026-01-01');
INSERT INTO run (id, campaign_id, occurrence, state, planned_at, model, template_sha256, cards_sha256, content_sha256,
    manifest_sha256, errors, worst, unattended, owner, alive_at)
VALUES (1, 1, '2026-01-02 00:00:00.000000', 'sending', '2026-01-02 00:00:00.000000', '', '', '', '', '', 0, '', 0, '',
    '2026-01-02');
INSERT INTO message (id, run_id, subscriber_id, state, reason, key, address, given_name, language, picks, message_id,
    token, sha256, claimed_by)
VALUES (1, 1, 1, 'deferred', 'later', 'k', 'ana@example.com', '', 'en', '[]', 'm@example.com', 't', 's', '');
INSERT INTO attempt (id, message_id, at, outcome, reply) VALUES (1, 1, '2026-01-02', 'deferred', '450 later');
"""


@pytest.mark.parametrize("revision", ["0001", "0002", "0003"])
def test_a_database_in_use_keeps_its_rows_and_its_mails_stay_due(tmp_path, revision):
    path = tmp_path / "shop.db"
    url = f"sqlite:///{path}"
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    engine = create_engine(url)
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        connection.commit()
    engine.dispose()
    with sqlite3.connect(path) as plain:
        plain.executescript(ROWS)
    plain.close()

    database = open_database(url)  # with foreign keys enforced
    with database.connect() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar() == HEAD
        assert connection.execute(text("SELECT reply FROM attempt")).scalar() == "450 later"
        row = connection.execute(text("SELECT state, attempts, due_at FROM message")).one()
        assert tuple(row) == ("deferred", 0, "2026-01-02 00:00:00.000000")
        assert connection.execute(text("SELECT subject, missed, own_time FROM campaign")).one() == (
            "My own words",
            "late",
            0,
        )
    database.dispose()
