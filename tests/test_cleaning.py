"""The fate of a row under every rule at its boundary, of duplicates, and the ledger that tells it."""

from __future__ import annotations

import tempfile
import tomllib
from collections import Counter
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from conftest import ROWS, STUDY, block, write_study
from hypothesis import given
from hypothesis import strategies as st

from materiality.cleaning import KEPT, OPEN, REASONS, RULES, Ledger, Questions, apply_rules, flag_names
from materiality.errors import MaterialityError
from materiality.gathering import examine
from materiality.responses import Kind
from materiality.spooling import Spool
from materiality.study import Study

NAN = float("nan")
STAFF, BUYERS = (True, False), (False, True)
BUYERS_ASKED_HALF = STUDY.replace(
    'column = "Impact of {label}"', 'column = "Impact of {label}"\ngroups = { staff = 1 }'
)
DROPPING = {"preview": "drop", "straight_lined": "drop"}


def a_study(text: str = STUDY, **cleaning) -> Study:
    return Study.model_validate(tomllib.loads(text) | {"cleaning": cleaning})


def fate(ratings, *, study=None, members=STAFF, kinds=None, seconds=None, empty=False, unknown=False, preview=False):
    """What becomes of one row, and for what it is flagged."""
    study = study or a_study(**DROPPING)
    row = block(
        [ratings],
        [members],
        kinds=None if kinds is None else [kinds],
        seconds=None if seconds is None else [seconds],
        empty=[empty],
        unknown_group=[unknown],
        preview=[preview],
    )
    reason, flags = apply_rules(row, study, Questions.of(study))
    return REASONS[reason[0]], flag_names(int(flags[0]))


def with_cleaning(settings: str, text: str = STUDY) -> str:
    return f"{text}\n[cleaning]\n{settings}\n"


def ledger_of(folder: Path) -> list[tuple[int, int, str, tuple[str, ...]]]:
    """Every line: export, row, reason and flags."""
    _, gathered = examine(folder)
    return lines_of(gathered.ledger)


def lines_of(ledger: Ledger, at_once: int = 50_000) -> list[tuple[int, int, str, tuple[str, ...]]]:
    return [
        (int(line["export"]), int(line["row"]), REASONS[line["reason"]], flag_names(int(line["flags"])))
        for lines in ledger.lines(at_once)
        for line in lines
    ]


def fates(folder: Path) -> list[str]:
    return [reason for _, _, reason, _ in ledger_of(folder)]


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        pytest.param({"ratings": [4, 5, 3, 4, 4, 2]}, "kept", id="a sound row is kept"),
        pytest.param({"ratings": [NAN] * 6, "empty": True, "members": (0, 0)}, "blank row", id="nothing in any cell"),
        pytest.param({"ratings": [4, 5, 3, 4, 4, 2], "members": (0, 0)}, "no group", id="no group named"),
        pytest.param(
            {"ratings": [4, 5, 3, 4, 4, 2], "members": (0, 0), "unknown": True}, "unknown group", id="a stranger"
        ),
        pytest.param(
            {"ratings": [4, 5, 3, 4, 4, 2], "unknown": True}, "kept", id="a stranger's name beside a known group"
        ),
        pytest.param({"ratings": [NAN] * 6}, "no rating", id="a group and nothing else"),
        pytest.param(
            {"ratings": [NAN] * 6, "kinds": [Kind.DONT_KNOW] * 6}, "no rating", id="don't know throughout is no rating"
        ),
        pytest.param({"ratings": [4, 5, 3, NAN, NAN, NAN]}, "kept", id="half of the questions is enough"),
        pytest.param({"ratings": [4, 5, NAN, NAN, NAN, NAN]}, "too few answers", id="less than half is not"),
        pytest.param(
            {"ratings": [4, NAN, NAN, NAN, NAN, NAN], "kinds": [0, 2, 3, 1, 1, 1]},
            "kept",
            id="don't know and not applicable are answers",
        ),
        pytest.param({"ratings": [4, 5, 3, 4, 4, 2], "seconds": 11.9}, "too fast", id="11.9 s for six answers"),
        pytest.param({"ratings": [4, 5, 3, 4, 4, 2], "seconds": 12}, "kept", id="12 s for six answers"),
        pytest.param({"ratings": [4, 5, 3, 4, NAN, NAN], "seconds": 8}, "kept", id="8 s for four answers"),
        pytest.param(
            {"ratings": [4, 5, 3, 4, NAN, NAN], "kinds": [0, 0, 0, 0, 2, 1], "seconds": 9.9},
            "too fast",
            id="don't know takes its time, a blank does not",
        ),
        pytest.param({"ratings": [4, 5, 3, 4, 4, 2], "seconds": NAN}, "kept", id="an unknown time is not too fast"),
        pytest.param({"ratings": [4, 4, 4, 4, 4, 4]}, "straight-lined", id="the same throughout"),
        pytest.param({"ratings": [4, 4, 4, 1, 2, 3]}, "straight-lined", id="the same on one axis alone"),
        pytest.param({"ratings": [4, 4, 5, 1, 2, 3]}, "kept", id="one rating differs"),
        pytest.param({"ratings": [4, 4, NAN, 1, 2, 3]}, "kept", id="two equal ratings are no line"),
        pytest.param({"ratings": [4, 4, NAN, 3, 3, NAN]}, "kept", id="two equal ratings on each axis"),
        pytest.param(
            {"ratings": [4, 4, NAN, 1, 2, 3], "kinds": [0, 0, 2, 0, 0, 0]}, "kept", id="don't know is no third rating"
        ),
    ],
)
def test_fate_of_a_row(row, expected):
    assert fate(**row) == (expected, ())


@pytest.mark.parametrize(
    ("seconds", "expected"), [pytest.param(59, "too fast", id="59 s"), pytest.param(60, "kept", id="60 s")]
)
def test_ten_seconds_for_each_of_six_answers_are_one_minute(seconds, expected):
    assert fate([4, 5, 3, 4, 4, 2], study=a_study(seconds_per_answer=10), seconds=seconds)[0] == expected


@pytest.mark.parametrize(
    ("share", "answers", "expected"),
    [
        pytest.param(0, 1, "kept", id="none is asked for"),
        pytest.param(1, 5, "too few answers", id="all but one of all"),
        pytest.param(1, 6, "kept", id="all of all"),
        pytest.param(2 / 3, 4, "kept", id="two thirds of six are four"),
        pytest.param(2 / 3, 3, "too few answers", id="and not three"),
    ],
)
def test_the_share_of_answers_that_is_enough(share, answers, expected):
    ratings = [4, 5, 3, 2, 1, 2][:answers] + [NAN] * (6 - answers)
    assert fate(ratings, study=a_study(min_share_answered=share))[0] == expected


def test_thresholds_are_what_they_say_although_their_products_are_rounded():
    """0.56 of 25 questions are 14 answers, and 2.7 s for each of them 37.8 s, in decimals as in the program."""
    assert 0.56 * 25 > 14
    assert 2.7 * 14 > 37.8
    issues = "".join(f'\n[[issues]]\nid = "i{k}"\n' for k in range(25))
    text = STUDY[: STUDY.index("[[issues]]")] + issues + STUDY[STUDY.index("[axes.people]") :]
    one_axis = text.replace('column = "Impact of {label}"', 'column = "Impact of {label}"\ngroups = { buyers = 1 }')
    study = a_study(one_axis, min_share_answered=0.56, seconds_per_answer=2.7)
    fourteen = [1, 2] * 7 + [NAN] * 36
    assert fate(fourteen, study=study, seconds=37.8) == ("kept", ())
    assert fate(fourteen, study=study, seconds=37.79)[0] == "too fast"
    assert fate([NAN, *fourteen[1:]], study=study)[0] == "too few answers"


@pytest.mark.parametrize(
    ("members", "ratings", "expected"),
    [
        pytest.param(BUYERS, [4, 5, NAN, NAN, NAN, NAN], "kept", id="two of the three that buyers are asked"),
        pytest.param(BUYERS, [4, NAN, NAN, NAN, NAN, NAN], "too few answers", id="one of three"),
        pytest.param(BUYERS, [4, NAN, NAN, 4, 3, 4], "too few answers", id="answers nobody asked for do not count"),
        pytest.param(STAFF, [4, 5, NAN, NAN, NAN, NAN], "too few answers", id="two of the six that staff are asked"),
        pytest.param((1, 1), [4, 5, NAN, NAN, NAN, NAN], "too few answers", id="in both groups, asked all six"),
        pytest.param(BUYERS, [4, 5, 3, 2, 2, 2], "kept", id="a line on an axis that does not ask buyers"),
        pytest.param(STAFF, [4, 5, 3, 2, 2, 2], "straight-lined", id="the same line of staff"),
        pytest.param((1, 1), [4, 5, 3, 2, 2, 2], "straight-lined", id="and of both"),
    ],
)
def test_a_row_is_measured_by_the_questions_asked_of_its_groups(members, ratings, expected):
    assert fate(ratings, study=a_study(BUYERS_ASKED_HALF, **DROPPING), members=members)[0] == expected


def test_a_group_that_no_axis_asks_is_measured_by_all_questions():
    both = 'groups = { staff = 1 }\ncolumn = "{label}"'
    study = a_study(BUYERS_ASKED_HALF.replace('column = "{label}"', both), **DROPPING)
    assert fate([4, 5, 3, NAN, NAN, NAN], study=study, members=BUYERS)[0] == "kept"
    assert fate([4, 5, NAN, NAN, NAN, NAN], study=study, members=BUYERS)[0] == "too few answers"
    assert fate([4, 5, 3, 2, 2, 2], study=study, members=BUYERS)[0] == "straight-lined"


WORST = {
    "blank": {"ratings": [NAN] * 6, "members": (0, 0), "empty": True, "seconds": 0},
    "preview": {"ratings": [NAN] * 6, "members": (0, 0), "preview": True, "seconds": 0},
    "no_group": {"ratings": [NAN] * 6, "members": (0, 0), "seconds": 0},
    "unknown_group": {"ratings": [NAN] * 6, "members": (0, 0), "unknown": True, "seconds": 0},
    "no_rating": {"ratings": [NAN] * 6, "kinds": [2, 1, 1, 1, 1, 1], "seconds": 0},
    "too_few_answers": {"ratings": [4, NAN, NAN, NAN, NAN, NAN], "seconds": 0},
    "too_fast": {"ratings": [4] * 6, "seconds": 0},
    "straight_lined": {"ratings": [4] * 6, "seconds": 60},
}


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule.key != "long_run"], ids=lambda rule: rule.reason)
def test_the_first_rule_that_drops_a_row_owns_it(rule):
    """Each row breaks its rule and as many later ones as can be."""
    assert fate(**WORST[rule.key]) == (rule.reason, ())


@pytest.mark.parametrize(
    "rule", [rule for rule in RULES if rule.key not in {"unknown_group", "long_run"}], ids=lambda rule: rule.reason
)
@pytest.mark.parametrize("action", ["drop", "flag", "off"])
def test_each_rule_drops_flags_or_does_nothing(rule, action):
    others = {other.key: "off" for other in RULES if other.key not in {rule.key, "unknown_group"}}
    expected = {"drop": (rule.reason, ()), "flag": ("kept", (rule.reason,)), "off": ("kept", ())}
    assert fate(**WORST[rule.key], study=a_study(**others, **{rule.key: action})) == expected[action]


def test_a_row_may_be_flagged_for_several_reasons_and_dropped_for_another():
    flagging = {"too_few_answers": "flag", "too_fast": "flag"}
    row = {"ratings": [4, NAN, NAN, NAN, NAN, NAN], "seconds": 1}
    assert fate(**row, study=a_study(**flagging)) == ("kept", ("too few answers", "too fast"))
    assert fate(**row, study=a_study(**flagging), members=(0, 0)) == ("no group", ("too fast",))


def test_unknown_groups_dropped_by_choice_keep_who_also_named_a_known_one(tmp_path):
    text = with_cleaning('unknown_group = "drop"', STUDY).replace(
        'group = "group"', 'group = "group"\ngroup_separator = ";"'
    )
    rows = ("1,Staff,4,5,3,4,4,2", "2,Martian,5,4,3,5,3,3", "3,Martian;Customer,3,5,4,4,5,2")
    folder = write_study(tmp_path, study=text, rows=rows)
    assert fates(folder) == ["kept", "unknown group", "kept"]
    assert examine(folder)[1].moments.per_group(np.array([1, 1])).tolist() == [1, 1]


# Duplicates

SAME = (*ROWS, ROWS[1])
OTHER = (*ROWS, "2,Staff,1,1,2,,,")
FULLER = ("2,Staff,1,1,2,3,,", *ROWS)
CONFLICT = (
    "{file}, row {row}: the respondent of {there} stands here again, with other answers.\n"
    '  Mend: choose with duplicate_choice = "first", "last" or "most_complete" in [cleaning]; '
    "where exports number their respondents each for itself, set own_ids = true in [[responses]]."
)


def test_of_identical_rows_the_first_counts(tmp_path):
    folder = write_study(tmp_path, rows=SAME)
    assert fates(folder) == ["kept"] * 5 + ["duplicate respondent"]


def test_rows_that_differ_are_a_fault_until_the_study_chooses(tmp_path):
    with pytest.raises(MaterialityError) as caught:
        examine(write_study(tmp_path, rows=OTHER))
    assert str(caught.value) == CONFLICT.format(file="responses.csv", row=7, there="row 3")


def test_every_conflicting_row_is_told(tmp_path):
    with pytest.raises(MaterialityError) as caught:
        examine(write_study(tmp_path, rows=(*OTHER, "1,Staff,1,1,1,1,1,1", "2,Staff,2,1,2,1,1,2")))
    assert sorted(str(caught.value).split("\n")[::2]) == [
        "responses.csv, row 8: the respondent of row 2 stands here again, with other answers.",
        "responses.csv, rows 7 and 9: the respondent of row 3 stands here again, with other answers.",
    ]


@pytest.mark.parametrize(
    ("choice", "rows", "lost"),
    [
        pytest.param("first", OTHER, 7, id="first"),
        pytest.param("last", OTHER, 3, id="last"),
        pytest.param("most_complete", OTHER, 7, id="most complete, which is the first"),
        pytest.param("most_complete", FULLER, 2, id="most complete, which is the last"),
        pytest.param("most_complete", (*ROWS, "2,Staff,1,1,2,1,1,1"), 7, id="as complete, so the first"),
        pytest.param("last", SAME, 7, id="identical rows leave nothing to choose"),
    ],
)
def test_the_study_chooses_among_rows_that_differ(tmp_path, choice, rows, lost):
    folder = write_study(tmp_path, study=with_cleaning(f'duplicate_choice = "{choice}"'), rows=rows)
    assert [row for _, row, reason, _ in ledger_of(folder) if reason == "duplicate respondent"] == [lost]


@pytest.mark.parametrize(
    ("row", "differs"),
    [
        pytest.param("2,Staff,5,4,3,5,3,3", False, id="nothing"),
        pytest.param(" 2 ,staff ,5,4,3,5,3,3", False, id="space and letter case alone"),
        pytest.param("2,Customer,5,4,3,5,3,3", True, id="the group"),
        pytest.param("2,Staff,5,4,3,5,3,Don't know", True, id="the kind of an answer"),
    ],
)
def test_what_makes_two_rows_of_one_respondent_differ(tmp_path, row, differs):
    folder = write_study(tmp_path, rows=(*ROWS, row))
    if differs:
        with pytest.raises(MaterialityError):
            examine(folder)
    else:
        assert fates(folder)[-1] == "duplicate respondent"


@pytest.mark.parametrize("action", ["flag", "off"])
def test_duplicates_may_be_flagged_or_let_be(tmp_path, action):
    folder = write_study(tmp_path, study=with_cleaning(f'duplicate = "{action}"'), rows=SAME)
    expected = ("duplicate respondent",) if action == "flag" else ()
    assert ledger_of(folder)[-1] == (0, 7, "kept", expected)


def test_flagged_duplicates_stay_in_the_moments_until_flagged_rows_are_left_out(tmp_path):
    folder = write_study(tmp_path, study=with_cleaning('duplicate = "flag"'), rows=SAME)
    moments = examine(folder)[1].moments
    assert sum(sums.n for sums in moments.cells.values()) == 6
    assert sum(sums.n for sums in moments.without_flagged().cells.values()) == 5


def test_rows_without_an_id_are_never_duplicates(tmp_path):
    rows = tuple(f",Staff,{rating},5,3,4,4,2" for rating in (4, 4, 3))
    assert fates(write_study(tmp_path, rows=rows)) == ["kept"] * 3


def test_duplicates_are_settled_among_the_rows_that_no_other_rule_dropped(tmp_path):
    """The first row of respondent 2 is too short to count, so the second is no duplicate of it."""
    rows = ("2,Staff,1,,,,,", *ROWS, "5,,5,5,3,3,4,1", "6,Staff,1,,,,,", "6,Staff,1,,,,,")
    assert fates(write_study(tmp_path, rows=rows)) == [
        "too few answers",
        *["kept"] * 5,
        "no group",
        "too few answers",
        "too few answers",
    ]


def two_exports(folder: Path, *, own_ids: bool = False, second: tuple[str, ...] = (ROWS[1], ROWS[2])) -> Path:
    entry = STUDY[STUDY.index("[[responses]]") : STUDY.index("[[groups]]")]
    own = f"own_ids = {str(own_ids).lower()}\n"
    both = entry.rstrip() + f"\n{own}\n" + entry.rstrip().replace("responses.csv", "more.csv") + f"\n{own}\n"
    write_study(folder / "more", rows=second)
    write_study(folder, study=STUDY.replace(entry, both))
    (folder / "more" / "responses.csv").rename(folder / "more.csv")
    return folder


def test_the_same_respondent_in_two_exports_counts_once(tmp_path):
    assert [line[:3] for line in ledger_of(two_exports(tmp_path))] == [
        *[(0, row, "kept") for row in range(2, 7)],
        (1, 2, "duplicate respondent"),
        (1, 3, "duplicate respondent"),
    ]


def test_a_conflict_between_two_exports_names_both(tmp_path):
    with pytest.raises(MaterialityError) as caught:
        examine(two_exports(tmp_path, second=("9,Staff,1,2,3,1,2,3", "2,Staff,1,1,2,1,1,1")))
    assert str(caught.value) == CONFLICT.format(file="more.csv", row=3, there="row 3 of responses.csv")


def test_exports_with_ids_of_their_own_share_no_respondent(tmp_path):
    folder = two_exports(tmp_path, own_ids=True, second=("9,Staff,1,2,3,1,2,3", "2,Staff,1,1,2,1,1,1"))
    assert fates(folder) == ["kept"] * 7
    folder = two_exports(tmp_path / "again", own_ids=True, second=(ROWS[0], ROWS[0]))
    assert fates(folder) == ["kept"] * 6 + ["duplicate respondent"]


# The ledger


FAST, LINED, TWICE = (REASONS.index(why) for why in ("too fast", "straight-lined", "duplicate respondent"))


def noted(spool_bytes: int, blocks: int = 5) -> Ledger:
    ledger = Ledger(("a.csv", "b.csv"), tempfile.SpooledTemporaryFile(spool_bytes))  # noqa: SIM115
    for k in range(blocks):
        rows = block(np.full((3, 1), 4.0), np.ones((3, 1)), row=np.arange(3 * k, 3 * k + 3) + 2)
        ledger.note(rows, np.array([0, 0, LINED], np.uint8), np.array([0, OPEN if k == 2 else 1 << FAST, 0], np.uint16))
    late = block([[4.0]], [[1]], row=[8])
    ledger.correct(late, np.array([TWICE], np.uint8), np.array([0], np.uint16))
    return ledger


@pytest.mark.parametrize("spool_bytes", [16, 1 << 20], ids=["spilled to disk", "held in memory"])
@pytest.mark.parametrize("at_once", [1, 2, 50_000])
def test_the_ledger_holds_one_line_per_row_in_the_order_of_reading(spool_bytes, at_once):
    expected = []
    for k in range(5):
        expected.append((0, 3 * k + 2, "kept", ()))
        corrected = ("duplicate respondent", ()) if k == 2 else ("kept", ("too fast",))
        expected.append((0, 3 * k + 3, *corrected))
        expected.append((0, 3 * k + 4, "straight-lined", ()))
    expected[6] = (0, 8, "duplicate respondent", ())
    ledger = noted(spool_bytes)
    ledger.correct(block([[4.0]], [[1]], row=[9]), np.array([KEPT], np.uint8), np.array([0], np.uint16))
    expected[7] = (0, 9, "kept", ())
    assert lines_of(ledger, at_once) == expected
    assert len(ledger) == 15


@pytest.mark.parametrize("spool_bytes", [16, 1 << 20], ids=["spilled to disk", "held in memory"])
def test_reading_the_ledger_disturbs_neither_another_reader_nor_the_writer(spool_bytes):
    ledger = noted(spool_bytes, blocks=2)
    whole = lines_of(ledger)
    reader = ledger.lines(1)
    next(reader)
    assert lines_of(ledger) == whole
    assert int(next(reader)[0]["row"]) == 3
    ledger.note(block([[4.0]], [[1]], row=[99]), np.zeros(1, np.uint8), np.zeros(1, np.uint16))
    assert lines_of(ledger) == [*whole, (0, 99, "kept", ())]


def test_the_ledger_counts_fates_and_the_flags_of_kept_rows(tmp_path):
    settings = 'too_fast = "off"\ntoo_few_answers = "flag"\nduplicate = "flag"'
    rows = (*SAME, "7,,4,,,,,", "8,Staff,4,,,,,", "9,Staff,4,4,4,1,2,3", ",,,,,,,", "10,Staff,,,,,,")
    _, gathered = examine(write_study(tmp_path, study=with_cleaning(settings), rows=rows))
    assert gathered.ledger.counts() == {
        "responses.csv": Counter(
            {
                "kept": 8,
                "flagged: duplicate respondent": 1,
                "flagged: too few answers": 1,
                "flagged: straight-lined": 1,
                "no group": 1,
                "blank row": 1,
                "no rating": 1,
            }
        )
    }
    assert gathered.exports[0].rows == len(gathered.ledger) == len(rows)


@given(st.integers(0, (1 << len(REASONS)) - 1))
def test_flag_names_give_one_reason_per_bit(flags):
    names = flag_names(flags)
    assert sum(1 << REASONS.index(name) for name in names) == flags
    assert len(set(names)) == len(names)
    assert flags != OPEN


# Signs of careless answering

ISSUES = 12
LONG = (
    'title = "Long"\n[scale]\nlow = 1\nhigh = 5\n[[responses]]\nfile = "responses.csv"\nrespondent = "id"\n'
    'group = "group"\nseconds = "seconds"\n[[groups]]\nid = "staff"\n[axes.people]\ncolumn = "{id}"\n'
    '[axes.business]\ncolumn = "b {id}"\n[privacy]\nprofile = "off"\n'
    + "".join(f'[[issues]]\nid = "i{k}"\n' for k in range(ISSUES))
)


def long_study(folder: Path, *, seconds, odd, cleaning: str = "") -> Path:
    """150 rows of answers around three (SIMULATED), row by row as fast as told; some rows answered as told."""
    generator = np.random.default_rng(12)
    ratings = np.clip(np.rint(3 + generator.normal(0, 1, (150, 2 * ISSUES))), 1, 5).astype(int)
    for row, answers in odd.items():
        ratings[row] = answers
    header = ["id", "group", "seconds", *(f"i{k}" for k in range(ISSUES)), *(f"b i{k}" for k in range(ISSUES))]
    lines = [[k, "staff", seconds.get(k, 200), *row] for k, row in enumerate(ratings)]
    folder.mkdir(parents=True)
    (folder / "study.toml").write_text(f"{LONG}\n[cleaning]\n{cleaning}\n")
    text = "\n".join(",".join(map(str, line)) for line in [header, *lines])
    (folder / "responses.csv").write_text(text + "\n")
    return folder


LINE = [3, *[4] * 11] + [2, 3] * 6
"""A run of eleven of twelve on one axis."""
RARE = [1, 5] * 12


@pytest.mark.parametrize(
    ("seconds", "odd", "expected"),
    [
        pytest.param(200, LINE, ("kept", {"long run"}), id="a long run"),
        pytest.param(60, LINE, ("careless", {"long run", "relatively fast"}), id="a long run and fast"),
        pytest.param(60, [3, 4, 2, 3] * 6, ("kept", {"relatively fast"}), id="fast"),
        pytest.param(200, RARE, ("kept", {"rare answers"}), id="answers like nobody's"),
        pytest.param(60, RARE, ("careless", {"rare answers", "relatively fast"}), id="like nobody's and fast"),
        pytest.param(200, [4] * 24, ("kept", {"straight-lined", "long run"}), id="two signs of one family"),
    ],
)
def test_two_independent_signs_exclude_a_row_and_one_flags_it(tmp_path, seconds, odd, expected):
    lines = ledger_of(long_study(tmp_path / "s", seconds={7: seconds}, odd={7: odd}))
    assert (lines[7][2], set(lines[7][3])) == expected


@pytest.mark.parametrize(
    ("cleaning", "expected"),
    [
        ('careless = "flag"', ("kept", {"long run", "relatively fast", "careless"})),
        ('careless = "off"', ("kept", {"long run", "relatively fast"})),
        ('relatively_fast = "off"', ("kept", {"long run"})),
        ('relatively_fast = "drop"', ("relatively fast", {"long run"})),
        ("times_as_fast = 5.0", ("kept", {"long run"})),
        ("long_run_share = 0.95", ("kept", {"relatively fast"})),
        ("long_run_length = 12", ("kept", {"relatively fast"})),
    ],
)
def test_a_study_says_what_becomes_of_careless_rows(tmp_path, cleaning, expected):
    lines = ledger_of(long_study(tmp_path / "s", seconds={7: 60}, odd={7: LINE}, cleaning=cleaning))
    assert (lines[7][2], set(lines[7][3])) == expected


def test_excluded_careless_rows_count_in_no_score(tmp_path):
    whole = long_study(tmp_path / "s", seconds={7: 60}, odd={7: LINE})
    _, gathered = examine(whole)
    rest = tmp_path / "rest"
    rest.mkdir()
    lines = (whole / "responses.csv").read_text().splitlines(keepends=True)
    (rest / "responses.csv").write_text("".join(lines[:8] + lines[9:]))
    (rest / "study.toml").write_text(LONG)
    _, without = examine(rest)

    def totals(found):
        return sum(sums.n for sums in found.moments.cells.values()), sum(
            sums.first for sums in found.moments.cells.values()
        )

    assert totals(gathered)[0] == totals(without)[0] == 149
    np.testing.assert_allclose(totals(gathered)[1], totals(without)[1])


def test_the_rows_set_aside_come_back_as_they_were():
    spool = Spool()
    blocks = [block(np.full((n, 2), float(n)), np.ones((n, 1)), identity=range(n)) for n in (3, 0, 5)]
    for one in blocks:
        spool.add(one, np.arange(len(one), dtype=np.uint16))
    for _ in range(2):
        found = list(spool.blocks())
        assert [len(one) for one, _ in found] == [3, 5]
        for (one, flags), original in zip(found, (blocks[0], blocks[2]), strict=True):
            assert flags.tolist() == list(range(len(original)))
            for field in fields(one):
                left, right = getattr(one, field.name), getattr(original, field.name)
                assert left.dtype == right.dtype
                np.testing.assert_array_equal(left, right)
