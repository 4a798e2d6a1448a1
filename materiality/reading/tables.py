"""Exports opened: a grid with its header rows understood, so that each column has a name."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from materiality.errors import Faults, nearest
from materiality.reading.grids import Grid, Record, column_letters, column_place
from materiality.reading.kinds import Head
from materiality.reading.layouts import RECORDS_LOOKED_AT, Layout, recognise
from materiality.reading.textfiles import open_text
from materiality.reading.workbooks import open_workbook
from materiality.study import EXPORTS, STATFILES, WORKBOOKS, Export, fold

MOST_COLUMNS = 20_000


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
    """

    grid: Grid
    layout: Layout
    certainty: float
    heads: tuple[Head, ...]
    header_row: int

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
        width, faults = len(self.heads), Faults()
        for row, record in itertools.islice(self.grid.records(), self.header_row, None):
            if len(record) == width:
                yield row, record if any(map(str.strip, record)) else []
            elif not any(map(str.strip, record)):
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
                faults.add(
                    f"has {len(record)} cell{'s' * (len(record) > 1)} where the header has {width}.",
                    mend="put quotes around a cell that holds a line break or the delimiter, or export again.",
                    file=self.name,
                    row=row,
                )
                yield row, []
        faults.raise_any()

    def disagrees(self, read: int) -> bool:
        """Whether an independent count of the rows below the header differs from the number read."""
        return not self.grid.agrees(read + self.header_row)

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
            faults.add(
                f"the study's {key} {error}",
                mend="correct the name in the study file, or the header in the export.",
                file=self.name,
                column=name,
            )
            return None

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
    from materiality.reading.statfiles import open_statfile

    opened = open_statfile(path, name)

    def records() -> Iterator[tuple[int, Record]]:
        yield from enumerate(opened.records(), 1)

    return Grid(
        name,
        records,
        lambda read: opened.rows in {-1, read},
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
        first = [record for _, record in grid.records()]  # a file that begins with many blank rows
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
    table = Table(grid, found.layout, found.certainty, tuple(heads), found.headers.rows)
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
    if not path.exists():
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


__all__ = ["Table", "column_letters", "open_grid", "open_table"]
