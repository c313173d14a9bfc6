"""The page that runs the network, measured in a browser: python benchmarks/live.py --out results/benchmarks/live.json

For each network: the milliseconds of an answer (a question to the Worker and back), of hovering (another patch is
picked, and all maps are drawn), and of the slider (another mask ratio is set, until its answer is drawn), as median and
95th percentile; and how many mask ratios a second are shown when each is set as soon as the one before is drawn.
Of the page: the bytes that are loaded until the first answer, and the seconds, on a line of 10 Mbit/s with 40 ms for a
packet and its reply.

It takes about a minute. Run it on a quiet machine, after changes of mp3lib/live. --out FILE stores the result, and the
table in benchmarks/README.md is written anew from results/benchmarks/live.json, where that is the file.
--show prints the table of the stored result.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import sys
import tempfile
from datetime import date
from pathlib import Path

from documents import write_table

from mp3lib.json_files import write_json
from mp3lib.train.run_folder import cpu_name

ROOT = Path(__file__).resolve().parents[1]
RESULT = ROOT / "results" / "benchmarks" / "live.json"
PAGE = ROOT / "benchmarks" / "README.md"
LINE = {"offline": False, "latency": 40, "downloadThroughput": 10e6 / 8, "uploadThroughput": 10e6 / 8}
ROUNDS = 60  # measurements of each kind, and 5 of them before that do not count
LOADS = 5

MEASURE = """async ([network, rounds]) => {
  const live = window.live, times = { answer: [], hover: [], slider: [] };
  await live.show({ network, mode: "look", ratio: 0, pick: 0 });
  const { n, predict } = live.network(), drawn = () => document.body.offsetHeight; // what was changed is laid out
  const pixels = Float32Array.from({ length: 3072 }, (_, i) => Math.sin(i)), seen = new Array(n).fill(true);
  const timed = async (kind, action) => {
    const began = performance.now();
    await action();
    drawn();
    times[kind].push(performance.now() - began);
    await new Promise((done) => setTimeout(done));
  };
  for (let i = 0; i < rounds; i++) await timed("answer", () => predict(pixels, seen));
  for (let i = 0; i < rounds; i++) await timed("hover", () => { live.show({ pick: (i * 7 + 1) % n }) });
  await live.show({ mode: "hide" });
  for (let i = 0; i < rounds; i++) await timed("slider", () => live.show({ ratio: (i % 96) / 100 }));
  return times;
}"""


def percentiles(times: list[float]) -> dict[str, float]:
    """Median and 95th percentile."""
    ordered = sorted(times)
    return {
        "median": round(statistics.median(ordered), 3),
        "p95": round(ordered[min(len(ordered) - 1, round(0.95 * len(ordered)))], 3),
    }


def first_answer(browser, address: str) -> tuple[int, float]:
    """Bytes loaded, and seconds until the first answer, in a fresh profile on the line."""
    context = browser.new_context()
    page, sizes = context.new_page(), []
    devtools = context.new_cdp_session(page)
    devtools.send("Network.enable")
    devtools.send("Network.emulateNetworkConditions", LINE)
    devtools.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
    page.goto(address)
    page.wait_for_function("() => performance.getEntriesByName('first-answer').length", timeout=120_000)
    seconds = page.evaluate("() => performance.getEntriesByName('first-answer')[0].startTime") / 1000
    context.close()
    return int(sum(sizes)), seconds


def measure(rounds: int, loads: int) -> dict:
    """Every network of the page, and so many first answers."""
    for folder in ("site", "tests", "tools"):
        sys.path.insert(0, str(ROOT / folder))
    from live import write_live
    from playwright.sync_api import sync_playwright
    from static_server import served

    import browser as browser_tool

    program, why = browser_tool.find()
    if not program:
        raise SystemExit(f"no browser was found: {why}")
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        write_live(folder)
        address = stack.enter_context(served(folder)) + "live.html"
        playwright = stack.enter_context(sync_playwright())
        browser = playwright.chromium.launch(executable_path=program, args=list(browser_tool.FLAGS))
        loaded = [first_answer(browser, address) for _ in range(loads)]
        page = browser.new_page()
        page.goto(address)
        page.wait_for_selector("body[data-ready]", state="attached", timeout=120_000)
        networks = {}
        options = "() => [...document.querySelectorAll('[aria-label=Network] option')].map(o => o.value)"
        for name in page.evaluate(options):
            page.evaluate(MEASURE, [name, 5])
            times = page.evaluate(MEASURE, [name, rounds])
            networks[name] = {"patches": page.evaluate("() => window.live.network().n")}
            networks[name] |= {kind: percentiles(list_) for kind, list_ in times.items()}
            networks[name]["changes_per_second"] = round(1000 * len(times["slider"]) / sum(times["slider"]), 1)
        version = browser.version
        browser.close()
    return {
        "date": date.today().isoformat(), "cpu": cpu_name(), "cpus": os.cpu_count(), "browser": f"Chromium {version}",
        "rounds": rounds, "networks": networks, "bytes": max(size for size, _ in loaded),
        "first_answer": percentiles([seconds for _, seconds in loaded]),
    }  # fmt: skip


def report(result: dict) -> str:
    """The result as the table of benchmarks/README.md."""
    lines = [
        "| milliseconds, median (95th percentile) | an answer | hovering | the slider | mask ratios a second |",
        "|---|---|---|---|---|",
    ]
    for name, of in result["networks"].items():
        cells = [f"{of[kind]['median']:.1f} ({of[kind]['p95']:.1f})" for kind in ("answer", "hover", "slider")]
        lines.append(f"| {name}, {of['patches']} patches | {' | '.join(cells)} | {of['changes_per_second']:.0f} |")
    first = result["first_answer"]
    lines += [
        "",
        f"{result['bytes'] / 1e6:.2f} MB are loaded until the first answer, which stands there after "
        f"{first['median']:.1f} s ({first['p95']:.1f} s) on a line of 10 Mbit/s.",
        f"{result['browser']}, {result['cpus']} cores ({result['cpu']}), {result['rounds']} rounds, {result['date']}.",
    ]
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, help="store the result in this file (JSON)")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--loads", type=int, default=LOADS)
    parser.add_argument("--show", action="store_true", help=f"print the table of {RESULT.relative_to(ROOT)}")
    args = parser.parse_args(argv)
    if args.show:
        print(report(json.loads(RESULT.read_text(encoding="utf-8"))))
        return
    result = measure(args.rounds, args.loads)
    print(report(result))
    if args.out:
        write_json(args.out, result)
        if args.out.resolve() == RESULT:
            write_table(PAGE, Path(__file__).name, report(result))


if __name__ == "__main__":
    main()
