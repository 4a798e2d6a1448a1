"""Agreement between and within groups equals scipy, R, closed forms, and the analysis of variance."""

from __future__ import annotations

import math
import re
import subprocess
import sys
from itertools import combinations, permutations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats as scipy_stats

from materiality.agreement import (
    Persons,
    adjusted,
    cronbach_alpha,
    disagreement,
    kendalls_w,
    kendalls_w_of_sums,
    kruskal_wallis,
    pairwise_pairs,
    persons_of,
)

NAN = math.nan
SMALL = np.array(
    [[4, 5, 3, 4], [2, 1, 3, 2], [5, 5, 4, 3], [3, 4, 3, 5], [1, 2, 2, 1], [4, 3, 5, 4], [2, 2, 1, 4], [5, 4, 4, 5]],
    float,
)
"""Eight simulated respondents to four items."""


def counted(*groups, points=5):
    """How many of each group rated 1, 2, … points."""
    return np.array([[list(group).count(point) for point in range(1, points + 1)] for group in groups])


def expanded(counts):
    """The ratings of each group that has any."""
    return [np.repeat(np.arange(counts.shape[1]), group) for group in counts if group.sum()]


def rows_of_ratings(low=1, high=5, most_rows=12, most_items=6, least_items=1):
    shapes = st.tuples(st.integers(0, most_rows), st.integers(least_items, most_items))
    return shapes.flatmap(lambda shape: arrays(float, shape, elements=st.integers(low, high).map(float)))


# Kruskal and Wallis


def test_kruskal_wallis_equals_r():
    """R: kruskal.test(list(c(1,2,2,3,5), c(3,4,4,5,5,5), c(1,1,2,4)))"""
    found = kruskal_wallis(counted([1, 2, 2, 3, 5], [3, 4, 4, 5, 5, 5], [1, 1, 2, 4]))
    assert float(found.statistic) == pytest.approx(6.1900682805710749, rel=1e-13)
    assert float(found.p) == pytest.approx(0.0452734667847868, rel=1e-13)
    assert (float(found.df), int(found.n)) == (2, 15)


@settings(deadline=None)
@given(arrays(np.int64, st.tuples(st.integers(1, 5), st.integers(1, 7)), elements=st.integers(0, 6)))
def test_kruskal_wallis_equals_scipy_on_the_ratings_themselves(counts):
    groups = expanded(counts)
    found = kruskal_wallis(counts)
    if len(groups) < 2 or len(set(np.concatenate(groups))) < 2:
        assert np.isnan([found.statistic, found.df, found.p, found.epsilon_squared]).all()
    else:
        statistic, p = scipy_stats.kruskal(*groups)
        assert float(found.statistic) == pytest.approx(statistic, rel=1e-9, abs=1e-9)
        # scipy's statistic rounds, and near 0 its root is what p moves by
        assert float(found.p) == pytest.approx(p, rel=1e-9, abs=1e-6)
        assert found.df == len(groups) - 1
    assert found.n == counts.sum()


@settings(deadline=None)
@given(arrays(np.int64, (3, 5), elements=st.integers(0, 6)))
def test_epsilon_squared_is_the_share_of_the_ranks_variance_between_groups(counts):
    """The one-way analysis of variance of the mid-ranks."""
    groups = expanded(counts)
    found = kruskal_wallis(counts)
    if np.isnan(found.statistic):
        return
    ranks = scipy_stats.rankdata(np.concatenate(groups))
    parts = np.split(ranks, np.cumsum([len(group) for group in groups])[:-1])
    within = sum(((part - part.mean()) ** 2).sum() for part in parts)
    assert float(found.epsilon_squared) == pytest.approx(1 - within / ((ranks - ranks.mean()) ** 2).sum(), abs=1e-12)
    assert 0 <= found.epsilon_squared <= 1


def test_groups_that_are_of_one_mind_each_have_epsilon_squared_one():
    found = kruskal_wallis([[7, 0, 0], [0, 0, 4], [0, 3, 0]])
    assert (float(found.epsilon_squared), float(found.statistic)) == (1, 13)


def test_groups_that_rate_alike_differ_by_nothing():
    found = kruskal_wallis([[1, 2, 3], [2, 4, 6]])
    assert (float(found.statistic), float(found.p), float(found.epsilon_squared)) == (0, 1, 0)


def test_two_groups_without_ties_give_the_textbook_statistic():
    """12/(n(n + 1)) Σ R²/n_g − 3(n + 1) with the rank sums 1 + 2 + 4 and 3 + 5 + 6 + 7."""
    found = kruskal_wallis([[1, 1, 0, 1, 0, 0, 0], [0, 0, 1, 0, 1, 1, 1]])
    assert float(found.statistic) == pytest.approx(12 / 56 * (7**2 / 3 + 21**2 / 4) - 24, rel=1e-13)


def test_issues_are_tested_at_once_as_one_by_one():
    counts = np.random.default_rng(1).integers(0, 4, (2, 6, 3, 5))
    counts[0, 0, 1:] = 0
    counts[1, 3, :, 1:] = 0
    together = kruskal_wallis(counts)
    for at in np.ndindex(2, 6):
        alone = kruskal_wallis(counts[at])
        for name in ("statistic", "df", "p", "epsilon_squared", "n"):
            np.testing.assert_array_equal(getattr(together, name)[at], getattr(alone, name))
    assert np.isnan(together.statistic[0, 0])
    assert np.isnan(together.p[1, 3])
    assert np.isfinite(together.p).sum() == 10


def test_a_group_without_ratings_changes_nothing():
    with_it, without = kruskal_wallis([[3, 1, 0], [0, 0, 0], [1, 1, 4]]), kruskal_wallis([[3, 1, 0], [1, 1, 4]])
    assert with_it == without


@pytest.mark.parametrize("shape", [(0, 3, 5), (4, 0, 5), (4, 3, 0), (0, 0)])
def test_no_issue_group_or_point_gives_no_test(shape):
    found = kruskal_wallis(np.zeros(shape, int))
    assert found.statistic.shape == found.n.shape == shape[:-2]
    assert np.isnan(found.p).all()


def test_a_million_ratings_are_ranked_without_overflow():
    found = kruskal_wallis(np.array([[900_000, 0, 100_000], [0, 1_000_000, 0]], np.int32))
    between = 2 * (10**6 * (0.9 * -1.1 + 0.1 * 1.9)) ** 2 * 10**6
    total = 10**18 * (0.9 * 1.1**2 + 0.1 * 1.9**2 + 0.8**2)
    assert float(found.epsilon_squared) == pytest.approx(between / total, rel=1e-12)


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        pytest.param([1, 2], "counts need the axes groups and points, got the shape (2,)", id="one axis"),
        pytest.param([[1, -1]], "counts must be whole numbers, none of them negative", id="negative"),
        pytest.param([[1.0, 0.5]], "counts must be whole numbers, none of them negative", id="weighted"),
    ],
)
def test_what_are_no_counts_is_refused(counts, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        kruskal_wallis(counts)


# Adjusted probabilities


def test_adjusted_probabilities_equal_r():
    """R: p <- c(0.01, 0.04, 0.03, 0.005, 0.5, NA, 0.02); p.adjust(p, "holm"); p.adjust(p, "BH")"""
    found = adjusted([0.01, 0.04, 0.03, 0.005, 0.5, NAN, 0.02])
    np.testing.assert_allclose(found.holm, [0.05, 0.09, 0.09, 0.03, 0.50, NAN, 0.08], rtol=1e-12)
    np.testing.assert_allclose(found.benjamini_hochberg, [0.03, 0.048, 0.045, 0.03, 0.5, NAN, 0.04], rtol=1e-12)


@settings(max_examples=15, deadline=None)  # statsmodels collects garbage at every call
@given(st.lists(st.one_of(st.floats(0, 1), st.just(NAN)), max_size=12))
def test_adjusted_probabilities_follow_their_definitions(p_values):
    """Holm: the largest (m − j + 1) p_(j) up to one's own place. Benjamini, Hochberg: the least m p_(j) / j from it."""
    family = sorted(p for p in p_values if not math.isnan(p))
    m = len(family)
    holm, hochberg = [], []
    for p in p_values:
        place = NAN if math.isnan(p) else family.index(p)
        holm.append(p if math.isnan(p) else min(1, max((m - j) * family[j] for j in range(place + 1))))
        hochberg.append(p if math.isnan(p) else min(m * family[j] / (j + 1) for j in range(m) if family[j] >= p))
    found = adjusted(p_values)
    np.testing.assert_allclose(found.holm, holm, rtol=1e-12)
    np.testing.assert_allclose(found.benjamini_hochberg, hochberg, rtol=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_adjusted_probabilities_equal_statsmodels(seed):
    from statsmodels.stats.multitest import multipletests

    p_values = np.random.default_rng(seed).uniform(size=30) ** 3
    p_values[3] = p_values[7]
    found = adjusted(p_values)
    np.testing.assert_allclose(found.holm, multipletests(p_values, method="holm")[1], rtol=1e-14)
    np.testing.assert_allclose(found.benjamini_hochberg, multipletests(p_values, method="fdr_bh")[1], rtol=1e-14)


def test_adjusted_probabilities_keep_their_shape():
    found = adjusted([[0.01, NAN, 0.2], [0.5, 0.02, NAN]])
    expected = np.array([[0.04, NAN, 0.4], [0.5, 0.06, NAN]])
    np.testing.assert_allclose(found.holm, expected, rtol=1e-12)
    assert found.benjamini_hochberg.shape == (2, 3)


@pytest.mark.parametrize("p_values", [[], [NAN, NAN], NAN])
def test_no_test_needs_no_adjustment(p_values):
    found = adjusted(p_values)
    np.testing.assert_array_equal(found.holm, p_values)
    np.testing.assert_array_equal(found.benjamini_hochberg, p_values)


def test_one_test_stays_as_it_is():
    found = adjusted(0.03)
    assert (float(found.holm), float(found.benjamini_hochberg)) == (0.03, 0.03)


@pytest.mark.parametrize("p", [-0.01, 1.01, math.inf])
def test_what_is_no_probability_is_refused(p):
    with pytest.raises(ValueError, match=r"^probabilities must lie from 0 to 1$"):
        adjusted([0.5, p])


def test_statsmodels_is_loaded_by_the_adjustment_alone():
    code = (
        "import sys, materiality.agreement; print(sorted({'statsmodels', 'pandas', 'scipy.stats'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# Kendall's W


@pytest.mark.parametrize("issues", [2, 3, 10])
@pytest.mark.parametrize("raters", [2, 7])
def test_perfect_agreement_has_w_one(raters, issues):
    found = kendalls_w(np.tile(np.random.default_rng(3).permutation(issues), (raters, 1)))
    assert (found.w, found.statistic, found.df) == (1, raters * (issues - 1), issues - 1)
    assert found.p == pytest.approx(scipy_stats.chi2.sf(raters * (issues - 1), issues - 1), rel=1e-12)


@pytest.mark.parametrize("issues", [2, 3, 10])
def test_two_raters_of_opposite_mind_have_w_zero(issues):
    order = np.random.default_rng(4).permutation(issues)
    found = kendalls_w([order, -order])
    assert (found.w, found.statistic, found.p, found.raters) == (0, 0, 1, 2)


def test_every_ranking_once_has_w_zero():
    assert kendalls_w(list(permutations(range(4)))).w == 0


def test_agreement_with_ties_is_perfect_too():
    assert kendalls_w([[5, 5, 2, 1, 1]] * 4).w == pytest.approx(1, abs=1e-15)


def test_friedmans_chi_square_equals_r():
    """R: friedman.test(y), with y the matrix of the eight respondents"""
    found = kendalls_w(SMALL)
    assert found.statistic == pytest.approx(0.385714285714286, rel=1e-13)
    assert found.p == pytest.approx(0.943177519458614, rel=1e-13)
    assert found.w == pytest.approx(0.385714285714286 / 24, rel=1e-13)


@settings(deadline=None)
@given(rows_of_ratings(least_items=3))
def test_friedmans_chi_square_equals_scipys(ratings):
    found = kendalls_w(ratings)
    if len(ratings) < 2 or (ratings == ratings[:, :1]).all():
        assert np.isnan([found.w, found.statistic, found.df, found.p]).all()
    else:
        statistic, p = scipy_stats.friedmanchisquare(*ratings.T)
        assert found.statistic == pytest.approx(statistic, rel=1e-9, abs=1e-9)
        # scipy's statistic rounds, and near 0 its root is what p moves by
        assert found.p == pytest.approx(p, rel=1e-9, abs=1e-6)
        assert 0 <= found.w <= 1
    assert found.raters == len(ratings)


@settings(deadline=None)
@given(arrays(float, (6, 5), elements=st.floats(1, 5).map(lambda x: round(x, 2)), unique=True))
def test_w_without_ties_is_a_mean_of_spearmans_correlations(ratings):
    """Kendall and Babington Smith: the mean ρ over all pairs of m raters is (m W − 1) / (m − 1)."""
    pairs = combinations(ratings, 2)
    mean = np.mean([np.corrcoef(scipy_stats.rankdata(a), scipy_stats.rankdata(b))[0, 1] for a, b in pairs])
    assert (6 * kendalls_w(ratings).w - 1) / 5 == pytest.approx(mean, abs=1e-12)


def test_a_rater_with_a_rating_missing_is_left_out():
    assert kendalls_w([*SMALL, [1, NAN, 3, 4], [NAN] * 4]) == kendalls_w(SMALL)


def test_mean_ratings_that_differ_by_rounding_alone_are_tied():
    assert kendalls_w([[0.1 + 0.2, 0.3, 1], [1, 2, 3]]) == kendalls_w([[0.3, 0.3, 1], [1, 2, 3]])


@pytest.mark.parametrize(
    ("ratings", "raters"),
    [
        pytest.param([[1, 2, 3]], 1, id="one rater"),
        pytest.param([[1], [2], [3]], 3, id="one issue"),
        pytest.param([[3, 3, 3], [5, 5, 5]], 2, id="all issues tied"),
        pytest.param([[1, NAN], [NAN, 2], [1, 2]], 1, id="one complete rater"),
        pytest.param(np.empty((0, 4)), 0, id="no rater"),
        pytest.param(np.empty((4, 0)), 4, id="no issue"),
    ],
)
def test_there_is_no_w_without_two_raters_two_issues_and_a_preference(ratings, raters):
    found = kendalls_w(ratings)
    assert np.isnan([found.w, found.statistic, found.df, found.p]).all()
    assert found.raters == raters


@pytest.mark.parametrize(
    ("sums", "raters", "ties"),
    [
        pytest.param([2, 4, 6.5], 2, 0, id="too large a sum"),
        pytest.param([2, 4, 6], 3, 0, id="other raters"),
        pytest.param([NAN, 4, 6], 2, 0, id="missing"),
        pytest.param([2, 4, 6], 2, -6, id="negative ties"),
        pytest.param([2, 4, 6], 2, 54, id="more ties than issues"),
        pytest.param([-2, -4, -6], -2, 0, id="negative raters"),
    ],
)
def test_sums_that_do_not_belong_together_are_refused(sums, raters, ties):
    message = f"the rank sums and tie terms are not those of {raters} raters of 3 issues"
    with pytest.raises(ValueError, match=f"^{message}$"):
        kendalls_w_of_sums(sums, raters, ties)


def test_rank_sums_of_two_axes_are_refused():
    with pytest.raises(ValueError, match=r"^rank sums need the one axis issues, got the shape \(1, 2\)$"):
        kendalls_w_of_sums([[3, 3]], 2, 0)


# Persons


def same(a: Persons, b: Persons) -> bool:
    arrays_equal = all(np.array_equal(getattr(a, name), getattr(b, name)) for name in ("sums", "products", "rank_sums"))
    return arrays_equal and (a.n, a.tie_terms) == (b.n, b.tie_terms)


@settings(deadline=None)
@given(rows_of_ratings(), st.lists(st.integers(0, 12), max_size=3), st.randoms(use_true_random=False))
def test_sums_over_persons_are_exact_however_the_rows_are_split_and_ordered(ratings, cuts, random):
    whole = persons_of(ratings, midpoint=3)
    rows = ratings[random.sample(range(len(ratings)), len(ratings))]
    parts = [persons_of(part, midpoint=3) for part in np.split(rows, sorted(cuts))]
    assert same(sum(parts[1:], parts[0]), whole)


@settings(deadline=None)
@given(rows_of_ratings())
def test_sums_over_persons_follow_their_definitions(ratings):
    found = persons_of(ratings, midpoint=3)
    ranks = [scipy_stats.rankdata(row) for row in ratings]
    ties = sum(t**3 - t for row in ratings for t in np.unique(row, return_counts=True)[1])
    assert found.n == len(ratings)
    assert found.tie_terms == ties
    np.testing.assert_array_equal(found.rank_sums, np.sum(ranks, axis=0) if ranks else np.zeros(ratings.shape[1]))
    np.testing.assert_array_equal(found.sums, (ratings - 3).sum(axis=0))
    if len(ratings) > 1:
        expected = np.atleast_2d(np.cov(ratings, rowvar=False))
        np.testing.assert_allclose(found.covariance(), expected, atol=1e-12)
    else:
        assert np.isnan(found.covariance()).all()


def test_only_respondents_who_rated_every_item_count():
    rows = np.array([[1, 2], [NAN, 3], [4, 4], [5, NAN], [NAN, NAN]])
    assert same(persons_of(rows, midpoint=3), persons_of([[1, 2], [4, 4]], midpoint=3))


def test_the_sums_over_persons_give_kendalls_w():
    first, second = persons_of(SMALL[:3], midpoint=3), persons_of(SMALL[3:], midpoint=3)
    both = first + second
    assert kendalls_w_of_sums(both.rank_sums, both.n, both.tie_terms) == kendalls_w(SMALL)


def test_the_midpoint_does_not_move_the_covariance():
    near, far = persons_of(SMALL, midpoint=3).covariance(), persons_of(SMALL, midpoint=0).covariance()
    np.testing.assert_allclose(near, far, rtol=1e-12)


@pytest.mark.parametrize("n", [3, 40, 5000])
def test_an_item_that_all_rate_alike_has_no_variance_whatever_its_rounding(n):
    varied = np.random.default_rng(n).integers(1, 6, n)
    covariance = persons_of(np.column_stack([np.full(n, 0.1), varied, np.full(n, 2.3)]), midpoint=3).covariance()
    assert covariance[[0, 2]].tolist() == [[0, 0, 0]] * 2
    assert covariance[1, 1] == pytest.approx(np.var(varied, ddof=1), rel=1e-12)


def test_a_single_dissenter_among_a_million_has_variance():
    item = np.full(10**6, 5.0)
    item[0] = 4
    assert persons_of(item[:, None], midpoint=3).covariance()[0, 0] == pytest.approx(1e-6, rel=1e-12)


def test_nobody_has_sums_of_zero_from_which_addition_starts():
    nobody = persons_of(np.empty((0, 4)), midpoint=3)
    assert (nobody.n, nobody.tie_terms) == (0, 0)
    assert same(nobody + persons_of(SMALL, midpoint=3), persons_of(SMALL, midpoint=3))


def test_sums_over_other_items_do_not_add():
    with pytest.raises(ValueError, match=r"^sums over 4 and over 1 items do not add$"):
        persons_of(SMALL, midpoint=3) + persons_of(SMALL[:, :1], midpoint=3)


@pytest.mark.parametrize("function", [kendalls_w, lambda ratings: persons_of(ratings, midpoint=3)])
def test_ratings_of_one_axis_are_refused(function):
    with pytest.raises(ValueError, match=r"^ratings need two axes, got the shape \(3,\)$"):
        function([1, 2, 3])


# Cronbach's alpha


def test_alpha_equals_r_psych():
    """R, with y the matrix of the eight respondents: a <- psych::alpha(as.data.frame(y)); a$total; a$alpha.drop;
    psych::alpha.ci(a$total$raw_alpha, n.obs = 8, n.var = 4)
    """
    found = cronbach_alpha(persons_of(SMALL, midpoint=3).covariance(), n=8)
    assert found.alpha == pytest.approx(0.846007086399564, rel=1e-13)
    assert found.standardised == pytest.approx(0.842956529132752, rel=1e-13)
    np.testing.assert_allclose(
        found.without, [0.691151919866444, 0.786450662739322, 0.850961538461538, 0.858237547892720], rtol=1e-13
    )
    assert [found.lower, found.upper] == pytest.approx([0.542851965309065, 0.965410726361107], rel=1e-12)


@settings(deadline=None)
@given(rows_of_ratings(least_items=2))
def test_alpha_follows_from_the_two_way_analysis_of_variance(ratings):
    """1 − residual mean square / mean square between respondents (Hoyt 1941)."""
    n, items = ratings.shape
    if n < 2:
        return
    found = cronbach_alpha(persons_of(ratings, midpoint=3).covariance(), n)
    person, item, grand = ratings.mean(axis=1, keepdims=True), ratings.mean(axis=0), ratings.mean()
    between = items * ((person - grand) ** 2).sum() / (n - 1)
    residual = ((ratings - person - item + grand) ** 2).sum() / ((n - 1) * (items - 1))
    if len(set(ratings.sum(axis=1))) == 1:
        assert np.isnan([found.alpha, found.lower, found.upper]).all()
    else:
        assert found.alpha == pytest.approx(1 - residual / between, rel=1e-9, abs=1e-9)
        assert found.lower <= found.upper


@pytest.mark.parametrize("correlation", [0.0, 0.2, 0.9, 1.0])
@pytest.mark.parametrize("items", [2, 5, 20])
def test_alpha_of_parallel_items_is_that_of_spearman_and_brown(items, correlation):
    covariance = 1.7 * (correlation * np.ones((items, items)) + (1 - correlation) * np.eye(items))
    expected = items * correlation / (1 + (items - 1) * correlation)
    found = cronbach_alpha(covariance)
    assert [found.alpha, found.standardised] == pytest.approx([expected] * 2, abs=1e-13)
    shorter = (items - 1) * correlation / (1 + (items - 2) * correlation) if items > 2 else NAN
    np.testing.assert_allclose(found.without, [shorter] * items, atol=1e-13)


def test_standardised_alpha_does_not_hang_on_the_items_scales():
    covariance, scale = persons_of(SMALL, midpoint=3).covariance(), np.array([1.0, 10.0, 0.1, 3.0])
    found, scaled = cronbach_alpha(covariance), cronbach_alpha(covariance * np.outer(scale, scale))
    assert scaled.standardised == pytest.approx(found.standardised, rel=1e-12)
    assert scaled.alpha != pytest.approx(found.alpha, rel=1e-3)


def test_the_interval_of_alpha_holds_it_as_often_as_it_says():
    """Simulated: 2,000 samples of 20 respondents to 4 parallel normal items; 3.5 standard errors of a share."""
    generator, correlation, times = np.random.default_rng(8), 0.4, 2000
    samples = generator.normal(size=(times, 20, 1)) * math.sqrt(correlation)
    samples = samples + generator.normal(size=(times, 20, 4)) * math.sqrt(1 - correlation)
    truth = 4 * correlation / (1 + 3 * correlation)
    found = [cronbach_alpha(np.cov(sample, rowvar=False), 20, confidence=0.9) for sample in samples]
    below = np.mean([alpha.upper < truth for alpha in found])
    above = np.mean([alpha.lower > truth for alpha in found])
    assert [below, above] == pytest.approx([0.05, 0.05], abs=3.5 * math.sqrt(0.05 * 0.95 / times))


def test_items_that_are_one_and_the_same_leave_no_doubt():
    found = cronbach_alpha(np.ones((3, 3)), n=10)
    assert (found.alpha, found.lower, found.upper) == (1, 1, 1)


@pytest.mark.parametrize(
    "covariance",
    [
        pytest.param(np.empty((0, 0)), id="no item"),
        pytest.param([[2.0]], id="one item"),
        pytest.param(np.zeros((3, 3)), id="no variance"),
        pytest.param([[1, -1], [-1, 1]], id="the sum is constant"),
        pytest.param(np.outer([0.1, 0.2, -0.3], [0.1, 0.2, -0.3]), id="constant but for rounding"),
        pytest.param(np.full((2, 2), NAN), id="nobody"),
    ],
)
def test_there_is_no_alpha_without_two_items_whose_sum_varies(covariance):
    found = cronbach_alpha(covariance, n=9)
    assert np.isnan([found.alpha, found.lower, found.upper]).all()


def test_an_item_without_variance_lowers_alpha_and_cannot_be_standardised():
    """Alpha of two equal items is 1, of three that share their variance k/(k − 1) (1 − 2/4)."""
    found = cronbach_alpha([[1, 1, 0], [1, 1, 0], [0, 0, 0]], n=9)
    assert found.alpha == 0.75
    assert math.isnan(found.standardised)
    assert found.without.tolist() == [0, 0, 1]


@pytest.mark.parametrize("n", [None, 0, 1])
def test_alpha_has_no_interval_without_respondents(n):
    found = cronbach_alpha([[1.0, 0.5], [0.5, 1.0]], n)
    assert found.alpha == pytest.approx(2 / 3)
    assert np.isnan([found.lower, found.upper]).all()


@pytest.mark.parametrize("shape", [(2, 3), (4,), (2, 2, 2)])
def test_a_covariance_that_is_not_square_is_refused(shape):
    with pytest.raises(ValueError, match=f"^a covariance is square, got the shape {re.escape(str(shape))}$"):
        cronbach_alpha(np.ones(shape))


@pytest.mark.parametrize("confidence", [0, 1, 95, NAN])
def test_a_confidence_that_is_no_share_is_refused(confidence):
    with pytest.raises(ValueError, match=f"^confidence must lie between 0 and 1, got {confidence}$"):
        cronbach_alpha(np.eye(2), 5, confidence=confidence)


# Disagreement between groups


@pytest.mark.parametrize("groups", [0, 1, 2, 6])
def test_every_pair_of_groups_comes_once_the_lower_first(groups):
    found = pairwise_pairs(groups)
    assert found.shape == (math.comb(groups, 2), 2)
    assert [tuple(pair) for pair in found] == list(combinations(range(groups), 2))


def test_fewer_than_no_groups_are_refused():
    with pytest.raises(ValueError, match=r"^groups cannot be -1$"):
        pairwise_pairs(-1)


def test_disagreement_counts_each_group_as_often_as_it_weighs():
    means = np.array([[2.0, 5.0], [4.5, 1.0], [3.0, 2.5]])
    found = disagreement(means, [1, 3, 2])
    np.testing.assert_allclose(found.std_dev, np.repeat(means, [1, 3, 2], axis=0).std(axis=0), rtol=1e-13)
    np.testing.assert_array_equal(found.range, [2.5, 4])
    assert (found.highest.tolist(), found.lowest.tolist()) == ([1, 0], [0, 1])


@settings(deadline=None)
@given(
    arrays(float, (3, 4), elements=st.one_of(st.integers(1, 5).map(float), st.just(NAN))),
    arrays(float, 3, elements=st.sampled_from([0.0, 0.5, 1.0, 2.0])),
)
def test_disagreement_is_that_of_the_groups_that_count(means, weights):
    found = disagreement(means, weights)
    for j, column in enumerate(means.T):
        there = [g for g in range(3) if weights[g] and not math.isnan(column[g])]
        if len(there) < 2:
            assert np.isnan([found.std_dev[j], found.range[j]]).all()
            assert (found.highest[j], found.lowest[j]) == (-1, -1)
            continue
        # the mean squared difference over all ordered pairs is twice the variance
        pairs = list(product(there, there))
        squares = sum(weights[g] * weights[h] * (column[g] - column[h]) ** 2 for g, h in pairs)
        variance = squares / 2 / sum(weights[g] * weights[h] for g, h in pairs)
        assert found.std_dev[j] ** 2 == pytest.approx(variance, abs=1e-12)
        assert found.highest[j] == max(there, key=lambda g: (column[g], -g))
        assert found.lowest[j] == min(there, key=lambda g: (column[g], g))
        assert found.range[j] == column[found.highest[j]] - column[found.lowest[j]]


def test_only_the_ratios_of_the_weights_count():
    means = np.random.default_rng(2).uniform(1, 5, (4, 7))
    one, other = disagreement(means, [1, 2, 3, 4]), disagreement(means, [0.1, 0.2, 0.3, 0.4])
    np.testing.assert_allclose(one.std_dev, other.std_dev, rtol=1e-12)


def test_of_groups_equal_but_for_rounding_the_first_is_named():
    found = disagreement([[0.3, 2.0], [0.1 + 0.2, 2.0]], [1, 1])
    assert (found.highest.tolist(), found.lowest.tolist()) == ([0, 0], [0, 0])
    np.testing.assert_allclose(found.std_dev, 0, atol=1e-15)


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0, 0)])
def test_without_groups_or_issues_nobody_disagrees(shape):
    found = disagreement(np.empty(shape), np.ones(shape[0]))
    assert np.isnan(found.std_dev).all()
    assert found.std_dev.shape == found.range.shape == found.highest.shape == (shape[1],)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        pytest.param([1, -1], "weights must be numbers, none of them negative", id="negative"),
        pytest.param([1, NAN], "weights must be numbers, none of them negative", id="missing"),
        pytest.param(
            [1, 1, 1], "means of shape (2, 1) and weights of (3,) have not the groups in common", id="too many"
        ),
    ],
)
def test_weights_that_weigh_nothing_sensible_are_refused(weights, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        disagreement([[1.0], [2.0]], weights)


def test_nothing_given_is_written_into():
    counts, ratings, means = counted([1, 2], [3, 3]), SMALL.copy(), np.array([[1.0, NAN], [2.0, 3.0]])
    p_values, covariance = np.array([0.04, 0.01]), np.array([[1.0, 0.5], [0.5, 1.0]])
    given_arrays = (counts, ratings, means, p_values, covariance)
    for array in given_arrays:
        array.setflags(write=False)
    kruskal_wallis(counts)
    kendalls_w(ratings)
    persons_of(ratings, midpoint=3)
    disagreement(means, np.ones(2))
    adjusted(p_values)
    cronbach_alpha(covariance, 9)
