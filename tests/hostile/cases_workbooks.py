"""Workbooks and files of statistics programs: broken, encrypted, bomb-like, or with cells that hide what they are."""

from __future__ import annotations

import datetime as dt
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import xlsxwriter
from make import HEADER, ROWS, SOUND, TEXT, Kept, Truth, add, fault, study_of
from mends import AGAIN, AS_TEXT, AS_XLSX, CALCULATE, DATE, OFF, UNMERGE, WORDS

FILE = "responses.xlsx"
SHEET = "xl/worksheets/sheet1.xml"
Fill = Callable[[Any, Any], None]
"""Puts something into a sound sheet of a workbook."""


def sheet_of(book: Any, name: str | None = None, first: int = 0) -> Any:
    """A sheet with the sound export, numbers as numbers."""
    sheet = book.add_worksheet(name)
    for row, line in enumerate((HEADER, *ROWS), first):
        for place, text in enumerate(line.split(",")):
            if text.isdigit():
                sheet.write_number(row, place, int(text))
            else:
                sheet.write_string(row, place, text)
    return sheet


def workbook(folder: Path, fill: Fill | None, options: dict[str, Any] | None = None, file: str = FILE) -> Path:
    """A workbook with the sound export and what `fill` adds."""
    with xlsxwriter.Workbook(str(folder / file), options or {}) as book:
        sheet = sheet_of(book)
        if fill is not None:
            fill(book, sheet)
    return folder / file


def repacked(path: Path, change: Callable[[dict[str, bytes]], None]) -> None:
    """A workbook's parts, changed and packed again."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    change(parts)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)


def swapped(part: str, old: bytes, new: bytes) -> Callable[[dict[str, bytes]], None]:
    """Replaces bytes in one part."""

    def change(parts: dict[str, bytes]) -> None:
        if old not in parts[part]:
            raise ValueError(f"{old!r} is not in {part}")
        parts[part] = parts[part].replace(old, new)

    return change


def book(
    id: str,
    what: str,
    told: str | Truth,
    fill: Fill | None = None,
    *,
    options: dict[str, Any] | None = None,
    change: Callable[[dict[str, bytes]], None] | None = None,
    study: str | None = None,
    apart: bool = False,
) -> None:
    """Note a case whose export is a workbook."""

    def write(folder: Path) -> None:
        path = workbook(folder, fill, options)
        if change is not None:
            repacked(path, change)

    add(id, what, told, write=write, file=FILE, study=study, apart=apart)


def told(what: str, mend: str, row: str = "", column: str = "") -> str:
    """One fault of a workbook."""
    return fault(what, mend, file=FILE, row=row, column=column)


def cells(*written: tuple[int, int, Any]) -> Fill:
    """Writes values into cells, by row as a spreadsheet counts and by place."""

    def fill(_: Any, sheet: Any) -> None:
        for row, place, value in written:
            sheet.write(row - 1, place, value)

    return fill


# What is read

DIMENSION = b'<dimension ref="A1:H6"/>'
book("workbook-sound", "a sound workbook, to hold the others against", SOUND)
for name, dimension, what in (
    ("a1", b'<dimension ref="A1"/>', "a sheet that calls itself one cell large"),
    ("million", b'<dimension ref="A1:XFD1048576"/>', "a sheet that calls itself 17 billion cells large"),
    ("none", b"", "a sheet that does not say how large it is"),
):
    book(
        f"workbook-dimension-{name}", what, SOUND, change=swapped(SHEET, DIMENSION, dimension), apart=name == "million"
    )
book("workbook-inline", "texts inside the sheet", SOUND, options={"constant_memory": True})


def all_text(_: Any, sheet: Any) -> None:
    for row, line in enumerate(ROWS, 1):
        for place, text in enumerate(line.split(",")):
            sheet.write_string(row, place, f" {text} ")


def rich(opened: Any, sheet: Any) -> None:
    sheet.write_rich_string(3, 1, "Cus", opened.add_format({"bold": True}), "tomer")


def percent(opened: Any, sheet: Any) -> None:
    sheet.write_number(1, 3, 5, opened.add_format({"num_format": "0%"}))


def hidden(_: Any, sheet: Any) -> None:
    sheet.set_row(3, None, None, {"hidden": True})
    sheet.set_column(3, 3, None, None, {"hidden": True})


def filtered(_: Any, sheet: Any) -> None:
    sheet.autofilter(0, 0, 5, 7)
    sheet.filter_column(1, "x == Staff")
    for row in (3, 4, 5):
        sheet.set_row(row, None, None, {"hidden": True})


def far_format(opened: Any, sheet: Any) -> None:
    sheet.write_blank(1_048_575, 16_383, None, opened.add_format({"bold": True}))


book("workbook-text-numbers", "numbers stored as text, with spaces", SOUND, all_text)
book("workbook-rich", "a text of which a part is bold", SOUND, rich)
book("workbook-percent", "a five that is shown as 500 %", SOUND, percent)
book("workbook-hidden", "a hidden row and a hidden column, which count", SOUND, hidden)
book("workbook-filtered", "rows that a filter hides, which count", SOUND, filtered)
book("workbook-far-format", "a format, and no content, in the last cell of the sheet", SOUND, far_format)
book(
    "workbook-calculated",
    "a formula with its value",
    SOUND,
    lambda _, sheet: sheet.write_formula(1, 3, "=2+3", None, 5),
)
book(
    "workbook-title-row",
    "a blank row in the middle",
    {2: SOUND[2], 3: SOUND[3], 4: "blank row", 5: SOUND[5], 6: SOUND[6]},
    lambda _, sheet: [sheet.write_blank(3, place, None) or sheet.write_string(3, place, "") for place in range(8)],
)
TIMED = study_of(FILE, ('group = "group"', 'group = "group"\nstarted = "from"\nfinished = "to"'))


def times(opened: Any, sheet: Any) -> None:
    form = opened.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
    sheet.write_row(0, 8, ("from", "to"))
    for row in range(1, 6):
        sheet.write_datetime(row, 8, dt.datetime(2026, 4, 5, 10, 0, 0), form)
        sheet.write_datetime(row, 9, dt.datetime(2026, 4, 5, 10, 0, 3 if row == 5 else 40), form)


for name, options in (("1900", {}), ("1904", {"date_1904": True})):
    book(
        f"workbook-times-{name}",
        f"times counted from {name}",
        {**SOUND, 6: "too fast"},
        times,
        options=options,
        study=TIMED,
    )

# Cells that are not what they show

book(
    "workbook-formula",
    "a formula that nobody calculated",
    told("'=SUM(1,4)' is a formula, and no value of it is stored.", CALCULATE, "2", "Safety"),
    lambda _, sheet: sheet.write_formula(1, 3, "=SUM(1,4)", None, 5),
    change=swapped(SHEET, b"<f>SUM(1,4)</f><v>5</v>", b"<f>SUM(1,4)</f>"),
)
book(
    "workbook-formula-empty",
    "a formula with an empty value in a respondent's id",
    told("'=ROW()' is a formula, and no value of it is stored.", CALCULATE, "3", "id"),
    lambda _, sheet: sheet.write_formula(2, 0, "=ROW()", None, 7),
    change=swapped(SHEET, b"<f>ROW()</f><v>7</v>", b"<f>ROW()</f><v></v>"),
)


def errors(_: Any, sheet: Any) -> None:
    sheet.write_formula(3, 3, "=1/0", None, "#DIV/0!")
    sheet.write_formula(4, 3, "=A99!B1", None, "#REF!")


book(
    "workbook-errors",
    "cells that show an error",
    "".join(
        told(f"'{shown}' is no answer on the scale 1 to 5.", WORDS, row, "Safety")
        for shown, row in (("#DIV/0!", "4"), ("#REF!", "5"))
    ),
    errors,
)
book(
    "workbook-merged",
    "ratings of two rows in one merged cell",
    told("is merged with C3, and holds no value of its own.", UNMERGE, "4", "Climate"),
    lambda _, sheet: sheet.merge_range(2, 2, 3, 2, 5),
)
book(
    "workbook-merged-groups",
    "a group over three merged rows",
    told("is merged with B2, and holds no value of its own.", UNMERGE, "3 and 4", "group"),
    lambda _, sheet: sheet.merge_range(1, 1, 3, 1, "Staff"),
)


def dated(opened: Any, sheet: Any) -> None:
    sheet.write_datetime(1, 3, dt.datetime(2026, 4, 5), opened.add_format({"num_format": "d-mmm"}))
    sheet.write_boolean(2, 3, True)
    sheet.write_number(3, 3, 0.04, opened.add_format({"num_format": "0%"}))


book(
    "workbook-kinds",
    "a date, a truth value and a percentage for ratings",
    told(f"'2026-04-05' {DATE}", AS_TEXT, "2", "Safety")
    + told("'TRUE' is no answer on the scale 1 to 5.", WORDS, "3", "Safety")
    + told("0.04 is off the scale 1 to 5.", OFF, "4", "Safety"),
    dated,
)
book(
    "workbook-beside",
    "a note beside the table",
    told(
        "column J holds a value but has no name in the header.",
        "name the column in the header row, or empty its cells.",
        "3",
    ),
    cells((3, 9, "a note")),
)
book(
    "workbook-far",
    "a cell in the last row and column of the sheet",
    told(
        "holds 49 cells that reach to row 1,048,576 and column XFD: one far from the others?",
        "delete what stands outside the answers, or copy these to a new workbook.",
    ),
    cells((1_048_576, 16_383, "x")),
    apart=True,
)
book(
    "workbook-no-such-cell",
    "a cell in a column that no sheet has",
    told("is not a workbook that can be read: its XML names a cell ZZZ1, which no sheet has.", AS_XLSX),
    change=swapped(SHEET, b'r="A1"', b'r="ZZZ1"'),
)

# Sheets

book(
    "workbook-two-sheets",
    "two sheets, and the study names none",
    told("has 2 sheets and the study names none: 'Sheet1', 'Other'.", 'say which with sheet = "…".'),
    lambda opened, _: sheet_of(opened, "Other"),
)
book(
    "workbook-hidden-sheet",
    "a hidden sheet beside the answers, and the study names none",
    told("has 2 sheets and the study names none: 'Sheet1', 'Old'.", 'say which with sheet = "…".'),
    lambda opened, _: opened.add_worksheet("Old").hide(),
)
book(
    "workbook-no-such-sheet",
    "a sheet that is not there",
    told("has no sheet 'Sheet2'. Nearest: 'Sheet1'.", "name one of its sheets: 'Sheet1'."),
    study=study_of(FILE, ('group = "group"', 'group = "group"\nsheet = "Sheet2"')),
)


def empty(folder: Path) -> None:
    with xlsxwriter.Workbook(str(folder / FILE)) as opened:
        opened.add_worksheet()


add("workbook-empty", "an empty sheet", told("the file holds nothing.", AGAIN), write=empty, file=FILE)

# Broken, packed and dangerous


def cut(folder: Path) -> None:
    path = workbook(folder, None)
    path.write_bytes(path.read_bytes()[:-400])


add(
    "workbook-cut",
    "a workbook cut short",
    told("is damaged, or cut short.", "export it again, or as CSV UTF-8."),
    write=cut,
    file=FILE,
)
book(
    "workbook-broken-xml",
    "a sheet whose XML breaks off",
    told("is not a workbook that can be read: its XML is broken (no element found: line 2, column 27).", AS_XLSX),
    change=lambda parts: parts.update({SHEET: b'<?xml version="1.0"?>\n<worksheet><sheetData><row>'}),
)
book(
    "workbook-no-sheet-part",
    "a workbook whose sheet is missing",
    told(
        "is not a workbook that can be read: \"There is no item named 'xl/worksheets/sheet1.xml' in the archive\".",
        AS_XLSX,
    ),
    change=lambda parts: parts.pop(SHEET) and None,
)
LAUGHS = (
    b'<!DOCTYPE lolz [<!ENTITY a "ha">'
    + b"".join(b'<!ENTITY %c "%s">' % (98 + k, b"&%c;" % (97 + k) * 10) for k in range(9))
    + b"]>"
)
for name, declared, what in (
    ("laughs", LAUGHS, "entities that make a billion words of one"),
    (
        "external",
        b'<!DOCTYPE x [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
        "an entity that names a file of the machine",
    ),
):
    for part in (SHEET, "xl/sharedStrings.xml"):
        book(
            f"workbook-{name}-{'texts' if 'shared' in part else 'sheet'}",
            f"{what}, in {part}",
            told(f"declares a document type in {part}; no spreadsheet writes so.", AS_XLSX),
            change=swapped(part, b"?>\n", b"?>\n" + declared),
            apart=part != SHEET and name == "laughs",
        )


def bomb(folder: Path) -> None:
    repacked(workbook(folder, None), lambda parts: parts.update({"xl/media/x.xml": b" " * (200 << 20)}))


def liar(folder: Path) -> None:
    """A part of 300 MB that says of itself that it is small."""
    path = workbook(folder, None)
    repacked(path, lambda parts: parts.update({"xl/media/x.xml": b" " * (64 << 20)}))
    raw = bytearray(path.read_bytes())
    large, small = struct.pack("<I", 64 << 20), struct.pack("<I", 1000)
    raw = raw.replace(large, small).replace(
        struct.pack("<I", zlib.crc32(b" " * (64 << 20))), struct.pack("<I", zlib.crc32(b" " * 1000))
    )
    path.write_bytes(bytes(raw))


add(
    "workbook-bomb",
    "a workbook that would unpack to 200 MB",
    told(
        "would unpack to 200 MB, over 100 times its size; no survey tool writes so.",
        "open it in a spreadsheet and save the answers' sheet alone, or as CSV UTF-8.",
    ),
    write=bomb,
    file=FILE,
    apart=True,
)
add(
    "workbook-bomb-hidden",
    "a workbook whose part of 64 MB says that it is 1,000 bytes long",
    told("holds more than it says: xl/media/x.xml is longer than 1,000 bytes.", AS_XLSX),
    write=liar,
    file=FILE,
    apart=True,
)


def many(folder: Path) -> None:
    with zipfile.ZipFile(workbook(folder, None), "a") as archive:
        for k in range(10_001 - len(archive.namelist())):
            archive.writestr(f"xl/x{k}.xml", b"")


add(
    "workbook-parts",
    "a workbook of more than 10,000 parts",
    told("has 10,001 parts; no survey tool writes so many.", AS_XLSX),
    write=many,
    file=FILE,
)


def compound(*names: str) -> bytes:
    """The start of a compound file (MS-CFB), as workbooks with a password and old ones are, with entries named so."""
    head = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16) + struct.pack("<HHHHH", 0x3E, 3, 0xFFFE, 9, 6)
    entries = b"".join(name.encode("utf-16-le").ljust(128, b"\0") for name in ("Root Entry", *names))
    return head.ljust(512, b"\0") + entries.ljust(2048, b"\0")


add(
    "workbook-password",
    "a workbook with a password",
    told("has a password.", AS_XLSX),
    raw=compound("EncryptionInfo", "EncryptedPackage"),
    file=FILE,
)
add(
    "workbook-old-renamed",
    "an old workbook under the name of a new one",
    told("is an old workbook under a new name: it begins as an .xls file does.", "let its name end in '.xls'."),
    raw=compound("Workbook"),
    file=FILE,
)


def renamed(folder: Path, file: str) -> None:
    workbook(folder, None).rename(folder / file)


for file, what, mend in (
    (
        "responses.xls",
        "is a new workbook under an old name: it begins as an .xlsx file does.",
        "let its name end in '.xlsx'.",
    ),
    ("responses.ods", "is an .xlsx workbook under another name.", "let its name end in '.xlsx'."),
    ("responses.xlsb", "is an .xlsx workbook under another name.", "let its name end in '.xlsx'."),
    (
        "responses.csv",
        "is a workbook or another ZIP archive, no text file.",
        "let a workbook's name end in '.xlsx'; unpack an archive.",
    ),
):
    add(
        f"workbook-named-{file[10:]}",
        f"a workbook under the name {file}",
        fault(what, mend, file=file),
        write=lambda folder, file=file: renamed(folder, file),
        file=file,
    )
for file, raw, kind, what, mend in (
    (FILE, TEXT.encode(), "csv", "is text, no workbook.", "let its name end in '.csv', or export it again as XLSX."),
    (
        "responses.xls",
        b"<html><body><table><tr><td>id</td></tr></table></body></html>\n",
        "html",
        "is a web page or XML, no workbook.",
        AS_XLSX,
    ),
    (
        "responses.xls",
        b'<?xml version="1.0"?>\n<Workbook xmlns="urn:schemas-microsoft-com:office:spreadsheet"/>\n',
        "xml",
        "is a web page or XML, no workbook.",
        AS_XLSX,
    ),
    (
        "responses.xls",
        b"\x09\x08\x08\0\0\x05\x10\0" + bytes(64),
        "excel-4",
        "is a workbook of Excel 4 or older.",
        AS_XLSX,
    ),
    (
        FILE,
        bytes(5_000),
        "nothing",
        "does not begin as an .xlsx file does; it is damaged, or no workbook.",
        "export it again, or as CSV UTF-8.",
    ),
):
    add(
        f"named-workbook-{kind}",
        f"a file of another kind under the name of a workbook: {kind}",
        fault(what, mend, file=file),
        raw=raw,
        file=file,
    )


def archive_of_csv(folder: Path) -> None:
    with zipfile.ZipFile(folder / FILE, "w") as archive:
        archive.writestr("responses.csv", TEXT)


add(
    "named-workbook-zip",
    "a ZIP archive with a CSV file in it under the name of a workbook",
    told("is a ZIP archive and no workbook.", "unpack it, and name the export that is in it."),
    write=archive_of_csv,
    file=FILE,
)

# Names and texts that a spreadsheet would calculate


def formulas(_: Any, sheet: Any) -> None:
    for row in range(1, 6):
        sheet.write_string(row, 1, "=Staff" if row < 3 else "@Buyers")


book(
    "workbook-formula-texts",
    "groups whose names begin as formulas do, stored as text",
    {
        row: Kept(("staff",) if row < 4 else ("buyers",), fate.answers)
        for row, fate in SOUND.items()
        if isinstance(fate, Kept)
    },
    formulas,
    study=study_of(
        FILE, ('"Customer"', '"Customer", "@Buyers"'), ('label = "Staff"', 'label = "Staff"\nanswers = ["=Staff"]')
    ),
)

# Files of statistics programs

DAMAGED = "cannot be read without ending the program that reads it; it is damaged, or made to do harm."
PROGRAM = "open it in its own program and save it again, or export as CSV UTF-8."


def spss(folder: Path, change: Callable[[bytearray], None] | None = None) -> None:
    """The sound export as an SPSS file."""
    import pandas as pd
    import pyreadstat

    lines = [line.split(",") for line in ROWS]
    names = ["id", "grp", *(f"q{k}" for k in range(1, 7))]
    frame = pd.DataFrame(dict(zip(names, zip(*lines, strict=True), strict=True)))
    labels = ["id", "group", *HEADER.split(",")[2:]]
    path = folder / "responses.sav"
    pyreadstat.write_sav(frame.astype(dict.fromkeys(names[2:], float)), str(path), column_labels=labels)
    if change is not None:
        raw = bytearray(path.read_bytes())
        change(raw)
        path.write_bytes(raw)


def labels_of_no_variable(folder: Path) -> None:
    """An SPSS file whose value labels belong to variable no. 32,771 of 41."""
    import pandas as pd
    import pyreadstat

    frame = pd.DataFrame(
        {"id": [1.0, 2.0], "group": ["Staff", "Buyers"], "Climate": [4.0, 5.0], "why": ["x" * 300] * 2}
    )
    path = folder / "responses.sav"
    labels = {"Climate": {1: "low", 5: "high"}}
    pyreadstat.write_sav(frame, str(path), variable_value_labels=labels, missing_ranges={"Climate": [9]})
    raw = bytearray(path.read_bytes())
    place = raw.index(struct.pack("<3i", 4, 1, 3))
    raw[place + 8 : place + 12] = struct.pack("<i", 0x8003)
    path.write_bytes(raw)


add(
    "spss-sound",
    "a sound SPSS file",
    {row - 1: kept for row, kept in SOUND.items()},
    write=spss,
    file="responses.sav",
    study=study_of("responses.sav"),
)
add(
    "spss-crash",
    "a damaged SPSS file that ends the program which reads it",
    fault(DAMAGED, PROGRAM, file="responses.sav"),
    write=labels_of_no_variable,
    file="responses.sav",
    apart=True,
)
add(
    "spss-cut",
    "an SPSS file cut short",
    fault(
        "is not an SPSS file that can be read: it is cut short, damaged, or of another kind or version.",
        "export it again, or as CSV UTF-8.",
        file="responses.sav",
    ),
    write=lambda folder: spss(folder, lambda raw: raw.__delitem__(slice(700, None))),
    file="responses.sav",
)
add(
    "spss-password",
    "an SPSS file with a password",
    fault("is encrypted.", "save it in SPSS without a password.", file="responses.sav"),
    raw=b"\x1c\0\0\0\0\0\0\0ENCRYPTEDSAV\x15" + bytes(64),
    file="responses.sav",
)
add(
    "spss-csv",
    "a CSV file under the name of an SPSS file",
    fault(
        "is not an SPSS file that can be read: it is cut short, damaged, or of another kind or version.",
        "export it again, or as CSV UTF-8.",
        file="responses.sav",
    ),
    raw=TEXT,
    file="responses.sav",
)
