"""What all figures share: their look, titles, frames, and labels that touch nothing."""

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
from matplotlib.figure import Figure

from materiality.assessment import Assessment
from materiality.placement import Placement, place_labels

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


def frame(axes: Axes, assessment: Assessment, points: pd.DataFrame, *, zones: bool = True) -> None:
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


def not_shown(points: pd.DataFrame, shown: Any) -> str:
    """Names the issues that are not among those shown, if there are any."""
    missing = points.loc[~points.index.isin(shown), "label"]
    return f" Not shown, for want of ratings: {', '.join(missing)}." if len(missing) else ""


def axis_labels(axes: Axes, assessment: Assessment) -> None:
    study = assessment.study
    for axis_id, put in ((study.x, axes.set_xlabel), (study.y, axes.set_ylabel)):
        axis = study.axes[axis_id]
        put(f"{axis.label or axis_id}  (scale {study.scale.low:g} to {study.scale.high:g})", fontsize=10, labelpad=6)


def title(figure: Figure, assessment: Assessment, addition: str = "") -> None:
    title = assessment.study.title + addition
    if assessment.simulated and "simulated" not in title.casefold():
        title += " (simulated answers)"
    figure.text(0.075, 0.962, "\n".join(textwrap.wrap(title, 90)[:2]), fontsize=13, weight="bold", va="center")


def rings_of(axes: Axes, points: pd.DataFrame) -> list[float]:
    """How much larger than a dot each marker is drawn: one that others would cover shows as a ring around them."""
    if points.empty:
        return []
    dots = axes.transData.transform(points[["x", "y"]].to_numpy(float))
    rings: list[float] = []
    for k, dot in enumerate(dots):
        over = [rings[i] for i in range(k) if np.hypot(*(dots[i] - dot)) < COVERED * DOT_RADIUS]
        rings.append(max(over, default=1.0 - RING) + RING)
    return rings


def label_dots(
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
