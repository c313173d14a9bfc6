"""What a notebook defines and what its solutions do, for tests that compare it with the library."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import NamedTuple

import nbformat

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"


def cells(name: str) -> list:
    [path] = NOTEBOOKS.glob(f"{name}*.ipynb")
    return nbformat.read(path, as_version=4).cells


def prose(name: str) -> str:
    """The text of a notebook on one line."""
    return " ".join(" ".join(cell.source for cell in cells(name) if cell.cell_type == "markdown").split())


def definitions(name: str) -> dict:
    """The namespace of the imports, functions, classes and upper-case constants in ``notebooks/<name>*.ipynb``.

    Nothing else of the notebook runs: no data, no training, no figures. The last definition of a name holds.
    """
    source = "\n".join(cell.source for cell in cells(name) if cell.cell_type == "code")
    return run_definitions(source, {"__name__": f"notebook_{name}"})


def run_definitions(source: str, namespace: dict) -> dict:
    """Of a notebook's code run the imports, functions, classes and upper-case constants, in ``namespace``."""
    source = "\n".join(line for line in source.splitlines() if not line.lstrip().startswith(("%", "!")))
    nodes: list[ast.stmt] = []
    for node in ast.parse(source).body:
        constant = isinstance(node, ast.Assign) and all(
            isinstance(t, ast.Name) and t.id.isupper() and len(t.id) > 1 for t in node.targets
        )
        if constant or isinstance(node, (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef)):
            nodes.append(node)
    exec(compile(ast.Module(nodes, type_ignores=[]), namespace["__name__"], "exec"), namespace)
    return namespace


class Exercise(NamedTuple):
    """An exercise as it stands in a notebook: a text, a cell with a stub, and the folded hints and solution."""

    text: str
    code: str
    help: str

    @property
    def check(self) -> str | None:
        """The name of the checker that the last line of the cell calls."""
        called = re.fullmatch(r"checks\.(check_\w+)\((\w+)\)", self.code.splitlines()[-1])
        return called[1] if called else None

    @property
    def function(self) -> str:
        """The name of the function that is asked for."""
        return self.code.splitlines()[-1].partition("(")[2].rstrip(")")

    @property
    def solution(self) -> str:
        """The code of the folded solution."""
        [folded] = re.findall(r"<details><summary>Solution</summary>(.*?)</details>", self.help, flags=re.DOTALL)
        return "\n\n".join(re.findall(r"```python\n(.*?)```", folded, flags=re.DOTALL))

    def solved(self, name: str) -> dict:
        """The definitions of the notebook, with those of the solution."""
        return run_definitions(self.solution, definitions(name))


def solved_notebook(name: str) -> nbformat.NotebookNode:
    """``notebooks/<name>*.ipynb`` with the solution, and the call of the checker, after the cell of each exercise."""
    book, solutions = nbformat.v4.new_notebook(), {exercise.code: exercise for exercise in exercises(name)}
    for cell in cells(name):
        book.cells.append(cell)
        if exercise := solutions.get(cell.source):
            check = f"checks.{exercise.check}({exercise.function})"
            book.cells += [nbformat.v4.new_code_cell(code) for code in (exercise.solution, check)]
    return book


def exercises(name: str) -> list[Exercise]:
    """The exercises of ``notebooks/<name>*.ipynb``."""
    book = cells(name)
    places = [i for i, cell in enumerate(book) if re.search(r"^### Exercise \d", cell.source, re.MULTILINE)]
    return [Exercise(*(cell.source for cell in book[i : i + 3])) for i in places]
