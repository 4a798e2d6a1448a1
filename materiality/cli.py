"""The command line. It imports little, so that help is instant; each command is a function of `commands`."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import click

EXIT_AT_FAULT = 1
EXIT_AT_SIGNAL = 128
"""What a signal's number is added to."""
STUDY = click.argument("study", type=click.Path(path_type=Path))
SEED = click.option("--seed", type=click.IntRange(0, 2**63 - 1), help="Random seed, instead of the study's.")


class Commands(click.Group):
    """The commands, each of which tells its faults and leaves nothing behind, however it ends."""

    def main(self, args: Any = None, *more: Any, **options: Any) -> Any:
        """Run the command line; where it is the process's own, signals end it in an orderly way."""
        if args is not None:
            return super().main(args, *more, **options)
        with ending_at_signals():
            return super().main(args, *more, **options)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command."""
        with telling_faults():
            return super().invoke(ctx)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
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
@click.option("--evidence", is_flag=True, help="Write an evidence pack for assurance as well.")
@click.option(
    "--earlier", type=click.Path(path_type=Path), help="Earlier study file or run; the pack says what changed since."
)
@click.option(
    "--key", type=click.Path(path_type=Path), help="Key file for codes of respondents in the pack; made where absent."
)
def run(
    study: Path,
    out: Path | None,
    seed: int | None,
    language: str | None,
    figures: str,
    evidence: bool,
    earlier: Path | None,
    key: Path | None,
) -> None:
    """Do the whole job: read, clean, score, place, and write report, figures and tables."""
    if not evidence and (earlier is not None or key is not None):
        raise click.UsageError("--earlier and --key are of the evidence pack: give --evidence as well.")
    with telling_faults(), progress_shown() as progress:
        from materiality import commands

        reviewed = ((out or commands.default_out(study)) / "review").is_dir()
        keyless = key is not None and not key.exists()
        done = commands.do_run(
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
        assessment, written = done.assessment, done.written
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
    if written.differing:
        click.echo(_differing(written.differing))
    if written.unchanged:
        click.echo(f"Unchanged: {written.folder} holds this run already; all {written.files} files are the same.")
    else:
        click.echo(f"Written: {written.folder / 'report.html'}")
        if evidence:
            click.echo(f"Written: {written.folder / 'evidence' / 'index.html'}")
    if keyless:
        click.echo(f"Made the key {key}. Keep it safe, apart from the output: the same codes need the same key.")
    if reviewed and not (written.folder / "review").is_dir():
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


@main.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--study", type=click.Path(path_type=Path), help="Study to compute anew and compare with.")
def verify(folder: Path, study: Path | None) -> None:
    """Say whether a run's folder is as it was left, and with --study whether the results come out again.

    FOLDER is what a run wrote.
    """
    from materiality import commands

    found = commands.verify(folder, study=study)
    for line in found.notes:
        click.echo(f"Note: {line}")
    for line in found.differences:
        click.echo(f"Differs: {line}", err=True)
    if found.differences:
        sys.exit(EXIT_AT_FAULT)
    click.echo(found.verdict)


def _differing(files: tuple[str, ...]) -> str:
    """What a run found changed in the folder of an earlier one of the same inputs."""
    more = f" and {len(files) - 5} more" if len(files) > 5 else ""
    return (
        f"Note: The folder held a run of the same inputs, versions and seed, whose files now differ from it: "
        f"{', '.join(files[:5])}{more}. They were changed since, or fonts or other libraries were; the new run took "
        "their place."
    )


@main.command()
@STUDY
@click.argument("issue")
@click.option("--axis", help="The only axis to trace, by id or label.")
@click.option("--group", help="The only group to trace, by id or label.")
@click.option("--json", is_flag=True, help="Print one JSON object.")
def trace(study: Path, issue: str, axis: str | None, group: str | None, json: bool) -> None:
    """Go from a dot of the matrix back to groups, weighting cells, row numbers and columns.

    ISSUE is an issue's id or label.
    """
    import json as dumps

    with telling_faults():
        from materiality import commands
        from materiality.tracing import page

        found = commands.trace(study, issue, axis=axis, group=group, json=json)
    click.echo(dumps.dumps(found.as_json(), ensure_ascii=False, indent=1) if json else page(found))


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
    except KeyboardInterrupt:
        click.echo("Interrupted.", err=True)
        sys.exit(EXIT_AT_SIGNAL + signal.SIGINT)
    except MemoryError:
        click.echo("There is not enough memory.\n  Mend: close other programs, or use a larger machine.", err=True)
        sys.exit(EXIT_AT_FAULT)
    except BrokenPipeError:  # nobody reads on; click ends without a word
        raise
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
def ending_at_signals() -> Iterator[None]:
    """End the process at a signal that asks for it, at once and with nothing left behind, whatever it is doing.

    No exception is raised for it: a library might catch that and go on, or tell it with a trace.
    """

    def end(number: int, _: object) -> None:
        for ending in endings:
            signal.signal(ending, signal.SIG_IGN)
        folder = sys.modules.get("materiality.reporting.folder")
        if folder is not None and hasattr(folder, "clear_up"):  # nothing was begun before it was imported
            folder.clear_up()
        word = "Interrupted." if number == signal.SIGINT else f"Ended by the signal {signal.Signals(number).name}."
        shown = b"\r\x1b[2K\x1b[?25h" if sys.stderr is not None and sys.stderr.isatty() else b""  # of the progress
        with suppress(OSError):
            os.write(2, shown + word.encode() + b"\n")
        os._exit(EXIT_AT_SIGNAL + number)

    names = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
    endings = [getattr(signal, name) for name in names if hasattr(signal, name)]
    before = {ending: signal.getsignal(ending) for ending in endings}
    for ending, handler in before.items():
        if handler is not signal.SIG_IGN:  # as `nohup` sets it
            signal.signal(ending, end)
    try:
        yield
    finally:
        for ending, handler in before.items():
            signal.signal(ending, handler)


@contextmanager
def progress_shown() -> Iterator[Callable[[str, int], None] | None]:
    """Show rows read on standard error while a long file is read, when that is a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console

    with Console(stderr=True).status("Reading…") as status:
        yield lambda name, rows: status.update(f"Reading {name}: {rows:,} rows")
