"""Whatever stands in a study file, an export or a whole survey: a clean fault, or results that keep their promises.

Nothing else may come out: no other exception, no warning, no row that is not accounted for.
"""

from __future__ import annotations

import copy
import csv
import datetime as dt
import io
import json
import math
import random
import tempfile
import zipfile
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xlsxwriter
from conftest import HEADER, ROWS, STUDY, write_study
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from materiality import Assessment, MaterialityError, assess, commands
from materiality.cleaning import KEPT, REASONS
from materiality.gathering import Gathered, examine
from materiality.reporting import result
from materiality.study import draft_study

FIXED = {"derandomize": True, "deadline": None, "database": None, "suppress_health_check": list(HealthCheck)}
"""The same examples on every machine and in every run."""


@dataclass(frozen=True)
class Survey:
    """A small survey as values, to be changed and written: the study file as tables, and its answers.

    The answers go to `responses.csv` unless `files` says what to write instead.
    """

    study: dict[str, Any]
    header: list[str]
    rows: list[list[str]]
    files: dict[str, bytes] = field(default_factory=dict)

    def write(self, folder: Path) -> Path:
        """The study's folder."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "study.toml").write_text(toml(self.study), encoding="utf-8")
        for name, raw in (self.files or {"responses.csv": delimited([self.header, *self.rows]).encode()}).items():
            (folder / name).write_bytes(raw)
        return folder


def delimited(records: list[list[str]], delimiter: str = ",") -> str:
    """Records as text."""
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator="\n").writerows(records)
    return text.getvalue()


def toml(table: dict[str, Any], place: tuple[str, ...] = ()) -> str:
    """Nested tables as TOML."""
    inner = {key: value for key, value in table.items() if isinstance(value, dict)}
    lists = {k: v for k, v in table.items() if isinstance(v, list) and v and all(isinstance(e, dict) for e in v)}
    lines = [f"{_key(key)} = {_value(value)}" for key, value in table.items() if key not in inner and key not in lists]
    for key, value in inner.items():
        lines += [f"[{'.'.join(map(_key, (*place, key)))}]", toml(value, (*place, key))]
    for key, entries in lists.items():
        for entry in entries:
            lines += [f"[[{'.'.join(map(_key, (*place, key)))}]]", toml(entry, (*place, key))]
    return "\n".join(lines)


def _key(key: str) -> str:
    return json.dumps(key, ensure_ascii=False).replace("\x7f", "\\u007f")


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_key(k)} = {_value(v)}" for k, v in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, float):
        return repr(value).replace("+", "") if math.isfinite(value) else {math.inf: "inf"}.get(value, "nan")
    return _key(value) if isinstance(value, str) else json.dumps(value)


SCALES = [(1, 5, 1), (0, 10, 1), (0, 10, 0), (1, 5, 0.5), (-2, 2, 1), (1, 2, 1), (0, 100, 5)]
SPECIAL = {"Don't know": "dont_know", "N/A": "not_applicable"}
PATTERNS = ["mixed", "mixed", "mixed", "constant", "top", "lonely", "silent"]
MAYBE = st.sampled_from([False, False, True])


@st.composite
def surveys(draw: st.DrawFn, *, most: int = 40, least: int = 0, off: bool = False) -> Survey:
    """A survey of 1 to 5 groups, 1 to 6 issues and few respondents, with everything that a study file may ask for."""
    low, high, step = draw(st.sampled_from(SCALES))
    n_groups, n_issues = draw(st.integers(1, 5)), draw(st.integers(1, 6))
    n = draw(st.integers(least, most))
    groups = [f"g{k}" for k in range(n_groups)]
    use = {key: draw(MAYBE) for key in ("weight", "seconds", "stratum", "cluster", "separator", "margins", "same")}
    generator = random.Random(draw(st.integers(0, 10**6)))
    tables = [{"id": name, "label": f"Group {name}"} for name in groups]
    for table in tables:
        if draw(MAYBE):
            table["population"] = draw(st.integers(max(1, n // 2), 3 * n + 2))
        if use["margins"] and draw(st.booleans()):
            table["margins"] = {"sex": draw(st.sampled_from([{"f": 0.5, "m": 0.5}, {"f": 30, "m": 70}]))}
    axes = {}
    for axis in ("a", "b"):
        axes[axis] = {"column": "{id}" if use["same"] else axis + " {id}"}
        if draw(MAYBE):
            axes[axis]["groups"] = {name: draw(st.sampled_from([0, 0.5, 1, 3])) for name in groups}
            axes[axis]["groups"][groups[-1]] = 1
    export = {"file": "responses.csv", "respondent": "id", "group": "group"}
    export |= {"group_separator": ";"} if use["separator"] else {}
    export |= {key: key for key in ("weight", "seconds", "stratum", "cluster") if use[key]}
    study = {
        "title": "Made up (simulated answers)",
        "simulated": True,
        "seed": draw(st.integers(0, 3)),
        "scale": {
            "low": low,
            "high": high,
            "step": step,
            "special": SPECIAL,
        },
        "responses": [export],
        "groups": tables,
        "issues": [{"id": f"i{k}", "label": f"Issue {k}"} for k in range(n_issues)],
        "axes": axes,
        "cleaning": draw(cleanings()),
        "weighting": draw(weightings(use["margins"])),
        "tiers": draw(tier_rules(low, high, n_issues)),
        "privacy": {"profile": "off"} if off else draw(privacies()),
    }
    questions = [f"i{k}" if use["same"] else f"{axis} i{k}" for axis in axes for k in range(n_issues)]
    questions = list(dict.fromkeys(questions))
    columns = [key for key in ("weight", "seconds", "stratum", "cluster") if use[key]] + ["sex"] * use["margins"]
    pattern = draw(st.sampled_from(PATTERNS))
    rows = [
        [
            str(generator.randrange(10 * n)) if draw_twins else f"R{k}",
            _groups(generator, groups, use["separator"]),
            *(_fact(generator, key) for key in columns),
            *_answers(generator, len(questions), (low, high, step), pattern, k),
        ]
        for draw_twins in [draw(MAYBE)]
        for k in range(n)
    ]
    return Survey(study, ["id", "group", *columns, *questions], rows)


@st.composite
def cleanings(draw: st.DrawFn) -> dict[str, Any]:
    """Rules of cleaning, most of them left as they are."""
    actions = st.sampled_from(["drop", "flag", "off"])
    chosen = draw(st.lists(st.sampled_from(["too_fast", "straight_lined", "long_run", "rare_answers", "no_rating"])))
    rules: dict[str, Any] = {rule: draw(actions) for rule in chosen}
    return rules | {"duplicate_choice": draw(st.sampled_from(["first", "last", "most_complete"]))}


@st.composite
def weightings(draw: st.DrawFn, margins: bool) -> dict[str, Any]:
    """Settings of the weights."""
    rules: dict[str, Any] = {"finite_population": draw(st.booleans())}
    rules |= {"trim": [0.3, 3.0]} if draw(MAYBE) else {}
    rules |= {"replicates": 4} if draw(MAYBE) else {}
    return rules | ({"no_category": draw(st.sampled_from(["keep", "keep", "fault"]))} if margins else {})


@st.composite
def tier_rules(draw: st.DrawFn, low: float, high: float, issues: int) -> dict[str, Any]:
    """How tiers are made."""
    rules: dict[str, Any] = {"method": draw(st.sampled_from(["thresholds", "thresholds", "kmeans", "ward"]))}
    thresholds = ["mean", "median", "midpoint", "largest_gap", low, high, (low + high) / 2]
    thresholds += ["top 1"] if issues > 1 else []
    rules["thresholds"] = {"a": draw(st.sampled_from(thresholds)), "b": draw(st.sampled_from(thresholds))}
    rules["rule"] = draw(st.sampled_from(["either", "both"]))
    return rules | ({"clusters": draw(st.integers(1, min(issues, 3)))} if draw(MAYBE) else {})


@st.composite
def privacies(draw: st.DrawFn) -> dict[str, Any]:
    """For whose eyes."""
    profile = {"profile": draw(st.sampled_from(["internal", "publish", "off"]))}
    return profile | ({"minimum_group_size": draw(st.integers(1, 12))} if draw(MAYBE) else {})


def _groups(generator: random.Random, groups: list[str], several: bool) -> str:
    if generator.random() < 0.03:
        return ""
    count = generator.choice([1, 1, 1, 2]) if several else 1
    return ";".join(generator.choice(groups) for _ in range(count))


def _fact(generator: random.Random, key: str) -> str:
    if key == "weight":
        return generator.choice(["1", "0.5", "2.75", f"{generator.uniform(0.2, 5):.3f}"])
    if key == "seconds":
        return generator.choice(["", "5", f"{generator.uniform(20, 900):.1f}"])
    return generator.choice({"stratum": ["north", "south"], "cluster": ["", "k1", "k2", "k3"], "sex": "fffmm"}[key])


def _answers(
    generator: random.Random, questions: int, scale: tuple[float, float, float], pattern: str, row: int
) -> list[str]:
    low, high, step = scale
    points = np.arange(low, high + step / 2, step).tolist() if step else [low, high, (low + high) / 3]
    if pattern == "constant":
        return [f"{points[-1]:g}"] * questions
    if (pattern == "lonely" and row) or (pattern == "silent" and generator.random() < 0.9):
        return [generator.choice([*SPECIAL, "", ""]) for _ in range(questions)]
    if pattern == "top":
        points = points[-2:]
    said = []
    for _ in range(questions):
        point = generator.choice(points) if step else round(generator.uniform(low, high), 2)
        said.append(generator.choice([*SPECIAL, ""]) if generator.random() < 0.1 else f"{point:.10g}")
    return said


def check_promises(assessment: Assessment, rows: int) -> None:
    """What holds for every assessment, whatever it is made of."""
    study, gathered = assessment.study, assessment.gathered
    low, high = study.scale.low - 1e-9, study.scale.high + 1e-9
    lines = [line for part in gathered.ledger.lines() for line in part]
    assert len(lines) == rows == sum(export.rows for export in gathered.exports)
    kept = sum(REASONS[line["reason"]] == REASONS[KEPT] for line in lines)
    assert kept == sum(export.fates["kept"] for export in gathered.exports)
    for export in gathered.exports:
        assert export.rows == sum(n for fate, n in export.fates.items() if not fate.startswith("flagged: "))
    assert kept == sum(sums.n for sums in gathered.moments.cells.values())
    for table in (assessment.scores, assessment.group_scores):
        known = table[table["estimate"].notna()]
        assert known["estimate"].between(low, high).all()
        bounded = known[known["conf_low"].notna()]
        assert (bounded["conf_low"] >= low).all() and (bounded["conf_high"] <= high).all()
        assert (bounded["conf_low"] <= bounded["estimate"] + 1e-9).all()
        assert (bounded["conf_high"] >= bounded["estimate"] - 1e-9).all()
        assert not (known["std_error"] < 0).any()
        assert table.loc[table["estimate"].isna(), ["conf_low", "conf_high", "std_error"]].isna().all(axis=None)
    hidden = assessment.group_scores[assessment.group_scores["suppressed"]]
    numbers = ["estimate", "std_error", "conf_low", "conf_high"]
    assert hidden[numbers].isna().all(axis=None)
    ranks = assessment.ranks.dropna(subset=["rank"])
    for lower, upper in (("low", "high"), ("marginal_low", "marginal_high")):
        assert ((ranks[lower] <= ranks["rank"]) & (ranks["rank"] <= ranks[upper])).all()
    assert ranks[["low", "marginal_low"]].min(axis=None) >= 1
    assert ranks[["high", "marginal_high", "top"]].max(axis=None) <= len(study.issues)
    shares = [assessment.matrix.points["tier_confidence"], assessment.matrix.points["p_material"]]
    shares += [assessment.decisions[name] for name in ("share_of_choices", "p_above_x", "p_above_y")]
    shares += [assessment.acceptability.ranks["share"], assessment.weights["share_before"]]
    shares += [assessment.differences["p"], assessment.agreement["p"]]
    for share in shares:
        values = pd.to_numeric(share).dropna()
        assert values.between(-1e-12, 1 + 1e-12).all(), share.name
    json.dumps(result(assessment), allow_nan=False)


def check_faults(error: MaterialityError) -> None:
    """Every fault names a file and a mend, and its text has no trace of the program."""
    for fault in error.faults:
        assert fault.file and fault.mend.strip() and fault.what.strip()
        assert not any(word in str(fault) for word in ("Traceback", "Error(", "numpy", "dtype", "<class", "pydantic"))


def outcome(survey: Survey) -> Assessment | MaterialityError:
    """An assessment, or the faults."""
    with tempfile.TemporaryDirectory() as name:
        try:
            return assess(survey.write(Path(name)))
        except MaterialityError as error:
            return error


@settings(max_examples=25, **FIXED)
@given(surveys())
def test_a_survey_ends_in_faults_or_in_results_that_keep_their_promises(survey):
    found = outcome(survey)
    if isinstance(found, MaterialityError):
        check_faults(found)
    else:
        check_promises(found, len(survey.rows))


@settings(max_examples=3, **FIXED)
@given(surveys(least=3))
def test_a_whole_run_writes_all_or_nothing(survey):
    with tempfile.TemporaryDirectory() as name:
        out = Path(name) / "out"
        try:
            _, written = commands.run(survey.write(Path(name) / "study"), out=out, figures="main")
        except MaterialityError as error:
            check_faults(error)
            assert not out.exists()
        else:
            manifest = json.loads((written / "manifest.json").read_text(encoding="utf-8"))
            files = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
            assert files == {output["path"] for output in manifest["outputs"]} | {"manifest.json"}
        assert {path.name for path in Path(name).iterdir()} <= {"out", "study"}


# Study files

SCALARS = st.one_of(
    st.text(max_size=8),
    st.integers(-(2**63), 2**63 - 1),
    st.integers(-2, 12),
    st.floats(),
    st.booleans(),
    st.just(dt.date(2024, 2, 29)),
    st.sampled_from(["g0", "i0", "a", "id", "group", "{id}", "mean", "top 2", "off", "../x", "con", "\u202e", "#"]),
)
VALUES = st.one_of(SCALARS, st.lists(SCALARS, max_size=3), st.dictionaries(st.text(max_size=4), SCALARS, max_size=2))
EXTRA = {
    "language": "en",
    "confidence": 0.9,
    "organisation": "Nobody",
    "decisions": [{"issue": "i0", "decision": "material", "reason": "so", "date": dt.date(2024, 2, 29), "by": "us"}],
    "robustness": {"weights_vary": 0.2},
    "simulation": {"spread": 1.0, "means": {"a": {"i0": 0.5}}, "respondents": {"g0": 5}},
}


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every table or list inside, with each of its keys."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for key, one in inner for place in ((value, key), *places(one))]


@st.composite
def spoilt_studies(draw: st.DrawFn) -> Survey:
    """A survey whose study file was changed in one to four places."""
    survey = draw(surveys(most=8))
    study = json.loads(json.dumps(survey.study)) | {key: EXTRA[key] for key in draw(st.sets(st.sampled_from([*EXTRA])))}
    study = copy.deepcopy(study)
    for _ in range(draw(st.integers(1, 4))):
        table, key = draw(st.sampled_from(places(study) or [(study, "title")]))
        kind = draw(st.sampled_from(["retype", "retype", "delete", "rename", "twice"]))
        if kind == "retype":
            table[key] = draw(VALUES)
        elif kind == "delete" and key in (table if isinstance(table, dict) else range(len(table))):
            del table[key]
        elif isinstance(table, list):
            table.append(copy.deepcopy(table[key]) if key < len(table) else draw(VALUES))
        elif key in table:
            again = draw(st.text(min_size=1, max_size=3)) if kind == "rename" else f"{key}s"
            table[again] = table.pop(key) if kind == "rename" else copy.deepcopy(table[key])
    return replace(survey, study=study)


def examined(folder: Path) -> Gathered | MaterialityError:
    """What a pass over the rows leaves, or the faults."""
    try:
        return examine(folder)[1]
    except MaterialityError as error:
        return error


def check_gathered(found: Gathered | MaterialityError) -> None:
    """Clean faults; or each row below the header has one disposition, in order, none left out."""
    if isinstance(found, MaterialityError):
        check_faults(found)
        return
    lines = [line for part in found.ledger.lines() for line in part]
    assert len(lines) == sum(export.rows for export in found.exports)
    for number, export in enumerate(found.exports):
        rows = [int(line["row"]) for line in lines if line["export"] == number]
        assert rows == list(range(export.header_row + 1, export.header_row + 1 + len(rows)))
        assert sum(n for fate, n in export.fates.items() if not fate.startswith("flagged: ")) == len(rows)
    assert sum(REASONS[line["reason"]] == "kept" for line in lines) == sum(s.n for s in found.moments.cells.values())


@settings(max_examples=120, **FIXED)
@given(spoilt_studies())
def test_a_spoilt_study_file_is_a_study_or_told_with_its_mend(survey):
    with tempfile.TemporaryDirectory() as name:
        check_gathered(examined(survey.write(Path(name))))


@settings(max_examples=150, **FIXED)
@given(st.data())
def test_a_study_file_with_characters_changed_is_a_study_or_told_with_its_mend(data):
    text = toml(data.draw(surveys(most=0)).study)
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "study.toml"
        path.write_bytes(data.draw(mutations(text.encode())))
        study, faults = draft_study(path)
    if study is None:
        assert faults
    for fault in faults:
        assert fault.file == "study.toml" and fault.mend and fault.what


@pytest.mark.parametrize(
    ("given_", "instead", "what", "mend"),
    [
        pytest.param(
            'title = "A small study"',
            'title = "A small study"\nconfidence = 0.99999',
            "line 2, confidence: 0.99999 is more than 0.9999, and 10,000 draws show no more.",
            "use at most 0.9999.",
            id="a confidence that no draws can show",
        ),
        pytest.param(
            'column = "{label}"',
            'column = "{label}"\ngroups = { staff = 1.7e308, buyers = 0 }',
            "line 42, axes.people.groups: staff = 1.7e+308 is too far from 1 for a group weight.",
            "give numbers from 1e-09 to 1e+09, or 0; only their ratios count.",
            id="a group weight whose sums overflow",
        ),
        pytest.param(
            'label = "Staff"',
            'label = "Staff"\n[groups.margins.sex]\nf = 1e308\nm = 1e308',
            "line 18, groups 'staff', margins.sex: the counts add up to inf; no group is so large.",
            "correct the counts, or give shares that sum to 1.",
            id="margins whose sum overflows",
        ),
    ],
)
def test_numbers_beyond_reason_are_told(given_, instead, what, mend, tmp_path):
    _, faults = draft_study(write_study(tmp_path, study=STUDY.replace(given_, instead, 1)) / "study.toml")
    assert [(fault.what, fault.mend) for fault in faults] == [(what, mend)]


# Exports

PIECES = [b'"', b'""', b",", b";", b"\t", b"\n", b"\r", b"\r\n", b"\0", b"\xef\xbb\xbf", b"\xff\xfe", b"\xff", b"\xe9"]
PIECES += [
    "工".encode(),
    "工".encode("gb18030"),
    b"=1+1",
    b"1e400",
    b"4,0",
    b"2024-05-01",
    b"\x1a",
    b"\x0b",
    b"\x85",
    b" ",
]


@st.composite
def mutations(draw: st.DrawFn, raw: bytes) -> bytes:
    """Bytes flipped, left out, put in, doubled, or cut off at the end."""
    for _ in range(draw(st.integers(1, 5))):
        start = draw(st.integers(0, len(raw)))
        end = start + draw(st.integers(0, 12))
        kind = draw(st.sampled_from(["put in", "put in", "flip", "leave out", "double", "cut off"]))
        if kind == "cut off":
            raw = raw[: max(start, len(raw) // 2)]
        elif kind == "flip":
            raw = (
                raw[:start]
                + bytes(byte ^ draw(st.integers(1, 255)) for byte in raw[start : start + 2])
                + raw[start + 2 :]
            )
        else:
            middle = {"put in": draw(st.sampled_from(PIECES)), "leave out": b"", "double": 2 * raw[start:end]}[kind]
            raw = raw[:start] + middle + raw[start if kind == "put in" else end :]
    return raw


RECORDS = [HEADER.split(","), *(row.split(",") for row in ROWS), ["6", "Staff", "", "Don't know", "1", "2", "3", "4"]]
ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "gb18030", "utf-32"]


def read_export(name: str, raw: bytes) -> Gathered | MaterialityError:
    """The small study with this export."""
    with tempfile.TemporaryDirectory() as folder:
        text = STUDY.replace("responses.csv", name) + '[cleaning]\nunknown_group = "drop"\nduplicate_choice = "first"\n'
        study = write_study(Path(folder), study=text)
        (study / name).write_bytes(raw)
        return examined(study)


@settings(max_examples=250, **FIXED)
@given(st.data())
def test_a_spoilt_text_export_is_read_whole_or_told(data):
    delimiter = data.draw(st.sampled_from([",", ";", "\t", "|"]))
    ending = data.draw(st.sampled_from(["\n", "\r\n", "\r"]))
    text = delimited(RECORDS, delimiter).replace("\n", ending)
    raw = data.draw(mutations(text.encode(data.draw(st.sampled_from(ENCODINGS)))))
    check_gathered(read_export(data.draw(st.sampled_from(["export.csv", "export.tsv"])), raw))


@settings(max_examples=120, **FIXED)
@given(
    st.binary(max_size=200), st.sampled_from(["export.csv", "export.tsv", "export.xlsx", "export.xls", "export.ods"])
)
def test_bytes_at_random_are_read_whole_or_told(raw, name):
    check_gathered(read_export(name, raw))


@cache
def workbook() -> bytes:
    """The answers as a workbook."""
    raw = io.BytesIO()
    with xlsxwriter.Workbook(raw, {"in_memory": True, "strings_to_numbers": True}) as book:
        sheet = book.add_worksheet()
        for k, record in enumerate(RECORDS):
            sheet.write_row(k, 0, record)
    return raw.getvalue()


@settings(max_examples=120, **FIXED)
@given(st.data())
def test_a_spoilt_workbook_is_read_whole_or_told(data):
    """The archive's own bytes, or those of one of its parts."""
    raw = workbook()
    if data.draw(st.booleans()):
        raw = data.draw(mutations(raw))
    else:
        spoilt, packed = io.BytesIO(), zipfile.ZipFile(io.BytesIO(raw))
        part = data.draw(st.sampled_from(["xl/worksheets/sheet1.xml", "xl/sharedStrings.xml", "xl/workbook.xml"]))
        with zipfile.ZipFile(spoilt, "w") as archive:
            for name in packed.namelist():
                inner = packed.read(name)
                archive.writestr(name, data.draw(mutations(inner)) if name == part else inner)
        raw = spoilt.getvalue()
    check_gathered(read_export("export.xlsx", raw))
