"""Masked position prediction: hide most patches from attention, and let every patch predict where it belongs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..arguments import is_finite, number, shown, truth
from .attention import check_size
from .attention_maps import record_attention
from .checking import check_kind, check_weights
from .compiled import without_compiled_prefix
from .context import check_context, check_drawn, sample_context, take
from .saving import SavedModel
from .vit import ViT


class Prediction(NamedTuple):
    """What ``MP3.predict`` returns, patches in row-major order.

    - ``logits`` (b, n, n): for each patch a score for each position;
    - ``labels`` (b, n) int64: the true positions, 0 … n-1;
    - ``context`` (b, k) int64: the patches that gave keys and values;
    - ``loss`` (b, n): cross-entropy of each patch, in nats; chance is ln n;
    - ``attn`` (depth, b, h, n, k): attention weights, columns in the order of ``context``; None unless asked for.
    """

    logits: Tensor
    labels: Tensor
    context: Tensor
    loss: Tensor
    attn: Tensor | None


class MP3(nn.Module, SavedModel):
    """Pretraining head and loss around a ``ViT``; a drop-in for ``vit_pytorch.mp3.MP3``.

    No patch gets a position embedding. A random subset of the patches is the context: it alone gives keys and values.
    All patches give queries, and the last features of each patch are classified into one of the n positions.

    Args:
        vit: the model to pretrain; its weights are shared, not copied.
        masking_ratio: fraction of patches that are not context, 0 < masking_ratio < 1, hiding at least one patch.
        context: where keys and values come from. ``"frozen"``: in every layer from the raw embeddings of the context
            patches, as in ``vit_pytorch``. ``"updated"``: from the context patches as the layer before has left them,
            as in the paper.

    Raises:
        ValueError: for a ratio out of range or too small to hide a patch, a ViT whose images are one patch, another
            word for ``context``, something else than a ViT, or more than 20 billion parameters.

    Source: Zhai et al. 2022, Position Prediction as an Effective Pretraining Strategy, arXiv 2207.07611.
    """

    def __init__(self, vit: ViT, masking_ratio: float, context: Literal["frozen", "updated"] = "frozen"):
        super().__init__()
        check_kind(vit, ViT, words="vit must be a ViT")
        n = vit.num_patches
        if n == 1:
            raise ValueError(one_patch(vit))
        self.vit = vit
        self.masking_ratio = masking_ratio
        self.context = context
        check_size(vit.dim * (n + 2) + n + sum(p.numel() for p in vit.parameters()))
        self.mlp_head = nn.Sequential(nn.LayerNorm(vit.dim), nn.Linear(vit.dim, n))
        self.register_load_state_dict_pre_hook(without_compiled_prefix)

    @property
    def masking_ratio(self) -> float:
        """Fraction of patches that are not context in a training, if a call gives no other; it can be set."""
        return self._masking_ratio

    @masking_ratio.setter
    def masking_ratio(self, ratio: float) -> None:
        ratio = number("masking_ratio", ratio, "lie between 0 and 1, both excluded", lambda r: 0 < r < 1)
        n = self.vit.num_patches
        if int(ratio * n) == 0:
            least = math.ceil(1e6 / n) / 1e6  # rounded up, so that the number in the message works
            raise ValueError(f"masking_ratio {ratio} hides none of {n} patches; use at least {least:g}")
        self._masking_ratio = ratio

    @property
    def context(self) -> Literal["frozen", "updated"]:
        """Where keys and values come from; it can be set."""
        return self._context

    @context.setter
    def context(self, context: Literal["frozen", "updated"]) -> None:
        if not isinstance(context, str) or context not in ("frozen", "updated"):
            raise ValueError(f'context must be "frozen" or "updated", got {shown(context)}')
        self._context = context

    @property
    def config(self) -> dict[str, Any]:
        """The arguments of the constructor that make this model as it is now, the ViT as its own ``config``."""
        return {"vit": self.vit.config, "masking_ratio": self.masking_ratio, "context": self.context}

    @classmethod
    def decoded(cls, config: dict[str, Any]) -> dict[str, Any]:
        return config | {"vit": ViT.from_config(config["vit"])}

    def forward(
        self,
        images: Tensor,
        query_fraction: float = 1.0,
        *,
        mask_ratio: float | None = None,
        generator: torch.Generator | None = None,
        drawn: tuple[Tensor, Tensor] | None = None,
    ) -> Tensor:
        """Mean cross-entropy over all patches of float images (b, c, H, W), under a freshly drawn context.

        Args:
            images: (b, c, H, W), of the size that the ViT was made for.
            query_fraction: share of the hidden patches that give queries, 0 < query_fraction <= 1. Queries do not
                depend on each other, so a random share gives an unbiased estimate of the full loss for less work.
            mask_ratio: fraction hidden, 0 <= mask_ratio < 1; default: ``masking_ratio``.
            generator: source of the context; default: the global one.
            drawn: instead of both: context (b, k) and hidden (b, n - k), as ``sample_context`` gives them.

        Returns:
            scalar, in nats; chance is ln n.

        Raises:
            ValueError: for images that ``ViT.embed`` refuses or that are of another size, for a ratio or fraction
                out of range, and for ``drawn`` of another form or beside a ratio or generator.
        """
        query_fraction = number("query_fraction", query_fraction, "be above 0 and at most 1", lambda f: 0 < f <= 1)
        tokens = self.embed(images)
        b, n, _ = tokens.shape
        if drawn is None:
            ratio = self.masking_ratio if mask_ratio is None else mask_ratio
            context, hidden = sample_context(b, n, ratio, generator=generator, device=tokens.device)
        elif mask_ratio is not None or generator is not None:
            raise ValueError("give either drawn, or mask_ratio and generator to draw it")
        else:
            context, hidden = check_drawn(drawn, b, n, tokens.device)
        queried = hidden[:, : max(1, round(query_fraction * hidden.shape[1]))]  # hidden is in random order already
        if queried.shape[1] == hidden.shape[1]:
            # frozen context: any order will do, and row-major order draws dropout as the reference does
            all_patches = torch.arange(n, device=tokens.device).expand(b, n)
            queries = all_patches if self.context == "frozen" else torch.cat((context, hidden), dim=1)
            logits = self.position_logits(tokens, queries, context)
            return F.cross_entropy(logits.flatten(0, 1), queries.flatten())
        queries, k = torch.cat((context, queried), dim=1), context.shape[1]
        logits = self.position_logits(tokens, queries, context)
        loss = F.cross_entropy(logits.flatten(0, 1), queries.flatten(), reduction="none").view_as(queries)
        return (loss[:, :k].mean() * k + loss[:, k:].mean() * (n - k)) / n

    @torch.no_grad()
    def predict(
        self,
        images: Tensor,
        context: Tensor | Sequence[int] | None = None,
        *,
        mask_ratio: float | None = None,
        generator: torch.Generator | None = None,
        with_attention: bool = False,
    ) -> Prediction:
        """Predict the position of each patch, without gradients and without changing the training mode.

        Args:
            images: float (b, c, H, W), of the size that the ViT was made for.
            context: int64 patch indices (k,) for all images or (b, k), each image's without repetition; default: drawn.
            mask_ratio: fraction hidden when the context is drawn, 0 <= mask_ratio < 1; default: the training ratio.
            generator: source of the drawn context.
            with_attention: also return the attention weights of all layers and heads.

        Returns:
            a ``Prediction``: ``logits`` (b, n, n), ``labels`` (b, n), ``context`` (b, k), ``loss`` (b, n), and ``attn``
            (depth, b, h, n, k) or None.

        Raises:
            ValueError: for images that ``ViT.embed`` refuses or that are of another size, a context that is empty,
                repeated or out of range, and weights that are not finite.
        """
        with_attention = truth("with_attention", with_attention)
        check_weights(self)
        tokens = self.embed(images)
        b, n, _ = tokens.shape
        if context is None:
            ratio = self.masking_ratio if mask_ratio is None else mask_ratio
            context, _ = sample_context(b, n, ratio, generator=generator, device=tokens.device)
        elif mask_ratio is not None or generator is not None:
            raise ValueError("give either a context, or mask_ratio and generator to draw one")
        context = check_context(context, b, n).to(tokens.device)

        k = context.shape[1]
        place = torch.arange(k, k + n, device=tokens.device).repeat(b, 1)  # the others follow in row-major order
        place = place.scatter(1, context, torch.arange(k, device=tokens.device).expand(b, k))
        queries = place.argsort(dim=1)  # [context, others]
        back = queries.argsort(dim=1)  # from there to row-major order
        attn = None
        if with_attention:
            with record_attention(self.vit.transformer) as layers:
                logits = self.position_logits(tokens, queries, context)
            attn = torch.stack(layers)
            attn = attn.gather(3, back[None, :, None, :, None].expand_as(attn))
        else:
            logits = self.position_logits(tokens, queries, context)
        logits = logits.gather(1, back[:, :, None].expand(-1, -1, n)).float()
        if not is_finite(logits):
            raise ValueError(f"the model's numbers are too large for {tokens.dtype}: the logits are not finite")
        labels = torch.arange(n, device=tokens.device).expand(b, n)
        loss = -logits.log_softmax(dim=-1).diagonal(dim1=1, dim2=2)
        return Prediction(logits, labels, context, loss, attn)

    def embed(self, images: Tensor) -> Tensor:
        """Tokens (b, n, d) without position embeddings.

        Raises:
            ValueError: for images that do not fit the n positions, and for a ``vit`` put in later that does not.
        """
        last, n = self.mlp_head[-1], self.vit.num_patches
        if isinstance(last, nn.Linear) and (last.out_features, last.in_features) != (n, self.vit.dim):
            raise ValueError(
                f"mlp_head was made for {last.out_features} patches of {last.in_features} features, and vit has "
                f"{n} of {self.vit.dim}: make a new MP3 of this vit"
            )
        if not isinstance(images, Tensor):
            raise ValueError(f"images must be a torch tensor (b, c, H, W), got {shown(images)}")
        channels_fit = images.ndim == 4 and images.shape[1] == self.vit.channels
        if channels_fit and tuple(images.shape[2:]) != self.vit.image_size:
            raise ValueError(
                f"images are {tuple(images.shape[2:])} pixels, but the position classifier was made for "
                f"{self.vit.image_size}: resize the images or build the ViT with image_size={tuple(images.shape[2:])}"
            )
        return self.vit.embed(images, pos_emb=False)

    def position_logits(self, tokens: Tensor, queries: Tensor, context: Tensor) -> Tensor:
        """Logits (b, m, n) of the patches ``queries`` (b, m), which attend to the patches ``context`` (b, k).

        With an updated context the first k queries must be the context itself.
        """
        x = take(tokens, queries)
        if self.context == "frozen":
            x = self.vit.transformer(x, context=take(tokens, context))
        else:
            x = self.vit.transformer(x, num_context=context.shape[1])
        return self.mlp_head(x)


def one_patch(vit: ViT) -> str:
    """What is wrong with a patch as large as the image, and the patch sizes that work."""
    height, width = vit.image_size
    sides = range(1, min(height, width) + 1)
    smaller = [p for p in sides if height % p == width % p == 0 and (p, p) != (height, width)]
    fix = f"choose a patch_size of {' or '.join(map(str, smaller[-5:]))}" if smaller else "choose larger images"
    return (
        f"patch_size {vit.patch_size} makes one patch of images of {height} x {width} pixels, which has no other "
        f"position to be told from: {fix}"
    )
