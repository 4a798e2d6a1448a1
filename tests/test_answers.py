"""A cell is a point of the scale, an answer that is no rating, or a fault; never a guess."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from materiality.reading.answers import FAULTY, MARK, NUMBER, Answers, Memberships
from materiality.responses import Kind
from materiality.study import Group, Scale, Special, fold

SCALE = Scale(
    low=1,
    high=5,
    labels={"Not important": 1, "Very important": 5, "重要": 4},
    special={"Don't know": Special.DONT_KNOW, "N/A": Special.NOT_APPLICABLE, "-": Special.BLANK},
)
GROUPS = (
    Group(id="employees", label="Employees", answers=("员工", "Employee, full time", "O'")),
    Group(id="customers", answers=("1",)),
    Group(id="suppliers", label="Suppliers"),
)


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("4", 4), (" 4\t", 4), ("4.0", 4), ("+4", 4), ("4.00", 4), ("\ufeff4", 4), ("not  IMPORTANT", 1), ("重 要", 4),
        ("don't know", MARK * Kind.DONT_KNOW), ("n/a", MARK * Kind.NOT_APPLICABLE), ("-", MARK * Kind.BLANK),
        ("", MARK * Kind.BLANK), (" \u00a0\u3000", MARK * Kind.BLANK), ("\u200b", MARK * Kind.BLANK),
    ],
)  # fmt: skip
def test_what_a_cell_means(cell, value):
    answers = Answers(SCALE)
    assert answers[cell] == value
    assert answers[cell] == value


DATE = "is a date where a rating on the scale 1 to 5 should be; spreadsheets turn an answer such as '1-5' into one."
PLAIN = "write it in the digits 0 to 9, as in 4 or 4.5."
AS_TEXT = "export again and open the file with that column as text, or correct the cell."
OFF = "correct the cell, or add it to [scale.special] if it means no answer."
WORDS = "correct the cell, or add it to [scale.labels] with its point, or to [scale.special] if it is no rating."


@pytest.mark.parametrize(
    ("cell", "what", "mend"),
    [
        ("6", "6 is off the scale 1 to 5.", OFF),
        ("0", "0 is off the scale 1 to 5.", OFF),
        ("-4", "-4 is off the scale 1 to 5.", OFF),
        ("9" * 400, f"'{'9' * 29}…' is off the scale 1 to 5.", OFF),
        (
            "4.5",
            "4.5 lies between the points of the scale 1 to 5. Nearest: 4.",
            "correct the cell, or set step in [scale] (0 lets any number count).",
        ),
        ("4,0", "'4,0' has a decimal comma. Nearest: 4.", "write numbers with a point, or export them so."),
        ("2023-05-01", f"'2023-05-01' {DATE}", AS_TEXT),
        ("5-Jan", f"'5-Jan' {DATE}", AS_TEXT),
        ("Jan-05", f"'Jan-05' {DATE}", AS_TEXT),
        ("1/5", f"'1/5' {DATE}", AS_TEXT),
        ("1月5日", f"'1月5日' {DATE}", AS_TEXT),
        ("05.01.2023", f"'05.01.2023' {DATE}", AS_TEXT),
        ("５", f"'５' is no plain number. Nearest: 5.", PLAIN),  # noqa: F541
        ("04", "'04' is no plain number. Nearest: 4.", PLAIN),
        ("4.", "'4.' is no plain number. Nearest: 4.", PLAIN),
        ("1e0", "'1e0' is no plain number. Nearest: 1.", PLAIN),
        ("inf", "'inf' is no plain number.", PLAIN),
        ("nan", "'nan' is no plain number.", PLAIN),
        ("1_0", "'1_0' is no answer on the scale 1 to 5.", WORDS),
        (
            "Very importnt",
            "'Very importnt' is no answer on the scale 1 to 5. Nearest: 'Very important', 'Not important'.",
            WORDS,
        ),
        ("x\n\x07y", "'x\\n\\x07y' is no answer on the scale 1 to 5.", WORDS),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_cell(cell, what, mend):
    answers = Answers(SCALE)
    assert answers[cell] == FAULTY
    assert tuple(answers.explain(cell)) == (what, mend)


@given(st.text(max_size=8) | st.from_regex(r"[+-]?[0-9.,/eE-]{1,6}", fullmatch=True))
def test_only_a_plain_number_or_a_label_is_a_rating(cell):
    answers = Answers(SCALE)
    value = answers[cell]
    if value < MARK:
        plain = cell.replace("\ufeff", " ").strip()
        assert fold(cell) in {fold(label) for label in SCALE.labels} or NUMBER.fullmatch(plain)
        assert value in SCALE.points
    elif value == FAULTY:
        what, mend = answers.explain(cell)
        assert what and mend and len(what) < 200
    else:
        assert not fold(cell) or fold(cell) in {fold(text) for text in SCALE.special}


@pytest.mark.parametrize("step", [0.1, 0.2, 0.25, 0.05, 1 / 3])
def test_every_point_of_a_fine_scale_is_read_and_no_other(step):
    scale = Scale(low=0, high=round(step * 30, 9), step=step)
    answers = Answers(scale)
    for k, point in enumerate(scale.points):
        assert answers[f"{k * step:.12f}"] == point
        assert answers[f"{(k + 0.5) * step:.12f}"] == FAULTY


def test_a_label_counts_as_its_point_to_the_last_digit():
    scale = Scale(low=0, high=1, step=0.1, labels={"some": 0.3, "7": 0.7})
    assert Answers(scale)["some"] == Answers(scale)["0.3"] == scale.points[3]
    assert Answers(scale)["7"] == scale.points[7]


def test_labels_in_digits_go_before_the_digits_themselves():
    answers = Answers(Scale(low=1, high=3, labels={"1": 3, "3": 1}))
    assert [answers[cell] for cell in ("1", "2", "3", "1.0")] == [3, 2, 1, 1]


def test_what_was_read_is_remembered_but_not_without_end(monkeypatch):
    monkeypatch.setattr("materiality.reading.answers.REMEMBERED", 3)
    answers = Answers(Scale(low=0, high=100, step=0))
    assert [answers[str(k)] for k in range(10)] == list(range(10))
    assert len(answers) == 3


def groups_of(cell: str, separator: str = "") -> tuple[list[str], list[str]]:
    """The groups that a cell names, and the names that are none."""
    memberships = Memberships(GROUPS, separator)
    number = memberships[cell]
    assert memberships[cell] == number
    return [GROUPS[k].id for k in memberships.patterns[number]], memberships.strangers.get(number, [])


@pytest.mark.parametrize(
    ("cell", "separator", "groups", "strangers"),
    [
        ("Employees", "", ["employees"], []),
        (" EMPLOYEES ", "", ["employees"], []),
        ("员 工", "", ["employees"], []),
        ("1", "", ["customers"], []),
        ("", "", [], []),
        ("  ", ",", [], []),
        ("Employees,Suppliers", "", [], ["Employees,Suppliers"]),
        ("Employees,Suppliers", ",", ["employees", "suppliers"], []),
        ("Suppliers, 员工 ,,1", ",", ["employees", "customers", "suppliers"], []),
        ("Employee, full time", ",", ["employees"], []),
        ("Suppliers,Employee, full time,1", ",", ["employees", "customers", "suppliers"], []),
        ("Employee, half time", ",", [], ["Employee", "half time"]),
        ("Suppliers,Supliers", ",", ["suppliers"], ["Supliers"]),
        ("Employees┋Suppliers", "┋", ["employees", "suppliers"], []),
        ("Employees; Suppliers", "; ", ["employees", "suppliers"], []),
        (",", ",", [], []),
    ],
)
def test_groups_that_a_cell_names(cell, separator, groups, strangers):
    assert groups_of(cell, separator) == (groups, strangers)


MEND = 'add it to that group\'s `answers`, correct the cell, or set unknown_group = "drop" in [cleaning].'


@pytest.mark.parametrize(
    ("stranger", "what"),
    [
        ("Suplier", "'Suplier' is no group. Nearest: 'Suppliers' (group suppliers)."),
        ("O''", "'O''' is no group. Nearest: 'O'' (group employees)."),
        ("zzz", "'zzz' is no group. Groups: 'employees', 'customers', 'suppliers'."),
        ("1;某人", "'1;某人' is no group. Groups: 'employees', 'customers', 'suppliers'."),
    ],
)
def test_what_is_wrong_with_a_name(stranger, what):
    assert tuple(Memberships(GROUPS, "").explain(stranger)) == (what, MEND)


@pytest.mark.parametrize("cell", ["1;员工", "Employees, suppliers", "1┋员工", "1|1"])
def test_several_names_in_a_cell_without_a_separator_are_told_as_that(cell):
    assert tuple(Memberships(GROUPS, "").explain(cell)) == (
        f"'{cell}' names several groups.",
        "say what stands between them with group_separator = … in [[responses]], or correct the cell.",
    )


@given(st.lists(st.sampled_from(["Employees", "1", "suppliers", "Employee, full time", "", " "]), max_size=6))
def test_joining_names_and_parting_them_gives_the_same_groups(names):
    owner = {"Employees": "employees", "Employee, full time": "employees", "1": "customers", "suppliers": "suppliers"}
    found, strangers = groups_of(",".join(names), ",")
    assert set(found) == {owner[name] for name in names if name.strip()}
    assert not strangers


@given(st.text(max_size=12), st.sampled_from(["", ",", ";", " ", "''"]))
def test_any_text_names_groups_or_strangers(cell, separator):
    memberships = Memberships(GROUPS, separator)
    number = memberships[cell]
    for stranger in memberships.strangers.get(number, []):
        what, mend = memberships.explain(stranger)
        assert what and mend
