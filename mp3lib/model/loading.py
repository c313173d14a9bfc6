"""Load a saved model, and adapt it: other classes, other image sizes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import torch
import torch.nn.functional as F

from ..json_files import read_json
from .checking import check_kind, check_weights
from .compiled import COMPILED
from .finding import check_folder, find_weights
from .mp3 import MP3
from .randomness import random_state_kept
from .vit import ViT


def load_model(weights: str | Path) -> MP3 | ViT:
    """A saved model: an ``MP3`` from a pretraining, a ``ViT`` from a fine-tuning.

    Args:
        weights: a folder, such as a run folder or a checkpoint in it; the name of weights that come with the library;
            or ``"user/repo"`` on the Hugging Face Hub. See ``find_weights``.

    The caller's random state is left as it was. The weights have PyTorch's default dtype, as in ``from_pretrained``.

    Raises:
        FileNotFoundError: if there is no such folder, or no ``config.json`` in it; for an unfinished run its newest
            checkpoint is named.
        ValueError: if a file is damaged, or holds a model that cannot be.
    """
    folder = find_weights(weights)
    check_folder(folder)
    config = folder / "config.json"
    if not config.is_file():
        if begun := sorted(folder.glob("checkpoint-" + "[0-9]" * 8)):
            if (folder / "model.safetensors").is_file() and not config.exists():
                raise FileNotFoundError(
                    f"{folder} holds model.safetensors, but no config.json: copy that of {begun[-1]}, which is equal"
                )
            raise FileNotFoundError(f"the run in {folder} has not finished; its newest weights are in {begun[-1]}")
        raise FileNotFoundError(f"{folder} holds no config.json: it is not the folder of a saved model")
    kind = MP3 if "vit" in read_json(config) else ViT
    return kind.from_pretrained(folder)


def load_mp3(weights: str | Path) -> MP3:
    """The ``MP3`` in the run folder of a pretraining, or another place that ``load_model`` takes.

    Raises:
        FileNotFoundError, ValueError: as ``load_model``; ValueError if it is a ViT.
    """
    model = load_model(weights)
    if isinstance(model, ViT):
        raise ValueError(f"{weights} holds a ViT without a position classifier: give the folder of a pretraining")
    return model


def with_image_size(
    mp3: MP3,
    image_size: int | Sequence[int],
    masking_ratio: float | None = None,
    context: Literal["frozen", "updated"] | None = None,
) -> MP3:
    """The same model for images of another size: a copy whose position classifier is interpolated to the other grid.

    Every layer stays as it is, because no layer depends on the number of patches. So a model can learn on small
    images, which is fast, and go on with more positions. The classifier's weights (n, d) and biases (n,) are resized
    bilinearly, like an image of the grid with d + 1 channels.

    Args:
        mp3: the model; its ViT is copied, not shared.
        image_size: height and width in pixels, an int or a pair, which the patch size has to divide.
        masking_ratio, context: of the copy, as in ``MP3``; default: those of ``mp3``.

    Returns:
        the copy, on the same device and in the same mode. Weights that take no gradient take none in the copy either.

    Raises:
        ValueError: if the patch size does not divide ``image_size``, the masking ratio hides none of its patches,
            ``mp3`` is not an MP3, or its weights are not finite.
    """
    check_kind(mp3, MP3, words="with_image_size takes an MP3")
    check_weights(mp3)
    ratio = mp3.masking_ratio if masking_ratio is None else masking_ratio
    with random_state_kept():  # a new model draws weights, which are replaced
        vit = ViT(**mp3.vit.config | {"image_size": image_size})
        new = MP3(vit, ratio, mp3.context if context is None else context).train(mp3.training)
    new.to(mp3.mlp_head[1].weight)  # device and dtype, before weights are loaded, so that none is rounded
    vit.load_state_dict(mp3.vit.state_dict())
    vit.pos_emb, vit.value_range = mp3.vit.pos_emb, mp3.vit.value_range
    new.mlp_head[0].load_state_dict(mp3.mlp_head[0].state_dict())
    old, resized = mp3.mlp_head[1], new.mlp_head[1]
    with torch.no_grad():
        grid = torch.cat((old.weight, old.bias[:, None]), dim=1).T.unflatten(1, mp3.vit.grid)
        grid = F.interpolate(grid[None], size=vit.grid, mode="bilinear", align_corners=False)[0].flatten(1).T
        resized.weight.copy_(grid[:, :-1])
        resized.bias.copy_(grid[:, -1])
    still = {name.replace(COMPILED, "") for name, weight in mp3.named_parameters() if not weight.requires_grad}
    for name, weight in new.named_parameters():
        weight.requires_grad_(name not in still)
    return new


def load_vit(weights: str | Path) -> ViT:
    """The ViT, also that in an ``MP3``, in a run folder or another place that ``load_model`` takes.

    Raises:
        FileNotFoundError, ValueError: as ``load_model``.
    """
    model = load_model(weights)
    return model if isinstance(model, ViT) else model.vit


def use_classes(vit: ViT, classes: int | Sequence[str], image_size: int | Sequence[int] | None = None) -> ViT:
    """The same ViT, sharing its weights, with a fresh head for other classes.

    Args:
        vit: the model; it keeps its own head.
        classes: the number of classes, or their names in the order of the labels.
        image_size: of the images that it is going to be trained on, kept in its configuration; default: as before.

    Returns:
        a ViT in the mode of ``vit``, with the head on the same device and of the same dtype.

    Raises:
        ValueError: for something else than a number of at least 1 or names, an image size that the patches do not
            divide, or something else than a ViT.
    """
    check_kind(vit, ViT, words="use_classes takes a ViT")
    if isinstance(classes, Sequence) and not isinstance(classes, str):
        names, number = tuple(classes), len(classes)
    else:
        names, number = None, classes
    size = {} if image_size is None else {"image_size": image_size}
    fresh = ViT(**vit.config | {"num_classes": number, "classes": names} | size)
    fresh.to_patch_embedding, fresh.transformer = vit.to_patch_embedding, vit.transformer
    fresh.pos_emb, fresh.value_range = vit.pos_emb, vit.value_range
    fresh.linear_head.to(vit.linear_head[1].weight)  # device and dtype
    for part in ("to_latent", "linear_head"):
        getattr(fresh, part).train(getattr(vit, part).training)
    fresh.training = vit.training  # the parts that both share keep their modes
    return fresh
