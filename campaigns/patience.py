"""A database that is away for a while: locked, its disk full, restarted. Wait and do the same again."""

import sqlite3
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

FIRST_WAIT, LONGEST_WAIT = 0.25, 5.0  # seconds; a run goes on at most 5 s after its database is back
GIVE_UP_AFTER = 600.0  # seconds; then whoever started the run is told, and the scheduler tries anew
_Found = TypeVar("_Found")


class Patience:
    """Calls work that must not be lost. sleep: waits that many seconds."""

    def __init__(self, sleep: Callable[[float], None]) -> None:
        self._sleep = sleep

    def __call__(self, work: Callable[[], _Found], *, again: Callable[[], object] = lambda: None) -> _Found:
        """What `work` gives; on trouble with the database it is called again, after `again`, for up to ten minutes.

        `work` must be safe to repeat: the commit whose answer was lost may have been made. Raises what the last try
        raised.
        """
        wait, waited = FIRST_WAIT, 0.0
        while True:
            try:
                return work()
            except Exception as error:
                if not is_away(error) or waited >= GIVE_UP_AFTER:
                    raise
            self._sleep(wait)
            waited, wait = waited + wait, min(wait * 2, LONGEST_WAIT)
            with suppress(Exception):  # if the connection cannot be made yet, the next try says so
                again()


def is_away(error: Exception) -> bool:
    """Whether this is the database's trouble and may pass: not a wrong statement, nor a broken rule of its tables."""
    if isinstance(error, sqlite3.OperationalError):
        return not _is_wrong(error)
    if isinstance(error, DBAPIError):
        if isinstance(error.orig, sqlite3.OperationalError):
            return not _is_wrong(error.orig)
        return isinstance(error, OperationalError | InterfaceError) or error.connection_invalidated
    names = {kind.__name__ for kind in type(error).__mro__ if kind.__module__.startswith("psycopg")}
    return bool(names & {"OperationalError", "InterfaceError"})


def _is_wrong(error: sqlite3.OperationalError) -> bool:
    """Whether SQLite calls the statement itself wrong ("no such column"), and would tomorrow.

    It says the same of a COMMIT whose transaction a full disk has ended: that is begun anew.
    """
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_BUSY)
    return code == sqlite3.SQLITE_ERROR and "transaction" not in str(error)
