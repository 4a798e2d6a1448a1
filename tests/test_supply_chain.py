"""What is installed is pinned by hash, what runs is free of code from data, and nothing is fetched while it runs."""

from __future__ import annotations

import ast
import os
import pickle
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
from conftest import ROOT, write_study
from jinja2 import DictLoader, Environment
from jinja2.bccache import bc_magic
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from materiality.reporting import page

PACKAGE = ROOT / "materiality"
FILES = sorted(PACKAGE.rglob("*.py"))
PINNED = ("requirements.txt", "requirements-test.txt", ".ci/requirements.txt")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def script(name: str):
    """One of CI's own programs, as a module."""
    spec = spec_from_file_location(name, ROOT / ".ci" / f"{name}.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# Pins


def entries(file: str) -> list[tuple[Requirement, list[str]]]:
    """Each pin of a requirements file with its hashes; read here by hand, line by line."""
    found = []
    for line in (ROOT / file).read_text(encoding="utf-8").replace("\\\n", " ").splitlines():
        if line.startswith(("#", "-r ")):
            continue
        what, *hashes = line.split(" --hash=")
        found.append((Requirement(what.strip()), [one.strip() for one in hashes]))
    return found


@pytest.mark.parametrize("file", PINNED)
def test_every_requirement_is_one_version_with_the_hashes_of_its_files(file):
    pins = entries(file)
    assert len(pins) > 20
    for requirement, hashes in pins:
        assert re.fullmatch(r"==[0-9][0-9a-z.]*", str(requirement.specifier)), requirement
        assert hashes and all(re.fullmatch("sha256:[0-9a-f]{64}", one) for one in hashes), requirement
        assert len(set(hashes)) == len(hashes), requirement


@pytest.mark.parametrize("file", PINNED)
def test_no_requirements_file_names_a_host_or_an_option_but_hashes(file):
    text = (ROOT / file).read_text(encoding="utf-8")
    assert "://" not in text and "@" not in text
    assert set(re.findall(r"(?:^|\s)(--?[a-z-]+)", text)) <= {"--hash", "-r"}


def test_what_is_compiled_has_files_for_every_system_and_python():
    """A wheel per system and Python each has a hash: five at the very least for what is written in C or Rust."""
    hashes = {requirement.name: hashes for requirement, hashes in entries("requirements.txt")}
    for name in ("numpy", "scipy", "pandas", "scikit-learn", "matplotlib", "pillow", "pydantic-core", "markupsafe"):
        assert len(hashes[name]) > 15, name


@pytest.mark.parametrize(
    ("wanted", "files"),
    [
        pytest.param(PROJECT["project"]["dependencies"], PINNED[:1], id="to run"),
        pytest.param(PROJECT["build-system"]["requires"], PINNED[:1], id="to build"),
        *(
            pytest.param(PROJECT["project"]["optional-dependencies"][extra], PINNED[:height], id=extra)
            for extra, height in (("spss", 2), ("notebooks", 2), ("test", 2), ("lint", 3))
        ),
    ],
)
def test_what_the_project_asks_for_is_pinned_at_a_version_that_it_accepts(wanted, files):
    pins = {canonicalize_name(one.name): one for file in files for one, _ in entries(file)}
    for requirement in map(Requirement, wanted):
        if requirement.name == "materiality":
            continue
        (pin,) = pins[canonicalize_name(requirement.name)].specifier
        assert requirement.specifier.contains(pin.version), requirement


def test_no_package_is_pinned_twice():
    names = [canonicalize_name(one.name) for file in PINNED for one, _ in entries(file)]
    assert len(set(names)) == len(names)


def test_the_commands_of_the_readme_and_of_ci_install_nothing_without_its_hash():
    said = (ROOT / "README.md").read_text(encoding="utf-8")
    commands = [line for block in re.findall(r"```sh\n(.*?)```", said, re.DOTALL) for line in block.splitlines()]
    installs = [part for line in commands[:2] for part in line.split("&&") if "pip install" in part]
    installs += [
        line for line in (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines() if "pip install" in line
    ]
    assert len(installs) == 5
    for install in installs:
        hashed = re.search(r"--require-hashes -r \S*requirements\S*\.txt *$", install)
        nothing_fetched = "--no-deps" in install and "--no-build-isolation" in install
        assert hashed or nothing_fetched, install


# Licences and known vulnerabilities


@pytest.mark.parametrize(
    ("expression", "granted"),
    [
        ("MIT", True),
        ("BSD-3-Clause AND 0BSD AND MIT", True),
        ("Apache-2.0 OR GPL-3.0-only", True),
        ("MIT AND (Apache-2.0 OR GPL-3.0-only)", True),
        ("Apache-2.0 WITH LLVM-exception", True),
        ("MPL-2.0", True),
        ("GPL-3.0-or-later", False),
        ("LGPL-2.1-only", False),
        ("AGPL-3.0-only", False),
        ("MIT AND LGPL-2.1-only", False),
        ("(MIT OR Apache-2.0) AND GPL-2.0-only", False),
        ("UNKNOWN", False),
        ("(MIT", False),
        ("MIT)", False),
        ("", False),
    ],
)
def test_only_permissive_licences_are_allowed(expression, granted):
    assert script("licences").allowed(expression) is granted


def test_a_licence_that_is_unknown_or_not_on_the_list_is_told_with_what_to_do():
    told = list(script("licences").faults({"fine": "MIT", "dark": "", "taking": "GPL-3.0-only"}))
    mend = (
        "\n  Mend: read its licence. If it is permissive, add it to .ci/licences.py (PERMISSIVE, SPELLINGS or "
        "READ_BY_HAND); if not, take another package."
    )
    assert told == [
        f"dark: its metadata name no licence.{mend}",
        f"taking: 'GPL-3.0-only' is not on the list.{mend}",
    ]


def test_everything_that_runs_has_a_permissive_licence(capsys):
    assert script("licences").main(()) == 0
    printed = capsys.readouterr().out.splitlines()
    names = {line.split()[0] for line in printed[:-1]}
    wanted = {canonicalize_name(Requirement(line).name) for line in PROJECT["project"]["dependencies"]}
    assert wanted <= names and "pytest" not in names
    assert printed[-1] == f"{len(names)} packages at run time, 0 at fault."


FLAW = {"id": "CVE-1", "fix_versions": ["2.0"], "aliases": []}


@pytest.mark.parametrize(
    ("answer", "lines", "code"),
    [
        pytest.param(
            [{"name": "a", "version": "1", "vulns": []}],
            ["pip-audit: 1 pins looked up at pypi, 0 known vulnerabilities."],
            0,
            id="none known",
        ),
        pytest.param(
            [{"name": "a", "version": "1", "vulns": [FLAW]}, {"name": "b", "skip_reason": "not found"}],
            [
                "a 1: CVE-1, mended in 2.0.",
                "  Mend: raise the lower bound in pyproject.toml and run .ci/pin.py, or do without the package.",
                "pip-audit: 1 pins looked up at pypi, 1 known vulnerabilities; 1 that it does not know are not "
                "audited.",
            ],
            1,
            id="one known, one not looked up",
        ),
        pytest.param(
            [{"name": "a", "skip_reason": "not found"}],
            ["pip-audit: not audited; no service (pypi, osv) answers from here."],
            0,
            id="a mirror that knows no vulnerabilities is no all-clear",
        ),
        pytest.param([], ["pip-audit: not audited; no service (pypi, osv) answers from here."], 0, id="no network"),
    ],
)
def test_a_known_vulnerability_fails_and_a_silent_service_is_told(answer, lines, code):
    asked = []

    def ask(service, files):
        asked.append((service, [file.name for file in files]))
        return answer

    assert script("audit").audit([ROOT / file for file in PINNED], ask) == (lines, code)
    assert asked[0] == ("pypi", ["probe.txt"])


# Code from data


NEVER = {
    "aiohttp", "asyncio", "cloudpickle", "code", "codeop", "ctypes", "dbm", "dill", "ftplib", "http",
    "httpx", "imaplib", "imp", "joblib", "marshal", "multiprocessing", "pickle", "poplib", "pty", "requests", "runpy",
    "shelve", "smtplib", "socket", "socketserver", "ssl", "subprocess", "urllib", "urllib3", "webbrowser", "xmlrpc",
    "yaml",
}  # fmt: skip
"""Modules that make code or objects of data, start programs, or reach a network."""
REASONS = {
    ("reviewing.py", "asyncio"): "runs Jupyter's client, which talks to its own kernel; a review, not a run",
    ("reading/trial.py", "subprocess"): "this Python once more, to read a file that may end its reader; no shell",
    ("reporting/folder.py", "ctypes"): "renameat2 and renamex_np exchange two names at once; Python offers neither",
    ("reporting/page.py", "marshal"): "compiled templates, kept where Python keeps its compiled modules, in its format",
    ("reporting/pictures.py", "ctypes"): "prctl ties a drawing process to its parent; Python does not offer it",
}
RUNS_TEXT = {"eval", "exec", "compile", "__import__"}
STARTS = re.compile(r"os\.(system|popen|exec\w*|spawn\w*|posix_spawn\w*|startfile)")
UNPICKLES = re.compile(r"(np|numpy|pd|pandas)\.(load|save|read_pickle|read_hdf|to_pickle)|\w+\.to_pickle")
ARRAYS = re.compile(r"np\.lib\.format\.(read|write)_array|np\.(load|save)")


def calls(tree: ast.AST) -> list[tuple[str, ast.Call]]:
    return [(ast.unparse(node.func), node) for node in ast.walk(tree) if isinstance(node, ast.Call)]


def imported(tree: ast.AST) -> set[str]:
    """The top names of all that is imported, at whatever place."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found


def offences(source: str) -> list[str]:
    """What a module does that makes code or objects of data, starts programs by a shell or skips escaping."""
    tree, found = ast.parse(source), []
    for name, call in calls(tree):
        given = {word.arg: ast.unparse(word.value) for word in call.keywords}
        if name in RUNS_TEXT or STARTS.fullmatch(name):
            found.append(name)
        if given.get("shell", "False") != "False":
            found.append(f"{name} with a shell")
        if UNPICKLES.fullmatch(name) and not ARRAYS.fullmatch(name):
            found.append(name)
        if (ARRAYS.fullmatch(name) or "allow_pickle" in given) and given.get("allow_pickle") != "False":
            found.append(f"{name} with pickles")
        if name.endswith((".eval", ".query", "SystemBytecodeCache", "MemcachedBytecodeCache", "ProcessPoolExecutor")):
            found.append(name)
        if name.split(".")[-1] in {"Environment", "Template"} and given.get("autoescape") != "True":
            found.append(f"{name} without escaping")
    return found


def test_modules_that_could_run_data_or_reach_a_network_are_imported_with_a_reason_or_not_at_all():
    used = {
        (path.relative_to(PACKAGE).as_posix(), name)
        for path in FILES
        for name in imported(ast.parse(path.read_text(encoding="utf-8"))) & NEVER
    }
    assert used == set(REASONS)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_no_module_unpickles_evaluates_or_calls_a_shell(path):
    assert offences(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("eval(cell)", ["eval"]),
        ("os.system(cell)", ["os.system"]),
        ("subprocess.run(cell, shell=True)", ["subprocess.run with a shell"]),
        ("np.load(file)", ["np.load with pickles"]),
        ("np.load(file, allow_pickle=True)", ["np.load with pickles"]),
        ("np.load(file, allow_pickle=False)", []),
        ("pd.read_pickle(file)", ["pd.read_pickle"]),
        ("frame.query(cell)", ["frame.query"]),
        ("jinja2.Environment(loader=loader)", ["jinja2.Environment without escaping"]),
        ("Environment(autoescape=True)", []),
        ("FileSystemBytecodeCache(folder)", ["FileSystemBytecodeCache"]),
        ("futures.ProcessPoolExecutor()", ["futures.ProcessPoolExecutor"]),
        ("futures.ThreadPoolExecutor()", []),
        ("re.compile(pattern)", []),
    ],
)
def test_the_look_at_the_code_sees_what_it_is_for(source, told):
    assert offences(source) == told


def test_templates_pass_text_unescaped_where_it_is_known_to_be_safe_alone():
    """The live page's numbers, which `live` writes so that no text in them can end the script that holds them."""
    unescaped = {
        (path.name, " ".join(found.split()))
        for path in PACKAGE.rglob("*.j2")
        for found in re.findall(
            r"\{\{[^}]*\|\s*safe\b[^}]*\}\}|\{%\s*autoescape[^%]*%\}", path.read_text(encoding="utf-8")
        )
    }
    assert unescaped == {("live.html.j2", "{{ live.data | safe }}")}


class Poison:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return Path.touch, (self.mark,)


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(
            lambda kept, mark: bc_magic + pickle.dumps(Poison(mark)), id="a pickle where Jinja's cache has one"
        ),
        pytest.param(lambda kept, mark: kept[:-1], id="cut short"),
        pytest.param(lambda kept, mark: kept[:-1] + bytes([kept[-1] ^ 1]), id="one bit changed"),
        pytest.param(lambda kept, mark: b"", id="empty"),
        pytest.param(lambda kept, mark: kept.replace(b"yes", b"no!"), id="other words"),
    ],
)
def test_compiled_templates_that_are_not_as_they_were_kept_are_compiled_anew(tmp_path, monkeypatch, spoil):
    monkeypatch.setattr(page, "cache_from_source", lambda _: str(tmp_path / "page.pyc"))
    monkeypatch.setattr("sys.dont_write_bytecode", False)
    mark = tmp_path / "unpickled"

    def rendered() -> str:
        return (
            Environment(
                loader=DictLoader({"template": "yes, {{ 1 + 1 }}"}), bytecode_cache=page._compiled(), autoescape=True
            )
            .get_template("template")
            .render()
        )

    assert rendered() == "yes, 2"
    (kept,) = tmp_path.glob("template-*.cache")
    whole = kept.read_bytes()
    kept.write_bytes(spoil(whole, mark))
    assert rendered() == "yes, 2"
    assert kept.read_bytes() == whole
    assert not mark.exists()


# The network


GUARD = """\
import os, sys
NETWORK = ("socket.connect", "socket.bind", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo",
           "socket.gethostbyname", "socket.gethostbyaddr", "socket.getnameinfo", "urllib.Request", "ftplib.connect",
           "smtplib.connect", "http.client.connect", "imaplib.open", "poplib.connect")
def guard(event, arguments):
    if event in NETWORK:
        with open(os.environ["GUARD_SAYS"], "a") as said:
            print(event, arguments, file=said)
        raise PermissionError("the network is cut")
sys.addaudithook(guard)
"""


def guarded(folder: Path, *words: str, before: tuple[str, ...] = ()) -> tuple[subprocess.CompletedProcess[str], str]:
    """A Python in which any use of the network fails and is written down; and what was."""
    folder.mkdir(exist_ok=True)
    (folder / "sitecustomize.py").write_text(GUARD, encoding="utf-8")
    said = folder / "said.txt"
    path = os.pathsep.join([str(folder), *sys.path])
    done = subprocess.run(
        [*before, sys.executable, *words],
        env={**os.environ, "PYTHONPATH": path, "GUARD_SAYS": str(said)},
        capture_output=True,
        text=True,
        check=False,
    )
    return done, said.read_text(encoding="utf-8") if said.exists() else ""


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_guard_stops_whatever_asks_for_the_network(tmp_path):
    code = "import socket; socket.create_connection(('127.0.0.1', 9))"
    done, said = guarded(tmp_path / "guard", "-c", code)
    assert done.returncode == 1 and "the network is cut" in done.stderr
    assert said.startswith("socket.getaddrinfo")


def without_network() -> tuple[str, ...]:
    """The words before a command that give it a system without any network; the test is skipped where none do."""
    program = shutil.which("unshare")
    for options in (["-n"], ["-rn"]):
        if program and subprocess.run([program, *options, "true"], check=False, capture_output=True).returncode == 0:
            return program, *options
    pytest.skip("the system lets nobody cut the network off")


def test_the_main_job_asks_for_no_network_and_does_the_same_without_one(tmp_path):
    study = write_study(tmp_path / "study")
    outs = [tmp_path / name for name in ("usual", "guarded", "cut")]
    job = ("-m", "materiality", "run", str(study), "--figures", "main", "--out")
    usual = subprocess.run([sys.executable, *job, str(outs[0])], check=False, capture_output=True, text=True)
    done, said = guarded(tmp_path / "guard", *job, str(outs[1]))
    assert (usual.returncode, done.returncode, said) == (0, 0, ""), done.stderr
    assert contents(outs[0]) == contents(outs[1])
    assert {"report.html", "result.json", "figures/matrix.png"} <= set(contents(outs[0]))
    cut, said = guarded(tmp_path / "guard", *job, str(outs[2]), before=without_network())
    assert (cut.returncode, said) == (0, ""), cut.stderr
    assert contents(outs[0]) == contents(outs[2])
