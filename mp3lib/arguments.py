"""Arguments as people give them: whole numbers, numbers, pairs and seeds are checked in one place for the library.

What is accepted is the same everywhere: ``True`` is not a number, 3.0 is not a whole number, NumPy's numbers are
numbers, and not-a-number and infinity are refused. While PyTorch compiles or exports a model nothing is checked,
because numbers may then be symbols.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np
import torch
from torch import Tensor

MOST = 2**63  # seeds and whole numbers stay below
SPARSE = (torch.sparse_coo, torch.sparse_csr, torch.sparse_csc, torch.sparse_bsr, torch.sparse_bsc)


def shown(value: Any) -> str:
    """A value as an error message names it: on one line, and shortened where it is long."""
    if isinstance(value, Tensor):
        return f"a tensor of {value.dtype} {tuple(value.shape)}"
    if isinstance(value, torch.nn.Module):
        return type(value).__name__
    try:
        text = " ".join(repr(value).split())
    except Exception:  # Python does not print numbers of more than 4,300 digits
        return f"something of type {type(value).__name__} that cannot be printed"
    return text if len(text) <= 100 else f"{text[:60]} … ({len(text)} characters)"


def whole(name: str, value: Any, low: int = 1, high: int = MOST - 1) -> int:
    """The whole number ``value``; ``ValueError`` for anything else, and outside ``low`` to ``high`` (both included)."""
    if torch.compiler.is_compiling():
        return value
    if isinstance(value, bool) or not isinstance(value, Integral) or not low <= value <= high:
        upper = f" to {high}" if high < MOST - 1 else " or more"
        raise ValueError(f"{name} must be a whole number, {low}{upper}, got {shown(value)}")
    return int(value)


def number(name: str, value: Any, words: str, fits: Callable[[float], bool]) -> float:
    """The finite number ``value``; ``ValueError`` for anything else, and where it does not fit.

    Args:
        name: of the argument.
        value: what was given. A Python number is returned as it is, another one as a float.
        words: what is accepted, after "must": "be above 0".
        fits: whether a finite number is accepted.
    """
    if torch.compiler.is_compiling():
        return value
    try:
        good = not isinstance(value, bool) and isinstance(value, Real) and math.isfinite(value) and fits(value)
    except OverflowError:  # a whole number that no float can hold
        good = False
    if not good:
        raise ValueError(f"{name} must {words}, got {shown(value)}")
    keep = isinstance(value, float) or (isinstance(value, int) and abs(value) < MOST)  # PyTorch knows no larger ones
    return value if keep else float(value)


def share(name: str, value: Any) -> float:
    """A number from 0 to 1, such as a probability."""
    return number(name, value, "lie between 0 and 1", lambda v: 0 <= v <= 1)


def below_one(name: str, value: Any) -> float:
    """A number of at least 0 and below 1, such as a probability that must leave something over."""
    return number(name, value, "be at least 0 and below 1", lambda v: 0 <= v < 1)


def mask_share(name: str, value: Any) -> float:
    """A fraction of hidden patches: at least 0 and below 1."""
    return number(name, value, "be at least 0 and below 1 (one patch has to stay)", lambda v: 0 <= v < 1)


def learning_rate(value: Any) -> float:
    """A learning rate: above 0 and at most 100."""
    number("lr", value, "be positive", lambda v: v > 0)
    return number("lr", value, "be at most 100", lambda v: v <= 100)


def truth(name: str, value: Any) -> bool:
    """``True`` or ``False``, Python's or NumPy's; ``ValueError`` for anything else."""
    if torch.compiler.is_compiling():
        return value
    if not isinstance(value, (bool, np.bool_)):
        raise ValueError(f"{name} must be True or False, got {shown(value)}")
    return bool(value)


def json_entries(name: str, value: Any) -> dict[str, Any]:
    """A dict as JSON holds it, where a tuple is a list; ``ValueError`` unless its keys are strings and it fits."""
    if not isinstance(value, dict) or any(not isinstance(key, str) for key in value):
        raise ValueError(f"{name} must be a dict whose keys are strings, got {shown(value)}")
    for key, entry in value.items():
        try:
            json.dumps(entry, allow_nan=False)
        except (TypeError, ValueError, RecursionError, OverflowError):
            raise ValueError(f"{name}[{key!r}] must be a value that JSON can hold, got {shown(entry)}") from None
    return json.loads(json.dumps(value))


def seed_number(value: Any) -> int:
    """A seed: a whole number from 0 to 2**63 - 1."""
    if isinstance(value, bool) or not isinstance(value, Integral) or not 0 <= value < MOST:
        raise ValueError(f"seed must be a whole number from 0 to 2**63 - 1, got {shown(value)}")
    return int(value)


def as_pair(size: int | Sequence[int], name: str = "size") -> tuple[int, int]:
    """(height, width) from a whole number or a pair of them; ``ValueError`` unless both are positive."""
    both = tuple(size) if isinstance(size, Sequence) and not isinstance(size, (str, bytes)) else (size, size)
    if len(both) != 2 or any(isinstance(s, bool) or not isinstance(s, Integral) or not 0 < s < MOST for s in both):
        raise ValueError(f"{name} must be a positive whole number or a pair of them, got {shown(size)}")
    return int(both[0]), int(both[1])


def as_range(name: str, value: Any, words: str, fits: Callable[[float, float], bool]) -> tuple[float, float]:
    """(lowest, highest) from a pair of finite numbers; ``ValueError`` for anything else, and where they do not fit."""
    try:
        low, high = value
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be {words}, got {shown(value)}") from None
    try:
        ends = [number(name, end, "", lambda _: True) for end in (low, high)]
    except ValueError:
        ends = None
    if ends is None or not fits(*ends):
        raise ValueError(f"{name} must be {words}, got {shown(value)}")
    return ends[0], ends[1]


def check_generator(generator: Any) -> None:
    """``ValueError`` unless this is a ``torch.Generator`` or None."""
    if generator is not None and not isinstance(generator, torch.Generator):
        raise ValueError(f"generator must be a torch.Generator or None, got {shown(generator)}")


def check_device(name: str, device: Any) -> None:
    """``ValueError`` unless PyTorch can put a tensor on this device here."""
    if torch.compiler.is_compiling() or device is None:
        return
    try:
        if isinstance(device, bool):
            raise TypeError("a device is not a truth value")
        torch.empty(0, device=device)
    except (TypeError, RuntimeError, ValueError, OverflowError, AssertionError) as error:  # without CUDA an assertion
        reason = " ".join(str(error).split())[:100]
        raise ValueError(
            f'{name} must be a device of this machine, such as "cpu", got {shown(device)} ({reason})'
        ) from None


def check_dense(name: str, tensor: Tensor, meta: bool = False) -> None:
    """``ValueError`` for a tensor that is sparse, quantized or nested, or that has no values (on the meta device).

    Args:
        name: of the argument.
        tensor: what was given.
        meta: whether a tensor without values is accepted, where only its shape is needed.
    """
    if torch.compiler.is_compiling():
        return
    if tensor.is_nested or tensor.is_quantized or tensor.layout != torch.strided:
        kind = "nested" if tensor.is_nested else "quantized" if tensor.is_quantized else str(tensor.layout)
        fix = "to_dense()" if tensor.layout in SPARSE else "dequantize()" if tensor.is_quantized else "a plain tensor"
        raise ValueError(f"{name} must be a dense tensor, got a {kind} one: use {fix}")
    if tensor.is_meta and not meta:
        raise ValueError(f"{name} must hold values, got a tensor on the meta device, which has a shape only")


def is_finite(tensor: Tensor) -> bool:
    """Whether all values are finite.

    True also where nobody can look at them: while a model is compiled, traced or exported, and on the meta device.
    """
    if torch.compiler.is_compiling() or torch.jit.is_tracing() or tensor.is_meta:
        return True
    try:
        # a sum is quick to take, and finite only where every value is; it may overflow where all are finite
        return bool(tensor.sum().isfinite()) or bool(tensor.isfinite().all())
    except RuntimeError:  # inside torch.func.vmap, and for tensors without values
        return True


def not_finite(tensor: Tensor) -> float:
    """The first value that is not finite."""
    return tensor[~tensor.isfinite()][0].item()
