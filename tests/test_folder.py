"""The folder of a run: what may be replaced, one run at a time, the same run not written twice, and no stray files."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from conftest import ROWS, needed, write_study

from materiality import commands, reporting
from materiality.cli import main
from materiality.commands import run
from materiality.errors import MaterialityError
from materiality.reporting import folder
from materiality.reporting.folder import check_target, locked, staged

NO_FORK = not hasattr(os, "fork")
posix = pytest.mark.skipif(NO_FORK, reason="needs the users and signals of Linux or macOS")


def invoke(*words: object):
    return CliRunner().invoke(main, [str(word) for word in words])


def digests(out: Path) -> dict[str, str]:
    return {
        path.relative_to(out).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(out.rglob("*"))
        if path.is_file()
    }


def marks(out: Path) -> dict[str, tuple[int, int]]:
    """Which file each path is, and when it was last written."""
    return {path.as_posix(): (path.stat().st_ino, path.stat().st_mtime_ns) for path in [out, *sorted(out.rglob("*"))]}


def is_whole(out: Path) -> bool:
    found = digests(out)
    manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    found.pop("manifest.json")
    return found == {entry["path"]: entry["sha256"] for entry in manifest["outputs"]}


def small_folder(out: Path, text: str = "new") -> None:
    """A folder as a run leaves it, with a file."""
    with staged(out) as stage:
        (stage / "tables").mkdir()
        (stage / "tables" / "a.csv").write_text(text)
        outputs = [{"path": path, "sha256": told} for path, told in digests(stage).items()]
        (stage / "manifest.json").write_text(json.dumps({"schema": "materiality.manifest/1", "outputs": outputs}))


@pytest.fixture(scope="module")
def once(tmp_path_factory) -> Path:
    """A folder with a small study and its run, made once: only to be copied."""
    place = tmp_path_factory.mktemp("once")
    run(write_study(place / "small"), out=place / "out", figures="main")
    return place


@pytest.fixture
def ran(once, tmp_path) -> tuple[Path, Path]:
    """A small study, and the folder of its run."""
    shutil.copytree(once, tmp_path, dirs_exist_ok=True)
    return tmp_path / "small", tmp_path / "out"


def refusal(out: Path, *inputs: Path) -> str:
    with pytest.raises(MaterialityError) as told:
        check_target(out, inputs)
    return str(told.value)


# What may be replaced

OTHER_NAME = "choose another name with --out."
NAMES = {
    "report.": ("the name ends with a dot or a space, which Windows cannot hold.", OTHER_NAME),
    "report ": ("the name ends with a dot or a space, which Windows cannot hold.", OTHER_NAME),
    "CON": ("Windows keeps the name 'CON' for a device.", OTHER_NAME),
    "nul.reports": ("Windows keeps the name 'nul.reports' for a device.", OTHER_NAME),
    "Com7": ("Windows keeps the name 'Com7' for a device.", OTHER_NAME),
    "aux/report": ("Windows keeps the name 'aux' for a device.", OTHER_NAME),
    "a\nb": ("the name holds a control character.", OTHER_NAME),
    "a\x1b[31mb": ("the name holds a control character.", OTHER_NAME),
    "a\0b": ("a name cannot hold a NUL character.", OTHER_NAME),
}


@pytest.mark.parametrize("name", NAMES, ids=repr)
def test_a_name_that_not_every_system_holds_is_refused(tmp_path, name):
    what, mend = NAMES[name]
    shown = str(tmp_path / name).replace("\n", "\\n").replace("\x1b", "\\x1b").replace("\0", "\\x00")
    assert refusal(tmp_path / name) == f"{shown}: {what}\n  Mend: {mend}"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["report.2026", "console", "自然 报告", "a" * 250, "报" * 80, "[x]*?", "COM10", " a"])
def test_any_other_name_is_written_and_nothing_is_left_beside_it(tmp_path, name):
    for text in ("old", "new"):
        small_folder(tmp_path / name, text)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name / "tables" / "a.csv").read_text() == "new" and is_whole(tmp_path / name)


def test_a_name_that_is_too_long_is_told(tmp_path):
    with pytest.raises(MaterialityError) as told:
        small_folder(tmp_path / ("a" * 300))
    assert str(told.value).splitlines()[0].endswith(": cannot be written: File name too long.")
    assert not list(tmp_path.iterdir())


def test_the_root_of_a_disk_is_refused():
    assert refusal(Path("/")).splitlines()[0] == (
        "/: is the root of a disk, or a disk is mounted there; a run replaces its whole folder, which cannot be done."
    )


def test_the_folder_that_the_command_runs_in_is_refused(tmp_path, monkeypatch):
    small_folder(tmp_path / "out")
    mend = "\n  Mend: go to another folder first, or name another one with --out."
    what = "the command runs inside this folder; a run replaces it and would leave the terminal in a removed one."
    monkeypatch.chdir(tmp_path / "out")
    assert refusal(Path()) == f".: {what}{mend}"
    assert refusal(Path("../out")) == f"../out: {what}{mend}"
    monkeypatch.chdir(tmp_path / "out" / "tables")
    assert refusal(Path("..")) == f"..: {what}{mend}"
    monkeypatch.chdir(tmp_path)
    check_target(Path("out"))


def test_the_study_s_own_folder_and_those_above_it_are_refused(small_study):
    for out in (small_study, small_study.parent):
        before = digests(out)
        assert invoke("run", small_study, "--out", out).stderr == (
            f"{out}: the folder is not empty, and no run of materiality wrote it.\n"
            "  Mend: choose an empty or a new folder with --out.\n"
        )
        assert digests(out) == before


def test_a_folder_inside_the_study_s_is_welcome(small_study):
    _, out = run(small_study, out=small_study / "out", figures="main")
    assert is_whole(out) and sorted(path.name for path in small_study.iterdir()) == [
        "out",
        "responses.csv",
        "study.toml",
    ]


def test_what_a_run_reads_is_never_replaced_by_what_it_writes(ran):
    small_study, out = ran
    assert refusal(out, out / "tables" / "scores.csv") == (
        f"{out}: the run would replace a file that it reads: scores.csv.\n  Mend: choose another folder with --out."
    )
    study = (small_study / "study.toml").read_text().replace("responses.csv", "../out/tables/answers.csv")
    (small_study / "study.toml").write_text(study)
    shutil.copy(small_study / "responses.csv", out / "tables" / "answers.csv")
    before = digests(out)
    done = invoke("run", small_study, "--out", out, "--figures", "main")
    assert (done.exit_code, digests(out)) == (1, before)


@pytest.mark.parametrize("way", ["{}/../out", "./{}/.././out", "{}/../beside/../out"])
def test_a_path_with_steps_back_means_the_folder_that_the_system_means(tmp_path, monkeypatch, way):
    (tmp_path / "elsewhere" / "deep").mkdir(parents=True)
    (tmp_path / "elsewhere" / "beside").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere" / "deep")
    monkeypatch.chdir(tmp_path)
    small_folder(Path(way.format("link")))
    assert is_whole(tmp_path / "elsewhere" / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["elsewhere", "link"]


@pytest.mark.parametrize("target", ["elsewhere", "nowhere"])
def test_a_link_is_not_followed(tmp_path, target):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / target)
    assert refusal(tmp_path / "out") == (
        f"{tmp_path / 'out'}: the output folder is a link.\n  Mend: name the folder itself with --out."
    )


@pytest.mark.parametrize(
    ("make", "told"),
    [
        pytest.param(lambda out: (out / "notes").mkdir(), "'notes'", id="an empty folder of the user's"),
        pytest.param(lambda out: (out / "here").symlink_to(out.parent), "'here'", id="a link to a folder"),
        pytest.param(
            lambda out: ((out / "tables/a.csv").unlink(), (out / "tables/a.csv").symlink_to("/etc/hostname")),
            "'tables/a.csv'",
            id="a link in place of a file of ours",
        ),
        pytest.param(lambda out: (out / "\x1b[2J").write_text(""), "'\\x1b[2J'", id="a name that clears the screen"),
    ],
)
def test_nothing_of_the_user_s_goes_with_the_earlier_run(tmp_path, make, told):
    out = tmp_path / "out"
    small_folder(out)
    make(out)
    assert refusal(out) == (
        f"{out}: the folder holds files that the earlier run did not write: {told}.\n"
        "  Mend: move them elsewhere, or choose another folder with --out."
    )


@pytest.mark.parametrize(
    "manifest",
    [
        "",
        "[]",
        "[" * 100_000,
        '{"schema": "materiality.manifest/2", "outputs": []}',
        '{"schema": "materiality.manifest/1"}',
        '{"schema": "materiality.manifest/1", "outputs": [{"path": "review/../../x", "sha256": ""}]}',
        '{"schema": "materiality.manifest/1", "outputs": [{"path": "/etc/passwd", "sha256": ""}]}',
        '{"schema": "materiality.manifest/1", "outputs": [{"path": 5, "sha256": ""}]}',
        '{"schema": "materiality.manifest/1", "outputs": "manifest.json"}',
        "\ud800",
    ],
    ids=lambda text: repr(text[:40]),
)
def test_a_manifest_that_no_run_wrote_makes_no_folder_ours(tmp_path, manifest):
    (tmp_path / "manifest.json").write_bytes(manifest.encode("utf-8", "surrogatepass"))
    assert "the folder is not empty, and no run of materiality wrote it." in refusal(tmp_path)


def as_nobody(work) -> str:
    """What a piece of work says in a process without a superuser's rights."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            if os.geteuid() == 0:
                os.setresgid(65534, 65534, 65534)
                os.setresuid(65534, 65534, 65534)
            try:
                said = work() or ""
            except MaterialityError as error:
                said = str(error)
            except BaseException as error:
                said = repr(error)
            os.write(write, said.encode())
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        said = pipe.read().decode()
    os.waitpid(child, 0)
    return said


@pytest.fixture
def common() -> Iterator[Path]:
    """A folder that every user may write."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o777)
        yield Path(name)


@posix
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_places_that_may_not_be_written_are_told(common):
    (common / "closed").mkdir(0o700)
    (common / "kept").mkdir()
    (common / "kept").chmod(0o555)
    cannot = "the folder cannot be made there.\n  Mend: choose another place with --out."
    for out in (common / "kept" / "out", common / "closed" / "out", common / "closed" / "a" / "b"):
        if os.geteuid() == 0 or "closed" not in out.parts:
            assert as_nobody(lambda out=out: check_target(out)) == f"{out}: {cannot}"


@posix
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_folder_made_read_only_is_kept(common):
    out = common / "out"

    def spoil() -> None:
        small_folder(out, "old")
        out.chmod(0o555)
        small_folder(out, "new")

    assert as_nobody(spoil) == (
        f"{out}: the folder is read-only, and a run would replace it.\n"
        "  Mend: make it writable, or choose another folder with --out."
    )
    assert (out / "tables" / "a.csv").read_text() == "old"
    out.chmod(0o755)


@posix
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_read_only_folder_inside_leaves_nothing_beside_the_new_run(common):
    def twice() -> None:
        small_folder(common / "out", "old")
        (common / "out" / "tables").chmod(0o555)
        small_folder(common / "out", "new")

    assert as_nobody(twice) == ""
    assert [path.name for path in common.iterdir()] == ["out"]
    assert (common / "out" / "tables" / "a.csv").read_text() == "new"


@posix
@pytest.mark.skipif(sys.platform != "linux" or NO_FORK or os.geteuid() != 0, reason="needs root, who may mount a disk")
def test_a_mounted_folder_and_a_read_only_disk_are_refused(tmp_path):
    out = tmp_path / "disk"
    out.mkdir()
    try:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", out], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no disk can be mounted here: {error}")
    try:
        assert refusal(out).splitlines()[0].startswith(f"{out}: is the root of a disk, or a disk is mounted there;")
        check_target(out / "out")
        subprocess.run(["mount", "-o", "remount,ro", out], check=True, capture_output=True)
        assert refusal(out / "out") == (
            f"{out / 'out'}: the folder cannot be made there.\n  Mend: choose another place with --out."
        )
    finally:
        subprocess.run(["umount", out], check=True, capture_output=True)


# One run at a time

HOLD = """
import sys
from pathlib import Path
from materiality.reporting.folder import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextlib.contextmanager
def another_run(out: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that has locked a folder."""
    words = [sys.executable, "-c", HOLD, str(out)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None and other.stdout.readline() == "held\n"
        try:
            yield other
        finally:
            other.kill()


def test_the_second_of_two_runs_is_told_who_is_at_work(small_study, tmp_path):
    out = tmp_path / "out"
    with another_run(out) as other:
        done = invoke("run", small_study, "--out", out)
        assert (done.exit_code, done.stdout) == (1, "")
        assert done.stderr == (
            f"{out}: another run is writing this folder (process {other.pid}).\n"
            "  Mend: wait until it has ended, or choose another folder with --out.\n"
        )
        other.communicate()
        assert other.returncode == 0
    assert not out.exists() and sorted(path.name for path in tmp_path.iterdir()) == ["small"]


def test_a_review_waits_for_no_run_either(small_study, tmp_path, monkeypatch):
    monkeypatch.setattr("materiality.reviewing.check_tools", lambda: None)
    with another_run(tmp_path / "out"):
        done = invoke("review", small_study, "--out", tmp_path / "out")
        assert done.exit_code == 1 and "another run is writing this folder" in done.stderr


def test_the_lock_of_a_killed_run_is_no_obstacle_and_goes_with_the_next(tmp_path):
    with another_run(tmp_path / "out") as other:
        other.kill()
        other.wait()
        assert [path.name for path in tmp_path.iterdir()] == [".out.lock"]
        small_folder(tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_runs_into_different_folders_do_not_hinder_each_other(tmp_path):
    with another_run(tmp_path / "out"):
        small_folder(tmp_path / "out2")
        small_folder(tmp_path / "ou")


def test_a_thread_may_lock_again_what_it_has_locked_and_another_may_not(tmp_path):
    out, found = tmp_path / "out", []

    def other() -> None:
        try:
            small_folder(out)
        except MaterialityError as error:
            found.append(str(error))

    with locked(out):
        small_folder(out)
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        assert (tmp_path / ".out.lock").exists()
    assert len(found) == 1 and f"another run is writing this folder (process {os.getpid()})." in found[0]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_run_that_fails_leaves_neither_lock_nor_folders_above_it(tmp_path):
    study = write_study(tmp_path / "study", rows=(*ROWS, "9,Staff,7,4,4,4,3,4"))
    assert invoke("run", study, "--out", tmp_path / "a" / "b" / "c").exit_code == 1
    assert [path.name for path in tmp_path.iterdir()] == ["study"]


def test_a_disk_that_knows_no_locks_keeps_no_run_out(tmp_path, monkeypatch):
    monkeypatch.setattr(folder, "_lock", lambda _: (True, False))
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    for process in (os.getpid(), dead.pid):
        (tmp_path / f".out.partial-{process}-0a").mkdir()
    small_folder(tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == [f".out.partial-{os.getpid()}-0a", "out"]


# Stray files


@pytest.mark.parametrize("name", ["out", "out[1]", "o*"])
def test_what_killed_runs_left_is_cleared_whatever_process_has_their_number_now(tmp_path, name):
    left = tmp_path / f".{name}.partial-{os.getpid()}-0123abcd"
    (left / "figures").mkdir(parents=True)
    (left / "figures" / "half.png").write_text("x")
    others = [tmp_path / f".{name}x.partial-1-0a", tmp_path / f".{name}.partial-notes"]
    for other in others:
        other.mkdir()
    small_folder(tmp_path / name)
    assert sorted(tmp_path.iterdir()) == sorted([tmp_path / name, *others])


def test_an_earlier_run_that_a_killed_one_had_moved_aside_comes_back(tmp_path):
    out = tmp_path / "out"
    small_folder(out, "old")
    out.rename(tmp_path / ".out.partial-99-0a-old")
    (tmp_path / ".out.partial-99-0a").mkdir()
    with pytest.raises(ZeroDivisionError), staged(out):
        assert (out / "tables" / "a.csv").read_text() == "old"
        raise ZeroDivisionError
    assert [path.name for path in tmp_path.iterdir()] == ["out"] and is_whole(out)


@pytest.mark.parametrize("ending", [KeyboardInterrupt, SystemExit, MemoryError, GeneratorExit])
def test_whatever_ends_a_run_takes_what_it_had_begun_with_it(tmp_path, ending):
    small_folder(tmp_path / "out", "old")
    with pytest.raises(ending), staged(tmp_path / "out") as stage:
        (stage / "half").write_text("x")
        raise ending
    assert [path.name for path in tmp_path.iterdir()] == ["out"] and is_whole(tmp_path / "out")


def test_a_fault_of_the_disk_is_told_by_the_folder_s_own_name(tmp_path):
    with pytest.raises(MaterialityError) as told, staged(tmp_path / "out"):
        raise OSError(28, "No space left on device")
    assert str(told.value) == (
        f"{tmp_path / 'out'}: cannot be written: No space left on device.\n"
        "  Mend: make room on the disk, or choose another place with --out."
    )
    with pytest.raises(MaterialityError) as told, staged(tmp_path / "out") as stage:
        (stage / "a" / "b").write_text("")
    assert str(told.value).splitlines()[0] == f"{tmp_path / 'out'}: cannot be written: No such file or directory."
    with pytest.raises(FileNotFoundError, match="elsewhere"), staged(tmp_path / "out"):
        (tmp_path / "elsewhere" / "b").write_text("")


def test_all_is_on_the_disk_before_the_folder_takes_its_place_and_the_manifest_is_written_last(
    small_study, tmp_path, monkeypatch
):
    steps: list[str] = []
    sync_open, put, write_json = folder._sync_open, folder.put_in_place, reporting.write_json

    def written(content, path):
        if path.name == "manifest.json":
            before = {entry.relative_to(path.parent).as_posix() for entry in path.parent.rglob("*") if entry.is_file()}
            steps.append(f"manifest after {len(before)} files")
        write_json(content, path)

    monkeypatch.setattr(reporting, "write_json", written)
    monkeypatch.setattr(folder, "_sync_open", lambda path: (steps.append(path.name), sync_open(path)))
    monkeypatch.setattr(folder, "put_in_place", lambda *names: (steps.append("in place"), put(*names)))
    _, out = run(small_study, out=tmp_path / "out", figures="main")
    names = [path.name for path in out.rglob("*")]
    assert steps[0] == f"manifest after {len(digests(out)) - 1} files"
    assert sorted(steps[1 : len(names) + 1]) == sorted(names)
    assert steps[len(names) + 1].startswith(".out.partial-")
    assert steps[len(names) + 2 :] == ["in place", tmp_path.name]


# The same run again


def review_of(out: Path) -> None:
    """A review beside a run, as `materiality review` leaves one."""
    (out / "review").mkdir()
    (out / "review" / "review.html").write_text("looked at")
    manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    raw = (out / "review" / "review.html").read_bytes()
    entry = {"path": "review/review.html", "bytes": len(raw), "sha256": hashlib.sha256(raw).hexdigest()}
    manifest["outputs"] = sorted([*manifest["outputs"], entry], key=lambda one: Path(one["path"]))
    text = json.dumps(manifest, ensure_ascii=False, indent=1) + "\n"
    (out / "manifest.json").write_text(text, encoding="utf-8", newline="\n")


def last_lines(done, count: int) -> list[str]:
    assert done.exit_code == 0, done.output
    return done.stdout.splitlines()[-count:]


CHANGED = (
    "Note: The folder held a run of the same inputs, versions and seed, whose files now differ from it: {}. They were "
    "changed since, or fonts or other libraries were; the new run took their place."
)
GONE = "The review of the earlier run went with it; `materiality review` makes a new one."


def test_the_same_run_again_touches_no_file_and_says_so(ran):
    small_study, out = ran
    review_of(out)
    before, files = marks(out), len(digests(out)) - 1
    done = invoke("run", small_study, "--out", out, "--figures", "main")
    assert last_lines(done, 1) == [f"Unchanged: {out} holds this run already; all {files} files are the same."]
    assert marks(out) == before and GONE not in done.output
    assert sorted(path.name for path in out.parent.iterdir()) == ["out", "small"]


def test_files_that_differ_from_the_same_run_are_named_and_made_again_and_its_review_stays(ran):
    small_study, out = ran
    words = ("run", small_study, "--out", out, "--figures", "main")
    review_of(out)
    whole = digests(out)
    (out / "tables" / "scores.csv").write_text("changed")
    (out / "figures" / "matrix.png").unlink()
    assert last_lines(invoke(*words), 2) == [
        CHANGED.format("figures/matrix.png, tables/scores.csv"),
        f"Written: {out / 'report.html'}",
    ]
    assert digests(out) == whole
    text = (out / "manifest.json").read_text(encoding="utf-8")
    (out / "manifest.json").write_text(text.replace("\n", " "), encoding="utf-8")
    assert last_lines(invoke(*words), 2)[0] == CHANGED.format("manifest.json")
    assert digests(out) == whole


def test_a_review_that_was_changed_is_told_and_goes(ran):
    small_study, out = ran
    whole = digests(out)
    review_of(out)
    (out / "review" / "review.html").write_text("spoilt")
    assert last_lines(invoke("run", small_study, "--out", out, "--figures", "main"), 3) == [
        CHANGED.format("review/review.html"),
        f"Written: {out / 'report.html'}",
        GONE,
    ]
    assert digests(out) == whole


def test_another_choice_of_figures_is_written_without_a_word_and_keeps_the_review(ran):
    small_study, out = ran
    review_of(out)
    done = invoke("run", small_study, "--out", out)
    assert last_lines(done, 1) == [f"Written: {out / 'report.html'}"]
    assert "differ" not in done.output and is_whole(out)
    assert (out / "review" / "review.html").exists() and (out / "figures" / "ranks.png").exists()


@pytest.mark.parametrize("change", ["seed", "language", "answers"])
def test_another_run_replaces_the_earlier_one_and_its_review(ran, change):
    small_study, out = ran
    words = ["run", small_study, "--out", out, "--figures", "main"]
    review_of(out)
    before = digests(out)
    if change == "answers":
        write_study(small_study, rows=ROWS[::-1])
    else:
        words += [f"--{change}", {"seed": 7, "language": "zh"}[change]]
    done = invoke(*words)
    assert last_lines(done, 2) == [f"Written: {out / 'report.html'}", GONE]
    assert "differ" not in done.output and is_whole(out) and digests(out) != before


def test_the_function_returns_results_and_folder_whether_or_not_it_wrote(ran):
    small_study, out = ran
    assessment, written = run(small_study, out=out, figures="main")
    assert (assessment.study.title, written) == ("A small study", out)


# How a run ends


def test_an_interrupt_ends_with_130_and_one_line(small_study, monkeypatch):
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(commands, "do_run", interrupted)
    done = invoke("run", small_study)
    assert (done.exit_code, done.stdout, done.stderr) == (130, "", "Interrupted.\n")


def test_too_little_memory_is_told(small_study, monkeypatch):
    def too_large(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(commands, "do_run", too_large)
    done = invoke("run", small_study)
    assert (done.exit_code, done.stderr) == (
        1,
        "There is not enough memory.\n  Mend: close other programs, or use a larger machine.\n",
    )


MIDWAY = """
import os, signal, sys
from materiality import reporting
from materiality.cli import main
number = getattr(signal, sys.argv.pop(1))
drawn = reporting.render_report
def midway(*facts):
    os.kill(os.getpid(), number)
    os.kill(os.getpid(), number)  # an impatient user
    return drawn(*facts)
reporting.render_report = midway
main(prog_name="materiality")
"""


@posix
@pytest.mark.parametrize(
    ("name", "code", "said", "figures"),
    [
        ("SIGINT", 130, "Interrupted.\n", "all"),
        ("SIGTERM", 143, "Ended by the signal SIGTERM.\n", "main"),
        ("SIGHUP", 129, "Ended by the signal SIGHUP.\n", "main"),
    ],
)
def test_a_run_that_is_asked_to_end_leaves_all_as_it_was(ran, name, code, said, figures):
    small_study, out = ran
    before = marks(out)
    words = ["run", str(small_study), "--out", str(out), "--seed", "9", "--figures", figures]
    done = subprocess.run([sys.executable, "-c", MIDWAY, name, *words], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (code, "", said)
    assert marks(out) == before and sorted(path.name for path in out.parent.iterdir()) == ["out", "small"]


@posix
def test_a_run_goes_on_where_the_signal_is_to_be_ignored(small_study, tmp_path):
    ignoring = "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)\n" + MIDWAY
    words = ["SIGHUP", "run", str(small_study), "--out", str(tmp_path / "out"), "--figures", "main"]
    done = subprocess.run([sys.executable, "-c", ignoring, *words], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "") and is_whole(tmp_path / "out")


KERNEL = """
import sys
from pathlib import Path
from materiality.cli import ending_at_signals
from materiality.reviewing import run_notebook
with ending_at_signals():
    run_notebook(Path(sys.argv[1]), cwd=Path(sys.argv[2]), PARENT=__import__("os").getpid(), SIGNAL=int(sys.argv[3]))
"""
ASKED = """
import os, time
print(os.getpid(), file=open("kernel", "w"), flush=True)
os.kill(PARENT, SIGNAL)
time.sleep(60)
"""


@posix
def test_a_review_that_is_asked_to_end_leaves_neither_its_process_nor_its_files(tmp_path):
    for module in ("nbclient", "nbconvert", "ipykernel"):
        needed(module)
    cell = {"cell_type": "code", "execution_count": None, "id": "a", "outputs": [], "source": ""}
    cells = [{**cell, "metadata": {"tags": ["parameters"]}}, {**cell, "id": "b", "metadata": {}, "source": ASKED}]
    notebook = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    (tmp_path / "a.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    (tmp_path / "tmp").mkdir()
    words = [sys.executable, "-c", KERNEL, str(tmp_path / "a.ipynb"), str(tmp_path), str(int(signal.SIGINT))]
    done = subprocess.run(
        words, capture_output=True, text=True, check=False, env={**os.environ, "TMPDIR": str(tmp_path / "tmp")}
    )
    assert (done.returncode, done.stderr) == (130, "Interrupted.\n")
    assert not list((tmp_path / "tmp").iterdir())
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "kernel").read_text()), 0)


def test_the_caller_s_own_signals_are_as_they_were_after_a_command(small_study):
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    invoke("check", small_study)
    assert {number: signal.getsignal(number) for number in before} == before


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("stream", ["full", "closed"])
def test_an_output_that_nobody_takes_ends_with_an_error_and_no_trace(small_study, stream):
    words = [sys.executable, "-m", "materiality", "check", str(small_study)]
    if stream == "full":
        with Path("/dev/full").open("wb") as full:
            done = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
        assert (done.returncode, done.stderr) == (
            1,
            "No space left on device.\n  Mend: check the path, its permissions and the disk.\n",
        )
    else:
        read, write = os.pipe()
        os.close(read)
        done = subprocess.run(words, stdout=write, stderr=subprocess.PIPE, text=True, check=False)
        os.close(write)
        assert (done.returncode, done.stderr) == (1, "")
