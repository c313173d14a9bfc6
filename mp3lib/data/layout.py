"""Which folder names say the split, and which the class: from the paths of pictures to a labelled data set."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from .class_names import joined
from .sentences import listed
from .split_names import (
    TEST,
    has_year,
    is_neutral,
    is_part,
    is_target,
    is_test,
    is_train,
    is_unlabelled,
    looks_like_split,
    split_word,
    subject,
)

JOINED = re.compile(
    r"(?P<train>train.*|.*train|(images|labels|img|data)tr)|test.*|val.*|.*(test|val|valid|(images|data)t[es])"
)


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


def arrange(paths: Sequence[str], root: str) -> Layout:
    """Read split and class of each picture off the folders of its path.

    Args:
        paths: of the pictures, relative to what was given, with ``/``.
        root: the class of pictures that lie in no folder of their own.

    Raises:
        ValueError: if folders look like the splits of a set, but not which of them is for training; or if there are
            several sets side by side.
    """
    folders = [path.split("/")[:-1] for path in paths]
    targets = target_folders(folders)
    if belong := [
        i for i, parts in enumerate(folders) if any(tuple(parts[:n]) in targets for n in range(len(parts) + 1))
    ]:
        left = {*belong}
        layout = arrange([path for i, path in enumerate(paths) if i not in left], root)
        places = iter(layout.places)
        note = f"left out {len(belong)} picture(s) that look like masks of the others, as {paths[belong[0]]}"
        return layout._replace(
            places=[None if i in left else next(places) for i in range(len(paths))], notes=(*layout.notes, note)
        )
    while folders[0] and all(parts[:1] == folders[0][:1] for parts in folders):
        root, folders = folders[0][0], [parts[1:] for parts in folders]
    if splits_on_top(folders):
        return by_split(paths, folders, 0, root)
    found = holders(folders)
    if not found:
        return by_class(paths, folders, root)
    if are_classes(folders, found):
        return by_split(paths, folders, 1, root)
    inside = [any(tuple(parts[: len(place)]) == place for place in found) for parts in folders]
    around = {tuple(place[:depth]) for place in found for depth in range(len(place))}
    others = {
        parts[0] for parts, within in zip(folders, inside, strict=True) if not within and tuple(parts) not in around
    }
    if len(found) > 1 or others:
        raise ValueError(several(found, others))
    layout = arrange([path for path, within in zip(paths, inside, strict=True) if within], root)
    places = iter(layout.places)
    loose = beside(paths, [i for i, within in enumerate(inside) if not within])
    return layout._replace(places=[next(places) if within else None for within in inside], notes=(*layout.notes, loose))


def target_folders(folders: Sequence[Sequence[str]]) -> set[tuple[str, ...]]:
    """The folders of masks and the like: those beside a folder of images (``images``, ``masks``), and those that hold
    folders of the same names as other folders do (``CUB/images/auk``, ``segmentations/auk``).
    """
    below: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for parts in {tuple(parts) for parts in folders}:
        for depth in range(len(parts)):
            below[parts[:depth]].add(parts[depth])
    beside_images = {
        (*place, name)
        for place, names in below.items()
        if any(is_neutral(name) for name in names) and all(is_neutral(name) or is_target(name) for name in names)
        for name in names
        if is_target(name)
    }
    on_top = {name for name in below[()] if is_target(name)}
    elsewhere = {name for place, names in below.items() if place and place[0] not in on_top for name in names}
    alike = {(name,) for name in on_top if len(below[name,]) > 1 and below[name,] <= elsewhere}
    return beside_images | alike


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
    check_parts(labelled, "in the training set ")
    places: list[Placed | None] = [None] * len(paths)
    bare: dict[bool, list[int]] = {False: [], True: []}
    for i, (in_test, parts) in inside.items():
        unknown = in_test and parts and parts[0] not in labelled and is_neutral(parts[0])
        if labelled and (not parts or unknown):
            bare[in_test].append(i)  # in no class folder, though there are class folders
        else:
            places[i] = Placed(in_test, parts[0] if parts else root)
    notes = [beside(paths, [i for i in range(len(paths)) if i not in inside])]
    notes += [f"the folders {listed(names)} were joined to one split" for names in (train, test) if len(names) > 1]
    notes.append(deeper([parts for _, parts in inside.values()]))
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
    return name if named_again or is_neutral(name) else None


def by_class(paths: Sequence[str], folders: list[list[str]], root: str) -> Layout:
    """The layout where no folders name splits: the first folder is the class."""
    classes = {parts[0] for parts in folders if parts}
    check_parts(classes, "")
    repeated = deeper(folders)
    years = all(map(has_year, classes)) and all(len(parts) > 1 and is_neutral(parts[1]) for parts in folders)
    if len(classes) > 1 and (years or (repeated and all(map(is_part, classes)))):  # VOC2007/JPEGImages, v1/a
        raise ValueError(
            f"the folders {listed(classes)} look like versions or parts of a set rather than like classes: give the "
            f"path of one of them{f' ({repeated})' if repeated else ''}"
        )
    for name in sorted(classes):
        inside = {parts[1] for parts in folders if parts[:1] == [name] and len(parts) > 1}
        if len(inside) > 1 and inside < classes:  # augmented/cat, augmented/dog, cat, dog
            raise ValueError(
                f"the folder {name} holds folders named like those beside it ({listed(inside)}), so it may be no "
                "class: move it elsewhere, or put its pictures into the folders beside it"
            )
    if same := same_folders(folders):
        one, other, *_ = sorted(same)
        raise ValueError(
            f"the folders {listed(same)} hold the same folders ({listed(same[one])}), so they may be the splits or "
            "versions of one set rather than classes: name splits train and test; of versions, give the path of one of "
            f"them, as {one}; if {one} and {other} are classes, put their pictures into them directly"
        )
    places = [Placed(False, parts[0] if parts else root) if parts or not classes else None for parts in folders]
    loose = [i for i, place in enumerate(places) if place is None]
    return finished(places, False, [beside(paths, loose), repeated])


def check_parts(classes: set[str], where: str) -> None:
    """Refuse folders that should be classes, and are all named like splits or parts of a set."""
    parts = [JOINED.fullmatch(re.sub(r"[\W\d_]+", "", name.lower())) for name in classes]
    both = all(parts) and {part["train"] is not None for part in parts} == {True, False}  # trainimgs and testimgs
    about = {subject(name) for name in classes}
    same = len(about) == 1 and about != {()} and any(map(looks_like_split, classes))  # rps and rps-test-set
    if len(classes) > 1 and (both or same or all(looks_like_split(name) or is_neutral(name) for name in classes)):
        raise ValueError(
            f"the folders {listed(classes)} {where}look like the splits or parts of a set rather than like classes: "
            "name them train and test, or give the path of one of them"
        )


def same_folders(folders: Sequence[Sequence[str]]) -> dict[str, set[str]]:
    """The first folders and the folders in them, where it is open which are the classes; else nothing.

    It is open where every first folder holds the same folders, two or more and no fewer than there are first folders,
    or all but a few of those that the fullest one holds. Many first folders that hold a few folders each are classes.
    """
    below: dict[str, set[str]] = defaultdict(set)
    for parts in folders:
        if parts:
            below[parts[0]] |= {name for name in parts[1:2] if not is_neutral(name)}
    most = max(below.values(), key=len, default=set())
    alike = all(inside <= most and 2 * len(inside) > len(most) for inside in below.values())
    return dict(below) if len(below) > 1 and len(most) >= max(2, len(below)) and alike else {}


def deeper(folders: Sequence[Sequence[str]]) -> str:
    """A note on folders below the classes that could be the classes themselves."""
    pairs = {(parts[0], parts[1]) for parts in folders if len(parts) > 1 and not is_neutral(parts[1])}
    below = [name for name, number in Counter(name for _, name in pairs).items() if number > 1]
    if len(below) > 1:
        return f"the first folder is taken for the class: {listed(below)} below several of them play no part"
    first = Counter(name for name, _ in pairs)
    if splits := [name for name in first if len(first) > 1 and (is_train(name) or is_test(name))]:
        return f"the first folder is taken for the class, even {listed(splits)}: the folders below it play no part"
    if max(first.values(), default=0) > 1:
        return f"the first folder is taken for the class: the folders below, as {'/'.join(min(pairs))}, play no part"
    return ""


def beside(paths: Sequence[str], left_out: Sequence[int]) -> str:
    if not left_out:
        return ""
    return f"left out {len(left_out)} picture(s) beside the folders in use, as {paths[left_out[0]]}"


def finished(places: list[Placed | None], has_split: bool, notes: list[str]) -> Layout:
    """The layout with one spelling for each class; a split that has no test pictures is none."""
    used = [place for place in places if place]
    labels, more = joined([place.label for place in used], [place.test for place in used])
    renamed = iter(labels)
    places = [place._replace(label=next(renamed)) if place else None for place in places]
    train, test = ({place.label for place in places if place and place.test == t} for t in (False, True))
    if train and test - train:
        notes.append(f"no training picture has the class {listed(test - train)} of the test pictures")
    if has_split and not test:
        has_split = False
        notes.append("no labelled test pictures are left, so every tenth training picture of a class is used to test")
    return Layout(places, has_split, tuple(filter(None, (*notes, *more))))
