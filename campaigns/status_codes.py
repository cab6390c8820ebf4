"""What a refusal says about the address: nothing can be delivered to it (hard), or something else went wrong.

Asked of replies to RCPT as well as of bounce reports. A hard one suppresses the address for good, so the rule is
narrow: RFC 3463 sorts its codes by what they are about, and only two sorts are about the address itself.

| Code | About (RFC 3463, 3886, 7505) | Here |
|---|---|---|
| 5.1.1, 5.1.2, 5.1.3, 5.1.4, 5.1.6, 5.1.10 | the address: unknown, impossible, moved away, takes no mail | hard |
| 5.2.1 | the mailbox is closed; but not "at a rate" or "too quickly", as Gmail says with the same code | hard |
| 5.1.7, 5.1.8 | the *sender's* address: ours | soft |
| 5.2.2, 5.2.3, 5.2.4 | the mailbox is full, the mail too long for it, a list that does not expand | soft |
| 5.3.x, 5.4.x, 5.5.x, 5.6.x | their system (5.3.4: too big for it), routing, protocol, content | soft |
| 5.7.x | policy: who we are, or what the mail looks like. It would hit the whole list at once | policy |
| x.0.0, 5.1.0, 5.2.0, or no code at all | undefined: the words decide, see `judge` | any |
| 4xx, 4.x.x | not now | soft |

Only the first digit of a plain code such as 550 is reliable: RFC 5321 section 4.2.3 gives it for "mailbox not found",
"no access" and "command rejected for policy reasons" alike.
"""

import re
from enum import StrEnum
from typing import NamedTuple


class Kind(StrEnum):
    """What a refusal is about. hard: the address, for good. policy: us. soft: anything else, or only for now."""

    HARD = "hard"
    SOFT = "soft"
    POLICY = "policy"


class Verdict(NamedTuple):
    """What a refusal says. status: its code as in RFC 3463, such as 5.1.1, or the plain code, or "" without either."""

    kind: Kind
    status: str


_HARD = {"5.1.1", "5.1.2", "5.1.3", "5.1.4", "5.1.6", "5.1.10", "5.2.1"}
_UNDEFINED = {"5.0.0", "5.1.0", "5.2.0", ""}
_LONGEST = 2_000  # characters of a reply that are looked at; four lines of the longest kind
# "550 5.1.1 …", "550-5.1.1 …", "550 #5.1.0 …" (some appliances), "5.1.1 …", "550"; an IP address is no status
_CODES = re.compile(r"\s*(?:([245]\d\d)(?=[ \-]|\s|$)[ \-]?)?\s*#?(?:([245]\.\d{1,3}\.\d{1,3})(?![\d.]*\d))?")
_POLICY = re.compile(
    r"\b(?:spam|black\s?list|block\s?list|blocked|banned|policy|policies|reputation|dnsbl|rbl|spamhaus|dmarc|dkim|spf"
    r"|relay(?:ing)?|authenticat\w+|unsolicited|abuse|rejected due|access denied|not allowed|sender)\b",
    re.IGNORECASE,
)
_NOBODY = re.compile(
    r"\b(?:user|recipient|mailbox|recipient address|e-?mail (?:address|account))\b[^.]{0,60}?"
    r"\b(?:unknown|unavailable|not found|does(?:n't| not) exist|not exist)\b"
    r"|\b(?:unknown|invalid|no such|nonexistent) (?:user|recipient|mailbox|address|local part)\b"
    r"|\bdoes(?:n't| not) have an? \S+ account\b|\bno mailbox here\b",
    re.IGNORECASE,
)
_ADDRESSES = re.compile(r"<[^<>]*>|\S{1,64}@\S+")  # user@unknown.example says nothing
_ONLY_NOW = re.compile(r"\b(?:at a rate|too quickly|too many|temporar\w+|try again|later|quota|full|exceeded)\b", re.I)


def judge(reply: str, code: int = 0) -> Verdict:
    """What a reply or diagnostic text says: "550 5.1.1 unknown user", "5.2.2", "552 mailbox full".

    code: the three-digit reply code, where the text does not begin with it; 0 when there is none. The plain code is
    the stronger one (RFC 2034 section 4): behind a 4xx nothing is final. Without a code that means something, such
    as after a bare 550, the refusal is hard only when its words name the mailbox ("user unknown", "mailbox
    unavailable") and neither a policy ("blocked", "spam") nor something that passes ("quota"). A bare 550 is soft.

    >>> judge("550 5.1.1 unknown user")
    Verdict(kind=<Kind.HARD: 'hard'>, status='5.1.1')
    >>> judge("550 Requested action not taken: mailbox unavailable").kind
    <Kind.HARD: 'hard'>
    >>> judge("550 your mail was blocked").kind, judge("550").kind
    (<Kind.POLICY: 'policy'>, <Kind.SOFT: 'soft'>)
    """
    found = _CODES.match(reply[:_LONGEST])
    assert found is not None  # every part of it may be missing
    plain, status = found[1] or (str(code) if code else ""), found[2] or ""
    words = reply[found.end() : _LONGEST]
    if (plain or status or "4")[0] != "5":
        return Verdict(Kind.SOFT, status or plain)
    if status in _UNDEFINED:
        return Verdict(_by_words(words), status or plain)
    if status.startswith("5.7."):
        return Verdict(Kind.POLICY, status)
    if status in _HARD and not (status == "5.2.1" and _ONLY_NOW.search(words)):
        return Verdict(Kind.HARD, status)
    return Verdict(Kind.SOFT, status)


def is_hard(status: str, code: int) -> bool:
    """Whether a refusal means that this address can never be delivered to. status: as in RFC 3463, or the reply's
    text, which may begin with it; "" when there is none. code: the reply's three digits; 0 when there is none.

    >>> is_hard("5.1.1", 550), is_hard("", 550), is_hard("5.7.1 blocked", 550), is_hard("4.1.1", 450)
    (True, False, False, False)
    """
    return judge(status, code).kind is Kind.HARD


def _by_words(words: str) -> Kind:
    words = _ADDRESSES.sub("", words)
    if _POLICY.search(words):
        return Kind.POLICY
    if _NOBODY.search(words) and not _ONLY_NOW.search(words):
        return Kind.HARD
    return Kind.SOFT
