"""The studio: accounts, sessions, access tokens, audit lines, jobs. Segments, and approval of campaigns."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_NOTHING = sa.text("''")


def _time(name: str, *, empty: bool = False, index: bool = False) -> "sa.Column[object]":
    return sa.Column(name, sa.DateTime(timezone=True), nullable=empty, index=index)


def _words(name: str, longest: int, *, index: bool = False, unique: bool = False) -> "sa.Column[str]":
    return sa.Column(name, sa.String(longest), nullable=False, index=index, unique=unique)


def upgrade() -> None:
    _what_was_there()
    _segments_and_beats()
    _people_of_the_studio()
    _its_work()


def _what_was_there() -> None:
    op.add_column("campaign", sa.Column("segments", sa.String, nullable=False, server_default="{}"))
    op.add_column("campaign", sa.Column("version", sa.Integer, nullable=False, server_default=sa.text("1")))
    op.add_column("campaign", sa.Column("approved_sha256", sa.String(64), nullable=False, server_default=_NOTHING))
    op.add_column("campaign", sa.Column("approved_by", sa.String(64), nullable=False, server_default=_NOTHING))
    op.add_column("campaign", sa.Column("approved_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index("ix_subscriber_address", "subscriber", [sa.text("lower(address)"), "id"])
    op.create_index("ix_subscriber_given_name", "subscriber", [sa.text("lower(given_name)"), "id"])


def _segments_and_beats() -> None:
    op.create_table(
        "segment",
        sa.Column("id", sa.Integer, primary_key=True),
        _words("name", 64, unique=True),
        sa.Column("rules", sa.String, nullable=False),
        _time("created_at"),
        _time("changed_at"),
    )
    op.create_table("beat", sa.Column("name", sa.String(100), primary_key=True), _time("at"))


def _people_of_the_studio() -> None:
    op.create_table(
        "account",
        sa.Column("id", sa.Integer, primary_key=True),
        _words("name", 64, unique=True),
        _words("role", 16),
        _words("password", 200),
        _words("time_zone", 64),
        _time("created_at"),
        _time("disabled_at", empty=True),
    )
    op.create_table(
        "login",
        sa.Column("id", sa.Integer, primary_key=True),
        _words("digest", 64, unique=True),
        sa.Column("account_id", sa.Integer, sa.ForeignKey("account.id"), nullable=False, index=True),
        _words("browser", 200),
        _time("begun_at"),
        _time("seen_at"),
        _time("revoked_at", empty=True),
    )
    op.create_table(
        "access_token",
        sa.Column("id", sa.Integer, primary_key=True),
        _words("digest", 64, unique=True),
        sa.Column("account_id", sa.Integer, sa.ForeignKey("account.id"), nullable=False, index=True),
        _words("name", 64),
        _words("role", 16),
        _time("created_at"),
        _time("used_at", empty=True),
        _time("revoked_at", empty=True),
    )
    op.create_table(
        "audit_line",
        sa.Column("id", sa.Integer, primary_key=True),
        _time("at", index=True),
        _words("actor", 64),
        _words("via", 16),
        _words("action", 64),
        _words("subject", 200, index=True),
        _words("detail", 1000),
    )


def _its_work() -> None:
    op.create_table(
        "kept_answer",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("account_id", sa.Integer, sa.ForeignKey("account.id"), nullable=False),
        _words("key", 200),
        _words("request_sha256", 64),
        sa.Column("status", sa.Integer, nullable=False),
        sa.Column("body", sa.String, nullable=False),
        _time("at", index=True),
        sa.UniqueConstraint("account_id", "key"),
    )
    op.create_table(
        "kept_figure",
        sa.Column("name", sa.String(200), primary_key=True),
        sa.Column("value", sa.String, nullable=False),
        _time("counted_at"),
    )
    op.create_table(
        "job",
        sa.Column("id", sa.Integer, primary_key=True),
        _words("kind", 16),
        _words("state", 16, index=True),
        _words("asked_by", 64),
        _time("asked_at"),
        sa.Column("asked", sa.String, nullable=False),
        sa.Column("done", sa.Integer, nullable=False),
        sa.Column("result", sa.String, nullable=False),
        _words("problem", 1000),
        _words("owner", 100),
        _time("alive_at"),
        _time("finished_at", empty=True),
    )
