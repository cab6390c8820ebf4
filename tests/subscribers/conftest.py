"""The import desk: every kind of file brought into one database, the way the faces do it."""

import csv
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select
from sqlmodel import col

from subscribers import roster, signals
from subscribers.csv_files import Columns, CsvFile
from subscribers.database import reading, writing
from subscribers.import_report import ImportReport
from subscribers.models import Kind, Purpose, Signal, Sku, Subscriber
from subscribers.orders import ONLINE_RETAIL, OrderImport
from subscribers.secrets import Secrets

ORDER_HEADER = ONLINE_RETAIL.columns.required


@dataclass
class ImportDesk:
    """Imports files and answers what became of them. `rejects` are the rows of the newest rejects file."""

    database: Engine
    secrets: Secrets
    now: datetime
    folder: Path
    rejects: list[dict[str, str]] = field(default_factory=list)
    rejects_file: Path | None = None
    _numbers: Any = field(default_factory=count)

    def people(
        self, content: str | bytes | Path, *, presumed: Iterable[Purpose] = (), **options: Any
    ) -> Mapping[str, int]:
        presumed = frozenset(presumed)
        return self._bring_in(
            content,
            roster.SUBSCRIBER_COLUMNS,
            lambda session, source, report: roster.import_subscribers(
                session, source, report, self.secrets, now=self.now, presumed=presumed
            ),
            options,
        )

    def signals(self, content: str | bytes | Path, **options: Any) -> Mapping[str, int]:
        return self._bring_in(
            content,
            signals.SIGNAL_COLUMNS,
            lambda session, source, report: signals.import_signals(session, source, report, self.secrets, now=self.now),
            options,
        )

    def orders(self, lines: Iterable[Iterable[object]] | Path, **options: Any) -> Mapping[str, int]:
        content = lines if isinstance(lines, Path) else written([ORDER_HEADER, *lines])
        return self._bring_in(content, ONLINE_RETAIL.columns, self._run_orders, options)

    def _run_orders(self, session: Any, source: CsvFile, report: ImportReport) -> None:
        self.order_import = OrderImport(session, ONLINE_RETAIL, report, self.secrets, self.now)
        self.order_import.run(source)

    def _bring_in(
        self, content: str | bytes | Path, columns: Columns, work: Callable[..., None], options: dict[str, Any]
    ) -> Mapping[str, int]:
        number = next(self._numbers)
        path = content if isinstance(content, Path) else self.folder / f"import-{number}.csv"
        if not isinstance(content, Path):
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        source = CsvFile(path, columns, **options)
        with writing(self.database) as session, ImportReport(source, self.folder / f"rejects-{number}.csv") as report:
            work(session, source, report)
        self.report, self.rejects_file, self.rejects = report, report.rejects_file, []
        if report.rejects_file:
            with report.rejects_file.open(encoding="utf-8", newline="") as rejected:
                self.rejects = list(csv.DictReader(rejected))
        return dict(report.counts)

    def roster(self) -> dict[str, Subscriber]:
        with reading(self.database) as session:
            return {person.address: person for person in session.scalars(select(Subscriber))}

    def signal_rows(self) -> list[tuple[str | None, str, str, int, int, int]]:
        """(address, product, kind, time, quantity, settled) of every signal, sorted."""
        columns = (col(Subscriber.address), col(Sku.code), col(Signal.kind), col(Signal.at), col(Signal.quantity))
        query = (
            select(*columns, col(Signal.settled))
            .join_from(Signal, Sku, col(Sku.id) == col(Signal.sku_id))
            .join(Subscriber, col(Subscriber.id) == col(Signal.subscriber_id), isouter=True)
        )
        with reading(self.database) as session:
            rows = [(row[0], row[1], Kind(row[2]).name.lower(), *row[3:]) for row in session.execute(query)]
        return sorted(rows, key=repr)


def written(rows: Iterable[Iterable[object]]) -> str:
    """The rows as CSV text."""
    import io

    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


@pytest.fixture
def desk(database: Engine, secrets: Secrets, now: datetime, tmp_path: Path) -> ImportDesk:
    return ImportDesk(database, secrets, now, tmp_path)


@pytest.fixture(scope="session")
def desk_at(
    secrets: Secrets, now: datetime, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[Engine], ImportDesk]:
    """A desk at a database: for Hypothesis, whose examples need a new one each."""
    folder = tmp_path_factory.mktemp("desks")
    numbers = count()

    def at(database: Engine) -> ImportDesk:
        own = folder / str(next(numbers))
        own.mkdir()
        return ImportDesk(database, secrets, now, own)

    return at
