"""A board made from models and images, which are checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from safetensors.torch import save
from torch import Tensor

from ..arguments import truth
from ..data.tensors import as_images
from ..evaluate import position_accuracy
from ..model import MP3
from .widget import PatchBoard


def _sent(name: str, mp3: MP3) -> dict:
    """A model as the page receives it: its weights in half precision if that changes none of them."""
    weights = {key: weight.detach().cpu().float().contiguous() for key, weight in mp3.state_dict().items()}
    if all(weight.half().float().equal(weight) for weight in weights.values()):
        weights = {key: weight.half() for key, weight in weights.items()}
    return {"name": name, "config": mp3.config, "weights": save(weights)}


def patch_board(
    mp3: MP3 | Mapping[str, MP3],
    images: Tensor | np.ndarray,
    names: Sequence[str] | None = None,
    *,
    mode: str = "jigsaw",
    words: str = "this model",
    answers: str = "page",
    easiest_first: bool = False,
) -> PatchBoard:
    """A board to solve the jigsaw on, to pick patches, and to hide them; the network in the page answers at once.

    Args:
        mp3: the model, or a mapping from what to call each model to the model; the reader switches between them.
            Weights are sent to the page, in half precision if that changes none of them.
        images: uint8 (m, 3, H, W), a tensor or a NumPy array, of the models' size, at least one.
        names: what each of the m images shows; default: "picture 0" and so on.
        mode: "jigsaw", "look" or "hide", which the reader can change.
        words: what to call a single model.
        answers: who answers first, "page", "kernel" (the model as it is when it is asked) or "both", which compares
            them.
        easiest_first: show the images in the order of `accuracies` of the first model, the highest first. A name goes
            with its image: "picture 7" is ``images[7]``, wherever it stands.

    Raises:
        ValueError: for anything that is not an MP3, for images that do not fit it, for another number of names, and for
            another word for ``mode`` or ``answers``.
    """
    if not isinstance(words, str):
        raise ValueError(f"words must be a string, got {str(words)[:100]}")
    models = dict(mp3) if isinstance(mp3, Mapping) else {words: mp3}
    images, easiest_first = _fitting(models, images), truth("easiest_first", easiest_first)
    if names is not None and not isinstance(names, (list, tuple)):
        raise ValueError(f"names must be a list of what each image shows, got {str(names)[:100]}")
    names = [f"picture {i}" for i in range(len(images))] if names is None else [str(name) for name in names]
    if len(names) != len(images):
        raise ValueError(f"there are {len(images)} images, but {len(names)} names")
    for name, value, known in (("mode", mode, PatchBoard.mode.values), ("answers", answers, PatchBoard.answers.values)):
        if value not in known:
            raise ValueError(f"{name} must be one of {', '.join(map(repr, known))}, got {value!r}")
    if easiest_first:
        shares = accuracies(next(iter(models.values())), images)
        order = sorted(range(len(images)), key=lambda i: -shares[i])
        images, names = images[order], [names[i] for i in order]
    pixels = np.full((len(images), *images.shape[2:], 4), 255, np.uint8)
    pixels[..., :3] = images.permute(0, 2, 3, 1).cpu().numpy()
    return PatchBoard(
        {str(name): model for name, model in models.items()}, networks=[_sent(str(n), m) for n, m in models.items()],
        pictures=pixels.tobytes(), names=names, size=list(images.shape[2:]), mode=mode, answers=answers,
    )  # fmt: skip


def accuracies(mp3: MP3, images: Tensor | np.ndarray) -> list[float]:
    """How easy each of several images is: the share of its patches placed right with 75 % hidden, 0 to 1.

    images: uint8 (m, 3, H, W), a tensor or a NumPy array. Each share is a mean over 16 random contexts, the same ones
    for every image.
    Raises ValueError as `position_accuracy` does.
    """
    return [
        position_accuracy(mp3, image.expand(16, -1, -1, -1), [0.75])[0.75]["accuracy"] for image in _in_memory(images)
    ]


def _in_memory(images: Any) -> Tensor:
    """The images as a uint8 tensor (m, c, H, W); ``ValueError`` for anything else, and for a stream."""
    images = as_images(images)
    if not isinstance(images, Tensor):
        raise ValueError(f"images must be in memory, uint8 (m, 3, H, W), got a {type(images).__name__}")
    return images


def _fitting(models: Mapping[str, MP3], images: Any) -> Tensor:
    """The images; ``ValueError`` unless these are MP3s for colour images of one size, and such images."""
    if not models:
        raise ValueError("the board needs at least one MP3, got an empty mapping")
    for model in models.values():
        if not isinstance(model, MP3):
            raise ValueError(f"the board needs an MP3, got {type(model).__name__}: a classifier predicts no positions")
    first, *others = models.values()
    if different := {other.vit.image_size for other in others} - {first.vit.image_size}:
        raise ValueError(f"all models must take images of one size, {first.vit.image_size}, got {different.pop()} too")
    height, width = first.vit.image_size
    images = _in_memory(images)
    if first.vit.channels != 3 or tuple(images.shape[1:]) != (3, height, width):
        raise ValueError(
            f"the board shows colour images of the model's size, {height} x {width}, got {tuple(images.shape)}"
        )
    return images
