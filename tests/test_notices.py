"""Every notice, word for word, and that none is given without a cause."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import ROWS, STUDY, write_study

from materiality.assessment import assess

PEOPLE_ALONE = STUDY.replace('column = "Impact of {label}"', 'column = "Impact of {label}"\ngroups = { staff = 1 }')
POPULATED = STUDY.replace('label = "Staff"', 'label = "Staff"\npopulation = 40')
INTERNAL = 'profile = "internal"'
PLENTY = tuple(
    f"{k},{('Staff', 'Customer')[k % 2]},{1 + k % 5},{5 - k % 3},{2 + k % 3},{1 + k % 5},{1 + k % 3},{4 - k % 3}"
    for k in range(20)
)


def told(folder: Path, study: str = STUDY, rows: tuple[str, ...] = ROWS) -> list[str]:
    """The notices but for those that groups of two and three give by their size, which have tests of their own."""
    small = "All ratings of group", "The intervals on", "Had those who did not rate"
    notices = assess(write_study(folder, study=study, rows=rows)).warnings
    return [notice for notice in notices if not notice.startswith(small)]


def test_a_study_with_nothing_amiss_has_no_notice(tmp_path):
    assert told(tmp_path) == []


def test_a_group_whose_ratings_are_all_equal_is_named_with_the_issues(tmp_path):
    rows = tuple(
        f"{k},{('Staff', 'Customer')[k % 2]},{1 + k % 5},{(5, 1 + k % 3)[k % 2]},3,4,{1 + k % 4},2" for k in range(20)
    )
    people, business = (
        notice
        for notice in assess(write_study(tmp_path, rows=rows)).warnings
        if notice.startswith("All ratings of group Buyers")
    )
    assert people == (
        "All ratings of group Buyers on “Importance to people” are equal for: Ethics. They show no spread; the "
        "intervals allow for answers that nobody gave."
    )
    assert "“Impact on the business” are equal for: Climate, Ethics." in business


@pytest.mark.parametrize(
    ("study", "rows", "expected"),
    [
        pytest.param(
            STUDY,
            ROWS[:2],
            [
                "Group Buyers has no answers on the axis “Importance to people” and is left out of its scores.",
                "Group Buyers has no answers on the axis “Impact on the business” and is left out of its scores.",
            ],
            id="a group without answers",
        ),
        pytest.param(PEOPLE_ALONE, (*ROWS[:4], "5,Buyers,5,5,3,,,"), [], id="a group that the axis does not ask"),
        pytest.param(
            STUDY,
            ("1,Staff,,5,,4,4,2", "2,Staff,,4,,5,3,3", *ROWS[2:]),
            [
                "Group Staff gave no rating on “Importance to people” to, and is left out of the scores of: Climate, "
                "Ethics."
            ],
            id="a group that skipped two issues",
        ),
        pytest.param(
            STUDY,
            ("1,Staff,4,5,,4,4,2", *ROWS[1:]),
            [
                "Group Staff has a single rating on “Importance to people” of: Ethics. It shows no spread; the other "
                "groups' stands in for it."
            ],
            id="a single rating that the other group lends its spread",
        ),
        pytest.param(
            PEOPLE_ALONE,
            (ROWS[0], *ROWS[2:]),
            [
                "Group Staff has a single rating on “Importance to people” of: Climate, Safety, Ethics. It shows no "
                "spread; the other groups' stands in for it.",
                "Group Staff has a single rating on “Impact on the business” of: Climate, Safety, Ethics. It shows no "
                "spread; nor does any other group, so its interval takes in most of the scale.",
            ],
            id="a single rating that nobody on the axis lends a spread",
        ),
        pytest.param(
            STUDY,
            (
                "1,Staff,4,5,,4,4,2",
                "2,Staff,4,5,,4,,2",
                "3,Staff,,5,,4,,2",
                "4,Customer,3,5,,4,4,2",
                "5,Customer,3,5,,4,3,2",
            ),
            [
                *(
                    f"Group {group} gave no rating on “Importance to people” to, and is left out of the scores of: "
                    "Ethics."
                    for group in ("Staff", "Buyers")
                ),
                "No rating at all on “Importance to people”, so no score and no tier: Ethics.",
                "Group Staff has a single rating on “Impact on the business” of: Safety. It shows no spread; the other "
                "groups' stands in for it.",
            ],
            id="an issue that nobody rated",
        ),
    ],
)
def test_who_is_missing_from_which_score(tmp_path, study, rows, expected):
    assert told(tmp_path, study, rows) == expected


def test_an_axis_without_label_is_called_by_its_id(tmp_path):
    assert told(tmp_path, STUDY.replace('label = "Importance to people"\n', ""), ROWS[:2])[0] == (
        "Group Buyers has no answers on the axis “people” and is left out of its scores."
    )


@pytest.mark.parametrize(
    ("study", "rows", "expected"),
    [
        pytest.param(
            POPULATED, ROWS, ["Finite population correction applied to: Staff (2 of 40)."], id="a known population"
        ),
        pytest.param(POPULATED + "\n[weighting]\nfinite_population = false\n", ROWS, [], id="turned off"),
        pytest.param(
            POPULATED.replace('profile = "off"', INTERNAL),
            PLENTY,
            ["Finite population correction applied to: Staff (10 of 40)."],
            id="a group large enough to be counted out",
        ),
    ],
)
def test_which_groups_the_finite_population_correction_was_applied_to(tmp_path, study, rows, expected):
    assert told(tmp_path, study, rows) == expected


@pytest.mark.parametrize("profile", ['profile = "off"', INTERNAL])
def test_no_correction_is_claimed_for_a_group_of_which_nobody_answered(tmp_path, profile):
    rows = tuple(row for row in PLENTY if "Customer" in row)
    notices = told(tmp_path, POPULATED.replace('profile = "off"', profile), rows)
    assert not any("Finite population" in notice for notice in notices)


def test_the_size_of_a_hidden_group_is_not_told_with_its_correction(tmp_path):
    staff = tuple(row for row in PLENTY if "Staff" in row)[:3]
    rows = (*staff, *(row for row in PLENTY if "Customer" in row))
    notices = told(tmp_path, POPULATED.replace('profile = "off"', INTERNAL), rows)
    assert any("Nothing is told" in notice for notice in notices)
    assert not any("Finite population" in notice for notice in notices)


@pytest.mark.parametrize(
    ("cleaning", "expected"),
    [
        ('duplicate_choice = "first"', ["Of a respondent's conflicting rows the study keeps the first one."]),
        ('duplicate_choice = "last"', ["Of a respondent's conflicting rows the study keeps the last one."]),
        (
            'duplicate_choice = "most_complete"',
            ["Of a respondent's conflicting rows the study keeps the most complete one."],
        ),
        ('duplicate_choice = "fault"', []),
        ('duplicate_choice = "last"\nduplicate = "off"', []),
        ('duplicate_choice = "last"\nduplicate = "flag"', []),
    ],
)
def test_which_of_conflicting_rows_is_kept_where_any_is_dropped(tmp_path, cleaning, expected):
    assert told(tmp_path, f"{STUDY}\n[cleaning]\n{cleaning}\n") == expected


THIRD = STUDY.replace("[[issues]]", '[[groups]]\nid = "public"\nlabel = "Public"\n\n[[issues]]', 1)


def test_what_is_hidden_and_of_whom_the_mean_alone_is_told(tmp_path):
    small = tuple(row.replace("Customer", "Public", 1) for row in PLENTY if "Customer" in row)
    rows = (*PLENTY, *(f"{k + 40}{row[row.index(',') :]}" for k, row in enumerate(small[:4])))
    assert told(tmp_path / "hidden", THIRD.replace('profile = "off"', INTERNAL), rows) == [
        "Nothing is told of what some groups answered to some or all questions: fewer than 5 gave a rating, or all "
        "gave the same, or another group's answers could be worked out from theirs: Staff, Public. Scores that they "
        "enter are rounded. Group means that stand in for theirs are what the score leaves for all of "
        "them together, and their spread is that of the groups that are shown. With small groups merged more can be "
        "told.",
    ]
    rows = (*PLENTY, *(f"{k + 40}{row[row.index(',') :]}" for k, row in enumerate(small[:6])))
    assert told(tmp_path / "alone", THIRD.replace('profile = "off"', INTERNAL), rows) == [
        "Where fewer than 10 people of a group gave a rating, its mean alone is told, with one decimal: Public. In "
        "scores the spread of the other groups stands in for its own."
    ]
    assert told(tmp_path / "plenty", STUDY.replace('profile = "off"', INTERNAL), PLENTY) == []


def notices_of(folder: Path, start: str, **study) -> list[str]:
    return [notice for notice in assess(write_study(folder, **study)).warnings if notice.startswith(start)]


def test_intervals_that_rest_on_the_ends_of_the_scale_are_named(tmp_path):
    rows = tuple(
        f"{k},{('Staff', 'Customer')[k % 2]},{1 + k % 5},5,{2 + k % 3},3,{1 + k % 4},{1 + k % 3}" for k in range(30)
    )
    assert notices_of(tmp_path, "The intervals on", rows=rows) == [
        "The intervals on “Importance to people” of some issues rest more on the ends of the scale than on the "
        "answers, which are too few or too much alike; treat them as unreliable: Safety.",
        "The intervals on “Impact on the business” of some issues rest more on the ends of the scale than on the "
        "answers, which are too few or too much alike; treat them as unreliable: Climate.",
    ]


def test_issues_whose_tier_hangs_on_missing_answers_are_named(tmp_path):
    """Climate lies above both thresholds; a third of staff did not rate it, and it would not had they given 1."""
    rows = (
        *(f"{k},Staff,{5 if k % 3 else ''},3,2,5,3,2" for k in range(30)),
        *(f"{k},Customer,5,3,2,5,3,2" for k in range(30, 40)),
    )
    study = STUDY + "\n[tiers.thresholds]\npeople = 4.5\nbusiness = 4.5\n"
    assert notices_of(tmp_path, "Had those", rows=rows, study=study) == [
        "Had those who did not rate them all rated at one end of the scale, these issues could be in another tier: "
        "Climate."
    ]
    sure = STUDY + "\n[tiers.thresholds]\npeople = 3.5\nbusiness = 4.5\n"
    assert notices_of(tmp_path / "sure", "Had those", rows=rows, study=sure) == []


def test_what_raking_did_to_a_group_is_told(tmp_path):
    """Twenty of thirty are women, half should be: weights 3/4 and 3/2, and 30² / (20 · 9/16 + 10 · 9/4) = 26.7."""
    rows = tuple(f"{k},Staff,{'f' if k % 3 else 'm'},{1 + k % 5},3,4,3,{1 + k % 4},2" for k in range(30))
    header = "id,group,Sex,Climate,Safety,Ethics,Impact of Climate,Impact of Safety,Impact of Ethics"
    study = STUDY.replace('label = "Staff"\n', 'label = "Staff"\n[groups.margins.Sex]\nf = 1\nm = 1\n')
    start = "Group Staff is raked to Sex. The weights run from 0.75 to 1.50 times their mean, and 30 respondents count "
    assert notices_of(tmp_path, "Group Staff is raked", rows=rows, header=header, study=study) == [
        start + "as 27. With fewer than 200 respondents its standard errors leave out what raking gains, because they "
        "would otherwise promise too much."
    ]
    trimmed = study + "\n[weighting]\ntrim = [0.8, 1.3]\n"
    assert notices_of(tmp_path / "t", "Trimming", rows=rows, header=header, study=trimmed) == [
        "Trimming leaves f (Sex) at 56.7 % of group Staff instead of 50.0 %.",
        "Trimming leaves m (Sex) at 43.3 % of group Staff instead of 50.0 %.",
    ]


def test_where_group_weights_come_from_is_told(tmp_path):
    judged = 'group_weights = "judged"\n[[axes.business.judges]]\njudgements = { "staff/buyers" = 3 }\n'
    text = STUDY.replace("[matrix]", judged + "[matrix]")
    assert notices_of(tmp_path, "The group weights", study=text) == [
        "The group weights of “Impact on the business” come from the pairwise comparisons of one judge (consistency "
        "ratio 0.00)."
    ]


def test_an_issue_that_only_a_hidden_group_rated_is_named(tmp_path):
    """Three of the staff rated climate, and nobody else: a score would be their mean."""
    rows = (
        *(
            f"{k},Staff,{4 if k < 3 else ''},{1 + k % 5},{2 + k % 3},{1 + k % 5},{1 + k % 4},{2 + k % 2}"
            for k in range(12)
        ),
        *(f"{k},Customer,,{1 + k % 4},{1 + k % 3},{2 + k % 3},{1 + k % 5},{3 + k % 2}" for k in range(12, 24)),
    )
    study = STUDY.replace('profile = "off"', INTERNAL)
    assert notices_of(tmp_path / "a", "Group Staff does not", rows=rows, study=study) == [
        "Group Staff does not enter the scores on “Importance to people” of these issues, because they would tell its "
        "answers: Climate."
    ]
    assert notices_of(tmp_path / "b", "No score on", rows=rows, study=study) == [
        "No score on “Importance to people”, because it would tell the answers of too few people: Climate."
    ]
