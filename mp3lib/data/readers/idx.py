"""The idx files of MNIST and its relatives: a header with the shape, then one byte a pixel or label, maybe in gzip.

``train-images-idx3-ubyte.gz``, ``train-labels-idx1-ubyte.gz``, and the same for ``t10k``
(http://yann.lecun.com/exdb/mnist). Grey pixels become RGB, as those of other pictures do. EMNIST stores its pictures
with rows and columns exchanged (https://www.tensorflow.org/datasets/catalog/emnist). They are turned upright where the
names of its files say that they are its.
"""

from __future__ import annotations

import gzip
import io
import math
import re
import zlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from ..files.entries import LARGEST_RATIO, Entry
from ..folders.split_names import TEST, TRAIN
from ..notes import listed
from ..pictures import decode
from ..pictures.contents import pixels_in
from ..sets.arrays import Arrays
from ..sets.labelled_rows import from_rows
from ..sets.picture_reading import Decoded, threads
from ..sets.rows import Rows
from ..sets.wanted import Wanted

NAME = re.compile(r"(?P<about>.*?)[-_.]?(?P<what>images|labels)[-_.]idx[13][-_.]?ubyte(\.gz)?", re.IGNORECASE)
SPLITS = (*TRAIN, *TEST, "t10k")
UBYTE = 8  # the third byte of a header: values are bytes
UPRIGHT = "EMNIST stores its pictures with rows and columns exchanged: they were turned upright"
AS_STORED = "a folder is named emnist, and its files are not: their pictures were not turned upright, as EMNIST's are"
LARGEST = 1 << 30  # bytes of a file, packed or not: those of the largest set of this kind (EMNIST) have 550 million


def is_idx(name: str) -> bool:
    """Whether a file is named as the files of MNIST are."""
    return NAME.fullmatch(PurePosixPath(name).name) is not None


class Part:
    """The files of a split: its name in front of ``images`` and ``labels``, and the entries of both."""

    def __init__(self, about: str):
        self.about = about
        self.files: dict[str, Entry] = {}

    @property
    def split(self) -> str | None:
        """ "train", "test", another word for a test set, or None."""
        named = next((word for word in reversed(self.words()) if word in SPLITS), None)
        return "train" if named in TRAIN else "test" if named == "t10k" else named

    @property
    def lying(self) -> bool:
        """Whether rows and columns are exchanged: in EMNIST, which the names of its files begin with."""
        return PurePosixPath(self.about).name.lower().startswith("emnist")

    @property
    def of(self) -> str:
        """The folder and the words beside the split's, as ``raw/emnist-letters``: which set it belongs to."""
        return "-".join(word for word in self.words() if word not in SPLITS) or "one without a name"

    def words(self) -> list[str]:
        return re.findall(r"[^-_./]+", self.about.lower())


def parts_of(entries: Sequence[Entry], path: Path) -> tuple[list[Part], tuple[str, ...]]:
    """The splits with images, and a note on labels alone. Of a file and the same in gzip, the plain one is taken.

    Raises:
        ValueError: where there are labels alone, several sets, or two files for one split.
    """
    parts: dict[str, Part] = {}
    for entry in sorted(entries, key=lambda entry: (not entry.name.lower().endswith(".gz"), entry.name)):
        file = PurePosixPath(entry.name)
        named = NAME.fullmatch(file.name)
        about = (file.parent / named["about"]).as_posix() if named["about"] else f"{file.parent.as_posix()}/"
        parts.setdefault(about, Part(about)).files[named["what"].lower()] = entry
    found = [part for part in parts.values() if "images" in part.files]
    if not found:
        raise ValueError(f"{path} holds labels of MNIST's form (idx), as {entries[0].name}, but no images")
    if len(sets := {part.of for part in found}) > 1:
        raise ValueError(f"{path} holds several sets in MNIST's form (idx), {listed(sets)}: put each into a folder")
    for split in {part.split for part in found}:
        if len(same := [part for part in found if part.split == split]) > 1:
            names = listed(part.files["images"].name for part in same)
            raise ValueError(f"{path}: {names} are images of the same split: leave one there")
    alone = [part.files["labels"].name for part in parts.values() if part not in found]
    return found, (f"there are no images for the labels in {listed(alone)}",) if alone else ()


def number_of_images(entries: Sequence[Entry], path: Path) -> int:
    """How many images the headers of these files say that they hold; 0 for files that are damaged or several sets."""
    try:
        return sum(shape_of(part.files["images"], 3, path)[0] for part in parts_of(entries, path)[0])
    except (ValueError, OSError):
        return 0


def from_idx(entries: Sequence[Entry], path: Path, wanted: Wanted) -> Arrays:
    """The images and labels of idx files, by their names."""
    parts, notes = parts_of(entries, path)
    shapes = [shape_of(part.files["images"], 3, path) for part in parts]
    number = sum(shape[0] for shape in shapes)
    wanted.streams(number, path, possible=False)
    labels = [labels_of(part, shape[0], path) for part, shape in zip(parts, shapes, strict=True)]
    pictures, rows = Rows(number, wanted), []
    for part, shape, known in zip(parts, shapes, labels, strict=True):
        images = values_of(part.files["images"], shape, path)
        if part.lying:
            images, notes = images.swapaxes(1, 2), (*notes, UPRIGHT)
        elif "emnist" in part.words():
            notes += (AS_STORED,)
        fill(pictures, len(rows), images, wanted)
        if known is None:
            notes += (f"there is no file with the labels of {part.files['images'].name}",)
            known = [-1] * len(images)
        rows += [(len(rows) + i, label, part.split) for i, label in enumerate(known)]
        del images
    if len(rows) < 2:
        raise ValueError(f"{path} holds {len(rows)} pictures, at least 2 are needed")
    notes = tuple(dict.fromkeys(notes))
    return from_rows(rows, Decoded(pictures, []), (), path, notes, keep_unlabelled=wanted.unlabelled)


def labels_of(part: Part, number: int, path: Path) -> list[int] | None:
    """The labels of a split; None where it has no file of labels."""
    if "labels" not in part.files:
        return None
    entry = part.files["labels"]
    if (shape := shape_of(entry, 1, path)) != (number,):
        raise ValueError(f"{path}: {part.files['images'].name} has {number:,} images, {entry.name} {shape[0]:,} labels")
    return values_of(entry, shape, path).tolist()


def fill(rows: Rows, first: int, images: np.ndarray, wanted: Wanted) -> None:
    """Put grey images uint8 (N, H, W) into rows, cropped about the centre and resized where they have another size."""
    if images.shape[1:] == wanted.size:
        rows.images[first : first + len(images)] = images[:, None]
        return

    def put(number: int) -> None:
        rows.put(first + number, pixels_in(images[number][None], wanted.size, None))

    with threads() as pool:
        for begin in range(0, len(images), 4096):
            list(pool.map(put, range(begin, min(begin + 4096, len(images)))))


# --- one file ---------------------------------------------------------------------------------------------------------


def shape_of(entry: Entry, axes: int, path: Path) -> tuple[int, ...]:
    """The shape that the header of a file says, checked against the length of the file.

    Raises:
        ValueError: for another number of axes or kind of values, no values, or more than such a file can hold.
    """
    if entry.size > LARGEST:
        raise ValueError(f"{path}: {entry.name} has {entry.size:,} bytes; at most {LARGEST:,} are read")
    with stream(entry) as file:
        try:
            beginning = file.read(4 + 4 * axes)
        except (OSError, EOFError, zlib.error) as error:
            raise damaged(entry, path, str(error)) from None
    if len(beginning) < 4 + 4 * axes or beginning[:2] != b"\0\0":
        raise damaged(entry, path, "it does not begin as one")
    if beginning[2] != UBYTE or beginning[3] != axes:
        raise damaged(entry, path, f"values of type {beginning[2]} in {beginning[3]} axes, not {UBYTE} in {axes}")
    shape = tuple(np.frombuffer(beginning[4:], ">u4").tolist())
    total, packed = math.prod(shape), is_packed(entry)
    most = min(LARGEST, LARGEST_RATIO * entry.size + 10_000_000 if packed else entry.size)
    words = " x ".join(f"{n:,}" for n in shape)
    if not total or total > most or (not packed and total + len(beginning) != entry.size):
        raise damaged(entry, path, f"its header says {words} values, and the file has {entry.size:,} bytes")
    if math.prod(shape[1:]) > decode.LARGEST:
        raise damaged(entry, path, f"its header says {words} values; at most {decode.LARGEST:,} pixels are read")
    return shape


def values_of(entry: Entry, shape: tuple[int, ...], path: Path) -> np.ndarray:
    """The values of a file, uint8, in the ``shape`` that its header says."""
    total = math.prod(shape)
    with stream(entry) as file:
        try:
            file.read(4 + 4 * len(shape))
            data = file.read(total)
            rest = file.read(1)
        except (OSError, EOFError, zlib.error) as error:
            raise damaged(entry, path, str(error)) from None
    if len(data) != total or rest:
        raise damaged(entry, path, f"{'more' if rest else 'fewer'} values than the {total:,} that its header says")
    return np.frombuffer(data, np.uint8).reshape(shape)


def is_packed(entry: Entry) -> bool:
    """Whether a file is in gzip, by its content: browsers unpack files and keep their names."""
    return entry.begin().startswith(b"\x1f\x8b")


def stream(entry: Entry) -> io.BufferedIOBase:
    """A file as a stream, unpacked where it is in gzip."""
    opener = gzip.open if is_packed(entry) else open
    if entry.path:
        return opener(entry.path, "rb")
    data = io.BytesIO(entry.read())
    return data if opener is open else opener(data)


def damaged(entry: Entry, path: Path, reason: str) -> ValueError:
    return ValueError(f"{path}: {entry.name} is not a whole file of MNIST's form, idx ({' '.join(reason.split())})")
