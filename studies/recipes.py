"""Changes to MP3 that the study "fine" of tools/studies.py tries. None is an option of mp3lib so far."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from mp3lib import MP3
from mp3lib.model import Attention, sample_context


class QKNorm(Attention):
    """Attention whose queries and keys have length sqrt(dim_head) each: what counts is their angle.

    Source: Henry et al. 2020, *Query-Key Normalization for Transformers*, arXiv 2010.04245, here without its gain.
    """

    def queries_keys_values(self, x: Tensor, context: Tensor | None, num_context: int | None) -> list[Tensor]:
        q, k, v = super().queries_keys_values(x, context, num_context)
        return [F.rms_norm(t, t.shape[-1:]).to(v.dtype) for t in (q, k)] + [v]


class Scheduled(MP3):
    """Knows which ``share`` of its training is over; the count of steps is saved and loaded with the weights."""

    total: int
    step: Tensor

    @property
    def share(self) -> float:
        return min(1.0, int(self.step) / self.total)


class RisingRatio(Scheduled):
    """A quarter of the patches hidden at first, three quarters in the last third of the training."""

    mean = 0.5 * 2 / 3 + 0.75 / 3

    def forward(self, images: Tensor, **options) -> Tensor:
        self.masking_ratio = 0.25 + 0.5 * min(1.0, 1.5 * self.share)
        self.step += 1
        return super().forward(images, **options)


class Smoothed(Scheduled):
    """Nearby positions count as partly right, exp(-distance² / sigma²), distance in patches; sigma falls from 1 to 0.

    Source: Wang et al. 2023, *DropPos*, arXiv 2309.03576, section 3.2.
    """

    def forward(self, images: Tensor, *, query_fraction: float) -> Tensor:
        tokens = self.embed(images)
        b, n, _ = tokens.shape
        context, hidden = sample_context(b, n, self.masking_ratio, device=tokens.device)
        k = context.shape[1]
        queries = torch.cat((context, hidden[:, : round(query_fraction * (n - k))]), dim=1)
        places = torch.cartesian_prod(*(torch.arange(side, device=tokens.device) for side in self.vit.grid)).float()
        sigma = max(1 - self.share, 1e-3)
        targets = (-(torch.cdist(places, places) ** 2) / sigma**2).softmax(dim=-1)
        self.step += 1
        logits = self.position_logits(tokens, queries, context).flatten(0, 1)
        loss = F.cross_entropy(logits, targets[queries].flatten(0, 1), reduction="none").view_as(queries)
        return (loss[:, :k].mean() * k + loss[:, k:].mean() * (n - k)) / n


def qk_norm(mp3: MP3, total: int) -> None:
    for module in mp3.modules():
        if isinstance(module, Attention):
            module.__class__ = QKNorm


def rising_ratio(mp3: MP3, total: int) -> None:
    scheduled(mp3, total, RisingRatio)


def smoothed(mp3: MP3, total: int) -> None:
    scheduled(mp3, total, Smoothed)


def scheduled(mp3: MP3, total: int, kind: type[Scheduled]) -> None:
    """Turn ``mp3`` into one of that kind, for a training of ``total`` steps."""
    mp3.__class__ = kind
    mp3.total = total
    mp3.register_buffer("step", torch.tensor(0))
