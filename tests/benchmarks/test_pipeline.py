"""The headline benchmark at a tiny size: both pipelines mail the same people, by SMTP or into a Maildir."""

import smtplib
from email.message import EmailMessage

import pytest

from tests.smtp_sink import Options, Sink


@pytest.mark.slow
@pytest.mark.parametrize("where", [[], ["--outbox"]], ids=["smtp", "outbox"])
def test_it_prints_its_figures(run, where):
    found = run("pipeline", "--people", "300", "--naive", "300", "--rounds", "1", *where)
    assert found["ratios"].keys() == {"vs_naive"}
    values = {row["name"]: row["value"] for row in found["rows"]}
    assert values["people mailed"] == values["of them by the naive pipeline, evenly chosen"] > 250
    assert values["ours: plan"] > 0
    assert values["ours: send"] > 0


def test_the_naive_pipeline_sends_each_mail_on_a_connection_of_its_own(load, tmp_path):
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "shop@example.com", "ana@example.com", "Hello"
    with Sink(Options(record=tmp_path / "sink.jsonl")) as sink:
        leave = load("_naive").by_smtp("127.0.0.1", sink.port)
        leave(message)
        leave(message)
        assert [mail["to"] for mail in sink.accepted()] == ["ana@example.com"] * 2
        assert len(sink.events("connect")) == 2
    with pytest.raises((OSError, smtplib.SMTPException)):
        leave(message)
