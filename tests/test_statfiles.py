"""Files of statistics programs and data frames: what was written comes back as the text that a reader would see."""

from __future__ import annotations

import datetime as dt
import importlib
import json
import math
import sys
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import shared
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from materiality.errors import MaterialityError
from materiality.reading import statfiles
from materiality.reading.statfiles import ENDINGS, StatFile, number_text, open_statfile


@pytest.fixture
def spss():
    return pytest.importorskip("pyreadstat", reason="pyreadstat is not installed")


@pytest.fixture
def arrow():
    return pytest.importorskip("pyarrow", reason="pyarrow is not installed")


def opened(path: Path) -> StatFile:
    return open_statfile(path, path.name)


def column(path: Path, place: int = 0) -> list[str]:
    return [record[place] for record in opened(path).records()]


def fault(path: Path, *, read: bool = False) -> str:
    with pytest.raises(MaterialityError) as told:
        file = opened(path)
        if read:
            list(file.records())
    return str(told.value)


def quick(run):
    suppressed = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
    return settings(max_examples=40, deadline=None, suppress_health_check=suppressed)(run)


# Numbers


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (4.0, "4"),
        (4, "4"),
        (-0.0, "0"),
        (-2.5, "-2.5"),
        (0.1, "0.1"),
        (0.00001, "0.00001"),
        (1.5e-7, "0.00000015"),
        (1e15, "1000000000000000"),
        (123456789.25, "123456789.25"),
        (np.float32(0.1), "0.1"),
        (1e300, "1e+300"),
        (1e-300, "1e-300"),
        (math.inf, "inf"),
    ],
)
def test_a_number_is_written_plainly(number, text):
    assert number_text(number) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_reads_back_as_itself(number):
    assert float(number_text(number)) == number


def write_frame(frame: pd.DataFrame, path: Path) -> None:
    pyreadstat = importlib.import_module("pyreadstat")
    writers = {
        ".sav": pyreadstat.write_sav,
        ".zsav": lambda frame, path: pyreadstat.write_sav(frame, path, compress=True),
        ".por": pyreadstat.write_por,
        ".dta": pyreadstat.write_dta,
        ".parquet": pd.DataFrame.to_parquet,
        ".feather": pd.DataFrame.to_feather,
    }
    writers[path.suffix](frame, str(path))


# The shared files; the expectations are read from SOURCE.md, exports.csv and the files' own labels


@pytest.mark.parametrize(
    ("file", "names", "questions", "rows"),
    [
        ("hebrews", ["ותק_ב"], [""], 99),
        ("labelled-num-na", ["VAR00002"], ["Only one value"], 2),
        ("labelled-str", ["gender"], [""], 2),
        ("ordered_category", ["Col1"], [""], 4),
        ("sample_large", ["mychar", "mynum", "mydate", "dtime", "mylabl", "myord", "mytime"], [""] * 7, 485),
        (
            "sample_missing",
            ["mychar", "mynum", "mydate", "dtime", "mylabl", "myord", "mytime"],
            ["character", "numeric", "date", "datetime", "labeled", "ordinal", "time"],
            7,
        ),
        ("umlauts", ["var1"], ["This is an ä-umlaut"], 4),
    ],
)
def test_names_questions_and_rows_of_shared_files(spss, file, names, questions, rows):
    read = opened(shared("exports", "sav_small", f"{file}.sav"))
    assert (list(read.names), list(read.questions), read.rows) == (names, questions, rows)
    assert sum(len(record) == len(names) for record in read.records()) == rows


@pytest.mark.parametrize(
    ("file", "texts", "special"),
    [
        ("labelled-num-na", ["This is one", "9"], {"9"}),
        ("labelled-str", ["Male", "Female"], set()),
        ("ordered_category", ["high", "low", "medium", "low"], set()),
        ("umlauts", ["the ä umlaut", "the ü umlaut", "the ä umlaut", "the ö umlaut"], set()),
    ],
)
def test_texts_of_shared_files_with_one_variable(spss, file, texts, special):
    path = shared("exports", "sav_small", f"{file}.sav")
    assert column(path) == texts
    assert opened(path).special == (special,)


def test_whole_years_stay_whole_numbers(spss):
    texts = column(shared("exports", "sav_small", "hebrews.sav"))
    assert {int(text) for text in texts} <= set(range(36))
    assert len(set(texts)) == 33


def test_user_missing_values_stay_and_are_listed(spss):
    read = opened(shared("exports", "sav_small", "sample_missing.sav"))
    records = list(read.records())
    assert records[0] == ["a", "1.1", "2018-05-06", "2018-05-06 10:10:10", "Male", "low", "10:10:10"]
    assert records[3] == ["d", "-1.4", "1583-01-01", "1583-01-01 00:00:00", "Female", "low", "16:10:10"]
    assert records[6] == ["", "2500", "", "", "", "-3", ""]
    assert read.special[1] == {"-1", "2500"}
    assert read.special[4:6] == ({"undetermined"}, {"missing", "-2", "-3"})


def test_all_types_of_a_shared_file(spss):
    read = opened(shared("exports", "sav_small", "simple_alltypes.sav"))
    by_name = dict(zip(read.names, zip(*read.records(), strict=True), strict=True))
    assert by_name["x"] == ("red", "green", "blue", "4", "8", "9")
    assert by_name["z"] == ("-9", "", "1.234", "skipped", "3.14159", "")
    assert by_name["str"] == ("red", "green", "reg-green-blue-whatever", "NA", "", "MORE JUNK")
    assert by_name["y"] == ("2000-01-01", "2000-01-02", "1950-12-24", "1776-07-04", "", "")
    assert by_name["bool1"] == ("1", "1", "0", "0", "", "1")
    assert by_name["ca_subvar_3"] == ("b", "c", "d", "b", "d", "d")
    assert by_name["quarter"] == ("2014-10-01",) * 4 + ("2015-01-01",) * 2
    assert read.special[0] == {"7", "8", "99"}
    assert read.special[2] == {"-9", "skipped"}


# SPSS, written here

TEXTS = st.text(st.characters(exclude_categories=["C", "Z"]) | st.just(" "), max_size=40).map(
    lambda text: text.rstrip(" ")
)


@quick
@given(texts=st.lists(TEXTS, min_size=1, max_size=20), suffix=st.sampled_from([".sav", ".zsav"]))
def test_strings_come_back_from_spss(spss, tmp_path, texts, suffix):
    path = tmp_path / f"ü{suffix}"
    spss.write_sav(pd.DataFrame({"t": texts}), str(path), compress=suffix == ".zsav")
    assert column(path) == texts


@quick
@given(numbers=st.lists(st.integers(-(10**12), 10**12) | st.floats(-1e9, 1e9), min_size=1, max_size=20))
def test_numbers_come_back_from_spss(spss, tmp_path, numbers):
    spss.write_sav(pd.DataFrame({"n": np.array(numbers, float)}), str(tmp_path / "n.sav"))
    texts = column(tmp_path / "n.sav")
    assert [float(text) for text in texts] == [float(number) for number in numbers]
    assert not any(text.endswith(".0") for text in texts)


def test_words_that_look_like_nothing_stay(spss, tmp_path):
    words = ["NA", "None", "nan", "NULL", "-", "  x", ""]
    spss.write_sav(pd.DataFrame({"t": words}), str(tmp_path / "t.sav"))
    assert column(tmp_path / "t.sav") == words


def labelled(spss, path: Path, codes: list, labels: dict, missing: list | None = None) -> Path:
    ranges = {"q": missing} if missing else None
    spss.write_sav(pd.DataFrame({"q": codes}), str(path), variable_value_labels={"q": labels}, missing_ranges=ranges)
    return path


@pytest.mark.parametrize(
    ("codes", "labels", "texts"),
    [
        pytest.param([4.0, 5, None, 3], {4: "Very important", 5: "5 "}, ["Very important", "5", "", "3"], id="labels"),
        pytest.param(["f", "m", "x", ""], {"f": "Female", "m": "Male"}, ["Female", "Male", "x", ""], id="letters"),
        pytest.param([1.0, 2, 3], {1: "Other", 2: "Other", 3: "None"}, ["Other (1)", "Other (2)", "None"], id="shared"),
        pytest.param(["a", "b"], {"a": "Other", "b": "Other"}, ["Other (a)", "Other (b)"], id="shared by letters"),
        pytest.param([1.0, 2, 0], {1: "0", 2: "1"}, ["0", "1", "0 (0)"], id="a number that reads like a label"),
        pytest.param([1.0, 2], {1: "חשוב", 2: "wichtig für mich"}, ["חשוב", "wichtig für mich"], id="scripts"),
        pytest.param([1.5, 2.5], {1.5: "half"}, ["half", "2.5"], id="fractions"),
    ],
)
def test_labels_stand_for_their_codes(spss, tmp_path, codes, labels, texts):
    assert column(labelled(spss, tmp_path / "q.sav", codes, labels)) == texts


@pytest.mark.parametrize(
    ("codes", "labels", "missing", "texts", "special"),
    [
        pytest.param(
            [1.0, 99, 98],
            {99: "Don't know"},
            [98, 99, 97],
            ["1", "Don't know", "98"],
            {"Don't know", "98", "97"},
            id="values",
        ),
        pytest.param(
            [1.0, -5, -0.5, 0],
            {-1: "Refused"},
            [{"lo": -math.inf, "hi": -0.5}],
            ["1", "-5", "-0.5", "0"],
            {"-5", "-0.5", "Refused"},
            id="a range without a lower end",
        ),
        pytest.param(
            [5.0, 90, 95.5, 7],
            {90: "n/a"},
            [{"lo": 90, "hi": 99}, 7],
            ["5", "n/a", "95.5", "7"],
            {"n/a", "95.5", "7"},
            id="a range and a value",
        ),
        pytest.param(
            ["a", "x", "z"],
            {"x": "No answer"},
            ["x", "z"],
            ["a", "No answer", "z"],
            {"No answer", "z"},
            id="letters",
        ),
        pytest.param(
            [1.0, 9],
            {1: "Yes", 9: "Yes"},
            [9],
            ["Yes (1)", "Yes (9)"],
            {"Yes (9)"},
            id="a label that valid codes share",
        ),
    ],
)
def test_user_missing_values_keep_their_text(spss, tmp_path, codes, labels, missing, texts, special):
    path = labelled(spss, tmp_path / "q.sav", codes, labels, missing)
    assert column(path) == texts
    assert opened(path).special == (special,)


def test_long_texts_come_back_from_spss(spss, tmp_path):
    texts = ["ä" * 1000, "x" * 255, "y" * 256, ""]
    spss.write_sav(
        pd.DataFrame({"t": texts, "a_name_of_more_than_eight_letters": ["a", "b", "c", "d"]}), str(tmp_path / "t.sav")
    )
    assert column(tmp_path / "t.sav") == texts
    assert opened(tmp_path / "t.sav").names == ("t", "a_name_of_more_than_eight_letters")


def test_labels_of_long_texts_stand_for_them(spss, tmp_path):
    codes = ["a longer answer", "another answer", "third"]
    path = labelled(spss, tmp_path / "q.sav", codes, {"a longer answer": "First", "another answer": "Second"})
    assert column(path) == ["First", "Second", "third"]


def test_spss_dates_and_times_are_iso(spss, tmp_path):
    days = [dt.date(2024, 2, 29), dt.date(1600, 1, 1), None]
    origin = dt.datetime(1582, 10, 14)
    moments = [dt.datetime(2024, 2, 29, 23, 59, 59), dt.datetime(1999, 12, 31, 0, 0, 0, 123000), None]
    seconds = [(moment - origin).total_seconds() if moment else None for moment in moments]
    times = [dt.time(9, 5), dt.time(23, 59, 59), None]
    frame = pd.DataFrame({"d": days, "m": seconds, "t": times, "long": [90000.0, -60, 0.25]})
    spss.write_sav(frame, str(tmp_path / "d.sav"), variable_format={"m": "DATETIME23.3", "long": "TIME11.2"})
    assert list(opened(tmp_path / "d.sav").records()) == [
        ["2024-02-29", "2024-02-29 23:59:59", "09:05:00", "25:00:00"],
        ["1600-01-01", "1999-12-31 00:00:00.123000", "23:59:59", "-00:01:00"],
        ["", "", "", "00:00:00.250000"],
    ]


def test_a_date_beyond_the_calendar_stays_a_number(spss, tmp_path):
    frame = pd.DataFrame({"d": [1e15], "m": [-1e13]})
    spss.write_sav(frame, str(tmp_path / "d.sav"), variable_format={"d": "DATE11", "m": "DATETIME20"})
    assert list(opened(tmp_path / "d.sav").records()) == [["1000000000000000", "-10000000000000"]]


@pytest.mark.parametrize("suffix", [".sav", ".por", ".dta", ".parquet", ".feather"])
@pytest.mark.parametrize("rows", [0, 1, 6, 7, 14, 15])
def test_chunks_join_without_a_seam(spss, arrow, tmp_path, monkeypatch, suffix, rows):
    monkeypatch.setattr(statfiles, "CELLS_AT_ONCE", 14)
    frame = pd.DataFrame(
        {"N": np.arange(rows, dtype=float), "T": pd.Series([f"t{k}" for k in range(rows)], dtype="str")}
    )
    path = tmp_path / f"f{suffix}"
    write_frame(frame, path)
    file = opened(path)
    assert list(file.records()) == [[str(k), f"t{k}"] for k in range(rows)]
    assert list(file.records()) == list(file.records())
    assert file.rows == (-1 if suffix == ".por" else rows)


def test_user_missing_values_of_a_portable_file_stay(spss, tmp_path):
    path = tmp_path / "p.por"
    spss.write_por(pd.DataFrame({"A": [1.0, 9, 8]}), str(path), column_labels=["How important?"])
    text = "".join(line.ljust(80) for line in path.read_text().splitlines())
    assert text.count("70/1/A5/8/2/5/8/2/") == 1
    text = text.replace("70/1/A5/8/2/5/8/2/", "70/1/A5/8/2/5/8/2/89/")
    path.write_text("".join(text[k : k + 80] + "\r\n" for k in range(0, len(text), 80)), newline="")
    file = opened(path)
    assert list(file.records()) == [["1"], ["9"], ["8"]]
    assert file.special == ({"9"},)
    assert file.questions == ("How important?",)


# Stata


@quick
@given(texts=st.lists(TEXTS.filter(lambda text: len(text.encode()) < 200), min_size=1, max_size=20))
def test_strings_come_back_from_stata(spss, tmp_path, texts):
    pd.DataFrame({"t": texts}).to_stata(tmp_path / "t.dta", write_index=False, version=118)
    assert column(tmp_path / "t.dta") == texts


@quick
@given(
    whole=st.integers(-(2**31) + 1, 2**31 - 100),
    small=st.integers(-127, 100),
    wide=st.floats(-1e9, 1e9),
    narrow=st.floats(-1e6, 1e6, width=32),
)
def test_numbers_come_back_from_stata(spss, tmp_path, whole, small, wide, narrow):
    frame = pd.DataFrame(
        {"i": np.array([whole], "i4"), "b": np.array([small], "i1"), "d": [wide], "f": np.array([narrow], "f4")}
    )
    frame.to_stata(tmp_path / "n.dta", write_index=False, version=118)
    i, b, d, f = next(opened(tmp_path / "n.dta").records())
    assert (i, b) == (str(whole), str(small))
    assert float(d) == wide
    assert np.float32(f) == np.float32(narrow)


@pytest.mark.parametrize("version", [114, 117, 118])
def test_a_stata_file_of_pandas(spss, tmp_path, version):
    frame = pd.DataFrame(
        {
            "q": pd.Categorical(["sehr", "für", None], ["sehr", "für"]),
            "n": [0.1, np.nan, 4],
            "f": np.array([0.1, 2, np.nan], "f4"),
            "t": ["NA", "ö", ""],
            "day": pd.to_datetime(["2024-02-29", "1950-01-01", None]),
            "at": pd.to_datetime(["2024-02-29 10:11:12", "1950-01-01 00:00:01", None]),
            "m": pd.to_datetime(["2024-02-01", "1959-12-01", None]),
        }
    )
    formats = {"day": "td", "at": "tc", "m": "tm"}
    path = tmp_path / "f.dta"
    frame.to_stata(
        path, write_index=False, version=version, convert_dates=formats, variable_labels={"q": "Wie wichtig?"}
    )
    file = opened(path)
    assert list(file.records()) == [
        ["sehr", "0.1", "0.1", "NA", "2024-02-29", "2024-02-29 10:11:12", "2024-02"],
        ["für", "", "2", "ö", "1950-01-01", "1950-01-01 00:00:01", "1959-12"],
        ["", "4", "", "", "", "", ""],
    ]
    assert file.questions == ("Wie wichtig?", *[""] * 6)
    assert file.rows == 3


@pytest.mark.parametrize(
    ("form", "value", "text"),
    [
        ("%tdD_m_Y", 0, "1960-01-01"),
        ("%-td", -1, "1959-12-31"),
        ("%d", 1, "1960-01-02"),
        ("%tcHH:MM", 3_600_000, "01:00:00"),
        ("%tcCCYY-NN-DD_HH:MM", 3_600_000, "1960-01-01 01:00:00"),
        ("%tm", -1, "1959-12"),
        ("%tq", 4, "1961q1"),
        ("%th", -1, "1959h2"),
        ("%tw", 51, "1960w52"),
        ("%ty", 2024, "2024"),
        ("%9.0g", 7, "7"),
        ("%08.2f", 7, "7"),
    ],
)
def test_stata_dates_by_their_format(spss, tmp_path, form, value, text):
    spss.write_dta(pd.DataFrame({"d": [float(value)]}), str(tmp_path / "d.dta"), variable_format={"d": form})
    assert column(tmp_path / "d.dta") == [text]


def test_stata_missing_letters_stay_and_are_listed(spss, tmp_path):
    frame = pd.DataFrame({"q": [1, 2, "a", "b", None], "n": [1.0, 2, 3, 4, 5], "t": ["a", "b", "c", "d", "e"]})
    labels = {"q": {1: "low", "a": "Refused"}}
    path = tmp_path / "q.dta"
    spss.write_dta(frame, str(path), variable_value_labels=labels, missing_user_values={"q": ["a", "b"]})
    file = opened(path)
    assert [record[0] for record in file.records()] == ["low", "2", "Refused", ".b", ""]
    letters = {f".{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"}
    assert file.special == (letters - {".a"} | {"Refused"}, letters, set())


# Parquet, Feather and Arrow


@quick
@given(texts=st.lists(st.none() | st.text(max_size=40), max_size=20), suffix=st.sampled_from([".parquet", ".feather"]))
def test_strings_come_back_from_data_frames(arrow, tmp_path, texts, suffix):
    table = arrow.table({"t": arrow.array(texts, arrow.string()), "n": list(range(len(texts)))})
    write(table, tmp_path / f"t{suffix}")
    wanted = [["" if text is None else text, str(k)] for k, text in enumerate(texts)]
    assert list(opened(tmp_path / f"t{suffix}").records()) == wanted


def write(table, path: Path) -> Path:
    if path.suffix == ".parquet":
        importlib.import_module("pyarrow.parquet").write_table(table, path)
    else:
        importlib.import_module("pyarrow.feather").write_feather(table, str(path))
    return path


@pytest.mark.parametrize("suffix", [".parquet", ".feather", ".arrow"])
@pytest.mark.parametrize(
    ("kind", "values", "texts"),
    [
        ("int64", [4, -1, None], ["4", "-1", ""]),
        ("uint64", [2**64 - 1], ["18446744073709551615"]),
        ("float64", [4.0, 0.1, math.nan, math.inf, None], ["4", "0.1", "", "inf", ""]),
        ("float32", [0.1, 4.0, None], ["0.1", "4", ""]),
        ("bool_", [True, False, None], ["TRUE", "FALSE", ""]),
        ("date32", [dt.date(2024, 2, 29)], ["2024-02-29"]),
        ("large_string", ["NA", "None", " x ", ""], ["NA", "None", " x ", ""]),
        ("binary", [b"caf\xc3\xa9", b"\xff\x00"], ["café", "ff00"]),
        ("null", [None, None], ["", ""]),
    ],
)
def test_simple_types_as_text(arrow, tmp_path, suffix, kind, values, texts):
    path = write(arrow.table({"c": arrow.array(values, getattr(arrow, kind)())}), tmp_path / f"c{suffix}")
    assert column(path) == texts
    assert opened(path).rows == len(texts)
    assert opened(path).special == (set(),)


def test_types_with_parameters_as_text(arrow, tmp_path):
    moment = dt.datetime(2024, 2, 29, 10, 11, 12)
    utc = moment.replace(tzinfo=dt.UTC)
    lasted = dt.timedelta(days=1, seconds=1.5)
    table = arrow.table(
        {
            "plain": arrow.array([moment], arrow.timestamp("ms")),
            "zone": arrow.array([utc], arrow.timestamp("us", "Europe/Berlin")),
            "utc": arrow.array([utc], arrow.timestamp("s", "UTC")),
            "fine": arrow.array([1], arrow.timestamp("ns")),
            "far": arrow.array([10**12], arrow.timestamp("s")),
            "farthest": arrow.array([10**7], arrow.int32()).cast(arrow.date32()),
            "time": arrow.array([dt.time(9, 5)], arrow.time32("s")),
            "lasted": arrow.array([lasted], arrow.duration("us")),
            "decimal": arrow.array([Decimal("4.50")], arrow.decimal128(6, 2)),
            "whole": arrow.array([Decimal("400.00")], arrow.decimal128(6, 2)),
            "code": arrow.array(["Staff"]).dictionary_encode(),
        }
    )
    wanted = [
        "2024-02-29 10:11:12",
        "2024-02-29 11:11:12+01:00",
        "2024-02-29 10:11:12+00:00",
        "1970-01-01 00:00:00.000000001",
        "1000000000000",
        "10000000",
        "09:05:00",
        "24:00:01.500000",
        "4.5",
        "400",
        "Staff",
    ]
    assert list(opened(write(table, tmp_path / "t.feather")).records()) == [wanted]


@pytest.mark.parametrize(
    "value",
    [["a", None, "ü"], [[1, 2], [3]], {"a": 1, "b": [True, None]}, [{"x": 1.5}]],
    ids=["list", "lists", "object", "objects"],
)
def test_nested_values_are_json(arrow, tmp_path, value):
    (text,) = column(write(arrow.table({"c": [value]}), tmp_path / "c.parquet"))
    assert json.loads(text) == value
    assert "\\u" not in text


def test_categories_of_pandas_are_their_text(arrow, tmp_path):
    frame = pd.DataFrame({"c": pd.Categorical(["low", None, "high"], ["low", "high"], ordered=True)})
    frame.to_parquet(tmp_path / "c.parquet")
    assert column(tmp_path / "c.parquet") == ["low", "", "high"]


def test_an_arrow_stream_does_not_tell_its_rows(arrow, tmp_path):
    table, path = arrow.table({"c": ["a", "b"]}), tmp_path / "c.arrow"
    with arrow.ipc.new_stream(str(path), table.schema) as stream:
        stream.write_table(table, max_chunksize=1)
    assert column(path) == ["a", "b"]
    assert opened(path).rows == -1


def test_columns_of_one_name_keep_their_places(arrow, tmp_path):
    table = arrow.Table.from_arrays([arrow.array(["a"]), arrow.array(["b"])], ["c", "c"])
    assert list(opened(write(table, tmp_path / "c.parquet")).records()) == [["a", "b"]]


# Files that cannot be read

DAMAGED = "it is cut short, damaged, or of another kind or version"


@pytest.mark.parametrize("suffix", sorted(ENDINGS))
def test_an_empty_file_is_told(tmp_path, suffix):
    path = tmp_path / f"survey{suffix}"
    path.touch()
    assert fault(path) == f"survey{suffix}: the file is empty.\n  Mend: export it again."


def test_a_missing_file_is_told(tmp_path):
    (tmp_path / "survey.sav").touch()
    assert fault(tmp_path / "survye.sav") == (
        "survye.sav: there is no such file. Nearest: 'survey.sav'.\n"
        "  Mend: correct `file` in the study file; it is relative to the study file's folder."
    )


def test_a_folder_is_told(tmp_path):
    (tmp_path / "survey.sav").mkdir()
    assert fault(tmp_path / "survey.sav") == "survey.sav: is no file.\n  Mend: name a file that ends in '.sav'."


def test_another_ending_is_told(tmp_path):
    assert fault(tmp_path / "survey.sas7bdat") == (
        "survey.sas7bdat: files that end in '.sas7bdat' are not read.\n"
        "  Mend: export as one of .arrow, .dta, .feather, .parquet, .por, .sav, .zsav."
    )


def test_an_encrypted_file_is_told(tmp_path):
    (tmp_path / "survey.sav").write_bytes(b"\x1c\0\0\0\0\0\0\0ENCRYPTEDSAV\x15\0\0\0")
    assert fault(tmp_path / "survey.sav") == ("survey.sav: is encrypted.\n  Mend: save it in SPSS without a password.")


@pytest.mark.parametrize(
    ("suffix", "start", "family", "true"),
    [
        (".dta", b"$FL2@(#) IBM SPSS STATISTICS", "a Stata", ".sav"),
        (".sav", b"<stata_dta><header>", "an SPSS", ".dta"),
        (".sav", b"PAR1\x15\x04", "an SPSS", ".parquet"),
        (".parquet", b"ARROW1\0\0", "a Parquet", ".feather"),
        (".feather", b"PAR1\x15\x04", "an Arrow", ".parquet"),
    ],
)
def test_a_renamed_file_is_told(tmp_path, suffix, start, family, true):
    path = tmp_path / f"survey{suffix}"
    path.write_bytes(start)
    assert fault(path) == (
        f"survey{suffix}: is not {family} file: it begins as a {true} file does.\n  Mend: let its name end in '{true}'."
    )


@pytest.mark.parametrize(
    ("suffix", "family"),
    [
        (".sav", "an SPSS"),
        (".por", "an SPSS"),
        (".dta", "a Stata"),
        (".parquet", "a Parquet"),
        (".feather", "an Arrow"),
        (".arrow", "an Arrow"),
    ],
)
def test_a_csv_file_under_another_ending_is_told(spss, arrow, tmp_path, suffix, family):
    path = tmp_path / f"survey{suffix}"
    path.write_text("id,group,Climate\n" + "1,Staff,4\n" * 100)
    assert fault(path) == (
        f"survey{suffix}: is not {family} file that can be read: {DAMAGED}.\n  Mend: export it again, or as CSV UTF-8."
    )


FRAME = pd.DataFrame({"N": np.arange(2000.0) % 7, "T": [f"answer {k}" for k in range(2000)]})


@pytest.mark.parametrize(
    ("suffix", "kept", "family"),
    [
        (".sav", 0.9, "an SPSS"),
        (".sav", 0.002, "an SPSS"),
        (".zsav", 0.9, "an SPSS"),
        (".por", 0.9, "an SPSS"),
        (".dta", 0.5, "a Stata"),
        (".parquet", 0.9, "a Parquet"),
        (".feather", 0.9, "an Arrow"),
    ],
)
def test_a_truncated_file_is_told(spss, arrow, tmp_path, suffix, kept, family):
    path = tmp_path / f"survey{suffix}"
    write_frame(FRAME, path)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])
    assert fault(path, read=True) == (
        f"survey{suffix}: is not {family} file that can be read: {DAMAGED}.\n  Mend: export it again, or as CSV UTF-8."
    )


@pytest.mark.parametrize("suffix", [".parquet", ".feather"])
def test_one_spoilt_byte_is_told_or_harmless(arrow, tmp_path, suffix):
    path = write(arrow.table({"n": [1.5, None], "t": ["a", "bc"]}), tmp_path / f"survey{suffix}")
    content = path.read_bytes()
    told = 0
    for place in range(len(content)):
        path.write_bytes(content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :])
        try:
            for record in opened(path).records():
                assert all(isinstance(text, str) for text in record)
        except MaterialityError:
            told += 1
    assert told > 100


@pytest.mark.parametrize(("place", "byte"), [(4, b"\x26"), (6, b"\xea"), (7, b"\xff")])
def test_an_impossible_width_is_told_and_does_not_end_the_program(spss, tmp_path, place, byte):
    path = tmp_path / "survey.sav"
    frame = pd.DataFrame({"N": [1.0], "T": ["text"]})
    spss.write_sav(frame, str(path), column_labels=["a label", None], missing_ranges={"N": [9]})
    content = path.read_bytes()
    second = content.index(b"T       ") - 24
    assert content[second : second + 8] == b"\2\0\0\0\4\0\0\0"
    path.write_bytes(content[: second + place] + byte + content[second + place + 1 :])
    assert fault(path) == (
        f"survey.sav: is not an SPSS file that can be read: {DAMAGED}.\n  Mend: export it again, or as CSV UTF-8."
    )


def test_text_in_another_encoding_is_told(spss, tmp_path):
    path = tmp_path / "survey.sav"
    spss.write_sav(pd.DataFrame({"t": ["MARK"]}), str(path))
    path.write_bytes(path.read_bytes().replace(b"MARK", b"M\xe4RK"))
    assert fault(path, read=True) == (
        "survey.sav: holds text in another encoding than it says.\n"
        "  Mend: open it in its program, check its texts and save it as Unicode (SPSS: SET UNICODE=ON)."
    )


def test_other_rows_than_the_header_says_are_told(arrow, tmp_path):
    path = write(arrow.table({"c": ["a", "b"]}), tmp_path / "survey.parquet")
    file = opened(path)
    write(arrow.table({"c": ["a"]}), path)
    with pytest.raises(MaterialityError) as told:
        list(file.records())
    assert str(told.value) == ("survey.parquet: holds 1 rows where its own header says 2.\n  Mend: export it again.")


def test_a_file_without_variables_is_told(arrow, tmp_path):
    write(arrow.table({}), tmp_path / "survey.parquet")
    assert fault(tmp_path / "survey.parquet") == (
        "survey.parquet: the file holds no variables.\n  Mend: export it again."
    )


@pytest.mark.parametrize(
    ("suffix", "library", "extra"),
    [(suffix, "pyreadstat", "spss") for suffix in (".sav", ".zsav", ".por", ".dta")]
    + [(suffix, "pyarrow", "scale") for suffix in (".parquet", ".feather", ".arrow")],
)
def test_a_library_that_is_not_installed_is_told(tmp_path, monkeypatch, suffix, library, extra):
    monkeypatch.setitem(sys.modules, library, None)
    path = tmp_path / f"survey{suffix}"
    path.write_bytes(b"anything")
    assert fault(path) == (
        f"survey{suffix}: is read with {library}, which is not installed.\n"
        f"  Mend: pip install 'materiality[{extra}]', or export as CSV UTF-8."
    )


def test_a_library_that_is_too_old_is_told(spss, tmp_path, monkeypatch):
    monkeypatch.setattr(spss, "__version__", "1.3.0")
    (tmp_path / "survey.sav").write_bytes(b"$FL2")
    assert fault(tmp_path / "survey.sav") == (
        "survey.sav: is read with pyreadstat 1.3.4 or later, and 1.3.0 is installed.\n"
        "  Mend: pip install --upgrade 'materiality[spss]'."
    )


def test_opening_loads_no_library_before_it_is_needed():
    assert not {"pyreadstat", "pyarrow"} & set(vars(statfiles))
