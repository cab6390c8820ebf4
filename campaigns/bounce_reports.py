"""What a message to the bounce address says: a delivery report (RFC 3464), a complaint (RFC 5965), or neither.

Anybody can send anything there, so this reads with bounds, in one pass, and without recursion: the parser of the
standard library goes into nested parts and ends in a RecursionError at a thousand of them. Here the two levels are
enough, because a report's machine-readable part stands directly in it, in front of the returned message (RFC 6522).
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise

from campaigns.errors import CampaignsError
from campaigns.status_codes import Kind, Verdict, judge

READ_BYTES = 1_000_000  # of a message; the part that counts stands in the first few thousand
_FIELDS = 500  # of a block of headers; a long way through many servers leaves about 100
_VALUE = 2_000  # characters of a header
_PARTS = 20
_GROUPS = 100  # recipients in a report; a mail of ours has one, and what it is forwarded to
COMPLAINT = "complaint"
_COMPLAINTS = {"abuse", "fraud", "opt-out", "opt-out-list"}  # virus, other and not-spam do not say "no more"
_STATUS = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")
_UNDEFINED = {"", "5.0.0", "5.1.0", "5.2.0"}
_BOUNDARY = re.compile(r'\bboundary\s*=\s*(?:"([^"]{1,200})"|([^\s;"]{1,200}))', re.IGNORECASE)
_ADDRESS = re.compile(r'[^\s<>,;:"()@]{1,64}@[^\s<>,;:"()@]{1,255}')
_RECIPIENTS = ("x-original-to", "delivered-to", "envelope-to", "x-envelope-to", "to")
_MILDEST_FIRST = (Kind.SOFT, Kind.POLICY, Kind.HARD)
Fields = Sequence[tuple[str, str]]


class ReportIgnored(CampaignsError):
    """A message that says nothing about a mail of ours. reason: in a few words, for a count."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"this message is no report of a mail that came back: {reason}")
        self.reason = reason


@dataclass(frozen=True)
class Report:
    """What a report says. kind: hard, soft, policy (`campaigns.status_codes`) or complaint. status: as in RFC 3463.

    detail: the other side's words, without addresses. addresses: where it was sent to, and so perhaps a return path.
    evidence: the machine-readable part without its line breaks. It is the same when the report is delivered again,
    and when a mail program has written into its headers.
    """

    kind: str
    status: str
    detail: str
    addresses: tuple[str, ...]
    evidence: bytes


def read_report(message: bytes, *, recipient: str = "") -> Report:
    """What the message reports; only its first READ_BYTES are looked at. Raises ReportIgnored, and nothing else.

    recipient: the address it was delivered to, where the mail server says so apart from the message.
    """
    head, _, body = message[:READ_BYTES].replace(b"\r\n", b"\n").partition(b"\n\n")
    fields = _fields(head)
    parts = {kind: (inside, content) for kind, inside, content in _parts(fields, body)}
    where = (recipient, *_found(fields, _RECIPIENTS))
    for kind in ("message/delivery-status", "message/global-delivery-status"):  # the second: RFC 6533
        if kind in parts:
            return _delivery_report(parts[kind][1], where)
    if "message/feedback-report" in parts:
        returned = next((parts[kind][1] for kind in ("message/rfc822", "text/rfc822-headers") if kind in parts), b"")
        return _complaint(parts["message/feedback-report"][1], returned, where)
    raise ReportIgnored(_what_else(fields))


def _delivery_report(content: bytes, where: Sequence[str]) -> Report:
    """Hard only when it says so of every recipient it names: a forwarded mail may have reached another of them."""
    groups = [_fields(group) for group in islice(re.split(rb"\n[ \t]*\n", content), _GROUPS)]
    found = list[tuple[Verdict, str]]()
    for group in groups:
        if _first(group, "action") or _first(group, "final-recipient"):
            found.append(_verdict(group))
    if not found:
        raise ReportIgnored("a report about nobody")
    verdict, detail = min(found, key=lambda each: _MILDEST_FIRST.index(each[0].kind))
    return Report(verdict.kind, verdict.status[:16], detail, _addresses(where), _evidence(content))


def _verdict(group: Fields) -> tuple[Verdict, str]:
    """What is said of one recipient. Raises ReportIgnored when it is not given up on (RFC 3464 section 2.3.3)."""
    action = _first(group, "action").lower()
    if not action.startswith("failed"):
        raise ReportIgnored("delayed only" if action.startswith("delayed") else "a report of no failure")
    # "smtp; 550 5.1.1 unknown user": what the other side said, behind the kind of its words
    words = re.sub(r"^[\w.-]{1,40}\s*;\s*", "", _first(group, "diagnostic-code"))
    given = _STATUS.match(_first(group, "status"))
    status = given[0] if given else ""
    theirs = judge(words)
    if status in _UNDEFINED:  # as Postfix writes for a reply without a code
        verdict = theirs if theirs.status else judge(f"{status or '5.0.0'} {words}")
    else:
        verdict = judge(f"{status} {words}")
        if verdict.kind is Kind.HARD and "." in theirs.status and theirs.kind is not Kind.HARD:
            verdict = theirs  # the two do not agree: the milder one counts
    return verdict, _plain(words or _first(group, "status"))


def _complaint(content: bytes, returned: bytes, where: Sequence[str]) -> Report:
    """A person pressed "this is spam". The report comes to an address of the provider's choice; ours stands in it."""
    fields = _fields(content)
    about = _first(fields, "feedback-type").lower()
    if about not in _COMPLAINTS:
        raise ReportIgnored("feedback that is no complaint")
    back = _found(_fields(returned.partition(b"\n\n")[0]), ("return-path",))
    addresses = _addresses((*_found(fields, ("original-mail-from",)), *back, *where))
    return Report(COMPLAINT, "", _plain(about), addresses, _evidence(content))


def _what_else(fields: Fields) -> str:
    """Why a message is no report. Postfix marks its reports as auto-replied too, so that alone says nothing."""
    if _first(fields, "content-type").lower().startswith("multipart/report"):
        return "another kind of report, or cut off"
    automatic = _first(fields, "auto-submitted").lower().startswith("auto-")  # RFC 3834 section 5
    if automatic or _first(fields, "x-autoreply") or _first(fields, "precedence").lower() == "auto_reply":
        return "an automatic reply"
    return "no report"


def _parts(fields: Fields, body: bytes) -> Iterator[tuple[str, Fields, bytes]]:
    """(type, headers, content) of the parts of a multipart/report, each of which must end: a part without the
    boundary behind it was cut off."""
    kind = _first(fields, "content-type")
    boundary = _BOUNDARY.search(kind)
    if not kind.lower().startswith("multipart/report") or not boundary:
        return
    mark = re.escape((boundary[1] or boundary[2]).rstrip().encode("utf-8", "replace"))
    delimiters = re.finditer(rb"(?:\A|\n)--" + mark + rb"(?:--)?[ \t]*(?=\n|\Z)", body)
    for begin, end in pairwise(islice(delimiters, _PARTS)):
        head, blank, content = body[begin.end() : end.start()].partition(b"\n\n")
        if blank:
            inside = _fields(head)
            yield _first(inside, "content-type").partition(";")[0].strip().lower(), inside, content


def _fields(block: bytes) -> Fields:
    """Headers: (name in small letters, unfolded value). What is no header is passed over."""
    fields = list[tuple[str, str]]()
    for line in islice(block.split(b"\n"), _FIELDS):
        text = line[:_VALUE].decode("utf-8", "replace")
        if text[:1] in (" ", "\t") and fields:
            name, value = fields[-1]
            fields[-1] = (name, f"{value} {text.strip()}"[:_VALUE])
        elif ":" in text:
            name, _, value = text.partition(":")
            fields.append((name.strip().lower(), value.strip()))
    return fields


def _first(fields: Fields, name: str) -> str:
    return next((value for each, value in fields if each == name), "")


def _found(fields: Fields, names: Sequence[str]) -> list[str]:
    return [value for name in names for each, value in fields if each == name]


def _addresses(values: Sequence[str]) -> tuple[str, ...]:
    """Every address in the values, each once, at most 50."""
    return tuple(dict.fromkeys(address for value in values for address in _ADDRESS.findall(value[:_VALUE])))[:50]


def _plain(words: str) -> str:
    """Words for the database: printable, and without the addresses that other servers like to repeat."""
    without = re.sub(r"<[^<>\s]*@[^<>\s]*>|[^\s<>@]{1,64}@[^\s<>@]{1,255}", "<…>", words[:_VALUE])
    return " ".join("".join(each if each.isprintable() else " " for each in without).split())[:1_000]


def _evidence(content: bytes) -> bytes:
    return b" ".join(content.split())
