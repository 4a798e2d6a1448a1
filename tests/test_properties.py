"""What must not matter changes nothing, and what must matter changes the numbers by what theory says.

Whole runs on small made-up surveys, each before and after a change whose effect is known without computing anything.
"""

from __future__ import annotations

import copy
import io
import json
import random
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xlsxwriter
from conftest import block
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from test_fuzzing import FIXED, Survey, delimited, outcome, surveys

from materiality import Assessment, commands, spooling
from materiality.ranks import rank_sets
from materiality.reporting import result, tables
from materiality.responses import Block

Change = Callable[[Survey, random.Random], Survey]
ABOUT_FILES = {"rows", "warnings", "study"}
"""Of `result.json`: counts per file, what was guessed about a file, and the study file itself."""


def told(assessment: Assessment) -> dict[str, str]:
    """Every table as it is published, 10 significant digits, and the rest of `result.json`."""
    found = {name: table.to_csv(index=False, float_format="%.10g") for name, table in tables(assessment).items()}
    rest = {key: value for key, value in result(assessment).items() if key not in found and key not in ABOUT_FILES}
    fates: Counter[str] = sum((export.fates for export in assessment.gathered.exports), Counter())
    return found | {"result": json.dumps(rest), "fates": json.dumps(sorted(fates.items()))}


def assessed(survey: Survey) -> Assessment:
    """The results of a survey that has some."""
    found = outcome(survey)
    assert isinstance(found, Assessment), found
    return found


def drawn(survey: Survey) -> Assessment:
    """The results of a survey that was drawn at random; those that end in faults are passed over."""
    found = outcome(survey)
    assume(isinstance(found, Assessment))
    assert isinstance(found, Assessment)
    return found


def one_row_each(survey: Survey) -> Survey:
    """The survey without a second row of anybody: which of two rows counts may well hang on their order."""
    return replace(survey, rows=[[f"R{k}", *row[1:]] for k, row in enumerate(survey.rows)])


def with_study(survey: Survey, **tables_: Any) -> Survey:
    """The survey with other tables in its study file."""
    return replace(survey, study=survey.study | tables_)


def in_files(survey: Survey, files: dict[str, bytes], **keys: str) -> Survey:
    """The survey with its answers in these files."""
    export = survey.study["responses"][0] | keys
    return replace(with_study(survey, responses=[export | {"file": name} for name in files]), files=files)


def shuffled_rows(survey: Survey, chance: random.Random) -> Survey:
    return replace(survey, rows=chance.sample(survey.rows, len(survey.rows)))


def shuffled_columns(survey: Survey, chance: random.Random) -> Survey:
    order = chance.sample(range(len(survey.header)), len(survey.header))
    header, *rows = [[row[k] for k in order] for row in (survey.header, *survey.rows)]
    return replace(survey, header=header, rows=rows)


def split_export(survey: Survey, chance: random.Random) -> Survey:
    """Dealt out to three files in any order."""
    dealt: dict[str, list[list[str]]] = {f"part {k}.csv": [survey.header] for k in chance.sample(range(3), 3)}
    names = list(dealt)
    for k, row in enumerate(survey.rows):
        dealt[names[k] if k < 3 else chance.choice(names)].append(row)
    return in_files(survey, {name: delimited(rows).encode() for name, rows in dealt.items()})


def with_unused_columns(survey: Survey, chance: random.Random) -> Survey:
    """An empty one and one of remarks, somewhere among the others."""
    place = chance.randrange(len(survey.header))
    header, *rows = [
        [*row[:place], *new, *row[place:]]
        for row, new in [(survey.header, ["Unused", "Remarks"]), *((row, ["", "so, so"]) for row in survey.rows)]
    ]
    return replace(survey, header=header, rows=rows)


def with_excluded_rows(survey: Survey, chance: random.Random) -> Survey:
    """Blank rows, and rows of people who name no group."""
    nothing, groupless = [""] * len(survey.header), list(survey.rows[0])
    groupless[:2] = ["somebody", ""]
    rows = [*survey.rows, nothing, groupless, nothing]
    return replace(survey, rows=chance.sample(rows, len(rows)))


def as_tsv(survey: Survey, _: random.Random) -> Survey:
    return in_files(survey, {"answers.tsv": delimited([survey.header, *survey.rows], "\t").encode()})


def as_utf_16(survey: Survey, _: random.Random) -> Survey:
    return in_files(survey, {"answers.csv": delimited([survey.header, *survey.rows], ";").encode("utf-16")})


def as_quoted_windows_csv(survey: Survey, _: random.Random) -> Survey:
    lines = [",".join(f'"{cell}"' for cell in row) + "\r\n" for row in (survey.header, *survey.rows)]
    return in_files(survey, {"answers.csv": b"\xef\xbb\xbf" + "".join(lines).encode()})


def as_workbook(survey: Survey, _: random.Random) -> Survey:
    """Numbers as numbers, as a spreadsheet has them."""
    raw = io.BytesIO()
    with xlsxwriter.Workbook(raw, {"in_memory": True, "strings_to_numbers": True}) as book:
        sheet = book.add_worksheet()
        for k, row in enumerate((survey.header, *survey.rows)):
            sheet.write_row(k, 0, row)
    return in_files(survey, {"answers.xlsx": raw.getvalue()})


def renamed_groups(survey: Survey, _: random.Random) -> Survey:
    """Other ids and labels; `told_again` takes them back."""
    study = copy.deepcopy(survey.study)
    for group in study["groups"]:
        group |= {"id": f"renamed_{group['id']}", "label": f"Another {group['id']}", "answers": [group["id"]]}
    for axis in study["axes"].values():
        if "groups" in axis:
            axis["groups"] = {f"renamed_{name}": weight for name, weight in axis["groups"].items()}
    return replace(survey, study=study)


def doubled_group_weights(survey: Survey, _: random.Random) -> Survey:
    everybody = dict.fromkeys((group["id"] for group in survey.study["groups"]), 1)
    axes = {
        name: axis | {"groups": {group: 2 * weight for group, weight in axis.get("groups", everybody).items()}}
        for name, axis in survey.study["axes"].items()
    }
    return with_study(survey, axes=axes)


def doubled_weights(survey: Survey, _: random.Random) -> Survey:
    """Everybody's design weight, given or not."""
    if "weight" in survey.header:
        place = survey.header.index("weight")
        rows = [[*row[:place], repr(2 * float(row[place])), *row[place + 1 :]] for row in survey.rows]
        return replace(survey, rows=rows)
    exports = [export | {"weight": "weight"} for export in survey.study["responses"]]
    rows = [[*row, "2"] for row in survey.rows]
    return replace(with_study(survey, responses=exports), header=[*survey.header, "weight"], rows=rows)


NOTHING_CHANGES: tuple[Change, ...] = (
    shuffled_rows,
    shuffled_columns,
    split_export,
    with_unused_columns,
    with_excluded_rows,
    as_tsv,
    as_utf_16,
    as_quoted_windows_csv,
    as_workbook,
    renamed_groups,
    doubled_group_weights,
    doubled_weights,
)


@settings(max_examples=2, **FIXED)
@given(survey=surveys(least=6).map(one_row_each), chance=st.integers(0, 99).map(random.Random))
def test_what_must_not_matter_changes_no_published_digit(survey, chance):
    before = told(drawn(survey))
    for change in NOTHING_CHANGES:
        expected, after = dict(before), told(assessed(change(survey, chance)))
        if change is renamed_groups:
            after = {name: text.replace("renamed_", "").replace("Another", "Group") for name, text in after.items()}
        if change is with_excluded_rows:
            fates = Counter(dict(json.loads(before["fates"]))) + Counter({"blank row": 2, "no group": 1})
            expected["fates"] = json.dumps(sorted(fates.items()))
        if change is doubled_weights:
            after["weights"] = with_halved_weights(after["weights"])
            expected["weights"] = with_halved_weights(before["weights"], by=1)
        for name, text in expected.items():
            assert after[name] == text, (change.__name__, name)


def with_halved_weights(text: str, by: float = 2) -> str:
    """`weights.csv` with its column of mean weights divided."""
    table = pd.read_csv(io.StringIO(text), dtype=str)
    table["weight"] = [f"{float(value) / by:.10g}" for value in table["weight"]]
    return table.to_csv(index=False)


KEYS = ["axis", "group", "issue"]
BY_FORMULA = {
    "matrix": ["x", "x_low", "x_high", "y", "y_low", "y_high", "material"],
    "scores": ["estimate", "std_error", "conf_low", "conf_high", "df", "n", "rank"],
    "group_scores": ["estimate", "std_error", "conf_low", "conf_high", "n", "n_effective", "dont_know", "suppressed"],
    "nonresponse": ["asked", "dont_know", "blank", "missing"],
    "bounds": ["lowest", "highest", "missing"],
    "weighting": ["n", "n_effective", "design_effect", "smallest", "largest"],
}


def by_formula(assessment: Assessment) -> dict[str, pd.DataFrame]:
    """What no draw of random numbers enters, by axis, group and issue."""
    found = {}
    for name, columns in BY_FORMULA.items():
        table = tables(assessment)[name]
        keys = [key for key in KEYS if key in table]
        found[name] = table[[*keys, *columns]].sort_values(keys).reset_index(drop=True)
    return found


@settings(max_examples=2, **FIXED)
@given(survey=surveys(least=6).map(one_row_each), chance=st.integers(0, 99).map(random.Random))
def test_the_order_of_groups_and_issues_moves_drawn_shares_by_chance_and_nothing_else(survey, chance):
    before = drawn(survey)
    for table in ("groups", "issues"):
        entries = survey.study[table]
        after = assessed(with_study(survey, **{table: chance.sample(entries, len(entries))}))
        for name, expected in by_formula(before).items():
            pd.testing.assert_frame_equal(by_formula(after)[name], expected, rtol=0, atol=1e-9)
        one, other = (a.matrix.points.sort_values("issue").reset_index()["p_material"] for a in (before, after))
        # two shares of 10,000 draws each, seven of their standard errors apart
        assert ((one - other).abs().fillna(0) <= 7 * np.sqrt(0.5 / 10_000)).all()


def plain(n: int, *, groups: int = 3, issues: int = 4, seed: int = 0, weighted: bool = False) -> Survey:
    """Simulated answers from 1 to 5, some of them missing; nobody is in two groups, and no rule of cleaning applies."""
    chance = random.Random(seed)
    export = {"file": "responses.csv", "respondent": "id", "group": "group"}
    export |= {"weight": "weight"} if weighted else {}
    off = ("too_few_answers", "no_rating", "rare_answers", "straight_lined", "careless")
    study = {
        "title": "Plain (simulated answers)",
        "simulated": True,
        "scale": {"low": 1, "high": 5, "special": {"Don't know": "dont_know"}},
        "responses": [export],
        "groups": [{"id": f"g{k}"} for k in range(groups)],
        "issues": [{"id": f"i{k}"} for k in range(issues)],
        "axes": {
            "a": {"column": "a {id}", "groups": {f"g{k}": k + 1 for k in range(groups)}},
            "b": {"column": "b {id}"},
        },
        "cleaning": dict.fromkeys(off, "off"),
        "weighting": {"finite_population": False},
        "privacy": {"profile": "off"},
    }
    questions = [f"{axis} i{k}" for axis in "ab" for k in range(issues)]
    said = ["1", "2", "3", "3", "4", "4", "5", "5", "Don't know", ""]
    rows = [
        [f"R{k}", f"g{k % groups}", f"{chance.uniform(0.3, 3):.2f}", *(chance.choice(said) for _ in questions)]
        for k in range(n)
    ]
    return Survey(study, ["id", "group", "weight", *questions], rows)


@pytest.mark.parametrize("weighted", [False, True], ids=["everybody alike", "design weights"])
@pytest.mark.parametrize("groups", [1, 4], ids=["one group", "four groups"])
def test_a_copy_of_every_respondent_narrows_standard_errors_as_it_must(groups, weighted):
    """V_g = n/(n − 1) Σ u², and with a copy of everybody each u is half of what it was: V_g (n − 1)/(2n − 1)."""
    survey = plain(47, groups=groups, weighted=weighted)
    copies = [[f"copy of {row[0]}", *row[1:]] for row in survey.rows]
    before, after = assessed(survey), assessed(replace(survey, rows=[*survey.rows, *copies]))
    n = pd.Series(Counter(row[1] for row in survey.rows))
    factor = (n - 1) / (2 * n - 1)
    one, two = before.group_scores, after.group_scores
    np.testing.assert_allclose(two["estimate"], one["estimate"], atol=1e-12)
    np.testing.assert_allclose(two["std_error"], one["std_error"] * np.sqrt(one["group"].map(factor)), rtol=1e-9)
    assert (two["n"] == 2 * one["n"]).all()
    assert (two["conf_high"] - two["conf_low"] < one["conf_high"] - one["conf_low"]).all()
    variance = (one["std_error"] ** 2 * one["group"].map(factor)).to_numpy()
    weights = {"a": np.arange(1, groups + 1) / np.arange(1, groups + 1).sum(), "b": np.full(groups, 1 / groups)}
    for axis in "ab":
        share = np.array([weights[axis][int(group[1:])] for group in one["group"]])
        here = (one["axis"] == axis).to_numpy()
        expected = pd.Series((variance * share**2)[here]).groupby(one["issue"][here].to_numpy(), sort=False).sum()
        scores = after.scores[after.scores["axis"] == axis].set_index("issue")
        np.testing.assert_allclose(scores["std_error"][expected.index], np.sqrt(expected), rtol=1e-9)
    np.testing.assert_allclose(after.scores["estimate"], before.scores["estimate"], atol=1e-12)


def rerated(survey: Survey, rate: Callable[[int], int], low: int, high: int) -> Survey:
    """The survey with every rating changed, on another scale."""
    rows = [[*row[:3], *(str(rate(int(x))) if x.isdigit() else x for x in row[3:])] for row in survey.rows]
    return replace(with_study(survey, scale=survey.study["scale"] | {"low": low, "high": high}), rows=rows)


INTERVALS = ["estimate", "conf_low", "conf_high"]


def test_ratings_turned_upside_down_mirror_scores_and_intervals():
    survey = plain(40, weighted=True)
    before, after = assessed(survey), assessed(rerated(survey, lambda rating: 6 - rating, 1, 5))
    for name in ("scores", "group_scores"):
        one, two = getattr(before, name), getattr(after, name)
        mirrored = two[["estimate", "conf_high", "conf_low"]].to_numpy()
        np.testing.assert_allclose(6 - mirrored, one[INTERVALS].to_numpy(), atol=1e-9)
        np.testing.assert_allclose(two["std_error"], one["std_error"], rtol=1e-9)
    places = len(before.study.issues) + 1
    assert (after.scores["rank"] == places - before.scores["rank"]).all()
    assert (after.scores["rank_low"] == places - before.scores["rank_high"]).all()


def test_axes_that_offset_each_other_leave_all_issues_tied_on_both_together():
    """What is 4 on one axis is 2 on the other: the mean of both scores is 3, whoever answers."""
    for seed in range(3):
        survey = plain(21, groups=1, seed=seed)
        rows = [[*row[:7], *(str(6 - int(x)) if x.isdigit() else x for x in row[3:7])] for row in survey.rows]
        ranks = assessed(replace(survey, rows=rows)).ranks
        together = ranks[ranks["axis"] == "combined"]
        np.testing.assert_allclose(together["estimate"], 3, atol=1e-12)
        assert (together["rank"] == 1).all() and (together["low"] == 1).all()


def test_a_variance_that_rounding_leaves_just_below_zero_counts_as_none():
    ranks = rank_sets(
        np.array([3.0, 3.0]), -1e-18 * np.eye(2), confidence=0.95, df=np.inf, generator=np.random.default_rng(1)
    )
    assert ranks.rank.tolist() == ranks.low.tolist() == [1, 1]


def test_a_scale_that_starts_elsewhere_shifts_the_scores_and_changes_no_share():
    survey = plain(40, weighted=True)
    before, after = assessed(survey), assessed(rerated(survey, lambda rating: rating + 4, 5, 9))
    for name in ("scores", "group_scores"):
        one, two = getattr(before, name), getattr(after, name)
        np.testing.assert_allclose(two[INTERVALS] - 4, one[INTERVALS], atol=1e-9)
        rest = [column for column in one if column not in INTERVALS]
        pd.testing.assert_frame_equal(two[rest], one[rest])
    shares = ["tier", "tier_confidence", "material", "p_material"]
    pd.testing.assert_frame_equal(after.matrix.points[shares], before.matrix.points[shares])


def test_a_group_that_counts_for_nothing_changes_no_score():
    survey = plain(40)
    given = {axis: {"column": f"{axis} {{id}}", "groups": {"g0": 1, "g1": 2, "g2": 3}} for axis in "ab"}
    survey = with_study(survey, axes=given)
    strangers = [[f"S{k}", "g3", "1", *(["1", "5"] * 4)] for k in range(9)]
    axes = {name: axis | {"groups": axis["groups"] | {"g3": 0}} for name, axis in given.items()}
    more = with_study(survey, groups=[*survey.study["groups"], {"id": "g3"}], axes=axes)
    before, after = assessed(survey), assessed(replace(more, rows=[*survey.rows, *strangers]))
    for name in (
        "scores",
        "ranks",
        "joint",
        "bounds",
        "decisions",
        "tips",
        "without_group",
        "differences",
        "agreement",
    ):
        pd.testing.assert_frame_equal(getattr(after, name), getattr(before, name))
    pd.testing.assert_frame_equal(after.matrix.points, before.matrix.points)
    pd.testing.assert_frame_equal(after.acceptability.ranks, before.acceptability.ranks)
    assert len(after.group_scores) == len(before.group_scores) + 2 * len(survey.study["issues"])


def test_a_dont_know_counts_for_the_scores_as_a_blank_does():
    survey = plain(40)
    blanks = [["" if cell == "Don't know" else cell for cell in row] for row in survey.rows]
    before, after = told(assessed(survey)), told(assessed(replace(survey, rows=blanks)))
    differing = {name for name in before if before[name] != after[name]}
    assert differing == {"group_scores", "nonresponse"}
    one, two = (pd.read_csv(io.StringIO(kept["group_scores"])) for kept in (before, after))
    assert (two["blank"] == one["blank"] + one["dont_know"]).all() and not two["dont_know"].any()
    kinds = ["blank", "dont_know"]
    pd.testing.assert_frame_equal(two.drop(columns=kinds), one.drop(columns=kinds))


def test_the_order_of_exports_changes_nothing_where_each_numbers_its_respondents_for_itself():
    """Also not the standard errors by bootstrap, which are drawn by who somebody is."""
    survey, two = plain(60, weighted=True), {}
    for k, name in enumerate(["spring.csv", "autumn.csv"]):
        rows = [[f"R{number}", *row[1:]] for number, row in enumerate(survey.rows[k::2])]
        two[name] = delimited([survey.header, *rows]).encode()
    exports = [survey.study["responses"][0] | {"own_ids": True}]
    survey = with_study(survey, responses=exports, weighting={"replicates": 6})
    before, after = (told(assessed(in_files(survey, files))) for files in (two, dict(reversed(two.items()))))
    assert after == before


def test_a_shuffled_export_gives_the_same_bytes_but_where_rows_are_named(tmp_path):
    """Everything that a run writes: figures, tables, the report with the numbers of its live page, `result.json`.

    `dispositions.csv` names rows, and the manifest and the report name the export's hash.
    """
    survey = plain(90, groups=2, issues=3, weighted=True)
    survey.rows[7][1] = ""  # of no group, and therefore excluded
    survey.study["groups"][0]["population"] = 900
    survey.study["weighting"] = {"replicates": 10}
    survey.study["privacy"] = {"profile": "internal"}
    before, after = (
        everything_written(one, tmp_path / name)
        for name, one in {"before": survey, "after": shuffled_rows(survey, random.Random(5))}.items()
    )
    assert before.keys() == after.keys()
    differing = {name for name, raw in before.items() if after[name] != raw}
    assert differing == {"manifest.json", "report.html", "tables/dispositions.csv"}
    assert without_hashes(before) == without_hashes(after)


def everything_written(survey: Survey, folder: Path) -> dict[str, bytes]:
    """The files of a run, by their paths."""
    _, out = commands.run(survey.write(folder / "study"), out=folder / "out")
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()}


def without_hashes(files: dict[str, bytes]) -> tuple[str, list[bytes], dict[str, Any]]:
    """Report, dispositions and manifest without what names the export's rows or follows from its hash."""
    manifest = json.loads(files["manifest.json"])
    names = manifest.pop("run_id"), manifest["inputs"][1].pop("sha256")
    hashed = {"report.html", "tables/dispositions.csv"}
    manifest["outputs"] = [output for output in manifest["outputs"] if output["path"] not in hashed]
    fates = [line.split(b",", 2)[2] for line in files["tables/dispositions.csv"].splitlines()]
    return re.sub("|".join(names), "", files["report.html"].decode()), sorted(fates), manifest


@settings(max_examples=10, **FIXED)
@given(cut=st.integers(1, 13), size=st.integers(1, 13), chance=st.integers(0, 99).map(random.Random))
def test_rows_set_aside_come_in_an_order_that_follows_from_what_they_say(cut, size, chance):
    """Whatever the order and the blocks in which they came; and none is lost, taken twice, or mixed with another."""
    ratings = [[chance.choice([1.0, 2.0, 4.5]), chance.choice([3.0, np.nan])] for _ in range(12)]
    rows = [(k, one, chance.random(), chance.choice([0, 64])) for k, one in enumerate(ratings, 2)]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(spooling, "BLOCK_ROWS", size)
        one, other = (spooled(order, cut).in_order() for order in (rows, chance.sample(rows, len(rows))))
    found = [[line for part in spool.blocks() for line in lines_of(*part)] for spool in (one, other)]
    assert found[0] == found[1]
    assert sorted(found[0]) == sorted(lines_of(*next(spooled(rows, 12).blocks())))
    assert [len(part) for part, _ in one.blocks()] == [min(size, 12 - start) for start in range(0, 12, size)]


def spooled(rows: list[tuple[int, list[float], float, int]], cut: int) -> spooling.Spool:
    """Rows (number, ratings, weight, flags) set aside so many at a time."""
    spool = spooling.Spool()
    for start in range(0, len(rows), cut):
        number, ratings, weight, flags = zip(*rows[start : start + cut], strict=True)
        members = [[k % 2, k % 3] for k in number]
        spool.add(block(ratings, members, weight=weight, row=number), np.array(flags, np.uint16))
    return spool


def lines_of(part: Block, flags: Any) -> list[tuple[Any, ...]]:
    """What a block says of each row; NaN as text, so that it equals itself."""
    return [
        (row, str(ratings), tuple(members), weight, flag)
        for row, ratings, members, weight, flag in zip(
            *(values.tolist() for values in (part.row, part.ratings, part.members, part.weight, flags)), strict=True
        )
    ]
