"""Write every letter of a planned run again from its frozen rows: the same bytes? And is each as it must be?"""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Engine, select
from sqlmodel import col

from campaigns.freeze import frozen_writer
from campaigns.letters import Writer, row_of
from campaigns.models import Message
from campaigns.review.findings import Review
from campaigns.runs import find_run
from engine.errors import EngineError
from engine.render.checks import Finding
from subscribers.database import reading

Progress = Callable[[int, int], None]
"""Called with (mails read, mails in all)."""


def review_run(database: Engine, run_id: int, *, progress: Progress | None = None) -> Review:
    """Render and check everybody's mail. Raises RunUnknown, WrongState."""
    review = Review(run_id)
    with reading(database) as session:
        writer = frozen_writer(session, find_run(session, run_id))
        columns = ("address", "given_name", "language", "picks", "message_id", "token", "sha256", "hero_sku_id")
        query = select(*(getattr(Message, name) for name in columns)).where(
            col(Message.run_id) == run_id, col(Message.sha256) != ""
        )
        rows = session.execute(query.order_by(col(Message.id))).all()
    for number, row in enumerate(rows):
        _review_one(review, writer, row._mapping)
        if progress and number % 100 == 0:
            progress(number, len(rows))
    return review


def _review_one(review: Review, writer: Writer, columns: Mapping[Any, Any]) -> None:
    try:
        letter = writer.write(row_of(columns))
    except EngineError as error:
        review.mails += 1
        review.note(Finding("error", "template", str(error)))
        return
    review.look(letter, writer.content.sender, columns["hero_sku_id"])
    if hashlib.sha256(letter.message).hexdigest() != columns["sha256"]:
        review.note(Finding("error", "bytes", "differ from the plan"))
