"""How fast weights, means, scores and bootstrap replicates are, side by side with R's survey package and with svy.

    python benchmarks/against_r.py [--rows 100000] [--slow-rows 10000] [--threads 1] [--svy-python python]

Prints tables in Markdown; `benchmarks/against_r.md` holds them. All sides read the same temporary file of simulated
answers, each in a process of its own with the same number of threads; start, imports and reading are not timed. What
is not installed is left out, with the reason. `--svy-python` is a Python that has svy, which the package does not need.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from materiality.responses import Block
    from materiality.study import Study

HERE = Path(__file__).parent
GROUPS = ("shareholders", "customers", "partners", "employees", "government", "communities", "media", "public")
SIZES = (0.30, 0.22, 0.16, 0.12, 0.08, 0.06, 0.04, 0.02)
COLUMNS = {"a": 3, "b": 4, "c": 5}
QUESTIONS = [f"q{k}" for k in range(1, 26)]
COMPARED = 20
"""R's replicates that are given to the package."""


def write_survey(folder: Path, rows: int) -> None:
    """Simulated answers, and each group's margins, which the sample misses by some percents."""
    generator = np.random.default_rng(rows)
    sizes = np.round(np.array(SIZES) * rows).astype(int)
    group = generator.permutation(np.repeat(np.arange(len(GROUPS)), sizes))
    weight = np.round(30 * np.exp(generator.normal(0, 0.4, len(group))), 2)
    shares = {c: generator.dirichlet(np.full(k, 12.0), len(GROUPS)) for c, k in COLUMNS.items()}
    classes = {
        c: (generator.random(len(group))[:, None] > shares[c][group].cumsum(axis=1)[:, :-1]).sum(axis=1)
        for c in COLUMNS
    }
    level = generator.normal(3.6, 0.4, (len(GROUPS), len(QUESTIONS)))
    latent = level[group] + generator.normal(0, 0.6, len(group))[:, None] + 0.3 * (classes["a"] - 1)[:, None]
    answers = np.clip(np.rint(latent + generator.normal(0, 0.8, latent.shape)), 1, 5).astype(int).astype(str)
    answers[generator.random(answers.shape) < 0.05] = ""
    with (folder / "respondents.csv").open("w") as file:
        file.write(",".join(["group", "weight", *COLUMNS, *QUESTIONS]) + "\n")
        file.writelines(
            f"{GROUPS[group[i]]},{weight[i]},{','.join(f'{c}{classes[c][i] + 1}' for c in COLUMNS)},"
            f"{','.join(answers[i])}\n"
            for i in range(len(group))
        )
    with (folder / "margins.csv").open("w") as file:
        file.write("group,column,category,count\n")
        for g, name in enumerate(GROUPS):
            people = 1000 * round(weight[group == g].sum() / 1000)
            for c, k in COLUMNS.items():
                wanted = shares[c][g] * generator.uniform(0.8, 1.25, k)
                counts = np.round(people * wanted / wanted.sum()).astype(int)
                counts[0] += people - counts.sum()
                file.writelines(f"{name},{c},{c}{j + 1},{counts[j]}\n" for j in range(k))


def read_survey(folder: Path) -> tuple[Study, Block]:
    """The package's study and block of the files."""
    import pandas as pd

    from materiality.responses import Block, Kind
    from materiality.study import Study

    table, margins = pd.read_csv(folder / "respondents.csv"), pd.read_csv(folder / "margins.csv")
    by_group: dict[str, dict[str, dict[str, float]]] = {name: {} for name in GROUPS}
    for group, column, category, count in margins.itertuples(index=False):
        by_group[group].setdefault(column, {})[category] = count
    study = Study.model_validate(
        {
            "title": "Simulated",
            "simulated": True,
            "scale": {"low": 1, "high": 5},
            "responses": [{"file": "respondents.csv", "group": "group", "weight": "weight"}],
            "groups": [{"id": name, "margins": by_group[name]} for name in GROUPS],
            "issues": [{"id": question} for question in QUESTIONS],
            "axes": {"x": {"column": "{id}"}},
        }
    )
    n = len(table)
    ratings = table[QUESTIONS].to_numpy(float)
    block = Block(
        export=np.zeros(n, np.int32),
        row=np.arange(2, n + 2),
        ratings=ratings,
        kinds=np.where(np.isnan(ratings), Kind.BLANK, Kind.RATING).astype(np.int8),
        members=np.asarray(table["group"].to_numpy()[:, None] == np.array(GROUPS, object), bool),
        unknown_group=np.zeros(n, bool),
        empty=np.zeros(n, bool),
        preview=np.zeros(n, bool),
        weight=table["weight"].to_numpy(float),
        seconds=np.full(n, np.nan),
        identity=np.zeros(n, np.uint64),
        categories=np.column_stack(
            [table[m.name].map({a: k for k, a in enumerate(m.answers)}).to_numpy() for m in study.layout.margins]
        ).astype(np.int16),
        stratum=np.zeros(n, np.int64),
        cluster=np.zeros(n, np.uint64),
    )
    return study, block


def tell(name: str, value: object) -> None:
    """A line for the parent."""
    print(f"{name}\t{value}")


def timed(run: Callable[[], Any], repeats: int) -> Any:
    """The last result; tells the median of the seconds."""
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        found = run()
        seconds.append(time.perf_counter() - started)
    tell("seconds", np.median(seconds))
    return found


def targets() -> tuple[np.ndarray, np.ndarray]:
    """Questions and group weights: all group means, group by group, and then the scores."""
    groups, questions = len(GROUPS), len(QUESTIONS)
    alone = np.repeat(np.eye(groups), questions, axis=0)
    return np.tile(np.arange(questions), groups + 1), np.vstack([alone, np.full((questions, groups), 1 / groups)])


def package_means(folder: Path, repeats: int, replicates: int) -> None:
    """Weights, group means, scores, and the covariance of all of them."""
    from materiality.errors import Faults
    from materiality.estimates import Estimates, estimate, summarise
    from materiality.moments import moments_of
    from materiality.weights import Weights, weigh

    study, block = read_survey(folder)
    questions, weights = targets()

    def run(*, as_given: bool = False) -> Estimates:
        moments = moments_of(block, midpoint=study.scale.midpoint, points=study.scale.points)
        weighting = weigh(study, moments, Faults(), "study.toml")
        if as_given:
            weighting = Weights(weighting.factors, (None,) * len(GROUPS), weighting.margins)
        sample, ends = summarise(moments, weighting), (study.scale.low, study.scale.high)
        return estimate(sample, questions, weights, confidence=0.95, low=ends[0], high=ends[1], cautious_below=0)

    found = timed(run, repeats)
    np.save(folder / "package_values.npy", found.values)
    np.save(folder / "package_covariance.npy", found.covariance)
    np.save(folder / "package_as_given.npy", run(as_given=True).covariance)


def package_replicates(folder: Path, repeats: int, replicates: int) -> None:
    """Standard errors of the group means by bootstrap replicates, each raked anew."""
    from materiality.replicates import ReplicateMethod, Replicates, replicate_means, replicate_std_errors

    study, block = read_survey(folder)
    questions, weights = (part[: -len(QUESTIONS)] for part in targets())
    run = lambda: replicate_std_errors(  # noqa: E731
        study, block, questions, weights, method=ReplicateMethod.BOOTSTRAP, seed=1, replicates=replicates
    )
    np.save(folder / "package_replicate_covariance.npy", timed(run, repeats).covariance)
    if (folder / "r_drawn.f8").exists():
        drawn = np.fromfile(folder / "r_drawn.f8").reshape(len(block), -1)
        count = drawn.shape[1]
        same = Replicates(drawn, np.arange(len(block)), np.full(count, 1 / count), np.zeros(count, np.int64))
        np.save(folder / "package_same_replicates.npy", replicate_means(study, block, same))


def svy_sample(folder: Path) -> tuple[Any, dict[str, dict[str, float]]]:
    """A function that makes svy's sample, and the margins of all groups as columns of group and category."""
    import polars as pl
    import svy

    crossed = [(pl.col("group") + "|" + pl.col(c)).alias(f"group_{c}") for c in COLUMNS]
    table = pl.read_csv(folder / "respondents.csv").with_columns(crossed).with_row_index("row")
    controls: dict[str, dict[str, float]] = {f"group_{c}": {} for c in COLUMNS}
    for group, column, category, count in pl.read_csv(folder / "margins.csv").iter_rows():
        controls[f"group_{column}"][f"{group}|{category}"] = count
    tell("svy", svy.__version__)
    return (lambda **more: svy.Sample(table, svy.Design(stratum="group", wgt="weight", **more))), controls


def svy_means(folder: Path, repeats: int, replicates: int) -> None:
    """Weights, group means and scores; covariances within a question alone, which is what svy gives."""
    import svy

    make, controls = svy_sample(folder)
    names = sorted(GROUPS)

    def run() -> Any:
        raked = make().weighting.rake(controls=controls, tol=1e-10, max_iter=1000)
        means = raked.estimation.mean(QUESTIONS, by="group", drop_nulls=True)
        score = sum((svy.estd(name) / len(names) for name in names[1:]), svy.estd(names[0]) / len(names))
        return means, [mean.contrast(score) for mean in means]

    means, scores = timed(run, repeats)
    save_svy(folder, "svy", means)
    rows = [score.to_polars() for score in scores]
    np.save(folder / "svy_scores.npy", np.array([[row["est"][0], row["se"][0]] for row in rows]))


def svy_replicates(folder: Path, repeats: int, replicates: int) -> None:
    """Standard errors of the group means by bootstrap replicates, each raked anew."""
    make, controls = svy_sample(folder)

    def run() -> Any:
        drawn = make(psu="row").weighting.create_bs_wgts(n_reps=replicates, rstate=1)
        raked = drawn.weighting.rake(controls=controls, tol=1e-10, max_iter=1000)
        return raked.estimation.mean(QUESTIONS, by="group", drop_nulls=True, method="replication")

    save_svy(folder, "svy_replicate", timed(run, repeats))


def save_svy(folder: Path, name: str, means: list[Any]) -> None:
    """Group means and their standard errors in the order of the package's targets."""
    tables = [{row["group"]: row for row in mean.to_polars().iter_rows(named=True)} for mean in means]
    for what, column in (("means", "est"), ("std_error", "se")):
        values = [table[group][column] for group in GROUPS for table in tables]
        np.save(folder / f"{name}_{what}.npy", np.array(values))


SIDES: dict[str, Callable[[Path, int, int], None]] = {
    "package means": package_means,
    "package replicates": package_replicates,
    "svy means": svy_means,
    "svy replicates": svy_replicates,
}


class AbsentError(Exception):
    """Why a side does not run."""


def asked(words: list[str], threads: int) -> dict[str, str]:
    """What a side tells of itself."""
    names = ("OMP", "OPENBLAS", "MKL", "RAYON", "POLARS_MAX")
    limits = {f"{name}{'' if name == 'POLARS_MAX' else '_NUM'}_THREADS": str(threads) for name in names}
    found = subprocess.run(words, env=os.environ | limits, capture_output=True, text=True, check=False)
    if found.returncode:
        raise AbsentError((found.stderr.strip().splitlines() or ["it failed"])[-1])
    return dict(line.split("\t", 1) for line in found.stdout.splitlines() if "\t" in line)


def loaded(folder: Path, name: str) -> np.ndarray:
    """An array that a side left; R's are plain doubles."""
    if name.startswith("r_"):
        return np.fromfile(folder / f"{name}.f8")
    return np.load(folder / f"{name}.npy")


def deviation(found: np.ndarray, wanted: np.ndarray, scale: np.ndarray | None = None) -> float:
    """The largest deviation relative to what is wanted, or to a scale."""
    return float(np.max(np.abs(found.ravel() - wanted.ravel()) / np.abs(wanted if scale is None else scale).ravel()))


def covariance_deviation(found: np.ndarray, wanted: np.ndarray) -> float:
    """The largest deviation of a covariance relative to its two standard errors' product."""
    root = np.sqrt(np.diag(wanted))
    return deviation(found, wanted, np.outer(root, root))


def against_means(folder: Path, prefix: str) -> list[str]:
    """How far another side's numbers are from the package's."""
    values, covariance = loaded(folder, "package_values"), loaded(folder, "package_covariance")
    n, q = len(GROUPS) * len(QUESTIONS), len(QUESTIONS)
    error = np.sqrt(np.diag(covariance))
    if prefix == "svy":
        theirs, scores = loaded(folder, "svy_std_error"), loaded(folder, "svy_scores")
        given = np.sqrt(np.diag(loaded(folder, "package_as_given")))
        told = {
            "means": deviation(values[:n], loaded(folder, "svy_means")),
            "scores": deviation(values[n:], scores[:, 0]),
            "standard errors": deviation(error[:n], theirs),
            "those of the package without raking's gain": deviation(given[:n], theirs),
        }
    elif prefix == "r_book":
        told = {
            "means": deviation(values[:n], loaded(folder, "r_book_means")),
            "standard errors": deviation(error[:n], loaded(folder, "r_book_std_error")),
        }
    else:
        theirs = loaded(folder, f"{prefix}_covariance").reshape(n, n)
        scores = loaded(folder, f"{prefix}_score_covariance").reshape(q, q)
        told = {
            "means": deviation(values[:n], loaded(folder, f"{prefix}_means")),
            "scores": deviation(values[n:], loaded(folder, f"{prefix}_scores")),
            "standard errors": deviation(error[:n], np.sqrt(np.diag(theirs))),
            "covariance of the means": covariance_deviation(covariance[:n, :n], theirs),
            "of the scores": covariance_deviation(covariance[n:, n:], scores),
        }
    return [f"{name} {value:.0e}" for name, value in told.items()]


def against_replicates(folder: Path, prefix: str) -> list[str]:
    """R's replicates in the package, and how either's own standard errors differ, by chance alone."""
    own = np.sqrt(np.diag(loaded(folder, "package_replicate_covariance")))
    told = []
    if prefix == "svy":
        theirs = loaded(folder, "svy_replicate_std_error")
    else:
        theirs = np.sqrt(np.diag(loaded(folder, "r_replicate_covariance").reshape(len(own), -1)))
        same = loaded(folder, "package_same_replicates")
        means = loaded(folder, "r_replicate_means").reshape(-1, *same.shape[1:])[: len(same)]
        told = [f"means in R's first {len(same)} replicates {deviation(same, means):.0e}"]
    chance = np.sqrt(np.mean(np.square(own / theirs - 1)))
    return [*told, f"standard errors, each side's own draws: {100 * chance:.0f} % (root mean square)"]


@dataclass(frozen=True)
class Rival:
    """Another way to the same numbers, the files it leaves, and how they are compared."""

    side: str
    prefix: str
    repeats: int
    title: str
    compared: Callable[[Path, str], list[str]]


@dataclass(frozen=True)
class Sides:
    """Runs the sides, and keeps the versions that they tell."""

    options: argparse.Namespace
    versions: dict[str, str]

    def seconds(self, side: str, folder: Path, repeats: int) -> float:
        """What a side takes: one of this file, or of R's where its name starts with R."""
        r = shutil.which("Rscript")
        if side.startswith("R "):
            if r is None:
                raise AbsentError("Rscript is not on the path")
            words = [r, str(HERE / "against_r.R"), str(folder), side[2:], str(repeats), str(self.options.replicates)]
        else:
            python = self.options.svy_python if side.startswith("svy") else sys.executable
            words = [
                python,
                str(HERE / "against_r.py"),
                "--side",
                side,
                "--folder",
                str(folder),
                "--repeats",
                str(repeats),
            ]
            words += ["--replicates", str(self.options.replicates)]
        told = asked(words, self.options.threads)
        seconds = float(told.pop("seconds"))
        self.versions.update(told)
        return seconds

    def rivals(self, task: str, folder: Path, rows: int, rivals: Sequence[Rival]) -> None:
        """Prints a line for each rival of the package."""
        write_survey(folder, rows)
        found: dict[str, float | AbsentError] = {}
        for rival in rivals:
            try:
                found[rival.side] = self.seconds(rival.side, folder, rival.repeats)
            except AbsentError as reason:
                found[rival.side] = reason
        # last, since it looks at some of R's replicates
        ours = self.seconds(f"package {task}", folder, self.options.repeats)
        for rival in rivals:
            theirs = found[rival.side]
            if isinstance(theirs, AbsentError):
                result = ["–", "–", f"left out: {theirs}"]
            else:
                told = "; ".join(rival.compared(folder, rival.prefix))
                result = [f"{theirs:.2f} ({rival.repeats})", f"{theirs / ours:.1f}", told]
            print("| " + " | ".join([rival.title, f"{rows:,}", f"{ours:.2f}", *result]) + " |", flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument(
        "--slow-rows",
        type=int,
        default=10_000,
        help="where R takes minutes; below 10,000 some replicates lose a category",
    )
    parser.add_argument("--replicates", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--svy-python", default=sys.executable)
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        SIDES[options.side](options.folder, options.repeats, options.replicates)
        return
    n, task = options.repeats, "weights, 200 means, 25 scores"
    by_group = Rival("R means", "r", n, f"{task}, covariance of all: R survey, group by group", against_means)
    no_covariance = "weights, 200 means, no covariance: R survey, one design, svyby of svymean"
    by_the_book = Rival("R by_the_book", "r_book", 1, no_covariance, against_means)
    ratios = Rival("R ratios", "r_ratio", 1, f"{task}, covariance of all: R survey, svyratio by group", against_means)
    svy_too = Rival("svy means", "svy", n, f"{task}, covariance within a question: svy", against_means)
    task = f"{options.replicates} bootstrap replicates, each raked, errors of 200 means"
    drawn = Rival("R replicates", "r", 1, f"{task}: R survey, group by group", against_replicates)
    svy_drawn = Rival("svy replicates", "svy", 1, f"{task}: svy", against_replicates)
    head = ["task: the other side", "rows", "package, s", "other, s (runs)", "ratio", "largest relative deviation"]
    print(
        f"Simulated answers: {len(GROUPS)} groups ({', '.join(f'{size:.0%}' for size in SIZES)}), {len(QUESTIONS)} "
        "five-point questions, 5 % blank, unequal design weights, margins of 3, 4 and 5 categories in every group. "
        f"Medians of {n} runs of the package, and of as many of the other side as are told.\n"
    )
    print("| " + " | ".join(head) + " |\n" + "|---" * len(head) + "|")
    sides = Sides(options, {"Python": platform.python_version(), "NumPy": np.__version__})
    for kind, rows, rivals in (
        ("means", options.rows, (by_group, by_the_book, svy_too)),
        ("means", options.slow_rows, (by_group, ratios)),
        ("replicates", options.slow_rows, (drawn, svy_drawn)),
    ):
        with tempfile.TemporaryDirectory() as folder:
            sides.rivals(kind, Path(folder), rows, rivals)
    told = ", ".join(f"{name} {version}" for name, version in sides.versions.items())
    print(f"\nThreads of every side: {options.threads}, of {os.cpu_count()} cores. {told}.")


if __name__ == "__main__":
    main()
