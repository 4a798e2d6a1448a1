"""Group means and scores with their joint covariance, as algebra on moments."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from materiality.linearisation import design_of, linearise
from materiality.samples import Sample, rating_variances, score_weights, summarise, unanimous
from materiality.stats import satterthwaite_df, t_interval, unanimous_share

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


CAUTIOUS_BELOW = 200
"""Sampled units of a raked group below which its variance leaves the margins' gain out."""


@dataclass(frozen=True)
class Estimates:
    """Linear combinations of group means, with their joint covariance.

    Attributes
    ----------
    values : float array, shape (targets,)
        On the scale; NaN where no group of the target has a rating.
    covariance : float array, shape (targets, targets)
        Squared points; NaN in the rows of targets without variance that could be known.
    df : float array, shape (targets,)
        Satterthwaite degrees of freedom; NaN where no variance was seen.
    n : int array, shape (targets,)
        Distinct respondents whose ratings enter.
    low, high : float arrays, shape (targets,)
        The interval.
    unseen : float array, shape (targets,)
        What the interval reaches further for groups whose ratings are all equal, in points of the scale.
    """

    values: FloatArray
    covariance: FloatArray
    df: FloatArray
    n: IntArray
    low: FloatArray
    high: FloatArray
    unseen: FloatArray

    @property
    def std_error(self) -> FloatArray:
        """Standard errors, in points of the scale."""
        return np.sqrt(np.diag(self.covariance))


def estimate(
    sample: Sample,
    questions: IntArray,
    weights: FloatArray,
    *,
    confidence: float,
    low: float,
    high: float,
    population: FloatArray | None = None,
    strata: IntArray | None = None,
    cautious_below: int = CAUTIOUS_BELOW,
) -> Estimates:
    """Linear combinations of group means, with the joint covariance of all of them.

    Taylor linearisation. For target t with question j and group weights λ_tg, respondent i counts
    u_itg = λ_tg r_ij w_i (y_ij − ȳ_gj) / Ŵ_gj in each group g that i belongs to; who skipped j counts 0 and stays in n.
    Where the group was raked, the part of u/w that a regression on the margins' dummies fits (least squares, design
    weights) is taken off first. The respondents of one group are a sample of it, or of each of its strata: sums of
    squares and products around the stratum's mean are taken times (1 − n_h/N_h) n_h/(n_h − 1). Clusters that were
    sampled as one count as one respondent there, with the sum of their members' u. A respondent of several groups links
    them, each group's part entering with the root of its own factor. So a group's own variance is what it would be
    alone, and the matrix has no negative eigenvalue. A stratum with one respondent, in a group that has others, counts
    with the square of u itself, without n/(n − 1).

    In a small raked group the regression fits the respondents too closely, and its residuals cover too little (72 % at
    12 respondents, 82 % at 20, where 95 % are wanted). A raked group of fewer than `cautious_below` therefore keeps u
    whole, as if its weights had been given, with the factor (1 − n/N) n/(n − p) and n − p degrees of freedom, p the
    rank of the margins' dummies: 93 to 97 % (`benchmarks/raked_variance.py`).

    Where all of a group's ratings are equal it shows no variance, and adds none. The interval then reaches further: by
    the share of dissenters that so many equal answers leave possible (`unanimous_share`), or the share of the
    population that was not asked, times λ and the length of the scale; squares of reaches are added.

    A group with one rating shows no variance either. Its variance is taken to be the pooled variance of the target's
    other groups, with the group's own correction for its population; where there is none, the target's variance is
    unknown (NaN). Where all ratings of each other group are equal there is no variance to lend, and the one rating
    counts among the equal ones.

    Parameters
    ----------
    sample : Sample
    questions : int array, shape (targets,)
    weights : float array, shape (targets, groups)
        λ, used as they are; of any sign.
    confidence : float
        Of the intervals.
    low, high : float
        The ends within which the intervals stay; the scale's, or infinite for differences.
    population : float array, shape (groups,) or (cells, groups), optional
        N of the group, or of the stratum that a cell belongs to within the group; NaN for none. Without it there is no
        finite population correction.
    strata : int array, shape (cells,), optional
        Samples that the groups are domains of, where they are not sampled by themselves; `population` then is per
        stratum, in the order of their numbers.
    cautious_below : int
        Sampled units of a raked group below which its variance is the cautious one.

    Returns
    -------
    Estimates

    References
    ----------
    Woodruff (1971), JASA 66; Särndal, Swensson and Wretman (1992), Model Assisted Survey Sampling, chapter 5;
    Deville and Särndal (1992), JASA 87; Lumley (2010), Complex Surveys. Equal to R's `survey::svyby(…, covmat = TRUE)`
    with `svycontrast` where the groups are the strata, and to `calibrate(calfun = "raking")`
    where the cautious variance is not called for.
    """
    design = design_of(sample, population, strata)
    spread = linearise(sample, questions, weights, design, cautious_below=cautious_below)
    covariance, shares = spread.covariance, spread.shares
    means = sample.means[:, questions].T
    values = np.where(weights != 0, np.where(np.isnan(means), 0.0, means) * weights, 0.0).sum(axis=1)
    values[~(weights != 0).any(axis=1)] = np.nan
    lonely = (weights != 0) & (sample.n[:, questions].T == 1)
    unasked = np.ones(len(sample.n))
    if population is not None and strata is None:
        unasked = np.clip(np.nan_to_num(1 - design.asked(sample), nan=1.0), 0.0, 1.0)
    covariance, shares = _pool_lonely(sample, questions, weights, lonely & (unasked > 0), covariance, shares, unasked)
    n = _distinct(sample, questions, weights)
    df = satterthwaite_df(shares, spread.df)
    df = np.minimum(np.maximum(df, 1.0), np.maximum(n - 1, 0))
    variance = np.diag(covariance)
    unseen = _unseen(sample, questions, weights, confidence, high - low, None if strata is not None else population)
    lower, upper = t_interval(
        values, np.sqrt(variance), np.where(df > 0, df, np.nan), confidence, low, high, unseen=unseen
    )
    return Estimates(values, covariance, df, n, lower, upper, unseen)


def _unseen(
    sample: Sample,
    questions: IntArray,
    weights: FloatArray,
    confidence: float,
    span: float,
    population: FloatArray | None,
) -> FloatArray:
    """How far dissenters whom nobody met may move each target: groups whose ratings are all equal, squares added."""
    if not np.isfinite(span):
        return np.zeros(len(questions))
    n = sample.n[:, questions].T
    share = unanimous_share(n, confidence)
    if population is not None:
        unasked = np.clip(1 - n / population, 0.0, None)
        share = np.where(np.isfinite(unasked), np.minimum(share, unasked), share)
    agreed = unanimous(sample)[:, questions].T & (weights != 0)
    varied = (weights != 0) & (n > 1) & ~agreed
    agreed |= (weights != 0) & (n == 1) & (agreed.any(axis=1) & ~varied.any(axis=1))[:, None]
    return np.asarray(np.sqrt(np.square(np.where(agreed, share * weights, 0.0)).sum(axis=1)) * span)


def _pool_lonely(
    sample: Sample,
    questions: IntArray,
    weights: FloatArray,
    lonely: NDArray[np.bool_],
    covariance: FloatArray,
    shares: FloatArray,
    unasked: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """Lend groups with one rating the pooled variance of the target's other groups."""
    if not lonely.any():
        return covariance, shares
    covariance, shares = covariance.copy(), shares.copy()
    variances = rating_variances(sample)[:, questions].T
    df = np.where((weights != 0) & np.isfinite(variances), sample.n[:, questions].T - 1, 0)
    total = df.sum(axis=1)
    pooled = np.divide(
        (df * np.where(df > 0, variances, 0.0)).sum(axis=1), total, out=np.full(len(total), np.nan), where=total > 0
    )
    for target, group in zip(*np.nonzero(lonely), strict=True):
        covariance[target, target] += weights[target, group] ** 2 * pooled[target] * unasked[group]
    return covariance, shares


def _distinct(sample: Sample, questions: IntArray, weights: FloatArray) -> IntArray:
    """Distinct respondents who rated and belong to a group with weight."""
    rated = sample.moments.stack("rated").reshape(len(sample.members), sample.moments.questions)[:, questions]
    counts = (weights != 0).astype(np.int64) @ sample.members.T.astype(np.int64) > 0
    return np.asarray((rated.T * counts).sum(axis=1), np.int64)


__all__ = [
    "CAUTIOUS_BELOW",
    "Estimates",
    "Sample",
    "estimate",
    "rating_variances",
    "score_weights",
    "summarise",
    "unanimous",
]
