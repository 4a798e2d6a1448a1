"""Ranks of the issues, and how they depend on the weights of the groups."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from materiality.assessment import Assessment
from materiality.figures.canvas import QUIET, house_style
from materiality.figures.sheet import (
    EDGE,
    EMPHASIS,
    HEAD,
    NAMES,
    PALE,
    ROW,
    SHADES,
    WIDTH,
    Sheet,
    bars,
    begin,
    boxes,
    column,
    in_order,
    letters,
    matrix_axes,
    names_of,
)
from materiality.sensitivity import UNCERTAIN
from materiality.study import COMBINED
from materiality.wording import Message, Words, words

if TYPE_CHECKING:
    from matplotlib.axes import Axes

GAP, HEADS = 0.25, 0.55
"""Inches between panels, and above them."""
PANEL = (WIDTH - 2 * EDGE - NAMES - 2 * GAP) / 3


def draw_ranks(assessment: Assessment) -> Figure:
    """Every issue's rank on both axes together and on each, with its confidence sets; rank 1 stands on the left.

    Raises
    ------
    ValueError
        If no issue has a rank.
    """
    tongue = words(assessment.study.language)
    ranks, ids, names = assessment.ranks, in_order(assessment), names_of(assessment, tongue)
    if ranks["rank"].isna().all():
        raise ValueError("no issue has a rank, so there is nothing to draw")
    note = [
        tongue.gettext("Dots: ranks, 1 the highest score."),
        tongue.say(
            "Thin lines: the true ranks of all issues lie within theirs at once, with %(level)s confidence.",
            level=f"{assessment.study.confidence:.4g}",
        ),
        tongue.gettext("Thick bars: of each issue looked at by itself."),
        tongue.gettext("Issues stand in the order of both axes together."),
    ]
    with house_style(letters(assessment)):
        sheet = begin(assessment, tongue, tongue.gettext("ranks"), note, len(ids) * ROW + HEADS)
        top = HEAD + HEADS
        sheet.name_rows([names[f"issue:{one}"] for one in ids], top)
        for axis, panel in _rank_panels(assessment, sheet, names, len(ids), 0.6):
            table = ranks[ranks["axis"] == axis]
            found = {
                name: column(table, ids, name) for name in ("rank", "low", "high", "marginal_low", "marginal_high")
            }
            rows = np.arange(len(ids))
            bars(panel, found["low"] - 0.3, found["high"] + 0.3, rows, colors=QUIET, linewidths=1.0)
            bars(panel, found["marginal_low"] - 0.3, found["marginal_high"] + 0.3, rows, colors=PALE, linewidths=5.5)
            panel.scatter(found["rank"], rows + 0.5, s=22, color=EMPHASIS, edgecolor="white", linewidth=0.6, zorder=3)
    return sheet.figure


def draw_rank_acceptability(assessment: Assessment, uncertain: str = "weights and answers") -> Figure:
    """The share of the draws in which an issue takes each rank, on both axes together and on each.

    Parameters
    ----------
    assessment : Assessment
    uncertain : str
        What is drawn, one of `sensitivity.UNCERTAIN`.

    Raises
    ------
    ValueError
        If no issue has a rank in any draw, or `uncertain` is none of them.
    """
    if uncertain not in UNCERTAIN:
        raise ValueError(f"uncertain is {uncertain!r}; it has to be one of {', '.join(map(repr, UNCERTAIN))}")
    tongue = words(assessment.study.language)
    table, ids, names = assessment.acceptability.ranks, in_order(assessment), names_of(assessment, tongue)
    table = table[table["uncertain"] == uncertain]
    if table.empty:
        raise ValueError("no issue has a rank, so there is nothing to draw")
    most = float(np.ceil(10 * table["share"].max() - 1e-9) / 10)
    with house_style(letters(assessment)):
        about, note = tongue.gettext("how often an issue takes a rank"), _drawn(assessment, uncertain, tongue)
        sheet = begin(assessment, tongue, about, note, len(ids) * ROW + HEADS)
        top = HEAD + HEADS
        sheet.name_rows([names[f"issue:{one}"] for one in ids], top)
        ends = tongue.say("over 0 %%"), tongue.say("%(share)s %%", share=f"{100 * most:.0f}")
        sheet.shade_key(EDGE + NAMES - 0.1, top - 0.35, tongue.gettext("Share of the draws"), ends)
        for axis, panel in _rank_panels(assessment, sheet, names, len(ids), 0.5):
            found = table[table["axis"] == axis]
            rows, ranks = found["issue"].map(ids.index).to_numpy(), found["rank"].to_numpy(float)
            boxes(panel, ranks - 0.5, ranks + 0.5, rows, rows + 1, SHADES(found["share"].to_numpy(float) / most))
    return sheet.figure


def _rank_panels(
    assessment: Assessment, sheet: Sheet, names: Mapping[str, str], count: int, margin: float
) -> Iterator[tuple[str, Axes]]:
    """A panel of the ranks from 1 to `count`, with so much free at its sides, for both axes together and for each."""
    top = HEAD + HEADS
    for place, axis in enumerate((COMBINED, *matrix_axes(assessment))):
        left = EDGE + NAMES + place * (PANEL + GAP)
        sheet.head_panel(left, top, names[f"axis:{axis}"], PANEL)
        panel = sheet.panel(left, top, PANEL, count, (1 - margin, count + margin))
        panel.set_xticks(rank_ticks(count))
        yield axis, panel


def _drawn(assessment: Assessment, uncertain: str, tongue: Words) -> list[str]:
    """What the draws are of, in words."""
    vary = f"{100 * assessment.study.robustness.weights_vary:.4g}"
    drawn = {
        "answers": Message("Draws of answers within their sampling error."),
        "weights": Message(
            "Draws of weights of the groups around the study’s (each varies by about %(vary)s %% of itself).", vary=vary
        ),
        "weights and answers": Message(
            "Draws of weights of the groups around the study’s (each varies by about %(vary)s %% of itself) and of "
            "answers within their sampling error.",
            vary=vary,
        ),
        "any weights": Message("Draws of any weights of the groups at all."),
        "any weights and answers": Message(
            "Draws of any weights of the groups at all and of answers within their sampling error."
        ),
    }
    return [
        tongue.said(drawn[uncertain]),
        tongue.gettext("The darker, the more of the draws give the issue this rank; 1 is the highest score."),
        tongue.gettext("Issues stand in the order of both axes together."),
    ]


def rank_ticks(count: int) -> list[int]:
    """The first rank, the last, and some between."""
    step = 2 if count <= 12 else 5 if count <= 30 else 10
    between = [rank for rank in range(step, count, step) if count - rank >= step / 2]
    return sorted({1, *between, count} - ({2} if count > 4 else set()))
