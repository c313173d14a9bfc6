"""What a notebook defines, for tests that compare it with the library."""

from __future__ import annotations

import ast
from pathlib import Path

import nbformat

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"


def definitions(name: str) -> dict:
    """The namespace of the imports, functions, classes and upper-case constants in ``notebooks/<name>*.ipynb``.

    Nothing else of the notebook runs: no data, no training, no figures. The last definition of a name holds.
    """
    [path] = NOTEBOOKS.glob(f"{name}*.ipynb")
    nodes: list[ast.stmt] = []
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type != "code":
            continue
        source = "\n".join(line for line in cell.source.splitlines() if not line.lstrip().startswith(("%", "!")))
        for node in ast.parse(source).body:
            constant = isinstance(node, ast.Assign) and all(
                isinstance(t, ast.Name) and t.id.isupper() and len(t.id) > 1 for t in node.targets
            )
            if constant or isinstance(node, (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef)):
                nodes.append(node)
    namespace: dict = {"__name__": f"notebook_{path.stem}"}
    exec(compile(ast.Module(nodes, type_ignores=[]), str(path), "exec"), namespace)
    return namespace
