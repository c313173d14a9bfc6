"""Small sets: pictures and arrays, MNIST, Tiny ImageNet, CIFAR-100, shards of WebDataset. And the bytes of a TIFF."""

from __future__ import annotations

import gzip
import io
import pickle
import struct
import tarfile
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

RNG = np.random.default_rng(0)


def noise_pictures(folder: Path, number: int, size: tuple[int, int] = (12, 12)) -> Path:
    """Write PNG files of noise, named 000.png and so on; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(number):
        Image.fromarray(RNG.integers(0, 256, (*size, 3), dtype=np.uint8)).save(folder / f"{i:03}.png")
    return folder


# --- MNIST ------------------------------------------------------------------------------------------------------------


def idx(values: np.ndarray) -> bytes:
    return struct.pack(f">BBBB{values.ndim}I", 0, 0, 8, values.ndim, *values.shape) + values.tobytes()


GREY = {"train": RNG.integers(0, 256, (30, 12, 10), dtype=np.uint8)}
GREY["t10k"] = RNG.integers(0, 256, (10, 12, 10), dtype=np.uint8)
LABELS = {name: (np.arange(len(images)) % 3).astype(np.uint8) for name, images in GREY.items()}


def mnist(folder: Path, ending: str = "", before: str = "") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    pack = gzip.compress if ending == ".gz" else bytes
    for name in GREY:
        (folder / f"{before}{name}-images-idx3-ubyte{ending}").write_bytes(pack(idx(GREY[name])))
        (folder / f"{before}{name}-labels-idx1-ubyte{ending}").write_bytes(pack(idx(LABELS[name])))
    return folder


# --- Tiny ImageNet ----------------------------------------------------------------------------------------------------


def tiny_imagenet(folder: Path) -> Path:
    """Two classes, the second one redder, of four pictures to train and four to validate, and five without labels."""
    lines = []
    for name, red in (("n01", 10), ("n02", 200)):
        for i in range(4):
            for inside in (f"train/{name}/images", "val/images"):
                (folder / inside).mkdir(parents=True, exist_ok=True)
                Image.new("RGB", (8, 8), (red, i, 0)).save(folder / inside / f"{name}_{i}.JPEG")
            lines.append(f"{name}_{i}.JPEG\t{name}\t0\t0\t62\t62")
        (folder / f"train/{name}/{name}_boxes.txt").write_text("n01_0.JPEG\t0\t0\t62\t62")
    (folder / "val/val_annotations.txt").write_text("\n".join(lines))
    (folder / "wnids.txt").write_text("n01\nn02")
    noise_pictures(folder / "test/images", 5)
    return folder


# --- CIFAR-100 --------------------------------------------------------------------------------------------------------

FINE = [f"animal {i:02}" for i in range(20)]


def hundred(number: int) -> dict[bytes, object]:
    """What a pickle of CIFAR-100 holds; labels are (2, 3, 4, …), those of superclasses something else."""
    return {
        b"filenames": [b"%d.png" % i for i in range(number)],
        b"batch_label": b"training batch 1 of 1",
        b"fine_labels": [(2 + i) % 20 for i in range(number)],
        b"coarse_labels": [i % 5 for i in range(number)],
        b"data": RNG.integers(0, 256, (number, 3072), dtype=np.uint8),
    }


def cifar100(folder: Path) -> dict[str, dict[bytes, object]]:
    """Write the three pickles, and return what they hold."""
    folder.mkdir(parents=True, exist_ok=True)
    held = {"train": hundred(40), "test": hundred(20)}
    held["meta"] = {
        b"fine_label_names": [name.encode() for name in FINE],
        b"coarse_label_names": [b"superclass %d" % i for i in range(5)],
    }
    for name, value in held.items():
        (folder / name).write_bytes(pickle.dumps(value, protocol=2))
    return held


# --- WebDataset -------------------------------------------------------------------------------------------------------


def png(red: int, side: int = 8) -> bytes:
    """A picture of one colour, whose red is given, with some noise in its green."""
    pixels = np.zeros((side, side, 3), dtype=np.uint8)
    pixels[..., 0], pixels[..., 1] = red, RNG.integers(0, 256, (side, side))
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "png")
    return out.getvalue()


def write_tar(file: Path, members: dict[str, bytes], mode: str = "w") -> Path:
    """Write an archive of these members, by name; returns its path."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(file, mode) as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return file


def samples(first: int, number: int, names: tuple[str, ...] = ()) -> dict[str, bytes]:
    """Files of samples: the label of sample i is i % 3 (or its name), and the red of its picture ten times that."""
    members: dict[str, bytes] = {}
    for i in range(first, first + number):
        label = i % 3
        members[f"{i:06}.png"] = png(10 * label)
        members[f"{i:06}.cls"] = names[label].encode() if names else b"%d" % label
    return members


def shards(folder: Path) -> Path:
    """Two shards to train and one to test, 12 samples each."""
    for i in range(2):
        write_tar(folder / f"set-train-{i:06}.tar", samples(12 * i, 12))
    write_tar(folder / "set-val-000000.tar", samples(24, 12))
    return folder


# --- arrays -----------------------------------------------------------------------------------------------------------


def bands(folder: Path, channels: int = 5, kind: str = "uint16", first: bool = False) -> Path:
    """Arrays by split and class, whose first band is 100 times the class's number, plus noise in the others."""
    for split in ("train", "test"):
        for label, name in enumerate(("auk", "bat")):
            (folder / split / name).mkdir(parents=True, exist_ok=True)
            for i in range(10 if split == "train" else 4):
                values = RNG.integers(0, 256, (12, 9, channels)).astype(kind)
                values[..., 0] = 100 * label
                if first:
                    values = np.ascontiguousarray(values.transpose(2, 0, 1))
                np.save(folder / split / name / f"{i}.npy", values)
    return folder


# --- TIFF -------------------------------------------------------------------------------------------------------------


def tiff(
    values: np.ndarray, meaning: int, planes: int = 1, extra: tuple = (), order: str = "<", packed: bool = False, **tags
) -> bytes:
    """A TIFF of the values (H, W) or (H, W, c), in one strip, or in one for each band.

    Args:
        meaning: 0 is grey of which 0 is white, 1 is grey, 2 is RGB, 5 is CMYK, 8 is Lab.
        planes: 2 puts the bands one after the other.
        extra: of each further band 0 (it is anything) or 2 (it is alpha).
        order: of the bytes.
        packed: whether it is compressed.
        tags: further ones of one whole number, named as ``t254``.
    """
    kind = values.dtype.newbyteorder(order)
    bands = values.reshape(*values.shape[:2], -1).astype(kind)
    number = bands.shape[2]
    parts = [bands] if planes == 1 else [*np.moveaxis(bands, 2, 0)]
    strips = [zlib.compress(part.tobytes()) if packed else part.tobytes() for part in parts]
    starts = [8 + sum(map(len, strips[:i])) for i in range(len(strips))]
    held = {256: [bands.shape[1]], 257: [bands.shape[0]], 258: [8 * kind.itemsize] * number, 259: [8 if packed else 1]}
    held |= {262: [meaning], 273: starts, 277: [number], 278: [bands.shape[0]], 279: [*map(len, strips)]}
    held |= {284: [planes], 339: ["uif".index(kind.kind) + 1] * number} | ({338: [*extra]} if extra else {})
    held |= {int(name[1:]): [value] for name, value in tags.items()}
    data = b"".join(strips)
    begin = 8 + len(data)
    behind = begin + 2 + 12 * len(held) + 4  # what does not fit into four bytes lies there
    entries, more = struct.pack(order + "H", len(held)), b""
    for tag, numbers in sorted(held.items()):
        packed_numbers = struct.pack(f"{order}{len(numbers)}I", *numbers)
        place = packed_numbers if len(numbers) == 1 else struct.pack(order + "I", behind + len(more))
        more += packed_numbers if len(numbers) > 1 else b""
        entries += struct.pack(order + "HHI", tag, 4, len(numbers)) + place
    return (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", begin) + data + entries + bytes(4) + more
