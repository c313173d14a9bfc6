"""The cache of decoded images, and the memory of a failed download. It knows tensors and names, not data sets."""

import contextlib
import hashlib
import json
import os
import platform
import re
import shutil
import stat
import tempfile
import time
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import psutil
from filelock import FileLock, Timeout
from torch import Tensor

from ...paths import expanded, folders_around
from ..files.tensor_files import write_tensors

FAILURE_SECONDS = 3600  # so long a failed download is not tried again: five notebooks offline need not each wait
_PART = "mp3lib-part-"  # the beginning of the name of anything half done; then the process, the machine, a random end
_HOLDER = re.compile(rf"{_PART}(\d+)-(?:(.+)-)?\w+")
_SETS = ("cifar10.safetensors", "images-*.safetensors")
_LOCKS = ("images-*.lock",)
_PARTS = (f"{_PART}*", ".tmp*")  # safetensors itself writes to .tmp...
_FAILURE = "last-failure.json"
_OTHER_MACHINE = 24 * 3600  # seconds without a change, after which a process on another machine counts as ended


def folder() -> Path:
    """``$MP3_CACHE``, else the platform's cache folder of the user. It need not exist yet."""
    if place := os.environ.get("MP3_CACHE"):
        try:
            return expanded(place)
        except ValueError as error:
            raise ValueError(f"MP3_CACHE is {place!r}: {error}") from None
    import platformdirs

    return platformdirs.user_cache_path("mp3lib", appauthor=False)


def short(path: Path) -> str:
    """The path as text, with the home folder written as ~."""
    try:
        return "~/" + path.relative_to(Path.home()).as_posix()
    except (ValueError, RuntimeError):
        return str(path)


def _matching(patterns: Iterable[str]) -> set[Path]:
    """What lies in the cache folder under such names; nothing where it cannot be looked into."""
    try:
        return {path for pattern in patterns for path in folder().glob(pattern)}
    except OSError:
        return set()


def sets() -> list[Path]:
    """The sets of images in the cache folder: the files that ``write`` has made, by what they say of themselves."""
    return sorted(path for path in _matching(_SETS) if _is_written_here(path))


def others() -> list[Path]:
    """What has the name of a set and was not written by this module, or is damaged beyond recognition."""
    return sorted(_matching(_SETS) - {*sets()})


def parts() -> list[Path]:
    """What is half done: downloads and files that are being written, and what killed processes left of them."""
    return sorted(path for path in _matching(_PARTS) if path.name.startswith(_PART) or _is_written_here(path))


def locks() -> list[Path]:
    """The files of ``one_at_a_time``, which are empty; another file of such a name is somebody else's."""
    return sorted(path for path in _matching(_LOCKS) if _is_empty_file(path))


def failures() -> list[Path]:
    """The memory of a failed download, if there is one."""
    return [folder() / _FAILURE] if _failure() else []


def _is_written_here(file: Path) -> bool:
    """Whether the beginning of a file has the key and the checksum that ``write`` stores. It may be cut or damaged."""
    try:
        if not stat.S_ISREG(file.lstat().st_mode):
            return False
        with open(file, "rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            about = json.loads(stream.read(min(length, 1 << 20)))["__metadata__"]
        return {"key", "checksum", "fingerprint"} <= about.keys()
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return False


def _is_empty_file(path: Path) -> bool:
    try:
        about = path.lstat()
    except OSError:
        return False
    return stat.S_ISREG(about.st_mode) and not about.st_size


def part_name() -> str:
    """The beginning of a name for something half done: it says which process holds it."""
    machine = re.sub(r"[^\w.]", "_", platform.node()) or "unknown"
    return f"{_PART}{os.getpid()}-{machine}-"


def is_held(path: Path) -> bool:
    """Whether the process that makes something half done, or that has locked a file of ``locks``, may still run.

    Of something half done its name and the time of its last change tell.
    """
    if path in locks():
        try:
            with FileLock(path, timeout=0):
                return False
        except (Timeout, OSError):
            return True
    holder = _HOLDER.fullmatch(path.name)
    if holder is None:
        return False
    try:
        changed = path.lstat().st_mtime
        if holder[2] not in (None, part_name().removeprefix(f"{_PART}{os.getpid()}-")[:-1]):
            return time.time() - changed < _OTHER_MACHINE
        return psutil.Process(int(holder[1])).create_time() < changed + 60  # a later one has only the number
    except (psutil.NoSuchProcess, OSError, OverflowError):
        return False
    except psutil.Error:
        return True


def remove(path: Path) -> str:
    """Remove a file, a link or a folder; returns why that failed, if it did."""
    try:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        return error.strerror or type(error).__name__
    return ""


def sweep() -> None:
    """Remove what killed processes left half done."""
    with contextlib.suppress(OSError):
        for path in parts():
            if not is_held(path):
                remove(path)


@contextlib.contextmanager
def one_at_a_time(name: str) -> Iterator[None]:
    """Let one process of this machine after the other read the set that is kept as ``name``: the first keeps it.

    Where the cache folder cannot be written, all of them go on at once.
    """
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):
            folder().mkdir(parents=True, exist_ok=True)
            stack.enter_context(FileLock(folder() / f"images-{name}.lock"))
        yield


def read(file: Path, key: str | None = None) -> tuple[dict[str, Tensor], dict[str, str]] | str:
    """(tensors, what is said about them), or why there are none: "empty", "out of date", "damaged".

    ``key`` says what the tensors must have been made from; None takes them as they are.
    """
    from safetensors import SafetensorError, safe_open

    try:
        if not file.is_file():
            return "damaged" if file.exists() else "empty"
        with safe_open(file, "pt") as stored:
            about = stored.metadata() or {}
            tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError):
        return "damaged"
    if not {"key", "checksum"} <= about.keys():
        return "not written by mp3lib"
    try:
        whole = about["checksum"] == _checksum(tensors, about)
    except TypeError:  # numbers that numpy does not know, such as bfloat16
        whole = False
    if not whole:
        return "damaged"
    if key is not None and about.get("key") != key:
        return "out of date"
    return tensors, about


def write(file: Path, key: str, tensors: dict[str, Tensor], about: dict[str, str]) -> str:
    """Store tensors in a folder beside ``file`` and rename the file, so that nobody ever reads half of it.

    What killed processes left half done in the same folder is removed then.
    Returns what went wrong, if anything did: a full or read-only disk costs the cache, not the images. A file that
    holds tensors of somebody else is never replaced.
    """
    tensors = {name: tensor.contiguous() for name, tensor in tensors.items()}
    about = about | {"key": key}
    if read(file) == "not written by mp3lib":
        return f"not kept in {short(file.parent)} ({file.name} is there, and mp3lib did not write it)"
    part = None
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=part_name(), dir=file.parent))
        write_tensors(part / "x", tensors, about | {"checksum": _checksum(tensors, about)})
        (part / "x").chmod(0o644)
        os.replace(part / "x", file)
    except (OSError, ValueError) as error:
        return f"not kept in {short(file.parent)} ({type(error).__name__}: {error})"
    finally:
        if part is not None:
            remove(part)
    sweep()
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
    visits: Counter[tuple[int, int]] = Counter()

    def add(file: Path, inside: str, above: frozenset) -> None:
        try:
            about = file.stat()  # of what a link leads to
            names = sorted(os.listdir(file)) if stat.S_ISDIR(about.st_mode) else []
        except OSError as error:
            digest.update(f"{error.errno} ".encode() + os.fsencode(inside) + b"\n")
            return
        if (about.st_dev, about.st_ino) in above:
            return  # a link back to a folder around it
        visits[about.st_dev, about.st_ino] += stat.S_ISDIR(about.st_mode)
        if visits[about.st_dev, about.st_ino] > 100:
            return  # folders that link to each other have paths without number
        times = f"{about.st_mtime_ns} {about.st_ctime_ns}"  # cp -p and rsync -t set the first to an older one
        digest.update(f"{about.st_size} {times} ".encode() + os.fsencode(inside) + b"\n")
        for name in names:
            add(file / name, f"{inside}/{name}", above | {(about.st_dev, about.st_ino)})

    add(path, "", folders_around(path))
    return digest.hexdigest()


def recent_failure() -> tuple[int, list] | None:
    """(minutes ago, [(link, reason), ...]) if all links failed within the hour and npm is where it was, or not."""
    stamp = _failure()
    age = time.time() - stamp["time"] if stamp else -1
    if 0 <= age < FAILURE_SECONDS and stamp["npm"] == shutil.which("npm"):
        return int(age / 60), [(name, reason) for name, reason in stamp["tried"]]
    return None


def _failure() -> dict | None:
    """What ``remember_failure`` has written; None for any other content."""
    try:
        stamp = json.loads((folder() / _FAILURE).read_text(encoding="utf-8"))
        texts = all(isinstance(text, str) for name, reason in stamp["tried"] for text in (name, reason))
        return stamp if texts and "npm" in stamp and isinstance(stamp["time"], (int, float)) else None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def remember_failure(tried: list[tuple[str, str]]) -> None:
    """Note that every link has failed, for ``recent_failure``."""
    with contextlib.suppress(OSError):
        if (folder() / _FAILURE).exists() and not failures():
            return  # a file of somebody else
        folder().mkdir(parents=True, exist_ok=True)
        stamp = {"time": time.time(), "npm": shutil.which("npm"), "tried": tried}
        part = Path(tempfile.mkdtemp(prefix=part_name(), dir=folder()))
        try:
            (part / "x").write_text(json.dumps(stamp), encoding="utf-8")
            os.replace(part / "x", folder() / _FAILURE)
        finally:
            remove(part)


def forget_failure() -> None:
    """The network is back."""
    for path in failures():
        remove(path)
