"""A workbook looked through before it is read: whether it is one, what it would unpack to, and what its cells hide."""

from __future__ import annotations

import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO
from xml.parsers import expat

from materiality.errors import Faults
from materiality.reading.grids import column_letters, column_place

MOST_EXPANDED, SMALL = 100, 1 << 24
LARGEST = 1 << 31
MOST_PARTS = 10_000
PIECE = 1 << 18
LAST_ROW, LAST_COLUMN = 1 << 20, 1 << 14
FEW_CELLS, MOST_SPARSE = 1 << 22, 50
"""A sheet may span so many cells; a larger one, so many times those that hold anything."""
STORED, DEFLATED = 0, 8
LOCAL_HEADER = struct.Struct("<4s5H3I2H")
COLUMN = re.compile("[A-Z]{1,3}")
CELL = re.compile(r"([A-Z]{1,3})([0-9]{1,7})")
PLACED = re.compile(rb'<c r="([A-Z]{1,3})([0-9]{1,7})"')
UNUSUAL = re.compile(rb'<f[ >/]|t="e"|hidden|<mergeCell|<!|&#|=\'|<\w+:|\0')
XML_START = re.compile(rb'\s*<\?xml[^>]*encoding="(?:UTF-8|utf-8)"[^>]*\?>')
AS_XLSX = "open it in a spreadsheet and save it as .xlsx without a password, or as CSV UTF-8."
OLE, ZIP = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"PK"
PACKAGES = frozenset({".xlsx", ".xlsm", ".xlsb", ".ods"})
OLD_SHEETS = (b"\x09\x08", b"\x09\x04", b"\x09\x02", b"\x09\x00")


@dataclass
class Look:
    """What a sheet's XML says beside the values of its cells; rows count from 1, places from 0.

    Attributes
    ----------
    errors : list of (row, place, text)
        Cells that hold an error such as #N/A, which the library takes for blank.
    uncalculated : list of (row, place, text)
        Cells that hold a formula, and no value of it.
    merged : list of (first row, first place, last row, last place)
        Cells that are shown as one; the first of them holds the value.
    hidden : int
        Rows with content that the spreadsheet does not show.
    rows, columns, cells : int
        The last row and column with content, and how many cells hold any.
    """

    errors: list[tuple[int, int, str]] = field(default_factory=list)
    uncalculated: list[tuple[int, int, str]] = field(default_factory=list)
    merged: list[tuple[int, int, int, int]] = field(default_factory=list)
    hidden: int = 0
    rows: int = 0
    columns: int = 0
    cells: int = 0


def check_package(path: Path, name: str) -> None:
    """Refuse what is no workbook of its ending, and one that would unpack to very much, before anything is parsed.

    The parts are unpacked piece by piece and thrown away, since a part's own word on its size may be false.

    Raises
    ------
    MaterialityError
        Where it is another kind of file, has a password, unpacks to more than it says or than a hundred times its
        size, or declares a document type, by which XML makes much of little.
    """
    faults = Faults()
    with path.open("rb") as file:
        start = file.read(4096)
    problem = _another_kind(path.suffix.lower(), start, path)
    if problem is None and start.startswith(ZIP):
        try:
            problem = _unsound_package(path)
        except (zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError, ValueError):
            problem = "is damaged, or cut short.", "export it again, or as CSV UTF-8."
    if problem is not None:
        faults.add(problem[0], mend=problem[1], file=name)
        faults.raise_any()


def _another_kind(suffix: str, start: bytes, path: Path) -> tuple[str, str] | None:
    """What a file begins as, where that is not what its name says."""
    if suffix in PACKAGES and start.startswith(OLE):
        with path.open("rb") as file:
            head = file.read(1 << 20)
        if "EncryptedPackage".encode("utf-16-le") in head:
            return "has a password.", AS_XLSX
        return "is an old workbook under a new name: it begins as an .xls file does.", "let its name end in '.xls'."
    if suffix == ".xls" and start.startswith(ZIP):
        return "is a new workbook under an old name: it begins as an .xlsx file does.", "let its name end in '.xlsx'."
    if start.startswith(ZIP if suffix in PACKAGES else OLE):
        return None
    text = start.lstrip(b"\xef\xbb\xbf \t\r\n")
    if text.startswith(b"<") and re.match(rb"<(!doctype|html|table|\?xml|meta|div)", text, re.IGNORECASE):
        return "is a web page or XML, no workbook.", AS_XLSX
    if _is_text(start):
        return "is text, no workbook.", "let its name end in '.csv', or export it again as XLSX."
    if suffix == ".xls" and start.startswith(OLD_SHEETS):
        return "is a workbook of Excel 4 or older.", AS_XLSX
    what = f"does not begin as an {suffix} file does; it is damaged, or no workbook."
    return what, "export it again, or as CSV UTF-8."


def _is_text(start: bytes) -> bool:
    """Whether the first bytes of a file are lines of text in UTF-8."""
    try:
        text = start[: start.rfind(b"\n") + 1].decode("utf-8")
    except UnicodeDecodeError:
        return False
    return bool(text) and all(char.isprintable() or char in "\ufeff\t\r\n\xa0\u3000" for char in text)


def _unsound_package(path: Path) -> tuple[str, str] | None:
    """What is wrong with a ZIP archive of XML parts."""
    with zipfile.ZipFile(path) as archive:
        parts = archive.infolist()
    if len(parts) > MOST_PARTS:
        return f"has {len(parts):,} parts; no survey tool writes so many.", AS_XLSX
    unpacked = sum(part.file_size for part in parts)
    most = min(max(MOST_EXPANDED * path.stat().st_size, SMALL), LARGEST)
    alone = "open it in a spreadsheet and save the answers' sheet alone, or as CSV UTF-8."
    if unpacked > most:
        return _too_large(unpacked, most), alone
    if other := _another_package(path.suffix.lower(), {part.filename for part in parts}):
        return other
    if any(part.flag_bits & 1 for part in parts):
        return "has a password.", AS_XLSX
    with path.open("rb") as file:
        for part in parts:
            size = 0
            for piece, before in _pieces(file, part):
                size += len(piece)
                if size > part.file_size:
                    return f"holds more than it says: {part.filename} is longer than {part.file_size:,} bytes.", AS_XLSX
                if part.filename.lower().endswith((".xml", ".rels")) and _declares(before + piece):
                    return f"declares a document type in {part.filename}; no spreadsheet writes so.", AS_XLSX
    return None


def _another_package(suffix: str, parts: set[str]) -> tuple[str, str] | None:
    """Which archive a file is, where its name says another."""
    kinds = {
        "xl/workbook.xml": ("an .xlsx workbook", (".xlsx", ".xlsm")),
        "xl/workbook.bin": ("an .xlsb workbook", (".xlsb",)),
        "content.xml": ("an .ods workbook", (".ods",)),
    }
    for part, (what, endings) in kinds.items():
        if part in parts:
            wrong = suffix not in endings
            return (f"is {what} under another name.", f"let its name end in '{endings[0]}'.") if wrong else None
    return "is a ZIP archive and no workbook.", "unpack it, and name the export that is in it."


def _too_large(unpacked: int, most: int) -> str:
    if most == LARGEST:
        return f"would unpack to {unpacked // 2**20:,} MB."
    return f"would unpack to {unpacked // 2**20:,} MB, over {MOST_EXPANDED} times its size; no survey tool writes so."


def _declares(text: bytes) -> bool:
    text = text.replace(b"\0", b"")  # XML may be UTF-16
    return b"<!DOCTYPE" in text or b"<!ENTITY" in text


def _pieces(file: BinaryIO, part: zipfile.ZipInfo) -> Iterator[tuple[bytes, bytes]]:
    """A part's content in pieces, each with the end of the one before, whatever the archive says of its length."""
    file.seek(part.header_offset)
    header = LOCAL_HEADER.unpack(file.read(LOCAL_HEADER.size))
    file.seek(header[9] + header[10], 1)
    if part.compress_type not in {STORED, DEFLATED}:
        raise zipfile.BadZipFile(f"{part.filename} is packed as no spreadsheet packs")
    unpacker = zlib.decompressobj(-zlib.MAX_WBITS) if part.compress_type == DEFLATED else None
    left, before = part.compress_size, b""
    while left:
        raw = file.read(min(PIECE, left))
        if not raw:
            raise EOFError(f"{part.filename} is cut short")
        left -= len(raw)
        while raw:
            piece = unpacker.decompress(raw, PIECE) if unpacker else raw
            raw = unpacker.unconsumed_tail if unpacker else b""
            yield piece, before
            before = piece[-32:]
        if unpacker and unpacker.eof:
            return
    if unpacker:
        yield unpacker.flush(), before


def look_into(path: Path, part: str, name: str) -> Look:
    """Go through a sheet's XML for what its library does not tell.

    Parameters
    ----------
    path : Path
        An .xlsx or .xlsm workbook.
    part : str
        The part of its archive that holds the sheet.
    name : str
        The file, as messages name it.

    Raises
    ------
    MaterialityError
        Where cells lie so far apart that the sheet could not be held.
    ValueError
        Where the XML cannot be read.
    """
    with zipfile.ZipFile(path) as archive, archive.open(part) as xml:
        quick = _plain(xml)
    if quick is not None and quick.rows * quick.columns <= FEW_CELLS:
        return quick
    looker = _Looker()
    with zipfile.ZipFile(path) as archive, archive.open(part) as xml:
        looker.read(xml)
    look, faults = looker.look, Faults()
    if look.rows * look.columns > max(FEW_CELLS, MOST_SPARSE * look.cells):
        reach = f"row {look.rows:,} and column {column_letters(look.columns - 1)}"
        faults.add(
            f"holds {look.cells:,} cells that reach to {reach}: one far from the others?",
            mend="delete what stands outside the answers, or copy these to a new workbook.",
            file=name,
        )
        faults.raise_any()
    return look


def _plain(xml: Any) -> Look | None:
    """How far a sheet's cells reach, from its bytes alone; None where the XML itself has to be gone through.

    That is where something in it could be a formula, an error, a merged cell or a hidden row, and where it is not
    written as usual: in another encoding, with prefixes, or cells without a place.
    """
    last, letters, before, cells = 0, set[bytes](), b"", 0
    while raw := xml.read(PIECE):
        text = before + raw
        if UNUSUAL.search(text) or (not before and not XML_START.match(text)):
            return None
        end = text.rfind(b"<")
        found = PLACED.findall(text, 0, end)
        cells += len(found)
        letters.update(column for column, _ in found)
        last = max(last, max(map(int, {row for _, row in found}), default=0))
        if text.count(b"<c ", 0, end) + text.count(b"<c>", 0, end) != len(found):
            return None
        before = text[end:] if end >= 0 else text
        if len(before) > PIECE:
            return None
    if not all(COLUMN.fullmatch(column.decode()) for column in letters) or last > LAST_ROW:
        return None
    columns = 1 + max((column_place(column.decode()) for column in letters), default=-1)
    return None if columns > LAST_COLUMN else Look(rows=last, columns=columns, cells=cells)


class _Looker:
    """Reads a sheet's XML as a stream of events."""

    def __init__(self) -> None:
        self.look = Look()
        self.row, self.place = 0, -1
        self.places: dict[str, int] = {}
        self.attributes: dict[str, str] = {}
        self.formula: list[str] | None = None
        self.text: list[str] = []
        self.valued = self.hidden = False
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.StartElementHandler, self.parser.EndElementHandler = self._start, self._end

    def read(self, xml: Any) -> None:
        try:
            while raw := xml.read(PIECE):
                self.parser.Parse(raw, False)
            self.parser.Parse(b"", True)
        except expat.ExpatError as error:
            raise ValueError(f"its XML is broken ({error})") from error

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        name = tag.rpartition(":")[2] if ":" in tag else tag
        if name == "c":
            self.attributes = attributes
            self.valued, self.formula = False, None
            self._find(attributes.get("r", ""))
        elif name == "v":
            if self.formula is not None or self.attributes.get("t") == "e":
                self.text = []
                self.parser.CharacterDataHandler = self.text.append
            self.valued = True
        elif name == "is":
            self.valued = True
        elif name == "f":
            self.formula = []
            self.parser.CharacterDataHandler = self.formula.append
        elif name == "row":
            self.row, self.place = int(attributes.get("r") or self.row + 1), -1
            self.hidden = attributes.get("hidden") in {"1", "true"}
        elif name == "mergeCell":
            self._merge(attributes.get("ref", ""))

    def _end(self, tag: str) -> None:
        name = tag.rpartition(":")[2] if ":" in tag else tag
        if name == "c":
            self._cell()
        elif name in {"v", "f"}:
            self.parser.CharacterDataHandler = None

    def _find(self, reference: str) -> None:
        if reference:
            letters = reference.rstrip("0123456789")
            place = self.places.get(letters)
            if place is None:
                place = self.places[letters] = column_place(letters) if COLUMN.fullmatch(letters) else LAST_COLUMN
            self.place, self.row = place, int(reference[len(letters) :][:9] or 0)
        else:
            self.place += 1
        if not 1 <= self.row <= LAST_ROW or self.place >= LAST_COLUMN:
            raise ValueError(f"its XML names a cell {reference[:20]}, which no sheet has")

    def _cell(self) -> None:
        look = self.look
        if not self.valued and self.formula is None:
            return
        kind = self.attributes.get("t", "n")
        if self.formula is not None or kind == "e":
            text = "".join(self.text).strip()
            self.text = []
            if self.formula is not None and (not self.valued or (not text and kind != "str")):
                look.uncalculated.append((self.row, self.place, "=" + "".join(self.formula)))
            elif kind == "e":
                look.errors.append((self.row, self.place, text))
        if self.hidden:
            look.hidden += 1
            self.hidden = False
        look.cells += 1
        look.rows = max(look.rows, self.row)
        look.columns = max(look.columns, self.place + 1)

    def _merge(self, reference: str) -> None:
        first, _, last = reference.partition(":")
        start, end = CELL.fullmatch(first), CELL.fullmatch(last or first)
        if start and end:
            self.look.merged.append((int(start[2]), column_place(start[1]), int(end[2]), column_place(end[1])))


__all__ = ["AS_XLSX", "PACKAGES", "Look", "check_package", "look_into"]
