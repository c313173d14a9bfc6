"""Every notebook with its exercises solved, in a running kernel; then each of its live figures, drawn and moved.

A figure is drawn over the whole range of its controls, and each control is moved as a reader moves it.
"""

import ast
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import ipywidgets
import nbformat
import pytest
from nbclient.exceptions import CellExecutionError
from notebook_code import exercises, solved_notebook

from mp3lib.checks import harness
from mp3lib.widgets import dropdown, file_upload, patch_picker, selection_slider, slider

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))

import live_figures  # noqa: E402
from live_figures import LiveNotebook  # noqa: E402

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
LIVE = [path for path in NOTEBOOKS if live_figures.has_live_figures(path)]
TO_SOLVE = [path for path in NOTEBOOKS if exercises(path.stem)]
each_live = pytest.mark.parametrize("path", LIVE, ids=lambda path: path.stem)
each_to_solve = pytest.mark.parametrize("path", TO_SOLVE, ids=lambda path: path.stem)


def run(path: Path) -> dict:
    with LiveNotebook(path, notebook=solved_notebook(path.stem)) as notebook:
        found = notebook.ask("drawings") | {"figures": notebook.ask("figures"), "moves": notebook.ask("moves")}
        return found | {"printed": notebook.printed()}


@pytest.fixture(scope="module")
def results(request):
    """A function of a notebook's path: the results of `run`. Two kernels run at a time.

    A cell that fails, the notebook's own or a solution's, raises CellExecutionError.
    """
    of_this_file = [item for item in request.session.items if item.path == request.path]
    chosen = {item.callspec.params["path"] for item in of_this_file if "results" in item.fixturenames}
    pool = ThreadPoolExecutor(2)
    futures: dict[Path, Future] = {path: pool.submit(run, path) for path in sorted(chosen)}
    yield lambda path: futures[path].result()
    pool.shutdown(cancel_futures=True)


@pytest.mark.slow
@each_live
def test_every_figure_is_drawn_over_the_whole_range_of_its_controls(results, path):
    assert results(path)["complaints"] == []
    assert results(path)["drawn"], "the source makes live figures, but the kernel has none"


@pytest.mark.slow
@each_live
def test_every_move_of_a_control_draws_its_picture(results, path):
    assert results(path)["moves"]["complaints"] == []
    assert len(results(path)["moves"]["moved"]) == len(results(path)["drawn"])


@pytest.mark.slow
@each_live
def test_the_controls_of_a_figure_have_different_labels(results, path):
    for figure in results(path)["figures"]:
        labels = [control["label"] for control in figure["controls"].values()]
        assert all(label.strip() for label in labels) and len(set(labels)) == len(labels), figure


@pytest.mark.slow
@each_to_solve
def test_a_solved_notebook_runs_to_its_end_and_every_solution_passes(results, path):
    for exercise in exercises(path.stem):
        assert f"{exercise.function}: {harness.PASSED}\n" in results(path)["printed"]


def test_live_figures_are_found_in_at_least_five_notebooks():
    assert len(LIVE) >= 5


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_draw_function_is_used(path):
    """Each function `draw_...` is called by a cell or bound by `live(...)`; otherwise no reader sees its figure."""
    code = [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    trees = [ast.parse("\n".join(x for x in source.splitlines() if x[:1] not in "%!")) for source in code]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    defined = {node.name for node in nodes if isinstance(node, ast.FunctionDef) and node.name.startswith("draw_")}
    used = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    assert defined <= used
    calls = [node for node in nodes if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "live"]
    assert {call.args[0].id for call in calls} <= defined, "live(draw_..., ...) must bind a function of this notebook"


# --- the checks find broken figures -----------------------------------------------------------------------------------

SETUP = """
import warnings
import numpy as np
from matplotlib.figure import Figure
from mp3lib import plots
from mp3lib.widgets import file_upload, live, slider

image = np.random.default_rng(0).integers(0, 256, (3, 16, 16), dtype=np.uint8)
shown = {"last": 0}

def cells(hidden, grid=4):
    return plots.patch_grid(image, 16 // grid, hidden=np.arange(grid * grid) < hidden)
"""
DRAWS = {
    "draw_well": "return cells(k)",
    "draw_fails": "return cells([0, 1, 2, 3, 4, 5, 6, 7][k])",
    "draw_lags": "before, shown['last'] = shown['last'], k\n    return cells(before)",
    "draw_stuck": "return cells(2)",
    "draw_rebound": "return cells(k + extra)",
    "draw_warns": "if k == 8:\n        warnings.warn('too much')\n    return cells(k)",
    "draw_prints": "if k == 8:\n        print('end')\n    return cells(k)",
    "draw_nothing": "if k < 8:\n        return cells(k)",
}


def write(path: Path, *cells: str) -> Path:
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code) for code in cells]), path)
    return path


def define(name: str, start: int = 0) -> str:
    code = f"extra = 0\ndef {name}(k):\n    {DRAWS[name]}\n"
    return code + f"live({name}, alt='cells', k=slider('hidden', 0, 8, {start}))"


@pytest.mark.slow
def test_broken_callbacks_are_caught(tmp_path):
    book = write(tmp_path / "broken.ipynb", SETUP, *map(define, DRAWS), "extra = 1")
    with LiveNotebook(book) as notebook:
        drawn, moved = notebook.ask("drawings")["complaints"], notebook.ask("moves")["complaints"]
    text = "\n".join(drawn)
    assert "draw_well" not in "\n".join(drawn + moved)
    assert "draw_fails(k=8): IndexError: list index out of range" in text
    assert "draw_lags(k=8) draws another picture the second time" in text
    assert "draw_stuck: the control 'k' never changes the picture" in text
    assert "draw_rebound(k=0) no longer draws what it drew when it was made" in text
    assert "draw_warns(k=8): UserWarning: too much" in text
    assert "draw_prints(k=8): ValueError: printed 'end\\n': nobody sees that" in text
    assert "draw_nothing(k=8): TypeError: returned NoneType, not a Figure" in text
    text = "\n".join(moved)
    assert "draw_fails moved by k = 8 to k=8: IndexError: list index out of range" in text
    assert "draw_nothing moved by k = 8 to k=8: TypeError: draw returned NoneType" in text
    assert "draw_lags moved by k = 8 to k=8: the picture is not the one of these values" in text


@pytest.mark.slow
def test_controls_without_effect_and_unchecked_uploads_are_caught(tmp_path):
    idle = "one = live(lambda k: cells(k), alt='cells', k=slider('hidden', 0, 8, 0))\none.redraw = lambda: None\none"
    upload = "def read(data):\n    return len(data)\ndef draw_photo(photo):\n    return cells(photo % 17)\n"
    upload += "live(draw_photo, alt='cells', photo=file_upload('photo', read, 0))"
    with LiveNotebook(write(tmp_path / "idle.ipynb", SETUP, idle, upload)) as notebook:
        complaints = notebook.ask("moves")["complaints"]
    assert "<lambda> moved by k = 8 to k=8: nothing was drawn" in complaints
    assert "draw_photo, text.txt uploaded: None instead of a sentence" in complaints


@pytest.mark.slow
def test_a_failing_cell_is_raised(tmp_path):
    with LiveNotebook(write(tmp_path / "x.ipynb", "1 / 0")) as notebook, pytest.raises(CellExecutionError):
        notebook.ask("figures")


# --- the functions of tools/live_figures.py ---------------------------------------------------------------------------


def test_the_range_of_a_control_includes_both_ends():
    assert live_figures.range_of(slider("k", 1, 4, 2)) == [1, 2, 3, 4]
    assert live_figures.range_of(slider("k", 0, 8, 0, step=3)) == [0, 3, 6, 8]
    floats = ipywidgets.FloatSlider(0.5, min=0.0, max=1.0, step=0.25)
    assert live_figures.range_of(floats) == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert live_figures.range_of(dropdown("k", {"a": 1, "b": 2})) == [1, 2]
    assert live_figures.range_of(selection_slider("k", [1, 10, 100])) == [1, 10, 100]
    assert live_figures.range_of(ipywidgets.Checkbox()) == [False, True]
    assert live_figures.range_of(patch_picker("k", (2, 3))) == [0, 1, 2, 3, 4, 5]
    assert live_figures.range_of(file_upload("photo"))[0] == ()
    with pytest.raises(TypeError, match="the range of a Text is not known"):
        live_figures.range_of(ipywidgets.Text())


def test_settings_include_the_start_and_all_combinations_of_ends():
    settings = live_figures.settings_of({"a": 5, "b": "x"}, {"a": list(range(100)), "b": ["x", "y"]})
    assert settings[0] == {"a": 5, "b": "x"}
    for a in (0, 99):
        for b in "xy":
            assert {"a": a, "b": b} in settings
    assert len({s["a"] for s in settings if s["b"] == "x"}) >= live_figures.MOST
    assert len({repr(s) for s in settings}) == len(settings)
    assert live_figures.spread(list(range(100)), 3) == [0, 50, 99]


def test_idle_controls_are_those_that_never_change_the_picture():
    pictures = [({"a": a, "b": b}, f"{a}") for a in (0, 1) for b in (0, 1)]
    assert live_figures.idle_controls(pictures, "ab") == ["b"]
    assert live_figures.idle_controls([*pictures, ({"a": 1, "b": 2}, "other")], "ab") == []
