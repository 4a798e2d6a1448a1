"""Whether tiers hold as often as their confidence says: reliability tables on SIMULATED studies.

    python benchmarks/calibration.py [--studies N]

Each study has 25 issues on two axes with questions of their own, and eight groups of equal weight: all of them are
asked on the first axis, four on the second. The true group means are known, because the program made them, and with
them the true scores, their thresholds and tiers. A rating is a normal latent answer cut to five points; respondents
differ in leniency on all issues at once, and every twentieth answer is a don't-know. The true scores of the two axes
are correlated by a half. Thresholds that the scores set are set for the truth by the true scores.

    well spread          standard deviation of the true scores 0.4, as in real studies; that of the error is 0.07
    tight                0.12
    no more than noise   0.06: below the error's
    piled at the top     0.16, with a mean of 4.6 of 5 and a long tail downwards
    few, well spread     3 to 12 respondents a group; the error's standard deviation is 0.15
    few, at the top      3 to 12 respondents a group, piled at the top

Cells read: stated → found (standard error of found), in %, from the placements in that class of stated confidence. The
standard error takes the issues of a study as one cluster.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy import special

from materiality.estimates import Estimates, estimate, score_weights, summarise
from materiality.matrix import errors_of
from materiality.moments import moments_of
from materiality.responses import Block, Kind
from materiality.simulation import expected_rating
from materiality.study import MaterialRule, Scale, Threshold, ThresholdRule, Top
from materiality.tiers import Tiers, place, threshold

ISSUES = 25
MANY = (300, 120, 80, 40, 25, 8, 10, 17)
FEW = (12, 12, 10, 8, 8, 3, 5, 6)
ASKED = np.array([[1, 1, 1, 1, 1, 1, 1, 1], [0, 1, 1, 1, 1, 0, 0, 0]])
SCALE = Scale(low=1, high=5)
ANSWER, LENIENCY = 0.9, 0.4
GROUPS_DIFFER, STUDIES_DIFFER, AXES_AGREE = 0.25, 0.15, 0.5
UNKNOWN = 0.05
DRAWS = 1_000
LATENT = np.linspace(-5.0, 11.0, 4001)
EXPECTED = expected_rating(LATENT, float(np.hypot(ANSWER, LENIENCY)), SCALE)
STATED = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0)
PREDICTED = (0.0, 0.01, 0.05, 0.1, 0.3, 0.5, 0.7, 0.9, 0.95, 0.99, 1.0)
NEAR = (0.85, 0.95)


@dataclass(frozen=True)
class Condition:
    """A kind of study: who answers, where the scores lie (standard normal numbers to scores), and a fixed threshold."""

    name: str
    sizes: tuple[int, ...]
    scores: Callable[[np.ndarray], np.ndarray]
    fixed: float

    def rules(self) -> dict[str, Threshold]:
        """What sets the thresholds, on both axes alike."""
        return {
            "mean": ThresholdRule.MEAN,
            "median": ThresholdRule.MEDIAN,
            "a number": self.fixed,
            "top 9": Top(9),
            "largest gap": ThresholdRule.LARGEST_GAP,
        }


def normal(std_dev: float) -> Callable[[np.ndarray], np.ndarray]:
    return lambda z: 3.75 + std_dev * z


def piled(z: np.ndarray) -> np.ndarray:
    return 4.85 - 0.12 * special.gammaincinv(2.0, special.ndtr(-z))


CONDITIONS = (
    Condition("well spread", MANY, normal(0.4), 3.9),
    Condition("tight", MANY, normal(0.12), 3.8),
    Condition("no more than noise", MANY, normal(0.06), 3.8),
    Condition("piled at the top", MANY, piled, 4.6),
    Condition("few, well spread", FEW, normal(0.4), 3.9),
    Condition("few, at the top", FEW, piled, 4.6),
)
RULES = tuple(CONDITIONS[0].rules())


def simulate(condition: Condition, generator: np.random.Generator) -> tuple[Estimates, np.ndarray]:
    """The estimates of one study, and its true scores, shape (2, issues)."""
    z = generator.standard_normal((2, ISSUES))
    z[1] = AXES_AGREE * z[0] + np.sqrt(1 - AXES_AGREE**2) * z[1]
    asked = ASKED.T[:, :, None]
    shift = generator.normal(0, GROUPS_DIFFER, (len(asked), 2, ISSUES))
    shift -= (shift * asked).sum(axis=0) / asked.sum(axis=0)
    centre = generator.normal(0, STUDIES_DIFFER, (2, 1)) if condition.scores is not piled else 0.0
    means = np.clip(condition.scores(z) + centre + shift, 1.02, 4.98)
    truth = (means * asked).sum(axis=0) / asked.sum(axis=0)
    home = np.repeat(np.arange(len(asked)), condition.sizes)
    n = len(home)
    location = np.interp(means, EXPECTED, LATENT).reshape(len(asked), -1)[home]
    latent = location + generator.normal(0, LENIENCY, (n, 1)) + generator.normal(0, ANSWER, location.shape)
    kinds = np.where(generator.random(latent.shape) < UNKNOWN, Kind.DONT_KNOW, Kind.RATING)
    kinds[np.repeat(ASKED[:, home].T == 0, ISSUES, axis=1)] = Kind.BLANK
    ratings = np.where(kinds == Kind.RATING, np.clip(np.rint(latent), 1, 5), np.nan)
    sample = summarise(moments_of(block_of(ratings, kinds, home), midpoint=SCALE.midpoint))
    questions = np.arange(2 * ISSUES)
    weights = score_weights(sample, questions, np.repeat(ASKED.astype(float), ISSUES, axis=0))
    return estimate(sample, questions, weights, confidence=0.95, low=SCALE.low, high=SCALE.high), truth


def block_of(ratings: np.ndarray, kinds: np.ndarray, home: np.ndarray) -> Block:
    """Respondents of one group each, all of weight 1."""
    n = len(home)
    no = np.zeros(n, np.bool_)
    return Block(
        export=np.zeros(n, np.int32),
        row=np.arange(2, n + 2),
        ratings=ratings,
        kinds=kinds.astype(np.int8),
        members=np.eye(ASKED.shape[1], dtype=np.bool_)[home],
        unknown_group=no,
        empty=no,
        preview=no,
        weight=np.ones(n),
        seconds=np.full(n, np.nan),
        identity=np.zeros(n, np.uint64),
        categories=np.zeros((n, 0), np.int16),
        stratum=np.zeros(n, np.int64),
        cluster=np.zeros(n, np.uint64),
    )


def placed(estimates: Estimates, rule: Threshold, generator: np.random.Generator) -> Tiers:
    """The tiers, as `matrix.build_matrix` has them."""
    covariance, df = errors_of(estimates)
    return place(
        estimates.values.reshape(2, ISSUES),
        covariance,
        (rule, rule),
        material_rule=MaterialRule.EITHER,
        midpoint=SCALE.midpoint,
        generator=generator,
        df=df.reshape(2, ISSUES),
        draws=DRAWS,
    )


@dataclass(frozen=True)
class Claims:
    """What studies state and whether it is so; arrays have the studies first."""

    stated: np.ndarray
    found: np.ndarray

    def within(self, low: float, high: float) -> tuple[int, float, float, float]:
        """How many claims, mean stated, share found and its standard error, of claims from low to below high."""
        here = (self.stated >= low) & ((self.stated < high) | (high == 1.0))
        n = int(here.sum())
        if not n:
            return 0, np.nan, np.nan, np.nan
        share = self.found[here].mean()
        by_study = np.where(here, self.found - share, 0.0).reshape(len(here), -1).sum(axis=1)
        return n, self.stated[here].mean(), share, np.sqrt(np.square(by_study).sum()) / n

    def brier(self) -> float:
        return float(np.square(self.stated - self.found).mean())

    def slope(self) -> float:
        """By which the logits of what is stated must be multiplied: below 1 where too much is claimed."""
        stated, found = np.clip(self.stated.ravel(), 0.5 / DRAWS, 1 - 0.5 / DRAWS), self.found.ravel()
        design = np.column_stack([np.ones(stated.size), special.logit(stated)])
        line = np.array([0.0, 1.0])
        for _ in range(20):
            fitted = special.expit(design @ line)
            curved = design.T @ (design * (fitted * (1 - fitted))[:, None])
            line += np.linalg.solve(curved, design.T @ (found - fitted))
        return float(line[1])


def pooled(claims: Iterable[Claims]) -> Claims:
    """Claims of several kinds of study, one below the other."""
    several = list(claims)
    return Claims(np.concatenate([c.stated for c in several]), np.concatenate([c.found for c in several]))


def beside(claims: Iterable[Claims]) -> Claims:
    """Claims of several rules on the same studies, side by side."""
    several = list(claims)
    return Claims(np.hstack([c.stated for c in several]), np.hstack([c.found for c in several]))


Found = dict[tuple[str, str], dict[str, Claims]]


def run(studies: int) -> Found:
    """All claims, by condition and rule."""
    found: Found = {}
    for number, condition in enumerate(CONDITIONS):
        rows: dict[str, list[dict[str, tuple[np.ndarray, np.ndarray]]]] = {name: [] for name in RULES}
        for study in range(studies):
            generator = np.random.default_rng([number, study])
            estimates, truth = simulate(condition, generator)
            for name, rule in condition.rules().items():
                true_above = truth > threshold(rule, truth, SCALE.midpoint)[:, None]
                rows[name].append(claims_of(placed(estimates, rule, generator), true_above))
        for name, claims in rows.items():
            found[condition.name, name] = {
                kind: Claims(*(np.array([np.ravel(one[kind][side]) for one in claims], float) for side in (0, 1)))
                for kind in claims[0]
            }
    return found


def claims_of(tiers: Tiers, true_above: np.ndarray) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """What one study states, and whether it is so."""
    truth = 3 - true_above.sum(axis=0)
    first = tiers.tier == 1
    stays = np.nan if not first.any() else float((truth[first] == 1).all())
    held = float(((tiers.best <= truth) & (truth <= tiers.worst)).all())
    return {
        "tier": (tiers.tier_confidence, tiers.tier == truth),
        "material": (tiers.p_material, truth < 3),
        "above": (tiers.p_above, true_above),
        "stay": (np.array(tiers.all_stay), np.array(stays)),
        "bands": (np.array(0.95), np.array(held)),
    }


def percent(share: float, digits: int = 1) -> str:
    return "–" if np.isnan(share) else f"{100 * share:.{digits}f}"


def cell(claims: Claims, low: float, high: float) -> str:
    n, stated, share, error = claims.within(low, high)
    return f"{percent(stated)} → {percent(share)} ({percent(error)})" if n else "–"


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
    names = list(head)
    print("| " + " | ".join(names) + " |\n|" + "---|" * len(names))
    for row in rows:
        print("| " + " | ".join(row) + " |")
    print(flush=True)


def reliability(found: Found, kind: str, edges: tuple[float, ...]) -> None:
    """Tables of one kind of claim: by rule over all conditions, and by condition over all rules."""
    names = [condition.name for condition in CONDITIONS]
    by_rule = {rule: pooled(found[name, rule][kind] for name in names) for rule in RULES}
    by_condition = {name: beside(found[name, rule][kind] for rule in RULES) for name in names}
    everything = beside(by_rule.values())
    bins = list(pairwise(edges))
    for first, columns in ((everything, by_rule), (None, by_condition)):
        table(
            ["stated, %", *(["n", "all"] if first else []), *columns],
            (
                [
                    f"{100 * low:.0f} to {100 * high:.0f}",
                    *([f"{first.within(low, high)[0]:,}", cell(first, low, high)] if first else []),
                    *(cell(claims, low, high) for claims in columns.values()),
                ]
                for low, high in bins
            ),
        )


def summary(found: Found) -> None:
    """A line for each condition and rule."""
    rows = []
    for (condition, rule), claims in found.items():
        tier, above = claims["tier"], claims["above"]
        stay = claims["stay"]
        told = np.isfinite(stay.stated[:, 0])
        stays = f"{percent(stay.stated[told].mean(), 0)} → {percent(stay.found[told].mean(), 0)}" if told.any() else "–"
        rows.append(
            [
                condition,
                rule,
                f"{percent(tier.stated.mean())} → {percent(tier.found.mean())}",
                cell(tier, *NEAR),
                f"{tier.brier():.4f}",
                f"{above.slope():.2f}",
                f"{claims['material'].slope():.2f}",
                stays,
                percent(claims["bands"].found.mean(), 0),
            ]
        )
    near = f"stated {100 * NEAR[0]:.0f} to {100 * NEAR[1]:.0f}"
    slopes = ["slope, above", "slope, material"]
    table(["study", "threshold", "all tiers", near, "Brier score", *slopes, "tier 1 stays", "bands hold"], rows)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=1002, help="simulated studies in all (default: %(default)s)")
    each = max(parser.parse_args().studies // len(CONDITIONS), 2)
    found = run(each)
    print("# Calibration of tiers\n\nAll answers are SIMULATED. ", end="")
    print(f"{each * len(CONDITIONS):,} studies, {each} of each kind, each with {len(RULES)} kinds of threshold.\n")
    print("## The tier: confidence stated, and share of placements in the true tier\n")
    reliability(found, "tier", STATED)
    print("## Material (above on either axis): probability stated, and share truly material\n")
    reliability(found, "material", PREDICTED)
    print("## Above the threshold of an axis: probability stated, and share truly above\n")
    reliability(found, "above", PREDICTED)
    stay = pooled(found[c.name, rule]["stay"] for c in CONDITIONS for rule in RULES)
    told = Claims(*(side[np.isfinite(stay.stated[:, 0])] for side in (stay.stated, stay.found)))
    print("## The whole of tier 1 stays: probability stated, and share of studies\n")
    table(
        ["stated, %", "n", "found"],
        (
            [f"{100 * low:.0f} to {100 * high:.0f}", f"{told.within(low, high)[0]:,}", cell(told, low, high)]
            for low, high in ((0.0, 0.1), (0.1, 0.3), (0.3, 0.5), (0.5, 0.7), (0.7, 0.9), (0.9, 1.0))
        ),
    )
    print("## By kind of study and threshold\n")
    print("A slope below 1 claims too much, above 1 too little. Bands: all tiers that they leave open, at 95 %.\n")
    summary(found)


if __name__ == "__main__":
    main()
