"""Figures: every label readable, nothing left behind in matplotlib, the same bytes each time."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from conftest import ROOT, STUDY, shared, write_study
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.colors import to_rgb

from materiality.assessment import assess
from materiality.clustering import cluster_issues
from materiality.errors import MaterialityError
from materiality.figures import draw_clusters, draw_matrix, shorten

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


def texts_and_dots(figure):
    """The labels' boxes and the dots' centres and radii as they are really drawn, in pixels."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    axes = figure.axes[0]
    boxes = {text.get_text(): tuple(text.get_window_extent(renderer).extents) for text in axes.texts}
    dots = []
    for drawn in axes.collections:
        if isinstance(drawn, PathCollection):
            radius = np.sqrt(drawn.get_sizes()[0]) / 2 * figure.dpi / 72
            dots += [(*centre, radius) for centre in axes.transData.transform(drawn.get_offsets())]
    return boxes, np.array(dots), axes.get_window_extent(renderer).extents


def faults_of(figure) -> list[str]:
    """Labels that touch each other or a dot, or that leave the frame."""
    boxes, dots, frame = texts_and_dots(figure)
    found = []
    for (a, (ax0, ay0, ax1, ay1)), (b, (bx0, by0, bx1, by1)) in combinations(boxes.items(), 2):
        if min(ax1, bx1) > max(ax0, bx0) and min(ay1, by1) > max(ay0, by0):
            found.append(f"{a!r} on {b!r}")
    for name, (x0, y0, x1, y1) in boxes.items():
        for x, y, radius in dots:
            if np.hypot(max(x0 - x, 0, x - x1), max(y0 - y, 0, y - y1)) < radius:
                found.append(f"{name!r} on the dot at {x:.0f}, {y:.0f}")
        if x0 < frame[0] or y0 < frame[1] or x1 > frame[2] or y1 > frame[3]:
            found.append(f"{name!r} leaves the frame")
    return found


STUDIES = {
    "reference": lambda _: ROOT / "surveys" / "kstar-2023",
    "haibei": lambda _: shared("studies", "haibei"),
    "spack-2020": lambda _: shared("studies", "spack-2020"),
    "40 crowded issues": lambda folder: crowded_study(folder / "crowded"),
}


@pytest.mark.parametrize("name", STUDIES)
def test_no_label_touches_another_label_or_any_dot(name, tmp_path):
    figure = draw_matrix(assess(STUDIES[name](tmp_path)))
    boxes, dots, _ = texts_and_dots(figure)
    assert len(boxes) == len(dots) > 5
    assert faults_of(figure) == []


def test_the_count_of_overlaps_sees_a_label_on_a_label_and_on_a_dot(small_study):
    figure = draw_matrix(assess(small_study))
    axes = figure.axes[0]
    on_a_dot = axes.transAxes.inverted().transform(axes.transData.transform(axes.collections[-1].get_offsets()[0]))
    for text in axes.texts[:2]:
        text.set_position(on_a_dot)
    assert len(faults_of(figure)) >= 3


@pytest.mark.parametrize("name", STUDIES)
def test_a_label_without_a_leader_is_nearer_to_its_own_dot_than_to_any_other(name, tmp_path):
    assessment = assess(STUDIES[name](tmp_path))
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
    figure = draw_matrix(assess(ROOT / "surveys" / "kstar-2023"))
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


# Clusters


def clustered(assessment, k):
    """The assessment, its issues in so many clusters."""
    tiers = assessment.study.tiers.model_copy(update={"clusters": k})
    study = assessment.study.model_copy(update={"tiers": tiers})
    values = assessment.matrix.points[["x", "y"]].to_numpy(float).T
    found = cluster_issues(study, values, assessment.matrix.tiers.drawn, np.random.default_rng(1))
    return replace(assessment, study=study, clusters=found)


@pytest.fixture(scope="module")
def reference():
    return assess(ROOT / "surveys" / "kstar-2023")


@pytest.fixture(scope="module")
def three_clusters(reference):
    return clustered(reference, 3)


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


def test_ten_clusters_differ_and_their_legend_fits_the_figure(reference):
    figure = draw_clusters(clustered(reference, 10))
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
