"""Files of tensors in the form of safetensors, written without a copy of them in memory, and mapped when opened.

A file begins with eight bytes that say how long its header is, then the header, JSON with the type, the shape and the
place of each tensor, and then their bytes (https://huggingface.co/docs/safetensors).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from torch import Tensor

BEGINNING = 4 << 20  # bytes before the tensors of a file whose header is written last
PACK = "mp3lib pack "  # what a pack of images says of itself, with the number of its form
KINDS = {np.dtype(np.uint8): "U8", np.dtype(np.int64): "I64", np.dtype(np.float32): "F32"}


def header(tensors: Sequence[tuple[str, np.dtype, Sequence[int]]], about: Mapping[str, str], length: int = 0) -> bytes:
    """The beginning of a file whose tensors, (name, dtype, shape), follow each other in this order.

    Args:
        tensors: in the order of the file.
        about: texts that are kept with them.
        length: bytes of the beginning, filled with spaces; 0: as few as possible, a multiple of 8.

    Raises:
        ValueError: where the texts do not fit into ``length``.
    """
    entries: dict[str, object] = {"__metadata__": dict(about)}
    at = 0
    for name, kind, shape in tensors:
        end = at + int(np.prod(shape, dtype=np.int64)) * kind.itemsize
        entries[name] = {"dtype": KINDS[kind], "shape": [*map(int, shape)], "data_offsets": [at, end]}
        at = end
    text = json.dumps(entries).encode()
    length = length or -(-(len(text) + 8) // 8) * 8
    if len(text) + 8 > length:
        raise ValueError(f"the names of the classes and the notes take {len(text):,} bytes; at most {length - 8:,} fit")
    return (length - 8).to_bytes(8, "little") + text.ljust(length - 8)


def is_pack(path: Path) -> bool:
    """Whether a file begins as a pack."""
    try:
        return path.is_file() and about_of(path).get("form", "").startswith(PACK)
    except (OSError, ValueError):
        return False


def about_of(path: Path) -> dict[str, str]:
    """The texts in the header of a file in the form of safetensors; ValueError for another file."""
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if not 2 <= length <= BEGINNING:
            raise ValueError(f"{path} is not a file of tensors")
        try:
            about = json.loads(file.read(length))["__metadata__"]
        except (ValueError, KeyError, TypeError, RecursionError):
            raise ValueError(f"{path} is not a file of tensors") from None
    if not isinstance(about, dict) or not all(isinstance(value, str) for value in about.values()):
        raise ValueError(f"{path} is not a file of tensors")
    return about


def write_tensors(file: Path, tensors: Mapping[str, Tensor], about: Mapping[str, str]) -> None:
    """Write uint8, int64 and float32 tensors, without a copy of them; a file that is there is replaced."""
    arrays = {name: tensor.numpy() for name, tensor in tensors.items()}
    named = sorted(arrays.items(), key=lambda item: -item[1].itemsize)  # so that each lies at a multiple of its size
    with open(file, "wb") as out:
        out.write(header([(name, array.dtype, array.shape) for name, array in named], about))
        for _, array in named:
            out.write(np.ascontiguousarray(array).data)
