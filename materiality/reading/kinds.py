"""What each column of an export is: a rating on an ordered scale, a choice, a text; from its header and its answers.

Answers in words are understood by composition, not from a list of whole scales: a label is a degree ("very"), perhaps
a negation, and what is graded ("important"); its place on the scale follows. What the lexicon lacks is not placed.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cache, lru_cache
from itertools import islice, pairwise
from typing import NamedTuple


class ColumnKind(StrEnum):
    """What the answers of a column are."""

    RATING = "rating"
    CHOICE = "choice"
    MULTIPLE = "multiple"
    RANKING = "ranking"
    NUMBER = "number"
    TEXT = "text"
    TIME = "time"
    ID = "id"
    PII = "pii"
    METADATA = "metadata"
    EMPTY = "empty"


@dataclass(frozen=True)
class Head:
    """What a column's header says.

    Attributes
    ----------
    name : str
        The column's own name.
    question : str
        The question's text.
    item : str
        The row of a matrix, or the option of a multiple choice.
    role : ColumnKind or None
        What the tool's layout already knows; it wins over the answers.
    """

    name: str
    question: str = ""
    item: str = ""
    role: ColumnKind | None = None


@dataclass(frozen=True)
class ScaleGuess:
    """The scale that the ratings of a column, or of its whole matrix, seem to lie on.

    Attributes
    ----------
    low, high : float
        Its ends.
    labels : mapping of str to float
        The point of each spelling met; empty where the answers are plain numbers.
    special : mapping of str to str
        Spellings that are no rating: "dont_know", "not_applicable" or "blank".
    sure : bool
        False where an answer was not understood, the order leans on little, or an unused point was inferred.
    """

    low: float
    high: float
    labels: Mapping[str, float]
    special: Mapping[str, str]
    sure: bool


@dataclass(frozen=True)
class Column:
    """A column and what it is.

    Attributes
    ----------
    head : Head
        Its header.
    kind : ColumnKind
        What its answers are.
    scale : ScaleGuess or None
        Given for ratings alone.
    separator : str
        What stands between the answers of a multiple choice in one cell, else empty.
    matrix : int
        Shared by the rows of one matrix question, from 0; -1 outside of one.
    """

    head: Head
    kind: ColumnKind
    scale: ScaleGuess | None
    separator: str
    matrix: int


LABELS_AT_MOST = 40
"""A column with more different answers is no scale."""
CELLS_LOOKED_AT = 80
"""Of a column with many different texts, so that wide exports stay quick."""
POINTS_AT_MOST = 11
SHORT_NUMBER = 4
MANY = 50
"""So many answers that a point nobody gave is hardly one of the scale."""
STRAYS_AT_MOST = 0.05
GAPS_AT_MOST = 0.25

NEUTRAL, ANY = 0.0, "*"
PLAIN = 2.7
"""The strength of a grade without a degree: "important" lies between "somewhat important" and "very important"."""

DEGREES = {
    0.7: "hardly, barely, scarcely, minimally, very little, very low, very few, kaum, tres peu, muy poco, "
    "muito pouco, molto poco",
    0.8: "很小",
    0.9: "小, あまり, それほど, さほど, そんなに",
    1.0: "little, of little, low, wenig, geringfugig, gering, peu, poco, pouco",
    1.2: "a little, a little bit, a bit, slightly, slight, only a little, mildly, mild, ein wenig, etwas, "
    "un peu, legerement, "
    "un poco, ligeramente, levemente, um pouco, ligeiramente, leggermente, un po', un po, 有点, 有一点, 有些, "
    "稍微, 略微, 较小, 少し",
    1.5: "どちらかといえば, どちらかというと, わりと",
    1.9: "rather, eher, plutot, mas bien, やや, まあ, まあまあ",
    2.0: "somewhat, some, to some extent, partly, partially, teilweise, partiellement, algo, en parte, em parte, "
    "parcialmente, parzialmente, in parte, generally, basically, 基本, 基本上, 比较, 比較的, 较, 较为, 部分",
    2.2: "moderate, moderately, medium, mittel, mittelmassig, massig, moyen, moyennement, modere, moderement, "
    "medianamente, "
    "moderado, moderadamente, mediamente, moderatamente, mais ou menos, 中等, 適度に, ある程度",
    2.4: "fairly, reasonably, ziemlich, assez, abbastanza, razoavelmente, einigermassen, piuttosto",
    2.7: "大",
    2.9: "quite, quite a bit, bastante, 相当, 较大",
    3.0: "mostly, largely, grossteils, 大部分",
    3.3: "a lot, lots, much, considerably, substantially, beaucoup, viel, mucho, muito mais, かなり",
    3.5: "very, highly, strongly, strong, high, heavily, greatly, very much, really, sehr, stark, hoch, tres, "
    "fort, fortement, muy, "
    "muito, molto, fortemente, 很, 很大, 十分, 高度, とても, 大変, たいへん, 強く",
    3.8: "very high, very strongly, a great deal, voll, 非常に",
    3.9: "非常",
    4.2: "completely, totally, fully, entirely, wholly, to a great extent, voll und ganz, vollkommen, vollig, "
    "vollstandig, "
    "tout a fait, entierement, totalement, completement, totalmente, completamente, plenamente, pienamente, "
    "del tutto, "
    "at all, du tout, 完全, 全く, まったく, 大いに",
    4.5: "extremely, extreme, exceptionally, absolutely, extraordinarily, utterly, extrem, ausserst, absolut, "
    "extremement, absolument, "
    "extremadamente, absolutamente, sumamente, extremamente, estremamente, assolutamente, moltissimo, "
    "极大, 极其, 极为, 极度, 极, 特别, 绝对, 極めて, きわめて",
}
REFUSALS = {
    -4.3: "nothing at all, none at all",
    -4.2: "not at all, not in the least, uberhaupt nicht, gar nicht, nicht im geringsten, pas du tout, "
    "absolument pas, "
    "nada, en absoluto, de modo algum, de forma alguma, per niente, per nulla, affatto, 一点也不, 一点都不, "
    "完全不, 根本不, 毫不, 毫无",
    -4.0: "nothing, none",
    -0.9: "not very, not so, not too, not that, not particularly, not especially, not much, not really, "
    "not very much, not overly, "
    "only slightly not, nicht sehr, nicht so, nicht besonders, pas tres, pas vraiment, pas beaucoup, no muy, "
    "no mucho, nao muito, "
    "non molto, 不太, 不怎么, 不很, 不大, 不是很",
}
NEGATIONS = (
    "without, sans, sin, sem, senza, ohne, not, no, don't, do not, doesn't, does not, didn't, isn't, is not, "
    "aren't, wasn't, nicht, kein, keine, keinen, pas, nao, non, "
    "不, 没有, 没, 无, ではない, でない, くない, ではありません, ありません, でなく, しない, しません"
)
FILLERS = (
    "true, lehne, i, i'm, i am, it, it's, is, am, are, was, me, my, us, to, for, of, the, a, an, at, with, in, "
    "this, that, be, would be, would, do, "
    "ich, stimme, trifft, bin, es, ist, mir, mich, fur, dem, der, die, das, sehe, je, suis, j, c'est, est, ne, "
    "n, moi, pour, de, d, l, le, la, "
    "estoy, es, soy, lo, en, para, mi, mim, estou, sou, e, sono, per, di, del, al, una, un, uma, eu, ho, "
    "stare, extent, degree, level, "
    "的, 地, に, です, である, だ, は, が, と, を, 我, 感到, 觉得, している, する, します"
)
NEITHER = "neither, weder, ni, nem, ne, nao, 既不"
NOR = "nor, or, noch, ni, nem, ne, 也不"
MIDDLES = (
    "neutral, neutrally, neutre, neutro, neutrale, undecided, indifferent, indifferente, indiferente, "
    "no preference, mixed, about the same, "
    "the same, teils teils, teils, teils / teils, unentschieden, weder noch, mittelmassig zufrieden, "
    "ni l'un ni l'autre, sans preference, "
    "in the middle, so so, 一般, 一般般, 中立, 普通, ふつう, 还行, 还可以, どちらともいえない, "
    "どちらとも言えない, どちらでもない, 無差別"
)

POINTS: dict[str, dict[float, str]] = {
    "frequency": {
        0.0: "never, not ever, nie, niemals, jamais, nunca, jamas, mai, 从不, 从未, 从来没有, 从来不, "
        "全くない, まったくない, 一度もない, 決してない",
        0.4: "almost never, hardly ever, fast nie, presque jamais, casi nunca, quase nunca, quasi mai, "
        "几乎从不, 几乎不, ほとんどない, めったにない, ほとんどしない",
        0.7: "once, einmal, une fois, una vez, uma vez, una volta, 一次",
        0.8: "very rarely, sehr selten, tres rarement, muy raramente, 极少",
        1.0: "rarely, seldom, infrequently, selten, rarement, raramente, rara vez, raras veces, pocas veces, "
        "poucas vezes, di rado, 很少, まれに",
        1.4: "more than once, more once, a few times",
        2.0: "occasionally, once in a while, from time to time, now and then, every now and then, "
        "gelegentlich, hin und wieder, ab und zu, "
        "occasionnellement, de temps en temps, de vez en cuando, ocasionalmente, de vez em quando, "
        "occasionalmente, ogni tanto, 偶尔, たまに",
        2.2: "sometimes, manchmal, parfois, quelquefois, a veces, algunas veces, as vezes, algumas vezes, "
        "a volte, qualche volta, talvolta, "
        "有时, 有时候, 有時, 時々, ときどき",
        2.6: "about half the time, about half of the time, half the time, half of the time",
        2.9: "regularly, regelmassig, regulierement, regularmente, regolarmente, 定期",
        3.1: "often, frequently, many times, haufig, oft, ofters, souvent, frequemment, a menudo, "
        "frecuentemente, con frecuencia, muchas veces, "
        "frequentemente, com frequencia, muitas vezes, spesso, di frequente, 经常, 时常, 常常, よく, しばしば, "
        "頻繁に",
        3.5: "very often, very frequently, sehr oft, sehr haufig, meistens, tres souvent, muy a menudo, "
        "muito frequentemente, "
        "molto spesso, 非常频繁, とても頻繁に",
        3.7: "usually, mostly always, most of the time, typically, generalmente, normalmente, "
        "la plupart du temps, generalement, habitualmente, "
        "la mayoria de las veces, la mayor parte del tiempo, na maioria das vezes, geralmente, di solito, "
        "通常, 大多数时候, たいてい",
        4.3: "almost always, nearly always, fast immer, presque toujours, casi siempre, quase sempre, "
        "quasi sempre, 几乎总是, ほとんどいつも",
        5.0: "always, all the time, every time, constantly, immer, stets, toujours, tout le temps, siempre, "
        "todo el tiempo, sempre, "
        "总是, 一直, 始终, いつも, 常に",
    },
    "quality": {
        -4.6: "terrible, horrible, awful, worst, unacceptable, schrecklich, katastrophal, horrible, pesimo, "
        "pessimo, horrivel, terribile, "
        "极差, 非常差, 很差, ひどい, 最悪",
        -4.0: "very poor, very bad, ungenugend, tres mauvais, muy malo, muy mala, muito ruim, muito mau, "
        "molto scarso, とても悪い, 非常に悪い",
        -2.7: "poor, bad, mangelhaft, schlecht, mauvais, mauvaise, malo, mala, mal, ruim, mau, scarso, "
        "cattivo, 差, 悪い",
        -1.7: "below average, unterdurchschnittlich, 较差, やや悪い",
        0.0: "fair, ok, okay, average, acceptable, adequate, mediocre, ausreichend, durchschnittlich, correct, "
        "regular, aceptable, aceitavel, "
        "sufficiente, discreto, passable, 尚可, 合格",
        1.7: "above average, befriedigend, uberdurchschnittlich, 较好, やや良い",
        2.7: "good, well, gut, bon, bonne, bien, bueno, buena, bom, boa, buono, buona, bene, 好, 良好, 良い, よい",
        3.7: "very good, great, very well, sehr gut, tres bon, tres bonne, tres bien, muy bueno, muy buena, "
        "muy bien, muito bom, muito boa, "
        "muito bem, molto buono, molto buona, 很好, 非常好, とても良い, 非常に良い",
        4.6: "excellent, outstanding, exceptional, ausgezeichnet, hervorragend, excelente, eccellente, ottimo, "
        "otimo, otima, 优秀, 极好, 素晴らしい",
    },
    "level": {
        -3.5: "very low, sehr niedrig, sehr gering, tres faible, muy bajo, muy baja, muito baixo, muito baixa, "
        "molto basso, molto bassa, 很低, 非常低, とても低い, 非常に低い",
        -2.7: "low, niedrig, faible, bajo, baja, baixo, baixa, basso, bassa, 低, 低い",
        -2.0: "较低, やや低い",
        2.0: "较高, やや高い",
        0.0: "medium, moderate, mittel, moyen, moyenne, medio, media, 中, 中等, 中程度",
        2.7: "high, hoch, eleve, elevee, alto, alta, 高, 高い",
        3.5: "very high, sehr hoch, tres eleve, tres elevee, muy alto, muy alta, muito alto, muito alta, "
        "molto alto, molto alta, 很高, 非常高, とても高い, 非常に高い",
        4.2: "extremely high, extrem hoch, 极高",
    },
    "severity": {
        0.3: "negligible, insignificant, vernachlassigbar, negligeable, insignificante, 可忽略",
        0.8: "trivial",
        1.4: "minor, geringfugig, mineur, menor, minore, 轻微, 軽微",
        3.4: "major, significant, majeur, mayor, maggiore, 重大, 严重, 深刻",
        4.2: "severe, serious, schwerwiegend",
        5.0: "catastrophic, katastrophal, catastrophique, catastrofico, 灾难性",
    },
    "likelihood": {
        -4.2: "definitely not, definitely no, certainly not, no definitely not, auf keinen fall, "
        "certainement pas, definitivamente no, "
        "com certeza nao, sicuramente no, 肯定不会, 绝对不会, 一定不会",
        -3.0: "no, nein, nao, non, 不会, いいえ",
        -2.0: "probably not, probably no, unlikely to, wahrscheinlich nicht, probablement pas, "
        "probablemente no, provavelmente nao, "
        "probabilmente no, 可能不会, 大概不会",
        0.0: "maybe, perhaps, possibly, might or might not, may or may not, vielleicht, peut etre, tal vez, "
        "quizas, talvez, forse, 也许, たぶん",
        2.0: "probably, probably yes, probablement, probablemente, probablemente si, provavelmente, "
        "probabilmente, 可能会, 大概会",
        3.0: "yes, ja, oui, si, sim, 会, 是, はい",
        4.2: "definitely, definitely yes, yes definitely, certainly, auf jeden fall, certainement, "
        "definitivamente, definitivamente si, "
        "com certeza, sicuramente, 肯定会, 一定会, 绝对会",
    },
    "skill": {
        0.0: "no experience, none, keine erfahrung, sans experience, aucune experience, sin experiencia, "
        "sem experiencia, nessuna esperienza, 无经验, 没有经验, 未経験",
        1.0: "beginner, novice, basic, initial, newbie, anfanger, einsteiger, grundkenntnisse, debutant, "
        "principiante, inicial, basico, iniciante, base, 初学者, 初级, 初心者, 初級",
        2.0: "intermediate, competent, fortgeschritten, intermediaire, intermedio, intermediario, 中级, 中級",
        3.0: "advanced, proficient, weit fortgeschritten, avance, avanzado, avancado, avanzato, 高级, 上級",
        4.0: "expert, experte, experto, especialista, esperto, 专家, 専門家",
    },
    ANY: {
        4.55: "critical, crucial, vital, essential, indispensable, must have, entscheidend, unverzichtbar, "
        "kritisch, essentiel, essentielle, cruciale, "
        "esencial, crucial, critico, critica, essencial, essenziale, fondamentale, 关键, 至关重要, 必不可少, 不可欠",
        4.8: "perfect, perfekt, parfait, perfecto, perfeito, perfetto, 完美, 完璧",
    },
}
GRADED = {
    "worth": (
        "important* importance importan* relevan* significan* useful usefulness valuable necessary needed "
        "helpful material priority a+priority "
        "wichtig* bedeut* nutzlich* hilfreich* utile* util utiles utilidad necesari* necessa* necessario 重要 "
        "重要性 有用 必要 有帮助 相关 有益 役に立つ 関心がある",
        "unimportant irrelevant irrelevan* insignifican* useless unnecessary immaterial unhelpful unwichtig* "
        "unbedeut* nutzlos inutil* innecesari* desnecessari*",
    ),
    "agree": (
        "agree agreed zu zustimm* d'accord accord acuerdo concordo concord* d'accordo accordo 同意 赞同 赞成 "
        "认同 符合 そう思う 同意する あてはまる 当てはまる",
        "disagree desaccord desacuerdo discordo discord* disaccordo ablehn* ab 反对 反対 思わない そう思わない "
        "同意しない あてはまらない 当てはまらない",
    ),
    "satisfaction": (
        "satisf* happy content zufrieden* soddisf* 满意 滿意 満足 満足している",
        "dissatisf* unsatisf* unhappy unzufrieden* insatisf* insodd* 不満 不満足",
    ),
    "favour": (
        "favorabl* favourabl* favorevol* gunstig* positive positively positiv positif positivo positivamente "
        "support favor favour 支持 有利 积极",
        "unfavorabl* unfavourabl* desfavor* defavor* sfavorevol* negative negatively negativ negatif negativo "
        "negativamente oppose oppos* against 不利 消极",
    ),
    "likelihood": (
        "likely probable wahrscheinlich* probabl* probavel provavel 可能 可能性が高い",
        "unlikely improbable unwahrscheinlich* improbabl* improvavel 可能性が低い",
    ),
    "ease": (
        "easy easily leicht einfach facile facil 容易 简单 簡単",
        "difficult hard schwer schwierig* difficil* dificil* 困难 难 難しい",
    ),
    "severity": (
        "problem* concern* worried grave* gravi schlimm* 严重 问题 問題",
        "unproblematic unconcern*",
    ),
    "comparison": (
        "better more besser mehr mejor mas melhor mais meglio 更好 更",
        "worse less schlechter weniger pire moins peor menos pior meno peggio 更差",
    ),
}
ANTONYM = re.compile(r"^(?:un|in|im|ir|il|dis|des|des|non|不)(?=\w{1,})")

SPECIAL = {
    "not_applicable": re.compile(
        r"^n\s?/\s?a\b|\bn/a\b|^n\.?a\.?$|not applicable|(does|do) ?(not|n't|nt) apply|inapplicable|"
        r"not relevant to my role|nicht zutreffend|"
        r"entfällt|keine relevanz|non applicable|sans objet|no aplica|no procede|"
        r"n[ãa]o se aplica|non applicabile|non pertinente|不适用|不適用|無関係|該当なし|該当しない"
    ),
    "dont_know": re.compile(
        r"^(i )?(do ?n.?t|do not|dont|did ?n.?t|did not) (really )?(know|understand|recall|remember)|^dk\b|"
        r"^(i('m| am) )?(unsure|not sure)\b|^no (opinion|idea|basis)|^unfamiliar|"
        r"not (familiar with|heard|aware)|never heard|(have ?n.?t|haven.?t) heard|^unaware|unable to|^can ?(no|"
        r".)?t (say|judge|rate|answer|choose)|"
        r"^(ich )?wei(ß|ss) (es )?nicht|keine ahnung|keine meinung|kann ich nicht|nicht beurteil|unbekannt|"
        r"^(je )?ne sai[st] pas|^sans (opinion|avis)|^ne (connais|se prononce)|^(yo )?no sé\b|^no se$|"
        r"^no sabe|^ns\s?/\s?nc|^no (lo )?conozco|^sin opini|"
        r"^(eu )?n[ãa]o (sei|sabe|conhe)|^sem opini|^non (lo )?so\b|^non conosco|senza opinione|"
        r"^(我|对此|还)?(不清楚|不知道|不了解|不确定|不確定|说不清|不好说)|没听说|わからない|分からない|"
        r"分かりません|わかりません|知らない"
    ),
    "blank": re.compile(
        r"^(no answer|no response|not answered|not asked|null|nan|missing|refused|ref|skipped|skip|none given|"
        r"-+|\.+|\?+|\(skip\)|\(跳过\)|跳过|空|-3)\.?$|"
        r"prefer not|rather not|decline to|keine angabe|^k\. ?a\.?$|möchte ich nicht|pas de réponse|"
        r"préfère ne pas|prefiero no|sin respuesta|no contesta|"
        r"prefiro não|sem resposta|preferisco non|nessuna risposta|不愿|不想回答|无回答|未回答|回答しない|"
        r"答えたくない|無回答"
    ),
}


class _Part(NamedTuple):
    """What one word or phrase of a label does: grades, refuses, negates, or names what is graded."""

    role: str
    level: float = 0.0
    group: str = ""


class Reading(NamedTuple):
    """One label, understood.

    Attributes
    ----------
    level : float
        Its place among the labels of its group; only the order counts.
    group : str
        What is graded: a group of the lexicon, or "~" and the words that it lacks; empty where the label gives a
        degree alone, `ANY` where it goes with every group.
    sided : bool
        The label names the opposite ("disagree"), so the scale has two sides.
    strength : bool
        A degree is given ("strongly").
    rate : bool
        A number of times per time span.
    tail : str
        A gloss left out of the reading.
    """

    level: float
    group: str = ""
    sided: bool = False
    strength: bool = False
    rate: bool = False
    tail: str = ""


CJK = re.compile("[\u3040-\u30ff\u3400-\u9fff]")
WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")
CUT = re.compile(r"[,;:.(\[!–—/，；。：（]|\s-\s")
LONGEST_PHRASE = 6


@lru_cache(maxsize=8192)
def _plain(text: str) -> str:
    """A text without case, accents, odd spaces and typographic quotes."""
    text = unicodedata.normalize(
        "NFKD", text.replace("\ufeff", " ").replace("\u200b", "").replace("ß", "ss").casefold()
    )
    text = "".join(c for c in text if not unicodedata.combining(c) or c in "\u3099\u309a")
    text = unicodedata.normalize("NFC", text)
    return " ".join(re.sub("[’‘`´]", "'", text).replace("_", " ").split())


def _words(plain: str) -> tuple[str, ...]:
    return tuple(WORD.findall(plain))


def _key(phrase: str) -> tuple[str, ...]:
    plain = _plain(phrase)
    return tuple(plain) if CJK.search(plain) else _words(plain)


def _phrases(listed: str) -> Iterator[tuple[str, ...]]:
    return (_key(phrase) for phrase in listed.split(","))


class _Lexicon:
    """The tables above, by phrase."""

    def __init__(self) -> None:
        self.parts: dict[tuple[str, ...], _Part] = {}
        self.stems: dict[str, _Part] = {}
        self.points: dict[tuple[str, ...], list[_Part]] = defaultdict(list)
        for listed, role in ((FILLERS, "filler"), (NEGATIONS, "not")):
            self._add(listed, _Part(role))
        for group, levels in POINTS.items():
            for level, listed in levels.items():
                for phrase in _phrases(listed):
                    self.points[phrase].append(_Part("point", level, group))
        for phrase in _phrases(MIDDLES):
            self.points[phrase].append(_Part("point", NEUTRAL, ANY))
        for group, sides in GRADED.items():
            for side, sign in zip(sides, (1.0, -1.0), strict=True):
                for word in side.split():
                    part = _Part("graded", sign, group)
                    if word.endswith("*"):
                        self.stems[_plain(word[:-1])] = part
                    else:
                        self.parts[_key(word.replace("+", " "))] = part
        for role, table in (("degree", DEGREES), ("refusal", REFUSALS)):
            for level, listed in table.items():
                self._add(listed, _Part(role, level))
        self.neither, self.nor = set(_phrases(NEITHER)), set(_phrases(NOR))

    def _add(self, listed: str, part: _Part) -> None:
        self.parts.update((phrase, part) for phrase in _phrases(listed))

    def part(self, phrase: tuple[str, ...]) -> _Part | None:
        if phrase in self.parts:
            return self.parts[phrase]
        if len(phrase) == 1 and not CJK.search(phrase[0]):
            word = phrase[0].removeprefix("l'").removeprefix("d'")
            stem = next((word[:k] for k in range(len(word), 3, -1) if word[:k] in self.stems), "")
            if stem:
                return self.stems[stem]
        if phrase in self.points:
            return next((p for p in self.points[phrase] if p.group == ANY), self.points[phrase][0])
        return None


@cache
def _lexicon() -> _Lexicon:
    return _Lexicon()


SPANS = {
    8760.0: "hour hourly stunde stunden stundlich heure heures hora horas ora ore 小时 時間",
    365.0: "day days daily night nights tag taglich jour jours quotidiennement dia dias diario diariamente "
    "giorno giorni 天 日",
    52.0: "week weeks weekly woche wochen wochentlich semaine semaines hebdomadaire semana semanas semanal "
    "semanalmente settimana settimane 周 週",
    12.0: "month months monthly monat monate monatlich mois mes meses mensual mensualmente mensalmente mese mesi 月",
    4.0: "quarter quarters quarterly quartal quartalsweise trimestre 季度",
    1.0: "year years yearly annually jahr jahre jahrlich an ans annee ano anos anualmente anno anni 年",
}
SPAN_OF = {_plain(word): rate for rate, words in SPANS.items() for word in words.split()}
ADVERB = re.compile(r"(ly|lich|weise|mente|ment|hebdomadaire)$|^(daily|diario|mensual|semanal)$")
TIMES = re.compile(
    r"\b(every|each|per|once|twice|times?|nightly|jede[nrsm]?|einmal|pro|mal|par|chaque|fois|tous|toutes|cada|"
    r"vez|veces|todos|todas|"
    r"vezes|ogni|volta|volte)\b|[每次回毎]"
)
MULTIPLES = (
    (re.compile(r"\b(every|alle|tous les|cada) (few|paar|couple of|unos|poucos)\b"), 1 / 3),
    (re.compile(r"\b(every|each) (other|second)\b|\bjede[nrsm]? zweite"), 1 / 2),
    (
        re.compile(
            r"\b(few|several|couple|multiple|many|mehrmals|mehrere|plusieurs|varias|algunas|algumas|varie|"
            r"alcune)\b|[几多数][次回]"
        ),
        3.0,
    ),
    (re.compile(r"\b(twice|zweimal|deux fois|dos veces|duas vezes|due volte)\b|[两二][次回]"), 2.0),
)
LESS = re.compile(r"\b(less|fewer|rarer|weniger|seltener|moins|menos|meno)\b|不到|少于|未満")
MORE = re.compile(r"\b(more|mehr|ofter|haufiger|plus|mas|mais|piu)\b|以上|超过")
ALMOST = re.compile(r"\b(almost|nearly|most|fast|presque|casi|quase|quasi)\b|几乎|ほぼ")
OR_LESS = re.compile(r"\bor (less|fewer)\b|oder (weniger|seltener)|ou moins|o menos|ou menos|o meno\b")


def _rate(plain: str) -> float | None:
    """How often a year, where a label says so many times per span of time; None for durations and all else."""
    words = _words(plain)
    spans = [SPAN_OF[word] for word in words if word in SPAN_OF]
    if CJK.search(plain):
        spans = [rate for word, rate in SPAN_OF.items() if CJK.search(word) and word in plain]
    if not spans or not (TIMES.search(plain) or any(ADVERB.search(word) for word in words if word in SPAN_OF)):
        return None
    rate = math.prod(spans) ** (1 / len(spans))
    factor = next((multiple for pattern, multiple in MULTIPLES if pattern.search(plain)), 1.0)
    numbers = [float(n) for n in re.findall(r"\d+", plain)]
    if numbers:
        several = sum(numbers) / len(numbers)
        factor = 1 / several if re.search(r"\b(every|alle|tous les|cada|ogni) \d|每\d", plain) else several
    if OR_LESS.search(plain):
        factor *= 0.9
    elif LESS.search(plain):
        factor *= 0.5
    elif MORE.search(plain) and len(spans) == 1:
        factor *= 1.5
    return rate * factor * (0.8 if ALMOST.search(plain) else 1.0) or None


def _level_of_rate(rate: float) -> float:
    """Where a rate lies among never (0), rarely (1) … always (5)."""
    return max(0.1, 1.2 + 1.25 * math.log10(rate))


def _scan(units: tuple[str, ...]) -> Iterator[tuple[_Part | None, str]]:
    """Split a label into known phrases, longest first, and single unknown words."""
    lexicon, start = _lexicon(), 0
    while start < len(units):
        for length in range(min(LONGEST_PHRASE if len(units[start]) > 1 else 12, len(units) - start), 0, -1):
            part = lexicon.part(units[start : start + length])
            if part is not None:
                yield part, ""
                break
        else:
            length = 1
            yield None, units[start]
        start += length


def _is_neither(units: tuple[str, ...]) -> bool:
    lexicon = _lexicon()
    starts = any(units[: len(word)] == word for word in lexicon.neither)
    return starts and any(units[k : k + len(word)] == word for word in lexicon.nor for k in range(1, len(units)))


@lru_cache(maxsize=8192)
def _readings(plain: str) -> tuple[Reading, ...]:
    """Every way to understand a label; none where a word of it is not understood."""
    if CUT.search(plain) and not _understood(plain):
        head, tail = CUT.split(plain, 1)
        if head.strip():
            return tuple(
                r._replace(tail=tail.strip())
                for r in _understood(head.strip())
                if r.group and not r.group.startswith("~")
            )
    return _understood(plain)


@lru_cache(maxsize=8192)
def _understood(plain: str) -> tuple[Reading, ...]:
    rate = _rate(plain)
    if rate is not None:
        return (Reading(_level_of_rate(rate), "frequency", rate=True),)
    units = tuple(plain.replace(" ", "")) if CJK.search(plain) else _words(plain)
    if CJK.search(plain):
        units = tuple(unit for unit in units if unit.isalnum())
    if not units or any(any(c.isdigit() for c in unit) for unit in units):
        return ()
    if _is_neither(units):
        return (Reading(NEUTRAL, ANY),)
    whole = [Reading(point.level, point.group) for point in _lexicon().points.get(units, ())]
    composed = list(_composed(units))
    if whole and any(r.group.startswith("~") for r in composed):
        composed = []
    known = {r.group for r in whole}
    return (*whole, *(r for r in composed if r.group not in known))


def _composed(units: tuple[str, ...]) -> Iterator[Reading]:
    sign, refused = 1.0, 0.0
    degrees: list[float] = []
    graded: _Part | None = None
    compared: _Part | None = None
    points: list[_Part] = []
    unknown: list[str] = []
    sided = False
    for part, word in _scan(units):
        if part is None:
            unknown.append(word)
        elif part.role == "not":
            sign = -sign
        elif part.role == "degree":
            degrees.append(part.level)
        elif part.role == "refusal":
            refused = refused or part.level
        elif part.role == "point":
            points.append(part)
        elif part.group == "comparison":
            compared = part
        elif part.role == "graded":
            if graded is not None and graded.group != part.group:
                return
            graded = part if graded is None else graded._replace(level=graded.level * (1 if part.level > 0 else -1))
            sided = sided or part.level < 0
    if compared is not None:
        # "much less important" turns the grade, "much worse" is one
        sign, degrees = (sign * compared.level, [*degrees, 1.8]) if graded else (sign, degrees)
        graded = graded or compared
    strong = bool(degrees or refused)
    if len(points) == 1 and points[0].level == NEUTRAL and points[0].group == ANY and not strong:
        yield Reading(NEUTRAL, ANY)
        return
    if len(points) > 1 or (points and (unknown or refused)):
        return
    if points and graded is None:
        yield from _of_point(points[0], sign, degrees)
        return
    if points:
        if points[0].group in (ANY, "severity", "level"):
            yield Reading(sign * points[0].level, graded.group if graded else ANY)
        return
    level = refused or sign * max(degrees, default=PLAIN)
    if not unknown:
        if graded is not None:
            yield Reading(level * graded.level, graded.group, sided=sided, strength=strong)
        elif strong:
            yield Reading(level, strength=True)
        return
    core = (" " if len(unknown[0]) > 1 else "").join(unknown)
    if graded is not None or (len(unknown) > 3 and len(unknown[0]) > 1) or len(core) > 24:
        return
    yield Reading(level, "~" + core, strength=strong or sign < 0)
    opposite = ANTONYM.sub("", core)
    if opposite != core:
        yield Reading(-level, "~" + opposite, sided=True, strength=strong)


def _of_point(point: _Part, sign: float, degrees: Sequence[float]) -> Iterator[Reading]:
    """A label that is a place on its scale, perhaps with a degree: "critical", "extremely critical"."""
    if not degrees and sign > 0:
        yield Reading(point.level, point.group)
    elif point.group in (ANY, "quality", "severity") and point.level != NEUTRAL:
        direction = sign if point.level > 0 else -sign
        yield Reading(direction * max(degrees, default=PLAIN), point.group, strength=bool(degrees))


def _frequency_inside(plain: str) -> tuple[Reading, ...]:
    """A word of frequency anywhere in an answer to "how often"."""
    words = _words(plain)
    for length in range(4, 0, -1):
        for k in range(len(words) - length + 1):
            for point in _lexicon().points.get(words[k : k + length], ()):
                if point.group == "frequency":
                    return (Reading(point.level, "frequency", tail=plain),)
    return ()


@lru_cache(maxsize=8192)
def _special(text: str) -> str:
    """What an answer that is no rating means: "dont_know", "not_applicable", "blank"; else empty."""
    folded = " ".join(unicodedata.normalize("NFKC", text.replace("\ufeff", " ")).casefold().split())
    folded = re.sub("[’‘`´]", "'", folded)
    return next((kind for kind, pattern in SPECIAL.items() if pattern.search(folded)), "")


def is_plain_answer(text: str) -> bool:
    """Whether an answer to a rating holds nothing but a short number, or words of a scale or for no answer.

    Not whether a scale has it: `Very important - ask Ann` begins like a label, and is none of this.

    Examples
    --------
    >>> [is_plain_answer(text) for text in ("4", "Very important", "N/A", "N/A, ask Ann", "4 - ask Ann", "015170001")]
    [True, True, True, False, False, False]
    """
    if WHOLE.fullmatch(text.strip()):
        return len(text.strip()) <= SHORT_NUMBER
    if kind := _special(text):
        folded = re.sub("[’‘`´]", "'", unicodedata.normalize("NFKC", text).casefold())
        return set(_words(SPECIAL[kind].sub(" ", " ".join(folded.split())))) <= {"to", "say", "answer"}
    return any(not reading.tail and not reading.group.startswith("~") for reading in _readings(_plain(text)))


@dataclass
class _Profile:
    """A column's answers, counted and sorted for the questions asked of them."""

    answers: Mapping[str, int]
    total: int = 0
    special: dict[str, str] = field(default_factory=dict)
    words: dict[str, int] = field(default_factory=dict)
    numbers: dict[float, int] = field(default_factory=dict)
    few: bool = False

    @classmethod
    def of(cls, answers: Mapping[str, int]) -> _Profile:
        profile = cls(answers, sum(answers.values()), few=0 < len(answers) <= LABELS_AT_MOST)
        if profile.few:
            for text, count in answers.items():
                number = _number(text)
                if number is not None:
                    profile.numbers[number] = profile.numbers.get(number, 0) + count
                elif kind := _special(text):
                    profile.special[text] = kind
                else:
                    profile.words[text] = count
        return profile

    @property
    def sample(self) -> list[str]:
        return list(islice(self.answers, CELLS_LOOKED_AT))

    def share(self, pattern: re.Pattern[str]) -> float:
        """The share of the cells looked at that a pattern matches as a whole."""
        sample = self.sample
        return sum(pattern.fullmatch(text.strip()) is not None for text in sample) / len(sample)


NUMBER = re.compile(r"\ufeff?[+-]?(?:[0-9]{1,3}(?:[ ,][0-9]{3})+|[0-9]*)(?:[.,][0-9]+)?(?:[eE][+-]?[0-9]+)?%?")
WHOLE = re.compile(r"[+-]?[0-9]{1,9}(?:\.0+)?")


def _number(text: str) -> float | None:
    text = text.replace("\ufeff", "").strip()
    return float(text) if WHOLE.fullmatch(text) else None


TWO_SIDED = ("agree", "satisfaction", "favour")


class _Scale(NamedTuple):
    """A scale and the answers it places."""

    low: float
    high: float
    points: Mapping[str, float]
    sure: bool


def _word_scale(counts: Mapping[str, int], how_often: bool, evidence: bool) -> _Scale | None:
    """Order answers in words; None unless nearly all are understood and three lie apart."""
    if not counts:
        return None
    readings = {text: _readings(_plain(text)) for text in counts}
    if how_often:
        readings = {text: found or _frequency_inside(_plain(text)) for text, found in readings.items()}
    groups = {r.group for found in readings.values() for r in found if r.group not in ("", ANY)} or {""}

    def chosen(group: str) -> dict[str, Reading]:
        fits = ((text, [r for r in found if r.group in (group, "", ANY)]) for text, found in readings.items())
        return {text: max(found, key=lambda r: r.group == group) for text, found in fits if found}

    def explained(group: str) -> tuple[int, int, bool]:
        fitting = chosen(group)
        exact = sum(r.group == group for r in fitting.values())
        return sum(counts[text] for text in fitting), exact, not group.startswith("~")

    group = max(sorted(groups), key=explained)
    fitting = chosen(group)
    gaps = 1 - sum(counts[text] for text in fitting) / sum(counts.values())
    if gaps > (GAPS_AT_MOST if evidence or how_often else STRAYS_AT_MOST):
        return None
    return _ordered(fitting, group, gaps > 0)


def _ordered(fitting: Mapping[str, Reading], group: str, gaps: bool) -> _Scale | None:
    found = dict(fitting)
    sure = not gaps
    if group == "likelihood" and not any(r.strength or abs(r.level) in (2.0, 4.2) for r in found.values()):
        # yes, maybe, no: a middle named neutral makes a scale of it, a maybe does not
        if not any(r.group == ANY and r.level == NEUTRAL for r in found.values()) or not any(
            r.group == group for r in found.values()
        ):
            return None
        sure = False
    degrees = [text for text, r in found.items() if r.strength]
    opposed = any(r.sided for r in found.values()) and len({r.level for r in found.values()}) > 2
    if group.startswith("~") and len({found[text].level for text in degrees}) < 2 and not opposed:
        return None
    neutrals = [text for text, r in found.items() if r.group == ANY and r.level == NEUTRAL]
    sided = any(r.sided or (r.level < 0 and r.group in ("quality", "level", "likelihood")) for r in found.values())
    weak = [r.level for r in found.values() if 0 < r.level < 2.3 and r.strength]
    refused = {r.level for r in found.values() if r.level < 0}
    if neutrals and weak and not sided and len(refused) < 2 and min(refused, default=-9) < -1:
        # "slightly important, neutral, moderately important": here neutral is no zero
        sure = sure and min(weak) <= 1.3
        found.update((text, found[text]._replace(level=1.5)) for text in neutrals)
    if any(r.rate for r in found.values()) and any(
        not r.rate and r.group == "frequency" and 1.2 < r.level < 5 for r in found.values()
    ):
        sure = False
    ranks, tied = _ranks(found)
    sure = sure and not tied
    levels = sorted(set(ranks.values()))
    if len(levels) < (2 if degrees and group in (*TWO_SIDED, "worth") else 3):
        return None
    if len(levels) < 3:
        sure = False
    if group in TWO_SIDED and (sided or neutrals):
        mirrored = _mirrored(levels)
        sure = sure and mirrored == levels
        levels = mirrored
    if len(levels) > POINTS_AT_MOST:
        return None
    place = {level: float(k) for k, level in enumerate(levels, 1)}
    return _Scale(1.0, float(len(levels)), {text: place[rank] for text, rank in ranks.items()}, sure)


def _ranks(found: Mapping[str, Reading]) -> tuple[dict[str, float], bool]:
    """Levels, those that tie set apart by their glosses; and whether a gloss decided."""
    ranks, tied = {text: r.level for text, r in found.items()}, False
    by_level: dict[float, list[str]] = defaultdict(list)
    for text, level in ranks.items():
        by_level[level].append(text)
    for level, texts in by_level.items():
        glosses = {text: found[text].tail for text in texts}
        if len({_words(_plain(text)) for text in texts}) < 2:
            continue
        if len({_words(gloss) for gloss in glosses.values()}) < 2 or not all(glosses.values()):
            tied = True
            continue
        ordered = sorted(dict.fromkeys(glosses.values()), key=_gloss_strength)
        if len({_gloss_strength(gloss) for gloss in ordered}) < len(ordered):
            tied = True
            continue
        tied = True
        for text, gloss in glosses.items():
            ranks[text] = level + 1e-3 * (ordered.index(gloss) - (len(ordered) - 1))
    return ranks, tied


def _gloss_strength(gloss: str) -> float:
    """How far a gloss strengthens its label: "but open to it" more than "and not open to it"."""
    words = set(_words(gloss))
    if words & {"not", "no", "nicht", "pas", "non", "nao", "never"}:
        return -1.0
    degree = {"heavy": 3.0, "intense": 3.0, "moderate": 2.0, "medium": 2.0, "light": 1.0, "casual": 1.0}
    return max((degree[word] for word in words if word in degree), default=0.5)


def _mirrored(levels: Sequence[float]) -> list[float]:
    """The levels with those that the other side uses and this side did not happen to."""
    above, below = {v for v in levels if v > 0.5}, {-v for v in levels if v < -0.5}
    both = above | below
    if both not in (above, below) or len(both - above) + len(both - below) > 2:
        return list(levels)
    return sorted({*levels, *both, *(-v for v in both)})


NUMBERED = re.compile(
    r"\(?(?P<number>[+-]?\d{1,2}(?:\.0)?)\)?(?:\s*[-–—:.)=(]\s*|\s+)(?P<text>[^\W\d].*?)\)?"
    r"|(?P<stars>\d{1,2})\s*(?:分|点|星|★|⭐)|(?P<before>[^\W\d].*?)\s*[(\[](?P<last>\d{1,2})[)\]]",
    re.DOTALL,
)
ANSWER_CODE = re.compile(r"AO?0*(\d{1,2})")
STARS = re.compile(r"([★⭐])+[☆]*")


def _numbered_scale(counts: Mapping[str, int], numbers: Mapping[float, int], evidence: bool) -> _Scale | None:
    """Labels that carry their point: "(4) Critical", "10 (all my time)"."""
    points: dict[str, float] = {}
    texts: dict[str, str] = {}
    for label in counts:
        clean = " ".join(label.replace("\ufeff", " ").split())
        if evidence and (code := ANSWER_CODE.fullmatch(clean)):
            points[label] = float(code[1])
        elif STARS.fullmatch(clean):
            points[label] = float(sum(c in "★⭐" for c in clean))
        elif found := NUMBERED.fullmatch(clean):
            points[label], texts[label] = (
                float(found["number"] or found["stars"] or found["last"]),
                found["text"] or found["before"] or "",
            )
    if not points:
        return None
    known = sum(counts[label] for label in points) + sum(numbers.values())
    total = sum(counts.values()) + sum(numbers.values())
    values = sorted({*points.values(), *numbers})
    if (
        known < (1 - STRAYS_AT_MOST) * total
        or len(points) > len(set(points.values())) + 2
        or not _looks_like_points(values)
    ):
        return None
    worded = {label: text for label, text in texts.items() if text}
    understood = [
        label
        for label, text in worded.items()
        if any((r.group and not r.group.startswith("~")) or r.strength for r in _readings(_plain(text)))
    ]
    ends_only = bool(numbers) and set(points.values()) <= {values[0], values[-1]}
    if not (2 * len(understood) >= max(len(worded), 1) or ends_only or evidence):
        return None
    if any(_rate(_plain(label)) or UNIT.search(_plain(text)) for label, text in worded.items()):
        return None
    low, high = values[0], values[-1]
    low = 1.0 if low == 2 else low
    high = 10.0 if low <= 1 and high in (8, 9) else high
    return _Scale(
        low,
        high,
        points,
        known == total and len(values) == high - low + 1 and not any(map(ANSWER_CODE.fullmatch, points)),
    )


OPEN_ENDED = re.compile(r"\d\s*\+|[<>≥≤]\s*\d|\d\s*[-–]\s*\d|\d (or|and) (more|less|above|over)|\d.*(以上|以下)")
"""An answer that counts: "5+", "10 or more", "3-5"."""
UNIT = re.compile(
    r"^(years?|months?|weeks?|days?|hours?|minutes?|people|persons?|employees?|times?|projects?|developers?|"
    r"jahre?n?|monate?|tage?|"
    r"stunden|ans?|mois|jours?|anos?|meses|dias|horas|anni|mesi|giorni|ore|or more|or less|and (more|above)|年|"
    r"人|个|次|岁|小时|天)\b"
)


def _looks_like_points(values: Sequence[float], least: int = 3) -> bool:
    """Whether whole numbers may be the points of one scale, some of them perhaps unused."""
    if len(values) < 2:
        return False
    span = values[-1] - values[0] + 1
    return (
        values[0] >= 0
        and 3 <= span <= POINTS_AT_MOST
        and values[-1] <= 100
        and len(values) >= least
        and len(values) * 2 > span
    )


RATES = re.compile(
    r"\brat(e|es|ed|ing)\b|\bscales?\b|\bimportan|\bagree|\bsatisf|\blikel[yi]|\blikert|\bhow (much|strongly|"
    r"well|easy|difficult|hard|useful|concerned|"
    r"confident|comfortable|familiar|severe|serious|critical|relevant|good|bad|clear|helpful|valuable|often|is|"
    r"was|do you rate|do you feel)\b|"
    r"\bextent\b|\bfeel\b|\bpriorit|\bquality of\b|\brecommend|\bimpact|\bscore|\bwichtig|\bbewert|\bzufrieden|"
    r"\bskala|\bstimmen? |\binwieweit|"
    r"\bwie (sehr|stark|gut|wahrscheinlich|haufig|oft)\b|\bimportan|\becala|\bescala|\bechelle|\bscala\b|"
    r"\bcalific|\bvalor|\bsatisf|"
    r"\b(que|cuan|quao|quanto) (tan )?\w*(probab|prova|import|satisf)|\bprobable que|\bd'accord|\bacuerdo|"
    r"\bconcord|\bavali|\bvalut|\bnotez|\bevalue|\bdisfrut|"
    r"重要|满意|同意|程度|评分|打分|评价|影响|可能性|満足|評価|どの程度|そう思"
)
STRONG = re.compile(
    r"\brate\b|\bscale\b|\bextent\b|\bhow (much|strongly|important|satisfied|likely|often)\b|\bfeel about\b|"
    r"\bimportan|\bescala|\bskala|\bechelle|"
    r"评分|打分|程度|評価|重要"
)
NOMINAL = re.compile(
    r"\b(how many|how long|how old|how large|how big|how would you like|which|whether|select all|"
    r"all that apply|as many as|status|reasons?|number of|"
    r"have (you|your)|has your|did you|do you|does|are you|is your|when|where|who|what (is|are|kind|type)|"
    r"indicate if|years?|age|gender|aware|"
    r"percent|percentage|count|children|rooms|members|population|wie viele|wie lange|welche[rs]?|combien|"
    r"quel(le)?s?|cuant[oa]s|cual(es)?|quant[oaie]s?|"
    r"quanti|quante|quale|quali|edad|idade|eta|alter|multiple choice|choose|complete|zip|plz|postcode|weight|fpc)\b|"
    r"多少|几个|哪|年龄|性别|いくつ|何人|何年|年齢|どれ"
)
HOW_OFTEN = re.compile(
    r"\bhow (often|frequent)|\bfrequen|\bhaufig|\bwie oft|\bfrecuen|\bcombien de fois|\bcuantas veces|"
    r"\bquantas vezes|\bquante volte|\bspesso|频率|多久|頻度"
)
RANKED = re.compile(
    r"\brank|\brang|\bin order of|\breihenfolge|\bordre|\bclass(ez|ement)|\borden[ea]|\bclassific|排序|排名|順位|順番"
)
RANGE_TOLD = re.compile(
    r"\b(?P<low>[01])\s*(?:\([^)]*\)|=[^,;]*|being [^,;]*|)\s*(?:-|–|—|~|\.\.+|to|bis|a|au|al|ate|until|"
    r"through|,|,? and|und|et|y|e)\s*(?P<high>[3-9]|10)\b(?![-/.:]\d)"
)
RECOMMEND = re.compile(r"recommend|recomiend|recomend|weiterempf|empfehl|consigli|recommand|推荐|薦め|勧め")
SELECTED = re.compile(
    r"not (selected|checked|chosen)|unchecked|nicht (gewahlt|ausgewahlt)|non selectionne|no seleccionado|"
    r"quoted|unquoted|未选(中|择)?",
    re.IGNORECASE,
)
YES_NO = frozenset(
    {
        "yes",
        "no",
        "y",
        "n",
        "ja",
        "nein",
        "oui",
        "non",
        "si",
        "sim",
        "nao",
        "true",
        "false",
        "checked",
        "unchecked",
        "quoted",
        "not quoted",
        "selected",
        "not selected",
        "是",
        "否",
        "はい",
        "いいえ",
        "x",
        "✓",
        "✔",
        "1",
        "0",
    }
)
ALL_THAT_APPLY = re.compile(
    r"(select|check|tick|choose|mark) all|all that apply|as many as|multiple answer|mehrfach|"
    r"plusieurs reponses|todas las|todas as|多选|複数"
)

EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]{2,}")
ADDRESS = re.compile(r"(\d{1,3}\.){3}\d{1,3}|[0-9a-f]{0,4}(:[0-9a-f]{0,4}){3,7}", re.IGNORECASE)
PHONE = re.compile(
    r"\+\d[\d\s().-]{7,}\d|\(\d{2,5}\)\s?[\d\s.-]{5,}\d|1[3-9]\d{9}|0\d{1,4}[\s/-]\d[\d\s-]{4,}\d|"
    r"\d{3}[-.]\d{3}[-.]\d{4}"
)
TIME_CELL = re.compile(
    r"\d{4}[-/.年]\d{1,2}[-/.月]\d{1,2}日?([T ,]+\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?\s*([AaPp]\.?[Mm]\.?)?\s*(Z|"
    r"[+-]\d{2}:?\d{2}|[A-Z]{2,5}|GMT[+-]\d+)?)?"
    r"|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}([T ,]+\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?\s*([AaPp]\.?[Mm]\.?)?\s*(Z|"
    r"[+-]\d{2}:?\d{2}|[A-Z]{2,5})?)?"
    r"|\d{1,2}[-\s][A-Za-z]{3,9}[-\s,]+\d{2,4}([T ,]+\d{1,2}:\d{2}(:\d{2})?)?|"
    r"[A-Za-z]{3,9}\.? \d{1,2},? \d{4}([T ,]+\d{1,2}:\d{2}(:\d{2})?)?(\s*[AaPp][Mm])?"
    r"|\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?(\s*[AaPp][Mm])?([+-]\d{2}:?\d{2})?"
)
TIME_HEAD = re.compile(
    r"\b(date|dates|time|timestamp|datum|zeit|heure|fecha|hora|data e hora|started|submitted|startdate|enddate|"
    r"submitdate|datestamp|marca temporal|"
    r"horodateur|zeitstempel|carimbo)\b|日期|时间|時刻|日時|タイムスタンプ"
)
PII_HEAD = re.compile(
    r"\be-?mail\b|\bemail ?address|\bip ?address|\b(first|last|full|your|sur|family|given|middle|contact|"
    r"recipient ?(first|last)?) ?name\b|^name$|\bfirstname|"
    r"\blastname|\bphone\b|\btelephone|\bmobile( number)?$|\bcell ?phone|\blatitude|\blongitude|\bgps\b|"
    r"\bpostal address|\bhome address|\bstreet|^address|"
    r"\bdate of birth|^dob$|\bbirth ?da(y|te)|\bssn\b|\bpassport|^vorname|^nachname|\bansprechpartner|"
    r"\banschrift|\btelefon|\bgeburtsdatum|^nom$|\bprenom|"
    r"\bcourriel|\badresse|^nombre( completo)?$|\bapellido|\bcorreo|\btelefono|^nome$|\bsobrenome|\bcognome|"
    r"\bindirizzo|姓名|电话|手机|邮箱|电子邮件|身份证|微信|地址|来自ip|"
    r"名前|氏名|メール|電話|住所"
)
ID_HEAD = re.compile(
    r"^(#|id|key|uuid|guid|case|serial|token|序号|编号|答卷编号|番号)$|\b(respondent|response|submission|"
    r"record|case|participant|user|session|instance|subject|study) ?id\b|"
    r"^respondentid|^responseid|^instanceid|\b(uu|gu)id$|^meta instanceid"
)
META_HEAD = re.compile(
    r"^(collector( ?id)?|status|progress|finished|language|userlanguage|startlanguage|user ?agent|browser|"
    r"platform|device( type)?|distribution ?channel|"
    r"response ?set|lastpage|last page.*|seed|refurl|referer|network id|tags|mode|questnnr|locationaccuracy|"
    r".* complete|redcap (event name|repeat instrument|"
    r"repeat instance|survey identifier)|来源|来源详情|所用时间|custom data( \d+)?)$"
)
CODED = re.compile(
    r"\b(which|what|select|choose|welche[rs]?|quel(le)?|cual|qual|quale|status|gender|sex)\b|哪|性别|どれ"
)
PII_HEAD_WORDS = 7
SEPARATORS = ("┋", ";", "|", ", ")


def describe(heads: Sequence[Head], answers: Sequence[Mapping[str, int]]) -> tuple[Column, ...]:
    """Say what each column is.

    Parameters
    ----------
    heads : sequence of Head
        The columns' headers, in the order of the file.
    answers : sequence of mapping of str to int
        For each column, how often each text occurs, over all or a sample of the responses; blank cells are left out.

    Returns
    -------
    tuple of Column
        One for each header.

    Raises
    ------
    ValueError
        If headers and answers differ in number.

    Examples
    --------
    >>> column, = describe([Head("Climate")], [{"Very important": 3, "Not important": 1, "Somewhat important": 2}])
    >>> column.kind, column.scale.labels["Very important"]
    (<ColumnKind.RATING: 'rating'>, 3.0)
    """
    if len(heads) != len(answers):
        raise ValueError(f"{len(heads)} headers, but answers of {len(answers)} columns.")
    profiles = [_Profile.of(counts) for counts in answers]
    kinds: list[ColumnKind | None] = [_by_head(head, p) for head, p in zip(heads, profiles, strict=True)]
    scales: dict[int, ScaleGuess] = {}
    matrix: dict[int, int] = {}
    separators: dict[int, str] = {}
    families = _families(heads)
    for members in families:
        open_ones = [k for k in members if kinds[k] is None and profiles[k].few]
        _judge_family([heads[k] for k in open_ones], open_ones, profiles, kinds, scales, matrix)
    _judge_runs(heads, profiles, kinds, scales, matrix)
    _judge_options(heads, profiles, kinds)
    for k, (head, profile) in enumerate(zip(heads, profiles, strict=True)):
        if kinds[k] is not None:
            continue
        guess = _scale_of([profile], [head])
        if guess is not None:
            kinds[k], scales[k] = ColumnKind.RATING, guess[0]
            continue
        kinds[k], separators[k] = _alone(head, profile)
    _join_alike(heads, scales, matrix)
    numbers = {number: k for k, number in enumerate(dict.fromkeys(matrix[k] for k in sorted(matrix)))}
    return tuple(
        Column(
            head,
            kinds[k] or ColumnKind.TEXT,
            scales.get(k) if kinds[k] is ColumnKind.RATING else None,
            separators.get(k, ""),
            numbers[matrix[k]] if k in matrix else -1,
        )
        for k, head in enumerate(heads)
    )


def _header(head: Head) -> str:
    """What is asked, to be searched."""
    return _plain(head.question or head.name)


def _by_head(head: Head, profile: _Profile) -> ColumnKind | None:
    """What header and the look of single cells settle; None where answers must be weighed."""
    if head.role is not None:
        return head.role
    if not profile.answers:
        return ColumnKind.EMPTY
    name, header = _plain(head.name), _header(head)
    option = bool(head.item) and all(
        text in YES_NO or _same(head.item, text) or SELECTED.fullmatch(text) or re.fullmatch(r"\d{1,2}", text)
        for text in map(_plain, profile.sample)
    )
    last = _plain(head.item) or header
    if profile.share(EMAIL) > 0.5 or (profile.share(ADDRESS) > 0.5 and not profile.numbers):
        return ColumnKind.PII
    short = len(_words(header)) <= PII_HEAD_WORDS
    split_name = _plain(re.sub(r"(?<=[a-z])(?=[A-Z])", " ", head.name))
    if META_HEAD.search(name) or META_HEAD.search(name.replace(" ", "")):
        return ColumnKind.METADATA
    if ID_HEAD.search(name) or ID_HEAD.search(split_name) or ID_HEAD.search(header):
        return ColumnKind.ID
    distinct = len(profile.answers)
    if profile.share(TIME_CELL) >= 0.8 and not profile.share(WHOLE) > 0.5:
        return ColumnKind.PII if PII_HEAD.search(name) and short else ColumnKind.TIME
    if (
        not option
        and any(PII_HEAD.search(text) and len(_words(text)) <= PII_HEAD_WORDS for text in (name, split_name, last))
        and not (
            profile.few
            and profile.total > 2 * distinct
            and distinct < 12
            and set(map(_plain, profile.answers)) & YES_NO
        )
    ):
        return ColumnKind.PII
    if profile.share(PHONE) > 0.5:
        return ColumnKind.PII
    serial = re.compile(r"[345]\d{4}(\.\d+)?")
    if TIME_HEAD.search(split_name) and short and profile.share(serial) > 0.8:
        return ColumnKind.TIME
    return None


CODE = re.compile(r"^([a-z]{0,3}\d+)([a-z])(\d*)[.):]")
LEADING_CODE = re.compile(r"[a-z]+\d+(#\d+)?(?![a-z ]*\s[a-z])")
NO_STEM = re.compile(r"(q|v|x|f|var|question|frage|col|column|field|item_?id|unnamed)[_ ]?", re.IGNORECASE)


def _stem(head: Head) -> str:
    """What the names of one matrix question's columns have in common; empty where nothing tells."""
    name = _plain(head.name)
    if code := CODE.match(name):
        return f"{code[1]}*{code[3]}"
    if found := re.match(r"(\w+)\[[^\]]+\]", name):
        return found[1]
    if re.search(r"\S\s*\[[^\[\]]*\]$", name):
        return name[: name.index("[")].strip()
    raw = head.name.casefold().strip()
    if len(_words(name)) > 6:
        return ""
    stem = raw.split("___")[0] if re.search(r"\w___\w+$", raw) else re.sub(r"(?:[_./:\-]+\s*-?\w+|\d+)$", "", raw)
    return "" if stem == raw or NO_STEM.fullmatch(stem) else stem


def _code(head: Head) -> str:
    """The question's code at the beginning of a name: two questions may share their text."""
    code = LEADING_CODE.match(head.name.casefold())
    return code[0] if code else ""


def _families(heads: Sequence[Head]) -> list[list[int]]:
    """The columns that headers show to be rows, or options, of one question, in order; each column at most once."""
    found: dict[tuple[str, str], list[int]] = defaultdict(list)
    coded = [_code(head) for head in heads]
    together = Counter((code, head.question) for code, head in zip(coded, heads, strict=True))
    for k, (code, head) in enumerate(zip(coded, heads, strict=True)):
        if head.role is not None:
            continue
        if head.question and head.item:
            found[code if together[code, head.question] > 1 else "", _plain(head.question)].append(k)
        elif stem := _stem(head):
            found[stem, ""].append(k)
    return [members for members in found.values() if len(members) > 1]


def _judge_family(
    heads: Sequence[Head],
    members: Sequence[int],
    profiles: Sequence[_Profile],
    kinds: list[ColumnKind | None],
    scales: dict[int, ScaleGuess],
    matrix: dict[int, int],
) -> None:
    """Decide the rows of one question together: ratings, ranks or options."""
    if len(members) < 2:
        return
    own = [profiles[k] for k in members]
    if (ranked := _ranked(heads, own)) and len(ranked) > 1:
        for j in ranked:
            kinds[members[j]], matrix[members[j]] = ColumnKind.RANKING, members[0]
        return
    graded = any(len(set(p.numbers) - {0.0, 1.0}) > 0 and len(p.numbers) > 1 for p in own)
    options = [j for j, p in enumerate(own) if _is_option(heads[j], p) and not (graded and set(p.numbers) - {0.0, 1.0})]
    spread = len(options) >= 2 and (len(options) * 2 > len(own) or bool(ALL_THAT_APPLY.search(_header(heads[0]))))
    if spread:
        for j in options:
            kinds[members[j]] = ColumnKind.MULTIPLE
    rest = [j for j in range(len(own)) if not (spread and j in options)]
    rated = _shared_scale([own[j] for j in rest], [heads[j] for j in rest])
    if rated is not None and len(rated) > 1:
        for j, guess in rated.items():
            kinds[members[rest[j]]], scales[members[rest[j]]] = ColumnKind.RATING, guess
            matrix[members[rest[j]]] = members[0]


def _shared_scale(profiles: Sequence[_Profile], heads: Sequence[Head]) -> dict[int, ScaleGuess] | None:
    """The scale of those columns, by place, whose answers lie on one; columns that do not fit are left out."""
    fitting = list(range(len(profiles)))
    for _ in range(3):
        guess = _scale_of([profiles[j] for j in fitting], [heads[j] for j in fitting])
        if guess is not None:
            whole, points = guess
            kept = [j for j in fitting if _fits(profiles[j], points) and _shares_labels(j, fitting, profiles)]
            if len(kept) == len(fitting):
                return {j: replace(whole, special=dict(profiles[j].special) | dict(whole.special)) for j in kept}
        else:
            # strangers among the rows, a text or a yes/no, hide the scale of the others
            commonest = Counter(frozenset(map(_plain, profiles[j].words)) for j in fitting).most_common(1)
            core = commonest[0][0] if commonest else frozenset()
            kept = [
                j for j in fitting if (core & set(map(_plain, profiles[j].words)) if core else not profiles[j].words)
            ]
        if len(kept) < 2 or len(kept) == len(fitting):
            return None
        fitting = kept
    return None


def _shares_labels(place: int, members: Sequence[int], profiles: Sequence[_Profile]) -> bool:
    """Whether a column has an answer in common with another: rows of one matrix do."""
    own = set(map(_plain, profiles[place].words))
    return not own or any(own & set(map(_plain, profiles[j].words)) for j in members if j != place)


def _fits(profile: _Profile, points: set[str | float]) -> bool:
    known = sum(count for text, count in profile.words.items() if text in points)
    known += sum(count for number, count in profile.numbers.items() if number in points)
    total = sum(profile.words.values()) + sum(profile.numbers.values())
    return total > 0 and known >= (1 - GAPS_AT_MOST) * total


def _scale_of(profiles: Sequence[_Profile], heads: Sequence[Head]) -> tuple[ScaleGuess, set[str | float]] | None:
    """One scale for the answers of all columns; with it, the answers that it places."""
    if not profiles or not all(p.few for p in profiles):
        return None
    words: Counter[str] = Counter()
    numbers: Counter[float] = Counter()
    special: dict[str, str] = {}
    for profile in profiles:
        words.update(profile.words)
        numbers.update(profile.numbers)
        special.update(profile.special)
    header = _header(heads[0])
    if words:
        numbered = _numbered_scale(words, numbers, bool(RATES.search(header)) and not NOMINAL.search(header))
        if numbered is not None:
            guess = ScaleGuess(numbered.low, numbered.high, numbered.points, special, numbered.sure)
            return guess, {*numbered.points, *numbers}
        if numbers:
            strays_at_most = GAPS_AT_MOST if RATES.search(header) else STRAYS_AT_MOST
            if sum(words.values()) > strays_at_most * sum(numbers.values()) or any(map(OPEN_ENDED.search, words)):
                return None
    if numbers:
        if len(profiles) > 1 and not heads[0].item and not RATES.search(header):
            return None  # bare names: see _judge_runs
        return _number_scale(numbers, special, heads, len(profiles), strays=bool(words))
    scale = _word_scale(words, bool(HOW_OFTEN.search(header)), bool(RATES.search(header)))
    if scale is None:
        return None
    return ScaleGuess(scale.low, scale.high, scale.points, special, scale.sure), set(scale.points)


def _number_scale(
    numbers: Mapping[float, int], special: Mapping[str, str], heads: Sequence[Head], columns: int, *, strays: bool
) -> tuple[ScaleGuess, set[str | float]] | None:
    """Whole numbers as points, where headers or siblings say so."""
    values = sorted(numbers)
    codes = {v for v in values if v < 0}
    values = [v for v in values if v >= 0]
    while len(values) > 2 and values[-1] in (77, 88, 97, 98, 99, 999) and values[-2] <= POINTS_AT_MOST:
        codes.add(values.pop())
    header = " ".join(_header(head) for head in heads[:1])
    whole = _plain(f"{heads[0].name} {heads[0].question}")
    told = RANGE_TOLD.search(whole)
    rates, nominal = bool(RATES.search(whole)), bool(NOMINAL.search(whole))
    if not values or (nominal and not (told or STRONG.search(whole))):
        return None
    if told and rates and all(float(told["low"]) <= v <= float(told["high"]) for v in values):
        low, high, sure = float(told["low"]), float(told["high"]), True
    else:
        least = 2 if columns > 1 and STRONG.search(whole) else 3
        if not _looks_like_points(values, least) or (values[0] > 3 and columns < 2):
            return None
        if not (rates or columns > 1 or HOW_OFTEN.search(header)) or (codes and not rates and columns < 2):
            return None
        low, high = values[0], values[-1]
        if RECOMMEND.search(whole) and values[-1] > 7:
            low, high = 0.0, 10.0
        elif 1 < low <= 4 and high <= 10:
            low = 1.0
        whole_run = [low + k for k in range(len(values))] == values
        if low <= 1 and rates and not (whole_run and sum(numbers.values()) >= MANY):
            high = {6: 7.0, 8: 10.0, 9: 10.0}.get(int(high), high)
        sure = rates and whole_run and high == values[-1]
    marks = {f"{v:g}": {-2: "not_applicable", -3: "blank"}.get(int(v), "dont_know") for v in sorted(codes)}
    return ScaleGuess(low, high, {}, {**special, **marks}, sure and not strays), {*values, *codes}


def _ranked(heads: Sequence[Head], profiles: Sequence[_Profile]) -> list[int]:
    """The places of columns that rank: each rank about equally often over the items, or items per rank."""
    said = bool(RANKED.search(_plain(f"{heads[0].question} {heads[0].name}")))
    numeric = [j for j, p in enumerate(profiles) if p.numbers and not p.words]
    if len(numeric) >= 3:
        totals: Counter[float] = Counter()
        for j in numeric:
            totals.update(profiles[j].numbers)
        ranks = sorted(totals)
        complete = ranks == [float(r) for r in range(1, len(numeric) + 1)]
        uneven = max(totals.values()) / min(totals.values())
        enough = min(totals.values()) >= 20
        if (complete and ((said and uneven <= 1.25) or (enough and uneven <= 1.03))) or (
            said
            and ranks == [float(r) for r in range(1, len(ranks) + 1)]
            and 2 < len(ranks) < len(numeric)
            and uneven <= 1.1
        ):
            return numeric
    worded = [j for j, p in enumerate(profiles) if len(p.words) >= 3 and not p.numbers]
    positions = [
        j
        for j in worded
        if re.fullmatch(r"(?:rank|rang|choice|position)?\s*#?\d+\.?", _plain(heads[j].item or _last(heads[j])))
    ]
    if said and len(positions) >= 2:
        return positions
    return []


def _last(head: Head) -> str:
    """What a column's name says after its stem."""
    found = re.search(r"\[([^\[\]]*)\]\s*$|\[([^\[\]]*)\]|(\d+)$", head.name)
    return next((part for part in found.groups() if part is not None), "") if found else ""


def _is_option(head: Head, profile: _Profile) -> bool:
    """Whether a column is one option of a multiple choice: its own text, or a yes and a no."""
    texts = {_plain(text) for text in profile.words if not SELECTED.fullmatch(_plain(text))}
    if profile.words and not profile.numbers and not profile.special and len(texts) == 1 and len(profile.words) == 1:
        text = next(iter(texts))
        graded = any(r.strength or r.group in ("agree", "satisfaction") for r in _readings(text))
        return _same(head.item, text) or text in YES_NO or (profile.total > 1 and not graded)
    unselected = any(SELECTED.fullmatch(_plain(text)) for text in profile.words)
    if unselected:
        return len(texts) <= 1
    if not profile.words and not profile.numbers:
        return len(profile.special) == 1 and _same(head.item, _plain(next(iter(profile.special))))
    if texts and not profile.numbers and texts <= YES_NO:
        # who may say "don't know" was asked a question, not offered an option
        return len(texts) == 1 or "dont_know" not in profile.special.values()
    if profile.numbers and not profile.words:
        values = set(profile.numbers)
        return values <= {0.0, 1.0} or len(values) == 1
    return len(texts) == 1 and _same(head.item, next(iter(texts)))


def _same(item: str, text: str) -> bool:
    return bool(item) and _words(_plain(item)) == _words(text)


RUN_AT_LEAST = 3
USUAL = {(1, 4), (1, 5), (1, 6), (1, 7), (1, 9), (1, 10), (0, 4), (0, 5), (0, 10)}


def _judge_runs(
    heads: Sequence[Head],
    profiles: Sequence[_Profile],
    kinds: list[ColumnKind | None],
    scales: dict[int, ScaleGuess],
    matrix: dict[int, int],
) -> None:
    """Neighbouring columns of bare names that use one usual scale to its ends: ratings whose headers are the "
    "items."""
    run: list[int] = []
    for k in range(len(heads) + 1):
        if k < len(heads) and kinds[k] is None and _may_run(heads[k], profiles[k]):
            span = max(profiles[k].numbers)
            if not run or abs(span - max(profiles[run[0]].numbers)) <= 2:
                run.append(k)
                continue
        if len(run) >= RUN_AT_LEAST:
            totals: Counter[float] = Counter()
            for j in run:
                totals.update(profiles[j].numbers)
            values = sorted(v for v in totals if v >= 0)
            ends = (1 if values[0] == 2 else int(values[0]), int(values[-1]))
            full = sum(max(profiles[j].numbers) == ends[1] for j in run)
            if ends in USUAL and len(values) == values[-1] - values[0] + 1 and full * 2 >= len(run):
                guess = ScaleGuess(float(ends[0]), float(ends[1]), {}, {}, False)
                for j in run:
                    kinds[j], scales[j], matrix[j] = (
                        ColumnKind.RATING,
                        replace(guess, special=profiles[j].special),
                        run[0],
                    )
        run = [k] if k < len(heads) and kinds[k] is None and _may_run(heads[k], profiles[k]) else []


def _judge_options(heads: Sequence[Head], profiles: Sequence[_Profile], kinds: list[ColumnKind | None]) -> None:
    """Neighbouring columns that each hold one text of their own: options of a multiple choice, one column each."""
    alone = [
        kinds[k] is None and len(p.words) == 1 and not p.numbers and (p.total > 1 or _names(head, next(iter(p.words))))
        for k, (head, p) in enumerate(zip(heads, profiles, strict=True))
    ]
    texts = [next(iter(p.words), "") for p in profiles]
    for k in range(len(heads)):
        beside = (j for j in (k - 1, k + 1) if 0 <= j < len(heads))
        if alone[k] and (_names(heads[k], texts[k]) or any(alone[j] and texts[j] != texts[k] for j in beside)):
            kinds[k] = ColumnKind.MULTIPLE


def _names(head: Head, text: str) -> bool:
    """Whether a header ends with an answer: the option's own column."""
    words = _words(_plain(text))
    return bool(words) and _words(_plain(head.item or head.name))[-len(words) :] == words


def _may_run(head: Head, profile: _Profile) -> bool:
    values = [v for v in profile.numbers if v >= 0]
    return (
        len(values) >= 2
        and not profile.words
        and max(values) <= 10
        and not NOMINAL.search(_plain(f"{head.name} {head.question}"))
        and profile.total >= 5
    )


def _join_alike(heads: Sequence[Head], scales: Mapping[int, ScaleGuess], matrix: dict[int, int]) -> None:
    """Put into one matrix the ratings whose headers spell out one question around the item: "How important is "
    "… to you?"."""
    lone: dict[tuple[object, ...], list[int]] = defaultdict(list)
    for k in sorted(scales):
        if k not in matrix:
            labels = frozenset(map(_plain, scales[k].labels))
            lone[scales[k].low, scales[k].high, labels].append(k)
    for members in lone.values():
        for a, b in pairwise(members):
            if _common_words(_plain(heads[a].name), _plain(heads[b].name)) >= 3:
                matrix.setdefault(a, a)
                matrix[b] = matrix[a]


def _common_words(a: str, b: str) -> int:
    """How many words two headers share at their beginnings and ends, where these are most of both."""
    left, right = _words(a), _words(b)
    shorter = min(len(left), len(right))
    start = next((k for k in range(shorter) if left[k] != right[k]), shorter)
    end = next((k for k in range(shorter - start) if left[-1 - k] != right[-1 - k]), shorter - start)
    return start + end if 0 < start + end < max(len(left), len(right)) and 2 * (start + end) >= shorter else 0


def _alone(head: Head, profile: _Profile) -> tuple[ColumnKind, str]:
    """The kind of a column that is no rating, with the separator of joined answers."""
    texts = [
        text for text in profile.sample if text not in profile.special and not (len(text) <= 12 and _special(text))
    ]
    if texts and sum(NUMBER.fullmatch(text.strip()) is not None for text in texts) >= 0.9 * len(texts):
        if profile.few and len(profile.numbers) <= 12 and CODED.search(_header(head)) and not profile.words:
            return ColumnKind.CHOICE, ""
        return ColumnKind.NUMBER, ""
    separator, ranking = _separator(profile, texts)
    if separator:
        return (ColumnKind.RANKING, "") if ranking else (ColumnKind.MULTIPLE, separator)
    distinct, total = len(profile.answers), profile.total
    if distinct <= 2 and total > distinct:
        return ColumnKind.CHOICE, ""
    length = sum(map(len, profile.sample)) / len(profile.sample)
    if distinct <= LABELS_AT_MOST and total >= 2 * distinct:
        return ColumnKind.CHOICE, ""
    if total >= 5 * distinct:
        return ColumnKind.CHOICE, ""
    if distinct <= 12 and 3 * distinct <= 2 * total and length < 40:
        return ColumnKind.CHOICE, ""
    return ColumnKind.TEXT, ""


def _separator(profile: _Profile, texts: Sequence[str]) -> tuple[str, bool]:
    """What joins several answers in one cell, or nothing; and whether every cell orders the same answers."""
    for separator in SEPARATORS:
        joined = [text for text in texts if separator in text.strip(separator + " ")]
        if len(joined) < 2:
            continue
        cells_with: Counter[str] = Counter()
        given: Counter[str] = Counter()
        sets = set()
        for text in texts:
            parts = [part.strip() for part in text.split(separator) if part.strip()]
            sets.add(frozenset(parts))
            for part in set(parts):
                cells_with[part] += 1
                given[part] += profile.answers[text]
        if len(sets) == 1 and len(joined) == len(texts) and len(next(iter(sets))) > 2:
            return separator, True
        repeated = [part for part, count in given.items() if count > 1]
        recurring = [part for part in repeated if cells_with[part] > 1]
        weight = sum(given[part] for part in recurring) / given.total()
        if separator == ", ":
            # commas stand inside sentences too: their parts do not recombine
            long = sum(len(part) > 60 for part in repeated) > 0.2 * max(len(repeated), 1)
            if len(recurring) < 3 or len(recurring) < 0.6 * len(repeated) or weight < 0.6 or long:
                continue
            if len(joined) < 3:
                continue
            return separator, False
        if len(recurring) >= 2 and len(recurring) >= 0.4 * len(repeated) and weight >= 0.4:
            return separator, False
    return "", False
