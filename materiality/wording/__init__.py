"""What the report says, in its language: messages are whole sentences in English, and a catalogue has them in another.

A message is a `%` format with named places, such as ``"%(n)s of %(rows)s rows"``; a percent sign is written ``%%``.
The catalogues are the JSON files beside this one: an object of English and translated messages, the plural where there
are two forms. What a catalogue lacks stays English; `docs/wording.md` has the words that translations keep to.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any


class Message(str):
    """A sentence in English that knows what it is made of, so that it can be said in another language.

    Parameters
    ----------
    template : str
        The message.
    values : mapping
        What stands in its places; a message among them is said in the same language, and a list of names is joined.

    Examples
    --------
    >>> Message("Group %(group)s has no answers.", group="Buyers")
    'Group Buyers has no answers.'
    """

    template: str
    values: Mapping[str, Any]

    def __new__(cls, template: str, /, **values: Any) -> Message:
        self = super().__new__(cls, ENGLISH.say(template, **values))
        self.template, self.values = template, values
        return self

    def __getnewargs_ex__(self) -> tuple[tuple[str], dict[str, Any]]:
        return (self.template,), dict(self.values)


@dataclass(frozen=True)
class Words:
    """The words of one language.

    Attributes
    ----------
    catalogue : mapping
        Messages in English and in the language; empty for English.
    """

    catalogue: Mapping[str, str] = field(default_factory=dict)

    def gettext(self, message: str) -> str:
        """The message in this language, its places still open."""
        return self.catalogue.get(message, message)

    def ngettext(self, singular: str, plural: str, n: int) -> str:
        """The same for a number of things; a catalogue has one form for all numbers."""
        return self.catalogue.get(plural, singular if n == 1 else plural)

    def say(self, message: str, /, **values: Any) -> str:
        """The message in this language, its places filled."""
        return self.gettext(message) % {name: self._filling(value) for name, value in values.items()}

    def said(self, value: Any) -> Any:
        """A value with every `Message` in it said in this language, however deep in dictionaries, lists and tuples.

        Examples
        --------
        >>> Words({"%(n)s rows": "%(n)s 行"}).said({"rows": [Message("%(n)s rows", n=3), 4]})
        {'rows': ['3 行', 4]}
        """
        if not self.catalogue:
            return value
        if isinstance(value, Message):
            return self.say(value.template, **value.values)
        if isinstance(value, dict):
            return {key: self.said(one) for key, one in value.items()}
        if type(value) in (list, tuple):
            return type(value)(self.said(one) for one in value)
        return value

    def listed(self, names: Sequence[str]) -> str:
        """Names as a sentence lists them; semicolons part them where one holds a comma.

        Examples
        --------
        >>> ENGLISH.listed(["Climate", "Water"])
        'Climate, Water'
        """
        said = self.said(list(names))
        return self.between(said).join(said)

    def between(self, names: Sequence[str]) -> str:
        """What stands between the names of a list: commas, or semicolons where a name holds a comma."""
        comma = self.gettext(", ")
        return self.gettext("; ") if any(mark in name for name in names for mark in (",", comma.strip())) else comma

    def _filling(self, value: Any) -> Any:
        return self.listed(value) if isinstance(value, list | tuple) else self.said(value)


ENGLISH = Words()


def words(language: str) -> Words:
    """The words of a language by its code, `en` or the name of a catalogue.

    Examples
    --------
    >>> words("zh").gettext("Method")
    '方法'
    """
    if language == "en":
        return ENGLISH
    return Words(json.loads(files(__name__).joinpath(f"{language}.json").read_text(encoding="utf-8")))
