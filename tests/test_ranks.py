"""Rank sets equal exact cases and the studentised range, and hold all true ranks as often as they say."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from conftest import block
from scipy import stats as scipy_stats

from materiality.estimates import estimate, summarise
from materiality.moments import moments_of
from materiality.ranks import rank_sets

NAN = math.nan


def ranked(values, covariance, *, confidence=0.95, df=math.inf, seed=1, draws=10_000):
    covariance = np.asarray(covariance, float)
    if covariance.ndim < 2:
        covariance = covariance * np.eye(len(values))
    return rank_sets(
        np.asarray(values, float),
        covariance,
        confidence=confidence,
        df=df,
        generator=np.random.default_rng(seed),
        draws=draws,
    )


def as_lists(ranks):
    return [ranks.rank.tolist(), ranks.low.tolist(), ranks.high.tolist()]


@pytest.mark.parametrize(
    ("values", "variance", "expected"),
    [
        pytest.param([3, 5, 1, 4], 1e-6, [[3, 1, 4, 2]] * 3, id="far apart"),
        pytest.param([3, 5, 1, 4], 1e6, [[3, 1, 4, 2], [1] * 4, [4] * 4], id="hardly measured"),
        pytest.param([5, 4.999, 1], 1e-4, [[1, 2, 3], [1, 1, 3], [2, 2, 3]], id="two alike and one far below"),
        pytest.param([4, 4, 1], 1e-6, [[1, 1, 3], [1, 1, 3], [2, 2, 3]], id="equal estimates share the better rank"),
        pytest.param(
            [0.5 * 1.1 + 0.5 * 1.3, 1.2, 1], 1e-6, [[1, 1, 3], [1, 1, 3], [2, 2, 3]], id="equal but for rounding"
        ),
        pytest.param([4], 1, [[1], [1], [1]], id="one issue"),
        pytest.param([], 1, [[], [], []], id="no issue"),
    ],
)
def test_ranks_and_their_sets(values, variance, expected):
    assert as_lists(ranked(values, variance)) == expected


def test_estimates_that_are_missing_get_no_rank_and_count_in_nobodys():
    covariance = np.diag([1e-6, NAN, 1e-6])
    found = ranked([3, NAN, 5], covariance)
    np.testing.assert_array_equal(np.array(as_lists(found)), [[2, NAN, 1]] * 3)


def test_no_estimate_at_all_leaves_every_rank_open():
    found = ranked([NAN, NAN], np.full((2, 2), NAN))
    np.testing.assert_array_equal(np.array(as_lists(found)), np.full((3, 2), NAN))


def test_issues_that_vary_together_without_variance_between_them_are_not_told_apart():
    together = [[1e-4, 1e-4, 0], [1e-4, 1e-4, 0], [0, 0, 1e-4]]
    assert as_lists(ranked([5, 4, 1], together)) == [[1, 2, 3], [1, 1, 3], [2, 2, 3]]


@pytest.mark.parametrize("df", [math.inf, 2])
@pytest.mark.parametrize(
    ("values", "variances", "expected"),
    [
        pytest.param([3, 5], [0, 0], [[2, 1]] * 3, id="a gap tells them apart"),
        pytest.param([4, 4, 3], [0, 0, 0], [[1, 1, 3], [1, 1, 3], [2, 2, 3]], id="a tie does not"),
        pytest.param([0.1 + 0.2, 0.3, 0], [0, 0, 0], [[1, 1, 3], [1, 1, 3], [2, 2, 3]], id="nor does rounding"),
        pytest.param([3, 5, 4], [0, 0, 1e6], [[3, 1, 2], [2, 1, 1], [3, 2, 3]], id="beside one hardly measured"),
        pytest.param([3, 5, 4], [0, 0, 1e-6], [[3, 1, 2]] * 3, id="beside one measured well"),
        pytest.param([3, NAN, 5], [0, NAN, 0], [[2, NAN, 1]] * 3, id="beside one without estimate"),
    ],
)
def test_issues_that_are_known_exactly_are_ordered_by_their_gap(values, variances, expected, df):
    np.testing.assert_array_equal(as_lists(ranked(values, np.diag(variances), df=df)), expected)


@pytest.mark.parametrize("seed", [7, 18, 23, 27, 28])
def test_issues_that_move_together_but_for_rounding_leave_the_other_sets_as_they_are(seed):
    """What rounding leaves of var + var − 2 cov is no variance, and must not enter the largest difference."""
    generator = np.random.default_rng(seed)
    first, other = generator.integers(1, 4, (40, 1)), generator.integers(1, 6, (40, 1))
    members = generator.random((40, 3)) < 0.5
    members[:, 0] |= ~members.any(axis=1)
    answers = block(np.hstack([first, first + 1, first + 2, other]), members, weight=generator.uniform(0.3, 3, 40))
    sample = summarise(moments_of(answers, midpoint=3.0))
    weights = np.full((4, 3), 1 / 3)
    covariance = estimate(sample, np.arange(4), weights, confidence=0.95, low=1, high=5).covariance
    apart = 4 * math.sqrt(covariance[0, 0] + covariance[3, 3] - 2 * covariance[0, 3])
    assert as_lists(ranked([4, 4, 4, 4 - apart], covariance)) == [[1, 1, 1, 4], [1, 1, 1, 4], [3, 3, 3, 4]]


@pytest.mark.parametrize("issues", [2, 5, 25])
@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_two_extremes_are_told_apart_from_the_quantile_of_the_studentised_range_on(issues, confidence):
    """With equal, independent variances the largest pairwise difference over its own error is range / (σ √2)."""
    sigma, draws = 0.1, 40_000
    # the quantile's own error: the probability's over the density, which a difference of the distribution gives
    exact = scipy_stats.studentized_range.ppf(confidence, issues, np.inf)
    near = scipy_stats.studentized_range.cdf([exact - 0.05, exact + 0.05], issues, np.inf)
    error = 4 * math.sqrt(confidence * (1 - confidence) / draws) / (np.diff(near)[0] / 0.1)
    for slip, told_apart in ((-error, False), (error, True)):
        values = np.full(issues, 3.0)
        values[0] += (exact + slip) * sigma / 2
        values[-1] -= (exact + slip) * sigma / 2
        found = ranked(values, sigma**2, confidence=confidence, draws=draws)
        assert (found.low[-1] > 1) == told_apart


@pytest.mark.parametrize("df", [3, 20])
def test_few_degrees_of_freedom_follow_the_studentised_range_too(df):
    sigma, issues = 0.1, 4
    exact = scipy_stats.studentized_range.ppf(0.9, issues, df)
    for share, told_apart in ((0.95, False), (1.05, True)):
        values = np.full(issues, 3.0)
        values[0] += share * exact * sigma
        found = ranked(values, sigma**2, confidence=0.9, df=df, draws=40_000)
        assert (found.high[0] == 1) == told_apart


def test_fewer_degrees_of_freedom_never_narrow_a_set():
    values = np.linspace(3, 4, 12)
    widths = []
    for df in (math.inf, 30, 5, 2, 1):
        found = ranked(values, 0.005, df=df)
        widths.append(found.high - found.low)
    for narrower, wider in pairwise(widths):
        assert (narrower <= wider).all()
    assert (widths[0] < widths[-1]).any()


def test_hardly_any_degrees_of_freedom_leave_every_rank_open():
    assert as_lists(ranked([3, 5, 4], 0.01, df=1e-3)) == [[3, 1, 2], [1, 1, 1], [3, 3, 3]]


def test_every_set_holds_its_rank_and_lies_among_the_issues():
    generator = np.random.default_rng(5)
    for _ in range(50):
        issues = int(generator.integers(1, 12))
        factor = generator.normal(size=(issues, issues))
        found = ranked(generator.integers(2, 9, issues) / 2, factor @ factor.T * 0.02, draws=500)
        assert ((found.low >= 1) & (found.low <= found.rank)).all()
        assert ((found.rank <= found.high) & (found.high <= issues)).all()


@pytest.mark.parametrize(
    "truth",
    [
        pytest.param(np.repeat(4.0, 6), id="all equal, where every set must hold 1 to 6"),
        pytest.param(np.linspace(3.0, 4.5, 6), id="evenly spread"),
        pytest.param(np.array([4.5, 4.5, 4.4, 3.0, 3.0, 2.9]), id="two clusters"),
    ],
)
def test_all_true_ranks_lie_inside_their_sets_as_often_as_promised(truth):
    """Of tied true scores every rank that the tie spans counts as true."""
    generator = np.random.default_rng(11)
    scatter = generator.normal(size=(6, 6))
    covariance = (scatter @ scatter.T + np.eye(6)) * 0.004
    best = 1 + (truth[None, :] > truth[:, None]).sum(axis=1)
    worst = (truth[None, :] >= truth[:, None]).sum(axis=1)
    studies, held = 400, 0
    for estimates in generator.multivariate_normal(truth, covariance, studies):
        found = ranked(estimates, covariance, confidence=0.9, draws=1_000)
        held += bool((found.low <= best).all() and (found.high >= worst).all())
    assert held / studies >= 0.9 - 3 * math.sqrt(0.9 * 0.1 / studies)
