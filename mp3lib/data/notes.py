"""Notes: what a reader should know of a data set that is used all the same; and how names are listed in sentences."""

from __future__ import annotations

from collections.abc import Iterable


class Note(UserWarning):
    """A warning of something about the images or labels; the command line prints it as ``note: …`` and goes on."""


BARE = "picture(s) without labels"  # notes with these words tell of pictures that only pretraining has


def listed(names: Iterable[str]) -> str:
    """The names in order, at most six of them: "a, b and c"."""
    names = sorted({*names})
    if len(names) > 6:
        names = [*names[:6], f"{len(names) - 6} more"]
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))
