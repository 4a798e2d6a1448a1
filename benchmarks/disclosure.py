"""What could be worked out of hidden answers: attacks on simulated surveys, with and without protection.

    python benchmarks/disclosure.py [--surveys 2000] [--seed 1]

Each survey is SIMULATED: two to five groups of one to twelve people, some piled up at the top of the scale. The
attacker knows the groups' sizes, the group weights, every mean that is told, and the score as it is told; takes means
that are told with one decimal for exact; tries all answers that the hidden groups can have given; and keeps those with
which the program would publish that very score. A hidden total is recovered where one possibility is left. Beside it:
how often the intervals of the same scores hold the true score, with stand-ins and with the answers themselves.
"""

from __future__ import annotations

import argparse
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from materiality.assessment import scores_of
from materiality.estimates import Sample, summarise
from materiality.moments import moments_of
from materiality.protection import protected, withheld
from materiality.responses import Block, Kind
from materiality.study import Privacy, PrivacyProfile, Study, load_study

ISSUES = 6
MOST = 60_000
"""Combinations of totals that the attacker tries for a score; with more, nothing is recovered."""


def study_of(groups: int) -> Study:
    """A study of one axis in the sense of the attack; a second asks other questions."""
    text = [
        'title = "Attacked (simulated answers)"\n[scale]\nlow = 1\nhigh = 5',
        '[[responses]]\nfile = "r.csv"\ngroup = "g"',
    ]
    text += [f'[[groups]]\nid = "g{k}"' for k in range(groups)] + [f'[[issues]]\nid = "i{k}"' for k in range(ISSUES)]
    text += ['[axes.a]\ncolumn = "a {id}"', '[axes.b]\ncolumn = "b {id}"', '[matrix]\nx = "a"\ny = "b"']
    with TemporaryDirectory() as folder:
        path = Path(folder) / "study.toml"
        path.write_text("\n".join(text), encoding="utf-8")
        return load_study(path)


def sample_of(ratings: np.ndarray, group: np.ndarray, groups: int) -> Sample:
    """What the moments say of these answers."""
    n = len(ratings)
    zero = np.zeros(n, np.int64)
    block = Block(
        export=zero.astype(np.int32),
        row=np.arange(n) + 2,
        ratings=ratings.astype(float),
        kinds=np.full(ratings.shape, Kind.RATING, np.int8),
        members=group[:, None] == np.arange(groups),
        unknown_group=zero.astype(bool),
        empty=zero.astype(bool),
        preview=zero.astype(bool),
        weight=np.ones(n),
        seconds=np.full(n, np.nan),
        identity=zero.astype(np.uint64),
        categories=np.zeros((n, 0), np.int16),
        stratum=zero,
        cluster=zero.astype(np.uint64),
    )
    return summarise(moments_of(block, midpoint=3.0, points=(1.0, 2.0, 3.0, 4.0, 5.0)))


def published(total: float, sizes: list[int], rest: float, groups: int) -> float:
    """The score that `docs/method.md` has published of the sum of the hidden means and of the told ones."""
    unit = next((one for one in (0.01, 0.02, 0.05, 0.1, 0.2) if one >= 1 / max(sizes) / groups - 1e-12), 0.5)
    room = min(2 / min(sizes) + unit * groups, 2 * len(sizes))
    kept = min(max(total, len(sizes) + room), 5 * len(sizes) - room)
    return unit * float(np.round(np.round((rest + kept) / groups / unit, 9)))


def ways(sizes: list[int], score: float, rest: float, groups: int) -> list[int]:
    """Possible totals of each group with which the score would be the one that is told, by trying them all."""
    totals = [range(n, 5 * n + 1) for n in sizes]
    count, tried = 1, []
    for k in np.argsort(sizes):
        if count * len(totals[k]) <= MOST:
            tried.append(int(k))
            count *= len(totals[k])
    if len(tried) < len(sizes):
        return [len(one) for one in totals]  # groups so large, or so many, tell nothing of each other
    found: list[set[int]] = [set() for _ in sizes]
    for combination in product(*totals):
        total = sum(t / n for t, n in zip(combination, sizes, strict=True))
        if abs(published(total, sizes, rest, groups) - score) < 1e-6:
            for k, t in enumerate(combination):
                found[k].add(t)
    return [len(one) for one in found]


def attack(study: Study, raw: Sample) -> dict[str, int]:
    """Hidden totals attacked, those with one and with two possibilities, and what subtraction alone would find."""
    kept = withheld(study, raw)
    told = scores_of(study, protected(study, raw, kept)).values.reshape(2, ISSUES)
    found = dict.fromkeys(("attacked", "recovered", "two ways", "left out", "naive"), 0)
    for axis, issue in np.ndindex(2, ISSUES):
        q = study.layout.question_of[axis][issue]
        shut = kept.hidden[:, q] & ~kept.left_out[:, q]
        found["left out"] += int(kept.left_out[:, q].sum())
        few = (raw.n[:, q] < study.privacy.hidden_below) & (raw.n[:, q] > 0)
        found["naive"] += int(few.sum()) if few.sum() == 1 else 0
        if not shut.any() or np.isnan(told[axis, issue]):
            continue
        inside = (raw.n[:, q] > 0) & ~kept.left_out[:, q]
        rest = raw.means[inside & ~shut, q].sum()
        left = ways(raw.n[shut, q].tolist(), float(told[axis, issue]), float(rest), int(inside.sum()))
        every = [4 * n + 1 for n in raw.n[shut, q]]
        found["attacked"] += len(left)
        found["recovered"] += sum(w == 1 for w in left)
        found["two ways"] += sum(w == 2 < e for w, e in zip(left, every, strict=True))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--surveys", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    generator = np.random.default_rng(given.seed)
    studies = {k: study_of(k) for k in range(2, 6)}
    total = dict.fromkeys(("attacked", "recovered", "two ways", "left out", "naive"), 0)
    held = {"stand-ins": [0, 0, 0.0], "answers": [0, 0, 0.0]}
    for _ in range(given.surveys):
        groups = int(generator.integers(2, 6))
        study, sizes = studies[groups], generator.integers(1, 13, groups)
        group = np.repeat(np.arange(groups), sizes)
        middle = generator.uniform(2, 5, (groups, 2 * ISSUES))
        latent = middle[group] + generator.normal(0, 1, (len(group), 2 * ISSUES))
        raw = sample_of(np.clip(np.rint(latent), 1, 5), group, groups)
        for name, n in attack(study, raw).items():
            total[name] += n
        truth = _truth(middle).reshape(groups, 2, ISSUES).mean(axis=0).ravel()
        closed = protected(study, raw, withheld(study, raw))
        open_study = study.model_copy(update={"privacy": Privacy(profile=PrivacyProfile.OFF)})
        touched = closed.closed.any(axis=0) & ~(closed.hidden & (closed.n == 0)).any(axis=0)
        for name, one, sample in (("stand-ins", study, closed), ("answers", open_study, raw)):
            found = scores_of(one, sample)
            known = np.isfinite(found.values) & touched
            inside = (found.low <= truth + 1e-9) & (truth <= found.high + 1e-9)
            held[name][0] += int(known.sum())
            held[name][1] += int((known & inside).sum())
            held[name][2] += float((found.high - found.low)[known].sum())
    print(f"{given.surveys:,} simulated surveys")
    print(f"hidden totals attacked by trying all answers: {total['attacked']:,}")
    print(f"  recovered (one way left): {total['recovered']:,}; two ways left of more: {total['two ways']:,}")
    print(f"answers left out of their scores, as these would tell them: {total['left out']:,}")
    print(f"without protection, recovered by subtraction alone: {total['naive']:,}")
    for name, (n, inside, length) in held.items():
        print(f"intervals with {name}: {n:,} scores, {100 * inside / n:.1f} % hold the truth, length {length / n:.2f}")


def _truth(middle: np.ndarray) -> np.ndarray:
    """The expected rating of an answer that is rounded to a point and cut at the ends."""
    from scipy.special import ndtr

    return 1 + sum(1 - ndtr(point + 0.5 - middle) for point in range(1, 5))


if __name__ == "__main__":
    main()
