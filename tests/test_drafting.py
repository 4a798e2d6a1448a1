"""Drafted study files are accepted as they stand, and lead to a matrix."""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from conftest import shared

from materiality.assessment import assess
from materiality.cli import main
from materiality.commands import check, init
from materiality.errors import MaterialityError

REAL = (
    ("gf_spack_2020", "spack-user-survey-2020-responses.csv", 12),
    ("gf_spack_2020", "spack-user-survey-2020-responses.xlsx", 12),
    ("gf_spack_2021", "spack-user-survey-2021-responses.csv", 15),
    ("gf_spack_2021", "spack-user-survey-2021-responses.xlsx", 15),
    ("gf_dask_priorities", "2019-user-survey-results.csv", 10),
    ("gf_dask_priorities", "2020-user-survey-results.csv", 10),
    ("gf_dask_priorities", "2021-user-survey-results.csv", 11),
    ("sm_jupyter_2020_critical", "all_responses.csv", 33),
    ("sm_starwars", "StarWars.csv", 14),
)
"""Exports with a group column and a matrix of ratings, and how many rows its largest matrix has."""


@pytest.mark.parametrize(("folder", "file", "issues"), REAL, ids=str)
def test_a_draft_of_a_real_export_runs_without_an_edit(tmp_path, folder, file, issues):
    init([shared("exports", folder, file)], out=tmp_path / "study")
    assessment = assess(tmp_path / "study")
    assert len(assessment.study.issues) == issues
    assert np.isfinite(assessment.matrix.points["x"]).all() and assessment.matrix.points["tier"].notna().all()


@pytest.mark.parametrize("year", ["2020", "2021"])
def test_csv_and_workbook_of_one_survey_give_the_same_numbers(tmp_path, year):
    results = []
    for ending in ("csv", "xlsx"):
        path = shared("exports", f"gf_spack_{year}", f"spack-user-survey-{year}-responses.{ending}")
        init([path], out=tmp_path / ending)
        results.append(assess(tmp_path / ending))
    pd.testing.assert_frame_equal(results[0].scores, results[1].scores)
    pd.testing.assert_frame_equal(results[0].group_scores, results[1].group_scores)
    pd.testing.assert_frame_equal(results[0].matrix.points, results[1].matrix.points)


TWO_QUESTIONS = (
    "ResponseId,Which stakeholder group are you in?,Importance [Water],Importance [Waste],Importance [Pay],"
    "Impact [Water],Impact [Waste],Impact [Pay]"
)
SCALE = ("Not important", "Slightly important", "Moderately important", "Very important", "Extremely important")


def two_question_export(folder: Path, rows: int = 24) -> Path:
    generator = np.random.default_rng(5)
    lines = [TWO_QUESTIONS]
    for k in range(rows):
        answers = [SCALE[j] for j in generator.integers(0, 5, 6)]
        lines.append(",".join([f"R{k}", ("Customer", "Employee", "Investor")[k % 3], *answers]))
    path = folder / "export.csv"
    path.write_text("\n".join([*lines, ""]), encoding="utf-8")
    return path


def test_two_questions_with_the_same_rows_become_two_axes(tmp_path):
    written = init([two_question_export(tmp_path)])
    study = tomllib.loads(written.read_text(encoding="utf-8"))
    assert [group["label"] for group in study["groups"]] == ["Customer", "Employee", "Investor"]
    assert [issue["label"] for issue in study["issues"]] == ["Water", "Waste", "Pay"]
    assert {axis: list(table["columns"].values()) for axis, table in study["axes"].items()} == {
        "first": ["Importance [Water]", "Importance [Waste]", "Importance [Pay]"],
        "second": ["Impact [Water]", "Impact [Waste]", "Impact [Pay]"],
    }
    assert study["scale"]["labels"] == dict(zip(SCALE, range(1, 6), strict=True))
    assert sum(check(tmp_path).respondents.values()) == 24


def test_each_guess_is_marked(tmp_path):
    text = init([two_question_export(tmp_path)]).read_text(encoding="utf-8")
    assert text.count("GUESS") >= 3


def test_a_study_file_that_stands_there_is_never_overwritten(tmp_path):
    path = two_question_export(tmp_path)
    (tmp_path / "study.toml").write_text("mine")
    with pytest.raises(MaterialityError) as told:
        init([path])
    assert str(told.value) == (
        f"{tmp_path / 'study.toml'}: stands there already.\n"
        "  Mend: choose another folder with --out, or move that file away."
    )
    assert (tmp_path / "study.toml").read_text() == "mine"


def test_an_export_without_groups_or_ratings_is_told_with_what_to_do(tmp_path):
    (tmp_path / "export.csv").write_text("Name of plant,Height\n" + "".join(f"p{k},{k}\n" for k in range(9)))
    done = CliRunner().invoke(main, ["init", str(tmp_path / "export.csv")])
    assert done.exit_code == 1
    assert done.stderr == (
        "export.csv: no column looks like one that tells stakeholder groups apart.\n"
        "  Mend: write the study file by hand with group_is = …, or add such a column; the user guide shows how.\n"
        "export.csv: no question looks like a matrix of ratings.\n"
        "  Mend: write the study file by hand; `materiality inspect` shows what each column was taken for.\n"
    )


def test_several_exports_of_one_survey_are_drafted_together(tmp_path):
    first, second = tmp_path / "a", tmp_path / "b"
    first.mkdir()
    second.mkdir()
    paths = [two_question_export(first), two_question_export(second, rows=9)]
    paths[1].write_text(paths[1].read_text(encoding="utf-8").replace("\nR", "\nS"), encoding="utf-8")
    init(paths, out=tmp_path / "study")
    assert sum(check(tmp_path / "study").respondents.values()) == 33


def test_a_further_export_without_the_group_column_is_told(tmp_path):
    first = two_question_export(tmp_path)
    second = tmp_path / "other.csv"
    second.write_text(first.read_text(encoding="utf-8").replace("Which stakeholder group are you in?", "Sort", 1))
    with pytest.raises(MaterialityError) as told:
        init([first, second])
    assert str(told.value) == (
        "other.csv, column 'Which stakeholder group are you in?': the study's group is not in the header.\n"
        "  Mend: correct the name in the study file, or the header in the export."
    )
