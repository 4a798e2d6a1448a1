"""Renew the pinned requirements: every version with the hashes of all its files, for all platforms and Pythons.

    python .ci/pin.py             # after a change in pyproject.toml: what is pinned stays as it is
    python .ci/pin.py --upgrade   # the newest versions

Needs uv (https://docs.astral.sh/uv/). Three files come of it, each holding what the one before it lacks:
`requirements.txt` to run and to build, `requirements-test.txt` for the tests, `.ci/requirements.txt` for what else CI
needs.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
LAYERS = (
    ("requirements.txt", (), "To run and to build"),
    ("requirements-test.txt", ("test",), "For the tests, beside what runs"),
    (".ci/requirements.txt", ("test", "lint"), "For CI, beside what runs and the tests"),
)
PYTHON = "3.11.5"
"""The oldest that is served; soupsieve, of the tests, takes no older one."""
EDITABLE = "editables>=0.5"
"""What hatchling asks for beside itself where it installs a folder in place."""


def pins_of(text: str) -> dict[str, str]:
    """The entries of a requirements file with their hashes, by package; a package may have one for each platform."""
    found: dict[str, str] = {}
    name = ""
    for line in text.splitlines():
        if line.startswith(("#", "-")) or not line.strip():
            name = ""
            continue
        if not line[0].isspace():
            name = line.split("==")[0]
        found[name] = found.get(name, "") + line + "\n"
    return found


def compiled(extras: tuple[str, ...], *, held: str, upgrade: bool = False) -> dict[str, str]:
    """Let uv choose versions for the project with some extras; those that are held stay, unless they are to be new."""
    build = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["build-system"]["requires"]
    with tempfile.TemporaryDirectory() as folder:
        wanted, kept = Path(folder, "build.in"), Path(folder, "held.txt")
        wanted.write_text("\n".join([*build, EDITABLE, ""]), encoding="utf-8")
        kept.write_text("" if upgrade else held, encoding="utf-8")
        command = ["uv", "pip", "compile", "--quiet", "--no-config", "--universal", "--python-version", PYTHON]
        command += ["--generate-hashes", "--no-header", "--no-annotate", "--constraints", str(kept)]
        command += [word for extra in extras for word in ("--extra", extra)]
        done = subprocess.run(
            [*command, "pyproject.toml", str(wanted)], cwd=ROOT, check=True, stdout=subprocess.PIPE, encoding="utf-8"
        )
    return pins_of(done.stdout)


def main() -> None:
    """Write the three files."""
    before = "".join(
        pin
        for file, _, _ in LAYERS
        if (ROOT / file).exists()
        for pin in pins_of((ROOT / file).read_text(encoding="utf-8")).values()
    )
    chosen = "".join(compiled(LAYERS[-1][1], held=before, upgrade="--upgrade" in sys.argv[1:]).values())
    below: dict[str, str] = {}
    for (file, extras, what), base in zip(LAYERS, ("", "requirements.txt", "../requirements-test.txt"), strict=True):
        pins = compiled(extras, held=chosen)
        lines = [f"# {what}; written by .ci/pin.py. Every file of each version by its hash, so pip takes no other."]
        lines += [f"-r {base}"] if base else []
        text = "\n".join(lines) + "\n" + "".join(pin for name, pin in pins.items() if below.get(name) != pin)
        (ROOT / file).write_text(text, encoding="utf-8", newline="\n")
        below |= pins


if __name__ == "__main__":
    main()
