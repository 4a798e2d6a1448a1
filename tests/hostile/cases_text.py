"""Text files: encodings, NUL bytes, line ends, ragged rows, quotes, headers, and tables that are no table."""

from __future__ import annotations

import gzip
import json
import random

from make import HEADER, ROWS, SOUND, TEXT, add, fault, study_of, with_row
from mends import (
    AGAIN,
    CLOSE,
    ENCODING,
    GROUP,
    GUESSED,
    NAME,
    OFF,
    RAGGED,
    WORDS,
)

FIRST_ROW = "export again with responses; the first row must be the column names."
COLUMNS = ("Climate", "Safety", "Ethics", "Impact of Climate", "Impact of Safety", "Impact of Ethics")

# Encodings: what the groups are called is written in them, and the truth is the same.

ACCENTED = TEXT.replace("Staff", "Employés").replace("Customer", "Clients à l’étranger")
FRENCH = study_of("responses.csv", ('"Staff"', '"Employés"'), ('"Customer"', '"Clients à l’étranger"'))
CHINESE = TEXT.replace("Staff", "公司员工").replace("Customer", "客户").replace("Buyers", "供应商")
IN_CHINESE = study_of("responses.csv", ('"Staff"', '"公司员工"'), ('"Customer"', '"客户"'), ('"Buyers"', '"供应商"'))
TAIWAN = {"公司员工": "公司員工", "客户": "客戶", "供应商": "供應商"}
JAPANESE = TEXT.replace("Staff", "従業員の方").replace("Customer", "お客様").replace("Buyers", "お取引先")
IN_JAPANESE = study_of(
    "responses.csv", ('"Staff"', '"従業員の方"'), ('"Customer"', '"お客様"'), ('"Buyers"', '"お取引先"')
)


def changed(text: str, words: dict[str, str]) -> str:
    """A text with words replaced."""
    for old, new in words.items():
        text = text.replace(old, new)
    return text


def says(study: str, encoding: str) -> str:
    """A study that names its export's encoding."""
    return study.replace('group = "group"', f'group = "group"\nencoding = "{encoding}"')


FRENCH_NAMES = {"staff": "Employés", "buyers": "Buyers"}
CHINESE_NAMES = {"staff": "公司员工", "buyers": "供应商"}
for name, codec in (
    ("utf-8", "utf-8"),
    ("utf-8 with a mark", "utf-8-sig"),
    ("utf-16 little end first, with a mark", "utf-16"),
    ("utf-16 little end first, without a mark", "utf-16-le"),
    ("utf-16 big end first, without a mark", "utf-16-be"),
    ("cp1252", "cp1252"),
):
    add(f"encoding-{codec}", f"text in {name}", SOUND, raw=ACCENTED.encode(codec), study=FRENCH, names=FRENCH_NAMES)
add(
    "encoding-utf-16-be-mark",
    "text in utf-16 big end first, with a mark",
    SOUND,
    raw=b"\xfe\xff" + ACCENTED.encode("utf-16-be"),
    study=FRENCH,
    names=FRENCH_NAMES,
)
add(
    "encoding-latin-1",
    "text in Latin-1",
    SOUND,
    raw=ACCENTED.replace("’", "'").encode("latin-1"),
    study=FRENCH.replace("’", "'"),
    names=FRENCH_NAMES,
)
for codec in ("gbk", "gb18030"):
    add(
        f"encoding-{codec}",
        f"Chinese in {codec}",
        SOUND,
        raw=CHINESE.encode(codec),
        study=IN_CHINESE,
        names=CHINESE_NAMES,
    )
add(
    "encoding-big5",
    "traditional Chinese in Big5",
    SOUND,
    raw=changed(CHINESE, TAIWAN).encode("big5"),
    study=changed(IN_CHINESE, TAIWAN),
    names={"staff": "公司員工", "buyers": "供應商"},
)
add(
    "encoding-shift-jis",
    "Japanese in Shift JIS",
    SOUND,
    raw=JAPANESE.encode("shift_jis"),
    study=IN_JAPANESE,
    names={"staff": "従業員の方", "buyers": "お取引先"},
)
add(
    "encoding-mixed",
    "one row in cp1252 and one in UTF-8",
    fault("'Kundé' is no group. Groups: 'staff', 'buyers'.", f"{GROUP} {GUESSED}", row="4", column="group")
    + fault("'KundÃ©' is no group. Groups: 'staff', 'buyers'.", f"{GROUP} {GUESSED}", row="5", column="group"),
    raw=TEXT.encode().replace(b"3,Customer", b"3,Kund\xe9").replace(b"4,Customer", "4,Kundé".encode()),
)
add(
    "encoding-cut-utf-8",
    "UTF-8 that ends inside a character",
    fault("ends inside a character: it is cut short.", AGAIN),
    raw=with_row("6,Staff,4,5,3,4,4,员").encode()[:-2],
)
add(
    "encoding-cut-utf-16",
    "UTF-16 that ends inside a character",
    fault("ends inside a character: it is cut short.", AGAIN),
    raw=TEXT.encode("utf-16")[:-1],
)
add(
    "encoding-damaged-utf-8",
    "UTF-8 with a byte that means nothing",
    fault("is not UTF-8: byte 0xff on line 5 means nothing there.", ENCODING),
    raw=CHINESE.encode().replace("客户".encode(), b"\xff", 2).replace(b"\xff", "客户".encode(), 1),
    study=IN_CHINESE,
)
add(
    "encoding-key-utf-8",
    "cp1252, and the study says utf-8",
    fault("is not UTF-8: byte 0xe9 on line 2 means nothing there.", ENCODING),
    raw=ACCENTED.encode("cp1252"),
    study=says(FRENCH, "utf-8"),
)
add(
    "encoding-key-utf-16",
    "ASCII, and the study says utf-16-le",
    fault("is not UTF-16-LE: its lines are ASCII.", "correct encoding in [[responses]], or take it out."),
    study=says(study_of(), "utf-16-le"),
)
add(
    "encoding-key-ebcdic",
    "UTF-8, and the study says cp037",
    fault("is not CP037: its lines are UTF-8.", "correct encoding in [[responses]], or take it out."),
    raw=ACCENTED,
    study=says(FRENCH, "cp037"),
)
add(
    "encoding-key-ascii",
    "UTF-8, and the study says ascii",
    fault("is not ASCII: byte 0xc3 means nothing there.", ENCODING),
    raw=ACCENTED,
    study=says(FRENCH, "ascii"),
)
add(
    "encoding-key-gb18030",
    "UTF-8, and the study says gb18030",
    fault("'Employ茅s' is no group. Nearest: 'Employés' (group staff).", GROUP, row="2 and 3", column="group")
    + fault(
        "'Clients 脿 l鈥櫭﹖ranger' is no group. Nearest: 'Clients à l’étranger' (group buyers).",
        GROUP,
        row="4 and 5",
        column="group",
    ),
    raw=ACCENTED,
    study=says(FRENCH, "gb18030"),
)
for codec in ("unicode_escape", "rot13", "nonsense"):
    add(
        f"encoding-key-{codec}",
        f"the study names an encoding that is none, {codec}",
        fault(
            f"line 11, responses no. 1 ('responses.csv'): the encoding '{codec}' is not known.".replace("11", "14"),
            'use "utf-8", "gb18030", "cp1252" ….',
            file="study.toml",
        ),
        study=says(study_of(), codec),
    )

# NUL bytes

for place, line, message in (
    (
        "rating",
        b"6,Staff,4,\0,3,4,4,2\n",
        fault(
            "'\\x00' is no answer on the scale 1 to 5. [scale.labels] names no answers in words.".replace(
                " [scale.labels] names no answers in words.", ""
            ),
            WORDS,
            row="7",
            column="Safety",
        ),
    ),
    (
        "group",
        b"6,St\0aff,4,5,3,4,4,2\n",
        fault("'St\\x00aff' is no group. Nearest: 'Staff' (group staff).", GROUP, row="7", column="group"),
    ),
    (
        "respondent",
        b"6\0,Staff,4,5,3,4,4,2\n",
        fault("the cell holds NUL characters: the file is damaged.", AGAIN, row="7", column="id"),
    ),
    (
        "row",
        b"\0" * 4096,
        fault("has 1 cell where the header has 8, and holds NUL characters: the file is damaged.", AGAIN, row="7"),
    ),
):
    add(f"nul-{place}", f"NUL bytes in a {place}", message, raw=TEXT.encode() + line)
add(
    "nul-header",
    "a NUL byte in the header",
    fault(
        "the header holds NUL characters; the file may be UTF-16.",
        'save it as "CSV UTF-8", or say encoding = "utf-16-le" in [[responses]].',
        row="1",
    ),
    raw=TEXT.replace("Safety", "Saf\0ety", 1),
)

# Line ends

add("ends-cr", "lines that end in CR alone", SOUND, raw=TEXT.replace("\n", "\r"))
add("ends-mixed", "lines that end in CRLF, LF and CR", SOUND, raw=TEXT.replace("\n", "\r\n", 2)[:-1] + "\r")
add("ends-none", "a last line without an end", SOUND, raw=TEXT.rstrip("\n"))
add(
    "ends-doubled",
    "lines that end in CR CR LF, so that each second row is blank",
    {
        2: "blank row",
        3: SOUND[2],
        4: "blank row",
        5: SOUND[3],
        6: "blank row",
        7: SOUND[4],
        8: "blank row",
        9: SOUND[5],
        10: "blank row",
        11: SOUND[6],
        12: "blank row",
    },
    raw=TEXT.replace("\n", "\r\r\n"),
)
add(
    "ends-unicode",
    "vertical tab, form feed, NEL and line separator, which end no line",
    SOUND,
    raw=TEXT.replace("3,Customer", "3,Customer\x0b")
    .replace("4,Customer", "4,\x85Customer\x0c")
    .replace("5,Buyers", "5,Buyers\u2028"),
)
add(
    "ends-inside",
    "a lone CR inside a cell without quotes",
    fault("has 2 cells where the header has 8.", RAGGED, row="4")
    + fault("has 7 cells where the header has 8.", RAGGED, row="5"),
    raw=TEXT.replace("3,Customer", "3,Cust\romer"),
)
add(
    "ends-quoted",
    "line breaks of all kinds inside quotes, in a column that the study does not use",
    {2: SOUND[2], 3: SOUND[3], 4: SOUND[4]},
    raw=f'{HEADER},why\n{ROWS[0]},"a\nb\r\nc"\n{ROWS[1]},"\r"\n{ROWS[2]},""\n',
)

# Ragged rows and quotes

add(
    "row-short",
    "a row of fewer cells",
    fault("has 3 cells where the header has 8.", RAGGED, row="7"),
    raw=with_row("6,Staff,4"),
)
add(
    "row-long",
    "a row of more cells",
    fault("has 10 cells where the header has 8.", RAGGED, row="7"),
    raw=with_row("6,Staff,4,5,3,4,4,2,,more"),
)
add(
    "row-trailing",
    "trailing delimiters",
    {**SOUND, 7: SOUND[2]},
    raw=with_row("6,Staff,4,5,3,4,4,2,,,,"),
)
add(
    "row-commas",
    "a decimal comma without quotes",
    fault("has 9 cells where the header has 8.", RAGGED, row="7"),
    raw=with_row("6,Staff,4,5,0,3,4,4,2"),
)
add(
    "quote-never-closed",
    "a quote that is never closed: the row where it opens",
    fault("a quote opens in this row and is never closed.", 'close it, or double it inside a cell ("").', row="4"),
    raw=TEXT.replace("3,Customer", '3,"Customer'),
)
add(
    "quote-never-closed-header",
    "a quote in the header that is never closed",
    fault("a quote opens in this row and is never closed.", 'close it, or double it inside a cell ("").', row="1"),
    raw=TEXT.replace("Safety", '"Safety', 1),
)
add(
    "quote-line",
    "a quote that is never closed, below a cell of two lines: its row and its line",
    fault(
        "a quote opens in this row, on line 5 of the file, and is never closed.",
        'close it, or double it inside a cell ("").',
        row="4",
    ),
    raw=TEXT.replace("1,Staff", '"1\n",Staff').replace("3,Customer", '3,"Customer'),
)
add(
    "quote-closes-late",
    "a quote that another one closes three lines further down",
    fault("a quote opens in this row and closes 3 lines further down, where more text follows.", CLOSE, row="4"),
    raw=TEXT.replace("3,Customer", '3,"Customer') + '6,"Staff",4,5,3,4,4,2\n',
)
add(
    "quote-swallows-cells",
    "a quote that closes in the next row, so that cells are missing",
    fault("has 2 cells where the header has 8; a quote opens in it and closes 1 line further down.", CLOSE, row="4"),
    raw=TEXT.replace("3,Customer", '3,"Customer').replace("4,4,2,5,4,3", '4,4,2,5,4,3"'),
)
add(
    "quote-swallows-row",
    "a quote in a comment that swallows a whole row, and leaves as many cells as there should be",
    fault(
        "a quoted cell holds a line that reads like a row: a quote may open there and close rows further down.",
        'close it where its cell ends, or double it inside a cell (""); where the line is part of the answer, take its '
        "line break out.",
        row="3",
    ),
    raw=f'{HEADER},why\n{ROWS[0]},\n{ROWS[1]},"19 inch\n{ROWS[2]},fits 19"\n{ROWS[3]},\n',
)
add(
    "quote-after",
    "text after a closing quote",
    fault("text follows a closing quote.", 'double each quote inside a cell ("").', row="7"),
    raw=with_row('6,"Staff" member,4,5,3,4,4,2'),
)
add(
    "quote-inside",
    "quotes inside cells that have none around them, in a column that the study does not use",
    {2: SOUND[2], 3: SOUND[3]},
    raw=f'{HEADER},why\n{ROWS[0]},a 19" rack\n{ROWS[1]},5\'11"\n',
)

# Headers and tables

add(
    "table-second",
    "a second table below the first",
    fault(
        "has 2 cells where the header has 8, below a blank row: a second table?",
        "delete what stands below the answers.",
        row="8, 9 and 10",
    ),
    raw=TEXT + "\ngroup,n\nStaff,2\nBuyers,3\n",
)
add(
    "table-appended",
    "two exports joined, with the header again in the middle",
    fault(
        "repeats the header: were several exports joined?",
        "delete the row, or name each export in [[responses]].",
        row="7",
    ),
    raw=TEXT + TEXT.replace("\n1,", "\n6,").replace("\n2,", "\n7,").replace("\n3,", "\n8,"),
)
add(
    "table-totals",
    "a row of totals below",
    "".join(
        fault(f"{total} is off the scale 1 to 5.", OFF, row="7", column=column)
        for column, total in zip(COLUMNS, (21, 23, 15, 20, 20, 11), strict=True)
    )
    + fault("'Total' is no group. Groups: 'staff', 'buyers'.", GROUP, row="7", column="group"),
    raw=with_row(",Total,21,23,15,20,20,11"),
)
add(
    "table-mean-row",
    "a row of means below that lie on the scale, without a group",
    {**SOUND, 7: "no group"},
    raw=with_row(",,4,5,3,4,4,2"),
)
add(
    "table-title",
    "a title above the header",
    fault(
        "holds a single cell, and rows below hold 8: a title above the column names?",
        "delete the rows above the column names.",
        row="1",
    ),
    raw="Results of the survey\n" + TEXT,
)
add(
    "table-blank-above",
    "blank rows above the header",
    {row + 3: kept for row, kept in SOUND.items()},
    raw="\n,,,\n \n" + TEXT,
)
add(
    "header-twice",
    "a column name that stands twice",
    fault(
        "the study's question (people, climate) stands 2 times in the header (columns C and D).", NAME, column="Climate"
    )
    + fault(
        "the study's question (people, safety) is not in the header. Nearest: 'Impact of Safety'.",
        NAME,
        column="Safety",
    ),
    raw=TEXT.replace("Climate,Safety", "Climate,Climate", 1),
)
add(
    "header-empty",
    "a column without a name",
    fault(
        "the study's question (people, safety) is not in the header. Nearest: 'Impact of Safety'.",
        NAME,
        column="Safety",
    ),
    raw=TEXT.replace("Climate,Safety,Ethics", "Climate,,Ethics", 1),
)
add(
    "header-empty-last",
    "values below the empty end of the header",
    fault(
        "column I holds a value but has no name in the header.",
        "name the column in the header row, or empty its cells.",
        row="2, 3, 4, 5 and 6",
    ),
    raw="\n".join((f"{HEADER},", *(f"{row},x" for row in ROWS), "")),
)
add(
    "header-only",
    "a header and no row",
    fault("holds a header but no responses below it.", FIRST_ROW, row="1"),
    raw=HEADER + "\n",
)
add("file-empty", "no byte", fault("the file is empty.", AGAIN), raw="")
add("file-blank", "blank lines alone", fault("the file holds nothing.", AGAIN), raw="\n \n,,\n")
add("file-blank-many", "a million blank lines", fault("the file holds nothing.", AGAIN), raw="\n" * 1_000_000)
add("row-one", "a single respondent", {2: SOUND[2]}, raw=f"{HEADER}\n{ROWS[0]}\n")
add(
    "row-none-kept",
    "no row that can be kept",
    fault(
        "no row of 3 was kept: 1 blank row, 1 no group, 1 no rating.",
        "look at the reasons; the group column, the scale's labels or [cleaning] may not fit the export.",
    ),
    raw=f"{HEADER}\n1,,4,5,3,4,4,2\n,,,,,,,\n2,Staff,,,,,,\n",
)
WIDE = [f"q{k}" for k in range(9_992)]
add(
    "columns-10000",
    "10,000 columns",
    SOUND,
    raw="\n".join((",".join((HEADER, *WIDE)), *(row + "," * len(WIDE) for row in ROWS), "")),
)
add(
    "columns-30000",
    "30,000 columns",
    fault(
        "has 30,000 columns, more than 20,000; no survey asks so much.",
        "export one row per respondent, and one column per question.",
        row="1",
    ),
    raw="\n".join((",".join((HEADER, *(f"q{k}" for k in range(29_992)))), ROWS[0], "")),
)
BIG = "a cell holds more than 131,072 characters; a quote may open and never close."
add(
    "cell-10-mb",
    "a cell of 10 MB",
    fault(BIG, 'close it, or double it inside a cell ("").', row="7"),
    raw=with_row(f"6,Staff,4,{'5' * 10_000_000},3,4,4,2"),
    apart=True,
)
add(
    "cell-100-kb",
    "a rating of 100,000 digits",
    fault("'55555555555555555555555555555…' is off the scale 1 to 5.", OFF, row="7", column="Safety"),
    raw=with_row(f"6,Staff,4,{'5' * 100_000},3,4,4,2"),
)

# Other files under the name of a text file

for kind, start, what, mend in (
    (
        "zip",
        b"PK\x03\x04\x14\0\0\0\x08\0",
        "is a workbook or another ZIP archive, no text file.",
        "let a workbook's name end in '.xlsx'; unpack an archive.",
    ),
    (
        "ole",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        "is an old workbook, or one with a password, no text file.",
        "let its name end in '.xls', or save it as .xlsx without a password.",
    ),
    ("pdf", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "is a PDF, no text file.", "export as CSV UTF-8."),
    ("png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "is a picture, no text file.", "export as CSV UTF-8."),
    ("parquet", b"PAR1\x15\x04\x15\x10", "is a Parquet file, no text file.", "let its name end in '.parquet'."),
    ("sav", b"$FL2@(#) SPSS DATA FILE", "is an SPSS file, no text file.", "let its name end in '.sav'."),
    (
        "gzip",
        gzip.compress(TEXT.encode(), mtime=0),
        "is a packed file, no text file.",
        "unpack it, and name the export that is in it.",
    ),
    ("rtf", b"{\\rtf1\\ansi id,group\\par}", "is a text with formats (RTF), no text file.", "export as CSV UTF-8."),
):
    add(
        f"named-csv-{kind}",
        f"a file of another kind under the name of a CSV file: {kind}",
        fault(what, mend),
        raw=start + bytes(range(256)),
    )
add(
    "named-csv-html",
    "a sign-in page under the name of a CSV file",
    fault(
        "holds a web page or XML, not a table; often a sign-in page that was saved instead of the file.",
        "sign in to the survey tool, download the export again, and look at it in a spreadsheet.",
    ),
    raw="<!DOCTYPE html>\n<html><head><title>Sign in, please</title></head></html>\n",
)
add(
    "named-csv-json",
    "JSON under the name of a CSV file",
    fault(
        "holds JSON, not a table of responses.",
        "export the responses as CSV, TSV or XLSX; a survey's definition holds no answers.",
    ),
    raw=json.dumps([{"id": 1, "group": "Staff"}], indent=1),
)
add(
    "named-csv-noise",
    "noise under the name of a CSV file",
    fault("holds bytes that no text has.", "export as CSV UTF-8."),
    raw=random.Random(7).randbytes(5_000),
)
for ending, found in (
    ("zip", "that end in '.zip'"),
    ("json", "that end in '.json'"),
    ("pdf", "that end in '.pdf'"),
    ("", "without an ending such as .csv"),
):
    name = f"responses.{ending}" if ending else "responses"
    add(
        f"ending-{ending or 'none'}",
        f"a file {found}",
        fault(f"files {found} are not read.", "export as CSV, TSV or XLSX.", file=name),
        file=name,
    )
add("ending-capitals", "a file that ends in .CSV", SOUND, file="responses.CSV")
