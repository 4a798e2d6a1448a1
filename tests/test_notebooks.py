"""The notebooks: twins of their scripts, on the public face alone, and every check in them holds."""

from __future__ import annotations

import ast
import json
import re
import runpy

import pandas as pd
import pytest
from conftest import ROOT, needed

import materiality

FOLDER = ROOT / "notebooks"
SCRIPTS = sorted(FOLDER.glob("[0-9]_*.py"))
TWINS = [script.with_suffix(".ipynb") for script in SCRIPTS]
REFERENCE = ROOT / "surveys" / "kstar-2023"
MOST_LINES = 60
"""More lines than any table of issues has, and fewer than there are respondents."""


def by_name(path):
    return path.stem


@pytest.fixture(scope="module")
def executed():
    """The executed notebook by its path; each is run once, by nbmake."""
    run = needed("nbmake.nb_run")
    done = {}

    def execute(path):
        if path not in done:
            done[path] = run.NotebookRun(path, 600).execute()
        return done[path]

    return execute


def texts(notebook):
    """What the outputs of a notebook say, one text per output."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if "text" in output:
                yield output["text"]
            yield from (str(value) for kind, value in output.get("data", {}).items() if not kind.startswith("image/"))


def test_there_are_five_notebooks():
    assert [path.stem for path in SCRIPTS] == [
        "1_reading_and_cleaning",
        "2_weights",
        "3_estimates_and_intervals",
        "4_tiers_and_robustness",
        "5_review",
    ]


def test_each_notebook_is_what_jupytext_makes_of_its_script():
    needed("jupytext")
    for path, text in runpy.run_path(str(FOLDER / "twins.py"))["written"]().items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name}: run python notebooks/twins.py"


@pytest.mark.parametrize("path", TWINS, ids=by_name)
def test_a_notebook_is_kept_without_outputs_and_without_traces_of_a_machine(path):
    notebook = json.loads(path.read_text(encoding="utf-8"))
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert code and all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
    assert notebook["metadata"] == {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    assert {key for cell in notebook["cells"] for key in cell["metadata"]} <= {"tags"}


@pytest.mark.parametrize("path", TWINS, ids=by_name)
def test_a_notebook_has_its_parameters_in_one_cell(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    tagged = [cell for cell in cells if "parameters" in cell["metadata"].get("tags", [])]
    assert len(tagged) == 1
    assert all(isinstance(line, ast.Assign) for line in ast.parse(tagged[0]["source"]).body)


@pytest.mark.parametrize("script", SCRIPTS, ids=by_name)
def test_a_notebook_uses_the_public_face_alone(script):
    tree = ast.parse(script.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            assert (node.module or "").split(".")[0] != "materiality"
        if isinstance(node, ast.Import):
            assert not any(alias.name.startswith("materiality.") for alias in node.names)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "materiality":
            assert node.attr in materiality.__all__
        if isinstance(node, ast.Attribute):
            assert not node.attr.startswith("_") or node.attr.endswith("__")


@pytest.mark.parametrize("script", SCRIPTS, ids=by_name)
def test_a_notebook_says_what_is_estimated_what_is_random_and_what_it_does_not_check(script):
    start = script.read_text(encoding="utf-8").partition("import materiality")[0]
    assert "What this notebook does not check" in start or "What is not checked" in start
    assert "random" in start
    assert "stimand" in start or "What is estimated" in start or "Nothing is estimated" in start


@pytest.mark.parametrize("script", SCRIPTS, ids=by_name)
def test_each_figure_of_simulated_answers_says_so(script):
    for title in re.findall(r"title=(.*)", script.read_text(encoding="utf-8")):
        assert "(simulated answers)" in title


@pytest.mark.parametrize("path", TWINS, ids=by_name)
def test_every_check_in_a_notebook_holds(path, executed):
    done = executed(path)
    assert done.error is None, done.error


@pytest.mark.parametrize("path", TWINS, ids=by_name)
def test_no_output_of_a_notebook_shows_a_respondent(path, executed):
    raw = pd.read_csv(REFERENCE / "responses.csv", dtype=str, keep_default_na=False)
    ids = set(raw["ResponseId"]) - {""}
    said = list(texts(executed(path).nb))
    assert said and ids
    assert not any(name in text for text in said for name in ids)
    assert all(text.count("<tr") <= MOST_LINES for text in said)
    assert not any(re.search(r"(?:\b[1-5](?:\.0)?\b[\s,|]+){12}", text) for text in said), "twelve ratings in a row"


@pytest.mark.parametrize("path", TWINS, ids=by_name)
def test_a_notebook_ends_with_versions_and_the_hashes_of_its_inputs(path, executed):
    manifest = "\n".join(texts(executed(path).nb))
    import hashlib

    for file in ("study.toml", "responses.csv"):
        assert f"{file}: SHA-256 {hashlib.sha256((REFERENCE / file).read_bytes()).hexdigest()}" in manifest
    assert re.search(r"^materiality \d", manifest, re.MULTILINE)
