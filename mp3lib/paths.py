"""Paths as people write them, with ``~`` expanded; folders for weights; files that appear only when complete."""

from __future__ import annotations

import errno
import glob
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

BESIDE = ".mp3lib-"  # the beginning of the name of a file that is being written; then the process and its own name
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # the numbers of the errors for a full disk, or a full share of it
LFS = b"version https://git-lfs"  # how a file begins that git-lfs has not brought
ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")  # https:// and the like, also as a Path, which keeps one stroke only


def expanded(path: str | os.PathLike) -> Path:
    """An absolute path, with ``~`` and ``~user`` replaced by the home folder. It need not exist.

    Raises:
        ValueError: for something else than a path, an empty path, one with a null character, an address such as
            ``https://…``, and for a user who has no home folder here.
    """
    if not isinstance(path, (str, os.PathLike)):
        raise ValueError(f"a path must be a string or a Path, got {repr(path)[:100]} ({type(path).__name__})")
    text = os.fsdecode(path)
    if not text.strip():
        raise ValueError("the path is empty")
    if "\0" in text:
        raise ValueError(f"the path {text[:100]!r} holds a null character: remove it")
    if ADDRESS.match(text):
        raise ValueError(
            f"{text[:300]} is an address, not a path: download what is there first, and give the path of that"
        )
    try:
        return Path(text).expanduser().absolute()
    except RuntimeError:
        raise ValueError(f"{text}: there is no home folder of the user {text.split('/')[0]} here") from None


def folders_around(path: Path) -> frozenset[tuple[int, int]]:
    """The device and the number of each folder that a path lies in: links to them lead in a circle."""
    folders = (folder.stat() for folder in path.resolve().parents if folder.exists())
    return frozenset((about.st_dev, about.st_ino) for about in folders)


def check_target(path: str | os.PathLike, *suffixes: str, ours: Callable[[Path], bool]) -> Path:
    """The absolute path of a file that may be written: new, empty, or one of ours, which is replaced.

    Args:
        path: the file.
        suffixes: how its name may end.
        ours: whether a file that is there was written by the same function; an error means that it was not.

    Raises:
        ValueError: for a name that ends in none of ``suffixes``, a folder, something that is not a regular file, such
            as a device, a file of somebody else, and a place where this user cannot write.
    """
    path = expanded(path).resolve()
    if path.suffix.lower() not in suffixes:
        raise ValueError(f"the name of the file must end in {' or '.join(suffixes)}, got {path.name}")
    if path.exists() and not path.is_file():
        raise ValueError(f"{path} exists and is not a regular file: choose another name")
    if path.exists() and path.stat().st_size and not succeeds(ours, path):
        raise ValueError(f"{path} exists and is no such file of mp3lib: choose another name, so that it is kept")
    above = next(folder for folder in path.parents if folder.exists())
    if not above.is_dir() or not os.access(above, os.W_OK):
        raise ValueError(f"{path} cannot be written: {above} is not a folder that this user can write to")
    return path


def succeeds(test: Callable[[Path], bool], path: Path) -> bool:
    """What a test says of a file; False after an error, which readers of damaged files may raise of any kind."""
    try:
        return test(path)
    except Exception:
        return False


@contextmanager
def room_for(path: Path) -> Iterator[None]:
    """Let the error of a full disk name the file or folder that is written, and say what helps."""
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise OSError(f"{path} could not be written ({error.strerror}): make room and try again") from error


def remove_left(path: Path) -> None:
    """Remove what killed processes have left beside ``path``, a day after its last change.

    Before, it may be in use on another machine, whose processes have numbers of their own.
    """
    for left in path.parent.glob(f"{BESIDE}[0-9]*.{glob.escape(path.name)}"):
        with suppress(OSError):
            if time.time() - left.stat().st_mtime > 24 * 3600:
                left.unlink()


@contextmanager
def written_beside(path: Path) -> Iterator[Path]:
    """A hidden path beside ``path`` for a new file, which is renamed into place at the end of the ``with``.

    After an error it is removed, and ``path`` is as it was. Missing folders above are made.

    Raises:
        OSError: where the disk is full, with the file's name.
    """
    beside = path.with_name(f"{BESIDE}{os.getpid()}.{path.name}")
    remove_left(path)
    with room_for(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield beside
            os.replace(beside, path)
        finally:
            beside.unlink(missing_ok=True)


def with_usual_mode(file: Path) -> None:
    """Give a file the permissions that new files of this user have, by the umask; safetensors lets the user alone read.

    What this user cannot change, and systems without such permissions, are left as they are.
    """
    beside = file.with_name(f".{os.getpid()}.mode")
    try:
        beside.touch()
        file.chmod(beside.stat().st_mode & 0o777)
    except OSError:
        pass
    finally:
        beside.unlink(missing_ok=True)


def folder_for_weights(path: str | os.PathLike) -> Path:
    """The absolute path of a folder that weights are written to or read from. It need not exist.

    Raises:
        ValueError: as ``expanded``; for bytes that are not UTF-8, because safetensors does not open such paths; and
            where no folder can be made because of a file or a symbolic link that leads nowhere.
    """
    folder = expanded(path)
    try:
        os.fspath(folder).encode("utf-8")
    except UnicodeEncodeError:
        raise ValueError(
            f"the path {os.fspath(path)!r} has bytes that are not UTF-8, and safetensors does not open such a path: "
            "choose another name"
        ) from None
    for place in (folder, *folder.parents):
        if place.is_dir():
            break
        if place.is_symlink():
            raise ValueError(
                f"{place} is a symbolic link to {os.readlink(place)}, where there is nothing: make that folder, remove "
                "the link, or choose another place"
            )
        if place.exists():
            raise ValueError(f"{place} is not a folder: choose another place")
    return folder
