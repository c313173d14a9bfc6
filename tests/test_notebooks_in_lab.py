"""Every notebook in JupyterLab: as it opens, and on its second day, when it was run, saved, and is opened again."""

from pathlib import Path

import nbformat
import pytest
from lab_page import LabPage, lab_server

pytestmark = pytest.mark.slow
WIDGET = "application/vnd.jupyter.widget-view+json"
BOOK = sorted((Path(__file__).resolve().parents[1] / "notebooks").glob("*.ipynb"))


@pytest.fixture(scope="module")
def server(browser, tmp_path_factory):
    """Its kernels take the data set that comes with the package."""
    with lab_server(tmp_path_factory.mktemp("lab"), MP3_DATA="scenes") as lab:
        yield lab


@pytest.fixture(scope="module", params=BOOK, ids=lambda path: path.stem)
def day(request, browser, server):
    """The page of a notebook, opened once for both of its tests, on a wide screen. The second test runs it."""
    lab = LabPage(browser, server, request.param, width=1900)
    yield lab
    lab.close()


def test_a_notebook_opens_saved_with_short_lines_and_names_of_hidden_cells(day):
    hidden = [
        cell.source.splitlines()[0]
        for cell in nbformat.read(day.notebook, as_version=4).cells
        if cell.metadata.get("jupyter", {}).get("source_hidden")
    ]
    assert not day.is_unsaved()
    assert day.page.locator(".jp-mod-dirty").count() == 0
    assert day.texts(".jp-InputPlaceholder", len(hidden)) == hidden
    assert 60 < longest_line(day) <= 95
    offsets = "all => all.map(e => e.getBoundingClientRect().left - e.parentElement.getBoundingClientRect().left)"
    assert max(day.page.locator(".jp-RenderedMarkdown table").evaluate_all(offsets), default=0) < 20


def longest_line(lab: LabPage) -> int:
    """The number of characters in the longest line of prose on the page."""
    return lab.page.evaluate(
        """() => Math.max(...[...document.querySelectorAll('.jp-RenderedMarkdown p')].slice(0, 12).map(p => {
            const range = document.createRange(), lines = {}
            const walk = document.createTreeWalker(p, NodeFilter.SHOW_TEXT)
            while (walk.nextNode()) for (let i = 0; i < walk.currentNode.length; i++) {
                range.setStart(walk.currentNode, i); range.setEnd(walk.currentNode, i + 1)
                const y = Math.round(range.getBoundingClientRect().bottom / 8)
                lines[y] = (lines[y] ?? 0) + 1
            }
            return Math.max(0, ...Object.values(lines))
        }))"""
    )


def test_the_second_day_of_every_notebook(day):
    """Run, save, shut the kernel down, open again: each live figure shows its picture and says what to run again.

    On the scenes: the other tests run the notebooks on CIFAR-10 where it is at hand.
    """
    day.page.set_viewport_size({"width": 1200, "height": 1000})
    day.run_all()
    assert day.complaints() == []
    pictures = [output for output in day.outputs() if {WIDGET, "image/png"} <= set(output.get("data", {}))]
    described = [output["metadata"]["image/png"]["alt"] for output in pictures]
    cells = nbformat.read(day.notebook, as_version=4).cells
    published = [output for cell in cells for output in cell.get("outputs", [])]
    texts = [output.get("data", {}).get("text/plain", "") for output in published]
    assert len(described) == sum(text.startswith(("[live figure", "[patch board")) for text in texts)
    day.save()
    day.shut_down_kernel()
    day.open()
    notes = day.texts(".mp3-stored:has(img) .mp3-note", len(described))
    stored = day.page.locator(".mp3-stored:has(img)")
    assert stored.locator("img").evaluate_all("all => all.map(img => img.alt)") == described
    assert stored.locator("img").evaluate_all("all => all.filter(img => img.naturalWidth < 300)") == []
    assert len(notes) == len(described)
    assert all("stored picture" in note and "run this cell again" in note for note in notes)
    assert day.page.get_by_text("model not found").count() == 0 and day.outside == []
