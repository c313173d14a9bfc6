"""Pictures in files of their own: they are decoded, and sorted into splits and classes by their folders."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath

import numpy as np
from tqdm import tqdm

from . import decode, layout
from .annotations import annotated
from .arrays import ARCHIVES, Arrays, check_memory, pixels_of, set_name, split
from .entries import LARGEST_FILE, Entry
from .unread import found, labels_beside

NO_PICTURES = frozenset(  # endings of files that lie beside pictures and are no loss
    ".txt .csv .tsv .json .jsonl .xml .yaml .yml .md .html .py .ipynb .ini .db .log .pdf .toml .cfg .mat .bib "
    ".safetensors".split()
)
BLOCK = 256  # pictures decoded at a time
BYTES = 64_000_000  # of their files, at most, that are in memory at a time


def is_picture(entry: Entry) -> bool:
    """Whether a file should be a picture: by its ending, or where that says nothing, by how it begins."""
    suffix = PurePosixPath(entry.name).suffix.lower()
    if suffix in decode.suffixes():
        return True
    if suffix in NO_PICTURES or suffix in (".parquet", ".zip", ".gz", ".tgz", ".tar", ".bz2", ".xz"):
        return False
    try:
        return decode.looks_like_picture(entry.begin())
    except OSError:
        if entry.path is None:
            raise  # the archive is damaged
        return False  # a file that may not be opened


def from_pictures(pictures: Sequence[Entry], entries: Sequence[Entry], path: Path, size: tuple[int, int]) -> Arrays:
    """Decode pictures, and sort them into splits and classes by their folders."""
    check_memory(len(pictures), size, path)
    decoded: list[tuple[str, decode.Picture]] = []
    unreadable: list[tuple[str, str]] = []  # name, reason
    bar = tqdm(total=len(pictures), desc=f"reading {path.name}", unit=" files", disable=None, delay=2, leave=False)
    with decode.without_warnings(), bar, ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        for entries_of_block in blocks(pictures):
            block = [(entry, content(entry)) for entry in entries_of_block]
            results = pool.map(lambda each: decoded_or_reason(*each, size), block)
            for (entry, _), result in zip(block, results, strict=True):
                if isinstance(result, str):
                    unreadable.append((entry.name, result))
                else:
                    decoded.append((entry.name, result))
            bar.update(len(block))
    notes = left_out_note(unreadable)
    others = [e.name for e in entries if not is_picture(e) and not harmless(e.name)]
    packed = [(name, "an archive: unpack it, or give its path") for name in others if is_archive(name)]
    odd = [(n, "no picture in a format that Pillow reads") for n in others if "/" in n and not is_archive(n)]
    notes += left_out_note(packed, "archive") + left_out_note(odd, "other file")
    if len(decoded) < 2:
        raise ValueError(
            f"{path} holds {len(decoded)} readable pictures, at least 2 are needed. {found(entries, notes)}"
        )
    paths, more = annotated(pictures, entries)
    try:
        arrays = arranged([(paths.get(name, name), picture) for name, picture in decoded], path, notes + more)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    if len(arrays.classes) == 1:
        arrays.notes += labels_beside(entries)
    return arrays


def blocks(entries: Sequence[Entry]) -> Iterator[list[Entry]]:
    """The files in groups whose bytes are in memory at the same time."""
    block: list[Entry] = []
    for entry in entries:
        if block and (len(block) == BLOCK or sum(other.size for other in block) + entry.size > BYTES):
            yield block
            block = []
        block.append(entry)
    if block:
        yield block


def content(entry: Entry) -> bytes | str:
    """The bytes of a picture, or why they are not read."""
    if entry.size >= LARGEST_FILE:
        return f"the file has {entry.size:,} bytes"
    try:
        return entry.read()
    except OSError as error:
        if entry.path is None:
            raise  # the archive is damaged
        return f"it cannot be opened: {error.strerror}"


def decoded_or_reason(entry: Entry, data: bytes | str, size: tuple[int, int]) -> decode.Picture | str:
    if isinstance(data, str):
        return data
    if data.startswith(b"version https://git-lfs"):
        return "a git-lfs pointer, not the picture: git lfs pull brings it"
    if not data:
        return "the file is empty"
    result = decode.try_decode(data, size)
    return decode.reason(result).rstrip(".") if isinstance(result, Exception) else result


def is_archive(name: str) -> bool:
    return name.lower().endswith(ARCHIVES)


def harmless(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in (*NO_PICTURES, ".parquet")


def left_out_note(left_out: Sequence[tuple[str, str]], what: str = "unreadable picture") -> tuple[str, ...]:
    """A note on files that are left out: how many, which, why, and how many of which ending lie in which folder."""
    if not left_out:
        return ()
    names = [name for name, _ in left_out]
    shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    files = [PurePosixPath(name) for name in names]
    kinds = Counter((f.suffix or "no ending", f.parent.as_posix()) for f in files)
    counts = "; ".join(
        f"{n} with {suffix} in {folder}" if suffix.startswith(".") else f"{n} without an ending in {folder}"
        for (suffix, folder), n in kinds.most_common(5)
    )
    return (f"left out {len(left_out)} {what}(s): {shown} ({left_out[0][1]}; {counts})",)


def arranged(pictures: list[tuple[str, decode.Picture]], path: Path, notes: tuple[str, ...]) -> Arrays:
    """Make a data set of decoded pictures; the folders in their names say the split and the class."""
    pictures = sorted(pictures, key=lambda named: named[0])
    places, has_split, more = layout.arrange([name for name, _ in pictures], set_name(path))
    kept = [i for i, place in enumerate(places) if place]
    if len(kept) < 2:
        raise ValueError(f"{len(kept)} pictures are left, at least 2 are needed ({'; '.join(more)})")
    images, scaling = pixels_of([pictures[i][1] for i in kept])
    names = [places[i].label for i in kept]
    classes = tuple(sorted(set(names)))
    number = {name: label for label, name in enumerate(classes)}
    labels = np.array([number[name] for name in names], dtype=np.int64)
    in_test = np.array([places[i].test for i in kept]) if has_split else None
    arrays = split(images, labels, classes, in_test, any(pictures[i][1].jpeg for i in kept))
    mixed = np.random.default_rng(0).permutation(len(arrays.train_labels))  # so that the first few hold all classes
    arrays.train_images, arrays.train_labels = arrays.train_images[mixed], arrays.train_labels[mixed]
    arrays.notes = notes + more + scaling
    return arrays
