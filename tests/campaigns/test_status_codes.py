"""What a refusal says about the address. A hard one suppresses for good: what is not about the address never is one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.status_codes import Kind, is_hard, judge

REPLIES = [
    # not now
    ("421 4.3.2 Service shutting down", Kind.SOFT, "4.3.2"),
    ("450 4.2.1 The user you are trying to contact is receiving mail too quickly", Kind.SOFT, "4.2.1"),
    ("451 4.7.1 Greylisting in action, please come back later", Kind.SOFT, "4.7.1"),
    ("452 4.2.2 Mailbox full", Kind.SOFT, "4.2.2"),
    ("454 4.7.0 TLS not available", Kind.SOFT, "4.7.0"),
    ("421", Kind.SOFT, "421"),
    ("450 unknown user", Kind.SOFT, "450"),
    # a final code behind a temporary one, and the other way round: the milder one counts
    ("450 5.1.1 unknown user", Kind.SOFT, "5.1.1"),
    ("550 4.1.1 unknown user", Kind.SOFT, "4.1.1"),
    # the address
    ("550 5.1.1 unknown user", Kind.HARD, "5.1.1"),
    ("550-5.1.1 The email account that you tried to reach does not exist.\n5.1.1 Learn more", Kind.HARD, "5.1.1"),
    ("5.1.2 no such domain", Kind.HARD, "5.1.2"),
    ("501 5.1.3 Bad recipient address syntax", Kind.HARD, "5.1.3"),
    ("553 5.1.4 ambiguous", Kind.HARD, "5.1.4"),
    ("551 5.1.6 moved", Kind.HARD, "5.1.6"),
    ("556 5.1.10 Recipient address has null MX", Kind.HARD, "5.1.10"),
    ("550 5.2.1 The email account that you tried to reach is disabled", Kind.HARD, "5.2.1"),
    # something else
    ("550 5.2.1 The user is receiving mail at a rate that prevents additional messages", Kind.SOFT, "5.2.1"),
    ("552 5.2.2 Over quota", Kind.SOFT, "5.2.2"),
    ("552 5.2.3 Message too long", Kind.SOFT, "5.2.3"),
    ("552 5.3.4 Message too big for system", Kind.SOFT, "5.3.4"),
    ("550 5.1.7 Bad sender's mailbox address syntax", Kind.SOFT, "5.1.7"),
    ("550 5.1.8 Bad sender's system address", Kind.SOFT, "5.1.8"),
    ("554 5.4.4 Host not found", Kind.SOFT, "5.4.4"),
    ("550 5.4.1 Recipient address rejected: Access denied", Kind.SOFT, "5.4.1"),
    ("500 5.5.2 Syntax error", Kind.SOFT, "5.5.2"),
    ("554 5.6.0 Message content rejected", Kind.SOFT, "5.6.0"),
    # policy
    ("550 5.7.1 Message refused: blocked using a list", Kind.POLICY, "5.7.1"),
    ("550 5.7.26 This mail is unauthenticated", Kind.POLICY, "5.7.26"),
    ("550 5.7.1 unknown user", Kind.POLICY, "5.7.1"),
    # undefined codes and none at all: the words decide
    ("550", Kind.SOFT, "550"),
    ("552", Kind.SOFT, "552"),
    ("554 Transaction failed", Kind.SOFT, "554"),
    ("550 Requested action not taken: mailbox unavailable", Kind.HARD, "550"),
    ("550 <ana@example.com>: Recipient address rejected: User unknown", Kind.HARD, "550"),
    ("552 1 Requested mail action aborted, mailbox not found", Kind.HARD, "552"),
    ("554 delivery error: dd This user doesn't have a yahoo.com account", Kind.HARD, "554"),
    ("550 #5.1.0 Address rejected, no such user", Kind.HARD, "5.1.0"),
    ("5.0.0 550 no such user here", Kind.HARD, "5.0.0"),
    ("5.0.0", Kind.SOFT, "5.0.0"),
    ("550 mailbox unavailable: your host was blocked", Kind.POLICY, "550"),
    ("550 relaying denied, unknown user", Kind.POLICY, "550"),
    ("554 looks like spam", Kind.POLICY, "554"),
    ("552 user is over quota, mailbox unavailable", Kind.SOFT, "552"),
    ("550 <user@unknown.example> cannot be served", Kind.SOFT, "550"),
    ("550 account disabled, call the billing department", Kind.SOFT, "550"),
    # no codes
    ("", Kind.SOFT, ""),
    ("no such user", Kind.SOFT, ""),
    ("550 5.1.1.7 is no status", Kind.SOFT, "550"),
    ("5501 unknown user", Kind.SOFT, ""),
]


@pytest.mark.parametrize(("reply", "kind", "status"), REPLIES)
def test_what_a_reply_says(reply: str, kind: Kind, status: str) -> None:
    assert judge(reply) == (kind, status)


@pytest.mark.parametrize(
    ("status", "code", "hard"),
    [
        ("5.1.1", 550, True),
        ("5.1.1", 0, True),
        ("5.1.1 unknown user", 550, True),
        ("550 5.1.1 unknown user", 550, True),
        ("unknown user", 550, True),
        ("5.1.1", 450, False),
        ("", 550, False),
        ("", 421, False),
        ("", 0, False),
        ("5.2.2", 552, False),
        ("5.7.1", 550, False),
        ("5.1.8", 550, False),
    ],
)
def test_status_and_code_may_come_apart(status: str, code: int, hard: bool) -> None:
    assert is_hard(status, code) is hard


@given(
    code=st.integers(400, 599),
    status=st.from_regex(r"[245]\.[0-9]{1,2}\.[0-9]{1,3}", fullmatch=True) | st.just(""),
    words=st.text(max_size=80) | st.sampled_from(["unknown user", "mailbox unavailable"]),
)
def test_nothing_temporary_and_no_policy_is_ever_hard(code: int, status: str, words: str) -> None:
    verdict = judge(f"{code} {status} {words}")
    if code < 500 or (status and status[0] != "5"):
        assert verdict.kind is Kind.SOFT
    if verdict.status.startswith("5.7."):
        assert verdict.kind is not Kind.HARD


@given(st.text(max_size=300), st.integers(0, 999))
def test_any_text_gets_an_answer(reply: str, code: int) -> None:
    kind, status = judge(reply, code)
    assert kind in Kind
    assert len(status) <= 9


@pytest.mark.parametrize("endless", ["5.1.0 " + "user " * 400_000, "550 " + "<" * 1_000_000, "550 " + "a" * 2_000_000])
def test_an_endless_reply_takes_no_time(endless: str) -> None:
    assert judge(endless).kind is Kind.SOFT
