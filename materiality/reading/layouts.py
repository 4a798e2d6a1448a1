"""What each survey tool writes: how its export is recognised, its header rows, and which columns mean what."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from materiality.reading.kinds import ColumnKind, Head
from materiality.study import Special, Tool, fold

Rows = Sequence[Sequence[str]]
"""The first records of an export, headers among them."""
RECORDS_LOOKED_AT = 12


@dataclass(frozen=True)
class Headers:
    """What the header rows of an export say.

    Attributes
    ----------
    rows : int
        How many records hold no response: preamble, names, question texts, ids, options.
    heads : tuple of Head
        One per column.
    """

    rows: int
    heads: tuple[Head, ...]


@dataclass(frozen=True)
class Layout:
    """What one survey tool writes.

    Attributes
    ----------
    tool : Tool
    recognise : callable
        From the first records to how surely they are this tool's, 0 to 1.
    headers : callable
        From the first records to the header rows and heads.
    respondent : tuple of str
        Names of the column that tells one respondent from another, the best first.
    started, finished, seconds : tuple of str
        Names of the columns with the times of start and end, and with the time taken.
    preview : tuple of (str, tuple of str)
        Columns that mark previews and tests, each with the values that do.
    personal, metadata : frozenset of str
        Names of columns with personal data, and with what the tool notes about a response.
    special : tuple of (str, Special)
        What the tool itself writes where a question got no rating.
    multiple_separators : str
        What may stand between several answers in one cell.
    known_as : callable
        From a head to the name under which the tool's own columns are listed here.
    """

    tool: Tool
    recognise: Callable[[Rows], float]
    headers: Callable[[Rows], Headers]
    respondent: tuple[str, ...] = ()
    started: tuple[str, ...] = ()
    finished: tuple[str, ...] = ()
    seconds: tuple[str, ...] = ()
    preview: tuple[tuple[str, tuple[str, ...]], ...] = ()
    personal: frozenset[str] = frozenset()
    metadata: frozenset[str] = frozenset()
    special: tuple[tuple[str, Special], ...] = ()
    multiple_separators: str = ";"
    known_as: Callable[[Head], str] = lambda head: head.name

    def role(self, name: str) -> ColumnKind | None:
        """What the tool itself says that a column is; None for the questions of the survey."""
        folded = fold(name)
        for names, kind in (
            (self.respondent, ColumnKind.ID),
            ((*self.started, *self.finished), ColumnKind.TIME),
            (self.seconds, ColumnKind.NUMBER),
            (self.personal, ColumnKind.PII),
            (self.metadata, ColumnKind.METADATA),
        ):
            if folded in map(fold, names):
                return kind
        return None

    def preview_places(self, heads: Sequence[Head]) -> list[tuple[int, frozenset[str]]]:
        """Where the columns stand that mark previews and tests, each with the folded values that do."""
        return [
            (place, frozenset(map(fold, values)))
            for name, values in self.preview
            for place, head in enumerate(heads)
            if fold(name) == fold(self.known_as(head))
        ]


@dataclass(frozen=True)
class Recognised:
    """Which tool wrote an export, and how surely.

    Attributes
    ----------
    layout : Layout
    certainty : float
        0 to 1; 0 for the plain layout, which is what is left.
    headers : Headers
    """

    layout: Layout
    certainty: float
    headers: Headers = field(default_factory=lambda: Headers(0, ()))


def recognise(rows: Rows, tool: Tool = Tool.AUTO) -> Recognised:
    """Which tool wrote an export, from its first records; or its headers under the layout of a given tool."""
    if tool is not Tool.AUTO:
        layout = LAYOUTS[tool]
        return Recognised(layout, 1.0, _with_roles(layout, layout.headers(rows)))
    certainty, layout = max(
        ((layout.recognise(rows), layout) for layout in LAYOUTS.values()), key=lambda found: found[0]
    )
    if certainty < 0.5:
        certainty, layout = 0.0, LAYOUTS[Tool.PLAIN]
    return Recognised(layout, certainty, _with_roles(layout, layout.headers(rows)))


def _with_roles(layout: Layout, headers: Headers) -> Headers:
    heads = tuple(
        head if head.role else replace(head, role=layout.role(layout.known_as(head))) for head in headers.heads
    )
    return Headers(headers.rows, heads)


# Signs


def _folded(row: Sequence[str]) -> set[str]:
    return {fold(cell) for cell in row if cell.strip()}


def _written(row: Sequence[str]) -> list[str]:
    return [cell for cell in row if cell.strip()]


def _share(wanted: Sequence[str], row: Sequence[str]) -> float:
    present = _folded(row)
    return sum(fold(name) in present for name in wanted) / len(wanted)


def _first(rows: Rows) -> Sequence[str]:
    return next((row for row in rows if any(cell.strip() for cell in row)), ())


def _starts(row: Sequence[str], name: str) -> bool:
    return bool(row) and fold(row[0]) == fold(name)


def _below(rows: Rows, name: str) -> list[str]:
    """What stands below a name of the first record, blank cells left out."""
    header = _first(rows)
    place = next((k for k, cell in enumerate(header) if fold(cell) == fold(name)), None)
    at = next((k for k, row in enumerate(rows) if row is header), 0)
    if place is None:
        return []
    return [row[place].strip() for row in rows[at + 1 :] if place < len(row) and row[place].strip()]


# Header rows


def _heads(names: Sequence[str]) -> list[Head]:
    return [Head(name, name) for name in names]


def _one_row(rows: Rows, heads: Callable[[Sequence[str]], Sequence[Head]] = _heads) -> Headers:
    """Names in the first record that holds anything."""
    at = next((k for k, row in enumerate(rows) if any(cell.strip() for cell in row)), 0)
    names = [_clean(name) for name in rows[at]] if rows else []
    return Headers(at + 1, tuple(heads(names)))


def _clean(text: str) -> str:
    return text.replace("\ufeff", "").replace("\xa0", " ").strip()


def _grid_heads(names: Sequence[str]) -> list[Head]:
    """`Question [row]`, where questions and rows may hold brackets of their own."""
    return [
        Head(name, name[:cut].strip(), name[cut + 1 : -1].strip()) if cut else Head(name, name)
        for name, cut in zip(names, _last_brackets(names), strict=True)
    ]


def _last_brackets(names: Sequence[str]) -> list[int]:
    """Where the bracket opens that holds the row of a grid; 0 where a name ends in none.

    It is the one that the last bracket closes, unless the names beside it share another one.
    """
    openings = [
        [k for k, char in enumerate(name) if char == "[" and name[:k].strip() and name[k + 1 : -1].strip()]
        if name.endswith("]")
        else []
        for name in names
    ]
    runs = _runs([[name[: k + 1] for k in places] for name, places in zip(names, openings, strict=True)])
    cuts = []
    for name, places, lengths in zip(names, openings, runs, strict=True):
        shared = dict(zip(places, lengths, strict=True))
        own = _opening(name)
        if not places:
            cuts.append(0)
        elif own in shared and (shared[own] > 1 or max(lengths) == 1):
            cuts.append(own)
        else:
            cuts.append(max(places, key=lambda k: (shared[k], k if shared[k] > 1 else -k)))
    return cuts


def _opening(name: str) -> int:
    """Where the bracket opens that the last character closes; -1 where none does."""
    depth = 0
    for k in range(len(name) - 1, -1, -1):
        depth += (name[k] == "]") - (name[k] == "[")
        if depth == 0:
            return k
    return -1


def _runs(starts: Sequence[Sequence[str]]) -> list[list[int]]:
    """How many neighbours in a row share each of the starts that each name has, itself among them."""
    open_runs: dict[str, list[int]] = {}
    runs: list[list[list[int]]] = []
    for k, own in enumerate(starts):
        runs.append([])
        for start in own:
            run = open_runs.get(start)
            if run is None or run[1] < k - 1:
                run = open_runs[start] = [k, k]
            run[1] = k
            runs[-1].append(run)
    return [[last - first + 1 for first, last in own] for own in runs]


def _plain_headers(rows: Rows) -> Headers:
    return _one_row(rows, _grid_heads)


def _texts_and_items(texts: Sequence[str], groups: Sequence[str], *marks: str) -> list[tuple[str, str]]:
    """Question and item of every column, where the columns of a group share the question before a mark.

    The first mark that a group shares is the one; of several places the last, as questions hold marks more often than
    all items of a matrix begin alike.
    """
    places: dict[str, list[int]] = {}
    for k, group in enumerate(groups):
        places.setdefault(group, []).append(k)
    told = [(_clean(text), "") for text in texts]
    for members in places.values():
        if len(members) == 1:
            continue
        alike = _alike([told[k][0] for k in members])
        mark = next((mark for mark in marks if alike.rfind(mark) > 0), None)
        if mark is not None:
            cut = alike.rfind(mark)
            for k in members:
                text = told[k][0]
                told[k] = (text[:cut].strip(), text[cut + len(mark) :].strip())
    return told


def _alike(texts: Sequence[str]) -> str:
    """What all texts begin with."""
    first, last = min(texts), max(texts)
    return first[: next((k for k, pair in enumerate(zip(first, last, strict=False)) if pair[0] != pair[1]), len(first))]


# Qualtrics

QUALTRICS_NAMES = ("StartDate", "EndDate", "Status", "IPAddress", "Progress", "Finished", "RecordedDate", "ResponseId")
QUALTRICS_OLDER = ("ResponseID", "ResponseSet", "IPAddress", "StartDate", "EndDate", "Finished", "Status")
QUALTRICS_LEGACY = ("V1", "V2", "V3", "V8", "V9", "V10")
IMPORT_ID = re.compile(r"""\s*\{\s*["']ImportId["']\s*:\s*["'](?P<id>[^"']*)""")
QUESTION_ID = re.compile(r"(?:\d+_)?QID\d+(?:#\d+)?")
STEM = re.compile(r"(?P<stem>.+?(?:#\d+)?)(?:[_.]\d.*)")
A_DATE = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}.*|\d{5}(\.\d+)?")
A_NUMBER = re.compile(r"-?\d+(?:[.,]\d+)?")


def _has_import_ids(row: Sequence[str]) -> bool:
    marks = sum(bool(IMPORT_ID.match(cell)) for cell in row)
    return marks > 0 and marks >= sum(bool(cell.strip()) for cell in row) / 2


def _qualtrics(rows: Rows) -> float:
    if any(_has_import_ids(row) for row in rows[1:4]):
        return 1.0
    names = _first(rows)
    if _share(QUALTRICS_LEGACY, names) == 1:
        share = _share(QUALTRICS_OLDER, rows[1]) if len(rows) > 1 else 0.0
        ids = [text for text in _below(rows, "V1") if fold(text) != "responseid"]
        return share if share >= 0.5 else 0.6 * (bool(ids) and all(text.startswith("R_") for text in ids))
    if not _folded(names) & {"responseid", "responseset", "recordeddate"}:
        return 0.0
    return max(_share(QUALTRICS_NAMES, names), _share(QUALTRICS_OLDER, names)) * 0.95


def _qualtrics_headers(rows: Rows) -> Headers:
    ids = next((k for k, row in enumerate(rows[:4]) if _has_import_ids(row)), None)
    names = [_clean(name) for name in rows[0]] if rows else []
    count = ids + 1 if ids is not None else 1 + (len(rows) > 1 and not _is_qualtrics_response(names, rows[1]))
    texts = list(rows[1]) if count > 1 and ids != 1 else names
    texts += [""] * (len(names) - len(texts))
    older = _share(QUALTRICS_LEGACY, names) == 1 or "responseset" in _folded(names)
    groups = []
    for k, name in enumerate(names):
        told = IMPORT_ID.match(rows[ids][k]) if ids is not None and k < len(rows[ids]) else None
        found = QUESTION_ID.match(told["id"]) if told else None
        stem = STEM.fullmatch(name)
        groups.append(found[0] if found else stem["stem"] if stem else name)
    parts = _texts_and_items(texts[: len(names)], groups, "-" if older else " - ")
    return Headers(
        count, tuple(Head(name, text or name, item) for name, (text, item) in zip(names, parts, strict=True))
    )


def _is_qualtrics_response(names: Sequence[str], row: Sequence[str]) -> bool:
    """Whether the second record is a response already and no question texts."""
    known = {"startdate", "enddate", "recordeddate", "responseid"}
    if _share(QUALTRICS_LEGACY, names) == 1:
        known = {"v1", "v8", "v9"}
    cells = [cell.strip() for name, cell in zip(names, row, strict=False) if fold(name) in known and cell.strip()]
    if cells:
        return any(A_DATE.fullmatch(cell) or cell.startswith("R_") for cell in cells)
    return any(A_DATE.fullmatch(cell.strip()) or A_NUMBER.fullmatch(cell.strip()) for cell in row)


# SurveyMonkey

SURVEYMONKEY_NAMES = ("Respondent ID", "Collector ID", "Start Date", "End Date", "IP Address", "Email Address")
SURVEYMONKEY_CORE = {
    fold(name) for name in ("Respondent ID", "Collector ID", "Collector", "Start Date", "End Date", "Date Created")
}
SURVEYMONKEY_WORDS = {
    fold(word)
    for word in (
        *("Response", "Open-Ended Response", "Antwort", "Beantwortung mit freiem Text", "Réponse", "Réponse ouverte"),
        *("Respuesta", "Respuesta abierta", "Risposta", "Risposta aperta", "Resposta", "Resposta aberta", "Antwoord"),
    )
}
SURVEYMONKEY_SYSTEM = SURVEYMONKEY_CORE | {
    fold(name)
    for name in (
        *(*SURVEYMONKEY_NAMES, "First Name", "Last Name", "Date Modified"),
        *("Custom Data 1", "Custom Data", "Custom Value", "language"),
    )
}
LONG_ID = re.compile(r"\d{7,}(?:\.0)?|\d\.\d+E\+\d+")


def _surveymonkey(rows: Rows) -> float:
    if any(_has_import_ids(row) for row in rows[:4]):
        return 0.0
    best = 0.0
    for k, row in enumerate(rows[:5]):
        place = next((i for i, cell in enumerate(row) if fold(cell) == "respondentid"), None)
        if place is None or not _tops(rows, k):
            continue
        if len(_folded(row) & SURVEYMONKEY_CORE) > 1:
            best = max(best, 0.7 + 0.3 * min(1.0, 2 * _share(SURVEYMONKEY_NAMES, row)))
        ids = [below[place].strip() for below in rows[k + 1 :] if place < len(below) and below[place].strip()]
        if place < 3 and ids and all(LONG_ID.fullmatch(text) for text in ids):
            best = max(best, 0.8)
    for k, row in enumerate(rows[1:5], 1):
        at = next((i for i in range(k - 1, -1, -1) if _folded(rows[i])), None)
        if at is None or not _tops(rows, at):
            continue
        above = rows[at]
        words = sum(fold(cell) in SURVEYMONKEY_WORDS for cell in row)
        core = [i for i, cell in enumerate(above) if fold(cell) in SURVEYMONKEY_CORE]
        goes_on = any(not a.strip() and b.strip() for a, b in zip(above, row, strict=False))
        unanswered = all(i >= len(row) or not row[i].strip() or fold(row[i]) in SURVEYMONKEY_SYSTEM for i in core)
        goes_on &= not any(_folded(rows[i]) for i in range(k) if rows[i] is not above)
        known = "respondentid" in _folded(above)
        if words > (not known) and words >= 0.2 * len(_written(row)) and (core or goes_on) and unanswered:
            best = max(best, 0.8)
    return best


def _tops(rows: Rows, at: int) -> bool:
    """Whether nothing stands above the tool's own names, as above those of no answer that merely repeats them."""
    core = [k for k, cell in enumerate(rows[at]) if fold(cell) in SURVEYMONKEY_CORE]
    return not any(k < len(above) and above[k].strip() for above in rows[:at] for k in core)


def _surveymonkey_headers(rows: Rows) -> Headers:
    top = next((k for k, row in enumerate(rows) if _folded(row)), 0)
    tops = [k for k in range(top, min(len(rows), top + 4)) if _tops(rows, k)]
    at = max(tops, key=lambda k: len(_folded(rows[k]) & SURVEYMONKEY_CORE), default=0)
    questions = [_clean(cell) for cell in rows[at]] if rows else []
    core = [k for k, cell in enumerate(questions) if fold(cell) in SURVEYMONKEY_CORE]
    count = at + 1
    options: list[str] = []
    below = next((k for k in range(at + 1, min(len(rows), at + 4)) if _folded(rows[k])), None)
    if below is not None:
        row = [_clean(cell) for cell in rows[below]]
        if core:
            has_options = all(i >= len(row) or not row[i] or fold(row[i]) in SURVEYMONKEY_SYSTEM for i in core)
        else:
            has_options = any(fold(cell) in SURVEYMONKEY_WORDS for cell in row)
        if has_options:
            options, count = row, below + 1
    width = max(len(questions), len(options))
    questions += [""] * (width - len(questions))
    options = options + [""] * (width - len(options))
    while count > at + 1 and width and not questions[width - 1] and not options[width - 1]:
        width -= 1  # empty columns at the right continue nothing
    alone = {k for k in range(width) if questions[k] and (k + 1 == width or questions[k + 1])}
    told = Counter(fold(options[k]) for k in alone if options[k])
    words = SURVEYMONKEY_WORDS | {word for word, times in told.items() if times > 1}
    heads, question = [], ""
    for k in range(width):
        text, item = questions[k], options[k]
        question = text or question
        if fold(item) == fold(question) or (text and fold(item) in (words if k in alone else SURVEYMONKEY_WORDS)):
            item = ""
        heads.append(Head(f"{question} [{item}]" if item else (text or question), question, item))
    return Headers(count, tuple(heads))


# LimeSurvey

LIMESURVEY_CODES = ("id", "submitdate", "lastpage", "startlanguage", "seed", "startdate", "datestamp")
LIMESURVEY_TEXTS = (
    ("Response ID", "Date submitted", "Last page", "Start language", "Seed"),
    ("Antwort ID", "Datum Abgeschickt", "Letzte Seite", "Start-Sprache", "Zufallsstartwert"),
    ("ID de la réponse", "Date de soumission", "Dernière page", "Langue de départ", "Tête de série"),
    ("ID de respuesta", "Fecha de envío", "Última página", "Lenguaje inicial", "Semilla"),
    ("ID risposta", "Data invio", "Ultima pagina", "Lingua iniziale", "Seme"),
    ("Antwoord ID", "Datum ingestuurd", "Laatste pagina", "Starttaal", "Seed"),
)
SUBQUESTION = r"\[(?P<sub>[^\[\]]+)\](?:\[(?P<scale>[^\[\]]+)\])?"
LIMESURVEY_HEAD = re.compile(rf"(?P<code>[A-Za-z]\w*)(?:{SUBQUESTION})?\.\s+(?P<text>.*)", re.DOTALL)
LIMESURVEY_CODE = re.compile(rf"(?P<code>[A-Za-z]\w*){SUBQUESTION}")
LIMESURVEY_SUB = re.compile(r"SQ\d+\w*|\d+(?:comment)?|other|comment")
BEFORE_DOT = re.compile(r"(\w+)\.(?:\s|$)")


def _limesurvey_known_as(head: Head) -> str:
    """The code, where a text follows it: the text is written in the language of whoever exported."""
    found = BEFORE_DOT.match(head.name)
    return found[1] if found else head.name


def _limesurvey(rows: Rows) -> float:
    written = [_clean(name) for name in _first(rows) if name.strip()]
    codes = [found[1] for name in written if (found := BEFORE_DOT.match(name))]
    best = max(_share(LIMESURVEY_CODES[:4], names) for names in (written, codes))
    best = max(best, *(_share(texts[:4], written) for texts in LIMESURVEY_TEXTS))
    if best <= 0.5:
        best = 0.0
    with_text = [found for name in written if (found := LIMESURVEY_HEAD.fullmatch(name))]
    bare = [found for name in written if (found := LIMESURVEY_CODE.fullmatch(name))]
    if len(written) > 3:
        if any(found["sub"] for found in with_text) and len(with_text) > 0.6 * len(written):
            best = max(best, 0.85)
        subs = sum(bool(LIMESURVEY_SUB.fullmatch(found["sub"])) for found in bare)
        if subs > 1 and len(bare) > 0.6 * len(written):
            best = max(best, 0.6)
    return best


def _limesurvey_heads(names: Sequence[str]) -> list[Head]:
    """`code[SQ001]`, `Question [row]` or `code[SQ001]. Question [row]`; a dual scale adds a second bracket."""
    found = [LIMESURVEY_HEAD.fullmatch(name) for name in names]
    if sum(map(bool, found)) <= 0.6 * len(names):
        grid = _grid_heads(names)
        codes = [LIMESURVEY_CODE.fullmatch(name) for name in names]
        return [
            _limesurvey_head(code, code["code"], code["sub"]) if code else h
            for h, code in zip(grid, codes, strict=True)
        ]
    texts = [_clean(head["text"]) if head and head["sub"] else "" for head in found]
    scales = [
        re.search(r"\]\[(?P<scale>[^\[\]]*)\]$", text) if h and h["scale"] else None
        for h, text in zip(found, texts, strict=True)
    ]
    texts = [text[: scale.start() + 1] if scale else text for scale, text in zip(scales, texts, strict=True)]
    heads = []
    for name, head, scale, grid_head in zip(names, found, scales, _grid_heads(texts), strict=True):
        if head is None:
            heads.append(Head(name, name))
        elif head["sub"] is None:
            heads.append(Head(name, _clean(head["text"]) or head["code"]))
        else:
            text, item = grid_head.question, grid_head.item
            if not item and text.startswith("[") and _opening(text) == 0:  # the question has no text of its own
                text, item = "", text[1:-1].strip()
            text = text.removesuffix("[]")
            heads.append(_limesurvey_head(head, text.strip() or head["code"], item, scale["scale"] if scale else ""))
    return heads


def _limesurvey_head(found: re.Match[str], question: str, item: str, scale: str = "") -> Head:
    if found["scale"]:
        question = f"{question} [{scale or found['scale']}]"
    return Head(found[0], question, item)


# Others


def _alchemer(rows: Rows) -> float:
    header = _folded(_first(rows))
    started, submitted, status, response = (
        fold(name) in header for name in ("Time Started", "Date Submitted", "Status", "Response ID")
    )
    if not submitted:
        return 0.0
    return 0.8 + 0.15 * status if started else 0.7 * (status and response)


def _alchemer_heads(names: Sequence[str]) -> list[Head]:
    """`Option:Question`, where several columns share what follows the colon."""
    colons = [
        [k for k, char in enumerate(name) if char == ":" and name[:k].strip() and name[k + 1 : k + 2].strip()]
        for name in names
    ]
    shared = Counter(names)
    for name, places in zip(names, colons, strict=True):
        shared.update(name[k + 1 :] for k in places)
    heads = []
    for name, places in zip(names, colons, strict=True):
        cut = max(places, key=lambda k: (shared[name[k + 1 :]], -k), default=0)
        found = cut and shared[name[cut + 1 :]] > 1
        heads.append(Head(name, name[cut + 1 :].strip(), name[:cut].strip()) if found else Head(name, name))
    return heads


GOOGLE_TIMESTAMPS = (
    *("Timestamp", "Zeitstempel", "Marca temporal", "Horodateur", "Carimbo de data/hora", "Data/Hora"),
    *("Informazioni cronologiche", "Tijdstempel", "Tidstämpel", "Tidsstempel", "Tidsmerke", "Tidspunkt", "Aikaleima"),
    *("Sygnatura czasowa", "Časová značka", "Časová pečiatka", "Časová pečiatka", "Időbélyeg", "Marcaj de timp"),
    *("Marcă temporală", "Marca de temps", "Vremenska oznaka", "Časovni žig", "Zaman damgası", "Χρονική σήμανση"),
    *("Отметка времени", "Позначка часу", "Клеймо за време", "Dấu thời gian", "Stempel waktu", "Cap masa"),
    *(
        "タイムスタンプ",
        "时间戳记",
        "时间戳",
        "時間戳記",
        "타임스탬프",
        "ประทับเวลา",
        "טיימסטמפ",
        "חותמת זמן",
        "طابع زمني",
        "الطابع الزمني",
    ),
)
GOOGLE_PERSONS = (
    *("Email Address", "Email address", "Username", "E-Mail-Adresse", "Nutzername", "Adresse e-mail"),
    *("Nom d'utilisateur", "Dirección de correo electrónico", "Nombre de usuario", "Endereço de e-mail"),
    *("Nome de usuário", "Indirizzo email", "Nome utente", "E-mailadres", "Gebruikersnaam", "メールアドレス"),
    *("ユーザー名", "电子邮件地址", "用户名", "이메일 주소", "사용자 이름", "Адрес электронной почты", "Adres e-mail"),
)
MICROSOFT_NAMES = (
    ("ID", "Start time", "Completion time", "Email", "Name"),
    ("ID", "Startzeit", "Fertigstellungszeit", "E-Mail", "Name"),
    ("ID", "Heure de début", "Heure de fin", "Adresse de messagerie", "Nom"),
    ("ID", "Hora de inicio", "Hora de finalización", "Correo electrónico", "Nombre"),
    ("ID", "Hora de início", "Hora de conclusão", "Email", "Nome"),
    ("ID", "Ora di inizio", "Ora di completamento", "Posta elettronica", "Nome"),
    ("ID", "Begintijd", "Tijd van voltooien", "E-mail", "Naam"),
    ("ID", "开始时间", "完成时间", "电子邮件", "名称"),
    ("ID", "開始時刻", "完了時刻", "メール", "名前"),
)
ANONYMOUS = {
    *("anonymous", "anonym", "anonyme", "anónimo", "anônimo", "anonimo", "anoniem", "anonimowy", "anonyymi"),
    *("anonymní", "анонимный", "匿名", "익명"),
}
"""What Microsoft Forms writes for the e-mail address of respondents who were not asked to sign in."""
A_MOMENT = re.compile(r".*\d.*\d{1,2}[:.]\d{2}.*")


def _google_forms(rows: Rows) -> float:
    name = next((name for name in GOOGLE_TIMESTAMPS if _starts(_first(rows), name)), None)
    if name is None:
        return 0.0
    below = _below(rows, name)
    return 0.9 if not below or any(A_DATE.match(text) or A_MOMENT.match(text) for text in below) else 0.0


def _microsoft_forms(rows: Rows) -> float:
    header = _first(rows)
    for names in MICROSOFT_NAMES:
        if _starts(header, names[0]) and _share(names[:3], header) == 1:
            return 0.8 + 0.2 * _share(names[3:], header)
    return 0.6 if _is_microsoft_anywhere(rows) else 0.0


def _is_microsoft_anywhere(rows: Rows) -> bool:
    """Whether an export begins as Microsoft Forms begins it, in a language whose names are not known here."""
    below = [row for row in rows if _folded(row)][1:]
    return (
        _starts(_first(rows), "ID")
        and bool(below)
        and all(len(row) > 4 and A_MOMENT.match(row[1]) and A_MOMENT.match(row[2]) for row in below)
        and all(row[3].strip().casefold() in ANONYMOUS for row in below)
    )


def _microsoft_headers(rows: Rows) -> Headers:
    headers = _one_row(rows)
    if any(_share(names[:3], _first(rows)) == 1 for names in MICROSOFT_NAMES) or not _is_microsoft_anywhere(rows):
        return headers
    roles = (ColumnKind.ID, ColumnKind.TIME, ColumnKind.TIME, ColumnKind.PII, ColumnKind.PII)
    own = tuple(replace(head, role=role) for head, role in zip(headers.heads, roles, strict=False))
    return Headers(headers.rows, own + headers.heads[len(own) :])


def _typeform(rows: Rows) -> float:
    header = _folded(_first(rows))
    if _starts(_first(rows), "#"):
        return 1.0 * bool(header & {fold("Submit Date (UTC)"), fold("Network ID"), fold("Start Date (UTC)")})
    return 0.7 * ({fold("Submitted At"), fold("Token")} <= header)


def _kobotoolbox(rows: Rows) -> float:
    share = _share(("_id", "_uuid", "_submission_time", "_index"), _first(rows))
    return share if share >= 0.75 else 0.0


def _odk(rows: Rows) -> float:
    header = _folded(_first(rows))
    if {fold("SubmissionDate"), fold("KEY")} <= header:
        return 1.0
    ids = [name for name in _first(rows) if fold(name) in {"instanceid", "meta-instanceid", "meta:instanceid"}]
    return 0.8 if any(text.startswith("uuid:") for name in ids for text in _below(rows, name)) else 0.0


def _option_heads(names: Sequence[str]) -> list[Head]:
    """`question/option` beside a column `question`, as select-many questions are written."""
    known = set(names)
    heads = []
    for name in names:
        question, slash, option = name.rpartition("/")
        heads.append(Head(name, question, option) if slash and option and question in known else Head(name, name))
    return heads


SOSCI_NAMES = ("CASE", "SERIAL", "REF", "QUESTNNR", "MODE", "STARTED", "LASTDATA", "FINISHED", "TIME_SUM")


def _sosci(rows: Rows) -> float:
    header = _first(rows)
    present = _folded(header) & set(map(fold, SOSCI_NAMES))
    if not _starts(header, "CASE"):
        return 0.0
    if "questnnr" in present and len(present) > 2:
        return 0.8 + 0.2 * _share(SOSCI_NAMES[:6], header)
    return 0.6 if len(present) > 4 else 0.0


def _sosci_headers(rows: Rows) -> Headers:
    """Names, and below them the questions' texts where the export was asked for them."""
    headers = _one_row(rows)
    if headers.rows < len(rows):
        below, case = rows[headers.rows], next((k for k, h in enumerate(headers.heads) if fold(h.name) == "case"), 0)
        if len(below) > case and below[case].strip() and not below[case].strip().isdigit():
            names = [head.name for head in headers.heads]
            texts = [*below, *[""] * len(names)][: len(names)]
            groups = [name.partition("_")[0] if name.partition("_")[2][:1].isdigit() else name for name in names]
            parts = _texts_and_items(texts, groups, ": ")
            heads = [Head(name, text or name, item) for name, (text, item) in zip(names, parts, strict=True)]
            return Headers(headers.rows + 1, tuple(heads))
    return headers


REDCAP_NAME = re.compile(r"[a-z][a-z0-9_]*")
REDCAP_CHOICE = re.compile(r"(?P<question>.+?)\s*\(choice=(?P<item>.*)\)", re.DOTALL)
FORM_STATUS = {"0", "1", "2", "incomplete", "unverified", "complete"}


def _redcap(rows: Rows) -> float:
    header = _first(rows)
    names = [fold(name) for name in header]
    if fold("Variable / Field Name") in names:
        return 0.0
    if _starts(header, "Record ID") and fold("Complete?") in names:
        return 0.9
    if not all(REDCAP_NAME.fullmatch(name.strip()) for name in header if name.strip()):
        return 0.0
    status = [name for name in header if _is_form_status(name, _below(rows, name))]
    signs = (
        2 * any(name.startswith("redcap_") for name in names)
        + ("record_id" in names[:1])
        + bool(status)
        + any(re.fullmatch(r"\w+___\w+", name) for name in names)
    )
    if signs == 1 and status and names[0].endswith("_id"):
        return 0.6
    return {0: 0.0, 1: 0.0, 2: 0.95}.get(signs, 1.0)


def _is_form_status(name: str, answers: Sequence[str]) -> bool:
    return fold(name).endswith("_complete") and {fold(text) for text in answers} <= FORM_STATUS


def _redcap_headers(rows: Rows) -> Headers:
    def heads(names: Sequence[str]) -> list[Head]:
        return [_redcap_head(name, _below(rows, name)) for name in names]

    return _one_row(rows, heads)


def _redcap_head(name: str, answers: Sequence[str]) -> Head:
    if _is_form_status(name, answers):
        return Head(name, name, role=ColumnKind.METADATA)
    if choice := REDCAP_CHOICE.fullmatch(name):
        return Head(name, choice["question"], choice["item"])
    question, mark, item = name.partition("___")
    return Head(name, question, item) if mark else Head(name, name)


EUSURVEY_PREAMBLE = ("alias", "exportdate", "filter", "aliasname")


def _eusurvey(rows: Rows) -> float:
    firsts = {fold(row[0]).rstrip(":") for row in rows[:8] if row and row[0].strip()}
    preamble = "alias" in firsts and any(name.startswith("exportdate") for name in firsts)
    return 1.0 if preamble else 0.9 * any(_share(("Contribution ID", "Creation Date"), row) == 1 for row in rows[:8])


def _eusurvey_headers(rows: Rows) -> Headers:
    """`Matrix: row`, below a few records on the survey itself."""
    at = next((k for k, row in enumerate(rows[:8]) if fold("Contribution ID") in _folded(row)), None)
    if at is None:
        own = [k for k, row in enumerate(rows[:8]) if row and fold(row[0]).rstrip(":").startswith(EUSURVEY_PREAMBLE)]
        at = next((k for k in range(own[-1] + 1 if own else 0, len(rows)) if _folded(rows[k])), 0)
    names = [_clean(name) for name in rows[at]] if rows else []
    colons = [[found.start() for found in re.finditer(r"(?<=\S): (?=\S)", name)] for name in names]
    runs = _runs([[name[:k] for k in places] for name, places in zip(names, colons, strict=True)])
    heads = []
    for name, places, lengths in zip(names, colons, runs, strict=True):
        length, cut = max(zip(lengths, places, strict=True), default=(0, 0))
        heads.append(Head(name, name[:cut], name[cut + 2 :].strip()) if length > 1 else Head(name, name))
    return Headers(at + 1, tuple(heads))


WENJUANXING_NAMES = ("序号", "提交答卷时间", "所用时间", "来源", "来源详情", "来自IP")
WENJUANXING_HEAD = re.compile(r"(?P<number>\d+)\s*[、.．]\s*(?P<text>.+)", re.DOTALL)


def _wenjuanxing(rows: Rows) -> float:
    header = _first(rows)
    share = _share(WENJUANXING_NAMES, header)
    return share if share >= 0.5 and _folded(header) & {"提交答卷时间", "所用时间"} else 0.0


def _wenjuanxing_heads(names: Sequence[str]) -> list[Head]:
    """`1、question` and, in a matrix, `1、question—row`."""
    found = [WENJUANXING_HEAD.fullmatch(name) for name in names]
    parts = _texts_and_items(
        [numbered["text"] if numbered else name for numbered, name in zip(found, names, strict=True)],
        [numbered["number"] if numbered else f" {k}" for k, numbered in enumerate(found)],
        *("—", "：", ":"),
    )
    return [
        Head(name, text.rstrip("—").strip(), item.lstrip("—")) for name, (text, item) in zip(names, parts, strict=True)
    ]


def _set(*names: str) -> frozenset[str]:
    return frozenset(names)


LAYOUTS: dict[Tool, Layout] = {
    layout.tool: layout
    for layout in (
        Layout(
            Tool.QUALTRICS,
            _qualtrics,
            _qualtrics_headers,
            respondent=("ResponseId", "ResponseID"),
            started=("StartDate",),
            finished=("EndDate",),
            seconds=("Duration (in seconds)",),
            preview=(
                (
                    "Status",
                    (
                        *("1", "2", "9", "17", "Survey Preview", "Survey Test"),
                        *("Survey Preview Spam", "Offline Survey Preview"),
                    ),
                ),
                ("DistributionChannel", ("preview", "test")),
            ),
            personal=_set(
                *("IPAddress", "RecipientLastName", "RecipientFirstName", "RecipientEmail", "ExternalReference"),
                *("ExternalDataReference", "Name", "EmailAddress", "LocationLatitude", "LocationLongitude"),
            ),
            metadata=_set(
                *("Status", "Progress", "Finished", "RecordedDate", "ResponseSet", "DistributionChannel"),
                *("UserLanguage", "LocationAccuracy"),
            ),
            multiple_separators=",",
            known_as=lambda head: head.question if re.fullmatch(r"V\d+", head.name) else head.name,
        ),
        Layout(
            Tool.SURVEYMONKEY,
            _surveymonkey,
            _surveymonkey_headers,
            respondent=("Respondent ID", "RespondentID"),
            started=("Start Date", "StartDate"),
            finished=("End Date", "EndDate"),
            personal=_set("IP Address", "Email Address", "First Name", "Last Name"),
            metadata=_set(
                *(
                    "Collector ID",
                    "CollectorID",
                    "Collector",
                    "Custom Data 1",
                    "Custom Data",
                    "Custom Value",
                    "language",
                ),
            ),
        ),
        Layout(
            Tool.GOOGLE_FORMS,
            _google_forms,
            _plain_headers,
            finished=GOOGLE_TIMESTAMPS,
            personal=_set(*GOOGLE_PERSONS),
            multiple_separators=";,",
        ),
        Layout(
            Tool.MICROSOFT_FORMS,
            _microsoft_forms,
            _microsoft_headers,
            respondent=("ID",),
            started=tuple(names[1] for names in MICROSOFT_NAMES),
            finished=tuple(names[2] for names in MICROSOFT_NAMES),
            personal=_set(*(name for names in MICROSOFT_NAMES for name in names[3:])),
            metadata=_set("Last modified time", "Total points", "Quiz feedback", "Grade posted time"),
        ),
        Layout(
            Tool.LIMESURVEY,
            _limesurvey,
            lambda rows: _one_row(rows, _limesurvey_heads),
            respondent=("id", *(texts[0] for texts in LIMESURVEY_TEXTS)),
            started=("startdate", "Date started"),
            finished=("submitdate", *(texts[1] for texts in LIMESURVEY_TEXTS)),
            seconds=("interviewtime", "Total time"),
            personal=_set("ipaddr", "IP address", "IP-Adresse", "token", "email", "firstname", "lastname"),
            metadata=_set(
                *("lastpage", "startlanguage", "seed", "datestamp", "Date last action", "refurl", "Referrer URL"),
                *(name for texts in LIMESURVEY_TEXTS for name in texts[2:]),
            ),
            known_as=_limesurvey_known_as,
        ),
        Layout(
            Tool.ALCHEMER,
            _alchemer,
            lambda rows: _one_row(rows, _alchemer_heads),
            respondent=("Response ID",),
            started=("Time Started",),
            finished=("Date Submitted",),
            personal=_set("IP Address", "Longitude", "Latitude", "City", "Postal", "Email"),
            metadata=_set(
                *("Status", "Contact ID", "Legacy Comments", "Comments", "Language", "Referer", "Extended Referer"),
                *("SessionID", "User Agent", "Extended User Agent", "Tags", "Link Name", "URL Redirect"),
                *("Country", "State/Region"),
            ),
        ),
        Layout(
            Tool.TYPEFORM,
            _typeform,
            _one_row,
            respondent=("#", "Token"),
            started=("Start Date (UTC)",),
            finished=("Submit Date (UTC)", "Submitted At"),
            personal=_set("Network ID"),
            metadata=_set("Tags", "Response Type", "Stage Date (UTC)", "Ending", "Score"),
        ),
        Layout(
            Tool.KOBOTOOLBOX,
            _kobotoolbox,
            lambda rows: _one_row(rows, _option_heads),
            respondent=("_id", "_uuid"),
            started=("start",),
            finished=("end",),
            personal=_set("_submitted_by", "username", "phonenumber", "deviceid", "simserial", "subscriberid"),
            metadata=_set(
                *("_submission_time", "_index", "_validation_status", "_notes", "_status", "__version__", "_tags"),
                *("_uuid", "_parent_index", "_parent_table_name", "today", "_root_uuid", "meta/rootUuid"),
            ),
            multiple_separators=" ",
        ),
        Layout(
            Tool.ODK,
            _odk,
            lambda rows: _one_row(rows, _option_heads),
            respondent=("KEY", "meta-instanceID", "instanceID"),
            started=("start",),
            finished=("end", "SubmissionDate"),
            personal=_set("SubmitterID", "SubmitterName", "DeviceID", "username", "phonenumber"),
            metadata=_set("AttachmentsPresent", "AttachmentsExpected", "Status", "ReviewState", "Edits", "FormVersion"),
            special=(("NULL", Special.BLANK),),
            multiple_separators=" ;",
        ),
        Layout(
            Tool.SOSCI,
            _sosci,
            _sosci_headers,
            respondent=("CASE",),
            started=("STARTED",),
            finished=("LASTDATA",),
            seconds=("TIME_SUM",),
            preview=(("MODE", ("debug", "pretest", "admin")),),
            personal=_set("REF", "SERIAL", "MAILSENT"),
            metadata=_set(
                *("QUESTNNR", "MODE", "LANGUAGE", "FINISHED", "Q_VIEWER", "LASTPAGE", "MAXPAGE", "MISSING", "MISSREL"),
                *("TIME_RSI", "STATUS"),
            ),
            special=(("-9", Special.BLANK), ("-1", Special.DONT_KNOW)),
        ),
        Layout(
            Tool.REDCAP,
            _redcap,
            _redcap_headers,
            respondent=("record_id", "study_id", "Record ID"),
            finished=("survey_timestamp", "Survey Timestamp"),
            personal=_set("redcap_survey_identifier", "Survey Identifier"),
            metadata=_set(
                *("redcap_event_name", "redcap_repeat_instrument", "redcap_repeat_instance"),
                *("redcap_data_access_group", "Event Name", "Repeat Instrument", "Repeat Instance"),
                *("Data Access Group", "Complete?"),
            ),
        ),
        Layout(
            Tool.EUSURVEY,
            _eusurvey,
            _eusurvey_headers,
            respondent=("Contribution ID",),
            finished=("Creation Date",),
            personal=_set("User Name", "Invitation ID", "Invitation Number"),
            metadata=_set("Last Update", "Language", "Languages", "Total Score"),
        ),
        Layout(
            Tool.WENJUANXING,
            _wenjuanxing,
            lambda rows: _one_row(rows, _wenjuanxing_heads),
            respondent=("序号",),
            finished=("提交答卷时间",),
            seconds=("所用时间",),
            personal=_set("来自IP", "来源详情", "姓名", "手机"),
            metadata=_set("来源", "总分"),
            special=(("-3", Special.BLANK), ("(跳过)", Special.BLANK), ("(空)", Special.BLANK)),
            multiple_separators="┋",
        ),
        Layout(Tool.PLAIN, lambda _: 0.0, _plain_headers),
    )
}
"""Every layout by its tool; a further tool is a further line."""
