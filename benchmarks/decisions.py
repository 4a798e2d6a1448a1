"""How long it takes to say how sure decisions are, beside the plain way, on SIMULATED scores.

    python benchmarks/decisions.py

Clusters of 25 issues made anew in 10,000 draws of the scores, all at once, against scikit-learn one draw at a time (on
200 draws, times 50); the multiverse of the reference study; its acceptability under uncertain weights; its segments.
Ratios count, seconds depend on the machine.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from sklearn.cluster import AgglomerativeClustering, KMeans
from sklearn.mixture import GaussianMixture

from materiality.assessment import assess
from materiality.clusters import gaussian_mixture, kmeans, natural_breaks, stability, ward
from materiality.multiverse import multiverse
from materiality.robustness import centred_moments
from materiality.segmentation import segment_respondents
from materiality.sensitivity import acceptability_tables

STUDY = Path(__file__).parent.parent / "surveys" / "kstar-2023"
DRAWS, FEW, CLUSTERS = 10_000, 200, 3
PLAIN: dict[str, Callable[[np.ndarray], object]] = {
    "k-means": lambda points: KMeans(CLUSTERS, n_init=10, random_state=0).fit(points),
    "Ward": lambda points: AgglomerativeClustering(CLUSTERS).fit(points),
    "Gaussian mixture": lambda points: GaussianMixture(CLUSTERS, covariance_type="tied", random_state=0).fit(points),
}
OURS = {"k-means": kmeans, "Ward": ward, "Gaussian mixture": gaussian_mixture}


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def clusters(name: str, points: np.ndarray, drawn: np.ndarray) -> None:
    for method, fit in OURS.items():
        ours = seconds(partial(stability, points, drawn, CLUSTERS, fit))
        plain = seconds(lambda work=PLAIN[method]: [work(one) for one in drawn[:FEW]]) * DRAWS / FEW
        print(f"| {name} | {method} | {ours:.2f} | {plain / ours:.0f} |")
    line = seconds(lambda: stability(points.mean(axis=1), drawn.mean(axis=2), CLUSTERS, natural_breaks))
    print(f"| {name} | natural breaks | {line:.2f} | |")


def main() -> None:
    generator = np.random.default_rng(5)
    clouds = {
        "three clusters": np.repeat([[4.4, 4.4], [3.8, 3.9], [3.2, 3.3]], [9, 8, 8], axis=0)
        + generator.normal(0, 0.08, (25, 2)),
        "a continuum": generator.uniform(3.0, 4.6, (25, 1)) + generator.normal(0, 0.15, (25, 2)),
    }
    print(f"Clusters made anew in {DRAWS:,} draws of 25 issues, matched and compared; scikit-learn: the fits alone\n")
    print("| issues | method | seconds | scikit-learn, times as long |\n|---|---|---|---|")
    for name, points in clouds.items():
        clusters(name, points, points + generator.normal(0, 0.07, (DRAWS, 25, 2)))
    found = assess(STUDY)
    study, rows, moments = found.study, found.gathered.rows, found.gathered.moments
    people, centred = int(found.sample.moments.stack("n").sum()), centred_moments(study, rows)
    print("\nThe reference study (SIMULATED answers)\n\n| what | seconds |\n|---|---|")
    for what, work in {
        f"multiverse of {len(found.multiverse.choices)} choices": partial(multiverse, study, moments, centred),
        "acceptability under uncertain weights": partial(
            acceptability_tables, study, found.sample, found.matrix, generator
        ),
        f"segments of {people} respondents, two axes, two methods": partial(
            segment_respondents, study, found.sample, rows, generator
        ),
    }.items():
        print(f"| {what} | {seconds(work):.2f} |")


if __name__ == "__main__":
    main()
