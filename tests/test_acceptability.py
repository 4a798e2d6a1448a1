"""Acceptabilities equal exact areas, beta integrals and slow loops; draws of weights have the distribution promised."""

from __future__ import annotations

import json
import math
from itertools import pairwise

import numpy as np
import pytest
from conftest import shared
from scipy import integrate
from scipy import stats as scipy_stats

from materiality.acceptability import (
    central_weights,
    confidence_factor,
    highest,
    rank_acceptability,
    scores,
    tier_acceptability,
    weight_draws,
)
from materiality.study import ThresholdRule, Top

NAN = math.nan
CORNERS = np.column_stack([np.eye(3), np.full(3, 0.5)])
"""Each of three issues is rated 1 by one group and 0 by the others; a fourth is rated ½ by all."""


def drawn(weights, *, draws=10_000, seed=1, variation=None):
    return weight_draws(np.asarray(weights, float), draws, np.random.default_rng(seed), variation=variation)


def concentration(groups, variation):
    return (groups - 1) / variation**2 - 1


@pytest.mark.parametrize("seed", range(5))
def test_rank_acceptabilities_equal_the_exact_ones(seed):
    exact = json.loads(shared("reference", "json", "lonely_and_exact.json").read_text())["smaa_exact"]
    means = np.array(list(exact["scores"].values())).T
    found = rank_acceptability(scores(means, drawn([1, 1], seed=seed)))
    expected = np.column_stack([exact["rank1"], exact["rank2"], exact["rank3"]])
    np.testing.assert_allclose(found, expected, rtol=0, atol=5e-4)


@pytest.mark.parametrize("seed", range(5))
def test_rank_acceptabilities_equal_areas_of_the_triangle_of_weights(seed):
    """A weight above ½ has a corner of a quarter of the area; in the quarter between them the fourth issue is first."""
    found = rank_acceptability(scores(CORNERS, drawn([1, 1, 1], seed=seed)))
    corner = [1 / 4, 1 / 4 / 3, 1 / 4 + 1 / 4 / 3, 1 / 4 + 1 / 4 / 3]
    np.testing.assert_allclose(found, [corner, corner, corner, [1 / 4, 3 / 4, 0, 0]], rtol=0, atol=3e-3)


@pytest.mark.parametrize("variation", [0.1, 0.3, 0.9])
def test_two_groups_around_their_weights_follow_the_beta_integral(variation):
    """The first issue scores w, the second 1 − w and the third 0.6."""
    found = rank_acceptability(scores(np.array([[1.0, 0.0, 0.6], [0.0, 1.0, 0.6]]), drawn([3, 2], variation=variation)))
    kappa = concentration(2, variation)
    weight = scipy_stats.beta(0.6 * kappa, 0.4 * kappa)
    ahead, behind, level = weight.sf(0.6), weight.cdf(0.4), weight.cdf(0.5)
    expected = [
        [ahead, weight.cdf(0.6) - level, level],
        [behind, level - behind, 1 - level],
        [1 - ahead - behind, ahead + behind, 0],
    ]
    np.testing.assert_allclose(found, expected, rtol=0, atol=4e-4)


@pytest.mark.parametrize("variation", [0.05, 0.3, 1.0, 1.6])
@pytest.mark.parametrize(
    "weights", [pytest.param([1, 1, 1, 1], id="equal"), pytest.param([0.4, 0, 0.3, 0.2, 0.1], id="unequal")]
)
def test_weights_have_the_mean_and_the_spread_of_the_dirichlet(weights, variation):
    share = np.array(weights) / np.sum(weights)
    found = drawn(weights, draws=20_000, variation=variation)
    covariance = (np.diag(share) - np.outer(share, share)) / (concentration(4, variation) + 1)
    scale = np.sqrt(np.diag(covariance))
    np.testing.assert_allclose(found.mean(axis=0), share, rtol=0, atol=0.01 * scale.max())
    np.testing.assert_allclose(np.cov(found.T), covariance, rtol=0, atol=0.02 * scale.max() ** 2)
    if weights == [1, 1, 1, 1]:
        np.testing.assert_allclose(found.std(axis=0) / 0.25, variation, rtol=0.01)


@pytest.mark.parametrize("variation", [None, 0.2, 0.8, 1.9])
def test_every_weight_and_every_sum_of_weights_has_its_beta_distribution(variation):
    """At every hundredth from 0 to 1: nearer to the ends a variation close to its limit meets the limits of floats."""
    at = np.linspace(0.01, 0.99, 99)
    share = np.array([0.1, 0.15, 0.2, 0.25, 0.3])
    alpha = np.ones(5) if variation is None else concentration(5, variation) * share
    found = drawn(share, variation=variation)
    for members in ([0], [1], [2], [3], [4], [0, 4], [1, 3], [0, 2, 4]):
        a = alpha[members].sum()
        observed = (found[:, members].sum(axis=1)[:, None] <= at).mean(axis=0)
        exact = scipy_stats.beta(a, alpha.sum() - a).cdf(at)
        np.testing.assert_allclose(observed, exact, rtol=0, atol=0.01)


def test_without_a_variation_only_who_counts_matters():
    np.testing.assert_array_equal(drawn([5, 0, 1, 0.2]), drawn([1, 0, 1, 1]))


def test_the_uniform_draws_are_the_dirichlet_of_the_variation_that_is_documented():
    np.testing.assert_allclose(drawn([1, 1, 1], variation=math.sqrt(2 / 4)), drawn([1, 1, 1]), rtol=0, atol=1e-12)


@pytest.mark.parametrize(("groups", "at_most"), [(2, 0.03), (3, 0.2), (5, 0.6), (8, 0.8)])
@pytest.mark.parametrize("variation", [None, 0.4])
def test_the_draws_err_less_than_independent_ones(groups, at_most, variation):
    """By symmetry each of the groups' favourites is first in 1 of G draws, and each order of three in 1 of 6."""
    draws, errors = 10_000, []
    for seed in range(8):
        found = drawn(np.ones(groups), variation=variation, seed=seed)
        errors += list(((found.argmax(axis=1)[:, None] == np.arange(groups)).mean(axis=0) - 1 / groups) * draws**0.5)
    independent = math.sqrt((groups - 1) / groups**2)
    assert math.sqrt(np.mean(np.square(errors))) < at_most * independent


def test_draws_of_two_axes_are_paired_as_independent():
    """Two lattices in their own order would move together."""
    generator = np.random.default_rng(3)
    first, second = (weight_draws(np.ones(3), 10_000, generator) for _ in range(2))
    shares = np.array([first[:, 0] > 0.3, second[:, 0] > 0.3])
    assert abs(np.cov(shares.astype(float))[0, 1]) < 4 * 0.25 / 100
    assert np.abs(np.corrcoef(first.T, second.T)[:3, 3:]).max() < 4 / 100
    assert np.abs(np.corrcoef(first[:-1, 0], first[1:, 0])[0, 1]) < 4 / 100


@pytest.mark.parametrize("variation", [None, 1e-9, 1e-3, 0.5, 2, 2.6457])
def test_weights_add_up_and_nobody_with_a_weight_loses_all_of_it(variation):
    found = drawn([0.5, 0.3, 0, 0.1, 0.05, 0.03, 0.01, 0.009, 0.001], draws=500, variation=variation)
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-12)
    assert (found[:, 2] == 0).all() and (np.delete(found, 2, axis=1) > 0).all()


def test_hardly_any_variation_gives_the_weights_themselves():
    np.testing.assert_allclose(
        drawn([3, 2, 1], variation=1e-12), np.tile([1 / 2, 1 / 3, 1 / 6], (10_000, 1)), atol=1e-5
    )


@pytest.mark.parametrize("variation", [None, 0.3, 7.0])
def test_a_group_alone_has_all_the_weight(variation):
    assert drawn([0, 2, 0], draws=3, variation=variation).tolist() == [[0, 1, 0]] * 3


@pytest.mark.parametrize(
    ("weights", "written"),
    [
        ([1, -1, 1], "[1.0, -1.0, 1.0]"),
        ([1, NAN], "[1.0, nan]"),
        ([1, math.inf], "[1.0, inf]"),
        ([0, 0], "[0.0, 0.0]"),
        ([], "[]"),
    ],
)
def test_weights_that_are_none_are_refused(weights, written):
    with pytest.raises(ValueError) as error:
        drawn(weights)
    assert str(error.value) == (
        f"The weights {written} are not all finite and at least 0, with one above 0.\n"
        "  Mend: give each group that counts a positive weight, and the others 0."
    )


@pytest.mark.parametrize("variation", [0, -0.3, 2, 2.5, NAN, math.inf])
def test_a_variation_out_of_its_range_is_refused(variation):
    with pytest.raises(ValueError) as error:
        drawn([1, 2, 3, 0, 4, 5], variation=variation)
    assert str(error.value) == (
        f"A variation of {variation} among 5 groups is not between 0 and 2.\n"
        "  Mend: give one between them, or none for weights of which nothing is known."
    )


def slow_scores(means, weights):
    """One draw and one issue at a time."""
    found = np.full((len(weights), means.shape[-1]), NAN)
    for d, weight in enumerate(weights):
        table = means if means.ndim == 2 else means[d]
        for j in range(table.shape[1]):
            pairs = [(w, m) for w, m in zip(weight, table[:, j], strict=True) if w > 0 and not math.isnan(m)]
            if pairs:
                found[d, j] = sum(w * m for w, m in pairs) / sum(w for w, _ in pairs)
    return found


@pytest.mark.parametrize("drawn_too", [False, True])
def test_scores_are_weighted_means_of_the_groups_that_rated(drawn_too):
    generator = np.random.default_rng(4)
    means = generator.uniform(1, 5, (30, 4, 6) if drawn_too else (4, 6))
    means[..., 1, 2] = means[..., 3, :] = means[..., :, 4] = means[..., :3, 5] = NAN
    weights = drawn([1, 2, 0, 3], draws=30, variation=0.5)
    kept = means.copy(), weights.copy()
    found = scores(means, weights)
    np.testing.assert_allclose(found, slow_scores(means, weights), rtol=1e-12)
    assert np.isnan(found[:, 4:]).all() and np.isfinite(found[:, :4]).all()
    np.testing.assert_array_equal(means, kept[0])
    np.testing.assert_array_equal(weights, kept[1])


def test_means_that_never_vary_give_the_scores_of_fixed_ones():
    means = np.random.default_rng(2).uniform(1, 5, (3, 5))
    means[0, 1] = NAN
    weights = drawn([1, 1, 1], draws=50)
    np.testing.assert_allclose(scores(np.tile(means, (50, 1, 1)), weights), scores(means, weights), rtol=1e-12)


def slow_ranks(drawn_scores):
    """Of one draw after the other; who ties has each of the ranks it spans with equal chance."""
    draws, issues = drawn_scores.shape
    known = [j for j in range(issues) if np.isfinite(drawn_scores[:, j]).all()]
    table = np.full((issues, issues), NAN)
    table[known] = 0
    for row in drawn_scores:
        for j in known:
            better = sum(row[k] > row[j] + 1e-9 for k in known)
            alike = sum(abs(row[k] - row[j]) <= 1e-9 for k in known)
            for rank in range(better, better + alike):
                table[j, rank] += 1 / alike / draws
    return table


@pytest.mark.parametrize(
    ("values", "missing"),
    [
        pytest.param(lambda g: g.normal(size=(60, 7)), [], id="no ties"),
        pytest.param(lambda g: g.integers(1, 5, (60, 7)), [], id="many ties"),
        pytest.param(lambda g: g.integers(1, 5, (60, 7)), [0, 4], id="two without scores"),
        pytest.param(lambda g: np.full((60, 7), 3), [], id="all equal"),
        pytest.param(
            lambda g: 0.1 * g.integers(1, 4, (60, 7)) + g.uniform(0, 1e-11, (60, 7)), [], id="but for rounding"
        ),
        pytest.param(lambda g: g.normal(size=(60, 1)), [], id="one issue"),
        pytest.param(lambda g: g.normal(size=(60, 3)), [0, 1, 2], id="no scores"),
        pytest.param(lambda g: g.normal(size=(60, 0)), [], id="no issue"),
    ],
)
def test_rank_acceptabilities_equal_a_slow_loop_and_add_up(values, missing):
    drawn_scores = np.array(values(np.random.default_rng(6)), float)
    drawn_scores[:, missing] = NAN
    kept = drawn_scores.copy()
    found = rank_acceptability(drawn_scores)
    np.testing.assert_allclose(found, slow_ranks(drawn_scores), rtol=0, atol=1e-12)
    np.testing.assert_array_equal(drawn_scores, kept)
    known = np.isfinite(found).all(axis=1)
    np.testing.assert_allclose(found[known].sum(axis=1), 1, rtol=1e-12)
    np.testing.assert_allclose(found[known].sum(axis=0), np.arange(found.shape[1]) < known.sum(), rtol=1e-12)
    assert known.sum() == found.shape[1] - len(missing)


def test_an_issue_without_a_score_in_one_draw_has_no_rank():
    found = rank_acceptability(np.array([[3.0, 2.0, 1.0], [3.0, NAN, 1.0]]))
    np.testing.assert_array_equal(found, [[1, 0, 0], [NAN] * 3, [0, 1, 0]])


def test_nothing_drawn_gives_no_acceptability():
    assert np.isnan(rank_acceptability(np.empty((0, 2)))).all()
    assert np.isnan(tier_acceptability(np.empty((0, 2)), np.empty((0, 2)), (3.0, 3.0), midpoint=3.0).tier).all()


def test_one_group_leaves_the_ranks_certain_and_a_group_without_ratings_changes_none():
    means = np.array([[2.0, 4.0, 3.0], [NAN, NAN, NAN]])
    for weights in ([1, 0], [1, 4]):
        assert rank_acceptability(scores(means, drawn(weights, draws=50))).tolist() == [[0, 0, 1], [1, 0, 0], [0, 1, 0]]
    assert np.isnan(rank_acceptability(scores(means, drawn([0, 1], draws=50)))).all()


def test_uncertain_weights_and_uncertain_means_together_follow_the_double_integral():
    """Differences d_g ~ N(δ_g, σ²), w uniform: the first issue is ahead where w d₁ + (1 − w) d₂ is positive."""
    draws, gaps, sigma = 40_000, (0.4, -0.2), 0.3
    means = np.zeros((draws, 2, 2))
    means[:, :, 0] = np.random.default_rng(8).normal(gaps, sigma, (draws, 2))

    def ahead(w):
        return scipy_stats.norm.cdf((w * gaps[0] + (1 - w) * gaps[1]) / (sigma * math.hypot(w, 1 - w)))

    exact = integrate.quad(ahead, 0, 1)[0]
    found = rank_acceptability(scores(means, drawn([1, 1], draws=draws)))
    error = 4 * math.sqrt(exact * (1 - exact) / draws)
    np.testing.assert_allclose(found, [[exact, 1 - exact], [1 - exact, exact]], rtol=0, atol=error)


def test_central_weights_of_two_groups_are_the_middle_of_the_favourable_interval():
    """The issues are first from 0.6 on, up to 0.4, between the two, and never."""
    means = np.array([[1.0, 0.0, 0.6, 0.5], [0.0, 1.0, 0.6, 0.5]])
    weights = drawn([1, 1])
    found = central_weights(weights, highest(scores(means, weights)))
    np.testing.assert_allclose(found, [[0.8, 0.2], [0.2, 0.8], [0.5, 0.5], [NAN, NAN]], rtol=0, atol=5e-4)


def test_central_weights_of_three_groups_are_centroids_of_triangles():
    weights = drawn([1, 1, 1])
    found = central_weights(weights, highest(scores(CORNERS, weights)))
    np.testing.assert_allclose(found[:3], np.eye(3) / 2 + 1 / 6, rtol=0, atol=3e-3)
    np.testing.assert_allclose(found[3], 1 / 3, rtol=0, atol=3e-3)


def test_central_weights_of_lying_above_a_threshold_average_over_the_draws_above():
    weights = drawn([1, 1])
    found = central_weights(weights, scores(np.eye(2), weights) > 0.3)
    np.testing.assert_allclose(found, [[0.65, 0.35], [0.35, 0.65]], rtol=0, atol=5e-4)


def test_the_highest_is_alone_or_tied_and_nobody_where_none_has_a_score():
    found = highest(np.array([[1.0, 0.1 + 0.2, 0.3], [NAN, 0.1 + 0.2, 0.3], [NAN, NAN, NAN]]))
    assert found.tolist() == [[True, False, False], [False, True, True], [False, False, False]]


def test_confidence_factors_of_two_issues_follow_the_normal_distribution():
    """With central weights c the lead has mean Σ c δ and standard deviation σ √Σ c²."""
    draws, gaps, sigma = 40_000, np.array([0.5, -0.3]), 0.4
    means = np.zeros((draws, 2, 2))
    means[:, :, 0] = np.random.default_rng(9).normal(gaps, sigma, (draws, 2))
    central = np.array([[0.7, 0.3], [0.1, 0.9]])
    lead = scipy_stats.norm.cdf(central @ gaps / (sigma * np.sqrt((central**2).sum(axis=1))))
    expected = np.array([lead[0], 1 - lead[1]])
    error = 4 * np.sqrt(expected * (1 - expected) / draws)
    assert (np.abs(confidence_factor(means, central) - expected) < error).all()


def test_confidence_factors_leave_out_groups_that_did_not_rate_and_issues_that_are_never_first():
    means = np.array([[[5.0, 3.0, NAN], [NAN, 4.0, NAN]], [[3.0, 3.5, NAN], [NAN, 4.0, NAN]]])
    found = confidence_factor(means, np.array([[0.5, 0.5], [0.1, 0.9], [NAN, NAN]]))
    np.testing.assert_array_equal(found, [0.5, 0.5, NAN])


def test_fixed_means_that_all_groups_rated_are_first_at_their_central_weights():
    means = np.random.default_rng(10).uniform(1, 5, (4, 9))
    weights = drawn(np.ones(4), draws=2_000)
    central = central_weights(weights, highest(scores(means, weights)))
    chosen = np.isfinite(central).all(axis=1)
    assert 2 < chosen.sum() < 9
    np.testing.assert_array_equal(confidence_factor(means[None], central), np.where(chosen, 1, NAN))


def test_tiers_of_independent_axes_multiply_and_of_shared_weights_overlap():
    """Each issue scores a weight, which is uniform with two groups; thresholds ¼ and ½."""
    generator = np.random.default_rng(12)
    first, second = (weight_draws(np.ones(2), 10_000, generator) for _ in range(2))
    apart = tier_acceptability(first, second, (0.25, 0.5), midpoint=3.0)
    together = tier_acceptability(first, first, (0.25, 0.5), midpoint=3.0)
    error = 4 * math.sqrt(0.25 / 10_000)
    for found in (apart, together):
        np.testing.assert_allclose(found.above, [[3 / 4] * 2, [1 / 2] * 2], rtol=0, atol=5e-4)
        np.testing.assert_allclose(found.tier.sum(axis=1), 1, rtol=1e-12)
        np.testing.assert_allclose(found.either, 1 - found.tier[:, 2], rtol=1e-12)
        np.testing.assert_array_equal(found.both, found.tier[:, 0])
    np.testing.assert_allclose(apart.tier, [[3 / 8, 1 / 2, 1 / 8]] * 2, rtol=0, atol=error)
    np.testing.assert_allclose(together.tier, [[1 / 2, 1 / 4, 1 / 4]] * 2, rtol=0, atol=5e-4)


def slow_threshold(rule, values):
    match rule:
        case ThresholdRule.MEAN:
            return sum(values) / len(values)
        case ThresholdRule.MEDIAN:
            return np.median(values)
        case ThresholdRule.MIDPOINT:
            return 3.0
        case ThresholdRule.LARGEST_GAP:
            low, high = max(pairwise(sorted(values)), key=lambda pair: pair[1] - pair[0])
            return (low + high) / 2
    return rule


@pytest.mark.parametrize("rule", [*ThresholdRule, 3.2])
def test_thresholds_are_set_anew_in_each_draw_among_the_issues_with_a_score(rule):
    generator = np.random.default_rng(13)
    x, y = generator.uniform(2, 4, (2, 80, 6))
    x[:, 0] = y[:, 0] = y[:, 1] = NAN
    found = tier_acceptability(x, y, (rule, ThresholdRule.MIDPOINT), midpoint=3.0)
    above_x = np.array([row > slow_threshold(rule, row[1:]) for row in x])
    np.testing.assert_allclose(found.above[0], [NAN, *above_x[:, 1:].mean(axis=0)], rtol=1e-12)
    np.testing.assert_allclose(found.above[1], [NAN, NAN, *(y[:, 2:] > 3).mean(axis=0)], rtol=1e-12)
    above = above_x[:, 2:].astype(int) + (y[:, 2:] > 3)
    expected = np.array([[(above[:, j] == count).mean() for count in (2, 1, 0)] for j in range(4)])
    np.testing.assert_allclose(found.tier, [[NAN] * 3, [NAN] * 3, *expected], rtol=1e-12)
    np.testing.assert_allclose(found.either, [NAN, NAN, *(above > 0).mean(axis=0)], rtol=1e-12)


@pytest.mark.parametrize("count", [1, 3, 5])
def test_lying_above_the_top_so_many_is_having_one_of_their_ranks(count):
    x, y = np.random.default_rng(14).normal(size=(2, 400, 6))
    found = tier_acceptability(x, y, (Top(count), Top(count)), midpoint=3.0)
    for axis, values in enumerate((x, y)):
        np.testing.assert_allclose(found.above[axis], rank_acceptability(values)[:, :count].sum(axis=1), atol=1e-12)


@pytest.mark.parametrize("rule", [ThresholdRule.MEAN, ThresholdRule.MEDIAN, ThresholdRule.LARGEST_GAP, 3.0])
@pytest.mark.parametrize("issues", [1, 4])
def test_scores_that_equal_their_threshold_do_not_lie_above_it(rule, issues):
    equal = np.full((20, issues), 3.0) + np.random.default_rng(15).uniform(0, 1e-12, (20, issues))
    found = tier_acceptability(equal, equal, (rule, rule), midpoint=3.0)
    assert found.above.tolist() == [[0] * issues] * 2
    assert found.tier.tolist() == [[0, 0, 1]] * issues


def test_an_axis_without_any_score_has_no_tiers():
    x, y = np.full((5, 2), NAN), np.full((5, 2), 4.0)
    found = tier_acceptability(x, y, (ThresholdRule.LARGEST_GAP, 3.0), midpoint=3.0)
    np.testing.assert_array_equal(found.above, [[NAN, NAN], [1, 1]])
    assert np.isnan(found.tier).all() and np.isnan(found.both).all() and np.isnan(found.either).all()


def test_the_same_generator_gives_the_same_draws():
    np.testing.assert_array_equal(drawn([1, 2, 3], seed=5, variation=0.4), drawn([1, 2, 3], seed=5, variation=0.4))
    assert (drawn([1, 2, 3], seed=5) != drawn([1, 2, 3], seed=6)).any()
