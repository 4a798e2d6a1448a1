"""Stochastic multicriteria acceptability analysis: ranks and tiers where the weights of the groups are uncertain."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from materiality.stats import ROUNDING
from materiality.study import Threshold
from materiality.tiers import threshold

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
GRID = 256
"""Points between which a beta's quantiles are interpolated. Its distribution is then off by less than 0.0002 where no
parameter is below 0.5, and by less than 0.001 where none is below 0.1, rounding next to 1 aside."""
LEAST_VARIATION = 1e-6
"""Weights that vary less do not vary in any number that is shown."""


@dataclass(frozen=True)
class TierAcceptability:
    """How often the issues fall where. NaN where a score is missing.

    Attributes
    ----------
    above : float array, shape (2, issues)
        Share of the draws in which the issue lies above the threshold of x, and of y.
    tier : float array, shape (issues, 3)
        Share of the draws in tier 1 (above both), 2 (above one) and 3 (above none).
    """

    above: FloatArray
    tier: FloatArray

    @property
    def both(self) -> FloatArray:
        """Share of the draws above both thresholds, shape (issues,)."""
        return self.tier[:, 0]

    @property
    def either(self) -> FloatArray:
        """Share of the draws above at least one threshold, shape (issues,)."""
        return np.asarray(self.tier[:, :2].sum(axis=1))


def weight_draws(
    weights: FloatArray, draws: int, generator: np.random.Generator, *, variation: float | None = None
) -> FloatArray:
    """Draws of the weights of the groups, from a Dirichlet distribution over the groups with a weight.

    With ``variation`` the given weights are the mean, and each weight w has the standard deviation
    √(w (1 − w) / (κ + 1)), where κ = (G − 1) / variation² − 1 is the concentration among G groups. Without it every
    set of weights is as likely as any other: nothing is known about them but which groups count.

    The draws are a randomly shifted lattice, made into weights by breaking a stick at beta quantiles, in random order.
    Each draw has the distribution, but they fill the space more evenly than independent draws. At 10,000 draws the
    standard error of an acceptability is about 1/100 of theirs with two groups, 1/10 with three, 1/3 with five and 1/2
    with eight. Because of the random order, two calls with one generator give draws that may be paired as independent.

    Parameters
    ----------
    weights : float array, shape (groups,)
        Not negative, on any scale; 0 for a group that is not asked. Without ``variation`` only that matters.
    draws : int
        How many.
    generator : numpy Generator
        The only source of randomness.
    variation : float, optional
        Coefficient of variation that a weight of 1/G would have: positive and below √(G − 1), where all weight falls
        on one group at a time. With √((G − 1) / (G + 1)) and equal weights the draws are uniform. Below 10⁻⁶ it counts
        as that; with one group it does not matter.

    Returns
    -------
    float array, shape (draws, groups)
        Each row adds up to 1. A group with a weight never loses quite all of it; the others have 0.

    Raises
    ------
    ValueError
        If a weight is negative or not finite, if none is positive, or if the variation is out of its range.

    References
    ----------
    Fang and Wang (1994), Number-theoretic methods in statistics, for the simplex; Roberts (2018), The unreasonable
    effectiveness of quasirandom sequences, for the lattice; Cranley and Patterson (1976), Randomization of number
    theoretic methods for multiple integration, SIAM J. Numerical Analysis 13(6), for the shift.

    Examples
    --------
    >>> drawn = weight_draws(np.array([2.0, 0.0, 1.0, 1.0]), 1_000, np.random.default_rng(1), variation=0.3)
    >>> drawn.mean(axis=0).round(3).tolist()
    [0.5, 0.0, 0.25, 0.25]
    """
    weights = np.asarray(weights, float)
    if not ((weights >= 0).all() and 0 < weights.sum() < np.inf):
        raise ValueError(
            f"The weights {weights.tolist()} are not all finite and at least 0, with one above 0.\n"
            "  Mend: give each group that counts a positive weight, and the others 0."
        )
    counted = np.flatnonzero(weights)
    others = len(counted) - 1
    if variation is not None and not 0 < variation < (math.sqrt(others) if others else math.inf):
        raise ValueError(
            f"A variation of {variation} among {len(counted)} groups is not between 0 and "
            f"{math.sqrt(others) if others else math.inf:.4g}.\n"
            "  Mend: give one between them, or none for weights of which nothing is known."
        )
    drawn = np.zeros((draws, len(weights)))
    left = np.ones(draws)
    if others:
        alpha = np.ones(others + 1)
        if variation is not None:
            concentration = others / max(variation, LEAST_VARIATION) ** 2 - 1
            alpha = concentration * weights[counted] / weights.sum()
        after = np.cumsum(alpha[:0:-1])[::-1]
        levels = np.concatenate([[0.0], special.ndtr(np.linspace(-5.5, 5.5, GRID)), [1.0]])
        points = _lattice(draws, others, generator)[generator.permutation(draws)]
        for k, group in enumerate(counted[:-1]):
            share = np.interp(points[:, k], levels, special.betaincinv(alpha[k], after[k], levels))
            drawn[:, group] = left * share
            left *= 1 - share
    drawn[:, counted[-1]] = left
    drawn[:, counted] = np.maximum(drawn[:, counted], np.finfo(float).tiny)
    return drawn


def _lattice(points: int, dimensions: int, generator: np.random.Generator) -> FloatArray:
    """Points that fill the unit cube evenly, shifted at random: i/points, and multiples of irrational steps."""
    root = 2.0
    for _ in range(60):
        root = (1 + root) ** (1 / dimensions)  # for the steps: x to the power of `dimensions` is x + 1
    steps = root ** -np.arange(dimensions, dtype=float)
    steps[0] = 1 / max(points, 1)
    return np.asarray((np.arange(points)[:, None] * steps + generator.random(dimensions)) % 1)


def scores(means: FloatArray, weights: FloatArray) -> FloatArray:
    """Scores of issues in each draw of the groups' weights, and of their means if these are drawn too.

    θ_j = Σ_g w_g m_gj / Σ_g w_g over the groups with a mean of issue j: a group that did not rate it is left out, and
    the other weights grow in proportion.

    Parameters
    ----------
    means : float array, shape (groups, issues) or (draws, groups, issues)
        The same in every draw, or one set for each; NaN where a group did not rate an issue.
    weights : float array, shape (draws, groups)
        Not negative, on any scale. Every axis has its own, and draws of one axis are by default independent of those
        of another: what a group weighs in impact says nothing of what it weighs in finance. Where an axis should
        follow another, give both the same draws.

    Returns
    -------
    float array, shape (draws, issues)
        NaN where no group with a weight rated the issue.

    Examples
    --------
    >>> scores(np.array([[5.0, np.nan], [3.0, 2.0]]), np.array([[0.5, 0.5], [1.0, 0.0]])).tolist()
    [[4.0, 2.0], [5.0, nan]]
    """
    rated = np.isfinite(means)
    filled = np.where(rated, means, 0.0)
    if means.ndim == 2:
        return _ratio(weights @ filled, weights @ rated)
    return _ratio((weights[:, None, :] @ filled)[:, 0], (weights[:, None, :] @ rated.astype(float))[:, 0])


def _ratio(total: FloatArray, weight: FloatArray) -> FloatArray:
    return np.divide(total, weight, out=np.full(total.shape, np.nan), where=weight > 0)


def rank_acceptability(scores: FloatArray) -> FloatArray:
    """Rank acceptability indices: in which share of the draws an issue has a rank.

    Issues whose scores are equal, rounding aside, share all the ranks that they span evenly, as if the tie were broken
    by lot. So the shares of an issue add up to 1, and so do those of a rank.

    Parameters
    ----------
    scores : float array, shape (draws, issues)
        An issue without a score in some draw has no rank, and counts in nobody's.

    Returns
    -------
    float array, shape (issues, issues)
        Row: issue. Column: rank, from the highest score (1) down. NaN for issues without a rank; the last ranks, as
        many as there are such issues, nobody has (0).

    References
    ----------
    Lahdelma and Salminen (2001), SMAA-2: stochastic multicriteria acceptability analysis for group decision making,
    Operations Research 49(3); Tervonen and Figueira (2008), A survey on stochastic multicriteria acceptability
    analysis methods, J. Multi-Criteria Decision Analysis 15(1-2).

    Examples
    --------
    >>> rank_acceptability(np.array([[5.0, 4.0, 3.0], [4.0, 4.0, 3.0]])).tolist()
    [[0.75, 0.25, 0.0], [0.25, 0.75, 0.0], [0.0, 0.0, 1.0]]
    """
    draws, issues = scores.shape
    known = np.flatnonzero(np.isfinite(scores).all(axis=0))
    ranks, found = len(known), np.full((issues, issues), np.nan)
    if not draws or not ranks:
        return found
    falling = -scores[:, known]
    order = np.argsort(falling, axis=1)
    step = np.diff(np.take_along_axis(falling, order, axis=1), axis=1) > ROUNDING
    starts = np.concatenate([np.ones((draws, 1), np.bool_), step], axis=1).ravel()
    first = np.flatnonzero(starts)
    sizes = np.diff(np.append(first, draws * ranks))
    if sizes.max() == 1:
        cell = (order * ranks + np.arange(ranks)).ravel()
        counts = np.bincount(cell, minlength=ranks**2).astype(float)
    else:
        run = np.cumsum(starts) - 1
        size, best, row = sizes[run], (first % ranks)[run], order.ravel() * ranks
        counts = np.zeros(ranks**2)
        for offset in range(sizes.max()):
            tied = size > offset
            counts += np.bincount(row[tied] + best[tied] + offset, 1 / size[tied], minlength=ranks**2)
    found[known] = 0.0
    found[known, :ranks] = counts.reshape(ranks, ranks) / draws
    return found


def highest(scores: FloatArray) -> BoolArray:
    """Where an issue has the highest score of a draw, alone or tied but for rounding, shape (draws, issues)."""
    known = np.isfinite(scores)
    filled = np.where(known, scores, -np.inf)
    return np.asarray(known & (filled >= filled.max(axis=1, keepdims=True, initial=-np.inf) - ROUNDING))


def central_weights(weights: FloatArray, chosen: BoolArray) -> FloatArray:
    """Central weights: the mean of the weights with which an issue is chosen, as those who would choose it weigh.

    Parameters
    ----------
    weights : float array, shape (draws, groups)
    chosen : bool array, shape (draws, issues)
        Whether the draw chooses the issue: it is first (`highest`), or lies above a threshold.

    Returns
    -------
    float array, shape (issues, groups)
        NaN for an issue that is never chosen. Where all groups rated all issues and the means are fixed, the central
        weights choose an issue that is chosen by being first, or above the mean. In other cases they need not.

    References
    ----------
    Lahdelma and Salminen (2001), as for `rank_acceptability`.

    Examples
    --------
    >>> central_weights(np.array([[0.5, 0.5], [0.7, 0.3]]), np.array([[True, False], [True, False]])).round(9).tolist()
    [[0.6, 0.4], [nan, nan]]
    """
    picked = chosen.astype(float)
    count = np.broadcast_to(picked.sum(axis=0)[:, None], (chosen.shape[1], weights.shape[1]))
    return _ratio(picked.T @ weights, count)


def confidence_factor(means: FloatArray, central: FloatArray) -> FloatArray:
    """Confidence factors: in which share of the draws of the means an issue is first with its central weights.

    A low one says that the answers are too few to tell the issue first even for those whose weights favour it most.

    Parameters
    ----------
    means : float array, shape (draws, groups, issues)
        NaN where a group did not rate an issue.
    central : float array, shape (issues, groups)
        Of `central_weights`, with rank 1 as the choice.

    Returns
    -------
    float array, shape (issues,)
        NaN for an issue without central weights. First counts alone or tied.

    References
    ----------
    Lahdelma and Salminen (2001), as for `rank_acceptability`.

    Examples
    --------
    >>> means = np.array([[[5.0, 3.0], [3.0, 4.0]], [[5.0, 3.0], [4.0, 3.0]]])
    >>> confidence_factor(means, np.array([[0.8, 0.2], [0.2, 0.8]])).tolist()
    [1.0, 0.5]
    """
    draws, groups, issues = means.shape
    flat = np.moveaxis(means, 1, 0).reshape(groups, draws * issues)
    rated = np.isfinite(flat)
    filled, present = np.where(rated, flat, 0.0), rated.astype(float)
    factors = np.full(issues, np.nan)
    for j in np.flatnonzero(np.isfinite(central).all(axis=1)):
        drawn = _ratio(central[j] @ filled, central[j] @ present).reshape(draws, issues)
        factors[j] = highest(drawn)[:, j].mean()
    return factors


def tier_acceptability(
    x: FloatArray, y: FloatArray, rules: tuple[Threshold, Threshold], *, midpoint: float
) -> TierAcceptability:
    """Tier acceptability: in which share of the draws an issue falls in a tier.

    Thresholds that the scores set are set anew in each draw. A score equal to its threshold, rounding aside, does not
    lie above it.

    Parameters
    ----------
    x, y : float arrays, shape (draws, issues)
        Draws of the scores, paired. An issue without a score in some draw has none on that axis, and does not count
        in its threshold.
    rules : pair
        The threshold of x and of y, as for `tiers.threshold`.
    midpoint : float
        Of the scale.

    References
    ----------
    Tervonen and Figueira (2008), as for `rank_acceptability`: category acceptability (SMAA-TRI).

    Examples
    --------
    >>> x, y = np.array([[4.0, 2.0], [4.0, 3.5]]), np.array([[4.0, 2.0], [2.0, 2.0]])
    >>> found = tier_acceptability(x, y, (3.0, 3.0), midpoint=3.0)
    >>> found.tier.tolist(), found.either.tolist()
    ([[0.5, 0.5, 0.0], [0.0, 0.5, 0.5]], [1.0, 0.5])
    """
    drawn = np.stack([x, y])
    known = np.isfinite(drawn).all(axis=1) & (drawn.shape[1] > 0)
    lies_above = np.zeros(drawn.shape, np.bool_)
    for axis, rule in enumerate(rules):
        here = known[axis]
        if here.any():
            values = drawn[axis][:, here]
            lies_above[axis][:, here] = values > threshold(rule, values, midpoint)[:, None] + ROUNDING
    missing = np.where(known, 0.0, np.nan)
    count = lies_above.sum(axis=0)
    draws = max(len(count), 1)
    return TierAcceptability(
        above=lies_above.sum(axis=1) / draws + missing,
        tier=np.stack([(count == 2 - t).sum(axis=0) for t in range(3)], axis=1) / draws + missing.sum(axis=0)[:, None],
    )
