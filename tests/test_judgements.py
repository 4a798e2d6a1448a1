"""Weights from pairwise judgements equal R's eigenvectors, known weights, and their own definitions."""

from __future__ import annotations

import math
import re
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from materiality.judgements import (
    RANDOM_INDEX,
    geometric_weights,
    judgement_matrix,
    most_inconsistent,
    pooled,
    principal_weights,
)

SCHOOLS = np.array(
    [
        [1, 4, 3, 1, 3, 4],
        [1 / 4, 1, 7, 3, 1 / 5, 1],
        [1 / 3, 1 / 7, 1, 1 / 5, 1 / 5, 1 / 6],
        [1, 1 / 3, 5, 1, 1, 1 / 3],
        [1 / 3, 5, 5, 1, 1, 3],
        [1 / 4, 1, 6, 3, 1 / 3, 1],
    ]
)
"""The choice of a school (Saaty 1980)."""
THREE = np.array([[1, 3, 5], [1 / 3, 1, 3], [1 / 5, 1 / 3, 1]])
PUBLISHED = [pytest.param("ahp_saaty6", SCHOOLS, id="schools"), pytest.param("ahp_3", THREE, id="three")]


@st.composite
def judgements(draw, *, least=1, most=9, largest=9.0):
    k = draw(st.integers(least, most))
    upper = np.triu(draw(arrays(float, (k, k), elements=st.floats(-math.log(largest), math.log(largest)))), 1)
    return np.exp(upper - upper.T)


TRUE_WEIGHTS = st.lists(st.floats(0.02, 50), min_size=1, max_size=15).map(np.array)


@pytest.mark.parametrize(("name", "matrix"), PUBLISHED)
def test_principal_weights_and_consistency_equal_rs_eigenvectors(golden, name, matrix):
    expected = golden("choice_ahp.json")[name]
    found = principal_weights(matrix)
    np.testing.assert_allclose(found.weights, expected["weights"], rtol=1e-10)
    assert found.eigenvalue == pytest.approx(expected["lambda"], rel=1e-10)
    assert found.consistency_index == pytest.approx(expected["CI"], rel=1e-10)
    assert found.consistency_ratio == pytest.approx(expected["CR"], rel=1e-10)


@pytest.mark.parametrize(("name", "matrix"), PUBLISHED)
def test_geometric_weights_and_their_index_equal_r(golden, name, matrix):
    expected = golden("choice_ahp.json")[name]
    found = geometric_weights(matrix)
    np.testing.assert_allclose(found.weights, expected["geometric"], rtol=1e-10)
    assert found.consistency_index == pytest.approx(expected["GCI"], rel=1e-10)


def test_the_published_school_weights_and_ratio_come_out():
    found = principal_weights(SCHOOLS)
    assert found.weights.round(2).tolist() == [0.32, 0.14, 0.03, 0.13, 0.24, 0.14]
    assert round(found.eigenvalue, 2) == 7.42
    assert round(found.consistency_ratio, 2) == 0.23


@given(TRUE_WEIGHTS)
def test_judgements_that_agree_give_back_their_weights_and_no_inconsistency(weights):
    matrix = weights[:, None] / weights
    expected = weights / weights.sum()
    principal, geometric = principal_weights(matrix), geometric_weights(matrix)
    np.testing.assert_allclose(principal.weights, expected, rtol=1e-12)
    np.testing.assert_allclose(geometric.weights, expected, rtol=1e-12)
    assert principal.eigenvalue == pytest.approx(len(weights), rel=1e-13)
    assert principal.consistency_index == pytest.approx(0, abs=1e-13)
    assert principal.consistency_ratio == pytest.approx(0, abs=1e-13)
    assert geometric.consistency_index == pytest.approx(0, abs=1e-13)


@given(judgements(largest=9999.0))
def test_the_weights_are_the_positive_eigenvector_of_the_largest_eigenvalue(matrix):
    """Only one eigenvector of a positive matrix is positive (Perron), and its eigenvalue is the largest."""
    found = principal_weights(matrix)
    assert (found.weights > 0).all()
    assert found.weights.sum() == pytest.approx(1)
    np.testing.assert_allclose(matrix @ found.weights / found.weights, found.eigenvalue, rtol=1e-9)


@given(judgements(least=3))
def test_the_eigenvalue_is_never_below_the_number_of_things(matrix):
    found = principal_weights(matrix)
    assert found.eigenvalue >= len(matrix)
    assert found.consistency_index >= 0


@given(judgements(least=2, largest=1e3), st.randoms())
def test_weights_move_with_their_things(matrix, random):
    order = random.sample(range(len(matrix)), len(matrix))
    moved = matrix[np.ix_(order, order)]
    before, after = principal_weights(matrix), principal_weights(moved)
    np.testing.assert_allclose(after.weights, before.weights[order], rtol=1e-9)
    assert after.consistency_index == pytest.approx(before.consistency_index, rel=1e-9, abs=1e-12)
    before_means, after_means = geometric_weights(matrix), geometric_weights(moved)
    np.testing.assert_allclose(after_means.weights, before_means.weights[order], rtol=1e-9)
    assert after_means.consistency_index == pytest.approx(before_means.consistency_index, rel=1e-9, abs=1e-12)


@given(judgements(least=2), st.data())
def test_a_thing_measured_in_another_unit_changes_its_weight_by_that_factor_and_no_consistency(matrix, data):
    factors = np.array(data.draw(st.lists(st.floats(0.1, 10), min_size=len(matrix), max_size=len(matrix))))
    scaled = matrix * factors[:, None] / factors
    for weights_of in (principal_weights, geometric_weights):
        before, after = weights_of(matrix), weights_of(scaled)
        expected = before.weights * factors
        np.testing.assert_allclose(after.weights, expected / expected.sum(), rtol=1e-9)
        assert after.consistency_index == pytest.approx(before.consistency_index, rel=1e-9, abs=1e-11)


@given(judgements(least=3, most=3))
def test_with_three_things_the_index_is_a_closed_form_of_the_cycle(matrix):
    """λ = 1 + δ + 1/δ with δ³ = a_12 a_23 a_31, and both methods give the same weights (Crawford and Williams)."""
    cycle = matrix[0, 1] * matrix[1, 2] * matrix[2, 0]
    delta = cycle ** (1 / 3)
    found = principal_weights(matrix)
    assert found.eigenvalue == pytest.approx(1 + delta + 1 / delta, rel=1e-12)
    assert found.consistency_ratio == pytest.approx((delta + 1 / delta - 2) / 2 / 0.58, rel=1e-9, abs=1e-12)
    geometric = geometric_weights(matrix)
    np.testing.assert_allclose(found.weights, geometric.weights, rtol=1e-12)
    assert geometric.consistency_index == pytest.approx(math.log(cycle) ** 2 / 3, rel=1e-9, abs=1e-12)


@given(judgements(least=2))
def test_geometric_weights_are_the_least_squares_fit_to_the_logarithms(matrix):
    k = len(matrix)
    pairs = list(combinations(range(k), 2))
    design = np.zeros((len(pairs) + 1, k))
    design[-1] = 1
    for row, (i, j) in enumerate(pairs):
        design[row, i], design[row, j] = 1, -1
    logs = np.array([*(math.log(matrix[pair]) for pair in pairs), 0])
    fit = np.linalg.lstsq(design, logs, rcond=None)[0]
    found = geometric_weights(matrix)
    np.testing.assert_allclose(found.weights, np.exp(fit) / np.exp(fit).sum(), rtol=1e-9)
    if k > 2:
        residual = logs - design @ fit
        freedom = len(pairs) - (k - 1)
        assert found.consistency_index == pytest.approx(residual @ residual / freedom, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(
    ("matrix", "weights"),
    [pytest.param([[1]], [1], id="one thing"), pytest.param([[1, 3], [1 / 3, 1]], [0.75, 0.25], id="two")],
)
def test_fewer_than_three_things_cannot_contradict_themselves(matrix, weights):
    found, geometric = principal_weights(matrix), geometric_weights(matrix)
    np.testing.assert_allclose(found.weights, weights, rtol=1e-14)
    np.testing.assert_allclose(geometric.weights, weights, rtol=1e-14)
    assert (found.eigenvalue, found.consistency_index, found.consistency_ratio) == (len(matrix), 0, 0)
    assert geometric.consistency_index == 0


def test_the_random_index_runs_to_fifteen_things_and_beyond_it_the_ratio_is_unknown():
    assert len(RANDOM_INDEX) == 15
    found = principal_weights(np.ones((16, 16)))
    np.testing.assert_allclose(found.weights, 1 / 16)
    assert found.consistency_index == pytest.approx(0, abs=1e-13)
    assert math.isnan(found.consistency_ratio)


def test_the_random_index_is_near_the_mean_of_random_judgements():
    """Judgements drawn from 1/9, …, 9, as Saaty drew his; from 4 things on his means are good to about 3 percent."""
    scale = np.array([1 / n for n in range(9, 1, -1)] + list(range(1, 10)))
    generator = np.random.default_rng(1)
    for k in range(4, 10):
        indices = []
        for _ in range(400):
            upper = np.triu(np.log(generator.choice(scale, (k, k))), 1)
            indices.append(principal_weights(np.exp(upper - upper.T)).consistency_index)
        error = 3 * np.std(indices) / math.sqrt(len(indices))
        assert np.mean(indices) == pytest.approx(RANDOM_INDEX[k - 1], abs=0.03 * RANDOM_INDEX[k - 1] + error)


@pytest.mark.parametrize("weights_of", [principal_weights, geometric_weights, most_inconsistent])
@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        pytest.param([[1, 2, 3]], "a judgement matrix is square and not empty; shape (1, 3)", id="not square"),
        pytest.param([1, 2], "a judgement matrix is square and not empty; shape (2,)", id="no matrix"),
        pytest.param(np.ones((0, 0)), "a judgement matrix is square and not empty; shape (0, 0)", id="empty"),
        pytest.param([[1, 0], [2, 1]], "entry (0, 1) is 0, not between 0.0001 and 10000", id="zero"),
        pytest.param([[1, 2], [-0.5, 1]], "entry (1, 0) is -0.5, not between 0.0001 and 10000", id="negative"),
        pytest.param([[1, math.nan], [2, 1]], "entry (0, 1) is nan, not between 0.0001 and 10000", id="missing"),
        pytest.param([[1, math.inf], [2, 1]], "entry (0, 1) is inf, not between 0.0001 and 10000", id="infinite"),
        pytest.param(
            [[1, 2e4], [5e-5, 1]],
            "entry (0, 1) is 20000, not between 0.0001 and 10000; entry (1, 0) is 5e-05, not between 0.0001 and 10000",
            id="beyond any scale",
        ),
        pytest.param([[1, 2], [0.5, 2]], "entry (1, 1) is 2, not 1", id="diagonal"),
        pytest.param([[1, 3], [0.33, 1]], "entries (0, 1) and (1, 0) are 3 and 0.33, not reciprocal", id="two digits"),
        pytest.param(
            [[1, 3, 0], [3, 4, 1], [1, 1, 1]],
            "entry (0, 2) is 0, not between 0.0001 and 10000; entry (1, 1) is 4, not 1; "
            "entries (0, 1) and (1, 0) are 3 and 3, not reciprocal",
            id="all faults at once",
        ),
    ],
)
def test_what_is_no_judgement_matrix_is_refused_with_the_entry(weights_of, matrix, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        weights_of(matrix)


def test_many_faults_are_counted_beyond_the_first_ten():
    with pytest.raises(ValueError, match=r"^(entry \(\d, \d\) is 0, not between 0.0001 and 10000; ){10}and 6 more$"):
        principal_weights(np.zeros((4, 4)))


def test_seven_digits_of_a_third_are_reciprocal():
    assert principal_weights([[1, 3], [0.3333333, 1]]).weights == pytest.approx([0.75, 0.25], abs=1e-6)


@given(judgements())
def test_a_judge_and_the_opposite_one_pool_to_indifference(matrix):
    np.testing.assert_allclose(pooled([matrix, 1 / matrix]), 1, rtol=1e-14)


@given(judgements(most=5), st.data())
def test_pooled_judgements_are_reciprocal_and_keep_the_mean_weights_whatever_the_order(matrix, data):
    k = len(matrix)
    other = data.draw(judgements(least=k, most=k))
    together = pooled([matrix, other, other])
    np.testing.assert_allclose(together * together.T, 1, rtol=1e-12)
    np.testing.assert_allclose(pooled([other, matrix, other]), together, rtol=1e-12)
    means = np.cbrt(geometric_weights(matrix).weights * geometric_weights(other).weights ** 2)
    np.testing.assert_allclose(geometric_weights(together).weights, means / means.sum(), rtol=1e-12)


def test_judges_who_agree_pool_to_what_each_judged():
    np.testing.assert_allclose(pooled(np.stack([SCHOOLS, SCHOOLS])), SCHOOLS, rtol=1e-14)


@pytest.mark.parametrize(
    ("matrices", "message"),
    [
        pytest.param([], "the judges must all judge the same things; numbers of things judged: no judge", id="none"),
        pytest.param(
            [[[1]], THREE], "the judges must all judge the same things; numbers of things judged: 1, 3", id="sizes"
        ),
        pytest.param([[[1]], [[2]]], "judge 1: entry (0, 0) is 2, not 1", id="one judge's slip"),
    ],
)
def test_judges_who_cannot_be_pooled_are_named(matrices, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        pooled(matrices)


@given(judgements(), st.randoms())
def test_a_matrix_comes_back_from_its_pairs_in_either_order(matrix, random):
    pairs = {}
    for i, j in combinations(range(len(matrix)), 2):
        pair = (i, j) if random.random() < 0.5 else (j, i)
        pairs[pair] = float(matrix[pair])
    np.testing.assert_allclose(judgement_matrix(len(matrix), pairs), matrix, rtol=1e-14)


@pytest.mark.parametrize(
    ("k", "pairs", "message"),
    [
        pytest.param(0, {}, "a judgement matrix needs at least one thing, not 0", id="nothing"),
        pytest.param(3, {(0, 1): 2}, "each pair of 3 things needs one judgement; missing: (0, 2), (1, 2)", id="two"),
        pytest.param(
            2, {(0, 1): 2, (1, 0): 0.5}, "each pair of 2 things needs one judgement; given twice: (0, 1)", id="twice"
        ),
        pytest.param(
            3,
            {(0, 0): 1, (0, 3): 2, (0, 1): 2, (1, 0): 2, (2, 1): math.nan},
            "each pair of 3 things needs one judgement; no pair of things: (0, 0), (0, 3); missing: (0, 2); "
            "given twice: (0, 1); not between 0.0001 and 10000: (2, 1)",
            id="all faults at once",
        ),
    ],
)
def test_pairs_that_make_no_matrix_are_listed(k, pairs, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        judgement_matrix(k, pairs)


def test_one_thing_needs_no_judgement():
    assert judgement_matrix(1, {}).tolist() == [[1]]


@given(st.lists(st.floats(0.1, 10), min_size=4, max_size=9).map(np.array), st.floats(1.5, 20), st.booleans(), st.data())
def test_the_one_wrong_judgement_among_right_ones_is_found(weights, factor, down, data):
    first, second = sorted(data.draw(st.permutations(range(len(weights))))[:2])
    factor = 1 / factor if down else factor
    matrix = weights[:, None] / weights
    matrix[first, second] *= factor
    matrix[second, first] /= factor
    found = most_inconsistent(matrix)
    assert (found.first, found.second) == (first, second)
    assert found.judged == pytest.approx(factor * weights[first] / weights[second])
    right = weights[first] / weights[second]
    assert min(right, found.judged) < found.implied < max(right, found.judged)


def test_the_most_inconsistent_school_judgement_is_the_largest_of_all_ratios_of_ratios():
    weights = principal_weights(SCHOOLS).weights
    apart = {}
    for i, j in combinations(range(6), 2):
        ratio = SCHOOLS[i, j] / (weights[i] / weights[j])
        apart[i, j] = max(ratio, 1 / ratio)
    found = most_inconsistent(SCHOOLS)
    assert (found.first, found.second) == max(apart, key=apart.get)
    assert found.judged == SCHOOLS[found.first, found.second]
    assert found.implied == pytest.approx(weights[found.first] / weights[found.second], rel=1e-12)


@given(judgements(least=2, most=3))
def test_up_to_three_things_all_pairs_are_equally_far_and_the_first_is_named(matrix):
    found = most_inconsistent(matrix)
    assert (found.first, found.second) == (0, 1)


def test_a_single_thing_has_no_pair():
    with pytest.raises(ValueError, match=r"^a single thing has no pair to judge$"):
        most_inconsistent([[1]])


def test_what_is_given_stays_as_it_was():
    matrix = SCHOOLS.copy()
    principal_weights(matrix), geometric_weights(matrix), most_inconsistent(matrix), pooled([matrix, matrix])
    np.testing.assert_array_equal(matrix, SCHOOLS)
