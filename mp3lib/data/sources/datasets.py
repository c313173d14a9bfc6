"""Images that are objects already: map-style data sets, Hugging Face's among them, tensors and NumPy arrays."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import ConcatDataset, Subset

from ... import stopping
from ...arguments import shown
from ..files.entries import printable
from ..folders.shards import splits_of
from ..images import Images, not_used
from ..pictures import decode
from ..pictures.contents import picture_in
from ..readers.parquet import row_note
from ..sets.arrays import Arrangement, Arrays
from ..sets.columns import beside, plain_label
from ..sets.labelled_rows import from_rows
from ..sets.map_style import as_stream, check_map_style, picture_column, transform_note
from ..sets.picture_reading import Decoded
from ..sets.rows import Rows, bands_note, dark_note, frames_note
from ..sets.wanted import Wanted
from ..streaming import TRIES, Asked, Stream
from ..tensors import as_images, is_data_set
from .from_paths import place_in_words
from .making import resized, to_images

Row = tuple[int, Any, str | None]  # the number of a picture, its label, its split
BLOCK = 64  # pictures that are taken into memory at a time
LOOKED = 64  # pictures at the beginning of a set that are searched for what is odd


class Given(NamedTuple):
    """The pictures of a data set, which stay where they are, as ``from_rows`` arranges them."""

    pictures: Stream

    def arrays(self, to: Arrangement) -> Arrays:
        train, test = (self.pictures[torch.from_numpy(numbers)] for numbers in (to.train, to.test))
        labels = to.train_labels, to.test_labels
        text = repr([(len(part), known.tolist()) for part, known in zip((train, test), labels, strict=True)])
        digits = hashlib.sha256(text.encode()).hexdigest()[:32]
        return Arrays(train, labels[0], test, labels[1], to.classes, notes=to.notes, fingerprint=digits)


def in_memory(pictures: Stream, wanted: Wanted) -> Decoded:
    """The pictures of a data set, each in its own row; of a broken one the reason."""
    rows = Rows(len(pictures), wanted._replace(size=pictures.size, channels=pictures.channels))
    reasons: list[str | None] = []
    asked = [[*map(Asked, block.tolist())] for block in torch.arange(len(pictures)).split(BLOCK)]
    workers = pictures.workers if len(asked) > 1 else 0
    for read in pictures.loader(asked, BLOCK, workers, stand_in=False):
        stopping.check()
        rows.images[len(reasons) : len(reasons) + len(read.indices)] = read.pixels
        why = iter(read.notes)
        reasons += [next(why) if index < 0 else None for index in read.indices.tolist()]
    return Decoded(rows, reasons)


def is_object(images: Any) -> bool:
    """Whether this is something that holds images, and no name or path of them."""
    return isinstance(images, (Tensor, np.ndarray, Mapping)) or is_data_set(images)


class Labels(NamedTuple):
    """The labels of a data set, one a picture, or None; the names of the classes; and notes."""

    given: list | None
    names: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def labels_of(dataset: Any) -> Labels:
    """The labels of a data set: a label column, chosen as in parquet files, or ``targets``.

    A ``target_transform``, as torchvision's data sets have it, is applied; the classes are then what it returns. A part
    of a data set (``torch.utils.data.Subset``) has the labels of the whole.
    """
    notes: tuple[str, ...] = ()
    if isinstance(dataset, Subset):
        whole = labels_of(dataset.dataset)
        return whole._replace(given=whole.given and [whole.given[number] for number in dataset.indices])
    if hasattr(dataset, "cast_column"):
        _, column, names, notes = beside(dataset.features.arrow_schema, picture_column(dataset, "a data set"))
        given = dataset.with_format(None)[column][:] if column else None
        notes = (*transform_note(dataset), *notes)
    else:
        given, held = getattr(dataset, "targets", None), getattr(dataset, "classes", None)
        names = tuple(printable(str(name)) for name in held) if isinstance(held, (list, tuple)) else ()
    if given is None:
        return Labels(None, notes=notes)
    given = given.tolist() if hasattr(given, "tolist") else given
    if not isinstance(given, Iterable) or isinstance(given, (str, bytes, Mapping, Set)):
        raise ValueError(f"the labels of a data set must be a list, one for each picture, got {shown(given)}")
    given = list(given)
    if len(given) != len(dataset):
        raise ValueError(f"a data set of {len(dataset)} pictures must have as many labels, got {len(given)}")
    if callable(transform := getattr(dataset, "target_transform", None)):
        given, names = [transform(label) for label in given], ()
    given = [plain_label(label) for label in given]
    if odd := [label for label in given if not isinstance(label, (int, float, str, type(None)))]:
        raise ValueError(f"the labels of a data set must be whole numbers or texts, got {shown(odd[0])}")
    return Labels(given, names, notes)


def from_object(images: Any, wanted: Wanted, size_given: bool) -> tuple[Images, str]:
    """The images of an object, and where they are, in words.

    Raises:
        ValueError: for an object that holds no images; see ``load_images``.
    """
    if isinstance(images, (Tensor, np.ndarray)):
        made = from_tensor(as_images(images, channels=wanted.channels), wanted, size_given)
        return made, f"given as {'an array' if isinstance(images, np.ndarray) else 'a tensor'}"
    wanted = wanted._replace(channels=wanted.channels or 3)
    parts: list[tuple[str | None, Any]] = [(None, images)]
    if isinstance(images, Mapping):
        if tensors := [name for name, part in images.items() if isinstance(part, (Tensor, np.ndarray, list, tuple))]:
            raise ValueError(
                f"the values of a dict must be data sets, and {tensors[0]!r} is {shown(images[tensors[0]])}: give one "
                "uint8 tensor or array (N, c, H, W) by itself, or a dict of datasets.Dataset or map-style data sets"
            )
        splits = splits_of([*map(str, images)], "a dict of data sets")
        parts = [(splits[str(name)], part) for name, part in images.items()]
        if "train" not in dict(parts) or not all(map(is_data_set, images.values())):
            raise ValueError(
                f"several data sets must be named train and test, got {shown([*images])}: give one of them by itself"
            )
    for _, part in parts:
        check_map_style(part, "a data set")
    rows, names, notes = rows_of(parts)
    pictures, seen = stream_of([part for _, part in parts], wanted)
    notes += odd_notes(seen)
    deep = any(picture.deep is not None for picture in seen)
    if wanted.streams(len(rows), Path(type(images).__name__), possible=True):
        read = Given(pictures)
    else:
        read = in_memory(pictures, wanted)
        broken = [(row[0], reason) for row, reason in zip(rows, read.reasons, strict=True) if reason is not None]
        notes += row_note([(row_name(number, images), reason) for number, reason in broken])
        left_out = {number for number, _ in broken}
        rows = [row for row in rows if row[0] not in left_out]
    arrays = from_rows(rows, read, names, Path("images"), notes, keep_unlabelled=wanted.unlabelled, named=dict(parts))
    arrays.jpeg = any(picture.jpeg for picture in seen)
    arrays.value_range = wanted.value_range if deep else None
    arrays.notes += not_used(wanted.value_range, arrays.value_range)
    made = to_images(arrays, "a data set", type(images).__name__)
    return made, place_in_words(made)


def row_name(number: int, images: Any) -> str:
    """How a picture is named in a note: by its number, in a dict by the number in its part."""
    for name, part in images.items() if isinstance(images, Mapping) else ():
        if number < len(part):
            return f"{name} row {number}"
        number -= len(part)
    return f"row {number}"


def rows_of(parts: Sequence[tuple[str | None, Any]]) -> tuple[list[Row], tuple[str, ...], tuple[str, ...]]:
    """For each picture its number, label and split; the names of the classes; and notes.

    Args:
        parts: the name of the split and the data set.
    """
    rows: list[Row] = []
    known = [labels_of(part) for _, part in parts]
    named = {split: labels.names for (split, _), labels in zip(parts, known, strict=True) if labels.names}
    if len({*named.values()}) > 1:
        told = "; ".join(f"{split}: {shown([*names])}" for split, names in named.items())
        raise ValueError(
            f"the data sets of a dict number their classes differently ({told}): give all of them the same classes, in "
            "the same order, or the path of the folder that holds their folders"
        )
    names = next(iter(named.values()), ())
    bare = all(labels.given is None for labels in known)
    for (split, part), (labels, *_) in zip(parts, known, strict=True):
        if labels is None:
            labels = ["" if bare else -1] * len(part)
        rows += [(len(rows) + i, -1 if label is None else label, split) for i, label in enumerate(labels)]
    notes = tuple(dict.fromkeys(note for labels in known for note in labels.notes))
    if bare and not notes:
        notes = ("it has no labels (no attribute targets, no label column), so all pictures count as one class",)
    return rows, names, notes


def stream_of(datasets: Sequence[Any], wanted: Wanted) -> tuple[Stream, list[decode.Picture]]:
    """Data sets, one after the other, as a ``Stream``; and the pictures among the first elements of each.

    Raises:
        ValueError: where there are none, or where none is a picture.
    """
    streams = [as_stream(dataset, wanted.size, wanted.channels, "a data set") for dataset in datasets]
    values = wanted.value_range
    streams = [
        one if isinstance(of, Stream) else replace(one, value_range=values)
        for of, one in zip(datasets, streams, strict=True)
    ]
    seen: list[decode.Picture] = []
    for dataset, stream in zip(datasets, streams, strict=True):
        first, found = stream.chosen[:TRIES].tolist(), []
        for tried, number in enumerate(first):
            if found and tried >= LOOKED:
                break
            picture = picture_in(stream.contents, number, stream.size, stream.channels, stream.value_range)
            found += [picture] if isinstance(picture, decode.Picture) else []
        if not found:
            name = type(dataset).__name__
            raise ValueError(f"no picture is among the first {len(first)} element(s) of the {name}: {picture}")
        seen += found
    stream = streams[0]
    if len(streams) > 1:  # of a set that is a Stream already, the pixels are the pictures
        both = zip(datasets, streams, strict=True)
        parts = [dataset if isinstance(dataset, Stream) else one.contents for dataset, one in both]
        stream = replace(stream, contents=ConcatDataset(parts), chosen=None, value_range=values)
    return (stream if wanted.workers is None else replace(stream, workers=wanted.workers)), seen


def odd_notes(seen: Sequence[decode.Picture]) -> tuple[str, ...]:
    """Notes on what is odd in the first pictures of a set."""
    notes = frames_note([picture.frames for picture in seen]) + bands_note([picture.bands for picture in seen])
    notes += dark_note(sum(picture.dark for picture in seen))
    return tuple(f"of the first {len(seen)}: {note}" for note in notes)


def from_tensor(images: Tensor, wanted: Wanted, size_given: bool) -> Images:
    """Images of a tensor without labels: the last tenth is the test set, and nothing is copied."""
    first = len(images) - max(1, len(images) // 10)
    if first < 1:
        raise ValueError(f"at least 2 images are needed, got {tuple(images.shape)}")
    labels, pixels = np.zeros(len(images), dtype=np.int64), images.numpy()
    arrays = Arrays(pixels[:first], labels[:first], pixels[first:], labels[first:], ("images",))
    made = to_images(arrays, "a tensor", "images")
    return resized(made, wanted) if size_given and images.shape[2:] != wanted.size else made
