"""One pass over the rows: read, clean, account for each row, and add up moments."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from materiality.cleaning import (
    KEPT,
    OPEN,
    Ledger,
    Questions,
    Typical,
    apply_comparisons,
    apply_rules,
    settle_duplicates,
)
from materiality.errors import Faults, MaterialityError
from materiality.moments import Moments, moments_of, no_moments
from materiality.reading import Source, duplicated, open_exports, stratum_code
from materiality.responses import NO_CATEGORY, Block
from materiality.spooling import Spool
from materiality.study import Action, NoCategory, Study, draft_study, study_path
from materiality.weights import Weights, unraked, weigh

Progress = Callable[[str, int], None]
MOST_CELLS = 4_000
"""Cells that are worked with where trimming keeps different design weights apart."""
ROWS_TOLD = 8
"""Rows that one message names."""


@dataclass(frozen=True)
class ExportRead:
    """One export, as it was read.

    Attributes
    ----------
    name : str
        As the study names it.
    path : Path
        Where it lies.
    header_row : int
        As a spreadsheet shows it.
    rows : int
        Rows below the header; kept and excluded ones add up to it.
    fates : Counter
        Rows by reason, `kept` among them; `flagged: …` counts kept rows that were flagged.
    notes : tuple of str
        What was guessed about the file, in words.
    """

    name: str
    path: Path
    header_row: int
    rows: int
    fates: Counter[str]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Gathered:
    """What one pass over the rows leaves: the kept rows' moments and weights, and a disposition for each row read."""

    moments: Moments
    weights: Weights
    rows: Spool
    ledger: Ledger
    exports: tuple[ExportRead, ...]
    simulated: bool


def examine(path: Path | str, *, progress: Progress | None = None) -> tuple[Study, Gathered]:
    """Read a study and its exports without computing anything beyond moments; raises like `assess`."""
    study_file = study_path(path)
    study, faults = draft_study(study_file)
    gathered = None
    if study is not None:
        gathered = gather(study, study_file, faults, progress=progress)
    faults.raise_any()
    assert study is not None and gathered is not None
    return study, gathered


def gather(study: Study, study_file: Path, faults: Faults, *, progress: Progress | None = None) -> Gathered:
    """Read all exports block by block, apply the cleaning rules, and add up the moments of the kept rows.

    Faults are added to `faults`; the result then stands for what could be read.
    """
    sources = open_exports(study, study_file, faults)
    ledger = Ledger(tuple(names_by_number(study, sources)))
    twice = _ids_that_stand_twice(study, sources)
    questions = Questions.of(study)
    held: list[Block] = []
    lacking = _Lacking(study, ledger.exports, _columnless(sources))
    spool = Spool()
    for source in sources:
        read = 0
        for block in source.blocks(faults):
            reason, flags = apply_rules(block, study, questions)
            kept = reason == KEPT
            if len(twice):
                held_back = kept & np.isin(block.identity, twice)
                if held_back.any():
                    held.append(block.take(held_back))
                    flags[held_back] = OPEN
                    kept &= ~held_back
            ledger.note(block, reason, flags)
            spool.add(block.take(kept), flags[kept])
            read += len(block)
            if progress is not None:
                progress(source.table.name, read)
    settled = settle_duplicates(held, study, ledger.exports, faults)
    if settled is not None:
        twins, reason = settled
        _, flags = apply_rules(twins, study, questions)
        if study.cleaning.duplicate is Action.FLAG:
            flags = np.where(reason != KEPT, flags | np.uint16(1) << reason.astype(np.uint16), flags).astype(np.uint16)
            reason = np.zeros_like(reason)
        ledger.correct(twins, reason, flags)
        spool.add(twins.take(reason == KEPT), flags[reason == KEPT])
    for source in sources:
        if source.whole:
            check_count(source, ledger, faults)
    spool = spool.in_order()
    total, rows = _compared(spool, study, ledger, lacking, faults)
    lacking.tell(faults)
    counts = ledger.counts()
    exports = tuple(
        ExportRead(
            source.table.name,
            source.path,
            source.table.header_row,
            sum(times for reason, times in counts[source.table.name].items() if not reason.startswith("flagged")),
            counts[source.table.name],
            source.table.grid.notes,
        )
        for source in sources
    )
    if not faults:
        _check_kept(study, study_file, total, exports, faults)
    weights = unraked(total) if faults else weigh(study, total, faults, study_file.name)
    simulated = study.simulated or any(source.simulated for source in sources)
    return Gathered(total, weights, rows, ledger, exports, simulated)


def check_count(source: Source, ledger: Ledger, faults: Faults) -> None:
    """Hold the ledger's lines of an export against a second count of the file's physical records (`reading.counting`).

    Header rows, lines of the ledger and joined rows of a long export must add up to the count. A difference is added to
    `faults`, with the first row where the two part.
    """
    table, lines, gap = source.table, 0, 0
    for part in ledger.lines():
        rows = part["row"][part["export"] == source.number]
        due = table.header_row + lines + 1 + np.arange(len(rows))
        if not gap and not table.grid.joined and (rows != due).any():
            gap = int(due[(rows != due).argmax()])
        lines += len(rows)
    try:
        found = table.disagrees(lines)
    except MaterialityError as error:
        faults.take(error)
        return
    if found is None and not gap:
        return
    joined, row = table.grid.joined, gap
    what = f"its ledger accounts for {table.header_row + lines + joined:,} records ({table.header_row} of the header, "
    what += f"{lines:,} rows below it" + (f", {joined:,} joined to these" if joined else "") + ")"
    if found is not None:
        row = found.row or gap
        counted = f"of the file finds {found.records:,}"
        if found.records == table.header_row + lines + joined:
            counted = "finds as many but other rows blank"
        elif found.records < 0:
            counted = "ends inside a quote that is never closed"
        what += f", and a second count {counted}"
    else:
        what += ", and not for each row of the file"
    faults.add(
        what + ("; here they part." if row else "."),
        mend="look for unbalanced quotes or mixed line ends, and export the file again; where it is sound, the program "
        "is at fault: report it.",
        file=table.name,
        row=row or None,
    )


def _compared(spool: Spool, study: Study, ledger: Ledger, lacking: _Lacking, faults: Faults) -> tuple[Moments, Spool]:
    """The moments of the rows that stay once each is compared with all of them, and those rows."""
    total = no_moments(len(study.layout.questions), len(study.groups), study.scale.midpoint)
    rows, typical = Spool(), Typical.of(_no_rows(study), study)
    for block, _ in spool.blocks():
        typical += Typical.of(block, study)
    for block, flags in spool.blocks():
        reason, compared = apply_comparisons(block, flags, study, typical)
        changed = (reason != KEPT) | (compared != flags)
        ledger.correct(block.take(changed), reason[changed], compared[changed])
        stays = reason == KEPT
        kept, flagged = block.take(stays), compared[stays]
        lacking.note(kept)
        total += _moments(kept, study, flagged)
        rows.add(kept, flagged)
        if study.weighting.trim is not None and len(total.cells) > MOST_CELLS:
            faults.add(
                f"weights are to be trimmed, and there are more than {MOST_CELLS:,} different design weights and "
                "combinations of categories.",
                mend="round the design weights in the export to two decimals, or take trim out of [weighting].",
                file=ledger.exports[0],
            )
            break
    return total, rows


def _columnless(sources: list[Source]) -> frozenset[tuple[int, int]]:
    """Exports, and the margins' columns that they have not."""
    return frozenset(
        (source.number, k) for source in sources for k, place in enumerate(source.columns.margins) if place is None
    )


@dataclass
class _Lacking:
    """Kept rows whose group is raked to a margin, and whose cell does not say the category."""

    study: Study
    exports: tuple[str, ...]
    columnless: frozenset[tuple[int, int]]
    rows: dict[tuple[int, int, int], list[int]] = field(default_factory=dict)

    def note(self, block: Block) -> None:
        if self.study.weighting.no_category is NoCategory.KEEP:
            return
        for i, k in np.argwhere(block.categories == NO_CATEGORY):
            for group in self.study.layout.margins[k].category:
                if block.members[i, group]:
                    key = int(block.export[i]), int(k), group
                    self.rows.setdefault(key, []).append(int(block.row[i]))

    def tell(self, faults: Faults) -> None:
        for (export, column, group), places in sorted(self.rows.items()):
            rows, margin = sorted(places), self.study.layout.margins[column]
            if (export, column) in self.columnless:
                faults.add(
                    f"has no such column, and {len(rows)} of its respondents are of group "
                    f"'{self.study.groups[group].id}', which is raked to it.",
                    mend='add the column, or set no_category = "keep" in [weighting].',
                    file=self.exports[export],
                    column=margin.name,
                )
                continue
            shown = ", ".join(map(str, rows[:ROWS_TOLD])) + (
                f" and {len(rows) - ROWS_TOLD} more" if rows[ROWS_TOLD:] else ""
            )
            faults.add(
                f"{len(rows)} respondents of group '{self.study.groups[group].id}' give no category of its margin "
                f"(rows {shown}).",
                mend='fill the cells in, or set no_category = "keep" in [weighting]: they then keep their design '
                "weights, and the others are raked to the margin.",
                file=self.exports[export],
                row=rows[0],
                column=margin.name,
            )


def names_by_number(study: Study, sources: list[Source]) -> list[str]:
    """Each export's name, in the study's order."""
    names = [export.file for export in study.responses]
    for source in sources:
        names[source.number] = source.table.name
    return names


def _ids_that_stand_twice(study: Study, sources: list[Source]) -> NDArray[np.uint64]:
    with_ids = [source for source in sources if source.columns.respondent is not None]
    if study.cleaning.duplicate is Action.OFF or not with_ids:
        return np.empty(0, np.uint64)
    try:
        return np.array(sorted(duplicated(with_ids)), np.uint64)
    except MaterialityError:
        return np.empty(0, np.uint64)  # the pass over the rows meets the same fault, and tells it


def _no_rows(study: Study) -> Block:
    """A block of no rows: what sums start from."""
    questions, groups, margins = len(study.layout.questions), len(study.groups), len(study.layout.margins)
    wide = {"ratings": questions, "kinds": questions, "members": groups, "categories": margins}
    empty: dict[str, Any] = {f.name: np.zeros((0, wide[f.name]) if f.name in wide else 0) for f in fields(Block)}
    return Block(**empty)


def _moments(block: Block, study: Study, flags: NDArray[np.uint16]) -> Moments:
    return moments_of(
        block,
        midpoint=study.scale.midpoint,
        points=study.scale.points,
        flags=flags,
        apart=study.weighting.trim is not None,
    )


def _check_kept(
    study: Study, study_file: Path, moments: Moments, exports: tuple[ExportRead, ...], faults: Faults
) -> None:
    respondents = moments.per_group(moments.stack("n").astype(np.int64))
    if not respondents.any():
        rows, groupless = sum(export.rows for export in exports), bool(moments.cells)
        faults.add(
            f"no row of {rows} was kept{' with a group' if groupless else ''}: "
            + ", ".join(f"{times} {reason}" for export in exports for reason, times in export.fates.items())
            + ".",
            mend="look at the reasons; the group column, the scale's labels or [cleaning] may not fit the export.",
            file=", ".join(export.name for export in exports),
        )
    for g, (group, n) in enumerate(zip(study.groups, respondents, strict=True)):
        if group.population is not None and n > group.population:
            faults.add(
                f"groups ('{group.id}').population is {group.population}, and {n} respondents of it answered.",
                mend="correct population in [[groups]], or look for duplicates in the exports.",
                file=study_file.name,
            )
        for name, people in group.strata.items():
            here = sum(
                sums.n
                for cell, sums in moments.cells.items()
                if g in cell.groups and cell.stratum == stratum_code(name)
            )
            if not here:
                faults.add(
                    f"groups ('{group.id}').strata.{name} has {people} people, and nobody of it answered.",
                    mend="leave it out of strata, and say in the report whom the answers do not stand for; or add its "
                    "people to a stratum that is like it.",
                    file=study_file.name,
                )
            elif here > people:
                faults.add(
                    f"groups ('{group.id}').strata.{name} is {people}, and {here} respondents of it answered.",
                    mend="correct it in [[groups]], or look for duplicates in the exports.",
                    file=study_file.name,
                )
