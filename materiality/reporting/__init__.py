"""An assessment written to its folder: figures, tables, report, result and manifest, all or nothing."""

from __future__ import annotations

import hashlib
import json
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

from materiality.assessment import Assessment
from materiality.figures import draw_clusters, draw_matrix
from materiality.reporting.folder import MANIFEST, SCHEMA, check_target, sha256, staged
from materiality.reporting.page import render_report
from materiality.reporting.tables import result, tables, write_json, write_tables

LIBRARIES = ("numpy", "scipy", "pandas", "matplotlib", "seaborn", "pydantic")
FORMATS: dict[str, dict[str, Any]] = {
    "png": {"dpi": 200, "metadata": {"Software": "materiality"}},
    "svg": {"metadata": {"Date": None, "Creator": "materiality"}},
    "pdf": {"metadata": {"CreationDate": None, "ModDate": None, "Creator": "materiality", "Producer": "materiality"}},
}

__all__ = ["check_target", "render_report", "result", "tables", "write"]


def write(assessment: Assessment, out: Path | str) -> Path:
    """Write everything that a run leaves (design §4) into a folder, all or nothing.

    The folder takes the place of an earlier run's; a folder that holds anything else is refused.

    Raises
    ------
    MaterialityError
        Where the target may not be replaced or cannot be written.
    """
    out = Path(out)
    with staged(out) as stage:
        figures = stage / "figures"
        figures.mkdir()
        _save_figures(assessment, figures)
        write_tables(assessment, stage / "tables")
        write_json(result(assessment), stage / "result.json")
        facts = _facts(assessment)
        clusters = figures / "clusters.svg"
        page = render_report(
            assessment,
            (figures / "matrix.svg").read_bytes(),
            facts,
            clusters.read_bytes() if clusters.exists() else b"",
        )
        (stage / "report.html").write_text(page, encoding="utf-8", newline="\n")
        write_json({**facts, "outputs": _hashes(stage)}, stage / MANIFEST)
    return out


def _save_figures(assessment: Assessment, folder: Path) -> None:
    from materiality.figures import house_style

    figures = {"matrix": draw_matrix(assessment)}
    if assessment.clusters.stability is not None:
        figures["clusters"] = draw_clusters(assessment)
    with house_style(assessment.study.title + "".join(issue.name for issue in assessment.study.issues)):
        for name, figure in figures.items():
            for suffix, options in FORMATS.items():
                figure.savefig(folder / f"{name}.{suffix}", **options)


def _facts(assessment: Assessment) -> dict[str, Any]:
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
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
    return {**facts, "run_id": digest[:16]}


def _hashes(folder: Path) -> list[dict[str, Any]]:
    return [
        {"path": path.relative_to(folder).as_posix(), "bytes": path.stat().st_size, "sha256": sha256(path)}
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    ]
