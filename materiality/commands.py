"""What the command line does, as functions: each command is one of them, each option one of its keywords."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from materiality.study import Study, load_study, study_path

if TYPE_CHECKING:
    from materiality.assessment import Assessment
    from materiality.inspection import Inspection
    from materiality.reviewing import Review

Progress = Callable[[str, int], None]


@dataclass(frozen=True)
class Checked:
    """What `check` found where nothing is at fault.

    Attributes
    ----------
    study : Study
    rows : dict of str to Counter
        Per export, rows by reason; `kept` among them.
    respondents : dict of str to int
        Kept respondents per group, by the group's name.
    """

    study: Study
    rows: dict[str, Counter[str]]
    respondents: dict[str, int]


def run(
    study: Path | str,
    *,
    out: Path | str | None = None,
    seed: int | None = None,
    language: str | None = None,
    figures: str = "all",
    progress: Progress | None = None,
) -> tuple[Assessment, Path]:
    """Read a study and its exports, compute everything, and write the report, figures and tables.

    Parameters
    ----------
    study : path
        A `study.toml`, or its folder.
    out : path, optional
        The folder to write; by default `reports/` and the name of the study's folder.
    seed : int, optional
        Instead of the study's.
    language : {"en", "zh"}, optional
        Of the report, instead of the study's.
    figures : {"all", "main"}
        `main` draws those alone that the report holds, which is quicker.
    progress : callable, optional
        Told an export's name and the rows read from it so far.

    Returns
    -------
    Assessment, Path
        All results, and the folder that holds them.

    Raises
    ------
    MaterialityError
        With every fault found; nothing is written then, and an earlier run's folder stays as it was.
    """
    from materiality.assessment import assess
    from materiality.reporting import Choice, check_target, write

    target = Path(out) if out is not None else default_out(study)
    check_target(target)
    assessment = assess(study, seed=seed, language=language, progress=progress)
    return assessment, write(assessment, target, figures=Choice(figures))


def default_out(study: Path | str) -> Path:
    """Where `run` writes when it is not told: `reports/` and the name of the study's folder."""
    return Path("reports") / (study_path(study).resolve().parent.name or "study")


def check(study: Path | str, *, progress: Progress | None = None) -> Checked:
    """Read a study and its exports and tell every fault, without computing or writing anything.

    Raises
    ------
    MaterialityError
        With every fault found.
    """
    import numpy as np

    from materiality.gathering import examine

    found, gathered = examine(study, progress=progress)
    n = gathered.moments.per_group(gathered.moments.stack("n").astype(np.int64))
    return Checked(
        study=found,
        rows={export.name: export.fates for export in gathered.exports},
        respondents={group.name: int(k) for group, k in zip(found.groups, n, strict=True)},
    )


def inspect(
    export: Path | str, *, sheet: str = "", encoding: str = "", tool: str = "auto", json: bool = False
) -> Inspection:
    """Say what an export is: tool, encoding, header rows, responses, and what each column holds.

    Parameters
    ----------
    export : path
        The file that a survey tool wrote.
    sheet : str
        Of a workbook that has several.
    encoding : str
        Instead of the detected one.
    tool : str
        A tool's name, instead of the recognised one.
    json : bool
        How the command line prints the result; it changes nothing here.

    Raises
    ------
    MaterialityError
        Where the file cannot be read, or is no respondent-level export.
    """
    from materiality.inspection import inspect_export
    from materiality.study import Tool

    return inspect_export(export, sheet=sheet, encoding=encoding, tool=Tool(tool))


def init(export: Sequence[Path | str], *, out: Path | str | None = None) -> Path:
    """Draft a study file from one or more exports of a survey, each guess in a comment.

    Parameters
    ----------
    export : sequence of path
        The files that the survey tool wrote; groups, issues and scale come from the first.
    out : path, optional
        The folder to write `study.toml` into; the first export's by default. An existing one is never overwritten.

    Returns
    -------
    Path
        The study file.
    """
    from materiality.drafting import write_draft

    return write_draft(export, out)


def simulate(study: Path | str, *, out: Path | str, seed: int | None = None) -> int:
    """Write an export with simulated answers whose truth the study file gives, spoilt rows among them.

    Parameters
    ----------
    study : path
        A `study.toml`, or its folder; its `[simulation]` table is the truth.
    out : path
        The CSV file to write; only a simulated one is ever replaced.
    seed : int, optional
        Instead of the study's.

    Returns
    -------
    int
        Rows written.
    """
    from materiality import simulation

    made = simulation.simulate(load_study(study), seed=seed)
    simulation.write_csv(made, Path(out))
    return len(made.rows)


def review(study: Path | str, *, out: Path | str | None = None, seed: int | None = None) -> Review:
    """Recompute a study's results by other ways, in a notebook that is written into the folder of its run.

    `review/review.html` and `review/review.ipynb` hold what was compared. The manifest of the run names them; the next
    run replaces the whole folder, and the review with it. Where nothing was run yet, the review stands alone.

    Parameters
    ----------
    study : path
        A `study.toml`, or its folder.
    out : path, optional
        The folder of the run; by default the one that `run` writes.
    seed : int, optional
        Instead of the study's; the run's.

    Returns
    -------
    Review
        Its folder, and the checks that failed.

    Raises
    ------
    MaterialityError
        With every fault of the input; where Jupyter's parts are not installed; or where the folder holds the results
        of another run. Nothing is written then.
    """
    from materiality.assessment import assess
    from materiality.reporting import check_target
    from materiality.reviewing import check_tools, write_review

    check_tools()
    target = Path(out) if out is not None else default_out(study)
    check_target(target)
    return write_review(assess(study, seed=seed), target)


__all__ = ["Checked", "check", "default_out", "init", "inspect", "review", "run", "simulate"]
