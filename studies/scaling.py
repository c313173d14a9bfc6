"""What a larger network and a longer training are worth: the study "size", with a fit and its error."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from mp3lib import MP3, ViT

from .markdown import markdown
from .plan import SIZES
from .runs import Row, finished, row, variants
from .shipped_tables import PUBLISHED, evaluations, flagship_epochs

HEAD = ("position accuracy (%) at 0", "at .25", "at .5", "at .75")
RATIOS = ("0.0", "0.25", "0.5", "0.75")
FEWEST = 5  # points for a fit of three numbers that also has an error


class Fit(NamedTuple):
    """log-odds of the position accuracy = constant + by_size * ln(million parameters) + by_epochs * ln(epochs)."""

    constant: float
    by_size: float
    by_epochs: float
    error: float  # the largest error, in accuracy, on a point that the fit has not seen

    def accuracy(self, millions: float, epochs: float) -> float:
        return 1 / (1 + np.exp(-(self.constant + self.by_size * np.log(millions) + self.by_epochs * np.log(epochs))))

    def epochs(self, millions: float, accuracy: float) -> float:
        """How many epochs a network of this size would need for this accuracy."""
        odds = np.log(accuracy / (1 - accuracy))
        return float(np.exp((odds - self.constant - self.by_size * np.log(millions)) / self.by_epochs))


def solve(points: np.ndarray) -> np.ndarray:
    """The three numbers of the fit by least squares, of points (n, 3): million parameters, epochs, accuracy."""
    millions, epochs, accuracy = points.T
    inputs = np.stack([np.ones_like(millions), np.log(millions), np.log(epochs)], 1)
    return np.linalg.lstsq(inputs, np.log(accuracy / (1 - accuracy)), rcond=None)[0]


def fitted(points: np.ndarray) -> Fit:
    """The fit to points (n, 3), n at least 5; its error is that of leaving out one point at a time."""
    errors = []
    for i, (millions, epochs, accuracy) in enumerate(points):
        others = Fit(*solve(np.delete(points, i, 0)), 0.0)
        errors.append(abs(others.accuracy(millions, epochs) - accuracy))
    return Fit(*solve(points), max(errors))


def million_parameters(vit: dict) -> float:
    """Of an ``MP3`` around a ``ViT`` of these settings."""
    with torch.device("meta"):
        return sum(p.numel() for p in MP3(ViT(**vit), 0.5).parameters()) / 1e6


def measured(results: str | Path) -> list[tuple[str, float, int, list[Row]]]:
    """(name, million parameters, epochs, accuracies at ``RATIOS``) of every finished variant, small ones first."""
    found = []
    for variant in variants(results, "size"):
        settings = finished(results, f"size/{variant}")[0].about["settings"]
        accuracies = [row(results, f"size/{variant}", "positions", "kept apart", r, "accuracy") for r in RATIOS]
        millions = million_parameters(settings["model"]["vit"])
        found.append((variant.rsplit("-", 1)[0], millions, settings["epochs"], accuracies))
    return sorted(found, key=lambda one: (one[1], one[2]))


def sizes(results: str | Path) -> str:
    """Position accuracy by size and epochs, and what the fit says of the published curve; "" without runs."""
    found = measured(results)
    lines = [
        [SIZES[name].words, f"{millions:.2f}", str(epochs), *accuracies] for name, millions, epochs, accuracies in found
    ]
    table = markdown(results, ["network", "million parameters", "epochs", *HEAD], lines)
    if len({(name, epochs) for name, _, epochs, _ in found}) < FEWEST:
        return table
    fit = fitted(np.array([(millions, epochs, accuracies[1].mean) for _, millions, epochs, accuracies in found]))
    largest = max(epochs for _, _, epochs, _ in found)
    epochs_of = {millions: fit.epochs(millions, PUBLISHED["0.25"]) for _, millions, _, _ in found}
    needed = ", ".join(
        f"{float(f'{epochs:.2g}'):,.0f} epochs with {millions:.2f} million" for millions, epochs in epochs_of.items()
    )
    told = table + (
        f"\n\nFit at ratio .25: log-odds = {fit.constant:.2f} + {fit.by_size:.2f} ln(million parameters) + "
        f"{fit.by_epochs:.2f} ln(epochs). Each point was also predicted from the others: the largest error was "
        f"{100 * fit.error:.1f} points. If the fit held far beyond {largest} epochs, the "
        f"published {PUBLISHED['0.25']:.0%} would take about {needed} parameters."
    )
    return told + beside_flagship(results, fit)


def beside_flagship(results: str | Path, fit: Fit) -> str:
    """What the fit says of the flagship, which it has not seen, beside what was measured; "" where it is not there."""
    flagship = {name: (figures["positions"], run) for name, figures, run in evaluations(results, "positions")}
    if "flagship-8x8" not in flagship:
        return ""
    positions, run = flagship["flagship-8x8"]
    epochs, millions = flagship_epochs(results), million_parameters(run["settings"]["model"]["vit"])
    return (
        f" For the flagship ({millions:.2f} million parameters, {epochs} epochs of other recipes, some on smaller "
        f"pictures) the fit says {fit.accuracy(millions, epochs):.0%}. Its accuracy on test images is "
        f"{positions['0.25']['accuracy']:.0%}."
    )
