"""What a column of an export is: from answers made by hand in eight languages, and from exports that tools really wrote."""
# ruff: noqa: E501 (answers stand in one line)

from __future__ import annotations

import csv
import re
from collections import Counter
from pathlib import Path

import pytest
from conftest import SHARED, shared

from materiality.reading.kinds import Column, ColumnKind, Head, ScaleGuess, describe

EXPORTS = Path(__file__).with_name("exports.csv")


def column(answers, head="Climate"):
    """One column on its own; answers are texts, given 10 times each, or counts."""
    counts = answers if isinstance(answers, dict) else dict.fromkeys(answers, 10)
    return describe([head if isinstance(head, Head) else Head(head)], [counts])[0]


def scale(answers, head="Climate") -> ScaleGuess:
    found = column(answers, head).scale
    assert found is not None
    return found


def matrix(question, rows) -> tuple[Column, ...]:
    return describe([Head(f"{question} [{item}]", question, item) for item in rows], list(rows.values()))


IN_ORDER = {
    "en importance": "Not at all important | Slightly important | Moderately important | Very important | Extremely important",
    "en importance of two sides": "Very unimportant | Somewhat unimportant | Neither important nor unimportant | "
    "Somewhat important | Very important",
    "en importance by Vagias": "Not at all important | Low importance | Slightly important | Neutral | "
    "Moderately important | Very important | Extremely important",
    "en little importance": "Unimportant | Of little importance | Moderately important | Important | Very important",
    "en priority": "Not a priority | Low priority | Medium priority | High priority | Essential",
    "en mixed words for importance": "Not relevant for me | Somewhat useful | Critical to me",
    "en agreement": "Strongly disagree | Disagree | Neither agree nor disagree | Agree | Strongly agree",
    "en agreement in seven": "Strongly disagree | Disagree | Somewhat disagree | Neutral | Somewhat agree | Agree | "
    "Strongly agree",
    "en satisfaction": "Very dissatisfied | Dissatisfied | Neutral | Satisfied | Very satisfied",
    "en frequency": "Never | Rarely | Sometimes | Often | Always",
    "en frequency with almost": "Never | Almost never | Occasionally | Frequently | Almost always | Always",
    "en rates": "Never | Yearly | Monthly | Weekly | Daily",
    "en rates in sentences": "Never | Once a year or less | Once a month or less | A few times per month | "
    "A few times per week | Every night",
    "en quality": "Very poor | Poor | Fair | Good | Very good | Excellent",
    "en quality with words of one side": "Horrible | Bad | OK | Good | Excellent",
    "en likelihood": "Very unlikely | Unlikely | Neutral | Likely | Very likely",
    "en intention": "Definitely not | Probably not | Might or might not | Probably | Definitely",
    "en severity": "Negligible | Minor | Moderate | Major | Severe",
    "en amounts": "Not at all | Not much | Some | A lot",
    "en unknown adjective": "Not at all masculine | Not very masculine | Somewhat masculine | Very masculine",
    "en unknown adjective of two sides": "Very uncomfortable | Uncomfortable | Comfortable | Very comfortable",
    "en comparison": "Much less important | Less important | About the same | More important | Much more important",
    "en levels": "Very low | Low | Medium | High | Very high",
    "en experience": "Beginner | Intermediate | Advanced | Expert",
    "en difficulty": "Very difficult | Difficult | Neutral | Easy | Very easy",
    "en concern": "Not at all concerned | Slightly concerned | Somewhat concerned | Moderately concerned | Extremely concerned",
    "en oppose": "Strongly oppose | Somewhat oppose | Neutral | Somewhat favor | Strongly favor",
    "en satisfaction in seven": "Completely dissatisfied | Mostly dissatisfied | Somewhat dissatisfied | "
    "Neither satisfied nor dissatisfied | Somewhat satisfied | Mostly satisfied | Completely satisfied",
    "en impact": "No impact | Low impact | Medium impact | High impact | Very high impact",
    "en barrier": "Not a barrier | Somewhat of a barrier | Moderate barrier | Extreme barrier",
    "zh influence": "毫无影响 | 影响较小 | 影响一般 | 影响较大 | 影响很大",
    "zh levels": "低 | 较低 | 中 | 较高 | 高",
    "de rejection": "lehne voll und ganz ab | lehne eher ab | weder noch | stimme eher zu | stimme voll und ganz zu",
    "de less important": "nicht wichtig | weniger wichtig | wichtig | sehr wichtig",
    "fr indispensable": "Pas important | Peu important | Assez important | Très important | Indispensable",
    "es without": "Sin importancia | Poco importante | Moderadamente importante | Importante | Muy importante",
    "pt quality": "Péssimo | Ruim | Regular | Bom | Ótimo",
    "it quality of agreement": "Per niente d'accordo | Poco d'accordo | Abbastanza d'accordo | Molto d'accordo",
    "ja rather": "そう思わない | どちらかといえばそう思わない | どちらともいえない | どちらかといえばそう思う | そう思う",
    "zh importance": "非常不重要 | 不重要 | 一般 | 重要 | 非常重要",
    "zh importance with degrees": "完全不重要 | 不太重要 | 一般 | 比较重要 | 非常重要",
    "zh satisfaction": "很不满意 | 不满意 | 一般 | 满意 | 很满意",
    "zh agreement": "非常不同意 | 不同意 | 中立 | 同意 | 非常同意",
    "zh frequency": "从不 | 偶尔 | 有时 | 经常 | 总是",
    "de importance": "Überhaupt nicht wichtig | Eher unwichtig | Teils/teils | Eher wichtig | Sehr wichtig",
    "de importance from none": "gar nicht wichtig | wenig wichtig | mittelmäßig wichtig | ziemlich wichtig | sehr wichtig",
    "de agreement": "Stimme überhaupt nicht zu | Stimme eher nicht zu | Teils, teils | Stimme eher zu | Stimme voll und ganz zu",
    "de agreement without eher": "Stimme gar nicht zu | Stimme nicht zu | Weder noch | Stimme zu | Stimme voll und ganz zu",
    "de fits": "trifft gar nicht zu | trifft eher nicht zu | trifft eher zu | trifft völlig zu",
    "de satisfaction": "sehr unzufrieden | eher unzufrieden | neutral | eher zufrieden | sehr zufrieden",
    "de frequency": "Nie | Selten | Manchmal | Häufig | Immer",
    "fr importance": "Pas du tout important | Peu important | Moyennement important | Important | Très important",
    "fr agreement": "Pas du tout d'accord | Plutôt pas d'accord | Ni d'accord ni pas d'accord | Plutôt d'accord | "
    "Tout à fait d’accord",
    "fr satisfaction": "Très insatisfait | Insatisfait | Neutre | Satisfait | Très satisfait",
    "fr frequency": "Jamais | Rarement | Parfois | Souvent | Toujours",
    "es importance": "Nada importante | Poco importante | Algo importante | Importante | Muy importante",
    "es agreement": "Totalmente en desacuerdo | En desacuerdo | Ni de acuerdo ni en desacuerdo | De acuerdo | "
    "Totalmente de acuerdo",
    "es satisfaction": "Muy insatisfecho | Insatisfecho | Neutral | Satisfecho | Muy satisfecho",
    "es frequency": "Nunca | Casi nunca | A veces | Casi siempre | Siempre",
    "es rates": "Menos de una vez al mes | Entre una vez a la semana y una vez al mes | "
    "Entre una vez al día y una vez a la semana | Más de una vez al día",
    "pt importance": "Nada importante | Pouco importante | Moderadamente importante | Importante | Muito importante",
    "pt agreement": "Discordo totalmente | Discordo parcialmente | Não concordo nem discordo | Concordo parcialmente | "
    "Concordo totalmente",
    "pt frequency": "Nunca | Raramente | Às vezes | Frequentemente | Sempre",
    "it importance": "Per niente importante | Poco importante | Abbastanza importante | Molto importante",
    "it agreement": "Totalmente in disaccordo | In disaccordo | Né d'accordo né in disaccordo | D'accordo | "
    "Totalmente d'accordo",
    "it frequency": "Mai | Raramente | A volte | Spesso | Sempre",
    "ja importance": "全く重要でない | あまり重要でない | どちらともいえない | やや重要 | 非常に重要",
    "ja agreement": "全くそう思わない | あまりそう思わない | どちらともいえない | ややそう思う | とてもそう思う",
    "ja satisfaction": "非常に不満 | やや不満 | 普通 | やや満足 | 非常に満足",
    "ja frequency": "全くない | めったにない | 時々 | よく | いつも",
}


@pytest.mark.parametrize("words", IN_ORDER.values(), ids=IN_ORDER)
def test_words_are_put_in_their_order(words):
    labels = words.split(" | ")
    for answers in (labels, labels[::-1], sorted(labels)):
        found = scale(answers)
        assert (found.low, found.high) == (1, len(labels))
        assert sorted(found.labels, key=found.labels.__getitem__) == labels
        assert sorted(found.labels.values()) == list(range(1, len(labels) + 1))


SPECIAL = [
    ("N/A", "not_applicable"),
    ("Not applicable", "not_applicable"),
    ("Does not apply.", "not_applicable"),
    ("Unfamiliar (N/A)", "not_applicable"),
    ("不适用", "not_applicable"),
    ("Non applicable", "not_applicable"),
    ("No aplica", "not_applicable"),
    ("Não se aplica", "not_applicable"),
    ("Don't know", "dont_know"),
    ("Don’t know", "dont_know"),
    ("I don't know", "dont_know"),
    ("Not sure", "dont_know"),
    ("Not heard of it", "dont_know"),
    ("I was not aware of this", "dont_know"),
    ("No opinion", "dont_know"),
    ("不清楚", "dont_know"),
    ("Weiß nicht", "dont_know"),
    ("weiss nicht", "dont_know"),
    ("Ne sait pas", "dont_know"),
    ("No sé", "dont_know"),
    ("No sé qué es Shiny", "dont_know"),
    ("Não sei", "dont_know"),
    ("Non so", "dont_know"),
    ("わからない", "dont_know"),
    ("Prefer not to say", "blank"),
    ("No answer", "blank"),
    ("keine Angabe", "blank"),
    ("NULL", "blank"),
]
IMPORTANCE = ["Not important", "Somewhat important", "Very important"]


@pytest.mark.parametrize(("text", "meaning"), SPECIAL)
def test_an_answer_that_is_no_rating_stands_beside_the_scale(text, meaning):
    found = scale([*IMPORTANCE, text])
    assert found.special == {text: meaning}
    assert (found.low, found.high, found.sure) == (1, 3, True)
    assert text not in found.labels


@pytest.mark.parametrize(
    ("answers", "points"),
    [
        pytest.param(
            ["(0) Not a problem for me.", "(1) Trivial.", "(2)\xa0Minor.", "(3) Major.", "(4) Critical."],
            [0, 1, 2, 3, 4],
            id="in brackets, from 0",
        ),
        pytest.param(
            ["1 – Extremely critical", "2 – Very critical", "3 – Somewhat critical", "4 – Not so critical"],
            [1, 2, 3, 4],
            id="1 is best: the number stays the point",
        ),
        pytest.param(["1=Strongly disagree", "2=Disagree", "3=Neutral", "4=Agree"], [1, 2, 3, 4], id="equals sign"),
        pytest.param(["1 - not important", "2", "3", "4", "5 - very important"], [1, 5], id="labels on the ends only"),
        pytest.param(
            ["\ufeff1 (None at all)", "2", "3", "4", "10 (All my time)", "6", "7"], [1, 10], id="byte order mark"
        ),
        pytest.param(
            ["1 非常不重要", "2 不重要", "3 一般", "4 重要", "5 非常重要"], [1, 2, 3, 4, 5], id="Chinese, a space only"
        ),
    ],
)
def test_a_number_in_a_label_is_its_point(answers, points):
    labels = scale(answers).labels
    assert list(labels.values()) == points


def numbers(low, high):
    return {str(k): 12 + k % 3 for k in range(low, high + 1)}


@pytest.mark.parametrize(
    ("header", "counts", "ends"),
    [
        pytest.param("How important is climate to you?", numbers(1, 5), (1, 5), id="importance"),
        pytest.param(
            "On a scale of 1 - 5 how easy is it?", {"3.0": 9, "4.0": 3, "2.0": 2}, (1, 5), id="range in the header"
        ),
        pytest.param("Rate from 0 to 10", {"7": 3, "9": 2, "10": 4}, (0, 10), id="0 to 10, few used"),
        pytest.param(
            "How likely are you to recommend us?",
            {"10": 9, "8": 4, "5": 1, "1": 1, "7": 2, "9": 1},
            (0, 10),
            id="recommend",
        ),
        pytest.param("How satisfied are you?", {"5": 70, "4": 90, "3": 50, "2": 3}, (1, 5), id="nobody gave a 1"),
        pytest.param("请为以下议题的重要程度评分", numbers(1, 7), (1, 7), id="Chinese"),
        pytest.param("Wie wichtig ist Ihnen das?", numbers(1, 6), (1, 6), id="German, six points"),
    ],
)
def test_whole_numbers_are_ratings_where_the_header_says_so(header, counts, ends):
    found = scale(counts, header)
    assert (found.low, found.high) == ends
    assert found.labels == {}


def test_rows_of_a_matrix_share_one_scale_and_a_number():
    rows = {
        "Climate": {"Agree": 4, "Strongly agree": 3},
        "Water": {"Disagree": 4, "Neutral": 3, "Agree": 1},
        "Waste": {"Strongly disagree": 1, "N/A": 2, "Agree": 4},
        "Other (please specify)": {"more on noise near the works": 1, "odours": 1},
    }
    *rated, other = matrix("To what extent do you agree?", rows)
    assert [c.kind for c in rated] == [ColumnKind.RATING] * 3
    assert {(c.scale.low, c.scale.high) for c in rated} == {(1, 5)}
    assert rated[0].scale.labels["Agree"] == 4
    assert {c.matrix for c in rated} == {0}
    assert (other.kind, other.matrix) == (ColumnKind.TEXT, -1)


def test_numbers_of_a_matrix_count_from_its_lowest_to_its_highest():
    rows = {"A": {"10": 1, "12": 3}, "B": {"11": 3, "13": 1}, "C": {"13": 3, "12": 1}}
    assert [(c.scale.low, c.scale.high) for c in matrix("Statement", rows)] == [(10, 13)] * 3


def test_negative_codes_of_a_matrix_are_no_points():
    rows = {"Squash": {"-1": 5, "3": 4, "2": 3, "1": 3}, "Beans": {"3": 5, "-2": 4, "1": 3}}
    for found in matrix("Indicate how you feel about the following", rows):
        assert (found.scale.low, found.scale.high) == (1, 3)
        assert set(found.scale.special) == {"-1", "-2"}


def test_bare_names_with_one_usual_scale_are_ratings():
    heads = [Head("id"), Head("Climate"), Head("Safety"), Head("Ethics"), Head("Comment")]
    answers = [{str(k): 1 for k in range(100, 160)}, numbers(1, 5), numbers(1, 5), numbers(1, 5), {"fine by me": 1}]
    kinds = [c.kind for c in describe(heads, answers)]
    assert kinds == ["id", "rating", "rating", "rating", "text"]


def test_few_answers_under_bare_names_still_make_a_scale():
    heads = [Head(name) for name in ("group", "Climate", "Safety", "Ethics", "Impact of Climate", "Impact of Safety")]
    rows = [
        {"4": 2, "5": 2, "3": 1},
        {"5": 3, "4": 2},
        {"3": 2, "4": 1, "2": 2},
        {"4": 2, "5": 2, "3": 1},
        {"1": 1, "5": 4},
    ]
    found = describe(heads, [{"Staff": 2, "Customer": 3}, *rows])
    assert [c.kind for c in found] == ["choice", *["rating"] * 5]
    assert {(c.scale.low, c.scale.high) for c in found[1:]} == {(1, 5)}


def test_questions_with_codes_of_their_own_may_be_one_matrix():
    heads = [Head(f"Q{k}", "请对下列议题的重要程度打分", item) for k, item in enumerate(["气候", "能源", "安全"], 5)]
    found = describe(heads, [{"5": 40, "4": 30, "3": 9}, {"5": 10, "2": 1}, {"1": 1, "-3": 4, "5": 8}])
    assert [(c.kind, c.matrix, c.scale.low, c.scale.high) for c in found] == [("rating", 0, 1, 5)] * 3
    assert found[2].scale.special == {"-3": "blank"}


def test_answer_codes_are_points_where_the_question_rates_but_the_order_is_not_sure():
    heads = [Head(f"G1[SQ{k}]", "How important is each topic?", f"SQ{k}") for k in range(3)]
    found = describe(heads, [{"A1": 4, "A2": 5, "A4": 3}, {"A3": 2, "A1": 1}, {"A5": 7, "A2": 1}])
    assert {c.kind for c in found} == {ColumnKind.RATING}
    assert (found[0].scale.low, found[0].scale.high, found[0].scale.sure) == (1, 5, False)
    assert describe([Head("G2", "Which department?")], [{"A1": 4, "A2": 5, "A3": 3}])[0].kind is ColumnKind.CHOICE


def test_a_ranking_in_one_cell_orders_the_same_answers():
    cells = {"Climate;Water;Safety;": 5, "Water;Climate;Safety;": 4, "Safety;Water;Climate;": 6}
    assert column(cells, "Order these").kind is ColumnKind.RANKING


def test_labels_the_lexicon_cannot_tell_apart_are_not_sure():
    assert not scale(["Never", "Often", "Frequently", "Always"]).sure


def test_headers_that_spell_out_one_question_are_one_matrix():
    heads = [Head(f"How important is {issue} to you?") for issue in ("climate", "water", "the safety of work")]
    heads.append(Head("Do you agree with our strategy?"))
    found = describe(heads, [dict.fromkeys(IMPORTANCE, 4)] * 3 + [{"Agree": 2, "Disagree": 3, "Strongly agree": 2}])
    assert [c.matrix for c in found] == [0, 0, 0, -1]


@pytest.mark.parametrize(
    ("header", "answers", "kind"),
    [
        pytest.param("Is it stable enough?", ["Yes", "No", "Don't know"], "choice", id="yes/no"),
        pytest.param("Would you attend?", ["No", "Maybe", "Yes, I'd attend", "Yes, I'd present something!"], "choice", id="maybe"),
        pytest.param("Do you approve?", ["Approve", "Disapprove", "Don't know/Refused (VOL.)"], "choice", id="two points"),
        pytest.param("Age", ["18-29", "30-44", "45-60", "> 60"], "choice", id="age"),
        pytest.param("Household Income", ["$0 - $24,999", "$25,000 - $49,999", "$150,000+"], "choice", id="income"),
        pytest.param("How long have you used it?", ["Less than 1 year", "1-2 years", "2+ years"], "choice", id="durations"),
        pytest.param("How long did it take?", ["Meses", "Años", "Semanas", "Días"], "choice", id="spans"),
        pytest.param("What is the average time between releases?", ["1-2 months", "3-6 months", "6-12 months"], "choice", id="span"),
        pytest.param("How many people see it?", ["Under ten", "Tens", "Hundreds", "Thousands"], "choice", id="amounts"),
        pytest.param("Education", ["High school degree", "Some college or Associate degree", "Bachelor degree"], "choice", id="degrees"),
        pytest.param("How do you like your steak?", ["Rare", "Medium rare", "Medium", "Medium Well", "Well"], "choice", id="steak"),
        pytest.param("Marital status", ["Married", "Never married", "Divorced", "Separated"], "choice", id="never married"),
        pytest.param("Which group?", ["1 - Employee", "2 - Customer", "3 - Supplier"], "choice", id="numbered codes"),
        pytest.param("How is the release frequency?", ["Releases are frequent enough", "Releases are too frequent", "Releases are not frequent enough"], "choice", id="best in the middle"),
        pytest.param("How bad would it be?", ["Do it!", "I'd live (somehow)", "Unacceptable (it's the only one)"], "choice", id="not in the lexicon"),
        pytest.param("rooms", numbers(1, 5), "number", id="a count"),
        pytest.param("How long have you been using it?", numbers(0, 5), "number", id="years"),
        pytest.param("Python 2 or 3?", {"3.0": 251, "2.0": 7}, "number", id="versions"),
        pytest.param("bus factor", ["1", "2", "3", "4", "5+"], "choice", id="open-ended count"),
        pytest.param("height", ["1,54", "1,84", "1,95"], "number", id="decimal comma"),
        pytest.param("weight", {f"{k / 7:.6f}": 3 for k in range(1, 40)}, "number", id="weights"),
        pytest.param("Which is your country?", numbers(1, 9), "choice", id="codes"),
    ],
)  # fmt: skip
def test_what_looks_like_a_rating_but_is_none(header, answers, kind):
    assert column(answers, header).kind == kind


def test_a_ranking_gives_each_rank_equally_often():
    rows = {
        "Climate": {"1": 30, "2": 10, "3": 10},
        "Water": {"1": 10, "2": 30, "3": 10},
        "Waste": {"1": 10, "2": 10, "3": 30},
    }
    assert {c.kind for c in matrix("Please rank these", rows)} == {ColumnKind.RANKING}


def test_rating_is_not_ranking_though_the_question_says_rank():
    rows = {
        name: {"1": 2, "2": 9, "3": 31, "4": 40, "5": 30} for name in ("Climate", "Water", "Waste", "Noise", "Odour")
    }
    assert {c.kind for c in matrix("Rank these by importance", rows)} == {ColumnKind.RATING}
    words = {name: dict.fromkeys(IMPORTANCE, 5) for name in ("Climate", "Water", "Waste")}
    assert {c.kind for c in matrix("Rank these by importance", words)} == {ColumnKind.RATING}


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param({"Mail": {"Mail": 4}, "Phone": {"Phone": 3}, "Other": {"Other": 1}}, id="the option's own text"),
        pytest.param({"Mail": {"1": 4, "0": 9}, "Phone": {"1": 3, "0": 10}}, id="1 and 0"),
        pytest.param({"Mail": {"Yes": 4}, "Phone": {"Yes": 3}}, id="yes or nothing"),
        pytest.param({"Mail": {"Yes": 4, "No": 3}, "Phone": {"Yes": 3, "No": 4}, "Fax": {"No": 7}}, id="yes and no"),
        pytest.param(
            {"Mail": {"Not selected": 4, "By mail": 9}, "Phone": {"Not selected": 8, "By phone": 3}}, id="not selected"
        ),
        pytest.param({"Mail": {"1": 4}, "Phone": {"2": 3}, "Fax": {"3": 8}}, id="each its own number"),
    ],
)
def test_options_spread_over_columns_are_a_multiple_choice(rows):
    assert {c.kind for c in matrix("How may we reach you? Select all that apply", rows)} == {ColumnKind.MULTIPLE}


def test_an_option_that_means_no_answer_is_an_option_still():
    rows = {"Mail": {"Mail": 4}, "Phone": {"Phone": 3}, "Don't know": {"Don't know": 2}}
    assert {c.kind for c in matrix("How may we reach you?", rows)} == {ColumnKind.MULTIPLE}


def test_names_given_twice_are_personal_still():
    rows = {"First name": {"Ann": 2}, "Last name": {"Lee": 2}, "Company": {"Acme": 2}}
    assert [c.kind for c in matrix("Contact", rows)][:2] == [ColumnKind.PII] * 2


def test_neighbours_that_hold_one_text_each_are_options():
    heads = [Head("3. Python."), Head("3. Julia."), Head("3. R."), Head("4. Your team")]
    found = describe(heads, [{"Python.": 9}, {"Julia.": 3}, {"R.": 5}, {"Mine": 9, "Theirs": 8, "None": 2}])
    assert [c.kind for c in found] == ["multiple", "multiple", "multiple", "choice"]


def test_a_matrix_of_questions_answered_yes_no_or_dont_know_is_no_multiple_choice():
    rows = {name: {"Yes": 38, "No": 24, "Don't know": 11} for name in ("Use", "Release", "Sponsoring")}
    assert {c.kind for c in matrix("Does your company have a policy on", rows)} == {ColumnKind.CHOICE}


@pytest.mark.parametrize("separator", [";", "┋", "|", ", "])
def test_joined_answers_are_a_multiple_choice_with_its_separator(separator):
    cells = ["Mail", "Phone", "Mail+Phone", "Phone+Fax", "Mail+Fax", "Mail+Phone+Fax", "Fax+a note of mine"]
    found = column({cell.replace("+", separator): 3 for cell in cells}, "How may we reach you?")
    assert (found.kind, found.separator) == (ColumnKind.MULTIPLE, separator)


def test_commas_inside_an_option_do_not_split_it():
    single = ["Employed, working full-time", "Employed, working part-time", "Not employed, looking for work", "Retired"]
    assert (column(single).kind, column(single).separator) == (ColumnKind.CHOICE, "")
    cluster = "HPC manager (SLURM, PBS, SGE)"
    joined = ["SSH", "Kubernetes", f"SSH, {cluster}", cluster, f"{cluster}, Kubernetes", "SSH, Kubernetes"]
    assert (column(joined).kind, column(joined).separator) == (ColumnKind.MULTIPLE, ", ")


@pytest.mark.parametrize(
    ("head", "answers", "kind"),
    [
        pytest.param("Your e-mail", {"a@b.org": 1, "c@d.org": 1}, "pii", id="e-mail"),
        pytest.param("Q7", {"ann@firm.com": 1, "bob@firm.com": 1, "none": 1}, "pii", id="e-mail by content"),
        pytest.param("IP Address", {"192.0.2.1": 2}, "pii", id="IP"),
        pytest.param("X1", {"192.0.2.1": 1, "192.0.2.7": 2}, "pii", id="IP by content"),
        pytest.param("Q9", {"(415) 555-1212": 1, "(432) 903-6676": 1}, "pii", id="phone by content"),
        pytest.param("LocationLatitude", {"42.40190": 9}, "pii", id="latitude"),
        pytest.param("您的姓名", {"王伟": 1, "李娜": 1}, "pii", id="Chinese name"),
        pytest.param("手机号码", {"13800000000": 1}, "pii", id="Chinese mobile"),
        pytest.param("How often do you read our e-mail newsletter?", ["Never", "Sometimes", "Often"], "rating", id="a question about e-mail"),
        pytest.param("Timestamp", {"2019-06-25 06:59:49": 1, "2019-06-25 07:01:12": 1}, "time", id="ISO"),
        pytest.param("Timestamp", {"2020/06/05 11:34:01 AM EST": 1, "2019/06/12 2:24:24 pm CET": 1}, "time", id="zone words"),
        pytest.param("Timestamp", {"12/13/2018 11:51:17": 1}, "time", id="US"),
        pytest.param("begun", {"13.12.2018 11:51": 1}, "time", id="German"),
        pytest.param("Start Date", {"43240.61": 1, "43241.2": 1}, "time", id="Excel serial"),
        pytest.param("production", {"43240.61": 1, "43241.2": 1}, "number", id="no serial without a word for it"),
        pytest.param("Respondent ID", {"11407": 1, "11408": 1}, "id", id="id"),
        pytest.param("record_id", {"1": 1, "2": 1, "3": 1, "4": 1, "5": 1}, "id", id="id in small numbers"),
        pytest.param("序号", {"1": 1, "2": 1, "3": 1}, "id", id="Chinese id"),
        pytest.param("Collector ID", {"42": 9}, "metadata", id="collector"),
        pytest.param("demographics_complete", {"0": 3, "1": 2, "2": 9}, "metadata", id="form status"),
        pytest.param("Any comments?", {f"A thought, number {k}, at some length": 1 for k in range(30)}, "text", id="text"),
        pytest.param("Country", {"France": 20, "Japan": 9, "Kenya": 4}, "choice", id="choice"),
        pytest.param("Q1", {}, "empty", id="no cells"),
    ],
)  # fmt: skip
def test_other_kinds(head, answers, kind):
    assert column(answers, head).kind == kind


def test_what_the_layout_knows_wins():
    assert column(IMPORTANCE, Head("V1", role=ColumnKind.METADATA)).kind is ColumnKind.METADATA
    assert column({}, Head("V1", role=ColumnKind.TIME)).kind is ColumnKind.TIME


def test_an_answer_that_is_not_understood_gets_no_point():
    found = scale(
        {"Occasionally": 113, "Every day": 84, "Rarely": 40, "Just looking for now": 31}, "How often do you use it?"
    )
    assert "Just looking for now" not in found.labels
    assert not found.sure


def test_a_point_that_nobody_used_is_inferred_from_the_other_side():
    found = scale({"Agree": 10, "Neutral": 6, "Strongly agree": 5, "Disagree": 2})
    assert found.labels == {"Disagree": 2, "Neutral": 3, "Agree": 4, "Strongly agree": 5}
    assert (found.high, found.sure) == (5, False)


def test_spellings_of_one_label_share_its_point():
    found = scale(["Strongly Agree", "strongly agree ", "Agree", "Disagree", "Strongly disagree"])
    assert found.labels["Strongly Agree"] == found.labels["strongly agree "] == 4


def test_glosses_set_labels_apart():
    found = scale(["Never, and not open to it", "Never, but open to it", "Rarely", "Sometimes", "Often"])
    assert list(found.labels.values()) == [1, 2, 3, 4, 5]
    assert not found.sure


def test_headers_and_answers_must_match():
    with pytest.raises(ValueError, match=r"^2 headers, but answers of 1 columns\.$"):
        describe([Head("a"), Head("b")], [{}])


NOT_EXACT = {
    "spack-user-survey-2020-responses.csv": (18, "two columns in sentences of their own: 'Do it!' … 'Unacceptable'"),
    "spack-user-survey-2021-responses.csv": (22, "one column in sentences of its own: 'Do it!' … 'Unacceptable'"),
    "public_data_zaf_2017.csv": (44, "one column of two answers, 3.0 and 8.0, is a count for all one can see"),
    "longitudinal-data.csv": (0, "codes 0 to 2 under names such as pmq4; only its dictionary says what they are"),
}
"""Ratings found where that is not the number of exports.csv, and why."""
OTHER_ENDS = {
    "DERIVED_cp1252_semicolon.csv": (1, 4),
    "Form Responses 1 (Spanish).tsv": (1, 4),
    "Cleaning-of-Uni-Soton-Software-Survey-26Jun19.csv": (1, 3),
    "longitudinal-data.csv": None,
}
"""Ends of the commonest scale where they differ: different scales of as many points outnumber the one of 1 to 5; none found."""


def real_exports():
    with EXPORTS.open(encoding="utf-8", newline="") as file:
        truths = [t for t in csv.DictReader(file) if t["refused"] == "no" and t["file"].endswith(("csv", "tsv"))]
    return [pytest.param(truth, id=truth["file"]) for truth in truths]


def read_heads(truth, rows):
    """Names and items as the tools put them, simply."""
    heads, left, asked = [], "", ""
    for cells in zip(*rows, strict=True):
        name, *below = (cell.strip() for cell in cells)
        question = item = ""
        if truth["tool"] == "surveymonkey" and below:
            left, asked = name or left, (below[0] if len(below) > 1 else name) or asked
            name, question, item = left, asked, below[-1]
        elif truth["tool"] == "qualtrics":
            question, _, item = below[0].rpartition("-") if "-" in below[0] else (below[0], "", "")
        elif coded := re.fullmatch(r"(\w+)\[\w+\]\.\s*(.*?)\s*\[(.*)\]", name, re.DOTALL):
            question, item = coded[2] or coded[1], coded[3]
        elif grid := re.fullmatch(r"(.+?)\s*\[(.*)\]", name, re.DOTALL):
            question, item = grid[1], grid[2]
        heads.append(Head(name, question, item))
    return heads


@pytest.mark.skipif(not SHARED.exists(), reason="../shared is absent")
@pytest.mark.parametrize("truth", real_exports())
def test_ratings_of_real_exports(truth):
    path = shared("exports", truth["folder"], truth["file"])
    tabbed = truth["delimiter"] == "tab"
    with path.open(encoding=truth["encoding"], newline="") as file:
        quoting = csv.QUOTE_NONE if tabbed else csv.QUOTE_MINIMAL
        rows = [
            row for row in csv.reader(file, delimiter="\t" if tabbed else truth["delimiter"], quoting=quoting) if row
        ]
    width, headers = len(rows[0]), int(truth["header_rows"])
    rows = [[*row, *[""] * (width - len(row))][:width] for row in rows]
    heads = read_heads(truth, rows[:headers])
    answers = [Counter(cell for cell in cells if cell.strip()) for cells in zip(*rows[headers:], strict=True)]

    columns = describe(heads, answers)

    ratings = [c for c in columns if c.kind is ColumnKind.RATING]
    wanted = int(truth["rating_columns"])
    assert len(ratings) == NOT_EXACT.get(truth["file"], (wanted,))[0]
    plausible = re.search(r"plausible (\d+)\.\.(\d+)", truth["note"])
    low, high = map(int, plausible.groups()) if plausible else (wanted, wanted)
    assert low <= len(ratings) <= high
    ends = Counter((c.scale.low, c.scale.high) for c in ratings if c.scale).most_common(1)
    told = (int(truth["low"]), int(truth["high"])) if truth["low"] else None
    assert (ends[0][0] if ends else None) == OTHER_ENDS.get(truth["file"], told)
