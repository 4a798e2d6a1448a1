"""Figures: every label readable, nothing left behind in matplotlib, the same bytes each time."""

from __future__ import annotations

import io
import os
import re
import signal
import time
import warnings
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from conftest import STUDY, shared, write_study
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection, PatchCollection, PathCollection, PolyCollection, QuadMesh
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.testing.compare import compare_images
from PIL import Image
from renew_figures import FOLDER, PICTURES, VERSION, clustered, in_clusters, reference, save
from scipy.stats import f as fisher

from materiality.assessment import assess
from materiality.errors import MaterialityError
from materiality.figures import (
    draw_clusters,
    draw_co_assignment,
    draw_matrix,
    draw_matrix_by_group,
    figures_of,
    groups_shown,
    shorten,
)
from materiality.figures.canvas import TINTS, wrapped
from materiality.figures.clusters import leaves
from materiality.figures.matrix import group_points
from materiality.reporting import pictures
from materiality.tiers import Zone

LONG = (
    "Climate change response", "Sustainable supply chains", "Energy management", "Occupational health and safety",
    "Product quality and safety", "Compliance and risk management", "Customer service",
    "Protection of employees' rights and interests", "Employee training", "Water", "Waste management",
    "Hazardous substance management", "Biodiversity and land use", "Diversity, inclusion and equality",
    "Community and public welfare", "Responsible minerals", "Corporate governance", "Innovation",
    "Business ethics and anti-corruption", "Stakeholder communication and disclosure",
)  # fmt: skip


def crowded_study(folder: Path, issues: int = 40, respondents: int = 60) -> Path:
    """A study whose issues all crowd near the top of both axes."""
    names = [f"{LONG[k % len(LONG)]}{'' if k < len(LONG) else ' abroad'}" for k in range(issues)]
    generator = np.random.default_rng(issues)
    appeal = generator.normal(0, 0.25, (2, issues))
    entries = "".join(f'[[issues]]\nid = "i{k}"\nlabel = "{name}"\n\n' for k, name in enumerate(names))
    head, tail = STUDY.split("[[issues]]")[0], "[axes.people]" + STUDY.split("[axes.people]")[1]
    study = (head + entries + tail).replace('column = "{label}"', 'column = "a {id}"')
    study = study.replace('column = "Impact of {label}"', 'column = "b {id}"')
    header = ",".join(["id", "group", *(f"{axis} i{k}" for axis in "ab" for k in range(issues))])
    rows = []
    for number in range(respondents):
        answers = np.clip(np.rint(generator.normal(4.4 + appeal, 0.8)), 1, 5).astype(int).ravel()
        rows.append(",".join([str(number), ("Staff", "Buyers")[number % 2], *map(str, answers)]))
    return write_study(folder, study=study, header=header, rows=tuple(rows))


def texts_and_dots(figure, place=0):
    """The labels' boxes and the dots' centres and radii as they are really drawn, in pixels."""
    canvas = FigureCanvasAgg(figure)
    if figure.stale:
        canvas.draw()
    renderer = canvas.get_renderer()
    axes = figure.axes[place]
    boxes = {text.get_text(): tuple(text.get_window_extent(renderer).extents) for text in axes.texts}
    dots = []
    for drawn in axes.collections:
        if isinstance(drawn, PathCollection):
            radius = np.sqrt(drawn.get_sizes()[0]) / 2 * figure.dpi / 72
            dots += [(*centre, radius) for centre in axes.transData.transform(drawn.get_offsets())]
    return boxes, np.array(dots), axes.get_window_extent(renderer).extents


def faults_of(figure, place=0) -> list[str]:
    """Labels that touch each other or a dot, or that leave the frame."""
    boxes, dots, frame = texts_and_dots(figure, place)
    found = overlaps(boxes)
    for name, (x0, y0, x1, y1) in boxes.items():
        for x, y, radius in dots:
            if np.hypot(max(x0 - x, 0, x - x1), max(y0 - y, 0, y - y1)) < radius:
                found.append(f"{name!r} on the dot at {x:.0f}, {y:.0f}")
        if x0 < frame[0] or y0 < frame[1] or x1 > frame[2] or y1 > frame[3]:
            found.append(f"{name!r} leaves the frame")
    return found


def overlaps(boxes) -> list[str]:
    return [
        f"{a!r} on {b!r}"
        for (a, (ax0, ay0, ax1, ay1)), (b, (bx0, by0, bx1, by1)) in combinations(boxes.items(), 2)
        if min(ax1, bx1) > max(ax0, bx0) and min(ay1, by1) > max(ay0, by0)
    ]


def outside_text_faults(figure) -> list[str]:
    """What stands beside the frames, keys and titles and notes: on each other, or beyond the figure's edge."""
    renderer = FigureCanvasAgg(figure).get_renderer()
    texts = [text for text in figure.texts if text.get_text().strip()]
    boxes = {f"{k} {text.get_text()}": tuple(text.get_window_extent(renderer).extents) for k, text in enumerate(texts)}
    edge = figure.bbox.extents
    beyond = [
        f"{name!r} leaves the figure"
        for name, (x0, y0, x1, y1) in boxes.items()
        if x0 < edge[0] or y0 < edge[1] or x1 > edge[2] or y1 > edge[3]
    ]
    return overlaps(boxes) + beyond


def renamed(assessment, names):
    """The assessment, its issues called otherwise."""
    issues = tuple(
        issue.model_copy(update={"label": name}) for issue, name in zip(assessment.study.issues, names, strict=True)
    )
    points = assessment.matrix.points.assign(label=list(names))
    study = assessment.study.model_copy(update={"issues": issues})
    return replace(assessment, study=study, matrix=replace(assessment.matrix, points=points))


CHINESE = "应对气候变化与能源管理以及水资源利用和员工权益保护产品质量安全供应链商业道德"


STUDIES = {
    "reference": lambda _: reference(),
    "haibei": lambda _: assess(shared("studies", "haibei")),
    "spack-2020": lambda _: assess(shared("studies", "spack-2020")),
    "40 crowded issues": lambda folder: assess(crowded_study(folder / "crowded")),
    "Chinese names": lambda _: renamed(reference(), [CHINESE[k : k + 4 + k % 15] for k in range(25)]),
    "very long names": lambda _: renamed(
        reference(), [f"{k} " + " ".join(LONG[(k + i) % len(LONG)] for i in range(1 + k % 5)) for k in range(25)]
    ),
}


@pytest.fixture(scope="module", params=STUDIES)
def study(request, tmp_path_factory):
    return STUDIES[request.param](tmp_path_factory.mktemp("study"))


@pytest.mark.parametrize("numbered", [False, True], ids=["names", "numbers"])
def test_no_label_touches_another_label_or_any_dot(study, numbered):
    figure = draw_matrix(study, numbered=numbered)
    boxes, dots, _ = texts_and_dots(figure)
    assert len(boxes) == len(dots) > 5
    assert faults_of(figure) == []
    assert outside_text_faults(figure) == []


def test_no_number_touches_another_number_or_any_dot_of_its_panel(study):
    figure = draw_matrix_by_group(study)
    assert len(figure.axes) == len(figure.label_placement) == len(groups_shown(study))
    for place in range(len(figure.axes)):
        boxes, dots, _ = texts_and_dots(figure, place)
        assert len(boxes) == len(dots) > 5
        assert faults_of(figure, place) == []
    assert outside_text_faults(figure) == []


def test_no_label_of_one_groups_matrix_touches_another_label_or_any_dot(study):
    group = groups_shown(study)[0]
    figure = draw_matrix(study, group=group)
    assert faults_of(figure) == []
    assert outside_text_faults(figure) == []


def test_the_count_of_overlaps_sees_a_label_on_a_label_and_on_a_dot(small_study):
    figure = draw_matrix(assess(small_study))
    axes = figure.axes[0]
    on_a_dot = axes.transAxes.inverted().transform(axes.transData.transform(axes.collections[-1].get_offsets()[0]))
    for text in axes.texts[:2]:
        text.set_position(on_a_dot)
    assert len(faults_of(figure)) >= 3


def test_a_label_without_a_leader_is_nearer_to_its_own_dot_than_to_any_other(study):
    assessment = study
    figure = draw_matrix(assessment)
    placement = figure.label_placement
    points = assessment.matrix.points[["x", "y"]].to_numpy(float)
    dots = figure.axes[0].transData.transform(points)
    for k, (box, leader) in enumerate(zip(placement.boxes, placement.leaders, strict=True)):
        if np.isnan(leader).any():
            x0, y0, x1, y1 = box
            away = np.hypot(
                np.maximum(np.maximum(x0 - dots[:, 0], dots[:, 0] - x1), 0),
                np.maximum(np.maximum(y0 - dots[:, 1], dots[:, 1] - y1), 0),
            )
            assert away[k] == pytest.approx(away.min(), abs=1e-9)


def test_drawing_leaves_the_settings_of_matplotlib_alone(small_study):
    before = dict(mpl.rcParams)
    draw_matrix(assess(small_study))
    assert dict(mpl.rcParams) == before


def test_drawing_twice_gives_the_same_picture(small_study):
    assessment = assess(small_study)
    pictures = []
    for _ in range(2):
        with io.BytesIO() as file:
            draw_matrix(assessment).savefig(file, format="png")
            pictures.append(file.getvalue())
    assert pictures[0] == pictures[1]


def test_axes_are_zoomed_to_the_data(small_study):
    assessment = assess(small_study)
    axes = draw_matrix(assessment).axes[0]
    points = assessment.matrix.points
    for (low, high), axis in ((axes.get_xlim(), "x"), (axes.get_ylim(), "y")):
        span = points[f"{axis}_high"].max() - points[f"{axis}_low"].min()
        assert low < points[f"{axis}_low"].min() and points[f"{axis}_high"].max() < high
        assert high - low < 1.2 * span


def test_simulated_answers_are_named_on_the_figure():
    figure = draw_matrix(reference())
    said = " ".join(text.get_text() for text in figure.texts)
    assert "(simulated answers)" in said and "Simulated answers, not a real survey." in said


def test_an_issue_without_a_score_is_named_below_the_figure(tmp_path):
    rows = ("1,Staff,4,5,,4,4,", "2,Staff,5,4,,5,3,", "3,Customer,3,5,,4,5,", "4,Customer,4,4,,5,4,")
    figure = draw_matrix(assess(write_study(tmp_path / "study", rows=rows)))
    said = re.sub(r"\s+", " ", " ".join(text.get_text() for text in figure.texts))
    assert "Not shown, for want of ratings: Ethics." in said
    assert {text.get_text() for text in figure.axes[0].texts} == {"Climate", "Safety"}


def test_a_study_in_which_nothing_is_rated_on_one_axis_is_told_so_and_drawn_nowhere(tmp_path):
    rows = ("1,Staff,4,5,3,,,", "2,Staff,5,4,2,,,", "3,Customer,3,5,2,,,")
    with pytest.raises(MaterialityError) as told:
        assess(write_study(tmp_path / "study", rows=rows))
    assert str(told.value) == (
        "study.toml: no issue has a rating on both axes of the matrix; nobody who was asked rated anything on "
        "'business'.\n"
        "  Mend: look at the axes' columns and groups; `materiality inspect` shows what the columns hold."
    )


def test_issues_on_one_place_show_as_rings_around_each_other(tmp_path):
    rows = ("1,Staff,4,4,2,4,4,2", "2,Staff,5,5,3,5,5,3", "3,Customer,3,3,2,4,4,2", "4,Customer,4,4,2,5,5,3")
    figure = draw_matrix(assess(write_study(tmp_path / "study", rows=rows)))
    _, dots, _ = texts_and_dots(figure)
    climate, safety, _ = dots
    assert tuple(climate[:2]) == tuple(safety[:2])
    assert safety[2] - climate[2] > 2
    assert "Rings: 1 dot under another." in " ".join(" ".join(text.get_text() for text in figure.texts).split())
    assert faults_of(figure) == []


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        pytest.param("Water", "Water", id="a short label stays"),
        pytest.param("Occupational health and safety", "Occupational health and\nsafety", id="words are kept whole"),
        pytest.param(
            "应对气候变化与能源管理以及水资源利用",
            "应对气候变化与能源管理以及\n水资源利用",
            id="Chinese is cut by width",
        ),
        pytest.param(
            "Better developer features (easily develop multiple packages and third party dependencies)",
            "Better developer features\n(easily develop multiple\npackages and third party…",
            id="a fourth line is cut with an ellipsis",
        ),
    ],
)
def test_labels_are_broken_into_at_most_three_lines(label, expected):
    assert shorten(label) == expected


# What the matrix shows


def dots_of(figure, place=0):
    """Every dot drawn: its place on the scale, whether its centre is white, and its edge's colour."""
    return [
        (tuple(offset), tuple(drawn.get_facecolor()[0][:3]) == (1, 1, 1), tuple(drawn.get_edgecolor()[0][:3]))
        for drawn in figure.axes[place].collections
        if isinstance(drawn, PathCollection)
        for offset in np.asarray(drawn.get_offsets()).tolist()
    ]


def said_below(figure):
    return " ".join(" ".join(text.get_text() for text in figure.texts).split())


def test_every_issue_has_one_dot_at_its_scores(study):
    points = study.matrix.points[["x", "y"]].dropna()
    drawn = sorted(place for place, *_ in dots_of(draw_matrix(study)))
    assert drawn == sorted(map(tuple, points.to_numpy(float).tolist()))


def test_white_centres_are_those_of_the_borderline_issues_alone(study):
    zone = dict(zip(map(tuple, study.matrix.points[["x", "y"]].to_numpy(float)), study.matrix.tiers.zone, strict=True))
    figure = draw_matrix(study)
    white = [place for place, hollow, _ in dots_of(figure) if hollow]
    assert sorted(white) == sorted(place for place, one in zone.items() if one is Zone.BORDERLINE)
    told = [text.get_text() for legend in figure.legends for text in legend.get_texts()]
    assert ("Borderline" in told) == ("White centre: borderline" in said_below(figure)) == bool(white)


def test_the_shade_behind_a_dot_and_the_name_of_its_zone_are_those_of_its_tier(study):
    figure = draw_matrix(study)
    axes = figure.axes[0]
    shades = [one for one in axes.collections if isinstance(one, PolyCollection)]
    boxes = [(one.get_paths()[0].get_extents(), brightness(one.get_facecolor()[0])) for one in shades]
    tier_of = {1: min(bright for _, bright in boxes), 2: max(bright for _, bright in boxes), 3: None}
    for point in study.matrix.points.dropna(subset=["x", "y"]).itertuples():
        behind = [bright for box, bright in boxes if box.contains(point.x, point.y)]
        assert (behind[0] if behind else None) == tier_of[point.tier]
    names = [text for text in figure.texts if text.get_text().startswith("Tier ")]
    assert {text.get_text() for text in names} == {"Tier 1", "Tier 2", "Tier 3"}
    across, up = study.matrix.x_threshold, study.matrix.y_threshold
    for text in names:
        x, y = axes.transData.inverted().transform(figure.transFigure.transform(text.get_position()))
        assert text.get_text() == f"Tier {3 - (x > across) - (y > up)}"


def brightness(colour):
    return float(np.dot(colour[:3], (0.2126, 0.7152, 0.0722)))


def test_tints_of_the_zones_and_paper_differ_in_grey():
    first, second = (brightness(to_rgb(tint)) for tint in TINTS)
    assert 1 - second > 0.02 and second - first > 0.02


def test_the_name_of_a_zone_stands_on_no_label_and_no_dot(study):
    figure = draw_matrix(study)
    labels, dots, frame = texts_and_dots(figure)
    renderer = FigureCanvasAgg(figure).get_renderer()
    for text in figure.texts:
        if text.get_text().startswith("Tier "):
            x0, y0, x1, y1 = box = tuple(text.get_window_extent(renderer).extents)
            assert overlaps({"zone": box, **labels}) == overlaps(labels)
            assert frame[0] <= x0 and x1 <= frame[2] and frame[1] <= y0 and y1 <= frame[3]
            away = np.hypot(
                np.maximum(np.maximum(x0 - dots[:, 0], dots[:, 0] - x1), 0),
                np.maximum(np.maximum(y0 - dots[:, 1], dots[:, 1] - y1), 0),
            )
            assert (away > dots[:, 2]).all()


def test_ellipses_are_the_contours_of_the_scores_joint_distribution():
    """From the covariance of the estimates, without the half axes and angle of the table."""
    assessment = reference()
    estimates, study = assessment.estimates, assessment.study
    issues = len(study.issues)
    axes = draw_matrix(assessment).axes[0]
    (drawn,) = (one for one in axes.collections if isinstance(one, PatchCollection))
    assert len(drawn.get_paths()) == issues
    places = [list(study.axes).index(axis) * issues for axis in (study.x, study.y)]
    for k, path in enumerate(drawn.get_paths()):
        pair = [places[0] + k, places[1] + k]
        sigma = estimates.covariance[np.ix_(pair, pair)]
        wider = estimates.std_dev[pair] / np.sqrt(np.diag(sigma))
        sigma = sigma * np.outer(wider, wider)
        curves = [curve for curve, _ in path.iter_bezier() if len(curve.control_points) == 4]
        outline = np.array([curve(t) for curve in curves for t in (0, 0.3, 0.7)]) - estimates.values[pair]
        reached = np.einsum("pi,ij,pj->p", outline, np.linalg.inv(sigma), outline)
        expected = 2 * fisher.ppf(study.confidence, 2, estimates.df[pair].min())
        np.testing.assert_allclose(reached, expected, rtol=0.01)


def test_without_ellipses_none_are_drawn():
    figure = draw_matrix(reference(), ellipses=False)
    assert not [one for one in figure.axes[0].collections if isinstance(one, PatchCollection)]
    assert "Ellipses" not in said_below(figure)


def test_numbers_run_by_tier_and_then_by_score_and_the_key_names_them(study):
    figure = draw_matrix(study, numbered=True)
    points = study.matrix.points.dropna(subset=["x", "y"])
    order = sorted(points.itertuples(), key=lambda point: (point.tier, -(point.x + point.y)))
    placed = {text.get_text() for text in figure.axes[0].texts}
    assert placed == {str(k) for k in range(1, len(order) + 1)}
    key = " ".join(" ".join(text.get_text() for text in figure.texts[1:]).replace("\u2007", " ").split())
    where = -1
    for k, point in enumerate(order, start=1):
        entry = f"{k} {' '.join(point.label.split())[:12]}"
        assert key.find(entry) > where
        where = key.find(entry)


def test_tiers_by_clusters_are_no_zones():
    clusters = in_clusters(3).clusters
    matrix = replace(reference().matrix, clusters=clusters)
    said = said_below(draw_matrix(replace(reference(), matrix=matrix)))
    assert "Above both" in said and "Shaded: above both and above one." in said and "Tier" not in said


# Groups


def test_a_groups_matrix_shows_its_own_scores_with_its_own_intervals():
    assessment = reference()
    figure = draw_matrix(assessment, group="customers")
    own = assessment.group_scores[assessment.group_scores["group"] == "customers"].set_index(["axis", "issue"])
    study = assessment.study
    expected = sorted(
        tuple(float(own.loc[(axis, issue.id), "estimate"]) for axis in (study.x, study.y)) for issue in study.issues
    )
    assert sorted(place for place, *_ in dots_of(figure)) == expected
    assert figure.axes[0].get_ylim()[0] < own.loc[study.y, "conf_low"].min()
    assert not [one for one in figure.axes[0].collections if isinstance(one, PatchCollection | PolyCollection)]
    assert not any(hollow for _, hollow, _ in dots_of(figure))
    said = said_below(figure)
    assert "as seen by Customers" in said and "Tier" not in said and "Shaded" not in said
    lines = {tuple(map(float, (line.get_xdata()[0], line.get_ydata()[0]))) for line in figure.axes[0].lines[:2]}
    assert lines == {(assessment.matrix.x_threshold, 0.0), (0.0, assessment.matrix.y_threshold)}


def test_an_axis_that_does_not_ask_the_group_keeps_all_groups_scores_and_says_so():
    assessment = reference()
    figure = draw_matrix(assessment, group="media")
    points = assessment.matrix.points["x"]
    assert sorted(x for (x, _), *_ in dots_of(figure)) == sorted(points.tolist())
    assert figure.axes[0].get_xlabel().endswith("; all groups)") and "all groups" not in figure.axes[0].get_ylabel()
    assert "does not ask this group and shows all groups." in said_below(figure)


def hide(assessment, group, issues):
    """The assessment with a group's means on some issues hidden, as they are in small groups."""
    scores = assessment.group_scores.copy()
    gone = (scores["group"] == group) & scores["issue"].isin(issues)
    scores.loc[gone, "suppressed"] = True
    return replace(assessment, group_scores=scores)


def test_what_is_hidden_of_a_group_is_drawn_nowhere_and_named_as_not_shown():
    chosen = list(reference().study.issues[:2])
    hidden = hide(reference(), "customers", [issue.id for issue in chosen])
    figure = draw_matrix(hidden, group="customers")
    assert len(dots_of(figure)) == len(hidden.study.issues) - 2
    told = f"Not shown, for want of ratings that may be shown: {chosen[0].name}, {chosen[1].name}."
    assert told in said_below(figure)
    panels = draw_matrix_by_group(hidden)
    place = [axes.get_title() for axes in panels.axes].index("Customers")
    assert len(dots_of(panels, place)) == len(hidden.study.issues) - 2
    assert "Not shown of Customers, for want of ratings" in said_below(panels)


def test_a_group_of_which_nothing_may_be_shown_has_no_matrix():
    hidden = hide(reference(), "customers", [issue.id for issue in reference().study.issues])
    with pytest.raises(ValueError, match=r"^nothing that group 'customers' answered may be shown$"):
        draw_matrix(hidden, group="customers")
    assert "Customers" not in [axes.get_title() for axes in draw_matrix_by_group(hidden).axes]
    with pytest.raises(ValueError, match=r"^there is no group 'nobody'; groups are shareholders, customers, "):
        draw_matrix(hidden, group="nobody")


def test_panels_have_the_same_limits_and_each_issue_the_same_number():
    assessment = reference()
    figure = draw_matrix_by_group(assessment)
    assert len({(axes.get_xlim(), axes.get_ylim()) for axes in figure.axes}) == 1
    numbers = {point.issue: k for k, point in enumerate(
        sorted(assessment.matrix.points.itertuples(), key=lambda point: (point.tier, -(point.x + point.y))), start=1
    )}  # fmt: skip
    axes, placed = figure.axes[1], figure.label_placement[1]
    points = group_points(assessment, "customers")
    dots = axes.transData.transform(points[["x", "y"]].to_numpy(float))
    order = [text.get_text() for text in axes.texts]
    assert order == [str(numbers[issue]) for issue in points["issue"]]
    for k, (x0, y0, x1, y1) in enumerate(placed.boxes):
        if np.isnan(placed.leaders[k]).any():
            away = np.hypot(
                np.maximum(np.maximum(x0 - dots[:, 0], dots[:, 0] - x1), 0),
                np.maximum(np.maximum(y0 - dots[:, 1], dots[:, 1] - y1), 0),
            )
            assert away[k] == pytest.approx(away.min(), abs=1e-9)


def test_ten_groups_have_a_panel_and_the_others_are_named(tmp_path):
    names = [f"Group {k}" for k in range(12)]
    groups = "".join(f'[[groups]]\nid = "g{k}"\nlabel = "{name}"\n\n' for k, name in enumerate(names))
    study = STUDY.split("[[groups]]")[0] + groups + "[[issues]]" + STUDY.split("[[issues]]", 1)[1]
    rows = tuple(f"{k},{name},{1 + k % 5},{5 - k % 4},3,{1 + k % 4},4,{5 - k % 3}" for k, name in enumerate(names * 2))
    figure = draw_matrix_by_group(assess(write_study(tmp_path / "many", study=study, rows=rows)))
    assert [axes.get_title() for axes in figure.axes] == names[:10]
    assert "Groups without a panel here: Group 10, Group 11." in said_below(figure)


# Clusters


@pytest.fixture(scope="module")
def three_clusters():
    return in_clusters(3)


def test_every_issue_has_one_marker_that_the_legend_gives_to_its_cluster(three_clusters):
    figure = draw_clusters(three_clusters)
    drawn = [one for one in figure.axes[0].collections if isinstance(one, PathCollection)]
    points = three_clusters.matrix.points[["x", "y"]].to_numpy(float)
    assert np.concatenate([one.get_offsets() for one in drawn]).tolist() == points.tolist()
    _, *handles = figure.legends[0].legend_handles
    labels = three_clusters.clusters.stability.labels
    colours = [to_rgb(handle.get_color()) for handle in handles]
    assert len(set(colours)) == len({handle.get_marker() for handle in handles}) == 3
    assert [tuple(one.get_facecolor()[0][:3]) for one in drawn] == [colours[label] for label in labels]
    assert [text.get_text() for text in figure.legends[0].get_texts()[1:]] == [
        f"{k} ({jaccard:.2f})" for k, jaccard in enumerate(three_clusters.clusters.stability.jaccard, start=1)
    ]


def test_lines_join_exactly_the_issues_that_half_of_the_draws_put_together(three_clusters):
    points = [tuple(point) for point in three_clusters.matrix.points[["x", "y"]].to_numpy(float).tolist()]
    assert len(set(points)) == len(points)
    drawn = three_clusters.clusters.stability.drawn
    often = {
        (a, b) for a, b in combinations(range(len(points)), 2) if (drawn[:, a] == drawn[:, b]).sum() * 2 >= len(drawn)
    }
    (lines,) = (one for one in draw_clusters(three_clusters).axes[0].collections if isinstance(one, LineCollection))
    joined = [tuple(points.index(tuple(end)) for end in segment.tolist()) for segment in lines.get_segments()]
    assert sorted(joined) == sorted(often)
    assert 0 < len(often) < len(points) * (len(points) - 1) / 2
    shares = [(drawn[:, a] == drawn[:, b]).mean() for a, b in joined]
    opacity = lines.get_colors()[:, 3]
    assert (np.diff(opacity[np.argsort(shares, kind="stable")]) >= -1e-12).all()


def test_clusters_of_simulated_answers_are_called_simulated(three_clusters):
    renamed = replace(three_clusters, study=three_clusters.study.model_copy(update={"title": "A survey"}))
    title, note = (" ".join(text.get_text().split()) for text in draw_clusters(renamed).texts)
    assert title == "A survey: clusters of issues (simulated answers)"
    assert note.startswith("Simulated answers, not a real survey. 3 clusters by k-means, as the study asks. ")


def test_no_label_of_a_clustered_issue_touches_another_or_any_dot(three_clusters):
    figure = draw_clusters(three_clusters)
    boxes, dots, _ = texts_and_dots(figure)
    assert len(boxes) == len(dots) == len(three_clusters.study.issues)
    assert faults_of(figure) == []


def test_ten_clusters_differ_and_their_legend_fits_the_figure():
    figure = draw_clusters(in_clusters(10))
    FigureCanvasAgg(figure).draw()
    (legend,) = figure.legends
    looks = {(handle.get_marker(), handle.get_color()) for handle in legend.legend_handles[1:]}
    assert len(looks) == len(legend.legend_handles) - 1 == 10
    box = legend.get_window_extent()
    assert figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1
    assert faults_of(figure) == []


def test_an_issue_without_a_score_is_not_among_the_clusters(tmp_path):
    rows = ("1,Staff,4,5,,4,4,", "2,Staff,5,4,,5,3,", "3,Customer,3,5,,4,5,", "4,Customer,4,4,,5,4,")
    figure = draw_clusters(clustered(assess(write_study(tmp_path / "study", rows=rows)), 2))
    assert {text.get_text() for text in figure.axes[0].texts} == {"Climate", "Safety"}


def test_without_clusters_there_is_nothing_to_draw(small_study):
    with pytest.raises(ValueError, match=r"^the issues form no clusters, so there is nothing to draw$"):
        draw_clusters(clustered(assess(small_study), 1))


def test_the_heat_map_shows_how_often_draws_put_two_issues_together(three_clusters):
    figure = draw_co_assignment(three_clusters)
    axes = figure.axes[0]
    drawn = three_clusters.clusters.stability.drawn
    (mesh,) = (one for one in axes.collections if isinstance(one, QuadMesh))
    shown = np.asarray(mesh.get_array())
    said = [label.get_text().rsplit("  ", 1)[0] for label in axes.get_yticklabels()]
    names = three_clusters.matrix.points["label"].tolist()
    order = [next(k for k, name in enumerate(names) if name.startswith(start.rstrip("…"))) for start in said]
    assert sorted(order) == list(range(len(names)))
    for i, a in enumerate(order):
        for j, b in enumerate(order):
            assert shown[i, j] == pytest.approx((drawn[:, a] == drawn[:, b]).mean())
    labels = three_clusters.clusters.stability.labels[order]
    assert (np.diff(labels) >= 0).all()
    frames = sorted((one.get_x(), one.get_y(), one.get_width()) for one in axes.patches if isinstance(one, Rectangle))
    starts = [int((labels < k).sum()) for k in range(3)]
    assert frames == [(start, start, int((labels == k).sum())) for k, start in enumerate(starts)]


def test_neighbours_in_the_heat_map_are_joined_as_by_average_linkage():
    """Every subtree of SciPy's tree holds issues that stand side by side."""
    from scipy.cluster.hierarchy import average, to_tree
    from scipy.spatial.distance import squareform

    generator = np.random.default_rng(3)
    similarity = generator.uniform(0, 0.9, (12, 12))
    similarity = (similarity + similarity.T) / 2
    np.fill_diagonal(similarity, 1.0)
    place = np.argsort(leaves(similarity))
    _, nodes = to_tree(average(squareform(1 - similarity, checks=False)), rd=True)
    for node in nodes:
        held = np.sort(place[node.pre_order()])
        assert (np.diff(held) == 1).all()


def test_without_clusters_there_is_no_heat_map(small_study):
    with pytest.raises(ValueError, match=r"^the issues form no clusters, so there is nothing to draw$"):
        draw_co_assignment(clustered(assess(small_study), 1))


# Text


@pytest.mark.parametrize(
    ("text", "lines", "expected"),
    [
        pytest.param("one two three", 3, "one two\nthree", id="between words"),
        pytest.param("气候变化水资源", 3, "气候变\n化水资\n源", id="Chinese after any character, each of two widths"),
        pytest.param("abcdefghijkl", 3, "abcdefg\nhijkl", id="a long word is cut"),
        pytest.param("one two three four", 2, "one two\nthree…", id="what does not fit ends with an ellipsis"),
        pytest.param("", 2, "", id="nothing stays nothing"),
    ],
)
def test_text_is_wrapped_by_its_width(text, lines, expected):
    assert wrapped(text, 7, lines) == expected


# Files


def simple(colour):
    figure = Figure(figsize=(2, 1))
    figure.text(0.1, 0.5, "Water", color=colour)
    return figure


def save_figures(assessment, folder, **options):
    with pictures.saving_figures(assessment, folder, **options):
        pass


def test_figures_are_the_same_bytes_however_many_processes_write_them(tmp_path, monkeypatch):
    drawn = {name: (lambda name=name: simple(name)) for name in ("red", "green", "blue")}
    drawn["matrix"] = lambda: draw_matrix(reference())
    monkeypatch.setattr(pictures, "figures_of", lambda *_: drawn)
    written = []
    for workers in (1, 2, 3):
        folder = tmp_path / str(workers)
        folder.mkdir()
        save_figures(reference(), folder, workers=workers)
        written.append({path.name: path.read_bytes() for path in folder.iterdir()})
    assert set(written[0]) == {f"{name}.{suffix}" for name in drawn for suffix in ("png", "svg", "pdf")}
    assert written[0] == written[1] == written[2]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_figure_that_cannot_be_drawn_stops_the_others_and_says_why(workers, tmp_path, monkeypatch):
    children, fork = [], os.fork

    def forked():
        children.append(fork())
        return children[-1]

    def fails():
        raise ValueError("nothing to draw")

    monkeypatch.setattr(os, "fork", forked)
    monkeypatch.setattr(
        pictures, "figures_of", lambda *_: {"bad": fails, **{f"{k}": lambda: simple("k") for k in range(40)}}
    )
    with pytest.raises(ValueError, match=r"^nothing to draw$"):
        save_figures(reference(), tmp_path, workers=workers)
    assert len(list(tmp_path.iterdir())) < 3 * 40
    assert not any(is_alive(child) for child in children)


def test_figures_of_a_process_that_was_killed_are_drawn_all_the_same(tmp_path, monkeypatch):
    here = os.getpid()

    def deadly():
        if os.getpid() != here:
            os.kill(os.getpid(), signal.SIGKILL)
        return simple("r")

    monkeypatch.setattr(
        pictures, "figures_of", lambda *_: {"first": deadly, "second": deadly, "third": lambda: simple("k")}
    )
    save_figures(reference(), tmp_path, workers=2)
    assert len(list(tmp_path.iterdir())) == 9


def test_processes_end_by_themselves_when_the_one_that_waits_for_them_is_killed(tmp_path, monkeypatch):
    def slow():
        (tmp_path / f"{os.getpid()}.seen").touch()
        time.sleep(0.3)
        return simple("k")

    monkeypatch.setattr(pictures, "figures_of", lambda *_: {f"{k}": slow for k in range(60)})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        save_figures(reference(), tmp_path, workers=2)
        os._exit(0)
    while len(list(tmp_path.glob("*.seen"))) < 2:
        time.sleep(0.02)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    drawing = [int(path.stem) for path in tmp_path.glob("*.seen")]
    for _ in range(500):
        if not any(is_alive(one) for one in drawing):
            return
        time.sleep(0.02)
    raise AssertionError("still drawing")


def is_alive(process: int) -> bool:
    """Whether a process runs; what has ended and was not asked for yet does not."""
    try:
        return ") Z " not in Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return False


def test_a_picture_has_200_dots_to_the_inch_and_fonts_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setattr(pictures, "figures_of", lambda *_: {"simple": lambda: simple("k")})
    save_figures(reference(), tmp_path)
    with Image.open(tmp_path / "simple.png") as picture:
        assert picture.size == (400, 200) and picture.mode == "RGB"
        assert picture.info["dpi"] == pytest.approx((200, 200), abs=0.1)
        assert picture.info["Software"] == "materiality"
    assert (
        b"/FontFile" in (tmp_path / "simple.pdf").read_bytes()
        or b"/CharProcs" in (tmp_path / "simple.pdf").read_bytes()
    )
    assert "<text" not in (tmp_path / "simple.svg").read_text()


def test_a_study_has_the_figures_that_it_has_data_for(small_study):
    assert list(figures_of(reference()))[:3] == ["matrix", "matrix_numbered", "matrix_by_group"]
    assert not {"clusters", "co_assignment"} & set(figures_of(reference()))
    with_clusters = list(figures_of(in_clusters(3)))
    assert {"clusters", "co_assignment"} < set(with_clusters)
    hidden = reference()
    for group in hidden.study.groups[1:]:
        hidden = hide(hidden, group.id, [issue.id for issue in hidden.study.issues])
    assert "matrix_by_group" not in figures_of(hidden)


@pytest.mark.parametrize("draw", [
    lambda: draw_matrix(reference(), numbered=True),
    lambda: draw_matrix_by_group(reference()),
    lambda: draw_co_assignment(in_clusters(3)),
])  # fmt: skip
def test_no_figure_changes_the_settings_of_matplotlib_or_writes_a_file(draw, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = dict(mpl.rcParams)
    draw()
    assert dict(mpl.rcParams) == before
    assert not list(tmp_path.iterdir())


# Reference pictures

TOLERANCE = 0.3
"""Of the root mean square difference of the pixels, from 0 to 255."""


@pytest.mark.parametrize("name", PICTURES)
def test_a_figure_looks_like_its_reference_picture(name, tmp_path):
    """Where the change is meant, `python tests/renew_figures.py` draws the pictures anew."""
    if mpl.__version_info__[:2] != VERSION:
        pytest.skip(f"the pictures are of matplotlib {VERSION}")
    save(PICTURES[name](), tmp_path / f"{name}.png")
    assert compare_images(FOLDER / f"{name}.png", tmp_path / f"{name}.png", tol=TOLERANCE) is None


def test_every_reference_picture_is_small_and_shows_a_figure():
    assert {path.stem for path in FOLDER.iterdir()} == set(PICTURES)
    assert max(path.stat().st_size for path in FOLDER.iterdir()) <= 60_000


@pytest.mark.parametrize("change", ["a dot moves", "a colour"])
def test_the_comparison_sees_a_small_change(change, tmp_path):
    figure = draw_matrix(reference())
    save(figure, tmp_path / "before.png")
    dots = next(one for one in figure.axes[0].collections if isinstance(one, PathCollection))
    if change == "a colour":
        dots.set_color("red")
    else:
        places = np.array(dots.get_offsets())
        places[0, 0] += 0.05
        dots.set_offsets(places)
    save(figure, tmp_path / "after.png")
    assert compare_images(tmp_path / "before.png", tmp_path / "after.png", tol=TOLERANCE) is not None
