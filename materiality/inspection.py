"""What an export is: its tool, its header rows, its responses, and what each column holds."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from materiality.errors import Faults
from materiality.reading.grids import Record
from materiality.reading.kinds import Column, ColumnKind, describe, is_plain_answer
from materiality.reading.refusals import RECORDS_TO_JUDGE, why_no_export
from materiality.reading.tables import Table, open_table
from materiality.study import Export, Tool, fold

ROWS_AT_ONCE = 5_000
ROWS_LOOKED_AT = 100_000
FEW = 5
"""Answers of fewer people are counted, not shown: under a question's "other" they are words of their own."""
DISTINCT_HELD = 2_000
"""Distinct answers remembered per column; further ones are let go, so memory does not grow with the rows."""


@dataclass(frozen=True)
class Inspection:
    """What an export is.

    Attributes
    ----------
    file : str
        Its name.
    table : Table
        The opened export.
    responses : int
        Rows that hold a respondent's answers, previews among them; headers and wholly empty rows are none.
    empty_rows : int
        Wholly empty rows below the header.
    previews : int
        Rows that the tool marks as previews or tests.
    columns : tuple of Column
        What each column is.
    answers : tuple of mapping
        How often each text stands in each column, over the rows looked at.
    """

    file: str
    table: Table
    responses: int
    empty_rows: int
    previews: int
    columns: tuple[Column, ...]
    answers: tuple[Mapping[str, int], ...]

    @property
    def tool(self) -> Tool:
        """The survey tool that wrote it, `plain` where none was recognised."""
        return self.table.layout.tool

    def as_json(self) -> dict[str, Any]:
        """The object that `inspect --json` prints (design §4), with each rating's scale."""
        return {
            "file": self.file,
            "tool": self.tool.value,
            "encoding": self.table.grid.encoding,
            "delimiter": self.table.grid.delimiter,
            "header_rows": self.table.header_rows,
            "responses": self.responses,
            "empty_rows": self.empty_rows,
            "previews": self.previews,
            "columns": [self._column_json(column) for column in self.columns],
        }

    def _column_json(self, column: Column) -> dict[str, Any]:
        told: dict[str, Any] = {
            "name": column.head.name,
            "question": column.head.question,
            "item": column.head.item,
            "kind": column.kind.value,
        }
        if column.scale is not None:
            labels = {text: point for text, point in column.scale.labels.items() if self.may_be_told(text)}
            told["scale"] = {"low": column.scale.low, "high": column.scale.high, "labels": labels}
        return told

    @cached_property
    def _common(self) -> frozenset[str]:
        """Answers that `FEW` people or more gave in some column of ratings."""
        rated = (counts for column, counts in zip(self.columns, self.answers, strict=True) if column.scale is not None)
        return frozenset(text for counts in rated for text, n in counts.items() if n >= FEW)

    def may_be_told(self, rating: str) -> bool:
        """Whether an answer in a column of ratings is one that many gave, or plain words of a scale, and no remark."""
        return rating in self._common or is_plain_answer(rating)


def inspect_export(path: Path | str, *, sheet: str = "", encoding: str = "", tool: Tool = Tool.AUTO) -> Inspection:
    """Find out what an export is, block by block; the file is never held whole.

    Parameters
    ----------
    path : path
        The export.
    sheet : str
        Of a workbook that has several.
    encoding : str
        Instead of the detected one.
    tool : Tool
        Instead of the recognised one.

    Raises
    ------
    MaterialityError
        Where the file cannot be read, or is no respondent-level export.
    """
    path = Path(path)
    table = open_table(path, Export(file=path.name, sheet=sheet, encoding=encoding, tool=tool))
    _refuse_what_is_no_export(table)
    answers: list[Counter[str]] = [Counter() for _ in table.heads]
    responses = empty = previews = 0
    marks = table.layout.preview_places(table.heads)
    records = table.records()
    while chunk := [record for _, record in itertools.islice(records, ROWS_AT_ONCE)]:
        kept = [record for record in chunk if record]
        empty += len(chunk) - len(kept)
        if marks:
            previews += sum(any(fold(record[k]) in values for k, values in marks) for record in kept)
        if kept and responses < ROWS_LOOKED_AT:
            _count(answers, kept)
        responses += len(kept)
    for counts in answers:
        for blank in [text for text in counts if not text.strip()]:
            del counts[blank]
    columns = describe(table.heads, answers)
    return Inspection(path.name, table, responses, empty, previews, columns, tuple(answers))


def _refuse_what_is_no_export(table: Table) -> None:
    if table.grid.names:
        return
    first = [record for _, record in itertools.islice(table.grid.records(), RECORDS_TO_JUDGE)]
    why = why_no_export(first, table.heads)
    if why is not None:
        faults = Faults()
        faults.add(why[0], mend=why[1], file=table.name)
        faults.raise_any()


def _count(answers: list[Counter[str]], records: list[Record]) -> None:
    for counts, cells in zip(answers, zip(*records, strict=True), strict=True):
        if len(counts) < DISTINCT_HELD:
            counts.update(cells)


def page(found: Inspection, *, shown: int = 6) -> str:
    """The inspection as a page for the terminal: the file, then its questions with their items and answers.

    Of columns with personal data the names are told and nothing else; free text is counted, never shown, as are answers
    to a choice that fewer than `FEW` people gave, and ratings that hold more than the words of a scale.
    """
    table = found.table
    how = f"recognised, {table.certainty:.0%} sure" if table.certainty else "no tool recognised; read as plain"
    lines = [
        f"{found.file}",
        f"  tool         {found.tool.value} ({how})",
        *([f"  encoding     {table.grid.encoding}"] if table.grid.encoding else []),
        *([f"  delimiter    {_delimiter_in_words(table.grid.delimiter)}"] if table.grid.delimiter else []),
        f"  header rows  {table.header_rows}",
        f"  responses    {found.responses}"
        + (f", {found.previews} of them previews or tests" if found.previews else ""),
        f"  empty rows   {found.empty_rows}",
        *(f"  note         {note}" for note in table.grid.notes),
        "",
        "Columns",
    ]
    last_question = ""
    for column, counts in zip(found.columns, found.answers, strict=True):
        head = column.head
        if head.item:
            if head.question != last_question:
                lines.append(f"  [{column.kind.value}] {_cut(head.question)}{_scale(column)}")
            lines.append(f"      {_cut(head.item or head.name)}: {_answers(found, column, counts, shown)}")
        else:
            what = head.question if head.question and head.question != head.name else ""
            lines.append(
                f"  [{column.kind.value}] {_cut(head.name or '(no name)')}" + (f": {_cut(what)}" if what else "")
            )
            if column.kind not in {ColumnKind.PII, ColumnKind.METADATA, ColumnKind.EMPTY}:
                lines.append(f"      {_answers(found, column, counts, shown)}{_scale(column)}")
        last_question = head.question if head.item else ""
    return "\n".join(lines)


def _delimiter_in_words(delimiter: str) -> str:
    return {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}.get(delimiter, delimiter)


def _cut(text: str, length: int = 100) -> str:
    text = " ".join(text.split())
    return text if len(text) <= length else text[: length - 1] + "…"


def _answers(found: Inspection, column: Column, counts: Mapping[str, int], shown: int) -> str:
    """The commonest answers of a column whose kind lets them be shown; how many there are of any other."""
    if column.kind not in {ColumnKind.RATING, ColumnKind.CHOICE, ColumnKind.MULTIPLE, ColumnKind.RANKING}:
        return f"{sum(counts.values())} answers"
    if column.separator:
        parts: Counter[str] = Counter()
        for text, n in counts.items():
            parts.update({part.strip(): n for part in text.split(column.separator) if part.strip()})
        counts = parts
    rated = column.kind is ColumnKind.RATING
    told = {text: n for text, n in counts.items() if (found.may_be_told(text) if rated else n >= FEW)}
    common = sorted(told.items(), key=lambda pair: (-pair[1], pair[0]))
    named = ", ".join(f"{_cut(text, 40)} {n}" for text, n in common[:shown])
    others = len(counts) - len(common[:shown])
    if not named:
        return f"{others} different answers, none of them common" if others else "no answers"
    return named + (f", and {others} more" if others else "")


def _scale(column: Column) -> str:
    return f"  (scale {column.scale.low:g} to {column.scale.high:g})" if column.scale else ""
