"""Centred ratings and the leniency model equal closed forms and other programs, and say where they do not help."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from conftest import block

from materiality.estimates import estimate, score_weights, summarise
from materiality.moments import moments_of
from materiality.responses import Kind
from materiality.style import NoFit, centred, leniency

NAN = math.nan
R, B, D = Kind.RATING, Kind.BLANK, Kind.DONT_KNOW


def scored(answers, questions, *, midpoint, low, high):
    """Scores of the questions with every group counting alike."""
    sample = summarise(moments_of(answers, midpoint=midpoint))
    weights = score_weights(sample, questions, np.ones((len(questions), answers.members.shape[1])))
    return estimate(sample, questions, weights, confidence=0.95, low=low, high=high)


def by_centred(answers):
    questions = np.arange(answers.ratings.shape[1])
    return scored(centred(answers, [questions]), questions, midpoint=0.0, low=-math.inf, high=math.inf)


@pytest.mark.parametrize(
    ("row", "kinds", "axes", "expected", "expected_kinds"),
    [
        pytest.param([5, 4, 3], None, [[0, 1, 2]], [1, 0, -1], [R, R, R], id="all rated"),
        pytest.param([5, NAN, 2], [R, D, R], [[0, 1, 2]], [1.5, NAN, -1.5], [R, D, R], id="don't know stays"),
        pytest.param([NAN, NAN, 2], [B, D, R], [[0, 1, 2]], [NAN] * 3, [B, D, B], id="one rating is no level"),
        pytest.param([NAN] * 3, [B, D, B], [[0, 1, 2]], [NAN] * 3, [B, D, B], id="no rating"),
        pytest.param([5, 3, 1, 2], None, [[0, 1], [3, 2]], [1, -1, -0.5, 0.5], [R] * 4, id="each axis by itself"),
        pytest.param([5, 3, 1], None, [[0, 1], [2]], [1, -1, NAN], [R, R, B], id="an axis of one question"),
        pytest.param([5, 3, 1], None, [[0, 1], [0, 1, 2]], [1, -1, -2], [R] * 3, id="the first axis with a question"),
        pytest.param([5, 3, 1], None, [[0, 1], [1, 0]], [1, -1, NAN], [R, R, B], id="a question of no axis"),
        pytest.param([5, 3], None, [[0, 1, 1]], [1, -1], [R, R], id="a question named twice counts once"),
        pytest.param([5, 3], None, [[]], [NAN, NAN], [B, B], id="an axis of none"),
    ],
)
def test_ratings_less_the_persons_mean(row, kinds, axes, expected, expected_kinds):
    answers = block([row], [[True]], kinds=None if kinds is None else [kinds])
    found = centred(answers, axes)
    np.testing.assert_array_equal(found.ratings, [expected])
    assert found.kinds.tolist() == [expected_kinds]
    assert found.kinds.dtype == answers.kinds.dtype


def test_centring_leaves_the_block_and_all_else_in_it_as_it_was():
    answers = block([[5, 4], [NAN, 2]], np.ones((2, 1)), weight=[2, 3], cluster=[7, 0])
    before = answers.ratings.copy(), answers.kinds.copy()
    found = centred(answers, [[0, 1]])
    np.testing.assert_array_equal(answers.ratings, before[0])
    np.testing.assert_array_equal(answers.kinds, before[1])
    assert (found.weight.tolist(), found.cluster.tolist()) == ([2, 3], [7, 0])


def test_nobody_is_centred():
    assert centred(block(np.zeros((0, 2)), np.zeros((0, 1))), [[0, 1]]).ratings.shape == (0, 2)


def test_a_persons_own_level_does_not_matter_once_centred():
    generator = np.random.default_rng(1)
    ratings = generator.integers(1, 6, (20, 4)).astype(float)
    ratings[generator.random(ratings.shape) < 0.3] = NAN
    raised = ratings + generator.integers(0, 9, (20, 1))
    members = np.ones((20, 1))
    found = [centred(block(table, members), [np.arange(4)]).ratings for table in (ratings, raised)]
    np.testing.assert_allclose(found[0], found[1], atol=1e-12)


def test_centred_scores_of_one_group_are_means_with_the_usual_standard_error():
    generator = np.random.default_rng(2)
    ratings = generator.integers(1, 6, (15, 4)).astype(float)
    less = ratings - ratings.mean(axis=1, keepdims=True)
    found = by_centred(block(ratings, np.ones((15, 1))))
    np.testing.assert_allclose(found.values, less.mean(axis=0), atol=1e-12)
    np.testing.assert_allclose(found.std_error, less.std(axis=0, ddof=1) / math.sqrt(15), rtol=1e-10)


def test_complete_answers_keep_their_differences_and_the_errors_of_these():
    """In overlapping groups of unequal size, with weights."""
    generator = np.random.default_rng(3)
    members = generator.random((30, 3)) < [0.7, 0.3, 0.2]
    members[:, 0] |= ~members.any(axis=1)
    ratings = generator.integers(1, 6, (30, 4)).astype(float)
    answers = block(ratings, members, weight=generator.uniform(0.5, 2, 30))
    plain = scored(answers, np.arange(4), midpoint=3.0, low=1, high=5)
    found = by_centred(answers)
    apart = np.eye(4)[0] - np.eye(4)[1:]
    np.testing.assert_allclose(apart @ found.values, apart @ plain.values, atol=1e-12)
    np.testing.assert_allclose(apart @ found.covariance @ apart.T, apart @ plain.covariance @ apart.T, atol=1e-12)


def test_both_views_rank_a_question_that_mostly_strict_people_rated_by_what_they_rated_beside_it():
    """The first lies above the second for nearly all who rated both; the second has the lenient ones to itself."""
    ratings = [[4, 4.5], [NAN, 5], [NAN, 5], [NAN, 5], [2, 1], [2, 1.5], [3, 2]]
    plain = np.nanmean(np.array(ratings), axis=0)
    assert plain[0] < plain[1]
    found = by_centred(block(ratings, np.ones((7, 1)))).values
    assert found[0] > found[1]
    effects = leniency(ratings, np.ones((7, 1), bool)).effects
    assert effects[0] > effects[1]


def test_who_rates_only_favourites_is_centred_wrongly():
    """Everybody would rate 5, 5, 1, 1; half rate the first two alone, and draw them towards the others."""
    whole, part = [5, 5, 1, 1], [5, 5, NAN, NAN]
    found = by_centred(block([whole, whole, part, part], np.ones((4, 1)))).values
    assert found.tolist() == [1, 1, -2, -2]


def anova(table, groups):
    """Mean squares between persons within groups, and within persons, of complete answers."""
    n, k = table.shape
    person = table.mean(axis=1)
    level = np.array([person[groups == g].mean() for g in groups])
    between = k * ((person - level) ** 2).sum() / (n - len(set(groups.tolist())))
    rest = table - person[:, None] - table.mean(axis=0) + table.mean()
    return between, (rest**2).sum() / ((n - 1) * (k - 1))


def simulated(seed, *, n=24, k=5, spread=0.8, groups=1):
    """Simulated complete answers; spread is the standard deviation of the persons' levels."""
    generator = np.random.default_rng(seed)
    group = np.arange(n) % 3 % groups
    table = 3 + generator.normal(0, 0.5, k) + spread * generator.normal(size=(n, 1)) + generator.normal(size=(n, k))
    return table + 0.7 * group[:, None], group


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("spread", [0.7, 1.2, 40.0])
def test_complete_answers_give_the_variances_of_the_analysis_of_variance(spread, groups):
    for seed in range(4):
        table, group = simulated(seed, spread=spread, groups=groups)
        n, k = table.shape
        between, within = anova(table, group)
        found = leniency(table, np.arange(groups) == group[:, None])
        assert between > within
        assert found.residual_variance == pytest.approx(within, rel=1e-8)
        assert found.person_variance == pytest.approx((between - within) / k, rel=1e-8)
        assert found.intraclass == pytest.approx((between - within) / (between + (k - 1) * within), rel=1e-8)
        np.testing.assert_allclose(found.effects, table.mean(axis=0), rtol=1e-9)
        expected = (found.person_variance + found.residual_variance * np.eye(k)) / n
        np.testing.assert_allclose(found.covariance, expected, rtol=1e-7)
        np.testing.assert_allclose(found.std_error, np.sqrt(np.diag(expected)), rtol=1e-7)
        assert (found.ratings, found.respondents, found.left_out) == (n * k, n, 0)
        assert (found.converged, found.trouble) == (True, None)


def test_persons_who_differ_by_less_than_chance_have_no_variance():
    """The restricted likelihood is then highest at zero, and the two sums of squares are pooled."""
    seen = 0
    for seed in range(12):
        table, group = simulated(seed, n=10, spread=0.0)
        n, k = table.shape
        between, within = anova(table, group)
        found = leniency(table, np.ones((n, 1), bool))
        assert (found.person_variance == 0) == (between <= within)
        if between <= within:
            seen += 1
            pooled = ((n - 1) * between + (n - 1) * (k - 1) * within) / ((n - 1) * k)
            assert found.residual_variance == pytest.approx(pooled, rel=1e-10)
            assert found.intraclass == 0
            np.testing.assert_allclose(found.covariance, pooled * np.eye(k) / n, atol=1e-12)
            assert found.converged
    assert seen >= 3


PARTIAL = [
    [5, 4, NAN, 3],
    [4, 2, 3, NAN],
    [3, 3, 1, 2],
    [NAN, 4, 5, 4],
    [2, NAN, 1, 1],
    [5, 5, 4, NAN],
    [NAN, NAN, 2, 3],
    [4, 3, 3, 2],
    [3, 1, NAN, 2],
    [5, NAN, 4, 5],
]
FIRST_SIX = np.arange(10)[:, None] < 6


@pytest.mark.parametrize(
    ("members", "effects", "std_error", "variances"),
    [
        pytest.param(
            np.ones((10, 1)),
            [4.000138025, 3.041500363, 2.805465406, 2.875339419],
            [0.4282754508, 0.4390970401, 0.4276807263, 0.4276807263],
            [1.3106116619, 0.3890423869],
            id="one group",
        ),
        pytest.param(
            np.hstack([FIRST_SIX, ~FIRST_SIX]),
            [4.000504223, 3.037975192, 2.804430273, 2.878260104],
            [0.4480428915, 0.4585405671, 0.4474417027, 0.4475087173],
            [1.4830568024, 0.3891155104],
            id="two groups",
        ),
        pytest.param(
            np.hstack([np.ones((10, 1)), ~FIRST_SIX, np.zeros((10, 1))]),
            [4.000504223, 3.037975192, 2.804430273, 2.878260104],
            [0.4480428915, 0.4585405671, 0.4474417027, 0.4475087173],
            [1.4830568024, 0.3891155104],
            id="one within the other, and an empty one",
        ),
    ],
)
def test_partial_answers_give_the_numbers_of_r(members, effects, std_error, variances):
    """R's nlme 3.1-162, with y the ratings, q and p factors of question and person, g membership less its mean:

    m <- lme(y ~ q - 1 + g, random = ~ 1 | p, control = lmeControl(tolerance = 1e-12, msTol = 1e-12, opt = "optim"))
    fixef(m); sqrt(diag(m$varFix)); getVarCov(m)[1, 1]; m$sigma^2
    """
    found = leniency(PARTIAL, np.asarray(members, bool))
    np.testing.assert_allclose(found.effects, effects, rtol=1e-7)
    np.testing.assert_allclose(found.std_error, std_error, rtol=1e-6)
    np.testing.assert_allclose([found.person_variance, found.residual_variance], variances, rtol=1e-6)


@pytest.mark.parametrize("spread", [0.5, 2.0])
def test_partial_answers_in_overlapping_groups_give_the_numbers_of_statsmodels(spread):
    from statsmodels.regression.mixed_linear_model import MixedLM

    generator = np.random.default_rng(int(10 * spread))
    table, _ = simulated(7, n=40, k=6, spread=spread)
    table[generator.random(table.shape) < 0.4] = NAN
    members = generator.random((40, 2)) < 0.6
    members[:, 0] |= ~members.any(axis=1)
    person, question = np.nonzero(~np.isnan(table))
    raters = ~np.isnan(table).all(axis=1)
    x = np.hstack([np.eye(6)[question], (members - members[raters].mean(axis=0))[person]])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = MixedLM(table[person, question], x, person).fit(reml=True, method="powell", xtol=1e-9, ftol=1e-12)
    found = leniency(table, members)
    assert found.person_variance == pytest.approx(float(model.cov_re[0, 0]), rel=1e-5)
    assert found.residual_variance == pytest.approx(model.scale, rel=1e-5)
    np.testing.assert_allclose(found.effects, model.fe_params[:6], rtol=1e-5)


def test_the_restricted_likelihood_is_at_its_top_where_the_persons_variance_is_small():
    """The likelihood is written here with whole matrices, and looked at on both sides."""
    table = np.array([[2, 4, 3], [3, 3, 2], [NAN, 3, 3], [4, 4, 3], [2, NAN, 4], [3, 3, 4], [4, 2, NAN], [1, 3, 2]])
    person, question = np.nonzero(~np.isnan(table))
    y, x = table[person, question], np.eye(3)[question]

    def likelihood(ratio):
        v = np.eye(len(y)) + ratio * (person[:, None] == person)
        inverse = np.linalg.inv(v)
        a = x.T @ inverse @ x
        left = y - x @ np.linalg.solve(a, x.T @ inverse @ y)
        spread = (len(y) - 3) * math.log(left @ inverse @ left)
        return -(spread + np.linalg.slogdet(v)[1] + np.linalg.slogdet(a)[1]) / 2

    found = leniency(table, np.ones((8, 1), bool))
    ratio = found.person_variance / found.residual_variance
    assert 0 < ratio < 1
    assert likelihood(ratio) > max(likelihood(0.99 * ratio), likelihood(1.01 * ratio), likelihood(0), likelihood(10))


def test_a_question_that_nobody_rated_has_no_effect_and_leaves_the_others_as_they_are():
    table, members = np.array(PARTIAL), np.ones((10, 1), bool)
    expected, found = leniency(table, members), leniency(np.insert(table, 1, NAN, axis=1), members)
    np.testing.assert_array_equal(np.delete(found.effects, 1), expected.effects)
    np.testing.assert_array_equal(np.delete(found.std_error, 1), expected.std_error)
    assert np.isnan([found.effects[1], found.std_error[1]]).all()


def test_rows_without_a_group_or_a_rating_and_the_order_of_rows_do_not_matter():
    table = np.vstack([PARTIAL, [[1, 5, 1, 5]], [[NAN] * 4]])
    members = np.ones((12, 1), bool)
    members[10] = False
    order = np.random.default_rng(1).permutation(12)
    found, expected = leniency(table[order], members[order]), leniency(PARTIAL, np.ones((10, 1), bool))
    np.testing.assert_allclose(found.effects, expected.effects, rtol=1e-10)
    assert found.person_variance == pytest.approx(expected.person_variance, rel=1e-9)
    assert (found.ratings, found.respondents, found.left_out) == (expected.ratings, 10, 0)


def test_of_too_many_ratings_the_same_respondents_are_taken_whatever_their_order():
    table, _ = simulated(5, n=60, k=5)
    keys, members = np.random.default_rng(1).integers(1, 2**63, 60).astype(np.uint64), np.ones((60, 1), bool)
    found = leniency(table, members, keys=keys, largest=103)
    assert (found.ratings, found.respondents, found.left_out) == (100, 20, 40)
    order = np.random.default_rng(2).permutation(60)
    again = leniency(table[order], members, keys=keys[order], largest=103)
    np.testing.assert_allclose(again.effects, found.effects, rtol=1e-10)
    others = leniency(table, members, keys=keys + np.uint64(1), largest=103)
    assert abs(others.effects - found.effects).max() > 1e-3


@pytest.mark.parametrize("keys", [None, np.zeros(400, np.uint64)], ids=["no keys", "nobody has one"])
def test_respondents_left_out_for_size_are_spread_over_the_rows(keys):
    """Without a key the hash is of the row; 100 of 400 would hold some 50 of the first half, by 4 standard errors."""
    table = np.where(np.arange(400)[:, None] < 200, 1.0, 3.0) + np.random.default_rng(1).normal(0, 0.1, (400, 2))
    found = leniency(table, np.ones((400, 1), bool), keys=keys, largest=200)
    assert found.respondents == 100
    assert abs(found.effects.mean() - 2) < 4 * math.sqrt(0.75 / 100)


@pytest.mark.parametrize(
    ("table", "members", "trouble"),
    [
        pytest.param(np.zeros((0, 3)), np.ones((0, 1)), NoFit.TOO_FEW, id="nobody"),
        pytest.param(np.zeros((3, 0)), np.ones((3, 1)), NoFit.TOO_FEW, id="no question"),
        pytest.param([[1, 2], [2, 1]], np.zeros((2, 1)), NoFit.TOO_FEW, id="no member"),
        pytest.param([[NAN, NAN]] * 3, np.ones((3, 1)), NoFit.TOO_FEW, id="no rating"),
        pytest.param([[1], [2], [4]], np.ones((3, 1)), NoFit.TOO_FEW, id="one question"),
        pytest.param([[1, 2, 4]], np.ones((1, 1)), NoFit.TOO_FEW, id="one person"),
        pytest.param([[1, NAN], [NAN, 3], [2, NAN], [NAN, 2]], np.ones((4, 1)), NoFit.TOO_FEW, id="one rating each"),
        pytest.param([[1, 2, 1], [4, 3, 5]], np.eye(2), NoFit.TOO_FEW, id="one person in each group"),
        pytest.param(
            [[1, 2, NAN, NAN], [2, 1, NAN, NAN], [NAN, NAN, 3, 4], [NAN, NAN, 4, 2]],
            [[1, 0], [1, 0], [0, 1], [0, 1]],
            NoFit.APART,
            id="each group rated its own questions",
        ),
        pytest.param([[1, 2, 3], [3, 4, 5], [2, 3, 4]], np.ones((3, 1)), NoFit.NO_RESIDUAL, id="levels alone"),
        pytest.param([[4] * 4] * 5, np.ones((5, 1)), NoFit.NO_RESIDUAL, id="all equal"),
        pytest.param([[1] * 3, [3] * 3, [3] * 3], np.ones((3, 1)), NoFit.NO_RESIDUAL, id="straight lines"),
    ],
)
def test_what_no_model_fits_says_why(table, members, trouble):
    found = leniency(table, np.asarray(members, bool))
    assert (found.trouble, found.converged) == (trouble, False)
    assert np.isnan(found.effects).all()
    assert np.isnan(found.std_error).all()
    assert np.isnan([found.person_variance, found.residual_variance, found.intraclass]).all()


def test_too_small_a_size_leaves_too_few():
    found = leniency(PARTIAL, np.ones((10, 1), bool), largest=1)
    assert (found.trouble, found.respondents, found.left_out) == (NoFit.TOO_FEW, 0, 10)


@pytest.mark.parametrize(
    ("table", "members", "keys", "message"),
    [
        pytest.param(
            np.ones((3, 2)),
            np.ones((2, 1)),
            None,
            "ratings and members need the same rows, got the shapes (3, 2) and (2, 1)",
            id="rows",
        ),
        pytest.param([[1, math.inf]], [[1]], None, "ratings must be finite, or NaN for none", id="infinite"),
        pytest.param([[1, 2]], [[1]], [1, 2], "keys need the shape (1,), got (2,)", id="keys"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(table, members, keys, message):
    with pytest.raises(ValueError) as refused:
        leniency(table, members, keys=keys)
    assert str(refused.value) == message


def test_leniency_leaves_its_inputs_as_they_were():
    arrays = np.array(PARTIAL), np.ones((10, 1), bool), np.arange(10, dtype=np.uint64)
    before = [array.copy() for array in arrays]
    leniency(arrays[0], arrays[1], keys=arrays[2], largest=20)
    for array, old in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(array, old)
