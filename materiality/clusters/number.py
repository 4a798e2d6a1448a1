"""How many clusters points form: gap statistic, silhouette, prediction strength and BIC, side by side."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from materiality.clusters.partitions import kmeans, mixture_log_likelihood
from materiality.stats import ROUNDING

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Partition = Callable[[FloatArray, int], IntArray]
ERRORS = 2.0
"""Standard errors by which more clusters must raise the gap to be preferred."""
STRONG = 0.8
"""Prediction strength from which on clusters count as real: Tibshirani and Walther's 0.8 to 0.9."""


@dataclass(frozen=True)
class Number:
    """Every criterion for each number of clusters, and the number that each would choose.

    Attributes
    ----------
    clusters : int array, shape (K,)
        The numbers tried, 1 to K.
    gap, gap_error : float array, shape (K,)
        Gap statistic, in logarithms of the sum of squares within clusters, and its standard error from simulation.
        NaN where all points are equal.
    silhouette : float array, shape (K,)
        Mean silhouette width, -1 to 1; NaN for one cluster.
    prediction_strength : float array, shape (K,)
        0 to 1, and 1 for one cluster; NaN where half of the points are fewer than two for each cluster.
    bic : float array, shape (K,)
        Of Gaussian mixtures with one covariance, smaller is better; NaN where a mixture has as many parameters as
        there are points.
    by_gap, by_silhouette, by_prediction_strength, by_bic : int
        What each criterion chooses; 1 where it is undefined throughout. The silhouette cannot choose 1 otherwise.
    """

    clusters: IntArray
    gap: FloatArray
    gap_error: FloatArray
    silhouette: FloatArray
    prediction_strength: FloatArray
    bic: FloatArray
    by_gap: int
    by_silhouette: int
    by_prediction_strength: int
    by_bic: int


def number_of_clusters(
    points: FloatArray,
    generator: np.random.Generator,
    *,
    fit: Partition = kmeans,
    most: int = 6,
    references: int = 100,
    splits: int = 50,
) -> Number:
    """How many clusters the points form, by four criteria.

    The gap statistic can say that the points are a continuum: it chooses 1 unless they fall into clusters more clearly
    than points spread evenly over their box would. In simulations of 25 points its rule, `first_sufficient`, chose
    more than 1 for 0 to 3 % of normal clouds, 7 % of even squares, and 16 % of even bands three or six times as long
    as wide. It found two or three like clusters in 97 to 100 % where the centres lay six standard deviations of a
    cluster apart, in about 86 % at five, and in 33 to 44 % at four. Errors of measurement widen the clusters, and so
    hide them.

    Parameters
    ----------
    points : float array, shape (n, d)
        One row per issue, on axes with comparable units.
    generator : numpy Generator
    fit : callable
        From points of shape (…, n, d) and a number of clusters to labels 0, 1, … of shape (…, n). It receives
        the points in their principal coordinates, so that it must not hang on the direction of the axes. The BIC is
        always that of the mixtures.
    most : int
        Largest number tried; also no more than half of the points, nor than the distinct points.
    references : int
        Simulated sets of points for the gap statistic.
    splits : int
        Random halvings for the prediction strength.

    Returns
    -------
    Number
        Points on a line, or all equal, are judged in the dimensions that they do fill.

    Raises
    ------
    ValueError
        If there is no point, a coordinate is not finite, or ``most``, ``references`` or ``splits`` is below 1.

    References
    ----------
    Tibshirani, Walther and Hastie (2001), Estimating the number of clusters in a data set via the gap statistic,
    J. Royal Statistical Society B 63(2); Rousseeuw (1987), Silhouettes, J. Computational and Applied Mathematics 20;
    Tibshirani and Walther (2005), Cluster validation by prediction strength, J. Computational and Graphical
    Statistics 14(3); Fraley and Raftery (2002), Model-based clustering, J. American Statistical Association 97.

    Examples
    --------
    >>> corners = np.repeat([[1.0, 1.0], [5.0, 5.0]], 10, axis=0)
    >>> jitter = np.random.default_rng(1).normal(0, 0.2, (20, 2))
    >>> number_of_clusters(corners + jitter, np.random.default_rng(2)).by_gap
    2
    """
    points = np.asarray(points, float)
    if points.ndim != 2 or not points.size or not np.isfinite(points).all():
        raise ValueError("points must be one or more rows of finite coordinates")
    if min(most, references, splits) < 1:
        raise ValueError("most, references and splits must be 1 or more")
    points = _principal(points)
    n, rank = points.shape
    places = len(np.unique(points, axis=0)) if rank else 1
    clusters = np.arange(1, max(min(most, n // 2, places), 1) + 1)
    gap, error, silhouette, bic = np.full((4, len(clusters)), np.nan)
    strength = np.where(clusters == 1, 1.0, np.nan)
    if rank:
        box = generator.uniform(points.min(axis=0), points.max(axis=0), (references, n, rank))
        sets = np.concatenate([points[None], box])
        labels = [np.zeros((references + 1, n), np.int64), *(fit(sets, k) for k in clusters[1:])]
        gap, error = _gap(sets, labels)
        silhouette[1:] = [_silhouette(points, found[0]) for found in labels[1:]]
        halves = _halves(points, splits, generator)
        strength[1:] = [_prediction_strength(halves, k, fit) for k in clusters[1:]]
        bic[:] = [_bic(points, k) for k in clusters]
    return Number(
        clusters=clusters,
        gap=gap,
        gap_error=error,
        silhouette=silhouette,
        prediction_strength=strength,
        bic=bic,
        by_gap=first_sufficient(gap, error),
        by_silhouette=1 + int(np.nan_to_num(silhouette, nan=-np.inf).argmax()),
        by_prediction_strength=1 + int(np.flatnonzero(strength >= STRONG)[-1]),
        by_bic=1 + int(np.nan_to_num(bic, nan=np.inf).argmin()),
    )


def first_sufficient(gap: FloatArray, error: FloatArray) -> int:
    """The smallest number whose gap comes within `ERRORS` standard errors of the largest gap.

    The rule of the first paper looks one step ahead: it takes the smallest number whose gap is within one standard
    error of the next. Three clusters of like size in a row or a triangle gain nothing at two, so that with 25 points
    it calls them one cluster, most often the more clearly they are apart. It also splits an even band more often.

    Parameters
    ----------
    gap, error : float array, shape (K,)
        For 1 to K clusters; the error is that of the gap it stands with.

    Returns
    -------
    int
        1 to K; 1 where the gap is undefined.

    References
    ----------
    Dudoit and Fridlyand (2002), A prediction-based resampling method for estimating the number of clusters in a
    dataset, Genome Biology 3(7); "globalSEmax" of R's ``cluster::maxSE``, with ``SE.factor = 2``.

    Examples
    --------
    >>> first_sufficient(np.array([0.1, 0.0, 0.6, 0.7]), np.array([0.1, 0.1, 0.1, 0.1]))
    3
    """
    best = gap.argmax()
    return 1 + int((gap >= gap[best] - ERRORS * error[best]).argmax())


def _principal(points: FloatArray) -> FloatArray:
    """The points in their principal coordinates, without those in which they differ by rounding alone."""
    unit = ROUNDING * np.abs(points).max()
    centred = points - points.mean(axis=0)
    _, lengths, axes = np.linalg.svd(centred, full_matrices=False)
    # the turn must not pull points apart that coincide
    return np.asarray(np.round(centred @ axes[lengths > unit].T / unit) * unit)


def _members(labels: IntArray, k: int) -> FloatArray:
    """1 where a point belongs to a cluster, shape (…, n, k)."""
    return (labels[..., None] == np.arange(k)).astype(float)


def _centres(points: FloatArray, members: FloatArray) -> FloatArray:
    """The mean of each cluster, shape (…, k, d); out of reach where it is empty."""
    size = members.sum(axis=-2)[..., None]
    total = np.swapaxes(members, -1, -2) @ points
    return np.divide(total, size, out=np.full(total.shape, np.inf), where=size > 0)


def _log_within(points: FloatArray, labels: IntArray, k: int) -> FloatArray:
    """Logarithm of the sum of squares within clusters; where only rounding is left, that of the rounding."""
    centres = np.take_along_axis(_centres(points, _members(labels, k)), labels[..., None], axis=-2)
    within = ((points - centres) ** 2).sum(axis=(-2, -1))
    return np.asarray(np.log(np.maximum(within, ROUNDING**2 * (points**2).sum(axis=(-2, -1)))))


def _gap(sets: FloatArray, labels: list[IntArray]) -> tuple[FloatArray, FloatArray]:
    """Gap statistic of the first set of points against the others, and its standard error, for 1 to K clusters."""
    within = np.array([_log_within(sets, found, k) for k, found in enumerate(labels, start=1)])
    references = within[:, 1:]
    return references.mean(axis=1) - within[:, 0], references.std(axis=1) * np.sqrt(1 + 1 / references.shape[1])


def _silhouette(points: FloatArray, labels: IntArray) -> float:
    """Mean silhouette width; a point alone in its cluster has width 0."""
    members = _members(labels, int(labels.max()) + 1)
    members = members[:, members.any(axis=0)]
    if members.shape[1] < 2:
        return float("nan")
    own, size = members.astype(np.bool_), members.sum(axis=0)
    total = np.sqrt(((points[:, None] - points) ** 2).sum(axis=-1)) @ members
    within = total[own] / np.maximum((members @ size) - 1, 1)
    nearest = np.where(own, np.inf, total / size).min(axis=1)
    larger = np.where(members @ size > 1, np.maximum(within, nearest), 0.0)
    return float(np.divide(nearest - within, larger, out=np.zeros(len(points)), where=larger > 0).mean())


def _halves(points: FloatArray, splits: int, generator: np.random.Generator) -> FloatArray:
    """Random halves of the points, shape (splits, 2, n // 2, d); of an odd number one point sits out of each split."""
    n = len(points)
    order = generator.permuted(np.tile(np.arange(n), (splits, 1)), axis=1)
    return points[order[:, : n // 2 * 2].reshape(splits, 2, n // 2)]


def _prediction_strength(halves: FloatArray, k: int, fit: Partition) -> float:
    """Share of the pairs that stay together in the cluster where it is least, over halves that predict each other.

    Each half is clustered, and its points are also given to the nearest centre of the other half's clusters. A
    cluster of one point has no pairs and does not count.
    """
    if halves.shape[-2] < 2 * k:
        return float("nan")
    members = _members(fit(halves, k), k)
    others = _centres(halves, members)[:, ::-1]
    predicted = ((halves[..., None, :] - others[..., None, :, :]) ** 2).sum(axis=-1).argmin(axis=-1)
    together = ((np.swapaxes(members, -1, -2) @ _members(predicted, k)) ** 2).sum(axis=-1)
    size = members.sum(axis=-2)
    share = np.divide(together - size, size * (size - 1), out=np.ones(size.shape), where=size > 1)
    return float(share.min(axis=-1).mean())


def _bic(points: FloatArray, k: int) -> float:
    """Bayesian information criterion of the mixture of k normal distributions with one covariance."""
    n, d = points.shape
    parameters = k - 1 + k * d + d * (d + 1) // 2
    if parameters >= n:
        return float("nan")
    return float(parameters * np.log(n) - 2 * mixture_log_likelihood(points, k))
