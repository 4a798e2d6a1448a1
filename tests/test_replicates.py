"""Replicates' standard errors equal R's survey package, closed forms, linearisation, and a loop over the rows."""

from __future__ import annotations

import re
from dataclasses import fields, replace
from itertools import product

import numpy as np
import pytest
from conftest import block

from materiality.errors import Faults
from materiality.estimates import estimate, summarise
from materiality.moments import moments_of
from materiality.replicates import (
    ReplicateMethod,
    Replicates,
    jackknife,
    keys_of,
    replicate_covariance,
    replicate_means,
    replicate_std_errors,
    rescaled_bootstrap,
)
from materiality.responses import NO_CATEGORY, stack
from materiality.study import Study
from materiality.weights import weigh

JACKKNIFE, BOOTSTRAP = ReplicateMethod
NAN = float("nan")

R_STRATUM = [1] * 5 + [2] * 7
R_CLUSTER = [1, 1, 2, 3, 3, 4, 4, 5, 6, 6, 7, 7]
R_WEIGHT = [1, 2, 1.5, 1, 3, 2, 1, 1, 2.5, 1, 1, 2]
R_CLASSES = [[0, 0], [1, 0], [0, 1], [1, 2], [0, 1], [1, 2], [0, 0], [1, 1], [0, 0], [1, 2], [0, 1], [1, 1]]
R_RATINGS = [
    [5, 4],
    [3, NAN],
    [4, 3],
    [2, 3],
    [5, 5],
    [1, 2],
    [4, NAN],
    [3, 4],
    [5, 4],
    [2, 1],
    [4, 5],
    [1, 2],
]
R_POPULATION = np.array([[50.0]] * 5 + [[40.0]] * 7)
R_MARGINS = {"a": {"1": 55, "2": 45}, "b": {"1": 35, "2": 40, "3": 25}}


def study_of(groups, *, trim=None, finite_population=True) -> Study:
    """A study of groups given as keywords of `[[groups]]`."""
    return Study(
        title="Simulated",
        scale={"low": 1, "high": 5},
        responses=[{"file": "none.csv"}],
        groups=[{"id": f"g{k}", **group} for k, group in enumerate(groups)],
        issues=[{"id": "i"}],
        axes={"x": {"column": "X"}},
        weighting={"trim": trim, "finite_population": finite_population, "no_category": "keep"},
    )


def shuffled(responses, seed):
    return responses.take(np.random.default_rng(seed).permutation(len(responses)))


def whole(rows):
    return Replicates(np.ones((1, 1)), np.zeros(rows, int), np.ones(1), np.zeros(1, int))


def all_means(groups, questions):
    """Targets: every question in every group, groups outside."""
    return np.tile(np.arange(questions), groups), np.repeat(np.eye(groups), questions, axis=0)


def simulated(rng, sizes, questions, *, blank=0.05, margins=2):
    """Simulated ratings, with categories that matter and were sampled unevenly."""
    members = np.repeat(np.eye(len(sizes), dtype=bool), sizes, axis=0)
    n = len(members)
    categories = np.array([rng.choice(k + 2, n, p=[0.6, *[0.4 / (k + 1)] * (k + 1)]) for k in range(margins)], int)
    categories = categories.reshape(margins, n).T
    latent = 3.6 + 0.6 * rng.standard_normal((n, 1)) + rng.standard_normal((n, questions))
    latent += categories.sum(axis=1, keepdims=True) * 0.5
    ratings = np.clip(np.round(latent), 1, 5)
    ratings[rng.random(ratings.shape) < blank] = np.nan
    return block(ratings, members, categories=categories, weight=rng.choice([0.5, 1.0, 2.0], n))


def r_errors(*, margins=None, stratum=True, cluster=None, population=None, ratings=R_RATINGS):
    """Standard errors of both variables on the data that R was given."""
    study = study_of([{"margins": margins or {}}])
    responses = block(
        ratings,
        [[True]] * 12,
        weight=R_WEIGHT,
        categories=R_CLASSES if margins else None,
        stratum=R_STRATUM if stratum else None,
        cluster=cluster,
    )
    return replicate_std_errors(
        study,
        shuffled(responses, 1),
        np.arange(2),
        np.ones((2, 1)),
        method=JACKKNIFE,
        seed=0,
        population=None if population is None else shuffled_like(population, 1),
    )


def shuffled_like(values, seed):
    return values[np.random.default_rng(seed).permutation(len(values))]


@pytest.mark.parametrize(
    ("design", "expected"),
    [
        pytest.param({"stratum": False}, [0.5574594662272272, 0.49816578355078955], id="JK1"),
        pytest.param({"population": R_POPULATION}, [0.5055767826243287, 0.45182561663437931], id="JKn with fpc"),
        pytest.param({"cluster": R_CLUSTER}, [0.39098483673431361, 0.35387896136084779], id="JKn of clusters"),
        pytest.param({"stratum": False, "margins": R_MARGINS}, [0.28456079271214785, 0.37684307787450694], id="raked"),
        pytest.param(
            {"population": R_POPULATION, "margins": R_MARGINS},
            [0.24484767361576706, 0.35051336238119579],
            id="raked JKn with fpc",
        ),
    ],
)
def test_jackknife_standard_errors_equal_r(design, expected):
    """R 4, survey 4.1.1, with the vectors above as data frame `d` (classes a and b as factors from 1), fpc N:

    jk1 <- as.svrepdesign(svydesign(~1, weights = ~w, data = d), type = "JK1", mse = TRUE)
    jkn <- as.svrepdesign(svydesign(~1, strata = ~stratum, weights = ~w, fpc = ~N, data = d), type = "JKn", mse = TRUE)
    cl <- as.svrepdesign(svydesign(~cluster, strata = ~stratum, weights = ~w, data = d), type = "JKn", mse = TRUE)
    pop <- c("(Intercept)" = 100, a2 = 45, b2 = 40, b3 = 25)
    rk <- function(x) calibrate(x, ~a + b, population = pop, calfun = "raking", epsilon = 1e-13, maxit = 500)
    SE(svymean(~y, jk1)); SE(svymean(~z, jk1, na.rm = TRUE))  # and so for jkn, cl, rk(jk1), rk(jkn)
    """
    np.testing.assert_allclose(r_errors(**design).std_error, expected, rtol=1e-9)


def test_the_jackknife_covariance_of_raked_means_equals_r():
    """As above, z2 being z with 3 where it is missing, in a JKn design without fpc: vcov(svymean(~y + z2, rk(jk2)))."""
    ratings = np.nan_to_num(R_RATINGS, nan=3.0)
    expected = [[0.069922643102968890, 0.061668776654699678], [0.061668776654699678, 0.099956914866858315]]
    np.testing.assert_allclose(r_errors(margins=R_MARGINS, ratings=ratings).covariance, expected, rtol=1e-9)


def test_covariance_around_the_mean_of_the_replicates_equals_r():
    """As above: SE(svymean(~y, as.svrepdesign(…, fpc = ~N, type = "JKn", mse = FALSE)))."""
    fraction = np.where(np.array(R_STRATUM) == 1, 5 / 50, 7 / 40)
    drawn = jackknife(R_STRATUM, range(12), fraction=fraction)
    responses = block(R_RATINGS, [[True]] * 12, weight=R_WEIGHT)
    means = replicate_means(study_of([{}]), responses, drawn)[:, 0, :1]
    found = replicate_covariance(means, None, drawn.scales, sets=drawn.sets)
    assert np.sqrt(found.item()) == pytest.approx(0.50553438290226815, rel=1e-9)


@pytest.mark.parametrize("population", [None, 40])
def test_the_jackknife_of_a_plain_mean_is_the_textbook_standard_error(population):
    ratings = np.random.default_rng(1).choice(np.arange(1.0, 6.0), (17, 3))
    study = study_of([{"population": population} if population else {}])
    responses = block(ratings, [[True]] * 17)
    found = replicate_std_errors(study, responses, np.arange(3), np.ones((3, 1)), method=JACKKNIFE, seed=0)
    kept = 1 - 17 / population if population else 1.0
    np.testing.assert_allclose(found.covariance, kept * np.cov(ratings.T) / 17, rtol=1e-12)
    assert found.replicates_used.tolist() == [17, 17, 17]


def test_the_population_is_left_aside_where_the_study_wants_no_correction():
    ratings = np.arange(1.0, 6.0)[:, None]
    study = study_of([{"population": 6}], finite_population=False)
    found = replicate_std_errors(
        study, block(ratings, [[True]] * 5), np.array([0]), np.ones((1, 1)), method=JACKKNIFE, seed=0
    )
    assert found.std_error[0] == pytest.approx(np.sqrt(2.5 / 5), rel=1e-12)


def test_a_group_asked_whole_has_no_sampling_error():
    study = study_of([{"population": 5}])
    for method in ReplicateMethod:
        found = replicate_std_errors(
            study,
            block([[1], [2], [3], [4], [5]], [[True]] * 5),
            np.array([0]),
            np.ones((1, 1)),
            method=method,
            seed=0,
        )
        assert found.std_error.tolist() == [0.0]


def trimmed_or_not(trim):
    return pytest.param(trim, id="trimmed" if trim else "raked")


@pytest.mark.parametrize("trim", [trimmed_or_not(None), trimmed_or_not((0.6, 1.6))])
@pytest.mark.parametrize("method", ReplicateMethod)
def test_replicates_raked_together_equal_each_weighted_by_itself(method, trim):
    rng = np.random.default_rng(7)
    responses = simulated(rng, [60, 40], 3)
    categories = responses.categories.copy()
    categories[:4, 0] = NO_CATEGORY
    responses = replace(responses, categories=categories)
    margins = {"a": {"x": 45, "y": 55}, "b": {"p": 4, "q": 3, "r": 3}}
    other = {"b": {"r": 2, "p": 5, "q": 3}, "a": {"y": 2, "x": 3}}
    study = study_of([{"margins": margins}, {"margins": other}], trim=trim)
    group = responses.members.argmax(axis=1)
    if method is JACKKNIFE:
        # trimming counts respondents, so only one multiplier per group can be told by the rows
        drawn = jackknife(group if trim else 2 * group + np.arange(100) % 3 // 2, np.arange(100))
    else:
        drawn = rescaled_bootstrap(group, np.arange(100), np.arange(100), seed=3, replicates=40)
    found = replicate_means(study, responses, drawn)
    failures = 0
    for r, multipliers in enumerate(drawn.multipliers.T):
        kept = multipliers > 0
        if method is JACKKNIFE:
            left = responses.take(kept)
            left = left if trim else replace(left, weight=left.weight * multipliers[kept])
        else:
            left = responses.take(np.repeat(np.arange(100), np.round(multipliers).astype(int)))
        moments = moments_of(left, midpoint=3.0, apart=trim is not None)
        faults = Faults()
        expected = summarise(moments, weigh(study, moments, faults, "study.toml")).means
        for g in range(2):
            if any(f"'g{g}'" in fault.what for fault in faults):
                assert np.isnan(found[r, g]).all()
                failures += 1
            else:
                np.testing.assert_allclose(found[r, g], expected[g], rtol=1e-8)
    assert failures < 20


@pytest.mark.parametrize("raked", [True, False])
def test_both_methods_come_near_linearisation_in_a_large_group(raked):
    responses = simulated(np.random.default_rng(11), [900], 4)
    margins = {"a": {"x": 35, "y": 65}, "b": {"p": 3, "q": 3, "r": 4}} if raked else {}
    study = study_of([{"margins": margins, "population": 3000}])
    moments = moments_of(responses, midpoint=3.0)
    sample = summarise(moments, weigh(study, moments, Faults(), "study.toml"))
    questions, weights = all_means(1, 4)
    expected = estimate(
        sample,
        questions,
        weights,
        confidence=0.95,
        low=1,
        high=5,
        population=np.array([3000.0]),
        cautious_below=0,
    )
    left_out = replicate_std_errors(study, responses, questions, weights, method=JACKKNIFE, seed=0)
    np.testing.assert_allclose(left_out.std_error, expected.std_error, rtol=0.02)
    scale = np.outer(expected.std_error, expected.std_error)
    np.testing.assert_allclose(left_out.covariance / scale, expected.covariance / scale, atol=0.04)
    drawn = replicate_std_errors(study, responses, questions, weights, method=BOOTSTRAP, seed=5, replicates=500)
    # four Monte Carlo standard errors, each 1/√(2 · 500)
    np.testing.assert_allclose(drawn.std_error, expected.std_error, rtol=4 / np.sqrt(1000))
    assert drawn.replicates_used.tolist() == [500] * 4


def test_respondents_of_several_groups_are_drawn_once_and_link_their_groups_as_in_linearisation():
    rng = np.random.default_rng(2)
    members = rng.random((300, 4)) < [0.5, 0.3, 0.25, 0.12]
    members[:, 3] &= ~members[:, 0]
    members[~members.any(axis=1), 0] = True
    latent = 3.4 + rng.standard_normal((300, 1)) + rng.standard_normal((300, 3))
    responses = block(np.clip(np.round(latent), 1, 5), members, weight=rng.choice([1.0, 2.0], 300))
    population = [400, 1000, None, 60]
    study = study_of([{"population": n} if n else {} for n in population])
    sample = summarise(moments_of(responses, midpoint=3.0))
    questions, weights = all_means(4, 3)
    questions, weights = np.r_[questions, 0, 1], np.vstack([weights, [[0.25] * 4, [1, -1, 0, 0]]])
    expected = estimate(
        sample,
        questions,
        weights,
        confidence=0.95,
        low=-9,
        high=9,
        population=np.array([n or NAN for n in population]),
    )
    scale = np.outer(expected.std_error, expected.std_error)
    assert np.abs(np.triu(expected.covariance / scale, 3)).max() > 0.2
    left_out = replicate_std_errors(study, responses, questions, weights, method=JACKKNIFE, seed=0)
    np.testing.assert_allclose(left_out.covariance / scale, expected.covariance / scale, atol=0.04)
    drawn = replicate_std_errors(study, responses, questions, weights, method=BOOTSTRAP, seed=1, replicates=1500)
    np.testing.assert_allclose(drawn.covariance / scale, expected.covariance / scale, atol=0.15)


def test_the_jackknife_of_unweighted_groups_that_share_respondents_is_the_linearised_covariance():
    rng = np.random.default_rng(13)
    members = rng.random((47, 4)) < [0.3, 0.25, 0.2, 0.15]
    members[~members.any(axis=1), 0] = True
    members[:8, :2] = True
    ratings = rng.choice(np.arange(1.0, 6.0), (47, 3))
    population = [60, None, 40, 200]
    study = study_of([{"population": n} if n else {} for n in population])
    questions, weights = all_means(4, 3)
    expected = estimate(
        summarise(moments_of(block(ratings, members), midpoint=3.0)),
        questions,
        weights,
        confidence=0.95,
        low=1,
        high=5,
        population=np.array([n or NAN for n in population]),
    )
    found = replicate_std_errors(study, block(ratings, members), questions, weights, method=JACKKNIFE, seed=0)
    np.testing.assert_allclose(found.covariance, expected.covariance, rtol=1e-9, atol=1e-14)


def test_clusters_that_reach_over_groups_link_them_as_in_linearisation():
    rng = np.random.default_rng(3)
    cluster = np.repeat(np.arange(1, 121), 4)
    members = np.tile([[True, False], [True, False], [False, True], [False, True]], (120, 1))
    latent = 3.4 + np.repeat(rng.standard_normal((120, 2)), 4, axis=0) + rng.standard_normal((480, 2))
    responses = block(np.clip(np.round(latent), 1, 5), members, cluster=cluster)
    questions, weights = all_means(2, 2)
    expected = estimate(
        summarise(moments_of(responses, midpoint=3.0)), questions, weights, confidence=0.95, low=1, high=5
    )
    found = replicate_std_errors(study_of([{}, {}]), responses, questions, weights, method=JACKKNIFE, seed=0)
    assert found.replicates_used.tolist() == [120] * 4
    np.testing.assert_allclose(found.covariance, expected.covariance, rtol=0.02, atol=1e-4)


def several_strata(rng):
    stratum = rng.permutation(np.repeat([5, -3, 9], [4, 11, 2]))
    return stratum, np.arange(17), rng.integers(0, 2**63, 17).astype(np.uint64)


def test_multipliers_keep_each_stratum_s_size_in_every_replicate():
    stratum, unit, key = several_strata(np.random.default_rng(4))
    fraction = np.where(stratum == 5, 0.3, 0.0)
    for drawn in (
        jackknife(stratum, unit),
        jackknife(stratum, unit, largest=10, groups=9),
        rescaled_bootstrap(stratum, unit, key, seed=1, replicates=50, fraction=fraction),
    ):
        assert drawn.factors.min() >= 0
        for h in (5, -3, 9):
            np.testing.assert_allclose(drawn.multipliers[stratum == h].sum(axis=0), (stratum == h).sum())


def test_bootstrap_multipliers_have_mean_1_and_the_variance_and_covariance_of_the_method():
    stratum, unit, key = several_strata(np.random.default_rng(5))
    fraction = np.where(stratum == 5, 0.36, 0.0)
    found = rescaled_bootstrap(stratum, unit, key, seed=9, replicates=5000, fraction=fraction).multipliers
    same = stratum[:, None] == stratum
    n = same.sum(axis=0)
    expected = np.where(same, -1 / (n - 1), 0.0) * (1 - fraction)
    np.fill_diagonal(expected, 1 - fraction)
    np.testing.assert_allclose(found.mean(axis=1), 1.0, atol=5 / np.sqrt(5000))
    np.testing.assert_allclose(np.cov(found), expected, atol=8 / np.sqrt(5000))


def test_the_bootstrap_s_variance_of_a_plain_mean_is_unbiased_even_for_four_ratings():
    ratings = np.array([1.0, 2.0, 2.0, 5.0])
    drawn = rescaled_bootstrap([0] * 4, range(4), range(4), seed=2, replicates=8000, fraction=[0.25] * 4)
    spread = np.mean((drawn.multipliers.T @ ratings / 4 - ratings.mean()) ** 2)
    assert spread == pytest.approx(0.75 * ratings.var(ddof=1) / 4, rel=5 * np.sqrt(2 / 8000))


def test_the_first_replicates_are_the_same_however_many_are_asked_for():
    few, many = (rescaled_bootstrap([0] * 9, range(9), range(9), seed=4, replicates=r).factors for r in (5, 20))
    np.testing.assert_array_equal(few, many[:, :5])


def test_another_seed_draws_other_replicates_and_strata_draw_apart():
    one, other = (
        rescaled_bootstrap([1] * 30 + [2] * 30, [*range(30)] * 2, [*range(30)] * 2, seed=s, replicates=40).multipliers
        for s in (1, 2)
    )
    assert (one != other).any()
    assert not np.array_equal(np.sort(one[:30], axis=0), np.sort(one[30:], axis=0))
    assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 0.1


def test_multipliers_follow_their_respondents_whatever_the_order_of_the_rows():
    stratum, unit, key = several_strata(np.random.default_rng(6))
    order = np.random.default_rng(7).permutation(17)
    for make in (
        lambda rows: jackknife(stratum[rows], key[rows], largest=10, groups=9),
        lambda rows: rescaled_bootstrap(stratum[rows], unit[rows], key[rows], seed=3, replicates=30),
    ):
        np.testing.assert_array_equal(make(order).multipliers, make(np.arange(17)).multipliers[order])


def study_with_everything():
    margins = {"a": {"x": 35, "y": 65}, "b": {"p": 3, "q": 3, "r": 4}}
    return study_of([{"margins": margins, "population": 400}, {}, {}])


def responses_with_everything(rng):
    """Strata, clusters, several groups, rows that are equal, ids for some."""
    responses = simulated(rng, [60, 40, 20], 3)
    members = responses.members.copy()
    members[60:70, 2] = True
    cluster = np.zeros(120, np.uint64)
    cluster[70:90] = np.repeat(np.arange(1, 6), 4)
    responses = replace(
        responses,
        members=members,
        cluster=cluster,
        stratum=np.r_[np.repeat([1, 2], 30), np.zeros(60, int)],
        identity=np.r_[np.arange(1, 41), np.zeros(80)].astype(np.uint64),
    )
    twice = responses.take(np.r_[30:45, 45:50, 110:115])
    return stack([responses, replace(twice, identity=np.zeros(len(twice), np.uint64))])


@pytest.mark.parametrize("method", ReplicateMethod)
def test_the_order_of_the_rows_and_their_split_over_files_change_nothing(method):
    study, responses = study_with_everything(), responses_with_everything(np.random.default_rng(8))
    questions, weights = all_means(3, 3)

    def covariance(rows):
        return replicate_std_errors(study, rows, questions, weights, method=method, seed=6, replicates=40).covariance

    expected = covariance(responses)
    assert np.isfinite(expected).all()
    np.testing.assert_array_equal(covariance(shuffled(responses, 1)), expected)
    pieces = [responses.take(np.arange(start, len(responses), 4)) for start in (2, 0, 3, 1)]
    files = [replace(one, export=np.full(len(one), k, np.int32)) for k, one in enumerate(pieces)]
    np.testing.assert_array_equal(covariance(stack(files)), expected)


def test_keys_are_all_different_and_travel_with_their_rows():
    responses = responses_with_everything(np.random.default_rng(9))
    keys = keys_of(responses)
    assert len(set(keys.tolist())) == len(responses)
    assert keys[:30].tolist() == list(range(1, 31))
    order = np.random.default_rng(1).permutation(len(responses))
    moved = keys_of(responses.take(order))
    assert sorted(moved.tolist()) == sorted(keys.tolist())
    by_key = dict(zip(keys.tolist(), range(len(keys)), strict=True))
    for key, row in zip(moved.tolist(), order, strict=True):
        one, other = responses.take(np.array([by_key[key]])), responses.take(np.array([row]))
        for name in ("ratings", "members", "weight", "categories", "stratum", "cluster", "identity"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


@pytest.mark.parametrize("change", ["ratings", "kinds", "members", "weight", "categories", "stratum", "cluster"])
def test_keys_tell_rows_apart_that_say_different_things(change):
    one = block([[4, NAN]], [[True, False]], categories=[[1]])
    other = {
        "ratings": {"ratings": np.array([[5, NAN]])},
        "kinds": {"kinds": np.array([[0, 2]], np.int8)},
        "members": {"members": np.array([[True, True]])},
        "weight": {"weight": np.array([1.5])},
        "categories": {"categories": np.array([[-2]], np.int16)},
        "stratum": {"stratum": np.array([7])},
        "cluster": {"cluster": np.array([2**64 - 1], np.uint64)},
    }[change]
    assert change in {field.name for field in fields(one)}
    assert keys_of(one) != keys_of(replace(one, **other))


def test_rows_of_one_identity_are_told_apart_by_what_they_say():
    rows = block([[4], [5], [4]], [[True]] * 3, identity=[8, 8, 9])
    there, back = keys_of(rows), keys_of(rows.take(np.array([2, 1, 0])))
    assert len(set(there.tolist())) == 3
    np.testing.assert_array_equal(there, back[::-1])


def test_above_the_limit_random_groups_are_left_out_and_small_strata_keep_single_units():
    stratum = np.repeat([1, 2, 3], [700, 300, 5])
    drawn = jackknife(stratum, np.arange(1005), largest=1000, groups=45)
    assert len(drawn) == 45
    left_out = (drawn.multipliers == 0).sum(axis=0)
    by_stratum = [sorted(set(left_out[drawn.sets == h].tolist())) for h in range(3)]
    assert [int((drawn.sets == h).sum()) for h in range(3)] == [20, 20, 5]
    assert by_stratum == [[35], [15], [1]]
    assert ((drawn.multipliers == 0).sum(axis=1) == 1).all()
    np.testing.assert_allclose(np.unique(drawn.scales), [0.8, 0.95])


def test_the_variance_from_random_groups_is_unbiased_over_their_draw():
    ratings = np.random.default_rng(1).choice(np.arange(1.0, 6.0), 60)
    found = []
    for seed in range(400):
        drawn = jackknife([0] * 60, range(60), largest=50, groups=12, seed=seed)
        means = drawn.multipliers.T @ ratings / 60
        found.append(replicate_covariance(means[:, None], [ratings.mean()], drawn.scales).item())
    expected = ratings.var(ddof=1) / 60
    assert np.mean(found) == pytest.approx(expected, abs=4 * np.std(found) / 20)
    assert np.mean(found) == pytest.approx(expected, rel=0.1)


def test_a_replicate_without_a_wanted_category_fails_and_is_counted_and_the_others_stand_for_it():
    ratings = np.array([5.0, 2, 3, 4, 1, 4, 5])
    categories = [[1]] + [[0]] * 6
    study = study_of([{"margins": {"a": {"x": 6, "y": 1}}}, {}])
    responses = block(
        np.r_[ratings, [1, 2, 5]][:, None],
        [[True, False]] * 7 + [[False, True]] * 3,
        categories=[*categories, [-1], [-1], [-1]],
    )
    found = replicate_std_errors(study, responses, np.array([0, 0]), np.eye(2), method=JACKKNIFE, seed=0)
    assert found.replicates_used.tolist() == [9, 10]
    deviations = [(5 + 6 * np.delete(ratings[1:], k).mean()) / 7 - ratings.mean() for k in range(6)]
    np.testing.assert_allclose(found.covariance[0, 0], 6 / 7 * 7 / 6 * np.square(deviations).sum(), rtol=1e-9)
    np.testing.assert_allclose(found.covariance[1, 1], np.var([1, 2, 5], ddof=1) / 3, rtol=1e-12)


def test_a_column_left_with_nobody_who_says_a_category_fails_too():
    study = study_of([{"margins": {"a": {"x": 1}}}])
    responses = block([[1], [2], [3]], [[True]] * 3, categories=[[0], [NO_CATEGORY], [NO_CATEGORY]])
    means = replicate_means(study, responses, jackknife([0] * 3, range(3)))[:, 0, 0]
    assert sorted(np.isnan(means).tolist()) == [False, False, True]
    np.testing.assert_allclose(np.sort(means)[:2], [1.5, 2.0], rtol=1e-9)


def test_the_covariance_is_a_sum_of_squares_with_failures_made_up_for_within_their_set():
    estimates = np.array([[1.0, 2.0], [3.0, NAN], [2.0, 5.0], [4.0, 4.0]])
    scales, sets = np.array([0.5, 0.5, 0.25, 0.25]), np.array([0, 0, 1, 1])
    found = replicate_covariance(estimates, [2.0, 3.0], scales, sets=sets)
    second = 0.5 * 2 * 1 + 0.25 * (4 + 1)
    cross = 0.5 * np.sqrt(2) * (-1) * (-1) + 0.25 * (0 * 2 + 2 * 1)
    first = 0.5 * (1 + 1) + 0.25 * (0 + 4)
    np.testing.assert_allclose(found, [[first, cross], [cross, second]], rtol=1e-12)


def test_the_covariance_never_has_a_negative_eigenvalue_whatever_fails():
    rng = np.random.default_rng(12)
    estimates = rng.standard_normal((8, 6)) + 5 * rng.standard_normal((8, 1))
    estimates[rng.random(estimates.shape) < 0.4] = np.nan
    estimates[0] = 1.0
    found = replicate_covariance(estimates, np.zeros(6), np.ones(8))
    assert np.linalg.eigvalsh(found).min() > -1e-12 * np.abs(found).max()


def test_estimates_without_centre_or_with_a_set_that_fails_whole_are_unknown():
    estimates = np.array([[1.0, 1.0, NAN], [2.0, 2.0, NAN], [1.5, 2.0, 3.0]])
    found = replicate_covariance(estimates, [1.0, NAN, 3.0], np.ones(3), sets=np.array([4, 4, 5]))
    assert np.isfinite(found).tolist() == [[True, False, False], [False] * 3, [False] * 3]


@pytest.mark.parametrize("method", ReplicateMethod)
def test_ratings_that_agree_have_no_error_and_single_ratings_an_unknown_one(method):
    rng = np.random.default_rng(1)
    ratings = [[4, 2, NAN], [4, NAN, NAN], [4, NAN, NAN], [5, 5, 5], [4, 4, 4]]
    responses = block(ratings, [[True, False, False]] * 3 + [[False, True, False]] * 2, weight=rng.uniform(0.5, 2, 5))
    questions, weights = all_means(3, 3)
    questions, weights = np.r_[questions, 0], np.vstack([weights, [0, 0, 0]])
    found = replicate_std_errors(study_of([{}] * 3), responses, questions, weights, method=method, seed=0)
    assert found.std_error[0] == 0.0
    assert np.isfinite(found.std_error).tolist() == [True, False, False, True, True, True, False, False, False, False]


def test_one_cluster_alone_shows_no_variance():
    responses = block([[4], [2], [5]], [[True]] * 3, cluster=[6, 6, 6])
    found = replicate_std_errors(study_of([{}]), responses, np.array([0]), np.ones((1, 1)), method=JACKKNIFE, seed=0)
    assert np.isnan(found.std_error).all()
    assert found.replicates_used.tolist() == [0]


def test_strata_of_one_respondent_are_joined():
    ratings = np.array([1.0, 2, 5, 2, 4, 4])
    responses = block(ratings[:, None], [[True]] * 6, stratum=[1, 2, 3, 8, 8, 8])
    found = replicate_std_errors(study_of([{}]), responses, np.array([0]), np.ones((1, 1)), method=JACKKNIFE, seed=0)
    expected = (3 * np.var(ratings[:3], ddof=1) + 3 * np.var(ratings[3:], ddof=1)) / 36
    assert found.covariance.item() == pytest.approx(expected, rel=1e-12)


def test_a_lone_stratum_of_one_respondent_joins_the_smallest_other():
    ratings = np.array([1.0, 2, 5, 2, 4, 4])
    responses = block(ratings[:, None], [[True]] * 6, stratum=[1, 2, 2, 8, 8, 8])
    found = replicate_std_errors(study_of([{}]), responses, np.array([0]), np.ones((1, 1)), method=JACKKNIFE, seed=0)
    expected = (3 * np.var(ratings[:3], ddof=1) + 3 * np.var(ratings[3:], ddof=1)) / 36
    assert found.covariance.item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("method", ReplicateMethod)
def test_no_respondents_leave_every_error_unknown(method):
    nobody = block(np.zeros((0, 2)), np.zeros((0, 1)))
    found = replicate_std_errors(study_of([{}]), nobody, np.arange(2), np.ones((2, 1)), method=method, seed=0)
    assert np.isnan(found.covariance).all()
    assert found.replicates_used.tolist() == [0, 0]


def test_respondents_of_no_group_change_nothing():
    some = block([[1], [2], [5]], [[True]] * 3)
    more = stack([some, block([[4], [4]], [[False]] * 2)])
    one, other = (
        replicate_std_errors(study_of([{}]), rows, np.array([0]), np.ones((1, 1)), method=BOOTSTRAP, seed=0)
        for rows in (some, more)
    )
    np.testing.assert_array_equal(one.covariance, other.covariance)


def test_a_score_s_variance_follows_from_its_groups_weights():
    rng = np.random.default_rng(3)
    responses = simulated(rng, [12, 9], 2, margins=0)
    study, lam = study_of([{}, {}]), np.array([[0.7, 0.3], [1.0, -1.0]])
    questions, weights = all_means(2, 2)
    parts = replicate_std_errors(study, responses, questions, weights, method=JACKKNIFE, seed=0).covariance
    found = replicate_std_errors(study, responses, np.array([0, 1]), lam, method=JACKKNIFE, seed=0).covariance
    lead = np.array([[0.7, 0, 0.3, 0], [0, 1.0, 0, -1.0]])
    np.testing.assert_allclose(found, lead @ parts @ lead.T, rtol=1e-9, atol=1e-15)


def test_the_inputs_stay_as_they_are():
    responses = responses_with_everything(np.random.default_rng(8))
    before = {field.name: getattr(responses, field.name).copy() for field in fields(responses)}
    questions, weights = all_means(3, 3)
    replicate_std_errors(study_with_everything(), responses, questions, weights, method=BOOTSTRAP, seed=0, replicates=3)
    for name, values in before.items():
        np.testing.assert_array_equal(getattr(responses, name), values)


def test_percentile_intervals_of_five_ratings_cover_81_percent():
    """Every sample and every draw of the rescaled bootstrap, one by one: why the module gives standard errors only."""
    chances = {3.0: 0.1, 4.0: 0.2, 5.0: 0.7}
    draws = np.array([np.bincount(draw, minlength=5) for draw in product(range(5), repeat=4)]) / 4
    covered = 0.0
    for sample in product(chances, repeat=5):
        means = draws @ np.array(sample)
        low, high = np.quantile(means, [0.025, 0.975], method="inverted_cdf")
        covered += np.prod([chances[point] for point in sample]) * (low - 1e-9 <= 4.6 <= high + 1e-9)
    assert covered == pytest.approx(0.81, abs=0.005)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: jackknife([0, 0], [0]), "shapes differ: (2,), (1,), (1,), (2,)"),
        (lambda: jackknife([0.5], [0]), "strata, units and keys must be whole numbers, shape (rows,)"),
        (lambda: jackknife([0, 0], [0, 1], fraction=[0.2, 1.2]), "a sampled fraction is not within 0 and 1"),
        (lambda: jackknife([0, 0], [0, 1], fraction=[0.2, NAN]), "a sampled fraction is not within 0 and 1"),
        (lambda: jackknife([0, 0], [0, 1], fraction=[0.2, 0.3]), "a stratum has more than one sampled fraction"),
        (
            lambda: rescaled_bootstrap([0, 0], [0, 1], [5, 5], seed=0, replicates=2),
            "two units of a stratum have the same key",
        ),
        (
            lambda: rescaled_bootstrap([0], [0], [5], seed=-1, replicates=2),
            "the seed -1 is not from 0 below 2⁶⁴",
        ),
        (
            lambda: rescaled_bootstrap([0], [0], [5], seed=0, replicates=0),
            "0 replicates are asked for; there must be at least 1",
        ),
        (
            lambda: replicate_means(study_of([{}]), block([[1]], [[True]]), whole(2)),
            "the replicates have 2 rows, the block 1",
        ),
        (lambda: replicate_covariance([[1.0]], [1.0], [1.0, 1.0]), "shapes differ: (1, 1), (2,), (2,)"),
        (lambda: replicate_covariance([[1.0]], [1.0], [-1.0]), "a scale is negative or not finite"),
        (
            lambda: replicate_covariance([[1.0]], [1.0, 2.0], [1.0]),
            "the centre has shape (2,), the estimates (1, 1)",
        ),
    ],
)
def test_a_caller_s_slip_is_named(call, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        call()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"weights": np.ones((1, 2))}, "weights have shape (1, 2), not (1, 1)"),
        ({"population": np.ones(3)}, "population has shape (3,)"),
        ({"method": "jacknife"}, "'jacknife' is not a valid ReplicateMethod"),
    ],
)
def test_a_caller_s_slip_over_the_study_is_named(changed, message):
    given = {"questions": np.array([0]), "weights": np.ones((1, 1)), "method": JACKKNIFE, "seed": 0} | changed
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        replicate_std_errors(study_of([{}]), block([[1]], [[True]]), **given)
