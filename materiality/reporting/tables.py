"""The tables and `result.json`: every number of an assessment, 10 significant digits, in fixed columns."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from materiality.assessment import Assessment
from materiality.cleaning import KEPT, REASONS, flag_names
from materiality.clustering import cluster_tables

RESULT_SCHEMA = "materiality.result/1"
DIGITS = 10
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""What a cell begins with that a spreadsheet takes for a formula, in its wide forms as well."""


def tables(assessment: Assessment) -> dict[str, pd.DataFrame]:
    """The tables by file name, without the dispositions, which are written line by line."""
    return {
        "matrix": assessment.matrix.points,
        "scores": assessment.scores,
        "unreliable": assessment.unreliable,
        "ranks": assessment.ranks,
        "joint": assessment.joint,
        "group_scores": assessment.group_scores,
        "answers": assessment.answers,
        "differences": assessment.differences,
        "agreement": assessment.agreement,
        "weights": assessment.weights,
        "weighting": assessment.weighting,
        "margins": assessment.margins,
        "nonresponse": assessment.nonresponse,
        "bounds": assessment.bounds,
        "centred": assessment.centred,
        "leniency": assessment.leniency,
        "replicates": assessment.replicates,
        "flagged": assessment.flagged,
        "decisions": assessment.decisions,
        "tips": assessment.tips,
        **cluster_tables(assessment.study, assessment.clusters),
        "rank_acceptability": assessment.acceptability.ranks,
        "tier_acceptability": assessment.acceptability.tiers,
        "central_weights": assessment.acceptability.central,
        "without_group": assessment.without_group,
        "choices": assessment.multiverse.shares,
        "multiverse": assessment.multiverse.choices,
        "segments": assessment.segmentation.segments,
        "segment_number": assessment.segmentation.number,
        "segment_profiles": assessment.segmentation.profiles,
        "segment_groups": assessment.segmentation.make_up,
    }


def write_tables(assessment: Assessment, folder: Path) -> None:
    """Write every table as CSV: UTF-8, `.` decimals, missing as empty."""
    folder.mkdir()
    for name, table in tables(assessment).items():
        if table.empty:
            continue
        inert(table).to_csv(folder / f"{name}.csv", index=False, float_format=f"%.{DIGITS}g", lineterminator="\n")
    write_dispositions(assessment, folder / "dispositions.csv")


def inert(table: pd.DataFrame) -> pd.DataFrame:
    """A table for CSV in which no text is a formula to a spreadsheet: an apostrophe stands before those that would be.

    Numbers stay numbers, negative ones among them. OWASP, CSV Injection.
    """
    texts = [name for name in table.columns if not pd.api.types.is_numeric_dtype(table[name])]
    return table.assign(**{str(name): table[name].map(_inert) for name in texts})


def _inert(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA_STARTS) else value


def write_dispositions(assessment: Assessment, path: Path) -> None:
    """Write one line per row read: file, row, fate, reason, and its flags."""
    for part, table in enumerate(disposition_parts(assessment)):
        inert(table).to_csv(path, index=False, mode="a" if part else "w", header=not part, lineterminator="\n")


def disposition_parts(assessment: Assessment) -> Iterator[pd.DataFrame]:
    """The lines of `dispositions.csv`, part by part: they are as many as the rows read."""
    ledger = assessment.gathered.ledger
    for lines in ledger.lines():
        kept = lines["reason"] == KEPT
        names = {int(flags): "; ".join(flag_names(int(flags))) for flags in np.unique(lines["flags"])}
        yield pd.DataFrame(
            {
                "file": np.array(ledger.exports, object)[lines["export"]],
                "row": lines["row"],
                "fate": np.where(kept, "kept", "excluded"),
                "reason": np.where(kept, "", np.array(REASONS, object)[lines["reason"]]),
                "flags": [names[int(flags)] for flags in lines["flags"]],
            }
        )


def result(assessment: Assessment) -> dict[str, Any]:
    """Everything that the tables hold, with the study and the thresholds, as `docs/outputs.md` documents it."""
    study, matrix = assessment.study, assessment.matrix
    return {
        "schema": RESULT_SCHEMA,
        "title": study.title,
        "organisation": study.organisation,
        "period": study.period,
        "simulated": assessment.simulated,
        "seed": study.seed,
        "confidence": study.confidence,
        "study": json.loads(study.model_dump_json(exclude={"simulation"})),
        "axes": {"x": study.x, "y": study.y},
        "thresholds": {study.x: published(matrix.x_threshold), study.y: published(matrix.y_threshold)},
        "tier_1": {
            "issues": matrix.points.loc[matrix.points["tier"] == 1, "issue"].tolist(),
            "confidence_all_stay": published(matrix.tiers.all_stay),
            "confidence_same_set": published(matrix.tiers.same_set),
            "confidence_highest_on_x": published(float(matrix.tiers.top[0])),
            "confidence_highest_on_y": published(float(matrix.tiers.top[1])),
        },
        "rows": [
            {
                "file": export.name,
                "read": export.rows,
                "kept": export.fates["kept"],
                "excluded": {r: n for r, n in export.fates.items() if r != "kept" and not r.startswith("flagged: ")},
                "flagged": {
                    r.removeprefix("flagged: "): n for r, n in export.fates.items() if r.startswith("flagged: ")
                },
            }
            for export in assessment.gathered.exports
        ],
        "concord": [{name: published(value) for name, value in asdict(one).items()} for one in assessment.concords],
        **{name: records(table) for name, table in tables(assessment).items()},
        "warnings": list(assessment.warnings),
    }


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """A table as a list of rows for JSON: 10 significant digits, missing as null."""
    columns = {str(name): [published(value) for value in table[name].tolist()] for name in table.columns}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def published(value: Any) -> Any:
    """A value as the tables and `result.json` have it: 10 significant digits, missing as None."""
    if value is None or value is pd.NA or (isinstance(value, float) and not math.isfinite(value)):
        return None
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value


def write_json(content: Mapping[str, Any], path: Path) -> None:
    """Write JSON as UTF-8, readable, without NaN."""
    text = json.dumps(content, ensure_ascii=False, indent=1, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8", newline="\n")
