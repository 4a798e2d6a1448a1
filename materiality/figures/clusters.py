"""Clusters of issues."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from materiality.assessment import Assessment
from materiality.study import TierMethod

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

CLUSTER_LOOKS = (
    ("o", "#0b7a5b"),
    ("s", "#0868ac"),
    ("D", "#b3560a"),
    ("^", "#8b3a86"),
    ("v", "#44505c"),
    ("p", "#8a6d00"),
    ("<", "#b0213f"),
    (">", "#0a7c86"),
    ("h", "#4b3f9e"),
    ("d", "#5b4636"),
)
"""Marker and colour of each cluster, from the top right; a study has ten at most."""
OFTEN = 0.5
"""Share of the draws from which on two issues are joined."""
METHOD_WORDS = {
    TierMethod.KMEANS: "k-means",
    TierMethod.GAUSSIAN_MIXTURE: "a Gaussian mixture",
    TierMethod.WARD: "Ward’s method",
    TierMethod.NATURAL_BREAKS: "natural breaks of the mean of both scores",
}


def draw_clusters(assessment: Assessment) -> Figure:
    """The issues on the two axes, coloured and shaped by cluster; lines join issues that draws often put together.

    A line is drawn where two issues fall in one cluster in half of the draws or more, the darker the more draws.

    Raises
    ------
    ValueError
        If the issues form no clusters (`Assessment.clusters`).
    """
    clusters, study = assessment.clusters, assessment.study
    if clusters.stability is None:
        raise ValueError("the issues form no clusters, so there is nothing to draw")
    points = assessment.matrix.points.iloc[clusters.known].reset_index(drop=True)
    labels = [shorten(label) for label in points["label"]]
    with house_style("".join([*labels, study.title, *(axis.label for axis in study.axes.values())])):
        figure = Figure(figsize=INCHES, dpi=LAYOUT_DPI)
        canvas = FigureCanvasAgg(figure)
        axes = figure.add_axes((0.075, 0.115, 0.9, 0.775))
        frame(axes, assessment, points, zones=False)
        places, share = points[["x", "y"]].to_numpy(float), clusters.stability.co_assignment
        pairs = [(i, j) for i, j in zip(*np.triu_indices(len(points), 1), strict=True) if share[i, j] >= OFTEN]
        if pairs:
            strength = np.array([share[pair] for pair in pairs])
            lines = LineCollection(
                [places[list(pair)] for pair in pairs],
                colors=[(*to_rgb(QUIET), 0.08 + 0.5 * (s - OFTEN) / (1 - OFTEN)) for s in strength],
                linewidths=0.9,
                zorder=1,
            )
            axes.add_collection(lines, autolim=False)
        rings = rings_of(axes, points)
        for row, (place, ring) in enumerate(zip(places, rings, strict=True)):
            marker, colour = CLUSTER_LOOKS[clusters.stability.labels[row]]
            axes.scatter(
                place[:1],
                place[1:],
                s=(DOT_RADIUS * ring * 2 * 72 / LAYOUT_DPI) ** 2 * 0.8,
                marker=marker,
                color=colour,
                edgecolor="white",
                linewidth=0.7,
                zorder=4 + 1 / (1 + ring),
            )
        _cluster_headings(figure, axes, assessment)
        figure.label_placement = label_dots(  # type: ignore[attr-defined]
            axes, canvas, points, labels, DOT_RADIUS * max(rings, default=1.0), bars=False
        )
    return figure


def _cluster_headings(figure: Figure, axes: Axes, assessment: Assessment) -> None:
    clusters = assessment.clusters
    assert clusters.stability is not None
    axis_labels(axes, assessment)
    title(figure, assessment, ": clusters of issues")
    note = (
        f"{clusters.count} clusters by {METHOD_WORDS[clusters.method]}"
        f"{', as the study asks' if clusters.given else ', as the gap statistic finds'}. Lines join issues that fall "
        "in one cluster in half of the draws of the scores or more, the darker the more draws."
    )
    note += not_shown(assessment.matrix.points, clusters.known)
    if assessment.simulated:
        note = "Simulated answers, not a real survey. " + note
    figure.text(0.075, 0.012, "\n".join(textwrap.wrap(note, 165)[:3]), fontsize=7.5, color=QUIET, va="bottom")
    handles = [
        Line2D([], [], linestyle="", marker=marker, color=colour, markersize=6.5, label=f"{k} ({jaccard:.2f})")
        for k, (jaccard, (marker, colour)) in enumerate(
            zip(clusters.stability.jaccard, CLUSTER_LOOKS, strict=False), start=1
        )
        if np.isfinite(jaccard)
    ]
    figure.legend(
        handles=[Line2D([], [], linestyle="", label="Cluster (stability):"), *handles],
        loc="upper left",
        bbox_to_anchor=(0.045, 0.94),
        ncols=len(handles) + 1,
        frameon=False,
        fontsize=8.5,
        handletextpad=0.2,
        columnspacing=0.8,
    )
