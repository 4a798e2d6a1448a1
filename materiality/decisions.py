"""The decision table: what the survey says of each issue, how surely, what would tip it, and what was decided."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from materiality.matrix import Matrix
from materiality.study import Study

TIPS = ("tip_axis", "threshold", "tip_threshold", "tip_weight_axis", "tip_group", "weight", "tip_weight")
DECIDED = ("decision", "reason", "date", "decided_by")


def decision_table(study: Study, matrix: Matrix, tips: pd.DataFrame, shares: pd.DataFrame) -> pd.DataFrame:
    """One line per issue, in the study's order.

    Parameters
    ----------
    study : Study
    matrix : Matrix
    tips : DataFrame
        As `sensitivity.tips_table` makes it.
    shares : DataFrame
        The shares of choices that `multiverse.multiverse` finds.

    Returns
    -------
    DataFrame
        issue, label, tier, tier_confidence, material, p_material (as in the matrix), zone (`tiers.Zone`), tier_best and
        tier_worst (the tiers by thresholds that the simultaneous bands leave open), p_above_x, p_above_y (confidence of
        lying above each threshold), share_of_choices and choices (how many of the choices call it material), tip_axis,
        threshold, tip_threshold (the axis on which the threshold has to move least for the issue to stand on its other
        side, the threshold as it is, and where it would have to be), tip_weight_axis, tip_group, weight, tip_weight
        (the same for one group's share of an axis's weights; empty where no such share does), decision, reason, date,
        decided_by (of the study file; empty where nothing was decided).
    """
    tiers = matrix.tiers
    table = matrix.points[["issue", "label", "tier", "tier_confidence", "material", "p_material"]].copy()
    unknown = matrix.points["p_material"].isna().to_numpy()
    table["zone"] = [None if zone is None else zone.value for zone in tiers.zone]
    table["tier_best"] = pd.Series(tiers.best).astype("Int64")
    table["tier_worst"] = pd.Series(tiers.worst).astype("Int64")
    for place, column in enumerate(("p_above_x", "p_above_y")):
        table[column] = np.where(unknown, np.nan, tiers.p_above[place])
    every = shares[shares["choice"] == "all"].set_index("issue")
    table["share_of_choices"] = every["share"].reindex(table["issue"]).to_numpy(float)
    table["choices"] = every["choices"].reindex(table["issue"]).astype("Int64").to_numpy()
    least = [_least(tips[tips["issue"] == issue]) for issue in table["issue"]]
    for name in TIPS:
        table[name] = [tip[name] for tip in least]
    decided = {
        one.issue: dict(zip(DECIDED, (one.decision.value, one.reason, one.date.isoformat(), one.by), strict=True))
        for one in study.decisions
    }
    for name in DECIDED:
        table[name] = [decided.get(issue, {}).get(name) for issue in table["issue"]]
    return table


def _least(tips: pd.DataFrame) -> dict[str, Any]:
    """The smallest change of a threshold, and of a group's share; of equal ones the first."""
    found: dict[str, Any] = {}
    known = tips[tips["change"].notna()]
    for names, rows in (
        (("tip_axis", "", "threshold", "tip_threshold"), known[known["group"] == ""]),
        (("tip_weight_axis", "tip_group", "weight", "tip_weight"), known[known["group"] != ""]),
    ):
        if len(rows):
            row = rows.iloc[int(rows["change"].abs().round(9).to_numpy().argmin())]
            found.update(zip(names, (row[column] for column in ("axis", "group", "present", "tip")), strict=True))
    return {name: found.get(name) for name in TIPS}
