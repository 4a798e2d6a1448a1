"""The report page: it holds the numbers of the tables, says what they mean, and gives away nothing that is hidden."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from html import escape, unescape
from html.parser import HTMLParser
from itertools import pairwise

import pandas as pd
import pytest
from conftest import ROOT, ROWS, STUDY, write_study

from materiality.assessment import COMBINED, Assessment, assess
from materiality.cleaning import KEPT, REASONS
from materiality.reporting import page as page_module
from materiality.reporting import render_report, tables
from materiality.reporting.page import _meanings
from materiality.study import Action, Cleaning

COLUMNS = {
    "decisions": "issue, label, tier, tier_confidence, material, p_material, zone, tier_best, tier_worst, p_above_x, "
    "p_above_y, share_of_choices, choices, tip_axis, threshold, tip_threshold, tip_weight_axis, tip_group, weight, "
    "tip_weight, decision, reason, date, decided_by",
    "tips": "axis, issue, group, present, tip, change",
    "cluster_number": "clusters, gap, gap_error, silhouette, prediction_strength, bic, chosen_by, chosen",
    "rank_acceptability": "axis, uncertain, issue, rank, share",
    "tier_acceptability": "uncertain, issue, above_x, above_y, tier_1, tier_2, tier_3, material",
    "central_weights": "axis, issue, choice, group, weight",
    "without_group": "group, axis, issue, estimate, without, difference, tier, tier_without, material, "
    "material_without",
    "choices": "issue, choice, option, share, choices",
    "multiverse": "threshold, rule, weights, certainty, flagged, ratings, missing, n_material, material",
    "segments": "axis, method, segment, n, share, stability, verdict",
    "segment_number": "axis, method, segments, prediction_strength, bic, bic_continuum, chosen",
    "segment_profiles": "axis, method, segment, issue, centred, distinct",
    "segment_groups": "axis, method, segment, group, share",
    "unreliable": "axis, issue, n",
    "ranks": "axis, issue, estimate, rank, low, high, marginal_low, marginal_high, top",
    "joint": "issue, correlation, shared, semi_major, semi_minor, angle",
    "differences": "axis, issue, group, other, difference, std_error, conf_low, conf_high, p, p_holm",
    "agreement": "axis, issue, statistic, df, p, p_holm, p_bh, epsilon_squared, std_dev, range, highest, lowest",
    "weighting": "group, n, n_effective, design_effect, smallest, largest, raked",
    "margins": "group, column, category, wanted, before, after",
    "nonresponse": "axis, issue, group, asked, dont_know, not_applicable, blank, missing, suppressed",
    "bounds": "axis, issue, estimate, lowest, highest, missing, tier, best_tier, worst_tier",
    "centred": "axis, issue, centred, std_error, rank, rank_centred",
    "leniency": "axis, issue, adjusted, std_error, rank, intraclass, respondents",
}
FACTS = {"version": "0", "run_id": "0", "inputs": []}
DASH = "–"


class Page(HTMLParser):
    """A page's text, and the cells of each table under the name that screen readers tell."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text, self.tables, self._name, self._cell, self._style = "", {}, "", False, False
        self.feed(html)
        self.tables = {name: table for name, table in self.tables.items() if table}  # a script fills the others

    def handle_starttag(self, tag, attrs):
        self._style |= tag in {"style", "script"}
        if tag == "div" and dict(attrs).get("role") == "region":
            self._name = dict(attrs)["aria-label"]
            self.tables[self._name] = []
        elif tag == "tr":
            self.tables[self._name].append([])
        elif tag in {"td", "th"}:
            self._cell = True
            self.tables[self._name][-1].append("")

    def handle_data(self, data):
        if self._style:
            return
        data = data.replace("\N{NO-BREAK SPACE}", " ")
        self.text += data
        if self._cell:
            self.tables[self._name][-1][-1] += data

    def handle_endtag(self, tag):
        self._cell &= tag not in {"td", "th"}
        self._style &= tag not in {"style", "script"}
        self.text += "" if tag in {"span", "code", "strong", "bdi", "svg", "path", "circle"} else "\n"

    def rows(self, name: str) -> dict[str, list[str]]:
        """The cells of a table below its heading, by the first of each line."""
        return {first: rest for first, *rest in self.tables[name][1:]}


def page_of(assessment: Assessment) -> Page:
    return Page(render_report(assessment, b"<svg/>", FACTS))


def two(value) -> str:
    if pd.isna(value):
        return DASH
    return f"{value:.2f}".replace("-0.00", "0.00").replace("-", "\N{MINUS SIGN}")


def span(low, high) -> str:
    return f"{two(low)} to {two(high)}" if pd.notna(low) else DASH


def percent(value) -> str:
    return "0 %" if value == 0 else f"{100 * value:.1f} %"


def places(low, high) -> str:
    return f"{low}" if low == high else f"{low} to {high}"


@pytest.fixture(scope="module")
def kstar() -> Assessment:
    return assess(ROOT / "surveys" / "kstar-2023")


@pytest.fixture(scope="module")
def page(kstar) -> Page:
    return page_of(kstar)


def of_axis(table: pd.DataFrame, axis: str) -> list[dict]:
    return table[table["axis"] == axis].to_dict("records")


def issue_names(assessment: Assessment) -> dict[str, str]:
    return {issue.id: issue.name for issue in assessment.study.issues}


def group_names(assessment: Assessment) -> dict[str, str]:
    return {group.id: group.name for group in assessment.study.groups}


# The tables


@pytest.mark.parametrize("name", COLUMNS)
def test_tables_have_the_columns_that_other_programs_rely_on(kstar, name):
    assert list(tables(kstar)[name].columns) == COLUMNS[name].split(", ")


@pytest.mark.parametrize("name", COLUMNS)
def test_the_guide_names_every_column(name):
    guide = (ROOT / "docs" / "outputs.md").read_text(encoding="utf-8")
    section = re.search(rf"## `tables/{name}\.csv`.*?(?=\n## )", guide, re.DOTALL).group()
    assert [column for column in COLUMNS[name].split(", ") if f"`{column}`" not in section] == []


def test_the_guide_has_a_section_for_every_table_and_names_every_reason(kstar):
    guide = (ROOT / "docs" / "outputs.md").read_text(encoding="utf-8")
    assert [name for name in tables(kstar) if f"## `tables/{name}.csv`" not in guide] == []
    assert [reason for reason in REASONS if f"`{reason}`" not in guide] == []


# The numbers


def test_the_page_holds_the_ranks_of_every_axis_and_of_both_together(kstar, page):
    names = issue_names(kstar)
    titles = {axis: f"“{value.label}”" for axis, value in kstar.study.axes.items()}
    for axis, title in (*titles.items(), (COMBINED, "both axes of the matrix together")):
        found = page.rows(f"Ranks on {title}")
        for row in of_axis(kstar.ranks, axis):
            assert found[names[row["issue"]]] == [
                two(row["estimate"]),
                f"{row['rank']}",
                places(row["marginal_low"], row["marginal_high"]),
                places(row["low"], row["high"]),
                f"{row['top']}",
            ]


def test_the_page_holds_the_joint_regions(kstar, page):
    names, found = issue_names(kstar), page.rows("Joint regions")
    assert f"Respondents whom both axes ask: {kstar.joint['shared'].iloc[0]}." in page.text
    for row in kstar.joint.to_dict("records"):
        assert found[names[row["issue"]]] == [
            *(two(row[column]) for column in ("correlation", "semi_major", "semi_minor")),
            f"{row['angle']:.0f}°",
        ]


def test_the_page_holds_what_weighting_did(kstar, page):
    groups = group_names(kstar)
    shown = page.tables["Margins: Employees"][1:]
    assert shown == [
        [row["column"], row["category"], percent(row["wanted"]), percent(row["before"]), percent(row["after"])]
        for row in kstar.margins.to_dict("records")
    ]
    found = page.rows("Weights by group")
    for row in kstar.weighting.to_dict("records"):
        effective = f"{row['n_effective']:.1f}"
        rest = [two(row[column]) for column in ("design_effect", "smallest", "largest")]
        assert found[groups[row["group"]]] == [f"{row['n']}", effective, *rest]


def test_issues_stand_in_the_order_of_their_disagreement(kstar, page):
    names, groups = issue_names(kstar), group_names(kstar)
    means = kstar.group_scores.set_index(["axis", "group", "issue"])["estimate"]
    for axis, value in kstar.study.axes.items():
        rows = sorted(of_axis(kstar.agreement, axis), key=lambda row: (-row["range"], -row["std_dev"]))
        found = page.tables[f"Disagreement: {value.label}"][1:]
        assert [line[0] for line in found] == [names[row["issue"]] for row in rows]
        for line, row in zip(found, rows, strict=True):
            ends = [f"{groups[row[end]]} {two(means[axis, row[end], row['issue']])}" for end in ("highest", "lowest")]
            assert line[1:5] == [two(row["range"]), two(row["std_dev"]), *ends]
            for cell, p in zip(line[5:8], (row["p"], row["p_holm"], row["p_bh"]), strict=True):
                assert cell == ("under 0.001" if p < 0.001 else f"{p:.3f}")


def test_the_ten_largest_differences_whose_interval_leaves_out_0_are_shown_higher_group_first(kstar, page):
    names, groups = issue_names(kstar), group_names(kstar)
    for axis, value in kstar.study.axes.items():
        rows = of_axis(kstar.differences, axis)
        without = [row for row in rows if row["conf_low"] > 0 or row["conf_high"] < 0]
        expected = set()
        for row in sorted(without, key=lambda row: -abs(row["difference"]))[:10]:
            higher, lower, low, high = row["group"], row["other"], row["conf_low"], row["conf_high"]
            if row["difference"] < 0:
                higher, lower, low, high = lower, higher, -high, -low
            expected.add(
                (names[row["issue"]], groups[higher], groups[lower], two(abs(row["difference"])), span(low, high))
            )
        found = page.tables[f"Largest differences: {value.label}"][1:]
        assert {tuple(line[:5]) for line in found} == expected
        told = sum(row["difference"] == row["difference"] for row in rows)
        assert f"Of {told} differences between two groups, {len(without)} have a 95 % interval" in page.text


def test_the_page_tells_how_far_groups_and_respondents_agree(kstar, page):
    for one in kstar.concords:
        assert (
            f"Kendall’s W of the {one.groups} groups that are shown and rated every issue: {two(one.w_groups)}."
            in page.text
        )
        assert (
            f"Kendall’s W of the {one.respondents} respondents who rated every issue, each counting once: "
            f"{two(one.w_respondents)}." in page.text
        )
        assert (
            f"Cronbach’s alpha of these respondents’ ratings: {two(one.alpha)} ({span(one.alpha_low, one.alpha_high)})."
            in page.text
        )


def test_shares_of_answers_that_are_no_rating_are_those_of_the_respondents(kstar, page):
    names, groups = issue_names(kstar), group_names(kstar)
    for axis, value in kstar.study.axes.items():
        scores = kstar.group_scores[kstar.group_scores["axis"] == axis]
        found = page.rows(f"No rating, by issue: {value.label}")
        for issue, name in names.items():
            here = scores[scores["issue"] == issue]
            kinds = [int(here[kind].sum()) for kind in ("dont_know", "not_applicable", "blank")]
            asked = int(here["n"].sum()) + sum(kinds)
            assert found[name] == [percent(n / asked) for n in (sum(kinds), *kinds)]
        table, by_group = kstar.nonresponse, page.rows(f"No rating, by group: {value.label}")
        heading = page.tables[f"No rating, by group: {value.label}"][0][1:]
        for row in of_axis(table, axis):
            told = "hidden" if row["suppressed"] else percent(row["missing"])
            assert by_group[names[row["issue"]]][heading.index(groups[row["group"]])] == told


def test_the_page_holds_the_bounds_and_names_the_issues_that_could_change_tier(kstar, page):
    names, found = issue_names(kstar), page.rows("Bounds")
    for k, axis in enumerate(kstar.study.axes):
        for row in of_axis(kstar.bounds, axis):
            cells = found[names[row["issue"]]]
            expected = [two(row["estimate"]), span(row["lowest"], row["highest"]), percent(row["missing"])]
            assert cells[3 * k : 3 * k + 3] == expected
            assert cells[-2:] == [f"{row['tier']}", places(row["best_tier"], row["worst_tier"])]
    rows = of_axis(kstar.bounds, kstar.study.x)
    moved = [names[r["issue"]] for r in rows if {r["best_tier"], r["worst_tier"]} != {r["tier"]}]
    assert moved and f"{', '.join(moved)} could be in another tier." in page.text


def test_the_page_holds_ranks_with_each_persons_level_taken_off(kstar, page):
    names, found = issue_names(kstar), page.rows("Ranks with each person’s level taken off")
    for k, axis in enumerate(kstar.study.axes):
        for row in of_axis(kstar.centred, axis):
            expected = [f"{row['rank']}", f"{row['rank_centred']}", two(row["centred"])]
            assert found[names[row["issue"]]][4 * k : 4 * k + 3] == expected
        for row in of_axis(kstar.leniency, axis):
            assert found[names[row["issue"]]][4 * k + 3] == f"{row['rank']}"


def test_scores_without_the_flagged_rows_are_shown_but_where_they_would_tell_what_a_handful_answered(kstar, page):
    names, found = issue_names(kstar), page.rows("With and without flagged rows")
    for k, axis in enumerate(kstar.study.axes):
        for row in of_axis(kstar.flagged, axis):
            without = "hidden" if pd.isna(row["without_flagged"]) else two(row["without_flagged"])
            assert found[names[row["issue"]]][2 * k : 2 * k + 2] == [two(row["estimate"]), without]
            assert found[names[row["issue"]]][-2:] == [f"{row['tier']}", f"{row['tier_without_flagged']}"]


def test_every_reason_that_was_met_is_explained_and_no_other(kstar, page):
    met = {reason.removeprefix("flagged: ") for export in kstar.gathered.exports for reason in export.fates}
    told = {reason for reason in REASONS if re.search(rf"^{reason}: ", page.text, re.MULTILINE)}
    assert {"careless", "long run", "relatively fast", "rare answers"} <= told
    assert told == met - {REASONS[KEPT]}


def test_every_reason_has_an_explanation_whatever_its_rule_does():
    for action in (Action.DROP, Action.FLAG):
        meanings = _meanings(Cleaning(careless=action, duplicate=action))
        assert set(meanings) == set(REASONS) - {REASONS[KEPT]}
        assert all(words.endswith(".") for words in meanings.values())


# Small studies


MANY = tuple(
    f"{k},{('Staff', 'Customer')[k % 2]},{3 + k % 3},{4 + k % 2},{2 + k % 3},{3 + k % 3},{4 + k % 2},{1 + k % 4}"
    for k in range(24)
)


def few_issues(study: str, keep: int) -> str:
    head, *issues = re.split(r"(?=\[\[issues\]\])", study)
    *issues, last = issues
    last, axes = last.split("[axes.people]")
    return head + "".join([*issues, last][:keep]) + "[axes.people]" + axes


def no_group(study: str, label: str) -> str:
    return re.sub(rf'\[\[groups\]\]\nid = "\w+"\nlabel = "{label}"\n(answers = .*\n)?\n', "", study)


INTERNAL = STUDY.replace('"off"', '"internal"')
PUBLIC = INTERNAL.replace("[[issues]]", '[[groups]]\nid = "public"\nlabel = "Public"\n\n[[issues]]', 1)
STUDIES = {
    "one group": (no_group(STUDY, "Buyers").replace('group = "group"', 'group_is = "staff"'), ROWS),
    "one issue": (few_issues(STUDY, 1).replace("[privacy]", "[tiers.thresholds]\npeople = 3.5\n[privacy]"), MANY),
    "no raking": (STUDY, MANY),
    "all hidden": (INTERNAL, ROWS),
    "one group hidden": (
        PUBLIC,
        (
            *MANY,
            "80,Staff,4,4,,3,3,",
            "81,Staff,3,4,2,4,3,2",
            "82,Staff,4,5,3,5,3,2",
            "90,Public,5,,5,4,1,2",
            "91,Public,4,Don't know,5,1,1,2",
        ),
    ),
    "no rating on an issue": (STUDY, tuple(re.sub(r"^(\d+,\w+,\d),\d", r"\1,", row) for row in MANY)),
    "no rating of a group on an issue": (STUDY, tuple(re.sub(r"^(\d+,Staff,\d),\d", r"\1,", r) for r in MANY)),
    "one person a group": (STUDY, (ROWS[0], ROWS[4])),
    "all answers alike": (
        STUDY.replace("[privacy]", '[cleaning]\nstraight_lined = "off"\ncareless = "off"\n[privacy]'),
        tuple(f"{k},{('Staff', 'Customer')[k % 2]},4,4,4,4,4,4" for k in range(12)),
    ),
    "an unstepped scale": (STUDY.replace("high = 5\n", "high = 5\nstep = 0\n", 1), MANY),
}


@pytest.mark.parametrize("name", STUDIES)
def test_a_page_of_whatever_study_shows_no_number_as_python_writes_it(tmp_path, name):
    study, rows = STUDIES[name]
    found = page_of(assess(write_study(tmp_path / "study", study=study, rows=rows)))
    assert not re.search(r"\b(nan|None|NaN|NaT|inf)\b|<NA>|Undefined|\{|\bn \d+\.0", found.text)
    assert not re.search(r"[a-z0-9]\.[A-Z]|  [a-z]|\( |[“(] | ,|\.\.", found.text)


def test_one_issue_has_no_ranks_and_one_group_nobody_to_agree_with(tmp_path):
    issue = page_of(assess(write_study(tmp_path / "issue", study=STUDIES["one issue"][0], rows=MANY)))
    assert "Ranks" not in issue.text and "Kendall" not in issue.text and "own level" not in issue.text
    study, rows = STUDIES["one group"]
    group = page_of(assess(write_study(tmp_path / "group", study=study, rows=rows)))
    assert group.text.count("There are no two groups here whose means may be shown side by side.") == 2
    assert "Kendall’s W of the groups" not in group.text and "difference between two groups" not in group.text


def test_nothing_is_said_of_weights_where_everybody_counts_the_same(tmp_path):
    found = page_of(assess(write_study(tmp_path / "study", rows=MANY)))
    assert not re.search(r"raked|Design effect|stratum|of one cluster|finite population", found.text, re.IGNORECASE)


def test_where_every_answer_is_a_rating_no_bounds_are_shown(tmp_path):
    found = page_of(assess(write_study(tmp_path / "study", rows=MANY)))
    assert "Every question that was asked was answered with a rating." in found.text
    assert "Bounds" not in found.tables


def test_a_group_that_is_hidden_stands_in_no_table_with_a_number(tmp_path):
    study, rows = STUDIES["one group hidden"]
    found = page_of(assess(write_study(tmp_path / "study", study=study, rows=rows)))
    for name, table in found.tables.items():
        heading = table[0]
        for line in table[1:]:
            if "Public" in line:
                assert not any(re.search(r"\d", cell) and cell != "under 5" for cell in line), name
            for column in [k for k, cell in enumerate(heading) if cell.startswith("Public")]:
                assert line[column] == "hidden", name
    assert "These shares leave out what is hidden of:" in found.text
    assert any(name.startswith("No rating, by group") for name in found.tables)


def test_a_score_with_one_hidden_group_keeps_the_share_that_would_tell_of_it(tmp_path):
    rows = (*(row for row in MANY if "Staff" in row), "90,Customer,,,5,,1,2", "91,Customer,,4,5,,1,2")
    assessment = assess(write_study(tmp_path / "study", study=INTERNAL, rows=rows))
    table = assessment.nonresponse
    alone = table[table["suppressed"]].groupby(["axis", "issue"]).size().eq(1)
    found = page_of(assessment).rows("Bounds")
    for (axis, issue), hidden in alone.items():
        k = list(assessment.study.axes).index(axis)
        cells = found[issue_names(assessment)[issue]][3 * k + 1 : 3 * k + 3]
        assert (cells == ["hidden", "hidden"]) == hidden
    assert alone.any()


RAKED = INTERNAL.replace(
    'label = "Staff"\n',
    'label = "Staff"\n[groups.margins.Site]\nNorth = 50\nSouth = 50\n[groups.margins.Age]\nold = 60\nyoung = 40\n',
)
RAKED_HEADER = "id,group,Climate,Safety,Ethics,Impact of Climate,Impact of Safety,Impact of Ethics,Site,Age"


def test_shares_before_raking_are_hidden_where_they_tell_of_a_handful(tmp_path):
    ages = {0: "old", 1: "old", 2: "young"}
    rows = tuple(f"{row},{'North' if k < 6 else 'South'},{ages[k // 2 % 3]}" for k, row in enumerate(MANY))
    assessment = assess(write_study(tmp_path / "study", study=RAKED, rows=rows, header=RAKED_HEADER))
    found = page_of(assessment)
    before = {(line[0], line[1]): line[3] for line in found.tables["Margins: Staff"][1:]}
    assert before == {  # 3 of 12 in the north, 4 of 12 young
        ("Site", "North"): "hidden",
        ("Site", "South"): "hidden",
        ("Age", "old"): "hidden",
        ("Age", "young"): "hidden",
    }
    many = tuple(f"{k}{line}" for k in range(1, 4) for line in rows)
    shown = page_of(assess(write_study(tmp_path / "many", study=RAKED, rows=many, header=RAKED_HEADER)))
    assert [line[3] for line in shown.tables["Margins: Staff"][1:]] == ["25.0 %", "75.0 %", "66.7 %", "33.3 %"]
    assert "Fewer than 200 were sampled in Staff." in shown.text


def test_unreliable_scores_are_marked_and_the_mark_explained_and_sound_ones_are_not(tmp_path, page):
    rows = tuple(
        f"{k},{('Staff', 'Customer')[k % 2]},{5 - (k == 0)},{2 + k % 4},3,{1 + k % 5},4,{k % 3 + 2}" for k in range(24)
    )
    assessment = assess(write_study(tmp_path / "study", rows=rows))
    names, found = issue_names(assessment), page_of(assessment)
    marked = set(zip(assessment.unreliable["axis"], assessment.unreliable["issue"], strict=True))
    assert ("people", "climate") in marked and ("people", "safety") not in marked
    for axis, value in assessment.study.axes.items():
        scores = found.rows(f"Scores: {value.label}")
        assert {issue for issue in names if "†" in scores[names[issue]][0]} == {i for a, i in marked if a == axis}
    matrix = found.rows("Issues by tier")
    column = {"x": 1, "y": 2}
    for place, axis in (("x", assessment.study.x), ("y", assessment.study.y)):
        shown = {issue for issue in names if "†" in matrix[names[issue]][column[place]]}
        assert shown == {i for a, i in marked if a == axis}
    assert found.text.count("† marks a score whose interval rests more on the ends of the scale") == 2
    assert "†" not in page.text


def test_only_issues_that_move_by_two_ranks_are_named_beside_the_centred_ranks(tmp_path):
    generous = [f"{k},Staff,5,,4,5,4,3" for k in range(8)]
    strict = [f"{k},Customer,,3,1,3,2,1" for k in range(8, 20)]
    study = no_group(STUDY, "Buyers").replace('label = "Staff"\n', 'label = "Staff"\nanswers = ["Customer"]\n')
    assessment = assess(write_study(tmp_path / "study", study=study, rows=(*generous, *strict)))
    names, table = issue_names(assessment), assessment.centred
    found = page_of(assessment)
    named = set(re.findall(r"(\w+) on “([^”]*)” \(from (\d) to (\d)\)", found.text))
    assert named == {
        (names[row["issue"]], assessment.study.axes[row["axis"]].label, f"{row['rank']}", f"{row['rank_centred']}")
        for row in table.to_dict("records")
        if abs(row["rank"] - row["rank_centred"]) >= 2
    }


DESIGN = """\
group = "group"
weight = "w"
stratum = "region"
cluster = "firm"
"""
METHODS = {
    "Respondents count by the weights that the export gives.": "w",
    "each stratum is a sample of its own": "region",
    "Respondents of one cluster count as one unit": "firm",
    "Weights are bounded": "trim",
    "A finite population correction is applied to Staff": "population",
    "Thresholds that the scores set are set anew in each draw.": "thresholds",
}


@pytest.mark.parametrize("applies", [True, False])
def test_the_method_tells_of_what_the_study_does_and_of_nothing_else(tmp_path, applies):
    study = STUDY
    if applies:
        study = study.replace('group = "group"\n', DESIGN).replace(
            'label = "Staff"\n', 'label = "Staff"\npopulation = 50\n'
        )
        study = study.replace("[privacy]", "[weighting]\ntrim = [0.5, 2.0]\n\n[privacy]")
    else:
        study = study.replace("[privacy]", "[tiers.thresholds]\npeople = 3.5\nbusiness = 3\n\n[privacy]")
    header = "id,group,Climate,Safety,Ethics,Impact of Climate,Impact of Safety,Impact of Ethics,w,region,firm"
    rows = tuple(f"{row},{1 + k % 3},{'NS'[k // 2 % 2]},{k // 3}" for k, row in enumerate(MANY))
    found = page_of(assess(write_study(tmp_path / "study", study=study, rows=rows, header=header)))
    method = found.text[found.text.index("Means. ") :]
    assert {words: words in method for words in METHODS} == dict.fromkeys(METHODS, applies)
    assert ("Design effect" in found.text) == applies


def test_a_page_of_the_reference_study_stays_small(kstar):
    assert len(render_report(kstar, b"<svg/>", FACTS).encode()) < 500_000


# One closed page


class Elements(HTMLParser):
    """Every element of a page with its attributes, in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, {name: value or "" for name, value in attrs}))

    def of(self, *tags: str) -> list[dict[str, str]]:
        return [attributes for tag, attributes in self.found if tag in tags]


@pytest.fixture(scope="module")
def html(kstar) -> str:
    return render_report(kstar, b"<svg/>", FACTS)


@pytest.fixture(scope="module")
def elements(html) -> Elements:
    return Elements(html)


def test_the_browser_may_use_the_one_style_and_the_one_script_of_the_page_and_no_other(html, elements):
    policy = next(meta["content"] for meta in elements.of("meta") if "http-equiv" in meta)
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == "'none'"
    assert rules["img-src"] == "data:" and "unsafe" not in policy
    for tag in ("style", "script"):
        texts = re.findall(rf"<{tag}>(.*?)</{tag}>", html, re.DOTALL)
        digests = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in texts]
        assert [f"'sha256-{digest}'" for digest in digests] == rules[f"{tag}-src"].split()
    assert all(script.get("type") == "application/json" for script in elements.of("script") if script)


def test_nothing_is_loaded_from_elsewhere_and_no_style_or_script_hides_in_an_attribute(html, elements):
    for tag, attributes in elements.found:
        assert not [name for name in attributes if name == "style" or name.startswith("on")], tag
        for name in {"src", "href", "data", "action", "srcset", "poster", "background"} & set(attributes):
            assert attributes[name].startswith(("#", "data:")), (tag, attributes[name])
    assert not {"link", "iframe", "object", "embed", "base", "form"} & {tag for tag, _ in elements.found}
    assert set(re.findall(r"(?:https?|wss?):?//[^\s\"'<>]*", html)) <= {"http://www.w3.org/2000/svg"}
    assert not re.search(r"url\(|@import", "".join(re.findall(r"<style>.*?</style>", html, re.DOTALL)))


def test_headings_go_down_by_one_level_and_the_contents_lead_to_each_section(html, elements):
    levels = [int(tag[1]) for tag, _ in elements.found if re.fullmatch(r"h\d", tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    ids = [attributes["id"] for _, attributes in elements.found if "id" in attributes]
    assert len(ids) == len(set(ids))
    sections = [attributes["id"] for attributes in elements.of("h2")]
    targets = [link["href"].removeprefix("#") for link in elements.of("a")]
    assert targets == ["summary", *sections[2:]] and sections[:2] == ["summary", "contents"]


def test_every_table_has_a_caption_and_each_heading_says_what_it_heads(html, elements):
    bodies = [body for body in re.findall(r"<table[^>]*>(.*?)</table>", html, re.DOTALL) if body]
    assert len(bodies) > 20 and all(body.lstrip().startswith("<caption>") for body in bodies)
    assert {heading.get("scope") for heading in elements.of("th")} == {"col", "row"}
    labels = [region["aria-label"] for region in elements.of("div") if region.get("role") == "region"]
    assert len(labels) == len(set(labels)) and not [label for label in labels if "<" in label]
    assert all(picture["aria-hidden"] == "true" for picture in elements.of("svg") if picture.get("class") == "g")


HOSTILE = (
    "<script>alert(1)</script>",
    "\"><img src=x onerror='alert(2)'>",
    "\u05e9\u05d9\u05e0\u05d5\u05d9 (2023)",
    "\u062a\u063a\u064a\u0631 \u0627\u0644\u0645\u0646\u0627\u062e",
    "W" * 300,
    "{{ 7 * 7 }} {% endif %} %(name)s & $x_1$</style></script>--><!--",
    "<bdi>&lt;b&gt;</bdi>",
)


def renamed(assessment: Assessment) -> Assessment:
    """The same numbers under names that try to be more than text."""
    study = assessment.study
    named = {
        kind: tuple(
            one.model_copy(update={"label": f"{HOSTILE[k % len(HOSTILE)]} {k}"}) for k, one in enumerate(several)
        )
        for kind, several in (("issues", study.issues), ("groups", study.groups))
    }
    axes = {axis: value.model_copy(update={"label": HOSTILE[k]}) for k, (axis, value) in enumerate(study.axes.items())}
    study = study.model_copy(update={**named, "axes": axes, "title": HOSTILE[0], "organisation": HOSTILE[1]})
    labels = {issue.id: issue.name for issue in study.issues}
    points = assessment.matrix.points
    return replace(
        assessment,
        study=study,
        matrix=replace(assessment.matrix, points=points.assign(label=points["issue"].map(labels))),
        decisions=assessment.decisions.assign(label=assessment.decisions["issue"].map(labels)),
    )


def test_hostile_names_stay_text(kstar, html, elements):
    strange = renamed(kstar)
    spoilt = render_report(strange, b"<svg/>", FACTS)
    tags = {tag for tag, _ in elements.found}
    assert {tag for tag, _ in Elements(spoilt).found} == tags
    for tag in ("script", "style", "img", "svg", "table", "section"):
        assert len(Elements(spoilt).of(tag)) == len(elements.of(tag)), tag
    assert not [attributes for _, attributes in Elements(spoilt).found if "onerror" in attributes]
    found = page_of(strange)
    for issue in strange.study.issues:
        assert issue.name in found.rows("Issues by tier")
        assert f"<bdi>{escape(issue.name).replace('&quot;', '&#34;').replace('&#x27;', '&#39;')}</bdi>" in spoilt
    assert f"Scores: {HOSTILE[0]}" in found.tables and f"Ranks on “{HOSTILE[1]}”" in found.tables


# The pictures beside the numbers


def pictured(html: str, label: str) -> list[tuple[str, list[str]]]:
    """A table's lines: the name and the HTML of each further cell."""
    table = html.partition(f'aria-label="{escape(label)}"')[2].partition("</table>")[0]
    lines = re.findall(r'<tr[^>]*><th scope="row">(.*?)</th>(.*?)</tr>', table, re.DOTALL)
    return [
        (unescape(re.sub("<.*?>", "", name)), re.findall(r"<td[^>]*>.*?</td>", rest, re.DOTALL)) for name, rest in lines
    ]


def stretch(cell: str, kind: str) -> tuple[float, float]:
    """From where to where a line or bar of a kind goes, in hundredths of the picture."""
    low, high = re.search(rf'class="{kind}" d="M([\d.]+) \d+H([\d.]+)', cell).groups()
    return float(low), float(high)


def test_intervals_dots_and_thresholds_lie_where_their_numbers_say(kstar, html, page):
    low, high = map(float, re.search(r"pictures run from ([\d.]+) to ([\d.]+);", page.text).groups())
    assert low <= kstar.scores["conf_low"].min() and high >= kstar.scores["conf_high"].max()

    def number(place: float) -> float:
        return low + (high - low) * place / 100

    near = 0.006 + (high - low) / 1000
    thresholds = {kstar.study.x: kstar.matrix.x_threshold, kstar.study.y: kstar.matrix.y_threshold}
    for axis, value in kstar.study.axes.items():
        for _, cells in pictured(html, f"Scores: {value.label}"):
            ends = [float(end) for end in re.match(r"<td>([\d.]+) to ([\d.]+)<", cells[1]).groups()]
            assert [number(place) for place in stretch(cells[1], "r")] == pytest.approx(ends, abs=near)
            dot = float(re.search(r'cx="([\d.]+)"', cells[1]).group(1))
            assert number(dot) == pytest.approx(float(re.match(r"<td>([\d.]+)", cells[0]).group(1)), abs=near)
            tick = float(re.search(r'class="k" d="M([\d.]+) 0V12"', cells[1]).group(1))
            assert number(tick) == pytest.approx(thresholds[axis], abs=near)


def test_the_sets_of_ranks_cover_the_ranks_that_stand_beside_them(kstar, html):
    count = len(kstar.study.issues)
    for _, cells in pictured(html, f"Ranks on “{kstar.study.axes[kstar.study.x].label}”"):
        for cell, kind in ((cells[2], "w"), (cells[3], "r")):
            ranks = [int(rank) for rank in re.findall(r"\d+", re.match(r"<td>([^<]*)", cell).group(1))]
            covered = [(ranks[0] - 1) / count * 100, ranks[-1] / count * 100]
            assert list(stretch(cells[3], kind)) == pytest.approx(covered, abs=0.051)


def test_bars_are_as_long_as_their_shares(kstar, html):
    for _, cells in pictured(html, "Choices"):
        share = float(re.match(r"<td>([\d.]+)", cells[0]).group(1))
        assert (stretch(cells[0], "f")[1] if share else 0.0) == pytest.approx(share, abs=0.051)
    export = kstar.gathered.exports[0]
    lines = re.findall(r'<td class="text">([^<]*)</td><td>(\d+)<svg.*?class="f" d="M0 2H([\d.]+)', html)
    assert len(lines) == len(export.fates) + 1
    assert {int(n): float(far) for _, n, far in lines} == pytest.approx(
        {n: 100 * n / export.rows for n in [*export.fates.values(), export.rows]}, abs=0.051
    )


def test_shades_of_group_means_are_tenths_of_the_way_from_the_lowest_to_the_highest(kstar, html):
    means = kstar.group_scores["estimate"].dropna()
    tenths = [means.min() + k * (means.max() - means.min()) / 10 for k in range(1, 10)]
    names, groups = issue_names(kstar), group_names(kstar)
    for axis, value in kstar.study.axes.items():
        there = {row["group"] for row in of_axis(kstar.group_scores, axis)}
        shown = [group for group in groups if group in there]
        lines = dict(pictured(html, f"Group means: {value.label}"))
        for row in of_axis(kstar.group_scores, axis):
            shade = sum(row["estimate"] >= tenth - 1e-9 for tenth in tenths)
            cell = lines[names[row["issue"]]][shown.index(row["group"])]
            mean = f"{row['estimate']:.1f}" if pd.isna(row["conf_low"]) else two(row["estimate"])
            assert ("hidden" if row["suppressed"] else f'class="heat-{shade}">{mean} ') in cell, cell


def test_answers_are_the_respondents_of_the_groups_shown_and_fill_their_bar(kstar, html):
    names = issue_names(kstar)
    for axis, value in kstar.study.axes.items():
        lines = dict(pictured(html, f"Answers: {value.label}"))
        for issue, name in names.items():
            counts = dict.fromkeys(kstar.study.scale.points, 0)
            for row in of_axis(kstar.answers, axis):
                if row["issue"] == issue and not row["suppressed"]:
                    counts[row["rating"]] += int(row["n"])
            total, (first, *rest) = sum(counts.values()), lines[name]
            assert first.startswith(f"<td>{total}<")
            assert [cell[4:-5].replace("\N{NO-BREAK SPACE}", " ") for cell in rest] == [
                percent(n / total) for n in counts.values()
            ]
            pieces = [stretch(piece, r"h\d") for piece in re.findall(r"<path class=\"h.*?>", first)]
            widths = [100 * n / total for n in counts.values() if n]
            assert [high - low for low, high in pieces] == pytest.approx(widths, abs=0.11)
            assert pieces[0][0] == 0 and pieces[-1][1] == 100


def test_dumbbells_and_margins_lie_where_their_numbers_say(kstar, html):
    means = kstar.group_scores["estimate"]
    for value in kstar.study.axes.values():
        for _, cells in pictured(html, f"Disagreement: {value.label}"):
            ends = [float(re.search(r'class="ci">([\d.]+)<', cell).group(1)) for cell in (cells[3], cells[2])]
            places = [100 * (end - means.min()) / (means.max() - means.min()) for end in ends]
            assert list(stretch(cells[0], "r")) == pytest.approx(places, abs=0.4)
    lines = pictured(html, "Margins: Employees")
    assert len(lines) == len(kstar.margins)
    for (_, cells), row in zip(lines, kstar.margins.to_dict("records"), strict=True):
        assert list(stretch(cells[3], "r")) == pytest.approx([100 * row["before"], 100 * row["after"]], abs=0.051)


def test_the_most_frequent_rank_is_the_darkest_of_its_strip(kstar, html):
    table, names = kstar.acceptability.ranks, issue_names(kstar)
    both = table[(table["axis"] == COMBINED) & (table["uncertain"] == "weights and answers")]
    lines = dict(pictured(html, "Ranks under uncertain weights"))
    assert set(both["issue"]) == set(names)
    assert set(lines) == set(names.values())
    for issue, rows in both.groupby("issue"):
        most = rows.loc[rows["share"].idxmax()]
        first, second = lines[names[issue]]
        assert first.startswith(f"<td>{most['rank']}<")
        assert second == f"<td>{page_module.share_in_words(most['share'])}</td>"
        shades = re.findall(r'class="h(\d)" d="M([\d.]+)', first)
        darkest = max(int(shade) for shade, _ in shades)
        places = [float(place) * len(names) / 100 + 1 for shade, place in shades if int(shade) == darkest]
        assert any(place == pytest.approx(most["rank"], abs=0.02) for place in places)


# Colours


def luminance(colour: str) -> float:
    colour = "".join(2 * letter for letter in colour) if len(colour) == 3 else colour
    parts = [int(colour[k : k + 2], 16) / 255 for k in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("place", [0, 1, 2], ids=["light", "dark", "print"])
def test_text_stands_out_from_whatever_it_stands_on(place):
    css = (ROOT / "materiality" / "reporting" / "report.css").read_text(encoding="utf-8")
    blocks = [
        dict(re.findall(r"--([\w-]+):\s*#(\w+)", block)) for block in re.findall(r":root \{(.*?)\}", css, re.DOTALL)
    ]
    assert len(blocks) == 3 and all(block.keys() == blocks[0].keys() for block in blocks)
    colours = {name: luminance(value) for name, value in blocks[place].items()}
    pairs = [("heat-ink", f"h{shade}") for shade in range(10)]
    pairs += [(ink, ground) for ink in ("ink", "quiet", "accent", "mark") for ground in ("page", "tint")]
    for ink, ground in [*pairs, ("ink", "warn")]:
        low, high = sorted((colours[ink], colours[ground]))
        assert (high + 0.05) / (low + 0.05) >= 4.5, (ink, ground)


# Compiled templates


def test_a_page_from_templates_compiled_earlier_is_the_same(tmp_path, monkeypatch, kstar, html):
    monkeypatch.setattr(page_module, "cache_from_source", lambda _: str(tmp_path / "page.pyc"))
    monkeypatch.setattr("sys.dont_write_bytecode", False)
    for _ in range(2):
        page_module._environment.cache_clear()
        assert render_report(kstar, b"<svg/>", FACTS) == html
        assert list(tmp_path.glob("template-*.cache"))
    page_module._environment.cache_clear()
