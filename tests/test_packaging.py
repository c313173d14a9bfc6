"""The two commands, the one list of dependencies, and what ``import mp3lib`` does."""

import ast
import importlib.metadata
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

import mp3lib

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
IMPORTED_AS = {"PIL": "pillow", "IPython": "ipython"}
OPTIONAL = {"pyarrow"}  # used where it is there, never asked for


def requirements(lines: list[str]) -> dict[str, Requirement]:
    return {Requirement(line).name.lower().replace("_", "-"): Requirement(line) for line in lines}


# --- dependencies -----------------------------------------------------------------------------------------------------


def test_environment_yml_repeats_pyproject():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    python, pip, by_pip = environment["dependencies"]
    assert (environment["name"], environment["channels"], pip) == ("mp3", ["conda-forge"], "pip")
    assert {v for v in ("3.10", "3.11", "3.12", "3.13") if v in SpecifierSet(python.removeprefix("python"))} == {
        "3.11",
        "3.12",
        "3.13",
    }
    *listed, itself = by_pip["pip"]
    assert itself == "-e ."
    assert requirements(listed) == requirements(PROJECT["dependencies"] + EXTRAS["lab"] + EXTRAS["test"])


def test_runtime_dependencies_have_lower_bounds_only():
    for requirement in requirements(PROJECT["dependencies"]).values():
        assert [s.operator for s in requirement.specifier] == [">="], str(requirement)


def test_what_is_installed_is_what_is_asked_for():
    """nbval above all: conftest.py changes one version of it."""
    for requirement in requirements(PROJECT["dependencies"] + EXTRAS["lab"] + EXTRAS["test"]).values():
        assert importlib.metadata.version(requirement.name) in requirement.specifier, str(requirement)


def third_party_imports() -> set[str]:
    names = set()
    for path in (ROOT / "mp3lib").glob("*.py"):
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


@pytest.mark.slow
def test_names_do_not_depend_on_what_was_imported_before():
    modules = sorted(path.stem for path in (ROOT / "mp3lib").glob("[a-z]*.py"))
    assert set(modules).isdisjoint(mp3lib.__all__), "a module would hide the name"
    everything = "; ".join(f"import mp3lib.{name}" for name in modules)
    run_python(f"{everything}\nassert all(callable(getattr(mp3lib, name)) for name in mp3lib.__all__)")


def test_editors_see_the_same_names():
    tree = ast.parse((ROOT / "mp3lib" / "__init__.py").read_text(encoding="utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    seen = {alias.name: node.module for node in block.body for alias in node.names}
    assert seen == mp3lib._HOME


# --- commands ---------------------------------------------------------------------------------------------------------


def make(*arguments: str) -> str:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    return subprocess.run(
        ["make", *arguments], cwd=ROOT, env=environ, capture_output=True, text=True, check=True
    ).stdout


def test_make_alone_lists_every_target():
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"^(\w+):", text, re.MULTILINE)
    assert {"lab", "test", "setup", "notebooks", "check", "clean", "help"} <= set(targets)
    assert re.findall(r"^  make (\w+) +\S", make(), re.MULTILINE) == targets
    assert set(re.search(r"^\.PHONY: (.*)$", text, re.MULTILINE)[1].split()) == set(targets)


def test_make_test_runs_everything():
    commands = make("--dry-run", "test")
    for part in (
        "tools/setup.sh",
        "data fetch",
        "ruff check",
        "ruff format --check",
    ):
        assert part in commands
    assert re.findall(r"-m pytest .*loadfile (.*)", commands) == ["tests", "--nbval notebooks/"]
    assert "make test" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


def test_make_lab_passes_flags_through():
    assert "tools/lab.py --no-browser --port 8899" in make("--dry-run", "lab", "LAB_ARGS=--no-browser --port 8899")


def test_setup_refuses_an_old_python(tmp_path):
    old = tmp_path / "python-old"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo "Python 3.9.6"\nexit 1\n')
    old.chmod(0o755)
    environ = os.environ | {"PYTHON": str(old)}
    script = ["sh", str(ROOT / "tools" / "setup.sh"), str(tmp_path / "venv")]
    answer = subprocess.run(script, env=environ, capture_output=True, text=True)
    assert answer.returncode == 1 and "needs Python 3.11 or newer; found Python 3.9.6" in answer.stderr
    assert not (tmp_path / "venv").exists()


def test_workflow_runs_make_test_on_linux_and_macos():
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))
    (job,) = workflow["jobs"].values()
    assert "make test" in [step.get("run") for step in job["steps"]]
    assert job["runs-on"] == "${{ matrix.os }}"
    assert job["strategy"]["matrix"] == {"os": ["ubuntu-latest", "macos-latest"], "python": ["3.11", "3.13"]}
    assert PROJECT["requires-python"] == ">=3.11"
