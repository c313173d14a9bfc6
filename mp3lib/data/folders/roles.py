"""What the folders of a set are, by their names and by what lies in them: splits, classes, sets side by side.

Folders are lists of names, from the top down, one list for each picture.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import takewhile

from ..notes import listed
from .class_names import plain
from .split_names import (
    is_neutral,
    is_part,
    is_test,
    is_train,
    is_unlabelled,
    looks_like_split,
    subject,
)

JOINED = re.compile(
    r"(?P<train>train.*|.*train|(images|labels|img|data)tr)|test.*|val.*|.*(test|val|valid|(images|data)t[es])"
)


def splits_on_top(folders: Sequence[Sequence[str]]) -> bool:
    """Whether the first folders of all paths name the splits.

    Raises:
        ValueError: if all of them name test splits.
    """
    here = {parts[0] for parts in folders if parts}
    train, test = {n for n in here if is_train(n)}, {n for n in here if is_test(n)}
    if train and test:
        return True
    if train and here != train:
        others = here - train
        below = [len(parts) for parts in folders if parts[:1] and parts[0] in train]
        around = [len(parts) for parts in folders if parts[:1] and parts[0] in others]
        return all(map(is_unlabelled, others)) or min(below) > max(around)
    if len(here) > 1 and here == test:
        raise ValueError(
            f"the folders {listed(here)} look like the splits of a set, without one for training: name that one "
            "train, or give the path of the folder whose folders are classes"
        )
    return False


def holders(folders: Sequence[Sequence[str]]) -> dict[tuple[str, ...], set[str]]:
    """The topmost folders that hold folders named like splits, with the names of all folders in them."""
    below: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for parts in {tuple(parts) for parts in folders}:
        for depth in range(1, len(parts)):
            below[parts[:depth]].add(parts[depth])
    found: dict[tuple[str, ...], set[str]] = {}
    for place in sorted(below, key=len):
        names = below[place]
        train, test = {n for n in names if is_train(n)}, {n for n in names if is_test(n)}
        spare = {name for name in names if is_unlabelled(name)}
        if (train and test) or (len(place) == 1 and train | test and names == train | test | spare):
            if not any(place[:depth] in found for depth in range(len(place))):
                found[place] = names
    return found


def are_classes(folders: Sequence[Sequence[str]], found: dict[tuple[str, ...], set[str]]) -> bool:
    """Whether folders that hold splits are classes: ``cat/train/*``, ``cat/test/*``, ``dog/train/*``, ...

    Each must have pictures for training, none has folders of classes below its splits, and nothing else lies beside.
    """
    first = {parts[0] for parts in folders if parts}
    deeper = {name for parts in folders for name in parts[2:]}
    return (
        len(first) > 1
        and {*found} == {(name,) for name in first}
        and all(any(map(is_train, names)) for names in found.values())
        and all(map(is_neutral, deeper))
        and not all(map(is_part, first))
    )


def several(found: dict[tuple[str, ...], set[str]], others: set[str]) -> str:
    """Why sets beside each other, or beside other folders, are refused."""
    names = sorted("/".join(place) for place in found)
    inside = listed(name for names in found.values() for name in names if is_train(name) or is_test(name))
    if len(names) == 1:
        return (
            f"the folder {names[0]} holds folders that look like the splits of a set ({inside}), and beside it lies "
            f"{listed(others)}: give the path of {names[0]} alone, or of the folder whose folders are classes"
        )
    return (
        f"the folders {listed(names)} hold folders that look like the splits of a set ({inside}), as several data sets "
        f"side by side do: give the path of one of them, as {names[0]}, or put the folders of one set into one folder"
    )


def common_folder(folders: Sequence[Sequence[str]], in_test: bool, known: set[str]) -> str | None:
    """The folder that all of these lie in, if it names the split again, or is neutral and none of the known classes."""
    first = {parts[0] if parts else "" for parts in folders}
    if len(first) != 1:
        return None
    (name,) = first
    named_again = (is_test if in_test else is_train)(name)
    return name if named_again or (is_neutral(name) and plain(name) not in known) else None


def check_parts(classes: set[str], where: str) -> None:
    """Refuse folders that should be classes where all are named like splits or parts of a set, or one like a split of
    another one: ``cat``, ``dog``, ``cat_test``, ``dog_test``.
    """
    parts = [JOINED.fullmatch(re.sub(r"[\W\d_]+", "", name.lower())) for name in classes]
    both = all(parts) and {part["train"] is not None for part in parts} == {True, False}  # as trainimgs, testimgs
    about = Counter(subject(name) for name in classes)
    same = any(subject(name) and about[subject(name)] > 1 for name in classes if looks_like_split(name))
    if len(classes) > 1 and (both or same or all(looks_like_split(name) or is_neutral(name) for name in classes)):
        raise ValueError(
            f"the folders {listed(classes)} {where}look like the splits or parts of a set rather than like classes: "
            "name them train and test, or give the path of one of them"
        )


def check_nested(folders: Sequence[Sequence[str]], classes: set[str], where: str) -> None:
    """Refuse a folder beside classes that holds the same classes: ``cat``, ``dog``, ``augmented/cat, augmented/dog``.

    Of a folder that is named like a split one of them is enough.
    """
    below: dict[str, set[str]] = defaultdict(set)
    for parts in folders:
        if len(parts) > 1:
            below[parts[0]].add(parts[1])
    for name in sorted(classes):
        inside = below[name]
        if (len(inside) > 1 and inside < classes) or ((is_train(name) or is_test(name)) and inside & classes):
            raise ValueError(
                f"the folder {name} {where}holds folders named like those beside it ({listed(inside)}), so it may be "
                "no class: move it elsewhere, or put its pictures into the folders beside it"
            )


def check_split_names(classes: set[str], others: set[str], where: str) -> None:
    """Refuse a folder among the classes of a split that is named like a split, and is no class of the other split."""
    known = set(map(plain, others))
    for name in sorted(classes):
        if len(classes) > 1 and (is_train(name) or is_test(name)) and plain(name) not in known:
            raise ValueError(
                f"the folder {name} {where}is named like a split, and the other split has no such class, so it may be "
                "no class: move it elsewhere"
            )


def inner(folders: Sequence[Sequence[str]]) -> list[tuple[str, ...]]:
    """The paths to the first folders below the topmost that are neither neutral nor hold all that lies below the
    topmost one: ``a/images/b``, and ``site/batch/cat`` beside ``site/batch/dog``.
    """
    below: dict[str, list[Sequence[str]]] = defaultdict(list)
    for parts in folders:
        if parts:
            below[parts[0]].append(parts[1:])
    found = []
    for name, paths in below.items():
        pairs = zip(min(paths), max(paths), strict=False)
        lone = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))  # folders that all of them share
        start = lone if min(map(len, paths)) > lone else 0
        for parts in paths:
            ends = [end for end in range(start + 1, len(parts) + 1) if not is_neutral(parts[end - 1])]
            found += [(name, *parts[:end]) for end in ends[:1]]
    return found


def same_folders(folders: Sequence[Sequence[str]]) -> dict[str, set[str]]:
    """The first folders and the folders in them, where it is open which are the classes; else nothing.

    It is open where every first folder holds the same folders, two or more and no fewer than there are first folders,
    or all but a few of those that the fullest one holds. Many first folders that hold a few folders each are classes.
    """
    below: dict[str, set[str]] = defaultdict(set)
    below |= {parts[0]: set() for parts in folders if parts}
    for first, *_, last in inner(folders):
        below[first].add(last)
    most = max(below.values(), key=len, default=set())
    alike = all(inside <= most and 2 * len(inside) > len(most) for inside in below.values())
    return dict(below) if len(below) > 1 and len(most) >= max(2, len(below)) and alike else {}


def deeper(folders: Sequence[Sequence[str]]) -> str:
    """A note on folders below the classes that could be the classes themselves."""
    below_classes = {*inner(folders)}
    pairs = {(parts[0], parts[-1]) for parts in below_classes}
    below = [name for name, number in Counter(name for _, name in pairs).items() if number > 1]
    if len(below) > 1:
        return f"the first folder is taken for the class: {listed(below)} below several of them play no part"
    first = Counter(name for name, _ in pairs)
    if splits := [name for name in first if len(first) > 1 and (is_train(name) or is_test(name))]:
        return f"the first folder is taken for the class, even {listed(splits)}: the folders below it play no part"
    if max(first.values(), default=0) > 1:
        one = "/".join(min(below_classes))
        return f"the first folder is taken for the class: the folders below, as {one}, play no part"
    return ""


def below_pictures(folders: Sequence[Sequence[str]]) -> str:
    """A note on folders below a class that lie beside pictures of that class, ``cat/0.png`` and ``cat/thumbnails``."""
    bare = {parts[0] for parts in folders if len(parts) == 1}
    below = sorted({"/".join(parts[:2]) for parts in folders if len(parts) > 1 and parts[0] in bare})
    if not below:
        return ""
    return (
        f"the first folder is taken for the class: pictures in {listed(below)} count as those beside them: move what "
        "is none, such as smaller copies, elsewhere"
    )
