"""Files to records: CSV, TSV and XLSX as rows of text under one header row, numbered as a spreadsheet shows them."""

from __future__ import annotations

import codecs
import csv
import datetime as dt
import itertools
import mmap
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from materiality.errors import Faults, joined, nearest
from materiality.study import TEXTS, WORKBOOKS, Export, Tool, fold

DELIMITERS = ",;\t"
SAMPLE_RECORDS = 100
BYTES_AT_ONCE = 1 << 22
UNSOUND = (LookupError, ValueError, RuntimeError, EOFError)
"""What the standard library raises, among others, over a spoilt archive."""
Record = list[str]


@dataclass(frozen=True)
class Table:
    """One export, opened.

    Attributes
    ----------
    name : str
        The file as the study names it, with the sheet where there is one.
    header : tuple of str
        The column names, as they stand.
    header_row : int
        The row that holds them, as a spreadsheet shows it.
    records : callable
        Gives a new iterator over (row number, cells); a row without any content has no cells. Each row has as many
        cells as the header, or none.
    count : callable
        Counts the records below the header by another route than `records`.
    """

    name: str
    header: tuple[str, ...]
    header_row: int
    records: Callable[[], Iterator[tuple[int, Record]]]
    count: Callable[[], int]

    def place(self, column: str) -> int:
        """Where a column stands, by its name; letter case and space count only to tell two columns apart.

        Raises
        ------
        LookupError
            Where no column, or more than one, has the name; the message says which.
        """
        exact = [k for k, name in enumerate(self.header) if name == column]
        found = exact or [k for k, name in enumerate(self.header) if fold(name) == fold(column)]
        if len(found) == 1:
            return found[0]
        if found:
            places = " and ".join(column_letters(k) for k in found)
            raise LookupError(f"stands {len(found)} times in the header (columns {places}).")
        close = nearest(column, (name for name in self.header if name.strip()))
        raise LookupError("is not in the header." + (f" Nearest: {close}." if close else ""))


def column_letters(place: int) -> str:
    """A column's letters in a spreadsheet: 0 is A, 26 is AA."""
    letters = ""
    place += 1
    while place:
        place, rest = divmod(place - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


def column_place(letters: str) -> int:
    """Where the column with these letters stands: A is 0, AA is 26."""
    place = 0
    for letter in letters:
        place = place * 26 + ord(letter) - 64
    return place - 1


def open_table(path: Path, export: Export) -> Table:
    """Open an export and read its header.

    Raises
    ------
    MaterialityError
        Where the file is missing, empty, of another format, in another encoding, or holds no rows.
    """
    faults = Faults()
    name = export.file
    try:
        _check_file(path, export, faults)
        faults.raise_any()
        return _open_workbook(path, export) if path.suffix.lower() in WORKBOOKS else _open_text(path, export)
    except OSError as error:
        faults.add(f"cannot be read: {error.strerror or error}.", mend="check the file and its permissions.", file=name)
        faults.raise_any()
        raise


def _check_file(path: Path, export: Export, faults: Faults) -> None:
    name, suffix = export.file, path.suffix.lower()
    if export.tool not in {Tool.AUTO, Tool.PLAIN, Tool.GOOGLE_FORMS}:
        faults.add(
            f"the layout of {export.tool.value} is not read yet.",
            mend='keep one header row in the file and say tool = "plain".',
            file=name,
        )
    elif not path.exists():
        others = [p.name for p in path.parent.iterdir() if p.is_file()] if path.parent.is_dir() else []
        close = nearest(path.name, others)
        faults.add(
            "there is no such file." + (f" Nearest: {close}." if close else ""),
            mend="correct `file` in the study file; it is relative to the study file's folder.",
            file=name,
        )
    elif not path.is_file():
        faults.add("is no file.", mend="name a CSV, TSV or XLSX file.", file=name)
    elif suffix not in TEXTS | WORKBOOKS:
        ending = f"that end in '{suffix}'" if suffix else "without an ending such as .csv"
        faults.add(f"files {ending} are not read.", mend="export as CSV, TSV or XLSX.", file=name)
    elif path.stat().st_size == 0:
        faults.add("the file is empty.", mend="export it again.", file=name)


# Text files


def _open_text(path: Path, export: Export) -> Table:
    name = export.file
    encoding = _encoding(path, export)
    delimiter = export.delimiter or _delimiter(path, encoding)

    def numbered() -> Iterator[tuple[int, Record]]:
        row = 0
        try:
            with path.open(encoding=encoding, newline="") as file:
                for row, record in enumerate(csv.reader(file, delimiter=delimiter, strict=True), 1):
                    yield row, record
        except UnicodeError as error:
            _refuse_encoding(path, name, encoding, error)
        except csv.Error as error:
            _refuse_record(name, row + 1, str(error))

    records = numbered()
    header_row, header = _header(records, name)
    if any("\0" in cell for cell in header):
        told = Faults()
        told.add(
            "the header holds NUL characters; the file may be UTF-16.",
            mend='save it as "CSV UTF-8", or say encoding = "utf-16-le" in [[responses]].',
            file=name,
            row=header_row,
        )
        told.raise_any()

    def below() -> Iterator[tuple[int, Record]]:
        width, faults = len(header), Faults()
        for row, record in itertools.islice(numbered(), header_row, None):
            if len(record) == width:
                yield row, record if any(map(str.strip, record)) else []
            elif not any(cell.strip() for cell in record):
                yield row, []
            elif len(record) > width and not any(cell.strip() for cell in record[width:]):
                yield row, record[:width]
            else:
                faults.add(
                    f"has {len(record)} cells where the header has {width}.",
                    mend="put quotes around a cell that holds a line break or the delimiter, or export again.",
                    file=name,
                    row=row,
                )
                yield row, []
        faults.raise_any()

    return Table(name, header, header_row, below, lambda: _count_text(path, encoding, delimiter) - header_row)


def _encoding(path: Path, export: Export) -> str:
    with path.open("rb") as file:
        start = file.read(4)
    if start in {codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE}:
        return "utf-32"
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if start.startswith(codecs.BOM_UTF8) or codecs.lookup(export.encoding or "utf-8").name == "utf-8":
        return "utf-8-sig"
    return export.encoding


def _refuse_encoding(path: Path, name: str, encoding: str, error: UnicodeError) -> None:
    line = None
    if encoding == "utf-8-sig":
        with path.open("rb") as file:
            for line, raw in enumerate(file, 1):  # noqa: B007
                try:
                    raw.decode("utf-8")
                except UnicodeDecodeError:
                    break
    faults = Faults()
    why = "it does not start as such a file does."
    if isinstance(error, UnicodeDecodeError):
        why = f"byte 0x{error.object[error.start]:02x}{f' on line {line}' if line else ''} means nothing there."
    faults.add(
        f"is not {encoding.removesuffix('-sig').upper()}: {why}",
        mend='save it as "CSV UTF-8", or name its encoding in the study file, e.g. encoding = "gb18030" or "cp1252".',
        file=name,
    )
    faults.raise_any()


def _refuse_record(name: str, row: int, message: str) -> None:
    faults = Faults()
    if "field larger" in message:
        what = f"a cell holds more than {csv.field_size_limit():,} characters; a quote may open and never close."
        mend = 'close it, or double it inside a cell ("").'
    elif "unexpected end" in message:
        what, mend = "a quote opens in this row and is never closed.", 'close it, or double it inside a cell ("").'
    elif "expected after" in message:
        what, mend = "text follows a closing quote.", 'double each quote inside a cell ("").'
    else:
        what, mend = f"cannot be read: {message}.", "correct the row, or export the file again."
    faults.add(what, mend=mend, file=name, row=row)
    faults.raise_any()


def _delimiter(path: Path, encoding: str) -> str:
    """The delimiter under which the first records are as wide as the header, and widest."""
    best, found = (0.0, 0), ","
    for delimiter in DELIMITERS:
        widths: list[int] = []
        try:
            with path.open(encoding=encoding, newline="") as file:
                sample = itertools.islice(csv.reader(file, delimiter=delimiter), SAMPLE_RECORDS)
                widths.extend(len(record) for record in sample if record)
        except (csv.Error, UnicodeError):
            pass
        if widths and widths[0] > 1:
            score = (sum(width == widths[0] for width in widths) / len(widths), widths[0])
            if score > best:
                best, found = score, delimiter
    return found


def _header(records: Iterator[tuple[int, Record]], name: str) -> tuple[int, tuple[str, ...]]:
    """The first row with content, and that there is something below it."""
    faults = Faults()
    for row, record in records:
        if any(cell.strip() for cell in record):
            header = tuple(record)
            while header and not header[-1].strip():
                header = header[:-1]
            if not any(any(cell.strip() for cell in below) for _, below in records):
                faults.add(
                    "holds a header but no responses below it.",
                    mend="export again with responses; the first row must be the column names.",
                    file=name,
                    row=row,
                )
                faults.raise_any()
            return row, header
    faults.add("the file holds nothing.", mend="export it again.", file=name)
    faults.raise_any()
    raise AssertionError


def _is_bytewise(encoding: str) -> bool:
    """Whether quotes and line ends are the same bytes in an encoding as in ASCII, and mean nothing else."""
    name = codecs.lookup(encoding).name
    return '"\r\n'.encode(encoding.removesuffix("-sig")) == b'"\r\n' and not name.startswith(("iso2022", "hz", "utf-7"))


def _count_text(path: Path, encoding: str, delimiter: str) -> int:
    """Records of a text file, blank lines among them, from its bytes alone."""
    if not _is_bytewise(encoding):
        return _count_decoded(path, encoding, delimiter)
    with path.open("rb") as file:
        quotes, records, last = 0, 0, b""
        while chunk := file.read(BYTES_AT_ONCE):
            while chunk.endswith(b"\r") and (more := file.read(1)):
                chunk += more
            raw = np.frombuffer(chunk, np.uint8)
            inside = np.cumsum(raw == ord('"'), dtype=np.int64) + quotes
            feed, carriage = raw == ord("\n"), raw == ord("\r")
            ends = feed.copy()
            ends[1:] &= ~carriage[:-1]
            records += int(np.count_nonzero((ends | carriage) & (inside % 2 == 0)))
            quotes, last = int(inside[-1]), chunk[-1:]
    records += last not in {b"\n", b"\r", b""}
    return records if quotes % 2 == 0 else -1


def count_lenient(path: Path, encoding: str, delimiter: str) -> int:
    """Records where quotes may also stand inside an unquoted cell, as in `19" rack`; slower than counting quotes."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as raw:
        mark = re.escape(delimiter.encode(encoding.removesuffix("-sig")))
        quoted = re.compile(rb"(?:\A(?:\xef\xbb\xbf)?|(?<=[\r\n])|(?<=" + mark + rb'))"[^"]*(?:""[^"]*)*"')
        breaks = re.compile(rb"\r\n|\r|\n")
        total = sum(1 for _ in breaks.finditer(raw))
        total -= sum(len(breaks.findall(match.group())) for match in quoted.finditer(raw))
        return total + (raw[-1:] not in {b"\n", b"\r"})


def _count_decoded(path: Path, encoding: str, delimiter: str) -> int:
    text = path.read_bytes().decode(encoding)
    quoted = re.compile(rf'(?:\A|(?<=[\r\n{re.escape(delimiter)}]))"[^"]*(?:""[^"]*)*"')
    rest = quoted.sub("quoted", text)
    return len(re.findall(r"\r\n|\r|\n", rest)) + (not rest.endswith(("\n", "\r")))


# Workbooks


def _open_workbook(path: Path, export: Export) -> Table:
    from python_calamine import CalamineError, CalamineWorkbook

    faults = Faults()
    try:
        workbook = CalamineWorkbook.from_path(str(path))
        names = list(workbook.sheet_names)
        if not names:
            faults.add("has no sheet.", mend="export it again.", file=export.file)
        elif export.sheet and export.sheet not in names:
            close = nearest(export.sheet, names)
            faults.add(
                f"has no sheet '{export.sheet}'." + (f" Nearest: {close}." if close else ""),
                mend=f"name one of its sheets: {joined(names)}.",
                file=export.file,
            )
        elif not export.sheet and len(names) > 1:
            faults.add(
                f"has {len(names)} sheets and the study names none: {joined(names)}.",
                mend='say which with sheet = "…".',
                file=export.file,
            )
        faults.raise_any()
        sheet = export.sheet or names[0]
        cells = workbook.get_sheet_by_name(sheet).to_python(skip_empty_area=False)
        rows = [[_cell_text(cell) for cell in row] for row in cells]
        last, errors = _sheet_content(path, sheet)
        for row, place, text in errors:
            rows[row - 1][place] = text
    except (CalamineError, zipfile.BadZipFile, zlib.error, ElementTree.ParseError, *UNSOUND) as error:
        faults.add(
            f"is not a workbook that can be read: {error}.",
            mend="open it in a spreadsheet and save it as .xlsx without a password, or as CSV UTF-8.",
            file=export.file,
        )
        faults.raise_any()
        raise
    name = f"{export.file} [{sheet}]" if len(names) > 1 else export.file
    while rows and not any(cell.strip() for cell in rows[-1]):
        rows.pop()
    header_row, header = _header(iter(enumerate(rows, 1)), name)
    width = len(header)

    def below() -> Iterator[tuple[int, Record]]:
        faults = Faults()
        for row, record in enumerate(rows[header_row:], header_row + 1):
            for place in range(width, len(record)):
                if record[place].strip():
                    faults.add(
                        f"column {column_letters(place)} holds a value but has no name in the header.",
                        mend="name the column in the header row, or empty its cells.",
                        file=name,
                        row=row,
                    )
            yield row, record[:width] if any(cell.strip() for cell in record) else []
        faults.raise_any()

    return Table(name, header, header_row, below, lambda: last - header_row)


def _cell_text(cell: object) -> str:
    """A workbook's cell as text: 4.0 is '4', a date is an ISO date."""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, bool):
        return "TRUE" if cell else "FALSE"
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < 1e15 else repr(cell)
    if isinstance(cell, dt.datetime | dt.date | dt.time):
        return cell.isoformat(sep=" ") if isinstance(cell, dt.datetime) else cell.isoformat()
    return "" if cell is None else str(cell)


def _sheet_part(archive: zipfile.ZipFile, sheet: str) -> str:
    """The part of a workbook's archive that holds a sheet."""
    book = ElementTree.fromstring(archive.read("xl/workbook.xml"))
    links = ElementTree.fromstring(archive.read("xl/_rels/workbook.xml.rels"))
    target = {link.get("Id"): link.get("Target", "") for link in links}
    for entry in book.iter():
        if _local(entry) == "sheet" and entry.get("name") == sheet:
            part = target[next((value for key, value in entry.items() if key.endswith("}id")), None)]
            return part.lstrip("/") if part.startswith("/") else f"xl/{part}"
    raise LookupError(f"the sheet {sheet} is not in its table of contents")


def _sheet_content(path: Path, sheet: str) -> tuple[int, list[tuple[int, int, str]]]:
    """The last row with content in a sheet, and its errors, read from its XML and not through the workbook library.

    The library takes cells that hold an error, such as #N/A, for blank: here are their rows, places and texts.
    """
    with zipfile.ZipFile(path) as archive, archive.open(_sheet_part(archive, sheet)) as xml:
        shared = list(_shared_texts(archive))
        last, row, place, errors = 0, 0, -1, []
        for event, item in ElementTree.iterparse(xml, events=("start", "end")):
            kind = _local(item)
            if kind == "row" and event == "start":
                row, place = int(item.get("r") or row + 1), -1
            elif kind == "c" and event == "start":
                letters = re.match("[A-Z]+", item.get("r", ""))
                place = column_place(letters[0]) if letters else place + 1
            elif kind == "c":
                value = "".join(t.text or "" for t in item.iter() if _local(t) in {"v", "t"}).strip()
                if value and (item.get("t") != "s" or shared[int(value)]):
                    last = row
                if item.get("t") == "e":
                    errors.append((row, place, value))
            elif kind == "row":
                item.clear()
    return last, errors


def _local(item: ElementTree.Element) -> str:
    return item.tag.rpartition("}")[2]


def _shared_texts(archive: zipfile.ZipFile) -> Iterator[bool]:
    """Of each shared text of a workbook, whether it holds anything."""
    if "xl/sharedStrings.xml" in archive.namelist():
        with archive.open("xl/sharedStrings.xml") as xml:
            for _, item in ElementTree.iterparse(xml):
                if _local(item) == "si":
                    yield bool("".join(t.text or "" for t in item.iter() if _local(t) == "t").strip())
                    item.clear()


def records_disagree(table: Table, read: int, path: Path, export: Export) -> bool:
    """Whether an independent count of the records differs from the number read.

    Text files are counted by the parity of their quotes; where that disagrees, stray quotes inside unquoted cells
    may be why, and a stricter count decides.
    """
    if table.count() == read:
        return False
    if path.suffix.lower() in WORKBOOKS:
        return True
    encoding = _encoding(path, export)
    if not _is_bytewise(encoding):
        return True
    delimiter = export.delimiter or _delimiter(path, encoding)
    return count_lenient(path, encoding, delimiter) - table.header_row != read


__all__ = ["Record", "Table", "column_letters", "open_table", "records_disagree"]
