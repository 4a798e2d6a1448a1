"""Points, thresholds and what scores without seen variance are drawn from."""

from __future__ import annotations

import math
import tomllib

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


def scores(values, variance=1e-8, reach=0.5) -> Estimates:
    """Independent estimates; the study's axis `people` before `business`, three issues each."""
    values = np.array(values, float)
    return Estimates(
        values=values,
        covariance=np.diag(np.broadcast_to(np.asarray(variance, float), values.shape)),
        df=np.full(6, 9.0),
        n=np.full(6, 10),
        low=values - reach,
        high=values + reach / 2,
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
    points = matrix(a_study(), scores([4.0, NAN, 2.0, *BUSINESS])).points
    assert points.loc[1, PLACED].isna().all()
    assert points.loc[[0, 2], "tier"].tolist() == [1, 3]
    assert points.loc[[0, 2], "material"].tolist() == [True, False]


def test_scores_with_variance_are_drawn_from_their_covariance():
    estimates = scores([*PEOPLE, *BUSINESS], variance=np.arange(1, 7) / 100)
    np.testing.assert_array_equal(spread_of(estimates, a_study()), estimates.covariance)


@pytest.mark.parametrize("unseen", [0.0, NAN], ids=["no variance", "no variance known"])
def test_scores_without_seen_variance_are_as_uncertain_as_the_longer_side_of_their_interval(unseen):
    estimates = scores([*PEOPLE, *BUSINESS], variance=[0.01, unseen, 0.02, 0.01, 0.01, 0.01])
    estimates.covariance[0, 1] = estimates.covariance[1, 0] = unseen
    before = estimates.covariance.copy()
    spread = spread_of(estimates, a_study())
    expected = np.diag([0.01, (0.5 / scipy_stats.norm.ppf(0.975)) ** 2, 0.02, 0.01, 0.01, 0.01])
    np.testing.assert_allclose(spread, expected, rtol=1e-12)
    np.testing.assert_array_equal(estimates.covariance, before)


def test_issues_that_everybody_rated_alike_are_not_placed_for_sure():
    points = matrix(a_study(), scores([*PEOPLE, *BUSINESS], variance=0.0, reach=2.0)).points
    assert ((points["tier_confidence"] > 0) & (points["tier_confidence"] < 1)).all()
