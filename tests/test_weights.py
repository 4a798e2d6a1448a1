"""Raking within groups meets the margins, its variance equals R's, and margins that cannot be met are told."""

from __future__ import annotations

import csv
import math

import numpy as np
import pytest
from conftest import STUDY, block, shared, write_study

from materiality.assessment import assess
from materiality.errors import Faults, MaterialityError
from materiality.estimates import estimate, summarise
from materiality.gathering import examine
from materiality.moments import moments_of
from materiality.study import Study
from materiality.weights import unraked, weigh, weights_table

MARGINS = {"Sex": {"f": 300, "m": 700}, "Unit": {"lab": 0.2, "shop": 0.5, "office": 0.3}}


def in_memory(margins, *, groups=("staff",), **more):
    """A study of one axis; the first group has margins."""
    return Study.model_validate(
        {
            "title": "t",
            "scale": {"low": 1, "high": 5},
            "responses": [{"file": "r.csv", "group": "g"}],
            "groups": [{"id": g, **({"margins": margins} if k == 0 else {})} for k, g in enumerate(groups)],
            "issues": [{"id": "a"}, {"id": "b"}],
            "axes": {"x": {"column": "{id}"}},
            **more,
        }
    )


def drawn(seed, n=80, groups=1):
    generator = np.random.default_rng(seed)
    categories = np.column_stack([generator.choice(2, n, p=[0.6, 0.4]), generator.choice(3, n, p=[0.5, 0.3, 0.2])])
    ratings = generator.integers(1, 6, (n, 2)).astype(float)
    ratings[generator.random((n, 2)) < 0.1] = np.nan
    members = np.eye(groups, dtype=bool)[generator.integers(0, groups, n)]
    categories[~members[:, 0]] = -1
    return block(ratings, members, weight=generator.uniform(0.5, 2, n), categories=categories)


def weighed(study, responses, **more):
    faults = Faults()
    moments = moments_of(responses, midpoint=3.0, **more)
    found = weigh(study, moments, faults, "study.toml")
    faults.raise_any()
    return moments, found


def row_weights(responses, moments, weights, group=0):
    """Each row's raked weight, by its weighting class."""
    factor = {}
    for (cell, _), f in zip(moments.cells.items(), weights.factors[:, group], strict=True):
        factor[cell.groups, cell.classes, cell.weight] = f
    trimmed = any(cell.weight for cell in moments.cells)
    found = np.zeros(len(responses))
    for i in range(len(responses)):
        groups = tuple(int(g) for g in np.flatnonzero(responses.members[i]))
        key = groups, tuple(map(int, responses.categories[i])), float(responses.weight[i]) if trimmed else 0.0
        found[i] = factor[key] * responses.weight[i]
    return found


def test_raked_weights_meet_every_margin_and_keep_the_group_s_total():
    responses = drawn(1)
    moments, weights = weighed(in_memory(MARGINS), responses)
    w = row_weights(responses, moments, weights)
    assert w.sum() == pytest.approx(responses.weight.sum(), rel=1e-12)
    for column, margin in enumerate(MARGINS.values()):
        shares = [w[responses.categories[:, column] == k].sum() / w.sum() for k in range(len(margin))]
        assert shares == pytest.approx([count / sum(margin.values()) for count in margin.values()], rel=1e-9)
    np.testing.assert_allclose(weights.margins["after"], weights.margins["wanted"], rtol=1e-9)


def test_a_raked_mean_is_the_weighted_mean_of_the_rows():
    responses = drawn(2, groups=2)
    moments, weights = weighed(in_memory(MARGINS, groups=("staff", "buyers")), responses)
    w = row_weights(responses, moments, weights)
    sample = summarise(moments, weights)
    for j in range(2):
        rated = responses.members[:, 0] & ~np.isnan(responses.ratings[:, j])
        assert sample.means[0, j] == pytest.approx(np.average(responses.ratings[rated, j], weights=w[rated]))
        assert sample.effective[0, j] == pytest.approx(w[rated].sum() ** 2 / (w[rated] ** 2).sum())


def test_respondents_without_a_category_keep_their_share_where_the_study_says_so():
    responses = drawn(3)
    responses.categories[:7, 0] = -2
    study = in_memory(MARGINS, weighting={"no_category": "keep"})
    moments, weights = weighed(study, responses)
    w = row_weights(responses, moments, weights)
    unknown = responses.categories[:, 0] == -2
    assert w[unknown].sum() / w.sum() == pytest.approx(responses.weight[unknown].sum() / responses.weight.sum())
    known = w[~unknown].sum()
    assert w[responses.categories[:, 0] == 0].sum() / known == pytest.approx(0.3)


def test_trimmed_weights_stay_within_the_bounds_and_the_margins_say_how_nearly_they_are_met():
    responses = drawn(4)
    study = in_memory(MARGINS, weighting={"trim": [0.6, 1.6]})
    moments, weights = weighed(study, responses, apart=True)
    w = row_weights(responses, moments, weights)
    assert w.sum() == pytest.approx(responses.weight.sum())
    assert w.min() >= 0.6 * w.mean() - 1e-12
    assert w.max() <= 1.6 * w.mean() + 1e-12
    met = np.abs(weights.margins["after"] - weights.margins["wanted"])
    assert 0 < met.max() < np.abs(weights.margins["before"] - weights.margins["wanted"]).max()


def test_the_weights_table_adds_up_to_the_group():
    responses = drawn(5, n=200)
    study = in_memory(MARGINS)
    moments, weights = weighed(study, responses)
    table = weights_table(study, moments, weights)
    assert table["n"].sum() == 200
    assert table[["share_before", "share_after"]].sum().tolist() == pytest.approx([1, 1])
    men = table["cell"].str.startswith("Sex: m")
    assert table.loc[men, "share_after"].sum() == pytest.approx(0.7)
    assert (table["weight"] * table["n"].astype(float)).sum() == pytest.approx(responses.weight.sum())


def rows_with_residuals(responses, w, j, design):
    """The variance of a raked mean from the rows: residuals of u/w on dummies, by lstsq with the design weights."""
    rated = ~np.isnan(responses.ratings[:, j])
    total = w[rated].sum()
    mean = (w[rated] * responses.ratings[rated, j]).sum() / total
    z = np.where(rated, np.nan_to_num(responses.ratings[:, j]) - mean, 0.0) / total
    dummies = np.column_stack(
        [responses.categories[:, c] == k for c in range(2) for k in np.unique(responses.categories[:, c])]
    ).astype(float)
    root = np.sqrt(design)
    beta, *_ = np.linalg.lstsq(dummies * root[:, None], z * root, rcond=None)
    return z, z - dummies @ beta, np.linalg.matrix_rank(dummies)


@pytest.mark.parametrize("cautious", [False, True])
def test_the_variance_of_a_raked_mean_equals_a_regression_over_the_rows(cautious):
    responses = drawn(6, n=90)
    moments, weights = weighed(in_memory(MARGINS), responses)
    w = row_weights(responses, moments, weights)
    found = estimate(
        summarise(moments, weights),
        np.array([0, 1]),
        np.ones((2, 1)),
        confidence=0.95,
        low=1,
        high=5,
        cautious_below=200 if cautious else 0,
    )
    u = np.empty((90, 2))
    for j in range(2):
        z, residual, rank = rows_with_residuals(responses, w, j, responses.weight)
        u[:, j] = w * (z if cautious else residual)
    u -= u.mean(axis=0)
    expected = u.T @ u * 90 / (90 - rank if cautious else 89)
    np.testing.assert_allclose(found.covariance, expected, rtol=1e-9, atol=1e-15)
    if cautious:
        n = (~np.isnan(responses.ratings)).sum(axis=0)
        np.testing.assert_allclose(found.df, (n - 1) * (90 - rank) / 89, rtol=1e-9)


STYPES, WIDE = ("E", "H", "M"), ("No", "Yes")


def api_raked(golden, name):
    """R's api data as one group raked to two margins, and R's results."""
    reference = golden("survey_calibration.json")
    with shared("reference", "data", f"{name}.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    responses = block(
        [[float(r["api00"]), float(r["ell"])] for r in rows],
        np.ones((len(rows), 1)),
        weight=[float(r["pw"]) for r in rows],
        categories=[[STYPES.index(r["stype"]), WIDE.index(r["sch.wide"])] for r in rows],
        stratum=[STYPES.index(r["stype"]) + 1 if name == "apistrat" else 0 for r in rows],
        cluster=[int(r["dnum"]) if name == "apiclus1" else 0 for r in rows],
    )
    margins = reference["pop_margins"]
    study = in_memory(
        {"stype": margins["stype"], "sch.wide": margins["sch.wide"]},
        scale={"low": 0, "high": 1000, "step": 0},
    )
    return study, responses, [float(r["fpc"]) for r in rows], reference


@pytest.mark.parametrize(
    ("design", "data"),
    [
        ("srs_nofpc", "apisrs"),
        ("strat_nofpc", "apistrat"),
        ("strat_fpc", "apistrat"),
        ("clus1_nofpc", "apiclus1"),
        ("clus1_fpc", "apiclus1"),
    ],
)
def test_raked_means_and_their_covariance_equal_r_with_strata_and_clusters(golden, design, data):
    study, responses, sizes, reference = api_raked(golden, data)
    expected = reference[design]["cal_raking_stype_schwide"]["mean"]
    moments, weights = weighed(study, responses)
    population = None
    if design == "strat_fpc":
        strata = np.array([cell.stratum for cell in moments.cells])
        population = np.array([[sizes[list(responses.stratum).index(s)]] for s in strata])
    elif design == "clus1_fpc":  # R counts districts, this package people
        population = np.array([len(responses) * sizes[0] / len(set(responses.cluster.tolist()))])
    found = estimate(
        summarise(moments, weights),
        np.array([0, 1]),
        np.ones((2, 1)),
        confidence=0.95,
        low=-np.inf,
        high=np.inf,
        population=population,
        cautious_below=0,
    )
    place = [expected["names"].index(name) for name in ("api00", "ell")]
    np.testing.assert_allclose(found.values, np.array(expected["est"])[place], rtol=1e-9)
    np.testing.assert_allclose(found.std_error, np.array(expected["se"])[place], rtol=1e-8)
    vcov = np.array(expected["vcov"])[np.ix_(place, place)]
    np.testing.assert_allclose(found.covariance, vcov, rtol=1e-7)


def test_clusters_of_one_respondent_change_nothing():
    responses = drawn(8)
    alone = block(responses.ratings, responses.members, weight=responses.weight, cluster=np.arange(1, 81))
    plain = block(responses.ratings, responses.members, weight=responses.weight)
    found = [
        estimate(
            summarise(moments_of(one, midpoint=3.0)), np.arange(2), np.ones((2, 1)), confidence=0.95, low=1, high=5
        )
        for one in (alone, plain)
    ]
    np.testing.assert_allclose(found[0].covariance, found[1].covariance, rtol=1e-10)


def test_a_cluster_of_twins_counts_as_one_respondent():
    """Every answer twice, in clusters of two: as sure as each once."""
    responses = drawn(9, n=30)
    twice = np.repeat(np.arange(30), 2)
    twins = block(responses.ratings[twice], responses.members[twice], weight=responses.weight[twice], cluster=twice + 1)
    once = block(responses.ratings, responses.members, weight=responses.weight)
    found = [
        estimate(
            summarise(moments_of(one, midpoint=3.0)), np.arange(2), np.ones((2, 1)), confidence=0.95, low=1, high=5
        )
        for one in (twins, once)
    ]
    np.testing.assert_allclose(found[0].covariance, found[1].covariance, rtol=1e-10)


WITH_MARGINS = STUDY.replace(
    'label = "Staff"\n',
    'label = "Staff"\n[groups.margins.Sex]\nf = 40\nm = 60\n[groups.categories.Sex]\nfemale = "f"\n',
)
HEADER = "id,group,Sex,Climate,Safety,Ethics,Impact of Climate,Impact of Safety,Impact of Ethics"
ROWS = (
    "1,Staff,f,4,5,3,4,4,2",
    "2,Staff,Female,5,4,3,5,3,3",
    "3,Customer,,3,5,4,4,5,2",
    "4,Staff,m,4,4,2,5,4,3",
    "5,Buyers,x,5,5,3,3,4,1",
)


def told(folder):
    with pytest.raises(MaterialityError) as caught:
        examine(folder)
    return str(caught.value)


def test_a_study_is_raked_from_its_export_and_other_groups_need_no_category(tmp_path):
    folder = write_study(tmp_path / "s", study=WITH_MARGINS, header=HEADER, rows=ROWS)
    found = assess(folder)
    climate = found.scores.query("axis == 'people' and issue == 'climate'")["estimate"].item()
    staff, buyers = 0.4 * 4.5 + 0.6 * 4, 4.0
    assert climate == pytest.approx((staff + buyers) / 2)
    table = found.weights.query("group == 'staff'").set_index("cell")
    assert table.loc["Sex: f", "share_before"] == pytest.approx(2 / 3)
    assert table.loc["Sex: f", "share_after"] == pytest.approx(0.4)


def test_without_raking_the_margins_columns_are_not_even_looked_at(tmp_path):
    study = WITH_MARGINS + "\n[weighting]\nraking = false\n"
    rows = tuple(row.replace(",m,", ",?,") for row in ROWS)
    found = assess(write_study(tmp_path / "s", study=study, header=HEADER, rows=rows))
    climate = found.scores.query("axis == 'people' and issue == 'climate'")["estimate"].item()
    assert climate == pytest.approx((13 / 3 + 4) / 2)


def test_a_cell_that_names_no_category_is_told_with_the_nearest(tmp_path):
    rows = (*ROWS, "6,Staff,femal,4,4,2,5,4,3")
    assert told(write_study(tmp_path / "s", study=WITH_MARGINS, header=HEADER, rows=rows)) == (
        "responses.csv, row 7, column 'Sex': 'femal' is no category of the margins of group 'staff'. "
        "Nearest: 'female'.\n"
        "  Mend: correct the cell, add it to margins, or say which category it means under categories.Sex in that "
        "group."
    )


def test_kept_rows_without_a_category_are_told_together(tmp_path):
    rows = (*ROWS, "6,Staff,,4,4,2,5,4,3", "7,Staff,,,,,,,", "8,Staff,,4,4,2,5,4,3")
    assert told(write_study(tmp_path / "s", study=WITH_MARGINS, header=HEADER, rows=rows)) == (
        "responses.csv, row 7, column 'Sex': 2 respondents of group 'staff' give no category of its margin "
        "(rows 7, 9).\n"
        '  Mend: fill the cells in, or set no_category = "keep" in [weighting]: they then keep their design weights, '
        "and the others are raked to the margin."
    )


def test_a_category_that_nobody_gave_is_told_with_both_totals_and_how_to_join_it(tmp_path):
    study = WITH_MARGINS.replace("m = 60\n", "m = 50\ndiverse = 10\n")
    assert told(write_study(tmp_path / "s", study=study, header=HEADER, rows=ROWS)) == (
        "study.toml: groups 'staff', margins.Sex: nobody answered as 'diverse', which should be 10 of 100; "
        "0 of 3 respondents.\n"
        "  Mend: join it with another category, as in: 'm' = 60 under margins.Sex, 'diverse' taken out, and "
        'categories.Sex = { "diverse" = "m" }; or leave the margin out.'
    )


def test_what_the_message_offers_mends_it(tmp_path):
    study = WITH_MARGINS.replace('female = "f"\n', 'female = "f"\ndiverse = "m"\n')
    rows = (*ROWS, "6,Staff,diverse,4,4,2,5,4,3")
    found = assess(write_study(tmp_path / "s", study=study, header=HEADER, rows=rows))
    assert found.weights.query("cell == 'Sex: m'")["n"].item() == 2


def test_a_category_that_should_be_empty_and_is_not_is_told(tmp_path):
    study = WITH_MARGINS.replace("m = 60\n", "m = 0\n")
    assert "1 of 3 respondents answered as 'm', which should be 0 of 40." in told(
        write_study(tmp_path / "s", study=study, header=HEADER, rows=ROWS)
    )


def test_margins_that_contradict_the_sample_name_the_worst_with_both_totals():
    """All women are in the lab and all men in the shop: six of ten in the lab and half women cannot be."""
    responses = block([[4.0, 4.0]] * 4 + [[2.0, 3.0]] * 4, np.ones((8, 1)), categories=[[0, 0]] * 4 + [[1, 1]] * 4)
    study = in_memory({"Sex": {"f": 50, "m": 50}, "Unit": {"lab": 60, "shop": 40}})
    with pytest.raises(MaterialityError) as caught:
        weighed(study, responses)
    message = str(caught.value)
    assert message.startswith(
        "study.toml: groups 'staff': the margins cannot all be met, because some combinations of categories have no "
        "respondents. Worst is margins."
    )
    assert "wanted" in message
    assert "reached of 100" in message
    assert "join it with another category" in message


def test_strata_and_clusters_are_read_from_their_columns(tmp_path):
    text = STUDY.replace('group = "group"', 'group = "group"\nstratum = "Region"\ncluster = "Firm"')
    text = text.replace('label = "Staff"\n', 'label = "Staff"\n[groups.strata]\nnorth = 40\nsouth = 60\n')
    header = "id,group,Region,Firm,Climate,Safety,Ethics,Impact of Climate,Impact of Safety,Impact of Ethics"
    rows = (
        "1,Staff,north,A,4,5,3,4,4,2",
        "2,Staff,North,A,5,4,3,5,3,3",
        "3,Customer,south,,3,5,4,4,5,2",
        "4,Staff,south,B,4,4,2,5,4,3",
        "5,Buyers,south,B,5,5,3,3,4,1",
        "6,Staff,north,,5,4,3,5,3,3",
        "7,Staff,south,,3,4,3,5,3,3",
    )
    _, gathered = examine(write_study(tmp_path / "s", study=text, header=header, rows=rows))
    staff = [(cell.stratum, cell.cluster, sums.n) for cell, sums in gathered.moments.cells.items() if 0 in cell.groups]
    assert len({stratum for stratum, _, _ in staff}) == 2
    assert sorted(n for _, cluster, n in staff if cluster) == [1, 2]
    wrong = tuple(row.replace("North", "Nord") for row in rows)
    assert told(write_study(tmp_path / "t", study=text, header=header, rows=wrong)) == (
        "responses.csv, row 3, column 'Region': 'Nord' is no stratum of group 'staff'. Nearest: 'north'.\n"
        "  Mend: correct the cell, or add it to that group's strata with its population."
    )


def test_a_stratum_with_one_respondent_counts_with_the_square_of_its_own_u():
    """R's survey.lonely.psu = "adjust": around the mean of all, without n/(n − 1)."""
    ratings = [[4.0], [5.0], [3.0], [1.0]]
    responses = block(ratings, np.ones((4, 1)), stratum=[1, 1, 1, 2])
    found = estimate(
        summarise(moments_of(responses, midpoint=3.0)), np.array([0]), np.ones((1, 1)), confidence=0.95, low=1, high=5
    )
    u = (np.array([4.0, 5, 3, 1]) - 3.25) / 4
    expected = 1.5 * np.square(u[:3] - u[:3].mean()).sum() + u[3] ** 2
    assert found.covariance[0, 0] == pytest.approx(expected)


def test_nobody_to_weigh_is_no_crash():
    study = in_memory(MARGINS)
    moments = moments_of(block(np.zeros((0, 2)), np.zeros((0, 1))), midpoint=3.0)
    assert weigh(study, moments, Faults(), "").margins.empty
    assert math.isnan(weights_table(study, moments, unraked(moments))["weight"].item())


def test_the_shares_of_small_categories_are_not_shown(tmp_path):
    """Two men of thirty: with their share gone, the women's would give it away."""
    rows = tuple(
        f"{k},Staff,{'m' if k < 2 else 'f'},{1 + k % 5},{3 + k % 2},{4 - k % 3},3,{1 + k % 4},2" for k in range(30)
    )
    study = WITH_MARGINS.replace('profile = "off"', 'profile = "internal"')
    margins = assess(write_study(tmp_path, study=study, header=HEADER, rows=rows)).margins
    assert margins["wanted"].tolist() == [0.4, 0.6]
    assert margins[["before", "after"]].isna().all(axis=None)


def test_a_weight_far_from_one_is_told(tmp_path):
    study = STUDY.replace('group = "group"', 'group = "group"\nweight = "w"')
    header = "id,group,w,Climate,Safety,Ethics,Impact of Climate,Impact of Safety,Impact of Ethics"
    rows = ("1,Staff,1e200,4,5,3,4,4,2", "2,Customer,1,5,4,3,5,3,3")
    assert told(write_study(tmp_path, study=study, header=header, rows=rows)) == (
        "responses.csv, row 2, column 'w': '1e200' is too far from 1 for a design weight.\n"
        "  Mend: give numbers from 1e-09 to 1e+09; only their ratios within a group count."
    )


@pytest.mark.parametrize(
    ("edit", "what", "mend"),
    [
        pytest.param(
            ("[groups.margins.Sex]\nf = 40", "[groups.margins.Sex]\nf = 0.3"),
            "groups 'staff', margins.Sex: some numbers are below 1 and look like shares, and all of them add up to "
            "60.3.",
            "give shares that sum to 1, or counts.",
            id="shares beside counts",
        ),
        pytest.param(
            ("[matrix]", "[weighting]\ntrim = [1.1, 3]\n\n[matrix]"),
            "weighting.trim: 1.1 to 3 leaves out 1, the mean weight.",
            "give the smallest and the largest weight as multiples of the mean, such as [0.3, 3.0].",
            id="bounds without the mean",
        ),
        pytest.param(
            ("margins.Sex]", "margins.Sexx]"),
            "the margins of group 'staff' name a column that no export has. Nearest: 'Sex'.",
            "correct the name in [groups.margins], or leave the margin out.",
            id="a column that no export has",
        ),
    ],
)
def test_what_is_wrong_with_margins_is_told_once(tmp_path, edit, what, mend):
    study = WITH_MARGINS.replace('[groups.categories.Sex]\nfemale = "f"\n', "").replace(*edit)
    rows = tuple(row.replace("Female", "f") for row in ROWS)
    message = told(write_study(tmp_path / "s", study=study, header=HEADER, rows=rows))
    assert message.count("Mend:") == 1
    assert message.endswith(f"{what}\n  Mend: {mend}")


def test_an_export_that_lacks_a_column_is_told_so(tmp_path):
    study = WITH_MARGINS.replace(
        "[[groups]]", '[[responses]]\nfile = "more.csv"\nrespondent = "id"\ngroup = "group"\n\n[[groups]]', 1
    )
    folder = write_study(tmp_path / "s", study=study, header=HEADER, rows=ROWS)
    header = "id,group,Climate,Safety,Ethics,Impact of Climate,Impact of Safety,Impact of Ethics"
    (folder / "more.csv").write_text(f"{header}\n9,Staff,4,5,3,4,4,2\n10,Buyers,5,4,3,5,3,3\n")
    assert told(folder) == (
        "more.csv, column 'Sex': has no such column, and 1 of its respondents are of group 'staff', which is raked to "
        'it.\n  Mend: add the column, or set no_category = "keep" in [weighting].'
    )


def test_who_keeps_his_weight_for_want_of_a_category_is_counted(tmp_path):
    study = WITH_MARGINS + '\n[weighting]\nno_category = "keep"\n'
    rows = (*ROWS, "6,Staff,,4,4,2,5,4,3")
    notices = assess(write_study(tmp_path / "s", study=study, header=HEADER, rows=rows)).warnings
    assert (
        "1 of 4 respondents of group Staff give no category of a margin and keep their share of the weight there."
        in (notices)
    )


def test_a_stratum_that_nobody_answered_from_is_told(tmp_path):
    text = STUDY.replace('group = "group"', 'group = "group"\nstratum = "Region"')
    text = text.replace('label = "Staff"\n', 'label = "Staff"\n[groups.strata]\nnorth = 40\nsouth = 60\n')
    header = "id,group,Region,Climate,Safety,Ethics,Impact of Climate,Impact of Safety,Impact of Ethics"
    rows = ("1,Staff,north,4,5,3,4,4,2", "2,Staff,north,5,4,3,5,3,3", "3,Customer,,3,5,4,4,5,2")
    assert "strata.south has 60 people, and nobody of it answered." in told(
        write_study(tmp_path / "s", study=text, header=header, rows=rows)
    )
