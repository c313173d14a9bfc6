"""Shapes of networks by name, the patch size for a size of images, and learning rates that go with them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from ..arguments import as_pair, shown, whole
from .checking import check_kind
from .vit import ViT

LEAST_PATCH = 8  # pixels
MOST_POSITIONS = 14  # along a side
DIM_HEAD = 64  # of every named shape; the default of ViT


class Preset(NamedTuple):
    """A shape: the images and patches it is known with, its widths, and the highest learning rate per 512 images."""

    image_size: int
    patch_size: int
    dim: int
    depth: int
    heads: int
    mlp_dim: int
    lr_at_512: float | None  # of a batch of 512 images; None: the usual rate of the optimizer


# The shapes of the ViTs: Touvron et al. 2021 (DeiT, arXiv 2012.12877), table 1; B is that of Dosovitskiy et al. 2021.
# Their rate is that of DeiT with AdamW, 5e-4 * batch / 512. Muon's steps are scaled to the size of AdamW's here, and
# Liu et al. 2025 (arXiv 2502.16982) find that AdamW's rate then fits. It was not tuned for MP3 at these sizes. The last
# two are the shapes of the shipped weights; the usual rate of ``finetune`` was chosen for the student.
PRESETS = {
    "vit-ti16": Preset(224, 16, 192, 12, 3, 768, 5e-4),
    "vit-s16": Preset(224, 16, 384, 12, 6, 1536, 5e-4),
    "vit-b16": Preset(224, 16, 768, 12, 12, 3072, 5e-4),
    "student": Preset(32, 8, 128, 4, 2, 512, None),
    "flagship": Preset(32, 4, 128, 6, 2, 512, None),
}


def preset(name: str, image_size: int | Sequence[int] | None = None) -> dict[str, Any]:
    """The arguments of ``ViT`` that a name stands for, all but ``num_classes``: ``ViT(num_classes=5, **preset(name))``.

    Args:
        name: ``vit-ti16``, ``vit-s16``, ``vit-b16``, ``student`` or ``flagship``.
        image_size: height and width in pixels, an int or a pair; default: that which the shape is known with, 224 for
            the first three and 32 for the others. For another size the patches stay those of the name (``…16``), or
            where it has none are those of ``patch_size_for``.

    Raises:
        ValueError: for another name, and for a size that no patch, or not the patch of the name, divides.
    """
    shape = named_preset(name)
    given = as_pair(shape.image_size if image_size is None else image_size, "image_size")
    known = name.endswith("16") or given == as_pair(shape.image_size)
    patch = shape.patch_size if known else patch_size_for(given)
    if given[0] % patch or given[1] % patch:
        raise ValueError(
            f"{name} has patches of {patch} x {patch} pixels, which do not divide images of {given[0]} x {given[1]}: "
            f"choose multiples of {patch}"
        )
    return {
        "image_size": given[0] if given[0] == given[1] else given,
        "patch_size": patch,
        "dim": shape.dim,
        "depth": shape.depth,
        "heads": shape.heads,
        "mlp_dim": shape.mlp_dim,
    }


def named_preset(name: str) -> Preset:
    """The preset of this name; ``ValueError`` for an unknown one, with the names that there are."""
    if not isinstance(name, str) or name not in PRESETS:
        raise ValueError(f"there is no model named {shown(name)}; there are: {', '.join(PRESETS)}")
    return PRESETS[name]


def patch_size_for(image_size: int | Sequence[int]) -> int:
    """The side of a patch, in pixels, for images of this size: 8 for 64 x 64 pixels, 16 for 224 x 224.

    It is the smallest side that divides height and width, has at least 8 pixels, and leaves at most 14 positions along
    each. In images under 32 pixels the least is a quarter of the shorter side.

    Raises:
        ValueError: if there is none, with sizes that have one.
    """
    height, width = as_pair(image_size, "image_size")
    shorter, longer = sorted((height, width))
    if side := fitting(shorter, longer):
        return side
    others = []
    for other in sorted(range(max(1, longer - 8), longer + 9), key=lambda other: abs(other - longer)):
        pair = [other if side == longer else side for side in (height, width)]
        others += [pair] if fitting(*sorted(pair)) else []
    sizes = " or ".join(f"{rows} x {columns}" for rows, columns in sorted(others[:2]))
    raise ValueError(
        f"images of {height} x {width} pixels have no patch size that divides them into at most {MOST_POSITIONS} "
        "positions along each side: choose a patch size, or another size" + (f", such as {sizes}" if sizes else "")
    )


def fitting(shorter: int, longer: int) -> int | None:
    least = max(1, min(LEAST_PATCH, shorter // 4))
    sides = [longer // positions for positions in range(MOST_POSITIONS, 0, -1) if longer % positions == 0]
    fits = (side for side in sides if side >= least and shorter % side == 0 and side * side < shorter * longer)
    return next(fits, None)  # a patch as large as the image would be one position


def preset_of(vit: ViT) -> str | None:
    """The name of a ViT's shape, whatever its images and patches; None where it has none. ValueError for no ViT."""
    check_kind(vit, ViT, words="vit must be a ViT")
    body = vit.transformer
    own = (vit.dim, len(body.layers), body.heads, body.mlp_dim, body.dim_head)
    named = {(one.dim, one.depth, one.heads, one.mlp_dim, DIM_HEAD): name for name, one in PRESETS.items()}
    return named.get(own)


def preset_lr(name: str, batch_size: int) -> float | None:
    """The highest learning rate that goes with a named shape; None: the usual one of ``pretrain`` and ``finetune``.

    For the three ViTs it is proportional to the number of images a step: 5e-4 for 512 (Touvron et al. 2021, arXiv
    2012.12877), with either optimizer.
    """
    rate = named_preset(name).lr_at_512
    return None if rate is None else rate * whole("batch_size", batch_size) / 512
