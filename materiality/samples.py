"""What the moments say of each group: weighted means, counts, variances of the ratings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from materiality.moments import Moments
from materiality.responses import Kind
from materiality.stats import effective_n
from materiality.weights import Calibration, Weights

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class StandIn:
    """What stands for means of groups that must not be told, or not exactly (`protection.protected`).

    Attributes
    ----------
    cells : bool array, shape (groups, questions)
        Means that something stands for; `Sample.means` has it, and `Sample.n` the size that it counts as.
    hidden : bool array, shape (groups, questions)
        Means of which nothing is told. A part of `cells`, and those that were left out altogether besides.
    told : float array, shape (groups, questions)
        Means as they are told; NaN where nothing is.
    variance : float array, shape (questions,)
        Of one rating, in squared points; NaN where nothing is known.
    df : float array, shape (questions,)
        Degrees of freedom of that.
    missing : float array, shape (groups, questions)
        Share of the group without a rating, for `cells`.
    """

    cells: NDArray[np.bool_]
    hidden: NDArray[np.bool_]
    told: FloatArray
    variance: FloatArray
    df: FloatArray
    missing: FloatArray


@dataclass(frozen=True)
class Sample:
    """What the moments say of each group, question by question.

    Attributes
    ----------
    moments : Moments
    members : bool array, shape (cells, groups)
    means : float array, shape (groups, questions)
        Weighted means on the scale; NaN where nobody rated.
    weights : float array, shape (groups, questions)
        Sums of the weights of those who rated.
    n : int array, shape (groups, questions)
        Who rated.
    effective : float array, shape (groups, questions)
        Kish's effective n of those.
    kinds : int array, shape (groups, questions, kinds)
        Answers of each `Kind`.
    points : int array, shape (groups, questions, points)
        Ratings at each point of the scale.
    respondents : int array, shape (groups,)
        Everybody kept, raters or not.
    factors : float array, shape (cells, groups)
        What raking multiplies the design weights of each cell by, within each group.
    calibrations : tuple of Calibration or None, by group
    stand_in : StandIn or None
        For means that must not be told; None where all may be.
    """

    moments: Moments
    members: NDArray[np.bool_]
    means: FloatArray
    weights: FloatArray
    n: IntArray
    effective: FloatArray
    kinds: IntArray
    points: IntArray
    respondents: IntArray
    factors: FloatArray
    calibrations: tuple[Calibration | None, ...]
    stand_in: StandIn | None = None

    @property
    def hidden(self) -> NDArray[np.bool_]:
        """Means of which nothing may be told, shape (groups, questions)."""
        return np.zeros(self.n.shape, np.bool_) if self.stand_in is None else self.stand_in.hidden

    @property
    def closed(self) -> NDArray[np.bool_]:
        """Means of which no more than the mean may be told, and perhaps not even that, shape (groups, questions)."""
        return self.hidden if self.stand_in is None else self.stand_in.cells | self.stand_in.hidden

    @property
    def scale(self) -> float:
        """The largest distance of a group mean from the scale's midpoint: what rounding is measured by."""
        return float(np.nanmax(np.abs(self.means - self.moments.midpoint), initial=1.0))


def summarise(moments: Moments, weighting: Weights | None = None) -> Sample:
    """Group means and counts.

    Group mean ȳ_gj = Σ w_i r_ij y_ij / Σ w_i r_ij over the respondents i of group g, w the raked weights.

    Parameters
    ----------
    moments : Moments
    weighting : Weights, optional
        What multiplies the design weights; without it they stand.
    """
    q, cells = moments.questions, len(moments.cells)
    members = moments.members()
    factors = members.astype(float) if weighting is None else weighting.factors
    first = (factors.T @ np.asarray(moments.stack("first"), np.float64).reshape(cells, 2 * q)).reshape(-1, 2 * q)
    weights, sums = first[:, :q], first[:, q:]
    squares = np.array([np.diag(one.second)[:q] for one in moments.cells.values()]).reshape(cells, q)
    kinds = moments.stack("kinds").astype(np.int64).reshape(cells, q, -1 if cells else len(Kind))
    points = moments.stack("points").astype(np.int64).reshape(cells, q, -1 if cells else 0)
    by_group = moments.per_group(kinds).astype(np.int64)
    return Sample(
        moments=moments,
        members=members,
        means=np.divide(sums, weights, out=np.full(weights.shape, np.nan), where=weights > 0) + moments.midpoint,
        weights=weights,
        n=by_group[:, :, Kind.RATING],
        effective=effective_n(weights, (factors**2).T @ squares),
        kinds=by_group,
        points=moments.per_group(points).astype(np.int64),
        respondents=moments.per_group(moments.stack("n").astype(np.int64)).astype(np.int64),
        factors=factors,
        calibrations=(None,) * moments.groups if weighting is None else weighting.calibrations,
    )


def score_weights(sample: Sample, questions: IntArray, group_weights: FloatArray) -> FloatArray:
    """Each target's weight per group: the axis's, over the groups that have ratings, adding up to 1.

    Parameters
    ----------
    sample : Sample
    questions : int array, shape (targets,)
        Whose ratings each target averages.
    group_weights : float array, shape (targets, groups)
        On any scale.

    Returns
    -------
    float array, shape (targets, groups)
        All 0 where no group of the target has a rating.
    """
    present = np.where(sample.n[:, questions].T > 0, group_weights, 0.0)
    total = present.sum(axis=1, keepdims=True)
    return np.asarray(np.divide(present, total, out=np.zeros(present.shape), where=total > 0))


def unanimous(sample: Sample) -> NDArray[np.bool_]:
    """Where two or more of a group rated and their ratings are equal, shape (groups, questions)."""
    spread = rating_variances(sample)
    return np.asarray((sample.n > 1) & (np.nan_to_num(spread, nan=np.inf) <= 1e-12 * np.square(sample.scale)))


def rating_variances(sample: Sample) -> FloatArray:
    """Variance of the ratings within each group, shape (groups, questions), squared points; NaN below two ratings.

    n/(n − 1) Σ w² (y − ȳ)² / Σ w², so that a weighted respondent counts as in the variance of the mean. NaN as well
    where no more than the mean may be told.
    """
    q = sample.moments.questions
    seconds = [sums.second for sums in sample.moments.cells.values()]
    squares = (sample.factors**2).T @ np.array([np.diag(second) for second in seconds]).reshape(-1, 2 * q)
    cross = (sample.factors**2).T @ np.array([np.diag(second[q:, :q]) for second in seconds]).reshape(-1, q)
    centred = np.where(np.isnan(sample.means), 0.0, sample.means - sample.moments.midpoint)
    around = squares[:, q:] - 2 * centred * cross + centred**2 * squares[:, :q]
    n = sample.n.astype(float)
    told = (n > 1) & ~sample.closed
    spread = np.divide(around, squares[:, :q], out=np.full(around.shape, np.nan), where=told)
    return np.asarray(np.clip(spread, 0.0, None) * np.divide(n, n - 1, out=np.full(n.shape, np.nan), where=n > 1))
