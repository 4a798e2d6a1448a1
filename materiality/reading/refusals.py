"""What is no export of responses: summaries, cross-tabulations, codebooks and other files that hold no respondents."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import pairwise

from materiality.errors import joined, shown
from materiality.reading.kinds import Head
from materiality.study import fold

Rows = Sequence[Sequence[str]]
RECORDS_TO_JUDGE = 200
"""So many first records are enough to tell; more do no harm."""

A_PERCENTAGE = re.compile(r"<?\s*-?\d+(?:[.,]\d+)?\s*[%％]|[%％]\s*\d+(?:[.,]\d+)?")
A_NUMBER = re.compile(r"-?\d{1,3}(?:[ ,.'\u00a0\u202f]\d{3})+(?:[.,]\d+)?|-?\d+(?:[.,]\d+)?(?:[eE][+-]?\d+)?")
JSON_START = re.compile(r'\s*(?:\[\s*)?\{\s*"(?P<key>[^"]*)"\s*:')
PAGE_START = re.compile(r"\s*<(?:!doctype|html|\?xml)\b", re.IGNORECASE)


def _words(*words: str) -> frozenset[str]:
    return frozenset(map(fold, words))


ANSWERS = _words(
    *("Answer Choices", "Answer Options", "Answer", "Answers", "Choice", "Choices", "Option", "Options", "Value"),
    *("Antwortoptionen", "Antwort", "Antworten", "Choix de réponses", "Choix de réponse", "Réponse", "Réponses"),
    *(
        "Opciones de respuesta",
        "Respuesta",
        "Respuestas",
        "Opzioni di risposta",
        "Risposta",
        "选项",
        "題目選項",
        "回答の選択肢",
    ),
)
COUNTS = _words(
    *("Responses", "Response Percent", "Response Count", "Response Total", "Count", "Choice Count", "Percent", "%"),
    *(
        "Percentage",
        "Frequency",
        "Ratio",
        "Total",
        "Totals",
        "Number",
        "N",
        "Anzahl",
        "Prozent",
        "Anteil",
        "Häufigkeit",
    ),
    *("Beantwortungen", "Pourcentage", "Nombre", "Porcentaje", "Recuento", "Percentuale", "Conteggio"),
    *("小计", "比例", "百分比", "回答数"),
)
BESIDE = _words("#", "Rank", "Average", "Mean", "Rating Average", "Weighted Average", "Field", "Score", "Rating Count")
TOTALS = _words(
    *("Answered", "Skipped", "Answered Question", "Skipped Question", "Total Respondents", "Beantwortet"),
    *("Übersprungen", "Répondues", "Ignorées", "Respondido", "Omitido", "Risposte", "Saltate", "本题有效填写人次"),
)
RATED = _words(
    "Total", "Weighted Average", "Rating Average", "Rating Count", "Response Count", "Gewichteter Mittelwert"
)
VARIABLES = _words(
    *("Variable", "Variable name", "Variable / Field Name", "Var", "Varname", "Var name", "Field name"),
    *("Column name", "Question code", "Question ID", "Item code", "Variablenname", "Nom de la variable"),
)
MEANINGS = _words(
    *("Label", "Variable label", "Labels", "Value labels", "Values", "Description", "Question", "Question text"),
    *(
        "Question wording",
        "Wording",
        "Codes",
        "Coding",
        "Code",
        "Choices",
        "Answer options",
        "Response options",
        "Type",
    ),
    *(
        "Data type",
        "Field type",
        "Field label",
        "Form name",
        "Measurement level",
        "Measure",
        "Level",
        "Format",
        "Notes",
    ),
    *("Missing values", "Missing", "Valid values", "Range", "Beschreibung", "Fragetext", "Wertelabels", "Étiquette"),
)
SIZES = re.compile(
    r"weight|count|share|proportion|percent|popul|freq|gewicht|anteil|anzahl|poids|effectif|peso|权重|人数|比例|[%％]"
)
SIZES_ALONE = _words("n", "N", "w", "wt", "wgt", "pct", "prop", "pop")

EVERYWHERE = (
    "export one row per respondent: SurveyMonkey 'All responses data' (not 'Summary data'), Qualtrics "
    "'Data & Analysis > Export data', Google Forms 'View in Sheets', Microsoft Forms 'Open in Excel'."
)


def why_no_export(rows: Rows, heads: Sequence[Head]) -> tuple[str, str] | None:
    """What is wrong with a file that holds no responses, and what to export instead; None for an export of responses.

    Where in doubt a file is an export: a refusal that is wrong stops the user, a table that slips through is seen in
    what `inspect` shows.

    Parameters
    ----------
    rows : sequence of sequence of str
        The file's first records, headers among them, the very first one included; about 200.
    heads : sequence of Head
        The columns, as the layout understood them.

    Returns
    -------
    tuple of str, or None
        What was seen, and the mend, as `Fault` takes them.
    """
    judges: tuple[Callable[[Rows, Sequence[Head]], tuple[str, str] | None], ...] = (
        _markup,
        _dictionary,
        _codebook,
        _summary,
        _cross_tabulation,
        _margins,
    )
    for judge in judges:
        if (found := judge(rows, heads)) is not None:
            return found
    return None


def _written(row: Sequence[str]) -> list[str]:
    return [cell.strip() for cell in row if cell.strip()]


def _markup(rows: Rows, _: Sequence[Head]) -> tuple[str, str] | None:
    """JSON or HTML under the name of a table."""
    lines = [cells for row in rows if (cells := _written(row))]
    if not lines:
        return None
    first = lines[0][0].lstrip("\ufeff")
    if PAGE_START.match(first):
        return (
            "holds a web page or XML, not a table; often a sign-in page that was saved instead of the file.",
            "sign in to the survey tool, download the export again, and look at it in a spreadsheet.",
        )
    found = JSON_START.match(first)
    opened = first in {"{", "[", "[{"} and len(lines) > 1 and re.match(r'"?\w+"?\s*:|\{', lines[1][0])
    if (not found or found["key"] == "ImportId") and not opened:
        return None
    if any("SurveyEntry" in cell for cells in lines[:3] for cell in cells):
        return (
            "is a Qualtrics survey definition (.qsf): the questions without the answers.",
            "in Qualtrics use Data & Analysis > Export & Import > Export data > CSV, not the export of the survey.",
        )
    return (
        "holds JSON, not a table of responses.",
        "export the responses as CSV, TSV or XLSX; a survey's definition holds no answers.",
    )


def _dictionary(rows: Rows, _: Sequence[Head]) -> tuple[str, str] | None:
    """The definition of a REDCap project, or of a KoboToolbox or ODK form."""
    at = next((k for k, row in enumerate(rows) if _written(row)), None)
    if at is None:
        return None
    header = [fold(cell) for cell in rows[at]]
    if fold("Variable / Field Name") in header and {fold("Form Name"), fold("Field Type")} & set(header):
        place = header.index(fold("Variable / Field Name"))
        return (
            f"is a REDCap data dictionary: each row is a field ({_examples(rows[at + 1 :], place)}), not a respondent.",
            "in REDCap use Data Exports, Reports, and Stats > All data > Export data > CSV / Microsoft Excel.",
        )
    if {"type", "name"} <= set(header) and any(name.startswith("label") for name in header):
        types = [row[header.index("type")].strip() for row in rows[at + 1 :] if len(row) > header.index("type")]
        if any(re.match(r"select_(one|multiple)\b|begin[ _](group|repeat)\b", text) for text in types):
            place = header.index("name")
            return (
                f"is the definition of a form (XLSForm): each row is a question ({_examples(rows[at + 1 :], place)}), "
                "not a respondent.",
                "export the submissions: in KoboToolbox Data > Downloads > CSV, in ODK Central Submissions > Download.",
            )
    if {fold("class"), fold("type/scale"), fold("relevance")} <= set(header):
        return (
            "is the structure of a LimeSurvey survey: each row is a question, not a respondent.",
            "in LimeSurvey use Responses > Export > Export responses > CSV.",
        )
    return None


def _codebook(rows: Rows, _: Sequence[Head]) -> tuple[str, str] | None:
    """One row per variable, with its label and codes."""
    at = next((k for k, row in enumerate(rows) if _written(row)), None)
    if at is None:
        return None
    header = [fold(cell) for cell in rows[at]]
    place = next((k for k, name in enumerate(header[:3]) if name in VARIABLES), None)
    if place is None:
        return None
    others = [name for k, name in enumerate(header) if name and k != place]
    meanings = sum(name in MEANINGS for name in others)
    if meanings < min(2, len(others)) or meanings < 0.5 * len(others) or not meanings:
        return None
    names = [row[place].strip() for row in rows[at + 1 :] if len(row) > place and row[place].strip()]
    if (
        len(names) < 2
        or len(set(names)) < len(names)
        or any(re.search(r"\s", name) or not re.search(r"[^\W\d]", name) for name in names)
    ):
        return None
    return (
        f"is a codebook: each row is a variable ({_examples(rows[at + 1 :], place)}), not a respondent.",
        "name the file with the answers; it has one row per respondent and these variables as its columns.",
    )


def _examples(rows: Rows, place: int) -> str:
    names = [row[place].strip() for row in rows if len(row) > place and row[place].strip()]
    return joined(list(dict.fromkeys(names))[:2]) + (" and so on" if len(set(names)) > 2 else "")


def _summary(rows: Rows, _: Sequence[Head]) -> tuple[str, str] | None:
    """Blocks of answers with their counts, a block for each question."""
    blocks = [k for k, row in enumerate(rows) if _starts_block(row)]
    totals = [k for k, row in enumerate(rows) if _is_total(row)]
    rated = [k for k, row in enumerate(rows) if _folded(row) & RATED]
    start: int | None = None
    counted = [k for k in blocks if _is_counted(rows, k)]
    if counted and (len(counted) > 1 or totals or _has_percentages(rows[counted[0] + 1 :])):
        start = counted[0]
    elif rated and len({fold(_written(rows[k])[0]) for k in totals}) >= 2:
        start = min(rated)
    if start is None:
        return None
    ends = [f"{shown(_written(rows[k])[0])} in row {k + 1}" for k in totals[:1]]
    seen = " and ".join([f"{shown(_label(rows[start]))} stands in row {start + 1}", *ends])
    return (
        f"is a summary of questions, with counts for each answer and no row for a respondent: {seen}.",
        EVERYWHERE,
    )


def _folded(row: Sequence[str]) -> set[str]:
    return {fold(cell) for cell in row if cell.strip()}


def _label(row: Sequence[str]) -> str:
    words = _written(row)
    return next((word for word in words if fold(word) in ANSWERS | RATED), words[0])


def _starts_block(row: Sequence[str]) -> bool:
    words = _folded(row)
    return bool(words & ANSWERS) and bool(words & COUNTS) and words <= ANSWERS | COUNTS | BESIDE


def _is_total(row: Sequence[str]) -> bool:
    cells = _written(row)
    return 2 <= len(cells) <= 3 and fold(cells[0]) in TOTALS and all(_is_size(cell) for cell in cells[1:])


def _is_size(cell: str) -> bool:
    return bool(A_NUMBER.fullmatch(cell.strip()) or A_PERCENTAGE.fullmatch(cell.strip()))


def _is_counted(rows: Rows, block: int) -> bool:
    """Whether a label and sizes alone stand in the records below a block's head."""
    below = [cells for row in rows[block + 1 : block + 4] if (cells := _written(row))]
    if not below:
        return False
    sizes = below[0][1:] if not _is_size(below[0][0]) else below[0][2:]
    return bool(sizes) and all(map(_is_size, sizes))


def _has_percentages(rows: Rows) -> bool:
    return sum(any(A_PERCENTAGE.fullmatch(cell.strip()) for cell in row) for row in rows) >= 2


def _cross_tabulation(rows: Rows, heads: Sequence[Head]) -> tuple[str, str] | None:
    """Answers by groups of respondents, in percent or counts."""
    lines = [(k, row) for k, row in enumerate(rows) if _written(row)]
    tables = [(k, row) for k, row in lines if _is_line_of_sizes(row)]
    if len(tables) < 2:
        return None
    below = [(k, row) for k, row in lines if k > tables[0][0] - 2]
    questions = [
        (k, row) for (k, row), (_, after) in pairwise(lines) if _is_question_alone(row) and _is_line_of_sizes(after)
    ]
    sizes = [cell for _, row in tables for cell in _written(row) if _is_size(cell)]
    percentages = sum(bool(A_PERCENTAGE.fullmatch(cell)) for cell in sizes) / len(sizes)
    most = len(tables) >= 0.6 * (len(below) - sum(_is_question_alone(row) for _, row in below))
    labels = [_written(row)[0] for _, row in tables]
    repeated = len(set(labels)) < len(labels)
    indented = all(not row[0].strip() for _, row in tables) and all(row[0].strip() for _, row in questions)
    if not most:
        return None
    if percentages >= 0.5:
        asked = bool(questions) and (indented or (len(questions) > 1 and repeated))
        what = f"{percentages:.0%} of its numbers are percentages"
    else:
        asked = len(questions) > 1 and indented
        what = "its rows hold a label and counts"
    if asked:
        k, row = questions[0]
        what += f", and row {k + 1} holds the question {shown(_written(row)[0])} and no answers"
    elif percentages >= 0.5 and not repeated and _sums_to_a_hundred([row for _, row in tables]):
        what += ", and each column sums to 100%"
    else:
        return None
    return (
        f"is a cross-tabulation, with answers counted for groups and no row for a respondent: {what}.",
        EVERYWHERE + " Of a published table, ask its authors for the responses.",
    )


def _is_line_of_sizes(row: Sequence[str]) -> bool:
    """A label or two, then sizes alone."""
    cells = _written(row)
    labels = next((k for k, cell in enumerate(cells) if _is_size(cell)), len(cells))
    rest = cells[labels:]
    return 1 <= labels <= 2 and len(rest) >= 2 and sum(map(_is_size, rest)) >= 0.8 * len(rest)


def _sums_to_a_hundred(rows: Rows) -> bool:
    """Whether the percentages of every column but the labels' make a whole."""
    sums: dict[int, float] = {}
    for row in rows:
        for place, cell in enumerate(row):
            if A_PERCENTAGE.fullmatch(cell.strip()):
                size = float(re.sub(r"[^\d.,]", "", cell).replace(",", ".").strip(".") or 0)
                sums[place] = sums.get(place, 0.0) + size
    return len(rows) > 2 and len(sums) > 1 and all(97 <= total <= 103 for total in sums.values())


def _is_question_alone(row: Sequence[str]) -> bool:
    """One text of several words, or a question, in the first columns and nothing else."""
    cells = _written(row)
    if len(cells) != 1 or len(row) < 3 or not any(cell.strip() for cell in row[:2]):
        return False
    text = cells[0]
    wordy = len(text.split()) >= 4 or text.endswith(("?", "？")) or len(re.findall(r"[\u3040-\u9fff]", text)) >= 6
    return wordy and not re.match(r"\d{1,4}[-/.:]\d{1,2}\b", text)


def _margins(rows: Rows, heads: Sequence[Head]) -> tuple[str, str] | None:
    """Every combination of a few categories once, with its share or weight."""
    lines = [[*row, *[""] * len(heads)][: len(heads)] for row in rows if _written(row)][1:]
    if len(lines) < 6 or not 3 <= len(heads) <= 8:
        return None
    columns = [[cell.strip() for cell in column] for column in zip(*lines, strict=True)]
    sizes = [k for k, cells in enumerate(columns) if all(map(_is_size, cells)) and _names_a_size(heads[k])]
    categories = [k for k in range(len(heads)) if k not in sizes]
    if not sizes or len(categories) < 2 or max(sizes) < max(categories):
        return None
    if any(all(map(_is_size, columns[k])) or "" in columns[k] for k in categories):
        return None
    combinations = {tuple(columns[k][j] for k in categories) for j in range(len(lines))}
    product = 1
    for k in categories:
        distinct = len(set(columns[k]))
        if distinct < 2 or distinct > len(lines) / 2:
            return None
        product *= distinct
    if not len(lines) == product == len(combinations):
        return None
    names = joined(heads[k].name for k in categories)
    return (
        f"is a table of a population, no export: each of the {product} combinations of {names} stands once, with its "
        f"{shown(heads[sizes[0]].name)}.",
        "name the file with the answers, one row per respondent; shares of a population belong in the study file, "
        "as the targets of the weights.",
    )


def _names_a_size(head: Head) -> bool:
    return bool(SIZES.search(head.name.casefold())) or fold(head.name) in SIZES_ALONE
