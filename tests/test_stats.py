"""Statistics on plain arrays equal scipy's, closed forms, and their own definitions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats as scipy_stats

from materiality.stats import (
    effective_n,
    normal_draws,
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
    drawn = normal_draws(mean, covariance, 200_000, np.random.default_rng(1))
    np.testing.assert_allclose(drawn.mean(axis=0), mean, atol=5 / np.sqrt(200_000))
    np.testing.assert_allclose(np.cov(drawn.T), covariance, atol=5 * np.sqrt(2 / 200_000))


def test_draws_follow_from_the_generator_alone():
    draws = [normal_draws(np.zeros(2), np.eye(2), 5, np.random.default_rng(seed)) for seed in (1, 1, 2)]
    np.testing.assert_array_equal(draws[0], draws[1])
    assert not np.array_equal(draws[0], draws[2])
