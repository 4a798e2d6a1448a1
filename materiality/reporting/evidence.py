"""The evidence pack: what an assurer asks for, in one folder beside the results (`run --evidence`).

It copies the study file as it was run and says what changed since an earlier one, tells rows, response rates, weights,
thresholds with their reason and decisions with their dates, and has an index by requirement. Numbers of groups are
those of the run's tables, so nothing hidden there is told here.
"""

from __future__ import annotations

import base64
import csv
import datetime as dt
import difflib
import hashlib
import hmac
import json
import os
import re
import secrets
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from materiality.assessment import Assessment
from materiality.errors import Fault, Faults, MaterialityError
from materiality.reading import Source, open_exports
from materiality.reporting.tables import DIGITS, inert, published
from materiality.study import GroupWeighting, Study

FOLDER = "evidence"
STUDY_FILE = "study.toml"
LARGEST_STUDY_FILE = 1 << 21
KEY = re.compile(rb"[!-~]{32,4096}")
"""A key: printable ASCII without blanks."""
LONGEST_CELL = 32_767
"""Characters that a workbook's cell can hold."""
MADE = dt.datetime(2000, 1, 1)
"""What the workbook says of when it was made: the same inputs give the same bytes."""
SHEETS = ("matrix", "scores", "weights", "weighting", "margins", "nonresponse", "unreliable")
SENSITIVITY = (
    "tips", "without_group", "choices", "multiverse", "tier_acceptability", "central_weights", "bounds", "flagged",
    "replicates",
)  # fmt: skip
WORDS = {
    "exports": "Exports: what was read, and what was kept",
    "rows": "Rows by what became of them and why",
    "response": "Response by group",
    "group_weights": "What each group counts for",
    "thresholds": "Thresholds",
    "decisions": "Decisions",
    "study_changes": "What changed since the earlier study file",
    "versions": "Versions",
}


@dataclass(frozen=True)
class Evidence:
    """What an evidence pack is made with.

    Attributes
    ----------
    earlier : Path or None
        An earlier study file, its folder, or the folder of an earlier run that has an evidence pack.
    key : Path or None
        The file of the key that respondents' ids are turned into codes with; without one no ids are told.
    """

    earlier: Path | None = None
    key: Path | None = None


@dataclass(frozen=True)
class Pack:
    """An evidence pack's settings, read.

    Attributes
    ----------
    earlier : str or None
        The text of the earlier study file.
    key : bytes or None
    """

    earlier: str | None
    key: bytes | None

    def facts(self) -> dict[str, Any]:
        """What the manifest says of it: hashes by which the earlier file and the key can be known again."""
        earlier = None if self.earlier is None else hashlib.sha256(self.earlier.encode()).hexdigest()
        check = None if self.key is None else hmac.digest(self.key, b"materiality", "sha256").hex()[:16]
        return {"evidence": {"earlier_sha256": earlier, "key_check": check}}


def check_evidence(evidence: Evidence, out: Path) -> None:
    """Refuse an earlier study or a key that cannot serve, before anything is computed.

    Raises
    ------
    MaterialityError
        Where the key would lie in the output folder, is no key, or others may read it; where there is no earlier study
        file, or it is no TOML.
    """
    faults = Faults()
    for step in (lambda: _check_key(evidence.key, out), lambda: _earlier_text(evidence.earlier)):
        try:
            step()
        except MaterialityError as error:
            faults.take(error)
    faults.raise_any()


def read_evidence(evidence: Evidence, out: Path) -> Pack:
    """The settings, read; a key that does not exist is made, for its owner alone. Raises as `check_evidence`."""
    check_evidence(evidence, out)
    return Pack(_earlier_text(evidence.earlier), None if evidence.key is None else _key(evidence.key))


def _refuse(file: Path, what: str, mend: str) -> MaterialityError:
    return MaterialityError([Fault(what=what, mend=mend, file=str(file))])


def _check_key(path: Path | None, out: Path) -> None:
    if path is None:
        return
    if path.resolve().is_relative_to(out.resolve()):
        raise _refuse(path, "the key would lie in the output folder.", "keep it where the output does not go.")
    if not path.exists():
        if not path.absolute().parent.is_dir():
            raise _refuse(path, "there is no such folder to make the key in.", "make the folder, or name another.")
        return
    if not path.is_file():
        raise _refuse(path, "is no file.", "name a file that holds the key, or one that does not exist yet.")
    with path.open("rb") as file:
        held = file.read(8192).strip()
    if not KEY.fullmatch(held):
        raise _refuse(
            path,
            "holds no key: one is 32 to 4,096 printable ASCII characters without blanks.",
            "name the file of an earlier run's key, or one that does not exist yet.",
        )
    if os.name == "posix" and path.stat().st_mode & 0o077:
        raise _refuse(path, "others than its owner may read the key.", f"chmod 600 '{path.name}'.")


def _key(path: Path) -> bytes:
    """A key from its file; made there where there is none."""
    if not path.exists():
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(32) + "\n")
            file.flush()
            os.fsync(file.fileno())
    return path.read_bytes().strip()


def _earlier_text(path: Path | None) -> str | None:
    if path is None:
        return None
    file = path
    if path.is_dir():
        inside = [path / FOLDER / STUDY_FILE, path / STUDY_FILE]
        file = next((one for one in inside if one.is_file()), path)
    if not file.is_file():
        raise _refuse(
            path,
            "holds no earlier study file." if path.is_dir() else "there is no such file.",
            "name an earlier study.toml, its folder, or the folder of a run with --evidence.",
        )
    if file.stat().st_size > LARGEST_STUDY_FILE:
        raise _refuse(path, "is larger than 2 MB, which no study file is.", "name an earlier study.toml.")
    try:
        text = file.read_bytes().decode("utf-8-sig")
        tomllib.loads(text.replace("\r\n", "\n"))
    except ValueError as error:
        raise _refuse(path, "the earlier study file is no TOML.", "name an earlier study.toml.") from error
    return text


def write_evidence(assessment: Assessment, stage: Path, facts: Mapping[str, Any], pack: Pack) -> None:
    """Write the evidence pack of a run into its folder, beside the tables, which have to be there.

    Parameters
    ----------
    assessment : Assessment
    stage : Path
        The run's folder.
    facts : mapping
        Versions, seed and hashes of the inputs, as the manifest has them.
    pack : Pack
    """
    folder = stage / FOLDER
    folder.mkdir()
    raw = assessment.study_file.read_bytes()
    (folder / STUDY_FILE).write_bytes(raw)
    found = evidence_tables(assessment, facts)
    if pack.earlier is not None:
        now = raw.decode("utf-8-sig").replace("\r\n", "\n")
        before = pack.earlier.replace("\r\n", "\n")
        lines = difflib.unified_diff(
            before.splitlines(), now.splitlines(), "earlier study.toml", "study.toml", lineterm=""
        )
        (folder / "study_changes.diff").write_text(
            "".join(f"{line}\n" for line in lines), encoding="utf-8", newline="\n"
        )
        found["study_changes"] = changed_keys(before, now)
    for name, table in found.items():
        inert(table).to_csv(folder / f"{name}.csv", index=False, float_format=f"%.{DIGITS}g", lineterminator="\n")
    if pack.key is not None:
        _write_respondents(assessment, folder / "respondents.csv", pack.key)
    _write_workbook(assessment, found, folder / "evidence.xlsx")
    page = _page(assessment, stage, facts, found, pack)
    (folder / "index.html").write_text(page, encoding="utf-8", newline="\n")


def evidence_tables(assessment: Assessment, facts: Mapping[str, Any]) -> dict[str, pd.DataFrame]:
    """The pack's own tables by name, as `docs/outputs.md` documents them."""
    study, exports = assessment.study, assessment.gathered.exports
    hashes = {line["file"]: line["sha256"] for line in facts["inputs"]}
    fates = [
        (export.name, "flagged" if reason.startswith("flagged: ") else "kept" if reason == "kept" else "excluded",
         reason.removeprefix("flagged: ") if reason != "kept" else "", times)
        for export in exports
        for reason, times in export.fates.items()
    ]  # fmt: skip
    versions = [("materiality", facts["version"]), ("python", facts["python"]), *facts["libraries"].items()]
    return {
        "exports": pd.DataFrame(
            [
                (e.name, hashes.get(e.name, ""), e.header_row, e.rows, e.fates["kept"], e.rows - e.fates["kept"])
                for e in exports
            ],
            columns=["file", "sha256", "header_rows", "rows", "kept", "excluded"],
        ),
        "rows": pd.DataFrame(fates, columns=["file", "fate", "reason", "rows"]),
        "response": _response(assessment),
        "group_weights": _group_weights(study),
        "thresholds": _thresholds(assessment),
        "decisions": _decided(assessment),
        "versions": pd.DataFrame(versions, columns=["name", "version"]),
    }


def _response(assessment: Assessment) -> pd.DataFrame:
    """Who answered, by group: n and what follows from it as in `tables/weighting.csv`."""
    table = assessment.weighting
    groups = {group.id: group for group in assessment.study.groups}
    population = pd.array([groups[one].population for one in table["group"]], dtype="Int64")
    found = pd.DataFrame({"group": table["group"], "label": [groups[one].name for one in table["group"]]})
    found["population"] = population
    found["n"] = pd.array(table["n"].tolist(), dtype="Int64")
    rate = found["n"].astype("Float64") / found["population"].astype("Float64")
    found["rate"] = rate.to_numpy(float, na_value=np.nan)
    for name in ("n_effective", "design_effect", "raked"):
        found[name] = table[name].to_numpy()
    return found


def _group_weights(study: Study) -> pd.DataFrame:
    lines = []
    for (axis, settings), weights in zip(study.axes.items(), study.layout.group_weights, strict=True):
        total = sum(weights)
        how = settings.group_weights.value
        if settings.group_weights is GroupWeighting.GIVEN and not settings.groups:
            how = GroupWeighting.EQUAL.value
        lines += [
            (axis, group.id, group.name, how, weight, weight / total)
            for group, weight in zip(study.groups, weights, strict=True)
            if weight
        ]
    return pd.DataFrame(lines, columns=["axis", "group", "label", "from", "weight", "share"])


def _thresholds(assessment: Assessment) -> pd.DataFrame:
    study, matrix = assessment.study, assessment.matrix
    return pd.DataFrame(
        [
            (
                axis,
                study.axes[axis].label or axis,
                str(study.tiers.thresholds.get(axis, "mean")),
                "study file" if axis in study.tiers.thresholds else "default",
                published(float(value)),
                study.tiers.rule.value,
                study.tiers.method.value,
                study.tiers.reason,
            )
            for axis, value in ((study.x, matrix.x_threshold), (study.y, matrix.y_threshold))
        ],
        columns=["axis", "label", "set_as", "set_by", "threshold", "rule", "method", "reason"],
    )


def _decided(assessment: Assessment) -> pd.DataFrame:
    columns = ["issue", "label", "tier", "tier_confidence", "material", "decision", "reason", "date", "decided_by"]
    table = assessment.decisions[columns]
    return table[table["decision"].notna()].reset_index(drop=True)


def changed_keys(before: str, after: str) -> pd.DataFrame:
    """Which keys of a study file changed: key, change (added, removed, changed), before and after.

    Texts stand as they are, other values as JSON writes them; empty where there was none.
    Entries of a list of tables are known by their id, file, issue, name or axis, and so may change their places.
    """
    one, other = (dict(_flat(tomllib.loads(text), "")) for text in (before, after))
    lines = []
    for key in dict.fromkeys((*one, *other)):
        if one.get(key) != other.get(key):
            change = "added" if key not in one else "removed" if key not in other else "changed"
            lines.append((key, change, *(_in_words(values.get(key, "")) for values in (one, other))))
    return pd.DataFrame(lines, columns=["key", "change", "before", "after"])


def _in_words(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _flat(value: Any, key: str) -> Iterator[tuple[str, Any]]:
    """Every value of a TOML document by its dotted key."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _flat(inner, f"{key}.{name}" if key else name)
    elif isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
        names = [next((str(one[k]) for k in ("id", "file", "issue", "name") if k in one), "") for one in value]
        for number, (name, one) in enumerate(zip(names, value, strict=True), 1):
            alone = name and names.count(name) == 1
            yield from _flat(one, f"{key}[{name if alone else number}]")
    else:
        yield key, value


def _write_respondents(assessment: Assessment, path: Path, key: bytes) -> None:
    """Every row read with its respondent's id as HMAC-SHA-256; empty where the export names none."""
    study, late = assessment.study, Faults()
    sources = open_exports(study, assessment.study_file, late)
    late.raise_any()
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["file", "row", "respondent"])
        for source in sources:
            writer.writerows(_ids(source, key))


def _ids(source: Source, key: bytes) -> Iterator[tuple[str, int, str]]:
    place = source.columns.respondent
    file = str(inert(pd.DataFrame({"file": [source.table.name]})).loc[0, "file"])
    for row, record in source.table.records():
        text = record[place].strip() if record and place is not None else ""
        yield file, row, hmac.digest(key, text.encode(), "sha256").hex() if text else ""


def _write_workbook(assessment: Assessment, found: Mapping[str, pd.DataFrame], path: Path) -> None:
    """All tables of the pack, and those of the run that it refers to, a sheet each; text stays text."""
    from xlsxwriter import Workbook  # type: ignore[import-untyped]

    from materiality.reporting.tables import tables

    run = tables(assessment)
    sheets = dict(found) | {name: run[name] for name in (*SHEETS, *SENSITIVITY) if not run[name].empty}
    options = {
        "strings_to_formulas": False,
        "strings_to_numbers": False,
        "strings_to_urls": False,
        "nan_inf_to_errors": False,
        "in_memory": True,
    }
    with Workbook(str(path), options) as book:
        book.set_properties({"created": MADE})
        head = book.add_format({"bold": True, "bottom": 1})
        contents = book.add_worksheet("contents")
        contents.write_string(0, 0, _cell_text(assessment.study.title), head)
        if assessment.simulated:
            contents.write_string(1, 0, "Simulated answers: nothing here describes real stakeholders.")
        for row, name in enumerate(sheets, 3):
            contents.write_string(row, 0, name)
            contents.write_string(row, 1, WORDS.get(name, f"as tables/{name}.csv"))
        contents.set_column(0, 1, 30)
        for name, table in sheets.items():
            _write_sheet(book.add_worksheet(name), table, head)


def _write_sheet(sheet: Any, table: pd.DataFrame, head: Any) -> None:
    for column, name in enumerate(table.columns):
        sheet.write_string(0, column, str(name), head)
        for row, value in enumerate(map(published, table[name].tolist()), 1):
            if value is None:
                continue
            if isinstance(value, bool | np.bool_):
                sheet.write_boolean(row, column, bool(value))
            elif isinstance(value, int | float | np.integer):
                sheet.write_number(row, column, value)
            else:
                sheet.write_string(row, column, _cell_text(str(value)))
    sheet.freeze_panes(1, 0)
    sheet.set_column(0, max(len(table.columns) - 1, 0), 16)


def _cell_text(text: str) -> str:
    """Text as a cell can hold it; a longer one says that it is cut."""
    return text if len(text) <= LONGEST_CELL else text[: LONGEST_CELL - 8] + "… (cut)"


def _page(
    assessment: Assessment, stage: Path, facts: Mapping[str, Any], found: Mapping[str, pd.DataFrame], pack: Pack
) -> str:
    """The index: what each requirement asks for, and which file answers it."""
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    here = Path(__file__).parent
    css = (here / "report.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    environment = Environment(
        loader=PackageLoader("materiality.reporting", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["shown"] = _shown
    files = {path.relative_to(stage).as_posix() for path in stage.rglob("*") if path.is_file()}
    files |= {f"{FOLDER}/index.html", "manifest.json", "report.html"}
    requirements = [
        {**one, "files": [(f"../{path}", path, words) for path, words in one["files"] if path in files]}
        for one in json.loads((here / "requirements.json").read_text(encoding="utf-8"))
    ]
    return environment.get_template("evidence.html.j2").render(
        css=Markup(css),
        policy=Markup(f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"),
        study=assessment.study,
        simulated=assessment.simulated,
        facts=facts,
        requirements=requirements,
        tables=[(name, WORDS[name], table) for name, table in found.items()],
        has_ids=pack.key is not None,
        has_earlier=pack.earlier is not None,
        has_decisions=not found["decisions"].empty,
        sensitivity=[(f"tables/{name}.csv") for name in SENSITIVITY if f"tables/{name}.csv" in files],
    )


def _shown(value: Any) -> str:
    """A table's value as the page shows it."""
    value = published(value)
    if value is None:
        return ""
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


__all__ = ["Evidence", "Pack", "changed_keys", "check_evidence", "evidence_tables", "read_evidence", "write_evidence"]
