"""The matrix: every issue's point on two axes, with its intervals and its tier."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from materiality.estimates import Estimates
from materiality.study import Study, ThresholdRule
from materiality.tiers import Tiers, place

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
    """

    points: pd.DataFrame
    x_threshold: float
    y_threshold: float
    tiers: Tiers


def build_matrix(study: Study, estimates: Estimates, generator: np.random.Generator) -> Matrix:
    """Place every issue on the study's two axes.

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
    rules = tuple(study.tiers.thresholds.get(axis, ThresholdRule.MEAN) for axis in (study.x, study.y))
    tiers = place(
        estimates.values[both].reshape(2, issues),
        spread_of(estimates, study)[np.ix_(both, both)],
        (rules[0], rules[1]),
        material_rule=study.tiers.rule,
        midpoint=study.scale.midpoint,
        generator=generator,
        df=np.where(np.diag(estimates.covariance) > 0, estimates.df, np.nan)[both].reshape(2, issues),
    )
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
    points.loc[np.isnan(tiers.tier), ["tier", "material"]] = pd.NA
    return Matrix(points, float(tiers.thresholds[0]), float(tiers.thresholds[1]), tiers)


def spread_of(estimates: Estimates, study: Study) -> FloatArray:
    """The covariance to draw scores from.

    To the covariance is added what the intervals reach further for groups whose answers are all equal, independently
    for each score. Where a variance is unknown (one respondent alone) a score is as uncertain as its interval is wide.
    """
    from scipy.special import ndtri

    covariance = estimates.covariance.copy()
    z = ndtri(0.5 + study.confidence / 2)
    unknown = np.flatnonzero(np.isnan(np.diag(covariance)) & np.isfinite(estimates.values))
    covariance[unknown, :] = 0.0
    covariance[:, unknown] = 0.0
    reach = np.maximum(estimates.high - estimates.values, estimates.values - estimates.low)
    covariance[unknown, unknown] = np.square(reach[unknown] / z)
    return covariance + np.diag(np.square(estimates.unseen / z))
