"""The whole puzzle: one position for every patch, by the Hungarian method or by Sinkhorn's scaling."""

from __future__ import annotations

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor


def assign(logits: Tensor) -> Tensor:
    """Positions (b, n) int64 for logits (b, n, n), no position given twice: the most probable whole arrangement.

    The Hungarian method on the log-probabilities. It uses all patches of an image jointly: report it apart from argmax.
    """
    cost = -logits.float().log_softmax(dim=-1).cpu().numpy()
    return torch.stack([torch.as_tensor(linear_sum_assignment(c)[1]) for c in cost]).long()


def sinkhorn(logits: Tensor, *, temperature: float = 1.0, iterations: int = 100, tolerance: float = 1e-3) -> Tensor:
    """Soft assignment: the probabilities of each patch for each position when every position is to be taken once.

    Columns and rows of ``exp(logits / temperature)`` are scaled in turn until each sums to 1; done in logarithms and
    float64, where nothing overflows. The lower the temperature, the closer to ``assign``, and the slower the scaling.

    Args:
        logits: (b, n, n), a row for each patch, finite.
        temperature: above 0; at 1 the rows start as the model's own probabilities.
        iterations: at most so many rounds; rows sum to 1 after each, columns only as far as it has come.
        tolerance: stop once no column's sum is further from 1.

    Returns:
        (b, n, n) float32, on the device of ``logits``.

    Raises:
        ValueError: for logits that are not square and finite, or a temperature that is not above 0.

    Source: Sinkhorn & Knopp 1967; in logarithms as for optimal transport: Cuturi 2013 (arXiv 1306.0895); for
    permutations: Mena et al. 2018 (arXiv 1802.08665).
    """
    if logits.ndim != 3 or logits.shape[1] != logits.shape[2]:
        raise ValueError(f"logits must have the shape (b, n, n), got {tuple(logits.shape)}")
    if not temperature > 0:
        raise ValueError(f"temperature must be above 0, got {temperature}")
    if not logits.isfinite().all():
        raise ValueError("logits must be finite")
    scores = (logits.double() / temperature).log_softmax(dim=2)
    for _ in range(iterations):
        scores = scores.log_softmax(dim=1).log_softmax(dim=2)
        if (scores.exp().sum(dim=1) - 1).abs().max() <= tolerance:
            break
    return scores.exp().float()
