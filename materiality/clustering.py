"""Whether the issues of a study fall into clusters, which, and how surely."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from materiality.clusters import (
    Stability,
    adjusted_rand,
    gaussian_mixture,
    kmeans,
    natural_breaks,
    ordered_labels,
    stability,
    verdict,
    ward,
)
from materiality.clusters.number import Number, number_of_clusters
from materiality.stats import ROUNDING
from materiality.study import Study, TierMethod

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


def breaks(points: FloatArray, k: int) -> IntArray:
    """Natural breaks of points with one coordinate, shape (…, n, 1)."""
    return natural_breaks(points[..., 0], k)


FITS: dict[TierMethod, Callable[..., IntArray]] = {
    TierMethod.KMEANS: kmeans,
    TierMethod.GAUSSIAN_MIXTURE: gaussian_mixture,
    TierMethod.WARD: ward,
    TierMethod.NATURAL_BREAKS: breaks,
}


@dataclass(frozen=True)
class WidestGap:
    """The widest gap between neighbours on a line.

    Attributes
    ----------
    share : float
        Of the way from the first to the last.
    p : float
        Chance of a gap as wide, somewhere, among as many points spread evenly between these two.
    """

    share: float
    p: float


def widest_gap(values: FloatArray) -> WidestGap | None:
    """The widest gap between values, and how often evenly spread ones would show it.

    n − 2 points between the ends make n − 1 gaps, of which one is wider than a share g with the probability
    Σ_k (−1)^(k+1) C(n − 1, k) (1 − k g)^(n − 2), k running while k g < 1.

    Parameters
    ----------
    values : float array, shape (n,)

    Returns
    -------
    WidestGap
        None for fewer than three values, or where all are equal.

    References
    ----------
    Fisher (1929), Tests of significance in harmonic analysis, Proc. Royal Society A 125; David and Nagaraja (2003),
    Order Statistics, section 6.4.

    Examples
    --------
    >>> widest_gap(np.array([0.0, 1.0, 10.0]))
    WidestGap(share=0.9, p=0.2)
    """
    ordered = np.sort(values)
    length = float(np.ptp(ordered)) if len(ordered) else 0.0
    if len(ordered) < 3 or length <= ROUNDING:
        return None
    share = float(np.diff(ordered).max()) / length
    gaps = len(ordered) - 1
    exact = Fraction(share)  # the terms are huge, of both signs, and all but cancel
    p = sum(
        (-1) ** (k + 1) * math.comb(gaps, k) * (1 - k * exact) ** (gaps - 1)
        for k in range(1, gaps + 1)
        if k * exact < 1
    )
    return WidestGap(share, round(float(p), 12))


@dataclass(frozen=True)
class Clusters:
    """Clusters of the issues that have both scores.

    Attributes
    ----------
    method : TierMethod
        The study's, or k-means where its tiers are by thresholds.
    given : bool
        The study gives the number of clusters.
    count : int
        How many there are; 1 where the issues form a continuum, 0 where no issue has both scores.
    number : Number or None
        What the criteria say of the number; None without issues.
    gap : WidestGap or None
        Along the line on which the issues spread most; None for fewer than three places on it.
    known : int array
        Places of the issues that have both scores.
    stability : Stability or None
        Of the clusters, over the issues with both scores; None unless there are two clusters or more.
    others : mapping of TierMethod to int array
        Labels by the other methods, with as many clusters; 0 is the cluster at the top right.
    """

    method: TierMethod
    given: bool
    count: int
    number: Number | None
    gap: WidestGap | None
    known: IntArray
    stability: Stability | None
    others: dict[TierMethod, IntArray]

    @property
    def continuum(self) -> bool:
        """The issues fall into no clusters, and the study does not ask for a number of them."""
        return self.count == 1 and not self.given


def cluster_issues(study: Study, values: FloatArray, drawn: FloatArray, generator: np.random.Generator) -> Clusters:
    """Clusters of the issues on the two axes, both in points of the scale.

    Natural breaks part the mean of the two scores; the other methods part the points. As many clusters are made as the
    study says, or else as the gap statistic finds, which may be one.

    Parameters
    ----------
    study : Study
    values : float array, shape (2, issues)
        Scores on x and on y; NaN where an issue has none.
    drawn : float array, shape (draws, 2, issues)
        Draws of the scores.
    generator : numpy Generator
        For the criteria of the number.
    """
    method = TierMethod.KMEANS if study.tiers.method is TierMethod.THRESHOLDS else study.tiers.method
    known = np.flatnonzero(np.isfinite(values).all(axis=0))
    given = study.tiers.clusters is not None
    if not len(known):
        return Clusters(method, given, 0, None, None, known, None, {})
    plane, draws = values[:, known].T, drawn[:, :, known].transpose(0, 2, 1)
    points = _coordinates(plane, method)
    number = number_of_clusters(points, generator, fit=FITS[method])
    gap = widest_gap(_along(points))
    count = min(study.tiers.clusters or number.by_gap, len(known))
    if count < 2:
        return Clusters(method, given, count, number, gap, known, None, {})
    others = {
        other: ordered_labels(_coordinates(plane, other), fit(_coordinates(plane, other), count), count)
        for other, fit in FITS.items()
        if other is not method
    }
    found = stability(points, _coordinates(draws, method), count, FITS[method])
    return Clusters(method, given, count, number, gap, known, found, others)


def _along(points: FloatArray) -> FloatArray:
    """Where points lie on the line on which they spread most."""
    centred = points - points.mean(axis=0)
    return np.asarray(centred @ np.linalg.eigh(centred.T @ centred)[1][:, -1])


def _coordinates(points: FloatArray, method: TierMethod) -> FloatArray:
    """What a method parts: the points, or for natural breaks the mean of the two scores as a single coordinate."""
    return points.mean(axis=-1, keepdims=True) if method is TierMethod.NATURAL_BREAKS else points


def cluster_tables(study: Study, clusters: Clusters) -> dict[str, pd.DataFrame]:
    """The clusters as tables, by name.

    Returns
    -------
    dict of DataFrame
        `cluster_number`: clusters (1, 2, …), gap, gap_error, silhouette, prediction_strength, bic, chosen_by (names of
        the criteria that would take this many, separated by blanks), chosen. `clusters`: issue, cluster (1 is at the
        top right), confidence (share of the draws in which the issue is in it), and the cluster by each other method.
        `cluster_stability`: cluster, issues (how many), jaccard, verdict. `cluster_agreement`: method, adjusted_rand
        (agreement with the method used: 1 is the same clusters, 0 as much as by chance). `co_assignment`: issue, other,
        share (of the draws in which both are in one cluster). The last four are empty where there are no clusters.
    """
    ids = [study.issues[i].id for i in clusters.known]
    empty = {
        "cluster_number": pd.DataFrame(),
        "clusters": pd.DataFrame(),
        "cluster_stability": pd.DataFrame(),
        "cluster_agreement": pd.DataFrame(),
        "co_assignment": pd.DataFrame(),
    }
    if clusters.number is None:
        return empty
    empty["cluster_number"] = _number_table(clusters, clusters.number)
    found = clusters.stability
    if found is None:
        return empty
    pairs = list(combinations(range(len(ids)), 2))
    return {
        **empty,
        "clusters": pd.DataFrame(
            {
                "issue": ids,
                "cluster": found.labels + 1,
                "confidence": found.confidence,
                **{method.value: labels + 1 for method, labels in clusters.others.items()},
            }
        ),
        "cluster_stability": pd.DataFrame(
            {
                "cluster": np.arange(1, clusters.count + 1),
                "issues": np.bincount(found.labels, minlength=clusters.count),
                "jaccard": found.jaccard,
                "verdict": [verdict(value).value for value in found.jaccard],
            }
        ),
        "cluster_agreement": pd.DataFrame(
            {
                "method": [method.value for method in clusters.others],
                "adjusted_rand": [adjusted_rand(found.labels, labels) for labels in clusters.others.values()],
            }
        ),
        "co_assignment": pd.DataFrame(
            {
                "issue": [ids[one] for one, _ in pairs],
                "other": [ids[other] for _, other in pairs],
                "share": [found.co_assignment[pair] for pair in pairs],
            }
        ),
    }


def _number_table(clusters: Clusters, number: Number) -> pd.DataFrame:
    criteria: dict[str, Any] = {
        "gap": number.by_gap,
        "silhouette": number.by_silhouette,
        "prediction_strength": number.by_prediction_strength,
        "bic": number.by_bic,
    }
    return pd.DataFrame(
        {
            "clusters": number.clusters,
            "gap": number.gap,
            "gap_error": number.gap_error,
            "silhouette": number.silhouette,
            "prediction_strength": number.prediction_strength,
            "bic": number.bic,
            "chosen_by": [" ".join(name for name, k in criteria.items() if k == count) for count in number.clusters],
            "chosen": number.clusters == clusters.count,
        }
    )
