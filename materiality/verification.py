"""A run's folder, looked at again: whether it is as it was left, and whether its results come out once more.

A folder may come from anybody. Its manifest is read as a stranger's text: what it names is opened where it is an
ordinary file inside the folder, and nowhere else.
"""

from __future__ import annotations

import csv
import json
import os
import re
import stat
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

from materiality.assessment import Assessment, assess
from materiality.errors import Faults, MaterialityError, shown
from materiality.reporting import facts_of
from materiality.reporting.folder import LARGEST_MANIFEST, MANIFEST, SCHEMA, is_inside, printable, sha256
from materiality.reporting.tables import result, write_json, write_tables
from materiality.study import Language, study_path

RESULT = "result.json"
TABLES = "tables"
TOLD = 20
"""Differences of one kind that are told one by one."""
LARGEST_SEED = 2**63 - 1
WANTED = "name a folder that `materiality run` wrote."


@dataclass(frozen=True)
class Verification:
    """What was found about a run's folder.

    Attributes
    ----------
    folder : Path
    files : int
        That the manifest names.
    studied : bool
        The study was given: inputs and results were looked at as well.
    missing, changed, extra : tuple of str
        Outputs that the manifest names and are not there; that are not as it says; and files that it does not name.
    inputs : tuple of str
        How the study and its exports differ from what the manifest says the run read, in words.
    results : tuple of str
        Where tables and `result.json` differ from new ones, in words, the first place of each file.
    notes : tuple of str
        What may explain differences and is none itself: other versions, for one.
    """

    folder: Path
    files: int
    studied: bool
    missing: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    results: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def differences(self) -> tuple[str, ...]:
        """All differences in words; empty where there are none."""
        return (
            *_told(self.missing, "is missing."),
            *_told(self.changed, "is not what the manifest says."),
            *_told(self.extra, "is not named in the manifest."),
            *self.inputs,
            *self.results,
        )

    @property
    def verdict(self) -> str:
        """What holds where nothing differs."""
        if not self.studied:
            return f"All {self.files} files are as the run left them. With --study the results are made again as well."
        return f"All {self.files} files are as the run left them, and the same inputs give the same results again."


def _told(paths: tuple[str, ...], what: str) -> list[str]:
    lines = [f"{printable(path)} {what}" for path in paths[:TOLD]]
    return [*lines, f"… and {len(paths) - TOLD} more."] if len(paths) > TOLD else lines


def verify(folder: Path | str, *, study: Path | str | None = None) -> Verification:
    """Compare a run's folder with its manifest and, given the study, with what the study gives now.

    Parameters
    ----------
    folder : path
    study : path, optional
        A `study.toml`, or its folder. Everything is computed with the seed and the language that the manifest names.

    Raises
    ------
    MaterialityError
        Where the folder has no manifest that could be followed.
    """
    folder = Path(folder)
    manifest = _manifest(folder)
    missing, changed, extra = _outputs(folder, manifest["outputs"])
    found: dict[str, tuple[str, ...]] = {"missing": missing, "changed": changed, "extra": extra}
    if study is not None:
        found |= _made_again(folder, manifest, Path(study))
    return Verification(folder, len(manifest["outputs"]), study is not None, **found)


def _manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a folder, every value that is used of the kind that it has to be."""
    path, faults = folder / MANIFEST, Faults()
    where = printable(str(path))
    manifest: Any = None
    try:
        kind = os.lstat(path)
        if not stat.S_ISREG(kind.st_mode):
            faults.add("is no ordinary file.", mend=WANTED, file=where)
        elif kind.st_size > LARGEST_MANIFEST:
            faults.add(f"is larger than {LARGEST_MANIFEST >> 20} MB, which no manifest is.", mend=WANTED, file=where)
        else:
            manifest = json.loads(path.read_bytes().decode("utf-8"), object_pairs_hook=_once)
    except (FileNotFoundError, NotADirectoryError):
        faults.add("there is no such file.", mend=WANTED, file=where)
    except OSError as error:
        faults.add(f"cannot be read: {error.strerror}.", mend="check the path and its permissions.", file=where)
    except (ValueError, RecursionError):
        faults.add("is no JSON.", mend="take the folder from where it came from again.", file=where)
    faults.raise_any()
    for what in _unfollowable(manifest):
        faults.add(what, mend="take the folder from where it came from again.", file=where)
        faults.raise_any()
    return dict(manifest)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object that says nothing twice: readers differ in what they take of it."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError
    return found


def _unfollowable(manifest: Any) -> Iterator[str]:
    """What of a manifest is not as it has to be, in words."""
    if not isinstance(manifest, dict):
        yield "is no JSON object."
        return
    schema = manifest.get("schema")
    if schema != SCHEMA:
        told = shown(schema) if isinstance(schema, str) else "none"
        yield f"has the schema {told}; this version of materiality reads '{SCHEMA}'."
        return
    for key in ("inputs", "outputs"):
        lines = manifest.get(key)
        if not isinstance(lines, list) or not all(isinstance(line, dict) for line in lines):
            yield f"'{key}' is no list of files."
            return
    paths = set()
    for number, line in enumerate(manifest["outputs"], 1):
        path = line.get("path")
        if not is_inside(path):
            told = shown(path) if isinstance(path, str) else "no text"
            yield f"output {number} has a path that is not inside the folder: {told}."
        elif path in paths:
            yield f"output {number} is named twice: {shown(path)}."
        elif not _is_hash(line.get("sha256")) or not _is_whole(line.get("bytes")):
            yield f"output {number}, {shown(path)}, lacks its bytes or its SHA-256."
        else:
            paths.add(path)
    for number, line in enumerate(manifest["inputs"], 1):
        if not isinstance(line.get("file"), str) or not _is_hash(line.get("sha256")):
            yield f"input {number} lacks its name or its SHA-256."
    if not _is_whole(manifest.get("seed")) or manifest["seed"] > LARGEST_SEED:
        yield "'seed' is no whole number from 0 on."
    if manifest.get("language", Language.ENGLISH) not in [language.value for language in Language]:
        yield "'language' is none that reports are written in."


def _is_hash(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch("[0-9a-f]{64}", value) is not None


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _outputs(folder: Path, outputs: list[dict[str, Any]]) -> tuple[tuple[str, ...], ...]:
    """Files that are missing, changed, or there without being named."""
    missing, changed = [], []
    for line in outputs:
        path = line["path"]
        kind = _kind(folder, path)
        if kind is None:
            missing.append(path)
        elif not stat.S_ISREG(kind.st_mode) or kind.st_size != line["bytes"] or sha256(folder / path) != line["sha256"]:
            changed.append(path)
    named = {MANIFEST, *(line["path"] for line in outputs)}
    extra = []
    for place, folders, files in os.walk(folder, followlinks=False):
        links = [name for name in folders if Path(place, name).is_symlink()]
        extra += [Path(place, name).relative_to(folder).as_posix() for name in (*files, *links)]
    return tuple(missing), tuple(changed), tuple(sorted(set(extra) - named))


def _kind(folder: Path, path: str) -> os.stat_result | None:
    """What a file inside a folder is, links not followed at any step; None where there is none."""
    place = folder
    found = None
    for part in path.split("/"):
        if found is not None and not stat.S_ISDIR(found.st_mode):
            return found if stat.S_ISLNK(found.st_mode) else None
        place = place / part
        try:
            found = os.lstat(place)
        except (OSError, ValueError):
            return None
    return found


def _made_again(folder: Path, manifest: Mapping[str, Any], study: Path) -> dict[str, tuple[str, ...]]:
    """How inputs and results differ from those of the study as it is now."""
    try:
        assessment = assess(
            study, seed=manifest["seed"], language=manifest.get("language", Language.ENGLISH.value), progress=None
        )
    except MaterialityError as error:
        return {"inputs": _study_file(manifest, study), "results": (f"the results cannot be made again: {error}",)}
    facts = facts_of(assessment)
    inputs = _inputs(manifest["inputs"], facts["inputs"])
    results = tuple(_results(folder, manifest, assessment))
    return {"inputs": inputs, "results": results, "notes": _versions(manifest, facts)}


def _study_file(manifest: Mapping[str, Any], study: Path) -> tuple[str, ...]:
    """Whether the study file is another, where nothing else can be told."""
    path = study_path(study)
    told = [line["sha256"] for line in manifest["inputs"] if line["file"] == path.name]
    if not path.is_file() or sha256(path) in told:
        return ()
    return (f"{printable(path.name)}: is not the study file of the run.",)


def _inputs(told: list[dict[str, Any]], now: list[dict[str, Any]]) -> tuple[str, ...]:
    """How the inputs differ from those that the manifest names."""
    lines = []
    for before, after in zip_longest(told, now):
        if before is None:
            lines.append(f"{printable(after['file'])}: is read now, and the run did not read it.")
        elif after is None:
            lines.append(f"{printable(before['file'])}: the run read it, and the study does not name it now.")
        elif before["file"] != after["file"]:
            lines.append(f"{printable(after['file'])}: is read where the run read {printable(before['file'])}.")
        elif before["sha256"] != after["sha256"]:
            lines.append(f"{printable(after['file'])}: is not the file that the run read; its SHA-256 is another.")
    return tuple(lines)


def _versions(manifest: Mapping[str, Any], facts: Mapping[str, Any]) -> tuple[str, ...]:
    """Other versions than those that made the run."""
    libraries = manifest.get("libraries")
    told = {"materiality": manifest.get("version"), "Python": manifest.get("python")}
    told |= libraries if isinstance(libraries, dict) else {}
    now = {"materiality": facts["version"], "Python": facts["python"], **facts["libraries"]}
    return tuple(
        f"made with {name} {_word(told.get(name))}; this is {version}."
        for name, version in now.items()
        if told.get(name) != version
    )


def _word(value: object) -> str:
    return shown(value).strip("'") if isinstance(value, str) else "of an unknown version"


def _results(folder: Path, manifest: Mapping[str, Any], assessment: Assessment) -> Iterator[str]:
    """Where the tables and `result.json` of a folder differ from those of an assessment."""
    named = {line["path"] for line in manifest["outputs"]}
    named = {path for path in named if path == RESULT or (path.startswith(f"{TABLES}/") and path.endswith(".csv"))}
    if not named:
        return
    with tempfile.TemporaryDirectory(prefix="materiality-") as scratch:
        again = Path(scratch)
        write_tables(assessment, again / TABLES)
        write_json(result(assessment), again / RESULT)
        made = {path.relative_to(again).as_posix() for path in again.rglob("*") if path.is_file()}
        for path in sorted(named | made):
            if path not in made:
                yield f"{printable(path)}: does not come out now."
            elif path not in named:
                yield f"{path}: comes out now, and the run has none."
            else:
                kind = _kind(folder, path)
                if kind is not None and stat.S_ISREG(kind.st_mode) and sha256(folder / path) != sha256(again / path):
                    yield f"{path}{first_difference(folder / path, again / path)}"


def first_difference(published: Path, again: Path) -> str:
    """Where a published table or JSON file first differs from a new one, in words.

    Parameters
    ----------
    published, again : Path
        Two files that differ, of the same kind: CSV or JSON.

    Returns
    -------
    str
        Begins with what parts it from the file's name.
    """
    try:
        if published.suffix == ".csv":
            with published.open(encoding="utf-8", newline="") as one, again.open(encoding="utf-8", newline="") as other:
                return _in_tables(csv.reader(one, strict=True), csv.reader(other))
        told, now = (json.loads(path.read_bytes()) for path in (published, again))
        return _in_json(told, now) or ": the values are the same, and written in another way."
    except (ValueError, RecursionError, csv.Error):
        return ": cannot be read."


def _in_tables(published: Iterator[list[str]], again: Iterator[list[str]]) -> str:
    header = next(published, []), next(again, [])
    if header[0] != header[1]:
        return f": has the columns {shown(','.join(header[0]))}, and now come {shown(','.join(header[1]))}."
    for number, (told, now) in enumerate(zip_longest(published, again), 2):
        if told is None:
            return f", row {number}: is missing."
        if now is None:
            return f", row {number}: is one too many."
        if told != now:
            if len(told) != len(now):
                return f", row {number}: has {len(told)} cells, not {len(now)}."
            place = next(k for k, pair in enumerate(zip(told, now, strict=True)) if pair[0] != pair[1])
            return f", row {number}, column '{header[1][place]}': {shown(told[place])}, and now {shown(now[place])}."
    return ": the cells are the same, and written in another way."


def _in_json(told: Any, now: Any, place: str = "") -> str:
    if isinstance(told, dict) and isinstance(now, dict):
        for key in dict.fromkeys((*now, *told)):
            here = f"{place}.{key}" if place else str(key)
            if key not in told:
                return f", {shown(here)}: is missing."
            if key not in now:
                return f", {shown(here)}: is one too many."
            if found := _in_json(told[key], now[key], here):
                return found
        return ""
    if isinstance(told, list) and isinstance(now, list):
        for k, (one, other) in enumerate(zip(told, now, strict=False)):
            if found := _in_json(one, other, f"{place}[{k}]"):
                return found
        return "" if len(told) == len(now) else f", {shown(place)}: has {len(told)} entries, not {len(now)}."
    if type(told) is type(now) and told == now:
        return ""
    before, after = (shown(json.dumps(value, ensure_ascii=False)) for value in (told, now))
    return f", {shown(place)}: {before}, and now {after}."


__all__ = ["Verification", "first_difference", "verify"]
