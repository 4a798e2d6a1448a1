"""One pass over the rows: read, clean, account for each row, and add up moments."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from materiality.cleaning import KEPT, OPEN, Ledger, Questions, apply_rules, settle_duplicates
from materiality.errors import Faults, MaterialityError
from materiality.moments import Moments, moments_of, no_moments
from materiality.reading import Source, duplicated, open_exports
from materiality.responses import Block
from materiality.study import Action, Study, draft_study, study_path

Progress = Callable[[str, int], None]


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
    """What one pass over the rows leaves: moments of the kept rows, and a disposition for each row read."""

    moments: Moments
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
    total = no_moments(len(study.layout.questions), len(study.groups), study.scale.midpoint)
    held: list[Block] = []
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
            total += _moments(block.take(kept), study, flags[kept])
            read += len(block)
            if progress is not None:
                progress(source.table.name, read)
    settled = settle_duplicates(held, study, ledger.exports, faults)
    if settled is not None:
        rows, reason = settled
        _, flags = apply_rules(rows, study, questions)
        if study.cleaning.duplicate is Action.FLAG:
            flags = np.where(reason != KEPT, flags | np.uint16(1) << reason.astype(np.uint16), flags).astype(np.uint16)
            reason = np.zeros_like(reason)
        ledger.correct(rows, reason, flags)
        kept = reason == KEPT
        total += _moments(rows.take(kept), study, flags[kept])
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
    return Gathered(total, ledger, exports, study.simulated or any(source.simulated for source in sources))


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


def _moments(block: Block, study: Study, flags: NDArray[np.uint16]) -> Moments:
    return moments_of(block, midpoint=study.scale.midpoint, points=study.scale.points, flags=flags)


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
    for group, n in zip(study.groups, respondents, strict=True):
        if group.population is not None and n > group.population:
            faults.add(
                f"groups ('{group.id}').population is {group.population}, and {n} respondents of it answered.",
                mend="correct population in [[groups]], or look for duplicates in the exports.",
                file=study_file.name,
            )
