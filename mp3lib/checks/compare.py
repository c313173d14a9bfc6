"""Compare the result of a reader's function with the right result, and with those of known mistakes."""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor


class Finding(Exception):
    """The end of a check. Its text is the sentence that the reader sees."""


def must(condition: bool, mistake: str, likely: Mapping[str, bool] | None = None) -> None:
    """End the check with a ``Finding`` unless ``condition`` holds.

    Its text is the first of the ``likely`` mistakes whose value is True, otherwise ``mistake``.
    """
    if not condition:
        raise Finding(next((name for name, made in (likely or {}).items() if holds(made)), mistake))


def holds(made: object) -> bool:
    """Whether a comparison with a value of any type holds; one that has no truth, such as an empty tensor, does not."""
    try:
        return bool(made)
    except Exception:
        return False


def equals(value: object, right: object) -> bool:
    """Whether a value of any type equals ``right``; one that cannot be compared does not."""
    try:
        return bool(value == right)
    except Exception:
        return False


def check_plain(value: object) -> None:
    """End the check with a ``Finding`` for a tensor, alone or in a tuple, of a kind that no exercise asks for.

    Comparisons do not work for nested, quantized and sparse tensors, complex numbers and floats of 8 bits.
    """
    for part in value if isinstance(value, (tuple, list)) else [value]:
        if not isinstance(part, Tensor):
            continue
        kind = "nested" if part.is_nested else "quantized" if part.is_quantized else None
        kind = kind or ("sparse" if part.layout != torch.strided else None)
        must(kind is None, f"it returns a {kind} tensor, expected a dense one")
        small = part.is_floating_point() and part.element_size() < 2
        must(not (small or part.is_complex()), f"it returns {type_name(part)} of {part.dtype}")


class Result:
    """The value that a call returned; ``call`` describes the call in words."""

    def __init__(self, value, call: str):
        self.value, self.call = value, call

    def must_be(self, right, mistakes: Mapping[str, object] | None = None) -> None:
        """End the check with a ``Finding`` unless the value equals ``right``: a tensor, a number, or a tuple of these.

        mistakes: sentence -> the result of this mistake. If the value equals one, the ``Finding`` is its sentence.
        """
        value = converted(self.value, right)
        if close_to(value, right):
            return
        only_the_type = close_to(value, right, strict=False)
        if not only_the_type and not holds_nan(value):  # otherwise no mistake on the list explains the value
            for mistake, wrong in (mistakes or {}).items():
                must(not close_to(value, wrong, strict=False), mistake)
        raise Finding(difference(value, right, self.call))

    def tensor(self, shape: tuple[int, ...], dtype: torch.dtype = torch.float32) -> Tensor:
        """The value, which must be a tensor of this shape and dtype with finite elements."""
        right = torch.zeros(shape, dtype=dtype)
        value = converted(self.value, right)
        if not (value.shape == right.shape and value.dtype == right.dtype and finite(value)):
            raise Finding(difference(value, right, self.call))
        return value

    def of_type(self, kind: type):
        """The value, which must be of this type."""
        must(isinstance(self.value, kind), f"it returns {type_name(self.value)}, expected {article(kind.__name__)}")
        return self.value


def name_mistake(results: Sequence[Result], mistakes: Mapping[str, Sequence[object]]) -> None:
    """End the check with the first mistake that explains the results of all calls; otherwise do nothing.

    The result of one call may be that of several mistakes. Those of several calls tell the mistakes apart.

    mistakes: sentence -> the result of this mistake for each call.
    """
    for mistake, wrong in mistakes.items():
        pairs = zip(results, wrong, strict=True)
        must(not all(close_to(converted(result.value, w), w, strict=False) for result, w in pairs), mistake)


def judge(results: Sequence[Result], rights: Sequence[object], mistakes: Mapping[str, Sequence[object]]) -> None:
    """As ``name_mistake``; where no mistake explains all results, end the check with the first wrong one."""
    name_mistake(results, mistakes)
    for result, right in zip(results, rights, strict=True):
        result.must_be(right)


def by_sentence(mistakes: Sequence[Mapping[str, object]]) -> dict[str, list[object]]:
    """What ``name_mistake`` and ``judge`` take, from the results of the mistakes in each call."""
    return {sentence: [call[sentence] for call in mistakes] for sentence in mistakes[0]}


def converted(value, right):
    """``value`` prepared for the comparison with ``right``: tensors detached, one-element tensors as numbers.

    Raises a ``Finding`` if its type or device is not that of ``right``.
    """
    if isinstance(right, tuple):
        must(isinstance(value, (tuple, list)), f"it returns {type_name(value)}, expected {len(right)} values")
        must(len(value) == len(right), f"it returns {len(value)} values, expected {len(right)}")
        return tuple(converted(v, r) for v, r in zip(value, right, strict=True))
    if isinstance(right, Tensor):
        must(isinstance(value, Tensor), f"it returns {type_name(value)}, expected a tensor")
        must(value.device == right.device, f"the result is on the device {value.device}, the input on {right.device}")
        return value.detach()
    if isinstance(value, (Tensor, np.ndarray, np.generic)) and math.prod(value.shape) == 1:
        must(not (isinstance(value, Tensor) and value.is_meta), "the result is on the device meta, without a value")
        value = value.item()
    kind = "a whole number" if isinstance(right, int) else "a number"
    must(
        isinstance(value, numbers.Real) and not isinstance(value, bool),
        f"it returns {type_name(value)}, expected {kind}",
    )
    return int(value) if isinstance(value, numbers.Integral) else as_float(value)


def as_float(number: numbers.Real) -> float:
    """A number of any kind, such as a ``Fraction``, as a float; infinity where it is too large for one."""
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


def finite(value) -> bool:
    """Whether a tensor or number contains neither NaN nor infinity."""
    return bool(torch.as_tensor(value if isinstance(value, Tensor) else as_float(value)).isfinite().all())


def holds_nan(value) -> bool:
    """Whether a tensor, a number, or one of a tuple of these, is or contains NaN."""
    if isinstance(value, tuple):
        return any(map(holds_nan, value))
    return bool(torch.as_tensor(value if isinstance(value, Tensor) else as_float(value)).isnan().any())


def close_to(value, right, strict: bool = True) -> bool:
    """Whether two results are equal up to rounding; with ``strict``, also in dtype and in being whole numbers."""
    if isinstance(right, tuple) or isinstance(value, tuple):
        both = isinstance(right, tuple) and isinstance(value, tuple) and len(value) == len(right)
        return both and all(close_to(v, r, strict) for v, r in zip(value, right, strict=True))
    if strict and isinstance(right, int) and not isinstance(value, numbers.Integral):
        return False
    if strict and isinstance(right, Tensor) and value.dtype != right.dtype:
        return False
    value, right = (
        torch.as_tensor(x if isinstance(x, Tensor) else as_float(x)).detach().double() for x in (value, right)
    )
    return value.shape == right.shape and torch.allclose(value, right, rtol=1e-4, atol=1e-5, equal_nan=not strict)


def difference(value, right, call: str) -> str:
    """A sentence on how a wrong value differs from the right one, for mistakes that are not on the list."""
    if isinstance(right, tuple):
        place = next(i for i, (v, r) in enumerate(zip(value, right, strict=True)) if not close_to(v, r))
        return f"of the values that it returns, number {place + 1}: {difference(value[place], right[place], call)}"
    if not isinstance(right, Tensor):
        if isinstance(right, int) and not isinstance(value, numbers.Integral):
            return f"it returns the {type(value).__name__} {value}, expected an int"
        return f"it returns {as_float(value):.4g} instead of {right:.4g} when {call}"
    if value.shape != right.shape:
        return f"the result has the shape {tuple(value.shape)}, expected {tuple(right.shape)}, when {call}"
    if value.dtype != right.dtype:
        return f"the result is {str(value.dtype)[6:]}, expected {str(right.dtype)[6:]}"
    if not finite(value) and finite(right):
        return f"the result holds {'NaN (not a number)' if value.isnan().any() else 'infinity'} when {call}"
    place = tuple(((value - right).abs() > 1e-5 + 1e-4 * right.abs()).nonzero()[0].tolist())
    values = f"{value[place].item():.4g} instead of {right[place].item():.4g}"
    return f"the values are wrong; the first, at {list(place)}, is {values} when {call}"


def article(name: str) -> str:
    """``name`` with "a" or "an" before it."""
    return f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}"


def type_name(value) -> str:
    """The type of ``value`` in words: "a tensor (2, 3)", "a list"."""
    if isinstance(value, Tensor):
        return f"a tensor {tuple(value.shape)}"
    return article(type(value).__name__)


def list_arguments(args: tuple) -> str:
    """The arguments of a call in a few words: "a tensor (2, 3) and 4"."""
    shown = [repr(arg) if isinstance(arg, (int, float, str, bool)) else type_name(arg) for arg in args]
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)
