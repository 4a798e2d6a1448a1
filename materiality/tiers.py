"""Tiers of issues by thresholds on two axes, with the confidence of each placement."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from materiality.stats import ROUNDING, joint_draws
from materiality.study import MaterialRule, Threshold, ThresholdRule, Top

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
DRAWS = 10_000


class Zone(StrEnum):
    """What the simultaneous bands say of an issue."""

    MATERIAL = "material"
    BORDERLINE = "borderline"
    NOT_MATERIAL = "not material"


@dataclass(frozen=True)
class Tiers:
    """Where the issues fall.

    Attributes
    ----------
    thresholds : float array, shape (2,)
        On x and on y, from the estimates.
    tier : float array, shape (issues,)
        1 above both thresholds, 2 above one, 3 above none; NaN where an estimate is missing.
    tier_confidence : float array, shape (issues,)
        Share of the draws in which the issue falls in that tier.
    material : float array, shape (issues,)
        1 or 0 by the rule; NaN where an estimate is missing.
    p_material : float array, shape (issues,)
        Share of the draws in which the rule calls it material.
    p_above : float array, shape (2, issues)
        Share of the draws in which the issue lies above the threshold of each axis.
    zone : tuple of Zone or None, one per issue
        By the rule, from simultaneous bands: material, not material, or borderline where the bands leave both open;
        None where an estimate is missing.
    best, worst : float arrays, shape (issues,)
        The tiers that the same bands leave open, from the best to the worst; NaN where an estimate is missing.
    all_stay : float
        Share of the draws in which every issue of tier 1 falls in tier 1; NaN where tier 1 is empty.
    same_set : float
        Share of the draws in which tier 1 is exactly the same set; NaN where tier 1 is empty.
    top : float array, shape (2,)
        On each axis, share of the draws in which the issues of tier 1 are the highest of those with a
        tier; NaN where it is empty.
    drawn : float array, shape (draws, 2, issues)
        The draws of the scores; NaN where an estimate is missing.
    likely : float array, shape (draws, 2, issues)
        The same, drawn together as `shrunk` has it: what the confidences count.
    kept : float array, shape (2,)
        On each axis, what `shrunk` leaves of the scores' distances from their mean.
    """

    thresholds: FloatArray
    tier: FloatArray
    tier_confidence: FloatArray
    material: FloatArray
    p_material: FloatArray
    p_above: FloatArray
    zone: tuple[Zone | None, ...]
    best: FloatArray
    worst: FloatArray
    all_stay: float
    same_set: float
    top: FloatArray
    drawn: FloatArray
    likely: FloatArray
    kept: FloatArray


def threshold(rule: Threshold, values: FloatArray, midpoint: float) -> FloatArray:
    """A threshold for each set of scores.

    Parameters
    ----------
    rule : ThresholdRule, Top or float
        A number is the threshold itself. Scores that tie with the next after the top ones lie above it with nobody;
        where there are no more scores than the top ones, the threshold lies just below the lowest. Of largest gaps
        that are equal, rounding aside, the lowest counts.
    values : float array, shape (…, issues)
        Scores; NaN where an issue has none.
    midpoint : float
        Of the scale.

    Returns
    -------
    float array, shape (…)

    Examples
    --------
    >>> threshold(ThresholdRule.LARGEST_GAP, np.array([1.0, 2.0, 4.0, 4.5]), 3.0).tolist()
    3.0
    """
    shape = values.shape[:-1]
    match rule:
        case ThresholdRule.MEAN:
            return np.asarray(np.nanmean(values, axis=-1))
        case ThresholdRule.MEDIAN:
            middle = np.nanmedian if np.isnan(values).any() else np.median  # the former is slow
            return np.asarray(middle(values, axis=-1))
        case ThresholdRule.MIDPOINT:
            return np.full(shape, midpoint)
        case ThresholdRule.LARGEST_GAP:
            ordered = np.sort(values[..., np.isfinite(values).reshape(-1, values.shape[-1]).all(axis=0)], axis=-1)
            if ordered.shape[-1] < 2:
                return np.asarray(ordered.mean(axis=-1))
            gaps = np.diff(ordered, axis=-1)
            widest = (gaps >= gaps.max(axis=-1, keepdims=True) - ROUNDING).argmax(axis=-1)[..., None]
            below = np.take_along_axis(ordered, widest, -1)
            return np.asarray(((below + np.take_along_axis(ordered, widest + 1, -1)) / 2)[..., 0])
        case Top(count):
            ordered = -np.sort(-values, axis=-1)
            scored = int(np.isfinite(values).sum(axis=-1).min(initial=values.shape[-1]))
            if count >= scored:
                return np.asarray(np.nanmin(values, axis=-1) - 2 * ROUNDING)
            return np.asarray((ordered[..., count - 1] + ordered[..., count]) / 2)
        case _:
            return np.full(shape, float(rule))


def place(
    values: FloatArray,
    covariance: FloatArray,
    rules: tuple[Threshold, Threshold],
    *,
    material_rule: MaterialRule,
    midpoint: float,
    generator: np.random.Generator,
    confidence: float = 0.95,
    df: FloatArray | None = None,
    draws: int = DRAWS,
) -> Tiers:
    """Tiers from the scores on both axes, and how often draws of the scores agree.

    The draws are of the joint distribution of the estimates; issues are never resampled. Confidences count draws of the
    true scores (`shrunk`), since estimates lie farther apart than these. Thresholds that the scores set are set anew in
    each draw. A score equal to its threshold, rounding aside, does not lie above it.

    Over simulated studies of six kinds, from well spread scores to scores that differ by no more than their error, 90 %
    of the placements that were given 90 % were right, to within four points in each kind
    (`benchmarks/calibration.py`).

    Simultaneous bands are around each score less its threshold, over all issues and both axes at once: as many standard
    deviations wide as the largest studentised deviation in the given share of the draws (Montiel Olea and
    Plagborg-Møller 2019, the sup-t band). Where no band holds 0, every issue's side is told at once with that
    confidence.

    Parameters
    ----------
    values : float array, shape (2, issues)
        Scores on x and on y.
    covariance : float array, shape (2 issues, 2 issues)
        Of the scores, x before y; finite where the scores are.
    rules : pair
        The threshold of x and of y.
    material_rule : MaterialRule
    midpoint : float
        Of the scale.
    generator : numpy Generator
    confidence : float
        Of the simultaneous bands.
    df : float array, shape (2, issues), optional
        Degrees of freedom of the scores; without them, or where NaN, draws are normal.
    draws : int

    References
    ----------
    Montiel Olea and Plagborg-Møller (2019), Simultaneous confidence bands, J. Applied Econometrics 34(1).
    """
    issues = values.shape[1]
    known = np.isfinite(values).all(axis=0)
    scored = np.isfinite(values).ravel()
    drawn = np.full((draws, 2 * issues), np.nan)
    freedom = np.inf if df is None else df.ravel()[scored]
    drawn[:, scored] = joint_draws(
        values.ravel()[scored], covariance[np.ix_(scored, scored)], draws, generator, df=freedom
    )
    drawn = drawn.reshape(draws, 2, issues)
    likely, kept = drawn.copy(), np.ones(2)
    thresholds = np.full(2, np.nan)
    above = np.zeros((2, issues), np.bool_)
    drawn_above = np.zeros((draws, 2, issues), np.bool_)
    distance, drawn_distance = np.full((2, issues), np.nan), np.full((draws, 2, issues), np.nan)
    for axis, rule in enumerate(rules):
        here = np.isfinite(values[axis])
        if here.any():
            thresholds[axis] = threshold(rule, values[axis, here], midpoint)
            block = np.flatnonzero(here) + axis * issues
            kept[axis] = share_of_truth(values[axis, here], covariance[np.ix_(block, block)])
            likely[:, axis, here] = shrunk(values[axis, here], drawn[:, axis][:, here], kept[axis])
            drawn_thresholds = threshold(rule, drawn[:, axis][:, here], midpoint)
            likely_thresholds = threshold(rule, likely[:, axis][:, here], midpoint)
            distance[axis] = values[axis] - thresholds[axis]
            drawn_distance[:, axis] = drawn[:, axis] - drawn_thresholds[:, None]
            above[axis] = known & (distance[axis] > ROUNDING)
            drawn_above[:, axis] = known & (likely[:, axis] - likely_thresholds[:, None] > ROUNDING)
    tier, drawn_tier = 3 - above.sum(axis=0), 3 - drawn_above.sum(axis=1)
    enough = 2 if material_rule is MaterialRule.BOTH else 1
    first = tier == 1
    surely, possibly = _sides(distance[:, known], drawn_distance[:, :, known], confidence)
    open_to = np.full((2, issues), np.nan)
    open_to[:, known] = 3 - possibly.sum(axis=0), 3 - surely.sum(axis=0)
    missing = np.where(known, 0.0, np.nan)
    return Tiers(
        thresholds=thresholds,
        tier=tier + missing,
        tier_confidence=(drawn_tier == tier).mean(axis=0) + missing,
        material=(above.sum(axis=0) >= enough) + missing,
        p_material=(drawn_above.sum(axis=1) >= enough).mean(axis=0) + missing,
        p_above=drawn_above.mean(axis=0) + missing,
        zone=tuple(_zone(best, worst, enough) for best, worst in open_to.T.tolist()),
        best=open_to[0],
        worst=open_to[1],
        all_stay=float((drawn_tier[:, first] == 1).all(axis=1).mean()) if first.any() else float("nan"),
        same_set=float(((drawn_tier == 1) == first).all(axis=1).mean()) if first.any() else float("nan"),
        top=on_top(likely[:, :, known], first[known]),
        drawn=drawn,
        likely=likely,
        kept=kept,
    )


def share_of_truth(values: FloatArray, covariance: FloatArray) -> float:
    """How much of the distances of estimates from their mean is left when their error is taken off.

    1 − (k − 3)/(k − 1) min(1, s²/S) for k estimates, S their variance and s² the part of it that is error; 1 for three
    estimates or fewer, which tell too little of how far true values lie apart.

    Parameters
    ----------
    values : float array, shape (k,)
    covariance : float array, shape (k, k)
        Of their errors.

    References
    ----------
    Efron and Morris (1975), Data analysis using Stein's estimator, JASA 70; Morris (1983), Parametric empirical Bayes
    inference, JASA 78, for the factor.
    """
    k = len(values)
    if k <= 3:
        return 1.0
    error = (np.trace(covariance) - covariance.sum() / k) / (k - 1)
    total = float(values.var(ddof=1))
    return 1 - (k - 3) / (k - 1) * float(np.clip(error / total, 0.0, 1.0) if total > ROUNDING**2 else error > 0)


def shrunk(values: FloatArray, drawn: FloatArray, kept: float) -> FloatArray:
    """Draws of the true scores from draws of the estimates.

    Estimates lie farther apart than what they estimate, by their error: the highest is partly the luckiest. True scores
    are drawn around estimates that are moved to their mean, all by one share, with an error that is smaller by its
    root; the mean itself is drawn as before.

    Parameters
    ----------
    values : float array, shape (k,) or (draws, k)
        The estimates that the draws are around.
    drawn : float array, shape (draws, k)
    kept : float
        `share_of_truth`.
    """
    apart = values - values.mean(axis=-1, keepdims=True)
    middle = drawn.mean(axis=1, keepdims=True)
    return np.asarray(middle + kept * apart + np.sqrt(kept) * (drawn - middle - apart))


def _sides(distance: FloatArray, drawn: FloatArray, confidence: float) -> tuple[BoolArray, BoolArray]:
    """Where simultaneous bands around distances from the thresholds lie wholly above, and where at least in part."""
    deviation = np.abs(drawn - distance)
    spread = np.sqrt(np.square(drawn - distance).mean(axis=0))
    spread[spread <= ROUNDING] = 0.0
    studentised = np.divide(deviation, spread, out=np.zeros(deviation.shape), where=spread > 0)
    largest = studentised.reshape(len(drawn), -1).max(axis=1, initial=0.0)
    reach = float(np.quantile(largest, confidence, method="higher")) * spread
    return distance - reach > ROUNDING, distance + reach > ROUNDING


def _zone(best: float, worst: float, enough: int) -> Zone | None:
    """From the tiers that are open; tier 1 lies above two thresholds, tier 2 above one, tier 3 above none."""
    if np.isnan(best):
        return None
    if 3 - worst >= enough:
        return Zone.MATERIAL
    return Zone.BORDERLINE if 3 - best >= enough else Zone.NOT_MATERIAL


def on_top(drawn: FloatArray, chosen: BoolArray) -> FloatArray:
    """On each axis, share of the draws in which the chosen issues are the highest; NaN where none is chosen.

    Parameters
    ----------
    drawn : float array, shape (draws, 2, issues)
    chosen : bool array, shape (issues,)

    Returns
    -------
    float array, shape (2,)
    """
    return np.array([_stay_on_top(drawn[:, axis], chosen) for axis in range(2)])


def _stay_on_top(drawn: FloatArray, chosen: NDArray[np.bool_]) -> float:
    """Share of the draws in which the lowest of the chosen lies above the highest of the others."""
    if not chosen.any():
        return float("nan")
    if chosen.all():
        return 1.0
    return float((drawn[:, chosen].min(axis=1) > drawn[:, ~chosen].max(axis=1)).mean())
