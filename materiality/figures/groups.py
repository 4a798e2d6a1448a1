"""What the groups say, issue by issue, and where they are far apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray

from materiality.assessment import Assessment
from materiality.figures.canvas import INK, LAYOUT_DPI, QUIET, house_style, letters_in
from materiality.figures.sheet import (
    DARK_FROM,
    EDGE,
    EMPHASIS,
    HEAD,
    LINE,
    NAMES,
    NOTE_SIZE,
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
from materiality.wording import Message, Words, words

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SPREAD = 0.85
"""Inches for the bars of disagreement."""
WIDEST, NARROWEST = 1.1, 0.16
"""Inches of a cell; where they would be narrower, each axis has a heat map below the other's."""
NUMBER = 0.27
"""Inches that the number in a cell needs."""
TURNED = 1.25
"""Inches for names that stand upright."""
LYING = 0.95
"""Inches from which on a column's name may lie."""
SIDES = LinearSegmentedColormap.from_list("sides", ["#7f4408", "#d8a45c", "#dfe4e2", "#66b0aa", "#0a5a5a"])
"""From the lowest to the highest point of the scale; both ends are dark, and the place tells them apart in grey."""
HEAD_OF_ANSWERS = 0.75
"""Inches above a row of panels of answers."""
NAMED = 11
"""Points of the scale up to which each has its number in the key."""
ACROSS = 8
"""Panels of answers side by side at most."""
GAPS = 10
"""Gaps shown of each axis."""
TOLD = 1.7
"""Inches for a gap and its interval in figures."""


def asked_groups(assessment: Assessment, axis: str) -> list[str]:
    """Ids of the groups that an axis asks and that have respondents."""
    study = assessment.study
    weights = study.weights_of(axis)
    return [
        group.id
        for group, weight, n in zip(study.groups, weights, assessment.sample.respondents, strict=True)
        if weight > 0 and n > 0
    ]


def means_of(assessment: Assessment) -> dict[str, pd.DataFrame]:
    """The lines of `group_scores` of the groups that each axis of the matrix asks."""
    table = assessment.group_scores
    return {
        axis: table[(table["axis"] == axis) & table["group"].isin(asked_groups(assessment, axis))]
        for axis in matrix_axes(assessment)
    }


def draw_groups(assessment: Assessment) -> Figure:
    """The mean of each group that an axis asks on each issue, as a heat map, and beside it how far the groups differ.

    Raises
    ------
    ValueError
        If no group may be shown.
    """
    tongue = words(assessment.study.language)
    ids, names, scale = in_order(assessment), names_of(assessment, tongue), assessment.study.scale
    tables = means_of(assessment)
    asked = {axis: asked_groups(assessment, axis) for axis in tables}
    shown = pd.concat(tables.values())["estimate"].dropna()
    if shown.empty:
        raise ValueError("no mean of a group may be shown, so there is nothing to draw")
    ends = float(shown.min()), float(shown.max())
    longest = max(letters_in(names[f"group:{group}"]) for groups in asked.values() for group in groups)
    cell = min(_room(2) / sum(map(len, asked.values())), WIDEST)
    lines = [list(tables)] if cell >= NARROWEST else [[axis] for axis in tables]
    if len(lines) > 1:
        cell = min(_room(1) / max(map(len, asked.values())), WIDEST)
    head = 0.75 if cell >= LYING else min(TURNED, 0.08 * longest + 0.15) + 0.4
    ranges = assessment.agreement["range"].max()
    reach = float(ranges) if ranges > 0 else scale.high - scale.low
    with house_style(letters(assessment)):
        block = head + len(ids) * ROW + 0.25
        note = _means_note(tables, tongue)
        sheet = begin(assessment, tongue, tongue.gettext("group means"), note, len(lines) * block - 0.25)
        for line, axes in enumerate(lines):
            top, left = HEAD + head + line * block, EDGE + NAMES
            sheet.name_rows([names[f"issue:{one}"] for one in ids], top)
            key = tongue.gettext("Mean of the group")
            sheet.shade_key(left - 0.1, top - 0.35, key, (f"{ends[0]:.1f}", f"{ends[1]:.1f}"))
            for axis in axes:
                width = cell * len(asked[axis])
                panel = sheet.panel(left, top, width, len(ids), (0, len(asked[axis])))
                panel.set_xticks([])
                _heat(panel, tables[axis], ids, asked[axis], ends, numbers=cell >= NUMBER)
                for place, group in enumerate(asked[axis]):
                    _head_column(sheet, left + (place + 0.5) * cell, top - 0.06, cell, names[f"group:{group}"])
                sheet.write(left, top - head + 0.1, names[f"axis:{axis}"], width=width + SPREAD, size=9, weight="bold")
                table = assessment.agreement[assessment.agreement["axis"] == axis]
                _spread(sheet, left + width + 0.08, top, table, ids, reach, tongue)
                left += width + SPREAD + 0.25
    return sheet.figure


def _room(panels: int) -> float:
    """Inches for the cells of so many heat maps side by side."""
    return WIDTH - 2 * EDGE - NAMES - panels * (SPREAD + 0.25) + 0.25


def _means_note(tables: dict[str, pd.DataFrame], tongue: Words) -> list[str]:
    said = [
        tongue.gettext("Groups that the axis asks."),
        tongue.gettext("The darker, the higher the mean."),
        tongue.gettext("Bars: the range, highest less lowest group mean."),
    ]
    if any(table["suppressed"].any() for table in tables.values()):
        said.append(
            tongue.gettext(
                "Hatched: hidden, because fewer than the study’s minimum answered or to protect those; such groups do "
                "not enter the range."
            )
        )
    if any((table["estimate"].isna() & ~table["suppressed"]).any() for table in tables.values()):
        said.append(tongue.gettext("A dash: nobody of the group rated the issue."))
    return [*said, tongue.gettext("Issues stand in the order of both axes together.")]


def _heat(
    panel: Axes, table: pd.DataFrame, ids: list[str], groups: list[str], ends: tuple[float, float], *, numbers: bool
) -> None:
    rows = table["issue"].map(ids.index).to_numpy()
    places = table["group"].map(groups.index).to_numpy()
    means, hidden = table["estimate"].to_numpy(float), table["suppressed"].to_numpy(bool)
    known = np.isfinite(means)
    depth = (means - ends[0]) / (ends[1] - ends[0] or 1.0)
    boxes(panel, places[known], places[known] + 1, rows[known], rows[known] + 1, SHADES(depth[known]))
    if hidden.any():
        hatch(panel, places[hidden], places[hidden] + 1, rows[hidden], rows[hidden] + 1)
    for row, place, mean, dark, out in zip(rows, places, means, depth, hidden, strict=True):
        if not out and (numbers or np.isnan(mean)):
            panel.text(
                place + 0.5,
                row + 0.5,
                "–" if np.isnan(mean) else f"{mean:.1f}",
                ha="center",
                va="center",
                fontsize=7,
                color="white" if dark >= DARK_FROM else INK,
            )


def hatch(panel: Axes, left: ArrayLike, right: ArrayLike, top: ArrayLike, bottom: ArrayLike) -> None:
    """Rectangles that say: hidden."""
    boxes(panel, left, right, top, bottom, "#f4f6f5", hatch="////", edgecolors=PALE, linewidths=0.0)


def _head_column(sheet: Sheet, middle: float, bottom: float, width: float, words: str) -> None:
    if width >= LYING:
        sheet.write(middle, bottom, words, width=width - 0.08, lines=3, ha="center", va="bottom")
        return
    lines = min(max(int(width * 72 / (7.5 * LINE)), 1), 2)
    sheet.write(
        middle, bottom, words, width=TURNED, lines=lines, size=7.5, rotation=90, ha="center", va="bottom", ma="left"
    )


def _spread(
    sheet: Sheet, left: float, top: float, table: pd.DataFrame, ids: list[str], reach: float, tongue: Words
) -> None:
    """Bars of the range between the groups."""
    ranges = column(table, ids, "range")
    if np.isnan(ranges).all():
        return
    panel = sheet.panel(left, top, SPREAD - 0.08, len(ids), (0, 1.02 * reach))
    ticks = [tick for tick in (0, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50) if tick <= reach]
    panel.set_xticks([0, ticks[-1]], labels=["0", f"{ticks[-1]:g}"])
    bars(panel, np.zeros(len(ids)), ranges, np.arange(len(ids)), colors=EMPHASIS, linewidths=7)
    sheet.write(left, top - 0.24, tongue.gettext("Range"), size=NOTE_SIZE, color=QUIET)


@dataclass(frozen=True)
class Stacked:
    """Where the pieces of diverging bars lie, per group, issue and point of the scale, in shares of the ratings.

    Attributes
    ----------
    left, right : float arrays, shape (groups, issues, points)
        Ends of the pieces; 0 is the middle of the scale. NaN where there is nothing to show.
    """

    left: NDArray[np.float64]
    right: NDArray[np.float64]


def stacked(shares: NDArray[np.float64], points: NDArray[np.float64], midpoint: float) -> Stacked:
    """Pieces side by side, so that what lies below the middle of the scale is left of 0; a middle point is halved.

    Parameters
    ----------
    shares : float array, shape (groups, issues, points)
    points : float array, shape (points,)
        From low to high.
    midpoint : float
    """
    ends = np.cumsum(shares, axis=-1)
    below = np.where(np.isclose(points, midpoint), 0.5, points < midpoint)
    start = -(shares * below).sum(axis=-1, keepdims=True)
    return Stacked(start + ends - shares, start + ends)


def draw_answers(assessment: Assessment, axis: str = "") -> Figure:
    """Diverging bars of the answers on one axis, a panel per group; what is below the middle of the scale lies left.

    Parameters
    ----------
    assessment : Assessment
    axis : str
        The axis that lies up, where none is named.

    Raises
    ------
    ValueError
        If the study has no such axis, or no group's answers on it may be shown.
    """
    study, tongue = assessment.study, words(assessment.study.language)
    ids, names = in_order(assessment), names_of(assessment, tongue)
    axis = axis or study.y
    if axis not in study.axes:
        raise ValueError(f"axis is {axis!r}; it has to be one of {', '.join(map(repr, study.axes))}")
    table = assessment.answers[assessment.answers["axis"] == axis]
    shown = set(table.loc[table["share"].notna(), "group"])
    groups = [group for group in asked_groups(assessment, axis) if group in shown]
    if not groups:
        raise ValueError("no answers of a group may be shown, so there is nothing to draw")
    points = np.array(study.scale.points)
    wide = (len(groups), len(ids), len(points))
    cells = pd.MultiIndex.from_product([groups, ids, points], names=["group", "issue", "rating"])
    table = table.set_index(["group", "issue", "rating"]).reindex(cells)
    shares, hidden = (
        table["share"].to_numpy(float).reshape(wide),
        table["suppressed"].to_numpy(bool).reshape(wide)[..., 0],
    )
    pieces, none = stacked(shares, points, study.scale.midpoint), _without_rating(assessment, axis, groups, ids, hidden)
    out = [names[f"group:{g}"] for g in asked_groups(assessment, axis) if g not in shown]
    lines = -(-len(groups) // ACROSS)
    across = -(-len(groups) // lines)
    block = len(ids) * ROW + HEAD_OF_ANSWERS + 0.15
    with house_style(letters(assessment)):
        few = study.privacy.intervals_from if hidden.any() else 0
        note = _answers_note(out, tongue, few=few, some_none=bool((none > 0).any()))
        about = tongue.say("answers, %(axis)s", axis=names[f"axis:{axis}"])
        sheet = begin(assessment, tongue, about, note, lines * block)
        _points_key(sheet, assessment, points)
        width = (WIDTH - 2 * EDGE - NAMES + 0.12) / across
        limits = float(np.nanmin(pieces.left, initial=0.0)) - 0.02, float(np.nanmax(pieces.right, initial=0.0)) + 0.02
        for line in range(lines):
            top = HEAD + line * block + HEAD_OF_ANSWERS
            sheet.name_rows([names[f"issue:{one}"] for one in ids], top)
            for place in range(line * across, min((line + 1) * across, len(groups))):
                left = EDGE + NAMES + (place % across) * width
                end = limits[1] + 0.06 + float(none.max(initial=0.0, where=np.isfinite(none)))
                panel = sheet.panel(left, top, width - 0.12, len(ids), (limits[0], end))
                sheet.head_panel(left, top, names[f"group:{groups[place]}"], width - 0.12, lines=3, size=8)
                _bars_of_a_group(panel, pieces, place, points, hidden[place], limits)
                ticks = [tick for tick in (-0.5, 0.0, 0.5) if limits[0] <= tick <= limits[1]]
                half = tongue.say("%(share)s %%", share=50)
                panel.set_xticks(ticks, labels=["0" if not tick else half for tick in ticks])
                bars(
                    panel,
                    np.full(len(ids), limits[1] + 0.05),
                    limits[1] + 0.05 + none[place],
                    np.arange(len(ids)),
                    colors=QUIET,
                    linewidths=9,
                )
    return sheet.figure


def _without_rating(
    assessment: Assessment, axis: str, groups: list[str], ids: list[str], hidden: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Share of those asked who gave no rating, shape (groups, issues); NaN where the answers are hidden."""
    table = assessment.nonresponse[assessment.nonresponse["axis"] == axis].set_index(["group", "issue"])
    shares = table[["dont_know", "not_applicable", "blank"]].astype(float).sum(axis=1, min_count=3)
    found = shares.reindex(pd.MultiIndex.from_product([groups, ids])).to_numpy(float).reshape(len(groups), len(ids))
    return np.where(hidden, np.nan, found)


def _answers_note(out: list[str], tongue: Words, *, few: int, some_none: bool) -> list[str]:
    said = [
        tongue.gettext("Shares of each group’s ratings, every respondent counting once."),
        tongue.gettext(
            "Ratings below the middle of the scale lie to the left of 0, those above it to the right; the middle "
            "itself, where it is a point, is halved."
        ),
    ]
    if some_none:
        said.append(
            tongue.gettext(
                "Grey, on the right: share of those asked who gave no rating (don’t know, not applicable, blank)."
            )
        )
    if few:
        said.append(
            tongue.say(
                "Hatched: hidden, for fewer than %(n)s ratings, for ratings all alike, or to protect a small group.",
                n=few,
            )
        )
    if out:
        said.append(tongue.say("Hidden altogether: %(groups)s.", groups=tongue.gettext("; ").join(out)))
    return said


def _bars_of_a_group(
    panel: Axes,
    pieces: Stacked,
    place: int,
    points: NDArray[np.float64],
    hidden: NDArray[np.bool_],
    limits: tuple[float, float],
) -> None:
    left, right = pieces.left[place], pieces.right[place]
    rows, at = np.nonzero(right > left)
    colours = SIDES(np.linspace(0, 1, len(points)))[at]
    boxes(
        panel,
        left[rows, at],
        right[rows, at],
        rows + 0.16,
        rows + 0.84,
        colours,
        linewidths=0.3 if len(points) <= NAMED else 0,
    )
    if hidden.any():
        rows = np.flatnonzero(hidden)
        hatch(panel, np.full(len(rows), limits[0]), np.full(len(rows), limits[1]), rows + 0.16, rows + 0.84)
    panel.axvline(0, color=QUIET, linewidth=0.8, zorder=3)


def _points_key(sheet: Sheet, assessment: Assessment, points: NDArray[np.float64]) -> None:
    """The colour of each point of the scale, and what its ends are called."""
    left, width, top = EDGE, NAMES - 0.1, HEAD + 0.06
    place = (left / WIDTH, 1 - (top + 0.16) / sheet.height, width / WIDTH, 0.16 / sheet.height)
    axes = sheet.figure.add_axes(place)
    axes.set_axis_off()
    axes.set_xlim(0, len(points))
    axes.set_ylim(0, 1)
    at = np.arange(len(points))
    boxes(axes, at, at + 1, 0, 1, SIDES(np.linspace(0, 1, len(points))), linewidths=0.6 if len(points) <= NAMED else 0)
    words = {value: word for word, value in reversed(list(assessment.study.scale.labels.items()))}
    for k in at if len(points) <= NAMED else at[[0, -1]]:
        middle = left + (k + 0.5) * width / len(points)
        sheet.write(middle, top + 0.25, f"{points[k]:g}", size=NOTE_SIZE, ha="center", color=QUIET)
    for end, place_of, side in ((points[0], left, "left"), (points[-1], left + width, "right")):
        if end in words:
            sheet.write(place_of, top + 0.39, words[end], width=width / 2 - 0.05, size=NOTE_SIZE, ha=side, color=QUIET)


def draw_gaps(assessment: Assessment) -> Figure:
    """The issues on which two groups are furthest apart: both means, whose they are, and the difference.

    Raises
    ------
    ValueError
        If no two groups may be shown side by side.
    """
    tongue = words(assessment.study.language)
    names = names_of(assessment, tongue)
    tables = {axis: gaps_of(assessment, axis) for axis in matrix_axes(assessment)}
    tables = {axis: table for axis, table in tables.items() if len(table)}
    if not tables:
        raise ValueError("no two groups may be shown side by side, so there is nothing to draw")
    head = 0.5
    with house_style(letters(assessment)):
        body = sum(head + len(table) * ROW + 0.2 for table in tables.values())
        about, note = tongue.gettext("where two groups are furthest apart"), _gaps_note(assessment, tables, tongue)
        sheet = begin(assessment, tongue, about, note, body)
        top = HEAD
        for axis, table in tables.items():
            top += head
            sheet.write(EDGE, top - 0.24, names[f"axis:{axis}"], width=NAMES + 5, size=9, weight="bold", va="bottom")
            sheet.name_rows([names[f"issue:{one}"] for one in table["issue"]], top)
            _dumbbells(sheet, top, table, assessment, tongue)
            top += len(table) * ROW + 0.2
    return sheet.figure


def gaps_of(assessment: Assessment, axis: str) -> pd.DataFrame:
    """The largest difference of each issue on an axis, the higher group first; the largest `GAPS` of these.

    Returns
    -------
    DataFrame
        issue, higher, lower (groups), high, low (their means), difference, conf_low, conf_high, p_holm.
    """
    table = assessment.differences
    table = table[(table["axis"] == axis) & table["difference"].notna()]
    size = table["difference"].abs().sort_values(ascending=False, kind="stable")
    table = table.reindex(size.index).drop_duplicates("issue").head(GAPS)
    means = assessment.group_scores[assessment.group_scores["axis"] == axis].set_index(["group", "issue"])["estimate"]
    turned = (table["difference"] < 0).to_numpy()
    higher = np.where(turned, table["other"], table["group"])
    lower = np.where(turned, table["group"], table["other"])
    ends = [means.reindex(pd.MultiIndex.from_arrays([who, table["issue"]])).to_numpy(float) for who in (higher, lower)]
    return pd.DataFrame(
        {
            "issue": table["issue"].to_numpy(),
            "higher": higher,
            "lower": lower,
            "high": ends[0],
            "low": ends[1],
            "difference": table["difference"].abs().to_numpy(),
            "conf_low": np.where(turned, -table["conf_high"], table["conf_low"]),
            "conf_high": np.where(turned, -table["conf_low"], table["conf_high"]),
            "p_holm": table["p_holm"].to_numpy(),
        }
    )


def _gaps_note(assessment: Assessment, tables: dict[str, pd.DataFrame], tongue: Words) -> list[str]:
    study, every = assessment.study, assessment.differences
    first, *second = (int((every.loc[every["axis"] == axis, "difference"].notna()).sum()) for axis in tables)
    return [
        tongue.say(
            "The largest differences between two groups’ means, one per issue, out of %(n)s: picked for their size, "
            "they tend to look larger than they are.",
            n=Message("%(one)s and %(other)s", one=first, other=second[0]) if second else first,
        ),
        tongue.say(
            "In brackets: %(level)s %% intervals of each by itself.",
            level=f"{100 * study.confidence:.4g}",
        ),
        tongue.say(
            "Coloured: apart also after Holm’s correction for all of an axis (p below %(p)s); grey: not.",
            p=f"{1 - study.confidence:.4g}",
        ),
        tongue.say(
            "Means on the scale from %(low)s to %(high)s.", low=f"{study.scale.low:g}", high=f"{study.scale.high:g}"
        ),
    ]


def _dumbbells(sheet: Sheet, top: float, table: pd.DataFrame, assessment: Assessment, tongue: Words) -> None:
    names, study = names_of(assessment, tongue), assessment.study
    width, rows = WIDTH - 2 * EDGE - NAMES - TOLD, np.arange(len(table))
    sides = [
        [
            sheet.write(0, top + (row + 0.5) * ROW, names[f"group:{who}"], width=1.5, lines=2, size=NOTE_SIZE, ha=side)
            for row, who in zip(rows, table[end], strict=True)
        ]
        for end, side in (("lower", "right"), ("higher", "left"))
    ]
    renderer = sheet.canvas.get_renderer()
    room = [max(text.get_window_extent(renderer).width for text in side) / LAYOUT_DPI + 0.15 for side in sides]
    low, high = float(table["low"].min()), float(table["high"].max())
    per_inch = max(high - low, 0.02 * (study.scale.high - study.scale.low)) / (width - sum(room))
    limits = low - room[0] * per_inch, low - room[0] * per_inch + width * per_inch
    panel = sheet.panel(EDGE + NAMES, top, width, len(table), limits)
    ticks = MaxNLocator(5).tick_values(low, high)
    panel.set_xticks([tick for tick in ticks if max(limits[0], study.scale.low) <= tick <= study.scale.high])
    for side, end, away in ((sides[0], "low", -0.1), (sides[1], "high", 0.1)):
        for text, mean in zip(side, table[end], strict=True):
            text.set_x((EDGE + NAMES + (mean - limits[0]) / per_inch + away) / WIDTH)
    apart = (table["p_holm"] < 1 - study.confidence).to_numpy()
    colours = np.where(apart, EMPHASIS, QUIET)
    bars(panel, table["low"], table["high"], rows, colors=colours, linewidths=2.2)
    for end, faces in (("low", "white"), ("high", colours)):
        panel.scatter(table[end], rows + 0.5, s=34, color=faces, edgecolor=colours, linewidth=1.3, zorder=3)
    for row, one in zip(rows, table.itertuples(), strict=True):
        told = tongue.say(
            "%(value)s (%(low)s to %(high)s)",
            value=f"{one.difference:.2f}",
            low=f"{one.conf_low:.2f}",
            high=f"{one.conf_high:.2f}",
        ).replace("-", "−")
        sheet.write(WIDTH - EDGE, top + (row + 0.5) * ROW, told, width=TOLD, ha="right")
