"""Erasing a person: nothing of them stays but a number and a refusal, whatever is imported or sent later."""

import unicodedata
from pathlib import Path

import pytest

from campaigns import ledger, plan
from campaigns.audience import audience
from campaigns.erasure import Erased, erase
from campaigns.handover import Handovers, Settled
from campaigns.models import MessageState
from campaigns.patience import Patience
from campaigns.review.rereading import review_run
from campaigns.smtp.pool import Smtp
from campaigns.transports import Memory
from studio.cli.main import main
from studio.cli.options import close_workspaces
from subscribers import consent, roster
from subscribers.csv_files import CsvFile
from subscribers.database import reading, writing
from subscribers.errors import SubscriberUnknown
from subscribers.import_report import ImportReport
from tests.stores import NEEDS_POSTGRESQL

pytestmark = [
    pytest.mark.slow,
    pytest.mark.parametrize(
        "store", ["sqlite", pytest.param("postgres", marks=NEEDS_POSTGRESQL)], indirect=True, scope="session"
    ),
]


def forget(shop, address):
    with writing(shop.world.database) as session:
        return erase(session, address, shop.world.secrets, now=shop.now)


def bring_back(shop, folder: Path, *addresses: str) -> dict[str, int]:
    """Import them again, as an old list would, with their consent."""
    path = folder / "again.csv"
    path.write_text("address,given_name,mail\n" + "".join(f"{address},Ana,yes\n" for address in addresses))
    source = CsvFile(path, roster.SUBSCRIBER_COLUMNS)
    with writing(shop.world.database) as session, ImportReport(source, folder / "rejects.csv") as report:
        roster.import_subscribers(session, source, report, shop.world.secrets, now=shop.now)
    return dict(report.counts)


def everything_written(shop) -> str:
    """Every text of every table, as one."""
    tables = ("subscriber", "consent", "suppression", "signal", "message", "attempt", "bounce", "run")
    return "\n".join(str(row) for table in tables for row in shop.query(f"SELECT * FROM {table}"))


def someone(shop) -> str:
    """A person with signals whom we may mail."""
    known = "SELECT address FROM subscriber WHERE may_mail AND id IN (SELECT subscriber_id FROM signal) ORDER BY id"
    return str(shop.query(known)[0][0])


def test_nothing_of_a_person_stays_but_a_number_and_a_refusal(shop, server, smtp_settings):
    ana = someone(shop)
    ((number, name),) = shop.query("SELECT id, given_name FROM subscriber WHERE address = :a", a=ana)
    key = shop.world.secrets.key_of(ana)
    first, second = shop.plan(), shop.plan()
    server.replies["RCPT"] = [f"550 5.2.2 <{ana}>: the mailbox is full"] * 60
    shop.send(first, Smtp(smtp_settings()))
    shop.execute("UPDATE message SET why = :why WHERE subscriber_id = :n", why='{"because": "a secret"}', n=number)
    assert everything_written(shop).count(ana) > 3
    token = shop.query("SELECT token FROM message WHERE subscriber_id = :n", n=number)[0][0]

    gone = forget(shop, ana.upper())
    assert gone.known
    assert gone.signals > 0
    assert (gone.answers, gone.mails) == (3, 2)
    left = everything_written(shop)
    theirs = [line for line in left.splitlines() if ana in line]
    assert [line for line in theirs if "the mailbox is full" not in line] == []  # the server named ana to everybody
    assert str(token) not in left
    assert "a secret" not in left
    assert shop.query("SELECT key FROM suppression WHERE reason = 'erased'") == [(key,)]
    assert left.count(key) == 1, "the hash is kept in the list of refusals, and nowhere else"
    assert shop.query("SELECT count(*) FROM signal WHERE subscriber_id = :n", n=number) == [(0,)]
    assert shop.query("SELECT count(*) FROM consent WHERE subscriber_id = :n", n=number) == [(0,)]
    row = shop.query(
        "SELECT address, given_name, country, may_mail, may_personalise FROM subscriber WHERE id = :n", n=number
    )
    assert [tuple(map(bool, one)) for one in row] == [(False,) * 5]
    assert str(name) not in str(row)
    states = shop.query("SELECT run_id, state, reason FROM message WHERE subscriber_id = :n ORDER BY run_id", n=number)
    assert states == [(first, "failed", "erased"), (second, "suppressed", "erased")]
    replies = shop.query(
        "SELECT reply FROM attempt JOIN message ON message.id = attempt.message_id WHERE subscriber_id = :n", n=number
    )
    assert replies == [("",)]
    with reading(shop.world.database) as session, pytest.raises(SubscriberUnknown):
        roster.find(session, ana, shop.world.secrets)


def test_erasing_twice_or_somebody_unknown_leaves_one_refusal(shop):
    ana = someone(shop)
    assert forget(shop, ana).known
    before = everything_written(shop)
    assert forget(shop, ana) == Erased(known=False)
    assert everything_written(shop) == before
    assert forget(shop, "nobody@example.com") == Erased(known=False)
    with reading(shop.world.database) as session:
        assert consent.is_suppressed(session, shop.world.secrets.key_of("NOBODY@example.com"))


def test_two_people_can_be_erased(shop):
    for address in shop.mailable()[:3]:
        assert forget(shop, address).known
    assert shop.query("SELECT count(*) FROM subscriber WHERE address = ''") == [(3,)]


@pytest.mark.parametrize("variant", [str, str.upper, lambda a: unicodedata.normalize("NFD", a), lambda a: f" {a} "])
def test_who_is_imported_again_is_a_new_person_who_gets_no_mail(shop, tmp_path, variant):
    ana = "zoë.größe@example.com"
    assert bring_back(shop, tmp_path, ana)["added"] == 1
    old = shop.query("SELECT id FROM subscriber WHERE address = :a", a=ana)[0][0]
    forget(shop, variant(ana))
    assert bring_back(shop, tmp_path, variant(ana)) == {"added": 1}
    ((new, may_mail),) = shop.query("SELECT id, may_mail FROM subscriber WHERE given_name = 'Ana'")
    assert new != old
    assert not may_mail
    run = shop.plan()
    shop.send(run)
    assert ana not in {recipient.strip().lower() for recipient in shop.sink.recipients}
    assert shop.query("SELECT reason FROM message WHERE subscriber_id = :n", n=new) == [("opted out",)]
    assert shop.query("SELECT count(*) FROM message WHERE subscriber_id = :n", n=old) == [(0,)]


def test_the_erased_are_no_part_of_later_runs(shop):
    ana = someone(shop)
    forget(shop, ana)
    with reading(shop.world.database) as session:
        assert len(list(audience(session))) == 59
    run = shop.plan()
    assert sum(shop.send(run).values()) == 59


class Meanwhile(Memory):
    """Does something while the first mail is on the wire."""

    def __init__(self, act):
        super().__init__()
        self.act = act

    def hand_over(self, message, message_id):
        reply = super().hand_over(message, message_id)
        act, self.act = self.act, lambda: None
        act()
        return reply


def test_who_is_erased_while_a_run_is_sent_gets_nothing_any_more(shop):
    run = shop.plan()
    people = shop.mailable()
    sink = Meanwhile(lambda: [forget(shop, person) for person in (*people[:2], people[-1])])
    totals = shop.send(run, sink)
    assert totals == {"accepted": len(people) - 2, "suppressed": 2, "skipped": 60 - len(people)}
    assert people[0] in sink.recipients  # it was on the wire
    assert people[-1] not in sink.recipients
    assert people[1] not in sink.recipients
    assert (
        shop.query("SELECT state, reason, address FROM message WHERE state = 'suppressed'")
        == [("suppressed", "erased", "")] * 2
    )
    assert shop.query("SELECT state FROM run") == [("finished",)]


@pytest.mark.parametrize("state", ["handing_over", "in_doubt"])
def test_what_is_left_of_their_mail_is_never_sent(shop, state):
    """It would have no address. And it must not stop the others."""
    run = shop.plan()
    ana = shop.mailable()[0]
    shop.execute("UPDATE message SET state = :s, claimed_by = 'x/0/0' WHERE address = :a", s=state, a=ana)
    forget(shop, ana)
    assert shop.query("SELECT state FROM message WHERE address = '' AND claimed_by = 'x/0/0'") == [(state,)]
    totals = shop.send(run, Memory(), resend_in_doubt=True)  # which knows that it did not arrive
    assert totals == {"accepted": len(shop.mailable()), "suppressed": 1, "skipped": 59 - len(shop.mailable())}
    assert shop.query("SELECT state FROM run") == [("finished",)]


def test_when_everything_that_is_due_was_erased_the_run_is_finished(shop):
    run = shop.plan()
    shop.execute("UPDATE message SET state = 'in_doubt' WHERE state = 'planned'")
    for address in shop.mailable():
        forget(shop, address)
    totals = shop.send(run, Memory(), resend_in_doubt=True)
    assert totals.keys() == {"suppressed", "skipped"}
    assert shop.query("SELECT state FROM run") == [("finished",)]


def test_who_is_erased_while_a_plan_is_made_is_not_in_it(shop, monkeypatch):
    """A plan reads the roster at its beginning, and writes its rows for a minute."""
    ana = someone(shop)
    key = shop.world.secrets.key_of(ana)

    def read(session, **options):
        people = list(audience(session, **options))
        forget(shop, ana)
        return people

    monkeypatch.setattr(plan, "audience", read)
    shop.plan()
    monkeypatch.undo()
    assert ana not in everything_written(shop)
    assert key not in str(shop.query("SELECT key, token FROM message"))
    assert shop.query("SELECT reason FROM message WHERE state = 'suppressed'") == [("erased",)]
    totals = shop.send(1)
    assert totals["suppressed"] == 1
    assert sorted(shop.sink.recipients) == sorted(shop.mailable())


def test_the_others_mails_can_still_be_reviewed(shop):
    run = shop.plan()
    forget(shop, someone(shop))
    review = review_run(shop.world.database, run)
    assert review.errors == 0
    assert review.mails == len(shop.mailable())


def test_it_is_one_transaction(shop, monkeypatch):
    ana = someone(shop)
    before = everything_written(shop)

    class Killed(BaseException):
        pass

    with writing(shop.world.database) as session:
        monkeypatch.setattr(session, "commit", lambda: (_ for _ in ()).throw(Killed))
        with pytest.raises(Killed):
            erase(session, ana, shop.world.secrets, now=shop.now)
    assert everything_written(shop) == before


@pytest.mark.sqlite
def test_the_command_says_what_it_did(shop, monkeypatch, capsys):
    ana = someone(shop)
    shop.plan()
    monkeypatch.setenv("HANDPICKED_WORKSPACE", str(shop.world.settings.workspace))

    def handpicked(*words: str) -> tuple[int, str]:
        monkeypatch.setattr("sys.argv", ["handpicked", *words])
        code = 0
        try:
            main()
        except SystemExit as end:
            code = int(str(end.code or 0))
        finally:
            close_workspaces()
        captured = capsys.readouterr()
        return code, captured.out + captured.err

    code, said = handpicked("subscriber", "erase", ana)
    assert code == 0
    assert "3 answers about consent" in said
    assert "1 rows in runs" in said
    assert "gets no mail any more" in said
    assert handpicked("subscriber", "erase", ana) == (
        0,
        "nobody on the roster has this address\nthis address gets no mail any more, also if it is imported again\n",
    )
    assert handpicked("subscriber", "show", ana)[0] == 2
    assert handpicked("subscriber", "erase", "nonsense")[0] == 2


def test_a_living_sender_may_still_say_what_became_of_it(shop):
    run = shop.plan()
    shop.execute("UPDATE run SET state = 'sending'")
    with writing(shop.world.database) as session:
        (row,) = ledger.claim(session, run, "me", 1, now=shop.now)
        session.commit()
    with Handovers(shop.world.database, "me", Patience(lambda seconds: None)) as moves:
        assert moves.begin([row.id]) == {row.id}
        forget(shop, row.address)
        moves.settle(Settled(row.id, MessageState.ACCEPTED, "250", shop.now))
    assert shop.query("SELECT state, address FROM message WHERE id = :id", id=row.id) == [("accepted", "")]
