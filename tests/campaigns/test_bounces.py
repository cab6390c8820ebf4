"""Bounces: what is signed counts once, a hard one suppresses the right person, and nothing else does anything."""

from __future__ import annotations

import mailbox
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, select, text
from sqlalchemy.exc import IntegrityError
from sqlmodel import col

from campaigns.bounce_folders import MailboxUnknown, waiting_in
from campaigns.bounce_reports import ReportIgnored, read_report
from campaigns.bounces import Outcome, Summary, bounced, read_mailbox, take_message
from campaigns.models import Bounce, Campaign, Message, MessageState, Run
from campaigns.return_path import ReturnPath
from campaigns.settings import Settings
from subscribers.consent import is_suppressed
from subscribers.database import reading, writing
from subscribers.models import Subscriber, Suppression
from subscribers.secrets import Secrets

pytestmark = pytest.mark.slow  # quick one by one, but there are many


SETTINGS = Settings(bounce_address="bounces@example.com")


@dataclass
class Report:
    """A delivery report as Postfix writes them, and what tests change about it."""

    to: str
    status: str = "5.1.1"
    action: str = "failed"
    says: str = "smtp; 550 5.1.1 <ana@example.com>: Recipient address rejected: User unknown"
    final: str = "ana@example.com"
    kind: str = "multipart/report; report-type=delivery-status"
    part: str = "message/delivery-status"
    more: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    def __bytes__(self) -> bytes:
        headers = {
            "Return-Path": "<>",
            "Delivered-To": self.to,
            "From": "MAILER-DAEMON@mx.example.net (Mail Delivery System)",
            "Subject": "Undelivered Mail Returned to Sender",
            "To": self.to,
            "Auto-Submitted": "auto-replied",
            "MIME-Version": "1.0",
            "Content-Type": f'{self.kind};\n\tboundary="8A1.17/mx.example.net"',
            **self.headers,
        }
        head = "\n".join(f"{name}: {value}" for name, value in headers.items())
        lines = f"""{head}

This is a MIME-encapsulated message.

--8A1.17/mx.example.net
Content-Description: Notification
Content-Type: text/plain; charset=utf-8

I'm sorry to have to inform you that your message could not be delivered.

--8A1.17/mx.example.net
Content-Description: Delivery report
Content-Type: {self.part}

Reporting-MTA: dns; mx.example.net
X-Postfix-Queue-ID: 8A1
Arrival-Date: Mon,  1 Jun 2026 12:00:00 +0000 (UTC)

Final-Recipient: rfc822; {self.final}
Original-Recipient: rfc822;{self.final}
Action: {self.action}
Status: {self.status}
Remote-MTA: dns; mail.example.net
Diagnostic-Code: {self.says}
{self.more}
--8A1.17/mx.example.net
Content-Description: Undelivered Message
Content-Type: message/rfc822

From: hello@example.com
To: ana@example.com
Subject: Hello

Hello Ana

--8A1.17/mx.example.net--
"""
        return lines.replace("\n", "\r\n").encode()


@dataclass
class Office:
    """Two runs that went to Ana, Ben and Cleo, and the bounces of them."""

    database: Engine
    secrets: Secrets
    now: datetime
    folder: Path
    rows: dict[tuple[int, str], int] = field(default_factory=dict)

    @property
    def return_path(self) -> ReturnPath:
        return ReturnPath(SETTINGS, self.secrets)

    def to(self, name: str = "ana", run: int = 1) -> str:
        return self.return_path.of(self.rows[run, name])

    def take(self, message: Report | bytes, recipient: str = "") -> Outcome:
        return take_message(self.database, bytes(message), self.return_path, at=self.now, recipient=recipient)

    def read(self, place: Path) -> Summary:
        return read_mailbox(self.database, place, self.return_path, clock=lambda: self.now)

    def suppressed(self) -> dict[str, str]:
        """The reason for each person that is."""
        with reading(self.database) as session:
            names = {self.secrets.key_of(f"{name}@example.com"): name for _, name in self.rows}
            return {names[each.key]: each.reason for each in session.scalars(select(Suppression))}

    def bounces(self) -> list[Bounce]:
        with reading(self.database) as session:
            return list(session.scalars(select(Bounce).order_by(col(Bounce.id))))

    def bounced(self, run: int = 1) -> int:
        with reading(self.database) as session:
            return bounced(session, run)

    def maildir(self, *messages: Report | bytes) -> Path:
        place = self.folder / "bounces"
        for part in ("new", "cur", "tmp"):
            (place / part).mkdir(parents=True, exist_ok=True)
        for number, message in enumerate(messages):
            (place / "new" / f"17{number}.M1P1.mx").write_bytes(bytes(message))
        return place


@pytest.fixture
def office(database: Engine, secrets: Secrets, now: datetime, tmp_path: Path) -> Office:
    made = Office(database, secrets, now, tmp_path)
    with writing(database) as session:
        session.add(Campaign(name="weekly", template="t", subject="s", created_at=now))
        session.flush()
        for run in (1, 2):
            session.add(Run(campaign_id=1, occurrence=now.replace(hour=run), planned_at=now, alive_at=now))
        session.flush()
        for number, name in enumerate(("ana", "ben", "cleo"), start=1):
            address, key = f"{name}@example.com", secrets.key_of(f"{name}@example.com")
            session.add(Subscriber(address=address, key=key, joined_at=now, may_mail=True))
            session.flush()
            for run in (1, 2):
                sent = Message(run_id=run, subscriber_id=number, state=MessageState.ACCEPTED, key=key, address=address)
                session.add(sent)
                session.flush()
                assert sent.id is not None
                made.rows[run, name] = sent.id
        session.commit()
    return made


def test_a_hard_bounce_suppresses_the_person_and_is_kept(office: Office, now: datetime) -> None:
    assert office.take(Report(office.to())) == ("hard", "")
    assert office.suppressed() == {"ana": "hard bounce 5.1.1"}
    (kept,) = office.bounces()
    assert (kept.message_id, kept.kind, kept.status, kept.at) == (office.rows[1, "ana"], "hard", "5.1.1", now)
    assert kept.detail == "550 5.1.1 <…>: Recipient address rejected: User unknown"
    with reading(office.database) as session:
        assert is_suppressed(session, office.secrets.key_of("ANA@example.com"))


@pytest.mark.parametrize(
    ("status", "says", "kind", "kept"),
    [
        ("5.1.1", "smtp; 550 5.1.1 User unknown", "hard", "5.1.1"),
        ("5.1.1 (unknown user)", "", "hard", "5.1.1"),
        ("5.1.10", "smtp;550 5.1.10 RESOLVER.ADR.RecipientNotFound", "hard", "5.1.10"),
        ("5.0.0", "smtp; 550 Requested action not taken: mailbox unavailable", "hard", "550"),
        ("5.0.0", 'x-postfix; unknown user: "ana"', "hard", "5.0.0"),
        ("", "smtp; 550 5.1.1 User unknown", "hard", "5.1.1"),
        ("5.2.2", "smtp; 552 5.2.2 mailbox full", "soft", "5.2.2"),
        ("5.2.3", "smtp; 552 5.2.3 too long", "soft", "5.2.3"),
        ("5.3.4", "smtp; 552 5.3.4 too big", "soft", "5.3.4"),
        ("5.4.4", "X-Postfix; Host or domain name not found", "soft", "5.4.4"),
        ("4.4.1", "X-Postfix; connect to mail.example.net: Connection timed out", "soft", "4.4.1"),
        ("5.7.1", "smtp; 550 5.7.1 User unknown", "policy", "5.7.1"),
        ("5.0.0", "smtp; 550 your host is blocked", "policy", "550"),
        ("5.0.0", "", "soft", "5.0.0"),
        ("", "", "soft", "5.0.0"),
        ("rubbish", "rubbish", "soft", "5.0.0"),
        # the two do not agree: the milder one counts
        ("5.1.1", "smtp; 550 5.7.1 blocked", "policy", "5.7.1"),
        ("5.1.1", "smtp; 452 4.2.2 full", "soft", "4.2.2"),
    ],
)
def test_only_what_is_about_the_address_suppresses(
    office: Office, status: str, says: str, kind: str, kept: str
) -> None:
    assert office.take(Report(office.to(), status=status, says=says)).what == kind
    assert [bounce.status for bounce in office.bounces()] == [kept]
    assert set(office.suppressed()) == ({"ana"} if kind == "hard" else set())


@pytest.mark.parametrize(
    ("action", "reason"),
    [
        ("delayed", "delayed only"),
        ("delivered", "a report of no failure"),
        ("relayed", "a report of no failure"),
        ("expanded", "a report of no failure"),
        ("", "a report of no failure"),
    ],
)
def test_what_did_not_fail_is_no_bounce(office: Office, action: str, reason: str) -> None:
    assert office.take(Report(office.to(), action=action)) == ("ignored", reason)
    assert (office.bounces(), office.suppressed()) == ([], {})


@pytest.mark.parametrize(
    ("other", "outcome"),
    [
        ("Action: failed\nStatus: 5.1.1\n", "hard"),
        ("Action: failed\nStatus: 5.2.2\n", "soft"),
        ("Action: delivered\nStatus: 2.0.0\n", "ignored"),
        ("Action: delayed\nStatus: 4.0.0\n", "ignored"),
    ],
)
def test_a_mail_that_was_forwarded_to_several_counts_by_the_mildest(office: Office, other: str, outcome: str) -> None:
    more = f"\nFinal-Recipient: rfc822; somebody@example.net\n{other}"
    assert office.take(Report(office.to(), more=more)).what == outcome


def test_the_report_is_about_whom_the_return_path_says_whomever_it_names(office: Office) -> None:
    assert office.take(Report(office.to("ana"), final="ben@example.com")).what == "hard"
    assert set(office.suppressed()) == {"ana"}


def forgeries(office: Office) -> Iterator[tuple[str, str]]:
    """(address, why it is ignored)."""
    good, unsigned = office.to(), "not signed: sent to no return path of ours"
    forged = "forged: the signature is not ours"
    stranger = ReturnPath(SETTINGS, replace(office.secrets, signing=("guessed",)))
    yield "bounces@example.com", unsigned
    yield "ana@example.com", unsigned
    yield good.replace("example.com", "example.org"), unsigned
    yield "", unsigned
    yield good.replace("+", "+a"), forged
    yield good[:-20] + good[-12:], forged
    yield stranger.of(office.rows[1, "ana"]), forged
    yield "bounces+ana=example.com@example.com", forged
    yield office.return_path.of(4_711), "about a mail that we do not have any more"


def test_what_is_not_signed_suppresses_nobody(office: Office) -> None:
    for address, reason in forgeries(office):
        assert office.take(Report(address)) == ("ignored", reason), address
    assert (office.bounces(), office.suppressed()) == ([], {})


def test_a_return_path_that_only_stands_in_the_report_proves_nothing(office: Office) -> None:
    more = f"X-Envelope-From: {office.to()}\nOriginal-Mail-From: {office.to()}\n"
    outcome = office.take(Report("bounces@example.com", more=more, headers={"Subject": office.to()}))
    assert outcome.what == "ignored"
    assert office.suppressed() == {}


@pytest.mark.parametrize(
    "header", ["Delivered-To", "X-Original-To", "Envelope-To", "X-Envelope-To", "To", "delivered-TO"]
)
def test_the_recipient_may_stand_in_any_header_servers_use(office: Office, header: str) -> None:
    plain = {"Delivered-To": "handpicked@mx.example.com", "To": "undisclosed-recipients:;"}
    message = Report("", headers={**plain, header: f"Bounces <{office.to().upper()}>"})
    assert office.take(message).what == "hard"


def test_the_recipient_may_come_from_the_mail_server_itself(office: Office) -> None:
    assert office.take(Report("root@mx.example.com")).what == "ignored"
    assert office.take(Report("root@mx.example.com"), recipient=office.to()).what == "hard"


def test_a_report_counts_once_however_often_and_on_whatever_way_it_comes(office: Office) -> None:
    report = bytes(Report(office.to()))
    again = b"Received: from somewhere\r\nX-Status: RO\r\n" + report
    bare = report.replace(b"\r\n", b"\n")
    assert [office.take(each).what for each in (report, report, again, bare)] == ["hard", *["counted before"] * 3]
    assert len(office.bounces()) == 1


def test_two_that_read_the_same_report_at_once_count_it_once(office: Office) -> None:
    report, outcomes = bytes(Report(office.to())), list[str]()
    threads = [threading.Thread(target=lambda: outcomes.append(office.take(report).what)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == [*["counted before"] * 3, "hard"]


def test_a_report_of_another_mail_to_the_same_person_is_another_one(office: Office) -> None:
    assert [office.take(Report(office.to("ana", run))).what for run in (1, 2)] == ["hard", "hard"]
    assert office.suppressed() == {"ana": "hard bounce 5.1.1"}


def test_a_report_that_was_cut_off_suppresses_nobody(office: Office) -> None:
    whole = bytes(Report(office.to()))
    complete = whole.index(b"\r\n--8A1", whole.index(b"Diagnostic-Code")) + len(b"\r\n--8A1.17/mx.example.net")
    for length in range(complete):
        assert office.take(whole[:length]).what == "ignored", whole[:length][-60:]
    assert office.suppressed() == {}
    assert office.take(whole[:complete]).what == "hard"


@pytest.mark.sqlite  # for its trigger
def test_bounce_and_suppression_are_one_transaction(office: Office) -> None:
    with writing(office.database) as session:
        session.execute(
            text("CREATE TRIGGER no BEFORE INSERT ON suppression BEGIN SELECT RAISE(ABORT, 'disk full'); END")
        )
        session.commit()
    with pytest.raises(IntegrityError):
        office.take(Report(office.to()))
    assert office.bounces() == []
    with writing(office.database) as session:
        session.execute(text("DROP TRIGGER no"))
        session.commit()
    assert office.take(Report(office.to())).what == "hard"


def test_mails_that_came_back_are_counted_once_each_and_by_run(office: Office) -> None:
    assert office.bounced() == 0
    office.take(Report(office.to("ana")))
    office.take(Report(office.to("ana"), status="5.2.2"))
    office.take(Report(office.to("ben"), status="4.4.1", says=""))
    office.take(Report(office.to("cleo"), status="5.7.1"))
    office.take(Report(office.to("cleo", run=2)))
    office.take(complaint(office, to=office.to("ben", run=2)))
    assert len(office.bounces()) == 6
    assert (office.bounced(1), office.bounced(2), office.bounced(3)) == (3, 1, 0)


def test_bounces_can_be_counted_from_a_moment_on(office: Office, now: datetime) -> None:
    office.take(Report(office.to("ana")))
    office.now = now + timedelta(hours=1)
    office.take(Report(office.to("ben")))
    with reading(office.database) as session:
        counts = [bounced(session, 1, since=now + timedelta(minutes=minutes)) for minutes in (0, 1, 60, 61)]
    assert counts == [2, 1, 1, 0]


AUTOMATIC = {
    "vacation": ({"Auto-Submitted": "auto-replied (vacation)", "Content-Type": "text/plain"}, "an automatic reply"),
    "notice": ({"Auto-Submitted": "auto-generated", "Content-Type": "text/plain"}, "an automatic reply"),
    "old vacation": ({"Auto-Submitted": "", "X-Autoreply": "yes", "Content-Type": "text/plain"}, "an automatic reply"),
    "a person": ({"Auto-Submitted": "no", "Content-Type": "text/plain"}, "no report"),
    "no type": ({"Auto-Submitted": "no", "Content-Type": ""}, "no report"),
    "mixed": ({"Auto-Submitted": "", "Content-Type": 'multipart/mixed; boundary="8A1.17/mx.example.net"'}, "no report"),
    "no boundary": ({"Content-Type": "multipart/report"}, "another kind of report, or cut off"),
}  # fmt: skip


@pytest.mark.parametrize(("headers", "reason"), AUTOMATIC.values(), ids=AUTOMATIC)
def test_other_mail_is_no_bounce_whatever_stands_in_it(office: Office, headers: dict[str, str], reason: str) -> None:
    assert office.take(Report(office.to(), headers=headers)) == ("ignored", reason)


def test_a_read_receipt_is_no_bounce(office: Office) -> None:
    receipt = Report(office.to(), part="message/disposition-notification")
    assert office.take(receipt) == ("ignored", "another kind of report, or cut off")


def complaint(office: Office, kind: str = "abuse", where: str = "Original-Mail-From", to: str = "") -> bytes:
    """A complaint as a provider sends it: to an address agreed on, our return path within."""
    path = to or office.to("ben")
    inside = f"{where}: <{path}>\n" if where == "Original-Mail-From" else ""
    returned = f"{where}: <{path}>\n" if where == "Return-Path" else ""
    return f"""From: fbl@provider.example
To: abuse@example.com
Content-Type: multipart/report; report-type=feedback-report; boundary=b1

--b1
Content-Type: text/plain

This is an abuse report.
--b1
Content-Type: message/feedback-report

Feedback-Type: {kind}
User-Agent: Provider/1
Version: 1
{inside}
--b1
Content-Type: message/rfc822

{returned}From: hello@example.com
Subject: Hello

Hello
--b1--
""".encode()


@pytest.mark.parametrize("where", ["Original-Mail-From", "Return-Path"])
def test_a_complaint_suppresses_the_person(office: Office, where: str) -> None:
    assert office.take(complaint(office, where=where)).what == "complaint"
    assert office.suppressed() == {"ben": "complaint"}
    assert office.take(complaint(office, where=where)).what == "counted before"


def test_other_feedback_and_forged_complaints_suppress_nobody(office: Office) -> None:
    assert office.take(complaint(office, "not-spam")) == ("ignored", "feedback that is no complaint")
    assert office.take(complaint(office, to="ben@example.com")).what == "ignored"
    assert office.take(complaint(office, to=office.to().replace("+", "+a"))).what == "ignored"
    assert office.suppressed() == {}


NESTED = b"".join(b"Content-Type: multipart/report; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(20_000))
HOSTILE = {
    "nothing": b"",
    "zeros": bytes(3_000_000),
    "line ends": b"\r\n" * 1_500_000,
    "one header": b"To: " + b"a" * 3_000_000,
    "many headers": b"To: a@b\n" * 400_000,
    "folded for ever": b"To: a\n" + b" a\n" * 1_000_000,
    "many addresses": b"Content-Type: multipart/report; boundary=b\nTo: " + b"a@b.example, " * 200_000,
    "nested": NESTED,
    "many parts": b"Content-Type: multipart/report; boundary=b\n\n" + b"--b\n\n" * 500_000,
    "many groups": b"Content-Type: multipart/report; boundary=b\n\n--b\nContent-Type: message/delivery-status\n\n"
    + b"Action: failed\nStatus: 5.1.1\nDiagnostic-Code: user <"
    + b"user@" * 500
    + b"\n\n" * 100_000
    + b"\n--b--\n",
    "an odd boundary": b'Content-Type: multipart/report; boundary="' + b"(" * 500 + b'"\n\n--((',
    "an odd charset": b"Content-Type: multipart/report; boundary*=utf-99''%FF; boundary*0*=x\n\n",
    "huge number": b"Content-Type: multipart/report; boundary*" + b"9" * 10_000 + b"*=x\n\n",
    "bytes": bytes(range(256)) * 1_000,
}


@pytest.mark.parametrize("message", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.timeout(5)
def test_hostile_messages_are_ignored_quickly(office: Office, message: bytes) -> None:
    assert office.take(message).what == "ignored"
    assert office.take(message, recipient=office.to()).what in ("ignored", "hard", "soft")


def test_a_report_with_megabytes_behind_it_still_counts(office: Office) -> None:
    report = bytes(Report(office.to())).replace(b"Hello Ana", b"x" * 5_000_000)
    assert office.take(report).what == "hard"


def test_what_stands_behind_the_bounds_is_not_looked_at(office: Office) -> None:
    filler = bytes(Report(office.to())).replace(b"I'm sorry", b"x" * 1_000_000)
    assert office.take(filler) == ("ignored", "another kind of report, or cut off")
    headers = "\n".join(f"Received: from {number}" for number in range(600))
    assert office.take(f"{headers}\n".encode() + bytes(Report(office.to()))) == ("ignored", "no report")


def test_a_report_in_another_charset_or_none_at_all_still_counts(office: Office) -> None:
    says = "smtp; 550 5.1.1 Empfänger unbekannt\x00\x1b[31m"
    assert office.take(bytes(Report(office.to(), says=says)).replace("ä".encode(), b"\xe4")).what == "hard"
    assert office.bounces()[0].detail == "550 5.1.1 Empf�nger unbekannt [31m"


@given(st.binary(max_size=2_000))
def test_any_bytes_are_ignored(message: bytes) -> None:
    with pytest.raises(ReportIgnored):
        read_report(message)


@given(
    st.lists(st.tuples(st.integers(0, 2_000), st.integers(0, 60), st.binary(max_size=30)), max_size=6),
    st.sampled_from([b"", b"message/delivery-status", b"\r\n\r\n", b"--8A1.17/mx.example.net"]),
)
def test_a_report_with_anything_changed_is_read_or_ignored(changes: list[tuple[int, int, bytes]], twice: bytes) -> None:
    message = bytes(Report("bounces+abc@example.com")).replace(twice, twice + twice)
    for start, length, put in changes:
        message = message[:start] + put + message[start + length :]
    try:
        report = read_report(message)
    except ReportIgnored:
        return
    assert report.kind in ("hard", "soft", "policy")
    assert report.detail.isprintable()
    assert len(report.status) <= 16


def test_a_folder_is_read_once(office: Office) -> None:
    place = office.maildir(Report(office.to("ana")), Report(office.to("ben"), status="5.2.2"), Report("x@example.com"))
    assert office.read(place).summary() == {
        "read": 3, "hard": 1, "soft": 1, "policy": 0, "complaint": 0, "counted before": 0,
        "ignored": {"not signed: sent to no return path of ours": 1},
    }  # fmt: skip
    assert sorted(path.name for path in place.glob("*/*")) == [f"17{n}.M1P1.mx:2,S" for n in range(3)]
    assert list((place / "new").iterdir()) == []
    assert office.read(place).summary()["read"] == 0


def test_what_a_mail_program_has_moved_but_nobody_read_is_read(office: Office) -> None:
    place = office.maildir(Report(office.to()))
    (place / "new" / "170.M1P1.mx").rename(place / "cur" / "170.M1P1.mx:2,F")
    assert office.read(place).counts == {"hard": 1}
    assert [path.name for path in (place / "cur").iterdir()] == ["170.M1P1.mx:2,FS"]


def test_killed_between_the_commit_and_the_move_a_report_is_read_again_and_counted_before(office: Office) -> None:
    place = office.maildir(Report(office.to()))
    for message, _ in waiting_in(place):
        office.take(message)  # and here it dies
    assert office.read(place).counts == {"counted before": 1}
    assert len(office.bounces()) == 1
    assert list((place / "new").iterdir()) == []


def test_killed_before_the_commit_a_report_is_still_there(office: Office) -> None:
    place = office.maildir(Report(office.to()))
    assert len(list(waiting_in(place))) == 1
    assert office.read(place).counts == {"hard": 1}


def test_another_reader_may_be_faster(office: Office) -> None:
    place = office.maildir(Report(office.to("ana")), Report(office.to("ben")))
    waiting = waiting_in(place)
    _, done = next(waiting)
    for path in (place / "new").iterdir():
        path.unlink()
    done()
    assert list(waiting) == []


def test_what_is_no_message_in_a_folder_is_left_alone(office: Office) -> None:
    place = office.maildir()
    (place / "new" / ".hidden").write_text("x")
    (place / "new" / "folder").mkdir()
    assert office.read(place).summary()["read"] == 0


def test_a_file_in_mbox_form_is_read_and_not_changed(office: Office, tmp_path: Path) -> None:
    path = tmp_path / "bounces.mbox"
    box = mailbox.mbox(path)
    for name in ("ana", "ben"):
        box.add(bytes(Report(office.to(name))))
    box.close()
    before = path.read_bytes()
    assert office.read(path).counts == {"hard": 2}
    assert office.read(path).counts == {"counted before": 2}
    assert path.read_bytes() == before
    path.write_bytes(b"")
    assert office.read(path).counts == {}


def test_what_is_no_mailbox_is_named(office: Office, tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("Dear Ana")
    for name, complaint in (("nowhere", "does not exist"), ("letter.txt", "neither a Maildir"), (".", "neither")):
        with pytest.raises(MailboxUnknown, match=complaint):
            office.read(tmp_path / name)
