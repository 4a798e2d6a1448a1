"""The report: one page that opens offline."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from materiality.assessment import Assessment
from materiality.study import MaterialRule, ThresholdRule


def render_report(assessment: Assessment, matrix_svg: bytes, facts: Mapping[str, Any]) -> str:
    """The report as HTML, with the figure inside it and nothing loaded from elsewhere.

    Parameters
    ----------
    assessment : Assessment
    matrix_svg : bytes
        The matrix figure.
    facts : mapping
        `version`, `run_id` and `inputs` (file and SHA-256 of each), as the manifest has them.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("materiality.reporting", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(two=_two, whole=_whole, span=_span, share=share_in_words)
    study = assessment.study
    points = assessment.matrix.points
    return environment.get_template("report.html.j2").render(
        study=study,
        simulated=assessment.simulated,
        matrix=assessment.matrix,
        figure="data:image/svg+xml;base64," + base64.b64encode(matrix_svg).decode(),
        points=_ordered(points).to_dict("records"),
        tier_one=_ordered(points.loc[points["tier"] == 1]).to_dict("records"),
        pillars=bool((points["pillar"] != "").any()),
        on_top=_on_top(assessment),
        material=points.loc[points["material"].fillna(value=False), "label"].tolist(),
        both=study.tiers.rule is MaterialRule.BOTH,
        threshold_words={axis: _threshold_words(assessment, axis) for axis in (study.x, study.y)},
        axis_name={axis: study.axes[axis].label or axis for axis in study.axes},
        scores=[_scores(assessment, axis) for axis in study.axes],
        groups=[_group_means(assessment, axis) for axis in study.axes],
        exports=assessment.gathered.exports,
        asked=_asked(assessment),
        flagged=_flagged(assessment),
        warnings=assessment.warnings,
        facts=facts,
    )


def _two(value: Any) -> str:
    """Two decimals; a dash where there is nothing."""
    return "–" if value is None or pd.isna(value) else f"{value:.2f}"


def _whole(value: Any) -> str:
    """A whole number; a dash where there is nothing."""
    return "–" if value is None or pd.isna(value) else f"{int(value)}"


def _span(ends: tuple[Any, Any], decimals: int = 2) -> str:
    """From one end to the other; one dash where there is nothing."""
    low, high = ends
    if any(end is None or pd.isna(end) for end in ends):
        return "–"
    return f"{low:.{decimals}f} to {high:.{decimals}f}"


def share_in_words(value: Any) -> str:
    """A share as a whole percentage that never claims certainty: under 1 %, over 99 %.

    Examples
    --------
    >>> share_in_words(0.999), share_in_words(0.934), share_in_words(0.001)
    ('over 99 %', '93 %', 'under 1 %')
    """
    if value is None or pd.isna(value):
        return "–"
    if value > 0.99:
        return "over 99 %"
    if value < 0.01:
        return "under 1 %"
    return f"{100 * value:.0f} %"


def _ordered(points: pd.DataFrame) -> pd.DataFrame:
    return points.assign(_sum=points["x"] + points["y"]).sort_values(["tier", "_sum"], ascending=[True, False])


def _on_top(assessment: Assessment) -> list[tuple[str, float]]:
    """The axes on which the issues of tier 1 have the highest scores, with the confidence that they are the highest."""
    points, study = assessment.matrix.points, assessment.study
    first = points["tier"].eq(1).fillna(value=False).astype(bool)
    found = []
    for place, (column, axis) in enumerate((("x", study.x), ("y", study.y))):
        rest = points.loc[~first, column].dropna()
        if first.any() and (rest.empty or points.loc[first, column].min() > rest.max()):
            found.append((axis, float(assessment.matrix.tiers.top[place])))
    return found


def _threshold_words(assessment: Assessment, axis: str) -> str:
    words = {
        ThresholdRule.MEAN: "the mean of the issues’ scores",
        ThresholdRule.MEDIAN: "the median of the issues’ scores",
        ThresholdRule.MIDPOINT: "the middle of the scale",
        ThresholdRule.LARGEST_GAP: "the middle of the largest gap between scores",
    }
    rule = assessment.study.tiers.thresholds.get(axis, ThresholdRule.MEAN)
    return words[rule] if isinstance(rule, ThresholdRule) else "given in the study file"


def _scores(assessment: Assessment, axis: str) -> dict[str, Any]:
    table = assessment.scores[assessment.scores["axis"] == axis].sort_values("rank")
    labels = {issue.id: issue.name for issue in assessment.study.issues}
    rows = [{**row, "label": labels[row["issue"]]} for row in table.to_dict("records")]
    return {"axis": axis, "rows": rows}


def _group_means(assessment: Assessment, axis: str) -> dict[str, Any]:
    study = assessment.study
    table = assessment.group_scores[assessment.group_scores["axis"] == axis]
    present = [group for group in study.groups if (table["group"] == group.id).any()]
    weights = dict(
        zip([g.id for g in study.groups], study.layout.group_weights[list(study.axes).index(axis)], strict=True)
    )
    cells = {(row["group"], row["issue"]): row for row in table.to_dict("records")}
    total = sum(weights.values())
    return {
        "axis": axis,
        "groups": [{"name": g.name, "weight": weights[g.id] / total} for g in present],
        "rows": [{"label": i.name, "cells": [cells[g.id, i.id] for g in present]} for i in study.issues],
    }


def _asked(assessment: Assessment) -> list[dict[str, Any]]:
    study = assessment.study
    found = []
    for group, n in zip(study.groups, assessment.sample.respondents, strict=True):
        small = 0 < n < study.privacy.hidden_below
        found.append(
            {
                "name": group.name,
                "n": f"under {study.privacy.hidden_below}" if small else int(n),
                "population": group.population,
            }
        )
    return found


def _flagged(assessment: Assessment) -> dict[str, Any] | None:
    table = assessment.flagged
    if not len(table):
        return None
    study = assessment.study
    labels = {issue.id: issue.name for issue in study.issues}
    wide = table.pivot_table(
        index="issue", columns="axis", values=["estimate", "without_flagged"], sort=False, observed=True
    )
    tiers = table.drop_duplicates("issue").set_index("issue")
    moved = tiers.index[(tiers["tier"] != tiers["tier_without_flagged"]).fillna(value=False)]
    rows = [
        {
            "label": labels[issue.id],
            "scores": [
                (
                    wide["estimate"].get(axis, {}).get(issue.id, np.nan),
                    wide["without_flagged"].get(axis, {}).get(issue.id, np.nan),
                )
                for axis in study.axes
            ],
            "tier": tiers.loc[issue.id, "tier"],
            "tier_without": tiers.loc[issue.id, "tier_without_flagged"],
        }
        for issue in study.issues
    ]
    return {
        "rows": rows,
        "moved": [labels[issue] for issue in moved],
        "largest": float(table["difference"].abs().max()),
    }
