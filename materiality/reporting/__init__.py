"""An assessment written to its folder: figures, tables, report, result and manifest, all or nothing."""

from __future__ import annotations

import hashlib
import json
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

from materiality.assessment import Assessment
from materiality.figures import Choice
from materiality.reporting.folder import MANIFEST, SCHEMA, check_target, sha256, staged
from materiality.reporting.page import render_report
from materiality.reporting.pictures import saving_figures
from materiality.reporting.tables import result, tables, write_json, write_tables
from materiality.study import Language

LIBRARIES = ("numpy", "scipy", "pandas", "matplotlib", "seaborn", "pydantic")
__all__ = ["Choice", "check_target", "render_report", "result", "tables", "write"]


def write(assessment: Assessment, out: Path | str, *, figures: Choice = Choice.ALL) -> Path:
    """Write everything that a run leaves (design §4) into a folder, all or nothing.

    The folder takes the place of an earlier run's; a folder that holds anything else is refused.

    Raises
    ------
    MaterialityError
        Where the target may not be replaced or cannot be written.
    """
    out = Path(out)
    with staged(out) as stage:
        drawn = stage / "figures"
        drawn.mkdir()
        facts = facts_of(assessment)
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
        write_json({**facts, "outputs": hashes_of(stage)}, stage / MANIFEST)
    return out


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


def hashes_of(folder: Path) -> list[dict[str, Any]]:
    """What the manifest says of every file in a folder: path, bytes and SHA-256."""
    return [
        {"path": path.relative_to(folder).as_posix(), "bytes": path.stat().st_size, "sha256": sha256(path)}
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    ]
