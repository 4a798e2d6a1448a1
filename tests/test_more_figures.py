"""Figures of ranks, groups, choices, weights and rows: they show what the tables and the rows say, and can be read."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from conftest import ROOT, STUDY, shared, write_study
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection, PathCollection, PolyCollection
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Text
from renew_figures import in_clusters, reference
from test_figures import crowded_study, outside_text_faults
from test_figures import faults_of as faults_of_labels
from test_groups import HEADER, THREE, simulated_rows
from test_wording import english_among

from materiality.assessment import assess
from materiality.figures import (
    draw_answers,
    draw_clusters,
    draw_co_assignment,
    draw_gaps,
    draw_groups,
    draw_matrix,
    draw_multiverse,
    draw_rank_acceptability,
    draw_ranks,
    draw_rows,
    draw_weights,
    figures_of,
    house_style,
    said_by,
)
from materiality.figures.canvas import wrapped
from materiality.figures.groups import SIDES, stacked
from materiality.figures.rows import flow_of
from materiality.figures.sheet import SHADES
from materiality.reporting.tables import write_tables
from materiality.study import Language

MINE = ("ranks", "rank_acceptability", "groups", "answers_", "gaps", "multiverse", "weights", "rows")


def assessed(folder: Path, rows: pd.DataFrame, study: str = THREE):
    return assess(
        write_study(folder, study=study, csv=rows.astype(dict.fromkeys(HEADER[2:], "Int64")).to_csv(index=False))
    )


def mine(assessment) -> dict[str, Figure]:
    """The figures of these modules, drawn."""
    return {key: draw() for key, draw in figures_of(assessment).items() if key.startswith(MINE)}


@cache
def figures_of_the_reference() -> dict[str, Figure]:
    return mine(reference())


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    """Three groups without weights, so that pandas's means of the rows are the group means."""
    rows = simulated_rows(1, {"staff": 30, "buyers": 25, "press": 20}, missing=0.05)
    return rows, assessed(tmp_path_factory.mktemp("three"), rows)


COLUMNS = {
    (axis, issue): prefix + issue.capitalize()
    for axis, prefix in (("people", ""), ("business", "Impact of "))
    for issue in ("climate", "safety", "ethics")
}


def of_kind(axes, kind):
    return [one for one in axes.collections if isinstance(one, kind)]


def rectangles(collection) -> list[tuple[float, float, float, float]]:
    """Left, right, top and bottom of each rectangle, in data."""
    paths = [path.vertices[:4] for path in collection.get_paths()]
    return [(x[:, 0].min(), x[:, 0].max(), x[:, 1].min(), x[:, 1].max()) for x in paths]


def segments(collection) -> np.ndarray:
    return np.array(collection.get_segments())


def panels_of(figure: Figure) -> list:
    """The panels with rows, without keys."""
    return [axes for axes in figure.axes if axes.axison]


def words_in(figure: Figure) -> list[str]:
    return [" ".join(text.get_text().split()) for text in figure.findobj(Text) if text.get_text().strip()]


def names_from_the_top(figure: Figure, names) -> list[str]:
    """Those of the names that stand in the first column, from the top down."""
    found = [t for t in figure.texts if t.get_ha() == "right" and " ".join(t.get_text().split()) in names]
    return [" ".join(t.get_text().split()) for t in sorted(found, key=lambda t: -t.get_position()[1])]


# All of them can be read


def renamed(folder: Path, names: dict[str, str]) -> Path:
    """The small study under other names."""
    study = STUDY.replace('column = "{label}"', 'column = "{id}"').replace('"Impact of {label}"', '"Impact of {id}"')
    study = study.replace('label = "Staff"', 'label = "Staff"\nanswers = ["Staff"]')
    for old, new in names.items():
        assert study.count(f'"{old}"') >= 1
        study = study.replace(f'= "{old}"', f"= '{new}'")
    header = "id,group," + ",".join(
        f"{prefix}{issue}" for prefix in ("", "Impact of ") for issue in ("climate", "safety", "ethics")
    )
    return write_study(folder, study=study, header=header)


def one_group(folder: Path) -> Path:
    start, end = STUDY.index('[[groups]]\nid = "buyers"'), STUDY.index("[[issues]]")
    answers = np.random.default_rng(1).integers(1, 6, (30, 6))
    rows = tuple(",".join([str(k), "Staff", *map(str, row)]) for k, row in enumerate(answers))
    return write_study(folder, study=STUDY[:start] + STUDY[end:], rows=rows)


def points(folder: Path, low: int, high: int) -> Path:
    study = STUDY.replace("low = 1\nhigh = 5", f"low = {low}\nhigh = {high}")
    answers = np.random.default_rng(2).integers(low, high + 1, (40, 6))
    rows = tuple(",".join([str(k), ("Staff", "Buyers")[k % 2], *map(str, row)]) for k, row in enumerate(answers))
    return write_study(folder, study=study, rows=rows)


def many_groups(folder: Path) -> Path:
    groups = "".join(f'[[groups]]\nid = "g{k}"\nlabel = "Association of residents {k}"\n\n' for k in range(18))
    start, end = STUDY.index("[[groups]]"), STUDY.index("[[issues]]")
    answers = np.random.default_rng(3).integers(1, 6, (90, 6))
    rows = tuple(
        ",".join([str(k), f"Association of residents {k % 18}", *map(str, row)]) for k, row in enumerate(answers)
    )
    return write_study(folder, study=STUDY[:start] + groups + STUDY[end:], rows=rows)


CHINESE = {
    "A small study": "可持续发展重要性评估与利益相关方沟通调查报告" * 3,
    "Staff": "本公司全体员工及其家属代表和工会组织成员",
    "Climate": "应对气候变化与能源管理以及水资源利用以及生物多样性保护和土地使用",
    "Importance to people": "对人与环境的重要程度以及影响范围",
}
STRANGE = {
    "A small study": "W" * 300,
    "Staff": "W" * 90,
    "Buyers": "<b>$x_1$</b> & " + "long " * 40,
    "Climate": "M" * 200,
    "Safety": "$a_1$ and $b^{",
    "Ethics": "אחריות תאגידית",
    "Importance to people": "m i " * 60,
}
STUDIES = {
    "reference": lambda _: ROOT / "surveys" / "kstar-2023",
    "haibei": lambda _: shared("studies", "haibei"),
    "spack-2020": lambda _: shared("studies", "spack-2020"),
    "40 crowded issues": lambda folder: crowded_study(folder / "crowded"),
    "one group": lambda folder: one_group(folder / "one"),
    "two points": lambda folder: points(folder / "two", 0, 1),
    "eleven points": lambda folder: points(folder / "eleven", 0, 10),
    "18 groups": lambda folder: many_groups(folder / "many"),
    "Chinese": lambda folder: renamed(folder / "chinese", CHINESE),
    "strange and long names": lambda folder: renamed(folder / "strange", STRANGE),
}


def faults_of(figure: Figure) -> list[str]:
    """Texts that touch each other or leave the figure, as they are drawn."""
    canvas = FigureCanvasAgg(figure)
    figure.draw_without_rendering()
    texts = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip()]
    boxes = np.array([text.get_window_extent(canvas.get_renderer()).extents for text in texts])
    texts, boxes = [t for t, b in zip(texts, boxes, strict=True) if b[2] > b[0]], boxes[boxes[:, 2] > boxes[:, 0]]
    low, high = boxes[:, None, :2], boxes[:, None, 2:]
    meet = (np.minimum(high, high.swapaxes(0, 1)) > np.maximum(low, low.swapaxes(0, 1))).all(axis=2)
    found = [
        f"{texts[a].get_text()!r} on {texts[b].get_text()!r}"
        for a, b in zip(*np.nonzero(np.triu(meet, 1)), strict=True)
    ]
    outside = (boxes[:, :2] < 0).any(axis=1) | (boxes[:, 2:] > figure.bbox.max).any(axis=1)
    return found + [f"{texts[k].get_text()!r} leaves the figure" for k in np.flatnonzero(outside)]


@pytest.mark.parametrize("name", STUDIES)
def test_no_text_touches_another_or_leaves_the_figure(name, tmp_path):
    figures = figures_of_the_reference() if name == "reference" else mine(assess(STUDIES[name](tmp_path)))
    assert {"ranks", "rank_acceptability", "groups", "multiverse", "rows"} <= set(figures)
    assert {key: faults_of(figure) for key, figure in figures.items()} == {key: [] for key in figures}


def in_chinese(assessment):
    return replace(assessment, study=assessment.study.model_copy(update={"language": Language.CHINESE}))


@cache
def chinese_figures() -> dict[str, Figure]:
    """Every figure of the reference study in Chinese, the matrix of one group and the clusters among them."""
    study, clusters = in_chinese(reference()), in_chinese(in_clusters(3))
    draw = {
        **figures_of(study),
        "matrix_of_media": partial(draw_matrix, study, group="media"),
        "clusters": partial(draw_clusters, clusters),
        "co_assignment": partial(draw_co_assignment, clusters),
    }
    figures = {key: one() for key, one in draw.items()}
    for figure in figures.values():
        figure.draw_without_rendering()
    return figures


def test_no_text_of_a_chinese_figure_touches_another_or_leaves_the_figure():
    found = {}
    for key, figure in chinese_figures().items():
        if key.startswith(MINE):
            found[key] = faults_of(figure)
        else:
            labels = key.startswith(("matrix", "clusters"))
            found[key] = outside_text_faults(figure) + [
                fault for place in range(len(figure.axes) * labels) for fault in faults_of_labels(figure, place)
            ]
    assert len(found) > 14
    assert found == {key: [] for key in found}


def test_a_chinese_figure_says_nothing_in_english_but_the_studys_own_words(small_study):
    small = assess(small_study, language="zh")
    for assessment, figures in (
        (small, {key: draw() for key, draw in figures_of(small).items()}),
        (in_chinese(reference()), chinese_figures()),
    ):
        study = assessment.study
        # names may be broken, and cut where they do not fit
        own = ["".join(one.name.split()) for one in (*study.issues, *study.groups)]
        for key, figure in figures.items():
            english = english_among(words_in(figure), assessment)
            assert [run for run in english if not any("".join(run.split()) in name for name in own)] == [], key
            assert any(re.search("[\u4e00-\u9fff]", words) for words in words_in(figure)), key


def test_a_chinese_figure_says_the_numbers_of_the_english_one():
    for key, figure in figures_of_the_reference().items():
        figure.draw_without_rendering()
        numbers = [
            sorted(re.findall(r"[\d.,]*\d", " ".join(words_in(one)))) for one in (figure, chinese_figures()[key])
        ]
        assert numbers[0] == numbers[1], key
        assert not re.search(r"\d %", " ".join(words_in(chinese_figures()[key]))), key


def test_no_line_of_chinese_begins_with_a_mark_that_closes():
    assert wrapped("一二三，四五", 6, 3) == "一二\n三，四\n五"
    assert wrapped("抽样：占比（95%）。层级", 10, 3) == "抽样：占比\n（95%）。\n层级"


def test_the_words_of_a_chinese_figure_ask_for_a_font_that_has_them(small_study):
    for language, expected in (("en", False), ("zh", True)):
        text = said_by(assess(small_study, language=language).study)
        assert any(ord(char) > 0x2E7F for char in text) == expected


def test_the_count_of_faults_sees_a_text_on_another_and_one_outside(small_study):
    figure = draw_rows(assess(small_study))
    figure.texts[0].set_position(figure.texts[1].get_position())
    figure.texts[-1].set_position((0.999, 0.5))
    assert len(faults_of(figure)) >= 2


def test_names_with_markup_stay_as_they_are(tmp_path):
    said = words_in(draw_ranks(assess(renamed(tmp_path / "strange", STRANGE))))
    assert "$a_1$ and $b^{" in said


@pytest.mark.parametrize(
    "draw", [draw_ranks, draw_rank_acceptability, draw_groups, draw_answers, draw_gaps, draw_multiverse, draw_rows]
)
def test_drawing_leaves_matplotlib_alone_and_gives_the_same_picture_twice(draw, three):
    before, pictures = dict(mpl.rcParams), []
    for _ in range(2):
        with io.BytesIO() as file:
            draw(three[1]).savefig(file, format="png", dpi=40)
            pictures.append(file.getvalue())
    assert pictures[0] == pictures[1]
    assert dict(mpl.rcParams) == before


def test_simulated_answers_are_named_on_every_figure():
    for key, figure in figures_of_the_reference().items():
        said = words_in(figure)
        assert any(words.startswith("Simulated answers, not a real survey. ") for words in said), key
        assert any("(simulated answers)" in words for words in said), key


def test_a_figure_grows_with_its_issues_and_stays_as_wide(three):
    (width, few), (same, many) = (draw_ranks(one).get_size_inches() for one in (three[1], reference()))
    assert width == same == 11
    assert 0.25 < (many - few) / (25 - 3) < 0.3


def lightness(colour) -> float:
    """L* of CIELAB."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
    y = np.dot([0.2126, 0.7152, 0.0722], linear)
    return 116 * y ** (1 / 3) - 16 if y > 0.008856 else 903.3 * y


def test_the_shades_darken_in_even_steps_so_that_they_read_in_grey():
    steps = np.diff([lightness(SHADES(value)) for value in np.linspace(0, 1, 9)])
    assert (steps < -5).all() and steps.min() > 1.6 * steps.mean()


def test_both_sides_of_the_answers_darken_away_from_the_middle():
    found = np.array([lightness(SIDES(value)) for value in np.linspace(0, 1, 11)])
    assert (np.diff(found[:6]) > 0).all() and (np.diff(found[5:]) < 0).all()


# Ranks


def test_every_dot_is_at_the_rank_that_pandas_gives_and_the_rows_stand_in_the_order_of_both_axes():
    assessment = reference()
    points = assessment.matrix.points.set_index("label")
    both = ((points["x"] + points["y"]) / 2).rank(ascending=False, method="min")
    order = list(both.sort_values().index)
    figure = draw_ranks(assessment)
    assert names_from_the_top(figure, set(order)) == order
    for panel, scores in zip(panels_of(figure), (both, points["y"], points["x"]), strict=True):
        (dots,) = of_kind(panel, PathCollection)
        expected = scores if scores is both else scores.rank(ascending=False, method="min")
        assert dots.get_offsets()[:, 0].tolist() == expected[order].tolist()
        assert dots.get_offsets()[:, 1].tolist() == [k + 0.5 for k in range(25)]


def test_lines_and_bars_reach_over_the_confidence_sets_of_the_ranks(three):
    figure, table = draw_ranks(three[1]), three[1].ranks
    labels = {issue.id: issue.name for issue in three[1].study.issues}
    order = names_from_the_top(figure, set(labels.values()))
    for panel, axis in zip(panels_of(figure), ("combined", "people", "business"), strict=True):
        lines = [one for one in of_kind(panel, LineCollection) if len(one.get_segments()) == 3]
        part = table[table["axis"] == axis].assign(label=lambda t: t["issue"].map(labels)).set_index("label").loc[order]
        for line, (low, high) in zip(lines, (("low", "high"), ("marginal_low", "marginal_high")), strict=True):
            ends = segments(line)[:, :, 0]
            assert np.floor(ends[:, 1]).tolist() == part[high].tolist()
            assert np.ceil(ends[:, 0]).tolist() == part[low].tolist()


def test_a_rank_taken_more_often_is_darker_and_every_rank_ever_taken_has_its_cell():
    assessment = reference()
    table = assessment.acceptability.ranks.query("uncertain == 'weights and answers'")
    figure = draw_rank_acceptability(assessment)
    labels = {issue.id: issue.name for issue in assessment.study.issues}
    order = names_from_the_top(figure, set(labels.values()))
    for panel, axis in zip(panels_of(figure), ("combined", "stakeholders", "business"), strict=True):
        (cells,) = of_kind(panel, PolyCollection)
        part = table[table["axis"] == axis]
        shares = {(labels[i], r): s for i, r, s in zip(part["issue"], part["rank"], part["share"], strict=True)}
        drawn = [
            (shares.pop((order[int(top)], round(left + 0.5))), lightness(colour[:3]))
            for (left, _, top, _), colour in zip(rectangles(cells), cells.get_facecolor(), strict=True)
        ]
        assert not shares
        dark = np.array(sorted(drawn))[:, 1]
        assert (np.diff(dark) <= 1e-6).all() and dark[0] - dark[-1] > 30


def test_what_is_drawn_of_the_weights_is_told_in_words():
    notes = {
        uncertain: words_in(draw_rank_acceptability(reference(), uncertain))
        for uncertain in ("answers", "weights", "any weights and answers")
    }
    for uncertain, start in (
        ("answers", "Draws of answers within their sampling error. "),
        ("weights", "Draws of weights of the groups around the study’s (each varies by about 30 % of itself). "),
        ("any weights and answers", "Draws of any weights of the groups at all and of answers within their sampling "),
    ):
        assert any(start in words for words in notes[uncertain])


# Groups


def test_cells_show_pandass_group_means_and_bars_their_range(three):
    rows, assessment = three
    means = rows.groupby("group").mean(numeric_only=True)
    figure = draw_groups(assessment)
    order = [name.casefold() for name in names_from_the_top(figure, {"Climate", "Safety", "Ethics"})]
    groups = ["staff", "buyers", "press"]
    heat_people, range_people, heat_business, range_business = panels_of(figure)
    drawn = []
    for axis, heat, spread in (("people", heat_people, range_people), ("business", heat_business, range_business)):
        expected = means.loc[groups, [COLUMNS[axis, issue] for issue in order]].T.to_numpy()
        told = {(round(t.get_position()[1] - 0.5), round(t.get_position()[0] - 0.5)): t.get_text() for t in heat.texts}
        assert told == {(r, c): f"{expected[r, c]:.1f}" for r in range(3) for c in range(3)}
        (cells,) = of_kind(heat, PolyCollection)
        drawn += [
            (expected[int(top), int(left)], lightness(colour[:3]))
            for (left, _, top, _), colour in zip(rectangles(cells), cells.get_facecolor(), strict=True)
        ]
        lines = segments(of_kind(spread, LineCollection)[-1])[:, :, 0]
        assert lines[:, 1] - lines[:, 0] == pytest.approx(np.ptp(expected, axis=1))
    assert len(drawn) == 18
    assert (np.diff(np.array(sorted(drawn))[:, 1]) <= 1e-6).all()


HIDING = THREE.replace('profile = "off"', 'profile = "internal"')


def hiding(folder: Path, press: int):
    """Staff of 40, buyers of 12, and press of 4, who are hidden, with buyers to protect them."""
    rows = simulated_rows(7, {"staff": 40, "buyers": 12, "press": 4})
    rows.loc[rows["group"] == "press", list(HEADER[2:])] = press
    return assessed(folder, rows, HIDING)


def test_pictures_of_the_groups_tell_nothing_of_what_hidden_groups_answered(tmp_path):
    one, other = hiding(tmp_path / "one", 3), hiding(tmp_path / "other", 4)
    orders = [found.ranks.query("axis == 'combined'").sort_values("rank")["issue"].tolist() for found in (one, other)]
    assert orders[0] == orders[1]
    pictures = []
    for assessment in (one, other):
        for draw in (draw_groups, draw_answers):
            with io.BytesIO() as file, house_style():
                draw(assessment).savefig(file, format="svg", metadata={"Date": None})
                pictures.append(file.getvalue())
    assert pictures[:2] == pictures[2:]
    with pytest.raises(ValueError, match=r"^no two groups may be shown side by side, so there is nothing to draw$"):
        draw_gaps(one)


def test_hidden_cells_are_hatched_and_hold_no_number(tmp_path):
    figure = draw_groups(hiding(tmp_path, 3))
    for heat in panels_of(figure):
        hatched = [one for one in of_kind(heat, PolyCollection) if one.get_hatch()]
        assert {round(x0) for one in hatched for x0, _, _, _ in rectangles(one)} == {1, 2}
        assert {round(text.get_position()[0] - 0.5) for text in heat.texts} == {0}
    assert any("Hatched: hidden" in words for words in words_in(figure))


# Answers


def test_pieces_lie_side_by_side_around_the_middle_of_the_scale():
    odd = stacked(np.array([[[0.1, 0.2, 0.4, 0.3, 0.0]]]), np.arange(1.0, 6.0), 3.0)
    assert odd.left.ravel() == pytest.approx([-0.5, -0.4, -0.2, 0.2, 0.5])
    assert odd.right.ravel() == pytest.approx([-0.4, -0.2, 0.2, 0.5, 0.5])
    even = stacked(np.array([[[0.25, 0.75]]]), np.array([0.0, 1.0]), 0.5)
    assert even.left.ravel() == pytest.approx([-0.25, 0.0])
    assert even.right.ravel() == pytest.approx([0.0, 0.75])


@pytest.mark.parametrize("axis", ["people", "business"])
def test_bars_of_the_answers_are_pandass_shares_of_the_rows(axis, three):
    rows, assessment = three
    figure = draw_answers(assessment, axis)
    order = [name.casefold() for name in names_from_the_top(figure, {"Climate", "Safety", "Ethics"})]
    panels = panels_of(figure)
    assert len(panels) == 3
    for panel, group in zip(panels, ("staff", "buyers", "press"), strict=True):
        part = rows[rows["group"] == group]
        (bars,) = of_kind(panel, PolyCollection)
        none = segments(of_kind(panel, LineCollection)[-1])[:, :, 0]
        for row, issue in enumerate(order):
            answers = part[COLUMNS[axis, issue]]
            here = [(x0, x1) for x0, x1, y0, _ in rectangles(bars) if int(y0) == row]
            shares = answers.value_counts(normalize=True).sort_index()
            assert [x1 - x0 for x0, x1 in here] == pytest.approx(shares.tolist())
            assert here[0][0] == pytest.approx(-(answers.dropna() < 3).mean() - (answers.dropna() == 3).mean() / 2)
            assert none[row, 1] - none[row, 0] == pytest.approx(answers.isna().mean())
            assert none[row, 0] > max(x1 for (x1,) in [(end,) for _, end in here])


def test_groups_whose_answers_are_hidden_have_no_panel_and_are_named(tmp_path):
    figure = draw_answers(hiding(tmp_path, 3))
    said = words_in(figure)
    assert len(panels_of(figure)) == 1 and "staff" in [words.casefold() for words in said]
    assert any(words.endswith("Hidden altogether: Buyers; press.") for words in said)


def test_an_axis_that_the_study_does_not_have_is_refused(three):
    with pytest.raises(ValueError, match=r"^axis is 'x'; it has to be one of 'people', 'business'$"):
        draw_answers(three[1], "x")


# Gaps


def test_dumbbells_join_the_highest_and_the_lowest_group_of_pandas(three):
    rows, assessment = three
    means = rows.groupby("group").mean(numeric_only=True)
    figure = draw_gaps(assessment)
    said = words_in(figure)
    for panel, axis in zip(panels_of(figure), ("people", "business"), strict=True):
        expected = means[[COLUMNS[axis, issue] for issue in ("climate", "safety", "ethics")]]
        expected = expected[expected.max().sub(expected.min()).sort_values(ascending=False).index]
        lines = segments(of_kind(panel, LineCollection)[-1])[:, :, 0]
        assert lines[:, 0] == pytest.approx(expected.min().to_numpy())
        assert lines[:, 1] == pytest.approx(expected.max().to_numpy())
        low, high = (np.asarray(dots.get_offsets()) for dots in of_kind(panel, PathCollection))
        assert low[:, 0] == pytest.approx(lines[:, 0])
        assert high[:, 0] == pytest.approx(lines[:, 1])
        for gap in expected.max() - expected.min():
            assert any(words.startswith(f"{gap:.2f} (") for words in said)


def test_a_gap_is_coloured_where_it_is_distinct_after_holms_correction(tmp_path):
    rows = simulated_rows(9, {"staff": 60, "buyers": 60, "press": 60})
    rows.loc[rows["group"] == "press", "Ethics"] = rows.loc[rows["group"] == "staff", "Ethics"].to_numpy()
    rows.loc[rows["group"] == "buyers", "Ethics"] = rows.loc[rows["group"] == "staff", "Ethics"].to_numpy()
    assessment = assessed(tmp_path, rows)
    first, _ = panels_of(draw_gaps(assessment))
    colours = of_kind(first, LineCollection)[-1].get_colors()
    table = assessment.differences.query("axis == 'people'")
    largest = table.assign(size=table["difference"].abs()).sort_values("size", ascending=False).drop_duplicates("issue")
    apart = (largest["p_holm"] < 0.05).tolist()
    assert sorted(set(apart)) == [False, True]
    assert len({tuple(c) for c, a in zip(colours, apart, strict=True) if a}) == 1
    assert not {tuple(c) for c, a in zip(colours, apart, strict=True) if a} & {
        tuple(c) for c, a in zip(colours, apart, strict=True) if not a
    }


# Choices


def test_bars_and_cells_of_the_choices_are_counted_from_the_combinations():
    assessment = reference()
    choices = assessment.multiverse.choices
    labels = {issue.id: issue.name for issue in assessment.study.issues}
    material = {i: choices["material"].map(lambda ids, i=i: i in ids.split()) for i in labels}
    figure = draw_multiverse(assessment)
    order = names_from_the_top(figure, set(labels.values()))
    ids = [next(i for i, name in labels.items() if name == one) for one in order]
    overall, *heats = panels_of(figure)
    lengths = segments(of_kind(overall, LineCollection)[-1])[:, 1, 0]
    assert lengths == pytest.approx([material[i].mean() for i in ids])
    assert (np.diff(lengths) <= 1e-12).all()
    used = [
        c
        for c in ("threshold", "rule", "weights", "certainty", "flagged", "ratings", "missing")
        if len(set(choices[c])) > 1
    ]
    for heat, choice in zip(heats, used, strict=True):
        options = list(dict.fromkeys(choices[choice]))
        (cells,) = of_kind(heat, PolyCollection)
        drawn = rectangles(cells)
        assert len(drawn) == 25 * len(options)
        for (left, _, top, _), colour in zip(drawn, cells.get_facecolor(), strict=True):
            share = material[ids[int(top)]][choices[choice] == options[int(left)]].mean()
            assert colour.tolist() == pytest.approx(list(SHADES(share)), abs=0.02)


# Weights and rows


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The reference study's dispositions, as a run writes them, beside the export."""
    folder = tmp_path_factory.mktemp("run") / "tables"
    write_tables(reference(), folder)
    return pd.read_csv(folder / "dispositions.csv", keep_default_na=False)


def test_hollow_dots_are_the_kept_rows_shares_and_filled_ones_meet_the_study_file(written):
    assessment = reference()
    rows = pd.read_csv(ROOT / "surveys" / "kstar-2023" / "responses.csv", dtype=str, keep_default_na=False)
    kept = rows.loc[written.loc[written["fate"] == "kept", "row"] - 2]
    group = assessment.study.groups[3]
    column = next(c for c in kept.columns if kept[c].isin(group.answers or (group.name,)).any())
    staff = kept[kept[column].isin([group.name, group.id, *group.answers])]
    (panel,) = panels_of(draw_weights(assessment))
    before, after = (np.asarray(one.get_offsets())[:, 0] for one in of_kind(panel, PathCollection))
    gender = dict(zip(group.margins["Gender"], (0, 1), strict=True))
    for name, row in gender.items():
        answers = [answer for answer, category in group.categories.get("Gender", {}).items() if category == name]
        share = staff["Gender"].str.casefold().isin([name.casefold(), *(a.casefold() for a in answers)]).mean()
        assert before[row] == pytest.approx(share)
    wanted = [share / sum(margin.values()) for margin in group.margins.values() for share in margin.values()]
    assert after[:4] == pytest.approx(wanted)


def test_without_a_raked_group_there_are_no_weights_to_draw(small_study):
    with pytest.raises(ValueError, match=r"^no group is raked, so there is nothing to draw$"):
        draw_weights(assess(small_study))


def test_the_flow_ends_at_the_rows_kept_and_counts_as_the_dispositions_do(written):
    (panel,) = panels_of(draw_rows(reference()))
    (bars,) = of_kind(panel, PolyCollection)
    ends = [(x0, x1) for x0, x1, _, _ in rectangles(bars)]
    reasons = written.loc[written["fate"] == "excluded", "reason"].value_counts()
    kept = int((written["fate"] == "kept").sum())
    assert ends[0] == (0, len(written))
    taken = ends[1 : 1 + len(reasons)]
    assert sorted(x1 - x0 for x0, x1 in taken) == sorted(reasons)
    assert [x1 for _, x1 in taken] == [len(written), *(x0 for x0, _ in taken[:-1])]
    assert taken[-1][0] == kept and ends[1 + len(reasons)] == (0, kept)
    flags = written.loc[written["fate"] == "kept", "flags"].str.split("; ").explode()
    assert sorted(x1 for _, x1 in ends[2 + len(reasons) :]) == sorted(flags[flags != ""].value_counts())


def test_every_reason_and_its_count_is_written_beside_its_bar(written):
    figure = draw_rows(reference())
    said = words_in(figure)
    for reason, n in written.loc[written["fate"] == "excluded", "reason"].value_counts().items():
        assert f"Excluded: {reason}" in said and str(n) in said


def test_a_study_of_many_exports_is_drawn_as_one_flow(tmp_path):
    entry = '[[responses]]\nfile = "responses.csv"'
    block = STUDY[STUDY.index("[[responses]]") : STUDY.index("[[groups]]")]
    more = "".join(
        block.replace("responses.csv", f"more{k}.csv").replace('respondent = "id"', 'respondent = "id"\nown_ids = true')
        for k in range(7)
    )
    study = STUDY.replace(block, more)
    assert entry not in study
    folder = write_study(tmp_path / "many", study=study)
    for k in range(7):
        (folder / f"more{k}.csv").write_text((folder / "responses.csv").read_text())
    figure = draw_rows(assess(folder))
    assert len(panels_of(figure)) == 1
    assert {"7 exports together", "35"} <= set(words_in(figure))


def test_a_flow_without_exclusions_is_read_and_kept():
    from collections import Counter

    flow = flow_of(3, Counter({"kept": 3}))
    assert flow[["kind", "n"]].to_numpy().tolist() == [["read", 3], ["kept", 3]]
