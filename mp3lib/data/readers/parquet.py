"""Parquet files, as Hugging Face stores data sets: a column of pictures, and mostly one of labels."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from ..files.entries import check_ratio, instead_of, read_bytes
from ..folders.shards import check_one_set, joined_folders, missing_shards, splits_of
from ..pictures import decode
from ..pictures.contents import picture_of
from ..sets.arrays import Arrays
from ..sets.columns import Columns, columns, plain_label
from ..sets.labelled_rows import from_rows
from ..sets.picture_reading import Decoded, threads
from ..sets.rows import Rows
from ..sets.wanted import Wanted

ROWS = 32  # read at a time, and fewer where they are large
BYTES = 64_000_000  # of pictures that are read at a time
BUFFER = 1 << 16  # bytes of a column that pyarrow reads from the file at a time; otherwise a whole row group


def is_parquet(path: Path) -> bool:
    return read_bytes(path, 4) == b"PAR1"


def parquet_module(file: Path):
    try:
        import pyarrow.parquet
    except ImportError:
        raise ImportError(f"reading {file} needs pyarrow: pip install pyarrow") from None
    return pyarrow.parquet


def rows_of(files: Sequence[Path]) -> int:
    rows = 0
    for file in files:
        with opened_parquet(file) as opened:
            rows += opened.metadata.num_rows
    return rows


def opened_parquet(file: Path):
    """pyarrow's ``ParquetFile``, for a ``with``: a set may have more files than a process may have open at once."""
    module = parquet_module(file)
    try:
        return module.ParquetFile(file, pre_buffer=False, buffer_size=BUFFER)  # pre_buffer reads the whole file ahead
    except Exception as error:  # pyarrow's errors have several bases
        raise ValueError(unreadable(file, error)) from None


def unreadable(file: Path, error: Exception) -> str:
    if other := instead_of(read_bytes(file, 512)):
        return f"{file} is {other}"
    return f"{file} cannot be read as parquet ({' '.join(str(error).split())[:150]})"


def from_parquet(files: Sequence[Path], path: Path, wanted: Wanted) -> Arrays:
    """The pictures and labels of parquet files; their folders and names say the split."""
    expected = rows_of(files)
    wanted.streams(expected, path, possible=False)
    insides = {file: file.relative_to(path).as_posix() if path.is_dir() else file.name for file in files}
    check_one_set([*insides.values()], path)
    splits = splits_of([*insides.values()], path)
    rows: list[tuple[int, object, str | None]] = []  # number of the picture, label (None: there is none), split
    pictures = Rows(expected, wanted)
    read = 0  # rows so far
    left_out: list[tuple[str, str]] = []
    described: dict[Path, Columns] = {}
    without: list[str] = []  # files without rows
    for file in files:
        with opened_parquet(file) as opened:
            described[file] = columns(opened, file)
            without += [] if opened.metadata.num_rows else [insides[file]]
    some_labels = any(about.label for about in described.values())
    named = {about.names for about in described.values()}
    names = named.pop() if len(named) == 1 else ()  # else each file's labels are named by its own
    with decode.without_warnings(), threads() as pool:
        for file, about in described.items():
            inside = insides[file]
            which = splits[inside]
            number = 0
            for values, labels in cells_of(file, about, some_labels):
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
                    number, read = number + 1, read + 1

    def again(numbers: Sequence[int], put: Callable[[int, np.ndarray], None]) -> None:
        """Read these rows of pictures of more than 8 bits once more."""
        first, wanted_rows = 0, {*numbers}
        for file, about in described.items():
            for values, _ in cells_of(file, about, some_labels):
                for number, value in enumerate(values, first):
                    if number in wanted_rows:
                        put(number, decoded_value(value, wanted.size).deep)
                first += len(values)

    notes = tuple(dict.fromkeys(note for about in described.values() for note in about.notes))
    if rows and all(label is None for _, label, _ in rows):
        notes += ("no row has a label: all pictures count as one class",)
    rows = [(number, -1 if label is None else label, which) for number, label, which in rows]
    if without:
        notes += (f"{len(without)} file(s) hold no rows, as {without[0]}",)
    notes += joined_folders([*insides.values()])
    notes += missing_shards([*insides.values()]) + row_note(left_out)
    if len(rows) < 2:
        raise ValueError(f"{path} holds {len(rows)} readable pictures, at least 2 are needed. {'. '.join(notes)}")
    read_rows = Decoded(pictures, [], again)
    return from_rows(rows, read_rows, names, path, notes, wanted.unlabelled, splits.values())


def cells_of(file: Path, about: Columns, some_labels: bool) -> Iterator[tuple[list, list]]:
    """The pictures and the labels of some rows at a time. Where other files have labels, a row of this one has none."""
    wanted = [*filter(None, about[:2])]
    with opened_parquet(file) as opened:
        try:
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


def decoded_value(value: object, size: tuple[int, int]) -> decode.Picture | str:
    """The picture of a cell, or why there is none: bytes, or a record that holds them under ``bytes``."""
    data = value.get("bytes") if isinstance(value, dict) else value
    if data is None:
        path = value.get("path") if isinstance(value, dict) else None
        return f"only the path {path}, no picture" if path else "no picture"
    if not isinstance(data, bytes):
        return f"{type(data).__name__} instead of the bytes of a picture"
    return picture_of(data, size)
