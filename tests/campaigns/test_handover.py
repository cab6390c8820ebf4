"""The commits around a mail, when their answers are lost and when the connection is."""

from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from campaigns import ledger
from campaigns.handover import Handovers, Settled
from campaigns.models import MessageState
from campaigns.patience import Patience
from subscribers.database import writing
from tests.stores import NEEDS_POSTGRESQL

pytestmark = pytest.mark.parametrize(
    "store", ["sqlite", pytest.param("postgres", marks=NEEDS_POSTGRESQL)], indirect=True, scope="session"
)


class Forgetful(Handovers):
    """Makes its commits, and loses the answer to some of them; or the connection before them."""

    lose_answers = 0
    lose_connections = 0

    def _commit(self) -> None:
        if self.lose_connections:
            self.lose_connections -= 1
            raise OperationalError("COMMIT", {}, Exception("server closed the connection"))
        settled = list(self.settled)
        super()._commit()
        if self.lose_answers:
            self.lose_answers -= 1
            self.settled.extend(settled)
            raise OperationalError("COMMIT", {}, Exception("server closed the connection"))


def prepared(shop: Any, count: int = 1) -> tuple[Forgetful, list[int]]:
    run = shop.plan()
    shop.execute("UPDATE run SET state = 'sending'")
    with writing(shop.world.database) as session:
        rows = ledger.claim(session, run, "me", count, now=shop.now)
        session.commit()
    return Forgetful(shop.world.database, "me", Patience(lambda seconds: None)), [row.id for row in rows]


def accepted(shop: Any, number: int) -> Settled:
    return Settled(number, MessageState.ACCEPTED, "250", shop.now)


def states(shop: Any, numbers: list[int]) -> list[object]:
    found = dict(shop.query("SELECT id, state FROM message"))
    return [found[number] for number in numbers]


@pytest.mark.parametrize("trouble", ["lose_answers", "lose_connections"])
def test_a_begin_that_did_not_answer_is_made_once_and_known(shop, trouble):
    moves, numbers = prepared(shop, 3)
    with moves:
        setattr(moves, trouble, 2)
        assert moves.begin(numbers) == set(numbers)
        assert states(shop, numbers) == ["handing_over"] * 3


@pytest.mark.parametrize("trouble", ["lose_answers", "lose_connections"])
def test_a_try_whose_commit_did_not_answer_is_written_once(shop, trouble):
    moves, numbers = prepared(shop)
    with moves:
        moves.begin(numbers)
        moves.settle(accepted(shop, numbers[0]))
        setattr(moves, trouble, 2)
        moves.flush()
    assert states(shop, numbers) == ["accepted"]
    assert shop.query("SELECT attempts FROM message WHERE id = :id", id=numbers[0]) == [(1,)]
    assert shop.query("SELECT outcome FROM attempt") == [("accepted",)]


def test_what_ended_is_written_with_the_next_begin_and_not_later(shop):
    moves, numbers = prepared(shop, 2)
    with moves:
        moves.begin(numbers[:1])
        moves.settle(accepted(shop, numbers[0]))
        assert states(shop, numbers) == ["handing_over", "claimed"]
        moves.begin(numbers[1:])
        assert states(shop, numbers) == ["accepted", "handing_over"]
        assert moves.settled == []


def test_who_refused_is_suppressed_in_the_same_commit_and_the_others_may_go(shop):
    moves, numbers = prepared(shop, 3)
    refusing = shop.query("SELECT address FROM message WHERE id = :id", id=numbers[1])[0][0]
    shop.opt_out(str(refusing))
    with moves:
        assert moves.begin(numbers) == {numbers[0], numbers[2]}
    assert states(shop, numbers) == ["handing_over", "suppressed", "handing_over"]
    assert shop.query("SELECT reason, claimed_by FROM message WHERE id = :id", id=numbers[1]) == [
        ("opted out after planning", "")
    ]


def test_times_are_written_as_the_tables_write_them(shop):
    """On SQLite times are text, and compared as text: a suffix too many, and a mail is due a microsecond late."""
    moves, numbers = prepared(shop)
    with moves:
        moves.begin(numbers)
        moves.settle(Settled(numbers[0], MessageState.DEFERRED, "450 later", shop.now, shop.now))
    with writing(shop.world.database) as session:
        rows = ledger.claim(session, 1, "me", 100, now=shop.now)
    assert numbers[0] in [row.id for row in rows]


def test_a_connection_that_died_is_replaced(shop):
    moves, numbers = prepared(shop)
    with moves:
        moves._connection.driver_connection.close()  # type: ignore[union-attr]
        shop.world.database.dispose()
        with pytest.raises(Exception, match="closed"):
            moves._cursor.execute("SELECT 1")
        if shop.world.database.dialect.name == "postgresql":  # sqlite3 calls this a wrong use, which it never is there
            assert moves.begin(numbers) == set(numbers)
