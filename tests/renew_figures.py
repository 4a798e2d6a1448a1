"""The reference pictures in `tests/figures`: what they show, and how to draw them anew.

`python tests/renew_figures.py` draws all of them, `python tests/renew_figures.py matrix clusters` those named. Look at
each picture that changed before committing it. They hold for one minor version of matplotlib, whose letters and lines
are drawn alike everywhere; `VERSION` names it. Text is Latin, since fonts for other scripts are the machine's own.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from PIL import Image, ImageOps

from materiality.assessment import Assessment, assess
from materiality.clustering import cluster_issues
from materiality.figures import (
    draw_answers,
    draw_clusters,
    draw_co_assignment,
    draw_gaps,
    draw_groups,
    draw_matrix,
    draw_matrix_by_group,
    draw_multiverse,
    draw_rank_acceptability,
    draw_ranks,
    draw_rows,
    draw_weights,
    house_style,
)

TESTS = Path(__file__).parent
FOLDER = TESTS / "figures"
VERSION = (3, 11)
DPI = 50


@cache
def reference() -> Assessment:
    """The study of simulated answers that the project ships."""
    return assess(TESTS.parent / "surveys" / "kstar-2023")


def clustered(assessment: Assessment, k: int) -> Assessment:
    """The assessment, its issues in so many clusters."""
    tiers = assessment.study.tiers.model_copy(update={"clusters": k})
    study = assessment.study.model_copy(update={"tiers": tiers})
    values = assessment.matrix.points[["x", "y"]].to_numpy(float).T
    found = cluster_issues(study, values, assessment.matrix.tiers.drawn, np.random.default_rng(1))
    return replace(assessment, study=study, clusters=found)


@cache
def in_clusters(k: int) -> Assessment:
    return clustered(reference(), k)


PICTURES: dict[str, Callable[[], Figure]] = {
    "matrix": lambda: draw_matrix(reference()),
    "matrix_numbered": lambda: draw_matrix(reference(), numbered=True),
    "matrix_of_media": lambda: draw_matrix(reference(), group="media"),
    "matrix_by_group": lambda: draw_matrix_by_group(reference()),
    "co_assignment": lambda: draw_co_assignment(in_clusters(3)),
    "clusters": lambda: draw_clusters(in_clusters(3)),
    "ranks": lambda: draw_ranks(reference()),
    "rank_acceptability": lambda: draw_rank_acceptability(reference()),
    "groups": lambda: draw_groups(reference()),
    "answers": lambda: draw_answers(reference()),
    "gaps": lambda: draw_gaps(reference()),
    "multiverse": lambda: draw_multiverse(reference()),
    "weights": lambda: draw_weights(reference()),
    "rows": lambda: draw_rows(reference()),
}
"""What each picture shows, by its name; a line here makes a reference picture and its test."""


def save(figure: Figure, path: Path) -> None:
    """The figure as a small picture: few dots to the inch, sixteen steps of each colour."""
    with io.BytesIO() as file:
        with house_style():
            figure.savefig(file, format="png", dpi=DPI)
        ImageOps.posterize(Image.open(file).convert("RGB"), 4).save(path, optimize=True)


def main(names: list[str]) -> None:
    if mpl.__version_info__[:2] != VERSION:
        sys.exit(f"matplotlib is {mpl.__version__}; the pictures are of {'.'.join(map(str, VERSION))}")
    FOLDER.mkdir(exist_ok=True)
    for name in names or PICTURES:
        save(PICTURES[name](), FOLDER / f"{name}.png")


if __name__ == "__main__":
    main(sys.argv[1:])
