"""Points, thresholds and what the scores are drawn from."""

from __future__ import annotations

import math
import tomllib
from dataclasses import replace

import numpy as np
import pytest
from conftest import STUDY
from scipy import stats as scipy_stats

from materiality.estimates import Estimates
from materiality.matrix import build_matrix, spread_of
from materiality.study import Study

NAN = math.nan
COLUMNS = ["issue", "label", "pillar", "x", "x_low", "x_high", "y", "y_low", "y_high"]
PLACED = ["tier", "tier_confidence", "material", "p_material"]


def a_study(extra: str = "", text: str = STUDY) -> Study:
    return Study.model_validate(tomllib.loads(text + extra))


def scores(values, variance=1e-8, reach=0.5, unseen=0.0, df=9.0) -> Estimates:
    """Independent estimates; the study's axis `people` before `business`, three issues each."""
    values = np.array(values, float)
    return Estimates(
        values=values,
        covariance=np.diag(np.broadcast_to(np.asarray(variance, float), values.shape)),
        df=np.broadcast_to(np.asarray(df, float), values.shape),
        n=np.full(6, 10),
        low=values - reach,
        high=values + reach / 2,
        unseen=np.broadcast_to(np.asarray(unseen, float), values.shape),
    )


def matrix(study, estimates, seed=1):
    return build_matrix(study, estimates, np.random.default_rng(seed))


PEOPLE, BUSINESS = [4.0, 2.9, 2.1], [4.5, 1.5, 3.6]


def test_every_issue_stands_in_the_studys_order_with_its_interval():
    points = matrix(a_study(), scores([*PEOPLE, *BUSINESS])).points
    assert list(points) == [*COLUMNS, *PLACED]
    assert points["issue"].tolist() == ["climate", "safety", "ethics"]
    assert points["label"].tolist() == ["Climate", "Safety", "Ethics"]
    assert points["pillar"].tolist() == ["environmental", "social", "governance"]
    assert points["x"].tolist() == BUSINESS
    assert points["y"].tolist() == PEOPLE
    for axis in "xy":
        assert (points[axis] - points[f"{axis}_low"]).tolist() == pytest.approx([0.5] * 3)
        assert (points[f"{axis}_high"] - points[axis]).tolist() == pytest.approx([0.25] * 3)


def test_an_issue_without_label_or_pillar_is_called_by_its_id():
    text = STUDY.replace('label = "Climate"\npillar = "environmental"\n', "")
    first = matrix(a_study(text=text), scores([*PEOPLE, *BUSINESS])).points.iloc[0]
    assert first[["label", "pillar"]].tolist() == ["climate", ""]


def test_the_study_says_which_axis_lies_across():
    swapped = STUDY.replace('x = "business"\ny = "people"', 'x = "people"\ny = "business"')
    points = matrix(a_study(text=swapped), scores([*PEOPLE, *BUSINESS])).points
    assert (points["x"].tolist(), points["y"].tolist()) == (PEOPLE, BUSINESS)


@pytest.mark.parametrize(
    ("thresholds", "x", "y"),
    [
        pytest.param("", 3.2, 3.0, id="the mean unless the study says"),
        pytest.param('business = "median"', 3.6, 3.0, id="each axis its own"),
        pytest.param('business = "midpoint"\npeople = 2.5', 3.0, 2.5, id="the scale's midpoint, and a number"),
        pytest.param('business = "largest_gap"\npeople = "largest_gap"', 2.55, 3.45, id="the widest gap of each"),
    ],
)
def test_thresholds_are_the_studys(thresholds, x, y):
    found = matrix(a_study(f"\n[tiers.thresholds]\n{thresholds}\n"), scores([*PEOPLE, *BUSINESS]))
    assert (found.x_threshold, found.y_threshold) == pytest.approx((x, y))


@pytest.mark.parametrize(
    ("rule", "material"),
    [
        pytest.param("", [True, False, True], id="either axis by default"),
        pytest.param('\n[tiers]\nrule = "both"\n', [True, False, False], id="both"),
    ],
)
def test_tier_and_materiality_follow_from_the_thresholds(rule, material):
    points = matrix(a_study(rule), scores([*PEOPLE, *BUSINESS])).points
    assert points["tier"].tolist() == [1, 3, 2]
    assert points["material"].tolist() == material
    assert points["p_material"].tolist() == [float(m) for m in material]


def test_an_issue_without_a_score_has_no_tier_and_is_neither_material_nor_not():
    """Its score on the other axis counts in that axis's mean, 3.2, all the same."""
    found = matrix(a_study(), scores([4.0, NAN, 2.0, *BUSINESS]))
    points = found.points
    assert (found.x_threshold, found.y_threshold) == pytest.approx((3.2, 3.0))
    assert points.loc[1, PLACED].isna().all()
    assert points.loc[[0, 2], "tier"].tolist() == [1, 2]
    assert points.loc[[0, 2], "material"].tolist() == [True, True]


Z = scipy_stats.norm.ppf(0.975)


def test_scores_with_variance_are_drawn_from_their_covariance():
    estimates = scores([*PEOPLE, *BUSINESS], variance=np.arange(1, 7) / 100)
    np.testing.assert_array_equal(spread_of(estimates, a_study()), estimates.covariance)


@pytest.mark.parametrize(
    ("extra", "z"),
    [
        pytest.param("", Z, id="at 95 %"),
        pytest.param("confidence = 0.8\n", scipy_stats.norm.ppf(0.9), id="at the study's confidence"),
    ],
)
def test_what_is_unseen_adds_to_each_scores_own_variance_and_to_no_covariance(extra, z):
    factor = np.random.default_rng(2).normal(size=(6, 6))
    unseen = np.array([0.0, 0.3, 0.0, 1.2, 0.0, 0.1])
    estimates = replace(scores([*PEOPLE, *BUSINESS], unseen=unseen), covariance=factor @ factor.T)
    before = estimates.covariance.copy()
    spread = spread_of(estimates, a_study(text=extra + STUDY))
    np.testing.assert_allclose(spread - before, np.diag((unseen / z) ** 2), atol=1e-14)
    np.testing.assert_array_equal(estimates.covariance, before)


def test_scores_without_known_variance_are_as_uncertain_as_the_longer_side_of_their_interval():
    estimates = scores([*PEOPLE, *BUSINESS], variance=[0.01, NAN, 0.02, 0.01, 0.01, 0.01])
    estimates.covariance[0, 1] = estimates.covariance[1, 0] = NAN
    before = estimates.covariance.copy()
    spread = spread_of(estimates, a_study())
    expected = np.diag([0.01, (0.5 / Z) ** 2, 0.02, 0.01, 0.01, 0.01])
    np.testing.assert_allclose(spread, expected, rtol=1e-12)
    np.testing.assert_array_equal(estimates.covariance, before)


def test_scores_that_are_known_exactly_do_not_vary():
    estimates = scores([*PEOPLE, *BUSINESS], variance=0.0, df=NAN, reach=0.0)
    assert not spread_of(estimates, a_study()).any()
    points = matrix(a_study(), estimates).points
    assert points["tier"].tolist() == [1, 3, 2]
    assert points["tier_confidence"].tolist() == [1, 1, 1]


FIXED = "\n[tiers.thresholds]\npeople = 3.0\nbusiness = 3.0\n"
DRAWN = 4 * math.sqrt(0.25 / 10_000)
"""Four standard errors of a share of the draws."""


@pytest.mark.parametrize("df", [2, 5])
def test_the_tier_of_a_small_groups_issue_is_as_sure_as_students_t(df):
    """The business axis is known exactly, so that only importance to people is in doubt."""
    people = np.array([3.3, 2.6, 3.1])
    estimates = scores([*people, 4.0, 2.0, 1.0], variance=[0.04] * 3 + [0.0] * 3, df=[df] * 3 + [NAN] * 3)
    points = matrix(a_study(FIXED), estimates).points
    above = scipy_stats.t.sf(3, df, people, 0.2)
    assert points["tier"].tolist() == [1, 3, 2]
    assert points["tier_confidence"].tolist() == pytest.approx([above[0], 1 - above[1], above[2]], abs=DRAWN)
    assert points["p_material"].tolist() == pytest.approx([1, above[1], above[2]], abs=DRAWN)


def test_issues_that_everybody_rated_alike_are_as_sure_as_what_is_unseen_leaves_them():
    """No variance was seen, whatever the degrees of freedom: the draws are normal, the unseen part their 97.5 %."""
    people = np.array([3.3, 2.6, 3.1])
    estimates = scores(
        [*people, 4.0, 2.0, 1.0], variance=0.0, unseen=[0.8] * 3 + [0.0] * 3, df=[NAN, 1.0, NAN, NAN, NAN, NAN]
    )
    points = matrix(a_study(FIXED), estimates).points
    above = scipy_stats.norm.sf(3, people, 0.8 / Z)
    assert points["tier_confidence"].tolist() == pytest.approx([above[0], 1 - above[1], above[2]], abs=DRAWN)


@pytest.mark.parametrize("lone", [[1], [4], [1, 4]], ids=["on one axis", "on the other", "on both"])
def test_where_a_variance_is_unknown_the_tier_stands_without_a_confidence(lone):
    variance = np.full(6, 1e-8)
    variance[lone] = NAN
    points = matrix(a_study(FIXED), scores([*PEOPLE, *BUSINESS], variance=variance)).points
    assert points["tier"].tolist() == [1, 3, 2]
    assert points["material"].tolist() == [True, False, True]
    assert points.loc[1, ["tier_confidence", "p_material"]].isna().all()
    assert points.loc[[0, 2], ["tier_confidence", "p_material"]].eq(1).all(axis=None)
