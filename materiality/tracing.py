"""From a dot of the matrix back to its groups, weighting cells, rows and columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from materiality.assessment import Assessment, assess
from materiality.errors import Faults, nearest, shown
from materiality.estimates import score_weights
from materiality.reading import Source, open_exports, open_table
from materiality.reading.grids import column_letters
from materiality.reporting.tables import published
from materiality.responses import Kind
from materiality.study import Study

WIDTH = 100
NUMBERS = ("estimate", "std_error", "conf_low", "conf_high")


@dataclass(frozen=True)
class Place:
    """Where in an export the answers to a question stand.

    Attributes
    ----------
    file : str
        As the study names it.
    column : str
        Its letters in a spreadsheet; those of the column of the answers in a long export.
    header : str
        What the header says there.
    only : str
        In a long export, what the column of the issues says in the rows that count; else empty.
    """

    file: str
    column: str
    header: str
    only: str = ""


@dataclass(frozen=True)
class Rows:
    """Rows of an export, as a spreadsheet numbers them.

    Attributes
    ----------
    file : str
    n : int
        How many.
    ranges : tuple of (int, int)
        First and last of each run of them.
    """

    file: str
    n: int
    ranges: tuple[tuple[int, int], ...]

    def __str__(self) -> str:
        spans = [str(one) if one == last else f"{one}–{last}" for one, last in self.ranges]
        return f"{self.file} row{'s' * (self.n != 1)} {', '.join(spans)}"


@dataclass(frozen=True)
class Cell:
    """A weighting cell of a group, as `tables/weights.csv` has it; None where that is empty."""

    cell: str
    n: int | None
    weight: float | None
    share_before: float | None
    share_after: float | None


@dataclass(frozen=True)
class GroupPart:
    """What one group gives to a score.

    Attributes
    ----------
    group, label : str
    weight : float
        Its group weight on the axis, as in the study.
    share : float
        Its part of the weights of the groups that enter this score; they add up to 1.
    estimate, std_error, conf_low, conf_high : float or None
        Its mean, as `tables/group_scores.csv` has it; None where that is empty.
    n, dont_know, not_applicable, blank : int or None
        Ratings, and answers that are none; from the same table.
    contribution : float or None
        Share times mean; None of a hidden group.
    suppressed : bool
        Its numbers are hidden, and its rows with them.
    cells : tuple of Cell
    rows : tuple of Rows
        Whose ratings enter; empty of a hidden group.
    """

    group: str
    label: str
    weight: float
    share: float
    estimate: float | None
    std_error: float | None
    conf_low: float | None
    conf_high: float | None
    n: int | None
    dont_know: int | None
    not_applicable: int | None
    blank: int | None
    contribution: float | None
    suppressed: bool
    cells: tuple[Cell, ...]
    rows: tuple[Rows, ...]


@dataclass(frozen=True)
class AxisPart:
    """One score of the issue.

    Attributes
    ----------
    axis, label : str
    estimate, std_error, conf_low, conf_high : float or None
        As `tables/scores.csv` has them.
    n : int or None
        Respondents whose ratings enter.
    column : str
        The question's column, as the study names it.
    places : tuple of Place
        Where it stands, in each export that has it.
    groups : tuple of GroupPart
        Those with a weight on the axis; one alone where one was asked for.
    rest : float or None
        What the score holds beyond the contributions that are told: of the hidden groups together, and of means that
        are told with one decimal. None where there are neither.
    """

    axis: str
    label: str
    estimate: float | None
    std_error: float | None
    conf_low: float | None
    conf_high: float | None
    n: int | None
    column: str
    places: tuple[Place, ...]
    groups: tuple[GroupPart, ...]
    rest: float | None


@dataclass(frozen=True)
class Trace:
    """An issue's scores, back to the rows that they are made of.

    Attributes
    ----------
    issue, label, pillar : str
    tier : int or None
    tier_confidence : float or None
    simulated : bool
    axes : tuple of AxisPart
    excluded : tuple of (str, str, int)
        Export, reason, rows: what was left out of every score.
    """

    issue: str
    label: str
    pillar: str
    tier: int | None
    tier_confidence: float | None
    simulated: bool
    axes: tuple[AxisPart, ...]
    excluded: tuple[tuple[str, str, int], ...]

    def as_json(self) -> dict[str, Any]:
        """One object for JSON; rows are lists of first and last."""
        found = asdict(self)
        names = ("file", "reason", "rows")
        found["excluded"] = [dict(zip(names, one, strict=True)) for one in self.excluded]
        return found


def trace_issue(path: Path | str, issue: str, *, axis: str | None = None, group: str | None = None) -> Trace:
    """Read and compute a study, and trace one of its issues (`traced`); raises like `assess` besides."""
    return traced(assess(path), issue, axis=axis, group=group)


def traced(assessment: Assessment, issue: str, *, axis: str | None = None, group: str | None = None) -> Trace:
    """Go back from an issue's scores to groups, weighting cells, rows and columns.

    Every number is one of a table that `run` writes, or follows from such: of a hidden group, nothing is told but its
    weight. Rows are named, and no answer with them.

    Parameters
    ----------
    assessment : Assessment
        Its exports are opened again, for the places of their columns.
    issue : str
        An issue's id or label.
    axis, group : str, optional
        The id or label of the only one to trace.

    Raises
    ------
    MaterialityError
        Where there is no such issue, axis or group, or no axis to trace gives the group a weight.
    """
    study = assessment.study
    faults = Faults()
    name = assessment.study_file.name
    i = _found(issue, {one.id: one.name for one in study.issues}, "issue", name, faults)
    axes = {key: one.label or key for key, one in study.axes.items()}
    wanted = list(range(len(axes))) if axis is None else [_found(axis, axes, "axis", name, faults)]
    chosen = None if group is None else _found(group, {one.id: one.name for one in study.groups}, "group", name, faults)
    faults.raise_any()
    if chosen is not None and not any(study.layout.group_weights[k][chosen] for k in wanted):
        faults.add(
            f"no axis that is to be traced gives group '{study.groups[chosen].id}' a weight.",
            mend="trace another group, or another axis.",
            file=name,
        )
    faults.raise_any()
    point = assessment.matrix.points.set_index("issue").loc[study.issues[i].id]
    sources = open_exports(study, assessment.study_file, Faults())
    return Trace(
        issue=study.issues[i].id,
        label=study.issues[i].name,
        pillar="" if study.issues[i].pillar is None else str(study.issues[i].pillar),
        tier=_whole(point["tier"]),
        tier_confidence=_number(point["tier_confidence"]),
        simulated=assessment.simulated,
        axes=tuple(_axis_part(assessment, sources, i, k, chosen) for k in wanted),
        excluded=tuple(
            (export.name, reason, times)
            for export in assessment.gathered.exports
            for reason, times in export.fates.items()
            if reason != "kept" and not reason.startswith("flagged: ")
        ),
    )


def _found(text: str, names: dict[str, str], kind: str, file: str, faults: Faults) -> int:
    """The place of an id or a label among the study's; a fault, and -1, where it is neither."""
    wanted = text.strip().casefold()
    for candidates in (names, names.values()):
        for place, name in enumerate(candidates):
            if name.casefold() == wanted:
                return place
    close = nearest(text, [*names, *names.values()])
    faults.add(
        f"{shown(text)} is no {kind} of the study." + (f" Nearest: {close}." if close else ""),
        mend=f"name one of: {', '.join(names)}.",
        file=file,
    )
    return -1


def _axis_part(assessment: Assessment, sources: list[Source], i: int, k: int, chosen: int | None) -> AxisPart:
    study = assessment.study
    axis, issue = list(study.axes)[k], study.issues[i].id
    q = study.layout.question_of[k][i]
    score = _line(assessment.scores, axis=axis, issue=issue)
    weights = np.array(study.layout.group_weights[k], float)
    shares = score_weights(assessment.sample, np.array([q]), weights[None, :])[0]
    groups = [g for g in range(len(study.groups)) if weights[g]]
    means = {g: _line(assessment.group_scores, axis=axis, group=study.groups[g].id, issue=issue) for g in groups}
    hidden = {g for g in groups if bool(means[g]["suppressed"]) or _whole(means[g]["n"]) is None}
    asked = [g for g in groups if chosen in {None, g}]
    rows = _rows_of(assessment, [g for g in asked if g not in hidden], q)
    parts = [_group_part(assessment, g, weights[g], shares[g], means[g], rows.get(g, ())) for g in groups]
    told = sum(part.contribution or 0.0 for part in parts)
    inexact = any(part.share and (part.suppressed or part.std_error is None) for part in parts)
    numbers = {name: _number(score[name]) for name in NUMBERS}
    estimate = numbers["estimate"]
    return AxisPart(
        axis=axis,
        label=study.axes[axis].label or axis,
        **numbers,
        n=_whole(score["n"]),
        column=study.layout.questions[q],
        places=tuple(_places(study, sources, q)),
        groups=tuple(part for g, part in zip(groups, parts, strict=True) if g in asked),
        rest=_number(estimate - told) if inexact and estimate is not None else None,
    )


def _group_part(
    assessment: Assessment, g: int, weight: float, share: float, mean: pd.Series, rows: tuple[Rows, ...]
) -> GroupPart:
    group, weights = assessment.study.groups[g], assessment.weights
    suppressed = bool(mean["suppressed"])
    estimate = _number(mean["estimate"])
    nothing = 0.0 if not share and not suppressed else None
    return GroupPart(
        group=group.id,
        label=group.name,
        weight=float(published(float(weight))),
        share=float(published(float(share))),
        **{name: _number(mean[name]) for name in NUMBERS},
        n=_whole(mean["n"]),
        dont_know=_whole(mean["dont_know"]),
        not_applicable=_whole(mean["not_applicable"]),
        blank=_whole(mean["blank"]),
        contribution=nothing if estimate is None else float(share) * estimate,
        suppressed=suppressed,
        cells=tuple(
            Cell(
                cell=str(line["cell"]),
                n=_whole(line["n"]),
                **{name: _number(line[name]) for name in ("weight", "share_before", "share_after")},
            )
            for _, line in weights[weights["group"] == group.id].iterrows()
        ),
        rows=rows,
    )


def _rows_of(assessment: Assessment, groups: Sequence[int], q: int) -> dict[int, tuple[Rows, ...]]:
    """The rows of each group whose ratings of a question enter, file by file."""
    exports = assessment.gathered.exports
    numbers: dict[int, list[tuple[int, Any]]] = {g: [] for g in groups}
    for block, _ in assessment.gathered.rows.blocks():
        rated = block.kinds[:, q] == Kind.RATING
        for g in groups:
            here = rated & block.members[:, g]
            for number in np.unique(block.export[here]):
                numbers[g].append((int(number), block.row[here & (block.export == number)]))
    found = {}
    for g, parts in numbers.items():
        files = []
        for number in sorted({number for number, _ in parts}):
            rows = np.sort(np.concatenate([rows for at, rows in parts if at == number]))
            starts = np.flatnonzero(np.diff(rows, prepend=rows[0] - 2) != 1)
            ends = np.append(starts[1:], len(rows)) - 1
            ranges = tuple(zip(rows[starts].tolist(), rows[ends].tolist(), strict=True))
            files.append(Rows(exports[number].name, len(rows), ranges))
        found[g] = tuple(files)
    return found


def _places(study: Study, sources: list[Source], q: int) -> Iterator[Place]:
    """Where a question is read from."""
    for source in sources:
        place = source.columns.questions[q]
        if place is None:
            continue
        head = source.table.heads[place]
        if source.export.issue and source.export.answer:
            under = open_table(source.path, source.export)
            answer = under.place(source.export.answer)
            yield Place(source.table.name, column_letters(answer), under.header[answer], head.name)
        else:
            text = head.question if head.question and head.question != head.name else ""
            header = f"{head.name}: {text}" if text and head.name.strip() else head.name or text
            header += f" [{head.item}]" if head.item and head.item not in header else ""
            yield Place(source.table.name, column_letters(place), header)


def _line(table: pd.DataFrame, **where: str) -> pd.Series:
    """The line of a table with these values in its columns; of empty cells where there is none."""
    found = np.ones(len(table), np.bool_)
    for column, value in where.items():
        found &= (table[column] == value).to_numpy(bool)
    if found.any():
        return table.iloc[int(found.argmax())]
    return pd.Series(dict.fromkeys(table.columns) | {"suppressed": False})


def _number(value: Any) -> float | None:
    return None if value is None or pd.isna(value) else published(float(value))


def _whole(value: Any) -> int | None:
    return None if value is None or pd.isna(value) else int(value)


def page(found: Trace) -> str:
    """A trace as plain text, for whoever follows a number back to its rows."""
    tier = "no tier" if found.tier is None else f"tier {found.tier}"
    if found.tier is not None and found.tier_confidence is not None:
        tier += f" (confidence {found.tier_confidence:.2f})"
    lines = [f"{found.label} ({found.issue}), {found.pillar}, {tier}"]
    if found.simulated:
        lines.append("Simulated answers: nothing here describes real stakeholders.")
    for part in found.axes:
        lines += ["", *_axis_lines(part)]
    lines += ["", "Rows left out of every score:"]
    lines += [f"  {file}: {times:,} {reason}" for file, reason, times in found.excluded] or ["  none"]
    return "\n".join(lines)


def _axis_lines(part: AxisPart) -> Iterator[str]:
    yield f"{part.label} ({part.axis})"
    if part.estimate is None:
        yield "  no score: nobody who is asked rated it"
    else:
        spread = "" if part.conf_low is None else f", interval {part.conf_low:.4f} to {part.conf_high:.4f}"
        spread += "" if part.std_error is None else f", standard error {part.std_error:.4f}"
        yield f"  score {part.estimate:.4f}{spread}" + ("" if part.n is None else f", {part.n:,} respondents")
    for place in part.places:
        only = f", in rows of the issue '{place.only}'" if place.only else ""
        yield f"  read from {place.file}, column {place.column}{only}: {place.header}"
    head = ("group", "weight", "share", "mean", "ratings", "gives")
    cells = [head] + [
        (
            one.label,
            f"{one.weight:g}",
            f"{one.share:.4f}",
            "hidden" if one.suppressed else _text(one.estimate),
            "" if one.n is None else f"{one.n:,}",
            _text(one.contribution),
        )
        for one in part.groups
    ]
    if part.rest is not None:
        hidden = any(one.suppressed for one in part.groups)
        what = "hidden groups together, and rounding of means" if hidden else "rounding of means"
        cells.append((what, "", "", "", "", _text(part.rest)))
    widths = [max(len(row[k]) for row in cells) for k in range(len(head))]
    for row in cells:
        numbers = "  ".join(text.rjust(width) for text, width in zip(row[1:], widths[1:], strict=True))
        yield f"    {row[0].ljust(widths[0])}  {numbers}".rstrip()
    for one in part.groups:
        yield from _group_lines(one)


def _text(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _group_lines(part: GroupPart) -> Iterator[str]:
    yield f"  {part.label} ({part.group})"
    if part.suppressed:
        yield "    hidden, and its rows with it: the privacy profile of the study asks for it"
        return
    for cell in part.cells:
        n = "size hidden" if cell.n is None else f"{cell.n:,} respondents"
        weight = "" if cell.weight is None else f", mean weight {cell.weight:.4g}"
        yield f"    weighting cell {cell.cell}: {n}{weight}"
    for rows in part.rows:
        yield from _wrapped(f"    ratings of {rows}")
    left = ((part.dont_know, "don't know"), (part.not_applicable, "not applicable"), (part.blank, "blank"))
    told = [f"{n:,} {what}" for n, what in left if n]
    if told:
        yield f"    kept, without a rating: {', '.join(told)}"


def _wrapped(text: str) -> Iterable[str]:
    import textwrap

    return textwrap.wrap(text, WIDTH, subsequent_indent=" " * 6, break_long_words=False, break_on_hyphens=False)


__all__ = ["AxisPart", "Cell", "GroupPart", "Place", "Rows", "Trace", "page", "trace_issue", "traced"]
