"""One reader and one writer for tables in files, CSV (UTF-8) and XLSX.

What a file holds is text until the kind of its rows is known; what it could do to a program or to
the spreadsheet of whoever opens it is kept out here.
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

from crm.errors import HotlineError

LARGEST = 10 * 1024 * 1024  # bytes of a file
LARGEST_UNPACKED = 100 * 1024 * 1024  # bytes of all that an XLSX file holds
MOST_ROWS = 50_000
LONGEST_CELL = 32_767  # letters, as in a spreadsheet
_MOST_PARTS = 1000
_DELIMITERS = ",;\t"
_DANGEROUS = re.compile(r"'*[=+\-@\t\r]")  # a spreadsheet takes a cell that begins so for a formula
_PROTECTED = re.compile(r"'+[=+\-@\t\r]")


class FileError(HotlineError):
    """A file is no table that can be read; one sentence that says why."""


class Row(dict[str, str]):
    """The texts of a row by column. `line` is where it stands in the file, `fault` what is wrong
    with the row as a whole."""

    line: int
    fault: str

    def __init__(self, values: Mapping[str, str], line: int, fault: str = "") -> None:
        super().__init__(values)
        self.line, self.fault = line, fault


def read(file: Path, columns: Sequence[str]) -> list[Row]:
    """The rows of a CSV or XLSX file whose first line names just these columns; empty rows are left
    out. Raises FileError."""
    try:
        if file.stat().st_size > LARGEST:
            raise FileError(f"{file}: larger than {LARGEST // 1024 // 1024} MB")
        content = file.read_bytes()
    except OSError as error:
        raise FileError(f"{file}: cannot be read: {error.strerror or error}") from error
    try:
        return read_bytes(content, columns)
    except FileError as error:
        raise FileError(f"{file}: {error}") from error


def read_bytes(content: bytes, columns: Sequence[str]) -> list[Row]:
    """Like `read`, of what has been received."""
    if len(content) > LARGEST:
        raise FileError(f"larger than {LARGEST // 1024 // 1024} MB")
    lines = _xlsx(content) if content.startswith(b"PK\x03\x04") else _csv(content)
    if not lines or tuple(_trimmed(lines[0][1])) != tuple(columns):
        raise FileError(f"the first line must be {','.join(columns)}")
    return [_row(line, cells, fault, columns) for line, cells, fault in lines[1:] if any(cells)]


def faults_of(
    rows: Iterable[Mapping[str, str]], check: Callable[[Any], Iterable[str]]
) -> list[str]:
    """All faults of all rows, each with its line."""
    found = []
    for number, row in enumerate(rows, start=2):
        line, fault = (row.line, row.fault) if isinstance(row, Row) else (number, "")
        found += [f"line {line}: {one}" for one in ([fault] if fault else check(row))]
    return found


def as_csv(rows: Iterable[Mapping[str, str]], columns: Sequence[str]) -> bytes:
    """A table as CSV: UTF-8 with the mark by which spreadsheets know it."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(columns)
    writer.writerows([_protected(row[name]) for name in columns] for row in rows)
    return out.getvalue().encode("utf-8-sig")


def as_xlsx(rows: Iterable[Mapping[str, str]], columns: Sequence[str]) -> bytes:
    """A table as a workbook whose cells are all texts."""
    from openpyxl import Workbook  # here, so that no command waits for what few of them read

    book = Workbook(write_only=True)
    sheet = book.create_sheet("1022")
    sheet.append(list(columns))
    for row in rows:
        sheet.append([_protected(row[name]) for name in columns])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


_Line = tuple[int, list[str], str]  # where it stands, its cells, what is wrong with it


def _csv(content: bytes) -> list[_Line]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileError(
            "cannot be read, it is not UTF-8: save it as CSV UTF-8 or as XLSX"
        ) from error
    if "\x00" in text:
        raise FileError("cannot be read, it is no text: it holds zero bytes")
    head = text.partition("\n")[0]
    delimiter = max(_DELIMITERS, key=head.count)
    found: list[_Line] = []
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    begins = 1
    try:
        for cells in reader:
            width = len(found[0][1]) if found else len(cells)
            wrong = "" if len(cells) == width else "has too many or too few columns"
            found.append((begins, cells, wrong or _too_long(cells)))
            begins = reader.line_num + 1
            _not_too_many(len(found))
    except csv.Error as error:
        raise FileError(f"cannot be read: line {begins} is no CSV: {error}") from error
    return found


def _xlsx(content: bytes) -> list[_Line]:
    from openpyxl import load_workbook

    try:
        with zipfile.ZipFile(io.BytesIO(content)) as parts:
            entries = parts.infolist()
        unpacked = sum(one.file_size for one in entries)
        if len(entries) > _MOST_PARTS or unpacked > LARGEST_UNPACKED:
            raise FileError("holds far more than its size says")
        book = load_workbook(io.BytesIO(content), read_only=True, data_only=False)
        sheet = book.worksheets[0]
        sheet.reset_dimensions()  # what a file says of its own size is not believed
        found: list[_Line] = []
        for number, cells in enumerate(sheet.iter_rows(max_col=64), start=1):
            formula = next((one.coordinate for one in cells if one.data_type == "f"), None)
            texts = [_text(one.value) for one in cells]
            while texts and not texts[-1]:
                texts.pop()
            fault = f"{formula} is a formula: put its value there" if formula else _too_long(texts)
            if texts:
                found.append((number, texts, fault))
            _not_too_many(len(found))
    except FileError:
        raise
    except Exception as error:  # openpyxl raises whatever a broken part leads it to
        raise FileError(f"this workbook cannot be read: {type(error).__name__}") from error
    return found


def _not_too_many(count: int) -> None:
    if count > MOST_ROWS + 1:
        raise FileError(f"more than {MOST_ROWS} rows")


def _too_long(cells: Sequence[str]) -> str:
    return f"a cell has more than {LONGEST_CELL} letters" if any(
        len(one) > LONGEST_CELL for one in cells
    ) else ""


def _row(line: int, cells: list[str], fault: str, columns: Sequence[str]) -> Row:
    cells = [_unprotected(one) for one in cells]
    if len(cells) > len(columns):
        fault = fault or "has too many or too few columns"
    padded = [*cells, *[""] * len(columns)]
    return Row(dict(zip(columns, padded, strict=False)), line, fault)


def _trimmed(cells: Sequence[str]) -> list[str]:
    return [one.strip() for one in cells]


def _text(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case float() if value.is_integer():
            return str(int(value))
        case datetime():
            return value.date().isoformat()
        case date():
            return value.isoformat()
    return str(value).replace("\r\n", "\n")


def _protected(text: str) -> str:
    return f"'{text}" if _DANGEROUS.match(text) else text


def _unprotected(text: str) -> str:
    return text[1:] if _PROTECTED.match(text) else text
