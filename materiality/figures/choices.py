"""Which choices call an issue material."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from materiality.assessment import Assessment
from materiality.figures.canvas import QUIET, house_style
from materiality.figures.sheet import (
    EDGE,
    EMPHASIS,
    HEAD,
    NAMES,
    NOTE_SIZE,
    ROW,
    SHADES,
    WIDTH,
    bars,
    begin,
    boxes,
    column,
    in_order,
    letters,
    names_of,
)
from materiality.multiverse import ALL, CHOICES, NONE

ALL_WIDTH, TOLD = 1.2, 0.65
"""Inches for the bars over all choices, and for their numbers."""
BETWEEN = 0.12
"""Inches between the columns of two choices."""
TURNED = 1.05
"""Inches for the options, which stand upright."""
HEADS = TURNED + 0.22
CHOICE_WORDS = {
    "threshold": "Threshold",
    "rule": "Rule",
    "weights": "Weights",
    "certainty": "Certainty",
    "flagged": "Flagged",
    "ratings": "Ratings",
    "missing": "Missing",
}
OPTION_WORDS = {
    ("threshold", "study"): "the study’s",
    ("threshold", "midpoint"): "middle of the scale",
    ("rule", "either"): "either axis",
    ("rule", "both"): "both axes",
    ("weights", "study"): "the study’s",
    ("weights", "respondents"): "by respondents",
    ("certainty", NONE): "none asked",
    ("ratings", "centred"): "less own mean",
    ("missing", "lowest"): "all at the lowest",
    ("missing", "highest"): "all at the highest",
}


def draw_multiverse(assessment: Assessment) -> Figure:
    """The share of the combinations of choices that call an issue material, overall and under each option.

    Raises
    ------
    ValueError
        If there are no choices to combine.
    """
    table, names = assessment.multiverse.shares, names_of(assessment)
    overall = table[table["choice"] == ALL]
    if overall["share"].isna().all():
        raise ValueError("no combination of choices could be computed, so there is nothing to draw")
    order = in_order(assessment)
    share = column(overall, order, "share")
    ids = [order[k] for k in np.argsort(-np.nan_to_num(share, nan=-1.0), kind="stable")]
    share = column(overall, ids, "share")
    options = {name: list(dict.fromkeys(table.loc[table["choice"] == name, "option"])) for name in CHOICES}
    options = {name: found for name, found in options.items() if len(found) > 1}
    with house_style(letters(assessment)):
        sheet = begin(assessment, ": choices that call an issue material", _note(assessment), HEADS + len(ids) * ROW)
        top, left = HEAD + HEADS, EDGE + NAMES
        sheet.name_rows([names[f"issue:{one}"] for one in ids], top)
        sheet.shade_key(left - 0.1, top - 0.35, "Share of the combinations", ("0 %", "100 %"))
        panel = sheet.panel(left, top, ALL_WIDTH, len(ids), (0, 1))
        panel.set_xticks([0, 0.5, 1], labels=["0", "50", "100 %"])
        bars(panel, np.zeros(len(ids)), share, np.arange(len(ids)), colors=EMPHASIS, linewidths=8)
        sheet.head_panel(left, top, "All choices", ALL_WIDTH)
        left += ALL_WIDTH + 0.08
        for row, value in enumerate(share):
            sheet.write(left, top + (row + 0.5) * ROW, _percent(value), size=NOTE_SIZE, color=QUIET)
        left += TOLD
        columns = sum(map(len, options.values()))
        cell = (WIDTH - EDGE - left - BETWEEN * len(options)) / max(columns, 1)
        cell = min(cell, 0.45)
        for name, found in options.items():
            panel = sheet.panel(left, top, cell * len(found), len(ids), (0, len(found)))
            panel.set_xticks([])
            part = table[(table["choice"] == name) & table["share"].notna()]
            rows, places = part["issue"].map(ids.index).to_numpy(), part["option"].map(found.index).to_numpy()
            boxes(panel, places, places + 1, rows, rows + 1, SHADES(part["share"].to_numpy(float)))
            sheet.write(
                left, HEAD + 0.1, CHOICE_WORDS[name], width=cell * len(found) + 0.1, size=NOTE_SIZE, weight="bold"
            )
            for place, option in enumerate(found):
                words, middle = OPTION_WORDS.get((name, option), str(option)), left + (place + 0.5) * cell
                sheet.write(
                    middle, top - 0.06, words, width=TURNED, size=NOTE_SIZE, rotation=90, ha="center", va="bottom"
                )
            left += cell * len(found) + BETWEEN
    return sheet.figure


def _percent(share: float) -> str:
    """A share as a whole percentage; 0 and 100 are said only of none and all."""
    if np.isnan(share):
        return "–"
    return "over 99 %" if 0.99 < share < 1 else "under 1 %" if 0 < share < 0.01 else f"{100 * share:.0f} %"


def _note(assessment: Assessment) -> str:
    combinations = len(assessment.multiverse.choices)
    return (
        f"{combinations:,} combinations of choices that could be defended, each counting once. The darker, the larger "
        "the share of the combinations with that option that call the issue material. Certainty: the confidence with "
        "which a score has to lie above the threshold. These shares are no probabilities: they say how "
        "far a result depends on choices. Tables: choices.csv, multiverse.csv."
    )
