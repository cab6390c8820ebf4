"""A database that is away for a while."""

import sqlite3

import pytest
from sqlalchemy.exc import IntegrityError, OperationalError

from campaigns.patience import GIVE_UP_AFTER, LONGEST_WAIT, Patience, is_away


class Away:
    """Fails so many times, then answers."""

    def __init__(self, times, error):
        self.left, self.error, self.again = times, error, 0

    def __call__(self):
        if self.left:
            self.left -= 1
            raise self.error
        return "here"

    def reconnect(self):
        self.again += 1
        raise sqlite3.OperationalError("not yet")


@pytest.mark.parametrize("error", [
    sqlite3.OperationalError("database is locked"),
    sqlite3.OperationalError("database or disk is full"),
    OperationalError("x", {}, Exception("server closed the connection")),
])  # fmt: skip
def test_work_is_done_again_until_the_database_is_back(error):
    slept, work = list[float](), Away(6, error)
    assert Patience(slept.append)(work, again=work.reconnect) == "here"
    assert slept == [0.25, 0.5, 1.0, 2.0, 4.0, LONGEST_WAIT]
    assert work.again == 6


def test_a_database_that_stays_away_is_told_after_ten_minutes():
    slept = list[float]()
    with pytest.raises(sqlite3.OperationalError, match="gone"):
        Patience(slept.append)(Away(10_000, sqlite3.OperationalError("gone")))
    assert GIVE_UP_AFTER <= sum(slept) <= GIVE_UP_AFTER + LONGEST_WAIT


@pytest.mark.parametrize("error", [IntegrityError("x", {}, Exception()), ValueError("ours"), sqlite3.IntegrityError()])
def test_what_would_fail_again_is_not_tried_again(error):
    slept = list[float]()
    with pytest.raises(type(error)):
        Patience(slept.append)(Away(1, error))
    assert slept == []


@pytest.mark.parametrize(("statement", "away"), [("SELECT nothing FROM nowhere", False), ("COMMIT", True)])
def test_a_wrong_statement_is_told_at_once(statement, away):
    connection = sqlite3.connect(":memory:", isolation_level=None)
    with pytest.raises(sqlite3.OperationalError) as raised:
        connection.execute(statement)
    connection.close()
    assert is_away(raised.value) is away
    assert is_away(OperationalError(statement, {}, raised.value)) is away
