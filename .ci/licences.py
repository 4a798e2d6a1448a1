"""The licences of everything that the package loads at run time, each on a list of permissive ones.

    python .ci/licences.py [EXTRA …]

Reads the metadata of what is installed: what `materiality` requires, with the named extras, and what that requires in
turn. Prints a line for each, and ends with exit code 1 where a licence is unknown or not on the list.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PERMISSIVE = {
    "0BSD", "AFL-2.1", "Apache-2.0", "BSD", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "CC0-1.0", "CNRI-Python", "HPND",
    "ISC", "MIT", "MIT-0", "MIT-CMU", "MPL-2.0", "PSF-2.0", "Python-2.0", "Unlicense", "Zlib",
}  # fmt: skip
"""MPL-2.0 binds changes of its own files alone. `BSD` is what metadata say that do not tell which one."""
SPELLINGS = {
    "3-clause bsd": "BSD-3-Clause",
    "apache 2.0": "Apache-2.0",
    "apache license 2.0": "Apache-2.0",
    "apache license version 2.0": "Apache-2.0",
    "apache software license": "Apache-2.0",
    "bsd 3-clause": "BSD-3-Clause",
    "bsd 3-clause license": "BSD-3-Clause",
    "bsd license": "BSD",
    "isc license (iscl)": "ISC",
    "mit license": "MIT",
    "mozilla public license 2.0 (mpl 2.0)": "MPL-2.0",
    "modified bsd license": "BSD-3-Clause",
    "new bsd": "BSD-3-Clause",
    "psf": "PSF-2.0",
    "python software foundation license": "PSF-2.0",
    "historical permission notice and disclaimer (hpnd)": "HPND",
    "the unlicense (unlicense)": "Unlicense",
}
READ_BY_HAND: dict[str, str] = {}
"""Licences that stand in a package's files and not in its metadata, by package, with who read them where."""


def needed(
    name: str, extras: tuple[str, ...] = (), seen: dict[str, Distribution] | None = None
) -> dict[str, Distribution]:
    """What a package requires on this machine, itself left out, and what that requires in turn."""
    seen = {} if seen is None else seen
    for line in distribution(name).requires or []:
        requirement = Requirement(line)
        marker = requirement.marker
        if marker is not None and not any(marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            continue
        wanted = canonicalize_name(requirement.name)
        if wanted == "materiality":
            needed(wanted, tuple(requirement.extras), seen)
        elif wanted not in seen:
            seen[wanted] = distribution(wanted)
            needed(wanted, tuple(requirement.extras), seen)
    return seen


def licence(package: Distribution) -> str:
    """A package's licence as SPDX writes it, from the expression, the classifiers or the field, in this order."""
    metadata = package.metadata
    if expression := metadata.get("License-Expression"):
        return expression
    classified = [
        line.rpartition(" :: ")[2]
        for line in metadata.get_all("Classifier") or []
        if line.startswith("License ::") and line != "License :: OSI Approved"
    ]
    if classified:
        return " AND ".join(SPELLINGS.get(name.casefold(), name) for name in classified)
    stated = " ".join((metadata.get("License") or "").replace(",", " ").split())
    return SPELLINGS.get(stated.casefold(), stated if len(stated) <= 60 else stated[:60] + "…")


def allowed(expression: str) -> bool:
    """Whether an SPDX expression grants what permissive licences do: all parts of an AND, one of an OR.

    Examples
    --------
    >>> allowed("MIT AND (Apache-2.0 OR GPL-3.0-only)"), allowed("MIT AND LGPL-2.1-only"), allowed("")
    (True, False, False)
    """

    def either() -> bool:
        found = both()
        while words and words[0] == "OR":
            words.pop(0)
            found |= both()
        return found

    def both() -> bool:
        found = one()
        while words and words[0] == "AND":
            words.pop(0)
            found &= one()
        return found

    def one() -> bool:
        word = words.pop(0) if words else ""
        if word == "(":
            found = either()
            return bool(words) and words.pop(0) == ")" and found
        if words and words[0] == "WITH":  # an exception only ever permits more
            del words[:2]
        return word in PERMISSIVE

    words = re.findall(r"[()]|[^\s()]+", expression)
    return bool(words) and either() and not words


def faults(found: dict[str, str]) -> Iterator[str]:
    """A line for each package whose licence is not on the list, with what to do."""
    for name, expression in found.items():
        if not allowed(expression):
            what = f"{expression!r} is not on the list" if expression else "its metadata name no licence"
            yield (
                f"{name}: {what}.\n  Mend: read its licence. If it is permissive, add it to .ci/licences.py "
                "(PERMISSIVE, SPELLINGS or READ_BY_HAND); if not, take another package."
            )


def main(extras: tuple[str, ...]) -> int:
    """Print the table; 1 where a licence is at fault."""
    try:
        packages = needed("materiality", extras)
    except PackageNotFoundError as error:
        print(f"{error.name} is required and not installed.\n  Mend: install the requirements first.", file=sys.stderr)
        return 1
    found = {name: READ_BY_HAND.get(name) or licence(packages[name]) for name in sorted(packages)}
    for name, expression in found.items():
        print(f"{name:24} {packages[name].version:18} {expression}")
    wrong = list(faults(found))
    beside = f" with {', '.join(extras)}" if extras else ""
    print(f"{len(found)} packages at run time{beside}, {len(wrong)} at fault.")
    print(*wrong, sep="\n", end="\n" if wrong else "", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(tuple(sys.argv[1:])))
