"""Notes on pictures that are used, and may be no pictures of their own, or in no classes: by the names of the files."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence, Set

from ..notes import listed
from .split_names import TARGETS, TEST, TRAIN, names_images, names_target, words
from .targets import MOST, stem_of

FEWEST = 3  # pictures that are needed before a habit shows
SPLITS = frozenset(TRAIN + TEST)
PER_PICTURE = 4  # files that one picture may have: itself, and masks by several people


def doubts(paths: Sequence[str], labels: Sequence[tuple[bool, str]]) -> list[str]:
    """Notes on the pictures in use.

    Args:
        paths: of the pictures.
        labels: of each: in the test set or not, and its class.
    """
    names: dict[tuple[bool, str], set[str]] = defaultdict(set)
    for path, label in zip(paths, labels, strict=True):
        names[label].add(path.rpartition("/")[2])
    return [
        files_named_like_splits(paths, [test for test, _ in labels]),
        files_named_like_classes(paths) if len({label for _, label in labels}) == 1 else "",
        named_like_masks(names),
        samples(names),
        two_endings(paths) or two_names(paths),
    ]


def files_named_like_splits(paths: Sequence[str], in_test: Sequence[bool]) -> str:
    """A note where the names of (nearly) all files say a split, ``train_0.png`` and ``test_0.png``, and nothing else
    does: pictures for tests may then be trained on.
    """
    said = [{"test" if word in TEST else "train" for word in {*words(stem_of(path))} & SPLITS} for path in paths]
    tests = [path for path, kinds, test in zip(paths, said, in_test, strict=True) if kinds == {"test"} and not test]
    known = sum(len(kinds) == 1 for kinds in said)
    if not tests or {"train"} not in said or known < MOST * len(paths):
        return ""
    return (
        f"{len(tests)} file(s), as {tests[0]}, are named like pictures for tests, but only folders decide: move them "
        "into a folder test, with a folder for each class"
    )


def files_named_like_classes(paths: Sequence[str]) -> str:
    """A note where (nearly) all files of a single class are a word and a number, and a few words have many files:
    ``cat.0.jpg`` and ``dog.0.jpg``.
    """
    found = [re.fullmatch(r"(.*[^\W\d_])[ _.-]*\d+", stem_of(path)) for path in paths]
    counted = Counter(match[1].lower() for match in found if match)
    names = [name for name, number in counted.items() if number >= FEWEST and not SPLITS & {*words(name)}]
    if len(names) < 2 or sum(counted[name] for name in names) < MOST * len(paths):
        return ""
    return (
        f"the files are named {listed(names)}, with numbers: where these are classes, put the pictures into a folder "
        "for each"
    )


def named_like_masks(names: Mapping[tuple[bool, str], Set[str]]) -> str:
    """A note on a class that is named like masks, beside images or with files of the same names as another class.

    names: of the files of each class in each split.
    """
    classes = {label for _, label in names}
    if any(TARGETS & {*words(label)} and not names_target(label) for label in classes):  # mask and no_mask
        return ""
    stems = {of: {stem_of(name) for name in files} for of, files in names.items()}
    alike = {
        label: {
            other
            for (split, other), theirs in stems.items()
            if split == test
            and not names_target(other)
            and (names_images(other) or (own == theirs and TARGETS & {*words(label)}))
        }
        for (test, label), own in stems.items()
        if names_target(label)
    }
    found = {label for label, others in alike.items() if others}
    if not found:
        return ""
    others = set().union(*alike.values())
    counted = "counts as a class" if len(found) == 1 else "count as classes"
    return (
        f"the folder(s) {listed(found)} {counted} beside {listed(others)}, and may hold masks of them: move what is "
        "not a class elsewhere"
    )


def samples(names: Mapping[tuple[bool, str], Set[str]]) -> str:
    """A note where each folder holds the same few file names, as ``0_json/img.png``, ``1_json/img.png``."""
    classes = {label for _, label in names}
    first = next(iter(names.values()), set())
    few = len(first) < len(classes) and all(files == first for files in names.values())
    if not few or len(classes) < FEWEST or any(re.search(r"\d", stem_of(name)) for name in first):
        return ""
    return (
        f"each of the {len(classes)} classes holds the same file name(s) ({listed(first)}): where a folder is one "
        "picture and no class, put the pictures into one folder"
    )


def two_endings(paths: Sequence[str]) -> str:
    """A note where (nearly) every name is there with two endings, as ``0.jpg`` and ``0.png``."""
    endings: dict[str, set[str]] = defaultdict(set)
    for path in paths:
        stem, dot, ending = path.rpartition(".")
        endings[stem].add(ending.lower() if dot else "")
    twice = [stem for stem, found in endings.items() if len(found) > 1]
    if len(twice) < max(FEWEST, MOST * len(endings)):
        return ""
    one = min(twice)
    files = " and ".join(f"{one.rpartition('/')[2]}.{ending}" for ending in sorted(endings[one])[:2])
    return again(len(twice), files)


def two_names(paths: Sequence[str]) -> str:
    """A note where (nearly) every picture is there again with the same word behind its name, ``0.png``, ``0_L.png``."""
    stems = {path.rpartition("/")[0] + "/" + stem_of(path) for path in paths}
    behind: dict[str, set[str]] = defaultdict(set)  # the names without a word behind them, by the word
    for stem in stems:
        found = re.fullmatch(r"(.*[^ _.-])([ _.-]+[^/ _.-]*[^\W\d_][^/ _.-]*)", stem)
        if found:
            behind[found[2]].add(found[1])
    frequent = {word: of for word, of in behind.items() if len(of) >= max(FEWEST, len(stems) / PER_PICTURE)}
    for word, of in sorted(frequent.items()):
        for other, bare in ("", stems), *sorted(frequent.items()):
            if other != word and len(of & bare) >= MOST * len(of):
                one = min(of & bare)
                return again(len(of & bare), f"{one}{other} and {one}{word}".replace(f"{one.rpartition('/')[0]}/", ""))
    return ""


def again(number: int, files: str) -> str:
    return (
        f"{number} picture(s) are there in two files, as {files}, and each file counts as a picture: move what is "
        "none, such as masks, elsewhere"
    )
