"""How does a picture become tokens, and tokens a class? The Vision Transformer."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any, NamedTuple

import torch
from einops import rearrange
from einops.layers.torch import Rearrange
from torch import Tensor, nn

from ..arguments import as_pair, check_dense, is_finite, not_finite, share, shown, truth, whole
from .attention import (
    MAX_DEPTH,
    Transformer,
    attention_parameters,
    check_like,
    check_size,
    check_tokens,
    feed_forward_parameters,
)
from .checking import check_names, layer_numbers, with_positions
from .compiled import without_compiled_prefix
from .posemb import posemb_sincos_2d
from .saving import SavedModel, as_int_or_list


class Features(NamedTuple):
    """Features after a layer: ``pooled`` (b, d), the mean over the patches, and ``tokens`` (b, n, d)."""

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
        ValueError: if a size is not a positive whole number (``depth``: 0 to 1,000), the patch size does not divide the
            image size, ``dropout`` is outside 0 to 1, the names are not as many as the classes or not all
            different, or there would be more than 20 billion parameters. No layer is made before all of this is known.

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
        num_classes, channels = whole("num_classes", num_classes), whole("channels", channels)
        if isinstance(dim, bool) or not isinstance(dim, Integral) or dim < 4 or dim % 4:
            raise ValueError(f"dim must be a positive multiple of 4, got {shown(dim)}")
        dim = whole("dim", dim)
        depth, heads, dim_head = whole("depth", depth, 0, MAX_DEPTH), whole("heads", heads), whole("dim_head", dim_head)
        mlp_dim, dropout = whole("mlp_dim", mlp_dim), share("dropout", dropout)
        patch_norm = truth("patch_norm", patch_norm)
        check_names(classes, num_classes)
        patch_dim = channels * self.patch_size[0] * self.patch_size[1]
        layer = attention_parameters(dim, heads, dim_head) + feed_forward_parameters(dim, mlp_dim)
        check_size(patch_dim * (2 * patch_norm + dim) + depth * layer + dim * num_classes + num_classes + 5 * dim)
        self.channels = channels
        self.dim = dim
        self.classes = None if classes is None else tuple(classes)
        self.pos_emb = True  # whether the weights are used with position embeddings, as ``finetune`` notes and saves it
        self.value_range: tuple[float, float] | None = None  # values that became 0 and 255 in training; None: 8 bits
        self.grid = (self.image_size[0] // self.patch_size[0], self.image_size[1] // self.patch_size[1])
        self.num_patches = self.grid[0] * self.grid[1]

        self.to_patch_embedding = nn.Sequential(
            Rearrange("b c (h p1) (w p2) -> b h w (p1 p2 c)", p1=self.patch_size[0], p2=self.patch_size[1]),
            nn.LayerNorm(patch_dim) if patch_norm else nn.Identity(),
            nn.Linear(patch_dim, dim),
            nn.LayerNorm(dim),
        )
        self.transformer = Transformer(dim, depth, heads, dim_head, mlp_dim, dropout)
        self.to_latent = nn.Identity()
        self.linear_head = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, num_classes))
        self.register_load_state_dict_pre_hook(without_compiled_prefix)

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
            ValueError: for images with other dimensions or channels, of a size that the patches do not divide, of
                another dtype than the weights where autocast is off, without an image, or with values that are not
                finite. (On a GPU these values are not looked at in a training step, which would have to wait.) Also
                for a ``pos_emb`` that is not True or False.
        """
        pos_emb = truth("pos_emb", pos_emb)
        self.check_images(images)
        x = self.to_patch_embedding(images)
        tokens = rearrange(x, "b h w d -> b (h w) d")
        return tokens + posemb_sincos_2d(x) if pos_emb else tokens

    def features(
        self, images: Tensor, pos_emb: bool | None = None, layers: Sequence[int] | None = None
    ) -> Features | tuple[Features, ...]:
        """Features of float images (b, c, H, W) after the last layer, or after several layers.

        Args:
            images: as ``embed`` takes them.
            pos_emb: whether position embeddings are added. Default: ``self.pos_emb``, which is True unless ``finetune``
                trained these weights without them.
            layers: after how many layers, each from 0 (the tokens that the first layer gets) to the depth; -1 is the
                depth, -2 one layer before. Default: after the last one.

        Returns:
            ``Features``, with ``pooled`` (b, d) and ``tokens`` (b, n, d); with ``layers`` a tuple of them, one for each
            layer in their order.

        Raises:
            ValueError: as ``embed``, and for layers that there are not.
        """
        depth = len(self.transformer.layers)
        wanted = [depth] if layers is None else layer_numbers(layers, depth)
        tokens = self.embed(images, with_positions(self, pos_emb))
        if layers is None:
            tokens = self.transformer(tokens)
            return Features(tokens.mean(dim=1), tokens)
        found = {0: tokens}
        for number, block in enumerate(self.transformer.layers[: max(wanted)], start=1):
            found[number] = block(found[number - 1])
        return tuple(Features(found[number].mean(dim=1), found[number]) for number in wanted)

    @property
    def num_features(self) -> int:
        """The number of features of a token, by timm's name."""
        return self.dim

    def forward_features(self, images: Tensor) -> Tensor:
        """Tokens (b, n, d) after the last layer, by timm's name; with position embeddings, if ``pos_emb`` is True."""
        return self.features(images).tokens

    def forward_head(self, tokens: Tensor, pre_logits: bool = False) -> Tensor:
        """Logits (b, num_classes) of the tokens (b, n, d) that ``forward_features`` gives, by timm's name.

        With ``pre_logits`` it is what the last linear layer gets: (b, d), the mean over the patches, normalised.
        """
        pre_logits = truth("pre_logits", pre_logits)
        check_tokens(tokens, self.linear_head[0], "tokens")
        pooled = self.to_latent(tokens.mean(dim=1))
        return self.linear_head[0](pooled) if pre_logits else self.linear_head(pooled)

    def reset_classifier(self, num_classes: int, classes: Sequence[str] | None = None) -> None:
        """Replace the head by a fresh one, in place, by timm's name. ``use_classes`` gives a new ViT instead.

        Args:
            num_classes: number of classes.
            classes: their names, if they are known.

        Raises:
            ValueError: for a number that is not positive, and names that are not as many.
        """
        num_classes = whole("num_classes", num_classes)
        check_names(classes, num_classes)
        weight, training = self.linear_head[1].weight, self.linear_head.training
        head = nn.Sequential(nn.LayerNorm(self.dim), nn.Linear(self.dim, num_classes))
        self.linear_head = head.to(weight).train(training)
        self.classes = None if classes is None else tuple(classes)

    def forward(self, images: Tensor, pos_emb: bool | None = None) -> Tensor:
        """Logits (b, num_classes) of float images (b, c, H, W).

        Images may be larger or smaller than ``image_size`` as long as the patches divide them. ``pos_emb=False`` leaves
        the position embeddings out: the logits then no longer depend on the order of the patches. The default is
        ``self.pos_emb``, which is True unless ``finetune`` trained these weights without them.
        """
        return self.linear_head(self.to_latent(self.features(images, pos_emb).pooled))

    def check_images(self, images: Tensor) -> None:
        """Raise ``ValueError`` for images that this model cannot take; see ``embed``."""
        if not isinstance(images, Tensor):
            raise ValueError(f"images must be a torch tensor (b, {self.channels}, H, W), got {shown(images)}")
        check_dense("images", images, meta=True)
        if images.ndim != 4 or images.shape[1] != self.channels:
            channels_last = images.ndim == 4 and images.shape[3] == self.channels
            hint = ", which looks like (b, H, W, c): permute(0, 3, 1, 2)" if channels_last else ""
            raise ValueError(f"images must have the shape (b, {self.channels}, H, W), got {tuple(images.shape)}{hint}")
        if not images.is_floating_point():
            raise ValueError(f"images must be floating point, got {images.dtype}; mp3lib.data.to_float converts uint8")
        height, width = images.shape[2:]
        if not height or not width or height % self.patch_size[0] or width % self.patch_size[1]:
            raise ValueError(f"patch_size {self.patch_size} does not divide the images' size {(height, width)}")
        if (weight := next(self.to_patch_embedding.parameters(), None)) is not None:
            check_like(images, weight, "images")
        if torch.compiler.is_compiling():
            return
        if not len(images):
            raise ValueError(f"images must be at least one, got the shape {tuple(images.shape)}")
        in_a_step = self.training and torch.is_grad_enabled() and images.device.type != "cpu"
        if not in_a_step and not is_finite(images):
            raise ValueError(f"images must be finite, got {not_finite(images)}")
