"""Segments of respondents who set the same priorities, across the groups: what averages hide."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from materiality.clusters import verdict
from materiality.disclosure import complemented
from materiality.robustness import sampled
from materiality.samples import Sample
from materiality.segments import Segments, segment_kmeans, segment_mixture
from materiality.spooling import Spool
from materiality.study import Study

BoolArray = NDArray[np.bool_]
FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
MOST_PEOPLE = 2_000
"""Respondents to look at on an axis; of more, a share is taken by a hash of who they are."""
PEOPLE_EACH = 20
"""Respondents for each segment that is looked for, lest a few outliers be called one."""
MOST_SEGMENTS = 5
METHODS = {"latent_classes": segment_mixture, "kmeans": segment_kmeans}
COLUMNS = {
    "segments": ("segment", "n", "share", "stability", "verdict"),
    "number": ("segments", "prediction_strength", "bic", "bic_continuum", "chosen"),
    "profiles": ("segment", "issue", "centred", "distinct"),
    "make_up": ("segment", "group", "share"),
}


@dataclass(frozen=True)
class Segmentation:
    """Segments of the respondents of each axis, as tables.

    Attributes
    ----------
    segments : DataFrame
        axis, method (`kmeans` or `latent_classes`), segment (1 is the largest; 0 who set no priorities, by giving one
        rating or equal ones), n, share (of those looked at), stability (bootstrapped Jaccard), verdict (on it). One
        segment means that the answers bear out no more.
    number : DataFrame
        axis, method, segments (1, 2, …), prediction_strength (of k-means only), bic, bic_continuum, chosen (see
        `segments`).
    profiles : DataFrame
        axis, method, segment, issue, centred (mean of the answers less each person's leniency, in points), distinct
        (Cohen's d against everybody else; NaN where neither has any spread). Of several segments only; NaN where fewer
        people than may be shown are in the segment, and `distinct` also where so few are in all others.
    make_up : DataFrame
        axis, method, segment, group, share (of the group's people who are in a segment). NaN where fewer people than
        may be shown would stand behind a cell, and where the rest of the table would tell.
    """

    segments: pd.DataFrame
    number: pd.DataFrame
    profiles: pd.DataFrame
    make_up: pd.DataFrame


def segment_respondents(study: Study, sample: Sample, rows: Spool, generator: np.random.Generator) -> Segmentation:
    """Look for segments among the respondents of each axis, by k-means and by latent classes (`segments`).

    Respondents count once, unweighted; people of groups of which anything on the axis is closed do not enter. At most
    one segment is looked for in every 20 of them, and five. Axes on which fewer people than may be shown are left so
    are left out.
    """
    found: dict[str, list[pd.DataFrame]] = {name: [] for name in COLUMNS}
    for k, axis in enumerate(study.axes):
        asked, questions = np.array(study.layout.group_weights[k]) > 0, list(study.layout.question_of[k])
        ratings, members, keys = sampled(study, sample, rows, k, MOST_PEOPLE * len(questions))
        if len(ratings) < max(study.privacy.hidden_below, 1) or len(questions) < 2:
            continue
        # the same whatever the order of the rows
        order = np.lexsort((*np.nan_to_num(ratings, nan=-np.inf).T, keys))
        ratings, members = ratings[order], members[order]
        most = min(max(len(ratings) // PEOPLE_EACH, 1), MOST_SEGMENTS)
        for method, segment in METHODS.items():
            segments = segment(ratings, generator, most=most)
            for name, table in _tables(study, segments, ratings, members, np.flatnonzero(asked)):
                table.insert(0, "axis", axis)
                table.insert(1, "method", method)
                found[name].append(table)
    return Segmentation(
        **{
            name: pd.concat(tables, ignore_index=True)
            if tables
            else pd.DataFrame(columns=["axis", "method", *COLUMNS[name]])
            for name, tables in found.items()
        }
    )


def _tables(
    study: Study, found: Segments, ratings: FloatArray, members: BoolArray, groups: IntArray
) -> list[tuple[str, pd.DataFrame]]:
    """The tables of one axis and method, without the columns that name these."""
    smallest = study.privacy.hidden_below
    people, none = len(found.segment), int((found.segment < 0).sum())
    numbers = np.arange(1, found.k + 1)
    several = found.k > 1
    segments = pd.DataFrame(
        {
            "segment": [*numbers, *([0] if none else [])],
            "n": [*found.sizes, *([none] if none else [])],
            "stability": [*found.jaccard, *([np.nan] if none else [])],
        }
    )
    segments.insert(2, "share", segments["n"] / people)
    segments["verdict"] = [None if np.isnan(value) else verdict(value).value for value in segments["stability"]]
    sizes = segments["n"].to_numpy(np.int64)
    small = complemented(sizes, (sizes > 0) & (sizes < smallest), np.ones((1, len(sizes))), smallest=smallest)
    segments = segments.astype({"n": "Int64"})
    segments.loc[small, ["n", "share"]] = pd.NA
    tried = np.isfinite(found.bic)
    number = pd.DataFrame(
        {
            "segments": np.arange(1, len(tried) + 1),
            "prediction_strength": found.prediction_strength,
            "bic": found.bic,
            "bic_continuum": found.bic_continuum,
            "chosen": np.arange(1, len(tried) + 1) == found.k,
        }
    )[tried]
    inside = found.segment[:, None] == np.arange(found.k)
    raters = inside.T.astype(np.int64) @ np.isfinite(ratings)
    one = np.ones((1, found.k))
    shown = ~np.column_stack([complemented(n, n < max(smallest, 1), one, smallest=smallest) for n in raters.T])
    compared = shown & (found.sizes.sum() - found.sizes >= smallest)[:, None] & np.isfinite(found.distinct)
    issues = [issue.id for issue in study.issues]
    profiles = pd.DataFrame(
        {
            "segment": np.repeat(numbers, len(issues)),
            "issue": issues * found.k,
            "centred": np.where(shown, found.centres, np.nan).ravel(),
            "distinct": np.where(compared, found.distinct, np.nan).ravel(),
        }
    )
    counts = members.T.astype(np.int64) @ inside.astype(np.int64)
    total = counts.sum(axis=1, keepdims=True)
    kept = ~_masked(counts, smallest)
    shares = np.divide(counts, total, out=np.full(counts.shape, np.nan), where=kept & (total > 0))
    make_up = pd.DataFrame(
        {
            "segment": np.tile(numbers, len(groups)),
            "group": np.repeat([study.groups[g].id for g in groups], found.k),
            "share": shares.ravel(),
        }
    )
    return [
        ("segments", segments),
        ("number", number),
        ("profiles", profiles if several else profiles[:0]),
        ("make_up", make_up if several else make_up[:0]),
    ]


def _masked(counts: IntArray, smallest: int) -> BoolArray:
    """Cells that must not be shown (groups × segments), and others with them, the smallest first.

    Sums of rows and columns count as known: groups' sizes and segments' sizes are told.
    """
    rows, columns = counts.shape
    row, column = np.indices(counts.shape)
    sums = [(row == k).ravel() for k in range(rows)] + [(column == k).ravel() for k in range(columns)]
    few = (counts > 0) & (counts < smallest)
    return complemented(counts.ravel(), few.ravel(), np.array(sums), smallest=smallest).reshape(counts.shape)
