"""Notes: what a reader should know of a data set that is used all the same; and how names are listed in sentences."""

from __future__ import annotations

from collections.abc import Iterable


class Note(UserWarning):
    """A warning of something about the images or labels; the command line prints it as ``note: …`` and goes on."""


BARE = "picture(s) without labels"  # notes with these words tell of pictures that only pretraining has


def tests_alone(name: str) -> str:
    """A note where all pictures lie in a folder, file or split that is named like one for tests."""
    used = "every tenth is used to test, the others to train"
    return f"all pictures are from {name}, which is for tests by its name: {used}"


def listed(names: Iterable[str]) -> str:
    """The names in order, at most six of them: "a, b and c"."""
    names = sorted({*names})
    if len(names) > 6:
        names = [*names[:6], f"{len(names) - 6} more"]
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))
