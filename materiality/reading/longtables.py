"""Long exports, one row per response and issue, turned into one record per respondent."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from materiality.errors import Faults, MaterialityError, shown
from materiality.reading.grids import Record
from materiality.reading.kinds import Head
from materiality.reading.tables import Table
from materiality.study import Export, fold
from materiality.wording import Message


@dataclass
class _Person:
    """What the rows of one respondent say."""

    row: int
    shared: list[str]
    answers: dict[str, str] = field(default_factory=dict)


def widen(table: Table, export: Export, also: Sequence[str] = ()) -> Table:
    """A long export as a table with a column per issue.

    Each respondent's record stands at the first of its rows, and holds what the other columns say there. The export is
    held in memory.

    Parameters
    ----------
    table : Table
        As it lies in the file.
    export : Export
        Names the columns of the respondent, the issue and the answer.
    also : sequence of str
        Further columns, where the export has them, in which the rows of a respondent must say the same.

    Raises
    ------
    MaterialityError
        Where a named column is absent, a row names no respondent or no issue, one issue has two answers of a
        respondent, or a respondent's rows name different groups or weights.
    """
    faults = Faults()
    who = table.find(export.respondent, "respondent", faults)
    what = table.find(export.issue, "issue", faults)
    answer = table.find(export.answer, "answer", faults)
    faults.raise_any()
    assert who is not None and what is not None and answer is not None
    rest = [k for k in range(len(table.heads)) if k not in {what, answer}]
    same = [
        (rest.index(place), name)
        for name in (export.group, export.weight, export.stratum, export.cluster)
        if name and (place := table.find(name, "group, weight, stratum or cluster", faults)) in rest
    ]
    for name in also:
        with contextlib.suppress(LookupError):
            same.append((rest.index(table.place(name)), name))
    table.tell_doubts([who, what, answer, *(rest[k] for k, _ in same)], faults)
    faults.raise_any()
    people: dict[str, _Person] = {}
    issues: dict[str, str] = {}
    blanks, read = [], 0
    try:
        for row, record in table.records():
            read += 1
            if not record:
                blanks.append(row)
                continue
            person = _person(people, row, record[who].strip(), [record[k] for k in rest], same, table, faults)
            issue = issues.setdefault(fold(record[what]), " ".join(record[what].split()))
            if not issue:
                faults.add("no issue is named.", mend="name it, or remove the row.", file=table.name, row=row)
            elif person is not None and person.answers.setdefault(issue, record[answer]) != record[answer]:
                faults.add(
                    f"the respondent of row {person.row} answers {shown(issue)} again, and differently.",
                    mend="keep one of the rows.",
                    file=table.name,
                    row=row,
                )
    except MaterialityError as error:
        faults.take(error)
    faults.raise_any()
    columns = [issue for issue in issues.values() if issue]
    wide: list[tuple[int, Record]] = [
        (person.row, [*person.shared, *(person.answers.get(issue, "") for issue in columns)])
        for person in people.values()
    ]
    wide = sorted([*wide, *((row, []) for row in blanks)])

    def records() -> Iterator[tuple[int, Record]]:
        yield from ((row, []) for row in range(1, table.header_row + 1))
        yield from wide

    grid = replace(
        table.grid,
        records=records,
        joined=read - len(wide),
        doubts=(),
        notes=(
            *table.grid.notes,
            Message("%(rows)s rows of one answer each make %(n)s responses.", rows=read, n=len(people)),
        ),
    )
    heads = (*(table.heads[k] for k in rest), *(Head(issue, issue) for issue in columns))
    return replace(table, grid=grid, heads=heads)


def _person(
    people: dict[str, _Person],
    row: int,
    respondent: str,
    shared: list[str],
    same: list[tuple[int, str]],
    table: Table,
    faults: Faults,
) -> _Person | None:
    """The respondent of a row, who is new or says the same of group and weight as before."""
    if not respondent:
        faults.add("no respondent is named.", mend="name one, or remove the row.", file=table.name, row=row)
        return None
    person = people.setdefault(respondent, _Person(row, shared))
    for k, column in same:
        if fold(person.shared[k]) != fold(shared[k]):
            faults.add(
                f"{shown(shared[k])} differs from what the same respondent's row {person.row} says.",
                mend="let all rows of a respondent say the same there.",
                file=table.name,
                row=row,
                column=column,
            )
    return person


__all__ = ["widen"]
