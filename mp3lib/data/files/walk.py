"""The files in a folder or an archive. Nothing is unpacked to disk."""

from __future__ import annotations

import os
import stat
import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from ...paths import folders_around
from .entries import (
    LARGEST_FILE,
    SYSTEM_FOLDERS,
    Entry,
    Files,
    count_hidden,
    files_and_notes,
    hidden,
    plain_name,
    read_bytes,
    readable,
)
from .tars import files_of_tar, is_tar
from .zips import files_of_zip

MOST_VISITS = 100  # of one folder, through links: folders that link to each other have paths without number
DEEPEST = 100  # folders inside each other


@contextmanager
def files_of(path: Path) -> Iterator[Files]:
    """The files in a folder, a zip or a tar; the bytes can be read inside the ``with``.

    Symbolic links are followed, but never in a circle. What is not a regular file (a pipe, a device) is never opened.
    The whole archive has been read, and its checksum compared, when the ``with`` ends.

    Raises:
        ValueError: for what is neither a folder nor an archive, and for an archive that is encrypted, that claims to
            hold far more than it can, or whose compression cannot be read here.
        OSError, EOFError, zlib.error, lzma.LZMAError, tarfile.TarError, zipfile.BadZipFile: for a damaged archive.
    """
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        yield files_of_folder(path)
    elif not stat.S_ISREG(mode):
        raise ValueError(f"{path} is neither a folder nor a regular file")
    elif not is_tar(path) and zipfile.is_zipfile(path):
        with files_of_zip(path) as files:
            yield files
    else:
        with files_of_tar(path) as files:
            yield files


def files_of_folder(path: Path) -> Files:
    """The files in a folder and in those below it."""
    walk = Walk(path)
    walk.enter(os.fspath(path), "", folders_around(path))
    files = files_and_notes(walk.entries, walk.left_out, walk.empty)
    return files._replace(notes=walk.notes + files.notes)


class Walk:
    """What is found on a walk through the folders below ``path``: files, and what is left out of them."""

    def __init__(self, path: Path):
        self.path = path
        self.entries: list[Entry] = []
        self.left_out: Counter[str] = Counter()
        self.notes: list[str] = []
        self.empty: list[str] = []  # folders without anything in them
        self.visits: Counter[tuple[int, int]] = Counter()  # of each folder, by its device and number

    def enter(self, folder: str, inside: str, above: frozenset[tuple[int, int]]) -> None:
        """Look at everything in a folder. inside: its path below ``path``; above: all folders around it."""
        about = os.stat(folder)
        own = (about.st_dev, about.st_ino)
        if own in above:
            self.left_out["link(s) that lead back to a folder around them"] += 1
            return
        self.visits[own] += 1
        if self.visits[own] > MOST_VISITS:
            raise ValueError(
                f"{self.path} holds links that lead to the folder {readable(inside)} over {MOST_VISITS} times"
            )
        if inside.count("/") >= DEEPEST:
            raise ValueError(f"{self.path} holds more than {DEEPEST} folders inside each other")
        try:
            names = sorted(os.listdir(folder))
        except OSError as error:
            reason = f"cannot be opened ({error.strerror}): its pictures are missing"
            self.notes.append(f"the folder {readable(inside)} {reason}")
            return
        if not names and inside:
            self.empty.append(readable(inside))
        for name in names:
            within = f"{inside}/{name}" if inside else name
            self.look_at(os.path.join(folder, name), within, above | {own})

    def look_at(self, whole: str, inside: str, above: frozenset[tuple[int, int]]) -> None:
        """Take a file, enter a folder, count anything else."""
        name = os.path.basename(whole)
        try:
            about = os.stat(whole)
        except OSError:
            self.left_out["link(s) that lead nowhere"] += 1
            return
        if hidden(name):
            if stat.S_ISDIR(about.st_mode) and name.lower() not in SYSTEM_FOLDERS:
                self.left_out[f"hidden folder(s), as {readable(inside)}"] += 1
            count_hidden(name, self.left_out)
        elif stat.S_ISDIR(about.st_mode):
            self.enter(whole, inside, above)
        elif not stat.S_ISREG(about.st_mode):
            self.left_out["pipe(s) or device(s)"] += 1
        else:
            read, begin = partial(read_bytes, whole, LARGEST_FILE), partial(read_bytes, whole, 16)
            # names with \\ are what some programs make of an archive that Windows packed
            if shown := plain_name(inside, self.left_out) if "\\" in inside else readable(inside):
                self.entries.append(Entry(shown, about.st_size, read, begin, Path(whole)))
