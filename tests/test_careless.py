"""Indices of careless answering equal slow second routes and closed forms; all random data here are simulated."""

from __future__ import annotations

import math
import statistics
from itertools import groupby, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from materiality import careless
from materiality.careless import (
    FAMILIES,
    RARE,
    ROWS_PER_QUESTION,
    RUN_LENGTH,
    TWICE_AS_FAST,
    independent_flags,
    long_run,
    longest_run,
    mahalanobis,
    relative_speed,
    speeds_of,
    spread_of,
    within_person_spread,
)

NAN = math.nan


@st.composite
def tables(draw, *, points=(1.0, 2.0, 3.0)):
    """Up to 12 rows of up to 9 ratings, many of them missing."""
    rows, questions = draw(st.integers(0, 12)), draw(st.integers(0, 9))
    rating = st.sampled_from((*points, NAN))
    row = st.lists(rating, min_size=questions, max_size=questions)
    return np.array(draw(st.lists(row, min_size=rows, max_size=rows)), float).reshape(rows, questions)


def mixture(generator, questions):
    """A matrix far from singular: ones on the diagonal, and none below."""
    return np.eye(questions) + np.triu(generator.uniform(-1, 1, (questions, questions)), 1)


def correlated(generator, rows, questions):
    """Simulated multivariate normal rows with unlike means, variances and correlations."""
    return generator.normal(size=(rows, questions)) @ mixture(generator, questions) + np.arange(questions)


def with_gaps(ratings, share, generator):
    return np.where(generator.random(ratings.shape) < share, NAN, ratings)


def row_by_row(ratings, mean, covariance):
    """Squared distances from each row's own block, one row after the other."""
    found = []
    for row in ratings:
        seen = np.flatnonzero(~np.isnan(row))
        y = row[seen] - mean[seen]
        found.append(y @ np.linalg.pinv(covariance[np.ix_(seen, seen)], hermitian=True, rcond=1e-10) @ y)
    return np.array(found)


@given(tables())
def test_the_longest_run_is_that_of_the_ratings_given_one_after_the_other(ratings):
    expected = [
        max((len(list(run)) for _, run in groupby(rating for rating in row if not math.isnan(rating))), default=0)
        for row in ratings
    ]
    assert longest_run(ratings).tolist() == expected


@pytest.mark.parametrize(
    ("ratings", "expected"),
    [
        pytest.param([4] * 8, True, id="eight alike and no other"),
        pytest.param([4] * 7, False, id="seven are too few"),
        pytest.param([4] * 8 + [5, 1], True, id="eight of ten are four fifths"),
        pytest.param([4] * 8 + [5, 1, 2], False, id="eight of eleven are less"),
        pytest.param([4] * 4 + [NAN] * 5 + [4] * 4, True, id="what was not rated does not count"),
        pytest.param([4, 5] * 8, False, id="alternating is no run"),
        pytest.param([NAN] * 10, False, id="no rating"),
    ],
)
def test_a_long_run_covers_nearly_all_ratings_and_enough_of_them(ratings, expected):
    assert long_run([ratings]).tolist() == [expected]


def test_the_share_of_a_long_run_is_met_whatever_the_rounding():
    assert 0.56 * 25 > 14
    assert long_run([[4] * 14 + list(range(5, 16))], share=0.56).tolist() == [True]


@pytest.mark.parametrize("share", [0.5, 0.7])
def test_the_stated_chance_of_a_long_run_is_that_of_all_sequences(share):
    """Where a run is more than half of the sequence there is at most one, and the bound is the chance itself."""
    length = 10
    common = np.array(list(product([True, False], repeat=length)))
    chance = np.prod(np.where(common, share, 1 - share), axis=1)
    ratings = np.where(common, 1, np.arange(length) + 2)
    found = chance[long_run(ratings)].sum()
    assert found == pytest.approx(share**RUN_LENGTH * (1 + (length - RUN_LENGTH) * (1 - share)), rel=1e-12)


@given(tables(points=(0.1, 0.3, 7.0)))
def test_the_spread_is_the_standard_deviation_of_the_ratings_given(ratings):
    given_ = [[rating for rating in row if not math.isnan(rating)] for row in ratings]
    expected = [statistics.stdev(row) if len(row) > 1 else NAN for row in given_]
    np.testing.assert_allclose(within_person_spread(ratings), expected, rtol=1e-12, atol=0)


@pytest.mark.parametrize("share", [0.0, 0.15, 0.6, 0.95])
@pytest.mark.parametrize("questions", [1, 2, 7, 12])
def test_distances_with_missing_answers_are_those_of_each_rows_own_block(questions, share):
    generator = np.random.default_rng(questions)
    ratings = correlated(generator, 300, questions)
    mean, covariance = ratings.mean(axis=0), np.cov(ratings.T).reshape(questions, questions)
    ratings = with_gaps(ratings, share, generator)
    found = mahalanobis(ratings, mean, covariance)
    rated = ~np.isnan(ratings)
    assert found.df.tolist() == rated.sum(axis=1).tolist()
    for i, row in enumerate(rated):
        y, block = (ratings[i] - mean)[row], covariance[np.ix_(row, row)]
        expected = y @ np.linalg.solve(block, y) if row.any() else NAN
        np.testing.assert_allclose(found.squared[i], expected, rtol=1e-7)
    np.testing.assert_allclose(
        found.p, np.where(rated.any(axis=1), scipy_stats.chi2.sf(found.squared, found.df), NAN), rtol=1e-12
    )


def test_both_routes_to_the_distance_agree_over_any_number_of_rows_at_once(monkeypatch):
    generator = np.random.default_rng(1)
    ratings = with_gaps(correlated(generator, 500, 8), 0.4, generator)
    spread = spread_of(correlated(generator, 500, 8), 3.0)
    together = mahalanobis(ratings, spread.mean, spread.covariance)
    for name, value in (("AT_ONCE", 1), ("REGULAR", math.inf)):
        monkeypatch.setattr(careless, name, value)
        apart = mahalanobis(ratings, spread.mean, spread.covariance)
        np.testing.assert_allclose(apart.squared, together.squared, rtol=1e-8)
        assert apart.df.tolist() == together.df.tolist()


@pytest.mark.parametrize("share", [0.0, 0.4])
@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda x: np.hstack([x, x[:, :1]]), id="a question twice"),
        pytest.param(lambda x: np.hstack([x, 10 - x.sum(axis=1, keepdims=True)]), id="points that sum to ten"),
        pytest.param(lambda x: np.hstack([np.full((len(x), 1), 0.1), x]), id="a question with one answer"),
        pytest.param(lambda x: x[:4], id="fewer rows than questions"),
    ],
)
def test_a_singular_covariance_measures_in_the_space_in_which_people_differ(spoil, share):
    generator = np.random.default_rng(3)
    complete = spoil(correlated(generator, 60, 5))
    spread = spread_of(complete, 3.0)
    ratings = with_gaps(complete, share, generator)
    found = mahalanobis(ratings, spread.mean, spread.covariance)
    rank = [np.linalg.matrix_rank(np.cov(complete[:, ~np.isnan(row)].T), rtol=1e-10) for row in ratings]
    assert found.df.tolist() == rank
    expected = row_by_row(ratings, spread.mean, np.cov(complete.T))
    np.testing.assert_allclose(found.squared, np.where(found.df > 0, expected, NAN), rtol=1e-6)


def test_with_fewer_rows_than_questions_all_rows_are_equally_far():
    """Without more rows than dimensions each lies on the bound (n − 1)²/n: nothing can be told, and no p is given."""
    ratings = correlated(np.random.default_rng(4), 6, 9)
    spread = spread_of(ratings, 3.0)
    found = mahalanobis(ratings, spread.mean, spread.covariance, n=spread.n)
    np.testing.assert_allclose(found.squared, 5**2 / 6)
    assert found.df.tolist() == [5] * 6
    assert np.isnan(found.p).all()


@given(st.integers(0, 2**32), st.integers(2, 6))
def test_the_squared_distances_of_a_sample_sum_to_its_degrees_of_freedom(seed, questions):
    ratings = correlated(np.random.default_rng(seed), 30, questions)
    spread = spread_of(ratings, 3.0)
    found = mahalanobis(ratings, spread.mean, spread.covariance, n=30)
    assert found.squared.sum() == pytest.approx((30 - 1) * found.df[0], rel=1e-6)


def test_questions_never_answered_together_do_not_matter_to_those_who_answered_one():
    generator = np.random.default_rng(5)
    ratings = correlated(generator, 80, 4)
    ratings[:40, 0] = ratings[40:, 1] = NAN
    spread = spread_of(ratings, 3.0)
    assert np.isnan(spread.covariance[0, 1])
    found = mahalanobis(ratings, spread.mean, spread.covariance, n=spread.n)
    for i, row in enumerate(~np.isnan(ratings)):
        y, block = (ratings[i] - spread.mean)[row], spread.covariance[np.ix_(row, row)]
        assert found.squared[i] == pytest.approx(y @ np.linalg.solve(block, y), rel=1e-9)
    both = mahalanobis([[1.0, 2.0, 3.0, 4.0]], spread.mean, spread.covariance, n=spread.n)
    assert (np.isnan(both.squared[0]), both.df[0], np.isnan(both.p[0])) == (True, 0, True)


@pytest.mark.parametrize(
    ("covariance", "rows", "expected"),
    [
        pytest.param(
            [[1, 0.9, -0.9], [0.9, 1, 0.9], [-0.9, 0.9, 1]],
            [[1, 1, 1], [1, 1, NAN], [NAN, NAN, 1]],
            [NAN, 2 / 1.9, 1],
            id="three that do not fit, two that do",
        ),
        pytest.param(
            [[1, 1, 0], [1, 1, 0.5], [0, 0.5, 1]],
            [[1, 1, 1], [1, 1, NAN], [1, NAN, 1]],
            [NAN, 1, 2],
            id="one the same as another, and yet otherwise related",
        ),
        pytest.param([[1, 2], [2, 1]], [[1, 1], [1, NAN]], [NAN, 1], id="a correlation above one"),
    ],
)
def test_covariances_that_do_not_fit_together_give_no_distance(covariance, rows, expected):
    found = mahalanobis(rows, np.zeros(len(covariance)), covariance)
    np.testing.assert_allclose(found.squared, expected)
    assert (found.df == 0).tolist() == np.isnan(expected).tolist()
    assert np.isnan(found.p).tolist() == np.isnan(expected).tolist()


@given(st.integers(0, 2**32))
def test_distances_do_not_depend_on_the_units_nor_complete_ones_on_the_mixture_of_questions(seed):
    generator = np.random.default_rng(seed)
    complete = correlated(generator, 40, 4)
    units, shift = generator.choice([-1, 1], 4) * generator.uniform(0.1, 50, 4), generator.normal(size=4)
    gaps = with_gaps(complete, 0.3, generator)

    def distances(rows, sample):
        spread = spread_of(sample, 0.0)
        return mahalanobis(rows, spread.mean, spread.covariance).squared

    np.testing.assert_allclose(distances(gaps * units + shift, gaps * units + shift), distances(gaps, gaps), rtol=1e-5)
    mixed = complete @ mixture(generator, 4) + shift
    np.testing.assert_allclose(distances(mixed, mixed), distances(complete, complete), rtol=1e-5)


@pytest.mark.parametrize("questions", [1, 5, 10])
@pytest.mark.parametrize("alpha", [0.05, RARE])
def test_a_row_at_pennys_critical_value_has_that_p_and_a_larger_one_by_the_chi_square(questions, alpha):
    n = 60
    f = scipy_stats.f.isf(alpha, questions, n - questions - 1)
    critical = questions * (n - 1) ** 2 * f / (n * (n - questions - 1 + questions * f))
    row = np.full((1, questions), math.sqrt(critical / questions))
    found = mahalanobis(row, np.zeros(questions), np.eye(questions), n=n)
    assert found.p[0] == pytest.approx(alpha, rel=1e-9)
    assert mahalanobis(row, np.zeros(questions), np.eye(questions)).p[0] > alpha


@pytest.mark.parametrize(("n", "questions"), [(20, 4), (60, 12)])
def test_p_values_of_simulated_normal_rows_are_uniform(n, questions):
    """One row of each simulated sample, so that p-values are independent of one another."""
    generator = np.random.default_rng(2019)
    found = []
    for _ in range(1500):
        ratings = correlated(generator, n, questions)
        spread = spread_of(ratings, 3.0)
        found.append(mahalanobis(ratings[:1], spread.mean, spread.covariance, n=spread.n).p[0])
    assert scipy_stats.kstest(found, "uniform").pvalue > 0.05


def test_a_row_beyond_what_a_sample_can_hold_has_p_zero():
    assert mahalanobis([[100.0]], [0.0], [[1.0]], n=50).p.tolist() == [0.0]


@pytest.mark.parametrize(
    ("row", "rows_behind"),
    [
        pytest.param([1, 1, 1], 10, id="the pair with the fewest"),
        pytest.param([1, 1, NAN], 40, id="of the pairs that the row has"),
        pytest.param([NAN, 1, NAN], 70, id="a question by itself"),
    ],
)
def test_by_pairs_the_fewest_rows_behind_a_rows_answers_count(row, rows_behind):
    pairs = np.array([[60, 40, 10], [40, 70, 30], [10, 30, 50]])
    by_pairs = mahalanobis([row], np.zeros(3), np.eye(3), n=pairs)
    np.testing.assert_array_equal(by_pairs.p, mahalanobis([row], np.zeros(3), np.eye(3), n=rows_behind).p)


@pytest.mark.parametrize("questions", [1, 3])
def test_too_few_rows_per_answer_give_a_distance_without_p(questions):
    enough = ROWS_PER_QUESTION * questions
    for n, known in ((enough, True), (enough - 1, False), (0, False)):
        found = mahalanobis(np.ones((1, questions)), np.zeros(questions), np.eye(questions), n=n)
        assert found.squared.tolist() == [questions]
        assert bool(np.isfinite(found.p[0])) == known


def pairwise(ratings):
    """Covariances over the rows with both ratings, pair by pair, by NumPy."""
    questions = ratings.shape[1]
    found = np.full((questions, questions), NAN)
    for j, k in product(range(questions), repeat=2):
        both = ~np.isnan(ratings[:, j]) & ~np.isnan(ratings[:, k])
        if both.sum() > 1:
            found[j, k] = np.cov(ratings[both, j], ratings[both, k])[0, 1]
    return found


@given(tables(), st.integers(0, 12), st.integers(0, 2**32))
def test_sums_add_to_the_same_over_any_split_and_any_order_of_the_rows(ratings, cut, seed):
    whole = spread_of(ratings, 2.0)
    shuffled = np.random.default_rng(seed).permutation(ratings)
    parts = spread_of(shuffled[:cut], 2.0) + spread_of(shuffled[cut:], 2.0)
    for name in ("n", "sums", "products"):
        np.testing.assert_array_equal(getattr(parts, name), getattr(whole, name))
    np.testing.assert_allclose(whole.covariance, pairwise(ratings), atol=1e-12)
    columns = [[rating for rating in column if not math.isnan(rating)] for column in ratings.T]
    np.testing.assert_allclose(whole.mean, [statistics.fmean(column) if column else NAN for column in columns])


def test_a_question_that_all_answer_alike_has_no_variance_whatever_the_rounding():
    ratings = np.column_stack([np.full(1000, 0.1), np.arange(1000) / 10])
    spread = spread_of(ratings[:337], 0.7) + spread_of(ratings[337:], 0.7)
    assert spread.covariance[0, 0] == 0
    assert mahalanobis(ratings, spread.mean, spread.covariance).df.tolist() == [1] * 1000


def test_sums_about_different_midpoints_do_not_add():
    with pytest.raises(ValueError, match=r"^sums about midpoint 3\.0 do not add to sums about 5\.5$"):
        spread_of([[1.0]], 3.0) + spread_of([[1.0]], 5.5)


@pytest.mark.parametrize(
    ("seconds", "answers", "typical", "expected"),
    [
        pytest.param(80, 10, 8, 1, id="as fast as is typical"),
        pytest.param(40, 10, 8, 2, id="twice as fast"),
        pytest.param(40, 5, 8, 1, id="half the answers in half the time"),
        pytest.param(0, 10, 8, math.inf, id="no time at all"),
        pytest.param(NAN, 10, 8, NAN, id="no time known"),
        pytest.param(-5, 10, 8, NAN, id="finished before the start"),
        pytest.param(40, 0, 8, NAN, id="no answer"),
        pytest.param(40, 10, NAN, NAN, id="nobody to compare with"),
        pytest.param(40, 10, 0, NAN, id="nobody took any time"),
    ],
)
def test_relative_speed(seconds, answers, typical, expected):
    np.testing.assert_array_equal(relative_speed([seconds], [answers], typical), [expected])


def test_exactly_twice_as_fast_is_not_too_fast():
    assert (relative_speed([40.0, 39.9], [10, 10], 8.0) > TWICE_AS_FAST).tolist() == [False, True]


@given(st.lists(st.tuples(st.floats(0.05, 1e6), st.integers(1, 60)), min_size=1, max_size=40), st.integers(0, 40))
def test_the_median_of_the_counts_is_the_median_to_within_half_a_bin(times, cut):
    seconds, answers = np.array(times, float).T
    whole = speeds_of(seconds, answers)
    assert whole.median == pytest.approx(np.median(seconds / answers), rel=5.01e-4, abs=0)
    parts = speeds_of(seconds[::-1][:cut], answers[::-1][:cut]) + speeds_of(seconds[::-1][cut:], answers[::-1][cut:])
    assert (parts.n, parts.median) == (len(times), whole.median)


def test_times_that_are_unknown_are_not_counted_and_extreme_ones_are():
    assert math.isnan(speeds_of([], []).median)
    assert math.isnan(speeds_of([NAN, -1, math.inf, 60], [5, 5, 5, 0]).median)
    extremes = speeds_of([0, 0, 1e-9, 60, 1e12, 1e300, 1e300], [10] * 7)
    assert extremes.n == 7
    assert extremes.median == pytest.approx(6, rel=5e-4)


@pytest.mark.parametrize(
    ("pattern", "time", "rarity", "expected"),
    [(False, False, False, 0), (True, False, False, 1), (True, False, True, 2), (True, True, True, 3)],
)
def test_each_family_counts_once(pattern, time, rarity, expected):
    assert independent_flags([[pattern, time, rarity]]).tolist() == [expected]


def test_flags_that_are_not_by_family_are_refused():
    message = r"^flags need a column for each family, pattern, time, rarity; their shape is \(4, 2\)$"
    with pytest.raises(ValueError, match=message):
        independent_flags(np.zeros((4, 2), bool))


def test_every_index_belongs_to_one_family():
    indices = [index for family in FAMILIES.values() for index in family]
    assert len(indices) == len(set(indices))


@pytest.mark.parametrize("shape", [(0, 3), (4, 0), (0, 0)])
def test_no_rows_or_no_questions_are_no_trouble(shape):
    ratings = np.full(shape, NAN)
    spread = spread_of(ratings, 3.0)
    found = mahalanobis(ratings, spread.mean, spread.covariance, n=spread.n)
    assert [len(values) for values in (found.squared, found.df, found.p)] == [shape[0]] * 3
    assert longest_run(ratings).tolist() == [0] * shape[0]
    assert np.isnan(within_person_spread(ratings)).all()
    assert not long_run(ratings).any()
    assert independent_flags(np.zeros((shape[0], 3), bool)).tolist() == [0] * shape[0]


def test_inputs_are_left_as_they_are():
    generator = np.random.default_rng(8)
    ratings = with_gaps(correlated(generator, 30, 4), 0.3, generator)
    spread = spread_of(ratings, 3.0)
    mean, covariance, pairs = spread.mean, spread.covariance, spread.n
    for array in (ratings, mean, covariance, pairs):
        array.setflags(write=False)
    before = ratings.copy()
    for index in (longest_run, long_run, within_person_spread):
        index(ratings)
    mahalanobis(ratings, mean, covariance, n=pairs)
    np.testing.assert_array_equal(ratings, before)
