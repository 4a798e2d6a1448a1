"""Study files: TOML that is none, values that cannot be, names that lead elsewhere, margins that contradict."""

from __future__ import annotations

import json
import os
from pathlib import Path

from make import SOUND, STUDY, TEXT, Kept, add, fault, study_of
from mends import AN_ID, KNOWN, MISSING, TOML, VALUE

SAVE_UTF_8 = "save the file as UTF-8."
STUDY_FILE = "name a study.toml, or the folder that holds one."


def told(what: str, mend: str) -> str:
    """One fault of the study file."""
    return fault(what, mend, file="study.toml")


def study(
    id: str,
    what: str,
    message: str | dict[int, Kept | str],
    *edits: tuple[str, str],
    text: str | bytes | None = None,
    names: dict[str, str] | None = None,
) -> None:
    """Note a case whose study file is at fault."""
    add(f"study-{id}", what, message, study=study_of("responses.csv", *edits) if text is None else text, names=names)


WHOLE = study_of()


def at(start: str) -> int:
    """The line of the study file that begins so."""
    return next(number for number, line in enumerate(STUDY.split("\n"), 1) if line.startswith(start))


STAFF, CLIMATE, AFTER = at('label = "Staff"'), at('id = "climate"'), STUDY.count("\n")

# TOML

study(
    "syntax",
    "two signs where one should be",
    told("line 4, column 6 is not valid TOML: invalid value.", TOML),
    ("low = 1", "low == 1"),
)
study(
    "key-twice",
    "a key that stands twice",
    told("line 5: the key 'low' stands twice.", "keep one of them."),
    ("low = 1", "low = 1\nlow = 2"),
)
study(
    "table-twice",
    "a table that stands twice",
    told(f"line {AFTER + 1}: the table [scale] stands twice.", "put its keys into one table."),
    ('profile = "off"', 'profile = "off"\n[scale]\nlow = 1'),
)
study(
    "quote",
    "a text that is never closed",
    told(f"line {STAFF}, column 15 is not valid TOML: illegal character '\\n'.", TOML),
    ('label = "Staff"', 'label = "Staff'),
)
study(
    "empty",
    "an empty study file",
    "".join(
        told(f"{key}: is missing.", MISSING) for key in ("title", "scale", "responses", "groups", "issues", "axes")
    ),
    text="",
)
study("utf-16", "a study file in UTF-16", told("line 1 is not UTF-8.", SAVE_UTF_8), text=WHOLE.encode("utf-16"))
study(
    "latin-1",
    "a study file in Latin-1",
    told(f"line {STAFF} is not UTF-8.", SAVE_UTF_8),
    text=WHOLE.replace("Staff", "Employés").encode("latin-1"),
)
study("mark", "a study file with a byte order mark", SOUND, text="\ufeff" + WHOLE)
study("crlf", "a study file with the line ends of Windows", SOUND, text=WHOLE.replace("\n", "\r\n"))
study("tabs", "a study file full of tabs", SOUND, text=WHOLE.replace(" = ", "\t=\t"))
study(
    "nul",
    "a NUL byte in a study file",
    told(f"line {STAFF}, column 13 is not valid TOML: illegal character '\\x00'.", TOML),
    ('"Staff"', '"Sta\0ff"'),
)
study(
    "nul-escaped",
    "a NUL character, escaped, in a label",
    told(rf"line {STAFF}, groups.1.label: 'Sta\x00ff' holds the control character U+0000.", "remove it."),
    ('"Staff"', '"Sta\\u0000ff"'),
)
study(
    "terminal",
    "a code for the terminal in the title",
    told(r"line 1, title: '\x1b[2JA small study' holds the control character U+001B.", "remove it."),
    ('"A small study"', '"\\u001b[2JA small study"'),
)
study(
    "large",
    "a study file of 10 MB",
    told("is 10 MB large; a study file is text of a few pages.", STUDY_FILE),
    text=WHOLE + "# " + "x" * (10 << 20) + "\n",
)
study(
    "deep-lists",
    "lists in lists, 100,000 deep",
    told("is not valid TOML: a number too long or lists too deep.", "correct it."),
    text=f"{WHOLE}x = {'[' * 100_000}{']' * 100_000}\n",
)
study(
    "deep-tables",
    "tables in tables, 3,000 deep",
    told("a: unknown key.", KNOWN),
    text=f"{WHOLE}[{'.'.join('a' * 3_000)}]\nb = 1\n",
)
study(
    "digits",
    "a number of 5,000 digits",
    told("is not valid TOML: a number too long or lists too deep.", "correct it."),
    ("high = 5", f"high = {'9' * 5_000}"),
)
study(
    "yaml",
    "YAML under the name of a study file",
    told("line 1, column 6 is not valid TOML: expected '=' after a key in a key/value pair.", TOML),
    text="title: a study\nscale:\n  low: 1\n",
)
study(
    "workbook",
    "a workbook under the name of a study file",
    told("line 1 is not UTF-8.", SAVE_UTF_8),
    text=b"PK\x03\x04\x14\0\xff\xfe" + bytes(100),
)

# Keys and values

study(
    "unknown-key",
    "a key that is misspelt",
    told(
        f"line {at('profile = ')}, privacy.profil: unknown key. Nearest: 'profile'.",
        "correct or remove it; known here: profile, minimum_group_size.",
    ),
    ("profile =", "profil ="),
)
study(
    "unknown-table",
    "a table that is misspelt",
    told(f"line {at('[privacy]')}, privcy: unknown key. Nearest: 'privacy', 'period'.", KNOWN),
    ("[privacy]", "[privcy]"),
)
for name, value, what, found in (
    ("text", '"1"', "a number in quotes", "'1' was found; it should be a number, without quotes."),
    ("bool", "true", "a truth value for a number", "true was found; it should be a number, without quotes."),
    ("nan", "nan", "no number for a number", "nan was found; it should be a finite number."),
    ("inf", "-inf", "an infinite number", "-inf was found; it should be a finite number."),
    ("date", "2026-01-01", "a date for a number", "2026-01-01 was found; it should be a number, without quotes."),
    ("list", "[1]", "a list for a number", "a list was found; it should be a number, without quotes."),
):
    study(f"number-{name}", what, told(f"line 4, scale.low: {found}", VALUE), ("low = 1", f"low = {value}"))
study(
    "number-overflow",
    "a number of the study file beyond all floats",
    told("line 5, scale.high: inf was found; it should be a finite number.", VALUE),
    ("high = 5", "high = 1e400"),
)
study(
    "yes",
    "a word for a truth value",
    told("line 2, simulated: 'yes' was found; it should be true or false, without quotes.", VALUE),
    ('title = "A small study"', 'title = "A small study"\nsimulated = "yes"'),
)
study(
    "seed",
    "a seed below 0",
    told("line 2, seed: -1 was found; it should be greater than or equal to 0.", VALUE),
    ('title = "A small study"', 'title = "A small study"\nseed = -1'),
)
study(
    "scale-upside-down",
    "a scale upside down",
    told("line 4, scale: low (5) is not below high (1).", "let low be the scale's smallest point."),
    ("low = 1", "low = 5"),
    ("high = 5", "high = 1"),
)
study(
    "scale-wide",
    "a scale of ten million points",
    told("line 3, scale: 1 to 1e+07 is too wide.", "correct low and high."),
    ("high = 5", "high = 10_000_000"),
)

# Names that lead elsewhere

for name, written in (
    ("parent", "../x"),
    ("slash", "a/b"),
    ("backslash", "a\\b"),
    ("dots", ".."),
    ("script", "<script>"),
    ("dash", "-x"),
    ("space", "a b"),
    ("percent", "%2e%2e"),
):
    study(
        f"issue-{name}",
        f"an issue whose id is {written}",
        told(f"line {CLIMATE}, issues no. 1 ('{written}').id: '{written}' cannot be an id.", AN_ID),
        ('id = "climate"', f"id = {json.dumps(written)}"),
    )
study(
    "group-parent",
    "a group whose id leads to the folder above",
    told(f"line {STAFF - 1}, groups no. 1 ('../x').id: '../x' cannot be an id.", AN_ID),
    ('id = "staff"', 'id = "../x"'),
)
study(
    "axis-parent",
    "an axis whose id leads to the folder above",
    told(f"line {at('[axes.people]')}, axes.../x: '../x' cannot be an id.", AN_ID),
    ("[axes.people]", '[axes."../x"]'),
)
study(
    "axis-twins",
    "two axes whose ids a file system may take for one",
    told(
        f"line {at('[axes.business]')}, axes: 'people' and 'People' differ in letter case alone; files are named after "
        "them.",
        "give one of them another name.",
    ),
    ("[axes.business]", "[axes.People]"),
)
study(
    "issue-long",
    "an id of 61 letters",
    told(f"line {CLIMATE}, issues no. 1 ('{'x' * 29}…').id: '{'x' * 29}…' is too long.", "use at most 60 characters."),
    ('id = "climate"', f'id = "{"x" * 61}"'),
)
study(
    "reserved",
    "ids that Windows keeps for devices",
    SOUND,
    ('id = "climate"', 'id = "CON"'),
    ('id = "safety"', 'id = "aux"'),
)
study(
    "names-hostile",
    "labels that are scripts, templates and formulas",
    SOUND,
    ('label = "Staff"', 'label = "<script>alert(1)</script>"\nanswers = ["Staff"]'),
    ('label = "Buyers"', 'label = "{{ 7*7 }}"'),
    ('answers = ["Customer"]', 'answers = ["Customer", "Buyers"]'),
    names={"staff": "<script>alert(1)</script>", "buyers": "{{ 7*7 }}"},
)

# Margins, weights and populations that cannot be

GENDER = TEXT.replace("id,group", "id,gender,group")
for number, word in enumerate(("men", "women", "men", "women", "men"), 1):
    GENDER = GENDER.replace(f"\n{number},", f"\n{number},{word},")


def margins(id: str, what: str, message: str, table: str, *edits: tuple[str, str]) -> None:
    """Note a case with margins of the group staff; its respondents are a man and a woman."""
    edit = ('label = "Staff"', f'label = "Staff"\n{table}')
    add(f"margins-{id}", what, message, raw=GENDER, study=study_of("responses.csv", edit, *edits))


HERE = f"line {STAFF + 2}, groups 'staff', margins.gender: "
margins(
    "negative",
    "a negative count",
    told(
        f"line {STAFF + 2}, groups no. 1 ('staff').margins.gender.men: -5 was found; it should "
        "be greater than or equal to 0.",
        VALUE,
    ),
    "[groups.margins]\ngender = { men = -5, women = 5 }",
)
margins(
    "nan",
    "a count that is no number",
    told(
        f"line {STAFF + 2}, groups no. 1 ('staff').margins.gender.men: nan was found; it should be a finite number.",
        VALUE,
    ),
    "[groups.margins]\ngender = { men = nan, women = 5 }",
)
margins(
    "zero",
    "counts that are all 0",
    told(f"{HERE}no category counts anything.", "give counts or shares."),
    "[groups.margins]\ngender = { men = 0, women = 0 }",
)
margins(
    "shares",
    "shares that do not make a whole",
    told(
        f"{HERE}some numbers are below 1 and look like shares, and all of them add up to 1.1.",
        "give shares that sum to 1, or counts.",
    ),
    "[groups.margins]\ngender = { men = 0.6, women = 0.5 }",
)
margins(
    "totals",
    "two margins of different totals",
    told(
        f"line {STAFF + 2}, groups 'staff': the margins' totals disagree: gender 10, id 20.",
        "correct the counts, or give shares that sum to 1.",
    ),
    "[groups.margins]\ngender = { men = 5, women = 5 }\nid = { 1 = 10, 2 = 10 }",
)
margins(
    "unknown",
    "a cell that is no category of its margin",
    fault(
        "'women' is no category of the margins of group 'staff'. Nearest: 'woman'.",
        "correct the cell, add it to margins, or say which category it means under categories.gender in that group.",
        row="3",
        column="gender",
    ),
    "[groups.margins]\ngender = { men = 5, woman = 5 }",
)
margins(
    "nobody",
    "a category of which nobody answered",
    told(
        "groups 'staff', margins.gender: nobody answered as 'other', which should be 5 of 15; 0 of 2 respondents.",
        "join it with another category, as in: 'men' = 10 under margins.gender, 'other' taken out, and "
        'categories.gender = { "other" = "men" }; or leave the margin out.',
    ),
    "[groups.margins]\ngender = { men = 5, women = 5, other = 5 }",
)
margins(
    "column",
    "margins over a column that no export has",
    fault(
        "the margins of group 'staff' name a column that no export has. Nearest: 'gender'.",
        "correct the name in [groups.margins], or leave the margin out.",
        file="study.toml",
        column="gendre",
    ),
    "[groups.margins]\ngendre = { men = 5, women = 5 }",
)
study(
    "population",
    "a population smaller than its sample",
    told(
        "groups ('buyers').population is 2, and 3 respondents of it answered.",
        "correct population in [[groups]], or look for duplicates in the exports.",
    ),
    ('label = "Buyers"', 'label = "Buyers"\npopulation = 2'),
)
study(
    "weights-zero",
    "group weights that are all 0",
    told(
        f"line {at('[axes.people]') + 1}, axes.people.groups: every weight is 0.",
        "give at least one group a positive weight.",
    ),
    ("[axes.people]", "[axes.people]\ngroups = { staff = 0, buyers = 0.0 }"),
)
study(
    "weights-infinite",
    "an infinite group weight",
    told(
        f"line {at('[axes.people]') + 1}, axes.people.groups.staff: inf was found; it should be a finite number.", VALUE
    ),
    ("[axes.people]", "[axes.people]\ngroups = { staff = inf, buyers = 1 }"),
)

# Paths


def path(
    id: str,
    what: str,
    message: str | dict[int, Kept | str],
    file: str,
    write: object = None,
    *,
    command: str = "check",
    apart: bool = False,
) -> None:
    """Note a case about where an export lies."""
    add(f"path-{id}", what, message, file=file, write=write or (lambda folder: None), command=command, apart=apart)  # type: ignore[arg-type]


NO_FILE = "name a CSV, TSV or XLSX file."
MISNAMED = "correct `file` in the study file; it is relative to the study file's folder."


def aside(folder: Path) -> None:
    """The sound export beside the study's folder."""
    (folder.parent / "beside.csv").write_text(TEXT)


path("parent", "an export beside the study's folder, which may be read", SOUND, "../beside.csv", aside)
path(
    "parent-absent",
    "an export far outside the study's folder, which is not there",
    fault("there is no such file.", MISNAMED, file="../../../../../../nowhere/x.csv"),
    "../../../../../../nowhere/x.csv",
)
path(
    "passwd",
    "a file of the system",
    fault("files without an ending such as .csv are not read.", "export as CSV, TSV or XLSX.", file="/etc/passwd"),
    "/etc/passwd",
)
path(
    "web",
    "an export on the web",
    fault(
        "is a web address; nothing is loaded from the network.",
        "download the export, and name the file.",
        file="https://example.com/responses.csv",
    ),
    "https://example.com/responses.csv",
)
path(
    "folder",
    "a folder for an export",
    fault("is no file.", NO_FILE, file="r.csv"),
    "r.csv",
    lambda folder: (folder / "r.csv").mkdir(),
)
for command in ("check", "inspect", "init"):
    path(
        f"pipe-{command}",
        f"a pipe that nobody writes to, for {command}",
        fault("is no file.", NO_FILE, file="r.csv"),
        "r.csv",
        lambda folder: os.mkfifo(folder / "r.csv"),
        command=command,
    )
path(
    "endless",
    "a link to a device that never ends",
    fault("is no file.", NO_FILE, file="r.csv"),
    "r.csv",
    lambda folder: (folder / "r.csv").symlink_to("/dev/zero"),
    apart=True,
)
path(
    "endless-workbook",
    "a link to an endless device under the name of a workbook",
    fault("is no file.", NO_FILE, file="r.xlsx"),
    "r.xlsx",
    lambda folder: (folder / "r.xlsx").symlink_to("/dev/zero"),
)
path(
    "loop",
    "a link to itself",
    fault("is a link that leads to no file.", "name the file itself.", file="r.csv"),
    "r.csv",
    lambda folder: (folder / "r.csv").symlink_to("r.csv"),
)
path(
    "dangling",
    "a link to nothing",
    fault("is a link that leads to no file.", "name the file itself.", file="r.csv"),
    "r.csv",
    lambda folder: (folder / "r.csv").symlink_to("nowhere.csv"),
)


def linked(folder: Path) -> None:
    (folder / "true.csv").write_text(TEXT)
    (folder / "r.csv").symlink_to("true.csv")


path("link", "a link to the export", SOUND, "r.csv", linked)
LONG = f"{'r' * 300}.csv"
path(
    "long",
    "a name that no file system has",
    fault("cannot be read: File name too long.", "check the file and its permissions.", file=f"{'r' * 199}…"),
    LONG,
)


def piped(folder: Path) -> None:
    (folder / "study.toml").unlink()
    os.mkfifo(folder / "study.toml")


def looped(folder: Path) -> None:
    (folder / "study.toml").unlink()
    (folder / "study.toml").symlink_to("study.toml")


def endless(folder: Path) -> None:
    (folder / "study.toml").unlink()
    (folder / "study.toml").symlink_to("/dev/zero")


def foldered(folder: Path) -> None:
    (folder / "study.toml").unlink()
    (folder / "study.toml").mkdir()


DEVICE = told("is a device or a pipe, no file.", STUDY_FILE)
path("study-pipe", "a pipe for a study file", DEVICE, "r.csv", piped)
path("study-endless", "an endless device for a study file", DEVICE, "r.csv", endless, apart=True)
path("study-folder", "a folder for a study file", told("is a folder.", STUDY_FILE), "r.csv", foldered)
