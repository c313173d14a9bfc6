"""How fast the live figures follow their controls, in the kernel: from a control's change to the finished PNG.

    python benchmarks/widgets.py [notebooks/*.ipynb]

One line for each live figure: the median over a spread of values of every control, and the slowest value. Those whose
median is over 100 ms are marked: a reader feels them. Beside other work compare the last column, the processor's time.
"""

import argparse
import os
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))

from live_figures import LiveNotebook, has_live_figures  # noqa: E402

LIMIT = 100  # ms
ROW = "{:<34} {:<20} {:>8} {:>8} {:<26} {:>6}"


def row(notebook: str, timing: dict) -> str:
    mark = f"  over {LIMIT} ms" if timing["median"] > LIMIT else ""
    slowest = f"at {timing['at']}"
    numbers = (f"{timing[name]:.0f}" for name in ("median", "slowest", "cpu"))
    median, most, cpu = numbers
    return ROW.format(notebook, timing["name"], median, most, slowest[:26], cpu) + mark


def main(paths: list[Path]) -> int:
    print(ROW.format("notebook", "drawn by", "median", "slowest", "(ms)", "CPU"), flush=True)
    found = []
    for path in filter(has_live_figures, paths):
        with LiveNotebook(path, budget=os.environ.get("MP3_BUDGET") or "smoke") as notebook:
            for timing in notebook.ask("timings"):
                found.append(timing)
                print(row(path.name, timing), flush=True)
    slow = sum(timing["median"] > LIMIT for timing in found)
    print(f"{len(found)} live figures, {slow} over {LIMIT} ms ({time.strftime('%Y-%m-%d')}, {os.cpu_count()} CPUs)")
    return 0


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("notebooks", nargs="*", type=Path, default=sorted((ROOT / "notebooks").glob("*.ipynb")))
    sys.exit(main(parser.parse_args().notebooks))
