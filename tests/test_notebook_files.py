"""What must hold for every notebook file, and for the links of every page, without running anything."""

import ast
import base64
import io
import json
import re
import statistics
import tomllib
from functools import cache
from pathlib import Path

import nbformat
import pytest
from nbval.plugin import find_comment_markers
from notebook_code import exercises
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
BOOK = sorted((ROOT / "notebooks").glob("*.ipynb"))
LEDGER = ROOT / "tests" / "nbval_tags.toml"
TIMES = ROOT / "results" / "notebooks.jsonl"
WIDGET = "application/vnd.jupyter.widget-view+json"
NOT_OURS = {"build", "dist", "node_modules", "site", "_build"}  # made by running, or (site) checked by its own test
PAGES = [
    path
    for path in sorted(ROOT.rglob("*.md"))
    if not any(part in NOT_OURS or part.startswith(".") for part in path.relative_to(ROOT).parts)
]

each_notebook = pytest.mark.parametrize("path", BOOK, ids=lambda path: path.stem)
each_page = pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
each_with_exercises = pytest.mark.parametrize(
    "path", [path for path in BOOK if 1 <= int(path.name[:2]) <= 10], ids=lambda path: path.stem
)


@cache
def read(path: Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=nbformat.NO_CONVERT)


def code_cells(path: Path) -> list:
    return [cell for cell in read(path).cells if cell.cell_type == "code"]


def prose(cell) -> str:
    """A markdown cell without its code."""
    return re.sub(r"```.*?```|`[^`]*`", "", cell.source, flags=re.DOTALL)


def links(cell) -> list[str]:
    """Where the links and pictures of a markdown cell point to, outside addresses left out."""
    found = re.findall(r"\]\(<?([^)\s>]+)", prose(cell)) + re.findall(r"\b(?:href|src)=[\"']([^\"']+)", prose(cell))
    return [target for target in found if not re.match(r"[a-z]+:", target)]


def headings(path: Path) -> list[str]:
    """The headings of a page or notebook, with their #."""
    if path.suffix == ".ipynb":
        texts = [prose(cell) for cell in read(path).cells if cell.cell_type == "markdown"]
    else:
        texts = [re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)]
    return [line.rstrip() for text in texts for line in re.findall(r"^#{1,6} .*$", text, re.MULTILINE)]


def anchors(path: Path) -> set[str]:
    """What may follow # in a link to a page or notebook, as GitHub and as JupyterLab make it of the headings."""
    titles = [re.sub(r"[`*]|\]\([^)]*\)|\[", "", line.lstrip("# ")) for line in headings(path)]
    github = {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
    return github | {title.replace(" ", "-") for title in titles}


def dead_links(path: Path, targets: list[str]) -> list[str]:
    """Those of the targets that lead nowhere, or out of the project."""
    dead = []
    for target in targets:
        name, _, anchor = target.partition("#")
        file = (path.parent / name).resolve() if name else path
        known = file.suffix in (".md", ".ipynb") and file.is_file()
        if not (file.exists() and file.is_relative_to(ROOT)) or (anchor and known and anchor not in anchors(file)):
            dead.append(target)
    return dead


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
    assert path.stat().st_size < 600_000


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
    neighbours = BOOK[max(place - 1, 0) : place] + BOOK[place + 1 : place + 2]  # the first and the last have one
    assert {other.name for other in neighbours} <= set(links(first)), "links to the previous and the next notebook"


@each_notebook
def test_links_lead_somewhere(path):
    for cell in read(path).cells:
        if cell.cell_type == "markdown":
            assert dead_links(path, links(cell)) == [], cell.id


@each_notebook
def test_pictures_in_the_text_have_a_description(path):
    for cell in read(path).cells:
        if cell.cell_type == "markdown":
            assert not re.search(r"!\[\s*\]\(", prose(cell)), cell.id
            assert all("alt=" in tag for tag in re.findall(r"<img\b[^>]*>", prose(cell))), cell.id


@each_notebook
def test_figures_have_a_description(path):
    for cell in code_cells(path):
        for output in cell.outputs:
            if "image/png" in output.get("data", {}):
                assert len(output.metadata.get("image/png", {}).get("alt", "").split()) >= 1, cell.id


NARROW = {  # a cell's id -> why its figure is narrower than 700 pixels
    "00_tour try": "one picture, to move its patches by hand, with small pictures below it",
    "00_tour shuffle": "one picture",
    "00_tour mask-slider": "one picture, to hide its patches by hand",
    "04_masked_position_prediction shuffle": "one picture",
    "04_masked_position_prediction board": "one picture, to hide its patches by hand",
    "07_predicted_positions board": "one picture, to pick its patches by hand",
    "08_jigsaw match": "one picture, to move its patches by hand",
}


def test_figures_fill_the_page():
    """700 to 960 screen pixels wide, and sharp: the PNG has twice as many. Those on the list show one picture."""
    narrow = set()
    for path in BOOK:
        for cell in code_cells(path):
            for output in cell.outputs:
                if "image/png" not in output.get("data", {}):
                    continue
                shown = output.metadata["image/png"]
                drawn = Image.open(io.BytesIO(base64.b64decode(output.data["image/png"])))
                assert drawn.size == (2 * shown["width"], 2 * shown["height"]), f"{path.name}, {cell.id}"
                assert 380 <= shown["width"] <= 960 and shown["height"] >= 220, f"{path.name}, {cell.id}"
                if shown["width"] < 700:
                    narrow.add(f"{path.stem} {cell.id}")
    assert narrow == set(NARROW)


@each_notebook
def test_headings_go_down_one_level_at_a_time(path):
    levels = [len(line.split()[0]) for line in headings(path)]
    assert max(b - a for a, b in zip(levels, levels[1:], strict=False)) <= 1
    assert max(levels) <= 3
    if 1 <= int(path.name[:2]) <= 10:
        assert headings(path)[-1] == "## Recap"


@each_notebook
def test_the_cost_is_what_the_last_run_took(path):
    """In the first cell "about 12 seconds", in results/notebooks.jsonl what `make notebooks` measured."""
    [said] = re.findall(r"about (\d+) seconds", prose(read(path).cells[0])) or [None]
    assert said, 'the first cell says what it costs: "about N seconds on two CPU cores"'
    runs = [json.loads(line) for line in TIMES.read_text(encoding="utf-8").splitlines()]
    measured = [
        run["seconds"]
        for run in runs
        if (run["notebook"], run["budget"], run["data"]) == (path.name, "laptop", "cifar10")
    ]
    assert measured, "store it with: make notebooks"
    assert measured[-1] / 2 <= int(said) <= measured[-1] * 2


@each_with_exercises
def test_three_exercises_in_one_form(path):
    """A text with what it trains, how hard and how long; a stub and its check; hints and a solution, folded."""
    name = path.name[:2]
    found = exercises(name)
    assert [re.match(r"### Exercise (\d) · \S", text)[1] for text, _, _ in found] == ["1", "2", "3"]
    before = "\n".join(cell.source for cell in code_cells(path) if cell.source not in {code for _, code, _ in found})
    for number, exercise in enumerate(found, 1):
        trains = re.search(
            r"^\*Trains .+\. Difficulty [123] of 3, (open: )?.*about (\d+) minutes.*\.\*$", exercise.text, re.M
        )
        assert trains, "*Trains what. Difficulty 1 of 3, about 5 minutes.*"
        assert int(trains[2]) <= (5, 15, 60)[number - 1] and bool(trains[1]) == (number == 3)

        *_, stub, last = ast.parse(exercise.code).body
        assert isinstance(stub, ast.FunctionDef) and ast.get_docstring(stub) and len(stub.body) == 2
        assert ast.unparse(stub.body[1]) == "..." and ast.unparse(last) == f"checks.check_{stub.name}({stub.name})"
        assert f"def {stub.name}(" not in before, "the name is taken in this notebook"
        [cell] = [cell for cell in code_cells(path) if cell.source == exercise.code]
        assert [output.text for output in cell.outputs] == [f"{stub.name}: not solved yet\n"]

        folded = re.findall(
            r"<details><summary>(Hint(?: \d)?|Solution)</summary>\n\n.*?\n\n</details>", exercise.help, re.S
        )
        assert len(folded) >= 2 and folded.count("Solution") == 1 and folded[-1] == "Solution"
        assert re.sub(r"<details>.*?</details>", "", exercise.help, flags=re.DOTALL).strip() == "", (
            "all of it is folded"
        )
        assert f"def {stub.name}(" in exercise.solution


@each_page
def test_links_of_pages_lead_somewhere(path):
    page = nbformat.from_dict({"source": path.read_text(encoding="utf-8")})
    assert dead_links(path, links(page)) == []


@each_page
def test_pages_name_no_place_on_one_machine(path):
    absolute = r"(?<![\w.:/-])/(home|Users|root|work|tmp|private|mnt)/"
    assert re.findall(f"{absolute}.*", path.read_text(encoding="utf-8")) == []


def collapsed(cell) -> bool:
    """Is this a cell that only draws or keeps books, folded in JupyterLab and on the site?"""
    return "hide-input" in cell.metadata.get("tags", [])


@each_notebook
def test_a_number_and_its_percent_sign_stay_on_one_line(path):
    """A no-break space is between them, code left out."""
    for cell in read(path).cells:
        if cell.cell_type == "markdown":
            prose = re.sub(r"```.*?```|`[^`\n]*`|\$[^$\n]*\$", "", cell.source, flags=re.DOTALL)
            assert re.findall(r".*\d\** %.*", prose) == [], "put a no-break space (U+00A0) before the sign"


def lines_of(cell) -> int:
    return sum(bool(line.strip()) for line in cell.source.splitlines())


@each_notebook
def test_cells_are_small(path):
    lines = {cell.id: lines_of(cell) for cell in code_cells(path) if not collapsed(cell)}
    assert statistics.median(lines.values()) <= 10
    assert {name: n for name, n in lines.items() if n > 40} == {}


@each_notebook
def test_is_read_in_half_an_hour(path):
    """1,000 to 1,600 words, 20 to 30 code cells, 250 lines of code. Folded hints, solutions and cells do not count."""
    texts = [cell.source for cell in read(path).cells if cell.cell_type == "markdown"]
    words = sum(len(re.sub(r"<details>.*?</details>", "", text, flags=re.DOTALL).split()) for text in texts)
    assert 900 <= words <= 1_600
    assert 16 <= len(code_cells(path)) <= 30
    assert sum(lines_of(cell) for cell in code_cells(path) if not collapsed(cell)) <= 250


@each_notebook
def test_the_times_in_the_first_cell_are_honest(path):
    """200 words a minute; 20 seconds for each line of code that is not folded; and what the exercises say."""
    first = read(path).cells[0].source
    read_, code = map(int, re.search(r"(\d+) minutes to read, (\d+) with the code", first).groups())
    texts = [cell.source for cell in read(path).cells if cell.cell_type == "markdown"]
    words = sum(len(re.sub(r"<details>.*?</details>", "", text, flags=re.DOTALL).split()) for text in texts) / 200
    lines = sum(lines_of(cell) for cell in code_cells(path) if not collapsed(cell)) / 3
    assert words - 1 <= read_ <= 1.6 * words
    assert 0.7 * (words + lines) <= code <= 1.5 * (words + lines)
    told = [line for text in texts for line in text.splitlines() if line.startswith("*Trains ")]
    exercises = sum(int(minutes) for line in told for minutes in re.findall(r"\d+", line.split("about ", 1)[1]))
    assert ("exercises" in first) == bool(told)
    assert not told or f"{code} with the code, {code + exercises} with the exercises." in first


@each_notebook
def test_folded_cells_are_named_by_what_they_draw(path):
    for cell in code_cells(path):
        assert collapsed(cell) == cell.metadata.get("jupyter", {}).get("source_hidden", False), cell.id
        if collapsed(cell):
            assert re.match(r"# \w.{5,}", cell.source), f"{cell.id}: the first line says what the cell draws"


def test_every_tag_is_on_the_ledger():
    """A tag takes a cell out of the comparison, so each needs a reason; nbval also reads markers in comments."""
    used = set()
    for path in BOOK:
        for cell in read(path).cells:
            used |= {(path.name, cell.id, tag) for tag in cell.metadata.get("tags", []) if tag != "hide-input"}
        for cell in code_cells(path):
            used |= {(path.name, cell.id, f"# NBVAL: {marker}") for marker, _ in find_comment_markers(cell.source)}
    ledger = tomllib.loads(LEDGER.read_text(encoding="utf-8")).get("tag", [])
    assert used == {(entry["notebook"], entry["cell"], entry["tag"]) for entry in ledger}
    assert [entry for entry in ledger if len(entry["reason"].split()) < 4] == []


@each_notebook
def test_buttons_of_a_board_have_the_names_that_the_text_gives_them(path):
    """Words in italics that begin with a capital letter, in the text above a board."""
    labels = "".join(file.read_text(encoding="utf-8") for file in sorted((ROOT / "mp3lib" / "live").glob("*.js")))
    for text, cell in zip(read(path).cells, read(path).cells[1:], strict=False):
        if cell.cell_type == "code" and "patch_board(" in cell.source and text.cell_type == "markdown":
            named = re.findall(r"(?<!\*)\*([A-Z][^*\n]+)\*(?!\*)", text.source)
            assert [name for name in named if f'"{name}"' not in labels] == []
