"""A stranger's file: whatever is in it, every row is accounted for and the good ones get in."""

import csv
import gzip
import io
import random
import re
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from subscribers import csv_files, text_files
from subscribers.csv_files import Columns, CsvFile, Row
from subscribers.errors import FileRejected, RowRejected

PEOPLE = Columns(required=("address",), optional=("given_name",), also={"email": "address"})
HEADER = b"address,given_name\n"


def read(path: Path, **options: object) -> list[Row | RowRejected]:
    return list(CsvFile(path, PEOPLE, **options))


def good(rows: list[Row | RowRejected]) -> list[tuple[int, str, str]]:
    return [(row.line, row.cells["address"], row.cells["given_name"]) for row in rows if isinstance(row, Row)]


def bad(rows: list[Row | RowRejected]) -> list[tuple[int, str]]:
    return [(row.line, row.reason) for row in rows if isinstance(row, RowRejected)]


class TestWhatFilesComeAs:
    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le"])
    def test_unicode_is_recognised_by_its_first_bytes(self, write_csv, encoding):
        bom = "\ufeff" if encoding == "utf-16-le" else ""
        path = write_csv(bom + "address,given_name\nana@example.com,Ána 🌹\n", encoding=encoding)
        assert good(read(path)) == [(2, "ana@example.com", "Ána 🌹")]

    def test_a_byte_order_mark_is_no_part_of_a_name_even_when_the_encoding_is_named(self, write_csv):
        path = write_csv('\ufeff"address",given_name\nana@example.com,Ana\n')
        assert good(read(path, encoding="utf-8")) == [(2, "ana@example.com", "Ana")]

    def test_a_packed_file_is_read_whatever_it_is_called(self, write_csv):
        path = write_csv(gzip.compress(HEADER + b"ana@example.com,Ana\n"), name="people.csv")
        assert good(read(path)) == [(2, "ana@example.com", "Ana")]

    @pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
    @pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
    def test_delimiter_and_line_end_are_found_out(self, write_csv, delimiter, end):
        rows = [["address", "given_name"], ["ana@example.com", "Ana"], ["bob@example.com", "Bob"]]
        path = write_csv("".join(delimiter.join(row) + end for row in rows))
        assert good(read(path)) == [(2, "ana@example.com", "Ana"), (3, "bob@example.com", "Bob")]

    def test_without_an_encoding_only_rows_with_foreign_bytes_are_rejected(self, write_csv):
        path = write_csv(HEADER + b"ana@example.com,Ana\nzoe@example.com,Zo\xeb\nbob@example.com,Bob\n")
        rows = read(path)
        assert good(rows) == [(2, "ana@example.com", "Ana"), (4, "bob@example.com", "Bob")]
        assert bad(rows) == [(3, "is not UTF-8; save the file as UTF-8 or pass --encoding")]

    def test_with_its_encoding_named_the_same_file_is_read_whole(self, write_csv):
        path = write_csv(HEADER + b"zoe@example.com,Zo\xeb\n")
        assert good(read(path, encoding="cp1252")) == [(2, "zoe@example.com", "Zoë")]

    def test_a_byte_that_the_named_encoding_does_not_have_costs_its_row(self, write_csv):
        path = write_csv(HEADER + b"zoe@example.com,Zo\x81\nbob@example.com,Bob\n")
        rows = read(path, encoding="cp1252")
        assert bad(rows) == [(2, "is not cp1252; save the file as UTF-8 or pass another --encoding")]
        assert good(rows) == [(3, "bob@example.com", "Bob")]

    def test_broken_utf_16_costs_only_the_row_it_is_in(self, write_csv):
        lone = "address,given_name\nana@example.com,A?a\nbob@example.com,Bob\n".encode("utf-16-le")
        broken = b"\xff\xfe" + lone.replace("?".encode("utf-16-le"), b"\x00\xd8")  # half of a surrogate pair
        rows = read(write_csv(broken))
        assert [line for line, _ in bad(rows)] == [2]
        assert good(rows) == [(3, "bob@example.com", "Bob")]

    @pytest.mark.parametrize("encoding", ["klingon", "hex", "utf-8\x00", "utf-16"])
    def test_an_encoding_that_does_not_exist_or_fit_is_refused_in_a_sentence(self, write_csv, encoding):
        with pytest.raises(FileRejected, match=r"no encoding 'klingon|no encoding 'hex|no encoding 'utf-8|other --enc"):
            read(write_csv(HEADER), encoding=encoding)


class TestFilesRefusedAsAWhole:
    def test_a_missing_column_is_named_with_those_there_and_what_to_do(self, write_csv):
        with pytest.raises(FileRejected) as refused:
            read(write_csv("mail,name\nana@example.com,Ana\n", name="people.csv"))
        assert str(refused.value) == (
            "people.csv has no column 'address'; it has 'mail', 'name'. "
            "If one of them is meant, say so: --map THEIRS=address"
        )

    def test_a_header_of_a_million_columns_makes_a_short_sentence(self, write_csv):
        with pytest.raises(FileRejected, match="and 199,960 more") as refused:
            read(write_csv(",".join(map(str, range(200_000)))))
        assert len(str(refused.value)) < 1_000

    @pytest.mark.parametrize("content", [b"", b"\n\n", b"\xef\xbb\xbf", b" , ,\r\n", b"\x00\x00", b"\xff\xfe"])
    def test_an_empty_file_says_so(self, write_csv, content):
        with pytest.raises(FileRejected, match=r"^[^ ]+ is empty; export it again with a header line$"):
            read(write_csv(content))

    def test_a_first_line_without_end_is_no_header(self, write_csv):
        with pytest.raises(FileRejected, match="its first line never ends"):
            read(write_csv(b"x" * 3_000_000))

    def test_a_folder(self, tmp_path):
        with pytest.raises(FileRejected, match="is a folder; name a CSV file in it"):
            read(tmp_path)

    def test_a_file_that_is_not_there(self, tmp_path):
        with pytest.raises(FileRejected, match=r"there is no file .*; check the path"):
            read(tmp_path / "nothing.csv")

    def test_something_that_can_be_read_only_once(self):
        with pytest.raises(FileRejected, match="is no regular file"):
            read(Path("/dev/zero"))

    def test_a_file_without_permission(self, write_csv, monkeypatch):
        def forbidden(*_: object, **__: object) -> None:  # as root every file may be read, so the system is not asked
            raise PermissionError(13, "Permission denied")

        path = write_csv(HEADER)
        monkeypatch.setattr(Path, "open", forbidden)
        with pytest.raises(FileRejected, match=r"cannot read .*: Permission denied"):
            read(path)

    @pytest.mark.parametrize("kept", [3, 11, 25])
    def test_a_packed_file_of_which_no_line_can_be_unpacked(self, write_csv, kept):
        packed = gzip.compress(HEADER)[:kept]
        with pytest.raises(FileRejected, match=r"cannot be unpacked|is damaged"):
            read(write_csv(packed))

    def test_a_refused_file_is_closed(self, write_csv):
        import gc

        with pytest.raises(FileRejected):
            read(write_csv("mail\n"))
        gc.collect()  # an open file would warn here, and warnings are errors


class TestColumns:
    def test_other_spellings_and_capitals_are_known(self, write_csv):
        assert good(read(write_csv("EMail , Given_Name\nana@example.com,Ana\n"))) == [(2, "ana@example.com", "Ana")]

    def test_an_extra_column_is_noted_and_no_error(self, write_csv):
        file = CsvFile(write_csv("address,shoe size,given_name\nana@example.com,38,Ana\n"), PEOPLE)
        assert file.unused == ["shoe size"]
        assert good(list(file)) == [(2, "ana@example.com", "Ana")]

    def test_a_column_can_be_named_by_hand(self, write_csv):
        path = write_csv("address,kontakt,given_name\nMain Street 1,ana@example.com,Ana\n")
        file = CsvFile(path, PEOPLE, renames={"kontakt": "address"})
        assert file.unused == ["address"]
        assert good(list(file)) == [(2, "ana@example.com", "Ana")]

    @pytest.mark.parametrize(
        ("renames", "sentence"),
        [
            ({"kontakt": "address"}, "--map kontakt=address: people.csv has no column 'kontakt'; it has 'a', 'b'"),
            ({"a": "addres"}, "--map a=addres: there is no field 'addres'; fields are 'address', 'given_name'"),
            ({"a": "address", "b": "address"}, "--map a=address: more than one column is to be 'address'; name one"),
        ],
    )
    def test_a_map_that_cannot_be_followed_says_why(self, write_csv, renames, sentence):
        with pytest.raises(FileRejected, match=f"^{re.escape(sentence)}$"):
            read(write_csv("a,b\n", name="people.csv"), renames=renames)

    def test_of_two_columns_with_one_name_the_first_counts(self, write_csv):
        path = write_csv("address,address,given_name\nana@example.com,other,Ana\n")
        assert good(read(path)) == [(2, "ana@example.com", "Ana")]
        assert good(read(path, renames={"address": "address"})) == [(2, "ana@example.com", "Ana")]

    def test_a_header_alone_is_a_file_without_rows(self, write_csv):
        assert read(write_csv(HEADER)) == []


class TestRows:
    def test_blank_lines_are_skipped_and_counted_as_lines(self, write_csv):
        rows = read(write_csv("\n\naddress,given_name\n\nana@example.com,Ana\n\n\nbob@example.com,Bob"))
        assert good(rows) == [(5, "ana@example.com", "Ana"), (8, "bob@example.com", "Bob")]
        assert bad(rows) == []

    def test_too_many_and_too_few_cells_cost_only_their_row(self, write_csv):
        rows = read(write_csv([["address", "given_name"], ["a", "b", "c"], ["ana@example.com", "Ana"], ["a"]]))
        assert bad(rows) == [(2, "has 3 cells where the header has 2"), (4, "has 1 cells where the header has 2")]
        assert good(rows) == [(3, "ana@example.com", "Ana")]

    def test_a_cell_of_a_megabyte_is_rejected_with_its_size(self, write_csv):
        rows = read(write_csv([["address", "given_name"], ["a", "x" * 1_000_000], ["ana@example.com", "Ana"]]))
        assert bad(rows) == [(2, "is 1,000,000 characters long; at most 50,000 fit")]
        assert good(rows) == [(3, "ana@example.com", "Ana")]

    def test_a_cell_of_exactly_the_limit_gets_in(self, write_csv):
        assert len(good(read(write_csv([["address", "given_name"], ["a", "x" * csv_files.LONGEST_FIELD]])))) == 1

    def test_a_line_of_three_megabytes_is_skipped_and_the_next_has_the_right_number(self, write_csv):
        rows = read(write_csv([["address", "given_name"], ["a", "x" * 3_000_000], ["ana@example.com", "Ana"]]))
        assert bad(rows) == [(2, "is longer than 2,000,000 characters; split or shorten it")]
        assert good(rows) == [(3, "ana@example.com", "Ana")]

    def test_a_nul_byte_costs_its_row(self, write_csv):
        rows = read(write_csv(HEADER + b"a\x00na@example.com,Ana\nbob@example.com,Bob\n"))
        assert bad(rows) == [(2, "has a NUL byte in it; export the file again as text")]
        assert good(rows) == [(3, "bob@example.com", "Bob")]

    def test_a_quoted_cell_may_span_lines(self, write_csv):
        rows = read(write_csv('address,given_name\nana@example.com,"Ana\r\n""the\nfirst"""\nbob@example.com,Bob\n'))
        assert good(rows) == [(2, "ana@example.com", 'Ana\r\n"the\nfirst"'), (5, "bob@example.com", "Bob")]

    @pytest.mark.parametrize("after", [0, 1, 199, 200, 450])
    def test_an_unclosed_quotation_mark_costs_only_its_own_row(self, write_csv, after):
        lines = [f"p{number}@example.com,P" for number in range(after)]
        rows = read(write_csv("\n".join(["address,given_name", 'ana@example.com,"Ana', *lines, ""])))
        assert bad(rows) == [(2, 'has a quotation mark that is never closed: ana@example.com,"Ana')]
        assert good(rows) == [(3 + number, f"p{number}@example.com", "P") for number in range(after)]

    def test_two_unclosed_quotation_marks_do_not_swallow_the_rows_between_them(self, write_csv):
        path = write_csv('address,given_name\na@example.com,"A\nb@example.com,B\nc@example.com,"C\nd@example.com,D\n')
        rows = read(path)
        assert [line for line, _ in bad(rows)] == [2, 4]
        assert good(rows) == [(3, "b@example.com", "B"), (5, "d@example.com", "D")]

    def test_an_unclosed_quotation_mark_reaches_no_further_than_two_hundred_lines(self, write_csv):
        lines = [f"p{number}@example.com,P" for number in range(300)]
        rows = read(write_csv("\n".join(["address,given_name", 'a@example.com,"A', *lines, 'b@example.com,"', ""])))
        assert [line for line, _ in bad(rows)] == [2, 303]
        assert len(good(rows)) == 300

    def test_an_unclosed_quotation_mark_does_not_swallow_a_quoted_row_after_it(self, write_csv):
        path = write_csv('address,given_name\na@example.com,"A\nb@example.com,", comma first"\n')
        rows = read(path)
        assert [line for line, _ in bad(rows)] == [2]
        assert good(rows) == [(3, "b@example.com", ", comma first")]

    def test_a_line_too_long_does_not_take_an_open_record_with_it(self, write_csv):
        text = 'address,given_name\na@example.com,"A\nb@example.com,B\n' + "x" * 3_000_000 + "\nd@example.com,D\n"
        rows = read(write_csv(text))
        assert [line for line, _ in bad(rows)] == [2, 4]
        assert good(rows) == [(3, "b@example.com", "B"), (5, "d@example.com", "D")]

    def test_a_row_cut_off_inside_its_quotation_marks_is_not_taken_for_whole(self, write_csv):
        rows = read(write_csv('address,given_name\nana@example.com,"An'))
        assert good(rows) == []
        assert [line for line, _ in bad(rows)] == [2]

    @pytest.mark.parametrize(("cell", "read_as"), [('"5" frame"', '5 frame"'), ('"Ana" ', "Ana")])
    def test_quotation_marks_of_a_careless_program_are_read_as_they_were_meant(self, write_csv, cell, read_as):
        rows = read(write_csv(f"address,given_name\nana@example.com,{cell}\nbob@example.com,Bob\n"))
        assert good(rows) == [(2, "ana@example.com", read_as), (3, "bob@example.com", "Bob")]

    def test_a_packed_file_that_breaks_off_gives_what_was_before(self, write_csv):
        names = [f"{random.Random(1).random()}{number}" for number in range(5_000)]
        packed = gzip.compress(HEADER + b"".join(f"a@example.com,{name}\n".encode() for name in names))
        rows = read(write_csv(packed[: len(packed) // 2]))
        found, lost = good(rows), bad(rows)
        assert len(found) > 1_000
        assert [name for _, _, name in found] == names[: len(found)]
        assert len(lost) == 1
        assert lost[0][0] == len(found) + 2
        assert lost[0][1].startswith("cannot be read, nor what follows: the file is damaged")


def test_progress_begins_at_the_start_and_ends_at_the_end(write_csv):
    seen: list[tuple[int, int]] = []
    path = write_csv(HEADER + b"a@example.com,A\n" * 5_000)
    read(path, progress=lambda done, size: seen.append((done, size)))
    assert len(seen) == 4  # at rows 0, 2,000 and 4,000, and at the end
    assert seen == sorted(seen)
    assert seen[-1] == (path.stat().st_size, path.stat().st_size)


fragments = st.sampled_from(
    [
        *[
            b"a",
            b"b@example.com",
            b'"',
            b'""',
            b'","',
            b",",
            b",,",
            b"\n",
            b"\r",
            b"\r\n",
            b"\n\n",
            b'"\n',
            b";",
            b"\t",
        ],
        *[b" ", b"\x00", b"\xff", b"\xe9", b"\xef\xbb\xbf", b"\xd8\x00", b"x" * 39, b"x" * 40, b"x" * 41, b"x" * 130],
    ]
)
soup = st.lists(fragments, max_size=60).map(b"".join)
starts = st.sampled_from([HEADER, b"address\n", b"given_name;address\r\n", b"\n,\r\n\xef\xbb\xbfaddress\r"])


@given(start=starts, rest=soup)
@example(start=HEADER, rest=b'a,"b\nc,' + b"x" * 50 + b"\nd,e")
@example(start=HEADER, rest=b"x" * 39 + b"\r\na,b")
def test_whatever_is_in_a_file_every_line_of_it_is_accounted_for(start: bytes, rest: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_files, "LONGEST_LINE", 40)
        patch.setattr(text_files, "LONGEST_RECORD", 5)
        path = Path(folder, "soup.csv")
        path.write_bytes(start + rest)
        rows = read(path)
    text = (start + rest).decode("utf-8-sig", "surrogateescape")
    lines = re.split("\r\n|\r|\n", text)
    header = next(number for number, line in enumerate(lines, 1) if line.strip(" \t;,"))
    expected = header + 1
    for row in rows:
        assert [line for line in lines[expected - 1 : row.line - 1] if line] == []  # only blank lines are passed over
        assert row.line >= expected
        expected = row.line + 1 + sum(len(re.findall("\r\n|\r|\n", cell)) for cell in row.raw)
    assert [line for line in lines[expected - 1 :] if line] == []


@given(
    content=st.one_of(st.binary(max_size=300), soup, soup.map(lambda bytes_: b"\xff\xfe" + bytes_)), pack=st.booleans()
)
@example(content=b"", pack=True)
def test_any_bytes_at_all_are_a_refused_file_or_rows(content: bytes, pack: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "soup.csv")
        path.write_bytes(gzip.compress(content)[: -len(content) % 7 or None] if pack else content)
        with suppress(FileRejected):
            assert all(isinstance(row, Row | RowRejected) for row in CsvFile(path, Columns(required=())))


names = st.text(st.characters(exclude_categories=["Cs", "Cc", "Z"]), max_size=8)
bad_rows = st.one_of(
    st.just(b'bad@example.com,"Bad'),
    st.just(b'bad@example.com,"Bad, "too'),
    st.just(b"bad"),
    st.just(b"bad,bad,bad"),
    st.just(b"bad@example.com,\xff\xfe"),
    st.just(b"bad@example.com,\x00"),
    names.map(lambda name: f'bad@example.com,"{name.replace(chr(34), "")}x'.encode()),
)


@given(
    rows=st.lists(st.one_of(names, st.tuples(bad_rows)), min_size=1, max_size=40),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
@example(rows=[(b'bad@example.com,"Bad',), ",", '"', '",'], quoting=csv.QUOTE_MINIMAL)
def test_good_rows_always_get_in_among_bad_ones(rows: list[str | tuple[bytes]], quoting: int) -> None:
    content, wanted = bytearray(HEADER), []
    for line, row in enumerate(rows, 2):
        if isinstance(row, tuple):
            content += row[0] + b"\n"
            continue
        text = io.StringIO()
        csv.writer(text, quoting=quoting, lineterminator="\n").writerow([f"p{line}@example.com", row])
        content += text.getvalue().encode()
        wanted.append((line, f"p{line}@example.com", row.strip()))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "mixed.csv")
        path.write_bytes(content)
        found = read(path)
    assert [row for row in good(found) if row[1] != "bad@example.com"] == wanted
    assert len(found) == len(rows)
