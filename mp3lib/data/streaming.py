"""Pictures that are read when they are needed, by worker processes, so that a set may be larger than memory."""

from __future__ import annotations

import os
import shutil
import signal
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from .. import stopping
from ..arguments import whole
from .crops import drawn_crop
from .notes import Note
from .pictures import decode
from .pictures.contents import pixels_of_content

MOST_WORKERS = 8  # that are started without being asked for
AHEAD = 2  # batches that each worker has ready
TRIES = 100  # pictures that are tried in place of a broken one


class Contents(Protocol):
    """A map-style data set. An element is a picture: the bytes of its file, a Pillow image, or an array of pixels."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Any: ...


class Augmented(NamedTuple):
    """What decides the crops of an epoch, with the place of an image in its order."""

    seed: int
    epoch: int
    area: tuple[float, float]
    flip: bool


class Asked(NamedTuple):
    """What a worker is asked for: an image of the stream by its number, or the crop of its place in an epoch."""

    index: int
    place: int = 0
    augmented: Augmented | None = None


class Read(NamedTuple):
    """A batch that came from a worker: uint8 (b, c, h, w), the numbers of its images, and what was wrong."""

    pixels: Tensor
    indices: Tensor  # int64 (b,)
    notes: list[str]


@dataclass(frozen=True, eq=False)
class Stream:
    """Images uint8 (N, c, h, w) that are read when they are needed. It has the length and the shape of such a tensor.

    A slice, a mask or indices give a smaller ``Stream``, a number gives the pixels of that picture, (c, h, w). Of the
    pictures themselves nothing is in memory, and their pixels are those that ``load_images`` would have in memory.

    Args:
        contents: the pictures; it must be possible to pickle it where processes are spawned.
        size: height and width in pixels.
        channels: of the pixels.
        workers: processes that read; 0: the training itself reads, which takes longer.
        chosen: the numbers of the pictures in ``contents``, int64 (N,); default: all of them.
        value_range: values of pictures of more than 8 bits that become black and white.
        multiprocessing_context: how processes are started: ``fork``, ``spawn`` or ``forkserver``; default: as usual.
    """

    contents: Contents
    size: tuple[int, int]
    channels: int = 3
    workers: int = 0
    chosen: Tensor | None = None
    value_range: tuple[float, float] | None = None
    multiprocessing_context: str | None = None

    def __post_init__(self) -> None:
        whole("workers", self.workers, 0, 1024)
        if self.chosen is None:
            object.__setattr__(self, "chosen", torch.arange(len(self.contents)))

    def __len__(self) -> int:
        return len(self.chosen)

    @property
    def shape(self) -> torch.Size:
        return torch.Size((len(self), self.channels, *self.size))

    @property
    def dtype(self) -> torch.dtype:
        return torch.uint8

    @property
    def nbytes(self) -> int:
        """What the pixels would take in memory."""
        return self.shape.numel()

    def __repr__(self) -> str:
        return f"Stream({tuple(self.shape)} uint8, workers={self.workers})"

    def __getitem__(self, which: Any) -> Tensor | Stream:
        chosen = self.chosen[which]
        if chosen.ndim == 0:
            return next(replace(self, chosen=chosen[None]).split(1))[0]
        return replace(self, chosen=chosen)

    def __iter__(self) -> Iterator[Tensor]:
        return (image for batch in self.split(64) for image in batch)

    def split(self, batch_size: int) -> Iterator[Tensor]:
        """The images in order, uint8 (b, c, h, w) at a time."""
        return self.read(torch.arange(len(self)).split(batch_size))

    def read(self, batches: Sequence[Tensor]) -> Iterator[Tensor]:
        """Batches of images, uint8 (b, c, h, w), by their numbers, int64 (b,)."""
        return (pixels for pixels, _ in self.read_numbered(batches))

    def read_numbered(self, batches: Sequence[Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
        """The same, each with the numbers of the images that it holds: of a broken one, of that in its place."""
        asked = ([Asked(i) for i in batch.tolist()] for batch in batches)
        workers = self.workers if len(batches) > 1 else 0
        for read in self.loader(asked, max(map(len, batches)), workers):
            stopping.check()
            warn_of(read.notes)
            yield read.pixels, read.indices

    def loader(
        self,
        asked: Iterable[Sequence[Asked]],
        batch_size: int,
        workers: int,
        persistent: bool = False,
        stand_in: bool = True,
    ) -> DataLoader:
        """A ``DataLoader`` whose batches are ``Read``.

        Args:
            asked: what each of its batches holds.
            batch_size: the most images of a batch.
            workers: processes that read.
            persistent: whether they stay when all batches have been read; ``asked`` is then begun anew.
            stand_in: whether a later image takes the place of a broken one; otherwise that is black, its number is -1,
                and its note is the reason.
        """
        batch_bytes = batch_size * self.shape[1:].numel()
        workers = fitting_workers(workers, self.contents, batch_bytes, self.multiprocessing_context)
        more: dict[str, Any] = {}
        if workers:
            more = dict(
                prefetch_factor=AHEAD,
                persistent_workers=persistent,
                worker_init_fn=begin_worker,
                multiprocessing_context=self.multiprocessing_context,
            )
        return DataLoader(
            Reader(self.contents, self.chosen.numpy(), self.size, self.channels, self.value_range, stand_in),
            batch_sampler=asked,
            num_workers=workers,
            collate_fn=collated,
            generator=torch.Generator(),  # the loader draws a seed that nothing here uses: not from the caller's
            **more,
        )


@dataclass
class Reader(Dataset):
    """What a worker holds: from what it is asked for to pixels."""

    contents: Contents
    chosen: np.ndarray
    size: tuple[int, int]
    channels: int
    value_range: tuple[float, float] | None
    stand_in: bool

    def __len__(self) -> int:
        return len(self.chosen)

    def __getitem__(self, asked: Asked) -> tuple[np.ndarray, int, list[str]]:
        """Pixels uint8 (c, h, w), the number of the image, and notes. A later one takes the place of a broken one."""
        crop = None
        if asked.augmented is not None:
            seed, epoch, area, flip = asked.augmented
            crop = drawn_crop(seed, epoch, asked.place, area, flip)
        notes: list[str] = []
        for further in range(min(TRIES, len(self))):
            index = (asked.index + further) % len(self)
            which = int(self.chosen[index])
            with decode.without_warnings():
                pixels = pixels_of_content(self.contents, which, self.size, self.channels, self.value_range, crop)
            if not isinstance(pixels, str):
                return pixels, index, notes
            if not self.stand_in:
                return np.zeros((self.channels, *self.size), dtype=np.uint8), -1, [pixels]
            notes.append(f"{name_of(self.contents, which)} is left out ({pixels}); the next image takes its place")
        raise ValueError(f"{len(notes)} pictures in a row cannot be read: {notes[-1]}")


def name_of(contents: Contents, index: int) -> str:
    """How a picture is named in a note."""
    return contents.name(index) if hasattr(contents, "name") else f"picture {index}"


def collated(samples: Sequence[tuple[np.ndarray, int, list[str]]]) -> Read:
    pixels = torch.from_numpy(np.stack([pixels for pixels, _, _ in samples]))
    indices = torch.tensor([index for _, index, _ in samples])
    return Read(pixels, indices, [note for _, _, notes in samples for note in notes])


def begin_worker(number: int) -> None:
    """Ctrl-C and termination are meant for the training, which ends its workers itself."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def warn_of(notes: Iterable[str]) -> None:
    for note in notes:
        warnings.warn(note, Note, stacklevel=3)


# --- how many workers -------------------------------------------------------------------------------------------------


def usual_workers() -> int:
    """A worker for each processor core that this process may use, shared with the other processes of a training."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(MOST_WORKERS, cores // processes_here()))


def processes_here() -> int:
    """The processes of a training on this machine, as its launcher says; 1 without one."""
    number = os.environ.get("LOCAL_WORLD_SIZE", "1")
    return max(1, int(number)) if number.isdecimal() else 1


def fitting_workers(workers: int, contents: Contents, batch_bytes: int, context: str | None) -> int:
    """So many workers, or fewer where the machine cannot have them; a note says why.

    Batches come from workers through shared memory, which is small in many containers. A class that was written in a
    notebook cannot be sent to processes that are spawned.
    """
    if not workers:
        return 0
    method = context or torch.multiprocessing.get_start_method()
    inner = getattr(contents, "dataset", contents)
    if method != "fork" and type(inner).__module__ == "__main__":
        words = "which other processes cannot import: it is read by this process alone (put its class into a file)"
        warn_of([f"the data set's class {type(inner).__name__} was written in a notebook or script, {words}"])
        return 0
    shared = Path("/dev/shm")
    if shared.is_dir():
        free = shutil.disk_usage(shared).free
        possible = free // max((AHEAD + 1) * batch_bytes, 1)
        if possible < workers:
            has = f"shared memory (/dev/shm) has {free / 1e6:,.0f} MB free, enough for {possible} of {workers} workers"
            warn_of([f"{has}: give the container more (Docker: --shm-size=8g), or choose a smaller batch"])
            return possible
    return workers
