"""What the report says of decisions: how sure they are, what would tip them, and on which choices they hang."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from materiality.assessment import Assessment
from materiality.clustering import cluster_tables
from materiality.figures import CHOICE_WORDS, METHOD_WORDS, option_words
from materiality.sensitivity import UNCERTAIN
from materiality.study import COMBINED, MaterialRule, TierMethod
from materiality.tiers import Zone
from materiality.wording import Message

APART = 3
"""Issues that the report names as setting a segment apart."""
CRITERION_WORDS = {
    "gap": Message("the gap statistic"),
    "silhouette": Message("the silhouette"),
    "prediction_strength": Message("prediction strength"),
    "bic": Message("BIC"),
}
SOURCE_WORDS = dict(
    zip(
        UNCERTAIN,
        (
            Message("Only the answers vary"),
            Message("Weights around the study’s"),
            Message("Weights around the study’s, and answers"),
            Message("Any weights"),
            Message("Any weights, and answers"),
        ),
        strict=True,
    )
)
"""What varies, as the headings of the tables have it."""
SEGMENT_WORDS = {"latent_classes": Message("latent classes"), "kmeans": Message("k-means")}
TOPS = (5, 10)
"""Ranks from the top that the report tells the shares of."""


def verdicts(assessment: Assessment) -> dict[str, Any]:
    """What the template needs for the sections on decisions, clusters, choices, weights and segments."""
    return {
        "decisions": _decisions(assessment),
        "clusters": _clusters(assessment),
        "choices": _choices(assessment),
        "uncertain": _uncertain(assessment),
        "left_out": _left_out(assessment),
        "segmented": [_segmented(assessment, axis) for axis in assessment.study.axes],
    }


def rows_of(table: pd.DataFrame) -> list[dict[str, Any]]:
    """A table's lines, as the template walks through them."""
    names = [str(name) for name in table.columns]
    columns = ([None if value is pd.NA else value for value in table[name].tolist()] for name in table)
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def _decisions(assessment: Assessment) -> dict[str, Any]:
    table, study = assessment.decisions, assessment.study
    ordered = table.assign(order=table["zone"].map({zone.value: k for k, zone in enumerate(Zone)})).sort_values(
        ["tier", "order", "p_material", "tier_confidence"],
        ascending=[True, True, False, False],
        na_position="last",
        kind="stable",
    )
    open_ended = (table["tier_best"] != table["tier_worst"]).fillna(value=False)
    first = (table["tier"] == 1).fillna(value=False)
    labels = table["label"]
    decided = table[table["decision"].notna()]
    return {
        "rows": [{**row, "word": _decided(row["decision"])} for row in rows_of(ordered)],
        "zones": {zone.value: labels[table["zone"] == zone.value].tolist() for zone in Zone},
        "by_thresholds": study.tiers.method is TierMethod.THRESHOLDS,
        "settled": labels[first & ~open_ended].tolist(),
        "open": labels[first & open_ended].tolist(),
        "decided": [{**row, "word": _decided(row["decision"]), "differs": _differs(row)} for row in rows_of(decided)],
        "groups": study.group_names,
        "tipping": bool(table["tip_group"].notna().any()),
    }


def _decided(decision: str | None) -> str:
    return decision.replace("_", " ") if isinstance(decision, str) else "–"


def _differs(row: Mapping[str, Any]) -> bool:
    """Whether somebody decided otherwise than the rule finds."""
    return pd.notna(row["material"]) and (row["decision"] == "material") != bool(row["material"])


def _clusters(assessment: Assessment) -> dict[str, Any] | None:
    clusters, study = assessment.clusters, assessment.study
    if clusters.number is None or (len(clusters.known) < 3 and clusters.count < 2):
        return None
    found = cluster_tables(study, clusters)
    labels, number = study.issue_names, clusters.number
    members = [
        {
            **row,
            "issues": [
                (labels[one["issue"]], one["confidence"])
                for one in rows_of(found["clusters"])
                if one["cluster"] == row["cluster"]
            ],
        }
        for row in (rows_of(found["cluster_stability"]) if clusters.stability else [])
    ]
    return {
        "method": METHOD_WORDS[clusters.method],
        "tiers": study.tiers.method is not TierMethod.THRESHOLDS,
        "given": clusters.given,
        "asked": study.tiers.clusters,
        "count": clusters.count,
        "continuum": clusters.continuum,
        "points": len(clusters.known),
        "gap": clusters.gap,
        "by_gap": number.by_gap,
        "others": [
            Message("the silhouette %(n)s (it cannot answer 1)", n=number.by_silhouette),
            Message("prediction strength %(n)s", n=number.by_prediction_strength),
            Message("BIC %(n)s", n=number.by_bic),
        ],
        "number": [
            {**row, "taken_by": [CRITERION_WORDS[name] for name in row["chosen_by"].split()]}
            for row in rows_of(found["cluster_number"])
        ],
        "members": members,
        "agreement": [
            (METHOD_WORDS[TierMethod(row["method"])], row["adjusted_rand"])
            for row in rows_of(found["cluster_agreement"])
        ],
    }


def _choices(assessment: Assessment) -> dict[str, Any]:
    study, shares = assessment.study, assessment.multiverse.shares
    labels = study.issue_names
    every = shares[(shares["choice"] == "all") & shares["share"].notna()]
    options = shares[shares["choice"] != "all"]
    cells = {(row["choice"], row["option"], row["issue"]): row["share"] for row in rows_of(options)}
    by_choice: dict[str, list[str]] = {}
    for choice, option, _ in cells:
        if option not in by_choice.setdefault(choice, []):
            by_choice[choice].append(option)
    by_choice = {choice: several for choice, several in by_choice.items() if len(several) > 1}
    # how far the options of one choice lie apart, on average over the issues
    weight = {
        choice: float(
            np.mean([_reach([cells[choice, option, issue] for option in several]) for issue in every["issue"]])
        )
        for choice, several in by_choice.items()
    }
    columns = [(choice, option) for choice, several in by_choice.items() for option in several]
    always, never = every[every["share"] == 1], every[every["share"] == 0]
    return {
        "count": int(every["choices"].max()) if len(every) else 0,
        "always": [labels[issue] for issue in always["issue"]],
        "never": [labels[issue] for issue in never["issue"]],
        "between": len(every) - len(always) - len(never),
        "counts": [
            Message("%(name)s: %(value)s", name=CHOICE_WORDS[choice], value=len(several))
            for choice, several in by_choice.items()
        ],
        "heaviest": [(CHOICE_WORDS[choice], part) for choice, part in sorted(weight.items(), key=lambda one: -one[1])],
        "columns": [(CHOICE_WORDS[choice], option_words(choice, option)) for choice, option in columns],
        "rows": [
            {
                "label": labels[row["issue"]],
                "share": row["share"],
                "cells": [cells[choice, option, row["issue"]] for choice, option in columns],
            }
            for row in rows_of(every.sort_values("share", ascending=False, kind="stable"))
        ],
    }


def _reach(shares: list[float]) -> float:
    """From the smallest to the largest."""
    return float(np.nanmax(shares) - np.nanmin(shares))


def _uncertain(assessment: Assessment) -> dict[str, Any]:
    study, found = assessment.study, assessment.acceptability
    labels = study.issue_names
    tiers = {(row["uncertain"], row["issue"]): row for row in rows_of(found.tiers)}
    ranks = found.ranks[found.ranks["axis"] == COMBINED]
    by_rank: dict[tuple[str, str], dict[int, float]] = {}
    for row in rows_of(ranks):
        by_rank.setdefault((row["uncertain"], row["issue"]), {})[row["rank"]] = row["share"]
    order = [
        issue
        for issue in sorted(labels, key=lambda issue: -np.nan_to_num(tiers[UNCERTAIN[2], issue]["tier_1"], nan=-1.0))
        if np.isfinite(tiers[UNCERTAIN[0], issue]["tier_1"])
    ]
    count = [(np.array(weights) > 0).sum() for weights in study.layout.group_weights]
    above = [issue for issue in order if tiers[UNCERTAIN[0], issue]["tier_1"] >= 0.5]
    shaken = [labels[issue] for issue in above if tiers[UNCERTAIN[2], issue]["tier_1"] < 0.5]
    shown = [k for k in TOPS if k < len(order)]
    spread = {
        key: np.array([shares.get(rank + 1, 0.0) for rank in range(len(order))]) for key, shares in by_rank.items()
    }
    nowhere = np.zeros(len(order))
    return {
        "sources": [SOURCE_WORDS[uncertain] for uncertain in UNCERTAIN],
        "several": max(count) > 1,
        "vary": study.robustness.weights_vary,
        "both": study.tiers.rule is MaterialRule.BOTH,
        "rows": [
            {
                "label": labels[issue],
                "tier_1": [tiers[uncertain, issue]["tier_1"] for uncertain in UNCERTAIN],
                "material": [tiers[uncertain, issue]["material"] for uncertain in UNCERTAIN],
                "spread": spread.get((UNCERTAIN[2], issue), nowhere).tolist(),
                "tops": {
                    k: [float(spread.get((uncertain, issue), nowhere)[:k].sum()) for uncertain in UNCERTAIN]
                    for k in shown
                },
            }
            for issue in order
        ],
        "tops": shown,
        "above": above,
        "shaken": shaken,
    }


def _left_out(assessment: Assessment) -> dict[str, Any]:
    study, table = assessment.study, assessment.without_group
    labels, rows = study.issue_names, []
    for group in study.groups:
        here = table[table["group"] == group.id]
        if here.empty:
            continue
        one = here[here["axis"] == study.x]
        moved = one[(one["tier"] != one["tier_without"]).fillna(value=True) & one["tier"].notna()]
        largest = here["difference"].abs()
        rows.append(
            {
                "name": group.name,
                "moved": [(labels[row["issue"]], row["tier"], row["tier_without"]) for row in rows_of(moved)],
                "largest": largest.max(),
                "hidden": bool(here["without"].isna().all() and here["estimate"].notna().any()),
            }
        )
    rows = rows if len(rows) > 1 else []
    return {"rows": rows, "any": any(row["moved"] for row in rows)}


def _segmented(assessment: Assessment, axis: str) -> dict[str, Any]:
    study, found = assessment.study, assessment.segmentation
    labels, groups = study.issue_names, study.group_names
    parts = []
    for method, words in SEGMENT_WORDS.items():
        rows = _of(found.segments, axis, method)
        if rows.empty:
            continue
        profiles, make_up = _of(found.profiles, axis, method), _of(found.make_up, axis, method)
        parts.append(
            {
                "method": words,
                "count": int((rows["segment"] > 0).sum()),
                "people": rows["n"].sum() if rows["n"].notna().all() else None,
                "none": rows.loc[rows["segment"] == 0, "n"].sum(),
                "segments": [
                    {**row, "apart": _apart(profiles, row["segment"], labels)}
                    for row in rows_of(rows[rows["segment"] > 0])
                ],
                "groups": [
                    {"name": groups[str(group)], "shares": part["share"].tolist()}
                    for group, part in make_up.groupby("group", sort=False)
                ]
                if len(make_up)
                else [],
            }
        )
    return {"axis": axis, "parts": parts}


def _of(table: pd.DataFrame, axis: str, method: str) -> pd.DataFrame:
    return table[(table["axis"] == axis) & (table["method"] == method)] if len(table) else table


def _apart(profiles: pd.DataFrame, segment: int, labels: Mapping[str, str]) -> list[tuple[str, float]]:
    """The issues that set a segment apart most, with how far above (or below) everybody else's its mean lies."""
    if profiles.empty:
        return []
    own = profiles[(profiles["segment"] == segment) & profiles["distinct"].notna()]
    own = own.reindex(own["distinct"].abs().sort_values(ascending=False, kind="stable").index)[:APART]
    return [(labels[row["issue"]], row["distinct"]) for row in rows_of(own)]
