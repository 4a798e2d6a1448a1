"""Weights of respondents, and the table that shows them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from materiality.estimates import Sample
from materiality.study import Study


def weights_table(study: Study, sample: Sample) -> pd.DataFrame:
    """What the respondents of each group count for, by weighting cell.

    Without raking a group is one cell, `all`: its share before is its share after. The size of a group below the
    study's minimum is left out.

    Returns
    -------
    DataFrame
        The columns of `tables/weights.csv`: group, cell, n (respondents), weight (mean), share_before and share_after
        (the cell's share of its group before and after weighting).
    """
    total = sample.moments.per_group(np.array([sums.weight for sums in sample.moments.cells.values()], float))
    n = sample.respondents
    hidden = (n > 0) & (n < study.privacy.hidden_below)
    return pd.DataFrame(
        {
            "group": [group.id for group in study.groups],
            "cell": "all",
            "n": pd.Series(n, dtype="Int64").mask(hidden),
            "weight": np.divide(total, n, out=np.full(len(n), np.nan), where=n > 0),
            "share_before": np.where(n > 0, 1.0, np.nan),
            "share_after": np.where(n > 0, 1.0, np.nan),
        }
    )
