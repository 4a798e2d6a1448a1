"""Intervals of means on a scale with two ends equal published ones where those exist, and cover what they promise."""

from __future__ import annotations

import importlib.util
import math
import sys
from itertools import combinations_with_replacement, product

import numpy as np
import pytest
from conftest import ROOT
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, special
from scipy import stats as scipy_stats
from statsmodels.stats.proportion import proportion_confint

from materiality.intervals import (
    Parts,
    korn_graubard,
    logit_t,
    moderated,
    mover,
    pseudo_answer,
    score_interval,
    wilson_t,
)
from materiality.stats import unanimous_share

COUNTS = [(0, 7), (1, 7), (6, 7), (7, 7), (1, 40), (20, 40), (39, 40), (3, 500)]
SHAPES = {
    "uniform": [0.2] * 5,
    "mid-peaked": [0.03, 0.17, 0.6, 0.17, 0.03],
    "60 % on top": [0.05, 0.05, 0.1, 0.2, 0.6],
    "80 % on top": [0.05] * 4 + [0.8],
    "95 % on top": [0.0125] * 4 + [0.95],
    "two-humped": [0.25, 0.2, 0.1, 0.2, 0.25],
}


def ends(pair):
    return [float(end) for end in pair]


@pytest.mark.parametrize(("yes", "n"), COUNTS)
@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.99])
def test_wilsons_interval_of_yes_and_no_is_that_of_statsmodels(yes, n, confidence):
    p = yes / n
    if 0 < yes < n:
        found = ends(wilson_t(p, p * (1 - p) / n, np.inf, confidence))
        assert found == pytest.approx(proportion_confint(yes, n, 1 - confidence, method="wilson"), abs=1e-12)
    else:
        assert ends(wilson_t(p, 0.0, np.inf, confidence)) == [p, p]


@pytest.mark.parametrize(("yes", "n"), COUNTS)
@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.99])
def test_korn_and_graubards_interval_of_yes_and_no_is_clopper_and_pearsons(yes, n, confidence):
    p = yes / n
    found = ends(korn_graubard(p, p * (1 - p) / n, n, n - 1, confidence))
    assert found == pytest.approx(proportion_confint(yes, n, 1 - confidence, method="beta"), abs=1e-9)


def test_korn_and_graubards_interval_counts_the_effective_n_and_the_degrees_of_freedom():
    p, variance, n, df = 0.3, 0.004, 80, 12
    size = p * (1 - p) / variance * (scipy_stats.t.ppf(0.975, n - 1) / scipy_stats.t.ppf(0.975, df)) ** 2
    expected = [
        scipy_stats.beta.ppf(0.025, size * p, size * (1 - p) + 1),
        scipy_stats.beta.ppf(0.975, size * p + 1, size * (1 - p)),
    ]
    assert ends(korn_graubard(p, variance, n, df, 0.95)) == pytest.approx(expected, rel=1e-9)


def test_the_logit_interval_is_the_delta_methods_carried_back():
    p, se, df = 0.9, 0.04, 15
    reach = scipy_stats.t.ppf(0.975, df) * se / (p * (1 - p))
    expected = [1 / (1 + (1 - p) / p * math.exp(reach)), 1 / (1 + (1 - p) / p * math.exp(-reach))]
    assert ends(logit_t(p, se**2, df, 0.95)) == pytest.approx(expected, rel=1e-12)
    assert ends(logit_t(1.0, 0.0, df, 0.95)) == [1.0, 1.0]


@pytest.mark.parametrize(("yes", "n"), COUNTS)
@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.99])
def test_a_whole_unseen_answer_makes_clopper_and_pearsons_interval_of_yes_and_no(yes, n, confidence):
    p = yes / n
    found = ends(pseudo_answer(p, p * (1 - p) / (n - 1), n, confidence, answers=1.0))
    assert found == pytest.approx(proportion_confint(yes, n, 1 - confidence, method="beta"), abs=1e-9)


@pytest.mark.parametrize("n", [1, 2, 10, 400])
def test_unanimous_answers_leave_open_what_the_beta_distribution_says(n):
    whole, half = (ends(pseudo_answer(1.0, 0.0, n, 0.95, answers=c))[0] for c in (1.0, 0.5))
    assert 1 - whole == pytest.approx(float(unanimous_share(n, 0.95)), rel=1e-9)
    assert half == pytest.approx(scipy_stats.beta.ppf(0.025, n, 0.5), rel=1e-9)


def test_the_unseen_answers_beta_has_the_moments_of_a_dirichlet_distribution():
    answers = np.array([0.25, 0.5, 0.75, 0.75, 1.0])
    found = ends(pseudo_answer(answers.mean(), answers.var(ddof=1) / 5, 5, 0.9))
    for end, unseen, level in ((found[0], 0.0, 0.05), (found[1], 1.0, 0.95)):
        every, weights = np.append(answers, unseen), [1.0] * 5 + [0.5]
        mean = scipy_stats.dirichlet.mean(weights) @ every
        variance = every @ scipy_stats.dirichlet.cov(weights) @ every
        size = mean * (1 - mean) / variance - 1
        assert end == pytest.approx(scipy_stats.beta.ppf(level, mean * size, (1 - mean) * size), rel=1e-9)


def test_the_squares_of_reaches_are_added_side_by_side():
    low, high = mover([[0.5], [0.8]], [[0.2], [0.4]], [[0.9], [0.9]], [[0.5], [0.5]])
    assert [low[0], high[0]] == pytest.approx([0.65 - math.hypot(0.15, 0.2), 0.65 + math.hypot(0.2, 0.05)])


def limma(variances, df):
    """Smyth (2004), section 6.2, written out for one df: prior, its degrees of freedom and moderated variances."""
    e = [math.log(v) - special.psi(df / 2) + math.log(df / 2) for v in variances]
    mean = sum(e) / len(e)
    excess = sum((x - mean) ** 2 for x in e) / (len(e) - 1) - special.zeta(2, df / 2)
    half = optimize.brentq(lambda x: special.zeta(2, x) - excess, 1e-3, 1e6, xtol=1e-13, rtol=1e-13)
    prior = math.exp(mean + special.psi(half) - math.log(half))
    return prior, 2 * half, [(2 * half * prior + df * v) / (2 * half + df) for v in variances]


@pytest.mark.parametrize("df", [2, 7, 40])
def test_moderated_variances_are_those_of_smyths_algorithm_written_out(df):
    draw = np.random.default_rng(df)
    variances = 0.3 * 3 / draw.chisquare(3, 60) * draw.chisquare(df, 60) / df
    prior, prior_df, expected = limma(variances.tolist(), df)
    found = moderated(variances, df)
    assert [float(found.prior), float(found.prior_df)] == pytest.approx([prior, prior_df], rel=1e-8)
    assert found.variance == pytest.approx(expected, rel=1e-8)


def test_moderation_finds_the_prior_that_variances_were_drawn_from():
    draw = np.random.default_rng(4)
    variances = 0.3 * 12 / draw.chisquare(12, 40_000) * draw.chisquare(6, 40_000) / 6
    found = moderated(variances, 6)
    assert float(found.prior) == pytest.approx(0.3, rel=0.02)
    assert float(found.prior_df) == pytest.approx(12, rel=0.06)


def test_variances_that_differ_no_more_than_by_chance_all_become_the_prior():
    found = moderated([[1.0, 1.1, 0.9, 0.0], [0.1, 1.0, 10.0, 100.0]], 4)
    assert found.prior_df[0] == np.inf
    assert (found.variance[0] == found.prior[0]).all()
    assert 0 < found.prior_df[1] < np.inf


def test_unanimous_issues_are_lent_variance_and_issues_alone_keep_theirs():
    lent = moderated([0.0, 0.2, 1.0, 3.0, 0.5], 3)
    assert lent.variance[0] == pytest.approx(float(lent.prior_df * lent.prior / (lent.prior_df + 3)))
    alone = moderated([0.0, 0.2, 0.0], 3)
    assert alone.variance.tolist() == [0.0, 0.2, 0.0]
    assert math.isnan(alone.prior)
    assert alone.prior_df == 0


def parts_of(means, n, variances, *, effective=None, unasked=1.0):
    """Groups of one target."""
    column = [np.asarray(a, float).reshape(-1, 1) for a in (means, n, variances)]
    return Parts(
        column[0],
        column[1].astype(int),
        column[1] if effective is None else np.asarray(effective, float).reshape(-1, 1),
        column[2],
        np.broadcast_to(np.asarray(unasked, float).reshape(-1, 1), column[0].shape),
    )


def answered(groups, *, low=1.0, high=5.0, confidence=0.95, weights=None):
    """The interval of the average of groups whose answers are given."""
    shares = np.full((1, len(groups)), 1 / len(groups)) if weights is None else np.array([weights])
    variances = [np.var(g, ddof=1) / len(g) if len(g) > 1 else np.nan for g in groups]
    parts = parts_of([np.mean(g) for g in groups], [len(g) for g in groups], variances)
    return score_interval(parts, shares, confidence=confidence, low=low, high=high)


def test_one_group_has_the_interval_of_half_an_unseen_answer():
    answers = [5, 4, 5, 5, 2, 4]
    found = answered([answers])
    share = (np.array(answers) - 1) / 4
    low, high = ends(pseudo_answer(share.mean(), share.var(ddof=1) / 6, 6, 0.95))
    assert [found.low[0], found.high[0]] == pytest.approx([1 + 4 * low, 1 + 4 * high], rel=1e-12)


def test_a_finite_population_draws_the_ends_in_by_the_root_of_the_share_not_asked():
    whole = score_interval(parts_of([4.2], [12], [0.05]), np.ones((1, 1)), confidence=0.95, low=1, high=5)
    part = score_interval(
        parts_of([4.2], [12], [0.05 * 0.36], unasked=0.36), np.ones((1, 1)), confidence=0.95, low=1, high=5
    )
    assert 4.2 - part.low[0] == pytest.approx(0.6 * (4.2 - whole.low[0]), rel=1e-12)
    assert part.high[0] - 4.2 == pytest.approx(0.6 * (whole.high[0] - 4.2), rel=1e-12)


def test_everybody_asked_leaves_nothing_open():
    parts = parts_of([4.5, 5.0, 2.0], [6, 4, 1], [0.0, 0.0, np.nan], unasked=0.0)
    found = score_interval(parts, np.full((1, 3), 1 / 3), confidence=0.95, low=1, high=5)
    assert [found.low[0], found.high[0], found.std_dev[0]] == pytest.approx([11.5 / 3, 11.5 / 3, 0.0])
    assert not found.unreliable[0]


def test_many_answers_have_the_normal_interval():
    found = score_interval(
        parts_of([3.1, 4.0], [100_000, 90_000], [1e-5, 2e-5]), np.full((1, 2), 0.5), confidence=0.95, low=1, high=5
    )
    reach = 1.959964 * math.sqrt(3e-5) / 2
    assert [found.low[0], found.high[0]] == pytest.approx([3.55 - reach, 3.55 + reach], abs=reach / 50)
    assert found.std_dev[0] == pytest.approx(reach / 1.959964, rel=0.01)


def test_groups_without_weight_are_not_looked_at():
    parts = parts_of([4.2, np.nan], [12, 0], [0.05, np.nan], unasked=[1.0, np.nan])
    alone = score_interval(parts_of([4.2], [12], [0.05]), np.ones((1, 1)), confidence=0.95, low=1, high=5)
    found = score_interval(parts, np.array([[1.0, 0.0]]), confidence=0.95, low=1, high=5)
    assert (found.low, found.high, found.df) == (alone.low, alone.high, alone.df)


def test_a_target_without_any_group_has_no_interval():
    parts = parts_of([np.nan], [0], [np.nan])
    found = score_interval(parts, np.zeros((1, 1)), confidence=0.95, low=1, high=5)
    assert np.isnan([found.low[0], found.high[0], found.df[0], found.std_dev[0]]).all()
    assert not found.unreliable[0]


def test_people_in_several_groups_lengthen_the_interval_by_the_root_of_the_ratio_of_variances():
    parts, weights = parts_of([3.0, 3.2], [30, 40], [0.04, 0.04]), np.full((1, 2), 0.5)
    apart = score_interval(parts, weights, confidence=0.95, low=1, high=5)
    same = score_interval(parts, weights, confidence=0.95, low=1, high=5, variance=np.array([0.02]))
    shared = score_interval(parts, weights, confidence=0.95, low=1, high=5, variance=np.array([0.03]))
    less = score_interval(parts, weights, confidence=0.95, low=1, high=5, variance=np.array([0.01]))
    assert (same.low, same.high) == (less.low, less.high) == (apart.low, apart.high)
    assert shared.std_dev[0] == pytest.approx(apart.std_dev[0] * math.sqrt(1.5), rel=1e-12)
    assert shared.low[0] < apart.low[0] < apart.high[0] < shared.high[0]


def test_degrees_of_freedom_are_satterthwaites_on_effective_respondents():
    parts = parts_of([3.0, 4.0, 5.0], [10, 60, 1], [0.2, 0.01, np.nan], effective=[6.0, 41.0, 1.0])
    found = score_interval(parts, np.array([[0.5, 0.3, 0.2]]), confidence=0.95, low=1, high=5)
    first, second = 0.25 * 0.2, 0.09 * 0.01
    assert found.df[0] == pytest.approx((first + second) ** 2 / (first**2 / 5 + second**2 / 40))
    assert np.isnan(answered([[5, 5, 5]]).df[0])


@pytest.mark.parametrize(
    ("groups", "flagged"),
    [
        pytest.param([[4]], True, id="one respondent"),
        pytest.param([[5] * 40], True, id="unanimous"),
        pytest.param([[5] * 19 + [4]], True, id="one dissenter by one point"),
        pytest.param([[1, 2, 3, 4, 5] * 4], False, id="spread over the scale"),
        pytest.param([[4], [3, 4, 5, 2] * 15], True, id="one respondent has half the weight"),
        pytest.param([[1, 3, 5], [3, 4, 5, 2] * 15], False, id="three who differ"),
        pytest.param([[4, 4, 5], [3, 4, 5, 2] * 15], True, id="three who hardly differ"),
        pytest.param([[4, 4, 5]] * 8, False, id="eight groups of three who hardly differ"),
        pytest.param([[4]] * 8, True, id="eight groups of one"),
    ],
)
def test_a_score_is_unreliable_where_half_an_answer_outweighs_the_spread(groups, flagged):
    found = answered(groups)
    imagined, seen = [], []
    for group in groups:
        share, n = (np.array(group) - 1) / 4, len(group)
        far = max(share.mean(), 1 - share.mean())
        scale = (n + 0.5) * (n + 1.5)
        imagined.append(n * 0.5 / (n + 0.5) * far**2 / scale)
        seen.append(n * share.var() / scale)
    total = sum(imagined) + sum(seen)
    ours = sum(i * (i + s) / total for i, s in zip(imagined, seen, strict=True))
    assert bool(found.unreliable[0]) == flagged == (ours > sum(seen))


@pytest.mark.parametrize(
    ("weights", "keywords", "message"),
    [
        ([[-0.5, 1.5]], {}, "weights must not be negative or NaN"),
        ([[0.5, np.nan]], {}, "weights must not be negative or NaN"),
        ([[0.5, 0.4]], {}, "the weights of a target must add up to 1, or all be 0"),
        ([[0.5, 0.5]], {"confidence": 1.0}, "confidence must lie between 0 and 1, not at 1.0"),
        ([[0.5, 0.5]], {"low": 5, "high": 5}, "the scale must run upwards, not from 5 to 5"),
    ],
)
def test_slips_are_told(weights, keywords, message):
    parts = parts_of([3.0, 4.0], [10, 10], [0.1, 0.1])
    with pytest.raises(ValueError, match=f"^{message}$"):
        score_interval(parts, np.array(weights), **{"confidence": 0.95, "low": 1, "high": 5, **keywords})


ANSWERS = st.lists(st.lists(st.integers(1, 5), min_size=1, max_size=9), min_size=1, max_size=5)


@given(ANSWERS, st.sampled_from([0.5, 0.9, 0.95, 0.99]))
def test_intervals_lie_on_the_scale_hold_their_estimate_and_are_never_of_no_width(groups, confidence):
    found = answered(groups, confidence=confidence)
    estimate = np.mean([np.mean(g) for g in groups])
    assert 1 <= found.low[0] <= estimate + 1e-12
    assert estimate - 1e-12 <= found.high[0] <= 5
    assert found.high[0] - found.low[0] > 1e-6
    assert found.std_dev[0] > 0


@given(ANSWERS)
def test_more_confidence_never_makes_an_interval_shorter(groups):
    narrow, wide = answered(groups, confidence=0.9), answered(groups, confidence=0.97)
    assert wide.low[0] <= narrow.low[0] + 1e-9
    assert wide.high[0] >= narrow.high[0] - 1e-9


@given(ANSWERS)
def test_another_scale_or_the_scale_turned_round_gives_the_same_interval(groups):
    found = answered(groups)
    moved = answered([[10 * a - 3 for a in g] for g in groups], low=7, high=47)
    turned = answered([[6 - a for a in g] for g in groups])
    assert [moved.low[0], moved.high[0]] == pytest.approx([10 * found.low[0] - 3, 10 * found.high[0] - 3], abs=1e-7)
    assert [turned.low[0], turned.high[0]] == pytest.approx([6 - found.high[0], 6 - found.low[0]], abs=1e-8)
    assert (moved.std_dev[0], turned.std_dev[0]) == pytest.approx((10 * found.std_dev[0], found.std_dev[0]), rel=1e-6)


def test_weights_populations_and_shared_people_break_none_of_these_promises():
    """Five simulated groups of anything, weighed anyhow."""
    draw = np.random.default_rng(3)
    shape = (5, 3000)
    mean = np.where(draw.random(shape) < 0.4, draw.integers(0, 5, shape) / 4, draw.random(shape))
    n = np.where(draw.random(shape) < 0.2, 1, draw.integers(1, 200, shape))
    effective = np.maximum(n * draw.uniform(0.3, 1, shape), 1.0)
    unasked = np.where(draw.random(shape) < 0.3, draw.uniform(0.01, 1, shape), 1.0)
    own = mean * (1 - mean) / np.maximum(effective - 1, 0.1) * unasked * draw.choice([0, 1e-9, 0.1, 1, 3], shape)
    weights = draw.dirichlet(np.full(5, 0.5), 3000)
    total = (np.square(weights.T) * own).sum(axis=0) * draw.uniform(0, 3, 3000)
    estimate = (weights.T * mean).sum(axis=0)
    before = None
    for confidence in (0.5, 0.8, 0.95, 0.999):
        found = score_interval(
            Parts(mean, n, effective, own, unasked), weights, confidence=confidence, low=0, high=1, variance=total
        )
        assert (found.low >= 0).all()
        assert (found.low <= estimate + 1e-12).all()
        assert (found.high >= estimate - 1e-12).all()
        assert (found.high <= 1).all()
        assert (found.high - found.low > 1e-9).all()
        if before is not None:
            assert (found.low <= before.low + 1e-12).all()
            assert (found.high >= before.high - 1e-12).all()
        before = found


def multisets(n, chances):
    """Every multiset of n answers on the unit scale, with its chance."""
    points = len(chances)
    for answers in combinations_with_replacement(range(points), n):
        counts = np.bincount(answers, minlength=points)
        chance = math.factorial(n) * np.prod(np.power(chances, counts) / special.factorial(counts))
        yield np.array(answers) / (points - 1), chance


def literal_coverage(sizes, chances):
    """Chance that the interval of the average of groups of such sizes holds the mean, multiset by multiset."""
    truth = np.arange(len(chances)) @ np.array(chances) / (len(chances) - 1)
    every = list(product(*(list(multisets(n, chances)) for n in sizes)))
    means, variances = (
        np.array([[measure(answers) for answers, _ in groups] for groups in every]).T
        for measure in (np.mean, lambda a: a.var(ddof=1) / len(a) if len(a) > 1 else np.nan)
    )
    n = np.broadcast_to(np.array(sizes)[:, None], means.shape)
    parts = Parts(means, n, n.astype(float), np.where(variances > 1e-15, variances, 0.0), np.ones(means.shape))
    weights = np.full((len(every), len(sizes)), 1 / len(sizes))
    found = score_interval(parts, weights, confidence=0.95, low=0, high=1)
    chance = np.array([np.prod([c for _, c in groups]) for groups in every])
    assert chance.sum() == pytest.approx(1)
    return chance[(found.low <= truth + 1e-9) & (found.high >= truth - 1e-9)].sum()


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("sizes", [(3,), (5,), (8,), (12,), (3, 4), (2, 2, 2), (1, 6)], ids=str)
def test_over_every_multiset_of_answers_the_interval_holds_the_mean_in_93_of_100(sizes, name):
    assert literal_coverage(sizes, SHAPES[name]) >= 0.93


@pytest.fixture(scope="module")
def benchmark():
    spec = importlib.util.spec_from_file_location("coverage_benchmark", ROOT / "benchmarks" / "coverage.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(("n", "points"), [(1, 5), (4, 5), (7, 5), (4, 7), (3, 10)])
def test_the_benchmarks_enumeration_by_sums_is_that_of_the_multisets(benchmark, n, points):
    chances = np.array(list(benchmark.shapes(points).values()))
    (_, seen), *_ = benchmark.outcomes(points, chances, (n,))
    for row, shape in zip(seen.chance, chances, strict=True):
        expected = {}
        for answers, chance in multisets(n, shape):
            key = (round(float(answers.mean()), 9), round(float(answers.var() / max(n - 1, 1)), 9))
            expected[key] = expected.get(key, 0.0) + chance
        found = {
            (round(float(p), 9), round(float(v), 9)): c for p, v, c in zip(seen.share, seen.variance, row, strict=True)
        }
        assert found == pytest.approx(expected, abs=1e-12)


def test_the_benchmark_covers_with_the_method_chosen_what_multisets_say(benchmark):
    chances = np.array([SHAPES["80 % on top"]])
    (_, seen), *_ = benchmark.outcomes(5, chances, (5,))
    found = benchmark.METHODS[benchmark.CHOSEN](seen.share, seen.variance, np.full(seen.share.shape, 5.0), 0.95)
    covered = benchmark.covered(found, chances @ np.arange(5) / 4, seen.chance)
    assert covered[0] == pytest.approx(literal_coverage((5,), SHAPES["80 % on top"]), abs=1e-12)
