"""The pixels of a set as rows of one array, which is made once: pictures are decoded into their rows."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ...paths import FULL
from ..files.tensor_files import BEGINNING
from ..pictures import decode
from .wanted import Wanted

# reads pictures of more than 8 bits, by their rows, and gives each row and its values (H, W) to the function
Again = Callable[[Sequence[int], Callable[[int, np.ndarray], None]], None]


class Ends(NamedTuple):
    """The lowest, the middle (median) and the highest value of a picture of more than 8 bits."""

    low: float
    middle: float
    high: float


class Rows:
    """uint8 (N, c, H, W), in memory or in a file. Rows are filled in any order, and put in order at the end, in place.

    Args:
        number: of rows, at most.
        wanted: the size, the channels, the file, and the range of values where it is given.
    """

    def __init__(self, number: int, wanted: Wanted):
        shape = (number, wanted.channels, *wanted.size)
        if wanted.file is None:
            self.images = np.empty(shape, dtype=np.uint8)
        else:
            reserve(wanted.file, BEGINNING + math.prod(shape))
            self.images = np.memmap(wanted.file, np.uint8, "r+", BEGINNING, shape)
        self.value_range = wanted.value_range  # of pictures of more than 8 bits, where it is given
        self.deep: dict[int, Ends] = {}  # of each such picture
        self.jpeg, self.dark = np.zeros((2, number), dtype=bool)
        self.frames, self.cut = np.ones(number, dtype=np.int32), np.zeros(number, dtype=np.float32)
        self.bands = np.zeros(number, dtype=np.int32)

    def put(self, row: int, picture: decode.Picture) -> None:
        """Fill a row; not with a picture of more than 8 bits, whose scale follows from all of them."""
        self.jpeg[row], self.dark[row] = picture.jpeg, picture.dark
        self.frames[row], self.cut[row], self.bands[row] = picture.frames, picture.cut, picture.bands
        if picture.pixels is None:
            self.deep[row] = ends_of(picture.deep)
        else:
            self.images[row] = picture.pixels

    def scaled(self, kept: Sequence[int], again: Again | None) -> tuple[tuple[str, ...], tuple[float, float] | None]:
        """Fill the rows of pictures of more than 8 bits, all scaled alike.

        Returns notes that say how, and what is odd in the rows; and the values that became 0 and 255, None where there
        is no such picture.

        Args:
            kept: the rows that count.
            again: reads such pictures a second time; None where there are none.
        """
        deep = [row for row in sorted(kept) if row in self.deep]
        odd = dark_note(int(self.dark[list(kept)].sum())) + frames_note(self.frames[list(kept)].tolist())
        odd += bands_note(self.bands[list(kept)].tolist()) + cut_note(self.cut[list(kept)].tolist())
        if not deep:
            return odd, None
        black, white, notes = scale_of([self.deep[row] for row in deep], self.value_range)

        def put(row: int, values: np.ndarray) -> None:
            self.images[row] = decode.scaled(values, black, white)

        with decode.without_warnings():
            again(deep, put)
        return notes + odd, (black, white)

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


def ends_of(values: np.ndarray) -> Ends:
    """The ends of the values of a picture."""
    return Ends(float(values.min()), float(np.median(values)), float(values.max()))


def scale_of(ends: Sequence[Ends], given: tuple[float, float] | None = None) -> tuple[float, float, tuple[str, ...]]:
    """Which values of pictures of more than 8 bits become black and white, and a note on that.

    Args:
        ends: of the values of each.
        given: which values they should be; default: as the values of all say.
    """
    if not ends:  # all of them are broken
        return *(given or (0.0, 65535.0)), ()
    low, high = min(one.low for one in ends), max(one.high for one in ends)
    black, white = given or decode.value_range(low, high)
    notes: tuple[str, ...] = ()
    text = f"{len(ends)} picture(s) of more than 8 bits hold values from {low:g} to {high:g}"
    why = f"the set holds values up to {high:g}"
    if given:
        why = f"value_range goes up to {white:g}"
        if low < black or high > white:
            notes = (f"{text}: those outside value_range, {black:g} to {white:g}, became black or white",)
    elif (black, white) != (0, 65535):
        notes = (f"{text}: {black:g} became black and {white:g} white, in all of them alike",)
    sixteenth = (white - black) / 16
    # there one odd value, as of no data, leaves the others no room
    stretched = given is None and (low < 0 or high > 65535)
    dark = sum(
        0 < one.high <= black + sixteenth or (stretched and one.low < one.middle <= black + sixteenth) for one in ends
    )
    bright = sum(stretched and white - sixteenth <= one.middle < one.high for one in ends)
    outlier = ", or give value_range (--value-range), if there are values that stand for no data" if stretched else ""
    if bright:
        notes += (
            f"{bright} picture(s) of more than 8 bits are nearly white, because the set holds values down to {low:g}: "
            f"scale them before{outlier}",
        )
    if dark:
        notes += (
            f"{dark} picture(s) of more than 8 bits are nearly black, because {why}: scale them before, if they are of "
            f"another kind{outlier}",
        )
    return black, white, notes


def dark_note(number: int) -> tuple[str, ...]:
    """A note on so many pictures that are nearly black, because only the upper bits of their colours are read."""
    if not number:
        return ()
    text = f"{number} picture(s) in colour of 16 bits a channel are nearly black: the upper 8 bits are read"
    return (f"{text}, and theirs hold almost nothing, as of values of 10 or 12 bits. Scale them before",)


def frames_note(frames: Sequence[int]) -> tuple[str, ...]:
    """A note on pictures with several pages or frames, of which the first is taken."""
    several = [number for number in frames if number > 1]
    if not several:
        return ()
    most = f"{max(several)}" if max(several) < decode.MANY_FRAMES else f"{decode.MANY_FRAMES} or more"
    up_to = most if len({*several}) == 1 else f"up to {most}"
    return (f"{len(several)} picture(s) have several pages or frames: the first of {up_to} is taken",)


def bands_note(bands: Sequence[int]) -> tuple[str, ...]:
    """A note on pictures with more bands than are read; 0 stands for a picture of which all are."""
    more = [number for number in bands if number]
    if not more:
        return ()
    up_to = "" if len({*more}) == 1 else "up to "
    text = f"{len(more)} picture(s) have {up_to}{max(more)} bands: only the first ones, of grey or colour, are taken"
    return (f"{text}. Arrays (.npy) may have others",)


def cut_note(cut: Sequence[float]) -> tuple[str, ...]:
    """A note on arrays of which more than a hundredth of the values lie outside ``value_range``."""
    far = [share for share in cut if share > 0.01]
    if not far:
        return ()
    share = f"{100 * sum(far) / len(far):.0f} % of their values"
    return (f"{len(far)} array(s) hold values outside value_range, which became 0 or 255: {share}",)


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
