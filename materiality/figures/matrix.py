"""The materiality matrix: of all groups, of one, and of each beside the others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PatchCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Ellipse

from materiality.assessment import Assessment
from materiality.figures.canvas import (
    BODY,
    DOT_RADIUS,
    INCHES,
    INK,
    LABEL_SIZE,
    LAYOUT_DPI,
    QUIET,
    axis_labels,
    frame,
    house_style,
    label_dots,
    name_zones,
    not_shown,
    note,
    rings_of,
    said_by,
    shorten,
    title,
    wrapped,
)
from materiality.placement import Placement
from materiality.study import Pillar, Threshold, ThresholdRule, Top
from materiality.tiers import Zone
from materiality.wording import Message, Words, words

if TYPE_CHECKING:
    from matplotlib.axes import Axes

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
    ThresholdRule.MEAN: Message("the mean of the scores"),
    ThresholdRule.MEDIAN: Message("the median of the scores"),
    ThresholdRule.MIDPOINT: Message("the middle of the scale"),
    ThresholdRule.LARGEST_GAP: Message("the largest gap between scores"),
}
BODY_BESIDE_KEY = (0.075, 0.115, 0.645, 0.775)
KEY_LEFT, KEY_WIDTH = 0.735, 40
KEY_LINES = 46
"""Lines that the key has room for."""
NUMBER_SIZE = 10.5
FIGURE_SPACE = "\u2007"
"""As wide as a digit."""


def draw_matrix(
    assessment: Assessment, *, group: str | None = None, numbered: bool = False, ellipses: bool = True
) -> Figure:
    """The materiality matrix: a dot per issue with its intervals, coloured and shaped by pillar, and the thresholds.

    The axes are zoomed to the data. Labels touch neither each other nor any dot; a thin line leads to a dot where its
    label could not stand beside it. Issues without a score on both axes are left out, and named below the figure. Dots
    with a white centre are borderline: the data leave open whether they are material.

    Parameters
    ----------
    assessment : Assessment
    group : str, optional
        Id of a group: the matrix as this group alone sees it. What is hidden to protect people is left out. An axis
        that does not ask the group keeps the scores of all groups, and says so. Thresholds are those of the whole
        study; there are neither tiers nor ellipses.
    numbered : bool
        Dots carry numbers instead of names, in order of tier and then of the mean of both scores; a key stands at the
        side. Every figure of a study gives an issue the same number.
    ellipses : bool
        Draw where both scores of an issue lie at once, with the study's confidence (`Assessment.joint`).

    Raises
    ------
    ValueError
        If there is no such group, or nothing of it may be shown.
    """
    points = assessment.matrix.points if group is None else group_points(assessment, group)
    shown = points.dropna(subset=["x", "y"]) if group is None else group_view(assessment, group)
    if group is not None and shown.empty:
        raise ValueError(f"nothing that group {group!r} answered may be shown")
    tongue, numbers = words(assessment.study.language), issue_numbers(assessment)
    labels = [str(numbers[row]) for row in shown.index] if numbered else [shorten(label) for label in shown["label"]]
    with house_style(said_by(assessment.study)):
        figure = Figure(figsize=INCHES, dpi=LAYOUT_DPI)
        canvas = FigureCanvasAgg(figure)
        axes = figure.add_axes(BODY_BESIDE_KEY if numbered else BODY)
        frame(axes, assessment, shown, tints=group is None)
        if group is None and ellipses:
            _draw_ellipses(axes, assessment, shown)
        _draw_bars(axes, shown)
        rings = rings_of(axes, shown)
        open_still = _borderline(assessment, shown) if group is None else np.zeros(len(shown), np.bool_)
        draw_dots(axes, shown, rings, open_still)
        _headings(figure, axes, assessment, group, tongue)
        legend(figure, shown, tongue, borderline=bool(open_still.any()))
        if group is None:
            note(figure, assessment, tongue, _note(assessment, shown, rings, tongue, ellipses=ellipses))
        else:
            note(figure, assessment, tongue, _note_of_group(assessment, points, shown, rings, tongue, group))
        placement = label_dots(
            axes,
            canvas,
            shown,
            labels,
            DOT_RADIUS * max(rings, default=1.0),
            size=NUMBER_SIZE if numbered else LABEL_SIZE,
        )
        if group is None:
            radius = DOT_RADIUS * max(rings, default=1.0)
            _name_zones(figure, axes, canvas, assessment, shown, radius, placement, _zone_names(assessment, tongue))
        if numbered:
            draw_key(figure, assessment, numbers[shown.index], tongue, by_tier=group is None)
        figure.label_placement = placement  # type: ignore[attr-defined]
    return figure


def issue_numbers(assessment: Assessment) -> pd.Series:
    """The number of each issue in figures with a key: by tier, then by the mean of both scores; 1 is the highest."""
    points = assessment.matrix.points
    order = pd.DataFrame({"tier": points["tier"].astype(float), "score": -(points["x"] + points["y"]) / 2})
    ranked = order.sort_values(["tier", "score"], kind="stable").index
    return pd.Series(np.arange(1, len(ranked) + 1), index=ranked)


def group_points(assessment: Assessment, group: str) -> pd.DataFrame:
    """The matrix's points as one group sees them, in the columns issue, label, pillar, x, x_low, x_high, y, …

    What is hidden is NaN. An axis that does not ask the group keeps the scores of all groups.

    Raises
    ------
    ValueError
        If there is no such group.
    """
    study = assessment.study
    if group not in {one.id for one in study.groups}:
        raise ValueError(f"there is no group {group!r}; groups are {', '.join(one.id for one in study.groups)}")
    points = assessment.matrix.points[["issue", "label", "pillar", "x", "x_low", "x_high", "y", "y_low", "y_high"]]
    points = points.copy()
    scores = assessment.group_scores
    for column, axis in (("x", study.x), ("y", study.y)):
        if asks(assessment, axis, group):
            own = scores[(scores["axis"] == axis) & (scores["group"] == group)].set_index("issue")
            own = own.loc[~own["suppressed"], ["estimate", "conf_low", "conf_high"]].reindex(points["issue"])
            points[[column, f"{column}_low", f"{column}_high"]] = own.to_numpy(float)
    return points


def group_view(assessment: Assessment, group: str) -> pd.DataFrame:
    """Those of `group_points` that may be shown; none where neither axis asks the group."""
    study = assessment.study
    points = group_points(assessment, group).dropna(subset=["x", "y"])
    return points if any(asks(assessment, axis, group) for axis in (study.x, study.y)) else points[:0]


def groups_shown(assessment: Assessment) -> list[str]:
    """The groups with a matrix of their own, in the study's order."""
    return [one.id for one in assessment.study.groups if len(group_view(assessment, one.id))]


def asks(assessment: Assessment, axis: str, group: str) -> bool:
    """Whether a group counts in an axis."""
    study = assessment.study
    place = [one.id for one in study.groups].index(group)
    return study.weights_of(axis)[place] > 0


def _draw_ellipses(axes: Axes, assessment: Assessment, points: pd.DataFrame) -> None:
    joint = assessment.joint.loc[points.index, ["semi_major", "semi_minor", "angle"]].to_numpy(float)
    known = np.isfinite(joint).all(axis=1)
    axes.add_collection(
        PatchCollection(
            [
                Ellipse((x, y), 2 * major, 2 * minor, angle=angle)
                for (x, y), (major, minor, angle) in zip(points[["x", "y"]].to_numpy(float), joint, strict=True)
                if np.isfinite(angle)
            ],
            facecolor="none",
            edgecolors=[COLOURS[pillar] for pillar in points["pillar"][known]],
            linewidths=0.5,
            alpha=0.35,
            zorder=1.5,
        ),
        autolim=False,
    )


def _draw_bars(axes: Axes, points: pd.DataFrame) -> None:
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


def _reach(rows: pd.DataFrame, axis: str) -> np.ndarray:
    """How far the interval reaches below and above, as matplotlib wants it."""
    return np.clip(np.array([rows[axis] - rows[f"{axis}_low"], rows[f"{axis}_high"] - rows[axis]]), 0.0, None)


def _borderline(assessment: Assessment, points: pd.DataFrame) -> np.ndarray:
    return np.array([assessment.matrix.tiers.zone[row] is Zone.BORDERLINE for row in points.index], np.bool_)


def draw_dots(
    axes: Axes, points: pd.DataFrame, rings: Sequence[float], hollow: np.ndarray, radius: float = DOT_RADIUS
) -> None:
    """The dots, by pillar; those with a ring around another are larger and lie below it."""
    looks = list(zip(points["pillar"], rings, hollow.tolist(), strict=True))
    for look in dict.fromkeys(looks):
        pillar, ring, white = look
        rows = points[[one == look for one in looks]]
        edge = 0.3 * radius if white else 0.15 * radius
        axes.scatter(
            rows["x"],
            rows["y"],
            s=((radius * ring * 2 - (edge if white else 0.0)) * 72 / LAYOUT_DPI) ** 2 * 0.8,
            marker=MARKERS[pillar],
            facecolor="white" if white else COLOURS[pillar],
            edgecolor=COLOURS[pillar] if white else "white",
            linewidth=edge,
            zorder=4 + 1 / (1 + ring),
        )


def _headings(figure: Figure, axes: Axes, assessment: Assessment, group: str | None, tongue: Words) -> None:
    if group is None:
        axis_labels(axes, assessment, tongue)
        title(figure, assessment, tongue)
        return
    study = assessment.study
    name = next(one.name for one in study.groups if one.id == group)
    axis_labels(axes, assessment, tongue, (asks(assessment, study.x, group), asks(assessment, study.y, group)))
    title(figure, assessment, tongue, tongue.say("as seen by %(group)s", group=name))


def _note(
    assessment: Assessment, shown: pd.DataFrame, rings: Sequence[float], tongue: Words, *, ellipses: bool
) -> list[str]:
    level, moments = f"{assessment.study.confidence:.0%}", assessment.sample.moments
    said = [
        tongue.say("%(n)s respondents.", n=f"{int(moments.stack('n').sum()) if moments.cells else 0:,}"),
        tongue.say("Bars: %(level)s intervals.", level=level),
    ]
    if ellipses:
        said.append(tongue.say("Ellipses: both scores at once, %(level)s.", level=level))
    said.append(thresholds_words(assessment, tongue))
    if assessment.matrix.clusters:
        said.append(tongue.gettext("Shaded: above both and above one."))
    else:
        said.append(tongue.gettext("Shaded: tier 1 and, paler, tier 2."))
    if _borderline(assessment, shown).any():
        said.append(tongue.gettext("White centre: borderline, the answers leave open whether it is material."))
    return said + _rings_words(rings, tongue) + not_shown(assessment.matrix.points, shown.index, tongue)


def _note_of_group(
    assessment: Assessment, points: pd.DataFrame, shown: pd.DataFrame, rings: Sequence[float], tongue: Words, group: str
) -> list[str]:
    study = assessment.study
    said = [
        tongue.say("Bars: %(level)s intervals.", level=f"{study.confidence:.0%}"),
        thresholds_words(assessment, tongue),
    ]
    for axis in (study.x, study.y):
        if not asks(assessment, axis, group):
            label = study.axes[axis].label or axis
            said.append(tongue.say("Axis “%(axis)s” does not ask this group and shows all groups.", axis=label))
    said += _rings_words(rings, tongue)
    if missing := points.loc[~points.index.isin(shown.index), "label"].tolist():
        said.append(tongue.say("Not shown, for want of ratings that may be shown: %(issues)s.", issues=missing))
    return said


def _rings_words(rings: Sequence[float], tongue: Words) -> list[str]:
    together = sum(ring > 1 for ring in rings)
    message = tongue.ngettext("Rings: %(n)s dot under another.", "Rings: %(n)s dots under another.", together)
    return [message % {"n": together}] if together else []


def thresholds_words(assessment: Assessment, tongue: Words) -> str:
    """Where the thresholds lie, and what sets them."""
    study, matrix = assessment.study, assessment.matrix
    return tongue.say(
        "Dashed: thresholds, %(x)s (%(why_x)s) across and %(y)s (%(why_y)s) up.",
        x=f"{matrix.x_threshold:.2f}",
        why_x=_threshold_words(study.threshold(study.x)),
        y=f"{matrix.y_threshold:.2f}",
        why_y=_threshold_words(study.threshold(study.y)),
    )


def _threshold_words(rule: Threshold) -> Message:
    if isinstance(rule, Top):
        return Message("below the top %(n)s", n=rule.count)
    return THRESHOLD_WORDS[rule] if isinstance(rule, ThresholdRule) else Message("given")


def legend(figure: Figure, points: pd.DataFrame, tongue: Words, *, borderline: bool) -> None:
    """What the markers mean."""
    looks: list[tuple[str, dict[str, Any]]] = [
        (tongue.gettext(pillar).capitalize(), {"marker": MARKERS[pillar], "color": COLOURS[pillar]})
        for pillar in MARKERS
        if pillar and (points["pillar"] == pillar).any()
    ]
    if borderline:
        hollow = {"marker": "o", "color": INK, "markerfacecolor": "white", "markeredgewidth": 1.4}
        looks.append((tongue.gettext("Borderline"), hollow))
    if looks:
        figure.legend(
            handles=[Line2D([], [], linestyle="", markersize=6.5, label=label, **look) for label, look in looks],
            loc="upper left",
            bbox_to_anchor=(0.068, 0.94),
            ncols=5,
            frameon=False,
            fontsize=8.5,
            handletextpad=0.2,
            columnspacing=1.4,
        )


def _zone_names(assessment: Assessment, tongue: Words) -> tuple[str, str, str]:
    """Of what lies above both thresholds, above one, and above none."""
    if assessment.matrix.clusters:
        return tongue.gettext("Above both"), tongue.gettext("Above one"), tongue.gettext("Above none")
    first, second, third = (tongue.say("Tier %(number)s", number=number) for number in (1, 2, 3))
    return first, second, third


def _name_zones(
    figure: Figure,
    axes: Axes,
    canvas: FigureCanvasAgg,
    assessment: Assessment,
    points: pd.DataFrame,
    radius: float,
    placement: Placement,
    names: tuple[str, str, str],
) -> None:
    both, one, none = names
    to_pixels = axes.transData
    dots = to_pixels.transform(points[["x", "y"]].to_numpy(float)).reshape(-1, 2)
    ends = points[["x_low", "y", "x_high", "y", "x", "y_low", "x", "y_high"]].to_numpy(float)
    along = [
        to_pixels.transform_path(path).to_polygons(closed_only=False)[0]
        for drawn in axes.collections
        if isinstance(drawn, PatchCollection)
        for path in drawn.get_paths()
    ]
    lines = np.vstack(
        [
            to_pixels.transform(ends.reshape(-1, 2)).reshape(-1, 4),
            placement.leaders[np.isfinite(placement.leaders).all(axis=1)],
        ]
    )
    steps = np.linspace(0, 1, 60)[:, None, None]
    name_zones(
        figure,
        axes,
        canvas,
        {(True, True): both, (False, True): one, (True, False): one, (False, False): none},
        (assessment.matrix.x_threshold, assessment.matrix.y_threshold),
        np.vstack([placement.boxes, np.hstack([dots - radius, dots + radius])]),
        np.vstack([(lines[:, :2] + steps * (lines[:, 2:] - lines[:, :2])).reshape(-1, 2), *along]),
    )


def draw_key(figure: Figure, assessment: Assessment, numbers: pd.Series, tongue: Words, *, by_tier: bool) -> None:
    """The numbers and names of issues, at the side; under their tiers if `by_tier`."""
    for room in (2, 1):
        lines = _key_lines(assessment, numbers, room, tongue, by_tier=by_tier)
        if len(lines) <= KEY_LINES:
            break
    top, bottom = BODY[1] + BODY[3] - 0.008, BODY[1]
    pitch = min(0.0185, (top - bottom) / max(len(lines), 1))
    for k, (line, heading) in enumerate(lines):
        figure.text(
            KEY_LEFT,
            top - k * pitch,
            line,
            fontsize=min(LABEL_SIZE, 0.76 * pitch * INCHES[1] * 72),
            color=QUIET if heading else INK,
            va="top",
        )


def _key_lines(
    assessment: Assessment, numbers: pd.Series, room: int, tongue: Words, *, by_tier: bool
) -> list[tuple[str, bool]]:
    """The lines of a key, and which are headings; a name takes `room` lines at most."""
    tiers, names = assessment.matrix.points["tier"].astype(float), assessment.matrix.points["label"].tolist()
    lines: list[tuple[str, bool]] = []
    latest = np.nan
    for row in numbers.sort_values().index:
        tier = float(tiers[row])
        if by_tier and np.isfinite(tier) and tier != latest:
            latest = tier
            if assessment.matrix.clusters:
                heading = tongue.say("Cluster %(number)s", number=f"{tier:g}")
            else:
                heading = tongue.say("Tier %(number)s", number=f"{tier:g}")
            lines += [("", False)] * bool(lines) + [(heading, True)]
        first, *others = wrapped(names[row], KEY_WIDTH, room).split("\n")
        lines.append((f"{numbers[row]}".rjust(2, FIGURE_SPACE) + FIGURE_SPACE + first, False))
        lines += [(FIGURE_SPACE * 3 + more, False) for more in others]
    return lines
