"""Quiet hours while a run is sent: nobody is woken, and whoever slept gets the mail in the morning."""

from datetime import UTC, datetime

from campaigns.manner import Manner
from campaigns.quiet_hours import QuietHours

NIGHT = Manner(quiet=QuietHours(21, 8))


def in_zones(shop):
    """Half of the shop lives in Berlin (UTC+2), half in Los Angeles (UTC-7)."""
    shop.execute("UPDATE subscriber SET time_zone = 'Europe/Berlin' WHERE id % 2 = 0")
    shop.execute("UPDATE subscriber SET time_zone = 'America/Los_Angeles' WHERE id % 2 = 1")


def zones_of(shop, addresses):
    rows = dict(shop.query("SELECT address, time_zone FROM subscriber"))
    return {rows[address] for address in addresses}


def test_nobody_gets_a_mail_in_their_night(shop):
    in_zones(shop)
    run = shop.plan()
    shop.now = datetime(2026, 6, 1, 14, tzinfo=UTC)  # 16:00 in Berlin, 7:00 in Los Angeles
    shop.send(run, manner=NIGHT)
    assert zones_of(shop, shop.sink.recipients) == {"Europe/Berlin"}
    assert set(shop.query("SELECT due_at FROM message WHERE state = 'planned'")) == {("2026-06-01 15:00:00.000000",)}
    assert shop.query("SELECT state FROM run") == [("sending",)]
    shop.now = datetime(2026, 6, 1, 15, tzinfo=UTC)
    shop.send(run, manner=NIGHT)
    assert sorted(shop.sink.recipients) == sorted(shop.mailable())


def test_a_mail_put_off_into_the_night_waits_until_it_ends(shop):
    in_zones(shop)
    run = shop.plan()
    late = shop.mailable()[1]
    shop.execute(
        "UPDATE message SET state = 'deferred', attempts = 1, due_at = '2026-06-01 19:30:00.000000' WHERE address = :a",
        a=late,
    )
    shop.now = datetime(2026, 6, 1, 20, tzinfo=UTC)  # 22:00 in Berlin, 13:00 in Los Angeles
    shop.send(run, manner=NIGHT)
    assert zones_of(shop, shop.sink.recipients) == {"America/Los_Angeles"}
    shop.now = datetime(2026, 6, 2, 6, 30, tzinfo=UTC)
    shop.send(run, manner=NIGHT)
    assert sorted(shop.sink.recipients) == sorted(shop.mailable())
