"""The wheel: built from a copy of the project, installed alone, and used where no clone is near."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from mp3lib import __version__

ROOT = Path(__file__).resolve().parents[1]

pytestmark = pytest.mark.slow


def run(*command: object, **options) -> str:
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> dict[str, Path]:
    """The sdist, the wheel made from it, and the wheel made from the project itself; nothing is written beside it."""
    project = tmp_path_factory.mktemp("project")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, project)
    for name in ("mp3lib", "labextensions", "results"):
        shutil.copytree(ROOT / name, project / name, ignore=shutil.ignore_patterns("__pycache__"))
    build = [sys.executable, "-m", "build", "--no-isolation"]
    run(*build, project, "--outdir", project / "dist")  # the sdist, then a wheel from it
    run(*build, project, "--wheel", "--outdir", project / "direct")
    (sdist,) = (project / "dist").glob("*.tar.gz")
    (wheel,), (direct,) = ((project / name).glob("*.whl") for name in ("dist", "direct"))
    return {"sdist": sdist, "wheel": wheel, "direct": direct}


@pytest.fixture(scope="module")
def installed(built, tmp_path_factory) -> Path:
    """A folder that holds the wheel and nothing else."""
    folder = tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--no-index"]
    run(*pip, "--target", folder, built["wheel"])
    return folder


@pytest.fixture
def python(installed, tmp_path):
    """Run Python outside of the clone, with the installed wheel before everything else; what it prints."""
    environ = os.environ | {
        "PYTHONPATH": str(installed),
        "PYTHONSAFEPATH": "1",  # not the current folder
        "MP3_CACHE": str(tmp_path / "cache"),
        "OMP_NUM_THREADS": "1",
    }
    environ.pop("MP3_DATA", None)
    return lambda *arguments: run(sys.executable, *arguments, cwd=tmp_path, env=environ)


def shown_results() -> set[Path]:
    """The files below results/ that the notebooks ask for; an f-string's fields stand for anything."""
    found = set()
    for notebook in sorted((ROOT / "notebooks").glob("*.ipynb")):
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
        code = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
        names = re.findall(r"""\bstored\(f?["']([^"']+)["']\)""", code)
        assert len(names) == code.count("stored("), f"{notebook.name} asks for a result by a name that is not a text"
        for name in names:
            files = {*(ROOT / "results").glob(re.sub(r"\{[^}]*\}", "*", name))}
            assert files, f"{notebook.name} asks for {name}, which is not in results/"
            found |= files
    return found


def content(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_the_sdist_builds_the_same_wheel(built):
    assert built["wheel"].name == built["direct"].name == f"mp3lib-{__version__}-py3-none-any.whl"
    from_sdist, from_project = content(built["wheel"]), content(built["direct"])
    assert [name for name in from_project if from_sdist.get(name) != from_project[name]] == []
    assert from_sdist.keys() == from_project.keys()
    with tarfile.open(built["sdist"]) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"pyproject.toml", "LICENSE", "README.md", "mp3lib/weights/pupil-4x4/model.safetensors"} <= names


def test_the_wheel_holds_the_library_its_weights_and_its_results_and_nothing_else(built):
    files = {path.relative_to(ROOT).as_posix() for path in (ROOT / "mp3lib").rglob("*.py")}
    files |= {path.relative_to(ROOT).as_posix() for path in (ROOT / "mp3lib" / "weights").glob("*/*")}
    files |= {path.relative_to(ROOT).as_posix() for path in (ROOT / "mp3lib" / "live").iterdir()} | {"mp3lib/py.typed"}
    shared = f"mp3lib-{__version__}.data/data/share/"
    files |= {
        f"{shared}mp3lib/{path.relative_to(ROOT).as_posix()}"
        for path in shown_results() | {*(ROOT / "results" / "shown").glob("[!.]*")}
    }
    plugin = ("package.json", "static/dark.css", "static/live.js")
    files |= {f"{shared}jupyter/labextensions/mp3lib/{name}" for name in plugin}
    about = f"mp3lib-{__version__}.dist-info/"
    assert {name for name in content(built["wheel"]) if not name.startswith(about)} == files


def test_what_is_imported_is_the_wheel(python, installed):
    """In particular not the clone, which the tests have installed in editable mode."""
    code = """
import json, sys
import mp3lib, mp3lib.checks, mp3lib.export, mp3lib.train, mp3lib.widgets
print(json.dumps({name: module.__file__ for name, module in sys.modules.items() if name.startswith("mp3lib")}))
"""
    files = json.loads(python("-c", code))
    assert len(files) > 30 and all(Path(file).is_relative_to(installed) for file in files.values()), files


def test_jupyterlab_finds_the_plugin(installed):
    """In share/jupyter of the environment: a plain `jupyter lab` looks there."""
    [package] = installed.glob("share/jupyter/labextensions/*/package.json")
    load = json.loads(package.read_text(encoding="utf-8"))["jupyterlab"]["_build"]["load"]
    assert (package.parent / load).read_bytes() == (ROOT / "labextensions" / "mp3lib" / load).read_bytes()


def test_every_shipped_model_loads(python):
    code = """
from mp3lib.model import load_shipped, shipped_names

for name in shipped_names():
    print(name, type(load_shipped(name)).__name__)
"""
    names = sorted(path.name for path in (ROOT / "mp3lib" / "weights").iterdir() if path.is_dir())
    loaded = dict(line.split() for line in python("-c", code).splitlines())
    assert [*loaded] == names and loaded["pupil-4x4"] == "MP3" and loaded["classifier-8x8"] == "ViT"


def test_the_command_line_answers(python):
    assert "usage: python -m mp3lib" in python("-m", "mp3lib", "--help")
    assert "MP3_DATA  not set" in python("-m", "mp3lib", "data", "status")


def test_a_prediction(python):
    """The same as in the clone, on images that need no network."""
    code = """
from mp3lib import load_images, load_shipped
from mp3lib.data import to_float

images = to_float(load_images("scenes").test.images[:4])
p = load_shipped("pupil-4x4").predict(images, context=[0, 5, 9])
print(p.logits.argmax(dim=2).tolist())
"""
    here = run(sys.executable, "-c", code, cwd=ROOT, env=os.environ | {"OMP_NUM_THREADS": "1"})
    assert python("-c", code).splitlines()[-1] == here.splitlines()[-1]


def test_results_that_the_notebooks_show_are_found(python):
    code = """
import json, sys
from mp3lib.results import stored

print(json.dumps({name: stored(name) for name in sys.argv[1:]}))
"""
    files = {path.relative_to(ROOT / "results").as_posix(): path for path in sorted(shown_results())}
    texts = {name: path.read_text(encoding="utf-8") for name, path in files.items()}
    expected = {name: json.loads(text) if name.endswith(".json") else text for name, text in texts.items()}
    assert {"probes/puzzler-4x4.json", "benchmarks/scale.json"} <= expected.keys()
    assert json.loads(python("-c", code, *expected)) == expected
