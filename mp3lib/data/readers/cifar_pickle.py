"""The pickles of CIFAR-10 and CIFAR-100, read so that they can do nothing: only numbers, texts and lists come out.

A pickle is a program. Its calls are limited here to functions of this file, which rebuild arrays of plain numbers from
their bytes. NumPy's own functions are never called by a pickle: their state can be forged, so that bytes are taken for
pointers.
"""

from __future__ import annotations

import io
import math
import pickle
import pickletools
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from ..files.entries import readable

OPCODES = {ord(opcode.code): opcode for opcode in pickletools.opcodes}
COUNTED = {  # how many bytes tell how many bytes of an argument follow
    pickletools.TAKEN_FROM_ARGUMENT1: 1,
    pickletools.TAKEN_FROM_ARGUMENT4: 4,
    pickletools.TAKEN_FROM_ARGUMENT4U: 4,
    pickletools.TAKEN_FROM_ARGUMENT8U: 8,
}
MOST_TUPLES = 25_000  # a batch has one for each label at most; tuples inside each other could exhaust the stack
NUMBER = re.compile(r"[<>|=]?(u[1248]|i[1248]|f[248]|b1)")


class DType:
    """Stands for ``numpy.dtype``: keeps its code, and of its state nothing but the order of the bytes."""

    def __init__(self, code: Any = "", *_: Any):
        self.code, self.order = text(code), "="
        if not NUMBER.fullmatch(self.code):
            raise pickle.UnpicklingError(f"refused the data type {self.code!r}: only plain numbers are expected here")

    def __setstate__(self, state: tuple) -> None:
        order = text(state[1]) if isinstance(state, tuple) and len(state) > 1 else "="
        self.order = order if order in "<>|=" else "="

    def dtype(self) -> np.dtype:
        return np.dtype(self.code.lstrip("<>|=")).newbyteorder(self.order if self.order != "|" else "=")


class Array:
    """Stands for an array that is being rebuilt; ``value`` is there once its state has come."""

    value: np.ndarray | None = None

    def __setstate__(self, state: tuple) -> None:
        _, shape, kind, fortran, data = state
        self.value = array(data, kind, shape, "F" if fortran else "C")


def array(data: Any, kind: Any, shape: Any, order: Any = "C") -> np.ndarray:
    """An array of plain numbers from its bytes."""
    if not isinstance(kind, DType) or not isinstance(shape, tuple) or not all(isinstance(n, int) for n in shape):
        raise pickle.UnpicklingError("refused an array that is not made of plain numbers")
    data = data.encode("latin1") if isinstance(data, str) else bytes(data)
    if min(shape, default=0) < 0 or math.prod(shape) * kind.dtype().itemsize != len(data):
        raise pickle.UnpicklingError(f"an array of the shape {shape} cannot have {len(data)} bytes")
    return np.frombuffer(data, kind.dtype()).reshape(shape, order="F" if order == "F" else "C")


def scalar(kind: Any, data: Any = b"") -> Any:
    """A number of NumPy's, from its bytes."""
    return array(data, kind, ()).item()


def encode(words: str, encoding: str = "latin1") -> bytes:
    return words.encode("latin1")


def text(value: Any) -> str:
    return value.decode("latin1") if isinstance(value, bytes) else str(value)


class Call:
    """A function that a pickle may call, without attributes that it could change."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable):
        self._function = function

    def __call__(self, *args: Any) -> Any:
        return self._function(*args)

    def __setstate__(self, state: Any) -> None:
        raise pickle.UnpicklingError("refused to change a function")


CALLS = {
    "_reconstruct": Call(lambda *_: Array()),
    "_frombuffer": Call(array),
    "scalar": Call(scalar),
    "dtype": Call(DType),
    "ndarray": Call(lambda *_: Array()),
    "encode": Call(encode),
}
MODULES = re.compile(r"numpy(\._?core\.(multiarray|numeric))?|_codecs")


class NumbersOnly(pickle.Unpickler):
    """An unpickler whose pickles can call the functions of ``CALLS`` and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        if MODULES.fullmatch(module) and name in CALLS:
            return CALLS[name]
        raise pickle.UnpicklingError(f"refused to load {module}.{name}: only arrays of numbers are expected here")

    def persistent_load(self, pid: Any) -> Any:
        raise pickle.UnpicklingError("refused a reference to something outside of the file")


def check_opcodes(data: bytes) -> None:
    """Read over the opcodes of a pickle, and refuse what makes the unpickler take memory that its bytes do not need.

    Raises:
        UnpicklingError: for an unknown opcode, an argument that is longer than the file, the number of a memo that is
            higher than the file has bytes, or more tuples than a batch has.
    """
    at, tuples = 0, 0
    while at < len(data):
        opcode = OPCODES.get(data[at])
        if opcode is None:
            raise pickle.UnpicklingError(f"byte {at} is not an opcode of a pickle")
        at += 1
        begin, length = at, opcode.arg.n if opcode.arg else 0
        if length == pickletools.UP_TO_NEWLINE:
            for _ in range(2 if opcode.name in ("GLOBAL", "INST") else 1):
                at = data.find(b"\n", at) + 1 or len(data)
        elif length in COUNTED:
            at += COUNTED[length] + int.from_bytes(data[at : at + COUNTED[length]], "little")
        else:
            at += length
        if at > len(data):
            raise pickle.UnpicklingError(f"the argument of {opcode.name} is longer than the file")
        if opcode.name.endswith("PUT"):
            memo = data[begin:at]
            number = int(memo) if opcode.name == "PUT" else int.from_bytes(memo, "little")
            if number > len(data):
                raise pickle.UnpicklingError(f"{opcode.name} {number} in a file of {len(data)} bytes")
        tuples += opcode.name.startswith("TUPLE")
        if tuples > MOST_TUPLES:
            raise pickle.UnpicklingError(f"it has more than {MOST_TUPLES:,} tuples")
        if opcode.name == "STOP":
            return


def read_batch(data: bytes, name: str, of: str = "CIFAR-10", labelled: str = "labels") -> tuple[np.ndarray, np.ndarray]:
    """Images (N, 3, 32, 32) uint8 and labels (N,) int64 of one batch of CIFAR-10 or CIFAR-100.

    Args:
        data: the pickle.
        name: of the file, for the error.
        of: the set, for the error.
        labelled: the key of the labels.

    Raises:
        ValueError: for anything else than such a batch.
    """
    try:
        batch = contents(data)
        images, labels = (plain(batch[key]) for key in ("data", labelled))
        if images.shape[1:] not in ((3 * 32 * 32,), (3, 32, 32)) or labels.ndim != 1:
            raise ValueError(f"images of the shape {images.shape} and labels of {labels.shape}")
        if len(labels) and labels.min() < 0:
            raise ValueError(f"a label is {labels.min()}")
        return images.astype(np.uint8, casting="equiv").reshape(-1, 3, 32, 32), labels.astype(np.int64)
    except Exception as error:  # a damaged pickle can raise anything
        raise ValueError(f"{name} is not a batch of {of} ({type(error).__name__}: {error})") from None


def read_names(data: bytes, name: str, key: str) -> tuple[str, ...]:
    """A list of names, as ``meta`` of CIFAR-100 holds them.

    Raises:
        ValueError: for anything else; ``name`` is named.
    """
    try:
        names = contents(data)[key]
        if not isinstance(names, list) or not all(isinstance(one, (bytes, str)) for one in names):
            raise ValueError(f"{key} is not a list of texts")
        names = tuple(readable(text(one)) for one in names)
        if not all(names) or len({*names}) < len(names):
            raise ValueError(f"{key} has empty or equal names")
        return names
    except Exception as error:
        raise ValueError(f"{name} holds no names of classes ({type(error).__name__}: {error})") from None


def contents(data: bytes) -> dict[str, Any]:
    """What a pickle holds: a dict, whose keys become texts. A damaged or hostile one raises anything."""
    check_opcodes(data)
    return {text(key): value for key, value in NumbersOnly(io.BytesIO(data), encoding="bytes").load().items()}


def plain(value: Any) -> np.ndarray:
    """An array from what a pickle held: an array, or a list of whole numbers."""
    value = value.value if isinstance(value, Array) else value
    if isinstance(value, (list, tuple)):
        if not all(isinstance(one, int) and not isinstance(one, bool) for one in value):
            raise ValueError("labels are not whole numbers")
        return np.asarray(value, dtype=np.int64)
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "iu":
        raise ValueError(f"{type(value).__name__} where an array of whole numbers is expected")
    return value
