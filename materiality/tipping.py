"""What would tip an issue over a threshold: the smallest change of the threshold, or of one group's weight.

Names of issues, groups and files are unknown here. An axis's score of an issue is the mean of the groups' means by
their weights, over the groups that rated the issue; it lies above the threshold where it exceeds it by more than
rounding. Sampling error is left out: a tip says how far a choice would have to move, not how sure a placement is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from materiality.stats import ROUNDING, FloatArray
from materiality.study import Threshold, ThresholdRule, Top
from materiality.tiers import threshold

BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]
STEPS = 211
"""Steps of the shares between which a change of side is looked for; a prime, so that simple shares meet no tie."""
NARROW = 1e-6
"""Windows of shares narrower than this are passed over."""
HALVINGS = 30
"""Of a step; what remains is below 1e-11."""


@dataclass(frozen=True)
class ThresholdTips:
    """How far one axis's threshold would have to move.

    Attributes
    ----------
    threshold : float
        As the rule sets it; NaN where no issue is scored.
    tip : float array, shape (issues,)
        The value of the threshold from which on the issue is not above, i.e. its score; NaN where it has none.
    change : float array, shape (issues,)
        From the threshold to the tip, in points: positive for an issue above, 0 for one at the threshold, rounding
        aside, which any lower threshold lifts.
    """

    threshold: float
    tip: FloatArray
    change: FloatArray


@dataclass(frozen=True)
class SmallestTips:
    """For each issue the group whose share has to move least.

    Attributes
    ----------
    group : int array, shape (issues,)
        Of equal moves, rounding aside, the first group's; -1 where no share of one group tips the issue.
    present, tip : float arrays, shape (issues,)
        That group's share now, and the one that tips the issue; NaN where there is none.
    """

    group: IntArray
    present: FloatArray
    tip: FloatArray


@dataclass(frozen=True)
class WeightTips:
    """How far one group's share of an axis's weights would have to move.

    Attributes
    ----------
    present : float array, shape (groups,)
        Each group's share now; NaN where no group has weight.
    tip : float array, shape (groups, issues)
        The share nearest to the present one at which the issue stands on the other side; of two equally near, rounding
        aside, the higher. NaN where none does.
    """

    present: FloatArray
    tip: FloatArray

    def smallest(self) -> SmallestTips:
        """The smallest move for each issue."""
        move = np.where(np.isnan(self.tip), np.inf, np.abs(self.tip - self.present[:, None]))
        least = move.min(axis=0, initial=np.inf)
        issues = np.flatnonzero(np.isfinite(least))
        group = np.full(least.shape, -1)
        present, tip = np.full((2, len(least)), np.nan)
        if len(issues):
            group[issues] = chosen = (move[:, issues] <= least[issues] + ROUNDING).argmax(axis=0)
            present[issues], tip[issues] = self.present[chosen], self.tip[chosen, issues]
        return SmallestTips(group, present, tip)


def above(scores: ArrayLike, rule: Threshold, *, midpoint: float) -> FloatArray:
    """Whether issues lie above their threshold, in each set of scores.

    Parameters
    ----------
    scores : float array, shape (sets, issues)
        NaN where an issue has none; other sets may lack others.
    rule : ThresholdRule, Top or float
        Sets each set's threshold from the scores that it has.
    midpoint : float
        Of the scale.

    Returns
    -------
    float array, shape (sets, issues)
        1 or 0; NaN where there is no score.

    Examples
    --------
    >>> above([[1.0, 2.0, 4.0], [1.0, np.nan, 4.0]], ThresholdRule.MEDIAN, midpoint=3.0).tolist()
    [[0.0, 0.0, 1.0], [0.0, nan, 1.0]]
    """
    values = np.asarray(scores, float)
    found = np.full(values.shape, np.nan)
    known = np.isfinite(values)
    left = known.any(axis=1)
    while left.any():
        pattern = known[left.argmax()]
        alike = (known == pattern).all(axis=1)
        here = np.ix_(alike, pattern)
        found[here] = _above(values[here], rule, midpoint)
        left &= ~alike
    return found


def _above(values: FloatArray, rule: Threshold, midpoint: float) -> BoolArray:
    """Whether issues lie above their threshold; no score is missing and there is at least one."""
    return np.asarray(values > threshold(rule, values, midpoint)[..., None] + ROUNDING)


def threshold_tips(scores: ArrayLike, rule: Threshold, *, midpoint: float) -> ThresholdTips:
    """How far the threshold would have to move for each issue to change side, the scores as they are.

    Parameters
    ----------
    scores : float array, shape (issues,)
        On one axis; NaN where an issue has none.
    rule : ThresholdRule, Top or float
    midpoint : float
        Of the scale.

    Returns
    -------
    ThresholdTips

    Examples
    --------
    >>> threshold_tips([2.0, 3.5, 4.0], 3.5, midpoint=3.0).change.tolist()
    [-1.5, 0.0, 0.5]
    """
    values = np.array(scores, float)
    known = np.isfinite(values)
    at = float(threshold(rule, values[known], midpoint)) if known.any() else float("nan")
    change = values - at
    return ThresholdTips(at, values, np.where(np.abs(change) <= ROUNDING, 0.0, change))


def weight_tips(
    means: ArrayLike,
    weights: ArrayLike,
    rule: Threshold,
    *,
    midpoint: float,
    candidates: ArrayLike | None = None,
) -> WeightTips:
    """The nearest share of each group in an axis's weights at which an issue changes side.

    One group's share moves between 0 (it is left out) and 1 (it alone counts); the other groups keep their proportions
    among themselves. Thresholds that the scores set are set anew for each share. Shares are of the axis's weights
    before groups without ratings of an issue are left out.

    Parameters
    ----------
    means : float array, shape (groups, issues)
        NaN where a group has no ratings of an issue.
    weights : float array, shape (groups,)
        On any scale; 0 for a group that the axis does not ask.
    rule : ThresholdRule, Top or float
    midpoint : float
        Of the scale.
    candidates : bool array, shape (groups,), optional
        Groups whose share may move; without it, all. One without weight, or with all of it, is none.

    Returns
    -------
    WeightTips
        At the share given the issue stands on the other side, and at one 1e-11 nearer to the present one it does not.

    Raises
    ------
    ValueError
        If shapes do not fit, or a weight is negative or not finite.

    Notes
    -----
    As the share s moves, a score is a ratio of two linear functions of s, and linear where all groups rated the issue.
    Sides are taken in the middle of each of 211 steps, and the first change in either direction is narrowed down by
    halving the step. A change and its undoing within one step would be missed, and so

    - nothing is missed by a fixed threshold, which a score meets once at most, nor by the mean where all groups rated
      all issues, as the difference is linear;
    - nothing is missed by the median and the top ones: between two shares at which two scores are equal the order of
      the issues stands still, and steps also end at those shares, the roots of a quadratic;
    - nothing is missed by the largest gap where all groups rated all issues: while the order stands still all gaps are
      linear and the largest is convex, so one that is the largest at two shares is so between them, and a step whose
      ends differ is halved;
    - by the mean and the largest gap where ratings are missing, a window of shares narrower than 1/211 may be.

    All this but for windows narrower than 1e-6, such as the one share at which three scores are equal.

    At a share of 1 an issue that the group did not rate has no score, and at 0 one that nobody else rated. It has no
    side there, and thresholds that the scores set follow the other issues; one that changes side by that alone tips at
    exactly 1 or 0.

    Examples
    --------
    >>> found = weight_tips([[4.0, 2.0], [2.0, 2.5]], [0.5, 0.5], 3.5, midpoint=3.0)
    >>> found.tip.round(6).tolist()
    [[0.75, nan], [0.25, nan]]
    """
    means, weights = _checked(means, weights)
    tip = np.full(means.shape, np.nan)
    if not weights.any():
        return WeightTips(np.full(weights.shape, np.nan), tip)
    present = weights / weights.sum()
    scored = np.isfinite(means[weights > 0]).any(axis=0)
    moving = (present > 0) & (present < 1 - ROUNDING)
    if candidates is not None:
        moving &= np.asarray(candidates, bool)
    groups = [int(g) for g in np.flatnonzero(moving)]
    if not scored.any() or not groups:
        return WeightTips(present, tip)
    start = present[groups]
    parts = np.stack([_parts(means[:, scored], weights, g) for g in groups], axis=1)
    now = _above(_scores(parts, start), rule, midpoint)
    ends = np.stack([_brackets(parts[:, k], start[k], now[k], rule, midpoint) for k in range(len(groups))])
    move = np.abs(ends - start[:, None, None, None])
    # a bracket that begins beyond the end of the other direction's cannot hold the nearest change
    ends[:, 1][move[:, 0] > move[:, 1, ::-1]] = np.nan
    k, side, issue = np.nonzero(np.isfinite(ends[:, 1]))
    near, far = ends[k, 0, side, issue], ends[k, 1, side, issue]
    for _ in range(HALVINGS if len(k) else 0):
        middle = (near + far) / 2
        there = _above(_scores(parts[:, k], middle), rule, midpoint)[np.arange(len(k)), issue]
        moved = there != now[k, issue]
        near, far = np.where(moved, near, middle), np.where(moved, middle, far)
    both = np.full((2, len(groups), now.shape[1]), np.nan)
    both[side, k, issue] = far
    up, down = np.where(np.isnan(both), np.inf, np.abs(both - start[:, None]))
    tip[np.ix_(moving, scored)] = np.where(up <= down + ROUNDING, *both)
    return WeightTips(present, tip)


def without_group(means: ArrayLike, weights: ArrayLike, group: int) -> FloatArray:
    """Scores with one group left out; the others keep their proportions.

    Parameters
    ----------
    means, weights
        As for `weight_tips`.
    group : int

    Returns
    -------
    float array, shape (issues,)
        NaN where no other group with weight rated the issue.
    """
    means, weights = _checked(means, weights)
    return _scores(_parts(means, weights, group), np.array(0.0))


def left_out(means: ArrayLike, weights: ArrayLike) -> FloatArray:
    """Scores with each group left out in turn.

    Parameters
    ----------
    means, weights
        As for `weight_tips`.

    Returns
    -------
    float array, shape (groups, issues)
        Row g as by `without_group`; the scores themselves where group g has no weight.

    Examples
    --------
    >>> left_out([[4.0, 2.0], [2.0, np.nan], [3.0, 1.0]], [1, 1, 2]).round(3).tolist()
    [[2.667, 1.0], [3.333, 1.333], [3.0, 2.0]]
    """
    means, weights = _checked(means, weights)
    return np.array([without_group(means, weights, g) for g in range(len(weights))]).reshape(means.shape)


def _checked(means: ArrayLike, weights: ArrayLike) -> tuple[FloatArray, FloatArray]:
    means, weights = np.asarray(means, float), np.asarray(weights, float)
    if means.ndim != 2 or weights.shape != means.shape[:1]:
        raise ValueError(
            f"means need the shape (groups, issues) and weights (groups,), got {means.shape} and {weights.shape}"
        )
    if not (np.isfinite(weights) & (weights >= 0)).all():
        raise ValueError("a weight is negative or not finite")
    return means, weights


def _parts(means: FloatArray, weights: FloatArray, group: int) -> FloatArray:
    """What a score is made of: group's mean, the others' weighted sum, and the weights of each that rated, (4, issues).

    Sums and weights are 0 where nobody rated.
    """
    others = weights.copy()
    others[group] = 0.0
    others /= others.sum() or 1.0
    rated = np.isfinite(means)
    filled = np.where(rated, means, 0.0)
    return np.stack([filled[group], others @ filled, rated[group].astype(float), others @ rated])


def _scores(parts: FloatArray, share: ArrayLike) -> FloatArray:
    """Scores at shares of the group, shape (…, issues), for parts of shape (4, …, issues) and shares of shape (…)."""
    share = np.asarray(share, float)[..., None]
    own, rest, own_rated, rest_rated = parts
    total = share * own + (1 - share) * rest
    rated = share * own_rated + (1 - share) * rest_rated
    return np.divide(total, rated, out=np.full(total.shape, np.nan), where=rated > 0)


def _crossings(parts: FloatArray) -> FloatArray:
    """Shares strictly between 0 and 1 at which two issues' scores are equal.

    With r = s / (1 − s), the scores (A + a r) / (B + b r) of two issues are equal at the roots of a quadratic.
    """
    j, k = np.triu_indices(parts.shape[1], 1)
    (own, rest, own_rated, rest_rated), (own_k, rest_k, own_rated_k, rest_rated_k) = parts[:, j], parts[:, k]
    constant = rest * rest_rated_k - rest_k * rest_rated
    linear = own * rest_rated_k + rest * own_rated_k - own_k * rest_rated - rest_k * own_rated
    square = own * own_rated_k - own_k * own_rated
    with np.errstate(all="ignore"):
        q = -(linear + np.copysign(np.sqrt(linear**2 - 4 * square * constant), linear)) / 2
        roots = np.concatenate([q / square, constant / q])
        roots = roots[np.isfinite(roots) & (roots > 0)]
    return np.asarray(roots / (1 + roots))


def _brackets(parts: FloatArray, present: float, now: BoolArray, rule: Threshold, midpoint: float) -> FloatArray:
    """Shares between which issues first change side, shape (2, 2, issues).

    The nearer to the present share and the farther; upwards and downwards. NaN where an issue never does.
    """
    edges = np.append(np.linspace(0, 1, STEPS + 1), present)
    if isinstance(rule, Top) or rule in (ThresholdRule.MEDIAN, ThresholdRule.LARGEST_GAP):
        edges = np.append(edges, _crossings(parts))
    edges = np.sort(edges)
    if rule is ThresholdRule.LARGEST_GAP:
        edges = np.sort(np.append(edges, _between(parts, edges)))
    width = np.diff(edges)
    shares = np.concatenate([[0.0], (edges[:-1] + width / 2)[width > NARROW], [1.0]])
    sides = above(_scores(parts[:, None], shares), rule, midpoint=midpoint)
    changed = np.isfinite(sides) & (sides != now)
    at = int(np.searchsorted(shares, present))
    found = np.full((2, 2, len(now)), np.nan)
    for side, (points, moved) in enumerate(((shares[at:], changed[at:]), (shares[:at][::-1], changed[:at][::-1]))):
        first, some = moved.argmax(axis=0), moved.any(axis=0)
        found[0, side, some] = np.append(present, points)[first[some]]
        found[1, side, some] = points[first[some]]
    return found


def _between(parts: FloatArray, edges: FloatArray) -> FloatArray:
    """Shares that close in on all changes of the largest gap between edges, at which scores change their order."""
    edges = np.clip(edges, ROUNDING, 1 - ROUNDING)
    sides = _above(_scores(parts[:, None], edges), ThresholdRule.LARGEST_GAP, 0.0)
    low, high, under, over = edges[:-1], edges[1:], sides[:-1], sides[1:]
    found = []
    while (split := (under != over).any(axis=1) & (high - low > NARROW)).any():
        low, high, under, over = low[split], high[split], under[split], over[split]
        middle = (low + high) / 2
        sides = _above(_scores(parts[:, None], middle), ThresholdRule.LARGEST_GAP, 0.0)
        found.append(middle)
        low, high = np.append(low, middle), np.append(middle, high)
        under, over = np.concatenate([under, sides]), np.concatenate([sides, over])
    return np.concatenate(found) if found else np.empty(0)
