"""WebDataset: samples are files of one name, ``000001.jpg`` and ``000001.cls``, in one tar, or in several shards.

The names of shards and folders say the split: ``train-000000.tar``, ``val-000000.tar``
(https://github.com/webdataset/webdataset).
"""

from __future__ import annotations

import re
import tarfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from ..files.entries import Entry, readable
from ..files.tars import files_of_tar, is_empty_tar, is_tar
from ..folders.shards import check_one_set, split_of_file, splits_of
from ..notes import listed
from ..pictures import decode
from ..pictures.contents import on_disk
from ..sets.arrays import Arrays
from ..sets.columns import PICTURES
from ..sets.labelled_rows import from_rows
from ..sets.picture_reading import decoded, streamed
from ..sets.wanted import Wanted
from .picture_files import is_picture, left_out_note

LABEL = ".cls"
LONGEST = 1000  # bytes of a label
FIRST = (".jpg", ".jpeg", ".png", ".webp")  # of several pictures in a sample the first of these


class Shard(NamedTuple):
    """What a tar holds: its files, and of each ``.cls`` in it the label by its name without the ending.

    And how many of what was left out of it.
    """

    entries: list[Entry]
    labels: dict[str, int | str]
    left_out: Counter[str]


def stem(name: str) -> str:
    """A name without its last ending."""
    return name[: -len(suffix)] if (suffix := PurePosixPath(name).suffix) else name


def key(name: str) -> str:
    """A name up to the first dot of its file, as WebDataset itself tells samples apart."""
    folder, stroke, file = name.rpartition("/")
    return folder + stroke + file.split(".")[0]


class Named:
    """Which of the labels belongs to a file: that of its name, else the only one with its key (``1.image.jpg``)."""

    def __init__(self, labels: Iterable[str]):
        self.labels = {*labels}
        by_key: dict[str, list[str]] = defaultdict(list)
        for label in sorted(self.labels):
            by_key[key(label)].append(label)
        self.by_key = {common: names[0] for common, names in by_key.items() if len(names) == 1}

    def of(self, name: str) -> str | None:
        return stem(name) if stem(name) in self.labels else self.by_key.get(key(name))


def is_label(entry: Entry) -> bool:
    return entry.name.lower().endswith(LABEL)


def are_samples(pictures: Sequence[Entry], entries: Sequence[Entry]) -> bool:
    """Whether at least half of the pictures have a ``.cls`` of their name."""
    named = Named(stem(entry.name) for entry in entries if is_label(entry))
    number = sum(named.of(picture.name) is not None for picture in pictures)
    return bool(named.labels) and 2 * number >= max(len(pictures), 1)


def have_companions(pictures: Sequence[Entry], entries: Sequence[Entry]) -> bool:
    """Whether at least half of the pictures have another file of their key, as ``1.json``, and none has a label."""
    common = {key(entry.name) for entry in entries if not is_picture(entry)}
    number = sum(key(picture.name) in common for picture in pictures)
    return bool(number) and 2 * number >= len(pictures) and not any(map(is_label, entries))


def from_samples(entries: Sequence[Entry], path: Path, wanted: Wanted) -> Arrays:
    """The samples of a tar, or of a folder with the same files."""
    return arranged(entries, labels_of(entries), path, wanted)


def from_shards(tars: Sequence[Entry], path: Path, wanted: Wanted) -> Arrays | None:
    """The samples of the tars in a folder; None where the first of them that is not empty holds none.

    Samples may be without labels: a picture and any other file of the same key.

    Raises:
        ValueError: for a damaged or packed shard, and where the shards are those of several sets.
    """
    names = [tar.name for tar in tars]
    empty = [tar.name for tar in tars if is_empty_tar(tar.path)]
    tars = [tar for tar in tars if tar.name not in empty]
    if not tars or not is_tar(tars[0].path):
        return None
    shard = read_shard(tars[0])
    pictures = [entry for entry in shard.entries if is_picture(entry)]
    if not are_samples(pictures, shard.entries) and not have_companions(pictures, shard.entries):
        return None
    check_one_set(names, path)
    shards = {tars[0].name: shard} | {tar.name: read_shard(tar) for tar in tars[1:]}
    entries = [entry for shard in shards.values() for entry in shard.entries]
    labels = {name: label for shard in shards.values() for name, label in shard.labels.items()}
    arrays = arranged(entries, labels, path, wanted, names)
    arrays.notes += left_out_of(shards)
    arrays.notes += gaps(names) + ((f"{len(empty)} shard(s) are empty, as {empty[0]}",) if empty else ())
    return arrays


def left_out_of(shards: Mapping[str, Shard]) -> tuple[str, ...]:
    """Notes on what was left out of the shards, by their names."""
    total: Counter[str] = Counter()
    first: dict[str, str] = {}
    for name, shard in shards.items():
        total += shard.left_out
        first = dict.fromkeys(shard.left_out, name) | first
    return tuple(f"left out {count} {what}, as in {first[what]}" for what, count in total.items())


def gaps(names: Sequence[str]) -> tuple[str, ...]:
    """A note on shards that are missing between others, by the numbers at the end of names."""
    numbers: dict[tuple[str, int], set[int]] = {}  # by what is before the number, and its digits
    for name in names:
        if found := re.fullmatch(r"(.*?)(\d+)\.tar", name, re.ASCII | re.IGNORECASE):
            numbers.setdefault((found[1], len(found[2])), set()).add(int(found[2]))
    notes = []
    for (before, digits), present in numbers.items():
        missing = max(present) - min(present) + 1 - len(present)
        if 0 < missing <= 10 * len(present):  # more are not numbers of shards, but dates or the like
            between = (n for n in range(min(present), max(present)) if n not in present)
            first = ", ".join(f"{n:0{digits}}" for n in islice(between, 5))
            more = ", …" if missing > 5 else ""
            notes.append(f"of {before} {missing} shard(s) between the others are missing: {first}{more}")
    return tuple(notes)


def read_shard(tar: Entry) -> Shard:
    """The files of a plain tar, under its name. They are read from its bytes later, without keeping it open."""
    try:
        with files_of_tar(tar.path) as files:
            if not all(entry.inside for entry in files.entries):
                raise ValueError(f"{readable(str(tar.path))} is packed: shards can be read where they are plain tars")
            under = [entry._replace(name=f"{tar.name}/{entry.name}") for entry in files.entries]
            labels = labels_of(under)
    except (tarfile.TarError, OSError, EOFError) as error:
        raise ValueError(
            f"{readable(str(tar.path))} cannot be read to its end ({error}): get this shard again"
        ) from None
    return Shard(
        [
            entry._replace(
                read=partial(part, *entry.inside, entry.size), begin=partial(part, *entry.inside, min(entry.size, 16))
            )
            for entry in under
        ],
        labels,
        files.left_out,
    )


def part(path: Path, offset: int, size: int) -> bytes:
    """So many bytes of a file."""
    with open(path, "rb") as file:
        file.seek(offset)
        return file.read(size)


def labels_of(entries: Sequence[Entry]) -> dict[str, int | str]:
    """The label of each ``.cls``: a number or the name of a class. What is neither is left out."""
    labels: dict[str, int | str] = {}
    for entry in entries:
        if is_label(entry) and entry.size <= LONGEST:
            text = entry.read().decode("utf-8-sig", "replace").strip()
            if re.fullmatch(r"-1|\d{1,9}", text, re.ASCII):
                labels[stem(entry.name)] = int(text)
            elif text and text.isprintable():
                labels[stem(entry.name)] = text
    return labels


def arranged(
    entries: Sequence[Entry], labels: Mapping[str, int | str], path: Path, wanted: Wanted, shards: Sequence[str] = ()
) -> Arrays:
    """Read the pictures of the samples; the label of one without is -1. ``shards`` are the names of all shards."""
    # where nothing has a label, the pictures of a sample are told by its other files
    named = Named(labels or {key(entry.name) for entry in entries if not is_picture(entry)})
    pictures, notes = chosen([entry for entry in entries if is_picture(entry)], named)
    folders = splits_of({folder_of(entry) for entry in pictures}, path)
    others = [entry for entry in entries if not is_picture(entry) and not is_label(entry)]
    if others:
        endings = listed(PurePosixPath(entry.name).suffix or "no ending" for entry in others)
        notes += (f"of the samples {len(others):,} file(s) are not read: those with {endings}",)
    broken = [e.name for e in entries if is_label(e) and stem(e.name) not in labels]
    notes += left_out_note([(name, "neither a number nor the name of a class") for name in broken], "label")
    reading = streamed if wanted.streams(len(pictures), path, all(map(on_disk, pictures))) else decoded
    with decode.without_warnings():
        read = reading(pictures, path, wanted)
    unreadable = [(e.name, reason) for e, reason in zip(pictures, read.reasons, strict=True) if reason is not None]
    notes += left_out_note(unreadable)
    rows = [
        (number, labels.get(named.of(entry.name), -1), folders[folder_of(entry)])
        for number, (entry, reason) in enumerate(zip(pictures, read.reasons, strict=True))
        if reason is None
    ]
    if not labels:
        notes += ("no sample has a label (.cls): all pictures count as one class",)
    if len(rows) < 2:
        raise ValueError(f"{path} holds {len(rows)} readable pictures, at least 2 are needed. {'. '.join(notes)}")
    named = {*folders.values(), *map(split_of_file, shards)}
    return from_rows(rows, read, (), path, notes, keep_unlabelled=wanted.unlabelled, named=named)


def folder_of(entry: Entry) -> str:
    """The shard and the folders around a file."""
    return entry.name.rpartition("/")[0]


def chosen(pictures: Sequence[Entry], named: Named) -> tuple[list[Entry], tuple[str, ...]]:
    """One picture of each sample, and a note on others, such as masks: ``1.png`` beside ``1.jpg``, ``1.mask.png``."""
    first: dict[str, Entry] = {}
    more: list[str] = []

    def rank(entry: Entry) -> tuple[bool, bool, int, str]:
        suffix = PurePosixPath(entry.name).suffix.lower()
        words = stem(entry.name).lower().rpartition("/")[2].split(".")[1:]  # of 1.image.png: image
        kind = FIRST.index(suffix) if suffix in FIRST else len(FIRST)
        other = bool(words) and {*words}.isdisjoint((*PICTURES, "input"))
        return stem(entry.name) != named.of(entry.name), other, kind, entry.name

    for entry in sorted(pictures, key=rank):
        sample = named.of(entry.name) or stem(entry.name)
        if sample in first:
            more.append(entry.name)
        else:
            first[sample] = entry
    kept = {id(entry) for entry in first.values()}
    notes = left_out_note([(name, "another picture of the same sample") for name in sorted(more)], "further picture")
    return [entry for entry in pictures if id(entry) in kept], notes
