"""The decision table says what its sources say, line by line, and what the study file decided."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from conftest import NINE, ROOT
from test_groups import HEADER, ISSUES, THREE, assessed, simulated_rows

from materiality.assessment import assess
from materiality.reporting.tables import result

DECIDED = ["decision", "reason", "date", "decided_by"]
TIPS = {
    False: ("tip_axis", "threshold", "tip_threshold"),
    True: ("tip_weight_axis", "weight", "tip_weight"),
}
DECISION = """
[[decisions]]
issue = "ethics"
decision = "material"
reason = "Required by the parent company."
date = 2024-03-31
by = "The board"
"""
THRESHOLDS = "\n[tiers.thresholds]\npeople = 3.0\nbusiness = 3.2\n"


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    """SIMULATED answers of three groups, of which some like climate better and others ethics."""
    found = simulated_rows(31, {"staff": 30, "buyers": 25, "press": 20})
    lift = np.where(found["group"] == "staff", -1, 1)
    for column, sign in (("Climate", 1), ("Impact of Climate", 1), ("Ethics", -1), ("Impact of Ethics", -1)):
        found[column] = (found[column] + sign * lift).clip(1, 5)
    return found


@pytest.fixture(scope="module")
def small(rows, tmp_path_factory):
    return assessed(tmp_path_factory.mktemp("small"), rows, THREE + DECISION)


@pytest.fixture(scope="module")
def unrated(rows, tmp_path_factory):
    """Nobody rated safety at all, and nobody ethics on one axis."""
    blank = rows.assign(**dict.fromkeys((HEADER[3], HEADER[6], HEADER[4]), np.nan))
    return assessed(tmp_path_factory.mktemp("unrated"), blank, THREE + DECISION + THRESHOLDS)


@pytest.fixture(scope="module")
def reference():
    return assess(ROOT / "surveys" / "kstar-2023")


@pytest.fixture(scope="module", params=["small", "unrated", "reference"])
def each(request):
    return request.getfixturevalue(request.param)


def smallest(assessment, issue: str, of_group: bool) -> dict | None:
    """The tip of an issue with the smallest change, the first of equal ones, by plain loops."""
    best = None
    for tip in assessment.tips.to_dict("records"):
        if tip["issue"] != issue or (tip["group"] != "") != of_group or math.isnan(tip["change"]):
            continue
        if best is None or abs(tip["change"]) < abs(best["change"]) - 1e-8:
            best = tip
    return best


@pytest.mark.parametrize("of_group", [False, True])
def test_the_tip_of_an_issue_is_the_one_with_the_smallest_change(each, of_group):
    told = 0
    for line in each.decisions.to_dict("records"):
        tip = smallest(each, line["issue"], of_group)
        found = tuple(line[name] for name in TIPS[of_group])
        if tip is None:
            assert all(pd.isna(value) for value in found)
            assert not of_group or pd.isna(line["tip_group"])
        else:
            assert found == (tip["axis"], tip["present"], tip["tip"])
            assert not of_group or line["tip_group"] == tip["group"]
            told += 1
    assert told


def test_every_number_is_that_of_its_source(each):
    table, points, tiers = each.decisions, each.matrix.points, each.matrix.tiers
    assert table["issue"].tolist() == [issue.id for issue in each.study.issues]
    for name in ("label", "tier", "tier_confidence", "material", "p_material"):
        pd.testing.assert_series_equal(table[name], points[name])
    shares = {one["issue"]: one for one in each.multiverse.shares.to_dict("records") if one["choice"] == "all"}
    for k, line in enumerate(table.to_dict("records")):
        share = shares.get(line["issue"], {"share": np.nan, "choices": pd.NA})
        pairs = [
            (line["tier_best"], tiers.best[k]),
            (line["tier_worst"], tiers.worst[k]),
            (line["share_of_choices"], share["share"]),
            (line["choices"], share["choices"]),
        ]
        if not pd.isna(line["p_material"]):
            pairs += [(line["p_above_x"], tiers.p_above[0, k]), (line["p_above_y"], tiers.p_above[1, k])]
            assert line["tier_best"] <= line["tier"] <= line["tier_worst"]
        for found, expected in pairs:
            assert pd.isna(expected) if pd.isna(found) else found == expected
        assert pd.isna(line["zone"]) if tiers.zone[k] is None else line["zone"] == tiers.zone[k].value


def test_decided_columns_are_the_study_files_and_blank_elsewhere(small, reference):
    table = small.decisions.set_index("issue")[DECIDED]
    assert table.loc["ethics"].tolist() == ["material", "Required by the parent company.", "2024-03-31", "The board"]
    assert table.drop("ethics").isna().all(axis=None)
    assert reference.decisions[DECIDED].isna().all(axis=None)


def test_an_issue_without_a_rating_has_blanks_and_takes_nothing_from_the_others(unrated):
    table = unrated.decisions.set_index("issue")
    assert list(table.index) == list(ISSUES)
    assert table.loc["safety"].drop(["label", "choices"]).isna().all()
    half = table.loc["ethics"]
    assert half[["tier", "material", "p_material", "zone", "tier_best", "p_above_x", "share_of_choices"]].isna().all()
    assert half["tip_axis"] == "business"
    assert half["decision"] == "material"
    assert (
        table.loc["climate", ["tier", "zone", "p_above_x", "p_above_y", "share_of_choices", "tip_axis"]].notna().all()
    )


def test_the_reference_studys_nine_issues_of_tier_1_are_named(reference):
    table = reference.decisions
    assert set(table.loc[table["tier"] == 1, "issue"]) == NINE


def test_the_result_file_holds_every_number_of_the_table(each):
    written = result(each)["decisions"]
    table = each.decisions
    assert len(written) == len(table)
    for line, row in zip(written, table.to_dict("records"), strict=True):
        assert list(line) == list(table.columns)
        for name, value in row.items():
            if pd.isna(value):
                assert line[name] is None
            elif isinstance(value, float):
                assert line[name] == pytest.approx(value, rel=1e-9, abs=0)
            else:
                assert line[name] == value
