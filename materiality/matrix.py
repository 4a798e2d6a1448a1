"""The matrix: every issue's point on two axes, with its intervals and its tier."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from materiality.clustering import Clusters, cluster_issues
from materiality.estimates import Estimates, Sample
from materiality.study import Study, TierMethod
from materiality.tiers import Tiers, on_top, place
from materiality.weights import hidden_sizes

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Matrix:
    """The points, and what placed them.

    Attributes
    ----------
    points : DataFrame
        A row per issue, in the study's order; the columns of `tables/matrix.csv`.
    x_threshold, y_threshold : float
        On the scale.
    tiers : Tiers
        With the confidence of tier 1 as a whole.
    clusters : Clusters or None
        That make the tiers; None where thresholds do.
    """

    points: pd.DataFrame
    x_threshold: float
    y_threshold: float
    tiers: Tiers
    clusters: Clusters | None = None


def build_matrix(study: Study, estimates: Estimates, generator: np.random.Generator) -> Matrix:
    """Place every issue on the study's two axes.

    Where the study's tiers are by clusters, the tier is the cluster, 1 being at the top right, and its confidence the
    share of the draws in which the issue is in that cluster. Where it finds no clusters there are no tiers. What is
    material the thresholds say in any case.

    Parameters
    ----------
    study : Study
    estimates : Estimates
        Scores, one axis after the other in the study's order, each over the issues.
    generator : numpy Generator
    """
    axes, issues = list(study.axes), len(study.issues)
    where = [np.arange(issues) + axes.index(axis) * issues for axis in (study.x, study.y)]
    both = np.concatenate(where)
    values = estimates.values[both].reshape(2, issues)
    covariance, df = errors_of(estimates)
    tiers = place(
        values,
        covariance[np.ix_(both, both)],
        study.thresholds,
        material_rule=study.tiers.rule,
        midpoint=study.scale.midpoint,
        generator=generator,
        confidence=study.confidence,
        df=df[both].reshape(2, issues),
    )
    clusters = None
    if study.tiers.method is not TierMethod.THRESHOLDS:
        clusters = cluster_issues(study, values, tiers.drawn, generator)
        tiers = _by_clusters(tiers, clusters)
    across, up = where
    untold = np.isnan(np.diag(estimates.covariance))[both].reshape(2, issues).any(axis=0)
    points = pd.DataFrame(
        {
            "issue": [issue.id for issue in study.issues],
            "label": [issue.name for issue in study.issues],
            "pillar": [issue.pillar.value if issue.pillar else "" for issue in study.issues],
            "x": estimates.values[across],
            "x_low": estimates.low[across],
            "x_high": estimates.high[across],
            "y": estimates.values[up],
            "y_low": estimates.low[up],
            "y_high": estimates.high[up],
            "tier": pd.array(np.where(np.isnan(tiers.tier), -1, tiers.tier).astype(int), dtype="Int64"),
            "tier_confidence": np.where(untold, np.nan, tiers.tier_confidence),
            "material": pd.array(tiers.material == 1, dtype="boolean"),
            "p_material": np.where(untold, np.nan, tiers.p_material),
        }
    )
    points.loc[np.isnan(tiers.tier), "tier"] = pd.NA
    points.loc[np.isnan(tiers.material), "material"] = pd.NA
    return Matrix(points, float(tiers.thresholds[0]), float(tiers.thresholds[1]), tiers, clusters)


def _by_clusters(tiers: Tiers, clusters: Clusters) -> Tiers:
    """The tiers with clusters in place of thresholds; none where the issues form a continuum."""
    tier, confidence = np.full((2, len(tiers.tier)), np.nan)
    first = np.zeros(len(tier), np.bool_)
    all_stay = same_set = float("nan")
    top = np.full(2, np.nan)
    found = clusters.stability
    if found is not None:
        tier[clusters.known], confidence[clusters.known] = found.labels + 1, found.confidence
        first[clusters.known] = found.labels == 0
        stays = found.drawn == 0
        all_stay = float(stays[:, found.labels == 0].all(axis=1).mean())
        same_set = float((stays == (found.labels == 0)).all(axis=1).mean())
        top = on_top(tiers.drawn[:, :, clusters.known], first[clusters.known])
    elif not clusters.continuum:
        tier[clusters.known], confidence[clusters.known] = 1.0, 1.0
    return replace(tiers, tier=tier, tier_confidence=confidence, all_stay=all_stay, same_set=same_set, top=top)


def spread_of(estimates: Estimates) -> FloatArray:
    """The covariance to draw scores from: as correlated as the estimates are, and each as wide as its interval.

    A variance that is unknown (one respondent alone) or was not seen (equal answers) is drawn independently.
    """
    variance = np.nan_to_num(np.diag(estimates.covariance))
    seen = variance > 0
    scale = np.divide(estimates.std_dev, np.sqrt(variance), out=np.zeros(variance.shape), where=seen)
    covariance = np.where(np.outer(seen, seen), np.nan_to_num(estimates.covariance), 0.0) * np.outer(scale, scale)
    alone = ~seen & np.isfinite(estimates.values)
    covariance[alone, alone] = np.square(estimates.std_dev[alone])
    return np.asarray(covariance)


def errors_of(estimates: Estimates) -> tuple[FloatArray, FloatArray]:
    """The covariance and the degrees of freedom to draw scores from for tiers: those of the standard errors.

    Draws as wide as the intervals would claim too little for tiers: intervals hold in the worst case, confidences on
    average (`benchmarks/calibration.py`). Where an interval rests on the ends of the scale, or no variance was seen,
    the standard error tells too little, and draws are as wide as the interval, and normal (NaN degrees of freedom).
    """
    wide = estimates.unreliable | ~(np.nan_to_num(np.diag(estimates.covariance)) > 0)
    narrow = np.where(wide, estimates.std_dev, np.sqrt(np.nan_to_num(np.diag(estimates.covariance))))
    return spread_of(replace(estimates, std_dev=narrow)), np.where(wide, np.nan, estimates.df)


def joint_table(study: Study, sample: Sample, estimates: Estimates) -> pd.DataFrame:
    """Where both scores of an issue lie at once: the ellipse of points that its two scores do not rule out.

    The points θ with (θ − θ̂)ᵀ Σ⁻¹ (θ − θ̂) ≤ 2 F, F the quantile of Fisher's distribution with 2 and the smaller of the
    scores' degrees of freedom, Σ their covariance as `spread_of` has it (Johnson and Wichern, Applied Multivariate
    Statistical Analysis, section 5.4). It may reach beyond the scale.

    Returns
    -------
    DataFrame
        issue, correlation (of the two scores' errors), shared (respondents whom both axes ask), semi_major and
        semi_minor (half axes in points), angle (of the major one, degrees anticlockwise from the axis across).
    """
    from scipy.special import fdtri

    issues, shared = len(study.issues), _shared(study, sample)
    across, up = (np.arange(issues) + place * issues for place in study.matrix_places)
    spread = spread_of(estimates)
    rows = []
    for i, (x, y) in enumerate(zip(across, up, strict=True)):
        sigma = spread[np.ix_([x, y], [x, y])]
        known = np.isfinite(estimates.values[[x, y]]).all() and (np.diag(sigma) > 0).all()
        df = max(float(np.nanmin(np.append(estimates.df[[x, y]], 1e9))), 1.0)
        values, vectors = np.linalg.eigh(sigma)
        reach = np.sqrt(2 * fdtri(2, df, study.confidence) * np.clip(values, 0.0, None))
        angle = np.degrees(np.arctan2(vectors[1, 1], vectors[0, 1])) % 180
        rows.append(
            {
                "issue": study.issues[i].id,
                "correlation": sigma[0, 1] / np.sqrt(sigma[0, 0] * sigma[1, 1]) if known else np.nan,
                "shared": shared,
                "semi_major": reach[1] if known else np.nan,
                "semi_minor": reach[0] if known else np.nan,
                "angle": angle if known else np.nan,
            }
        )
    return pd.DataFrame(rows).astype({"shared": "Int64"})


def _shared(study: Study, sample: Sample) -> int | None:
    """Respondents whom both axes of the matrix ask; None where that would tell a size that is not told."""
    weights = np.array(study.layout.group_weights) > 0
    axes = study.matrix_places
    both = {
        cell: sums.n
        for cell, sums in sample.moments.cells.items()
        if all(weights[axis, list(cell.groups)].any() for axis in axes)
    }
    small = hidden_sizes(study, sample.respondents)
    hidden = any(small[list(cell.groups)].any() for cell in both)
    everybody = len(both) == len(sample.moments.cells)
    return None if hidden and not everybody else sum(both.values())
