"""What must hold for every notebook file, without running it."""

import re
import statistics
import tomllib
from functools import cache
from pathlib import Path

import nbformat
import pytest
from nbval.plugin import find_comment_markers

ROOT = Path(__file__).resolve().parents[1]
BOOK = sorted((ROOT / "notebooks").glob("*.ipynb"))
LEDGER = ROOT / "tests" / "nbval_tags.toml"
WIDGET = "application/vnd.jupyter.widget-view+json"

each_notebook = pytest.mark.parametrize("path", BOOK, ids=lambda path: path.stem)


@cache
def read(path: Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=nbformat.NO_CONVERT)


def code_cells(path: Path) -> list:
    return [cell for cell in read(path).cells if cell.cell_type == "code"]


def prose(cell) -> str:
    """A markdown cell without its code."""
    return re.sub(r"```.*?```|`[^`]*`", "", cell.source, flags=re.DOTALL)


def links(cell) -> list[str]:
    """Where the links and pictures of a markdown cell point to, without the part after #."""
    found = re.findall(r"\]\(<?([^)\s>]+)", prose(cell)) + re.findall(r"\b(?:href|src)=[\"']([^\"']+)", prose(cell))
    return [target.split("#")[0] for target in found if not re.match(r"[a-z]+:|#", target)]


def test_there_are_notebooks():
    assert BOOK, "no notebooks found in notebooks/"
    assert [path.name for path in BOOK if not re.fullmatch(r"\d\d_[a-z0-9_]+\.ipynb", path.name)] == []


@each_notebook
def test_is_valid_and_small(path):
    nbformat.validate(read(path))
    assert (read(path).nbformat, read(path).nbformat_minor) == (4, 5)
    assert set(read(path).metadata) == {"kernelspec", "language_info"}, "store it with: make notebooks"
    assert read(path).metadata.kernelspec.name == "python3"
    ids = [cell.id for cell in read(path).cells]
    assert len(ids) == len(set(ids))
    assert path.read_text(encoding="utf-8").endswith("}\n")
    assert path.stat().st_size < 300_000


@each_notebook
def test_holds_one_run_from_top_to_bottom(path):
    cells = code_cells(path)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1)), "store it with: make notebooks"


@each_notebook
def test_shows_no_errors_warnings_or_dead_widgets(path):
    for cell in code_cells(path):
        for output in cell.outputs:
            assert output.output_type != "error", cell.id
            assert output.get("name") != "stderr", f"{cell.id}: {output.text[:200]}"
            assert WIDGET not in output.get("data", {}), cell.id
            assert "image/svg+xml" not in output.get("data", {}), f"{cell.id}: SVG differs from run to run"


@each_notebook
def test_uses_nothing_that_nbval_cannot_compare(path):
    """Output widgets and clear_output are seen otherwise by nbval than by JupyterLab; timings are never the same."""
    unwanted = r"clear_output|\binteract(ive|ive_output)?\(|\bOutput\(|^\s*%%?time"
    assert [cell.id for cell in code_cells(path) if re.search(unwanted, cell.source, flags=re.MULTILINE)] == []


@each_notebook
def test_installs_nothing(path):
    assert [
        cell.id for cell in code_cells(path) if re.search(r"\b(pip3?|conda|mamba|uv) +install|!pip", cell.source)
    ] == []


@each_notebook
def test_names_no_place_on_one_machine(path):
    absolute = r"(?<![\w.:/-])/(home|Users|root|work|tmp|private|mnt)/"
    for cell in read(path).cells:
        texts = [cell.source]
        for output in cell.get("outputs", []):
            texts += [output.get("text", "")]
            texts += [value for mime, value in output.get("data", {}).items() if mime.startswith("text/")]
        for text in texts:
            assert not re.search(absolute, text), f"{cell.id}: {text[:300]}"


@each_notebook
def test_begins_with_a_question_and_its_neighbours(path):
    first = read(path).cells[0]
    assert first.cell_type == "markdown"
    titles = [
        re.findall(r"^# .*$", prose(cell), re.MULTILINE) for cell in read(path).cells if cell.cell_type == "markdown"
    ]
    assert len(titles[0]) == 1 and titles[0][0].rstrip().endswith("?"), "the title is a question"
    assert sum(map(len, titles)) == 1, "one title, in the first cell"
    place = BOOK.index(path)
    neighbours = BOOK[max(place - 1, 0) : place] + BOOK[place + 1 : place + 2]
    assert {other.name for other in neighbours} <= set(links(first)), "links to the previous and the next notebook"


@each_notebook
def test_links_lead_somewhere(path):
    for cell in read(path).cells:
        if cell.cell_type == "markdown":
            for target in links(cell):
                file = (path.parent / target).resolve()
                assert file.exists() and file.is_relative_to(ROOT), f"{cell.id}: {target}"


@each_notebook
def test_pictures_in_the_text_have_a_description(path):
    for cell in read(path).cells:
        if cell.cell_type == "markdown":
            assert not re.search(r"!\[\s*\]\(", prose(cell)), cell.id
            assert all("alt=" in tag for tag in re.findall(r"<img\b[^>]*>", prose(cell))), cell.id


@each_notebook
def test_cells_are_small(path):
    lines = {cell.id: sum(bool(line.strip()) for line in cell.source.splitlines()) for cell in code_cells(path)}
    assert 15 <= len(lines) <= 40
    assert statistics.median(lines.values()) <= 10
    assert {name: n for name, n in lines.items() if n > 40} == {}


def test_every_tag_is_on_the_ledger():
    """A tag takes a cell out of the comparison, so each needs a reason; nbval also reads markers in comments."""
    used = set()
    for path in BOOK:
        for cell in read(path).cells:
            used |= {(path.name, cell.id, tag) for tag in cell.metadata.get("tags", [])}
        for cell in code_cells(path):
            used |= {(path.name, cell.id, f"# NBVAL: {marker}") for marker, _ in find_comment_markers(cell.source)}
    ledger = tomllib.loads(LEDGER.read_text(encoding="utf-8")).get("tag", [])
    assert used == {(entry["notebook"], entry["cell"], entry["tag"]) for entry in ledger}
    assert [entry for entry in ledger if len(entry["reason"].split()) < 4] == []
