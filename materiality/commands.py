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
    from materiality.reporting import Written
    from materiality.reviewing import Review
    from materiality.tracing import Trace
    from materiality.verification import Verification

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


@dataclass(frozen=True)
class Done:
    """A run that was done.

    Attributes
    ----------
    assessment : Assessment
    written : Written
        The folder, and what became of it.
    """

    assessment: Assessment
    written: Written


def run(
    study: Path | str,
    *,
    out: Path | str | None = None,
    seed: int | None = None,
    language: str | None = None,
    figures: str = "all",
    evidence: bool = False,
    earlier: Path | str | None = None,
    key: Path | str | None = None,
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
    evidence : bool
        Write an evidence pack for assurance as well, into the folder `evidence`.
    earlier : path, optional
        An earlier study file, its folder, or the folder of an earlier run with an evidence pack: the new pack says what
        changed since.
    key : path, optional
        The file of the key that turns respondents' ids into codes, kept outside the output; made where there is none.
        Without one the pack has no codes.
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
    ValueError
        If `earlier` or `key` is given without `evidence`.
    """
    done = do_run(
        study,
        out=out,
        seed=seed,
        language=language,
        figures=figures,
        evidence=evidence,
        earlier=earlier,
        key=key,
        progress=progress,
    )
    return done.assessment, done.written.folder


def do_run(
    study: Path | str,
    *,
    out: Path | str | None = None,
    seed: int | None = None,
    language: str | None = None,
    figures: str = "all",
    evidence: bool = False,
    earlier: Path | str | None = None,
    key: Path | str | None = None,
    progress: Progress | None = None,
) -> Done:
    """What `run` does, told in full: whether the folder held this very run already, and which of its files differed."""
    from materiality.assessment import assess
    from materiality.reporting import Choice, Evidence, check_evidence, check_target, locked, publish

    if not evidence and (earlier is not None or key is not None):
        raise ValueError("earlier and key are of the evidence pack: set evidence as well")
    target = Path(out) if out is not None else default_out(study)
    check_target(target)
    asked = Evidence(*(None if one is None else Path(one) for one in (earlier, key))) if evidence else None
    if asked is not None:
        check_evidence(asked, target)
    with locked(target):
        assessment = assess(study, seed=seed, language=language, progress=progress)
        return Done(assessment, publish(assessment, target, figures=Choice(figures), evidence=asked))


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


def trace(
    study: Path | str, issue: str, *, axis: str | None = None, group: str | None = None, json: bool = False
) -> Trace:
    """Go from a dot of the matrix back to groups, weighting cells, row numbers and columns.

    Parameters
    ----------
    study : path
        A `study.toml`, or its folder.
    issue : str
        An issue's id or label.
    axis, group : str, optional
        The id or label of the only one to trace.
    json : bool
        How the command line prints the result; it changes nothing here.

    Raises
    ------
    MaterialityError
        With every fault of the input, or where there is no such issue, axis or group.
    """
    from materiality.tracing import trace_issue

    return trace_issue(study, issue, axis=axis, group=group)


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

    `review/review.html` and `review/review.ipynb` hold what was compared. The manifest of the run names them. A run of
    the same inputs, versions and seed keeps them; any other replaces the whole folder, and the review with it. Where
    nothing was run yet, the review stands alone.

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
    from materiality.reporting import check_target, locked
    from materiality.reviewing import check_tools, write_review

    check_tools()
    target = Path(out) if out is not None else default_out(study)
    check_target(target)
    with locked(target):
        return write_review(assess(study, seed=seed), target)


def verify(folder: Path | str, *, study: Path | str | None = None) -> Verification:
    """Say whether a run's folder is as the run left it and, given the study, whether it would come out the same again.

    Parameters
    ----------
    folder : path
        That a run wrote.
    study : path, optional
        A `study.toml`, or its folder; the inputs are compared with the manifest, and tables and `result.json` with new
        ones, made with the seed and language of the run.

    Returns
    -------
    Verification
        Every difference found.

    Raises
    ------
    MaterialityError
        Where the folder has no manifest that could be followed.
    """
    from materiality import verification

    return verification.verify(folder, study=study)


__all__ = [
    "Checked",
    "Done",
    "check",
    "default_out",
    "do_run",
    "init",
    "inspect",
    "review",
    "run",
    "simulate",
    "trace",
    "verify",
]
