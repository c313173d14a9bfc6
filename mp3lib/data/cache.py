"""The cache of decoded images, and the memory of a failed download. It knows tensors and names, not data sets."""

import contextlib
import hashlib
import json
import os
import shutil
import stat
import time
import zlib
from pathlib import Path

from torch import Tensor

from ..paths import expanded

FAILURE_SECONDS = 3600  # so long a failed download is not tried again: five notebooks offline need not each wait
_PART = "mp3lib-part-"  # the beginning of the name of anything half done
_OURS = ("cifar10.safetensors", "images-*.safetensors", "last-failure.json", f"{_PART}*")


def folder() -> Path:
    """``$MP3_CACHE``, else the platform's cache folder of the user. It need not exist yet."""
    if os.environ.get("MP3_CACHE"):
        return expanded(os.environ["MP3_CACHE"])
    import platformdirs

    return platformdirs.user_cache_path("mp3lib", appauthor=False)


def short(path: Path) -> str:
    """The path as text, with the home folder written as ~."""
    try:
        return "~/" + path.relative_to(Path.home()).as_posix()
    except (ValueError, RuntimeError):
        return str(path)


def ours() -> list[Path]:
    """Whatever this module has put into the cache folder, half-done downloads included; nothing of anyone else's."""
    return sorted(path for pattern in _OURS for path in folder().glob(pattern))


def read(file: Path, key: str | None = None) -> tuple[dict[str, Tensor], dict[str, str]] | str:
    """(tensors, what is said about them), or why there are none: "empty", "out of date", "damaged".

    ``key`` says what the tensors must have been made from; None takes them as they are.
    """
    from safetensors import SafetensorError, safe_open

    if not file.exists():
        return "empty"
    try:
        with safe_open(file, "pt") as stored:
            about = stored.metadata() or {}
            tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError):
        return "damaged"
    if about.get("checksum") != _checksum(tensors, about):
        return "damaged"
    if key is not None and about.get("key") != key:
        return "out of date"
    return tensors, about


def write(file: Path, key: str, tensors: dict[str, Tensor], about: dict[str, str]) -> str:
    """Store tensors in a file beside ``file`` and rename it, so that nobody ever reads half a file.

    Returns what went wrong, if anything did: a full or read-only disk costs the cache, not the images.
    """
    from safetensors.torch import save_file

    tensors = {name: tensor.contiguous() for name, tensor in tensors.items()}
    about = about | {"key": key}
    part = file.with_name(f"{_PART}{os.getpid()}-{time.monotonic_ns()}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        save_file(tensors, part, about | {"checksum": _checksum(tensors, about)})
        part.chmod(0o644)
        os.replace(part, file)
    except Exception as error:  # the writer of safetensors has errors of its own
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        return f"not kept in {short(file.parent)} ({type(error).__name__}: {error})"
    return ""


def _checksum(tensors: dict[str, Tensor], about: dict[str, str]) -> str:
    said = sorted((name, value) for name, value in about.items() if name != "checksum")
    value = zlib.crc32(json.dumps(said).encode())
    for name in sorted(tensors):
        value = zlib.crc32(tensors[name].numpy().data, value)
    return f"{value:08x}"


def state(path: Path, *more) -> str:
    """A key that changes when a file at ``path`` changes, comes or goes, or when ``more`` does."""
    digest = hashlib.sha256(repr(more).encode())

    def add(file: Path, inside: str, above: frozenset) -> None:
        try:
            about = file.stat()  # of what a link leads to
            names = sorted(os.listdir(file)) if stat.S_ISDIR(about.st_mode) else []
        except OSError as error:
            digest.update(f"{error.errno} ".encode() + os.fsencode(inside) + b"\n")
            return
        if (about.st_dev, about.st_ino) in above:
            return  # a link back to a folder around it
        digest.update(f"{about.st_size} {about.st_mtime_ns} ".encode() + os.fsencode(inside) + b"\n")
        for name in names:
            add(file / name, f"{inside}/{name}", above | {(about.st_dev, about.st_ino)})

    add(path, "", frozenset())
    return digest.hexdigest()


def recent_failure() -> tuple[int, list] | None:
    """(minutes ago, [(link, reason), ...]) if all links failed within the hour and npm is where it was, or not."""
    try:
        stamp = json.loads((folder() / "last-failure.json").read_text())
        age = time.time() - stamp["time"]
        if 0 <= age < FAILURE_SECONDS and stamp["npm"] == shutil.which("npm"):
            return int(age / 60), stamp["tried"]
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return None


def remember_failure(tried: list[tuple[str, str]]) -> None:
    """Note that every link has failed, for ``recent_failure``."""
    with contextlib.suppress(OSError):
        folder().mkdir(parents=True, exist_ok=True)
        stamp = {"time": time.time(), "npm": shutil.which("npm"), "tried": tried}
        (folder() / "last-failure.json").write_text(json.dumps(stamp))


def forget_failure() -> None:
    """The network is back."""
    with contextlib.suppress(OSError):
        (folder() / "last-failure.json").unlink(missing_ok=True)
