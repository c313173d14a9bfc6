"""Finished runs, their figures over seeds, and the place of a run that is trained again."""

from __future__ import annotations

import json
import re
import shutil
import statistics
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from mp3lib.evaluate import Interval, paired_interval, pooled_interval
from mp3lib.train.run_folder import read_run

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "results"


class FinishedRun(NamedTuple):
    """A finished run: its seed, the contents of ``run.json`` and ``scores.json``, and its folder."""

    seed: int
    about: dict
    scores: dict
    folder: Path


class Row(NamedTuple):
    """One figure by seed, with its mean and spread, and the variants (STUDY/VARIANT) whose runs it comes from.

    A variant without finished runs has no seeds. A difference comes from two variants, a figure of no study from none.
    """

    by_seed: dict[int, float]
    variants: tuple[str, ...] = ()

    @property
    def seeds(self) -> tuple[int, ...]:
        return tuple(self.by_seed)

    @property
    def values(self) -> list[float]:
        return list(self.by_seed.values())

    @property
    def n(self) -> int:
        return len(self.by_seed)

    @property
    def mean(self) -> float:
        return statistics.fmean(self.values)

    @property
    def spread(self) -> float | None:
        """The sample standard deviation over the seeds (divided by n - 1); None for a single seed."""
        return statistics.stdev(self.values) if self.n > 1 else None

    def only(self, seeds: set[int]) -> Row:
        """The same figure of these seeds alone."""
        return Row({seed: value for seed, value in self.by_seed.items() if seed in seeds}, self.variants)

    def text(self, seeds: bool = False) -> str:
        """Mean and spread in percent, as 64.2 ± 0.4; with their number if ``seeds``; nothing without runs."""
        if not self.n:
            return ""
        spread = ""
        if self.n > 1:
            digits = 1 if 100 * self.spread >= 0.05 else 2  # ± 0.0 would look like none
            spread = f"\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}{100 * self.spread:.{digits}f}"
        return f"{100 * self.mean:.1f}{spread}" + (f" (n = {self.n})" if seeds else "")


def finished(results: str | Path, variant: str) -> list[FinishedRun]:
    """The finished runs of STUDY/VARIANT, by seed."""
    folders = [path.parent for path in (Path(results) / "runs" / variant).glob("seed-*/scores.json")]
    runs = [
        FinishedRun(int(f.name[5:]), read_run(f), json.loads((f / "scores.json").read_text(encoding="utf-8")), f)
        for f in folders
    ]
    return sorted(runs, key=lambda run: run.seed)


def variants(results: str | Path, study: str) -> list[str]:
    """The variants of a study that have finished runs: numbers in order, names by the alphabet."""
    names = {path.parts[-3] for path in (Path(results) / "runs" / study).glob("*/seed-*/scores.json")}
    numbers = r"\d+(?:\.\d+)?"
    return sorted(names, key=lambda name: re.sub(numbers, lambda found: f"{float(found[0]):012.5f}", name))


def row(results: str | Path, variant: str, *where: str) -> Row:
    """One figure over the seeds of a variant; ``row(results, "pretraining/10-epochs", "weights", "knn")``.

    Raises:
        ValueError: if a finished run has no such figure.
    """
    by_seed = {}
    for run in finished(results, variant):
        value: Any = run.scores
        for name in where:
            if name not in value:
                raise ValueError(f"{run.folder}/scores.json has no {' / '.join(where)}, only {', '.join(value)}")
            value = value[name]
        by_seed[run.seed] = value
    return Row(by_seed, (variant,))


def top1(results: str | Path, variant: str) -> Row:
    """Top-1 on the test images, of a variant trained on labels."""
    return row(results, variant, "test_top1")


def difference(better: Row, worse: Row) -> Row:
    """What ``better`` is ahead by, seed by seed: runs of one seed share their labelled images and their batches."""
    both = [seed for seed in better.seeds if seed in worse.by_seed]
    ahead = {seed: better.by_seed[seed] - worse.by_seed[seed] for seed in both}
    return Row(ahead, (*better.variants, *worse.variants))


def interval(first: Row, second: Row, others: Sequence[Row] = ()) -> Interval | None:
    """The 95 % interval of first - second: paired over the seeds that both have, if these are two or more.

    Otherwise the spread is pooled over ``others``; None where those are missing, too, or one side has no runs.
    """
    shared = [seed for seed in first.seeds if seed in second.by_seed]
    if len(shared) > 1:
        return paired_interval(*([row.by_seed[seed] for seed in shared] for row in (first, second)))
    if first.n and second.n and any(row.n > 1 for row in others):
        return pooled_interval(first.values, second.values, [row.values for row in others])
    return None


def points(found: Interval | None) -> str:
    """A difference with its 95 % interval, in percentage points: +5.6 (+5.0 to +6.2)."""
    return (
        "{:+.1f} ({:+.1f} to {:+.1f})".format(*(round(100 * x, 1) + 0.0 for x in found)) if found else ""
    )  # no "-0.0"


@contextmanager
def log_kept(folder: Path) -> Iterator[None]:
    """Around a training in ``folder``: an old log there moves to ``.NAME.before`` and is removed at the end.

    A clone has the log of a run, but neither its weights nor its checkpoints, so a training begins anew. If that
    training is interrupted, the old log is still in ``.NAME.before``. A folder with checkpoints stays where it is.
    """
    before = folder.with_name(f".{folder.name}.before")
    if folder.exists() and not [*folder.glob("checkpoint-*")]:
        if before.exists():  # the folder is what a training left that was stopped in its first epoch
            shutil.rmtree(folder)
        else:
            folder.rename(before)
    yield
    shutil.rmtree(before, ignore_errors=True)
