"""What of a ViT here is what in timm: arguments, weights, the preparation of images, and what has no counterpart."""

from __future__ import annotations

import math
from typing import Any

import torch
from einops import rearrange
from torch import Tensor, nn

from ..model import ViT, posemb_sincos_2d
from .checking import prepared

EPS = 1e-5  # of every LayerNorm here
IN_A_BLOCK = {
    "0.norm": "norm1",
    "0.to_out.0": "attn.proj",
    "1.net.0": "norm2",
    "1.net.1": "mlp.fc1",
    "1.net.4": "mlp.fc2",
}
OUTSIDE = {
    "to_patch_embedding.1": "patch_embed.pixel_norm",
    "to_patch_embedding.3": "patch_embed.norm",
    "linear_head.0": "fc_norm",
    "linear_head.1": "head",
}


def their_weights(vit: ViT, pos_emb: bool) -> dict[str, Tensor]:
    """timm's state dict."""
    state = vit.state_dict()
    height, width = vit.patch_size
    weights = {
        "patch_embed.proj.weight": rearrange(
            state["to_patch_embedding.2.weight"], "d (p1 p2 c) -> d c p1 p2", p1=height, p2=width
        ),
        "patch_embed.proj.bias": state["to_patch_embedding.2.bias"],
    }
    if pos_emb:
        weights["pos_embed"] = table(vit).to(weights["patch_embed.proj.bias"])
    for i in range(len(vit.transformer.layers)):
        ours = f"transformer.layers.{i}.0"
        weights[f"blocks.{i}.attn.qkv.weight"] = torch.cat(
            (state[f"{ours}.to_q.weight"], state[f"{ours}.to_kv.weight"])
        )
    for ours, theirs in names(len(vit.transformer.layers)).items():
        weights |= {
            f"{theirs}.{kind}": state[f"{ours}.{kind}"] for kind in ("weight", "bias") if f"{ours}.{kind}" in state
        }
    return weights


def our_weights(model: nn.Module) -> dict[str, Tensor]:
    """Our state dict, with timm's names where there is no counterpart."""
    state = model.state_dict()
    state.pop("pos_embed", None)
    scale = math.sqrt(EPS / model.patch_embed.norm.eps)  # as in save_timm, the other way round
    weights = {
        "to_patch_embedding.2.weight": rearrange(state.pop("patch_embed.proj.weight"), "d c p1 p2 -> d (p1 p2 c)")
        * scale,
        "to_patch_embedding.2.bias": state.pop("patch_embed.proj.bias") * scale,
    }
    for i in range(len(model.blocks)):
        qkv = state.pop(f"blocks.{i}.attn.qkv.weight")
        q, kv = qkv.tensor_split([len(qkv) // 3])
        weights |= {f"transformer.layers.{i}.0.to_q.weight": q, f"transformer.layers.{i}.0.to_kv.weight": kv}
    for ours, theirs in names(len(model.blocks)).items():
        for kind in ("weight", "bias"):
            if f"{theirs}.{kind}" in state:
                weights[f"{ours}.{kind}"] = state.pop(f"{theirs}.{kind}")
    return weights | state


def names(depth: int) -> dict[str, str]:
    """The names of layers here -> in timm, for layers whose weights are the same tensors."""
    blocks = {
        f"transformer.layers.{i}.{ours}": f"blocks.{i}.{theirs}"
        for i in range(depth)
        for ours, theirs in IN_A_BLOCK.items()
    }
    return OUTSIDE | blocks


def table(vit: ViT) -> Tensor:
    """The position embeddings (1, n, d) float32 of the grid."""
    return posemb_sincos_2d(torch.empty(1, *vit.grid, vit.dim))[None]


def arguments_of(vit: ViT, pos_emb: bool) -> dict[str, Any]:
    """The arguments of ``mp3lib_vit``, in the form that JSON can hold."""
    transformer = vit.transformer
    ratio = transformer.mlp_dim / vit.dim
    while int(vit.dim * ratio) < transformer.mlp_dim:  # timm rounds the product down
        ratio = math.nextafter(ratio, math.inf)
    return {
        "img_size": list(vit.image_size),
        "patch_size": list(vit.patch_size),
        "in_chans": vit.channels,
        "num_classes": vit.num_classes,
        "embed_dim": vit.dim,
        "depth": len(transformer.layers),
        "num_heads": transformer.heads,
        "mlp_ratio": ratio,
        "qkv_bias": False,
        "class_token": False,
        "global_pool": "avg",
        "fc_norm": True,
        "pos_embed": "learn" if pos_emb else "none",
        "proj_drop_rate": transformer.dropout,
        "attn_drop_rate": transformer.dropout,
        "dim_head": transformer.dim_head,
        "patch_norm": vit.patch_norm,
    }


def data_config(vit: ViT) -> dict[str, Any]:
    """What timm has to know of the images: cropped about the centre, resized as here, and scaled to [-1, 1]."""
    config = {
        "architecture": "mp3lib_vit",
        "input_size": [vit.channels, *vit.image_size],
        "fixed_input_size": True,
        "interpolation": "lanczos",
        "crop_pct": 1.0,
        "crop_mode": "center",
        "mean": [0.5] * vit.channels,
        "std": [0.5] * vit.channels,
        "num_classes": vit.num_classes,
        "first_conv": "patch_embed.proj",
        "classifier": "head",
    }
    if vit.classes:
        config["label_names"] = list(vit.classes)
    if vit.value_range:
        config["description"] = f"Inputs: {prepared(vit)}."
    return config


def why_not(model: nn.Module) -> str | None:
    """Why a ViT of timm cannot be one of ours; None where nothing is known against it."""
    if model.num_prefix_tokens:
        return "it has a class token or register tokens, and here there are none"
    if model.global_pool != "avg":
        return f"it pools by {model.global_pool!r}, and here by the mean over the patches"
    if not isinstance(model.fc_norm, nn.LayerNorm):
        return "it has no LayerNorm after the mean (fc_norm=True), which is the one that is used here"
    if not isinstance(model.head, nn.Linear):
        return "it has no head for classes: give it one with model.reset_classifier(N)"
    if not len(model.blocks):
        return "it has no layers"
    if not isinstance(model.patch_embed.norm, nn.LayerNorm) or model.patch_embed.proj.bias is None:
        return "its patch embedding has no bias, or no LayerNorm after it (embed_norm_layer)"
    if model.blocks[0].attn.qkv.bias is not None:
        return "its queries, keys and values have a bias (qkv_bias=True), and here they have none"
    norms = [m for name, m in model.named_modules() if isinstance(m, nn.LayerNorm) and name != "patch_embed.norm"]
    if odd := next((norm.eps for norm in norms if norm.eps != EPS), None):
        return f"its LayerNorms have eps={odd:g}, and here it is {EPS:g}"
    rates = {m.p for m in model.blocks.modules() if isinstance(m, nn.Dropout)}
    if len(rates) > 1 or model.pos_drop.p or model.head_drop.p:
        return "its dropout differs from place to place, and here one probability holds for all layers"
    return None
