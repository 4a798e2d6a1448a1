"""Text files to grids: CSV and TSV as rows of text, numbered as a spreadsheet shows them."""

from __future__ import annotations

import codecs
import csv
import mmap
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np

from materiality.errors import Faults
from materiality.reading.decoding import detect_delimiter, detect_encoding
from materiality.reading.grids import Grid, Record
from materiality.study import Export
from materiality.wording import Message

ENCLOSED = re.compile(r'"(?:[^"]|"")*"')
BYTES_AT_ONCE = 1 << 22


def open_text(path: Path, export: Export) -> Grid:
    """Open a CSV or TSV file; nothing is read yet but what tells its encoding and its delimiter."""
    name = export.file
    decoding = detect_encoding(path, export.encoding)
    encoding, notes = decoding.encoding, (decoding.note,) if decoding.note else ()
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
        row = 0
        try:
            with path.open(encoding=encoding, newline="") as file:
                reader = csv.reader(file, delimiter=delimiter, strict=True, quoting=quoting)
                for row, record in enumerate(reader, 1):
                    yield row, record
        except UnicodeError as error:
            _refuse_encoding(path, name, encoding, error)
        except csv.Error as error:
            _refuse_record(name, row + 1, str(error))

    def agrees(read: int) -> bool:
        if quoting == csv.QUOTE_NONE:
            return _count_lines(path, encoding) == read
        if _count_text(path, encoding, delimiter) == read:
            return True
        return _is_bytewise(encoding) and count_lenient(path, encoding, delimiter) == read

    return Grid(name, records, agrees, encoding=encoding, delimiter=delimiter, notes=notes)


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


def _count_lines(path: Path, encoding: str) -> int:
    """Lines of a file in which quotes mean nothing."""
    text = path.read_bytes().decode(encoding)
    return len(re.findall(r"\r\n|\r|\n", text)) + (not text.endswith(("\n", "\r")))


def _refuse_encoding(path: Path, name: str, encoding: str, error: UnicodeError) -> None:
    line = None
    if encoding in {"utf-8", "utf-8-sig"}:
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
