"""Files of statistics programs (SPSS, Stata) and of data frames (Parquet, Feather, Arrow) as rows of text."""

from __future__ import annotations

import datetime as dt
import importlib
import json
import math
import re
import string
import struct
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from materiality.errors import Fault, MaterialityError, nearest

SPSS = frozenset({".sav", ".zsav", ".por"})
STATA = frozenset({".dta"})
PARQUET = frozenset({".parquet"})
ARROW = frozenset({".feather", ".arrow"})
ENDINGS = set(SPSS | STATA | PARQUET | ARROW)
FAMILIES = {"an SPSS": SPSS, "a Stata": STATA, "a Parquet": PARQUET, "an Arrow": ARROW}
STARTS = {b"$FL2": ".sav", b"$FL3": ".zsav", b"<stata_dta>": ".dta", b"PAR1": ".parquet", b"ARROW1": ".feather"}
"""What files begin with, by which a renamed one is known."""
CELLS_AT_ONCE = 1 << 21
EXTRAS = {"pyreadstat": "spss", "pyarrow": "scale"}
PYREADSTAT = (1, 3, 4)

SPSS_ORIGIN = dt.datetime(1582, 10, 14)
SPSS_DATES = frozenset({"DATE", "ADATE", "EDATE", "JDATE", "SDATE", "QYR", "MOYR", "WKYR"})
SPSS_MOMENTS = frozenset({"DATETIME", "YMDHMS"})
SPSS_TIMES = frozenset({"TIME", "DTIME", "MTIME"})
STATA_ORIGIN = dt.datetime(1960, 1, 1)
STATA_TIMES = frozenset({"HH:MM:SS", "HH:MM"})
STATA_PERIODS = {"w": 52, "q": 4, "h": 2}
"""How many weeks, quarters and halves Stata counts in a year, by the letter it writes them with."""
STATA_MISSING = frozenset(f".{letter}" for letter in string.ascii_lowercase)


@dataclass(frozen=True)
class StatFile:
    """One file of a statistics program or a data frame, opened.

    Attributes
    ----------
    names : tuple of str
        The variables' names.
    questions : tuple of str
        The variables' labels, which hold the questions' texts; "" where a variable has none.
    records : callable
        Gives a new iterator over the rows in file order, each with one text per variable. The file is read in
        chunks of at most `CELLS_AT_ONCE` cells. Raises `MaterialityError` where the file ends early or is spoilt.
    rows : int
        The number of rows by the file's own metadata, which `records` does not use; -1 where it gives none.
    special : tuple of frozenset of str
        Per variable, the texts that the file declares user-missing. They stand in `records` like any other text.
    """

    names: tuple[str, ...]
    questions: tuple[str, ...]
    records: Callable[[], Iterator[list[str]]]
    rows: int
    special: tuple[frozenset[str], ...]


def open_statfile(path: Path, name: str) -> StatFile:
    """Open a file by its ending and read its metadata.

    A value with a label becomes the label's text, and "label (code)" where several codes of the variable share a
    label. Other numbers become plain text ('4', not '4.0'), dates and times ISO text, system-missing values "".

    Parameters
    ----------
    path : Path
        The file; it ends in one of `ENDINGS`.
    name : str
        The file as the study names it.

    Raises
    ------
    MaterialityError
        Where the file is missing, empty, spoilt, of another format or without variables, or where the library that
        reads it is not installed.
    """
    suffix = path.suffix.lower()
    try:
        _check_file(path, name)
        if suffix in SPSS | STATA:
            return _open_labelled(path, name)
        return _open_arrow(path, name)
    except MaterialityError:
        raise
    except Exception as error:  # the libraries raise anything over a spoilt file
        _refuse_unreadable(path, name, error)


def _check_file(path: Path, name: str) -> None:
    suffix = path.suffix.lower()
    if suffix not in ENDINGS:
        ending = f"that end in '{suffix}'" if suffix else "without an ending such as .sav"
        _refuse(f"files {ending} are not read.", f"export as one of {', '.join(sorted(ENDINGS))}.", name)
    if not path.exists():
        others = [p.name for p in path.parent.iterdir() if p.is_file()] if path.parent.is_dir() else []
        close = nearest(path.name, others)
        _refuse(
            "there is no such file." + (f" Nearest: {close}." if close else ""),
            "correct `file` in the study file; it is relative to the study file's folder.",
            name,
        )
    if not path.is_file():
        _refuse("is no file.", f"name a file that ends in '{suffix}'.", name)
    with path.open("rb") as file:
        start = file.read(20)
    if not start:
        _refuse("the file is empty.", "export it again.", name)
    if b"ENCRYPTEDSAV" in start:
        _refuse("is encrypted.", "save it in SPSS without a password.", name)
    family = next(family for family, endings in FAMILIES.items() if suffix in endings)
    true = next((ending for opening, ending in STARTS.items() if start.startswith(opening)), suffix)
    if true not in FAMILIES[family]:
        _refuse(f"is not {family} file: it begins as a {true} file does.", f"let its name end in '{true}'.", name)


def _refuse(what: str, mend: str, name: str) -> NoReturn:
    raise MaterialityError([Fault(what=what, mend=mend, file=name)])


def _refuse_unreadable(path: Path, name: str, error: Exception) -> NoReturn:
    if isinstance(error, OSError) and error.errno:
        _refuse(f"cannot be read: {error.strerror}.", "check the file and its permissions.", name)
    family = next(family for family, endings in FAMILIES.items() if path.suffix.lower() in endings)
    why = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
    if isinstance(error, UnicodeError) or "requested encoding" in why:
        _refuse(
            "holds text in another encoding than it says.",
            "open it in its program, check its texts and save it as Unicode (SPSS: SET UNICODE=ON).",
            name,
        )
    if isinstance(error, MemoryError):
        _refuse(
            "needs more memory than there is, or is damaged.",
            "export it again, with only the columns that the study names.",
            name,
        )
    if isinstance(error, ValueError | OSError) or type(error).__name__ == "ReadstatError":
        # The libraries' own words change with their versions, and pyarrow's hold the whole path.
        why = "it is cut short, damaged, or of another kind or version"
    _refuse(f"is not {family} file that can be read: {why}.", "export it again, or as CSV UTF-8.", name)


def _library(module: str, name: str) -> Any:
    """A module of an optional library, imported only now."""
    library = module.partition(".")[0]
    try:
        importlib.import_module(library)
        return importlib.import_module(module)
    except ImportError:
        _refuse(
            f"is read with {library}, which is not installed.",
            f"pip install 'materiality[{EXTRAS[library]}]', or export as CSV UTF-8.",
            name,
        )


def _guarded(path: Path, name: str, rows: int, records: Iterator[list[str]]) -> Iterator[list[str]]:
    """The records, with the faults of a spoilt file, and of one with more or fewer rows than it says."""
    read = 0
    try:
        for read, record in enumerate(records, 1):  # noqa: B007
            yield record
    except MaterialityError:
        raise
    except Exception as error:  # the libraries raise anything over a spoilt file
        _refuse_unreadable(path, name, error)
    if rows not in {-1, read}:
        _refuse(f"holds {read} rows where its own header says {rows}.", "export it again.", name)


def _chunk_rows(columns: int) -> int:
    return max(1, CELLS_AT_ONCE // columns)


# SPSS and Stata


@dataclass(frozen=True)
class _Wording:
    """How one variable's values become text.

    `labels` holds the finished texts by code; `missing` the ranges, both ends included, that mean user-missing.
    """

    plain: Callable[[Any], str]
    labels: Mapping[object, str]
    missing: tuple[tuple[Any, Any], ...]
    taken: frozenset[str]

    def __call__(self, value: Any) -> str:
        if value is None or (isinstance(value, float) and math.isnan(value)):
            return ""
        if isinstance(value, str):
            value = value.rstrip(" ")
        label = self.labels.get(value)
        if label is not None:
            return label
        text = self.plain(value)
        # An unlabelled 2 is not the code 1 whose label reads "2".
        return f"{text} ({text})" if text in self.taken else text

    def is_missing(self, value: Any) -> bool:
        return value is not None and any(low <= value <= high for low, high in self.missing)


def _open_labelled(path: Path, name: str) -> StatFile:
    read = _reader(path.suffix.lower(), name)
    if path.suffix.lower() in {".sav", ".zsav"}:
        _check_widths(path)
    meta = read(str(path), metadataonly=True, output_format="dict")[1]
    names = tuple(meta.column_names)
    if not names:
        _refuse("the file holds no variables.", "export it again.", name)
    rows = -1 if meta.number_rows is None else int(meta.number_rows)
    if path.suffix.lower() in STATA:
        wordings = [_stata_wording(meta, variable) for variable in names]
        special = [_stata_special(meta, variable, wording) for variable, wording in zip(names, wordings, strict=True)]
    else:
        wordings = [_spss_wording(meta, variable) for variable in names]
        special = _spss_special(read, path, names, wordings)

    def texts() -> Iterator[list[str]]:
        for columns in _chunks(read, path, names):
            for row in zip(*columns, strict=True):
                yield [wording(value) for wording, value in zip(wordings, row, strict=True)]

    return StatFile(
        names=names,
        questions=tuple(label or "" for label in meta.column_labels),
        records=lambda: _guarded(path, name, rows, texts()),
        rows=rows,
        special=tuple(special),
    )


def _check_widths(path: Path) -> None:
    """Refuse a .sav file with a text wider than its records: pyreadstat would end the whole program.

    Raises
    ------
    ValueError
        Where a record says neither a number (0), a text of 1 to 255 bytes, nor a text's next 8 bytes (-1), or where a
        text has too few of these.
    """
    with path.open("rb") as file:
        start = file.read(176)
        order = "<" if start[64:68] in {b"\2\0\0\0", b"\3\0\0\0"} else ">"
        due = 0
        while len(record := file.read(32)) == 32:
            kind, width, labelled, missing = struct.unpack(f"{order}4i", record[:16])
            if (kind != 2 or width != -1) and due > 0:
                raise ValueError("a text has too few records")
            if kind != 2:
                return
            if not -1 <= width <= 255:
                raise ValueError(f"a variable is {width} bytes wide")
            due = due - 1 if width == -1 else (width + 7) // 8 - 1
            if labelled:
                length = int.from_bytes(file.read(4), "little" if order == "<" else "big")
                file.seek(-(-length // 4) * 4, 1)
            file.seek(8 * abs(missing), 1)


def _reader(suffix: str, name: str) -> Callable[..., Any]:
    """Pyreadstat's function for an ending, set to keep user-missing values and raw dates."""
    pyreadstat = _library("pyreadstat", name)
    if tuple(map(int, re.findall("[0-9]+", pyreadstat.__version__)[:3])) < PYREADSTAT:
        # Earlier ones give 0 for Stata's blanks in a column that also holds user-missing values.
        needed = ".".join(map(str, PYREADSTAT))
        _refuse(
            f"is read with pyreadstat {needed} or later, and {pyreadstat.__version__} is installed.",
            "pip install --upgrade 'materiality[spss]'.",
            name,
        )
    if suffix != ".por":
        function = pyreadstat.read_dta if suffix in STATA else pyreadstat.read_sav

        def read(path: str, **options: Any) -> Any:
            return function(path, user_missing=True, disable_datetime_conversion=True, **options)

        return read
    parse = getattr(getattr(pyreadstat, "_readstat_parser", None), "parser_entry_point", None)
    if parse is None:
        _refuse(
            "is an SPSS portable file, whose user-missing values this version of pyreadstat turns into blanks.",
            "save it as .sav.",
            name,
        )

    def read_portable(path: str, **options: Any) -> Any:
        # `pyreadstat.read_por` has no `user_missing`; what it calls has.
        options |= {"user_missing": True, "disable_datetime_conversion": True}
        return parse(path, parser_format="por", **options)

    return read_portable


def _chunks(read: Callable[..., Any], path: Path, names: tuple[str, ...], **options: Any) -> Iterator[list[list[Any]]]:
    """The values of some variables, column by column, in chunks of rows."""
    pyreadstat = importlib.import_module("pyreadstat")
    size = _chunk_rows(len(names))
    chunks = pyreadstat.read_file_in_chunks(read, str(path), chunksize=size, output_format="dict", **options)
    for data, _ in chunks:
        columns = [data[variable] for variable in names]
        yield [column if isinstance(column, list) else column.tolist() for column in columns]
        # Where the file does not tell its number of rows, pyreadstat goes on with empty chunks for ever.
        if len(columns[0]) < size:
            return


def _finished_labels(labels: Mapping[Any, str], plain: Callable[[Any], str]) -> dict[object, str]:
    """The text for each labelled code; codes that share a label keep the code beside it."""
    kept = {
        code.rstrip(" ") if isinstance(code, str) else code: label.rstrip()
        for code, label in labels.items()
        if label and label.strip()
    }
    uses = Counter(kept.values())
    return {code: f"{label} ({plain(code)})" if uses[label] > 1 else label for code, label in kept.items()}


def _wording(plain: Callable[[Any], str], labels: Mapping[Any, str], missing: Any = ()) -> _Wording:
    finished = _finished_labels(labels, plain)
    return _Wording(plain, finished, tuple(missing), frozenset(finished.values()))


def _spss_wording(meta: Any, variable: str) -> _Wording:
    form = re.match("[A-Z]*", meta.original_variable_types[variable] or "")
    family = form[0] if form else ""
    plain: Callable[[Any], str] = number_text
    if meta.readstat_variable_types[variable] == "string":
        plain = str
    elif family in SPSS_DATES:
        plain = _spss_date
    elif family in SPSS_MOMENTS:
        plain = _spss_moment
    elif family in SPSS_TIMES:
        plain = _spss_time
    missing = [(bounds["lo"], bounds["hi"]) for bounds in meta.missing_ranges.get(variable, ())]
    return _wording(plain, meta.variable_value_labels.get(variable, {}), missing)


def _spss_special(
    read: Callable[..., Any], path: Path, names: tuple[str, ...], wordings: list[_Wording]
) -> list[frozenset[str]]:
    """Single values and labelled codes by the metadata; what else lies in a range must be looked for in the rows."""
    special = []
    for wording in wordings:
        told = {wording(low) for low, high in wording.missing if low == high}
        told |= {text for code, text in wording.labels.items() if wording.is_missing(code)}
        special.append(told)
    ranged = [k for k, wording in enumerate(wordings) if any(low != high for low, high in wording.missing)]
    if ranged:
        some = tuple(names[k] for k in ranged)
        for columns in _chunks(read, path, some, usecols=list(some)):
            for k, column in zip(ranged, columns, strict=True):
                special[k] |= {wordings[k](value) for value in set(column) if wordings[k].is_missing(value)}
    return [frozenset(texts - {""}) for texts in special]


def _stata_wording(meta: Any, variable: str) -> _Wording:
    kind = meta.readstat_variable_types[variable]
    if kind == "string":
        return _Wording(str, {}, (), frozenset())
    form = re.match("%-?t?([a-zC])(.*)", meta.original_variable_types[variable] or "")
    unit, detail = (form[1], form[2]) if form and re.match("%-?(t|d)", form[0]) else ("", "")

    def plain(value: Any) -> str:
        if isinstance(value, str):
            return f".{value}"
        if unit:
            return _stata_moment(value, unit, detail)
        return number_text(np.float32(value) if kind == "float" else value)

    return _wording(plain, meta.variable_value_labels.get(variable, {}))


def _stata_special(meta: Any, variable: str, wording: _Wording) -> frozenset[str]:
    """Stata's missing values .a to .z, which every number may take, under their labels."""
    if meta.readstat_variable_types[variable] == "string":
        return frozenset()
    if not any(isinstance(code, str) for code in wording.labels):
        return STATA_MISSING
    return frozenset(wording(letter) for letter in string.ascii_lowercase)


# Values


def number_text(value: Any) -> str:
    """An int, float or numpy float as plain text, with an exponent only beyond 1e21 and below 1e-15.

    >>> number_text(4.0), number_text(-0.5), number_text(0.00001), number_text(np.float32(0.1))
    ('4', '-0.5', '0.00001', '0.1')
    """
    size = abs(value)
    if isinstance(value, int) or (value.is_integer() and size < 1e21):
        return str(int(value))
    text = str(value)
    return format(Decimal(text), "f") if 1e-15 <= size < 1e21 else text


def _exact(value: float) -> Decimal:
    """The decimal number that was meant: 13600000000.123, and not the binary number next to it."""
    return Decimal(repr(value))


def _after(origin: dt.datetime, seconds: Decimal) -> dt.datetime:
    whole = math.floor(seconds)
    return origin + dt.timedelta(seconds=whole, microseconds=round((seconds - whole) * 1_000_000))


def _clock(seconds: Decimal) -> str:
    """A duration as hours, minutes and seconds; more than a day is more than 24 hours."""
    micros = round(abs(seconds) * 1_000_000)
    whole, part = divmod(micros, 1_000_000)
    fraction = f".{part:06d}" if part else ""
    sign = "-" if seconds < 0 and micros else ""
    return f"{sign}{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}{fraction}"


def _spss_date(value: float) -> str:
    try:
        return _after(SPSS_ORIGIN, _exact(value)).date().isoformat()
    except (ArithmeticError, ValueError):
        return number_text(value)


def _spss_moment(value: float) -> str:
    try:
        return _after(SPSS_ORIGIN, _exact(value)).isoformat(sep=" ")
    except (ArithmeticError, ValueError):
        return number_text(value)


def _spss_time(value: float) -> str:
    return _clock(_exact(value))


def _stata_moment(value: float, unit: str, detail: str) -> str:
    """A value under a format %t and its unit; years are numbers, and business days stay numbers."""
    try:
        if unit == "d":
            return (STATA_ORIGIN + dt.timedelta(days=math.floor(value))).date().isoformat()
        if unit in {"c", "C"}:
            moment = _after(STATA_ORIGIN, _exact(value).scaleb(-3))
            return moment.time().isoformat() if detail in STATA_TIMES else moment.isoformat(sep=" ")
        if unit == "m":
            return f"{1960 + math.floor(value) // 12:04d}-{math.floor(value) % 12 + 1:02d}"
        if unit in STATA_PERIODS:
            year, period = divmod(math.floor(value), STATA_PERIODS[unit])
            return f"{1960 + year}{unit}{period + 1}"
    except (ArithmeticError, ValueError):
        pass
    return number_text(value)


# Parquet, Feather and Arrow


def _open_arrow(path: Path, name: str) -> StatFile:
    parquet = _library("pyarrow.parquet", name)
    columnar = path.suffix.lower() in PARQUET
    if columnar:
        with parquet.ParquetFile(path) as file:
            names, rows = tuple(file.schema_arrow.names), int(file.metadata.num_rows)
    else:
        names, rows = _arrow_metadata(path)
    if not names:
        _refuse("the file holds no variables.", "export it again.", name)
    size = _chunk_rows(len(names))

    def texts() -> Iterator[list[str]]:
        for batch in _parquet_batches(path, size) if columnar else _arrow_batches(path):
            # Pyarrow trusts a file's offsets: a spoilt one would end the whole program.
            batch.validate(full=True)
            for start in range(0, batch.num_rows, size):
                part = batch.slice(start, size)
                yield from map(list, zip(*map(_arrow_texts, part.columns), strict=True))

    return StatFile(
        names=names,
        questions=("",) * len(names),
        records=lambda: _guarded(path, name, rows, texts()),
        rows=rows,
        special=(frozenset(),) * len(names),
    )


def _is_stream(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(6) != b"ARROW1"


def _arrow_metadata(path: Path) -> tuple[tuple[str, ...], int]:
    """The names, and the number of rows; a stream does not tell it."""
    ipc = importlib.import_module("pyarrow.ipc")
    if _is_stream(path):
        with path.open("rb") as file, ipc.open_stream(file) as stream:
            return tuple(stream.schema.names), -1
    counted = importlib.import_module("pyarrow.dataset").dataset(str(path), format="ipc")
    return tuple(counted.schema.names), int(counted.count_rows())


def _parquet_batches(path: Path, size: int) -> Iterator[Any]:
    parquet = importlib.import_module("pyarrow.parquet")
    with parquet.ParquetFile(path) as file:
        yield from file.iter_batches(batch_size=size)


def _arrow_batches(path: Path) -> Iterator[Any]:
    ipc = importlib.import_module("pyarrow.ipc")
    if _is_stream(path):
        with path.open("rb") as file, ipc.open_stream(file) as stream:
            yield from stream
        return
    with path.open("rb") as file, ipc.open_file(file) as batches:
        for k in range(batches.num_record_batches):
            yield batches.get_batch(k)


def _arrow_texts(column: Any) -> list[str]:
    pa = importlib.import_module("pyarrow")
    if pa.types.is_float16(column.type) or pa.types.is_float32(column.type):
        narrow = np.float16 if pa.types.is_float16(column.type) else np.float32
        return ["" if value is None else _arrow_text(narrow(value)) for value in column.to_pylist()]
    try:
        values = column.to_pylist()
    except (ValueError, OverflowError):
        if not pa.types.is_temporal(column.type):
            raise
        values = list(map(_scalar_value, column))
    return [_arrow_text(value) for value in values]


def _scalar_value(scalar: Any) -> Any:
    """A scalar in Python, or the number that the file holds for a moment outside the years 1 to 9999."""
    try:
        return scalar.as_py()
    except (ValueError, OverflowError):
        return scalar.value


def _arrow_text(value: Any) -> str:
    if value is None or (isinstance(value, float | np.floating) and np.isnan(value)):
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int | float | np.floating):
        return number_text(value)
    if isinstance(value, Decimal):
        text = format(value, "f")
        return text.rstrip("0").rstrip(".") if "." in text else text
    if isinstance(value, dt.datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, dt.timedelta):
        return _clock(Decimal(value // dt.timedelta(microseconds=1)).scaleb(-6))
    if isinstance(value, bytes):
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError:
            return value.hex()
    if isinstance(value, dict | list | tuple):
        return json.dumps(_json_value(value), ensure_ascii=False)
    return str(value)


def _json_value(value: Any) -> Any:
    """A nested value in what JSON knows: numbers, texts, truth, null, lists and objects."""
    if isinstance(value, dict):
        return {str(key): _json_value(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_json_value(inner) for inner in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, bool | int) else _arrow_text(value)


__all__ = ["ENDINGS", "StatFile", "number_text", "open_statfile"]
