"""The files of a set in parts, parquet or WebDataset: which split a name says, and which parts are missing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from ..notes import listed
from . import split_names


def split_of_file(inside: str) -> str | None:
    """ "train", "test" or another word for a split, from the folders and the name of a parquet file; else None."""
    *folders, name = inside.split("/")
    for part in (PurePosixPath(name).stem, *reversed(folders)):  # the word nearest to the rows counts
        found = [word for word in split_names.words(part) if word in split_names.TRAIN + split_names.TEST]
        if found:
            return "train" if found[0] in split_names.TRAIN else found[0]
        if split_names.is_unlabelled(part):
            return "unlabelled"
    return None


def splits_of(insides: Iterable[str], what: Path | str) -> dict[str, str | None]:
    """``split_of_file`` of each part of a set, by its name.

    Raises:
        ValueError: where one is for training, none is for tests, and another one has a name that says no split. It may
            be for tests, and those are never to be trained on.
    """
    splits = {inside: split_of_file(inside) for inside in insides}
    unknown = listed(name or "the folder itself" for name, word in splits.items() if word is None)
    if unknown and "train" in splits.values() and not {*split_names.TEST} & {*splits.values()}:
        train = listed(name for name, word in splits.items() if word == "train")
        raise ValueError(
            f"{what} has {train} for training, and beside it {unknown}, whose name says no split, so it may be for "
            "tests: name it test or val, train, or unlabeled, or leave it out"
        )
    return splits


def check_one_set(insides: Sequence[str], path: Path) -> None:
    """Refuse folders beside each other that each hold files for training and for testing: several data sets.

    Raises:
        ValueError: if there are several.
    """
    splits: dict[tuple[str, ...], set[str | None]] = {}  # of the folders around the files and those that name a split
    for inside in insides:
        around = tuple(part for part in inside.split("/")[:-1] if not split_names.split_word(part))
        splits.setdefault(around, set()).add(split_of_file(inside))
    several = ["/".join(around) for around, words in splits.items() if "train" in words and words & {*split_names.TEST}]
    if len(several) > 1:
        named = listed(name or "the folder itself" for name in several)
        raise ValueError(
            f"{path}: {named} each hold parquet files for training and testing, as several data sets or versions of "
            f"one do: give the path of one of them, as {max(several)}"
        )


def joined_folders(insides: Sequence[str]) -> tuple[str, ...]:
    """A note where the files of several folders are joined to one set, of which none has all splits."""
    words = {*split_names.TRAIN, *split_names.TEST}
    around = {
        tuple(part for part in inside.split("/")[:-1] if words.isdisjoint(split_names.words(part)))
        for inside in insides
    }
    if len(around) < 2:
        return ()
    named = listed("/".join(folders) or "the folder itself" for folders in around)
    return (f"the files of {named} count as one set: give the path of one of them if they are several",)


def missing_shards(insides: Sequence[str]) -> tuple[str, ...]:
    """A note on parts of a split that are not there, by names such as ``train-00000-of-00003.parquet``."""
    found: dict[tuple[str, int], set[int]] = {}
    for inside in insides:
        if part := re.fullmatch(r"(.*?)-?(\d{5})-of-(\d{5})(-\w+)?\.parquet", inside):
            found.setdefault((part[1], int(part[3])), set()).add(int(part[2]))
    return tuple(
        f"only {len(numbers)} of the {total} files of {name} are here: pictures are missing"
        for (name, total), numbers in found.items()
        if len(numbers) < total
    )
