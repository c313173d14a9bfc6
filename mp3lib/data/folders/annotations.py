"""Labels in a text beside the pictures, as Tiny ImageNet has them for ``val/images``: ``val/val_annotations.txt``."""

from __future__ import annotations

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
        labels = labels_of(entry.read())
        placed = {
            picture.name: f"{folder}{labels[name]}/{name}"
            for picture in pictures
            if picture.name.startswith(folder) and (name := PurePosixPath(picture.name).name) in labels
            and picture.name.removeprefix(folder) in (name, f"images/{name}")
        }  # fmt: skip
        if placed:
            paths |= placed
            notes.append(f"the classes of {len(placed)} picture(s) are those of {entry.name}")
    return paths, tuple(notes)


def labels_of(text: bytes) -> dict[str, str]:
    """The class of each file: the first two columns of a text, which a tabulator separates."""
    lines = (line.split("\t") for line in text.decode("utf-8", "replace").splitlines())
    rows = ((cells[0].strip(), cells[1].strip()) for cells in lines if len(cells) > 1)
    return {name: label for name, label in rows if name and label and "/" not in label and label not in (".", "..")}
