"""Parquet files, as Hugging Face stores data sets: a column of pictures, and mostly one of labels."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np

from . import decode, layout
from .arrays import Arrays, check_memory, checked, pixels_of, set_name, split
from .cifar10 import CIFAR10_CLASSES
from .class_names import joined
from .entries import check_ratio, read_bytes
from .sentences import listed

PICTURES = ("img", "image", "picture", "pixels")  # names of the column of pictures, the first one that is there
LABELS = (  # names of a column of labels; the first two count whatever others are there
    "label", "labels", "fine_label", "fine_labels", "class", "classes", "category", "categories", "target", "targets",
    "y", "class_id", "class_name", "class_label", "label_id", "label_name", "category_id", "category_name", "cls",
)  # fmt: skip
COARSE = ("coarse_label", "coarse_labels", "superclass")
ROWS = 32  # read at a time, and fewer where they are large
BYTES = 64_000_000  # of pictures that are read at a time


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
        return module.ParquetFile(file)
    except Exception as error:  # pyarrow's errors have several bases
        raise ValueError(unreadable(file, error)) from None


def unreadable(file: Path, error: Exception) -> str:
    return f"{file} cannot be read as parquet ({' '.join(str(error).split())[:150]})"


def from_parquet(files: Sequence[Path], path: Path, size: tuple[int, int]) -> Arrays:
    """The pictures and labels of parquet files; their folders and names say the split."""
    check_memory(rows_of(files), size, path)
    insides = {file: file.relative_to(path).as_posix() if path.is_dir() else file.name for file in files}
    check_one_set([*insides.values()], path)
    rows: list[tuple[decode.Picture, object, str | None]] = []  # picture, label, split
    left_out: list[tuple[str, str]] = []
    opened_files = {file: opened_parquet(file) for file in files}
    described = {file: columns(opened, file) for file, opened in opened_files.items()}
    some_labels = any(about.label for about in described.values())
    named = {about.names for about in described.values()}
    names = named.pop() if len(named) == 1 else ()  # else each file's labels are named by its own
    cifar10 = all(about.picture == "img" for about in described.values())
    for file, opened in opened_files.items():
        inside, about = insides[file], described[file]
        which = split_of_file(inside)
        number = 0
        try:
            for batch in opened.iter_batches(rows_at_once(opened, file), columns=[*filter(None, about[:2])]):
                table = batch.to_pydict()
                labels = table[about.label] if about.label else [None if some_labels else ""] * batch.num_rows
                labels = [plain_label(label) for label in labels]
                if about.names and not names:
                    labels = [about.names[n] if isinstance(n, int) and 0 <= n < len(about.names) else n for n in labels]
                for value, label in zip(table[about.picture], labels, strict=True):
                    picture = decoded_value(value, size)
                    if label is None and not isinstance(picture, str):
                        picture = "no label"
                    if isinstance(picture, str):
                        left_out.append((f"{inside} row {number}", picture))
                    else:
                        rows.append((picture, label, which))
                    number += 1
        except Exception as error:  # pyarrow's errors have several bases
            raise ValueError(unreadable(file, error)) from None
    notes = tuple(dict.fromkeys(note for about in described.values() for note in about.notes))
    notes += missing_shards([*insides.values()]) + row_note(left_out)
    if len(rows) < 2:
        raise ValueError(f"{path} holds {len(rows)} readable pictures, at least 2 are needed. {'. '.join(notes)}")
    return from_rows(rows, names, path, notes, cifar10)


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
        found = [word for word in layout.words(part) if word in layout.TRAIN + layout.TEST]
        if found:
            return "train" if found[0] in layout.TRAIN else found[0]
        if layout.UNLABELLED & {*layout.words(part)}:
            return "unlabelled"
    return None


def check_one_set(insides: Sequence[str], path: Path) -> None:
    """Refuse folders beside each other that each hold files for training and for testing: several data sets.

    Raises:
        ValueError: if there are several.
    """
    splits: dict[tuple[str, ...], set[str | None]] = {}  # of the folders around the files and those that name a split
    for inside in insides:
        around = tuple(part for part in inside.split("/")[:-1] if not layout.split_word(part))
        splits.setdefault(around, set()).add(split_of_file(inside))
    several = ["/".join(around) for around, words in splits.items() if "train" in words and words & {*layout.TEST}]
    if len(several) > 1:
        named = listed(name or "the folder itself" for name in several)
        raise ValueError(
            f"{path}: {named} each hold parquet files for training and testing, as several data sets or versions of "
            f"one do: give the path of one of them, as {max(several)}"
        )


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
    nested = {field.name for field in schema if field.name in others and str(field.type).startswith(NESTED)}
    label, notes = label_column([name for name in others if name not in nested], others)
    if "split" in lower:
        notes += (f"the column {lower['split']} plays no part: the names of files and folders say the split",)
    return Columns(picture, label, class_names(schema.metadata, label), notes)


NESTED = ("struct", "list", "large_list", "fixed_size_list", "map", "binary", "large_binary", "fixed_size_binary")


def holds_bytes(kind) -> bool:
    """Whether a column's type is that of pictures: bytes, or a record with bytes."""
    text = str(kind)
    return text.startswith(("binary", "large_binary")) or (text.startswith("struct") and "bytes: binary" in text)


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


def class_names(metadata: dict[bytes, bytes] | None, label: str | None) -> tuple[str, ...]:
    """The names of the classes where Hugging Face's description of a label column has them."""
    try:
        features = json.loads((metadata or {}).get(b"huggingface", b"{}"))["info"]["features"]
        return tuple(map(str, features[label]["names"]))
    except (ValueError, KeyError, TypeError, RecursionError):
        return ()


# --- cells ------------------------------------------------------------------------------------------------------------


def plain_label(label: object) -> object:
    """A label as a whole number, a text or None: 3.0 is 3, and not-a-number is none, as tables with gaps store them."""
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
    with decode.without_warnings():
        result = decode.try_decode(data, size)
    return decode.reason(result).rstrip(".") if isinstance(result, Exception) else result


# --- rows -------------------------------------------------------------------------------------------------------------


def from_rows(rows: list, names: tuple[str, ...], path: Path, notes: tuple[str, ...], cifar10: bool = False) -> Arrays:
    """Splits, classes and labels of the rows of parquet files: (picture, label, split)."""
    if fractions := [label for _, label, _ in rows if isinstance(label, float)]:
        rows = [(picture, "", which) for picture, _, which in rows]
        notes += (f"the labels are fractions, as {fractions[0]:g}, and no classes: all pictures count as one class",)
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
        notes += (f"left out {len(other)} picture(s) of other splits than {listed(filter(None, wanted))}",)
    if unlabelled:
        whose = listed(row[2] or "the file" for row in unlabelled)
        notes += (f"left out {len(unlabelled)} picture(s) of {whose} whose label is -1",)
    if len(kept) < 2:
        raise ValueError(f"{path}: {len(kept)} labelled pictures are left, at least 2 are needed")
    in_test = np.array([which != "train" for _, _, which in kept]) if len(wanted) == 2 and tests else None
    if in_test is not None and (in_test.all() or not in_test.any()):
        in_test = None
        notes += ("no labelled test pictures are left, so every tenth picture of a class is used to test",)
    given = [label for _, label, _ in kept]
    if all(isinstance(label, str) for label in given):
        given, more = joined(given, [False] * len(given) if in_test is None else in_test.tolist())
        notes += more
    labels, classes = numbered(given, names, set_name(path), path, cifar10)
    if in_test is not None and (new := {*labels[in_test].tolist()} - {*labels[~in_test].tolist()}):
        untrained = listed(classes[number] for number in new)
        notes += (f"no training picture has the class {untrained} of the test pictures",)
    images, more = pixels_of([picture for picture, _, _ in kept])
    arrays = checked(split(images, labels, classes, in_test, any(picture.jpeg for picture, _, _ in kept)), path)
    arrays.notes = notes + more
    return arrays


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
