"""From rows of a table, each a picture, a label and a split, to a labelled data set."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from ..folders.class_names import joined, plain
from ..folders.split_names import TEST
from ..notes import BARE, listed, tests_alone
from .arrays import NO_LABELS, Arrangement, Arrays, checked, every_tenth, set_name, untrained
from .picture_reading import Decoded, Streamed


def from_rows(
    rows: list,
    read: Decoded | Streamed,
    names: tuple[str, ...],
    path: Path,
    notes: tuple[str, ...],
    keep_unlabelled: bool = False,
    named: Iterable[str | None] = (),
) -> Arrays:
    """Splits, classes and labels of the rows of a table: (number of its picture, label, split).

    A label of -1 says that there is none. With ``keep_unlabelled`` such rows come last in the training set, and those
    of the split ``unlabelled`` as well, but none of a test split: nobody should train on those. A note tells where
    none of the ``named`` splits for tests has rows.

    Raises:
        ValueError: for test splits alone, fewer than 2 labelled pictures, and a training split without labels unless
            ``keep_unlabelled``.
    """
    if fractions := [label for _, label, _ in rows if isinstance(label, float)]:
        rows = [(picture, "", which) for picture, _, which in rows]
        notes += (f"the labels are fractions, as {fractions[0]:g}, and no classes: all pictures count as one class",)
    if all(label == -1 for _, label, _ in rows):
        rows = [(picture, "", which) for picture, _, which in rows]  # nothing is labelled
    if all(which == "unlabelled" for _, _, which in rows):
        rows = [(picture, label, None) for picture, label, _ in rows]  # there is nothing else
    splits = {which for _, _, which in rows}
    tests = [word for word in TEST if word in splits]
    trained = {plain(str(label)) for _, label, which in rows if which == "train" and label != -1}
    for word in tests:
        tested = {label for _, label, which in rows if which == word and label != -1}
        if trained and tested and trained.isdisjoint(plain(str(label)) for label in tested):
            rows = [(picture, -1 if which == word else label, which) for picture, label, which in rows]
            notes += (f"the labels of {word} ({listed(map(str, tested))}) are none of the training set",)
    labelled = [word for word in tests if any(label != -1 for _, label, which in rows if which == word)]
    tests = labelled or tests  # the first test split that has labels
    if tests and "train" not in splits and (rest := [word for word in (None, "unlabelled") if word in splits]):
        # x.parquet beside x_test.parquet
        rows = [(picture, label, "train" if which == rest[0] else which) for picture, label, which in rows]
        splits = {which for _, _, which in rows}
    if len(tests) > 1 and "train" not in splits:
        raise ValueError(
            f"{path} holds the splits {listed(tests)}, but none for training: give the path of one of them"
        )
    if tests and splits == {tests[0]}:
        notes += (tests_alone(tests[0]),)
    wanted = {"train", tests[0]} if "train" in splits and tests else splits - {"unlabelled"}
    trained_on = "train" if "train" in splits else None  # beside it, another name may be for tests
    bare = [row for row in rows if row[2] == "unlabelled" or (row[1] == -1 and row[2] == trained_on)]
    bare = bare if keep_unlabelled else []
    if bare:
        chosen = {number for number, _, _ in bare}
        rows = [row for row in rows if row[0] not in chosen]
        notes += (f"{len(bare):,} {BARE} are there for pretraining",)
    other = [row for row in rows if row[2] not in wanted]
    unlabelled = [row for row in rows if row[2] in wanted and row[1] == -1]
    kept = [row for row in rows if row[2] in wanted and row[1] != -1]
    if other:
        notes += (f"left out {len(other)} picture(s) of other splits than {listed(filter(None, wanted))}",)
    if unlabelled:
        whose = listed(row[2] or "the file" for row in unlabelled)
        notes += (f"left out {len(unlabelled)} picture(s) of {whose} without a label",)
    if len(kept) < 2:
        raise ValueError(f"{path}: {len(kept)} labelled pictures are left, at least 2 are needed")
    in_test = np.array([which != "train" for _, _, which in kept]) if len(wanted) == 2 and tests else None
    if in_test is not None and in_test.all() and not bare:
        raise ValueError(f"{path}: {NO_LABELS}")
    lost = in_test is not None and not in_test.any()
    if lost or (not tests and not {*TEST}.isdisjoint(named)):
        in_test = None
        notes += ("no labelled test pictures are left, so every tenth picture of a class is used to test",)
    given = [label for _, label, _ in kept]
    if all(isinstance(label, str) for label in given):
        given, more = joined(given, [False] * len(given) if in_test is None else in_test.tolist())
        notes += more
    labels, classes = numbered(given, names, set_name(path), path)
    if in_test is None:
        in_test = every_tenth(labels, len(classes))
    notes += untrained(labels, in_test, classes)
    order = np.array([number for number, _, _ in kept], dtype=np.int64)
    train = np.concatenate([order[~in_test], np.array([number for number, _, _ in bare], dtype=np.int64)])
    train_labels = np.concatenate([labels[~in_test], np.full(len(bare), -1)])
    parts = train, train_labels, order[in_test], labels[in_test]
    return checked(read.arrays(Arrangement(*parts, classes, notes)), path)


def numbered(labels: list, names: tuple[str, ...], root: str, path: Path) -> tuple[np.ndarray, tuple[str, ...]]:
    """Labels as numbers from 0, and the names of the classes."""
    if all(label == "" for label in labels):  # no column of labels
        return np.zeros(len(labels), dtype=np.int64), (root,)
    whole = all(isinstance(label, int) and not isinstance(label, bool) for label in labels)
    if whole and names:
        if min(labels) < 0 or max(labels) >= len(names):
            raise ValueError(f"{path}: labels from {min(labels)} to {max(labels)} for {len(names)} classes")
        return np.asarray(labels, dtype=np.int64), names
    known = sorted(set(labels)) if whole else sorted({str(label) for label in labels})
    number = {label: i for i, label in enumerate(known)}
    numbers = np.array([number[label if whole else str(label)] for label in labels], dtype=np.int64)
    return numbers, tuple(map(str, known))
