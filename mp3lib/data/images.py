"""What ``load_images`` returns: a data set of two splits."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from .streaming import Stream


@dataclass(frozen=True, eq=False)
class Split:
    """``images`` (N, c, H, W) uint8, in memory or streamed, and ``labels`` (N,) int64, on the CPU."""

    images: Tensor | Stream
    labels: Tensor

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:
        return f"Split(images={tuple(self.images.shape)} uint8, labels={tuple(self.labels.shape)} int64)"


@dataclass(frozen=True, eq=False)
class Images:
    """A data set: two splits, the names of the classes in the order of the labels, and where the pixels are from."""

    train: Split
    test: Split
    classes: tuple[str, ...]
    source: str  # where the pixels were first taken from
    fingerprint: str  # the same for the same set of images and labels, in whatever order they came
    name: str  # "cifar10", "scenes" or the name of the reader's folder
    notes: tuple[str, ...] = ()  # what is wrong with it, if anything; load_images warns of each
