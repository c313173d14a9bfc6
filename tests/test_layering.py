"""Who may import whom inside the library: arrows only ever point down."""

import ast
from pathlib import Path

import pytest

from mp3lib import _HOME

LIBRARY = Path(__file__).resolve().parents[1] / "mp3lib"
MODEL = {"posemb", "attention", "vit", "mp3"}
DATA = {"augment", "cache", "download", "pictures", "scenes", "sources"}  # what data.py is made of

# each module with those of ours that it may import
ALLOWED = {
    "budgets": set(),
    "posemb": set(),
    "attention": set(),
    "vit": {"attention", "posemb"},
    "mp3": {"attention", "vit"},
    "augment": set(),
    "cues": {"augment"},
    "cache": set(),
    "download": set(),
    "painting": set(),
    "pictures": set(),
    "scenes": {"painting"},
    "sources": {"pictures"},
    "data": DATA,
    "results": set(),
    "canvas": set(),
    "plots": {"canvas"},
    "widgets": {"plots"},
    "evaluate": MODEL | {"augment"},
    "checkpoint": {"results"},
    "train": MODEL | {"augment", "checkpoint", "evaluate"},
    "shipped": {"mp3"},
    "finetune": MODEL | {"augment", "train"},
    "checks": MODEL,
}
ALLOWED["__main__"] = set(ALLOWED)
ALLOWED["__init__"] = set(ALLOWED)  # by name only, when first used


def imports(path: Path) -> set[str]:
    """The modules of ours that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            inside = node.level > 0 or (node.module or "").split(".")[0] == "mp3lib"
            module = (node.module or "").removeprefix("mp3lib").strip(".")
            if inside and module:
                found.add(module.split(".")[0])
            elif inside:  # a module of ours, or a public name of mp3lib/__init__.py
                found |= {_HOME.get(alias.name, alias.name) for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("mp3lib.")}
            assert "mp3lib" not in {alias.name for alias in node.names}, f"{path.name}: import from the module itself"
    return found


@pytest.mark.parametrize("path", sorted(LIBRARY.glob("*.py")), ids=lambda path: path.stem)
def test_imports_only_what_lies_below(path):
    assert path.stem in ALLOWED, f"give {path.name} its place in ALLOWED, in {Path(__file__).name}"
    assert imports(path) <= ALLOWED[path.stem]


def test_arrows_form_no_circle():
    below = {name: set(allowed) for name, allowed in ALLOWED.items() if not name.startswith("__")}
    while leaves := {name for name, allowed in below.items() if not allowed}:
        below = {name: allowed - leaves for name, allowed in below.items() if name not in leaves}
    assert below == {}


def test_reading_of_imports(tmp_path):
    (tmp_path / "x.py").write_text(
        "import torch\nfrom . import plots\nfrom .vit import ViT\nfrom mp3lib.data import load_images\n"
        "def f():\n    import mp3lib.train\n    from mp3lib import evaluate, budget\n"
    )
    assert imports(tmp_path / "x.py") == {"plots", "vit", "data", "train", "evaluate", "budgets"}
