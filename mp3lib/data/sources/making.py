"""From what a reader returns to the images of a set: their fingerprint, what is odd about them, the cache of sets."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..images import CIFAR10_CLASSES, CIFAR10_FINGERPRINT, Images, Split, digest, fingerprint, images_of, texts_of
from ..notes import BARE
from ..pictures import decode
from ..sets.arrays import Arrays, set_name
from ..sets.wanted import Wanted
from ..streaming import Stream
from . import cache

_JPEG = (
    "these pixels look as if they went through JPEG at this size, and position prediction learns the place in its "
    "8 x 8 compression grid instead of the picture, so results on them say nothing about lossless images"
)


def to_images(arrays: Arrays, source: str, name: str, search: bool = True) -> Images:
    """The images that a reader has found, with their fingerprint and, if searched for, notes of what is odd in them."""
    train, test = (
        Split(images if isinstance(images, Stream) else torch.from_numpy(images), torch.from_numpy(labels))
        for images, labels in (
            (arrays.train_images, arrays.train_labels),
            (arrays.test_images, arrays.test_labels),
        )
    )
    notes = tuple(arrays.notes)
    if isinstance(train.images, Stream):
        if arrays.jpeg:
            notes += (_JPEG,)
        return Images(train, test, arrays.classes, source, arrays.fingerprint, name, notes, arrays.value_range)
    digits = fingerprint(train, test)
    classes = arrays.classes
    if digits == CIFAR10_FINGERPRINT and classes == tuple("0123456789"):  # its parquet files may name no classes
        classes, name = CIFAR10_CLASSES, "cifar10"
    if digits != CIFAR10_FINGERPRINT and search:
        notes += repeated(train, test, arrays.classes)
        if arrays.jpeg or jpeg_grid(arrays.train_images) > 1.04:
            notes += (("this is not the lossless CIFAR-10: " if name == "cifar10" else "") + _JPEG,)
        elif name == "cifar10":
            notes += ("this is not the whole lossless CIFAR-10: results on it cannot be compared with others",)
    return Images(train, test, classes, source, digits, name, notes, arrays.value_range)


def repeated(train: Split, test: Split, classes: tuple[str, ...]) -> tuple[str, ...]:
    """Notes where one picture in a hundred, or more, is there again, pixel by pixel: to test, or in another class."""
    first: dict[bytes, int] = {}  # the class of each picture of the training set
    conflicts: list[tuple[int, int]] = []
    for picture, label in zip(np.ascontiguousarray(train.images.numpy()), train.labels.tolist(), strict=True):
        if (known := first.setdefault(digest(picture), label)) != label and -1 not in (known, label):
            conflicts.append((known, label))
    found = [first.get(digest(picture)) for picture in np.ascontiguousarray(test.images.numpy())]
    notes: tuple[str, ...] = ()
    # pictures without labels come last, so that one with a label counts for what is there in both
    for where, again in (
        ("in the training set", sum(label is not None and label >= 0 for label in found)),
        (f"among the {BARE}", found.count(-1)),
    ):
        if again and 100 * again >= len(test):
            which = f"all {len(test):,}" if again == len(test) else f"{again:,} of {len(test):,}"
            notes += (
                f"{which} test pictures are {where} as well, pixel by pixel: results on them say little about pictures "
                "that were not trained on",
            )
    if conflicts and 100 * len(conflicts) >= len(train):
        one, other = (classes[label] for label in min(conflicts))
        notes += (
            f"{len(conflicts):,} training picture(s) are there again in another class, pixel by pixel, as in {one} and "
            f"{other}: remove one of them",
        )
    return notes


def jpeg_grid(images: np.ndarray) -> float:
    """How much larger the step from pixel to pixel is across the borders of 8 x 8 blocks than right beside them.

    ``images`` is (N, 3, H, W) uint8. About 1 for pixels that were never compressed, 1.07 and more at the usual quality
    of JPEG. It needs hundreds of images: below 500, where it would be noise, 1 is returned.
    """
    if len(images) < 500 or min(images.shape[2:]) < 17:
        return 1.0
    ratios = []
    for axis in (2, 3):
        sums, number = 0, 0
        for begin in range(0, min(len(images), 2000), 50):  # a few at a time: they take four times their memory here
            steps = np.abs(np.diff(images[begin : min(begin + 50, 2000)].astype(np.int16), axis=axis))
            sums = sums + steps.sum(axis=(0, 1, 5 - axis), dtype=np.int64)
            number += steps.size // steps.shape[axis]
        steps = sums / number
        borders = np.arange(7, len(steps) - 1, 8)
        ratios.append(2 * steps[borders].mean() / max((steps[borders - 1] + steps[borders + 1]).mean(), 1e-6))
    return float(min(ratios))


def name_of(arrays: Arrays, path: Path) -> str:
    """What the images are called: ``cifar10`` where they have its classes and shape, else by their path."""
    like_cifar10 = arrays.classes == CIFAR10_CLASSES and arrays.train_images.shape[1:] == (3, 32, 32)
    return "cifar10" if like_cifar10 else set_name(path)


def resized(images: Images, wanted: Wanted) -> Images:
    """A set in memory at another size, with a fingerprint of its own."""
    wanted = wanted._replace(channels=images.train.images.shape[1])
    wanted.streams(len(images.train) + len(images.test), Path(images.name), possible=False)
    train, test = (Split(fitted(split.images, wanted.size), split.labels) for split in (images.train, images.test))
    return replace(images, train=train, test=test, fingerprint=fingerprint(train, test))


def fitted(images: Tensor, size: tuple[int, int]) -> Tensor:
    """Images uint8 (N, c, H, W) at another size, one after the other."""
    resized = torch.empty((len(images), images.shape[1], *size), dtype=torch.uint8)
    for row, image in zip(resized, images, strict=True):
        row.copy_(decode.fit_pixels(image, size))
    return resized


def from_cache(file: Path, key: str | None = None) -> Images | str:
    """The set in a file of the cache, or why it cannot be used."""
    found = cache.read(file, key)
    if isinstance(found, str):
        return found
    try:
        images = images_of(*found)
    except (KeyError, ValueError, TypeError, RecursionError):
        return "damaged"
    return images if images.is_whole() else "damaged"


def to_cache(images: Images, file: Path, key: str) -> str:
    """Write a set to a file of the cache; why that failed, or an empty text."""
    tensors = {"train_images": images.train.images, "train_labels": images.train.labels}
    tensors |= {"test_images": images.test.images, "test_labels": images.test.labels}
    return cache.write(file, key, tensors, texts_of(images))
