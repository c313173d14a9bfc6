"""Pictures in files of their own: they are decoded or streamed, and sorted by their folders."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from ..files.entries import Entry
from ..folders import layout
from ..folders.annotations import annotated
from ..folders.split_names import is_test
from ..folders.unlabelled import arrange_all
from ..notes import listed
from ..pictures import decode, kinds
from ..pictures.contents import on_disk
from ..pictures.npy import is_npy
from ..sets.arrays import ARCHIVES, Arrangement, Arrays, every_tenth, set_name, untrained
from ..sets.picture_reading import decoded, streamed
from ..sets.wanted import Wanted
from .idx import is_idx
from .unread import found, labels_beside, other_forms, splits_beside

MOST_REASONS = 3  # that a note tells
NO_PICTURES = frozenset(  # endings of files that lie beside pictures and are no loss
    ".txt .cls .csv .tsv .json .jsonl .xml .yaml .yml .md .html .py .ipynb .ini .db .log .pdf .toml .cfg .mat .bib "
    ".safetensors".split()
)

HARMLESS = NO_PICTURES | frozenset(  # and more endings of texts and programs, and names without an ending
    "readme license licence copying notice authors citation changelog version makefile dockerfile manifest checksums "
    "md5sum md5sums sha1sums sha256sums sha512sums .parquet "
    ".rst .tex .rtf .doc .docx .odt .xls .xlsx .ods .sh .bat .ps1 .r .m .js .css .c .cpp .h .java .url .lnk .webloc "
    ".md5 .sha1 .sha256 .sha512 .sig .asc .torrent .nfo .names .lock".split()
)

COPIES = (  # endings that programs add to the names of backups and of files that are not there as a whole yet
    "~", ".bak", ".backup", ".old", ".orig", ".swp", ".swo", ".tmp", ".temp", ".part", ".partial", ".crdownload",
    ".download", ".opdownload", ".filepart", ".!ut", ".aria2",
)  # fmt: skip


def is_copy(name: str) -> bool:
    """Whether the name of a file is that of a backup or of an unfinished download."""
    return name.lower().endswith(COPIES)


def is_picture(entry: Entry) -> bool:
    """Whether a file should be a picture: by its ending, or where that says nothing, by how it begins."""
    suffix = PurePosixPath(entry.name).suffix.lower()
    if is_copy(entry.name) or suffix in kinds.RAW:
        return False
    if suffix in kinds.suffixes():
        return True
    if suffix in NO_PICTURES or suffix in (".npy", ".parquet", ".zip", ".gz", ".tgz", ".tar", ".bz2", ".xz"):
        return False
    try:
        return kinds.looks_like_picture(entry.begin())
    except OSError:
        if entry.path is None:
            raise  # the archive is damaged
        return False  # a file that may not be opened


def from_pictures(
    pictures: Sequence[Entry],
    entries: Sequence[Entry],
    path: Path,
    wanted: Wanted,
    empty: Sequence[str] = (),
    told: tuple[str, ...] = (),
) -> Arrays:
    """Decode pictures, or only look at them where they are to be streamed, and sort them by their folders.

    Args:
        pictures: the files that should be pictures.
        entries: all files.
        path: of the set.
        wanted: the size and so on.
        empty: folders without files.
        told: notes on what lies beside the pictures.
    """
    reading = streamed if wanted.streams(len(pictures), path, all(map(on_disk, pictures))) else decoded
    paths, more = annotated(pictures, entries)
    with decode.without_warnings():
        read = reading(pictures, path, wanted)
    good, unreadable = [], []
    for number, (entry, reason) in enumerate(zip(pictures, read.reasons, strict=True)):
        if reason is None:
            good.append(number)
        else:
            unreadable.append((entry.name, reason))
    notes = left_out_note(unreadable) + told + beside_note(entries)
    if len(good) < 2:
        raise ValueError(f"{path} holds {len(good)} readable pictures, at least 2 are needed. {found(entries, notes)}")
    names = {number: paths.get(pictures[number].name, pictures[number].name) for number in good}
    try:
        bare = without_pictures([pictures[number].name for number in good], (*pictures, *entries), empty)
        sorted_in = arrangement(names, path, wanted.unlabelled, bare)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    arrays = read.arrays(sorted_in)
    arrays.notes = notes + more + arrays.notes
    if len(arrays.classes) == 1:
        arrays.notes += labels_beside(entries, [picture.name for picture in pictures])
    if not any(is_test(folder) for name in names.values() for folder in name.split("/")[:-1]):
        arrays.notes += splits_beside(entries)
    return arrays


def beside_note(entries: Sequence[Entry]) -> tuple[str, ...]:
    """Notes on files that are not pictures, and should perhaps be."""
    others = [e.name for e in entries if not is_picture(e) and not harmless(e.name)]
    pointers = [name for name in others if name.lower().endswith(".dvc")]
    missing = [(name, "a pointer of DVC: dvc pull brings the files") for name in not_pulled(pointers, entries)]
    packed = [(name, "an archive: unpack it, or give its path") for name in others if is_archive(name)]
    copies = [(name, "a backup or an unfinished download") for name in others if is_copy(name)]
    others = [name for name in others if not is_archive(name) and not is_copy(name) and name not in pointers]
    endings = kinds.unread_suffixes()
    unread = {n: None for n in others if PurePosixPath(n).suffix.lower() in endings and not may_hold_images(n)}
    foreign = [(name, "a format that is not read: convert it to PNG") for name in unread]
    told = [name for name in others if name not in unread]
    arrays = [(name, "beside pictures") for name in told if is_npy(name)]
    odd = [(name, "not a picture in a format that is read here") for name in told if not is_npy(name)]
    files = left_out_note(copies, "file") + left_out_note(missing, "file")
    notes = left_out_note(packed, "archive") + files + left_out_note(arrays, "array")
    return notes + left_out_note(foreign, "picture") + left_out_note(odd, "other file")


def not_pulled(pointers: Sequence[str], entries: Sequence[Entry]) -> list[str]:
    """The pointers of DVC, ``cow.dvc``, beside which the file or folder is missing that they stand for."""
    there = {"/".join(parts[:end]) for e in entries if (parts := e.name.split("/")) for end in range(len(parts) + 1)}
    return [name for name in pointers if name[: -len(".dvc")] not in there]


def without_pictures(good: Sequence[str], entries: Sequence[Entry], empty: Sequence[str]) -> list[str]:
    """The folders that are named like a test split, and in which none of the ``good`` pictures lies."""

    def tests(folders: Iterable[str]) -> set[str]:
        parts = (folder.split("/") for folder in {*folders})
        return {"/".join(names[: n + 1]) for names in parts for n, name in enumerate(names) if is_test(name)}

    around = tests((*(entry.name.rpartition("/")[0] for entry in entries), *empty))
    return sorted(around - tests(name.rpartition("/")[0] for name in good))


def arrangement(
    names: Mapping[int, str], path: Path, unlabelled: bool = False, lost: Sequence[str] = ()
) -> Arrangement:
    """Sort pictures into splits and classes by the folders in their names; those without a label come last.

    Where no folder is for tests, a note tells of those that were meant to be, ``lost``.

    Raises:
        ValueError: where that is not possible; see ``layout.arrange``.
    """
    numbers = sorted(names, key=names.__getitem__)
    paths, root = [names[number] for number in numbers], set_name(path)
    (places, has_split, notes), bare = arrange_all(paths, root) if unlabelled else (layout.arrange(paths, root), [])
    kept = [(number, place) for number, place in zip(numbers, places, strict=True) if place]
    if len(kept) < 2:
        raise ValueError(f"{len(kept)} pictures are left, at least 2 are needed ({'; '.join(notes)})")
    classes = tuple(sorted({place.label for _, place in kept}))
    label_of = {name: label for label, name in enumerate(classes)}
    labels = np.array([label_of[place.label] for _, place in kept], dtype=np.int64)
    rows = np.array([number for number, _ in kept], dtype=np.int64)
    in_test = np.array([place.test for _, place in kept]) if has_split else every_tenth(labels, len(classes))
    if not has_split:
        notes += untrained(labels, in_test, classes)
        if lost:
            told = f"no readable picture lies in {listed(lost)}, so every tenth picture of a class is used to test"
            notes += (told,)
    mixed = np.random.default_rng(0).permutation((~in_test).sum())  # so that the first few hold all classes
    more = np.array([numbers[i] for i in bare], dtype=np.int64)
    train = np.concatenate([rows[~in_test][mixed], more])
    train_labels = np.concatenate([labels[~in_test][mixed], np.full(len(more), -1)])
    return Arrangement(train, train_labels, rows[in_test], labels[in_test], classes, notes)


def is_archive(name: str) -> bool:
    return name.lower().endswith(ARCHIVES)


def may_hold_images(name: str) -> bool:
    """Whether the name of a file is that of arrays or of another form in which sets are stored."""
    return is_npy(name) or is_idx(name) or bool(other_forms([name]))


def harmless(name: str) -> bool:
    file = PurePosixPath(name.lower())
    return (file.suffix or file.name) in HARMLESS


def left_out_note(left_out: Sequence[tuple[str, str]], what: str = "unreadable picture") -> tuple[str, ...]:
    """A note on files that are left out: how many, which, why, and how many of which ending lie in which folder."""
    if not left_out:
        return ()
    names = [name for name, _ in left_out]
    shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    files = [PurePosixPath(name) for name in names]
    kinds = Counter((f.suffix or "no ending", f.parent.as_posix()) for f in files)
    reasons: dict[str, str] = {}  # with the first file of each
    for name, reason in left_out:
        reasons.setdefault(reason, name)
    why = [f"{name}: {reason}" if len(reasons) > 1 else reason for reason, name in reasons.items()]
    if len(why) > MOST_REASONS:
        why[MOST_REASONS:] = [f"{len(why) - MOST_REASONS} other reasons"]
    counts = "; ".join(
        f"{n} with {suffix} in {folder}" if suffix.startswith(".") else f"{n} without an ending in {folder}"
        for (suffix, folder), n in kinds.most_common(5)
    )
    return (f"left out {len(left_out)} {what}(s): {shown} ({'; '.join([*why, counts])})",)
