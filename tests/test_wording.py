"""The report's words: every message has its Chinese, and the Chinese report says what the English one says."""

from __future__ import annotations

import ast
import copy
import dataclasses
import pickle
import re
from collections.abc import Iterable, Iterator
from html.parser import HTMLParser

import pytest
from click.testing import CliRunner
from conftest import ROOT, ROWS, STUDY, shared, write_study
from jinja2 import Environment, nodes

from materiality.assessment import Assessment, assess
from materiality.cleaning import REASONS
from materiality.cli import main
from materiality.clusters import Verdict
from materiality.reporting import facts_of, render_report, result
from materiality.reporting.live import WORDS
from materiality.study import Decided, Language, Pillar
from materiality.tiers import Zone
from materiality.wording import Message, Words, words

PACKAGE = ROOT / "materiality"
MARKERS = {"Message", "say", "gettext", "ngettext"}
OPEN = {"gettext", "ngettext"}
"""Those that leave the places of a message open."""
OPTIONS = ("mean", "median", "largest gap", "either", "both", "equal", "none", "kept", "left out", "as given")
FACTS = {"version": "0", "run_id": "0", "inputs": []}
BLOCKS = {"p", "li", "td", "th", "h1", "h2", "h3", "summary", "caption", "dt", "dd", "a", "option", "button", "label"}
PLACES = re.compile(r"%\((\w+)\)s|(?<!%\()\{(\w+)\}|(%%)|(</?\w+>)")


def templates() -> Iterator[str]:
    environment = Environment(extensions=["jinja2.ext.i18n"], trim_blocks=True, lstrip_blocks=True)
    for path in sorted(PACKAGE.rglob("*.j2")):
        for _, _, message in environment.extract_translations(path.read_text(encoding="utf-8")):
            # of a singular and a plural, a catalogue has the plural
            yield message if isinstance(message, str) else [part for part in message if isinstance(part, str)][-1]


def calls() -> Iterator[tuple[str, str, set[str | None]]]:
    """Each call in our modules that says a message: what is called, the message, and the places it fills."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            said = node.args[1 if name == "ngettext" else 0]
            if name in MARKERS and isinstance(said, ast.Constant) and isinstance(said.value, str):
                yield name, said.value, {one.arg for one in node.keywords}


def of_tables() -> set[str]:
    """What stands in the tables as it is, and the page says in its language."""
    values = [one.value for kind in (Zone, Verdict, Pillar, Decided) for one in kind]
    return {value.replace("_", " ") for value in values} | set(REASONS) | set(OPTIONS)


MESSAGES = {*templates(), *(message for _, message, _ in calls()), *WORDS.values(), *of_tables()}
CHINESE = words("zh").catalogue


class Text(HTMLParser):
    """The text of a page, block by block, without its scripts and styles; labels for screen readers are blocks too."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.blocks, self._skipped = [""], 0
        self.feed(html)
        self.blocks = [" ".join(block.split()) for block in self.blocks]

    def handle_starttag(self, tag, attrs):
        self._skipped += tag in {"style", "script"}
        for name in ("aria-label", "alt", "title"):
            if value := dict(attrs).get(name):
                self.blocks += [value, ""]
        if tag in BLOCKS:
            self.blocks.append("")

    def handle_data(self, data):
        if not self._skipped:
            self.blocks[-1] += data

    def handle_endtag(self, tag):
        self._skipped -= tag in {"style", "script"}
        if tag in BLOCKS:
            self.blocks.append("")


def page(assessment: Assessment, language: str) -> str:
    study = assessment.study.model_copy(update={"language": Language(language)})
    return render_report(dataclasses.replace(assessment, study=study), b"<svg/>", FACTS)


@pytest.fixture(scope="module")
def kstar() -> Assessment:
    return assess(ROOT / "surveys" / "kstar-2023")


@pytest.fixture(scope="module")
def chinese(kstar) -> str:
    return page(kstar, "zh")


# The catalogue


def test_there_is_a_catalogue_for_every_language_but_english():
    found = {path.stem for path in (PACKAGE / "wording").glob("*.json")}
    assert found == {language.value for language in Language} - {"en"}


@pytest.mark.parametrize("message", sorted(MESSAGES))
def test_every_message_is_in_the_catalogue_with_the_same_places(message):
    assert sorted(PLACES.findall(message)) == sorted(PLACES.findall(CHINESE[message]))


def test_the_catalogue_holds_nothing_that_is_no_longer_said():
    assert set(CHINESE) - MESSAGES == set()


def test_a_translation_ends_as_its_message_does_and_can_stand_in_an_attribute():
    ends = {".": "。", ":": "：", ";": "；", "?": "？"}
    for message, translated in CHINESE.items():
        assert translated.endswith(ends.get(message.strip()[-1:], "")), message
        assert not re.search(r"[\"<>&]", re.sub(r"</?strong>", "", translated)), message
        assert not re.search(r"[\u4e00-\u9fff] ?[,;:?!()] ?|[,;:?!()] ?[\u4e00-\u9fff]", translated), message


def test_the_catalogue_uses_every_word_of_the_glossary():
    table = (ROOT / "docs" / "wording.md").read_text(encoding="utf-8").split("| English | 中文 |")[1]
    said = "".join(CHINESE.values())
    chinese = [
        word for line in re.findall(r"\| [^|]+ \| ([^|]*[\u4e00-\u9fff][^|]*) \|", table) for word in line.split("、")
    ]
    assert len(chinese) > 40
    assert [word for word in chinese if word.strip() not in said] == []


# Messages


def test_a_message_reads_in_english_and_keeps_what_it_is_made_of():
    inner = Message("%(n)s judges", n=2)
    message = Message("By %(who)s: %(issues)s, 5 %%.", who=inner, issues=["Climate", "Water"])
    assert message == "By 2 judges: Climate, Water, 5 %."
    tongue = Words({"By %(who)s: %(issues)s, 5 %%.": "%(issues)s←%(who)s 5%%", "%(n)s judges": "%(n)s名", ", ": "、"})
    for one in (message, pickle.loads(pickle.dumps(message)), copy.deepcopy(message)):
        assert tongue.said(one) == "Climate、Water←2名 5%"


def test_values_are_not_taken_for_messages_or_places():
    tongue = Words({"Group %(group)s": "群体%(group)s", "Water": "水"})
    assert tongue.said(Message("Group %(group)s", group="100 %(group)s % Water")) == "群体100 %(group)s % Water"
    assert tongue.said({"label": "Water", "rows": [("Water", Message("Water"))]}) == {
        "label": "Water",
        "rows": [("Water", "水")],
    }


def test_names_with_commas_are_parted_by_semicolons():
    assert words("zh").listed(["水", "气"]) == "水、气"
    assert words("zh").listed(["水", "a, b"]) == "水；a, b"
    assert words("zh").listed(["水、气", "土"]) == "水、气；土"
    assert words("en").listed(["a", "b, c"]) == "a; b, c"


def test_every_place_of_a_message_is_filled_where_it_is_said():
    said = [(message, filled) for name, message, filled in calls() if name not in OPEN]
    for path in sorted(PACKAGE.rglob("*.j2")):
        tree = Environment(extensions=["jinja2.ext.i18n"]).parse(path.read_text(encoding="utf-8"))
        said += [
            (call.args[0].value, {one.key for one in call.kwargs})
            for call in tree.find_all(nodes.Call)
            if isinstance(call.node, nodes.Name) and call.node.name == "_"
        ]
    assert len(said) > 300
    assert [message for message, filled in said if set(re.findall(r"%\((\w+)\)s", message)) != filled] == []


# The templates


@pytest.mark.parametrize(
    "path",
    sorted(path for path in PACKAGE.rglob("*.j2") if path.name != "evidence.html.j2"),  # the pack is in English alone
    ids=lambda path: path.name,
)
def test_a_template_holds_no_word_of_its_own(path):
    text = re.sub(r"\{#.*?#\}|\{% trans.*?endtrans %\}", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    between = re.sub(r"<[^>]*>", "", re.sub(r"\{%.*?%\}|\{\{.*?\}\}", "", text, flags=re.DOTALL))
    assert set(re.findall(r"[^\W\d_]{2,}", between)) <= {"materiality", "SHA"}
    tree = Environment(extensions=["jinja2.ext.i18n"]).parse(text)
    parts = [part for choice in tree.find_all(nodes.CondExpr) for part in (choice.expr1, choice.expr2)]
    parts += [part for joint in tree.find_all(nodes.Concat) for part in joint.nodes]
    strings = {part.value for part in parts if isinstance(part, nodes.Const) and isinstance(part.value, str)}
    assert {string for string in strings if re.search(r"[^\W\d_]", string)} <= {" wide"}


# The report


def test_the_chinese_report_of_the_reference_study_holds_no_english(kstar, chinese):
    assert '<html lang="zh-Hans">' in chinese
    assert english_in(chinese, kstar) == []


@pytest.mark.parametrize("name", ["haibei", "spack-2020"])
def test_the_chinese_report_of_a_real_study_holds_no_english(name):
    found = assess(shared("studies", name))
    assert english_in(page(found, "zh"), found) == []


def english_in(html: str, assessment: Assessment) -> list[str]:
    """Three Latin words in a row, or more, that a page has beside the study's own."""
    return english_among(Text(html).blocks, assessment)


def english_among(texts: Iterable[str], assessment: Assessment) -> list[str]:
    """The same in texts."""
    study = assessment.study
    own = [
        study.title,
        study.organisation or study.title,
        *(one.name for one in (*study.issues, *study.groups)),
        *(axis.label for axis in study.axes.values()),
        *(axis.column.replace("{label}", "…") for axis in study.axes.values() if axis.column),
        *(export.name for export in assessment.gathered.exports),
    ]
    names = "|".join(map(re.escape, sorted(own, key=len, reverse=True)))
    rest = re.sub(names, "", "\n".join(texts))
    return re.findall(r"[A-Za-z][A-Za-z’'-]*(?: [A-Za-z][A-Za-z’'-]*){2,}", rest)


def test_the_chinese_report_holds_the_numbers_of_the_english_one_block_by_block(kstar, chinese):
    numbers = [
        [sorted(re.findall(r"[\d.,]*\d", block)) for block in Text(html).blocks]
        for html in (page(kstar, "en"), chinese)
    ]
    assert len(numbers[0]) > 5000
    assert numbers[0] == numbers[1]


def test_names_stay_text_in_a_chinese_report(tmp_path):
    name = '100 %(n)s %% <b>Buyers</b> & "co"'
    study = 'language = "zh"\n' + STUDY.replace('label = "Buyers"', f"label = '{name}'")
    html = page(assess(write_study(tmp_path / "study", study=study, rows=ROWS[:2])), "zh")
    assert "<b>" not in html
    assert f"群体{name}在“Importance to people”轴上没有回答，不计入其得分。" in Text(html).blocks


# Runs


def test_the_language_is_an_option_that_changes_the_page_and_the_run_id_and_no_number(small_study):
    english, chinese = (assess(small_study, language=language) for language in ("en", "zh"))
    assert assess(small_study).study == english.study
    results = [result(one) for one in (english, chinese)]
    assert [one["study"].pop("language") for one in results] == ["en", "zh"]
    assert results[0] == results[1]
    facts = [facts_of(one) for one in (english, chinese)]
    assert [one.get("language") for one in facts] == [None, "zh"]
    assert facts[0]["run_id"] != facts[1]["run_id"]
    assert ["重要性矩阵" in render_report(one, b"<svg/>", FACTS) for one in (english, chinese)] == [False, True]


def test_the_command_passes_the_language_on(small_study, tmp_path, monkeypatch):
    passed = []
    monkeypatch.setattr("materiality.assessment.assess", lambda *_, **given: passed.append(given["language"]) or 1 / 0)
    for option in ([], ["--language", "zh"]):
        CliRunner().invoke(main, ["run", str(small_study), "--out", str(tmp_path / "out"), *option])
    assert passed == [None, "zh"]
    assert CliRunner().invoke(main, ["run", str(small_study), "--language", "fr"]).exit_code == 2


def test_notices_stay_english_outside_the_page(tmp_path):
    folder = write_study(tmp_path / "study", study='language = "zh"\n' + STUDY, rows=ROWS[:2])
    found = assess(folder)
    notice = "Group Buyers has no answers on the axis “Importance to people” and is left out of its scores."
    assert notice in found.warnings
    assert "群体Buyers在“Importance to people”轴上没有回答，不计入其得分。" in Text(page(found, "zh")).blocks


def test_an_unknown_language_is_refused(small_study):
    with pytest.raises(ValueError, match="'fr' is not a valid Language"):
        assess(small_study, language="fr")
