"""From a dot back to groups, cells and rows: what is named there makes the score, and hidden groups stay hidden."""

from __future__ import annotations

import json
import re

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from conftest import HEADER, ROOT, ROWS, STUDY, write_study

from materiality import commands
from materiality.assessment import assess
from materiality.cli import main
from materiality.errors import MaterialityError
from materiality.tracing import Place, Rows, page, traced

MANY = 14


def trace(*words: object) -> str:
    """What the command prints."""
    done = CliRunner().invoke(main, ["trace", *map(str, words)])
    assert done.exit_code == 0, done.output
    return done.output


def rows_named(parts: tuple[Rows, ...]) -> list[int]:
    """Every row that ranges of one file name."""
    assert len(parts) == 1
    return [row for first, last in parts[0].ranges for row in range(first, last + 1)]


def answers(folder, file: str = "responses.csv") -> pd.DataFrame:
    """An export by plain pandas, its index the row that a spreadsheet shows."""
    table = pd.read_csv(folder / file, dtype=str, keep_default_na=False, skip_blank_lines=False)
    table.index += 2
    return table


def larger(folder, *, study: str = STUDY, few: int = 3, other: int = 12):
    """A study with three groups: many staff, some buyers, and few of the press."""
    rng = np.random.default_rng(few)
    study = study.replace(
        '[[issues]]\nid = "climate"', '[[groups]]\nid = "press"\nlabel = "Press"\n\n[[issues]]\nid = "climate"'
    )
    who = ["Staff"] * MANY + ["Buyers"] * other + ["Press"] * few
    rows = [
        ",".join([str(k), group, *("" if rng.random() < 0.1 else str(rng.integers(1, 6)) for _ in range(6))])
        for k, group in enumerate(who)
    ]
    rng.shuffle(rows)
    return write_study(folder, study=study, rows=tuple(rows))


def test_the_page_of_a_small_study(small_study):
    assessment = assess(small_study)
    score = assessment.scores.query("axis == 'people' and issue == 'climate'").iloc[0]
    confidence = assessment.matrix.points.set_index("issue").loc["climate", "tier_confidence"]
    assert trace(small_study, "Climate", "--axis", "people") == (
        f"Climate (climate), environmental, tier 1 (confidence {confidence:.2f})\n"
        "\n"
        "Importance to people (people)\n"
        f"  score 4.2500, interval {score['conf_low']:.4f} to {score['conf_high']:.4f}, standard error "
        f"{score['std_error']:.4f}, 5 respondents\n"
        "  read from responses.csv, column C: Climate\n"
        "    group   weight   share    mean  ratings   gives\n"
        "    Staff        1  0.5000  4.5000        2  2.2500\n"
        "    Buyers       1  0.5000  4.0000        3  2.0000\n"
        "  Staff (staff)\n"
        "    weighting cell all: 2 respondents, mean weight 1\n"
        "    ratings of responses.csv rows 2–3\n"
        "  Buyers (buyers)\n"
        "    weighting cell all: 3 respondents, mean weight 1\n"
        "    ratings of responses.csv rows 4–6\n"
        "\n"
        "Rows left out of every score:\n"
        "  none\n"
    )


def test_the_plain_mean_of_the_rows_named_is_the_mean_of_the_group_without_weights(tmp_path):
    folder = larger(tmp_path)
    table, found = answers(folder), commands.trace(folder, "safety")
    for axis, column in zip(found.axes, ("Safety", "Impact of Safety"), strict=True):
        assert [place.header for place in axis.places] == [column]
        total = 0.0
        for part in axis.groups:
            here = table.loc[rows_named(part.rows)]
            assert set(here["group"]) == {part.label}
            ratings = here[column].astype(float)
            assert part.estimate == pytest.approx(ratings.mean(), abs=1e-9)
            assert (part.n, part.rows[0].n) == (len(here), len(here))
            left = table[(table["group"] == part.label) & (table[column] == "")]
            assert part.blank == len(left)
            total += ratings.mean() / 3
        assert axis.estimate == pytest.approx(total, abs=1e-9)
        assert axis.rest is None


def test_contributions_add_up_to_the_score_whatever_the_weights(tmp_path):
    study = STUDY.replace('column = "{label}"', 'column = "{label}"\ngroups = { staff = 2, buyers = 5, press = 0.5 }')
    folder = larger(tmp_path, study=study)
    axis = commands.trace(folder, "ethics", axis="people").axes[0]
    assert [part.share for part in axis.groups] == pytest.approx([2 / 7.5, 5 / 7.5, 0.5 / 7.5])
    assert [part.weight for part in axis.groups] == [2, 5, 0.5]
    assert sum(part.contribution for part in axis.groups) == pytest.approx(axis.estimate, abs=1e-9)


def test_cells_weights_and_rows_of_a_raked_group_make_its_mean():
    folder = ROOT / "surveys" / "kstar-2023"
    axis = commands.trace(folder, "climate_change", axis="stakeholders", group="employees").axes[0]
    part = axis.groups[0]
    assert len(part.cells) == 4 and part.label == "Employees"
    words = {"not important": 1, "slightly important": 2, "moderately important": 3, "very important": 4}
    words |= {"extremely important": 5, "不重要": 1, "不太重要": 2, "一般": 3, "比较重要": 4, "非常重要": 5}
    table = answers(folder)
    here = table.loc[rows_named(part.rows)]
    column = "How important is Climate change response to you?"
    assert axis.places == (Place("responses.csv", chr(65 + list(table).index(column)), column),)
    ratings = here[column].map(lambda text: words.get(text.strip().casefold(), text)).astype(float)
    gender = here["Gender"].str.strip().str.casefold().isin(["female", "女"]).map({True: "female", False: "male"})
    research = here["Department"].str.strip().str.casefold().isin(["r&d", "研发"])
    weight = {cell.cell: cell.weight for cell in part.cells}
    department = research.map({True: "R&D", False: "other"})
    each = [weight[f"Gender: {g}; Department: {d}"] for g, d in zip(gender, department, strict=True)]
    assert part.estimate == pytest.approx(np.average(ratings, weights=each), abs=1e-8)


@pytest.mark.parametrize("profile", ["internal", "publish"])
def test_of_a_hidden_group_nothing_is_told_but_its_weight(tmp_path, profile):
    study = STUDY.replace('profile = "off"', f'profile = "{profile}"')
    folder = larger(tmp_path, study=study, few=3)
    assessment = assess(folder)
    table = assessment.group_scores
    for issue in ("climate", "safety", "ethics"):
        found = traced(assessment, issue)
        for axis in found.axes:
            hidden = {part.group for part in axis.groups if part.suppressed}
            lines = table[(table["axis"] == axis.axis) & (table["issue"] == issue) & table["suppressed"]]
            assert "press" in hidden and hidden == set(lines["group"])
            for part in axis.groups:
                if part.suppressed:
                    assert part.rows == () and part.share > 0
                    assert {part.estimate, part.std_error, part.conf_low, part.conf_high, part.contribution} == {None}
                    assert {part.n, part.dont_know, part.not_applicable, part.blank} == {None}
                    assert {cell.n for cell in part.cells} <= {None, MANY, 12}
            told = sum(part.contribution for part in axis.groups if not part.suppressed)
            assert axis.rest == pytest.approx(axis.estimate - told, abs=1e-8)
        text = page(found)
        press = re.findall(r"^ +Press .*$", text, re.MULTILINE)
        assert all("hidden" in line or "(press)" in line for line in press)
        assert text.count("hidden, and its rows with it") == sum(
            part.suppressed for a in found.axes for part in a.groups
        )


@pytest.mark.parametrize("profile", ["off", "internal", "publish"])
def test_every_number_of_a_trace_stands_in_the_tables_of_the_run(tmp_path, profile):
    from materiality.reporting.tables import published

    folder = larger(tmp_path, study=STUDY.replace('"off"', f'"{profile}"'), few=7)
    assessment = assess(folder)
    scores, means, weights = assessment.scores, assessment.group_scores, assessment.weights
    for issue in ("climate", "safety", "ethics"):
        for axis in traced(assessment, issue).axes:
            line = scores[(scores["axis"] == axis.axis) & (scores["issue"] == issue)].iloc[0]
            for name in ("estimate", "std_error", "conf_low", "conf_high", "n"):
                assert getattr(axis, name) == published(line[name])
            for part in axis.groups:
                here = (means["axis"] == axis.axis) & (means["issue"] == issue) & (means["group"] == part.group)
                line = means[here].iloc[0]
                for name in ("estimate", "std_error", "conf_low", "conf_high", "n", "dont_know", "blank"):
                    value = None if pd.isna(line[name]) else published(line[name])
                    assert getattr(part, name) == value
                cells = weights[weights["group"] == part.group]
                assert [cell.cell for cell in part.cells] == list(cells["cell"])
                sizes = [None if pd.isna(n) else n for n in cells["n"]]
                assert [cell.n for cell in part.cells] == sizes


def test_no_answer_and_no_id_stands_in_a_trace(tmp_path):
    rows = tuple(row.replace(",", "@example.org,", 1) for row in ROWS)
    folder = write_study(tmp_path, rows=rows)
    text = trace(folder, "climate") + trace(folder, "climate", "--json")
    assert "example.org" not in text


def test_rows_of_several_files_and_those_left_out(tmp_path):
    study = STUDY.replace(
        '[[groups]]\nid = "staff"',
        '[[responses]]\nfile = "buyers.csv"\ngroup_is = "buyers"\n\n[[groups]]\nid = "staff"',
    )
    write_study(tmp_path, study=study, rows=(*ROWS[:2], "", "6,,1,1,1,1,1,1", "6,Staff,,5,3,4,4,2", *ROWS[2:]))
    header = "Impact of Climate,Impact of Safety,Impact of Ethics,Climate,Safety,Ethics"
    (tmp_path / "buyers.csv").write_text(f"{header}\n1,2,3,4,5,5\n2,2,2,2,3,1\n,,,,,\n3,1,5,4,4,4\n")
    found = commands.trace(tmp_path, "CLIMATE ", axis="Importance to people")
    axis = found.axes[0]
    assert axis.places == (
        Place("responses.csv", "C", "Climate"),
        Place("buyers.csv", "D", "Climate"),
    )
    rows = {part.group: [str(one) for one in part.rows] for part in axis.groups}
    assert rows == {
        "staff": ["responses.csv rows 2–3"],
        "buyers": ["responses.csv rows 7–9", "buyers.csv rows 2–3, 5"],
    }
    assert set(found.excluded) == {
        ("responses.csv", "blank row", 1),
        ("responses.csv", "no group", 1),
        ("buyers.csv", "blank row", 1),
    }


def test_a_long_export_names_the_column_of_its_answers_and_the_issue(tmp_path):
    study = STUDY.replace('group = "group"', 'group = "group"\nissue = "what"\nanswer = "said"')
    items = HEADER.split(",")[2:]
    lines = [f"{who},{group},{item},{(k + int(who)) % 5 + 1}"
             for who, group in (row.split(",")[:2] for row in ROWS) for k, item in enumerate(items)]  # fmt: skip
    folder = write_study(tmp_path, study=study, csv="\n".join(["id,group,what,said", *lines, ""]))
    axis = commands.trace(folder, "safety", axis="business").axes[0]
    assert axis.places == (Place("responses.csv", "D", "said", "Impact of Safety"),)
    assert "read from responses.csv, column D, in rows of the issue 'Impact of Safety': said" in trace(folder, "safety")
    assert [part.rows for part in axis.groups] == [
        (Rows("responses.csv", 2, ((2, 2), (8, 8))),),
        (Rows("responses.csv", 3, ((14, 14), (20, 20), (26, 26))),),
    ]


def test_json_holds_what_the_function_returns(small_study):
    found = commands.trace(small_study, "climate", group="staff")
    told = json.loads(trace(small_study, "climate", "--group", "staff", "--json"))
    assert told == json.loads(json.dumps(found.as_json()))
    assert [[part["group"] for part in axis["groups"]] for axis in told["axes"]] == [["staff"], ["staff"]]
    assert told["axes"][0]["groups"][0]["rows"] == [{"file": "responses.csv", "n": 2, "ranges": [[2, 3]]}]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["climat"],
            "study.toml: 'climat' is no issue of the study. Nearest: 'climate'.\n"
            "  Mend: name one of: climate, safety, ethics.\n",
        ),
        (
            ["safety", "--axis", "peopel"],
            "study.toml: 'peopel' is no axis of the study. Nearest: 'people'.\n"
            "  Mend: name one of: people, business.\n",
        ),
        (
            ["safety", "--group", "stuff"],
            "study.toml: 'stuff' is no group of the study. Nearest: 'staff'.\n  Mend: name one of: staff, buyers.\n",
        ),
    ],
)
def test_what_there_is_not_is_told_with_the_nearest(small_study, words, message):
    done = CliRunner().invoke(main, ["trace", str(small_study), *words])
    assert (done.exit_code, done.stderr) == (1, message)


def test_a_group_that_an_axis_does_not_ask_is_told(tmp_path):
    study = STUDY.replace('column = "{label}"', 'column = "{label}"\ngroups = { staff = 1 }')
    folder = write_study(tmp_path, study=study)
    with pytest.raises(MaterialityError) as told:
        commands.trace(folder, "safety", axis="people", group="buyers")
    assert str(told.value) == (
        "study.toml: no axis that is to be traced gives group 'buyers' a weight.\n"
        "  Mend: trace another group, or another axis."
    )
