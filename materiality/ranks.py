"""Ranks of estimates, with confidence sets for all of them at once and for each alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from materiality.stats import ROUNDING, joint_draws

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
DRAWS = 10_000


@dataclass(frozen=True)
class Ranks:
    """Ranks from the highest estimate (1) down. NaN where there is no estimate.

    Attributes
    ----------
    rank : float array, shape (targets,)
        Equal estimates, rounding aside, share the better rank.
    low, high : float arrays, shape (targets,)
        The best and the worst rank of the simultaneous sets: all true ranks lie in theirs at once with the given
        confidence.
    marginal_low, marginal_high : float arrays, shape (targets,)
        The same for one target looked at alone. Never wider than the simultaneous set.
    top : float array, shape (targets,)
        The smallest k such that this target, looked at alone, is among the true top k with the given confidence: the
        one-sided bound of its rank. Never more than ``marginal_high``.
    """

    rank: FloatArray
    low: FloatArray
    high: FloatArray
    marginal_low: FloatArray
    marginal_high: FloatArray
    top: FloatArray


@dataclass(frozen=True)
class AmongTop:
    """Who is among the true top k, with simultaneous confidence.

    Attributes
    ----------
    surely : bool array, shape (targets,)
        No rank of the set is worse than k. All of these are among the true top k.
    possibly : bool array, shape (targets,)
        Some rank of the set is k or better. All of the true top k are among these.
    """

    surely: BoolArray
    possibly: BoolArray


def rank_sets(
    values: FloatArray,
    covariance: FloatArray,
    *,
    confidence: float,
    df: float,
    generator: np.random.Generator,
    draws: int = DRAWS,
) -> Ranks:
    """Ranks, and sets that hold the true ranks with the given confidence.

    Two targets are told apart by testing "the first is not above the second" and its reverse, every test one of a
    family that errs nowhere with the given confidence: all pairs for the simultaneous sets, the pairs with one target
    for its marginal set, "this target is not above that one" for its `top`. The best rank a target may have is 1 + the
    number of targets surely above it; the worst is the number of targets less those surely below it.

    A family is tested by stepdown. Its studentised differences are compared with a quantile of their maximum in draws
    of the joint distribution; what is rejected leaves the family, and the rest is compared with the maximum of the
    rest, until nothing more is rejected. The first step of all pairs is that of the largest absolute difference, so no
    set is wider than that of a single step. All families share the draws.

    Of targets that are truly equal every rank they span counts as true. Two estimates that vary together, without any
    variance between them, are not told apart; two that are known exactly are.

    Parameters
    ----------
    values : float array, shape (targets,)
        Those that are NaN get no rank, and count in nobody's.
    covariance : float array, shape (targets, targets)
        Of the values.
    confidence : float
        Between 0 and 1: of all simultaneous sets together, of each marginal set, and of each `top`.
    df : float
        Degrees of freedom that all draws share; infinite for the normal distribution.
    generator : numpy Generator
    draws : int

    References
    ----------
    Mogstad, Romano, Shaikh and Wilhelm (2024), Inference for ranks with applications to mobility across neighbourhoods
    and academic achievement across countries, Review of Economic Studies 91(1), section 3; Romano and Wolf (2005),
    Exact and approximate stepdown methods for multiple hypothesis testing, J. American Statistical Association
    100(469).

    Examples
    --------
    >>> ranks = rank_sets(
    ...     np.array([4.5, 4.4, 3.0]), 0.01 * np.eye(3), confidence=0.95, df=np.inf, generator=np.random.default_rng(1)
    ... )
    >>> ranks.rank.tolist(), ranks.low.tolist(), ranks.high.tolist()
    ([1.0, 2.0, 3.0], [1.0, 1.0, 3.0], [2.0, 2.0, 3.0])
    """
    found = {field.name: np.full(len(values), np.nan) for field in fields(Ranks)}
    known = np.flatnonzero(np.isfinite(values))
    if not len(known):
        return Ranks(**found)
    theta, sigma, targets = values[known], covariance[np.ix_(known, known)], len(known)
    variance = np.clip(np.diag(sigma), 0.0, None)  # two scores that offset each other may leave one just below 0
    spread = np.sqrt(np.clip(variance[:, None] + variance[None, :] - 2 * sigma, 0.0, None))
    spread[spread <= 1e-6 * np.sqrt(variance[:, None] + variance[None, :])] = 0.0
    scale = np.divide(1.0, spread, out=np.zeros_like(spread), where=spread > 0)
    noise = np.ascontiguousarray(joint_draws(np.zeros(targets), sigma, draws, generator).T)
    shared = np.sqrt(generator.chisquare(df, draws) / df) if np.isfinite(df) else np.ones(draws)

    # [j, k] is about "j is not above k": how far j lies above k, and whether that needs no test
    lead = theta[:, None] - theta[None, :]
    ahead = lead > ROUNDING
    exact = ahead & (variance[:, None] == 0) & (variance[None, :] == 0)
    statistic = np.where(ahead, lead * scale, 0.0)
    pairs = spread > 0

    def surely_above(family: BoolArray, largest: Callable[[BoolArray], FloatArray]) -> BoolArray:
        def critical(left: BoolArray) -> float:
            maxima = np.divide(largest(left), shared, out=np.full(draws, np.inf), where=shared > 0)
            return float(np.quantile(maxima, confidence, method="higher"))

        return exact | _stepdown(statistic, family, critical)

    def largest_of_all(left: BoolArray) -> FloatArray:
        maxima = np.zeros(draws)
        for j in range(targets - 1):
            later = slice(j + 1, None)
            differences = (noise[j] - noise[later]) * scale[j, later, None]
            np.maximum(maxima, _largest(differences, left[j, later], left[later, j]), out=maxima)
        return maxima

    above = surely_above(pairs, largest_of_all)
    found["rank"][known] = 1 + ahead.sum(axis=0)
    found["low"][known] = 1 + above.sum(axis=0)
    found["high"][known] = targets - above.sum(axis=1)
    for j, target in enumerate(known):
        differences = (noise[j] - noise) * scale[j, :, None]

        def largest_of_one(left: BoolArray, j: int = j, differences: FloatArray = differences) -> FloatArray:
            return _largest(differences, left[j], left[:, j])

        this = np.arange(targets) == j
        above = surely_above(pairs & (this[:, None] | this), largest_of_one)
        found["marginal_low"][target] = 1 + above[:, j].sum()
        found["marginal_high"][target] = targets - above[j].sum()
        above = surely_above(pairs & this[:, None], largest_of_one)
        found["top"][target] = targets - above[j].sum()
    return Ranks(**found)


def _stepdown(statistic: FloatArray, family: BoolArray, critical: Callable[[BoolArray], float]) -> BoolArray:
    """The hypotheses of the family that are rejected, `critical` being the critical value of those that are left."""
    left = family.copy()
    while (left & (statistic > 0)).any():
        rejected = left & (statistic > critical(left))
        if not rejected.any():
            break
        left &= ~rejected
    return family & ~left


def _largest(differences: FloatArray, forward: BoolArray, backward: BoolArray) -> FloatArray:
    """The largest, draw by draw, of some rows and of the negatives of some rows; 0 where all are below."""
    up = differences[forward].max(axis=0, initial=0.0)
    return np.asarray(np.maximum(up, -differences[backward].min(axis=0, initial=0.0)))


def among_top(ranks: Ranks, k: int) -> AmongTop:
    """Who is surely, and who is possibly, among the true top k.

    With the confidence of the ranks' simultaneous sets, every target that is surely there is there, and nobody is
    there who is not possibly there: for all k at once. A target without a rank is neither.

    Parameters
    ----------
    ranks : Ranks
    k : int
        1 or more. True scores that tie with the k-th are all among the top k.

    Raises
    ------
    ValueError
        If k is below 1.

    References
    ----------
    Mogstad, Romano, Shaikh and Wilhelm (2024), as for `rank_sets`: the projection set of the τ-best.

    Examples
    --------
    >>> low, high = np.array([1.0, 1.0, 3.0]), np.array([1.0, 3.0, 3.0])
    >>> found = among_top(Ranks(low, low, high, low, high, high), 2)
    >>> found.surely.tolist(), found.possibly.tolist()
    ([True, False, False], [True, True, False])
    """
    if not k >= 1:
        raise ValueError(f"The top {k} holds no rank.\n  Mend: ask for the top 1 or more.")
    return AmongTop(ranks.high <= k, ranks.low <= k)
