"""Which folder names say the split, and which the class: from the paths of pictures to a labelled data set."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ..notes import listed, tests_alone
from .class_names import joined, plain
from .doubts import doubts
from .roles import (
    are_classes,
    below_pictures,
    check_nested,
    check_parts,
    check_split_names,
    common_folder,
    deeper,
    holders,
    inner,
    same_folders,
    several,
    splits_on_top,
)
from .split_names import (
    TEST,
    has_no_class,
    has_year,
    is_neutral,
    is_part,
    is_test,
    is_train,
    looks_like_split,
    split_word,
)
from .targets import masks


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
    if left := masks(paths):
        layout = arrange([path for i, path in enumerate(paths) if i not in left], root)
        places = iter(layout.places)
        note = f"left out {len(left)} picture(s) that look like masks of the others, as {paths[min(left)]}"
        return layout._replace(
            places=[None if i in left else next(places) for i in range(len(paths))], notes=(*layout.notes, note)
        )
    while folders[0] and all(parts[:1] == folders[0][:1] for parts in folders):
        root, folders = folders[0][0], [parts[1:] for parts in folders]
    if splits_on_top(folders):
        return by_split(paths, folders, 0, root)
    found = holders(folders)
    if not found:
        shared = paths[0].split("/")[: -1 - len(folders[0])]
        alone = tuple(tests_alone(name) for name in shared if is_test(name))
        layout = by_class(paths, folders, root)
        return layout._replace(notes=(*alone[:1], *layout.notes))
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
        trained = {parts[0] for t, parts in inside.values() if in_test and parts and not t}
        known = {*map(plain, trained)} if len(trained) > 1 else set()  # test/photo beside train/photo, train/sketch
        while common := common_folder([parts for t, parts in inside.values() if t == in_test], in_test, known):
            inside = {
                i: (t, parts[1:] if t == in_test and parts[0] == common else parts) for i, (t, parts) in inside.items()
            }
    labelled = with_labels({parts[0] for t, parts in inside.values() if parts and not t})
    check_parts(labelled, "in the training set ")
    known = {plain(name) for name in labelled}
    tested = {parts[0] for t, parts in inside.values() if parts and t}
    foreign = known.isdisjoint(map(plain, tested))  # test/unknown, and classes that are all others
    for in_test, own, other in ((False, labelled, tested), (True, tested, labelled)):
        where = "in the test set " if in_test else "in the training set "
        check_nested([parts for t, parts in inside.values() if t == in_test], own, where)
        if not foreign:
            check_split_names(own, other, where)
    places: list[Placed | None] = [None] * len(paths)
    bare: dict[bool, list[int]] = {False: [], True: []}
    for i, (in_test, parts) in inside.items():
        if in_test:
            unknown = bool(parts) and plain(parts[0]) not in known and (foreign or is_neutral(parts[0]))
        else:
            unknown = bool(parts) and parts[0] not in labelled
        if labelled and (not parts or unknown):
            bare[in_test].append(i)  # in no class folder, though there are class folders
        else:
            places[i] = Placed(in_test, parts[0] if parts else root)
    notes = [beside(paths, [i for i in range(len(paths)) if i not in inside])]
    notes += [f"the folders {listed(names)} were joined to one split" for names in (train, test) if len(names) > 1]
    around = [parts for _, parts in inside.values()]
    notes += [deeper(around) or below_pictures(around), named_like_splits(labelled)]
    for in_test, left in bare.items():
        if left:
            which = "test" if in_test else "training"
            notes.append(f"left out {len(left)} {which} picture(s) without a class folder, as {paths[left[0]]}")
            if in_test and foreign and tested:
                notes.append(f"the test folders {listed(tested)} have no class of the training set")
    return finished(paths, places, True, notes)


def with_labels(classes: set[str]) -> set[str]:
    """The folders of classes without those such as ``unlabeled``, which are none beside two classes or more."""
    rest = {name for name in classes if not has_no_class(name)}
    return rest if len(rest) > 1 else classes


def by_class(paths: Sequence[str], folders: list[list[str]], root: str) -> Layout:
    """The layout where no folders name splits: the first folder is the class."""
    classes = {parts[0] for parts in folders if parts}
    check_parts(classes, "")
    repeated = deeper(folders)
    years = all(map(has_year, classes)) and all(len(parts) > 1 and is_neutral(parts[1]) for parts in folders)
    if len(classes) > 1 and (years or (repeated and all(map(is_part, classes)))):  # such as VOC2007/JPEGImages, v1/a
        raise ValueError(
            f"the folders {listed(classes)} look like versions or parts of a set rather than like classes: give the "
            f"path of one of them{f' ({repeated})' if repeated else ''}"
        )
    check_nested(folders, classes, "")
    below = inner(folders)
    for name in sorted(filter(looks_like_split, classes)):
        inside, around = ({parts[-1] for parts in below if (parts[0] == name) == here} for here in (True, False))
        if shared := inside & around:  # train/cat, train/dog, gallery/cat
            raise ValueError(
                f"the folder {name} is named like a split, and holds {listed(shared)} as others beside it do: name "
                f"the splits train and test, or give the path of one of {listed(classes)}"
            )
    if same := same_folders(folders):
        one, other, *_ = sorted(same)
        raise ValueError(
            f"the folders {listed(same)} hold the same folders ({listed(same[one])}), so they may be the splits or "
            "versions of one set rather than classes: name splits train and test; of versions, give the path of one of "
            f"them, as {one}; if {one} and {other} are classes, put their pictures into them directly"
        )
    kept = with_labels(classes)
    places = [
        Placed(False, parts[0] if parts else root) if not classes or (parts and parts[0] in kept) else None
        for parts in folders
    ]
    loose = [i for i, place in enumerate(places) if place is None]
    notes = [beside(paths, loose), repeated or below_pictures(folders)]
    if not repeated:
        notes.append(named_like_splits(kept))
    return finished(paths, places, False, notes)


def named_like_splits(classes: set[str]) -> str:
    """A note on classes that are named like a split, beside others."""
    odd = [name for name in classes if len(classes) > 1 and (is_train(name) or is_test(name))]
    if not odd:
        return ""
    named = "counts as a class, though it is" if len(odd) == 1 else "count as classes, though they are"
    return f"the folder(s) {listed(odd)} {named} named like a split: move what is not a class elsewhere"


def beside(paths: Sequence[str], left_out: Sequence[int]) -> str:
    if not left_out:
        return ""
    return f"left out {len(left_out)} picture(s) beside the folders in use, as {paths[left_out[0]]}"


def finished(paths: Sequence[str], places: list[Placed | None], has_split: bool, notes: list[str]) -> Layout:
    """The layout with one spelling for each class; a split that has no test pictures is none."""
    used = [place for place in places if place]
    labels, more = joined([place.label for place in used], [place.test for place in used])
    renamed = iter(labels)
    places = [place._replace(label=next(renamed)) if place else None for place in places]
    in_use = [(path, (place.test, place.label)) for path, place in zip(paths, places, strict=True) if place]
    notes += doubts([path for path, _ in in_use], [label for _, label in in_use])
    train, test = ({place.label for place in places if place and place.test == t} for t in (False, True))
    if train and test - train:
        notes.append(f"no training picture has the class {listed(test - train)} of the test pictures")
    if has_split and not test:
        has_split = False
        notes.append("no labelled test pictures are left, so every tenth training picture of a class is used to test")
    return Layout(places, has_split, tuple(filter(None, (*notes, *more))))
