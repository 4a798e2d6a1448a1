"""An assessment written to its folder: figures, tables, report, result and manifest, all or nothing."""

from __future__ import annotations

import hashlib
import json
import platform
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from materiality.assessment import Assessment
from materiality.figures import Choice
from materiality.reporting.evidence import Evidence, check_evidence, read_evidence, write_evidence
from materiality.reporting.folder import (
    MANIFEST,
    SCHEMA,
    Earlier,
    check_target,
    hashes_of,
    locked,
    sha256,
    staged,
)
from materiality.reporting.page import render_report
from materiality.reporting.pictures import saving_figures
from materiality.reporting.tables import result, tables, write_json, write_tables
from materiality.study import Language

LIBRARIES = ("numpy", "scipy", "pandas", "matplotlib", "seaborn", "pydantic")
__all__ = [
    "Choice",
    "Evidence",
    "Written",
    "check_evidence",
    "check_target",
    "locked",
    "publish",
    "render_report",
    "result",
    "tables",
    "write",
]


@dataclass(frozen=True)
class Written:
    """What became of a run's folder.

    Attributes
    ----------
    folder : Path
    files : int
        That its manifest names.
    unchanged : bool
        It held this very run, byte for byte, and was left as it was.
    differing : tuple of str
        Files that a run of the same inputs, versions and seed had left there, and that were missing or not what this
        run gives.
    """

    folder: Path
    files: int
    unchanged: bool
    differing: tuple[str, ...]


def write(
    assessment: Assessment, out: Path | str, *, figures: Choice = Choice.ALL, evidence: Evidence | None = None
) -> Path:
    """Write everything that a run leaves (design §4) into a folder, all or nothing.

    The folder takes the place of an earlier run's; a folder that holds anything else is refused. Where it holds this
    very run already, it is left as it is.

    Raises
    ------
    MaterialityError
        Where the target may not be replaced or cannot be written.
    """
    return publish(assessment, out, figures=figures, evidence=evidence).folder


def publish(
    assessment: Assessment, out: Path | str, *, figures: Choice = Choice.ALL, evidence: Evidence | None = None
) -> Written:
    """Write everything that a run leaves, as `write` does, and say what became of the folder.

    Where the folder holds a run of the same inputs, versions and seed, all is made again and compared with it: the same
    bytes are not written again, and files that differ are named. A review of that run is kept.

    Raises
    ------
    MaterialityError
        Where the target may not be replaced or cannot be written, or another run is writing it.
    """
    out = Path(out)
    facts = facts_of(assessment)
    check_target(out, (assessment.study_file, *(export.path for export in assessment.gathered.exports)))
    with locked(out):
        pack = None if evidence is None else read_evidence(evidence, out)
        facts |= {} if pack is None else pack.facts()
        earlier = Earlier.found(out, facts)
        unchanged = False
        differing: tuple[str, ...] = ()
        with staged(out, unless=lambda _: unchanged) as stage:
            _write_all(assessment, stage, facts, figures)
            if pack is not None:
                write_evidence(assessment, stage, facts, pack)
            if earlier is not None:
                differing = earlier.differing(stage)
                earlier.keep_review(stage)
            outputs = hashes_of(stage)
            write_json({**facts, "outputs": outputs}, stage / MANIFEST)
            unchanged = earlier is not None and earlier.is_same(stage)
            if earlier is not None and not (unchanged or differing) and earlier.names(outputs):
                differing = (MANIFEST,)
    return Written(out, len(outputs), unchanged, differing)


def _write_all(assessment: Assessment, stage: Path, facts: dict[str, Any], figures: Choice) -> None:
    """Write all files of a run but its manifest."""
    drawn = stage / "figures"
    drawn.mkdir()
    with saving_figures(assessment, drawn, figures) as wait:
        write_tables(assessment, stage / "tables")
        write_json(result(assessment), stage / "result.json")
        for name in ("matrix", "clusters"):
            wait(name)
        clusters = drawn / "clusters.svg"
        page = render_report(
            assessment,
            (drawn / "matrix.svg").read_bytes(),
            facts,
            clusters.read_bytes() if clusters.exists() else b"",
        )
        (stage / "report.html").write_text(page, encoding="utf-8", newline="\n")


def facts_of(assessment: Assessment) -> dict[str, Any]:
    """What the run was made from: versions, seed, and every input's hash; the run id follows from these."""
    inputs: list[dict[str, Any]] = [{"file": assessment.study_file.name, "sha256": sha256(assessment.study_file)}]
    inputs.extend(
        {"file": export.name, "sha256": sha256(export.path), "rows": export.rows}
        for export in assessment.gathered.exports
    )
    facts = {
        "schema": SCHEMA,
        "version": version("materiality"),
        "python": platform.python_version(),
        "libraries": {name: version(name) for name in LIBRARIES},
        "seed": assessment.study.seed,
        "simulated": assessment.simulated,
        "inputs": inputs,
    }
    if assessment.study.language is not Language.ENGLISH:
        facts["language"] = assessment.study.language.value
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
    return {**facts, "run_id": digest[:16]}
