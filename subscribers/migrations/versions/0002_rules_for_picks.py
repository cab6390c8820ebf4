"""Rules for picks: a campaign's own, what they did in a run, why each mail holds what it holds; stock of products."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    for table, column, default in (
        ("campaign", "rules", "{}"),
        ("run", "rules", "{}"),
        ("run", "rule_counts", "{}"),
        ("message", "why", "{}"),
    ):
        with op.batch_alter_table(table) as batch:
            batch.add_column(sa.Column(column, sa.String(), nullable=False, server_default=default))
    with op.batch_alter_table("product") as batch:
        batch.add_column(sa.Column("stock", sa.Integer(), nullable=True))
