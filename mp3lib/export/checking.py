"""What every export has in common: the package that it needs, the target that it writes to, and the comparison."""

from __future__ import annotations

import copy
import importlib
from collections.abc import Sequence
from types import ModuleType

import torch
from torch import Tensor, nn

from ..model import MP3, ViT
from ..model.checking import check_weights

TOLERANCE = 1e-5  # of outputs: absolute, or relative to the largest of them where that is above 1


def needed(what: str, packages: dict[str, str]) -> list[ModuleType]:
    """The modules of packages that mp3lib works without; they are imported when they are needed.

    Args:
        what: what needs them, as the error begins.
        packages: name of the module -> name of the package for pip.

    Raises:
        ImportError: if one is not installed, with the line that installs all of them.
    """
    try:
        return [importlib.import_module(module) for module in packages]
    except ImportError as error:
        names = list(dict.fromkeys(packages.values()))
        listed = f"package {names[0]}" if len(names) == 1 else f"packages {', '.join(names)}"
        raise ImportError(f"{what} needs the {listed}: pip install {' '.join(names)}") from error


def vit_of(model: MP3 | ViT) -> ViT:
    """The ViT in a model of ours; ``ValueError`` for anything else, and for weights that have no finite values."""
    if isinstance(getattr(model, "_orig_mod", None), MP3 | ViT):
        raise ValueError("the model is compiled (torch.compile): give the model in it, model._orig_mod")
    if not isinstance(model, MP3 | ViT):
        raise ValueError(f"model must be an mp3lib MP3 or ViT, got {type(model).__module__}.{type(model).__name__}")
    check_weights(model)
    return model.vit if isinstance(model, MP3) else model


def not_halved(model: nn.Module) -> nn.Module:
    """The model, or of one in half precision a copy in float32, so that a conversion is not rounded to 16 bits."""
    halved = any(weight.dtype.itemsize < 4 for weight in model.parameters())
    return copy.deepcopy(model).float() if halved else model


def as_float32(model: nn.Module) -> nn.Module:
    """A copy in float32, on the CPU and in eval mode."""
    return copy.deepcopy(model).float().cpu().eval()


def sample_images(vit: ViT, batch: int = 2) -> Tensor:
    """Random images (batch, c, H, W) float32 in [-1, 1] of the size that the model was made for, the same each time."""
    return torch.rand(batch, vit.channels, *vit.image_size, generator=torch.Generator().manual_seed(0)) * 2 - 1


def prepared(vit: ViT) -> str:
    """How values of images become the inputs of the model, in words; see ``ViT.value_range``."""
    if vit.value_range is None:
        return "values from 0 to 255 as v / 127.5 - 1"
    low, high = vit.value_range
    return (
        f"values from LOW = {low:g} to HIGH = {high:g} as 2 * (v - LOW) / (HIGH - LOW) - 1, "
        "values outside as LOW or HIGH"
    )


def check_same(expected: Sequence[Tensor], given: Sequence[Tensor]) -> float:
    """The largest difference between outputs of the same names.

    Raises:
        ValueError: if it is above ``TOLERANCE``, which is relative to the largest output where that is above 1.
    """
    differences = [(e.float() - g.float()).abs().max().item() for e, g in zip(expected, given, strict=True)]
    for output, difference in zip(expected, differences, strict=True):
        if not difference <= TOLERANCE * max(1.0, output.abs().max().item()):  # so that NaN is refused, too
            raise ValueError(
                f"the converted model gives another output: it differs by {difference:.2g} on a random input, "
                f"where {TOLERANCE:g} is allowed. Were layers of the model changed after it was made?"
            )
    return max(differences)
