"""Weights of one group raked to known margins, on weighting cells. Names of groups and categories are unknown here.

A weighting cell holds the respondents who share a category in every margin column. Respondents with class −1 in a
column, whose category there is unknown, form an extra category of that column that keeps its share of the sample.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from materiality.stats import FloatArray, effective_n

IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
TOLERANCE = 1e-10
"""Relative distance at which a margin counts as met."""
SWEEPS = 200
"""Sweeps of proportional fitting and steps of Newton's method together."""
FITTING_SWEEPS = 25
"""Sweeps after which proportional fitting is slow, and Newton's method takes over."""
SINGULAR = 1e-13
"""Eigenvalues below this share of the largest belong to margins that repeat each other."""
PROOF = 1e-9
"""Gap, relative to the numbers it is between, that rounding does not make."""
VANISHED = 1e-280
"""Shares below this count as none, so that no quotient overflows."""


@dataclass(frozen=True)
class Raked:
    """Factors that rake a group's design weights, and how near its margins they come.

    The shapes are those of one vector of weights; with replicates every array but `column` and `category` has their
    axis last.

    Attributes
    ----------
    factors : float array, shape (cells,)
        What the design weights of a cell's respondents are multiplied by; 0 in a category whose wanted total is 0;
        1 in a cell without weight. The raked weights have the same total as the design weights.
    column, category : int arrays, shape (margins,)
        The categories of all columns in a row; category −1 is the share that a column keeps.
    wanted, attained : float arrays, shape (margins,)
        Totals of raked weights, on the scale of the design weights.
    distance : float array, shape (margins,)
        Between wanted and attained, relative to the larger of the two: from 0 (met) to 1 (nobody there, or nobody
        wanted there).
    sweeps : int array, shape ()
        Sweeps and steps taken; 0 where the design weights meet the margins.
    converged : bool array, shape ()
        Whether every distance is within the tolerance.
    """

    factors: FloatArray
    column: IntArray
    category: IntArray
    wanted: FloatArray
    attained: FloatArray
    distance: FloatArray
    sweeps: IntArray
    converged: BoolArray

    @property
    def worst(self) -> FloatArray:
        """The largest distance; 0 without margins."""
        return np.asarray(self.distance.max(axis=0, initial=0.0))

    @property
    def worst_margin(self) -> IntArray:
        """The place, among the margins, of the largest distance.

        Raises
        ------
        ValueError
            Without margins.
        """
        return np.asarray(self.distance.argmax(axis=0))


@dataclass(frozen=True)
class MarginShares:
    """A group's shares by category, as wanted, before raking and after.

    Attributes
    ----------
    column, category : int arrays, shape (margins,)
        Category −1 is the share that a column keeps.
    wanted, before, after : float arrays, shape (margins,) or (margins, replicates)
        Each column's shares sum to 1; those before and after are NaN where the group has no weight.
    """

    column: IntArray
    category: IntArray
    wanted: FloatArray
    before: FloatArray
    after: FloatArray


@dataclass(frozen=True)
class Projector:
    """Least squares on the margins' dummies, weighted by the design weights.

    Attributes
    ----------
    basis : float array, shape (cells, rank)
        B with B Bᵀ = X (XᵀWX)⁺ Xᵀ; 0 in cells without weight.
    """

    basis: FloatArray

    @property
    def rank(self) -> int:
        """Coefficients that are free: what raking takes from the degrees of freedom."""
        return self.basis.shape[1]

    @property
    def leverage(self) -> FloatArray:
        """X_c (XᵀWX)⁺ X_cᵀ by cell; respondent i of the cell has the leverage w_i times this."""
        return np.asarray((self.basis**2).sum(axis=1))

    def fitted(self, totals: ArrayLike) -> FloatArray:
        """Each cell's fitted value of variables known by their weighted totals.

        Parameters
        ----------
        totals : float array, shape (cells, variables) or (cells,)
            Sums over the cell of design weight × variable.

        Returns
        -------
        float array of that shape
            In units of the variable; what a respondent's residual is taken from. 0 in cells without weight.
        """
        return np.asarray(self.basis @ (self.basis.T @ np.asarray(totals, float)))


@dataclass(frozen=True)
class _Margins:
    """The categories of all columns in a row, and the cells in each."""

    column: IntArray
    category: IntArray
    incidence: FloatArray
    codes: IntArray
    columns: tuple[slice, ...]


def _lay_out(classes: IntArray, sizes: Sequence[int]) -> _Margins:
    """Margins of columns with so many categories each; the kept share comes last, where there is one."""
    column, category, spans = [], [], []
    codes = np.empty(classes.shape, np.int64)
    start = 0
    for c, size in enumerate(sizes):
        kept = bool((classes[:, c] == -1).any())
        spans.append(slice(start, start + size + kept))
        codes[:, c] = start + np.where(classes[:, c] == -1, size, classes[:, c])
        category += [*range(size), *([-1] if kept else [])]
        column += [c] * (size + kept)
        start += size + kept
    incidence = np.zeros((len(classes), start))
    for c in range(len(sizes)):
        incidence[np.arange(len(classes)), codes[:, c]] = 1.0
    return _Margins(np.array(column, np.int64), np.array(category, np.int64), incidence, codes, tuple(spans))


def _checked(
    base: ArrayLike, classes: ArrayLike, targets: Sequence[ArrayLike]
) -> tuple[FloatArray, IntArray, list[FloatArray]]:
    """The inputs as arrays; ValueError where they cannot be margins of these cells."""
    base, goals = np.asarray(base, float), [np.asarray(target, float) for target in targets]
    classes = _checked_classes(classes)
    if base.ndim not in (1, 2) or len(base) != len(classes):
        raise ValueError(f"base has shape {base.shape}, but there are {len(classes)} cells")
    _check_sums(base)
    if len(goals) != classes.shape[1]:
        raise ValueError(f"{len(goals)} columns have targets, but {classes.shape[1]} have classes")
    for c, goal in enumerate(goals):
        if goal.ndim != 1 or not (np.isfinite(goal) & (goal >= 0)).all() or not goal.sum() > 0:
            raise ValueError(f"column {c}: wanted totals must be finite, at least 0, and not all 0")
        if classes[:, c].max(initial=-1) >= len(goal):
            raise ValueError(f"column {c}: a class is beyond its {len(goal)} categories")
    return base, classes, goals


def _check_sums(base: FloatArray) -> None:
    if not (np.isfinite(base) & (base >= 0)).all():
        raise ValueError("a sum of design weights is negative or not finite")


def _checked_classes(classes: ArrayLike) -> IntArray:
    classes = np.asarray(classes)
    if classes.ndim != 2 or (classes.size and not np.issubdtype(classes.dtype, np.integer)):
        raise ValueError("classes must be integers, shape (cells, columns)")
    if (classes < -1).any():
        raise ValueError("a class is below −1")
    return classes.astype(np.int64)


def _quotient(top: FloatArray, bottom: FloatArray, otherwise: float) -> FloatArray:
    top, bottom = np.broadcast_arrays(top, bottom)
    return np.divide(top, bottom, out=np.full(top.shape, otherwise), where=bottom > VANISHED)


def _wanted_shares(shares: FloatArray, margins: _Margins, goals: list[FloatArray]) -> FloatArray:
    """Shares by margin and replicate: the kept ones as in the sample, the categories' scaled to what is left."""
    wanted = margins.incidence.T @ shares
    known = shares.sum(axis=0) > 0
    for span, goal in zip(margins.columns, goals, strict=True):
        left = np.where(known, wanted[span][: len(goal)].sum(axis=0), 1.0)
        wanted[span][: len(goal)] = goal[:, None] / goal.sum() * left
    return wanted


def _distance(wanted: FloatArray, attained: FloatArray) -> FloatArray:
    return _quotient(np.abs(attained - wanted), np.maximum(attained, wanted), 0.0)


def _sweep(shares: FloatArray, aim: FloatArray, margins: _Margins) -> FloatArray:
    """One round of proportional fitting, column by column."""
    for c, span in enumerate(margins.columns):
        ratio = np.zeros_like(aim)
        ratio[span] = _quotient(aim[span], margins.incidence[:, span].T @ shares, 0.0)
        shares = shares * ratio[margins.codes[:, c]]
    return shares


def _newton_step(
    shares: FloatArray, live: BoolArray, aim: FloatArray, margins: _Margins
) -> tuple[FloatArray, BoolArray]:
    """One damped step of Newton's method on the dual, sum p exp(Xλ) − aimᵀλ, and whether it proves a contradiction.

    With D the largest change of a cell's log share, the step log(1 + D)/D always lowers the dual, whose third
    derivative is at most D times its second (Bach 2010); near the solution it tends to a full step.

    Shares that meet the margins make aimᵀλ a mean of (Xλ) over the cells with weight, whatever λ is. A λ for which
    aimᵀλ is above all of these proves that there are no such shares (Farkas).
    """
    x = margins.incidence
    scale = np.sqrt(_quotient(np.ones_like(aim), aim, 0.0)).T
    gradient = (aim - x.T @ shares).T * scale
    curvature = np.empty((shares.shape[1], len(aim), len(aim)))
    for k in range(len(aim)):
        inside = x[:, k] > 0
        curvature[:, k, :] = shares[inside].T @ x[inside]
    curvature *= scale[:, :, None] * scale[:, None, :]
    inverse = np.linalg.pinv(curvature, rcond=SINGULAR, hermitian=True)
    direction = ((inverse @ gradient[:, :, None])[:, :, 0] * scale).T
    change = np.where(live, x @ direction, 0.0)
    reach = np.abs(change).max(axis=0)
    highest = np.where(live, change, -np.inf).max(axis=0)
    contradiction = (aim * direction).sum(axis=0) - highest > PROOF * np.abs(direction).max(axis=0)
    stepped = shares * np.exp(change * _quotient(np.log1p(reach), reach, 1.0))
    return stepped / stepped.sum(axis=0), contradiction


def rake(
    base: ArrayLike,
    classes: ArrayLike,
    targets: Sequence[ArrayLike],
    tolerance: float = TOLERANCE,
    sweeps: int = SWEEPS,
) -> Raked:
    """Factors by which design weights meet every margin, nearest to 1 in the sense of Kullback and Leibler.

    Proportional fitting meets the columns' margins in turn. Where that is slow, Newton's method on the dual problem
    finishes; both have the same solution, in which a cell's factor is a product of one number per category.

    The raked weights of the group have the same total as its design weights; raking to a population's totals differs
    by that scale alone.

    Parameters
    ----------
    base : float array, shape (cells,) or (cells, replicates)
        Sums of design weights; 0 for a cell without respondents. Every replicate is raked by itself.
    classes : int array, shape (cells, columns)
        Category by margin column; −1 for respondents who keep their share of that column's weight, to which the
        other categories' totals are scaled.
    targets : sequence of float arrays, one per column, shape (categories,)
        Wanted totals; only their ratios within the column count.
    tolerance : float
        Largest relative distance from a margin that counts as met.
    sweeps : int
        At most so many sweeps and steps.

    Returns
    -------
    Raked
        A category that is wanted but has nobody (with weight) is at distance 1; the column's other categories then
        share the total in their wanted ratios. Margins that contradict the cells without respondents do not converge
        either, which most often is proved after a few steps; the nearest factors found are returned. Margins that
        can be met only by a cell's share of 0 are met in the limit: its factor is nearly 0. Where nobody is in a
        wanted category of every column at once, all factors are 1. A column in which everybody keeps their share asks
        for nothing.

    Raises
    ------
    ValueError
        If shapes differ, a sum or a wanted total is negative or not finite, a column's wanted totals are all 0, or a
        class has no wanted total.

    References
    ----------
    Deming and Stephan (1940), On a least squares adjustment of a sampled frequency table when the expected marginal
    totals are known, Annals of Mathematical Statistics 11(4). Deville and Särndal (1992), Calibration estimators in
    survey sampling, JASA 87(418). Deville, Särndal and Sautory (1993), Generalized raking procedures in survey
    sampling, JASA 88(423). Bach (2010), Self-concordant analysis for logistic regression, Electronic Journal of
    Statistics 4, for the damping.

    Examples
    --------
    Six of ten respondents are women; half should be.

    >>> rake([6.0, 4.0], [[0], [1]], [[0.5, 0.5]]).factors.round(4).tolist()
    [0.8333, 1.25]
    """
    base, classes, goals = _checked(base, classes, targets)
    replicates = base.shape[1:]
    base = base.reshape(len(base), -1)
    margins = _lay_out(classes, [len(goal) for goal in goals])
    x = margins.incidence
    total = base.sum(axis=0)
    start = _quotient(base, total, 0.0)
    wanted = _wanted_shares(start, margins, goals)
    # whoever is in a category that nobody should be in gets no weight
    live = np.where(x @ (wanted == 0) > 0, 0.0, start)
    aim = np.where(x.T @ live > 0, wanted, 0.0)
    for span in margins.columns:
        aim[span] = _quotient(aim[span], aim[span].sum(axis=0), 0.0)

    nobody = live.sum(axis=0) == 0
    hopeless = nobody.copy()
    nearest = np.where(nobody, start, _quotient(live, live.sum(axis=0), 0.0))
    worst = _distance(aim, x.T @ nearest).max(axis=0, initial=0.0)
    shares = nearest.copy()
    taken = np.zeros(len(total), np.int64)
    for turn in range(sweeps):
        left = np.flatnonzero((worst > tolerance) & ~hopeless)
        if not len(left):
            break
        if turn < FITTING_SWEEPS:
            shares[:, left] = _sweep(shares[:, left], aim[:, left], margins)
        else:
            shares[:, left], hopeless[left] = _newton_step(shares[:, left], live[:, left] > 0, aim[:, left], margins)
        reached = _distance(aim[:, left], x.T @ shares[:, left]).max(axis=0)
        better = left[reached < worst[left]]
        nearest[:, better], worst[better] = shares[:, better], reached[reached < worst[left]]
        taken[left] += 1

    nearest = _quotient(nearest, nearest.sum(axis=0), 0.0)
    attained = x.T @ nearest
    distance = _distance(wanted, attained)
    return Raked(
        factors=_quotient(nearest, start, 1.0).reshape(-1, *replicates),
        column=margins.column,
        category=margins.category,
        wanted=(wanted * total).reshape(-1, *replicates),
        attained=(attained * total).reshape(-1, *replicates),
        distance=distance.reshape(-1, *replicates),
        sweeps=taken.reshape(replicates),
        converged=(distance.max(axis=0, initial=0.0) <= tolerance).reshape(replicates),
    )


def trim(weights: ArrayLike, respondents: ArrayLike, low: float, high: float) -> FloatArray:
    """Weights cut to bounds, and what was cut spread over the other respondents.

    Weights outside the bounds are cut to them; what that takes from (or adds to) the total is given to (or taken
    from) the respondents not cut, the same amount each; and so on until all weights are within. Where everybody was
    cut, those who have room left share it.

    Parameters
    ----------
    weights : float array, shape (cells,)
        The weight of each respondent of the cell, on any scale.
    respondents : array, shape (cells,)
        How many share it; a cell with none keeps its weight.
    low, high : float
        Bounds, as multiples of the mean weight.

    Returns
    -------
    float array, shape (cells,)
        On the scale of `weights`, with the same total over the respondents.

    Raises
    ------
    ValueError
        If the mean, 1, is outside the bounds, or a weight or a number of respondents is negative or not finite.

    References
    ----------
    Lumley (2010), Complex Surveys: A Guide to Analysis Using R, chapter 7; `trimWeights(strict = TRUE)` of its
    package. Kish (1992), Weighting for unequal Pi, J. Official Statistics 8(2).

    Examples
    --------
    >>> trim([1.0, 1.0, 4.0], [2, 1, 1], 0.5, 2.0).round(4).tolist()
    [1.1667, 1.1667, 3.5]
    """
    weights, respondents = np.asarray(weights, float), np.asarray(respondents, float)
    if not low <= 1 <= high:
        raise ValueError(f"the mean weight, 1, is outside the bounds {low:g} to {high:g}")
    if weights.ndim != 1 or weights.shape != respondents.shape:
        raise ValueError(f"weights have shape {weights.shape}, respondents {respondents.shape}")
    if not (np.isfinite(respondents) & (respondents >= 0)).all():
        raise ValueError("a number of respondents is negative or not finite")
    there = respondents > 0
    if not (np.isfinite(weights[there]) & (weights[there] >= 0)).all():
        raise ValueError("a weight is negative or not finite")
    out = weights.copy()
    if not weights[there].any():
        return out
    n = respondents[there]
    mean = weights[there] @ n / n.sum()
    floor, ceiling = low * mean, high * mean
    found = weights[there]
    while ((found < floor) | (found > ceiling)).any():
        cut = np.clip(found, floor, ceiling)
        over = (found - cut) @ n
        room = cut < ceiling if over > 0 else cut > floor
        takers = room & (cut == found) if (room & (cut == found)).any() else room
        found = cut
        if over == 0 or not takers.any():
            break
        found = np.where(takers, cut + over / n[takers].sum(), cut)
    out[there] = found
    return out


def margins_met(before: ArrayLike, after: ArrayLike, classes: ArrayLike, targets: Sequence[ArrayLike]) -> MarginShares:
    """Shares of every category before and after weighting, beside those wanted.

    Parameters
    ----------
    before, after : float arrays of one shape, (cells,) or (cells, replicates)
        Sums of the design weights, and of the raked or trimmed ones.
    classes, targets
        As for `rake`.

    Returns
    -------
    MarginShares
        A share that a column keeps is wanted as it is before.

    Raises
    ------
    ValueError
        As for `rake`.

    Examples
    --------
    >>> shares = margins_met([6.0, 4.0], [5.0, 5.0], [[0], [1]], [[0.5, 0.5]])
    >>> shares.before.tolist(), shares.after.tolist()
    ([0.6, 0.4], [0.5, 0.5])
    """
    before, codes, goals = _checked(before, classes, targets)
    after, _, _ = _checked(after, classes, targets)
    if before.shape != after.shape:
        raise ValueError(f"before has shape {before.shape}, after {after.shape}")
    replicates = before.shape[1:]
    margins = _lay_out(codes, [len(goal) for goal in goals])
    old, new = (
        _quotient(sums.reshape(len(sums), -1), sums.reshape(len(sums), -1).sum(axis=0), np.nan)
        for sums in (before, after)
    )
    return MarginShares(
        column=margins.column,
        category=margins.category,
        wanted=_wanted_shares(old, margins, goals).reshape(-1, *replicates),
        before=(margins.incidence.T @ old).reshape(-1, *replicates),
        after=(margins.incidence.T @ new).reshape(-1, *replicates),
    )


def empty_categories(base: ArrayLike, classes: ArrayLike, targets: Sequence[ArrayLike]) -> list[tuple[int, ...]]:
    """Categories that are wanted, but have nobody with weight.

    Parameters
    ----------
    base, classes, targets
        As for `rake`.

    Returns
    -------
    list of tuples
        (column, category), or (column, category, replicate) where base has replicates; in that order.

    Raises
    ------
    ValueError
        As for `rake`.

    Examples
    --------
    >>> empty_categories([6.0, 4.0], [[0], [1]], [[0.4, 0.4, 0.2]])
    [(0, 2)]
    """
    base, classes, goals = _checked(base, classes, targets)
    margins = _lay_out(classes, [len(goal) for goal in goals])
    there = margins.incidence.T @ base > 0
    found: list[tuple[int, ...]] = []
    for c, (span, goal) in enumerate(zip(margins.columns, goals, strict=True)):
        absent = ~there[span][: len(goal)]
        wanted = (goal > 0).reshape(-1, *[1] * (base.ndim - 1))
        found += [(c, *map(int, place)) for place in np.argwhere(absent & wanted)]
    return found


def design_effect(total: ArrayLike, total_of_squares: ArrayLike, n: ArrayLike) -> FloatArray:
    """Kish's design effect of weighting, n sum w² / (sum w)² = 1 + CV², from the sums.

    By how much unequal weights that have nothing to do with the answers raise the variance of a mean.

    Parameters
    ----------
    total, total_of_squares : float arrays of one shape
        Sums of the weights and of their squares; weights on any scale.
    n : array of that shape
        Respondents.

    Returns
    -------
    float array of that shape
        At least 1; NaN where nobody has weight.

    References
    ----------
    Kish (1965), Survey Sampling, section 11.7. Kish (1992), Weighting for unequal Pi, J. Official Statistics 8(2).

    Examples
    --------
    >>> float(design_effect(3.0 + 1.0, 3.0**2 + 1.0**2, 2))
    1.25
    """
    effective = effective_n(total, total_of_squares)
    return _quotient(np.asarray(n, float), effective, np.nan)


def projector(base: ArrayLike, classes: ArrayLike) -> Projector:
    """Least squares on the margins' dummies, weighted by the design weights.

    For the variance of a raked estimate its linearised variable is replaced by the residual on the margins. The
    regressors are the dummies of every column's categories, the kept share's included. Dummies of different columns
    repeat each other (each column's sum to 1); the rank is found from the cells that have weight.

    Parameters
    ----------
    base : float array, shape (cells,)
        Sums of design weights.
    classes : int array, shape (cells, columns)
        As for `rake`.

    Returns
    -------
    Projector
        Of rank 0, with fitted values 0, without columns or without weight.

    Raises
    ------
    ValueError
        If shapes differ or a sum is negative or not finite.

    References
    ----------
    Deville and Särndal (1992), Calibration estimators in survey sampling, JASA 87(418). Lumley (2010),
    Complex Surveys: A Guide to Analysis Using R, chapter 7.

    Examples
    --------
    With one column the fitted values are the cells' means.

    >>> found = projector([6.0, 4.0], [[0], [1]])
    >>> found.fitted([12.0, 20.0]).round(4).tolist(), found.rank
    ([2.0, 5.0], 2)
    """
    base, classes = np.asarray(base, float), _checked_classes(classes)
    if base.shape != (len(classes),):
        raise ValueError(f"base has shape {base.shape}, but there are {len(classes)} cells")
    _check_sums(base)
    x = _lay_out(classes, (classes.max(axis=0, initial=-1) + 1).tolist()).incidence
    there = base > 0
    # the dummies alone tell the rank; weights of very different size would blur it
    rank = int(np.linalg.matrix_rank(x[there])) if x[there].size else 0
    basis = np.zeros((len(base), rank))
    if rank:
        root = np.sqrt(base[there])
        scaled = root[:, None] * x[there]
        length = np.sqrt((scaled**2).sum(axis=0))
        left, _, _ = np.linalg.svd(scaled[:, length > 0] / length[length > 0], full_matrices=False)
        basis[there] = left[:, :rank] / root[:, None]
    return Projector(basis)
