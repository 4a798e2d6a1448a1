"""Cells: numbers that are none, codes, names that look alike, ids, times, durations and weights."""

from __future__ import annotations

import unicodedata

from make import HEADER, ROWS, SOUND, TEXT, Kept, add, fault, study_of, with_row
from mends import (
    AS_TEXT,
    BETWEEN,
    DATE,
    FORMULA,
    GROUP,
    OFF,
    PLAIN,
    SECONDS,
    TIMES,
    TIMES_OUT,
    WEIGHT,
    WORDS,
)

SCALE = "the scale 1 to 5"
SEVENTH = Kept(("staff",), (4, 5, 3, 4, 4, 2))

# Ratings: cell, what is wrong with it, message, mend

for name, cell, what, message, mend in (
    ("full-width", "５", "a full-width digit", "'５' is no plain number. Nearest: 5.", PLAIN),
    ("arabic", "٣", "an Arabic digit", "'٣' is no plain number. Nearest: 3.", PLAIN),
    ("superscript", "²", "a superscript", "'²' is no plain number. Nearest: 2.", PLAIN),
    ("circled", "④", "a circled digit", "'④' is no plain number. Nearest: 4.", PLAIN),
    ("half", "½", "a vulgar fraction", f"'½' is no answer on {SCALE}.", WORDS),
    ("roman", "Ⅴ", "a Roman numeral", f"'Ⅴ' is no answer on {SCALE}.", WORDS),
    ("chinese", "五", "a Chinese numeral", f"'五' is no answer on {SCALE}.", WORDS),
    ("huge", "1e400", "a number beyond all floats", "'1e400' is no plain number.", PLAIN),
    ("tiny", "1e-400", "a number below all floats", "'1e-400' is no plain number.", PLAIN),
    ("exponent", "1e0", "a number with an exponent", "'1e0' is no plain number. Nearest: 1.", PLAIN),
    ("underscore", "1_000", "a number with an underscore", f"'1_000' is no answer on {SCALE}.", WORDS),
    ("hexadecimal", "0x5", "a hexadecimal number", f"'0x5' is no answer on {SCALE}.", WORDS),
    ("leading-zeros", "005", "leading zeros", "'005' is no plain number. Nearest: 5.", PLAIN),
    ("no-fraction", "5.", "a point without digits", "'5.' is no plain number. Nearest: 5.", PLAIN),
    (
        "decimal-comma",
        '"5,0"',
        "a decimal comma",
        "'5,0' has a decimal comma. Nearest: 5.",
        "write numbers with a point, or export them so.",
    ),
    ("nan", "NaN", "not a number", "'NaN' is no plain number.", PLAIN),
    ("infinite", "-inf", "minus infinity", "'-inf' is no plain number.", PLAIN),
    ("off", "6", "a sixth point", f"6 is off {SCALE}.", OFF),
    ("zero", "0", "a zero", f"0 is off {SCALE}.", OFF),
    ("code-99", "99", "a code that the study does not name, 99", f"99 is off {SCALE}.", OFF),
    ("code-minus", "-1", "a code that the study does not name, -1", f"-1 is off {SCALE}.", OFF),
    ("real-minus", "\u22121", "a code with the minus sign of typesetters", "'−1' is no plain number.", PLAIN),
    ("between", "4.5", "a half point", f"4.5 lies between the points of {SCALE}. Nearest: 4.", BETWEEN),
    ("percent", "80%", "a percentage", f"'80%' is no answer on {SCALE}.", WORDS),
    ("boolean", "TRUE", "a truth value", f"'TRUE' is no answer on {SCALE}.", WORDS),
    ("formula", "=1+4", "a formula", f"'=1+4' is a formula, where a rating on {SCALE} should be.", FORMULA),
    (
        "command",
        "=cmd|' /C calc'!A0",
        "a formula that starts a program",
        f"'=cmd|' /C calc'!A0' is a formula, where a rating on {SCALE} should be.",
        FORMULA,
    ),
    ("at", "@SUM(5)", "a formula of older spreadsheets", f"'@SUM(5)' is no answer on {SCALE}.", WORDS),
    ("apostrophe", "'5", "an apostrophe before the number", f"''5' is no answer on {SCALE}.", WORDS),
    ("zero-width", "5\u200b", "a zero-width space after the number", rf"'5\u200b' is no answer on {SCALE}.", WORDS),
    ("bidi", "\u202e5", "a sign that turns the text around", rf"'\u202e5' is no answer on {SCALE}.", WORDS),
    ("date", "03/04/2026", "a date", f"'03/04/2026' {DATE}", AS_TEXT),
    ("range", "4-5", "a range that a spreadsheet would make a date", f"'4-5' {DATE}", AS_TEXT),
    ("script", "<script>alert(1)</script>", "a script", f"'<script>alert(1)</script>' is no answer on {SCALE}.", WORDS),
    ("escape", "\x1b[2J5", "a code that would clear the terminal", rf"'\x1b[2J5' is no answer on {SCALE}.", WORDS),
    ("two", '"4;5"', "two answers in one cell", f"'4;5' is no answer on {SCALE}.", WORDS),
):
    add(
        f"rating-{name}",
        what,
        fault(message, mend, row="7", column="Safety"),
        raw=with_row(f"6,Staff,4,{cell},3,4,4,2"),
    )

for name, cell, what in (
    ("point-zero", "5.0", "a whole number with a decimal"),
    ("spaces", " 5 ", "spaces around a number"),
    ("no-break", "\u00a05", "a no-break space before a number"),
    ("plus", "+5", "a plus sign"),
    ("mark", "\ufeff5", "a byte order mark in mid-file"),
):
    add(f"rating-{name}", what, {**SOUND, 7: SEVENTH}, raw=with_row(f"6,Staff,4,{cell},3,4,4,2"))

CODES = study_of(
    "responses.csv",
    ('"Don\'t know" = "dont_know"', '"Don\'t know" = "dont_know"\n"99" = "dont_know"\n"-1" = "not_applicable"'),
)
add(
    "codes-named",
    "99 and -1, which the study names as no ratings",
    {**SOUND, 7: Kept(("staff",), ("dont_know", 5, "not_applicable", 4, "blank", 2))},
    raw=with_row("6,Staff,99,5,-1,4,,2"),
    study=CODES,
)
add(
    "codes-misspelt",
    "99.0 and a typesetter's minus where the study names 99 and -1",
    fault("99.0 is off the scale 1 to 5.", OFF, row="7", column="Climate")
    + fault("'−1' is no plain number.", PLAIN, row="7", column="Ethics"),
    raw=with_row("6,Staff,99.0,5,\u22121,4,4,2"),
    study=CODES,
)

# Groups and other names

for name, cell, what, message in (
    (
        "script",
        "<script>alert(1)</script>",
        "a script for a group",
        "'<script>alert(1)</script>' is no group. Groups: 'staff', 'buyers'.",
    ),
    ("template", "{{ 7*7 }}", "a template for a group", "'{{ 7*7 }}' is no group. Groups: 'staff', 'buyers'."),
    ("formula", "=HYPERLINK(1)", "a formula for a group", "'=HYPERLINK(1)' is no group. Groups: 'staff', 'buyers'."),
    (
        "homoglyph",
        "St\u0430ff",
        "a Cyrillic letter in a group's name",
        r"'St\u0430ff' is no group. Nearest: 'Staff' (group staff).",
    ),
    (
        "bidi",
        "\u202estaff",
        "a group's name behind a sign that turns it around",
        r"'\u202estaff' is no group. Nearest: 'Staff' (group staff).",
    ),
    (
        "full-width",
        "Ｓtaff",
        "a full-width letter in a group's name",
        "'Ｓtaff' is no group. Nearest: 'Staff' (group staff).",
    ),
    (
        "escape",
        "\x1b]0;x\x07Staff",
        "a group's name behind a code for the terminal",
        r"'\x1b]0;x\x07Staff' is no group. Nearest: 'Staff' (group staff).",
    ),
    ("quote", '"St""aff"', "a quote in a group's name", "'St\"aff' is no group. Nearest: 'Staff' (group staff)."),
):
    add(f"group-{name}", what, fault(message, GROUP, row="7", column="group"), raw=with_row(f"6,{cell},4,5,3,4,4,2"))
for name, cell, what in (
    ("spaces", "Staff  ", "spaces after a group's name"),
    ("no-break", "\u00a0Staff", "a no-break space before a group's name"),
    ("zero-width", "Sta\u200bff", "a zero-width space in a group's name"),
    ("capitals", "STAFF", "a group's name in capitals"),
):
    add(f"group-{name}", what, {**SOUND, 7: SEVENTH}, raw=with_row(f"6,{cell},4,5,3,4,4,2"))

SPLIT = unicodedata.normalize("NFD", "Sûreté")
ACCENTED = study_of("responses.csv", ('label = "Safety"', 'label = "Sûreté"'), ('"Staff"', '"Café"'))
add(
    "accents-apart",
    "names whose accents are characters of their own, in header and groups",
    SOUND,
    raw=TEXT.replace("Safety", SPLIT).replace("Staff", unicodedata.normalize("NFD", "Café")),
    study=ACCENTED,
    names={"staff": "Café", "buyers": "Buyers"},
)
add(
    "accents-twins",
    "two groups whose names differ in how accents are written",
    fault(
        "line 22, groups: the answer 'Cafe\u0301' belongs to 'staff' and to 'buyers'.",
        "leave it in one of them; a group's id and label always count as its answers.",
        file="study.toml",
    ),
    study=study_of(
        "responses.csv",
        ('"Staff"', '"Café"'),
        ('"Buyers"', f'"{unicodedata.normalize("NFD", "Café")}"'),
    ),
)
add(
    "homoglyphs-apart",
    "two groups whose names differ by a Cyrillic letter",
    {**SOUND, 7: Kept(("buyers",), (4, 5, 3, 4, 4, 2))},
    raw=with_row("6,St\u0430ff,4,5,3,4,4,2"),
    study=study_of("responses.csv", ('"Customer"', '"Customer", "St\u0430ff"')),
)

# Ids

add(
    "ids-zeros",
    "ids that differ by leading zeros, decimals and the width of a digit",
    {**SOUND, **dict.fromkeys(range(7, 11), SEVENTH), 11: "duplicate respondent"},
    raw=with_row("\n".join(f"{name},Staff,4,5,3,4,4,2" for name in ("007", "7", "7.0", "７", " 7 "))),
)
add(
    "ids-conflict",
    "one respondent twice, with other answers",
    fault(
        "the respondent of row 6 stands here again, with other answers.",
        'choose with duplicate_choice = "first", "last" or "most_complete" in [cleaning]; where exports number their '
        "respondents each for itself, set own_ids = true in [[responses]].",
        row="7",
    ),
    raw=with_row("5,Buyers,1,1,1,1,1,2"),
)

# Times

TIMED = study_of("responses.csv", ('group = "group"', 'group = "group"\nstarted = "from"\nfinished = "to"'))


def timed(start: str, end: str) -> str:
    """The sound export with times, and one row more."""
    lines = [f"{row},2026-04-03 10:00:00,2026-04-03 10:05:00" for row in ROWS]
    return "\n".join((f"{HEADER},from,to", *lines, f"6,Staff,4,5,3,4,4,2,{start},{end}", ""))


def no_time(cell: str, column: str) -> str:
    """What is told of a time in another format."""
    what = f"'{cell}' is no time in ISO 8601 (2024-05-31 14:02:59)."
    return fault(what, TIMES, row="7", column=column)


for name, start, end, what in (
    ("ambiguous", "03/04/2026 10:00", "03/04/2026 10:05", "a date of which nobody knows day from month"),
    ("day", "2026-04-03", "2026-04-04", "days without a time"),
    ("impossible", "2026-02-30 10:00", "2026-02-31 10:00", "days that no month has"),
    ("number", "46115.5", "46115.6", "a spreadsheet's numbers for times"),
    ("clock", "10:00", "10:05", "times without a day"),
    ("end-of-calendar", "9999-12-31T23:59:59-12:00", "9999-12-31T23:59:59-11:00", "times beyond the calendar"),
):
    add(f"time-{name}", what, no_time(start, "from") + no_time(end, "to"), raw=timed(start, end), study=TIMED)
add(
    "time-backwards",
    "an end before its start",
    fault(
        "the end '2026-04-03 10:00:00' lies before the start.",
        f"correct the cell, or {TIMES_OUT}",
        row="7",
        column="to",
    ),
    raw=timed("2026-04-03 10:05:00", "2026-04-03 10:00:00"),
    study=TIMED,
)
add(
    "time-zones",
    "times in two zones, five minutes apart",
    {**SOUND, 7: SEVENTH},
    raw=timed("2026-04-03T10:00:00+02:00", "2026-04-03T08:05:00Z"),
    study=TIMED,
)
add(
    "time-clock-change",
    "times over the change to summer time, two seconds apart in truth",
    {**SOUND, 7: "too fast"},
    raw=timed("2026-03-29T01:59:59+01:00", "2026-03-29T03:00:01+02:00"),
    study=TIMED,
)
add(
    "time-half-zone",
    "a time with its zone and one without",
    fault(
        "of '2026-04-03 10:00:00' and '2026-04-03T10:05:00Z', one tells its time zone and the other does not.",
        f"write both alike, or {TIMES_OUT}",
        row="7",
        column="to",
    ),
    raw=timed("2026-04-03 10:00:00", "2026-04-03T10:05:00Z"),
    study=TIMED,
)

# Durations

SLOW = study_of("responses.csv", ('group = "group"', 'group = "group"\nseconds = "took"'))


def lasting(cell: str) -> str:
    """The sound export with durations, and one row more."""
    return "\n".join((f"{HEADER},took", *(f"{row},751" for row in ROWS), f"6,Staff,4,5,3,4,4,2,{cell}", ""))


for name, cell, what in (
    ("negative", "-5", "negative seconds"),
    ("comma", '"12,5"', "seconds with a decimal comma"),
    ("nan", "NaN", "seconds that are not a number"),
    ("infinite", "inf", "infinite seconds"),
    ("exponent", "1e3", "seconds with an exponent"),
    ("short", "12:31", "minutes and seconds, or hours and minutes"),
    ("sixty", "0:60:00", "sixty minutes"),
    ("full-width", "１２", "seconds in full-width digits"),
    ("iso", "PT5M", "a duration as ISO 8601 has it"),
):
    shown = cell.strip('"')
    add(
        f"seconds-{name}",
        what,
        fault(f"'{shown}' is no number of seconds.", SECONDS, row="7", column="took"),
        raw=lasting(cell),
        study=SLOW,
    )
for name, cell, what in (
    ("clock", "00:12:31", "a duration as hours, minutes and seconds"),
    ("chinese", "12分31秒", "a duration in Chinese"),
    ("blank", "", "no duration"),
    ("long", "999999999999", "thirty thousand years"),
):
    add(f"seconds-{name}", what, {**SOUND, 7: SEVENTH}, raw=lasting(cell), study=SLOW)
add("seconds-none", "no second at all", {**SOUND, 7: "too fast"}, raw=lasting("0"), study=SLOW)

# Design weights

WEIGHTED = study_of("responses.csv", ('group = "group"', 'group = "group"\nweight = "weight"'))


def weighing(cell: str) -> str:
    """The sound export with design weights, and one row more."""
    return "\n".join((f"{HEADER},weight", *(f"{row},1.5" for row in ROWS), f"6,Staff,4,5,3,4,4,2,{cell}", ""))


for name, cell in (
    ("negative", "-1"),
    ("nan", "nan"),
    ("infinite", "inf"),
    ("zero", "0"),
    ("full-width", "１"),
    ("comma", '"1,5"'),
):
    shown = cell.strip('"')
    add(
        f"weight-{name}",
        f"a design weight of {shown}",
        fault(f"'{shown}' is no design weight.", WEIGHT, row="7", column="weight"),
        raw=weighing(cell),
        study=WEIGHTED,
    )
add(
    "weight-blank",
    "no design weight",
    fault("an empty cell is no design weight.", WEIGHT, row="7", column="weight"),
    raw=weighing(""),
    study=WEIGHTED,
)
add(
    "weight-huge",
    "a design weight of 1e308",
    fault(
        "'1e308' is too far from 1 for a design weight.",
        "give numbers from 1e-09 to 1e+09; only their ratios within a group count.",
        row="7",
        column="weight",
    ),
    raw=weighing("1e308"),
    study=WEIGHTED,
)
