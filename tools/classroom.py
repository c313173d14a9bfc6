"""What a class costs a machine: memory and CPU seconds of each notebook, for one learner and for several at once.

    python tools/classroom.py                                     every notebook, one kernel each, one after another
    python tools/classroom.py --learners 3 notebooks/05*.ipynb    three kernels of one notebook at the same time
    python tools/classroom.py --table                             runs nothing: the log as the table of TEACHING.md

Every kernel runs its notebook from top to bottom, in a copy, and keeps everything until all have finished, as learners
do. MB are 10^6 bytes, measured every half second, each the highest seen:

    resident    memory mapped by one kernel, what it shares with others included (RSS)
    own         what would be free again if that kernel alone ended (USS; Linux only)
    all         memory of all kernels together, shared pages counted once (sum of PSS; Linux only)

CPU seconds are user and system time of one kernel; other work on the machine changes them little. The environment
(OMP_NUM_THREADS, MP3_BUDGET, MP3_CACHE, MP3_DATA) is passed on. With --log the lines go to results/classroom.jsonl.
"""

import argparse
import asyncio
import datetime
import json
import os
import platform
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import nbformat
import psutil
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from mp3lib.json_files import write_text

ROOT = Path(__file__).resolve().parents[1]
LOG = ROOT / "results" / "classroom.jsonl"
PAGE = ROOT / "TEACHING.md"
BEGIN, END = "<!-- made by python tools/classroom.py --table -->", "<!-- end of what is made -->"
PASSED_ON = ("OMP_NUM_THREADS", "MP3_BUDGET", "MP3_CACHE", "MP3_DATA")


def family(pid: int) -> list[psutil.Process]:
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


class Learner:
    """One kernel with a copy of the notebook, and the highest values seen of it."""

    def __init__(self, path: Path):
        notebook = nbformat.read(path, as_version=4)
        resources = {"metadata": {"path": str(path.resolve().parent)}}
        self.client = NotebookClient(
            notebook,
            timeout=3600,
            kernel_name="python3",
            extra_arguments=["--log-level=ERROR"],
            resources=resources,
            store_widget_state=False,
        )
        self.client.create_kernel_manager()
        self.resident = self.own = self.shared_out = self.cpu = 0.0
        self.error = None

    async def run(self, all_done: asyncio.Barrier) -> None:
        async with self.client.async_setup_kernel():
            for index, cell in enumerate(self.client.nb.cells):
                try:
                    await self.client.async_execute_cell(cell, index)
                except CellExecutionError as error:
                    self.error = str(error)[-500:]
                    break
            await all_done.wait()  # nobody leaves before the others are done

    def measure(self) -> None:
        provisioner = self.client.km.provisioner if self.client.km else None
        resident = own = shared_out = cpu = 0.0
        for process in family(provisioner.pid) if provisioner and provisioner.pid else []:
            try:
                times = process.cpu_times()
                memory = process.memory_full_info()
            except psutil.Error:
                continue
            cpu += times.user + times.system
            resident += memory.rss
            own += getattr(memory, "uss", 0)
            shared_out += getattr(memory, "pss", 0)
        self.resident, self.own = max(self.resident, resident), max(self.own, own)
        self.shared_out, self.cpu = shared_out, max(self.cpu, cpu)


async def run_class(path: Path, number: int) -> dict:
    """Run ``number`` kernels of a notebook at once; returns the line for the table and the log."""
    learners = [Learner(path) for _ in range(number)]
    barrier, together, start = asyncio.Barrier(number), 0.0, time.monotonic()
    tasks = [asyncio.create_task(learner.run(barrier)) for learner in learners]
    while any(not task.done() for task in tasks):
        for learner in learners:
            learner.measure()
        together = max(together, sum(learner.shared_out for learner in learners))
        await asyncio.wait(tasks, timeout=0.5)
    await asyncio.gather(*tasks)
    if errors := [learner.error for learner in learners if learner.error]:
        raise RuntimeError(f"{path.name}: a cell failed\n{errors[0]}")
    return {
        "notebook": path.name,
        "learners": number,
        "resident_mb": round(max(learner.resident for learner in learners) / 1e6),
        "own_mb": round(max(learner.own for learner in learners) / 1e6),
        "all_mb": round(together / 1e6),
        "cpu_seconds": round(max(learner.cpu for learner in learners), 1),
        "wall_seconds": round(time.monotonic() - start, 1),
    }


def machine() -> dict:
    from mp3lib.train.run_folder import cpu_name

    return {
        "date": datetime.date.today().isoformat(),
        "cpu": cpu_name(),
        "cores": os.cpu_count(),
        "system": platform.system(),
        "python": platform.python_version(),
        "torch": version("torch"),
        **{name: os.environ.get(name) for name in PASSED_ON if name != "MP3_CACHE"},
        "MP3_BUDGET": os.environ.get("MP3_BUDGET") or "laptop",  # the budget of a notebook that is told nothing
    }


def read_log() -> list[dict]:
    return [json.loads(line) for line in LOG.read_text(encoding="utf-8").splitlines()] if LOG.exists() else []


def log(lines: list[dict]) -> None:
    """The newest line of each notebook, number of learners, budget and number of threads."""
    key = ("notebook", "learners", "MP3_BUDGET", "OMP_NUM_THREADS", "MP3_DATA")
    kept = {tuple(str(line[k]) for k in key): line for line in read_log() + lines}
    text = "".join(json.dumps(kept[k]) + "\n" for k in sorted(kept))
    write_text(LOG, text)


def table(lines: list[dict]) -> str:
    """The log as Markdown, with the machine that it was measured on."""
    rows = [
        "| notebook | budget | kernels at once | resident, MB | own, MB | all together, MB | CPU seconds, each |",
        "|---|---|---|---|---|---|---|",
    ]
    for x in sorted(lines, key=lambda x: (x["notebook"], x["MP3_BUDGET"] != "smoke", x["learners"])):
        rows.append(
            f"| {x['notebook'].split('_')[0]} | {x['MP3_BUDGET']} | {x['learners']} | {x['resident_mb']:,} "
            f"| {x['own_mb']:,} | {x['all_mb']:,} | {x['cpu_seconds']:.0f} |"
        )
    words = "{cores} cores ({cpu}), {system}, Python {python}, PyTorch {torch}, OMP_NUM_THREADS={OMP_NUM_THREADS}"
    machines = sorted({words.format(**line) for line in lines})
    return "\n".join([*rows, "", f"Measured on {'; '.join(machines)}, beside other work. Log: `results/{LOG.name}`."])


def with_table(text: str, lines: list[dict]) -> str:
    """The page with the table between its two marks written anew."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{PAGE.name} lacks the lines {BEGIN} and {END}")
    return f"{before}{BEGIN}\n{table(lines)}\n{END}{after}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("notebooks", nargs="*", type=Path, help="by default all")
    parser.add_argument("--learners", type=int, default=1, metavar="N", help="kernels at the same time")
    parser.add_argument("--log", action="store_true", help=f"keep the figures in {LOG.relative_to(ROOT)}")
    parser.add_argument("--table", action="store_true", help=f"write the log into {PAGE.name}, and run nothing")
    args = parser.parse_args()
    if args.table:
        write_text(PAGE, with_table(PAGE.read_text(encoding="utf-8"), read_log()))
        return 0
    os.environ["JUPYTER_PREFER_ENV_PATH"] = "1"
    here = machine()
    print(", ".join(f"{name} {value}" for name, value in here.items() if value is not None))
    widths = (36, 8, 9, 6, 6, 7, 7)
    titles = ("notebook", "learners", "resident", "own", "all", "CPU s", "wall s")
    print(*(f"{title:{width}}" for title, width in zip(titles, widths, strict=True)), flush=True)
    with tempfile.TemporaryDirectory() as runtime:  # connection files of many kernels
        os.environ["JUPYTER_RUNTIME_DIR"] = runtime
        for path in args.notebooks or sorted((ROOT / "notebooks").glob("[0-9]*.ipynb")):
            line = asyncio.run(run_class(path, args.learners))
            print(*(f"{value:<{width}}" for value, width in zip(line.values(), widths, strict=True)), flush=True)
            if args.log:
                log([line | here])
    return 0


if __name__ == "__main__":
    sys.exit(main())
