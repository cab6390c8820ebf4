"""The bill after the killing: what the ledger says against what the sink recorded."""

from collections import Counter, defaultdict
from typing import Any

from tests.crash.workspaces import CONNECTIONS, Case
from tests.smtp_sink import Recorded

ENDED = {"accepted", "deferred", "failed", "suppressed", "skipped", "in_doubt"}


def reckon(case: Case, sink: Recorded, *, kills: int, connections: int = CONNECTIONS) -> set[str]:
    """Nobody unaccounted, nothing twice, at most one in doubt a connection a kill. Returns the Message-IDs in doubt."""
    sink.wait_until_quiet()
    ledger, arrived = _ledger(case), sink.accepted()
    doubtful = {number for number, state in ledger.items() if state == "in_doubt"}
    accepted = {number for number, state in ledger.items() if state == "accepted"}
    ids = Counter(mail["message_id"] for mail in arrived)

    assert sink.violations() == []
    assert set(ledger) == set(case.eligible), "somebody's row is gone, or new"
    assert accepted | doubtful == set(case.eligible), "somebody who may be mailed has ended in no state, or a wrong one"
    assert sum(case.states().values()) == case.audience, "the totals do not reconcile with the audience"
    assert not set(case.states()) - ENDED
    assert [number for number, times in ids.items() if times > 1] == [], "a message arrived twice"
    assert accepted <= set(ids), "the ledger says accepted and the server never got it"
    assert set(ids) <= accepted | doubtful, "the server got what the ledger does not know"
    check_letters(case, arrived)
    assert len(doubtful) <= connections * kills
    assert most_doubts_of_a_connection(case, sink, doubtful) <= 1
    return doubtful


def reckon_resent(case: Case, sink: Recorded, doubtful: set[str]) -> None:
    """After those in doubt were sent again: nobody lost, and twice only among them, with the same bytes."""
    sink.wait_until_quiet()
    arrived = sink.accepted()
    ids = Counter(mail["message_id"] for mail in arrived)
    assert set(_ledger(case).values()) == {"accepted"}
    assert set(ids) == set(case.eligible), "somebody was lost"
    assert {number for number, times in ids.items() if times > 1} <= doubtful, "twice, and it was not in doubt"
    assert max(ids.values()) <= 2
    check_letters(case, arrived)


def check_letters(case: Case, arrived: list[dict[str, Any]]) -> None:
    """Each went to its own person, with the bytes of the plan."""
    for mail in arrived:
        assert (mail["to"], mail["sha256"]) == case.eligible[mail["message_id"]]
        assert mail["recipients"] == [mail["to"]]


def most_doubts_of_a_connection(case: Case, sink: Recorded, doubtful: set[str]) -> int:
    """The most messages in doubt that share a connection: the last one each was offered on. A connection lives in one
    life of a sender."""
    offered = {event["to"]: event["connection"] for event in sink.events("rcpt")}
    shared = defaultdict[int, int](int)
    for number in doubtful:
        shared[offered[case.eligible[number][0]]] += 1
    return max(shared.values(), default=0)


def _ledger(case: Case) -> dict[str, str]:
    rows = case.query("SELECT message_id, state FROM message WHERE run_id = :run AND state <> 'skipped'")
    return {str(number): str(state) for number, state in rows}
