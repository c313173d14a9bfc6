"""The best epoch of a run by its test measure, and whether a run has ended."""

from __future__ import annotations

from statistics import fmean


def measure_of(line: dict) -> tuple[str, float] | None:
    """What an epoch is judged by, with its name; None where the epoch was not evaluated.

    After a pretraining that is the position accuracy on the test images, the mean over the mask ratios in the log
    (``test_accuracy``); after a fine-tuning top-1 accuracy (``test_top1``). For both, higher is better.
    """
    for name, value in line.items():
        if name == "test_accuracy" and isinstance(value, dict) and value:
            return name, fmean(value.values())
        if name.endswith("_top1"):
            return name, value
    return None


def best_line(lines: list[dict]) -> dict | None:
    """The epoch with the best measure, the first of equal ones; None where none was evaluated."""
    measured = [line for line in lines if measure_of(line)]
    return max(measured, key=lambda line: measure_of(line)[1], default=None)


def has_waited(lines: list[dict], patience: int) -> bool:
    """Whether the last ``patience`` evaluations, at least one, were not better than one before them."""
    measured = [line for line in lines if measure_of(line)]
    best = best_line(measured)
    return patience > 0 and best is not None and len(measured) - 1 - measured.index(best) >= patience


def is_finished(lines: list[dict], settings: dict) -> bool:
    """Whether a run with these settings, as ``run.json`` holds them, has all its epochs or ended by patience."""
    return bool(lines) and (len(lines) == settings.get("epochs") or has_waited(lines, settings.get("patience", 0)))
