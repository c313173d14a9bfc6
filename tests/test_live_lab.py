"""The board as a widget in JupyterLab: what is done on it is read by Python, and the kernel's answer is the page's."""

import io
import re

import nbformat
import pytest
from lab_page import CURRENT, LabPage, lab_server
from PIL import Image

pytestmark = pytest.mark.slow

CELLS = [
    """import numpy as np, torch
from mp3lib import load_shipped
from mp3lib.board import patch_board
from mp3lib.data.scenes import make_scenes
images = torch.from_numpy(make_scenes(10, 3)[1][0])
puzzler, pupil = load_shipped("puzzler-scenes"), load_shipped("pupil-4x4")
board = patch_board({"the puzzler": puzzler, "the pupil": pupil}, images, mode="hide")
board""",
    "board.seen = [True] * 4 + [False] * 12\nboard.picture = 1",
    """model = board.models[board.network]
expected = model.predict(board.image[None].float() / 127.5 - 1, torch.tensor(board.context)).logits[0].numpy()
print(board.network, board.context, board.picture, "equal", np.abs(board.logits - expected).max() < 1e-4)""",
    'board.mode, board.pick = "look", 6',
    "with torch.no_grad():\n    pupil.mlp_head[1].weight.mul_(0.5)",
    "print(board.picture, board.image.float().mean((1, 2)).int().tolist())",
    "board.picture = 99",
]


@pytest.fixture(scope="module")
def lab(browser, tmp_path_factory):
    path = tmp_path_factory.mktemp("book") / "board.ipynb"
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    cells = [nbformat.v4.new_code_cell(code) for code in CELLS]
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), path)
    with lab_server(tmp_path_factory.mktemp("lab")) as server:
        page = LabPage(browser, server, path, timeout=150)
        yield page
        page.close()


def run(lab: LabPage, cell: int) -> str:
    """Run a cell, and return what it printed."""
    settle(lab)
    lab.page.evaluate(f"() => {{ {CURRENT}.content.activeCellIndex = {cell} }}")
    lab.page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-cell')")
    outputs = lab.page.evaluate(f"() => [...{CURRENT}.content.model.cells][{cell}].outputs.toJSON()")
    return "".join(output.get("text", output.get("evalue", "")) for output in outputs)


def expect(lab: LabPage, cell: int, pattern: str) -> None:
    """The cell prints what matches the pattern, after 20 runs at most.

    Jupyter's widgets hold a change back while the kernel is still busy with an earlier one, so that what the page shows
    may reach the kernel after a cell that was run next.
    """
    for _ in range(20):
        printed = run(lab, cell)
        if re.fullmatch(pattern, printed):
            return
    raise AssertionError(f"cell {cell} printed {printed!r}, not {pattern!r}")


def settle(lab: LabPage) -> None:
    """Until the board awaits no answer."""
    lab.page.wait_for_function("() => !document.querySelector('.live-panel[aria-busy=true]')")


def hidden(lab: LabPage, count: int) -> None:
    lab.page.wait_for_function(f"() => document.querySelectorAll('.live-board button.hidden').length === {count}")


def place(lab: LabPage, number: int):
    return lab.page.locator(f".live-board [data-place='{number}']")


def test_the_board_in_jupyterlab(lab):
    """One notebook from its first run to the second day; the steps build on one another."""
    page = lab.page
    run(lab, 0)
    place(lab, 15).wait_for()
    hidden(lab, 0)

    # what Python sets is shown, and what the reader does is read
    run(lab, 1)
    hidden(lab, 12)
    place(lab, 9).click()
    hidden(lab, 11)
    expect(lab, 2, r"the puzzler \[0, 1, 2, 3, 9\] 1 equal True\n")

    # keys stay on the board: in command mode they would insert and delete cells, or leave the board
    cells = page.locator(".jp-Cell").count()
    place(lab, 9).click()
    for key in ("ArrowRight", "ArrowDown", "a", "d", "d", " "):
        page.keyboard.press(key)
    hidden(lab, 11)
    assert page.locator(".jp-Cell").count() == cells
    page.get_by_role("slider", name="Mask ratio").focus()
    for key in ("ArrowUp", "b"):
        page.keyboard.press(key)
    settle(lab)
    assert page.locator(".jp-Cell").count() == cells
    assert page.get_by_role("slider", name="Mask ratio").input_value() == "12", "one more than 11 of 16"

    # the page and the kernel give the same answer
    network, answers = (page.get_by_role("combobox", name=name) for name in ("Network", "Who answers"))
    network.select_option("the pupil")
    for who in ("both", "kernel", "page"):
        answers.select_option(who)
        page.locator(".live-results figure").first.wait_for()
        expect(lab, 2, r"the pupil \[.*\] 1 equal True\n")
        if who == "both":
            told = page.locator(".live-both").inner_text()
            right = page.locator(".live-results .live-score").inner_text().split()[3]
            assert told.startswith(f"Right: {right} by the network in this page, {right} by the kernel. They place 0 ")
            assert "by more than 0.00" in told

    # the kernel answers with the model as it is: after the change it no longer gives the page's answer
    run(lab, 4)
    answers.select_option("both")
    page.get_by_text("no probability differs by more than").wait_for()
    assert "by more than 0.00" not in page.locator(".live-both").inner_text()
    answers.select_option("kernel")
    page.locator(".live-results figure").first.wait_for()
    expect(lab, 2, r"the pupil \[.*\] 1 equal True\n")

    # a picture of the reader's own; one that is not there is refused
    red = io.BytesIO()
    Image.new("RGB", (50, 80), "red").save(red, "png")
    file = {"name": "red.png", "mimeType": "image/png", "buffer": red.getvalue()}
    page.get_by_label("Your own picture").set_input_files(file)
    page.get_by_text("Your picture goes to the kernel of this notebook, and nowhere else.").wait_for()
    expect(lab, 5, r"3 \[255, 0, 0\]\n")
    run(lab, 6)
    expect(lab, 5, r"3 \[255, 0, 0\]\n")  # the page sets the picture back

    # a mode and a pick set in Python
    run(lab, 3)
    page.locator(".live-board [data-place='6'].picked").wait_for()
    assert page.get_by_role("tab", name="Pick a patch").get_attribute("aria-selected") == "true"
    assert lab.complaints() == []

    # the second day
    lab.save()
    lab.restart_kernel()
    assert "run this cell again" in lab.note()
    pale = "e => { let p = 1; for (; e; e = e.parentElement) p *= getComputedStyle(e).opacity; return p }"
    assert place(lab, 1).evaluate(pale) == pytest.approx(0.4), "pale, but to be seen"
    before = page.locator(".live-board .picked").get_attribute("data-place")
    place(lab, 1).click(force=True)
    assert page.locator(".live-board .picked").get_attribute("data-place") == before, "a dead board does not move"
    lab.shut_down_kernel()
    lab.open()
    assert "stored picture" in lab.note()
    assert "4 x 4 patches, 16 of them seen" in page.locator(".mp3-stored img").get_attribute("alt")
