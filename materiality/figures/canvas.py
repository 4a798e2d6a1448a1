"""What all figures share: their look, titles, frames, and labels that touch nothing."""

from __future__ import annotations

import re
import textwrap
import warnings
from collections.abc import Iterable, Iterator, Sequence
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
from materiality.study import Scale, Study
from materiality.wording import Words, words

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INCHES = (11.0, 8.5)
BODY = (0.075, 0.115, 0.9, 0.775)
"""Of a figure with the matrix's two axes, where these stand."""
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
INK, QUIET = "#1f2933", "#6b7785"
TINTS = ("#e3ebe6", "#f4f7f5")
"""Of the zone above both thresholds, and of those above one."""
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
        "pdf.fonttype": 3,  # TrueType takes a second for each figure to cut fonts down, and ten for Chinese
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


def wrapped(text: str, width: int, lines: int) -> str:
    """Text broken into lines of so many characters; what goes beyond the last line is cut with an ellipsis.

    Chinese, Japanese and Korean characters count twice, and a line may end after any of them, but no line begins with
    a comma or another mark that closes.
    """
    rows = [""]
    for piece in re.findall(r"\s*(?:[\u2e80-\U0010ffff]|[^\s\u2e80-\U0010ffff]+)[，。、；：？！）》」]*", text):
        rest = piece
        if rows[-1] and letters_in(rows[-1] + rest) > width:
            rows.append("")
            rest = rest.lstrip()
        while letters_in(rest) > width:
            rows[-1:] = [rest[:width], ""]
            rest = rest[width:]
        rows[-1] += rest
    if len(rows) > lines:
        rows[lines - 1 :] = [rows[lines - 1][: width - 1].rstrip() + "…"]
    return "\n".join(rows)


def letters_in(text: str) -> int:
    """The length of a text; Chinese, Japanese and Korean characters count twice."""
    return len(text) + sum(ord(char) > 0x2E7F for char in text)


def said_by(study: Study) -> str:
    """Every word that a figure may say: those of the study, and those of its language."""
    axes, groups = (axis.label for axis in study.axes.values()), (group.name for group in study.groups)
    own = words(study.language).catalogue.values()
    return "".join([study.title, *axes, *groups, *(issue.name for issue in study.issues), *own])


def limits_of(low: float, high: float, scale: Scale) -> tuple[float, float]:
    """Where an axis begins and ends that shows all between low and high."""
    margin = 0.05 * max(high - low, 0.04 * (scale.high - scale.low))
    return low - margin, high + margin


def frame(axes: Axes, assessment: Assessment, points: pd.DataFrame, *, zones: bool = True, tints: bool = True) -> None:
    """Limits zoomed to the data and, of the zones, the thresholds and tints that fall inside them."""
    matrix, scale = assessment.matrix, assessment.study.scale
    for axis in "xy":
        low, high = (
            (points[f"{axis}_low"].min(), points[f"{axis}_high"].max()) if len(points) else (scale.low, scale.high)
        )
        getattr(axes, f"set_{axis}lim")(*limits_of(low, high, scale))
    if zones:
        draw_zones(axes, (matrix.x_threshold, matrix.y_threshold), tints=tints and len(points) > 0)


def draw_zones(axes: Axes, thresholds: tuple[float, float], *, tints: bool) -> None:
    """The thresholds that lie within the limits, and the tints of what lies above them."""
    (left, right), (bottom, top) = limits = axes.get_xlim(), axes.get_ylim()
    across, up = (min(max(line, low), high) for line, (low, high) in zip(thresholds, limits, strict=True))
    if tints:
        for x0, y0, x1, y1, tint in (
            (across, up, right, top, TINTS[0]),
            (left, up, across, top, TINTS[1]),
            (across, bottom, right, up, TINTS[1]),
        ):
            if x0 < x1 and y0 < y1:
                axes.fill_between([x0, x1], y0, y1, color=tint, zorder=0, linewidth=0)
    for line, (low, high), draw in zip(thresholds, limits, (axes.axvline, axes.axhline), strict=True):
        if low < line < high:
            draw(line, color=QUIET, linestyle=(0, (4, 3)), linewidth=1.0, zorder=1)
    axes.set_xlim(left, right)
    axes.set_ylim(bottom, top)


def not_shown(points: pd.DataFrame, shown: Any, tongue: Words) -> list[str]:
    """A sentence that names the issues that are not among those shown, if there are any."""
    missing = points.loc[~points.index.isin(shown), "label"].tolist()
    return [tongue.say("Not shown, for want of ratings: %(issues)s.", issues=missing)] if missing else []


def axis_words(study: Study, axis_id: str, tongue: Words, *, asks: bool = True) -> str:
    """What stands along an axis: its label and the scale, and for one group that it does not ask, that it shows all."""
    label = wrapped(study.axes[axis_id].label or axis_id, 90, 1)
    low, high = f"{study.scale.low:g}", f"{study.scale.high:g}"
    if asks:
        return tongue.say("%(label)s  (scale %(low)s to %(high)s)", label=label, low=low, high=high)
    return tongue.say("%(label)s  (scale %(low)s to %(high)s; all groups)", label=label, low=low, high=high)


def axis_labels(axes: Axes, assessment: Assessment, tongue: Words, asks: tuple[bool, bool] = (True, True)) -> None:
    """What stands along both axes; `asks` of the one across and of the one up, where a single group is shown."""
    study = assessment.study
    axes.set_xlabel(axis_words(study, study.x, tongue, asks=asks[0]), fontsize=10, labelpad=6)
    axes.set_ylabel(axis_words(study, study.y, tongue, asks=asks[1]), fontsize=10, labelpad=6)


def title(figure: Figure, assessment: Assessment, tongue: Words, about: str = "") -> None:
    """The study's title above a figure, and what the figure is about."""
    title = assessment.study.title
    if about:
        title = tongue.say("%(name)s: %(value)s", name=title, value=about)
    if assessment.simulated and not any(one in title.casefold() for one in ("simulated", tongue.gettext("simulated"))):
        title = tongue.say("%(title)s (simulated answers)", title=title)
    figure.text(0.075, 0.962, wrapped(title, 90, 2), fontsize=13, weight="bold", va="center")


def note(figure: Figure, assessment: Assessment, tongue: Words, sentences: Iterable[str]) -> None:
    """The small print below a figure."""
    said = small_print(assessment, tongue, sentences)
    text = figure.text(0.075, 0.012, "", fontsize=7.5, color=QUIET, va="bottom")
    for width in range(195, 140, -5):
        text.set_text(wrapped(said, width, 3))
        if text.get_window_extent().x1 <= 0.975 * figure.bbox.x1:
            break


def small_print(assessment: Assessment, tongue: Words, sentences: Iterable[str]) -> str:
    """The sentences of a note, after the one that says of simulated answers that they are."""
    warning = [tongue.gettext("Simulated answers, not a real survey.")] * assessment.simulated
    return tongue.gettext(" ").join([*warning, *sentences])


def rings_of(axes: Axes, points: pd.DataFrame, radius: float = DOT_RADIUS) -> list[float]:
    """How much larger than a dot each marker is drawn: one that others would cover shows as a ring around them."""
    if points.empty:
        return []
    dots = axes.transData.transform(points[["x", "y"]].to_numpy(float))
    rings: list[float] = []
    for k, dot in enumerate(dots):
        over = [rings[i] for i in range(k) if np.hypot(*(dots[i] - dot)) < COVERED * radius]
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
    size: float = LABEL_SIZE,
    veiled: bool = True,
) -> Placement:
    """Place the labels, in pixels, and draw them with their leaders."""
    to_pixels = axes.transData
    dots = to_pixels.transform(points[["x", "y"]].to_numpy(float)) if len(points) else np.zeros((0, 2))
    veil = {"facecolor": "white", "alpha": 0.7, "edgecolor": "none", "pad": 0.4} if veiled else None
    texts = [
        axes.text(
            0,
            0,
            label,
            fontsize=size,
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


def name_zones(
    figure: Figure,
    axes: Axes,
    canvas: FigureCanvasAgg,
    names: dict[tuple[bool, bool], str],
    thresholds: tuple[float, float],
    taken: np.ndarray,
    drawn: np.ndarray,
) -> None:
    """Write each zone's name at the edge of the frame, as near its corner as nothing is covered; or not at all.

    Parameters
    ----------
    names : dict
        By whether a zone lies above the threshold across, and above the one up.
    taken : float array, shape (…, 4)
        Boxes of labels and dots, in pixels.
    drawn : float array, shape (…, 2)
        Points along bars and the like, in pixels: covered only where there is no other place.
    """
    inside = axes.get_window_extent()
    across, up = axes.transData.transform(thresholds)
    for (right, above), name in names.items():
        x0, x1 = (max(across, inside.x0), inside.x1) if right else (inside.x0, min(across, inside.x1))
        y0, y1 = (max(up, inside.y0), inside.y1) if above else (inside.y0, min(up, inside.y1))
        text = figure.text(0, 0, name, fontsize=LABEL_SIZE + 0.5, color=QUIET, ha="center", va="center")
        box = text.get_window_extent(canvas.get_renderer())
        width, height = box.width / 2 + 5, box.height / 2 + 4
        if x1 - x0 < 2 * width or y1 - y0 < 2 * height:
            text.remove()
            continue
        way = np.linspace(0, 1, 40)
        x = np.append((x1 - width) - way * (x1 - x0 - 2 * width), np.full(40, x1 - width))
        y = np.append(np.full(40, y1 - height), (y1 - height) - way * (y1 - y0 - 2 * height))
        x, y = x if right else x0 + x1 - x, y if above else y0 + y1 - y
        order = np.argsort(np.hypot(x - x[0], y - y[0]), kind="stable")
        x, y = x[order], y[order]
        meets = (
            (x[:, None] + width > taken[:, 0]) & (x[:, None] - width < taken[:, 2])
            & (y[:, None] + height > taken[:, 1]) & (y[:, None] - height < taken[:, 3])
        ).any(axis=1)  # fmt: skip
        crossed = ((abs(x[:, None] - drawn[:, 0]) < width) & (abs(y[:, None] - drawn[:, 1]) < height)).any(axis=1)
        free = np.flatnonzero(~meets & ~crossed) if (~meets & ~crossed).any() else np.flatnonzero(~meets)
        if len(free):
            text.set_position(tuple(figure.transFigure.inverted().transform((x[free[0]], y[free[0]]))))
        else:
            text.remove()
