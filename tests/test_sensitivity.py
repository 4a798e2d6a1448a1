"""Acceptability, leaving groups out and tips equal what studies with other weights, and exact integrals, say."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT, STUDY, write_study
from pandas.testing import assert_frame_equal
from scipy import stats as scipy_stats
from test_groups import HEADER, ISSUES, THREE, simulated_rows

from materiality.assessment import assess, scores_of
from materiality.estimates import Estimates, summarise
from materiality.gathering import examine
from materiality.matrix import Matrix, build_matrix
from materiality.protection import protected, withheld
from materiality.samples import Sample
from materiality.sensitivity import (
    DRAWS,
    SHARES,
    UNCERTAIN,
    Acceptability,
    acceptability_tables,
    tips_table,
    without_group_table,
)
from materiality.study import Study

COLUMNS = {"business": list(HEADER[5:]), "people": list(HEADER[2:5])}
TWO_WEIGHTS = {"business": {"staff": 1.0, "buyers": 2.0}, "people": {"staff": 3.0, "buyers": 1.0}}
THREE_WEIGHTS = {
    "business": {"staff": 1.0, "buyers": 2.0, "press": 1.5},
    "people": {"staff": 3.0, "buyers": 1.0, "press": 1.0},
}
EXACT = 1 / DRAWS + 4e-4
"""What the even draws of two groups' weights may be off on one axis."""
PAIRED = 4 * 0.5 / np.sqrt(DRAWS)
"""Four standard errors of a share that hangs on both axes, whose draws are paired at random."""


def study_text(base: str = STUDY, weights: dict[str, dict[str, float]] | None = None, thresholds: str = "") -> str:
    """A study with other weights and thresholds."""
    tables = "".join(
        f"\n[axes.{axis}.groups]\n" + "".join(f"{group} = {float(weight)!r}\n" for group, weight in by.items())
        for axis, by in (weights or {}).items()
    )
    return base + tables + (f"\n[tiers.thresholds]\n{thresholds}\n" if thresholds else "")


@dataclass(frozen=True)
class Run:
    """A study read and placed, without what these tests do not need."""

    study: Study
    sample: Sample
    estimates: Estimates
    matrix: Matrix

    @property
    def acceptability(self) -> Acceptability:
        return acceptability_tables(self.study, self.sample, self.matrix, np.random.default_rng(3))

    @property
    def tips(self) -> pd.DataFrame:
        return tips_table(self.study, self.sample, self.estimates)

    @property
    def without(self) -> pd.DataFrame:
        return without_group_table(self.study, self.sample, self.estimates, self.matrix)

    def score(self, axis: str) -> np.ndarray:
        place = list(self.study.axes).index(axis)
        return self.estimates.values.reshape(len(self.study.axes), -1)[place]


def run(folder: Path, rows: pd.DataFrame, study: str) -> Run:
    csv = rows.astype({name: "Int64" for name in HEADER[2:] if name in rows}).to_csv(index=False)
    found, gathered = examine(write_study(folder, study=study, csv=csv))
    sample = summarise(gathered.moments, gathered.weights)
    sample = protected(found, sample, withheld(found, sample))
    estimates = scores_of(found, sample)
    return Run(found, sample, estimates, build_matrix(found, estimates, np.random.default_rng(1)))


def means_of(rows: pd.DataFrame, axis: str) -> pd.DataFrame:
    """The groups' means, by group and issue."""
    found = rows.groupby("group", sort=False)[COLUMNS[axis]].mean()
    return found.set_axis(ISSUES, axis=1)


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    """SIMULATED answers of two groups that disagree: buyers rate climate high and ethics low, staff the reverse."""
    found = simulated_rows(21, {"staff": 30, "buyers": 25})
    for column, (staff, buyers) in zip(HEADER[2:], ((-1, 0), (1, -1), (1, -1), (-1, 1), (0, 0), (1, -1)), strict=True):
        found[column] = (found[column] + np.where(found["group"] == "staff", staff, buyers)).clip(1, 5)
    return found


@pytest.fixture(scope="module")
def three_rows(rows) -> pd.DataFrame:
    """The same with a third group."""
    press = simulated_rows(22, {"press": 20})
    return pd.concat([rows, press], ignore_index=True).assign(id=range(75))


@pytest.fixture(scope="module")
def two(rows, tmp_path_factory) -> tuple[Run, Acceptability]:
    found = run(
        tmp_path_factory.mktemp("two"), rows, study_text(weights=TWO_WEIGHTS, thresholds="people = 3.0\nbusiness = 3.1")
    )
    return found, found.acceptability


@pytest.fixture(scope="module")
def three(three_rows, tmp_path_factory) -> Run:
    return run(tmp_path_factory.mktemp("three"), three_rows, study_text(THREE, THREE_WEIGHTS))


@pytest.fixture(scope="module")
def reference():
    return assess(ROOT / "surveys" / "kstar-2023")


def uncertain(table: pd.DataFrame, word: str) -> pd.DataFrame:
    return table[table["uncertain"] == word].set_index("issue")


def weight_quantiles(axis: str, word: str, variation: float = 0.3, points: int = 40_000) -> np.ndarray:
    """Weights of staff at even quantiles, the other weight being the buyers'; scipy's beta."""
    given = np.array(list(TWO_WEIGHTS[axis].values())) / sum(TWO_WEIGHTS[axis].values())
    concentration = 1 / variation**2 - 1
    law = scipy_stats.beta(*(concentration * given if word == "weights" else (1, 1)))
    return law.ppf((np.arange(points) + 0.5) / points)


def sides_by_hand(rows: pd.DataFrame, axis: str, word: str, threshold: float) -> np.ndarray:
    """With which share of the weights each issue lies above, by the integral over the weight of staff."""
    staff, buyers = means_of(rows, axis).loc[["staff", "buyers"]].to_numpy()
    w = weight_quantiles(axis, word)[:, None]
    return (w * staff + (1 - w) * buyers > threshold).mean(axis=0)


@pytest.mark.parametrize("rule", ["either", "both"])
def test_where_answers_alone_are_uncertain_shares_are_the_matrixs_confidences(three_rows, tmp_path, rule):
    base = THREE.replace("[matrix]", f'[tiers]\nrule = "{rule}"\n\n[matrix]')
    found = run(tmp_path, three_rows, study_text(base, THREE_WEIGHTS, 'people = "top 2"\nbusiness = "top 2"'))
    shares, points = uncertain(found.acceptability.tiers, "answers"), found.matrix.points.set_index("issue")
    own = [shares.loc[issue, f"tier_{tier}"] for issue, tier in points["tier"].items()]
    assert own == points["tier_confidence"].tolist()
    np.testing.assert_allclose(shares["material"], points["p_material"], rtol=1e-12)
    assert shares[["above_x", "above_y"]].T.to_numpy().tolist() == found.matrix.tiers.p_above.tolist()
    assert len(set(points["tier"])) > 1


def test_the_reference_studys_shares_under_answers_are_its_matrixs_confidences(reference):
    shares, points = uncertain(reference.acceptability.tiers, "answers"), reference.matrix.points.set_index("issue")
    own = [shares.loc[issue, f"tier_{tier}"] for issue, tier in points["tier"].items()]
    assert own == points["tier_confidence"].tolist()
    np.testing.assert_allclose(shares["material"], points["p_material"], rtol=1e-12)


@pytest.mark.parametrize("word", ["weights", "any weights"])
def test_shares_of_two_groups_are_beta_integrals(two, rows, word):
    table = uncertain(two[1].tiers, word)
    x, y = sides_by_hand(rows, "business", word, 3.1), sides_by_hand(rows, "people", word, 3.0)
    assert ((x > 0.05) & (x < 0.95)).any()
    assert ((y > 0.05) & (y < 0.95)).any()
    np.testing.assert_allclose(table["above_x"], x, atol=EXACT)
    np.testing.assert_allclose(table["above_y"], y, atol=EXACT)
    np.testing.assert_allclose(table["tier_1"], x * y, atol=PAIRED)
    np.testing.assert_allclose(table["tier_3"], (1 - x) * (1 - y), atol=PAIRED)
    np.testing.assert_allclose(table["material"], 1 - (1 - x) * (1 - y), atol=PAIRED)


@pytest.mark.parametrize("word", ["weights", "any weights"])
def test_ranks_of_two_groups_are_those_of_the_quantiles_of_the_weight(two, rows, word):
    for axis in ("business", "people"):
        staff, buyers = means_of(rows, axis).loc[["staff", "buyers"]].to_numpy()
        w = weight_quantiles(axis, word)[:, None]
        ranks = scipy_stats.rankdata(-(w * staff + (1 - w) * buyers), axis=1).astype(int)
        table = two[1].ranks
        table = table[(table["axis"] == axis) & (table["uncertain"] == word)].set_index(["issue", "rank"])["share"]
        for k, issue in enumerate(ISSUES):
            for rank in (1, 2, 3):
                assert table.get((issue, rank), 0.0) == pytest.approx((ranks[:, k] == rank).mean(), abs=EXACT)


def test_central_weights_of_two_groups_are_the_middles_of_the_weights_that_choose(two, rows):
    """Any weight is as likely as any other, so the mean over a stretch of them is its middle."""
    seen = 0
    for axis, threshold in (("business", 3.1), ("people", 3.0)):
        staff, buyers = means_of(rows, axis).loc[["staff", "buyers"]].to_numpy()
        w = np.linspace(0, 1, 100_001)[:, None]
        values = w * staff + (1 - w) * buyers
        chosen = {"first": values == values.max(axis=1, keepdims=True), "above": values > threshold}
        table = two[1].central
        table = table[table["axis"] == axis].set_index(["choice", "issue", "group"])["weight"]
        for choice, where in chosen.items():
            for k, issue in enumerate(ISSUES):
                if where[:, k].any():
                    expected = w[where[:, k]].mean()
                    assert table[choice, issue, "staff"] == pytest.approx(expected, abs=1e-3)
                    assert table[choice, issue, "buyers"] == pytest.approx(1 - expected, abs=1e-3)
                    seen += 1
                else:
                    assert (choice, issue, "staff") not in table.index
    assert seen > 4


def test_shares_of_an_issue_and_of_a_rank_add_up_to_1(two, three, three_rows, tmp_path):
    tied = three_rows.assign(**{"Safety": three_rows["Climate"], "Impact of Safety": three_rows["Impact of Climate"]})
    for found in (two[1], three.acceptability, run(tmp_path, tied, study_text(THREE, THREE_WEIGHTS)).acceptability):
        by = found.ranks.groupby(["axis", "uncertain"])
        assert sorted(by.groups) == sorted(
            (axis, word) for axis in ("business", "people", "combined") for word in UNCERTAIN
        )
        for _, part in by:
            np.testing.assert_allclose(part.groupby("issue")["share"].sum(), 1.0, rtol=1e-12)
            np.testing.assert_allclose(part.groupby("rank")["share"].sum(), 1.0, rtol=1e-12)
            assert (part["share"] > 0).all()
        np.testing.assert_allclose(found.tiers[["tier_1", "tier_2", "tier_3"]].sum(axis=1), 1.0, rtol=1e-12)


def test_one_group_on_an_axis_leaves_its_weight_no_choice(rows, tmp_path):
    weights = {"business": {"buyers": 1.0}, "people": {"staff": 2.0}}
    found = run(tmp_path, rows, study_text(weights=weights)).acceptability
    for word in ("weights", "any weights"):
        assert np.isin(uncertain(found.tiers, word)[SHARES], (0.0, 1.0)).all()
        ranks = found.ranks[found.ranks["uncertain"] == word]
        assert (ranks["share"] == 1).all()
        assert len(ranks) == 9
    assert_frame_equal(
        uncertain(found.tiers, "weights and answers")[SHARES], uncertain(found.tiers, "any weights and answers")[SHARES]
    )
    assert (found.central["weight"] == 1).all()
    assert set(zip(found.central["axis"], found.central["group"], strict=True)) == {
        ("business", "buyers"),
        ("people", "staff"),
    }


def test_an_issue_without_a_score_has_no_share_and_changes_nobody_elses(three_rows, tmp_path):
    unrated = three_rows.assign(**{"Safety": np.nan, "Impact of Safety": np.nan})
    text = study_text(THREE, THREE_WEIGHTS, thresholds="people = 3.2\nbusiness = 3.0")
    start = text.index('[[issues]]\nid = "safety"')
    less = text[:start] + text[text.index('[[issues]]\nid = "ethics"') :]
    here, there = run(tmp_path / "here", unrated, text), run(tmp_path / "there", unrated, less)
    found, expected = here.acceptability, there.acceptability
    assert found.tiers.loc[found.tiers["issue"] == "safety", SHARES].isna().all(axis=None)
    for name in ("ranks", "central"):
        assert "safety" not in set(getattr(found, name)["issue"])
        assert_frame_equal(getattr(found, name), getattr(expected, name))
    rest = found.tiers[found.tiers["issue"] != "safety"].reset_index(drop=True)
    assert_frame_equal(rest, expected.tiers)
    assert here.without.loc[here.without["issue"] == "safety", ["estimate", "without", "tier"]].isna().all(axis=None)
    assert here.tips.loc[here.tips["issue"] == "safety", ["tip", "change"]].isna().all(axis=None)


def test_an_issue_with_one_score_alone_has_ranks_there_and_no_tier(three_rows, tmp_path):
    found = run(tmp_path, three_rows.assign(Safety=np.nan), study_text(THREE, THREE_WEIGHTS)).acceptability
    assert found.tiers.loc[found.tiers["issue"] == "safety", SHARES[2:]].isna().all(axis=None)
    ranked = found.ranks[found.ranks["issue"] == "safety"]
    assert set(ranked["axis"]) == {"business"}
    np.testing.assert_allclose(ranked.groupby("uncertain")["share"].sum(), 1.0)


def test_where_nobodys_spread_is_known_shares_under_answers_are_as_blank_as_the_confidences(rows, tmp_path):
    lonely = rows.groupby("group", sort=False).head(1)
    found = run(tmp_path, lonely, study_text(thresholds="people = 3.2\nbusiness = 3.0"))
    assert found.matrix.points["p_material"].isna().all()
    tiers = found.acceptability.tiers
    told = tiers["uncertain"].isin(["weights", "any weights"])
    assert tiers.loc[~told, SHARES].isna().all(axis=None)
    assert tiers.loc[told, SHARES].notna().all(axis=None)


FIVE = THREE.replace('[[groups]]\nid = "press"\n', '[[groups]]\nid = "press"\n\n[[groups]]\nid = "unions"\n').replace(
    'profile = "off"', 'profile = "internal"'
)
FIVE_WEIGHTS = {
    "business": {"staff": 2.0, "buyers": 1.0, "press": 1.0, "unions": 1.0},
    "people": {"staff": 1.0, "buyers": 1.0},
}


@pytest.fixture(scope="module")
def hidden(rows, tmp_path_factory) -> tuple[pd.DataFrame, Run]:
    """Three of the press are hidden, and the six of the unions with them; only one axis asks these."""
    few = simulated_rows(24, {"press": 3, "unions": 6})
    both = pd.concat([rows, few], ignore_index=True).assign(id=range(len(rows) + 9))
    return both, run(tmp_path_factory.mktemp("hidden"), both, study_text(FIVE, FIVE_WEIGHTS))


def test_central_weights_of_hidden_groups_are_blank_and_those_of_others_told(hidden):
    table = hidden[1].acceptability.central
    secret = table["group"].isin(["press", "unions"])
    assert table.loc[secret, "weight"].isna().all()
    assert table.loc[~secret, "weight"].notna().all()
    assert set(table.loc[table["axis"] == "people", "group"]) == {"staff", "buyers"}
    assert set(table.loc[table["axis"] == "business", "group"]) == {"staff", "buyers", "press", "unions"}


def test_the_same_seed_gives_the_same_numbers_whatever_the_order_of_rows(three, three_rows, tmp_path):
    mixed = three_rows.sample(frac=1, random_state=np.random.default_rng(5))
    other = run(tmp_path, mixed, study_text(THREE, THREE_WEIGHTS))
    for name in ("ranks", "tiers", "central"):
        assert_frame_equal(getattr(three.acceptability, name), getattr(other.acceptability, name), rtol=1e-9)
    assert_frame_equal(three.tips, other.tips, rtol=1e-8)
    assert_frame_equal(three.without, other.without, rtol=1e-9, atol=1e-12)


def left_out_of(weights: dict[str, dict[str, float]], group: str) -> dict[str, dict[str, float]]:
    return {axis: {one: w for one, w in by.items() if one != group} for axis, by in weights.items()}


@pytest.mark.parametrize("rule", ["either", "both"])
@pytest.mark.parametrize("thresholds", ["", 'people = "median"\nbusiness = 3.2', 'people = "top 1"'])
def test_without_a_group_all_is_as_in_a_study_that_does_not_ask_it(three_rows, tmp_path, rule, thresholds):
    base = THREE.replace("[matrix]", f'[tiers]\nrule = "{rule}"\n\n[matrix]')
    table = run(tmp_path / "all", three_rows, study_text(base, THREE_WEIGHTS, thresholds)).without
    assert list(table["group"].unique()) == ["staff", "buyers", "press"]
    moved = 0
    for group, part in table.groupby("group"):
        weights = left_out_of(THREE_WEIGHTS, group)
        fresh = run(tmp_path / group, three_rows, study_text(base, weights, thresholds))
        points = fresh.matrix.points
        for axis, here in part.groupby("axis"):
            assert here["issue"].tolist() == list(ISSUES)
            np.testing.assert_allclose(here["without"], fresh.score(axis), rtol=1e-12)
            assert here["tier_without"].tolist() == points["tier"].tolist()
            assert here["material_without"].tolist() == points["material"].tolist()
        np.testing.assert_allclose(part["difference"], part["without"] - part["estimate"])
        moved += (part["tier"] != part["tier_without"]).sum()
    assert moved


def test_a_group_that_one_axis_asks_changes_that_axis_alone(three_rows, tmp_path):
    weights = {"business": {"staff": 1.0, "buyers": 2.0, "press": 1.0}, "people": {"staff": 3.0, "buyers": 1.0}}
    found = run(tmp_path, three_rows, study_text(THREE, weights)).without.set_index(["group", "axis"])
    np.testing.assert_allclose(found.loc[("press", "people"), "difference"], 0.0, atol=1e-12)
    assert (found.loc[("press", "business"), "difference"].abs() > 0).any()


def test_without_a_hidden_group_tiers_are_told_and_numbers_are_not(hidden, tmp_path):
    rows, found = hidden
    table = found.without
    secret = table["group"].isin(["press", "unions"]) & (table["axis"] == "business")
    assert table.loc[secret, ["without", "difference"]].isna().all(axis=None)
    assert table.loc[~secret, ["without", "difference"]].notna().all(axis=None)
    for group in ("press", "unions"):
        fresh = run(tmp_path / group, rows, study_text(FIVE, left_out_of(FIVE_WEIGHTS, group))).matrix.points
        part = table[(table["group"] == group) & (table["axis"] == "people")]
        assert part["tier_without"].tolist() == fresh["tier"].tolist()
        assert part["material_without"].tolist() == fresh["material"].tolist()


def test_without_the_only_group_of_an_axis_there_is_no_score_and_no_tier(three_rows, tmp_path):
    weights = {"business": {"staff": 1.0, "buyers": 2.0}, "people": {"press": 1.0}}
    table = run(tmp_path, three_rows, study_text(THREE, weights)).without.set_index(["group", "axis"])
    assert table.loc[("press", "people"), ["without", "difference"]].isna().all(axis=None)
    np.testing.assert_allclose(table.loc[("press", "business"), "difference"], 0.0, atol=1e-12)
    assert table.loc["press", ["tier_without", "material_without"]].isna().all(axis=None)
    assert table.loc[["staff", "buyers"], ["without", "tier_without"]].notna().all(axis=None)


def lies_above(scores: np.ndarray, rule: str | float) -> np.ndarray:
    """Sides by hand."""
    at = {"mean": np.mean, "median": np.median}[rule](scores) if isinstance(rule, str) else rule
    return scores > at + 1e-9


def share_moved(weights: dict[str, float], group: str, share: float) -> dict[str, float]:
    """Weights in which a group has a share, and the others their proportions."""
    rest = sum(weight for one, weight in weights.items() if one != group)
    return {one: share if one == group else (1 - share) * weight / rest for one, weight in weights.items()}


@pytest.mark.parametrize("rule", ["mean", "median", 3.15])
def test_just_beyond_its_tip_of_a_weight_an_issue_stands_on_the_other_side_and_just_before_it_does_not(
    three_rows, tmp_path, rule
):
    thresholds = f"people = {rule!r}\nbusiness = {rule!r}".replace("'", '"')
    found = run(tmp_path / "all", three_rows, study_text(THREE, THREE_WEIGHTS, thresholds))
    table = found.tips
    table = table[table["group"] != ""]
    assert len(table) == 2 * 3 * 3
    # nearer the ends than this a share cannot go a little further
    tipped = table[table["tip"].between(1e-5, 1 - 1e-5)]
    assert len(tipped) >= 3
    for row in tipped.itertuples():
        weights = THREE_WEIGHTS[row.axis]
        assert row.present == pytest.approx(weights[row.group] / sum(weights.values()))
        assert row.change == pytest.approx(row.tip - row.present)
        place, now = ISSUES.index(row.issue), lies_above(found.score(row.axis), rule)
        for way, changed in ((-1, False), (1, True)):
            share = row.tip + way * 1e-6 * np.sign(row.change)
            text = study_text(THREE, {**THREE_WEIGHTS, row.axis: share_moved(weights, row.group, share)}, thresholds)
            fresh = run(tmp_path / "other", three_rows, text)
            assert (lies_above(fresh.score(row.axis), rule) != now)[place] == changed


@pytest.mark.parametrize("rule", ["mean", 3.15])
def test_nearer_than_its_tip_no_share_moves_an_issue_and_without_one_none_at_all(three_rows, tmp_path, rule):
    thresholds = f"people = {rule!r}\nbusiness = {rule!r}".replace("'", '"')
    found = run(tmp_path, three_rows, study_text(THREE, THREE_WEIGHTS, thresholds))
    for row in found.tips[found.tips["group"] != ""].itertuples():
        reach = 2.0 if np.isnan(row.tip) else abs(row.change)
        now = lies_above(found.score(row.axis), rule)
        means = means_of(three_rows, row.axis)
        for share in np.linspace(0, 1, 60):
            if abs(share - row.present) < reach - 1e-9:
                weights = pd.Series(share_moved(THREE_WEIGHTS[row.axis], row.group, share))
                scores = weights @ means.loc[weights.index]
                assert (lies_above(scores.to_numpy(), rule) == now)[ISSUES.index(row.issue)]


def test_a_threshold_at_its_tip_leaves_the_issue_on_the_line_and_a_little_further_it_changes_side(three, three_rows):
    table = three.tips[three.tips["group"] == ""]
    for row in table.itertuples():
        place, scores = ISSUES.index(row.issue), three.score(row.axis)
        assert row.present == pytest.approx(scores.mean())
        assert row.tip == pytest.approx(scores[place])
        now = lies_above(scores, "mean")[place]
        assert now == (row.change > 0)
        assert lies_above(scores, row.tip - 1e-6 * np.sign(row.change))[place] == now
        assert lies_above(scores, row.tip + 1e-6 * np.sign(row.change))[place] != now


@pytest.mark.parametrize("beyond", [-1e-6, 1e-6])
def test_the_matrix_with_the_threshold_at_its_tip_has_the_issue_on_that_side(three, three_rows, tmp_path, beyond):
    for row in three.tips[(three.tips["group"] == "") & (three.tips["axis"] == "people")].itertuples():
        text = study_text(THREE, THREE_WEIGHTS, f"people = {float(row.tip + beyond)!r}")
        fresh = run(tmp_path, three_rows, text).matrix
        assert (fresh.tiers.p_above.shape, fresh.y_threshold) == ((2, 3), row.tip + beyond)
        x, y = (fresh.points.set_index("issue").loc[row.issue, axis] for axis in "xy")
        assert fresh.points.set_index("issue").loc[row.issue, "tier"] == 3 - (beyond < 0) - (x > fresh.x_threshold)
        assert (y > fresh.y_threshold) == (beyond < 0)


def test_the_share_of_a_hidden_group_is_never_a_tip(hidden):
    table = hidden[1].tips
    assert set(table.loc[table["axis"] == "business", "group"]) == {"", "staff", "buyers"}
    assert set(table.loc[table["axis"] == "people", "group"]) == {"", "staff", "buyers"}
    own = table[table["group"] == "staff"].groupby("axis")["present"].first()
    assert own.to_dict() == pytest.approx({"business": 2 / 5, "people": 1 / 2})


def test_every_share_and_tip_of_the_reference_study_is_told_where_there_is_a_score(reference):
    tiers, without, tips = reference.acceptability.tiers, reference.without_group, reference.tips
    assert tiers.notna().all(axis=None)
    assert tiers[SHARES].stack().between(0, 1).all()
    assert without[["estimate", "tier", "tier_without", "material_without"]].notna().all(axis=None)
    assert tips[["present"]].notna().all(axis=None)
    assert tips.loc[tips["group"] == "", ["tip", "change"]].notna().all(axis=None)
    assert tips.loc[tips["group"] != "", "tip"].dropna().between(0, 1).all()
