"""Many pictures at once: decoded into memory or into a file, or looked at and left on disk."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from tqdm import tqdm

from ... import stopping
from ..files.entries import LARGEST_FILE, Entry, read_bytes
from ..pictures import decode, npy
from ..pictures.contents import PictureFiles, picture_of, unusual
from ..streaming import Stream, usual_workers
from .arrays import Arrangement, Arrays
from .rows import Again, Ends, Rows, bands_note, dark_note, ends_of, frames_note, scale_of
from .wanted import Wanted

BLOCK = 256  # pictures read at a time
BYTES = 16_000_000  # of their files, at most, that are in memory at a time


class Decoded(NamedTuple):
    """Pictures in memory or in a file, and of each why it could not be read, or None."""

    rows: Rows
    reasons: list[str | None]
    again: Again | None = None
    value_range: tuple[float, float] | None = None  # of arrays

    def arrays(self, to: Arrangement) -> Arrays:
        order = np.concatenate([to.train, to.test])
        (notes, values), jpeg = self.rows.scaled(order.tolist(), self.again), bool(self.rows.jpeg[order].any())
        images = self.rows.ordered(order)
        train, test = images[: len(to.train)], images[len(to.train) :]
        labels, values = (to.train_labels, to.test_labels), values or self.value_range
        return Arrays(train, labels[0], test, labels[1], to.classes, jpeg, to.notes + notes, value_range=values)


def decoded(pictures: Sequence[Entry], path: Path, wanted: Wanted) -> Decoded:
    """Decode pictures, each into its own row."""
    rows = Rows(len(pictures), wanted)

    def read(row: int, content: bytes | str) -> str | None:
        picture = picture_of(content, wanted.size, None, wanted.channels, wanted.value_range)
        if isinstance(picture, str):
            return picture
        rows.put(row, picture)
        return None

    def again(numbers: Sequence[int], put: Callable[[int, np.ndarray], None]) -> None:
        def scale(number: int, content: bytes | str) -> None:
            picture = picture_of(content, wanted.size)
            if isinstance(picture, str) or picture.deep is None:
                raise ValueError(f"{path}: {pictures[number].name} was changed while it was read")
            put(number, picture.deep)

        each(pictures, numbers, path, scale)

    reasons = each(pictures, range(len(pictures)), path, read)
    return Decoded(rows, reasons, again, wanted.value_range if are_arrays(pictures) else None)


def are_arrays(pictures: Sequence[Entry]) -> bool:
    """Whether files are arrays of NumPy; they are all of one kind."""
    return bool(pictures) and npy.is_npy(pictures[0].name)


def each(
    pictures: Sequence[Entry], numbers: Sequence[int], path: Path, do: Callable[[int, bytes | str], Any]
) -> list[Any]:
    """What ``do`` returns for the number and the bytes of each of these pictures; or for why it cannot be read."""
    done: list[Any] = []
    with progress(len(numbers), path) as bar, threads() as pool:
        for block in blocks([pictures[number] for number in numbers]):
            contents = [content(entry) for entry in block]
            done += pool.map(do, numbers[len(done) : len(done) + len(block)], contents)
            bar.update(len(block))
    return done


class Streamed(NamedTuple):
    """Pictures that will be read when they are needed, and of each why it cannot be read, or None."""

    pictures: Sequence[Entry]
    headers: Sequence[decode.Header | None]
    reasons: list[str | None]
    wanted: Wanted

    def arrays(self, to: Arrangement) -> Arrays:
        order = np.concatenate([to.train, to.test]).tolist()
        deep = [number for number in order if self.headers[number].deep]
        odd = dark_note(sum(self.is_dark(number) for number in order if self.headers[number].wide))
        odd += frames_note([self.headers[number].frames for number in order])
        odd += bands_note([self.headers[number].bands for number in order])
        values, notes, scale = None, (), (0.0, 255.0)
        if are_arrays(self.pictures):
            values = scale = self.wanted.value_range
        elif deep:
            black, white, notes = scale_of([*self.deep_ends(deep)], self.wanted.value_range)
            values = scale = black, white
        workers = usual_workers() if self.wanted.workers is None else self.wanted.workers
        whole = Stream(PictureFiles(self.pictures), self.wanted.size, self.wanted.channels, workers, None, scale)
        train, test = whole[torch.from_numpy(to.train)], whole[torch.from_numpy(to.test)]
        jpeg = any(self.headers[number].jpeg for number in order)
        labels, notes = (to.train_labels, to.test_labels), to.notes + notes + odd
        return Arrays(train, labels[0], test, labels[1], to.classes, jpeg, notes, self.fingerprint(to), values)

    def is_dark(self, number: int) -> bool:
        picture = picture_of(content(self.pictures[number]), self.wanted.size)
        return not isinstance(picture, str) and picture.dark

    def deep_ends(self, numbers: Sequence[int]) -> Iterator[Ends]:
        """The lowest and the highest value of pictures of more than 8 bits; those that break count as nothing."""
        for number in numbers:
            picture = picture_of(content(self.pictures[number]), self.wanted.size)
            if not isinstance(picture, str) and picture.deep is not None:
                yield ends_of(picture.deep)

    def fingerprint(self, to: Arrangement) -> str:
        """32 digits that depend on the names, the sizes in bytes and the labels of the files, not on their pixels."""
        lines = [
            f"{part} {label} {self.pictures[number].size} {self.pictures[number].name}"
            for part, numbers, labels in (("train", to.train, to.train_labels), ("test", to.test, to.test_labels))
            for number, label in zip(numbers.tolist(), labels.tolist(), strict=True)
        ]
        text = "\n".join([f"streamed {self.wanted.size}", *sorted(lines)])
        return hashlib.sha256(text.encode()).hexdigest()[:32]


def streamed(pictures: Sequence[Entry], path: Path, wanted: Wanted) -> Streamed:
    """Look at the header of each picture."""
    files = PictureFiles(pictures)

    def look(number: int) -> decode.Header | str:
        entry = pictures[number]
        try:
            if npy.is_npy(entry.name):
                beginning = read_bytes(entry.path, npy.HEADER) if entry.path else files[number]
                if isinstance(beginning, str):
                    return beginning
                held = unusual(beginning) or npy.header(beginning, entry.size, wanted.channels, wanted.value_range)
                return held if isinstance(held, str) else decode.Header(False, False)
            if entry.path is not None and 1000 < entry.size < LARGEST_FILE:
                return decode.header(os.fspath(entry.path), wanted.size)
            data = files[number]
            if isinstance(data, str):
                return data
            return unusual(data) or decode.header(data, wanted.size)
        except Exception as error:  # Pillow raises many kinds
            if isinstance(error, OSError) and error.strerror:
                return f"it cannot be opened: {error.strerror}"
            return decode.reason(error).rstrip(".")

    headers: list[decode.Header | str] = []
    with progress(len(pictures), path) as bar, threads() as pool:
        for begin in range(0, len(pictures), BLOCK):
            stopping.check()
            block = range(begin, min(begin + BLOCK, len(pictures)))
            headers += pool.map(look, block)
            bar.update(len(block))
    reasons = [header if isinstance(header, str) else None for header in headers]
    return Streamed(pictures, [None if isinstance(h, str) else h for h in headers], reasons, wanted)


def progress(total: int, path: Path) -> tqdm:
    return tqdm(total=total, desc=f"reading {path.name}", unit=" files", disable=None, delay=2, leave=False)


def threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1))


def blocks(entries: Sequence[Entry]) -> Iterator[list[Entry]]:
    """The files in groups whose bytes are in memory at the same time."""
    block: list[Entry] = []
    for entry in entries:
        stopping.check()
        if block and (len(block) == BLOCK or sum(other.size for other in block) + entry.size > BYTES):
            yield block
            block = []
        block.append(entry)
    if block:
        yield block


def content(entry: Entry) -> bytes | str:
    """The bytes of a picture, or why they are not read."""
    if entry.size >= LARGEST_FILE:
        return f"the file has {entry.size:,} bytes"
    try:
        data = entry.read()
    except OSError as error:
        if entry.path is None:
            raise  # the archive is damaged
        return f"it cannot be opened: {error.strerror}"
    if npy.is_npy(entry.name) and not data.startswith(npy.MAGIC):
        return unusual(data) or "it does not begin as an array of NumPy"
    return data
