"""A study file says what it means, or every fault in it is told at once, each with its line."""

from __future__ import annotations

import datetime as dt
import json
import math
from pathlib import Path
from typing import Any

import pytest
from conftest import STUDY
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from materiality.errors import MaterialityError
from materiality.study import (
    Action,
    Decided,
    DuplicateChoice,
    Pillar,
    PrivacyProfile,
    Scale,
    Special,
    ThresholdRule,
    TierMethod,
    Tool,
    Top,
    UnknownGroup,
    fold,
    load_study,
)

EVERY_KEY = """\
title = "KSTAR ESG materiality assessment"
organisation = "Shenzhen KSTAR Science and Technology Co., Ltd."
period = "2023"
simulated = false
seed = 2023
confidence = 0.9

[scale]
low = 1
high = 5
step = 0.5
[scale.labels]
"Not important" = 1
"Extremely important" = 5
[scale.special]
"Don't know" = "dont_know"
"N/A" = "not_applicable"
"-" = "blank"

[[responses]]
file = "responses.csv"
tool = "plain"
respondent = "ResponseId"
own_ids = true
group = "Which describes you best?"
group_separator = ","
weight = "base_weight"
seconds = "Duration (in seconds)"
encoding = "utf-8"
delimiter = ";"

[[responses]]
file = "regulators.xlsx"
sheet = "Responses"
group_is = "regulators"
started = "Start"
finished = "End"
time_format = "%m/%d/%Y %H:%M:%S"

[[groups]]
id = "employees"
label = "Employees"
answers = ["Employee", "员工", 1]
population = 4035
[groups.margins.gender]
male = 2726
female = 1309

[[groups]]
id = "regulators"

[[issues]]
id = "climate_change"
label = "Climate change response"
pillar = "environmental"
description = "Emissions and how they fall."
gri = ["305"]
esrs = ["E1"]
szse = ["应对气候变化"]

[[issues]]
id = "safety"

[axes.stakeholders]
label = "Importance to stakeholders"
column = "How important is {label} to you?"
groups = { employees = 1, regulators = 0.5 }

[axes.business]
columns = { climate_change = "Q5_1", safety = "Q5_2" }

[matrix]
x = "business"
y = "stakeholders"

[cleaning]
blank = "flag"
no_group = "flag"
unknown_group = "drop"
no_rating = "off"
too_few_answers = "flag"
min_share_answered = 0.25
too_fast = "off"
seconds_per_answer = 1.5
duplicate = "flag"
duplicate_choice = "last"
straight_lined = "drop"

[weighting]
raking = false
trim = [0.3, 3]
finite_population = false

[tiers]
method = "kmeans"
thresholds = { stakeholders = 3.5, business = "largest_gap" }
rule = "both"
clusters = 2

[robustness]
weights_vary = 0.2

[[decisions]]
issue = "safety"
decision = "not_material"
reason = "Covered by the works council's own programme."
date = 2024-03-31
by = "Sustainability committee"

[privacy]
profile = "publish"
minimum_group_size = 12
"""


DECISION = """
[[decisions]]
issue = "climate"
decision = "material"
reason = "Required by the parent company."
date = 2024-03-31
by = "The board"
"""


def written(folder: Path, text: str | bytes) -> Path:
    """A study file in a folder."""
    path = folder / "study.toml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def told(path: Path) -> list[str]:
    """Every fault of a study file, whole."""
    with pytest.raises(MaterialityError) as caught:
        load_study(path)
    assert str(caught.value) == "\n".join(map(str, caught.value.faults))
    return [str(fault) for fault in caught.value.faults]


def line(text: str, part: str) -> int:
    """The number of the one line that holds a part."""
    (found,) = (k for k, content in enumerate(text.split("\n"), 1) if part in content)
    return found


def test_every_key_of_the_design_is_understood(tmp_path):
    study = load_study(written(tmp_path, EVERY_KEY))
    first, second = study.responses
    employees, regulators = study.groups
    climate, safety = study.issues
    assert (study.title, study.period, study.seed, study.confidence, study.simulated) == (
        "KSTAR ESG materiality assessment", "2023", 2023, 0.9, False,
    )  # fmt: skip
    assert study.scale.points == (1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5)
    assert study.scale.labels == {"Not important": 1, "Extremely important": 5}
    assert list(study.scale.special.values()) == [Special.DONT_KNOW, Special.NOT_APPLICABLE, Special.BLANK]
    assert (first.tool, first.own_ids, first.group_separator, first.delimiter) == (Tool.PLAIN, True, ",", ";")
    assert (second.group_is, second.sheet, second.started) == ("regulators", "Responses", "Start")
    assert employees.answers == ("Employee", "员工", "1")
    assert employees.margins == {"gender": {"male": 2726, "female": 1309}}
    assert (regulators.name, safety.name) == ("regulators", "safety")
    assert (climate.pillar, climate.szse) == (Pillar.ENVIRONMENTAL, ("应对气候变化",))
    assert study.layout.questions == (
        "How important is Climate change response to you?", "How important is safety to you?", "Q5_1", "Q5_2",
    )  # fmt: skip
    assert study.layout.question_of == ((0, 1), (2, 3))
    assert study.layout.group_weights == ((1, 0.5), (1, 1))
    assert (study.x, study.y) == ("business", "stakeholders")
    assert study.cleaning.unknown_group is UnknownGroup.DROP
    assert study.cleaning.duplicate_choice is DuplicateChoice.LAST
    assert study.weighting.trim == (0.3, 3)
    assert study.tiers.method is TierMethod.KMEANS
    assert study.thresholds == (ThresholdRule.LARGEST_GAP, 3.5)
    assert study.robustness.weights_vary == 0.2
    assert [(d.issue, d.decision, d.date, d.by) for d in study.decisions] == [
        ("safety", Decided.NOT_MATERIAL, dt.date(2024, 3, 31), "Sustainability committee"),
    ]
    assert (study.privacy.profile, study.privacy.hidden_below) == (PrivacyProfile.PUBLISH, 12)


def test_defaults(tmp_path):
    text = STUDY.partition("[matrix]")[0].replace('respondent = "id"\n', "")
    study = load_study(written(tmp_path, text))
    export = study.responses[0]
    assert (study.organisation, study.period, study.seed, study.confidence, study.simulated) == ("", "", 0, 0.95, False)
    assert (export.tool, export.respondent, export.encoding, export.own_ids) == (Tool.AUTO, "", "", False)
    assert study.scale.points == (1, 2, 3, 4, 5)
    assert study.groups[0].population is None
    assert study.layout.group_weights == ((1, 1), (1, 1))
    assert (study.x, study.y) == ("business", "people")
    assert study.cleaning.straight_lined is Action.FLAG
    assert study.cleaning.unknown_group is UnknownGroup.FAULT
    assert study.cleaning.duplicate_choice is DuplicateChoice.FAULT
    assert study.tiers.method is TierMethod.THRESHOLDS
    assert study.thresholds == (ThresholdRule.MEAN, ThresholdRule.MEAN)
    assert (study.robustness.weights_vary, study.decisions) == (0.3, ())
    assert study.privacy.hidden_below == 5


@pytest.mark.parametrize(
    ("given", "threshold"),
    [
        ("3.5", 3.5),
        ("3", 3.0),
        ('"median"', ThresholdRule.MEDIAN),
        ('"Top 2"', Top(2)),
        ('"top2"', Top(2)),
        ('"very important"', 5.0),
        ('" Not important "', 1.0),
    ],
)
def test_a_threshold_is_a_number_a_rule_or_a_label_of_the_scale(tmp_path, given, threshold):
    labels = '[scale.labels]\n"Not important" = 1\n"Very important" = 5\n'
    text = STUDY.replace("[[responses]]", f"{labels}\n[[responses]]")
    assert load_study(written(tmp_path, f"{text}\n[tiers.thresholds]\npeople = {given}\n")).thresholds == (
        ThresholdRule.MEAN,
        threshold,
    )


def test_the_date_of_a_decision_may_stand_in_quotes(tmp_path):
    study = load_study(written(tmp_path, STUDY + DECISION.replace("2024-03-31", '"2024-03-31"')))
    assert study.decisions[0].date == dt.date(2024, 3, 31)


def test_a_folder_means_the_study_file_in_it(tmp_path):
    written(tmp_path, STUDY)
    assert load_study(tmp_path) == load_study(tmp_path / "study.toml")


def test_a_given_seed_takes_the_place_of_the_studys(tmp_path):
    assert load_study(written(tmp_path, "seed = 3\n" + STUDY), seed=7).seed == 7


def test_a_byte_order_mark_and_windows_line_ends_do_not_matter(tmp_path):
    plain = load_study(written(tmp_path, STUDY))
    assert load_study(written(tmp_path, b"\xef\xbb\xbf" + STUDY.replace("\n", "\r\n").encode())) == plain


@pytest.mark.parametrize(
    "text", ["Don't know", " don't  KNOW ", "DON'T\u00a0know", "\ufeffDon't kn\u200bow", "don't\nknow"]
)
def test_case_and_space_do_not_matter(text):
    assert fold(text) == "don'tknow"


@pytest.mark.parametrize(
    ("number", "point"),
    [(0.3, 0.1 * 3), (0.7, 0.1 * 7), (1, 1.0), (0, 0.0), (0.35, None), (1.1, None), (-0.1, None), (float("inf"), None)],
)
def test_a_number_means_the_point_of_the_scale_that_it_is_written_for(number, point):
    assert Scale(low=0, high=1, step=0.1).point(number) == point


def test_without_a_step_any_number_between_the_ends_is_a_point():
    assert [Scale(low=0, high=100, step=0).point(x) for x in (0, 33.3, 100, 100.1)] == [0, 33.3, 100, None]


FAULTS = [
    pytest.param(
        ("[scale]\nlow = 1", "[scale]\nlow = 1\nhihg = 5"),
        "line 5, scale.hihg: unknown key. Nearest: 'high'.",
        "correct or remove it; known here: low, high, step, labels, special.",
        id="an unknown key",
    ),
    pytest.param(
        ('label = "Importance to people"', 'lable = "Importance to people"'),
        "line 40, axes.people.lable: unknown key. Nearest: 'label'.",
        "correct or remove it; known here: label, column, columns, groups, group_weights, judges, accept_inconsistent.",
        id="an unknown key of an axis",
    ),
    pytest.param(
        ('id = "buyers"', 'id = "buyers"\npopulatoin = 3'),
        "line 21, groups no. 2 ('buyers').populatoin: unknown key. Nearest: 'population'.",
        "correct or remove it; known here: id, label, answers, population, margins, categories, strata.",
        id="an unknown key of the second group",
    ),
    pytest.param(
        ("[matrix]", "[matirx]"),
        "line 47, matirx: unknown key. Nearest: 'matrix', 'tiers', 'simulation'.",
        "correct or remove it; known here: title, organisation, period, simulated, language, seed, confidence, scale, "
        "responses, groups, issues, axes, matrix, cleaning, weighting, tiers, robustness, decisions, privacy, "
        "simulation.",
        id="an unknown table",
    ),
    pytest.param(
        ("low = 1\n", ""),
        "line 3, scale.low: is missing.",
        "add it; the user guide shows a whole study file.",
        id="a missing key",
    ),
    pytest.param(
        ('title = "A small study"', ""),
        "title: is missing.",
        "add it; the user guide shows a whole study file.",
        id="no title",
    ),
    pytest.param(('"A small study"', '""'), "line 1, title: is empty.", "give a text.", id="an empty title"),
    pytest.param(
        ('"A small study"', '"A small study"\ntitle = "B"'),
        "line 2: the key 'title' stands twice.",
        "keep one of them.",
        id="a key twice",
    ),
    pytest.param(
        ("[matrix]", "[scale]\n[matrix]"),
        "line 47: the table [scale] stands twice.",
        "put its keys into one table.",
        id="a table twice",
    ),
    pytest.param(
        ('[[issues]]\nid = "climate"', '[issues]\nid = "climate"'),
        "line 29: [[issues]] is already given in another form.",
        "write [[issues]] wherever it starts.",
        id="single brackets first",
    ),
    pytest.param(
        ("[[responses]]", "[responses]"),
        "line 10, responses: [responses] opens a single table where there may be several.",
        "write [[responses]].",
        id="single brackets for a list of tables",
    ),
    pytest.param(
        ("[matrix]", "[[matrix]]"),
        "line 47, matrix: [[matrix]] opens one of several tables where there is one only.",
        "write [matrix].",
        id="double brackets for a table",
    ),
    pytest.param(
        ('"A small study"', "A small study"),
        "line 1, column 9 is not valid TOML: invalid value.",
        "correct the line, or the one before it; text stands in double quotes, lists in [ ], tables start with [name].",
        id="no TOML",
    ),
    pytest.param(
        ("low = 1", f"low = {'9' * 5000}"),
        "is not valid TOML: a number too long or lists too deep.",
        "correct it.",
        id="a number of 5000 digits",
    ),
    pytest.param(
        ("low = 1", f"low = {'[' * 5000}"),
        "is not valid TOML: a number too long or lists too deep.",
        "correct it.",
        id="5000 brackets",
    ),
    pytest.param(
        ("low = 1", "low = 5"),
        "line 4, scale: low (5) is not below high (5).",
        "let low be the scale's smallest point.",
        id="a scale without length",
    ),
    pytest.param(
        ("low = 1", "low = nan"),
        "line 4, scale.low: nan was found; it should be a finite number.",
        "correct the value.",
        id="a scale that starts nowhere",
    ),
    pytest.param(
        ("low = 1\nhigh = 5", "low = -1e308\nhigh = 1e308"),
        "line 3, scale: -1e+308 to 1e+308 is too wide.",
        "correct low and high.",
        id="a scale too wide",
    ),
    pytest.param(
        ("high = 5", "high = 5\nstep = 1e-9"),
        "line 6, scale: more than 1001 points.",
        "set step = 0 where any number between the ends counts.",
        id="a step too small",
    ),
    pytest.param(
        ("high = 5", "high = 5\nstep = 3"),
        "line 6, scale: steps of 3 from 1 do not reach 5.",
        "correct step, low or high.",
        id="a step that misses the end",
    ),
    pytest.param(
        ("[scale.special]", '[scale.labels]\n"Very" = 6\n[scale.special]'),
        "line 8, scale.labels: 'Very' is 6, no point of the scale 1 to 5.",
        "correct it.",
        id="a label off the scale",
    ),
    pytest.param(
        ("[scale.special]", '[scale.labels]\n"Very" = 4\n"very " = 5\n[scale.special]'),
        "line 9, scale.labels: 'very ' has two points (letter case and space do not matter).",
        "keep one of them.",
        id="a label with two points",
    ),
    pytest.param(
        ("[scale.special]", '[scale.labels]\n"Don\'t Know" = 4\n[scale.special]'),
        "line 10, scale.special: 'Don't know' has two meanings (letter case and space do not matter).",
        "keep it in labels or in special, once.",
        id="a label that is special",
    ),
    pytest.param(
        ("[scale.special]", '[scale.labels]\n" " = 4\n[scale.special]'),
        "line 8, scale.labels: a label without any text.",
        "write the answer; a blank cell is no rating.",
        id="a blank cell as a rating",
    ),
    pytest.param(
        ('= "dont_know"', '= "dont_now"'),
        "line 8, scale.special.Don't know: 'dont_now' is not known. Nearest: 'dont_know'.",
        "use one of 'dont_know', 'not_applicable' or 'blank'.",
        id="a special answer misspelt",
    ),
    pytest.param(
        ('group = "group"', 'group = "group"\ngroup_is = "staff"'),
        "line 10, responses no. 1 ('responses.csv'): both group and group_is are given.",
        "name the column with group = …, or the group of the whole file with group_is = ….",
        id="group and group_is",
    ),
    pytest.param(
        ('group = "group"\n', ""),
        "line 10, responses no. 1 ('responses.csv'): neither group nor group_is is given.",
        "name the column with group = …, or the group of the whole file with group_is = ….",
        id="neither group nor group_is",
    ),
    pytest.param(
        ('group = "group"', 'group_is = "stuff"'),
        "line 13, responses no. 1 ('responses.csv'): group_is = 'stuff' is no group. Nearest: 'staff'.",
        "use a group's id: 'staff', 'buyers'.",
        id="group_is is no group",
    ),
    pytest.param(
        ('group = "group"', 'group = "group"\nstarted = "t"'),
        "line 10, responses no. 1 ('responses.csv'): only one of started and finished is given.",
        "give both, or seconds instead.",
        id="started without finished",
    ),
    pytest.param(
        ('group = "group"', 'group = "group"\nstarted = "t"\nfinished = "u"\nseconds = "v"'),
        "line 16, responses no. 1 ('responses.csv'): seconds are given, and started and finished as well.",
        "keep seconds, or the other two.",
        id="two durations",
    ),
    *(
        pytest.param(
            ('group = "group"', f'group = "group"\nstarted = "t"\nfinished = "u"\ntime_format = "{wrong}"'),
            f"line 16, responses no. 1 ('responses.csv'): time_format '{wrong}' does not tell date and time of day.",
            'write it as in "%m/%d/%Y %H:%M:%S": %Y year, %m month, %d day, %H hour, %M minute, %S second.',
            id=f"time_format {wrong}",
        )
        for wrong in ("%Y-%m-%d", "%I:%M %m/%d/%Y", "%Q", "%Y %Y", "%H:%M", "MM/DD/YYYY hh:mm", "%")
    ),
    *(
        pytest.param(
            ('group = "group"', f'group = "group"\nencoding = "{wrong}"'),
            f"line 14, responses no. 1 ('responses.csv'): the encoding '{wrong}' is not known.",
            'use "utf-8", "gb18030", "cp1252" ….',
            id=f"encoding {wrong}",
        )
        for wrong in ("uft-8", "base64", "rot13", "undefined")
    ),
    *(
        pytest.param(
            ('group = "group"', f'group = "group"\ndelimiter = {json.dumps(wrong)}'),
            f"line 14, responses no. 1 ('responses.csv'): the delimiter '{shown}' cannot part cells.",
            'use one character: ",", ";" or "\\t".',
            id=f"delimiter {shown}",
        )
        for wrong, shown in ((";;", ";;"), ('"', '"'), ("\n", "\\n"))
    ),
    pytest.param(
        ('group = "group"', 'group = "group"\nsheet = "A"'),
        "line 14, responses no. 1 ('responses.csv'): only workbooks have sheets.",
        "remove sheet, or name an XLSX file.",
        id="a sheet of a CSV file",
    ),
    pytest.param(
        ('[[groups]]\nid = "staff"', '[[responses]]\nfile = "./responses.csv"\ngroup = "g"\n[[groups]]\nid = "staff"'),
        "line 16, responses no. 2 ('./responses.csv'): this export stands twice.",
        "name each export once; of a workbook, name different sheets.",
        id="an export twice",
    ),
    pytest.param(
        ('file = "responses.csv"', 'file = "a.xlsx"\nsheet = "A"\ngroup = "g"\n[[responses]]\nfile = "a.xlsx"'),
        "line 15, responses no. 2 ('a.xlsx'): this export stands twice.",
        "name each export once; of a workbook, name different sheets.",
        id="a workbook with a sheet and without",
    ),
    pytest.param(
        ('file = "responses.csv"', 'file = "responses.csv"\ntool = "qualtrix"'),
        "line 12, responses no. 1 ('responses.csv').tool: 'qualtrix' is not known. Nearest: 'qualtrics'.",
        "use one of 'auto', 'plain', 'qualtrics', 'surveymonkey', 'google_forms', 'microsoft_forms', 'limesurvey', "
        "'alchemer', 'typeform', 'kobotoolbox', 'odk', 'sosci', 'redcap', 'eusurvey' or 'wenjuanxing'.",
        id="a tool misspelt",
    ),
    pytest.param(
        ('id = "buyers"', 'id = "staff"'),
        "line 19, groups: the id 'staff' stands twice.",
        "give each its own id.",
        id="a group twice",
    ),
    pytest.param(
        ('answers = ["Customer"]', 'answers = ["Customer", "STAFF "]'),
        "line 22, groups: the answer 'STAFF ' belongs to 'staff' and to 'buyers'.",
        "leave it in one of them; a group's id and label always count as its answers.",
        id="an answer of two groups",
    ),
    pytest.param(
        ('answers = ["Customer"]', 'answers = ["Customer", " "]'),
        "line 22, groups: 'buyers' has an answer without any text.",
        "remove it; a respondent with a blank cell belongs to no group.",
        id="a blank answer",
    ),
    pytest.param(
        ('answers = ["Customer"]', 'answers = "Customer"'),
        "line 22, groups no. 2 ('buyers').answers: 'Customer' was found; it should be a list, in [ ].",
        "correct the value.",
        id="a text for a list",
    ),
    *(
        pytest.param(
            ('answers = ["Customer"]', f'answers = ["Customer"]\npopulation = {wrong}'),
            f"line 23, groups no. 2 ('buyers').population: {found} was found; it should be {should}.",
            "correct the value.",
            id=f"population {wrong}",
        )
        for wrong, found, should in (
            ("0", "0", "greater than 0"),
            ("-4", "-4", "greater than 0"),
            ("3.5", "3.5", "a whole number, without quotes"),
            ('"many"', "'many'", "a whole number, without quotes"),
            ("2023-01-01", "2023-01-01", "a whole number, without quotes"),
        )
    ),
    pytest.param(
        ('id = "staff"', 'id = "our staff"'),
        "line 16, groups no. 1 ('our staff').id: 'our staff' cannot be an id.",
        "use letters, digits, '_', '-' and '.', starting with a letter or digit.",
        id="an id with a space",
    ),
    pytest.param(
        ('id = "staff"', f'id = "{"a" * 61}"'),
        f"line 16, groups no. 1 ('{'a' * 29}…').id: '{'a' * 29}…' is too long.",
        "use at most 60 characters.",
        id="an id too long",
    ),
    pytest.param(
        ("[axes.people]", '[axes."our people"]'),
        "line 39, axes.our people: 'our people' cannot be an id.",
        "use letters, digits, '_', '-' and '.', starting with a letter or digit.",
        id="an axis with a space",
    ),
    pytest.param(
        ('pillar = "social"', 'pillar = "socail"'),
        "line 32, issues no. 2 ('safety').pillar: 'socail' is not known. Nearest: 'social'.",
        "use one of 'environmental', 'social', 'governance' or 'economic'.",
        id="a pillar misspelt",
    ),
    pytest.param(
        ('column = "{label}"', 'column = "{label}"\ngroups = { staf = 1 }'),
        "line 42, axes.people.groups: 'staf' is no group. Nearest: 'staff'.",
        "use group ids: 'staff', 'buyers'.",
        id="an axis asks no group",
    ),
    pytest.param(
        ('column = "{label}"', 'column = "{label}"\ngroups = { staff = 0, buyers = 0.0 }'),
        "line 42, axes.people.groups: every weight is 0.",
        "give at least one group a positive weight.",
        id="weights of 0",
    ),
    *(
        pytest.param(
            ('column = "{label}"', f'column = "{{label}}"\ngroups = {{ staff = {wrong} }}'),
            f"line 42, axes.people.groups.staff: {wrong} was found; it should be {should}.",
            "correct the value.",
            id=f"weight {wrong}",
        )
        for wrong, should in (
            ("-1", "greater than or equal to 0"),
            ("nan", "a finite number"),
            ("inf", "a finite number"),
        )
    ),
    pytest.param(
        ('column = "{label}"', 'columns = { climate = "A", safety = "B", ethics = "C", ethic = "D" }'),
        "line 41, axes.people.columns: 'ethic' is no issue. Nearest: 'ethics'.",
        "use issue ids: 'climate', 'safety', 'ethics'.",
        id="a column of no issue",
    ),
    pytest.param(
        ('column = "{label}"', 'columns = { climate = "A", safety = "B" }'),
        "line 41, axes.people: no column for issue 'ethics'.",
        "name it in columns, or give column with {id} or {label} in it.",
        id="an issue without a column",
    ),
    pytest.param(
        ('column = "{label}"', 'column = "{label}"\ncolumns = { ethics = "safety" }'),
        "line 42, axes.people: issues 'safety' and 'ethics' share the column 'safety'.",
        "give each issue a column of its own; column needs {id} or {label} in it.",
        id="two issues on one column",
    ),
    pytest.param(
        ('y = "people"', 'y = "poeple"'),
        "line 49, matrix.y: 'poeple' is no axis. Nearest: 'people'.",
        "use one of 'people', 'business'.",
        id="no such axis",
    ),
    pytest.param(
        ('y = "people"', 'y = "business"'),
        "line 47, matrix: x and y are both 'business'.",
        "choose two of 'people', 'business'.",
        id="one axis twice",
    ),
    pytest.param(
        ('y = "people"\n', ""), "line 47, matrix: only one of x and y is named.", "name both, or neither.", id="only x"
    ),
    pytest.param(
        ('[matrix]\nx = "business"\ny = "people"', '[axes.third]\ncolumn = "T {id}"'),
        "matrix: 3 axes, and x and y are not both named.",
        "choose two of 'people', 'business', 'third'.",
        id="three axes without a choice",
    ),
    pytest.param(
        (STUDY[STUDY.index("[axes.business]") :], ""),
        "line 39, axes: a matrix needs two, only 'people' is given.",
        "add a second [axes.…]; it may ask the same columns of other groups.",
        id="one axis",
    ),
    pytest.param(
        ("[privacy]", "[tiers]\nclusters = 4\n[privacy]"),
        "line 52, tiers: 4 clusters for 3 issues.",
        "ask for fewer clusters, or leave clusters out.",
        id="more clusters than issues",
    ),
    pytest.param(
        ("[privacy]", "[tiers.thresholds]\npeople = 5.5\n[privacy]"),
        "line 52, tiers.thresholds: people = 5.5 is off the scale 1 to 5.",
        "correct it, or use one of 'mean', 'median', 'midpoint', 'largest_gap'.",
        id="a threshold off the scale",
    ),
    pytest.param(
        ("[privacy]", '[tiers.thresholds]\npeople = "meen"\n[privacy]'),
        "line 52, tiers.thresholds.people: 'meen' is no threshold. Nearest: 'mean', 'median'.",
        "use a number on the scale, one of its labels, \"top 10\" or another number of issues, or one of 'mean', "
        "'median', 'midpoint', 'largest_gap'.",
        id="a threshold misspelt",
    ),
    pytest.param(
        ("[privacy]", '[tiers.thresholds]\npeople = "top 3"\n[privacy]'),
        "line 52, tiers.thresholds: people = 'top 3' divides nothing among 3 issues.",
        "use a number from 1 to 2.",
        id="as many on top as there are issues",
    ),
    pytest.param(
        ("[privacy]", "[tiers.thresholds]\npeople = nan\n[privacy]"),
        "line 52, tiers.thresholds.people: nan is no threshold.",
        "use a number on the scale, one of its labels, \"top 10\" or another number of issues, or one of 'mean', "
        "'median', 'midpoint', 'largest_gap'.",
        id="a threshold that is no number",
    ),
    pytest.param(
        ("[privacy]", f"{DECISION.replace('climate', 'climat')}\n[privacy]"),
        "line 53, decisions: 'climat' is no issue. Nearest: 'climate'.",
        "use the id of an issue.",
        id="a decision on no issue",
    ),
    pytest.param(
        ("[privacy]", f"{DECISION}{DECISION}\n[privacy]"),
        "line 60, decisions: 'climate' is decided twice, here and in number 1.",
        "leave the one that holds.",
        id="an issue decided twice",
    ),
    pytest.param(
        ("[privacy]", f"{DECISION.replace('2024-03-31', '2024')}\n[privacy]"),
        "line 56, decisions no. 1.date: 2024 was found; it should be a date such as 2024-03-31.",
        "correct the value.",
        id="a year where a date should be",
    ),
    pytest.param(
        ("[privacy]", f"{DECISION.replace('reason = ', '# ')}\n[privacy]"),
        "line 52, decisions no. 1.reason: is missing.",
        "add it; the user guide shows a whole study file.",
        id="a decision without its reason",
    ),
    pytest.param(
        ("[privacy]", "[robustness]\nweights_vary = 1.5\n[privacy]"),
        "line 52, robustness.weights_vary: 1.5 was found; it should be less than 1.",
        "correct the value.",
        id="weights that vary too much",
    ),
    pytest.param(
        ("[privacy]", "[tiers]\nthresholds = { peple = 3 }\n[privacy]"),
        "line 52, tiers.thresholds: 'peple' is no axis. Nearest: 'people'.",
        "use one of 'people', 'business'.",
        id="a threshold of no axis",
    ),
    pytest.param(
        ("[privacy]", "[weighting]\ntrim = [3, 1]\n[privacy]"),
        "line 52, weighting.trim: the first bound is not below the second.",
        "give [smallest, largest] weight.",
        id="bounds the wrong way round",
    ),
    pytest.param(
        ("[privacy]", "[weighting]\ntrim = [0.3, 1, 3]\n[privacy]"),
        "line 52, weighting.trim: holds too many values.",
        "give 2.",
        id="three bounds",
    ),
    pytest.param(
        ("[privacy]", "[weighting]\nraking = 2\n[privacy]"),
        "line 52, weighting.raking: 2 was found; it should be true or false, without quotes.",
        "correct the value.",
        id="raking twice",
    ),
    pytest.param(
        (
            'answers = ["Customer"]',
            'answers = ["Customer"]\n[groups.margins.sex]\nm = 20\nw = 30\n'
            "[groups.margins.site]\nnorth = 9\nsouth = 1\n[groups.margins.age]\nyoung = 0.4\nold = 0.6",
        ),
        "line 23, groups 'buyers': the margins' totals disagree: sex 50, site 10.",
        "correct the counts, or give shares that sum to 1.",
        id="margins that disagree",
    ),
    pytest.param(
        ('answers = ["Customer"]', "margins = { sex = { m = 0, w = 0 } }"),
        "line 22, groups 'buyers', margins.sex: no category counts anything.",
        "give counts or shares.",
        id="a margin of nobody",
    ),
    pytest.param(
        ('profile = "off"', 'profile = "of"'),
        "line 52, privacy.profile: 'of' is not known. Nearest: 'off'.",
        "use one of 'internal', 'publish' or 'off'.",
        id="a profile misspelt",
    ),
    pytest.param(
        ("[privacy]", '[cleaning]\ntoo_fast = "dorp"\n[privacy]'),
        "line 52, cleaning.too_fast: 'dorp' is not known. Nearest: 'drop'.",
        "use one of 'drop', 'flag' or 'off'.",
        id="an action misspelt",
    ),
    pytest.param(
        ('"A small study"', '"A small study"\nconfidence = 95'),
        "line 2, confidence: 95 was found; it should be less than 1.",
        "correct the value.",
        id="confidence in per cent",
    ),
]


@pytest.mark.parametrize(("edit", "what", "mend"), FAULTS)
def test_a_fault_is_told_with_its_line_and_its_mend(tmp_path, edit, what, mend):
    before, after = edit
    assert STUDY.count(before) == 1
    assert told(written(tmp_path, STUDY.replace(before, after))) == [f"study.toml: {what}\n  Mend: {mend}"]


def test_all_faults_of_a_file_are_told_at_once(tmp_path):
    text = (
        STUDY.replace("low = 1", "low = 1\nhihg = 5")
        .replace('pillar = "social"', 'pillar = "socail"')
        .replace('column = "{label}"', 'column = "{label}"\ngroups = { staf = 1, buyers = -2 }')
        .replace('y = "people"', 'y = "poeple"')
        .replace("[privacy]", '[tiers]\nclusters = 4\nrule = "ether"\n[privacy]')
    )
    assert told(written(tmp_path, text)) == [
        f"study.toml: line {line(text, 'hihg')}, scale.hihg: unknown key. Nearest: 'high'.\n"
        "  Mend: correct or remove it; known here: low, high, step, labels, special.",
        f"study.toml: line {line(text, 'socail')}, issues no. 2 ('safety').pillar: 'socail' is not known. "
        "Nearest: 'social'.\n  Mend: use one of 'environmental', 'social', 'governance' or 'economic'.",
        f"study.toml: line {line(text, 'staf =')}, axes.people.groups.buyers: -2 was found; it should be greater than "
        "or equal to 0.\n  Mend: correct the value.",
        f"study.toml: line {line(text, 'ether')}, tiers.rule: 'ether' is not known. Nearest: 'either'.\n"
        "  Mend: use one of 'either' or 'both'.",
        f"study.toml: line {line(text, 'staf =')}, axes.people.groups: 'staf' is no group. Nearest: 'staff'.\n"
        "  Mend: use group ids: 'staff', 'buyers'.",
        f"study.toml: line {line(text, 'poeple')}, matrix.y: 'poeple' is no axis. Nearest: 'people'.\n"
        "  Mend: use one of 'people', 'business'.",
        f"study.toml: line {line(text, 'clusters')}, tiers: 4 clusters for 3 issues.\n"
        "  Mend: ask for fewer clusters, or leave clusters out.",
    ]


def test_issues_that_share_a_label_share_their_columns_as_well(tmp_path):
    text = STUDY.replace('label = "Ethics"', 'label = "climate "')
    share = "give each issue a column of its own; column needs {id} or {label} in it."
    assert told(written(tmp_path, text)) == [
        "study.toml: line 34, issues: 'ethics' and 'climate' share the label 'climate '.\n"
        "  Mend: tell them apart by their labels.",
        "study.toml: line 41, axes.people: issues 'climate' and 'ethics' share the column 'climate '.\n"
        f"  Mend: {share}",
        "study.toml: line 45, axes.business: issues 'climate' and 'ethics' share the column 'Impact of climate '.\n"
        f"  Mend: {share}",
    ]


def test_an_empty_file_lacks_every_section(tmp_path):
    assert told(written(tmp_path, "")) == [
        f"study.toml: {key}: is missing.\n  Mend: add it; the user guide shows a whole study file."
        for key in ("title", "scale", "responses", "groups", "issues", "axes")
    ]


def test_a_line_is_that_of_the_statement_however_it_is_written(tmp_path):
    text = (
        STUDY.replace("[scale]\nlow = 1\nhigh = 5", '# [groups]\nscale.low = 1\nscale . "high" = [\n  5, # [scale]\n]')
        .replace("\n[scale.special]", "")
        .replace('"Don\'t know" = "dont_know"', 'scale.special = { x = """\ny""" }')
    )
    assert told(written(tmp_path, text)) == [
        "study.toml: line 5, scale.high: a list was found; it should be a number, without quotes.\n"
        "  Mend: correct the value.",
        "study.toml: line 9, scale.special.x: 'y' is not known.\n"
        "  Mend: use one of 'dont_know', 'not_applicable' or 'blank'.",
    ]


def test_the_margins_of_the_second_group_are_not_those_of_the_first(tmp_path):
    margins = "[groups.margins.sex]\nm = {0}\nw = 1\n"
    text = STUDY.replace('label = "Staff"\n', 'label = "Staff"\n' + margins.format(1))
    text = text.replace('answers = ["Customer"]\n', 'answers = ["Customer"]\n' + margins.format(-2))
    assert told(written(tmp_path, text)) == [
        f"study.toml: line {line(text, 'm = -2')}, groups no. 2 ('buyers').margins.sex.m: -2 was found; "
        "it should be greater than or equal to 0.\n  Mend: correct the value."
    ]


def test_the_truth_of_a_simulation_is_checked_too(tmp_path):
    text = STUDY + "[simulation.means.people]\nclimat = 3\nsafety = 5\n[simulation.respondents]\nstuff = 3\n"
    assert told(written(tmp_path, text)) == [
        f"study.toml: line {line(text, 'stuff')}, simulation.respondents: 'stuff' is not known. Nearest: 'staff'.\n"
        "  Mend: use one of 'staff', 'buyers'.",
        f"study.toml: line {line(text, 'climat =')}, simulation.means.people: 'climat' is not known. "
        "Nearest: 'climate'.\n  Mend: use one of 'climate', 'safety', 'ethics'.",
        f"study.toml: line {line(text, 'safety = 5')}, simulation.means.people: safety = 5 is not inside the scale.\n"
        "  Mend: choose a mean between 1 and 5.",
    ]


@pytest.mark.parametrize("encoding", ["utf-16", "cp1252"])
def test_a_file_that_is_not_utf8_is_refused_with_the_line(tmp_path, encoding):
    raw = STUDY.replace("Ethics", "Éthique").encode(encoding)
    number = 1 if encoding == "utf-16" else line(STUDY, '"Ethics"')
    assert told(written(tmp_path, raw)) == [f"study.toml: line {number} is not UTF-8.\n  Mend: save the file as UTF-8."]


def test_a_missing_file_and_a_folder_without_one_are_told(tmp_path):
    mend = "  Mend: name a study.toml, or the folder that holds one."
    for path in (tmp_path / "none.toml", tmp_path):
        missing = path / "study.toml" if path == tmp_path else path
        assert told(path) == [f"{missing}: there is no such file.\n{mend}"]


def test_an_export_named_as_the_study_is_told(tmp_path):
    (tmp_path / "answers.xlsx").write_bytes(b"PK")
    assert told(tmp_path / "answers.xlsx") == [
        "answers.xlsx: is an export, no study file.\n  Mend: name a study.toml, or the folder that holds one."
    ]


SMALL = st.one_of(
    st.integers(-3, 10),
    st.floats(width=16),
    st.booleans(),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=6),
    st.sampled_from(["staff", "climate", "people", "mean", "drop", "{id}", "1979-05-27", "qualtrics"]),
)
VALUES = st.recursive(
    SMALL, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc.é ", max_size=4), inner, max_size=3)
)


def as_toml(value: Any) -> str:
    """A value as TOML writes it on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {as_toml(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(as_toml, value)) + "]"
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, float) and math.isfinite(value):
        return repr(value)
    if isinstance(value, float):
        return str(value)
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def places(value: Any, place: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where every value inside a value stands."""
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place] * bool(place) + [found for step, inner in steps for found in places(inner, (*place, step))]


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_stands_in_a_study_file_it_is_read_or_its_faults_are_told(tmp_path, data):
    import tomllib

    study = tomllib.loads(EVERY_KEY)
    for _ in range(data.draw(st.integers(1, 3))):
        *way, last = data.draw(st.sampled_from(places(study)))
        table = study
        for step in way:
            table = table[step]
        change = data.draw(st.sampled_from(["put", "remove", "add"]))
        if change == "remove":
            del table[last]
        elif change == "put" or not isinstance(table, dict):
            table[last] = data.draw(VALUES)
        else:
            table[data.draw(st.text("abc_ é", max_size=5))] = data.draw(VALUES)
        if not places(study):
            break
    path = written(tmp_path, "".join(f"{json.dumps(key)} = {as_toml(value)}\n" for key, value in study.items()))
    try:
        read = load_study(path)
    except MaterialityError as error:
        assert all(fault.what and fault.mend and fault.file == "study.toml" for fault in error.faults)
        assert "pydantic" not in str(error) and "Input" not in str(error)
    else:
        assert read.x != read.y
        assert len(read.layout.question_of) == len(read.axes)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(start=st.integers(0, len(STUDY)), length=st.integers(0, 40), new=st.text("[]{}=\"#.,\n'x1 é", max_size=6))
def test_wherever_a_study_file_is_broken_it_is_read_or_its_faults_are_told(tmp_path, start, length, new):
    path = written(tmp_path, STUDY[:start] + new + STUDY[start + length :])
    try:
        load_study(path)
    except MaterialityError as error:
        assert all(fault.what and fault.mend for fault in error.faults)


# Group weights


JUDGED = (
    STUDY.replace("[matrix]", "{axis}[matrix]")
    .replace('[[issues]]\nid = "climate"', '[[groups]]\nid = "press"\n\n[[issues]]\nid = "climate"', 1)
)  # fmt: skip


def judged(lines: str, judgements: str = "") -> str:
    """Lines under the axis `business`, and a judge of it."""
    judge = f"[[axes.business.judges]]\n{judgements}\n" if judgements else ""
    return JUDGED.replace("{axis}", f"{lines}\n{judge}")


def weights_of(tmp_path: Path, text: str) -> list[float]:
    study = load_study(written(tmp_path, text))
    return list(study.layout.group_weights[list(study.axes).index("business")])


CONSISTENT_PAIRS = (
    '[axes.business.judges.judgements]\n"staff/buyers" = 2\n"buyers/press" = 3\n"press / staff" = 0.1666666667'
)


def test_consistent_judgements_give_exactly_the_weights_they_imply(tmp_path):
    text = judged('group_weights = "judged"', CONSISTENT_PAIRS)
    assert weights_of(tmp_path, text) == pytest.approx([6 / 10, 3 / 10, 1 / 10])


def test_several_judges_count_by_their_geometric_mean(tmp_path):
    """The second judge says the opposite of the first, so the groups count alike."""
    pairs = '"buyers/staff" = 2, "press/buyers" = 3, "staff/press" = 0.1666666667'
    second = f"[[axes.business.judges]]\njudgements = {{ {pairs} }}\n"
    text = judged('group_weights = "judged"', CONSISTENT_PAIRS).replace("[matrix]", second + "[matrix]")
    assert weights_of(tmp_path, text) == pytest.approx([1 / 3] * 3)


def test_group_weights_by_population_and_equal(tmp_path):
    text = JUDGED.replace('label = "Staff"', 'label = "Staff"\npopulation = 300')
    text = text.replace('label = "Buyers"', 'label = "Buyers"\npopulation = 100')
    groups = "groups = { staff = 5, buyers = 1 }\n"
    by_population = text.replace("{axis}", groups + 'group_weights = "population"\n')
    assert weights_of(tmp_path, by_population) == [300, 100, 0]
    assert weights_of(tmp_path, text.replace("{axis}", groups + 'group_weights = "equal"\n')) == [1, 1, 0]


@pytest.mark.parametrize(
    ("lines", "judgements", "what", "mend"),
    [
        pytest.param(
            'group_weights = "population"',
            "",
            "axes.business: group weights by population, and these groups have none: 'staff', 'buyers', 'press'.",
            "give their population in [[groups]], or the weights themselves.",
            id="no population",
        ),
        pytest.param(
            'group_weights = "judged"',
            "",
            "axes.business: group weights by judgement, and no judge.",
            "add [[axes.NAME.judges]].",
            id="no judge",
        ),
        pytest.param(
            "",
            CONSISTENT_PAIRS,
            "axes.business: judges are given, and group_weights is 'given'.",
            'set group_weights = "judged", or leave the judges out.',
            id="judges for nothing",
        ),
        pytest.param(
            'group_weights = "judged"',
            'name = "Board"\njudgements = { "staff/buyers" = 2 }',
            "axes.business, judge 'Board': not compared: staff and press; buyers and press.",
            "compare them.",
            id="pairs left out",
        ),
        pytest.param(
            'group_weights = "judged"',
            'judgements = { "staff/buyers" = 2, "buyers/staff" = 2, "staff/press" = 2, "buyers/press" = 2 }',
            "axes.business, judge '1': compared twice: buyers and staff.",
            "keep one of them.",
            id="a pair twice",
        ),
        pytest.param(
            'group_weights = "judged"',
            'judgements = { "staff/byers" = 2 }',
            "axes.business, judge '1': 'staff/byers' compares no two groups of the axis.",
            "write \"staff/press\" = 3, with ids of 'staff', 'buyers', 'press'.",
            id="no group",
        ),
    ],
)
def test_group_weights_that_cannot_be_are_told(tmp_path, lines, judgements, what, mend):
    faults = told(written(tmp_path, judged(lines, judgements)))
    assert len(faults) == 1
    assert what in faults[0]
    assert faults[0].endswith(f"\n  Mend: {mend}")


def test_judgements_that_contradict_each_other_are_refused_unless_the_study_insists(tmp_path):
    """More important than the next, all the way round."""
    circle = 'judgements = { "staff/buyers" = 5, "buyers/press" = 5, "press/staff" = 5 }'
    faults = told(written(tmp_path, judged('group_weights = "judged"', circle)))
    assert "the comparisons contradict each other (consistency ratio" in faults[0]
    assert "at most 0.10)" in faults[0]
    insists = judged('group_weights = "judged"\naccept_inconsistent = true', circle)
    assert weights_of(tmp_path, insists) == pytest.approx([1 / 3] * 3)


def test_no_axis_has_the_name_that_stands_for_both(tmp_path):
    text = STUDY.replace("[axes.business]", "[axes.combined]").replace('x = "business"', 'x = "combined"')
    assert told(written(tmp_path, text)) == [
        "study.toml: line 43, axes.combined: the name stands for both axes together.\n"
        "  Mend: give the axis another name."
    ]
