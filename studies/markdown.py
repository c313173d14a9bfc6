"""Figures as Markdown tables, with a note on the runs behind them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from .runs import FinishedRun, Row, finished

THE_RUNS = "results/README.md, The runs"  # where settings, data and machines stand
SETTINGS = {  # of runs, in words
    "num_images": "{:,} training images",
    "epochs": "{} epochs",
    "batch_size": "batches of {}",
    "optimizer": "{}",
    "lr": "learning rate {:g}",
    "weight_decay": "weight decay {:g}",
    "mask_ratio": "mask ratio {:g}",
    "context": "context {}",
    "query_fraction": "queries from {:.0%} of the hidden patches",
    "precision": "{}",
}


def markdown(results: str | Path, head: Sequence[str], lines: Iterable[Sequence[str | Row]]) -> str:
    """A table, mean ± spread in percent, and a note on its runs; "" where none of them has finished.

    Lines and columns of rows are left out where none of them has a finished run; n is told where it is not the same.
    """
    lines = [line for line in lines if any(isinstance(cell, Row) and cell.n for cell in line)]
    rows = [cell for line in lines for cell in line if isinstance(cell, Row) and cell.n]
    if not rows:
        return ""
    kept = [i for i in range(len(head)) if any(isinstance(line[i], str) or line[i].n for line in lines)]
    differ = len({cell.seeds for cell in rows}) > 1
    counts = [{cell.n for cell in line if isinstance(cell, Row) and cell.n} for line in lines]
    column = differ and all(len(n) == 1 for n in counts)  # of n, where it is the same along each line
    texts = [[cell.text(differ and not column) if isinstance(cell, Row) else cell for cell in line] for line in lines]
    texts = [[text[i] for i in kept] for text in [list(head), *texts]]
    if column:
        texts = [[*text, n] for text, n in zip(texts, ["n", *(str(*n) for n in counts)], strict=True)]
    return grid(texts) + "\n\n" + note(results, rows)


def grid(lines: Sequence[Sequence[str]]) -> str:
    """A markdown table; the first line is its head."""
    written = [f"| {' | '.join(line)} |" for line in lines]
    return "\n".join([written[0], "|" + "---|" * len(lines[0]), *written[1:]])


def note(results: str | Path, rows: Sequence[Row]) -> str:
    """Seeds and precision of the runs behind rows, and where the rest of what they are stands."""
    seeds_of: dict[str, set[int]] = {}  # by variant: those that the rows have
    for row in rows:
        for name in row.variants:
            seeds_of.setdefault(name, set()).update(row.seeds)
    runs = [run for name, seeds in seeds_of.items() for run in finished(results, name) if run.seed in seeds]
    numbers = sorted({run.seed for run in runs})
    count = " (n: how many)" if len({row.seeds for row in rows}) > 1 else ""
    seeds = f"Seeds {', '.join(map(str, numbers))}{count}; ± is the sample standard deviation over them"
    if len(numbers) == 1:
        seeds = f"One seed ({numbers[0]}), so no spread is known"
    parts = "; ".join([seeds, *settings_of(runs, ["precision"])])
    return f"{parts}. Settings, data, machines: {THE_RUNS}."


def settings_of(runs: Sequence[FinishedRun], names: Iterable[str] = SETTINGS) -> list[str]:
    """The settings of runs in words; where they differ, by seed if that tells them apart: bf16 (seed 0) or float32."""
    parts = []
    for name in names:
        before, number, after = re.split(r"({.*})", SETTINGS[name])
        seeds: dict = {}  # of each value
        for run in runs:
            if name in run.about["settings"]:
                seeds.setdefault(run.about["settings"][name], set()).add(run.seed)
        if seeds:
            apart = len(seeds) > 1 and sum(map(len, seeds.values())) == len(set.union(*seeds.values()))
            of = {value: f" (seed {listed([*map(str, sorted(s))], ' and ')})" * apart for value, s in seeds.items()}
            parts.append(before + listed([number.format(value) + of[value] for value in sorted(seeds)]) + after)
    return parts


def listed(texts: list[str], word: str = " or ") -> str:
    return word.join(filter(None, (", ".join(texts[:-1]), texts[-1])))


def machine(versions: dict) -> str:
    torch, python = versions["torch"].split("+")[0], versions["python"]
    cpu = ", ".join(filter(None, (versions["cpu"], versions.get("capability"))))
    return f"{versions['cores']} cores ({cpu}), PyTorch {torch}, Python {python}"
