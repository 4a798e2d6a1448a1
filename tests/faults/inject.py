"""Faults put into runs of a small study, and what is left of the earlier output: prints a table.

    python tests/faults/inject.py              every fault; takes a good half hour
    python tests/faults/inject.py --sample 5   five of each kind, evenly

A write that is killed or fails needs strace; a full disk needs root, who may mount one. What cannot be done here is
said so. After each fault the output folder has to be, byte for byte, the earlier run, or the new one where that had
ended; nothing may lie beside it (after a kill: after the next run), nor in the folder of temporary files; no process
may be left; standard error may hold no trace; and exit code 0 means that the new run is complete.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

from conftest import write_study

from materiality import commands
from materiality.cli import main as command_line

CALLS = (
    *("openat", "write", "pwrite64", "writev", "sendfile", "copy_file_range", "ftruncate", "fsync", "flock"),
    *("mkdir", "mkdirat", "rename", "renameat", "renameat2", "unlink", "unlinkat", "rmdir"),
)
"""System calls by which a run changes what is on the disk, and the one that locks."""
WRITES = re.compile(r"O_(WRONLY|RDWR|CREAT)")
ERRORS = ("ENOSPC", "EIO")
PATIENCE = 60
OLD_SEED, NEW_SEED = "1", "2"


@dataclass
class Tally:
    """How many faults of a kind were put in, what became of them, and which of them did harm."""

    kind: str
    tried: int = 0
    complete: int = 0
    harm: list[str] = field(default_factory=list)
    skipped: str = ""


class Ground:
    """A folder with a small study, an earlier run of it, and room for temporary files."""

    def __init__(self, place: Path, figures: str = "main") -> None:
        place.mkdir()
        self.figures = figures
        self.place, self.out, self.scratch = place / "here", place / "here" / "out", place / "tmp"
        self.log, self.said = place / "strace.log", place / "said"
        self.study = write_study(place / "study")
        for folder in (self.place, self.scratch):
            folder.mkdir()
        self.whole = {}
        for seed in (OLD_SEED, NEW_SEED):
            kept = place / f"run-{seed}"
            commands.run(self.study, out=kept, seed=int(seed), figures=figures)
            self.whole[seed] = digests(kept)
        self.earlier = place / f"run-{OLD_SEED}"

    def renew(self) -> None:
        """Have the earlier run in the output folder, and nothing beside it."""
        for folder in (self.place, self.scratch):
            for path in folder.iterdir():
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        shutil.copytree(self.earlier, self.out)

    def begin(self, *, stopped: bool = False) -> int:
        """A run in a forked process, as the command line does it, in a session of its own; returns its number."""
        sys.stdout.flush()
        child = os.fork()
        if child:
            return child
        code = 70
        try:
            os.setsid()
            os.environ["TMPDIR"], tempfile.tempdir = str(self.scratch), None
            with self.said.open("ab") as said, Path(os.devnull).open("wb") as nothing:
                os.dup2(said.fileno(), 2)
                os.dup2(nothing.fileno(), 1)
            sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
            sys.stdout = os.fdopen(1, "w", closefd=False)
            sys.argv = ["materiality", "run", str(self.study), "--out", str(self.out)]
            sys.argv += ["--seed", NEW_SEED, "--figures", self.figures]
            if stopped:
                signal.raise_signal(signal.SIGSTOP)
            command_line(prog_name="materiality")
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)

    def end(self, child: int) -> int:
        """Wait for a run's end: its exit code or, less than 0, the signal that killed it."""
        until = time.monotonic() + PATIENCE
        while not (ended := os.waitpid(child, os.WNOHANG))[0]:
            if time.monotonic() > until:
                os.killpg(child, signal.SIGKILL)
                ended = os.waitpid(child, 0)
                break
            time.sleep(0.005)
        return os.waitstatus_to_exitcode(ended[1])

    def harm(self, code: int, child: int) -> str:
        """What a fault did harm to; empty where all is as promised."""
        said = self.said.read_text(encoding="utf-8", errors="replace") if self.said.exists() else ""
        self.said.unlink(missing_ok=True)
        found = digests(self.out)
        state = next((seed for seed, whole in self.whole.items() if whole == found), None)
        killed = code == -signal.SIGKILL
        faults = []
        if state is None:
            faults.append("the output is neither run")
        if code == 0 and state != NEW_SEED:
            faults.append("exit code 0 without the new run")
        if "Traceback" in said:
            faults.append(f"a trace: {said[-600:]}")
        if not killed and code < 0:
            faults.append(f"ended by signal {-code}")
        if not killed and code > 0 and not said.strip():
            faults.append("not a word on standard error")
        if killed:
            after = self.begin()
            if (ended := self.end(after)) != 0:
                faults.append(f"the next run ends with {ended}: {self.said.read_text(errors='replace')[-300:]}")
            self.said.unlink(missing_ok=True)
            if digests(self.out) != self.whole[NEW_SEED]:
                faults.append("the next run is not whole")
        if left := sorted(path.name for path in self.place.iterdir() if path != self.out):
            faults.append(f"beside the output: {left}")
        if left := sorted(path.name for path in self.scratch.iterdir()):
            faults.append(f"temporary files: {left}")
        if left := alive_in(child):
            faults.append(f"processes left: {left}")
            for process in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
        return "; ".join(faults)


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 by path of all files in a folder."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def alive_in(session: int) -> list[int]:
    """Processes of a session that are alive, those that are just ending left out."""
    for _ in range(40):
        found = []
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError, ValueError, IndexError):
                words = (entry / "stat").read_text().rsplit(")", 1)[1].split()
                if int(words[3]) == session and words[0] != "Z":
                    found.append(int(entry.name))
        if not found:
            return []
        time.sleep(0.05)
    return found


def evenly(items: list, sample: int | None) -> list:
    """So many of a list, evenly; all where no number is given."""
    if sample is None or len(items) <= sample:
        return items
    return [items[int((k + 0.5) * len(items) / sample)] for k in range(sample)]


# Writes that are killed or fail


def traced(ground: Ground, *options: str) -> tuple[int, int]:
    """A run under strace: its number and how it ended."""
    ground.renew()
    child = ground.begin(stopped=True)
    os.waitpid(child, os.WUNTRACED)
    words = ["strace", "-f", "-qq", "-o", str(ground.log), *options, "-p", str(child)]
    tracer = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
    try:
        until = time.monotonic() + PATIENCE
        while not re.search(r"TracerPid:\t[1-9]", Path(f"/proc/{child}/status").read_text()):
            if tracer.poll() is not None or time.monotonic() > until:
                raise OSError(f"strace cannot be used here: {tracer.stderr.read().strip() if tracer.stderr else ''}")
            time.sleep(0.002)
        os.kill(child, signal.SIGCONT)
        code = ground.end(child)
    except OSError:
        os.kill(child, signal.SIGKILL)
        ground.end(child)
        raise
    finally:
        tracer.kill() if tracer.poll() is None and alive_in(child) else tracer.wait(PATIENCE)
        tracer.communicate()
    return child, code


def events(ground: Ground) -> list[tuple[str, int, str]]:
    """The writes of a run's own process, in their order: call, its number among the calls of its name, the line."""
    child, code = traced(ground, "-e", f"trace={','.join(CALLS)}")
    assert code == 0, ground.said.read_text()
    harm = ground.harm(code, child)
    assert not harm, harm
    counts = dict.fromkeys(CALLS, 0)
    found = []
    for line in ground.log.read_text(errors="replace").splitlines():
        match = re.match(rf"{child} +(\w+)\(", line)
        if match and match[1] in counts:
            counts[match[1]] += 1
            if match[1] != "openat" or WRITES.search(line):
                found.append((match[1], counts[match[1]], line))
    return found


def fail_writes(ground: Ground, sample: int | None) -> Iterator[Tally]:
    """Each write of a run killed, out of space, and failing."""
    kinds = {"killed at a write": "signal=SIGKILL"} | {f"write fails with {name}": f"error={name}" for name in ERRORS}
    if shutil.which("strace") is None:
        yield from (Tally(kind, skipped="strace is absent") for kind in kinds)
        return
    try:
        all_of_them = events(ground)
    except OSError as error:
        yield from (Tally(kind, skipped=str(error)) for kind in kinds)
        return
    for kind, fault in kinds.items():
        tally = Tally(kind)
        for call, number, line in evenly(all_of_them, sample):
            child, code = traced(ground, "-e", f"trace={call}", "-e", f"inject={call}:{fault}:when={number}")
            note(tally, ground, child, code, f"{call} {number}, as in {line[:150]}")
        yield tally


def note(tally: Tally, ground: Ground, child: int, code: int, what: str) -> None:
    """Count a fault and what it did."""
    tally.tried += 1
    tally.complete += code == 0
    if harm := ground.harm(code, child):
        tally.harm.append(f"{what}: exit code {code}: {harm}")


# A full disk


@contextlib.contextmanager
def disk(place: Path, kilobytes: int) -> Iterator[None]:
    """A disk of a size, mounted for a while."""
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(place)], check=True, capture_output=True
    )
    try:
        yield
    finally:
        subprocess.run(["umount", str(place)], check=True, capture_output=True)


def fill_disk(ground: Ground, sample: int | None) -> Iterator[Tally]:
    """Disks that are full after so many kilobytes, up to one that suffices; files that may not grow beyond a size."""
    tally = Tally("disk full")
    ground.renew()
    held = sum(-(-path.stat().st_size // 4096) * 4 for path in ground.out.rglob("*") if path.is_file())
    sizes = [held + more for more in range(0, held + 64, 16)]
    try:
        for size in evenly(sizes, sample):
            for path in ground.place.iterdir():
                shutil.rmtree(path)
            with disk(ground.place, size):
                ground.renew()
                child = ground.begin()
                note(tally, ground, child, ground.end(child), f"{size} KB, {size - held} free")
    except (OSError, subprocess.CalledProcessError) as error:
        told = error.stderr.decode() if isinstance(error, subprocess.CalledProcessError) else str(error)
        tally.skipped = f"no disk can be mounted here: {told.strip()}"
    yield tally
    tally = Tally("file too large")
    largest = max(path.stat().st_size for path in ground.earlier.rglob("*") if path.is_file())
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    for size in evenly(list(range(0, largest + largest // 8, largest // 32)), sample):
        ground.renew()
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
        try:
            child = ground.begin()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        note(tally, ground, child, ground.end(child), f"no file beyond {size} bytes")
    yield tally


# Interrupts


def interrupt(ground: Ground, sample: int | None) -> Iterator[Tally]:
    """Signals at many moments, to the run alone, and to the processes that draw its figures too, as a terminal does."""
    ground = Ground(ground.place.parent / "drawn", "all")
    lasted = 0.0
    for _ in range(2):
        ground.renew()
        started = time.monotonic()
        ground.harm(ground.end(child := ground.begin()), child)
        lasted = time.monotonic() - started
    moments = [lasted * (k + 0.5) / 100 for k in range(105)]
    for name in ("SIGINT", "SIGTERM", "SIGKILL"):
        for whom, send in (("the run", os.kill), ("the run and its workers", os.killpg)):
            tally = Tally(f"{name} to {whom}")
            for moment in evenly(moments, sample):
                ground.renew()
                child = ground.begin()
                time.sleep(moment)
                with contextlib.suppress(ProcessLookupError):
                    send(child, getattr(signal, name))
                    if name == "SIGINT":  # an impatient user
                        time.sleep(0.01)
                        send(child, signal.SIGINT)
                note(tally, ground, child, ground.end(child), f"after {moment:.3f} of {lasted:.3f} s")
            yield tally


# Two at once


def run_together(ground: Ground, sample: int | None) -> Iterator[Tally]:
    """A second run begun while the first is at work: one writes, the other is told so, or finds the same run there."""
    tally = Tally("two runs at once")
    for moment in evenly([0.01 * k for k in range(60)], sample):
        ground.renew()
        one = ground.begin()
        time.sleep(moment)
        other = ground.begin()
        codes = [ground.end(one), ground.end(other)]
        tally.tried += 1
        said = ground.said.read_text(errors="replace") if ground.said.exists() else ""
        told = re.findall(r"^.*: another run is writing this folder( \(process \d+\))?\.$", said, re.MULTILINE)
        harm = ground.harm(min(codes), one)
        if not set(codes) <= {0, 1} or codes.count(1) != len(told) or 0 not in codes:
            harm += f" exit codes {codes}: {said}"
        tally.complete += codes == [0, 0]
        if harm:
            tally.harm.append(f"the second {moment:.2f} s later: {harm}")
    yield tally


KINDS: dict[str, Callable[[Ground, int | None], Iterator[Tally]]] = {
    "writes": fail_writes,
    "disk": fill_disk,
    "interrupts": interrupt,
    "together": run_together,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sample", type=int, help="faults of each kind; all of them unless given")
    parser.add_argument("--only", nargs="+", choices=KINDS, default=list(KINDS), help="kinds of faults")
    given = parser.parse_args()
    bad = 0
    with tempfile.TemporaryDirectory() as place:
        ground = Ground(Path(place) / "ground")
        print(f"{'fault':44} {'tried':>6} {'survived':>9} {'of these ended well':>20}")
        for kind in given.only:
            for tally in KINDS[kind](ground, given.sample):
                row = f"{tally.kind:44} {tally.tried:6} {tally.tried - len(tally.harm):9} {tally.complete:20}"
                print(f"{row}   skipped: {tally.skipped}" if tally.skipped else row, flush=True)
                for line in tally.harm:
                    print(f"  {line}")
                bad += len(tally.harm)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
