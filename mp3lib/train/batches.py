"""Where the batches of a training come from: ``InMemory``, images and labels as tensors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

from torch import Tensor


class Batch(NamedTuple):
    """What a process computes a step with."""

    images: Tensor  # (b, c, h, w) uint8, on the CPU
    labels: Tensor | None  # (b,) int64
    cropped: bool  # whether random crop and flip are done already


class Source(Protocol):
    """Gives a training its batches."""

    def __len__(self) -> int:
        """The number of images."""

    def epoch(self, order: Tensor, places: Sequence[Tensor], seed: int, epoch: int) -> Iterator[Batch]:
        """The batches that are still to be done in an epoch: one a step, or several with gradient accumulation.

        Args:
            order: indices of all images, int64 (N,), in the order of this epoch.
            places: for each batch the places in ``order``, int64 (b,), of the images that this process computes with.
            seed: of the run.
            epoch: counted from 0. With the seed and an image's place it decides what is drawn for the image.
        """


class InMemory:
    """Images, uint8 (N, c, H, W), and labels, int64 (N,), as tensors. The loss crops and flips them."""

    def __init__(self, images: Tensor, labels: Tensor | None = None):
        self.images, self.labels = images, labels

    def __len__(self) -> int:
        return len(self.images)

    def epoch(self, order: Tensor, places: Sequence[Tensor], seed: int, epoch: int) -> Iterator[Batch]:
        for own in places:
            chosen = order[own]
            yield Batch(self.images[chosen], None if self.labels is None else self.labels[chosen], cropped=False)
