"""Utilities from rankings and best–worst choices equal R's, closed forms, and exact enumerations."""

from __future__ import annotations

import csv
import math
import re
from itertools import combinations, permutations

import numpy as np
import pytest
from conftest import shared
from hypothesis import given, settings
from hypothesis import strategies as st

from materiality.choice import SeparationError, best_worst_scores, maxdiff, plackett_luce, shares

NAN = math.nan
R_TOLERANCE = 1e-8
"""Of the largest. coxph stops once its log-likelihood changes by less than 1e-9 of itself, which leaves its
coefficients up to 6e-9 from the maximum; clogit's, after a step more, are at it."""
TRUTH = np.array([0.0, 0.7, -1.1, 0.4])
CITATIONS = np.array([[714, 730, 498, 221], [33, 425, 68, 17], [320, 813, 1072, 142], [284, 276, 325, 188]])
"""How often Biometrika, Comm. Statist., JASA and JRSS-B (rows) were cited by each (columns) in 1987 and 1988 (Stigler
1994, Citation patterns in the journals of statistics and probability, Statistical Science 9(1))."""

unhurried = settings(deadline=None, max_examples=50)
"""The first example waits for an import."""


def rows_of(name):
    with shared("reference", "data", name).open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))[1:]


@pytest.fixture(scope="module")
def rankings():
    """Simulated full rankings of ten items, and weights."""
    table = np.array(rows_of("rankings_synth.csv"), float)
    return table[:, 2:], table[:, 1]


@pytest.fixture(scope="module")
def tasks():
    """Simulated best–worst answers: sets, best, worst, respondents."""
    rows = rows_of("maxdiff_synth.csv")

    def number(item):
        return int(item.removeprefix("i")) - 1

    sets = [[number(item) for item in row[2].split("|")] for row in rows]
    best, worst = ([number(row[at]) for row in rows] for at in (3, 4))
    return np.array(sets), np.array(best), np.array(worst), np.array([int(row[0]) for row in rows])


def assert_close(found, expected, tolerance):
    """Within the tolerance of the largest."""
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * np.abs(expected).max())


def assert_equals_r(found, expected, *, covariance="vcov_model", tolerance=R_TOLERANCE):
    assert found.converged
    assert found.utilities[0] == 0
    assert not found.covariance[0].any()
    assert not found.robust_covariance[0].any()
    assert_close(found.utilities[1:], np.array(expected["coef"]), tolerance)
    assert_close(found.covariance[1:, 1:], np.array(expected[covariance]), tolerance)
    assert_close(found.robust_covariance[1:, 1:], np.array(expected["vcov_robust_by_resp"]), tolerance)


def test_full_rankings_equal_r(golden, rankings):
    expected = golden("choice_ahp.json")["plackett_luce_full"]
    found = plackett_luce(rankings[0])
    assert_equals_r(found, expected)
    assert found.log_likelihood == pytest.approx(expected["loglik"], rel=1e-12)


def test_the_four_best_of_ten_equal_r(golden, rankings):
    expected = golden("choice_ahp.json")["plackett_luce_top4"]
    found = plackett_luce(np.where(rankings[0] <= 4, rankings[0], NAN))
    assert_equals_r(found, expected)
    assert found.log_likelihood == pytest.approx(expected["loglik"], rel=1e-12)


def test_weighted_rankings_equal_r(golden, rankings):
    """R weighs the sums of odds too, which takes w log w off its log-likelihood for every item ranked."""
    expected = golden("choice_ahp.json")["plackett_luce_full_weighted"]
    ranks, weights = rankings
    found = plackett_luce(ranks, weights)
    assert_equals_r(found, expected)
    own = 10 * float(weights @ np.log(weights))
    assert found.log_likelihood - own == pytest.approx(expected["loglik"], rel=1e-12)


def test_best_worst_choices_equal_r(golden, tasks):
    expected = golden("choice_ahp.json")["maxdiff"]
    sets, best, worst, respondent = tasks
    found = maxdiff(sets, best, worst, 10, respondent)
    assert_equals_r(found, expected, covariance="vcov", tolerance=1e-12)
    assert found.log_likelihood == pytest.approx(expected["loglik"], rel=1e-12)
    np.testing.assert_allclose(best_worst_scores(sets, best, worst, 10), expected["bw_score"], rtol=1e-12)


def test_pairs_equal_rs_bradley_terry_fit(golden):
    """R's covariance is that of its last step but one, so a little less exact than its coefficients."""
    expected = golden("choice_ahp.json")["bradley_terry_citations"]
    pairs = list(permutations(range(4), 2))
    best, worst = np.array(pairs).T
    found = maxdiff(pairs, best, worst, 4, np.arange(len(pairs)), [CITATIONS[pair] for pair in pairs])
    assert_close(found.utilities[1:], np.array(list(expected["coef"].values())), 1e-10)
    assert_close(found.covariance[1:, 1:], np.array(expected["vcov"]), 1e-8)


def ranking_probability(order, utilities, depth):
    """The chance that the items come in that order, down to the depth."""
    left, chance = list(range(len(utilities))), 1.0
    for item in order[:depth]:
        chance *= math.exp(utilities[item]) / sum(math.exp(utilities[other]) for other in left)
        left.remove(item)
    return chance


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_rankings_as_often_as_their_probability_give_back_the_utilities(depth):
    """Every ranking there is, weighted by its probability: the maximum is the truth, and its height the entropy."""
    orders = list(permutations(range(4), depth))
    chances = np.array([ranking_probability(order, TRUTH, depth) for order in orders])
    assert chances.sum() == pytest.approx(1, rel=1e-14)
    ranks = np.full((len(orders), 4), NAN)
    for row, order in enumerate(orders):
        ranks[row, list(order)] = np.arange(1, depth + 1)
    found = plackett_luce(ranks, chances)
    np.testing.assert_allclose(found.utilities, TRUTH, rtol=0, atol=1e-12)
    assert found.log_likelihood == pytest.approx(chances @ np.log(chances), rel=1e-13)


def test_best_worst_choices_as_often_as_their_probability_give_back_the_utilities():
    sets, best, worst, chances = [], [], [], []
    for shown in [*combinations(range(4), 3), (0, 1, 2, 3), (1, 2)]:
        for first, last in permutations(shown, 2):
            chance = math.exp(TRUTH[first]) / sum(math.exp(TRUTH[item]) for item in shown)
            chance *= math.exp(-TRUTH[last]) / sum(math.exp(-TRUTH[item]) for item in shown if item != first)
            sets.append([*shown, *[-1] * (4 - len(shown))])
            best.append(first)
            worst.append(last)
            chances.append(chance)
    assert sum(chances) == pytest.approx(6, rel=1e-14)
    found = maxdiff(sets, best, worst, 4, np.arange(len(sets)), chances)
    np.testing.assert_allclose(found.utilities, TRUTH, rtol=0, atol=1e-12)
    assert found.log_likelihood == pytest.approx(np.array(chances) @ np.log(chances), rel=1e-13)


@unhurried
@given(st.integers(1, 40), st.integers(1, 40))
def test_two_items_have_the_log_odds_of_the_counts(first, second):
    ranks = [[1, 2]] * first + [[2, 1]] * second
    n = first + second
    variance = 1 / first + 1 / second
    for found in (
        plackett_luce(ranks),
        maxdiff([[0, 1]] * n, [0] * first + [1] * second, [1] * first + [0] * second, 2, np.arange(n)),
    ):
        np.testing.assert_allclose(found.utilities, [0, math.log(second / first)], rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(found.covariance, [[0, 0], [0, variance]], rtol=1e-12)
        np.testing.assert_allclose(found.robust_covariance, [[0, 0], [0, variance]], rtol=1e-12)
        expected = first * math.log(first / n) + second * math.log(second / n)
        assert found.log_likelihood == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("weight", [1e-9, 1e-3, 1e3, 1e6, 1e12])
def test_lopsided_choices_lose_no_digits(weight):
    found = plackett_luce([[1, 2], [2, 1]], [1, weight])
    assert found.converged
    assert found.utilities[1] == pytest.approx(math.log(weight), rel=1e-13)
    assert found.covariance[1, 1] == pytest.approx(1 + 1 / weight, rel=1e-12)
    assert found.robust_covariance[1, 1] == pytest.approx(2, rel=1e-12)


@st.composite
def rankings_with_a_cycle(draw, *, partial=True):
    """Rankings of 2 to 5 items among which each item once wins against the next, so that a maximum exists."""
    items = draw(st.integers(2, 5))
    orders = [np.roll(np.arange(items), shift) for shift in range(items)]
    orders += [np.array(order) for order in draw(st.lists(st.permutations(range(items)), max_size=6))]
    ranks = np.full((len(orders), items), NAN)
    for row, order in enumerate(orders):
        depth = draw(st.integers(1 if partial else items, items)) if row >= items else items
        ranks[row, order[:depth]] = np.arange(1, depth + 1)
    return ranks


def minorised(ranks, strengths):
    """One step of the MM algorithm for the model's strengths (Hunter 2004), in plain loops."""
    wins, exposure = np.zeros(len(strengths)), np.zeros(len(strengths))
    for row in ranks:
        order = [int(item) for item in np.argsort(row) if not math.isnan(row[item])]
        left = list(range(len(strengths)))
        for item in order:
            if len(left) > 1:
                wins[item] += 1
                exposure[left] += 1 / strengths[left].sum()
            left.remove(item)
    return wins / exposure


@unhurried
@given(rankings_with_a_cycle())
def test_the_utilities_are_a_fixed_point_of_the_mm_algorithm(ranks):
    found = plackett_luce(ranks)
    assert found.converged
    share = np.exp(found.utilities) / np.exp(found.utilities).sum()
    np.testing.assert_allclose(minorised(ranks, share), share, rtol=1e-10)


@unhurried
@given(rankings_with_a_cycle(), st.randoms())
def test_utilities_move_with_their_items_and_hang_on_the_reference_by_a_shift_alone(ranks, random):
    items = ranks.shape[1]
    order = random.sample(range(items), items)
    before, after = plackett_luce(ranks, reference=order[0]), plackett_luce(ranks[:, order])
    np.testing.assert_allclose(after.utilities, before.utilities[order], rtol=0, atol=1e-10)
    np.testing.assert_allclose(after.covariance, before.covariance[np.ix_(order, order)], rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(
        after.robust_covariance, before.robust_covariance[np.ix_(order, order)], rtol=1e-8, atol=1e-10
    )
    first = plackett_luce(ranks)
    np.testing.assert_allclose(before.utilities, first.utilities - first.utilities[order[0]], rtol=0, atol=1e-10)
    assert before.log_likelihood == pytest.approx(first.log_likelihood, rel=1e-12)


@unhurried
@given(rankings_with_a_cycle(), st.data())
def test_whole_weights_are_as_many_respondents(ranks, data):
    times = np.array(data.draw(st.lists(st.integers(1, 4), min_size=len(ranks), max_size=len(ranks))))
    weighted, repeated = plackett_luce(ranks, times), plackett_luce(np.repeat(ranks, times, axis=0))
    np.testing.assert_allclose(weighted.utilities, repeated.utilities, rtol=0, atol=1e-10)
    np.testing.assert_allclose(weighted.covariance, repeated.covariance, rtol=1e-8, atol=1e-12)
    assert weighted.log_likelihood == pytest.approx(repeated.log_likelihood, rel=1e-12)


@unhurried
@given(rankings_with_a_cycle(), st.floats(1e-6, 1e6))
def test_the_scale_of_the_weights_touches_the_model_covariance_alone(ranks, scale):
    weights = 1 + np.arange(len(ranks)) / 10
    one, other = plackett_luce(ranks, weights), plackett_luce(ranks, scale * weights)
    np.testing.assert_allclose(other.utilities, one.utilities, rtol=0, atol=1e-10)
    np.testing.assert_allclose(other.robust_covariance, one.robust_covariance, rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(other.covariance * scale, one.covariance, rtol=1e-8, atol=1e-12)


@unhurried
@given(rankings_with_a_cycle(partial=False))
def test_the_last_rank_says_nothing_that_the_others_do_not(ranks):
    full, without_last = plackett_luce(ranks), plackett_luce(np.where(ranks < ranks.shape[1], ranks, NAN))
    np.testing.assert_allclose(without_last.utilities, full.utilities, rtol=0, atol=1e-10)
    assert without_last.log_likelihood == pytest.approx(full.log_likelihood, rel=1e-13)


def test_the_order_of_the_ranks_counts_and_not_their_distance():
    close, far = [[1, 2, 3], [3, 1, 2], [2, 3, 1], [1, 3, 2]], [[2, 5, 90], [7, 1, 4], [8, 9, 1], [1, 9, 5]]
    np.testing.assert_array_equal(plackett_luce(far).utilities, plackett_luce(close).utilities)


def test_a_respondent_who_ranked_nothing_changes_nothing():
    ranks = np.array([[1, 2, 3], [3, 1, 2], [2, 3, 1], [1, 3, 2.0]])
    silent = np.insert(ranks, 2, NAN, axis=0)
    one, other = plackett_luce(ranks), plackett_luce(silent)
    np.testing.assert_array_equal(other.utilities, one.utilities)
    np.testing.assert_array_equal(other.robust_covariance, one.robust_covariance)
    assert other.log_likelihood == one.log_likelihood


@unhurried
@given(rankings_with_a_cycle(partial=False).filter(lambda ranks: ranks.shape[1] == 3), st.integers(2, 4))
def test_answers_given_over_and_over_by_the_same_respondent_add_no_certainty(ranks, times):
    """Best and worst of three are the full ranking, but for the model; repeats narrow the model's covariance alone."""
    n = len(ranks)
    sets, best, worst = [[0, 1, 2]] * n, ranks.argmin(axis=1), ranks.argmax(axis=1)
    once = maxdiff(sets, best, worst, 3, np.arange(n))
    often = maxdiff(sets * times, np.tile(best, times), np.tile(worst, times), 3, np.tile(np.arange(n), times))
    np.testing.assert_allclose(often.utilities, once.utilities, rtol=0, atol=1e-10)
    np.testing.assert_allclose(often.covariance * times, once.covariance, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(often.robust_covariance, once.robust_covariance, rtol=1e-9, atol=1e-12)


def test_respondents_may_be_known_by_any_name_in_any_order(tasks):
    sets, best, worst, respondent = tasks
    order = np.random.default_rng(3).permutation(len(sets))
    one = maxdiff(sets, best, worst, 10, respondent)
    names = np.array([f"respondent {number}" for number in respondent])
    other = maxdiff(sets[order], best[order], worst[order], 10, names[order])
    np.testing.assert_allclose(other.utilities, one.utilities, rtol=0, atol=1e-12)
    np.testing.assert_allclose(other.robust_covariance, one.robust_covariance, rtol=1e-10, atol=1e-14)


def test_one_respondent_alone_has_no_robust_covariance():
    found = maxdiff([[0, 1], [0, 1]], [0, 1], [1, 0], 2, [7, 7])
    np.testing.assert_array_equal(found.robust_covariance, [[0, 0], [0, NAN]])
    np.testing.assert_allclose(found.covariance, [[0, 0], [0, 2]])


def test_a_single_item_has_utility_zero_and_no_variance():
    for found in (plackett_luce([[1.0], [NAN]]), maxdiff(np.zeros((0, 2), int), [], [], 1, [])):
        assert found.utilities.tolist() == [0]
        assert found.covariance.tolist() == found.robust_covariance.tolist() == [[0]]
        assert (found.log_likelihood, found.converged) == (0, True)


SEPARATED = "no finite utilities fit these choices best; {}. Mend: leave those items out"


@pytest.mark.parametrize(
    ("ranks", "found"),
    [
        pytest.param(
            [[1, 2, 3], [1, 3, 2]],
            "won every comparison with the rest: item 0; lost every comparison with the rest: items 1, 2",
            id="always first",
        ),
        pytest.param(
            [[1, 2, 3], [2, 1, 3]],
            "won every comparison with the rest: items 0, 1; lost every comparison with the rest: item 2",
            id="always last",
        ),
        pytest.param(
            [[1, 2, NAN, NAN], [2, 1, NAN, NAN]],
            "won every comparison with the rest: items 0, 1; lost every comparison with the rest: item 2 and item 3",
            id="never ranked",
        ),
        pytest.param(
            [[1, 2, 3]],
            "won every comparison with the rest: item 0; lost every comparison with the rest: item 2",
            id="one respondent",
        ),
        pytest.param([[NAN, NAN]], "never compared with the rest: item 0 and item 1", id="nothing ranked"),
        pytest.param(np.zeros((0, 2)), "never compared with the rest: item 0 and item 1", id="nobody"),
    ],
)
def test_items_that_always_win_or_lose_are_named(ranks, found):
    with pytest.raises(SeparationError, match=f"^{re.escape(SEPARATED.format(found))}$"):
        plackett_luce(ranks)


def test_items_shown_in_separate_sets_are_named_as_apart():
    sets = [[0, 1, -1], [0, 1, -1], [2, 3, -1], [2, 3, -1]]
    with pytest.raises(SeparationError) as caught:
        maxdiff(sets, [0, 1, 2, 3], [1, 0, 3, 2], 5, [1, 1, 2, 2])
    assert caught.value.winners == caught.value.losers == ()
    assert caught.value.apart == ((0, 1), (2, 3), (4,))
    expected = SEPARATED.format("never compared with the rest: items 0, 1 and items 2, 3 and item 4")
    assert str(caught.value) == expected


def test_the_worst_choices_too_tell_an_item_that_always_loses():
    """Item 2 is never best and always worst; each of 0 and 1 was best once."""
    with pytest.raises(SeparationError) as caught:
        maxdiff([[0, 1, 2], [0, 1, 2]], [0, 1], [2, 2], 3, [1, 2])
    assert (caught.value.winners, caught.value.losers, caught.value.apart) == (((0, 1),), ((2,),), ())


def test_worst_choices_alone_can_make_the_maximum_finite():
    """Item 2 is never best, yet item 1 was worst beside it."""
    found = maxdiff([[0, 1, 2]] * 3, [0, 1, 0], [2, 0, 1], 3, [1, 2, 3])
    assert found.converged


@unhurried
@given(st.lists(st.permutations(range(4)), min_size=1, max_size=4))
def test_a_maximum_is_found_if_and_only_if_every_item_reaches_every_other_by_wins(orders):
    reach = np.eye(4, dtype=bool)
    for order in orders:
        for above, below in combinations(order, 2):
            reach[above, below] = True
    for _ in range(4):
        reach = reach @ reach
    ranks = np.argsort(orders, axis=1) + 1
    if reach.all():
        assert plackett_luce(ranks).converged
    else:
        with pytest.raises(SeparationError):
            plackett_luce(ranks)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(([1, 2],), "ranks have the shape (respondents, items), with an item at least; not (2,)", id="row"),
        pytest.param(
            (np.zeros((3, 0)),), "ranks have the shape (respondents, items), with an item at least; not (3, 0)", id="no"
        ),
        pytest.param(
            ([[1, 2], [1, 0]],),
            "respondent 1, item 1: 0 is no rank; ranks are whole numbers from 1",
            id="zero for not ranked",
        ),
        pytest.param(
            ([[1.5, 1], [1, math.inf]],),
            "respondent 0, item 0: 1.5 is no rank; ranks are whole numbers from 1; "
            "respondent 1, item 1: inf is no rank; ranks are whole numbers from 1",
            id="all faults at once",
        ),
        pytest.param(([[1, 2, 2]],), "respondent 0 gives rank 2 to two items", id="tie"),
        pytest.param(([[1, 2]], [1, 1]), "1 weights are needed; shape (2,)", id="too many weights"),
        pytest.param(
            ([[1, 2]] * 2, [0, NAN]),
            "weight 0 is 0; weights are positive; weight 1 is nan; weights are positive",
            id="weights",
        ),
    ],
)
def test_what_is_no_ranking_is_refused(arguments, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        plackett_luce(*arguments)


def test_faults_beyond_the_first_ten_are_counted():
    with pytest.raises(ValueError, match=r"^(respondent \d gives rank 1 to two items; ){10}and 2 more$"):
        plackett_luce([[1, 1]] * 12)


@pytest.mark.parametrize("reference", [-1, 2])
def test_the_reference_is_one_of_the_items(reference):
    with pytest.raises(ValueError, match=f"^the reference {reference} is no item of 2$"):
        plackett_luce([[1, 2], [2, 1]], reference=reference)


@pytest.mark.parametrize(
    ("sets", "best", "worst", "items", "message"),
    [
        pytest.param([[0, 1]], [0], [1], 0, "at least one item is needed, not 0", id="no items"),
        pytest.param([[0, 1]], [0, 1], [1], 2, "1 sets with 2 best and 1 worst choices", id="lengths"),
        pytest.param([0, 1], [0], [1], 2, "sets must be whole numbers with 2 axes; shape (2,), kind int64", id="flat"),
        pytest.param(
            [[0, 1]], [0.0], [1], 2, "best must be whole numbers with 1 axes; shape (1,), kind float64", id="floats"
        ),
        pytest.param([[0, 5]], [0], [5], 2, "task 0 shows 5, which is no item of 2", id="unknown item"),
        pytest.param([[0, 1, 1]], [0], [1], 2, "task 0 shows item 1 more than once", id="item twice"),
        pytest.param(
            [[0, -1]], [0], [0], 2, "task 0 shows fewer than two items; task 0 has item 0 as best and worst", id="one"
        ),
        pytest.param(
            [[0, 1, 2], [1, 2, -1]],
            [3, 1],
            [0, -1],
            4,
            "task 0 does not show its best, 3; task 1 does not show its worst, -1",
            id="not shown",
        ),
    ],
)
def test_tasks_that_cannot_be_are_refused(sets, best, worst, items, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        maxdiff(sets, best, worst, items, np.zeros(len(best)))
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        best_worst_scores(sets, best, worst, items)


def test_every_task_needs_a_respondent():
    with pytest.raises(ValueError, match=r"^1 tasks need a respondent each; shape \(2,\)$"):
        maxdiff([[0, 1]], [0], [1], 2, [1, 2])


def test_best_worst_scores_count_with_weights_and_are_missing_where_nothing_was_shown():
    sets, best, worst = [[0, 1, 2], [2, 1, -1], [0, 2, 1]], [0, 2, 2], [1, 1, 0]
    np.testing.assert_allclose(best_worst_scores(sets, best, worst, 4), [0, -2 / 3, 2 / 3, NAN])
    np.testing.assert_allclose(best_worst_scores(sets, best, worst, 4, [1, 2, 5]), [-4 / 6, -3 / 8, 7 / 8, NAN])
    assert best_worst_scores([[0, 1]], [0], [1], 2).tolist() == [1, -1]


@unhurried
@given(st.lists(st.floats(-20, 20), min_size=1, max_size=6), st.integers(0, 2**32 - 1))
def test_shares_have_sum_one_and_the_delta_methods_covariance(utilities, seed):
    """The slope is differenced numerically; with it the delta method is the definition."""
    utilities = np.array(utilities)
    factor = np.random.default_rng(seed).normal(size=(utilities.size, utilities.size))
    covariance = factor @ factor.T
    share, found = shares(utilities, covariance)
    assert share.sum() == pytest.approx(1)

    def softmax(values):
        return np.exp(values) / np.exp(values).sum()

    np.testing.assert_allclose(share, softmax(utilities), rtol=1e-12)
    step = 1e-5 * np.eye(utilities.size)
    slope = np.array([(softmax(utilities + one) - softmax(utilities - one)) / 2e-5 for one in step]).T
    np.testing.assert_allclose(found, slope @ covariance @ slope.T, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(found.sum(axis=1), 0, atol=1e-12)


@unhurried
@given(st.integers(1, 40), st.integers(1, 40))
def test_the_share_of_one_of_two_items_has_the_binomial_variance(first, second):
    n = first + second
    found = plackett_luce([[1, 2]] * first + [[2, 1]] * second)
    share, covariance = shares(found.utilities, found.covariance)
    np.testing.assert_allclose(share, [first / n, second / n], rtol=1e-12)
    variance = first * second / n**3
    np.testing.assert_allclose(covariance, [[variance, -variance], [-variance, variance]], rtol=1e-11)


@unhurried
@given(rankings_with_a_cycle())
def test_shares_do_not_hang_on_the_reference(ranks):
    one, other = plackett_luce(ranks), plackett_luce(ranks, reference=1)
    for covariance in ("covariance", "robust_covariance"):
        share, variance = shares(one.utilities, getattr(one, covariance))
        same_share, same_variance = shares(other.utilities, getattr(other, covariance))
        np.testing.assert_allclose(same_share, share, rtol=1e-9)
        np.testing.assert_allclose(same_variance, variance, rtol=1e-7, atol=1e-10)


def test_shares_stay_finite_at_any_utility():
    share, variance = shares([0.0, 5000.0], np.eye(2))
    assert share.tolist() == [0, 1]
    assert not variance.any()


@pytest.mark.parametrize(("utilities", "covariance"), [([0, 1], np.eye(3)), ([[0, 1]], np.eye(2)), ([], np.eye(0))])
def test_shares_need_a_covariance_of_their_items(utilities, covariance):
    shapes = f"{np.shape(utilities)} with a covariance of shape {np.shape(covariance)}"
    with pytest.raises(ValueError, match=f"^{re.escape(f'utilities of shape {shapes}')}$"):
        shares(utilities, covariance)


def test_what_is_given_stays_as_it_was():
    ranks = np.array([[1, 2, NAN], [3, 1, 2], [2, 3, 1]])
    sets, best, worst = np.array([[0, 1, 2]] * 3), np.array([0, 1, 2]), np.array([2, 0, 1])
    before = [array.copy() for array in (ranks, sets, best, worst)]
    plackett_luce(ranks)
    maxdiff(sets, best, worst, 3, np.arange(3))
    for array, same in zip((ranks, sets, best, worst), before, strict=True):
        np.testing.assert_array_equal(array, same)
