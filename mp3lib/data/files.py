"""The files in a folder or an archive: their names, and their bytes on demand. Nothing is unpacked to disk."""

from __future__ import annotations

import os
import stat
import tarfile
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import NamedTuple

LARGEST_FILE = 1 << 29  # bytes of a file that is read at once
MOST_VISITS = 100  # of one folder, through links: folders that link to each other have paths without number
LARGEST_RATIO = 200  # bytes unpacked for each byte of an archive; pictures hardly shrink
SYSTEM_FOLDERS = ("__MACOSX", "__pycache__", ".git", ".ipynb_checkpoints", ".cache", ".thumbnails", ".idea", ".vscode")
DEEPEST = 100  # folders inside each other


class Entry(NamedTuple):
    """A file: its path inside with ``/``, its size in bytes, and functions that read it."""

    name: str
    size: int
    read: Callable[[], bytes]
    begin: Callable[[], bytes]  # its first 16 bytes
    path: Path | None = None  # on disk; None in an archive


class Files(NamedTuple):
    """The visible files of a folder or an archive, and what was left out, as sentences."""

    entries: list[Entry]
    notes: list[str]


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
        yield in_folder(path)
    elif not stat.S_ISREG(mode):
        raise ValueError(f"{path} is neither a folder nor a regular file")
    elif zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            yield in_zip(path, archive)
    else:
        with tarfile.open(path, "r:*") as archive:  # "r|*" would take a truncated .gz for a smaller archive
            yield in_tar(path, archive)
            rest = 0
            while more := len(archive.fileobj.read(1 << 20)):  # only at the end is the stream's checksum compared
                rest += more
                check_ratio(path, rest)


def in_folder(path: Path) -> Files:
    entries: list[Entry] = []
    left_out: Counter[str] = Counter()
    notes: list[str] = []
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
        for name in names:
            whole, within = os.path.join(folder, name), f"{inside}/{name}" if inside else name
            try:
                about = os.stat(whole)
            except OSError:
                left_out["link(s) that lead nowhere"] += 1
                continue
            if hidden(name):
                if stat.S_ISDIR(about.st_mode) and name not in SYSTEM_FOLDERS:
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
    return Files(entries, notes + [f"left out {count} {what}" for what, count in left_out.items()])


def read_bytes(path: str | Path, most: int) -> bytes:
    """The first ``most`` bytes of a file; of a pipe or a device nothing is read."""
    if not stat.S_ISREG(os.stat(path).st_mode):
        return b""
    with open(path, "rb") as file:
        return file.read(most)


def in_zip(path: Path, archive: zipfile.ZipFile) -> Files:
    check_directory(path, archive)
    members = [info for info in archive.infolist() if not info.is_dir()]
    check_zip(path, members)
    for info in archive.infolist():
        if info.is_dir() or any(hidden(part) for part in PurePosixPath(info.filename).parts):
            archive.open(info).close()  # compares the name with the one beside the bytes: neither has a checksum
    left_out: Counter[str] = Counter()
    entries = []
    for info in members:
        if any(hidden(part) for part in PurePosixPath(info.filename).parts):
            count_hidden(PurePosixPath(info.filename).name, left_out)
            continue

        def begin(info=info) -> bytes:
            with archive.open(info) as file:
                return file.read(16)

        if name := plain_name(info.filename, left_out):
            entries.append(Entry(name, info.file_size, lambda info=info: archive.read(info), begin))
    entries = last_of_each(entries, left_out)
    return Files(entries, [f"left out {count} {what}" for what, count in left_out.items()])


def check_directory(path: Path, archive: zipfile.ZipFile) -> None:
    """Compare the number of members with the one at the end of the archive: a damaged directory can hide members."""
    with open(path, "rb") as file:
        file.seek(max(path.stat().st_size - (1 << 16) - 98, 0))  # its longest comment, and the records before that
        tail = file.read()
    at = tail.rfind(b"PK\5\6")
    if tail[-22:-18] == b"PK\5\6" and tail.endswith(b"\0\0"):
        at = len(tail) - 22
    end, end64 = tail[at : at + 22], tail[max(at - 76, 0) : at]
    number, said = len(archive.infolist()), int.from_bytes(end[10:12], "little")
    if end64.startswith(b"PK\6\6"):
        said = int.from_bytes(end64[32:40], "little")
    elif end.startswith(b"PK\5\6"):
        number %= 1 << 16  # as older programs count
    else:
        raise zipfile.BadZipFile("its end is damaged")
    if number != said:
        raise zipfile.BadZipFile(f"its directory is damaged: it lists {number:,} of {said:,} members")


def check_zip(path: Path, members: list[zipfile.ZipInfo]) -> None:
    """Refuse what cannot be read, or claims more than it can hold, before a byte is unpacked."""
    if encrypted := [info for info in members if info.flag_bits & 1]:
        raise ValueError(f"{path} is encrypted ({encrypted[0].filename}): unpack it with its password first")
    known = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
    if other := [info for info in members if info.compress_type not in known]:
        raise ValueError(
            f"{path} uses a compression that Python cannot read (method {other[0].compress_type}, {other[0].filename}; "
            "9 is Deflate64): unpack it with another program, or pack it again"
        )
    end = 0
    for info in sorted(members, key=lambda info: info.header_offset):
        if info.header_offset < end:
            raise ValueError(f"{path} has members that overlap ({info.filename}), as archives made to do harm have")
        end = info.header_offset + 30 + info.compress_size
    unpacked = sum(info.file_size for info in members)
    check_ratio(path, unpacked)


def check_ratio(path: Path, unpacked: int) -> None:
    if unpacked > LARGEST_RATIO * path.stat().st_size + 10_000_000:
        raise ValueError(
            f"{path} has {path.stat().st_size:,} bytes and would unpack to {unpacked:,} or more, over {LARGEST_RATIO} "
            "times as many, which pictures never do: it is not read"
        )


def in_tar(path: Path, archive: tarfile.TarFile) -> Files:
    left_out: Counter[str] = Counter()
    entries = []
    members = []
    unpacked = 0
    for member in archive:
        unpacked += 0 if member.issparse() else member.size  # sparse members are left out
        check_ratio(path, unpacked)
        members.append(member)
    archive.fileobj.seek(archive.offset)
    if archive.fileobj.read(512).strip(b"\0") or not members:  # tarfile takes a damaged header for the end
        raise tarfile.ReadError(f"there is damage after {members[-1].name if members else 'the beginning'}")
    for member in members:
        name = PurePosixPath(member.name)
        if member.isdir():
            continue
        if any(hidden(part) for part in name.parts):
            count_hidden(name.name, left_out)
        elif not (member.isreg() or member.islnk() or member.issym()):
            left_out["pipe(s) or device(s)"] += 1
        elif member.issparse():
            left_out["sparse file(s)"] += 1
        else:
            target = linked(archive, member)
            if target is None:
                left_out["link(s) that lead out of the archive, or to a folder in it"] += 1
                continue
            if shown := plain_name(member.name, left_out):
                entries.append(
                    Entry(
                        shown,
                        target.size,
                        lambda target=target: archive.extractfile(target).read(LARGEST_FILE),
                        lambda target=target: archive.extractfile(target).read(16),
                    )
                )
    entries = last_of_each(entries, left_out)
    return Files(entries, [f"left out {count} {what}" for what, count in left_out.items()])


def linked(archive: tarfile.TarFile, member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """The regular file that a member is, or that its links lead to inside the archive; else None."""
    for _ in range(20):
        if member.isreg():
            return None if member.issparse() else member
        name = member.linkname
        if member.issym():
            name = os.path.normpath(os.path.join(os.path.dirname(member.name), name)).replace(os.sep, "/")
        try:
            member = archive.getmember(name)
        except KeyError:
            return None
    return None


def hidden(name: str) -> bool:
    return (name.startswith(".") and name not in (".", "..")) or name in SYSTEM_FOLDERS


def count_hidden(name: str, left_out: Counter[str]) -> None:
    """Count hidden files, but not those that only systems make: ``._x``, ``.DS_Store``, ``.ipynb_checkpoints``."""
    if not name.startswith("._") and PurePosixPath(name.lstrip(".")).suffix.lower() in (".png", ".jpg", ".jpeg"):
        left_out["hidden picture(s)"] += 1


def readable(name: str) -> str:
    r"""A file name as text that can be printed and stored; bytes that are not UTF-8 become ``\xff``."""
    text = os.fsencode(name).decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def plain_name(name: str, left_out: Counter[str]) -> str | None:
    """A name in an archive without ``\\``, ``./`` and a leading ``/``; None, and counted, where it leads out of it."""
    parts = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".")]
    if ".." in parts:
        left_out["member(s) whose names lead out of the archive"] += 1
        return None
    return readable("/".join(parts))


def last_of_each(entries: list[Entry], left_out: Counter[str]) -> list[Entry]:
    """Of members with the same name the last one, as after unpacking; the others are counted."""
    kept = {entry.name: entry for entry in entries}
    if len(kept) < len(entries):
        left_out["older version(s) of members that are there again"] += len(entries) - len(kept)
    return list(kept.values())
