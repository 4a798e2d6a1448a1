"""The materiality matrix."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from materiality.assessment import Assessment
from materiality.study import Pillar, Threshold, ThresholdRule, Top

if TYPE_CHECKING:
    from matplotlib.axes import Axes

from materiality.figures.canvas import (
    DOT_RADIUS,
    INCHES,
    LAYOUT_DPI,
    QUIET,
    axis_labels,
    frame,
    house_style,
    label_dots,
    not_shown,
    rings_of,
    shorten,
    title,
)

NO_PILLAR = ""
MARKERS = {
    Pillar.ENVIRONMENTAL.value: "o",
    Pillar.SOCIAL.value: "s",
    Pillar.GOVERNANCE.value: "D",
    Pillar.ECONOMIC.value: "^",
    NO_PILLAR: "o",
}
COLOURS = {
    Pillar.ENVIRONMENTAL.value: "#0b7a5b",
    Pillar.SOCIAL.value: "#0868ac",
    Pillar.GOVERNANCE.value: "#b3560a",
    Pillar.ECONOMIC.value: "#8b3a86",
    NO_PILLAR: "#44505c",
}
THRESHOLD_WORDS = {
    ThresholdRule.MEAN: "the mean of the scores",
    ThresholdRule.MEDIAN: "the median of the scores",
    ThresholdRule.MIDPOINT: "the middle of the scale",
    ThresholdRule.LARGEST_GAP: "the largest gap between scores",
}


def draw_matrix(assessment: Assessment) -> Figure:
    """The materiality matrix: a dot per issue with its intervals, coloured and shaped by pillar, and the thresholds.

    The axes are zoomed to the data. Labels touch neither each other nor any dot; a thin line leads to a dot where its
    label could not stand beside it. Issues without a score on both axes are left out, and named below the figure.
    """
    points = assessment.matrix.points.dropna(subset=["x", "y"])
    study = assessment.study
    labels = [shorten(label) for label in points["label"]]
    with house_style("".join([*labels, study.title, *(axis.label for axis in study.axes.values())])):
        figure = Figure(figsize=INCHES, dpi=LAYOUT_DPI)
        canvas = FigureCanvasAgg(figure)
        axes = figure.add_axes((0.075, 0.115, 0.9, 0.775))
        frame(axes, assessment, points)
        for pillar, rows in points.groupby("pillar", sort=False):
            axes.errorbar(
                rows["x"],
                rows["y"],
                xerr=_reach(rows, "x"),
                yerr=_reach(rows, "y"),
                fmt="none",
                ecolor=COLOURS[str(pillar)],
                elinewidth=0.8,
                alpha=0.4,
                zorder=2,
            )
        rings = rings_of(axes, points)
        for x, y, pillar, ring in zip(points["x"], points["y"], points["pillar"], rings, strict=True):
            axes.scatter(
                [x],
                [y],
                s=(DOT_RADIUS * ring * 2 * 72 / LAYOUT_DPI) ** 2 * 0.8,
                marker=MARKERS[pillar],
                color=COLOURS[pillar],
                edgecolor="white",
                linewidth=0.7,
                zorder=4 + 1 / (1 + ring),
            )
        _headings(figure, axes, assessment, points, rings)
        placement = label_dots(axes, canvas, points, labels, DOT_RADIUS * max(rings, default=1.0))
        figure.label_placement = placement  # type: ignore[attr-defined]
    return figure


def _reach(rows: pd.DataFrame, axis: str) -> np.ndarray:
    """How far the interval reaches below and above, as matplotlib wants it."""
    return np.clip(np.array([rows[axis] - rows[f"{axis}_low"], rows[f"{axis}_high"] - rows[axis]]), 0.0, None)


def _headings(figure: Figure, axes: Axes, assessment: Assessment, points: pd.DataFrame, rings: Sequence[float]) -> None:
    study, matrix = assessment.study, assessment.matrix
    axis_labels(axes, assessment)
    title(figure, assessment)
    kept = int(assessment.sample.moments.stack("n").sum()) if assessment.sample.moments.cells else 0
    across, up = (
        f"{value:.2f} ({_threshold_words(rule)})"
        for value, rule in (
            (line, study.threshold(axis))
            for line, axis in ((matrix.x_threshold, study.x), (matrix.y_threshold, study.y))
        )
    )
    note = (
        f"{kept:,} respondents. Bars: {study.confidence:.0%} intervals. Dashed: thresholds, {across} across and "
        f"{up} up. Shaded: above both."
    )
    together = sum(ring > 1 for ring in rings)
    if together:
        note += f" Rings: {together} dot{'s' if together > 1 else ''} under another."
    note += not_shown(assessment.matrix.points, points.index)
    if assessment.simulated:
        note = "Simulated answers, not a real survey. " + note
    figure.text(0.075, 0.012, "\n".join(textwrap.wrap(note, 165)[:3]), fontsize=7.5, color=QUIET, va="bottom")
    present = [pillar for pillar in MARKERS if pillar and (points["pillar"] == pillar).any()]
    handles = [
        Line2D([], [], linestyle="", marker=MARKERS[p], color=COLOURS[p], markersize=6.5, label=p.capitalize())
        for p in present
    ]
    if handles:
        figure.legend(
            handles=handles,
            loc="upper left",
            bbox_to_anchor=(0.068, 0.94),
            ncols=4,
            frameon=False,
            fontsize=8.5,
            handletextpad=0.2,
            columnspacing=1.4,
        )


def _threshold_words(rule: Threshold) -> str:
    if isinstance(rule, Top):
        return f"below the top {rule.count}"
    return THRESHOLD_WORDS[rule] if isinstance(rule, ThresholdRule) else "given"
