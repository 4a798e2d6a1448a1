"""Rates equal counts of rows, and bounds and movable tiers equal the extremes over every completion of small data."""

from __future__ import annotations

import itertools
import math
import statistics

import numpy as np
import pandas as pd
import pytest
from conftest import block

from materiality.estimates import score_weights, summarise
from materiality.moments import moments_of
from materiality.nonresponse import bounds, movable_tiers, rates
from materiality.responses import Kind
from materiality.study import ThresholdRule, Top
from materiality.weights import Weights

NAN = math.nan
RULES = [ThresholdRule.MEAN, ThresholdRule.MEDIAN, ThresholdRule.MIDPOINT, ThresholdRule.LARGEST_GAP, Top(2), 2.25]


def raked(moments, factors):
    """Weights that multiply the cells of each group by what is given for their category."""
    table = np.array([[factors[cell.classes[0]] for cell in moments.cells]]).T * moments.members()
    return Weights(table, (None,) * moments.groups, pd.DataFrame())


def survey(seed, *, rows=7, questions=3, groups=2, missing=0.4):
    """Simulated answers on 1 to 3 in overlapping groups with unequal weights, and what else they are made of."""
    generator = np.random.default_rng(seed)
    ratings = generator.integers(1, 4, (rows, questions)).astype(float)
    gone = generator.random(ratings.shape) < missing
    ratings[gone] = NAN
    kinds = np.where(gone, generator.integers(1, len(Kind), ratings.shape), Kind.RATING)
    members = generator.random((rows, groups)) < 0.5
    members[:, 0] |= ~members.any(axis=1)
    category = generator.integers(0, 2, rows)
    weight = generator.uniform(0.5, 2, rows)
    answers = block(ratings, members, kinds=kinds, weight=weight, categories=category[:, None])
    moments = moments_of(answers, midpoint=2.0)
    factors = (0.7, 1.6)
    sample = summarise(moments, raked(moments, factors))
    return answers, weight * np.array(factors)[category], sample


def score(ratings, members, weights, omega):
    """One question's score from the rows; NaN where nobody rated it."""
    top = bottom = 0.0
    for group, share in zip(members.T, omega, strict=True):
        pairs = [(w, y) for w, y in zip(weights[group], ratings[group], strict=True) if not math.isnan(y)]
        if pairs and share:
            top += share * sum(w * y for w, y in pairs) / sum(w for w, _ in pairs)
            bottom += share
    return top / bottom if bottom else NAN


def completions(column, points):
    """The column with every assignment of points of the scale to its missing answers."""
    gone = np.flatnonzero(np.isnan(column))
    for given in itertools.product(points, repeat=len(gone)):
        filled = column.copy()
        filled[gone] = given
        yield filled


@pytest.mark.parametrize("seed", range(3))
def test_rates_count_rows_and_add_up_weights(seed):
    answers, weights, sample = survey(seed, rows=30)
    found = rates(sample)
    for g, member in enumerate(answers.members.T):
        for j in range(answers.ratings.shape[1]):
            kinds = [int(kind) for kind in answers.kinds[member, j]]
            for kind in Kind:
                assert found.shares[g, j, kind] == pytest.approx(kinds.count(kind) / len(kinds), rel=1e-12)
            gone = sum(w for w, kind in zip(weights[member], kinds, strict=True) if kind != Kind.RATING)
            assert found.missing[g, j] == pytest.approx(gone / sum(weights[member]), rel=1e-9)


def test_shares_of_a_question_add_up_to_one():
    np.testing.assert_allclose(rates(survey(5)[2]).shares.sum(axis=2), 1.0, rtol=1e-12)


@pytest.mark.parametrize("seed", range(6))
def test_nothing_and_everything_missing_are_exact_whatever_the_weights(seed):
    weight = np.random.default_rng(seed).uniform(0.1, 3, 101)
    answers = block([[1, NAN]] * 101, np.ones((101, 1)), weight=weight)
    assert rates(summarise(moments_of(answers, midpoint=2.0))).missing.tolist() == [[0.0, 1.0]]


def test_a_group_without_respondents_has_no_rates():
    sample = summarise(moments_of(block([[1, NAN]], [[True, False]]), midpoint=2.0))
    found = rates(sample)
    np.testing.assert_array_equal(found.missing, [[0, 1], [NAN, NAN]])
    assert np.isnan(found.shares[1]).all()


@pytest.mark.parametrize("rows", [0, 3])
def test_without_members_of_any_group_there_are_no_rates_and_no_bounds(rows):
    sample = summarise(moments_of(block(np.ones((rows, 2)), np.zeros((rows, 2), bool)), midpoint=2.0))
    assert np.isnan(rates(sample).missing).all()
    found = bounds(sample, np.arange(2), np.ones((2, 2)), low=1, high=3)
    assert np.isnan([found.low, found.high, found.missing]).all()


@pytest.mark.parametrize("seed", range(8))
def test_bounds_are_the_extremes_over_every_completion(seed):
    answers, weights, sample = survey(seed)
    omega = np.array([[1.0, 1.0], [3.0, 1.0], [0.0, 2.0]])
    found = bounds(sample, np.arange(3), omega, low=1, high=3)
    for j, column in enumerate(answers.ratings.T):
        scores = [score(filled, answers.members, weights, omega[j]) for filled in completions(column, (1, 2, 3))]
        assert found.low[j] == pytest.approx(min(scores), abs=1e-12)
        assert found.high[j] == pytest.approx(max(scores), abs=1e-12)
        assert found.missing[j] == pytest.approx((max(scores) - min(scores)) / 2, abs=1e-12)


@pytest.mark.parametrize("seed", range(30))
def test_the_score_of_the_ratings_there_are_lies_within_even_where_a_group_gave_none(seed):
    answers, weights, sample = survey(seed, rows=5, groups=3, missing=0.7)
    omega = np.ones((3, 3))
    found = bounds(sample, np.arange(3), omega, low=1, high=3)
    ours = (score_weights(sample, np.arange(3), omega) * np.nan_to_num(sample.means.T)).sum(axis=1)
    for j, column in enumerate(answers.ratings.T):
        available = score(column, answers.members, weights, omega[j])
        if math.isnan(available):
            assert (found.low[j], found.high[j]) == (1, 3)
        else:
            assert ours[j] == pytest.approx(available)
            assert found.low[j] - 1e-12 <= available <= found.high[j] + 1e-12


def test_a_group_with_respondents_but_no_rating_may_lie_anywhere_and_one_without_is_left_out():
    answers = block([[2.0], [2.0], [NAN]], [[True, False, False], [True, False, False], [False, True, False]])
    sample = summarise(moments_of(answers, midpoint=2.0))
    found = bounds(sample, np.array([0]), np.array([[1.0, 1.0, 8.0]]), low=1, high=3)
    assert (found.low.tolist(), found.high.tolist(), found.missing.tolist()) == ([1.5], [2.5], [0.5])


def test_bounds_of_complete_answers_are_the_score():
    answers, weights, sample = survey(4, missing=0.0)
    found = bounds(sample, np.arange(3), np.ones((3, 2)), low=1, high=3)
    expected = [score(column, answers.members, weights, (1, 1)) for column in answers.ratings.T]
    assert found.low == pytest.approx(expected, abs=1e-12)
    assert found.high.tolist() == found.low.tolist()


@pytest.mark.parametrize(
    ("group_weights", "low", "high", "message"),
    [
        pytest.param([1, -1], 1, 3, "group weights must be finite, and none of them negative", id="negative weight"),
        pytest.param([1, NAN], 1, 3, "group weights must be finite, and none of them negative", id="missing weight"),
        pytest.param([1, 1], 3, 1, "the ends of the scale must be finite and in order, got 3 and 1", id="ends swapped"),
        pytest.param(
            [1, 1], 1, math.inf, "the ends of the scale must be finite and in order, got 1 and inf", id="no end"
        ),
        pytest.param([1, 1], 2.5, 3, "there are means off the scale 2.5 to 3", id="off the scale"),
    ],
)
def test_what_cannot_bound_is_refused(group_weights, low, high, message):
    with pytest.raises(ValueError) as refused:
        bounds(survey(0)[2], np.array([0]), np.array([group_weights]), low=low, high=high)
    assert str(refused.value) == message


def above(rule, moving, others):
    """Whether a score lies above the threshold that it and the others set, by another route."""
    everybody = sorted([moving, *others])
    if rule == ThresholdRule.MEAN:
        cut = statistics.fmean(everybody)
    elif rule == ThresholdRule.MEDIAN:
        cut = statistics.median(everybody)
    elif rule == ThresholdRule.MIDPOINT:
        cut = 2.0
    elif rule == ThresholdRule.LARGEST_GAP:
        gaps = [b - a for a, b in itertools.pairwise(everybody)]
        first = next((k for k, gap in enumerate(gaps) if gap >= max(gaps) - 1e-9), 0)
        cut = statistics.fmean(everybody[first : first + 2])
    elif isinstance(rule, Top):
        cut = statistics.fmean(everybody[::-1][rule.count - 1 : rule.count + 1]) if len(everybody) > rule.count else -1
    else:
        cut = rule
    return moving > cut + 1e-9


def tiers_over(places, scores, rules):
    """For each issue, the tiers of every place (x, y) that it may take."""
    for i, own in enumerate(places):
        others = [[v for k, v in enumerate(axis) if k != i and not math.isnan(v)] for axis in scores]
        yield {3 - above(rules[0], x, others[0]) - above(rules[1], y, others[1]) for x, y in own}


def check(found, expected, present):
    for i, tiers in enumerate(expected):
        assert set(np.flatnonzero(found.reachable[i]) + 1) == tiers
        assert (found.best[i], found.worst[i]) == (min(tiers), max(tiers))
        assert found.tier[i] == present[i]
        assert found.movable[i] == (tiers != {present[i]})


@pytest.mark.parametrize("y_rule", RULES)
@pytest.mark.parametrize("x_rule", RULES)
def test_tiers_that_can_be_reached_equal_those_of_a_fine_grid(x_rule, y_rule):
    """With scores on eighths gaps change order at sixteenths at the finest, so that 32nds see every state, exactly."""
    generator = np.random.default_rng(RULES.index(x_rule) + 10 * RULES.index(y_rule))
    for issues in (1, 2, 3, 5, 8):
        scores = generator.integers(8, 25, (2, issues)) / 8
        low = np.maximum(scores - generator.integers(0, 8, scores.shape) / 8, 1.0)
        high = np.minimum(scores + generator.integers(0, 8, scores.shape) / 8, 3.0)
        grids = [
            [np.arange(a, b + 1 / 64, 1 / 32) for a, b in zip(*ends, strict=True)]
            for ends in zip(low, high, strict=True)
        ]
        places = [list(itertools.product(x.tolist(), y.tolist())) for x, y in zip(*grids, strict=True)]
        rules = (x_rule, y_rule)
        now = [tiers.pop() for tiers in tiers_over([[tuple(own)] for own in scores.T], scores.tolist(), rules)]
        found = movable_tiers(scores, low, high, rules, midpoint=2.0)
        check(found, list(tiers_over(places, scores.tolist(), rules)), now)


@pytest.mark.parametrize("rule", RULES)
def test_tiers_that_can_be_reached_equal_those_over_every_completion(rule):
    for seed in range(6):
        answers, weights, sample = survey(seed, questions=6, missing=0.3)
        omega = np.ones((6, 2))
        limits = bounds(sample, np.arange(6), omega, low=1, high=3)
        columns = answers.ratings.T
        scores = np.array([score(column, answers.members, weights, (1, 1)) for column in columns]).reshape(2, 3)
        own = [[score(f, answers.members, weights, (1, 1)) for f in completions(c, (1, 2, 3))] for c in columns]
        places = [list(itertools.product(own[i], own[3 + i])) for i in range(3)]
        rules = (rule, rule)
        now = [tiers.pop() for tiers in tiers_over([[tuple(pair)] for pair in scores.T], scores.tolist(), rules)]
        low, high = limits.low.reshape(2, 3), limits.high.reshape(2, 3)
        found = movable_tiers(scores, low, high, rules, midpoint=2.0)
        check(found, list(tiers_over(places, scores.tolist(), rules)), now)


def test_a_score_that_rises_past_others_never_falls_below_the_largest_gap():
    """The threshold may jump up by more than the score rises, but never over it."""
    others = [1.0, 1.5, 3.0, 3.25, 5.0]
    states = [above(ThresholdRule.LARGEST_GAP, x, others) for x in np.arange(1, 5 + 1 / 128, 1 / 64)]
    assert states == sorted(states)
    assert set(states) == {False, True}


def test_bounds_that_are_the_score_but_for_rounding_leave_equal_gaps_alone():
    scores = np.array([[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]])
    slip = np.array([[0.0, 1e-15, 0.0], [0.0, -1e-15, 0.0]])
    for low, high in ((scores - abs(slip), scores), (scores, scores + abs(slip)), (scores + slip, scores + slip)):
        found = movable_tiers(scores, low, high, (ThresholdRule.LARGEST_GAP,) * 2, midpoint=2.0)
        assert found.tier.tolist() == [3, 1, 1]
        assert not found.movable.any()


def test_an_issue_without_a_score_may_get_a_tier_and_one_without_bounds_cannot():
    scores = [[3.0, NAN, NAN], [3.0, 3.0, NAN]]
    found = movable_tiers(scores, [[3, 1, NAN], [3, 3, NAN]], [[3, 5, NAN], [3, 3, NAN]], (2.0, 2.0), midpoint=3.0)
    np.testing.assert_array_equal(found.tier, [1, NAN, NAN])
    assert found.reachable.tolist() == [[True, False, False], [True, True, False], [False] * 3]
    np.testing.assert_array_equal([found.best, found.worst], [[1, 1, NAN], [1, 2, NAN]])
    assert found.movable.tolist() == [False, True, False]


def test_no_issues_have_no_tiers():
    assert movable_tiers(*np.zeros((3, 2, 0)), (2.0, 2.0), midpoint=3.0).reachable.shape == (0, 3)


SHAPES = "scores and bounds need the shape (2, issues), got (1, 2), (1, 2), (1, 2)"
OUTSIDE = "a score lies outside its bounds, or bounds are missing or out of order"


@pytest.mark.parametrize(
    ("scores", "low", "high", "message"),
    [
        pytest.param([[1, 2]], [[1, 2]], [[1, 2]], SHAPES, id="one axis"),
        pytest.param([[1], [2]], [[1.5], [2]], [[2], [2]], OUTSIDE, id="score below its bounds"),
        pytest.param([[1], [2]], [[1], [2]], [[1], [1.5]], OUTSIDE, id="score above its bounds"),
        pytest.param([[1], [2]], [[NAN], [2]], [[1], [2]], OUTSIDE, id="score without a bound"),
        pytest.param([[NAN], [2]], [[1], [2]], [[NAN], [2]], OUTSIDE, id="one bound alone"),
        pytest.param([[NAN], [2]], [[3], [2]], [[1], [2]], OUTSIDE, id="bounds swapped"),
    ],
)
def test_bounds_that_are_none_are_refused(scores, low, high, message):
    with pytest.raises(ValueError) as refused:
        movable_tiers(scores, low, high, (2.0, 2.0), midpoint=3.0)
    assert str(refused.value) == message


def test_the_inputs_are_left_as_they_were():
    arrays = [
        np.array([[2.0, NAN], [2.0, 1.0]]),
        np.array([[1.0, 1.0], [2.0, 1.0]]),
        np.array([[3.0, 3.0], [2.0, 1.0]]),
    ]
    before = [array.copy() for array in arrays]
    movable_tiers(*arrays, (ThresholdRule.MEAN, 2.0), midpoint=2.0)
    for array, old in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(array, old)
