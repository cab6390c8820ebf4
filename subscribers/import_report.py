"""What became of a file: every row counted once, and the refused ones kept where they can be corrected."""

import csv
from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from subscribers.csv_files import LONGEST_FIELD, CsvFile, decoded
from subscribers.errors import RowRejected, shorten

EXAMPLES = 5
FIRST = 50  # rejected rows that a page shows
OUR_COLUMNS = ["line", "reason"]


class ImportReport:
    """Counts by outcome, and the rejects file, which is only made when something is rejected.

    The rejects file is the original columns with `line` and `reason` in front: corrected, it can be imported as it
    is. Use as a context manager. first: of the first 50 rejected rows line, column, value and reason, as plain data.
    """

    def __init__(self, source: CsvFile, rejects: Path) -> None:
        self.file, self.counts = source.path.name, Counter[str]()
        self.examples: list[str] = []
        self.first: list[dict[str, str | int]] = []
        self.unused_columns = source.unused
        # a rejects file that is imported has our two columns already
        self._ours = len(OUR_COLUMNS) if source.header[: len(OUR_COLUMNS)] == OUR_COLUMNS else 0
        self._header, self._path = source.header[self._ours :], rejects
        self._stream: IO[str] | None = None

    def count(self, outcome: str, rows: int = 1) -> None:
        """`rows` rows of the file ended as `outcome` ("added", "already there", …)."""
        if rows:
            self.counts[outcome] += rows

    def reject(self, rejected: RowRejected) -> None:
        """Keep the row with its reason. Counted as "rejected"."""
        self.counts["rejected"] += 1
        if len(self.examples) < EXAMPLES:
            self.examples.append(str(rejected))
        if len(self.first) < FIRST:
            column, value = shorten(rejected.column), shorten(rejected.value)
            self.first.append(
                {"line": rejected.line, "column": column, "value": value, "reason": rejected.reason[:300]}
            )
        if self._stream is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._stream = self._path.open("w", encoding="utf-8", newline="", errors="replace")
            csv.writer(self._stream).writerow([*OUR_COLUMNS, *self._header])
        reason = f"{rejected.column} {rejected.reason}".strip()
        cells = (_kept(cell) for cell in rejected.raw[self._ours :])
        csv.writer(self._stream).writerow([rejected.line, reason, *cells])

    @property
    def rejected(self) -> int:
        return self.counts["rejected"]

    @property
    def rejects_file(self) -> Path | None:
        """Where the rejected rows are, None when there are none."""
        return self._path if self.rejected else None

    def summary(self) -> dict[str, object]:
        """The report as plain data, for --json and pages."""
        return {
            "file": self.file,
            "rows": sum(self.counts.values()),
            "counts": dict(self.counts),
            "unused_columns": self.unused_columns,
            "rejects_file": str(self._path) if self.rejected else None,
            "examples": self.examples,
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._stream is not None:
            self._stream.close()


def _kept(cell: str) -> str:
    """The cell in full, so that the row can be imported when it is corrected; what no row may have is cut."""
    text = decoded(cell).replace("\x00", "")
    return text if len(text) <= LONGEST_FIELD else f"{text[:LONGEST_FIELD]}… (cut, {len(text):,} characters)"
