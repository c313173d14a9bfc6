"""Where the batches of a training come from: ``InMemory``, tensors; ``Streamed``, files that workers read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

from torch import Tensor
from torch.utils.data import DataLoader

from ..data.streaming import Asked, Augmented, Stream, warn_of


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


class Streamed:
    """Images of a ``Stream``, and labels, int64 (N,). Its workers crop them at random from the whole pictures.

    The workers start with the first epoch and end with this object. What is drawn for an image follows from the seed,
    the epoch and the image's place in its order, so it is the same for any number of workers.
    """

    def __init__(self, images: Stream, labels: Tensor | None, crop_area: tuple[float, float], flip: bool):
        self.images, self.labels, self.crop_area, self.flip = images, labels, crop_area, flip
        self.order = Order()
        self.loader: DataLoader | None = None

    def __len__(self) -> int:
        return len(self.images)

    def epoch(self, order: Tensor, places: Sequence[Tensor], seed: int, epoch: int) -> Iterator[Batch]:
        if not places:
            return
        self.order.set(order, places, Augmented(seed, epoch, self.crop_area, self.flip))
        if self.loader is None:
            largest = max(map(len, places))
            self.loader = self.images.loader(self.order, largest, self.images.workers, persistent=True)
        for read in self.loader:
            warn_of(read.notes)
            yield Batch(read.pixels, None if self.labels is None else self.labels[read.indices], cropped=True)


class Order:
    """What the workers are asked for in an epoch, a batch after the other. It changes from epoch to epoch."""

    def set(self, order: Tensor, places: Sequence[Tensor], augmented: Augmented) -> None:
        self.order, self.places, self.augmented = order, places, augmented

    def __iter__(self) -> Iterator[list[Asked]]:
        for own in self.places:
            indices = self.order[own].tolist()
            yield [Asked(i, place, self.augmented) for i, place in zip(indices, own.tolist(), strict=True)]


def source_of(
    images: Tensor | Stream, labels: Tensor | None, crop_area: tuple[float, float], flip: bool
) -> InMemory | Streamed:
    """The source for images in either form; ``crop_area`` and ``flip`` are what its workers do."""
    return Streamed(images, labels, crop_area, flip) if isinstance(images, Stream) else InMemory(images, labels)
