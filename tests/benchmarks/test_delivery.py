"""The delivery benchmark at a tiny size: it measures what it says, what it sends arrives, and it can be repeated."""

import pytest
from sqlalchemy import select
from sqlmodel import col

from campaigns import ledger
from campaigns.mime import Envelope
from campaigns.models import Attempt, Message
from campaigns.settings import Settings
from campaigns.transports import Outgoing
from subscribers.database import reading
from tests.smtp_sink import Options, Sink


@pytest.fixture
def contenders(load):
    return load("_delivery_contenders")


@pytest.fixture
def sink(tmp_path):
    with Sink(Options(record=tmp_path / "sink.jsonl")) as sink:
        yield sink


@pytest.fixture
def post(contenders):
    def outgoing(number: int) -> Outgoing:
        envelope = Envelope("shop@example.com", f"person-{number}@example.com")
        head = f"From: {envelope.sender}\r\nTo: {envelope.recipient}\r\nMessage-ID: <{number}@example.com>\r\n"
        message = f"{head}Subject: Hello\r\n\r\n.Hello {number}\r\n".encode()
        return Outgoing(number, f"{number}@example.com", envelope, message, 0)

    return contenders.Post([outgoing(number) for number in range(5)])


@pytest.mark.parametrize("contender", ["sendmail", "aiosmtplib_sendmail"])
def test_reused_connections_share_all_mails_between_them(contenders, post, sink, contender):
    getattr(contenders, contender)(post, sink.port, 3, 16)
    assert len(sink.accepted()) == 16
    assert len(sink.events("connect")) == 3
    assert {mail["to"] for mail in sink.accepted()} == {f"person-{number}@example.com" for number in range(5)}


def test_one_connection_takes_all_mails_or_each_has_its_own(contenders, post, sink):
    contenders.send_message(post, sink.port, 6)
    assert (len(sink.accepted()), len(sink.events("connect"))) == (6, 1)
    contenders.connection_each(post, sink.port, 6)
    assert (len(sink.accepted()), len(sink.events("connect"))) == (12, 7)
    assert not sink.violations()


def test_our_pool_alone_sends_the_same_bytes_on_as_many_connections(load, contenders, post, sink):
    ours = load("_shop").settings_for(Settings(), sink.port, 3)
    contenders.pool_alone(post, ours, 12)
    assert len(sink.accepted()) == 12
    assert len(sink.events("connect")) <= 3
    sizes = {mail["message_id"]: mail["size"] for mail in sink.accepted()}
    assert sizes == {outgoing.message_id: len(outgoing.message) for outgoing in post.messages}


def test_what_the_sink_refuses_is_no_figure(contenders, post):
    gate = contenders.OpenGate()
    (outgoing,) = post.take(1)
    for no in (gate.refused, gate.dropped, gate.lost):
        with pytest.raises(AssertionError, match="no room"):
            no(outgoing, "452 no room")


@pytest.mark.slow
def test_a_run_is_sent_again_and_again_whole_or_in_part(load, tmp_path, sink):
    shop, whole = load("_shop"), load("_whole_run")
    world = shop.make_shop(tmp_path, 60, signals_each=5, epochs=1)
    run = whole.WholeRun(world, shop.CAMPAIGN)
    assert 40 < run.mails <= 60
    settings = shop.settings_for(world.settings, sink.port, 2)
    run.send(settings, run.mails)
    first = {mail["message_id"]: mail["sha256"] for mail in sink.accepted()}
    assert len(first) == run.mails
    run.put_back(10)
    run.send(settings, 10)
    again = sink.accepted()[run.mails :]
    assert len(again) == 10
    assert all(first[mail["message_id"]] == mail["sha256"] for mail in again)
    with reading(world.database) as session:
        assert ledger.totals(session, run.number) == {"accepted": 10, "skipped": 50}
        assert len(session.scalars(select(col(Attempt.id))).all()) == 10
        assert not session.scalars(select(col(Message.id)).where(col(Message.claimed_by) != "")).all()
    sender, worker = whole.peak_memory(world, run, sink.port, 2, 20)
    assert 40 < worker < sender < 400
    world.close()


@pytest.mark.slow
def test_it_prints_its_figures(run):
    found = run("delivery", "--mails", "100", "--rounds", "1", "--delay", "5", "--connections", "4")
    assert {"vs_sendmail", "vs_send_message", "vs_aiosmtplib", "of_delay_limit", "memory_of_ten_times"} <= set(
        found["ratios"]
    )
    values = {row["name"]: row["value"] for row in found["rows"]}
    assert values["mails"] == 100
    assert 15 < values["size of a mail"] < 40
    assert values["what that delay allows, 2 round trips"] == pytest.approx(4 / (2 * 0.005))
    assert values["what that delay allows, 4 round trips"] == pytest.approx(4 / (4 * 0.005))
    assert all(row["value"] > 0 for row in found["rows"])
    assert 0 < found["ratios"]["of_delay_limit"] <= 1
    assert 0 < found["ratios"]["of_delay_limit_without_pipelining"] <= 1
