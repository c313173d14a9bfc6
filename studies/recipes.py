"""Changes to MP3 that the study "fine" tries. Each gives the model to train, which shares the weights of the given one.

None of them is an option of mp3lib so far.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mp3lib import MP3
from mp3lib.model import Attention, sample_context


class QKNorm(Attention):
    """Attention whose queries and keys have length sqrt(dim_head) each: only their angle counts.

    Source: Henry et al. 2020, *Query-Key Normalization for Transformers*, arXiv 2010.04245, here without its gain.
    """

    def __init__(self, attention: Attention):
        nn.Module.__init__(self)  # the layers are those of ``attention``: none is made, so none is drawn
        self.heads, self.scale = attention.heads, attention.scale
        for name, layer in attention.named_children():
            self.add_module(name, layer)

    def queries_keys_values(self, x: Tensor, context: Tensor | None, num_context: int | None) -> list[Tensor]:
        q, k, v = super().queries_keys_values(x, context, num_context)
        return [F.rms_norm(t, t.shape[-1:]).to(v.dtype) for t in (q, k)] + [v]


class Scheduled(MP3):
    """An MP3 that knows which ``share`` of its ``total`` steps is over; the count is saved with the weights."""

    step: Tensor

    def __init__(self, mp3: MP3, total: int):
        with torch.random.fork_rng(devices=[]):  # the head made here is replaced: its random numbers must not count
            super().__init__(mp3.vit, mp3.masking_ratio, mp3.context)
        self.mlp_head = mp3.mlp_head
        self.total = total
        self.register_buffer("step", torch.tensor(0))

    @property
    def share(self) -> float:
        return min(1.0, int(self.step) / self.total)


class RisingRatio(Scheduled):
    """A quarter of the patches hidden at first, three quarters in the last third of the training."""

    mean = 0.5 * 2 / 3 + 0.75 / 3

    def forward(self, images: Tensor, *, query_fraction: float, drawn: tuple[Tensor, Tensor] | None = None) -> Tensor:
        """``drawn`` is not used: its mask ratio is not the one of this step."""
        self.masking_ratio = 0.25 + 0.5 * min(1.0, 1.5 * self.share)
        self.step += 1
        return super().forward(images, query_fraction)


class Smoothed(Scheduled):
    """Nearby positions count as partly right, exp(-distance² / sigma²), distance in patches; sigma falls from 1 to 0.

    Source: Wang et al. 2023, *DropPos*, arXiv 2309.03576, section 3.2.
    """

    def forward(self, images: Tensor, *, query_fraction: float, drawn: tuple[Tensor, Tensor] | None = None) -> Tensor:
        tokens = self.embed(images)
        b, n, _ = tokens.shape
        context, hidden = drawn or sample_context(b, n, self.masking_ratio, device=tokens.device)
        k = context.shape[1]
        queries = torch.cat((context, hidden[:, : round(query_fraction * (n - k))]), dim=1)
        places = torch.cartesian_prod(*(torch.arange(side, device=tokens.device) for side in self.vit.grid)).float()
        sigma = max(1 - self.share, 1e-3)
        targets = (-(torch.cdist(places, places) ** 2) / sigma**2).softmax(dim=-1)
        self.step += 1
        logits = self.position_logits(tokens, queries, context).flatten(0, 1)
        loss = F.cross_entropy(logits, targets[queries].flatten(0, 1), reduction="none").view_as(queries)
        return (loss[:, :k].mean() * k + loss[:, k:].mean() * (n - k)) / n


def qk_norm(mp3: MP3, total: int) -> MP3:
    for layer in mp3.vit.transformer.layers:
        layer[0] = QKNorm(layer[0])
    return mp3


def rising_ratio(mp3: MP3, total: int) -> MP3:
    return RisingRatio(mp3, total)


def smoothed(mp3: MP3, total: int) -> MP3:
    return Smoothed(mp3, total)
