"""What a run writes: fixed columns, true hashes, the same bytes again, all or nothing."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import re
import signal
import sys
import time
import warnings
from html.parser import HTMLParser
from pathlib import Path

import pytest
from conftest import ROOT, ROWS, STUDY, write_study

from materiality.assessment import assess
from materiality.commands import run
from materiality.errors import MaterialityError
from materiality.reporting import Choice, write
from materiality.reporting.folder import check_target, put_in_place, staged

COLUMNS = {
    "matrix": "issue, label, pillar, x, x_low, x_high, y, y_low, y_high, tier, tier_confidence, material, p_material",
    "scores": "axis, issue, estimate, std_error, conf_low, conf_high, df, n, rank, rank_low, rank_high",
    "group_scores": "axis, group, issue, estimate, std_error, conf_low, conf_high, n, n_effective, dont_know, "
    "not_applicable, blank, suppressed",
    "dispositions": "file, row, fate, reason, flags",
    "weights": "group, cell, n, weight, share_before, share_after",
}


def table(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / "tables" / f"{name}.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def digests(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def is_whole(folder: Path) -> bool:
    """Every file that the manifest names is there as the manifest says, and no other."""
    found = digests(folder)
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    found.pop("manifest.json")
    return found == {entry["path"]: entry["sha256"] for entry in manifest["outputs"]}


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> Path:
    """A small study's output, with a row excluded, one flagged, a don't-know and a decimal that never ends."""
    folder = tmp_path_factory.mktemp("written")
    rows = (*ROWS, "6,,4,4,4,4,4,4", "7,Staff,5,5,5,2,3,4", "8,Customer,Don't know,3,,4,2,2")
    _, out = run(write_study(folder / "small", rows=rows), out=folder / "out")
    return out


@pytest.mark.parametrize("name", COLUMNS)
def test_tables_have_the_columns_that_other_programs_rely_on(written, name):
    with (written / "tables" / f"{name}.csv").open(encoding="utf-8") as file:
        assert file.readline().rstrip("\n") == COLUMNS[name].replace(", ", ",")


def test_every_output_of_the_design_is_there(written):
    expected = {f"figures/matrix.{suffix}" for suffix in ("png", "svg", "pdf")} | {f"tables/{n}.csv" for n in COLUMNS}
    assert expected | {"report.html", "result.json", "manifest.json"} <= set(digests(written))


def test_each_row_read_has_one_line_with_its_fate(written):
    lines = table(written, "dispositions")
    assert [(line["row"], line["fate"], line["reason"], line["flags"]) for line in lines] == [
        ("2", "kept", "", ""),
        ("3", "kept", "", ""),
        ("4", "kept", "", ""),
        ("5", "kept", "", ""),
        ("6", "kept", "", ""),
        ("7", "excluded", "no group", "straight-lined"),
        ("8", "kept", "", "straight-lined"),
        ("9", "kept", "", ""),
    ]
    assert {line["file"] for line in lines} == {"responses.csv"}


def test_numbers_have_ten_significant_digits_and_missing_is_empty(written):
    safety = next(row for row in table(written, "scores") if (row["axis"], row["issue"]) == ("people", "safety"))
    staff, buyers = (5 + 4 + 5) / 3, (5 + 4 + 5 + 3) / 4
    assert safety["estimate"] == f"{(staff + buyers) / 2:.10g}"
    cells = {cell.lower() for name in COLUMNS for row in table(written, name) for cell in row.values()}
    assert cells.isdisjoint({"nan", "inf", "<na>", "none"})


def test_result_holds_the_numbers_of_the_tables(written):
    result = json.loads((written / "result.json").read_text(encoding="utf-8"))
    assert result["schema"] == "materiality.result/1"
    for name in ("matrix", "scores", "group_scores", "weights"):
        rows = table(written, name)
        assert [list(row) for row in result[name]] == [list(row) for row in rows]
        for told, row in zip(result[name], rows, strict=True):
            for key, value in told.items():
                cell = row[key]
                if isinstance(value, float):
                    assert float(cell) == value
                else:
                    assert cell == ("" if value is None else str(value))


def test_manifest_names_every_file_with_its_hash(written):
    assert is_whole(written)
    manifest = json.loads((written / "manifest.json").read_text(encoding="utf-8"))
    study = hashlib.sha256((written.parent / "small" / "study.toml").read_bytes()).hexdigest()
    answers = hashlib.sha256((written.parent / "small" / "responses.csv").read_bytes()).hexdigest()
    assert [(entry["file"], entry["sha256"]) for entry in manifest["inputs"]] == [
        ("study.toml", study),
        ("responses.csv", answers),
    ]


def test_two_runs_give_the_same_bytes_wherever_they_write(small_study, tmp_path, monkeypatch):
    run(small_study, out=tmp_path / "one")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    run(small_study / "study.toml", out="two")
    assert digests(tmp_path / "one") == digests(tmp_path / "two")


def test_another_seed_changes_the_run_id_and_no_estimate(small_study, tmp_path):
    run(small_study, out=tmp_path / "one", figures="main")
    run(small_study, out=tmp_path / "two", seed=7, figures="main")
    one, two = (json.loads((tmp_path / name / "manifest.json").read_text()) for name in ("one", "two"))
    assert one["run_id"] != two["run_id"]
    keep = ("axis", "issue", "estimate", "std_error", "conf_low", "conf_high")
    scores = [[tuple(row[k] for k in keep) for row in table(tmp_path / name, "scores")] for name in ("one", "two")]
    assert scores[0] == scores[1]


def test_default_folder_is_named_after_the_studys(small_study, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    _, out = run(small_study, figures="main")
    assert out == Path("reports/small") and is_whole(out)


# The report


class Page(HTMLParser):
    """What a page loads, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.code = False
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.code = tag in {"script", "style"}

    def handle_data(self, data):
        self.text += "" if self.code else data

    def handle_endtag(self, tag):
        self.code = False
        self.text += "" if tag in {"span", "code", "b"} else "\n"


def page(folder: Path) -> Page:
    return Page((folder / "report.html").read_text(encoding="utf-8"))


def test_report_loads_nothing_from_elsewhere_and_says_so_to_the_browser(written):
    found = page(written)
    loads = {"src", "href", "data", "action"}
    links = [value for _, attrs in found.tags for key, value in attrs.items() if key in loads]
    assert links and all(link.startswith(("data:", "#")) for link in links)
    assert not [tag for tag, _ in found.tags if tag in {"link", "iframe", "object", "embed", "base"}]
    policy = next(attrs["content"] for tag, attrs in found.tags if attrs.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'")


def test_report_of_the_reference_study_says_that_it_is_simulated_and_stays_small(tmp_path):
    _, out = run(ROOT / "surveys" / "kstar-2023", out=tmp_path / "out", figures="main")
    assert (out / "report.html").stat().st_size < 1_000_000
    assert "Simulated answers" in page(out).text
    assert json.loads((out / "result.json").read_text())["simulated"] is True


def test_sentences_of_the_report_are_parted_and_no_number_shows_as_python_writes_it(tmp_path):
    rows = tuple(
        f"{k},{('Staff', 'Customer')[k % 2]},{3 + k % 3},{4 + k % 2},,{3 + k % 3},{4 + k % 2},2" for k in range(12)
    )
    _, out = run(write_study(tmp_path / "study", rows=rows), out=tmp_path / "out", figures="main")
    text = page(out).text
    assert not re.search(r"[a-z0-9]\.[A-Z]", text)
    assert not re.search(r"\b(nan|None|NaN|<NA>|n \d+\.0)\b", text)


def test_names_with_markup_stay_text(tmp_path):
    hostile = "<script>alert(1)</script>\"&'"
    study = STUDY.replace('title = "A small study"', f"title = '''{hostile}'''")
    study = study.replace('label = "Climate"', "label = '''<b>Climate</b> $x_1$ & co'''").replace(
        'column = "{label}"', 'columns = { climate = "Climate", safety = "Safety", ethics = "Ethics" }'
    )
    study = study.replace('column = "Impact of {label}"', 'column = "Impact of {id}"')
    _, out = run(write_study(tmp_path / "study", study=study), out=tmp_path / "out", figures="main")
    found = page(out)
    plain = page(run(write_study(tmp_path / "plain"), out=tmp_path / "tame", figures="main")[1])
    assert {tag for tag, _ in found.tags} == {tag for tag, _ in plain.tags}
    assert sum(tag == "script" for tag, _ in found.tags) == sum(tag == "script" for tag, _ in plain.tags)
    assert hostile in found.text and "<b>Climate</b> $x_1$ & co" in found.text


def test_no_respondent_id_or_unmapped_column_reaches_any_output(tmp_path):
    header = "id,group,Climate,Safety,Ethics,Impact of Climate,Impact of Safety,Impact of Ethics,E-mail"
    rows = tuple(f"RESP-{row},canary{k}@example.org" for k, row in enumerate(ROWS))
    _, out = run(write_study(tmp_path / "study", header=header, rows=rows), out=tmp_path / "out", figures="main")
    for path in out.rglob("*"):
        if path.is_file():
            assert b"canary" not in path.read_bytes() and b"RESP-" not in path.read_bytes()


# All or nothing


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        pytest.param(
            lambda out: (out.mkdir(), (out / "notes.txt").write_text("mine")),
            "{out}: the folder is not empty, and no run of materiality wrote it.\n"
            "  Mend: choose an empty or a new folder with --out.",
            id="somebody else's folder",
        ),
        pytest.param(
            lambda out: out.write_text("a file"),
            "{out}: the output folder is a file.\n  Mend: choose another name with --out.",
            id="a file",
        ),
        pytest.param(
            lambda out: out.symlink_to(out.parent),
            "{out}: the output folder is a link.\n  Mend: name the folder itself with --out.",
            id="a link",
        ),
    ],
)
def test_only_a_folder_of_ours_is_ever_replaced(small_study, tmp_path, spoil, message):
    out = tmp_path / "out"
    spoil(out)
    before = out.read_text() if out.is_file() else sorted(path.name for path in out.iterdir())
    with pytest.raises(MaterialityError) as told:
        run(small_study, out=out, figures="main")
    assert str(told.value) == message.format(out=out)
    assert before == (out.read_text() if out.is_file() else sorted(path.name for path in out.iterdir()))


def test_a_users_file_in_a_folder_of_ours_is_not_swept_away(small_study, tmp_path):
    _, out = run(small_study, out=tmp_path / "out", figures="main")
    (out / "tables" / "my notes.txt").write_text("mine")
    with pytest.raises(MaterialityError) as told:
        run(small_study, out=out, figures="main")
    assert str(told.value) == (
        f"{out}: the folder holds files that the earlier run did not write: 'tables/my notes.txt'.\n"
        "  Mend: move them elsewhere, or choose another folder with --out."
    )
    assert (out / "tables" / "my notes.txt").read_text() == "mine"


def test_a_failing_run_leaves_the_earlier_folder_whole_and_nothing_beside_it(small_study, tmp_path, monkeypatch):
    _, out = run(small_study, out=tmp_path / "out", figures="main")
    before = digests(out)
    monkeypatch.setattr("materiality.reporting.render_report", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run(small_study, out=out, seed=5, figures="main")
    assert digests(out) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "small"]


def in_child(work) -> int:
    """Do something in a forked process; returns how it ended."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(0)
    return os.waitpid(child, 0)[1]


def small_folder(out: Path, text: str) -> None:
    with staged(out) as stage:
        (stage / "tables").mkdir()
        for name in ("a.csv", "tables/b.csv"):
            (stage / name).write_text(text)
        outputs = [{"path": n, "sha256": h} for n, h in digests(stage).items()]
        (stage / "manifest.json").write_text(json.dumps({"schema": "materiality.manifest/1", "outputs": outputs}))


FILE_EVENTS = {"open", "os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.chmod", "shutil.rmtree", "ctypes.dlsym"}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_killed_before_any_step_on_the_disk_the_folder_is_the_old_one_or_the_new_one(tmp_path):
    out, moment, seen = tmp_path / "out", 0, set()
    ended_well = False
    while not ended_well:
        small_folder(out, "old")
        left = [moment]

        def kill_at(event, _args, left=left):
            if event in FILE_EVENTS:
                left[0] -= 1
                if left[0] < 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        def work(kill_at=kill_at):
            sys.addaudithook(kill_at)
            small_folder(out, "new")

        ended_well = in_child(work) == 0
        assert is_whole(out)
        seen.add((out / "a.csv").read_text())
        moment += 1
    assert seen == {"old", "new"} and moment > 15
    small_folder(out, "last")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_run_killed_at_any_moment_leaves_the_earlier_folder_whole(small_study, tmp_path):
    assessment = assess(small_study)
    out = write(assessment, tmp_path / "out", figures=Choice.MAIN)
    started = time.perf_counter()
    write(assessment, out, figures=Choice.MAIN)
    lasted = time.perf_counter() - started
    survived = 0
    for k in range(8):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            child = os.fork()
        if child == 0:
            try:
                write(assessment, out, figures=Choice.MAIN)
            finally:
                os._exit(0)
        time.sleep(lasted * (k + 0.5) / 8)
        os.kill(child, signal.SIGKILL)
        survived += os.waitpid(child, 0)[1] == 0
        assert is_whole(out)
    assert survived < 8


def test_where_names_cannot_be_exchanged_the_old_folder_is_moved_aside_and_back(tmp_path, monkeypatch):
    monkeypatch.setattr("materiality.reporting.folder._exchange", lambda *_: False)
    out = tmp_path / "out"
    small_folder(out, "old")
    small_folder(out, "new")
    assert (out / "a.csv").read_text() == "new" and [path.name for path in tmp_path.iterdir()] == ["out"]
    with pytest.raises(OSError, match="No such file"):
        put_in_place(tmp_path / "absent", out)
    assert (out / "a.csv").read_text() == "new"


def test_an_empty_or_absent_folder_is_welcome(tmp_path):
    (tmp_path / "empty").mkdir()
    check_target(tmp_path / "empty")
    check_target(tmp_path / "not" / "yet" / "there")
