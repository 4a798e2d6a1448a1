"""Raking equals R's survey package, closed forms, and the two properties that define its solution."""

from __future__ import annotations

import csv
import math
import re
from decimal import Decimal, localcontext

import numpy as np
import pytest
from conftest import shared
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import linprog

from materiality.raking import design_effect, empty_categories, margins_met, projector, rake, trim

DESIGNS = {
    "clus1_fpc": "apiclus1.csv",
    "clus1_nofpc": "apiclus1.csv",
    "strat_fpc": "apistrat.csv",
    "strat_nofpc": "apistrat.csv",
    "srs_nofpc": "apisrs.csv",
}
METHODS = {
    "cal_raking_stype_schwide": (("stype", "sch.wide"), 1e-9),
    "rake_stype_schwide": (("stype", "sch.wide"), 1e-8),
    "rake_three": (("stype", "sch.wide", "comp.imp"), 1e-8),
    "poststrat_stype": (("stype",), 1e-9),
}
FULL = np.array([[a, b, c] for a in range(3) for b in range(2) for c in range(2)])
"""Every cell of a 3 × 2 × 2 table."""
THREE = [np.array([0.5, 0.3, 0.2]), np.array([0.35, 0.65]), np.array([0.55, 0.45])]
SQUARE = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])


class Schools:
    """A sample of Californian schools that ships with R's survey, in weighting cells."""

    def __init__(self, golden, design, columns):
        with shared("reference", "data", DESIGNS[design]).open(newline="") as lines:
            self.rows = list(csv.DictReader(lines))
        population = golden("survey_calibration.json")["pop_margins"]
        levels = [sorted(population[column]) for column in columns]
        codes = [[level.index(row[column]) for row in self.rows] for column, level in zip(columns, levels, strict=True)]
        self.weights = self.column("pw")
        self.classes, self.cell = np.unique(np.array(codes).T, axis=0, return_inverse=True)
        self.targets = [
            np.array([population[column][name] for name in level], float)
            for column, level in zip(columns, levels, strict=True)
        ]
        self.base = self.sums(self.weights)

    def column(self, name):
        return np.array([float(row[name]) for row in self.rows])

    def sums(self, values):
        return np.bincount(self.cell, values, len(self.classes))


def odds_ratio(table):
    return table[0] * table[3] / (table[1] * table[2])


def two_by_two(row, column, base):
    """The 2×2 table with first row's and first column's share given and the odds ratio of another.

    The root of the odds ratio's quadratic, in 60 digits: with a trace in one diagonal, doubles cancel.
    """
    with localcontext(prec=60):
        row, column, odds = Decimal(row), Decimal(column), odds_ratio([Decimal(value) for value in base])
        a, b, c = odds - 1, -(1 + (odds - 1) * (row + column)), odds * row * column
        first = row * column if a == 0 else (-b - (b * b - 4 * a * c).sqrt()) / (2 * a)
        return [float(share) for share in (first, row - first, column - first, 1 - row - column + first)]


def attained(raked_sums, classes, column, categories):
    return np.array([raked_sums[classes[:, column] == k].sum() for k in range(categories)])


def multiplicative(factors, classes):
    """Whether the log factors are a sum of one number per category."""
    dummies = np.hstack([classes[:, [c]] == np.unique(classes[:, c]) for c in range(classes.shape[1])]).astype(float)
    logs = np.log(factors)
    return np.abs(dummies @ np.linalg.lstsq(dummies, logs, rcond=None)[0] - logs).max() < 1e-9


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("design", DESIGNS)
def test_raked_weights_equal_r_survey(golden, design, method):
    columns, tolerance = METHODS[method]
    schools = Schools(golden, design, columns)
    raked = rake(schools.base, schools.classes, schools.targets)
    ours = schools.weights * raked.factors[schools.cell]
    theirs = np.array(golden("survey_calibration.json")[design][method]["weights"])
    assert raked.converged
    assert ours.sum() == pytest.approx(schools.weights.sum(), rel=1e-12)
    np.testing.assert_allclose(ours / ours.sum(), theirs / theirs.sum(), rtol=tolerance)


@pytest.mark.parametrize("design", ["srs_nofpc", "strat_nofpc"])
def test_standard_errors_from_calibration_residuals_equal_r_survey(golden, design):
    schools = Schools(golden, design, ("stype", "sch.wide"))
    raked = rake(schools.base, schools.classes, schools.targets)
    weights = schools.weights * raked.factors[schools.cell]
    answers = np.column_stack([schools.column("api00"), schools.column("enroll"), schools.column("ell")])
    mean = weights @ answers / weights.sum()
    linearised = (answers - mean) / weights.sum()
    totals = np.column_stack([schools.sums(schools.weights * values) for values in linearised.T])
    fitted = projector(schools.base, schools.classes).fitted(totals)
    u = weights[:, None] * (linearised - fitted[schools.cell])
    strata = np.array([row["stype"] if design == "strat_nofpc" else "all" for row in schools.rows])
    variance = np.zeros((3, 3))
    for stratum in np.unique(strata):
        part = u[strata == stratum]
        centred = part - part.mean(axis=0)
        variance += len(part) / (len(part) - 1) * centred.T @ centred
    theirs = golden("survey_calibration.json")[design]["cal_raking_stype_schwide"]["mean"]
    np.testing.assert_allclose(mean, theirs["est"][:3], rtol=1e-9)
    np.testing.assert_allclose(np.sqrt(np.diag(variance)), theirs["se"][:3], rtol=1e-9)
    np.testing.assert_allclose(variance, np.array(theirs["vcov"])[:3, :3], rtol=1e-8)


def test_trimmed_weights_equal_r_survey(golden):
    schools = Schools(golden, "clus1_nofpc", ("stype", "sch.wide"))
    raked = rake(schools.base, schools.classes, schools.targets)
    respondents = np.bincount(schools.cell)
    mean = 6194 / len(schools.rows)
    weights = raked.factors * schools.base / respondents
    weights *= 6194 / (weights @ respondents)
    trimmed = trim(weights, respondents, 20 / mean, 45 / mean)
    theirs = golden("survey_calibration.json")["trim_strict_20_45_of_rake_clus1_nofpc"]
    np.testing.assert_allclose(trimmed[schools.cell], theirs, rtol=1e-9)


@pytest.mark.parametrize(
    ("base", "row", "column"),
    [
        pytest.param([10, 20, 30, 40], 0.5, 0.5, id="an ordinary table"),
        pytest.param([25, 25, 25, 25], 0.2, 0.7, id="independent"),
        pytest.param([1, 1e-4, 1e-4, 1], 0.3, 0.6, id="nearly diagonal, where proportional fitting is slow"),
        pytest.param([1, 1e-8, 1e-7, 1], 0.3, 0.6, id="diagonal but for a trace"),
    ],
)
def test_a_two_by_two_table_equals_the_root_of_its_quadratic(base, row, column):
    raked = rake(base, SQUARE, [[row, 1 - row], [column, 1 - column]])
    assert raked.converged
    expected = two_by_two(row, column, base)
    np.testing.assert_allclose(raked.factors * base / np.sum(base), expected, rtol=1e-9)


@given(arrays(float, 4, elements=st.floats(0.1, 50)), st.floats(0.05, 0.95), st.floats(0.05, 0.95))
def test_raking_preserves_the_odds_ratio(base, row, column):
    raked = rake(base, SQUARE, [[row, 1 - row], [column, 1 - column]])
    assert odds_ratio(raked.factors * base) == pytest.approx(odds_ratio(base), rel=1e-9)


@given(
    arrays(float, 12, elements=st.floats(0.05, 50)),
    arrays(float, 7, elements=st.floats(0.02, 1)),
    st.floats(1e-6, 1e6),
)
@settings(deadline=None, max_examples=30)
def test_margins_are_met_factors_are_products_and_the_total_is_kept(base, goals, scale):
    """Together these define the solution: no other table has both the margins and the interactions."""
    base, targets = scale * base, [goals[:3], goals[3:5], goals[5:]]
    raked = rake(base, FULL, targets)
    after = raked.factors * base
    assert raked.converged
    assert after.sum() == pytest.approx(base.sum(), rel=1e-12)
    for column, goal in enumerate(targets):
        found = attained(after, FULL, column, len(goal)) / after.sum()
        np.testing.assert_allclose(found, goal / goal.sum(), rtol=1e-9)
    assert multiplicative(raked.factors, FULL)


@given(arrays(float, 12, elements=st.floats(0.05, 50)), st.permutations([0, 1, 2]))
@settings(deadline=None, max_examples=30)
def test_the_order_of_the_columns_does_not_matter(base, order):
    raked = rake(base, FULL, THREE)
    turned = rake(base, FULL[:, order], [THREE[column] for column in order])
    np.testing.assert_allclose(turned.factors, raked.factors, rtol=1e-8)


def test_one_column_is_post_stratification():
    base = np.array([3.0, 1.0, 6.0])
    raked = rake(base, [[0], [1], [2]], [[2, 3, 5]])
    np.testing.assert_allclose(raked.factors, [2 / 3, 3, 5 / 6], rtol=1e-14)
    assert raked.sweeps == 1


def test_only_the_ratios_of_wanted_totals_count():
    base = np.arange(1.0, 13.0)
    raked = rake(base, FULL, THREE)
    in_people = rake(base, FULL, [6194 * goal for goal in THREE])
    np.testing.assert_allclose(in_people.factors, raked.factors, rtol=1e-12)


def test_weights_that_meet_their_margins_are_left_alone():
    raked = rake([3.0, 3.0, 7.0, 7.0], SQUARE, [[0.3, 0.7], [0.5, 0.5]])
    assert raked.factors.tolist() == [1, 1, 1, 1]
    assert (raked.sweeps, raked.converged) == (0, True)


def test_without_margins_every_factor_is_one():
    raked = rake([3.0, 5.0], np.empty((2, 0), int), [])
    assert raked.factors.tolist() == [1, 1]
    assert raked.converged
    assert raked.worst == 0


def test_replicates_are_raked_each_by_itself():
    generator = np.random.default_rng(3)
    base = generator.uniform(0.2, 5, (12, 40)) * (generator.random((12, 40)) < 0.8)
    base[:, 0] = 0
    base[:, 1] *= FULL[:, 0] != 2
    base[:, 2] = 1
    together = rake(base, FULL, THREE)
    assert 0 < together.converged.sum() < 40
    assert together.sweeps.max() > 25
    for k in range(40):
        alone = rake(base[:, k], FULL, THREE)
        assert alone.converged == together.converged[k]
        if alone.converged:
            np.testing.assert_allclose(together.factors[:, k], alone.factors, rtol=1e-10)
            np.testing.assert_allclose(together.attained[:, k], alone.attained, rtol=1e-9)
        assert together.worst[k] == pytest.approx(alone.worst, rel=1e-6, abs=1e-10)


def test_inputs_are_not_written_into():
    base, classes, targets = np.arange(1.0, 13.0), FULL.copy(), [goal.copy() for goal in THREE]
    rake(base, classes, targets)
    trim(base, np.ones(12), 0.5, 1.2)
    margins_met(base, base, classes, targets)
    projector(base, classes)
    np.testing.assert_array_equal(base, np.arange(1.0, 13.0))
    np.testing.assert_array_equal(classes, FULL)
    for goal, given_goal in zip(THREE, targets, strict=True):
        np.testing.assert_array_equal(goal, given_goal)


def test_respondents_of_unknown_category_keep_their_share_and_the_others_share_the_rest():
    base, classes = np.array([20.0, 30.0, 10.0, 40.0]), np.array([[0], [1], [-1], [0]])
    raked = rake(base, classes, [[0.5, 0.5]])
    np.testing.assert_allclose(raked.factors, [45 / 60, 45 / 30, 1, 45 / 60], rtol=1e-14)
    assert raked.category.tolist() == [0, 1, -1]
    np.testing.assert_allclose(raked.wanted, [45, 45, 10], rtol=1e-14)


@given(arrays(float, 12, elements=st.floats(0.05, 50)))
@settings(deadline=None, max_examples=30)
def test_unknown_categories_of_several_columns_keep_their_shares_at_once(base):
    classes = FULL - [1, 0, 1]
    raked = rake(base, classes, [[0.4, 0.6], [0.35, 0.65], [1.0]])
    after = raked.factors * base
    for column in (0, 2):
        kept = classes[:, column] == -1
        assert after[kept].sum() == pytest.approx(base[kept].sum(), rel=1e-9)
    known = classes[:, 0] >= 0
    assert after[classes[:, 0] == 1].sum() == pytest.approx(0.6 * base[known].sum(), rel=1e-9)
    assert multiplicative(raked.factors, classes)


def test_a_column_in_which_nobody_is_known_asks_for_nothing():
    raked = rake([1.0, 3.0], [[-1, 0], [-1, 1]], [[0.1, 0.9], [0.5, 0.5]])
    np.testing.assert_allclose(raked.factors, [2, 2 / 3], rtol=1e-14)
    assert raked.converged


def test_a_category_wanted_empty_gets_no_weight():
    raked = rake([1.0, 2.0, 3.0], [[0], [1], [2]], [[0.0, 0.5, 0.5]])
    np.testing.assert_allclose(raked.factors, [0, 1.5, 1], rtol=1e-14)
    assert raked.converged


def test_a_cell_without_respondents_has_the_factor_one_and_disturbs_nobody():
    raked = rake([1.0, 0.0, 3.0], [[0], [0], [1]], [[0.5, 0.5]])
    np.testing.assert_allclose(raked.factors, [2, 1, 2 / 3], rtol=1e-14)


def test_a_wanted_category_with_nobody_is_named_and_the_others_share_the_total():
    base, classes, targets = [1.0, 3.0, 4.0], [[0, 0], [1, 0], [1, 1]], [[0.3, 0.5, 0.2], [0.5, 0.5]]
    assert empty_categories(base, classes, targets) == [(0, 2)]
    raked = rake(base, classes, targets)
    assert not raked.converged
    assert raked.worst == 1
    worst = raked.worst_margin
    assert (raked.column[worst], raked.category[worst]) == (0, 2)
    assert raked.wanted[worst] == pytest.approx(1.6)
    assert raked.attained[worst] == 0
    np.testing.assert_allclose(raked.attained, [3, 5, 0, 4, 4], rtol=1e-9)


def test_a_category_empty_in_one_replicate_is_named_with_it():
    base = np.array([[1.0, 1.0], [2.0, 0.0]])
    assert empty_categories(base, [[0], [1]], [[0.5, 0.5]]) == [(0, 1, 1)]
    raked = rake(base, [[0], [1]], [[0.5, 0.5]])
    assert raked.converged.tolist() == [True, False]
    assert raked.factors[0, 1] == 1


def test_nobody_is_wanted_who_is_wanted_nowhere():
    assert empty_categories([1.0, 0.0], [[0], [1]], [[1.0, 0.0, 0.0]]) == []


@pytest.mark.parametrize("sweeps", [3, 25, 200])
def test_margins_that_contradict_the_empty_cells_are_told(sweeps):
    """With an empty off-diagonal the rows' shares are the columns'."""
    raked = rake([1.0, 1.0], [[0, 0], [1, 1]], [[0.3, 0.7], [0.6, 0.4]], sweeps=sweeps)
    assert not raked.converged
    assert raked.sweeps < 50
    assert raked.worst > 0.25
    worst = raked.worst_margin
    gap = abs(raked.wanted[worst] - raked.attained[worst])
    assert gap / max(raked.wanted[worst], raked.attained[worst]) == pytest.approx(raked.worst)
    assert np.isfinite(raked.factors).all()
    assert raked.factors.sum() == pytest.approx(2)


def test_raking_converges_exactly_where_a_linear_programme_finds_weights():
    """Small samples with many empty cells; the programme asks for any shares that meet the margins."""
    generator = np.random.default_rng(12)
    base = generator.poisson(0.7, (12, 120)).astype(float)
    raked = rake(base, FULL, THREE)
    dummies = np.hstack([FULL[:, [c]] == np.arange(len(goal)) for c, goal in enumerate(THREE)]).astype(float)
    feasible = [
        linprog(np.zeros(12), A_eq=dummies.T, b_eq=np.concatenate(THREE), bounds=[(0, one) for one in there]).success
        for there in (base > 0).T.astype(float)
    ]
    assert raked.converged.tolist() == feasible
    assert 20 < sum(feasible) < 100
    assert np.median(raked.sweeps[~raked.converged]) < 50


def test_margins_that_a_triangle_of_cells_cannot_hold_are_told():
    """The first row lies in the first column alone, so that it cannot hold more than that column."""
    base, classes = np.array([2.0, 3.0, 4.0]), np.array([[0, 0], [1, 0], [1, 1]])
    raked = rake(base, classes, [[0.6, 0.4], [0.5, 0.5]])
    assert not raked.converged
    assert np.isfinite(raked.factors).all()
    assert raked.factors @ base == pytest.approx(9)
    held = rake(base, classes, [[0.4, 0.6], [0.5, 0.5]])
    np.testing.assert_allclose(held.factors * base, [3.6, 0.9, 4.5], rtol=1e-9)


def test_margins_that_leave_a_cell_no_weight_are_met_in_the_limit():
    raked = rake([2.0, 3.0, 4.0], [[0, 0], [1, 0], [1, 1]], [[0.5, 0.5], [0.5, 0.5]])
    assert raked.converged
    np.testing.assert_allclose(raked.factors, [2.25, 0, 1.125], atol=1e-9)


@pytest.mark.parametrize(
    ("base", "targets"),
    [
        pytest.param([0.0, 0.0], [[0.5, 0.5]], id="nobody has weight"),
        pytest.param([2.0, 3.0], [[0.0, 0.0, 1.0]], id="nobody is wanted"),
    ],
)
def test_a_group_that_cannot_be_raked_keeps_its_weights_and_is_told(base, targets):
    raked = rake(base, [[0], [1]], targets)
    assert raked.factors.tolist() == [1, 1]
    assert not raked.converged
    assert raked.worst == 1


@pytest.mark.parametrize(
    ("base", "classes", "targets", "message"),
    [
        pytest.param([1.0], [[0], [1]], [[1, 1]], "base has shape (1,), but there are 2 cells", id="cells"),
        pytest.param([1.0, -1], [[0], [1]], [[1, 1]], "a sum of design weights is negative or not finite", id="sign"),
        pytest.param(
            [1.0, math.nan], [[0], [1]], [[1, 1]], "a sum of design weights is negative or not finite", id="NaN"
        ),
        pytest.param([1.0], [[0]], [[1], [1]], "2 columns have targets, but 1 have classes", id="columns"),
        pytest.param(
            [1.0],
            [[0]],
            [[0, 0]],
            "column 0: wanted totals must be finite, at least 0, and not all 0",
            id="none wanted",
        ),
        pytest.param(
            [1.0], [[0]], [[2, -1]], "column 0: wanted totals must be finite, at least 0, and not all 0", id="minus"
        ),
        pytest.param([1.0], [[2]], [[1, 1]], "column 0: a class is beyond its 2 categories", id="class too high"),
        pytest.param([1.0], [[-2]], [[1, 1]], "a class is below −1", id="class too low"),
        pytest.param([1.0], [[0.5]], [[1, 1]], "classes must be integers, shape (cells, columns)", id="no class"),
    ],
)
def test_a_slip_is_refused(base, classes, targets, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        rake(base, classes, targets)


def r_trim(weights, low, high):
    """R's trimWeights(strict = TRUE), one respondent a weight; `low` and `high` on the scale of the weights."""
    weights = np.array(weights, float)
    for _ in range(10_000):
        outside = (weights < low * (1 - 1e-14)) | (weights > high * (1 + 1e-14))
        if not outside.any():
            return weights
        cut = np.clip(weights, low, high)
        cut[~outside] += (weights - cut).sum() / (~outside).sum()
        weights = cut
    return None


def test_trimming_in_several_rounds_equals_rs_rule():
    generator = np.random.default_rng(8)
    rounds = 0
    for _ in range(200):
        weights, respondents = generator.gamma(1.5, size=6), generator.integers(1, 5, 6)
        rows = np.repeat(weights, respondents)
        low, high = rows.mean() * generator.uniform(0.3, 0.8), rows.mean() * generator.uniform(1.2, 2)
        if ((rows < low) | (rows > high)).all():
            continue
        found = trim(weights, respondents, low / rows.mean(), high / rows.mean())
        np.testing.assert_allclose(np.repeat(found, respondents), r_trim(rows, low, high), rtol=1e-9)
        once = np.clip(rows, low, high)
        inside = once == rows
        once[inside] += (rows - once).sum() / inside.sum()
        rounds += bool((once > high).any() or (once < low).any())
    assert rounds > 10


@given(
    arrays(float, 8, elements=st.floats(0.01, 100)),
    arrays(int, 8, elements=st.integers(0, 6)).filter(lambda n: n.any()),
    st.floats(0, 1),
    st.floats(1, 5),
)
def test_trimmed_weights_are_within_their_bounds_and_keep_their_total(weights, respondents, low, high):
    there = respondents > 0
    found, mean = trim(weights, respondents, low, high), weights @ respondents / respondents.sum()
    assert found @ respondents == pytest.approx(weights @ respondents, rel=1e-9)
    assert (found[there] >= low * mean * (1 - 1e-9)).all()
    assert (found[there] <= high * mean * (1 + 1e-9)).all()
    assert (np.diff(found[there][np.argsort(weights[there])]) >= -1e-9 * mean).all()


def test_weights_within_their_bounds_are_left_alone():
    assert trim([1.0, 2.0, 3.0], [4, 5, 6], 0.3, 2.0).tolist() == [1, 2, 3]


def test_where_everybody_is_cut_those_with_room_share():
    np.testing.assert_allclose(trim([1.0, 9.0], [9, 1], 0.8, 1.5), [1.7, 2.7], rtol=1e-12)


@pytest.mark.parametrize("weights", [[1.0, 4.0], [0.1, 0.3]])
def test_bounds_at_the_mean_make_all_weights_equal(weights):
    found = trim(weights, [1, 2], 1, 1)
    np.testing.assert_allclose(found, [np.dot(weights, [1, 2]) / 3] * 2, rtol=1e-14)


def test_a_cell_without_respondents_keeps_its_weight():
    found = trim([1.0, math.nan, 4.0], [3, 0, 1], 0.5, 1.5)
    np.testing.assert_allclose(found, [(7 - 1.5 * 7 / 4) / 3, math.nan, 1.5 * 7 / 4], rtol=1e-14)
    assert trim([2.0], [0], 0.5, 2).tolist() == [2]


@pytest.mark.parametrize(("low", "high"), [(1.1, 2), (0.2, 0.9), (1.1, 0.9), (math.nan, 2)])
def test_bounds_that_no_weights_can_meet_are_refused(low, high):
    with pytest.raises(ValueError, match=f"^the mean weight, 1, is outside the bounds {low:g} to {high:g}$"):
        trim([1.0, 2.0], [1, 1], low, high)


@pytest.mark.parametrize(
    ("weights", "respondents", "message"),
    [
        ([1.0], [1, 2], "weights have shape (1,), respondents (2,)"),
        ([1.0, -1.0], [1, 2], "a weight is negative or not finite"),
        ([1.0, 1.0], [1, -2], "a number of respondents is negative or not finite"),
    ],
)
def test_weights_that_are_none_are_refused(weights, respondents, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        trim(weights, respondents, 0.5, 2)


def test_shares_are_shown_before_and_after():
    base, classes, targets = np.array([20.0, 30.0, 10.0, 40.0]), [[0], [1], [-1], [0]], [[1, 1]]
    raked = rake(base, classes, targets)
    shares = margins_met(base, raked.factors * base, classes, targets)
    assert shares.category.tolist() == [0, 1, -1]
    np.testing.assert_allclose(shares.before, [0.6, 0.3, 0.1], rtol=1e-12)
    np.testing.assert_allclose(shares.after, [0.45, 0.45, 0.1], rtol=1e-12)
    np.testing.assert_allclose(shares.wanted, shares.after, rtol=1e-12)


def test_shares_of_nobody_are_unknown():
    shares = margins_met([0.0, 0.0], [0.0, 0.0], [[0], [1]], [[1, 3]])
    assert np.isnan([shares.before, shares.after]).all()
    assert shares.wanted.tolist() == [0.25, 0.75]


@given(st.lists(st.floats(0.01, 100), min_size=1, max_size=30))
def test_the_design_effect_is_one_and_the_squared_coefficient_of_variation(weights):
    weights = np.array(weights)
    found = float(design_effect(weights.sum(), (weights**2).sum(), len(weights)))
    assert found == pytest.approx(1 + (weights.std() / weights.mean()) ** 2, rel=1e-9)


def test_the_design_effect_of_nobody_is_unknown():
    np.testing.assert_array_equal(design_effect([0.0, 4.0], [0.0, 10.0], [0, 2]), [math.nan, 1.25])


@given(arrays(float, 30, elements=st.floats(0.05, 20)), st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=30)
def test_fitted_values_equal_least_squares_row_by_row(weights, seed):
    generator = np.random.default_rng(seed)
    rows = generator.integers([-1, 0], [2, 3], (30, 2))
    classes, cell = np.unique(rows, axis=0, return_inverse=True)
    z = generator.normal(size=(30, 2))
    found = projector(np.bincount(cell, weights, len(classes)), classes)
    sums = np.column_stack([np.bincount(cell, weights * column, len(classes)) for column in z.T])
    dummies = np.hstack([rows[:, [c]] == np.unique(rows[:, c]) for c in (0, 1)]).astype(float)
    root = np.sqrt(weights)[:, None]
    coefficients, _, rank, _ = np.linalg.lstsq(root * dummies, root * z, rcond=None)
    np.testing.assert_allclose(found.fitted(sums)[cell], dummies @ coefficients, atol=1e-9)
    assert found.rank == rank
    hat = (root * dummies) @ np.linalg.pinv(root * dummies)
    np.testing.assert_allclose(weights * found.leverage[cell], np.diag(hat), atol=1e-9)
    assert weights @ found.leverage[cell] == pytest.approx(rank)


@pytest.mark.parametrize(
    ("base", "classes", "rank"),
    [
        pytest.param(np.ones(12), FULL, 5, id="three columns repeat the constant twice"),
        pytest.param([1.0, 1.0], [[0, 0], [1, 1]], 2, id="two columns are one"),
        pytest.param([1.0, 1e-20, 1e-20, 1.0], SQUARE, 3, id="but for a trace"),
        pytest.param([1.0, 0.0, 0.0, 1.0], SQUARE, 2, id="and without it"),
        pytest.param([1.0, 2.0], [[-1], [-1]], 1, id="nobody is known"),
        pytest.param([0.0, 0.0], [[0], [1]], 0, id="nobody"),
        pytest.param([1.0, 2.0], np.empty((2, 0), int), 0, id="no column"),
        pytest.param([], np.empty((0, 2), int), 0, id="no cell"),
    ],
)
def test_the_rank_counts_the_coefficients_that_are_free(base, classes, rank):
    found = projector(base, classes)
    assert found.rank == rank
    assert found.fitted(np.ones(len(base))).shape == (len(base),)
    assert np.asarray(base) @ found.leverage == pytest.approx(rank)


def test_what_the_margins_explain_has_no_residual():
    base = np.arange(1.0, 13.0)
    explained = np.array([2.0, -1, 5])[FULL[:, 0]] + np.array([0.5, 3])[FULL[:, 1]] + np.array([1, -4])[FULL[:, 2]]
    np.testing.assert_allclose(projector(base, FULL).fitted(base * explained), explained, atol=1e-10)


def test_the_projector_refuses_weights_that_are_none():
    with pytest.raises(ValueError, match=r"^base has shape \(1,\), but there are 2 cells$"):
        projector([1.0], [[0], [1]])
    with pytest.raises(ValueError, match=r"^a sum of design weights is negative or not finite$"):
        projector([1.0, -1.0], [[0], [1]])
