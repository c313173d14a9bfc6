"""A file in a folder or an archive: its name, its size, and its bytes on demand. And names: which are hidden, how they
are shown.
"""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from ...paths import LFS

LARGEST_FILE = 1 << 29  # bytes of a file that is read at once
LARGEST_RATIO = 200  # bytes unpacked for each byte of an archive; pictures hardly shrink
SYSTEM_FOLDERS = frozenset(  # in lower case; those of systems, of network drives and of programs
    "__macosx __pycache__ .git .ipynb_checkpoints .cache .thumbnails .idea .vscode $recycle.bin @recycle #recycle "
    "@eadir lost+found node_modules site-packages".split()
) | {"system volume information"}


class Entry(NamedTuple):
    """A file: its path inside with ``/``, its size in bytes, and functions that read it."""

    name: str
    size: int
    read: Callable[[], bytes]
    begin: Callable[[], bytes]  # its first 16 bytes
    path: Path | None = None  # on disk; None in an archive
    inside: tuple[Path, int] | None = None  # the archive without compression, and the byte where it begins there


class Files(NamedTuple):
    """The visible files of a folder or an archive, and what was left out, as sentences."""

    entries: list[Entry]
    notes: list[str]
    left_out: Counter[str]  # how many of what; the notes tell it as well
    empty: Sequence[str] = ()  # folders without anything in them, likewise


def files_and_notes(entries: Sequence[Entry], left_out: Counter[str], empty: Sequence[str] = ()) -> Files:
    """The files, with a sentence on empty folders and one for each kind of what was left out."""
    notes = [f"{len(empty)} folder(s) are empty, as {empty[0]}"] if empty else []
    return Files([*entries], notes + [f"left out {count} {what}" for what, count in left_out.items()], left_out, empty)


def read_bytes(path: str | Path, most: int) -> bytes:
    """The first ``most`` bytes of a file; of a pipe or a device nothing is read."""
    about = os.stat(path)
    if not stat.S_ISREG(about.st_mode):
        return b""
    with open(path, "rb") as file:
        return file.read(min(most, about.st_size + 1))  # a buffer of so many bytes is made


def instead_of(beginning: bytes) -> str:
    """What a file is instead of what its name says, by its first bytes; empty where they say nothing."""
    if beginning.startswith(LFS):
        return "a git-lfs pointer, not the file itself: git lfs pull brings it"
    if beginning.lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith((b"<!doctype html", b"<html")):
        return "a web page, as of a login or an error, not the file itself: download it again"
    return ""


def too_large(path: Path, unpacked: int) -> bool:
    """Whether these are far more bytes than pictures have that are packed into the archive at ``path``."""
    return unpacked > LARGEST_RATIO * path.stat().st_size + 10_000_000


def check_ratio(path: Path, unpacked: int) -> None:
    """Refuse an archive that holds far more bytes than pictures can be packed into."""
    if too_large(path, unpacked):
        raise ValueError(
            f"{path} has {path.stat().st_size:,} bytes and would unpack to {unpacked:,} or more, over {LARGEST_RATIO} "
            "times as many, which pictures never do: it is not read"
        )


def hidden(name: str) -> bool:
    return (name.startswith(".") and name not in (".", "..")) or name.lower() in SYSTEM_FOLDERS


def count_hidden(name: str, left_out: Counter[str]) -> None:
    """Count hidden files, but not those that only systems make: ``._x``, ``.DS_Store``, ``.ipynb_checkpoints``."""
    if not name.startswith("._") and PurePosixPath(name.lstrip(".")).suffix.lower() in (".png", ".jpg", ".jpeg"):
        left_out["hidden picture(s)"] += 1


def readable(name: str) -> str:
    r"""A file name as text that can be printed and stored; bytes that are not UTF-8 become ``\xff``."""
    return printable(os.fsencode(name).decode("utf-8", "backslashreplace"))


def printable(text: str) -> str:
    r"""Text on one line that any terminal shows and any file stores: what cannot be printed becomes ``\n`` or so."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def plain_name(name: str, left_out: Counter[str]) -> str | None:
    """A name in an archive without ``\\``, ``./`` and a leading ``/``; None, and counted, where it leads out of it."""
    parts = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".")]
    if ".." in parts:
        left_out["member(s) whose names lead out of the archive"] += 1
        return None
    return readable("/".join(parts))


def empty_folders(folders: Iterable[str], files: Iterable[str]) -> list[str]:
    """Those folders of an archive that hold neither a file nor another folder, by the names of the members."""
    unseen: Counter[str] = Counter()
    named, held = ({plain_name(name, unseen) for name in names} - {None} for names in (folders, files))
    around = {above.as_posix() for name in named | held for above in PurePosixPath(name).parents}
    return sorted(name for name in named - around - {""} if not any(map(hidden, name.split("/"))))


def last_of_each(entries: list[Entry], left_out: Counter[str]) -> list[Entry]:
    """Of members with the same name the last one, as after unpacking; the others are counted."""
    kept = {entry.name: entry for entry in entries}
    if len(kept) < len(entries):
        left_out["older version(s) of members that are there again"] += len(entries) - len(kept)
    return list(kept.values())
