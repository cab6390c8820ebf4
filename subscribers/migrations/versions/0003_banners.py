"""The banner that suits a person, frozen with their message."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    with op.batch_alter_table("message") as batch:
        batch.add_column(sa.Column("banner", sa.String(200), nullable=False, server_default=""))
