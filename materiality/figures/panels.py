"""The matrix as each group sees it, side by side."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from materiality.assessment import Assessment
from materiality.figures.canvas import (
    INCHES,
    LAYOUT_DPI,
    axis_words,
    draw_zones,
    house_style,
    label_dots,
    limits_of,
    note,
    rings_of,
    said_by,
    title,
    wrapped,
)
from materiality.figures.matrix import (
    asks,
    draw_dots,
    draw_key,
    group_view,
    issue_numbers,
    legend,
    thresholds_words,
)
from materiality.wording import Words, words

PANELS = 10
"""Groups beside each other at most."""
PANEL_DOT, PANEL_NUMBER = 3.4, 6.5
MARKS = ("†", "‡")
"""Of a group that the axis across does not ask, and of one that the axis up does not."""


def draw_matrix_by_group(assessment: Assessment) -> Figure:
    """The matrix as each group sees it, side by side on the same limits, with numbers that one key explains.

    The groups are those of which anything may be shown (`draw_matrix`), in the study's order, ten at most.

    Raises
    ------
    ValueError
        If nothing of any group may be shown.
    """
    study = assessment.study
    views = {one.id: points for one in study.groups if len(points := group_view(assessment, one.id))}
    if not views:
        raise ValueError("nothing that a single group answered may be shown")
    tongue, numbers = words(study.language), issue_numbers(assessment)
    drawn = dict(list(views.items())[:PANELS])
    everything = pd.concat(drawn.values())
    names = study.group_names
    columns = math.ceil(math.sqrt(len(drawn)))
    rows = math.ceil(len(drawn) / columns)
    with house_style(said_by(study)):
        figure = Figure(figsize=INCHES, dpi=LAYOUT_DPI)
        canvas = FigureCanvasAgg(figure)
        grid = figure.add_gridspec(
            rows, columns, left=0.075, right=0.72, bottom=0.115, top=0.885, wspace=0.06, hspace=0.16
        )
        placements = []
        for place, (group, points) in enumerate(drawn.items()):
            axes = figure.add_subplot(grid[place // columns, place % columns])
            axes.set_xlim(limits_of(everything["x"].min(), everything["x"].max(), study.scale))
            axes.set_ylim(limits_of(everything["y"].min(), everything["y"].max(), study.scale))
            draw_zones(axes, (assessment.matrix.x_threshold, assessment.matrix.y_threshold), tints=False)
            axes.locator_params(nbins=5)
            axes.tick_params(
                labelsize=7,
                pad=1,
                labelleft=place % columns == 0,
                labelbottom=place + columns >= len(drawn),
            )
            axes.set_title(wrapped(names[group], 105 // columns, 1) + _mark(assessment, group), fontsize=8, pad=3)
            rings = rings_of(axes, points, PANEL_DOT)
            draw_dots(axes, points, rings, np.zeros(len(points), np.bool_), PANEL_DOT)
            labels = [str(numbers[row]) for row in points.index]
            radius = PANEL_DOT * max(rings)
            placements.append(
                label_dots(axes, canvas, points, labels, radius, bars=False, size=PANEL_NUMBER, veiled=False)
            )
        title(figure, assessment, tongue, tongue.gettext("as each group sees it"))
        figure.text(0.3975, 0.062, axis_words(study, study.x, tongue), ha="center", fontsize=10)
        figure.text(0.022, 0.5, axis_words(study, study.y, tongue), va="center", rotation=90, fontsize=10)
        legend(figure, everything, tongue, borderline=False)
        note(figure, assessment, tongue, _panels_note(assessment, drawn, list(views)[PANELS:], tongue))
        draw_key(figure, assessment, numbers[numbers.index.isin(everything.index)], tongue, by_tier=False)
        figure.label_placement = placements  # type: ignore[attr-defined]
    return figure


def _mark(assessment: Assessment, group: str) -> str:
    """The mark of a group that one of the axes does not ask."""
    axes = assessment.study.x, assessment.study.y
    return "".join(f" {mark}" for mark, axis in zip(MARKS, axes, strict=True) if not asks(assessment, axis, group))


def _panels_note(assessment: Assessment, drawn: dict[str, pd.DataFrame], others: list[str], tongue: Words) -> list[str]:
    names = assessment.study.group_names
    said = [
        tongue.gettext("Intervals are left out; each group’s own matrix has them."),
        thresholds_words(assessment, tongue),
    ]
    marks = "".join(_mark(assessment, group) for group in drawn)
    of_marks = (
        tongue.gettext("† The axis across does not ask this group and shows the scores of all groups."),
        tongue.gettext("‡ The axis up does not ask this group and shows the scores of all groups."),
    )
    said += [sentence for mark, sentence in zip(MARKS, of_marks, strict=True) if mark in marks]
    label = assessment.matrix.points["label"]
    for group, points in drawn.items():
        if missing := label[label.index.difference(points.index, sort=False)].tolist():
            said.append(
                tongue.say(
                    "Not shown of %(group)s, for want of ratings that may be shown: %(issues)s.",
                    group=names[group],
                    issues=missing,
                )
            )
    if others:
        said.append(tongue.say("Groups without a panel here: %(groups)s.", groups=[names[group] for group in others]))
    return said
