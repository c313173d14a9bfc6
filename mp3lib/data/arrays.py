"""What every reader returns, and what readers share: the split, the limit of memory, pictures as one array."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil

from . import decode
from .entries import readable

ARCHIVES = (".zip", ".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz", ".tbz2", ".txz")
SHARE_OF_MEMORY = 0.8  # of what is free: what a data set may take
COPIES = 2.3  # how many times the pixels are in memory at the worst moment of loading


@dataclass
class Arrays:
    """What a reader returns: images (N, 3, H, W) uint8 and labels (N,) int64, as numpy arrays."""

    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray
    classes: tuple[str, ...]
    jpeg: bool = False  # some pixels come straight out of a JPEG file, its compression grid in place
    notes: tuple[str, ...] = ()  # what the reader should know


def split(images, labels, classes, in_test=None, jpeg=False) -> Arrays:
    """Split as given, or else give every tenth image of each class (at least one, if it has two) to the test set.

    Where no class has two images, classes play no part in it.
    """
    if in_test is None:
        in_test = np.zeros(len(labels), dtype=bool)
        groups = labels if np.bincount(labels).max(initial=0) > 1 else np.zeros_like(labels)
        for group in range(len(classes)):
            (members,) = np.nonzero(groups == group)
            in_test[members[9::10] if len(members) >= 10 else members[1:][-1:]] = True
    return Arrays(images[~in_test], labels[~in_test], images[in_test], labels[in_test], classes, jpeg)


def checked(arrays: Arrays, path: Path) -> Arrays:
    """The same arrays, if there is a label for each image, and a class for each label."""
    for images, labels in ((arrays.train_images, arrays.train_labels), (arrays.test_images, arrays.test_labels)):
        if len(images) != len(labels) or not len(images):
            raise ValueError(f"{path}: {len(images)} images but {len(labels)} labels")
        if labels.min() < 0 or labels.max() >= len(arrays.classes):
            raise ValueError(f"{path}: labels from {labels.min()} to {labels.max()} for {len(arrays.classes)} classes")
    return arrays


def check_memory(number: int, size: tuple[int, int], path: Path) -> None:
    """Refuse what would not fit into memory, before it is taken.

    Raises:
        ValueError: with the estimate and what is free.
    """
    needed = COPIES * number * 3 * size[0] * size[1]
    free = free_memory()
    if needed > SHARE_OF_MEMORY * free:
        raise ValueError(
            f"{path}: {number:,} pictures of {size[0]} x {size[1]} pixels take about {needed / 1e9:.1f} GB while they "
            f"are loaded, and {free / 1e9:.1f} GB of memory are free: choose a smaller size, or fewer pictures"
        )


def free_memory() -> int:
    """Bytes that this process can still take: of the machine, and of its control group where there is one."""
    free = psutil.virtual_memory().available
    try:
        most = Path("/sys/fs/cgroup/memory.max").read_text().strip()
        used = int(Path("/sys/fs/cgroup/memory.current").read_text())
        free = free if most == "max" else min(free, int(most) - used)
    except (OSError, ValueError):
        pass
    return max(free, 0)


def pixels_of(pictures: Sequence[decode.Picture]) -> tuple[np.ndarray, tuple[str, ...]]:
    """(N, 3, H, W) uint8; pictures of more than 8 bits are scaled alike, and a note says how."""
    deep = [picture.deep for picture in pictures if picture.deep is not None]
    notes: tuple[str, ...] = ()
    black, white = 0.0, 255.0
    if deep:
        low, high = min(float(values.min()) for values in deep), max(float(values.max()) for values in deep)
        black, white = decode.value_range(low, high)
        if (black, white) != (0, 65535):
            text = f"{len(deep)} picture(s) of more than 8 bits hold values from {low:g} to {high:g}"
            notes = (f"{text}: {black:g} became black and {white:g} white, in all of them alike",)
        dark = sum(0 < values.max() <= black + (white - black) / 16 for values in deep)
        if dark:
            notes += (
                f"{dark} picture(s) of more than 8 bits are nearly black, because others of the set hold values up to "
                f"{high:g}: scale them before, if they are of another kind",
            )
    first = pictures[0]
    size = first.deep.shape if first.pixels is None else first.pixels.shape[1:]
    images = np.empty((len(pictures), 3, *size), dtype=np.uint8)
    for row, picture in enumerate(pictures):
        images[row] = picture.pixels if picture.pixels is not None else decode.scaled(picture.deep, black, white)
    return images, notes


def set_name(path: Path) -> str:
    """The name of a set: that of its folder, or of its archive without the ending; ``v1.5`` stays ``v1.5``."""
    name = readable(path.name)
    if path.is_dir():
        return name
    for suffix in sorted((*ARCHIVES, ".parquet", ".gz"), key=len, reverse=True):
        if name.lower().endswith(suffix) and len(name) > len(suffix):
            return name[: -len(suffix)]
    return name
