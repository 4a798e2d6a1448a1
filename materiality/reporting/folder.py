"""A run's folder: written beside its target and put in its place in one step; a failure leaves the old one whole."""

from __future__ import annotations

import atexit
import ctypes
import errno
import hashlib
import json
import os
import shutil
import signal
import stat
import sys
import threading
import time
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from materiality.errors import Faults, MaterialityError

MANIFEST = "manifest.json"
SCHEMA = "materiality.manifest/1"
REVIEW = "review"
PARTIAL = ".partial-"
LOCK = ".lock"
DYING = 5.0
"""Seconds to wait for the lock of a process that is gone."""
ASIDE = "-old"
LARGEST_MANIFEST = 1 << 26
"""Bytes beyond which no manifest is read: it names a line for each file, and a run writes a hundred."""
LONGEST_NAME = 150
"""Bytes of a folder's name that go into the names beside it; most systems take 255."""
ENDINGS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
"""The signals by which a process is asked to end."""
RESERVED = frozenset(
    {"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"}
    | {f"{port}{k}" for port in ("COM", "LPT") for k in "123456789¹²³"}
)
"""Names that mean devices on Windows, with any suffix."""
AT_FDCWD, RENAME_EXCHANGE = -100, 2
RENAME_SWAP = 2


def check_target(out: Path, inputs: Iterable[Path] = ()) -> None:
    """Refuse a target that a run must not replace.

    Parameters
    ----------
    out : Path
    inputs : iterable of Path
        What the run reads; none of it may lie in the target.

    Raises
    ------
    MaterialityError
        Where the target is a file, a link, a mounted or the present folder, has a name that not every system can hold,
        holds anything that no run of ours wrote, or cannot be made.
    """
    faults = Faults()
    where = printable(str(out))
    if name := _unfit_name(out):
        faults.add(name, mend="choose another name with --out.", file=where)
        faults.raise_any()
    place = place_of(out)
    kind = _kind(place)
    if kind == "link":
        faults.add("the output folder is a link.", mend="name the folder itself with --out.", file=where)
    elif kind == "file":
        faults.add("the output folder is a file.", mend="choose another name with --out.", file=where)
    elif kind == "folder":
        _check_folder(place, where, faults)
    for path in inputs:
        if place in path.resolve().parents:
            faults.add(
                f"the run would replace a file that it reads: {printable(path.name)}.",
                mend="choose another folder with --out.",
                file=where,
            )
    parent = place.parent
    while not _kind(parent) and parent != parent.parent:
        parent = parent.parent
    if _kind(parent) == "file" or not os.access(parent, os.W_OK | os.X_OK):
        faults.add("the folder cannot be made there.", mend="choose another place with --out.", file=where)
    faults.raise_any()


def _kind(path: Path) -> str:
    """`link`, `folder` or `file`; empty where there is nothing, or nothing that could be reached."""
    try:
        mode = path.lstat().st_mode
    except OSError:
        return ""
    return "link" if stat.S_ISLNK(mode) else "folder" if stat.S_ISDIR(mode) else "file"


def _check_folder(place: Path, where: str, faults: Faults) -> None:
    """Refuse a folder that is there already and may not be replaced."""
    if os.path.ismount(place):
        faults.add(
            "is the root of a disk, or a disk is mounted there; a run replaces its whole folder, which cannot be done.",
            mend="name a folder inside it with --out.",
            file=where,
        )
        return
    if not os.access(place, os.R_OK | os.X_OK):
        faults.add("the folder cannot be read.", mend="check its permissions, or choose another.", file=where)
        return
    strangers = _strangers(place)
    if strangers is None:
        faults.add(
            "the folder is not empty, and no run of materiality wrote it.",
            mend="choose an empty or a new folder with --out.",
            file=where,
        )
    elif strangers:
        more = f" and {len(strangers) - 5} more" if len(strangers) > 5 else ""
        told = ", ".join(f"'{printable(name)}'" for name in strangers[:5])
        faults.add(
            f"the folder holds files that the earlier run did not write: {told}{more}.",
            mend="move them elsewhere, or choose another folder with --out.",
            file=where,
        )
    elif not os.access(place, os.W_OK):
        faults.add(
            "the folder is read-only, and a run would replace it.",
            mend="make it writable, or choose another folder with --out.",
            file=where,
        )
    with suppress(OSError):
        here = Path.cwd()
        if place in (here, *here.parents):
            faults.add(
                "the command runs inside this folder; a run replaces it and would leave the terminal in a removed one.",
                mend="go to another folder first, or name another one with --out.",
                file=where,
            )


def _unfit_name(out: Path) -> str:
    """What is wrong with a target's name and the names of folders to be made for it; empty where nothing is."""
    if "\0" in str(out):
        return "a name cannot hold a NUL character."
    place = place_of(out)
    for path in (place, *place.parents):
        if path is not place and os.path.lexists(path):
            break
        name = path.name
        if any(unicodedata.category(char) == "Cc" for char in name):
            return "the name holds a control character."
        if name.endswith((".", " ")):
            return "the name ends with a dot or a space, which Windows cannot hold."
        if name.split(".")[0].rstrip().upper() in RESERVED:
            return f"Windows keeps the name '{name}' for a device."
    return ""


def place_of(out: Path) -> Path:
    """Where a target lies, by one name however it was named; a link at its end is left as it is."""
    whole = Path(out).absolute()
    if whole.name in ("", ".."):
        return whole.resolve()
    return whole.parent.resolve() / whole.name


def printable(text: str) -> str:
    """A name as messages show it: what would move the cursor or colour the terminal is spelled out."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def read_manifest(out: Path) -> dict[str, Any] | None:
    """The manifest of a run in a folder; None where there is none of ours."""
    path = out / MANIFEST
    try:
        if path.is_symlink() or path.stat().st_size > LARGEST_MANIFEST:
            return None
        manifest = json.loads(path.read_text(encoding="utf-8"))
        if manifest["schema"] != SCHEMA:
            return None
        if not all(is_inside(entry["path"]) and isinstance(entry["sha256"], str) for entry in manifest["outputs"]):
            return None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return dict(manifest)


def is_inside(path: object) -> bool:
    """Whether what a manifest calls a file's path can only mean one inside its folder."""
    if not isinstance(path, str) or not path or path == MANIFEST:
        return False
    return not set(path) & set("\\:\0") and not any(part in ("", ".", "..") for part in path.split("/"))


def _strangers(out: Path) -> list[str] | None:
    """What is in a run's folder and its manifest does not name; None where there is no manifest of ours."""
    if not any(out.iterdir()):
        return []
    manifest = read_manifest(out)
    if manifest is None:
        return None
    ours = {entry["path"] for entry in manifest["outputs"]} | {MANIFEST}
    folders = {parent.as_posix() for path in ours for parent in Path(path).parents}
    return sorted(
        path.relative_to(out).as_posix()
        for path in out.rglob("*")
        if path.is_symlink() or path.relative_to(out).as_posix() not in (folders if path.is_dir() else ours)
    )


@contextmanager
def locked(out: Path) -> Iterator[None]:
    """Keep other runs from a target while the block lasts; within a thread it may be entered again.

    The system holds the lock, on a file beside the target, as long as the process lives: what a killed one leaves is no
    obstacle. Where the disk knows no locks nothing is kept out; each run's folder is whole all the same. What runs that
    were killed left beside the target is cleared away, and folders above it that were made for it go where it was not
    made.

    Raises
    ------
    MaterialityError
        Where another run is writing the folder, or the lock cannot be made.
    """
    place = place_of(out)
    held: set[Path] = vars(_HELD).setdefault("places", set())
    if place in held:
        yield
        return
    missing = [path for path in place.parents if not os.path.lexists(path)]
    with undone(lambda: _remove_empty(missing)):
        lock = _Lock(place)
        with undone(lock.release):
            try:
                place.parent.mkdir(parents=True, exist_ok=True)
                lock.take(printable(str(out)))
            except OSError as error:
                raise _unwritable(out, error) from error
            held.add(place)
            try:
                _clear_leftovers(place, all_of_them=lock.sure)
                yield
            finally:
                held.discard(place)


_HELD = threading.local()


class _Lock:
    """A file that the system locks for this process, beside a target.

    Attributes
    ----------
    sure : bool
        Nobody else can have it; false where the disk knows no locks.
    """

    def __init__(self, place: Path) -> None:
        self.path = place.with_name(f".{_short(place.name)}{LOCK}")
        self.file: int | None = None
        self.sure = False

    def take(self, where: str) -> None:
        """Lock the file, made anew where there is none; refuse where another process has it.

        Processes that drew for a killed run hold its lock until the system has ended them: these are waited for.
        """
        until = time.monotonic() + DYING
        options = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
        while True:
            with signals_held():
                file = os.open(self.path, options, 0o644)
                free, self.sure = _lock(file)
                if free and _is_at(file, self.path):
                    self.file = file
                    break
                owner = "" if free else os.read(file, 20).decode("ascii", "replace").strip()
                os.close(file)
            if not free and owner.isdigit() and not _alive(int(owner)) and time.monotonic() < until:
                time.sleep(0.05)
            elif not free:
                faults = Faults()
                who = f" (process {owner})" if owner.isdigit() else ""
                faults.add(
                    f"another run is writing this folder{who}.",
                    mend="wait until it has ended, or choose another folder with --out.",
                    file=where,
                )
                faults.raise_any()
        with suppress(OSError):  # the number only serves a message
            os.ftruncate(file, 0)
            os.write(file, f"{os.getpid()}\n".encode())

    def release(self) -> None:
        """Remove the file while it is locked, so that nobody locks one that is going."""
        with signals_held():
            file, self.file = self.file, None
            if file is None:
                return
            if os.name != "nt":
                _unlink(self.path)
            os.close(file)
            if os.name == "nt":  # an open file cannot be removed there
                _unlink(self.path)


def _lock(file: int) -> tuple[bool, bool]:
    """Lock an open file without waiting: whether it may be used, and whether that is sure."""
    if sys.platform == "win32":
        import msvcrt

        os.lseek(file, 1 << 20, os.SEEK_SET)  # beyond what is read of it
        try:
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False, False
        finally:
            os.lseek(file, 0, os.SEEK_SET)
        return True, True
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False, False
    except OSError:
        return True, False
    return True, True


def _is_at(file: int, path: Path) -> bool:
    """Whether an open file still has its name; its last owner may have removed it meanwhile."""
    try:
        return os.path.samestat(os.fstat(file), path.stat())
    except FileNotFoundError:
        return False


@contextmanager
def signals_held() -> Iterator[None]:
    """Let signals that end the process wait until the block has ended, so that nothing is begun and not noted."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDINGS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


_UNDO: list[tuple[int, Callable[[], None]]] = []


@contextmanager
def undone(undo: Callable[[], None]) -> Iterator[None]:
    """Undo something at the end of the block, and also where the process ends in the midst of it.

    Parameters
    ----------
    undo : callable
        May be called twice, and before what it undoes was done.
    """
    entry = (os.getpid(), undo)
    _UNDO.append(entry)
    try:
        yield
    finally:
        undo()
        with suppress(ValueError):
            _UNDO.remove(entry)


@atexit.register
def clear_up() -> None:
    """Undo, from the latest back, what this process has begun and not ended. For its very end."""
    while _UNDO:
        process, undo = _UNDO.pop()
        if process == os.getpid():
            with suppress(OSError):
                undo()


@contextmanager
def staged(out: Path, *, unless: Callable[[Path], bool] = lambda _: False) -> Iterator[Path]:
    """A new folder beside the target, put in the target's place when the block ends well, removed when it fails.

    What an earlier run that was killed left beside the target is cleared away.

    Parameters
    ----------
    out : Path
        The target.
    unless : callable
        Given the new folder when the block has ended; where it says true, the target stays as it is.

    Raises
    ------
    MaterialityError
        Where the target may not be replaced, cannot be written, or another run is writing it.
    """
    check_target(out)
    with locked(out):
        check_target(out)
        place = place_of(out)
        stage = place.with_name(f".{_short(place.name)}{PARTIAL}{os.getpid()}-{os.urandom(4).hex()}")
        with undone(lambda: _clear(stage, place)):
            try:
                stage.mkdir(0o755)
                yield stage
                if unless(stage):
                    return
                sync(stage)
                check_target(out)
                put_in_place(stage, place)
                _sync_folder(place.parent)
            except OSError as error:
                if error.filename is None or _is_of(error.filename, stage) or _is_of(error.filename, place):
                    raise _unwritable(out, error) from error
                raise


def _is_of(name: object, folder: Path) -> bool:
    """Whether a name that an error tells is a folder's or lies inside of it."""
    path = Path(os.fsdecode(name)) if isinstance(name, str | bytes) else Path()
    return folder in (path, *path.parents)


def _unwritable(out: Path, error: OSError) -> MaterialityError:
    faults = Faults()
    mends = {
        errno.ENOSPC: "make room on the disk, or choose another place with --out.",
        errno.EDQUOT: "make room within your quota, or choose another place with --out.",
    }
    faults.add(
        f"cannot be written: {error.strerror or error}.",
        mend=mends.get(error.errno or 0, "check the disk and the folder's permissions, or choose another with --out."),
        file=printable(str(out)),
    )
    return MaterialityError(tuple(faults))


def _short(name: str) -> str:
    """A target's name as it stands in the names beside it."""
    raw = os.fsencode(name)
    return name if len(raw) <= LONGEST_NAME else hashlib.sha256(raw).hexdigest()[:32]


def _clear_leftovers(place: Path, *, all_of_them: bool) -> None:
    """Remove what killed runs left beside a target, or what dead processes left; put back what one had moved aside."""
    start = f".{_short(place.name)}{PARTIAL}"
    try:
        beside = sorted(place.parent.iterdir())
    except PermissionError:  # what may be written there need not be what may be listed
        return
    for left in beside:
        owner = left.name.removeprefix(start).split("-")[0]
        if not left.name.startswith(start) or not owner.isdigit():
            continue
        if all_of_them or not _alive(int(owner)):
            if left.name.endswith(ASIDE) and not place.exists():
                left.rename(place)
            else:
                _remove(left)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


def _clear(stage: Path, place: Path) -> None:
    """Remove a new folder that did not come to its place, or the old one that it came in place of."""
    aside = Path(f"{stage}{ASIDE}")
    if os.path.lexists(aside):
        if os.path.lexists(place):
            _remove(aside)
        else:
            aside.rename(place)
    _remove(stage)


def _remove(folder: Path) -> None:
    """Remove a folder with all that is in it, also where permissions or a passing fault stand in the way."""
    for _ in range(3):
        if not os.path.lexists(folder):
            return
        shutil.rmtree(folder, ignore_errors=True)
        with suppress(OSError):
            for path in (folder, *folder.rglob("*")):
                if path.is_dir() and not path.is_symlink():
                    path.chmod(0o700)


def _remove_empty(folders: Iterable[Path]) -> None:
    for folder in folders:
        with suppress(OSError):
            folder.rmdir()


def _unlink(path: Path) -> None:
    """Remove a file, also where a passing fault stands in the way."""
    for _ in range(3):
        with suppress(OSError):
            path.unlink(missing_ok=True)
            return


def sync(folder: Path) -> None:
    """Force files and folders to the disk before they take the place of older ones."""
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir():
            _sync_folder(path)
        elif os.name == "nt":
            with path.open("rb+") as file:
                os.fsync(file.fileno())
        else:
            _sync_open(path)
    _sync_folder(folder)


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":  # folders cannot be opened there
        return
    try:
        _sync_open(folder)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some disks know no such thing
            raise


def _sync_open(path: Path) -> None:
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


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
    aside = Path(f"{stage}{ASIDE}")
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


def hashes_of(folder: Path) -> list[dict[str, Any]]:
    """What the manifest says of every file in a folder: path, bytes and SHA-256."""
    return [
        {"path": path.relative_to(folder).as_posix(), "bytes": path.stat().st_size, "sha256": sha256(path)}
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    ]


def _by_path(folder: Path) -> dict[str, str]:
    return {entry["path"]: entry["sha256"] for entry in hashes_of(folder)}


@dataclass(frozen=True)
class Earlier:
    """A run with the same inputs, versions and seed that is in a folder already.

    Attributes
    ----------
    folder : Path
    named : dict of str to str
        SHA-256 by path, as its manifest has them.
    """

    folder: Path
    named: dict[str, str]

    def names(self, outputs: Iterable[Mapping[str, Any]]) -> bool:
        """Whether its manifest names the files of another, no more and no fewer."""
        return set(self.named) == {entry["path"] for entry in outputs}

    @classmethod
    def found(cls, folder: Path, facts: Mapping[str, Any]) -> Earlier | None:
        """The run in a folder whose manifest says of it what `facts` say; None where there is none."""
        manifest = read_manifest(folder)
        if manifest is None or {key: value for key, value in manifest.items() if key != "outputs"} != dict(facts):
            return None
        return cls(folder, {entry["path"]: entry["sha256"] for entry in manifest["outputs"]})

    def differing(self, stage: Path) -> tuple[str, ...]:
        """Files of this run, or of a review beside it, that are missing or not what they have to be."""
        due = _by_path(stage)
        wanted = {path: due[path] for path in self.named if path in due} | self._review()
        return tuple(path for path, told in sorted(wanted.items()) if self._now(path) != told)

    def keep_review(self, stage: Path) -> None:
        """Bring the review of this run, where there is one as its manifest says, into the folder that replaces it."""
        reviewed = self._review()
        if any(self._now(path) != told for path, told in reviewed.items()):
            return
        for path in reviewed:
            (stage / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(self.folder / path, stage / path)

    def is_same(self, stage: Path) -> bool:
        """Whether all files are the same, byte for byte, and none is there that the other has not."""
        return _by_path(stage) == _by_path(self.folder)

    def _review(self) -> dict[str, str]:
        return {path: told for path, told in self.named.items() if path.startswith(f"{REVIEW}/")}

    def _now(self, path: str) -> str:
        """A file's SHA-256 as it is; paths are of files that `check_target` has seen in the folder."""
        file = self.folder / path
        return sha256(file) if file.is_file() else ""
