"""Names of classes: one spelling for what is one class in the training and the test set."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from ..notes import listed


def plain(name: str) -> str:
    """A name of a class without what may differ between the splits: case, spaces, hyphens, zeros before a number."""
    name = re.sub(r"[\s_-]+", " ", unicodedata.normalize("NFC", name).strip().casefold())
    return re.sub(r"^0+(?=\d+$)", "", name)


def joined(names: Sequence[str], in_test: Sequence[bool]) -> tuple[list[str], tuple[str, ...]]:
    """The class of each picture with one spelling for each class, and notes on what was joined or is doubtful.

    Letters with accents have two forms in Unicode, of one character or of two; both are the same name. Names that
    differ only in upper and lower case, spaces, hyphens or underscores, and numbers that differ only in zeros before
    them, are joined if the training set has one of them and the test set another one. Otherwise they stay classes of
    their own.

    Args:
        names: of each picture's class.
        in_test: whether the picture belongs to the test set.
    """
    names = [unicodedata.normalize("NFC", name) for name in names]
    spellings: dict[str, tuple[set[str], set[str]]] = {}  # of what is alike: in the training set, in the test set
    for name, test in {*zip(names, in_test, strict=True)}:
        spellings.setdefault(plain(name), (set(), set()))[test].add(name)
    renamed: dict[str, str] = {}
    notes: list[str] = []
    for train, test in (spellings[key] for key in sorted(spellings)):
        if len(train | test) == 1:
            continue
        differ = f"{listed(train | test)} differ only in case, spaces, hyphens or zeros in front"
        if len(train) == len(test) == 1:
            (renamed_to,) = train
            renamed |= dict.fromkeys(test, renamed_to)
            notes.append(f"the classes {differ}, the training set has one and the test set the other: joined")
        else:
            notes.append(f"the classes {differ}, and are kept apart: rename one if they are the same")
    return [renamed.get(name, name) for name in names], tuple(notes)
