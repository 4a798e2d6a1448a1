"""A run's folder: written beside its target and put in its place in one step; a failure leaves the old one whole."""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from materiality.errors import Faults, joined

MANIFEST = "manifest.json"
SCHEMA = "materiality.manifest/1"
PARTIAL = ".partial-"
AT_FDCWD, RENAME_EXCHANGE = -100, 2
RENAME_SWAP = 2


def check_target(out: Path) -> None:
    """Refuse a target that a run must not replace.

    Raises
    ------
    MaterialityError
        Where the target is a file or a link, or a folder that holds anything that no run of ours wrote.
    """
    faults = Faults()
    if out.is_symlink():
        faults.add("the output folder is a link.", mend="name the folder itself with --out.", file=str(out))
    elif out.exists() and not out.is_dir():
        faults.add("the output folder is a file.", mend="choose another name with --out.", file=str(out))
    elif out.is_dir() and any(out.iterdir()):
        strangers = _strangers(out)
        if strangers is None:
            faults.add(
                "the folder is not empty, and no run of materiality wrote it.",
                mend="choose an empty or a new folder with --out.",
                file=str(out),
            )
        elif strangers:
            more = f" and {len(strangers) - 5} more" if len(strangers) > 5 else ""
            faults.add(
                f"the folder holds files that the earlier run did not write: {joined(strangers[:5])}{more}.",
                mend="move them elsewhere, or choose another folder with --out.",
                file=str(out),
            )
    parent = out.absolute().parent
    while not parent.exists():
        parent = parent.parent
    if not parent.is_dir() or not os.access(parent, os.W_OK):
        faults.add("the folder cannot be made there.", mend="choose another place with --out.", file=str(out))
    faults.raise_any()


def _strangers(out: Path) -> list[str] | None:
    """Files in a run's folder that its manifest does not name; None where there is no manifest of ours."""
    try:
        manifest = json.loads((out / MANIFEST).read_text(encoding="utf-8"))
        if manifest["schema"] != SCHEMA:
            return None
        ours = {entry["path"] for entry in manifest["outputs"]} | {MANIFEST}
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return sorted(
        path.relative_to(out).as_posix()
        for path in out.rglob("*")
        if not path.is_dir() and path.relative_to(out).as_posix() not in ours
    )


@contextmanager
def staged(out: Path) -> Iterator[Path]:
    """A new folder beside the target, put in the target's place when the block ends well, removed when it fails.

    What an earlier run that was killed left beside the target is cleared away.
    """
    check_target(out)
    parent = out.absolute().parent
    parent.mkdir(parents=True, exist_ok=True)
    _clear_leftovers(parent, out.name)
    stage = Path(tempfile.mkdtemp(prefix=f".{out.name}{PARTIAL}{os.getpid()}-", dir=parent))
    stage.chmod(0o755)
    try:
        yield stage
        _sync(stage)
        check_target(out)
        put_in_place(stage, out.absolute())
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def _clear_leftovers(parent: Path, name: str) -> None:
    for left in parent.glob(f".{name}{PARTIAL}*"):
        owner = left.name.removeprefix(f".{name}{PARTIAL}").split("-")[0]
        if owner.isdigit() and not _alive(int(owner)):
            shutil.rmtree(left, ignore_errors=True)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _sync(folder: Path) -> None:
    """Force the files to the disk before they take the place of older ones."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb+") as file:
                os.fsync(file.fileno())


def put_in_place(stage: Path, out: Path) -> None:
    """Let `stage` take the place of `out`, in one step where the system can; what was there ends up at `stage`.

    Linux and macOS exchange two names at once. Elsewhere the old folder is moved aside first and moved back if the new
    one cannot take its place.
    """
    if not out.exists():
        stage.rename(out)
        return
    if _exchange(stage, out):
        return
    aside = Path(f"{stage}-old")
    out.rename(aside)
    try:
        stage.rename(out)
    except OSError:
        aside.rename(out)
        raise
    aside.rename(stage)


def _exchange(one: Path, other: Path) -> bool:
    """Exchange two names at once, by the C library's own call; False where there is none."""
    names = os.fsencode(one), os.fsencode(other)
    try:
        library = ctypes.CDLL(None, use_errno=True)
        if sys.platform == "linux":
            return bool(library.renameat2(AT_FDCWD, names[0], AT_FDCWD, names[1], RENAME_EXCHANGE) == 0)
        if sys.platform == "darwin":
            return bool(library.renamex_np(names[0], names[1], RENAME_SWAP) == 0)
    except (AttributeError, OSError, TypeError):
        pass
    return False


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
