"""Images for the notebooks and for training: CIFAR-10 from wherever it is, the embedded `scenes`, your own folders.

    images = load_images("auto")
    images.train.images        # (50000, 3, 32, 32) uint8
    images.test.labels         # (10000,) int64

Where things are looked for, and the cache, are set by two environment variables: ``MP3_DATA`` (a path to data, or
``scenes``) and ``MP3_CACHE`` (a folder; by default the platform's cache folder of the user).
"""

import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from ..arguments import shown, truth, whole
from ..paths import expanded
from . import scenes
from .images import CIFAR10_CLASSES, CIFAR10_FINGERPRINT, Images, not_used
from .notes import Note
from .pictures import decode
from .readers import formats
from .sets.arrays import Arrays
from .sets.wanted import Wanted
from .sources import cache, download
from .sources.datasets import from_object, is_object
from .sources.from_paths import NAMES, from_pack, from_path
from .sources.making import from_cache, resized, to_cache, to_images
from .sources.pack import is_pack
from .streaming import Stream
from .tensors import hint

DRAWN = "drawn by mp3lib"  # the source of the embedded set


class DataUnavailable(RuntimeError):
    """CIFAR-10 is neither here, nor could it be downloaded; the message lists what was tried and what to do."""


def load_images(
    name_or_path: Any = "auto",
    size: int | tuple[int, int] | None = None,
    *,
    stream: bool | None = None,
    workers: int | None = None,
    unlabelled: bool = False,
    channels: int | None = None,
    value_range: tuple[float, float] | None = None,
) -> Images:
    """Load images and print one line, beginning with ``data:``, that says which and from where.

    ``name_or_path`` is

    - ``"cifar10"``: from ``$MP3_DATA`` if it is set, else the cache, else downloaded into it (lossless, 50,000 training
      and 10,000 test images); ``DataUnavailable`` when all of that fails;
    - ``"auto"``: the same, but ``scenes`` instead of the error;
    - ``"scenes"``: the procedural set that the library draws itself (10,000 and 2,000 images);
      ``cifar10`` and ``scenes`` are refused where a file or folder of that name is here: it is ``./scenes``;
    - a path: a folder or archive of pictures (``train/<class>/*`` and ``test/<class>/*``; or ``<class>/*`` or all in
      one place, of which every tenth picture then becomes the test set), the official CIFAR-10 or CIFAR-100 as
      folder or archive, Hugging Face parquet files, the idx files of MNIST,
      the tars of WebDataset, or a folder of arrays (``.npy``), one a picture, in the same folders as pictures;
    - a file that ``pack_images`` has made, which is opened at once: its pixels are read from the disk when they are
      used, and processes share them;
    - a ``datasets.Dataset`` or another map-style data set, whose elements are pictures or begin with one (a Pillow
      image, uint8 (c, H, W), the bytes of a file); its labels are ``targets``, or the label column. The keys of a
      dict of several name the splits: ``train``, ``test`` and others;
    - a uint8 tensor or NumPy array (N, c, H, W), memory-mapped or not, without labels: its last tenth is the test set,
      and all its images have the label 0, of the one class ``images``.

    Of several splits for tests one is used, the first that has labels: ``test``, else ``val``, else a name such as
    ``eval``, ``dev`` or ``holdout``. The others are left out, and a note says so; ``docs/DATA.md`` has all names.

    Pictures of another size than ``size``, a side or (height, width) in pixels, are cropped about the centre and
    resized. Default: 32; packed images, tensors and arrays keep their own.
    ``stream=True`` leaves pictures on disk, ``stream=False`` takes them into memory. Otherwise a set is streamed if it
    would take more than half of the free memory, which is found out before any is taken. ``split.images`` is then a
    ``Stream``: worker processes (``workers``; default: one a core, at most 8) read the pictures when they are needed,
    and training crops them at random from the whole picture. Folders and tars without compression can be streamed.

    ``unlabelled=True`` adds the pictures without labels to the training set, behind those with labels, as pretraining
    wants them: pictures in folders such as ``unlabeled``, and beside the folders of classes. Their label is -1. Test
    pictures without labels are left out.

    ``channels``, 1 to 16, is for arrays: each ``.npy`` is (H, W, c) or (c, H, W) with 3 channels unless ``channels``
    says otherwise, or (H, W) with one. Values are uint8; or uint16 and floats, for which ``value_range`` is the pair
    of values that become 0 and 255. Those outside become 0 and 255 as well. Pictures of more than 8 bits take a
    ``value_range``, too; without one it follows from the values of all of them, or they are left out of a data set.
    ``images.value_range`` is what was used. A model that was trained on such images wants the same:
    ``value_range=model.value_range``. Where nothing has more than 8 bits, a note says that it is not used.

    Images are uint8 ``(N, c, H, W)``, c = 3 unless it is said otherwise, labels int64 ``(N,)``, numbered in the order
    of ``classes``. What looks like CIFAR-10 but has other pixels, and pictures with the compression grid of JPEG in
    place, come with a warning.
    Raises ``ValueError`` for a path without images, and for images that do not fit into memory and cannot be streamed.
    """
    unlabelled = truth("unlabelled", unlabelled)
    return _load(name_or_path, size, False, stream, workers, unlabelled, channels, value_range)


def fetch_cifar10() -> Images:
    """Like ``load_images("cifar10")``, but try the network even if it failed a moment ago."""
    images = _load("cifar10", 32, retry=True)
    if (chosen := os.environ.get("MP3_DATA")) and chosen not in ("auto", "cifar10"):
        print(f"nothing was downloaded, because MP3_DATA is set to {chosen}: unset it to download CIFAR-10", flush=True)
    return images


def _load(
    name_or_path, size, retry: bool, stream=None, workers=None, unlabelled=False, channels=None, value_range=None
) -> Images:
    height, width = decode.as_size(32 if size is None else size)
    if stream is not None:
        truth("stream", stream)
    if workers is not None:
        whole("workers", workers, 0, 1024)
    wanted = Wanted((height, width), stream, workers, unlabelled).of_arrays(channels, value_range)
    if is_object(name_or_path):
        if isinstance(name_or_path, (Tensor, np.ndarray)):
            _refuse_stream("a tensor or an array", wanted)
            if value_range is not None:
                raise ValueError(f"value_range is for pictures, got {shown(name_or_path)}, which holds uint8")
        if channels is None:
            wanted = wanted._replace(channels=None)
        images, where = from_object(name_or_path, wanted, size is not None)
        for note in images.notes:
            warnings.warn(f"{images.name}: {note}", Note, stacklevel=3)
        return _told(images, where)
    if not isinstance(name_or_path, (str, os.PathLike)) or not isinstance(os.fspath(name_or_path), str):
        raise ValueError(
            "load_images takes auto, cifar10, scenes, a path, a map-style data set of pictures, or a uint8 tensor or "
            f"array (N, c, H, W), got {shown(name_or_path)}{hint(name_or_path)}"
        )
    place = name_or_path
    if not os.fspath(place).strip():
        raise ValueError("the name or path of the images is empty: give auto, cifar10, scenes or a path")
    if name_or_path in ("auto", "cifar10") and (chosen := os.environ.get("MP3_DATA")):
        place = chosen
    elif name_or_path in ("cifar10", "scenes") and os.path.exists(name_or_path) and not retry:
        raise ValueError(
            f"{name_or_path!r} is a name of images, and also a file or folder here: write "
            f"{os.path.join('.', name_or_path)} for what is here, or set MP3_DATA={name_or_path} and write auto for "
            "the other"
        )
    try:
        if place in NAMES:
            _refuse_stream(place, wanted)
            formats.check_channels(place, wanted)
            images, where = _scenes() if place == "scenes" else _cifar10(place == "auto", retry)
            for note in not_used(wanted.value_range, None):
                warnings.warn(f"{images.name}: {note}", Note, stacklevel=3)
        else:
            images, where, (height, width) = _at_path(place, wanted, size is not None, channels)
        if images.train.images.shape[2:] != (height, width):  # sets that are 32 x 32 pixels by nature
            images, where = resized(images, wanted), f"{where}, resized to {height} x {width} pixels"
    except ValueError as error:
        if place is name_or_path:
            raise
        raise ValueError(f"MP3_DATA is {place!r}{_slip(place)}: {error}") from None
    if workers and not isinstance(images.train.images, Stream):
        text = f"workers={workers} (--workers) changes nothing, because the set is not streamed"
        warnings.warn(f"{images.name}: {text}", Note, stacklevel=3)
    return _told(images, where)


def _at_path(place: Any, wanted: Wanted, size_given: bool, channels: Any) -> tuple[Images, str, tuple[int, int]]:
    """The images at a path or in a pack, where they are, in words, and the size that they should have."""
    path = expanded(place)
    if not is_pack(path):
        return *from_path(path, wanted), wanted.size
    _refuse_stream(f"the pack {path}", wanted)
    images, where = from_pack(path, wanted._replace(size=wanted.size if size_given else None, channels=channels))
    return images, where, tuple(images.train.images.shape[2:])


def _slip(place: str) -> str:
    """What is wrong with the value of a variable that was meant to be a name or a path; empty where nothing is."""
    bare = place.strip().strip("\"'")
    if bare.lower() in NAMES:
        return f" (write {bare.lower()})"
    return " (write it without quotation marks)" if bare != place.strip() else ""


def _refuse_stream(what: str, wanted: Wanted) -> None:
    if wanted.stream:
        raise ValueError(
            f"{what} cannot be streamed: leave stream=True (--stream) out. Folders of pictures, tars without "
            "compression and map-style data sets can be streamed"
        )


def _told(images: Images, where: str) -> Images:
    """The same images, of which a line says which they are, and where."""
    cifar10 = images.name == "cifar10" and images.classes == CIFAR10_CLASSES
    title = "CIFAR-10" if cifar10 else images.name
    known = ", lossless" if images.fingerprint == CIFAR10_FINGERPRINT else ""
    classes = "" if cifar10 or images.source == DRAWN else f" in {_classes_in_words(images.classes)}"
    print(f"data: {title}, {len(images.train):,} + {len(images.test):,} images{known}{classes}, {where}", flush=True)
    return images


def _classes_in_words(classes: tuple[str, ...]) -> str:
    """The number of classes and the first names, for the line about the data."""
    shown = ", ".join(classes[:5]) + (", …" if len(classes) > 5 else "")
    return f"{len(classes)} class{'es' * (len(classes) != 1)} ({shown})"


def _scenes() -> tuple[Images, str]:
    (train, train_labels), (test, test_labels) = scenes.make_scenes()
    arrays = Arrays(train, train_labels, test, test_labels, scenes.CLASSES)
    return to_images(arrays, DRAWN, "scenes", search=False), DRAWN


def _cifar10(or_scenes: bool, retry: bool) -> tuple[Images, str]:
    file = cache.folder() / "cifar10.safetensors"
    found = from_cache(file, CIFAR10_FINGERPRINT)
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
            unsaved = to_cache(images, file, CIFAR10_FINGERPRINT)
            cache.forget_failure()
            damaged = "" if found == "empty" else f" (the copy there was {found})"
            return images, f"from {link.name}, " + (unsaved or f"now in {cache.short(file)}") + damaged
        cache.remember_failure(tried[1:])
    if or_scenes:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in tried[1:])
        images, where = _scenes()
        return images, f"{where}, because CIFAR-10 could not be downloaded{when}: {reasons}"
    listed = "\n".join(f"  - {name}: {reason}" for name, reason in tried)
    raise DataUnavailable(
        f"CIFAR-10 could not be downloaded. Tried{when}:\n{listed}\n"
        f"What to do: get {download.OFFICIAL_URL} by any means and set MP3_DATA to where it is; or set "
        'MP3_DATA=scenes, or call load_images("auto"), for the embedded images; or try again with '
        "python -m mp3lib data fetch"
    )


def _download(link: download.Link) -> Images:
    with download.temporary_folder(cache.folder()) as folder:
        images = to_images(formats.read(download.fetch(link, Path(folder))), link.name, "cifar10")
    if images.fingerprint != CIFAR10_FINGERPRINT:
        raise download.LinkFailed(f"other pixels than CIFAR-10's (fingerprint {images.fingerprint})")
    return images
