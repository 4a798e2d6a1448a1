"""The report's sections on decisions, clusters, choices, weights and segments say what the tables hold."""

from __future__ import annotations

import re

import pandas as pd
import pytest
from conftest import NINE, ROOT, STUDY, write_study
from test_page import MANY, group_names, issue_names, page_of, percent, places, two

from materiality.assessment import Assessment, assess
from materiality.reporting.page import share_in_words
from materiality.reporting.tables import result
from materiality.sensitivity import UNCERTAIN


@pytest.fixture(scope="module")
def kstar() -> Assessment:
    return assess(ROOT / "surveys" / "kstar-2023")


@pytest.fixture(scope="module")
def page(kstar):
    return page_of(kstar)


def of(table: pd.DataFrame, **values) -> pd.Series:
    for column, value in values.items():
        table = table[table[column] == value]
    return table.iloc[0]


def test_the_decision_table_names_the_nine_issues_and_says_which_are_borderline(kstar, page):
    first = kstar.decisions[kstar.decisions["tier"] == 1]
    assert set(first["issue"]) == NINE
    settled = first.loc[first["tier_worst"] == 1, "label"].tolist()
    borderline = first.loc[first["tier_worst"] > 1, "label"].tolist()
    assert settled and borderline
    assert f"Of the 9 issues of tier 1, {len(settled)} are settled there: {', '.join(settled)}." in page.text
    assert f"{len(borderline)} are borderline between tier 1 and a lower one: {', '.join(borderline)}." in page.text
    for zone, rows in kstar.decisions.groupby("zone"):
        separator = "; " if any("," in label for label in rows["label"]) else ", "
        assert re.search(rf"{zone}.*\({len(rows)}\): {re.escape(separator.join(rows['label']))}\.", page.text)


def test_every_number_of_the_decision_table_is_on_the_page_and_in_the_result(kstar, page):
    found, groups = page.rows("Decisions"), group_names(kstar)
    in_result = {row["issue"]: row for row in result(kstar)["decisions"]}
    for row in kstar.decisions.to_dict("records"):
        cells = found[row["label"]]
        assert cells[:3] == [
            str(row["tier"]),
            share_in_words(row["tier_confidence"]),
            places(row["tier_best"], row["tier_worst"]),
        ]
        assert cells[3:5] == [row["zone"], percent(row["share_of_choices"])]
        axis = kstar.study.axes[row["tip_axis"]].label
        assert cells[5] == f"{two(row['threshold'])} → {two(row['tip_threshold'])} {axis}"
        if pd.isna(row["tip_group"]):
            assert cells[6] == "none"
        else:
            axis = kstar.study.axes[row["tip_weight_axis"]].label
            weights = f"{percent(row['weight'])} → {percent(row['tip_weight'])}"
            assert cells[6] == f"{groups[row['tip_group']]}: {weights} {axis}"
        for name, value in row.items():
            told = in_result[row["issue"]][name]
            if value is None or pd.isna(value):
                assert told is None
            else:
                assert told == (pytest.approx(value, rel=1e-9) if isinstance(value, float) else value)


def test_a_decision_stands_beside_the_computed_tier_and_changes_no_number(tmp_path):
    decision = """
[[decisions]]
issue = "climate"
decision = "{}"
reason = "The <b>board</b> said so."
date = 2024-03-31
by = "Board & co"
"""
    plain = assess(write_study(tmp_path / "plain", rows=MANY))
    material = bool(plain.decisions.loc[plain.decisions["issue"] == "climate", "material"].iloc[0])
    for k, (word, differs) in enumerate((("material", not material), ("not_material", material))):
        study = STUDY.replace("[privacy]", f"{decision.format(word)}\n[privacy]")
        found = assess(write_study(tmp_path / str(k), study=study, rows=MANY))
        computed = plain.decisions.columns[:-4]
        pd.testing.assert_frame_equal(found.decisions[computed], plain.decisions[computed])
        text = page_of(found).text
        assert "2024-03-31, by Board & co. The <b>board</b> said so." in text
        assert ("The survey and the rule say otherwise" in text) == differs


def test_the_sentence_on_clusters_of_the_reference_study_is_what_the_criteria_say(kstar, page):
    assert kstar.clusters.continuum
    gap = kstar.clusters.gap
    assert "by the gap statistic these 25 issues fall apart no more clearly than 25 points spread evenly" in page.text
    assert f"the widest gap takes {100 * gap.share:.0f} % of the way from the first issue to the last" in page.text
    assert f"a gap as wide shows in {share_in_words(gap.p)} of cases" in page.text
    assert [row[0] for row in page.tables["Number of clusters"][1:]] == [str(k) for k in kstar.clusters.number.clusters]


def test_issues_are_material_in_all_choices_in_none_or_in_between(kstar, page):
    every = kstar.multiverse.shares[kstar.multiverse.shares["choice"] == "all"]
    labels, found = issue_names(kstar), page.rows("Choices")
    for issue, share in zip(every["issue"], every["share"], strict=True):
        assert found[labels[issue]][0] == percent(share)
    always = [labels[issue] for issue in every.loc[every["share"] == 1, "issue"]]
    assert f"Material in every one of them ({len(always)}): {', '.join(always)}." in page.text
    assert f"{len(kstar.multiverse.choices)} combinations of choices" in page.text
    between = int(((every["share"] > 0) & (every["share"] < 1)).sum())
    assert re.search(rf"\b{between} issues depend on the choice", page.text)


def test_shares_under_uncertain_weights_are_those_of_the_table(kstar, page):
    table, labels = kstar.acceptability.tiers, issue_names(kstar)
    for above, column in (("Above both thresholds", "tier_1"), ("Material", "material")):
        name = f"{above} under uncertain weights"
        heading, found = page.tables[name][0][1:], page.rows(name)
        assert len(heading) == len(UNCERTAIN) == len(set(table["uncertain"]))
        for issue, label in labels.items():
            shares = [of(table, uncertain=uncertain, issue=issue)[column] for uncertain in UNCERTAIN]
            assert found[label] == [share_in_words(share) for share in shares]


def test_the_largest_change_without_a_group_is_shown_unless_it_would_tell_of_the_group(tmp_path, kstar, page):
    found, groups = page.rows("Each group left out"), group_names(kstar)
    for group, rows in kstar.without_group.groupby("group"):
        assert found[groups[group]][0] == two(rows["difference"].abs().max())
    hidden = STUDY.replace('"off"', '"internal"')
    rows = (*MANY[1::2], *MANY[:6:2])
    text = page_of(assess(write_study(tmp_path / "study", study=hidden, rows=rows))).rows("Each group left out")
    assert {cells[0] for cells in text.values()} == {"hidden"}


def test_a_study_of_one_group_says_nothing_of_other_weights(tmp_path):
    study = STUDY.replace('group = "group"', 'group_is = "staff"')
    blocks = re.split(r"(?=\[\[)", study)
    study = "".join(block for block in blocks if '"Buyers"' not in block)
    text = page_of(assess(write_study(tmp_path / "study", study=study, rows=MANY))).text
    assert "If the group weights were others" not in text
    assert "Each group left out in turn" not in text


def test_the_page_says_that_there_are_no_segments_where_there_are_none(kstar, page):
    segments = kstar.segmentation.segments
    assert (segments[segments["segment"] > 0].groupby(["axis", "method"]).size() == 1).all()
    assert page.text.count("no segments. The answers") == 2 * len(kstar.study.axes)
