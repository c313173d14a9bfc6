"""The files in a folder or an archive. Nothing is unpacked to disk."""

from __future__ import annotations

import os
import stat
import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .entries import (
    LARGEST_FILE,
    SYSTEM_FOLDERS,
    Entry,
    Files,
    count_hidden,
    files_and_notes,
    hidden,
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

    Symbolic links are followed, but never in a circle. What is no regular file (a pipe, a device) is never opened. The
    whole archive has been read, and its checksum compared, when the ``with`` ends.

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
    entries: list[Entry] = []
    left_out: Counter[str] = Counter()
    notes: list[str] = []
    empty: list[str] = []
    visits: Counter[tuple[int, int]] = Counter()

    def walk(folder: str, inside: str, above: frozenset[tuple[int, int]]) -> None:
        about = os.stat(folder)
        if (about.st_dev, about.st_ino) in above:
            left_out["link(s) that lead back to a folder around them"] += 1
            return
        visits[about.st_dev, about.st_ino] += 1
        if visits[about.st_dev, about.st_ino] > MOST_VISITS:
            raise ValueError(f"{path} holds links that lead to the folder {readable(inside)} over {MOST_VISITS} times")
        above |= {(about.st_dev, about.st_ino)}
        if len(above) > DEEPEST:
            raise ValueError(f"{path} holds more than {DEEPEST} folders inside each other")
        try:
            names = sorted(os.listdir(folder))
        except OSError as error:
            notes.append(f"the folder {readable(inside)} cannot be opened ({error.strerror}): its pictures are missing")
            return
        if not names and inside:
            empty.append(readable(inside))
        for name in names:
            whole, within = os.path.join(folder, name), f"{inside}/{name}" if inside else name
            try:
                about = os.stat(whole)
            except OSError:
                left_out["link(s) that lead nowhere"] += 1
                continue
            if hidden(name):
                if stat.S_ISDIR(about.st_mode) and name.lower() not in SYSTEM_FOLDERS:
                    left_out[f"hidden folder(s), as {readable(within)}"] += 1
                count_hidden(name, left_out)
            elif stat.S_ISDIR(about.st_mode):
                walk(whole, within, above)
            elif not stat.S_ISREG(about.st_mode):
                left_out["pipe(s) or device(s)"] += 1
            else:
                entries.append(
                    Entry(
                        readable(within),
                        about.st_size,
                        lambda whole=whole: read_bytes(whole, LARGEST_FILE),
                        lambda whole=whole: read_bytes(whole, 16),
                        Path(whole),
                    )
                )

    walk(os.fspath(path), "", frozenset())
    if empty:
        notes.append(f"{len(empty)} folder(s) are empty, as {empty[0]}")
    files = files_and_notes(entries, left_out)
    return Files(files.entries, notes + files.notes)
