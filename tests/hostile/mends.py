"""How messages say that a fault is mended, where several cases need the same words."""

OFF = "correct the cell, or add it to [scale.special] if it means no answer."
WORDS = "correct the cell, or add it to [scale.labels] with its point, or to [scale.special] if it is no rating."
GROUP = 'add it to that group\'s `answers`, correct the cell, or set unknown_group = "drop" in [cleaning].'
PLAIN = "write it in the digits 0 to 9, as in 4 or 4.5."
BETWEEN = "correct the cell, or set step in [scale] (0 lets any number count)."
AGAIN = "export it again."
NAME = "correct the name in the study file, or the header in the export."
RAGGED = "put quotes around a cell that holds a line break or the delimiter, or export again."
CLOSE = 'close it where its cell ends, or double it inside a cell ("").'
ENCODING = 'save it as "CSV UTF-8", or name its encoding in the study file, e.g. encoding = "gb18030" or "cp1252".'
AS_TEXT = "export again and open the file with that column as text, or correct the cell."
FORMULA = "put its value into the cell; in a spreadsheet, copy the column and paste its values."
SECONDS = "write it as a number, 5分12秒 or 0:05:12, leave the cell blank, or take `seconds` out of the study file."
TIMES = 'say how times are written with time_format in [[responses]], e.g. "%m/%d/%Y %H:%M:%S".'
TIMES_OUT = "leave started and finished out of the study file."
WEIGHT = "give every respondent a positive number."
AS_XLSX = "open it in a spreadsheet and save it as .xlsx without a password, or as CSV UTF-8."
CALCULATE = "open the file in a spreadsheet, let it calculate and save it, or put the value into the cell."
UNMERGE = "unmerge the cells in a spreadsheet and fill each of them in."
TOML = "correct the line, or the one before it; text stands in double quotes, lists in [ ], tables start with [name]."
VALUE = "correct the value."
MISSING = "add it; the user guide shows a whole study file."
AN_ID = "use letters, digits, '_', '-' and '.', starting with a letter or digit."
KNOWN = (
    "correct or remove it; known here: title, organisation, period, simulated, language, seed, confidence, scale, "
    "responses, groups, issues, axes, matrix, cleaning, weighting, tiers, robustness, decisions, privacy, simulation."
)
DATE = "is a date where a rating on the scale 1 to 5 should be; spreadsheets turn an answer such as '1-5' into one."
GUESSED = (
    "The file is not UTF-8, and its few other characters make sense in no encoding; it is read as Western European, "
    "cp1252. If letters in its questions or answers look wrong, name its encoding in [[responses]], e.g. encoding = "
    '"gb18030" or "mac_roman".'
)
