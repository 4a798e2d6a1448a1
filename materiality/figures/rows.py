"""What became of the rows, and what weighting did with the respondents."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from materiality.assessment import Assessment
from materiality.figures.canvas import INK, QUIET, house_style
from materiality.figures.sheet import (
    EDGE,
    EMPHASIS,
    HEAD,
    NAMES,
    PALE,
    ROW,
    WIDTH,
    Sheet,
    bars,
    begin,
    boxes,
    letters,
    names_of,
)
from materiality.wording import ENGLISH, Words, words

EXPORTS = 6
"""Exports drawn one by one; more are drawn together."""
CELLS = 24
"""Weighting cells of a group that are drawn at most."""
KEPT, FLAGGED = "kept", "flagged: "
EXCLUDED = "#b3560a"
NUMBERS = 0.75


def draw_rows(assessment: Assessment) -> Figure:
    """From the rows read to those kept: what each reason took away, and below it which of the kept were flagged.

    Raises
    ------
    ValueError
        If no row was read.
    """
    tongue = words(assessment.study.language)
    exports = [(one.name, one.rows, one.fates) for one in assessment.gathered.exports if one.rows]
    if not exports:
        raise ValueError("no row was read, so there is nothing to draw")
    if len(exports) > EXPORTS:
        together = sum((fates for _, _, fates in exports), Counter[str]())
        name = tongue.say("%(n)s exports together", n=len(exports))
        exports = [(name, sum(rows for _, rows, _ in exports), together)]
    flows = [(name, flow_of(rows, fates, tongue)) for name, rows, fates in exports]
    note = [
        tongue.gettext("Each row read has one fate."),
        tongue.gettext("Excluded rows are taken off from the right, one reason after the other; what is left is kept."),
        tongue.gettext("Flagged rows are kept too; one row may have several flags."),
        tongue.say("Tables: %(files)s.", files="dispositions.csv"),
    ]
    head = 0.42
    with house_style(letters(assessment, *(name for name, _ in flows))):
        body = sum(head + len(flow) * ROW + 0.15 for _, flow in flows)
        sheet = begin(assessment, tongue, tongue.gettext("what became of the rows"), note, body)
        top = HEAD
        for name, flow in flows:
            top += head
            sheet.write(EDGE, top - 0.14, name, width=WIDTH - 2 * EDGE, size=9, weight="bold")
            _flow(sheet, top, flow, tongue)
            top += len(flow) * ROW + 0.15
    return sheet.figure


def flow_of(rows: int, fates: Counter[str], tongue: Words = ENGLISH) -> pd.DataFrame:
    """The steps from read to kept, and the flags.

    Returns
    -------
    DataFrame
        words, kind (`read`, `excluded`, `kept` or `flagged`), n, start and end (where its bar lies, in rows).
    """
    steps, left = [(tongue.gettext("Read"), "read", rows, 0, rows)], rows
    excluded = [(why, n) for why, n in fates.items() if why != KEPT and not why.startswith(FLAGGED) and n]
    for why, n in sorted(excluded, key=lambda one: -one[1]):
        steps.append((tongue.say("Excluded: %(reason)s", reason=tongue.gettext(why)), "excluded", n, left - n, left))
        left -= n
    steps.append((tongue.gettext("Kept"), "kept", fates[KEPT], 0, fates[KEPT]))
    flagged = [(why.removeprefix(FLAGGED), n) for why, n in fates.items() if why.startswith(FLAGGED) and n]
    for why, n in sorted(flagged, key=lambda one: -one[1]):
        steps.append((tongue.say("Kept and flagged: %(reason)s", reason=tongue.gettext(why)), "flagged", n, 0, n))
    return pd.DataFrame(steps, columns=["words", "kind", "n", "start", "end"])


def _flow(sheet: Sheet, top: float, flow: pd.DataFrame, tongue: Words) -> None:
    read = int(flow["n"].iloc[0])
    sheet.name_rows(flow["words"], top)
    panel = sheet.panel(EDGE + NAMES, top, WIDTH - 2 * EDGE - NAMES - 2 * NUMBERS, len(flow), (0, read))
    panel.set_xticks([])
    colours = flow["kind"].map({"read": QUIET, "excluded": EXCLUDED, "kept": EMPHASIS, "flagged": PALE}).tolist()
    rows = np.arange(len(flow))
    boxes(panel, flow["start"], flow["end"], rows + 0.18, rows + 0.82, colours, edgecolors=colours)
    right = WIDTH - EDGE - NUMBERS
    for row, n in enumerate(flow["n"]):
        y = top + (row + 0.5) * ROW
        sheet.write(right, y, f"{n:,}", width=NUMBERS, ha="right")
        share = tongue.say("%(share)s %%", share=f"{100 * n / read:.1f}")
        sheet.write(WIDTH - EDGE, y, share, width=NUMBERS, ha="right", color=QUIET)


def draw_weights(assessment: Assessment) -> Figure:
    """What weighting did to each raked group: shares of its margins and of its weighting cells before and after.

    Raises
    ------
    ValueError
        If no group is raked.
    """
    tongue = words(assessment.study.language)
    names, margins = names_of(assessment, tongue), assessment.margins
    if margins.empty:
        raise ValueError("no group is raked, so there is nothing to draw")
    groups = [group.id for group in assessment.study.groups if (margins["group"] == group.id).any()]
    tables = {group: shares_of(assessment, group) for group in groups}
    head = 0.5
    with house_style(letters(assessment, *(name for table in tables.values() for name in table["words"]))):
        body = sum(head + len(table) * ROW + 0.2 for table in tables.values())
        about, note = tongue.gettext("shares before and after weighting"), _weights_note(tables, assessment, tongue)
        sheet = begin(assessment, tongue, about, note, body)
        top = HEAD
        for group, table in tables.items():
            top += head
            counting = _counting(assessment, group, names[f"group:{group}"], tongue)
            sheet.write(EDGE, top - 0.24, counting, width=WIDTH - 2 * EDGE, size=9, weight="bold", va="bottom")
            sheet.name_rows(table["words"], top)
            _shares(sheet, top, table, tongue)
            top += len(table) * ROW + 0.2
    return sheet.figure


def shares_of(assessment: Assessment, group: str) -> pd.DataFrame:
    """A raked group's margins, then its weighting cells where they are few, shares as the tables have them.

    Returns
    -------
    DataFrame
        words, before, after, wanted (NaN for cells).
    """
    margins = assessment.margins[assessment.margins["group"] == group]
    cells = assessment.weights[assessment.weights["group"] == group]
    found = pd.DataFrame(
        {
            "words": margins["column"] + ": " + margins["category"],
            **{name: margins[name].astype(float) for name in ("before", "after", "wanted")},
        }
    )
    if margins["column"].nunique() < 2 or len(cells) > CELLS:
        return found.reset_index(drop=True)
    inner = pd.DataFrame(
        {
            "words": cells["cell"],
            "before": cells["share_before"].astype(float),
            "after": cells["share_after"].astype(float),
            "wanted": np.nan,
        }
    )
    return pd.concat([found, inner], ignore_index=True)


def _weights_note(tables: Mapping[str, pd.DataFrame], assessment: Assessment, tongue: Words) -> list[str]:
    said = [
        tongue.gettext("Shares of the group’s respondents."),
        tongue.gettext(
            "Hollow: before weighting; filled: after it; upright line: as the study file says that the group is."
        ),
    ]
    if any(table["wanted"].isna().any() for table in tables.values()):
        said.append(tongue.gettext("Rows that name several columns are weighting cells, for which no share is given."))
    if any(table["after"].isna().any() for table in tables.values()):
        said.append(tongue.gettext("Hidden: would tell of fewer people than the study’s minimum."))
    if assessment.study.weighting.trim is not None:
        said.append(tongue.gettext("Weights are trimmed, so a share may fall short of the one given."))
    return [*said, tongue.say("Tables: %(files)s.", files=["margins.csv", "weights.csv", "weighting.csv"])]


def _counting(assessment: Assessment, group: str, name: str, tongue: Words) -> str:
    """What the heading says: the group's name, and of its size."""
    row = assessment.weighting.set_index("group").loc[group]
    if pd.isna(row["n"]) or pd.isna(row["n_effective"]):
        return name
    return tongue.say(
        "%(group)s: %(n)s respondents tell as much as %(effective)s who all count the same",
        group=name,
        n=f"{int(row['n']):,}",
        effective=f"{row['n_effective']:,.0f}",
    )


def _shares(sheet: Sheet, top: float, table: pd.DataFrame, tongue: Words) -> None:
    width, rows = WIDTH - 2 * EDGE - NAMES - 2 * NUMBERS, np.arange(len(table))
    most = float(np.nanmax(table[["before", "after", "wanted"]].to_numpy(), initial=0.0)) or 1.0
    panel = sheet.panel(EDGE + NAMES, top, width, len(table), (-0.03 * most, 1.03 * most))
    ticks = np.linspace(0, most, 5) if most < 0.05 else np.arange(0, most, 0.1 if most <= 0.5 else 0.2)
    panel.set_xticks(ticks, labels=[tongue.say("%(share)s %%", share=f"{100 * tick:.3g}") for tick in ticks])
    bars(panel, table["before"], table["after"], rows, colors=EMPHASIS, linewidths=2.2)
    panel.scatter(table["before"], rows + 0.5, s=34, color="white", edgecolor=EMPHASIS, linewidth=1.3, zorder=3)
    panel.scatter(table["after"], rows + 0.5, s=34, color=EMPHASIS, linewidth=0, zorder=4)
    panel.vlines(table["wanted"], rows + 0.1, rows + 0.9, color=INK, linewidth=1.6, zorder=5)
    for row, (before, after) in enumerate(zip(table["before"], table["after"], strict=True)):
        shares = [tongue.say("%(share)s %%", share=f"{100 * share:.1f}") for share in (before, after)]
        told = tongue.gettext("hidden") if np.isnan(before) or np.isnan(after) else " → ".join(shares)
        sheet.write(WIDTH - EDGE, top + (row + 0.5) * ROW, told, width=2 * NUMBERS - 0.1, ha="right")
