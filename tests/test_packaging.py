"""The commands, the one list of dependencies, what ``import mp3lib`` does, and the names in the documents."""

import ast
import importlib
import importlib.metadata
import inspect
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from scripts import load_script
from test_layering import complaints

import mp3lib
import mp3lib.cli
import studies.__main__

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
IMPORTED_AS = {"PIL": "pillow", "IPython": "ipython"}
OPTIONAL = {"datasets", "pillow-heif", "pyarrow", "timm", "vit-pytorch"}  # used where it is there, never asked for
VERSIONS = ["3.11", "3.12", "3.13", "3.14"]
DOCUMENTS = [path for path in sorted(ROOT.glob("*.md")) if path.name != "CHANGELOG.md"]  # it tells of old names, too
DOCUMENTS.append(ROOT / "benchmarks" / "README.md")
PARSERS = {"mp3lib": mp3lib.cli.parser, "studies": studies.__main__.parser}
MADE = ("site/_build", "tests/shots")  # by running: not in a fresh clone


def requirements(lines: list[str]) -> dict[str, Requirement]:
    return {Requirement(line).name.lower().replace("_", "-"): Requirement(line) for line in lines}


# --- dependencies -----------------------------------------------------------------------------------------------------


def test_environment_yml_repeats_pyproject():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    python, pip, by_pip = environment["dependencies"]
    assert (environment["name"], environment["channels"], pip) == ("mp3", ["conda-forge"], "pip")
    assert [v for v in ("3.10", *VERSIONS, "3.15") if v in SpecifierSet(python.removeprefix("python"))] == VERSIONS
    *listed, itself = by_pip["pip"]
    assert itself == "-e ."
    assert requirements(listed) == requirements(PROJECT["dependencies"] + EXTRAS["lab"] + EXTRAS["test"])


def test_versions_of_python():
    assert PROJECT["requires-python"] == ">=3.11"
    assert PROJECT["classifiers"] == [f"Programming Language :: Python :: {version}" for version in VERSIONS]


def test_runtime_dependencies_have_lower_bounds_only():
    for requirement in requirements(PROJECT["dependencies"]).values():
        assert [s.operator for s in requirement.specifier] == [">="], str(requirement)


def test_what_is_installed_is_what_is_asked_for():
    """nbval above all: conftest.py changes one version of it."""
    for requirement in requirements(PROJECT["dependencies"] + EXTRAS["lab"] + EXTRAS["test"]).values():
        assert importlib.metadata.version(requirement.name) in requirement.specifier, str(requirement)


def third_party_imports() -> set[str]:
    names = set()
    for path in (ROOT / "mp3lib").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names.add(node.module.split(".")[0])
    return {IMPORTED_AS.get(name, name).replace("_", "-") for name in names - sys.stdlib_module_names}


def test_the_library_imports_what_it_declares_and_declares_what_it_imports():
    declared = set(requirements(PROJECT["dependencies"]))
    assert third_party_imports() - OPTIONAL - {"mp3lib"} <= declared
    assert declared <= third_party_imports(), "declared, but imported nowhere"


# --- import mp3lib ----------------------------------------------------------------------------------------------------


def run_python(code: str) -> str:
    environ = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True).stdout


def test_import_loads_nothing_else():
    assert run_python("import sys, mp3lib; print({'torch', 'numpy', 'matplotlib'} & set(sys.modules))") == "set()\n"


def test_names_are_loaded_on_use():
    assert "MP3" in dir(mp3lib) and "budget" in dir(mp3lib)
    for name in mp3lib.__all__:
        assert callable(getattr(mp3lib, name)), name
    with pytest.raises(AttributeError, match="mp3lib.*has no attribute 'MP4'"):
        _ = mp3lib.MP4


def test_help_comes_without_pytorch():
    code = "import sys; from mp3lib.__main__ import main\ntry: main(['--help'])\nexcept SystemExit: pass\n"
    assert run_python(f"{code}print('torch' in sys.modules)").splitlines()[-1] == "False"


@pytest.mark.slow
def test_names_do_not_depend_on_what_was_imported_before():
    files = [path.relative_to(ROOT).with_suffix("") for path in (ROOT / "mp3lib").rglob("[a-z]*.py")]
    assert {path.parts[1] for path in files}.isdisjoint(mp3lib.__all__), "a module would hide the name"
    everything = "; ".join(f"import {'.'.join(path.parts)}" for path in sorted(files))
    run_python(f"{everything}\nassert all(callable(getattr(mp3lib, name)) for name in mp3lib.__all__)")


def test_editors_see_the_same_names():
    tree = ast.parse((ROOT / "mp3lib" / "__init__.py").read_text(encoding="utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    seen = {alias.name: node.module for node in block.body for alias in node.names}
    assert seen == mp3lib._HOME


# --- commands ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def setup(monkeypatch):
    """tools/setup.py as a module."""
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    return load_script("tools/setup.py")


def make(*arguments: str) -> str:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    return subprocess.run(
        ["make", *arguments], cwd=ROOT, env=environ, capture_output=True, text=True, check=True
    ).stdout


@pytest.mark.posix
def test_make_alone_lists_every_target():
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"^(\w+):", text, re.MULTILINE)
    assert {"lab", "test", "setup", "notebooks", "check", "clean", "help"} <= set(targets)
    assert re.findall(r"^  make (\w+) +\S", make(), re.MULTILINE) == targets
    assert set(re.search(r"^\.PHONY: (.*)$", text, re.MULTILINE)[1].split()) == set(targets)


@pytest.mark.posix
def test_make_calls_the_steps_by_name(setup):
    for command in setup.steps("python"):
        assert make("--dry-run", command).split("setup.py")[1].split() == [command]
    assert "tools/setup.py lab --no-browser --port 8899" in make(
        "--dry-run", "lab", "LAB_ARGS=--no-browser --port 8899"
    )
    assert make("--dry-run", "setup", "PYTHON=python3.12") == "python3.12 tools/setup.py setup\n"
    assert "-m studies train ratio cost" in make("--dry-run", "train", "STUDIES=ratio cost")


def test_the_steps_of_test_are_everything(setup):
    commands = [" ".join(program) for program, _, _ in setup.steps("py", workers="3")["test"]]
    pytest = "py -m pytest --numprocesses 3 --maxprocesses 4 --dist loadfile --no-loadscope-reorder"
    assert commands == [
        "py -m mp3lib data fetch",
        "py -m ruff check .",
        "py -m ruff format --check .",
        "py tools/browser.py --install",
        f"{pytest} tests --durations 30",
        f"{pytest} --nbval notebooks/",
    ]
    needed = [program[1:3] for program, _, stop in setup.steps("py")["test"] if not stop]
    assert needed == [["-m", "mp3lib"], ["tools/browser.py", "--install"]], "without images or browser it goes on"
    assert "make test" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert os.name == "nt" or os.access(ROOT / ".ci" / "run", os.X_OK)


def test_steps_run_in_order_and_end_where_one_fails(setup, monkeypatch, capfd):
    ran, failing = [], {"mp3lib"}
    monkeypatch.setattr(setup, "install", lambda venv: ran.append(str(venv)))
    monkeypatch.setattr(setup.subprocess, "call", lambda program: ran.append(program[2]) or int(program[2] in failing))
    monkeypatch.setattr(setup, "replace_process", lambda program: ran.append("lab") or program[2:])
    monkeypatch.delenv("VENV", raising=False)
    assert setup.main(["lab", "--no-browser"]) == ["--no-browser"] and ran == [".venv", "mp3lib", "lab"]
    assert "the notebooks use the embedded scenes" in capfd.readouterr().err
    ran.clear()
    failing.add("ruff")
    assert setup.main(["test"]) == 1 and ran == [".venv", "mp3lib", "ruff"]
    assert "ruff check --fix" in capfd.readouterr().err
    ran.clear()
    assert setup.main(["other/venv"]) == 0 and ran == ["other/venv"]
    monkeypatch.setenv("VENV", "third")
    ran.clear()
    assert setup.main(["setup"]) == 0 and setup.main([]) == 0 and ran == ["third", "third"]


@pytest.mark.parametrize("arguments", [["--quiet"], ["test", "--fast"], [".venv", "lab"]])
def test_setup_refuses_what_it_does_not_know(setup, monkeypatch, arguments, capsys):
    monkeypatch.setattr(setup, "install", lambda venv: pytest.fail("nothing may be installed"))
    assert setup.main(arguments) == 2 and "is not understood" in capsys.readouterr().err
    assert setup.main(["--help"]) == 0 and "tools/setup.py lab" in capsys.readouterr().out


@pytest.mark.parametrize("target", ["site", "clean", "train", "bench", "format", "notebooks"])
def test_setup_does_not_take_a_target_of_make_for_a_folder(setup, monkeypatch, target, capsys):
    monkeypatch.setattr(setup, "install", lambda venv: pytest.fail("nothing may be installed"))
    assert setup.main([target]) == 2 and f"'{target}' is a target of make alone" in capsys.readouterr().err


class Pip:
    """Stands for the processes that tools/setup.py starts, and notes them; the environment is a folder with a file."""

    def __init__(self, setup, monkeypatch, venv: Path):
        self.python, self.ran, self.works = Path(setup.python_of(venv)), [], True
        self.answers = {"pip": False, "new enough": True, "venv": True}
        monkeypatch.setattr(setup.subprocess, "call", self.call)
        monkeypatch.setattr(setup, "answers", self.answer)
        monkeypatch.setattr(setup, "version_of", lambda python: "Python 3.x")

    def call(self, program: list[str]) -> int:
        self.ran.append(" ".join(program[1:3]))
        if "venv" in program:
            self.python.parent.mkdir(parents=True, exist_ok=True)
            self.python.touch()
        return 0 if self.works else 1

    def answer(self, python: str, *arguments: str) -> bool:
        what = {"-m": "pip"}.get(arguments[0]) or ("new enough" if "version_info" in arguments[1] else "venv")
        return self.answers[what]


@pytest.fixture
def pip(setup, monkeypatch, tmp_path):
    return Pip(setup, monkeypatch, tmp_path / "venv")


def test_setup_installs_once_and_again_where_pyproject_or_the_place_changed(setup, pip, tmp_path, monkeypatch):
    venv = tmp_path / "venv"
    setup.install(venv)
    assert pip.ran == ["-m venv", "-m pip"]
    setup.install(venv)
    assert pip.ran == ["-m venv", "-m pip"], "done already"
    pip.answers["pip"] = True
    (tmp_path / "pyproject.toml").write_text("changed")
    monkeypatch.setattr(setup, "ROOT", tmp_path)
    setup.install(venv)
    setup.install(venv)
    assert pip.ran == ["-m venv", "-m pip", "-m pip"]


@pytest.mark.parametrize("links", [True, False])
def test_setup_adds_the_plugin_of_jupyterlab(setup, pip, tmp_path, monkeypatch, links):
    def refused(*args, **kwargs):
        raise OSError("a required privilege is not held by the client")

    if not links:
        monkeypatch.setattr(setup.Path, "symlink_to", refused)
    plugin = tmp_path / "venv" / "share" / "jupyter" / "labextensions" / "mp3lib"
    setup.install(tmp_path / "venv")
    package = json.loads((plugin / "package.json").read_text(encoding="utf-8"))
    assert plugin.is_symlink() == links and (plugin / package["jupyterlab"]["_build"]["load"]).exists()
    setup.link_plugin(tmp_path / "venv")  # again: the old link or copy is replaced
    assert (plugin / "package.json").exists()
    assert (package["name"], package["version"]) == ("mp3lib", mp3lib.__version__)


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ({"new enough": False}, "mp3lib needs Python 3.11 or newer; found Python 3.x"),
        ({"pip": True, "new enough": False}, "venv holds Python 3.x, but mp3lib needs Python 3.11 or newer"),
        ({"venv": False}, "cannot make virtual environments. On Debian and Ubuntu: apt install python3-venv"),
    ],
)
def test_setup_says_what_is_missing(setup, pip, tmp_path, answers, words):
    pip.answers |= answers
    with pytest.raises(setup.Failed, match=words):
        setup.install(tmp_path / "venv")
    assert pip.ran == []


def test_setup_does_not_take_a_failed_installation_for_done(setup, pip, tmp_path):
    pip.works, pip.answers["pip"] = False, True
    with pytest.raises(setup.Failed, match="The installation did not finish. If the network failed, run the same"):
        setup.install(tmp_path / "venv")
    assert not (tmp_path / "venv" / setup.STAMP).exists()


@pytest.mark.posix
def test_setup_refuses_an_old_python(tmp_path):
    old = tmp_path / "python-old"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo "Python 3.9.6"\nexit 1\n')
    old.chmod(0o755)
    environ = os.environ | {"PYTHON": str(old)}
    script = [sys.executable, str(ROOT / "tools" / "setup.py"), str(tmp_path / "venv")]
    answer = subprocess.run(script, env=environ, capture_output=True, text=True)
    assert answer.returncode == 1 and "needs Python 3.11 or newer; found Python 3.9.6" in answer.stderr
    assert not (tmp_path / "venv").exists()


def test_an_old_python_can_read_setup_and_needs_nothing_for_it():
    text = (ROOT / "tools" / "setup.py").read_text(encoding="utf-8")
    tree = ast.parse(text, feature_version=(3, 7))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert imported <= {"hashlib", "os", "shutil", "subprocess", "sys"}


def test_the_interpreter_of_an_environment(setup, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    here = str(tmp_path.resolve())
    for system, inside in (("nt", ("Scripts", "python.exe")), ("posix", ("bin", "python"))):
        with monkeypatch.context() as patch:
            patch.setattr(setup.os, "name", system)
            python = setup.python_of(".venv")
        assert python == os.path.join(here, ".venv", *inside)


def test_without_exec_the_last_step_is_waited_for_whatever_ctrl_c_says(setup, monkeypatch):
    """On Windows Ctrl-C reaches JupyterLab as well, which asks whether to end; that is its question to ask."""

    class Process:
        answers = [KeyboardInterrupt, KeyboardInterrupt, 3]

        def wait(self):
            answer = self.answers.pop(0)
            if answer is KeyboardInterrupt:
                raise KeyboardInterrupt
            return answer

    monkeypatch.setattr(setup.subprocess, "Popen", lambda program: Process())
    with monkeypatch.context() as patch:
        patch.setattr(setup.os, "name", "nt")
        status = setup.replace_process(["jupyter"])
    assert status == 3 and Process.answers == []


def test_workflow_runs_make_test_on_linux_and_macos_and_the_fast_tests_on_windows():
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))
    jobs = workflow["jobs"]
    assert [*jobs] == ["test", "windows"]
    assert "make test" in [step.get("run") for step in jobs["test"]["steps"]]
    assert jobs["test"]["runs-on"] == "${{ matrix.os }}"
    assert jobs["test"]["strategy"]["matrix"] == {"os": ["ubuntu-latest", "macos-latest"], "python": ["3.11", "3.13"]}
    assert jobs["windows"]["runs-on"] == "windows-latest"
    setup, tests, notebook = [step["run"] for step in jobs["windows"]["steps"] if "run" in step]
    assert setup == "python tools/setup.py data"
    assert tests == r'.venv\Scripts\python.exe -m pytest tests -m "not slow and not posix"'
    before, _, path = notebook.rpartition(" ")
    assert before == r".venv\Scripts\python.exe -m pytest --nbval" and (ROOT / path).exists()
    for job in jobs.values():  # a change of how the images are read must not meet an old cache
        (key,) = [step["with"]["key"] for step in job["steps"] if "actions/cache" in step.get("uses", "")]
        hashed = ROOT.glob(re.search(r"hashFiles\('(.*)'\)", key)[1])
        assert {*hashed} == {*(ROOT / "mp3lib" / "data").rglob("*.py")}


# --- documents --------------------------------------------------------------------------------------------------------


def resolves(name: str) -> bool:
    """Whether a dotted name such as ``mp3lib.train.pretrain`` leads somewhere."""
    value = importlib.import_module(name.split(".")[0])
    for part in name.split(".")[1:]:
        try:
            value = importlib.import_module(f"{value.__name__}.{part}") if inspect.ismodule(value) else None
        except ImportError:
            value = getattr(value, part, None)
        if value is None:
            return False
    return True


def texts() -> dict[str, str]:
    """The documents, and the prose and code of every notebook."""
    found = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in DOCUMENTS}
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        found[path.name] = "\n".join("".join(cell["source"]) for cell in cells)
    return found


@pytest.mark.parametrize("name", texts())
def test_names_and_paths_of_ours_in_a_document_exist(name):
    text = texts()[name]
    dotted = set(re.findall(r"\b(?:mp3lib|studies)(?:\.[A-Za-z_]\w*)+", text))
    assert sorted(word for word in dotted if not resolves(word)) == []
    paths = set(re.findall(r"(?<![\w/])(?:tools|studies|benchmarks|site|mp3lib|tests)/[\w./-]*\w", text))
    missing = (path for path in paths if not path.startswith(MADE) and not (ROOT / path).exists())
    assert sorted(path for path in missing if not (ROOT / "results" / path).exists()) == []  # of stored("…")
    for program, command in set(re.findall(r"python -m (mp3lib|studies) ([a-z]+)", text)):
        with pytest.raises(SystemExit) as ended:
            PARSERS[program]().parse_args([command, "--help"])
        assert ended.value.code == 0, f"python -m {program} {command}"
    for code in re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        assert complaints(code) == []
