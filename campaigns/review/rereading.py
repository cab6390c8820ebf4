"""Write every letter of a planned run again from its frozen rows: the same bytes? And is each as it must be?"""

from collections.abc import Callable

from sqlalchemy import Engine, select
from sqlmodel import col

from campaigns.freeze import frozen_press
from campaigns.letters import row_of
from campaigns.models import Message
from campaigns.press import Judged
from campaigns.review.findings import Review
from campaigns.runs import find_run
from subscribers.database import reading

BATCH = 500

Progress = Callable[[int, int], None]
"""Called with (mails read, mails in all)."""


def review_run(database: Engine, run_id: int, *, progress: Progress | None = None) -> Review:
    """Render and check everybody's mail. Raises RunUnknown, WrongState."""
    review = Review(run_id)
    with reading(database) as session:
        press = frozen_press(session, find_run(session, run_id))
        names = (
            *("subscriber_id", "address", "given_name", "language", "banner", "picks"),
            *("message_id", "token", "sha256"),
        )
        query = select(*(getattr(Message, name) for name in names)).where(
            col(Message.run_id) == run_id, col(Message.sha256) != ""
        )
        rows = session.execute(query.order_by(col(Message.id))).all()
    with press:
        for start in range(0, len(rows), BATCH):
            part = [row._mapping for row in rows[start : start + BATCH]]
            press.begin_judging(
                [row_of(row) for row in part],
                [row["subscriber_id"] for row in part],
                [row["sha256"] for row in part],
            )
            judged: Judged = press.finish()
            review.merge(judged.review)
            if progress:
                progress(start + len(part), len(rows))
    return review
