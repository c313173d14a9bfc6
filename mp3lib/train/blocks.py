"""Two ways to run the blocks of a transformer in training: compiled, and with less memory for their activations."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from ..model.attention import Block


@contextmanager
def blocks(model: nn.Module, *, compiled: bool, checkpoint_activations: bool) -> Iterator[None]:
    """Within the ``with``, compile every block of ``model``, or keep its input instead of its activations, or both.

    The blocks alone are compiled: what is random in MP3 is outside of them and stays as it is, and all blocks share
    one compiled function. It has few graphs, whatever the depth, the mask ratios and the rates of stochastic depth.
    Without stored activations the backward pass computes each block again: the same gradients, bit for bit, with less
    memory and more time.

    Source of the latter: Chen et al. 2016, *Training Deep Nets with Sublinear Memory Cost*, arXiv 1604.06174.
    """
    if compiled:
        torch.compiler.reset()  # models that were trained before count towards the limit of graphs of one function
    changed = [m for m in model.modules() if isinstance(m, Block)] if compiled or checkpoint_activations else []
    for block in changed:
        forward = torch.compile(block.forward) if compiled else block.forward
        block.forward = partial(checkpoint, forward, use_reentrant=False) if checkpoint_activations else forward
    try:
        yield
    finally:
        for block in changed:
            del block.forward  # that of its class again


def check_compiler(device: torch.device) -> None:
    """``ValueError`` unless ``torch.compile`` can make a small function run here: it may lack a C++ compiler."""
    try:
        torch.compile(torch.sin)(torch.ones(2, device=device))
    except Exception as error:  # each backend has errors of its own
        reason = " ".join(str(error).split())[:150]
        raise ValueError(
            f"compile=True (--compile) does not work here: {reason}. On a CPU it needs a C++ compiler, such as g++; "
            "leave it out otherwise"
        ) from None
