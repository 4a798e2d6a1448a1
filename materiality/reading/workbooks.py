"""Workbooks to grids: the cells of one sheet as text."""

from __future__ import annotations

import datetime as dt
import re
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

from materiality.errors import Faults, joined, nearest
from materiality.reading.grids import Grid, Record, column_place
from materiality.study import Export
from materiality.wording import Message

ROW = re.compile(rb"<row[ >]")
ROW_NUMBER = re.compile(rb'<row [^>]*?\br="(\d+)"')
CELL = re.compile(rb'<c [^>]*?(?:\bt="(\w+)"[^>]*)?><(?:v|is><t)[^>]*>([^<]*)<')
UNUSUAL = (b't="e"', b"t='e'", b"<!", b"='", b"<f", b":row", b":c ", b"<rPh")
"""XML that the quick look at a sheet does not understand: errors, comments, other quotes, formulas, prefixes."""
MOST_EXPANDED, SMALL = 100, 1 << 24
UNSOUND = (LookupError, ValueError, RuntimeError, EOFError)
"""What the standard library raises, among others, over a spoilt archive."""


def open_workbook(path: Path, export: Export) -> Grid:
    """Open a workbook and read the sheet that the study names, or its only one."""
    from python_calamine import CalamineError, CalamineWorkbook

    faults = Faults()
    _refuse_bomb(path, export.file)
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
        numbers = _Numbers()
        rows = [
            [
                cell if cell.__class__ is str else numbers[cell] if cell.__class__ is float else _cell_text(cell)
                for cell in row
            ]
            for row in cells
        ]
        last, errors = _sheet_content(path, sheet) if path.suffix.lower() in {".xlsx", ".xlsm"} else (None, [])
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
    name_and_rows = list(enumerate(rows, 1))

    def records() -> Iterator[tuple[int, Record]]:
        yield from name_and_rows

    uncounted = Message("Its rows could not be counted a second time; a workbook saved as .xlsx can be.")
    notes = (uncounted,) if last is None else ()
    return Grid(name, records, lambda read: last in {None, read}, notes=notes, ragged="column")


def _refuse_bomb(path: Path, name: str) -> None:
    """Refuse a workbook whose parts are more than a hundred times their size on the disk, before any is unpacked."""
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        unpacked = sum(part.file_size for part in archive.infolist())
    if unpacked > max(MOST_EXPANDED * path.stat().st_size, SMALL):
        faults = Faults()
        faults.add(
            f"would unpack to {unpacked // 2**20:,} MB, over {MOST_EXPANDED} times its size; no survey tool writes so.",
            mend="open it in a spreadsheet and save the answers' sheet alone, or as CSV UTF-8.",
            file=name,
        )
        faults.raise_any()


class _Numbers(dict[float, str]):
    """Numbers as text, each worked out once."""

    def __missing__(self, number: float) -> str:
        text = self[number] = _cell_text(number)
        return text


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
    with zipfile.ZipFile(path) as archive:
        part = _sheet_part(archive, sheet)
        text = archive.read(part)
        plain = not any(sign in text for sign in UNUSUAL) and text.count(b"<is>") == text.count(b"<is><t")
        if plain and (last := _last_row(text, archive)) is not None:
            return last, []
    return _every_cell(path, part)


def _last_row(text: bytes, archive: zipfile.ZipFile) -> int | None:
    """The last row with content, from the end of a sheet's XML; None where a row does not say its number."""
    shared: list[bool] | None = None
    end = len(text)
    for start in reversed([found.start() for found in ROW.finditer(text)]):
        number = ROW_NUMBER.match(text, start)
        if number is None:
            return None
        for kind, value in CELL.findall(text, start, end):
            if kind == b"s" and value.strip():
                shared = list(_shared_texts(archive)) if shared is None else shared
                if shared[int(value)]:
                    return int(number[1])
            elif value.strip():
                return int(number[1])
        end = start
    return 0


def _every_cell(path: Path, part: str) -> tuple[int, list[tuple[int, int, str]]]:
    """The last row with content and the errors of a sheet, cell by cell; slow, and for any XML."""
    with zipfile.ZipFile(path) as archive, archive.open(part) as xml:
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
