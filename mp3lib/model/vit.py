"""How does a picture become tokens, and tokens a class? The Vision Transformer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from einops import rearrange
from einops.layers.torch import Rearrange
from torch import Tensor, nn

from .attention import Transformer
from .posemb import posemb_sincos_2d
from .saving import SavedModel


class Features(NamedTuple):
    """Features after the last layer: ``pooled`` (b, d), the mean over the patches, and ``tokens`` (b, n, d)."""

    pooled: Tensor
    tokens: Tensor


class ViT(nn.Module, SavedModel):
    """Vision Transformer with mean pooling, no class token and fixed 2D sine-cosine position embeddings.

    Signature, parameter names and results match ``vit_pytorch.mp3.ViT``, which has no ``patch_norm`` and no
    ``classes``; state dicts load strictly both ways.
    ``save_pretrained`` and ``from_pretrained`` write and read a folder with ``config.json`` and ``model.safetensors``.

    Args:
        num_classes: number of classes.
        image_size: height and width in pixels, an int or a pair.
        patch_size: height and width of a patch in pixels, an int or a pair; has to divide ``image_size``.
        dim: features of a token, a multiple of 4.
        depth: number of layers.
        heads: attention heads per layer.
        mlp_dim: hidden features of the feed-forward parts.
        channels: channels of the image.
        dim_head: features per head.
        dropout: probability.
        patch_norm: whether a LayerNorm comes before the patch embedding, as in ``vit_pytorch``. It hides how bright a
            patch is and how strong its contrast; position prediction learns faster without it.
        classes: names of the classes in the order of the labels, if they are known. They are saved with the weights.

    Raises:
        ValueError: if a size is not positive, the patch size does not divide the image size, or the number of names
            is not that of the classes.

    Source: Dosovitskiy et al. 2021 (arXiv 2010.11929); the plain variant of Beyer et al. 2022 (arXiv 2205.01580).
    """

    def __init__(
        self,
        *,
        num_classes: int,
        image_size: int | Sequence[int],
        patch_size: int | Sequence[int],
        dim: int,
        depth: int,
        heads: int,
        mlp_dim: int,
        channels: int = 3,
        dim_head: int = 64,
        dropout: float = 0.0,
        patch_norm: bool = True,
        classes: Sequence[str] | None = None,
    ):
        super().__init__()
        self.image_size, self.patch_size = as_pair(image_size, "image_size"), as_pair(patch_size, "patch_size")
        if self.image_size[0] % self.patch_size[0] or self.image_size[1] % self.patch_size[1]:
            raise ValueError(f"patch_size {self.patch_size} does not divide image_size {self.image_size}")
        if dim < 4 or dim % 4:
            raise ValueError(f"dim must be a positive multiple of 4, got {dim}")
        if classes is not None and len(classes) != num_classes:
            raise ValueError(f"classes holds {len(classes)} names for {num_classes} classes: {list(classes)[:5]}")
        self.channels = channels
        self.dim = dim
        self.classes = None if classes is None else tuple(classes)
        self.grid = (self.image_size[0] // self.patch_size[0], self.image_size[1] // self.patch_size[1])
        self.num_patches = self.grid[0] * self.grid[1]
        patch_dim = channels * self.patch_size[0] * self.patch_size[1]

        self.to_patch_embedding = nn.Sequential(
            Rearrange("b c (h p1) (w p2) -> b h w (p1 p2 c)", p1=self.patch_size[0], p2=self.patch_size[1]),
            nn.LayerNorm(patch_dim) if patch_norm else nn.Identity(),
            nn.Linear(patch_dim, dim),
            nn.LayerNorm(dim),
        )
        self.transformer = Transformer(dim, depth, heads, dim_head, mlp_dim, dropout)
        self.to_latent = nn.Identity()
        self.linear_head = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, num_classes))

    @property
    def num_classes(self) -> int:
        """The number of classes that the head tells apart."""
        return self.linear_head[1].out_features

    @property
    def patch_norm(self) -> bool:
        """Whether a LayerNorm comes before the patch embedding."""
        return isinstance(self.to_patch_embedding[1], nn.LayerNorm)

    @property
    def config(self) -> dict[str, Any]:
        """The arguments of the constructor that make this ViT as it is now, without its weights."""
        transformer = self.transformer
        config = {
            "num_classes": self.num_classes,
            "image_size": as_int_or_list(self.image_size),
            "patch_size": as_int_or_list(self.patch_size),
            "dim": self.dim,
            "depth": len(transformer.layers),
            "heads": transformer.heads,
            "mlp_dim": transformer.mlp_dim,
            "channels": self.channels,
            "dim_head": transformer.dim_head,
            "dropout": transformer.dropout,
            "patch_norm": self.patch_norm,
        }
        return config | ({"classes": list(self.classes)} if self.classes else {})

    def embed(self, images: Tensor, pos_emb: bool = False) -> Tensor:
        """Tokens (b, n, d) of float images (b, c, H, W), in row-major order, with or without position embeddings.

        Raises:
            ValueError: for images with other dimensions or channels, or of a size that the patches do not divide.
        """
        self.check_images(images)
        x = self.to_patch_embedding(images)
        tokens = rearrange(x, "b h w d -> b (h w) d")
        return tokens + posemb_sincos_2d(x) if pos_emb else tokens

    def features(self, images: Tensor, pos_emb: bool = True) -> Features:
        """Features of float images (b, c, H, W) after the last layer; see ``Features``."""
        tokens = self.transformer(self.embed(images, pos_emb))
        return Features(tokens.mean(dim=1), tokens)

    def forward(self, images: Tensor, pos_emb: bool = True) -> Tensor:
        """Logits (b, num_classes) of float images (b, c, H, W).

        Images may be larger or smaller than ``image_size`` as long as the patches divide them. ``pos_emb=False`` leaves
        the position embeddings out: the logits then no longer depend on the order of the patches.
        """
        return self.linear_head(self.to_latent(self.features(images, pos_emb).pooled))

    def check_images(self, images: Tensor) -> None:
        if images.ndim != 4 or images.shape[1] != self.channels:
            raise ValueError(f"images must have the shape (b, {self.channels}, H, W), got {tuple(images.shape)}")
        if not images.is_floating_point():
            raise ValueError(f"images must be floating point, got {images.dtype}; mp3lib.data.to_float converts uint8")
        height, width = images.shape[2:]
        if not height or not width or height % self.patch_size[0] or width % self.patch_size[1]:
            raise ValueError(f"patch_size {self.patch_size} does not divide the images' size {(height, width)}")


def as_pair(size: int | Sequence[int], name: str = "size") -> tuple[int, int]:
    """(height, width) from an int or a pair of ints; ``ValueError`` unless both are positive whole numbers."""
    both = tuple(size) if isinstance(size, Sequence) else (size, size)
    if len(both) != 2 or any(not isinstance(s, int) or s < 1 for s in both):
        raise ValueError(f"{name} must be a positive whole number or a pair of them, got {size!r}")
    return both


def as_int_or_list(size: tuple[int, int]) -> int | list[int]:
    """The side of a square, or [height, width]: how a size is written to ``config.json``."""
    return size[0] if size[0] == size[1] else list(size)
