"""Rows of figures as markdown tables, with a note on the runs behind them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from .results import Row, finished, machines

SETTINGS = {  # of runs, as the notes below tables tell them
    "num_images": "{:,} training images",
    "epochs": "{} epochs",
    "batch_size": "batches of {}",
    "optimizer": "{}",
    "lr": "learning rate {:g}",
    "weight_decay": "weight decay {:g}",
    "mask_ratio": "mask ratio {:g}",
    "context": "context {}",
    "query_fraction": "{:.0%} of the hidden patches asked",
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
    """Seeds, settings, data, machine and versions of the runs behind rows: one value where they agree, else each."""
    names = dict.fromkeys(name for row in rows for name in row.variant.split(" - "))
    runs = [run for name in names for run in finished(results, name)]
    numbers = sorted({run.seed for run in runs})
    count = " (n: how many)" if len({row.seeds for row in rows}) > 1 else ""
    parts = [f"Seeds {', '.join(map(str, numbers))}{count}; ± is the sample standard deviation over them"]
    if len(numbers) == 1:
        parts = [f"One seed ({numbers[0]}), so no spread is known"]
    for name, form in SETTINGS.items():
        seeds: dict = {}  # of each value
        for run in runs:
            if name in run.about["settings"]:
                seeds.setdefault(run.about["settings"][name], set()).add(run.seed)
        if seeds:
            before, number, after = re.split(r"({.*})", form)
            apart = len(seeds) > 1 and sum(map(len, seeds.values())) == len(set.union(*seeds.values()))
            of = {value: f" (seed {listed([*map(str, sorted(s))], ' and ')})" * apart for value, s in seeds.items()}
            parts.append(before + listed([number.format(value) + of[value] for value in sorted(seeds)]) + after)
    parts.append(" or ".join(sorted({f"{run.about['data']}, pixels `{run.about['fingerprint']}`" for run in runs})))
    parts.append(" or ".join(sorted({machine(each) for run in runs for each in machines(run.about)})))
    return "; ".join(parts) + "."


def listed(texts: list[str], word: str = " or ") -> str:
    return word.join(filter(None, (", ".join(texts[:-1]), texts[-1])))


def machine(versions: dict) -> str:
    torch, python = versions["torch"].split("+")[0], versions["python"]
    return f"{versions['cores']} cores ({versions['cpu']}), PyTorch {torch}, Python {python}"
