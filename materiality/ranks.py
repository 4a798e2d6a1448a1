"""Ranks of estimates, with simultaneous confidence sets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from materiality.stats import ROUNDING, joint_draws

FloatArray = NDArray[np.float64]
DRAWS = 10_000


@dataclass(frozen=True)
class Ranks:
    """Ranks from the highest estimate (1) down.

    Attributes
    ----------
    rank, low, high : float arrays, shape (targets,)
        The rank and the ends of its confidence set; NaN where there is no estimate. Equal estimates, rounding
        aside, share the better rank.
    """

    rank: FloatArray
    low: FloatArray
    high: FloatArray


def rank_sets(
    values: FloatArray,
    covariance: FloatArray,
    *,
    confidence: float,
    df: float,
    generator: np.random.Generator,
    draws: int = DRAWS,
) -> Ranks:
    """Ranks and sets that hold all true ranks at once with the given confidence.

    Every pair's difference gets an interval, its width from the largest studentised difference in draws of the joint
    distribution. The best rank an issue may have is 1 + the number of issues surely above it; the worst is the number
    of issues less those surely below it. Two estimates that vary together, without any
    variance between them, are not told apart; two that are known exactly are.

    Parameters
    ----------
    values : float array, shape (targets,)
        Those that are NaN get no rank, and count in nobody's.
    covariance : float array, shape (targets, targets)
        Of the values.
    confidence : float
        Simultaneous, over all targets.
    df : float
        Degrees of freedom that all draws share; infinite for the normal distribution.
    generator : numpy Generator
    draws : int

    References
    ----------
    Mogstad, Romano, Shaikh and Wilhelm (2024), Inference for ranks with applications to mobility across neighbourhoods
    and academic achievement across countries, Review of Economic Studies 91(1), section 3.3 (single step).
    """
    rank, low, high = (np.full(len(values), np.nan) for _ in range(3))
    known = np.flatnonzero(np.isfinite(values))
    if not len(known):
        return Ranks(rank, low, high)
    theta, sigma = values[known], covariance[np.ix_(known, known)]
    variance = np.diag(sigma)
    spread = np.sqrt(np.clip(variance[:, None] + variance[None, :] - 2 * sigma, 0.0, None))
    spread[spread <= 1e-6 * np.sqrt(variance[:, None] + variance[None, :])] = 0.0
    scale = np.divide(1.0, spread, out=np.zeros_like(spread), where=spread > 0)
    noise = joint_draws(np.zeros(len(known)), sigma, draws, generator)
    largest = np.zeros(draws)
    for k in range(len(known)):
        np.maximum(largest, np.abs((noise - noise[:, [k]]) * scale[k]).max(axis=1), out=largest)
    if np.isfinite(df):
        shared = np.sqrt(generator.chisquare(df, draws) / df)
        largest = np.divide(largest, shared, out=np.full(draws, np.inf), where=shared > 0)
    critical = np.quantile(largest, confidence, method="higher")
    gap = theta[None, :] - theta[:, None]
    exact = (variance[:, None] == 0) & (variance[None, :] == 0)
    above = (exact | (spread > 0) & (gap * scale > critical)) & (gap > ROUNDING)
    rank[known] = 1 + (gap > ROUNDING).sum(axis=1)
    low[known] = 1 + above.sum(axis=1)
    high[known] = len(known) - above.sum(axis=0)
    return Ranks(rank, low, high)
