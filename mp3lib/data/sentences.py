"""Lists of names in sentences."""

from __future__ import annotations

from collections.abc import Iterable


def listed(names: Iterable[str]) -> str:
    """The names in order, at most six of them: "a, b and c"."""
    names = sorted({*names})
    if len(names) > 6:
        names = [*names[:6], f"{len(names) - 6} more"]
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))
