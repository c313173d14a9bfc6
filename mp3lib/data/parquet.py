"""Parquet files, as Hugging Face stores data sets: a column of pictures, and mostly one of labels."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from . import decode, split_names
from .arrays import Arrays
from .contents import picture_of
from .entries import check_ratio, printable, read_bytes
from .labelled_rows import from_rows
from .picture_reading import Decoded, threads
from .rows import Rows
from .sentences import listed
from .wanted import Wanted

PICTURES = ("img", "image", "picture", "pixels")  # names of the column of pictures, the first one that is there
LABELS = (  # names of a column of labels; the first two count whatever others are there
    "label", "labels", "fine_label", "fine_labels", "class", "classes", "category", "categories", "target", "targets",
    "y", "class_id", "class_name", "class_label", "label_id", "label_name", "category_id", "category_name", "cls",
)  # fmt: skip
COARSE = ("coarse_label", "coarse_labels", "superclass")
ROWS = 32  # read at a time, and fewer where they are large
BYTES = 64_000_000  # of pictures that are read at a time
BUFFER = 1 << 16  # bytes of a column that pyarrow reads from the file at a time; otherwise a whole row group


class Columns(NamedTuple):
    """What ``columns`` found: the names of the columns, those of the classes, and notes."""

    picture: str
    label: str | None  # None: there are no labels
    names: tuple[str, ...]
    notes: tuple[str, ...]


def is_parquet(path: Path) -> bool:
    return read_bytes(path, 4) == b"PAR1"


def parquet_module(file: Path):
    try:
        import pyarrow.parquet
    except ImportError:
        raise ImportError(f"reading {file} needs pyarrow: pip install pyarrow") from None
    return pyarrow.parquet


def rows_of(files: Sequence[Path]) -> int:
    return sum(opened_parquet(file).metadata.num_rows for file in files)


def opened_parquet(file: Path):
    module = parquet_module(file)
    try:
        return module.ParquetFile(file, pre_buffer=False, buffer_size=BUFFER)  # pre_buffer reads the whole file ahead
    except Exception as error:  # pyarrow's errors have several bases
        raise ValueError(unreadable(file, error)) from None


def unreadable(file: Path, error: Exception) -> str:
    return f"{file} cannot be read as parquet ({' '.join(str(error).split())[:150]})"


def from_parquet(files: Sequence[Path], path: Path, wanted: Wanted) -> Arrays:
    """The pictures and labels of parquet files; their folders and names say the split."""
    wanted.streams(rows_of(files), path, possible=False)
    insides = {file: file.relative_to(path).as_posix() if path.is_dir() else file.name for file in files}
    check_one_set([*insides.values()], path)
    rows: list[tuple[int, object, str | None]] = []  # number of the picture, label (None: there is none), split
    bare: list[str] = []  # the names of the rows without a label
    pictures = Rows(rows_of(files), wanted)
    read = 0  # rows so far
    left_out: list[tuple[str, str]] = []
    opened_files = {file: opened_parquet(file) for file in files}
    described = {file: columns(opened, file) for file, opened in opened_files.items()}
    some_labels = any(about.label for about in described.values())
    named = {about.names for about in described.values()}
    names = named.pop() if len(named) == 1 else ()  # else each file's labels are named by its own
    cifar10 = all(about.picture == "img" for about in described.values())
    with decode.without_warnings(), threads() as pool:
        for file, opened in opened_files.items():
            inside, about = insides[file], described[file]
            which = split_of_file(inside)
            number = 0
            for values, labels in cells_of(opened, file, about, some_labels):
                if about.names and not names:
                    labels = [about.names[n] if isinstance(n, int) and 0 <= n < len(about.names) else n for n in labels]
                found = pool.map(lambda value: decoded_value(value, wanted.size), values)
                for picture, label in zip(found, labels, strict=True):
                    name = f"{inside} row {number}"
                    if isinstance(picture, str):
                        left_out.append((name, picture))
                    else:
                        pictures.put(read, picture)
                        rows.append((read, label, which))
                        bare += [name] if label is None else []
                    number, read = number + 1, read + 1
    notes = tuple(dict.fromkeys(note for about in described.values() for note in about.notes))
    if wanted.unlabelled or len(bare) == len(rows):
        notes += ("no row has a label: all pictures count as one class",) if rows and len(bare) == len(rows) else ()
        rows = [(number, -1 if label is None else label, which) for number, label, which in rows]
    else:
        rows = [row for row in rows if row[1] is not None]
        left_out += [(name, "no label") for name in bare]
    notes += joined_folders([*insides.values()])
    notes += missing_shards([*insides.values()]) + row_note(left_out)
    if len(rows) < 2:
        raise ValueError(f"{path} holds {len(rows)} readable pictures, at least 2 are needed. {'. '.join(notes)}")
    return from_rows(rows, Decoded(pictures, []), names, path, notes, cifar10, wanted.unlabelled)


def cells_of(opened, file: Path, about: Columns, some_labels: bool) -> Iterator[tuple[list, list]]:
    """The pictures and the labels of some rows at a time. Where other files have labels, a row of this one has none."""
    try:
        wanted = [*filter(None, about[:2])]
        for batch in opened.iter_batches(rows_at_once(opened, file), columns=wanted, use_threads=False):
            table = batch.to_pydict()
            if about.label:
                labels = [plain_label(label) for label in table[about.label]]
            else:
                labels = [None if some_labels else ""] * batch.num_rows
            yield table[about.picture], labels
    except Exception as error:  # pyarrow's errors have several bases
        raise ValueError(unreadable(file, error)) from None


def rows_at_once(opened, file: Path) -> int:
    """How many rows are read at a time, so that their pictures take little memory."""
    groups = [opened.metadata.row_group(i) for i in range(opened.metadata.num_row_groups)]
    unpacked = sum(group.column(i).total_uncompressed_size for group in groups for i in range(group.num_columns))
    check_ratio(file, unpacked)
    return min(max(BYTES * opened.metadata.num_rows // max(unpacked, 1), 1), ROWS)


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
        found = [word for word in split_names.words(part) if word in split_names.TRAIN + split_names.TEST]
        if found:
            return "train" if found[0] in split_names.TRAIN else found[0]
        if split_names.is_unlabelled(part):
            return "unlabelled"
    return None


def check_one_set(insides: Sequence[str], path: Path) -> None:
    """Refuse folders beside each other that each hold files for training and for testing: several data sets.

    Raises:
        ValueError: if there are several.
    """
    splits: dict[tuple[str, ...], set[str | None]] = {}  # of the folders around the files and those that name a split
    for inside in insides:
        around = tuple(part for part in inside.split("/")[:-1] if not split_names.split_word(part))
        splits.setdefault(around, set()).add(split_of_file(inside))
    several = ["/".join(around) for around, words in splits.items() if "train" in words and words & {*split_names.TEST}]
    if len(several) > 1:
        named = listed(name or "the folder itself" for name in several)
        raise ValueError(
            f"{path}: {named} each hold parquet files for training and testing, as several data sets or versions of "
            f"one do: give the path of one of them, as {max(several)}"
        )


def joined_folders(insides: Sequence[str]) -> tuple[str, ...]:
    """A note where the files of several folders are joined to one set, of which none has all splits."""
    words = {*split_names.TRAIN, *split_names.TEST}
    around = {
        tuple(part for part in inside.split("/")[:-1] if words.isdisjoint(split_names.words(part)))
        for inside in insides
    }
    if len(around) < 2:
        return ()
    named = listed("/".join(folders) or "the folder itself" for folders in around)
    return (f"the files of {named} count as one set: give the path of one of them if they are several",)


def missing_shards(insides: Sequence[str]) -> tuple[str, ...]:
    """A note on parts of a split that are not there, by names such as ``train-00000-of-00003.parquet``."""
    found: dict[tuple[str, int], set[int]] = {}
    for inside in insides:
        if part := re.fullmatch(r"(.*?)-?(\d{5})-of-(\d{5})(-\w+)?\.parquet", inside):
            found.setdefault((part[1], int(part[3])), set()).add(int(part[2]))
    return tuple(
        f"only {len(numbers)} of the {total} files of {name} are here: pictures are missing"
        for (name, total), numbers in found.items()
        if len(numbers) < total
    )


# --- columns ----------------------------------------------------------------------------------------------------------


def columns(opened, file: Path) -> Columns:
    """The columns of the pictures and of the labels, the names of the classes, and what the reader should know.

    Raises:
        ValueError: where no column has pictures, or several could.
    """
    schema = opened.schema_arrow
    lower = {name.lower(): name for name in schema.names}
    picture = next((lower[name] for name in PICTURES if name in lower), None)
    if picture is None:
        binary = [field.name for field in schema if holds_bytes(field.type)]
        if len(binary) != 1:
            raise ValueError(f"{file} must have a column img or image; it has {list(schema.names)}")
        picture = binary[0]
    others = [name for name in schema.names if name != picture]
    more = [field.name for field in schema if field.name in others and holds_bytes(field.type)]
    nested = {field.name for field in schema if field.name in others and str(field.type).startswith(NESTED)}
    label, notes = label_column([name for name in others if name not in nested], others)
    if more:
        notes += (f"the pictures are those of the column {picture}, not of {listed(more)}",)
    if "split" in lower:
        notes += (f"the column {lower['split']} plays no part: the names of files and folders say the split",)
    names, odd = class_names(schema.metadata, label)
    if odd:
        notes += (f"the names of the classes in the description of the column {label} are not used: {odd}",)
    return Columns(picture, label, names, notes)


NESTED = ("struct", "list", "large_list", "fixed_size_list", "map", "binary", "large_binary", "fixed_size_binary")


def holds_bytes(kind) -> bool:
    """Whether a column's type is that of pictures: bytes, or a record with bytes."""
    text = str(kind)
    return re.match(r"(large_)?binary|struct<.*\bbytes: (large_)?binary", text) is not None


def label_column(names: Sequence[str], others: Sequence[str]) -> tuple[str | None, tuple[str, ...]]:
    """The column of the labels, or None, and a note where that is not obvious.

    Args:
        names: of the columns that can be labels, because each cell is a number or a text.
        others: the names of all columns beside the pictures.
    """
    lower = {name.lower(): name for name in names}
    known = [lower[name] for name in LABELS if name in lower]
    coarse = [lower[name] for name in COARSE if name in lower]
    first = [lower[name] for name in LABELS[:2] if name in lower][:1]
    chosen = first or [name for name in known if name.lower().startswith("fine")][:1] or known or coarse
    if len(chosen) == 1:
        (label,) = chosen
        rest = [name for name in (*known, *coarse) if name != label]
        return label, ((f"the labels are those of the column {label}, not of {listed(rest)}",) if rest else ())
    if chosen:
        return None, (f"the columns {listed(chosen)} could all be labels, so none is taken: rename one to label",)
    if others:
        return None, (f"no label column found among {sorted(others)}: all pictures count as one class",)
    return None, ()


def class_names(metadata: dict[bytes, bytes] | None, label: str | None) -> tuple[tuple[str, ...], str]:
    """The names of the classes that Hugging Face's description of a label column has, or why they are not used."""
    try:
        names = json.loads((metadata or {}).get(b"huggingface", b"{}"))["info"]["features"][label]["names"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return (), ""
    if not isinstance(names, list) or not all(isinstance(name, str) and name.strip() for name in names):
        return (), "they are no list of texts"
    if len({*names}) < len(names):
        return (), "some are equal"
    return tuple(map(printable, names)), ""


# --- cells ------------------------------------------------------------------------------------------------------------


def plain_label(label: object) -> object:
    """A label as a whole number, a text or None: 3.0 is 3, and not-a-number is none, as tables with gaps store them.

    An empty text is none, either.
    """
    if isinstance(label, str):
        return printable(label) if label.strip() else None
    if isinstance(label, float):
        return None if math.isnan(label) else int(label) if label.is_integer() else label
    return label


def decoded_value(value: object, size: tuple[int, int]) -> decode.Picture | str:
    """The picture of a cell, or why there is none: bytes, or a record that holds them under ``bytes``."""
    data = value.get("bytes") if isinstance(value, dict) else value
    if data is None:
        path = value.get("path") if isinstance(value, dict) else None
        return f"only the path {path}, no picture" if path else "no picture"
    if not isinstance(data, bytes):
        return f"{type(data).__name__} instead of the bytes of a picture"
    return picture_of(data, size)
