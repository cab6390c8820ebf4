"""Delivery that can be paused, paced and tried again: when a message may go out, how often it was tried, who bounced.

Messages planned before keep an empty time zone and domain: they wait for no quiet hours and no domain's own limit.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_NOTHING = sa.text("''")


def upgrade() -> None:
    with op.batch_alter_table("message") as batch:
        batch.add_column(sa.Column("time_zone", sa.String(64), nullable=False, server_default=_NOTHING))
        batch.add_column(sa.Column("domain", sa.String(255), nullable=False, server_default=_NOTHING))
        batch.add_column(sa.Column("attempts", sa.Integer, nullable=False, server_default=sa.text("0")))
        batch.add_column(sa.Column("due_at", sa.DateTime(timezone=True), nullable=True))
    with op.batch_alter_table("run") as batch:
        batch.add_column(sa.Column("stopped_because", sa.String(300), nullable=False, server_default=_NOTHING))
    with op.batch_alter_table("campaign") as batch:
        batch.add_column(sa.Column("missed", sa.String(16), nullable=False, server_default=sa.text("'late'")))
        batch.add_column(sa.Column("late_hours", sa.Integer, nullable=False, server_default=sa.text("24")))
        batch.add_column(sa.Column("own_time", sa.Boolean, nullable=False, server_default=sa.false()))
    op.create_table(
        "pace",
        sa.Column("name", sa.String(300), primary_key=True),
        sa.Column("next_at", sa.BigInteger, nullable=False),
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
