"""Images that are objects already: map-style data sets, Hugging Face's among them, tensors and NumPy arrays."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..arguments import shown
from .arrays import Arrays, every_tenth
from .contents import pixels_of_content
from .images import Images
from .making import resized, to_images
from .map_style import as_stream
from .parquet import LABELS
from .split_names import TEST
from .streaming import Stream
from .tensors import as_images, as_labels, is_data_set
from .wanted import Wanted


def is_object(images: Any) -> bool:
    """Whether this is something that holds images, and no name or path of them."""
    return isinstance(images, (Tensor, np.ndarray, Mapping)) or is_data_set(images)


def labels_of(dataset: Any) -> tuple[np.ndarray, tuple[str, ...]]:
    """The labels, int64 (N,), and the names of the classes: of a label column, or of ``targets``; else one class."""
    number, names = len(dataset), ()
    if hasattr(dataset, "cast_column"):
        column = next((name for name in LABELS if name in dataset.features), None)
        given = dataset[column][:] if column else None
        names = tuple(getattr(dataset.features.get(column), "names", None) or ()) if column else ()
    else:
        given, names = getattr(dataset, "targets", None), tuple(map(str, getattr(dataset, "classes", ())))
    given = given.tolist() if hasattr(given, "tolist") else given
    if given is None or any(isinstance(one, bool) or not isinstance(one, int) for one in given):
        return np.zeros(number, dtype=np.int64), ("images",)
    labels = as_labels(given, number, "targets").numpy()
    most = int(labels.max()) + 1
    return labels, names if len(names) >= most else tuple(map(str, range(most)))


def from_object(images: Any, wanted: Wanted, size_given: bool) -> tuple[Images, str]:
    """The images of an object, and where they are, in words.

    Raises:
        ValueError: for an object that holds no images; see ``load_images``.
    """
    if isinstance(images, (Tensor, np.ndarray)):
        return from_tensor(as_images(images, channels=wanted.channels), wanted, size_given), "given as a tensor"
    wanted = wanted._replace(channels=wanted.channels or 3)
    test = None
    if isinstance(images, Mapping):
        word = next((word for word in TEST if word in images), None)
        if "train" not in images or not all(map(is_data_set, images.values())):
            raise ValueError(f"several data sets must be named train and test, got {shown([*images])}")
        images, test = images["train"], images[word] if word else None
    labels, classes = labels_of(images)
    train = stream_of(images, wanted)
    if test is None:
        tenth = torch.from_numpy(every_tenth(labels, len(classes)))
        parts = [(train[~tenth], labels[~tenth.numpy()]), (train[tenth], labels[tenth.numpy()])]
    else:
        test_labels, more = labels_of(test)
        classes = max(classes, more, key=len)
        parts = [(train, labels), (stream_of(test, wanted), test_labels)]
    number = sum(len(part) for part, _ in parts)
    if wanted.streams(number, Path(type(images).__name__), possible=True):
        text = repr([(len(part), known.tolist()) for part, known in parts]).encode()
        arrays = Arrays(*parts[0], *parts[1], classes, fingerprint=hashlib.sha256(text).hexdigest()[:32])
        return to_images(arrays, "a data set", type(images).__name__), f"streamed by {train.workers} worker(s)"
    pixels = np.empty((number, wanted.channels, *wanted.size), dtype=np.uint8)
    row = 0
    for part, _ in parts:
        for batch in part.split(64):
            pixels[row : row + len(batch)] = batch
            row += len(batch)
    first = len(parts[0][0])
    arrays = Arrays(pixels[:first], parts[0][1], pixels[first:], parts[1][1], classes)
    return to_images(arrays, "a data set", type(images).__name__), "in memory"


def stream_of(dataset: Any, wanted: Wanted) -> Stream:
    """A data set as a ``Stream``; its first element is looked at.

    Raises:
        ValueError: where there is none, or where it is no picture.
    """
    stream = as_stream(dataset, wanted.size, wanted.channels, "a data set")
    if isinstance(reason := pixels_of_content(stream.contents, 0, wanted.size, wanted.channels), str):
        raise ValueError(f"the first element of the {type(dataset).__name__} cannot be used: {reason}")
    return stream if wanted.workers is None else replace(stream, workers=wanted.workers)


def from_tensor(images: Tensor, wanted: Wanted, size_given: bool) -> Images:
    """Images of a tensor without labels: the last tenth is the test set, and nothing is copied."""
    first = len(images) - max(1, len(images) // 10)
    if first < 1:
        raise ValueError(f"at least 2 images are needed, got {tuple(images.shape)}")
    labels, pixels = np.zeros(len(images), dtype=np.int64), images.numpy()
    arrays = Arrays(pixels[:first], labels[:first], pixels[first:], labels[first:], ("images",))
    made = to_images(arrays, "a tensor", "images")
    return resized(made, wanted) if size_given and images.shape[2:] != wanted.size else made
