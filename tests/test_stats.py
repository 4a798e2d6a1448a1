"""Statistics on plain arrays equal scipy's, closed forms, and their own definitions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats as scipy_stats

from materiality.stats import (
    effective_n,
    joint_draws,
    satterthwaite_df,
    symmetric_root,
    t_interval,
    unanimous_share,
)

WEIGHTS = st.lists(st.floats(0.01, 100), min_size=1, max_size=40)


def kish(weights):
    weights = np.array(weights)
    return float(effective_n(weights.sum(), (weights**2).sum()))


@given(WEIGHTS)
def test_effective_n_lies_between_one_and_the_number_of_respondents(weights):
    assert 1 - 1e-9 <= kish(weights) <= len(weights) * (1 + 1e-9)


@given(WEIGHTS, st.floats(0.01, 100))
def test_effective_n_hangs_on_the_ratios_of_the_weights_alone(weights, scale):
    assert kish([scale * weight for weight in weights]) == pytest.approx(kish(weights), rel=1e-9)


@pytest.mark.parametrize("n", [1, 2, 47])
def test_effective_n_of_equal_weights_is_their_number(n):
    assert kish([0.25] * n) == n


def test_effective_n_of_nobody_is_none():
    assert effective_n([0.0, 4.0], [0.0, 10.0]).tolist() == [0.0, 1.6]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param([1, 2, 4, 5], [3, 3, 4, 5, 5, 5, 2], id="unequal spread and size"),
        pytest.param([1, 5], [3, 4, 3, 4, 3, 4, 4, 3, 4], id="two respondents dominate"),
    ],
)
def test_satterthwaite_degrees_of_freedom_equal_those_of_welchs_test(first, second):
    shares = [[np.var(part, ddof=1) / len(part)] for part in (first, second)]
    expected = scipy_stats.ttest_ind(first, second, equal_var=False).df
    assert satterthwaite_df(shares, [len(first) - 1, len(second) - 1])[0] == pytest.approx(expected, rel=1e-12)


def test_a_part_without_variance_adds_no_degrees_of_freedom():
    assert satterthwaite_df([[0.3], [0.0]], [2, 40]).tolist() == [2.0]


def test_parts_without_degrees_of_freedom_are_left_out():
    assert satterthwaite_df([[1.0], [7.0]], [9, 0]).tolist() == [9.0]


def test_degrees_of_freedom_may_differ_between_estimates():
    found = satterthwaite_df([[1.0, 1.0], [1.0, 0.0]], [[9, 3], [9, 5]])
    assert found.tolist() == [18.0, 3.0]


def test_no_variance_has_no_degrees_of_freedom():
    assert np.isnan(satterthwaite_df([[0.0], [0.0]], [4, 5])).all()


@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.999])
@pytest.mark.parametrize("df", [1, 2.7, 30, 1e6, np.inf])
def test_t_interval_equals_scipys(confidence, df):
    low, high = t_interval(3.2, 0.21, df, confidence, -np.inf, np.inf)
    distribution = scipy_stats.norm if np.isinf(df) else scipy_stats.t(df)
    assert low == pytest.approx(3.2 + 0.21 * distribution.ppf(0.5 - confidence / 2), rel=1e-9)
    assert high == pytest.approx(3.2 + 0.21 * distribution.ppf(0.5 + confidence / 2), rel=1e-9)


@pytest.mark.parametrize(
    ("estimate", "std_error", "df", "interval"),
    [
        pytest.param(4.9, 1.0, 4, (4.9 - scipy_stats.t.ppf(0.975, 4), 5), id="cut at the top"),
        pytest.param(1.1, 1.0, 4, (1, 1.1 + scipy_stats.t.ppf(0.975, 4)), id="cut at the bottom"),
        pytest.param(3.0, 0.5, np.nan, (1, 5), id="no degrees of freedom are known"),
        pytest.param(3.0, 0.5, 0, (1, 5), id="no degrees of freedom are left"),
        pytest.param(3.0, np.nan, 4, (1, 5), id="no variance is known"),
        pytest.param(3.0, 0.0, 4, (3, 3), id="nothing varies"),
        pytest.param(np.nan, 0.5, 4, (np.nan, np.nan), id="no estimate"),
        pytest.param(np.nan, np.nan, np.nan, (np.nan, np.nan), id="nothing is known"),
    ],
)
def test_t_interval_stays_inside_the_scale(estimate, std_error, df, interval):
    assert t_interval(estimate, std_error, df, 0.95, 1, 5) == pytest.approx(interval, rel=1e-9, nan_ok=True)


@pytest.mark.parametrize(
    ("std_error", "df", "unseen", "reach"),
    [
        pytest.param(0.2, 4, 0.3, math.hypot(0.2 * scipy_stats.t.ppf(0.975, 4), 0.3), id="squares of reaches add up"),
        pytest.param(0.2, 4, 0.0, 0.2 * scipy_stats.t.ppf(0.975, 4), id="nothing unseen"),
        pytest.param(0.0, np.nan, 0.3, 0.3, id="alone it needs no degrees of freedom"),
        pytest.param(0.0, 0, 0.3, 0.3, id="nor any left"),
        pytest.param(0.0, np.nan, 0.0, 0.0, id="nothing varies and nothing is unseen"),
        pytest.param(np.nan, 4, 0.3, 2.0, id="no variance is known"),
        pytest.param(0.2, np.nan, 0.3, 2.0, id="no degrees of freedom are known"),
        pytest.param(0.2, 4, 7.0, 2.0, id="cut at both ends"),
    ],
)
def test_what_is_unseen_widens_the_interval(std_error, df, unseen, reach):
    found = t_interval([3.0, np.nan], std_error, df, 0.95, 1, 5, unseen=unseen)
    assert np.array(found)[:, 0] == pytest.approx([3 - reach, 3 + reach], rel=1e-9)
    assert np.isnan(found)[:, 1].all()


@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.99])
def test_unanimous_share_is_the_upper_clopper_pearson_limit_of_no_dissenters(confidence):
    n = np.array([1, 2, 10, 300])
    expected = scipy_stats.beta.ppf(0.5 + confidence / 2, 1, n)
    np.testing.assert_allclose(unanimous_share(n, confidence), expected, rtol=1e-9)


def test_where_nobody_answered_everybody_may_dissent():
    assert unanimous_share([0, 10], 0.95)[0] == 1


SQUARES = arrays(float, (4, 4), elements=st.floats(-3, 3, allow_subnormal=False))


@given(SQUARES)
def test_symmetric_root_times_itself_gives_the_covariance_back(factor):
    covariance = factor @ factor.T
    root = symmetric_root(covariance)
    np.testing.assert_allclose(root @ root, covariance, atol=1e-12 * max(1, np.abs(covariance).max()))
    np.testing.assert_allclose(root, root.T, atol=1e-12)


def test_symmetric_root_takes_what_rounding_leaves_of_a_missing_dimension_for_nothing():
    """Ten estimates that always move together: a draw must not tell them apart, not even in the eighth decimal."""
    root = symmetric_root(0.37 * np.ones((10, 10)))
    assert np.abs(np.diff(root, axis=0)).max() < 1e-14


def test_symmetric_root_of_nothing_is_nothing():
    assert symmetric_root(np.zeros((3, 3))).tolist() == np.zeros((3, 3)).tolist()
    assert symmetric_root(np.zeros((0, 0))).shape == (0, 0)


def test_draws_have_the_mean_and_the_covariance_asked_for():
    mean = np.array([4.0, 3.0, 2.0])
    covariance = np.array([[1.0, 0.6, 0.0], [0.6, 1.0, 0.0], [0.0, 0.0, 0.25]])
    drawn = joint_draws(mean, covariance, 200_000, np.random.default_rng(1))
    np.testing.assert_allclose(drawn.mean(axis=0), mean, atol=5 / np.sqrt(200_000))
    np.testing.assert_allclose(np.cov(drawn.T), covariance, atol=5 * np.sqrt(2 / 200_000))


DRAWS = 100_000
LEVELS = np.array([0.001, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 0.999])
THREE = np.array([[0.09, 0.05, 0.0], [0.05, 0.04, -0.03], [0.0, -0.03, 0.25]])


def assert_shares(shares, levels):
    """Shares of the draws, each within five standard errors of a count."""
    assert (np.abs(shares - levels) <= 5 * np.sqrt(levels * (1 - levels) / DRAWS)).all()


@pytest.mark.parametrize(
    "df",
    [
        pytest.param([1, 2, 3], id="hardly any"),
        pytest.param([2.7, 30, 400], id="some"),
        pytest.param([3, np.inf, np.nan], id="infinite or unknown is normal"),
    ],
)
def test_draws_of_each_estimate_are_students_t_with_its_own_degrees_of_freedom(df):
    mean, sd = np.array([4.0, 3.0, 2.0]), np.sqrt(np.diag(THREE))
    drawn = joint_draws(mean, THREE, DRAWS, np.random.default_rng(2), df=df)
    for k, freedom in enumerate(df):
        distribution = scipy_stats.t(freedom) if np.isfinite(freedom) else scipy_stats.norm
        bounds = mean[k] + sd[k] * distribution.ppf(LEVELS)
        assert_shares((drawn[:, [k]] <= bounds).mean(axis=0), LEVELS)


@pytest.mark.parametrize("df", [2, 7])
def test_estimates_with_equal_degrees_of_freedom_have_the_multivariate_t_distribution(df):
    """The squared distance over the number of estimates is F, and orthants have the chance that scipy gives them."""
    mean = np.array([4.0, 3.0, 2.0])
    noise = joint_draws(mean, THREE, DRAWS, np.random.default_rng(3), df=df) - mean
    distance = np.einsum("ij,ij->i", noise @ np.linalg.inv(THREE), noise) / 3
    assert_shares((distance[:, None] <= scipy_stats.f.ppf(LEVELS, 3, df)).mean(axis=0), LEVELS)
    joint = scipy_stats.multivariate_t(np.zeros(2), THREE[:2, :2], df, seed=1)
    corners = np.array([[-0.6, -0.4], [0.0, 0.0], [0.6, 0.4]])
    below = (noise[:, None, :2] <= corners).all(axis=2).mean(axis=0)
    assert_shares(below, np.array([joint.cdf(corner) for corner in corners]))


def test_one_chance_per_draw_sets_the_chi_square_of_every_estimate():
    """Three estimates that move together: the normal one tells what the others were divided by."""
    t5, t50, normal = joint_draws(np.zeros(3), np.ones((3, 3)), 20_000, np.random.default_rng(4), df=[5, 50, np.inf]).T
    chances = scipy_stats.chi2.cdf(5 * (normal / t5) ** 2, 5)
    np.testing.assert_allclose(scipy_stats.chi2.cdf(50 * (normal / t50) ** 2, 50), chances, atol=1e-3)
    assert scipy_stats.kstest(chances, "uniform").pvalue > 1e-4
    assert scipy_stats.kstest(chances[normal > 0], chances[normal < 0]).pvalue > 1e-4


@pytest.mark.parametrize("df", [np.inf, np.nan, [np.nan, np.inf]])
def test_without_degrees_of_freedom_the_draws_are_the_normal_ones(df):
    plain, drawn = (
        joint_draws(np.ones(2), np.eye(2), 50, np.random.default_rng(5), **keywords) for keywords in ({}, {"df": df})
    )
    np.testing.assert_array_equal(drawn, plain)


def test_draws_keep_together_what_a_singular_covariance_ties_and_leave_alone_what_is_known():
    covariance = np.array([[0.04, 0.04, 0.0], [0.04, 0.04, 0.0], [0.0, 0.0, 0.0]])
    drawn = joint_draws(np.array([4.0, 3.0, 2.5]), covariance, 1_000, np.random.default_rng(6), df=[2, 2, 4])
    np.testing.assert_allclose(drawn[:, 0] - drawn[:, 1], 1.0, rtol=1e-9)
    assert (drawn[:, 2] == 2.5).all()
    assert np.ptp(drawn[:, 0]) > 0


def test_draws_of_no_estimate_are_empty():
    assert joint_draws(np.zeros(0), np.zeros((0, 0)), 7, np.random.default_rng(1), df=np.zeros(0)).shape == (7, 0)


def test_draws_follow_from_the_generator_alone():
    draws = [joint_draws(np.zeros(2), np.eye(2), 5, np.random.default_rng(seed)) for seed in (1, 1, 2)]
    np.testing.assert_array_equal(draws[0], draws[1])
    assert not np.array_equal(draws[0], draws[2])
