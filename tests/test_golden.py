"""The package equals R, number by number, on the simulated surveys of `golden/`; `golden/make.R` made both."""

from __future__ import annotations

import csv
import json
import math
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from conftest import block, write_study

from materiality.agreement import adjusted, cronbach_alpha, disagreement, kendalls_w, kruskal_wallis, persons_of
from materiality.assessment import assess
from materiality.careless import longest_run, mahalanobis, within_person_spread
from materiality.errors import Faults
from materiality.estimates import estimate
from materiality.gathering import examine
from materiality.intervals import pseudo_answer, wilson_t
from materiality.judgements import geometric_weights, pooled, principal_weights
from materiality.moments import moments_of
from materiality.raking import design_effect, rake, trim
from materiality.replicates import ReplicateMethod, replicate_std_errors
from materiality.responses import NO_CATEGORY
from materiality.samples import score_weights, summarise
from materiality.stats import effective_n, satterthwaite_df, symmetric_root, t_interval, unanimous_share
from materiality.study import Study, fold
from materiality.weights import weigh

GOLDEN = Path(__file__).parent / "golden"
GROUPS = ("staff", "customers", "suppliers", "investors")
QUESTIONS = tuple(f"y{k}" for k in range(1, 9))
EVERY = np.tile(np.arange(8), len(GROUPS))
OF_GROUP = np.repeat(np.eye(len(GROUPS)), 8, axis=0)
"""λ of every group's mean of every question, the questions inside the groups."""
ROUNDING = 1e-11
"""Relative distance of numbers that two programs get from the same sums."""
RAKED = 1e-9
"""The same where weights are iterated: raking stops within 1e-10 of its margins."""
AGAIN = 1e-8
"""The same for differences between replicates that are each raked."""


@cache
def numbers(name):
    return json.loads((GOLDEN / f"{name}.json").read_text())


@cache
def rows(name):
    with (GOLDEN / "data" / f"{name}.csv").open(newline="") as lines:
        return list(csv.DictReader(lines))


def ratings_of(data):
    return np.array([[float(row[q] or "nan") for q in QUESTIONS] for row in data])


def study_of(margins, *, more=None):
    """A study in memory; `margins` by group id."""
    return Study.model_validate(
        {
            "title": "Simulated",
            "scale": {"low": 1, "high": 5},
            "responses": [{"file": "r.csv", "group": "group"}],
            "groups": [{"id": g, "margins": m} for g, m in margins.items()],
            "issues": [{"id": q} for q in QUESTIONS],
            "axes": {"impact": {"column": "{id}"}},
            **(more or {}),
        }
    )


def codes(names):
    return np.unique(names, return_inverse=True)[1]


def block_of(data, study, *, stratum=None, cluster=None):
    """Rows of a golden survey as a block of the study's groups; a file without groups is the study's only one."""
    ids = [group.id for group in study.groups]
    groups = np.array([ids.index(row.get("group", ids[0])) for row in data])
    categories = [
        [
            (column.answers.index(fold(row[column.name])) if row[column.name] else NO_CATEGORY)
            if group in column.category
            else -1
            for column in study.layout.margins
        ]
        for row, group in zip(data, groups, strict=True)
    ]
    return block(
        ratings_of(data),
        np.eye(len(ids), dtype=bool)[groups],
        weight=[float(row["weight"]) for row in data],
        categories=np.array(categories).reshape(len(data), -1),
        stratum=None if stratum is None else 1 + codes([f"{row['group']}.{row[stratum]}" for row in data]),
        cluster=None if cluster is None else codes([row[cluster] for row in data]),  # no firm is the first, 0
    )


NO_MARGINS = {g: {} for g in GROUPS}


def samples_of(design):
    """The columns that name the strata and the clusters of a design."""
    strata = {"strata": "stratum", "clusters_in_strata": "stratum", "lonely": "lonely"}
    return {
        "stratum": strata.get(design.removesuffix("_fpc")),
        "cluster": "cluster" if design.startswith("clusters") else None,
    }


def four_groups(design="groups", margins=NO_MARGINS):
    """The sample of four groups under a design, and the keywords with which `estimate` takes it."""
    expected, data = numbers("estimates"), rows("four_groups")
    study = study_of(margins)
    stratum = samples_of(design)["stratum"]
    responses = block_of(data, study, **samples_of(design))
    moments = moments_of(responses, midpoint=3.0, points=(1.0, 2.0, 3.0, 4.0, 5.0))
    faults = Faults()
    sample = summarise(moments, weigh(study, moments, faults, "study.toml"))
    faults.raise_any()
    given = {}
    if design.startswith("domains"):
        given["strata"] = np.zeros(len(moments.cells), int)
        given["population"] = np.array([float(expected["everybody"])])
    elif stratum:
        named = {int(s): f"{row['group']}.{row[stratum]}" for s, row in zip(responses.stratum, data, strict=True)}
        of_cell = [float(expected["strata"][named[cell.stratum]]) for cell in moments.cells]
        given["population"] = np.repeat(np.array(of_cell)[:, None], len(GROUPS), axis=1)
    else:
        people = [expected["populations"][g] for g in GROUPS]
        if design.startswith("clusters"):
            # R counts clusters where the package counts people
            share = [expected["units_sampled"][g] / expected["units"][g] for g in GROUPS]
            people = responses.members.sum(axis=0) / np.array(share)
        given["population"] = np.array(people, float)
    if not design.endswith("_fpc"):
        del given["population"]
    return sample, given


def estimated(sample, questions, weights, **given):
    return estimate(sample, questions, weights, **{"confidence": 0.95, "low": -math.inf, "high": math.inf, **given})


def two_scores():
    """Questions and λ of the scores on two axes."""
    sets = numbers("estimates")["sets"]
    return np.tile(np.arange(8), 2), np.repeat([sets["impact"], sets["business"]], 8, axis=0)


def full(lower):
    """A symmetric matrix from the rows of its lower triangle."""
    matrix = np.zeros((len(lower), len(lower)))
    for k, row in enumerate(lower):
        matrix[k, : k + 1] = matrix[: k + 1, k] = row
    return matrix


def equal(found, expected, relative):
    np.testing.assert_allclose(found, expected, rtol=relative, atol=0)


def equal_covariance(found, expected, relative):
    """Entry by entry, relative to the two standard deviations."""
    scale = np.sqrt(np.diag(expected))
    np.testing.assert_allclose(found / np.outer(scale, scale), expected / np.outer(scale, scale), rtol=0, atol=relative)


def equal_estimates(sample, given, expected, relative):
    """Group means with their covariance, and the scores on both axes with theirs."""
    means = estimated(sample, EVERY, OF_GROUP, **given)
    for k, group in enumerate(GROUPS):
        own = slice(8 * k, 8 * k + 8)
        equal(means.values[own], expected["means"][group], relative)
        equal(means.std_error[own], np.sqrt(np.diag(full(expected["covariance"][group]))), relative)
        equal_covariance(means.covariance[own, own], full(expected["covariance"][group]), relative)
    scores = estimated(sample, *two_scores(), **given)
    equal(scores.values, expected["scores"], relative)
    equal_covariance(scores.covariance, full(expected["scores_covariance"]), relative)


DESIGNS = (
    "groups",
    "groups_fpc",
    "strata",
    "strata_fpc",
    "clusters",
    "clusters_fpc",
    "clusters_in_strata",
    "domains",
    "domains_fpc",
    "lonely",
    "lonely_fpc",
)


@pytest.mark.parametrize("design", DESIGNS)
def test_means_scores_and_their_covariances_equal_r(design):
    equal_estimates(*four_groups(design), numbers("estimates")["estimates"][design], ROUNDING)


def test_groups_sampled_by_themselves_do_not_covary():
    means = estimated(four_groups()[0], EVERY, OF_GROUP)
    together = OF_GROUP @ OF_GROUP.T > 0
    assert np.abs(means.covariance[~together]).max() == 0


def test_the_scores_weights_are_the_axes_own_where_every_group_rated():
    questions, weights = two_scores()
    equal(score_weights(four_groups()[0], questions, 7 * weights), weights, ROUNDING)


@pytest.mark.parametrize(("confidence", "name"), [(0.95, "95"), (0.90, "90")])
def test_degrees_of_freedom_and_intervals_equal_their_formulae(confidence, name):
    expected = numbers("estimates")["satterthwaite"]
    scores = estimated(four_groups()[0], *two_scores(), confidence=confidence)
    equal(scores.df, expected["df"], ROUNDING)
    equal(scores.low, expected[f"low_{name}"], ROUNDING)
    equal(scores.high, expected[f"high_{name}"], ROUNDING)


def test_degrees_of_freedom_of_strata_within_groups_equal_their_formula():
    expected = numbers("estimates")["satterthwaite"]["df_strata"]
    equal(estimated(four_groups("strata")[0], *two_scores()).df, expected, ROUNDING)


def test_satterthwaites_formula_holds_for_given_variances():
    expected = numbers("estimates")
    _, weights = two_scores()
    own = np.array([np.diag(full(expected["estimates"]["groups"]["covariance"][g])) for g in GROUPS])
    raters = np.array(expected["satterthwaite"]["raters"])
    found = satterthwaite_df(weights.T**2 * np.tile(own, 2), np.tile(raters - 1, 2))
    equal(found, expected["satterthwaite"]["df"], ROUNDING)


def test_raters_and_effective_numbers_equal_r():
    expected = numbers("estimates")["satterthwaite"]
    sample, _ = four_groups()
    assert sample.n.tolist() == expected["raters"]
    equal(sample.effective, expected["effective_n"], ROUNDING)


def test_design_effects_equal_one_plus_the_squared_variation_of_weights():
    expected = numbers("estimates")["satterthwaite"]["design_effect"]
    weights = [
        np.array([float(row["weight"]) for row in rows("four_groups") if row["group"] == group]) for group in GROUPS
    ]
    total, squares = (np.array([(w**power).sum() for w in weights]) for power in (1, 2))
    n = np.array([len(w) for w in weights])
    equal(design_effect(total, squares, n), expected, ROUNDING)
    equal(n / effective_n(total, squares), expected, ROUNDING)


def test_the_ellipse_of_an_issue_has_the_axes_of_rs_eigen():
    expected = numbers("estimates")["satterthwaite"]
    covariance = estimated(four_groups()[0], *two_scores()).covariance
    pair = covariance[np.ix_([0, 8], [0, 8])]
    values, vectors = np.linalg.eigh(pair)
    equal(np.sqrt(values[::-1]), expected["ellipse"]["semi_axes"], ROUNDING)
    equal(math.atan2(vectors[1, 1], vectors[0, 1]) % math.pi, expected["ellipse"]["angle"], 1e-10)
    equal(symmetric_root(pair), expected["ellipse"]["root"], ROUNDING)


def test_the_root_of_the_joint_covariance_that_draws_are_made_with_equals_r():
    expected = numbers("estimates")["satterthwaite"]
    covariance = estimated(four_groups()[0], *two_scores()).covariance
    equal(np.linalg.eigvalsh(covariance)[::-1], expected["eigenvalues"], 1e-10)
    root = np.array(expected["root"])
    np.testing.assert_allclose(symmetric_root(covariance), root, rtol=0, atol=1e-10 * np.abs(root).max())


def four_margins():
    return {**NO_MARGINS, **numbers("raking")["margins"]}


RAKED_DESIGNS = (
    "groups",
    "groups_fpc",
    "strata",
    "strata_fpc",
    "clusters",
    "clusters_fpc",
    "clusters_in_strata",
    "domains",
)


@pytest.mark.parametrize("design", RAKED_DESIGNS)
def test_raked_groups_equal_r_where_residuals_are_asked_for(design):
    sample, given = four_groups(design, four_margins())
    equal_estimates(sample, {**given, "cautious_below": 0}, numbers("raking")["four"][design], RAKED)


@pytest.mark.parametrize("design", ["groups", "groups_fpc", "strata", "clusters"])
def test_small_raked_groups_have_the_variance_of_given_weights_with_fewer_degrees_of_freedom(design):
    sample, given = four_groups(design, four_margins())
    equal_estimates(sample, given, numbers("raking")["cautious"][design], RAKED)


def row_shares(sample, responses, group):
    """Each row's share of its group's weight, in the order of the rows."""
    factor = {cell.classes: f for cell, f in zip(sample.moments.cells, sample.factors[:, group], strict=True) if f}
    inside = np.flatnonzero(responses.members[:, group])
    weight = responses.weight[inside] * [factor[tuple(map(int, responses.categories[k]))] for k in inside]
    return weight / weight.sum()


@pytest.mark.parametrize("group", GROUPS)
def test_every_respondents_raked_weight_equals_r(group):
    sample, _ = four_groups(margins=four_margins())
    responses = block_of(rows("four_groups"), study_of(four_margins()))
    found = row_shares(sample, responses, GROUPS.index(group))
    equal(found, numbers("raking")["weights"][group], RAKED)


def one_group(*columns):
    expected, data = numbers("raking"), rows("one_group")
    margins = {column: expected["one_margins"][column] for column in columns}
    study = study_of({"one": margins}, more={"weighting": {"no_category": "keep"}})
    responses = block_of(data, study)
    moments = moments_of(responses, midpoint=3.0)
    faults = Faults()
    sample = summarise(moments, weigh(study, moments, faults, "study.toml"))
    faults.raise_any()
    return study, responses, sample


ONE = (
    pytest.param("unweighted", (), id="design weights"),
    pytest.param("gender", ("gender",), id="calibrated to one margin"),
    pytest.param("gender_region", ("gender", "region"), id="calibrated to two margins"),
    pytest.param("gender_region_fpc", ("gender", "region"), id="of a small population"),
    pytest.param("gender_contract_kept", ("gender", "contract"), id="some name no category"),
    pytest.param("region_poststratified", ("region",), id="poststratified"),
)


@pytest.mark.parametrize(("name", "columns"), ONE)
def test_one_group_equals_rs_calibrate_and_post_stratify(name, columns):
    expected = numbers("raking")["one"][name]
    _, responses, sample = one_group(*columns)
    given = {"population": np.array([float(numbers("raking")["one_population"])])} if name.endswith("_fpc") else {}
    found = estimated(sample, np.arange(8), np.ones((8, 1)), **given)  # 240 respondents: no caution is called for
    equal(row_shares(sample, responses, 0), expected["weights"], RAKED)
    equal(found.values, expected["means"], RAKED)
    equal(found.std_error, np.sqrt(np.diag(full(expected["covariance"]))), RAKED)
    equal_covariance(found.covariance, full(expected["covariance"]), RAKED)


def test_iterative_fitting_ends_where_rs_rake_does():
    _, responses, sample = one_group("gender", "region")
    equal(row_shares(sample, responses, 0), numbers("raking")["one"]["gender_region_fitted"]["weights"], RAKED)


def test_the_kernel_rakes_respondents_one_by_one_as_r_does():
    margins = {column: numbers("raking")["one_margins"][column] for column in ("gender", "region")}
    data = rows("one_group")
    base = np.array([float(row["weight"]) for row in data])
    classes = [[list(margins[column]).index(row[column]) for column in margins] for row in data]
    raked = base * rake(base, classes, [list(margin.values()) for margin in margins.values()]).factors
    equal(raked / raked.sum(), numbers("raking")["one"]["gender_region"]["weights"], RAKED)


@pytest.mark.parametrize(("name", "bounds"), [("trimmed", (0.5, 2.0)), ("design_trimmed", (0.7, 1.3))])
def test_trimmed_weights_equal_rs_strict_trimming(name, bounds):
    expected = numbers("raking")["one"]
    before = expected["gender_region" if name == "trimmed" else "unweighted"]["weights"]
    equal(trim(before, np.ones(240), *bounds), expected[name]["weights"], RAKED)


def test_a_study_that_trims_has_the_means_of_rs_trimmed_weights():
    expected = numbers("raking")
    margins = {column: expected["one_margins"][column] for column in ("gender", "region")}
    study = study_of({"one": margins}, more={"weighting": {"trim": [0.5, 2.0]}})
    moments = moments_of(block_of(rows("one_group"), study), midpoint=3.0, apart=True)
    faults = Faults()
    sample = summarise(moments, weigh(study, moments, faults, "study.toml"))
    assert not faults
    equal(sample.means[0], expected["one"]["trimmed"]["means"], RAKED)


@pytest.mark.parametrize(
    ("name", "design"),
    [
        pytest.param("jkn", "groups", id="given weights"),
        pytest.param("jkn_fpc", "groups_fpc", id="of small populations"),
        pytest.param("jkn_strata", "strata", id="strata within groups"),
        pytest.param("jkn_clusters", "clusters", id="clusters"),
        pytest.param("jkn_raked", "groups", id="raked again"),
    ],
)
def test_the_jackknife_of_several_samples_equals_r(name, design):
    expected = numbers("jackknife")[name]
    study = study_of(four_margins() if name == "jkn_raked" else NO_MARGINS)
    responses = block_of(rows("four_groups"), study, **samples_of(design))
    population = np.array([float(numbers("estimates")["populations"][g]) for g in GROUPS])
    found = replicate_std_errors(
        study,
        responses,
        EVERY,
        OF_GROUP,
        method=ReplicateMethod.JACKKNIFE,
        seed=0,
        population=population if design.endswith("_fpc") else None,
    )
    relative = AGAIN if "raked" in name else ROUNDING
    for k, group in enumerate(GROUPS):
        own = slice(8 * k, 8 * k + 8)
        covariance = full(expected[group]["covariance"])
        equal(found.std_error[own], np.sqrt(np.diag(covariance)), relative)
        equal_covariance(found.covariance[own, own], covariance, relative)


@pytest.mark.parametrize(
    ("name", "columns"),
    [("jk1", ()), ("jk1_raked_gender", ("gender",)), ("jk1_raked_gender_region", ("gender", "region"))],
)
def test_the_jackknife_of_one_sample_equals_r(name, columns):
    expected = numbers("jackknife")[name]
    study, responses, sample = one_group(*columns)
    found = replicate_std_errors(
        study, responses, np.arange(8), np.ones((8, 1)), method=ReplicateMethod.JACKKNIFE, seed=0
    )
    equal(sample.means[0], expected["means"], RAKED)
    equal_covariance(found.covariance, full(expected["covariance"]), AGAIN if columns else ROUNDING)


def axis(name, **groups):
    inside = "\n".join(f"{group} = {weight!r}" for group, weight in groups.items())
    return f'[axes.{name}]\ncolumn = "{{id}}"\n[axes.{name}.groups]\n{inside}\n'


def study_text(columns="", *, raked=True, populations=False):
    """The study file of the four groups."""
    expected, margins = numbers("estimates"), numbers("raking")["margins"] if raked else {}
    groups = [
        f'[[groups]]\nid = "{group}"\n'
        + (f"population = {expected['populations'][group]}\n" if populations else "")
        + "".join(
            f"[groups.margins.{column}]\n" + "".join(f"{c} = {count}\n" for c, count in margin.items())
            for column, margin in margins.get(group, {}).items()
        )
        for group in GROUPS
    ]
    return "\n".join(
        [
            'title = "Simulated"\n[scale]\nlow = 1\nhigh = 5',
            f'[[responses]]\nfile = "responses.csv"\nrespondent = "id"\ngroup = "group"\nweight = "weight"\n{columns}',
            *groups,
            *(f'[[issues]]\nid = "{q}"' for q in QUESTIONS),
            *(axis(name, **dict(zip(GROUPS, weights, strict=True))) for name, weights in expected["sets"].items()),
        ]
    )


def on_disk(folder, **more):
    data = (GOLDEN / "data" / "four_groups.csv").read_text(encoding="utf-8")
    return write_study(folder, study=study_text(**more), csv=data)


@pytest.mark.parametrize(
    ("design", "columns"), [("groups", ""), ("strata", 'stratum = "stratum"'), ("clusters", 'cluster = "cluster"')]
)
def test_a_study_on_disk_equals_r(tmp_path, design, columns):
    _, gathered = examine(on_disk(tmp_path, columns=columns))
    sample = summarise(gathered.moments, gathered.weights)
    equal_estimates(sample, {"cautious_below": 0}, numbers("raking")["four"][design], RAKED)


@pytest.mark.parametrize("populations", [False, True])
@pytest.mark.parametrize("raked", [False, True])
def test_an_assessments_scores_and_standard_errors_equal_r(tmp_path, raked, populations):
    found = assess(on_disk(tmp_path, raked=raked, populations=populations))
    design = "groups_fpc" if populations else "groups"
    expected = (numbers("raking")["cautious"] if raked else numbers("estimates")["estimates"])[design]
    equal(found.scores["estimate"], expected["scores"], RAKED)
    equal(found.scores["std_error"], np.sqrt(np.diag(full(expected["scores_covariance"]))), RAKED)
    on_one_axis = found.group_scores[found.group_scores["axis"] == "impact"].set_index("group")
    for group in GROUPS:
        equal(on_one_axis.loc[group, "estimate"], expected["means"][group], RAKED)
        covariance = full(expected["covariance"][group])
        equal(on_one_axis.loc[group, "std_error"], np.sqrt(np.diag(covariance)), RAKED)


def test_kruskal_and_wallis_and_the_adjusted_probabilities_equal_r():
    expected = numbers("agreement")["kruskal"]
    found = kruskal_wallis(four_groups()[0].points.transpose(1, 0, 2))
    for name in ("statistic", "df", "p", "epsilon_squared", "n"):
        equal(getattr(found, name), expected[name], ROUNDING)
    equal(adjusted(found.p).holm, expected["holm"], ROUNDING)
    equal(adjusted(found.p).benjamini_hochberg, expected["bh"], ROUNDING)


@pytest.mark.parametrize("raters", ["persons", "one", "groups"])
def test_kendalls_w_equals_friedmans_test_in_r(raters):
    expected = numbers("agreement")["friedman"][raters]
    ratings = {
        "persons": lambda: ratings_of(rows("four_groups")),
        "one": lambda: ratings_of(rows("one_group")),
        "groups": lambda: four_groups()[0].means,
    }[raters]()
    found = kendalls_w(ratings)
    for name in ("w", "statistic", "df", "p", "raters"):
        equal(getattr(found, name), expected[name], ROUNDING)


def test_cronbachs_alpha_equals_psych():
    expected = numbers("agreement")["alpha"]
    persons = persons_of(ratings_of(rows("one_group")), midpoint=3.0)
    covariance = persons.covariance()
    assert persons.n == expected["n"]
    equal(covariance, expected["covariance"], ROUNDING)
    found = cronbach_alpha(covariance, persons.n)
    for name, value in (("alpha", "raw"), ("standardised", "standardised"), ("without", "raw_without")):
        equal(getattr(found, name), expected[value], ROUNDING)
    equal([found.lower, found.upper], [expected["lower"], expected["upper"]], ROUNDING)
    deviations = np.sqrt(np.diag(covariance))
    correlation = covariance / np.outer(deviations, deviations)
    for k in range(8):
        others = np.delete(np.delete(correlation, k, axis=0), k, axis=1)
        equal(cronbach_alpha(others).alpha, expected["standardised_without"][k], ROUNDING)
    halves = np.repeat([[1.0, 0.0], [0.0, 1.0]], 4, axis=1)
    between = halves @ covariance @ halves.T
    equal(between[0, 1] / math.sqrt(between[0, 0] * between[1, 1]), expected["halves"], ROUNDING)


def test_disagreement_between_groups_equals_its_formula():
    expected = numbers("agreement")["disagreement"]
    found = disagreement(four_groups()[0].means, numbers("estimates")["sets"]["impact"])
    for name in ("std_dev", "range", "highest", "lowest"):
        equal(getattr(found, name), expected[name], ROUNDING)


def test_signs_of_carelessness_equal_r():
    expected = numbers("agreement")["careless"]
    ratings = ratings_of(rows("one_group"))
    complete = ratings[np.isfinite(ratings).all(axis=1)]
    equal(within_person_spread(ratings), expected["spread"], ROUNDING)
    assert longest_run(ratings).tolist() == expected["longest_run"]
    found = mahalanobis(complete, complete.mean(axis=0), np.cov(complete, rowvar=False))
    equal(found.squared, expected["mahalanobis"], ROUNDING)


@pytest.mark.parametrize("name", ["own", "pooled"])
def test_weights_from_judgements_equal_rs_eigen(name):
    judgements = numbers("agreement")["judgements"]
    expected = judgements[name]
    matrix = expected["matrix"] if name == "own" else pooled(judgements["three"])
    equal(matrix, expected["matrix"], ROUNDING)
    found, geometric = principal_weights(matrix), geometric_weights(matrix)
    equal(found.weights, expected["weights"], ROUNDING)
    equal(found.eigenvalue, expected["eigenvalue"], ROUNDING)
    equal(found.consistency_index, expected["consistency_index"], 1e-10)
    equal(found.consistency_ratio, expected["consistency_ratio"], 1e-10)
    equal(geometric.weights, expected["geometric"], ROUNDING)
    equal(geometric.consistency_index, expected["geometric_index"], ROUNDING)


@pytest.mark.parametrize(("confidence", "name"), [(0.95, "95"), (0.90, "90")])
def test_intervals_of_proportions_equal_binom_test_and_prop_test(confidence, name):
    expected = numbers("agreement")["binomial"]
    x, n = np.array(expected["x"], float), np.array(expected["n"], float)
    share = x / n
    variance = share * (1 - share) / n
    clopper_pearson = pseudo_answer(share, variance * n / (n - 1), n, confidence, answers=1)
    equal(np.column_stack(clopper_pearson), expected[f"clopper_pearson_{name}"], ROUNDING)
    inner = (x > 0) & (x < n)  # Wilson's interval on an effective n has no width without variance
    wilson = np.column_stack(wilson_t(share, variance, np.inf, confidence))
    equal(wilson[inner], np.array(expected[f"wilson_{name}"])[inner], ROUNDING)
    equal(unanimous_share(50, confidence), 1 - np.array(expected[f"clopper_pearson_{name}"])[3, 0], ROUNDING)


@pytest.mark.parametrize(("confidence", "name"), [(0.95, "q95"), (0.90, "q90"), (0.99, "q99")])
def test_the_quantiles_of_student_equal_r(confidence, name):
    expected = numbers("agreement")["t"]
    low, high = t_interval(0.0, 1.0, expected["df"], confidence, -math.inf, math.inf)
    equal(high, expected[name], ROUNDING)
    equal(-low, expected[name], ROUNDING)
