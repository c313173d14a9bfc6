"""To and from ``vit_pytorch.mp3``: the same weights in the other library's classes."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from ..arguments import as_pair
from ..model import MP3, ViT
from ..model.randomness import random_state_kept
from ..paths import check_target, written_beside
from .checking import as_float32, check_same, needed, sample_images, vit_of

if TYPE_CHECKING:
    import vit_pytorch.mp3


def to_vit_pytorch(model: MP3 | ViT) -> vit_pytorch.mp3.MP3 | vit_pytorch.mp3.ViT:
    """A model of ``vit_pytorch.mp3`` with the weights of ``model``, which are copied.

    Its inputs are the same float images (b, c, H, W); a ViT gives the same logits (b, num_classes), an MP3 the same
    loss under the same random state. Both outputs are compared on a small random input before the result is returned.

    Args:
        model: a ``ViT``, or an ``MP3`` with a frozen context.

    Returns:
        a ``vit_pytorch.mp3.ViT`` or ``vit_pytorch.mp3.MP3`` on the same device, of the same dtype and in the same mode.
        It holds neither the names of the classes nor the size of the images.

    Raises:
        ImportError: if ``vit_pytorch`` is not installed.
        ValueError: for a model that ``vit_pytorch`` has no equal of: ``patch_norm=False``, ``context="updated"`` or
            ``dim=4``; or if the outputs differ by more than 1e-5.
    """
    reference = imported()
    vit = vit_of(model)
    if not vit.patch_norm:
        raise ValueError("the model was made with patch_norm=False; the ViT of vit_pytorch.mp3 always has that norm")
    if isinstance(model, MP3) and model.context != "frozen":
        raise ValueError(
            f'the model has context="{model.context}"; the context of vit_pytorch.mp3.MP3 is always frozen. '
            "Its ViT alone can be converted: to_vit_pytorch(mp3.vit)"
        )
    if vit.dim == 4:
        raise ValueError("the model has dim=4, for which the position embedding of vit_pytorch.mp3 is not a number")

    with random_state_kept():
        result = reference.ViT(**arguments_of(vit))
        if isinstance(model, MP3):
            result = reference.MP3(result, model.masking_ratio)
    return finished(result, model, vit)


def from_vit_pytorch(
    model: vit_pytorch.mp3.MP3 | vit_pytorch.mp3.ViT,
    image_size: int | Sequence[int] | None = None,
    classes: Sequence[str] | None = None,
) -> MP3 | ViT:
    """Our model with the weights of a model of ``vit_pytorch.mp3``, which are copied.

    That model does not know the values of its images: set ``vit.value_range`` if they were others than 0 to 255.

    Args:
        model: a ``vit_pytorch.mp3.ViT`` or ``vit_pytorch.mp3.MP3``.
        image_size: height and width in pixels that it was made for, an int or a pair, since the model does not know it;
            default: the side of a square image with as many patches.
        classes: names of the classes in the order of the labels, to be saved with the weights; default: none.

    Returns:
        a ``ViT``, or an ``MP3`` with ``context="frozen"``, on the same device, of the same dtype and in the same mode.
        The outputs of both are compared on a small random input first, as in ``to_vit_pytorch``.

    Raises:
        ImportError: if ``vit_pytorch`` is not installed.
        ValueError: for a model of another class, an ``image_size`` that does not have its number of patches or that is
            needed and missing, a masking ratio that hides no patch, or if the outputs differ by more than 1e-5.
    """
    reference = imported()
    if not isinstance(model, reference.MP3 | reference.ViT):
        name = f"{type(model).__module__}.{type(model).__name__}"
        raise ValueError(f"model must be a vit_pytorch.mp3.MP3 or vit_pytorch.mp3.ViT, got {name}")
    theirs = model.vit if isinstance(model, reference.MP3) else model
    with random_state_kept():
        vit = ViT(**settings_of(theirs, image_size), classes=classes)
        result = MP3(vit, model.masking_ratio) if isinstance(model, reference.MP3) else vit
    return finished(result, model, vit)


def save_vit_pytorch(model: MP3 | ViT, file: str | Path) -> float:
    """Write a file from which ``vit_pytorch`` alone makes the same model, without this library::

        saved = torch.load("vit.pt")
        vit = vit_pytorch.mp3.ViT(**saved["vit"])
        vit.load_state_dict(saved["state_dict"])  # of an MP3: MP3(vit, saved["masking_ratio"]).load_state_dict(…)

    ``saved["classes"]`` holds the names of the classes, or None; ``saved["value_range"]`` the values of the images that
    became 0 and 255 in training, or None if they had 8 bits. The file is read again and compared with ``model``
    before it gets its name.

    Args:
        model: as in ``to_vit_pytorch``.
        file: its name ends in ``.pt``; one that this function wrote is replaced.

    Returns:
        the largest difference between the outputs of both models on a small random input.

    Raises:
        ImportError, ValueError: as ``to_vit_pytorch``, and ValueError for a name that ends otherwise and for a file of
            somebody else.
        OSError: if the disk is full.
    """
    file = check_target(file, ".pt", ours=is_ours)
    theirs, vit = to_vit_pytorch(model), vit_of(model)
    saved = {"vit": arguments_of(vit), "state_dict": theirs.state_dict(), "classes": vit.config.get("classes")}
    saved["value_range"] = vit.value_range
    if isinstance(model, MP3):
        saved["masking_ratio"] = model.masking_ratio
    with written_beside(file) as beside:
        held = io.BytesIO()  # PyTorch's own writer of files has another error where the disk is full
        torch.save(saved, held)
        beside.write_bytes(held.getbuffer())
        read = torch.load(beside, map_location="cpu")
        with random_state_kept():
            again = imported().ViT(**read["vit"])
            if isinstance(model, MP3):
                again = imported().MP3(again, read["masking_ratio"])
        again.load_state_dict(read["state_dict"])
        return check_same(outputs(model, sample_images(vit)), outputs(again, sample_images(vit)))


def is_ours(file: Path) -> bool:
    """Whether ``save_vit_pytorch`` wrote this file."""
    return {"vit", "state_dict", "classes"} <= {*torch.load(file, map_location="meta", mmap=True)}


def arguments_of(vit: ViT) -> dict[str, Any]:
    """The arguments of the constructor of ``vit_pytorch.mp3.ViT``."""
    settings = vit.config | {"image_size": vit.image_size, "patch_size": vit.patch_size}
    return {name: value for name, value in settings.items() if name not in ("patch_norm", "classes")}


def imported() -> ModuleType:
    """The module ``vit_pytorch.mp3``."""
    return needed("this conversion", {"vit_pytorch.mp3": "vit-pytorch"})[0]


def settings_of(theirs: nn.Module, image_size: int | Sequence[int] | None) -> dict[str, Any]:
    """The arguments that make a ViT of the same shape, read from the layers of a ``vit_pytorch.mp3.ViT``."""
    if not len(theirs.transformer.layers):
        raise ValueError("the model has no layers, from which the widths could be read")
    attention, feed_forward = theirs.transformer.layers[0]
    height, width = theirs.patch_size
    if image_size is None:
        side = math.isqrt(theirs.num_patches * height * width)
        if side % height or side % width or (side // height) * (side // width) != theirs.num_patches:
            raise ValueError(
                f"{theirs.num_patches} patches of {height} x {width} pixels make no square image: give image_size"
            )
        image_size = side
    both = as_pair(image_size, "image_size")
    settings = {
        "num_classes": theirs.linear_head[1].out_features,
        "image_size": both,
        "patch_size": (height, width),
        "dim": theirs.dim,
        "depth": len(theirs.transformer.layers),
        "heads": attention.heads,
        "mlp_dim": feed_forward.net[1].out_features,
        "channels": theirs.to_patch_embedding[2].in_features // (height * width),
        "dim_head": attention.to_q.out_features // attention.heads,
        "dropout": attention.dropout.p,
    }
    if (both[0] // height) * (both[1] // width) != theirs.num_patches:
        raise ValueError(
            f"image_size {image_size} has {(both[0] // height) * (both[1] // width)} patches of {height} x {width} "
            f"pixels, but the model was made for {theirs.num_patches}"
        )
    return settings


def finished(result: nn.Module, source: nn.Module, vit: ViT) -> Any:
    """``result`` with the weights, device, dtype and mode of ``source``, if both give the same outputs.

    ``vit`` is ours of the two ViTs; it knows the shape of the images.
    """
    if name := next((name for name, weight in source.named_parameters() if weight.is_meta), None):
        raise ValueError(f"the weights have no values to convert, got {name} on the meta device")
    result.to(next(source.parameters())).train(source.training)
    result.load_state_dict(source.state_dict())
    check_same(outputs(source, sample_images(vit)), outputs(result, sample_images(vit)))
    return result


@torch.no_grad()
def outputs(model: nn.Module, images: Tensor) -> list[Tensor]:
    """The logits of the ViT, and behind them the loss of an MP3; in float32 on the CPU, without dropout."""
    model = as_float32(model)
    with random_state_kept():
        return [model.vit(images), model(images)] if hasattr(model, "vit") else [model(images)]
