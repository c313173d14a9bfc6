"""The files in a tar, plain or packed with gzip, bzip2 or xz. What its headers claim is bounded before it is read."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import tarfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from .entries import (
    Entry,
    Files,
    check_ratio,
    count_hidden,
    empty_folders,
    files_and_notes,
    hidden,
    last_of_each,
    plain_name,
    read_bytes,
    too_large,
)

PACKED = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\0": lzma.open, b"]\0\0": lzma.open}
HEADER = 1 << 18  # bytes that the headers of one member may have: long names, attributes, the map of a sparse file
HEADERS = 100_000_000  # bytes that all headers together may have, and four times the size of the archive
PADDING = 1 << 20  # bytes behind the end that are searched for another archive
ODD = (ValueError, KeyError, IndexError, TypeError, AttributeError, OverflowError, RecursionError)


def is_tar(path: Path) -> bool:
    """Whether a file is packed as tars are, or begins as one."""
    beginning = read_bytes(path, 512)
    return beginning.startswith((*PACKED,)) or beginning[257:262] == b"ustar"


def is_empty_tar(path: Path) -> bool:
    """Whether a file is a plain tar without members: zeros alone."""
    if not 1024 <= path.stat().st_size <= PADDING:
        return False
    return not read_bytes(path, PADDING).strip(b"\0")


class Headers:
    """The bytes of a tar as ``tarfile`` asks for them. It reads the whole of a header before a member can be seen.

    While ``bounded``, what it asks for of one member, and in all, is limited, and so is how far it goes.
    """

    def __init__(self, file: BinaryIO, path: Path):
        self.file, self.path, self.bounded = file, path, True
        self.taken = self.of_member = 0
        self.most = HEADERS + 4 * path.stat().st_size

    def read(self, size: int = -1) -> bytes:
        if self.bounded:
            self.taken, self.of_member = self.taken + size, self.of_member + size
            if size < 0 or self.of_member > HEADER:
                raise tarfile.ReadError(f"a header claims to have {self.of_member:,} bytes or more")
            if self.taken > self.most:
                raise tarfile.ReadError(f"its headers have more than {self.most:,} bytes")
        return self.file.read(size)

    def seek(self, at: int, whence: int = os.SEEK_SET) -> int:
        if self.bounded and too_large(self.path, at):
            raise tarfile.ReadError(f"it would unpack to {at:,} bytes or more")
        return self.file.seek(at, whence)

    def tell(self) -> int:
        return self.file.tell()

    def close(self) -> None:
        self.file.close()


@contextmanager
def files_of_tar(path: Path) -> Iterator[Files]:
    """The files of a tar. At the end the rest of the archive is read, because only then its checksum is compared."""
    opener = next((opener for magic, opener in PACKED.items() if read_bytes(path, 6).startswith(magic)), open)
    with opener(path, "rb") as file:
        headers = Headers(file, path)
        with from_first(headers) as archive:
            yield files_in(path, archive, headers, plain=opener is open)
            rest = 0
            while more := len(file.read(1 << 20)):
                rest += more
                check_ratio(path, rest)


def from_first(headers: Headers) -> tarfile.TarFile:
    """The opened archive; its first header is read then."""
    try:
        return tarfile.TarFile(fileobj=headers)
    except ODD as error:
        raise tarfile.ReadError(f"a damaged header: {error}") from None


def next_member(archive: tarfile.TarFile, headers: Headers) -> tarfile.TarInfo | None:
    """The next member; what ``tarfile`` raises for odd headers becomes one kind of error."""
    headers.of_member = 0
    try:
        return archive.next()
    except ODD as error:
        raise tarfile.ReadError(f"a damaged header: {error}") from None


def files_in(path: Path, archive: tarfile.TarFile, headers: Headers, plain: bool = False) -> Files:
    """The files in an open tar; plain: it is not compressed, so that each can be read from its place in ``path``."""
    found = members_of(path, archive, headers)
    members = {member.name: member for member in found}  # of several with the same name, the last one
    left_out: Counter[str] = Counter()
    entries = []
    for member in found:
        target = target_of(members, member, left_out)
        if target is None or not (shown := plain_name(member.name, left_out)):
            continue
        entries.append(
            Entry(
                shown,
                target.size,
                lambda target=target: archive.extractfile(target).read(),
                lambda target=target: archive.extractfile(target).read(16),
                inside=(path, target.offset_data) if plain else None,
            )
        )
    empty = empty_folders(
        (each.name for each in found if each.isdir()), (each.name for each in found if not each.isdir())
    )
    return files_and_notes(last_of_each(entries, left_out), left_out, empty)


def members_of(path: Path, archive: tarfile.TarFile, headers: Headers) -> list[tarfile.TarInfo]:
    """All members of a tar, whose headers are read to the end; an error where they claim too much or end in damage."""
    found: list[tarfile.TarInfo] = []
    unpacked = 0
    while (member := next_member(archive, headers)) is not None:
        unpacked += 0 if member.issparse() else member.size  # sparse members are left out
        check_ratio(path, unpacked)
        member.pax_headers = {}  # they are of no use here, and may be many
        found.append(member)
    headers.bounded = False
    headers.seek(archive.offset)
    if headers.read(512).strip(b"\0") or not found:  # tarfile takes a damaged header for the end
        raise tarfile.ReadError(
            f"there is damage after {found[-1].name}" if found else "it holds no file: it is empty, or damaged"
        )
    for _ in range(PADDING // 512):
        if (block := headers.read(512)).strip(b"\0"):
            if block[257:262] == b"ustar":
                raise tarfile.ReadError("another archive follows behind its end: unpack it with tar --ignore-zeros -xf")
            break
        if not block:
            break
    return found


def target_of(
    members: dict[str, tarfile.TarInfo], member: tarfile.TarInfo, left_out: Counter[str]
) -> tarfile.TarInfo | None:
    """The regular file that a visible member is or leads to; None for a folder, and, counted, for anything else."""
    if member.isdir():
        return None
    name = PurePosixPath(member.name)
    if any(hidden(part) for part in name.parts):
        count_hidden(name.name, left_out)
        return None
    if not (member.isreg() or member.islnk() or member.issym()):
        left_out["pipe(s) or device(s)"] += 1
        return None
    if member.issparse():
        left_out["sparse file(s)"] += 1
        return None
    target = linked(members, member)
    if target is None:
        left_out["link(s) that lead out of the archive, or to a folder in it"] += 1
    return target


def linked(members: dict[str, tarfile.TarInfo], member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """The regular file that a member is, or that its links lead to inside the archive; else None."""
    for _ in range(20):
        if member.isreg():
            return None if member.issparse() else member
        name = member.linkname
        if member.issym():
            name = os.path.normpath(os.path.join(os.path.dirname(member.name), name)).replace(os.sep, "/")
        if name not in members:
            return None
        member = members[name]
    return None
