"""The kept rows as frames, and the review: a notebook that works out a study's numbers by other ways.

The notebook is `review.ipynb` beside this module; `notebooks/5_review.py` is its source.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from materiality.assessment import Assessment
from materiality.cleaning import flag_names
from materiality.errors import Faults, MaterialityError
from materiality.moments import Cell
from materiality.reporting import facts_of
from materiality.reporting.folder import MANIFEST, check_target, hashes_of, locked, read_manifest, staged, undone
from materiality.reporting.tables import disposition_parts, write_json
from materiality.responses import Block
from materiality.weights import classes_of, stratum_factors

TEMPLATE = Path(__file__).with_name("review.ipynb")
FOLDER = "review"
SAME = ("version", "python", "libraries", "seed", "inputs")
"""What a run and its review must have in common, by the manifest's keys."""
MODULES = ("nbformat", "nbclient", "nbconvert", "ipykernel")
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
STYLE = """\
body { margin: 0 auto; max-width: 64rem; padding: 1rem 1.25rem 4rem; font: 16px/1.5 system-ui, sans-serif;
  color: #1b1b1b; background: #fff; overflow-wrap: anywhere }
h1, h2, h3 { line-height: 1.2; margin: 2rem 0 .5rem }
pre { margin: .4rem 0; padding: .5rem .7rem; overflow-x: auto; font: 13px/1.45 ui-monospace, monospace }
div.input pre { background: #f6f6f6; border-left: 3px solid #c9c9c9 }
div.prompt, .anchor-link { display: none }
div.output_subarea { overflow-x: auto }
table { border-collapse: collapse; font-size: 13px }
th, td { padding: .15rem .6rem; text-align: right; border-bottom: 1px solid #ddd; font-weight: normal }
thead th { border-bottom: 2px solid #888; font-weight: 600 }
img { max-width: 100%; height: auto }
.verdict { border: 2px solid #888; padding: 0 1rem }
.ansi-red-fg, .output_stderr { color: #a01616 }
@media print { body { max-width: none } pre { white-space: pre-wrap } }
"""


@dataclass(frozen=True)
class Ratings:
    """What each kept respondent answered. Respondent-level: for recomputing in memory, never to be published.

    All frames have one line per kept respondent, in the order of the exports and their rows.

    Attributes
    ----------
    rows : DataFrame
        file, row (as a spreadsheet shows it), design_weight, stratum and cluster (hashes; 0 for none), flags (parted
        by `; `).
    design : DataFrame
        By group id, what the respondent counted for in the group before raking and trimming: the design weight, times
        what brings strata to their populations. 0 where the respondent is not of the group.
    weights : DataFrame
        The same after raking and trimming.
    categories : dict of str to DataFrame
        By id of each raked group: a column per margin, with the respondent's category; missing where there is none.
    by_axis : dict of str to DataFrame
        By axis, a column per issue id; NaN where the answer is no rating. Everybody's, also of those whom the axis does
        not ask.
    """

    rows: pd.DataFrame
    design: pd.DataFrame
    weights: pd.DataFrame
    categories: dict[str, pd.DataFrame]
    by_axis: dict[str, pd.DataFrame]


def ratings(assessment: Assessment) -> Ratings:
    """The kept respondents' answers, weights and groups, to recompute results from.

    Respondent-level data: keep them in memory, and publish only what is worked out from them. Held in memory whole,
    however many rows there are.

    Parameters
    ----------
    assessment : Assessment

    Returns
    -------
    Ratings
    """
    parts = [_frames(assessment, block, flags) for block, flags in assessment.gathered.rows.blocks()]
    rows = pd.concat([part["rows"] for part in parts], ignore_index=True)
    exports = [export.name for export in assessment.gathered.exports]
    as_read = np.lexsort((rows["row"], rows["file"].map(exports.index)))

    def joined(frames: list[pd.DataFrame]) -> pd.DataFrame:
        return pd.concat(frames, ignore_index=True).iloc[as_read].reset_index(drop=True)

    nested = {
        name: {key: joined([part[name][key] for part in parts]) for key in parts[0][name]}
        for name in ("categories", "by_axis")
    }
    return Ratings(
        rows=joined([rows]),
        design=joined([part["design"] for part in parts]),
        weights=joined([part["weights"] for part in parts]),
        categories=nested["categories"],
        by_axis=nested["by_axis"],
    )


def _frames(assessment: Assessment, block: Block, flags: np.ndarray) -> dict[str, Any]:
    """One block's part of each frame of `Ratings`."""
    study, moments, weighting = assessment.study, assessment.gathered.moments, assessment.gathered.weights
    groups = [group.id for group in study.groups]
    apart = study.weighting.trim is not None
    place = {cell: k for k, cell in enumerate(moments.cells)}
    cells = [
        place[
            Cell(
                groups=tuple(int(g) for g in np.flatnonzero(block.members[i])),
                stratum=int(block.stratum[i]),
                flags=int(flags[i]),
                classes=tuple(int(answer) for answer in block.categories[i]),
                weight=float(block.weight[i]) if apart else 0.0,
                cluster=int(block.cluster[i]),
            )
        ]
        for i in range(len(block))
    ]
    start = moments.members().astype(float)
    for g in range(len(groups)):
        inside = np.flatnonzero(start[:, g])
        start[inside, g] = stratum_factors(study, moments, g, inside)
    issues = [issue.id for issue in study.issues]
    return {
        "rows": pd.DataFrame(
            {
                "file": np.array(assessment.gathered.ledger.exports, object)[block.export],
                "row": block.row,
                "design_weight": block.weight,
                "stratum": block.stratum,
                "cluster": block.cluster,
                "flags": ["; ".join(flag_names(int(flag))) for flag in flags],
            }
        ),
        "design": pd.DataFrame(block.weight[:, None] * start[cells], columns=groups),
        "weights": pd.DataFrame(block.weight[:, None] * weighting.factors[cells], columns=groups),
        "categories": {
            group.id: _categories(assessment, block, g)
            for g, group in enumerate(study.groups)
            if weighting.calibrations[g] is not None
        },
        "by_axis": {
            axis: pd.DataFrame(block.ratings[:, list(study.layout.question_of[k])], columns=issues)
            for k, axis in enumerate(study.axes)
        },
    }


def _categories(assessment: Assessment, block: Block, g: int) -> pd.DataFrame:
    """The category of each of a block's respondents in each margin of a raked group."""
    margins = assessment.study.groups[g].margins
    classes = classes_of(assessment.study, g, block.categories)
    names = {column: np.array([*margin, None], object) for column, margin in margins.items()}
    classes = np.where(block.members[:, [g]], classes, -1)
    return pd.DataFrame({column: name[classes[:, c]] for c, (column, name) in enumerate(names.items())})


def dispositions(assessment: Assessment) -> pd.DataFrame:
    """What became of every row read: the lines of `tables/dispositions.csv`.

    Returns
    -------
    DataFrame
        file, row, fate (`kept` or `excluded`), reason, flags.
    """
    return pd.concat(disposition_parts(assessment), ignore_index=True)


@dataclass(frozen=True)
class Review:
    """A review that was written.

    Attributes
    ----------
    folder : Path
        Holds `review.ipynb` and `review.html`.
    failed : tuple of str
        The checks that failed, in words; empty where all of them held.
    """

    folder: Path
    failed: tuple[str, ...]


def check_tools() -> None:
    """Refuse where Jupyter's parts are not installed.

    Raises
    ------
    MaterialityError
    """
    from importlib.util import find_spec

    missing = [name for name in MODULES if find_spec(name) is None]
    faults = Faults()
    if missing:
        faults.add(
            f"a review is a notebook, and these packages that run one are not installed: {', '.join(missing)}.",
            mend='pip install "materiality[notebooks]"',
        )
    faults.raise_any()


def write_review(assessment: Assessment, out: Path) -> Review:
    """Run the review notebook on a study and write it into the folder of its run, as `review/`.

    The folder is written anew with the review in it and takes the place of the old one in one step; its manifest names
    the new files. Where there is no folder yet, it holds the review and the manifest alone. The next run replaces it
    whole: a review speaks of the results that it was made beside. A check that fails is shown in the review, which is
    written all the same.

    Parameters
    ----------
    assessment : Assessment
        Says which study, and with which seed. The notebook computes all of it itself.
    out : Path
        The folder of the run.

    Raises
    ------
    MaterialityError
        Where Jupyter's parts are not installed, the folder may not be replaced, or holds the results of another run.
    """
    check_tools()
    check_target(out)
    with locked(out):
        facts = _facts_beside(out, facts_of(assessment))
        notebook, failed = run_notebook(
            TEMPLATE, cwd=assessment.study_file.parent, STUDY=assessment.study_file.name, SEED=assessment.study.seed
        )
        with staged(out) as stage:
            if out.exists():
                shutil.copytree(out, stage, dirs_exist_ok=True, ignore=_but_the_review, copy_function=shutil.copyfile)
            (stage / FOLDER).mkdir()
            _write_text(stage / FOLDER / "review.ipynb", json.dumps(notebook, ensure_ascii=False, indent=1) + "\n")
            _write_text(stage / FOLDER / "review.html", as_page(notebook, f"Review: {assessment.study.title}", failed))
            write_json({**facts, "outputs": hashes_of(stage)}, stage / MANIFEST)
    return Review(out / FOLDER, failed)


def _but_the_review(_: str, names: list[str]) -> set[str]:
    """What of a run's folder does not go into the one that has the new review; no other folder or file is called so."""
    return {FOLDER, MANIFEST} & set(names)


def _facts_beside(out: Path, facts: dict[str, Any]) -> dict[str, Any]:
    """What the manifest of a run says it was made from; a run whose results are not those of the review is refused."""
    check_target(out)
    faults = Faults()
    before = read_manifest(out)
    if before is not None:
        if any(before.get(key) != facts[key] for key in SAME):
            faults.add(
                "the folder holds results of other answers, another study file, version, library or seed; a review "
                "beside them would speak of what is not there.",
                mend="do `materiality run` again with the same options, or choose another folder with --out.",
                file=str(out),
            )
        facts = before
    faults.raise_any()
    return facts


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")


def run_notebook(template: Path, *, cwd: Path, **parameters: Any) -> tuple[Any, tuple[str, ...]]:
    """Run a notebook with the given parameters, to its end whatever fails on the way.

    What comes out is the same for the same inputs and versions: it holds no times, and nothing of the machine.

    Parameters
    ----------
    template : Path
        A notebook with a cell that is tagged `parameters`.
    cwd : Path
        The folder to run in, which relative paths start from.
    **parameters
        Set in a cell below the tagged one.

    Returns
    -------
    notebook : nbformat.NotebookNode
        The notebook with its outputs.
    failed : tuple of str
        What failed: the lines of an AssertionError, or another error and the number of its cell.
    """
    import asyncio

    import nbformat
    from jupyter_client.kernelspec import KernelSpecManager
    from jupyter_client.manager import AsyncKernelManager
    from nbclient import NotebookClient

    notebook = nbformat.read(template, as_version=4)
    metadata = notebook.metadata.copy()
    tagged = next(k for k, cell in enumerate(notebook.cells) if "parameters" in cell.metadata.get("tags", []))
    text = "\n".join(f"{name} = {value!r}" for name, value in parameters.items())
    injected = nbformat.v4.new_code_cell(text, id="injected-parameters", metadata={"tags": ["injected-parameters"]})
    notebook.cells.insert(tagged + 1, injected)
    with tempfile.TemporaryDirectory() as scratch:
        kernel = AsyncKernelManager(
            kernel_name="python3",  # this very Python's, whatever kernels the user has installed
            kernel_spec_manager=KernelSpecManager(kernel_dirs=[]),
            connection_file=str(Path(scratch) / "kernel.json"),
            **({} if os.name == "nt" else {"transport": "ipc", "ip": str(Path(scratch) / "kernel")}),  # no open port
        )
        client = NotebookClient(
            notebook,
            km=kernel,
            timeout=None,
            allow_errors=True,
            record_timing=False,
            coalesce_streams=True,  # else it depends on the pace into how many pieces a text falls
            resources={"metadata": {"path": str(cwd.absolute())}},
            extra_arguments=[
                f"--IPKernelApp.ipython_dir={scratch}",
                "--IPKernelApp.ignore_cwd=True",
                "--HistoryManager.enabled=False",
            ],
        )
        # in a thread of its own the client leaves alone what signals do to this process
        with ThreadPoolExecutor(1) as threads, undone(lambda: _end_kernel(kernel, scratch)):
            threads.submit(lambda: asyncio.run(client.async_execute(cleanup_kc=True))).result()
    notebook.metadata = metadata
    failed = [line for k, cell in enumerate(notebook.cells, 1) for line in _failures(k, cell)]
    return notebook, tuple(failed)


def _end_kernel(kernel: Any, scratch: str) -> None:
    """See that neither the notebook's process nor its files are left, however this one ends."""
    process = getattr(kernel.provisioner, "process", None)
    if process is not None and process.poll() is None:
        process.kill()
        process.wait()
    shutil.rmtree(scratch, ignore_errors=True)


def _failures(number: int, cell: Any) -> list[str]:
    """What failed in a cell; its trace, which shows paths of the machine, gives way to the message.

    A fault of the input shows what stands in the export, which is for the terminal alone: the notebook is a file.
    """
    found = []
    for output in cell.get("outputs", []):
        if output.output_type == "error":
            if output.ename == MaterialityError.__name__:
                output.evalue = "the input is at fault; `materiality check` says what and where."
            output.traceback = [f"{output.ename}: {output.evalue}"]
            if output.ename == "AssertionError" and output.evalue:
                found.extend(output.evalue.splitlines())
            else:
                found.append(f"cell {number} ended with {output.ename}: {output.evalue}")
    return found


def as_page(notebook: Any, title: str, failed: tuple[str, ...] = ()) -> str:
    """A notebook as one page that loads nothing from anywhere and runs no script; what failed stands at its top."""
    from html import escape

    from nbconvert import HTMLExporter
    from pygments.formatters import HtmlFormatter  # type: ignore[import-untyped]

    exporter = HTMLExporter(template_name="basic")
    body, _ = exporter.from_notebook_node(notebook)
    verdict = "".join(f"<li>{escape(line)}</li>" for line in failed)
    verdict = f"<p>These checks failed:</p><ul>{verdict}</ul>" if failed else "<p>All checks hold.</p>"
    colours = HtmlFormatter(style="default").get_style_defs(".highlight")
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>\n{STYLE}{colours}\n</style>\n</head>\n<body>\n<main>\n"
        f'<div class="verdict"><p>{escape(title)}</p>{verdict}</div>\n{body}\n</main>\n</body>\n</html>\n'
    )


__all__ = ["Ratings", "Review", "as_page", "check_tools", "dispositions", "ratings", "run_notebook", "write_review"]
