"""Answers that are no rating: how many there are, and how far a score and a tier could move had they been given.

Names of issues, groups and files are unknown here. Nothing is assumed about why an answer is missing. Sampling error
is left out: a bound says what the respondents' own missing answers leave open, not what other respondents would say.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from materiality.estimates import Sample
from materiality.stats import ROUNDING, FloatArray
from materiality.study import Threshold
from materiality.tiers import threshold

BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class Rates:
    """How the respondents of each group answered each question.

    Attributes
    ----------
    shares : float array, shape (groups, questions, kinds)
        Share of the group's respondents whose answer is of each `Kind`; every respondent counts 1, and the shares of a
        question add up to 1. NaN where the group has no respondents.
    missing : float array, shape (groups, questions)
        Weighted share without a rating: 1 − Ŵ_gj / Ŵ_g. NaN where the group has no respondents.
    """

    shares: FloatArray
    missing: FloatArray


def rates(sample: Sample) -> Rates:
    """Shares of ratings and of each kind of missing answer, by group and question.

    Ŵ_g is the raked weight of all respondents of group g, and Ŵ_gj that of those who rated question j.

    Parameters
    ----------
    sample : Sample

    Returns
    -------
    Rates
        Everybody kept of a group counts as asked. A question that was never put to a group shows as missing there.
    """
    asked = sample.respondents[:, None]
    shares = np.divide(
        sample.kinds, asked[..., None], out=np.full(sample.kinds.shape, np.nan), where=asked[..., None] > 0
    )
    weight = np.array([sums.weight for sums in sample.moments.cells.values()])
    total = (sample.factors.T @ weight)[:, None]
    part = np.divide(sample.weights, total, out=np.zeros(sample.weights.shape), where=total > 0)
    missing = np.select([sample.n == 0, sample.n == asked], [1.0, 0.0], np.clip(1 - part, 0.0, 1.0))
    if sample.stand_in is not None:
        missing = np.where(sample.stand_in.cells, sample.stand_in.missing, missing)
    return Rates(shares, np.where(asked > 0, missing, np.nan))


@dataclass(frozen=True)
class Bounds:
    """How far scores could lie, whatever the missing answers would have been.

    Attributes
    ----------
    low, high : float arrays, shape (targets,)
        In points of the scale; NaN where no group of the target has respondents.
    missing : float array, shape (targets,)
        Share of the score's weight that no rating stands behind: the width over the length of the scale.
    """

    low: FloatArray
    high: FloatArray
    missing: FloatArray


def bounds(sample: Sample, questions: IntArray, group_weights: FloatArray, *, low: float, high: float) -> Bounds:
    """Worst-case bounds of scores: every missing answer at one end of the scale, then at the other.

    Group mean (1 − m) ȳ + m e, for the weighted missing share m (`rates`) and the end e. A group that has respondents
    but no rating of the question may lie anywhere on the scale. A group without respondents is left out, and the
    weights of the others are scaled up, as in the score. Every missing answer counts, whether it was blank, "don't
    know" or "not applicable"; for one who could not know, the bounds are wider than they need be.

    Parameters
    ----------
    sample : Sample
    questions : int array, shape (targets,)
        Whose ratings each target averages.
    group_weights : float array, shape (targets, groups)
        On any scale; 0 for a group that was not asked.
    low, high : float
        The ends of the scale.

    Returns
    -------
    Bounds
        Attained by whole ratings, and so as narrow as they can be without an assumption.

    Raises
    ------
    ValueError
        If the ends are not finite or not in order, a group weight is negative or not finite, or a mean lies off the
        scale.

    Notes
    -----
    The score of the available ratings (`estimates.score_weights`) always lies within. Each group's mean does. A group
    that is left out of the score because nobody in it rated the question counts here with [low, high], which holds the
    score of the other groups; with it put there, the score of all groups is the same.

    The bounds hold the score of these respondents, had all of them rated. They are no confidence interval (Imbens and
    Manski 2004 add one), and say nothing of people who did not take part.

    References
    ----------
    Manski (1989), Anatomy of the selection problem, Journal of Human Resources 24(3). Manski (2003), Partial
    identification of probability distributions, chapter 1. Imbens and Manski (2004), Confidence intervals for
    partially identified parameters, Econometrica 72(6).
    """
    questions, group_weights = np.asarray(questions, np.int64), np.asarray(group_weights, float)
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ValueError(f"the ends of the scale must be finite and in order, got {low} and {high}")
    if not (np.isfinite(group_weights).all() and (group_weights >= 0).all()):
        raise ValueError("group weights must be finite, and none of them negative")
    means = sample.means[:, questions].T
    if (means < low - ROUNDING).any() or (means > high + ROUNDING).any():
        raise ValueError(f"there are means off the scale {low} to {high}")
    missing = rates(sample).missing[:, questions].T
    present = np.where(np.isnan(missing), 0.0, group_weights)
    total = present.sum(axis=1, keepdims=True)
    weights = np.divide(present, total, out=np.full(present.shape, np.nan), where=total > 0)
    missing = np.nan_to_num(missing)
    given = (weights * (1 - missing) * np.nan_to_num(means)).sum(axis=1)
    share = (weights * missing).sum(axis=1)
    return Bounds(given + share * low, given + share * high, share)


@dataclass(frozen=True)
class MovableTiers:
    """What tiers each issue could be in, whatever its own missing answers would have been.

    Attributes
    ----------
    tier : float array, shape (issues,)
        As the scores have it: 1 above both thresholds, 2 above one, 3 above none; NaN where a score is missing.
    reachable : bool array, shape (issues, 3)
        Whether tier 1, 2 and 3 can be reached, its present one included; none where bounds are missing.
    best, worst : float arrays, shape (issues,)
        The lowest and the highest number of a tier that can be reached; NaN where none can.
    movable : bool array, shape (issues,)
        Whether a tier can be reached that is not the present one.
    """

    tier: FloatArray
    reachable: BoolArray
    best: FloatArray
    worst: FloatArray
    movable: BoolArray


def movable_tiers(
    scores: ArrayLike,
    low: ArrayLike,
    high: ArrayLike,
    rules: tuple[Threshold, Threshold],
    *,
    midpoint: float,
) -> MovableTiers:
    """Whether an issue's tier hangs on its missing answers.

    One issue at a time moves within its bounds, on both axes and on each as if free of the other; the other issues stay
    at their scores. Thresholds that the scores set are set anew for each place of the issue (`tiers.threshold`).

    Parameters
    ----------
    scores : float array, shape (2, issues)
        On x and on y; NaN where an issue has none.
    low, high : float arrays, shape (2, issues)
        What bounds each score (`bounds`); NaN where nothing does.
    rules : pair
        The threshold of x and of y.
    midpoint : float
        Of the scale.

    Returns
    -------
    MovableTiers

    Raises
    ------
    ValueError
        If the shapes differ or are not (2, issues), a score has no bounds or lies outside them, or only one bound is
        given.

    Notes
    -----
    The two bounds suffice, as a score that rises never falls below its threshold. This is plain for a fixed one, and
    for the mean and the median of all scores, which rise by no more than the score does. By the largest gap, a score
    lies above where the widest gap below it is at least as wide as the widest above it (of equal gaps the lowest
    counts); as the score rises, also past the next issue, the one never shrinks and the other never grows. It lies
    above the threshold of the top ones where fewer others than these are as high, and a rise never makes them more.

    Both bounds can be reached (`bounds`), and so can every tier named, unless both axes average the same answers: then
    they cannot move apart as they are allowed to here. Several issues moving at once may change more tiers than this
    shows.

    Examples
    --------
    >>> found = movable_tiers([[3.0, 4.0], [3.0, 4.0]], [[2.0, 4.0], [3.0, 4.0]], [[5.0, 4.0], [3.0, 4.0]],
    ...                       (3.5, 3.5), midpoint=3.0)
    >>> found.tier.tolist(), found.best.tolist(), found.worst.tolist()
    ([3.0, 1.0], [2.0, 1.0], [3.0, 1.0])
    """
    values, lower, upper = (np.asarray(a, float) for a in (scores, low, high))
    if not (values.ndim == 2 and len(values) == 2 and values.shape == lower.shape == upper.shape):
        raise ValueError(
            f"scores and bounds need the shape (2, issues), got {values.shape}, {lower.shape}, {upper.shape}"
        )
    scored, bounded = np.isfinite(values), np.isfinite(lower)
    outside = scored & ~((lower - ROUNDING <= values) & (values <= upper + ROUNDING))
    if outside.any() or (bounded != np.isfinite(upper)).any() or (lower[bounded] > upper[bounded] + ROUNDING).any():
        raise ValueError("a score lies outside its bounds, or bounds are missing or out of order")
    # a bound that is the score but for rounding must not decide between gaps of equal width
    lower, upper = (np.where(np.abs(bound - values) <= ROUNDING, values, bound) for bound in (lower, upper))
    states = np.zeros((2, values.shape[1], 2), np.bool_)
    now = np.zeros(values.shape, np.bool_)
    for axis, rule in enumerate(rules):
        for issue in np.flatnonzero(bounded[axis]):
            others = np.delete(values[axis], issue)
            others = others[np.isfinite(others)]
            ends = np.array([lower[axis, issue], upper[axis, issue]])
            places = np.append(ends, values[axis, issue]) if scored[axis, issue] else ends
            above = places > threshold(rule, _joined(places, others), midpoint) + ROUNDING
            states[axis, issue] = not above.all(), above.any()
            if scored[axis, issue]:
                now[axis, issue] = above[2]
    x, y = states
    both = x[:, 1] & y[:, 1], (x[:, 1] & y[:, 0]) | (x[:, 0] & y[:, 1]), x[:, 0] & y[:, 0]
    reachable = np.column_stack(both)
    tier = np.where(scored.all(axis=0), 3.0 - now.sum(axis=0), np.nan)
    numbers = np.where(reachable, [1.0, 2.0, 3.0], np.nan)
    some = reachable.any(axis=1)
    best, worst = np.full((2, values.shape[1]), np.nan)
    best[some], worst[some] = np.nanmin(numbers[some], axis=1), np.nanmax(numbers[some], axis=1)
    return MovableTiers(tier, reachable, best, worst, some & ((best != tier) | (worst != tier)))


def _joined(places: FloatArray, others: FloatArray) -> FloatArray:
    """The scores of all issues with the moving one at each of its places, shape (places, issues)."""
    return np.column_stack([places, np.broadcast_to(others, (len(places), len(others)))])
