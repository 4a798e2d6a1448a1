"""Response style as a sensitivity view: do issues rank alike when each person's own level is taken off?

Two ways to take it off: ratings less the person's mean (`centred`), and a model in which each person has a level of
his own (`leniency`). Names of issues, groups and files are unknown here.

What neither can do:

- Tell a lenient person from one to whom everything truly is important. Both rate high throughout.
- Say anything of thresholds, or of the level of a score. The level is what is taken off. Read the ranks alone.
- Change a difference between issues where answers are complete. There, a person's level enters every issue alike, and
  cancels. Both views have something to say only where answers are missing.
- See why an answer is missing. A person who rates only his favourites has a high mean because of the issues, not of
  his style. `centred` then takes off too much and draws those issues towards the others. `leniency` does so less, and
  not at all if whether an answer is missing hangs on nothing but the ratings that were given.
- Correct other styles, such as rating at the ends or in the middle of the scale.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

from materiality.responses import Block, Kind
from materiality.stats import FloatArray, mixed

BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]

LARGEST = 20_000
"""Ratings that a model is fitted to at most."""
EXACT = 1e-8
"""A residual sum of squares below this share of the total is rounding."""
SINGULAR = 1e-9
"""An eigenvalue below this, of a matrix with ones in its diagonal, is rounding."""
ROOT = 1e-12
"""The ratio of the two variances is found to this share of it."""
WIDEST = 2.0**40
"""A persons' variance so many times the residual one leaves no residual but rounding."""


def centred(block: Block, axes: Sequence[ArrayLike]) -> Block:
    """Ratings less the person's own mean over the questions of the axis that he rated.

    To score them: `moments_of(…, midpoint=0.0)` without points, then `estimate(…, low=-inf, high=inf)`. A score then
    says by how many points of the scale an issue is rated above what the same people give on average. It ranks issues.
    It has no place on the scale, and no threshold of the scale applies to it.

    Parameters
    ----------
    block : Block
    axes : sequence of int arrays
        The questions of each axis. A question of several axes is centred by the first that has it; the means are over
        all questions of an axis, those centred by another included.

    Returns
    -------
    Block
        Without a rating (NaN, `Kind.BLANK`) where a person rated fewer than two questions of the axis, and where a
        question is of no axis. Answers that were none keep their kind.

    Notes
    -----
    Where everybody rated everything, differences between the centred scores of two issues equal those between their
    scores. Where not, a person counts in an issue with what he thinks of it relative to the issues that he rated: who
    rated only favourites counts there as if they were middling.

    References
    ----------
    Fischer (2004), Standardization to account for cross-cultural response bias, Journal of Cross-Cultural Psychology
    35(3), on ipsative scores and what they cannot show.

    Examples
    --------
    >>> from dataclasses import fields
    >>> rows = {field.name: np.zeros((2, 3)) for field in fields(Block)}
    >>> ratings = np.array([[5.0, 4.0, 3.0], [np.nan, 2.0, 1.0]])
    >>> answers = Block(**rows | {"ratings": ratings, "kinds": np.where(np.isnan(ratings), Kind.BLANK, Kind.RATING)})
    >>> centred(answers, [[0, 1, 2]]).ratings.tolist()
    [[1.0, 0.0, -1.0], [nan, 0.5, -0.5]]
    """
    rated = block.kinds == Kind.RATING
    ratings = np.full(block.ratings.shape, np.nan)
    done = np.zeros(block.ratings.shape[1], np.bool_)
    for axis in axes:
        questions = np.unique(np.asarray(axis, np.int64))
        here = rated[:, questions]
        n = here.sum(axis=1, keepdims=True)
        mean = np.where(here, block.ratings[:, questions], 0.0).sum(axis=1, keepdims=True) / np.maximum(n, 1)
        new = ~done[questions]
        less = np.where(here & (n > 1), block.ratings[:, questions] - mean, np.nan)
        ratings[:, questions[new]] = less[:, new]
        done[questions] = True
    lost = rated & np.isnan(ratings)
    return replace(block, ratings=ratings, kinds=np.where(lost, Kind.BLANK, block.kinds).astype(block.kinds.dtype))


class NoFit(StrEnum):
    """Why there is no model."""

    TOO_FEW = "too few people rated two or more of the same questions"
    APART = "questions and groups cannot be told apart: some questions were rated in some groups only"
    NO_RESIDUAL = "every rating is its question's level plus its person's, with nothing left over"


@dataclass(frozen=True)
class Leniency:
    """A model of ratings as the question's level plus the person's plus the rest.

    Attributes
    ----------
    effects : float array, shape (questions,)
        Adjusted means, in points of the scale: what a person of average leniency and of the average membership in
        groups would give. NaN where nobody rated, and everywhere without a fit. They may lie off the scale.
    covariance : float array, shape (questions, questions)
        Of the effects, in squared points; it takes the variances as known.
    person_variance : float
        Variance of the persons' levels within groups, the leniency; 0 where persons differ by no more than chance.
    residual_variance : float
        Of the ratings around the question's and the person's level.
    intraclass : float
        The persons' share of the two variances, from 0 to 1.
    ratings, respondents : int
        How many enter the fit.
    left_out : int
        Respondents with ratings who were left out to keep the fit small.
    trouble : NoFit or None
        Why there is no fit.
    """

    effects: FloatArray
    covariance: FloatArray
    person_variance: float
    residual_variance: float
    intraclass: float
    ratings: int
    respondents: int
    left_out: int
    trouble: NoFit | None

    @property
    def converged(self) -> bool:
        """Whether there is a fit. Its search closes in on a bracket, and so cannot stop short."""
        return self.trouble is None

    @property
    def std_error(self) -> FloatArray:
        """Standard errors of the effects, in points of the scale."""
        return np.sqrt(np.diag(self.covariance))


def leniency(
    ratings: ArrayLike, members: ArrayLike, *, keys: ArrayLike | None = None, largest: int = LARGEST
) -> Leniency:
    """Adjusted means of questions, and how much of the ratings is the persons' own level.

    rating_ij = question_j + Σ group_g over the groups g of person i + b_i + e_ij, with b_i and e_ij normal and
    independent, by restricted maximum likelihood. Only what all persons have in common is returned, no person's b_i.

    Design weights are not used, and groups do not count alike: where answers are complete, a difference between two
    questions is that of the plain means over all persons. So compare it with unweighted means, or give it one group
    at a time.

    Parameters
    ----------
    ratings : float array, shape (rows, questions)
        The questions of one axis; NaN where there is no rating.
    members : bool array, shape (rows, groups)
        Rows without a group are left out. The effects of a person's groups add up.
    keys : uint64 array, shape (rows,), optional
        What tells respondents apart, such as `Block.identity`; 0 for none. Only who is left out hangs on it.
    largest : int
        Ratings to fit at most. Of more, respondents are taken in the order of a hash of their key (of their row, where
        they have none) as long as their ratings fit. The same data give the same choice.

    Returns
    -------
    Leniency

    Raises
    ------
    ValueError
        If the arrays do not have the same rows, or a rating is infinite.

    Notes
    -----
    For a given ratio of the two variances, effects and residual variance have closed forms; the ratio is where the
    slope of the restricted log-likelihood crosses zero. Where it falls from the start, the persons' variance is zero
    and least squares is the fit. Equal to R's `lme4::lmer` and `nlme::lme`. Statsmodels' `MixedLM` has the same
    likelihood; its searches by gradient at times stop short of the top, most where the persons' variance is small.

    Where answers are missing at random given those that were made, the effects estimate what complete answers would
    give. Where persons skip what they think little of, they do not.

    References
    ----------
    Patterson and Thompson (1971), Recovery of inter-block information when block sizes are unequal, Biometrika 58(3).
    Laird and Ware (1982), Random-effects models for longitudinal data, Biometrics 38(4). Rubin (1976), Inference and
    missing data, Biometrika 63(3).

    Examples
    --------
    >>> found = leniency([[5, 4, 4], [4, 2, 3], [3, 3, 1], [np.nan, 4, 5]], np.ones((4, 1), bool))
    >>> found.effects.round(2).tolist(), round(found.intraclass, 2), found.converged
    ([4.33, 3.25, 3.25], 0.64, True)
    """
    table, groups = np.asarray(ratings, float), np.asarray(members, bool)
    if table.ndim != 2 or groups.ndim != 2 or len(table) != len(groups):
        raise ValueError(f"ratings and members need the same rows, got the shapes {table.shape} and {groups.shape}")
    if np.isinf(table).any():
        raise ValueError("ratings must be finite, or NaN for none")
    asked = np.flatnonzero(groups.any(axis=1) & ~np.isnan(table).all(axis=1))
    rows = asked[_chosen(np.isfinite(table[asked]).sum(axis=1), _hashed(asked, keys, len(table)), largest)]
    rated = np.isfinite(table[rows])
    present = np.flatnonzero(rated.any(axis=0))
    person, question = np.nonzero(rated[:, present])
    y = table[rows[person], present[question]]
    level = float(y.mean()) if len(y) else 0.0
    x = np.hstack([np.eye(len(present))[question], _independent(groups[rows])[person]])
    fit = _trouble(x, y - level, person, question) or _fitted(x, y - level, person)
    effects, covariance = np.full(table.shape[1], np.nan), np.full((table.shape[1],) * 2, np.nan)
    variances = (float("nan"),) * 3
    if isinstance(fit, _Fit):
        k = len(present)
        effects[present] = level + fit.effects[:k]
        covariance[np.ix_(present, present)] = fit.covariance[:k, :k]
        variances = fit.person, fit.residual, fit.person / (fit.person + fit.residual)
    return Leniency(
        effects=effects,
        covariance=covariance,
        person_variance=variances[0],
        residual_variance=variances[1],
        intraclass=variances[2],
        ratings=len(y),
        respondents=len(rows),
        left_out=len(asked) - len(rows),
        trouble=fit if isinstance(fit, NoFit) else None,
    )


@dataclass(frozen=True)
class _Fit:
    """Fixed effects with their covariance, and the two variances."""

    effects: FloatArray
    covariance: FloatArray
    person: float
    residual: float


def _hashed(rows: IntArray, keys: ArrayLike | None, n: int) -> NDArray[np.uint64]:
    """A hash of the rows' keys; of their places where they have none."""
    given = np.zeros(n, np.uint64) if keys is None else np.asarray(keys).astype(np.uint64)
    if given.shape != (n,):
        raise ValueError(f"keys need the shape ({n},), got {given.shape}")
    return mixed(np.where(given == 0, np.arange(n, dtype=np.uint64), given)[rows])


def _chosen(sizes: IntArray, hashes: NDArray[np.uint64], largest: int) -> BoolArray:
    """Whom to keep: everybody, or as many as fit, in the order of their hash."""
    order = np.lexsort((np.arange(len(sizes)), hashes))
    chosen = np.zeros(len(sizes), np.bool_)
    chosen[order] = np.cumsum(sizes[order]) <= largest
    return chosen


def _independent(members: BoolArray) -> FloatArray:
    """Membership less its mean, in those groups that add something to the ones before."""
    table = members - members.mean(axis=0) if len(members) else members.astype(float)
    kept: list[int] = []
    for g in range(table.shape[1]):
        if np.linalg.matrix_rank(table[:, [*kept, g]]) > len(kept):
            kept.append(g)
    return table[:, kept]


def _trouble(x: FloatArray, y: FloatArray, person: IntArray, question: IntArray) -> NoFit | None:
    """What stands in the way of the model."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    if not len(y):
        return NoFit.TOO_FEW
    length = np.sqrt((x**2).sum(axis=0))
    if np.linalg.eigvalsh(x.T @ x / np.outer(length, length))[0] < SINGULAR:
        return NoFit.APART
    persons, questions = int(person.max()) + 1, int(question.max()) + 1
    size = persons + questions
    linked = coo_array((np.ones(len(y)), (person, persons + question)), shape=(size, size))
    parts = int(connected_components(linked, directed=False)[0])
    within, between = len(y) - size + parts, size - parts - x.shape[1]
    if within < 1 or between < 1:
        return NoFit.TOO_FEW
    n = np.bincount(person)
    around = np.column_stack([np.eye(questions)[question], y])
    total = float(around[:, -1] @ around[:, -1])
    for column in range(around.shape[1]):
        around[:, column] -= (np.bincount(person, around[:, column]) / n)[person]
    products = around.T @ around
    effects = np.linalg.lstsq(products[:-1, :-1], products[:-1, -1])[0]
    left = float(products[-1, -1] - products[-1, :-1] @ effects)
    return NoFit.NO_RESIDUAL if left <= EXACT * total else None


def _fitted(x: FloatArray, y: FloatArray, person: IntArray) -> _Fit | NoFit:
    """The model by restricted maximum likelihood, profiled down to the ratio of the two variances."""
    n = np.bincount(person)
    sums = np.zeros((len(n), x.shape[1]))
    np.add.at(sums, person, x)
    products, with_y, of_y = x.T @ x, x.T @ y, np.bincount(person, y)

    def at(ratio: float) -> tuple[_Fit, float]:
        """Generalised least squares at a ratio, and twice the slope of the restricted log-likelihood there."""
        one = 1 / (1 + n * ratio)
        shrunk = (ratio * one)[:, None] * sums
        inverse = np.linalg.inv(products - sums.T @ shrunk)
        effects = inverse @ (with_y - shrunk.T @ of_y)
        left = y - x @ effects
        by_person = np.bincount(person, left)
        residual = float(left @ left - ratio * (one * by_person**2).sum()) / (len(y) - x.shape[1])
        slope = ((one * by_person) ** 2).sum() / residual - (n * one).sum()
        slope += (one[:, None] ** 2 * (sums @ inverse) * sums).sum()
        return _Fit(effects, residual * inverse, ratio * residual, residual), float(slope)

    low, high = 0.0, 1.0
    fit, slope = at(low)
    if slope <= 0:
        return fit
    fit, beyond = at(high)
    while beyond > 0:
        low, high, slope = high, 2 * high, beyond
        if high > WIDEST:
            return NoFit.NO_RESIDUAL
        fit, beyond = at(high)
    # false position with Illinois' rule (Dowell and Jarratt 1971); scipy.optimize costs half a second to import
    side = 0
    while high - low > ROOT * high and beyond < 0:
        middle = low + (high - low) * slope / (slope - beyond)
        if not low < middle < high:
            return fit
        fit, there = at(middle)
        if there > 0:
            low, slope = middle, there
            beyond /= 2 if side > 0 else 1
            side = 1
        else:
            high, beyond = middle, there
            slope /= 2 if side < 0 else 1
            side = -1
    return fit
