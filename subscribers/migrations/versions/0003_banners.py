"""The banner that suits a person, frozen with their message; and campaigns keep no copy of their template's lines.

A stored copy of the old default subject would count as the marketer's own words, which are in one language only.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

OLD_SUBJECT = (
    "{{ hero.title }}{% if picks|length == 1 %} and one more pick"
    "{% elif picks %} and {{ picks|length }} more picks{% endif %}"
)
OLD_PREHEADER = (
    "{% if hero.reason %}{{ hero.reason }} · {% endif %}Picked for {{ subscriber.given_name or 'you' }} this week"
)


def upgrade() -> None:
    # not in a batch: that makes the table anew on SQLite, and a table that others refer to cannot be dropped
    op.add_column("message", sa.Column("banner", sa.String(200), nullable=False, server_default=sa.text("''")))
    campaign = sa.table("campaign", sa.column("subject", sa.String), sa.column("preheader", sa.String))
    for column, old in ((campaign.c.subject, OLD_SUBJECT), (campaign.c.preheader, OLD_PREHEADER)):
        op.execute(campaign.update().where(column == old).values({column.name: ""}))
