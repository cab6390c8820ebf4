"""The rejects file: every refused row in it, fit to be corrected and imported again."""

import csv
import gzip

import pytest

from subscribers.csv_files import Columns, CsvFile, Row
from subscribers.errors import RowRejected
from subscribers.import_report import ImportReport

PEOPLE = Columns(required=("address",), optional=("given_name",))


def test_nothing_is_made_when_nothing_is_rejected(write_csv, tmp_path):
    rejects = tmp_path / "rejects" / "people.csv"
    source = CsvFile(write_csv("address\nana\nbob\ncleo\n"), PEOPLE)
    with ImportReport(source, rejects) as report:
        report.count("added", len(list(source)))
        report.count("already there", 0)
    assert report.summary() == {
        "file": "file-0.csv",
        "rows": 3,
        "counts": {"added": 3},
        "unused_columns": [],
        "rejects_file": None,
        "examples": [],
    }
    assert not rejects.parent.exists()


def test_rejects_have_line_reason_and_the_original_columns(desk):
    counts = desk.people(
        "Email;shoe size;mail\nana@example;38;yes\nbob@example.com;44;perhaps\ncleo@example.com;41;yes\n"
    )
    assert counts == {"added": 1, "rejected": 2}
    assert desk.rejects == [
        {
            "line": "2",
            "reason": "address is no usable address: The part after the @-sign is not valid. It should have a period",
            "Email": "ana@example",
            "shoe size": "38",
            "mail": "yes",
        },
        {
            "line": "3",
            "reason": "mail is neither yes nor no",
            "Email": "bob@example.com",
            "shoe size": "44",
            "mail": "perhaps",
        },
    ]
    assert desk.report.unused_columns == ["shoe size"]
    assert desk.report.examples[1] == "line 3: mail 'perhaps' is neither yes nor no"


def test_rejects_can_be_corrected_and_imported_again(desk, write_csv):
    desk.people('address,given_name\nana@example,"Ana, the first"\nbob@example.com,Bob\n')
    corrected = desk.rejects_file.read_text(encoding="utf-8").replace("ana@example,", "ana@example.com,")
    assert desk.people(corrected) == {"added": 1}
    assert desk.roster()["ana@example.com"].given_name == "Ana, the first"
    assert desk.report.unused_columns == ["line", "reason"]


def test_rejects_of_rejects_have_our_columns_once(desk):
    desk.people("address,given_name\nana@example,Ana\n")
    desk.people(desk.rejects_file)
    assert desk.rejects_file.read_text(encoding="utf-8").splitlines()[0] == "line,reason,address,given_name"
    assert desk.rejects[0]["address"] == "ana@example"
    assert desk.rejects[0]["given_name"] == "Ana"


def test_a_row_with_an_unclosed_quotation_mark_is_in_the_rejects_with_its_cells(desk):
    desk.people('address,given_name\nana@example.com,"Ana\nbob@example.com,Bob\n')
    assert (desk.rejects[0]["address"], desk.rejects[0]["given_name"]) == ("ana@example.com", "Ana")


def test_a_long_cell_that_may_stand_in_a_file_is_kept_in_full(desk):
    wording = "I agree. " * 600
    desk.people(f"address,wording\nana@example,{wording}\n")
    assert desk.rejects[0]["wording"] == wording


def test_a_cell_that_no_row_may_have_is_cut_so_that_it_stays_rejected(desk):
    desk.people("address,given_name\nana@example.com," + "x" * 1_000_000 + "\n")
    assert desk.rejects_file.stat().st_size < 60_000
    assert desk.rejects[0]["given_name"].endswith("… (cut, 1,000,000 characters)")
    assert desk.people(desk.rejects_file) == {"rejected": 1}


def test_bytes_that_nobody_can_read_do_not_stop_the_rejects(desk):
    desk.people(b"address,na\xffme\nana@example.com,A\xffna\nbob@example.com,B\x00ob\n")
    text = desk.rejects_file.read_text(encoding="utf-8")
    assert "ana@example.com,A�na" in text
    assert "bob@example.com,Bob" in text


def test_an_example_is_one_short_line_whatever_the_file_says():
    rejected = RowRejected(7, "\x1b[2J" + "column" * 1_000, "cell\n" * 1_000, "is odd")
    assert str(rejected).isprintable()
    assert len(str(rejected)) < 200


def test_only_the_first_five_are_examples(desk):
    desk.people("address\n" + "nobody\n" * 9)
    assert [example.split(":")[0] for example in desk.report.examples] == [f"line {line}" for line in range(2, 7)]
    assert desk.report.rejected == len(desk.rejects) == 9


@pytest.mark.parametrize("kind", ["people", "signals", "orders"])
def test_every_row_of_a_file_is_counted_once(desk, kind):
    """Good, bad, blank, twice, unknown: the counts add up to the rows."""
    if kind == "people":
        counts = desk.people("address\nana@example.com\n\nana@example.com\nnobody\nbob@example.com\n")
        assert sum(counts.values()) == 4
    elif kind == "signals":
        desk.people("address\nana@example.com\n")
        line = "ana@example.com,P,view,2026-05-01\n"
        counts = desk.signals(f"address,product,kind,at\n{line}{line}bob@example.com,P,view,2026-05-01\nbroken\n")
        assert counts == {"added": 2, "rejected": 2}
    else:
        counts = desk.orders([("1", "POST", "Postage", 1, "2026-05-01", 1, 7, "UK"), ("1", "10001", "Mug"), ("2",)])
        assert counts == {"no product (postage, fees, vouchers)": 1, "rejected": 2}
    assert counts == dict(desk.report.counts)
    assert desk.report.summary()["rows"] == sum(counts.values())


def test_the_rejects_of_a_packed_file_are_plain(desk, tmp_path):
    path = tmp_path / "people.csv.gz"
    path.write_bytes(gzip.compress(b"address\nnobody\n"))
    desk.people(path)
    with desk.rejects_file.open(encoding="utf-8", newline="") as file:
        assert next(csv.reader(file)) == ["line", "reason", "address"]


def test_the_file_is_closed_when_the_import_fails(write_csv, tmp_path):
    source = CsvFile(write_csv("address\nana\n"), PEOPLE)
    with pytest.raises(RuntimeError), ImportReport(source, tmp_path / "rejects.csv") as report:  # noqa: PT012
        for row in source:
            assert isinstance(row, Row)
            report.reject(row.reject("address", "is odd"))
        raise RuntimeError
    assert (tmp_path / "rejects.csv").read_text(encoding="utf-8").splitlines()[1] == "2,address is odd,ana"
