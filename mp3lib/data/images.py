"""What ``load_images`` returns: a data set of two splits, and its fingerprint; and by what CIFAR-10 is known."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..arguments import as_range, shown
from .streaming import Stream

CIFAR10_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
CIFAR10_FINGERPRINT = "c55f42c974b53503aff2a9407ce49eec"  # of the lossless pixels, from whichever source


@dataclass(frozen=True, eq=False)
class Split:
    """``images`` (N, c, H, W) uint8, in memory or streamed, and ``labels`` (N,) int64, on the CPU.

    A label of -1 says that an image has none.
    """

    images: Tensor | Stream
    labels: Tensor

    def __len__(self) -> int:
        return len(self.images)

    def is_whole(self, classes: int | None = None) -> bool:
        """Whether these are images and labels as they should be, with one of so many classes or -1 for each image."""
        images, labels = self.images, self.labels
        return (
            images.dtype == torch.uint8
            and images.ndim == 4
            and labels.dtype == torch.int64
            and labels.shape == images.shape[:1]
            and (not len(labels) or (int(labels.min()) >= -1 and (classes is None or int(labels.max()) < classes)))
        )

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
    value_range: tuple[float, float] | None = None  # the values that became 0 and 255; None: of 8 bits, as they are

    def is_whole(self) -> bool:
        """Whether both splits are as they should be, with images of one shape."""
        same = self.train.images.shape[1:] == self.test.images.shape[1:]
        return same and all(split.is_whole(len(self.classes)) for split in (self.train, self.test))


def texts_of(images: Images) -> dict[str, str]:
    """What is stored in a file beside the tensors of a set."""
    about = {"classes": json.dumps(images.classes), "notes": json.dumps(images.notes)}
    about |= {"value_range": json.dumps(images.value_range)}
    return about | {"source": images.source, "fingerprint": images.fingerprint, "name": images.name}


def images_of(tensors: Mapping[str, Tensor], about: Mapping[str, str]) -> Images:
    """A set from the tensors of its file, ``train_images``, ``train_labels`` and so on, and the texts of ``texts_of``.

    Raises:
        KeyError, ValueError, TypeError or RecursionError: for a damaged file.
    """
    train, test = (Split(tensors[f"{part}_images"], tensors[f"{part}_labels"]) for part in ("train", "test"))
    classes, notes = (tuple(map(str, json.loads(about[name]))) for name in ("classes", "notes"))
    values = json.loads(about.get("value_range", "null"))
    low_high = None if values is None else as_range("value_range", values, "a pair", lambda low, high: low < high)
    return Images(train, test, classes, about["source"], about["fingerprint"], about["name"], notes, low_high)


def not_used(value_range: tuple[float, float] | None, own: tuple[float, float] | None) -> tuple[str, ...]:
    """A note where a range of values was given, and other values (``own``), or none, became 0 and 255."""
    if value_range in (None, own):
        return ()
    reason = "there are no values of more than 8 bits to scale"
    if own is not None:
        reason = f"the values from {own[0]:g} to {own[1]:g} became 0 and 255 already, when it was packed"
    given = f"{value_range[0]:g} to {value_range[1]:g} (--value-range, or that of the weights)"
    return (f"value_range, {given}, is not used: {reason}",)


def digest(pixels: np.ndarray, salt: bytes = b"") -> bytes:
    """16 bytes that are the same for the same pixels and the same salt alone."""
    return hashlib.blake2b(pixels, digest_size=16, salt=salt).digest()


def fingerprint(train: Split, test: Split) -> str:
    """32 hex digits that depend on which (pixels, label) pairs are in each split, not on their order.

    Raises:
        ValueError: unless both are a ``Split`` whose images are in memory, with a label each.
    """
    for name, split in (("train", train), ("test", test)):
        if not isinstance(split, Split) or not isinstance(split.images, Tensor) or not split.is_whole():
            raise ValueError(f"{name} must be a Split of images in memory, with a label each, got {shown(split)}")
    whole = hashlib.sha256()
    for split in (train, test):
        rows = np.ascontiguousarray(split.images.numpy()).reshape(len(split), -1)
        pairs = zip(rows, split.labels.tolist(), strict=True)
        digests = [digest(row, b"%d" % label) for row, label in pairs]
        whole.update(repr(tuple(split.images.shape)).encode())
        whole.update(b"".join(sorted(digests)))
    return whole.hexdigest()[:32]
