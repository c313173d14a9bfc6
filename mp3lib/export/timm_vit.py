"""The architecture ``mp3lib_vit``, which timm knows once this file is imported, and the layers that timm lacks.

``import mp3lib.export.timm_vit`` is needed before ``timm.create_model`` loads a folder of that architecture.
"""

from __future__ import annotations

import torch.nn.functional as F
from einops import rearrange
from timm.layers import Attention, PatchEmbed
from timm.models import VisionTransformer, build_model_with_cfg, register_model
from torch import Tensor, nn


class NormedPatchEmbed(PatchEmbed):
    """timm's patch embedding with a LayerNorm on the pixels of a patch before the linear map.

    (b, c, H, W) -> (b, n, d). The weights of the map are those of the convolution ``proj``.
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        channels, (height, width) = self.proj.in_channels, self.patch_size
        self.pixel_norm = nn.LayerNorm(channels * height * width)

    def forward(self, x: Tensor) -> Tensor:
        height, width = self.patch_size
        x = self.pixel_norm(rearrange(x, "b c (h p1) (w p2) -> b (h w) (p1 p2 c)", p1=height, p2=width))
        x = F.linear(x, rearrange(self.proj.weight, "d c p1 p2 -> d (p1 p2 c)"), self.proj.bias)
        return self.norm(x)


def attention_of(dim_head: int) -> type[Attention]:
    """timm's attention with ``dim_head`` features per head, whatever the width of a token."""

    class FreeAttention(Attention):
        def __init__(self, dim: int, **kwargs):
            super().__init__(dim, attn_head_dim=dim_head, **kwargs)

    return FreeAttention


@register_model
def mp3lib_vit(pretrained: bool = False, dim_head: int = 64, patch_norm: bool = False, **kwargs) -> VisionTransformer:
    """A ViT of mp3lib in timm's class.

    Args:
        pretrained: whether timm loads weights.
        dim_head: features per head; timm's own layers take ``embed_dim / num_heads`` only.
        patch_norm: whether a LayerNorm comes before the patch embedding, which timm's own layers do not have.
        kwargs: of ``timm.models.VisionTransformer``. The LayerNorms are PyTorch's, with eps = 1e-5.
    """
    kwargs |= {"norm_layer": nn.LayerNorm, "embed_norm_layer": nn.LayerNorm}
    if patch_norm:
        kwargs["embed_layer"] = NormedPatchEmbed
    if dim_head * kwargs["num_heads"] != kwargs["embed_dim"]:
        kwargs["attn_layer"] = attention_of(dim_head)
    return build_model_with_cfg(VisionTransformer, "mp3lib_vit", pretrained, **kwargs)
