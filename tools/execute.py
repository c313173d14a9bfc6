"""Run notebooks from top to bottom and store what a reader without a kernel sees. The only way outputs are made.

    python tools/execute.py notebooks/*.ipynb

Each notebook is formatted, run in a fresh kernel and replaced by its executed copy. Where a cell fails, the cell and
its error are printed and the file stays as it was. The seconds go to results/notebooks.jsonl.
"""

import contextlib
import datetime
import hashlib
import io
import json
import os
import platform
import re
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from mp3lib.json_files import write_text

ROOT = Path(__file__).resolve().parents[1]
TIMES = ROOT / "results" / "notebooks.jsonl"
WIDGET = "application/vnd.jupyter.widget-view+json"
METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def read(path: Path) -> nbformat.NotebookNode:
    """The notebook, formatted by ruff, with an id for each cell and without the outputs of an earlier run."""
    ruff = [sys.executable, "-m", "ruff", "format", "--stdin-filename", str(path), "-"]
    text = subprocess.run(ruff, input=path.read_bytes(), stdout=subprocess.PIPE, cwd=ROOT, check=True).stdout
    notebook = json.loads(text)
    taken = {cell.get("id") for cell in notebook["cells"]}
    for cell in notebook["cells"]:
        if not cell.get("id"):  # made from the text, so that it is the same next time
            name = hashlib.sha256("".join(cell["source"]).encode()).hexdigest()[:8]
            cell["id"] = next(i for i in (name, *(f"{name}-{n}" for n in range(2, 999))) if i not in taken)
            taken.add(cell["id"])
        if cell["cell_type"] == "code":
            cell |= {"outputs": [], "execution_count": None}
    notebook |= {"metadata": METADATA, "nbformat": 4, "nbformat_minor": 5}
    return nbformat.reads(json.dumps(notebook), as_version=4)


def tidy(notebook: nbformat.NotebookNode) -> None:
    """Leave in the outputs what means something without a kernel."""
    notebook.metadata = nbformat.from_dict(METADATA)
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if data.pop(WIDGET, None):  # the model is gone with its kernel: text and picture stay
                bar = re.match(r"(.*?) *\d+%\|.*\| \d+/(\d+) \[", data.get("text/plain", ""))
                if bar:
                    data["text/plain"] = f"{bar[1]} 100%|{'█' * 10}| {bar[2]}/{bar[2]}".strip()


def failure(notebook: nbformat.NotebookNode, error: Exception) -> str:
    """The cell that failed, with its error."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if output.output_type == "error":
                traceback = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(output.traceback))
                return f"--- cell {cell.id}\n{cell.source}\n---\n{traceback}"
    return f"{type(error).__name__}: {error}"


def execute(path: Path) -> float | None:
    """Run one notebook and store it. Returns the seconds that it took, or None where a cell failed."""
    notebook = read(path)
    client = NotebookClient(
        notebook,
        timeout=3600,
        kernel_name="python3",
        extra_arguments=["--log-level=ERROR"],
        resources={"metadata": {"path": str(path.resolve().parent)}},
        store_widget_state=False,
        record_timing=False,
    )
    start = time.monotonic()
    try:
        client.execute()
    except (CellExecutionError, RuntimeError) as error:  # RuntimeError: a dead kernel or a cell that takes too long
        print(f"{path}: FAILED, not stored\n{failure(notebook, error)}", file=sys.stderr)
        return None
    seconds = time.monotonic() - start
    tidy(notebook)
    nbformat.validate(notebook)
    write_text(path, nbformat.writes(notebook) + "\n")
    print(f"{path}: {seconds:.1f} s, {path.stat().st_size / 1024:.0f} KiB", flush=True)
    return seconds


def log(path: Path, seconds: float, data: str) -> None:
    """One line for each notebook, budget and data: the newest."""
    line = {
        "notebook": path.name,
        "budget": os.environ.get("MP3_BUDGET") or "laptop",
        "data": data,
        "seconds": round(seconds, 1),
        "date": datetime.date.today().isoformat(),
        "python": platform.python_version(),
        "torch": version("torch"),
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
        "threads": os.environ.get("OMP_NUM_THREADS"),
    }
    lines = [json.loads(old) for old in TIMES.read_text().splitlines()] if TIMES.exists() else []
    key = ("notebook", "budget", "data")
    lines = [old for old in lines if any(old[k] != line[k] for k in key)] + [line]
    write_text(TIMES, "".join(json.dumps(x) + "\n" for x in sorted(lines, key=lambda x: [x[k] for k in key])))


def main(paths: list[Path]) -> int:
    from mp3lib import load_images

    os.environ["JUPYTER_PREFER_ENV_PATH"] = "1"  # the kernel of this environment, not one of the user's others
    with contextlib.redirect_stdout(io.StringIO()):  # brings the data first: a download adds a progress bar
        data = load_images("auto").name
    failed = []
    for path in paths:
        seconds = execute(path)
        if seconds is None:
            failed.append(path)
        elif path.resolve().parent == ROOT / "notebooks":
            log(path, seconds, data)
    if failed:
        print("failed:", *failed, file=sys.stderr)
    return len(failed) > 0


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    sys.exit(main([Path(name) for name in sys.argv[1:]]))
