"""Labels in a text beside the pictures, as Tiny ImageNet has them for ``val/images``: ``val/val_annotations.txt``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePosixPath

from ..files.entries import Entry

LARGEST_TEXT = 50_000_000  # bytes


def annotated(pictures: Sequence[Entry], entries: Sequence[Entry]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Of each picture that such a text names, the path that it would have in a folder of its class; and notes.

    ``val/images/1.JPEG`` becomes ``val/n01443537/1.JPEG``.
    """
    paths: dict[str, str] = {}
    notes = []
    for entry in entries:
        file = PurePosixPath(entry.name)
        if not file.name.lower().endswith("_annotations.txt") or entry.size > LARGEST_TEXT:
            continue
        folder = "" if file.parent == PurePosixPath() else f"{file.parent.as_posix()}/"
        rows = rows_of(entry.read())
        named = {
            picture.name: name
            for picture in pictures
            if picture.name.startswith(folder) and (name := PurePosixPath(picture.name).name) in rows
            and picture.name.removeprefix(folder) in (name, f"images/{name}")
        }  # fmt: skip
        if named and are_classes([rows[name] for name in named.values()]):
            paths |= {path: f"{folder}{rows[name][0]}/{name}" for path, name in named.items()}
            notes.append(f"the classes of {len(named)} picture(s) are those of {entry.name}")
        elif named:
            notes.append(f"{entry.name} tells no classes: its second column holds numbers, or no text several times")
    return paths, tuple(notes)


def rows_of(text: bytes) -> dict[str, list[str]]:
    """The columns behind the first one, the name of a file, in a text whose columns a tabulator separates."""
    lines = (line.split("\t") for line in text.decode("utf-8", "replace").splitlines())
    rows = ([cell.strip() for cell in cells] for cells in lines if len(cells) > 1)
    return {
        name: [label, *more]
        for name, label, *more in rows
        if name and label and "/" not in label and label not in (".", "..")
    }


def are_classes(rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first of these columns holds classes, and no places of boxes: each several times, and no numbers
    beside other columns. Those of Tiny ImageNet are such as ``n01443537``.
    """
    labels = [label for label, *_ in rows]
    if all(re.fullmatch(r"n\d+", label) for label in labels):
        return True
    numbers = sum(re.fullmatch(r"[-+]?\d+([.,]\d+)?", label) is not None for label in labels)
    wide = any(len(cells) > 1 for cells in rows)
    return 2 * len({*labels}) <= len(labels) and not (wide and 2 * numbers > len(labels))
