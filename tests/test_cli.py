"""The command line mirrors the functions, helps in words, and ends with the right code."""

from __future__ import annotations

import inspect
import json

import click
import pytest
from click.testing import CliRunner
from conftest import ROOT, ROWS, write_study

from materiality import commands
from materiality.cli import main

COMMANDS = sorted(main.commands)


def invoke(*words: object):
    return CliRunner().invoke(main, [str(word) for word in words])


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_is_a_function_and_each_option_one_of_its_keywords(name):
    keywords = set(inspect.signature(getattr(commands, name)).parameters) - {"progress"}
    assert {parameter.name for parameter in main.commands[name].params} == keywords


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_and_option_is_explained(name):
    command = main.commands[name]
    said = " ".join(invoke(name, "--help").output.split())
    assert command.help and " ".join(command.help.split("\n\n")[0].split(":")[0].split()) in said
    for option in command.params:
        if isinstance(option, click.Option):
            assert option.help and option.help.split(",")[0].split(";")[0] in said


@pytest.mark.parametrize("name", COMMANDS)
def test_the_readme_shows_each_command(name):
    assert f"materiality {name} " in (ROOT / "README.md").read_text(encoding="utf-8")


def test_run_tells_what_became_of_the_rows_and_where_the_report_is(small_study, tmp_path):
    done = invoke("run", small_study, "--out", tmp_path / "out")
    assert done.exit_code == 0
    assert done.output == (
        "responses.csv: 5 rows read, 5 kept, 0 excluded.\n"
        "Tier 1, above both thresholds: Safety; Climate.\n"
        "Note: All ratings of group Staff on “Importance to people” are equal for: Ethics. They show no spread; the "
        "intervals allow for answers that nobody gave.\n"
        "Note: The intervals on “Importance to people” of some issues rest more on the ends of the scale than on the "
        "answers, which are too few or too much alike; treat them as unreliable: all of them.\n"
        "Note: The intervals on “Impact on the business” of some issues rest more on the ends of the scale than on the "
        "answers, which are too few or too much alike; treat them as unreliable: all of them.\n"
        f"Written: {tmp_path / 'out' / 'report.html'}\n"
    )


def test_check_writes_nothing(small_study, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    done = invoke("check", small_study)
    assert (done.exit_code, done.output) == (
        0,
        "responses.csv: 5 rows read, 5 kept, 0 excluded.\n"
        "  Staff: 2 respondents\n  Buyers: 3 respondents\nNo fault found.\n",
    )
    assert sorted(tmp_path.rglob("*")) == before


def test_a_fault_ends_with_one_and_is_told_on_standard_error(tmp_path):
    folder = write_study(tmp_path / "study", rows=(*ROWS, "9,Staff,7,4,4,4,3,4"))
    done = invoke("run", folder, "--out", tmp_path / "out", "--figures", "main")
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == (
        "responses.csv, row 7, column 'Climate': 7 is off the scale 1 to 5.\n"
        "  Mend: correct the cell, or add it to [scale.special] if it means no answer.\n"
    )
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("words", [["run"], ["run", "a", "--seed", "x"], ["run", "a", "--colour"], ["runn", "a"]])
def test_wrong_usage_ends_with_two(words):
    assert invoke(*words).exit_code == 2


def test_the_seed_given_is_the_seed_used(small_study, tmp_path):
    assert invoke("run", small_study, "--out", tmp_path / "out", "--seed", 42, "--figures", "main").exit_code == 0
    assert json.loads((tmp_path / "out" / "result.json").read_text())["seed"] == 42


def test_an_output_that_cannot_be_written_is_told_without_a_traceback(small_study, tmp_path):
    (tmp_path / "file").write_text("")
    done = invoke("run", small_study, "--out", tmp_path / "file" / "out")
    assert done.exit_code == 1
    assert done.stderr == (
        f"{tmp_path / 'file' / 'out'}: the folder cannot be made there.\n  Mend: choose another place with --out.\n"
    )


def test_simulate_writes_an_export_that_check_accepts(tmp_path):
    study = tmp_path / "study"
    study.mkdir()
    (study / "study.toml").write_bytes((ROOT / "surveys" / "kstar-2023" / "study.toml").read_bytes())
    done = invoke("simulate", study, "--out", study / "responses.csv", "--seed", 3)
    assert (done.exit_code, done.output) == (
        0,
        f"Written: {study / 'responses.csv'}, 635 rows of simulated answers.\n",
    )
    assert invoke("check", study).exit_code == 0


def test_the_reference_study_is_what_simulate_makes_of_it(tmp_path):
    assert invoke("simulate", ROOT / "surveys" / "kstar-2023", "--out", tmp_path / "again.csv").exit_code == 0
    kept = (ROOT / "surveys" / "kstar-2023" / "responses.csv").read_bytes()
    assert (tmp_path / "again.csv").read_bytes() == kept
