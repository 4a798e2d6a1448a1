"""Encodings and delimiters: text in many languages, written in each codec it has, must come back as it was."""

from __future__ import annotations

import csv
import tracemalloc
from pathlib import Path

import pytest
from conftest import ROOT, shared
from hypothesis import given, settings
from hypothesis import strategies as st

from materiality.reading.decoding import Decoding, detect_delimiter, detect_encoding

# A header, and answers of which every text takes some. The oracle is the text itself, never the codec's name.
SURVEYS = {
    "chinese": (
        "序号,提交答卷时间,所用时间,来源,您属于以下哪一类利益相关方？,1、气候变化对公司的重要性,2、员工健康与安全",
        (
            "{n},2023/5/6 10:12:33,85秒,微信,员工,非常重要,比较重要",
            "{n},2023/5/6 10:15:01,120秒,手机提交,供应商,一般,不重要",
            "{n},2023/5/7 9:01:47,67秒,链接,投资者,重要,“希望公司加强信息披露，减少碳排放”",
            "{n},2023/5/8 14:22:10,203秒,微信,社区代表,5,建议增加对乡村振兴的投入；关注水资源管理。",
        ),
    ),
    "traditional chinese": (
        "編號,填寫時間,您的身分,氣候變遷的重要性,職業安全與健康,其他意見",
        (
            "{n},2023/5/6 10:12,員工,非常重要,重要,無",
            "{n},2023/5/6 11:40,供應商,普通,不重要,希望公司能夠加強資訊揭露",
            "{n},2023/5/7 09:05,投資人,重要,非常重要,謝謝貴公司的努力，請繼續保持。",
        ),
    ),
    "japanese": (
        "回答番号,日時,所属,気候変動はどのくらい重要ですか,労働安全衛生,ご意見",
        (
            "{n},2023/05/06 10:12,従業員,とても重要,やや重要,特になし",
            "{n},2023/05/06 11:40,取引先,どちらともいえない,重要ではない,サプライチェーンの人権に配慮してください。",
            "{n},2023/05/07 09:05,株主,重要,とても重要,情報開示をもっと充実させてほしいです。",
        ),
    ),
    "korean": (
        "응답번호,제출 시간,소속,기후변화는 얼마나 중요합니까?,산업 안전 보건,기타 의견",
        (
            "{n},2023-05-06 10:12,직원,매우 중요,중요,없음",
            "{n},2023-05-06 11:40,협력사,보통,중요하지 않음,공급망의 인권을 더 살펴 주시기 바랍니다.",
            "{n},2023-05-07 09:05,주주,중요,매우 중요,정보 공개를 확대해 주세요.",
        ),
    ),
    "german": (
        "Nr;Zeitstempel;Gruppe;Wie wichtig ist Energieeffizienz für Sie?;Arbeitssicherheit;Anmerkungen",
        (
            "{n};06.05.2023 10:12;Beschäftigte;sehr wichtig;4,5;Mehr Transparenz über Lieferketten wäre schön.",
            "{n};06.05.2023 11:40;Kunde;weiß nicht;3,0;„Grüne“ Ziele müssen prüfbar sein – sonst nützen sie nichts.",
            "{n};07.05.2023 09:05;Behörde;unwichtig;1,5;Größe und Maß sind öfter entscheidend",
        ),
    ),
    "french": (
        "N;Horodateur;Partie prenante;Quelle est l’importance de l’énergie ?;Santé et sécurité;Commentaires",
        (
            "{n};06/05/2023 10:12;Salarié;Très important;4,5;Réduire les émissions dès aujourd’hui, même à l’étranger.",
            "{n};06/05/2023 11:40;Fournisseur;Peu important;2,0;Où sont les données ? Ça manque de clarté.",
            "{n};07/05/2023 09:05;Société civile;Important;3,5;« La biodiversité » est l’enjeu clé ; à suivre…",
        ),
    ),
    "spanish": (
        "N;Marca temporal;Grupo de interés;¿Qué importancia tiene el cambio climático?;Seguridad;Observaciones",
        (
            "{n};06/05/2023 10:12;Empleado;Muy importante;4,5;Más formación para los compañeros.",
            "{n};06/05/2023 11:40;Cliente;No sé;2,0;¿Cuándo publicarán los datos del año? ¡Qué bien!",
            "{n};07/05/2023 09:05;Administración pública;Importante;3,5;La gestión del agua es crítica aquí.",
        ),
    ),
    "portuguese": (
        "N;Carimbo;Grupo;Qual é a importância das alterações climáticas?;Segurança;Observações",
        (
            "{n};06/05/2023 10:12;Funcionário;Muito importante;4,5;Não há informação suficiente.",
            "{n};06/05/2023 11:40;Cliente;Não sei;2,0;Ações concretas já, por favor. Reduzir emissões é essencial.",
            "{n};07/05/2023 09:05;Órgão público;Importante;3,5;Gestão da água e condições de trabalho.",
        ),
    ),
    "russian": (
        "Номер;Отметка времени;Группа;Насколько важно изменение климата?;Охрана труда;Комментарии",
        (
            "{n};06.05.2023 10:12;Сотрудник;Очень важно;4,5;Нужна большая прозрачность цепочки поставок.",
            "{n};06.05.2023 11:40;Клиент;Не знаю;2,0;Спасибо",
            "{n};07.05.2023 09:05;Инвестор;Важно;3,5;Публикуйте отчёты чаще, и в открытом виде.",
        ),
    ),
    "polish": (
        "Nr;Sygnatura czasowa;Grupa;Jak ważna jest zmiana klimatu?;Bezpieczeństwo;Uwagi",
        (
            "{n};06.05.2023 10:12;Pracownik;Bardzo ważna;4,5;Proszę częściej publikować wyniki.",
            "{n};06.05.2023 11:40;Klient;Nie mam zdania;2,0;Źródła danych są niejasne, a łańcuch dostaw zbyt długi.",
            "{n};07.05.2023 09:05;Społeczność lokalna;Ważna;3,5;Więcej przejrzystości!",
        ),
    ),
    "czech": (
        "Č.;Čas;Skupina;Jak důležitá je změna klimatu?;Bezpečnost;Poznámky",
        (
            "{n};6.5.2023 10:12;Zaměstnanec;Velmi důležitá;4,5;Více průhlednosti, prosím.",
            "{n};6.5.2023 11:40;Zákazník;Nevím;2,0;Dodavatelský řetězec je příliš dlouhý.",
        ),
    ),
    "hungarian": (
        "Sorszám;Időbélyeg;Csoport;Mennyire fontos az éghajlatváltozás?;Munkavédelem;Megjegyzés",
        (
            "{n};2023.05.06 10:12;Munkavállaló;Nagyon fontos;4,5;Több átláthatóságot kérünk.",
            "{n};2023.05.06 11:40;Ügyfél;Nem tudom;2,0;A beszállítói lánc túl hosszú, ellenőrizni kellene az űrlapot.",
        ),
    ),
    "turkish": (
        "No;Zaman damgası;Grup;İklim değişikliği ne kadar önemli?;İş güvenliği;Görüşler",
        (
            "{n};06.05.2023 10:12;Çalışan;Çok önemli;4,5;Daha fazla şeffaflık istiyoruz.",
            "{n};06.05.2023 11:40;Müşteri;Bilmiyorum;2,0;Tedarik zinciri çok uzun, ağaçlar için bir şey yapın.",
        ),
    ),
    "danish": (
        "Nr;Tidspunkt;Gruppe;Hvor vigtige er klimaændringer for dig?;Sikkerhed på arbejdet;Bemærkninger",
        (
            "{n};06-05-2023 10:12;Medarbejder;Meget vigtigt;4,5;Mere åbenhed om leverandørkæden.",
            "{n};06-05-2023 11:40;Kunde;Ved ikke;2,0;Vær venlig at måle på tværs af år.",
        ),
    ),
    "greek": (
        "Αρ.;Χρόνος;Ομάδα;Πόσο σημαντική είναι η κλιματική αλλαγή;Ασφάλεια;Σχόλια",
        (
            "{n};6/5/2023 10:12;Εργαζόμενος;Πολύ σημαντική;4,5;Περισσότερη διαφάνεια, παρακαλώ.",
            "{n};6/5/2023 11:40;Πελάτης;Δεν γνωρίζω;2,0;Η αλυσίδα εφοδιασμού είναι μεγάλη.",
        ),
    ),
    "english, typographic": (
        "ID,Submitted,Which group best describes you?,How important is climate change?,Health and safety,Comments",
        (
            "{n},5/6/2023 10:12,Employee,Very important,4,It’s hard to say – we don’t have the data.",
            "{n},5/6/2023 11:40,Customer,Not sure,2,“Green” claims should be checked…",
            "{n},5/7/2023 09:05,Supplier,Important,3,Don't know",
        ),
    ),
}
CODECS = {
    "chinese": ("gb18030", "gbk", "gb2312"),
    "traditional chinese": ("big5", "cp950", "gb18030"),
    "japanese": ("shift_jis", "cp932", "euc_jp"),
    "korean": ("euc_kr", "cp949"),
    "german": ("cp1252", "mac_roman"),
    "french": ("cp1252", "mac_roman"),
    "spanish": ("cp1252", "mac_roman", "cp850", "latin-1", "iso8859_15"),
    "portuguese": ("cp1252", "mac_roman", "cp850", "latin-1", "iso8859_15"),
    "russian": ("cp1251", "koi8_r", "iso8859_5", "mac_cyrillic", "cp866"),
    "polish": ("cp1250", "iso8859_2", "mac_latin2", "cp852"),
    "czech": ("cp1250", "iso8859_2", "mac_latin2", "cp852"),
    "hungarian": ("cp1250", "iso8859_2"),
    "turkish": ("cp1254", "iso8859_9"),
    "danish": ("cp1252", "mac_roman", "latin-1"),
    "greek": ("cp1253", "iso8859_7"),
    "english, typographic": ("cp1252", "mac_roman"),
}
UNICODE = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be")
GUESSED = (
    "The file {}. If letters in its questions or answers look wrong, name its encoding in [[responses]], "
    'e.g. encoding = "{}".'
)
REAL = [
    row
    for row in csv.DictReader((ROOT / "tests" / "exports.csv").read_text("utf-8").splitlines())
    if row["encoding"] and row["file"].endswith((".csv", ".tsv", ".txt"))
]


def survey(language: str, rows: int) -> str:
    """A text with so many rows of answers."""
    header, answers = SURVEYS[language]
    return "\r\n".join((header, *(answers[n % len(answers)].format(n=n + 1) for n in range(rows)), ""))


def write(folder: Path, content: bytes, name: str = "export.csv") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def text_of(path: Path, declared: str = "") -> str:
    """A file as text, in the encoding found; without its byte order mark."""
    with path.open(encoding=detect_encoding(path, declared).encoding, newline="") as file:
        return file.read().removeprefix("\ufeff")


LEGACY = [(language, codec) for language, names in CODECS.items() for codec in names]


@pytest.mark.parametrize("rows", [1, 2, 3, 30, 3000])
@pytest.mark.parametrize(("language", "codec"), LEGACY)
def test_text_in_a_legacy_encoding_comes_back(tmp_path, language, codec, rows):
    text = survey(language, rows)
    path = write(tmp_path, text.encode(codec))
    assert text_of(path) == text
    assert detect_encoding(path).note


@pytest.mark.parametrize(("language", "codec"), LEGACY)
def test_few_characters_repeated_many_times_say_no_less(tmp_path, language, codec):
    text = SURVEYS[language][1][1] * 3000
    assert text_of(write(tmp_path, text.encode(codec))) == text


@pytest.mark.parametrize("codec", UNICODE)
@pytest.mark.parametrize("language", SURVEYS)
def test_text_in_unicode_comes_back(tmp_path, language, codec):
    text = survey(language, 3)
    mark = "" if codec in {"utf-8", "utf-8-sig", "utf-16", "utf-32"} else "\ufeff"
    for start in {"", mark}:
        path = write(tmp_path, (start + text).encode(codec))
        assert text_of(path) == text
        certain = codec in {"utf-8", "utf-8-sig", "utf-16", "utf-32"} or bool(start)
        assert (detect_encoding(path).note == "") is certain


@pytest.mark.parametrize("codec", ["cp1252", "mac_roman"])
@pytest.mark.parametrize("language", ["german", "french", "spanish", "portuguese", "danish"])
def test_one_accented_letter_is_enough_between_western_encodings(tmp_path, language, codec):
    header, answers = SURVEYS[language]
    words = {word.strip(".,;:!?") for word in " ".join((header, *answers)).replace(";", " ").split()}
    accented = sorted(word for word in words if len(word) > 3 and sum(not char.isascii() for char in word) == 1)
    assert len(accented) >= 4
    for word in filter(str.isalpha, accented):
        text = f"id,group,Safety,Comments\n1,Staff,4,{word}\n2,Customer,5,none\n"
        found = detect_encoding(write(tmp_path, text.encode(codec))).encoding
        assert text.encode(codec).decode(found) == text, (word, found)


@pytest.mark.parametrize("codec", ["cp1252", "mac_roman"])
@pytest.mark.parametrize("mark", "éèüöäñçãåøßà’–“")
def test_english_with_one_odd_character_is_no_east_asian_text(tmp_path, mark, codec):
    for words in (f"caf{mark}", f"a {mark} b", f"b{mark}", f"{mark}ra of {mark}nergy", f"don{mark}t"):
        path = write(tmp_path, f"id,group,Comments\n1,Staff,{words}\n2,Customer,{words} too\n".encode(codec))
        assert detect_encoding(path).encoding not in {"gb18030", "cp950", "cp932", "euc_jp", "cp949"}, words


def test_accents_far_into_a_file_are_found(tmp_path):
    ascii_rows = b"1,Staff,4,5,none\n" * 400_000
    for language, codec in (("french", "cp1252"), ("chinese", "gb18030"), ("japanese", "cp932"), ("polish", "cp1250")):
        text = survey(language, 3)
        found = detect_encoding(write(tmp_path, ascii_rows + text.encode(codec) + ascii_rows)).encoding
        assert text.encode(codec).decode(found) == text


@pytest.mark.parametrize("codec", ["utf-8", "cp1252"])
def test_a_large_file_is_never_held(tmp_path, codec):
    path = write(tmp_path, survey("german", 400_000).encode(codec))
    tracemalloc.start()
    try:
        found = detect_encoding(path).encoding
        detect_delimiter(path, found)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found == codec
    assert path.stat().st_size > 30e6
    assert peak < 12e6


@settings(deadline=None)
@given(text=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_valid_utf8_is_never_called_anything_else(tmp_path_factory, text):
    path = write(tmp_path_factory.getbasetemp(), text.encode("utf-8"))
    bom = text.startswith("\ufeff")
    assert detect_encoding(path) == Decoding("utf-8-sig" if bom else "utf-8", "")


def test_a_character_cut_by_a_block_is_still_utf8(tmp_path):
    for shift in range(4):
        path = write(tmp_path, b"x" * shift + "重é😀".encode() * 300_000)
        assert detect_encoding(path) == Decoding("utf-8", "")


def test_an_empty_or_ascii_file_is_utf8(tmp_path):
    assert detect_encoding(write(tmp_path, b"")) == Decoding("utf-8", "")
    assert detect_encoding(write(tmp_path, b"id,group\n1,Staff\n")) == Decoding("utf-8", "")


def test_a_stray_nul_does_not_make_utf16(tmp_path):
    path = write(tmp_path, b"id,group\n1,Sta\0ff\n2,Customer\n")
    assert detect_encoding(path) == Decoding("utf-8", "")


def test_what_the_study_declares_beats_a_guess_and_a_mark_beats_that(tmp_path):
    text = survey("chinese", 3)
    assert detect_encoding(write(tmp_path, text.encode("gb18030")), "cp1252") == Decoding("cp1252", "")
    assert detect_encoding(write(tmp_path, text.encode("utf-8")), "gb18030") == Decoding("gb18030", "")
    for codec in ("utf-8-sig", "utf-16", "utf-32"):
        assert detect_encoding(write(tmp_path, text.encode(codec)), "gb18030") == Decoding(codec, "")


@pytest.mark.parametrize(("language", "codec"), [("french", "utf-8"), ("chinese", "utf-8"), ("chinese", "gb18030")])
def test_a_damaged_file_keeps_its_encoding_and_fails_to_open(tmp_path, language, codec):
    damaged = survey(language, 20).encode(codec) + b"21;\xff\xff;\n"
    path = write(tmp_path, damaged)
    assert detect_encoding(path).encoding == codec
    assert detect_encoding(path).note
    with pytest.raises(UnicodeDecodeError):
        text_of(path)


@pytest.mark.parametrize(
    ("content", "encoding", "what", "others"),
    [
        pytest.param(
            survey("german", 3).encode("cp1252"),
            "cp1252",
            "is not UTF-8 and is read as Western European, cp1252",
            'gb18030" or "mac_roman',
            id="a legacy encoding",
        ),
        pytest.param(
            survey("chinese", 3).encode("gb18030"),
            "gb18030",
            "is not UTF-8 and is read as Chinese, GB18030",
            'cp1252" or "mac_roman',
            id="a Chinese one",
        ),
        pytest.param(
            survey("german", 3).encode("utf-16-le"),
            "utf-16-le",
            "has no byte order mark and is read as UTF-16-LE",
            'gb18030" or "cp1252',
            id="UTF-16 without a mark",
        ),
        pytest.param(
            survey("german", 9).encode() + b"\xff\n",
            "utf-8",
            "is UTF-8 but for some damaged characters",
            'gb18030" or "cp1252',
            id="damaged UTF-8",
        ),
        pytest.param(
            b'id,"Do you agree?\xeb_"\n1,yes\n',
            "mac_roman",
            "is not UTF-8, and its few other characters make sense in no encoding; it is read as Western European of "
            "older Macs, mac_roman",
            'gb18030" or "cp1252',
            id="one byte that means nothing",
        ),
    ],
)
def test_a_guess_says_what_was_guessed_and_how_to_correct_it(tmp_path, content, encoding, what, others):
    assert detect_encoding(write(tmp_path, content)) == Decoding(encoding, GUESSED.format(what, others))


@pytest.mark.parametrize("row", REAL, ids=lambda row: row["file"])
def test_real_exports(row):
    path = shared("exports", row["folder"], row["file"])
    found = detect_encoding(path)
    assert found.encoding == row["encoding"]
    assert (found.note == "") is row["encoding"].startswith("utf")
    assert detect_delimiter(path, found.encoding) == row["delimiter"].replace("tab", "\t")


# Delimiters


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("language", SURVEYS)
def test_the_delimiter_a_text_was_written_with(tmp_path, language, delimiter):
    usual = ";" if ";" in SURVEYS[language][0] else ","
    rows = list(csv.reader(survey(language, 7).splitlines(), delimiter=usual, quoting=csv.QUOTE_NONE))
    width = len(rows[0])
    path = tmp_path / "export.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter=delimiter).writerows(
            [*row[: width - 1], usual.join(row[width - 1 :])] for row in rows
        )
    assert detect_delimiter(path, "utf-8") == delimiter


@pytest.mark.parametrize(
    ("content", "delimiter"),
    [
        pytest.param("a;b;c\n1,5;2,5;3,5\n4,0;1,0;2,0\n", ";", id="decimal commas"),
        pytest.param("Q1, a;Q2, b;Q3, c\n3,5;4,0;2,5\n1,0;2,0;3,0\n", ";", id="commas in every cell, header too"),
        pytest.param('id,"a; b; c; d",x\n1,2,3\n2,3,4\n', ",", id="a quoted header cell with semicolons"),
        pytest.param('"Name, first";"Age, years"\n"Li, X";3\n"Wu, Y";4\n', ";", id="quoted commas"),
        pytest.param("id,topics\n1,a;b;c\n2,a;c\n3,b;d;e\n", ",", id="lists joined by semicolons"),
        pytest.param('id\tsaid\n1\t"two\nlines, and, more"\n2\tno\n', "\t", id="a line break in quotes"),
        pytest.param("id|a|b\n1|2,5|3\n", "|", id="pipes"),
        pytest.param("id,a | b,c\n1,2,3\n2,3,4\n", ",", id="a pipe in a header cell"),
        pytest.param("id,a,b\n1,2,3\n2,3\n4,5,6\n", ",", id="one short record"),
        pytest.param("rating\n4\n5\n", ",", id="one column"),
        pytest.param("rating\n4;5\n5;6\n", ",", id="nothing parts the header"),
        pytest.param("", ",", id="nothing"),
        pytest.param("\n\n;\nid;a\n1;2\n", ";", id="blank lines above"),
    ],
)
def test_delimiters(tmp_path, content, delimiter):
    assert detect_delimiter(write(tmp_path, content.encode()), "utf-8") == delimiter


def test_where_two_delimiters_do_equally_well_the_ending_decides(tmp_path):
    content = b"a;b\tc\n"
    assert detect_delimiter(write(tmp_path, content, "export.csv"), "utf-8") == ";"
    assert detect_delimiter(write(tmp_path, content, "export.TSV"), "utf-8") == "\t"


def test_quotes_count_only_where_they_quote(tmp_path):
    rows = b"".join(b'%d\t5" pipe, 6" pipe, and more\t3\n' % n for n in range(9))
    path = write(tmp_path, b'id\t"sizes\tn\n' + rows)
    assert detect_delimiter(path, "utf-8", quoting=False) == "\t"


def test_the_delimiter_of_utf16_and_of_undecodable_text(tmp_path):
    text = survey("german", 3)
    assert detect_delimiter(write(tmp_path, text.encode("utf-16")), "utf-16") == ";"
    assert detect_delimiter(write(tmp_path, text.encode("cp1252")), "utf-8") == ";"


def test_what_no_usual_encoding_explains_is_asked_of_charset_normalizer(tmp_path):
    text = survey("korean", 20)
    path = write(tmp_path, text.encode("johab"))
    assert text_of(path) == text
    assert "is read as johab" in detect_encoding(path).note
