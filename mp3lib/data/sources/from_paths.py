"""Images at a path: from the cache of sets, from a pack, or read; and packs are made of them."""

from __future__ import annotations

import hashlib
import os
import warnings
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import PIL
from torch import Tensor

from ...arguments import shown
from ...paths import expanded, written_beside
from ..files.entries import readable
from ..images import Images, not_used, texts_of
from ..notes import Note
from ..pictures import decode, kinds
from ..readers import formats
from ..readers.unread import ACCEPTED
from ..sets.arrays import Arrays, set_name
from ..sets.rows import Rows
from ..sets.wanted import Wanted
from ..streaming import Stream, processes_here
from . import cache
from .making import from_cache, name_of, resized, to_cache, to_images
from .pack import finish, is_pack, open_pack, pixel_file

READER = 13  # the version of the reader: sets that an older one decoded are decoded again
NAMES = ("auto", "cifar10", "scenes")  # of images; anything else is a path
CACHE_LIMIT = 1 << 30  # bytes; larger sets of the reader's own are kept only for several processes, which share them


def from_path(path: Path, wanted: Wanted) -> tuple[Images, str]:
    path = path.absolute()  # not resolved: a link into the Hub's cache has the name that counts
    shown_path = readable(os.fspath(path))
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        names = "neither a name (auto, cifar10, scenes) nor a path to something"
        raise ValueError(f"{shown_path} is {names}. Accepted: {ACCEPTED}") from None
    except (OSError, ValueError) as error:  # a name that is too long, a loop of links, a folder that is closed
        reason = getattr(error, "strerror", None) or error
        raise ValueError(f"{shown(shown_path)} cannot be opened ({reason}). Accepted: {ACCEPTED}") from None
    key = cache.state(path, wanted._replace(stream=None, workers=None), READER, kinds.formats(), PIL.__version__)
    place = hashlib.sha256(
        os.fsencode(path) + repr((wanted.size, wanted.unlabelled, wanted.channels, wanted.value_range)).encode()
    ).hexdigest()[:12]
    file = cache.folder() / f"images-{place}.safetensors"
    together = processes_here() > 1
    unsaved = ""
    with cache.one_at_a_time(place) if together and not wanted.stream else nullcontext():
        images = from_cache(file, key) if not wanted.stream else "not asked for"
        if not isinstance(images, Images):
            arrays = read(path, wanted)
            images = to_images(arrays, shown_path, name_of(arrays, path))
            if isinstance(images.train.images, Tensor) and (together or images.train.images.nbytes < CACHE_LIMIT):
                unsaved = to_cache(images, file, key)
    again = (f"the decoded set is {unsaved}: it is decoded again the next time",) if unsaved else ()
    for note in (*images.notes, *again):
        warnings.warn(f"{shown_path}: {note}", Note, stacklevel=5)
    return images, f"from {cache.short(path)}, {place_in_words(images)}"


def read(path: Path, wanted: Wanted) -> Arrays:
    """The images at a path; a note says where the range of values that is given has no use."""
    arrays = formats.read(path, wanted)
    arrays.notes += not_used(wanted.value_range, arrays.value_range)
    return arrays


def from_pack(path: Path, wanted: Wanted) -> tuple[Images, str]:
    images = open_pack(path, wanted, READER)
    for note in (*images.notes, *not_used(wanted.value_range, images.value_range)):
        warnings.warn(f"{readable(os.fspath(path))}: {note}", Note, stacklevel=5)
    return images, f"packed in {cache.short(path)} ({in_words(pixels(images))} on disk, read when used)"


def pack_images(
    path: str | os.PathLike,
    size: int | tuple[int, int],
    out: str | os.PathLike | None = None,
    *,
    channels: int | None = None,
    value_range: tuple[float, float] | None = None,
) -> Path:
    """Decode the images at ``path`` once, into one file that ``load_images`` opens at once.

    Pixels go from the pictures to the file, so the set may be larger than memory. Pictures without labels are in it as
    well; ``load_images`` leaves them out unless they are wanted.

    Args:
        path: of whatever ``load_images`` reads; no name such as ``scenes``.
        size: side or (height, width) in pixels.
        out: the file; default: beside ``path``, named after it and the size, as ``photos-224.safetensors``.
        channels: of arrays (``.npy``), as for ``load_images``.
        value_range: of their values, likewise.

    Returns:
        the file's path.

    Raises:
        ValueError: as ``load_images``; where the disk has no room, and where ``out`` is something else than a pack.
    """
    wanted = Wanted(decode.as_size(size), unlabelled=True).of_arrays(channels, value_range)
    if path in NAMES and not os.path.exists(path):
        raise ValueError(f"{path!r} is a name of images, and only images at a path can be packed")
    path = expanded(path)
    if is_pack(path):
        raise ValueError(f"{path} is a pack already")
    side = f"{wanted.size[0]}" if wanted.size[0] == wanted.size[1] else f"{wanted.size[0]}x{wanted.size[1]}"
    out = path.with_name(f"{set_name(path)}-{side}.safetensors") if out is None else expanded(out)
    out = out.resolve()  # a link stays a link
    if os.path.lexists(out) and not is_pack(out):
        raise ValueError(f"{out} exists and is not a pack: choose another name, so that it is kept")
    with written_beside(out) as beside:
        images = _into_file(path, wanted._replace(file=pixel_file(beside)))
        shapes = images.train.images.shape, images.test.images.shape
        labels = images.train.labels, images.test.labels
        about = texts_of(images) | {"reader": str(READER)}
        del images  # and with it the mapping of the file, whose length changes now
        finish(beside, shapes, labels, about)
    return out


def _into_file(path: Path, wanted: Wanted) -> Images:
    """The images at a path, whose pixels are in ``wanted.file``."""
    arrays = read(path, wanted)
    if not isinstance(arrays.train_images, np.memmap):  # sets of a fixed size, which are small
        images = to_images(arrays, readable(os.fspath(path)), set_name(path))
        if images.train.images.shape[2:] != wanted.size:
            images = resized(images, wanted._replace(file=None))
        rows = Rows(len(images.train) + len(images.test), wanted).images
        rows[: len(images.train)], rows[len(images.train) :] = images.train.images, images.test.images
        arrays.train_images, arrays.test_images = rows[: len(images.train)], rows[len(images.train) :]
    return to_images(arrays, readable(os.fspath(path)), name_of(arrays, path))


def pixels(images: Images) -> int:
    return sum(split.images.shape.numel() for split in (images.train, images.test))


def in_words(size: int) -> str:
    return f"{size / 1e9:,.1f} GB" if size >= 1e9 else f"{size / 1e6:,.1f} MB"


def place_in_words(images: Images) -> str:
    """Where the pixels are, and what they take."""
    size, stream = in_words(pixels(images)), images.train.images
    if isinstance(stream, Stream):
        workers = f"{stream.workers} worker{'s' * (stream.workers != 1)}" if stream.workers else "the process itself"
        return f"streamed by {workers} ({size} if they were in memory)"
    return f"in memory ({size})"
