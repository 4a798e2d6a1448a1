"""The command line. It imports little, so that help is instant; each command is a function of `commands`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

EXIT_AT_FAULT = 1
STUDY = click.argument("study", type=click.Path(path_type=Path))
SEED = click.option("--seed", type=click.IntRange(0, 2**63 - 1), help="Random seed, instead of the study's.")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="materiality")
def main() -> None:
    """From a stakeholder survey to a materiality matrix, every row accounted for.

    STUDY is a study.toml, or the folder that holds one.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


@main.command()
@STUDY
@click.option("--out", type=click.Path(path_type=Path), help="Folder to write; default reports/<study folder's name>.")
@SEED
@click.option(
    "--language", type=click.Choice(["en", "zh"]), help="Language of report and figures, instead of the study's."
)
@click.option(
    "--figures",
    type=click.Choice(["all", "main"]),
    default="all",
    show_default=True,
    help="Which figures to write; main is quicker.",
)
def run(study: Path, out: Path | None, seed: int | None, language: str | None, figures: str) -> None:
    """Do the whole job: read, clean, score, place, and write report, figures and tables."""
    with telling_faults(), progress_shown() as progress:
        from materiality import commands

        reviewed = ((out or commands.default_out(study)) / "review").is_dir()
        assessment, folder = commands.run(
            study, out=out, seed=seed, language=language, figures=figures, progress=progress
        )
    if assessment.simulated:
        click.echo("Simulated answers: nothing here describes real stakeholders.")
    for export in assessment.gathered.exports:
        click.echo(_account(export.name, export.fates))
    points = assessment.matrix.points
    first = points.loc[points["tier"] == 1].sort_values("y", ascending=False)["label"].tolist()
    if assessment.matrix.clusters is None:
        click.echo(f"Tier 1, above both thresholds: {'; '.join(first) or 'no issue'}.")
    elif assessment.matrix.clusters.continuum:
        click.echo("No tiers: the issues cannot be told from a continuum, and the study's tiers are clusters.")
    else:
        click.echo(f"Tier 1, the cluster at the top right: {'; '.join(first) or 'no issue'}.")
    for warning in assessment.warnings:
        click.echo(f"Note: {warning}")
    click.echo(f"Written: {folder / 'report.html'}")
    if reviewed:
        click.echo("The review of the earlier run went with it; `materiality review` makes a new one.")


@main.command()
@STUDY
def check(study: Path) -> None:
    """Read a study and its exports and tell every fault, without computing."""
    with telling_faults(), progress_shown() as progress:
        from materiality import commands

        found = commands.check(study, progress=progress)
    for name, fates in found.rows.items():
        click.echo(_account(name, fates))
    for group, n in found.respondents.items():
        click.echo(f"  {group}: {n} respondents")
    click.echo("No fault found.")


@main.command()
@click.argument("export", type=click.Path(path_type=Path))
@click.option("--sheet", default="", help="Sheet of a workbook that has several.")
@click.option("--encoding", default="", help="Encoding, instead of the detected one.")
@click.option("--tool", default="auto", help="Survey tool, instead of the recognised one.")
@click.option("--json", is_flag=True, help="Print one JSON object.")
def inspect(export: Path, sheet: str, encoding: str, tool: str, json: bool) -> None:
    """Say what an export is: tool, header rows, responses, and what each column holds.

    EXPORT is a file that a survey tool wrote.
    """
    import json as dumps

    with telling_faults():
        from materiality import commands
        from materiality.inspection import page
        from materiality.study import Tool

        if tool not in [known.value for known in Tool]:
            raise click.BadParameter(f"choose one of {', '.join(Tool)}.", param_hint="--tool")
        found = commands.inspect(export, sheet=sheet, encoding=encoding, tool=tool, json=json)
        click.echo(dumps.dumps(found.as_json(), ensure_ascii=False, indent=1) if json else page(found))


@main.command()
@click.argument("export", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option("--out", type=click.Path(path_type=Path), help="Folder for the study file; default the first export's.")
def init(export: tuple[Path, ...], out: Path | None) -> None:
    """Draft a study file from one or more exports, each guess in a comment.

    EXPORT is a file that a survey tool wrote.
    """
    with telling_faults():
        from materiality import commands

        written = commands.init(export, out=out)
    click.echo(f"Written: {written}. Look at the lines marked GUESS, then: materiality check {written}")


@main.command()
@STUDY
@click.option("--out", type=click.Path(path_type=Path), required=True, help="CSV file to write.")
@SEED
def simulate(study: Path, out: Path, seed: int | None) -> None:
    """Write an export with simulated answers, their truth given by the study's [simulation]."""
    with telling_faults():
        from materiality import commands

        rows = commands.simulate(study, out=out, seed=seed)
    click.echo(f"Written: {out}, {rows} rows of simulated answers.")


@main.command()
@STUDY
@click.option(
    "--out", type=click.Path(path_type=Path), help="Folder of the run; default reports/<study folder's name>."
)
@SEED
def review(study: Path, out: Path | None, seed: int | None) -> None:
    """Recompute a study's results by other ways, and write what was compared beside its report.

    Needs the extra: pip install "materiality[notebooks]".
    """
    with telling_faults():
        from materiality import commands

        found = commands.review(study, out=out, seed=seed)
    click.echo(f"Written: {found.folder / 'review.html'}")
    if found.failed:
        for line in found.failed:
            click.echo(f"Failed: {line}", err=True)
        sys.exit(EXIT_AT_FAULT)
    click.echo("All checks of the review hold.")


def _account(name: str, fates: dict[str, int]) -> str:
    """What became of an export's rows, in a line."""
    kept = fates.get("kept", 0)
    excluded = {why: n for why, n in fates.items() if why != "kept" and not why.startswith("flagged: ")}
    flagged = {why.removeprefix("flagged: "): n for why, n in fates.items() if why.startswith("flagged: ")}
    line = f"{name}: {kept + sum(excluded.values())} rows read, {kept} kept, {sum(excluded.values())} excluded"
    line += f" ({', '.join(f'{n} {why}' for why, n in excluded.items())})" if excluded else ""
    line += f"; of the kept, flagged: {', '.join(f'{n} {why}' for why, n in flagged.items())}" if flagged else ""
    return line + "."


@contextmanager
def telling_faults() -> Iterator[None]:
    """Tell the faults of a user's input on standard error and end with exit code 1."""
    from materiality.errors import MaterialityError

    try:
        yield
    except MaterialityError as error:
        click.echo(str(error), err=True)
        sys.exit(EXIT_AT_FAULT)
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        click.echo(
            f"{place}{error.strerror or error}.\n  Mend: check the path, its permissions and the disk.", err=True
        )
        sys.exit(EXIT_AT_FAULT)


@contextmanager
def progress_shown() -> Iterator[Callable[[str, int], None] | None]:
    """Show rows read on standard error while a long file is read, when that is a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console

    with Console(stderr=True).status("Reading…") as status:
        yield lambda name, rows: status.update(f"Reading {name}: {rows:,} rows")
