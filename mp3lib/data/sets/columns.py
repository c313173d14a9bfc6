"""Which column of a table holds the pictures, which one the labels, and what the labels mean."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ..files.entries import printable
from ..notes import listed

PICTURES = ("img", "image", "picture", "pixels")  # names of the column of pictures, the first one that is there
LABELS = (  # names of a column of labels; the first two count whatever others are there
    "label", "labels", "fine_label", "fine_labels", "class", "classes", "category", "categories", "target", "targets",
    "y", "class_id", "class_name", "class_label", "label_id", "label_name", "category_id", "category_name", "cls",
)  # fmt: skip
COARSE = ("coarse_label", "coarse_labels", "superclass")
NESTED = ("struct", "list", "large_list", "fixed_size_list", "map", "binary", "large_binary", "fixed_size_binary")


class Columns(NamedTuple):
    """What ``columns`` found: the names of the columns, those of the classes, and notes."""

    picture: str
    label: str | None  # None: there are no labels
    names: tuple[str, ...]
    notes: tuple[str, ...]


def columns(opened, file: Path) -> Columns:
    """The columns of a parquet file: of the pictures and of the labels; and what the reader should know.

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
    return beside(schema, picture)


def beside(schema, picture: str) -> Columns:
    """The column of the labels, the names of the classes, and what the reader should know.

    Args:
        schema: pyarrow's, of a table.
        picture: the column of the pictures.
    """
    lower = {name.lower(): name for name in schema.names}
    others = [name for name in schema.names if name != picture]
    more = [field.name for field in schema if field.name in others and holds_bytes(field.type)]
    nested = {field.name for field in schema if field.name in others and str(field.type).startswith(NESTED)}
    label, notes = label_column([name for name in others if name not in nested], others)
    if label is None and (odd := [name for name in others if name in nested and name.lower() in LABELS]):
        kind = schema.field(odd[0]).type
        words = "and a label is one whole number or text: all pictures count as one class"
        notes = (f"the column {odd[0]} holds {kind}, {words}",)
    typed = [name for name in others if name.lower() != "split" and class_names(schema.metadata, name)[0]]
    if label is None and len(typed) == 1:
        label, notes = typed[0], (f"the labels are those of the column {typed[0]}, whose type names classes",)
    if more:
        notes += (f"the pictures are those of the column {picture}, not of {listed(more)}",)
    if "split" in lower:
        notes += (f"the column {lower['split']} plays no part: files, folders or the keys of a dict name the split",)
    names, odd = class_names(schema.metadata, label)
    if odd:
        notes += (f"the names of the classes in the description of the column {label} are not used: {odd}",)
    return Columns(picture, label, names, notes)


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
        return (), "they are not a list of texts"
    if len({*names}) < len(names):
        return (), "some are equal"
    return tuple(map(printable, names)), ""


def plain_label(label: object) -> object:
    """A label as a whole number, a text or None: 3.0 is 3, and not-a-number is none, as tables with gaps store them.

    An empty text is none, either. The text -1 is the number, which says that there is no label. A number of NumPy or
    PyTorch becomes one of Python.
    """
    if getattr(label, "ndim", None) == 0:
        label = label.item()
    if isinstance(label, str):
        if label.strip() == "-1":
            return -1
        return printable(label) if label.strip() else None
    if isinstance(label, float):
        return None if math.isnan(label) else int(label) if label.is_integer() else label
    return label
