"""Moments equal plain loops, and add up to the same over any split and any order of the rows."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest
from conftest import block
from hypothesis import given
from hypothesis import strategies as st

from materiality.moments import Cell, moments_of, no_moments
from materiality.responses import Kind, stack

POINTS = (1.0, 2.0, 3.0, 4.0, 5.0)
SUMS = ("n", "kinds", "points", "weight", "weight_squares", "first", "second")


@st.composite
def responses(draw, *, weighted=False):
    """A block of up to 30 respondents, three questions and two groups; every kind of answer, any membership."""
    n = draw(st.integers(0, 30))
    generator = np.random.default_rng(draw(st.integers(0, 2**32)))
    kinds = generator.choice([Kind.RATING] * 4 + [Kind.BLANK, Kind.DONT_KNOW, Kind.NOT_APPLICABLE], (n, 3))
    ratings = np.where(kinds == Kind.RATING, generator.integers(1, 6, (n, 3)), np.nan)
    return block(
        ratings.reshape(n, 3),
        generator.random((n, 2)) < 0.6,
        kinds=kinds,
        weight=generator.uniform(0.2, 7, n) if weighted else None,
    )


def total(rows, flags=None, midpoint=3.0):
    return moments_of(rows, midpoint=midpoint, points=POINTS, flags=flags)


def by_loops(rows, flags, midpoint):
    """Every sum of every cell, one respondent after the other."""
    questions = rows.ratings.shape[1]
    cells = defaultdict(
        lambda: {
            "n": 0,
            "kinds": np.zeros((questions, len(Kind))),
            "points": np.zeros((questions, len(POINTS))),
            "weight": 0.0,
            "weight_squares": 0.0,
            "first": np.zeros(2 * questions),
            "second": np.zeros((2 * questions, 2 * questions)),
        }
    )
    for i in range(len(rows)):
        sums = cells[tuple(g for g in range(2) if rows.members[i, g]), int(flags[i])]
        z = np.zeros(2 * questions)
        for j in range(questions):
            sums["kinds"][j, rows.kinds[i, j]] += 1
            if rows.kinds[i, j] == Kind.RATING:
                sums["points"][j, POINTS.index(rows.ratings[i, j])] += 1
                z[j] = rows.weight[i]
                z[questions + j] = rows.weight[i] * (rows.ratings[i, j] - midpoint)
        sums["n"] += 1
        sums["weight"] += rows.weight[i]
        sums["weight_squares"] += rows.weight[i] ** 2
        sums["first"] += z
        sums["second"] += np.outer(z, z)
    return cells


def assert_same(one, other, rtol=0.0):
    assert list(one.cells) == list(other.cells)
    for cell in one.cells:
        for name in SUMS:
            left, right = getattr(one.cells[cell], name), getattr(other.cells[cell], name)
            np.testing.assert_allclose(left, right, rtol=rtol, atol=rtol * 100)


@given(responses(weighted=True), st.sampled_from([3.0, 2.5, 0.0]))
def test_sums_equal_a_loop_over_the_respondents(rows, midpoint):
    flags = np.arange(len(rows)) % 2
    found = total(rows, flags, midpoint)
    expected = by_loops(rows, flags, midpoint)
    assert {(cell.groups, cell.flags) for cell in found.cells} == set(expected)
    for cell, sums in found.cells.items():
        for name, value in expected[cell.groups, cell.flags].items():
            np.testing.assert_allclose(getattr(sums, name), value, rtol=1e-12, atol=1e-12)


@given(responses(), st.data())
def test_moments_of_any_split_add_up_to_the_whole_to_the_last_bit(rows, data):
    part = np.array(data.draw(st.lists(st.integers(0, 3), min_size=len(rows), max_size=len(rows))), int)
    whole = no_moments(3, 2, 3.0)
    for k in range(4):
        whole += total(rows.take(part == k))
    assert_same(whole, total(rows))


@given(responses(weighted=True), st.data())
def test_weighted_moments_of_any_split_add_up_to_the_whole_but_for_rounding(rows, data):
    part = np.array(data.draw(st.lists(st.integers(0, 3), min_size=len(rows), max_size=len(rows))), int)
    whole = no_moments(3, 2, 3.0)
    for k in range(4):
        whole += total(rows.take(part == k))
    assert_same(whole, total(rows), rtol=1e-12)


@given(responses(), st.randoms(use_true_random=False))
def test_the_order_of_the_rows_does_not_matter_to_the_last_bit(rows, random):
    order = list(range(len(rows)))
    random.shuffle(order)
    assert_same(total(rows.take(np.array(order, np.intp))), total(rows))


@given(responses(), responses())
def test_addition_does_not_hang_on_the_order_of_the_summands(one, other):
    assert_same(total(one) + total(other), total(other) + total(one))
    assert_same(total(one) + total(other), total(stack([one, other])))


@given(responses())
def test_addition_writes_into_neither_summand(rows):
    one, other, untouched = total(rows), total(rows), total(rows)
    _ = one + other
    assert_same(one, untouched)
    assert_same(other, untouched)


@given(responses(), st.data())
def test_without_flagged_equals_the_moments_of_the_rows_that_were_not_flagged(rows, data):
    flags = np.array(data.draw(st.lists(st.sampled_from([0, 0, 4, 64]), min_size=len(rows), max_size=len(rows))), int)
    assert_same(total(rows, flags).without_flagged(), total(rows.take(flags == 0)))


def filled_rows(rows, value):
    """The rows with a rating in place of every answer that is none."""
    none = rows.kinds != Kind.RATING
    return replace(
        rows,
        ratings=np.where(none, value, rows.ratings),
        kinds=np.where(none, Kind.RATING, rows.kinds).astype(np.int8),
    )


@given(responses(), st.sampled_from(POINTS), st.sampled_from([3.0, 2.5, 0.0]))
def test_filled_moments_are_those_of_rows_with_a_rating_in_place_of_every_other_answer(rows, value, midpoint):
    flags = np.arange(len(rows)) % 2
    assert_same(total(rows, flags, midpoint).filled(value, POINTS), total(filled_rows(rows, value), flags, midpoint))


@given(responses(weighted=True), st.sampled_from(POINTS), st.sampled_from([3.0, 2.5, 0.0]))
def test_so_are_filled_moments_of_weighted_rows_but_for_rounding(rows, value, midpoint):
    assert_same(
        total(rows, None, midpoint).filled(value, POINTS), total(filled_rows(rows, value), None, midpoint), rtol=1e-12
    )


def test_a_value_between_the_points_is_counted_at_none():
    rows = block([[1.0], [np.nan]], [[1], [1]])
    filled = total(rows).filled(2.5, POINTS).cells[Cell((0,))]
    assert filled.points.tolist() == [[1, 0, 0, 0, 0]]
    assert (filled.rated.tolist(), filled.first.tolist()) == ([2], [2.0, -2.5])


def test_filling_writes_into_nothing_and_leaves_complete_answers_as_they_are():
    rows = block([[1.0, 4.0], [2.0, 2.0]], [[1], [1]])
    whole, untouched = total(rows), total(rows)
    assert_same(whole.filled(5.0, POINTS), untouched)
    assert_same(whole, untouched)


def test_moments_of_a_scale_without_points_are_filled_too():
    rows = block([[1.25], [np.nan]], [[1], [1]])
    filled = moments_of(rows, midpoint=3.0).filled(5.0).cells[Cell((0,))]
    assert (filled.points.shape, filled.second.tolist()) == ((1, 0), [[2.0, 0.25], [0.25, 7.0625]])


def test_moments_counted_at_other_points_cannot_be_filled():
    with pytest.raises(ValueError, match=r"^ratings are counted at 5 points, not at 0$"):
        total(block([[1.0]], [[1]])).filled(5.0)


@given(responses(weighted=True))
def test_values_per_group_count_a_respondent_in_each_of_its_groups(rows):
    found = total(rows)
    assert found.per_group(found.stack("n").astype(np.int64)).tolist() == rows.members.sum(axis=0).tolist()
    weights = [math.fsum(rows.weight[rows.members[:, g]]) for g in range(2)]
    assert found.per_group(np.array([s.weight for s in found.cells.values()], float)) == pytest.approx(weights)


def test_cells_part_respondents_by_groups_stratum_and_flags_in_order():
    rows = block([[1.0]] * 5, [[0, 1], [1, 0], [1, 1], [1, 0], [1, 0]])
    found = moments_of(rows, midpoint=3.0, strata=np.array([0, 1, 0, 0, 0]), flags=np.array([0, 0, 0, 8, 0]))
    assert {cell: sums.n for cell, sums in found.cells.items()} == {
        Cell((0,), 0, 0): 1,
        Cell((0,), 0, 8): 1,
        Cell((0,), 1, 0): 1,
        Cell((0, 1), 0, 0): 1,
        Cell((1,), 0, 0): 1,
    }
    assert list(found.cells) == sorted(found.cells)


def test_a_scale_without_points_counts_none():
    found = moments_of(block([[1.25]], [[1]]), midpoint=3.0)
    assert found.cells[Cell((0,))].points.shape == (1, 0)


def test_the_moments_of_nobody_have_no_cell():
    nobody = moments_of(block(np.zeros((0, 3)), np.zeros((0, 2))), midpoint=3.0, points=POINTS)
    assert dict(nobody.cells) == dict(no_moments(3, 2, 3.0).cells) == {}
    assert nobody.per_group(nobody.stack("first")).tolist() == [[0.0] * 6] * 2
