"""`materiality verify`: what was changed, what no longer comes out, and a manifest that a stranger wrote."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import shutil
from pathlib import Path

import numpy
import pytest
from click.testing import CliRunner
from conftest import ROWS, STUDY, write_study

from materiality import commands
from materiality.cli import main
from materiality.errors import MaterialityError
from materiality.verification import first_difference


@pytest.fixture(scope="module")
def once(tmp_path_factory) -> Path:
    """A folder with a small study and its run, made once: only to be copied."""
    place = tmp_path_factory.mktemp("once")
    commands.run(write_study(place / "small"), out=place / "out", figures="main", seed=3)
    return place


@pytest.fixture
def ran(once, tmp_path) -> tuple[Path, Path]:
    """A small study, and the folder of its run."""
    shutil.copytree(once, tmp_path, dirs_exist_ok=True)
    return tmp_path / "small", tmp_path / "out"


def verify(*words: object) -> tuple[int, list[str], list[str]]:
    """Exit code, standard output and standard error of the command."""
    done = CliRunner().invoke(main, ["verify", *(str(word) for word in words)])
    return done.exit_code, done.stdout.splitlines(), done.stderr.splitlines()


def edited(out: Path, **changes: object) -> None:
    """Change what a manifest says."""
    manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    (out / "manifest.json").write_text(json.dumps({**manifest, **changes}), encoding="utf-8")


def count(out: Path) -> int:
    return sum(path.is_file() for path in out.rglob("*")) - 1


def test_a_run_that_nobody_touched_verifies_and_its_results_come_out_again(ran):
    study, out = ran
    files = count(out)
    assert verify(out) == (
        0,
        [f"All {files} files are as the run left them. With --study the results are made again as well."],
        [],
    )
    assert verify(out, "--study", study) == (
        0,
        [f"All {files} files are as the run left them, and the same inputs give the same results again."],
        [],
    )
    found = commands.verify(out, study=study / "study.toml")
    assert (found.folder, found.files, found.studied, found.differences, found.notes) == (out, files, True, (), ())
    with pytest.raises(AttributeError):
        found.files = 0  # type: ignore[misc]


def test_every_difference_is_told_with_its_file(ran):
    _, out = ran
    (out / "report.html").unlink()
    with (out / "result.json").open("ab") as file:
        file.write(b" ")
    (out / "figures" / "matrix.png").unlink()
    (out / "figures" / "matrix.png").mkdir()
    (out / "tables" / "notes.txt").write_text("mine")
    (out / "link").symlink_to("/")
    (out / "\x1b[2J.csv").write_text("")
    assert verify(out) == (
        1,
        [],
        [
            "Differs: report.html is missing.",
            "Differs: figures/matrix.png is not what the manifest says.",
            "Differs: result.json is not what the manifest says.",
            "Differs: \\x1b[2J.csv is not named in the manifest.",
            "Differs: link is not named in the manifest.",
            "Differs: tables/notes.txt is not named in the manifest.",
        ],
    )


@pytest.mark.parametrize("name", ["tables/scores.csv", "report.html", "figures/matrix.svg"])
def test_one_changed_bit_is_found(ran, name):
    _, out = ran
    raw = bytearray((out / name).read_bytes())
    raw[len(raw) // 2] ^= 1
    (out / name).write_bytes(raw)
    assert verify(out) == (1, [], [f"Differs: {name} is not what the manifest says."])


def test_a_changed_cell_is_found_although_the_manifest_was_made_to_fit(ran):
    study, out = ran
    path = out / "tables" / "scores.csv"
    with path.open(encoding="utf-8", newline="") as file:
        lines = list(csv.reader(file))
    place = lines[0].index("estimate")
    was, lines[4][place] = lines[4][place], "1.25"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(lines)
    assert commands.verify(out).changed == ("tables/scores.csv",)
    manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    entry = next(entry for entry in manifest["outputs"] if entry["path"] == "tables/scores.csv")
    entry |= {"bytes": path.stat().st_size, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    edited(out, outputs=manifest["outputs"])
    assert verify(out)[0] == 0
    assert verify(out, "--study", study) == (
        1,
        [],
        [f"Differs: tables/scores.csv, row 5, column 'estimate': '1.25', and now '{was}'."],
    )


def test_other_answers_and_another_study_file_are_told_and_what_follows_from_them(ran):
    study, out = ran
    write_study(study, rows=("1,Staff,1,5,3,4,4,2", *ROWS[1:]))
    code, _, said = verify(out, "--study", study)
    assert code == 1
    assert said[0] == "Differs: responses.csv: is not the file that the run read; its SHA-256 is another."
    assert any(line.startswith("Differs: tables/scores.csv, row 2, column 'estimate': ") for line in said)
    assert any(line.startswith("Differs: result.json, '") for line in said)
    write_study(study, study=STUDY + "# a remark\n")
    assert verify(out, "--study", study) == (
        1,
        [],
        ["Differs: study.toml: is not the file that the run read; its SHA-256 is another."],
    )


def test_a_study_that_cannot_be_read_now_leaves_the_other_differences_told(ran):
    study, out = ran
    write_study(study, study=STUDY + "# a remark\n", rows=("1,Staff,9,5,3,4,4,2",))
    (out / "report.html").unlink()
    assert verify(out, "--study", study) == (
        1,
        [],
        [
            "Differs: report.html is missing.",
            "Differs: study.toml: is not the study file of the run.",
            "Differs: the results cannot be made again: responses.csv, row 2, column 'Climate': 9 is off the scale 1 "
            "to 5.",
            "  Mend: correct the cell, or add it to [scale.special] if it means no answer.",
        ],
    )


def test_other_versions_are_told_and_are_no_difference(ran):
    study, out = ran
    manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    libraries = {**manifest["libraries"], "numpy": "1.0\x1b[31m"}
    edited(out, libraries=libraries, version="0.0.1")
    code, said, faults = verify(out, "--study", study)
    assert (code, faults) == (0, [])
    assert said[:2] == [
        f"Note: made with materiality 0.0.1; this is {manifest['version']}.",
        f"Note: made with numpy 1.0\\x1b[31m; this is {numpy.__version__}.",
    ]


def test_a_table_too_many_or_too_few_is_told(ran):
    study, out = ran
    manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    ranks = next(entry for entry in manifest["outputs"] if entry["path"] == "tables/ranks.csv")
    (out / "tables" / "ranks.csv").rename(out / "tables" / "odd.csv")
    ranks["path"] = "tables/odd.csv"
    edited(out, outputs=manifest["outputs"])
    assert verify(out, "--study", study) == (
        1,
        [],
        [
            "Differs: tables/odd.csv: does not come out now.",
            "Differs: tables/ranks.csv: comes out now, and the run has none.",
        ],
    )


def test_the_language_of_the_run_is_the_one_that_is_compared(ran):
    study, out = ran
    commands.run(study, out=out, figures="main", language="zh")
    (study / "study.toml").write_text('language = "en"\n' + STUDY, encoding="utf-8")
    assert verify(out, "--study", study)[2] == [
        "Differs: study.toml: is not the file that the run read; its SHA-256 is another."
    ]


# A stranger's manifest

AGAIN = "\n  Mend: take the folder from where it came from again."
WANTED = "\n  Mend: name a folder that `materiality run` wrote."
HASH = "0" * 64


def outputs(*paths: object) -> str:
    entries = [{"path": path, "bytes": 1, "sha256": HASH} for path in paths]
    return json.dumps({"schema": "materiality.manifest/1", "seed": 0, "inputs": [], "outputs": entries})


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", f"is no JSON.{AGAIN}"),
        ("[" * 200_000, f"is no JSON.{AGAIN}"),
        ('{"schema": "materiality.manifest/1", "schema": "x"}', f"is no JSON.{AGAIN}"),
        ("\udcff", f"is no JSON.{AGAIN}"),
        ("[]", f"is no JSON object.{AGAIN}"),
        ("{}", f"has the schema none; this version of materiality reads 'materiality.manifest/1'.{AGAIN}"),
        (
            '{"schema": "materiality.manifest/9\\u001b[2J"}',
            "has the schema 'materiality.manifest/9\\x1b[2J'; this version of materiality reads "
            f"'materiality.manifest/1'.{AGAIN}",
        ),
        ('{"schema": "materiality.manifest/1", "inputs": []}', f"'outputs' is no list of files.{AGAIN}"),
        ('{"schema": "materiality.manifest/1", "inputs": {}}', f"'inputs' is no list of files.{AGAIN}"),
        (outputs("../secret"), f"output 1 has a path that is not inside the folder: '../secret'.{AGAIN}"),
        (outputs("a", "b/../../c"), f"output 2 has a path that is not inside the folder: 'b/../../c'.{AGAIN}"),
        (outputs("/etc/passwd"), f"output 1 has a path that is not inside the folder: '/etc/passwd'.{AGAIN}"),
        (outputs("C:/x"), f"output 1 has a path that is not inside the folder: 'C:/x'.{AGAIN}"),
        (outputs("..\\x"), f"output 1 has a path that is not inside the folder: '..\\x'.{AGAIN}"),
        (outputs("a//b"), f"output 1 has a path that is not inside the folder: 'a//b'.{AGAIN}"),
        (outputs("a\0b"), f"output 1 has a path that is not inside the folder: 'a\\x00b'.{AGAIN}"),
        (outputs(""), f"output 1 has a path that is not inside the folder: ''.{AGAIN}"),
        (outputs("manifest.json"), f"output 1 has a path that is not inside the folder: 'manifest.json'.{AGAIN}"),
        (outputs(7), f"output 1 has a path that is not inside the folder: no text.{AGAIN}"),
        (outputs("a", "a"), f"output 2 is named twice: 'a'.{AGAIN}"),
        (outputs("a").replace(HASH, "A" * 64), f"output 1, 'a', lacks its bytes or its SHA-256.{AGAIN}"),
        (outputs("a").replace('"bytes": 1', '"bytes": true'), f"output 1, 'a', lacks its bytes or its SHA-256.{AGAIN}"),
        (outputs("a").replace("[]", '[{"file": 1}]'), f"input 1 lacks its name or its SHA-256.{AGAIN}"),
        (outputs("a").replace('"seed": 0', '"seed": -1'), f"'seed' is no whole number from 0 on.{AGAIN}"),
        (outputs("a").replace('"seed": 0', '"seed": 1e400'), f"'seed' is no whole number from 0 on.{AGAIN}"),
        (
            outputs("a").replace('"seed": 0', '"seed": 0, "language": "xx"'),
            f"'language' is none that reports are written in.{AGAIN}",
        ),
        (
            outputs("a").replace('"seed": 0', '"seed": 0, "language": []'),
            f"'language' is none that reports are written in.{AGAIN}",
        ),
    ],
    ids=lambda text: repr(text[-60:]),
)
def test_a_manifest_that_cannot_be_followed_is_refused(tmp_path, text, told):
    (tmp_path / "manifest.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(MaterialityError) as error:
        commands.verify(tmp_path)
    assert str(error.value) == f"{tmp_path / 'manifest.json'}: {told}"


def test_a_folder_without_a_manifest_is_refused(tmp_path):
    missing = f": there is no such file.{WANTED}"
    (tmp_path / "file").write_text("")
    for folder in (tmp_path, tmp_path / "nowhere", tmp_path / "file"):
        code, _, said = verify(folder)
        assert (code, "\n".join(said)) == (1, f"{folder / 'manifest.json'}{missing}")
    (tmp_path / "manifest.json").symlink_to(tmp_path / "file")
    assert verify(tmp_path)[2][0] == f"{tmp_path / 'manifest.json'}: is no ordinary file."
    (tmp_path / "manifest.json").unlink()
    with (tmp_path / "manifest.json").open("wb") as file:
        file.truncate((1 << 26) + 1)
    assert verify(tmp_path)[2][0] == f"{tmp_path / 'manifest.json'}: is larger than 64 MB, which no manifest is."


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_nothing_outside_the_folder_and_no_pipe_is_ever_opened(tmp_path, monkeypatch):
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "a").write_text("x")
    out = tmp_path / "out"
    out.mkdir()
    (out / "link").symlink_to(secret / "a")
    (out / "folder").symlink_to(secret)
    os.mkfifo(out / "pipe")
    (out / "manifest.json").write_text(outputs("link", "folder/a", "pipe", "manifest.json/a", "absent"))
    opened = []
    monkeypatch.setattr("materiality.verification.sha256", opened.append)
    found = commands.verify(out)
    assert (found.changed, found.missing, opened) == (
        ("link", "folder/a", "pipe"),
        ("manifest.json/a", "absent"),
        [],
    )
    assert found.extra == ("folder",)


@pytest.mark.parametrize(
    ("suffix", "one", "other", "told"),
    [
        (".csv", "a,b\n1,2\n", "a,b\n1,3\n", ", row 2, column 'b': '2', and now '3'."),
        (".csv", "a,b\n1,2\n", "a,b\n", ", row 2: is one too many."),
        (".csv", "a,b\n", "a,b\n1,2\n", ", row 2: is missing."),
        (".csv", "a\n", "b\n", ": has the columns 'a', and now come 'b'."),
        (".csv", "a,b\n1\n", "a,b\n1,2\n", ", row 2: has 1 cells, not 2."),
        (".csv", 'a\n"1"\n', "a\n1\n", ": the cells are the same, and written in another way."),
        (".csv", 'a\n"1\n', "a\n1\n", ": cannot be read."),
        (".json", '{"a": [1, {"b": 2}]}', '{"a": [1, {"b": 3}]}', ", 'a[1].b': '2', and now '3'."),
        (".json", '{"a": [1]}', '{"a": [1, 2]}', ", 'a': has 1 entries, not 2."),
        (".json", '{"a": 1}', '{"a": 1, "b": 2}', ", 'b': is missing."),
        (".json", '{"a": 1, "b": 2}', '{"a": 1}', ", 'b': is one too many."),
        (".json", '{"a": 1}', '{"a": true}', ", 'a': '1', and now 'true'."),
        (".json", '{"a":1}', '{"a": 1}', ": the values are the same, and written in another way."),
        (".json", "{", '{"a": 1}', ": cannot be read."),
    ],
)
def test_the_first_place_that_differs_is_named(tmp_path, suffix, one, other, told):
    paths = [tmp_path / f"{name}{suffix}" for name in ("one", "other")]
    for path, text in zip(paths, (one, other), strict=True):
        path.write_text(text, encoding="utf-8")
    assert first_difference(*paths) == told
