"""Is a difference more than chance? The 95 % interval of a difference: it counts if the interval does not contain 0.

Source of all formulas: Student's t distribution, as in any textbook of statistics (for example Rice, *Mathematical
Statistics and Data Analysis*, chapter 11, "Comparing Two Samples").
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import scipy

from ..arguments import number, shown


class Interval(NamedTuple):
    """A difference, and the interval that contains the true difference in 95 of 100 experiments."""

    difference: float
    low: float
    high: float

    @property
    def counts(self) -> bool:
        """Whether the interval does not contain 0."""
        return self.low > 0 or self.high < 0


def paired_interval(first: Sequence[float], second: Sequence[float], level: float = 0.95) -> Interval:
    """The interval of mean(first - second), for values that come in pairs.

    A pair is two trainings with the same seed, or the outcomes (0 or 1) of two models on the same test image. With the
    mean m and the sample standard deviation s of the n differences, the interval is m ± t s / √n. Here t is a quantile
    of Student's t distribution with n - 1 degrees of freedom: 4.30 for three seeds, 1.96 for thousands of images.

    Raises:
        ValueError: if the lengths differ, there are fewer than two pairs, or a value is not finite.
    """
    first, second = _values("first", first), _values("second", second)
    if first.shape != second.shape or len(first) < 2:
        raise ValueError(
            f"two lists of one length, 2 or more, make pairs; these have shapes {first.shape}, {second.shape}"
        )
    differences = first - second
    error = differences.std(ddof=1) / len(differences) ** 0.5
    return _interval(differences.mean(), error, len(differences) - 1, level)


def pooled_deviation(groups: Sequence[Sequence[float]]) -> tuple[float, int]:
    """The standard deviation within groups, pooled over them, and its degrees of freedom.

    A group holds one figure for each seed of one variant. With n values of sample variance s² in a group, the pooled
    variance is Σ (n - 1) s² / Σ (n - 1), and Σ (n - 1) are the degrees of freedom. A group of one adds nothing.

    Raises:
        ValueError: if no group has two values or more, or a value is not finite.
    """
    if not isinstance(groups, Sequence) or isinstance(groups, (str, bytes)):
        raise ValueError(f"groups must be several lists of numbers, got {shown(groups)}")
    several = [group for group in (_values("each of groups", group) for group in groups) if len(group) > 1]
    if not several:
        raise ValueError("no group has two values, so nothing is known of the spread: train a variant with two seeds")
    freedom = sum(len(group) - 1 for group in several)
    return (sum((len(group) - 1) * group.var(ddof=1) for group in several) / freedom) ** 0.5, freedom


def pooled_interval(
    first: Sequence[float], second: Sequence[float], groups: Sequence[Sequence[float]], level: float = 0.95
) -> Interval:
    """The interval of mean(first) - mean(second), where the spread is known from other variants (``groups``).

    For a variant that was trained with one seed only. With the pooled deviation s and n1 and n2 values, the interval is
    the difference ± t s √(1/n1 + 1/n2), where t has the degrees of freedom of ``pooled_deviation``. The assumption is
    that the spread over seeds is the same for all variants.

    Raises:
        ValueError: if ``first`` or ``second`` is empty, a value is not finite, or no group has two values.
    """
    first, second = _values("first", first), _values("second", second)
    if not (len(first) and len(second)):
        raise ValueError(f"both sides need a value or more; they have {len(first)} and {len(second)}")
    deviation, freedom = pooled_deviation(groups)
    error = deviation * (1 / len(first) + 1 / len(second)) ** 0.5
    return _interval(first.mean() - second.mean(), error, freedom, level)


def _interval(difference: float, error: float, freedom: int, level: float) -> Interval:
    level = number("level", level, "lie between 0 and 1, both excluded, such as 0.95", lambda v: 0 < v < 1)
    half = scipy.stats.t.ppf((1 + level) / 2, freedom) * error
    return Interval(float(difference), float(difference - half), float(difference + half))


def _values(name: str, given: Sequence[float]) -> np.ndarray:
    """Numbers as a float array (n,); ``ValueError`` for anything else, and where one is not finite."""
    try:
        values = np.asarray(given, dtype=float)
    except (TypeError, ValueError, OverflowError, RuntimeError):
        values = None
    if values is None or values.ndim != 1:
        raise ValueError(f"{name} must be a list of numbers, got {shown(given)}")
    if not np.isfinite(values).all():
        raise ValueError(f"every value must be a finite number; these are {values.tolist()[:10]}")
    return values
