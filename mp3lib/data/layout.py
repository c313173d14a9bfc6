"""Which folder names say the split, and which the class: from the paths of pictures to a labelled data set."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

TRAIN = ("train", "training", "trn", "trainset", "traindata", "trainval")
TEST = (  # the first one that is there becomes the test set
    "test", "testing", "tst", "testset", "testdata", "val", "valid", "validation", "validate", "eval", "evaluation",
    "dev", "holdout",
)  # fmt: skip
NEUTRAL = frozenset(  # words beside those that leave a name a split's: "seg_train", "train_images", "Test Set"
    "set sets data dataset image images img imgs pic pics picture pictures photo photos split splits folder seg new "
    "files samples jpg jpeg png raw processed resized cropped the".split()
)
UNLABELLED = frozenset("unlabeled unlabelled unsup unsupervised nolabel nolabels extra".split())
PART = re.compile(r"(fold|split|part|batch|chunk|shard|set|subset)[ _-]*\d+|tr|te|va|ts")


class Placed(NamedTuple):
    """Where a picture belongs: in the test set or not, and its class."""

    test: bool
    label: str


class Layout(NamedTuple):
    """What ``arrange`` found: a place for each path, or None where it is left out; whether the folders say the split;
    and what the reader should know.
    """

    places: list[Placed | None]
    has_split: bool
    notes: tuple[str, ...]


def words(name: str) -> list[str]:
    """The words of a folder name in lower case, numbers left out: ``TrainImages_2017`` is train, images."""
    return re.findall(r"[a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower())


def split_word(name: str) -> str | None:
    """The word of a folder name that names a split, if all its other words are neutral; else None."""
    found = [word for word in words(name) if word in TRAIN + TEST]
    rest = [word for word in words(name) if word not in TRAIN + TEST]
    return found[0] if len(set(found)) == 1 and NEUTRAL.issuperset(rest) else None


def is_train(name: str) -> bool:
    return split_word(name) in TRAIN


def is_test(name: str) -> bool:
    return split_word(name) in TEST


def arrange(paths: Sequence[str], root: str) -> Layout:
    """Read split and class of each picture off the folders of its path.

    Args:
        paths: of the pictures, relative to what was given, with ``/``.
        root: the class of pictures that lie in no folder of their own.

    Raises:
        ValueError: if folders look like the splits of a set, but not which of them is for training.
    """
    folders = [path.split("/")[:-1] for path in paths]
    while folders[0] and all(parts[:1] == folders[0][:1] for parts in folders):
        root, folders = folders[0][0], [parts[1:] for parts in folders]
    level = split_level(folders)
    if level is None:
        return by_class(paths, folders, root)
    return by_split(paths, folders, level, root)


def split_level(folders: Sequence[Sequence[str]]) -> int | None:
    """How deep the folders lie that name the splits; None where no folders do.

    Raises:
        ValueError: if all folders of a level name test splits.
    """
    for level in range(max(map(len, folders), default=0)):
        here = {parts[level] for parts in folders if len(parts) > level}
        train, test = {n for n in here if is_train(n)}, {n for n in here if is_test(n)}
        if train and test and (level == 0 or here == train | test):
            return level
        if level == 0 and train and not test and here != train:
            others = here - train
            below = [len(parts) for parts in folders if parts[:1] and parts[0] in train]
            beside = [len(parts) for parts in folders if parts[:1] and parts[0] in others]
            if all(UNLABELLED & set(words(n)) for n in others) or min(below) > max(beside):
                return level
        if level == 0 and len(here) > 1 and here == test:
            raise ValueError(
                f"the folders {listed(here)} look like the splits of a set, without one for training: name that one "
                "train, or give the path of the folder whose folders are classes"
            )
    return None


def by_split(paths: Sequence[str], folders: list[list[str]], level: int, root: str) -> Layout:
    """The layout where the folders of a level name the splits; the test set is the first that has labels."""
    names = {parts[level] for parts in folders if len(parts) > level}
    train = {name for name in names if is_train(name)}
    tests = sorted({split_word(name) for name in names if is_test(name)}, key=TEST.index) or [None]
    layouts = (
        with_test(paths, folders, level, root, train, {name for name in names if test and split_word(name) == test})
        for test in tests
    )
    first = next(layouts)
    return first if first.has_split else next((layout for layout in layouts if layout.has_split), first)


def with_test(
    paths: Sequence[str], folders: list[list[str]], level: int, root: str, train: set[str], test: set[str]
) -> Layout:
    """The layout whose training and test pictures lie in these folders of a level."""
    inside: dict[int, tuple[bool, list[str]]] = {}  # of each picture in use: in the test set, folders around it
    for i, parts in enumerate(folders):
        if len(parts) > level and parts[level] in train | test:
            inside[i] = parts[level] in test, parts[:level] + parts[level + 1 :]
    for in_test in (False, True):  # train/train/<class>, train/images/<class>
        while common := common_folder([parts for t, parts in inside.values() if t == in_test], in_test):
            inside = {
                i: (t, parts[1:] if t == in_test and parts[0] == common else parts) for i, (t, parts) in inside.items()
            }
    labelled = {parts[0] for t, parts in inside.values() if parts and not t}
    places: list[Placed | None] = [None] * len(paths)
    bare: dict[bool, list[int]] = {False: [], True: []}
    for i, (in_test, parts) in inside.items():
        unknown = in_test and parts and parts[0] not in labelled and NEUTRAL.issuperset(words(parts[0]))
        if labelled and (not parts or unknown):
            bare[in_test].append(i)  # in no class folder, though there are class folders
        else:
            places[i] = Placed(in_test, parts[0] if parts else root)
    notes = [beside(paths, [i for i in range(len(paths)) if i not in inside])]
    notes += [f"the folders {listed(names)} were joined to one split" for names in (train, test) if len(names) > 1]
    new = sorted(
        {place.label for place in places if place and place.test} - {p.label for p in places if p and not p.test}
    )
    if new:
        notes.append(f"no training picture has the class {listed(new)} of the test pictures")
    for in_test, left in bare.items():
        if left:
            which = "test" if in_test else "training"
            notes.append(f"left out {len(left)} {which} picture(s) without a class folder, as {paths[left[0]]}")
    return finished(places, True, notes)


def common_folder(folders: Sequence[Sequence[str]], in_test: bool) -> str | None:
    """The folder that all of these lie in, if it names the split again or is neutral, with folders below it."""
    if not folders or any(len(parts) < 2 for parts in folders):
        first = {parts[0] for parts in folders if parts}
        again = len(first) == 1 and all(folders) and (is_test if in_test else is_train)(*first)
        return first.pop() if again else None
    first = {parts[0] for parts in folders}
    if len(first) > 1:
        return None
    (name,) = first
    named_again = (is_test if in_test else is_train)(name)
    return name if named_again or (words(name) and NEUTRAL.issuperset(words(name))) else None


def by_class(paths: Sequence[str], folders: list[list[str]], root: str) -> Layout:
    """The layout where no folders name splits: the first folder is the class."""
    classes = {parts[0] for parts in folders if parts}
    if len(classes) > 1 and all(looks_like_split(name) for name in classes):
        raise ValueError(
            f"the folders {listed(classes)} look like the splits or parts of a set rather than like classes: name "
            "them train and test, or give the path of one of them"
        )
    places = [Placed(False, parts[0] if parts else root) if parts or not classes else None for parts in folders]
    loose = [i for i, place in enumerate(places) if place is None]
    return finished(places, False, [beside(paths, loose)])


def looks_like_split(name: str) -> bool:
    """Whether a folder name has a word for a split in it, or counts parts: ``train_a``, ``fold 3``."""
    return bool({*TRAIN, *TEST} & {*words(name)}) or PART.fullmatch(name.lower()) is not None


def beside(paths: Sequence[str], left_out: Sequence[int]) -> str:
    if not left_out:
        return ""
    return f"left out {len(left_out)} picture(s) beside the folders in use, as {paths[left_out[0]]}"


def finished(places: list[Placed | None], has_split: bool, notes: list[str]) -> Layout:
    if has_split and not any(place and place.test for place in places):
        has_split = False
        notes.append("no labelled test pictures are left, so every tenth training picture of a class is used to test")
    return Layout(places, has_split, tuple(filter(None, notes)))


def listed(names: Iterable[str]) -> str:
    names = sorted(names)
    return ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
