"""The whole puzzle: one position for every patch, by the Hungarian method or by Sinkhorn's scaling."""

from __future__ import annotations

import functools

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from ..arguments import check_dense, is_finite, not_finite, number, shown, whole


def assign(logits: Tensor) -> Tensor:
    """Positions (b, n) int64, on the CPU, for logits (b, n, n): the most probable whole arrangement.

    No position is given twice: the Hungarian method on the log-probabilities. It uses all patches of an image jointly:
    report it apart from argmax. Where several arrangements are equally probable, the choice among them does not favour
    the right one: rows and columns are shuffled before, the same way for every image of n patches.

    Raises:
        ValueError: for logits that are not (b, n, n), are empty, or are not finite.
    """
    check_logits(logits)
    logits = logits.detach()
    scores = logits.float().log_softmax(dim=-1)
    if not is_finite(scores):  # far apart
        scores = logits.cpu().double().log_softmax(dim=-1)  # there are devices without float64
    if not is_finite(scores):
        raise ValueError(f"logits are too far apart, got {logits.min().item():.4g} to {logits.max().item():.4g}")
    rows, columns = shuffles(logits.shape[1])
    costs = -scores.cpu().numpy()[:, rows][:, :, columns]
    positions = np.empty(costs.shape[:2], dtype=np.int64)
    for i, cost in enumerate(costs):
        positions[i, rows] = columns[linear_sum_assignment(cost)[1]]
    return torch.from_numpy(positions)


@functools.lru_cache(maxsize=64)
def shuffles(n: int) -> tuple[np.ndarray, np.ndarray]:
    """How ``assign`` shuffles n rows and n columns before it breaks ties: drawn from seed n.

    The method gives row i column i where all costs are equal. With these shuffles it then gives one patch out of n its
    own position (for n = 2 none), which is what chance gives.
    """
    draw = np.random.RandomState(n % 2**32)
    wanted = {1: 1, 2: 0}.get(n, 1)
    while True:
        rows, columns = draw.permutation(n), draw.permutation(n)
        shuffled = n < 3 or ((rows != np.arange(n)).any() and (columns != np.arange(n)).any())
        if (rows == columns).sum() == wanted and shuffled:
            return rows, columns


def check_logits(logits: Tensor) -> None:
    """``ValueError`` unless these are logits (b, n, n): numbers, finite, at least one."""
    if not isinstance(logits, Tensor) or logits.dtype == torch.bool or logits.is_complex():
        raise ValueError(f"logits must be a tensor of numbers (b, n, n), got {shown(logits)}")
    check_dense("logits", logits)
    if logits.ndim != 3 or logits.shape[1] != logits.shape[2] or not logits.numel():
        raise ValueError(f"logits must have the shape (b, n, n), got {tuple(logits.shape)}")
    if not is_finite(logits):
        raise ValueError(f"logits must be finite, got {not_finite(logits)}")


def sinkhorn(logits: Tensor, *, temperature: float = 1.0, iterations: int = 100, tolerance: float = 1e-3) -> Tensor:
    """Soft assignment: the probabilities of each patch for each position when every position is to be taken once.

    Columns and rows of ``exp(logits / temperature)`` are scaled in turn until each sums to 1; done in logarithms and
    float64, where nothing overflows. The lower the temperature, the closer to ``assign``, and the slower the scaling.

    Args:
        logits: (b, n, n), a row for each patch, finite.
        temperature: above 0, finite; at 1 the rows start as the model's own probabilities.
        iterations: at most so many rounds, at least 1; rows sum to 1 after each, columns only as far as it has come.
        tolerance: stop once no column's sum is further from 1; 0 or more.

    Returns:
        (b, n, n) float32, on the device of ``logits``.

    Raises:
        ValueError: for logits that are not square and finite, and for a temperature, a number of rounds or a tolerance
            out of range. Also for a temperature so low that the logits divided by it are not numbers any more.

    Source: Sinkhorn & Knopp 1967; in logarithms as for optimal transport: Cuturi 2013 (arXiv 1306.0895); for
    permutations: Mena et al. 2018 (arXiv 1802.08665).
    """
    temperature = number("temperature", temperature, "be above 0", lambda t: t > 0)
    iterations = whole("iterations", iterations)
    tolerance = number("tolerance", tolerance, "be 0 or more", lambda t: t >= 0)
    check_logits(logits)
    scaled = logits.cpu().double() / temperature  # there are devices without float64
    if not scaled.abs().max() < 1e300:
        raise ValueError(f"temperature {temperature} is too low for logits up to {logits.abs().max().item():.4g}")
    scores = scaled.log_softmax(dim=2)
    for _ in range(iterations):
        scores = scores.log_softmax(dim=1).log_softmax(dim=2)
        if (scores.exp().sum(dim=1) - 1).abs().max() <= tolerance:
            break
    return scores.exp().float().to(logits.device)
