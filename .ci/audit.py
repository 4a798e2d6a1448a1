"""Known vulnerabilities of the pinned packages, by pip-audit.

    python .ci/audit.py requirements.txt [FURTHER FILE …]

Ends with exit code 1 where a pinned version has a known vulnerability. Where no vulnerability service can be reached,
or none knows the packages, it says so in a line and ends with 0: a proxy that serves files alone must not stop a build.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

SERVICES = ("pypi", "osv")
Report = list[dict[str, Any]]


def ask(service: str, files: Sequence[Path]) -> Report:
    """What pip-audit finds of each pin; empty where the service does not answer."""
    command = [sys.executable, "-m", "pip_audit", "--vulnerability-service", service, "--disable-pip", "--no-deps"]
    command += ["--format", "json", "--progress-spinner", "off", "--timeout", "20"]
    command += [word for file in files for word in ("--requirement", str(file))]
    done = subprocess.run(command, check=False, capture_output=True, encoding="utf-8")
    try:
        return json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        return []


def first_pin(file: Path) -> str:
    """One pinned package of a requirements file, without its hashes, to ask for before all are."""
    lines = file.read_text(encoding="utf-8").splitlines()
    return next(line for line in lines if line[:1].isalnum()).rstrip("\\ ")


def audit(files: Sequence[Path], ask: Callable[[str, Sequence[Path]], Report] = ask) -> tuple[list[str], int]:
    """What to print, and the exit code.

    Parameters
    ----------
    files : sequence of Path
        Pinned requirements; files that they name in turn are not looked at.
    ask : callable
        From a service and such files to what pip-audit finds of each pin.
    """
    with tempfile.TemporaryDirectory() as folder:
        probe = Path(folder, "probe.txt")
        probe.write_text(first_pin(files[0]) + "\n", encoding="utf-8")
        answering = next((s for s in SERVICES if any("vulns" in one for one in ask(s, [probe]))), None)
    if answering is None:
        return [f"pip-audit: not audited; no service ({', '.join(SERVICES)}) answers from here."], 0
    report = ask(answering, files)
    known = [one for one in report if "vulns" in one]
    lines = [
        f"{one['name']} {one['version']}: {flaw['id']}, mended in {', '.join(flaw['fix_versions']) or 'none yet'}."
        for one in known
        for flaw in one["vulns"]
    ]
    flaws = len(lines)
    if flaws:
        lines.append("  Mend: raise the lower bound in pyproject.toml and run .ci/pin.py, or do without the package.")
    unknown = len(report) - len(known)
    beside = f"; {unknown} that it does not know are not audited" if unknown or not report else ""
    lines.append(f"pip-audit: {len(known)} pins looked up at {answering}, {flaws} known vulnerabilities{beside}.")
    return lines, 1 if flaws else 0


if __name__ == "__main__":
    if find_spec("pip_audit") is None:
        sys.exit("pip-audit is not installed.\n  Mend: pip install --require-hashes -r .ci/requirements.txt")
    printed, code = audit([Path(file) for file in sys.argv[1:]])
    print(*printed, sep="\n")
    sys.exit(code)
