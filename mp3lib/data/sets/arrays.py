"""What every reader returns, and what readers share: the split, names of sets."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..files.entries import readable
from ..notes import listed
from ..streaming import Stream

NO_LABELS = "no training picture has a label, so the set is for pretraining alone (unlabelled=True)"
ARCHIVES = (".zip", ".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz", ".tbz2", ".txz")


@dataclass
class Arrays:
    """What a reader returns: images (N, c, H, W) uint8 and labels (N,) int64, as numpy arrays, or images streamed."""

    train_images: np.ndarray | Stream
    train_labels: np.ndarray
    test_images: np.ndarray | Stream
    test_labels: np.ndarray
    classes: tuple[str, ...]
    jpeg: bool = False  # some pixels come straight out of a JPEG file, its compression grid in place
    notes: tuple[str, ...] = ()  # what the reader should know
    fingerprint: str = ""  # of a streamed set
    value_range: tuple[float, float] | None = None  # the values that became 0 and 255; None: 8 bits, as they are


class Arrangement(NamedTuple):
    """The numbers of pictures in each split, in order, with their labels; the classes; and notes."""

    train: np.ndarray  # int64
    train_labels: np.ndarray  # int64
    test: np.ndarray
    test_labels: np.ndarray
    classes: tuple[str, ...]
    notes: tuple[str, ...]


def every_tenth(labels: np.ndarray, number: int) -> np.ndarray:
    """Which images become the test set where nothing says so: every tenth of each class, bool (N,).

    It is at least one of a class that has two. Where no class has two images, classes play no part in it. Images
    without a label (-1) stay in the training set, unless all are without.

    Args:
        labels: int64 (N,), below ``number`` or -1.
        number: of classes.
    """
    in_test = np.zeros(len(labels), dtype=bool)
    known = labels[labels >= 0]
    if not len(known) or np.bincount(known).max() < 2:
        labels, number = np.zeros_like(labels) if not len(known) else np.minimum(labels, 0), 1
    for group in range(number):
        (members,) = np.nonzero(labels == group)
        in_test[members[9::10] if len(members) >= 10 else members[1:][-1:]] = True
    return in_test


def untrained(labels: np.ndarray, in_test: np.ndarray, classes: tuple[str, ...]) -> tuple[str, ...]:
    """A note where no training picture has a class of the test pictures, or where none has a label.

    Args:
        labels: int64 (N,), of the pictures that have a label.
        in_test: bool (N,).
        classes: their names.
    """
    if in_test.all():
        return ("no training picture has a label: the classes are those of the test pictures",)
    new = listed(classes[number] for number in {*labels[in_test].tolist()} - {*labels[~in_test].tolist()})
    return (f"no training picture has the class {new} of the test pictures",) if new else ()


def checked(arrays: Arrays, path: Path) -> Arrays:
    """The same arrays, if there is a label for each image, and a class for each label (-1: none)."""
    for images, labels in ((arrays.train_images, arrays.train_labels), (arrays.test_images, arrays.test_labels)):
        if len(images) != len(labels) or not len(images):
            raise ValueError(f"{path}: {len(images)} images but {len(labels)} labels")
        if labels.min() < -1 or labels.max() >= len(arrays.classes):
            raise ValueError(f"{path}: labels from {labels.min()} to {labels.max()} for {len(arrays.classes)} classes")
    return arrays


def set_name(path: Path) -> str:
    """The name of a set: that of its folder, or of its archive without the ending; ``v1.5`` stays ``v1.5``."""
    name = readable(path.name)
    if path.is_dir():
        return name
    for suffix in sorted((*ARCHIVES, ".parquet", ".gz"), key=len, reverse=True):
        if name.lower().endswith(suffix) and len(name) > len(suffix):
            return name[: -len(suffix)]
    return name
