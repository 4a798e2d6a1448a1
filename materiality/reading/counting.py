"""A second count of an export's records, by parsers that share nothing with the readers.

Text files are scanned as arrays of bytes or code units, sheets as a stream of XML events, SPSS and Stata files by the
number of cases in their own headers. Memory does not grow with the rows.

Of every export that was read to its end, `header rows + ledger lines + joined rows = physical records` must hold.
Header rows are all rows down to the last one of the header; the ledger has a line for every row below it, blank and
excluded ones among them; joined rows are those of a long export beyond the first of each respondent. A physical record
of a text file ends at a line end outside quotes or at the end of the file; those of a sheet are its rows down to the
last one that holds anything.
"""

from __future__ import annotations

import codecs
import itertools
import re
import struct
import zipfile
from collections.abc import Iterable, Iterator
from html import unescape
from pathlib import Path
from typing import Any
from xml.parsers import expat

import numpy as np
from numpy.typing import NDArray

BYTES_AT_ONCE = 1 << 21
QUOTE, FEED, RETURN = ord('"'), ord("\n"), ord("\r")
MARKS = (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF8)
"""UTF-32 before UTF-16, whose mark it starts with."""
UNITS = {"utf-16-le": "<u2", "utf-16-be": ">u2", "utf-32-le": "<u4", "utf-32-be": ">u4"}
UNUSUAL = (b"<!", b"='", b":row", b":c ", b":c>", b":si>", b":t>", b"<c\n", b"<c\r", b"<c\t", b"\0")
"""Comments, other quotes, prefixes, line breaks, wide encodings: XML that a look at its bytes may mistake."""
CELL_PLACE = re.compile(rb'<c r="[A-Z]+(\d+)"')
VALUE = re.compile(rb"<(v|t)(?: [^>]*)?>([^<]*)<")
ESCAPED = re.compile("_x([0-9A-Fa-f]{4})_")
DTA_COUNT = re.compile(rb"<release>(\d+)</release><byteorder>(MSF|LSF)</byteorder><K>.{2,4}?</K><N>", re.DOTALL)

Units = NDArray[np.unsignedinteger[Any]]


# Text files


def count_text(path: Path, encoding: str, delimiter: str, *, quoted: bool = True) -> int:
    """Physical records of a text file, blank lines among them; -1 where a quote opens and is never closed.

    Parameters
    ----------
    path : Path
    encoding, delimiter : str
        As the file is read.
    quoted : bool
        Quotation marks at the start of a cell enclose it; else they are part of the answers.
    """
    scan = _Scan(delimiter, quoted=quoted)
    records = sum(len(scan.ends(units)) for units in _units(path, encoding, delimiter))
    records += len(scan.last())
    return -1 if scan.inside else records


def text_parting(path: Path, encoding: str, delimiter: str, read: Iterable[int], *, quoted: bool = True) -> int:
    """The first record at which a reader and the count part; records are numbered from 1.

    Parameters
    ----------
    read : iterable of int
        For each record, in order, the number of the physical line on which the reader took it to end.
    """
    scan = _Scan(delimiter, quoted=quoted)

    def counted() -> Iterator[int]:
        for units in _units(path, encoding, delimiter):
            yield from scan.ends(units).tolist()
        yield from scan.last().tolist()

    return _first_difference(read, counted())


def _first_difference(one: Iterable[int], other: Iterable[int]) -> int:
    """The place, from 1, at which two sequences first differ."""
    pairs = enumerate(itertools.zip_longest(one, other), 1)
    return next((place for place, (a, b) in pairs if a != b), 0)


class _Scan:
    """Finds the ends of records in arrays of code units that come one after the other."""

    def __init__(self, delimiter: str, *, quoted: bool) -> None:
        self.openers = (ord(delimiter), FEED, RETURN)
        self.quoted = quoted
        self.inside = False
        self.lines = 0
        self.before = FEED  # a file starts like a line
        self.closed = False  # the unit before was a quote that closed a cell
        self.begun = False

    def ends(self, units: Units) -> NDArray[np.int64]:
        """The numbers, from 1, of the physical lines on which a record ends."""
        breaks = np.flatnonzero((units == FEED) | (units == RETURN))
        previous = np.where(breaks > 0, units[breaks - 1], self.before)
        breaks = breaks[~((units[breaks] == FEED) & (previous == RETURN) & ((breaks > 0) | self.begun))]
        numbers = self.lines + 1 + np.arange(len(breaks))
        if self.quoted:
            switches = self._switches(units)
            outside = (np.searchsorted(switches, breaks) + self.inside) % 2 == 0
            self.closed = bool(len(switches)) and switches[-1] == len(units) - 1
            self.inside = bool((len(switches) + self.inside) % 2)
            self.closed &= not self.inside
            numbers = numbers[outside]
        self.lines += len(breaks)
        self.before = int(units[-1])
        self.begun = True
        return numbers

    def last(self) -> NDArray[np.int64]:
        """The last line, where nothing ends it."""
        unended = self.begun and (self.inside or self.before not in {FEED, RETURN})
        return np.arange(self.lines + 1, self.lines + 1 + unended)

    def _switches(self, units: Units) -> NDArray[np.int64]:
        """The places of the quotes that open or close a cell; a quote inside an unquoted cell does neither."""
        quotes = np.flatnonzero(units == QUOTE)
        if not len(quotes):
            return quotes
        opening = quotes[int(self.inside) :: 2]
        previous = units[opening - 1]
        may_open = previous == QUOTE
        for opener in self.openers:
            may_open |= previous == opener
        if len(opening) and not opening[0]:
            may_open[0] = self.closed or self.before in self.openers
        if may_open.all():
            return quotes
        previous = np.where(quotes > 0, units[quotes - 1], self.before)
        inside, closed, kept = self.inside, -1 if self.closed else -2, []
        for place, starts in zip(quotes.tolist(), np.isin(previous, self.openers).tolist(), strict=True):
            if inside:
                inside, closed = False, place
            elif starts or closed == place - 1:
                inside = True
            else:
                continue
            kept.append(place)
        return np.array(kept, np.int64)


def _units(path: Path, encoding: str, delimiter: str) -> Iterator[Units]:
    """A text file's code units, some at a time, without its byte order mark."""
    with path.open("rb") as file:
        start = file.read(4)
        mark = next((mark for mark in MARKS if start.startswith(mark)), b"")
        kind = _kind(encoding, mark, delimiter)
        file.seek(len(mark))
        decoder = None if kind else codecs.getincrementaldecoder(encoding)()
        if decoder is not None:
            file.seek(0)  # a codec of its own looks at the mark itself
        while raw := file.read(BYTES_AT_ONCE):
            if decoder is None:
                size = np.dtype(kind).itemsize
                yield np.frombuffer(raw[: len(raw) // size * size], kind)
            elif text := decoder.decode(raw):
                yield np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")


def _kind(encoding: str, mark: bytes, delimiter: str) -> str:
    """The type of a file's code units; empty where only its codec can tell them."""
    name = codecs.lookup(encoding).name
    if name in {"utf-16", "utf-32"}:
        name += "-be" if mark in {codecs.BOM_UTF32_BE, codecs.BOM_UTF16_BE} else "-le"
    if name in UNITS:
        return UNITS[name]
    shifting = name.startswith(("iso2022", "hz", "utf-7", "johab", "punycode"))
    ascii_like = not shifting and '"\r\n,'.encode(name.removesuffix("-sig")) == b'"\r\n,'
    # From 0x40 on, a byte may be the second half of a character in GB 18030, Big5 or Shift JIS.
    plain = name.startswith("utf-8") or delimiter < "@"
    return "u1" if ascii_like and plain else ""


# Workbooks


class _UnusualError(Exception):
    """XML that has to be read as such: a look at its bytes may mistake it."""


class _RefusedError(Exception):
    """A sheet whose XML declares a document type: nothing in it may be expanded."""


def rows_with_content(path: Path, part: str) -> Iterator[int]:
    """The numbers of a sheet's rows that hold anything but blanks, in the order of its XML.

    Parameters
    ----------
    path : Path
        An .xlsx or .xlsm workbook.
    part : str
        The part of its archive that holds the sheet.

    Raises
    ------
    ValueError
        Where the XML cannot be read, or declares a document type.
    """
    with zipfile.ZipFile(path) as archive:
        shared = _shared_texts(archive)
        try:
            with archive.open(part) as xml:
                yield from list(_rows_at_a_glance(xml, shared))
        except _UnusualError:
            with archive.open(part) as xml:
                yield from _Sheet(shared).rows(xml)


def _rows_at_a_glance(xml: Any, shared: NDArray[np.bool_]) -> Iterator[int]:
    """The rows with content of a sheet written as spreadsheets and survey tools write it, from its bytes."""
    for piece in _pieces(xml, b"<row", b"</sheetData>"):
        places = CELL_PLACE.findall(piece)
        if len(places) != piece.count(b"<c ") + piece.count(b"<c>") or len(set(places)) > 1:
            raise _UnusualError
        for found in VALUE.finditer(piece):
            text = _plain(found[2])
            if found[1] == b"v" and text.strip():
                start = piece.rfind(b"<c ", 0, found.start())
                if b' t="s"' in piece[start : piece.index(b">", start)]:
                    if shared[int(text)]:
                        yield int(places[0])
                        break
                    continue
            if _says_something(text):
                yield int(places[0])
                break


def _pieces(xml: Any, mark: bytes, end: bytes) -> Iterator[bytes]:
    """What lies between one mark and the next, down to an end.

    Raises
    ------
    _UnusualError
        Where the XML is written in a way that a look at its bytes may mistake.
    """
    held, begun = b"", False
    while raw := xml.read(BYTES_AT_ONCE >> 1):
        held += raw
        ended = end in held
        text = held[: held.index(end)] if ended else held
        if any(sign in text for sign in UNUSUAL):
            raise _UnusualError
        pieces = text.split(mark)[not begun :]
        begun = begun or bool(pieces)
        yield from pieces[:-1]
        held = pieces[-1] if pieces else held[-len(end) :]
        if ended:
            yield from pieces[-1:]
            return
    raise _UnusualError


def _plain(raw: bytes) -> str:
    """Text of XML without its references."""
    text = raw.decode("utf-8", "replace")
    return unescape(text) if "&" in text else text


class _Sheet:
    """Reads a sheet's XML as a stream of events."""

    def __init__(self, shared: NDArray[np.bool_]) -> None:
        self.shared = shared
        self.found: list[int] = []
        self.row = self.last = 0
        self.kind = ""
        self.text: list[str] = []

    def rows(self, xml: Any) -> Iterator[int]:
        """The rows with content."""
        parser = _parser()
        parser.StartElementHandler, parser.EndElementHandler = self._start, self._end
        self.parser = parser
        for _ in _fed(parser, xml):
            yield from self.found
            self.found.clear()
        yield from self.found

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        name = tag.rpartition(":")[2]
        if name == "c":
            place = attributes.get("r", "")
            self.cell_row = int(place.lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ")) if place else self.row
            if self.cell_row != self.last:
                self.kind = attributes.get("t", "n")
        elif name in {"v", "t"} and self.cell_row != self.last:
            self.parser.CharacterDataHandler = self.text.append
        elif name == "row":
            self.row = int(attributes.get("r", self.row + 1))

    def _end(self, tag: str) -> None:
        name = tag.rpartition(":")[2]
        if name in {"v", "t"}:
            self.parser.CharacterDataHandler = None
        elif name == "c" and self.text:
            text = "".join(self.text)
            self.text.clear()
            if self.shared[int(text)] if self.kind == "s" and text.strip() else _says_something(text):
                self.last = self.cell_row
                self.found.append(self.cell_row)


def _shared_texts(archive: zipfile.ZipFile) -> NDArray[np.bool_]:
    """Of each shared text of a workbook, whether it holds anything."""
    names = [name for name in archive.namelist() if name.casefold().endswith("xl/sharedstrings.xml")]
    if not names:
        return np.zeros(0, np.bool_)
    try:
        with archive.open(names[0]) as xml:
            return np.fromiter(
                (
                    any(_says_something(_plain(found[2])) for found in VALUE.finditer(piece))
                    for piece in _pieces(xml, b"<si", b"</sst>")
                ),
                np.bool_,
            )
    except _UnusualError:
        with archive.open(names[0]) as xml:
            return np.fromiter(_every_shared_text(xml), np.bool_)


def _every_shared_text(xml: Any) -> Iterator[bool]:
    """Of each shared text whether it holds anything, event by event."""
    found: list[bool] = []
    text: list[str] = []
    parser = _parser()

    def start(tag: str, _: dict[str, str]) -> None:
        if tag.rpartition(":")[2] == "t":
            parser.CharacterDataHandler = text.append

    def end(tag: str) -> None:
        name = tag.rpartition(":")[2]
        if name == "t":
            parser.CharacterDataHandler = None
        elif name == "si":
            found.append(_says_something("".join(text)))
            text.clear()

    parser.StartElementHandler, parser.EndElementHandler = start, end
    for _ in _fed(parser, xml):
        yield from found
        found.clear()


def _says_something(text: str) -> bool:
    if not text.strip():
        return False
    return "_x" not in text or bool(ESCAPED.sub(lambda found: chr(int(found[1], 16)), text).strip())


def _parser() -> expat.XMLParserType:
    parser = expat.ParserCreate()
    parser.buffer_text = True

    def refuse(*_: Any) -> None:
        raise _RefusedError

    parser.StartDoctypeDeclHandler = refuse
    return parser


def _fed(parser: expat.XMLParserType, xml: Any) -> Iterator[None]:
    """Feeds a stream to a parser, some bytes at a time."""
    try:
        while raw := xml.read(BYTES_AT_ONCE >> 3):
            parser.Parse(raw, False)
            yield
        parser.Parse(b"", True)
        yield
    except _RefusedError:
        raise ValueError("its XML declares a document type") from None
    except expat.ExpatError as error:
        raise ValueError(f"its XML is broken ({error})") from error


# Files of statistics programs


def cases_in_header(path: Path) -> int:
    """The number of cases that an SPSS (.sav, .zsav) or Stata (.dta) file's header gives; -1 where it gives none.

    The bytes are read as the formats' descriptions have them, and no library is asked.
    """
    with path.open("rb") as file:
        head = file.read(512)
    if head[:4] in {b"$FL2", b"$FL3"} and len(head) >= 84:
        order = "<" if head[64:68] in {b"\2\0\0\0", b"\3\0\0\0"} else ">"
        return int(struct.unpack(f"{order}i", head[80:84])[0])
    if head.startswith(b"<stata_dta>"):
        if not (found := DTA_COUNT.search(head)):
            return -1
        size = 4 if int(found[1]) < 118 else 8
        return int.from_bytes(head[found.end() : found.end() + size], "big" if found[2] == b"MSF" else "little")
    if path.suffix.lower() == ".dta" and len(head) >= 10 and head[1] in {1, 2}:
        return int.from_bytes(head[6:10], "big" if head[1] == 1 else "little")
    return -1


__all__ = ["cases_in_header", "count_text", "rows_with_content", "text_parting"]
