"""Every notebook in JupyterLab on its second day: run, saved, its kernel shut down, opened again."""

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


@pytest.mark.parametrize("path", BOOK, ids=lambda path: path.stem)
def test_the_second_day_of_every_notebook(browser, server, path):
    """Run, save, shut the kernel down, open again: each live figure shows its picture and says what to run again.

    On the scenes: the other tests run the notebooks on CIFAR-10 where it is at hand.
    """
    lab = LabPage(browser, server, path)
    try:
        lab.run_all()
        assert lab.complaints() == []
        pictures = [output for output in lab.outputs() if {WIDGET, "image/png"} <= set(output.get("data", {}))]
        described = [output["metadata"]["image/png"]["alt"] for output in pictures]
        cells = nbformat.read(path, as_version=4).cells
        published = [output for cell in cells for output in cell.get("outputs", [])]
        texts = [output.get("data", {}).get("text/plain", "") for output in published]
        assert len(described) == sum(text.startswith(("[live figure", "[patch board")) for text in texts)
        lab.save()
        lab.shut_down_kernel()
        lab.open()
        notes = lab.texts(".mp3-stored:has(img) .mp3-note", len(described))
        stored = lab.page.locator(".mp3-stored:has(img)")
        assert stored.locator("img").evaluate_all("all => all.map(img => img.alt)") == described
        assert stored.locator("img").evaluate_all("all => all.filter(img => img.naturalWidth < 300)") == []
        assert len(notes) == len(described)
        assert all("stored picture" in note and "run this cell again" in note for note in notes)
        assert lab.page.get_by_text("model not found").count() == 0 and lab.outside == []
    finally:
        lab.close()
