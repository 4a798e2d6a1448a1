"""Bytes to text: which encoding and which delimiter a text export has, judged by what each would make of it."""

from __future__ import annotations

import codecs
import csv
import io
import itertools
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from materiality.wording import Message

DELIMITERS = ",;\t|"
RECORDS_TRIED = 100
CHARACTERS_TRIED = 1 << 18
BLOCK = 1 << 20
HEAD = 1 << 16
SPANS_FROM_BLOCK = 1 << 14
SPANS_IN_ALL = 1 << 16
"""Bytes of the spans around non-ASCII bytes that a guess rests on: this many of one block, and of the whole file."""
SENSIBLE = 0.3
"""From this score on, a reading is taken for text; below it, nothing in the text speaks for any encoding."""
CLEAR_LEAD = 0.5
CHARACTERS_TO_ASK = 20
"""With fewer non-ASCII characters than this, charset-normalizer's answer is chance."""

BOMS = (
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it starts with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (codecs.BOM_UTF8, "utf-8-sig"),
)

HIGH_SPAN = re.compile(rb"[\x80-\xff]+(?:[\x00-\x7f]{1,16}[\x80-\xff]+)*[\x00-\x7f]{0,16}")
BEFORE_SPAN = 16
ASCII_AT_ONCE = 1 << 12
OTHERS_NAMED = ("gb18030", "cp1252", "mac_roman")

# Letters beyond ASCII by language: frequent ones, then rare ones. A language's own letters speak for its code page.
LANGUAGES: dict[str, tuple[tuple[str, str], ...]] = {
    "western": (
        ("äöüß", "éèà"),
        ("éèàêçùôâî", "ëïûüœæÿ"),
        ("áéíóúñ", "üç"),
        ("ãçáéíóúêâõà", "ôüñè"),
        ("àèéìòù", "îóú"),
        ("åäöéø", "æüáàè"),
        ("æøå", "éöäü"),
        ("áéíóúö", "ýþæð"),
        ("éëïèöü", "êóáçä"),
        ("àéèíòóúçï", "üñ"),
    ),
    "central": (
        ("ąćęłńóśżź", ""),
        ("áčďéěíňóřšťúůýž", "öü"),
        ("áčďéíľňóšťúýžô", "äĺŕ"),
        ("áéíóöőúüű", ""),
        ("ăâîșțşţ", ""),
        ("čćđšž", "äöü"),
    ),
    "turkish": (("çğıöşüİ", "âîû"),),
    "baltic": (("ąčęėįšųūž", ""), ("āčēģīķļņšūž", "ō"), ("äöõü", "šž")),
    "cyrillic": (
        ("оеаинтсрвлкмдпуяыьгзбчй", "хжшюцщэфъё"),
        ("оаниітевсркулдмпзяьбгчй", "шхцюжїщєфґ"),
        ("аоиенстрјвкдупмлгзб", "шчцхжћђљњџфѓќѕ"),
        ("аеінорстклвдямпуыьзгчбў", "йхжшюцэфё"),
    ),
    "greek": (("αοιετσνηυρπκμλςωάίόέ", "δγθχφβξζψήύώϊϋΐΰ"),),
    "hebrew": (("אבגדהוזחטיךכלםמןנסעףפץצקרשת", ""),),
    "arabic": (("ابتثجحخدذرزسشصضطظعغفقكلمنهويةىأإآؤئء", "پچژگکی،؟"),),
    "thai": (("กขคงจชดตถทนบปผพมยรลวสหอะาำเแโใไๆัิีึืุู่้็์", "ฃฅฆฉซฌญฎฏฐฑฒณธฝฟภศษฬฮฤฯ๊๋"),),
}
LATIN = frozenset({"western", "central", "turkish", "baltic"})

COMMON_CHINESE = frozenset(
    "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里用道行所然家种事成方多"
    "经么去法学如都同现当没动面起看定天分还进好小部其些主样理心她本前开但因只从想实日军者意无力它与长把机十民第公此已工使情明性知"
    "全三又关点正业外将两高间由问很最重并物手应战向头文体政美相见被利什二等产或新己制身果加西斯月话合回特代内信表化老给世位次度门"
    "任常先海通教儿原东声提立及比员解水名真论处走义各入几口认条平系气题活尔更别打女变四神总何电数安少报才结反受目太量再感建务做接"
    "必场件计管期市直德资命山金指克许统区保至队形社便空决治展马科司五基眼书非则听白却界达光放强即像难且权思王象完设式色路记南品住告"
    "类求据程北边死张该交规万取拉格望觉术领共确传师观清今切院让识候带导争运您请选择序号答卷评价非常满意客户供应商环境社会议题影响"
    "企业股东监管男性别职龄岁未填写较般详来源所源单项姓名部绩效益风险机构投资碳排放废健康源类型学历选其它意见建没谢供链能源否"
    "這個們來為國說時會對後過發裡種經麼動還進樣無與長機關點業將兩間問應戰頭體見產給話門員論處義幾條氣題爾變總電數報結務場計許統區保"
    "隊決馬強書聽達難權設記類據邊張該規覺術領確傳師觀讓識候帶導爭運請選擇號評價滿環響議風險構資廢歷謝鏈較詳單項績從開當沒學實現"
)
COMMON_HANGUL = frozenset(
    "이다는을의에가고하지사기을를은로대한어시도자인스리나해서아정제있그부수들보게일과주장라안만상구전화와적성조원비마중동국문우신오생"
    "으면내습니까음않없여러유미경영명양선소소연계공관모업요트무위의환개연세치용재물것거당체분실방발통진산심저금바회학교단년월로경지회사"
    "응답매우중요보통합입력설문평가직원고객남녀별번호시간그렇렇데터름야말간때할호울달술감행결래석른또좋못키질크노및"
)
COMMON_KANJI = frozenset(
    "日一国会人年大十二本中長出三同時政事自行社見月分議後前民生連五発間対上部東者党地合市業内相方四定今回新場金員九入選立開手米力学"
    "問高代明実円関決子動京全目表戦経通外最言氏現理調体化田当八六約主題下首意法不来作性的要用制治度務強気小七成期公野協取都和統以機平"
    "総加山思家話世受区領多県続進正安設保改数記院女初北午指権心界支第産結百派点教報済書府活原先共得解名交資予川向際査勝面委告軍文反元"
    "重近千考判認画海参売利組知案道信策集在件団別物側任引使求所次水半品昨論計死官増係感特情投示変打男基私各始島直両朝革価式確村提運終"
    "回答質問満足重要環境従業員顧客評価影響非常号性"
)

PAUSES = frozenset("\u3000、。，．：；？！（）「」『』【】《》〈〉〔〕“”‘’…—―～〜·・※①②③④⑤⑥⑦⑧⑨⑩┋￥％＆／")
OPENING = frozenset("“„‘‚«‹¿¡")
CLOSING = frozenset("”’“»›…°ºª®™%")
TONES = frozenset("่้๊๋์")
CONTROL = frozenset({"Cc", "Cn", "Co", "Cs"})


@dataclass(frozen=True)
class Decoding:
    """How a file's bytes become text.

    Attributes
    ----------
    encoding : str
        The codec to open the file with. Where the file is damaged, it is the one most of it is written in, and opening
        the file with it fails at the damage.
    note : str
        Empty where the encoding is certain; else a sentence that says what was guessed and how to correct it.
    """

    encoding: str
    note: str


@dataclass(frozen=True)
class Reading:
    """A codec that an export may be written in, and the text it is meant for.

    Attributes
    ----------
    encoding : str
        Python's name of the codec; of several alike, the one that knows the most characters.
    script : str
        Which text makes sense in it: a key of `LANGUAGES`, "chinese", "japanese", "korean" or "utf-8".
    called : str
        Its name in a message.
    head_start : float
        Added to the score, so that readings alike for most texts go to the usual one.
    """

    encoding: str
    script: str
    called: str
    head_start: float = 0.0


READINGS = (
    Reading("utf-8", "utf-8", "UTF-8"),
    Reading("gb18030", "chinese", "Chinese, GB18030", 0.02),
    Reading("cp1252", "western", "Western European, cp1252", 0.15),
    Reading("mac_roman", "western", "Western European of older Macs, mac_roman", 0.1),
    Reading("cp950", "chinese", "traditional Chinese, Big5"),
    Reading("cp932", "japanese", "Japanese, Shift JIS"),
    Reading("euc_jp", "japanese", "Japanese, EUC-JP"),
    Reading("cp949", "korean", "Korean, EUC-KR", 0.02),
    Reading("cp1251", "cyrillic", "Cyrillic, cp1251", 0.02),
    Reading("koi8_r", "cyrillic", "Cyrillic, KOI8-R"),
    Reading("koi8_u", "cyrillic", "Cyrillic, KOI8-U"),
    Reading("iso8859_5", "cyrillic", "Cyrillic, ISO 8859-5"),
    Reading("mac_cyrillic", "cyrillic", "Cyrillic of older Macs, mac_cyrillic"),
    Reading("cp866", "cyrillic", "Cyrillic of DOS, cp866"),
    Reading("cp1250", "central", "Central European, cp1250", 0.02),
    Reading("iso8859_2", "central", "Central European, ISO 8859-2"),
    Reading("mac_latin2", "central", "Central European of older Macs, mac_latin2"),
    Reading("cp852", "central", "Central European of DOS, cp852"),
    Reading("cp1254", "turkish", "Turkish, cp1254"),
    Reading("cp1257", "baltic", "Baltic, cp1257"),
    Reading("cp1253", "greek", "Greek, cp1253", 0.002),
    Reading("iso8859_7", "greek", "Greek, ISO 8859-7"),
    Reading("cp1255", "hebrew", "Hebrew, cp1255"),
    Reading("cp1256", "arabic", "Arabic, cp1256"),
    Reading("cp874", "thai", "Thai, cp874"),
    Reading("iso8859_15", "western", "Western European, ISO 8859-15"),
    Reading("cp850", "western", "Western European of DOS, cp850"),
)

CP1252, MAC_ROMAN = (next(r for r in READINGS if r.encoding == encoding) for encoding in ("cp1252", "mac_roman"))


def detect_encoding(path: Path, declared: str = "") -> Decoding:
    """The encoding of a text file, from its bytes.

    A byte order mark is believed first, then what the study declares, then bytes that are UTF-8 throughout, then UTF-16
    and UTF-32, known by their ASCII characters. Failing these, the bytes around every non-ASCII one (of a large file,
    the first 64 KiB of them) are read in each of the usual legacy encodings, and the one that makes most sense of them
    is taken: letters of one language, inside words, in the case they should have; common ideographs that stand
    together.

    Parameters
    ----------
    path : Path
        The file. It is read in blocks, and not at all beyond its start where a mark or `declared` settles it.
    declared : str
        A codec's name from the study file; empty where it names none.

    Returns
    -------
    Decoding
        With a note where it is a guess. ASCII counts as UTF-8.

    Raises
    ------
    OSError
        If the file cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(HEAD)
    for mark, encoding in BOMS:
        if head.startswith(mark):
            return Decoding(encoding, "")
    if declared:
        return Decoding(declared, "")
    if b"\0" in head and (encoding := _wide(head)):
        unmarked = Message("The file has no byte order mark and is read as %(encoding)s.", encoding=encoding.upper())
        return Decoding(encoding, _note(unmarked, encoding))
    is_utf8, spans = _survey(path)
    return Decoding("utf-8", "") if is_utf8 else _guess(spans)


def _wide(head: bytes) -> str:
    """UTF-16 or UTF-32 without a mark, by how much ASCII there is in it; empty where neither fits."""
    best, found = 0.02, ""
    for encoding, size in (("utf-32-le", 4), ("utf-32-be", 4), ("utf-16-le", 2), ("utf-16-be", 2)):
        try:
            text = codecs.getincrementaldecoder(encoding)().decode(head[: len(head) // size * size])
        except UnicodeDecodeError:
            continue
        kinds = Counter(text)
        if any(unicodedata.category(char) in CONTROL and char not in "\r\n\t" for char in kinds):
            continue
        ascii_share = sum(count for char, count in kinds.items() if char.isascii()) / max(1, len(text))
        if ascii_share > best:
            best, found = ascii_share, encoding
    return found


def _survey(path: Path) -> tuple[bool, list[bytes]]:
    """Whether a file is UTF-8 throughout, and the spans around its non-ASCII bytes, as many as a guess needs."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    is_utf8, characters, spans, held = True, False, [], 0
    for block in _blocks(path):
        if block.isascii() and not decoder.getstate()[0]:
            continue
        if held < SPANS_IN_ALL:
            here = 0
            for span in _high_spans(block):
                spans.append(span[:SPANS_FROM_BLOCK])
                here += len(spans[-1])
                if here >= SPANS_FROM_BLOCK:
                    break
            held += here
        if is_utf8:
            try:
                characters |= not decoder.decode(block).isascii()
            except UnicodeDecodeError:
                is_utf8 = False
        if not is_utf8 and held >= SPANS_IN_ALL:
            break
    # Two bytes of a character at the very end are a file cut short; a single one may be a letter of another code.
    ends_well = len(decoder.getstate()[0]) != 1 or characters
    return is_utf8 and bool(ends_well), spans


def _high_spans(block: bytes) -> Iterator[bytes]:
    """Runs of non-ASCII bytes with what stands around them; none begins inside a character."""
    start = 0
    while start < len(block):
        if block[start : start + ASCII_AT_ONCE].isascii():
            start += ASCII_AT_ONCE
        elif match := HIGH_SPAN.search(block, start):
            yield block[max(start, match.start() - BEFORE_SPAN) : match.end()]
            start = match.end()


def _blocks(path: Path) -> Iterator[bytes]:
    """A file in blocks that end with a line, so that none begins inside a character; overlong lines are cut."""
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            yield block + file.readline(HEAD)


def _guess(spans: list[bytes]) -> Decoding:
    # A head start decides between readings that make the same of a few characters, and weighs less with more evidence.
    few = max(0.4, 10 / (10 + sum(byte > 0x7F for span in spans for byte in span)))
    scores = {reading: _sense(spans, reading) + few * reading.head_start for reading in READINGS}
    best = max(READINGS, key=lambda reading: scores[reading])
    if scores[best] < SENSIBLE:
        if named := _ask_charset_normalizer(spans):
            return Decoding(named, _note(_read_as(named), named))
        # Of the two likeliest, mac_roman has a character for every byte.
        best = CP1252 if scores[CP1252] > scores[MAC_ROMAN] + CLEAR_LEAD else MAC_ROMAN
        what = Message(
            "The file is not UTF-8, and its few other characters make sense in no encoding; it is read as "
            "%(encoding)s.",
            encoding=best.called,
        )
        return Decoding(best.encoding, _note(what, best.encoding))
    if best.encoding == "utf-8":
        return Decoding("utf-8", _note(Message("The file is UTF-8 but for some damaged characters."), "utf-8"))
    return Decoding(best.encoding, _note(_read_as(best.called), best.encoding))


def _read_as(encoding: str) -> Message:
    return Message("The file is not UTF-8 and is read as %(encoding)s.", encoding=encoding)


def _note(what: Message, taken: str) -> Message:
    one, other = [f'"{name}"' for name in OTHERS_NAMED if name != taken][:2]
    return Message(
        "%(what)s If letters in its questions or answers look wrong, name its encoding in [[responses]], e.g. encoding "
        "= %(one)s or %(other)s.",
        what=what,
        one=one,
        other=other,
    )


def _ask_charset_normalizer(spans: list[bytes]) -> str:
    """Its best guess where that decodes all spans into letters of one script; else empty."""
    from charset_normalizer import from_bytes

    sample = b"\n".join(spans)
    match = from_bytes(sample).best()
    if match is None:
        return ""
    try:
        high = [char for char in sample.decode(match.encoding) if not char.isascii()]
    except UnicodeError:
        return ""
    scripts = Counter(unicodedata.name(char, "").split(" ")[0] for char in high if char.isalpha())
    commonest = max(scripts.values(), default=0)
    return match.encoding if len(high) >= CHARACTERS_TO_ASK and commonest > 0.8 * len(high) else ""


# What a reading makes of the bytes


def _sense(spans: list[bytes], reading: Reading) -> float:
    """How much sense the spans make in a reading: the mean over non-ASCII characters, about 1 for clean text."""
    windows: Counter[tuple[str, str, str]] = Counter()
    for span in spans:
        text = f" {span.decode(reading.encoding, 'replace')} "
        windows.update(window for window in zip(text, text[1:], text[2:], strict=False) if window[1] > "\x7f")
    total = sum(windows.values())
    if not total:
        return -1.0
    if reading.script == "utf-8":
        return 1.0 - 2.0 * sum(count for window, count in windows.items() if window[1] == "\ufffd") / total
    if reading.script in LANGUAGES:
        is_latin = reading.script in LATIN
        score = max(_alphabetic(windows, *letters, is_latin) for letters in LANGUAGES[reading.script])
        # In another alphabet nearly any byte is a letter, so that few of them say little.
        return score if is_latin else score * total / (total + 6)
    worth = {"chinese": _chinese, "japanese": _japanese, "korean": _korean}[reading.script]
    score = sum(count * _ideographic(window, worth(window[1])) for window, count in windows.items()) / total
    distinct = len({window[1] for window in windows})
    score *= min(1.0, 0.25 + 0.2 * distinct)  # one ideograph, however often, may be two accented letters
    if reading.script == "japanese" and not any("\u3040" <= window[1] <= "\u30ff" for window in windows):
        score *= 0.8  # Japanese without any kana is rare
    return score


def _alphabetic(windows: Counter[tuple[str, str, str]], frequent: str, rare: str, is_latin: bool) -> float:
    """The mean worth of the characters, were they of the language with these letters."""
    worth = dict.fromkeys(rare + rare.upper(), 0.7) | dict.fromkeys(frequent + frequent.upper(), 1.0)
    score = 0.0
    for window, count in windows.items():
        before, char, after = window
        if char in worth or (char.isalpha() and char not in "ºªµ"):
            value = _letter(before, char, after, worth.get(char, -0.1 if is_latin else 0.2), is_latin)
        else:
            value = _symbol(before, char, after, is_latin)
        score += count * value
    return score / sum(windows.values())


def _letter(before: str, char: str, after: str, value: float, is_latin: bool) -> float:
    if before.islower() and char.isupper():
        return -0.5
    if char.isupper() and before.isupper():
        value -= 0.2
    if unicodedata.category(char) == "Mn" and not (before.isalpha() or char in TONES):
        return -1.0
    neighbours = [other for other in (before, after) if other.isalpha()]
    if not is_latin:
        if any(other.isascii() for other in neighbours):
            return -0.5
        return value if neighbours else 0.0
    if not neighbours:
        # Words of one letter there are few.
        return 0.5 * value if char in "àéóáâèôåö" and before in ' "(' and after in ' ",.)' else -0.2
    return value if any(other.isascii() for other in neighbours) else min(value, 0.1)


def _symbol(before: str, char: str, after: str, is_latin: bool) -> float:
    """Typographic characters where they belong speak for a reading; symbols inside words speak against it."""
    if char == "\ufffd" or unicodedata.category(char) in CONTROL:
        return -2.0
    inside = before.isalpha() and after.isalpha()
    if char == "’":
        return 0.9 if before.isalnum() or before in ".,!?\"”»)'" else -0.5
    if inside and char not in "·\xa0–—…\u0301":
        return -1.0
    if unicodedata.category(char) == "Mn":
        return 0.2 if not is_latin else -0.5
    if char in "–—":
        return 0.7 if before == " " or after == " " or (before.isalnum() and after.isalnum()) else 0.1
    if char in OPENING and (after.isalnum() or after in "¡¿") and not before.isalnum():
        return 0.9
    if char in CLOSING and (before.isalnum() or before in ".,!?)") and not after.isalnum():
        return 0.8
    if char in "»\xa0" and before in " \xa0.!?,":
        return 0.6
    if char in "«\xa0" and (after in " \xa0:;!?»%€" or inside):
        return 0.6
    if char in "€£²³½¼¾§•№·×±µ":
        return 0.3 if not (before.isalpha() and after.isalpha()) else -0.5
    return -0.5


def _ideographic(window: tuple[str, str, str], value: float) -> float:
    """The worth of an East Asian character where it stands: alone beside Latin letters it may be an accented one."""
    before, char, after = window
    if char == "\ufffd" or unicodedata.category(char) in CONTROL:
        return -2.0
    beside = [other.isascii() and other.isalpha() for other in (before, after)]
    if all(beside) or (any(beside) and before.isascii() and after.isascii()):
        return -0.3
    return value


@cache
def _is_common_row(char: str, encoding: str, first: int, last: int) -> bool:
    """Whether a character stands in the rows of a character set that hold the frequent ones."""
    try:
        return first <= char.encode(encoding)[0] <= last
    except UnicodeEncodeError:
        return False


def _chinese(char: str) -> float:
    if char in COMMON_CHINESE or char in PAUSES:
        return 1.0
    if _is_common_row(char, "gb2312", 0xB0, 0xD7) or _is_common_row(char, "big5", 0xA4, 0xC6):
        return 0.6
    return 0.0


def _japanese(char: str) -> float:
    if "\u3041" <= char <= "\u30fe" or char in COMMON_KANJI or char in PAUSES:
        return 1.0
    return 0.6 if "\u4e00" <= char <= "\u9fff" and _is_common_row(char, "euc_jp", 0xB0, 0xCF) else 0.0


def _korean(char: str) -> float:
    if char in COMMON_HANGUL or char in PAUSES:
        return 1.0
    return 0.6 if "\uac00" <= char <= "\ud7a3" and _is_common_row(char, "euc_kr", 0xB0, 0xC8) else 0.0


# Delimiters


def detect_delimiter(path: Path, encoding: str, *, quoting: bool = True) -> str:
    r"""The delimiter of a text file, from its first records.

    Each candidate parts the first hundred records. The better, the more records have one width, the wider they are,
    and the fewer cells still hold another delimiter; a decimal comma, or a comma before a space, is no such sign.

    Parameters
    ----------
    path : Path
        The file.
    encoding : str
        The codec to open it with; what it cannot decode is passed over.
    quoting : bool
        Whether quotes around a cell protect delimiters and line breaks in it.

    Returns
    -------
    str
        One of ``,`` ``;`` ``\t`` ``|``; ``,`` where none of them parts the header, and where two do equally well,
        that of the file's ending.

    Raises
    ------
    OSError
        If the file cannot be read.
    """
    with path.open(encoding=encoding, errors="replace", newline="") as file:
        text = file.read(CHARACTERS_TRIED)
        is_whole = not file.read(1)
    usual = "\t" if path.suffix.lower() == ".tsv" else ","
    best, found = 0.0, ","
    for delimiter in sorted(DELIMITERS, key=lambda mark: mark != usual):
        score = _parting(_records(text, delimiter, quoting, is_whole), delimiter)
        if score > best:
            best, found = score, delimiter
    return found


def _records(text: str, delimiter: str, quoting: bool, is_whole: bool) -> list[list[str]]:
    """The first records with content."""
    lines = io.StringIO(text, newline="")
    reader = csv.reader(lines, delimiter=delimiter, quoting=csv.QUOTE_MINIMAL if quoting else csv.QUOTE_NONE)
    records: list[list[str]] = []
    try:
        records.extend(itertools.islice((record for record in reader if any(record)), RECORDS_TRIED))
    except csv.Error:
        return records
    if not is_whole and 1 < len(records) < RECORDS_TRIED:
        records.pop()  # cut off where the sample ends
    return records


def _parting(records: list[list[str]], delimiter: str) -> float:
    """How well a delimiter parts the records; 0 where it does not part the header."""
    if not records or len(records[0]) < 2:
        return 0.0
    width, agreeing = Counter(map(len, records)).most_common(1)[0]
    others = set(DELIMITERS) - {delimiter, ","}
    cells = [cell for record in records for cell in record if cell]
    clean = sum(others.isdisjoint(cell) for cell in cells) / len(cells)
    spaced = sum(cell.startswith(" ") for cell in cells) / len(cells)
    return (agreeing / len(records)) ** 2 * math.log2(width) * clean * (1 - spaced / 2)
