"""Who may import whom: between the packages of the library, and from the notebooks."""

import ast
import importlib
import inspect
import json
import re
import types
from pathlib import Path
from typing import get_args, get_type_hints

import pytest

import mp3lib
from mp3lib.data import Split
from mp3lib.data.tensors import ImagesLike, LabelsLike
from mp3lib.evaluate import frozen_features, patch_only_floor, position_accuracy, top1_accuracy
from mp3lib.train import finetune, pretrain

ROOT = Path(__file__).resolve().parents[1]
LIBRARY = ROOT / "mp3lib"

# each package and each module beside them, with those of ours that it may import
ALLOWED = {
    "model": {"__version__", "arguments", "json_files", "paths"},
    "data": {"arguments", "luma", "paths", "stopping"},
    "plots": {"luma"},
    "evaluate": {"arguments", "model", "data"},
    "train": {"arguments", "json_files", "model", "data", "evaluate", "paths", "stopping"},
    "export": {"arguments", "json_files", "model", "paths"},
    "widgets": {"plots"},
    "board": {"arguments", "data", "evaluate", "model", "plots"},
    "checks": {"model"},
    "results": set(),
    "budgets": set(),
    "luma": set(),
    "paths": set(),
    "stopping": set(),
    "json_files": {"paths"},
    "arguments": set(),
    "__version__": set(),  # a name of mp3lib itself
    "cli": {"data", "evaluate", "export", "json_files", "model", "paths", "plots", "stopping", "train"},
}
# the same inside mp3lib.data: each of its rooms and each module beside them
ROOMS = {
    "crops": set(),
    "notes": set(),
    "scenes": set(),
    "files": set(),
    "pictures": {"crops", "files"},
    "folders": {"files", "notes"},
    "streaming": {"crops", "notes", "pictures"},
    "images": {"streaming"},
    "sets": {"files", "folders", "images", "notes", "pictures", "streaming"},
    "readers": {"files", "folders", "images", "notes", "pictures", "sets"},
    "tensors": {"sets", "streaming"},
    "sources": {
        "files", "folders", "images", "notes", "pictures", "readers", "sets", "streaming", "tensors",
    },
    "load": {"images", "notes", "pictures", "readers", "scenes", "sets", "sources", "streaming", "tensors"},
    "cached": {"images", "sources"},
    "augment": {"crops", "tensors"},
    "cues": {"tensors"},
}  # fmt: skip
ROOMS["__init__"] = set(ROOMS)

ALLOWED["__main__"] = set(ALLOWED)
ALLOWED["__init__"] = set(ALLOWED)  # by name only, when first used

# what a notebook may import from: whatever else the library has may move
FACES = ("model", "data", "train", "evaluate", "plots", "widgets", "board", "checks", "export", "results", "budgets")

FILES = sorted(LIBRARY.rglob("*.py"))
DATA_FILES = [path for path in FILES if path.is_relative_to(LIBRARY / "data")]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))


def package(path: Path) -> str:
    """The package of a file in the library, or its own name where it lies beside the packages."""
    return path.relative_to(LIBRARY).parts[0].removesuffix(".py")


def modules(tree: ast.AST, path: Path) -> set[str]:
    """Every module that a file of the library imports, anywhere in it, by its full name."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            inside = path.relative_to(ROOT).parts[: -node.level] if node.level else ()
            module = ".".join((*inside, *(node.module or "").split("."))).strip(".")
            # `from mp3lib import x` and `from . import x` name a module, or what mp3lib/__init__.py has from one
            names = [alias.name for alias in node.names] if module in ("mp3lib", "mp3lib.data") else [""]
            names = [mp3lib._HOME.get(name, name) for name in names] if module == "mp3lib" else names
            found |= {f"{module}.{name}".strip(".") for name in names}
    return found


def ours(path: Path, text: str | None = None) -> set[str]:
    """The packages of ours, other than its own, that a file of the library imports."""
    tree = ast.parse(text if text is not None else path.read_text(encoding="utf-8"))
    parts = [name.split(".") for name in modules(tree, path)]
    return {part[1] if len(part) > 1 else part[0] for part in parts if part[0] == "mp3lib"} - {package(path)}


def room(path: Path) -> str:
    """The room of a file of mp3lib.data, or its own name where it lies beside the rooms."""
    return path.relative_to(LIBRARY / "data").parts[0].removesuffix(".py")


def other_rooms(path: Path, text: str | None = None) -> set[str]:
    """The rooms of mp3lib.data and the modules beside them, other than its own, that a file in it imports."""
    tree = ast.parse(text if text is not None else path.read_text(encoding="utf-8"))
    found = (name.split(".") for name in modules(tree, path))
    return {parts[2] for parts in found if parts[:2] == ["mp3lib", "data"] and len(parts) > 2} - {room(path)}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(LIBRARY).as_posix())
def test_a_package_imports_only_what_it_may(path):
    assert package(path) in ALLOWED, f"give {package(path)} its line in ALLOWED, in {Path(__file__).name}"
    assert ours(path) <= ALLOWED[package(path)]


def test_the_table_of_the_library_names_every_package_and_face():
    text = (ROOT / "docs" / "USE.md").read_text(encoding="utf-8")
    table = re.search(r"```\nmp3lib/\n(.*?)```", text, re.DOTALL)[1]
    listed = {name.rstrip("/") for name in re.findall(r"^  (\S+)  ", table, re.MULTILINE)}
    folders = {path.name for path in LIBRARY.iterdir() if path.is_dir() and not path.name.startswith("__")}
    assert listed == folders | {f"{name}.py" for name in FACES if (LIBRARY / f"{name}.py").exists()}


@pytest.mark.parametrize("path", DATA_FILES, ids=lambda path: path.relative_to(LIBRARY / "data").as_posix())
def test_a_room_of_the_data_imports_only_what_it_may(path):
    assert room(path) in ROOMS, f"give {room(path)} its line in ROOMS, in {Path(__file__).name}"
    assert other_rooms(path) <= ROOMS[room(path)]


@pytest.mark.parametrize("table", [ALLOWED, ROOMS], ids=["packages", "rooms"])
def test_packages_form_no_circle(table):
    below = {name: allowed - {"__version__"} for name, allowed in table.items() if not name.startswith("__")}
    while leaves := {name for name, allowed in below.items() if not allowed}:
        below = {name: allowed - leaves for name, allowed in below.items() if name not in leaves}
    assert below == {}


def test_the_library_imports_nothing_from_around_it():
    """Neither studies, tools, benchmarks, site and tests nor a script in one of these folders."""
    folders = {path.parent for path in ROOT.glob("*/*.py")} - {LIBRARY}
    around = {folder.name for folder in folders if not folder.name.startswith(".")}
    around |= {path.stem for folder in folders for path in folder.glob("*.py") if path.stem != "__init__"}
    assert {"studies", "tools", "benchmarks", "plan", "lab"} <= around
    for path in FILES:
        found = {name.split(".")[0] for name in modules(ast.parse(path.read_text(encoding="utf-8")), path)}
        assert found & around == set(), path


def test_reading_of_imports():
    text = """
import torch, mp3lib.train.loop
from . import answers
from .mp3 import MP3
from .. import plots
from ..data.load import load_images
def f():
    from mp3lib import evaluate, budget
    from vit_pytorch import mp3
"""
    assert ours(LIBRARY / "model" / "x.py", text) == {"train", "plots", "data", "evaluate", "budgets"}
    assert ours(LIBRARY / "x.py", "from .model import MP3\nfrom . import plots\nimport numpy") == {"model", "plots"}
    assert "vit_pytorch" in modules(ast.parse(text), LIBRARY / "model" / "x.py")


def test_reading_of_imports_between_rooms():
    text = """
from . import npy
from .. import cues
from ...luma import LUMA
from ..sets import rows
def f():
    from ..tensors import hint
"""
    assert other_rooms(LIBRARY / "data" / "readers" / "x.py", text) == {"cues", "sets", "tensors"}
    assert other_rooms(LIBRARY / "data" / "x.py", "from . import scenes\nfrom .sets.rows import Rows") == {
        "scenes",
        "sets",
    }


# --- faces ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in FACES if (LIBRARY / name).is_dir()])
def test_no_public_name_of_a_face_is_that_of_a_submodule(name):
    """It would mean one thing before the submodule is imported and another thing after."""
    face = importlib.import_module(f"mp3lib.{name}")
    exported = {n for n in face.__all__ if not isinstance(getattr(face, n), types.ModuleType)}
    assert sorted(face.__all__) == sorted(set(face.__all__))
    assert exported & {path.stem for path in (LIBRARY / name).iterdir()} == set()


DATA_ROOMS = sorted(f"data.{path.parent.name}" for path in (LIBRARY / "data").glob("*/__init__.py"))


@pytest.mark.parametrize("name", ["model", "data", *DATA_ROOMS, "train", "evaluate", "plots", "widgets", "export"])
def test_a_face_says_what_is_in_each_of_its_files_and_rooms(name):
    words, folder = importlib.import_module(f"mp3lib.{name}").__doc__, LIBRARY.joinpath(*name.split("."))
    inside = {path.stem for path in folder.glob("*.py")} | {path.parent.name for path in folder.glob("*/__init__.py")}
    assert {file for file in inside - {"__init__"} if f"``{file}``" not in words} == set()


def test_help_refers_to_public_names_only():
    """ "see ``name``" in the docstring of a public name: a reader finds it in a face."""
    faces = [importlib.import_module(f"mp3lib.{name}") for name in FACES if (LIBRARY / name).is_dir()]
    public = {name: getattr(face, name) for face in faces for name in getattr(face, "__all__", ())}
    for name, value in public.items():
        for seen in re.findall(r"\bsee\s+``([\w.]+)``", inspect.getdoc(value) or ""):
            first, *more = seen.removeprefix("mp3lib.").split(".")
            assert first in public or first in FACES, f"{name}: {seen}"
            found = public[first] if first in public else importlib.import_module(f"mp3lib.{first}")
            for part in more:
                assert hasattr(found, part), f"{name}: {seen}"
                found = getattr(found, part)


def complaints(code: str) -> list[str]:
    """What a notebook's code takes from the library that is not a public name of one of its faces."""
    found, tree = [], ast.parse(code)

    def check(module: str, names: list[str]) -> None:
        face = module.partition(".")[2]
        if module != "mp3lib" and face not in FACES:
            found.append(module)
            return
        loaded = importlib.import_module(module)
        own = getattr(loaded, "__all__", None) or [
            name for name, value in vars(loaded).items() if getattr(value, "__module__", None) == module
        ]
        public = {*own, *(FACES if module == "mp3lib" else ())}
        found.extend(f"{module}.{name}" for name in names if name not in public)

    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == "mp3lib":
                    check(alias.name, [])
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "mp3lib":
            check(node.module, [alias.name for alias in node.names])
        elif isinstance(node, ast.Attribute) and (chain := dotted(node))[:1] == ["mp3lib"]:
            module = f"mp3lib.{chain[1]}" if chain[1] in FACES and len(chain) > 2 else "mp3lib"
            check(module, [chain[2] if module != "mp3lib" else chain[1]])
    return sorted(set(found))


def dotted(node: ast.AST) -> list[str]:
    """``a.b.c`` as its names; empty where something else than names is in it."""
    if isinstance(node, ast.Attribute):
        before = dotted(node.value)
        return [*before, node.attr] if before else []
    return [node.id] if isinstance(node, ast.Name) else []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_use_public_names_only(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    for cell in cells:
        lines = "".join(cell["source"]).splitlines()
        code = "\n".join(line for line in lines if not line.lstrip().startswith(("%", "!")))
        assert cell["cell_type"] != "code" or complaints(code) == []


def test_reading_of_public_names():
    assert complaints("import mp3lib\nfrom mp3lib import MP3, plots\nfrom mp3lib.data import cues, to_float") == []
    assert complaints("import mp3lib\nmp3lib.ViT(mp3lib.model.pupil_of('x').upper())\nx.mp3lib.y") == []
    assert complaints("from mp3lib.widgets import live, slider\nfrom mp3lib.results import stored") == []
    assert complaints("from mp3lib.model.shipped import FOLDER\nimport mp3lib.train.loop") == [
        "mp3lib.model.shipped",
        "mp3lib.train.loop",
    ]
    assert complaints("import mp3lib\nmp3lib.model.mp3.take(t)\nmp3lib.tables") == ["mp3lib.model.mp3", "mp3lib.tables"]
    assert complaints("from mp3lib.plots import cut\nfrom mp3lib.widgets import Picture") == [
        "mp3lib.plots.cut",
        "mp3lib.widgets.Picture",
    ]


def test_the_types_of_images_and_labels_are_those_that_are_taken():
    """What ``load_images`` gives, a stream too, is what training and evaluation take."""
    for function in (pretrain, finetune, position_accuracy, top1_accuracy, frozen_features, patch_only_floor):
        hints = get_type_hints(function)
        assert {hints[name] for name in hints if name.endswith("images")} <= {ImagesLike, ImagesLike | None}
        assert {hints[name] for name in hints if name.endswith("labels")} <= {LabelsLike, LabelsLike | None}
        assert any(name.endswith("images") for name in hints)
    assert set(get_args(get_type_hints(Split)["images"])) <= set(get_args(ImagesLike))
