"""Damage small inputs at random and see that each is read right or refused in a sentence: python tools/fuzz.py

    python tools/fuzz.py [--cases 39950] [--seed 0] [--kills 20]    all kinds; results/fuzz.json and a table
    python tools/fuzz.py --only zip pickles --cases 1000            some kinds
    python tools/fuzz.py --only zip --cases 3000 --store            one kind; its line in results/fuzz.json is replaced
    python tools/fuzz.py --only zip --case 17                       one case, in this process, with its traceback

``--cases`` is shared out among the kinds. The cases of a kind run one after another in a process of its own. A fault
is: any exception but a refusal, the end of the process, a warning that is not a note of the library's, more than 30
seconds, more than 1.5 GB of memory, anything a pickle starts, and pixels or labels that are not those of the original
where the format has a checksum over them (zip, gz, bz2, xz). A refusal is a ValueError, an ImportError, or an OSError,
whose message is a sentence. The exit status is 1 if there is a fault.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import gzip
import io
import itertools
import json
import os
import pickle
import random
import signal
import struct
import sys
import tarfile
import tempfile
import time
import warnings
import zipfile
from collections.abc import Callable, Sequence
from multiprocessing import get_all_start_methods, get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image

from mp3lib import MP3, ViT, load_images
from mp3lib.cli import parser, runs
from mp3lib.data import Images, pack_images, read_picture
from mp3lib.data.files.entries import readable
from mp3lib.data.notes import Note
from mp3lib.data.pictures import decode
from mp3lib.data.readers.cifar_pickle import read_batch
from mp3lib.data.sets.arrays import set_name
from mp3lib.data.sources import cache
from mp3lib.json_files import read_json, write_json
from mp3lib.model import load_model
from mp3lib.train import pretrain
from mp3lib.train.run_folder import versions

try:
    import resource
except ImportError:  # Windows
    resource = None

RESULT = Path(__file__).resolve().parents[1] / "results" / "fuzz.json"
PROCESSES = get_context("fork" if "fork" in get_all_start_methods() else "spawn")
SECONDS = 30  # for a case
FIRST_SECONDS = 30  # more for the first one, which waits for imports and inputs
MEMORY = 1_500_000_000  # bytes that a process may have in memory
ADDRESSES = 8 << 30  # bytes that a process may ask for
BATCHES = [f"data_batch_{i}" for i in range(1, 6)] + ["test_batch"]


class Fault(Exception):
    """What must not happen, and is no exception by itself."""


class Kind(NamedTuple):
    """A kind of input: its share of all cases, what a case is, and whether its cases count as configurations."""

    share: int
    case: Callable[[random.Random, Path], object]
    configuration: bool = False


# --- damage -----------------------------------------------------------------------------------------------------------


def damaged(draw: random.Random, data: bytes, start: int = 0, end: int | None = None) -> bytes:
    """The same bytes with some flipped, set to extreme values, overwritten, cut off, removed, doubled or spliced."""
    data, end = bytearray(data), end or len(data)
    for _ in range(draw.choice((1, 1, 1, 2, 3, 8))):
        length = max(min(end, len(data)) - start, 1)
        at = start + min(draw.randrange(length), draw.randrange(length)) if draw.random() < 0.3 else None
        at = start + draw.randrange(length) if at is None else at
        way = draw.choice(("bit", "bit", "byte", "number", "cut", "remove", "double", "splice", "zeros", "insert"))
        if not data or at >= len(data):
            return bytes(data)
        size = draw.choice((1, 4, 16, 64))
        if way == "bit":
            data[at] ^= 1 << draw.randrange(8)
        elif way == "byte":
            data[at] = draw.randrange(256)
        elif way == "number":
            data[at : at + 4] = draw.choice(
                (b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f", b"\0\0\0\0")
            )
        elif way == "cut":
            del data[at:]
        elif way == "remove":
            del data[at : at + size]
        elif way == "double":
            data[at:at] = data[at : at + size]
        elif way == "splice":
            other = draw.randrange(len(data))
            data[at : at + size] = data[other : other + size]
        elif way == "zeros":
            data[at : at + size] = bytes(size)
        else:
            data[at:at] = draw.randbytes(size)
    return bytes(data)


def flipped_or_cut(draw: random.Random, data: bytes) -> bytes:
    """The same bytes with one to four changed, or without their end, or with more behind it."""
    way = draw.random()
    if way < 0.15:
        return data[: draw.randrange(len(data))]
    if way < 0.2:
        return data + draw.randbytes(draw.choice((1, 10, 1000)))
    data = bytearray(data)
    for _ in range(draw.choice((1, 1, 2, 4))):
        at = draw.randrange(len(data))
        data[at] ^= draw.choice((1 << draw.randrange(8), draw.randrange(1, 256)))
    return bytes(data)


# --- single pictures --------------------------------------------------------------------------------------------------


@functools.cache
def picture_files() -> list[bytes]:
    """Small pictures in many formats and modes."""
    numbers = np.random.default_rng(0)
    noise = Image.fromarray(numbers.integers(0, 256, (20, 24, 3), dtype=np.uint8))
    deep = Image.fromarray(numbers.integers(0, 65536, (20, 24), dtype=np.uint16))
    grey = Image.fromarray(numbers.random((20, 24), dtype=np.float32))
    exif = Image.Exif()
    exif[0x0112] = 6  # on its side
    paletted, clear = noise.convert("P"), noise.convert("RGBA")
    clear.putalpha(100)
    wanted: list[tuple[Image.Image, str, dict]] = [
        *((picture, "PNG", {}) for picture in (noise, clear, paletted, noise.convert("L"), noise.convert("1"), deep)),
        (paletted, "PNG", {"transparency": 3}),
        (noise, "PNG", {"save_all": True, "append_images": [noise, noise]}),
        *((noise, "JPEG", options) for options in ({}, {"progressive": True}, {"exif": exif}, {"quality": 5})),
        (noise.convert("CMYK"), "JPEG", {}),
        (noise.convert("L"), "JPEG", {}),
        (paletted, "GIF", {}),
        (paletted, "GIF", {"save_all": True, "append_images": [paletted], "interlace": 1}),
        *((noise, "WEBP", options) for options in ({}, {"lossless": True}, {"exif": exif})),
        (clear, "WEBP", {"save_all": True, "append_images": [clear]}),
        *((noise, "TIFF", {"compression": kind}) for kind in (None, "tiff_lzw", "tiff_deflate", "jpeg", "packbits")),
        (noise.convert("1"), "TIFF", {"compression": "group4"}),
        (deep, "TIFF", {}),
        (grey, "TIFF", {"compression": "tiff_deflate"}),
        (noise.convert("CMYK"), "TIFF", {}),
        *((picture, "BMP", {}) for picture in (noise, paletted, noise.convert("1"))),
        *((picture, "TGA", {"compression": "tga_rle"}) for picture in (noise, clear, paletted)),
        (noise, "TGA", {}),
        *((picture, "PPM", {}) for picture in (noise, noise.convert("L"), noise.convert("1"), deep)),
        (clear, "ICO", {"sizes": [(16, 16), (24, 20)]}),
        (noise, "ICO", {"sizes": [(16, 16)], "bitmap_format": "bmp"}),
        (noise, "PCX", {}),
        (noise, "SGI", {}),
        (noise, "AVIF", {}),
        (noise, "JPEG2000", {}),
    ]
    files = []
    for picture, form, options in wanted:
        out = io.BytesIO()
        try:
            picture.save(out, form, **options)
        except (OSError, KeyError, ValueError):  # this Pillow cannot write it
            continue
        files.append(out.getvalue())
    return files


def case_picture(draw: random.Random, room: Path) -> None:
    files = picture_files()
    data = draw.choice(files)
    if draw.random() < 0.1:  # the beginning of one and the end of another
        other = draw.choice(files)
        data = data[: draw.randrange(len(data))] + other[draw.randrange(len(other)) :]
    data = damaged(draw, data, 0, draw.choice((None, 64, 256)))
    height, width = draw.choice(((16, 16), (20, 24), (8, 30)))
    pixels = read_picture(data, (height, width))
    expect(pixels.dtype == torch.uint8 and pixels.shape == (3, height, width), f"pixels {pixels.shape}")


# --- folders ----------------------------------------------------------------------------------------------------------

FOLDER_NAMES = (
    *("train", "Train", "TRAINING", "train_images", "seg_train", "trainset", "tr", "Train Set", "train-2017"),
    *("test", "Test", "TESTING", "val", "valid", "Validation set", "dev", "eval", "holdout", "test_data", "ts"),
    *("fold 1", "fold_2", "unlabeled", "extra", "images", "data", "new", "the pictures", "raw", ".hidden", "__MACOSX"),
    *(
        "cat",
        "dog",
        "bird",
        "Cat",
        "class 1",
        "1",
        "2",
        "10",
        "träin",
        "训练",
        "cat.jpg",
        "a b",
        " ",
        "x" * 200,
        "-",
        "%s",
    ),
)
ENDINGS = (
    ".png",
    ".png",
    ".png",
    ".PNG",
    ".jpg",
    ".jpeg",
    "",
    ".txt",
    ".gif",
    ".pnG",
    ".tif",
    ".parquet",
    ".zip",
    ".bak",
)


def plain_png(colour: tuple[int, int, int]) -> bytes:
    """A picture of 8 x 8 pixels in one colour."""
    out = io.BytesIO()
    Image.new("RGB", (8, 8), colour).save(out, "PNG")
    return out.getvalue()


def case_folder(draw: random.Random, room: Path) -> None:
    top = room / draw.choice(("x", "train", "cifar-10-batches-py", "träin", "v1.5", "a.zip"))
    top.mkdir()
    folders = [os.fsencode(top)]
    for _ in range(draw.randrange(1, 9)):
        name = os.fsencode(draw.choice(FOLDER_NAMES))
        if os.name == "posix" and draw.random() < 0.05:
            name = b"cl\xe9 " + bytes([draw.randrange(1, 47)])
        folder = os.path.join(draw.choice(folders), name)
        with contextlib.suppress(OSError):  # it is there already, or too deep
            os.mkdir(folder)
            folders.append(folder)
    words: dict[int, set[str]] = {}  # of each picture, by its colour: the names that lead to it
    for number in range(draw.randrange(0, 30)):
        file = os.path.join(draw.choice(folders), b"%d" % number + os.fsencode(draw.choice(ENDINGS)))
        way = draw.random()
        content = plain_png((number * 8, 0, 255 - number * 8))
        if way < 0.05:
            content = b""
        elif way < 0.1:
            content = draw.choice(
                (b"version https://git-lfs.github.com/spec/v1\n", b"hello", b"PAR1", b"PK\3\4", b"\x1f\x8b")
            )
        elif way < 0.2:
            content = damaged(draw, content)
        if os.name == "posix" and draw.random() < 0.06:
            linked(draw, file, folders)
        elif os.path.lexists(file):
            continue
        else:
            with open(file, "wb") as out:
                out.write(content)
            if way >= 0.2:
                words[number * 8] = {*os.fsdecode(file).split("/")}
    links = any(is_link(Path(folder, part)) for folder, some, files in os.walk(top) for part in (*some, *files))
    images = loaded(top, room, 8)
    if draw.random() < 0.1:
        again = loaded(top, room, 8)
        expect(again.fingerprint == images.fingerprint and again.classes == images.classes, "the cache differs")
    if draw.random() < 0.3:
        same_streamed(images, top, room)
    for split in (images.train, images.test):
        for picture, label in zip(split.images, split.labels.tolist(), strict=True):
            red = int(picture[0, 0, 0])
            if (picture[0] != red).any() or red not in words or links:
                continue  # a damaged picture that can be read after all, or one that a link may lead to
            known = {readable(word) for word in words[red]}
            known |= {set_name(top)}
            expect(images.classes[label] in known, f"class {images.classes[label]!r} of a picture in {sorted(known)}")


def same_streamed(images: Images, path: Path, room: Path) -> None:
    """A streamed folder has the pictures, labels and classes that it has in memory, but for broken pictures."""
    streamed = loaded(path, room, 8, stream=True, workers=0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        parts = [torch.cat([*split.images.split(7)]) for split in (streamed.train, streamed.test) if len(split)]
    if not caught:
        both = [split for split in (images.train, images.test) if len(split)]
        labels = [split.labels for split in (streamed.train, streamed.test) if len(split)]
        same = all(torch.equal(a, b.images) for a, b in zip(parts, both, strict=True))
        same &= all(torch.equal(a, b.labels) for a, b in zip(labels, both, strict=True))
        expect(same and streamed.classes == images.classes, "streamed it is another set")


def is_link(path: Path) -> bool:
    return path.is_symlink() or path.lstat().st_nlink > 1 and path.is_file()


def linked(draw: random.Random, file: bytes, folders: Sequence[bytes]) -> None:
    """Something else than a file in its place: a link to a folder or a file, into a circle or nowhere, or a pipe."""
    with contextlib.suppress(OSError):
        way = draw.randrange(5)
        if way == 0:
            os.mkfifo(file)
        elif way == 1:
            os.symlink(file, file)
        elif way == 2:
            os.symlink(b"nowhere", file)
        elif way == 3:
            os.symlink(draw.choice(folders), file)
        else:
            os.link(draw.choice([entry.path for entry in os.scandir(draw.choice(folders))] or [b"nowhere"]), file)


def loaded(path: Path, room: Path, size: int = 32, **options: object) -> Images:
    """Load a path with a cache of its own; what comes is a data set, and warnings are its notes."""
    os.environ["MP3_CACHE"] = str(room / "cache")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        images = load_images(path, size, **options)
    for warning in caught:
        note = str(warning.message)
        expect(warning.category is Note and note.startswith(f"{path}: "), f"{warning.category.__name__}: {note}")
    for split in (images.train, images.test):
        expect(split.images.dtype == torch.uint8 and len(split.images.shape) == 4, "not uint8 images")
        expect(split.images.shape[1] == options.get("channels", 3), f"images {tuple(split.images.shape)}")
        expect(split.labels.dtype == torch.int64 and len(split.labels) == len(split.images), "labels do not fit")
        in_range = not len(split) or (split.labels.min() >= 0 and split.labels.max() < len(images.classes))
        expect(in_range, "labels that no class has")
    expect(len(images.train) > 0, "no training images")
    return images


def expect(holds: object, otherwise: str) -> None:
    if not holds:
        raise Fault(otherwise)


# --- packs ------------------------------------------------------------------------------------------------------------


@functools.cache
def pack_file() -> bytes:
    """A pack of plain pictures, each of the colour of its number."""
    with tempfile.TemporaryDirectory(prefix="mp3lib-fuzz-") as room:
        for number in range(20):
            file = Path(room, "set", ("cat", "dog")[number % 2], f"{number}.png")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(plain_png((number * 8, 0, 255 - number * 8)))
        return pack_images(Path(room, "set"), 8, Path(room, "x")).read_bytes()


def case_pack(draw: random.Random, room: Path) -> None:
    """Damage in the header or the labels of a pack: what is read has the labels of its pictures."""
    data = pack_file()
    length, labels = 8 + len(data[8:4096].rstrip()), len(data) - 20 * 8
    about = json.loads(data[8:length])
    way = draw.random()
    if way < 0.3:
        data = damaged(draw, data, 0, length)
    elif way < 0.5:
        data = data[:labels] + flipped_or_cut(draw, data[labels:])
    elif way < 0.8:
        name = draw.choice(sorted(about["__metadata__"]))
        text = draw.choice(("", "[]", "5", '["a"]', '["a", "b", "c"]', "{}", "null", "x", "[1, 2]", "\0"))
        about["__metadata__"] |= {name: text}
    else:
        about = odd_json(draw, about)
    if way >= 0.5:
        data = data[:8] + json.dumps(about).encode().ljust(length - 8) + data[length:]
    (room / "x").write_bytes(data)
    images = loaded(room / "x", room, 8)
    for split in (images.train, images.test):
        numbers = (split.images.flatten(1)[:, 0] // 8).tolist()
        expect([number % 2 for number in numbers] == split.labels.tolist(), "labels of other pictures")


# --- idx, arrays and WebDataset ---------------------------------------------------------------------------------------


def case_idx(draw: random.Random, room: Path) -> None:
    """Damage in a file of a small set in MNIST's form, in its gzip, or in what was packed."""
    ending = draw.choice(("", ".gz"))
    spoilt = (draw.choice(("train", "t10k")), draw.choice(("images", "labels")))
    for name, number in (("train", 12), ("t10k", 6)):
        pixels, labels = draw.randbytes(number * 30), bytes(i % 3 for i in range(number))
        for what, shape, values in (("images", (number, 5, 6), pixels), ("labels", (number,), labels)):
            data = struct.pack(f">BBBB{len(shape)}I", 0, 0, 8, len(shape), *shape) + values
            broken, inside = spoilt == (name, what), draw.random() < 0.5
            if broken and (inside or not ending):
                data = damaged(draw, data, 0, draw.choice((4 + 4 * len(shape), None)))
            data = gzip.compress(data) if ending else data
            if broken and ending and not inside:
                data = flipped_or_cut(draw, data)
            (room / "set").mkdir(exist_ok=True)
            (room / f"set/{name}-{what}-idx{len(shape)}-ubyte{ending}").write_bytes(data)
    loaded(room / "set", room, draw.choice((4, 8)))


def case_array(draw: random.Random, room: Path) -> None:
    """Odd and damaged ``.npy`` files among good ones, in memory and streamed."""
    channels, value_range = draw.choice((1, 3, 5)), draw.choice((None, (0.0, 255.0), (-1.0, 1.0)))
    for number in range(8):
        file = room / "set" / ("cat", "dog")[number % 2] / f"{number}.npy"
        file.parent.mkdir(parents=True, exist_ok=True)
        shape = draw.choice(((6, 7, channels), (channels, 6, 7), (6, 7), (2, 6, 7, channels), (0, 7, channels), ()))
        kind = draw.choice(("uint8", "uint8", "uint16", ">u2", "float32", "float16", "int64", "complex64", "object"))
        shape, kind = ((6, 7, channels), "uint8") if number < 4 else (shape, kind)
        out = io.BytesIO()
        np.save(out, np.zeros(shape, dtype=kind), allow_pickle=True)
        data = out.getvalue()
        if number > 4 and draw.random() < 0.6:
            data = damaged(draw, data, 0, draw.choice((128, None)))
        file.write_bytes(data)
    options = {"channels": channels, "value_range": value_range}
    images = loaded(room / "set", room, 8, **options)
    streamed = loaded(room / "set", room, 8, stream=True, workers=0, **options)
    expect(torch.equal(images.test.labels, streamed.test.labels), "streamed labels differ")


def case_shards(draw: random.Random, room: Path) -> None:
    """Odd labels and pictures in the samples of shards, and damage in a shard: good samples keep their labels."""
    spoilt = draw.randrange(4)
    for shard in range(3):
        (room / "set").mkdir(exist_ok=True)
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w") as archive:
            for number in range(6):
                label, key = number % 3, draw.choice((f"{number}", f"{number}", f"x/{number}", f"{number}.a"))
                text = draw.choice((b"%d", b"%d", b"%d\n")) % label
                odd = (b"", b"-1", b"cat", b"\xff", b"\0", b"1.5", b"9" * 30, b"x" * 2000, b"../..", b"a/b")
                text = draw.choice(odd) if number > 3 and draw.random() < 0.3 else text
                files = [(f"{key}.png", plain_png((label * 30, 0, 0))), (f"{key}.cls", text)]
                files += [(f"{key}.json", b"{}"), (f"{key}.seg.png", plain_png((255, 0, 0)))][: draw.randrange(3)]
                draw.shuffle(files)
                for name, data in files:
                    info = tarfile.TarInfo(name)
                    info.size = len(data)
                    archive.addfile(info, io.BytesIO(data))
        data = out.getvalue()
        if shard == spoilt:
            data = damaged(draw, data)
        name = draw.choice(("train", "train", "val", "part"))
        (room / f"set/{name}-{shard:06}.tar").write_bytes(data)
    options = {"stream": True, "workers": 0} if draw.random() < 0.3 else {}
    images = loaded(room / "set", room, 8, **options)
    if spoilt == 3:
        for split in (images.train, images.test):
            for picture, label in zip(split.images, split.labels.tolist(), strict=True):
                known, red = images.classes[label], int(picture[0, 0, 0])
                expect(known not in ("0", "1", "2") or int(known) * 30 == red, "another label")
                expect(red != 255, "a mask among the pictures")


# --- archives ---------------------------------------------------------------------------------------------------------


@functools.cache
def picture_set() -> dict[str, bytes]:
    """A small set of pictures by split and class, as PNG, BMP (which has no checksum) and a text."""
    numbers = np.random.default_rng(1)
    files = {"set/labels.txt": b"cat\ndog\n"}
    for number, (part, name) in enumerate(itertools.product(("train", "train", "test"), ("cat", "dog"))):
        for form in ("PNG", "BMP"):
            out = io.BytesIO()
            Image.fromarray(numbers.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(out, form)
            files[f"set/{part}/{name}/{number}.{form.lower()}"] = out.getvalue()
    return files


@functools.cache
def archives() -> dict[str, list[bytes]]:
    """The set in each kind of archive."""
    made: dict[str, list[bytes]] = {"zip": []}
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", method) as archive:
            for name, content in picture_set().items():
                archive.writestr(zipfile.ZipInfo(name), content, method)
        made["zip"].append(out.getvalue())
    for ending, mode in (("tar", "w"), ("tar.gz", "w:gz"), ("tar.bz2", "w:bz2"), ("tar.xz", "w:xz")):
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode=mode) as archive:
            for name, content in picture_set().items():
                info = tarfile.TarInfo(name)
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
        made[ending] = [out.getvalue()]
    return made


@functools.cache
def right_fingerprint() -> str:
    with tempfile.TemporaryDirectory() as room:
        path = Path(room, "x.zip")
        path.write_bytes(archives()["zip"][0])
        return loaded(path, Path(room), 8).fingerprint


def case_archive(ending: str, draw: random.Random, room: Path) -> None:
    right = right_fingerprint()
    data = flipped_or_cut(draw, draw.choice(archives()[ending]))
    path = room / f"x.{ending}"
    path.write_bytes(data)
    images = loaded(path, room, 8)
    if ending != "tar":  # a plain tar has checksums over its names alone
        expect(images.fingerprint == right and images.classes == ("cat", "dog"), "wrong pixels or labels")


# --- parquet ----------------------------------------------------------------------------------------------------------


def odd_column(draw: random.Random, number: int) -> list:
    """A column as no data set should have it."""
    return draw.choice(
        (
            [None] * number,
            list(range(number)),
            [-1] * number,
            [2**62 + i for i in range(number)],
            [i / 3 for i in range(number)],
            [float("nan")] * number,
            [bool(i % 2) for i in range(number)],
            [f"name {i % 3}" for i in range(number)],
            [b"bytes"] * number,
            [[i] for i in range(number)],
            [{"bytes": None, "path": "x.png"}] * number,
            [{"a": i} for i in range(number)],
            [None if i % 2 else i for i in range(number)],
            ["" if i % 2 else "\0\n" for i in range(number)],
        )
    )


def case_parquet(draw: random.Random, room: Path) -> None:
    import pyarrow
    from pyarrow import parquet

    number = draw.randrange(0, 8)
    pictures = [plain_png((i * 30, 0, 0)) for i in range(number)]
    columns = {"img": [{"bytes": p, "path": None} for p in pictures], "label": [i % 2 for i in range(number)]}
    odd = draw.random() < 0.4
    if odd:
        name = draw.choice(("img", "image", "label", "labels", "Img", "fine_label", "x"))
        columns[name] = odd_column(draw, number)
    if draw.random() < 0.1:
        columns = {"image": pictures, "label": columns["label"]}
    table = pyarrow.table(columns)
    if draw.random() < 0.4:
        said = {"info": {"features": {"label": {"names": ["cat", "dog"], "_type": "ClassLabel"}}}}
        said = json.dumps(said).encode()
        table = table.replace_schema_metadata({"huggingface": damaged(draw, said) if draw.random() < 0.5 else said})
    out = io.BytesIO()
    parquet.write_table(table, out, compression=draw.choice(("none", "snappy", "zstd", "gzip")), row_group_size=3)
    data = out.getvalue()
    if not odd or draw.random() < 0.3:
        data = damaged(draw, data, draw.choice((0, max(len(data) - 600, 0))))
    if draw.random() < 0.3:
        (room / "data").mkdir()
        path = room / "data" / draw.choice(("train-0.parquet", "test.parquet", "x.parquet"))
        path.write_bytes(data)
        path = path.parent
    else:
        path = room / "train.parquet"
        path.write_bytes(data)
    loaded(path, room, 8)


# --- pickles and sprites of CIFAR-10 ----------------------------------------------------------------------------------

CANARIES = (  # each would start something, or import a module
    b"cos\nsystem\n(S'exit 3'\ntR",
    b"cposix\nsystem\n(S'exit 3'\ntR",
    b"cbuiltins\nexec\n(S'import this'\ntR",
    b'c__builtin__\neval\n(S\'open("canary", "w")\'\ntR',
    b"\x8c\x02os\x8c\x06system\x93\x8c\x06exit 3\x85R",
    b"(S'exit 3'\nios\nsystem\n",
    b"cnumpy\nload\n(S'canary'\ntR",
    b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\x00\x85C\x01btR",
    b"cnumpy._core.multiarray\nscalar\n(cnumpy\ndtype\n(S'O8'\ntRS'12345678'\ntR",
    b"cnumpy\nfromfile\n(S'/etc/passwd'\ntR",
    b"csubprocess\nPopen\n(S'true'\ntR",
    b"\x80\x04\x8c\x08builtins\x8c\x07getattr\x93",
    b"c_codecs\nencode\n(Vcanary\nVrot13\ntR",
    b"c_codecs\nencode.__globals__\n",
    b"P0\n",
    b"\x82\x01",
    b"\x97",
)
PIECES = (  # opcodes with and without their arguments
    *(bytes([code]) for code in b"(.0123NQR\x85\x86\x87\x88\x89\x81\x91\x93\x94\x90\x8fab]}()ledust\x92\x98"),
    *(
        b"K\x01",
        b"M\xff\xff",
        b"J\xff\xff\xff\x7f",
        b"I12\n",
        b"I01\n",
        b"L123L\n",
        b"F1.5\n",
        b"\x8a\x04\xff\xff\xff\x7f",
    ),
    *(b"\x8a\x00", b"\x8b\xff\xff\xff\x7f", b"G\x7f\xf0\0\0\0\0\0\0", b"S'abc'\n", b"U\x03abc", b"T\xff\xff\xff\x7f"),
    *(
        b"X\x03\0\0\0abc",
        b"X\xff\xff\xff\xff",
        b"\x8c\x03abc",
        b"\x8d\0\0\0\0\0\0\0\x10",
        b"\x8e\xff\xff\xff\xff\0\0\0\0",
    ),
    *(
        b"\x96\0\0\0\x80\0\0\0\0",
        b"B\x02\0\0\0ab",
        b"C\x02ab",
        b"q\x01",
        b"r\x01\0\0\0",
        b"r\xff\xff\xff\x0f",
        b"h\x01",
    ),
    *(b"j\xff\xff\xff\x7f", b"p1\n", b"p99999999\n", b"g1\n", b"\x80\x05", b"\x80\xff", b"\x95\x10\0\0\0\0\0\0\0"),
    *(
        b"\x95\xff\xff\xff\xff\xff\xff\xff\x7f",
        b"X\x04\0\0\0data",
        b"X\x06\0\0\0labels",
        b"cnumpy\ndtype\n",
        b"cnumpy\nndarray\n",
    ),
    *(
        b"cnumpy._core.multiarray\n_reconstruct\n",
        b"cnumpy.core.numeric\n_frombuffer\n",
        b"cnumpy._core.multiarray\nscalar\n",
    ),
    *(b"S'u1'\n", b"S'i8'\n", b"\x85", b"\x86", b"\x87", b"R", b"b", b"s", b"u", *CANARIES),
)


@functools.cache
def batch_files() -> list[bytes]:
    """One small batch, pickled with each protocol, with labels as a list and as an array."""
    numbers = np.random.default_rng(2)
    images = numbers.integers(0, 256, (3, 3072), dtype=np.uint8)
    files = []
    for protocol in range(2, 6):
        for labels in ([1, 2, 3], np.arange(3), [np.int64(1)] * 3):
            batch = {b"data": images, b"labels": labels, b"filenames": [b"a.png"] * 3, b"batch_label": b"x"}
            files.append(pickle.dumps(batch, protocol=protocol))
    return files


class Watch:
    """Notes what a pickle starts, opens or imports. An audit hook cannot be taken away: there is one for all."""

    active = False
    seen: list[str] = []
    events = (
        "os.",
        "subprocess.",
        "exec",
        "compile",
        "socket.",
        "ctypes.",
        "open",
        "pty.",
        "shutil.",
        "code.",
        "import",
    )

    @classmethod
    def install(cls) -> None:
        def hook(event: str, arguments: tuple) -> None:
            if cls.active and event.startswith(cls.events):
                cls.seen.append(f"{event} {arguments!r}"[:200])

        sys.addaudithook(hook)


@functools.cache
def watch() -> type[Watch]:
    for data in batch_files():  # whatever numpy imports on first use
        read_batch(data, "first")
    Watch.install()
    return Watch


def read_watched(data: bytes) -> None:
    watching = watch()
    watching.seen.clear()
    watching.active = True
    try:
        images, labels = read_batch(data, "x: data_batch_1")
    finally:
        watching.active = False
        expect(not watching.seen, f"the pickle did something: {watching.seen[:3]}")
    expect(images.dtype == np.uint8 and images.shape[1:] == (3, 32, 32) and labels.dtype == np.int64, "no batch")
    images.sum(), labels.sum()  # a forged pointer would end the process here


def case_pickle(draw: random.Random, room: Path) -> None:
    data = draw.choice(batch_files())
    if draw.random() < 0.3:
        at = draw.choice((2, draw.randrange(len(data)), data.find(b"data"), len(data) - draw.randrange(1, 120)))
        data = data[:at] + draw.choice(CANARIES) + data[at:]
    else:  # mostly among the opcodes, not within the 9,216 bytes of the pixels
        start = draw.choice((0, 0, max(data.find(b"labels") - 20, 0)))
        data = damaged(draw, data, start, draw.choice((start + 250, None)))
    read_watched(data)


def case_opcodes(draw: random.Random, room: Path) -> None:
    pieces = draw.choices(PIECES, k=draw.choice((3, 10, 30, 100)))
    if draw.random() < 0.02:  # deep or long
        at = draw.randrange(len(pieces))
        pieces[at] *= draw.choice((3_000, 300_000))
    data = draw.choice((b"", b"\x80\x02", b"\x80\x04")) + b"".join(pieces) + draw.choice((b".", b""))
    if draw.random() < 0.3:
        data = b"\x80\x02}(" + b"X\x04\0\0\0data" + data.rstrip(b".") + b"X\x06\0\0\0labels](K\x01eu."
    read_watched(data)


@functools.cache
def sprite_files() -> dict[str, bytes]:
    """The files of the npm package, with three images a batch."""
    numbers, files = np.random.default_rng(3), {}
    for name in BATCHES:
        out = io.BytesIO()
        Image.fromarray(numbers.integers(0, 256, (3, 1024, 3), dtype=np.uint8)).save(out, "PNG")
        files[f"{name}.png"] = out.getvalue()
    return files | {"train_lables.json": json.dumps([1] * 15).encode(), "test_lables.json": b"[0, 1, 2]"}


def case_sprite(draw: random.Random, room: Path) -> None:
    files = dict(sprite_files())
    name = draw.choice([*files, "train_lables.json", "test_lables.json"])
    if name.endswith("json") and draw.random() < 0.5:
        odd = ("{}", "[]", "null", "[1.5]", '["a"]', "[true,1,2]", "[-1,0,1]", "[10,0,1]", "[" * 100_000, "[1e400,1,1]")
        files[name] = draw.choice((*odd, f"[{2**70}, 1, 2]", "[NaN, 1, 2]", '"' * 99)).encode()
    elif draw.random() < 0.1:
        del files[name]
    else:
        files[name] = damaged(draw, files[name], 0, draw.choice((None, 64)))
    folder = room / "package"
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    loaded(folder, room)


# --- models -----------------------------------------------------------------------------------------------------------

TINY = {
    "num_classes": 3,
    "image_size": 8,
    "patch_size": 4,
    "dim": 8,
    "depth": 1,
    "heads": 1,
    "mlp_dim": 8,
    "dim_head": 8,
}
ODD = (
    *(
        None,
        True,
        False,
        -1,
        0,
        1,
        2,
        3,
        7,
        1e9,
        10**9,
        2**63,
        -(2**70),
        0.5,
        -0.5,
        float("nan"),
        float("inf"),
        "8",
        "",
        "x" * 999,
    ),
    *([], [8], [8, 8], [8, 0], [[8]], [8, 8, 8], ["8", "8"], {}, {"a": 1}, [None, None], "frozen", "cat"),
)


@functools.cache
def saved_models() -> list[dict[str, bytes]]:
    """The files of a ViT and of an MP3."""
    torch.manual_seed(0)
    kinds = [ViT(**TINY, classes=["a", "b", "c"]), MP3(ViT(**TINY), 0.5, "updated")]
    made = []
    for model in kinds:
        with tempfile.TemporaryDirectory() as room:
            model.save_pretrained(room)
            made.append({name: Path(room, name).read_bytes() for name in ("config.json", "model.safetensors")})
    return made


def read_model(room: Path, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        (room / name).write_bytes(content)
    model = load_model(room)
    expect(isinstance(model, (ViT, MP3)), f"{type(model).__name__} was loaded")
    vit = model if isinstance(model, ViT) else model.vit
    if vit.num_patches > 10_000:
        return  # no weight depends on the size of the images, so config.json may ask for large ones
    with torch.no_grad():
        logits = vit.eval()(torch.zeros(1, vit.channels, *vit.image_size))
    expect(logits.shape[0] == 1, "no logits")


def case_config(draw: random.Random, room: Path) -> None:
    files = dict(draw.choice(saved_models()))
    config = json.loads(files["config.json"])
    if draw.random() < 0.2:
        files["config.json"] = damaged(draw, files["config.json"])
    else:
        for _ in range(draw.choice((1, 1, 2, 4))):
            place = config["vit"] if isinstance(config.get("vit"), dict) and draw.random() < 0.7 else config
            name = draw.choice([*place, "unknown"])
            if draw.random() < 0.1:
                place.pop(name, None)
            else:
                place[name] = draw.choice(ODD)
        files["config.json"] = json.dumps(draw.choice((config, config, config, config, [config], "x"))).encode()
    read_model(room, files)


def case_weights(draw: random.Random, room: Path) -> None:
    files = dict(draw.choice(saved_models()))
    weights = files["model.safetensors"]
    header = 8 + int.from_bytes(weights[:8], "little")
    files["model.safetensors"] = damaged(draw, weights, 0, draw.choice((8, header, header, None)))
    read_model(room, files)


def case_configuration(draw: random.Random, room: Path) -> None:
    """A model of random settings: its results, and the same again after it was saved and loaded."""
    pair = draw.random() < 0.3
    patch = [draw.choice((1, 2, 3, 4, 8)) for _ in range(2 if pair else 1)]
    size = [p * draw.choice((2, 2, 3, 5)) for p in patch]
    settings = {
        "num_classes": draw.choice((1, 2, 10)),
        "image_size": size if pair else size[0],
        "patch_size": patch if pair else patch[0],
        "dim": draw.choice((4, 8, 12, 32)),
        "depth": draw.choice((1, 1, 2, 3)),
        "heads": draw.choice((1, 2, 3)),
        "mlp_dim": draw.choice((1, 8, 33)),
        "channels": draw.choice((1, 3, 3, 4)),
        "dim_head": draw.choice((1, 2, 8, 64)),
        "dropout": draw.choice((0.0, 0.0, 0.1, 0.9)),
        "patch_norm": draw.random() < 0.5,
    }
    if draw.random() < 0.3:
        settings["classes"] = [f"class {i}" for i in range(settings["num_classes"])]
    if draw.random() < 0.25:
        name = draw.choice(list(settings))
        settings[name] = draw.choice((0, -1, 1, 2, 5, 6, 1.5, float("nan"), None, [4, 4], [4, 0], "8", True))
    torch.manual_seed(draw.randrange(1 << 30))
    vit = ViT(**settings).eval()
    ratio = draw.choice((0.0, 1.0, -1, 0.01)) if draw.random() < 0.1 else draw.choice((0.5, 0.75, 0.99))
    mp3 = MP3(vit, ratio, draw.choice(("frozen", "updated")))
    mp3.eval()
    images = torch.rand(2, vit.channels, *vit.image_size) * 2 - 1
    kind = draw.choice((vit, mp3))
    kind.save_pretrained(room)
    again = load_model(room).eval()
    expect(type(again) is type(kind) and again.config == kind.config, "another configuration after loading")
    with torch.no_grad():
        logits = vit(images)
        expect(logits.isfinite().all() and logits.shape[0] == 2, "logits that are not finite")
        results = [mp3.predict(images, generator=torch.Generator().manual_seed(0)).logits, mp3(images)]
        expect(all(result.isfinite().all() for result in results), "predictions that are not finite")
        if isinstance(kind, ViT):
            expect(logits.equal(again(images)), "other logits after loading")
        else:
            other = again.predict(images, generator=torch.Generator().manual_seed(0)).logits
            expect(results[0].equal(other), "other predictions after loading")


# --- run folders ------------------------------------------------------------------------------------------------------

RUN_OPTIONS = {"batch_size": 8, "precision": "float32", "eval_every": 1, "progress": False, "seed": 0}


def train_tiny(out: Path, epochs: int, resume: bool) -> None:
    torch.manual_seed(0)
    images = torch.randint(0, 256, (16, 3, 8, 8), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    mp3 = MP3(ViT(**TINY), 0.5, "updated")
    pretrain(mp3, images, eval_images=images[:8], epochs=epochs, out=out, resume=resume, **RUN_OPTIONS)


class Stop(Exception):
    """Ends a training early, so that there is something to resume."""


@functools.cache
def run_files() -> dict[str, bytes]:
    """The files of a run that stopped after the first of two epochs, by their path in its folder."""
    steps, forward = itertools.count(1), MP3.forward

    def stopping(self, *args, **options):
        if next(steps) > 3:  # of two steps an epoch, in the second
            raise Stop
        return forward(self, *args, **options)

    with tempfile.TemporaryDirectory(prefix="mp3lib-fuzz-") as room:
        out = Path(room, "run")
        MP3.forward = stopping
        try:
            train_tiny(out, 2, resume=False)
        except Stop:
            pass
        finally:
            MP3.forward = forward
        return {file.relative_to(out).as_posix(): file.read_bytes() for file in out.rglob("*") if file.is_file()}


def odd_json(draw: random.Random, value: object) -> object:
    """A JSON value with one of its parts replaced."""
    if isinstance(value, dict) and value and draw.random() < 0.85:
        name = draw.choice(list(value))
        if draw.random() < 0.1:
            return {other: part for other, part in value.items() if other != name}
        return value | {name: odd_json(draw, value[name])}
    if isinstance(value, list) and value and draw.random() < 0.7:
        at = draw.randrange(len(value))
        return [*value[:at], odd_json(draw, value[at]), *value[at + 1 :]]
    return draw.choice(ODD)


def damaged_run(draw: random.Random, room: Path) -> Path:
    """A run folder with damage in one of its files of text."""
    out, files = room / "run", run_files()
    for name, content in files.items():
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_bytes(content)
    file = out / draw.choice(sorted(name for name in files if name.endswith((".json", ".jsonl"))))
    text = file.read_text(encoding="utf-8")
    if draw.random() < 0.5:
        file.write_bytes(damaged(draw, text.encode()))
    elif file.suffix == ".json":
        file.write_text(json.dumps(odd_json(draw, json.loads(text))), encoding="utf-8")
    else:
        lines = [json.dumps(odd_json(draw, json.loads(line))) for line in text.splitlines()]
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return out


def case_run(draw: random.Random, room: Path) -> None:
    train_tiny(damaged_run(draw, room), 2, resume=True)


def case_compared(draw: random.Random, room: Path) -> None:
    out = damaged_run(draw, room)
    plot = ["--plot", str(room / "x.svg")] if draw.random() < 0.05 else []
    figures = runs.run(parser().parse_args(["runs", str(out), "--csv", str(room / "x.csv"), *plot]))
    expect(len(figures["runs"]) == 1 and json.dumps(figures, allow_nan=False), "a run that is not there")


KINDS = {
    "pictures": Kind(10000, case_picture),
    "folders": Kind(3000, case_folder),
    "packs": Kind(1000, case_pack),
    "idx": Kind(1000, case_idx),
    "arrays": Kind(1000, case_array),
    "shards": Kind(1000, case_shards),
    "zip": Kind(3000, functools.partial(case_archive, "zip")),
    "tar": Kind(1500, functools.partial(case_archive, "tar")),
    "tar.gz": Kind(1500, functools.partial(case_archive, "tar.gz")),
    "tar.bz2": Kind(1500, functools.partial(case_archive, "tar.bz2")),
    "tar.xz": Kind(1500, functools.partial(case_archive, "tar.xz")),
    "parquet": Kind(2000, case_parquet),
    "pickles": Kind(4000, case_pickle),
    "opcodes": Kind(4000, case_opcodes),
    "sprites": Kind(1000, case_sprite),
    "config.json": Kind(1500, case_config),
    "model.safetensors": Kind(800, case_weights),
    "run folders": Kind(150, case_run),
    "run folders, compared": Kind(1000, case_compared),
    "configurations": Kind(2500, case_configuration, configuration=True),
}
ALL = sum(kind.share for kind in KINDS.values())


# --- cases in processes of their own ----------------------------------------------------------------------------------


def run_case(name: str, number: int, seed: int) -> tuple[str, str]:
    """("right", "refused" or "fault", what was said) of one case."""
    draw = random.Random(f"{seed}/{name}/{number}")
    with tempfile.TemporaryDirectory(prefix="mp3lib-fuzz-", ignore_cleanup_errors=True) as room:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                KINDS[name].case(draw, Path(room))
            except Exception as error:
                if not is_refusal(error):
                    where = error.__traceback__
                    while where.tb_next:
                        where = where.tb_next
                    place = f"{Path(where.tb_frame.f_code.co_filename).name}:{where.tb_lineno}"
                    return "fault", f"{type(error).__name__} ({place}): {' '.join(str(error).split())[:200]}"
                outcome = (
                    "refused",
                    " ".join(str(error).replace(f"{room}{os.sep}", "").replace(room, "x").split())[:200],
                )
            else:
                outcome = "right", ""
    if caught:
        return "fault", f"a warning: {caught[0].category.__name__}: {str(caught[0].message)[:200]}"
    return outcome


def is_refusal(error: Exception) -> bool:
    """Whether an exception tells its reader, in a sentence, what is wrong with the input."""
    plain = type(error) in (ValueError, ImportError, decode.TooLarge) or (
        isinstance(error, OSError) and error.errno is None
    )
    return plain and len(str(error).split()) >= 4


def memory() -> int:
    """The most bytes that this process has had in memory; 0 where that is not known."""
    if resource is None:
        return 0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def work(name: str, first: int, last: int, seed: int, pipe: Connection) -> None:
    """Run cases and send what came of each; ends early where one has taken too much memory."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)
    for stream in (1, 2):  # libraries written in C print there
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
    sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - until the end of the process
    if resource is not None and sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_AS, (ADDRESSES, ADDRESSES))
    for number in range(first, last):
        outcome = run_case(name, number, seed)
        if memory() > MEMORY:
            outcome = "fault", f"{memory() / 1e9:.1f} GB of memory"
        pipe.send((number, *outcome))
        if memory() > MEMORY:
            return


def run_kind(name: str, cases: int, seed: int, tell: Callable[[str], None] = print) -> dict:
    """All cases of a kind: how many were read right, were refused, and were faults, and what the faults were."""
    begun, counts, faults, said = time.monotonic(), {"right": 0, "refused": 0, "fault": 0}, [], ""
    number = 0
    while number < cases:
        ours, theirs = PROCESSES.Pipe(duplex=False)
        process = PROCESSES.Process(target=work, args=(name, number, cases, seed, theirs))
        process.start()
        theirs.close()
        fresh = True
        while number < cases:
            try:
                limit = SECONDS + (FIRST_SECONDS if fresh else 0)
                outcome = ours.recv()[1:] if ours.poll(limit) else ("fault", f"over {SECONDS} s")
            except EOFError:
                process.join()
                if process.exitcode == 0:
                    break  # it ended after a case with too much memory
                outcome = "fault", f"the process ended with status {process.exitcode}"
            fresh = False
            counts[outcome[0]] += 1
            if outcome[0] == "fault":
                faults.append({"case": number, "fault": outcome[1]})
                tell(f"{name}, case {number}: {outcome[1]}")
            elif outcome[0] == "refused":
                said = outcome[1]
            number += 1
            if outcome[0] == "fault" and outcome[1].startswith(("over", "the process")):
                break
        process.kill()
        process.join()
        ours.close()
    seconds = round(time.monotonic() - begun, 1)
    return {"tried": cases, **counts, "seconds": seconds, "faults": faults, "last refusal": said}


# --- kills while the cache is written ---------------------------------------------------------------------------------

ABOUT = {"classes": "[]", "notes": "[]", "source": "", "fingerprint": "", "name": ""}


def tensors_of(number: int) -> dict[str, torch.Tensor]:
    return {"train_images": torch.full((20_000_000,), number, dtype=torch.uint8)}


def write_for_ever(folder: Path) -> None:
    for number in itertools.count():
        cache.write(folder / "cifar10.safetensors", "key", tensors_of(number % 256), ABOUT)


def kill_writers(kills: int, seed: int, tell: Callable[[str], None] = print) -> dict:
    """Kill a process while it writes the cache, again and again: a reader then finds whole tensors, or none."""
    draw = random.Random(f"{seed}/kills")
    found = {"readable": 0, "absent": 0, "damaged": 0}
    left = not_swept = 0
    before = os.environ.get("MP3_CACHE")
    with tempfile.TemporaryDirectory(prefix="mp3lib-fuzz-") as room:
        os.environ["MP3_CACHE"] = room
        file = Path(room, "cifar10.safetensors")
        for number in range(kills):
            if draw.random() < 0.3:
                file.unlink(missing_ok=True)
            process = PROCESSES.Process(target=write_for_ever, args=(Path(room),))
            process.start()
            time.sleep(draw.uniform(0.02, 0.6))
            process.kill()
            process.join()
            state = cache.read(file, "key")
            if isinstance(state, tuple):
                pixels = state[0]["train_images"]
                state = "readable" if len(pixels) == 20_000_000 and (pixels == pixels[0]).all() else "damaged"
            state = "absent" if state == "empty" else state
            found[state if state in found else "damaged"] += 1
            torn = len(cache.parts())
            left += torn
            if cache.write(file, "key", tensors_of(0), ABOUT) or cache.parts():
                not_swept += 1
            tell(f"kill {number + 1}: the cache is {state}, {torn} part(s) were left")
    if before is None:
        del os.environ["MP3_CACHE"]
    else:
        os.environ["MP3_CACHE"] = before
    return {"kills": kills, **found, "parts left by kills": left, "not swept by the next write": not_swept}


# --- the whole --------------------------------------------------------------------------------------------------------


def fuzz(cases: int, seed: int, only: Sequence[str] = (), tell: Callable[[str], None] = print) -> dict:
    """What results/fuzz.json holds, kind by kind; ``cases`` are shared out among the kinds."""
    names = [name for name in KINDS if not only or name in only]
    total = sum(KINDS[name].share for name in names)
    kinds = {}
    for name in names:
        kinds[name] = run_kind(name, max(round(cases * KINDS[name].share / total), 1), seed, tell)
        tell(row(name, kinds[name]))
    return {
        "seed": seed,
        "cases": sum(kind["tried"] for kind in kinds.values()),
        "versions": versions(),
        "kinds": kinds,
    }


def merged(stored: dict, result: dict) -> dict:
    """What a file of results holds, with the kinds of ``result`` in place of its own."""
    kinds = stored["kinds"] | result["kinds"]
    kinds = {name: kinds[name] for name in KINDS if name in kinds}
    return stored | result | {"cases": sum(kind["tried"] for kind in kinds.values()), "kinds": kinds}


def row(name: str, kind: dict) -> str:
    numbers = "".join(f"{kind[column]:>10,}" for column in ("tried", "right", "refused", "fault"))
    return f"{name:<20}{numbers}{kind['seconds']:>10,.1f} s"


def table(result: dict) -> str:
    """The table of all kinds: inputs tried, read right, refused in a sentence, faults."""
    kinds = result["kinds"]
    sums = {c: sum(kind[c] for kind in kinds.values()) for c in ("tried", "right", "refused", "fault", "seconds")}
    head = f"{'kind':<20}" + "".join(f"{word:>10}" for word in ("tried", "right", "refused", "faults", "seconds"))
    return "\n".join([head, *(row(name, kind) for name, kind in kinds.items()), row("all", sums)])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=ALL, help=f"of all kinds together; default: {ALL}")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", choices=KINDS, default=[], metavar="KIND", help=", ".join(KINDS))
    parser.add_argument("--case", type=int, help="run only this case of one kind, in this process")
    parser.add_argument("--kills", type=int, default=0, help="how often to kill a process that writes the cache")
    parser.add_argument("--out", type=Path, metavar="FILE", help="default: results/fuzz.json, for all kinds")
    parser.add_argument(
        "--store", action="store_true", help="replace the lines of these kinds in the file, keep others"
    )
    args = parser.parse_args()
    if args.case is not None:
        (name,) = args.only
        with tempfile.TemporaryDirectory(prefix="mp3lib-fuzz-") as room:
            KINDS[name].case(random.Random(f"{args.seed}/{name}/{args.case}"), Path(room))
        print("read right")
        return 0
    result = fuzz(args.cases, args.seed, args.only)
    faults = sum(kind["fault"] for kind in result["kinds"].values())
    if args.kills:
        result["kills"] = kill_writers(args.kills, args.seed)
        faults += result["kills"]["damaged"] + result["kills"]["not swept by the next write"]
    print("", table(result), sep="\n")
    out = args.out or (RESULT if args.store or not args.only else None)
    if args.store and out.exists():
        result = merged(read_json(out), result)
    if out:
        write_json(out, result)
    return int(faults > 0)


if __name__ == "__main__":
    sys.exit(main())
