"""The evidence pack: complete, the same on a second run, text as text, ids as codes, and nothing hidden told."""

from __future__ import annotations

import csv
import datetime as dt
import hashlib
import hmac
import html.parser
import os
import re
import shutil
import stat
import subprocess
import zipfile
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner
from conftest import HEADER, ROWS, STUDY, write_study

from materiality import commands
from materiality.assessment import assess
from materiality.cli import main
from materiality.errors import MaterialityError
from materiality.reporting import Evidence, check_evidence
from materiality.reporting.evidence import changed_keys

DECIDED = """
[tiers]
reason = "=1+1 the board's line of <b>May</b>"

[tiers.thresholds]
people = 4.0

[[decisions]]
issue = "climate"
decision = "material"
reason = "@SUM(A1) what our customers ask for"
date = 2024-03-31
by = "Sustainability committee"
"""
NAMES = [
    "decisions.csv", "evidence.xlsx", "exports.csv", "group_weights.csv", "index.html", "response.csv", "rows.csv",
    "study.toml", "thresholds.csv", "versions.csv",
]  # fmt: skip
IDS = ("anna@example.org", "bo.li@example.org", "c-3", "dorte 4", "c-3")


def study(folder: Path, *, text: str) -> Path:
    """A study whose respondents have ids that tell who they are, one of them twice."""
    named = tuple(f"{who},{row.split(',', 1)[1]}" for who, row in zip(IDS, (*ROWS[:4], ROWS[2]), strict=True))
    return write_study(folder, study=text + DECIDED, rows=named)


@pytest.fixture(scope="module")
def pack(tmp_path_factory) -> Path:
    """The folder of a run with all that an evidence pack may have."""
    folder = tmp_path_factory.mktemp("pack")
    before = study(folder / "before", text=STUDY.replace('label = "Buyers"', 'label = "Customers"'))
    now = study(folder / "now", text=STUDY.replace('id = "staff"', 'id = "staff"\npopulation = 20'))
    commands.run(
        now, out=folder / "out", figures="main", evidence=True, earlier=before / "study.toml", key=folder / "key"
    )
    return folder


def table(pack: Path, name: str) -> list[dict[str, str]]:
    with (pack / "out" / "evidence" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def invoke(*words: object):
    return CliRunner().invoke(main, [str(word) for word in words])


def test_the_manifest_names_every_file_of_the_pack_and_what_it_was_made_with(pack):
    import json

    manifest = json.loads((pack / "out" / "manifest.json").read_text())
    files = {Path(one["path"]).name for one in manifest["outputs"] if one["path"].startswith("evidence/")}
    assert files == {*NAMES, "respondents.csv", "study_changes.csv", "study_changes.diff"}
    assert files == {path.name for path in (pack / "out" / "evidence").iterdir()}
    earlier = (pack / "before" / "study.toml").read_bytes()
    key = (pack / "key").read_bytes().strip()
    assert manifest["evidence"] == {
        "earlier_sha256": hashlib.sha256(earlier).hexdigest(),
        "key_check": hmac.new(key, b"materiality", hashlib.sha256).hexdigest()[:16],
    }


def test_a_second_run_gives_the_same_bytes(pack, tmp_path):
    out, files = tmp_path / "out", pack / "out" / "evidence"
    commands.run(
        pack / "now", out=out, figures="main", evidence=True, earlier=pack / "before", key=pack / "key"
    )  # fmt: skip
    for path in files.iterdir():
        assert path.read_bytes() == (out / "evidence" / path.name).read_bytes(), path.name
    done = invoke("run", pack / "now", "--out", out, "--figures", "main", "--evidence", "--earlier", pack / "before",
                  "--key", pack / "key")  # fmt: skip
    assert done.exit_code == 0 and f"Unchanged: {out}" in done.output


def test_a_folder_as_it_was_left_is_verified_with_its_pack(pack):
    found = commands.verify(pack / "out", study=pack / "now")
    assert found.differences == ()


def test_without_a_key_or_an_earlier_study_the_pack_says_so(tmp_path):
    folder = write_study(tmp_path / "small")
    done = invoke("run", folder, "--out", tmp_path / "out", "--figures", "main", "--evidence")
    assert done.exit_code == 0
    assert done.output.endswith(
        f"Written: {tmp_path / 'out' / 'report.html'}\nWritten: {tmp_path / 'out' / 'evidence' / 'index.html'}\n"
    )
    assert sorted(path.name for path in (tmp_path / "out" / "evidence").iterdir()) == NAMES
    page = (tmp_path / "out" / "evidence" / "index.html").read_text()
    for words in (
        "No codes of respondents were written: no key was given (--key).",
        "No earlier study file was given (--earlier).",
        "The study file gives no reason for the thresholds (reason in [tiers]).",
        "No decision stands in the study file ([[decisions]]).",
    ):
        assert words in page


def test_without_the_option_there_is_no_pack(pack, tmp_path):
    commands.run(pack / "now", out=tmp_path / "out", figures="main")
    assert not (tmp_path / "out" / "evidence").exists()
    with pytest.raises(ValueError, match="set evidence as well"):
        commands.run(pack / "now", out=tmp_path / "out", key=pack / "key")
    done = invoke("run", pack / "now", "--out", tmp_path / "out", "--earlier", pack / "before")
    assert done.exit_code == 2 and "give --evidence as well" in done.stderr


def test_the_study_file_is_the_one_that_was_run(pack):
    assert (pack / "out" / "evidence" / "study.toml").read_bytes() == (pack / "now" / "study.toml").read_bytes()


def test_what_changed_since_the_earlier_study_is_told_twice(pack):
    assert table(pack, "study_changes") == [
        {"key": "groups[buyers].label", "change": "changed", "before": "Customers", "after": "Buyers"},
        {"key": "groups[staff].population", "change": "added", "before": "", "after": "20"},
    ]
    diff = (pack / "out" / "evidence" / "study_changes.diff").read_text()
    assert [line for line in diff.splitlines() if line[0] in "+-"] == [
        "--- earlier study.toml",
        "+++ study.toml",
        "+population = 20",
        '-label = "Customers"',
        '+label = "Buyers"',
    ]


def test_the_unified_diff_makes_the_new_file_of_the_old(pack, tmp_path):
    if shutil.which("patch") is None:
        pytest.skip("patch is absent")
    shutil.copy(pack / "before" / "study.toml", tmp_path / "study.toml")
    diff = pack / "out" / "evidence" / "study_changes.diff"
    subprocess.run(["patch", "-s", tmp_path / "study.toml", diff], check=True)
    assert (tmp_path / "study.toml").read_text() == (pack / "now" / "study.toml").read_text()


@pytest.mark.parametrize(
    ("before", "after", "lines"),
    [
        pytest.param("a = 1\nb = 2", "b = 2\na = 1", [], id="the order of keys"),
        pytest.param(
            '[[r]]\nid = "a"\n[[r]]\nid = "b"', '[[r]]\nid = "b"\n[[r]]\nid = "a"', [], id="the order of tables"
        ),
        pytest.param("a = 1", 'a = "1"', [("a", "changed", "1", "1")], id="a number that became text"),
        pytest.param("[x]\ny = [1, 2]", "", [("x.y", "removed", "[1, 2]", "")], id="a list taken out"),
        pytest.param(
            '[[r]]\nfile = "a"\n[[r]]\nfile = "a"\nk = 1', '[[r]]\nfile = "a"\n[[r]]\nfile = "a"\nk = 2',
            [("r[2].k", "changed", "1", "2")], id="entries of one name by their number",
        ),
        pytest.param(
            "d = 2024-01-31", "d = 2024-02-01", [("d", "changed", '"2024-01-31"', '"2024-02-01"')], id="a date"
        ),
    ],
)  # fmt: skip
def test_changed_keys(before, after, lines):
    found = changed_keys(before, after)
    assert list(found.itertuples(index=False, name=None)) == lines


def test_rows_rates_weights_thresholds_and_decisions(pack):
    digest = hashlib.sha256((pack / "now" / "responses.csv").read_bytes()).hexdigest()
    assert table(pack, "exports") == [
        {"file": "responses.csv", "sha256": digest, "header_rows": "1", "rows": "5", "kept": "4", "excluded": "1"}
    ]
    assert table(pack, "rows") == [
        {"file": "responses.csv", "fate": "kept", "reason": "", "rows": "4"},
        {"file": "responses.csv", "fate": "excluded", "reason": "duplicate respondent", "rows": "1"},
    ]
    told = [(one["group"], one["population"], one["n"], one["rate"]) for one in table(pack, "response")]
    assert told == [("staff", "20", "2", "0.1"), ("buyers", "", "2", "")]
    assert [(one["axis"], one["group"], one["from"], one["share"]) for one in table(pack, "group_weights")] == [
        ("people", "staff", "equal", "0.5"),
        ("people", "buyers", "equal", "0.5"),
        ("business", "staff", "equal", "0.5"),
        ("business", "buyers", "equal", "0.5"),
    ]
    business, people = table(pack, "thresholds")
    reason = "=1+1 the board's line of <b>May</b>"
    assert people == {  # the apostrophe keeps a spreadsheet from taking it for a formula
        "axis": "people", "label": "Importance to people", "set_as": "4.0", "set_by": "study file", "threshold": "4",
        "rule": "either", "method": "thresholds", "reason": f"'{reason}",
    }  # fmt: skip
    means = assess(pack / "now").scores.query("axis == 'business'")["estimate"]
    assert (business["set_as"], business["set_by"]) == ("mean", "default")
    assert float(business["threshold"]) == pytest.approx(means.mean(), abs=1e-8)
    decided = table(pack, "decisions")
    assert [(one["issue"], one["decision"], one["reason"], one["date"], one["decided_by"]) for one in decided] == [
        ("climate", "material", "'@SUM(A1) what our customers ask for", "2024-03-31", "Sustainability committee")
    ]


def test_ids_are_codes_that_another_program_makes_again(pack):
    key = (pack / "key").read_text().strip()
    lines = table(pack, "respondents")
    assert [(one["file"], one["row"]) for one in lines] == [("responses.csv", str(row)) for row in range(2, 7)]
    codes = [one["respondent"] for one in lines]
    assert codes == [hmac.new(key.encode(), one.encode(), hashlib.sha256).hexdigest() for one in IDS]
    assert codes[2] == codes[4] and len(set(codes)) == 4
    if shutil.which("openssl") is not None:
        words = ["openssl", "dgst", "-sha256", "-hmac", key]
        made = subprocess.run(words, input=IDS[0].encode(), capture_output=True, check=True)
        assert made.stdout.decode().split()[-1] == codes[0]


def test_a_respondent_without_an_id_has_no_code(tmp_path):
    text = STUDY.replace('respondent = "id"\n', "")
    folder = write_study(tmp_path / "small", study=text, rows=(*ROWS, ""))
    commands.run(folder, out=tmp_path / "out", figures="main", evidence=True, key=tmp_path / "key")
    lines = (tmp_path / "out" / "evidence" / "respondents.csv").read_text().splitlines()
    assert lines == ["file,row,respondent", *(f"responses.csv,{row}," for row in range(2, 8))]


def every_byte(folder: Path) -> bytes:
    """All that the files of a folder hold, workbooks unpacked."""
    held = b""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            held += path.name.encode() + path.read_bytes()
            if zipfile.is_zipfile(path):
                with zipfile.ZipFile(path) as archive:
                    held += b"".join(name.encode() + archive.read(name) for name in archive.namelist())
    return held


def test_neither_an_id_nor_the_key_stands_in_any_byte_of_the_output(pack):
    held = every_byte(pack / "out")
    for canary in ("anna", "bo.li", "example.org", "dorte", (pack / "key").read_text().strip(), str(pack)):
        assert canary.encode() not in held, canary


@pytest.mark.skipif(os.name != "posix", reason="permissions are those of POSIX")
def test_the_key_is_for_its_owner_alone_and_kept(pack):
    assert stat.S_IMODE((pack / "key").stat().st_mode) == 0o600
    assert re.fullmatch("[0-9a-f]{64}\n", (pack / "key").read_text())


def test_the_first_run_says_that_it_made_a_key(tmp_path):
    folder = write_study(tmp_path / "small")
    words = ("run", folder, "--out", tmp_path / "out", "--figures", "main", "--evidence", "--key", tmp_path / "key")
    made = f"Made the key {tmp_path / 'key'}. Keep it safe, apart from the output: the same codes need the same key.\n"
    assert invoke(*words).output.endswith(made)
    assert made not in invoke(*words).output


KEYS = "is 32 to 4,096 printable ASCII characters without blanks."


@pytest.mark.parametrize(
    ("place", "held", "mode", "what", "mend"),
    [
        ("out/key", None, 0, "the key would lie in the output folder.", "keep it where the output does not go."),
        ("out/../out/deep/key", None, 0, "the key would lie in the output folder.",
         "keep it where the output does not go."),
        ("no/key", None, 0, "there is no such folder to make the key in.", "make the folder, or name another."),
        ("key", b"short", 0o600, f"holds no key: one {KEYS}",
         "name the file of an earlier run's key, or one that does not exist yet."),
        ("key", b"a b " * 20, 0o600, f"holds no key: one {KEYS}",
         "name the file of an earlier run's key, or one that does not exist yet."),
        ("key", b"a" * 64, 0o644, "others than its owner may read the key.", "chmod 600 'key'."),
        (".", None, 0, "is no file.", "name a file that holds the key, or one that does not exist yet."),
    ],
)  # fmt: skip
def test_a_key_that_cannot_serve_is_refused_and_nothing_written(tmp_path, place, held, mode, what, mend):
    path, folder = tmp_path / place, write_study(tmp_path / "small")
    if held is not None:
        path.write_bytes(held)
        path.chmod(mode)
    with pytest.raises(MaterialityError) as told:
        commands.run(folder, out=tmp_path / "out", evidence=True, key=path)
    assert str(told.value) == f"{path}: {what}\n  Mend: {mend}"
    assert not (tmp_path / "out").exists()
    assert held is None or path.read_bytes() == held


def test_a_link_to_the_output_is_no_place_for_the_key(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "out")
    with pytest.raises(MaterialityError, match="the key would lie in the output folder"):
        check_evidence(Evidence(key=tmp_path / "link" / "key"), tmp_path / "out")


@pytest.mark.parametrize(
    ("held", "what"),
    [
        (None, "there is no such file."),
        (b"a = ", "the earlier study file is no TOML."),
        (b"\xff\xfe", "the earlier study file is no TOML."),
        (b"#" * (1 << 21) + b"#", "is larger than 2 MB, which no study file is."),
    ],
)
def test_an_earlier_study_that_cannot_be_read_is_told_with_the_key_before_anything_is_done(tmp_path, held, what):
    path = tmp_path / "old.toml"
    if held is not None:
        path.write_bytes(held)
    with pytest.raises(MaterialityError) as told:
        check_evidence(Evidence(earlier=path, key=tmp_path / "out" / "key"), tmp_path / "out")
    assert [fault.what for fault in told.value.faults] == ["the key would lie in the output folder.", what]


def test_the_folder_of_an_earlier_run_serves_where_it_has_a_pack(pack, tmp_path):
    check_evidence(Evidence(earlier=pack / "out"), tmp_path / "out")
    (tmp_path / "plain").mkdir()
    with pytest.raises(MaterialityError) as told:
        check_evidence(Evidence(earlier=tmp_path / "plain"), tmp_path / "out")
    assert str(told.value) == (
        f"{tmp_path / 'plain'}: holds no earlier study file.\n"
        "  Mend: name an earlier study.toml, its folder, or the folder of a run with --evidence."
    )


def workbook(pack: Path):
    from python_calamine import CalamineWorkbook

    return CalamineWorkbook.from_path(str(pack / "out" / "evidence" / "evidence.xlsx"))


def test_each_table_is_a_sheet_with_the_same_numbers(pack):
    book = workbook(pack)
    own = ["exports", "rows", "response", "group_weights", "thresholds", "decisions", "versions", "study_changes"]
    assert book.sheet_names[: len(own) + 1] == ["contents", *own]
    for name in book.sheet_names[1:]:
        folder = pack / "out" / ("evidence" if name in own else "tables")
        cells = pd.read_csv(folder / f"{name}.csv", dtype=str, keep_default_na=False)
        header, *lines = book.get_sheet_by_name(name).to_python(skip_empty_area=False)
        assert header == list(cells)
        for line, expected in zip(lines, cells.to_numpy().tolist(), strict=True):
            for cell, text in zip(line, expected, strict=True):
                if isinstance(cell, float):
                    assert cell == pytest.approx(float(text), rel=1e-9), (name, text)
                else:
                    assert str(cell) == text.removeprefix("'"), name


def test_text_stays_text_in_the_workbook_and_nobody_is_named_as_its_author(pack):
    with zipfile.ZipFile(pack / "out" / "evidence" / "evidence.xlsx") as archive:
        parts = {name: archive.read(name).decode("utf-8") for name in archive.namelist()}
        assert {info.date_time[0] for info in archive.infolist()} == {1980}
    assert not any("<f>" in text for name, text in parts.items() if "worksheets" in name)
    assert "=1+1 the board" in parts["xl/sharedStrings.xml"] and "@SUM(A1)" in parts["xl/sharedStrings.xml"]
    assert "<dc:creator></dc:creator>" in parts["docProps/core.xml"]
    assert set(re.findall(r"\d{4}-\d\d-\d\dT[\d:]+", parts["docProps/core.xml"])) == {"2000-01-01T00:00:00"}
    assert dt.date(2000, 1, 1).isoformat() in parts["docProps/core.xml"]


class Page(html.parser.HTMLParser):
    """The links, tags and texts of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.tags: set[str] = set()
        self.loads: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.links += [value for name, value in attrs if name == "href"]
        self.loads += [value for name, value in attrs if name in {"src", "srcset", "data"}]


def test_the_index_links_to_files_that_are_there_and_loads_nothing(pack):
    folder = pack / "out" / "evidence"
    text = (folder / "index.html").read_text(encoding="utf-8")
    page = Page(text)
    assert not page.tags & {"script", "img", "iframe", "link", "b"} and not page.loads
    files = [link for link in page.links if not link.startswith("#")]
    assert files and all((folder / link).resolve().is_file() for link in files)
    assert "&lt;b&gt;May&lt;/b&gt;" in text
    for standard in ("ESRS 2 IRO-1", "GRI 3-1 a", "GRI 3-1 b", "GRI 3-2 a", "GRI 3-2 b"):
        assert standard in text
    named = {(folder / link).resolve().relative_to((pack / "out").resolve()).parts[-1] for link in files}
    assert {"dispositions.csv", "respondents.csv", "study_changes.diff", "manifest.json"} <= named


def test_the_policy_of_the_index_lets_its_style_in_and_nothing_else(pack, open_page):
    page = open_page((pack / "out" / "evidence" / "index.html").as_uri())
    assert page.faults == []
    assert page.evaluate("getComputedStyle(document.querySelector('h1')).fontWeight") == "700"
    page.set_viewport_size({"width": 360, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


@pytest.mark.parametrize("profile", ["internal", "publish"])
def test_of_a_hidden_group_the_pack_tells_no_more_than_the_tables(tmp_path, profile):
    text = STUDY.replace('profile = "off"', f'profile = "{profile}"').replace(
        'label = "Buyers"', 'label = "Buyers"\npopulation = 40'
    )
    many = [f"{k},Staff,{k % 5 + 1},{k % 3 + 1},3,4,{k % 4 + 1},2" for k in range(40)]
    few = [f"{k + 40},Buyers,{k + 1},2,5,4,{k + 2},1" for k in range(3)]
    folder = write_study(tmp_path / "small", study=text, rows=tuple(many + few), header=HEADER)
    commands.run(folder, out=tmp_path / "out", figures="main", evidence=True)
    found = pd.read_csv(tmp_path / "out" / "evidence" / "response.csv").set_index("group")
    told = pd.read_csv(tmp_path / "out" / "tables" / "weighting.csv").set_index("group")
    pd.testing.assert_frame_equal(
        found[["n", "n_effective", "design_effect"]], told[["n", "n_effective", "design_effect"]]
    )
    assert found.loc["buyers", ["n", "rate", "n_effective", "design_effect"]].isna().all()


def test_simulated_answers_say_so(tmp_path):
    folder = write_study(tmp_path / "small", study="simulated = true\n" + STUDY)
    commands.run(folder, out=tmp_path / "out", figures="main", evidence=True)
    assert "Simulated answers." in (tmp_path / "out" / "evidence" / "index.html").read_text()
    assert workbook(tmp_path).get_sheet_by_name("contents").to_python()[1][0].startswith("Simulated answers")
