"""Files from outside: CSV and XLSX are read alike; what is hostile or broken gets a sentence."""

from __future__ import annotations

import io
import zipfile
from contextlib import suppress
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import Workbook

from crm.imports import files
from crm.imports.files import FileError, Row

COLUMNS = ("code", "name")
_TEXT = st.text(
    st.characters(exclude_categories=("Cc", "Cs", "Cn"), include_characters="\n\t"), max_size=20
)


def workbook(*rows: tuple[object, ...]) -> bytes:
    book = Workbook()
    for row in (COLUMNS, *rows):
        book.worksheets[0].append(list(row))
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


@given(st.lists(st.fixed_dictionaries({"code": _TEXT.filter(bool), "name": _TEXT}), max_size=5))
def test_what_is_written_is_read_again(rows: list[dict[str, str]]) -> None:
    assert files.read_bytes(files.as_csv(rows, COLUMNS), COLUMNS) == rows
    assert files.read_bytes(files.as_xlsx(rows, COLUMNS), COLUMNS) == rows


@pytest.mark.parametrize("text", ["=1+1", "+84", "-1", "@x", "\tx", "'=1", "''@x"])
def test_no_cell_of_an_export_is_a_formula(text: str) -> None:
    written = files.as_csv([{"code": text, "name": ""}], COLUMNS).decode("utf-8-sig")
    assert written.splitlines()[1].lstrip('"').startswith("'")
    assert files.read_bytes(written.encode(), COLUMNS) == [{"code": text, "name": ""}]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_spreadsheet_s_own_separators_are_known(delimiter: str) -> None:
    rows = files.read_bytes(f"code{delimiter}name\r\nA1{delimiter}Đầu\r\n".encode(), COLUMNS)
    assert rows == [{"code": "A1", "name": "Đầu"}]


def test_a_row_knows_where_it_stands() -> None:
    (first, second) = files.read_bytes(b'code,name\nA,"x\ny"\n\n,\nB,z\n', COLUMNS)
    assert (first.line, second.line) == (2, 6)


def test_cells_of_a_workbook_are_texts() -> None:
    (row, wrong) = files.read_bytes(
        workbook((14758.0, date(2026, 3, 10)), ("A", "=HYPERLINK(1)")), COLUMNS
    )
    assert row == {"code": "14758", "name": "2026-03-10"}
    assert (wrong.line, wrong.fault) == (3, "B3 is a formula: put its value there")


def test_rows_of_a_wrong_shape_are_faults_of_their_own() -> None:
    rows = files.read_bytes(b"code,name\nA\nB,b\nC,c,d\n", COLUMNS)
    assert files.faults_of(rows, lambda row: [f"{row['code']} is bad"]) == [
        "line 2: has too many or too few columns", "line 3: B is bad",
        "line 4: has too many or too few columns",
    ]
    assert files.faults_of([{"code": "A"}], lambda _: ["bad"]) == ["line 2: bad"]
    assert Row({"code": "A"}, 7).line == 7


def bomb() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as parts:
        for number in range(11):
            parts.writestr(f"xl/{number}.xml", b"0" * files.MOST_ROWS * 200)
    return out.getvalue()


def packed(name: str, text: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as parts:
        parts.writestr(name, text)
    return out.getvalue()


@pytest.mark.parametrize(("content", "why"), [
    (b"", "first line"), (b"name,code\n", "first line"), (b"\xff\xfec\x00o\x00", "not UTF-8"),
    ("code,name\nA,\xe9\n".encode("latin-1"), "not UTF-8"), (b"code,name\nA,\x00\n", "zero bytes"),
    (b'code,name\nA,"b\n', "no CSV"), (b"PK\x03\x04rubbish", "cannot be read"),
    (packed("x.txt", "hello"), "cannot be read"),
    (b"code,name\n" + b"A,b\n" * 50_001, "50000 rows"),
    (b"x" * (files.LARGEST + 1), "larger than 10 MB"),
])
def test_what_is_no_table_is_refused_with_a_sentence(content: bytes, why: str) -> None:
    with pytest.raises(FileError, match=why):
        files.read_bytes(content, COLUMNS)


def test_a_file_that_unpacks_to_far_more_is_refused() -> None:
    content = bomb()
    assert len(content) < files.LARGEST
    with pytest.raises(FileError, match="far more"):
        files.read_bytes(content, COLUMNS)


def test_a_workbook_of_too_many_rows_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MOST_ROWS", 3)
    with pytest.raises(FileError, match="more than 3 rows"):
        files.read_bytes(workbook(*[("A", "b")] * 4), COLUMNS)


def test_a_file_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="cannot be read"):
        files.read(tmp_path / "none.csv", COLUMNS)


@given(st.binary(max_size=200) | st.binary(max_size=200).map(lambda some: b"PK\x03\x04" + some))
def test_whatever_comes_is_rows_or_a_sentence(content: bytes) -> None:
    with suppress(FileError):
        assert all(set(row) == set(COLUMNS) for row in files.read_bytes(content, COLUMNS))
