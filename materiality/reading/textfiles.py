"""Text files to grids: CSV and TSV as rows of text, numbered as a spreadsheet shows them."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from materiality.errors import Faults
from materiality.reading.counting import count_text, text_parting
from materiality.reading.decoding import HEAD, detect_delimiter, detect_encoding
from materiality.reading.grids import Disagreement, Grid, Record
from materiality.study import Export
from materiality.wording import Message

LEAST_SWALLOWED = 5
"""Rows of fewer cells are not looked for inside quoted cells."""
ENCLOSED = re.compile(r'"(?:[^"]|"")*"')


def open_text(path: Path, export: Export) -> Grid:
    """Open a CSV or TSV file; nothing is read yet but what tells its encoding and its delimiter."""
    name = export.file
    decoding = detect_encoding(path, export.encoding)
    encoding, notes = decoding.encoding, (decoding.note,) if decoding.note else ()
    _refuse_plain(path, name, encoding)
    try:
        delimiter = export.delimiter or detect_delimiter(path, encoding)
    except UnicodeError as error:
        _refuse_encoding(path, name, encoding, error)
        raise
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL
    if delimiter == "\t" and _quotes_are_data(path, encoding):
        quoting, notes = (
            csv.QUOTE_NONE,
            (*notes, Message("Quotation marks are part of the answers, as tab-separated files have it.")),
        )

    def records() -> Iterator[tuple[int, Record]]:
        row = line = 0
        try:
            with path.open(encoding=encoding, newline="") as file:
                reader = csv.reader(file, delimiter=delimiter, strict=True, quoting=quoting)
                for row, record in enumerate(reader, 1):
                    if reader.line_num > line + 1 and _swallows(record, delimiter):
                        _refuse_swallowed(name, row)
                    yield row, record
                    line = reader.line_num
        except UnicodeError as error:
            _refuse_encoding(path, name, encoding, error)
        except csv.Error as error:
            _refuse_record(name, row + 1, str(error), line + 1, reader.line_num)

    def recount(read: int) -> Disagreement | None:
        quoted = quoting != csv.QUOTE_NONE
        counted = count_text(path, encoding, delimiter, quoted=quoted)
        if counted == read:
            return None
        with path.open(encoding=encoding, newline="") as file:
            reader = csv.reader(file, delimiter=delimiter, strict=True, quoting=quoting)
            lines = (reader.line_num for _ in reader)
            return Disagreement(counted, text_parting(path, encoding, delimiter, lines, quoted=quoted))

    return Grid(name, records, recount, encoding=encoding, delimiter=delimiter, notes=notes, guess=decoding.note)


def _refuse_plain(path: Path, name: str, encoding: str) -> None:
    """Refuse an encoding in which a line end is other bytes than in ASCII, for a file of lines of ASCII or UTF-8."""
    try:
        if encoding in {"utf-16", "utf-32"} or b"\n".decode(encoding) == "\n":
            return
    except UnicodeError:
        pass
    with path.open("rb") as file:
        head = file.read(HEAD)
    lines = head[: head.rfind(b"\n") + 1]
    try:
        plain = bool(lines) and b"\0" not in head and lines.decode("utf-8")
    except UnicodeDecodeError:
        plain = ""
    if plain:
        faults = Faults()
        faults.add(
            f"is not {encoding.upper()}: its lines are {'ASCII' if plain.isascii() else 'UTF-8'}.",
            mend="correct encoding in [[responses]], or take it out.",
            file=name,
        )
        faults.raise_any()


def _quotes_are_data(path: Path, encoding: str) -> bool:
    """Whether a tab-separated file holds quotation marks that do not enclose cells.

    Then every line has as many cells as the header when quotes mean nothing, and some cell with a quote in it is not
    wholly enclosed.
    """
    try:
        with path.open(encoding=encoding, newline="") as file:
            width, loose = None, False
            for line in file:
                cells = line.rstrip("\r\n").split("\t")
                width = len(cells) if width is None else width
                if len(cells) != width:
                    return False
                if '"' in line:
                    loose |= any('"' in cell and not ENCLOSED.fullmatch(cell) for cell in cells)
            return loose
    except UnicodeError:
        return False


def _refuse_encoding(path: Path, name: str, encoding: str, error: UnicodeError) -> None:
    line, faults = None, Faults()
    if encoding in {"utf-8", "utf-8-sig"}:
        with path.open("rb") as file:
            for line, raw in enumerate(file, 1):  # noqa: B007
                try:
                    raw.decode("utf-8")
                except UnicodeDecodeError:
                    break
    why = "it does not start as such a file does."
    if isinstance(error, UnicodeDecodeError) and error.end == len(error.object) and "data" in error.reason:
        faults.add("ends inside a character: it is cut short.", mend="export it again.", file=name)
        faults.raise_any()
    if isinstance(error, UnicodeDecodeError):
        why = f"byte 0x{error.object[error.start]:02x}{f' on line {line}' if line else ''} means nothing there."
    faults.add(
        f"is not {encoding.removesuffix('-sig').upper()}: {why}",
        mend='save it as "CSV UTF-8", or name its encoding in the study file, e.g. encoding = "gb18030" or "cp1252".',
        file=name,
    )
    faults.raise_any()


def _swallows(record: Record, delimiter: str) -> bool:
    """Whether a quoted cell holds a whole row: a line of as many cells as its own row, and not of prose."""
    if len(record) < LEAST_SWALLOWED:
        return False
    lines = (line.split(delimiter) for cell in record if "\n" in cell or "\r" in cell for line in cell.splitlines()[1:])
    return any(len(cells) >= len(record) and sum(cell[:1] == " " for cell in cells) < 2 for cells in lines)


def _refuse_swallowed(name: str, row: int) -> None:
    faults = Faults()
    faults.add(
        "a quoted cell holds a line that reads like a row: a quote may open there and close rows further down.",
        mend='close it where its cell ends, or double it inside a cell (""); where the line is part of the answer, '
        "take its line break out.",
        file=name,
        row=row,
    )
    faults.raise_any()


def _refuse_record(name: str, row: int, message: str, start: int, line: int) -> None:
    """Tell a row that cannot be parted into cells, which starts on one line of the file and ends on another."""
    faults = Faults()
    place = f", on line {start} of the file," if start != row else ""
    if "field larger" in message:
        what = f"a cell holds more than {csv.field_size_limit():,} characters; a quote may open and never close."
        mend = 'close it, or double it inside a cell ("").'
    elif "unexpected end" in message:
        what = f"a quote opens in this row{place} and is never closed."
        mend = 'close it, or double it inside a cell ("").'
    elif "expected after" in message and line > start:
        lines = f"{line - start} line{'s' * (line - start > 1)}"
        what = f"a quote opens in this row{place} and closes {lines} further down, where more text follows."
        mend = 'close it where its cell ends, or double it inside a cell ("").'
    elif "expected after" in message:
        what, mend = "text follows a closing quote.", 'double each quote inside a cell ("").'
    else:
        what, mend = f"cannot be read: {message}.", "correct the row, or export the file again."
    faults.add(what, mend=mend, file=name, row=row)
    faults.raise_any()
