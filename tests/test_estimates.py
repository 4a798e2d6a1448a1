"""Estimates equal R's survey package, closed forms, and a second route through the rows."""

from __future__ import annotations

import csv
import math
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from conftest import block, shared
from scipy import stats as scipy_stats

from materiality.estimates import _without_one_cluster, estimate, rating_variances, score_weights, summarise
from materiality.linearisation import design_of
from materiality.moments import moments_of

VARIABLES = ("api00", "api99", "meals", "ell", "sch.wide")
STYPES = ("E", "H", "M")
NAN = math.nan
RELATIVE = 1e-9
THOUSANDS = np.array([1.0, 1.0, 1.0, 1.0, 1000.0])
"""The yes/no variable is read in thousandths, to be of the size of the others: all share one midpoint."""


def api(name: str, columns: tuple[str, ...] = VARIABLES):
    """R's api data as a block whose groups are the school types, and the strata's sizes."""
    with shared("reference", "data", f"{name}.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    number = {"": math.nan, "Yes": 1000.0, "No": 0.0}
    ratings = [[number[row[c]] if row[c] in number else float(row[c]) for c in columns] for row in rows]
    members = [[row["stype"] == stype for stype in STYPES] for row in rows]
    responses = block(ratings, members, weight=[float(row["pw"]) for row in rows])
    return responses, np.array([float(row["fpc"]) for row in rows])


def by_group(responses, *, strata=None, population=None, contrasts=None, groups=3):
    """All variables' means in every group (variables inside groups), or combinations of them."""
    sample = summarise(moments_of(responses, midpoint=500.0, strata=strata))
    variables = responses.ratings.shape[1]
    if contrasts is None:
        questions = np.tile(np.arange(variables), groups)
        weights = np.repeat(np.eye(groups), variables, axis=0)
    else:
        questions = np.tile(np.arange(variables), len(contrasts))
        weights = np.repeat(np.asarray(contrasts, float), variables, axis=0)
    cells = None if strata is None else np.array([cell.stratum for cell in sample.moments.cells])
    found = estimate(
        sample, questions, weights, confidence=0.95, low=-np.inf, high=np.inf, population=population, strata=cells
    )
    unit = np.tile(THOUSANDS[-variables:] if variables == 5 else np.ones(variables), len(found.values) // variables)
    return replace(found, values=found.values / unit, covariance=found.covariance / np.outer(unit, unit))


def in_r_order(reference, field):
    """svyby names its coefficients group:variable with variables outside; bring them variables inside groups."""
    place = {name: k for k, name in enumerate(reference["names"])}
    names = [f"{g}:{v}" for g in STYPES for v in ("api00", "api99", "meals", "ell", "sw")]
    order = [place[name] for name in names]
    values = np.array(reference[field], float)
    return values[np.ix_(order, order)] if values.ndim == 2 else values[order]


@pytest.mark.parametrize(("design", "fpc"), [("strat_fpc", True), ("strat_nofpc", False)])
def test_group_means_standard_errors_and_covariances_equal_r_on_a_stratified_sample(golden, design, fpc):
    reference = golden("survey_linearisation.json")["domains"][design]["stype"]
    responses, sizes = api("apistrat")
    population = np.array([sizes[responses.members[:, g]][0] for g in range(3)]) if fpc else None
    found = by_group(responses, population=population)
    np.testing.assert_allclose(found.values, in_r_order(reference, "est"), rtol=RELATIVE)
    np.testing.assert_allclose(found.std_error, in_r_order(reference, "se"), rtol=RELATIVE)
    scale = np.sqrt(np.outer(*(np.diag(in_r_order(reference, "vcov")),) * 2))
    np.testing.assert_allclose(found.covariance / scale, in_r_order(reference, "vcov") / scale, atol=RELATIVE)


def test_group_means_and_covariances_equal_r_where_groups_are_domains_of_a_simple_random_sample(golden):
    reference = golden("survey_linearisation.json")["domains"]["srs_fpc"]["stype"]
    responses, sizes = api("apisrs")
    found = by_group(responses, strata=np.zeros(len(responses), int), population=sizes[:1])
    np.testing.assert_allclose(found.values, in_r_order(reference, "est"), rtol=RELATIVE)
    np.testing.assert_allclose(found.std_error, in_r_order(reference, "se"), rtol=RELATIVE)
    scale = np.sqrt(np.outer(*(np.diag(in_r_order(reference, "vcov")),) * 2))
    np.testing.assert_allclose(found.covariance / scale, in_r_order(reference, "vcov") / scale, atol=RELATIVE)


@pytest.mark.parametrize("weighting", ["w1", "w2"])
@pytest.mark.parametrize(
    ("design", "data", "stratified", "fpc"),
    [
        ("strat_fpc", "apistrat", True, True),
        ("strat_nofpc", "apistrat", True, False),
        ("srs_fpc", "apisrs", False, True),
        ("srs_nofpc", "apisrs", False, False),
    ],
)
def test_composites_of_group_means_and_their_joint_covariance_equal_r(golden, design, data, stratified, fpc, weighting):
    composite = golden("survey_linearisation.json")["composite"]
    lam = [composite[weighting][stype] for stype in STYPES]
    reference = composite[design][weighting]
    responses, sizes = api(data)
    strata = None if stratified else np.zeros(len(responses), int)
    population = None
    if fpc:
        population = np.array([sizes[responses.members[:, g]][0] for g in range(3)]) if stratified else sizes[:1]
    found = by_group(responses, strata=strata, population=population, contrasts=[lam, [1, -1, 0]])
    np.testing.assert_allclose(found.values[:5], reference["joint"]["est"], rtol=RELATIVE)
    expected = np.array(reference["joint"]["vcov"])
    scale = np.sqrt(np.outer(np.diag(expected), np.diag(expected)))
    np.testing.assert_allclose(found.covariance[:5, :5] / scale, expected / scale, atol=RELATIVE)
    for k, name in enumerate(("api00", "api99", "meals", "ell", "sw")):
        assert found.values[5 + k] == pytest.approx(reference[name]["est"]["E_minus_H"], rel=RELATIVE)
        assert found.std_error[5 + k] == pytest.approx(reference[name]["se"]["E_minus_H"], rel=RELATIVE)


@pytest.mark.parametrize("design", ["strat_fpc", "strat_nofpc", "srs_fpc", "srs_nofpc", "strat_unstratified_wr"])
def test_means_of_everybody_equal_r(golden, design):
    reference = golden("survey_linearisation.json")["designs"][design]["mean"]
    responses, sizes = api("apisrs" if design.startswith("srs") else "apistrat")
    types = responses.members.argmax(axis=1)
    strata = types if design in {"strat_fpc", "strat_nofpc"} else np.zeros(len(responses), int)
    population = np.array([sizes[strata == h][0] for h in np.unique(strata)]) if design.endswith("_fpc") else None
    everybody = block(responses.ratings, np.ones((len(responses), 1)), weight=responses.weight)
    found = by_group(everybody, strata=strata, population=population, groups=1)
    np.testing.assert_allclose(found.values, list(reference["estimate"].values()), rtol=RELATIVE)
    np.testing.assert_allclose(found.std_error, list(reference["se"].values()), rtol=RELATIVE)
    expected = np.array(reference["vcov"])
    scale = np.sqrt(np.outer(np.diag(expected), np.diag(expected)))
    np.testing.assert_allclose(found.covariance / scale, expected / scale, atol=RELATIVE)


def test_skipped_answers_stay_in_the_design_as_in_r(golden):
    reference = golden("survey_linearisation.json")["item_missing"]
    responses, _ = api("apistrat", tuple(reference["vars"]))
    everybody = block(responses.ratings, np.ones((len(responses), 1)), weight=responses.weight)
    found = by_group(everybody, strata=responses.members.argmax(axis=1), groups=1)
    np.testing.assert_allclose(found.values, reference["est"], rtol=RELATIVE)
    expected = np.array(reference["vcov"])
    scale = np.sqrt(np.outer(np.diag(expected), np.diag(expected)))
    np.testing.assert_allclose(found.covariance / scale, expected / scale, atol=RELATIVE)


def test_composite_with_a_group_of_one_equals_r_but_for_the_variance_that_r_leaves_out(golden):
    reference = golden("lonely_and_exact.json")["remove"]
    with shared("reference", "data", "lonely.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    responses = block(
        [[float(r["y"])] for r in rows],
        [[r["group"] == g for g in "ABC"] for r in rows],
        weight=[float(r["w"]) for r in rows],
    )
    sample = summarise(moments_of(responses, midpoint=3.0))
    found = estimate(sample, np.array([0]), np.array([[0.5, 0.3, 0.2]]), confidence=0.95, low=1.0, high=5.0)
    assert found.values[0] == pytest.approx(reference["composite"], rel=RELATIVE)
    lent = found.covariance[0, 0] - reference["composite_se"] ** 2
    variances = rating_variances(sample)[:2, 0]
    pooled = (5 * variances[0] + 3 * variances[1]) / 8
    assert lent == pytest.approx(0.2**2 * pooled, rel=RELATIVE)


VARIED, FIRST = [4.0, 5.0, 3.0, 4.0, 2.0], [[1, 0]] * 5


@pytest.mark.parametrize(
    ("population", "left"),
    [
        pytest.param(None, 1.0, id="no population"),
        pytest.param([np.nan, 4.0], 3 / 4, id="one of four"),
        pytest.param([50.0, 4.0], 3 / 4, id="one of four beside five of fifty"),
        pytest.param([np.nan, 1.0], 0.0, id="everybody was asked"),
    ],
)
def test_the_variance_lent_to_a_group_of_one_shrinks_by_its_share_left_unasked(population, left):
    sample = summarise(moments_of(block([[r] for r in [*VARIED, 1.0]], [*FIRST, [0, 1]]), midpoint=3.0))
    known = None if population is None else np.array(population)
    found = estimate(sample, np.array([0]), np.array([[0.7, 0.3]]), confidence=0.95, low=1, high=5, population=known)
    own = 0.7**2 * np.var(VARIED, ddof=1) / 5 * (1 - 5 / 50 if population and population[0] == 50 else 1)
    assert found.values[0] == pytest.approx(0.7 * 3.6 + 0.3)
    assert found.covariance[0, 0] == pytest.approx(own + 0.3**2 * np.var(VARIED, ddof=1) * left, rel=1e-12)


def test_a_census_of_one_is_known_exactly():
    sample = summarise(moments_of(block([[4.0]], [[1]]), midpoint=3.0))
    found = estimate(
        sample, np.array([0]), np.array([[1.0]]), confidence=0.95, low=1, high=5, population=np.array([1.0])
    )
    assert (found.low[0], found.values[0], found.high[0], found.std_error[0], found.std_dev[0]) == (4, 4, 4, 0, 0)


def random_responses(seed: int, *, n: int = 60, questions: int = 4, groups: int = 3, overlap: bool = True):
    generator = np.random.default_rng(seed)
    ratings = generator.integers(1, 6, (n, questions)).astype(float)
    ratings[generator.random((n, questions)) < 0.15] = np.nan
    members = np.zeros((n, groups), bool)
    members[np.arange(n), generator.integers(0, groups, n)] = True
    if overlap:
        members |= generator.random((n, groups)) < 0.2
    return block(ratings, members, weight=generator.uniform(0.5, 2.0, n))


def row_by_row(responses, questions, weights, population):
    """The covariance from the rows, with loops, as the method's definition reads."""
    n, targets = len(responses), len(questions)
    parts = np.zeros((n, targets))
    for t, (j, lam) in enumerate(zip(questions, weights, strict=True)):
        for g in range(responses.members.shape[1]):
            inside = responses.members[:, g]
            rated = inside & ~np.isnan(responses.ratings[:, j])
            total = responses.weight[rated].sum()
            mean = (responses.weight[rated] * responses.ratings[rated, j]).sum() / total
            factor = (1 - inside.sum() / population[g]) * inside.sum() / (inside.sum() - 1)
            for i in np.flatnonzero(rated):
                share = responses.weight[i] * (responses.ratings[i, j] - mean) / total
                parts[i, t] += math.sqrt(factor) * lam[g] * share
    return parts.T @ parts


@pytest.mark.parametrize("seed", range(5))
def test_joint_covariance_with_shared_respondents_and_skipped_answers_equals_a_row_by_row_sum(seed):
    responses = random_responses(seed)
    sample = summarise(moments_of(responses, midpoint=3.0))
    questions = np.array([0, 1, 2, 3, 0, 2])
    weights = np.random.default_rng(100 + seed).normal(size=(6, 3))
    population = np.array([100.0, 1000.0, 77.0])
    found = estimate(sample, questions, weights, confidence=0.95, low=1, high=5, population=population)
    np.testing.assert_allclose(
        found.covariance, row_by_row(responses, questions, weights, population), rtol=1e-10, atol=1e-14
    )


def test_the_mean_of_one_unweighted_group_has_the_textbook_t_interval_where_the_scale_has_no_ends():
    ratings = np.array([4, 5, 3, 4, 2, 4, 3.0])
    sample = summarise(moments_of(block(ratings[:, None], np.ones((7, 1))), midpoint=3.0))
    found = estimate(sample, np.array([0]), np.array([[1.0]]), confidence=0.9, low=-np.inf, high=np.inf)
    expected = scipy_stats.t.interval(0.9, 6, ratings.mean(), scipy_stats.sem(ratings))
    assert (found.low[0], found.high[0]) == pytest.approx(expected, rel=1e-12)
    assert found.df[0] == pytest.approx(6)


def test_two_groups_of_equal_size_and_spread_have_twice_the_degrees_of_freedom():
    ratings = [[1.0], [2.0], [3.0]] * 2
    members = [[1, 0]] * 3 + [[0, 1]] * 3
    sample = summarise(moments_of(block(ratings, members), midpoint=3.0))
    found = estimate(sample, np.array([0]), np.array([[0.5, 0.5]]), confidence=0.95, low=1, high=5)
    assert found.df[0] == pytest.approx(4)


def test_the_same_people_in_two_groups_count_once_in_the_degrees_of_freedom():
    sample = summarise(moments_of(block([[1.0], [2.0], [3.0], [5.0]], [[1, 1]] * 4), midpoint=3.0))
    found = estimate(sample, np.array([0]), np.array([[0.5, 0.5]]), confidence=0.95, low=1, high=5)
    assert (found.n[0], found.df[0]) == (4, 3)
    assert found.std_error[0] == pytest.approx(scipy_stats.sem([1, 2, 3, 5]))


def test_a_group_whose_raters_are_one_cluster_counts_as_one_respondent():
    ratings = [4.0, 5, 3, 2, 1, 5, 4, 2, 3]
    members = [[1, 0]] * 5 + [[0, 1]] * 4
    answers = block([[r] for r in ratings], members, cluster=[0] * 5 + [7] * 4)
    sample = summarise(moments_of(answers, midpoint=3.0))
    found = estimate(sample, np.array([0, 0]), np.array([[0.0, 1], [0.5, 0.5]]), confidence=0.95, low=1, high=5)
    own, other = np.var(ratings[5:], ddof=1), np.var(ratings[:5], ddof=1)
    pooled = (3 * own + 4 * other) / 7
    assert found.covariance[0, 0] == pytest.approx(own)
    assert found.covariance[1, 1] == pytest.approx(0.25 * other / 5 + 0.25 * pooled)
    assert found.unreliable[0]


def test_a_question_that_one_of_several_clusters_rated_has_no_variance_of_its_own():
    answers = block([[4.0], [5], [2.7], [NAN], [NAN], [NAN], [NAN]], [[1]] * 7, cluster=[1, 1, 1, 2, 2, 3, 3])
    found = estimate(
        summarise(moments_of(answers, midpoint=3.0)), np.array([0]), np.ones((1, 1)), confidence=0.95, low=1, high=5
    )
    assert found.covariance[0, 0] == pytest.approx(np.var([4, 5, 2.7], ddof=1))
    assert found.high[0] - found.low[0] > 2


# Intervals


@pytest.mark.parametrize("members", [np.ones((10, 1)), np.eye(2)[[0] * 9 + [1]]], ids=["one group", "and one of one"])
@pytest.mark.parametrize("rating", [1.0, 3.0, 5.0])
def test_equal_answers_never_get_an_interval_of_no_width(members, rating):
    sample = summarise(moments_of(block([[rating]] * 10, members), midpoint=3.0))
    groups = members.shape[1]
    found = estimate(sample, np.array([0]), np.full((1, groups), 1 / groups), confidence=0.95, low=1, high=5)
    assert found.low[0] <= rating <= found.high[0]
    assert found.high[0] - found.low[0] > 0.2
    assert found.std_dev[0] > 0.05
    assert found.unreliable[0]


def test_one_respondent_alone_leaves_most_of_the_scale_open():
    sample = summarise(moments_of(block([[4.0]], [[1]]), midpoint=3.0))
    found = estimate(sample, np.array([0]), np.array([[1.0]]), confidence=0.95, low=1, high=5)
    assert found.low[0] < 1.5
    assert found.high[0] > 4.7
    assert math.isnan(found.std_error[0])
    assert found.unreliable[0]


@pytest.mark.parametrize("share", [0.0, 0.1, 0.3, 0.6])
def test_intervals_of_scores_cover_as_often_as_promised(share):
    """Over every sample of a group of five, some of whom dissent, beside a group of five that varies."""
    low, high = 1.0, 5.0
    truth = 0.5 * ((1 - share) * high + share * low) + 0.5 * 3.0
    held = 0.0
    others = np.array(list(product((2.0, 4.0), repeat=5)))
    for dissenters in range(6):
        chance = scipy_stats.binom.pmf(dissenters, 5, share) / len(others)
        for other in others:
            ratings = [low] * dissenters + [high] * (5 - dissenters)
            answers = block([[r] for r in [*ratings, *other]], [[1, 0]] * 5 + [[0, 1]] * 5)
            found = estimate(
                summarise(moments_of(answers, midpoint=3.0)),
                np.array([0]),
                np.array([[0.5, 0.5]]),
                confidence=0.95,
                low=low,
                high=high,
            )
            held += chance * (found.low[0] <= truth <= found.high[0])
    assert held >= 0.93


def test_intervals_of_a_group_of_four_cover_as_exact_enumeration_says():
    """Over every sample of four from a uniform five-point scale and from one with 80 % in the top box."""
    for chances in (np.full(5, 0.2), np.array([0.02, 0.03, 0.05, 0.1, 0.8])):
        covered, truth = 0.0, chances @ np.arange(1, 6)
        for answers in product((1, 2, 3, 4, 5), repeat=4):
            sample = summarise(moments_of(block([[float(a)] for a in answers], [[1]] * 4), midpoint=3.0))
            found = estimate(sample, np.array([0]), np.array([[1.0]]), confidence=0.95, low=1, high=5)
            covered += np.prod(chances[np.array(answers) - 1]) * (found.low[0] <= truth <= found.high[0])
        assert covered >= 0.93


@pytest.mark.parametrize("effective", [1.0, 3.0])
def test_intervals_of_differences_cover_as_often_as_promised(effective):
    """Two groups of five with most in the top box, over every pair of samples; weights do not change the truth."""
    chance, points = np.array([0.2, 0.8]), np.array([2.0, 5.0])
    held = 0.0
    for one, two in product(range(6), repeat=2):
        ratings = [*[5.0] * one, *[2.0] * (5 - one), *[5.0] * two, *[2.0] * (5 - two)]
        found = estimate(
            summarise(moments_of(block([[r] for r in ratings], np.repeat(np.eye(2), 5, axis=0)), midpoint=3.0)),
            np.array([0]),
            np.array([[effective, -effective]]),
            confidence=0.95,
            low=1,
            high=5,
        )
        share = scipy_stats.binom.pmf(one, 5, chance[1]) * scipy_stats.binom.pmf(two, 5, chance[1])
        held += share * (found.low[0] <= 0 <= found.high[0])
        assert found.high[0] - found.low[0] > 0.5
    assert points @ chance == pytest.approx(4.4)
    assert held >= 0.93


def test_people_who_are_in_both_groups_make_a_difference_surer():
    ratings = [[5.0], [4.0], [3.0], [2.0], [4.0], [1.0]]
    apart = block(ratings * 2, np.repeat(np.eye(2), 6, axis=0))
    shared = block([*ratings, [3.0]], [*[[1, 1]] * 6, [0, 1]])
    widths = []
    for one in (apart, shared):
        found = estimate(
            summarise(moments_of(one, midpoint=3.0)),
            np.array([0]),
            np.array([[1.0, -1.0]]),
            confidence=0.95,
            low=1,
            high=5,
        )
        widths.append(found.high[0] - found.low[0])
    assert widths[1] < 0.6 * widths[0]


@pytest.mark.parametrize(("dissenters", "midpoint"), list(product([0, 1], [3.0, -700.0])))
def test_one_dissenter_is_seen_and_rounding_is_none(dissenters, midpoint):
    """Weights of every size, and a point that no binary fraction gives: sums of squares do not come out at zero."""
    ratings = np.full((5_000, 1), 4.1)
    ratings[:dissenters] = 3.1
    weight = np.random.default_rng(1).uniform(0.1, 3, 5_000)
    sample = summarise(moments_of(block(ratings, np.ones((5_000, 1)), weight=weight), midpoint=midpoint))
    found = estimate(sample, np.array([0]), np.array([[1.0]]), confidence=0.95, low=1, high=5)
    assert (found.std_error[0] == 0) == (dissenters == 0)
    assert 0 < found.high[0] - found.low[0] < 0.01


@pytest.mark.parametrize("asked", [3.0, 2.0], ids=["all of them", "more than there are"])
def test_equal_answers_of_everybody_there_is_leave_nothing_open(asked):
    sample = summarise(moments_of(block([[4.0]] * 3, [[1]] * 3), midpoint=3.0))
    found = estimate(
        sample, np.array([0]), np.array([[1.0]]), confidence=0.95, low=1, high=5, population=np.array([asked])
    )
    assert (found.low[0], found.values[0], found.high[0], found.std_dev[0]) == (4, 4, 4, 0)


def test_everybody_asked_leaves_no_sampling_error_but_for_the_correction_turned_off():
    responses = block([[4.0], [5.0], [3.0]], [[1]] * 3)
    sample = summarise(moments_of(responses, midpoint=3.0))
    census = estimate(
        sample, np.array([0]), np.array([[1.0]]), confidence=0.95, low=1, high=5, population=np.array([3.0])
    )
    assert (census.low[0], census.values[0], census.high[0]) == (4, 4, 4)


def test_a_group_without_ratings_is_left_out_and_the_others_weights_still_add_up():
    responses = block([[4.0], [np.nan]], [[1, 0], [0, 1]])
    sample = summarise(moments_of(responses, midpoint=3.0))
    weights = score_weights(sample, np.array([0]), np.array([[1.0, 3.0]]))
    assert weights.tolist() == [[1.0, 0.0]]


def test_an_issue_without_any_rating_has_no_score_and_no_interval():
    sample = summarise(moments_of(block([[np.nan], [np.nan]], [[1], [1]]), midpoint=3.0))
    weights = score_weights(sample, np.array([0]), np.array([[1.0]]))
    found = estimate(sample, np.array([0]), weights, confidence=0.95, low=1, high=5)
    assert np.isnan([found.values[0], found.low[0], found.high[0]]).all()


def test_doubling_every_weight_changes_nothing():
    responses = random_responses(1)
    doubled = block(responses.ratings, responses.members, weight=2 * responses.weight)
    results = []
    for one in (responses, doubled):
        sample = summarise(moments_of(one, midpoint=3.0))
        results.append(estimate(sample, np.arange(4), np.full((4, 3), 1 / 3), confidence=0.95, low=1, high=5))
    np.testing.assert_allclose(results[0].covariance, results[1].covariance, rtol=1e-12)
    np.testing.assert_allclose(results[0].values, results[1].values, rtol=1e-14)


def test_large_groups_outweigh_small_ones_only_by_their_group_weight():
    small, large = [[5.0]] * 3, [[1.0]] * 300
    sample = summarise(moments_of(block(small + large, [[1, 0]] * 3 + [[0, 1]] * 300), midpoint=3.0))
    found = estimate(sample, np.array([0]), np.array([[0.5, 0.5]]), confidence=0.95, low=1, high=5)
    assert found.values[0] == pytest.approx(3)


@pytest.mark.parametrize("clusters", [5, 10])
def test_intervals_hold_where_one_cluster_is_far_larger_than_the_others(clusters):
    """SIMULATED: one cluster of sixty, the others of five; colleagues answer alike, and most ratings are at the top."""
    generator = np.random.default_rng(clusters)
    sizes = np.array([60, *[5] * (clusters - 1)])
    of = np.repeat(np.arange(1, clusters + 1), sizes)
    held, studies = 0, 300
    truth = np.clip(np.rint(4.5 + np.random.default_rng(1).normal(0, math.sqrt(1.5), 400_000)), 1, 5).mean()
    for _ in range(studies):
        generator.shuffle(sizes)
        common = generator.normal(0, math.sqrt(0.75), clusters)[of - 1]
        ratings = np.clip(np.rint(4.5 + common + generator.normal(0, math.sqrt(0.75), len(of))), 1, 5)
        answers = block(ratings[:, None], np.ones((len(of), 1)), cluster=of)
        found = estimate(
            summarise(moments_of(answers, midpoint=3.0)), np.array([0]), np.ones((1, 1)), confidence=0.95, low=1, high=5
        )
        held += found.low[0] <= truth <= found.high[0]
    assert held / studies >= 0.95 - 3 * math.sqrt(0.95 * 0.05 / studies)


def test_the_variance_of_leaving_out_clusters_is_the_jackknifes():
    """Written out: each cluster left out in turn, and the weighted mean worked out anew."""
    generator = np.random.default_rng(3)
    of = np.repeat([1, 2, 3, 4], [12, 3, 2, 4])
    ratings, weight = generator.integers(1, 6, 21).astype(float), generator.uniform(0.5, 2, 21)
    sample = summarise(moments_of(block(ratings[:, None], np.ones((21, 1)), weight=weight, cluster=of), midpoint=3.0))
    mean = np.average(ratings, weights=weight)
    without = [np.average(ratings[of != c], weights=weight[of != c]) for c in (1, 2, 3, 4)]
    expected = 3 / 4 * np.square(np.array(without) - mean).sum()
    assert _without_one_cluster(sample, design_of(sample), 0)[0] == pytest.approx(expected)
