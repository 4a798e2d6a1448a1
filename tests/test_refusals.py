"""Files that hold no respondents are refused with what was seen and what to export instead; exports never are."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Sequence
from pathlib import Path

import pytest
from conftest import shared
from hypothesis import given, settings
from hypothesis import strategies as st

from materiality.errors import MaterialityError
from materiality.reading.kinds import Head
from materiality.reading.refusals import why_no_export
from materiality.reading.tables import open_table
from materiality.study import Export

INSTEAD = (
    "export one row per respondent: SurveyMonkey 'All responses data' (not 'Summary data'), Qualtrics 'Data & Analysis "
    "> Export data', Google Forms 'View in Sheets', Microsoft Forms 'Open in Excel'."
)
OF_A_TABLE = INSTEAD + " Of a published table, ask its authors for the responses."


def rows_of(text: str) -> list[list[str]]:
    """Rows of a small table: a line each, cells between bars, all as wide as the widest."""
    rows = [[cell.strip() for cell in line.split("|")] for line in text.strip("\n").splitlines()]
    width = max(map(len, rows))
    return [row + [""] * (width - len(row)) for row in rows]


def judged(rows: Sequence[Sequence[str]]) -> tuple[str, str] | None:
    return why_no_export(rows, [Head(name, name) for name in rows[0]] if rows else [])


SUMMARY = "is a summary of questions, with counts for each answer and no row for a respondent: "
CROSSED = "is a cross-tabulation, with answers counted for groups and no row for a respondent: "


@pytest.mark.parametrize(
    ("text", "what", "mend"),
    [
        pytest.param(
            """
            How important is climate to you?
            Answer Choices | Responses
            Very important | 45.00% | 9
            Not important | 55.00% | 11
             | Answered | 20
             | Skipped | 0
            """,
            SUMMARY + "'Answer Choices' stands in row 2 and 'Answered' in row 5.",
            INSTEAD,
            id="SurveyMonkey's summary of a choice",
        ),
        pytest.param(
            """
            How important are these topics?
             | Very important | | Not important | | Total | Weighted Average
            Climate | 45.00% | 9 | 55.00% | 11 | 20 | 1.55
            Safety | 50.00% | 10 | 50.00% | 10 | 20 | 1.50
            Answered | 20
            Skipped | 0
            """,
            SUMMARY + "'Total' stands in row 2 and 'Answered' in row 5.",
            INSTEAD,
            id="SurveyMonkey's summary of a matrix",
        ),
        pytest.param(
            """
            Answer Options | Response Percent | Response Count
            Yes | 60.0% | 12
            No | 40.0% | 8
            answered question | | 20
            skipped question | | 1
            """,
            SUMMARY + "'Answer Options' stands in row 1 and 'answered question' in row 4.",
            INSTEAD,
            id="SurveyMonkey before 2015",
        ),
        pytest.param(
            """
            Q1 - Which group are you in?
            # | Answer | % | Count
            1 | Staff | 25.00% | 5
            2 | Buyers | 75.00% | 15
             | Total | 100% | 20
            Q2 - How important is climate?
            # | Answer | % | Count
            1 | Very | 50.00% | 10
            2 | Not | 50.00% | 10
             | Total | 100% | 20
            """,
            SUMMARY + "'Answer' stands in row 2.",
            INSTEAD,
            id="a report of Qualtrics",
        ),
        pytest.param(
            """
            第1题 您的身份 [单选题]
            选项 | 小计 | 比例
            员工 | 12 | 60%
            客户 | 8 | 40%
            本题有效填写人次 | 20
            """,
            SUMMARY + "'选项' stands in row 2 and '本题有效填写人次' in row 5.",
            INSTEAD,
            id="a report of Wenjuanxing",
        ),
        pytest.param(
            """
            Which group? | |
            Antwort | Anzahl | Prozent
            Mitarbeitende | 12 | 60,0 %
            Kundschaft | 8 | 40,0 %
            """,
            SUMMARY + "'Antwort' stands in row 2.",
            INSTEAD,
            id="statistics of LimeSurvey in German",
        ),
        pytest.param(
            """
            ALL | | Total | Men | Women
            How important is climate? | | | |
             | Very | 45% | 40% | 50%
             | Not | 55% | 60% | 50%
            How important is safety? | | | |
             | Very | 30% | 35% | 25%
             | Not | 70% | 65% | 75%
            """,
            CROSSED
            + "100% of its numbers are percentages, and row 2 holds the question 'How important is climate?' and "
            "no answers.",
            OF_A_TABLE,
            id="percentages by group, in blocks",
        ),
        pytest.param(
            """
            | | Total | Men | Women
            How important is climate? | | | |
             | Very | 450 | 200 | 250
             | Not | 1,550 | 800 | 750
            How important is safety? | | | |
             | Very | 300 | 150 | 150
             | Not | 1,700 | 850 | 850
            """,
            CROSSED
            + "its rows hold a label and counts, and row 2 holds the question 'How important is climate?' and no "
            "answers.",
            OF_A_TABLE,
            id="counts by group, in blocks",
        ),
        pytest.param(
            """
            How important is climate? | Total | Men | Women
            Very | 45% | 40% | 50%
            Somewhat | 30% | 30% | 30%
            Not | 25% | 30% | 20%
            """,
            CROSSED + "100% of its numbers are percentages, and each column sums to 100%.",
            OF_A_TABLE,
            id="one question by group",
        ),
        pytest.param(
            """
            Variable / Field Name | Form Name | Section Header | Field Type | Field Label
            record_id | form_1 | | text | Record ID
            age | form_1 | | text | Age
            sex | form_1 | | radio | Sex
            """,
            "is a REDCap data dictionary: each row is a field ('record_id', 'age' and so on), not a respondent.",
            "in REDCap use Data Exports, Reports, and Stats > All data > Export data > CSV / Microsoft Excel.",
            id="a data dictionary of REDCap",
        ),
        pytest.param(
            """
            type | name | label::English
            select_one importance | climate | How important is climate?
            text | else | What else?
            """,
            "is the definition of a form (XLSForm): each row is a question ('climate', 'else'), not a respondent.",
            "export the submissions: in KoboToolbox Data > Downloads > CSV, in ODK Central Submissions > Download.",
            id="a form of KoboToolbox",
        ),
        pytest.param(
            """
            id | related_id | class | type/scale | name | relevance | text
            1 | | S | | surveyls_title | | Our survey
            """,
            "is the structure of a LimeSurvey survey: each row is a question, not a respondent.",
            "in LimeSurvey use Responses > Export > Export responses > CSV.",
            id="the structure of a LimeSurvey survey",
        ),
        pytest.param(
            """
            Variable | Label | Value labels
            q1 | Importance of climate | 1 = not, 5 = very
            q2 | Importance of safety | 1 = not, 5 = very
            """,
            "is a codebook: each row is a variable ('q1', 'q2'), not a respondent.",
            "name the file with the answers; it has one row per respondent and these variables as its columns.",
            id="a codebook",
        ),
        pytest.param(
            """
            sex | age | share
            Men | 18-34 | 0.1
            Men | 35-64 | 0.2
            Men | 65+ | 0.2
            Women | 18-34 | 0.1
            Women | 35-64 | 0.2
            Women | 65+ | 0.2
            """,
            "is a table of a population, no export: each of the 6 combinations of 'sex', 'age' stands once, with its "
            "'share'.",
            "name the file with the answers, one row per respondent; shares of a population belong in the study file, "
            "as the targets of the weights.",
            id="margins of a population",
        ),
        pytest.param(
            """
            {"SurveyEntry":{"SurveyID":"SV_1" | "SurveyName":"Ours"
            """,
            "is a Qualtrics survey definition (.qsf): the questions without the answers.",
            "in Qualtrics use Data & Analysis > Export & Import > Export data > CSV, not the export of the survey.",
            id="a .qsf that was renamed",
        ),
        pytest.param(
            """
            [{"id": 1 | "answers": [4 | 5]}
            """,
            "holds JSON, not a table of responses.",
            "export the responses as CSV, TSV or XLSX; a survey's definition holds no answers.",
            id="the answer of an interface",
        ),
        pytest.param(
            """
            {
            "id": 1
            """,
            "holds JSON, not a table of responses.",
            "export the responses as CSV, TSV or XLSX; a survey's definition holds no answers.",
            id="JSON over several lines",
        ),
        pytest.param(
            """
            <!DOCTYPE html>
            <html>
            """,
            "holds a web page or XML, not a table; often a sign-in page that was saved instead of the file.",
            "sign in to the survey tool, download the export again, and look at it in a spreadsheet.",
            id="a sign-in page",
        ),
    ],
)
def test_a_file_without_respondents_is_refused(text: str, what: str, mend: str):
    assert judged(rows_of(text)) == (what, mend)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("id | group | climate\n1 | Staff | 4\n2 | Buyers | 5\n3 | Staff | 3", id="three rows"),
        pytest.param("group | climate\nStaff | 4\nBuyers | 5", id="two rows"),
        pytest.param("name | energy | water\nAnna | 40% | 60%\nBen | 50% | 50%\nCai | 30% | 70%", id="percentages"),
        pytest.param("name | Total | Share A\nAcme Steel Works Ltd | |\nOx | 20% | 30%\nEl | 10% | 5%", id="a total"),
        pytest.param(
            "comment | name | a | b\nI think this is good | | |\n | Ox | 4 | 5\n | El | 3 | 3", id="a comment"
        ),
        pytest.param("site | All | a\nAll | 20% | 30%\nNorth | 25% | 35%", id="all sites"),
        pytest.param("group | a | weight\nA | x | 1.1\nA | y | 0.9\nB | x | 1\nB | y | 1", id="four with weights"),
        pytest.param(
            "g | h | n of staff\nA | x | 1\nA | y | 2\nA | x | 3\nB | x | 1\nB | y | 2\nB | y | 4", id="one twice"
        ),
        pytest.param("Variable | Climate\n1 | 4\n2 | 5", id="a column called variable"),
        pytest.param("Field | Level | Type\nFarming | Senior | Firm\nFarming | Junior | Firm", id="fields of work"),
        pytest.param("type | name | label\nfirm | Ox | green\nfirm | El | none", id="type, name and label"),
        pytest.param("id | status\n1 | Answered\n2 | Skipped\n3 | Answered", id="answered and skipped"),
        pytest.param("id | Answer | Total\n1 | Yes | 3\n2 | No | 4", id="an answer and a total"),
        pytest.param('comment\n{"a": 1}\nplain', id="an answer in JSON"),
        pytest.param('{"ImportId":"QID1"} | {"ImportId":"QID2"}\n4 | 5', id="ids of Qualtrics on top"),
        pytest.param("<b>Which group?</b> | a\nStaff | 4", id="HTML in a header"),
        pytest.param("", id="nothing"),
    ],
)
def test_an_export_of_responses_is_not_refused(text: str):
    assert judged(rows_of(text) if text else []) is None


WORDS = st.sampled_from(
    [
        *("Answered", "Skipped", "Total", "All", "Very important", "37%", "50 %", "5", "4", "", "1,234", "Responses"),
        *("How important is climate to you?", "Staff", "Answer Choices", "n", "{", "Variable", "Count", "Other"),
    ]
)


@given(
    names=st.lists(st.text(min_size=1, max_size=12).filter(str.strip), min_size=1, max_size=6, unique=True),
    answers=st.lists(st.lists(WORDS, min_size=6, max_size=6), max_size=12),
)
@settings(max_examples=300, deadline=None)
def test_numbered_responses_are_never_refused_whatever_they_say(names: list[str], answers: list[list[str]]):
    header = ["respondent", *names]
    rows = [header, *([str(1000 + n), *row[: len(names)]] for n, row in enumerate(answers))]
    assert judged(rows) is None


@given(ratings=st.lists(st.tuples(*[st.integers(1, 5)] * 4), min_size=1, max_size=40), group=st.booleans())
@settings(max_examples=100, deadline=None)
def test_ratings_with_or_without_groups_are_never_refused(ratings: list[tuple[int, ...]], group: bool):
    header = [*(["group"] if group else []), "Climate", "Safety", "Ethics", "weight"]
    body = [[*([("Staff", "Buyers")[n % 2]] if group else []), *map(str, row)] for n, row in enumerate(ratings)]
    assert judged([header, *body]) is None


@given(
    shares=st.lists(st.lists(st.integers(0, 100), min_size=3, max_size=3), min_size=1, max_size=20),
    names=st.lists(st.sampled_from(("Ox Ltd", "El plc", "All", "Total", "Base")), min_size=20, max_size=20),
)
@settings(max_examples=100, deadline=None)
def test_percentages_of_firms_are_never_refused(shares: list[list[int]], names: list[str]):
    """Unless they sum to a hundred down each column, which only a table does."""
    rows = [["firm", "Total", "Men", "Women"]]
    rows += [[names[n], *(f"{share}%" for share in row)] for n, row in enumerate(shares)]
    sums = [sum(row[k] for row in shares) for k in range(3)]
    if not all(97 <= total <= 103 for total in sums):
        assert judged(rows) is None


def truth() -> list[dict[str, str]]:
    with (Path(__file__).parent / "exports.csv").open(encoding="utf-8", newline="") as file:
        return [row for row in csv.DictReader(file) if not row["file"].endswith(".sav")]


@pytest.mark.parametrize("row", truth(), ids=lambda row: f"{row['folder']}/{row['file']}")
def test_real_files(row: dict[str, str]):
    path = shared("exports", row["folder"], row["file"])
    rows: list[list[str]]
    heads: Sequence[Head] = ()
    if path.suffix == ".qsf":
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(itertools.islice(csv.reader(file), 200))
    else:
        known = "" if row["encoding"].startswith("utf-8") else row["encoding"]
        try:
            table = open_table(path, Export(file=path.name, encoding=known))
        except MaterialityError:
            assert row["refused"] == "yes"  # where opening itself asks already
            return
        rows, heads = [cells for _, cells in itertools.islice(table.grid.records(), 200)], table.heads
    for first in (200, 30, 8) if row["refused"] == "no" else (200,):
        assert (why_no_export(rows[:first], heads) is not None) == (row["refused"] == "yes")
