"""Statistics on plain arrays. Names of issues, groups and files are unknown here."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

FloatArray = NDArray[np.float64]
TAIL = 1e-5
"""Chances at which draws of a chi-square are cut."""
GRID = 256
"""Points between which the chi-square's quantiles are interpolated; the error is below a thousandth."""
ROUNDING = 1e-9
"""Scores that differ by less, in points of the scale, differ by rounding alone."""


def effective_n(total: ArrayLike, total_of_squares: ArrayLike) -> FloatArray:
    """Kish's effective sample size, (sum w)² / sum w², from the two sums.

    How many equally weighted respondents would estimate a mean as precisely.

    Parameters
    ----------
    total, total_of_squares : float array of one shape
        Sums of the weights and of their squares; weights on any scale.

    Returns
    -------
    float array of the same shape
        In respondents; 0 where nobody answered.

    References
    ----------
    Kish (1992), Weighting for unequal Pi, J. Official Statistics 8(2).

    Examples
    --------
    >>> float(effective_n(3.0 + 1.0, 3.0**2 + 1.0**2))
    1.6
    """
    total, squares = np.asarray(total, float), np.asarray(total_of_squares, float)
    return np.divide(total**2, squares, out=np.zeros(np.broadcast(total, squares).shape), where=squares > 0)


def satterthwaite_df(shares: ArrayLike, df: ArrayLike) -> FloatArray:
    """Degrees of freedom of a variance that is a sum of independent ones: (sum V)² / sum V²/df.

    Parameters
    ----------
    shares : float array, shape (parts, estimates)
        Each part's share of each estimate's variance, in squared units of the estimate.
    df : float array, shape (parts,) or (parts, estimates)
        Degrees of freedom of each part; a part with none (0) is left out.

    Returns
    -------
    float array, shape (estimates,)
        NaN where no part has variance.

    References
    ----------
    Satterthwaite (1946), An approximate distribution of estimates of variance components, Biometrics Bulletin 2(6).

    Examples
    --------
    >>> satterthwaite_df([[1.0], [1.0]], [9, 9]).tolist()
    [18.0]
    """
    shares = np.asarray(shares, float)
    df = np.broadcast_to(np.asarray(df, float).reshape(shares.shape[0], -1), shares.shape)
    usable = df > 0
    pieces = np.divide(shares**2, df, out=np.zeros_like(shares), where=usable).sum(axis=0)
    total = np.where(usable, shares, 0.0).sum(axis=0)
    return np.divide(total**2, pieces, out=np.full(total.shape, np.nan), where=pieces > 0)


def t_interval(
    estimate: ArrayLike,
    std_error: ArrayLike,
    df: ArrayLike,
    confidence: float,
    low: float,
    high: float,
    *,
    unseen: ArrayLike = 0.0,
) -> tuple[FloatArray, FloatArray]:
    """Student's t interval, cut at the ends of the scale.

    Parameters
    ----------
    estimate, std_error : float arrays of one shape
        On the rating scale.
    df : float array of that shape
        Degrees of freedom; where unknown (NaN, or none) the whole scale is returned.
    confidence : float
        Between 0 and 1.
    low, high : float
        The ends of the scale.
    unseen : float array
        A further reach, whose square is added to that of the interval's own; where it stands alone, with no standard
        error (0), no degrees of freedom are needed.

    Returns
    -------
    lower, upper : float arrays of that shape
        NaN where the estimate is.
    """
    estimate, std_error, df = np.broadcast_arrays(*(np.asarray(a, float) for a in (estimate, std_error, df)))
    known = np.isfinite(std_error) & (df > 0)
    reach = np.full(estimate.shape, np.inf)
    reach[known] = special.stdtrit(df[known], 0.5 + confidence / 2) * std_error[known]
    reach[std_error == 0] = 0.0
    reach = np.hypot(reach, unseen)
    return np.clip(estimate - reach, low, high), np.clip(estimate + reach, low, high)


def unanimous_share(n: ArrayLike, confidence: float) -> FloatArray:
    """Largest share of dissenters that n unanimous answers leave possible: 1 − (α/2)^(1/n).

    Where everybody gave the same answer the variance is zero and no t interval exists. With this share of the
    population anywhere on the scale, a mean may still lie that share of the scale away.

    Parameters
    ----------
    n : array
        Answers, all equal; 0 gives 1 (anything is possible).
    confidence : float
        Two-sided, between 0 and 1.

    References
    ----------
    Clopper and Pearson (1934), The use of confidence or fiducial limits illustrated in the case of the binomial,
    Biometrika 26(4), for x = n; Hanley and Lippman-Hand (1983), "the rule of three", JAMA 249(13).

    Examples
    --------
    >>> float(unanimous_share(10, 0.95).round(4))
    0.3085
    """
    n = np.asarray(n, float)
    alpha = (1 - confidence) / 2
    return np.where(n > 0, -np.expm1(np.log(alpha) / np.where(n > 0, n, 1.0)), 1.0)


def mixed(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Numbers spread evenly over 64 bits, one to one (the finaliser of SplitMix64: Steele, Lea and Flood 2014)."""
    x = numbers + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def symmetric_root(covariance: FloatArray) -> FloatArray:
    """The symmetric square root of a positive semi-definite matrix.

    It is unique, so draws made with it do not hang on the signs that an eigenvalue routine happens to choose.

    Parameters
    ----------
    covariance : float array, shape (k, k)
        Symmetric; eigenvalues that are rounding beside the largest count as zero.

    Returns
    -------
    float array, shape (k, k)

    Examples
    --------
    >>> symmetric_root(np.array([[4.0, 0.0], [0.0, 9.0]])).tolist()
    [[2.0, 0.0], [0.0, 3.0]]
    """
    values, vectors = np.linalg.eigh((covariance + covariance.T) / 2)
    rounding = len(values) * np.finfo(float).eps * np.abs(values).max(initial=0.0)
    return np.asarray((vectors * np.sqrt(np.where(values > rounding, values, 0.0))) @ vectors.T)


def joint_draws(
    mean: FloatArray,
    covariance: FloatArray,
    draws: int,
    generator: np.random.Generator,
    *,
    df: ArrayLike = np.inf,
) -> FloatArray:
    """Draws of the joint distribution of estimates: each Student's t with its own degrees of freedom.

    Normal draws with the covariance are divided by the root of a chi-square over its degrees of freedom. One uniform
    number per draw sets the chi-square of every estimate, so that estimates with equal degrees of freedom have the
    multivariate t distribution.

    Parameters
    ----------
    mean : float array, shape (k,)
    covariance : float array, shape (k, k)
        May be singular.
    draws : int
        How many.
    generator : numpy Generator
        The only source of randomness.
    df : float array, shape (k,), or float
        Degrees of freedom; infinite or NaN for the normal distribution.

    Returns
    -------
    float array, shape (draws, k)
    """
    noise = generator.standard_normal((draws, len(mean))) @ symmetric_root(covariance)
    df = np.broadcast_to(np.asarray(df, float), np.shape(mean))
    finite = np.flatnonzero(np.isfinite(df))
    if len(finite):
        level = special.ndtri(generator.uniform(TAIL, 1 - TAIL, draws))
        grid = np.linspace(special.ndtri(TAIL), special.ndtri(1 - TAIL), GRID)
        for k in finite:
            share = 2 * special.gammaincinv(df[k] / 2, special.ndtr(grid)) / df[k]
            noise[:, k] /= np.sqrt(np.exp(np.interp(level, grid, np.log(share))))
    return np.asarray(mean + noise)
