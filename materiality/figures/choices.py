"""Which choices call an issue material."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from materiality.assessment import Assessment
from materiality.figures.canvas import QUIET, house_style
from materiality.figures.sheet import (
    EDGE,
    EMPHASIS,
    HEAD,
    NAMES,
    NOTE_SIZE,
    ROW,
    SHADES,
    WIDTH,
    bars,
    begin,
    boxes,
    column,
    in_order,
    letters,
    names_of,
)
from materiality.multiverse import ALL, CHOICES, NONE
from materiality.wording import Message, Words, words

ALL_WIDTH, TOLD = 1.2, 0.65
"""Inches for the bars over all choices, and for their numbers."""
BETWEEN = 0.12
"""Inches between the columns of two choices."""
TURNED = 1.05
"""Inches for the options, which stand upright."""
HEADS = TURNED + 0.22
CHOICE_WORDS = {
    "threshold": Message("threshold"),
    "rule": Message("rule"),
    "weights": Message("group weights"),
    "certainty": Message("certainty asked"),
    "flagged": Message("flagged rows"),
    "ratings": Message("ratings"),
    "missing": Message("missing answers"),
}
OPTION_WORDS = {
    ("threshold", "study"): Message("the study’s"),
    ("threshold", "midpoint"): Message("middle of the scale"),
    ("weights", "study"): Message("the study’s"),
    ("weights", "respondents"): Message("by respondents"),
    ("ratings", "centred"): Message("less each person’s mean"),
    ("missing", "lowest"): Message("all at the lowest point"),
    ("missing", "highest"): Message("all at the highest point"),
}
NARROW_CHOICES = CHOICE_WORDS | {
    "weights": Message("weights"),
    "certainty": Message("certainty"),
    "flagged": Message("flagged"),
    "missing": Message("missing"),
}
NARROW_OPTIONS = {
    ("rule", "either"): Message("either axis"),
    ("rule", "both"): Message("both axes"),
    ("certainty", NONE): Message("none asked"),
    ("ratings", "centred"): Message("less own mean"),
    ("missing", "lowest"): Message("all at the lowest"),
    ("missing", "highest"): Message("all at the highest"),
}
"""What the columns of the figure have room for."""


def option_words(choice: str, option: str) -> str:
    """An option in words; a certainty, and a word that says enough by itself, as it is."""
    if option.endswith(" %"):
        return Message("%(share)s %%", share=option.removesuffix(" %"))
    return OPTION_WORDS.get((choice, option), option)


def draw_multiverse(assessment: Assessment) -> Figure:
    """The share of the combinations of choices that call an issue material, overall and under each option.

    Raises
    ------
    ValueError
        If there are no choices to combine.
    """
    tongue = words(assessment.study.language)
    table, names = assessment.multiverse.shares, names_of(assessment, tongue)
    overall = table[table["choice"] == ALL]
    if overall["share"].isna().all():
        raise ValueError("no combination of choices could be computed, so there is nothing to draw")
    order = in_order(assessment)
    share = column(overall, order, "share")
    ids = [order[k] for k in np.argsort(-np.nan_to_num(share, nan=-1.0), kind="stable")]
    share = column(overall, ids, "share")
    options = {name: list(dict.fromkeys(table.loc[table["choice"] == name, "option"])) for name in CHOICES}
    options = {name: found for name, found in options.items() if len(found) > 1}
    with house_style(letters(assessment)):
        about = tongue.gettext("choices that call an issue material")
        sheet = begin(assessment, tongue, about, _note(assessment, tongue), HEADS + len(ids) * ROW)
        top, left = HEAD + HEADS, EDGE + NAMES
        sheet.name_rows([names[f"issue:{one}"] for one in ids], top)
        ends = tongue.say("%(share)s %%", share=0), tongue.say("%(share)s %%", share=100)
        sheet.shade_key(left - 0.1, top - 0.35, tongue.gettext("Share of the combinations"), ends)
        panel = sheet.panel(left, top, ALL_WIDTH, len(ids), (0, 1))
        panel.set_xticks([0, 0.5, 1], labels=["0", "50", ends[1]])
        bars(panel, np.zeros(len(ids)), share, np.arange(len(ids)), colors=EMPHASIS, linewidths=8)
        sheet.head_panel(left, top, tongue.gettext("All choices"), ALL_WIDTH)
        left += ALL_WIDTH + 0.08
        for row, value in enumerate(share):
            sheet.write(left, top + (row + 0.5) * ROW, _percent(value, tongue), size=NOTE_SIZE, color=QUIET)
        left += TOLD
        columns = sum(map(len, options.values()))
        cell = (WIDTH - EDGE - left - BETWEEN * len(options)) / max(columns, 1)
        cell = min(cell, 0.45)
        for name, found in options.items():
            panel = sheet.panel(left, top, cell * len(found), len(ids), (0, len(found)))
            panel.set_xticks([])
            part = table[(table["choice"] == name) & table["share"].notna()]
            rows, places = part["issue"].map(ids.index).to_numpy(), part["option"].map(found.index).to_numpy()
            boxes(panel, places, places + 1, rows, rows + 1, SHADES(part["share"].to_numpy(float)))
            over = tongue.said(NARROW_CHOICES[name]).capitalize()
            sheet.write(left, HEAD + 0.1, over, width=cell * len(found) + 0.1, size=NOTE_SIZE, weight="bold")
            for place, option in enumerate(found):
                said = _option(name, option, tongue)
                middle = left + (place + 0.5) * cell
                sheet.write(
                    middle, top - 0.06, said, width=TURNED, size=NOTE_SIZE, rotation=90, ha="center", va="bottom"
                )
            left += cell * len(found) + BETWEEN
    return sheet.figure


def _option(choice: str, option: str, tongue: Words) -> str:
    """The words of an option, those of the tables among them."""
    return tongue.gettext(tongue.said(NARROW_OPTIONS.get((choice, option)) or option_words(choice, option)))


def _percent(share: float, tongue: Words) -> str:
    """A share as a whole percentage; 0 and 100 are said only of none and all."""
    if np.isnan(share):
        return "–"
    if 0.99 < share < 1:
        return tongue.say("over 99 %%")
    return tongue.say("under 1 %%") if 0 < share < 0.01 else tongue.say("%(share)s %%", share=f"{100 * share:.0f}")


def _note(assessment: Assessment, tongue: Words) -> list[str]:
    return [
        tongue.say(
            "%(n)s combinations of choices that could be defended, each counting once.",
            n=f"{len(assessment.multiverse.choices):,}",
        ),
        tongue.gettext(
            "The darker, the larger the share of the combinations with that option that call the issue material."
        ),
        tongue.gettext("Certainty: the confidence with which a score has to lie above the threshold."),
        tongue.gettext("These shares are no probabilities: they say how far a result depends on choices."),
        tongue.say("Tables: %(files)s.", files=["choices.csv", "multiverse.csv"]),
    ]
