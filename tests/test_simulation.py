"""Simulated answers: their truth is exact, their spoilt rows are as many as told, and they never pass for real ones."""

import csv
import io
import math
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from conftest import NINE

from materiality.errors import MaterialityError
from materiality.simulation import MARK, SimulatedResponses, expected_rating, simulate, true_means, write_csv
from materiality.study import Scale, Study, load_study

REFERENCE = Path(__file__).parents[1] / "surveys" / "kstar-2023"


def a_study(simulation=None, **changes):
    """Three issues, two groups, two axes; the second axis asks employees only."""
    data = {
        "title": "A study",
        "scale": {"low": 1, "high": 5},
        "responses": [{"file": "responses.csv", "respondent": "Id", "group": "Group", "seconds": "Seconds"}],
        "groups": [{"id": "employees", "label": "Employees"}, {"id": "customers", "answers": ["Customer", "客户"]}],
        "issues": [{"id": "water"}, {"id": "waste"}, {"id": "energy"}],
        "axes": {
            "stakeholders": {"column": "How important is {id}?"},
            "business": {"column": "How strongly does {id} affect us?", "groups": {"employees": 1}},
        },
    }
    if simulation is not None:
        data["simulation"] = simulation
    return Study.model_validate(data | changes)


def with_margins(simulation, respondents):
    """Employees of two columns, sampled far from their shares in the population."""
    margins = {"Sex": {"f": 300, "m": 700}, "Unit": {"lab": 0.2, "shop": 0.5, "office": 0.3}}
    groups = [{"id": "employees", "label": "Employees", "margins": margins}, {"id": "customers"}]
    usual = {
        "respondents": {"employees": respondents, "customers": 1},
        "means": {"stakeholders": {"water": 3.4, "waste": 4.2, "energy": 4.7}},
        "effects": {"Sex": {"f": 0.8}, "Unit": {"lab": 0.4, "office": -0.3}},
        "sample": {"employees": {"Sex": {"f": 3, "m": 1}, "Unit": {"lab": 0.6, "shop": 0.2, "office": 0.2}}},
    }
    return a_study(usual | simulation, groups=groups)


def read(simulated):
    """The rows as dictionaries, in order."""
    return [dict(zip(simulated.header, row, strict=True)) for row in simulated.rows]


def ratings(rows, column):
    """The numbers in a column, without blanks and don't-knows."""
    return np.array([float(row[column]) for row in rows if row[column] not in ("", "Don't know")])


def faults_of(action):
    with pytest.raises(MaterialityError) as caught:
        action()
    return str(caught.value)


@pytest.mark.parametrize(
    "scale",
    [
        pytest.param(Scale(low=1, high=5), id="1 to 5"),
        pytest.param(Scale(low=0, high=10, step=2.5), id="0 to 10 by 2.5"),
        pytest.param(Scale(low=-1, high=1, step=2), id="two points"),
        pytest.param(Scale(low=0, high=100, step=0), id="any number from 0 to 100"),
    ],
)
@pytest.mark.parametrize("share", [-0.2, 0.1, 0.5, 0.93, 1.1])
def test_expected_rating_is_the_integral_over_the_normal_density(scale, share):
    location, spread = scale.low + share * (scale.high - scale.low), 0.3 * (scale.high - scale.low)
    latent = np.linspace(location - 9 * spread, location + 9 * spread, 400_001)
    density = np.exp(-(((latent - location) / spread) ** 2) / 2)
    if scale.step:
        points = np.array(scale.points)
        rating = points[np.abs(latent[:, None] - points).argmin(axis=1)]
    else:
        rating = np.minimum(np.maximum(latent, scale.low), scale.high)
    oracle = (rating * density).sum() / density.sum()
    assert expected_rating(location, spread, scale) == pytest.approx(oracle, abs=1e-4 * (scale.high - scale.low))


def test_truth_is_mean_plus_shift_per_axis_group_and_issue():
    study = a_study(
        {
            "means": {"stakeholders": {"water": 3.5, "waste": 4.0, "energy": 4.5}, "business": {"water": 3.0}},
            "shifts": {"employees": {"water": 0.25}, "customers": {"waste": -0.5}},
        }
    )
    truth = dict(true_means(study))
    assert truth == simulate(study).truth
    assert truth == pytest.approx(
        {
            ("stakeholders", "employees", "water"): 3.75,
            ("stakeholders", "employees", "waste"): 4.0,
            ("stakeholders", "employees", "energy"): 4.5,
            ("stakeholders", "customers", "water"): 3.5,
            ("stakeholders", "customers", "waste"): 3.5,
            ("stakeholders", "customers", "energy"): 4.5,
            ("business", "employees", "water"): 3.25,
            ("business", "employees", "waste"): 1 + 0.625 * 4,
            ("business", "employees", "energy"): 1 + 0.85 * 4,
        }
    )


def test_means_stay_inside_the_scale_whatever_the_shift():
    study = a_study({"means": {"stakeholders": {"water": 4.9}}, "shifts": {"customers": {"water": 0.5, "waste": -9}}})
    truth = true_means(study)
    assert truth["stakeholders", "customers", "water"] == pytest.approx(4.996)
    assert truth["stakeholders", "customers", "waste"] == pytest.approx(1.004)


@pytest.mark.parametrize("seed", [1, 2])
def test_sample_means_of_a_large_group_lie_around_the_truth(seed):
    study = a_study(
        {
            "respondents": {"employees": 10_000, "customers": 4_000},
            "means": {"stakeholders": {"water": 1.4, "waste": 4.4, "energy": 4.9}, "business": {"water": 3.0}},
            "shifts": {"customers": {"waste": 0.3}},
        }
    )
    simulated = simulate(study, seed=seed)
    for (axis, group, issue), truth in simulated.truth.items():
        cell = {"employees": "Employees", "customers": "Customer"}[group]
        rows = [row for row in read(simulated) if row["Group"] == cell]
        answers = ratings(rows, study.axes[axis].column.replace("{id}", issue))
        assert abs(answers.mean() - truth) < 4 * answers.std() / math.sqrt(len(answers)), (axis, group, issue)


def test_truth_is_the_populations_though_the_sample_is_not():
    study = with_margins({"blank": 0.0}, respondents=30_000)
    simulated = simulate(study, seed=3)
    rows = [row for row in read(simulated) if row["Group"] == "Employees"]
    share = {"f": 0.3, "m": 0.7, "lab": 0.2, "shop": 0.5, "office": 0.3}
    cells = Counter((row["Sex"], row["Unit"]) for row in rows)
    assert len(cells) == 6
    weights = np.array([share[row["Sex"]] * share[row["Unit"]] / cells[row["Sex"], row["Unit"]] for row in rows])
    for issue in ("water", "waste", "energy"):
        truth = simulated.truth["stakeholders", "employees", issue]
        answers = ratings(rows, f"How important is {issue}?")
        weighted = (weights * answers).sum() / weights.sum()
        error = math.sqrt((weights**2 * (answers - weighted) ** 2).sum()) / weights.sum()
        assert abs(weighted - truth) < 4 * error
    raw = ratings(rows, "How important is water?")
    assert abs(raw.mean() - 3.4) > 6 * raw.std() / math.sqrt(len(raw))


def test_a_sample_in_the_populations_shares_has_the_truth_for_its_mean():
    population = {"sample": {}, "spread": 0.5, "leniency": 0.3, "blank": 0.0}
    simulated = simulate(with_margins(population, respondents=30_000), seed=4)
    rows = [row for row in read(simulated) if row["Group"] == "Employees"]
    assert Counter(row["Sex"] for row in rows)["f"] == pytest.approx(9_000, abs=4 * math.sqrt(30_000 * 0.21))
    for issue, truth in (("water", 3.4), ("waste", 4.2), ("energy", 4.7)):
        answers = ratings(rows, f"How important is {issue}?")
        assert abs(answers.mean() - truth) < 4 * answers.std() / math.sqrt(len(answers))


def test_women_answer_higher_by_what_the_effect_moves_the_latent_answer():
    simulated = simulate(with_margins({"effects": {"Sex": {"f": 0.8}}, "blank": 0.0}, respondents=40_000), seed=5)
    rows = [row for row in read(simulated) if row["Group"] == "Employees"]
    women, men = (ratings([r for r in rows if r["Sex"] == sex], "How important is water?") for sex in "fm")
    generator = np.random.default_rng(6)
    latent = generator.normal(0.0, math.hypot(0.9, 0.4), 400_000)
    candidates = np.linspace(2.0, 4.0, 201)
    plain = [np.clip(np.round(latent + at), 1, 5).mean() for at in candidates]
    at_women, at_men = (np.interp(group.mean(), plain, candidates) for group in (women, men))
    assert at_women - at_men == pytest.approx(0.8, abs=0.06)


def test_leniency_is_what_a_respondents_answers_have_in_common():
    study = a_study(
        {"respondents": {"employees": 20_000}, "spread": 0.6, "leniency": 0.8, "blank": 0.0, "means": {}},
        scale={"low": -50, "high": 50},
        axes={"one": {"column": "1 {id}"}, "two": {"column": "2 {id}"}},
    )
    rows = [row for row in read(simulate(study)) if row["Group"] == "Employees"]
    answers = np.array([[float(row[c]) for c in ("1 water", "1 energy", "2 waste")] for row in rows])
    covariance = np.cov(answers.T)
    assert np.diag(covariance) == pytest.approx(0.6**2 + 0.8**2 + 1 / 12, abs=0.04)
    assert covariance[np.triu_indices(3, 1)] == pytest.approx(0.8**2, abs=0.04)


@pytest.mark.parametrize(("low", "high"), [(1, 5), (0, 100)])
def test_answers_scatter_in_proportion_to_the_scale_unless_told(low, high):
    length = high - low
    usual = simulate(a_study({}, scale={"low": low, "high": high}))
    told = simulate(a_study({"spread": 0.225 * length, "leniency": 0.1 * length}, scale={"low": low, "high": high}))
    assert usual == told


def test_answers_taken_away_are_taken_whatever_the_rating():
    study = a_study({"respondents": {"employees": 10_000}, "blank": 0.45, "dont_know": 0.0})
    simulated = simulate(study)
    rows = [row for row in read(simulated) if row["Group"] == "Employees"]
    questions = simulated.header[3:-1]
    assert min(sum(row[q] != "" for q in questions) for row in rows) == 3
    for issue in ("water", "waste", "energy"):
        answers = ratings(rows, f"How important is {issue}?")
        truth = simulated.truth["stakeholders", "employees", issue]
        assert abs(answers.mean() - truth) < 4 * answers.std() / math.sqrt(len(answers))


def test_a_question_that_two_axes_share_follows_the_first_that_asks_the_group():
    study = a_study(
        {
            "means": {"all": {"water": 4.5}, "staff": {"water": 2.0}, "market": {"water": 3.0}},
            "respondents": {"employees": 4_000, "customers": 4_000},
        },
        axes={
            "staff": {"column": "{id}?", "groups": {"employees": 1}},
            "all": {"column": "{id}?"},
            "market": {"column": "{id}?", "groups": {"customers": 1}},
        },
        matrix={"x": "staff", "y": "all"},
    )
    simulated = simulate(study)
    assert simulated.header == ("Id", "Seconds", "Group", "water?", "waste?", "energy?", MARK)
    truth = {key[:2]: mean for key, mean in simulated.truth.items() if key[2] == "water"}
    assert truth == pytest.approx(
        {
            ("staff", "employees"): 2.0,
            ("all", "employees"): 2.0,
            ("all", "customers"): 4.5,
            ("market", "customers"): 4.5,
        }
    )
    rows = read(simulated)
    assert ratings([r for r in rows if r["Group"] == "Employees"], "water?").mean() == pytest.approx(2.0, abs=0.07)
    assert ratings([r for r in rows if r["Group"] == "Customer"], "water?").mean() == pytest.approx(4.5, abs=0.07)


def test_a_study_without_a_simulation_table_gets_fifty_respondents_per_group():
    simulated = simulate(a_study())
    assert simulated.header[:3] == ("Id", "Seconds", "Group")
    assert Counter(row["Group"] for row in read(simulated)) == {"Employees": 50, "Customer": 50}
    assert sorted(row[0] for row in simulated.rows) == [f"R-{k:04}" for k in range(1, 101)]


def test_default_means_climb_from_40_to_85_percent_of_the_scale():
    truth = true_means(a_study())
    assert [truth["stakeholders", "customers", i] for i in ("water", "waste", "energy")] == pytest.approx(
        [2.6, 3.5, 4.4]
    )


def test_questions_that_a_group_is_not_asked_are_blank():
    simulated = simulate(a_study({"blank": 0.0}))
    for row in read(simulated):
        asked = row["Group"] == "Employees"
        assert (row["How strongly does water affect us?"] != "") is asked
        assert row["How important is water?"] != ""
    assert ("business", "customers", "water") not in simulated.truth


def test_a_group_that_no_axis_asks_is_not_simulated():
    only = {"employees": 1}
    axes = {"a": {"column": "a {id}", "groups": only}, "b": {"column": "b {id}", "groups": {"customers": 0} | only}}
    simulated = simulate(a_study(axes=axes))
    assert {row["Group"] for row in read(simulated)} == {"Employees"}
    assert {group for _, group, _ in simulated.truth} == {"employees"}


def test_an_export_of_one_group_has_no_group_column_and_nobody_else():
    study = a_study(responses=[{"file": "staff.csv", "group_is": "employees"}])
    simulated = simulate(study)
    assert simulated.header == ("ResponseId", *study.layout.questions, MARK)
    assert len(simulated.rows) == 50
    assert {group for _, group, _ in simulated.truth} == {"employees"}


def test_answers_are_given_in_the_scales_words_and_otherwise_as_short_numbers():
    labels = {"Low": 1, "低": 1, "High": 5}
    special = {"?": "not_applicable", "Don't know": "dont_know"}
    simulated = simulate(
        a_study({"dont_know": 0.2, "blank": 0.1}, scale={"low": 1, "high": 5, "labels": labels, "special": special})
    )
    found = {row[q] for row in read(simulated) for q in simulated.header[3:-1]}
    assert found == {"", "Low", "2", "3", "4", "High", "Don't know"}


def test_there_is_no_dont_know_where_the_scale_has_none():
    simulated = simulate(a_study({"dont_know": 0.3, "blank": 0.0}))
    found = {row[q] for row in read(simulated) if row["Group"] == "Employees" for q in simulated.header[3:-1]}
    assert found == {"1", "2", "3", "4", "5"}


def test_a_scale_without_steps_is_answered_in_any_number_within_it():
    study = a_study(
        {"respondents": {"employees": 20_000}, "means": {"stakeholders": {"water": 96.0}}},
        scale={"low": 0, "high": 100, "step": 0},
    )
    simulated = simulate(study)
    rows = [row for row in read(simulated) if row["Group"] == "Employees"]
    cells = [row["How important is water?"] for row in rows]
    answers = ratings(rows, "How important is water?")
    assert max(len(cell.partition(".")[2]) for cell in cells) == 2
    assert answers.min() >= 0
    assert answers.max() == 100
    assert "100" in cells
    assert abs(answers.mean() - 96.0) < 4 * answers.std() / math.sqrt(len(answers))


def test_started_and_finished_are_iso_8601_and_rows_stand_in_order_of_arrival():
    export = {"file": "r.csv", "group": "Group", "started": "From", "finished": "To", "seconds": "Took", "weight": "W"}
    simulated = simulate(a_study({"spoilt": {"duplicate": 3}}, responses=[export]))
    assert simulated.header[:6] == ("ResponseId", "From", "To", "Took", "Group", "W")
    rows = read(simulated)
    once = list({row["ResponseId"]: row for row in reversed(rows)}.values())
    for row in once:
        took = np.datetime64(row["To"]) - np.datetime64(row["From"])
        assert took == np.timedelta64(int(row["Took"]), "s")
        assert row["W"] == "1"
    first = {}
    for row in rows:
        first.setdefault(row["ResponseId"], row["From"])
    assert list(first) == sorted(first)
    assert list(first.values()) == sorted(first.values())


def test_times_follow_the_exports_own_format():
    export = {"file": "r.csv", "group": "Group", "started": "A", "finished": "B", "time_format": "%d.%m.%Y %H:%M"}
    row = read(simulate(a_study(responses=[export])))[0]
    assert row["A"][2:10] == ".01.2024"
    assert len(row["A"]) == len(row["B"]) == 16


def test_good_rows_take_4_to_15_seconds_per_answer():
    rows = simulate(a_study({"respondents": {"employees": 2_000, "customers": 0}})).rows
    pace = [int(row[1]) / sum(cell != "" for cell in row[3:-1]) for row in rows]
    assert 4 <= min(pace) < 4.2
    assert 14.8 < max(pace) < 15.3


BUSINESS = ("Shareholder or investor", "Customer", "Partner or supplier", "Employee")


def fate(row, rows_before):
    """What an auditor with nothing but the reference study's file would say of a row."""
    if not any(row):
        return "blank"
    if row in rows_before:
        return "duplicate"
    _, seconds, group, _, _, *answers, _ = row
    given = [answer for answer in answers if answer]
    if not group:
        return "no_group"
    if not given:
        return "no_rating"
    if len(given) < (25 if group in BUSINESS else 12.5):
        return "too_few_answers"
    if int(seconds) / len(given) < 2:
        return "too_fast"
    if len(set(answers[:25])) == len(set(answers[25:])) == 1:
        return "straight_lined"
    return "good"


def test_reference_answers_hold_as_many_spoilt_rows_of_each_kind_as_the_study_tells():
    with (REFERENCE / "responses.csv").open(encoding="utf-8-sig", newline="") as file:
        _, *rows = csv.reader(file)
    fates = [fate(row, rows[:k]) for k, row in enumerate(rows)]
    assert Counter(fates) == {
        "good": 600,
        "blank": 2,
        "no_group": 4,
        "no_rating": 3,
        "too_few_answers": 5,
        "duplicate": 6,
        "too_fast": 8,
        "straight_lined": 7,
    }
    good = [row for row, what in zip(rows, fates, strict=True) if what == "good"]
    assert Counter(row[2] for row in good) == {
        "Shareholder or investor": 40,
        "Customer": 120,
        "Partner or supplier": 80,
        "Employee": 300,
        "Government or regulator": 8,
        "Local community": 25,
        "Environment expert": 10,
        "Media, public or industry professional": 17,
    }
    ids = [row[0] for row, what in zip(rows, fates, strict=True) if what not in ("blank", "duplicate")]
    assert len(ids) == len(set(ids)) == 627


def test_every_row_but_the_blank_ones_says_that_it_is_simulated():
    spoilt = dict.fromkeys(
        ("blank", "no_group", "no_rating", "too_few_answers", "duplicate", "too_fast", "straight_lined"), 4
    )
    simulated = simulate(a_study({"spoilt": spoilt}))
    assert simulated.header[-1] == "Simulated answers"
    assert Counter(row[-1] for row in simulated.rows) == {"simulated": 124, "": 4}
    assert sum(not any(row) for row in simulated.rows) == 4


def test_spoilt_rows_never_leave_the_good_ones_fewer_or_other():
    plain = simulate(a_study({}))
    spoilt = simulate(a_study({"spoilt": {"too_fast": 9, "blank": 3, "no_rating": 2}}))
    answers = [Counter(row[2:] for row in simulated.rows) for simulated in (plain, spoilt)]
    assert answers[0] <= answers[1]


@pytest.mark.parametrize("count", [1, 30])
def test_a_duplicate_copies_a_good_row_and_stands_below_it(count):
    simulated = simulate(a_study({"respondents": {"employees": 10, "customers": 10}, "spoilt": {"duplicate": count}}))
    assert len(simulated.rows) == 20 + count
    assert len(set(simulated.rows)) == 20
    first = list(dict.fromkeys(row[0] for row in simulated.rows))
    assert first == sorted(first)


def test_thresholds_of_cleaning_part_good_rows_from_spoilt_ones():
    study = a_study(
        {"respondents": {"employees": 200}, "blank": 0.3, "spoilt": {"too_fast": 40}},
        cleaning={"seconds_per_answer": 20, "min_share_answered": 0.8},
    )
    rows = [row for row in simulate(study).rows if row[2] == "Employees"]
    assert min(sum(cell != "" for cell in row[3:-1]) for row in rows) == 5
    paces = sorted(int(row[1]) / sum(cell != "" for cell in row[3:-1]) for row in rows)
    assert all(not 16 <= pace < 40 for pace in paces)
    assert paces[0] < 16


def test_spoilt_rows_that_the_export_cannot_show_are_told_all_at_once():
    study = a_study(
        {"spoilt": {"no_group": 1, "too_fast": 2, "too_few_answers": 3}},
        responses=[{"file": "r.csv", "group_is": "customers"}],
        issues=[{"id": "water"}, {"id": "waste"}],
    )
    assert faults_of(lambda: simulate(study)) == (
        "simulation.spoilt.no_group: the first export has no group column.\n"
        "  Mend: name it with group = …, or set no_group = 0.\n"
        "simulation.spoilt.too_fast: the first export has no column of seconds.\n"
        "  Mend: name it with seconds = …, or set too_fast = 0.\n"
        "simulation.spoilt.too_few_answers: no group is asked enough questions.\n"
        "  Mend: ask a group three questions or more, or set too_few_answers = 0."
    )


def test_spoilt_rows_of_nobody_are_a_fault():
    study = a_study({"respondents": {"employees": 0, "customers": 0}, "spoilt": {"blank": 2, "straight_lined": 1}})
    assert faults_of(lambda: simulate(study)) == (
        "simulation.spoilt.straight_lined: nobody answers the first export.\n"
        "  Mend: let simulation.respondents name someone, or set straight_lined = 0."
    )


def test_nobody_and_blank_rows_alone_can_be_simulated():
    study = a_study({"respondents": {"employees": 0, "customers": 0}, "spoilt": {"blank": 2}})
    assert [any(row) for row in simulate(study).rows] == [False, False]


def place(text: str, start: str, key: str) -> str:
    """Where a fault of the study file stands: the line that starts so, and the key."""
    return f"study.toml: line {next(k for k, row in enumerate(text.splitlines(), 1) if row.startswith(start))}, {key}"


def test_names_that_the_simulation_does_not_know_are_told_with_the_nearest(tmp_path):
    text = (REFERENCE / "study.toml").read_text(encoding="utf-8")
    for right, wrong in (
        ("[simulation.effects.Gender]", "[simulation.effects.Gendre]"),
        ('[simulation.effects.Department]\n"R&D"', '[simulation.effects.Department]\n"R+D"'),
        ("[simulation.sample.employees.Gender]\nmale", "[simulation.sample.employees.Gender]\nmales"),
    ):
        assert right in text
        text = text.replace(right, wrong)
    (tmp_path / "study.toml").write_text(text, encoding="utf-8")
    sample = place(text, "males", "simulation.sample.employees.Gender")
    gender = place(text, "[simulation.effects.Gendre]", "simulation.effects")
    department = place(text, '"R+D"', "simulation.effects.Department")
    assert faults_of(lambda: load_study(tmp_path)) == (
        f"{sample}: 'males' is not known. Nearest: 'male', 'female'.\n"
        "  Mend: use one of 'male', 'female'.\n"
        f"{gender}: 'Gendre' is not known. Nearest: 'Gender'.\n"
        "  Mend: use one of 'Gender', 'Department'.\n"
        f"{department}: 'R+D' is not known. Nearest: 'R&D'.\n"
        "  Mend: use one of 'R&D', 'other'."
    )


def test_a_sample_needs_margins_and_a_share(tmp_path):
    text = (REFERENCE / "study.toml").read_text(encoding="utf-8")
    text = text.replace("male = 0.5\nfemale = 0.5", "male = 0\nfemale = 0")
    text += "[simulation.sample.media.Gender]\nmale = 1\n"
    (tmp_path / "study.toml").write_text(text, encoding="utf-8")
    empty = place(text, "[simulation.sample.employees.Gender]", "simulation.sample.employees.Gender")
    strange = place(text, "[simulation.sample.media.Gender]", "simulation.sample.media")
    assert faults_of(lambda: load_study(tmp_path)) == (
        f"{empty}: no category has a share.\n"
        "  Mend: give shares, or leave it out.\n"
        f"{strange}: 'Gender' is not known.\n"
        "  Mend: remove it, or give the group margins."
    )


def test_the_same_seed_gives_the_same_rows_and_another_seed_others():
    study = with_margins({"spoilt": {"too_fast": 2, "duplicate": 2}}, respondents=20)
    assert simulate(study) == simulate(study, seed=study.seed)
    assert simulate(study, seed=1) == simulate(study, seed=1)
    assert simulate(study, seed=1).rows != simulate(study, seed=2).rows
    assert simulate(study, seed=1).truth == simulate(study, seed=2).truth


def test_a_group_answers_the_same_whoever_else_is_asked():
    few = simulate(a_study({"respondents": {"employees": 5}, "blank": 0.0}))
    many = simulate(a_study({"respondents": {"employees": 9}, "blank": 0.0}))
    customers = [Counter(row[1:] for row in s.rows if row[2] == "Customer") for s in (few, many)]
    assert customers[0] == customers[1]


def test_another_process_writes_the_same_bytes(tmp_path):
    code = (
        "import sys; from materiality.study import load_study; from materiality.simulation import simulate, write_csv\n"
        "write_csv(simulate(load_study(sys.argv[1])), sys.argv[2])"
    )
    written = tmp_path / "again.csv"
    subprocess.run([sys.executable, "-c", code, str(REFERENCE), str(written)], check=True, cwd=REFERENCE.parents[1])
    assert written.read_bytes() == (REFERENCE / "responses.csv").read_bytes()


def test_file_is_utf_8_with_a_mark_that_excel_knows_and_reads_back_as_it_was(tmp_path):
    simulated = simulate(a_study(groups=[{"id": "employees", "label": '员工, "all"'}, {"id": "customers"}]))
    write_csv(simulated, tmp_path / "r.csv")
    raw = (tmp_path / "r.csv").read_bytes()
    assert raw.startswith(b"\xef\xbb\xbfId,Seconds,Group,")
    assert b"\r" not in raw
    header, *rows = csv.reader(io.StringIO(raw.decode("utf-8-sig"), newline=""))
    assert tuple(header) == simulated.header
    assert tuple(map(tuple, rows)) == simulated.rows
    assert [path.name for path in tmp_path.iterdir()] == ["r.csv"]


def test_simulated_answers_may_be_written_over(tmp_path):
    path = tmp_path / "r.csv"
    write_csv(simulate(a_study(), seed=1), path)
    before = path.read_bytes()
    write_csv(simulate(a_study(), seed=2), path)
    assert path.read_bytes() != before


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"ResponseId,Q1\nR_1,5\n", id="a real export"),
        pytest.param(b"Simulated answers,Q1\n,5\n", id="the mark in another column"),
        pytest.param(b"", id="an empty file"),
        pytest.param(b"\xff\xfe\x00\xd8", id="no text"),
        pytest.param(b"PK\x03\x04\x00\x00", id="a workbook"),
    ],
)
def test_a_file_that_is_not_simulated_is_never_written_over(tmp_path, content):
    path = tmp_path / "responses.csv"
    path.write_bytes(content)
    assert faults_of(lambda: write_csv(simulate(a_study()), path)) == (
        f"{path}: stands there already, and its answers are not simulated.\n"
        "  Mend: choose another name, or move that file away."
    )
    assert path.read_bytes() == content


def test_a_folder_that_is_not_there_is_told(tmp_path):
    path = tmp_path / "nowhere" / "r.csv"
    assert faults_of(lambda: write_csv(simulate(a_study()), path)) == (
        f"{path}: cannot be written: No such file or directory.\n  Mend: check the folder and its permissions."
    )


def test_an_interrupted_run_leaves_the_earlier_file_whole(tmp_path):
    path = tmp_path / "r.csv"
    write_csv(simulate(a_study()), path)
    before = path.read_bytes()

    def interrupted():
        yield ("R-0001", "simulated")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_csv(SimulatedResponses(("Id", MARK), interrupted(), {}), path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["r.csv"]


def test_reference_study_says_that_it_is_simulated():
    study = load_study(REFERENCE)
    assert study.simulated
    assert "simulated answers" in study.title


def test_reference_study_follows_the_report():
    study = load_study(REFERENCE)
    assert len(study.issues) == 25
    assert [group.population for group in study.groups] == [None, None, None, 4035, 12, None, None, None]
    assert {g.id: g.margins for g in study.groups if g.margins} == {
        "employees": {"Gender": {"male": 2726, "female": 1309}, "Department": {"R&D": 631, "other": 3404}}
    }
    assert (study.x, study.y) == ("business", "stakeholders")


@pytest.mark.parametrize(("axis", "groups", "gap"), [("stakeholders", 8, 0.2), ("business", 4, 0.2)])
def test_the_nine_issues_of_most_concern_are_truly_on_top_of_both_axes(axis, groups, gap):
    truth = true_means(load_study(REFERENCE))
    by_issue = {}
    for (its_axis, _, issue), mean in truth.items():
        if its_axis == axis:
            by_issue.setdefault(issue, []).append(mean)
    assert {len(means) for means in by_issue.values()} == {groups}
    scores = {issue: sum(means) / groups for issue, means in by_issue.items()}
    ranking = sorted(scores, key=scores.get, reverse=True)
    assert set(ranking[:9]) == NINE
    assert scores[ranking[8]] - scores[ranking[9]] > gap
