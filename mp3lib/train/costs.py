"""What a training step costs, counted from the shape of the model: products, memory, and bytes that are moved."""

from __future__ import annotations

from typing import Literal, NamedTuple

from ..arguments import mask_share, number, shown, truth, whole
from ..model.checking import check_kind
from ..model.compiled import uncompiled, uncompiled_weights
from ..model.mp3 import MP3
from ..model.vit import ViT
from .optimizers import NEWTON_SCHULZ_STEPS, is_for_muon

FLOAT32 = 4  # bytes


class StepCosts(NamedTuple):
    """The costs of one training step, by ``step_costs``."""

    flops: int
    """Operations of the matrix products, forward and backward; a multiplication and an addition are two."""
    optimizer_flops: int
    """Those of Muon's Newton-Schulz iterations; 0 for AdamW, which has no matrix products."""
    parameters: int
    """The number of weights."""
    state_bytes: int
    """Memory for weights, gradients and the optimizer's state, all in float32."""
    activation_bytes: int
    """Memory for what the forward pass keeps for the backward pass, in float32."""
    image_bytes: int
    """The images of the step, as uint8."""
    gradient_bytes: int
    """The gradient, float32: what every process gives to the others in a step, and gets."""


def step_costs(
    model: MP3 | ViT,
    batch_size: int,
    *,
    query_fraction: float = 1.0,
    mask_ratio: float | None = None,
    optimizer: Literal["muon", "adamw"] = "muon",
    checkpoint_activations: bool = False,
) -> StepCosts:
    """Count what a training step on one process costs: of pretraining for an ``MP3``, of fine-tuning for a ``ViT``.

    The products are those of the linear layers and of attention. A backward pass has twice as many as the forward
    pass. That of the patch embedding has as many where there is no ``patch_norm``, because images need no gradient.
    What is left out: LayerNorm, GELU, softmax, the loss, the crops, and AdamW, which are few operations that move much
    memory.

    Args:
        model: an ``MP3`` or a ``ViT``; its weights are not looked at, so it may be on the meta device.
        batch_size: images of the step on this process.
        query_fraction, mask_ratio: as in ``MP3.forward``; a ``ViT`` has neither.
        optimizer: as in ``pretrain``.
        checkpoint_activations: as in ``pretrain``: blocks keep their inputs alone, and are computed twice.

    Returns:
        counts as whole numbers. Measured on CPUs, the products are exact, and the activations within a tenth, where
        there is no dropout.

    Raises:
        ValueError: for something else than an ``MP3`` or a ``ViT``, and for settings out of range.
    """
    check_kind(model, MP3, ViT, words="model must be an MP3 or a ViT")
    model = uncompiled(model)
    if optimizer not in ("muon", "adamw"):
        raise ValueError(f'optimizer must be "muon" or "adamw", got {shown(optimizer)}')
    b, checkpoint_activations = whole("batch_size", batch_size), truth("checkpoint_activations", checkpoint_activations)
    query_fraction = number("query_fraction", query_fraction, "be above 0 and at most 1", lambda f: 0 < f <= 1)
    if isinstance(model, ViT) and (query_fraction != 1 or mask_ratio is not None):
        raise ValueError("query_fraction and mask_ratio are of an MP3, got a ViT: leave them out")
    vit = model.vit if isinstance(model, MP3) else model
    n, patch_dim = vit.num_patches, vit.channels * vit.patch_size[0] * vit.patch_size[1]
    d, depth, mlp = vit.dim, len(vit.transformer.layers), vit.transformer.mlp_dim
    inner = vit.transformer.heads * vit.transformer.dim_head
    if isinstance(model, MP3):
        hidden = int((model.masking_ratio if mask_ratio is None else mask_share("mask_ratio", mask_ratio)) * n)
        k, m, classes = n - hidden, n - hidden + max(1, round(query_fraction * hidden)) * (hidden > 0), n
        scored = m  # tokens that the head classifies
    else:
        k, m, classes, scored = n, n, vit.num_classes, 1

    embedding = n * patch_dim * d
    block = m * d * inner + 2 * k * d * inner + 2 * m * k * inner + m * inner * d + 2 * m * d * mlp
    head = scored * d * classes
    products = (
        (3 if vit.patch_norm else 2) * embedding
        + 3 * (depth * block + head)
        + (depth * block if checkpoint_activations else 0)
    )

    weights = uncompiled_weights(dict(model.named_parameters()))
    matrices = [p.shape for name, p in weights.items() if is_for_muon(name, p)]
    by_muon = sum(rows * columns for rows, columns in matrices) if optimizer == "muon" else 0
    parameters = sum(p.numel() for p in model.parameters())
    state = 2 * parameters + by_muon + 2 * (parameters - by_muon)  # Muon keeps one number a weight, AdamW two

    # of a block: inputs and results of two LayerNorms with mean and deviation, queries, keys, values, mixed values and
    # their normaliser, input and result of GELU
    kept = m * (4 * d + 4 + 2 * inner + vit.transformer.heads + 2 * mlp) + k * 2 * inner
    if isinstance(model, MP3) and model.context == "frozen":  # each block normalises the context by itself
        kept += k * (d + 2)
    kept = depth * m * d + kept if checkpoint_activations else depth * kept
    kept += n * (patch_dim * (2 if vit.patch_norm else 1) + 2 * d + 2) + scored * (2 * d + classes + 2)
    return StepCosts(
        flops=2 * b * products,
        optimizer_flops=sum(newton_schulz(*shape) for shape in matrices) if optimizer == "muon" else 0,
        parameters=parameters,
        state_bytes=FLOAT32 * state,
        activation_bytes=FLOAT32 * b * kept,
        image_bytes=b * vit.channels * vit.image_size[0] * vit.image_size[1],
        gradient_bytes=FLOAT32 * parameters,
    )


def newton_schulz(rows: int, columns: int) -> int:
    """Operations with which Muon orthogonalises one matrix."""
    small, large = sorted((rows, columns))
    return NEWTON_SCHULZ_STEPS * 2 * (2 * small * small * large + small**3)
