"""The pixels of a set as rows of one array, which is made once: pictures are decoded into their rows."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from ...paths import FULL
from ..files.tensor_files import BEGINNING
from ..pictures import decode
from .wanted import Wanted


class Rows:
    """uint8 (N, c, H, W), in memory or in a file. Rows are filled in any order, and put in order at the end, in place.

    Args:
        number: of rows, at most.
        wanted: the size, the channels and the file.
    """

    def __init__(self, number: int, wanted: Wanted):
        shape = (number, wanted.channels, *wanted.size)
        if wanted.file is None:
            self.images = np.empty(shape, dtype=np.uint8)
        else:
            reserve(wanted.file, BEGINNING + math.prod(shape))
            self.images = np.memmap(wanted.file, np.uint8, "r+", BEGINNING, shape)
        self.deep: dict[int, np.ndarray] = {}
        self.jpeg, self.dark = np.zeros((2, number), dtype=bool)

    def put(self, row: int, picture: decode.Picture) -> None:
        """Fill a row. A picture of more than 8 bits waits until it is known which values the others have."""
        self.jpeg[row], self.dark[row] = picture.jpeg, picture.dark
        if picture.pixels is None:
            self.deep[row] = picture.deep
        else:
            self.images[row] = picture.pixels

    def scaled(self, kept: Sequence[int]) -> tuple[str, ...]:
        """Scale the pictures of more than 8 bits among these rows, all alike; notes say how, and which are too dark."""
        deep = {row: self.deep[row] for row in kept if row in self.deep}
        self.deep = {}
        dark = dark_note(int(self.dark[list(kept)].sum()))
        if not deep:
            return dark
        black, white, notes = scale_of(deep.values(), len(deep))
        for row in [*deep]:
            self.images[row] = decode.scaled(deep.pop(row), black, white)
        return notes + dark

    def ordered(self, order: Sequence[int]) -> np.ndarray:
        """The rows in this order, in place; other rows are cut off. Fill no more of them afterwards."""
        put_in_order(self.images, np.asarray(order, dtype=np.int64))
        return self.images[: len(order)]


def reserve(file: Path, size: int) -> None:
    """Take the space of a file on the disk, where the system can: one that is mapped ends the process if it lacks.

    Raises:
        OSError: if there is not so much room.
    """
    if hasattr(os, "posix_fallocate"):
        with open(file, "r+b") as there:
            try:
                os.posix_fallocate(there.fileno(), 0, size)
            except OSError as error:  # there are file systems that cannot do it
                if error.errno in FULL:
                    raise


def scale_of(deep: Iterable[np.ndarray], number: int) -> tuple[float, float, tuple[str, ...]]:
    """Which values of pictures of more than 8 bits become black and white, and a note on that."""
    ends = [(float(values.min()), float(values.max())) for values in deep]
    if not ends:  # all of them are broken
        return 0.0, 65535.0, ()
    low, high = min(low for low, _ in ends), max(high for _, high in ends)
    black, white = decode.value_range(low, high)
    notes: tuple[str, ...] = ()
    if (black, white) != (0, 65535):
        text = f"{number} picture(s) of more than 8 bits hold values from {low:g} to {high:g}"
        notes = (f"{text}: {black:g} became black and {white:g} white, in all of them alike",)
    dark = sum(0 < high <= black + (white - black) / 16 for _, high in ends)
    if dark:
        notes += (
            f"{dark} picture(s) of more than 8 bits are nearly black, because others of the set hold values up to "
            f"{high:g}: scale them before, if they are of another kind",
        )
    return black, white, notes


def dark_note(number: int) -> tuple[str, ...]:
    """A note on so many pictures that are nearly black, because only the upper bits of their colours are read."""
    if not number:
        return ()
    text = f"{number} picture(s) in colour of 16 bits a channel are nearly black: the upper 8 bits are read"
    return (f"{text}, and theirs hold almost nothing, as of values of 10 or 12 bits. Scale them before",)


def put_in_order(rows: np.ndarray, order: np.ndarray) -> None:
    """Move rows so that the first ones are ``rows[order]``, with room for one row beside them."""
    used = np.zeros(len(rows), dtype=bool)
    used[order] = True
    source = np.concatenate([order, np.flatnonzero(~used)])
    done = source == np.arange(len(rows))
    for start in np.flatnonzero(~done).tolist():
        if done[start]:
            continue
        held, at = rows[start].copy(), start
        while source[at] != start:  # a circle of rows, each of which takes the place of the one before
            rows[at] = rows[source[at]]
            done[at], at = True, int(source[at])
        rows[at], done[at] = held, True
