"""Hostile input as files: each case writes a study folder, and says what has to be told of it, or what it holds.

    python tests/hostile/make.py --list              the cases, what becomes of each, and how many
    python tests/hostile/make.py --write FOLDER      the files of all cases, a folder for each
    python tests/hostile/make.py --write FOLDER id   those of one case

Whoever makes a file knows what it holds: the rows that must be read, with their groups and ratings, stand beside it and
come from no reader.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

HEADER = "id,group,Climate,Safety,Ethics,Impact of Climate,Impact of Safety,Impact of Ethics"
ROWS = (
    "1,Staff,4,5,3,4,4,2",
    "2,Staff,5,4,3,5,3,3",
    "3,Customer,3,5,4,4,5,2",
    "4,Customer,4,4,2,5,4,3",
    "5,Buyers,5,5,3,3,4,1",
)
STUDY = """\
title = "A small study"

[scale]
low = 1
high = 5

[scale.special]
"Don't know" = "dont_know"

[[responses]]
file = "FILE"
respondent = "id"
group = "group"

[[groups]]
id = "staff"
label = "Staff"

[[groups]]
id = "buyers"
label = "Buyers"
answers = ["Customer"]

[[issues]]
id = "climate"
label = "Climate"

[[issues]]
id = "safety"
label = "Safety"

[[issues]]
id = "ethics"
label = "Ethics"

[axes.people]
column = "{label}"

[axes.business]
column = "Impact of {label}"

[privacy]
profile = "off"
"""
TEXT = "\n".join((HEADER, *ROWS, ""))
SPECIAL = {"Don't know": "dont_know", "99": "dont_know", "-1": "not_applicable"}

Answer = int | str
"""A rating, or `blank`, `dont_know` or `not_applicable`."""


@dataclass(frozen=True)
class Kept:
    """A row that must be kept: the groups it counts for, and its answers to the six questions."""

    groups: tuple[str, ...]
    answers: tuple[Answer, ...]


Truth = Mapping[int, Kept | str]
"""By row: what must be kept of it, or why it must be excluded."""


def truth_of(lines: Iterable[str], first: int = 2) -> dict[int, Kept | str]:
    """What lines of a sound export hold, by the row on which each stands."""
    found: dict[int, Kept | str] = {}
    for row, line in enumerate(lines, first):
        _, group, *cells = line.split(",")
        groups = ("staff",) if group == "Staff" else ("buyers",)
        found[row] = Kept(groups, tuple(int(cell) for cell in cells))
    return found


SOUND: Truth = truth_of(ROWS)


@dataclass(frozen=True)
class Case:
    """One hostile input.

    Attributes
    ----------
    id, what : str
        Its name, and what is wrong with it, in words.
    write : callable
        Writes its files into an empty folder.
    told : str
        Everything that must stand on standard error; empty where the input must be read.
    truth : mapping of int to Kept or str
        What must be read.
    file : str
        The export's name.
    command : str
        `check`, `inspect`, `init` or `run`.
    apart : bool
        Run in a process of its own, with bounded memory and time.
    flags : mapping of int to str
        By row, what a kept row must be flagged for.
    names : mapping of str to str
        The groups' labels, where they are others.
    """

    id: str
    what: str
    write: Callable[[Path], None]
    told: str = ""
    truth: Truth = field(default_factory=dict)
    file: str = "responses.csv"
    command: str = "check"
    apart: bool = False
    flags: Mapping[int, str] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=lambda: {"staff": "Staff", "buyers": "Buyers"})

    @property
    def outcome(self) -> str:
        """What becomes of it."""
        if self.told:
            return "refused with its message"
        excluded = any(isinstance(fate, str) for fate in self.truth.values())
        return "set aside in the ledger, row by row" if excluded else "read rightly"


CASES: list[Case] = []


def fault(what: str, mend: str, *, file: str = "responses.csv", row: str = "", column: str = "") -> str:
    """One fault as the command line tells it."""
    parts = [file] if file else []
    parts += [f"row{'s' * (' ' in row)} {row}"] if row else []
    parts += [f"column '{column}'"] if column else []
    return f"{', '.join(parts)}: {what}\n  Mend: {mend}\n"


def study_of(file: str = "responses.csv", *edits: tuple[str, str]) -> str:
    """The study file, with the export's name in it and some parts replaced."""
    text = STUDY.replace("FILE", file)
    for old, new in edits:
        if old not in text:
            raise ValueError(f"{old!r} is not in the study file")
        text = text.replace(old, new)
    return text


def add(
    id: str,
    what: str,
    told: str | Truth,
    *,
    raw: str | bytes | None = None,
    study: str | bytes | None = None,
    file: str = "responses.csv",
    write: Callable[[Path], None] | None = None,
    command: str = "check",
    apart: bool = False,
    flags: Mapping[int, str] | None = None,
    names: Mapping[str, str] | None = None,
) -> None:
    """Note a case; `raw` is the export, and `write` what writes it in another way."""

    def written(folder: Path) -> None:
        text = study if study is not None else study_of(file)
        (folder / "study.toml").write_bytes(text if isinstance(text, bytes) else text.encode())
        if write is not None:
            write(folder)
        else:
            export = TEXT if raw is None else raw
            (folder / file).write_bytes(export if isinstance(export, bytes) else export.encode())

    if any(case.id == id for case in CASES):
        raise ValueError(f"two cases are named {id}")
    read = {} if isinstance(told, str) else told
    more = {} if names is None else {"names": names}
    message = told if isinstance(told, str) else ""
    CASES.append(Case(id, what, written, message, read, file, command, apart, flags or {}, **more))


def with_row(line: str) -> str:
    """The sound export with one more row, no. 7."""
    return f"{TEXT}{line}\n"


def main() -> None:
    """List the cases, or write their files."""
    # Run as a script, this module is not the one that the others fill.
    from all_cases import CASES

    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--list", action="store_true", help="print a table of the cases and how many there are")
    parser.add_argument("--write", type=Path, metavar="FOLDER", help="write the files, a folder for each case")
    parser.add_argument("id", nargs="*", help="cases to write; all where none is named")
    given = parser.parse_args()
    if given.write is not None:
        unknown = set(given.id) - {case.id for case in CASES}
        if unknown:
            parser.error(f"no such case: {', '.join(sorted(unknown))}")
        for case in CASES:
            if not given.id or case.id in given.id:
                folder = given.write / case.id
                folder.mkdir(parents=True)
                case.write(folder)
        return
    if given.list:
        print("| case | what | outcome |\n|---|---|---|")
        for case in CASES:
            print(f"| {case.id} | {case.what} | {case.outcome} |")
        print()
    counts = Counter(case.outcome for case in CASES)
    print(f"{len(CASES)} hostile cases: " + ", ".join(f"{n} {outcome}" for outcome, n in counts.most_common()) + ".")


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    main()
