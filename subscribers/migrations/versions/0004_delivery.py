"""Delivery that can be paused, paced and tried again: when a message may go out, how often it was tried, who bounced.

Messages planned before keep an empty time zone and domain: they wait for no quiet hours and no domain's own limit.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_NOTHING = sa.text("''")


def upgrade() -> None:
    # not in a batch: that makes the table anew on SQLite, and a table that others refer to cannot be dropped
    op.add_column("message", sa.Column("time_zone", sa.String(64), nullable=False, server_default=_NOTHING))
    op.add_column("message", sa.Column("domain", sa.String(255), nullable=False, server_default=_NOTHING))
    op.add_column("message", sa.Column("attempts", sa.Integer, nullable=False, server_default=sa.text("0")))
    op.add_column("message", sa.Column("due_at", sa.DateTime(timezone=True), nullable=True))
    op.execute(  # whoever is waiting was due when the run was planned: claims go by due_at
        "UPDATE message SET due_at = (SELECT run.planned_at FROM run WHERE run.id = message.run_id) "
        "WHERE state <> 'skipped'"
    )
    op.drop_index("ix_message_state", "message")
    op.create_index("ix_message_state", "message", ["run_id", "state", "due_at"])
    op.add_column("run", sa.Column("stopped_because", sa.String(300), nullable=False, server_default=_NOTHING))
    op.add_column("campaign", sa.Column("missed", sa.String(16), nullable=False, server_default=sa.text("'late'")))
    op.add_column("campaign", sa.Column("late_hours", sa.Integer, nullable=False, server_default=sa.text("24")))
    op.add_column("campaign", sa.Column("own_time", sa.Boolean, nullable=False, server_default=sa.false()))
    op.create_table(
        "pace",
        sa.Column("name", sa.String(300), primary_key=True),
        sa.Column("next_at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "sender",
        sa.Column("owner", sa.String(100), primary_key=True),
        sa.Column("alive_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "bounce",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("sha256", sa.String(64), nullable=False, unique=True),
        sa.Column("message_id", sa.Integer, sa.ForeignKey("message.id"), nullable=False, index=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("detail", sa.String(1000), nullable=False),
    )
