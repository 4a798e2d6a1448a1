"""Clusters of issues."""

from __future__ import annotations

from itertools import combinations, pairwise
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from materiality.assessment import Assessment
from materiality.figures.canvas import (
    BODY,
    DOT_RADIUS,
    INCHES,
    LABEL_SIZE,
    LAYOUT_DPI,
    QUIET,
    axis_labels,
    frame,
    house_style,
    label_dots,
    not_shown,
    note,
    rings_of,
    said_by,
    shorten,
    title,
    wrapped,
)
from materiality.figures.matrix import issue_numbers
from materiality.figures.sheet import SHADES
from materiality.study import TierMethod
from materiality.wording import Message, Words, words

if TYPE_CHECKING:
    from matplotlib.axes import Axes

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
FRAME = "#d0640f"
OFTEN = 0.5
"""Share of the draws from which on two issues are joined."""
METHOD_WORDS = {
    TierMethod.KMEANS: Message("k-means"),
    TierMethod.GAUSSIAN_MIXTURE: Message("a Gaussian mixture"),
    TierMethod.WARD: Message("Ward’s method"),
    TierMethod.NATURAL_BREAKS: Message("natural breaks of the mean of both scores"),
}


def draw_clusters(assessment: Assessment) -> Figure:
    """The issues on the two axes, coloured and shaped by cluster; lines join issues that draws often put together.

    A line is drawn where two issues fall in one cluster in half of the draws or more, the darker the more draws.

    Raises
    ------
    ValueError
        If the issues form no clusters (`Assessment.clusters`).
    """
    clusters = assessment.clusters
    if clusters.stability is None:
        raise ValueError("the issues form no clusters, so there is nothing to draw")
    points = assessment.matrix.points.iloc[clusters.known].reset_index(drop=True)
    labels, tongue = [shorten(label) for label in points["label"]], words(assessment.study.language)
    with house_style(said_by(assessment.study)):
        figure = Figure(figsize=INCHES, dpi=LAYOUT_DPI)
        canvas = FigureCanvasAgg(figure)
        axes = figure.add_axes(BODY)
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
        _cluster_headings(figure, axes, assessment, tongue)
        figure.label_placement = label_dots(  # type: ignore[attr-defined]
            axes, canvas, points, labels, DOT_RADIUS * max(rings, default=1.0), bars=False
        )
    return figure


def draw_co_assignment(assessment: Assessment) -> Figure:
    """How often draws of the scores put every two issues into one cluster, as a heat map.

    Issues stand by cluster and, within one, beside those that they most often share it with; a frame is around each
    cluster.

    Raises
    ------
    ValueError
        If the issues form no clusters (`Assessment.clusters`).
    """
    found = assessment.clusters.stability
    if found is None:
        raise ValueError("the issues form no clusters, so there is nothing to draw")
    order = np.concatenate(
        [members[leaves(found.co_assignment[np.ix_(members, members)])] for members in _clusters_of(found.labels)]
    )
    n, tongue = len(order), words(assessment.study.language)
    rows = assessment.clusters.known[order]
    names, numbers = assessment.matrix.points["label"].iloc[rows], issue_numbers(assessment).loc[rows].tolist()
    with house_style(said_by(assessment.study)):
        figure = Figure(figsize=INCHES, dpi=LAYOUT_DPI)
        FigureCanvasAgg(figure)
        axes = figure.add_axes((0.3, 0.105, 0.61, 0.79))
        picture = axes.pcolormesh(
            found.co_assignment[np.ix_(order, order)], cmap=SHADES, vmin=0, vmax=1, edgecolor="white", linewidth=0.4
        )
        axes.set(xlim=(0, n), ylim=(n, 0), aspect="equal", anchor="NW")
        axes.grid(visible=False)
        size = min(LABEL_SIZE, 330 / n)
        axes.set_yticks(
            np.arange(n) + 0.5, [f"{wrapped(name, 46, 1)}  {k}" for name, k in zip(names, numbers, strict=True)]
        )
        axes.set_xticks(np.arange(n) + 0.5, [str(k) for k in numbers])
        axes.tick_params(length=0, labelsize=size, pad=3)
        for start, stop in _spans(found.labels[order]):
            axes.add_patch(
                Rectangle(
                    (start, start), stop - start, stop - start, fill=False, edgecolor=FRAME, linewidth=2.2, zorder=3
                )
            )
        scale = figure.colorbar(picture, cax=figure.add_axes((0.925, 0.105, 0.016, 0.79)))
        scale.ax.tick_params(labelsize=LABEL_SIZE)
        scale.set_label(tongue.gettext("Share of the draws in which both are in one cluster"), fontsize=9)
        title(figure, assessment, tongue, tongue.gettext("stability of clusters"))
        clusters = assessment.clusters
        said = [
            tongue.say(
                "%(n)s clusters by %(method)s, from the top right of the matrix; framed.",
                n=clusters.count,
                method=METHOD_WORDS[clusters.method],
            ),
            tongue.gettext(
                "Dark inside the frames and pale outside: the clusters do not hang on chance in the answers."
            ),
            tongue.gettext("Numbers as in the numbered matrix."),
        ]
        note(figure, assessment, tongue, said + not_shown(assessment.matrix.points, clusters.known, tongue))
    return figure


def leaves(similarity: np.ndarray) -> np.ndarray:
    """An order that keeps like things together: the leaves of average linkage, the more alike pair joined first.

    Parameters
    ----------
    similarity : float array, shape (n, n)

    Returns
    -------
    int array, shape (n,)

    References
    ----------
    Sokal and Michener (1958), A statistical method for evaluating systematic relationships.

    Examples
    --------
    >>> leaves(np.array([[1.0, 0.1, 0.9], [0.1, 1.0, 0.2], [0.9, 0.2, 1.0]])).tolist()
    [0, 2, 1]
    """
    branches = [[k] for k in range(len(similarity))]
    while len(branches) > 1:
        alike = {
            (i, j): float(similarity[np.ix_(branches[i], branches[j])].mean())
            for i, j in combinations(range(len(branches)), 2)
        }
        i, j = max(alike, key=lambda pair: round(alike[pair], 12))
        branches[i] += branches.pop(j)
    return np.array(branches[0] if branches else [], np.intp)


def _clusters_of(labels: np.ndarray) -> list[np.ndarray]:
    return [np.flatnonzero(labels == label) for label in np.unique(labels)]


def _spans(labels: np.ndarray) -> list[tuple[int, int]]:
    """Where each run of equal labels begins and ends."""
    edges = [0, *(np.flatnonzero(np.diff(labels)) + 1).tolist(), len(labels)]
    return list(pairwise(edges))


def _cluster_headings(figure: Figure, axes: Axes, assessment: Assessment, tongue: Words) -> None:
    clusters = assessment.clusters
    assert clusters.stability is not None
    axis_labels(axes, assessment, tongue)
    title(figure, assessment, tongue, tongue.gettext("clusters of issues"))
    method = METHOD_WORDS[clusters.method]
    if clusters.given:
        made = tongue.say("%(n)s clusters by %(method)s, as the study asks.", n=clusters.count, method=method)
    else:
        made = tongue.say("%(n)s clusters by %(method)s, as the gap statistic finds.", n=clusters.count, method=method)
    said = [
        made,
        tongue.gettext(
            "Lines join issues that fall in one cluster in half of the draws of the scores or more, the darker the "
            "more draws."
        ),
    ]
    note(figure, assessment, tongue, said + not_shown(assessment.matrix.points, clusters.known, tongue))
    handles = [
        Line2D([], [], linestyle="", marker=marker, color=colour, markersize=6.5, label=f"{k} ({jaccard:.2f})")
        for k, (jaccard, (marker, colour)) in enumerate(
            zip(clusters.stability.jaccard, CLUSTER_LOOKS, strict=False), start=1
        )
        if np.isfinite(jaccard)
    ]
    figure.legend(
        handles=[Line2D([], [], linestyle="", label=tongue.gettext("Cluster (stability):")), *handles],
        loc="upper left",
        bbox_to_anchor=(0.045, 0.94),
        ncols=len(handles) + 1,
        frameon=False,
        fontsize=8.5,
        handletextpad=0.2,
        columnspacing=0.8,
    )
