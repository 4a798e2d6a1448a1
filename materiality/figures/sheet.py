"""A page of rows and columns, measured in inches from its top left corner: what figures of many issues stand on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from materiality.assessment import Assessment
from materiality.figures.canvas import LABEL_SIZE, LAYOUT_DPI, QUIET, letters_in, said_by, small_print, title, wrapped
from materiality.study import COMBINED
from materiality.wording import Words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.text import Text

WIDTH = 11.0
EDGE = 0.35
"""Inches that stay free at the sides."""
HEAD = 0.62
"""Inches down to the body."""
ROW = 0.27
NAMES = 2.65
"""Inches for the issues' names, on the left."""
NOTE_SIZE = 7.5
NOTE_LINES = 5
LINE = 1.32
"""Height of a line of text, in font sizes."""
SHADES = LinearSegmentedColormap.from_list(
    "shades",
    ["#def5e5", "#a1dfb9", "#55caad", "#39abac", "#348ca7", "#366ca0", "#3f4b90", "#3c3060", "#291a31"],
)
"""From light to dark in even steps to the eye, also in grey: seaborn's `mako`, turned round."""
DARK_FROM = 0.5
"""Share of `SHADES` from which on text on it is white."""
EMPHASIS, PALE, STRIPE = "#0b7a5b", "#c3cbc8", "#e3e8e6"


@dataclass(frozen=True)
class Sheet:
    """A figure whose height follows from what it holds.

    Attributes
    ----------
    figure : Figure
    canvas : FigureCanvasAgg
    height : float
        In inches; the width is `WIDTH`.
    """

    figure: Figure
    canvas: FigureCanvasAgg
    height: float

    def write(
        self,
        x: float,
        y: float,
        words: str,
        *,
        width: float = WIDTH,
        lines: int = 1,
        size: float = LABEL_SIZE,
        **looks: Any,
    ) -> Text:
        """Text at a place, in inches, broken and cut until it is no wider than `width` (turned: no longer)."""
        text = self.figure.text(
            x / WIDTH, 1 - y / self.height, "", fontsize=size, linespacing=1.05, **{"va": "center", **looks}
        )
        fit(text, words, width, lines, self.canvas)
        return text

    def panel(self, left: float, top: float, width: float, rows: int, limits: tuple[float, float]) -> Axes:
        """Axes whose rows are `ROW` high and counted from the top; the first lies from 0 to 1."""
        height = rows * ROW
        axes = self.figure.add_axes(
            (left / WIDTH, 1 - (top + height) / self.height, width / WIDTH, height / self.height), frameon=False
        )
        axes.set_xlim(*limits)
        axes.set_ylim(rows, 0)
        axes.set_yticks([])
        axes.tick_params(length=0, pad=2, labelsize=7.5, labelcolor=QUIET)
        axes.xaxis.tick_top()
        stripes = [((limits[0], row), (limits[1], row)) for row in range(rows + 1)]
        axes.add_collection(LineCollection(stripes, colors=STRIPE, linewidths=0.7, zorder=0.5), autolim=False)
        return axes

    def name_rows(self, names: Iterable[str], top: float, width: float = NAMES) -> None:
        """Names of the rows, on the left."""
        for row, name in enumerate(names):
            self.write(EDGE + width - 0.1, top + (row + 0.5) * ROW, name, width=width - 0.1, lines=2, ha="right")

    def head_panel(self, left: float, top: float, words: str, width: float, *, lines: int = 2, size: float = 9) -> None:
        """What a panel shows, above its ticks."""
        self.write(left, top - 0.24, words, width=width, lines=lines, size=size, weight="bold", va="bottom")

    def shade_key(self, right: float, y: float, words: str, ends: Sequence[str]) -> None:
        """A strip of `SHADES` that ends on the right at `right`, between the words for its ends, below its title."""
        self.write(right, y, words, size=NOTE_SIZE, width=NAMES, ha="right", color=QUIET)
        y += 0.17
        end = self.write(right, y, ends[1], size=NOTE_SIZE, width=1.0, ha="right", color=QUIET)
        right -= end.get_window_extent(self.canvas.get_renderer()).width / LAYOUT_DPI + 0.08
        place = ((right - 1.0) / WIDTH, 1 - (y + 0.06) / self.height, 1.0 / WIDTH, 0.12 / self.height)
        axes = self.figure.add_axes(place)
        axes.set_axis_off()
        steps = np.linspace(0, 1, 33)
        boxes(axes, steps[:-1], steps[1:], 0, 1, SHADES(steps[:-1]), edgecolors="none")
        self.write(right - 1.08, y, ends[0], size=NOTE_SIZE, width=0.7, ha="right", color=QUIET)


def begin(assessment: Assessment, tongue: Words, about: str, sentences: Iterable[str], body: float) -> Sheet:
    """A sheet with its title above and the sentences of its note below, and `body` inches between them.

    To be called within `house_style`.
    """
    figure = Figure(figsize=(WIDTH, 1.0), dpi=LAYOUT_DPI)
    canvas = FigureCanvasAgg(figure)
    below = figure.text(EDGE / WIDTH, 0, "", fontsize=NOTE_SIZE, color=QUIET, va="bottom")
    across = WIDTH - 2 * EDGE
    fit(below, small_print(assessment, tongue, sentences), across, NOTE_LINES, canvas)
    lines = below.get_text().count("\n") + 1
    height = HEAD + body + 0.3 + lines * NOTE_SIZE * LINE / 72
    figure.set_size_inches(WIDTH, height)
    below.set_y(0.12 / height)
    title(figure, assessment, tongue, about)
    above = figure.texts[-1]
    above.set_position((EDGE / WIDTH, 1 - 0.36 / height))
    words = above.get_text()
    if letters_in(words) == len(words) or above.get_window_extent(canvas.get_renderer()).width > across * LAYOUT_DPI:
        fit(above, words.replace("\n", " "), across, 2, canvas)
    return Sheet(figure, canvas, height)


def fit(text: Text, words: str, width: float, lines: int, canvas: FigureCanvasAgg) -> None:
    """Give a text its words, broken into lines and cut so that it is no wider than so many inches (turned: longer)."""
    characters = max(int(width * 72 / float(text.get_fontsize()) / 0.5), 2)
    while True:
        text.set_text(wrapped(words, characters, lines))
        box = text.get_window_extent(canvas.get_renderer())
        found = (box.height if text.get_rotation() else box.width) / LAYOUT_DPI
        if found <= width or characters <= 2:
            return
        characters = max(min(int(characters * width / found), characters - 1), 2)


def boxes(
    axes: Axes, left: ArrayLike, right: ArrayLike, top: ArrayLike, bottom: ArrayLike, colours: Any, **looks: Any
) -> PolyCollection:
    """Rectangles, all in one artist."""
    x0, x1, y0, y1 = np.broadcast_arrays(left, right, top, bottom)
    corners = np.stack([np.stack(pair, axis=-1) for pair in ((x0, y0), (x1, y0), (x1, y1), (x0, y1))], axis=-2)
    found = PolyCollection(
        list(corners.reshape(-1, 4, 2)),
        facecolors=colours,
        **{"edgecolors": "white", "linewidths": 0.6, "zorder": 2, **looks},
    )
    axes.add_collection(found, autolim=False)
    return found


def bars(axes: Axes, low: ArrayLike, high: ArrayLike, rows: ArrayLike, **looks: Any) -> LineCollection:
    """Lines across, all in one artist, in the middle of their rows; none where an end is unknown."""
    low, high, middle = np.asarray(low, float), np.asarray(high, float), np.asarray(rows, float) + 0.5
    known = np.isfinite(low) & np.isfinite(high)
    ends = np.stack([np.stack([low, middle], axis=-1), np.stack([high, middle], axis=-1)], axis=-2)[known]
    found = LineCollection(list(ends), **{"capstyle": "butt", "zorder": 2, **looks})
    axes.add_collection(found, autolim=False)
    return found


def in_order(assessment: Assessment) -> list[str]:
    """Ids of the issues, by the rank of both axes of the matrix together; those without one at the end."""
    table = assessment.ranks[assessment.ranks["axis"] == COMBINED]
    rank = table["rank"].astype(float).to_numpy(na_value=np.nan)
    return [str(table["issue"].iloc[k]) for k in np.argsort(rank, kind="stable")]


def names_of(assessment: Assessment, tongue: Words) -> dict[str, str]:
    """Names of issues, groups and axes by kind and id: `issue:…`, `group:…`, `axis:…`."""
    study = assessment.study
    return {
        **{f"issue:{issue.id}": issue.name for issue in study.issues},
        **{f"group:{group.id}": group.name for group in study.groups},
        **{f"axis:{axis}": found.label or axis for axis, found in study.axes.items()},
        f"axis:{COMBINED}": tongue.gettext("Both axes together"),
    }


def letters(assessment: Assessment, *more: str) -> str:
    """All that a figure may say, the words of the study's scale with it."""
    return "".join([said_by(assessment.study), *assessment.study.scale.labels, *more])


def matrix_axes(assessment: Assessment) -> tuple[str, str]:
    """The axis that lies up, and the one that lies across."""
    return assessment.study.y, assessment.study.x


def column(table: Any, ids: Sequence[str], name: str) -> NDArray[np.float64]:
    """One number per issue, in the order of the ids; NaN where the table has none."""
    return np.asarray(table.set_index("issue")[name].reindex(ids).astype(float).to_numpy(na_value=np.nan))
