"""Points, thresholds and what the scores are drawn from."""

from __future__ import annotations

import math
import tomllib
from dataclasses import replace

import numpy as np
import pytest
from conftest import STUDY, block
from scipy import stats as scipy_stats

from materiality.assessment import scores_of
from materiality.estimates import Estimates, summarise
from materiality.matrix import build_matrix, joint_table, spread_of
from materiality.moments import moments_of
from materiality.study import Study

NAN = math.nan
COLUMNS = ["issue", "label", "pillar", "x", "x_low", "x_high", "y", "y_low", "y_high"]
PLACED = ["tier", "tier_confidence", "material", "p_material"]


def a_study(extra: str = "", text: str = STUDY) -> Study:
    return Study.model_validate(tomllib.loads(text + extra))


def scores(values, variance=1e-8, reach=0.5, std_dev=None, df=9.0) -> Estimates:
    """Independent estimates; the study's axis `people` before `business`, three issues each.

    They are drawn as wide as their standard errors unless a standard deviation for draws is given.
    """
    values = np.array(values, float)
    if std_dev is None:
        std_dev = np.sqrt(np.nan_to_num(np.broadcast_to(np.asarray(variance, float), values.shape), nan=0.25))
    return Estimates(
        values=values,
        covariance=np.diag(np.broadcast_to(np.asarray(variance, float), values.shape)),
        df=np.broadcast_to(np.asarray(df, float), values.shape),
        n=np.full(6, 10),
        low=values - reach,
        high=values + reach / 2,
        std_dev=np.broadcast_to(np.asarray(std_dev, float), values.shape).copy(),
        unreliable=np.zeros(values.shape, bool),
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


def test_scores_with_variance_are_drawn_from_their_covariance():
    estimates = scores([*PEOPLE, *BUSINESS], variance=np.arange(1, 7) / 100)
    np.testing.assert_allclose(spread_of(estimates), estimates.covariance, rtol=1e-14)


def test_draws_are_as_wide_as_the_intervals_and_as_correlated_as_the_estimates():
    factor = np.random.default_rng(2).normal(size=(6, 6))
    wide = np.array([1.0, 0.3, 2.0, 1.2, 0.7, 0.1])
    estimates = replace(scores([*PEOPLE, *BUSINESS], std_dev=wide), covariance=factor @ factor.T)
    before = estimates.covariance.copy()
    spread = spread_of(estimates)
    np.testing.assert_allclose(np.sqrt(np.diag(spread)), wide, rtol=1e-12)
    errors = np.sqrt(np.diag(before))
    np.testing.assert_allclose(spread / np.outer(wide, wide), before / np.outer(errors, errors), atol=1e-12)
    np.testing.assert_array_equal(estimates.covariance, before)


def test_scores_without_known_variance_are_drawn_by_themselves():
    estimates = scores([*PEOPLE, *BUSINESS], variance=[0.01, NAN, 0.0, 0.01, 0.01, 0.01], std_dev=[0.1] * 3 + [0.2] * 3)
    estimates.covariance[0, 1] = estimates.covariance[1, 0] = NAN
    np.testing.assert_allclose(spread_of(estimates), np.diag([0.01] * 3 + [0.04] * 3), rtol=1e-12)


def test_scores_that_are_known_exactly_do_not_vary():
    estimates = scores([*PEOPLE, *BUSINESS], variance=0.0, df=NAN, reach=0.0)
    assert not spread_of(estimates).any()
    points = matrix(a_study(), estimates).points
    assert points["tier"].tolist() == [1, 3, 2]
    assert points["tier_confidence"].tolist() == [1, 1, 1]


FIXED = "\n[tiers.thresholds]\npeople = 3.0\nbusiness = 3.0\n"
DRAWN = 4 * math.sqrt(0.25 / 10_000)
"""Four standard errors of a share of the draws."""


@pytest.mark.parametrize(
    ("variance", "unreliable", "above"),
    [
        pytest.param(0.01, False, scipy_stats.t(2, scale=0.1), id="a variance was seen"),
        pytest.param(0.01, True, scipy_stats.norm(scale=0.4), id="the interval rests on the scale's ends"),
        pytest.param(0.0, False, scipy_stats.norm(scale=0.4), id="no variance was seen"),
    ],
)
def test_the_tier_of_a_small_groups_issue_is_as_sure_as_its_standard_error_or_interval(variance, unreliable, above):
    """The business axis is known exactly, so that only importance to people is in doubt."""
    people = np.array([3.3, 2.6, 3.1])
    estimates = scores(
        [*people, 4.0, 2.0, 1.0], variance=[variance] * 3 + [0.0] * 3, std_dev=[0.4] * 3 + [0.0] * 3, df=2.0
    )
    estimates = replace(estimates, unreliable=np.array([unreliable] * 3 + [False] * 3))
    points = matrix(a_study(FIXED), estimates).points
    above = above.cdf(people - 3)
    assert points["tier"].tolist() == [1, 3, 2]
    assert points["tier_confidence"].tolist() == pytest.approx([above[0], 1 - above[1], above[2]], abs=DRAWN)
    assert points["p_material"].tolist() == pytest.approx([1, above[1], above[2]], abs=DRAWN)


@pytest.mark.parametrize("lone", [[1], [4], [1, 4]], ids=["on one axis", "on the other", "on both"])
def test_where_a_variance_is_unknown_the_tier_stands_without_a_confidence(lone):
    variance = np.full(6, 1e-8)
    variance[lone] = NAN
    points = matrix(a_study(FIXED), scores([*PEOPLE, *BUSINESS], variance=variance)).points
    assert points["tier"].tolist() == [1, 3, 2]
    assert points["material"].tolist() == [True, False, True]
    assert points.loc[1, ["tier_confidence", "p_material"]].isna().all()
    assert points.loc[[0, 2], ["tier_confidence", "p_material"]].eq(1).all(axis=None)


# Joint regions


def joint(study, *, both=True, ratings=None):
    """A group that both axes ask, or one for each."""
    if ratings is None:
        latent = np.random.default_rng(3).normal(size=(60, 6)) + np.random.default_rng(4).normal(size=(60, 1))
        ratings = np.clip(np.rint(3 + latent), 1, 5)
    members = np.ones((60, 2)) if both else np.repeat(np.eye(2), 30, axis=0)
    sample = summarise(moments_of(block(ratings, members), midpoint=3.0, points=(1, 2, 3, 4, 5)))
    estimates = scores_of(study, sample)
    return sample, estimates, joint_table(study, sample, estimates)


ASKED = STUDY.replace('column = "{label}"', 'column = "{label}"\ngroups = { staff = 1 }').replace(
    'column = "Impact of {label}"', 'column = "Impact of {label}"\ngroups = { buyers = 1 }'
)


def test_scores_that_share_no_respondent_are_not_correlated():
    _, _, table = joint(a_study(text=ASKED), both=False)
    assert (table["shared"] == 0).all()
    assert (table["correlation"] == 0).all()


def test_the_correlation_of_two_scores_of_the_same_people_is_that_of_their_ratings():
    rng = np.random.default_rng(7)
    ratings = np.clip(np.rint(3 + rng.normal(size=(60, 6)) + rng.normal(size=(60, 1))), 1, 5)
    study = a_study()
    _, _, table = joint(study, ratings=ratings)
    assert (table["shared"] == 60).all()
    for issue in range(3):
        expected = np.corrcoef(ratings[:, issue], ratings[:, 3 + issue])[0, 1]
        assert table["correlation"][issue] == pytest.approx(expected, rel=1e-9)


def test_every_point_of_the_ellipse_has_the_same_mahalanobis_distance():
    study = a_study()
    _, estimates, table = joint(study)
    spread = spread_of(estimates)
    for issue, row in table.iterrows():
        sigma = spread[np.ix_([3 + issue, issue], [3 + issue, issue])]
        angle = np.radians(row["angle"])
        axes = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        turn = np.linspace(0, 2 * np.pi, 17)
        points = axes @ np.array([row["semi_major"] * np.cos(turn), row["semi_minor"] * np.sin(turn)])
        distance = np.einsum("ik,ij,jk->k", points, np.linalg.inv(sigma), points)
        df = estimates.df[[issue, 3 + issue]].min()
        np.testing.assert_allclose(distance, 2 * scipy_stats.f.ppf(0.95, 2, df), rtol=1e-8)
        assert row["semi_major"] >= row["semi_minor"] > 0
