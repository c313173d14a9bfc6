"""Masks and the like: pictures that say what is in other ones, by the names of their folders and files."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from .split_names import (
    DERIVED,
    NEUTRAL,
    TARGETS,
    TEST,
    TRAIN,
    is_neutral,
    is_target,
    is_unlabelled,
    names_images,
    names_target,
    split_word,
    words,
)

PICTURES = frozenset("im image img photo pic picture rgb sat".split())  # 1_sat.jpg, whose mask is 1_mask.png
NO_NAMES = frozenset(TRAIN + TEST) | NEUTRAL | TARGETS | DERIVED | PICTURES  # words that tell no picture from another
MOST = 0.9  # the share of the pictures in a folder that has to have partners

Place = tuple[str, ...]  # a folder: the names from the top down
Key = tuple[str, ...]  # what tells a picture from the others in its folder


class Siblings(NamedTuple):
    """Folders side by side, "" for the pictures beside them: images, their targets, and the others."""

    images: frozenset[str]
    targets: frozenset[str]
    others: frozenset[str]  # neither of these, nor splits or copies of the images


def word_at_an_end(words: Iterable[str], number: str = "") -> re.Pattern[str]:
    """A pattern for names of files that have one of these words before or behind the rest."""
    word = f"({'|'.join(sorted(words))})"
    return re.compile(rf"(?P<before>.+?)[ _.-]+{word}{number}|{word}[ _.-]+(?P<behind>.+)", re.IGNORECASE)


MASK = word_at_an_end(TARGETS | {"seg", "ground[ _.-]*truth"}, r"([ _.-]*\d+)?")
PICTURE = word_at_an_end(PICTURES)


def masks(paths: Sequence[str]) -> set[int]:
    """Which pictures are masks and the like, by number: those in ``target_folders``, and those that are named after a
    picture in the same folder (``benign/0_mask.png`` beside ``benign/0.png`` or ``benign/0_image.png``, and
    ``label.png`` beside ``img.png``).
    """
    folders = [tuple(path.split("/")[:-1]) for path in paths]
    targets = target_folders(paths)
    stems = [stem_of(path) for path in paths]
    named = {*zip(folders, stems, strict=True)}
    bare = {parts for parts, stem in named if stem.lower() in PICTURES}
    named |= {(parts, rest(PICTURE, stem)) for parts, stem in named}

    def is_mask(parts: Place, stem: str) -> bool:
        of = rest(MASK, stem)
        return (
            (of and (parts, of) in named)
            or (parts in bare and not TARGETS.isdisjoint(words(stem)))
            or any(parts[:depth] in targets for depth in range(len(parts) + 1))
        )

    return {number for number, each in enumerate(zip(folders, stems, strict=True)) if is_mask(*each)}


def target_folders(paths: Sequence[str]) -> set[Place]:
    """The folders of masks and the like: those beside a folder of images (``images``, ``masks``), those that hold
    folders of the same names as other folders do (``CUB/images/auk``, ``segmentations/auk``), and those whose files are
    named as the images beside them (``by_file_names``).
    """
    below: dict[Place, set[str]] = defaultdict(set)
    bare = {tuple(path.split("/")[:-1]) for path in paths}
    for parts in bare:
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
    mixed = {place: siblings(names, place in bare) for place, names in below.items()}
    mixed = {place: found for place, found in mixed.items() if found.images and found.targets}
    return beside_images | alike | by_file_names(paths, mixed)


def siblings(names: set[str], bare: bool) -> Siblings:
    """Images and targets by the names of folders side by side; bare: pictures lie beside these folders.

    A folder of images is ``images``, ``img_dir`` and the like, or the only one with such a word, ``rainy_image``.
    Beside a class such as ``no_mask`` a folder ``mask`` is a class, too.
    """
    targets = {name for name in names if names_target(name)}
    if any(TARGETS & {*words(name)} for name in names - targets):
        targets = set()
    images = {name for name in names if names_images(name) and is_neutral(name)} | ({""} if bare else set())
    worded = {name for name in names if names_images(name)}
    if not images and len(worded) == 1:
        images = worded - targets
    parts = {name for name in names if split_word(name) or is_unlabelled(name) or is_neutral(name)}
    return Siblings(frozenset(images), frozenset(targets), frozenset(names - targets - images - parts))


def by_file_names(paths: Sequence[str], mixed: Mapping[Place, Siblings]) -> set[Place]:
    """Of folders beside images those of targets whose files are named as the images are (``masks_machine``), and, where
    there are such, the others that hold a file for each image (``overlays``).
    """
    keys: dict[tuple[Place, str], set[Key]] = defaultdict(set)
    for path in paths if mixed else ():
        parts = path.split("/")
        for depth in range(len(parts)):
            if (place := tuple(parts[:depth])) in mixed:
                name = parts[depth] if depth < len(parts) - 1 else ""
                keys[place, name].add(key(parts[depth + 1 :] or parts[depth:]))
    found: set[Place] = set()
    for place, (images, targets, others) in mixed.items():
        for image in (keys[place, name] for name in images):
            belong = [name for name in targets if share_of(keys[place, name], image) >= MOST]
            if belong:
                belong += [name for name in others if same(keys[place, name], image)]
            found |= {(*place, name) for name in belong}
    return found


def key(parts: Sequence[str]) -> Key:
    """What tells a picture from the others: of ``train/21_training_mask.gif`` train and 21."""
    *folders, file = parts
    found = re.findall(r"[^\W\d_]+|\d+", stem_of(file).lower())
    inner = [name for name in folders if not is_neutral(name) and not is_target(name)]
    return (*inner, *(word for word in found if word not in NO_NAMES))


def partner(one: Key, images: set[Key]) -> Key | None:
    """The image that a picture is named after: ``im0001.ah`` after ``im0001``."""
    return next((one[:end] for end in range(len(one), 0, -1) if one[:end] in images), one if one in images else None)


def share_of(own: set[Key], images: set[Key]) -> float:
    """The share of the pictures in a folder that are named after one of the images."""
    return sum(partner(one, images) is not None for one in own) / max(len(own), 1)


def same(own: set[Key], images: set[Key]) -> bool:
    """Whether a folder holds a picture for (nearly) each of the images, and (nearly) nothing else."""
    partners = {partner(one, images) for one in own} - {None}
    return share_of(own, images) >= MOST and len(partners) >= MOST * len(images)


def stem_of(path: str) -> str:
    return path.rpartition("/")[2].rpartition(".")[0] or path.rpartition("/")[2]


def rest(pattern: re.Pattern[str], stem: str) -> str:
    """The name of a file without the word that the pattern finds at an end of it; "" if there is none."""
    found = pattern.fullmatch(stem)
    return (found["before"] or found["behind"]) if found else ""
