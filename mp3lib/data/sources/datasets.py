"""Images that are objects already: map-style data sets, Hugging Face's among them, tensors and NumPy arrays."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import ConcatDataset, Subset

from ...arguments import shown
from ..files.entries import printable
from ..folders.split_names import TEST
from ..images import Images
from ..pictures.contents import pixels_of_content
from ..sets.arrays import Arrangement, Arrays
from ..sets.columns import LABELS, plain_label
from ..sets.labelled_rows import from_rows
from ..sets.map_style import as_stream, check_map_style
from ..sets.wanted import Wanted
from ..streaming import Stream
from ..tensors import as_images, is_data_set
from .from_paths import place_in_words
from .making import resized, to_images

Row = tuple[int, Any, str | None]  # the number of a picture, its label, its split
BLOCK = 64  # pictures that are taken into memory at a time


class Given(NamedTuple):
    """The pictures of a data set, as ``from_rows`` arranges them."""

    pictures: Stream
    in_memory: bool

    def arrays(self, to: Arrangement) -> Arrays:
        train, test = (self.pictures[torch.from_numpy(numbers)] for numbers in (to.train, to.test))
        labels = to.train_labels, to.test_labels
        if not self.in_memory:
            text = repr([(len(part), known.tolist()) for part, known in zip((train, test), labels, strict=True)])
            digits = hashlib.sha256(text.encode()).hexdigest()[:32]
            return Arrays(train, labels[0], test, labels[1], to.classes, notes=to.notes, fingerprint=digits)
        pixels = np.empty((len(train) + len(test), *train.shape[1:]), dtype=np.uint8)
        first = len(train)
        labels = filled(pixels[:first], train, labels[0]), filled(pixels[first:], test, labels[1])
        return Arrays(pixels[:first], labels[0], pixels[first:], labels[1], to.classes, notes=to.notes)


def filled(pixels: np.ndarray, pictures: Stream, labels: np.ndarray) -> np.ndarray:
    """Fill ``pixels`` (N, c, h, w) with the pictures; their labels: in place of a broken picture is a later one."""
    found, row = [], 0
    for batch, numbers in pictures.read_numbered(torch.arange(len(pictures)).split(BLOCK)):
        pixels[row : row + len(batch)] = batch
        found.append(labels[numbers.numpy()])
        row += len(batch)
    return np.concatenate(found)


def is_object(images: Any) -> bool:
    """Whether this is something that holds images, and no name or path of them."""
    return isinstance(images, (Tensor, np.ndarray, Mapping)) or is_data_set(images)


def labels_of(dataset: Any) -> tuple[list | None, tuple[str, ...]]:
    """The labels, one a picture, and the names of the classes: of a label column, or of ``targets``; None: no labels.

    A part of a data set (``torch.utils.data.Subset``) has those of the whole.
    """
    names: tuple[str, ...] = ()
    if isinstance(dataset, Subset):
        given, names = labels_of(dataset.dataset)
        return given and [given[number] for number in dataset.indices], names
    if hasattr(dataset, "cast_column"):
        column = next((name for name in LABELS if name in dataset.features), None)
        given = dataset[column][:] if column else None
        held = getattr(dataset.features.get(column), "names", None) if column else None
    else:
        given, held = getattr(dataset, "targets", None), getattr(dataset, "classes", None)
    names = tuple(printable(str(name)) for name in held) if isinstance(held, (list, tuple)) else ()
    if given is None:
        return None, ()
    given = given.tolist() if hasattr(given, "tolist") else given
    if not isinstance(given, Iterable):
        raise ValueError(f"the labels of a data set must be a list, one for each picture, got {shown(given)}")
    given = list(given)
    if len(given) != len(dataset):
        raise ValueError(f"a data set of {len(dataset)} pictures must have as many labels, got {len(given)}")
    given = [plain_label(label) for label in given]
    if odd := [label for label in given if not isinstance(label, (int, float, str, type(None)))]:
        raise ValueError(f"the labels of a data set must be whole numbers or texts, got {shown(odd[0])}")
    return given, names


def from_object(images: Any, wanted: Wanted, size_given: bool) -> tuple[Images, str]:
    """The images of an object, and where they are, in words.

    Raises:
        ValueError: for an object that holds no images; see ``load_images``.
    """
    if isinstance(images, (Tensor, np.ndarray)):
        made = from_tensor(as_images(images, channels=wanted.channels), wanted, size_given)
        return made, f"given as {'an array' if isinstance(images, np.ndarray) else 'a tensor'}"
    wanted = wanted._replace(channels=wanted.channels or 3)
    parts: dict[str | None, Any] = {None: images}
    if isinstance(images, Mapping):
        word = next((word for word in TEST if word in images), None)
        if "train" not in images or not all(map(is_data_set, images.values())):
            raise ValueError(
                f"several data sets must be named train and test, got {shown([*images])}: give one of them by itself"
            )
        parts = {"train": images["train"], **({word: images[word]} if word else {})}
    for part in parts.values():
        check_map_style(part, "a data set")
    rows, names, notes = rows_of(parts)
    pictures = stream_of([*parts.values()], wanted)
    streams = wanted.streams(len(rows), Path(type(images).__name__), possible=True)
    read = Given(pictures, not streams)
    arrays = from_rows(rows, read, names, Path("images"), notes, keep_unlabelled=wanted.unlabelled)
    made = to_images(arrays, "a data set", type(images).__name__)
    return made, place_in_words(made)


def rows_of(parts: Mapping[str | None, Any]) -> tuple[list[Row], tuple[str, ...], tuple[str, ...]]:
    """For each picture its number, label and split; the names of the classes; and a note where there are no labels."""
    rows: list[Row] = []
    known = {split: labels_of(part) for split, part in parts.items()}
    named = {names for _, names in known.values() if names}
    if len(named) > 1:
        raise ValueError(f"the data sets for training and testing name their classes otherwise: {shown([*named])}")
    names = named.pop() if named else ()
    bare = all(labels is None for labels, _ in known.values())
    for split, part in parts.items():
        labels = known[split][0]
        if labels is None:
            labels = ["" if bare else -1] * len(part)
        rows += [(len(rows) + i, -1 if label is None else label, split) for i, label in enumerate(labels)]
    note = "it has no labels (no attribute targets, no label column), so all pictures count as one class"
    return rows, names, (note,) if bare else ()


def stream_of(datasets: Sequence[Any], wanted: Wanted) -> Stream:
    """Data sets, one after the other, as a ``Stream``; the first element of each is looked at.

    Raises:
        ValueError: where there is none, or where it is not a picture.
    """
    streams = [as_stream(dataset, wanted.size, wanted.channels, "a data set") for dataset in datasets]
    for dataset, stream in zip(datasets, streams, strict=True):
        first = stream.contents, int(stream.chosen[0])
        if isinstance(reason := pixels_of_content(*first, stream.size, stream.channels, stream.value_range), str):
            raise ValueError(f"the first element of the {type(dataset).__name__} cannot be used: {reason}")
    stream = streams[0]
    if len(streams) > 1:  # of a set that is a Stream already, the pixels are the pictures
        both = zip(datasets, streams, strict=True)
        parts = [dataset if isinstance(dataset, Stream) else one.contents for dataset, one in both]
        stream = replace(stream, contents=ConcatDataset(parts), chosen=None, value_range=None)
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
