"""Images for the notebooks and for training: CIFAR-10 from wherever it is, the embedded `scenes`, your own folders.

    images = load_images("auto")
    images.train.images        # (50000, 3, 32, 32) uint8
    images.test.labels         # (10000,) int64

Where things are looked for, and the cache, are set by two environment variables: ``MP3_DATA`` (a path to data, or
``scenes``) and ``MP3_CACHE`` (a folder; by default the platform's cache folder of the user).
"""

import contextlib
import hashlib
import json
import os
import shutil
import time
import warnings
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from . import download, scenes, sources
from .augment import random_resized_crop, to_float
from .sources import CIFAR10_CLASSES

__all__ = [
    "CIFAR10_CLASSES",
    "CIFAR10_FINGERPRINT",
    "DataUnavailable",
    "Images",
    "Split",
    "clear",
    "fetch",
    "fingerprint",
    "load_images",
    "random_resized_crop",
    "status",
    "to_float",
]

CIFAR10_FINGERPRINT = "c55f42c974b53503aff2a9407ce49eec"  # of the lossless pixels, from whichever source
OFFLINE_SECONDS = 3600  # after a chain that failed, wait so long before trying the network again
CACHE_LIMIT = 1 << 30  # bytes; larger sets of the reader's own are decoded anew each time


class DataUnavailable(RuntimeError):
    """CIFAR-10 is neither here nor to be had; the message lists what was tried and what to do."""


@dataclass(frozen=True)
class Split:
    """``images`` (N, 3, H, W) uint8 and ``labels`` (N,) int64, on the CPU."""

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:
        return f"Split(images={tuple(self.images.shape)} uint8, labels={tuple(self.labels.shape)} int64)"


@dataclass(frozen=True)
class Images:
    """A data set: two splits, the names of the classes in the order of the labels, and where the pixels are from."""

    train: Split
    test: Split
    classes: tuple[str, ...]
    source: str  # where the pixels were first taken from
    fingerprint: str  # the same for the same set of images and labels, in whatever order they came
    name: str  # "cifar10", "scenes" or the name of the reader's folder


def load_images(name_or_path: str | os.PathLike = "auto", size: int | tuple[int, int] = 32) -> Images:
    """Load images and print one line, beginning with ``data:``, that says which and from where.

    ``name_or_path`` is

    - ``"cifar10"``: from ``$MP3_DATA`` if it is set, else the cache, else downloaded into it (lossless, 50,000 training
      and 10,000 test images); ``DataUnavailable`` when all of that fails;
    - ``"auto"``: the same, but ``scenes`` instead of the error;
    - ``"scenes"``: the procedural set that the library draws itself (10,000 and 2,000 images);
    - a path: a folder or archive of pictures (``train/<class>/*`` and ``test/<class>/*``; or ``<class>/*`` or all in one
      place, of which every tenth picture then becomes the test set), the official CIFAR-10 folder or archive, or
      Hugging Face parquet files. Pictures are cropped about the centre and resized to ``size``, a side or
      (height, width), in pixels.

    Images are uint8 ``(N, 3, H, W)``, labels int64 ``(N,)``, numbered in the order of ``classes``. Sets of the size and
    classes of CIFAR-10 with other pixels, JPEG copies above all, come with a warning. Raises ``ValueError`` for a path
    without images.
    """
    return _load(name_or_path, size, retry=False)


def fetch(name: str = "cifar10") -> Images:
    """Like ``load_images(name)``, but try the network even if it failed a moment ago."""
    return _load(name, 32, retry=True)


def _load(name_or_path, size, retry: bool) -> Images:
    height, width = (size, size) if isinstance(size, int) else size
    if height < 1 or width < 1:
        raise ValueError(f"size must be a positive side or (height, width) in pixels, got {size}")
    named = str(name_or_path) in ("auto", "cifar10", "scenes")
    place = name_or_path
    if named and name_or_path != "scenes":
        place = os.environ.get("MP3_DATA") or name_or_path
    if place in ("auto", "cifar10", "scenes"):
        if (height, width) != (32, 32):
            raise ValueError(f"size is for pictures in files, {place} has 32 x 32 pixels; got size {size}")
        images, where = _scenes() if place == "scenes" else _cifar10(place == "auto", retry)
    else:
        images, where = _from_path(Path(place).expanduser(), (height, width))
    title = {"cifar10": "CIFAR-10"}.get(images.name, images.name)
    known = ", lossless" if images.fingerprint == CIFAR10_FINGERPRINT else ""
    print(f"data: {title}, {len(images.train):,} + {len(images.test):,} images{known}, {where}", flush=True)
    return images


def _scenes() -> tuple[Images, str]:
    (train, train_labels), (test, test_labels) = scenes.make_scenes()
    arrays = sources.Arrays(train, train_labels, test, test_labels, scenes.CLASSES)
    return _to_images(arrays, "drawn by mp3lib", "scenes"), "drawn by mp3lib"


def _cifar10(or_scenes: bool, retry: bool) -> tuple[Images, str]:
    file = cache_folder() / "cifar10.safetensors"
    images, trouble = _read_cache(file, "cifar10")
    if images is not None:
        return images, f"from {_short(file)}"
    tried = [(f"cache {_short(file)}", trouble)]
    recent = None if retry else _recent_failure()
    if recent is None:
        for link in download.chain():
            try:
                images = _try_link(link)
            except (download.LinkFailed, ValueError) as error:
                tried.append((link.name, str(error)))
                continue
            unsaved = _write_cache(images, file, "cifar10")
            _forget_failure()
            damaged = f"; the cached copy was {trouble}" if trouble != "empty" else ""
            return images, f"from {link.name}, " + (unsaved or f"now in {_short(file)}") + damaged
        _remember_failure(tried[1:])
    else:
        minutes, links = recent
        tried += [(name, f"{reason} ({minutes} min ago, not tried again)") for name, reason in links]
    if or_scenes:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in tried)
        images, where = _scenes()
        return images, f"{where}, because CIFAR-10 could not be had ({reasons})"
    listed = "\n".join(f"  - {name}: {reason}" for name, reason in tried)
    raise DataUnavailable(
        f"CIFAR-10 could not be had. Tried:\n{listed}\n"
        f"What to do: get {download.OFFICIAL_URL} in any way and set MP3_DATA to where it is; or call "
        'load_images("auto") or set MP3_DATA=scenes for the embedded images; or try again with '
        "python -m mp3lib data fetch."
    )


def _try_link(link: download.Link) -> Images:
    with download.temporary_folder(cache_folder()) as folder:
        images = _to_images(sources.read(download.fetch(link, Path(folder))), link.name, "cifar10")
    if images.fingerprint != CIFAR10_FINGERPRINT:
        raise download.LinkFailed(f"other pixels than CIFAR-10's (fingerprint {images.fingerprint})")
    return images


def _from_path(path: Path, size: tuple[int, int]) -> tuple[Images, str]:
    if not path.exists():
        raise ValueError(
            f"{path} is neither a name (auto, cifar10, scenes) nor a path to something. Accepted: {sources.ACCEPTED}"
        )
    path = path.resolve()
    key = _state(path, size)
    file = cache_folder() / f"images-{hashlib.sha256(str(path).encode()).hexdigest()[:12]}.safetensors"
    images, _ = _read_cache(file, key)
    if images is None:
        arrays = sources.read(path, size)
        like_cifar10 = arrays.classes == CIFAR10_CLASSES and arrays.train_images.shape[1:] == (3, 32, 32)
        images = _to_images(arrays, str(path), "cifar10" if like_cifar10 else path.name.split(".")[0])
        if images.train.images.nbytes < CACHE_LIMIT:
            _write_cache(images, file, key)
    return images, f"from {_short(path)}"


def _to_images(arrays: sources.Arrays, source: str, name: str) -> Images:
    train = Split(torch.from_numpy(arrays.train_images), torch.from_numpy(arrays.train_labels))
    test = Split(torch.from_numpy(arrays.test_images), torch.from_numpy(arrays.test_labels))
    return Images(train, test, arrays.classes, source, fingerprint(train, test), name)


def fingerprint(train: Split, test: Split) -> str:
    """32 hex digits that depend on the set of (pixels, label) pairs in each split, not on their order."""
    whole = hashlib.sha256()
    for split in (train, test):
        rows = np.ascontiguousarray(split.images.numpy()).reshape(len(split), -1)
        labels = split.labels.tolist()
        pairs = (
            hashlib.blake2b(row, digest_size=16, salt=b"%d" % label) for row, label in zip(rows, labels, strict=True)
        )
        whole.update(repr(tuple(split.images.shape)).encode())
        whole.update(b"".join(sorted(pair.digest() for pair in pairs)))
    return whole.hexdigest()[:32]


# --- the cache ------------------------------------------------------------------------------------------------------


def cache_folder() -> Path:
    """``$MP3_CACHE``, else the platform's cache folder of the user. It need not exist yet."""
    if os.environ.get("MP3_CACHE"):
        return Path(os.environ["MP3_CACHE"]).expanduser()
    import platformdirs

    return platformdirs.user_cache_path("mp3lib", appauthor=False)


def _read_cache(file: Path, key: str | None = None) -> tuple[Images | None, str]:
    """The images in a cache file, or None and why not. ``key`` says what the file must have been made from."""
    from safetensors import SafetensorError, safe_open

    if not file.exists():
        return None, "empty"
    try:
        with safe_open(file, "pt") as stored:
            about = stored.metadata() or {}
            tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
        if key is not None and about.get("key") != key:
            return None, "out of date"
        if about.get("checksum") != _checksum(tensors):
            return None, "damaged"
        train = Split(tensors["train_images"], tensors["train_labels"])
        test = Split(tensors["test_images"], tensors["test_labels"])
        classes = tuple(json.loads(about["classes"]))
        return Images(train, test, classes, about["source"], about["fingerprint"], about["name"]), ""
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        return None, f"damaged ({type(error).__name__})"


def _write_cache(images: Images, file: Path, key: str) -> str:
    """Store decoded images beside ``file`` and rename. Returns what went wrong, if anything did."""
    from safetensors.torch import save_file

    tensors = {
        "train_images": images.train.images,
        "train_labels": images.train.labels,
        "test_images": images.test.images,
        "test_labels": images.test.labels,
    }
    tensors = {name: tensor.contiguous() for name, tensor in tensors.items()}
    about = {"key": key, "checksum": _checksum(tensors), "classes": json.dumps(images.classes)}
    about |= {"source": images.source, "fingerprint": images.fingerprint, "name": images.name}
    part = file.with_name(f"mp3lib-part-{os.getpid()}-{file.name}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        save_file(tensors, part, about)
        os.replace(part, file)
    except Exception as error:  # a full or read-only disk costs the cache, not the images
        part.unlink(missing_ok=True)
        return f"not cached ({type(error).__name__}: {error})"
    return ""


def _checksum(tensors: dict[str, Tensor]) -> str:
    value = 0
    for name in sorted(tensors):
        value = zlib.crc32(tensors[name].numpy().data, value)
    return f"{value:08x}"


def _state(path: Path, size: tuple[int, int]) -> str:
    """Changes when a file at ``path`` changes, comes or goes."""
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    state = hashlib.sha256(repr(size).encode())
    for file in files:
        stat = file.stat()
        state.update(f"{file.relative_to(path)} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    return state.hexdigest()


# --- a failed chain is remembered for a while, so that five notebooks offline do not each wait for the network ----------


def _failure_file() -> Path:
    return cache_folder() / "last-failure.json"


def _recent_failure() -> tuple[int, list] | None:
    """(minutes ago, [(link, reason), ...]) if the chain failed within the hour, with the same npm on the path."""
    try:
        stamp = json.loads(_failure_file().read_text())
        age = time.time() - stamp["time"]
        if 0 <= age < OFFLINE_SECONDS and stamp["npm"] == shutil.which("npm"):
            return int(age / 60), stamp["tried"]
    except (OSError, ValueError, KeyError):
        pass
    return None


def _remember_failure(tried: list) -> None:
    stamp = {"time": time.time(), "npm": shutil.which("npm"), "tried": tried}
    with contextlib.suppress(OSError):
        _failure_file().parent.mkdir(parents=True, exist_ok=True)
        _failure_file().write_text(json.dumps(stamp))


def _forget_failure() -> None:
    with contextlib.suppress(OSError):
        _failure_file().unlink(missing_ok=True)


def _ours() -> list[Path]:
    """The files and folders in the cache that this module made."""
    folder = cache_folder()
    return sorted(
        file
        for pattern in ("cifar10.safetensors", "images-*.safetensors", "mp3lib-part-*", _failure_file().name)
        for file in folder.glob(pattern)
    )


def status() -> str:
    """What is in the cache and where ``load_images("cifar10")`` would look, as text. Touches no network."""
    lines = [f"MP3_DATA   {os.environ.get('MP3_DATA') or 'not set'}", f"cache      {_short(cache_folder())}"]
    for file in _ours():
        if file.suffix != ".safetensors":
            continue
        images, trouble = _read_cache(file)
        size = f"{file.stat().st_size / 1e6:.0f} MB"
        if images is None:
            lines.append(f"  {file.name}  {size}, {trouble}")
        else:
            known = ", lossless CIFAR-10" if images.fingerprint == CIFAR10_FINGERPRINT else ""
            count = f"{len(images.train):,} + {len(images.test):,} images"
            lines.append(
                f"  {file.name}  {size}, {count}{known}, from {images.source}, fingerprint {images.fingerprint}"
            )
    if len(lines) == 2:
        lines.append('  empty: load_images("cifar10") would download into it (139 to 170 MB)')
    if (recent := _recent_failure()) is not None:
        lines.append(f"  the download failed {recent[0]} min ago; `python -m mp3lib data fetch` tries it again now")
    return "\n".join(lines)


def clear() -> str:
    """Remove what this module put into the cache, and nothing else; returns what was removed, as text."""
    removed = []
    for file in _ours():
        shutil.rmtree(file) if file.is_dir() else file.unlink()
        removed.append(f"removed {_short(file)}")
    return "\n".join(removed) or f"nothing to remove in {_short(cache_folder())}"


def _short(path: Path) -> str:
    """The path with the home folder written as ~."""
    try:
        return "~/" + path.relative_to(Path.home()).as_posix()
    except ValueError:
        return str(path)
