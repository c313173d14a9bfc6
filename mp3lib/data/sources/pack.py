"""Packs: a set of images in one file, decoded once, which is mapped into memory and which processes share."""

from __future__ import annotations

import os
import zlib
from dataclasses import replace
from pathlib import Path

import PIL
import torch
from torch import Tensor

from ...paths import expanded
from ..files.tensor_files import BEGINNING, KINDS, PACK, about_of, header, is_pack
from ..images import Images, Split, images_of
from ..notes import BARE
from ..sets.arrays import NO_LABELS
from ..sets.wanted import Wanted

FORM = f"{PACK}1"  # another number for another form
UINT8, INT64, *_ = KINDS


def pixel_file(file: Path) -> Path:
    """A new file for the rows of ``Rows``: they begin behind the place of the header."""
    with open(file, "wb") as new:
        new.truncate(BEGINNING)
    return file


def finish(file: Path, shapes: tuple[torch.Size, torch.Size], labels: tuple[Tensor, Tensor], about: dict) -> None:
    """Write the labels behind the pixels, which are in the file already, and the header before them.

    Args:
        file: with the pixels of the training images and, right behind them, of the test images.
        shapes: of both.
        labels: int64, of both.
        about: texts of the header.
    """
    pixels = sum(shape.numel() for shape in shapes)
    gap = -pixels % 8
    parts = [("train_images", UINT8, shapes[0]), ("test_images", UINT8, shapes[1]), ("gap", UINT8, (gap,))]
    parts += [("train_labels", INT64, labels[0].shape), ("test_labels", INT64, labels[1].shape)]
    about = {"form": FORM, "pillow": PIL.__version__, "labels": checksum(*labels)} | about
    with open(file, "r+b") as out:
        out.truncate(BEGINNING + pixels)  # rows of pictures that are left out lie behind
        out.seek(0, os.SEEK_END)
        out.write(bytes(gap))
        for some in labels:
            out.write(some.numpy().astype("<i8").tobytes())
        out.seek(0)
        out.write(header(parts, about, BEGINNING))


def checksum(*labels: Tensor) -> str:
    """Of the labels, which are read whole when a pack is opened. Pixels have none: they are read when they are used."""
    value = 0
    for some in labels:
        value = zlib.crc32(some.numpy().astype("<i8").tobytes(), value)
    return f"{value:08x}"


def packed_size(path: str | os.PathLike) -> tuple[int, int] | None:
    """The (height, width) of the images in a pack; None where there is no pack at the path."""
    from safetensors import SafetensorError, safe_open

    try:
        path = expanded(path)
        if not is_pack(path):
            return None
        with safe_open(path, "pt") as stored:
            return tuple(stored.get_slice("train_images").get_shape()[2:])
    except (SafetensorError, OSError, ValueError):
        return None


def open_pack(path: Path, wanted: Wanted, reader: int) -> Images:
    """The images of a pack. Nothing is read but the labels; pixels come from the disk when they are used.

    Raises:
        ValueError: for a pack that is damaged, of another form, or of images of another size or number of channels;
            and where no training image has a label, unless such images are wanted.
    """
    from safetensors import SafetensorError, safe_open

    about = about_of(path)
    if about["form"] != FORM:
        raise ValueError(f"{path} is a pack of another version ({about['form']}, not {FORM}): pack the images again")
    try:
        with safe_open(path, "pt") as stored:
            images = images_of({name: stored.get_tensor(name) for name in stored.keys()}, about)  # noqa: SIM118
        train, test = images.train, images.test
        whole = images.is_whole() and about["labels"] == checksum(train.labels, test.labels)
        whole = whole and not ((train.labels[:-1] < 0) & (train.labels[1:] >= 0)).any()  # without labels are the last
    except (SafetensorError, OSError, KeyError, ValueError, TypeError, RecursionError) as error:
        reason = " ".join(str(error).split())[:120]
        raise ValueError(f"{path} is a damaged pack ({reason}): pack the images again") from None
    if not whole:
        raise ValueError(f"{path} is a damaged pack (its tensors do not fit each other): pack the images again")
    size = tuple(train.images.shape[2:])
    if wanted.size not in (None, size):
        raise ValueError(
            f"{path} holds images of {size[0]} x {size[1]} pixels, wanted are {wanted.size[0]} x {wanted.size[1]}: "
            "choose that size (size=, --size), or pack them again"
        )
    if wanted.channels not in (None, train.images.shape[1]):
        raise ValueError(
            f"{path} holds images of {train.images.shape[1]} channel(s), scaled when they were packed: give no other "
            f"channels, got {wanted.channels}"
        )
    labelled = train.labels >= 0
    if not wanted.unlabelled and not labelled.any():
        raise ValueError(f"{path}: {NO_LABELS}")
    if not wanted.unlabelled and not labelled.all():  # those without a label are the last ones
        train = Split(train.images[: int(labelled.sum())], train.labels[labelled])
        notes = tuple(note for note in images.notes if BARE not in note)
        notes += (f"left out {int((~labelled).sum()):,} picture(s) without a label",)
        images = replace(images, train=train, notes=notes)
    if about.get("reader") != str(reader):
        note = "it was packed by another version of mp3lib, which may have read some pictures otherwise: pack it again"
        images = replace(images, notes=(*images.notes, note))
    return images
