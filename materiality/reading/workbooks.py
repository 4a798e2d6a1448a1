"""Workbooks to grids: the cells of one sheet as text."""

from __future__ import annotations

import datetime as dt
import itertools
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

from materiality.errors import Faults, MaterialityError, joined, nearest, shown
from materiality.reading.counting import rows_with_content
from materiality.reading.grids import Disagreement, Doubt, Grid, Record, column_letters
from materiality.reading.sheets import AS_XLSX, Look, check_package, look_into
from materiality.reading.trial import survives
from materiality.study import Export
from materiality.wording import Message

MOST_MERGED = 10_000
UNSOUND = (LookupError, ValueError, RuntimeError, EOFError)
"""What the standard library raises, among others, over a spoilt archive."""


def open_workbook(path: Path, export: Export) -> Grid:
    """Open a workbook and read the sheet that the study names, or its only one."""
    from python_calamine import CalamineError, CalamineWorkbook

    faults = Faults()
    look = Look()
    try:
        check_package(path, export.file)
        if path.suffix.lower() not in {".xlsx", ".xlsm"} and not survives(path, sheet=export.sheet):
            faults.add(
                "cannot be read without ending the program that reads it; it is damaged, or made to do harm.",
                mend=AS_XLSX,
                file=export.file,
            )
            faults.raise_any()
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
        part = _sheet_part(path, sheet) if path.suffix.lower() in {".xlsx", ".xlsm"} else ""
        if part:
            look = look_into(path, part, export.file)
        cells = workbook.get_sheet_by_name(sheet).to_python(skip_empty_area=False)
        numbers = _Numbers()
        rows = [
            [
                cell if cell.__class__ is str else numbers[cell] if cell.__class__ is float else _cell_text(cell)
                for cell in row
            ]
            for row in cells
        ]
        for row, place, text in look.errors:
            rows[row - 1][place] = text
    except (CalamineError, zipfile.BadZipFile, zlib.error, ElementTree.ParseError, *UNSOUND) as error:
        faults.add(
            f"is not a workbook that can be read: {error}.",
            mend=AS_XLSX,
            file=export.file,
        )
        faults.raise_any()
        raise
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # what the library's Rust ends with; no class of Exception
            raise
        faults.add("is not a workbook that can be read: it is damaged.", mend=AS_XLSX, file=export.file)
        raise MaterialityError(tuple(faults)) from error
    name = f"{export.file} [{sheet}]" if len(names) > 1 else export.file
    while rows and not any(cell.strip() for cell in rows[-1]):
        rows.pop()
    name_and_rows = list(enumerate(rows, 1))

    def records() -> Iterator[tuple[int, Record]]:
        yield from name_and_rows

    def recount(read: int) -> Disagreement | None:
        return _recounted(path, part, export.file, rows, read) if part else None

    notes = []
    if not part:
        notes.append(Message("Its rows could not be counted a second time; a workbook saved as .xlsx can be."))
    if look.hidden:
        notes.append(Message("%(rows)s hidden rows are read like all others.", rows=look.hidden))
    return Grid(name, records, recount, notes=tuple(notes), ragged="column", doubts=tuple(_doubts(look, rows)))


def _recounted(path: Path, part: str, name: str, rows: list[list[str]], read: int) -> Disagreement | None:
    """Whether the rows with content, read from a sheet's XML, are those that the library gave, and as many as read."""
    try:
        found = sorted(set(rows_with_content(path, part)))
    except (zipfile.BadZipFile, zlib.error, *UNSOUND) as error:
        faults = Faults()
        faults.add(
            f"its rows cannot be counted a second time: {error}.",
            mend="open it in a spreadsheet and save it as .xlsx anew, or as CSV UTF-8.",
            file=name,
        )
        faults.raise_any()
    here = [number for number, row in enumerate(rows, 1) if any(map(str.strip, row))]
    last = found[-1] if found else 0
    if here == found and last == read:
        return None
    return Disagreement(last, min(set(here) ^ set(found), default=0))


def _doubts(look: Look, rows: list[list[str]]) -> Iterator[Doubt]:
    """Cells that do not hold what the sheet shows, or nothing because nobody calculated them."""
    for row, place, formula in look.uncalculated:
        yield Doubt(
            row,
            place,
            f"{shown(formula)} is a formula, and no value of it is stored.",
            "open the file in a spreadsheet, let it calculate and save it, or put the value into the cell.",
        )
    told = 0
    for top, left, bottom, right in look.merged:
        if not (top <= len(rows) and left < len(rows[top - 1]) and rows[top - 1][left].strip()):
            continue
        for row, place in itertools.product(range(top, bottom + 1), range(left, right + 1)):
            if (row, place) == (top, left):
                continue
            if (told := told + 1) > MOST_MERGED:
                return
            yield Doubt(
                row,
                place,
                f"is merged with {column_letters(left)}{top}, and holds no value of its own.",
                "unmerge the cells in a spreadsheet and fill each of them in.",
            )


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


def _sheet_part(path: Path, sheet: str) -> str:
    """The part of a workbook's archive that holds a sheet."""
    with zipfile.ZipFile(path) as archive:
        book = ElementTree.fromstring(archive.read("xl/workbook.xml"))
        links = ElementTree.fromstring(archive.read("xl/_rels/workbook.xml.rels"))
    target = {link.get("Id"): link.get("Target", "") for link in links}
    for entry in book.iter():
        if _local(entry) == "sheet" and entry.get("name") == sheet:
            part = target[next((value for key, value in entry.items() if key.endswith("}id")), None)]
            return part.lstrip("/") if part.startswith("/") else f"xl/{part}"
    raise LookupError(f"the sheet {sheet} is not in its table of contents")


def _local(item: ElementTree.Element) -> str:
    return item.tag.rpartition("}")[2]
