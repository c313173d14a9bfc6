"""Pictures without labels: which they are, by their folders. Pretraining takes them as well."""

from __future__ import annotations

from collections.abc import Sequence

from ..notes import BARE
from .layout import Layout, Placed, arrange
from .split_names import for_tests, is_neutral, is_train, is_unlabelled
from .targets import masks


def without_label(paths: Sequence[str], places: Sequence[Placed | None]) -> list[int]:
    """Which of the pictures that have no place in a labelled set have no label, by number.

    They lie in a folder such as ``unlabeled``, or in no folder but those of training and of neutral names, as
    ``train/*`` and ``images/*``. Masks of other pictures do not count, nor do the classes of a split that is not in
    use, nor test pictures: nobody should train on those, with or without labels.

    Args:
        paths: of the pictures, with ``/``.
        places: what ``arrange`` found.
    """
    folders = [path.split("/")[:-1] for path in paths]
    targets = masks(paths)
    while folders and folders[0] and all(parts[:1] == folders[0][:1] for parts in folders):
        folders = [parts[1:] for parts in folders]

    def is_bare(parts: Sequence[str]) -> bool:
        plain = all(is_train(name) or is_neutral(name) for name in parts)
        return (plain or any(map(is_unlabelled, parts))) and not any(map(for_tests, parts))

    return [
        number
        for number, (place, parts) in enumerate(zip(places, folders, strict=True))
        if place is None and number not in targets and is_bare(parts)
    ]


def arrange_all(paths: Sequence[str], root: str) -> tuple[Layout, list[int]]:
    """What ``arrange`` finds, and the pictures without a label, by number; its notes tell of the others only."""
    layout = arrange(paths, root)
    bare = without_label(paths, layout.places)
    if not bare:
        return layout, bare
    left = {*bare}
    rest = [number for number in range(len(paths)) if number not in left]
    notes = layout.notes
    try:
        again = arrange([paths[number] for number in rest], root)
        if again.places == [layout.places[number] for number in rest]:
            notes = again.notes
    except ValueError:  # without them the folders mean something else
        pass
    note = f"{len(bare):,} {BARE} are there for pretraining, as {paths[bare[0]]}"
    return layout._replace(notes=(*notes, note)), bare
