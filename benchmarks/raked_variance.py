"""Which variance covers for a small raked group: coverage of 95 % t intervals on SIMULATED answers.

    python benchmarks/raked_variance.py

One group answers one question on a five-point scale; its population's mean is known, because the program made it.
Respondents of some categories answer more often than others, and the group is raked to the margins of two columns (two
and four categories). Samples that leave a category empty are drawn again, as a study would be refused.

    residual    calibration residuals, n/(n − 1), n − 1 degrees of freedom (R's calibrate)
    corrected   calibration residuals, n/(n − p), n − p degrees of freedom, p the rank of the margins' dummies
    plain       no residuals: as if the raked weights had been given, n/(n − 1), n − 1 degrees of freedom
    cautious    no residuals, n/(n − p), n − p degrees of freedom: what the package does below 200 respondents
    jackknife   one respondent left out at a time, raked again each time, n − 1 degrees of freedom
"""

from __future__ import annotations

import numpy as np
from scipy import stats

from materiality.raking import projector, rake

REPEATS = 1000
SHARES = (np.array([0.5, 0.5]), np.array([0.4, 0.3, 0.2, 0.1]))
RESPONSE = (np.array([0.3, 0.7]), np.array([0.2, 0.3, 0.5, 0.8]))
METHODS = ("residual", "corrected", "plain", "cautious", "jackknife")


def draw(generator: np.random.Generator, n: int, effect: float) -> tuple[np.ndarray, np.ndarray]:
    """Categories, shape (n, 2), and ratings of n respondents."""
    cell = np.outer(*SHARES) * np.outer(*RESPONSE)
    picked = generator.choice(8, n, p=(cell / cell.sum()).ravel())
    classes = np.column_stack(np.divmod(picked, 4))
    latent = 4.0 + effect * (classes[:, 0] - 0.5) + effect * (classes[:, 1] - 1.0) / 2 + generator.normal(0, 0.9, n)
    return classes, np.clip(np.rint(latent), 1, 5)


def truth(effect: float) -> float:
    """The population's mean, by its cells' exact means."""
    edges = np.array([1.5, 2.5, 3.5, 4.5])
    total = 0.0
    for a, share_a in enumerate(SHARES[0]):
        for b, share_b in enumerate(SHARES[1]):
            centre = 4.0 + effect * (a - 0.5) + effect * (b - 1.0) / 2
            total += share_a * share_b * (1 + stats.norm.sf(edges, centre, 0.9).sum())
    return total


def covered(classes: np.ndarray, ratings: np.ndarray, mean: float) -> list[tuple[bool, float]]:
    """Whether each method's interval holds the mean, and its width."""
    n = len(ratings)
    ones = np.ones(n)
    weight = rake(ones, classes, SHARES).factors
    estimate = weight @ ratings / n
    z = (ratings - estimate) / n
    found = projector(ones, classes)
    p = found.rank
    residual = weight * (z - found.fitted(z))
    plain = weight * z
    base = ones[:, None] - np.eye(n)
    usable = np.array(
        [
            all((base[:, i] @ (classes[:, c] == k)) > 0 for c in range(2) for k in range(len(SHARES[c])))
            for i in range(n)
        ]
    )
    again = rake(base[:, usable], classes, SHARES).factors * base[:, usable]
    without = (again * ratings[:, None]).sum(axis=0) / again.sum(axis=0)
    spread = lambda u: np.square(u - u.mean()).sum()  # noqa: E731
    variances = (
        (spread(residual) * n / (n - 1), n - 1),
        (spread(residual) * n / (n - p), n - p),
        (spread(plain) * n / (n - 1), n - 1),
        (spread(plain) * n / (n - p), n - p),
        (np.square(without - estimate).sum() * (n - 1) / n * n / usable.sum(), n - 1),
    )
    reach = [stats.t.ppf(0.975, df) * np.sqrt(v) for v, df in variances]
    return [(abs(estimate - mean) <= r, 2 * r) for r in reach]


def main() -> None:
    """Print the table."""
    print("Coverage in % (mean width in points) of 95 % intervals; SIMULATED answers.")
    print(f"{REPEATS} samples a line, an eighth of them above n = 100.")
    print("The Monte Carlo error is at most 1.6, and 2.5 above n = 100.\n")
    print("| effect | n | " + " | ".join(METHODS) + " |")
    print("|---|---|" + "---|" * len(METHODS))
    for effect in (0.0, 0.8):
        mean = truth(effect)
        for n in (12, 20, 35, 50, 100, 200, 500):
            generator = np.random.default_rng([n, int(10 * effect)])
            repeats = REPEATS if n <= 100 else REPEATS // 8
            hits = np.zeros((repeats, len(METHODS), 2))
            for repeat in range(repeats):
                while True:
                    classes, ratings = draw(generator, n, effect)
                    if all(len(set(classes[:, c])) == len(SHARES[c]) for c in range(2)) and np.ptp(ratings):
                        break
                hits[repeat] = covered(classes, ratings, mean)
            cells = [f"{100 * c:.1f} ({w:.2f})" for c, w in hits.mean(axis=0)]
            print(f"| {effect} | {n} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
