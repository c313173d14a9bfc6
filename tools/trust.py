"""Write one table of what was tried and what came of it: python tools/trust.py > results/trust.md

It is made from results/fuzz.json, options.json, kill_and_resume.json and interruptions.json alone; the last column is
the command that repeats the line.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

RESULTS = Path(__file__).resolve().parents[1] / "results"
SOURCES = ("fuzz", "options", "kill_and_resume", "interruptions")
COUNTS = ("tried", "right", "refused", "fault")
HEAD = """# What was tried, and what came of it

*Right*: the result is what it should be. *Refused*: an error in a sentence, which names the value. A fault is anything
else: a traceback, a wrong result, damage. `python tools/trust.py` makes this table from the files beside it.

"""


class Row(NamedTuple):
    """A line of the table."""

    kind: str
    tried: int
    right: int
    refused: int
    faults: int
    command: str


def rows(results: dict[str, dict]) -> list[Row]:
    """The lines, from the contents of the four files by name."""
    return [
        *fuzz_rows(results["fuzz"]),
        *option_rows(results["options"]),
        *kill_rows(results["kill_and_resume"]),
        *interruption_rows(results["interruptions"]),
    ]


def fuzz_rows(fuzz: dict) -> Iterable[Row]:
    for name, kind in fuzz["kinds"].items():
        command = f"python tools/fuzz.py --cases {kind['tried']}"
        yield Row(f"damaged: {name}", *(kind[c] for c in COUNTS), f"{command} --only {quoted(name)}")
    kills = fuzz["kills"]
    faults = kills["damaged"] + kills["not swept by the next write"]
    yield Row("kills while the cache is written", *killed(kills, faults), "python tools/fuzz.py --kills 20")


def option_rows(options: dict) -> Iterable[Row]:
    functions = options["functions"].values()
    for command in sorted({with_options(one) for one in functions}):
        group = [one for one in functions if with_options(one) == command]
        sums = (sum(one[c] for one in group) for c in COUNTS)
        yield Row(f"arguments of {len(group)} public functions", *sums, command)
    for name, one in options["commands"].items():
        kind = "commands whose parts do not fit" if name == "misuse" else f"options of the command `{name}`"
        yield Row(kind, *(one[c] for c in COUNTS), f'{with_options(one)} --only "command {name}"')


def with_options(one: dict) -> str:
    """The command that tries a function or a command as often as was done."""
    each = "" if one["each"] is None else f" --each {one['each']}"
    return f"python tools/options.py --pairs {one['pairs']}{each}"


def kill_rows(kills: dict) -> Iterable[Row]:
    command = f"python tools/kill_and_resume.py --rounds {kills['rounds']}"
    yield Row(
        "kills of a training, resumed", kills["rounds"], kills["same"], 0, kills["rounds"] - kills["same"], command
    )


def interruption_rows(found: dict) -> Iterable[Row]:
    command, downloads = "python tools/interruptions.py", found["downloads"]
    faults = sum(downloads[name] for name in ("damaged", "unknown to status", "kept by clear"))
    yield Row("kills of a download", *killed(downloads, faults), command)
    for name, words in (("full disk", "a full disk"), ("at once", "two commands at once")):
        one = found[name]
        yield Row(words, one["tried"], one["done"], one["refused"], len(one["faults"]), command)


def killed(kills: dict, faults: int) -> tuple[int, int, int, int]:
    """Right is here: what was being written is there as a whole, or not at all."""
    return kills["kills"], kills["readable"] + kills["absent"], 0, faults


def quoted(name: str) -> str:
    return f'"{name}"' if " " in name else name


def table(lines: Iterable[Row]) -> str:
    """The table as Markdown, with a line of sums."""
    lines = list(lines)
    sums = (sum(row[i] for row in lines) for i in range(1, 5))
    shown = [
        "| kind | tried | right | refused | faults | repeat it with |",
        "| --- | ---: | ---: | ---: | ---: | --- |",
        *(f"| {r.kind} | {r.tried:,} | {r.right:,} | {r.refused:,} | {r.faults:,} | `{r.command}` |" for r in lines),
        f"| all | {' | '.join(f'{number:,}' for number in sums)} | |",
    ]
    return "\n".join(shown) + "\n"


def page(folder: Path = RESULTS) -> str:
    """The whole of results/trust.md."""
    read = {name: json.loads((folder / f"{name}.json").read_text(encoding="utf-8")) for name in SOURCES}
    return HEAD + table(rows(read))


def main() -> int:
    sys.stdout.write(page())
    return 0


if __name__ == "__main__":
    sys.exit(main())
