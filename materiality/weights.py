"""Weights of respondents within their groups: raked to margins, trimmed, and the tables that show them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from materiality.disclosure import complemented
from materiality.errors import Faults
from materiality.moments import Moments
from materiality.raking import design_effect, projector, rake, trim
from materiality.reading import stratum_code
from materiality.stats import effective_n
from materiality.study import Group, Study, fold

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class Calibration:
    """How the weights of one group were raked, as far as variances need to know.

    Attributes
    ----------
    cells : int array, shape (k,)
        The group's cells, as places among all cells.
    basis : float array, shape (k, rank)
        B Bᵀ = X (XᵀWX)⁺ Xᵀ leads from the cells' sums of w z, design weights w, to the values of z that a regression
        on the margins' dummies X fits in each cell.
    start : float array, shape (k,)
        What the design weights were multiplied by before raking.
    """

    cells: IntArray
    basis: FloatArray
    start: FloatArray


@dataclass(frozen=True)
class Weights:
    """What multiplies the design weights.

    Attributes
    ----------
    factors : float array, shape (cells, groups)
        Raked and trimmed over design weight; 1 without raking, 0 where the cell is not of the group.
    calibrations : tuple of Calibration or None, by group
    margins : DataFrame
        group, column, category, wanted, before, after: each raked margin's shares.
    """

    factors: FloatArray
    calibrations: tuple[Calibration | None, ...]
    margins: pd.DataFrame


NEARLY_NOTHING = 1e-6
"""A respondent whose weight is raked to less than this share of itself counts for nothing."""
MARGIN_COLUMNS = ["group", "column", "category", "wanted", "before", "after"]


def margins_table(study: Study, moments: Moments, weights: Weights) -> pd.DataFrame:
    """The raked margins' shares (`Weights.margins`); what small categories show of their sizes is left out.

    A category below the study's minimum has no shares before and after, nor have others from which it would follow.
    """
    table = weights.margins.copy()
    if table.empty or not study.privacy.hidden_below:
        return table
    sums, members = list(moments.cells.values()), moments.members()
    for g, group in enumerate(study.groups):
        inside = np.flatnonzero(members[:, g])
        if weights.calibrations[g] is None:
            continue
        classes = _classes(study, moments, g, inside)
        people = np.array([sums[k].n for k in inside])
        for c, (column, margin) in enumerate(group.margins.items()):
            sizes = np.array([people[classes[:, c] == k].sum() for k in range(len(margin))])
            small = _with_others(study, sizes, np.ones((1, len(sizes))))
            rows = table.index[(table["group"] == group.id) & (table["column"] == column)]
            table.loc[rows[small], ["before", "after"]] = np.nan
    return table


def hidden_sizes(study: Study, n: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Groups whose numbers of respondents are not told: small ones, and others from which these would follow.

    Parameters
    ----------
    study : Study
    n : int array, shape (groups,)
        Respondents kept; their sum is told.
    """
    return _with_others(study, n, np.ones((1, len(n))))


def _with_others(study: Study, n: NDArray[np.int64], sums: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Sizes below the study's minimum, and those from which they would follow, some sums being known."""
    smallest = study.privacy.hidden_below
    return complemented(n, (n > 0) & (n < smallest), sums, smallest=smallest)


def unraked(moments: Moments) -> Weights:
    """The design weights as they stand."""
    return Weights(moments.members().astype(float), (None,) * moments.groups, pd.DataFrame(columns=MARGIN_COLUMNS))


def weigh(study: Study, moments: Moments, faults: Faults, file: str) -> Weights:
    """Rake each group with margins to them, and trim.

    The margins hold for everybody kept of the group, whether or not an issue was rated. Weights are then bounded by
    the study's multiples of the group's mean weight; what was cut off is spread over the others, and the margins are
    met as nearly as that allows (`Weights.margins` says how nearly). Where a group's strata have populations and the
    exports no design weights, each stratum first gets its share of the group.

    Parameters
    ----------
    study : Study
    moments : Moments
        Of the kept respondents; its cells hold their categories.
    faults : Faults
        Takes margins that cannot be met: a category without respondents, respondents in a category that should be
        empty, margins that contradict each other in this sample.
    file : str
        The study file's name.

    Returns
    -------
    Weights
        Where a group's margins cannot be met its design weights stay.

    References
    ----------
    Deming and Stephan (1940), Annals of Mathematical Statistics 11; Deville and Särndal (1992), JASA 87; for the
    trimming Potter (1990), Proceedings of the Survey Research Methods Section, ASA.
    """
    members = moments.members()
    factors = members.astype(float)
    calibrations: list[Calibration | None] = [None] * moments.groups
    tables = []
    for g, group in enumerate(study.groups):
        inside = np.flatnonzero(members[:, g])
        if not len(inside):
            continue
        factors[inside, g] = start = stratum_factors(study, moments, g, inside)
        if study.layout.margins and group.margins:
            found = _raked(study, moments, g, inside, start, faults, file)
            if found is None:
                continue
            factors[inside, g], calibrations[g] = found
        if study.weighting.trim is not None:
            factors[inside, g] = _trimmed(study.weighting.trim, moments, inside, factors[inside, g])
        if calibrations[g] is not None:
            tables.append(_shares(study, moments, g, inside, factors[inside, g]))
    margins = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=MARGIN_COLUMNS)
    return Weights(factors, tuple(calibrations), margins)


def classes_of(study: Study, g: int, answers: NDArray[np.integer]) -> IntArray:
    """The category that answers mean in each column that a group is raked to, shape (…, columns); -1 for none.

    Parameters
    ----------
    study : Study
    g : int
        The group.
    answers : int array, shape (…, margin columns)
        As `Block.categories` has them.
    """
    margins = study.layout.margins
    columns = []
    for name in study.groups[g].margins if margins else ():
        k = next(k for k, margin in enumerate(margins) if fold(margin.name) == fold(name))
        category = np.array(margins[k].category[g], np.int64)
        columns.append(np.where(answers[:, k] >= 0, category[np.maximum(answers[:, k], 0)], -1))
    return np.array(columns, np.int64).reshape(len(columns), len(answers)).T


def _classes(study: Study, moments: Moments, g: int, inside: IntArray) -> IntArray:
    """The category of each cell in each column that the group is raked to; -1 for none."""
    cells = list(moments.cells)
    return classes_of(study, g, np.array([cells[k].classes for k in inside], np.int64).reshape(len(inside), -1))


def stratum_factors(study: Study, moments: Moments, g: int, inside: IntArray) -> FloatArray:
    """What stratum populations multiply the weights by: each stratum to its share of the group, where nothing else has.

    Exports with design weights already say what each respondent stands for.
    """
    group = study.groups[g]
    if not group.strata or any(export.weight for export in study.responses):
        return np.ones(len(inside))
    cells, sums = list(moments.cells), list(moments.cells.values())
    strata = np.array([cells[k].stratum for k in inside])
    weight = np.array([sums[k].weight for k in inside])
    size = {stratum_code(name): float(people) for name, people in group.strata.items()}
    present = {int(stratum): weight[strata == stratum].sum() for stratum in np.unique(strata)}
    people = sum(size[stratum] for stratum in present)
    return np.array([size[int(s)] / people * weight.sum() / present[int(s)] for s in strata])


def _raked(
    study: Study, moments: Moments, g: int, inside: IntArray, start: FloatArray, faults: Faults, file: str
) -> tuple[FloatArray, Calibration] | None:
    group = study.groups[g]
    sums = list(moments.cells.values())
    base = np.array([sums[k].weight for k in inside]) * start
    people = np.array([sums[k].n for k in inside])
    classes = _classes(study, moments, g, inside)
    targets = [np.array(list(margin.values()), float) for margin in group.margins.values()]
    if not _fits(group, classes, people, targets, faults, file):
        return None
    raked = rake(base, classes, targets)
    if not raked.converged:
        worst = int(raked.worst_margin)
        column = list(group.margins)[int(raked.column[worst])]
        category = list(group.margins[column])[int(raked.category[worst])]
        total = sum(group.margins[column].values())
        scale = total / base.sum()
        faults.add(
            f"groups '{group.id}': the margins cannot all be met, because some combinations of categories have no "
            f"respondents. Worst is margins.{column}, '{category}': {scale * raked.wanted[worst]:.6g} wanted, "
            f"{scale * raked.attained[worst]:.6g} reached of {total:.6g}.",
            mend=_collapse(group, column, category),
            file=file,
        )
        return None
    lost = raked.factors < NEARLY_NOTHING
    if lost.any():
        names = "; ".join(
            f"{column}: {list(margin)[k]}"
            for (column, margin), k in zip(group.margins.items(), classes[np.argmin(raked.factors)], strict=True)
            if k >= 0
        )
        faults.add(
            f"groups '{group.id}': the margins can only be met if {people[lost].sum()} respondents count for nothing "
            f"({names}).",
            mend="join categories, or leave a margin out.",
            file=file,
        )
        return None
    return raked.factors * start, Calibration(inside, projector(base, classes).basis, start)


def _fits(
    group: Group, classes: IntArray, people: IntArray, targets: list[FloatArray], faults: Faults, file: str
) -> bool:
    """Whether every wanted category has respondents and every unwanted one none; what does not fit is told."""
    fits = True
    for c, (column, margin) in enumerate(group.margins.items()):
        given = people[classes[:, c] >= 0].sum()
        if not given:
            faults.add(
                f"groups '{group.id}', margins.{column}: none of {people.sum()} respondents gives a category.",
                mend="correct the export, or leave the margin out.",
                file=file,
            )
            fits = False
            continue
        for k, (category, wanted) in enumerate(margin.items()):
            n = people[classes[:, c] == k].sum()
            total = targets[c].sum()
            if wanted and not n:
                faults.add(
                    f"groups '{group.id}', margins.{column}: nobody answered as '{category}', which should be "
                    f"{wanted:g} of {total:g}; 0 of {given} respondents.",
                    mend=_collapse(group, column, category),
                    file=file,
                )
                fits = False
            elif n and not wanted:
                faults.add(
                    f"groups '{group.id}', margins.{column}: {n} of {given} respondents answered as '{category}', "
                    f"which should be 0 of {total:g}.",
                    mend=_collapse(group, column, category),
                    file=file,
                )
                fits = False
    return fits


def _collapse(group: Group, column: str, category: str) -> str:
    """How to join a category with the largest other one."""
    margin = group.margins[column]
    others = {name: count for name, count in margin.items() if name != category}
    if not others:
        return "leave the margin out."
    other = max(others, key=lambda name: others[name])
    return (
        f"join it with another category, as in: '{other}' = {others[other] + margin[category]:g} "
        f"under margins.{column}, "
        f'\'{category}\' taken out, and categories.{column} = {{ "{category}" = "{other}" }}; or leave the margin out.'
    )


def _trimmed(bounds: tuple[float, float], moments: Moments, inside: IntArray, factors: FloatArray) -> FloatArray:
    cells, sums = list(moments.cells), list(moments.cells.values())
    people = np.array([sums[k].n for k in inside])
    design = np.array([cells[k].weight for k in inside])
    return np.asarray(trim(factors * design, people, *bounds) / design)


def _shares(study: Study, moments: Moments, g: int, inside: IntArray, factors: FloatArray) -> pd.DataFrame:
    """A group's margins as wanted, before weighting and after, among those who give a category."""
    group, sums = study.groups[g], list(moments.cells.values())
    before = np.array([sums[k].weight for k in inside])
    after = before * factors
    classes = _classes(study, moments, g, inside)
    rows = []
    for c, (column, margin) in enumerate(group.margins.items()):
        known = classes[:, c] >= 0
        for k, (category, count) in enumerate(margin.items()):
            here = classes[:, c] == k
            shares = (
                count / sum(margin.values()),
                before[here].sum() / before[known].sum(),
                after[here].sum() / after[known].sum(),
            )
            rows.append((group.id, column, category, *shares))
    return pd.DataFrame(rows, columns=MARGIN_COLUMNS)


def weights_table(study: Study, moments: Moments, weights: Weights) -> pd.DataFrame:
    """What the respondents of each group count for, by weighting cell.

    A weighting cell holds the respondents of a group who share a category in each of its margins; without raking a
    group is one cell, `all`. The sizes of cells below the study's minimum are left out, with their shares, and those of
    others from which they would follow.

    Returns
    -------
    DataFrame
        The columns of `tables/weights.csv`: group, cell, n (respondents), weight (mean), share_before and share_after
        (the cell's share of its group before and after weighting).
    """
    members = moments.members()
    sums = list(moments.cells.values())
    people = np.array([one.n for one in sums], np.int64)
    base = np.array([one.weight for one in sums])
    rows, small = [], list[np.ndarray]()
    sizes = hidden_sizes(study, members.T.astype(np.int64) @ people)
    for g, group in enumerate(study.groups):
        inside = np.flatnonzero(members[:, g])
        raked = weights.calibrations[g] is not None
        classes = _classes(study, moments, g, inside) if raked else np.zeros((len(inside), 0), np.int64)
        total = base[inside].sum()
        after = base[inside] * weights.factors[inside, g]
        cells = np.unique(classes, axis=0) if len(inside) else np.zeros((1, 0), np.int64)
        counts = np.array([people[inside][(classes == found).all(axis=1)].sum() for found in cells], np.int64)
        small.append(
            _with_others(study, counts, _sums_of(cells)) if raked and not sizes[g] else sizes[[g] * len(cells)]
        )
        for found in cells:
            here = (classes == found).all(axis=1)
            n = int(people[inside][here].sum())
            names = (
                [
                    f"{column}: {'–' if k < 0 else list(margin)[k]}"
                    for k, (column, margin) in zip(found, group.margins.items(), strict=True)
                ]
                if raked
                else []
            )
            rows.append(
                {
                    "group": group.id,
                    "cell": "; ".join(names) or "all",
                    "n": n,
                    "weight": after[here].sum() / n if n else np.nan,
                    "share_before": base[inside][here].sum() / total if n else np.nan,
                    "share_after": after[here].sum() / total if n else np.nan,
                }
            )
    table = pd.DataFrame(rows)
    left_out = np.concatenate(small)
    table["n"] = table["n"].astype("Int64").mask(left_out)
    table.loc[left_out & (table["cell"] != "all").to_numpy(), ["weight", "share_before", "share_after"]] = np.nan
    return table


def _sums_of(cells: NDArray[np.int64]) -> NDArray[np.float64]:
    """Which sums of a group's weighting cells are known: that of all, and of each category of each margin."""
    sums = [np.ones(len(cells))]
    sums.extend((cells[:, c] == k).astype(float) for c in range(cells.shape[1]) for k in np.unique(cells[:, c]))
    return np.array(sums)


def diagnostics_table(study: Study, moments: Moments, weights: Weights) -> pd.DataFrame:
    """What weighting did to each group.

    Returns
    -------
    DataFrame
        group, n, n_effective (Kish), design_effect (n over it), smallest and largest (a weighting cell's mean weight,
        as a multiple of the group's), raked. Sizes below the study's minimum are left out, with what follows from them.
    """
    members = moments.members()
    sums = list(moments.cells.values())
    people = np.array([one.n for one in sums], float)
    base, squares = (np.array([getattr(one, name) for one in sums]) for name in ("weight", "weight_squares"))
    rows = []
    for g, group in enumerate(study.groups):
        inside = members[:, g]
        n = people[inside].sum()
        total = (weights.factors[inside, g] * base[inside]).sum()
        total_squares = (weights.factors[inside, g] ** 2 * squares[inside]).sum()
        means = weights.factors[inside, g] * base[inside] / people[inside] if n else np.array([])
        rows.append(
            {
                "group": group.id,
                "n": int(n),
                "n_effective": float(effective_n(total, total_squares)),
                "design_effect": float(design_effect(total, total_squares, n)) if n else np.nan,
                "smallest": means.min() / (total / n) if n else np.nan,
                "largest": means.max() / (total / n) if n else np.nan,
                "raked": weights.calibrations[g] is not None,
            }
        )
    table = pd.DataFrame(rows)
    hidden = hidden_sizes(study, table["n"].to_numpy(np.int64))
    table["n"] = table["n"].astype("Int64").mask(hidden)
    table.loc[hidden, ["n_effective", "design_effect", "smallest", "largest"]] = np.nan
    return table
