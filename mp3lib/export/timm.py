"""To and from timm: the same weights in ``timm.models.VisionTransformer``."""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import torch
from safetensors.torch import save
from torch import Tensor, nn

from ..json_files import read_json
from ..model import MP3, ViT
from ..model.checking import with_positions
from ..model.randomness import random_state_kept
from ..paths import expanded, folder_for_weights, room_for, succeeds
from .checking import as_float32, check_same, needed, not_halved, sample_images, vit_of
from .timm_parts import EPS, arguments_of, data_config, our_weights, table, their_weights, why_not

if TYPE_CHECKING:
    import timm.models

STOCK = "vit_base_patch32_clip_224"  # timm's architecture whose LayerNorms have ``EPS``; all sizes are given anew
STOCK_EPS = 1e-6  # of the one LayerNorm that a file can only name: the one after the patch embedding
FILES = ("model.safetensors", "config.json")


def to_timm(vit: ViT, pos_emb: bool | None = None) -> timm.models.VisionTransformer:
    """A ViT of timm with the weights of ``vit``, which are copied.

    Its inputs are the same float images (b, c, H, W) in [-1, 1], its outputs the same logits (b, num_classes); they
    are compared on a small random input before the model is returned. ``model.pretrained_cfg`` describes the images,
    so that ``timm.data.create_transform(**timm.data.resolve_model_data_config(model))`` prepares them.

    The position embeddings become timm's weight ``pos_embed``. It takes no gradient, so that training there does not
    change it: here these numbers are fixed.

    Args:
        vit: the model; of an ``MP3`` give ``mp3.vit``.
        pos_emb: whether the model is used with position embeddings; default: ``vit.pos_emb``, as it was trained.

    Returns:
        a ``timm.models.VisionTransformer`` on the same device, of the same dtype and in the same mode. Its layers are
        timm's own, unless ``vit`` has a LayerNorm on pixels (``patch_norm=True``) or heads that together are wider or
        narrower than a token: it then has the layers of ``mp3lib.export.timm_vit``.

    Raises:
        ImportError: if timm is not installed.
        ValueError: for something else than a ViT, and if the outputs differ by more than 1e-5.
    """
    library = imported()
    check_vit(vit)
    pos_emb = with_positions(vit, pos_emb)
    with random_state_kept():
        result = library.create_model("mp3lib_vit", pretrained_cfg=data_config(vit), **arguments_of(vit, pos_emb))
    exact = not_halved(vit)
    result.to(next(exact.parameters())).train(vit.training)
    result.load_state_dict(their_weights(exact, pos_emb))
    if pos_emb:
        result.pos_embed.requires_grad_(False)
    images = sample_images(vit)
    check_same([logits(exact, images, pos_emb=pos_emb)], [logits(result, images)])
    return result.to(next(vit.parameters()))


def from_timm(model: timm.models.VisionTransformer, classes: Sequence[str] | None = None) -> ViT:
    """Our ViT with the weights of a ViT of timm, which are copied: the way back from ``to_timm``, after training there.

    Of a model without position embeddings (``pos_embed="none"``) the result has ``vit.pos_emb`` False.
    timm's drop path is no property of a ViT here and is left behind. A ``value_range`` is none of timm: set
    ``vit.value_range`` again, by that in ``config.json``.

    Args:
        model: a ``timm.models.VisionTransformer``.
        classes: names of the classes in the order of the labels; default: those in ``model.pretrained_cfg``, if any.

    Returns:
        a ``ViT`` on the same device, of the same dtype and in the same mode. The outputs of both are compared on a
        small random input first.

    Raises:
        ImportError: if timm is not installed.
        ValueError: with the reason, for a model that is not a ViT of ours: with a class token, another pooling, a bias
            of the queries, learned position embeddings and so on; and if the outputs differ by more than 1e-5.
    """
    library = imported()
    if not isinstance(model, library.models.VisionTransformer):
        name = f"{type(model).__module__}.{type(model).__name__}"
        raise ValueError(f"model must be a timm.models.VisionTransformer, got {name}")
    if reason := why_not(model):
        raise ValueError(f"this timm model cannot become a ViT of mp3lib: {reason}")
    named = getattr(model, "pretrained_cfg", {}).get("label_names")
    classes = classes or (list(named) if named and len(named) == model.num_classes else None)
    attention, mlp, embedding = model.blocks[0].attn, model.blocks[0].mlp, model.patch_embed
    with random_state_kept():
        vit = ViT(
            num_classes=model.num_classes,
            image_size=tuple(embedding.img_size),
            patch_size=tuple(embedding.patch_size),
            dim=model.embed_dim,
            depth=len(model.blocks),
            heads=attention.num_heads,
            mlp_dim=mlp.fc1.out_features,
            channels=embedding.proj.in_channels,
            dim_head=attention.head_dim,
            dropout=attention.proj_drop.p,
            patch_norm=hasattr(embedding, "pixel_norm"),
            classes=classes,
        )
    exact = not_halved(model)
    weights = our_weights(exact)
    if odd := sorted({*weights} ^ {*vit.state_dict()}):
        raise ValueError(f"this timm model cannot become a ViT of mp3lib: the weights {odd[0]} have no counterpart")
    pos_emb = model.pos_embed is not None
    # in half precision the table is rounded
    fixed = table(vit).to(model.pos_embed.dtype).float() if pos_emb else None
    if pos_emb and not torch.allclose(fixed, model.pos_embed.detach().float().cpu(), atol=1e-6, rtol=0):
        raise ValueError(
            "this timm model cannot become a ViT of mp3lib: its position embeddings are learned, and here they are a "
            "fixed table. A model that came from here keeps them with model.pos_embed.requires_grad_(False)"
        )
    vit.to(next(exact.parameters())).train(model.training)
    vit.load_state_dict(weights)
    vit.pos_emb = pos_emb
    if exact is not model and pos_emb:
        exact.pos_embed.data = table(vit).to(exact.pos_embed)
    images = sample_images(vit)
    check_same([logits(exact, images)], [logits(vit, images, pos_emb=pos_emb)])
    return vit.to(next(model.parameters()))


def save_timm(vit: ViT, folder: str | Path, pos_emb: bool | None = None) -> float:
    """Write a folder that timm loads: ``timm.create_model("local-dir:FOLDER", pretrained=True)``.

    It holds ``model.safetensors`` with timm's names and ``config.json``, also with the preparation of the images. If
    these had other values than 0 to 255 in training, ``value_range`` in ``config.json`` says which, and so does the
    ``description`` in its ``pretrained_cfg``; timm itself divides by 255.
    For a model without a LayerNorm on pixels, whose heads together are as wide as a token, timm alone loads it. For
    others ``import mp3lib.export.timm_vit`` comes first. Weights in half precision are written in float32.
    The folder is loaded once and compared before it gets its name.
    A model that is loaded from it learns its position embeddings in training, unless
    ``model.pos_embed.requires_grad_(False)`` is called; ``from_timm`` takes back fixed ones only.

    Args:
        vit: the model; of an ``MP3`` give ``mp3.vit``.
        folder: new or empty, or one that this function wrote, whose files are replaced.
        pos_emb: as in ``to_timm``.

    Returns:
        the largest difference between the logits of both models on a small random input.

    Raises:
        ImportError: if timm is not installed.
        OSError: if the disk is full.
        ValueError: as ``to_timm``, and for a folder that holds something else, also a model of somebody else.
    """
    library = imported()
    check_vit(vit)
    pos_emb = with_positions(vit, pos_emb)
    folder = check_folder(folder)
    arguments, weights = arguments_of(vit, pos_emb), their_weights(not_halved(vit), pos_emb)
    stock = is_stock(vit)
    if stock:
        del arguments["dim_head"], arguments["patch_norm"]
        arguments |= {"pre_norm": False, "embed_norm_layer": "layernorm"}
        # LayerNorm of x with eps is that of x * s with eps * s², and this x is linear in these two weights
        for name in ("weight", "bias"):
            weights[f"patch_embed.proj.{name}"] = weights[f"patch_embed.proj.{name}"] * math.sqrt(STOCK_EPS / EPS)
    config = {
        "architecture": STOCK if stock else "mp3lib_vit",
        "num_classes": vit.num_classes,
        "num_features": vit.dim,
        "global_pool": "avg",
        "model_args": {name: value for name, value in arguments.items() if name != "num_classes"},
        "pretrained_cfg": {
            n: value for n, value in data_config(vit).items() if n not in ("architecture", "label_names")
        },
    }
    if vit.classes:
        config["label_names"] = list(vit.classes)
    if vit.value_range:
        config["value_range"] = list(vit.value_range)
    beside = folder.with_name(f".{os.getpid()}.{folder.name}")
    try:
        with room_for(folder):
            beside.mkdir(parents=True)
            held = save({name: weight.detach().cpu().contiguous() for name, weight in weights.items()})
            (beside / FILES[0]).write_bytes(held)
            (beside / FILES[1]).write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
        with random_state_kept():
            again = library.create_model(f"local-dir:{beside}", pretrained=True)
        images = sample_images(vit)
        difference = check_same([logits(vit, images, pos_emb=pos_emb)], [logits(again, images)])
        folder.mkdir(parents=True, exist_ok=True)
        for name in FILES:
            os.replace(beside / name, folder / name)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return difference


def is_stock(vit: ViT) -> bool:
    """Whether timm has such a ViT of its own: without a LayerNorm on pixels, and with heads that make up its dim."""
    return not vit.patch_norm and vit.transformer.heads * vit.transformer.dim_head == vit.dim


def imported() -> ModuleType:
    """timm, which then knows the architecture ``mp3lib_vit``."""
    (library,) = needed("this conversion", {"timm": "timm"})
    from . import timm_vit  # noqa: F401

    return library


def check_vit(vit: ViT) -> None:
    if isinstance(vit, MP3):
        raise ValueError("timm has no position classifier, so an MP3 cannot be converted: give its mp3.vit")
    vit_of(vit)
    if not len(vit.transformer.layers):
        raise ValueError("a ViT of depth 0 cannot be converted: timm's has at least one layer")


def check_folder(folder: str | Path) -> Path:
    """The absolute path of a folder that ``save_timm`` may write: new, empty, or written by it before."""
    folder = folder_for_weights(expanded(folder).resolve())
    if not folder.exists():
        return folder
    if not folder.is_dir():
        raise ValueError(f"{folder} is not a folder: choose another name")
    found = sorted(path.name for path in folder.iterdir())
    others = [name for name in found if name not in FILES]
    if others or (found and not succeeds(is_ours, folder / FILES[1])):
        raise ValueError(f"{folder} holds {others[0] if others else 'a model of another kind'}: choose a new folder")
    return folder


def is_ours(config: Path) -> bool:
    """Whether ``save_timm`` wrote this ``config.json``."""
    held = read_json(config)
    named, arguments = held.get("architecture"), held.get("model_args", {})
    return named == "mp3lib_vit" or (named == STOCK and "embed_norm_layer" in arguments)


@torch.no_grad()
def logits(model: nn.Module, images: Tensor, **options: bool) -> Tensor:
    """In float32 on the CPU, without dropout."""
    return as_float32(model)(images, **options)
