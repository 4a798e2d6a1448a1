"""Every survey tool's export: recognised, its headers understood, its cells read back; none is seen in a plain file.

The writers here follow the tools' documentation and the table of real exports, not the package's code.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import xlsxwriter
from conftest import shared
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from materiality.reading.kinds import ColumnKind
from materiality.reading.layouts import LAYOUTS, recognise
from materiality.reading.tables import open_table
from materiality.study import Export, Tool, fold

ID, TIME, PII, METADATA, NUMBER = (
    ColumnKind.ID,
    ColumnKind.TIME,
    ColumnKind.PII,
    ColumnKind.METADATA,
    ColumnKind.NUMBER,
)
GROUP = "Which group are you in? (one answer)"
MATRIX = "How important are these topics [to you]?"
ITEMS = ("Climate, energy", 'Health "and" safety', "Ethics [board]", "水资源", "Waste\nand water")
ELSE = "What else, e.g. a risk?"
CELLS = len(ITEMS) + 2

HOSTILE = (
    *("", " ", '"', "a, b; c", "x\ty|z", "two\nlines", "<b>bold</b>", "=1+1", "@SUM(A1)", "🌍", "重要", " padded "),
    *("Response", "Respondent ID", "Timestamp", "ImportId", "StartDate", "Answer Choices", "KEY", "序号", "1", "5"),
    *("[row]", "Q1[SQ001]", "Survey Preview", "preview", "debug", "uuid:1", "2024-01-01 10:00:00", "37%", "N/A"),
)
LETTERS = st.characters(exclude_categories=("Cc", "Cs", "Co", "Cn", "Zl", "Zp"), exclude_characters="\ufeff\u0085")
ANSWER = st.sampled_from(HOSTILE) | st.text(LETTERS, max_size=8)
ANSWERS = st.lists(st.lists(ANSWER, min_size=CELLS, max_size=CELLS), min_size=1, max_size=5)
SOME = [["Staff", "1", "2", "3", "4", "5", "none"], ["Buyers", "5", "4", "3", "2", "1", 'a "quoted"\nline']]


@dataclass(frozen=True)
class Written:
    """An export as a tool writes it, and what its columns mean."""

    rows: list[list[str]]
    header_rows: int
    heads: list[tuple[str, str, str, ColumnKind | None]]
    previews: tuple[bool, ...] = ()


Writer = Callable[[Sequence[Sequence[str]]], Written]
Column = tuple[str, ColumnKind | None, Callable[[int], str]]


def moment(n: int) -> str:
    return f"2024-03-{n + 1:02d} 10:20:30"


def serial(n: int) -> str:
    return str(n + 1)


def one_header(
    before: Sequence[Column],
    names: Sequence[str],
    parts: Sequence[tuple[str, str]],
    answers: Sequence[Sequence[str]],
    after: Sequence[Column] = (),
) -> Written:
    """System columns, the survey's, and system columns again, under one row of names."""
    header = [name for name, _, _ in before] + list(names) + [name for name, _, _ in after]
    body = [
        [cell(n) for _, _, cell in before] + list(row) + [cell(n) for _, _, cell in after]
        for n, row in enumerate(answers)
    ]
    heads = [
        *((name, name, "", role) for name, role, _ in before),
        *((name, text, item, None) for name, (text, item) in zip(names, parts, strict=True)),
        *((name, name, "", role) for name, role, _ in after),
    ]
    return Written([header, *body], 1, heads)


GRID = [(GROUP, ""), *((MATRIX, item) for item in ITEMS), (ELSE, "")]
GRID_NAMES = [GROUP, *(f"{MATRIX} [{item}]" for item in ITEMS), ELSE]
ALONE = [(name, "") for name in (GROUP, *ITEMS, ELSE)]

QUALTRICS_SYSTEM = (
    ("StartDate", "Start Date", "Anfangsdatum", "startDate", TIME, moment),
    ("EndDate", "End Date", "Enddatum", "endDate", TIME, moment),
    ("Status", "Response Type", "Antworttyp", "status", METADATA, lambda n: ("IP Address", "Survey Preview")[n % 2]),
    ("IPAddress", "IP Address", "IP-Adresse", "ipAddress", PII, lambda n: "192.0.2.1"),
    ("Progress", "Progress", "Fortschritt", "progress", METADATA, lambda n: "100"),
    ("Duration (in seconds)", "Duration (in seconds)", "Dauer (in Sekunden)", "duration", NUMBER, lambda n: "300"),
    ("Finished", "Finished", "Beendet", "finished", METADATA, lambda n: "True"),
    ("RecordedDate", "Recorded Date", "Erfassungsdatum", "recordedDate", METADATA, moment),
    ("ResponseId", "Response ID", "Antwort-ID", "_recordId", ID, lambda n: f"R_{n}abcDEF"),
    ("RecipientEmail", "Recipient Email", "E-Mail", "recipientEmail", PII, lambda n: "a@example.org"),
    ("DistributionChannel", "Distribution Channel", "Kanal", "distributionChannel", METADATA, lambda n: "anonymous"),
)
QUALTRICS_NAMES = ["Q1", *(f"Q2_{k}" for k in range(1, len(ITEMS) + 1)), "Q3"]


def qualtrics(
    answers: Sequence[Sequence[str]], *, german: bool = False, ids: bool = True, numeric: bool = False
) -> Written:
    texts = [GROUP, *(f"{MATRIX} - {item}" for item in ITEMS), ELSE]
    system = [told[2] if german else told[1] for told in QUALTRICS_SYSTEM]
    qids = ["QID7", *(f"QID12_{k}" for k in range(1, len(ITEMS) + 1)), "QID2_TEXT"]
    marks = [json.dumps({"ImportId": told[3]}) for told in QUALTRICS_SYSTEM] + [
        json.dumps({"ImportId": q}) for q in qids
    ]
    body = []
    for n, row in enumerate(answers):
        own = [told[5](n) for told in QUALTRICS_SYSTEM]
        own[2] = str(n % 2) if numeric else own[2]
        body.append(own + list(row))
    heads = [(told[0], text, "", told[4]) for told, text in zip(QUALTRICS_SYSTEM, system, strict=True)]
    heads += [(name, text, item, None) for name, (text, item) in zip(QUALTRICS_NAMES, GRID, strict=True)]
    top = [[told[0] for told in QUALTRICS_SYSTEM] + QUALTRICS_NAMES, system + texts, *([marks] if ids else [])]
    return Written(top + body, len(top), heads, tuple(n % 2 == 1 for n in range(len(answers))))


def qualtrics_older(answers: Sequence[Sequence[str]], *, legacy: bool) -> Written:
    """2016: Python-like ids below English names; before: V1 to V10 above the names, and no ids."""
    system: list[Column] = [
        ("ResponseID", ID, lambda n: f"R_{n}abcDEF"),
        ("ResponseSet", METADATA, lambda n: "Default Response Set"),
        ("Name", PII, lambda n: "Anonymous"),
        ("ExternalDataReference", PII, lambda n: ""),
        ("EmailAddress", PII, lambda n: ""),
        ("IPAddress", PII, lambda n: "192.0.2.1"),
        ("Status", METADATA, lambda n: ("0", "2")[n % 2]),
        ("StartDate", TIME, moment),
        ("EndDate", TIME, moment),
        ("Finished", METADATA, lambda n: "1"),
    ]
    own = [name for name, _, _ in system]
    names = [f"V{k}" for k in range(1, 11)] if legacy else own
    texts = [GROUP, *(f"{MATRIX}-{item}" for item in ITEMS), ELSE]
    top = [names + QUALTRICS_NAMES, own + texts]
    if not legacy:
        qids = ["QID1", *(f"QID2-{k}" for k in range(1, len(ITEMS) + 1)), "QID3-TEXT"]
        top.append([str({"ImportId": name}) for name in (*own, *qids)])
    heads = [(name, text, "", role) for name, (text, role, _) in zip(names, system, strict=True)]
    heads += [(name, text, item, None) for name, (text, item) in zip(QUALTRICS_NAMES, GRID, strict=True)]
    body = [[cell(n) for _, _, cell in system] + list(row) for n, row in enumerate(answers)]
    return Written(top + body, len(top), heads, tuple(n % 2 == 1 for n in range(len(answers))))


SURVEYMONKEY_SYSTEM: tuple[Column, ...] = (
    ("Respondent ID", ID, lambda n: str(11415363257 + n)),
    ("Collector ID", METADATA, lambda n: "254535004"),
    ("Start Date", TIME, lambda n: "03/13/2020 5:53:38 AM"),
    ("End Date", TIME, lambda n: "03/13/2020 6:00:19 AM"),
    ("IP Address", PII, lambda n: "192.0.2.1"),
    ("Email Address", PII, lambda n: ""),
    ("First Name", PII, lambda n: ""),
    ("Last Name", PII, lambda n: ""),
    ("Custom Data 1", METADATA, lambda n: ""),
)


def surveymonkey(
    answers: Sequence[Sequence[str]],
    *,
    rows: int = 2,
    repeats: bool = False,
    words: tuple[str, str] = ("Response", "Open-Ended Response"),
) -> Written:
    system = [name for name, _, _ in SURVEYMONKEY_SYSTEM]
    blank = [""] * len(system)
    body = [[cell(n) for _, _, cell in SURVEYMONKEY_SYSTEM] + list(row) for n, row in enumerate(answers)]
    heads: list[tuple[str, str, str, ColumnKind | None]] = [
        (name, name, "", role) for name, role, _ in SURVEYMONKEY_SYSTEM
    ]
    if rows == 1:
        heads += [(name, name, "", None) for name in (GROUP, *ITEMS, ELSE)]
        return Written([[*system, GROUP, *ITEMS, ELSE], *body], 1, heads)
    top = [
        [*system, GROUP, MATRIX, *[""] * (len(ITEMS) - 1), ELSE],
        [*system, GROUP, *ITEMS, ELSE] if repeats else [*blank, words[0], *ITEMS, words[1]],
    ]
    if rows == 3:
        top.insert(0, [*blank, "Q1", "Q2", *[""] * (len(ITEMS) - 1), "Q3"])
    heads += [
        (GROUP, GROUP, "", None),
        *((f"{MATRIX} [{item}]", MATRIX, item, None) for item in ITEMS),
        (ELSE, ELSE, "", None),
    ]
    return Written(top + body, rows, heads)


def surveymonkey_spread(answers: Sequence[Sequence[str]]) -> Written:
    """One question with a column for each of its options, which the option's text fills."""
    options = ("A lot", "Some", "Not much", "Other (please specify)")
    top = [
        ["RespondentID", "StartDate", "EndDate", "How much?", "", "", "", ELSE],
        ["", "", "", *options, "Open-Ended Response"],
    ]
    heads: list[tuple[str, str, str, ColumnKind | None]] = [
        ("RespondentID", "RespondentID", "", ID),
        ("StartDate", "StartDate", "", TIME),
        ("EndDate", "EndDate", "", TIME),
        *((f"How much? [{option}]", "How much?", option, None) for option in options),
        (ELSE, ELSE, "", None),
    ]
    body = []
    for n, row in enumerate(answers):
        chosen = ["", "", "", ""]
        chosen[n % 4] = options[n % 4]
        body.append([str(3190851410 + n), moment(n), moment(n), *chosen, row[0]])
    return Written(top + body, 2, heads)


def google_forms(answers: Sequence[Sequence[str]], *, timestamp: str = "Timestamp", email: str = "") -> Written:
    before: list[Column] = [(timestamp, TIME, lambda n: f"2019/06/{n + 1:02d} 9:12:01 AM GMT+1")]
    if email:
        before.append((email, PII, lambda n: "a@example.org"))
    return one_header(before, GRID_NAMES, GRID, answers)


def microsoft_forms(
    answers: Sequence[Sequence[str]],
    names: tuple[str, str, str, str, str] = ("ID", "Start time", "Completion time", "Email", "Name"),
    email: str = "anonymous",
) -> Written:
    cells = (serial, moment, moment, lambda n: email, lambda n: "")
    before: list[Column] = list(zip(names, (ID, TIME, TIME, PII, PII), cells, strict=True))
    return one_header(before, [GROUP, *ITEMS, ELSE], ALONE, answers)


LIMESURVEY_CODED: tuple[tuple[str, str, str, ColumnKind, Callable[[int], str]], ...] = (
    ("id", "Response ID", "Antwort ID", ID, serial),
    ("submitdate", "Date submitted", "Datum Abgeschickt", TIME, lambda n: "1980-01-01 00:00:00"),
    ("lastpage", "Last page", "Letzte Seite", METADATA, lambda n: "4"),
    ("startlanguage", "Start language", "Start-Sprache", METADATA, lambda n: "en"),
    ("seed", "Seed", "Zufallsstartwert", METADATA, lambda n: "12345"),
)


def limesurvey(answers: Sequence[Sequence[str]], heading: str, *, german: bool = False) -> Written:
    codes = ["group", *(f"imp[SQ{k:03d}]" for k in range(1, len(ITEMS) + 1)), "else"]
    names = {
        "code": codes,
        "text": GRID_NAMES,
        "both": [f"{code}. {text}" for code, text in zip(codes, GRID_NAMES, strict=True)],
    }[heading]
    parts = [("group", ""), *(("imp", f"SQ{k:03d}") for k in range(1, len(ITEMS) + 1)), ("else", "")]
    written = one_header((), names, parts if heading == "code" else GRID, answers)
    own, heads = [], []
    for code, english, other, role, _ in LIMESURVEY_CODED:
        text = other if german else english
        name = {"code": code, "text": text, "both": f"{code}. {text}"}[heading]
        own.append(name)
        heads.append((name, text if heading == "both" else name, "", role))
    rows = [own + written.rows[0]]
    rows += [[cell(n) for *_, cell in LIMESURVEY_CODED] + row for n, row in enumerate(written.rows[1:])]
    return Written(rows, 1, heads + written.heads)


def alchemer(answers: Sequence[Sequence[str]]) -> Written:
    before: list[Column] = [
        ("Response ID", ID, serial),
        ("Time Started", TIME, moment),
        ("Date Submitted", TIME, moment),
        ("Status", METADATA, lambda n: "Complete"),
        ("Language", METADATA, lambda n: "English"),
        ("IP Address", PII, lambda n: "192.0.2.1"),
    ]
    return one_header(before, [GROUP, *(f"{item}:{MATRIX}" for item in ITEMS), ELSE], GRID, answers)


def typeform(answers: Sequence[Sequence[str]]) -> Written:
    after: list[Column] = [
        ("Response Type", METADATA, lambda n: "completed"),
        ("Start Date (UTC)", TIME, moment),
        ("Submit Date (UTC)", TIME, moment),
        ("Network ID", PII, lambda n: "5f57f20d14"),
    ]
    return one_header([("#", ID, lambda n: f"{n}95106cd710ec2af")], [GROUP, *ITEMS, ELSE], ALONE, answers, after)


def kobotoolbox(answers: Sequence[Sequence[str]]) -> Written:
    names = ["staff/group", "topics", *(f"topics/t{k}" for k in range(1, len(ITEMS))), "else"]
    parts = [
        ("staff/group", ""),
        ("topics", ""),
        *(("topics", f"t{k}") for k in range(1, len(ITEMS))),
        ("else", ""),
    ]
    after: list[Column] = [
        ("_id", ID, lambda n: str(9000 + n)),
        ("_uuid", ID, lambda n: f"0b1c{n}"),
        ("_submission_time", METADATA, moment),
        ("_validation_status", METADATA, lambda n: ""),
        ("_submitted_by", PII, lambda n: "kobo"),
        ("_index", METADATA, serial),
    ]
    return one_header([("start", TIME, moment), ("end", TIME, moment)], names, parts, answers, after)


def odk(answers: Sequence[Sequence[str]]) -> Written:
    after: list[Column] = [
        ("meta-instanceID", ID, lambda n: f"uuid:{n}"),
        ("KEY", ID, lambda n: f"uuid:{n}"),
        ("SubmitterName", PII, lambda n: "App user"),
        ("FormVersion", METADATA, lambda n: "3"),
    ]
    names = ["group", *(f"rate-t{k}" for k in range(len(ITEMS))), "else"]
    return one_header([("SubmissionDate", TIME, moment)], names, [(name, "") for name in names], answers, after)


def sosci(answers: Sequence[Sequence[str]], *, labels: bool) -> Written:
    before: list[Column] = [
        ("CASE", ID, lambda n: str(120 + n)),
        ("SERIAL", PII, lambda n: ""),
        ("REF", PII, lambda n: ""),
        ("QUESTNNR", METADATA, lambda n: "base"),
        ("MODE", METADATA, lambda n: ("interview", "pretest")[n % 2]),
        ("STARTED", TIME, moment),
    ]
    after: list[Column] = [("TIME_SUM", NUMBER, lambda n: "240"), ("FINISHED", METADATA, lambda n: "1")]
    names = ["A001", *(f"B002_{k:02d}" for k in range(1, len(ITEMS) + 1)), "C001_01"]
    previews = tuple(n % 2 == 1 for n in range(len(answers)))
    plain = one_header(before, names, [(name, "") for name in names], answers, after)
    if not labels:
        return Written(plain.rows, 1, plain.heads, previews)
    told = [
        "Interview-Nummer (fortlaufend)",
        "Personenkennung",
        "Referenz",
        "Fragebogen",
        "Interview-Modus",
        "Zeitpunkt",
    ]
    ends = ["Verweildauer gesamt", "Wurde die Befragung abgeschlossen"]
    label_row = [*told, GROUP, *(f"{MATRIX}: {item}" for item in ITEMS), ELSE, *ends]
    texts = [*((text, "") for text in told), *GRID, *((text, "") for text in ends)]
    heads = [(name, text, item, role) for (name, _, _, role), (text, item) in zip(plain.heads, texts, strict=True)]
    return Written([plain.rows[0], label_row, *plain.rows[1:]], 2, heads, previews)


def redcap(answers: Sequence[Sequence[str]]) -> Written:
    names = ["group", *(f"topics___{k}" for k in range(1, len(ITEMS) + 1)), "else_what"]
    parts = [("group", ""), *(("topics", str(k)) for k in range(1, len(ITEMS) + 1)), ("else_what", "")]
    before: list[Column] = [
        ("record_id", ID, serial),
        ("redcap_event_name", METADATA, lambda n: "wave_1_arm_1"),
        ("redcap_survey_identifier", PII, lambda n: ""),
    ]
    return one_header(before, names, parts, answers, [("survey_complete", METADATA, lambda n: "2")])


def eusurvey(answers: Sequence[Sequence[str]]) -> Written:
    after: list[Column] = [
        ("Invitation Number", PII, lambda n: ""),
        ("Contribution Id", ID, lambda n: f"a1b2-{n}"),
        ("User Name", PII, lambda n: ""),
        ("Creation Date", TIME, moment),
        ("Last Update", METADATA, moment),
        ("Languages", METADATA, lambda n: "EN"),
    ]
    written = one_header((), [GROUP, *(f"{MATRIX}: {item}" for item in ITEMS), ELSE], GRID, answers, after)
    width = len(written.rows[0])
    preamble = [["Alias", "our_survey"], ["Export Date", "22/11/2024 10:00"], []]
    rows = [row + [""] * (width - len(row)) for row in (*preamble, *written.rows)]
    return Written(rows, 4, written.heads)


def wenjuanxing(answers: Sequence[Sequence[str]]) -> Written:
    before: list[Column] = [
        ("序号", ID, serial),
        ("提交答卷时间", TIME, lambda n: f"2024/3/{n + 1} 10:20:30"),
        ("所用时间", NUMBER, lambda n: "10秒"),
        ("来源", METADATA, lambda n: "微信"),
        ("来源详情", PII, lambda n: "N/A"),
        ("来自IP", PII, lambda n: "192.0.2.1(北京)"),
    ]
    names = [f"1、{GROUP}", *(f"2、{MATRIX}—{item}" for item in ITEMS), f"3、{ELSE}"]
    return one_header(before, names, GRID, answers, [("总分", METADATA, lambda n: "0")])


def plain(answers: Sequence[Sequence[str]], first: str = "ID") -> Written:
    return one_header([(first, None, lambda n: f"p{n}")], GRID_NAMES, GRID, answers)


CASES: dict[str, tuple[Tool, Writer]] = {
    "qualtrics": (Tool.QUALTRICS, qualtrics),
    "qualtrics in numbers": (Tool.QUALTRICS, lambda a: qualtrics(a, numeric=True)),
    "qualtrics German": (Tool.QUALTRICS, lambda a: qualtrics(a, german=True)),
    "qualtrics, ids deleted": (Tool.QUALTRICS, lambda a: qualtrics(a, ids=False)),
    "qualtrics 2016": (Tool.QUALTRICS, lambda a: qualtrics_older(a, legacy=False)),
    "qualtrics legacy": (Tool.QUALTRICS, lambda a: qualtrics_older(a, legacy=True)),
    "surveymonkey 1 row": (Tool.SURVEYMONKEY, lambda a: surveymonkey(a, rows=1)),
    "surveymonkey 2 rows": (Tool.SURVEYMONKEY, surveymonkey),
    "surveymonkey 3 rows": (Tool.SURVEYMONKEY, lambda a: surveymonkey(a, rows=3)),
    "surveymonkey repeating": (Tool.SURVEYMONKEY, lambda a: surveymonkey(a, repeats=True)),
    "surveymonkey German": (
        Tool.SURVEYMONKEY,
        lambda a: surveymonkey(a, words=("Antwort", "Beantwortung mit freiem Text")),
    ),
    "surveymonkey spread": (Tool.SURVEYMONKEY, surveymonkey_spread),
    "google_forms": (Tool.GOOGLE_FORMS, google_forms),
    "google_forms with e-mail": (Tool.GOOGLE_FORMS, lambda a: google_forms(a, email="Email Address")),
    "google_forms German": (
        Tool.GOOGLE_FORMS,
        lambda a: google_forms(a, timestamp="Zeitstempel", email="E-Mail-Adresse"),
    ),
    "google_forms Chinese": (Tool.GOOGLE_FORMS, lambda a: google_forms(a, timestamp="时间戳记")),
    "microsoft_forms": (Tool.MICROSOFT_FORMS, microsoft_forms),
    "microsoft_forms German": (
        Tool.MICROSOFT_FORMS,
        lambda a: microsoft_forms(a, ("ID", "Startzeit", "Fertigstellungszeit", "E-Mail", "Name")),
    ),
    "microsoft_forms signed in": (Tool.MICROSOFT_FORMS, lambda a: microsoft_forms(a, email="a@example.org")),
    "microsoft_forms in an unknown language": (
        Tool.MICROSOFT_FORMS,
        lambda a: microsoft_forms(a, ("ID", "Alkoi", "Päättyi", "Osoite", "Nimi")),
    ),
    "limesurvey codes": (Tool.LIMESURVEY, lambda a: limesurvey(a, "code")),
    "limesurvey texts": (Tool.LIMESURVEY, lambda a: limesurvey(a, "text")),
    "limesurvey German texts": (Tool.LIMESURVEY, lambda a: limesurvey(a, "text", german=True)),
    "limesurvey both": (Tool.LIMESURVEY, lambda a: limesurvey(a, "both")),
    "limesurvey German both": (Tool.LIMESURVEY, lambda a: limesurvey(a, "both", german=True)),
    "alchemer": (Tool.ALCHEMER, alchemer),
    "typeform": (Tool.TYPEFORM, typeform),
    "kobotoolbox": (Tool.KOBOTOOLBOX, kobotoolbox),
    "odk": (Tool.ODK, odk),
    "sosci": (Tool.SOSCI, lambda a: sosci(a, labels=False)),
    "sosci with labels": (Tool.SOSCI, lambda a: sosci(a, labels=True)),
    "redcap": (Tool.REDCAP, redcap),
    "eusurvey": (Tool.EUSURVEY, eusurvey),
    "wenjuanxing": (Tool.WENJUANXING, wenjuanxing),
    "plain ID": (Tool.PLAIN, plain),
    "plain id": (Tool.PLAIN, lambda a: plain(a, "id")),
    "plain Name": (Tool.PLAIN, lambda a: plain(a, "Name")),
}
every_case = pytest.mark.parametrize("case", CASES)
some_settings = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def write(path: Path, rows: Sequence[Sequence[str]]) -> Path:
    """A file as its ending says; TSV is Qualtrics's, UTF-16."""
    if path.suffix == ".xlsx":
        with xlsxwriter.Workbook(str(path)) as book:
            sheet = book.add_worksheet()
            for r, row in enumerate(rows):
                for c, cell in enumerate(row):
                    if cell:
                        sheet.write_string(r, c, cell)
        return path
    tsv = path.suffix == ".tsv"
    with path.open("w", encoding="utf-16" if tsv else "utf-8", newline="") as file:
        csv.writer(file, delimiter="\t" if tsv else ",", quoting=csv.QUOTE_ALL).writerows(rows)
    return path


def check(path: Path, tool: Tool, written: Written) -> None:
    write(path, written.rows)
    table = open_table(path, Export(file=path.name))
    assert table.layout.tool is tool
    assert table.header_row == written.header_rows
    assert [(head.name, head.question, head.item, head.role) for head in table.heads] == written.heads
    read = list(table.records())
    assert [row for row, _ in read] == list(range(written.header_rows + 1, len(written.rows) + 1))
    assert [record for _, record in read] == written.rows[written.header_rows :]
    marks = table.layout.preview_places(table.heads)
    told = tuple(any(fold(record[place]) in values for place, values in marks) for _, record in read)
    assert told == (written.previews or (False,) * len(read))


@every_case
def test_an_export_is_recognised_and_its_columns_understood(case: str, tmp_path: Path):
    tool, writer = CASES[case]
    check(tmp_path / "export.csv", tool, writer(SOME))


@every_case
@given(answers=ANSWERS)
@some_settings
def test_hostile_answers_change_nothing_and_are_read_back(case: str, answers: list[list[str]], tmp_path: Path):
    tool, writer = CASES[case]
    check(tmp_path / "export.csv", tool, writer(answers))


@pytest.mark.parametrize(
    "case", ["microsoft_forms", "microsoft_forms German", "google_forms", "eusurvey", "surveymonkey 2 rows"]
)
@given(answers=ANSWERS)
@some_settings
def test_workbooks_say_the_same(case: str, answers: list[list[str]], tmp_path: Path):
    tool, writer = CASES[case]
    check(tmp_path / "export.xlsx", tool, writer(answers))


@pytest.mark.parametrize("case", ["qualtrics", "qualtrics German", "sosci with labels"])
def test_utf_16_tables_with_tabs_say_the_same(case: str, tmp_path: Path):
    tool, writer = CASES[case]
    check(tmp_path / "export.tsv", tool, writer(SOME))


@every_case
def test_no_other_tool_claims_an_export(case: str):
    tool, writer = CASES[case]
    rows = writer(SOME).rows
    sure = {layout.tool: layout.recognise(rows) for layout in LAYOUTS.values()}
    own = sure.pop(tool)
    assert own >= 0.5 or tool is Tool.PLAIN
    assert max(sure.values()) < 0.5


@every_case
def test_certainty_is_a_share_and_the_surest_tool_wins(case: str):
    tool, writer = CASES[case]
    rows = writer(SOME).rows
    found = recognise(rows)
    assert found.layout.tool is tool
    assert found.certainty == (0.0 if tool is Tool.PLAIN else LAYOUTS[tool].recognise(rows))
    assert all(0.0 <= layout.recognise(rows[:n]) <= 1.0 for layout in LAYOUTS.values() for n in range(len(rows)))


@every_case
def test_a_tool_that_the_study_names_is_believed(case: str):
    tool, writer = CASES[case]
    rows = writer(SOME).rows
    found = recognise(rows, tool)
    assert (found.layout.tool, found.certainty) == (tool, 1.0)
    assert found.headers == recognise(rows).headers


NEARLY = (
    *("ID", "id", "Name", "Status", "Score", "Email", "Language", "Comments", "Start time", "Date", "StartDate"),
    *(
        "EndDate",
        "Finished",
        "record_id",
        "training_complete",
        "CASE",
        "REF",
        "MODE",
        "seed",
        "lastpage",
        "_id",
        "来源",
    ),
    *("#", "Response", "KEY", "Weight [kg]", "a[1]", "Alias", "Creation Date", "Date Submitted"),
    *(f"V{k}" for k in range(1, 13)),
)


@given(
    header=st.lists(st.sampled_from(NEARLY) | st.text(LETTERS, min_size=1, max_size=10), min_size=1, max_size=16),
    cells=st.lists(st.sampled_from(("1", "2", "Response", "Agree", "2024-01-01", "R 1", "")), min_size=16, max_size=16),
)
@settings(max_examples=300, deadline=None)
def test_names_that_only_resemble_a_tool_make_a_plain_file(header: list[str], cells: list[str]):
    few = [*dict.fromkeys(header)][:3] if len(set(header) & set(NEARLY)) > 4 and "V1" not in header else header
    rows = [few, cells[: len(few)], cells[: len(few)][::-1]]
    found = recognise(rows)
    assert (found.layout.tool, found.certainty) == (Tool.PLAIN, 0.0)
    assert found.headers.rows <= 2


@pytest.mark.parametrize(
    "header",
    [
        pytest.param([f"V{k}" for k in range(1, 13)], id="R's names of columns"),
        pytest.param(["StartDate", "EndDate", "Finished", "Status", "Q1"], id="four names of Qualtrics"),
        pytest.param(["ID", "Start time", "End time", "Email", "Climate"], id="a home-made form"),
        pytest.param(["Date Submitted", "Status", "Climate"], id="no start"),
        pytest.param(["record_id", "Climate", "Safety"], id="a record id"),
        pytest.param(["person", "training_complete"], id="a complete training"),
        pytest.param(["Respondent ID", "Group", "Climate"], id="numbered respondents"),
        pytest.param(["序号", "来源", "评价"], id="a number and a source"),
    ],
)
def test_a_few_names_of_a_tool_are_no_sign_of_it(header: list[str]):
    rows = [header, [str(k) for k in range(len(header))], ["2"] * len(header)]
    assert recognise(rows).layout.tool is Tool.PLAIN


def heads_of(names: Sequence[str], tool: Tool) -> list[tuple[str, str]]:
    found = recognise([list(names), ["1"] * len(names)], tool)
    return [(head.question, head.item) for head in found.headers.heads]


@pytest.mark.parametrize(
    ("names", "parts"),
    [
        pytest.param(
            ["Rate [1-5] these [A]", "Rate [1-5] these [B]"], [("Rate [1-5] these", "A"), ("Rate [1-5] these", "B")]
        ),
        pytest.param(["Rate [A [a]]", "Rate [B]"], [("Rate", "A [a]"), ("Rate", "B")], id="brackets inside"),
        pytest.param(
            ["Rate [A [a]", "Rate [B]", "Rate [C]"], [("Rate", "A [a"), ("Rate", "B"), ("Rate", "C")], id="unclosed"
        ),
        pytest.param(["Rate [A, B; C]", "Other"], [("Rate", "A, B; C"), ("Other", "")], id="a grid of one row"),
        pytest.param(["[A]", "Rate []"], [("[A]", ""), ("Rate []", "")], id="nothing before or inside"),
    ],
)
def test_rows_of_a_grid_with_brackets_of_their_own(names: list[str], parts: list[tuple[str, str]]):
    assert heads_of(names, Tool.GOOGLE_FORMS) == parts


GRID_TEXT = st.text(LETTERS, min_size=1, max_size=12).filter(
    lambda text: not set(text) & set("[]") and text.strip() == text
)


@given(question=GRID_TEXT, items=st.lists(GRID_TEXT, min_size=1, max_size=4, unique=True))
@settings(max_examples=60, deadline=None)
def test_any_question_and_rows_of_a_grid_come_back(question: str, items: list[str]):
    clean = question.replace("\xa0", " ").replace("\ufeff", "").strip()
    names = [f"{question} [{item}]" for item in items]
    assert heads_of(names, Tool.GOOGLE_FORMS) == [(clean, item.replace("\xa0", " ").strip()) for item in items]


@pytest.mark.parametrize(
    ("names", "tool", "parts"),
    [
        pytest.param(
            ["imp[SQ001][1]", "imp[SQ001][2]"],
            Tool.LIMESURVEY,
            [("imp [1]", "SQ001"), ("imp [2]", "SQ001")],
            id="dual codes",
        ),
        pytest.param(
            ["imp[SQ001][1]. Rate [A][Now]", "imp[SQ001][2]. Rate [A][Later]"],
            Tool.LIMESURVEY,
            [("Rate [Now]", "A"), ("Rate [Later]", "A")],
            id="a dual scale",
        ),
        pytest.param(
            ["q. Rate this [1 to 5]", "m[SQ001]. [All of it]", "n[SQ001]. Who? []"],
            Tool.LIMESURVEY,
            [("Rate this [1 to 5]", ""), ("m", "All of it"), ("Who?", "")],
            id="brackets of a single question, no question, no row",
        ),
        pytest.param(
            ["Other - Write In:Which: one?", "Which: one?", "Rate: A", "Count: A"],
            Tool.ALCHEMER,
            [("Which: one?", "Other - Write In"), ("Which: one?", ""), ("Rate: A", ""), ("Count: A", "")],
            id="colons of their own",
        ),
        pytest.param(
            ["Note: rate: A", "Note: rate: B", "Note: else"],
            Tool.EUSURVEY,
            [("Note", "rate: A"), ("Note", "rate: B"), ("Note", "else")],
            id="what all begin with is the question",
        ),
        pytest.param(
            ["1、职业—现在", "2、评价—质量", "2、评价—服务"],
            Tool.WENJUANXING,
            [("职业—现在", ""), ("评价", "质量"), ("评价", "服务")],
            id="a dash in a single question",
        ),
        pytest.param(
            ["Record ID", "Which? (choice=A (all))", "Which? (choice=B)", "Complete?"],
            Tool.REDCAP,
            [("Record ID", ""), ("Which?", "A (all)"), ("Which?", "B"), ("Complete?", "")],
            id="labels of REDCap",
        ),
    ],
)
def test_headings_that_are_easily_taken_apart_wrongly(names: list[str], tool: Tool, parts: list[tuple[str, str]]):
    assert heads_of(names, tool) == parts


def test_each_column_of_a_side_by_side_question_is_a_question_of_its_own():
    names = ["Q6#1_1", "Q6#1_2", "Q6#2_1", "Q6#2_2"]
    texts = ["Rate - Now - A", "Rate - Now - B", "Rate - Later - A", "Rate - Later - B"]
    ids = [json.dumps({"ImportId": name.replace("Q6", "QID6")}) for name in names]
    found = recognise([names, texts, ids, ["1", "2", "3", "4"]])
    assert [(h.question, h.item) for h in found.headers.heads] == [
        *(("Rate - Now", item) for item in "AB"),
        *(("Rate - Later", item) for item in "AB"),
    ]


def test_a_survey_question_with_the_text_of_a_system_column_is_no_system_column():
    written = qualtrics(SOME)
    written.rows[1][-1] = "Status"
    head = recognise(written.rows).headers.heads[-1]
    assert (head.name, head.question, head.role) == ("Q3", "Status", None)
    layout = LAYOUTS[Tool.QUALTRICS]
    places = [place for place, _ in layout.preview_places(recognise(written.rows).headers.heads)]
    assert places == [2, 10]


def test_empty_columns_at_the_right_of_surveymonkey_continue_no_question():
    written = surveymonkey(SOME)
    heads = recognise([[*row, "", ""] for row in written.rows]).headers.heads
    assert len(heads) == len(written.heads)


def test_qualtrics_without_its_row_of_texts_keeps_names_for_texts():
    written = qualtrics(SOME)
    rows = [written.rows[0], *written.rows[2:]]
    found = recognise(rows).headers
    assert found.rows == 2
    assert [head.question for head in found.heads] == written.rows[0]


def truth() -> list[dict[str, str]]:
    with (Path(__file__).parent / "exports.csv").open(encoding="utf-8", newline="") as file:
        return [row for row in csv.DictReader(file) if row["refused"] == "no" and not row["file"].endswith(".sav")]


@pytest.mark.parametrize("row", truth(), ids=lambda row: f"{row['folder']}/{row['file']}")
def test_real_exports_are_recognised(row: dict[str, str]):
    path = shared("exports", row["folder"], row["file"])
    known = "" if row["encoding"].startswith("utf-8") else row["encoding"]
    table = open_table(path, Export(file=path.name, encoding=known))
    assert table.layout.tool.value == row["tool"]
    blank = sum(not any(map(str.strip, cells)) for k, cells in table.grid.records() if k <= table.header_row)
    assert table.header_row - blank == int(row["header_rows"])
