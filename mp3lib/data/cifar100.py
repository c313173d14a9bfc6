"""CIFAR-100 in its own form: the pickles ``train``, ``test`` and ``meta``. Its classes are the hundred fine ones."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from .arrays import Arrays, checked
from .cifar10 import LARGEST_BATCH, content
from .cifar_pickle import read_batch, read_names
from .entries import Entry
from .wanted import Wanted

FILES = frozenset({"train", "test", "meta"})
PICKLES = (b"\x80", b"(d", b"}")  # how the pickle of a dict begins, by protocol: from 2 on, 0, 1
ROW = 3 * 32 * 32  # bytes of an image


def is_cifar100(entries: Mapping[str, Entry]) -> bool:
    """Whether two of these three files are there, or all, and begin as pickles do."""
    return len(entries) >= 2 and all(entry.begin().startswith(PICKLES) for entry in entries.values())


def from_cifar100(entries: Mapping[str, Entry], path: Path, wanted: Wanted) -> Arrays:
    """The three pickles, by their names. Pixels are 32 x 32.

    Raises:
        ValueError: where one is missing, damaged or holds anything but numbers, lists and texts.
    """
    if missing := FILES - {*entries}:
        raise ValueError(f"{path} is not complete: {', '.join(missing)} missing")
    most = sum(min(entries[name].size, LARGEST_BATCH) for name in ("train", "test"))
    wanted._replace(size=(32, 32)).streams(most // ROW, path, possible=False)
    names = read_names(content(entries["meta"], path), f"{path}: meta", "fine_label_names")
    train, test = (
        read_batch(content(entries[name], path), f"{path}: {name}", "CIFAR-100", "fine_labels")
        for name in ("train", "test")
    )
    return checked(Arrays(*train, *test, names), path)
