"""What a model refuses: models of another kind, weights that mean nothing, and names and layers that do not fit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from ..arguments import is_finite, not_finite, shown, truth, whole
from .compiled import uncompiled


def check_kind(model: Any, *kinds: type, words: str, hint: str = "") -> None:
    """``ValueError`` unless this is a model of one of these classes of ours, which may be in ``torch.compile``.

    Other libraries, such as ``vit_pytorch``, have classes of the same names and parts, which lack attributes of ours.

    Args:
        model: what was given.
        kinds: ``ViT``, ``MP3``, or both.
        words: how the error begins, such as ``vit must be a ViT``.
        hint: how it ends.
    """
    if isinstance(found := uncompiled(model), kinds):
        return
    if type(found).__name__ in {kind.__name__ for kind in kinds}:  # of another library
        words, hint = f"{words} of mp3lib", f" of {type(found).__module__}"
    if any(kind.__module__ == "vit_pytorch.mp3" for kind in type(found).__mro__):
        hint += ": mp3lib.export.from_vit_pytorch converts it"
    raise ValueError(f"{words}, got {shown(model)}{hint}")


def check_weights(model: nn.Module) -> None:
    """Raise ``ValueError`` if a weight is not finite or has no value: what such a model gives means nothing.

    Its output alone does not tell: attention on a CPU gives finite numbers for some weights that are not.
    """
    if torch.compiler.is_compiling() or torch.jit.is_tracing():
        return
    if name := next((name for name, p in model.named_parameters() if p.is_meta), None):
        raise ValueError(f"the weights of the model have no values ({name} is on the meta device): load or make them")
    sums = [p.detach().sum(dtype=torch.float32) for p in model.parameters()]  # not finite if a weight is not
    if not sums or is_finite(torch.stack([total.to(sums[0].device) for total in sums])):
        return
    for name, weight in model.named_parameters():
        if not is_finite(weight):
            raise ValueError(
                f"the weights of the model are not finite ({name} holds {not_finite(weight)}): the training that made "
                "them failed"
            )


def with_positions(vit: nn.Module, pos_emb: bool | None) -> bool:
    """Whether position embeddings are added: as given; with None as the weights were trained, ``vit.pos_emb``."""
    return vit.pos_emb if pos_emb is None else truth("pos_emb", pos_emb)


def check_names(classes: Sequence[str] | None, num_classes: int) -> None:
    """Raise ``ValueError`` unless these are as many names as there are classes, or None."""
    if classes is None:
        return
    if isinstance(classes, str) or not isinstance(classes, Sequence) or any(not isinstance(c, str) for c in classes):
        raise ValueError(f"classes must be the names of the classes, a list of strings, got {shown(classes)}")
    if len(classes) != num_classes:
        raise ValueError(f"classes holds {len(classes)} names for {num_classes} classes: {list(classes)[:5]}")
    if len(set(classes)) < len(classes):
        twice = next(name for name in classes if list(classes).count(name) > 1)
        raise ValueError(f"classes must be different names, got {shown(twice)} more than once")


def layer_numbers(layers: Sequence[int], depth: int, name: str = "layers") -> list[int]:
    """After how many layers, each from 0 to ``depth``; ``ValueError``, with the argument's name, for something else."""
    if isinstance(layers, str) or not isinstance(layers, Sequence) or not layers:
        raise ValueError(f"{name} must be numbers of layers, such as [3, -1], got {shown(layers)}")
    numbers = [whole(name, layer, -depth - 1, depth) for layer in layers]
    return [layer + depth + 1 if layer < 0 else layer for layer in numbers]
