"""Figures of an assessment. Each function takes the assessment and returns a matplotlib figure; none writes files."""

from __future__ import annotations

import textwrap
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import matplotlib.style
import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from materiality.assessment import Assessment
from materiality.placement import Placement, place_labels
from materiality.study import Pillar, Threshold, ThresholdRule, TierMethod, Top

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INCHES = (11.0, 8.5)
LAYOUT_DPI = 100
LABEL_SIZE = 8.0
LABEL_WIDTH = 27
LABEL_LINES = 3
DOT_RADIUS = 4.6
"""In pixels at `LAYOUT_DPI`; the markers are drawn to fill it."""
COVERED = 1.7
"""Nearer than so many radii, a dot hides another."""
RING = 0.55
"""How much larger each further marker on the same place is, in dots."""
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
INK, QUIET, TINT = "#1f2933", "#6b7785", "#f3f6f4"
WIDE_FONTS = (
    "Noto Sans CJK SC",
    "Noto Sans SC",
    "Source Han Sans SC",
    "Microsoft YaHei",
    "PingFang SC",
    "Hiragino Sans GB",
    "WenQuanYi Zen Hei",
    "WenQuanYi Micro Hei",
    "SimHei",
    "Arial Unicode MS",
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
THRESHOLD_WORDS = {
    ThresholdRule.MEAN: "the mean of the scores",
    ThresholdRule.MEDIAN: "the median of the scores",
    ThresholdRule.MIDPOINT: "the middle of the scale",
    ThresholdRule.LARGEST_GAP: "the largest gap between scores",
}


@contextmanager
def house_style(text: str = "") -> Iterator[None]:
    """The look of all figures, for the time of one drawing: settings of matplotlib are left as they were.

    Parameters
    ----------
    text : str
        What the figure will say; where it holds Chinese, Japanese or Korean, an installed font for them is added.
    """
    families = ["DejaVu Sans"]
    if any(ord(char) > 0x2E7F for char in text):
        from matplotlib.font_manager import fontManager

        installed = set(fontManager.get_font_names())
        families += [name for name in WIDE_FONTS if name in installed]
    style: dict[Any, Any] = {
        **mpl.style.library["seaborn-v0_8-whitegrid"],
        "font.family": families,
        "grid.color": "#e3e8e6",
        "axes.edgecolor": "#aab4b0",
        "text.color": INK,
        "axes.labelcolor": INK,
        "svg.hashsalt": "materiality",
        "pdf.fonttype": 42,
        "text.parse_math": False,
    }
    with mpl.rc_context(style), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        yield


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
        _frame(axes, assessment, points)
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
        rings = _rings(axes, points)
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
        placement = _label(axes, canvas, points, labels, DOT_RADIUS * max(rings, default=1.0))
        figure.label_placement = placement  # type: ignore[attr-defined]
    return figure


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
        _frame(axes, assessment, points, zones=False)
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
        rings = _rings(axes, points)
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
        figure.label_placement = _label(  # type: ignore[attr-defined]
            axes, canvas, points, labels, DOT_RADIUS * max(rings, default=1.0), bars=False
        )
    return figure


def _cluster_headings(figure: Figure, axes: Axes, assessment: Assessment) -> None:
    clusters = assessment.clusters
    assert clusters.stability is not None
    _axis_labels(axes, assessment)
    _title(figure, assessment, ": clusters of issues")
    note = (
        f"{clusters.count} clusters by {METHOD_WORDS[clusters.method]}"
        f"{', as the study asks' if clusters.given else ', as the gap statistic finds'}. Lines join issues that fall "
        "in one cluster in half of the draws of the scores or more, the darker the more draws."
    )
    note += _not_shown(assessment.matrix.points, clusters.known)
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


def _rings(axes: Axes, points: pd.DataFrame) -> list[float]:
    """How much larger than a dot each marker is drawn: one that others would cover shows as a ring around them."""
    if points.empty:
        return []
    dots = axes.transData.transform(points[["x", "y"]].to_numpy(float))
    rings: list[float] = []
    for k, dot in enumerate(dots):
        over = [rings[i] for i in range(k) if np.hypot(*(dots[i] - dot)) < COVERED * DOT_RADIUS]
        rings.append(max(over, default=1.0 - RING) + RING)
    return rings


def shorten(label: str, width: int = LABEL_WIDTH, lines: int = LABEL_LINES) -> str:
    """A label broken into at most three lines; what does not fit is cut with an ellipsis.

    Wide characters (Chinese, Japanese, Korean) count twice.
    """
    if any(ord(char) > 0x2E7F for char in label):
        half = width // 2
        pieces = [label[k : k + half] for k in range(0, len(label), half)]
    else:
        pieces = textwrap.wrap(label, width) or [label]
    if len(pieces) > lines:
        pieces = [*pieces[: lines - 1], pieces[lines - 1][: width - 1].rstrip() + "…"]
    return "\n".join(pieces)


def _reach(rows: pd.DataFrame, axis: str) -> np.ndarray:
    """How far the interval reaches below and above, as matplotlib wants it."""
    return np.clip(np.array([rows[axis] - rows[f"{axis}_low"], rows[f"{axis}_high"] - rows[axis]]), 0.0, None)


def _frame(axes: Axes, assessment: Assessment, points: pd.DataFrame, *, zones: bool = True) -> None:
    """Limits zoomed to the data, and the thresholds that fall inside them."""
    matrix, scale = assessment.matrix, assessment.study.scale
    for axis, line in (("x", matrix.x_threshold), ("y", matrix.y_threshold)):
        low, high = (
            (points[f"{axis}_low"].min(), points[f"{axis}_high"].max()) if len(points) else (scale.low, scale.high)
        )
        margin = 0.05 * max(high - low, 0.04 * (scale.high - scale.low))
        limits = (low - margin, high + margin)
        getattr(axes, f"set_{axis}lim")(*limits)
        if zones and limits[0] < line < limits[1]:
            draw = axes.axvline if axis == "x" else axes.axhline
            draw(line, color=QUIET, linestyle=(0, (4, 3)), linewidth=1.0, zorder=1)
    x, y = axes.get_xlim(), axes.get_ylim()
    if zones and len(points):
        axes.fill_between(
            [max(matrix.x_threshold, x[0]), x[1]],
            max(matrix.y_threshold, y[0]),
            y[1],
            color=TINT,
            zorder=0,
            linewidth=0,
        )
    axes.set_xlim(x)
    axes.set_ylim(y)


def _headings(figure: Figure, axes: Axes, assessment: Assessment, points: pd.DataFrame, rings: Sequence[float]) -> None:
    study, matrix = assessment.study, assessment.matrix
    _axis_labels(axes, assessment)
    _title(figure, assessment)
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
    note += _not_shown(assessment.matrix.points, points.index)
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


def _not_shown(points: pd.DataFrame, shown: Any) -> str:
    """Names the issues that are not among those shown, if there are any."""
    missing = points.loc[~points.index.isin(shown), "label"]
    return f" Not shown, for want of ratings: {', '.join(missing)}." if len(missing) else ""


def _axis_labels(axes: Axes, assessment: Assessment) -> None:
    study = assessment.study
    for axis_id, put in ((study.x, axes.set_xlabel), (study.y, axes.set_ylabel)):
        axis = study.axes[axis_id]
        put(f"{axis.label or axis_id}  (scale {study.scale.low:g} to {study.scale.high:g})", fontsize=10, labelpad=6)


def _title(figure: Figure, assessment: Assessment, addition: str = "") -> None:
    title = assessment.study.title + addition
    if assessment.simulated and "simulated" not in title.casefold():
        title += " (simulated answers)"
    figure.text(0.075, 0.962, "\n".join(textwrap.wrap(title, 90)[:2]), fontsize=13, weight="bold", va="center")


def _threshold_words(rule: Threshold) -> str:
    if isinstance(rule, Top):
        return f"below the top {rule.count}"
    return THRESHOLD_WORDS[rule] if isinstance(rule, ThresholdRule) else "given"


def _label(
    axes: Axes,
    canvas: FigureCanvasAgg,
    points: pd.DataFrame,
    labels: Sequence[str],
    radius: float,
    *,
    bars: bool = True,
) -> Placement:
    """Place the labels, in pixels, and draw them with their leaders."""
    to_pixels = axes.transData
    dots = to_pixels.transform(points[["x", "y"]].to_numpy(float)) if len(points) else np.zeros((0, 2))
    veil = {"facecolor": "white", "alpha": 0.7, "edgecolor": "none", "pad": 0.4}
    texts = [
        axes.text(
            0,
            0,
            label,
            fontsize=LABEL_SIZE,
            linespacing=1.05,
            ha="center",
            va="center",
            transform=None,
            zorder=5,
            bbox=veil,
        )
        for label in labels
    ]
    extents = [text.get_window_extent(canvas.get_renderer()) for text in texts]
    sizes = np.array([[box.width + 2, box.height + 1] for box in extents]).reshape(-1, 2)
    frame = axes.get_window_extent()
    ends = [
        (row.x_low, row.y, row.x_high, row.y, row.x, row.y_low, row.x, row.y_high)
        for row in points.itertuples(index=False)
    ]
    segments = to_pixels.transform(np.array(ends if bars else [], float).reshape(-1, 2)).reshape(-1, 4)
    segments = np.vstack([segments, *(line.get_window_extent().extents for line in axes.lines)])
    placement = place_labels(
        dots,
        sizes,
        radius=radius,
        bounds=(frame.x0 + 3, frame.y0 + 3, frame.x1 - 3, frame.y1 - 3),
        segments=segments,
    )
    back = axes.transAxes.inverted()
    for text, box, leader in zip(texts, placement.boxes, placement.leaders, strict=True):
        text.set_transform(axes.transAxes)
        text.set_position(tuple(back.transform(((box[0] + box[2]) / 2, (box[1] + box[3]) / 2))))
        if np.isfinite(leader).all():
            start, end = back.transform(leader.reshape(2, 2))
            axes.plot(
                [start[0], end[0]], [start[1], end[1]], color=QUIET, linewidth=0.6, transform=axes.transAxes, zorder=3
            )
    return placement
