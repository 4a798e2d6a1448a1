"""A grid: the rows of a file as text, before anything is known of headers and columns."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

Record = list[str]


@dataclass(frozen=True)
class Disagreement:
    """A second count of a file's records that is not what was read.

    Attributes
    ----------
    records : int
        Physical records by the second count; -1 where a quote opens and is never closed.
    row : int
        The first row where the two part; 0 where that cannot be said.
    """

    records: int
    row: int = 0


@dataclass(frozen=True)
class Doubt:
    """A cell whose value is not the one that the sheet shows; a fault where the study uses its column.

    Attributes
    ----------
    row : int
        As the spreadsheet shows it.
    place : int
        Of its column, from 0.
    what, mend : str
        As `Fault` has them.
    """

    row: int
    place: int
    what: str
    mend: str


@dataclass(frozen=True)
class Grid:
    """One sheet or text file, opened.

    Attributes
    ----------
    name : str
        The file as the study names it, with the sheet where there are several.
    records : callable
        Gives a new iterator over (row number, cells) of every row, blank ones among them; the first row is 1.
    recount : callable
        From the number of rows read to what a second count (`counting`) says where it differs; None where it agrees, or
        where a file of this kind cannot be counted a second time.
    encoding, delimiter : str
        Of a text file; empty for others.
    notes : tuple of str
        What was guessed, in words.
    ragged : {"row", "column"}
        Whether a row wider than the header is a broken row, as in text files, or a column without a name, as in
        workbooks.
    names, questions : tuple of str
        The columns' names and question texts, where the file holds them beside its rows; all rows are then responses.
    missing : tuple of frozenset of str
        Per column, the texts that such a file declares to be no answer.
    joined : int
        Rows of the file that are no record of their own, because a long export has several of each respondent.
    doubts : tuple of Doubt
        Cells of a workbook that are merged into others, or hold a formula that nobody calculated.
    guess : str
        What was guessed of a text file's encoding, in words; empty where it is certain.
    """

    name: str
    records: Callable[[], Iterator[tuple[int, Record]]]
    recount: Callable[[int], Disagreement | None]
    encoding: str = ""
    delimiter: str = ""
    notes: tuple[str, ...] = ()
    ragged: Literal["row", "column"] = "row"
    names: tuple[str, ...] = ()
    questions: tuple[str, ...] = ()
    missing: tuple[frozenset[str], ...] = ()
    joined: int = 0
    doubts: tuple[Doubt, ...] = ()
    guess: str = ""


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
