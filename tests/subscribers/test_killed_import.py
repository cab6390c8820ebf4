"""An import that is killed: whatever was lost comes in with the next one, and nothing comes in twice."""

import signal
import subprocess
import sys

import pytest
from sqlalchemy import func, select
from sqlmodel import col

from subscribers.database import reading
from subscribers.models import Signal
from subscribers.roster import BATCH

pytestmark = pytest.mark.slow  # quick one by one, but there are many


SIGNALS = 20_000

IMPORTER = """
import sys, time
from datetime import UTC, datetime
from pathlib import Path
from sqlalchemy import event
from subscribers.csv_files import CsvFile
from subscribers.database import open_database, writing
from subscribers.import_report import ImportReport
from subscribers.secrets import Secrets
from subscribers.signals import SIGNAL_COLUMNS, import_signals

url, file, rejects, key, stop_at = sys.argv[1:]
database, commits = open_database(url), 0
source = CsvFile(Path(file), SIGNAL_COLUMNS)

def before_commit(session):
    global commits
    commits += 1
    if commits == int(stop_at):  # everything of this batch is written, and not committed
        print("now", flush=True)
        time.sleep(60)

with writing(database) as session, ImportReport(source, Path(rejects)) as report:
    event.listen(session, "before_commit", before_commit)
    secrets = Secrets(bytes.fromhex(key), ())
    import_signals(session, source, report, secrets, now=datetime(2026, 6, 1, 12, tzinfo=UTC))
"""


@pytest.mark.parametrize("batch", [1, 3])
def test_an_import_killed_inside_a_transaction_is_completed_by_importing_again(desk, write_csv, tmp_path, batch):
    desk.people("address\nana@example.com\nbob@example.com\n")
    rows = (
        f"{'ana' if number % 3 else 'bob'}@example.com,P{number % 50},view,2026-05-01T00:{number % 60:02}\n"
        for number in range(SIGNALS)
    )
    file = write_csv("address,product,kind,at\n" + "".join(rows))
    arguments = [str(desk.database.url), file, tmp_path / "rejects.csv", desk.secrets.suppression.hex(), str(batch)]
    importer = subprocess.Popen([sys.executable, "-c", IMPORTER, *arguments], stdout=subprocess.PIPE, text=True)
    assert importer.stdout.readline() == "now\n"
    importer.send_signal(signal.SIGKILL)
    importer.communicate()

    already = (batch - 1) * BATCH
    assert count(desk) == already
    expected = {"already there": already, "added": SIGNALS - already}
    assert desk.signals(file) == {name: rows for name, rows in expected.items() if rows}
    assert count(desk) == SIGNALS
    assert desk.signals(file) == {"already there": SIGNALS}


def count(desk) -> int:
    with reading(desk.database) as session:
        return session.execute(select(func.count(col(Signal.id)))).scalar_one()
