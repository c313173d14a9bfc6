"""Images for the notebooks and for training: CIFAR-10 from wherever it is, the embedded `scenes`, your own folders.

    images = load_images("auto")
    images.train.images        # (50000, 3, 32, 32) uint8
    images.test.labels         # (10000,) int64

Where things are looked for, and the cache, are set by two environment variables: ``MP3_DATA`` (a path to data, or
``scenes``) and ``MP3_CACHE`` (a folder; by default the platform's cache folder of the user).
"""

import hashlib
import json
import os
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import PIL
import torch
from torch import Tensor

from ..arguments import shown, truth, whole
from ..paths import expanded
from . import cache, decode, download, formats, scenes
from .arrays import Arrays, set_name
from .cifar10 import CIFAR10_CLASSES
from .entries import readable
from .fingerprints import CIFAR10_FINGERPRINT, digest, fingerprint
from .images import Images, Split
from .jpeg_grid import jpeg_grid
from .notes import Note
from .streaming import Stream
from .unread import ACCEPTED
from .wanted import Wanted

_JPEG = (
    "these pixels look as if they went through JPEG at this size, and position prediction learns the place in its "
    "8 x 8 compression grid instead of the picture, so results on them say nothing about lossless images"
)
READER = 5  # the version of the reader: sets that an older one decoded are decoded again
CACHE_LIMIT = 1 << 30  # bytes; larger sets of the reader's own are decoded anew each time


class DataUnavailable(RuntimeError):
    """CIFAR-10 is neither here nor to be had; the message lists what was tried and what to do."""


def load_images(
    name_or_path: str | os.PathLike = "auto",
    size: int | tuple[int, int] = 32,
    *,
    stream: bool | None = None,
    workers: int | None = None,
) -> Images:
    """Load images and print one line, beginning with ``data:``, that says which and from where.

    ``name_or_path`` is

    - ``"cifar10"``: from ``$MP3_DATA`` if it is set, else the cache, else downloaded into it (lossless, 50,000 training
      and 10,000 test images); ``DataUnavailable`` when all of that fails;
    - ``"auto"``: the same, but ``scenes`` instead of the error;
    - ``"scenes"``: the procedural set that the library draws itself (10,000 and 2,000 images);
    - a path: a folder or archive of pictures (``train/<class>/*`` and ``test/<class>/*``; or ``<class>/*`` or all in
      one place, of which every tenth picture then becomes the test set), the official CIFAR-10 folder or archive, or
      Hugging Face parquet files.

    Pictures of another size than ``size``, a side or (height, width) in pixels, are cropped about the centre and
    resized.
    ``stream=True`` leaves pictures on disk, ``stream=False`` takes them into memory. Otherwise a set is streamed if it
    would take more than half of the free memory, which is found out before any is taken. ``split.images`` is then a
    ``Stream``: worker processes (``workers``; default: one a core, at most 8) read the pictures when they are needed,
    and training crops them at random from the whole picture. Folders and tars without compression can be streamed.

    Images are uint8 ``(N, 3, H, W)``, labels int64 ``(N,)``, numbered in the order of ``classes``. What looks like
    CIFAR-10 but has other pixels, and pictures with the compression grid of JPEG in place, come with a warning.
    Raises ``ValueError`` for a path without images, and for images that do not fit into memory and cannot be streamed.
    """
    return _load(name_or_path, size, False, stream, workers)


def fetch_cifar10() -> Images:
    """Like ``load_images("cifar10")``, but try the network even if it failed a moment ago."""
    return _load("cifar10", 32, retry=True)


def _load(name_or_path, size, retry: bool, stream: bool | None = None, workers: int | None = None) -> Images:
    height, width = decode.as_size(size)
    if stream is not None:
        truth("stream", stream)
    if workers is not None:
        whole("workers", workers, 0, 1024)
    wanted = Wanted((height, width), stream, workers)
    if not isinstance(name_or_path, (str, os.PathLike)) or not isinstance(os.fspath(name_or_path), str):
        raise ValueError(f"images are named by auto, cifar10, scenes or a path, got {shown(name_or_path)}")
    place = name_or_path
    if not os.fspath(place).strip():
        raise ValueError("the name or path of the images is empty: give auto, cifar10, scenes or a path")
    if name_or_path in ("auto", "cifar10"):
        place = os.environ.get("MP3_DATA") or name_or_path
    if place in ("auto", "cifar10", "scenes"):
        images, where = _scenes() if place == "scenes" else _cifar10(place == "auto", retry)
    else:
        try:
            path = expanded(place)
        except ValueError as error:
            raise ValueError(f"MP3_DATA is {place!r}: {error}" if place is not name_or_path else str(error)) from None
        images, where = _from_path(path, wanted)
    if images.train.images.shape[2:] != (height, width):  # sets that are 32 x 32 pixels by nature
        images, where = _resized(images, wanted), f"{where}, resized to {height} x {width} pixels"
    title = {"cifar10": "CIFAR-10"}.get(images.name, images.name)
    known = ", lossless" if images.fingerprint == CIFAR10_FINGERPRINT else ""
    classes = "" if images.name in ("cifar10", "scenes") else f" in {_classes_in_words(images.classes)}"
    print(f"data: {title}, {len(images.train):,} + {len(images.test):,} images{known}{classes}, {where}", flush=True)
    return images


def _classes_in_words(classes: tuple[str, ...]) -> str:
    """The number of classes and the first names, for the line about the data."""
    shown = ", ".join(classes[:5]) + (", …" if len(classes) > 5 else "")
    return f"{len(classes)} class{'es' * (len(classes) != 1)} ({shown})"


def _scenes() -> tuple[Images, str]:
    (train, train_labels), (test, test_labels) = scenes.make_scenes()
    arrays = Arrays(train, train_labels, test, test_labels, scenes.CLASSES)
    return _to_images(arrays, "drawn by mp3lib", "scenes"), "drawn by mp3lib"


def _cifar10(or_scenes: bool, retry: bool) -> tuple[Images, str]:
    file = cache.folder() / "cifar10.safetensors"
    found = _from_cache(file, CIFAR10_FINGERPRINT)
    if isinstance(found, Images):
        return found, f"from {cache.short(file)}"
    tried = [(f"cache {cache.short(file)}", found)]
    when = ""
    if not retry and (recent := cache.recent_failure()) is not None:
        when = f" {recent[0]} min ago (python -m mp3lib data fetch tries again now)"
        tried += recent[1]
    else:
        for link in download.chain():
            try:
                images = _download(link)
            except (download.LinkFailed, ValueError) as error:
                tried.append((link.name, " ".join(str(error).split())))
                continue
            unsaved = _to_cache(images, file, CIFAR10_FINGERPRINT)
            cache.forget_failure()
            damaged = "" if found == "empty" else f" (the copy there was {found})"
            return images, f"from {link.name}, " + (unsaved or f"now in {cache.short(file)}") + damaged
        cache.remember_failure(tried[1:])
    if or_scenes:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in tried[1:])
        images, where = _scenes()
        return images, f"{where}, because CIFAR-10 could not be had{when}: {reasons}"
    listed = "\n".join(f"  - {name}: {reason}" for name, reason in tried)
    raise DataUnavailable(
        f"CIFAR-10 could not be had. Tried{when}:\n{listed}\n"
        f"What to do: get {download.OFFICIAL_URL} by any means and set MP3_DATA to where it is; or set "
        'MP3_DATA=scenes, or call load_images("auto"), for the embedded images; or try again with '
        "python -m mp3lib data fetch"
    )


def _resized(images: Images, wanted: Wanted) -> Images:
    wanted.streams(len(images.train) + len(images.test), Path(images.name), possible=False)
    train, test = (Split(_fitted(split.images, wanted.size), split.labels) for split in (images.train, images.test))
    return replace(images, train=train, test=test, fingerprint=fingerprint(train, test))


def _fitted(images: Tensor, size: tuple[int, int]) -> Tensor:
    """Images (N, 3, H, W) at another size, one after the other."""
    resized = torch.empty((len(images), images.shape[1], *size), dtype=torch.uint8)
    for row, image in zip(resized, images, strict=True):
        row.copy_(decode.fit_pixels(image, size))
    return resized


def _download(link: download.Link) -> Images:
    with download.temporary_folder(cache.folder()) as folder:
        images = _to_images(formats.read(download.fetch(link, Path(folder))), link.name, "cifar10")
    if images.fingerprint != CIFAR10_FINGERPRINT:
        raise download.LinkFailed(f"other pixels than CIFAR-10's (fingerprint {images.fingerprint})")
    return images


def _from_path(path: Path, wanted: Wanted) -> tuple[Images, str]:
    path = path.absolute()  # not resolved: a link into the Hub's cache has the name that counts
    shown_path = readable(os.fspath(path))
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        names = "neither a name (auto, cifar10, scenes) nor a path to something"
        raise ValueError(f"{shown_path} is {names}. Accepted: {ACCEPTED}") from None
    except (OSError, ValueError) as error:  # a name that is too long, a loop of links, a folder that is closed
        reason = getattr(error, "strerror", None) or error
        raise ValueError(f"{shown(shown_path)} cannot be opened ({reason}). Accepted: {ACCEPTED}") from None
    key = cache.state(path, wanted.size, READER, decode.formats(), PIL.__version__)
    place = hashlib.sha256(os.fsencode(path) + repr(wanted.size).encode()).hexdigest()[:12]
    file = cache.folder() / f"images-{place}.safetensors"
    images = _from_cache(file, key) if not wanted.stream else "not asked for"
    if not isinstance(images, Images):
        arrays = formats.read(path, wanted)
        like_cifar10 = arrays.classes == CIFAR10_CLASSES and arrays.train_images.shape[1:] == (3, 32, 32)
        name = "cifar10" if like_cifar10 else set_name(path)
        images = _to_images(arrays, shown_path, name)
        if isinstance(images.train.images, Tensor) and images.train.images.nbytes < CACHE_LIMIT:
            _to_cache(images, file, key)
    for note in images.notes:
        warnings.warn(f"{shown_path}: {note}", Note, stacklevel=4)
    return images, f"from {cache.short(path)}, {_place_in_words(images)}"


def _place_in_words(images: Images) -> str:
    """Where the pixels are, and what they take."""
    takes = sum(split.images.shape.numel() for split in (images.train, images.test))
    size = f"{takes / 1e9:,.1f} GB" if takes >= 1e9 else f"{takes / 1e6:,.1f} MB"
    stream = images.train.images
    if isinstance(stream, Stream):
        workers = f"{stream.workers} worker{'s' * (stream.workers != 1)}" if stream.workers else "the process itself"
        return f"streamed by {workers} ({size} if they were in memory)"
    return f"in memory ({size})"


def _to_images(arrays: Arrays, source: str, name: str) -> Images:
    train, test = (
        Split(images if isinstance(images, Stream) else torch.from_numpy(images), torch.from_numpy(labels))
        for images, labels in (
            (arrays.train_images, arrays.train_labels),
            (arrays.test_images, arrays.test_labels),
        )
    )
    notes = tuple(arrays.notes)
    if isinstance(train.images, Stream):
        if arrays.jpeg:
            notes += (_JPEG,)
        return Images(train, test, arrays.classes, source, arrays.fingerprint, name, notes)
    digits = fingerprint(train, test)
    if digits != CIFAR10_FINGERPRINT and name != "scenes":
        notes += repeated(train, test, arrays.classes)
    if digits != CIFAR10_FINGERPRINT and name != "scenes":
        if arrays.jpeg or jpeg_grid(arrays.train_images) > 1.04:
            notes += (("this is not the lossless CIFAR-10: " if name == "cifar10" else "") + _JPEG,)
        elif name == "cifar10":
            notes += ("this is not the whole lossless CIFAR-10: results on it cannot be compared with others",)
    return Images(train, test, arrays.classes, source, digits, name, notes)


def repeated(train: Split, test: Split, classes: tuple[str, ...]) -> tuple[str, ...]:
    """Notes where one picture in a hundred, or more, is there again, pixel by pixel: to test, or in another class."""
    first: dict[bytes, int] = {}  # the class of each picture of the training set
    conflicts: list[tuple[int, int]] = []
    for picture, label in zip(np.ascontiguousarray(train.images.numpy()), train.labels.tolist(), strict=True):
        if (known := first.setdefault(digest(picture), label)) != label:
            conflicts.append((known, label))
    again = [digest(picture) in first for picture in np.ascontiguousarray(test.images.numpy())]
    notes: tuple[str, ...] = ()
    if any(again) and 100 * sum(again) >= len(test):
        which = f"all {len(test):,}" if all(again) else f"{sum(again):,} of {len(test):,}"
        notes += (
            f"{which} test pictures are in the training set as well, pixel by pixel: results on them say little about "
            "pictures that were not trained on",
        )
    if conflicts and 100 * len(conflicts) >= len(train):
        one, other = (classes[label] for label in min(conflicts))
        notes += (
            f"{len(conflicts):,} training picture(s) are there again in another class, pixel by pixel, as in {one} and "
            f"{other}: remove one of them",
        )
    return notes


def _from_cache(file: Path, key: str | None = None) -> Images | str:
    found = cache.read(file, key)
    if isinstance(found, str):
        return found
    tensors, about = found
    try:
        train, test = (Split(tensors[f"{part}_images"], tensors[f"{part}_labels"]) for part in ("train", "test"))
        classes, notes = (tuple(map(str, json.loads(about[name]))) for name in ("classes", "notes"))
        images = Images(train, test, classes, about["source"], about["fingerprint"], about["name"], notes)
    except (KeyError, ValueError, TypeError, RecursionError):
        return "damaged"
    return images if all(_is_whole(split, len(classes)) for split in (train, test)) else "damaged"


def _is_whole(split: Split, classes: int) -> bool:
    """Whether a split from the cache is what ``Split`` says, with a class for each label."""
    images, labels = split.images, split.labels
    return (
        images.dtype == torch.uint8
        and images.ndim == 4
        and images.shape[1] == 3
        and labels.dtype == torch.int64
        and labels.shape == images.shape[:1]
        and (not len(labels) or (int(labels.min()) >= 0 and int(labels.max()) < classes))
    )


def _to_cache(images: Images, file: Path, key: str) -> str:
    tensors = {"train_images": images.train.images, "train_labels": images.train.labels}
    tensors |= {"test_images": images.test.images, "test_labels": images.test.labels}
    about = {"classes": json.dumps(images.classes), "notes": json.dumps(images.notes)}
    about |= {"source": images.source, "fingerprint": images.fingerprint, "name": images.name}
    return cache.write(file, key, tensors, about)


def cache_status() -> str:
    """What is in the cache and where ``load_images("cifar10")`` would look, as text. Touches no network."""
    place = os.environ.get("MP3_DATA") or "not set"
    if place not in ("auto", "cifar10", "scenes", "not set"):
        try:
            place = cache.short(expanded(place))
        except ValueError as error:
            place = f"{place!r}, which cannot be used: {error}"
    lines = [f"MP3_DATA  {place}", f"cache     {cache.short(cache.folder())}"]
    for file in cache.sets():
        found = _from_cache(file)
        if isinstance(found, Images):
            known = ", lossless CIFAR-10" if found.fingerprint == CIFAR10_FINGERPRINT else ""
            about = f"{len(found.train):,} + {len(found.test):,} images{known}, from {found.source}"
            lines.append(f"  {file.name}  {file.stat().st_size / 1e6:.0f} MB, {about}, fingerprint {found.fingerprint}")
        else:
            lines.append(f"  {file.name}  {found}")
    lines += [f"  {file.name}  not written by mp3lib, or damaged: clear leaves it" for file in cache.others()]
    for path in cache.parts():
        held = "in the making by a process that runs" if cache.is_held(path) else "left over from a killed process"
        lines.append(f"  {path.name}  {held}")
    if not os.environ.get("MP3_DATA") and not os.path.exists(cache.folder() / "cifar10.safetensors"):
        lines.append('  no CIFAR-10: load_images("cifar10") would download it (139 to 170 MB)')
    if (recent := cache.recent_failure()) is not None:
        lines.append(f"  the download failed {recent[0]} min ago; python -m mp3lib data fetch tries again at once")
    return "\n".join(lines)


def clear_cache() -> str:
    """Remove what this library put into the cache, and nothing else; returns what was removed and what not, as text.

    What another process that runs is making, such as a download, stays.
    """
    lines = []
    for path in [*cache.sets(), *cache.failures(), *cache.parts()]:
        if path in cache.parts() and cache.is_held(path):
            lines.append(f"left {cache.short(path)}: a process that runs is making it")
        elif reason := cache.remove(path):
            lines.append(f"left {cache.short(path)}: {reason}")
        else:
            lines.append(f"removed {cache.short(path)}")
    lines += [f"left {cache.short(path)}: not written by mp3lib, or damaged" for path in cache.others()]
    return "\n".join(lines) or f"nothing in {cache.short(cache.folder())}"
