"""TEACHING.md: its table is the log, its links lead somewhere, and it names every notebook."""

import importlib.util
import json
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "TEACHING.md").read_text(encoding="utf-8")


def classroom():
    spec = importlib.util.spec_from_file_location("classroom", ROOT / "tools" / "classroom.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_table_is_made_from_the_log():
    tool = classroom()
    assert tool.with_table(PAGE, tool.read_log()) == PAGE, "python tools/classroom.py --table writes it anew"


def test_the_log_keeps_the_newest_of_each_kind(tmp_path, monkeypatch):
    tool = classroom()
    monkeypatch.setattr(tool, "LOG", tmp_path / "classroom.jsonl")
    line = {"notebook": "01_x.ipynb", "learners": 1, "MP3_BUDGET": "smoke", "OMP_NUM_THREADS": "1", "MP3_DATA": None}
    tool.log([line | {"own_mb": 3}])
    tool.log([line | {"own_mb": 4}])
    tool.log([line | {"own_mb": 5, "learners": 3}])
    assert [(x["learners"], x["own_mb"]) for x in tool.read_log()] == [(1, 4), (3, 5)]


def test_a_kernel_is_measured(tmp_path):
    """Three cells that hold 50 MB and work for a moment, in two kernels at once."""
    import asyncio

    cells = [f"held = bytearray({50 * 10**6})", "import time; end = time.process_time() + 1.5", "x = 0"]
    cells.append("while time.process_time() < end: x += 1")
    cells = [
        {"cell_type": "code", "id": str(i), "metadata": {}, "source": text, "outputs": [], "execution_count": None}
        for i, text in enumerate(cells)
    ]
    path = tmp_path / "01_small.ipynb"
    path.write_text(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    line = asyncio.run(classroom().run_class(path, 2))
    assert (line["notebook"], line["learners"]) == ("01_small.ipynb", 2)
    assert line["resident_mb"] > 90 and line["cpu_seconds"] > 0.4


def test_links_lead_somewhere():
    targets = [t for t in re.findall(r"\]\(([^)#\s]+)", PAGE) if not t.startswith("http")]
    assert len(targets) > 10
    assert [target for target in targets if not (ROOT / target).exists()] == []


def test_every_notebook_is_in_the_plans():
    for path in (ROOT / "notebooks").glob("[0-9]*.ipynb"):
        assert f"](notebooks/{path.name})" in PAGE, path.name
