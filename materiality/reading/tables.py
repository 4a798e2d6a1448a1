"""Exports opened: a grid with its header rows understood, so that each column has a name."""

from __future__ import annotations

import codecs
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from materiality.errors import Faults, nearest
from materiality.reading.counting import cases_in_header
from materiality.reading.grids import Disagreement, Grid, Record, column_letters, column_place
from materiality.reading.kinds import Head
from materiality.reading.layouts import RECORDS_LOOKED_AT, Layout, recognise
from materiality.reading.textfiles import open_text
from materiality.reading.trial import survives
from materiality.reading.workbooks import open_workbook
from materiality.study import EXPORTS, STATFILES, TEXTS, WORKBOOKS, Export, fold

MOST_COLUMNS = 20_000
FEW_CONTROLS, MOST_CONTROLS = 16, 0.05
"""With more control characters than these, and this share of all, NUL among them, a file is taken for no text."""
MOST_BLANK = 10_000
"""Blank rows that may stand above the header."""

NO_TEXT = {
    "a workbook or another ZIP archive": (b"PK\x03\x04", b"PK\x05\x06"),
    "an old workbook, or one with a password": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",),
    "a packed file": (b"\x1f\x8b\x08", b"BZh", b"\xfd7zXZ\0", b"7z\xbc\xaf\x27\x1c", b"Rar!", b"\x28\xb5\x2f\xfd"),
    "a PDF": (b"%PDF-",),
    "a picture": (b"\x89PNG", b"\xff\xd8\xff", b"GIF8"),
    "an SPSS file": (b"$FL2@", b"$FL3@"),
    "a Stata file": (b"<stata_dta>",),
    "a Parquet file": (b"PAR1",),
    "a Feather file": (b"ARROW1\0\0",),
    "a database": (b"SQLite format 3\0",),
    "a text with formats (RTF)": (b"{\\rtf",),
}
"""What is no text, by what it begins with."""
MENDS = {
    "a workbook or another ZIP archive": "let a workbook's name end in '.xlsx'; unpack an archive.",
    "an old workbook, or one with a password": "let its name end in '.xls', or save it as .xlsx without a password.",
    "a packed file": "unpack it, and name the export that is in it.",
    "an SPSS file": "let its name end in '.sav'.",
    "a Stata file": "let its name end in '.dta'.",
    "a Parquet file": "let its name end in '.parquet'.",
    "a Feather file": "let its name end in '.feather'.",
}


@dataclass(frozen=True)
class Table:
    """One export, opened.

    Attributes
    ----------
    grid : Grid
        The file's rows.
    layout : Layout
        What the survey tool writes that made it.
    certainty : float
        How surely that tool did; 0 where none was recognised and the plain layout is used.
    heads : tuple of Head
        The columns; trailing ones without a name are left out.
    header_row : int
        The last row that is a header, as a spreadsheet shows it; responses start below.
    names : tuple of tuple of str
        The header's rows as they stand in the file, as far as they have columns, by which they are known where they
        stand again.
    cells_in_header : int
        Cells of the header, trailing ones without a name among them.
    """

    grid: Grid
    layout: Layout
    certainty: float
    heads: tuple[Head, ...]
    header_row: int
    names: tuple[tuple[str, ...], ...] = ()
    cells_in_header: int = 0

    @property
    def name(self) -> str:
        """The file as the study names it, with the sheet where there are several."""
        return self.grid.name

    @property
    def header_rows(self) -> int:
        """How many rows at the top hold names, questions or anything else that is no response; no blank ones."""
        top = itertools.islice(self.grid.records(), self.header_row)
        return sum(any(map(str.strip, record)) for _, record in top)

    @property
    def header(self) -> tuple[str, ...]:
        """The columns' names."""
        return tuple(head.name for head in self.heads)

    def records(self) -> Iterator[tuple[int, Record]]:
        """Each row below the header: its number and cells, as many as the header has; none for a row without content.

        Raises
        ------
        MaterialityError
            At the end, with every row whose cells do not fit the header.
        """
        width, faults, below_blank = len(self.heads), Faults(), False
        starts = {names[0] for names in self.names}
        for row, record in itertools.islice(self.grid.records(), self.header_row, None):
            if len(record) == width:
                if record[0] in starts and tuple(record) in self.names:
                    faults.add(
                        "repeats the header: were several exports joined?",
                        mend="delete the row, or name each export in [[responses]].",
                        file=self.name,
                        row=row,
                    )
                    yield row, []
                    continue
                below_blank = not any(map(str.strip, record))
                yield row, [] if below_blank else record
            elif not any(map(str.strip, record)):
                below_blank = True
                yield row, []
            elif self.grid.ragged == "column":
                for place in range(width, len(record)):
                    if record[place].strip():
                        faults.add(
                            f"column {column_letters(place)} holds a value but has no name in the header.",
                            mend="name the column in the header row, or empty its cells.",
                            file=self.name,
                            row=row,
                        )
                yield row, (record + [""] * width)[:width]
            elif len(record) > width and not any(map(str.strip, record[width:])):
                yield row, record[:width]
            else:
                what, mend = self._ragged(record, below_blank)
                faults.add(what, mend=mend, file=self.name, row=row)
                yield row, []
        faults.raise_any()

    def _ragged(self, record: Record, below_blank: bool) -> tuple[str, str]:
        """What is wrong with a row of a text file that has other cells than the header, and how to mend it."""
        width = len(self.heads)
        what = f"has {len(record)} cell{'s' * (len(record) > 1)} where the header has {width}"
        if any("\0" in cell for cell in record):
            return f"{what}, and holds NUL characters: the file is damaged.", "export it again."
        if width < len(record) <= self.cells_in_header:
            letters = " and ".join(column_letters(k) for k in range(width, len(record)) if record[k].strip())
            return (
                f"column {letters} holds a value but has no name in the header.",
                "name the column in the header row, or empty its cells.",
            )
        if lines := sum(len(cell.splitlines()) - 1 for cell in record if cell):
            return (
                f"{what}; a quote opens in it and closes {lines} line{'s' * (lines > 1)} further down.",
                'close it where its cell ends, or double it inside a cell ("").',
            )
        if below_blank:
            return f"{what}, below a blank row: a second table?", "delete what stands below the answers."
        return f"{what}.", "put quotes around a cell that holds a line break or the delimiter, or export again."

    def tell_doubts(self, places: Iterable[int | None], faults: Faults) -> None:
        """Tell the cells of some columns that do not hold what the sheet shows."""
        named = {place for place in places if place is not None}
        for doubt in self.grid.doubts:
            if doubt.place in named and doubt.row > self.header_row:
                column = self.header[doubt.place].strip() or column_letters(doubt.place)
                faults.add(doubt.what, mend=doubt.mend, file=self.name, row=doubt.row, column=column)

    def disagrees(self, read: int) -> Disagreement | None:
        """What a second count of the file's records says where it differs from the rows read below the header."""
        return self.grid.recount(self.header_row + read + self.grid.joined)

    def place(self, column: str) -> int:
        """Where a column stands: by its name, its question's text, `question [item]`, or its letters as `column AB`.

        Letter case and space count only to tell two columns apart.

        Raises
        ------
        LookupError
            Where no column, or more than one, has the name; the message says which.
        """
        exact = [k for k, head in enumerate(self.heads) if head.name == column]
        spellings = ([head.name for head in self.heads], *zip(*map(_spellings, self.heads), strict=True))
        found = exact
        for names in spellings:
            found = found or [k for k, name in enumerate(names) if name and fold(name) == fold(column)]
        if len(found) == 1:
            return found[0]
        if found:
            places = " and ".join(column_letters(k) for k in found)
            raise LookupError(f"stands {len(found)} times in the header (columns {places}).")
        if re.fullmatch(r"column [A-Z]{1,3}", column) and column_place(column[7:]) < len(self.heads):
            return column_place(column[7:])
        close = nearest(column, (name for name in self.header if name.strip()))
        raise LookupError("is not in the header." + (f" Nearest: {close}." if close else ""))

    def find(self, name: str, key: str, faults: Faults) -> int | None:
        """Where the column stands that a study's key names; None, and a fault, where it cannot be told."""
        try:
            return self.place(name)
        except LookupError as error:
            mend = "correct the name in the study file, or the header in the export."
            faults.add(f"the study's {key} {error}", mend=self.mending(mend, name), file=self.name, column=name)
            return None

    def mending(self, mend: str, found: str) -> str:
        """How to mend a fault; where letters beyond ASCII stand in what was found, with what was guessed of them."""
        doubtful = self.grid.guess and any(char.isalpha() and not char.isascii() for char in found)
        return f"{mend} {self.grid.guess}" if doubtful else mend

    def role_place(self, names: Sequence[str]) -> int | None:
        """Where the first of some names of the tool's own columns stands; None where none does."""
        for name in names:
            for place, head in enumerate(self.heads):
                if fold(name) == fold(self.layout.known_as(head)):
                    return place
        return None

    def reference(self, place: int) -> str:
        """How a study names a column so that it is found and no other: by its name, or by its letters (`column AB`)."""
        for spelling in (self.heads[place].name, *_spellings(self.heads[place])):
            try:
                if spelling.strip() and self.place(spelling) == place:
                    return spelling
            except LookupError:
                continue
        return f"column {column_letters(place)}"


def _spellings(head: Head) -> tuple[str, str, str]:
    """What a study may call a column beside its name: the question, with its row in brackets or after a dash."""
    if not head.item:
        return head.question, "", ""
    return "", f"{head.question} [{head.item}]", f"{head.question} - {head.item}"


def open_grid(path: Path, export: Export) -> Grid:
    """Open an export's file.

    Raises
    ------
    MaterialityError
        Where the file is missing, empty, of another format, or cannot be read.
    """
    faults = Faults()
    name = export.file
    try:
        _check_file(path, export, faults)
        faults.raise_any()
        suffix = path.suffix.lower()
        if suffix in STATFILES:
            return _open_statfile(path, name)
        return open_workbook(path, export) if suffix in WORKBOOKS else open_text(path, export)
    except OSError as error:
        faults.add(f"cannot be read: {error.strerror or error}.", mend="check the file and its permissions.", file=name)
        faults.raise_any()
        raise


def _open_statfile(path: Path, name: str) -> Grid:
    from materiality.reading.statfiles import SPSS, STATA, open_statfile

    if path.suffix.lower() in SPSS | STATA and not survives(path):
        faults = Faults()
        faults.add(
            "cannot be read without ending the program that reads it; it is damaged, or made to do harm.",
            mend="open it in its own program and save it again, or export as CSV UTF-8.",
            file=name,
        )
        faults.raise_any()
    opened = open_statfile(path, name)

    def records() -> Iterator[tuple[int, Record]]:
        yield from enumerate(opened.records(), 1)

    def recount(read: int) -> Disagreement | None:
        cases = cases_in_header(path)
        counted = opened.rows if cases < 0 else cases
        return None if counted in {-1, read} else Disagreement(counted)

    return Grid(
        name,
        records,
        recount,
        names=opened.names,
        questions=opened.questions,
        missing=opened.special,
    )


def open_table(path: Path, export: Export) -> Table:
    """Open an export and understand its header rows.

    Raises
    ------
    MaterialityError
        Where the file cannot be read, or holds no rows below a header.
    """
    grid, faults = open_grid(path, export), Faults()
    first = [record for _, record in itertools.islice(grid.records(), RECORDS_LOOKED_AT)]
    if not any(any(map(str.strip, record)) for record in first):
        first = [record for _, record in itertools.islice(grid.records(), MOST_BLANK)]
    if not any(any(map(str.strip, record)) for record in first):
        faults.add("the file holds nothing.", mend="export it again.", file=grid.name)
        faults.raise_any()
    if grid.names:
        found = recognise([grid.names, *first], export.tool)
        roles = {head.name: head.role for head in found.headers.heads}
        heads = [Head(n, q or n, role=roles.get(n)) for n, q in zip(grid.names, grid.questions, strict=True)]
        return Table(grid, found.layout, found.certainty, tuple(heads), 0)
    found = recognise(first, export.tool)
    heads = list(found.headers.heads)
    while heads and not heads[-1].name.strip():
        heads.pop()
    width = len(heads)
    names = tuple(tuple(row[:width]) for row in first[: found.headers.rows] if sum(map(bool, row)) > 1)
    top = Table(grid, found.layout, found.certainty, tuple(heads), found.headers.rows)
    table = replace(top, names=names, cells_in_header=len(found.headers.heads))
    if len(heads) > MOST_COLUMNS:
        faults.add(
            f"has {len(heads):,} columns, more than {MOST_COLUMNS:,}; no survey asks so much.",
            mend="export one row per respondent, and one column per question.",
            file=grid.name,
            row=table.header_row,
        )
    elif len(heads) == 1 and (below := max((sum(map(bool, r)) for r in first[table.header_row :]), default=0)) > 1:
        faults.add(
            f"holds a single cell, and rows below hold {below}: a title above the column names?",
            mend="delete the rows above the column names.",
            file=grid.name,
            row=table.header_row,
        )
    elif any("\0" in name for name in table.header):
        faults.add(
            "the header holds NUL characters; the file may be UTF-16.",
            mend='save it as "CSV UTF-8", or say encoding = "utf-16-le" in [[responses]].',
            file=grid.name,
            row=table.header_row,
        )
    elif not any(any(map(str.strip, below)) for _, below in itertools.islice(grid.records(), table.header_row, None)):
        faults.add(
            "holds a header but no responses below it.",
            mend="export again with responses; the first row must be the column names.",
            file=grid.name,
            row=table.header_row,
        )
    faults.raise_any()
    return table


def _check_file(path: Path, export: Export, faults: Faults) -> None:
    name, suffix = export.file, path.suffix.lower()
    if re.match("[A-Za-z][A-Za-z0-9+.-]+://", name):
        faults.add(
            "is a web address; nothing is loaded from the network.",
            mend="download the export, and name the file.",
            file=name,
        )
    elif path.is_symlink() and not path.exists():
        faults.add("is a link that leads to no file.", mend="name the file itself.", file=name)
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
    elif suffix not in EXPORTS:
        ending = f"that end in '{suffix}'" if suffix else "without an ending such as .csv"
        faults.add(f"files {ending} are not read.", mend="export as CSV, TSV or XLSX.", file=name)
    elif path.stat().st_size == 0:
        faults.add("the file is empty.", mend="export it again.", file=name)
    elif suffix in TEXTS:
        _check_text(path, name, faults)


def _is_wide(start: bytes) -> bool:
    """Whether a file may be UTF-16 or UTF-32: it has a mark, or every second byte or more of its Latin text is NUL."""
    return start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)) or any(
        start[first::2].count(0) > 0.5 * len(start[first::2]) for first in (0, 1)
    )


def _check_text(path: Path, name: str, faults: Faults) -> None:
    """Whether what is named as text begins as another kind of file does."""
    with path.open("rb") as file:
        start = file.read(1024)
    kind = next((kind for kind, marks in NO_TEXT.items() if start.startswith(marks)), "")
    if kind:
        faults.add(f"is {kind}, no text file.", mend=MENDS.get(kind, "export as CSV UTF-8."), file=name)
        return
    controls = sum(byte < 9 or 13 < byte < 32 for byte in start)
    if b"\0" in start and controls > max(MOST_CONTROLS * len(start), FEW_CONTROLS) and not _is_wide(start):
        faults.add("holds bytes that no text has.", mend="export as CSV UTF-8.", file=name)
        return
    text = start.decode("latin-1").removeprefix("\xef\xbb\xbf").lstrip()
    if re.match(r"<(?:!doctype|html|\?xml)\b", text, re.IGNORECASE):
        faults.add(
            "holds a web page or XML, not a table; often a sign-in page that was saved instead of the file.",
            mend="sign in to the survey tool, download the export again, and look at it in a spreadsheet.",
            file=name,
        )
    elif re.match(r'[\[{]\s*["{\[]', text) and "SurveyEntry" not in text:
        faults.add(
            "holds JSON, not a table of responses.",
            mend="export the responses as CSV, TSV or XLSX; a survey's definition holds no answers.",
            file=name,
        )


__all__ = ["Table", "column_letters", "open_grid", "open_table"]
