"""How stable clusters are when the scores are drawn anew."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

from materiality.clusters.partitions import ordered_labels

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
MOST_MATCHED = 10
"""The work of matching labels doubles with each cluster; above so many they are not matched."""


class Verdict(StrEnum):
    """What the mean Jaccard similarity says of a cluster, in Hennig's words."""

    STABLE = "stable"
    PATTERN = "pattern"
    DOUBTFUL = "doubtful"
    DISSOLVED = "dissolved"
    EMPTY = "empty"


@dataclass(frozen=True)
class Stability:
    """Clusters, and how far draws of the scores agree with them.

    Attributes
    ----------
    labels : int array, shape (n,)
        From the data themselves; 0 is the cluster at the top right.
    confidence : float array, shape (n,)
        Share of the draws in which the point has that label, after labels are matched.
    co_assignment : float array, shape (n, n)
        Share of the draws in which both points fall in one cluster.
    jaccard : float array, shape (k,)
        Mean over draws of each cluster's largest Jaccard similarity with a cluster of the draw; NaN where the cluster
        is empty, which happens only where there are fewer distinct points than clusters or a mixture's component is
        nowhere the likeliest.
    drawn : int array, shape (draws, n)
        The labels of every draw, matched.
    """

    labels: IntArray
    confidence: FloatArray
    co_assignment: FloatArray
    jaccard: FloatArray
    drawn: IntArray


def stability(points: ArrayLike, draws: ArrayLike, k: int, fit: Callable[..., IntArray]) -> Stability:
    """Fit the clusters to the data and anew to every draw, and compare.

    Labels are matched by the largest overlap with those of the data. The order from the top right would not do: where
    two clusters lie at about the same height it flips from draw to draw though the clusters stay the same.

    Parameters
    ----------
    points : float array, shape (n, d) or (n,)
        Scores on the axes, or one score.
    draws : float array, shape (draws, n, d) or (draws, n)
        Of the same scores.
    k : int
        Clusters, at most 10.
    fit : callable
        ``fit(points, k)`` returns labels, for any leading axes: `kmeans`, `ward`, `gaussian_mixture` or
        `natural_breaks`. Where it takes ``starts``, the draws are fitted from the labels of the data as well.

    Returns
    -------
    Stability
        Shares are NaN where there are no draws.

    Raises
    ------
    ValueError
        If the draws do not fit the points, k is above 10, or `fit` refuses k or a coordinate.

    References
    ----------
    Hennig (2007), Cluster-wise assessment of cluster stability, Computational Statistics and Data Analysis 52(1).
    """
    points, draws = np.asarray(points, float), np.asarray(draws, float)
    if draws.ndim != points.ndim + 1 or draws.shape[1:] != points.shape:
        raise ValueError(f"draws of shape {draws.shape} do not fit points of shape {points.shape}")
    base = ordered_labels(points, fit(points, k), k)
    again = fit(draws, k, starts=base) if "starts" in inspect.signature(fit).parameters else fit(draws, k)
    labels = matched(ordered_labels(draws, again, k), base, k)
    return Stability(
        labels=base,
        confidence=_mean(labels == base),
        co_assignment=co_assignment(labels),
        jaccard=jaccard(labels, base, k),
        drawn=labels,
    )


def matched(labels: ArrayLike, base: ArrayLike, k: int) -> IntArray:
    """Labels of each draw renumbered so that as many points as possible keep their label of the base.

    Of renumberings that tie, one that keeps most numbers is taken.

    Parameters
    ----------
    labels : int array, shape (draws, n)
        From 0 to k - 1.
    base : int array, shape (n,)
        From 0 to k - 1.
    k : int
        At most 10.

    Returns
    -------
    int array, shape (draws, n)

    Raises
    ------
    ValueError
        If shapes or labels do not fit, or k is above 10.

    Examples
    --------
    >>> matched([[1, 1, 0], [0, 1, 1]], [0, 0, 1], 2).tolist()
    [[0, 0, 1], [0, 1, 1]]
    """
    labels, base = _checked(labels, base, k)
    if k > MOST_MATCHED:
        raise ValueError(f"labels of at most {MOST_MATCHED} clusters can be matched, not of {k}")
    shared = _overlap(labels, base, k) * (k + 1) + np.eye(k)[:, :, None]
    # Over sets of the draw's clusters, written as bits: the best sum with the first clusters of the base.
    best = np.zeros((1 << k, len(labels)))
    last = np.zeros((1 << k, len(labels)), np.int8)
    for taken in range(1, 1 << k):
        row = shared[taken.bit_count() - 1]
        ends = [cluster for cluster in range(k) if taken >> cluster & 1]
        sums = np.stack([best[taken ^ 1 << cluster] + row[cluster] for cluster in ends])
        last[taken] = np.array(ends, np.int8)[sums.argmax(axis=0)]
        best[taken] = sums.max(axis=0)
    number = np.empty((len(labels), k), np.int64)
    taken_by, each = np.full(len(labels), (1 << k) - 1), np.arange(len(labels))
    for cluster in range(k - 1, -1, -1):
        chosen = last[taken_by, each].astype(np.int64)
        number[each, chosen] = cluster
        taken_by ^= 1 << chosen
    return np.take_along_axis(number, labels, axis=1)


def co_assignment(labels: ArrayLike) -> FloatArray:
    """Share of the draws in which each pair of points falls in one cluster.

    Parameters
    ----------
    labels : int array, shape (draws, n)
        Numbers matter only within a draw.

    Returns
    -------
    float array, shape (n, n)
        Symmetric, 1 on the diagonal; NaN without draws.

    Examples
    --------
    >>> co_assignment([[0, 0, 1], [1, 0, 0]]).tolist()
    [[1.0, 0.5, 0.0], [0.5, 1.0, 0.5], [0.0, 0.5, 1.0]]
    """
    labels = np.asarray(labels, np.int64)
    draws, n = labels.shape
    if not draws:
        return np.full((n, n), np.nan)
    together = np.zeros((n, n))
    for cluster in np.unique(labels):
        member = (labels == cluster).astype(float)
        together += member.T @ member
    return together / draws


def jaccard(labels: ArrayLike, base: ArrayLike, k: int) -> FloatArray:
    """Mean over the draws of each base cluster's largest Jaccard similarity with a cluster of the draw.

    The similarity of two sets is the size of what they share over the size of what either has.

    Parameters
    ----------
    labels : int array, shape (draws, n)
        From 0 to k - 1, matched or not.
    base : int array, shape (n,)
        From 0 to k - 1.
    k : int

    Returns
    -------
    float array, shape (k,)
        From 0 to 1; NaN for an empty cluster, and without draws.

    Raises
    ------
    ValueError
        If shapes or labels do not fit.

    References
    ----------
    Hennig (2007), Cluster-wise assessment of cluster stability, Computational Statistics and Data Analysis 52(1).

    Examples
    --------
    >>> jaccard([[0, 0, 1], [0, 1, 1]], [0, 0, 1], 2).tolist()
    [0.75, 0.75]
    """
    labels, base = _checked(labels, base, k)
    shared = _overlap(labels, base, k)
    size = shared.sum(axis=1)
    either = size[:, None] + shared.sum(axis=0) - shared
    most = np.divide(shared, either, out=np.zeros(shared.shape), where=either > 0).max(axis=1)
    return np.where(np.bincount(base, minlength=k) > 0, _mean(most.T), np.nan)


def verdict(jaccard: float) -> Verdict:
    """Hennig's reading of a mean Jaccard similarity.

    Stable from 0.75; a pattern in the data, but unsure which points belong to it, from 0.6; doubtful from 0.5;
    dissolved below. Empty where it is NaN.

    References
    ----------
    Hennig (2007), Cluster-wise assessment of cluster stability, Computational Statistics and Data Analysis 52(1).

    Examples
    --------
    >>> verdict(0.75).value
    'stable'
    """
    if np.isnan(jaccard):
        return Verdict.EMPTY
    if jaccard >= 0.75:
        return Verdict.STABLE
    if jaccard >= 0.6:
        return Verdict.PATTERN
    return Verdict.DOUBTFUL if jaccard >= 0.5 else Verdict.DISSOLVED


def adjusted_rand(labels_a: ArrayLike, labels_b: ArrayLike) -> float:
    """Agreement of two partitions: 1 where they are the same, 0 on average where drawn at random with these sizes.

    Parameters
    ----------
    labels_a, labels_b : int arrays, shape (n,)
        Numbers matter only within a partition.

    Returns
    -------
    float
        At most 1; 1 where both put all points together, or all apart.

    Raises
    ------
    ValueError
        If the two are not of one length.

    References
    ----------
    Hubert and Arabie (1985), Comparing partitions, J. Classification 2.

    Examples
    --------
    >>> adjusted_rand([0, 0, 1, 1], [1, 1, 0, 0])
    1.0
    """
    a, b = np.asarray(labels_a), np.asarray(labels_b)
    if a.ndim != 1 or a.shape != b.shape:
        raise ValueError(f"partitions of shapes {a.shape} and {b.shape} cannot be compared")
    table = (a[:, None] == np.unique(a)).astype(float).T @ (b[:, None] == np.unique(b))
    both, in_a, in_b = (_pairs(counts) for counts in (table, table.sum(axis=1), table.sum(axis=0)))
    every = _pairs(np.array([float(a.size)]))
    if in_a == in_b == both:
        return 1.0
    expected = in_a * in_b / every
    return (both - expected) / ((in_a + in_b) / 2 - expected)


def _pairs(counts: FloatArray) -> float:
    return float((counts * (counts - 1)).sum() / 2)


def _checked(labels: ArrayLike, base: ArrayLike, k: int) -> tuple[IntArray, IntArray]:
    labels, base = np.asarray(labels, np.int64), np.asarray(base, np.int64)
    if base.ndim != 1 or labels.ndim != 2 or labels.shape[1:] != base.shape:
        raise ValueError(f"labels of shape {labels.shape} do not fit a base of shape {base.shape}")
    for some in (labels, base):
        if some.size and not (some.min() >= 0 and some.max() < k):
            raise ValueError(f"labels must lie from 0 to {k - 1}")
    return labels, base


def _overlap(labels: IntArray, base: IntArray, k: int) -> FloatArray:
    """Points shared by each cluster of the base and each of the draw, shape (k, k, draws)."""
    inside = (base == np.arange(k)[:, None]).astype(float)
    return np.stack([inside @ (labels == cluster).T for cluster in range(k)], axis=1)


def _mean(values: NDArray[np.generic]) -> FloatArray:
    """Over the draws, which come first; NaN without any."""
    return values.mean(axis=0, dtype=float) if len(values) else np.full(values.shape[1:], np.nan)
