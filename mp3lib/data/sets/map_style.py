"""Map-style data sets of pictures, those of Hugging Face among them, as a ``Stream``."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from torch.utils.data import Subset

from ...arguments import shown
from ..folders.split_names import names_target
from ..streaming import Stream, usual_workers
from .columns import PICTURES


class Pictures:
    """The pictures of a map-style data set, whose elements are pictures, (picture, …) or dicts with a picture."""

    def __init__(self, dataset: Any):
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> Any:
        element = self.dataset[index]
        if isinstance(element, Mapping) and "bytes" not in element:
            element = next((element[name] for name in PICTURES if name in element), None)
        if isinstance(element, (tuple, list)):
            element = element[0] if element else None
        if isinstance(element, Mapping):  # as Hugging Face stores a picture
            path = element.get("path")
            return Path(path).read_bytes() if element.get("bytes") is None and path else element.get("bytes")
        if isinstance(element, (str, os.PathLike)):
            return f"it is {shown(element)}, a text or a path: the data set must open the file, as PIL.Image.open does"
        return element


def check_map_style(dataset: Any, name: str) -> None:
    """Raise ``ValueError`` for a data set without a length, as with ``streaming=True``; see also ``check_indices``."""
    if not (hasattr(type(dataset), "__len__") and hasattr(type(dataset), "__getitem__")):
        raise ValueError(
            f"{name} must be a map-style data set, with a length and elements by number, got {shown(dataset)}: with "
            "Hugging Face's load_dataset leave out streaming=True"
        )
    check_indices(dataset, name)


def check_indices(dataset: Any, name: str) -> None:
    """Raise ``ValueError`` for a part of a data set that is chosen by anything but whole numbers, as by a mask."""
    if not isinstance(dataset, Subset):
        return
    kind = np.asarray(dataset.indices).dtype
    if len(dataset.indices) and kind.kind not in "iu":
        way = ": numpy.flatnonzero(mask) gives the numbers of a mask" if kind.kind == "b" else ""
        raise ValueError(f"{name}: the indices of a Subset must be whole numbers, got {kind}{way}")
    check_indices(dataset.dataset, name)


def contents_of(dataset: Any, name: str) -> Pictures:
    """The pictures of a data set. Those of Hugging Face come as the bytes of their files.

    Raises:
        ValueError: where a data set of Hugging Face has no column of pictures.
    """
    if not hasattr(dataset, "cast_column"):
        return Pictures(dataset)
    from datasets import Image

    column = picture_column(dataset, name)
    dataset = dataset.with_format(None)  # no transform of its own, which may leave columns out
    pictures = dataset.select_columns([column]).cast_column(column, Image(decode=False))
    return Pictures(pictures if column == "image" else pictures.rename_column(column, "image"))


def transform_note(dataset: Any) -> tuple[str, ...]:
    """A note where a data set of Hugging Face has a transform of its own, as ``set_transform`` gives it one."""
    if not hasattr(dataset, "cast_column") or dataset.format["type"] != "custom":
        return ()
    return ("the data set's own transform (set_transform, with_transform) is not used: its pictures are read",)


def picture_column(dataset: Any, name: str) -> str:
    """The column of pictures of a data set of Hugging Face. ValueError where it has none."""
    from datasets import Image

    columns = [column for column, kind in dataset.features.items() if isinstance(kind, Image)]
    columns.sort(key=names_target)  # masks of the others come last
    column = next((column for column in PICTURES if column in columns), columns[0] if columns else None)
    if column is None:
        raise ValueError(f"{name} must have a column of pictures (datasets.Image), got {[*dataset.features]}")
    return column


def as_stream(images: Any, size: tuple[int, int] | None, channels: int | None, name: str) -> Stream:
    """A map-style data set of pictures as a ``Stream``; a ``Stream`` stays what it is.

    Args:
        images: the data set.
        size: height and width in pixels to which its pictures are cropped and resized.
        channels: of the pixels; default: 3.
        name: of the argument, for the error.

    Raises:
        ValueError: where there are no pictures, or where they have no size of their own and ``size`` is None.
    """
    if isinstance(images, Stream):
        return images
    check_map_style(images, name)
    contents = contents_of(images, name)
    if not len(contents):
        raise ValueError(f"{name} must hold at least one picture, got an empty {type(images).__name__}")
    if size is None:
        raise ValueError(f"{name}: load_images({shown(images)}, size) says to which size its pictures are cropped")
    return Stream(contents, size, channels or 3, usual_workers())
