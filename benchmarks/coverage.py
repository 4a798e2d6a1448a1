"""How often confidence intervals of a mean rating hold it, and how long they are.

    python benchmarks/coverage.py [--quick]

Prints tables in Markdown; `docs/coverage.md` holds them. Single groups are enumerated exactly: every multiset of
answers, through the joint distribution of their sum and their sum of squares. Scores of several groups, unequal weights
and finite populations are simulated, with fixed seeds. All answers are simulated ones. Widths are shares of the scale.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from materiality.intervals import (
    BoolArray,
    Intervals,
    Parts,
    korn_graubard,
    logit_t,
    moderated,
    mover,
    pseudo_answer,
    score_interval,
    wilson_t,
)
from materiality.stats import FloatArray, satterthwaite_df, t_interval, unanimous_share

HELD = 0.93
"""What an interval of 95 % must cover."""
ROUNDING = 1e-9
CHOSEN = "½ answer"
SCALES = (5, 7, 10)
SIZES = (3, 4, 5, 6, 8, 10, 12, 15, 20, 30, 50)
Ends = tuple[FloatArray, FloatArray]
Method = Callable[[FloatArray, FloatArray, FloatArray, float], Ends]


def shapes(points: int) -> dict[str, FloatArray]:
    """Distributions of answers: the rest beside the top box halves from box to box (near) or is spread evenly (far)."""
    box = np.arange(points) / (points - 1)
    found = {
        "uniform": np.ones(points),
        "mid-peaked": np.exp(-0.5 * np.square((box - 0.5) * 6)),
        "two-humped": np.exp(-0.5 * np.square((box - 0.15) * 8)) + np.exp(-0.5 * np.square((box - 0.85) * 8)),
    }
    for top in (0.6, 0.8, 0.95):
        for name, ratio in (("near", 0.5), ("far", 1.0)):
            found[f"{100 * top:.0f} % on top, {name}"] = topped(points, top, ratio)
    return {name: chances / chances.sum() for name, chances in found.items()}


def topped(points: int, top: float, ratio: float) -> FloatArray:
    rest = ratio ** np.arange(points - 2, -1, -1.0)
    return np.append((1 - top) * rest / rest.sum(), top)


@dataclass(frozen=True)
class Outcomes:
    """Every pair of a mean and a variance that n answers may have, with its chance under each shape."""

    share: FloatArray
    variance: FloatArray
    chance: FloatArray


def outcomes(points: int, chances: FloatArray, sizes: tuple[int, ...]) -> Iterator[tuple[int, Outcomes]]:
    """For each size, by convolution of the joint distribution of the sums of y and of y(y − 1)/2."""
    grid = np.ones((len(chances), 1, 1))
    for n in range(1, max(sizes) + 1):
        _, first, second = grid.shape
        grown = np.zeros((len(chances), n * (points - 1) + 1, n * (points - 1) * (points - 2) // 2 + 1))
        for y in range(points):
            pairs = y * (y - 1) // 2
            grown[:, y : y + first, pairs : pairs + second] += chances[:, y, None, None] * grid
        grid = grown
        if n in sizes:
            total, pairs_ = np.nonzero((grid > 1e-13).any(axis=0))
            # n Σy² − (Σy)² in whole numbers, so that no spread is exactly none
            spread = (n * (2 * pairs_ + total) - total**2) / (points - 1) ** 2
            share = total / (n * (points - 1))
            yield n, Outcomes(share, spread / (n**2 * max(n - 1, 1)), grid[:, total, pairs_])


def student(share: FloatArray, variance: FloatArray, n: FloatArray, confidence: float) -> Ends:
    """Student's t, cut at the ends; where all answers are equal, as far as so many leave open."""
    unseen = np.where(variance > 0, 0.0, unanimous_share(n, confidence))
    return t_interval(share, np.sqrt(variance), n - 1, confidence, 0.0, 1.0, unseen=unseen)


def or_unanimous(method: Callable[..., Ends]) -> Method:
    """A method that has no interval where all answers are equal, with that of `student` there."""

    def completed(share: FloatArray, variance: FloatArray, n: FloatArray, confidence: float) -> Ends:
        lower, upper = method(share, variance, n - 1, confidence)
        below, above = student(share, variance, n, confidence)
        return np.where(variance > 0, lower, below), np.where(variance > 0, upper, above)

    return completed


METHODS: dict[str, Method] = {
    "t": student,
    "Wilson t": or_unanimous(wilson_t),
    "logit t": or_unanimous(logit_t),
    "Korn–Graubard": lambda p, v, n, c: korn_graubard(p, v, n, n - 1, c),
    "1 answer": lambda p, v, n, c: pseudo_answer(p, v, n, c, answers=1.0),
    CHOSEN: pseudo_answer,
    "⅓ answer": lambda p, v, n, c: pseudo_answer(p, v, n, c, answers=1 / 3),
}


def covered(ends: Ends, truth: FloatArray, chance: FloatArray) -> FloatArray:
    """Chance that the interval holds the truth, under each shape."""
    held = (ends[0] <= truth[:, None] + ROUNDING) & (ends[1] >= truth[:, None] - ROUNDING)
    return np.asarray((chance * held).sum(axis=1) / chance.sum(axis=1))


def table(head: list[str], rows: list[list[str]]) -> None:
    print("| " + " | ".join(head) + " |")
    print("|" + "---|" * len(head))
    for row in rows:
        print("| " + " | ".join(row) + " |")
    print()


def percent(value: float) -> str:
    return f"{100 * value:.1f}"


@dataclass(frozen=True)
class Cell:
    """One scale, size and method: what it covers under each shape, and how long it is."""

    points: int
    n: int
    coverage: FloatArray
    width: FloatArray


def enumerated(scales: tuple[int, ...], sizes: tuple[int, ...]) -> dict[tuple[str, float], list[Cell]]:
    """All methods at 95 %, the chosen one also at 90 and 99 %."""
    wanted = [(name, 0.95) for name in METHODS] + [(CHOSEN, 0.90), (CHOSEN, 0.99), ("t", 0.90), ("t", 0.99)]
    found: dict[tuple[str, float], list[Cell]] = {key: [] for key in wanted}
    for points in scales:
        chances = np.array(list(shapes(points).values()))
        truth = chances @ np.arange(points) / (points - 1)
        for n, seen in outcomes(points, chances, sizes):
            for name, confidence in wanted:
                ends = METHODS[name](seen.share, seen.variance, np.full(seen.share.shape, float(n)), confidence)
                width = (seen.chance * (ends[1] - ends[0])).sum(axis=1)
                found[name, confidence].append(Cell(points, n, covered(ends, truth, seen.chance), width))
    return found


def print_single_groups(scales: tuple[int, ...], sizes: tuple[int, ...]) -> None:
    found = enumerated(scales, sizes)
    names = list(shapes(5))
    print(f"## One group, exactly\n\n{len(names)} shapes: {'; '.join(names)}. Nominal 95 %.\n")
    rows = []
    failing: dict[str, set[tuple[int, int, str]]] = {}
    for name in METHODS:
        cells = found[name, 0.95]
        failing[name] = {
            (c.points, c.n, shape) for c in cells for shape, held in zip(names, c.coverage, strict=True) if held < HELD
        }
        worst = min(cells, key=lambda c: float(c.coverage.min()))
        where = f"{worst.points} points, n = {worst.n}, {names[int(worst.coverage.argmin())]}"
        width = np.mean([c.width for c in cells])
        rows.append(
            [name, str(len(failing[name])), f"{percent(worst.coverage.min())} ({where})", f"{width:.3f}"],
        )
    total = len(found["t", 0.95]) * len(names)
    table(["method", f"cells below 93 %, of {total}", "least coverage, %", "mean width"], rows)
    nowhere = set.intersection(*failing.values())
    others = set.intersection(*(failing[name] for name in METHODS if "answer" not in name))
    print(f"Cells (scale × n × shape) that no method holds at 93 %: {len(nowhere)}. ", end="")
    listed = "; ".join(f"{points} points, n = {n}, {shape}" for points, n, shape in sorted(others))
    print(f"Cells that only unseen answers may hold: {len(others)}{': ' if others else ''}{listed}.\n")
    print("Least coverage over the shapes, % (mean width over the shapes):\n")
    rows = [
        [
            str(cell.points),
            str(cell.n),
            *(f"{percent(found[m, 0.95][k].coverage.min())} ({found[m, 0.95][k].width.mean():.2f})" for m in METHODS),
        ]
        for k, cell in enumerate(found["t", 0.95])
    ]
    table(["points", "n", *METHODS], rows)
    print("Five points, coverage by shape, % (width):\n")
    rows = [
        [str(cell.n), name, *(f"{percent(h)} ({w:.2f})" for h, w in zip(cell.coverage, cell.width, strict=True))]
        for k in range(len(found["t", 0.95]))
        for name in ("t", "Wilson t", CHOSEN)
        if (cell := found[name, 0.95][k]).points == 5 and cell.n in {3, 5, 8, 12, 20, 50}
    ]
    table(["n", "method", *names], rows)
    print("Other levels, least coverage over shapes and sizes, % (mean width):\n")
    rows = []
    for name in ("t", CHOSEN):
        row = [name]
        for confidence in (0.90, 0.95, 0.99):
            cells = found[name, confidence]
            least = min(float(c.coverage.min()) for c in cells)
            row.append(f"{percent(least)} ({np.mean([c.width for c in cells]):.3f})")
        rows.append(row)
    table(["method", "90 %", "95 %", "99 %"], rows)


def print_hostile(quick: bool) -> None:
    """Shapes drawn at random, most of them on two or three boxes, and all 0/1 shapes in steps."""
    draw = np.random.default_rng(20)
    random = np.concatenate([draw.dirichlet(np.full(5, a), 40 if quick else 80) for a in (0.15, 0.3, 0.6)])
    ends = np.linspace(0.5, 0.99, 40)
    two = np.column_stack([1 - ends, np.zeros((40, 3)), ends])
    named = np.array(list(shapes(5).values()))
    chances = np.concatenate([named, random, two])
    truth = chances @ np.arange(5) / 4
    print(
        f"## Hostile shapes, and the flag\n\nFive points; {len(random)} shapes drawn at random (Dirichlet, 0.15, 0.3 "
        f"and 0.6) and {len(two)} shapes with answers at both ends only. 'Least' is over these shapes. The last column "
        "is the largest chance, over all shapes, that an interval misses and is not flagged as unreliable.\n"
    )
    rows = []
    for n, seen in outcomes(5, chances, (3, 8, 20) if quick else (3, 5, 8, 12, 20, 30)):
        size = np.full(seen.share.shape, float(n))
        row = [str(n)]
        for name in ("t", "Wilson t", "Korn–Graubard", "1 answer", CHOSEN):
            held = covered(METHODS[name](seen.share, seen.variance, size, 0.95), truth, seen.chance)[len(named) :]
            row.append(f"{percent(held.min())} ({percent(np.mean(held < HELD))})")
        found = alone(n, seen)
        silent = 1 - covered(
            (np.where(found.unreliable, 0.0, found.low), np.where(found.unreliable, 1.0, found.high)),
            truth,
            seen.chance,
        )
        rows.append([*row, percent(silent.max())])
    table(
        ["n", "t", "Wilson t", "Korn–Graubard", "1 answer", CHOSEN, "missed and not flagged, %"],
        rows,
    )
    print("In brackets: share of these shapes covered below 93 %.\n\nHow often a group is flagged, %:\n")
    rows = [
        [str(n), *(f"{100 * often:.0f}" for often in (seen.chance * alone(n, seen).unreliable).sum(axis=1))]
        for n, seen in outcomes(5, named, (3, 8, 20) if quick else (3, 5, 8, 12, 20, 30, 50))
    ]
    table(["n", *shapes(5)], rows)
    print_hostile_scores(np.concatenate([random[::4], two[::3]]), 100 if quick else 500)


def print_hostile_scores(chances: FloatArray, repeats: int) -> None:
    """Scores of several groups that all have the same hostile shape."""
    print(
        f"Scores of groups that share a shape, {len(chances)} of the hostile ones, {repeats} repeats (Monte Carlo "
        f"error of one shape {100 * np.sqrt(0.05 * 0.95 / repeats):.1f} points):\n"
    )
    rows = []
    for number, setting in enumerate(SETTINGS):
        groups = len(setting.sizes)
        if groups == 1 or setting.shared or setting.population or setting.spread:
            continue
        draw = np.random.default_rng([8, number])
        found = simulate(setting, np.broadcast_to(chances, (groups, *chances.shape)), repeats, draw)
        results, flagged = score_methods(found)
        low, high = results["chosen"]
        missed = (low > found.truth + ROUNDING) | (high < found.truth - ROUNDING)
        silent = (missed & ~flagged).mean(axis=0).max()
        rows.append(
            [setting.name, percent(1 - missed.mean(axis=0).max()), percent(silent), f"{100 * flagged.mean():.0f}"]
        )
    table(["groups", "least coverage, %", "missed and not flagged, %", "flagged, %"], rows)


def alone(n: int, seen: Outcomes) -> Intervals:
    """The interval chosen, of one group."""
    size = np.full((1, len(seen.share)), n)
    parts = Parts(seen.share[None], size, size.astype(float), seen.variance[None], np.ones(size.shape))
    return score_interval(parts, np.ones((len(seen.share), 1)), confidence=0.95, low=0.0, high=1.0)


@dataclass(frozen=True)
class Setting:
    """Who is asked.

    Attributes
    ----------
    name : str
    sizes : respondents of each group
    shared : respondents of the first group who belong to the second as well
    population : how many times as many each group has, or None for a sample with replacement
    spread : standard deviation of the logarithms of the weights
    """

    name: str
    sizes: tuple[int, ...]
    shared: int = 0
    population: float | None = None
    spread: float = 0.0

    def members(self) -> FloatArray:
        """Who belongs where, shape (respondents, groups)."""
        found = np.zeros((sum(self.sizes) - self.shared, len(self.sizes)))
        start = 0
        for g, size in enumerate(self.sizes):
            first = start - (self.shared if g == 1 else 0)
            found[first : first + size, g] = 1
            start = first + size
        return found


@dataclass(frozen=True)
class Simulated:
    """Repeats of a study: the parts of every group, shape (groups, repeats, issues), and what is true."""

    parts: Parts
    total: FloatArray
    truth: FloatArray


def simulate(setting: Setting, chances: FloatArray, repeats: int, draw: np.random.Generator) -> Simulated:
    """Answers on five points of groups whose shapes are given, shape (groups, issues, points)."""
    members = setting.members()
    groups, issues, points = chances.shape
    home = members.argmax(axis=1)
    steps = np.cumsum(chances, axis=2)
    shape = (groups, repeats, issues)
    if setting.population is None:
        answers = answers_of(steps[home], draw.random((repeats, len(home), issues)))
        truth = chances @ np.arange(points) / (points - 1)
    else:
        answers, truth = np.zeros((repeats, len(home), issues)), np.zeros((groups, issues))
        for g, size in enumerate(setting.sizes):
            everybody = round(size * setting.population)
            all_answers = answers_of(np.repeat(steps[[g]], everybody, axis=0), draw.random((1, everybody, issues)))[0]
            asked = np.argsort(draw.random((repeats, everybody)), axis=1)[:, :size]
            answers[:, home == g] = all_answers[asked]
            truth[g] = all_answers.mean(axis=0)
    weight = np.exp(draw.normal(0, setting.spread, answers.shape[:2])) if setting.spread else np.ones(answers.shape[:2])
    unasked = 1.0 if setting.population is None else 1 - 1 / setting.population
    mean, variance, effective = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    apart = np.zeros(answers.shape)
    for g, size in enumerate(setting.sizes):
        w, y = weight[:, members[:, g] > 0, None], answers[:, members[:, g] > 0]
        total = w.sum(axis=1)
        mean[g] = (w * y).sum(axis=1) / total
        off = w * (y - mean[g][:, None]) / total[:, None] * np.sqrt(unasked * size / max(size - 1, 1))
        variance[g] = np.square(off).sum(axis=1)
        effective[g] = total**2 / np.square(w).sum(axis=1)
        apart[:, members[:, g] > 0] += off / groups
    variance = np.where(variance > 1e-20, variance, 0.0)
    n = np.broadcast_to(np.array(setting.sizes)[:, None, None], shape)
    parts = Parts(mean, n, effective, variance, np.full(shape, unasked))
    return Simulated(parts, np.square(apart).sum(axis=1), truth.mean(axis=0))


def answers_of(steps: FloatArray, uniform: FloatArray) -> FloatArray:
    """Answers on the unit scale, from cumulated chances, shape (respondents, issues, points)."""
    found = np.zeros(uniform.shape)
    for k in range(steps.shape[2] - 1):
        found += uniform > steps[None, :, :, k]
    return found / (steps.shape[2] - 1)


def score_methods(found: Simulated) -> tuple[dict[str, Ends], BoolArray]:
    """Every method's interval of the average of the groups, shape (repeats, issues), and which are flagged."""
    parts, groups = found.parts, len(found.parts.mean)
    shape = parts.mean.shape[1:]
    flat = Parts(
        *(a.reshape(groups, -1) for a in (parts.mean, parts.n, parts.effective, parts.variance, parts.unasked))
    )
    share = flat.mean.mean(axis=0)
    df = flat.n - 1.0
    pooled = (df * flat.variance / flat.unasked * flat.n).sum(axis=0) / np.maximum(df.sum(axis=0), 1.0)
    own = np.where(df > 0, flat.variance, pooled * flat.unasked) / groups**2
    linked = np.maximum(found.total.reshape(-1) - np.where(df > 0, flat.variance, 0.0).sum(axis=0) / groups**2, 0.0)
    variance = own.sum(axis=0) + linked
    seen = np.maximum(np.nan_to_num(satterthwaite_df(own, df), nan=np.inf), 1.0)
    still = np.where(own > 0, 0.0, np.minimum(unanimous_share(flat.n, 0.95), flat.unasked) / groups)
    unseen = np.sqrt(np.square(still).sum(axis=0))
    results = {"t": t_interval(share, np.sqrt(variance), seen, 0.95, 0.0, 1.0, unseen=unseen)}
    results["Wilson t"] = beyond(share, wilson_t(share, variance, seen, 0.95), unseen)
    results["Korn–Graubard"] = beyond(
        share, korn_graubard(share, variance, flat.n.sum(axis=0), np.minimum(seen, 1e6), 0.95), unseen
    )
    calm, calm_df = calmed(parts)
    calm, calm_df = calm.reshape(groups, -1) / groups**2, np.minimum(calm_df.reshape(groups, -1), 1e6)
    drawn, drawn_df = calm.sum(axis=0) + linked, satterthwaite_df(calm, calm_df)
    inside = np.clip(share, 0.005, 0.995)
    for name, method in (("moderated Wilson t", wilson_t), ("moderated logit t", logit_t)):
        ends = method(inside, drawn, drawn_df, 0.95)
        results[name] = np.minimum(ends[0], share), np.maximum(ends[1], share)
    lower, upper = pseudo_answer(
        flat.mean, np.divide(flat.variance, flat.unasked), np.where(df > 0, flat.effective, 1.0), 0.95
    )
    root = np.sqrt(flat.unasked)
    ends = flat.mean - root * (flat.mean - lower), flat.mean + root * (upper - flat.mean)
    results[f"MOVER, {CHOSEN}"] = mover(flat.mean, *ends, np.full(flat.mean.shape, 1 / groups))
    chosen = score_interval(
        flat,
        np.full((len(share), groups), 1 / groups),
        confidence=0.95,
        low=0.0,
        high=1.0,
        variance=found.total.reshape(-1),
    )
    results["chosen"] = (chosen.low, chosen.high)
    ends_of = {name: (low.reshape(shape), high.reshape(shape)) for name, (low, high) in results.items()}
    return ends_of, chosen.unreliable.reshape(shape)


def beyond(share: FloatArray, ends: Ends, unseen: FloatArray) -> Ends:
    """An interval that reaches further for unanimous groups, squares added."""
    below, above = np.hypot(share - ends[0], unseen), np.hypot(ends[1] - share, unseen)
    return np.clip(share - below, 0.0, 1.0), np.clip(share + above, 0.0, 1.0)


def calmed(parts: Parts) -> tuple[FloatArray, FloatArray]:
    """Variances with dispersions moderated across a group's issues; a group of one has the others' prior, or ½."""
    smooth = (parts.n * parts.mean + 0.5) / (parts.n + 1)
    like = smooth * (1 - smooth) * parts.unasked / np.maximum(parts.effective, 1.0)
    fits = [moderated(v / k, n - 1.0) for v, k, n in zip(parts.variance, like, parts.n, strict=True)]
    priors = np.array([fit.prior for fit in fits])
    known = np.isfinite(priors)
    prior = np.where(known, priors, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    prior = np.where(known.any(axis=0), prior, 0.5)[:, None]
    variance, df = [], []
    for fit, k, n in zip(fits, like, parts.n, strict=True):
        lone = n.flat[0] == 1
        variance.append(np.where(lone | np.isnan(fit.prior[:, None]), prior, fit.variance) * k)
        df.append(np.broadcast_to(np.where(lone, 4.0, n - 1) + np.where(lone, 0.0, fit.prior_df[:, None]), k.shape))
    return np.array(variance), np.array(df)


SETTINGS = (
    Setting("3", (3,)),
    Setting("8", (8,)),
    Setting("3 + 60", (3, 60)),
    Setting("5 + 5", (5, 5)),
    Setting("7 × 8", (8,) * 7),
    Setting("8 × 3", (3,) * 8),
    Setting("8 × 2", (2,) * 8),
    Setting("1 + 12 + 30", (1, 12, 30)),
    Setting("8 × 1", (1,) * 8),
    Setting("500", (500,)),
    Setting("3 + 500", (3, 500)),
    Setting("20 + 20, 10 in both", (20, 20), shared=10),
    Setting("10 of 15", (10,), population=1.5),
    Setting("4 of 6 + 30 of 45", (4, 30), population=1.5),
    Setting("30, unequal weights", (30,), spread=0.6),
    Setting("8 + 60, unequal weights", (8, 60), spread=0.6),
)


def issue_sets(groups: int, alike: bool, draw: np.random.Generator) -> dict[str, FloatArray]:
    """Shapes of issues, shape (groups, issues, points)."""
    nine = np.array(list(shapes(5).values()))
    top = np.array([topped(5, share, 0.5) for share in draw.uniform(0.5, 0.95, 25)])
    found = {
        "nine shapes, thrice": np.broadcast_to(np.tile(nine, (3, 1)), (groups, 27, 5)),
        "25 top-heavy": np.broadcast_to(top, (groups, 25, 5)),
    }
    if groups > 1 and not alike:
        found["25, each group its own"] = nine[draw.integers(0, len(nine), (groups, 25))]
    return found


def print_scores(repeats: int, settings: tuple[Setting, ...]) -> None:
    error = 100 * np.sqrt(0.05 * 0.95 / repeats)
    print(
        f"## Scores of several groups, weights and finite populations, simulated\n\nFive points, groups of equal "
        f"weight in the score, {repeats} repeats; the Monte Carlo error of one issue's coverage is {error:.1f} points "
        f"({error / np.sqrt(3):.1f} for each of the nine shapes). Mean and least coverage over the issues, % (mean "
        "width). Moderated methods learn from the issues of the set. Unequal weights are log-normal, σ = 0.6.\n"
    )
    names: list[str] = []
    rows = []
    for number, setting in enumerate(settings):
        draw = np.random.default_rng([7, number])
        for name, chances in issue_sets(len(setting.sizes), setting.shared > 0, draw).items():
            found = simulate(setting, chances, repeats, draw)
            row = [setting.name, name]
            results, flagged = score_methods(found)
            names = list(results)
            for low, high in results.values():
                held = ((low <= found.truth + ROUNDING) & (high >= found.truth - ROUNDING)).mean(axis=0)
                if len(held) == 27:
                    held = held.reshape(3, 9).mean(axis=0)
                row.append(f"{percent(held.mean())}, {percent(held.min())} ({np.mean(high - low):.2f})")
            rows.append([*row, f"{100 * flagged.mean():.0f}"])
    table(["groups", "issues", *names, "flagged, %"], rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer scales, sizes, groups and repeats")
    quick = parser.parse_args().quick
    print_single_groups((5,) if quick else SCALES, (3, 8, 20) if quick else SIZES)
    print_hostile(quick)
    print_scores(200 if quick else 1000, SETTINGS[:5] if quick else SETTINGS)


if __name__ == "__main__":
    main()
