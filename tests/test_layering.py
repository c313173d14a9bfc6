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
    "markdown": {"results"},
    "provenance": {"markdown", "results"},
    "tables": {"markdown", "results"},
    "shipped_tables": {"markdown", "provenance", "results", "tables"},
    "claims": {"markdown", "results", "tables"},
    "report": {"claims", "markdown", "provenance", "shipped_tables", "tables"},
    "arrays": set(),
    "canvas": {"arrays"},
    "charts": {"arrays", "canvas"},
    "puzzles": {"arrays", "canvas"},
    "plots": {"arrays", "canvas", "charts", "puzzles"},
    "answers": {"arrays", "canvas"},
    "widgets": {"plots"},
    "evaluate": MODEL | {"augment"},
    "checkpoint": {"results"},
    "machine": set(),
    "optimizers": set(),
    "train": MODEL | {"augment", "checkpoint", "evaluate", "machine", "optimizers"},
    "shipped": {"mp3", "vit"},
    "cli": set(),
    "finetune": MODEL | {"augment", "machine", "optimizers", "train"},
    "checks": MODEL,
}
ALLOWED["__main__"] = set(ALLOWED)
ALLOWED["__init__"] = set(ALLOWED)  # by name only, when first used


def name(path: Path) -> str:
    """The module of a file; all files of a folder in the library count as one, named like the folder."""
    return path.relative_to(LIBRARY).parts[0].removesuffix(".py") if path.is_relative_to(LIBRARY) else path.stem


def imports(path: Path) -> set[str]:
    """The modules of ours that a file imports, anywhere in it."""
    found, own_folder = set(), int(path.is_relative_to(LIBRARY) and path.parent != LIBRARY)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            if own_folder and node.level == own_folder:
                continue
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


FILES = [path for path in sorted(LIBRARY.rglob("*.py")) if "__pycache__" not in path.parts]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(LIBRARY)))
def test_imports_only_what_lies_below(path):
    assert name(path) in ALLOWED, f"give {path.name} its place in ALLOWED, in {Path(__file__).name}"
    assert imports(path) <= ALLOWED[name(path)]


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
