"""Faults of a user's input, gathered so that all of them are told at once."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches

ROWS_SHOWN = 10
FAULTS_HELD = 1000
VALUE_SHOWN = 30
NAME_SHOWN = 200
"""Characters of a file's or column's name that a message shows."""
MOST_COMPARED = 300
"""Words that are compared letter by letter in looking for the nearest ones."""
WORD = re.compile(r"[^\W\d_]+")
LOOK_ALIKE = ("CYRILLIC", "GREEK")
"""Scripts with letters that look like Latin ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that is wrong with a study or an export.

    Attributes
    ----------
    what : str
        What is wrong and what was found.
    mend : str
        What the user can do about it; never empty.
    file : str
        The file as the study names it; empty where no file is at fault.
    rows : tuple of int
        Rows as a spreadsheet numbers them (the first line is 1); empty where the whole file or column is meant.
    column : str
        The column's header, or the key of a study file; empty where none is meant.
    more_rows : int
        Further rows with the same fault that are counted but not listed.
    """

    what: str
    mend: str
    file: str = ""
    rows: tuple[int, ...] = ()
    column: str = ""
    more_rows: int = 0

    @property
    def where(self) -> str:
        """File, rows and column in words."""
        parts = [named(self.file)] if self.file else []
        if self.rows:
            parts.append(rows_in_words(self.rows, self.more_rows))
        if self.column:
            parts.append(f"column '{named(self.column)}'")
        return ", ".join(parts)

    def __str__(self) -> str:
        where = f"{self.where}: " if self.where else ""
        return f"{where}{self.what}\n  Mend: {self.mend}"


class MaterialityError(Exception):
    """The input is at fault; carries every fault found.

    Attributes
    ----------
    faults : tuple of Fault
        At least one, in the order in which they were found.
    untold : int
        Further faults that were counted but not kept.
    """

    def __init__(self, faults: Sequence[Fault], untold: int = 0) -> None:
        if not faults:
            raise ValueError("a MaterialityError needs at least one fault")
        self.faults = tuple(faults)
        self.untold = untold
        super().__init__(str(self))

    def __str__(self) -> str:
        lines = [str(fault) for fault in self.faults]
        if self.untold:
            lines.append(f"… and {self.untold} more faults of other values; mend these first.")
        return "\n".join(lines)


class Faults:
    """Gathers faults; the same fault in several rows becomes one with all its rows."""

    def __init__(self) -> None:
        self._faults: dict[tuple[str, str, str], Fault] = {}
        self._untold = 0

    def __bool__(self) -> bool:
        return bool(self._faults)

    def __iter__(self) -> Iterator[Fault]:
        return iter(self._faults.values())

    def add(self, what: str, *, mend: str, file: str = "", row: int | None = None, column: str = "") -> None:
        """Note one fault; `row` is the row that a spreadsheet shows."""
        key = (file, column, what)
        rows = () if row is None else (row,)
        known = self._faults.get(key)
        if known is None:
            if len(self._faults) < FAULTS_HELD:
                self._faults[key] = Fault(what=what, mend=mend, file=file, rows=rows, column=column)
            else:
                self._untold += 1
        elif rows:
            if len(known.rows) < ROWS_SHOWN:
                self._faults[key] = replace(known, rows=known.rows + rows)
            else:
                self._faults[key] = replace(known, more_rows=known.more_rows + 1)

    def take(self, error: MaterialityError) -> None:
        """Take over the faults that another step raised."""
        for fault in error.faults:
            self._faults.setdefault((fault.file, fault.column, fault.what), fault)
        self._untold += error.untold

    def raise_any(self) -> None:
        """Raise `MaterialityError` with all faults gathered, or return where there are none."""
        if self._faults:
            raise MaterialityError(tuple(self._faults.values()), self._untold)


def rows_in_words(rows: Sequence[int], more: int = 0) -> str:
    """`row 48`, `rows 48 and 52`, `rows 48, 52 and 7 more`."""
    shown = [str(row) for row in rows]
    if more:
        return f"rows {', '.join(shown)} and {more} more"
    if len(shown) == 1:
        return f"row {shown[0]}"
    return f"rows {', '.join(shown[:-1])} and {shown[-1]}"


def shown(value: str) -> str:
    """A found value as messages show it: quoted, in printable characters, at most 30 of them.

    In a word of Latin letters, those of other scripts that look like them are shown by their code: `'St\\u0430ff'`.
    """
    text = _printable(value[: 2 * VALUE_SHOWN])
    if not text.isascii():
        text = WORD.sub(_told_apart, text)
    return f"'{text[: VALUE_SHOWN - 1]}…'" if len(text) > VALUE_SHOWN else f"'{text}'"


def named(name: str) -> str:
    """The name of a file, a column or a sheet as messages show it: in printable characters, at most 200 of them."""
    text = _printable(re.sub(r"[\r\n]+", " ", name[: 2 * NAME_SHOWN]), spaces=True)
    return f"{text[: NAME_SHOWN - 1]}…" if len(text) > NAME_SHOWN else text


def _printable(text: str, *, spaces: bool = False) -> str:
    """A text with a code for each character that is not seen; `spaces` of all kinds may stay as they are."""
    if text.isprintable():
        return text
    seen = (c.isprintable() or (spaces and unicodedata.category(c) == "Zs") for c in text)
    return "".join(c if is_seen else repr(c)[1:-1] for c, is_seen in zip(text, seen, strict=True))


def _told_apart(word: re.Match[str]) -> str:
    """A word; in one of Latin letters, look-alikes from other scripts as codes."""
    scripts = [unicodedata.name(letter, "").partition(" ")[0] for letter in word[0]]
    if "LATIN" not in scripts:
        return word[0]
    return "".join(
        f"\\u{ord(letter):04x}" if script in LOOK_ALIKE else letter
        for letter, script in zip(word[0], scripts, strict=True)
    )


def nearest(found: str, valid: Iterable[str], count: int = 3) -> str:
    """The valid words closest to the one found, quoted and comma-separated; empty where none is close.

    Letter case and surrounding space do not count. Of very many words those are compared that share the most parts.
    """
    wanted = found.strip().casefold()[: 2 * NAME_SHOWN]
    by_fold: dict[str, str] = {}
    for word in valid:
        by_fold.setdefault(word.strip().casefold()[: 2 * NAME_SHOWN], word)
    words = list(by_fold)
    if len(words) > MOST_COMPARED:
        parts = set(re.findall(r"\w+", wanted))
        alike = {word: len(parts & set(re.findall(r"\w+", word))) for word in words}
        words = sorted(words, key=lambda word: (-alike[word], abs(len(word) - len(wanted))))[:MOST_COMPARED]
    close = get_close_matches(wanted, words, n=count, cutoff=0.5)
    return ", ".join(f"'{named(by_fold[fold])}'" for fold in close)


def joined(words: Iterable[str]) -> str:
    """Words quoted, comma-separated."""
    return ", ".join(f"'{named(word)}'" for word in words)
