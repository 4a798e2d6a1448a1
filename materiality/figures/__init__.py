"""Figures of an assessment. Each function takes the assessment and returns a matplotlib figure; none writes files."""

from collections.abc import Callable
from enum import StrEnum
from functools import partial

from matplotlib.figure import Figure

from materiality.assessment import Assessment
from materiality.figures.canvas import house_style, said_by, shorten
from materiality.figures.choices import CHOICE_WORDS, draw_multiverse, option_words
from materiality.figures.clusters import METHOD_WORDS, draw_clusters, draw_co_assignment
from materiality.figures.groups import draw_answers, draw_gaps, draw_groups, means_of
from materiality.figures.matrix import THRESHOLD_WORDS, draw_matrix, groups_shown
from materiality.figures.panels import draw_matrix_by_group
from materiality.figures.rows import draw_rows, draw_weights
from materiality.figures.scores import draw_rank_acceptability, draw_ranks

__all__ = [
    "CHOICE_WORDS",
    "METHOD_WORDS",
    "THRESHOLD_WORDS",
    "Choice",
    "draw_answers",
    "draw_clusters",
    "draw_co_assignment",
    "draw_gaps",
    "draw_groups",
    "draw_matrix",
    "draw_matrix_by_group",
    "draw_multiverse",
    "draw_rank_acceptability",
    "draw_ranks",
    "draw_rows",
    "draw_weights",
    "figures_of",
    "groups_shown",
    "house_style",
    "option_words",
    "said_by",
    "shorten",
]


class Choice(StrEnum):
    """Which figures a run writes: all, or those alone that the report holds."""

    ALL = "all"
    MAIN = "main"


MAIN = ("matrix", "clusters")


def figures_of(assessment: Assessment, choice: Choice = Choice.ALL) -> dict[str, Callable[[], Figure]]:
    """The figures that a run writes, by file name and in a fixed order: those that there is something to draw for.

    Examples
    --------
    >>> from materiality import assess
    >>> list(figures_of(assess("surveys/kstar-2023")))[:2]  # doctest: +SKIP
    ['matrix', 'matrix_numbered']
    """
    draw: dict[str, Callable[[Assessment], Figure]] = {
        "matrix": draw_matrix,
        "matrix_numbered": partial(draw_matrix, numbered=True),
    }
    if len(groups_shown(assessment)) > 1:
        draw["matrix_by_group"] = draw_matrix_by_group
    if assessment.clusters.stability is not None:
        draw |= {"clusters": draw_clusters, "co_assignment": draw_co_assignment}
    draw |= {"ranks": draw_ranks, "rank_acceptability": draw_rank_acceptability}
    if any(table["estimate"].notna().any() for table in means_of(assessment).values()):
        draw["groups"] = draw_groups
    told = assessment.answers[assessment.answers["share"].notna()]
    draw |= {f"answers_{axis}": partial(draw_answers, axis=axis) for axis in told["axis"].unique()}
    matrix = assessment.differences["axis"].isin([assessment.study.x, assessment.study.y])
    if assessment.differences.loc[matrix, "difference"].notna().any():
        draw["gaps"] = draw_gaps
    if assessment.multiverse.shares["share"].notna().any():
        draw["multiverse"] = draw_multiverse
    if len(assessment.margins):
        draw["weights"] = draw_weights
    draw["rows"] = draw_rows
    return {name: partial(one, assessment) for name, one in draw.items() if choice is Choice.ALL or name in MAIN}
