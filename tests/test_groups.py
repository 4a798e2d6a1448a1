"""What groups say, and where they differ: equal to pandas, scipy and statsmodels over the rows."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import STUDY, write_study
from scipy import stats as scipy_stats

from materiality.assessment import assess

THREE = STUDY.replace('[[issues]]\nid = "climate"', '[[groups]]\nid = "press"\n\n[[issues]]\nid = "climate"', 1)
ISSUES = ("climate", "safety", "ethics")
HEADER = ("id", "group", "Climate", "Safety", "Ethics", "Impact of Climate", "Impact of Safety", "Impact of Ethics")


def simulated_rows(seed: int, sizes: dict[str, int], missing: float = 0.0) -> pd.DataFrame:
    """SIMULATED answers: each group a little higher than the one before."""
    generator = np.random.default_rng(seed)
    frames = []
    for k, (group, n) in enumerate(sizes.items()):
        ratings = np.clip(
            np.rint(2.6 + 0.6 * k + generator.normal(0, 1, (n, 6)) + generator.normal(0, 0.5, (n, 1))), 1, 5
        )
        ratings[generator.random((n, 6)) < missing] = np.nan
        frames.append(pd.DataFrame(ratings, columns=HEADER[2:]).assign(group=group))
    rows = pd.concat(frames, ignore_index=True)
    return rows.assign(id=np.arange(len(rows)))[list(HEADER)]


def assessed(folder: Path, rows: pd.DataFrame, study: str = THREE):
    return assess(
        write_study(folder, study=study, csv=rows.astype(dict.fromkeys(HEADER[2:], "Int64")).to_csv(index=False))
    )


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    rows = simulated_rows(1, {"staff": 30, "buyers": 25, "press": 20}, missing=0.05)
    return rows, assessed(tmp_path_factory.mktemp("groups"), rows)


def test_kruskal_wallis_of_each_issue_equals_scipys(found):
    rows, assessment = found
    table = assessment.agreement.set_index(["axis", "issue"])
    for (axis, issue), row in table.iterrows():
        column = issue.capitalize() if axis == "people" else f"Impact of {issue.capitalize()}"
        expected = scipy_stats.kruskal(*(part.dropna() for _, part in rows.groupby("group")[column]))
        assert row["statistic"] == pytest.approx(expected.statistic)
        assert row["p"] == pytest.approx(expected.pvalue)


def test_adjusted_p_values_are_holms_and_benjamini_and_hochbergs_within_the_axis(found):
    table = found[1].agreement
    for _, part in table.groupby("axis"):
        p = np.sort(part["p"])
        holm = np.minimum(np.maximum.accumulate(p * np.arange(3, 0, -1)), 1)
        hochberg = np.minimum.accumulate((p * 3 / np.arange(1, 4))[::-1])[::-1]
        assert sorted(part["p_holm"]) == pytest.approx(holm)
        assert sorted(part["p_bh"]) == pytest.approx(hochberg)


def test_the_range_of_group_means_names_its_ends(found):
    rows, assessment = found
    means = rows.groupby("group")["Climate"].mean()
    row = assessment.agreement.query("axis == 'people' and issue == 'climate'").iloc[0]
    assert (row["highest"], row["lowest"]) == (means.idxmax(), means.idxmin())
    assert row["range"] == pytest.approx(means.max() - means.min())
    assert row["std_dev"] == pytest.approx(means.std(ddof=0))


def test_differences_between_groups_are_those_of_their_means(found):
    rows, assessment = found
    table = assessment.differences.set_index(["axis", "issue", "group", "other"])
    assert len(table) == 2 * 3 * 3
    for one, other in combinations(("staff", "buyers", "press"), 2):
        here, there = (rows.loc[rows["group"] == g, "Safety"] for g in (one, other))
        row = table.loc["people", "safety", one, other]
        assert row["difference"] == pytest.approx(here.mean() - there.mean())
        error = np.hypot(*(_error(part) for part in (here, there)))
        assert row["std_error"] == pytest.approx(error, rel=1e-9)
        assert row["conf_low"] < row["difference"] < row["conf_high"]


def _error(ratings: pd.Series) -> float:
    """The standard error of a mean where those who skipped stay in the design."""
    n, rated = len(ratings), ratings.count()
    u = (ratings - ratings.mean()).fillna(0.0) / rated
    return float(np.sqrt(n / (n - 1) * (u**2).sum()))


def test_kendalls_w_and_alpha_are_those_of_complete_respondents(found):
    rows, assessment = found
    concord = assessment.concords[0]
    complete = rows[["Climate", "Safety", "Ethics"]].dropna()
    n, k = complete.shape
    chi = scipy_stats.friedmanchisquare(*complete.to_numpy().T)
    assert concord.respondents == n
    assert concord.w_respondents == pytest.approx(chi.statistic / (n * (k - 1)))
    assert concord.p_respondents == pytest.approx(chi.pvalue)
    items = complete.var(ddof=1).sum()
    assert concord.alpha == pytest.approx(k / (k - 1) * (1 - items / complete.sum(axis=1).var(ddof=1)))
    means = rows.groupby("group")[["Climate", "Safety", "Ethics"]].mean()
    among = scipy_stats.friedmanchisquare(*means.to_numpy().T)
    assert (concord.groups, concord.w_groups) == (3, pytest.approx(among.statistic / (3 * 2)))


def test_rates_of_answers_that_are_no_rating_are_those_of_the_rows(found):
    rows, assessment = found
    table = assessment.nonresponse.set_index(["axis", "issue", "group"])
    for group, part in rows.groupby("group"):
        row = table.loc["business", "ethics", group]
        assert row["blank"] == pytest.approx(part["Impact of Ethics"].isna().mean())
        assert (row["dont_know"], row["not_applicable"], row["asked"]) == (0, 0, len(part))
        assert row["missing"] == pytest.approx(row["blank"])


INTERNAL = THREE.replace('profile = "off"', 'profile = "internal"')


def test_hidden_groups_enter_no_table_of_groups(tmp_path):
    """Three of the press are hidden, and with them the next smallest: nothing is left to compare."""
    rows = simulated_rows(2, {"staff": 30, "buyers": 25, "press": 3})
    found = assessed(tmp_path, rows, INTERNAL)
    assert found.differences.empty
    assert found.agreement[["statistic", "p", "range"]].isna().all(axis=None)
    shown = found.nonresponse[~found.nonresponse["suppressed"]]
    assert set(shown["group"]) == {"staff"}
    assert found.nonresponse.loc[found.nonresponse["suppressed"], ["asked", "blank", "missing"]].isna().all(axis=None)


def test_people_in_several_groups_leave_kruskal_and_wallis_without_a_result(tmp_path):
    study = THREE.replace('group = "group"', 'group = "group"\ngroup_separator = ";"')
    rows = simulated_rows(3, {"staff": 20, "buyers": 20, "staff;press": 20})
    found = assessed(tmp_path, rows, study)
    assert found.agreement["statistic"].isna().all()
    assert found.agreement["range"].notna().all()
    assert found.differences["std_error"].notna().all()


STRATA = STUDY.replace('group = "group"', 'group = "group"\nstratum = "Region"').replace(
    'label = "Staff"\n', 'label = "Staff"\n[groups.strata]\nnorth = 40\nsouth = 20\n'
)


def of_strata(rows: pd.DataFrame, column: str) -> tuple[float, float]:
    """The textbook's stratified mean and its standard error, two thirds in the north (Cochran 1977, chapter 5)."""
    mean, variance = 0.0, 0.0
    for region, size in (("north", 40), ("south", 20)):
        part = rows.loc[rows["Region"] == region, column]
        mean += size / 60 * part.mean()
        variance += (size / 60) ** 2 * (1 - len(part) / size) * part.var(ddof=1) / len(part)
    return mean, np.sqrt(variance)


def test_strata_with_known_sizes_count_by_them_and_are_corrected_each_by_its_own(tmp_path):
    rows = simulated_rows(4, {"staff": 24, "buyers": 20}).assign(Region=[*["north"] * 18, *["south"] * 26])
    text = rows.astype(dict.fromkeys(HEADER[2:], "Int64")).to_csv(index=False)
    found = assess(write_study(tmp_path, study=STRATA + "\n[weighting]\nreplicates = 50\n", csv=text))
    row = found.group_scores.query("axis == 'people' and group == 'staff' and issue == 'climate'").iloc[0]
    assert row[["estimate", "std_error"]].tolist() == pytest.approx(
        of_strata(rows[rows["group"] == "staff"], "Climate")
    )
    np.testing.assert_allclose(found.replicates["jackknife"], found.replicates["std_error"], rtol=1e-9)


def test_design_weights_stand_where_the_exports_have_them(tmp_path):
    rows = simulated_rows(4, {"staff": 24, "buyers": 20}).assign(Region=["north", "south"] * 22, w=range(1, 45))
    text = rows.astype(dict.fromkeys(HEADER[2:], "Int64")).to_csv(index=False)
    study = STRATA.replace('stratum = "Region"', 'stratum = "Region"\nweight = "w"')
    found = assess(write_study(tmp_path, study=study, csv=text))
    row = found.group_scores.query("axis == 'people' and group == 'staff' and issue == 'climate'").iloc[0]
    staff = rows[rows["group"] == "staff"]
    assert row["estimate"] == pytest.approx(np.average(staff["Climate"], weights=staff["w"]))


def test_more_respondents_than_a_stratum_holds_are_told(tmp_path):
    from materiality.errors import MaterialityError

    rows = simulated_rows(4, {"staff": 60, "buyers": 20}).assign(Region=["north", "south"] * 40)
    text = rows.astype(dict.fromkeys(HEADER[2:], "Int64")).to_csv(index=False)
    with pytest.raises(MaterialityError) as caught:
        assess(write_study(tmp_path, study=STRATA, csv=text))
    assert str(caught.value) == (
        "study.toml: groups ('staff').strata.south is 20, and 30 respondents of it answered.\n"
        "  Mend: correct it in [[groups]], or look for duplicates in the exports."
    )


# The answers themselves


def test_answers_are_pandass_counts_of_the_rows_point_by_point(found):
    rows, assessment = found
    table = assessment.answers.set_index(["axis", "group", "issue", "rating"])
    assert len(table) == 2 * 3 * 3 * 5
    for axis, prefix in (("people", ""), ("business", "Impact of ")):
        for group, part in rows.groupby("group"):
            for issue in ISSUES:
                counts = part[prefix + issue.capitalize()].value_counts()
                for rating in range(1, 6):
                    row = table.loc[axis, group, issue, rating]
                    assert row["n"] == counts.get(rating, 0)
                    assert row["share"] == pytest.approx(counts.get(rating, 0) / counts.sum())
    assert not table["suppressed"].any()


def told(folder: Path, sizes: dict[str, int], privacy: str, **answers: float) -> set[tuple[str, str, str]]:
    """Axis, group and issue of the cells whose answers are told; every group answers differently but for `answers`."""
    rows = simulated_rows(3, sizes).assign(**answers)
    table = assessed(folder, rows, THREE.replace('profile = "off"', privacy)).answers
    shown = table["n"].notna()
    assert (shown == ~table["suppressed"]).all() and (table["share"].notna() == shown).all()
    return set(table.loc[shown, ["axis", "group", "issue"]].itertuples(index=False, name=None))


EVERY_CELL = {
    (axis, group, i) for axis in ("people", "business") for group in ("staff", "buyers", "press") for i in ISSUES
}


def test_answers_of_fewer_than_ten_are_hidden_though_their_mean_is_not(tmp_path):
    sizes = {"staff": 30, "buyers": 10, "press": 9}
    assert told(tmp_path / "a", sizes, 'profile = "internal"') == {cell for cell in EVERY_CELL if cell[1] != "press"}
    assert told(tmp_path / "b", sizes, 'profile = "internal"\nminimum_group_size = 1') == {
        cell for cell in EVERY_CELL if cell[1] != "press"
    }
    assert told(tmp_path / "c", sizes, 'profile = "off"') == EVERY_CELL


def test_answers_are_hidden_wherever_the_mean_is(tmp_path):
    """With one group below the minimum of 12 the next smallest is hidden too, or it would tell of the small one."""
    found = told(tmp_path, {"staff": 30, "buyers": 15, "press": 11}, 'profile = "internal"\nminimum_group_size = 12')
    assert found == {cell for cell in EVERY_CELL if cell[1] == "staff"}


def test_answers_that_all_of_a_group_gave_alike_are_hidden_unless_privacy_is_off(tmp_path):
    sizes = {"staff": 30, "buyers": 25, "press": 20}
    alike = {cell for cell in EVERY_CELL if cell[0] == "people" and cell[2] == "safety"}
    assert told(tmp_path / "a", sizes, 'profile = "publish"', Safety=4) == EVERY_CELL - alike
    assert told(tmp_path / "b", sizes, 'profile = "off"', Safety=4) == EVERY_CELL


def test_a_group_that_an_axis_does_not_ask_has_no_answers_on_it(tmp_path):
    study = THREE.replace('column = "Impact of {label}"', 'column = "Impact of {label}"\ngroups = { staff = 1 }')
    table = assessed(tmp_path, simulated_rows(5, {"staff": 30, "buyers": 25, "press": 20}), study).answers
    assert set(table.loc[table["axis"] == "business", "group"]) == {"staff"}


def test_a_scale_without_points_has_no_answers_to_count(tmp_path):
    study = THREE.replace("high = 5", "high = 5\nstep = 0")
    assert assessed(tmp_path, simulated_rows(5, {"staff": 30, "buyers": 25, "press": 20}), study).answers.empty
