"""Rank sets equal exact cases, known distributions and the paper's definition, and hold as often as they say."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from conftest import block
from scipy import integrate, optimize, special
from scipy import stats as scipy_stats

from materiality.estimates import estimate, summarise
from materiality.moments import moments_of
from materiality.ranks import Ranks, among_top, rank_sets
from materiality.stats import joint_draws

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


def all_sets(ranks):
    return np.array([ranks.low, ranks.high, ranks.marginal_low, ranks.marginal_high, ranks.top])


def problems(count, *, most=7):
    """Simulated estimates, with ties and correlations; every third has few degrees of freedom."""
    generator = np.random.default_rng(9)
    for number in range(count):
        issues = int(generator.integers(2, most))
        factor = generator.normal(size=(issues, issues))
        values = generator.integers(4, 12, issues) / 2
        yield values, factor @ factor.T * generator.uniform(0.02, 0.5), 8.0 if number % 3 == 0 else math.inf


def by_definition(values, covariance, *, confidence, df, seed, draws, steps=10_000):
    """Hypothesis by hypothesis and draw by draw: low, high, marginal low, marginal high, top."""
    generator = np.random.default_rng(seed)
    issues = range(len(values))
    noise = joint_draws(np.zeros(len(values)), covariance, draws, generator).tolist()
    shared = [1.0] * draws if df == math.inf else [math.sqrt(x / df) for x in generator.chisquare(df, draws)]

    def studentised(of, j, k):
        return (of[j] - of[k]) / math.sqrt(covariance[j, j] + covariance[k, k] - 2 * covariance[j, k])

    def rejected(family):
        left = set(family)
        for _ in range(steps):
            if not left:
                break
            maxima = sorted(max(studentised(z, j, k) for j, k in left) / c for z, c in zip(noise, shared, strict=True))
            critical = maxima[math.ceil(confidence * (draws - 1))]
            wrong = {(j, k) for j, k in left if studentised(values, j, k) > critical}
            if not wrong:
                break
            left -= wrong
        return set(family) - left

    everything = [(j, k) for j in issues for k in issues if j != k]
    above = rejected(everything)
    sets = [[1 + sum(pair[1] == j for pair in above) for j in issues]]
    sets.append([len(values) - sum(pair[0] == j for pair in above) for j in issues])
    own = [rejected([pair for pair in everything if j in pair]) for j in issues]
    sets.append([1 + sum(pair[1] == j for pair in own[j]) for j in issues])
    sets.append([len(values) - sum(pair[0] == j for pair in own[j]) for j in issues])
    sets.append([len(values) - len(rejected([pair for pair in everything if pair[0] == j])) for j in issues])
    return sets


@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_every_set_follows_the_papers_definition_draw_by_draw(confidence):
    for seed, (values, covariance, df) in enumerate(problems(20)):
        found = ranked(values, covariance, confidence=confidence, df=df, seed=seed, draws=99)
        expected = by_definition(values, covariance, confidence=confidence, df=df, seed=seed, draws=99)
        assert all_sets(found).tolist() == expected


def test_stepdown_never_widens_a_set_and_narrows_some():
    narrowed = np.zeros(5)
    for seed, (values, covariance, df) in enumerate(problems(60)):
        found = all_sets(ranked(values, covariance, confidence=0.8, df=df, seed=seed, draws=99))
        single = by_definition(values, covariance, confidence=0.8, df=df, seed=seed, draws=99, steps=1)
        gain = (found - single) * [[1], [-1], [1], [-1], [-1]]
        assert (gain >= 0).all()
        narrowed += gain.sum(axis=1)
    assert (narrowed > 0).all()


def test_what_is_asked_of_one_issue_is_never_wider_than_what_is_asked_of_all():
    for values, covariance, df in problems(60, most=12):
        found = ranked(values, covariance, df=df, draws=500)
        assert (found.low <= found.marginal_low).all()
        assert ((found.marginal_low <= found.rank) & (found.rank <= found.top)).all()
        assert ((found.top <= found.marginal_high) & (found.marginal_high <= found.high)).all()


def test_more_confidence_never_narrows_a_set():
    for values, covariance, df in problems(30, most=12):
        sets = [
            all_sets(ranked(values, covariance, confidence=level, df=df, draws=500)) for level in (0.5, 0.8, 0.95, 0.99)
        ]
        for less, more in pairwise(sets):
            assert ((more - less) * [[-1], [1], [-1], [1], [1]] >= 0).all()


def test_the_sets_are_those_that_the_authors_program_prints():
    """The example in the reference of R's csranks: x = seq(1, 3, length = 10), sd = 0.2, and its three best."""
    found = ranked(np.linspace(1, 3, 10), 0.2**2)
    assert found.low.tolist() == [7, 6, 5, 4, 3, 2, 1, 1, 1, 1]
    assert found.high.tolist() == [10, 10, 10, 10, 9, 8, 7, 6, 5, 4]
    assert among_top(found, 3).possibly.tolist() == [False] * 4 + [True] * 6


@pytest.mark.parametrize("df", [math.inf, 6])
@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_two_issues_are_told_apart_by_the_test_of_their_difference(confidence, df):
    """Two-sided for a set, whether marginal or simultaneous; one-sided for being the top."""
    covariance = np.array([[0.04, 0.01], [0.01, 0.09]])
    error, draws = math.sqrt(0.04 + 0.09 - 2 * 0.01), 40_000
    distribution = scipy_stats.norm if df == math.inf else scipy_stats.t(df)
    two_sided, one_sided = distribution.ppf(0.5 + confidence / 2), distribution.ppf(confidence)
    slip = 4 * math.sqrt(confidence * (1 - confidence) / draws)
    for sign in (-1, 1):
        gap = (two_sided + sign * slip / (2 * distribution.pdf(two_sided))) * error
        found = ranked([3 + gap, 3], covariance, confidence=confidence, df=df, draws=draws)
        apart = [[1, 2], [1, 2], [1, 2], [1, 2]] if sign > 0 else [[1, 1], [2, 2], [1, 1], [2, 2]]
        assert all_sets(found)[:4].tolist() == apart
        gap = (one_sided + sign * slip / distribution.pdf(one_sided)) * error
        found = ranked([3 + gap, 3], covariance, confidence=confidence, df=df, draws=draws)
        assert found.top.tolist() == ([1, 2] if sign > 0 else [2, 2])


def dunnett(confidence, others, *, two_sided):
    """Critical value for one of independent, equally exact means against the others, by quadrature."""

    def held(critical):
        def given(z):
            reach = math.sqrt(2) * critical
            low = special.ndtr(z - reach) if two_sided else 0.0
            return math.exp(-(z**2) / 2) / math.sqrt(2 * math.pi) * (special.ndtr(z + reach) - low) ** others

        return integrate.quad(given, -9, 9)[0]

    critical = optimize.brentq(lambda x: held(x) - confidence, 0.1, 6)
    return critical, (held(critical + 0.01) - held(critical - 0.01)) / 0.02


def test_dunnetts_critical_values_are_those_of_his_table():
    assert round(dunnett(0.95, 4, two_sided=False)[0], 2) == 2.16
    assert round(dunnett(0.95, 4, two_sided=True)[0], 2) == 2.44


@pytest.mark.parametrize("others", [1, 4, 24])
@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_one_issue_is_told_from_all_others_from_dunnetts_critical_value_on(others, confidence):
    sigma, draws = 0.1, 20_000
    for two_sided in (False, True):
        critical, density = dunnett(confidence, others, two_sided=two_sided)
        slip = 4 * math.sqrt(confidence * (1 - confidence) / draws) / density
        for gap, told_apart in ((critical - slip, False), (critical + slip, True)):
            values = np.full(1 + others, 3.0)
            values[0] += gap * sigma * math.sqrt(2)
            found = ranked(values, sigma**2, confidence=confidence, draws=draws)
            worst = found.marginal_high[0] if two_sided else found.top[0]
            assert worst == (1 if told_apart else 1 + others)


@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_rivals_that_are_surely_below_cost_the_nearest_one_no_confidence(confidence):
    """Once the far ones are rejected, the best issue meets its nearest rival in a plain one-sided test."""
    sigma, draws = 0.1, 20_000
    critical = scipy_stats.norm.ppf(confidence)
    slip = 4 * math.sqrt(confidence * (1 - confidence) / draws) / scipy_stats.norm.pdf(critical)
    for gap, told_apart in ((critical - slip, False), (critical + slip, True)):
        values = np.array([4.0, 4.0 - gap * sigma * math.sqrt(2), 1.0, 1.0, 1.0, 1.0])
        found = ranked(values, sigma**2, confidence=confidence, draws=draws)
        assert found.top[0] == (1 if told_apart else 2)


@pytest.mark.parametrize(
    ("values", "variances", "expected"),
    [
        pytest.param([3, 5, 1, 4], [1e-6] * 4, [[3, 1, 4, 2]] * 5, id="far apart"),
        pytest.param([3, 5, 4], [1e6] * 3, [[1] * 3, [3] * 3] * 2 + [[3] * 3], id="hardly measured"),
        pytest.param([3, NAN, 5], [1e-6, NAN, 1e-6], [[2, NAN, 1]] * 5, id="one without estimate"),
        pytest.param([NAN, NAN], [NAN, NAN], [[NAN, NAN]] * 5, id="no estimate"),
        pytest.param([4, 4, 3], [0] * 3, [[1, 1, 3], [2, 2, 3]] * 2 + [[2, 2, 3]], id="known exactly"),
        pytest.param([0.1 + 0.2, 0.3, 0], [1e-24] * 3, [[1, 1, 3], [2, 2, 3]] * 2 + [[2, 2, 3]], id="rounding"),
        pytest.param([4], [1], [[1]] * 5, id="one issue"),
        pytest.param([], [], [[]] * 5, id="no issue"),
    ],
)
@pytest.mark.parametrize("df", [math.inf, 5])
def test_plain_cases_of_every_set(values, variances, expected, df):
    found = ranked(values, np.diag(np.array(variances, float)), df=df)
    np.testing.assert_array_equal(all_sets(found), expected)


def test_one_issue_alone_does_not_tell_apart_those_that_vary_together_either():
    together = [[1e-4, 1e-4, 0], [1e-4, 1e-4, 0], [0, 0, 1e-4]]
    found = ranked([5, 4, 1], together)
    assert all_sets(found)[2:].tolist() == [[1, 1, 3], [2, 2, 3], [2, 2, 3]]


def test_the_same_draws_give_the_same_sets_and_nothing_that_is_given_is_changed():
    values, covariance = np.array([3.0, 3.2, NAN, 4.0]), np.diag([0.01, 0.02, NAN, 0.03])
    kept = values.copy(), covariance.copy()
    first, second = (all_sets(ranked(values, covariance, df=7, draws=200)) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(values, kept[0])
    np.testing.assert_array_equal(covariance, kept[1])


def test_forty_issues_have_sets():
    found = ranked(np.linspace(2, 4, 40), 0.01, draws=2_000)
    assert (found.low <= found.rank).all() and (found.rank <= found.high).all()
    assert 1 < found.high[-1] < found.high[20] and found.top[0] == 40


@pytest.mark.parametrize(
    "truth",
    [
        pytest.param(np.repeat(4.0, 6), id="all equal, where every set must hold 1 to 6"),
        pytest.param(np.linspace(3.0, 4.5, 6), id="evenly spread"),
        pytest.param(np.array([4.5, 4.5, 4.4, 3.0, 3.0, 2.9]), id="two clusters"),
    ],
)
def test_each_set_alone_and_all_at_once_hold_as_often_as_promised(truth):
    """To three Monte Carlo standard errors, which are 1.1 points; where all are equal, no more often either."""
    generator = np.random.default_rng(12)
    scatter = generator.normal(size=(6, 6))
    covariance = (scatter @ scatter.T + np.eye(6)) * 0.004
    best = 1 + (truth[None, :] > truth[:, None]).sum(axis=1)
    worst = (truth[None, :] >= truth[:, None]).sum(axis=1)
    studies, held, alone, tops, picks = 400, 0, np.zeros(6), np.zeros(6), 0
    for estimates in generator.multivariate_normal(truth, covariance, studies):
        found = ranked(estimates, covariance, draws=1_000)
        held += bool((found.low <= best).all() and (found.high >= worst).all())
        alone += (found.marginal_low <= best) & (found.marginal_high >= worst)
        tops += found.top >= worst
        chosen = [among_top(found, k) for k in range(1, 7)]
        picks += all(
            (best[chosen[k].surely] <= k + 1).all() and chosen[k].possibly[best <= k + 1].all() for k in range(6)
        )
    shares = np.array([held, *alone, *tops]) / studies
    error = math.sqrt(0.95 * 0.05 / studies)
    assert (shares >= 0.95 - 3 * error).all()
    assert picks >= held
    if np.ptp(truth) == 0:
        assert (shares <= 0.95 + 3 * error).all()


@pytest.mark.parametrize(
    ("k", "surely", "possibly"),
    [
        pytest.param(1, [0, 0, 0, 0], [1, 1, 0, 0], id="either of two may be first"),
        pytest.param(2, [1, 1, 0, 0], [1, 1, 0, 0], id="both are in the top two"),
        pytest.param(3, [1, 1, 1, 0], [1, 1, 1, 0], id="who has no estimate is in no top"),
        pytest.param(9, [1, 1, 1, 0], [1, 1, 1, 0], id="a top of more than there are"),
    ],
)
def test_who_is_among_the_top(k, surely, possibly):
    found = among_top(ranked([5, 4.999, 1, NAN], np.diag([1e-4, 1e-4, 1e-4, NAN])), k)
    assert found.surely.tolist() == [bool(x) for x in surely]
    assert found.possibly.tolist() == [bool(x) for x in possibly]


def test_the_top_k_by_estimate_lies_between_those_surely_and_those_possibly_there():
    for values, covariance, df in problems(40, most=12):
        found = ranked(values, covariance, df=df, draws=300)
        for k in range(1, len(values) + 1):
            chosen = among_top(found, k)
            assert chosen.surely.sum() <= k <= chosen.possibly.sum()
            assert (found.rank[chosen.surely] <= k).all() and chosen.possibly[found.rank <= k].all()


def test_nobody_is_among_a_top_of_none():
    one = np.ones(1)
    with pytest.raises(ValueError) as error:
        among_top(Ranks(one, one, one, one, one, one), 0)
    assert str(error.value) == "The top 0 holds no rank.\n  Mend: ask for the top 1 or more."
