"""Thresholds equal plain Python, and confidences equal exact probabilities of the normal and of Student's t."""

from __future__ import annotations

import math
import statistics
from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from materiality.study import MaterialRule, ThresholdRule, Top
from materiality.tiers import place, share_of_truth, shrunk, threshold

NAN = math.nan
DRAWS = 40_000
SCORES = st.lists(st.integers(100, 500).map(lambda cents: cents / 100), min_size=1, max_size=12)


def placed(
    x, y, *, spread=1e-12, rules=(3.0, 3.0), rule=MaterialRule.EITHER, confidence=0.95, df=None, seed=1, draws=2_000
):
    values = np.array([x, y], float)
    covariance = np.asarray(spread, float)
    if covariance.ndim < 2:
        covariance = covariance * np.eye(values.size)
    return place(
        values,
        covariance,
        rules,
        material_rule=rule,
        midpoint=3.0,
        generator=np.random.default_rng(seed),
        confidence=confidence,
        df=None if df is None else np.broadcast_to(np.asarray(df, float), values.shape),
        draws=draws,
    )


def near(probability, draws=DRAWS):
    """A probability to within four standard errors of a count over the draws."""
    return pytest.approx(probability, abs=4 * math.sqrt(0.25 / draws))


def widest_gap(scores):
    ordered = sorted(scores)
    gaps = [high - low for low, high in pairwise(ordered)]
    if not gaps:
        return ordered[0]
    k = next(k for k, gap in enumerate(gaps) if gap >= max(gaps) - 1e-9)
    return (ordered[k] + ordered[k + 1]) / 2


def below_the_top(count):
    def plain(scores):
        ordered = sorted(scores, reverse=True)
        return (ordered[count - 1] + ordered[count]) / 2 if count < len(ordered) else ordered[-1] - 2e-9

    return plain


def truth_of(scores, covariance):
    """`share_of_truth` by another route: from the differences of all pairs, whose half mean square is the variance."""
    pairs = list(combinations(range(len(scores)), 2))
    total = statistics.fmean((scores[i] - scores[j]) ** 2 / 2 for i, j in pairs)
    error = statistics.fmean((covariance[i, i] + covariance[j, j] - 2 * covariance[i, j]) / 2 for i, j in pairs)
    return 1 - (len(scores) - 3) / (len(scores) - 1) * min(1.0, error / total)


PLAIN = [
    pytest.param(ThresholdRule.MEAN, statistics.fmean, id="mean"),
    pytest.param(ThresholdRule.MEDIAN, statistics.median, id="median"),
    pytest.param(ThresholdRule.LARGEST_GAP, widest_gap, id="largest gap"),
    pytest.param(Top(2), below_the_top(2), id="top 2"),
]


@pytest.mark.parametrize(
    ("rule", "plain"),
    [
        *PLAIN,
        pytest.param(ThresholdRule.MIDPOINT, lambda _: 2.5, id="midpoint"),
        pytest.param(4.25, lambda _: 4.25, id="a number"),
    ],
)
@given(sets=st.lists(SCORES, min_size=1, max_size=3))
def test_thresholds_equal_plain_python(rule, plain, sets):
    for scores in sets:
        assert threshold(rule, np.array(scores), 2.5) == pytest.approx(plain(scores), abs=1e-12)
    shortest = min(map(len, sets))
    several = np.array([scores[:shortest] for scores in sets])
    np.testing.assert_allclose(threshold(rule, several, 2.5), [plain(row) for row in several.tolist()], atol=1e-12)


@pytest.mark.parametrize("rule", [ThresholdRule.MEAN, ThresholdRule.MEDIAN, ThresholdRule.LARGEST_GAP, Top(2), Top(5)])
def test_scores_that_are_missing_move_no_threshold(rule):
    assert threshold(rule, np.array([4.0, NAN, 2.0, 1.5]), 3.0) == threshold(rule, np.array([4.0, 2.0, 1.5]), 3.0)


@pytest.mark.parametrize(
    ("x", "y", "tier", "either", "both"),
    [
        pytest.param(4, 4, 1, 1, 1, id="above both"),
        pytest.param(4, 2, 2, 1, 0, id="above x alone"),
        pytest.param(2, 4, 2, 1, 0, id="above y alone"),
        pytest.param(2, 2, 3, 0, 0, id="above none"),
        pytest.param(3, 4, 2, 1, 0, id="equal to a threshold is not above it"),
        pytest.param(3, 3, 3, 0, 0, id="equal to both"),
        pytest.param(1 / 3 * 1.0 + 2 / 3 * 4.0, 0.2 * 1.0 + 0.8 * 3.5, 3, 0, 0, id="equal but for rounding"),
    ],
)
def test_tier_and_materiality_of_an_issue(x, y, tier, either, both):
    found = [placed([x, 1], [y, 1], rule=rule) for rule in (MaterialRule.EITHER, MaterialRule.BOTH)]
    assert [result.tier[0] for result in found] == [tier, tier]
    assert [result.material[0] for result in found] == [either, both]


@pytest.mark.parametrize("correlation", [0.0, 0.7, -0.9])
def test_confidence_under_fixed_thresholds_equals_the_bivariate_normal(correlation):
    x, y, sx, sy = 3.1, 3.2, 0.3, 0.4
    covariance = np.array([[sx**2, correlation * sx * sy], [correlation * sx * sy, sy**2]])
    below = scipy_stats.multivariate_normal([x, y], covariance)
    neither = below.cdf([3, 3])
    lower_x, lower_y = scipy_stats.norm.cdf(3, x, sx), scipy_stats.norm.cdf(3, y, sy)
    both = 1 - lower_x - lower_y + neither
    found = placed([x], [y], spread=covariance, draws=DRAWS)
    assert found.tier[0] == 1
    assert found.tier_confidence[0] == near(both)
    assert found.p_material[0] == near(1 - neither)
    assert placed([x], [y], spread=covariance, rule=MaterialRule.BOTH, draws=DRAWS).p_material[0] == near(both)


@pytest.mark.parametrize(
    ("x", "y", "tier"), [pytest.param(3.2, 2.9, 2, id="tier 2"), pytest.param(2.8, 2.7, 3, id="tier 3")]
)
def test_confidence_of_the_lower_tiers_is_the_chance_of_exactly_that_tier(x, y, tier):
    above_x, above_y = scipy_stats.norm.sf(3, [x, y], 0.2)
    chance = {2: above_x * (1 - above_y) + above_y * (1 - above_x), 3: (1 - above_x) * (1 - above_y)}[tier]
    found = placed([x], [y], spread=0.04, draws=DRAWS)
    assert (found.tier[0], found.tier_confidence[0]) == (tier, near(chance))


@pytest.mark.parametrize("df", [1, 2, 5.5])
@pytest.mark.parametrize("exact", [0.0, 1e-12], ids=["the other axis is known", "the other axis is hardly in doubt"])
def test_confidence_of_a_small_groups_issue_equals_students_t(df, exact):
    """One group of df + 1 respondents; at three of them the normal distribution would say 0.933 rather than 0.864."""
    chance = scipy_stats.t.sf(3, df, 3.3, 0.2)
    found = placed([3.3], [5.0], spread=np.diag([0.04, exact]), df=[[df], [NAN]], draws=DRAWS)
    assert (found.tier[0], found.tier_confidence[0]) == (1, near(chance))
    lower = placed([2.7], [1.0], spread=np.diag([0.04, exact]), df=[[df], [NAN]], draws=DRAWS)
    assert (lower.tier[0], lower.tier_confidence[0], lower.p_material[0]) == (3, near(chance), near(1 - chance))


@pytest.mark.parametrize("correlation", [0.0, 0.7])
def test_confidence_of_one_small_group_on_both_axes_equals_the_bivariate_t(correlation):
    x, y, sx, sy = 3.2, 3.3, 0.3, 0.2
    covariance = np.array([[sx**2, correlation * sx * sy], [correlation * sx * sy, sy**2]])
    both = scipy_stats.multivariate_t([-x, -y], covariance, 2, seed=1).cdf([-3, -3])
    neither = scipy_stats.multivariate_t([x, y], covariance, 2, seed=1).cdf([3, 3])
    found = placed([x], [y], spread=covariance, df=2, draws=DRAWS)
    assert (found.tier_confidence[0], found.p_material[0]) == (near(both), near(1 - neither))


def test_each_axis_has_its_own_degrees_of_freedom():
    found = placed([3.3, 5.0], [5.0, 3.3], spread=np.diag([0.04, 0, 0, 0.04]), df=[[2, NAN], [NAN, 30]], draws=DRAWS)
    assert found.tier_confidence.tolist() == [near(scipy_stats.t.sf(-1.5, df)) for df in (2, 30)]


@pytest.mark.parametrize("df", [np.inf, 4])
def test_confidence_under_the_mean_as_threshold_moves_the_threshold_with_every_draw(df):
    """A score less the mean of all scores is normal, or t: its chance to lie above 0 has a closed form.

    With a share b of the variance that is no error, b times the distance has √b times the error.
    """
    generator = np.random.default_rng(3)
    scores = np.array([3.0, 3.3, 3.9, 3.5])
    scatter = generator.normal(size=(4, 4))
    covariance = scatter @ scatter.T * 0.02
    contrast = np.eye(4) - 0.25
    z = contrast @ scores / np.sqrt(np.diag(contrast @ covariance @ contrast.T))
    above = scipy_stats.t.cdf(math.sqrt(truth_of(scores, covariance)) * z, df)
    spread = np.zeros((8, 8))
    spread[:4, :4] = covariance
    rules = (ThresholdRule.MEAN, 3.0)
    found = placed(scores, [5.0] * 4, spread=spread, rules=rules, df=df, draws=DRAWS)
    for k in range(4):
        assert found.tier_confidence[k] == near(above[k] if found.tier[k] == 1 else 1 - above[k])


def test_tier_one_as_a_whole_is_as_sure_as_independent_issues_make_it():
    x, sd = np.array([3.4, 3.3, 2.9]), 0.2
    above = scipy_stats.norm.sf(3, x, sd)
    found = placed(x, [5.0] * 3, spread=np.diag([sd**2] * 3 + [1e-12] * 3), draws=DRAWS)
    assert found.tier.tolist() == [1, 1, 2]
    assert found.all_stay == near(above[0] * above[1])
    assert found.same_set == near(above[0] * above[1] * (1 - above[2]))


def test_how_surely_tier_one_stays_on_top_equals_the_normal_difference():
    found = placed([3.4, 2.8], [5.0, 1.0], spread=np.diag([0.25, 0.16, 1e-12, 1e-12]), draws=DRAWS)
    assert found.tier.tolist() == [1, 3]
    assert found.top.tolist() == [near(scipy_stats.norm.cdf(0.6 / math.sqrt(0.41))), 1.0]


@pytest.mark.parametrize("rule", [ThresholdRule.MEAN, ThresholdRule.MEDIAN, ThresholdRule.LARGEST_GAP, 3.8])
@pytest.mark.parametrize("issues", [1, 3, 10, 25])
def test_issues_that_all_have_the_same_score_are_all_above_none(rule, issues):
    """The mean of equal numbers may come out one rounding below them, as it does of three times 3.8."""
    assert np.mean([3.8] * 3) < 3.8
    found = placed([3.8] * issues, [3.8] * issues, rules=(rule, rule), spread=0.0)
    assert found.tier.tolist() == [3] * issues
    assert found.tier_confidence.tolist() == [1] * issues
    assert math.isnan(found.all_stay)
    assert math.isnan(found.same_set)


@pytest.mark.parametrize("rule", [ThresholdRule.MEAN, ThresholdRule.MEDIAN, ThresholdRule.LARGEST_GAP])
def test_issues_that_everybody_answers_alike_never_part_in_any_draw(rule):
    together = np.kron(np.array([[0.09, 0.03], [0.03, 0.04]]), np.ones((3, 3)))
    found = placed([3.9] * 3, [3.8] * 3, spread=together, rules=(rule, rule))
    assert found.tier_confidence.tolist() == [1, 1, 1]


def test_one_issue_under_a_fixed_threshold_has_its_own_confidence():
    found = placed([3.2], [9.0], spread=np.diag([0.04, 1e-12]), draws=DRAWS)
    assert (found.tier[0], found.tier_confidence[0]) == (1, near(scipy_stats.norm.cdf(1)))
    assert found.top.tolist() == [1, 1]


@pytest.mark.parametrize("rule", list(ThresholdRule))
def test_issues_without_any_score_have_no_tier_and_no_threshold(rule):
    found = placed([NAN, NAN], [NAN, NAN], rules=(rule, rule), spread=np.full((4, 4), NAN), df=NAN)
    for field in (found.tier, found.tier_confidence, found.material, found.p_material, found.thresholds, found.top):
        assert np.isnan(field).all()
    assert math.isnan(found.all_stay) and math.isnan(found.same_set)


@pytest.mark.parametrize("rule", list(ThresholdRule))
def test_an_axis_with_one_score_has_a_threshold_but_no_issue_a_tier(rule):
    found = placed([NAN, NAN], [3.0, NAN], rules=(rule, rule), spread=np.diag([NAN, NAN, 0.01, NAN]))
    assert math.isnan(found.thresholds[0])
    assert found.thresholds[1] == pytest.approx(3.0)
    for field in (found.tier, found.tier_confidence, found.material, found.p_material):
        assert np.isnan(field).all()


@pytest.mark.parametrize(
    ("rule", "plain"), [*PLAIN, pytest.param(ThresholdRule.MIDPOINT, lambda _: 3.0, id="midpoint")]
)
@pytest.mark.parametrize("lost", [0, 1])
def test_an_issue_scored_on_one_axis_alone_counts_in_that_axis_threshold_and_has_no_tier(rule, plain, lost):
    values = np.array([[4.1, 6.5, 2.9, 2.0], [3.9, 6.5, 2.0, 4.3]])
    values[lost, 1] = NAN
    spread = 1e-8 * np.eye(8)
    spread[4 * lost + 1, :] = spread[:, 4 * lost + 1] = NAN
    found = placed(values[0], values[1], rules=(rule, rule), spread=spread, df=5)
    thresholds = [plain([score for score in axis if not math.isnan(score)]) for axis in values.tolist()]
    assert found.thresholds.tolist() == pytest.approx(thresholds)
    for k in (0, 2, 3):
        exceeded = sum(score > bound for score, bound in zip(values[:, k], thresholds, strict=True))
        assert (found.tier[k], found.material[k]) == (3 - exceeded, exceeded > 0)
        assert found.tier_confidence[k] == 1
    for name in ("tier", "tier_confidence", "material", "p_material"):
        assert np.isnan(getattr(found, name)[1])


def test_an_issue_scored_on_one_axis_alone_moves_that_axis_threshold_in_every_draw():
    """Two of three issues have a tier; the mean is of all three, whose chances to lie above it have a closed form."""
    scores, variances = np.array([3.6, 3.0, 3.3]), np.array([0.04, 0.25, 0.09])
    contrast = np.eye(3) - 1 / 3
    above = scipy_stats.norm.cdf(contrast @ scores / np.sqrt(contrast**2 @ variances))
    spread = np.diag([*variances, 0.0, NAN, 0.0])
    found = placed(scores, [5.0, NAN, 5.0], spread=spread, rules=(ThresholdRule.MEAN, 3.0), draws=DRAWS)
    assert found.thresholds[0] == pytest.approx(3.3)
    assert found.tier[[0, 2]].tolist() == [1, 2]
    assert found.tier_confidence[[0, 2]].tolist() == [near(above[0]), near(1 - above[2])]


def test_the_same_generator_gives_the_same_confidence():
    results = [placed([3.1, 2.9], [3.0, 3.2], spread=0.05, seed=seed) for seed in (7, 7, 8)]
    np.testing.assert_array_equal(results[0].tier_confidence, results[1].tier_confidence)
    assert (results[0].tier_confidence != results[2].tier_confidence).any()


def zones(found):
    return [zone and zone.value for zone in found.zone]


def test_zones_follow_from_simultaneous_bands_of_independent_scores():
    """Six independent distances: the largest of six |z| has the distribution (2 Φ(c) − 1)⁶."""
    reach = scipy_stats.norm.ppf((1 + 0.9 ** (1 / 6)) / 2)
    off = np.array([reach + 0.1, reach - 0.1, -reach - 0.1])
    for rule, expected in (
        (MaterialRule.EITHER, ["material", "borderline", "not material"]),
        (MaterialRule.BOTH, ["borderline", "not material", "not material"]),
    ):
        found = placed(3 + off, [3.0, 3 - reach - 0.1, 3 - reach - 0.1], spread=np.eye(6), rule=rule, confidence=0.9)
        assert zones(found) == expected
        assert list(zip(found.best, found.worst, strict=True)) == [(1, 2), (2, 3), (3, 3)]


@pytest.mark.parametrize("rule", [*ThresholdRule, Top(1), 3.0])
def test_what_was_measured_without_error_is_never_borderline(rule):
    found = placed([4.2, 2.0], [2.1, 4.0], rules=(rule, rule), spread=0.0)
    assert zones(found) == ["material", "material"]
    assert found.best.tolist() == found.worst.tolist() == found.tier.tolist()


def test_an_issue_without_a_score_has_no_zone():
    found = placed([4.2, NAN], [4.0, 4.0], spread=np.diag([0.01, NAN, 0.01, 0.01]))
    assert zones(found) == ["material", None]
    assert math.isnan(found.best[1]) and math.isnan(found.worst[1])


def test_equal_scores_under_a_threshold_of_their_own_are_surely_not_above_it():
    assert zones(placed([3.0, 3.0], [3.0, 3.0], rules=(ThresholdRule.MEAN,) * 2, spread=0.0)) == ["not material"] * 2


@pytest.mark.parametrize("correlation", [0.0, 0.8])
def test_the_bands_hold_all_true_sides_at_once_as_often_as_they_say(correlation):
    """Simulated scores around known truths; a band misses where it excludes the side on which the truth lies."""
    generator = np.random.default_rng(5)
    truth = np.linspace(2.7, 3.3, 8)
    spread = 0.2**2 * (np.full((8, 8), correlation) + (1 - correlation) * np.eye(8))
    wrong = 0
    for _ in range(400):
        seen = generator.multivariate_normal(truth, spread)
        found = placed(
            seen[:4], seen[4:], spread=spread, rules=(ThresholdRule.MEAN, 3.0), confidence=0.9, draws=500, seed=1
        )
        above = (truth[:4] > truth[:4].mean()).astype(int) + (truth[4:] > 3.0)
        wrong += bool(((3 - above < found.best) | (3 - above > found.worst)).any())
    assert wrong <= 40 + 3 * math.sqrt(36)


def test_the_chance_to_lie_above_each_threshold_is_the_normal_one():
    found = placed([3.1, 2.8], [3.3, 3.0], spread=np.diag([0.04, 0.01, 0.09, 0.25]), draws=DRAWS)
    expected = scipy_stats.norm.cdf([[0.5, -2.0], [1.0, 0.0]])
    for shares, chances in zip(found.p_above.tolist(), expected.tolist(), strict=True):
        assert shares == [near(chance) for chance in chances]


@given(st.integers(4, 9), st.integers(0, 10_000))
def test_the_share_of_truth_equals_that_of_the_differences_between_pairs(k, seed):
    generator = np.random.default_rng(seed)
    scatter = generator.normal(size=(k, k))
    scores, covariance = generator.normal(size=k), scatter @ scatter.T * generator.uniform(0.01, 1)
    assert share_of_truth(scores, covariance) == pytest.approx(truth_of(scores, covariance), rel=1e-9)


def test_up_to_three_scores_and_scores_without_error_are_left_as_they_are():
    scores = np.array([1.0, 2.0, 4.0, 5.0])
    assert share_of_truth(scores, np.zeros((4, 4))) == 1
    assert share_of_truth(scores[:3], np.eye(3)) == 1
    drawn = scores + np.random.default_rng(1).normal(size=(50, 4))
    np.testing.assert_allclose(shrunk(scores, drawn, 1.0), drawn, atol=1e-12)


def test_equal_scores_with_error_keep_the_share_that_few_of_them_leave_open():
    assert share_of_truth(np.full(9, 3.0), 0.04 * np.eye(9)) == pytest.approx(1 - 6 / 8)
    assert share_of_truth(np.full(9, 3.0), np.zeros((9, 9))) == 1


def test_draws_of_the_truth_follow_the_posterior_of_normal_scores():
    """Many simulated scores: truth N(4, τ²), error N(0, s²). Given a score its truth has the mean 4 + b (score − 4) and
    the variance b s², b = τ² / (τ² + s²)."""
    generator = np.random.default_rng(4)
    k, tau, s = 400, 0.2, 0.15
    scores = 4 + generator.normal(0, math.hypot(tau, s), k)
    b = tau**2 / (tau**2 + s**2)
    kept = share_of_truth(scores, s**2 * np.eye(k))
    assert kept == pytest.approx(b, abs=0.06)
    drawn = shrunk(scores, scores + generator.normal(0, s, (4000, k)), kept)
    np.testing.assert_allclose(drawn.mean(axis=0), scores.mean() + kept * (scores - scores.mean()), atol=0.01)
    np.testing.assert_allclose(drawn.std(axis=0), math.sqrt(kept) * s, rtol=0.07)


@pytest.mark.parametrize(("spread", "error"), [(0.4, 0.07), (0.1, 0.1), (0.06, 0.1)])
def test_of_the_placements_that_are_nine_tenths_sure_nine_tenths_are_right(spread, error):
    """Simulated scores, 300 sets of 25 on each axis; `benchmarks/calibration.py` does it with whole studies."""
    generator = np.random.default_rng(11)
    stated, right = [], []
    for _ in range(300):
        truth = generator.normal(0, spread, (2, 25))
        seen = truth + generator.normal(0, error, (2, 25))
        found = placed(*seen, spread=error**2, rules=(ThresholdRule.MEAN,) * 2, draws=400)
        true_tier = 3 - (truth > truth.mean(axis=1, keepdims=True)).sum(axis=0)
        sure = (found.tier_confidence > 0.85) & (found.tier_confidence < 0.95)
        stated.append(found.tier_confidence[sure])
        right.append((found.tier == true_tier)[sure])
    by_set = np.array([(r - s).sum() for r, s in zip(right, stated, strict=True)])
    n = sum(map(len, right))
    assert n > 30
    assert abs(by_set.sum()) / n < 0.02 + 3 * math.sqrt((by_set**2).sum()) / n
